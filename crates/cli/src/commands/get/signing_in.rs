//! Where the credentials of a `get` come from, before it begins and when the server asks.

use bits_client::Scheme;
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::http_options::Proxy;
use bits_client::api::job::{Challenge, Job};
use bits_client::prompt::PromptRequest;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;
use bits_core::http_options::proxy_list;
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
    server: Side,
    proxy: Side,
    /// What the flags say of the proxy, for a question; and whether it is reached by https.
    proxy_name: String,
    is_proxy_tls: bool,
}

/// Who asks, and what for.
#[derive(Debug, Default)]
struct Side {
    scheme: Option<AuthScheme>,
    user: Option<String>,
    first: Option<SetCredentials>,
    /// Whether a flag or a URL gave the password: then a refusal is final.
    is_final: bool,
    questions: u32,
}

/// Credentials that are there before the job begins.
pub(super) struct First {
    pub(super) target: AuthTarget,
    pub(super) scheme: Scheme,
    pub(super) credentials: SetCredentials,
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
    /// Looks at the flags, and asks at once where they say that it will be needed. Who signs in at
    /// the proxy by its URL is taken out of `proxy` where a scheme is named for it.
    pub(super) async fn prepare(
        get: &Get,
        orders: &'a [Order],
        from_urls: FromUrls,
        proxy: &mut Option<Proxy>,
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
        let server = Side {
            scheme: get.auth,
            user: get.secret.user.clone(),
            is_final: first.is_some() || is_in_urls,
            first,
            questions: 0,
        };
        let (proxy_name, proxy) = at_the_proxy(get, proxy, output)?;
        let is_proxy_tls = proxy_name.starts_with("https://");
        let mut prepared = Self { output, orders, server, proxy, proxy_name, is_proxy_tls };
        if !prepared.server.is_final {
            prepared.server.first = prepared.ask_beforehand(get).await?;
        }
        if prepared.proxy.user.is_some() && !prepared.proxy.is_final {
            prepared.proxy.questions += 1;
            prepared.proxy.first = Some(sign_in::ask_or_fail(prepared.question_of_the_proxy()).await?);
        }
        Ok(prepared)
    }

    /// The credentials to begin with.
    pub(super) fn take_first(&mut self) -> Vec<First> {
        let sides = [(AuthTarget::Server, &mut self.server), (AuthTarget::Proxy, &mut self.proxy)];
        let first = sides.into_iter().filter_map(|(target, side)| {
            let credentials = side.first.take()?;
            Some(First { target, scheme: side.scheme.map_or(Scheme::Any, Scheme::One), credentials })
        });
        first.collect()
    }

    /// The scheme that credentials for `target` are set for.
    pub(super) fn scheme(&self, target: AuthTarget) -> Scheme {
        let side = match target {
            AuthTarget::Server => &self.server,
            AuthTarget::Proxy => &self.proxy,
        };
        side.scheme.map_or(Scheme::Any, Scheme::One)
    }

    /// Whether, and with what, to try again after `challenge`, which `job` has met.
    pub(super) async fn again(&mut self, challenge: &Challenge, job: &Job) -> Result<Next, Failure> {
        let remote = self.remote(job).clone();
        let is_proxy = challenge.target == AuthTarget::Proxy.name();
        let (side, is_tls, basic_alone) = match is_proxy {
            false => (&mut self.server, remote.is_tls(), SERVER_BASIC_ALONE),
            true => (&mut self.proxy, self.is_proxy_tls, PROXY_BASIC_ALONE),
        };
        if sign_in::needs_leave(challenge, is_tls, side.scheme) {
            return Ok(Next::GiveUp(basic_alone.to_owned()));
        }
        if side.is_final {
            return Ok(Next::GiveUp("check user name and password".to_owned()));
        }
        if side.questions >= QUESTIONS_MAX {
            return Ok(Next::GiveUp(format!("what was typed was refused {QUESTIONS_MAX} times")));
        }
        let refused =
            job.error.as_ref().and_then(|error| Some((number(&error.code)?, error.message.as_str())));
        let mut request = sign_in::question_after(challenge, &remote, side.scheme, refused);
        request.user_name = side.user.clone();
        side.questions += 1;
        match sign_in::ask(request).await? {
            Answer::Given(credentials) => Ok(Next::Try(credentials)),
            Answer::Nobody(reason) => {
                self.output.detail(&format!("there is nobody to ask for credentials: {reason}"));
                let hint = if is_proxy { WITHOUT_TERMINAL_AT_PROXY } else { WITHOUT_TERMINAL };
                Ok(Next::GiveUp(hint.to_owned()))
            }
        }
    }

