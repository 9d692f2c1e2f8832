//! Starting the service as a process of its own, and hearing whether it is ready. And the other
//! way of starting a program: one that must not outlive us.
//!
//! The two ends of one line: the service says on its standard output how its start went, the
//! starter waits for that. Finding out whether a service runs already is for the caller.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Variables that belong to one caller and one job, and so to no service: which tickets, which
/// realm, which proxy.
pub const CALLER_VARIABLES: [&str; 10] = [
    "KRB5CCNAME",
    "KRB5_CONFIG",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// What a service says about its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartReport {
    /// It answers on its socket.
    Ready,
    /// Another one does, as process `pid` where that is known; this one leaves.
    AlreadyRunning { pid: Option<u32> },
    /// It cannot start, for the reason in this sentence.
    Failed(String),
}

/// The service to be started.
#[derive(Debug, Clone)]
pub struct ServiceStart {
    /// The program, absolute.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Variables set for it beside those of this process, which it gets but for
    /// [`CALLER_VARIABLES`].
    pub environment: Vec<(OsString, OsString)>,
    /// Where its standard error goes; nowhere without one.
    pub log: Option<PathBuf>,
    /// How long to wait for its report. It may be bringing a store up to date.
    pub patience: Duration,
}

/// Why no report came from a service.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the service cannot be started: {} cannot be run: {source}", program.display())]
    Run { program: PathBuf, source: io::Error },
    #[error("the service cannot be started: its log {} cannot be opened: {source}", path.display())]
    Log { path: PathBuf, source: io::Error },
    /// It ended, or closed its standard output, without a word.
    #[error("the service {} ended without a word{}", program.display(), status.map(|status| format!(" ({status})")).unwrap_or_default())]
    Silent { program: PathBuf, status: Option<ExitStatus> },
    /// It is left alone: it may become ready yet.
    #[error("the service {} is not ready after {} s", program.display(), patience.as_secs())]
    NotReady { program: PathBuf, patience: Duration },
    #[error("the service's report cannot be read: {0}")]
    Report(io::Error),
}

/// Starts the service in a session of its own, in the folder `/`, with nothing of ours open, and
/// waits for its report.
///
/// It outlives this process. While this process lives, a thread waits for the service's end, so
/// that no zombie remains.
pub fn start_service(start: &ServiceStart) -> Result<StartReport, StartError> {
    let deadline = Instant::now() + start.patience;
    let mut child = spawn(start)?;
    let output = child.stdout.take().expect("its standard output is a pipe");
    let line = read_line(output, deadline);
    let report = match line {
        Ok(Some(line)) => Ok(StartReport::parse(&line)),
        Ok(None) => {
            // A process that has ended is seen at once; one that goes on is not waited for.
            let status = ended_by(&mut child, deadline.min(Instant::now() + END_AFTER_CLOSING));
            Err(StartError::Silent { program: start.program.clone(), status })
        }
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(StartError::NotReady { program: start.program.clone(), patience: start.patience })
        }
        Err(error) => Err(StartError::Report(error)),
    };
    wait_in_the_background(child);
    report
}

/// Says how the start went, for [`start_service`] in another process, and then has nothing more to
/// do with standard output: it leads nowhere from here on.
///
/// For the service that was started that way; one that a person runs in a terminal keeps it.
pub fn report_start(report: &StartReport) -> io::Result<()> {
    let mut output = io::stdout().lock();
    // A starter that has lost patience hears nothing, and the service goes on all the same.
    let _ = output.write_all(report.line().as_bytes()).and_then(|()| output.flush());
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(nowhere)?)
}

/// Forgets the [`CALLER_VARIABLES`] of whoever started this process. To be called while it has
/// one thread; later it is refused, as another thread could be reading them.
pub fn forget_caller_variables() -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the process has more than one thread already"));
    }
    for name in CALLER_VARIABLES {
        // SAFETY: this is the only thread, as counted above, and it starts none in between.
        unsafe { std::env::remove_var(name) };
    }
    Ok(())
}

/// Whether process `pid` is there and has not ended. One that has ended and that nobody waits for
/// is not running.
pub fn is_running(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name of the program stands in brackets before the state, and may have brackets in it.
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, Some('Z' | 'X'))
}

