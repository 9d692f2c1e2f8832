//! Where the credentials of a `get` come from, before it begins and when the server asks.

use bits_client::Scheme;
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::job::{Challenge, Job};
use bits_client::tickets::has_ticket_cache;
use bits_core::credentials::AuthScheme;
use bits_core::error::Code;
use bits_core::remote_name::{RemoteName, UserInfo};

use crate::arguments::Get;
use crate::destination::{DestinationError, Order};
use crate::exit::{Failure, WITHOUT_TERMINAL};
use crate::output::Output;
use crate::sign_in::{self, Answer};

/// The credentials of one command.
pub(super) struct SigningIn<'a> {
    output: &'a Output,
    orders: &'a [Order],
    scheme: Option<AuthScheme>,
    user: Option<String>,
    first: Option<First>,
    /// Whether a flag or a URL gave the password: then a refusal is final.
    is_final: bool,
    /// Whether a flag named the ticket.
    is_implicit: bool,
    questions: u32,
}

/// What a job begins with.
pub(super) struct First {
    pub(super) credentials: SetCredentials,
    pub(super) scheme: Scheme,
    /// Whether nobody asked for it, and the job may do without.
    pub(super) is_optional: bool,
}

/// What to do after a challenge.
pub(super) enum Next {
    Try(SetCredentials),
    /// The person cannot help here; the hint says what would.
    GiveUp(String),
}

/// What the URLs have of user names and passwords.
pub(super) enum FromUrls {
    Nothing,
    /// They have some, and the service moves them into credentials.
    Left,
    Taken(SetCredentials),
}

/// Looks for user names and passwords in the URLs. Where a scheme is named they are taken out,
/// since it is for that scheme that they are to be set.
///
/// # Errors
/// [`Failure::Usage`] when there is more than one user, or more than one server for one.
pub(super) fn take_user_info(get: &Get, orders: &mut [Order], output: &Output) -> Result<FromUrls, Failure> {
    if !orders.iter().any(|order| order.has_user_info) {
        return Ok(FromUrls::Nothing);
    }
    let usage = |sentence: &str| Err(Failure::Usage(sentence.to_owned()));
    if get.secret.user.is_some() || get.secret.prompt {
        return usage("there is a user in the URL, and another one is to be given; leave one out");
    }
    output.warn(
        "others on this machine can read a password in a URL; --user with --password-file keeps it to you",
    );
    if get.auth.is_none() {
        return Ok(FromUrls::Left);
    }
    let mut taken: Option<(RemoteName, UserInfo)> = None;
    for order in &mut *orders {
        let (remote, Some(user_info)) = RemoteName::parse(&order.url).map_err(DestinationError::from)? else {
            continue;
        };
        match &taken {
            Some((first, known))
                if !first.same_origin(&remote)
                    || known.user != user_info.user
                    || known.password != user_info.password =>
            {
                return usage("the URLs have different users or servers; one job signs in as one user");
            }
            Some(_) => {}
            None => taken = Some((remote, user_info)),
        }
        order.url = order.remote.as_str().to_owned();
    }
    let (server, UserInfo { user, password }) = taken.expect("at least one has some");
    if orders.iter().any(|order| !order.remote.same_origin(&server)) {
        return usage(
            "the user in a URL is for its server, and there are others; make a job for each server",
        );
    }
    Ok(FromUrls::Taken(SetCredentials { user, password: Password(password) }))
}

/// Times a person is asked: more would only lock accounts.
const QUESTIONS_MAX: u32 = 3;

impl<'a> SigningIn<'a> {
    /// Looks at the flags, and asks at once where they say that it will be needed.
    pub(super) async fn prepare(
        get: &Get,
        orders: &'a [Order],
        from_urls: FromUrls,
        output: &'a Output,
    ) -> Result<Self, Failure> {
        if get.auth == Some(AuthScheme::Basic) && orders.iter().any(|order| !order.remote.is_tls()) {
            output.warn("with basic over plain http everybody on the way can read the password");
        }
        let (is_in_urls, taken) = match from_urls {
            FromUrls::Nothing => (false, None),
            FromUrls::Left => (true, None),
            FromUrls::Taken(credentials) => (true, Some(credentials)),
        };
        let first = sign_in::from_flags(&get.secret, output)?.or(taken);
        let given = |credentials| First {
            credentials,
            scheme: sign_in::scheme_for(&get.secret, get.auth),
            is_optional: false,
        };
        let mut prepared = Self {
            output,
            orders,
            scheme: get.auth,
            user: get.secret.user.clone(),
            is_final: first.is_some() || is_in_urls,
            is_implicit: get.secret.implicit,
            first: first.map(given),
            questions: 0,
        };
        if !prepared.is_final {
            prepared.first = prepared.ask_beforehand(get).await?.map(given);
            if prepared.questions == 0 && has_ticket_cache() {
                prepared.first = Some(First {
                    credentials: SetCredentials::implicit(),
                    scheme: Scheme::Any,
                    is_optional: true,
                });
            }
        }
        Ok(prepared)
    }

