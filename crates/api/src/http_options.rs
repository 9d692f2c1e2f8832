//! How the requests of a job are made, as programs say it and see it.

use serde::{Deserialize, Serialize};

use crate::credentials::Password;

/// A header for every request of a job.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetHeader {
    pub name: String,
    /// `Authorization` and `Cookie` are secrets: sealed, and never shown again.
    pub value: Password,
}

/// A header that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Header {
    pub name: String,
    pub value: String,
}

/// By which certificate the owner shows a TLS server who it is, when that asks. Paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ClientCertificate {
    #[default]
    None,
    /// A PEM file with certificates and key, or a PKCS#12 file.
    File {
        path: String,
        /// Another PEM file, which holds the key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// The one of this fingerprint in a folder of such files.
    ById {
        folder: String,
        /// SHA-1 or SHA-256, as 40 or 64 hexadecimal digits.
        fingerprint: String,
    },
    /// The first one in a folder whose subject has this in it.
    ByName { folder: String, subject: String },
}

/// `BG_JOB_PROXY_USAGE`, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proxy {
    /// `preconfig` (the owner's environment, else the settings), `no_proxy`, `override` or
    /// `autodetect`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::proxy_usages())))]
    pub usage: String,
    /// With `override`: proxies with spaces between, `[protocol=][protocol://]server[:port]`. A user
    /// and password in it become credentials of the job, and are not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// With `override`: hosts that need no proxy, with spaces between; `*` at the left stands for
    /// any beginning, `<local>` for all names without a dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bypass: Option<String>,
}

impl Default for Proxy {
    fn default() -> Self {
        Self { usage: PRECONFIG.to_owned(), list: None, bypass: None }
    }
}

/// The words for the use of a proxy.
pub const PRECONFIG: &str = "preconfig";
pub const NO_PROXY: &str = "no_proxy";
pub const OVERRIDE: &str = "override";
pub const AUTODETECT: &str = "autodetect";
