//! Who one is to a server: user, domain and secret, opaque to whoever carries them.
//!
//! What Windows programs know as `PSEC_WINNT_AUTH_IDENTITY_OPAQUE` (`credentials.md` Part 1).
//! Nothing here asks a person, proves anything to a server or seals a secret at rest.
//!
//! | SSPI | here | fails with |
//! |---|---|---|
//! | `SspiEncodeStringsAsAuthIdentity` | [`Identity::from_strings`] | 0x80090308 of nothing, 122, 0x8009035D |
//! | `SspiEncodeAuthIdentityAsStrings` | [`Identity::encode_as_strings`] | – |
//! | `SspiMarshalAuthIdentity` | [`Identity::marshal`] | – |
//! | `SspiUnmarshalAuthIdentity` | [`Identity::unmarshal`] | see there |
//! | `SspiValidateAuthIdentity` | [`Identity::validate`] | as unmarshalling |
//! | `SspiCopyAuthIdentity` | [`Identity::duplicate`] | – |
//! | `SspiCompareAuthIdentities` | [`Identity::compare`] | – |
//! | `SspiExcludePackage` | [`Identity::excluding`], after [`Package::named`] | 1364 |
//! | `SspiZeroAuthIdentity` | [`Identity::zero`] | – |
//! | `SspiFreeAuthIdentity`, `SspiLocalFree` | dropping, which wipes | – |
//! | `SspiIsPromptingNeeded` | [`is_prompting_needed`] | – |
//! | `SspiGetTargetHostName` | [`target_host_name`] | 0x8009035D, 122 |
//! | `CredUIParseUserName` | [`UserName::parse`] | 1315, 122 |
//! | `CredUnmarshalCredential` | [`CredentialReference::parse`] | – |
//!
//! `SspiPromptForCredentials` is `bits_client::prompt`, and what `SspiPrepareForCredWrite` and
//! `…Read` prepare for is `bits_client::saved`.
//!
//! `SspiEncryptAuthIdentity`, `SspiDecryptAuthIdentity`, their `Ex` forms and
//! `SspiIsAuthIdentityEncrypted` are absent on purpose. On Windows they hide a secret from
//! whoever sees the structure while a program keeps it or hands it to another one. Here a program
//! sees no structure, and a secret is in wiped memory that is kept out of dumps; a key in the same
//! process would protect it from nobody who can read that memory. Keys need randomness and locked
//! memory, which this crate cannot have: secrets at rest go through
//! [`ports::Seal`](crate::ports::Seal).

mod compare;
mod marshal;
mod package;
mod prompting;
mod reference;
mod target;
#[cfg(test)]
mod tests;
mod user_name;

use alloc::string::String;

pub use compare::Comparison;
pub use marshal::MARSHALLED_BYTES_MAX;
pub use package::{PACKAGE_LIST_UNITS_MAX, Package, PackageList};
pub use prompting::is_prompting_needed;
pub use reference::{CredentialReference, THUMBPRINT_BYTES};
pub use target::{TARGET_UNITS_MAX, target_host_name};
pub use user_name::{AccountNameFault, UserName, qualified_user_name};

use crate::credentials::{PASSWORD_UNITS_MAX, USER_NAME_UNITS_MAX};
use crate::error::Code;
use crate::refusal::Refusal;
use crate::secret::Secret;

/// Characters a user name may have where it is typed, in UTF-16 units: 256, a separator, 256
/// (`credentials.md` §1.4). A job takes fewer; see [`check_job_credential`].
pub const TYPED_USER_NAME_UNITS_MAX: usize = 513;
/// Characters a password may have where it is typed, in UTF-16 units (`credentials.md` §1.4).
pub const TYPED_PASSWORD_UNITS_MAX: usize = 256;

/// A user, the domain that knows the user, and the secret between them.
///
/// Each of the three may be absent, which is not the same as empty. Dropping an identity wipes its
/// secret; `Debug` shows user and domain and never the secret.
#[derive(Debug)]
pub struct Identity {
    user: Option<String>,
    domain: Option<String>,
    password: Option<Secret>,
    packages: PackageList,
}

