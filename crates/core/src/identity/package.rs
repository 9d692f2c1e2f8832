//! The authentication packages an identity can be used with, by SSPI's names.
//!
//! Which of them a transfer takes is decided by who speaks them; this only names and excludes.

use alloc::vec::Vec;
use core::fmt;

use super::{IdentityError, check_characters};
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

/// Characters a list of packages may have, in UTF-16 units. Windows knows a dozen names of some
/// ten letters.
pub const PACKAGE_LIST_UNITS_MAX: usize = 512;

/// With which packages an identity may be used: all of them, or only the named ones, but never the
/// excluded ones.
///
/// Displayed as SSPI writes it, `Negotiate,NTLM` or `!Kerberos,!NTLM`; empty when all may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageList {
    /// Empty for all.
    only: Vec<Package>,
    excluded: Vec<Package>,
}

impl PackageList {
    /// The list that `text` is: names with commas between them, those to be excluded with a `!`
    /// before them (`credentials.md` §1.5).
    ///
    /// Packages that are not known here are left out, as nobody will use them. Where that leaves
    /// none of those that may be used, the list is refused with 0x80090305: an empty one would
    /// allow all.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        check_characters("package list", text.chars().map(Ok), PACKAGE_LIST_UNITS_MAX)?;
        let mut list = Self::default();
        let mut names_unknown = false;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match (name.strip_prefix('!'), Package::named(name)) {
                (Some(excluded), _) => {
                    if let Ok(package) = Package::named(excluded) {
                        list.exclude(package);
                    }
                }
                (None, Ok(package)) if !list.only.contains(&package) => list.only.push(package),
                (None, Ok(_)) => {}
                (None, Err(_)) => names_unknown = true,
            }
        }
        if list.only.is_empty() && names_unknown { Err(IdentityError::NoPackageLeft) } else { Ok(list) }
    }

    /// Whether `package` may be used.
    pub fn allows(&self, package: Package) -> bool {
        (self.only.is_empty() || self.only.contains(&package)) && !self.excluded.contains(&package)
    }

    pub(super) fn exclude(&mut self, package: Package) {
        if !self.excluded.contains(&package) {
            self.excluded.push(package);
        }
    }
}

impl fmt::Display for PackageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let only = self.only.iter().map(|package| ("", package));
        let excluded = self.excluded.iter().map(|package| ("!", package));
        for (index, (mark, package)) in only.chain(excluded).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{mark}{}", package.name())?;
        }
        Ok(())
    }
}
