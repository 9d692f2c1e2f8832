//! Checksums: by what one can tell whether a file is the one that was meant.
//!
//! Here is what a checksum is and how it is written; it is computed where the bytes pass.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How a checksum is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    Sha256,
    Sha512,
    Blake3,
    /// For old lists: it tells a damaged file, and no longer a forged one.
    Md5,
}

impl ChecksumAlgorithm {
    /// All of them, the one to be preferred first: of two that cannot be forged the quicker one.
    pub const ALL: [Self; 4] = [Self::Sha256, Self::Sha512, Self::Blake3, Self::Md5];

    /// The word for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
            Self::Md5 => "md5",
        }
    }

    /// The algorithm called `name`, in any letter case, with or without a hyphen.
    pub fn named(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(|character| *character != '-').collect();
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(&plain))
    }

    /// Bytes of a checksum.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
            Self::Md5 => 16,
        }
    }
}

/// A checksum, of the length that its algorithm gives.
#[derive(Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    value: Vec<u8>,
}

/// Why a text is no checksum. Made to stand behind the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    #[error("does not say how it was computed; write it as sha256:HEX")]
    NoAlgorithm,
    #[error("names `{0}`, which is not known; there are sha256, sha512, blake3 and md5")]
    UnknownAlgorithm(String),
    #[error("has a character that is no hexadecimal digit")]
    NotHexadecimal,
    #[error("has {digits} hexadecimal digits; {} has {}", algorithm.name(), 2 * algorithm.length())]
    WrongLength { algorithm: ChecksumAlgorithm, digits: usize },
}

/// Characters of an unknown name that an error repeats.
const NAME_SHOWN_MAX: usize = 40;

impl Checksum {
    /// A checksum of these bytes, when it has as many as it must.
    pub fn new(algorithm: ChecksumAlgorithm, value: Vec<u8>) -> Option<Self> {
        (value.len() == algorithm.length()).then_some(Self { algorithm, value })
    }

    /// Parses `sha256:HEX`; the digits in any letter case.
    ///
    /// # Errors
    /// [`ChecksumError`].
    pub fn parse(text: &str) -> Result<Self, ChecksumError> {
        let (name, digits) = text.trim().split_once(':').ok_or(ChecksumError::NoAlgorithm)?;
        let algorithm = ChecksumAlgorithm::named(name)
            .ok_or_else(|| ChecksumError::UnknownAlgorithm(name.chars().take(NAME_SHOWN_MAX).collect()))?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ChecksumError::NotHexadecimal);
        }
        if digits.len() != 2 * algorithm.length() {
            return Err(ChecksumError::WrongLength { algorithm, digits: digits.len() });
        }
        let nibble = |byte: u8| (byte as char).to_digit(16).unwrap_or_default() as u8;
        let value = digits.as_bytes().chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect();
        Ok(Self { algorithm, value })
    }

    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }
}

impl fmt::Display for Checksum {
    /// `sha256:` and lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm.name())?;
        self.value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::string::ToString;

    #[test]
    fn a_checksum_is_written_with_its_algorithm_and_has_its_length() {
        let sha256 = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        let shown = Checksum::parse(&["SHA-256:", sha256].concat()).expect("a checksum").to_string();
        assert_eq!(shown, ["sha256:", &sha256.to_lowercase()].concat());
        assert_eq!(Checksum::parse(&shown).expect("a checksum").to_string(), shown);
        for (text, error) in [
            (sha256.to_owned(), ChecksumError::NoAlgorithm),
            (["crc32:", sha256].concat(), ChecksumError::UnknownAlgorithm("crc32".to_owned())),
            (
                ["md5:", sha256].concat(),
                ChecksumError::WrongLength { algorithm: ChecksumAlgorithm::Md5, digits: 64 },
            ),
            (
                ["sha256:", &sha256[1..]].concat(),
                ChecksumError::WrongLength { algorithm: ChecksumAlgorithm::Sha256, digits: 63 },
            ),
            (
                "sha256:".to_owned(),
                ChecksumError::WrongLength { algorithm: ChecksumAlgorithm::Sha256, digits: 0 },
            ),
            ("md5:grüße".to_owned(), ChecksumError::NotHexadecimal),
        ] {
            assert_eq!(Checksum::parse(&text), Err(error), "{text}");
        }
    }
}
