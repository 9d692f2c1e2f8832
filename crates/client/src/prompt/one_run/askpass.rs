//! The askpass convention: the prompt is the one argument, the answer is on standard output.
//!
//! Such a program is a text field that hides what is typed, or a script that knows the answer. A
//! yes-or-no question would be answered with a password by those that do not know the convention's
//! later additions, so none is asked.

use std::ffi::OsString;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use bits_platform::terminal::NoAnswer;

use super::{Asked, Asker};
use bits_platform::program::ANSWER_TIME_MAX;

pub(in crate::prompt) struct Askpass {
    pub(in crate::prompt) program: OsString,
}

impl Asker for Askpass {
    const CANNOT_RUN: &'static str = "the askpass program cannot be run";
    const TIME_MAX: Duration = ANSWER_TIME_MAX;

    /// Its standard error is ours: what a script has to complain about is for its owner to see.
    fn command(&self, asked: &Asked<'_>) -> Command {
        let mut command = Command::new(&self.program);
        // Some of them show one line only, or lose line ends.
        command.arg(asked.in_one_line());
        command
    }

    fn verdict(&self, status: ExitStatus, _complaint: &str) -> Result<bool, NoAnswer> {
        Ok(status.success())
    }

    /// Its one field hides what is typed.
    fn takes_offered_name(&self) -> bool {
        true
    }
}
