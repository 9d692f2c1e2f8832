//! Whom we believe over TLS. The key in `certificates` is for these tests and secures nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bits_core::error::Code;
use bits_worker::run::Settings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer};

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/certificates").join(name)
}

pub(crate) async fn secure_origin(script: Vec<Vec<Step>>, shown: &str) -> Origin {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_file(certificate(shown)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate("server.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Origin::start_over(script, move |stream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.ok() }
    })
    .await
}

pub(crate) fn trusting() -> Settings {
    Settings { extra_ca: Some(certificate("authority.pem")), ..Settings::default() }
}

pub(crate) fn url(host: &str, origin: &Origin) -> String {
    format!("https://{host}:{}/a", origin.port())
}

#[tokio::test]
async fn files_come_over_tls_from_a_server_whose_authority_is_trusted() {
    let content = vec![b'x'; 1_000_000];
    let steps = vec![answer("200 OK", &content), answer("200 OK", b"two")];
    let origin = secure_origin(vec![steps], "server.pem").await;
    let mut broker = Broker::with(&[url("localhost", &origin), url("localhost", &origin)], trusting());
    broker.run().await.ok();
    assert!(broker.partial(0) == content);
    assert_eq!(broker.partial(1), b"two");
    assert_eq!(origin.requests().len(), 2);
}

#[tokio::test]
async fn a_certificate_that_is_not_good_is_a_fatal_error_with_a_number_of_its_own() {
    for (host, shown, settings, code, words) in [
        ("localhost", "server.pem", Settings::default(), 0x8007_2F0D, "trusts"),
        ("127.0.0.1", "server.pem", trusting(), 0x8007_2F06, "other names"),
        ("localhost", "expired.pem", trusting(), 0x8007_2F05, "expired"),
    ] {
        let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], shown).await;
        let error = Broker::with(&[url(host, &origin)], settings).run().await.error();
        assert_eq!((error.code, error.transient), (Code(code), false), "{}", error.message);
        assert!(error.message.contains(words) && error.message.contains(host), "{}", error.message);
        assert_eq!(origin.requests(), Vec::<String>::new(), "nothing is said to whom is not believed");
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_named() {
    let settings = Settings { extra_ca: Some("/nowhere/ca.pem".into()), ..Settings::default() };
    let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], "server.pem").await;
    let error = Broker::with(&[url("localhost", &origin)], settings).run().await.error();
    assert_eq!((error.code, error.transient), (Code(0x8007_2F8F), false));
    assert!(error.message.contains("/nowhere/ca.pem"), "{}", error.message);
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_a_fatal_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        std::future::pending::<()>().await;
    });
    let error = Broker::new(&[format!("https://127.0.0.1:{port}/a")]).run().await.error();
    assert_eq!((error.code, error.transient), (Code(0x8007_2F8F), false), "{}", error.message);
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused_in_words_that_name_both() {
    let redirect = answer("302 Found\r\nLocation: http://localhost:1/b", b"");
    let origin = secure_origin(vec![vec![redirect]], "server.pem").await;
    let from = url("localhost", &origin);
    let error = Broker::with(std::slice::from_ref(&from), trusting()).run().await.error();
    assert_eq!((error.code, error.transient), (Code::http(302), false));
    assert!(
        error.message.contains(&from) && error.message.contains("http://localhost:1/b"),
        "{}",
        error.message
    );
}
