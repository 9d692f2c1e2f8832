//! Whom we believe, and what it means when we do not.
//!
//! The authorities are those of the system, and those of one more file if it is named. Client
//! certificates and revocation lists are not served yet.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bits_core::transfer::TransportFault;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::Stream;

/// Whom to believe. Read from the system when it is first needed.
#[derive(Debug)]
pub(crate) struct TlsTrust {
    extra_ca: Option<PathBuf>,
    config: Mutex<Option<Arc<ClientConfig>>>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("the certificates in {} cannot be read: {reason}", path.display())]
    ExtraAuthorities { path: PathBuf, reason: String },
    #[error("the system's certificates cannot be used: {0}")]
    Authorities(rustls::Error),
    #[error("`{0}` is no name a certificate could be for")]
    ServerName(String),
    #[error(transparent)]
    Handshake(#[from] std::io::Error),
}

impl TlsTrust {
    pub(crate) fn new(extra_ca: Option<PathBuf>) -> Self {
        Self { extra_ca, config: Mutex::new(None) }
    }

    /// Agrees with `host` on how to be secure over `stream`.
    pub(super) async fn secure(&self, host: &str, stream: Stream) -> Result<TlsStream<Stream>, TlsError> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| TlsError::ServerName(host.to_owned()))?;
        let connector = TlsConnector::from(self.config()?);
        Ok(connector.connect(name, stream).await?)
    }

    /// The same for all connections. What failed is tried again for the next one.
    fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut known = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*known {
            return Ok(config.clone());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let extra = self.extra_ca.as_deref().map_or(Ok(Vec::new()), read_authorities)?;
        let verifier =
            Verifier::new_with_extra_roots(extra, provider.clone()).map_err(TlsError::Authorities)?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Authorities)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(known.insert(Arc::new(config)).clone())
    }
}

/// Bytes a file of authorities may have; the system's own has a quarter of a million.
const AUTHORITIES_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::ExtraAuthorities { path: path.into(), reason };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > AUTHORITIES_BYTES_MAX {
        return Err(failed("the file is too large".to_owned()));
    }
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(failed("no certificate is in it".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// What a failed handshake with `authority` means, with a sentence for a person.
pub(super) fn fault_of(error: &TlsError, authority: &str) -> (TransportFault, String) {
    let TlsError::Handshake(io) = error else {
        return (TransportFault::Tls, format!("TLS with {authority} is not possible: {error}"));
    };
    let Some(error) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return (
            TransportFault::Aborted,
            format!("the connection to {authority} broke while TLS was agreed on: {io}"),
        );
    };
    let rustls::Error::InvalidCertificate(why) = error else {
        return (TransportFault::Tls, format!("TLS with {authority} is not possible: {error}"));
    };
    use CertificateError as E;
    match why {
        E::Expired | E::ExpiredContext { .. } => (
            TransportFault::CertificateDate,
            format!(
                "the certificate of {authority} has expired; if it has not, look at this machine's clock"
            ),
        ),
        E::NotValidYet | E::NotValidYetContext { .. } => (
            TransportFault::CertificateDate,
            format!("the certificate of {authority} is not valid yet; look at this machine's clock"),
        ),
        E::NotValidForName | E::NotValidForNameContext { .. } => (
            TransportFault::CertificateHostName,
            format!("the certificate that {authority} shows is for other names"),
        ),
        E::UnknownIssuer => (
            TransportFault::UnknownAuthority,
            format!(
                "nobody this machine trusts stands for the certificate of {authority}; if you trust its \
                 authority, add that to the certificates of the system"
            ),
        ),
        E::Revoked => {
            (TransportFault::CertificateRevoked, format!("the certificate of {authority} has been revoked"))
        }
        other => (TransportFault::Tls, format!("the certificate of {authority} is not accepted: {other}")),
    }
}
