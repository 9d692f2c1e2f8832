//! Identities as bytes (`credentials.md` §1.5, §1.6): written in one form, read in two.
//!
//! | version | form | here |
//! |---|---|---|
//! | 0x200 | `SEC_WINNT_AUTH_IDENTITY_EX`, made flat | written and read |
//! | 0x201 | `SEC_WINNT_AUTH_IDENTITY_EX2`, self-relative | read, if its credential is a password |
//!
//! All numbers are little endian. What is read is foreign: each offset is checked against the
//! bytes that are really there, and nothing is interpreted that is not understood. Encrypted
//! identities are refused, as only the Windows that made them can open them.

mod bytes;
mod flags;
mod flat;
mod self_relative;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use super::{
    Identity, IdentityError, PACKAGE_LIST_UNITS_MAX, PASSWORD_UNITS_MAX, PackageList,
    TYPED_USER_NAME_UNITS_MAX, check_characters,
};
use crate::secret::Secret;
use bytes::{Bytes, Text};

/// The most bytes that are looked at. The longest strings there are have 135 KiB as UTF-16; twice
/// as much leaves room for padding.
pub const MARSHALLED_BYTES_MAX: usize = 256 << 10;

impl Identity {
    /// The identity as bytes, the flat form of version 0x200. `SspiMarshalAuthIdentity`.
    ///
    /// They hold the secret in clear, and wipe themselves.
    pub fn marshal(&self) -> Zeroizing<alloc::vec::Vec<u8>> {
        flat::write(self)
    }

    /// The identity that `bytes` are the form of. `SspiUnmarshalAuthIdentity`.
    ///
    /// Bytes after the form are no fault. Strings that only 8-bit programs make are read if they
    /// are ASCII: in which code page others were written is not said.
    ///
    /// | code | when |
    /// |---|---|
    /// | 0x80090308 | the bytes are no identity, or one of nothing |
    /// | 0x80090302 | the credential is no password, or a flag is of no use here |
    /// | 0xC000000D | the identity is encrypted |
    /// | 0x80090305 | it may be used only with packages that there are not |
    /// | 0x8009035D | there is a NUL in a string |
    /// | 122 | a string is beyond its limit |
    pub fn unmarshal(bytes: &[u8]) -> Result<Self, IdentityError> {
        let members = Members::read(bytes)?;
        members.check()?;
        members.into_identity()
    }

    /// Whether `bytes` would be taken by [`Identity::unmarshal`], and why not, without a copy of
    /// the secret being made. `SspiValidateAuthIdentity`.
    ///
    /// An [`Identity`] needs no such check: it is made by functions that refuse what is invalid.
    pub fn validate(bytes: &[u8]) -> Result<(), IdentityError> {
        let members = Members::read(bytes)?;
        members.check()?;
        members.packages().map(drop)
    }
}

/// What the bytes name, still in the bytes.
struct Members<'a> {
    user: Option<Text<'a>>,
    domain: Option<Text<'a>>,
    password: Option<Text<'a>>,
    packages: Option<Text<'a>>,
}

impl<'a> Members<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, IdentityError> {
        if bytes.len() > MARSHALLED_BYTES_MAX {
            return Err(IdentityError::Malformed("they are too many"));
        }
        let bytes = Bytes(bytes);
        match bytes.u32_at(0)? {
            flat::VERSION => flat::read(bytes),
            self_relative::VERSION => self_relative::read(bytes),
            _ => Err(IdentityError::Malformed("they are of an unknown version")),
        }
    }

    fn check(&self) -> Result<(), IdentityError> {
        if self.user.is_none() && self.domain.is_none() && self.password.is_none() {
            return Err(IdentityError::NothingGiven);
        }
        for (what, text, units_max) in [
            ("user name", self.user, TYPED_USER_NAME_UNITS_MAX),
            ("domain name", self.domain, TYPED_USER_NAME_UNITS_MAX),
            ("password", self.password, PASSWORD_UNITS_MAX),
            ("package list", self.packages, PACKAGE_LIST_UNITS_MAX),
        ] {
            if let Some(text) = text {
                check_characters(what, text.characters(), units_max)?;
            }
        }
        Ok(())
    }

    fn packages(&self) -> Result<PackageList, IdentityError> {
        self.packages.map_or(Ok(PackageList::default()), |text| PackageList::parse(&text.read()?))
    }

    fn into_identity(self) -> Result<Identity, IdentityError> {
        Ok(Identity {
            user: self.user.map(Text::read).transpose()?,
            domain: self.domain.map(Text::read).transpose()?,
            password: self.password.map(Text::read).transpose()?.map(Secret::new),
            packages: self.packages()?,
        })
    }
}
