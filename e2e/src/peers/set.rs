//! Starting peers: their scripts, their ports, and why there may be none.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::ground::{ground, make_folder, scripts};
use crate::run::Run;

/// What the ports of a set are moved by. The scripts' defaults leave room for ten.
const SHIFTS: std::ops::Range<u16> = 0..10;
const PORTS_PER_SHIFT: u16 = 10;

/// The scripts' exit code when a port is taken, by whoever else.
const PORT_TAKEN: i32 = 75;

/// How long a peer may take to start. A new domain takes six seconds, and minutes on a machine
/// that is busy with several.
const START_DEADLINE: Duration = Duration::from_secs(300);

/// Why there are no peers.
#[derive(Debug)]
pub(super) enum Absence {
    NoPackages(Vec<String>),
    NotRoot,
    /// What is in no Debian package, and why it could not be had.
    NotBrought(String),
    Failed(String),
}

/// What has started, or `None` for a test that is to be skipped, which it says.
#[track_caller]
pub(super) fn or_skip<'a, T>(what: &str, started: &'a Result<T, Absence>) -> Option<&'a T> {
    let why = match started {
        Ok(started) => return Some(started),
        Err(Absence::NoPackages(names)) => {
            let names = names.join(" ");
            format!("the packages of {what} are missing ({names}); tests/peers/install brings them")
        }
        Err(Absence::NotRoot) => format!("only root can start {what}"),
        Err(Absence::NotBrought(why)) => format!("{what} could not be had: {}", why.trim()),
        Err(Absence::Failed(why)) => panic!("{what}: no start: {why}"),
    };
    assert!(std::env::var_os("OPENBITS_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{why}");
    let thread = thread::current();
    // Not eprintln!, which the test runner keeps to itself when a test succeeds.
    let _ = writeln!(std::io::stderr(), "skipped: {}: {why}", thread.name().unwrap_or("a test"));
    None
}

/// Where the peers of this process live, and what their ports are moved by.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) folder: PathBuf,
    shift: u16,
    /// Keep the ports from other test processes, which ask for the same names.
    claims: Mutex<Vec<UnixListener>>,
}

impl Set {
    /// A set, and `chains` of peers started in it, each peer of a chain after the one before.
    pub(super) fn start(group: &str, chains: &[&[&str]]) -> Result<(Self, Lines), Absence> {
        require(group)?;
        let folder = ground().join("peers");
        make_folder(&folder, 0o711);
        for shift in shifts() {
            let Some(claim) = claim(shift) else { continue };
            let Some(lines) = start_all(&folder, shift, chains)? else { continue };
            return Ok((Self { folder, shift, claims: Mutex::new(vec![claim]) }, lines));
        }
        Err(ports_taken())
    }

    /// More peers in the set, one after the other, with its ports or, if these are taken, others.
    pub(super) fn add(&self, group: &str, chain: &[&str]) -> Result<Lines, Absence> {
        require(group)?;
        if let Some(lines) = start_chain(&self.folder, self.shift, chain)? {
            return Ok(lines);
        }
        for shift in shifts() {
            let Some(claim) = claim(shift) else { continue };
            let Some(lines) = start_chain(&self.folder, shift, chain)? else { continue };
            self.claims.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
            return Ok(lines);
        }
        Err(ports_taken())
    }

    /// The same for peers that only root can start.
    pub(super) fn add_as_root(&self, group: &str, chain: &[&str]) -> Result<Lines, Absence> {
        if !rustix::process::geteuid().is_root() {
            return Err(Absence::NotRoot);
        }
        self.add(group, chain)
    }
}

/// The `NAME=value` lines that scripts have printed.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<String, String>);

impl Lines {
    pub(super) fn of(printed: &str) -> Self {
        let pairs = printed.lines().filter_map(|line| line.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[track_caller]
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no peer has printed {name}"))
    }
}

fn shifts() -> impl Iterator<Item = u16> {
    SHIFTS.map(|place| place * PORTS_PER_SHIFT)
}

fn ports_taken() -> Absence {
    Absence::Failed("all their ports are taken, by up to ten other sets of peers".to_owned())
}

/// Whether the packages of `group`, a word for `tests/peers/install`, are there.
pub(super) fn require(group: &str) -> Result<(), Absence> {
    let missing = Run::new(scripts().join("install")).args(["--missing", group]).finish();
    if missing.code != Some(0) {
        return Err(Absence::Failed(missing.to_string()));
    }
    if !missing.stdout.trim().is_empty() {
        return Err(Absence::NoPackages(missing.stdout.lines().map(str::to_owned).collect()));
    }
    Ok(())
}

/// Takes hold of the ports moved by `shift`, unless another test process has. The system lets go
/// of it when this process ends.
fn claim(shift: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("openbits-peers-{shift}"));
    UnixListener::bind_addr(&name.expect("a short name is a name")).ok()
}

/// Starts all chains side by side; `None` when a port is taken, and then none of them runs.
fn start_all(folder: &Path, shift: u16, chains: &[&[&str]]) -> Result<Option<Lines>, Absence> {
    let ends: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> =
            chains.iter().map(|chain| scope.spawn(|| start_chain(folder, shift, chain))).collect();
        started.into_iter().map(|chain| chain.join().expect("a script that hangs has told so")).collect()
    });
    let mut all = Some(Lines::default());
    for end in ends {
        all = end?.zip(all).map(|(new, mut lines)| {
            lines.0.extend(new.0);
            lines
        });
    }
    if all.is_none() {
        Run::new(scripts().join("stop")).arg(folder).finish();
    }
    Ok(all)
}

/// Starts peers one after the other. A peer is its script and maybe an option: `apache2 --ad`.
fn start_chain(folder: &Path, shift: u16, chain: &[&str]) -> Result<Option<Lines>, Absence> {
    let mut lines = Lines::default();
    for peer in chain {
        let mut words = peer.split(' ');
        let mut script = Run::new(scripts().join(words.next().expect("a text has a first part")))
            .args(words)
            .arg(folder)
            .env("PEERS_SHIFT", shift.to_string())
            .within(START_DEADLINE);
        if let Some(cache) = std::env::var_os("PEERS_CACHE") {
            script = script.env("PEERS_CACHE", cache);
        }
        let started = script.finish();
        match started.code {
            Some(0) => lines.0.extend(Lines::of(&started.stdout).0),
            Some(PORT_TAKEN) => return Ok(None),
            _ => return Err(Absence::Failed(started.to_string())),
        }
    }
    Ok(Some(lines))
}
