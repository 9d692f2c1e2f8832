//! The origin as a whole: its ports, what it was asked, and what it served.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustls::ServerConfig;

use crate::answer::Answer;
use crate::asked::{Asked, Request};
use crate::certificates::{Authority, Certificate};
use crate::connection::serve;
use crate::content::Content;
use crate::http2::ALPN;
use crate::{faults, index_page};

/// An origin that misbehaves, on ports of this machine. Dropped, it is gone.
#[derive(Debug)]
pub struct UnkindOrigin {
    shared: Arc<Shared>,
    tls_ports: BTreeMap<Certificate, u16>,
    http2_port: u16,
    http2_only_port: u16,
    listening: Vec<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    stopping: AtomicBool,
    plain_port: u16,
    ca_pem: String,
    connections: AtomicU64,
    records: Mutex<Records>,
}

#[derive(Debug, Default)]
struct Records {
    /// How often each target was asked for.
    counts: BTreeMap<String, u64>,
    requests: Vec<Request>,
    served: BTreeMap<String, Vec<Content>>,
}

impl UnkindOrigin {
    /// Starts one on ports that the system chooses.
    ///
    /// # Panics
    /// When this machine has no ports left.
    pub fn start() -> Self {
        Self::start_at(0).expect("this machine has a free port")
    }

    /// Starts one on `port` and the ports behind it, one for plain HTTP, one for each kind of
    /// [`Certificate`], and two where HTTP/2 is spoken; 0 lets the system choose.
    ///
    /// # Errors
    /// When one of them is not free.
    pub fn start_at(port: u16) -> io::Result<Self> {
        let port = |place: u16| if port == 0 { 0 } else { port.saturating_add(place) };
        let listen = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let authority = Authority::new();
        let plain = listen(port(0))?;
        let shared = Arc::new(Shared {
            stopping: AtomicBool::new(false),
            plain_port: plain.local_addr()?.port(),
            ca_pem: authority.pem(),
            connections: AtomicU64::new(0),
            records: Mutex::default(),
        });
        let tls_ports = BTreeMap::new();
        let mut origin = Self { shared, tls_ports, http2_port: 0, http2_only_port: 0, listening: Vec::new() };
        origin.serve(plain, None);
        for (certificate, place) in Certificate::ALL.into_iter().zip(1..) {
            let listener = listen(port(place))?;
            origin.tls_ports.insert(certificate, listener.local_addr()?.port());
            origin.serve(listener, Some(authority.server(certificate)));
        }
        let good = authority.server(Certificate::Good);
        let behind = 1 + Certificate::ALL.len() as u16;
        let listen_for = |origin: &mut Self, place: u16, protocols: &[&[u8]]| {
            let listener = listen(port(behind + place))?;
            let mut config = ServerConfig::clone(&good);
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            let port = listener.local_addr()?.port();
            origin.serve(listener, Some(Arc::new(config)));
            io::Result::Ok(port)
        };
        origin.http2_port = listen_for(&mut origin, 0, &[ALPN, b"http/1.1"])?;
        origin.http2_only_port = listen_for(&mut origin, 1, &[ALPN])?;
        Ok(origin)
    }

    /// The URL of `target`, which begins with `/`, without TLS.
    pub fn url(&self, target: &str) -> String {
        format!("http://127.0.0.1:{}{target}", self.shared.plain_port)
    }

    /// The URL of `target` over TLS, where the server shows `certificate`.
    pub fn tls_url(&self, certificate: Certificate, target: &str) -> String {
        format!("https://localhost:{}{target}", self.tls_ports[&certificate])
    }

    /// The URL of `target` over TLS with a good certificate, where HTTP/2 is spoken, and HTTP/1.1.
    pub fn http2_url(&self, target: &str) -> String {
        format!("https://localhost:{}{target}", self.http2_port)
    }

    /// The same where nothing but HTTP/2 is spoken.
    pub fn http2_only_url(&self, target: &str) -> String {
        format!("https://localhost:{}{target}", self.http2_only_port)
    }

    /// The certificate of the authority to trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.shared.ca_pem
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// What was asked for under `target`; where it has an `id`, under every target with the same.
    pub fn requests(&self, target: &str) -> Vec<Request> {
        let key = key(target);
        let records = self.shared.records();
        records.requests.iter().filter(|request| self::key(&request.target) == key).cloned().collect()
    }

    /// The contents of which something was served under `target`, or targets with its `id`, each
    /// once, in the order in which they were served first.
    pub fn served(&self, target: &str) -> Vec<Content> {
        self.shared.records().served.get(key(target)).cloned().unwrap_or_default()
    }

    /// The content that is under `target` before it changes.
    pub fn first(&self, target: &str) -> Content {
        let request = Request { target: target.to_owned(), ..Request::default() };
        Asked { request, before: 0, plain_port: self.shared.plain_port }.content()
    }

    fn serve(&mut self, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
        let shared = Arc::clone(&self.shared);
        self.listening.push(thread::spawn(move || {
            for socket in listener.incoming() {
                if shared.stopping.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(socket) = socket else { continue };
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                thread::spawn(move || {
                    // A client that goes away is no trouble of ours.
                    let _ = serve(socket, tls, &shared.stopping, |request| shared.answer(request));
                });
            }
        }));
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        let others = [self.shared.plain_port, self.http2_port, self.http2_only_port];
        others.into_iter().chain(self.tls_ports.values().copied())
    }
}

impl Drop for UnkindOrigin {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for port in self.ports().collect::<Vec<_>>() {
            // Wakes whoever waits for the next connection.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        }
        for listening in self.listening.drain(..) {
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn answer(&self, request: Request) -> Answer {
        match request.target.as_str() {
            "/" => return Answer::page(index_page::page()),
            "/ca.pem" => {
                let pem = self.ca_pem.clone();
                return Answer::page(pem).with("Content-Type", "application/x-pem-file");
            }
            _ => {}
        }
        let mut records = self.records();
        let before = records.counts.entry(request.target.clone()).or_default();
        let asked = Asked { request: request.clone(), before: *before, plain_port: self.plain_port };
        *before += 1;
        let answer = faults::answer(&asked);
        if let Some(content) = answer.content {
            let served = records.served.entry(key(&request.target).to_owned()).or_default();
            if !served.contains(&content) {
                served.push(content);
            }
        }
        records.requests.push(request);
        answer
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under what a request is recorded.
fn key(target: &str) -> &str {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').find(|pair| pair.starts_with("id=")).unwrap_or(target)
}
