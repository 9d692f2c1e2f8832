//! A program on a pseudo terminal, and the person in front of it.
//!
//! The dialogue waits for what is shown and types; it never sleeps. What is shown is kept as it
//! came, with the control sequences of colours and bars.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::process::{Process, wait_readable};
use crate::run::{Finished, Run};
use crate::until;

/// A terminal as wide as most are.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// A program on a terminal. Dropped, it is killed with all of its session.
#[derive(Debug)]
pub struct Terminal {
    run: Run,
    child: Child,
    process: Process,
    /// The side of the person.
    keyboard_and_screen: File,
    shown: Vec<u8>,
    /// How much of `shown` the dialogue has answered to.
    answered: usize,
    end: Instant,
}

impl Terminal {
    #[track_caller]
    pub(crate) fn start(run: Run) -> Self {
        let (person, program) = open().unwrap_or_else(|error| panic!("no pseudo terminal: {error}"));
        let side = || Stdio::from(program.try_clone().expect("a handle can be duplicated"));
        // setsid gives the program a session whose terminal is its standard input, as a login does.
        let mut command = run.clone().env("TERM", "xterm").command(&["--ctty"]);
        command.stdin(side()).stdout(side()).stderr(side());
        let child = run.start(command);
        Self {
            process: Process::open(Pid::from_child(&child)).expect("a child stays until it is waited for"),
            keyboard_and_screen: person,
            shown: Vec::new(),
            answered: 0,
            end: Instant::now() + run.deadline(),
            run,
            child,
        }
    }

    /// Waits until `text` is shown, after all that was waited for before.
    ///
    /// # Panics
    /// When the program ends, or its deadline comes, before it is.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        let find = |new: &[u8]| new.windows(text.len()).position(|window| window == text.as_bytes());
        loop {
            if let Some(place) = find(&self.shown[self.answered..]) {
                self.answered += place + text.len();
                return self;
            }
            let more = self.look(self.end);
            assert!(more, "{text:?} was not shown by `{}`, but this: {}", self.run, self.shown());
        }
    }

    /// Types `text`; `\n` is the return key, `\x03` Ctrl-C, `\x04` the end of input.
    #[track_caller]
    pub fn types(&mut self, text: &str) -> &mut Self {
        self.keyboard_and_screen.write_all(text.as_bytes()).expect("a terminal takes what is typed");
        self
    }

    /// Types `text` as soon as the terminal does not show what is typed.
    ///
    /// # Panics
    /// When it still does at the deadline: whoever looked on would have read the password.
    #[track_caller]
    pub fn types_secret(&mut self, text: &str) -> &mut Self {
        let left = self.end.saturating_duration_since(Instant::now());
        until(left, format_args!("a terminal without echo, for a secret, by `{}`", self.run), || {
            (!self.echoes()).then_some(())
        });
        self.types(text)
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.keyboard_and_screen).expect("a terminal has modes");
        modes.local_modes.contains(LocalModes::ECHO)
    }

    /// Sends the program a signal, and only it.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// All that was shown by now, as far as the dialogue has looked.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Waits for the end of the program. All that was shown is in `stdout`.
    ///
    /// # Panics
    /// When the deadline comes first; then it is killed.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        while self.look(self.end) {}
        let in_time = self.process.wait_end(self.end);
        if !in_time {
            self.process.kill_session();
        }
        let status = self.child.wait().expect("it is our child, and waited for once");
        let finished = Finished::new(&self.run, status, self.shown(), String::new());
        assert!(in_time, "killed, as it did not end within {:?}: {finished}", self.run.deadline());
        finished
    }

    /// Takes in what is shown next; false when nothing more comes before `end`, or the program
    /// has ended and all it showed was seen.
    fn look(&mut self, end: Instant) -> bool {
        let screen = self.keyboard_and_screen.as_fd();
        let [shows, ended] = wait_readable([screen, self.process.as_fd()], end);
        // The last words may have come after the screen and before the process was looked at.
        let shows = shows || (ended && wait_readable([screen], Instant::now())[0]);
        if !shows {
            return false;
        }
        let mut chunk = [0; 4096];
        match self.keyboard_and_screen.read(&mut chunk) {
            Ok(length @ 1..) => {
                self.shown.extend_from_slice(&chunk[..length]);
                true
            }
            // EIO: nobody has the other side open any more.
            Ok(0) | Err(_) => false,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.process.kill_session();
            let _ = self.child.wait();
        }
    }
}

/// The two sides of a new terminal: the person's and the program's.
fn open() -> rustix::io::Result<(File, File)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let person = openpt(flags)?;
    grantpt(&person)?;
    unlockpt(&person)?;
    let program = ioctl_tiocgptpeer(&person, flags)?;
    tcsetwinsize(&person, SIZE)?;
    Ok((File::from(person), File::from(program)))
}
