//! Requests over a connection that is kept where the other side keeps it: as little as a program needs that
//! counts what they cost. The service ends those that have brought it a secret.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a service, or to another program.
pub(crate) struct Connection {
    place: Place,
    /// None when the other side has ended the last one.
    stream: Option<BufReader<Box<dyn Both>>>,
}

/// Where it leads.
enum Place {
    Socket(PathBuf),
    Address(SocketAddr),
}

impl Place {
    fn connect(&self) -> Result<BufReader<Box<dyn Both>>, String> {
        Ok(BufReader::new(match self {
            Self::Socket(path) => {
                let failed = |error: std::io::Error| format!("{}: {error}", path.display());
                let stream = UnixStream::connect(path).map_err(failed)?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                Box::new(stream)
            }
            Self::Address(address) => {
                let failed = |error: std::io::Error| format!("{address}: {error}");
                let stream = TcpStream::connect(address).map_err(failed)?;
                let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
                set.map_err(failed)?;
                Box::new(stream)
            }
        }))
    }
}

trait Both: Read + Write + Send {}

impl<T: Read + Write + Send> Both for T {}

impl Connection {
    pub(crate) fn to_socket(path: &Path) -> Result<Self, String> {
        Self::to(Place::Socket(path.into()))
    }

    pub(crate) fn to_address(address: SocketAddr) -> Result<Self, String> {
        Self::to(Place::Address(address))
    }

    fn to(place: Place) -> Result<Self, String> {
        let stream = Some(place.connect()?);
        Ok(Self { place, stream })
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
        stream.get_mut().write_all(request.as_bytes()).map_err(failed)?;
        let mut line = String::new();
        stream.read_line(&mut line).map_err(failed)?;
        let status = line.split(' ').nth(1).unwrap_or("").to_owned();
        let (mut length, mut is_kept) = (0, true);
        loop {
            line.clear();
            if stream.read_line(&mut line).map_err(failed)? == 0 || line == "\r\n" {
                break;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| format!("{method} {path}: {line}"))?;
            }
            is_kept &= !(name.eq_ignore_ascii_case("connection") && value.trim() == "close");
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).map_err(failed)?;
        self.stream = is_kept.then_some(stream);
        let body = String::from_utf8_lossy(&body).into_owned();
        match status.starts_with('2') {
            true => Ok(body),
            false => Err(format!("{method} {path}: {status}: {body}")),
        }
    }
}
