//! Users who can sign in, or cannot, each for a reason: `accounts.tsv` of the KDC and the domain.

use std::fs;
use std::path::Path;

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name, without realm or domain.
    pub name: String,
    /// The right password.
    pub password: String,
    /// The user principal name, `name@suffix`; only in a domain.
    pub principal: Option<String>,
}

impl Account {
    /// The accounts in a file that a peer has written: name, password and principal, apart by tabs.
    #[track_caller]
    pub(super) fn read(path: &Path) -> Vec<Self> {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.lines().map(|line| Self::parse(line).unwrap_or_else(|| panic!("no account: {line:?}"))).collect()
    }

    #[track_caller]
    pub(super) fn find<'a>(accounts: &'a [Self], name: &str) -> &'a Self {
        let found = accounts.iter().find(|account| account.name == name);
        found.unwrap_or_else(|| panic!("there is no account {name}"))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Self { name: fields.next()?, password: fields.next()?, principal: fields.next() })
    }
}
