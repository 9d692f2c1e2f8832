//! What a socket of the system can do that the standard library does not say.

use std::io;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::RecvFlags;

/// Blocks until `out` is full, the peer has ended, or the socket's read timeout has passed, and says
/// how many bytes have come. The system collects them, without waking anybody for each packet.
///
/// # Errors
/// When the connection broke, or nothing came in time (`WouldBlock`).
pub fn receive_all(socket: &TcpStream, out: &mut [u8]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(socket, out, RecvFlags::WAITALL)?;
    Ok(count)
}

/// Blocks until `socket` has bytes, its end or an error to tell, at most for `time`; says whether it has.
///
/// # Errors
/// When the system cannot wait for it.
pub fn wait_readable(socket: BorrowedFd<'_>, time: Duration) -> io::Result<bool> {
    let time = Timespec::try_from(time).map_err(|_| io::ErrorKind::InvalidInput)?;
    match poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&time)) {
        Ok(ready) => Ok(ready > 0),
        // As good as time that is up: whoever waits looks again.
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Receives what is there; 0 at the end.
///
/// # Errors
/// When the connection broke, or nothing is there (`WouldBlock`).
pub fn receive_now(socket: BorrowedFd<'_>, out: &mut [u8]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(socket, out, RecvFlags::DONTWAIT)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::{Shutdown, TcpListener};
    use std::time::Duration;

    #[test]
    fn all_that_was_wanted_comes_at_once_and_less_at_the_end_or_when_time_is_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut sender, _) = listener.accept().unwrap();
        let pieces = std::thread::spawn(move || {
            for piece in [b"ab", b"cd", b"ef"] {
                sender.write_all(piece).unwrap();
                std::thread::yield_now();
            }
            sender
        });
        let mut out = [0; 4];
        assert_eq!(receive_all(&receiver, &mut out).unwrap(), 4);
        assert_eq!(&out, b"abcd");
        let sender = pieces.join().unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(receive_all(&receiver, &mut out).unwrap(), 2, "not for ever");
        assert_eq!(receive_all(&receiver, &mut out).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        sender.shutdown(Shutdown::Write).unwrap();
        receiver.set_read_timeout(None).unwrap();
        assert_eq!(receive_all(&receiver, &mut out).unwrap(), 0);
    }

    #[test]
    fn one_waits_for_bytes_or_the_end_and_takes_what_is_there() {
        use std::os::fd::AsFd as _;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut sender, _) = listener.accept().unwrap();
        let mut out = [0; 4];
        assert!(!wait_readable(receiver.as_fd(), Duration::from_millis(1)).unwrap());
        let nothing = receive_now(receiver.as_fd(), &mut out).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        sender.write_all(b"ab").unwrap();
        assert!(wait_readable(receiver.as_fd(), Duration::from_secs(60)).unwrap());
        assert_eq!(receive_now(receiver.as_fd(), &mut out).unwrap(), 2);
        drop(sender);
        assert!(wait_readable(receiver.as_fd(), Duration::from_secs(60)).unwrap());
        assert_eq!(receive_now(receiver.as_fd(), &mut out).unwrap(), 0);
    }
}
