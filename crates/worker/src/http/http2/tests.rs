//! A connection of HTTP/2, with the library's own server at the other end. What becomes of a file when
//! frames are wrong is a table of the end-to-end tests.

use std::future::poll_fn;

use bits_core::remote_name::RemoteName;
use bits_core::transfer::{Fetch, TransportFault};
use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Response};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::http::connection::Escort;
use crate::http::request::{self, OwnersWords, Proved};
use crate::http::settings::UserAgent;
use crate::http::{ConnectionLimits, Slots};

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(30),
    response_head: Duration::from_secs(30),
    read_idle: Duration::from_secs(30),
};
const LENGTH: usize = 1_000_000;
/// Bytes of a trailer beyond which the library gives a connection up.
const TRAILER_BYTES_MAX: usize = 4 * HEAD_BYTES_MAX;

/// A connection to a server that lets `answer` answer each request, of which it takes `streams_max` at a
/// time.
async fn connection<F>(
    streams_max: u32,
    answer: impl Fn(String, SendResponse<Bytes>) -> F + Send + 'static,
) -> Shared
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a connection");
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(streams_max).initial_window_size(1 << 20);
        let mut connection = builder.handshake::<_, Bytes>(socket).await.expect("a greeting");
        while let Some(Ok((request, response))) = connection.accept().await {
            tokio::spawn(answer(request.uri().path().to_owned(), response));
        }
    });
    let slots = Slots::new(ConnectionLimits { total: 1, host: 1 });
    let escort = Escort { paced: None, _slot: slots.take("h.test:80", |_| {}).await };
    let stream = Stream::Plain(TcpStream::connect(address).await.expect("a connection"), escort);
    Shared::open(stream, CertificateAsked::No, &TIMEOUTS, "the server", None).await.expect("a connection")
}

async fn ask(shared: &Shared, path: &str) -> Result<(ParsedHead, Content), ExchangeError> {
    let remote_name = RemoteName::stored(&format!("https://h.example{path}")).expect("a URL");
    let fetch = Fetch { remote_name, range: None, with_credentials: false, as_get: false };
    let (words, proved, user_agent) = (OwnersWords::default(), Proved::default(), UserAgent::default());
    let request = request::for_file(&fetch, fetch.remote_name.request_target(), &words, &proved, &user_agent);
    let room = shared.room().expect("there is room");
    shared.exchange(&request, room, &TIMEOUTS, "the server").await
}

/// All that comes, by pieces of an odd size.
async fn all(mut content: Content) -> Result<Vec<u8>, TransportError> {
    let mut whole = Vec::new();
    let mut piece = vec![0; 7919];
    loop {
        match poll_fn(|cx| content.poll_fill(cx, &mut piece)).await {
            Ok(Some(count)) => whole.extend_from_slice(&piece[..count]),
            Ok(None) => return Ok(whole),
            Err(error) => return Err(Shared::broken(&error, "the server")),
        }
    }
}

fn body(path: &str) -> Vec<u8> {
    path.bytes().cycle().take(LENGTH).collect()
}

fn begin(response: &mut SendResponse<Bytes>, length: Option<usize>) -> h2::SendStream<Bytes> {
    let head = Response::builder().status(200);
    let head = match length {
        Some(length) => head.header("content-length", length),
        None => head,
    };
    response.send_response(head.body(()).expect("a head"), false).expect("it is sent")
}

#[tokio::test]
async fn several_answers_come_at_a_time_and_one_that_is_given_up_spoils_no_other() {
    let shared = connection(100, |path, mut response| async move {
        let mut stream = begin(&mut response, path.starts_with("/long").then_some(LENGTH));
        for piece in body(&path).chunks(10_000) {
            stream.send_data(Bytes::copy_from_slice(piece), false).expect("it is sent");
            tokio::task::yield_now().await;
        }
        if path.ends_with("/trailer") {
            let mut trailer = HeaderMap::new();
            trailer.insert("x-behind", http::HeaderValue::from_static("it"));
            stream.send_trailers(trailer).expect("it is sent");
        } else {
            stream.send_data(Bytes::new(), true).expect("it is sent");
        }
    })
    .await;
    let (_, given_up) = ask(&shared, "/long/given-up").await.expect("an answer");
    let paths = ["/long/one", "/two", "/long/trailer", "/trailer"];
    let answers = paths.map(|path| {
        let shared = shared.clone();
        tokio::spawn(async move { all(ask(&shared, path).await.expect("an answer").1).await })
    });
    drop(given_up);
    for (path, answer) in paths.iter().zip(answers) {
        assert!(answer.await.expect("a task").expect("a body") == body(path), "{path}");
    }
    assert!(!shared.is_left() && shared.is_used());
}

