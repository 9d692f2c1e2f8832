//! Requests over a connection that is kept: as little as a program needs that counts what they cost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a service, or to another program.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Both>>,
}

trait Both: Read + Write + Send {}

impl<T: Read + Write + Send> Both for T {}

impl Connection {
    pub(crate) fn to_socket(path: &Path) -> Result<Self, String> {
        let stream = UnixStream::connect(path).map_err(|error| format!("{}: {error}", path.display()))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    pub(crate) fn to_address(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        set.map_err(|error| error.to_string())?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// The body of the answer, which must be one of success.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<String, String> {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let failed = |error: std::io::Error| format!("{method} {path}: {error}");
        self.stream.get_mut().write_all(request.as_bytes()).map_err(failed)?;
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(failed)?;
        let status = line.split(' ').nth(1).unwrap_or("").to_owned();
        let mut length = 0;
        loop {
            line.clear();
            if self.stream.read_line(&mut line).map_err(failed)? == 0 || line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(|_| format!("{method} {path}: {line}"))?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(failed)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        match status.starts_with('2') {
            true => Ok(body),
            false => Err(format!("{method} {path}: {status}: {body}")),
        }
    }
}
