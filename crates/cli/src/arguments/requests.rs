//! What can be typed about the requests of a job. What it means is in `requests`.

use std::path::PathBuf;

use bits_core::credentials::AuthScheme;
use bits_core::pacing::rate::{Rate, RateError};
use clap::Args;

/// Who signs in at a proxy.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing in at a proxy")]
pub(crate) struct ProxySecret {
    /// The user: DOMAIN\user, user@realm, or the bare name
    #[arg(long, value_name = "USER")]
    pub(crate) proxy_user: Option<String>,
    /// Read the password from the first line of FILE; without it, ask at the terminal
    #[arg(long, value_name = "FILE", requires = "proxy_user")]
    pub(crate) proxy_password_file: Option<PathBuf>,
    /// Sign in with this scheme: basic, digest, ntlm or negotiate; basic also without TLS
    #[arg(long, value_name = "SCHEME", value_parser = super::scheme)]
    pub(crate) proxy_auth: Option<AuthScheme>,
}

/// How the requests of a job are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub(crate) struct Requests {
    /// Go through this proxy: a URL, several with spaces between, none, or auto. Without it, what
    /// the environment says
    #[arg(long, value_name = "URL|none|auto")]
    pub(crate) proxy: Option<String>,
    /// Hosts that need no proxy, with commas between
    #[arg(long, value_name = "HOSTS")]
    pub(crate) no_proxy: Option<String>,
    /// Send this header with each request: 'Name: value', or @FILE with one in each line. Secrets
    /// such as Authorization belong in a FILE
    #[arg(long, value_name = "HEADER|@FILE")]
    pub(crate) header: Vec<String>,
    /// Show this certificate to servers that ask for one: PEM or PKCS#12; KEY is a PEM file of its own
    #[arg(long, value_name = "FILE[,KEY]")]
    pub(crate) client_cert: Option<String>,
    /// Read from the first line of FILE what opens the key of the certificate
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_cert_password_file: Option<PathBuf>,
    /// Receive no more than so much per second: bytes such as 500k or 2M, or bits such as 8mbit
    #[arg(long, value_name = "RATE", value_parser = limit, allow_negative_numbers = true)]
    pub(crate) limit_rate: Option<u64>,
    /// Take any certificate of a server: then nobody knows who it is
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Never use NTLM, neither as a scheme nor within negotiate
    #[arg(long)]
    pub(crate) no_ntlm: bool,
    /// The Kerberos name of the service, when it is not HTTP/ and the host
    #[arg(long, value_name = "NAME")]
    pub(crate) service_name: Option<String>,
}

/// Bytes per second; 0 for no limit.
fn limit(text: &str) -> Result<u64, RateError> {
    Ok(Rate::parse_limit(text)?.map_or(0, Rate::bytes_per_second))
}
