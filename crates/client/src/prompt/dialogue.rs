//! What is said and asked, in which order, wherever it is asked.
//!
//! How a question reaches the person is the channel's business.

use bits_core::error::codes;
use bits_core::identity::{Identity, IdentityError, Package, TYPED_PASSWORD_UNITS_MAX, UserName};
use bits_core::secret::Secret;
use bits_platform::shown::shown;
use bits_platform::terminal::NoAnswer;

use super::typed_text::{composed, composed_secret};
use super::{PromptError, PromptOutcome, PromptRequest};

/// A place where a person can be asked. It shows no control characters of what it is given.
pub(super) trait Channel {
    fn tell(&mut self, line: &str) -> Result<(), NoAnswer>;
    fn ask_line(&mut self, question: &str) -> Result<String, NoAnswer>;
    fn ask_secret(&mut self, question: &str) -> Result<Secret, NoAnswer>;
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
pub(super) fn hold(
    request: &PromptRequest,
    channel: &mut impl Channel,
) -> Result<PromptOutcome, PromptError> {
    let answers = explain(request, channel).map_err(Ended::Unanswered).and_then(|()| {
        let (typed, name) = ask_user_name(request, channel)?;
        let password = ask_password(&typed, channel)?;
        Identity::from_user_name(name, password).map_err(Ended::Unusable)
    });
    match answers {
        Ok(identity) => Ok(PromptOutcome::Accepted { identity, save: request.save.unwrap_or_default() }),
        Err(Ended::Unanswered(NoAnswer::Cancelled)) => Ok(PromptOutcome::Cancelled),
        Err(Ended::Unanswered(NoAnswer::TimedOut)) => Ok(PromptOutcome::TimedOut),
        Err(Ended::Unanswered(NoAnswer::Unavailable(reason))) => Ok(PromptOutcome::Unavailable { reason }),
        Err(Ended::Unanswered(reason)) => Err(PromptError::Answer(reason)),
        Err(Ended::Unusable(error)) => Err(PromptError::Identity(error)),
    }
}

/// Says who asks and why. Foreign texts come first and marked, so that none of them can be taken
/// for the target below.
fn explain(request: &PromptRequest, channel: &mut impl Channel) -> Result<(), NoAnswer> {
    channel.tell("OpenBITS asks for credentials.")?;
    for foreign in [&request.caption, &request.message].into_iter().flatten() {
        for line in foreign.lines() {
            channel.tell(&format!("{FOREIGN_MARK}{line}"))?;
        }
    }
    channel.tell(&format!("For:     {} ({})", request.target, request.package.name()))?;
    if let Some(realm) = &request.realm {
        let beginning: String = realm.chars().take(REALM_SHOWN_MAX).collect();
        channel.tell(&format!("Realm:   {:?}", shown(&beginning)))?;
    }
    if let Some(code) = request.refused {
        let meaning = || codes::describe(code).map(|known| known.meaning.into_owned());
        let why = request.refused_because.as_deref().map(shown);
        let why = why.or_else(meaning).map(|why| format!("{why} ")).unwrap_or_default();
        channel.tell(&format!("Refused: {why}({}, {code})", code.name()))?;
    }
    match (request.unencrypted, danger(request.package)) {
        (true, Some(danger)) => channel.tell(&format!("Warning: the connection is not encrypted; {danger}.")),
        _ => Ok(()),
    }
}

/// What can happen to credentials of `package` on a connection without TLS.
fn danger(package: Package) -> Option<&'static str> {
    match package {
        Package::Basic => Some("anybody on the way can read the password"),
        Package::Ntlm => Some("anybody on the way can use the sign-in and guess the password from it"),
        Package::Negotiate | Package::Kerberos | Package::Digest => None,
    }
}

/// The name as typed, and its parts.
fn ask_user_name(request: &PromptRequest, channel: &mut impl Channel) -> Result<(String, UserName), Ended> {
    let hint = match request.package {
        Package::Negotiate | Package::Kerberos | Package::Ntlm => " (DOMAIN\\user or user@realm)",
        Package::Digest | Package::Basic => "",
    };
    let question = match &request.user_name {
        Some(offered) => format!("User name [{offered}]: "),
        None => format!("User name{hint}: "),
    };
    retried(channel, |channel| {
        let answer = composed(channel.ask_line(&question)?.trim()).into_owned();
        let typed = match (&request.user_name, answer.is_empty()) {
            (Some(offered), true) => offered.clone(),
            _ => answer,
        };
        let name = UserName::parse(&typed).map_err(Ended::Unusable)?;
        Ok((typed, name))
    })
}

fn ask_password(typed_name: &str, channel: &mut impl Channel) -> Result<Secret, Ended> {
    let question = format!("Password for {typed_name}: ");
    retried(channel, |channel| {
        let password = composed_secret(channel.ask_secret(&question)?);
        let units = password.expose().encode_utf16().count();
        if units > TYPED_PASSWORD_UNITS_MAX {
            let units_max = TYPED_PASSWORD_UNITS_MAX;
            return Err(Ended::Unusable(IdentityError::TooLong { what: "password", units_max }));
        }
        Ok(password)
    })
}

/// Asks until the answer can be used, saying each time why not, but not for ever.
fn retried<C: Channel, T>(
    channel: &mut C,
    mut ask: impl FnMut(&mut C) -> Result<T, Ended>,
) -> Result<T, Ended> {
    let mut tries_left = TRIES_MAX;
    loop {
        tries_left -= 1;
        match ask(channel) {
            Err(ended) if ended.can_be_mended() && tries_left > 0 => {
                channel.tell(&format!("That cannot be used: {ended}."))?;
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

/// Characters of a realm that are shown. A server may send more; that is no reason not to ask.
const REALM_SHOWN_MAX: usize = 256;
/// What foreign lines begin with.
const FOREIGN_MARK: &str = "  | ";
/// How often one question is asked before it is given up.
const TRIES_MAX: u32 = 3;

// Lengths in UTF-16 units, `credentials.md` §1.4.
const CAPTION_UNITS_MAX: usize = 128;
const MESSAGE_UNITS_MAX: usize = 1024;
const TARGET_UNITS_MAX: usize = 337;

#[cfg(test)]
mod tests;
