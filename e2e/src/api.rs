//! The service's socket as a program speaks to it: one request after the other, without a program
//! started for each. It knows HTTP/1.1 and nothing of the operations.
//!
//! Made for tests that ask a service which may be killed at any moment: an error says whether the
//! service can have heard the request.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take: one that takes this long does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that speaks to a service, over one connection as long as that is there.
#[derive(Debug)]
pub struct Api {
    socket: PathBuf,
    connection: Option<BufReader<UnixStream>>,
}

/// What the service said.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The code of a refusal.
    pub fn code(&self) -> Option<String> {
        self.json()["code"].as_str().map(str::to_owned)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Nobody was there: nothing can have come of it.
    NotHeard(io::Error),
    /// The connection ended: it may have been carried out, or not.
    Unknown(io::Error),
}

impl Api {
    /// One that speaks to the service at `socket`, which need not be there yet.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), connection: None }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Unanswered`]. The next request is made over a new connection.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Unanswered> {
        let mut connection = match self.connection.take().filter(is_open) {
            Some(connection) => connection,
            None => connect(&self.socket).map_err(Unanswered::NotHeard)?,
        };
        let (answer, stays) = speak(&mut connection, method, path, body).map_err(Unanswered::Unknown)?;
        self.connection = stays.then_some(connection);
        Ok(answer)
    }
}

fn connect(socket: &Path) -> io::Result<BufReader<UnixStream>> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// Whether the service has not hung up while nobody asked it anything.
fn is_open(connection: &BufReader<UnixStream>) -> bool {
    let stream = connection.get_ref();
    let looked = stream.set_nonblocking(true).and_then(|()| {
        let mut byte = [0];
        match rustix::net::recv(stream, &mut byte, rustix::net::RecvFlags::PEEK) {
            Ok(_) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(error.into()),
        }
    });
    stream.set_nonblocking(false).is_ok() && matches!(looked, Ok(true))
}

fn speak(
    connection: &mut BufReader<UnixStream>,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> io::Result<(Answer, bool)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: bits\r\n");
    if !body.is_empty() {
        request += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    request += &body;
    // An answer may come to a request that was not read to its end.
    let sent = connection.get_mut().write_all(request.as_bytes());
    let answer = read(connection);
    if sent.is_err() || answer.is_err() {
        let _ = connection.get_ref().shutdown(Shutdown::Both);
    }
    match (answer, sent) {
        (Ok((answer, stays)), sent) => Ok((answer, stays && sent.is_ok())),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

fn read(connection: &mut BufReader<UnixStream>) -> io::Result<(Answer, bool)> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        match connection.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let first = line()?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| bad(&first))?;
    let (mut length, mut stays) = (None, true);
    loop {
        let field = line()?.to_ascii_lowercase();
        match field.split_once(':') {
            None if field.is_empty() => break,
            None => return Err(bad(&field)),
            Some(("content-length", value)) => length = value.trim().parse::<usize>().ok(),
            Some(("connection", value)) => stays = value.trim() != "close",
            Some(_) => {}
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body.resize(length, 0);
            connection.read_exact(&mut body)?;
        }
        None if status == 204 => {}
        None => {
            stays = false;
            connection.read_to_end(&mut body)?;
        }
    }
    Ok((Answer { status, body }, stays))
}
