//! Whether what has come is what was meant: checksums, parts, and files that fail beside others
//! that come.

use std::time::{Duration, SystemTime};

use bits_core::checksum::Checksum;
use bits_core::error::Code;
use bits_core::file::{PartialId, ResumeBy, Stage};
use bits_core::queue::Report;
use bits_core::ranges::{ByteRange, Ranges};
use bits_core::remote_name::RemoteName;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;

use crate::broker::Broker;
use crate::origin::{Origin, answer, raw};

const HELLO: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const HELLO_MD5: &str = "md5:5d41402abc4b2a76b9719d911017c592";
const HELLO_BASE64: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

fn checksum(text: &str) -> Option<Checksum> {
    Some(Checksum::parse(text).unwrap())
}

#[tokio::test]
async fn a_file_has_the_checksum_that_was_given_whatever_way_its_bytes_go() {
    let chunked =
        raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    for step in [answer("200 OK", b"hello"), chunked] {
        for given in [HELLO, HELLO_MD5] {
            let origin = Origin::start(vec![vec![step.clone()]]).await;
            let mut broker = Broker::new(&[origin.url("/a")]);
            broker.files[0].checksum = checksum(given);
            broker.run().await.ok();
            assert_eq!(broker.partial(0), b"hello");
        }
    }
}

