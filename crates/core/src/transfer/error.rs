//! What a failed request means for the job: its number, and whether time may cure it
//! (`bits.md` §5.2, §5.3).
//!
//! How a failure was noticed is not known here, and failures of local files are not met here.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::content_range::repeated;
use super::head::ResponseHead;
use super::http_date;
use crate::error::{Code, ErrorContext, JobError};
use crate::file::FileIndex;
use crate::remote_name::RemoteName;
use crate::units::Bytes;

/// The ways in which a server is not reached or not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportFault {
    NameNotResolved,
    CannotConnect,
    /// The connection ended or broke in the middle.
    Aborted,
    TimedOut,
    /// The two sides did not agree on how to be secure.
    Tls,
    /// The certificate is not valid yet, or not any more.
    CertificateDate,
    /// The certificate is for other hosts.
    CertificateHostName,
    /// Nobody we trust stands for the certificate.
    UnknownAuthority,
    CertificateRevoked,
    /// What came is not HTTP as we may accept it.
    InvalidAnswer,
    /// It is we who have no memory left for it.
    OutOfMemory,
    /// We may open no more.
    TooManyOpenFiles,
}

impl TransportFault {
    pub const ALL: [Self; 12] = [
        Self::NameNotResolved,
        Self::CannotConnect,
        Self::Aborted,
        Self::TimedOut,
        Self::Tls,
        Self::CertificateDate,
        Self::CertificateHostName,
        Self::UnknownAuthority,
        Self::CertificateRevoked,
        Self::InvalidAnswer,
        Self::OutOfMemory,
        Self::TooManyOpenFiles,
    ];

    /// The number it is known by.
    pub const fn code(self) -> Code {
        match self {
            Self::NameNotResolved => Code::NAME_NOT_RESOLVED,
            Self::CannotConnect => Code::CANNOT_CONNECT,
            Self::Aborted => Code::CONNECTION_ABORTED,
            Self::TimedOut => Code::TIMEOUT,
            Self::Tls => Code(0x8007_2F8F),
            Self::CertificateDate => Code(0x8007_2F05),
            Self::CertificateHostName => Code(0x8007_2F06),
            Self::UnknownAuthority => Code(0x8007_2F0D),
            Self::CertificateRevoked => Code(0x8007_2F8A),
            Self::InvalidAnswer => Code::INVALID_ANSWER,
            Self::OutOfMemory => Code::OUT_OF_MEMORY,
            Self::TooManyOpenFiles => Code::TOO_MANY_OPEN_FILES,
        }
    }

    /// Whether time may cure it. Trust does not come with time, so nothing about certificates does.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::NameNotResolved
            | Self::CannotConnect
            | Self::Aborted
            | Self::TimedOut
            | Self::InvalidAnswer
            | Self::OutOfMemory
            | Self::TooManyOpenFiles => true,
            Self::Tls
            | Self::CertificateDate
            | Self::CertificateHostName
            | Self::UnknownAuthority
            | Self::CertificateRevoked => false,
        }
    }
}

/// A request that got no answer, or an answer that broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    pub fault: TransportFault,
    /// One sentence for a person, naming the host.
    pub message: String,
}

impl From<TransportError> for JobError {
    fn from(error: TransportError) -> Self {
        Self {
            code: error.fault.code(),
            context: ErrorContext::GeneralTransport,
            transient: error.fault.is_transient(),
            message: error.message,
            file: None,
            challenge: None,
            retry_after_seconds: None,
        }
    }
}

/// Whether time may cure an answer with this status (`bits.md` §5.2), 429 among them (§13, 33).
pub const fn status_is_transient(status: u16) -> bool {
    match status {
        300..=305 | 307 | 308 => false,
        408 | 409 | 429 => true,
        400..=499 => false,
        501 | 505 => false,
        _ => true,
    }
}

/// The error that an answer is which is neither content nor a redirect.
pub fn status_error(remote_name: &RemoteName, head: &ResponseHead, file: Option<FileIndex>) -> JobError {
    let transient = status_is_transient(head.status);
    let meaning = match meaning(head.status) {
        "" => String::new(),
        meaning => format!(" ({meaning})"),
    };
    JobError {
        code: Code::http(head.status),
        context: ErrorContext::RemoteFile,
        transient,
        message: format!("{} answered {}{meaning}", shown(remote_name), head.status),
        file,
        challenge: None,
        retry_after_seconds: if transient { retry_after_seconds(head) } else { None },
    }
}

/// An answer that breaks the protocol so that trying again would not help.
pub(super) fn invalid_answer(message: String, file: FileIndex) -> JobError {
    JobError {
        code: Code::INVALID_SERVER_RESPONSE,
        context: ErrorContext::RemoteFile,
        transient: false,
        message,
        file: Some(file),
        challenge: None,
        retry_after_seconds: None,
    }
}

/// The error that the end of a body is which comes too early.
pub(super) fn cut_off(from: &RemoteName, received: Bytes, end: Bytes) -> TransportError {
    let message = format!("{} stopped sending after {} of {end}", from.authority(), received.0);
    TransportError { fault: TransportFault::Aborted, message }
}

/// What is wrong with an answer that is packed.
pub(super) fn packed(head: &ResponseHead) -> String {
    let coding = repeated(head.content_coding().unwrap_or_default());
    format!(
        "sends the file packed (Content-Encoding: {coding}) although that was not asked for, so it would not be \
         the file that is there"
    )
}

