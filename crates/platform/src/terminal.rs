//! Asking a person at the terminal, with or without showing what is typed.
//!
//! It is the terminal this process is run from (`/dev/tty`), wherever standard input and output
//! lead. What to ask, and how often, is decided by the caller. Texts are shown only as
//! [`shown`] leaves them.
//!
//! While a question is open, the keys that send signals are ordinary bytes: Ctrl-C is an answer
//! (none), and nothing can leave the terminal without echo. Signals from elsewhere are held back
//! until the terminal is as it was.

mod console;
mod lent;
mod settings;
mod signals;
mod typed;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Instant;

use bits_core::secret::Secret;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

pub use crate::shown::shown;
pub use console::stdout_columns;
pub use lent::Lent;

use settings::{Changed, Echo};
use signals::HeldBack;
use typed::{Step, Typed};

/// A terminal with a person at it.
#[derive(Debug)]
pub struct Terminal {
    tty: File,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Ctrl-C, the end of input, the terminal hung up, or a signal asked this process to end.
    #[error("cancelled")]
    Cancelled,
    #[error("nobody answered in time")]
    TimedOut,
    #[error("there is nobody to ask: {0}")]
    Unavailable(&'static str),
    #[error("the answer is longer than {bytes_max} bytes")]
    TooLong { bytes_max: usize },
    #[error("the answer is not UTF-8 text")]
    NotText,
    #[error("the answer has control characters in it, as from an arrow key")]
    HasControlCharacters,
    #[error("the terminal cannot be used: {0}")]
    Terminal(io::Error),
}

impl Terminal {
    /// The terminal this process is run from.
    pub fn open() -> Result<Self, NoAnswer> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        match rustix::fs::open("/dev/tty", flags, Mode::empty()) {
            Ok(fd) => Ok(Self { tty: File::from(fd) }),
            Err(_) => Err(NoAnswer::Unavailable("this program is not run from a terminal")),
        }
    }

    /// A terminal that is open already, for reading and writing.
    pub fn on(tty: File) -> Result<Self, NoAnswer> {
        if rustix::termios::isatty(&tty) {
            Ok(Self { tty })
        } else {
            Err(NoAnswer::Unavailable("it is not a terminal"))
        }
    }

    /// Shows a line.
    pub fn tell(&mut self, text: &str) -> io::Result<()> {
        self.tty.write_all(format!("{}\n", shown(text)).as_bytes())
    }

    /// Asks for a line, which is seen as it is typed. `prompt` is shown before it as it is.
    pub fn ask_line(&mut self, prompt: &str, deadline: Option<Instant>) -> Result<String, NoAnswer> {
        let answer = self.ask(prompt, Echo::On, deadline)?;
        Ok(answer.as_str().to_owned())
    }

    /// Asks for a secret, of which nothing is seen, not even its length.
    pub fn ask_secret(&mut self, prompt: &str, deadline: Option<Instant>) -> Result<Secret, NoAnswer> {
        let mut answer = self.ask(prompt, Echo::Off, deadline)?;
        Ok(Secret::new(std::mem::take(&mut *answer)))
    }

    fn ask(
        &mut self,
        prompt: &str,
        echo: Echo,
        deadline: Option<Instant>,
    ) -> Result<Zeroizing<String>, NoAnswer> {
        loop {
            self.check_foreground()?;
            let held_back = HeldBack::begin().map_err(NoAnswer::Terminal)?;
            let outcome = self.ask_once(prompt, echo, deadline, &held_back);
            let signals = held_back.end();
            signals.deliver();
            match outcome {
                // Stopped and continued: the terminal may have seen anything meanwhile.
                Err(Interruption::Signal) if !signals.ask_to_end() => {}
                Err(Interruption::Signal) => return Err(NoAnswer::Cancelled),
                Err(Interruption::NoAnswer(reason)) => return Err(reason),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// One question. The terminal is as it was when this returns, or unwinds.
    fn ask_once(
        &mut self,
        prompt: &str,
        echo: Echo,
        deadline: Option<Instant>,
        signals: &HeldBack,
    ) -> Result<Zeroizing<String>, Interruption> {
        let changed = Changed::to(&self.tty, echo)?;
        (&self.tty).write_all(shown(prompt).as_bytes())?;
        let mut typed = Typed::new(echo, changed.keys());
        let outcome = self.read_answer(&mut typed, deadline, signals);
        if echo == Echo::Off || outcome.is_err() {
            // Nobody has seen the line end that was typed, if one was. A lost terminal shows none.
            let _ = (&self.tty).write_all(b"\n");
        }
        drop(changed);
        outcome.and_then(|()| Ok(typed.into_text()?))
    }

    fn read_answer(
        &self,
        typed: &mut Typed,
        deadline: Option<Instant>,
        signals: &HeldBack,
    ) -> Result<(), Interruption> {
        let mut piece = Zeroizing::new([0_u8; PIECE_BYTES]);
        loop {
            self.wait_for_key(deadline, signals)?;
            let length = match (&self.tty).read(piece.as_mut_slice()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // What a terminal says that has hung up.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => 0,
                outcome => outcome?,
            };
            if length == 0 {
                return Err(NoAnswer::Cancelled.into());
            }
            for byte in &piece[..length] {
                match typed.take(*byte)? {
                    Step::More => {}
                    Step::Done => return Ok(()),
                }
            }
        }
    }

    fn wait_for_key(&self, deadline: Option<Instant>, signals: &HeldBack) -> Result<(), Interruption> {
        loop {
            if signals.has_any() {
                return Err(Interruption::Signal);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut watched = [
                PollFd::new(&self.tty, PollFlags::IN),
                PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
            ];
            match rustix::event::poll(&mut watched, timeout.as_ref()) {
                Ok(0) => return Err(NoAnswer::TimedOut.into()),
                Ok(_) if watched[1].revents().is_empty() => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
    }

    /// A program in the background is stopped when it touches its terminal; better that it says
    /// why it cannot ask.
    fn check_foreground(&self) -> Result<(), NoAnswer> {
        match rustix::termios::tcgetpgrp(&self.tty) {
            Ok(group) if group != rustix::process::getpgrp() => {
                Err(NoAnswer::Unavailable("this program runs in the background of its terminal"))
            }
            // Not the terminal this process is run from: then it has no foreground either.
            _ => Ok(()),
        }
    }
}

/// Bytes read at once; more are read the next time.
const PIECE_BYTES: usize = 1024;

/// Why a question ended without an answer.
enum Interruption {
    NoAnswer(NoAnswer),
    /// Signals are held back; what they mean is for [`Terminal::ask`].
    Signal,
}

impl From<NoAnswer> for Interruption {
    fn from(reason: NoAnswer) -> Self {
        Self::NoAnswer(reason)
    }
}

impl From<io::Error> for Interruption {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Interrupted => Self::Signal,
            _ => Self::NoAnswer(NoAnswer::Terminal(error)),
        }
    }
}