#[tokio::test]
async fn a_wrong_file_is_fetched_twice_and_the_error_names_both_checksums() {
    let wrong = || answer("200 OK\r\nETag: \"a\"", b"world");
    let origin = Origin::start(vec![vec![wrong(), wrong()]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.files[0].checksum = checksum(HELLO);
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::VALIDATION_FAILED, false));
    assert!(error.message.contains(HELLO) && error.message.contains("sha256:486ea462"), "{}", error.message);
    assert_eq!((origin.requests().len(), broker.files[0].stage), (2, Stage::Waiting));

    let origin = Origin::start(vec![vec![wrong(), answer("200 OK", b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.files[0].checksum = checksum(HELLO);
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert!(broker.notes.iter().any(|note| note.contains("has the checksum")), "{:?}", broker.notes);
}

#[tokio::test]
async fn the_part_that_was_there_is_summed_up_with_the_rest() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhe";
    let rest = answer("206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 2-4/5", b"llo");
    let origin = Origin::start(vec![vec![raw(cut)], vec![rest]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.files[0].checksum = checksum(HELLO);
    broker.run().await.error();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert_eq!(origin.asked("Range"), [None, Some("bytes=2-".to_owned())]);
}

#[tokio::test]
async fn halves_that_do_not_fit_are_found_out_by_the_checksum() {
    let cut = "HTTP/1.1 200 OK\r\nETag: W/\"a\"\r\nContent-Length: 5\r\n\r\nhe";
    let rest = answer("206 Partial Content\r\nContent-Range: bytes 2-4/5", b"LLO");
    let origin = Origin::start(vec![vec![raw(cut)], vec![rest, answer("200 OK", b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.files[0].checksum = checksum(HELLO);
    broker.files[0].resume_by = ResumeBy::Checksum;
    broker.run().await.error();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert_eq!(origin.asked("If-Range"), [None, None, None]);
}

#[tokio::test]
async fn a_file_has_the_checksum_that_the_server_promises() {
    let digest = format!("200 OK\r\nRepr-Digest: sha-256=:{HELLO_BASE64}:");
    let origin = Origin::start(vec![vec![answer(&digest, b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.ok();
    assert_eq!(broker.files[0].served.checksum, checksum(HELLO));

    let origin = Origin::start(vec![vec![answer(&digest, b"world"), answer(&digest, b"world")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    assert_eq!(broker.run().await.error().code, Code::VALIDATION_FAILED);
}

#[tokio::test]
async fn parts_of_a_file_are_put_one_after_another() {
    let part = |from: usize, content: &[u8]| {
        let head = format!(
            "206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes {from}-{}/10",
            from + content.len() - 1
        );
        answer(&head, content)
    };
    let origin = Origin::start(vec![vec![part(6, b"ghij"), part(0, b"ab")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    let ranges = ["6:eof", "0:2"].map(|range| ByteRange::parse(range).unwrap());
    broker.files[0].ranges = Ranges::new(ranges.to_vec()).unwrap();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"ghijab");
    assert_eq!(broker.files[0].size, Some(Bytes(6)));
    assert_eq!(origin.asked("Range"), [Some("bytes=6-".to_owned()), Some("bytes=0-1".to_owned())]);
    assert_eq!(origin.asked("If-Range"), [None, Some("\"a\"".to_owned())]);
}

#[tokio::test]
async fn a_file_that_fails_is_passed_over_by_a_job_that_keeps_going() {
    let origin = Origin::start(vec![
        vec![answer("404 Not Found", b"no")],
        vec![answer("503 Busy", b"no")],
        vec![answer("200 OK", b"hello")],
    ])
    .await;
    let mut broker = Broker::new(&[origin.url("/a"), origin.url("/b"), origin.url("/c")]);
    broker.transfer = TransferOptions { keep_going: true, ..TransferOptions::default() };
    broker.begin();
    let mut passed_over = Vec::new();
    let error = loop {
        let report = broker.report().await;
        broker.record(&report);
        match report {
            Report::FilePassedOver { file, error, .. } => passed_over.push((file.0, error.code)),
            Report::Failed { error, .. } => break error,
            Report::FilesTransferred { .. } => panic!("one file is to be tried again"),
            _ => {}
        }
    };
    assert_eq!(passed_over, [(0, Code::http(404))]);
    assert_eq!((error.code, error.transient), (Code::http(503), true), "what may heal ends the attempt");
    assert_eq!(broker.partial(2), b"hello");
}

#[tokio::test]
async fn a_job_downloads_no_more_than_it_may() {
    let origin = Origin::start(vec![vec![answer("200 OK", b"hello"), answer("200 OK", b"world")]]).await;
    let mut broker = Broker::new(&[origin.url("/a"), origin.url("/b")]);
    broker.transfer.max_download_size = Some(Bytes(9));
    let error = broker.run().await.error();
    assert_eq!(error.code, Code::MAX_DOWNLOAD_SIZE_LIMIT_REACHED);
    assert_eq!(error.file.map(|file| file.0), Some(1));
}

#[tokio::test]
async fn a_partial_file_that_somebody_has_replaced_does_not_count() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhe";
    let origin = Origin::start(vec![vec![raw(cut)], vec![answer("200 OK\r\nETag: \"a\"", b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    let path = broker.partial_path(0);
    // Beside it, so that the other one has another number.
    let other = path.with_extension("other");
    std::fs::write(&other, "XXX").unwrap();
    std::fs::rename(&other, &path).unwrap();
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert_eq!(origin.asked("Range"), [None, None]);
}

#[tokio::test]
async fn another_volume_in_the_place_of_the_first_is_waited_out_and_nothing_is_written_to_it() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhe";
    let origin = Origin::start(vec![vec![raw(cut)]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    let made = broker.files[0].partial.unwrap();
    broker.files[0].partial = Some(PartialId { device: made.device + 1, inode: made.inode + 1 });
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::VOLUME_CHANGED, true), "{}", error.message);
    assert_eq!((broker.partial(0), origin.requests().len()), (b"he".to_vec(), 1));
}

#[tokio::test]
async fn a_volume_that_comes_back_under_another_number_is_gone_on_with() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhe";
    let rest = "206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes 2-4/5";
    let origin = Origin::start(vec![vec![raw(cut)], vec![answer(rest, b"llo")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    let made = broker.files[0].partial.unwrap();
    broker.files[0].partial = Some(PartialId { device: made.device + 1, ..made });
    broker.run().await.ok();
    assert_eq!(
        (broker.partial(0), origin.asked("Range")),
        (b"hello".to_vec(), vec![None, Some("bytes=2-".to_owned())])
    );
}

#[tokio::test]
async fn a_volume_that_is_not_mounted_is_told_from_a_folder_that_was_deleted() {
    let cut = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhe";
    let origin = Origin::start(vec![vec![raw(cut)]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.error();
    std::fs::remove_dir_all(broker.folder.path()).unwrap();
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::PATH_NOT_FOUND, false), "{}", error.message);
    let made = broker.files[0].partial.unwrap();
    broker.files[0].partial = Some(PartialId { device: made.device + 1, ..made });
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::DESTINATION_LOCKED, true), "{}", error.message);
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn a_file_is_as_old_as_the_server_says() {
    let date = "200 OK\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
    let origin = Origin::start(vec![vec![answer(date, b"hello")]]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.run().await.ok();
    let (placed, error) = broker.finalize(0o022).await;
    assert_eq!((placed, error), (vec![0], None));
    let modified = std::fs::metadata(broker.path(0)).unwrap().modified().unwrap();
    assert_eq!(modified, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
}

#[tokio::test]
async fn a_file_goes_on_at_another_server_when_size_and_time_are_equal() {
    const DATES: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT";
    let cut = format!("HTTP/1.1 200 OK\r\nETag: \"a\"\r\n{DATES}\r\nContent-Length: 5\r\n\r\nhe");
    let first = Origin::start(vec![vec![raw(cut)]]).await;
    let head = format!("206 Partial Content\r\nETag: \"b\"\r\n{DATES}\r\nContent-Range: bytes 2-4/5");
    let second = Origin::start(vec![vec![answer(&head, b"llo")]]).await;
    let mut broker = Broker::new(&[first.url("/a")]);
    broker.run().await.error();
    broker.files[0].remote_name = RemoteName::stored(&second.url("/a")).unwrap();
    broker.files[0].moved = true;
    broker.run().await.ok();
    assert_eq!(broker.partial(0), b"hello");
    assert_eq!(
        (second.asked("Range")[0].as_deref(), second.asked("If-Range")[0].as_deref()),
        (Some("bytes=2-"), None)
    );
}

#[tokio::test]
async fn a_file_of_this_machine_is_copied_and_goes_on_where_it_was() {
    let top = tempfile::tempdir().unwrap();
    let path = top.path().join("ä file%20?");
    let content: Vec<u8> = (0..9_000_000_u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let url = RemoteName::parse(path.to_str().unwrap()).unwrap().0;
    let mut broker = Broker::new(&[url.to_string()]);
    broker.run().await.ok();
    assert_eq!(broker.partial(0), content);
    let (placed, error) = broker.finalize(0o022).await;
    assert_eq!((placed, error), (vec![0], None));
    assert_eq!(std::fs::metadata(broker.path(0)).unwrap().modified().unwrap(), old);

    for (path, code) in
        [(top.path().join("missing"), 0x8007_0002_u32), (top.path().to_path_buf(), 0x8007_0005)]
    {
        let url = RemoteName::parse(path.to_str().unwrap()).unwrap().0;
        let error = Broker::new(&[url.to_string()]).run().await.error();
        assert_eq!((error.code, error.transient), (Code(code), false), "{}", error.message);
        assert_eq!(error.context, bits_core::error::ErrorContext::RemoteFile);
    }
}
