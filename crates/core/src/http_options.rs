//! How the requests of a job are made: what an owner can say of HTTP, TLS and proxies
//! (`bits.md` §1.7, §1.8, §2.6, §6.7).
//!
//! Secrets are apart: a header that is one is sealed like a credential and is not among these.

mod given;
mod proxy_text;

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::refusal::Refusal;

pub use given::GivenHeaders;
pub use proxy_text::{one_proxy, proxy_list};

/// What an owner has said of the requests of a job. By default nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpOptions {
    pub method: Method,
    /// Sent with each request of the job, in this order.
    pub headers: Vec<Header>,
    /// Whether the headers can be replaced and no longer read; there is no way back.
    pub headers_write_only: bool,
    pub security: SecurityFlags,
    pub client_certificate: Option<ClientCertificate>,
    pub proxy: ProxyUse,
    /// Whether the owner's stored credentials may answer a proxy (`USE_STORED_CREDENTIALS`).
    pub stored_proxy_credentials: bool,
    /// Whether NTLM is never used, neither as a scheme nor within Negotiate.
    pub no_ntlm: bool,
    /// The Kerberos name of the service, when it is not `HTTP/` and the host of the URL.
    pub service_name: Option<String>,
}

/// The method of the requests: a token as RFC 9110 §5.6.2 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method(String);

impl Method {
    /// Parses `text`.
    ///
    /// # Errors
    /// A sentence fragment that says what is wrong, to be put after the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text.len() {
            0 => Err("is empty"),
            1..=METHOD_BYTES_MAX if text.bytes().all(is_token_byte) => Ok(Self(text.into())),
            1..=METHOD_BYTES_MAX => Err("has a character that no HTTP method has"),
            _ => Err("is longer than 64 characters"),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the one that downloads have without saying so.
    pub fn is_default(&self) -> bool {
        self.0 == "GET"
    }
}

impl Default for Method {
    fn default() -> Self {
        Self("GET".into())
    }
}

/// Characters a method may have; the longest one registered has seventeen.
const METHOD_BYTES_MAX: usize = 64;

/// A header that is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    name: HeaderName,
    value: String,
}

impl Header {
    /// A header of this name.
    ///
    /// # Errors
    /// A sentence fragment that says what is wrong with the value.
    pub fn new(name: HeaderName, value: &str) -> Result<Self, &'static str> {
        Ok(Self { name, value: header_value(value)?.into() })
    }

    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    pub fn value(&self) -> &str {
        &self.value
    }
}

/// What may be sent of `text` as the value of a header: without the spaces around it.
///
/// # Errors
/// A sentence fragment that says what is wrong with the value.
pub fn header_value(text: &str) -> Result<&str, &'static str> {
    let text = text.trim_matches([' ', '\t']);
    match text.bytes().any(|byte| byte == 0x7f || (byte < 0x20 && byte != b'\t')) {
        true => Err("has a control character in its value"),
        false => Ok(text),
    }
}

/// The name of a header that an owner may set. Names that differ in their letter case alone are the
/// same.
#[derive(Debug, Clone)]
pub struct HeaderName(String);

/// Names that belong to the transfer itself: with another value it would not be the one that the
/// plan decides about, or the connection would be no connection any more.
const OURS: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "transfer-encoding",
];

