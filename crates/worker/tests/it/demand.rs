//! Files that come by the ranges that are asked for, from the wire to the disk.

use bits_core::demand::Span;
use bits_core::error::Code;
use bits_core::file::{FileIndex, Stage};
use bits_core::queue::{Asked, Report};
use bits_core::ranges::ByteRange;
use bits_core::remote_name::RemoteName;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;

use crate::broker::{Broker, Ended};
use crate::origin::{Origin, Step, answer, raw};

const FILE: &[u8; 10] = b"0123456789";

fn part(from: usize, end: usize, tag: &str) -> Step {
    let head = format!(
        "206 Partial Content\r\nETag: \"{tag}\"\r\nContent-Range: bytes {from}-{}/{}",
        end - 1,
        FILE.len()
    );
    answer(&head, &FILE[from..end])
}

fn ranges(file: u32, ranges: &[&str]) -> Asked {
    let ranges = ranges.iter().map(|text| ByteRange::parse(text).unwrap()).collect();
    Asked { file: FileIndex(file), ranges, position: None }
}

fn position(file: u32, position: u64) -> Asked {
    Asked { file: FileIndex(file), ranges: Vec::new(), position: Some(Bytes(position)) }
}

fn on_demand(urls: &[String]) -> Broker {
    let mut broker = Broker::gathering(urls);
    broker.transfer = TransferOptions { on_demand: true, ..TransferOptions::default() };
    broker
}

fn filled(broker: &Broker, file: usize) -> Vec<(u64, u64)> {
    let spans = broker.files[file].demand.filled.spans();
    spans.iter().map(|Span { from, end }| (from.0, end.0)).collect()
}

#[tokio::test]
async fn ranges_come_in_their_order_and_the_rest_when_all_is_wanted() {
    let script = vec![vec![part(6, 8, "a"), part(0, 3, "a"), part(8, 10, "a"), part(3, 6, "a")]];
    let origin = Origin::start(script).await;
    let mut broker = on_demand(&[origin.url("/f")]);
    assert!(matches!(broker.run().await, Ended::Satisfied(0)), "nothing is asked for");
    assert!(origin.requests().is_empty());

    broker.ask_for(ranges(0, &["6:2", "0:3"]));
    assert!(matches!(broker.run().await, Ended::Satisfied(1)));
    assert_eq!((filled(&broker, 0), broker.partial(0)), (vec![(0, 3), (6, 8)], b"012\0\0\x0067".to_vec()));
    assert!(broker.files[0].demand.requested.is_empty());

    broker.ask_for(position(0, 7));
    broker.run().await.ok();
    assert_eq!((broker.partial(0), broker.files[0].stage), (FILE.to_vec(), Stage::Transferred));
    let expected = ["bytes=6-7", "bytes=0-2", "bytes=8-9", "bytes=3-5"].map(|range| Some(range.to_owned()));
    assert_eq!(origin.asked("Range"), expected);
    let tag = Some("\"a\"".to_owned());
    assert_eq!(origin.asked("If-Range"), [None, tag.clone(), tag.clone(), tag]);
    assert_eq!(broker.finalize(0o022).await.0, [0]);
    assert_eq!(std::fs::read(broker.path(0)).unwrap(), FILE);
}

#[tokio::test]
async fn what_is_asked_for_on_the_way_comes_before_what_comes_for_a_position() {
    // The first answer never ends; what is requested comes over another connection.
    let held = raw(
        "HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n01",
    );
    let origin = Origin::start_parallel(vec![
        vec![held, Step::Hold],
        vec![part(8, 10, "a"), part(2, 8, "a")],
        vec![part(2, 8, "a")],
    ])
    .await;
    let mut broker = on_demand(&[origin.url("/f")]);
    broker.ask_for(position(0, 0));
    broker.begin();
    // Bytes have come and are on the disk when they are reported to be.
    let first = loop {
        let report = broker.report().await;
        broker.record(&report);
        if let Report::Filled { new, .. } = report {
            break new;
        }
    };
    assert_eq!(first, [Span { from: Bytes(0), end: Bytes(2) }]);
    broker.ask_for(ranges(0, &["8:eof"]));
    broker.until_ended().await.ok();
    assert_eq!(broker.partial(0), FILE);
    let asked: Vec<_> = origin.asked("Range").into_iter().map(Option::unwrap).collect();
    assert_eq!(asked, ["bytes=0-", "bytes=8-9", "bytes=2-7"]);
}