    async fn ask_beforehand(&mut self, get: &Get) -> Result<Option<SetCredentials>, Failure> {
        let is_demanded = get.secret.prompt || get.secret.user.is_some();
        if !is_demanded && get.auth.is_none() {
            return Ok(None);
        }
        let mut request = sign_in::question(&self.orders[0].remote, self.server.scheme);
        request.user_name = self.server.user.clone();
        self.server.questions += 1;
        if is_demanded {
            return sign_in::ask_or_fail(request).await.map(Some);
        }
        match sign_in::ask(request).await? {
            Answer::Given(credentials) => Ok(Some(credentials)),
            // Perhaps the server does not ask after all.
            Answer::Nobody(_) => Ok(None),
        }
    }

    fn question_of_the_proxy(&self) -> PromptRequest {
        let name = match self.proxy_name.as_str() {
            "" => "the proxy on the way".to_owned(),
            name => format!("proxy {name}"),
        };
        let mut request = PromptRequest::new(name, sign_in::package(self.proxy.scheme));
        request.unencrypted = !self.is_proxy_tls;
        request.user_name = self.proxy.user.clone();
        request
    }

    /// Where the file comes from that the job's error is about.
    fn remote(&self, job: &Job) -> &RemoteName {
        let file = job.error.as_ref().and_then(|error| error.file);
        let index = file.and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
        &self.orders.get(index).unwrap_or(&self.orders[0]).remote
    }
}

const SERVER_BASIC_ALONE: &str =
    "the server takes Basic alone, which everybody on the way can read; --auth basic permits it";
const PROXY_BASIC_ALONE: &str =
    "the proxy takes Basic alone, which everybody on the way can read; --proxy-auth basic permits it";
const WITHOUT_TERMINAL_AT_PROXY: &str = "give --proxy-user with --proxy-password-file";

/// What the proxy is called, and what is known of who signs in there.
fn at_the_proxy(get: &Get, proxy: &mut Option<Proxy>, output: &Output) -> Result<(String, Side), Failure> {
    let flags = &get.proxy_secret;
    let mut name = String::new();
    let mut first = None;
    let mut is_in_url = false;
    if let Some(list) = proxy.as_mut().and_then(|proxy| proxy.list.as_mut()) {
        let taken = proxy_list(list).map_err(|wrong| Failure::Usage(format!("the proxy {wrong}")))?;
        let user_info;
        (name, user_info) = taken;
        if let Some(UserInfo { user, password }) = user_info {
            if flags.proxy_user.is_some() {
                let sentence = "there is a user in the proxy's URL, and another one is given; leave one out";
                return Err(Failure::Usage(sentence.to_owned()));
            }
            is_in_url = true;
            // Without a scheme the service does the same for all that suit.
            if flags.proxy_auth.is_some() {
                first = Some(SetCredentials { user, password: Password(password) });
                list.clone_from(&name);
            }
        }
    }
    if flags.proxy_auth == Some(AuthScheme::Basic) && !name.starts_with("https://") {
        output.warn("with basic and no https to the proxy everybody on the way can read the password");
    }
    if let (Some(user), Some(path)) = (&flags.proxy_user, &flags.proxy_password_file) {
        let password = crate::requests::passphrase(path, output)?;
        first = Some(SetCredentials { user: user.clone(), password });
    }
    let is_final = first.is_some() || is_in_url;
    let side =
        Side { scheme: flags.proxy_auth, user: flags.proxy_user.clone(), first, is_final, questions: 0 };
    Ok((name, side))
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
    async fn next(target: &str, url: &str, flags: &[&str], schemes: &[&str], questions: u32) -> String {
        let arguments = Arguments::parse_from([&["bits", "get", url], flags].concat());
        let output = Output::new(&arguments.everywhere);
        let Command::Get(get) = arguments.command else { panic!("it is a get") };
        let here = Here { folder: Some(Path::new("/h")), is_folder: &|_| true, creates_folders: false };
        let orders = from_operands(&[url], &here).expect("orders");
        let side = |scheme, is_final| Side { scheme, is_final, questions, ..Side::default() };
        let mut signing_in = SigningIn {
            output: &output,
            orders: &orders,
            server: side(get.auth, orders[0].has_user_info),
            proxy: side(get.proxy_secret.proxy_auth, get.proxy_secret.proxy_password_file.is_some()),
            proxy_name: String::new(),
            is_proxy_tls: false,
        };
        let challenge = Challenge {
            target: target.to_owned(),
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
            let hint = next("server", url, flags, schemes, questions).await;
            assert!(hint.starts_with(expected), "{url}: {hint}");
        }
        let file = ["-q", "--proxy-user", "anna", "--proxy-password-file", "f"];
        for (flags, schemes, questions, expected) in [
            (&file[..], &["digest"][..], 0, "check user name and password"),
            (&["-q"], &["digest"], 3, "what was typed was refused 3 times"),
            (&["-q"], &["basic"], 0, "the proxy takes Basic alone"),
            (&["-q", "--auth", "basic"], &["basic"], 0, "the proxy takes Basic alone"),
        ] {
            let hint = next("proxy", "http://h/f", flags, schemes, questions).await;
            assert!(hint.starts_with(expected), "{flags:?}: {hint}");
        }
    }
}
