//! The Active Directory domain, by Samba, and the servers that ask it who somebody is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::account::Account;
use super::proxy::Proxy;
use super::server::Server;
use super::set::Lines;
use crate::run::Run;

/// The group whose members are locked out by wrong passwords.
const STRICT: &str = "strict";

/// The domain.
#[derive(Debug)]
pub struct Domain {
    /// Locations `negotiate-ad`, `ntlm-ad`, `multi-ad` and `any-ad`.
    pub apache: Server,
    /// Kerberos by Negotiate.
    pub negotiate: Proxy,
    /// NTLM.
    pub ntlm: Proxy,
    /// Kerberos or NTLM by Negotiate.
    pub spnego: Proxy,
    /// Negotiate, NTLM, Digest and Basic.
    pub multi: Proxy,
    lines: Lines,
    accounts: Vec<Account>,
}

impl Domain {
    pub(super) fn new(lines: Lines) -> Self {
        let proxy = |name: &str, log: &str| Proxy::new(&lines, "SQUID_AD", name, log);
        Self {
            apache: Server::new(&lines, "APACHE_AD"),
            negotiate: proxy("NEGOTIATE", "negotiate-ad"),
            ntlm: proxy("NTLM", "ntlm-ad"),
            spnego: proxy("SPNEGO", "spnego-ad"),
            multi: proxy("MULTI", "multi-ad"),
            accounts: Account::read(Path::new(lines.get("AD_ACCOUNTS"))),
            lines,
        }
    }

    /// A line that one of its scripts has printed, by its name: `APACHE_AD_TLS_URL`.
    ///
    /// # Panics
    /// When none has.
    #[track_caller]
    pub fn line(&self, name: &str) -> &str {
        self.lines.get(name)
    }

    /// Its name for Kerberos.
    pub fn realm(&self) -> &str {
        self.line("AD_REALM")
    }

    /// Its name for NTLM, as in `NAME\user`.
    pub fn name(&self) -> &str {
        self.line("AD_DOMAIN")
    }

    /// Where its KDC listens by TCP and UDP, as `HOST:PORT`.
    pub fn kdc_address(&self) -> &str {
        self.line("AD_KDC_ADDRESS")
    }

    /// A client's `KRB5_CONFIG`.
    pub fn config(&self) -> &Path {
        Path::new(self.line("AD_KRB5_CONFIG"))
    }

    /// One of the users who are there from the start: `alice`, `bob`, `carol` (whose principal is
    /// not her name), `umlaut` (in the password), `zoë`, `expired` (must change the password),
    /// `disabled`, `locked` (out, by wrong passwords).
    ///
    /// # Panics
    /// When it is none of them.
    #[track_caller]
    pub fn account(&self, name: &str) -> &Account {
        Account::find(&self.accounts, name)
    }

    /// How many wrong passwords lock out a user added by [`Domain::add_user_to_lock_out`].
    pub fn lockout(&self) -> u32 {
        self.line("AD_LOCKOUT").parse().expect("the script prints a number")
    }

    /// Adds a user nobody else signs in as, so that attempts can be counted while other tests
    /// run; returns its name. Wrong passwords do not lock it out.
    #[track_caller]
    pub fn add_user(&self, password: &str) -> String {
        static USERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("user{}", USERS.fetch_add(1, Ordering::Relaxed));
        self.samba_tool(&["user", "create", &name, password]);
        name
    }

    /// The same, but [`Domain::lockout`] wrong passwords lock it out.
    #[track_caller]
    pub fn add_user_to_lock_out(&self, password: &str) -> String {
        let name = self.add_user(password);
        self.samba_tool(&["group", "addmembers", STRICT, &name]);
        name
    }

    /// Every attempt to sign in as `user`, oldest first, as the domain controller has logged it,
    /// which it does before it answers: by Kerberos, by NTLM at a web server or proxy, to a share.
    pub fn sign_ins(&self, user: &str) -> Vec<SignIn> {
        let log = fs::read(self.line("AD_LOG")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter_map(|line| SignIn::parse(line, user)).collect()
    }

    /// How many wrong passwords are held against `user`; the right one clears them.
    #[track_caller]
    pub fn wrong_passwords(&self, user: &str) -> u32 {
        let shown = self.samba_tool(&["user", "show", user, "--attributes=badPwdCount"]);
        let count = shown.lines().find_map(|line| line.strip_prefix("badPwdCount: "));
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {shown}"))
    }

    #[track_caller]
    fn samba_tool(&self, words: &[&str]) -> String {
        let configuration = PathBuf::from(self.line("AD_CONF"));
        Run::new("samba-tool").args(words).arg("-s").arg(configuration).finish().expect_code(0).stdout
    }
}

/// One attempt to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What came of it: `NT_STATUS_OK`, `NT_STATUS_WRONG_PASSWORD`, ...
    pub status: String,
    /// Who asked: `Kerberos KDC`, `winbind` (NTLM at a web server or proxy), `SMB2` (a share).
    pub service: String,
}

impl SignIn {
    /// The attempt in a line of the log, if it is one of `user`.
    fn parse(line: &str, user: &str) -> Option<Self> {
        let entry: Value = serde_json::from_str(line.trim()).ok()?;
        let entry = &entry["Authentication"];
        // The database of passwords has lines of its own, for what another line tells, too.
        if entry["authDescription"].as_str()?.starts_with("PASSDB") {
            return None;
        }
        // Known users by the account, whatever they called themselves; unknown ones by that.
        let account = entry["becameAccount"].as_str().filter(|name| !name.is_empty());
        let claimed = entry["clientAccount"].as_str().and_then(|name| name.split('@').next());
        (account.or(claimed)? == user).then_some(())?;
        Some(Self {
            status: entry["status"].as_str()?.to_owned(),
            service: entry["serviceDescription"].as_str()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(description: &str, client: &str, became: &str) -> String {
        format!(
            r#"  {{"type": "Authentication", "Authentication": {{"status": "NT_STATUS_OK", "serviceDescription": "winbind",
            "authDescription": "{description}", "clientAccount": "{client}", "becameAccount": {became}}}}}"#
        )
    }

    #[test]
    fn an_attempt_counts_once_and_for_the_user_it_was_of() {
        for (line, counts) in [
            (line("NTLM_AUTH, apache2, 1", "carol", r#""carol""#), true),
            (line("ENC-TS Pre-authentication", "carol.of.sales@AD.EXAMPLE.TEST", r#""carol""#), true),
            (line("ENC-TS Pre-authentication", "carol@AD.EXAMPLE.TEST", "null"), true),
            (line("NTLM_AUTH, apache2, 1", "carol", r#""""#), true),
            (line("PASSDB, apache2, 1", "carol", r#""carol""#), false),
            (line("NTLM_AUTH, apache2, 1", "carol", r#""alice""#), false),
            ("[2026/11/25 10:43:37.959144,  3] audit".to_owned(), false),
        ] {
            assert_eq!(SignIn::parse(&line, "carol").is_some(), counts, "{line}");
        }
    }
}
