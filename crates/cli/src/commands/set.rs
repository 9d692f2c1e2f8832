//! `bits set`: properties of a job, by BITS's names in kebab-case.

use std::num::{IntErrorKind, ParseIntError};
use std::path::Path;
use std::str::FromStr;

use bits_client::api::http_options::ClientCertificate;
use bits_client::api::job::{ChangeJob, Job};
use bits_core::conditions::{CostFlags, TransferPolicy};
use bits_core::job::Priority;
use bits_core::pacing::rate::Rate;

use super::Context;
use crate::arguments::Set;
use crate::exit::Failure;
use crate::nearest::nearest;
use crate::output::Output;
use crate::requests::{self, certificate::Wrong};

pub(super) async fn run(set: Set, context: &Context<'_>) -> Result<(), Failure> {
    let change = parse(&set.changes, context.output)?;
    look_at_certificate(&change, context.output)?;
    let session = context.session().await?;
    let id = session.find_id(&set.job).await?;
    let before = session.client.job(id).await?;
    let job = session.client.change_job(id, &change, None).await?;
    for sentence in worth_knowing(&change, &before, &job) {
        context.output.warn(&sentence);
    }
    if context.output.is_json() {
        return context.output.result_json(&job);
    }
    context.output.detail(&format!("{}: changed", job.display_name));
    Ok(())
}

/// What came of `change` beyond what it says, and what it will lead to.
fn worth_knowing(change: &ChangeJob, before: &Job, after: &Job) -> Vec<String> {
    let mut sentences = Vec::new();
    let was_signed = before.notify_webhook_signed == Some(true);
    if was_signed && change.notify_webhook_secret.is_none() && after.notify_webhook_signed == Some(false) {
        let sentence = "the webhook goes to another server, so its secret was dropped and it is not signed any \
             more; set notify-webhook-secret-file";
        sentences.push(sentence.to_owned());
    }
    sentences.extend(change.notify_command.as_ref().and_then(requests::cannot_be_run));
    if change.http_method.is_some() && before.priority != after.priority {
        let (method, was) = (&after.http_method, &before.priority);
        sentences.push(format!(
            "with {method} the job is foreground instead of {was}, and no error of it is tried again by itself"
        ));
    }
    sentences
}

/// The mask of the transfer policy `value`; 0 for what the settings say.
fn policy(value: &str) -> Result<u32, Failure> {
    if value.eq_ignore_ascii_case("default") {
        return Ok(0);
    }
    TransferPolicy::named(value).map(|policy| policy.flags().bits()).ok_or_else(|| {
        let words = TransferPolicy::ALL.map(TransferPolicy::name).join(", ");
        Failure::UsageNear {
            sentence: format!(
                "transfer-policy={value}: it is one of {words}, or default for what the settings say"
            ),
            nearest: nearest(value, TransferPolicy::ALL.map(TransferPolicy::name)).map(str::to_owned),
        }
    })
}

/// The mask `value`, as `0x80000067`; 0 for what the settings say.
fn cost_flags(value: &str) -> Result<u32, Failure> {
    let wrong = |why: String| Failure::Usage(format!("cost-flags={value}: {why}"));
    let number = match value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => value.parse(),
    };
    let mask = number.map_err(|_| wrong("is no mask, such as 0x80000067".to_owned()))?;
    if mask != 0 {
        CostFlags::new(mask).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(mask)
}

/// Looks at a client certificate before a job runs into it.
fn look_at_certificate(change: &ChangeJob, output: &Output) -> Result<(), Failure> {
    if let Some(which) = &change.client_certificate {
        match requests::certificate::look_at(which) {
            // The job may have a passphrase already.
            Err(Wrong::Locked(sentence)) if change.client_certificate_passphrase.is_none() => {
                output.warn(&format!(
                    "{sentence}; unless the job has it, set client-certificate-password-file"
                ));
            }
            Err(Wrong::Unusable(sentence)) => return Err(Failure::Usage(sentence)),
            Err(Wrong::Locked(_)) | Ok(()) => {}
        }
    }
    Ok(())
}

