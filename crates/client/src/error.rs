//! What can go wrong between a program and the service, by who must act.
//!
//! Sentences for people are made by the service or here; hints for a person at a terminal are the
//! command line's.

use std::io;
use std::path::PathBuf;

use bits_api::problem::Problem;
use bits_core::error::Code;
use bits_platform::paths::PathsError;
use bits_platform::process::StartError;

/// Why an operation has no answer, or not the hoped-for one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers. Nothing was asked.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The service said no. Nothing has changed.
    #[error("{}", .0.message)]
    Refused(Problem),
    /// The service went away between request and answer, as one that is killed does.
    #[error("the service broke off `{operation}`; whether it was done is not known: {reason}")]
    BrokenOff { operation: &'static str, reason: String },
    /// What came back is no answer of this API: another program, or a much later version.
    #[error("the answer to `{operation}` is none: {reason}")]
    Protocol { operation: &'static str, reason: String },
    /// The caller asked for what cannot be sent. A mistake of the calling program.
    #[error("`{operation}` cannot be sent: {reason}")]
    Misuse { operation: &'static str, reason: String },
}

impl Error {
    /// The number by which BITS's programs know the outcome, when the service gave one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(problem) => code_of(&problem.code),
            Self::Unreachable(_) | Self::BrokenOff { .. } | Self::Protocol { .. } | Self::Misuse { .. } => {
                None
            }
        }
    }
}

/// Why nobody answers.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    #[error(transparent)]
    Places(#[from] PathsError),
    #[error("the service does not run; nothing answers at {}", listed(sockets))]
    NotRunning { sockets: Vec<PathBuf> },
    #[error("the socket {} cannot be used: {source}", path.display())]
    Socket { path: PathBuf, source: io::Error },
    #[error("the service cannot be started: there is no program `bitsd` beside this one or in PATH")]
    NoProgram,
    #[error(transparent)]
    Start(#[from] StartError),
    /// The service looked around and left.
    #[error("the service cannot start: {reason}")]
    StartFailed { program: PathBuf, reason: String },
    /// One holds the state folder and does not answer.
    #[error("a service runs{} but does not answer at {}", process(*pid), listed(sockets))]
    Silent { pid: Option<u32>, sockets: Vec<PathBuf> },
}

/// Reads a code as the API writes it: `0x` and eight hexadecimal digits.
pub(crate) fn code_of(text: &str) -> Option<Code> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok().map(Code)
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" as process {pid}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_code() {
        let problem = |code: &str| Problem {
            code: code.to_owned(),
            name: String::new(),
            message: "no".to_owned(),
            request: String::new(),
        };
        assert_eq!(Error::Refused(problem("0x80200001")).code(), Some(Code::NOT_FOUND));
        assert_eq!(Error::Refused(problem("later")).code(), None);
    }
}
