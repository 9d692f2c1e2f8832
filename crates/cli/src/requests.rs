//! What a person says of the requests of a job, in the shapes of the service.

pub(crate) mod certificate;
mod header_list;
mod security_words;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bits_client::api::credentials::Password;
use bits_client::api::http_options::{AUTODETECT, ClientCertificate, NO_PROXY, OVERRIDE, PRECONFIG, Proxy};
use bits_client::api::job::{CreateJob, NotifyCommand};
use bits_client::prompt::password_sources::read_password_file;
use bits_core::http_options::{ProxyEnvironment, ProxyUse, SecurityFlags, proxy_list};
use bits_core::notify::NotifyFlags;
use bits_core::proxy::ProxyRules;
use bits_core::secret::Secret;

use crate::arguments::Requests;
use crate::exit::Failure;
use crate::output::Output;

use certificate::Wrong;

pub(crate) use header_list::headers;
pub(crate) use security_words::{mask, words};

/// Puts what the flags say into `order`.
///
/// # Errors
/// [`Failure::Usage`] for what cannot be; [`Failure`] when a file cannot be read.
pub(crate) fn put_into(order: &mut CreateJob, requests: &Requests, output: &Output) -> Result<(), Failure> {
    let properties = &mut order.properties;
    match (&requests.proxy, &requests.no_proxy) {
        (Some(text), bypass) => {
            properties.proxy = Some(proxy(text, bypass.as_deref())?);
            warn_of_user_info(text, output);
        }
        // They need no proxy of those that the environment names.
        (None, Some(hosts)) => order.environment.no_proxy = Some(hosts.clone()),
        (None, None) => {}
    }
    if !requests.header.is_empty() {
        properties.custom_headers = Some(headers(&requests.header, output)?);
    }
    if let Some(text) = &requests.client_cert {
        properties.client_certificate = Some(certificate_file(text)?);
    }
    if let Some(path) = &requests.client_cert_password_file {
        properties.client_certificate_passphrase = Some(passphrase(path, output)?);
    }
    if let Some(which) = &properties.client_certificate {
        match certificate::look_at(which) {
            Err(Wrong::Locked(_)) if requests.client_cert_password_file.is_some() => {}
            Err(Wrong::Locked(sentence)) => {
                return Err(Failure::Usage(format!("{sentence}; give --client-cert-password-file")));
            }
            Err(Wrong::Unusable(sentence)) => return Err(Failure::Usage(sentence)),
            Ok(()) => {}
        }
    }
    if requests.insecure {
        properties.security_flags = Some(INSECURE);
        output.warn(
            "with --insecure nobody knows which server answers: everybody on the way can read and change all",
        );
    }
    properties.rate_limit = requests.limit_rate;
    properties.no_ntlm = requests.no_ntlm.then_some(true);
    properties.service_name = requests.service_name.clone();
    Ok(())
}

/// What curl's `--insecure` takes away: who it is, until when, who says so, and what it is for.
const INSECURE: u32 = SecurityFlags::IGNORE_CERTIFICATE_NAME
    | SecurityFlags::IGNORE_CERTIFICATE_DATE
    | SecurityFlags::IGNORE_UNKNOWN_AUTHORITY
    | SecurityFlags::IGNORE_CERTIFICATE_USAGE;

/// The proxy that `text` means, and the hosts that need none.
pub(crate) fn proxy(text: &str, bypass: Option<&str>) -> Result<Proxy, Failure> {
    let usage = match text {
        "" => return Err(Failure::Usage("the proxy is empty; give a URL, or none".to_owned())),
        "none" => NO_PROXY,
        "auto" => AUTODETECT,
        "preconfig" => PRECONFIG,
        list => {
            // Commas are how `no_proxy` is written, spaces how BITS writes it.
            let bypass = bypass.map(|hosts| hosts.replace(',', " "));
            check_proxy(list, bypass.as_deref().unwrap_or_default())?;
            return Ok(Proxy { usage: OVERRIDE.to_owned(), list: Some(list.to_owned()), bypass });
        }
    };
    match bypass {
        None => Ok(Proxy { usage: usage.to_owned(), ..Proxy::default() }),
        Some(_) => {
            Err(Failure::Usage(format!("hosts that need no proxy, and the proxy {text}: leave one out")))
        }
    }
}

/// Whether a job could use these lists. The service finds out when the job runs, as BITS does
/// (`bits.md` §1.3); a person hears at once.
fn check_proxy(list: &str, bypass: &str) -> Result<(), Failure> {
    let wrong = |why: &str| Failure::Usage(format!("the proxy: {why}"));
    let (list, _) = proxy_list(list).map_err(|why| wrong(&format!("the list {why}")))?;
    let given = ProxyUse::Override { list, bypass: bypass.to_owned() };
    let none = ProxyEnvironment::default();
    ProxyRules::new(&given, &none, &none).map(drop).map_err(|error| wrong(&error.to_string()))
}

/// Warns where a password was typed for everybody to see.
pub(crate) fn warn_of_user_info(proxy: &str, output: &Output) {
    if proxy.contains('@') {
        output.warn(
            "others on this machine can read a password in a proxy's URL; \
             --proxy-user with --proxy-password-file keeps it to you",
        );
    }
}

