//! How this tool says that something was not done, and with which code it ends: the exit codes are those of
//! `bits`.

use bits_client::Error;
use bits_core::error::Code;

use crate::exit::Failure;

use super::absent::Absent;
use super::help;
use super::layout::{self, coded};
use super::paper::Paper;
use super::switches::Row;
use super::words::Fault;

/// What was not done, and why.
#[derive(Debug)]
pub(super) struct Trouble {
    exit: u8,
    lines: Vec<String>,
}

impl Trouble {
    /// What was typed cannot be meant; `row` is the switch it was about.
    pub(super) fn of_words(fault: Fault, row: Option<&Row>) -> Self {
        let mut lines = vec![
            format!("Invalid argument - {}", coded(fault.code)),
            match row {
                Some(row) => format!("{}: {}", row.name, fault.sentence),
                None => fault.sentence,
            },
        ];
        lines.extend(fault.nearest.map(|name| format!("Did you mean {name}?")));
        lines.extend(
            row.map(|row| format!("USAGE: bitsadmin {} {}", row.name, row.takes).trim_end().to_owned()),
        );
        Self { exit: crate::exit::USAGE, lines }
    }

    /// Nothing was typed: what can be is said.
    pub(super) fn without_words() -> Self {
        Self { exit: crate::exit::USAGE, lines: help::lines() }
    }

    /// `what` is something this program does not do.
    pub(super) fn of_absent(absent: &Absent) -> Self {
        Self::refused(absent.what, absent.code, absent.why)
    }

    /// `what` was refused.
    pub(super) fn refused(what: &str, code: Code, why: &str) -> Self {
        Self { exit: crate::exit::REFUSED, lines: vec![unable(what, code), why.to_owned()] }
    }

    /// `what` was not done.
    pub(super) fn of(what: &str, failure: &Failure) -> Self {
        let told = failure.told();
        let mut lines = vec![unable(what, code_of(failure))];
        lines.extend(told.sentence);
        if let Failure::AmbiguousJob { jobs, .. } = failure {
            lines.extend(jobs.iter().map(layout::short));
        }
        Self { exit: told.exit, lines }
    }

    /// All was said; this is how it ends.
    pub(super) fn told(exit: u8) -> Self {
        Self { exit, lines: Vec::new() }
    }

    /// Says it, and ends with its code.
    pub(super) fn end(self, paper: &Paper<'_>) -> Result<(), Failure> {
        paper.wrong(&self.lines)?;
        Err(Failure::Told(self.exit))
    }
}

impl From<Failure> for Trouble {
    /// What was printed could not be.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Told(exit) => Self::told(exit),
            // Whoever read it has gone, and wants no more.
            Failure::OutputClosed => Self::told(failure.told().exit),
            failure => Self::of("print", &failure),
        }
    }
}

/// Says of what failed what it was.
pub(super) trait Unable<T> {
    fn unable(self, what: &str) -> Result<T, Trouble>;
}

impl<T, E: Into<Failure>> Unable<T> for Result<T, E> {
    fn unable(self, what: &str) -> Result<T, Trouble> {
        self.map_err(|error| Trouble::of(what, &error.into()))
    }
}

fn unable(what: &str, code: Code) -> String {
    format!("Unable to {what} - {}", coded(code))
}

/// The number that BITS's programs know such a failure by.
fn code_of(failure: &Failure) -> Code {
    let of_system = |code: Code| if code.0 <= 0xFFFF { Code(0x8007_0000 | code.0) } else { code };
    match failure {
        Failure::Client(error) => match error {
            Error::Unreachable(_) => UNAVAILABLE,
            Error::BrokenOff { .. } => CALL_FAILED,
            _ => error.code().unwrap_or(Code::UNSPECIFIED),
        },
        Failure::NoSuchJob(_) | Failure::NothingSaved { .. } => Code::NOT_FOUND,
        Failure::AmbiguousJob { .. } | Failure::Usage(_) | Failure::UsageNear { .. } => {
            Code::INVALID_ARGUMENT
        }
        Failure::Destination(error) => error.code(),
        Failure::PasswordSource(error) => of_system(error.code()),
        Failure::Saved(error) => of_system(error.code()),
        Failure::Prompt(error) => of_system(error.code()),
        Failure::NoCredentials { code, .. } => of_system(*code),
        _ => Code::UNSPECIFIED,
    }
}

/// `RPC_S_SERVER_UNAVAILABLE`: the service does not answer.
const UNAVAILABLE: Code = Code(0x8007_06BA);
/// `RPC_S_CALL_FAILED`: it went away.
const CALL_FAILED: Code = Code(0x8007_06BE);
