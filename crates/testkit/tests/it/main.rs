//! The unkind origin, asked by a client that is nothing but a socket.
//! `power` is about the disk that loses power.

mod power;

#[cfg(feature = "sim")]
mod sim;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use bits_testkit::{Content, Fault, UnkindOrigin, faults};

/// What comes for one request until the connection ends, at most so many bytes.
const BYTES_MAX: u64 = 1024 * 1024;
/// How long the origin may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it is listened to the fault that never says anything.
const SILENCE: Duration = Duration::from_millis(200);
/// The faults that end, or go on, without a word.
const WORDLESS: [&str; 3] = [SILENT, "closed", "reset"];
/// The one that goes on.
const SILENT: &str = "silent";
/// How an answer begins for a path that the origin does not know.
const UNKNOWN: &[u8] = b"HTTP/1.1 404 Not Found";

fn ask(origin: &UnkindOrigin, target: &str, fields: &str) -> Vec<u8> {
    ask_for(BYTES_MAX, PATIENCE, origin, target, fields)
}

/// The first `bytes` of what comes; fewer when the connection ends before, or nothing comes for so long.
fn ask_for(bytes: u64, patience: Duration, origin: &UnkindOrigin, target: &str, fields: &str) -> Vec<u8> {
    let address = origin.url("");
    let mut socket = TcpStream::connect(address.trim_start_matches("http://")).expect("the origin is there");
    socket.set_read_timeout(Some(patience)).expect("a time-out");
    write!(socket, "GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n").expect("the origin reads");
    // No other request comes, so that it has no reason to keep the connection; it may have ended it already.
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // However it ends, what came before is what counts.
    let _ = socket.take(bytes).read_to_end(&mut answer);
    answer
}

fn parted(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    (String::from_utf8_lossy(&answer[..end]).into_owned(), &answer[end + 4..])
}

#[test]
fn the_kind_path_serves_wholes_and_parts_as_they_are_asked_for() {
    let origin = UnkindOrigin::start();
    let content = Content { seed: 4, size: 1000 };
    let target = "/kind?seed=4&size=1000";
    let whole = ask(&origin, target, "");
    let (head, body) = parted(&whole);
    assert!(head.starts_with("HTTP/1.1 200 OK") && content.is(body), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("a tag").to_owned();
    let part = ask(&origin, target, &format!("Range: bytes=600-\r\nIf-Range: {tag}\r\n"));
    let (head, body) = parted(&part);
    assert!(head.starts_with("HTTP/1.1 206") && head.contains("bytes 600-999/1000"), "{head}");
    assert_eq!(body, content.part(600..1000));
    let other = ask(&origin, target, "Range: bytes=600-\r\nIf-Range: \"other\"\r\n");
    assert!(content.is(parted(&other).1));
    assert!(parted(&ask(&origin, target, "Range: bytes=1000-\r\n")).0.starts_with("HTTP/1.1 416"));
    assert_eq!(origin.requests(target).len(), 4);
    assert_eq!(origin.requests(target)[1].field("range"), Some("bytes=600-"));
    assert_eq!(origin.served(target), [content]);
}

#[test]
fn every_fault_has_a_path_of_its_own_and_a_line_on_the_page() {
    let origin = UnkindOrigin::start();
    let page = ask(&origin, "/", "");
    let page = String::from_utf8_lossy(&page);
    let mut paths: Vec<_> = faults().map(|fault| fault.path).collect();
    assert!(paths.len() > 80, "{}", paths.len());
    std::thread::scope(|scope| {
        for fault in faults() {
            scope.spawn(|| is_served(&origin, &page, fault));
        }
    });
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), faults().count(), "a path is there twice");
}

fn is_served(origin: &UnkindOrigin, page: &str, fault: &Fault) {
    assert!(page.contains(&format!("<code>/{}", fault.path)), "{}", fault.path);
    assert!(fault.says.ends_with('.'), "{}", fault.path);
    // The first `every` counts: nobody waits for a slow head.
    let target = format!("/{}?every=1&{}&size=2000&at=1000", fault.path, fault.parameters);
    let patience = if fault.path == SILENT { SILENCE } else { PATIENCE };
    let answer = ask_for(UNKNOWN.len() as u64, patience, origin, &target, "");
    assert_ne!(answer, UNKNOWN, "{}", fault.path);
    let (text, is_wordless) = (String::from_utf8_lossy(&answer), WORDLESS.contains(&fault.path));
    assert_eq!(answer.is_empty(), is_wordless, "{}: {text}", fault.path);
    let asked = Instant::now();
    while origin.requests(&target).is_empty() {
        assert!(asked.elapsed() < PATIENCE, "{}: nobody has taken the request", fault.path);
        std::thread::yield_now();
    }
}

#[test]
fn parameters_that_every_path_takes_spoil_some_answers_and_leave_the_others() {
    let origin = UnkindOrigin::start();
    let body = |target: &str| parted(&ask(&origin, target, "")).1.len();
    let target = "/kind?size=1000&cut=300&cuts=2";
    assert_eq!([body(target), body(target), body(target)], [300, 300, 1000]);
    let target = "/status?code=500&size=1000&from=1&first=2";
    let status = || parted(&ask(&origin, target, "")).0[9..12].to_owned();
    assert_eq!([status(), status(), status()], ["200", "500", "200"]);
    let digest = |wrong| parted(&ask(&origin, &format!("/kind?digest=repr-digest{wrong}"), "")).0;
    assert!(digest("").contains("Repr-Digest: sha-256=:") && digest("") != digest("&wrong=1"));
}

#[test]
fn a_file_that_changes_is_another_one_after_the_first_request() {
    let origin = UnkindOrigin::start();
    let target = "/changed?id=mine&size=1000&grows=50";
    for _ in 0..3 {
        ask(&origin, target, "");
    }
    let sizes: Vec<_> = origin.served(target).iter().map(|content| content.size).collect();
    assert_eq!(sizes, [1000, 1050]);
    assert_eq!(origin.requests("/redirect?id=mine").len(), 3, "an id holds requests together");
}
