//! The command, run in a place of its own: no folder of the person who runs the tests is touched,
//! and no service of theirs is found.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A home of its own.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `bits` with these words, to be run in this place.
    pub(crate) fn command(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bits"));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            // No ticket of the person's is in sight.
            .env("KRB5CCNAME", self.path().join("tickets"))
            .env("PATH", "/nowhere")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn bits(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Outcome {
        ended(self.command(words))
    }
}

/// What `command` did.
pub(crate) fn ended(mut command: Command) -> Outcome {
    let output = command.output().expect("it runs");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Makes the program at `path` a copy of `from`. Another process writes it: what this one has open, a test
/// beside may hand on to a child for a moment, and a program that is open for writing cannot be run.
pub(crate) fn install(from: &Path, path: &Path) {
    let copied = Command::new("cp").arg("--").args([from, path]).status().expect("cp runs");
    assert!(copied.success(), "{} is copied", path.display());
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("a mode");
}

/// The same for a program of which this is the text.
pub(crate) fn install_script(text: &str, path: &Path) {
    let written = path.with_extension("text");
    fs::write(&written, text).expect("a file");
    install(&written, path);
}
