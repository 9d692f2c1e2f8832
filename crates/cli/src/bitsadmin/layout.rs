//! What is printed of jobs, files and errors, in the layouts of that tool (`bits.md` §11.2). Pure: the zone
//! of the person is an argument.

use bits_client::api::file::File;
use bits_client::api::http_options::ClientCertificate;
use bits_client::api::job::{Job, JobError};
use bits_core::error::{Code, ErrorContext};
use jiff::tz::TimeZone;

use crate::exit::number;
use crate::output::units::local_time;

use super::asked::{ACL_FLAGS, Property};
use super::command_line;

pub(super) const UNKNOWN: &str = "UNKNOWN";
const NULL: &str = "NULL";

/// `id` as a GUID.
pub(super) fn guid(id: &str) -> String {
    format!("{{{}}}", id.to_ascii_uppercase())
}

/// `code` in the letters of that tool.
pub(super) fn coded(code: Code) -> String {
    format!("{:#010x}", code.0)
}

/// The line of a job in a list.
pub(super) fn short(job: &Job) -> String {
    format!("{} '{}' {} {} {}", guid(&job.id), job.display_name, state(job), files(job), bytes(job))
}

/// The block of a job with its `files`.
pub(super) fn verbose(job: &Job, files_of_it: &[File], zone: &TimeZone) -> Vec<String> {
    let value = |property| value(property, job, zone);
    let mut lines = vec![
        format!("GUID: {} DISPLAY: '{}'", guid(&job.id), job.display_name),
        format!("TYPE: {} STATE: {} OWNER: {}", kind(job), state(job), owner(job)),
        format!("PRIORITY: {} FILES: {} BYTES: {}", priority(job), files(job), bytes(job)),
        format!(
            "CREATION TIME: {} MODIFICATION TIME: {}",
            value(Property::CreationTime),
            value(Property::ModificationTime)
        ),
        format!(
            "COMPLETION TIME: {} ACL FLAGS: {}",
            value(Property::CompletionTime),
            value(Property::AclFlags)
        ),
        format!(
            "NOTIFY INTERFACE: {} NOTIFICATION FLAGS: {}",
            value(Property::NotifyInterface),
            value(Property::NotifyFlags)
        ),
        format!(
            "RETRY DELAY: {} NO PROGRESS TIMEOUT: {} ERROR COUNT: {}",
            value(Property::MinRetryDelay),
            value(Property::NoProgressTimeout),
            value(Property::ErrorCount)
        ),
        format!(
            "PROXY USAGE: {} PROXY LIST: {} PROXY BYPASS LIST: {}",
            value(Property::ProxyUsage),
            value(Property::ProxyList),
            value(Property::ProxyBypassList)
        ),
    ];
    if let Some(wrong) = error_in_force(job) {
        lines.extend(error(wrong, file_of(wrong, files_of_it)));
    }
    lines.push(format!("DESCRIPTION: {}", job.description).trim_end().to_owned());
    lines.push("JOB FILES:".to_owned());
    lines.extend(files_of_it.iter().map(|one| format!("\t{}", file(one))));
    lines.push(format!("NOTIFICATION COMMAND LINE: {}", value(Property::NotifyCommandLine)));
    let (level, elevated) = (integrity_level(job), truth(job.owner.elevated));
    lines.push(format!("OWNER INTEGRITY LEVEL: {level} OWNER ELEVATED: {elevated}"));
    lines.push(format!("PEER CACHING FLAGS: {}", value(Property::PeerCachingFlags)));
    lines.push(format!("CUSTOM HEADERS: {}", value(Property::CustomHeaders)));
    lines
}