#[tokio::test]
async fn an_attempt_says_of_how_much_it_has_heard() {
    let origin = Origin::start(vec![vec![part(0, 2, "a"), part(4, 6, "a")]]).await;
    let mut broker = on_demand(&[origin.url("/f")]);
    broker.ask_for(ranges(0, &["0:2"]));
    broker.begin();
    broker.ask_for(ranges(0, &["4:2"]));
    match broker.until_ended().await {
        Ended::Satisfied(2) => {}
        // It had ended before it could hear; the broker lets it run again then.
        Ended::Satisfied(1) => assert!(matches!(broker.run().await, Ended::Satisfied(2))),
        other => panic!("{other:?}"),
    }
    assert_eq!(filled(&broker, 0), [(0, 2), (4, 6)]);
}

#[tokio::test]
async fn of_several_files_those_come_first_of_which_ranges_are_requested() {
    let script = vec![vec![part(1, 2, "b"), part(0, 10, "a")]];
    let origin = Origin::start(script).await;
    let mut broker = on_demand(&[origin.url("/a"), origin.url("/b"), origin.url("/c")]);
    broker.ask_for(position(0, 0));
    broker.ask_for(ranges(1, &["1:1"]));
    assert!(matches!(broker.run().await, Ended::Satisfied(2)));
    assert_eq!(broker.files[0].stage, Stage::Transferred);
    assert_eq!((filled(&broker, 1), broker.partial(1)), (vec![(1, 2)], b"\x001".to_vec()));
    assert!(!broker.partial_path(2).exists(), "nobody asked for it");
}

#[tokio::test]
async fn a_changed_file_takes_with_it_all_that_was_here() {
    let other = answer("200 OK\r\nETag: \"b\"", b"9876543210");
    let origin = Origin::start(vec![vec![part(0, 4, "a"), other], vec![part(6, 8, "b")]]).await;
    let mut broker = on_demand(&[origin.url("/f")]);
    broker.ask_for(ranges(0, &["0:4"]));
    broker.run().await;
    broker.ask_for(ranges(0, &["6:2"]));
    assert!(matches!(broker.run().await, Ended::Satisfied(2)));
    assert_eq!((filled(&broker, 0), broker.partial(0)), (vec![(6, 8)], b"\0\0\0\0\0\x0067".to_vec()));
    assert!(broker.notes.iter().any(|note| note.contains("has changed")), "{:?}", broker.notes);
}

#[tokio::test]
async fn a_server_without_ranges_or_validators_is_an_error_and_no_file() {
    let weak = answer("206 Partial Content\r\nETag: W/\"a\"\r\nContent-Range: bytes 0-3/10", b"0123");
    for step in [answer("200 OK\r\nETag: \"a\"", FILE), weak] {
        let origin = Origin::start(vec![vec![step]]).await;
        let mut broker = on_demand(&[origin.url("/f")]);
        broker.ask_for(ranges(0, &["0:4"]));
        let error = broker.run().await.error();
        assert_eq!((error.code, error.transient), (Code::INSUFFICIENT_RANGE_SUPPORT, false));
        assert!(!broker.partial_path(0).exists(), "not a byte was written");
    }
}

#[tokio::test]
async fn a_range_beyond_the_file_fails_once_and_is_in_the_way_of_nothing_then() {
    let origin = Origin::start(vec![vec![part(8, 10, "a")], vec![part(0, 2, "a")]]).await;
    let mut broker = on_demand(&[origin.url("/f")]);
    broker.ask_for(ranges(0, &["8:9", "0:2"]));
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::INVALID_RANGE, false));
    assert!(error.message.contains("8:9") && error.message.contains("10 bytes"), "{}", error.message);
    assert!(matches!(broker.run().await, Ended::Satisfied(1)));
    assert_eq!(filled(&broker, 0), [(0, 2)]);
}

#[tokio::test]
async fn a_file_of_this_machine_comes_by_ranges_too() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    std::fs::write(&source, FILE).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::options().write(true).open(&source).unwrap().set_modified(long_ago).unwrap();
    let mut broker = on_demand(&["http://h.test/f".to_owned()]);
    broker.files[0].remote_name = RemoteName::parse(source.to_str().unwrap()).unwrap().0;
    // What was changed just now has only a weak tag: two files of one second could not be told apart.
    broker.files[0].resume_by = bits_core::file::ResumeBy::SizeAndTime;
    broker.ask_for(ranges(0, &["7:2", "1:2"]));
    assert!(matches!(broker.run().await, Ended::Satisfied(1)));
    assert_eq!(broker.partial(0), b"\x0012\0\0\0\x0078");
    broker.ask_for(position(0, 0));
    broker.run().await.ok();
    assert_eq!(broker.partial(0), FILE);
}
