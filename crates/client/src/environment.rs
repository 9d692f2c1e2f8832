//! What of this process's environment its transfers need: the service was started from another
//! one, perhaps days ago.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use bits_api::job::Environment;
use bits_platform::files::Umask;

/// Kerberos configuration and tickets (`KRB5_CONFIG`, `KRB5CCNAME`), proxies and umask of this
/// process, to be sent along with each job.
///
/// Of the proxy variables the lower-case forms come first; `HTTP_PROXY` is no proxy variable: a web
/// server makes it of a header that a stranger sends. A user and password in one of them the service
/// moves into the credentials of the job.
pub fn environment_of_this_process() -> Environment {
    let umask = Umask::of_this_process().ok().map(Umask::bits);
    environment(&|name| std::env::var_os(name), std::env::current_dir().ok().as_deref(), umask)
}

fn environment(
    variable: &dyn Fn(&str) -> Option<OsString>,
    folder: Option<&Path>,
    umask: Option<u32>,
) -> Environment {
    let text = |names: &[&str]| {
        let values = names.iter().filter_map(|name| variable(name)?.into_string().ok());
        // An empty one is how people switch off what another one says.
        values.map(|value| value.trim().to_owned()).next().filter(|value| !value.is_empty())
    };
    Environment {
        krb5_config: variable("KRB5_CONFIG").and_then(|value| absolute(&value, folder)),
        krb5_ccname: variable("KRB5CCNAME").and_then(|value| absolute_cache(&value, folder)),
        http_proxy: text(&["http_proxy"]),
        https_proxy: text(&["https_proxy", "HTTPS_PROXY"]),
        all_proxy: text(&["all_proxy", "ALL_PROXY"]),
        no_proxy: text(&["no_proxy", "NO_PROXY"]),
        umask,
    }
}

/// The ticket cache `value`, made absolute where it is a file or a folder: `TYPE:rest`, or a path.
fn absolute_cache(value: &OsStr, folder: Option<&Path>) -> Option<String> {
    let text = value.to_str().filter(|text| !text.is_empty())?;
    let (kind, path) = match text.split_once(':') {
        Some((kind @ ("FILE" | "DIR"), path)) => (format!("{kind}:"), path),
        // `KEYRING:`, `KCM:`, `API:`: no files.
        Some((kind, _)) if !kind.contains('/') => return Some(text.to_owned()),
        _ => (String::new(), text),
    };
    // `DIR::/path` names one file of a folder.
    let (mark, path) = path.strip_prefix(':').map_or(("", path), |path| (":", path));
    let path = folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path));
    Some(format!("{kind}{mark}{}", path.to_str()?))
}

/// The list of files `value`, each made absolute: the service works in another folder. None when
/// it is empty or cannot be written as text.
fn absolute(value: &OsStr, folder: Option<&Path>) -> Option<String> {
    let text = value.to_str().filter(|text| !text.is_empty())?;
    let files: Option<Vec<String>> = text
        .split(':')
        .filter(|file| !file.is_empty())
        .map(|file| {
            let path = folder.map_or_else(|| PathBuf::from(file), |folder| folder.join(file));
            path.into_os_string().into_string().ok()
        })
        .collect();
    files.filter(|files| !files.is_empty()).map(|files| files.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_kerberos_configuration_is_sent_with_its_whole_path() {
        for (value, expected) in [
            ("/etc/krb5.conf", Some("/etc/krb5.conf")),
            ("mine.conf:/etc/krb5.conf", Some("/home/anna/mine.conf:/etc/krb5.conf")),
            ("", None),
            (":", None),
        ] {
            let sent = absolute(OsStr::new(value), Some(Path::new("/home/anna")));
            assert_eq!(sent.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn a_ticket_cache_is_sent_with_its_whole_path() {
        for (value, expected) in [
            ("/tmp/cc", Some("/tmp/cc")),
            ("cc", Some("/home/anna/cc")),
            ("FILE:cc", Some("FILE:/home/anna/cc")),
            ("DIR:/tmp/caches", Some("DIR:/tmp/caches")),
            ("DIR::caches/tkt", Some("DIR::/home/anna/caches/tkt")),
            ("KEYRING:persistent:1000", Some("KEYRING:persistent:1000")),
            ("KCM:", Some("KCM:")),
            ("", None),
        ] {
            let sent = absolute_cache(OsStr::new(value), Some(Path::new("/home/anna")));
            assert_eq!(sent.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn proxies_are_sent_but_for_the_one_that_a_request_can_set() {
        let sent = |variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
            let sent = environment(&|name| value(name).map(|(_, value)| value.into()), None, None);
            [sent.http_proxy, sent.https_proxy, sent.all_proxy, sent.no_proxy].map(Option::unwrap_or_default)
        };
        let upper =
            [("HTTP_PROXY", "http://evil"), ("HTTPS_PROXY", "a"), ("ALL_PROXY", "b"), ("NO_PROXY", "c")];
        assert_eq!(sent(&upper), ["", "a", "b", "c"]);
        let lower = [("http_proxy", "x"), ("https_proxy", "y"), ("all_proxy", ""), ("no_proxy", " z ")];
        assert_eq!(sent(&[&upper[..], &lower].concat()), ["x", "y", "", "z"], "an empty one switches off");
    }

    #[test]
    fn the_umask_of_this_process_is_sent() {
        let expected = Umask::of_this_process().expect("the system tells it").bits();
        assert_eq!(environment_of_this_process().umask, Some(expected));
    }
}
