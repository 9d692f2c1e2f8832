//! The service's door: the lock that makes it the only one, and its Unix socket.
//!
//! Accepting and answering is not done here. A socket file is removed only by whoever holds the
//! service lock, and only when nobody listens behind it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::caller::own_uid;
use crate::files::FileIdentity;
use crate::paths::{PrivateFolderError, SOCKET_PATH_BYTES_MAX, ensure_private_folder};

/// Held by the one service of a state folder for as long as it lives; the system lets go of it when
/// the process ends, however it ends.
#[derive(Debug)]
pub struct ServiceLock {
    file: File,
    path: PathBuf,
}

/// Why the service lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another service has this state folder. The process id is missing when that service has just
    /// taken the lock and not yet written it.
    #[error("another bitsd{} already serves {}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), state_folder.display())]
    HeldBy { pid: Option<u32>, state_folder: PathBuf },
    #[error("the lock file {} is not a file of this user", .0.display())]
    NotOurs(PathBuf),
    #[error("the lock file {} cannot be used: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
}

impl ServiceLock {
    /// Takes the lock of `state_folder`, which must be there.
    pub fn take(state_folder: &Path) -> Result<Self, LockError> {
        let path = state_folder.join(LOCK_NAME);
        let system = |source: io::Error| LockError::System { path: path.clone(), source };
        for _ in 0..LOCK_TRIES_MAX {
            let mut file = open_lock_file(&path)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    let state_folder = state_folder.to_owned();
                    return Err(LockError::HeldBy { pid: written_pid(&mut file), state_folder });
                }
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(system(errno.into())),
            }
            // Somebody may have removed the file between the opening and the locking; a lock on a
            // file without a name keeps nobody out.
            let identity = FileIdentity::of(&file.metadata().map_err(system)?);
            if std::fs::symlink_metadata(&path).is_ok_and(|there| FileIdentity::of(&there) == identity) {
                file.set_len(0).map_err(system)?;
                file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0).map_err(system)?;
                return Ok(Self { file, path });
            }
        }
        Err(system(io::Error::other("it is being replaced all the time")))
    }

    /// Whether the file under its path is still the one that is locked: the state folder may have
    /// been taken away, and then the lock keeps nobody out.
    pub fn is_in_place(&self) -> bool {
        let there = std::fs::symlink_metadata(&self.path);
        let held = FileIdentity::of_open(&self.file);
        there.is_ok_and(|there| held.is_ok_and(|held| FileIdentity::of(&there) == held))
    }

    /// The file that is locked.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The process that serves `state_folder`, as the kernel's list of locks has it: nothing is locked
/// to find out, so that a service which starts just now is not in anybody's way. `None`: there is
/// none that can be seen.
///
/// # Errors
/// When the list cannot be read.
pub fn holder(state_folder: &Path) -> io::Result<Option<u32>> {
    let Ok(lock) = std::fs::symlink_metadata(state_folder.join(LOCK_NAME)) else { return Ok(None) };
    Ok(holder_in(&std::fs::read_to_string("/proc/locks")?, lock.dev(), lock.ino()))
}

/// The process that holds a lock on this file: `1: FLOCK ADVISORY WRITE 42 fe:01:1234 0 EOF`.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let wanted = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, "WRITE", pid, file, ..] if file == wanted => pid.parse().ok(),
            _ => None,
        }
    })
}

/// A socket file of ours. Removed when this is dropped, if the file is still the one made here.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: FileIdentity,
    /// As long as the file is held, its inode's number is given to no other.
    _held: OwnedFd,
}

/// Why the socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("the socket path {} is longer than the {SOCKET_PATH_BYTES_MAX} bytes the system allows", .0.display())]
    TooLong(PathBuf),
    #[error("the socket path {} is in no folder", .0.display())]
    NoFolder(PathBuf),
    #[error(transparent)]
    Folder(#[from] PrivateFolderError),
    #[error("{} is there and is not a socket of this user: remove it, or name another with BITS_SOCKET", .0.display())]
    Occupied(PathBuf),
    #[error("another program listens on {}", .0.display())]
    InUse(PathBuf),
    #[error("the socket {} cannot be made: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
}

/// Listens on `path`: a socket for this user alone (0600), in a folder nobody else can write to,
/// made where it is missing. What a service that died has left there is removed.
///
/// The listener does not block. When [`SocketFile::is_ours`] says no, bind again: the old listener
/// can no longer be reached.
pub fn bind(path: &Path, _held: &ServiceLock) -> Result<(UnixListener, SocketFile), BindError> {
    let address = match SocketAddrUnix::new(path) {
        Ok(address) if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX => address,
        _ => return Err(BindError::TooLong(path.into())),
    };
    let folder = path.parent().filter(|folder| folder.is_absolute());
    ensure_private_folder(folder.ok_or_else(|| BindError::NoFolder(path.into()))?)?;
    let system = |errno: Errno| BindError::System { path: path.into(), source: errno.into() };

    let socket = new_socket().map_err(system)?;
    // The file takes its mode from the socket, so there is no moment at which others may connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(system)?;
    match rustix::net::bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            remove_left_over(path, &address)?;
            rustix::net::bind(&socket, &address).map_err(system)?;
        }
        outcome => outcome.map_err(system)?,
    }
    rustix::net::listen(&socket, BACKLOG).map_err(system)?;

    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = rustix::fs::open(path, flags, Mode::empty()).map_err(system)?;
    let identity = FileIdentity::of_open(&held).map_err(system)?;
    Ok((UnixListener::from(socket), SocketFile { path: path.into(), identity, _held: held }))
}

