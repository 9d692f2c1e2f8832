//! The error of a job as BITS's programs read it (`IBackgroundCopyError`, `bits.md` §1.10): a snapshot of
//! what has failed.
//!
//! What it has not is told by BITS's own codes.

use bits_api::file::File;
use bits_api::job::JobError;
use bits_core::error::{Code, ErrorContext, Language};

/// The error that a job had when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    error: JobError,
    file: Option<File>,
}

impl JobFailure {
    pub(crate) fn new(error: JobError, file: Option<File>) -> Self {
        Self { error, file }
    }

    /// Where it occurred, and its code (`GetError`). A later service may have contexts that are not
    /// known here.
    pub fn error(&self) -> (ErrorContext, Code) {
        let context = ErrorContext::named(&self.error.context).unwrap_or(ErrorContext::Unknown);
        (context, crate::error::code_of(&self.error.code).unwrap_or(Code::UNSPECIFIED))
    }

    /// One sentence that names the file or host.
    pub fn message(&self) -> &str {
        &self.error.message
    }

    /// The file it is about (`GetFile`).
    ///
    /// # Errors
    /// [`Code::FILE_NOT_AVAILABLE`] when it is about none.
    pub fn file(&self) -> Result<&File, Code> {
        self.file.as_ref().ok_or(Code::FILE_NOT_AVAILABLE)
    }

    /// What the code means, in the language `language_id`; 0 leaves the choice (`GetErrorDescription`).
    ///
    /// # Errors
    /// [`Code::LANGUAGE_NOT_FOUND`].
    pub fn description(&self, language_id: u32) -> Result<String, Code> {
        crate::error_description(self.error().1, language_id)
    }

    /// Where it occurred, in words (`GetErrorContextDescription`).
    ///
    /// # Errors
    /// [`Code::LANGUAGE_NOT_FOUND`].
    pub fn context_description(&self, language_id: u32) -> Result<&'static str, Code> {
        Ok(Language::of_id(language_id)?.describe_context(self.error().0))
    }

    /// `http`, also for https, or `file` (`GetProtocol`).
    ///
    /// # Errors
    /// [`Code::PROTOCOL_NOT_AVAILABLE`] when it did not occur in a protocol.
    pub fn protocol(&self) -> Result<&'static str, Code> {
        let of_protocol = match self.error().0 {
            ErrorContext::RemoteFile
            | ErrorContext::GeneralTransport
            | ErrorContext::RemoteApplication
            | ErrorContext::ServerCertificateCallback => self.file.as_ref(),
            ErrorContext::None
            | ErrorContext::Unknown
            | ErrorContext::GeneralQueueManager
            | ErrorContext::QueueManagerNotification
            | ErrorContext::LocalFile => None,
        };
        let file = of_protocol.ok_or(Code::PROTOCOL_NOT_AVAILABLE)?;
        Ok(if file.remote_name.starts_with("http") { "http" } else { "file" })
    }
}

/// What `code` means, in the language `language_id`; 0 leaves the choice
/// (`IBackgroundCopyManager::GetErrorDescription`). No service is asked.
///
/// # Errors
/// [`Code::LANGUAGE_NOT_FOUND`]; [`Code::INVALID_ARGUMENT`] for a code of which nothing is known.
pub fn error_description(code: Code, language_id: u32) -> Result<String, Code> {
    let description = Language::of_id(language_id)?.describe(code).ok_or(Code::INVALID_ARGUMENT)?;
    Ok(format!("{} {}", description.meaning, description.advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(context: &str, code: &str, remote_name: Option<&str>) -> JobFailure {
        let error = JobError {
            code: code.to_owned(),
            name: String::new(),
            context: context.to_owned(),
            message: "it has failed".to_owned(),
            transient: false,
            file: remote_name.map(|_| 0),
            challenge: None,
        };
        let file = remote_name.map(|name| {
            let file = serde_json::json!({
                "index": 0, "remote_name": name, "local_name": "/tmp/f", "bytes_total": null,
                "bytes_transferred": 0, "completed": false
            });
            serde_json::from_value(file).expect("a file")
        });
        JobFailure::new(error, file)
    }

    /// `bits.md` §5.5, one line a row: context, code, whether it has a file, and its protocol.
    #[test]
    fn an_error_tells_what_bits_tells_of_it() {
        const NO_FILE: Code = Code(0x8020_0004);
        const NO_PROTOCOL: Code = Code(0x8020_0005);
        for (context, code, remote_name, protocol) in [
            ("remote_file", 0x8019_0194, Some("https://h.test/f"), Ok("http")),
            ("general_transport", 0x8007_2EFD, Some("http://h.test/f"), Ok("http")),
            ("remote_file", 0x8007_0002, Some("file:///srv/f"), Ok("file")),
            ("local_file", 0x8007_0005, Some("http://h.test/f"), Err(NO_PROTOCOL)),
            ("general_queue_manager", 0x8020_0054, None, Err(NO_PROTOCOL)),
            ("general_transport", 0x8020_0010, None, Err(NO_PROTOCOL)),
            ("server_certificate_callback", 0x8020_0074, Some("https://h.test/f"), Ok("http")),
        ] {
            let failure = failure(context, &format!("{code:#010x}"), remote_name);
            assert_eq!(failure.error(), (ErrorContext::named(context).expect("a context"), Code(code)));
            assert_eq!(failure.protocol(), protocol, "{context}");
            assert_eq!(failure.file().map(|file| file.index), remote_name.map(|_| 0).ok_or(NO_FILE));
        }
    }

    #[test]
    fn an_error_and_where_it_occurred_are_told_in_a_language_that_there_is() {
        const UNKNOWN_LANGUAGE: Code = Code(0x8007_0717);
        let failure = failure("remote_file", "0x80190194", Some("http://h.test/f"));
        for language in [0, 0x409] {
            assert!(failure.description(language).expect("English").contains("404"));
            assert!(failure.context_description(language).expect("English").contains("remote file"));
        }
        assert_eq!(failure.description(0x407), Err(UNKNOWN_LANGUAGE));
        assert_eq!(failure.context_description(0x407), Err(UNKNOWN_LANGUAGE));
        assert_eq!(error_description(Code(0x8020_0003), 0x407), Err(UNKNOWN_LANGUAGE));
        assert!(error_description(Code(0x8020_0003), 0).expect("English").contains("no files"));
        assert_eq!(error_description(Code(0x8020_0999), 0), Err(Code::INVALID_ARGUMENT));
    }
}
