//! Where the credentials of a `get` come from, before it begins and when the server asks.

use bits_client::Scheme;
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::http_options::Proxy;
use bits_client::api::job::{Challenge, Job};
use bits_client::prompt::PromptRequest;
use bits_client::tickets::has_ticket_cache;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::http_options::proxy_list;
use bits_core::remote_name::{RemoteName, UserInfo};

use crate::arguments::Get;
use crate::destination::{DestinationError, Order};
use crate::exit::{Failure, WITHOUT_TERMINAL, number};
use crate::kept::{Kept, from_netrc};
use crate::output::Output;
use crate::sign_in::{self, Answer, OneUser, Typed};

/// The credentials of one command.
pub(super) struct SigningIn<'a> {
    output: &'a Output,
    orders: &'a [Order],
    server: Side,
    proxy: Side,
    /// What the flags say of the proxy, for a question; and whether it is reached by https.
    proxy_name: String,
    is_proxy_tls: bool,
    /// Whether a flag says to save what is typed.
    saves: bool,
    /// What the person wants saved when it has proved to be good.
    to_save: Vec<ToSave>,
    /// Whether stored credentials for the proxy were looked for.
    has_looked_up: bool,
}

/// Credentials to be saved, and for which host.
struct ToSave {
    host: String,
    scheme: Option<AuthScheme>,
    credentials: SetCredentials,
}

/// Who asks, and what for.
#[derive(Debug, Default)]
struct Side {
    scheme: Option<AuthScheme>,
    user: Option<String>,
    first: Option<First>,
    /// Whether a flag or a URL gave the password: then a refusal is final.
    is_final: bool,
    /// Whether a flag named the ticket.
    is_implicit: bool,
    questions: u32,
}

/// Credentials that are there before the job begins.
#[derive(Debug)]
pub(super) struct First {
    pub(super) target: AuthTarget,
    pub(super) scheme: Scheme,
    pub(super) credentials: SetCredentials,
    /// Whether nobody asked for it, and the job may do without.
    pub(super) is_optional: bool,
}

