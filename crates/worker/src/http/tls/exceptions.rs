//! Certificates with exceptions (`bits.md` §2.6): whatever is wrong with one is forgiven only if the
//! owner has said so, and all else is checked as ever.
//!
//! Where nobody has to stand for a certificate, the chain proves nothing, and what the server's own
//! certificate says of itself is what is left to check: its names, dates and usage. That the server
//! has its key is always proved.

use std::sync::Arc;

use bits_core::http_options::SecurityFlags;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage};

use super::x509::{self, Certificate};

/// Certificates of one chain whose dates are tried; a server shows two or three.
const CHAIN_MAX: usize = 10;

/// Checks with exceptions.
#[derive(Debug)]
pub(super) struct ForgivingVerifier {
    flags: SecurityFlags,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ForgivingVerifier {
    pub(super) fn new(
        flags: SecurityFlags,
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Self { flags, roots, provider }
    }

    /// Whether `flags` forgive anything.
    pub(super) fn is_needed(flags: SecurityFlags) -> bool {
        [
            SecurityFlags::IGNORE_CERTIFICATE_NAME,
            SecurityFlags::IGNORE_CERTIFICATE_DATE,
            SecurityFlags::IGNORE_UNKNOWN_AUTHORITY,
            SecurityFlags::IGNORE_CERTIFICATE_USAGE,
        ]
        .into_iter()
        .any(|flag| flags.has(flag))
    }

    fn verify_chain(
        &self,
        end_entity: &EndEntityCert<'_>,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let mut times = vec![now];
        if self.flags.has(SecurityFlags::IGNORE_CERTIFICATE_DATE) {
            // If there was a time at which all of a path were valid, then it was when the last of
            // them became so.
            let chain = [shown].into_iter().chain(intermediates).take(CHAIN_MAX);
            times.extend(chain.filter_map(|shown| Certificate::read(shown)).map(|read| read.not_before));
        }
        let mut outcome = Ok(());
        for time in times {
            let algorithms = self.provider.signature_verification_algorithms.all;
            let (usage, roots) = (Usage(self.flags), &self.roots.roots);
            let verified =
                end_entity.verify_for_usage(algorithms, roots, intermediates, time, usage, None, None);
            match verified {
                Ok(_) => return Ok(()),
                // That it is out of date is forgiven; what else is wrong is worth saying.
                Err(error) if !matches!(outcome, Err(ref known) if !is_about_dates(known)) => {
                    outcome = Err(in_words_of_rustls(error));
                }
                Err(_) => {}
            }
        }
        outcome
    }

    /// Looks at what the server's own certificate says of itself.
    fn verify_alone(&self, shown: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
        let read = Certificate::read(shown).ok_or(CertificateError::BadEncoding)?;
        if !self.flags.has(SecurityFlags::IGNORE_CERTIFICATE_DATE) {
            if now.as_secs() > read.not_after.as_secs() {
                return Err(CertificateError::Expired);
            }
            if now.as_secs() < read.not_before.as_secs() {
                return Err(CertificateError::NotValidYet);
            }
        }
        let is_good =
            self.flags.has(SecurityFlags::IGNORE_CERTIFICATE_USAGE) || read.may_serve(x509::SERVER_AUTH);
        if is_good { Ok(()) } else { Err(CertificateError::InvalidPurpose) }
    }
}

impl ServerCertVerifier for ForgivingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = EndEntityCert::try_from(end_entity).map_err(in_words_of_rustls)?;
        if self.flags.has(SecurityFlags::IGNORE_UNKNOWN_AUTHORITY) {
            self.verify_alone(end_entity, now)?;
        } else {
            self.verify_chain(&parsed, end_entity, intermediates, now)?;
        }
        if !self.flags.has(SecurityFlags::IGNORE_CERTIFICATE_NAME) {
            parsed.verify_is_valid_for_subject_name(server_name).map_err(in_words_of_rustls)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn is_about_dates(error: &Error) -> bool {
    use CertificateError as E;
    matches!(
        error,
        Error::InvalidCertificate(
            E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. }
        )
    )
}

/// What a certificate must be for: servers, unless that is forgiven.
struct Usage(SecurityFlags);

impl ExtendedKeyUsageValidator for Usage {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        match self.0.has(SecurityFlags::IGNORE_CERTIFICATE_USAGE) {
            true => Ok(()),
            false => KeyUsage::server_auth().validate(usages),
        }
    }
}

/// `error` as rustls says it, so that it reads the same whoever checks.
pub(super) fn in_words_of_rustls(error: webpki::Error) -> Error {
    use webpki::Error as E;
    let error = match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        E::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        E::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        E::InvalidCertValidity => CertificateError::Expired,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::CertNotValidForName(_) => CertificateError::NotValidForName,
        E::CertRevoked => CertificateError::Revoked,
        E::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        E::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }
        }
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        E::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))),
    };
    Error::InvalidCertificate(error)
}