const KEYS: [&str; 37] = [
    "priority",
    "description",
    "display-name",
    "minimum-retry-delay",
    "no-progress-timeout",
    "maximum-download-time",
    "file-acl-flags",
    "peer-caching-flags",
    "helper-token-flags",
    "notification-clsid",
    "complete-when-done",
    "keep-going",
    "dynamic-content",
    "high-performance",
    "on-demand",
    "max-download-size",
    "transfer-policy",
    "cost-flags",
    "rate-limit",
    "http-method",
    "custom-header",
    "custom-headers-write-only",
    "security-flags",
    "client-certificate",
    "client-certificate-by-id",
    "client-certificate-by-name",
    "client-certificate-password-file",
    "proxy",
    "proxy-bypass",
    "use-stored-credentials",
    "no-ntlm",
    "service-name",
    "notify-flags",
    "notify-command",
    "notify-webhook",
    "notify-webhook-secret-file",
    "minimum-notification-interval",
];
/// May be given more than once: together they are the headers of the job.
const CUSTOM_HEADER: &str = "custom-header";
/// Only one of these makes sense.
const CERTIFICATES: [&str; 3] =
    ["client-certificate", "client-certificate-by-id", "client-certificate-by-name"];

/// The change that `KEY=VALUE`s ask for.
fn parse(texts: &[String], output: &Output) -> Result<ChangeJob, Failure> {
    let mut change = ChangeJob::default();
    let mut seen: Vec<&str> = Vec::new();
    let mut headers: Option<Vec<String>> = None;
    let mut proxy: Option<&str> = None;
    let mut bypass: Option<&str> = None;
    for text in texts {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Failure::Usage(format!("`{text}` is no change; write KEY=VALUE")));
        };
        if key != CUSTOM_HEADER && seen.contains(&key) {
            return Err(Failure::Usage(format!("`{key}` is given twice")));
        }
        if CERTIFICATES.contains(&key) && seen.iter().any(|other| CERTIFICATES.contains(other)) {
            return Err(Failure::Usage("the client certificate is given twice".to_owned()));
        }
        seen.push(key);
        match key {
            "priority" => change.priority = Some(priority(value)?.name().to_owned()),
            "description" => change.description = Some(value.to_owned()),
            "display-name" => change.display_name = Some(value.to_owned()),
            "minimum-retry-delay" => change.minimum_retry_delay = Some(seconds(key, value)?),
            "no-progress-timeout" => change.no_progress_timeout = Some(seconds(key, value)?),
            "maximum-download-time" => change.maximum_download_time = Some(seconds(key, value)?),
            "file-acl-flags" => change.file_acl_flags = Some(mask(key, value)?),
            "peer-caching-flags" => change.peer_caching_flags = Some(mask(key, value)?),
            "helper-token-flags" => change.helper_token_flags = Some(mask(key, value)?),
            "notification-clsid" => change.notification_clsid = Some(value.to_owned()),
            "complete-when-done" => change.complete_when_done = Some(truth(key, value)?),
            "keep-going" => change.keep_going = Some(truth(key, value)?),
            "dynamic-content" => change.dynamic_content = Some(truth(key, value)?),
            "high-performance" => change.high_performance = Some(truth(key, value)?),
            "on-demand" => change.on_demand = Some(truth(key, value)?),
            "max-download-size" => change.max_download_size = Some(amount(key, value)?),
            "transfer-policy" | "cost-flags" if change.cost_flags.is_some() => {
                let wrong =
                    "`transfer-policy` and `cost-flags` are two words for one thing; give one of them";
                return Err(Failure::Usage(wrong.to_owned()));
            }
            "transfer-policy" => change.cost_flags = Some(policy(value)?),
            "cost-flags" => change.cost_flags = Some(cost_flags(value)?),
            "rate-limit" => change.rate_limit = Some(rate(key, value)?),
            "http-method" => change.http_method = Some(value.to_owned()),
            // An empty one takes all of them away.
            CUSTOM_HEADER => {
                let given = (!value.is_empty()).then(|| value.to_owned());
                headers.get_or_insert_default().extend(given);
            }
            "custom-headers-write-only" => {
                change.make_custom_headers_write_only = Some(truth(key, value)?);
            }
            "security-flags" => {
                let mask = requests::mask(value);
                change.security_flags =
                    Some(mask.map_err(|wrong| Failure::Usage(format!("{key}={value}: {wrong}")))?);
            }
            "client-certificate" if value == "none" => {
                change.client_certificate = Some(ClientCertificate::None);
            }
            "client-certificate" => change.client_certificate = Some(requests::certificate_file(value)?),
            "client-certificate-by-id" => {
                let (folder, fingerprint) = in_folder(key, value, "FINGERPRINT")?;
                change.client_certificate = Some(ClientCertificate::ById { folder, fingerprint });
            }
            "client-certificate-by-name" => {
                let (folder, subject) = in_folder(key, value, "SUBJECT")?;
                change.client_certificate = Some(ClientCertificate::ByName { folder, subject });
            }
            "client-certificate-password-file" => {
                change.client_certificate_passphrase = Some(requests::passphrase(Path::new(value), output)?);
            }
            "proxy" => proxy = Some(value),
            "proxy-bypass" => bypass = Some(value),
            "use-stored-credentials" => change.use_stored_credentials = Some(value.to_owned()),
            "no-ntlm" => change.no_ntlm = Some(truth(key, value)?),
            "service-name" => change.service_name = Some(value.to_owned()),
            "notify-flags" => {
                let mask = requests::notify_flags(value);
                change.notify_flags =
                    Some(mask.map_err(|wrong| Failure::Usage(format!("{key}={value}: {wrong}")))?);
            }
            "notify-command" => change.notify_command = Some(requests::notify_command(value)?),
            "notify-webhook" if value == "none" => change.notify_webhook = Some(String::new()),
            "notify-webhook" => change.notify_webhook = Some(value.to_owned()),
            "notify-webhook-secret-file" => {
                change.notify_webhook_secret = Some(requests::webhook_secret(value, output)?);
            }
            "minimum-notification-interval" => {
                change.minimum_notification_interval_ms = Some(whole_number(key, value, "milliseconds")?);
            }
            _ => {
                return Err(Failure::UsageNear {
                    sentence: format!("there is no property `{key}`; `bits set --help` names them all"),
                    nearest: nearest(key, KEYS).map(str::to_owned),
                });
            }
        }
    }
    if let Some(texts) = headers {
        change.custom_headers = Some(requests::headers(&texts, output)?);
    }
    match (proxy, bypass) {
        (Some(text), bypass) => {
            change.proxy = Some(requests::proxy(text, bypass.filter(|hosts| !hosts.is_empty()))?);
            requests::warn_of_user_info(text, output);
        }
        (None, Some(_)) => {
            let sentence = "proxy-bypass belongs to a proxy; give proxy=URL together with it";
            return Err(Failure::Usage(sentence.to_owned()));
        }
        (None, None) => {}
    }
    Ok(change)
}

