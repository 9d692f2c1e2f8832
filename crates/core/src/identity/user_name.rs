//! User names as people type them: `DOMAIN\user`, `user@realm`, bare (`credentials.md` §1.7).
//!
//! What a scheme makes of the parts on the wire is the scheme's business.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use super::{IdentityError, TYPED_USER_NAME_UNITS_MAX, units};

/// A typed user name, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName {
    /// The account, or the whole text for `user@realm` and for `@@…` references.
    pub user: String,
    /// What stood before the first backslash; `.` is the target machine itself.
    pub domain: Option<String>,
}

impl UserName {
    /// Splits `text`. `CredUIParseUserName`.
    ///
    /// | typed | user | domain |
    /// |---|---|---|
    /// | `DOMAIN\user` | `user` | `DOMAIN` |
    /// | `.\user` | `user` | `.` |
    /// | `DOM\user@x.example` | `user@x.example` | `DOM` |
    /// | `user@realm.example` | whole text | – |
    /// | `user` | `user` | – |
    /// | `@@…` | whole text | – |
    ///
    /// The first backslash splits; without one the last `@` separates the realm. A name with an
    /// empty half or a control character is refused with 1315, one of more than 513 characters
    /// with 122.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let fault = |fault| Err(IdentityError::AccountName(fault));
        if units(text) > TYPED_USER_NAME_UNITS_MAX {
            let units_max = TYPED_USER_NAME_UNITS_MAX;
            return Err(IdentityError::TooLong { what: "user name", units_max });
        }
        if text.is_empty() {
            return fault(AccountNameFault::Empty);
        }
        if text.chars().any(char::is_control) {
            return fault(AccountNameFault::ControlCharacter);
        }
        let whole = || Self { user: text.to_string(), domain: None };
        if text.starts_with("@@") {
            return Ok(whole());
        }
        if let Some((domain, user)) = text.split_once('\\') {
            return match (domain, user) {
                ("", _) => fault(AccountNameFault::NoDomain),
                (_, "") => fault(AccountNameFault::NoUser),
                _ => Ok(Self { user: user.to_string(), domain: Some(domain.to_string()) }),
            };
        }
        match text.rsplit_once('@') {
            Some(("", _)) => fault(AccountNameFault::NoUser),
            Some((_, "")) => fault(AccountNameFault::NoRealm),
            _ => Ok(whole()),
        }
    }
}

/// `DOMAIN\user`, or `user` alone where there is no domain to name or the user has a `\` and so
/// names one itself. A job has one text for both.
///
/// What was typed comes out again: `DOM\user@x.example` is split into a user with an `@` and a
/// domain (`credentials.md` §1.7), and the domain is put back. §1.1 has programs leave it out for
/// every user with an `@`, which suits those that name the realm twice, but of
/// `MicrosoftAccount\anna@x.example` it would make somebody else: the `anna` of the realm
/// `x.example`. Who types a domain means it; who types `anna@x.example` has no domain here, and
/// gets none. Only a name with a second backslash loses its domain, and no directory has those.
pub fn qualified_user_name(user: &str, domain: &str) -> String {
    if domain.is_empty() || user.contains('\\') {
        return user.to_string();
    }
    format!("{domain}\\{user}")
}

/// What is wrong with a typed user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountNameFault {
    Empty,
    /// Nothing after the backslash or before the `@`.
    NoUser,
    /// Nothing before the backslash.
    NoDomain,
    /// Nothing after the `@`.
    NoRealm,
    ControlCharacter,
}

impl fmt::Display for AccountNameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::NoUser => "names no user",
            Self::NoDomain => "has nothing before its backslash",
            Self::NoRealm => "has nothing after its @",
            Self::ControlCharacter => "has a control character in it",
        })
    }
}