impl HeaderName {
    /// Parses `text`.
    ///
    /// # Errors
    /// A sentence fragment that says what is wrong, to be put after the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || !text.bytes().all(is_token_byte) {
            return Err("is no name of a header");
        }
        if OURS.iter().any(|ours| text.eq_ignore_ascii_case(ours)) {
            return Err("is set by the service itself");
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its value is a secret: it is sealed, never shown, and goes to no other origin.
    pub fn is_secret(&self) -> bool {
        ["authorization", "cookie"].iter().any(|secret| self.0.eq_ignore_ascii_case(secret))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for HeaderName {}

impl PartialOrd for HeaderName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HeaderName {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |name: &Self| name.0.to_ascii_lowercase();
        lower(self).cmp(&lower(other))
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Bytes that all headers of a job may have together, each with its colon, space and line end
/// (`bits.md` §1.7: 16,384 with a NUL).
pub const HEADERS_BYTES_MAX: usize = 16_383;

/// `BG_HTTP_SECURITY` and the redirect policy, one mask (`bits.md` §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecurityFlags(u32);

impl SecurityFlags {
    pub const CHECK_REVOCATION: u32 = 0x0001;
    pub const IGNORE_CERTIFICATE_NAME: u32 = 0x0002;
    pub const IGNORE_CERTIFICATE_DATE: u32 = 0x0004;
    pub const IGNORE_UNKNOWN_AUTHORITY: u32 = 0x0008;
    pub const IGNORE_CERTIFICATE_USAGE: u32 = 0x0010;
    pub const REDIRECT_REPORT: u32 = 0x0100;
    pub const REDIRECT_DISALLOW: u32 = 0x0200;
    pub const REDIRECT_HTTPS_TO_HTTP: u32 = 0x0800;

    const REDIRECT_MASK: u32 = 0x0700;
    const KNOWN: u32 = 0x001f | Self::REDIRECT_MASK | Self::REDIRECT_HTTPS_TO_HTTP;

    /// The flags of `mask`.
    ///
    /// # Errors
    /// A sentence fragment that says what is wrong: a bit that means nothing, or two redirect
    /// policies at once.
    pub fn from_mask(mask: u32) -> Result<Self, &'static str> {
        match mask & Self::REDIRECT_MASK {
            _ if mask & !Self::KNOWN != 0 => Err("has a bit that means nothing"),
            0 | Self::REDIRECT_REPORT | Self::REDIRECT_DISALLOW => Ok(Self(mask)),
            _ => Err("names two redirect policies at once"),
        }
    }

    pub fn mask(self) -> u32 {
        self.0
    }

    /// Whether `flag`, one of the constants here, is set.
    pub fn has(self, flag: u32) -> bool {
        self.0 & flag == flag
    }
}

/// By which certificate the owner shows a TLS server who it is, when that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    /// A PEM file with certificates and key, or a PKCS#12 file; `key` is another PEM file that holds
    /// the key. Absolute paths.
    File { path: String, key: Option<String> },
    /// The one of this fingerprint in a folder of such files: SHA-1 (20 bytes) or SHA-256 (32).
    ById { folder: String, fingerprint: Vec<u8> },
    /// The first one in a folder whose subject has this in it (`bits.md` §1.7).
    ByName { folder: String, subject: String },
}

impl ClientCertificate {
    /// Whether it can be one at all; what is in the files shows when the job runs.
    ///
    /// # Errors
    /// [`Refusal::InvalidArgument`].
    pub fn check(&self) -> Result<(), Refusal> {
        let is_path = |path: &str| {
            path.starts_with('/') && path.len() <= PATH_BYTES_MAX && !path.chars().any(char::is_control)
        };
        let path = |what: &str, path: &str| match is_path(path) {
            true => Ok(()),
            false => Err(Refusal::invalid(what, "is no absolute path")),
        };
        match self {
            Self::File { path: file, key } => {
                path("the path of the client certificate", file)?;
                key.as_deref().map_or(Ok(()), |key| path("the path of its key", key))
            }
            Self::ById { folder, fingerprint } => {
                path("the folder of client certificates", folder)?;
                match fingerprint.len() {
                    20 | 32 => Ok(()),
                    _ => Err(Refusal::invalid(
                        "the fingerprint of the client certificate",
                        "is neither SHA-1 (40 digits) nor SHA-256 (64 digits)",
                    )),
                }
            }
            Self::ByName { folder, subject } => {
                path("the folder of client certificates", folder)?;
                match subject.encode_utf16().count() {
                    1..=SUBJECT_UNITS_MAX if !subject.chars().any(char::is_control) => Ok(()),
                    _ => Err(Refusal::invalid(
                        "the subject of the client certificate",
                        "is not a text of 1 to 255 characters",
                    )),
                }
            }
        }
    }
}

/// `PATH_MAX` of Linux.
const PATH_BYTES_MAX: usize = 4096;
/// UTF-16 units of a subject (`bits.md` §1.7: 256 with a NUL).
const SUBJECT_UNITS_MAX: usize = 255;
/// Characters a Kerberos name of a service may have; a host name has 255 at most.
pub const SERVICE_NAME_BYTES_MAX: usize = 512;

/// `BG_JOB_PROXY_USAGE` (`bits.md` §2.1, §6.7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyUse {
    /// What the owner's environment says, else the settings.
    #[default]
    Preconfigured,
    Direct,
    /// These, tried in their order, but for the hosts of the bypass list. As given: the syntax of
    /// both is judged when the job runs.
    Override {
        list: String,
        bypass: String,
    },
    /// Not to be had here; the job says so when it runs.
    Autodetect,
}

/// UTF-16 units that a proxy list and a bypass list may have (`bits.md` §4).
pub const PROXY_LIST_UNITS_MAX: usize = 4000;

/// The proxy variables of the owner's environment, without user and password.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyEnvironment {
    /// `http_proxy`; never the upper-case form, which a web server sets from a request's header.
    pub http: Option<String>,
    /// `https_proxy` or `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `all_proxy` or `ALL_PROXY`.
    pub all: Option<String>,
    /// `no_proxy` or `NO_PROXY`.
    pub none_for: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_the_transfer_itself_cannot_be_set_by_an_owner() {
        for (name, expected) in [
            ("X-Token", Ok(false)),
            ("authorization", Ok(true)),
            ("Cookie", Ok(true)),
            ("RANGE", Err("is set by the service itself")),
            ("Host", Err("is set by the service itself")),
            ("a b", Err("is no name of a header")),
            ("", Err("is no name of a header")),
        ] {
            assert_eq!(HeaderName::parse(name).map(|name| name.is_secret()), expected, "{name:?}");
        }
    }

    #[test]
    fn a_header_value_cannot_begin_another_header() {
        let name = HeaderName::parse("X-A").expect("a name");
        assert_eq!(Header::new(name.clone(), "  a\tb ").expect("a value").value(), "a\tb");
        assert!(Header::new(name, "a\r\nEvil: yes").is_err());
    }

    #[test]
    fn a_mask_of_security_flags_names_one_redirect_policy_and_no_unknown_bit() {
        for (mask, is_good) in [
            (0, true),
            (0x081f, true),
            (0x0100, true),
            (0x0200, true),
            (0x0300, false),
            (0x0400, false),
            (0x0020, false),
            (0x1000, false),
        ] {
            assert_eq!(SecurityFlags::from_mask(mask).is_ok(), is_good, "{mask:#x}");
        }
    }
}
