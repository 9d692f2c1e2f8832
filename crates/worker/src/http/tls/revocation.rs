//! Whether a server's certificate has been revoked, by lists (`bits.md` §2.6, §6.8): those of the
//! settings, and those that the certificates of the chain name.
//!
//! What is not known counts as bad, and so does a list that is out of date. Lists that somebody else
//! than the issuer signs, and OCSP, are not served. Nothing is fetched here.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::x509::Certificate;
use super::{TlsError, TlsTrust, fault, provider};
use crate::http::client::FetchError;

/// Certificates of a chain whose lists are asked for, and lists for each.
const CHAIN_MAX: usize = 10;
const LISTS_MAX: usize = 4;

/// What is known of revocations in one attempt.
#[derive(Debug, Default, Clone)]
pub(in crate::http) struct Revocations {
    own_are_read: bool,
    lists: Vec<Arc<CertRevocationList<'static>>>,
    /// Where some of them came from.
    urls: Vec<String>,
}

impl Revocations {
    /// The URLs of lists about `chain` that are not here yet, the root's apart.
    pub(in crate::http) fn missing(&self, chain: &[CertificateDer<'_>]) -> Vec<String> {
        let mut missing = Vec::new();
        for shown in chain.iter().take(CHAIN_MAX) {
            let Some(read) = Certificate::read(shown) else { continue };
            for url in read.revocation_urls().into_iter().take(LISTS_MAX) {
                if !self.urls.iter().chain(&missing).any(|known| known == url) {
                    missing.push(url.to_owned());
                }
            }
        }
        missing
    }

    /// Takes in the list that was fetched from `url`.
    ///
    /// # Errors
    /// The end of a sentence that says what is wrong with it.
    pub(in crate::http) fn add(&mut self, url: &str, list: &[u8]) -> Result<(), String> {
        self.lists.push(parse(list)?);
        self.urls.push(url.to_owned());
        Ok(())
    }

    /// Checks `chain`, which `authority` has shown, against all lists.
    pub(in crate::http) fn check(
        &mut self,
        trust: &TlsTrust,
        chain: &[CertificateDer<'_>],
        authority: &str,
    ) -> Result<(), FetchError> {
        self.check_all(trust, chain).map_err(|error| fault::fault_of(&error, authority))
    }

    fn check_all(&mut self, trust: &TlsTrust, chain: &[CertificateDer<'_>]) -> Result<(), TlsError> {
        if !self.own_are_read {
            for list in trust.own_lists()? {
                self.lists.push(parse(&list).map_err(TlsError::Revocation)?);
            }
            self.own_are_read = true;
        }
        let roots: Arc<RootCertStore> = trust.roots()?;
        let unknown = |why: &str| TlsError::Revocation(why.to_owned());
        let (end_entity, intermediates) =
            chain.split_first().ok_or_else(|| unknown("the server has shown no certificate"))?;
        let lists: Vec<_> = self.lists.iter().map(|list| &**list).collect();
        let options = RevocationOptionsBuilder::new(&lists)
            .map_err(|_| unknown("the certificate names no list of revoked ones, and the settings neither"))?
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build();
        let parsed = EndEntityCert::try_from(end_entity)
            .map_err(|error| TlsError::Revocation(format!("the certificate cannot be read: {error}")))?;
        let verified = parsed.verify_for_usage(
            provider().signature_verification_algorithms.all,
            &roots.roots,
            intermediates,
            UnixTime::now(),
            KeyUsage::server_auth(),
            Some(options),
            None,
        );
        match verified {
            Ok(_) => Ok(()),
            Err(webpki::Error::CertRevoked) => Err(TlsError::Handshake(std::io::Error::other(
                rustls::Error::InvalidCertificate(rustls::CertificateError::Revoked),
            ))),
            Err(webpki::Error::UnknownRevocationStatus) => Err(unknown("no list speaks for it")),
            Err(webpki::Error::CrlExpired { .. }) => Err(unknown("the list is out of date")),
            Err(error) => Err(TlsError::Revocation(error.to_string())),
        }
    }
}

fn parse(list: &[u8]) -> Result<Arc<CertRevocationList<'static>>, String> {
    let list = OwnedCertRevocationList::from_der(list);
    list.map(|list| Arc::new(CertRevocationList::Owned(list)))
        .map_err(|error| format!("the list cannot be read: {error}"))
}
