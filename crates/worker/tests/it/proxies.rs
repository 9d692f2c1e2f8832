//! Proxies that are scripts: what each is told, and what is never said to it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bits_core::credentials::{AuthScheme, AuthTarget, Credential};
use bits_core::error::{Code, ErrorContext};
use bits_core::http_options::{ProxyEnvironment, ProxyUse};
use bits_core::secret::Secret;
use bits_worker::run::Settings;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer, raw};
use crate::secure::{secure_origin, trusting, url};

const BASIC: &str = "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"the gate\"";

fn credential(target: AuthTarget, user: &str) -> Credential {
    Credential {
        target,
        scheme: AuthScheme::Basic,
        scheme_is_explicit: true,
        user: user.to_owned(),
        password: Secret::new("secret".to_owned()),
    }
}

fn basic(user: &str) -> Option<String> {
    Some(format!("Basic {}", STANDARD.encode(format!("{user}:secret"))))
}

pub(crate) fn by(proxies: &[&Origin]) -> ProxyUse {
    let list: Vec<_> = proxies.iter().map(|proxy| format!("localhost:{}", proxy.port())).collect();
    ProxyUse::Override { list: list.join(" "), bypass: String::new() }
}

fn first_lines(proxy: &Origin) -> Vec<String> {
    proxy.requests().iter().map(|request| request.lines().next().unwrap_or_default().to_owned()).collect()
}

/// A port at which nobody answers.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_proxy_of_http_is_told_the_whole_url_and_keeps_its_connection() {
    let proxy = Origin::start(vec![vec![answer("200 OK", b"one"), answer("200 OK", b"two")]]).await;
    let mut broker = Broker::new(&["http://h.test/a?b".to_owned(), "http://h.test/c".to_owned()]);
    broker.http.proxy = by(&[&proxy]);
    broker.run().await.ok();
    assert_eq!([broker.partial(0), broker.partial(1)], [b"one", b"two"]);
    assert_eq!(first_lines(&proxy), ["GET http://h.test/a?b HTTP/1.1", "GET http://h.test/c HTTP/1.1"]);
    assert_eq!(proxy.asked("Host"), [Some("h.test".to_owned()), Some("h.test".to_owned())]);
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_and_else_that_of_the_settings() {
    for from_settings in [false, true] {
        let proxy = Origin::start(vec![vec![answer("200 OK", b"hello")]]).await;
        let known = ProxyEnvironment {
            http: Some(format!("http://localhost:{}/", proxy.port())),
            none_for: Some("other.test".to_owned()),
            ..ProxyEnvironment::default()
        };
        let settings = Settings {
            proxies: if from_settings { known.clone() } else { ProxyEnvironment::default() },
            ..Settings::default()
        };
        let mut broker = Broker::with(&["http://h.test/a".to_owned()], settings);
        if !from_settings {
            broker.environment.proxies = known;
        }
        broker.run().await.ok();
        assert_eq!(first_lines(&proxy), ["GET http://h.test/a HTTP/1.1"]);
    }
}

#[tokio::test]
async fn server_and_proxy_each_get_their_own_proof_on_one_connection() {
    let proxy = Origin::start(vec![vec![
        answer(BASIC, b"who are you?"),
        answer("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"files\"", b"and you?"),
        answer("200 OK", b"hello"),
    ]])
    .await;
    let mut broker = Broker::new(&["http://h.test/a".to_owned()]);
    broker.http.proxy = by(&[&proxy]);
    let credentials = vec![credential(AuthTarget::Server, "alice"), credential(AuthTarget::Proxy, "bob")];
    broker.run_as(credentials).await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert_eq!(proxy.asked("Proxy-Authorization"), [None, basic("bob"), basic("bob")]);
    assert_eq!(proxy.asked("Authorization"), [None, None, basic("alice")]);
}

