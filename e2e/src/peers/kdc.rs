//! The MIT KDC: how a client finds it, who can sign in, and who has tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::account::Account;
use super::set::Lines;
use crate::run::Run;

/// A KDC. There are two of one realm, which share their users and not their logs.
#[derive(Debug)]
pub struct Kdc {
    realm: String,
    address: String,
    config: PathBuf,
    profile: PathBuf,
    log: PathBuf,
    accounts: Vec<Account>,
}

impl Kdc {
    pub(super) fn new(lines: &Lines, prefix: &str) -> Self {
        let get = |name: &str| lines.get(&format!("{prefix}_{name}"));
        Self {
            realm: lines.get("KDC_REALM").to_owned(),
            address: get("ADDRESS").to_owned(),
            config: get("KRB5_CONFIG").into(),
            profile: get("PROFILE").into(),
            log: get("LOG").into(),
            accounts: Account::read(Path::new(lines.get("KDC_ACCOUNTS"))),
        }
    }

    /// Its realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Where it listens by TCP and UDP, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A client's `KRB5_CONFIG`, which names this KDC alone and has it asked by TCP.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The text of a client's configuration that looks for the KDC at another `address`, such as
    /// a faulty proxy's or one where nobody listens.
    #[track_caller]
    pub fn config_with(&self, address: &str) -> String {
        self.config_with_all(&[address])
    }

    /// The text of a client's configuration with several KDCs, to be asked in this order.
    #[track_caller]
    pub fn config_with_all(&self, addresses: &[&str]) -> String {
        let text = fs::read_to_string(&self.config).expect("the KDC's script wrote it");
        let entry = |address: &str| format!("kdc = {address}");
        let entries = addresses.iter().map(|address| entry(address)).collect::<Vec<_>>().join("\n    ");
        text.replace(&entry(&self.address), &entries)
    }

    /// The text of a client's configuration that has this KDC asked by UDP first.
    #[track_caller]
    pub fn config_by_udp(&self) -> String {
        let text = fs::read_to_string(&self.config).expect("the KDC's script wrote it");
        text.replace("udp_preference_limit = 1\n", "udp_preference_limit = 9000\n")
    }

    /// One of the users who are there from the start: `alice`, `bob`, `nopreauth` (not asked for
    /// pre-authentication), `umlaut` (in the password), `zoë`, `expired` (the password), `locked`.
    ///
    /// # Panics
    /// When it is none of them.
    #[track_caller]
    pub fn account(&self, name: &str) -> &Account {
        Account::find(&self.accounts, name)
    }

    /// Adds a user nobody else signs in as, so that attempts can be counted while other tests
    /// run; returns its name.
    #[track_caller]
    pub fn add_user(&self, password: &str) -> String {
        self.add_user_with(password, &[])
    }

    /// The same with options of `addprinc`, such as `-allow_tix` for one who is locked out.
    #[track_caller]
    pub fn add_user_with(&self, password: &str, options: &[&str]) -> String {
        static USERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("user{}", USERS.fetch_add(1, Ordering::Relaxed));
        Run::new("kadmin.local")
            .args(["-r", &self.realm, "addprinc", "+requires_preauth"])
            .args(options)
            .args(["-pw", password, &name])
            .env("KRB5_CONFIG", &self.config)
            .env("KRB5_KDC_PROFILE", &self.profile)
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
            .finish()
            .expect_code(0);
        name
    }

    /// What it said to each request of `user`, a name without the realm, for a first ticket, oldest
    /// first, in the words of its log: `NEEDED_PREAUTH`, `PREAUTH_FAILED`, `ISSUE`,
    /// `CLIENT LOCKED OUT`, `CLIENT KEY EXPIRED`, `CLIENT_NOT_FOUND`.
    pub fn sign_ins(&self, user: &str) -> Vec<String> {
        let client = format!(" {user}@{} for ", self.realm);
        self.log_lines(&client).iter().filter_map(|line| sign_in(line)).map(str::to_owned).collect()
    }

    /// The lines of its log that have `text` in them, oldest first. It writes before it answers.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

/// The outcome in a line of the log, if it is about a first ticket:
/// `... AS_REQ (2 etypes {...}) 127.0.0.1: OUTCOME: ...`.
fn sign_in(line: &str) -> Option<&str> {
    let (_, request) = line.split_once("): AS_REQ (")?;
    let (_, answer) = request.split_once("}) ")?;
    answer.split(": ").nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_from_a_line_about_a_first_ticket() {
        let start = "Nov 25 10:49:23 vm krb5kdc[1](info): ";
        for (line, outcome) in [
            (
                "AS_REQ (1 etypes {a(18)}) 127.0.0.1: NEEDED_PREAUTH: u@R for k/R@R, more",
                Some("NEEDED_PREAUTH"),
            ),
            (
                "AS_REQ (1 etypes {a(18)}) 127.0.0.1: ISSUE: authtime 1, etypes {rep=a(18)}, u@R for k/R@R",
                Some("ISSUE"),
            ),
            (
                "AS_REQ (1 etypes {a(18)}) 127.0.0.1: CLIENT LOCKED OUT: u@R for k/R@R, x",
                Some("CLIENT LOCKED OUT"),
            ),
            ("TGS_REQ (1 etypes {a(18)}) 127.0.0.1: ISSUE: authtime 1, u@R for HTTP/localhost@R", None),
            ("closing down fd 11", None),
        ] {
            assert_eq!(sign_in(&format!("{start}{line}")), outcome, "{line}");
        }
    }
}
