//! One program, run under a deadline; what it printed is kept and shown when a test fails.
//!
//! Every program gets a session of its own without a terminal, so that nothing in it can ask the
//! person who runs the tests, and all of it can be ended together. For a terminal there is
//! [`Run::terminal`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::process::Process;
use crate::terminal::Terminal;
use crate::until;

/// How long a program may take when the test does not say. Nothing here takes more than some
/// seconds on a busy machine; whatever takes this long hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long output may stay open after the end of the program. It is closed at once, unless
/// somebody else holds it.
const OUTPUT_GRACE: Duration = Duration::from_secs(20);

/// How much is kept of one output. No test looks at more, and a program gone wild must not
/// take the machine along.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A program to be run: what, with what, where.
///
/// Its environment is empty but for `PATH` and `LANG`; [`crate::Service::run`] makes one with the
/// environment of a test's world.
#[derive(Debug, Clone)]
#[must_use = "it runs with `finish`, `spawn` or `terminal`"]
pub struct Run {
    words: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    input: Vec<u8>,
    deadline: Duration,
}

impl Run {
    /// The program at a path, or of that name in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut environment = BTreeMap::from([("LANG".into(), "C.UTF-8".into())]);
        for name in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                environment.insert(name.into(), value);
            }
        }
        Self {
            words: vec![program.as_ref().into()],
            environment,
            folder: None,
            input: Vec::new(),
            deadline: DEADLINE,
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().into());
        self
    }

    /// Adds arguments.
    pub fn args<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().into()));
        self
    }

    /// Has `words` run the program: `["faketime", "+20m"]`, `["setpriv", "--reuid=1"]`.
    pub fn through<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words.splice(0..0, words.into_iter().map(|word| word.as_ref().into()));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.as_ref().into(), value.as_ref().into());
        self
    }

    /// Takes a variable out of its environment.
    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.remove(name.as_ref());
        self
    }

    /// Runs it in this folder.
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().into());
        self
    }

    /// What it can read on standard input, which is empty without this.
    pub fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.input = text.as_ref().into();
        self
    }

    /// How long it may take.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started, or has not ended at its deadline; then it is killed.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.spawn().finish()
    }

    /// Starts it. The deadline counts from here.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn spawn(self) -> Running {
        let input = if self.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut command = self.command(&[]);
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.start(command);
        if let Some(mut stdin) = child.stdin.take() {
            // On a thread of its own, as the program may print before it reads. One that ends
            // without having read all does nothing wrong.
            let input = self.input.clone();
            thread::spawn(move || stdin.write_all(&input));
        }
        Running {
            process: Process::open(Pid::from_child(&child)).expect("a child stays until it is waited for"),
            stdout: Output::of(child.stdout.take().expect("it was asked for")),
            stderr: Output::of(child.stderr.take().expect("it was asked for")),
            end: Instant::now() + self.deadline,
            run: self,
            child,
        }
    }

    /// Starts it on a pseudo terminal of its own. The deadline counts from here and is for the
    /// whole dialogue.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn terminal(self) -> Terminal {
        Terminal::start(self)
    }

    /// The words for the system: `setsid` makes the session, with `options`.
    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command.args(options).args(&self.words).env_clear().envs(&self.environment);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    #[track_caller]
    pub(crate) fn start(&self, mut command: Command) -> Child {
        command.spawn().unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }
}

impl fmt::Display for Run {
    /// The words, as a person would type them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.words.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            let word = word.to_string_lossy();
            let plain = |c: char| c.is_alphanumeric() || "-_./:=@+,%".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                write!(f, "{space}{word}")?;
            } else {
                write!(f, "{space}{word:?}")?;
            }
        }
        Ok(())
    }
}

/// A program that runs. Dropped, it is killed with all of its session.
#[derive(Debug)]
pub struct Running {
    run: Run,
    child: Child,
    process: Process,
    stdout: Output,
    stderr: Output,
    end: Instant,
}

impl Running {
    /// Its number.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Sends it a signal, and only it.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// What it has printed by now.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has complained about by now.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it has printed `text`.
    ///
    /// # Panics
    /// When it ends, or its deadline comes, before it has.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) {
        let left = self.end.saturating_duration_since(Instant::now());
        until(left, format_args!("{text:?} on stdout of `{}`", self.run), || {
            let ended = self.process.wait_end(Instant::now()) && self.stdout.wait_end(Instant::now());
            let (stdout, stderr) = (self.stdout(), self.stderr());
            if stdout.contains(text) {
                return Some(());
            }
            assert!(!ended, "`{}` ended and has not printed {text:?} but {stdout:?}, {stderr:?}", self.run);
            None
        });
    }

    /// Whether it has ended by now.
    pub fn has_ended(&self) -> bool {
        self.process.wait_end(Instant::now())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When its deadline comes first; then it is killed.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let in_time = self.process.wait_end(self.end);
        if !in_time {
            self.process.kill_session();
        }
        let finished = self.collect();
        assert!(in_time, "killed, as it did not end within {:?}: {finished}", self.run.deadline);
        finished
    }

    /// Kills it with SIGKILL, and all of its session.
    #[track_caller]
    pub fn kill(mut self) -> Finished {
        self.process.kill_session();
        self.collect()
    }

    /// What is left of one that is ending.
    #[track_caller]
    fn collect(&mut self) -> Finished {
        let status = self.child.wait().expect("it is our child, and waited for once");
        let end = Instant::now() + OUTPUT_GRACE;
        let closed = [&self.stdout, &self.stderr].map(|output| output.wait_end(end));
        let finished = Finished::new(&self.run, status, self.stdout.text(), self.stderr.text());
        assert!(
            closed == [true, true],
            "a process it left behind holds its stdout or stderr, so a pipe after it would hang: {finished}"
        );
        finished
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.process.kill_session();
            let _ = self.child.wait();
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Finished {
    command: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed; on a terminal, all that was seen there.
    pub stdout: String,
    /// What it complained about; nothing on a terminal.
    pub stderr: String,
}

impl Finished {
    pub(crate) fn new(run: &Run, status: ExitStatus, stdout: String, stderr: String) -> Self {
        Self { command: run.to_string(), code: status.code(), signal: status.signal(), stdout, stderr }
    }

    /// Itself, if it ended with `code`.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(self.code == Some(code), "exit code {code} was expected: {self}");
        self
    }

    /// What it printed, as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON, {error}: {self}"))
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => writeln!(f, "`{}` ended with code {code}", self.command)?,
            (None, signal) => writeln!(f, "`{}` ended by signal {}", self.command, signal.unwrap_or(0))?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {name}\n{}", text.trim_end())?;
            }
        }
        write!(f, "---")
    }
}

/// `text` as JSON: one line of `--json` output that comes as events.
///
/// # Panics
/// When it is none.
#[track_caller]
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON, {error}: {text}"))
}

/// One output of a program, read as it comes.
#[derive(Debug)]
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Hangs up at the end.
    reader: mpsc::Receiver<()>,
}

impl Output {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (at_end, reader) = mpsc::channel::<()>();
        let shared = Arc::clone(&bytes);
        thread::spawn(move || {
            let _hangs_up_at_the_end = at_end;
            let mut pipe = pipe.take(OUTPUT_BYTES_MAX);
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until nothing more can come; whether that was before `end`.
    fn wait_end(&self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        self.reader.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected)
    }
}
