//! The folder all of this test process lives in, and the guard that clears it away.
//!
//! A test process may panic, be interrupted or killed, and the statics of one that ends well are
//! not dropped either. So the clearing is not ours: a small shell waits for the end of a pipe that
//! only this process holds, then ends every process below the folder and removes it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

const GUARD: &str = include_str!("guard.sh");

/// The longest path of a folder for temporary files that is of use. The address of a Unix socket
/// ends at 107 bytes, and ours lie up to 50 deeper.
const PLACE_BYTES_MAX: usize = 56;

/// Only the owner lists it, everybody walks through it: servers that drop root, and second users.
const WALK_ONLY: u32 = 0o711;

#[derive(Debug)]
struct Ground {
    folder: TempDir,
    /// Holds the pipe.
    _guard: Child,
}

/// The folder of this test process.
///
/// # Panics
/// When there is no place for it, or the guard cannot be started.
pub(crate) fn ground() -> &'static Path {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(Ground::new).folder.path()
}

/// The scripts that start the peers.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the folder of the workspace")
        .join("tests/peers")
}

/// Makes a folder that others can walk through and not list.
pub(crate) fn make_folder(path: &Path, mode: u32) {
    let made =
        fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    made.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("bits-")
            .tempdir_in(place())
            .unwrap_or_else(|error| panic!("no folder for the tests: {error}"));
        make_folder(folder.path(), WALK_ONLY);
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard.sh"])
            .arg(folder.path())
            .arg(scripts())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0) // Ctrl-C at the tests is for the tests
            .spawn()
            .unwrap_or_else(|error| panic!("no guard for the tests: {error}"));
        Self { folder, _guard: guard }
    }
}

/// Where temporary files go: as usual, or /tmp when that is too deep or closed to other users.
fn place() -> PathBuf {
    let usual = std::env::temp_dir();
    let open = |folder: &Path| {
        folder.ancestors().all(|each| {
            fs::metadata(each).is_ok_and(|found| found.is_dir() && found.permissions().mode() & 0o001 != 0)
        })
    };
    if usual.as_os_str().len() <= PLACE_BYTES_MAX && usual.is_absolute() && open(&usual) {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}
