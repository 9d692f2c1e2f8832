//! Which connections one job leaves to another.

use bits_core::credentials::{AuthScheme, AuthTarget, Credential};
use bits_core::file::{File, FileIndex, LocalName};
use bits_core::http_options::{ClientCertificate, ProxyUse, SecurityFlags};
use bits_core::job::JobId;
use bits_core::remote_name::RemoteName;
use bits_core::secret::Secret;

use crate::broker::Broker;
use crate::origin::{Origin, answer};
use crate::secure::{certificate, secure_origin, trusting, url};

/// Has the same worker begin with another job, of one file.
pub(crate) fn become_another_job(broker: &mut Broker, url: &str) {
    broker.job = JobId([8; 16]);
    let local = broker.folder.path().join("other");
    let local = LocalName::parse(local.to_str().unwrap()).unwrap();
    broker.files = vec![File::new(FileIndex(0), RemoteName::stored(url).unwrap(), local)];
    broker.http = Default::default();
    broker.secret_headers.clear();
}

fn credential(target: AuthTarget) -> Credential {
    Credential {
        target,
        scheme: AuthScheme::Basic,
        scheme_is_explicit: true,
        user: "alice".to_owned(),
        password: Secret::new("secret".to_owned()),
    }
}

#[tokio::test]
async fn a_connection_that_nobody_has_signed_in_on_serves_the_next_job() {
    let script = || vec![vec![answer("200 OK", b"one"), answer("200 OK", b"two")]];
    let plain = Origin::start(script()).await;
    let secure = secure_origin(script(), "server.pem").await;
    for (first, second) in
        [(plain.url("/a"), plain.url("/b")), (url("localhost", &secure), url("localhost", &secure))]
    {
        let mut broker = Broker::with(&[first], trusting());
        broker.run().await.ok();
        become_another_job(&mut broker, &second);
        broker.run().await.ok();
    }
    assert_eq!((plain.requests().len(), secure.requests().len()), (2, 2));
}

#[tokio::test]
async fn two_servers_by_turns_keep_a_connection_each() {
    let script = || vec![vec![answer("200 OK", b"one"), answer("200 OK", b"two")]];
    let (one, other) = (Origin::start(script()).await, Origin::start(script()).await);
    let mut broker = Broker::new(&[one.url("/a"), other.url("/a"), one.url("/b"), other.url("/b")]);
    broker.run().await.ok();
    assert_eq!((one.requests().len(), other.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_connection_that_carries_an_identity_ends_with_its_job() {
    let refusal = || answer("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", b"");
    let origin = Origin::start(vec![
        vec![refusal(), answer("200 OK", b"one"), answer("200 OK", b"never")],
        vec![answer("200 OK", b"two")],
    ])
    .await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run_as(vec![credential(AuthTarget::Server)]).await.ok();
    become_another_job(&mut broker, &origin.url("/b"));
    broker.run().await.ok();
    assert_eq!(std::fs::read(broker.partial_of("other", 0)).unwrap(), b"two");

    let origin = Origin::start(vec![
        vec![answer("200 OK", b"one"), answer("200 OK", b"never")],
        vec![answer("200 OK", b"two")],
    ])
    .await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.secret_headers = vec![("Cookie", "id=7")];
    broker.run().await.ok();
    become_another_job(&mut broker, &origin.url("/b"));
    broker.run().await.ok();
    assert_eq!(std::fs::read(broker.partial_of("other", 0)).unwrap(), b"two");
}

#[tokio::test]
async fn a_connection_on_which_a_proxy_knows_the_job_ends_with_it() {
    let refusal = answer("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"", b"");
    let proxy = Origin::start(vec![
        vec![refusal, answer("200 OK", b"one"), answer("200 OK", b"never")],
        vec![answer("200 OK", b"two")],
    ])
    .await;
    let by = ProxyUse::Override { list: format!("localhost:{}", proxy.port()), bypass: String::new() };
    let mut broker = Broker::new(&["http://h.test/a".to_owned()]);
    broker.http.proxy = by.clone();
    broker.run_as(vec![credential(AuthTarget::Proxy)]).await.ok();
    become_another_job(&mut broker, "http://h.test/b");
    broker.http.proxy = by;
    broker.run().await.ok();
    assert_eq!(std::fs::read(broker.partial_of("other", 0)).unwrap(), b"two");
}

#[tokio::test]
async fn a_connection_that_was_made_with_exceptions_or_a_certificate_is_not_lent() {
    let pem = |name: &str| certificate(name).to_str().unwrap().to_owned();
    let shown = ClientCertificate::File { path: pem("client.pem"), key: Some(pem("client.key")) };
    for (certificate, mask) in [(None, SecurityFlags::IGNORE_CERTIFICATE_DATE), (Some(shown), 0)] {
        let script =
            vec![vec![answer("200 OK", b"one"), answer("200 OK", b"never")], vec![answer("200 OK", b"two")]];
        let origin = secure_origin(script, "server.pem").await;
        let mut broker = Broker::with(&[url("localhost", &origin)], trusting());
        broker.http.client_certificate = certificate;
        broker.http.security = SecurityFlags::from_mask(mask).unwrap();
        broker.run().await.ok();
        become_another_job(&mut broker, &url("localhost", &origin));
        broker.run().await.ok();
        assert_eq!(std::fs::read(broker.partial_of("other", 0)).unwrap(), b"two");
    }
}
