//! Who is at the other end of a local socket, and what the system calls a user.
//!
//! What a caller may do is decided in `core::access`, not here. A connection whose other end the
//! kernel does not know is an error, never somebody.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The process at the other end, as the kernel saw it when it connected (or bound, seen from the
/// client).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    /// `None` when the process lives in a process namespace that cannot be seen from here.
    pub pid: Option<u32>,
}

/// What the name service knows about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub home: PathBuf,
}

/// The other end of the connected Unix stream socket `socket`.
///
/// Works in both directions: a client learns whose service it reached, which matters where the
/// socket's folder is not its own.
///
/// # Errors
/// The kernel's error, or `PermissionDenied` where it names no user for the other end.
pub fn caller_of(socket: BorrowedFd<'_>) -> io::Result<Caller> {
    // rustix's UCred cannot hold a process id of 0, which the kernel gives for a process of another
    // namespace; hence the call itself.
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut size = libc::socklen_t::try_from(size_of::<libc::ucred>()).expect("a small structure");
    // SAFETY: the descriptor is open for as long as it is borrowed; both pointers are to live
    // variables, and `size` is the size of the first.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut size,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    if credentials.uid == u32::MAX {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the system does not say who is at the other end of the connection",
        ));
    }
    Ok(Caller {
        uid: credentials.uid,
        gid: credentials.gid,
        pid: u32::try_from(credentials.pid).ok().filter(|pid| *pid != 0),
    })
}

/// Whom this process acts as.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The name of user `uid`, or `None` where there is no such user or no UTF-8 name.
///
/// Asks the name service, which may be a directory on the network: not for a thread that must not
/// wait.
pub fn user_name(uid: u32) -> Option<String> {
    account(uid).map(|account| account.name)
}

/// What the name service (`/etc/passwd`, a directory …) knows about user `uid`. May wait, as
/// [`user_name`].
pub fn account(uid: u32) -> Option<Account> {
    let mut texts = vec![0_u8; ACCOUNT_BYTES_FIRST];
    loop {
        // SAFETY: all-zero bytes are a valid `passwd`: numbers and null pointers.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        // SAFETY: the pointers are to live variables and `texts` is as long as it is said to be.
        let status = unsafe {
            libc::getpwuid_r(uid, &raw mut entry, texts.as_mut_ptr().cast(), texts.len(), &raw mut found)
        };
        match status {
            0 if found.is_null() => return None,
            0 => {
                return Some(Account {
                    name: owned_text(entry.pw_name)?.into_string().ok()?,
                    home: PathBuf::from(OsString::from_vec(owned_text(entry.pw_dir)?.into_bytes())),
                });
            }
            libc::ERANGE if texts.len() < ACCOUNT_BYTES_MAX => texts.resize(texts.len() * 4, 0),
            libc::EINTR => {}
            _ => return None,
        }
    }
}

/// A copy of the text that `getpwuid_r` has put into the buffer.
fn owned_text(text: *const libc::c_char) -> Option<CString> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and after a successful call it points to a terminated text within the
    // caller's buffer, which lives until the caller returns.
    Some(unsafe { CStr::from_ptr(text) }.to_owned())
}

/// Enough for the entries of ordinary machines.
const ACCOUNT_BYTES_FIRST: usize = 1 << 10;
/// A directory's entry may be long; one that is longer than this is not an account.
const ACCOUNT_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::somebody::as_an_ordinary_user;
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn the_caller_is_whoever_connected_and_the_service_whoever_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        open_to_all(folder.path(), 0o755);
        open_to_all(&path, 0o666);

        let (client, uid) = as_an_ordinary_user(|| (UnixStream::connect(&path).unwrap(), own_uid()));
        let (server, _) = listener.accept().unwrap();

        let caller = caller_of(server.as_fd()).unwrap();
        assert_eq!((caller.uid, caller.pid), (uid, Some(std::process::id())));
        assert_eq!(caller_of(client.as_fd()).unwrap().uid, own_uid());
    }

    #[test]
    fn a_socket_that_is_not_connected_has_no_caller() {
        let socket =
            rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None)
                .unwrap();
        assert_eq!(caller_of(socket.as_fd()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn root_has_a_name_and_a_home_and_an_unused_uid_has_none() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert!(account(0).unwrap().home.is_absolute());
        assert_eq!(account(u32::MAX - 7), None);
    }

    fn open_to_all(path: &std::path::Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}
