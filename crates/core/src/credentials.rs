//! Which secret is meant for whom: targets, schemes, slots, and the credential of one attempt.
//!
//! Sealing at rest and speaking the schemes are not done here.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use crate::http_options::HeaderName;
use crate::refusal::Refusal;
use crate::secret::Secret;

/// Who asks for credentials. `BG_AUTH_TARGET`, numbers of `bits.md` §2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthTarget {
    Server = 1,
    Proxy = 2,
}

/// How one proves who one is. `BG_AUTH_SCHEME`, numbers of `bits.md` §2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthScheme {
    Basic = 1,
    Digest = 2,
    Ntlm = 3,
    Negotiate = 4,
}

impl AuthScheme {
    /// All schemes, the one to be preferred first (`credentials.md` §2.7).
    pub const BY_PREFERENCE: [Self; 4] = [Self::Negotiate, Self::Ntlm, Self::Digest, Self::Basic];

    /// The word for people and programs, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Digest => "digest",
            Self::Ntlm => "ntlm",
            Self::Negotiate => "negotiate",
        }
    }

    /// The scheme called `name`, in any letter case.
    pub fn named(name: &str) -> Option<Self> {
        Self::BY_PREFERENCE.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    /// The scheme of the number BITS gives it.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::BY_PREFERENCE.into_iter().find(|scheme| *scheme as u32 == number)
    }

    /// The scheme that credentials are to be set for.
    ///
    /// # Errors
    /// [`Refusal::InvalidAuthScheme`]; [`Refusal::PassportNotSpoken`] for BITS's fifth scheme, which is a
    /// value like the others and has no package here.
    pub fn to_set(name: &str) -> Result<Self, Refusal> {
        match Self::named(name) {
            Some(scheme) => Ok(scheme),
            None if is_passport(name) => Err(Refusal::PassportNotSpoken),
            None => Err(Refusal::InvalidAuthScheme { text: name.to_owned() }),
        }
    }
}

/// Whether `name` is the word for `BG_AUTH_SCHEME_PASSPORT`, in any letter case. No server asks for it
/// any more, so that nothing can be stored for it.
pub fn is_passport(name: &str) -> bool {
    name.eq_ignore_ascii_case("passport")
}

impl AuthTarget {
    pub const ALL: [Self; 2] = [Self::Server, Self::Proxy];

    /// The word for people and programs, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Proxy => "proxy",
        }
    }

    /// The target called `name`, in any letter case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name().eq_ignore_ascii_case(name))
    }

    /// The target of the number BITS gives it.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|target| *target as u32 == number)
    }
}

/// Characters a user name may have, in UTF-16 units (`bits.md` §4).
pub const USER_NAME_UNITS_MAX: usize = 300;
/// Characters a password may have, in UTF-16 units (`bits.md` §4).
pub const PASSWORD_UNITS_MAX: usize = 65_536;

/// Which secret of a job is meant. There is one of each at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSlot {
    Credential {
        target: AuthTarget,
        scheme: AuthScheme,
    },
    /// The value of a header that is a secret.
    Header(HeaderName),
    /// What opens the key of the client certificate.
    CertificatePassphrase,
    /// By what a webhook shows that it is from here.
    Webhook,
}

/// A header whose value is a secret, such as `Authorization`, opened for one attempt. It goes to the
/// origin of the file's own URL and to no other.
#[derive(Debug)]
pub struct SecretHeader {
    pub name: HeaderName,
    pub value: Secret,
}

/// One credential, opened for one attempt. The user name is as typed: `DOMAIN\user`, `user@realm` or
/// bare.
#[derive(Debug)]
pub struct Credential {
    pub target: AuthTarget,
    pub scheme: AuthScheme,
    /// Whether the person allowed the scheme by name, so that Basic may go over plain http.
    pub scheme_is_explicit: bool,
    pub user: String,
    pub password: Secret,
}

impl Credential {
    /// Whether it stands for who the owner is already: in the words of BITS neither user nor password
    /// is given (`bits.md` §7.1). Here that is the owner's Kerberos ticket. With
    /// [`scheme_is_explicit`](Self::scheme_is_explicit) the job waits for one where there is none,
    /// otherwise it goes on as if there were no such credential.
    pub fn is_implicit(&self) -> bool {
        self.user.is_empty() && self.password.expose().is_empty()
    }
}
