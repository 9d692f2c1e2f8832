//! Whom we believe over TLS, and how we show who we are.
//!
//! The authorities are those of the system, and those of one more file if it is named; a job may
//! forgive certificates what is wrong with them, have revocations checked, and bring a certificate of
//! its own. All that is for servers: a proxy that is spoken to over TLS is believed as ever and is
//! shown nothing.

mod client_certificate;
mod exceptions;
mod fault;
mod revocation;
mod x509;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bits_core::http_options::{ClientCertificate, SecurityFlags};
use bits_core::secret::Secret;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::client_certificate::CertificateError;
use self::exceptions::ForgivingVerifier;
use super::client::FetchError;
use super::connection::Stream;
use super::protocols::Offer;
use super::settings::Timeouts;

pub(super) use self::fault::{certificate_not_taken, certificate_refused, is_about_our_certificate};
pub(super) use self::revocation::Revocations;
pub(super) use self::x509::look_at as look_at_certificate;

/// Whom to believe. Read from the system when it is first needed.
#[derive(Debug)]
pub(crate) struct TlsTrust {
    extra_ca: Option<PathBuf>,
    /// Lists of revoked certificates, beside those that certificates name.
    crl: Option<PathBuf>,
    config: Mutex<Option<Arc<ClientConfig>>>,
    roots: Mutex<Option<Arc<RootCertStore>>>,
    /// Hosts that have asked for a certificate and got none: a session that is taken up again does
    /// not ask again.
    asking: Mutex<VecDeque<String>>,
}

/// Hosts remembered to have asked for a certificate.
const ASKING_MAX: usize = 64;

/// What a job says of its TLS.
#[derive(Debug, Default)]
pub(crate) struct TlsOptions {
    pub(crate) flags: SecurityFlags,
    pub(crate) certificate: Option<ClientCertificate>,
    pub(crate) passphrase: Option<Secret>,
}

/// The TLS of one attempt. All clones are one.
#[derive(Debug, Clone)]
pub(super) struct AttemptTls {
    pub(super) trust: Arc<TlsTrust>,
    options: Arc<TlsOptions>,
    /// Made when it is first needed.
    config: Arc<Mutex<Option<Arc<ClientConfig>>>>,
}

/// What became of asking for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum CertificateAsked {
    #[default]
    No,
    /// And the job has none.
    InVain,
    Given,
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
    ClientCertificate(#[from] CertificateError),
    #[error("{0}")]
    Revocation(String),
    #[error(transparent)]
    Handshake(#[from] io::Error),
}

tokio::task_local! {
    /// Whether the handshake that goes on in this task has asked for a certificate.
    static ASKED: Cell<bool>;
}

/// Answers a server that asks for a certificate.
#[derive(Debug)]
struct OurCertificate(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for OurCertificate {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // Where nobody wants to know there is no cell.
        let _ = ASKED.try_with(|asked| asked.set(true));
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

impl AttemptTls {
    pub(super) fn new(trust: Arc<TlsTrust>, options: TlsOptions) -> Self {
        Self { trust, options: Arc::new(options), config: Arc::default() }
    }

    pub(super) fn checks_revocation(&self) -> bool {
        self.options.flags.has(SecurityFlags::CHECK_REVOCATION)
    }

    /// Whether a server may learn from a certificate who asks.
    pub(super) fn has_certificate(&self) -> bool {
        self.options.certificate.is_some()
    }

    /// Whether all connections of all jobs that say so are alike.
    pub(super) fn is_ordinary(&self) -> bool {
        self.options.flags.mask() & CONNECTION_FLAGS == 0 && !self.has_certificate()
    }

    /// Agrees on TLS with `host`, which a sentence calls `shown`, at the other end of `stream`.
    pub(super) async fn secure(
        &self,
        host: &str,
        shown: &str,
        stream: Stream,
        offer: Offer,
        timeouts: &Timeouts,
    ) -> Result<(Stream, CertificateAsked), NotSecured> {
        let config = self.config().map_err(|error| fault::fault_of(&error, shown))?;
        let config = offering(config, offer);
        let (secured, asked) =
            ASKED.scope(Cell::new(false), handshake(config, host, shown, stream, timeouts)).await;
        let asked = match (asked || self.trust.is_asking(host), self.has_certificate()) {
            (false, _) => CertificateAsked::No,
            (true, true) => CertificateAsked::Given,
            (true, false) => {
                self.trust.remember_asking(host);
                CertificateAsked::InVain
            }
        };
        match secured {
            Ok(stream) => Ok((stream, asked)),
            Err(TlsError::Handshake(io))
                if asked != CertificateAsked::No && is_about_our_certificate(&io) =>
            {
                let given = asked == CertificateAsked::Given;
                Err(NotSecured::Failed(certificate_refused(shown, given, &io.to_string())))
            }
            Err(TlsError::Handshake(io)) if fault::is_about_protocol(&io) => {
                Err(NotSecured::OtherProtocol(fault::fault_of(&TlsError::Handshake(io), shown)))
            }
            Err(error) => Err(NotSecured::Failed(fault::fault_of(&error, shown))),
        }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut known = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*known {
            return Ok(config.clone());
        }
        let flags = self.options.flags;
        let config = if !ForgivingVerifier::is_needed(flags) && self.options.certificate.is_none() {
            self.trust.config()?
        } else {
            let certificate = self.options.certificate.as_ref();
            let passphrase = self.options.passphrase.as_ref();
            let certificate =
                certificate.map(|which| client_certificate::load(which, passphrase)).transpose()?;
            let verifier: Arc<dyn ServerCertVerifier> = match ForgivingVerifier::is_needed(flags) {
                true => Arc::new(ForgivingVerifier::new(flags, self.trust.roots()?, provider())),
                false => self.trust.verifier()?,
            };
            Arc::new(config(verifier, certificate.map(Arc::new))?)
        };
        Ok(known.insert(config).clone())
    }
}

/// Why there is no TLS.
#[derive(Debug)]
pub(super) enum NotSecured {
    /// The server speaks nothing of what was offered.
    OtherProtocol(FetchError),
    Failed(FetchError),
}

impl From<FetchError> for NotSecured {
    fn from(error: FetchError) -> Self {
        Self::Failed(error)
    }
}

/// `config` with this to be chosen from by the server; as it is made, it offers HTTP/1.1.
fn offering(config: Arc<ClientConfig>, offer: Offer) -> Arc<ClientConfig> {
    if offer == Offer::Http1 {
        return config;
    }
    let mut config = ClientConfig::clone(&config);
    config.alpn_protocols = offer.protocols();
    Arc::new(config)
}

/// Flags by which a connection is another one than without them.
const CONNECTION_FLAGS: u32 = 0x001f;

async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    shown: &str,
    stream: Stream,
    timeouts: &Timeouts,
) -> (Result<Stream, TlsError>, bool) {
    let secured = match timeout(timeouts.connect, connect(config, host, stream)).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(TlsError::Handshake(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "{shown} took the connection and did not agree on TLS within {:?} (connect_timeout)",
                timeouts.connect
            ),
        ))),
    };
    (secured, ASKED.try_with(Cell::get).unwrap_or(false))
}

