//! What a program written for BITS can say of a job that means nothing on this system: kept, shown
//! again, and without effect.
//!
//! Values that BITS refuses are refused here with the same code, so that a program finds its mistake.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::refusal::Refusal;

/// What a program has said; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowsOptions {
    /// What of a file's security descriptor would be copied from a share (`SetFileACLFlags`).
    pub file_acl_flags: u32,
    /// Whether the files would be got from, and given to, peers (`SetPeerCachingFlags`); retired in
    /// BITS itself.
    pub peer_caching_flags: u32,
    /// What a second identity would be used for (`SetHelperTokenFlags`). There is none to be set, so
    /// the flags ask for nothing.
    pub helper_token_flags: u32,
    /// The class that would be made for callbacks (`NOTIFICATION_CLSID`).
    pub notification_class: ClassId,
}

/// Owner 1, group 2, DACL 4, SACL 8 (`bits.md` §2.8).
const FILE_ACL_FLAGS: u32 = 0xF;
/// Client 1, server 2, no branch cache 4.
const PEER_CACHING_FLAGS: u32 = 0x7;
/// Local file 1, network 2.
const HELPER_TOKEN_FLAGS: u32 = 0x3;

impl WindowsOptions {
    /// # Errors
    /// [`Refusal::InvalidArgument`] for a bit that means nothing in BITS.
    pub(crate) fn set_file_acl_flags(&mut self, mask: u32) -> Result<(), Refusal> {
        if mask & !FILE_ACL_FLAGS != 0 {
            return Err(Refusal::invalid(format!("the mask of ACL flags {mask:#x}"), UNKNOWN_BIT));
        }
        self.file_acl_flags = mask;
        Ok(())
    }

    /// # Errors
    /// [`Refusal::NotImplemented`] for a bit that means nothing in BITS.
    pub(crate) fn set_peer_caching_flags(&mut self, mask: u32) -> Result<(), Refusal> {
        check("peer-caching flags", mask, PEER_CACHING_FLAGS)?;
        self.peer_caching_flags = mask;
        Ok(())
    }

    /// # Errors
    /// [`Refusal::NotImplemented`] for a bit that means nothing in BITS.
    pub(crate) fn set_helper_token_flags(&mut self, mask: u32) -> Result<(), Refusal> {
        check("helper token flags", mask, HELPER_TOKEN_FLAGS)?;
        self.helper_token_flags = mask;
        Ok(())
    }
}

const UNKNOWN_BIT: &str = "has a bit that means nothing";

fn check(what: &str, mask: u32, known: u32) -> Result<(), Refusal> {
    if mask & !known != 0 {
        return Err(Refusal::NotImplemented {
            what: format!("the mask of {what} {mask:#x}"),
            wrong: UNKNOWN_BIT,
        });
    }
    Ok(())
}

/// The identifier of a class, as 16 bytes in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassId(pub [u8; 16]);

impl ClassId {
    /// The one that stands for none.
    pub const NULL: Self = Self([0; 16]);

    pub fn is_null(self) -> bool {
        self == Self::NULL
    }

    /// Parses 32 hexadecimal digits, with or without hyphens and braces.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'))?;
        let digits: String = inner.chars().filter(|c| *c != '-').collect();
        let is_one = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = is_one.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let part = |shift: u32, digits: u32| (number >> shift) & ((1 << (4 * digits)) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use alloc::string::ToString;

    #[test]
    fn a_mask_is_kept_and_a_bit_that_means_nothing_is_refused_by_its_code() {
        let mut options = WindowsOptions::default();
        options.set_file_acl_flags(15).expect("all of them");
        options.set_peer_caching_flags(7).expect("all of them");
        options.set_helper_token_flags(3).expect("all of them");
        let before = options;
        for (refused, code) in [
            (options.set_file_acl_flags(16), Code::INVALID_ARGUMENT),
            (options.set_peer_caching_flags(8), Code::NOT_IMPLEMENTED),
            (options.set_helper_token_flags(4), Code::NOT_IMPLEMENTED),
        ] {
            assert_eq!(refused.expect_err("no such bit").code(), code);
        }
        assert_eq!(options, before, "a refused change changes nothing");
        assert_eq!((before.file_acl_flags, before.peer_caching_flags, before.helper_token_flags), (15, 7, 3));
    }

    #[test]
    fn a_class_is_read_with_and_without_braces() {
        let written = "4991d34b-80a1-4291-83b6-3328366b9097";
        for text in [written, "{4991D34B-80A1-4291-83B6-3328366B9097}", "4991d34b80a1429183b63328366b9097"] {
            assert_eq!(ClassId::parse(text).expect("a class").to_string(), written);
        }
        for text in
            ["", "{", "4991d34b", "{4991d34b-80a1-4291-83b6-3328366b9097", "zz91d34b80a1429183b63328366b9097"]
        {
            assert_eq!(ClassId::parse(text), None, "{text}");
        }
        assert!(ClassId::parse("{00000000-0000-0000-0000-000000000000}").expect("a class").is_null());
    }
}