/// `FOLDER,WHICH`: which of the certificates in a folder is meant.
fn in_folder(key: &str, value: &str, which: &str) -> Result<(String, String), Failure> {
    match value.split_once(',') {
        Some((folder, rest)) => Ok((requests::absolute(folder)?, rest.to_owned())),
        None => Err(Failure::Usage(format!("{key}={value}: write FOLDER,{which}"))),
    }
}

fn priority(value: &str) -> Result<Priority, Failure> {
    Priority::named(value).ok_or_else(|| {
        let words = Priority::ALL.map(Priority::name);
        Failure::UsageNear {
            sentence: format!("priority={value}: it is one of {}", words.join(", ")),
            nearest: nearest(value, words).map(str::to_owned),
        }
    })
}

fn seconds(key: &str, value: &str) -> Result<u64, Failure> {
    whole_number(key, value, "seconds")
}

/// So many of `what`.
fn whole_number<N: FromStr<Err = ParseIntError> + Bounded>(
    key: &str,
    value: &str,
    what: &str,
) -> Result<N, Failure> {
    value.parse().map_err(|error: ParseIntError| {
        let wrong = match error.kind() {
            IntErrorKind::PosOverflow => format!("{} {what} are the most there can be", N::LARGEST),
            _ => format!("it is a whole number of {what}"),
        };
        Failure::Usage(format!("{key}={value}: {wrong}"))
    })
}

