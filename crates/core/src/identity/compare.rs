//! Whether two identities are the same (`credentials.md` §1.7).
//!
//! No directory is asked, so `DOM\user` and `user@dom.example` are never the same user.

use super::Identity;

/// What two identities have in common. `SspiCompareAuthIdentities`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Same account in the same domain, whatever the letter case.
    pub same_user: bool,
    /// Same user and same secret.
    pub same_identity: bool,
}

impl Identity {
    /// Compares with `other`. An absent user or domain is the same as an empty one; an absent
    /// secret is not the same as an empty one. The secrets are always compared, and in a time that
    /// does not tell where they differ.
    pub fn compare(&self, other: &Self) -> Comparison {
        let same_user = same_name(self.user.as_deref(), other.user.as_deref())
            & same_name(self.domain.as_deref(), other.domain.as_deref());
        let same_secret = self.password == other.password;
        Comparison { same_user, same_identity: same_user & same_secret }
    }
}

fn same_name(a: Option<&str>, b: Option<&str>) -> bool {
    let folded = |name: Option<&'_ str>| -> alloc::vec::Vec<char> {
        name.unwrap_or_default().chars().map(simple_upper_case).collect()
    };
    folded(a) == folded(b)
}

/// The upper-case form where it is one character, as Windows folds names: `ß` stays `ß`.
fn simple_upper_case(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => letter,
    }
}
