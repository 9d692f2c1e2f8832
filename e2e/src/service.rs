//! A private world for one test: its own home, state, settings and sockets, the programs `bits`
//! and `bitsd` run in it, and the end of whatever still runs there.
//!
//! It knows the service as a person does, by its command line; the one exception is asking the
//! socket for the number of a process that must be ended.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::ground::{ground, make_folder};
use crate::process::Process;
use crate::programs::program;
use crate::run::{Run, Running};
use crate::until;

/// How long the service may take to answer, which it does at once on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a process may take to leave when it is asked to, before it is killed.
const LEAVING: Duration = Duration::from_secs(5);

/// How long the service itself may run; longer than any test.
const SERVICE_DEADLINE: Duration = Duration::from_secs(600);

/// How much of its log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// A world. Dropped, everything that runs in it is ended, and its folder removed.
#[derive(Debug)]
pub struct Service {
    folder: PathBuf,
}

impl Service {
    /// A new world, in which no service runs yet.
    #[expect(clippy::new_without_default, reason = "a world is made on purpose, and costs something")]
    pub fn new() -> Self {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let service = Self { folder: ground().join(format!("w{number}")) };
        make_folder(&service.folder, 0o711);
        for (name, mode) in [("home", 0o700), ("run", 0o700), ("files", 0o755), ("tmp", 0o700)] {
            make_folder(&service.folder.join(name), mode);
        }
        service
    }

    /// The folder of the world.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its programs run, and downloads go: `name` there.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join("files").join(name)
    }

    /// `XDG_STATE_HOME/bits`, where the service keeps its queue, secrets and log.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.join("state/bits")
    }

    /// `KRB5CCNAME`, where `kinit` puts tickets; there are none at first.
    pub fn ticket_cache(&self) -> PathBuf {
        self.folder.join("tickets")
    }

    /// `XDG_RUNTIME_DIR`, which exists from the start.
    pub fn runtime_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// The service's socket in its state folder.
    pub fn socket(&self) -> PathBuf {
        self.state_folder().join("bitsd.sock")
    }

    /// Writes the user's settings, `XDG_CONFIG_HOME/bits/config.toml`.
    #[track_caller]
    pub fn configure(&self, settings: &str) {
        let folder = self.folder.join("config/bits");
        make_folder(&folder, 0o700);
        fs::write(folder.join("config.toml"), settings).expect("a folder just made can be written to");
    }

    /// Any program, in this world: its environment, its folder.
    pub fn run(&self, program: impl AsRef<OsStr>) -> Run {
        Run::new(program)
            .folder(self.folder.join("files"))
            .env("HOME", self.folder.join("home"))
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("XDG_RUNTIME_DIR", self.runtime_folder())
            .env("TMPDIR", self.folder.join("tmp"))
            .env("KRB5CCNAME", self.ticket_cache())
    }

    /// The command line, with `words`.
    #[track_caller]
    pub fn bits<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Run {
        self.run(program("bits")).args(words)
    }

    /// The service itself, in the foreground, as `bits service run` has it.
    #[track_caller]
    pub fn bitsd(&self) -> Run {
        program("bitsd"); // absent, it should say so here
        self.bits(["service", "run"]).within(SERVICE_DEADLINE)
    }

    /// Starts the service in the foreground and waits until it answers.
    #[track_caller]
    pub fn start(&self) -> Running {
        self.start_as(self.bitsd())
    }

    /// The same for a [`Service::bitsd`] with more to it, such as a clock that is off.
    #[track_caller]
    pub fn start_as(&self, bitsd: Run) -> Running {
        let running = bitsd.spawn();
        until(PATIENCE, "the service answers", || self.status());
        running
    }

    /// What `bits service status --json` says of a service that runs.
    #[track_caller]
    pub fn status(&self) -> Option<Value> {
        let finished = self.bits(["service", "status", "--json"]).finish();
        (finished.code == Some(0)).then(|| finished.json())
    }

    /// The process of the service that runs, however it was started.
    #[track_caller]
    pub fn pid(&self) -> Option<Pid> {
        let status = self.status()?;
        let pid = status["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        assert!(pid.is_some(), "a service that runs has a pid: {status}");
        pid
    }

    /// Kills the service with SIGKILL and waits until it is gone.
    ///
    /// # Panics
    /// When none runs.
    #[track_caller]
    pub fn kill(&self) {
        let process = self.pid().and_then(Process::open).expect("a service runs that can be killed");
        process.signal(Signal::KILL);
        assert!(process.wait_end(Instant::now() + PATIENCE), "SIGKILL ends a process");
    }

    /// The service's log, as far as it is written.
    pub fn log(&self) -> String {
        fs::read_to_string(self.state_folder().join("bitsd.log")).unwrap_or_default()
    }

    /// Everything that runs in this world.
    ///
    /// A process is of this world if the environment it began with has its home here. One that
    /// hides its environment can still be asked by the socket it listens on.
    fn processes(&self) -> Vec<Process> {
        let listener = UnixStream::connect(self.socket())
            .ok()
            .and_then(|stream| rustix::net::sockopt::socket_peercred(stream).ok())
            .map(|caller| caller.pid);
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .filter(|pid| self.began_here(*pid))
            .chain(listener)
            .filter_map(Process::open)
            // A number may have gone to somebody else before it was opened; not after.
            .filter(|process| Some(process.pid()) == listener || self.began_here(process.pid()))
            .collect()
    }

    fn began_here(&self, pid: Pid) -> bool {
        let mut home = b"HOME=".to_vec();
        home.extend_from_slice(self.folder.as_os_str().as_bytes());
        home.push(b'/');
        let environ = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(&home))
    }

    /// Ends all processes of the world: politely, then not.
    fn end_all(&self) {
        for signal in [Signal::TERM, Signal::KILL, Signal::KILL] {
            let processes = self.processes();
            for process in &processes {
                process.signal(signal);
            }
            let end = Instant::now() + LEAVING;
            for process in &processes {
                process.wait_end(end);
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end_all();
        if std::thread::panicking() {
            let log = self.log();
            let first = log.lines().count().saturating_sub(LOG_LINES_SHOWN);
            for line in log.lines().skip(first) {
                eprintln!("bitsd.log: {line}");
            }
        }
        // What cannot be removed now, such as a file system mounted in it, is for the guard.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
