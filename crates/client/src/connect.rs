//! Finding the service of this user, and starting it when none answers.
//!
//! Two callers at once start one service: the second `bitsd` finds the state folder held, says so
//! and leaves, and its caller goes on looking for the first. Should that be one that leaves, the caller starts
//! another as soon as it has gone.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bits_platform::paths::Paths;
use bits_platform::process::{ServiceStart, StartReport, start_service};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use crate::error::Unreachable;

/// How to find the service.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    never_start: bool,
    program: Option<PathBuf>,
    variables: Vec<(OsString, OsString)>,
}

impl ConnectOptions {
    /// The service of this process's user, started when it does not run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fails when no service runs.
    #[must_use]
    pub fn never_start(mut self) -> Self {
        self.never_start = true;
        self
    }

    /// The service program, instead of the `bitsd` beside this program or in `PATH`.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Looks for the service as if the environment variable `name` had `value`, and starts it so:
    /// with `XDG_STATE_HOME` there is a second service, apart from the first.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }
}

/// Where the service is entered.
#[derive(Debug)]
pub(crate) struct Door {
    paths: Paths,
    /// What is started when nobody answers; `None` when nothing may be.
    start: Option<Start>,
}

#[derive(Debug)]
struct Start {
    program: Option<PathBuf>,
    variables: Vec<(OsString, OsString)>,
}

/// What to do when nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfAbsent {
    /// Start the service, where that is allowed.
    Start,
    /// Wait for a service that is about to return, and start it only then, where that is allowed.
    WaitThenStart,
    /// Wait for a service that somebody stopped in good order and may start again.
    Wait,
    Fail,
}

/// How long a started service may take until it answers: it may bring its database up to date.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// How long a service that is being started again may be away.
const RETURN_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before starting a service that just went away: somebody else may do it.
const ABSENCE_BEFORE_START: Duration = Duration::from_millis(500);
/// Between two looks at a socket.
const PAUSE: Duration = Duration::from_millis(20);

