//! Asking a person for credentials, in the person's own process. `SspiPromptForCredentials`,
//! `credentials.md` §1.3 and Part 3.
//!
//! The service never asks: it reports that credentials are needed, and whoever sits at a terminal
//! asks with this. The terminal is the one place to ask so far; [`password_sources`] reads
//! passwords where nobody sits. Nothing is remembered here, so nobody is asked whether to.

mod dialogue;
pub mod password_sources;
mod terminal;
mod typed_text;

use std::time::Duration;

use bits_core::error::Code;
use bits_core::identity::{Identity, IdentityError, Package};
use bits_platform::terminal::{NoAnswer, Terminal};

use terminal::TerminalChannel;

/// What is to be asked, for whom, and why. All texts but the target may be foreign: they are shown
/// as data, so that they cannot pose as ours.
#[derive(Debug, Clone)]
pub struct PromptRequest {
    /// To whom the credentials will be sent, as it is known to be true: scheme, host and port, and
    /// whether that is the server or a proxy. Required, at most 337 characters, and always shown
    /// apart from the other texts and below them.
    pub target: String,
    /// Whether they will go there without TLS: warned about for Basic and NTLM.
    pub unencrypted: bool,
    pub package: Package,
    /// The realm that the target says it is.
    pub realm: Option<String>,
    /// A title, at most 128 characters.
    pub caption: Option<String>,
    /// A text below the title, at most 1,024 characters; it may have several lines.
    pub message: Option<String>,
    /// Why it is asked again: the code in which the credentials before ended.
    pub refused: Option<Code>,
    /// The same in a sentence, as the job's error has it; without one the code is put into words.
    pub refused_because: Option<String>,
    /// The user name to offer, which an empty answer takes.
    pub user_name: Option<String>,
    /// Whether to remember the answer. There is nowhere to remember it yet, so the person is not
    /// asked and [`PromptOutcome::Accepted`] returns what was given here (`None` as `false`).
    pub save: Option<bool>,
    /// How long the person has for all answers together.
    pub time_limit: Option<Duration>,
}

impl PromptRequest {
    /// A first question for `target`, with nothing to be said beside it and no hurry.
    pub fn new(target: impl Into<String>, package: Package) -> Self {
        Self {
            target: target.into(),
            unencrypted: false,
            package,
            realm: None,
            caption: None,
            message: None,
            refused: None,
            refused_because: None,
            user_name: None,
            save: None,
            time_limit: None,
        }
    }
}

/// How the asking ended. That somebody cancelled is an outcome, not an error.
#[derive(Debug)]
pub enum PromptOutcome {
    Accepted {
        identity: Identity,
        save: bool,
    },
    /// The person cancelled: Ctrl-C, the end of input, or the terminal hung up.
    Cancelled,
    /// The time limit is over.
    TimedOut,
    /// There is nowhere to ask.
    Unavailable {
        /// Why, to be said after "there is nobody to ask:".
        reason: &'static str,
    },
}

impl PromptOutcome {
    /// The number that `SspiPromptForCredentials` returns for it: 0, 1223, 1460 or 1312
    /// (`credentials.md` §1.3).
    pub fn code(&self) -> Code {
        match self {
            Self::Accepted { .. } => Code(0),
            Self::Cancelled => Code::CANCELLED,
            Self::TimedOut => Code::PROMPT_TIMED_OUT,
            Self::Unavailable { .. } => Code::NO_SUCH_LOGON_SESSION,
        }
    }
}

/// Asks the person at this process's terminal for user name, then password.
///
/// Blocks until there is an outcome, and holds back signals meanwhile: from async code call it on
/// a thread for blocking work. An answer that cannot be used is asked for again, three times at
/// most; whether a *refused* secret is worth asking again is the caller's decision.
pub fn prompt_for_credentials(request: &PromptRequest) -> Result<PromptOutcome, PromptError> {
    dialogue::check(request)?;
    match Terminal::open() {
        Ok(terminal) => dialogue::hold(request, &mut TerminalChannel::new(terminal, request.time_limit)),
        Err(NoAnswer::Unavailable(reason)) => Ok(PromptOutcome::Unavailable { reason }),
        Err(error) => Err(PromptError::Answer(error)),
    }
}

/// Why the question cannot be asked or has no answer that can be used. What was typed is never
/// repeated.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error("there is no target to ask credentials for")]
    NoTarget,
    #[error("the {what} of the question is longer than {units_max} characters")]
    TooLong { what: &'static str, units_max: usize },
    #[error("the user name to offer cannot be used: {0}")]
    OfferedUserName(#[source] IdentityError),
    /// The person's tries are used up.
    #[error(transparent)]
    Identity(IdentityError),
    /// The person's tries are used up, or the terminal fails.
    #[error(transparent)]
    Answer(NoAnswer),
}

impl PromptError {
    /// The number that `SspiPromptForCredentials` returns for it (`credentials.md` §1.3).
    pub fn code(&self) -> Code {
        match self {
            Self::NoTarget | Self::OfferedUserName(_) => Code::INVALID_PARAMETER,
            Self::TooLong { .. } | Self::Answer(NoAnswer::TooLong { .. }) => Code::INSUFFICIENT_BUFFER,
            Self::Identity(error) => error.code(),
            Self::Answer(NoAnswer::NotText | NoAnswer::HasControlCharacters) => Code::INVALID_PARAMETER,
            Self::Answer(_) => Code::NO_SUCH_LOGON_SESSION,
        }
    }
}
