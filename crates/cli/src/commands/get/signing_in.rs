//! Where the credentials of a `get` come from, before it begins and when the server asks.

use bits_client::Scheme;
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::job::{Challenge, Job};
use bits_core::credentials::AuthScheme;
use bits_core::remote_name::{RemoteName, UserInfo};

use crate::arguments::Get;
use crate::destination::{DestinationError, Order};
use crate::exit::{Failure, WITHOUT_TERMINAL, number};
use crate::kept::{Kept, from_netrc};
use crate::output::Output;
use crate::sign_in::{self, Answer, Typed};

/// The credentials of one command.
pub(super) struct SigningIn<'a> {
    output: &'a Output,
    orders: &'a [Order],
    scheme: Option<AuthScheme>,
    user: Option<String>,
    first: Option<SetCredentials>,
    /// What the saved credentials are for that a flag names.
    first_scheme: Option<AuthScheme>,
    /// Whether a flag or a URL gave the password: then a refusal is final.
    is_final: bool,
    questions: u32,
    /// Whether a flag says to save what is typed.
    saves: bool,
    /// What the person wants saved when it has proved to be good.
    to_save: Option<ToSave>,
}

/// Credentials to be saved, and for which host.
struct ToSave {
    host: String,
    scheme: Option<AuthScheme>,
    credentials: SetCredentials,
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
    let is_given = get.secret.user.is_some() || get.secret.prompt || get.saved.credential.is_some();
    if is_given || get.netrc.netrc || get.netrc.netrc_file.is_some() {
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
        let mut first = sign_in::from_flags(&get.secret, output)?.or(taken);
        let mut first_scheme = None;
        if let Some(name) = &get.saved.credential {
            let found = Kept::open().await?.named(name, get.auth).await?;
            first_scheme = found.scheme;
            first = Some(found.credentials);
        }
        if first.is_none() {
            let remotes = orders.iter().map(|order| &order.remote);
            first = from_netrc(&get.netrc, get.secret.user.as_deref(), remotes, output)?;
        }
        let mut prepared = Self {
            output,
            orders,
            scheme: get.auth,
            user: get.secret.user.clone(),
            is_final: first.is_some() || is_in_urls,
            first,
            first_scheme,
            questions: 0,
            saves: get.saved.save,
            to_save: None,
        };
        if !prepared.is_final {
            prepared.first = prepared.ask_beforehand(get).await?;
        }
        Ok(prepared)
    }

    /// The credentials to begin with, if there are any.
    pub(super) fn take_first(&mut self) -> Option<SetCredentials> {
        self.first.take()
    }

    /// The scheme that credentials are set for.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme.map_or(Scheme::Any, Scheme::One)
    }

    /// The scheme that the first credentials are set for.
    pub(super) fn first_scheme(&self) -> Scheme {
        self.scheme.or(self.first_scheme).map_or(Scheme::Any, Scheme::One)
    }

    /// Whether this command deals with requests for credentials itself, so that no agent is asked:
    /// it has somebody to ask, or the answer is final.
    pub(super) fn deals_with_challenges(&self) -> bool {
        self.is_final || sign_in::can_ask()
    }

    /// The server has taken what the person typed: it is saved if that is wanted.
    pub(super) async fn is_accepted(&mut self) {
        let Some(ToSave { host, scheme, credentials }) = self.to_save.take() else { return };
        let saved = async {
            let kept = Kept::open().await?;
            kept.save(&host, scheme, &credentials).await?;
            Ok::<_, Failure>(kept.place().to_owned())
        };
        match saved.await {
            Ok(place) => self.output.say(&format!("{host}: the credentials are saved in {place}")),
            Err(failure) => {
                self.output.warn("the credentials were not saved");
                failure.tell(self.output);
            }
        }
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
            return Ok(Next::GiveUp("check user name and password".to_owned()));
        }
        if self.questions >= QUESTIONS_MAX {
            return Ok(Next::GiveUp(format!("what was typed was refused {QUESTIONS_MAX} times")));
        }
        let refused =
            job.error.as_ref().and_then(|error| Some((number(&error.code)?, error.message.as_str())));
        let mut request = sign_in::question_after(challenge, remote, self.scheme, refused);
        request.user_name = self.user.clone();
        request.save = sign_in::save_box().filter(|_| !self.saves);
        self.questions += 1;
        match sign_in::ask(request).await? {
            Answer::Given(typed) => {
                self.note_to_save(&challenge.host, &typed);
                Ok(Next::Try(typed.credentials))
            }
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
        let host = self.orders[0].remote.authority();
        let is_one_server = self.orders.iter().all(|order| order.remote.same_origin(&self.orders[0].remote));
        request.save = sign_in::save_box().filter(|_| is_one_server && !self.saves);
        if is_demanded {
            let typed = sign_in::ask_or_fail(request).await?;
            self.note_to_save(&host, &typed);
            return Ok(Some(typed.credentials));
        }
        match sign_in::ask(request).await? {
            Answer::Given(typed) => {
                self.note_to_save(&host, &typed);
                Ok(Some(typed.credentials))
            }
            // Perhaps the server does not ask after all.
            Answer::Nobody(_) => Ok(None),
        }
    }

    fn note_to_save(&mut self, host: &str, typed: &Typed) {
        self.to_save = (typed.save || self.saves).then(|| ToSave {
            host: host.to_owned(),
            scheme: self.scheme,
            credentials: SetCredentials {
                user: typed.credentials.user.clone(),
                password: Password(typed.credentials.password.0.duplicate()),
            },
        });
    }

    /// Where the file comes from that the job's error is about.
    fn remote(&self, job: &Job) -> &RemoteName {
        let file = job.error.as_ref().and_then(|error| error.file);
        let index = file.and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
        &self.orders.get(index).unwrap_or(&self.orders[0]).remote
    }
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
            first_scheme: None,
            saves: false,
            to_save: None,
            is_final: orders[0].has_user_info,
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
            ("http://h/f", &["-q"], &["negotiate"], 3, "what was typed was refused 3 times"),
            ("http://h/f", &["-q"], &["basic"], 0, "the server takes Basic alone"),
            ("http://anna:p@h/f", &["-q"], &["basic"], 0, "the server takes Basic alone"),
        ] {
            let hint = next(url, flags, schemes, questions).await;
            assert!(hint.starts_with(expected), "{url}: {hint}");
        }
    }
}