async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    stream: Stream,
) -> Result<TlsStream<Stream>, TlsError> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| TlsError::ServerName(host.to_owned()))?;
    Ok(TlsConnector::from(config).connect(name, stream).await?)
}

impl TlsTrust {
    pub(crate) fn new(extra_ca: Option<PathBuf>, crl: Option<PathBuf>) -> Self {
        Self { extra_ca, crl, config: Mutex::default(), roots: Mutex::default(), asking: Mutex::default() }
    }

    /// Agrees on TLS with the proxy `host`.
    pub(super) async fn secure_proxy(
        &self,
        host: &str,
        shown: &str,
        stream: Stream,
        timeouts: &Timeouts,
    ) -> Result<Stream, FetchError> {
        let config = self.config().map_err(|error| fault::fault_of(&error, shown))?;
        let (secured, _) = handshake(config, host, shown, stream, timeouts).await;
        secured.map_err(|error| fault::fault_of(&error, shown))
    }

    /// The same for all connections of ordinary jobs. What failed is tried again for the next one.
    fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut known = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*known {
            return Ok(config.clone());
        }
        let made = config(self.verifier()?, None)?;
        Ok(known.insert(Arc::new(made)).clone())
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let extra = self.extra_ca.as_deref().map_or(Ok(Vec::new()), read_authorities)?;
        let verifier = Verifier::new_with_extra_roots(extra, provider()).map_err(TlsError::Authorities)?;
        Ok(Arc::new(verifier))
    }

    /// The authorities, for checks that the system's verifier does not do.
    fn roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let mut known = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*known {
            return Ok(roots.clone());
        }
        let mut roots = RootCertStore::empty();
        // As the system's verifier does, what cannot be read or parsed is passed over.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for extra in self.extra_ca.as_deref().map_or(Ok(Vec::new()), read_authorities)? {
            roots.add(extra).map_err(TlsError::Authorities)?;
        }
        Ok(known.insert(Arc::new(roots)).clone())
    }

    /// The lists of the file that the settings name.
    fn own_lists(&self) -> Result<Vec<Vec<u8>>, TlsError> {
        let Some(path) = &self.crl else { return Ok(Vec::new()) };
        let failed = |reason: String| {
            TlsError::Revocation(format!("the list in {} cannot be read: {reason}", path.display()))
        };
        let bytes = read_limited(path).map_err(failed)?;
        if bytes.first() == Some(&0x30) {
            return Ok(vec![bytes]);
        }
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
        let lists = lists.map_err(|error| failed(error.to_string()))?;
        Ok(lists.into_iter().map(|list| list.to_vec()).collect())
    }

    fn is_asking(&self, host: &str) -> bool {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == host)
    }

    fn remember_asking(&self, host: &str) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if !asking.iter().any(|known| known == host) {
            if asking.len() == ASKING_MAX {
                asking.pop_front();
            }
            asking.push_back(host.to_owned());
        }
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn config(
    verifier: Arc<dyn ServerCertVerifier>,
    certificate: Option<Arc<CertifiedKey>>,
) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Authorities)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(OurCertificate(certificate)));
    config.alpn_protocols = Offer::Http1.protocols();
    Ok(config)
}

/// Bytes a file of authorities or revocations may have; the system's own has a quarter of a million.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::ExtraAuthorities { path: path.into(), reason };
    let pem = read_limited(path).map_err(failed)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(failed("no certificate is in it".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err("the file is too large".to_owned());
    }
    std::fs::read(path).map_err(|error| error.to_string())
}