/// The error that a redirect is which is not followed.
pub(super) fn redirect_error(status: u16, message: String, file: FileIndex) -> JobError {
    JobError { code: Code::http(status), ..invalid_answer(message, file) }
}

/// What 511 is for, said by a network that does not know it. Not a wrong answer of the server's: it is
/// waited out.
pub(super) fn captive_error(name: &RemoteName, file: FileIndex) -> JobError {
    let message = format!(
        "{} answers with a web page where a file was; if this network wants somebody to sign in, do that, and if \
         the file has become a page, make a new job for it",
        shown(name)
    );
    JobError { code: Code::http(511), transient: true, ..invalid_answer(message, file) }
}

/// The error that a file is which is larger than the `most` that may come.
pub(super) fn too_large_error(name: &RemoteName, most: Bytes, file: FileIndex) -> JobError {
    let message = format!("{} is larger than the {most} that the job may still download", shown(name));
    JobError {
        code: Code::MAX_DOWNLOAD_SIZE_LIMIT_REACHED,
        context: ErrorContext::GeneralQueueManager,
        ..invalid_answer(message, file)
    }
}

/// A remote name for messages. What stands in a query may be a key to the file.
pub(super) fn shown(name: &RemoteName) -> String {
    match name.as_str().split_once('?') {
        Some((before, _)) => format!("{before}?…"),
        None => name.as_str().into(),
    }
}

/// `Retry-After` in seconds; a date is seen from the answer's own `Date`, as clocks may differ.
fn retry_after_seconds(head: &ResponseHead) -> Option<u32> {
    let text = head.field("retry-after")?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(u32::MAX));
    }
    let until = http_date::parse(text)?;
    let answered = http_date::parse(head.field("date")?)?;
    let wait: Duration = until.since(answered);
    Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
}

/// What a status says, in the words of RFC 9110 or shorter ones.
const fn meaning(status: u16) -> &'static str {
    match status {
        204 => "no content, where a file should be",
        206 => "a part, where the whole was asked for",
        400 => "bad request",
        401 => "the server wants to know who asks",
        403 => "forbidden",
        404 => "not found",
        405 => "the server does not let files be fetched from there",
        407 => "the proxy wants to know who asks",
        408 => "the server grew tired of waiting",
        409 => "conflict",
        410 => "gone for good",
        414 => "the URL is too long for the server",
        416 => "no such range",
        429 => "too many requests",
        451 => "unavailable for legal reasons",
        500 => "the server has failed",
        501 => "not implemented",
        502 => "a server behind the server has failed",
        503 => "the server is overloaded or being maintained",
        504 => "a server behind the server did not answer in time",
        505 => "HTTP/1.1 is not spoken there",
        507 => "the server is out of space",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::BodyLength;
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn statuses_heal_as_the_reference_says() {
        let transient: Vec<u16> = (200..600).filter(|status| status_is_transient(*status)).collect();
        let fatal = |status: &u16| !transient.contains(status);
        assert!([300, 301, 302, 303, 304, 305, 307, 400, 401, 403, 404, 407, 410, 416].iter().all(fatal));
        assert!([501, 505].iter().all(fatal));
        assert!([306, 408, 409, 429, 500, 502, 503, 504, 599].iter().all(|status| !fatal(status)));
    }

    #[test]
    fn nothing_about_certificates_heals_and_numbers_are_their_own() {
        let mut codes: Vec<_> = TransportFault::ALL.iter().map(|fault| fault.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), TransportFault::ALL.len());
        assert!(!TransportFault::UnknownAuthority.is_transient());
        assert!(TransportFault::Aborted.is_transient());
    }

    #[test]
    fn patience_is_asked_for_in_seconds_or_by_a_date() {
        let date = ("Date", "Wed, 25 Nov 2026 12:00:00 GMT");
        for (status, fields, expected) in [
            (503, &[("Retry-After", "120")][..], Some(120)),
            (429, &[("Retry-After", "Wed, 25 Nov 2026 12:01:30 GMT"), date], Some(90)),
            (503, &[("Retry-After", "Wed, 25 Nov 2026 11:00:00 GMT"), date], Some(0)),
            (503, &[("Retry-After", "Wed, 25 Nov 2026 12:01:30 GMT")], None),
            (503, &[("Retry-After", "99999999999999")], Some(u32::MAX)),
            (503, &[("Retry-After", "soon")], None),
            (404, &[("Retry-After", "120")], None),
        ] {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let head = ResponseHead { status, body: BodyLength::Chunked, fields: fields.collect() };
            let name = RemoteName::stored("http://h.test/f").expect("a URL");
            assert_eq!(status_error(&name, &head, None).retry_after_seconds, expected, "{head:?}");
        }
    }

    #[test]
    fn a_message_names_the_address_without_its_query() {
        let name = RemoteName::stored("https://h.test/f?token=hunter2").expect("a URL");
        let head = ResponseHead { status: 404, body: BodyLength::Chunked, fields: Vec::new() };
        let error = status_error(&name, &head, None);
        assert_eq!(error.message, "https://h.test/f?… answered 404 (not found)");
        assert_eq!((error.code, error.transient), (Code(0x8019_0194), false));
    }
}
