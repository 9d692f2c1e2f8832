//! Where the service of one user keeps its things, and folders that are this user's alone.
//!
//! Only names: nothing is made here but by [`ensure_private_folder`]. System mode has other
//! places and is not here yet.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::caller::{account, own_uid};

/// The longest path of a Unix socket: `sun_path` has 108 bytes, one of them ends it.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The places of one user's service. All are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Queue, sealed secrets, socket, log: `$XDG_STATE_HOME/bits`.
    pub state_folder: PathBuf,
    /// Where programs of this user keep their settings: `$XDG_CONFIG_HOME`.
    pub config_home: PathBuf,
    sockets: Vec<PathBuf>,
    socket_is_named: bool,
}

/// Why the places could not be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathsError {
    #[error(
        "there is no home folder: HOME is not set to an absolute path and user {uid} has none. Set HOME, or XDG_STATE_HOME and XDG_CONFIG_HOME"
    )]
    NoHome { uid: u32 },
    #[error("BITS_SOCKET is {}, which is not an absolute path", .0.display())]
    SocketIsRelative(PathBuf),
    #[error("the socket path {} has {} bytes and the system allows {SOCKET_PATH_BYTES_MAX}: choose a shorter one with BITS_SOCKET or XDG_STATE_HOME", .0.display(), .0.as_os_str().len())]
    SocketTooLong(PathBuf),
}

impl Paths {
    /// The places of the user this process acts as. `environment` answers with the value of a
    /// variable; empty and relative values of XDG variables count as unset, as their standard asks.
    ///
    /// `XDG_RUNTIME_DIR` counts only where it is a folder of this user: after `su` it is often
    /// that of somebody else.
    pub fn of_user(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, PathsError> {
        let absolute = |name: &str| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let below_home = |name: &str, default: &str| match absolute(name) {
            Some(path) => Ok(path),
            None => home(absolute("HOME")).map(|home| home.join(default)),
        };
        let state_folder = below_home("XDG_STATE_HOME", ".local/state")?.join(FOLDER_NAME);
        let config_home = below_home("XDG_CONFIG_HOME", ".config")?;

        let named = environment("BITS_SOCKET").filter(|value| !value.is_empty()).map(PathBuf::from);
        let socket_is_named = named.is_some();
        let sockets = match named {
            Some(path) if path.is_relative() => return Err(PathsError::SocketIsRelative(path)),
            Some(path) => vec![path],
            None => [Some(state_folder.clone()), runtime_folder(absolute("XDG_RUNTIME_DIR"))]
                .into_iter()
                .flatten()
                .map(|folder| folder.join(SOCKET_NAME))
                .collect(),
        };
        match sockets.iter().find(|path| path.as_os_str().as_bytes().len() > SOCKET_PATH_BYTES_MAX) {
            Some(path) => Err(PathsError::SocketTooLong(path.clone())),
            None => Ok(Self { state_folder, config_home, sockets, socket_is_named }),
        }
    }

    /// The sockets the service listens on and a client tries, in this order. Never empty.
    pub fn sockets(&self) -> &[PathBuf] {
        &self.sockets
    }

    /// Whether a person named the socket (`BITS_SOCKET`); then no service is started for it.
    pub fn socket_is_named(&self) -> bool {
        self.socket_is_named
    }

    /// This user's settings.
    pub fn settings(&self) -> PathBuf {
        self.config_home.join(FOLDER_NAME).join("config.toml")
    }

    /// The machine's settings, below this user's.
    pub fn system_settings(&self) -> &'static Path {
        Path::new("/etc/bits/config.toml")
    }

    /// The folder of further machine-wide settings, `*.toml`, each above the one before it.
    pub fn system_settings_folder(&self) -> &'static Path {
        Path::new("/etc/bits/config.d")
    }

    /// The database of jobs.
    pub fn database(&self) -> PathBuf {
        self.state_folder.join("queue.db")
    }

    /// The database and what is kept beside it while it is open; not all of them are always there.
    pub fn database_files(&self) -> Vec<PathBuf> {
        ["", "-wal", "-shm", "-intake"]
            .map(|ending| self.state_folder.join(format!("queue.db{ending}")))
            .into()
    }

    /// The key that secrets are sealed with.
    pub fn key_file(&self) -> PathBuf {
        self.state_folder.join("seal.key")
    }

    /// The credentials a person has saved where there is no desktop, sealed.
    pub fn saved_credentials(&self) -> PathBuf {
        self.state_folder.join("credentials")
    }

    /// The key that saved credentials are sealed with. Not the service's, which has other
    /// secrets to keep and may get its key from elsewhere.
    pub fn saved_credentials_key_file(&self) -> PathBuf {
        self.state_folder.join("credentials.key")
    }

    /// What is locked while saved credentials change.
    pub fn saved_credentials_lock(&self) -> PathBuf {
        self.state_folder.join("credentials.lock")
    }

    /// The log of the service.
    pub fn log_file(&self) -> PathBuf {
        self.state_folder.join("bitsd.log")
    }
}