impl SocketFile {
    /// Whether the file under this path is still the one that was made: something tidying the
    /// runtime folder may have removed it.
    pub fn is_ours(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok_and(|there| FileIdentity::of(&there) == self.identity)
    }

    /// Where clients find it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // Left behind, it would be removed by the next service.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

const LOCK_NAME: &str = "bitsd.lock";
/// Losing the race for the lock file's name more often than this is no race.
const LOCK_TRIES_MAX: u32 = 16;
/// A process id and a line end, with room to spare.
const LOCK_BYTES_MAX: u64 = 32;
/// Connections waiting to be accepted; a client beyond them waits.
const BACKLOG: i32 = 128;

fn open_lock_file(path: &Path) -> Result<File, LockError> {
    let flags = OFlags::RDWR
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::CLOEXEC
        | OFlags::NONBLOCK
        | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => return Err(LockError::NotOurs(path.into())),
        Err(errno) => return Err(LockError::System { path: path.into(), source: errno.into() }),
    };
    let metadata = file.metadata().map_err(|source| LockError::System { path: path.into(), source })?;
    if metadata.is_file() && metadata.uid() == own_uid() {
        Ok(file)
    } else {
        Err(LockError::NotOurs(path.into()))
    }
}

fn written_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(LOCK_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Removes the socket of a service that is no more. The lock keeps out services of our own state
/// folder; one of another state folder may have been given the same path, so we knock first.
fn remove_left_over(path: &Path, address: &SocketAddrUnix) -> Result<(), BindError> {
    let system = |source: io::Error| BindError::System { path: path.into(), source };
    let there = std::fs::symlink_metadata(path).map_err(system)?;
    if !there.file_type().is_socket() || there.uid() != own_uid() {
        return Err(BindError::Occupied(path.into()));
    }
    let knocking = new_socket().map_err(|errno| system(errno.into()))?;
    match rustix::net::connect(&knocking, address) {
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path).map_err(system),
        Err(Errno::NOENT) => Ok(()),
        // Would block: it listens, with a full backlog.
        Ok(()) | Err(Errno::WOULDBLOCK) => Err(BindError::InUse(path.into())),
        Err(errno) => Err(system(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::somebody::as_an_ordinary_user;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixStream;

    #[test]
    fn one_state_folder_has_one_service_and_its_process_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ServiceLock::take(folder.path()).unwrap();
        let refusal = ServiceLock::take(folder.path()).unwrap_err();
        assert!(
            matches!(refusal, LockError::HeldBy { pid: Some(pid), .. } if pid == std::process::id()),
            "{refusal}"
        );
        assert_eq!(holder(folder.path()).unwrap(), Some(std::process::id()));
        drop(lock);
        assert_eq!(holder(folder.path()).unwrap(), None);
        ServiceLock::take(folder.path()).unwrap();
    }

    #[test]
    fn the_holder_of_a_lock_is_found_in_the_list_of_the_kernel() {
        let device = rustix::fs::makedev(0xfe, 1);
        let locks = "1: POSIX  ADVISORY  WRITE 7 fe:01:99 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 8 fe:01:99 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 9 fe:01:99 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 42 fe:01:99 0 EOF\n";
        assert_eq!(holder_in(locks, device, 99), Some(42));
        assert_eq!(holder_in(locks, device, 9), None);
        assert_eq!(holder_in("", device, 99), None);
    }

    #[test]
    fn a_lock_file_that_is_a_link_or_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK_NAME);
        symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(ServiceLock::take(folder.path()), Err(LockError::NotOurs(_))));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(ServiceLock::take(folder.path()), Err(LockError::NotOurs(_))));
    }

    #[test]
    fn the_socket_is_for_its_user_alone_and_goes_with_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ServiceLock::take(folder.path()).unwrap();
        let path = folder.path().join("below/bitsd.sock");
        let (_listener, socket) = bind(&path, &lock).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn another_user_cannot_connect_even_where_the_folder_can_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ServiceLock::take(folder.path()).unwrap();
        let path = folder.path().join("bitsd.sock");
        let (_listener, _socket) = bind(&path, &lock).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        if own_uid() == 0 {
            let refusal = as_an_ordinary_user(|| UnixStream::connect(&path)).unwrap_err();
            assert_eq!(refusal.kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn the_socket_of_a_service_that_died_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ServiceLock::take(folder.path()).unwrap();
        let path = folder.path().join("bitsd.sock");
        // A listener of the standard library leaves its file behind, as a killed service does.
        let living = UnixListener::bind(&path).unwrap();
        assert!(matches!(bind(&path, &lock), Err(BindError::InUse(_))));
        drop(living);
        let (_listener, socket) = bind(&path, &lock).unwrap();
        assert!(socket.is_ours());
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn what_is_no_socket_stays_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ServiceLock::take(folder.path()).unwrap();
        let path = folder.path().join("bitsd.sock");
        std::fs::write(&path, "precious").unwrap();
        let refusal = bind(&path, &lock).unwrap_err();
        assert!(matches!(refusal, BindError::Occupied(_)));
        assert!(refusal.to_string().contains(path.to_str().unwrap()));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_vanished_or_replaced_socket_is_noticed_and_not_removed_with_ours() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ServiceLock::take(folder.path()).unwrap();
        let path = folder.path().join("bitsd.sock");
        let (_gone, first) = bind(&path, &lock).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!first.is_ours());

        let (_listener, second) = bind(&path, &lock).unwrap();
        drop(first);
        assert!(second.is_ours());
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_socket_path_that_is_too_long_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let lock = ServiceLock::take(folder.path()).unwrap();
        let path = folder.path().join("x".repeat(SOCKET_PATH_BYTES_MAX));
        assert!(matches!(bind(&path, &lock), Err(BindError::TooLong(named)) if named == path));
    }
}
