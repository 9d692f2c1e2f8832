//! A program that is asked about certificates: when, about what, and what comes of its answer.

use bits_core::certificates::Rejection;
use bits_core::error::{Code, ErrorContext};
use bits_core::file::FileIndex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use crate::broker::Broker;
use crate::lending::become_another_job;
use crate::origin::{Origin, Step, answer};
use crate::proxies::by;
use crate::secure::{certificate, secure_origin, trusting, url};

#[tokio::test]
async fn the_program_is_asked_once_for_each_connection_before_anything_is_said() {
    let script = vec![vec![answer("200 OK", b"one"), answer("200 OK", b"two")]];
    let origin = secure_origin(script, "server.pem").await;
    let mut broker = Broker::with(&[url("localhost", &origin), url("localhost", &origin)], trusting());
    broker.program = Some(Ok(()));
    broker.run().await.ok();
    let own = CertificateDer::from_pem_file(certificate("server.pem")).unwrap();
    let [question] = &broker.questions[..] else { panic!("{:?}", broker.questions) };
    assert_eq!(question.authority, format!("localhost:{}", origin.port()));
    assert_eq!(question.shown, [own.to_vec()]);
    assert_eq!(question.fingerprint[..], Sha256::digest(&own)[..]);
    assert_eq!((question.job, question.attempt, question.file), (broker.job, broker.attempt, FileIndex(0)));
}

#[tokio::test]
async fn what_does_not_pass_is_a_transient_error_of_the_callback_and_no_request_is_sent() {
    for (rejection, code) in
        [(Rejection::Refused(Code(0x800B_010F)), 0x800B_010F), (Rejection::Gone, 0x8020_0074)]
    {
        let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], "server.pem").await;
        let mut broker = Broker::with(&[url("localhost", &origin)], trusting());
        broker.program = Some(Err(rejection));
        let error = broker.run().await.error();
        assert_eq!((error.code, error.transient), (Code(code), true), "{}", error.message);
        assert_eq!(error.context, ErrorContext::ServerCertificateCallback);
        assert_eq!(error.file, Some(FileIndex(0)));
        assert_eq!(origin.requests(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_program_is_asked_within_a_tunnel_about_the_server_and_not_about_the_proxy() {
    let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], "server.pem").await;
    let proxy = Origin::start(vec![vec![Step::Tunnel(origin.port())]]).await;
    let mut broker = Broker::with(&[url("localhost", &origin)], trusting());
    broker.http.proxy = by(&[&proxy]);
    broker.program = Some(Err(Rejection::Refused(Code(0x800B_010F))));
    assert_eq!(broker.run().await.error().code, Code(0x800B_010F));
    assert_eq!(broker.questions[0].authority, format!("localhost:{}", origin.port()));
    assert_eq!((proxy.requests().len(), origin.requests().len()), (1, 0));
}

#[tokio::test]
async fn the_program_is_not_asked_about_a_certificate_that_is_not_good_or_where_there_is_none() {
    let expired = secure_origin(vec![vec![answer("200 OK", b"hello")]], "expired.pem").await;
    let mut broker = Broker::with(&[url("localhost", &expired)], trusting());
    broker.program = Some(Ok(()));
    assert_eq!(broker.run().await.error().code, Code(0x8007_2F05));
    assert_eq!(broker.questions, []);

    let plain = Origin::start(vec![vec![answer("200 OK", b"hello")]]).await;
    let mut broker = Broker::new(&[plain.url("/a")]);
    broker.program = Some(Ok(()));
    broker.run().await.ok();
    assert_eq!(broker.questions, []);
}

#[tokio::test]
async fn a_connection_that_another_job_has_left_is_asked_about_too() {
    let script = vec![vec![answer("200 OK", b"one"), answer("200 OK", b"two")]];
    let origin = secure_origin(script, "server.pem").await;
    let from = url("localhost", &origin);
    let mut broker = Broker::with(std::slice::from_ref(&from), trusting());
    broker.run().await.ok();
    become_another_job(&mut broker, &from);
    broker.program = Some(Err(Rejection::Gone));
    assert_eq!(broker.run().await.error().code, Code(0x8020_0074));
    assert_eq!((broker.questions.len(), origin.requests().len()), (1, 1));
}