/// Why a folder is not fit to hold what is one user's alone.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFolderError {
    #[error("the folder {} cannot be made: {source}", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("the folder {} cannot be opened: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{} is a symbolic link; it must be a folder of its own", .0.display())]
    IsSymlink(PathBuf),
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error("the folder {} belongs to user {owner}, not to user {}", path.display(), own_uid())]
    OfSomebodyElse { path: PathBuf, owner: u32 },
    #[error("others may write to the folder {} (mode {mode:04o}): chmod go-w it", path.display())]
    WritableByOthers { path: PathBuf, mode: u32 },
}

/// Makes the folder `path`, and those above it that are missing, for this user alone (0700), or
/// checks that the one there is fit: a folder, not a symbolic link, ours, and nobody else may write
/// to it. When it returns, its name lasts: what is synced in a folder is lost with a folder that is not.
pub fn ensure_private_folder(path: &Path) -> Result<(), PrivateFolderError> {
    // Not only below: `create` takes a symbolic link to a folder for a folder, but not one to nothing.
    if path.is_symlink() {
        return Err(PrivateFolderError::IsSymlink(path.into()));
    }
    let missing = path.ancestors().take_while(|folder| !folder.exists()).count();
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists) => {
            return Err(PrivateFolderError::NotAFolder(path.into()));
        }
        Err(source) => return Err(PrivateFolderError::Make { path: path.into(), source }),
        Ok(()) => {}
    }
    // One that is there may have been made by a service that was killed before this.
    for above in path.ancestors().skip(1).take(missing.max(1)) {
        sync_names(above).map_err(|source| PrivateFolderError::Make { path: path.into(), source })?;
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let folder = match rustix::fs::open(path, flags, Mode::empty()) {
        // Linux says so of a symbolic link when a folder is asked for.
        Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
            return Err(PrivateFolderError::IsSymlink(path.into()));
        }
        Err(errno) => return Err(PrivateFolderError::Open { path: path.into(), source: errno.into() }),
        Ok(folder) => std::fs::File::from(folder),
    };
    let metadata =
        folder.metadata().map_err(|source| PrivateFolderError::Open { path: path.into(), source })?;
    let mode = metadata.mode() & 0o7777;
    if metadata.uid() != own_uid() {
        Err(PrivateFolderError::OfSomebodyElse { path: path.into(), owner: metadata.uid() })
    } else if mode & 0o022 != 0 {
        Err(PrivateFolderError::WritableByOthers { path: path.into(), mode })
    } else {
        Ok(())
    }
}