/// What to do after a challenge.
pub(super) enum Next {
    Try {
        credentials: SetCredentials,
        scheme: Scheme,
    },
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
    let mut server: Option<RemoteName> = None;
    let mut taken = OneUser::default();
    for order in &mut *orders {
        let (remote, Some(user_info)) = RemoteName::parse(&order.url).map_err(DestinationError::from)? else {
            continue;
        };
        let is_same_server = server.get_or_insert_with(|| remote.clone()).same_origin(&remote);
        if !is_same_server || !taken.is(&user_info.user, &user_info.password) {
            return usage("the URLs have different users or servers; one job signs in as one user");
        }
        order.url = order.remote.as_str().to_owned();
    }
    let server = server.expect("at least one has some");
    if orders.iter().any(|order| !order.remote.same_origin(&server)) {
        return usage(
            "the user in a URL is for its server, and there are others; make a job for each server",
        );
    }
    Ok(FromUrls::Taken(taken.into_credentials().expect("at least one has some")))
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
        let given = |credentials| First {
            target: AuthTarget::Server,
            // What the saved credentials are for that a flag names.
            scheme: sign_in::scheme_for(get.secret.implicit, get.auth.or(first_scheme)),
            credentials,
            is_optional: false,
        };
        let server = Side {
            scheme: get.auth,
            user: get.secret.user.clone(),
            is_final: first.is_some() || is_in_urls,
            is_implicit: get.secret.implicit,
            first: first.map(given),
            questions: 0,
        };
        let (proxy_name, proxy) = at_the_proxy(get, proxy, output)?;
        let is_proxy_tls = proxy_name.starts_with("https://");
        let mut prepared = Self {
            output,
            orders,
            server,
            proxy,
            proxy_name,
            is_proxy_tls,
            saves: get.saved.save,
            to_save: Vec::new(),
            has_looked_up: false,
        };
        if !prepared.server.is_final {
            prepared.server.first = prepared.ask_beforehand(get).await?.map(given);
            if prepared.server.questions == 0 && has_ticket_cache() {
                prepared.server.first = Some(the_ticket(AuthTarget::Server));
            }
        }
        if prepared.proxy.user.is_some() && !prepared.proxy.is_final {
            prepared.proxy.questions += 1;
            let typed = sign_in::ask_or_fail(prepared.question_of_the_proxy()).await?;
            prepared.proxy.first = Some(of_the_proxy(prepared.proxy.scheme, typed.credentials));
        }
        // Which proxy there is, if any, is found out by the service.
        let suits = prepared.proxy.scheme.is_none_or(|scheme| scheme == AuthScheme::Negotiate);
        if prepared.proxy.first.is_none() && !prepared.proxy.is_final && suits && has_ticket_cache() {
            prepared.proxy.first = Some(the_ticket(AuthTarget::Proxy));
        }
        Ok(prepared)
    }

    /// The credentials to begin with, if there are any. The person's own ticket is one, before anybody
    /// is asked.
    pub(super) fn take_first(&mut self) -> Vec<First> {
        [&mut self.server, &mut self.proxy].into_iter().filter_map(|side| side.first.take()).collect()
    }

    /// Whether this command deals with requests for credentials itself, so that no agent is asked:
    /// it has somebody to ask, or the answer is final.
    pub(super) fn deals_with_challenges(&self) -> bool {
        self.server.is_final || sign_in::can_ask()
    }

    /// What was typed has been taken: it is saved if that is wanted.
    pub(super) async fn is_accepted(&mut self) {
        for ToSave { host, scheme, credentials } in std::mem::take(&mut self.to_save) {
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
    }

    /// Whether, and with what, to try again after `challenge`, which `job` has met.
    pub(super) async fn again(&mut self, challenge: &Challenge, job: &Job) -> Result<Next, Failure> {
        let remote = self.remote(job).clone();
        let is_proxy = challenge.target == AuthTarget::Proxy.name();
        let may_look_up = sign_in::may_use_stored(job, challenge) && !self.has_looked_up;
        if may_look_up && !self.proxy.is_final {
            self.has_looked_up = true;
            if let Some(found) = Kept::open().await?.for_challenge(challenge).await? {
                self.output.say(&format!("{}: trying what is saved as {}", challenge.host, found.name));
                let scheme = found.scheme_or(self.proxy.scheme);
                return Ok(Next::Try { credentials: found.credentials, scheme });
            }
        }
        let (side, is_tls, basic_alone) = match is_proxy {
            false => (&mut self.server, remote.is_tls(), SERVER_BASIC_ALONE),
            true => (&mut self.proxy, self.is_proxy_tls, PROXY_BASIC_ALONE),
        };
        if sign_in::needs_leave(challenge, is_tls, side.scheme) {
            return Ok(Next::GiveUp(basic_alone.to_owned()));
        }
        if side.is_final {
            let hint = match side.is_implicit {
                true => "the server wants more than a ticket; give --user instead of --implicit",
                false => "check user name and password",
            };
            return Ok(Next::GiveUp(hint.to_owned()));
        }
        if side.questions >= QUESTIONS_MAX {
            return Ok(Next::GiveUp(format!("what was typed was refused {QUESTIONS_MAX} times")));
        }
        let refused =
            job.error.as_ref().and_then(|error| Some((number(&error.code)?, error.message.as_str())));
        let mut request = sign_in::question_after(challenge, &remote, side.scheme, refused);
        request.user_name = sign_in::offered_name(side.user.as_ref(), &request);
        request.save = sign_in::save_box().filter(|_| !self.saves);
        side.questions += 1;
        let scheme = side.scheme;
        match sign_in::ask(request).await? {
            Answer::Given(typed) => {
                // Where the password was mistyped the name need not be typed again.
                side.user = Some(typed.credentials.user.clone());
                self.note_to_save(&challenge.host, scheme, &typed);
                let scheme = scheme.map_or(Scheme::Any, Scheme::One);
                Ok(Next::Try { credentials: typed.credentials, scheme })
            }
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
        let host = self.orders[0].remote.authority();
        let is_one_server = self.orders.iter().all(|order| order.remote.same_origin(&self.orders[0].remote));
        request.save = sign_in::save_box().filter(|_| is_one_server && !self.saves);
        if is_demanded {
            let typed = sign_in::ask_or_fail(request).await?;
            self.note_to_save(&host, self.server.scheme, &typed);
            return Ok(Some(typed.credentials));
        }
        match sign_in::ask(request).await? {
            Answer::Given(typed) => {
                self.note_to_save(&host, self.server.scheme, &typed);
                Ok(Some(typed.credentials))
            }
            // Perhaps the server does not ask after all.
            Answer::Nobody(_) => Ok(None),
        }
    }

    /// Keeps what was typed until the server has taken it; what was refused before is of no use.
    fn note_to_save(&mut self, host: &str, scheme: Option<AuthScheme>, typed: &Typed) {
        self.to_save.retain(|other| other.host != host);
        if typed.save || self.saves {
            let password = Password(typed.credentials.password.0.duplicate());
            let credentials = SetCredentials { user: typed.credentials.user.clone(), password };
            self.to_save.push(ToSave { host: host.to_owned(), scheme, credentials });
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
    let side = Side {
        scheme: flags.proxy_auth,
        user: flags.proxy_user.clone(),
        first: first.map(|credentials| of_the_proxy(flags.proxy_auth, credentials)),
        is_final,
        ..Side::default()
    };
    Ok((name, side))
}

/// The person's ticket, for whoever takes it; the job does without where it is of no use.
fn the_ticket(target: AuthTarget) -> First {
    First { target, scheme: Scheme::Any, credentials: SetCredentials::implicit(), is_optional: true }
}

fn of_the_proxy(scheme: Option<AuthScheme>, credentials: SetCredentials) -> First {
    let scheme = scheme.map_or(Scheme::Any, Scheme::One);
    First { target: AuthTarget::Proxy, scheme, credentials, is_optional: false }
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
            server: Side {
                is_implicit: get.secret.implicit,
                ..side(get.auth, orders[0].has_user_info || get.secret.implicit)
            },
            proxy: side(get.proxy_secret.proxy_auth, get.proxy_secret.proxy_password_file.is_some()),
            proxy_name: String::new(),
            is_proxy_tls: false,
            saves: false,
            to_save: Vec::new(),
            has_looked_up: false,
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
            Ok(Next::Try { .. }) => "tried".to_owned(),
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
