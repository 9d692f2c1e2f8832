//! The real servers: one set for the test process, started when the first test asks for it.
//!
//! They are started by the scripts in `tests/peers` and stopped by the guard of this process.
//! On a machine without their packages a test is skipped and says so, unless
//! `OPENBITS_REQUIRE_PEERS=1` is set.

mod requests;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

pub use requests::Request;

use crate::ground::{ground, make_folder, scripts};
use crate::run::Run;

/// What the ports of a set are moved by. The scripts' defaults leave room for ten.
const SHIFTS: std::ops::Range<u16> = 0..10;
const PORTS_PER_SHIFT: u16 = 10;

/// The scripts' exit code when a port is taken, by whoever else.
const PORT_TAKEN: i32 = 75;

/// The peers, which start in this order where one needs another.
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
    match PEERS.get_or_init(Peers::start) {
        Ok(peers) => Some(peers),
        Err(Absence::NoPackages(names)) => {
            let what = format!(
                "the packages of the peers are missing ({}); tests/peers/install brings them",
                names.join(" ")
            );
            assert!(std::env::var_os("OPENBITS_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{what}");
            let thread = thread::current();
            // Not eprintln!, which the test runner keeps to itself when a test succeeds.
            let _ = writeln!(std::io::stderr(), "skipped: {}: {what}", thread.name().unwrap_or("a test"));
            None
        }
        Err(Absence::Failed(why)) => panic!("the peers do not start: {why}"),
    }
}

/// Why there are no peers.
#[derive(Debug)]
enum Absence {
    NoPackages(Vec<String>),
    Failed(String),
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
    folder: PathBuf,
    lines: BTreeMap<String, String>,
    /// Keeps the ports from other test processes, which ask for the same name.
    _claim: UnixListener,
}

impl Peers {
    fn start() -> Result<Self, Absence> {
        let missing = Run::new(scripts().join("install")).arg("--missing").finish();
        if missing.code != Some(0) {
            return Err(Absence::Failed(missing.to_string()));
        }
        if !missing.stdout.trim().is_empty() {
            return Err(Absence::NoPackages(missing.stdout.lines().map(str::to_owned).collect()));
        }
        let folder = ground().join("peers");
        make_folder(&folder, 0o711);
        for shift in SHIFTS.map(|place| place * PORTS_PER_SHIFT) {
            let Some(claim) = claim(shift) else { continue };
            let Some(lines) = start_all(&folder, shift)? else { continue };
            return Ok(Self {
                nginx: Server::new(&lines, "NGINX"),
                apache: Server::new(&lines, "APACHE"),
                lighttpd: Server::new(&lines, "LIGHTTPD"),
                kdc: Kdc::new(&lines),
                folder,
                lines,
                _claim: claim,
            });
        }
        Err(Absence::Failed("all their ports are taken, by up to ten other sets of peers".to_owned()))
    }

    /// A line that a peer's script has printed, by its name: `NGINX_TLS_EXPIRED_URL`.
    ///
    /// # Panics
    /// When none has.
    #[track_caller]
    pub fn line(&self, name: &str) -> &str {
        line(&self.lines, name)
    }

    /// The certificate of the throw-away CA, as PEM.
    pub fn ca(&self) -> &Path {
        Path::new(self.line("PEERS_CA"))
    }

    /// A proxy with `faults` in front of `server`; see `tests/peers/faultproxy.py --help`.
    #[track_caller]
    pub fn faulty(&self, server: &Server, faults: &[&str]) -> FaultProxy {
        self.faulty_address(server.address(), faults)
    }

    /// The same in front of any `HOST:PORT`, such as the KDC's.
    #[track_caller]
    pub fn faulty_address(&self, address: &str, faults: &[&str]) -> FaultProxy {
        static PROXIES: AtomicU32 = AtomicU32::new(0);
        let name = format!("faultproxy{}", PROXIES.fetch_add(1, Ordering::Relaxed));
        let started = Run::new(scripts().join("faultproxy"))
            .arg(&self.folder)
            .args(["--name", &name, "--to", address])
            .args(faults)
            .env("FAULTPROXY_PORT", "0")
            .finish()
            .expect_code(0);
        let lines = parse(&started.stdout);
        FaultProxy {
            url: line(&lines, "FAULTPROXY_URL").to_owned(),
            address: line(&lines, "FAULTPROXY_ADDRESS").to_owned(),
            name,
            folder: self.folder.clone(),
        }
    }
}

/// An HTTP server among the peers.
#[derive(Debug)]
pub struct Server {
    url: String,
    address: String,
    files: PathBuf,
    log: PathBuf,
}

impl Server {
    fn new(lines: &BTreeMap<String, String>, prefix: &str) -> Self {
        let get = |name: &str| line(lines, &format!("{prefix}_{name}"));
        let url = get("URL");
        let port = url.rsplit(':').next().expect("a text has a last part");
        Self {
            url: url.to_owned(),
            address: format!("127.0.0.1:{port}"),
            files: get("FILES").into(),
            log: get("LOG").into(),
        }
    }

