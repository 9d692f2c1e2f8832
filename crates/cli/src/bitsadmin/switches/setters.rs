//! The switches that change something of a job (`bits.md` §11.3).

use bits_client::Scheme;
use bits_client::api::http_options::{AUTODETECT, ClientCertificate, NO_PROXY, OVERRIDE, PRECONFIG, Proxy};
use bits_client::api::job::{ChangeJob, NotifyCommand};
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;
use bits_core::job::MINIMUM_RETRY_DELAY_FLOOR;
use bits_core::refusal::Refusal;
use bits_core::secret::Secret;

use super::super::absent;
use super::super::asked::{Asked, Given};
use super::super::command_line;
use super::super::layout;
use super::super::words::{Fault, Words};
use super::Row;
use super::jobs::{PRIORITIES, acl_flags};
use crate::requests;

const NOT_HERE: &str = "Not available in this version";

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "/setdisplayname",
        takes: "<job> <name>",
        about: "Renames a job",
        read: |words| {
            let (job, name) = (words.job()?, words.text("the name")?);
            let change = ChangeJob { display_name: Some(name.clone()), ..ChangeJob::default() };
            Ok(set(job, change, "display name", name))
        },
    },
    Row {
        name: "/setdescription",
        takes: "<job> <text>",
        about: "Describes a job",
        read: |words| {
            let (job, text) = (words.job()?, words.text("the description")?);
            let change = ChangeJob { description: Some(text.clone()), ..ChangeJob::default() };
            Ok(set(job, change, "description", text))
        },
    },
    Row {
        name: "/setpriority",
        takes: "<job> FOREGROUND|HIGH|NORMAL|LOW",
        about: "Says how urgent a job is",
        read: |words| {
            let (job, priority) = (words.job()?, words.one_of("the priority", &PRIORITIES)?);
            let change = ChangeJob { priority: Some(priority.name().to_owned()), ..ChangeJob::default() };
            Ok(set(job, change, "priority", priority.name().to_ascii_uppercase()))
        },
    },
    Row {
        name: "/setnotifyflags",
        takes: "<job> <number>",
        about: "Says of what its owner is notified: 1 transferred, 2 error, 4 nothing, or a sum",
        read: |words| {
            let (job, mask) = (words.job()?, flags(words)?);
            let change = ChangeJob { notify_flags: Some(mask), ..ChangeJob::default() };
            Ok(set(job, change, "notification flags", mask.to_string()))
        },
    },
    Row {
        name: "/setnotifycmdline",
        takes: "<job> <program|NULL> [<parameters>|NULL]",
        about: "Says what is run when a job is done or in error; no shell reads it",
        read: |words| {
            let (job, program) = (words.job()?, words.take("the program")?);
            let parameters = words.optional().and_then(unless_null);
            let Some(program) = unless_null(program) else {
                if parameters.is_some() {
                    return Err(Fault::new("parameters belong to a program"));
                }
                let change =
                    ChangeJob { notify_command: Some(NotifyCommand::default()), ..ChangeJob::default() };
                return Ok(set(job, change, "notification command line", "none".to_owned()));
            };
            let command = command_line::command(program, parameters.unwrap_or_default());
            let value = command_line::text(&command);
            let change = ChangeJob { notify_command: Some(command), ..ChangeJob::default() };
            Ok(set(job, change, "notification command line", value))
        },
    },
    Row {
        name: "/setminretrydelay",
        takes: "<job> <seconds>",
        about: "Says how long to wait before each retry",
        read: |words| {
            let (job, seconds) = (words.job()?, words.number("the seconds")?);
            // Less is raised silently (`bits.md` §1.3); to the service, none at all would mean something else.
            let seconds = seconds.max(MINIMUM_RETRY_DELAY_FLOOR.as_secs());
            let change = ChangeJob { minimum_retry_delay: Some(seconds), ..ChangeJob::default() };
            Ok(set(job, change, "minimum retry delay", seconds.to_string()))
        },
    },
    Row {
        name: "/setnoprogresstimeout",
        takes: "<job> <seconds>",
        about: "Says how long errors may follow each other before a job fails",
        read: |words| {
            let (job, seconds) = (words.job()?, words.number("the seconds")?);
            let change = ChangeJob { no_progress_timeout: Some(seconds), ..ChangeJob::default() };
            Ok(set(job, change, "no progress timeout", seconds.to_string()))
        },
    },
    Row {
        name: "/setmaxdownloadtime",
        takes: "<job> <seconds>",
        about: "Says how long a job may transfer since it was resumed; 0: as long as is usual",
        read: |words| {
            let (job, seconds) = (words.job()?, words.number("the seconds")?);
            let change = ChangeJob { maximum_download_time: Some(seconds), ..ChangeJob::default() };
            Ok(set(job, change, "maximum download time", seconds.to_string()))
        },
    },
    Row {
        name: "/setproxysettings",
        takes: "<job> PRECONFIG|AUTODETECT|NO_PROXY|OVERRIDE <list|NULL> <bypass|NULL>",
        about: "Says which proxies a job uses; lists have commas in them",
        read: proxy_settings,
    },
    Row {
        name: "/setaclflags",
        takes: "<job> [O][G][D][S]",
        about: "Sets the ACL flags, which are kept and do nothing over http",
        read: |words| {
            let (job, mask) = (words.job()?, acl_flags(words)?);
            let change = ChangeJob { file_acl_flags: Some(mask), ..ChangeJob::default() };
            Ok(set(job, change, "ACL flags", layout::acl_flags(mask)))
        },
    },
    Row {
        name: "/setcredentials",
        takes: "<job> SERVER|PROXY BASIC|DIGEST|NTLM|NEGOTIATE <user> <password|*>",
        about: "Sets credentials; * asks for the password, NULL NULL means your Kerberos ticket",
        read: credentials,
    },
    Row {
        name: "/removecredentials",
        takes: "<job> SERVER|PROXY BASIC|DIGEST|NTLM|NEGOTIATE",
        about: "Takes credentials away",
        read: |words| {
            let (job, target) = (words.job()?, target(words)?);
            Ok(Asked::RemoveCredentials { job, target, scheme: Scheme::One(scheme(words)?) })
        },
    },
    Row {
        name: "/setcustomheaders",
        takes: "<job> <header> [<header>...]",
        about: "Sets the headers of a job's own: 'Name: value', or @FILE for secret ones",
        read: |words| {
            let job = words.job()?;
            let headers = words.rest().to_vec();
            match headers.is_empty() {
                true => Err(Fault::new("the header is missing")),
                false => Ok(Asked::SetHeaders { job, headers }),
            }
        },
    },
    Row {
        name: "/makecustomheaderswriteonly",
        takes: "<job>",
        about: "Has the headers shown to nobody any more",
        read: |words| {
            let change = ChangeJob { make_custom_headers_write_only: Some(true), ..ChangeJob::default() };
            Ok(set(words.job()?, change, "custom headers", "write only".to_owned()))
        },
    },
    Row {
        name: "/sethttpmethod",
        takes: "<job> <method>",
        about: "Sets the method of the requests",
        read: |words| {
            let (job, method) = (words.job()?, words.text("the method")?);
            let change = ChangeJob { http_method: Some(method.clone()), ..ChangeJob::default() };
            Ok(set(job, change, "HTTP method", method))
        },
    },
    Row {
        name: "/setsecurityflags",
        takes: "<job> <number>",
        about: "Sets the security flags",
        read: |words| {
            let (job, text) = (words.job()?, words.take("the flags")?);
            let mask = requests::mask(text).map_err(|wrong| Fault::new(format!("the flags: {wrong}")))?;
            let change = ChangeJob { security_flags: Some(mask), ..ChangeJob::default() };
            Ok(set(job, change, "security flags", format!("{mask:#x}")))
        },
    },
    Row {
        name: "/setclientcertificatebyid",
        takes: "<job> <location 1-8> <folder> <hex hash>",
        about: "Shows servers the certificate of this fingerprint in a folder",
        read: |words| {
            let (job, folder) = (words.job()?, certificate_folder(words)?);
            let fingerprint = words.text("the hash")?;
            Ok(set_certificate(
                job,
                ClientCertificate::ById { folder, fingerprint: fingerprint.clone() },
                fingerprint,
            ))
        },
    },
    Row {
        name: "/setclientcertificatebyname",
        takes: "<job> <location 1-8> <folder> <subject>",
        about: "Shows servers the first certificate of this subject in a folder",
        read: |words| {
            let (job, folder) = (words.job()?, certificate_folder(words)?);
            let subject = words.text("the subject")?;
            Ok(set_certificate(job, ClientCertificate::ByName { folder, subject: subject.clone() }, subject))
        },
    },
    Row {
        name: "/removeclientcertificate",
        takes: "<job>",
        about: "Shows servers no certificate",
        read: |words| Ok(set_certificate(words.job()?, ClientCertificate::None, "none".to_owned())),
    },
    Row {
        name: "/setvalidationstate",
        takes: "<job> <index> TRUE|FALSE",
        about: "Says whether a file that has come is right; FALSE has it fetched again",
        read: |words| {
            let (job, index) = (words.job()?, words.index()?);
            Ok(Asked::SetValidation { job, index, is_valid: words.one_of("the state", &TRUTH)? })
        },
    },
    Row {
        name: "/setpeercachingflags",
        takes: "<job> <number>",
        about: "Sets the flags of a peer cache, which are kept and do nothing here",
        read: |words| {
            let (job, mask) = (words.job()?, flags(words)?);
            let change = ChangeJob { peer_caching_flags: Some(mask), ..ChangeJob::default() };
            Ok(set(job, change, "peer caching flags", mask.to_string()))
        },
    },
    absent("/setreplyfilename", "<job> <path>", |words| {
        let job = words.job()?;
        words.take("the path")?;
        Ok(Asked::OfReplies { what: "set reply file name", job })
    }),
    absent("/sethelpertoken", "<job> [<user@domain> <password>]", |words| {
        words.job()?;
        if words.optional().is_some() {
            words.take("the password")?;
        }
        Ok(Asked::Absent(&absent::HELPER_TOKEN))
    }),
    Row {
        name: "/sethelpertokenflags",
        takes: "<job> 1|2|3",
        about: "Sets the flags of a helper token, which are kept and do nothing here",
        read: |words| {
            let (job, mask) = (words.job()?, flags(words)?);
            let change = ChangeJob { helper_token_flags: Some(mask), ..ChangeJob::default() };
            Ok(set(job, change, "helper token flags", mask.to_string()))
        },
    },
];

