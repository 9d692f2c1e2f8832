//! The headers an owner gives, sorted by what may be seen of them.
//!
//! Until they are sorted every value is taken for a secret, and no error repeats one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{HEADERS_BYTES_MAX, Header, HeaderName, header_value};
use crate::credentials::SecretHeader;
use crate::refusal::Refusal;
use crate::secret::Secret;

/// All headers that a job is to send.
#[derive(Debug, Default)]
pub struct GivenHeaders {
    /// Stored and shown as they are.
    pub plain: Vec<Header>,
    /// To be sealed.
    pub secret: Vec<SecretHeader>,
}

/// Bytes around a name and a value: colon, space and line end.
const AROUND: usize = 4;

impl GivenHeaders {
    /// Sorts names and values.
    ///
    /// # Errors
    /// [`Refusal::InvalidArgument`] for a header that cannot be set or one that is a secret and
    /// given twice, [`Refusal::StringTooLong`] when they are too long together.
    pub fn sort(given: impl IntoIterator<Item = (String, Secret)>) -> Result<Self, Refusal> {
        let mut sorted = Self::default();
        let mut bytes = 0;
        for (place, (name, value)) in (1..).zip(given) {
            // What is no name may be a value that somebody put in the wrong place.
            let name = HeaderName::parse(&name)
                .map_err(|wrong| Refusal::invalid(format!("the name of header {place}"), wrong))?;
            let what = || format!("the header {}", name.as_str());
            let text = header_value(value.expose()).map_err(|wrong| Refusal::invalid(what(), wrong))?;
            bytes += name.as_str().len() + text.len() + AROUND;
            if !name.is_secret() {
                let header = Header::new(name.clone(), text);
                sorted.plain.push(header.map_err(|wrong| Refusal::invalid(what(), wrong))?);
            } else if sorted.secret.iter().any(|known| known.name == name) {
                return Err(Refusal::invalid(what(), "is given twice"));
            } else {
                let value = Secret::new(text.into());
                sorted.secret.push(SecretHeader { name, value });
            }
        }
        match bytes {
            0..=HEADERS_BYTES_MAX => Ok(sorted),
            units => {
                Err(Refusal::StringTooLong { what: "list of headers", units, units_max: HEADERS_BYTES_MAX })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use alloc::string::ToString;

    fn sort(given: &[(&str, &str)]) -> Result<GivenHeaders, Refusal> {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), Secret::new(value.to_string()));
        GivenHeaders::sort(given.iter().map(owned))
    }

    #[test]
    fn a_secret_is_kept_apart_from_what_may_be_seen() {
        let sorted = sort(&[("X-A", " 1 "), ("authorization", " Bearer t"), ("X-A", "2"), ("Cookie", "c")]);
        let sorted = sorted.expect("headers");
        let plain: Vec<_> =
            sorted.plain.iter().map(|header| (header.name().as_str(), header.value())).collect();
        assert_eq!(plain, [("X-A", "1"), ("X-A", "2")]);
        let secret: Vec<_> =
            sorted.secret.iter().map(|header| (header.name.as_str(), header.value.expose())).collect();
        assert_eq!(secret, [("authorization", "Bearer t"), ("Cookie", "c")]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_never_repeated() {
        let half = "x".repeat(HEADERS_BYTES_MAX / 2 - 8);
        for (given, code) in [
            (&[("Bearer hunter2", "")][..], Code::INVALID_ARGUMENT),
            (&[("Range", "hunter2")], Code::INVALID_ARGUMENT),
            (&[("Authorization", "hunter2\n")], Code::INVALID_ARGUMENT),
            (&[("X", "hunter2\n")], Code::INVALID_ARGUMENT),
            (&[("Cookie", "hunter2"), ("COOKIE", "b")], Code::INVALID_ARGUMENT),
            (&[("A", &half), ("Cookie", &half), ("B", "hunter2")], Code::STRING_TOO_LONG),
        ] {
            let refusal = sort(given).expect_err("refused");
            assert_eq!(refusal.code(), code, "{refusal}");
            assert!(!refusal.to_string().contains("hunter2"), "{refusal}");
        }
        assert!(sort(&[("A", &half), ("Cookie", &half)]).is_ok());
    }
}
