//! The real servers: one set for the test process. Most start when the first test asks for
//! [`peers`]; those that take longer, or that only root can start, when a test asks for them.
//!
//! They are started by the scripts in `tests/peers` and stopped by the guard of this process.
//! On a machine without their packages a test is skipped and says so, unless
//! `OPENBITS_REQUIRE_PEERS=1` is set.

mod account;
mod asker;
mod bus;
mod desktop;
mod domain;
mod fault_proxy;
mod kdc;
mod name_server;
mod proxy;
mod requests;
mod server;
mod set;
mod wild;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use account::Account;
pub use asker::asker;
pub use bus::{Bus, Keyring};
pub use desktop::Desktop;
pub use domain::{Domain, SignIn};
pub use fault_proxy::FaultProxy;
pub use kdc::Kdc;
pub use name_server::NameServer;
pub use proxy::{Proxies, Proxy};
pub use requests::Request;
pub use server::Server;
pub use wild::Wild;

use set::{Absence, Lines, Set, or_skip, require};

/// The peers that start at once, in this order where one needs another.
const CHAINS: [&[&str]; 3] = [&["nginx"], &["kdc", "apache2"], &["lighttpd"]];

/// The peers of this process; `None` on a machine without their packages.
///
/// ```no_run
/// # fn a_test() {
/// let Some(peers) = bits_e2e::peers() else { return };
/// # }
/// ```
///
/// # Panics
/// When they cannot be started, or are missing where `OPENBITS_REQUIRE_PEERS=1` forbids that.
#[track_caller]
pub fn peers() -> Option<&'static Peers> {
    static PEERS: OnceLock<Result<Peers, Absence>> = OnceLock::new();
    or_skip("the peers", PEERS.get_or_init(Peers::start))
}

/// A new system bus with what a desktop has on it; `None` on a machine without its packages. It needs
/// none of the servers of [`peers`].
///
/// # Panics
/// As [`peers`] does.
#[track_caller]
pub fn desktop() -> Option<Desktop> {
    static CAN: OnceLock<Result<(), Absence>> = OnceLock::new();
    or_skip("the desktop", CAN.get_or_init(|| require("desktop")))?;
    Some(Desktop::start())
}

/// All servers of a set.
#[derive(Debug)]
pub struct Peers {
    /// Files with and without ranges, lengths, validators; redirects; TLS.
    pub nginx: Server,
    /// Basic, Digest (MD5), NTLM, Negotiate.
    pub apache: Server,
    /// Digest with SHA-256.
    pub lighttpd: Server,
    /// The KDC of Apache's realm.
    pub kdc: Kdc,
    /// Another KDC of that realm. By UDP it sends no ticket, but has its client come by TCP.
    pub kdc2: Kdc,
    set: Set,
    lines: Lines,
    proxies: OnceLock<Result<Proxies, Absence>>,
    wild: OnceLock<Result<Wild, Absence>>,
    domain: OnceLock<Result<Domain, Absence>>,
    name_server: OnceLock<Result<NameServer, Absence>>,
    bus: OnceLock<Result<(), Absence>>,
}

impl Peers {
    fn start() -> Result<Self, Absence> {
        let (set, lines) = Set::start("peers", &CHAINS)?;
        Ok(Self {
            nginx: Server::new(&lines, "NGINX"),
            apache: Server::new(&lines, "APACHE"),
            lighttpd: Server::new(&lines, "LIGHTTPD"),
            kdc: Kdc::new(&lines, "KDC"),
            kdc2: Kdc::new(&lines, "KDC2"),
            set,
            lines,
            proxies: OnceLock::new(),
            wild: OnceLock::new(),
            domain: OnceLock::new(),
            name_server: OnceLock::new(),
            bus: OnceLock::new(),
        })
    }

    /// The proxies that ask for no directory, started when the first test asks for them; `None` on
    /// a machine without their packages.
    ///
    /// # Panics
    /// As [`peers`] does.
    #[track_caller]
    pub fn proxies(&self) -> Option<&Proxies> {
        let start = || self.set.add("proxy", &["squid"]).map(|lines| Proxies::new(&lines));
        or_skip("squid", self.proxies.get_or_init(start))
    }

