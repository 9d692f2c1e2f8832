//! Requests over a connection that is kept where the other side keeps it: as little as a program needs that
//! counts what they cost. The service ends those that have brought it a secret.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Read at a time; an answer about one job comes at once.
const PIECE: usize = 8 << 10;

/// A connection to a service, or to another program.
pub(crate) struct Connection {
    place: Place,
    /// None when the other side has ended the last one.
    stream: Option<Stream>,
    /// What has come of the answer.
    answer: Vec<u8>,
}

/// Where it leads.
enum Place {
    Socket(PathBuf),
    Address(SocketAddr),
}

impl Place {
    fn connect(&self) -> Result<Stream, String> {
        match self {
            Self::Socket(path) => {
                let failed = |error: std::io::Error| format!("{}: {error}", path.display());
                let stream = UnixStream::connect(path).map_err(failed)?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                Ok(Stream::Socket(stream))
            }
            Self::Address(address) => {
                let failed = |error: std::io::Error| format!("{address}: {error}");
                let stream = TcpStream::connect(address).map_err(failed)?;
                let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
                set.map_err(failed)?;
                Ok(Stream::Address(stream))
            }
        }
    }
}

enum Stream {
    Socket(UnixStream),
    Address(TcpStream),
}

impl Stream {
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Socket(stream) => stream.write_all(bytes),
            Self::Address(stream) => stream.write_all(bytes),
        }
    }

    /// More of the answer, which must come.
    fn read(&mut self, answer: &mut Vec<u8>) -> std::io::Result<()> {
        let (known, room) = (answer.len(), PIECE.max(answer.capacity() - answer.len()));
        answer.resize(known + room, 0);
        let count = match self {
            Self::Socket(stream) => stream.read(&mut answer[known..]),
            Self::Address(stream) => stream.read(&mut answer[known..]),
        };
        answer.truncate(known + *count.as_ref().unwrap_or(&0));
        if count? == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// What the head of an answer says, of which `length` bytes are the head.
struct Head {
    length: usize,
    is_success: bool,
    body: usize,
    is_kept: bool,
}

impl Head {
    /// None when it has not come to its end.
    fn of(answer: &[u8]) -> Option<Result<Self, String>> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&answer[..end]);
        let mut head = Self { length: end + 4, is_success: false, body: 0, is_kept: true };
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("");
        head.is_success = status.starts_with('2');
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                match value.trim().parse() {
                    Ok(length) => head.body = length,
                    Err(_) => return Some(Err(format!("a length of {value}"))),
                }
            }
            head.is_kept &= !(name.eq_ignore_ascii_case("connection") && value.trim() == "close");
        }
        Some(Ok(head))
    }
}

impl Connection {
    pub(crate) fn to_socket(path: &Path) -> Result<Self, String> {
        Self::to(Place::Socket(path.into()))
    }

    pub(crate) fn to_address(address: SocketAddr) -> Result<Self, String> {
        Self::to(Place::Address(address))
    }

    fn to(place: Place) -> Result<Self, String> {
        let stream = Some(place.connect()?);
        Ok(Self { place, stream, answer: Vec::with_capacity(PIECE) })
    }

    /// The body of the answer, which must be one of success.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<String, String> {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let failed = |error: std::io::Error| format!("{method} {path}: {error}");
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.place.connect()?,
        };
        stream.write_all(request.as_bytes()).map_err(failed)?;
        self.answer.clear();
        let head = loop {
            stream.read(&mut self.answer).map_err(failed)?;
            if let Some(head) = Head::of(&self.answer) {
                break head.map_err(|wrong| format!("{method} {path}: {wrong}"))?;
            }
        };
        while self.answer.len() < head.length + head.body {
            stream.read(&mut self.answer).map_err(failed)?;
        }
        self.stream = head.is_kept.then_some(stream);
        let body = String::from_utf8_lossy(&self.answer[head.length..]).into_owned();
        match head.is_success {
            true => Ok(body),
            false => {
                let status = String::from_utf8_lossy(&self.answer[..head.length]);
                Err(format!("{method} {path}: {}: {body}", status.lines().next().unwrap_or("")))
            }
        }
    }
}