pub(super) const TRUTH: [(&str, bool); 2] = [("TRUE", true), ("FALSE", false)];

const fn absent(
    name: &'static str,
    takes: &'static str,
    read: fn(&mut Words<'_>) -> Result<Asked, Fault>,
) -> Row {
    Row { name, takes, about: NOT_HERE, read }
}

fn set(job: String, change: ChangeJob, what: &'static str, value: String) -> Asked {
    Asked::Set { job, change: Box::new(change), what, value }
}

fn set_certificate(job: String, which: ClientCertificate, value: String) -> Asked {
    let change = ChangeJob { client_certificate: Some(which), ..ChangeJob::default() };
    set(job, change, "client certificate", value)
}

/// A mask in decimal, which the service knows the bits of.
fn flags(words: &mut Words<'_>) -> Result<u32, Fault> {
    let flags = words.number("the flags")?;
    u32::try_from(flags).map_err(|_| Fault::new(format!("the flags: {flags} is too much")))
}

/// The word for what is not given.
const NULL: &str = "NULL";

fn unless_null(word: &str) -> Option<&str> {
    (!word.eq_ignore_ascii_case(NULL)).then_some(word)
}

fn proxy_settings(words: &mut Words<'_>) -> Result<Asked, Fault> {
    let job = words.job()?;
    let known = [
        ("PRECONFIG", PRECONFIG),
        ("AUTODETECT", AUTODETECT),
        ("NO_PROXY", NO_PROXY),
        ("OVERRIDE", OVERRIDE),
    ];
    let usage = words.one_of("the usage", &known)?;
    // The service has spaces where this tool has commas.
    let list = words.optional().and_then(unless_null).map(|list| list.replace(',', " "));
    let bypass = words.optional().and_then(unless_null).map(|list| list.replace(',', " "));
    match (usage == OVERRIDE, &list, &bypass) {
        (true, None, _) => return Err(Fault::new("OVERRIDE needs a list of proxies")),
        (false, Some(_), _) | (false, _, Some(_)) => {
            return Err(Fault::new("lists of proxies belong to OVERRIDE alone"));
        }
        _ => {}
    }
    let change =
        ChangeJob { proxy: Some(Proxy { usage: usage.to_owned(), list, bypass }), ..ChangeJob::default() };
    Ok(set(job, change, "proxy usage", usage.to_ascii_uppercase()))
}

fn target(words: &mut Words<'_>) -> Result<AuthTarget, Fault> {
    let word = words.take("the target")?;
    let wrong = Fault { code: Code::INVALID_AUTH_TARGET, ..Fault::none_of(word, &["SERVER", "PROXY"]) };
    AuthTarget::named(word).ok_or(wrong)
}

fn scheme(words: &mut Words<'_>) -> Result<AuthScheme, Fault> {
    let word = words.take("the scheme")?;
    AuthScheme::to_set(word).map_err(|refusal| match refusal {
        Refusal::PassportNotSpoken => Fault { code: refusal.code(), ..Fault::new(refusal.to_string()) },
        _ => {
            let known = ["BASIC", "DIGEST", "NTLM", "NEGOTIATE"];
            Fault { code: refusal.code(), ..Fault::none_of(word, &known) }
        }
    })
}

fn credentials(words: &mut Words<'_>) -> Result<Asked, Fault> {
    let (job, target, scheme) = (words.job()?, target(words)?, scheme(words)?);
    let (user, password) = (words.take("the user")?, words.take("the password")?);
    let secret = match (unless_null(user), password) {
        (None, _) if unless_null(password).is_none() => Given::Implicit,
        (None, _) => return Err(Fault::new("NULL as the user belongs to NULL as the password")),
        (Some(_), _) if unless_null(password).is_none() => {
            return Err(Fault::new("NULL as the password belongs to NULL as the user"));
        }
        (Some(ASK), _) => Given::ToAsk { user: None },
        (Some(user), ASK) => Given::ToAsk { user: Some(user.to_owned()) },
        (Some(user), password) => {
            Given::Literal { user: user.to_owned(), password: Secret::new(password.to_owned()) }
        }
    };
    Ok(Asked::SetCredentials { job, target, scheme, secret })
}

/// In the place of user or password: the person is asked.
const ASK: &str = "*";

/// The folder that stands for a store of certificates, after the location, which says nothing here.
fn certificate_folder(words: &mut Words<'_>) -> Result<String, Fault> {
    let location = words.number("the location")?;
    if !(1..=8).contains(&location) {
        return Err(Fault {
            code: Code::NOT_IMPLEMENTED,
            ..Fault::new(format!("the location: {location} is none of 1 to 8"))
        });
    }
    let store = words.take("the folder")?;
    if !store.contains('/') {
        let sentence = format!(
            "there is no certificate store `{store}` here; name a folder of PEM or PKCS#12 files, such as ./{store}"
        );
        return Err(Fault { code: Code::FILE_NOT_FOUND, ..Fault::new(sentence) });
    }
    requests::absolute(store).map_err(|_| Fault::new(format!("`{store}` is no path of a folder")))
}
