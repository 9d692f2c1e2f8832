//! Where a user name and a password come from: flags, or the person at the terminal.

use bits_client::Scheme;
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::job::{Challenge, Job};
use bits_client::prompt::password_sources::{read_password_file, read_password_stdin};
use bits_client::prompt::{
    Channel, PromptError, PromptOutcome, PromptRequest, first_channel, prompt_for_credentials,
};
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;
use bits_core::identity::{Identity, Package};
use bits_core::remote_name::RemoteName;
use bits_core::secret::Secret;

use crate::arguments::Secret as SecretFlags;
use crate::exit::Failure;
use crate::kept::offered;
use crate::output::Output;

/// What a person answered.
pub(crate) enum Answer {
    Given(Typed),
    /// Why nobody could be asked.
    Nobody(&'static str),
}

/// What a person typed.
pub(crate) struct Typed {
    pub(crate) credentials: SetCredentials,
    /// Whether it is to be saved.
    pub(crate) save: bool,
}

/// The user that all servers of a job have in common: one job signs in as one.
#[derive(Default)]
pub(crate) struct OneUser(Option<SetCredentials>);

impl OneUser {
    /// Whether this is the one, as it is the first or the same again.
    pub(crate) fn is(&mut self, user: &str, password: &Secret) -> bool {
        let one = self.0.get_or_insert_with(|| SetCredentials {
            user: user.to_owned(),
            password: Password(password.duplicate()),
        });
        one.user == user && one.password.0 == *password
    }

    pub(crate) fn into_credentials(self) -> Option<SetCredentials> {
        self.0
    }
}

/// The credentials that the flags give: none when nothing but the person has them.
pub(crate) fn from_flags(flags: &SecretFlags, output: &Output) -> Result<Option<SetCredentials>, Failure> {
    if flags.implicit {
        return Ok(Some(SetCredentials::implicit()));
    }
    let Some(user) = &flags.user else { return Ok(None) };
    if user.is_empty() {
        return Err(Failure::Usage("--user is empty; give a name, DOMAIN\\user or user@realm".to_owned()));
    }
    let password = if let Some(path) = &flags.password_file {
        let file = read_password_file(path)?;
        if let Some(notice) = file.notice {
            output.warn(&notice.to_string());
        }
        file.password
    } else if flags.password_stdin {
        read_password_stdin()?
    } else {
        return Ok(None);
    };
    Ok(Some(SetCredentials { user: user.clone(), password: Password(password) }))
}

/// For which scheme credentials are set that the flags give for `scheme`. A ticket that a flag names is
/// for Negotiate, as the job is to wait for it.
pub(crate) fn scheme_for(is_implicit: bool, scheme: Option<AuthScheme>) -> Scheme {
    match scheme {
        Some(scheme) => Scheme::One(scheme),
        None if is_implicit => Scheme::One(AuthScheme::Negotiate),
        None => Scheme::Any,
    }
}

/// Asks the person at the terminal.
///
/// # Errors
/// [`Failure::NoCredentials`] when the person cancels or does not answer.
pub(crate) async fn ask(request: PromptRequest) -> Result<Answer, Failure> {
    let outcome = prompted(request).await?;
    let code = outcome.code();
    match outcome {
        PromptOutcome::Accepted { identity, save } => {
            Ok(Answer::Given(Typed { credentials: credentials(&identity), save }))
        }
        PromptOutcome::Unavailable { reason } => Ok(Answer::Nobody(reason)),
        PromptOutcome::Cancelled => Err(no_credentials(code, "cancelled; no credentials were given")),
        PromptOutcome::TimedOut => Err(no_credentials(code, "nobody answered in time")),
    }
}

/// Whether there is somebody to ask, as far as can be seen beforehand.
pub(crate) fn can_ask() -> bool {
    // What cannot be understood is said when it comes to asking.
    first_channel().map_or(true, |channel| channel.is_some())
}

/// The box for saving, as it stands at first. At a terminal there is none: what was asked for is user
/// name and password, and whoever wants more says `--save`.
pub(crate) fn save_box() -> Option<bool> {
    let is_terminal = matches!(first_channel(), Ok(Some(Channel::Terminal)));
    (!is_terminal).then_some(false)
}

/// Asks on a thread of its own: a command that ends does not wait for an answer.
pub(crate) async fn prompted(request: PromptRequest) -> Result<PromptOutcome, PromptError> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Nobody may want to know any more.
        let _ = answer.send(prompt_for_credentials(&request));
    });
    answered.await.expect("asking does not panic")
}

