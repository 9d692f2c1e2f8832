//! An authority made for one run, and certificates of every kind that must not be believed.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What is right or wrong with the certificate of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, by the authority.
    Good,
    Expired,
    NotYetValid,
    /// For another host.
    WrongName,
    /// Signed by itself.
    SelfSigned,
    /// By an authority with the right name and another key.
    OtherAuthority,
}

impl Certificate {
    pub const ALL: [Self; 6] = [
        Self::Good,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::SelfSigned,
        Self::OtherAuthority,
    ];

    /// What it is called on a page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::WrongName => "for another host",
            Self::SelfSigned => "signed by itself",
            Self::OtherAuthority => "by an authority that is not the one it names",
        }
    }
}

/// The authority of one run.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    impostor: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self { issuer: issuer(), impostor: issuer() }
    }

    /// Its certificate, to be trusted.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// How a port speaks TLS that shows `certificate`.
    pub(crate) fn server(&self, certificate: Certificate) -> Arc<ServerConfig> {
        let key = new_key();
        let host = if certificate == Certificate::WrongName { "elsewhere.test" } else { "localhost" };
        let mut names = vec![host.to_owned()];
        if certificate != Certificate::WrongName {
            names.push("127.0.0.1".to_owned());
        }
        let mut params = CertificateParams::new(names).expect("names that are names");
        // Not the host: a machine may trust a certificate of its own that is called so.
        params.distinguished_name.push(rcgen::DnType::CommonName, "Unkind Origin");
        (params.not_before, params.not_after) = match certificate {
            Certificate::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Certificate::NotYetValid => (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1)),
            _ => (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1)),
        };
        let signed = match certificate {
            Certificate::SelfSigned => params.self_signed(&key),
            Certificate::OtherAuthority => params.signed_by(&key, &self.impostor),
            _ => params.signed_by(&key, &self.issuer),
        };
        let signed = signed.expect("what was just made can be signed");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], key)
            .expect("the key is the certificate's");
        Arc::new(config)
    }
}

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(rcgen::DnType::CommonName, "Unkind Origin's throw-away authority");
    CertifiedIssuer::self_signed(params, new_key()).expect("what was just made can be signed")
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system has randomness")
}
