//! In which language codes and contexts are put into words: English so far.
//!
//! A translation is one more [`Language`], with tables beside the English ones in [`super::codes`]. A
//! program that names a language there is no table for is told so; a person's locale that nobody has
//! translated for is served in English.

use super::codes::{self, Description};
use super::{Code, ErrorContext};

/// A language there are words in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
}

/// The part of a language identifier that names the language, whatever the country.
const PRIMARY: u32 = 0x3FF;
const ENGLISH: u32 = 0x09;
/// Nothing is said of the language (`LANG_NEUTRAL`).
const NEUTRAL: u32 = 0;

impl Language {
    /// The language of a Windows language identifier, such as `0x409`; 0 leaves the choice.
    ///
    /// # Errors
    /// [`Code::LANGUAGE_NOT_FOUND`] (`bits.md` §1.1, `GetErrorDescription`).
    pub fn of_id(id: u32) -> Result<Self, Code> {
        match id & PRIMARY {
            NEUTRAL | ENGLISH => Ok(Self::English),
            _ => Err(Code::LANGUAGE_NOT_FOUND),
        }
    }

    /// The language of a locale such as `en_GB.UTF-8`, as the variable `LC_MESSAGES` has it.
    ///
    /// # Errors
    /// [`Code::LANGUAGE_NOT_FOUND`].
    pub fn of_locale(locale: &str) -> Result<Self, Code> {
        let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
        match language {
            "" | "C" | "POSIX" | "en" => Ok(Self::English),
            _ => Err(Code::LANGUAGE_NOT_FOUND),
        }
    }

    /// What `code` means (`GetErrorDescription`), or `None` if nothing is known of it.
    pub fn describe(self, code: Code) -> Option<Description> {
        match self {
            Self::English => codes::describe(code),
        }
    }

    /// Where an error occurred (`GetErrorContextDescription`), as one sentence.
    pub fn describe_context(self, context: ErrorContext) -> &'static str {
        match self {
            Self::English => match context {
                ErrorContext::None => "Nothing has failed.",
                ErrorContext::Unknown => "It is not known where the error occurred.",
                ErrorContext::GeneralQueueManager => "The error occurred in the queue of jobs.",
                ErrorContext::QueueManagerNotification => {
                    "The error occurred while the owner of the job was being notified."
                }
                ErrorContext::LocalFile => "The error occurred at the local file.",
                ErrorContext::RemoteFile => "The error occurred at the remote file.",
                ErrorContext::GeneralTransport => "The error occurred on the way to the server.",
                ErrorContext::RemoteApplication => "The error occurred in the program on the server.",
                ErrorContext::ServerCertificateCallback => {
                    "The error occurred when a program was asked about the server's certificate."
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_that_nobody_has_translated_to_is_refused_by_its_code() {
        for id in [0, 0x09, 0x409, 0x809, 0x1409] {
            assert_eq!(Language::of_id(id), Ok(Language::English), "{id:#x}");
        }
        for id in [0x407, 0x40C, 0x804, 0x3FF] {
            assert_eq!(Language::of_id(id), Err(Code(0x8007_0717)), "{id:#x}");
        }
        for locale in ["", "C", "POSIX", "C.UTF-8", "en", "en_GB.UTF-8", "en-US", "en@quot"] {
            assert_eq!(Language::of_locale(locale), Ok(Language::English), "{locale}");
        }
        for locale in ["de_DE.UTF-8", "fr", "eng", "english", "zh_CN"] {
            assert_eq!(Language::of_locale(locale), Err(Code(0x8007_0717)), "{locale}");
        }
    }

    #[test]
    fn every_context_has_its_sentence_and_its_number_of_bits() {
        let numbers = [
            0x0020_0006,
            0x8020_0007,
            0x8020_0008,
            0x8020_000C,
            0x8020_0009,
            0x8020_000A,
            0x8020_000B,
            0x8020_001E,
            0x8020_0076,
        ];
        for ((context, name), number) in ErrorContext::ALL.into_iter().zip(numbers) {
            assert_eq!(context.code(), Code(number), "{name}");
            assert!(codes::describe(context.code()).is_some(), "{name}");
            assert_eq!(ErrorContext::named(name), Some(context));
            let sentence = Language::English.describe_context(context);
            assert!(sentence.ends_with('.') && sentence.len() > 10, "{sentence}");
        }
    }
}
