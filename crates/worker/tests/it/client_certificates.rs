//! How the owner shows a TLS server who it is.

use std::sync::Arc;

use bits_core::error::Code;
use bits_core::http_options::ClientCertificate;
use bits_worker::run::Settings;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer};
use crate::secure::{certificate, secure_origin_with, trusting, url};

/// A server that asks for a certificate of the second authority, and takes none only if that is
/// optional.
async fn asking(script: Vec<Vec<Step>>, is_optional: bool) -> Origin {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate("second-authority.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = if is_optional { verifier.allow_unauthenticated() } else { verifier };
    secure_origin_with(script, "server.pem", verifier.build().unwrap()).await
}

fn path(name: &str) -> String {
    certificate(name).to_str().unwrap().to_owned()
}

fn file(name: &str) -> ClientCertificate {
    ClientCertificate::File { path: path(name), key: None }
}

fn pair(name: &str, key: &str) -> ClientCertificate {
    ClientCertificate::File { path: path(name), key: Some(path(key)) }
}

fn by_id(fingerprint: &[u8]) -> ClientCertificate {
    ClientCertificate::ById { folder: path(""), fingerprint: fingerprint.to_vec() }
}

fn by_name(subject: &str) -> ClientCertificate {
    ClientCertificate::ByName { folder: path(""), subject: subject.to_owned() }
}

fn settings() -> Settings {
    trusting()
}

#[tokio::test]
async fn a_certificate_is_shown_wherever_it_is_kept() {
    let shown = CertificateDer::from_pem_file(certificate("client.pem")).unwrap();
    for (which, passphrase) in [
        (pair("client.pem", "client.key"), None),
        (pair("client.pem", "client-encrypted.key"), Some("secret")),
        (file("client.p12"), Some("secret")),
        (by_id(&Sha1::digest(&shown)), None),
        (by_id(&Sha256::digest(&shown)), None),
        (by_id(&Sha256::digest(&shown)), Some("secret")),
        (by_name("ALICE"), None),
        (by_name("Peers of OpenBITS, alice"), None),
        (by_name("alice, Peers of OpenBITS"), None),
    ] {
        let origin = asking(vec![vec![answer("200 OK", b"hello")]], false).await;
        let mut broker = Broker::with(&[url("localhost", &origin)], settings());
        broker.certificate_passphrase = passphrase;
        broker.http.client_certificate = Some(which.clone());
        if let crate::broker::Ended::Failed(error) = broker.run().await {
            panic!("{which:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_shown_is_a_fatal_error_with_a_number_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(own("garbage.pem"), "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
    std::fs::write(own("garbage.p12"), [0x30, 0x82, 0xff, 0xff, 1, 2, 3]).unwrap();
    std::fs::create_dir(own("folder.pem")).unwrap();
    let alone = |path: String| ClientCertificate::File { path, key: None };
    let sealed = || pair("client.pem", "client-encrypted.key");
    for (which, passphrase, code, words) in [
        (sealed(), Some("wrong"), 0x8007_0056, "does not open"),
        (sealed(), None, 0x8007_0056, "wants a passphrase"),
        (file("client.p12"), Some("wrong"), 0x8007_0056, "does not open"),
        (file("client.p12"), None, 0x8007_0056, "wants a passphrase"),
        (alone(own("nowhere.pem")), None, 0x8007_0002, "nowhere.pem"),
        (alone(own("garbage.pem")), None, 0x8007_2F9A, "garbage.pem"),
        (alone(own("garbage.p12")), None, 0x8007_2F9A, "garbage.p12"),
        (alone(own("folder.pem")), None, 0x8007_2F9A, "no file"),
        (file("client.pem"), None, 0x8007_2F9A, "no key"),
        (pair("client.pem", "server.key"), None, 0x8007_2F9A, "belong together"),
        (by_id(&[7; 20]), None, 0x8009_2004, "0707"),
        (by_name("mallory"), None, 0x8009_2004, "mallory"),
        // A certificate that is for servers is none for clients.
        (by_name("localhost, no"), None, 0x8009_2004, "localhost"),
        (ClientCertificate::ByName { folder: own("none"), subject: "x".into() }, None, 0x8007_0002, "none"),
    ] {
        let origin = asking(vec![vec![answer("200 OK", b"hello")]], false).await;
        let mut broker = Broker::with(&[url("localhost", &origin)], settings());
        broker.certificate_passphrase = passphrase;
        broker.http.client_certificate = Some(which.clone());
        let error = broker.run().await.error();
        assert_eq!((error.code, error.transient), (Code(code), false), "{which:?}: {}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[tokio::test]
async fn a_server_that_asks_in_vain_is_named() {
    for (answers, is_optional) in [
        (vec![], false),
        (vec![answer("400 Bad Request", b"No required SSL certificate was sent")], true),
        (vec![answer("403 Forbidden", b"")], true),
    ] {
        let origin = asking(vec![answers], is_optional).await;
        let error = Broker::with(&[url("localhost", &origin)], settings()).run().await.error();
        assert_eq!((error.code, error.transient), (Code(0x8007_2F0C), false), "{}", error.message);
        assert!(error.message.contains("localhost"), "{}", error.message);
    }
    // It may also ask and do without.
    let origin = asking(vec![vec![answer("200 OK", b"hello")]], true).await;
    Broker::with(&[url("localhost", &origin)], settings()).run().await.ok();
}

#[tokio::test]
async fn a_certificate_that_is_refused_is_a_fatal_error() {
    let origin = asking(vec![vec![answer("200 OK", b"hello")]], false).await;
    let mut broker = Broker::with(&[url("localhost", &origin)], settings());
    broker.http.client_certificate = Some(pair("server.pem", "server.key"));
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code(0x8007_2F8F), false), "{}", error.message);
    assert!(error.message.contains("client certificate"), "{}", error.message);
}
