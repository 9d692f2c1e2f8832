//! How a user name as typed reads to NTLM and Kerberos (`credentials.md` §1.7). Basic and Digest
//! send it as it was typed and have no business here.

use super::classify::{FailureClass, Fault};

/// A user name split as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UserName {
    /// `DOMAIN\user`. The domain `.` means the machine that is asked.
    Domain { domain: String, user: String },
    /// `user@suffix`; the whole text is the name.
    Principal { text: String, user: String, suffix: String },
    /// Neither.
    Bare(String),
}

impl UserName {
    /// Splits `text`: at the first backslash, else at the last `@`.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        if text.starts_with("@@") {
            return Err(unusable("the stored user name stands for a certificate or a protected secret"));
        }
        if let Some((domain, user)) = text.split_once('\\') {
            return if domain.is_empty() || user.is_empty() || user.contains('\\') {
                Err(unusable("the stored user name lacks its domain or its name"))
            } else {
                Ok(Self::Domain { domain: domain.to_owned(), user: user.to_owned() })
            };
        }
        if let Some((user, suffix)) = text.rsplit_once('@') {
            return if user.is_empty() || suffix.is_empty() {
                Err(unusable("the stored user name lacks its name or its realm"))
            } else {
                Ok(Self::Principal {
                    text: text.to_owned(),
                    user: user.to_owned(),
                    suffix: suffix.to_owned(),
                })
            };
        }
        if text.is_empty() {
            Err(unusable("no user name is stored"))
        } else {
            Ok(Self::Bare(text.to_owned()))
        }
    }

    /// User and domain for NTLM.
    pub(super) fn for_ntlm(&self) -> (&str, &str) {
        match self {
            Self::Domain { domain, user } => (user, domain),
            Self::Principal { text, .. } => (text, ""),
            Self::Bare(user) => (user, ""),
        }
    }
}

fn unusable(why: &str) -> Fault {
    Fault::new(FailureClass::Credential, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_split_where_windows_splits_it() {
        let domain = |domain: &str, user: &str| UserName::Domain { domain: domain.into(), user: user.into() };
        let principal = |user: &str, suffix: &str| UserName::Principal {
            text: format!("{user}@{suffix}"),
            user: user.into(),
            suffix: suffix.into(),
        };
        for (text, expected) in [
            ("DOM\\user", domain("DOM", "user")),
            (".\\user", domain(".", "user")),
            ("DOM\\user@x.example", domain("DOM", "user@x.example")),
            ("user@realm.example", principal("user", "realm.example")),
            ("a@b@realm.example", principal("a@b", "realm.example")),
            ("user", UserName::Bare("user".into())),
        ] {
            assert_eq!(UserName::read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn half_a_user_name_is_refused() {
        for text in ["", "\\user", "DOM\\", "@realm", "user@", "@@BAAAA", "a\\b\\c"] {
            assert_eq!(UserName::read(text).unwrap_err().class, FailureClass::Credential, "{text}");
        }
    }

    #[test]
    fn ntlm_gets_a_principal_whole() {
        let read = |text| UserName::read(text).unwrap();
        assert_eq!(read("DOM\\user").for_ntlm(), ("user", "DOM"));
        assert_eq!(read("user@realm").for_ntlm(), ("user@realm", ""));
        assert_eq!(read("user").for_ntlm(), ("user", ""));
    }
}
