//! A terminal while another program asks on it.
//!
//! That program changes settings and reads keys as it likes. It may also be killed in the middle,
//! and then only we are left to bring the settings back.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{OptionalActions, Termios};

use super::signals::HeldBack;
use super::{NoAnswer, Terminal};

/// The time in which another program has the terminal. Dropping it brings the former settings back.
///
/// Readable, as a descriptor, when a signal has come: the other program is to be ended then, and
/// the terminal to be taken back.
pub struct Lent<'a> {
    former: Former<'a>,
    held_back: HeldBack,
}

impl Terminal {
    /// Lets another program ask here. To be called before that program is started, which is to be
    /// in this process's group.
    ///
    /// Signals that would end or stop this process are held back meanwhile.
    pub fn lend(&self) -> Result<Lent<'_>, NoAnswer> {
        self.check_foreground()?;
        let held_back = HeldBack::begin().map_err(NoAnswer::Terminal)?;
        let settings = rustix::termios::tcgetattr(&self.tty);
        let settings = settings.map_err(|errno| NoAnswer::Terminal(errno.into()))?;
        Ok(Lent { former: Former { tty: &self.tty, settings }, held_back })
    }
}

impl Lent<'_> {
    /// Whether a signal has come.
    pub fn has_signal(&self) -> bool {
        self.held_back.has_any()
    }

    /// Ends it: the settings are as they were, and signals that came are delivered, but for that
    /// of Ctrl-C, which was the person's answer to the question. Returns whether one of them asked
    /// for the end, which this process may have survived.
    pub fn take_back(self) -> bool {
        let Self { former, held_back } = self;
        drop(former);
        let signals = held_back.end();
        signals.deliver_all_but(libc::SIGINT);
        signals.ask_to_end()
    }
}

impl AsFd for Lent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held_back.as_fd()
    }
}

impl std::fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lent").field("tty", self.former.tty).finish_non_exhaustive()
    }
}

/// Settings to come back to.
struct Former<'a> {
    tty: &'a File,
    settings: Termios,
}

impl Drop for Former<'_> {
    fn drop(&mut self) {
        // What was typed and not read may be a part of the secret. A terminal that is gone needs
        // nothing back.
        let _: io::Result<()> =
            rustix::termios::tcsetattr(self.tty, OptionalActions::Flush, &self.settings).map_err(Into::into);
    }
}
