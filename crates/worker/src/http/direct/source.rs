//! Where the bytes of a body come from when a thread waits for them: a socket, or TLS over one.
//!
//! What is done with them is not known here. The secure stream stays what it is, so that the
//! connection can be used for the next file.

use std::io::{self, Read as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use bits_platform::socket::{receive_all, receive_now, wait_readable};
use tokio_rustls::client::TlsStream;

use crate::http::connection::{Escort, Stream};
use crate::pacing::Paced;

/// Encrypted bytes received at once; they stay in a processor's cache until they are decrypted.
const INCOMING_BYTES: usize = 256 * 1024;
/// The shortest wait: a timeout of zero would be none.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// A source that a thread may wait for.
#[derive(Debug)]
pub(in crate::http) enum Source {
    Plain(TcpStream, Escort),
    Secure(Box<Secure>),
}

/// Ends the waiting for bytes from another thread. The connection ends with it.
#[derive(Debug)]
pub(crate) struct Interrupt(TcpStream);

impl Interrupt {
    pub(crate) fn interrupt(self) {
        // A connection that is gone already needs no interruption.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Source {
    /// `stream` as a source; of TLS within TLS none can be made.
    pub(in crate::http) fn of(stream: Stream) -> io::Result<Self> {
        match stream {
            Stream::Plain(stream, escort) => {
                let socket = stream.into_std()?;
                socket.set_nonblocking(false)?;
                Ok(Self::Plain(socket, escort))
            }
            Stream::Blocking(..) => unreachable!("it is taken back from its thread before"),
            Stream::Tls(tls) => {
                let incoming = vec![0; INCOMING_BYTES].into_boxed_slice();
                Ok(Self::Secure(Box::new(Secure { tls, incoming, start: 0, end: 0 })))
            }
        }
    }

    /// What [`Source::of`] was given. `None` when it cannot be used any more.
    pub(in crate::http) fn into_stream(self) -> Option<Stream> {
        match self {
            Self::Plain(socket, escort) => {
                socket.set_read_timeout(None).ok()?;
                socket.set_nonblocking(true).ok()?;
                let stream = tokio::net::TcpStream::from_std(socket).ok()?;
                Some(Stream::Plain(stream, escort))
            }
            // What was received and is not decrypted cannot be put back.
            Self::Secure(secure) => (secure.start == secure.end).then_some(Stream::Tls(secure.tls)),
        }
    }

    /// What keeps it polite, if anything does.
    pub(super) fn paced(&self) -> Option<&Paced> {
        match self {
            Self::Plain(_, escort) => escort.paced.as_ref(),
            Self::Secure(secure) => secure.tls.get_ref().0.paced(),
        }
    }

    /// The socket, where nobody else looks after its window.
    pub(super) fn unpaced_socket(&self) -> Option<BorrowedFd<'_>> {
        let socket = match self {
            Self::Plain(socket, _) => socket.as_fd(),
            Self::Secure(secure) => secure.socket(),
        };
        self.paced().is_none().then_some(socket)
    }

    pub(super) fn interrupt(&self) -> io::Result<Interrupt> {
        match self {
            Self::Plain(socket, _) => socket.try_clone().map(Interrupt),
            Self::Secure(secure) => secure.socket().try_clone_to_owned().map(TcpStream::from).map(Interrupt),
        }
    }

    /// Waits up to `time` for `out` to become full; says how much came, and 0 at the end.
    ///
    /// # Errors
    /// When the connection broke, or nothing came in time (`WouldBlock`).
    pub(super) fn fill(&mut self, out: &mut [u8], time: Duration) -> io::Result<usize> {
        let time = time.max(WAIT_MIN);
        match self {
            Self::Plain(socket, _) => {
                socket.set_read_timeout(Some(time))?;
                receive_all(socket, out)
            }
            Self::Secure(secure) => secure.fill(out, Instant::now() + time),
        }
    }
}

/// TLS whose encrypted bytes are received many records at a time.
#[derive(Debug)]
pub(in crate::http) struct Secure {
    tls: Box<TlsStream<Stream>>,
    incoming: Box<[u8]>,
    /// The part of `incoming` that is not decrypted yet.
    start: usize,
    end: usize,
}

impl Secure {
    fn socket(&self) -> BorrowedFd<'_> {
        self.tls.get_ref().0.tcp().as_fd()
    }

    fn fill(&mut self, out: &mut [u8], until: Instant) -> io::Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            match self.tls.get_mut().1.reader().read(&mut out[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.decrypt_more(until) {
                    Ok(()) => {}
                    // It is met again when what has come is taken.
                    Err(_) if filled > 0 => break,
                    Err(error) => return Err(error),
                },
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Hands encrypted bytes to TLS, and waits for some where there are none.
    fn decrypt_more(&mut self, until: Instant) -> io::Result<()> {
        if self.start == self.end {
            let time = until.saturating_duration_since(Instant::now()).max(WAIT_MIN);
            if !wait_readable(self.socket(), time)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let tcp = self.tls.get_ref().0.tcp();
            (self.start, self.end) = (0, receive_now(tcp.as_fd(), &mut self.incoming)?);
        }
        let session = self.tls.get_mut().1;
        let mut encrypted = &self.incoming[self.start..self.end];
        // Nothing at all is how TLS hears that the peer has ended.
        self.start += session.read_tls(&mut encrypted)?;
        session.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(())
    }
}
