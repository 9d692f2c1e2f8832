//! Where an answer ends, and what is no answer at all.

use std::time::Duration;

use bits_core::error::Code;
use bits_core::units::Bytes;
use bits_worker::run::Settings;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer, raw};

const INVALID_ANSWER: Code = Code(0x8007_2F78);

#[tokio::test]
async fn chunks_make_a_file_whose_end_is_the_last_of_them() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n, you!\r\n0\r\nA: b\r\n\r\n";
    let origin = Origin::start(vec![vec![raw(chunked), answer("200 OK", b"next")]]).await;
    let mut broker = Broker::new(&[origin.url("/a"), origin.url("/b")]);
    broker.run().await.ok();
    assert_eq!((broker.partial(0), broker.partial(1)), (b"hello, you!".to_vec(), b"next".to_vec()));
    assert_eq!(broker.files[0].size, Some(Bytes(11)));
    assert_eq!(origin.requests().len(), 2, "the connection was kept");
}

#[tokio::test]
async fn large_chunks_come_whole() {
    let content: Vec<u8> = (0..2_000_000).map(|at: u32| (at % 253) as u8).collect();
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in content.chunks(123_457) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let origin = Origin::start(vec![vec![raw(bytes)]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.ok();
    assert!(broker.partial(0) == content);
}

#[tokio::test]
async fn cut_off_chunks_begin_anew_even_with_a_validator() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n, y";
    let whole = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbye\r\n0\r\n\r\n";
    let origin = Origin::start(vec![vec![raw(cut)], vec![raw(whole)]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::CONNECTION_ABORTED, true));
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"bye");
    assert_eq!(origin.asked("Range"), [None, None]);
}

#[tokio::test]
async fn a_body_without_a_length_ends_when_the_connection_is_closed() {
    let origin = Origin::start(vec![vec![raw("HTTP/1.0 200 OK\r\nETag: \"a\"\r\n\r\nhello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert!(broker.notes.iter().any(|note| note.contains("how long")), "{:?}", broker.notes);
}

#[tokio::test]
async fn a_packed_body_that_was_not_asked_for_is_refused() {
    let origin = Origin::start(vec![vec![answer("200 OK\r\nContent-Encoding: gzip", b"\x1f\x8b")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::INVALID_SERVER_RESPONSE, false));
    assert!(!broker.partial_path(0).exists());
}

#[tokio::test]
async fn what_is_no_answer_is_a_transient_error_and_no_content() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n";
    for (bytes, words) in [
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(), "not HTTP"),
        (format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(70_000)), "too long"),
        (format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(200)), "too many"),
        (interim.repeat(9), "interim"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), "protocol"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx".to_owned(), "length"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx".to_owned(), "encoding"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(), "chunks"),
    ] {
        let origin = Origin::start(vec![vec![raw(&bytes), Step::Hold]]).await;
        let mut broker = Broker::new(&[origin.url("/a")]);
        let error = broker.run().await.error();
        assert_eq!((error.code, error.transient), (INVALID_ANSWER, true), "{words}: {}", error.message);
        assert!(error.message.contains(words), "{words}: {}", error.message);
        let content = std::fs::read(broker.partial_path(0)).unwrap_or_default();
        assert_eq!(content, b"", "{words}");
    }
}

#[tokio::test]
async fn interim_answers_are_read_over() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n".repeat(8);
    let whole = format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let origin = Origin::start(vec![vec![raw(whole)]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_a_transient_error() {
    for bytes in ["", "HTTP/1.1 200 O"] {
        let origin = Origin::start(vec![vec![raw(bytes)]]).await;
        let error = Broker::new(&[origin.url("/a")]).run().await.error();
        assert_eq!((error.code, error.transient), (Code::CONNECTION_ABORTED, true), "{}", error.message);
    }
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_for_ever() {
    let soon = Duration::from_millis(50);
    // Each is impatient in one thing only: on a busy machine the other would be over first.
    let for_answers = Settings { response_timeout: soon, ..Settings::default() };
    let when_idle = Settings { idle_timeout: soon, ..Settings::default() };
    for (bytes, settings, over) in [
        ("", &for_answers, "50ms (response_timeout)"),
        ("HTTP/1.1 200 OK\r\nContent-", &for_answers, "50ms (response_timeout)"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell", &when_idle, "50ms (idle_timeout)"),
    ] {
        let origin = Origin::start(vec![vec![raw(bytes), Step::Hold]]).await;
        let error = Broker::with(&[origin.url("/a")], settings.clone()).run().await.error();
        assert_eq!((error.code, error.transient), (Code::TIMEOUT, true), "{bytes:?}: {}", error.message);
        assert!(error.message.contains(over), "{bytes:?}: {}", error.message);
    }
}