    /// The URL of `target`, a path with or without a query, over plain HTTP.
    pub fn url(&self, target: &str) -> String {
        format!("{}{target}", self.url)
    }

    /// Where it listens for plain HTTP, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A target for the file at `path` that nobody else asks for, so that requests for it can
    /// be counted while other tests run.
    pub fn unique(&self, path: &str) -> String {
        static TARGETS: AtomicU32 = AtomicU32::new(0);
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}n={}", TARGETS.fetch_add(1, Ordering::Relaxed))
    }

    /// One of the files it has in each of its locations.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// The requests for `target` that are over, from its own log, oldest first.
    ///
    /// With a query, `target` is meant exactly; without, with any query. A request whose answer
    /// its client has read to the end is there; one still under way is not.
    #[track_caller]
    pub fn requests(&self, target: &str) -> Vec<Request> {
        requests::of(&self.log, &self.address, target)
    }
}

/// The KDC.
#[derive(Debug)]
pub struct Kdc {
    realm: String,
    address: String,
    config: PathBuf,
    profile: PathBuf,
    log: PathBuf,
}

impl Kdc {
    fn new(lines: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| line(lines, &format!("KDC_{name}"));
        Self {
            realm: get("REALM").to_owned(),
            address: get("ADDRESS").to_owned(),
            config: get("KRB5_CONFIG").into(),
            profile: get("PROFILE").into(),
            log: get("LOG").into(),
        }
    }

    /// Its realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Where it listens, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A client's `KRB5_CONFIG`.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The text of a client's configuration that looks for the KDC at another `address`, such as
    /// a faulty proxy's or one where nobody listens.
    #[track_caller]
    pub fn config_with(&self, address: &str) -> String {
        let text = fs::read_to_string(&self.config).expect("the KDC's script wrote it");
        text.replace(&self.address, address)
    }

    /// Adds a user nobody else signs in as, so that attempts can be counted while other tests
    /// run; returns its name.
    #[track_caller]
    pub fn add_user(&self, password: &str) -> String {
        static USERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("user{}", USERS.fetch_add(1, Ordering::Relaxed));
        Run::new("kadmin.local")
            .args(["-r", &self.realm, "addprinc", "+requires_preauth", "-pw", password, &name])
            .env("KRB5_CONFIG", &self.config)
            .env("KRB5_KDC_PROFILE", &self.profile)
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
            .finish()
            .expect_code(0);
        name
    }

    /// The lines of its log that have `text` in them, oldest first. It writes before it answers.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

/// A faulty proxy. Dropped, it is stopped.
#[derive(Debug)]
pub struct FaultProxy {
    url: String,
    address: String,
    name: String,
    folder: PathBuf,
}

impl FaultProxy {
    /// The URL of `target` by way of it.
    pub fn url(&self, target: &str) -> String {
        format!("{}{target}", self.url)
    }

    /// Where it listens, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        Run::new(scripts().join("stop")).arg("--rm").arg(&self.folder).arg(&self.name).finish();
    }
}

/// Takes hold of the ports moved by `shift`, unless another test process has. The system lets go
/// of it when this process ends.
fn claim(shift: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("openbits-peers-{shift}"));
    UnixListener::bind_addr(&name.expect("a short name is a name")).ok()
}

/// Starts all peers; `None` when a port is taken, and then none of them runs.
fn start_all(folder: &Path, shift: u16) -> Result<Option<BTreeMap<String, String>>, Absence> {
    let chains = CHAINS.map(|chain| {
        let folder = folder.to_owned();
        thread::spawn(move || start_chain(chain, &folder, shift))
    });
    let mut lines = Some(BTreeMap::new());
    for chain in chains.map(|chain| chain.join().expect("a script that hangs has told so")) {
        lines = chain?.zip(lines).map(|(new, mut lines)| {
            lines.extend(new);
            lines
        });
    }
    if lines.is_none() {
        Run::new(scripts().join("stop")).arg(folder).finish();
    }
    Ok(lines)
}

/// Starts peers one after the other.
fn start_chain(
    chain: &[&str],
    folder: &Path,
    shift: u16,
) -> Result<Option<BTreeMap<String, String>>, Absence> {
    let mut lines = BTreeMap::new();
    for peer in chain {
        let started =
            Run::new(scripts().join(peer)).arg(folder).env("PEERS_SHIFT", shift.to_string()).finish();
        match started.code {
            Some(0) => lines.extend(parse(&started.stdout)),
            Some(PORT_TAKEN) => return Ok(None),
            _ => return Err(Absence::Failed(started.to_string())),
        }
    }
    Ok(Some(lines))
}

/// The `NAME=value` lines of a script.
fn parse(printed: &str) -> BTreeMap<String, String> {
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[track_caller]
fn line<'a>(lines: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    lines.get(name).unwrap_or_else(|| panic!("no peer has printed {name}"))
}