/// Lets the program that `command` starts be asked to end (SIGTERM) when the thread that starts it
/// ends, in whatever way: the thread that starts it is to be the one that waits for it.
pub fn end_with_its_starter(command: &mut Command) {
    let starter = rustix::process::getpid();
    let tie = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
        // Who has ended before that line sends no signal any more.
        match rustix::process::getppid() {
            Some(parent) if parent == starter => Ok(()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: the closure runs between fork and exec and makes two system calls, nothing else: no
    // memory is allocated and no lock taken.
    unsafe { command.pre_exec(tie) };
}

impl StartReport {
    fn line(&self) -> String {
        match self {
            Self::Ready => "ready\n".into(),
            Self::AlreadyRunning { pid: None } => "running\n".into(),
            Self::AlreadyRunning { pid: Some(pid) } => format!("running {pid}\n"),
            Self::Failed(sentence) => {
                let room = REPORT_BYTES_MAX - "failed \n".len();
                let end = sentence.floor_char_boundary(room.min(sentence.len()));
                format!("failed {}\n", sentence[..end].replace(['\n', '\r'], " "))
            }
        }
    }

    /// What a line means; one that is none of ours (a panic's, a loader's) is why it failed.
    fn parse(line: &str) -> Self {
        match line.split_once(' ') {
            None if line == "ready" => Self::Ready,
            None if line == "running" => Self::AlreadyRunning { pid: None },
            Some(("running", pid)) => Self::AlreadyRunning { pid: pid.parse().ok() },
            Some(("failed", sentence)) => Self::Failed(sentence.into()),
            _ => Self::Failed(line.into()),
        }
    }
}

/// A report is a word and a sentence; more is not read.
const REPORT_BYTES_MAX: usize = 4096;
/// How long a service that closed its output may take to end.
const END_AFTER_CLOSING: Duration = Duration::from_secs(2);
/// The first descriptor after the standard ones.
const FIRST_OTHER_FD: libc::c_uint = 3;

fn spawn(start: &ServiceStart) -> Result<Child, StartError> {
    let mut command = Command::new(&start.program);
    command
        .args(&start.arguments)
        .envs(start.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(match &start.log {
            None => Stdio::null(),
            Some(path) => {
                open_log(path).map_err(|source| StartError::Log { path: path.clone(), source })?.into()
            }
        });
    for name in CALLER_VARIABLES {
        command.env_remove(name);
    }
    // Of the one who started us, not of those we start.
    command.env_remove("NOTIFY_SOCKET");
    // SAFETY: the closure runs between fork and exec and makes two system calls, nothing else: no
    // memory is allocated and no lock taken.
    unsafe { command.pre_exec(leave_the_caller) };
    command.spawn().map_err(|source| StartError::Run { program: start.program.clone(), source })
}

fn open_log(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).expect("open flags are small");
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)
}

/// In the child: a session without terminal, and no descriptor inherited from whoever called us.
fn leave_the_caller() -> io::Result<()> {
    rustix::process::setsid()?;
    // Not closed yet: the standard library reports a failed exec through one of them.
    // SAFETY: a system call with numbers only; it changes flags of descriptors of this child.
    let status = unsafe {
        libc::syscall(libc::SYS_close_range, FIRST_OTHER_FD, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    // Before Linux 5.11 there is no such call; then what was inherited stays open, as it does for
    // every other program.
    let _ = status;
    Ok(())
}

/// The first line of `output`, without its end; `None` when it ends before that.
fn read_line(mut output: ChildStdout, deadline: Instant) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut piece = [0; 512];
    loop {
        wait_until_readable(&output, deadline)?;
        let length = output.read(&mut piece)?;
        line.extend_from_slice(&piece[..length]);
        let end = line.iter().position(|byte| *byte == b'\n');
        if end.is_some() || length == 0 || line.len() >= REPORT_BYTES_MAX {
            line.truncate(end.unwrap_or(line.len()).min(REPORT_BYTES_MAX));
            let is_silent = end.is_none() && line.is_empty();
            return Ok((!is_silent).then(|| String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// How `child` ended, if it does before `deadline`.
fn ended_by(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    let pid = rustix::process::Pid::from_child(child);
    // Older kernels have no such descriptors; then it is looked at once.
    if let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
        let _ = wait_until_readable(&process, deadline);
    }
    child.try_wait().ok().flatten()
}

fn wait_until_readable(file: impl AsFd, deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        match rustix::event::poll(&mut [PollFd::new(&file, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn wait_in_the_background(mut child: Child) {
    let waiting = std::thread::Builder::new().name("bits-service-end".into()).spawn(move || child.wait());
    // Without a thread a zombie remains until this process ends: no harm.
    drop(waiting);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_arrives_as_it_was_sent() {
        for report in [
            StartReport::Ready,
            StartReport::AlreadyRunning { pid: None },
            StartReport::AlreadyRunning { pid: Some(42) },
            StartReport::Failed("the database is of a newer version".into()),
        ] {
            let line = report.line();
            assert_eq!(StartReport::parse(line.strip_suffix('\n').unwrap()), report);
        }
    }

    #[test]
    fn a_process_runs_until_it_ends_also_when_nobody_waits_for_it() {
        assert!(is_running(std::process::id()));
        let mut child = Command::new("true").spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_running(child.id()) {
            assert!(Instant::now() < deadline, "it has ended and nobody has waited for it");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!is_running(child.id()));
    }

    #[test]
    fn a_report_is_one_line_of_limited_length() {
        let line = StartReport::Failed(format!("first\nsecond {}", "ä".repeat(REPORT_BYTES_MAX))).line();
        assert!(line.starts_with("failed first second ä") && line.ends_with("ä\n"));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.len() <= REPORT_BYTES_MAX);
    }

    #[test]
    fn a_line_that_is_no_report_is_why_it_failed() {
        for line in ["readiness", "ready now", "", "error while loading shared libraries"] {
            assert_eq!(StartReport::parse(line), StartReport::Failed(line.into()));
        }
    }
}