/// An identity's members as strings. The domain is apart from the user here; a job's credentials
/// have one text for both, which [`EncodedStrings::qualified_user_name`] makes.
#[derive(Debug)]
pub struct EncodedStrings {
    pub user: Option<String>,
    pub domain: Option<String>,
    /// What Windows calls the packed credential. For an identity made of strings it is the
    /// password's own text (`credentials.md` §1.6).
    pub password: Option<Secret>,
}

impl Identity {
    /// The identity of these strings. `SspiEncodeStringsAsAuthIdentity`.
    ///
    /// Fails with 0x80090308 if none is given, with 122 if one is beyond its limit, and with
    /// 0x8009035D if one has a NUL in it, where programs in C would see its end. The strings are
    /// taken as they are: [`UserName::parse`] is what splits a typed name.
    pub fn from_strings(
        user: Option<String>,
        domain: Option<String>,
        packed: Option<Secret>,
    ) -> Result<Self, IdentityError> {
        if user.is_none() && domain.is_none() && packed.is_none() {
            return Err(IdentityError::NothingGiven);
        }
        let check = |what, text: Option<&str>, units_max| {
            check_characters(what, text.unwrap_or_default().chars().map(Ok), units_max)
        };
        check("user name", user.as_deref(), TYPED_USER_NAME_UNITS_MAX)?;
        check("domain name", domain.as_deref(), TYPED_USER_NAME_UNITS_MAX)?;
        check("password", packed.as_ref().map(Secret::expose), PASSWORD_UNITS_MAX)?;
        Ok(Self { user, domain, password: packed, packages: PackageList::default() })
    }

    /// The identity of a typed user name and a password.
    pub fn from_user_name(name: UserName, password: Secret) -> Result<Self, IdentityError> {
        Self::from_strings(Some(name.user), name.domain, Some(password))
    }

    /// The members as strings, each a copy of its own. `SspiEncodeAuthIdentityAsStrings`.
    pub fn encode_as_strings(&self) -> EncodedStrings {
        EncodedStrings {
            user: self.user.clone(),
            domain: self.domain.clone(),
            password: self.password.as_ref().map(Secret::duplicate),
        }
    }

    /// A second identity of the same content, which wipes its own secret. `SspiCopyAuthIdentity`.
    pub fn duplicate(&self) -> Self {
        let EncodedStrings { user, domain, password } = self.encode_as_strings();
        Self { user, domain, password, packages: self.packages.clone() }
    }

    /// A copy that may not be used with `package`. `SspiExcludePackage`.
    pub fn excluding(&self, package: Package) -> Self {
        let mut copy = self.duplicate();
        copy.packages.exclude(package);
        copy
    }

    /// With which packages the identity may be used. They are no part of who somebody is:
    /// [`Identity::compare`] does not look at them.
    pub fn packages(&self) -> &PackageList {
        &self.packages
    }

    /// Overwrites the secret now. User and domain still read afterwards; a secret that was there
    /// reads as empty, not as absent. `SspiZeroAuthIdentity`.
    pub fn zero(&mut self) {
        if let Some(password) = &mut self.password {
            password.wipe();
        }
    }
}

impl EncodedStrings {
    /// The text that a job's credentials take as user name: `DOMAIN\user` where there is a domain
    /// to name. `None` if the identity has no user.
    pub fn qualified_user_name(&self) -> Option<String> {
        let user = self.user.as_deref()?;
        Some(qualified_user_name(user, self.domain.as_deref().unwrap_or_default()))
    }
}