/// Makes the names in `folder` last, where this user may read it and its file system can do that.
fn sync_names(folder: &Path) -> io::Result<()> {
    match std::fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if !matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The folder of ours within the state, settings and runtime folders.
const FOLDER_NAME: &str = "bits";
const SOCKET_NAME: &str = "bitsd.sock";

fn home(named: Option<PathBuf>) -> Result<PathBuf, PathsError> {
    let uid = own_uid();
    named
        .or_else(|| account(uid).map(|account| account.home).filter(|home| home.is_absolute()))
        .ok_or(PathsError::NoHome { uid })
}

fn runtime_folder(named: Option<PathBuf>) -> Option<PathBuf> {
    let path = named?;
    let metadata = std::fs::metadata(&path).ok()?;
    (metadata.is_dir() && metadata.uid() == own_uid()).then(|| path.join(FOLDER_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::somebody::as_an_ordinary_user;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn paths(variables: &[(&str, &str)]) -> Result<Paths, PathsError> {
        Paths::of_user(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn places_follow_the_xdg_variables_and_home() {
        let runtime = tempfile::tempdir().unwrap();
        let run = runtime.path().to_str().unwrap();
        let run_socket = format!("{run}/bits/bitsd.sock");
        for (variables, state, settings, sockets) in [
            (
                &[("HOME", "/h")][..],
                "/h/.local/state/bits",
                "/h/.config/bits/config.toml",
                &["/h/.local/state/bits/bitsd.sock"][..],
            ),
            (
                &[
                    ("HOME", "/h"),
                    ("XDG_STATE_HOME", "/s"),
                    ("XDG_CONFIG_HOME", "/c"),
                    ("XDG_RUNTIME_DIR", run),
                ],
                "/s/bits",
                "/c/bits/config.toml",
                &["/s/bits/bitsd.sock", &run_socket],
            ),
            (
                &[
                    ("HOME", "/h"),
                    ("XDG_STATE_HOME", "s"),
                    ("XDG_CONFIG_HOME", ""),
                    ("XDG_RUNTIME_DIR", "/no/such"),
                ],
                "/h/.local/state/bits",
                "/h/.config/bits/config.toml",
                &["/h/.local/state/bits/bitsd.sock"],
            ),
            (
                &[("HOME", "/h"), ("XDG_RUNTIME_DIR", run), ("BITS_SOCKET", "/x/y")],
                "/h/.local/state/bits",
                "/h/.config/bits/config.toml",
                &["/x/y"],
            ),
        ] {
            let paths = paths(variables).unwrap();
            assert_eq!(paths.state_folder, Path::new(state), "{variables:?}");
            assert_eq!(paths.settings(), Path::new(settings), "{variables:?}");
            assert_eq!(
                paths.sockets(),
                sockets.iter().map(PathBuf::from).collect::<Vec<_>>(),
                "{variables:?}"
            );
            assert_eq!(paths.socket_is_named(), sockets == ["/x/y"]);
        }
    }

    #[test]
    fn a_runtime_folder_of_somebody_else_does_not_count() {
        let runtime = tempfile::tempdir().unwrap();
        std::fs::set_permissions(runtime.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let run = if own_uid() == 0 { runtime.path().to_str().unwrap() } else { "/proc" };
        let paths = as_an_ordinary_user(|| paths(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", run)])).unwrap();
        assert_eq!(paths.sockets(), [PathBuf::from("/h/.local/state/bits/bitsd.sock")]);
    }

    #[test]
    fn without_home_the_account_has_one() {
        let home = account(own_uid()).unwrap().home;
        assert_eq!(paths(&[]).unwrap().state_folder, home.join(".local/state/bits"));
    }

    #[test]
    fn a_socket_path_is_refused_by_name_when_it_is_too_long_or_relative() {
        let longest = format!("/{}", "x".repeat(SOCKET_PATH_BYTES_MAX - 1));
        assert!(paths(&[("HOME", "/h"), ("BITS_SOCKET", &longest)]).is_ok());
        let longer = format!("{longest}y");
        let refusal = paths(&[("HOME", "/h"), ("BITS_SOCKET", &longer)]).unwrap_err();
        assert_eq!(refusal, PathsError::SocketTooLong(longer.clone().into()));
        assert!(refusal.to_string().contains(&longer));
        assert_eq!(
            paths(&[("HOME", &longer)]).unwrap_err(),
            PathsError::SocketTooLong(format!("{longer}/.local/state/bits/bitsd.sock").into())
        );
        assert_eq!(
            paths(&[("HOME", "/h"), ("BITS_SOCKET", "s")]).unwrap_err(),
            PathsError::SocketIsRelative("s".into())
        );
    }

    #[test]
    fn a_private_folder_is_made_with_those_above_it_for_us_alone() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("a/b");
        ensure_private_folder(&path).unwrap();
        ensure_private_folder(&path).unwrap();
        for made in [top.path().join("a"), path] {
            assert_eq!(std::fs::metadata(made).unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_folder_that_others_could_meddle_with_is_refused() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        std::fs::create_dir(at("folder")).unwrap();
        symlink("folder", at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        std::fs::create_dir(at("open")).unwrap();
        std::fs::set_permissions(at("open"), PermissionsExt::from_mode(0o770)).unwrap();

        let refused = |name: &str| ensure_private_folder(&at(name)).unwrap_err();
        assert!(matches!(refused("link"), PrivateFolderError::IsSymlink(_)));
        assert!(matches!(refused("dangling"), PrivateFolderError::IsSymlink(_)));
        assert!(matches!(refused("file"), PrivateFolderError::NotAFolder(_)));
        assert!(matches!(refused("file/below"), PrivateFolderError::Make { .. }));
        assert!(matches!(refused("open"), PrivateFolderError::WritableByOthers { mode: 0o770, .. }));
        let refusal = as_an_ordinary_user(|| ensure_private_folder(Path::new("/proc"))).unwrap_err();
        assert!(matches!(refusal, PrivateFolderError::OfSomebodyElse { owner: 0, .. }), "{refusal}");
    }
}
