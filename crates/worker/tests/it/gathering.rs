//! Many small files, and what is among them.

use bits_core::error::Code;
use bits_core::file::Stage;
use bits_core::queue::Report;
use bits_core::units::Bytes;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer, raw};

const TAG_A: &str = "200 OK\r\nETag: \"a\"";

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn names(broker: &Broker) -> usize {
    std::fs::read_dir(broker.folder.path()).unwrap().count()
}

#[tokio::test]
async fn small_files_come_together_and_are_reported_together() {
    let script = || (500..530).map(|length| answer(TAG_A, &pattern(length))).collect::<Vec<_>>();
    // The first over one connection, the others over up to four.
    let origin = Origin::start_parallel((0..4).map(|_| script()).collect()).await;
    let urls: Vec<_> = (0..30).map(|number| origin.url(&format!("/{number}"))).collect();
    let mut broker = Broker::gathering(&urls);
    broker.begin();
    let mut messages = 0;
    loop {
        let report = broker.report().await;
        broker.record(&report);
        match report {
            Report::SmallFiles { .. } => messages += 1,
            Report::FilesTransferred { .. } => break,
            Report::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(messages, 1, "they are not reported one by one");
    for index in 0..30 {
        let content = broker.partial(index);
        assert_eq!(content, pattern(content.len()));
        assert_eq!(broker.files[index as usize].size, Some(Bytes(content.len() as u64)));
        assert_eq!(broker.files[index as usize].stage, Stage::Transferred);
    }
    assert_eq!(broker.finalize(0o022).await, ((0..30).collect(), None));
    assert_eq!(names(&broker), 30, "each has its name, and no partial file is left");
}

#[tokio::test]
async fn a_server_that_serves_one_connection_at_a_time_or_refuses_more_is_served_over_one() {
    let script = || (0..20).map(|length| answer(TAG_A, &pattern(length))).collect::<Vec<_>>();
    let busy = || vec![answer("503 Busy", b"one connection for each of you")];
    let urls = |origin: &Origin| (0..20).map(|number| origin.url(&format!("/{number}"))).collect::<Vec<_>>();
    let one_at_a_time = Origin::start(vec![script()]).await;
    Broker::gathering(&urls(&one_at_a_time)).run().await.ok();
    let refusing = Origin::start_parallel(vec![script(), busy(), busy(), busy()]).await;
    Broker::gathering(&urls(&refusing)).run().await.ok();
}

#[tokio::test]
async fn a_large_file_among_small_ones_goes_on_as_it_began() {
    let large = pattern(300_000);
    let steps = vec![answer(TAG_A, b"one"), answer(TAG_A, &large), answer(TAG_A, b"three")];
    let origin = Origin::start(vec![steps]).await;
    let mut broker = Broker::gathering(&["/1", "/2", "/3"].map(|path| origin.url(path)));
    broker.run().await.ok();
    assert_eq!((broker.partial(0), broker.partial(2)), (b"one".to_vec(), b"three".to_vec()));
    assert_eq!(broker.partial(1), large);
    assert_eq!(origin.requests().len(), 3, "nothing is asked for twice");
}

#[tokio::test]
async fn what_came_before_a_failure_is_kept_and_what_failed_comes_the_careful_way() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\nabcd";
    let rest = answer("206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 4-8/9", b"efghi");
    let origin = Origin::start(vec![vec![answer(TAG_A, b"one"), raw(cut)], vec![raw(cut)], vec![rest]]).await;
    let mut broker = Broker::gathering(&["/1", "/2"].map(|path| origin.url(path)));
    let error = broker.run().await.error();
    assert_eq!((error.code, error.file), (Code::CONNECTION_ABORTED, Some(broker.files[1].index)));
    assert_eq!(broker.files[0].stage, Stage::Transferred);
    assert_eq!(broker.files[1].validator, None, "of a part in memory nothing is left");
    broker.run().await.error();
    assert_eq!(broker.files[1].durable, Bytes(4), "but it makes headway");
    broker.run().await.ok();
    assert_eq!(broker.partial(1), b"abcdefghi");
}

#[tokio::test]
async fn a_file_that_is_not_to_be_replaced_stays() {
    let origin = Origin::start(vec![vec![answer(TAG_A, b"one"), answer(TAG_A, b"two")]]).await;
    let mut broker = Broker::gathering(&["/1", "/2"].map(|path| origin.url(path)));
    broker.files[1].no_clobber = true;
    std::fs::write(broker.path(1), "of somebody else").unwrap();
    let error = broker.run().await.error();
    assert_eq!((error.code, error.file), (Code::FILE_EXISTS, Some(broker.files[1].index)));
    assert_eq!(broker.files[0].stage, Stage::Transferred);
    assert_eq!(std::fs::read(broker.path(1)).unwrap(), b"of somebody else");
}

#[tokio::test]
async fn what_lies_under_the_name_of_a_partial_file_does_not_come_into_it() {
    let origin = Origin::start(vec![vec![answer(TAG_A, b"one")]]).await;
    let mut broker = Broker::gathering(&[origin.url("/1")]);
    std::fs::write(broker.partial_path(0), "longer than it should be").unwrap();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"one");
}

#[tokio::test]
async fn a_stop_keeps_what_has_come() {
    let origin = Origin::start(vec![vec![answer(TAG_A, b"one"), raw(""), Step::Hold]]).await;
    let mut broker = Broker::gathering(&["/1", "/2"].map(|path| origin.url(path)));
    broker.begin();
    while origin.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    broker.stop();
    assert_eq!(broker.discard().await, None);
    assert_eq!(broker.files[0].stage, Stage::Transferred);
    assert_eq!(names(&broker), 0);
}

#[tokio::test]
async fn a_large_file_behind_many_small_ones_costs_no_other_one_twice() {
    let (small, large) = (pattern(700), pattern(300_000));
    let step = |number| answer(TAG_A, if number == 70 { &large } else { &small });
    let origin = Origin::start(vec![(0..120).map(step).collect()]).await;
    let urls: Vec<_> = (0..120).map(|number| origin.url(&format!("/{number}"))).collect();
    let mut broker = Broker::gathering(&urls);
    broker.run().await.ok();
    let mut larger = 0;
    for index in 0..120 {
        let content = broker.partial(index);
        larger += usize::from(content == large);
        assert!(content == large || content == small, "file {index} is neither");
    }
    assert_eq!(larger, 1);
    assert_eq!(
        origin.requests().len(),
        120,
        "what was given to a connection and not asked for is asked for once"
    );
}

#[tokio::test]
async fn a_stop_is_heard_by_a_thread_that_waits() {
    let mut steps: Vec<_> = (0..100).map(|length| answer(TAG_A, &pattern(length))).collect();
    steps.extend([raw(""), Step::Hold]);
    let origin = Origin::start(vec![steps]).await;
    let urls: Vec<_> = (0..200).map(|number| origin.url(&format!("/{number}"))).collect();
    let mut broker = Broker::gathering(&urls);
    broker.begin();
    while origin.requests().len() < 101 {
        tokio::task::yield_now().await;
    }
    broker.stop();
    assert_eq!(broker.discard().await, None);
    let whole = broker.files.iter().filter(|file| file.stage == Stage::Transferred).count();
    assert!((1..=100).contains(&whole), "{whole} are whole");
    assert_eq!(names(&broker), 0);
}
