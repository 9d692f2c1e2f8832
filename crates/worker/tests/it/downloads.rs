//! What comes of a file, whatever the server does.

use bits_core::error::{Code, ErrorContext};
use bits_core::file::Stage;
use bits_core::queue::Report;
use bits_core::units::Bytes;

use crate::broker::{BOOT, Broker};
use crate::origin::{Origin, Step, answer, raw};

const TAG_A: &str = "200 OK\r\nETag: \"a\"";

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_file_comes_whole() {
    let content = pattern(3_000_001);
    let origin = Origin::start(vec![vec![answer(TAG_A, &content)]]).await;
    let mut broker = Broker::new(&[origin.url("/a?b=c")]);
    broker.run().await.ok();
    assert_eq!(broker.partial(0), content);
    assert_eq!(broker.files[0].stage, Stage::Transferred);
    assert_eq!(broker.files[0].size, Some(Bytes(3_000_001)));
    assert_eq!(broker.files[0].boot, Some(BOOT));
    assert!(!broker.path(0).exists(), "it has its name only when the job is complete");

    let requests = origin.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
    assert_eq!(origin.asked("Host")[0].as_deref(), Some(&*format!("127.0.0.1:{}", origin.port())));
    assert_eq!(origin.asked("Accept-Encoding")[0].as_deref(), Some("identity"));
    assert_eq!(
        origin.asked("User-Agent")[0].as_deref(),
        Some(concat!("OpenBITS/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!((origin.asked("Range")[0].clone(), origin.asked("Authorization")[0].clone()), (None, None));
}

#[tokio::test]
async fn no_byte_is_written_before_its_version_is_recorded() {
    let origin = Origin::start(vec![vec![answer(TAG_A, b"hello"), Step::Hold]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.begin();
    let version = loop {
        match broker.report().await {
            report @ Report::Version { .. } => break report,
            Report::Connected { .. } => {}
            other => panic!("{other:?} came before the version"),
        }
    };
    assert_eq!(broker.partial(0), b"");
    broker.record(&version);
    broker.until_ended().await.ok();
    assert_eq!(broker.partial(0), b"hello");
}

#[tokio::test]
async fn a_cut_off_file_goes_on_where_it_was_cut() {
    let content = pattern(900_000);
    let mut cut = b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 900000\r\n\r\n".to_vec();
    cut.extend_from_slice(&content[..500_000]);
    let rest = answer(
        "206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 500000-899999/900000",
        &content[500_000..],
    );
    let origin = Origin::start(vec![vec![raw(cut)], vec![rest]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);

    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::CONNECTION_ABORTED, true), "{}", error.message);
    assert_eq!(broker.files[0].durable, Bytes(500_000), "what has come is made sure of");
    broker.run().await.ok();
    assert_eq!(broker.partial(0), content);
    assert_eq!(origin.asked("Range")[1].as_deref(), Some("bytes=500000-"));
    assert_eq!(origin.asked("If-Range")[1].as_deref(), Some("\"a\""));
}

#[tokio::test]
async fn a_file_that_changed_between_attempts_begins_anew() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\naaaa";
    let changed = answer("200 OK\r\nETag: \"b\"", b"bbbbbbb");
    let origin = Origin::start(vec![vec![raw(cut)], vec![changed]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    assert_eq!(broker.partial(0), b"aaaa");
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"bbbbbbb");
    assert!(broker.notes.iter().any(|note| note.contains("has changed")), "{:?}", broker.notes);
}

#[tokio::test]
async fn of_a_changed_file_nothing_is_left_when_its_new_version_is_reported() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\naaaa";
    let changed = answer("200 OK\r\nETag: \"b\"", b"bbbbbbb");
    let origin = Origin::start(vec![vec![raw(cut)], vec![changed, Step::Hold]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    broker.begin();
    while !matches!(broker.report().await, Report::Version { .. }) {}
    assert_eq!(broker.partial(0), b"");
    broker.stop();
    assert_eq!(broker.discard().await, None);
}

#[tokio::test]
async fn a_part_that_was_not_asked_for_is_not_written() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\nabcd";
    let wrong = answer("206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 3-8/9", b"XXXXXX");
    let whole = answer(TAG_A, b"abcdefghi");
    let origin = Origin::start(vec![vec![raw(cut)], vec![wrong, whole]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"abcdefghi");
    assert_eq!(origin.asked("Range"), [None, Some("bytes=4-".to_owned()), None]);
    assert!(broker.notes.iter().any(|note| note.contains("bytes 3-8/9")), "{:?}", broker.notes);
}

#[tokio::test]
async fn a_server_without_ranges_sends_all_of_it_again() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\nabcd";
    let origin = Origin::start(vec![vec![raw(cut)], vec![answer(TAG_A, b"abcdefghi")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"abcdefghi");
    assert!(broker.notes.iter().any(|note| note.contains("in parts")), "{:?}", broker.notes);
}

#[tokio::test]
async fn after_another_boot_only_what_was_synced_counts() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\nabcd";
    let rest = answer("206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 2-8/9", b"cdefghi");
    let origin = Origin::start(vec![vec![raw(cut)], vec![rest]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    broker.files[0].boot = Some(bits_core::file::BootId([8; 16]));
    broker.files[0].durable = Bytes(2);
    std::fs::write(broker.partial_path(0), b"abXXXXXXXXXXXXXXX").unwrap();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"abcdefghi");
}

#[tokio::test]
async fn an_empty_file_comes_too() {
    let origin = Origin::start(vec![vec![answer(TAG_A, b"")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"");
}

#[tokio::test]
async fn many_files_come_over_one_connection() {
    let steps = (0..20).map(|number| answer(TAG_A, &pattern(number * 1000))).collect();
    let origin = Origin::start(vec![steps]).await;
    let urls: Vec<_> = (0..20).map(|number| origin.url(&format!("/{number}"))).collect();
    let mut broker = Broker::new(&urls);
    broker.run().await.ok();
    for number in 0..20 {
        assert_eq!(broker.partial(number), pattern(number as usize * 1000));
    }
    assert_eq!(origin.requests().len(), 20);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced() {
    let origin = Origin::start(vec![vec![answer(TAG_A, b"one")], vec![answer(TAG_A, b"two")]]).await;
    let mut broker = Broker::new(&[origin.url("/1"), origin.url("/2")]);
    broker.run().await.ok();
    assert_eq!((broker.partial(0), broker.partial(1)), (b"one".to_vec(), b"two".to_vec()));
}

#[tokio::test]
async fn bytes_behind_the_announced_length_are_neither_content_nor_the_next_answer() {
    let long =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let origin = Origin::start(vec![vec![raw(long)], vec![answer(TAG_A, b"two")]]).await;
    let mut broker = Broker::new(&[origin.url("/1"), origin.url("/2")]);
    broker.run().await.ok();
    assert_eq!((broker.partial(0), broker.partial(1)), (b"one".to_vec(), b"two".to_vec()));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_error_that_names_it() {
    let origin = Origin::start(vec![vec![answer("404 Not Found", b"<h1>no</h1>")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::http(404), false));
    assert_eq!((error.context, error.file), (ErrorContext::RemoteFile, Some(broker.files[0].index)));
    assert!(error.message.contains(&origin.url("/a")), "{}", error.message);
    assert!(!broker.partial_path(0).exists(), "an error page is no content");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says() {
    let origin = Origin::start(vec![vec![answer("503 Busy\r\nRetry-After: 7", b"later")]]).await;
    let error = Broker::new(&[origin.url("/a")]).run().await.error();
    assert_eq!((error.code, error.transient), (Code::http(503), true));
    assert_eq!(error.retry_after_seconds, Some(7));
}

#[tokio::test]
async fn a_redirect_is_followed_over_the_same_connection_where_it_can_be() {
    let redirect = answer("302 Found\r\nLocation: /b", b"it is over there");
    let origin = Origin::start(vec![vec![redirect, answer(TAG_A, b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert!(origin.requests()[1].starts_with("GET /b "));
}

#[tokio::test]
async fn redirects_in_circles_and_to_elsewhere_end() {
    let circle = vec![answer("302 Found\r\nLocation: /a", b""); 21];
    let origin = Origin::start(vec![circle]).await;
    let error = Broker::new(&[origin.url("/a")]).run().await.error();
    assert_eq!((error.code, error.transient), (Code::http(302), false));
    assert_eq!(origin.requests().len(), 21);

    let origin = Origin::start(vec![vec![answer("302 Found\r\nLocation: ftp://h/a", b"")]]).await;
    let error = Broker::new(&[origin.url("/a")]).run().await.error();
    assert_eq!((error.code, error.transient), (Code::http(302), false));
    assert!(error.message.contains("ftp:"), "{}", error.message);
}

#[tokio::test]
async fn a_host_that_is_not_there_is_a_transient_error() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Broker::new(&[format!("http://127.0.0.1:{free}/a")]).run().await.error();
    assert_eq!((error.code, error.transient), (Code::CANNOT_CONNECT, true));
    assert_eq!(error.context, ErrorContext::GeneralTransport);
    assert!(error.message.contains(&format!("127.0.0.1:{free}")), "{}", error.message);

    let error = Broker::new(&["http://nowhere.invalid/a".to_owned()]).run().await.error();
    assert_eq!((error.code, error.transient), (Code::NAME_NOT_RESOLVED, true));
    assert!(error.message.contains("nowhere.invalid"), "{}", error.message);
}

#[tokio::test]
async fn a_server_that_asks_who_is_there_is_named_with_what_it_offers() {
    let asks = "401 Who\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"vault\"";
    let origin = Origin::start(vec![vec![answer(asks, b"no")]]).await;
    let error = Broker::new(&[origin.url("/a")]).run().await.error();
    assert_eq!((error.code, error.transient), (Code::HTTP_UNAUTHORIZED, false));
    let challenge = error.challenge.expect("somebody must be asked");
    assert_eq!((challenge.realm.as_deref(), challenge.refused), (Some("vault"), false));
    assert_eq!(challenge.host, format!("127.0.0.1:{}", origin.port()));
    assert_eq!(challenge.schemes.len(), 2);
}

#[tokio::test]
async fn a_password_goes_to_the_server_that_asks_for_it_and_is_not_tried_twice() {
    let asks = "401 Who\r\nWWW-Authenticate: Basic realm=\"vault\"";
    let steps = vec![answer(asks, b"no"), answer(TAG_A, b"hello"), answer(TAG_A, b"there")];
    let origin = Origin::start(vec![steps]).await;
    let mut broker = Broker::new(&[origin.url("/a"), origin.url("/b")]);
    broker.begin_as(vec![basic("alice", "secret")]);
    broker.until_ended().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    let sent = Some("Basic YWxpY2U6c2VjcmV0".to_owned());
    assert_eq!(origin.asked("Authorization"), [None, sent.clone(), sent]);

    let origin = Origin::start(vec![vec![answer(asks, b"no"), answer(asks, b"no")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.begin_as(vec![basic("alice", "wrong")]);
    let error = broker.until_ended().await.error();
    assert_eq!((error.code, error.transient), (Code::HTTP_UNAUTHORIZED, false));
    assert!(error.challenge.expect("somebody must be asked").refused);
    assert_eq!(origin.requests().len(), 2);
    assert!(!error.message.contains("wrong"), "{}", error.message);
}

#[tokio::test]
async fn a_password_does_not_follow_a_redirect_to_another_server() {
    let asks = "401 Who\r\nWWW-Authenticate: Basic realm=\"trap\"";
    let other = Origin::start(vec![vec![answer(asks, b"give it to me")]]).await;
    let redirect = format!("302 Found\r\nLocation: {}", other.url("/b"));
    let asks_first = answer("401 Who\r\nWWW-Authenticate: Basic realm=\"vault\"", b"");
    let origin = Origin::start(vec![vec![asks_first, answer(&redirect, b"")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.begin_as(vec![basic("alice", "secret")]);
    let error = broker.until_ended().await.error();
    assert_eq!((error.code, error.challenge), (Code::HTTP_UNAUTHORIZED, None), "{}", error.message);
    assert_eq!(other.asked("Authorization"), [None]);
    assert!(origin.asked("Authorization")[1].is_some());
}

fn basic(user: &str, password: &str) -> bits_core::credentials::Credential {
    bits_core::credentials::Credential {
        target: bits_core::credentials::AuthTarget::Server,
        scheme: bits_core::credentials::AuthScheme::Basic,
        scheme_is_explicit: true,
        user: user.to_owned(),
        password: bits_core::secret::Secret::new(password.to_owned()),
    }
}
