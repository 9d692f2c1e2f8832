//! What a socket of the system can do that the standard library does not say.

use std::io;
use std::net::TcpStream;

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
}