/// What is shown of a job while it is looked on.
pub(super) fn progress(job: &Job) -> Vec<String> {
    let of = job.progress.bytes_total.filter(|total| *total > 0);
    let percent = of.map(|total| u128::from(job.progress.bytes_transferred) * 100 / u128::from(total));
    let percent = percent.map(|percent| format!(" ({percent}%)")).unwrap_or_default();
    let mut lines = vec![
        format!("DISPLAY: '{}' TYPE: {} STATE: {}", job.display_name, kind(job), state(job)),
        format!("PRIORITY: {} FILES: {} BYTES: {}{percent}", priority(job), files(job), bytes(job)),
    ];
    if let Some(wrong) = error_in_force(job) {
        lines.extend(error(wrong, None));
    }
    lines
}

/// The line of a file.
pub(super) fn file(file: &File) -> String {
    let state = if file.completed { "COMPLETED" } else { "WORKING" };
    let total = file.bytes_total.map_or(UNKNOWN.to_owned(), |total| total.to_string());
    format!("{} / {total} {state} {} -> {}", file.bytes_transferred, file.remote_name, file.local_name)
}

/// The block of an error, which `file` was met with.
pub(super) fn error(error: &JobError, file: Option<&File>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(file) = file {
        lines.push(format!("ERROR FILE:    {} -> {}", file.remote_name, file.local_name));
    }
    let code = number(&error.code).unwrap_or(Code::UNSPECIFIED);
    lines.push(format!("ERROR CODE:    {} - {}", coded(code), error.message));
    let context = ErrorContext::named(&error.context).unwrap_or(ErrorContext::Unknown);
    lines.push(format!("ERROR CONTEXT: {:#010x} - {}", context as u32, place(context)));
    lines
}

/// The error of a job in ERROR or TRANSIENT_ERROR.
pub(super) fn error_in_force(job: &Job) -> Option<&JobError> {
    job.error.as_ref().filter(|_| matches!(job.state.as_str(), "error" | "transient_error"))
}

/// The file of `files` that `error` is about.
pub(super) fn file_of<'a>(error: &JobError, files: &'a [File]) -> Option<&'a File> {
    files.iter().find(|file| error.file == Some(file.index))
}

/// Where an error happened, in words (`bits.md` §2.3).
fn place(context: ErrorContext) -> &'static str {
    match context {
        ErrorContext::None => "No error has happened.",
        ErrorContext::Unknown => "It is not known where the error happened.",
        ErrorContext::GeneralQueueManager => "The error happened in the queue of the service.",
        ErrorContext::QueueManagerNotification => "The error happened when the owner was to be notified.",
        ErrorContext::LocalFile => "The error happened at the local file.",
        ErrorContext::RemoteFile => "The error happened at the remote file.",
        ErrorContext::GeneralTransport => "The error happened on the way to the server.",
        ErrorContext::RemoteApplication => "The error happened in the application behind the server.",
        ErrorContext::ServerCertificateCallback => {
            "The error happened when a program was asked about the certificate of the server."
        }
    }
}

/// A property in words.
pub(super) fn value(property: Property, job: &Job, zone: &TimeZone) -> String {
    let text = |text: Option<&String>| text.cloned().unwrap_or_else(|| NULL.to_owned());
    match property {
        Property::Type => kind(job),
        Property::State => state(job),
        Property::Owner => owner(job),
        Property::BytesTotal => total(job),
        Property::BytesTransferred => job.progress.bytes_transferred.to_string(),
        Property::FilesTotal => job.progress.files_total.to_string(),
        Property::FilesTransferred => job.progress.files_transferred.to_string(),
        Property::CreationTime => local_time(&job.times.created, zone),
        Property::ModificationTime => local_time(&job.times.modified, zone),
        Property::CompletionTime => {
            let time = job.times.transfer_completed.as_ref();
            time.map_or(UNKNOWN.to_owned(), |time| local_time(time, zone))
        }
        Property::ErrorCount => job.error_count.to_string(),
        Property::DisplayName => job.display_name.clone(),
        Property::Description => job.description.clone(),
        Property::Priority => priority(job),
        Property::NotifyFlags => job.notify_flags.to_string(),
        Property::NotifyCommandLine => {
            job.notify_command.as_ref().map_or_else(|| "none".to_owned(), command_line::text)
        }
        Property::NotifyInterface => "UNREGISTERED".to_owned(),
        Property::MinRetryDelay => job.minimum_retry_delay.unwrap_or(0).to_string(),
        Property::NoProgressTimeout => job.no_progress_timeout.to_string(),
        Property::MaxDownloadTime => {
            job.maximum_download_time.map_or(UNKNOWN.to_owned(), |seconds| seconds.to_string())
        }
        Property::ProxyUsage => job.proxy.usage.to_ascii_uppercase(),
        Property::ProxyList => text(job.proxy.list.as_ref()),
        Property::ProxyBypassList => text(job.proxy.bypass.as_ref()),
        Property::AclFlags => acl_flags(job.file_acl_flags),
        Property::CustomHeaders => headers(job),
        Property::HttpMethod => job.http_method.clone(),
        Property::SecurityFlags => format!("{:#x}", job.security_flags),
        Property::ClientCertificate => certificate(&job.client_certificate),
        Property::PeerCachingFlags => job.peer_caching_flags.to_string(),
        Property::HelperTokenFlags => job.helper_token_flags.to_string(),
    }
}