    /// nginx, Apache and a caching squid as the world has them, started when the first test asks for
    /// them; `None` on a machine without their packages.
    ///
    /// # Panics
    /// As [`peers`] does.
    #[track_caller]
    pub fn wild(&self) -> Option<&Wild> {
        let start = || self.set.add("proxy", &["wild"]).map(|lines| Wild::new(&lines));
        or_skip("nginx, Apache and squid", self.wild.get_or_init(start))
    }

    /// The domain and the servers and proxies that ask it, started when the first test asks for
    /// them; `None` on a machine without their packages, or if this process is not root's.
    ///
    /// # Panics
    /// As [`peers`] does.
    #[track_caller]
    pub fn domain(&self) -> Option<&Domain> {
        let chain = ["samba-ad", "apache2 --ad", "squid --ad"];
        let start = || self.set.add_as_root("ad", &chain).map(Domain::new);
        or_skip("the domain", self.domain.get_or_init(start))
    }

    /// The name server, started when the first test asks for it; `None` on a machine without its
    /// package, or if this process is not root's.
    ///
    /// # Panics
    /// As [`peers`] does.
    #[track_caller]
    pub fn name_server(&self) -> Option<&NameServer> {
        let start = || self.set.add_as_root("dns", &["dns"]).map(NameServer::new);
        or_skip("the name server", self.name_server.get_or_init(start))
    }

    /// A new session bus; `None` on a machine without its packages.
    ///
    /// # Panics
    /// As [`peers`] does.
    #[track_caller]
    pub fn bus(&self, keyring: Keyring) -> Option<Bus> {
        or_skip("the bus", self.bus.get_or_init(|| require("bus")))?;
        Some(Bus::start(&self.set.folder, keyring))
    }

    /// A line that a script of the peers that start at once has printed, by its name:
    /// `NGINX_TLS_EXPIRED_URL`.
    ///
    /// # Panics
    /// When none has.
    #[track_caller]
    pub fn line(&self, name: &str) -> &str {
        self.lines.get(name)
    }

    /// The certificate of the throw-away CA, as PEM.
    pub fn ca(&self) -> &Path {
        Path::new(self.line("PEERS_CA"))
    }

    /// A file of the clients' certificates, for `NGINX_MTLS_URL`; passwords are `secret`.
    ///
    /// `alice.pem` and `.key`, `alice-encrypted.key`, `alice.p12`, `alice-3des.p12` (as older
    /// systems write them), `bob.pem` and `.key` (RSA), `mallory.pem` and `.key` (revoked),
    /// `expired.pem` and `.key`.
    pub fn client_file(&self, name: &str) -> PathBuf {
        Path::new(self.line("PEERS_CLIENTS")).join(name)
    }

    /// The URL of `target` at nginx over TLS, by a name that nobody else uses and only the proxies
    /// know, so that tunnels to it can be counted while other tests run; and the `HOST:PORT` to
    /// look for in the proxy's log. A test process has 100 of them.
    #[track_caller]
    pub fn tunnelled(&self, target: &str) -> (String, String) {
        self.tunnelled_to(self.line("NGINX_TLS_URL"), target)
    }

    /// The same at any server with TLS that the peers' authority vouches for, by its URL.
    #[track_caller]
    pub fn tunnelled_to(&self, server: &str, target: &str) -> (String, String) {
        let url = proxy::by_unique_name(server);
        let host = url.trim_start_matches("https://").to_owned();
        (format!("{url}{target}"), host)
    }

    /// A proxy with `faults` in front of `server`; see `tests/peers/faultproxy.py --help`.
    #[track_caller]
    pub fn faulty(&self, server: &Server, faults: &[&str]) -> FaultProxy {
        self.faulty_address(server.address(), faults)
    }

    /// The same in front of any `HOST:PORT`, such as the KDC's.
    #[track_caller]
    pub fn faulty_address(&self, address: &str, faults: &[&str]) -> FaultProxy {
        FaultProxy::start(&self.set.folder, address, faults)
    }
}
