//! OpenBITS as a contestant: its programs, each time with a home and a service of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::Sleeps;
use crate::{measure, origin};

/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The programs that are measured.
#[derive(Debug)]
pub(crate) struct Programs {
    bits: PathBuf,
    bitsd: PathBuf,
}

/// A service; stopped when dropped.
pub(crate) struct Service<'a> {
    programs: &'a Programs,
    home: PathBuf,
    child: Child,
}

impl Programs {
    /// Those that were built together with this one.
    pub(crate) fn beside_this() -> Result<Self, String> {
        let beside = std::env::current_exe().map_err(|error| error.to_string())?;
        let program = |name: &str| {
            let path = beside.with_file_name(name);
            path.exists()
                .then_some(path)
                .ok_or_else(|| format!("{name} is not built: cargo build --release --bin bits --bin bitsd"))
        };
        Ok(Self { bits: program("bits")?, bitsd: program("bitsd")? })
    }

    /// Whether `command` has the option `option`.
    pub(crate) fn knows(&self, command: &str, option: &str) -> bool {
        let help = Command::new(&self.bits).args([command, "--help"]).output();
        help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains(option))
    }

    /// Starts a service at home in `home` and waits until it answers.
    pub(crate) fn start(&self, home: &Path) -> Result<Service<'_>, String> {
        let mut command = Command::new(&self.bitsd);
        let child = at_home(&mut command, home).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("bitsd: {error}"))?;
        let service = Service { programs: self, home: home.into(), child };
        let deadline = Instant::now() + PATIENCE;
        let socket = home.join("state/bits/bitsd.sock");
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if Instant::now() > deadline {
                return Err("bitsd does not answer".to_owned());
            }
            // Not in a hurry: the service is to have the processor.
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(service)
    }
}

impl Service<'_> {
    /// A command for this service.
    pub(crate) fn bits(&self) -> Command {
        let mut command = Command::new(&self.programs.bits);
        at_home(&mut command, &self.home);
        command
    }

    /// The most memory it has had resident, in MiB.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        measure::peak_mib(self.child.id()).ok()
    }

    /// The memory it has resident, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64, String> {
        measure::resident_mib(self.child.id())
    }

    /// Seconds of processor time that it has had so far.
    pub(crate) fn cpu(&self) -> Result<f64, String> {
        measure::cpu_of(self.child.id())
    }

    /// How often its threads have gone to sleep so far, and so have woken.
    pub(crate) fn sleeps(&self) -> Result<Sleeps, String> {
        Sleeps::of(self.child.id())
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Stops it and waits for its end, so that its cost is counted.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        quiet(self.bits().args(["-q", "service", "stop"]))?;
        self.child.wait().map(drop).map_err(|error| format!("bitsd: {error}"))
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // After a proper stop there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn at_home<'c>(command: &'c mut Command, home: &Path) -> &'c mut Command {
    command
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("BITS_EXTRA_CA", origin::authority())
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("BITS_SOCKET")
}

/// Runs `command` to its good end, without a word of it.
pub(crate) fn quiet(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}
