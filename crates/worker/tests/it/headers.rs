//! What owners say in their requests, and to whom it is said.

use bits_core::credentials::{AuthScheme, AuthTarget, Credential};
use bits_core::error::Code;
use bits_core::http_options::{Header, HeaderName, Method, ProxyUse};
use bits_core::secret::Secret;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer};
use crate::secure::{secure_origin, trusting, url};

fn header(name: &str, value: &str) -> Header {
    Header::new(HeaderName::parse(name).unwrap(), value).unwrap()
}

fn basic() -> Credential {
    Credential {
        target: AuthTarget::Server,
        scheme: AuthScheme::Basic,
        scheme_is_explicit: true,
        user: "alice".to_owned(),
        password: Secret::new("secret".to_owned()),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn headers_of_the_owner_go_with_each_request_and_replace_what_we_would_say() {
    let second = Origin::start(vec![vec![answer("200 OK", b"there")]]).await;
    let redirect = answer(&format!("302 Found\r\nLocation: http://localhost:{}/b", second.port()), b"");
    let first = Origin::start(vec![vec![answer("200 OK", b"here"), redirect]]).await;
    let mut broker = Broker::new(&[first.url("/a"), first.url("/b")]);
    broker.http.headers = vec![header("X-Team", "blue"), header("user-agent", "Mine/1")];
    broker.run().await.ok();
    for origin in [&first, &second] {
        assert!(origin.asked("X-Team").iter().all(|value| *value == some("blue")));
        assert!(origin.asked("user-agent").iter().all(|value| *value == some("Mine/1")));
        assert!(origin.asked("User-Agent").iter().all(Option::is_none), "said once");
    }
    assert_eq!((first.requests().len(), second.requests().len()), (2, 1));
}

#[tokio::test]
async fn secret_headers_go_to_the_server_of_the_files_own_url_alone() {
    let other = Origin::start(vec![vec![answer("200 OK", b"there")]]).await;
    let away = answer(&format!("302 Found\r\nLocation: http://localhost:{}/b", other.port()), b"");
    let home = answer("302 Found\r\nLocation: /c", b"");
    let first = Origin::start(vec![vec![home, answer("200 OK", b"here"), away]]).await;
    let mut broker = Broker::new(&[first.url("/a"), first.url("/b")]);
    broker.secret_headers = vec![("Authorization", "Bearer 123"), ("Cookie", "id=7")];
    broker.run().await.ok();
    let bearer = some("Bearer 123");
    assert_eq!(first.asked("Authorization"), [bearer.clone(), bearer.clone(), bearer]);
    assert_eq!(first.asked("Cookie"), [some("id=7"), some("id=7"), some("id=7")]);
    assert_eq!((other.asked("Authorization"), other.asked("Cookie")), (vec![None], vec![None]));
}

#[tokio::test]
async fn an_authorization_header_of_the_owner_takes_the_place_of_all_schemes() {
    let refusal = answer("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", b"");
    let origin = Origin::start(vec![vec![refusal]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.secret_headers = vec![("Authorization", "Bearer 123")];
    let error = broker.run_as(vec![basic()]).await.error();
    assert_eq!((error.code, error.transient), (Code::HTTP_UNAUTHORIZED, false));
    assert!(error.message.contains("Authorization header"), "{}", error.message);
    assert!(!error.message.contains("123"), "{}", error.message);
    assert_eq!(origin.asked("Authorization"), [some("Bearer 123")]);
}

#[tokio::test]
async fn a_secret_header_does_not_go_to_the_proxy_of_a_tunnel() {
    let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], "server.pem").await;
    let proxy = Origin::start(vec![vec![Step::Tunnel(origin.port())]]).await;
    let mut broker = Broker::with(&[url("localhost", &origin)], trusting());
    broker.secret_headers = vec![("Authorization", "Bearer 123")];
    broker.http.headers = vec![header("X-Team", "blue")];
    broker.http.proxy =
        ProxyUse::Override { list: format!("localhost:{}", proxy.port()), bypass: String::new() };
    broker.run().await.ok();
    assert_eq!(proxy.asked("Authorization"), [None]);
    assert_eq!(proxy.asked("X-Team"), [None]);
    assert_eq!(origin.asked("Authorization"), [some("Bearer 123")]);
}

#[tokio::test]
async fn the_method_is_the_owners() {
    let origin = Origin::start(vec![vec![answer("200 OK", b"made")]]).await;
    let mut broker = Broker::new(&[origin.url("/report")]);
    broker.http.method = Method::parse("POST").unwrap();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"made");
    assert!(origin.requests()[0].starts_with("POST /report HTTP/1.1\r\n"));
    assert_eq!(origin.asked("Content-Length"), [some("0")]);
}

#[tokio::test]
async fn what_a_303_leads_to_is_fetched_by_get_and_what_others_lead_to_by_the_owners_method() {
    for (status, method) in [("303 See Other", "GET"), ("307 Temporary Redirect", "POST")] {
        let redirect = answer(&format!("{status}\r\nLocation: /outcome"), b"");
        let origin = Origin::start(vec![vec![redirect, answer("200 OK", b"made")]]).await;
        let mut broker = Broker::new(&[origin.url("/report")]);
        broker.http.method = Method::parse("POST").unwrap();
        broker.run().await.ok();
        let requests = origin.requests();
        assert!(requests[0].starts_with("POST /report HTTP/1.1\r\n"), "{status}");
        assert!(requests[1].starts_with(&format!("{method} /outcome HTTP/1.1\r\n")), "{status}");
        let length = (method == "POST").then_some("0".to_owned());
        assert_eq!(origin.asked("Content-Length"), [some("0"), length], "{status}");
    }
}