impl Door {
    pub(crate) fn new(options: ConnectOptions) -> Result<Self, Unreachable> {
        let ConnectOptions { never_start, program, variables } = options;
        let paths = Paths::of_user(&|name| {
            let told = variables.iter().rev().find(|(known, _)| known == OsStr::new(name));
            told.map(|(_, value)| value.clone()).or_else(|| env::var_os(name))
        })?;
        // Whoever names a socket has started something there, or means to.
        let may_start = !never_start && !paths.socket_is_named();
        Ok(Self { paths, start: may_start.then_some(Start { program, variables }) })
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// A connection to the service.
    pub(crate) async fn enter(&self, if_absent: IfAbsent) -> Result<UnixStream, Unreachable> {
        let absence = match if_absent {
            IfAbsent::Start | IfAbsent::Fail => Duration::ZERO,
            IfAbsent::WaitThenStart if self.start.is_some() => ABSENCE_BEFORE_START,
            IfAbsent::WaitThenStart | IfAbsent::Wait => RETURN_PATIENCE,
        };
        let absent = match self.knock_until(Instant::now() + absence).await {
            Err(absent @ Unreachable::NotRunning { .. }) => absent,
            answer => return answer,
        };
        match &self.start {
            Some(start) if matches!(if_absent, IfAbsent::Start | IfAbsent::WaitThenStart) => {
                let deadline = Instant::now() + START_PATIENCE;
                loop {
                    let running = start.run().await?;
                    // One that is leaving is in the way of another until it has gone.
                    let next_start = deadline.min(Instant::now() + ABSENCE_BEFORE_START);
                    match self.knock_until(next_start).await {
                        Err(Unreachable::NotRunning { .. }) if Instant::now() < deadline => {}
                        Err(Unreachable::NotRunning { sockets }) => {
                            return Err(Unreachable::Silent { pid: running, sockets });
                        }
                        answer => return answer,
                    }
                }
            }
            _ => Err(absent),
        }
    }

    /// Tries the sockets until one answers or it is `deadline`; at least once.
    async fn knock_until(&self, deadline: Instant) -> Result<UnixStream, Unreachable> {
        loop {
            match self.knock().await {
                Err(Unreachable::NotRunning { .. }) if Instant::now() < deadline => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    async fn knock(&self) -> Result<UnixStream, Unreachable> {
        let mut unusable = None;
        for path in self.paths.sockets() {
            match connect(path).await {
                Ok(stream) => return Ok(stream),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
                Err(source) => {
                    unusable.get_or_insert(Unreachable::Socket { path: path.clone(), source });
                }
            }
        }
        Err(unusable.unwrap_or_else(|| Unreachable::NotRunning { sockets: self.paths.sockets().into() }))
    }
}

/// Connects to `path`, waiting while more callers stand in line than the system lets.
async fn connect(path: &Path) -> std::io::Result<UnixStream> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

impl Start {
    /// Starts a service and waits until one is ready: this one, or the one that was there first,
    /// whose process id is returned where it is known.
    async fn run(&self) -> Result<Option<u32>, Unreachable> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => service_program()?,
        };
        let start = ServiceStart {
            program: program.clone(),
            // It says how its start went, for `start_service`.
            arguments: vec!["--report".into()],
            environment: self.variables.clone(),
            log: None,
            patience: START_PATIENCE,
        };
        let report = tokio::task::spawn_blocking(move || start_service(&start))
            .await
            .expect("starting a service does not panic, and the runtime is there")?;
        match report {
            StartReport::Ready => Ok(None),
            StartReport::AlreadyRunning { pid } => Ok(pid),
            StartReport::Failed(reason) => Err(Unreachable::StartFailed { program, reason }),
        }
    }
}

const SERVICE_PROGRAM: &str = "bitsd";

/// The service program: beside this program, else in `PATH`.
///
/// # Errors
/// [`Unreachable::NoProgram`].
pub fn service_program() -> Result<PathBuf, Unreachable> {
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.to_path_buf()));
    let path = env::var_os("PATH").unwrap_or_default();
    find_program(beside, &path).ok_or(Unreachable::NoProgram)
}

fn find_program(beside: Option<PathBuf>, path: &OsStr) -> Option<PathBuf> {
    // An example or a test lies one folder below the programs it was built with.
    let above = beside.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let above = above.filter(|_| beside.as_deref().is_some_and(is_build_folder));
    // Relative folders in PATH depend on where one stands: a trap, not a place of programs.
    let searched = env::split_paths(path).filter(|folder| folder.is_absolute());
    beside
        .into_iter()
        .chain(above)
        .chain(searched)
        .map(|folder| folder.join(SERVICE_PROGRAM))
        .find(|program| is_program(program))
}

fn is_build_folder(folder: &Path) -> bool {
    matches!(folder.file_name().and_then(OsStr::to_str), Some("examples" | "deps"))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn program_in(folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).expect("a folder");
        let program = folder.join(SERVICE_PROGRAM);
        fs::write(&program, "").expect("a file");
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("a mode");
        program
    }

    #[test]
    fn the_service_beside_the_program_comes_before_the_one_in_the_path() {
        let top = tempfile::tempdir().expect("a folder");
        let at = |name: &str| top.path().join(name);
        let in_path = program_in(&at("path"));
        let path = env::join_paths([PathBuf::from("relative"), at("empty"), at("path")]).expect("a path");
        assert_eq!(find_program(Some(at("bin")), &path), Some(in_path.clone()));
        let beside = program_in(&at("bin"));
        assert_eq!(find_program(Some(at("bin")), &path), Some(beside.clone()));
        assert_eq!(find_program(Some(at("bin/examples")), &path), Some(beside.clone()));
        assert_eq!(find_program(Some(at("bin/other")), &path), Some(in_path));
        fs::set_permissions(&beside, PermissionsExt::from_mode(0o644)).expect("a mode");
        assert_eq!(find_program(Some(at("bin")), OsStr::new("")), None);
    }
}