#[tokio::test]
async fn a_tunnel_carries_tls_to_the_server_and_no_secret_of_one_goes_to_the_other() {
    let script = vec![
        answer("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"files\"", b"and you?"),
        answer("200 OK", b"hello"),
    ];
    let origin = secure_origin(vec![script], "server.pem").await;
    // The body of the refusal is read over, and the connection goes on.
    let proxy = Origin::start(vec![vec![answer(BASIC, &[b'x'; 9_000]), Step::Tunnel(origin.port())]]).await;
    let mut broker = Broker::with(&[url("localhost", &origin)], trusting());
    broker.http.proxy = by(&[&proxy]);
    let credentials = vec![credential(AuthTarget::Server, "alice"), credential(AuthTarget::Proxy, "bob")];
    broker.run_as(credentials).await.ok();
    assert_eq!(broker.partial(0), b"hello");
    let connect = format!("CONNECT localhost:{} HTTP/1.1", origin.port());
    assert_eq!(first_lines(&proxy), [connect.clone(), connect]);
    assert_eq!(proxy.asked("Proxy-Authorization"), [None, basic("bob")]);
    assert_eq!(proxy.asked("Authorization"), [None, None]);
    assert_eq!(first_lines(&origin), ["GET /a HTTP/1.1", "GET /a HTTP/1.1"]);
    assert_eq!(origin.asked("Authorization"), [None, basic("alice")]);
    assert_eq!(origin.asked("Proxy-Authorization"), [None, None]);
}

#[tokio::test]
async fn a_proxy_that_closes_after_its_question_is_asked_again_on_a_new_connection() {
    let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], "server.pem").await;
    let closing = raw(format!("HTTP/1.1 {BASIC}\r\nConnection: close\r\n\r\nwho?"));
    let proxy = Origin::start(vec![vec![closing], vec![Step::Tunnel(origin.port())]]).await;
    let mut broker = Broker::with(&[url("localhost", &origin)], trusting());
    broker.http.proxy = by(&[&proxy]);
    broker.run_as(vec![credential(AuthTarget::Proxy, "bob")]).await.ok();
    assert_eq!(proxy.asked("Proxy-Authorization"), [None, basic("bob")]);
}

