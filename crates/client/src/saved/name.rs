//! The name that credentials are saved under: a person's word, or a host.

use std::fmt;

/// Characters such a name may have, in UTF-16 units: what Windows allows the name of a domain
/// target (`credentials.md` §1.4).
pub const NAME_UNITS_MAX: usize = 337;

/// A checked name, in lower case, as hosts are the same in any letter case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn parse(text: &str) -> Result<Self, NameFault> {
        if text.trim().is_empty() {
            Err(NameFault::Empty)
        } else if text.trim() != text || text.chars().any(char::is_control) {
            Err(NameFault::Unprintable)
        } else if text.encode_utf16().count() > NAME_UNITS_MAX {
            Err(NameFault::TooLong)
        } else {
            Ok(Self(text.to_lowercase()))
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    Empty,
    /// It has control characters, or white space at an end.
    Unprintable,
    TooLong,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::Unprintable => f.write_str("has control characters, or spaces at an end"),
            Self::TooLong => write!(f, "is longer than {NAME_UNITS_MAX} characters"),
        }
    }
}

impl std::error::Error for NameFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_letter_case() {
        for (text, name) in
            [("Work", "work"), ("Files.Example.Test:8443", "files.example.test:8443"), ("büro 2", "büro 2")]
        {
            assert_eq!(Name::parse(text).unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_name_that_nobody_could_type_again_is_refused() {
        let long = "x".repeat(NAME_UNITS_MAX + 1);
        for (text, fault) in [
            ("", NameFault::Empty),
            (" ", NameFault::Empty),
            ("a\nb", NameFault::Unprintable),
            (" a", NameFault::Unprintable),
            (&long, NameFault::TooLong),
        ] {
            assert_eq!(Name::parse(text), Err(fault), "{text:?}");
        }
        assert!(Name::parse(&long[1..]).is_ok());
    }
}
