//! Asking a person for credentials, in the person's own process. `SspiPromptForCredentials`,
//! `credentials.md` §1.3 and Part 3.
//!
//! The service never asks: it reports that credentials are needed, and whoever sits before it asks
//! with this: at the terminal, or by another program that shows a window ([`Channel`]).
//! [`password_sources`] reads passwords where nobody sits. Nothing is remembered here; only the
//! person's word on it is brought back.

mod answer;
pub(crate) mod assuan;
mod channel;
mod dialogue;
mod explanation;
mod one_run;
pub mod password_sources;
mod pinentry;
mod surroundings;
mod terminal;
mod typed_text;

use std::time::{Duration, Instant};

use bits_core::error::Code;
use bits_core::identity::{Identity, IdentityError, Package};
use bits_platform::terminal::{NoAnswer, Terminal};

pub use channel::Channel;

use dialogue::Place;
use one_run::AtAsker;
use one_run::askpass::Askpass;
use one_run::dialog::Dialog;
use one_run::systemd::SystemdAskPassword;
use pinentry::AtPinentry;
use surroundings::Surroundings;
use terminal::AtTerminal;

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
    /// Whether the person is asked to have the answer remembered, and what an answer without a
    /// choice means. Not asked with `None`. Where it cannot be asked (askpass) nothing is remembered.
    pub save: Option<bool>,
    /// Where to ask, and nowhere else. Without one it is what the variable `BITS_PROMPT` names, and
    /// without that the first place that can be used: askpass if that is demanded, the terminal,
    /// pinentry, a dialog, systemd's agents.
    pub channel: Option<Channel>,
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
            channel: None,
            time_limit: None,
        }
    }
}

/// How the asking ended. That somebody cancelled is an outcome, not an error.
#[derive(Debug)]
pub enum PromptOutcome {
    Accepted {
        identity: Identity,
        /// Whether the person wants it remembered.
        save: bool,
    },
    /// The person cancelled: Ctrl-C, the end of input, a dialog closed, or the terminal hung up.
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

/// Asks the person before this process for user name, then password.
///
/// Blocks until there is an outcome, and holds back signals while it asks on the terminal: from
/// async code call it on a thread for blocking work. An answer that cannot be used is asked for
/// again, three times at most; whether a *refused* secret is worth asking again is the caller's
/// decision.
pub fn prompt_for_credentials(request: &PromptRequest) -> Result<PromptOutcome, PromptError> {
    dialogue::check(request)?;
    // A limit beyond what the clock can count is none.
    let deadline = request.time_limit.and_then(|limit| Instant::now().checked_add(limit));
    let around = Surroundings::look(request.channel)?;
    let mut first_reason = None;
    for channel in channel::order(&around.facts) {
        match ask_by(channel, &around, request, deadline)? {
            PromptOutcome::Unavailable { reason } => {
                first_reason.get_or_insert(reason);
            }
            outcome => return Ok(outcome),
        }
    }
    let reason = first_reason.unwrap_or("there is no terminal, no display and no program to ask with");
    Ok(PromptOutcome::Unavailable { reason })
}

/// The way that [`prompt_for_credentials`] would try first; none where nobody can be asked.
pub fn first_channel() -> Result<Option<Channel>, PromptError> {
    let around = Surroundings::look(None)?;
    Ok(channel::order(&around.facts).first().copied())
}

fn ask_by(
    channel: Channel,
    around: &Surroundings,
    request: &PromptRequest,
    deadline: Option<Instant>,
) -> Result<PromptOutcome, PromptError> {
    match channel {
        Channel::Terminal => match Terminal::open() {
            Ok(terminal) => dialogue::hold(request, &mut AtTerminal::new(terminal, deadline)),
            Err(NoAnswer::Unavailable(reason)) => Ok(PromptOutcome::Unavailable { reason }),
            Err(error) => Err(PromptError::Answer(error)),
        },
        Channel::Pinentry => {
            let place = around
                .pinentry
                .clone()
                .map(|program| AtPinentry::new(program, Terminal::open().ok(), deadline));
            hold_at(place, request, "no pinentry is installed, and BITS_PINENTRY names none")
        }
        Channel::Askpass => {
            let place = around.askpass.clone().map(|program| AtAsker::new(Askpass { program }, deadline));
            hold_at(place, request, "neither BITS_ASKPASS nor SSH_ASKPASS names a program")
        }
        Channel::Dialog => {
            let dialog = around.dialog.clone().filter(|_| around.facts.has_display);
            let place = dialog.map(|(toolkit, program)| AtAsker::new(Dialog { toolkit, program }, deadline));
            hold_at(place, request, "there is no display, or neither zenity nor kdialog is installed")
        }
        Channel::Systemd => {
            let place =
                around.systemd.clone().map(|program| AtAsker::new(SystemdAskPassword { program }, deadline));
            hold_at(place, request, "systemd-ask-password is not installed")
        }
    }
}

/// Holds the dialogue at `place`, or says that there is none for this `reason`.
fn hold_at(
    place: Option<impl Place>,
    request: &PromptRequest,
    reason: &'static str,
) -> Result<PromptOutcome, PromptError> {
    match place {
        Some(mut place) => dialogue::hold(request, &mut place),
        None => Ok(PromptOutcome::Unavailable { reason }),
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
    #[error("BITS_PROMPT is {name:?}; it can be terminal, pinentry, askpass, dialog or systemd")]
    NoSuchChannel { name: String },
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
            Self::NoTarget | Self::OfferedUserName(_) | Self::NoSuchChannel { .. } => Code::INVALID_PARAMETER,
            Self::TooLong { .. } | Self::Answer(NoAnswer::TooLong { .. }) => Code::INSUFFICIENT_BUFFER,
            Self::Identity(error) => error.code(),
            Self::Answer(NoAnswer::NotText | NoAnswer::HasControlCharacters) => Code::INVALID_PARAMETER,
            Self::Answer(_) => Code::NO_SUCH_LOGON_SESSION,
        }
    }
}