/// A mask in letters.
pub(super) fn acl_flags(mask: u32) -> String {
    let letters: String =
        ACL_FLAGS.iter().filter(|(_, bit)| mask & bit != 0).map(|(letter, _)| letter).collect();
    if letters.is_empty() { NULL.to_owned() } else { letters }
}

/// The word for the level of whose job it is.
fn integrity_level(job: &Job) -> String {
    match job.owner.integrity_level {
        0x1000 => "LOW".to_owned(),
        0x2000 => "MEDIUM".to_owned(),
        0x3000 => "HIGH".to_owned(),
        0x4000 => "SYSTEM".to_owned(),
        other => format!("{other:#x}"),
    }
}

pub(super) fn truth(is_so: bool) -> &'static str {
    if is_so { "TRUE" } else { "FALSE" }
}

fn kind(job: &Job) -> String {
    job.kind.replace('_', "-").to_ascii_uppercase()
}

/// The state in that tool's word, which has one L less.
pub(super) fn state(job: &Job) -> String {
    match job.state.as_str() {
        "cancelled" => "CANCELED".to_owned(),
        other => other.to_ascii_uppercase(),
    }
}

fn owner(job: &Job) -> String {
    job.owner.name.clone().unwrap_or_else(|| job.owner.id.clone())
}

fn priority(job: &Job) -> String {
    job.priority.to_ascii_uppercase()
}

fn files(job: &Job) -> String {
    format!("{} / {}", job.progress.files_transferred, job.progress.files_total)
}

fn bytes(job: &Job) -> String {
    format!("{} / {}", job.progress.bytes_transferred, total(job))
}

fn total(job: &Job) -> String {
    job.progress.bytes_total.map_or(UNKNOWN.to_owned(), |total| total.to_string())
}

/// The headers of a job, of secret ones the names.
fn headers(job: &Job) -> String {
    let Some(headers) = &job.custom_headers else { return "write only".to_owned() };
    let open = headers.iter().map(|header| format!("{}: {}", header.name, header.value));
    let secret = job.secret_headers.iter().flatten().map(|name| format!("{name}: (secret)"));
    let all: Vec<String> = open.chain(secret).collect();
    if all.is_empty() { NULL.to_owned() } else { all.join("; ") }
}

fn certificate(certificate: &ClientCertificate) -> String {
    match certificate {
        ClientCertificate::None => NULL.to_owned(),
        ClientCertificate::File { path, key: None } => format!("FILE: {path}"),
        ClientCertificate::File { path, key: Some(key) } => format!("FILE: {path} KEY: {key}"),
        ClientCertificate::ById { folder, fingerprint } => format!("STORE: {folder} HASH: {fingerprint}"),
        ClientCertificate::ByName { folder, subject } => format!("STORE: {folder} SUBJECT: {subject}"),
    }
}

#[cfg(test)]
mod tests;
