//! The server everything is fetched from: a few files, sent as fast as the reader takes them.
//!
//! It runs in threads of this process, so its cost is in nobody's figures. It honours `Range`, as
//! a server must to be fair to tools that ask for it. Over TLS it shows a certificate that the tests
//! of the worker have, and speaks TLS 1.3 alone.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Bytes written to a socket at a time.
const CHUNK: usize = 1 << 20;
/// What files consist of.
pub(crate) const BYTE: u8 = b'x';
/// The small file is so long.
const SMALL: u64 = 1024;
/// Each of the many files is so long.
pub(crate) const TINY: u64 = 4096;

/// The server.
#[derive(Debug)]
pub(crate) struct Origin {
    address: SocketAddr,
    secure_port: u16,
}

impl Origin {
    /// Serves a large file of `size` bytes, and small ones.
    pub(crate) fn start(size: u64) -> io::Result<Self> {
        let address = listen(move |stream| {
            let reader = stream.try_clone()?;
            serve(BufReader::new(reader), stream, size)
        })?;
        let config = Arc::new(secure_config().map_err(io::Error::other)?);
        let secure = listen(move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = BufReader::new(StreamOwned::new(session, stream));
            let mut request = Vec::new();
            // One request for each connection: reading and writing share the session.
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                request.push(byte[0]);
            }
            serve(&request[..], stream.into_inner(), size)
        })?;
        Ok(Self { address, secure_port: secure.port() })
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The same over TLS.
    pub(crate) fn secure_url(&self, name: &str) -> String {
        format!("https://localhost:{}/{name}", self.secure_port)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn secure_port(&self) -> u16 {
        self.secure_port
    }
}

/// The authority of the certificate that is shown.
pub(crate) fn authority() -> PathBuf {
    certificate("authority.pem")
}

fn certificate(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/worker/tests/it/certificates")).join(name)
}

fn secure_config() -> Result<ServerConfig, String> {
    let chain =
        CertificateDer::from_pem_file(certificate("server.pem")).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_file(certificate("server.key")).map_err(|error| error.to_string())?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![chain], key))
        .map_err(|error| error.to_string())
}

fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            // A reader that goes away ends its own connection and nothing else.
            thread::spawn(move || drop(stream.set_nodelay(true).and_then(|()| serve(stream))));
        }
    });
    Ok(address)
}

fn serve(reader: impl BufRead, mut writer: impl Write, size: u64) -> io::Result<()> {
    let mut lines = reader.lines();
    let chunk = vec![BYTE; CHUNK];
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
        let size = match () {
            () if request.contains("/small") => SMALL,
            () if request.contains("/tiny/") => TINY,
            () => size,
        };
        let asked = range.as_deref().and_then(|range| range.split_once('-'));
        let first = asked.and_then(|(first, _)| first.parse().ok()).unwrap_or(0_u64).min(size);
        let end =
            asked.and_then(|(_, last)| last.parse().ok()).map_or(size, |last: u64| (last + 1).min(size));
        let status = match range {
            Some(_) => format!("206 Partial Content\r\nContent-Range: bytes {first}-{}/{size}", end - 1),
            None => "200 OK".to_owned(),
        };
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: application/octet-stream\r\n\
             Accept-Ranges: bytes\r\nETag: \"one\"\r\nLast-Modified: Mon, 23 Nov 2026 06:00:00 GMT\r\n\r\n",
            end - first
        )
        .into_bytes();
        if request.starts_with("HEAD") {
            writer.write_all(&answer)?;
            continue;
        }
        let mut left = end - first;
        // Head and small file in one packet, as servers do.
        let with_head = usize::try_from(left.min(TINY)).expect("it is small");
        answer.extend_from_slice(&chunk[..with_head]);
        left -= with_head as u64;
        writer.write_all(&answer)?;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            writer.write_all(&chunk[..part])?;
            left -= part as u64;
        }
        writer.flush()?;
    }
    Ok(())
}