/// The certificate `FILE[,KEY]`.
pub(crate) fn certificate_file(text: &str) -> Result<ClientCertificate, Failure> {
    let (path, key) = match text.split_once(',') {
        // A file whose name has a comma in it is taken for what it is.
        Some((path, key)) if !Path::new(text).exists() => (path, Some(key)),
        _ => (text, None),
    };
    Ok(ClientCertificate::File { path: absolute(path)?, key: key.map(absolute).transpose()? })
}

/// `path`, seen from here: the service works in another folder.
pub(crate) fn absolute(path: &str) -> Result<String, Failure> {
    let whole = std::path::absolute(path).ok().and_then(|path| path.into_os_string().into_string().ok());
    whole.ok_or_else(|| Failure::Usage(format!("`{path}` is no path of a file")))
}

/// What opens the key of a certificate, from the first line of the file at `path`.
pub(crate) fn passphrase(path: &Path, output: &Output) -> Result<Password, Failure> {
    let file = read_password_file(path)?;
    if let Some(notice) = file.notice {
        output.warn(&notice.to_string());
    }
    Ok(Password(file.password))
}

/// By what a webhook is signed, from the first line of the file at `path`; with `none` by nothing.
pub(crate) fn webhook_secret(path: &str, output: &Output) -> Result<Password, Failure> {
    if path == "none" {
        return Ok(Password(Secret::new(String::new())));
    }
    let secret = passphrase(Path::new(path), output)?;
    if secret.0.expose().is_empty() {
        let wrong = "its first line is empty; none takes the secret away";
        return Err(Failure::Usage(format!("notify-webhook-secret-file={path}: {wrong}")));
    }
    Ok(secret)
}

/// Why `command` could not be run now, as a sentence. It is set all the same: it may come later.
pub(crate) fn cannot_be_run(command: &NotifyCommand) -> Option<String> {
    let program = &command.program;
    if program.is_empty() {
        return None;
    }
    let why = match std::fs::metadata(program) {
        Err(error) => error.to_string(),
        Ok(found) if !found.is_file() => "it is no file".to_owned(),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            "it is not executable; chmod +x makes it so".to_owned()
        }
        Ok(_) => return None,
    };
    Some(format!("{program} cannot be run now: {why}"))
}

/// The mask that the words of notifications, or a number, stand for.
///
/// # Errors
/// A sentence.
pub(crate) fn notify_flags(text: &str) -> Result<u32, String> {
    if let Ok(mask) = text.parse() {
        return Ok(mask);
    }
    text.split(',').filter(|word| !word.is_empty()).try_fold(0, |mask, word| {
        let known = NotifyFlags::NAMES.into_iter().find(|(name, _)| *name == word);
        let words = || NotifyFlags::NAMES.map(|(name, _)| name).join(", ");
        known
            .map(|(_, flag)| mask | flag)
            .ok_or_else(|| format!("`{word}` is no notification; there are {}", words()))
    })
}

/// The command that `text` stands for: the path of a program, or a JSON list of the program and its
/// arguments; `none` for no command.
pub(crate) fn notify_command(text: &str) -> Result<NotifyCommand, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("notify-command={text}: {why}"));
    let mut words = match text {
        "none" | "" => return Ok(NotifyCommand::default()),
        text if text.starts_with('[') => serde_json::from_str::<Vec<String>>(text)
            .map_err(|_| wrong("write a path, or a list as in [\"/usr/bin/logger\", \"it is here\"]"))?,
        path => vec![path.to_owned()],
    };
    if !words.first().is_some_and(|program| program.starts_with('/')) {
        return Err(wrong("a program is named by an absolute path"));
    }
    let program = words.remove(0);
    Ok(NotifyCommand { program, arguments: words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_url_or_one_of_three_words() {
        for (text, bypass, expected) in [
            ("none", None, Some((NO_PROXY, None, None))),
            ("auto", None, Some((AUTODETECT, None, None))),
            ("preconfig", None, Some((PRECONFIG, None, None))),
            ("http://p:3128", None, Some((OVERRIDE, Some("http://p:3128"), None))),
            ("p", Some("a,*.b"), Some((OVERRIDE, Some("p"), Some("a *.b")))),
            ("none", Some("a"), None),
            ("", None, None),
            ("::", None, None),
            ("gopher://p", None, None),
            ("http://p/path", None, None),
            ("socks5://p:1080", None, None),
            ("p", Some("a b:c"), None),
            ("http://anna:hunter2@p:1", None, Some((OVERRIDE, Some("http://anna:hunter2@p:1"), None))),
        ] {
            let said = proxy(text, bypass).ok();
            let parts =
                said.as_ref().map(|proxy| (&*proxy.usage, proxy.list.as_deref(), proxy.bypass.as_deref()));
            assert_eq!(parts, expected, "{text} {bypass:?}");
        }
    }

    #[test]
    fn a_certificate_and_its_key_are_sent_with_their_whole_paths() {
        let here = std::env::current_dir().expect("a folder");
        let whole = |name: &str| here.join(name).to_str().expect("text").to_owned();
        for (text, path, key) in [
            ("me.pem", whole("me.pem"), None),
            ("me.pem,key.pem", whole("me.pem"), Some(whole("key.pem"))),
            ("/c/me.p12", "/c/me.p12".to_owned(), None),
        ] {
            assert_eq!(certificate_file(text).expect("a file"), ClientCertificate::File { path, key });
        }
    }
}
