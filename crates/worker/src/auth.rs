//! Proves to one server or proxy who the owner of a job is, during one attempt.
//!
//! Whoever owns the HTTP connection hands over what was answered and gets the header value for the
//! next request: Basic, Digest, NTLM, or Negotiate with Kerberos and NTLM inside
//! (`credentials.md` part 2). The rule above all others: a secret that was refused is not tried
//! again, by no scheme, since each try can bring an account closer to being locked.
//!
//! No HTTP is spoken here and no connection held; only KDCs are talked to. Requests of one
//! [`Authenticator`] follow one another: a second connection has one of its own. Proxies of https,
//! channel bindings and implicit credentials are not served yet.
//!
//! The library below logs secrets at trace level, and user names below warn: whoever sets up the log
//! caps the targets `sspi`, `picky`, `picky_krb` and `picky_asn1_der` at warn.

mod authenticator;
mod basic;
mod challenge;
mod classify;
mod der;
mod digest;
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

use bits_core::credentials::AuthTarget;
use zeroize::Zeroizing;

pub use self::authenticator::Authenticator;
pub use self::classify::{AuthFailure, FailureClass};

/// Who asks: the server of the URL, or the proxy as configured.
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
}

impl KerberosEnvironment {
    /// From the value of the caller's `KRB5_CONFIG`: file names with colons between them.
    pub fn from_krb5_config(value: Option<&OsStr>) -> Self {
        let files =
            value.map(|value| std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()));
        Self { krb5_files: files.into_iter().flatten().collect() }
    }
}

/// What the owner or the administrator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether another way may take the place of one that cannot work as things are set up, such as
    /// NTLM of Kerberos. Whoever tries again by itself after a failure with
    /// [`AuthFailure::refused_proof`] forbids it, so that the refused secret is not tested again.
    pub fall_back: bool,
    /// Whether a server that accepts Kerberos must prove itself, also over TLS.
    pub require_peer_proof: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { fall_back: true, require_peer_proof: false }
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
    fn a_proxy_is_answered_under_names_of_its_own() {
        assert_eq!(HeaderNames::of(AuthTarget::Server).status, 401);
        let proxy = HeaderNames::of(AuthTarget::Proxy);
        assert_eq!((proxy.status, proxy.authorization), (407, "Proxy-Authorization"));
    }
}