/// Whether a job can take these as its credentials: within BITS's limits (300 and 65,536
/// characters), and themselves instead of a reference that only Windows can resolve.
///
/// A marshalled reference (`@@B…` a certificate, `@@D…` a protected password) must never go to a
/// server as if it were a name or a password (`credentials.md` §1.6). A password that only begins
/// like one, such as `@@Dog!`, is a password.
pub fn check_job_credential(user_name: &str, password: &Secret) -> Result<(), Refusal> {
    let refers = |text: &str| {
        matches!(
            CredentialReference::parse(text),
            Some(CredentialReference::Certificate { .. } | CredentialReference::ProtectedPassword)
        )
    };
    if refers(user_name) || refers(password.expose()) {
        return Err(Refusal::MarshalledReference);
    }
    let user_units = units(user_name);
    if user_units > USER_NAME_UNITS_MAX {
        return Err(Refusal::UserNameTooLarge { units: user_units });
    }
    if units(password.expose()) > PASSWORD_UNITS_MAX {
        return Err(Refusal::PasswordTooLarge);
    }
    Ok(())
}

/// Why there is no identity. No variant repeats what was typed: people type passwords where a name
/// was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("an identity needs a user, a domain or a password, and has none of them")]
    NothingGiven,
    #[error("the user name {0}; write DOMAIN\\user, user@realm, or the bare name")]
    AccountName(AccountNameFault),
    #[error("the {what} is longer than {units_max} characters")]
    TooLong { what: &'static str, units_max: usize },
    #[error("there is no package {name:?}; use Negotiate, Kerberos, NTLM, Digest or Basic")]
    NoSuchPackage { name: String },
    #[error("the {what} has a NUL character in it")]
    HasNul { what: &'static str },
    /// To be said after "the bytes are no marshalled identity:".
    #[error("the bytes are no marshalled identity: {0}")]
    Malformed(&'static str),
    #[error(
        "the identity is encrypted, and only the Windows that encrypted it can open it; give user name and password themselves"
    )]
    Encrypted,
    #[error("{0} cannot be used here; give a user name and a password")]
    UnsupportedCredential(&'static str),
    #[error(
        "the identity may be used with none of the packages that there are here: Negotiate, Kerberos, NTLM, Digest, Basic"
    )]
    NoPackageLeft,
    #[error("the target names no host; write a URL, a host, or SERVICE/HOST")]
    NoTargetHost,
}

impl IdentityError {
    /// The number by which programs know it (`credentials.md` §1.2, §1.3, §1.5 to §1.7).
    pub fn code(&self) -> Code {
        match self {
            Self::NothingGiven => Code::INVALID_TOKEN,
            Self::AccountName(_) => Code::INVALID_ACCOUNT_NAME,
            Self::TooLong { .. } => Code::INSUFFICIENT_BUFFER,
            Self::NoSuchPackage { .. } => Code::NO_SUCH_PACKAGE,
            Self::HasNul { .. } | Self::NoTargetHost => Code::SECURITY_INVALID_PARAMETER,
            Self::Malformed(_) => Code::INVALID_TOKEN,
            Self::Encrypted => Code::STATUS_INVALID_PARAMETER,
            Self::UnsupportedCredential(_) => Code::UNSUPPORTED_FUNCTION,
            Self::NoPackageLeft => Code::SECPKG_NOT_FOUND,
        }
    }

    fn no_such_package(name: &str) -> Self {
        Self::NoSuchPackage { name: name.chars().take(PACKAGE_NAME_SHOWN_MAX).collect() }
    }
}

/// How much of an unknown package's name an error repeats; names of packages are short words.
const PACKAGE_NAME_SHOWN_MAX: usize = 32;

/// The length that all limits here are in.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Refuses what an identity cannot hold: more than `units_max` UTF-16 units, and a NUL.
fn check_characters(
    what: &'static str,
    characters: impl Iterator<Item = Result<char, IdentityError>>,
    units_max: usize,
) -> Result<(), IdentityError> {
    let mut units = 0;
    for character in characters {
        let character = character?;
        if character == '\0' {
            return Err(IdentityError::HasNul { what });
        }
        units += character.len_utf16();
        if units > units_max {
            return Err(IdentityError::TooLong { what, units_max });
        }
    }
    Ok(())
}