#[tokio::test]
async fn a_proxy_may_itself_be_spoken_to_over_tls() {
    let origin = secure_origin(vec![vec![answer("200 OK", b"inside")]], "server.pem").await;
    let script = vec![vec![answer("200 OK", b"before")], vec![Step::Tunnel(origin.port())]];
    let proxy = secure_origin(script, "server.pem").await;
    let urls = ["http://h.test/a".to_owned(), url("localhost", &origin)];
    let mut broker = Broker::with(&urls, trusting());
    let list = format!("https://localhost:{}", proxy.port());
    broker.http.proxy = ProxyUse::Override { list, bypass: String::new() };
    broker.run().await.ok();
    assert_eq!((broker.partial(0), broker.partial(1)), (b"before".to_vec(), b"inside".to_vec()));
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_passed_over_and_the_last_one_is_named() {
    let proxy = Origin::start(vec![vec![answer("200 OK", b"hello")]]).await;
    let mut broker = Broker::new(&["http://h.test/a".to_owned()]);
    let list = format!("127.0.0.1:{} gate.invalid localhost:{}", closed_port(), proxy.port());
    broker.http.proxy = ProxyUse::Override { list, bypass: String::new() };
    broker.run().await.ok();

    let port = closed_port();
    for (list, code, words) in [
        (format!("127.0.0.1:{port}"), Code::CANNOT_CONNECT, format!("the proxy 127.0.0.1:{port}")),
        ("gate.invalid:80".to_owned(), Code::NAME_NOT_RESOLVED, "the proxy gate.invalid".to_owned()),
    ] {
        for url in ["http://h.test/a", "https://h.test/a"] {
            let mut broker = Broker::new(&[url.to_owned()]);
            broker.http.proxy = ProxyUse::Override { list: list.clone(), bypass: String::new() };
            let error = broker.run().await.error();
            assert_eq!((error.code, error.transient), (code, true), "{}", error.message);
            assert_eq!(error.context, ErrorContext::GeneralTransport);
            assert!(error.message.contains(&words), "{}", error.message);
        }
    }
}

#[tokio::test]
async fn a_proxy_that_asks_in_vain_is_named_with_what_it_asked_for() {
    for (url, credentials, refused) in [
        ("http://h.test/a", vec![], false),
        ("https://h.test/a", vec![], false),
        ("http://h.test/a", vec![credential(AuthTarget::Proxy, "bob")], true),
        ("https://h.test/a", vec![credential(AuthTarget::Proxy, "bob")], true),
        // What is meant for servers is not shown to a proxy.
        ("http://h.test/a", vec![credential(AuthTarget::Server, "alice")], false),
    ] {
        let proxy = Origin::start(vec![vec![answer(BASIC, b"no"), answer(BASIC, b"no")]]).await;
        let mut broker = Broker::new(&[url.to_owned()]);
        broker.http.proxy = by(&[&proxy]);
        let error = broker.run_as(credentials).await.error();
        assert_eq!((error.code, error.transient), (Code(0x8019_0197), false), "{}", error.message);
        assert_eq!(error.context, ErrorContext::GeneralTransport);
        assert!(error.message.contains(&format!("localhost:{}", proxy.port())), "{}", error.message);
        let challenge = error.challenge.expect("somebody asked");
        assert_eq!((challenge.target, challenge.refused), (AuthTarget::Proxy, refused));
        assert_eq!(challenge.host, format!("localhost:{}", proxy.port()));
        assert_eq!(challenge.realm.as_deref(), Some("the gate"));
        assert_eq!(challenge.schemes, [AuthScheme::Basic]);
    }
}

#[tokio::test]
async fn a_tunnel_that_is_not_made_is_an_error_of_its_status_that_names_the_proxy() {
    for (status, transient) in [("403 Forbidden", false), ("502 Bad Gateway", true), ("302 Found", false)] {
        let proxy = Origin::start(vec![vec![answer(status, b"<html>no</html>")]]).await;
        let mut broker = Broker::new(&["https://h.test/a".to_owned()]);
        broker.http.proxy = by(&[&proxy]);
        let error = broker.run().await.error();
        let code = Code::http(status[..3].parse().unwrap());
        assert_eq!((error.code, error.transient), (code, transient), "{}", error.message);
        assert_eq!(error.context, ErrorContext::GeneralTransport);
        for words in [&format!("localhost:{}", proxy.port()), "h.test:443", &status[..3]] {
            assert!(error.message.contains(words), "{}", error.message);
        }
        assert!(!broker.partial_path(0).exists(), "a proxy's page is not the file");
    }
}

#[tokio::test]
async fn what_a_proxy_says_to_a_tunnel_has_limits() {
    // Only who is to wait in vain is impatient: an answer may take its time on a busy machine.
    let patient = Settings::default();
    let impatient = Settings { response_timeout: Duration::from_millis(50), ..Settings::default() };
    for (steps, code, words) in [
        (vec![raw(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(70_000)))], 0x8007_2F78, "too long"),
        (vec![raw("HTTP/1.1 200 OK\r\n\r\nand more")], 0x8007_2F78, "spoke into"),
        (vec![raw("SSH-2.0\r\n\r\n")], 0x8007_2F78, "not HTTP"),
        (vec![raw("")], 0x8007_2EFE, "too early"),
        (vec![Step::Hold], 0x8007_2EE2, "response_timeout"),
        (vec![raw("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(9))], 0x8007_2F78, "interim"),
    ] {
        let proxy = Origin::start(vec![steps]).await;
        let settings = if code == 0x8007_2EE2 { &impatient } else { &patient };
        let mut broker = Broker::with(&["https://h.test/a".to_owned()], settings.clone());
        broker.http.proxy = by(&[&proxy]);
        let error = broker.run().await.error();
        assert_eq!((error.code, error.transient), (Code(code), true), "{words}: {}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
        assert!(error.message.contains("the proxy localhost:"), "{}", error.message);
    }
}

#[tokio::test]
async fn proxies_that_cannot_be_known_are_an_error_when_the_job_runs() {
    for (proxy, code) in [
        (ProxyUse::Autodetect, 0x8007_2F94),
        (ProxyUse::Override { list: "ftp://p".to_owned(), bypass: String::new() }, 0x8020_003F),
        (ProxyUse::Override { list: "p".to_owned(), bypass: "a*b".to_owned() }, 0x8020_003F),
    ] {
        let mut broker = Broker::new(&["http://h.test/a".to_owned()]);
        broker.http.proxy = proxy;
        let error = broker.run().await.error();
        assert_eq!((error.code, error.transient), (Code(code), false), "{}", error.message);
    }
}

#[tokio::test]
async fn hosts_of_the_bypass_list_are_asked_themselves() {
    let origin = Origin::start(vec![vec![answer("200 OK", b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.http.proxy =
        ProxyUse::Override { list: "gate.invalid".to_owned(), bypass: "127.0.0.1".to_owned() };
    broker.run().await.ok();
    assert_eq!(first_lines(&origin), ["GET /a HTTP/1.1"]);
}
