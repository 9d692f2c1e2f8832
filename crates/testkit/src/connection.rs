//! One connection: requests in, answers out, as slowly and as badly as they say.
//!
//! Everything that may last looks now and then whether the origin is being stopped.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::answer::{Answer, Piece, Then};
use crate::asked::Request;
use crate::content::pieces;
use crate::http2::{self, ALPN, is_offered};

/// How often something that lasts looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes the head of a request may have; a Kerberos token fits.
const HEAD_BYTES_MAX: usize = 128 * 1024;
/// How long is waited for the other side to close after we have, so that it reads all we said.
const LINGER: Duration = Duration::from_secs(2);

/// A connection, secure or not.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

/// Serves `socket` until one side is done with it: every request goes to `answer`.
pub(crate) fn serve(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    stopping: &AtomicBool,
    answer: impl Fn(Request) -> Answer,
) -> io::Result<()> {
    socket.set_read_timeout(Some(LOOK))?;
    socket.set_write_timeout(Some(LOOK))?;
    socket.set_nodelay(true)?;
    if let Some(config) = tls.as_ref().filter(|config| config.alpn_protocols.iter().any(|name| name == ALPN))
        && is_offered(&socket, stopping)?
    {
        return http2::serve(socket, Arc::clone(config), stopping, answer);
    }
    let is_tls = tls.is_some();
    let stream = match tls {
        None => Stream::Plain(socket),
        Some(config) => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            Stream::Tls(Box::new(StreamOwned::new(session, socket)))
        }
    };
    let mut line = Line { stream, stopping, ahead: Vec::new() };
    while let Some(head) = line.head()? {
        let Some(request) = Request::parse(&head, is_tls) else {
            return line.end(Then::Close);
        };
        let is_head = request.method == "HEAD";
        let answer = answer(request);
        for piece in &answer.before {
            line.send(piece, answer.pace)?;
        }
        line.write(&answer.head_bytes())?;
        for piece in answer.body.iter().filter(|_| !is_head) {
            line.send(piece, answer.pace)?;
        }
        if answer.then != Then::Keep {
            return line.end(answer.then);
        }
    }
    Ok(())
}

/// A connection that can be given up.
struct Line<'a> {
    stream: Stream,
    stopping: &'a AtomicBool,
    /// Came and not yet used.
    ahead: Vec<u8>,
}

impl Line<'_> {
    /// The head of the next request, if there is one.
    fn head(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
                self.ahead.drain(..end + 4);
                return Ok(Some(head));
            }
            if self.ahead.len() > HEAD_BYTES_MAX || self.read()? == 0 {
                return Ok(None);
            }
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut piece = [0; 8192];
        loop {
            let read = match &mut self.stream {
                Stream::Plain(socket) => socket.read(&mut piece),
                Stream::Tls(stream) => stream.read(&mut piece),
            };
            match read {
                Err(error) if is_pause(&error) => self.look()?,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
                Ok(count) => {
                    self.ahead.extend_from_slice(&piece[..count]);
                    return Ok(count);
                }
            }
        }
    }

    fn send(&mut self, piece: &Piece, pace: Duration) -> io::Result<()> {
        match piece {
            Piece::Bytes(bytes) => self.write(bytes),
            Piece::Content(content, range) => pieces(range.clone()).try_for_each(|part| {
                self.write(&content.part(part))?;
                self.pause(pace)
            }),
            Piece::Again { bytes, times } => (0..*times).try_for_each(|_| self.write(bytes)),
            Piece::Slowly { bytes, at_once, every } => {
                for part in bytes.chunks(*at_once) {
                    self.write(part)?;
                    self.pause(*every)?;
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = match &mut self.stream {
                Stream::Plain(socket) => socket.write(bytes),
                Stream::Tls(stream) => stream.write(bytes),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_pause(&error) => self.look()?,
                Err(error) => return Err(error),
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let Stream::Tls(stream) = &mut self.stream else { return Ok(()) };
        while stream.conn.wants_write() {
            match stream.conn.write_tls(&mut stream.sock) {
                Ok(_) => {}
                Err(error) if is_pause(&error) => {
                    if self.stopping.load(Ordering::Relaxed) {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end(mut self, then: Then) -> io::Result<()> {
        match then {
            Then::Keep => {}
            Then::Close => {
                if let Stream::Tls(stream) = &mut self.stream {
                    stream.conn.send_close_notify();
                }
                self.flush()?;
                self.close()?;
            }
            Then::HangUp => self.close()?,
            Then::Reset => set_socket_linger(self.stream.socket(), Some(Duration::ZERO))?,
            Then::Hold => while self.read()? > 0 {},
        }
        Ok(())
    }

    /// Says that nothing more comes, and lets the other side take what has been said: closing with
    /// bytes unread would tear the connection down.
    fn close(&mut self) -> io::Result<()> {
        self.stream.socket().shutdown(std::net::Shutdown::Write)?;
        let end = Instant::now() + LINGER;
        let mut waste = [0; 4096];
        while Instant::now() < end {
            let mut socket = self.stream.socket();
            match socket.read(&mut waste) {
                Ok(0) => break,
                Err(error) if !is_pause(&error) => break,
                _ => self.look()?,
            }
        }
        Ok(())
    }

    fn pause(&self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.look()?;
            thread::sleep(left.min(LOOK));
        }
        Ok(())
    }

    fn look(&self) -> io::Result<()> {
        if self.stopping.load(Ordering::Relaxed) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

/// Whether a time-out is all that happened.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
