//! Files large enough to be poured by a thread of their own.

use std::time::Duration;

use bits_core::error::Code;
use bits_core::queue::Report;
use bits_core::units::Bytes;
use bits_worker::run::Settings;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer, raw};

const SIZE: usize = 5_000_000;
const CUT_AT: usize = 3_000_001;
/// Longer than a busy machine lets a server on it wait.
const IMPATIENT: Duration = Duration::from_secs(3);

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at % 241) as u8).collect()
}

fn begun() -> Step {
    let mut bytes = format!("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: {SIZE}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(&content()[..CUT_AT]);
    raw(bytes)
}

fn rest() -> Step {
    let head =
        format!("206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes {CUT_AT}-{}/{SIZE}", SIZE - 1);
    answer(&head, &content()[CUT_AT..])
}

#[tokio::test]
async fn large_files_come_over_one_connection() {
    let steps = vec![answer("200 OK", &content()), answer("200 OK", b"small"), answer("200 OK", &content())];
    let origin = Origin::start(vec![steps]).await;
    let mut broker = Broker::new(&["/0", "/1", "/2"].map(|path| origin.url(path)));
    broker.run().await.ok();
    assert!(broker.partial(0) == content() && broker.partial(2) == content());
    assert_eq!(broker.partial(1), b"small");
    assert_eq!(origin.requests().len(), 3);
}

#[tokio::test]
async fn a_large_file_that_was_cut_off_goes_on_there() {
    let origin = Origin::start(vec![vec![begun()], vec![rest()]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::CONNECTION_ABORTED, true), "{}", error.message);
    assert_eq!(broker.files[0].durable, Bytes(CUT_AT as u64));
    broker.run().await.ok();
    assert!(broker.partial(0) == content());
}

#[tokio::test]
async fn a_server_that_falls_silent_in_a_large_file_is_not_waited_for_for_ever() {
    let origin = Origin::start(vec![vec![begun(), Step::Hold], vec![rest()]]).await;
    let impatient = Settings { idle_timeout: IMPATIENT, ..Settings::default() };
    let mut broker = Broker::with(&[origin.url("/a")], impatient);
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::TIMEOUT, true), "{}", error.message);
    broker.run().await.ok();
    assert!(broker.partial(0) == content());
}

#[tokio::test]
async fn a_stop_is_heard_in_a_large_file_and_what_came_is_brought_home() {
    let origin = Origin::start(vec![vec![begun(), Step::Hold], vec![rest()]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.begin();
    loop {
        let report = broker.report().await;
        broker.record(&report);
        if matches!(report, Report::Progress { transferred, .. } if transferred.0 == CUT_AT as u64) {
            break;
        }
    }
    broker.stop();
    broker.begin();
    broker.until_ended().await.ok();
    assert!(broker.partial(0) == content());
    assert_eq!(origin.asked("Range")[1], Some(format!("bytes={CUT_AT}-")));
}
