//! How much a connection may have in flight: for what comes, the window that is advertised; for
//! what goes, what was written and is not acknowledged.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

use bits_core::units::Bytes;

use super::outcome;

/// The buffer of a download: as much as a window can grow to, at 1 Gbit/s and 30 ms.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// A smaller buffer would be the limit itself, at 100 Mbit/s and 40 ms.
const BUFFER_BYTES_MIN: usize = 1024 * 1024;
/// The least window the kernel takes.
const WINDOW_BYTES_MIN: u64 = 1152;
/// What a sender has waiting unsent in the kernel, at most: what it cannot take back.
const UNSENT_BYTES_MAX: libc::c_int = 16 * 1024;

/// Makes a connection that is to receive ready for [`set_window`]. To be called after it is
/// connected and before anything is asked of the server.
///
/// The order is what matters. A buffer that is set keeps the kernel from growing it by itself, with
/// which it would overwrite our window each time. Set before connecting, it would be advertised at
/// once, and a window cannot be taken back. Where the administrator allows only small buffers, it is
/// left alone: then [`set_window`] has to win each time, which it does when it is called often.
///
/// # Errors
/// When the system refuses; the connection can be used and is not limited.
pub fn prepare_download(socket: impl AsFd, first_window: Bytes) -> io::Result<()> {
    let socket = socket.as_fd();
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, BUFFER_BYTES).is_err() {
        let allowed = buffer_bytes_allowed();
        if allowed >= BUFFER_BYTES_MIN {
            rustix::net::sockopt::set_socket_recv_buffer_size(socket, BUFFER_BYTES.min(allowed))?;
        }
    }
    set_window(socket, first_window)
}

/// Advertises no more than `window` from now on. What was advertised before is not taken back: a
/// smaller window holds when as much has come.
///
/// To be called again and again, even when nothing has changed: some kernels raise it by themselves.
///
/// # Errors
/// When `socket` is no TCP connection.
pub fn set_window(socket: impl AsFd, window: Bytes) -> io::Result<()> {
    let window = libc::c_int::try_from(window.0.max(WINDOW_BYTES_MIN)).unwrap_or(libc::c_int::MAX);
    set_number(socket, libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP, window)
}

/// Makes a connection that is to send ready: little waits in the kernel.
///
/// # Errors
/// When `socket` is no TCP connection.
pub fn prepare_upload(socket: impl AsFd) -> io::Result<()> {
    set_number(socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)
}

/// Bytes that were written and are not acknowledged: in flight, and waiting.
///
/// # Errors
/// When `socket` is no connection.
pub fn unacknowledged(socket: impl AsFd) -> io::Result<Bytes> {
    let mut count: libc::c_int = 0;
    // SAFETY: this request (SIOCOUTQ by its other name) writes one int, for which `count` has room;
    // the descriptor is open as long as it is borrowed.
    let status = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    outcome(status)?;
    Ok(Bytes(u64::try_from(count).unwrap_or(0)))
}

/// Sends no faster than this, in bytes per second, so that a raised limit is no burst.
///
/// # Errors
/// When `socket` is no connection.
pub fn smooth(socket: impl AsFd, rate: Bytes) -> io::Result<()> {
    // The largest number means no limit, so one below it.
    let rate = libc::c_int::try_from(rate.0).unwrap_or(libc::c_int::MAX - 1);
    set_number(socket, libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE, rate)
}

/// The largest buffer that an ordinary program may ask for.
fn buffer_bytes_allowed() -> usize {
    let text = fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn set_number(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).expect("a small number");
    // SAFETY: the kernel reads `length` bytes, which is how long the value is; the descriptor is
    // open as long as it is borrowed.
    let status = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), length)
    };
    outcome(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::tcp_info;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (ours, listener.accept().unwrap().0)
    }

    #[test]
    fn no_more_is_advertised_than_was_set() {
        let (mut ours, mut theirs) = connection();
        let window = Bytes(200_000);
        prepare_download(&ours, window).unwrap();
        let sender = std::thread::spawn(move || theirs.write_all(&vec![7; 20_000_000]));
        let mut piece = vec![0; 100_000];
        let mut left = 20_000_000_usize;
        while left > 0 {
            let wanted = piece.len().min(left);
            left -= ours.read(&mut piece[..wanted]).unwrap();
            set_window(&ours, window).unwrap();
        }
        sender.join().unwrap().unwrap();
        let info = tcp_info(&ours).unwrap();
        // Before this version the kernel does not say.
        let Some((advertised, step)) = info.receive_window else { return };
        assert!(advertised.0 <= window.0 + step.0, "{info:?}");
    }

    #[test]
    fn what_the_other_side_does_not_take_is_counted() {
        let (mut ours, theirs) = connection();
        prepare_upload(&ours).unwrap();
        smooth(&ours, Bytes(u64::MAX)).unwrap();
        assert_eq!(unacknowledged(&ours).unwrap(), Bytes(0));
        ours.set_nonblocking(true).unwrap();
        while ours.write(&[7; 65_536]).is_ok() {}
        assert!(unacknowledged(&ours).unwrap() > Bytes(0));
        drop(theirs);
    }

    #[test]
    fn what_is_no_connection_cannot_be_set() {
        let folder = std::fs::File::open("/").unwrap();
        assert!(set_window(&folder, Bytes(1)).is_err());
        assert!(prepare_upload(&folder).is_err());
        assert!(smooth(&folder, Bytes(1)).is_err());
        assert!(unacknowledged(&folder).is_err());
    }
}