#[tokio::test]
async fn a_trailer_is_read_over_up_to_a_limit_and_beyond_it_the_answer_is_none() {
    for (bytes, is_read_over) in [(20_000, true), (TRAILER_BYTES_MAX / 2, true), (1_000_000, false)] {
        let shared = connection(100, move |path, mut response| async move {
            let mut stream = begin(&mut response, Some(LENGTH));
            stream.send_data(Bytes::from(body(&path)), false).expect("it is sent");
            let mut trailer = HeaderMap::new();
            let value = http::HeaderValue::from_bytes(&vec![b'x'; bytes]).expect("a value");
            trailer.insert("x-behind", value);
            stream.send_trailers(trailer).expect("it is sent");
        })
        .await;
        let (_, content) = ask(&shared, "/f").await.expect("an answer");
        match all(content).await {
            Ok(whole) => assert!(is_read_over && whole == body("/f"), "{bytes}"),
            Err(error) => {
                assert!(!is_read_over && error.fault == TransportFault::InvalidAnswer, "{bytes}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn there_is_room_for_as_many_requests_as_the_server_takes() {
    let shared = connection(2, |_, mut response| async move {
        begin(&mut response, Some(0)).send_data(Bytes::new(), true).expect("it is sent");
    })
    .await;
    // What the server allows is known when its first frames have come.
    all(ask(&shared, "/").await.expect("an answer").1).await.expect("a body");
    let two = [shared.room(), shared.room()];
    assert!(two.iter().all(Option::is_some) && shared.room().is_none());
    drop(two);
    assert!(shared.room().is_some());
    shared.leave();
    assert!(shared.room().is_none());
}

#[tokio::test]
async fn a_body_is_given_out_whole_only_when_its_stream_ends_where_it_was_to_end() {
    let shared = connection(100, |path, mut response| async move {
        let sent = if path == "/short" { LENGTH - 1 } else { LENGTH };
        let mut stream = begin(&mut response, Some(LENGTH));
        stream.send_data(Bytes::from(body(&path)[..sent].to_vec()), false).expect("it is sent");
        match path.as_str() {
            "/reset" => stream.send_reset(h2::Reason::INTERNAL_ERROR),
            "/long" => stream.send_data(Bytes::from_static(b"more"), true).expect("it is sent"),
            _ => stream.send_data(Bytes::new(), true).expect("it is sent"),
        }
    })
    .await;
    for (path, fault) in [
        ("/whole", None),
        ("/short", Some(TransportFault::Aborted)),
        ("/long", Some(TransportFault::Aborted)),
        ("/reset", Some(TransportFault::Aborted)),
    ] {
        let found = match ask(&shared, path).await {
            Ok((_, content)) => all(content).await.map_err(|error| error.fault),
            // The end came before the beginning was looked at.
            Err(failed) => Err(failed.error.fault),
        };
        assert_eq!(found.as_ref().err(), fault.as_ref(), "{path}");
        assert!(found.is_err() || found.is_ok_and(|whole| whole == body(path)), "{path}");
    }
}

#[tokio::test]
async fn what_was_not_looked_at_is_told_from_what_failed() {
    let shared = connection(100, |path, mut response| async move {
        response.send_reset(match path.as_str() {
            "/refused" => h2::Reason::REFUSED_STREAM,
            "/http-1" => h2::Reason::HTTP_1_1_REQUIRED,
            _ => h2::Reason::INTERNAL_ERROR,
        });
    })
    .await;
    for (path, was_not_processed, wants_http_1) in
        [("/refused", true, false), ("/http-1", false, true), ("/failed", false, false)]
    {
        let failed = ask(&shared, path).await.expect_err("no answer");
        assert_eq!(
            (failed.was_not_processed, failed.wants_http_1),
            (was_not_processed, wants_http_1),
            "{path}"
        );
        assert_eq!(failed.error.fault, TransportFault::Aborted, "{path}");
    }
    assert!(!shared.is_left(), "the connection goes on");
}