/// Asks the person, who was demanded by a flag.
///
/// # Errors
/// As [`ask`], and when there is nowhere to ask.
pub(crate) async fn ask_or_fail(request: PromptRequest) -> Result<Typed, Failure> {
    match ask(request).await? {
        Answer::Given(typed) => Ok(typed),
        Answer::Nobody(reason) => Err(no_credentials(
            Code::NO_SUCH_LOGON_SESSION,
            &format!("there is nobody to ask for credentials: {reason}"),
        )),
    }
}

/// A first question about the server of `remote`.
pub(crate) fn question(remote: &RemoteName, scheme: Option<AuthScheme>) -> PromptRequest {
    let mut request = PromptRequest::new(origin(remote), package(scheme));
    request.unencrypted = !remote.is_tls();
    request
}

/// A question because of `challenge`, which a file of `remote` met; `refused` is the code in which
/// credentials before it ended.
pub(crate) fn question_after(
    challenge: &Challenge,
    remote: &RemoteName,
    scheme: Option<AuthScheme>,
    refused: Option<(Code, &str)>,
) -> PromptRequest {
    let offered = offered(challenge).first().copied();
    let is_the_server = is_from(challenge, remote);
    // After a redirect only the host is known; that it is safe is not assumed.
    let target = match is_the_server {
        true => origin(remote),
        false => format!("{} {}", challenge.target, challenge.host),
    };
    let mut request = PromptRequest::new(target, package(scheme.or(offered)));
    request.unencrypted = !is_known_to_be_tls(challenge, remote);
    request.realm = challenge.realm.clone();
    // What could not be sent as it was typed has a reason, too.
    let has_reason = |code| challenge.refused || code == Code::UNKNOWN_CREDENTIALS;
    if let Some((code, sentence)) = refused.filter(|(code, _)| has_reason(*code)) {
        request.refused = Some(code);
        request.refused_because = Some(sentence.to_owned());
    }
    request
}

/// The user name to be offered with `request`: the one before, unless it is what could not be used.
pub(crate) fn offered_name(user: Option<&String>, request: &PromptRequest) -> Option<String> {
    user.filter(|_| request.refused != Some(Code::UNKNOWN_CREDENTIALS)).cloned()
}

/// Whether it is known that an answer to `challenge`, which a file of `remote` met, goes over TLS. Of a
/// proxy it is not, and where a redirect led neither.
pub(crate) fn is_known_to_be_tls(challenge: &Challenge, remote: &RemoteName) -> bool {
    is_from(challenge, remote) && remote.is_tls()
}

/// Whether `challenge` is from the server of `remote` itself.
fn is_from(challenge: &Challenge, remote: &RemoteName) -> bool {
    challenge.target == AuthTarget::Server.name() && challenge.host == remote.authority()
}

/// Whether all a server offers is a scheme that may not be used there without being named: Basic
/// where everybody can listen.
pub(crate) fn needs_leave(challenge: &Challenge, is_tls: bool, scheme: Option<AuthScheme>) -> bool {
    let only_basic = challenge.schemes.iter().all(|word| word == AuthScheme::Basic.name());
    only_basic && !challenge.schemes.is_empty() && !is_tls && scheme != Some(AuthScheme::Basic)
}

