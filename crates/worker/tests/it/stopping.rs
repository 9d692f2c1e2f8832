//! An attempt that is stopped, and what waits behind it.

use bits_core::job::Attempt;
use bits_core::queue::Report;
use bits_core::units::Bytes;
use bits_worker::link::ToWorker;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer, raw};

#[tokio::test]
async fn a_stopped_attempt_makes_sure_of_what_has_come_and_the_next_goes_on_there() {
    let begun = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\nabcd";
    let rest = answer("206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 4-8/9", b"efghi");
    let origin = Origin::start(vec![vec![raw(begun), Step::Hold], vec![rest]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.begin();
    loop {
        let report = broker.report().await;
        broker.record(&report);
        if matches!(report, Report::Progress { transferred: Bytes(4), .. }) {
            break;
        }
    }
    broker.stop();
    // The next attempt waits until the first one has brought home what it had.
    broker.begin();
    broker.files[0].durable = Bytes::ZERO;
    loop {
        let report = broker.report().await;
        broker.record(&report);
        match report {
            Report::Durable { attempt, upto, .. } => assert_eq!((attempt, upto), (Attempt(1), Bytes(4))),
            Report::FilesTransferred { attempt } => {
                assert_eq!(attempt, Attempt(2));
                break;
            }
            Report::Failed { error, .. } => panic!("a stop is no failure: {error:?}"),
            _ => {}
        }
    }
    assert_eq!(broker.files[0].durable, Bytes(4));
    assert_eq!(broker.partial(0), b"abcdefghi");
    assert_eq!(origin.asked("Range")[1].as_deref(), Some("bytes=4-"));
}

#[tokio::test]
async fn a_stop_is_heard_while_the_server_is_silent_and_while_nothing_is_recorded() {
    let silent = Origin::start(vec![vec![raw(""), Step::Hold]]).await;
    let mut broker = Broker::new(&[silent.url("/a")]);
    broker.begin();
    silent.is_asked().await;
    broker.stop();
    assert_eq!(broker.discard().await, None);

    let origin = Origin::start(vec![vec![answer("200 OK", b"hello"), Step::Hold]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.begin();
    while !matches!(broker.report().await, Report::Version { .. }) {}
    broker.stop();
    assert_eq!(broker.discard().await, None);
    assert!(!broker.partial_path(0).exists());
}

#[tokio::test]
async fn a_stop_of_a_past_attempt_stops_nothing() {
    let origin = Origin::start(vec![vec![answer("200 OK", b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.begin();
    broker.tell(ToWorker::Stop { job: broker.job, attempt: Attempt(99) });
    broker.until_ended().await.ok();
}

#[tokio::test]
async fn one_job_does_not_wait_for_another() {
    let silent = Origin::start(vec![vec![Step::Hold]]).await;
    let origin = Origin::start(vec![vec![answer("200 OK", b"hello")]]).await;
    let mut broker = Broker::new(&[silent.url("/a")]);
    broker.begin();
    broker.job.0[0] = 1;
    broker.files[0].remote_name = bits_core::remote_name::RemoteName::stored(&origin.url("/b")).unwrap();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
}
