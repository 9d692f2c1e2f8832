//! The least a download can cost with ordinary calls: programs that do only what must be done.
//!
//! They are this program, started anew, so that their cost is counted like everybody's; over TLS it is
//! a program in C, since what is compared with there is OpenSSL's `SSL_read`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::contest::MANY;
use crate::service::quiet;

/// Bytes received and written at a time.
const BUFFER: usize = 256 << 10;
/// The arguments that make this program a floor.
const FLOOR: &str = "--floor";
const FLOOR_MANY: &str = "--floor-many";

/// Runs a floor, if this process was started to be one.
pub(crate) fn run(arguments: &[String]) -> Option<io::Result<()>> {
    match arguments {
        [flag, address, path] if flag == FLOOR => Some(large(address, Path::new(path))),
        [flag, address, path] if flag == FLOOR_MANY => Some(many(address, Path::new(path))),
        _ => None,
    }
}

/// Has a floor fetch the large file.
pub(crate) fn start(address: SocketAddr, file: &Path) -> Result<(), String> {
    quiet(this()?.arg(FLOOR).arg(address.to_string()).arg(file))
}

/// Has a floor fetch many files.
pub(crate) fn start_many(address: SocketAddr, folder: &Path) -> Result<(), String> {
    quiet(this()?.arg(FLOOR_MANY).arg(address.to_string()).arg(folder))
}

fn this() -> Result<Command, String> {
    std::env::current_exe().map(Command::new).map_err(|error| error.to_string())
}

/// Compiles the floor over TLS, where that is possible.
pub(crate) fn compile_tls(into: &Path) -> Option<PathBuf> {
    let program = into.join("tls_floor");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls_floor.c");
    let mut cc = Command::new("cc");
    cc.arg("-O2").arg("-o").arg(&program).arg(source).args(["-lssl", "-lcrypto"]);
    quiet(&mut cc).is_ok().then_some(program)
}

/// Receives a buffer, writes a buffer; syncs nothing.
fn large(address: &str, path: &Path) -> io::Result<()> {
    let mut connection = Connection::open(address)?;
    let mut left = connection.ask("/large", "close")?;
    let mut file = File::create(path)?;
    file.write_all(&connection.ahead)?;
    left -= connection.ahead.len();
    while left > 0 {
        let length = connection.stream.read(&mut connection.buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_all(&connection.buffer[..length])?;
        left -= length;
    }
    Ok(())
}

/// One connection; each file under a name of its own, then one sync of the disk for all of them, then
/// their names, then one sync of the folder: nothing appears that is not whole and on the disk.
fn many(address: &str, folder: &Path) -> io::Result<()> {
    let mut connection = Connection::open(address)?;
    for number in 0..MANY {
        let mut left = connection.ask(&format!("/tiny/{number}"), "keep-alive")?;
        let mut file = File::create(folder.join(format!(".{number}.part")))?;
        file.write_all(&connection.ahead)?;
        left -= connection.ahead.len();
        while left > 0 {
            let length = connection.stream.read(&mut connection.buffer[..left])?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_all(&connection.buffer[..length])?;
            left -= length;
        }
    }
    let opened = File::open(folder)?;
    rustix::fs::syncfs(&opened)?;
    for number in 0..MANY {
        std::fs::rename(folder.join(format!(".{number}.part")), folder.join(number.to_string()))?;
    }
    opened.sync_all()
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What came of the body together with the head.
    ahead: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(address)?, buffer: vec![0; BUFFER], ahead: Vec::new() })
    }

    /// Asks for `path`; says how long the body is.
    fn ask(&mut self, path: &str, connection: &str) -> io::Result<usize> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: floor\r\nConnection: {connection}\r\n\r\n");
        self.stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        let text = loop {
            let length = self.stream.read(&mut self.buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            head.extend_from_slice(&self.buffer[..length]);
            if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                self.ahead = head.split_off(at + 4);
                break String::from_utf8_lossy(&head).to_lowercase();
            }
        };
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        length.ok_or_else(|| io::Error::other("no length"))
    }
}
