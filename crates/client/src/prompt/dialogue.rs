//! What is asked, in which order, wherever it is asked.
//!
//! How a question reaches the person is the place's business; what is said before it is the
//! explanation's.

use std::fmt;

use bits_core::identity::{Identity, IdentityError, Package, TYPED_PASSWORD_UNITS_MAX, UserName};
use bits_core::secret::Secret;
use bits_platform::shown::shown;
use bits_platform::terminal::NoAnswer;

use super::explanation::Explanation;
use super::typed_text::{composed, composed_secret};
use super::{PromptError, PromptOutcome, PromptRequest};

/// A place where a person can be asked. It shows no control characters of what it is given.
pub(super) trait Place {
    /// What is to be shown before, or with, every question from here on.
    fn explain(&mut self, explanation: &Explanation) -> Result<(), NoAnswer>;
    /// Says why the answer before cannot be used; the same question comes again.
    fn correct(&mut self, reason: &str) -> Result<(), NoAnswer>;
    fn ask_name(&mut self, question: &NameQuestion<'_>) -> Result<String, NoAnswer>;
    fn ask_secret(&mut self, question: &str) -> Result<Secret, NoAnswer>;
    /// Asks for yes or no, where `preset` is what an empty answer means. `None` where only texts can
    /// be asked for.
    fn ask_whether(&mut self, question: &str, preset: bool) -> Result<Option<bool>, NoAnswer>;
    /// Whether a user name that is offered is taken without a question.
    fn takes_offered_name(&self) -> bool {
        false
    }
}

/// The question for the user name.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameQuestion<'a> {
    /// What an empty answer takes.
    pub(super) offered: Option<&'a str>,
    hint: &'static str,
}

impl fmt::Display for NameQuestion<'_> {
    /// As a line that waits for its answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offered {
            Some(offered) => write!(f, "User name [{offered}]: "),
            None => write!(f, "User name{}: ", self.hint),
        }
    }
}

/// Whether the question itself is in order.
pub(super) fn check(request: &PromptRequest) -> Result<(), PromptError> {
    if shown(&request.target).trim().is_empty() {
        return Err(PromptError::NoTarget);
    }
    let texts = [
        ("target", Some(&request.target), TARGET_UNITS_MAX),
        ("caption", request.caption.as_ref(), CAPTION_UNITS_MAX),
        ("message", request.message.as_ref(), MESSAGE_UNITS_MAX),
    ];
    for (what, text, units_max) in texts {
        if text.is_some_and(|text| text.encode_utf16().count() > units_max) {
            return Err(PromptError::TooLong { what, units_max });
        }
    }
    if let Some(offered) = &request.user_name {
        UserName::parse(offered).map_err(PromptError::OfferedUserName)?;
    }
    Ok(())
}

/// Holds the dialogue that a checked `request` is about.
pub(super) fn hold(request: &PromptRequest, place: &mut impl Place) -> Result<PromptOutcome, PromptError> {
    match ask_all(request, place) {
        Ok((identity, save)) => Ok(PromptOutcome::Accepted { identity, save }),
        Err(Ended::Unanswered(NoAnswer::Cancelled)) => Ok(PromptOutcome::Cancelled),
        Err(Ended::Unanswered(NoAnswer::TimedOut)) => Ok(PromptOutcome::TimedOut),
        Err(Ended::Unanswered(NoAnswer::Unavailable(reason))) => Ok(PromptOutcome::Unavailable { reason }),
        Err(Ended::Unanswered(reason)) => Err(PromptError::Answer(reason)),
        Err(Ended::Unusable(error)) => Err(PromptError::Identity(error)),
    }
}

fn ask_all(request: &PromptRequest, place: &mut impl Place) -> Result<(Identity, bool), Ended> {
    place.explain(&Explanation::of(request))?;
    let (typed, name) = ask_user_name(request, place)?;
    let password = ask_password(&typed, place)?;
    let identity = Identity::from_user_name(name, password).map_err(Ended::Unusable)?;
    let save = match request.save {
        // Nothing is kept of somebody who could not be asked.
        Some(preset) => place.ask_whether("Remember user name and password?", preset)?.unwrap_or(false),
        None => false,
    };
    Ok((identity, save))
}

/// The name as typed, and its parts.
fn ask_user_name(request: &PromptRequest, place: &mut impl Place) -> Result<(String, UserName), Ended> {
    let hint = match request.package {
        Package::Negotiate | Package::Kerberos | Package::Ntlm => " (DOMAIN\\user or user@realm)",
        Package::Digest | Package::Basic => "",
    };
    let question = NameQuestion { offered: request.user_name.as_deref(), hint };
    retried(place, |place| {
        let typed = match question.offered {
            Some(offered) if place.takes_offered_name() => offered.to_owned(),
            offered => {
                let answer = composed(place.ask_name(&question)?.trim()).into_owned();
                if answer.is_empty() { offered.unwrap_or_default().to_owned() } else { answer }
            }
        };
        let name = UserName::parse(&typed).map_err(Ended::Unusable)?;
        Ok((typed, name))
    })
}

fn ask_password(typed_name: &str, place: &mut impl Place) -> Result<Secret, Ended> {
    let question = format!("Password for {typed_name}: ");
    retried(place, |place| {
        let password = composed_secret(place.ask_secret(&question)?);
        let units = password.expose().encode_utf16().count();
        if units > TYPED_PASSWORD_UNITS_MAX {
            let units_max = TYPED_PASSWORD_UNITS_MAX;
            return Err(Ended::Unusable(IdentityError::TooLong { what: "password", units_max }));
        }
        Ok(password)
    })
}

/// Asks until the answer can be used, saying each time why not, but not for ever.
fn retried<P: Place, T>(place: &mut P, mut ask: impl FnMut(&mut P) -> Result<T, Ended>) -> Result<T, Ended> {
    let mut tries_left = TRIES_MAX;
    loop {
        tries_left -= 1;
        match ask(place) {
            Err(ended) if ended.can_be_mended() && tries_left > 0 => {
                place.correct(&format!("That cannot be used: {ended}."))?;
            }
            outcome => return outcome,
        }
    }
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Unanswered(#[from] NoAnswer),
    #[error(transparent)]
    Unusable(IdentityError),
}

impl Ended {
    /// Whether the person can do better by typing again.
    fn can_be_mended(&self) -> bool {
        match self {
            Self::Unusable(_) => true,
            Self::Unanswered(reason) => matches!(
                reason,
                NoAnswer::TooLong { .. } | NoAnswer::NotText | NoAnswer::HasControlCharacters
            ),
        }
    }
}

/// How often one question is asked before it is given up.
const TRIES_MAX: u32 = 3;

// Lengths in UTF-16 units, `credentials.md` §1.4.
const CAPTION_UNITS_MAX: usize = 128;
const MESSAGE_UNITS_MAX: usize = 1024;
const TARGET_UNITS_MAX: usize = 337;

#[cfg(test)]
mod tests;
