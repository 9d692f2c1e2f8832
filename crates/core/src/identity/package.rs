//! The authentication packages an identity can be used with, by SSPI's names.
//!
//! Which of them a transfer takes is decided by who speaks them; this only names and excludes.

use alloc::vec::Vec;
use core::fmt;

use super::IdentityError;
use crate::credentials::AuthScheme;

/// A way of proving an identity, as the prompt knows it (`credentials.md` §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    Negotiate,
    Kerberos,
    Ntlm,
    Digest,
    Basic,
}

impl Package {
    pub const ALL: [Self; 5] = [Self::Negotiate, Self::Kerberos, Self::Ntlm, Self::Digest, Self::Basic];

    /// SSPI's name, as it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Kerberos => "Kerberos",
            Self::Ntlm => "NTLM",
            Self::Digest => "Digest",
            Self::Basic => "Basic",
        }
    }

    /// The package called `name`, in any letter case; `WDigest` is Digest. Others: 1364.
    pub fn named(name: &str) -> Result<Self, IdentityError> {
        let digest = name.eq_ignore_ascii_case("WDigest").then_some(Self::Digest);
        digest
            .or_else(|| Self::ALL.into_iter().find(|package| package.name().eq_ignore_ascii_case(name)))
            .ok_or_else(|| IdentityError::no_such_package(name))
    }

    /// The scheme by which a job's credentials for this package go over HTTP. Kerberos travels
    /// inside Negotiate.
    pub fn scheme(self) -> AuthScheme {
        match self {
            Self::Negotiate | Self::Kerberos => AuthScheme::Negotiate,
            Self::Ntlm => AuthScheme::Ntlm,
            Self::Digest => AuthScheme::Digest,
            Self::Basic => AuthScheme::Basic,
        }
    }
}

impl From<AuthScheme> for Package {
    fn from(scheme: AuthScheme) -> Self {
        match scheme {
            AuthScheme::Negotiate => Self::Negotiate,
            AuthScheme::Ntlm => Self::Ntlm,
            AuthScheme::Digest => Self::Digest,
            AuthScheme::Basic => Self::Basic,
        }
    }
}

/// With which packages an identity may be used: all of them but the excluded ones.
///
/// Displayed as SSPI writes it, `!Kerberos,!NTLM`; empty when nothing is excluded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageList {
    excluded: Vec<Package>,
}

impl PackageList {
    /// Whether `package` may be used.
    pub fn allows(&self, package: Package) -> bool {
        !self.excluded.contains(&package)
    }

    pub(super) fn exclude(&mut self, package: Package) {
        if self.allows(package) {
            self.excluded.push(package);
        }
    }
}

impl fmt::Display for PackageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, package) in self.excluded.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}!{}", package.name())?;
        }
        Ok(())
    }
}
