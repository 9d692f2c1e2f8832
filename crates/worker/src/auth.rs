//! Proves to one server or proxy who the owner of a job is, during one attempt.
//!
//! Whoever owns the HTTP connection hands over what was answered and gets the header value for the
//! next request: Basic, Digest, NTLM, or Negotiate with Kerberos and NTLM inside
//! (`credentials.md` part 2). The rule above all others: a secret that was refused is not tried
//! again, by no scheme, since each try can bring an account closer to being locked.
//!
//! No HTTP is spoken here and no connection held; only KDCs are talked to. Requests of one
//! [`Authenticator`] follow one another: a second connection has one of its own.
//!
//! The library below logs secrets at trace level, and user names below warn: whoever sets up the log
//! caps the targets `sspi`, `picky`, `picky_krb` and `picky_asn1_der` at warn.

mod authenticator;
mod basic;
mod binding;
mod challenge;
mod classify;
pub(crate) mod der;
mod digest;
mod dns;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gss;
mod identity;
mod kdc;
mod kerberos;
mod krb5_conf;
mod krb_message;
mod mechanism;
mod ntlm;
mod select;
mod spnego;

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bits_core::credentials::AuthTarget;
use zeroize::Zeroizing;

pub use self::authenticator::Authenticator;
pub use self::classify::{AuthFailure, FailureClass};
pub use self::kdc::{KdcStanding, RealmStanding, inquire};
pub use self::kerberos::Tickets;

/// Who asks: the server of the URL, or the proxy as configured. Where a proxy of http carries the
/// requests, both ask, each for itself, and each has an [`Authenticator`] of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub tls: bool,
    /// The host as in the URL; Kerberos takes the service's name from it.
    pub host: String,
    pub port: u16,
}

/// Where Kerberos is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KerberosEnvironment {
    /// The caller's krb5.conf files in order; none means `/etc/krb5.conf`.
    pub krb5_files: Vec<PathBuf>,
    /// The caller's `KRB5CCNAME`: where tickets are that the owner has already. Without it they are
    /// where the library looks by itself. Used for implicit credentials alone.
    pub ticket_cache: Option<String>,
    /// Tickets that are shared by all clones of this environment. One environment for all connections
    /// of a job's attempt saves three questions to the KDC for each; another job has its own.
    pub tickets: Tickets,
}

impl KerberosEnvironment {
    /// From the value of the caller's `KRB5_CONFIG`: file names with colons between them.
    pub fn from_krb5_config(value: Option<&OsStr>) -> Self {
        let files =
            value.map(|value| std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()));
        Self { krb5_files: files.into_iter().flatten().collect(), ..Self::default() }
    }

    /// With the value of the caller's `KRB5CCNAME`.
    #[must_use]
    pub fn with_ticket_cache(mut self, value: Option<&str>) -> Self {
        self.ticket_cache = value.filter(|value| !value.is_empty()).map(str::to_owned);
        self
    }
}

/// What the owner or the administrator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether another way may take the place of one that cannot work as things are set up, such as
    /// NTLM of Kerberos. Whoever tries again by itself after a failure with
    /// [`AuthFailure::refused_proof`] forbids it, so that the refused secret is not tested again.
    pub fall_back: bool,
    /// Whether a server that accepts Kerberos must prove itself, also over TLS. Proxies have no such
    /// proof and are not held to it.
    pub require_peer_proof: bool,
    /// Whether NTLM may be used, as a scheme of its own or inside Negotiate.
    pub ntlm: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { fall_back: true, require_peer_proof: false, ntlm: true }
    }
}

/// The name of a service as Kerberos knows it: `HTTP/www.example.test`, without a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName(String);

/// The text names no service: it has to be a kind and a host with one slash between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a service name is a kind and a host, such as HTTP/www.example.test")]
pub struct NotAServiceName;

impl ServiceName {
    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = NotAServiceName;

    fn from_str(text: &str) -> Result<Self, NotAServiceName> {
        /// A kind, and the longest host name there can be with a port.
        const BYTES_MAX: usize = 300;
        let (kind, host) = text.split_once('/').ok_or(NotAServiceName)?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part.contains(|c: char| c.is_control() || c.is_whitespace() || "/@\\".contains(c))
        };
        let is_name = text.len() <= BYTES_MAX && plain(kind) && plain(host);
        is_name.then(|| Self(text.to_owned())).ok_or(NotAServiceName)
    }
}

/// The names HTTP has for who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderNames {
    /// The status of a refusal.
    pub status: u16,
    /// In its answer: what is asked for.
    pub challenge: &'static str,
    /// In our request: the proof.
    pub authorization: &'static str,
    /// In an answer of success: news for the next request.
    pub info: &'static str,
}

impl HeaderNames {
    /// The names when `target` asks.
    pub fn of(target: AuthTarget) -> Self {
        match target {
            AuthTarget::Server => Self {
                status: 401,
                challenge: "WWW-Authenticate",
                authorization: "Authorization",
                info: "Authentication-Info",
            },
            AuthTarget::Proxy => Self {
                status: 407,
                challenge: "Proxy-Authenticate",
                authorization: "Proxy-Authorization",
                info: "Proxy-Authentication-Info",
            },
        }
    }
}

/// A header value that proves something. It is wiped when dropped and not shown by `Debug`.
pub struct Authorization(Zeroizing<String>);

impl Authorization {
    /// The value, for the request it was made for and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split(' ').next().unwrap_or_default();
        write!(f, "Authorization({scheme}, {} bytes)", self.0.len())
    }
}

/// What to do after a refusal: send the same request again, with the next
/// [`Authenticator::authorization`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendAgain {
    /// Whether it must go over the connection of this answer; otherwise any will do.
    pub same_connection: bool,
}

/// An answer that was no refusal, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    /// All values of [`HeaderNames::challenge`].
    pub challenges: &'a [&'a str],
    /// All values of [`HeaderNames::info`].
    pub info: &'a [&'a str],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_krb5_config_may_name_several_files() {
        let files = |value: &str| KerberosEnvironment::from_krb5_config(Some(OsStr::new(value))).krb5_files;
        assert_eq!(files("/a:/b c"), [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert_eq!(files(""), Vec::<PathBuf>::new());
        assert_eq!(KerberosEnvironment::from_krb5_config(None), KerberosEnvironment::default());
    }

    #[test]
    fn a_service_is_named_by_kind_and_host() {
        for (text, expected) in [
            ("HTTP/www.example.test", true),
            ("HTTP/www.example.test:8080", true),
            ("www.example.test", false),
            ("/host", false),
            ("HTTP/", false),
            ("HTTP/host@REALM", false),
            ("HTTP/a/b", false),
            ("HTTP/a b", false),
            ("HTTP/a\n", false),
        ] {
            assert_eq!(text.parse::<ServiceName>().is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_proxy_is_answered_under_names_of_its_own() {
        assert_eq!(HeaderNames::of(AuthTarget::Server).status, 401);
        let proxy = HeaderNames::of(AuthTarget::Proxy);
        assert_eq!((proxy.status, proxy.authorization), (407, "Proxy-Authorization"));
    }
}