/// A kind of number that ends somewhere.
trait Bounded {
    const LARGEST: u64;
}

impl Bounded for u32 {
    const LARGEST: u64 = u32::MAX as u64;
}

impl Bounded for u64 {
    const LARGEST: u64 = u64::MAX;
}

/// A number, also with `0x` before hexadecimal digits.
fn mask(key: &str, value: &str) -> Result<u32, Failure> {
    let number = match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => value.parse(),
    };
    number.map_err(|_| Failure::Usage(format!("{key}={value}: it is a mask, such as 3 or 0x3")))
}

fn amount(key: &str, value: &str) -> Result<u64, Failure> {
    whole_number(key, value, "bytes")
}

/// Bytes per second; 0 for no limit.
fn rate(key: &str, value: &str) -> Result<u64, Failure> {
    let limit =
        Rate::parse_limit(value).map_err(|wrong| Failure::Usage(format!("{key}={value}: {wrong}")))?;
    Ok(limit.map_or(0, Rate::bytes_per_second))
}

fn truth(key: &str, value: &str) -> Result<bool, Failure> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => Ok(true),
        "false" | "off" | "no" => Ok(false),
        _ => Err(Failure::Usage(format!("{key}={value}: it is true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use bits_client::api::credentials::Password;
    use bits_client::api::http_options::{Proxy, SetHeader};
    use bits_client::api::job::NotifyCommand;
    use bits_core::secret::Secret;
    use clap::Parser;

    fn parsed(texts: &[&str]) -> Result<ChangeJob, Failure> {
        let arguments = Arguments::parse_from(["bits", "-q", "list"]);
        let output = Output::new(&arguments.everywhere);
        parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), &output)
    }

    #[test]
    fn every_property_can_be_set() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "words\n").expect("written");
        let passphrase = format!("client-certificate-password-file={}", file.path().display());
        let webhook_secret = format!("notify-webhook-secret-file={}", file.path().display());
        let texts = [
            "priority=LOW",
            "description=a=b",
            "display-name=a=b",
            "minimum-retry-delay=7",
            "no-progress-timeout=7",
            "maximum-download-time=7",
            "file-acl-flags=0xf",
            "peer-caching-flags=4",
            "helper-token-flags=3",
            "notification-clsid={4991d34b-80a1-4291-83b6-3328366b9097}",
            "complete-when-done=on",
            "keep-going=on",
            "dynamic-content=on",
            "high-performance=on",
            "on-demand=true",
            "max-download-size=7",
            "transfer-policy=NO_SURCHARGE",
            "rate-limit=2M",
            "http-method=REPORT",
            "custom-header=X-A: 1",
            "custom-header=Cookie: c",
            "custom-headers-write-only=true",
            "security-flags=check-revocation,redirect-report",
            "client-certificate=/c/me.pem,/c/key.pem",
            &passphrase,
            "proxy=http://p:1",
            "proxy-bypass=a,b",
            "use-stored-credentials=proxy",
            "no-ntlm=yes",
            "service-name=HTTP/h",
            "notify-flags=job-error,file-transferred",
            r#"notify-command=["/bin/a b","$(c)",""]"#,
            "notify-webhook=https://h/",
            &webhook_secret,
            "minimum-notification-interval=7",
        ];
        let seen = texts.map(|text| text.split_once('=').expect("a key").0);
        assert!(
            KEYS.iter().all(|key| seen.contains(key) || CERTIFICATES.contains(key) || *key == "cost-flags"),
            "{seen:?}"
        );
        let header = |name: &str, value: &str| SetHeader {
            name: name.to_owned(),
            value: Password(Secret::new(value.to_owned())),
        };
        let certificate =
            ClientCertificate::File { path: "/c/me.pem".to_owned(), key: Some("/c/key.pem".to_owned()) };
        let proxy = Proxy {
            usage: "override".to_owned(),
            list: Some("http://p:1".to_owned()),
            bypass: Some("a b".to_owned()),
        };
        assert_eq!(
            parsed(&texts).expect("a change"),
            ChangeJob {
                display_name: Some("a=b".to_owned()),
                description: Some("a=b".to_owned()),
                priority: Some("low".to_owned()),
                minimum_retry_delay: Some(7),
                no_progress_timeout: Some(7),
                maximum_download_time: Some(7),
                complete_when_done: Some(true),
                file_acl_flags: Some(15),
                peer_caching_flags: Some(4),
                helper_token_flags: Some(3),
                notification_clsid: Some("{4991d34b-80a1-4291-83b6-3328366b9097}".to_owned()),
                keep_going: Some(true),
                dynamic_content: Some(true),
                high_performance: Some(true),
                on_demand: Some(true),
                max_download_size: Some(7),
                cost_flags: Some(0x8000_006F),
                rate_limit: Some(2 << 20),
                http_method: Some("REPORT".to_owned()),
                custom_headers: Some(vec![header("X-A", "1"), header("Cookie", "c")]),
                make_custom_headers_write_only: Some(true),
                security_flags: Some(0x101),
                client_certificate: Some(certificate),
                client_certificate_passphrase: Some(Password(Secret::new("words".to_owned()))),
                proxy: Some(proxy),
                use_stored_credentials: Some("proxy".to_owned()),
                no_ntlm: Some(true),
                service_name: Some("HTTP/h".to_owned()),
                notify_flags: Some(0x12),
                notify_command: Some(NotifyCommand {
                    program: "/bin/a b".to_owned(),
                    arguments: vec!["$(c)".to_owned(), String::new()],
                }),
                notify_webhook: Some("https://h/".to_owned()),
                notify_webhook_secret: Some(Password(Secret::new("words".to_owned()))),
                minimum_notification_interval_ms: Some(7),
            }
        );
    }

    #[test]
    fn the_states_of_a_network_s_cost_are_a_policy_or_a_mask() {
        for (text, expected) in [
            ("transfer-policy=always", 0x8000_00FF),
            ("transfer-policy=Not-Roaming", 0x8000_007F),
            ("transfer-policy=default", 0),
            ("cost-flags=0x80000067", 0x8000_0067),
            ("cost-flags=33", 33),
            ("cost-flags=0", 0),
        ] {
            assert_eq!(parsed(&[text]).expect(text).cost_flags, Some(expected), "{text}");
        }
        for wrong in [
            &["transfer-policy=sometimes"][..],
            &["transfer-policy="],
            &["cost-flags=0x80000000"],
            &["cost-flags=0x100"],
            &["cost-flags=-1"],
            &["cost-flags=9999999999"],
            &["transfer-policy=always", "cost-flags=1"],
            &["cost-flags=1", "transfer-policy=always"],
        ] {
            let is_refused = matches!(parsed(wrong), Err(Failure::Usage(_) | Failure::UsageNear { .. }));
            assert!(is_refused, "{wrong:?}");
        }
    }

    #[test]
    fn a_certificate_is_a_file_one_in_a_folder_or_none() {
        let folder = || "/c".to_owned();
        for (text, expected) in [
            ("client-certificate=none", ClientCertificate::None),
            (
                "client-certificate-by-id=/c,AA:BB",
                ClientCertificate::ById { folder: folder(), fingerprint: "AA:BB".to_owned() },
            ),
            (
                "client-certificate-by-name=/c,Anna, Office",
                ClientCertificate::ByName { folder: folder(), subject: "Anna, Office".to_owned() },
            ),
        ] {
            assert_eq!(parsed(&[text]).expect("a change").client_certificate, Some(expected), "{text}");
        }
    }

    #[test]
    fn an_empty_header_takes_all_of_them_away() {
        assert_eq!(parsed(&["custom-header="]).expect("a change").custom_headers, Some(Vec::new()));
    }

    #[test]
    fn what_is_no_property_or_no_value_is_named() {
        for (texts, expected, near) in [
            (&["low"][..], "`low` is no change; write KEY=VALUE", None),
            (&["priorty=low"], "there is no property `priorty`", Some("priority")),
            (&["priority=hi"], "priority=hi: it is one of foreground", None),
            (&["priority=lwo"], "priority=lwo: it is one of", None),
            (&["minimum-retry-delay=-1"], "minimum-retry-delay=-1: it is a whole number of seconds", None),
            (&["file-acl-flags=x"], "file-acl-flags=x: it is a mask", None),
            (&["rate-limit=fast"], "rate-limit=fast: `fast` is no rate; write", None),
            (&["rate-limit=1"], "rate-limit=1: `1` is less than 250 bytes per second", None),
            (&["rate-limit=9999T"], "rate-limit=9999T: `9999T` is more than 1T", None),
            (&["rate-limit=-1"], "rate-limit=-1: `-1` is no rate; write bytes per second such as", None),
            (&["rate-limit=0k"], "rate-limit=0k: `0k` is less than 250 bytes per second", None),
            (
                &["rate-limit=18446744073709551616"],
                "rate-limit=18446744073709551616: `18446744073709551616` is more than 1T",
                None,
            ),
            (&["rate-limit="], "rate-limit=: `` is no rate; write", None),
            (&["complete-when-done=maybe"], "complete-when-done=maybe: it is true or false", None),
            (&["priority=low", "priority=high"], "`priority` is given twice", None),
            (&["custom-header=Bearer hunter2"], "header 1 is none; write", None),
            (&["custom-header=Range: bytes=0-"], "the name of header 1 is set by the service", None),
            (&["security-flags=insecure"], "security-flags=insecure: `insecure` is no security flag", None),
            (&["client-certificate-by-id=aa"], "client-certificate-by-id=aa: write FOLDER,FINGERPRINT", None),
            (
                &["client-certificate=a", "client-certificate-by-id=/c,aa"],
                "the client certificate is given twice",
                None,
            ),
            (&["notify-flags=job-done"], "notify-flags=job-done: `job-done` is no notification", None),
            (&["notify-command=run"], "notify-command=run: a program is named by an absolute path", None),
            (&["notify-command=[\"/a\", 1]"], "notify-command=[\"/a\", 1]: write a path", None),
            (&["minimum-notification-interval=1s"], "minimum-notification-interval=1s: it is", None),
            (&["proxy-bypass=a"], "proxy-bypass belongs to a proxy", None),
        ] {
            let (sentence, nearest) = match parsed(texts) {
                Err(Failure::Usage(sentence)) => (sentence, None),
                Err(Failure::UsageNear { sentence, nearest }) => (sentence, nearest),
                other => panic!("{other:?}"),
            };
            assert!(sentence.starts_with(expected), "{sentence}");
            assert_eq!(nearest.as_deref(), near, "{texts:?}");
        }
    }
}