/// Whether `job` says that its owner's stored credentials may answer the proxy that has sent
/// `challenge` (`USE_STORED_CREDENTIALS`), and none was refused there yet.
pub(crate) fn may_use_stored(job: &Job, challenge: &Challenge) -> bool {
    challenge.target == AuthTarget::Proxy.name() && job.use_stored_credentials.is_some() && !challenge.refused
}

/// The package of a question about `scheme`.
pub(crate) fn package(scheme: Option<AuthScheme>) -> Package {
    scheme.map_or(Package::Negotiate, Package::from)
}

fn origin(remote: &RemoteName) -> String {
    let scheme = if remote.is_tls() { "https" } else { "http" };
    format!("server {scheme}://{}", remote.authority())
}

pub(crate) fn credentials(identity: &Identity) -> SetCredentials {
    let strings = identity.encode_as_strings();
    SetCredentials {
        user: strings.qualified_user_name().unwrap_or_default(),
        password: Password(strings.password.unwrap_or_else(|| bits_core::secret::Secret::new(String::new()))),
    }
}

pub(crate) fn no_credentials(code: Code, sentence: &str) -> Failure {
    Failure::NoCredentials { code, sentence: sentence.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &str) -> RemoteName {
        RemoteName::parse(url).expect("a URL").0
    }

    fn challenge(host: &str, schemes: &[&str]) -> Challenge {
        Challenge {
            target: "server".to_owned(),
            host: host.to_owned(),
            realm: Some("the office".to_owned()),
            schemes: schemes.iter().map(|word| (*word).to_owned()).collect(),
            refused: true,
        }
    }

    #[test]
    fn a_question_names_who_asks_and_whether_everybody_can_listen() {
        let https = remote("https://files.test:8443/f");
        for (host, expected, unencrypted) in [
            ("files.test:8443", "server https://files.test:8443", false),
            ("elsewhere.test", "server elsewhere.test", true),
        ] {
            let asked = challenge(host, &["basic", "negotiate"]);
            let request = question_after(&asked, &https, None, Some((Code::HTTP_UNAUTHORIZED, "no")));
            assert_eq!((request.target.as_str(), request.unencrypted), (expected, unencrypted));
            assert_eq!(request.package, Package::Negotiate);
            assert_eq!(request.realm.as_deref(), Some("the office"));
            assert_eq!(request.refused, Some(Code::HTTP_UNAUTHORIZED));
            assert_eq!(request.refused_because.as_deref(), Some("no"));
        }
        let mut asked = challenge("files.test:8443", &["negotiate"]);
        asked.refused = false;
        let anna = "CORP\\anna".to_owned();
        for (code, reason, name) in [
            (Code::HTTP_UNAUTHORIZED, None, Some(&anna)),
            // Nothing was refused, and yet there is a reason to ask again, and for another name.
            (Code::UNKNOWN_CREDENTIALS, Some("no such domain"), None),
        ] {
            let request = question_after(&asked, &https, None, Some((code, "no such domain")));
            assert_eq!(request.refused_because.as_deref(), reason);
            assert_eq!(offered_name(Some(&anna), &request).as_ref(), name);
        }
        let request = question(&remote("http://files.test/f"), Some(AuthScheme::Ntlm));
        assert_eq!(request.target, "server http://files.test");
        assert!(request.unencrypted);
        assert_eq!(request.package, Package::Ntlm);
    }

    #[test]
    fn basic_over_plain_http_needs_leave() {
        let (http, https) = (false, true);
        for (is_tls, schemes, scheme, expected) in [
            (http, &["basic"][..], None, true),
            (http, &["basic"], Some(AuthScheme::Basic), false),
            (http, &["basic", "digest"], None, false),
            (https, &["basic"], None, false),
            (http, &[], None, false),
        ] {
            assert_eq!(needs_leave(&challenge("h", schemes), is_tls, scheme), expected, "{schemes:?}");
        }
    }
}
