//! The server everything is fetched from: one file, sent as fast as the reader takes it.
//!
//! It runs in threads of this process, so its cost is in nobody's figures. It honours `Range`, as
//! a server must to be fair to tools that ask for it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Bytes written to a socket at a time.
const CHUNK: usize = 1 << 20;
/// The small file is so long.
pub(crate) const SMALL: u64 = 1024;

/// The server.
#[derive(Debug)]
pub(crate) struct Origin {
    address: SocketAddr,
}

impl Origin {
    pub(crate) fn start(size: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A reader that goes away ends its own connection and nothing else.
                thread::spawn(move || drop(serve(&stream, size)));
            }
        });
        Ok(Self { address })
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(stream: &TcpStream, size: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream).lines();
    let mut writer = stream;
    while let Some(request) = lines.next().transpose()? {
        let mut range = None;
        loop {
            let Some(line) = lines.next().transpose()? else { return Ok(()) };
            if line.is_empty() {
                break;
            }
            let line = line.to_ascii_lowercase();
            range = line.strip_prefix("range: bytes=").map(str::to_owned).or(range);
        }
        let size = if request.contains("/small") { SMALL } else { size };
        let asked = range.as_deref().and_then(|range| range.split_once('-'));
        let first = asked.and_then(|(first, _)| first.parse().ok()).unwrap_or(0_u64).min(size);
        let end =
            asked.and_then(|(_, last)| last.parse().ok()).map_or(size, |last: u64| (last + 1).min(size));
        let status = match range {
            Some(_) => format!("206 Partial Content\r\nContent-Range: bytes {first}-{}/{size}", end - 1),
            None => "200 OK".to_owned(),
        };
        write!(
            writer,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: application/octet-stream\r\n\
             Accept-Ranges: bytes\r\nETag: \"one\"\r\nLast-Modified: Mon, 23 Nov 2026 06:00:00 GMT\r\n\r\n",
            end - first
        )?;
        if !request.starts_with("HEAD") {
            let chunk = vec![b'x'; CHUNK];
            let mut left = end - first;
            while left > 0 {
                let part = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
                writer.write_all(&chunk[..part])?;
                left -= part as u64;
            }
        }
    }
    Ok(())
}