    /// The credentials to begin with, if there are any. The person's own ticket is one, before anybody
    /// is asked.
    pub(super) fn take_first(&mut self) -> Option<First> {
        self.first.take()
    }

    /// The scheme that credentials are set for.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme.map_or(Scheme::Any, Scheme::One)
    }

    /// Whether, and with what, to try again after `challenge`, which `job` has met.
    pub(super) async fn again(&mut self, challenge: &Challenge, job: &Job) -> Result<Next, Failure> {
        let remote = self.remote(job);
        if sign_in::needs_leave(challenge, remote, self.scheme) {
            let hint =
                "the server takes Basic alone, which everybody on the way can read; --auth basic permits it";
            return Ok(Next::GiveUp(hint.to_owned()));
        }
        if self.is_final {
            let hint = match self.is_implicit {
                true => "the server wants more than a ticket; give --user instead of --implicit",
                false => "check user name and password",
            };
            return Ok(Next::GiveUp(hint.to_owned()));
        }
        if self.questions >= QUESTIONS_MAX {
            return Ok(Next::GiveUp(format!("what was typed was refused {QUESTIONS_MAX} times")));
        }
        let refused =
            job.error.as_ref().and_then(|error| Some((number(&error.code)?, error.message.as_str())));
        let mut request = sign_in::question_after(challenge, remote, self.scheme, refused);
        request.user_name = self.user.clone();
        self.questions += 1;
        match sign_in::ask(request).await? {
            Answer::Given(credentials) => Ok(Next::Try(credentials)),
            Answer::Nobody(reason) => {
                self.output.detail(&format!("there is nobody to ask for credentials: {reason}"));
                Ok(Next::GiveUp(WITHOUT_TERMINAL.to_owned()))
            }
        }
    }

    async fn ask_beforehand(&mut self, get: &Get) -> Result<Option<SetCredentials>, Failure> {
        let is_demanded = get.secret.prompt || get.secret.user.is_some();
        if !is_demanded && get.auth.is_none() {
            return Ok(None);
        }
        let mut request = sign_in::question(&self.orders[0].remote, self.scheme);
        request.user_name = self.user.clone();
        self.questions += 1;
        if is_demanded {
            return sign_in::ask_or_fail(request).await.map(Some);
        }
        match sign_in::ask(request).await? {
            Answer::Given(credentials) => Ok(Some(credentials)),
            // Perhaps the server does not ask after all.
            Answer::Nobody(_) => Ok(None),
        }
    }

    /// Where the file comes from that the job's error is about.
    fn remote(&self, job: &Job) -> &RemoteName {
        let file = job.error.as_ref().and_then(|error| error.file);
        let index = file.and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
        &self.orders.get(index).unwrap_or(&self.orders[0]).remote
    }
}

fn number(code: &str) -> Option<Code> {
    u32::from_str_radix(code.strip_prefix("0x")?, 16).ok().map(Code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::destination::{Here, from_operands};
    use crate::output::words::tests::{a_job, an_error};
    use clap::Parser;
    use std::path::Path;

    /// Somebody who has been asked `questions` times for credentials for `url`.
    async fn next(url: &str, flags: &[&str], schemes: &[&str], questions: u32) -> String {
        let arguments = Arguments::parse_from([&["bits", "get", url], flags].concat());
        let output = Output::new(&arguments.everywhere);
        let Command::Get(get) = arguments.command else { panic!("it is a get") };
        let here = Here { folder: Some(Path::new("/h")), is_folder: &|_| true, creates_folders: false };
        let orders = from_operands(&[url], &here).expect("orders");
        let mut signing_in = SigningIn {
            output: &output,
            orders: &orders,
            scheme: get.auth,
            user: None,
            first: None,
            is_final: orders[0].has_user_info || get.secret.implicit,
            is_implicit: get.secret.implicit,
            questions,
        };
        let challenge = Challenge {
            target: "server".to_owned(),
            host: "h".to_owned(),
            realm: None,
            schemes: schemes.iter().map(|word| (*word).to_owned()).collect(),
            refused: false,
        };
        let job = Job { error: Some(an_error("0x80190191", false)), ..a_job("error") };
        match signing_in.again(&challenge, &job).await {
            Ok(Next::GiveUp(hint)) => hint,
            Ok(Next::Try(_)) => "tried".to_owned(),
            Err(failure) => format!("{failure:?}"),
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_where_an_answer_would_not_help() {
        for (url, flags, schemes, questions, expected) in [
            ("http://anna:p@h/f", &["-q"][..], &["negotiate"][..], 0, "check user name and password"),
            ("http://h/f", &["-q", "--implicit"], &["ntlm"], 0, "the server wants more than a ticket"),
            ("http://h/f", &["-q"], &["negotiate"], 3, "what was typed was refused 3 times"),
            ("http://h/f", &["-q"], &["basic"], 0, "the server takes Basic alone"),
            ("http://anna:p@h/f", &["-q"], &["basic"], 0, "the server takes Basic alone"),
        ] {
            let hint = next(url, flags, schemes, questions).await;
            assert!(hint.starts_with(expected), "{url}: {hint}");
        }
    }
}
