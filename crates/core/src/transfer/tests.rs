//! The download plan, as scenarios: what happens, and all that follows up to the next thing that
//! takes time. The left half of each line is performed, the right half expected.

mod content;
mod demand;
mod kills;
mod many_parts;
mod many_sources;
mod mirrors;
mod parts;
mod rules;

use super::*;
use crate::checksum::Checksum;
use crate::demand::{Beyond, Span};
use crate::error::JobError;
use crate::file::{BootId, File, FileIndex, LocalName, PartialId, Validator};
use crate::job::Attempt;
use crate::queue::Report;
use crate::remote_name::RemoteName;
use crate::time::Timestamp;
use crate::units::Bytes;

const BOOT: BootId = BootId([1; 16]);
const PARTIAL: PartialId = PartialId { device: 1, inode: 7 };

/// A checksum that only looks like one.
fn sum(letter: char) -> Checksum {
    let digits: String = std::iter::repeat_n(letter, 32).collect();
    Checksum::parse(&format!("md5:{digits}")).expect("a checksum")
}

fn new_file() -> File {
    let name = RemoteName::stored("https://h.test/f").expect("a URL");
    File::new(FileIndex(3), name, LocalName::parse("/tmp/f").expect("a path"))
}

/// A file of ten bytes, of which some were recorded to have come.
fn begun(durable: u64, boot: BootId) -> File {
    File {
        size: Some(Bytes(10)),
        validator: Some(Validator { etag: Some("\"a\"".to_owned()), last_modified: None }),
        durable: Bytes(durable),
        boot: Some(boot),
        ..new_file()
    }
}

#[track_caller]
fn check_scenario(file: &File, found: Option<u64>, script: &str) {
    check_ruled(file, &Rules::default(), found, script);
}

#[track_caller]
fn check_ruled(file: &File, rules: &Rules, found: Option<u64>, script: &str) {
    let found = found.map(|length| Found { length: Bytes(length), partial: PARTIAL });
    check_plan(DownloadPlan::new(Attempt(1), file, *rules, found, BOOT, BEGINNING), script);
}

/// The same for a plan that may gather files of up to ten bytes.
#[track_caller]
fn check_gathering(file: &File, script: &str) {
    let plan = DownloadPlan::new(Attempt(1), file, Rules::default(), None, BOOT, BEGINNING);
    check_plan(plan.gathering_up_to(Bytes(10)), script);
}

const BEGINNING: Timestamp = Timestamp(1_000_000);

#[track_caller]
fn check_plan(mut plan: impl Plan, script: &str) {
    let mut now = BEGINNING;
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (action, expected) = line.split_once("->").expect("a line is `what happens -> what follows`");
        perform(&mut plan, action.trim(), &mut now);
        let mut follows = Vec::new();
        loop {
            let next = plan.next(now);
            let goes_on =
                matches!(next, Next::Report(_) | Next::Seek { .. } | Next::Part(_) | Next::LeavePart(_));
            follows.push(words(&next));
            if !goes_on {
                break;
            }
        }
        assert_eq!(follows.join("; "), expected.trim(), "after `{}`", action.trim());
    }
}

fn perform(plan: &mut impl Plan, action: &str, now: &mut Timestamp) {
    let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
    let number = || Bytes(rest.split(' ').next().and_then(|text| text.parse().ok()).expect("a number"));
    match verb {
        "begin" => {}
        "answer" => plan.answered(&head(rest), *now),
        "cut" => plan.cut(PARTIAL),
        "reads" => plan.read_back(),
        "sums" => plan.summed(&sum(rest.chars().next().expect("a letter"))),
        "recorded" => plan.recorded(),
        "takes" => plan.received(number()),
        "writes" => plan.written(number()),
        "bytes" => {
            plan.received(number());
            plan.written(number());
        }
        "complete" => plan.ended(BodyEnd::Complete),
        "closed" => plan.ended(BodyEnd::Closed),
        "lost" => plan.failed(TransportError { fault: TransportFault::Aborted, message: "lost".to_owned() }),
        "left" => plan.left(),
        "held" => plan.was_held(*now),
        "refused" => plan.refused(refusal(rest)),
        "disk" => plan.not_written(local_error()),
        "synced" => plan.synced(number(), *now),
        "unsynced" => plan.not_synced(local_error()),
        "clock" => *now = *now + core::time::Duration::from_millis(number().0),
        "part" => parts::perform(plan, rest),
        "stop" => plan.stop(),
        "asked" => {
            let ends = plan.interrupt();
            assert_eq!(ends, rest == "urgently", "whether it makes way");
        }
        _ => panic!("`{action}` is no action"),
    }
}

/// `STATUS length N|chunked|close[; field: value]…`
fn head(text: &str) -> ResponseHead {
    let mut parts = text.split("; ");
    let line = parts.next().expect("a status");
    let (status, body) = line.split_once(' ').expect("a status and a body");
    let body = match body.split_once(' ') {
        Some(("length", length)) => BodyLength::Exactly(Bytes(length.parse().expect("a length"))),
        _ if body == "chunked" => BodyLength::Chunked,
        _ if body == "close" => BodyLength::UntilClose,
        _ => panic!("`{body}` is no body"),
    };
    let fields = parts.map(|field| field.split_once(": ").expect("name: value"));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ResponseHead { status: status.parse().expect("a status"), body, fields }
}

fn local_error() -> JobError {
    JobError {
        code: crate::error::Code::DISK_FULL,
        context: crate::error::ErrorContext::LocalFile,
        transient: true,
        message: "cannot write /tmp/f".to_owned(),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }
}

/// An answer that asks who asks: `server`, `proxy`, or none of them.
fn refusal(by: &str) -> JobError {
    let target = match by {
        "server" => Some(crate::credentials::AuthTarget::Server),
        "proxy" => Some(crate::credentials::AuthTarget::Proxy),
        _ => None,
    };
    let challenge = target.map(|target| crate::error::Challenge {
        target,
        host: "h.test".to_owned(),
        realm: None,
        schemes: Vec::new(),
        refused: false,
    });
    JobError {
        code: crate::error::Code::HTTP_UNAUTHORIZED,
        context: crate::error::ErrorContext::RemoteFile,
        transient: false,
        challenge,
        ..local_error()
    }
}

fn words(next: &Next) -> String {
    match next {
        Next::Fetch(fetch) => {
            let mut words = vec!["get".to_owned()];
            if fetch.remote_name.as_str() != "https://h.test/f" {
                words.push(fetch.remote_name.to_string());
            }
            if fetch.as_get {
                words.push("by GET".to_owned());
            }
            if !fetch.with_credentials {
                words.push("without credentials".to_owned());
            }
            if let Some(range) = &fetch.range {
                words.push(format!("from {}", range.from.0));
                words.extend(range.end.map(|end| format!("to {}", end.0)));
                words.extend(range.if_range.as_ref().map(|tag| format!("if {tag}")));
            }
            words.join(" ")
        }
        Next::Cut { to, sum: None, .. } => format!("cut to {}", to.0),
        Next::Cut { to, sum: Some(algorithm), .. } => format!("cut to {} for {}", to.0, algorithm.name()),
        Next::ReadBack { upto, algorithm } => format!("read {} for {}", upto.0, algorithm.name()),
        Next::Sum => "sum".to_owned(),
        Next::Seek { to } => format!("seek {}", to.0),
        Next::Receive { max: Some(max), .. } => format!("receive {}", max.0),
        Next::Receive { max: None, .. } => "receive".to_owned(),
        Next::Sync { upto } => format!("sync {}", upto.0),
        Next::Report(report) => report_words(report),
        Next::Wait => "wait".to_owned(),
        Next::Leave => "leave".to_owned(),
        Next::Part(part) => {
            format!("part {} {} {} to {}", part.id.0, part.remote_name(), part.from().0, part.end().0)
        }
        Next::LeavePart(id) => format!("leave part {}", id.0),
        Next::Rest { .. } => "rest".to_owned(),
        Next::Done(Outcome::Transferred) => "done".to_owned(),
        Next::Done(Outcome::Gathered(whole)) => {
            format!("gathered {} {}", whole.size.0, whole.validator.etag.as_deref().unwrap_or("nothing"))
        }
        Next::Done(Outcome::Satisfied(_)) => "satisfied".to_owned(),
        Next::Done(Outcome::Stopped) => "stopped".to_owned(),
        Next::Done(Outcome::Failed(error)) => {
            assert_eq!(error.file, Some(FileIndex(3)), "an error names its file");
            let kind = if error.transient { "transient" } else { "fatal" };
            format!("{kind} {}", error.code)
        }
    }
}

fn report_words(report: &Report) -> String {
    match report {
        Report::Connected { .. } => "connected".to_owned(),
        Report::Version { size, validator, boot, .. } => {
            assert_eq!(*boot, BOOT);
            let size = size.map_or("unknown".to_owned(), |size| size.0.to_string());
            let by = validator.etag.as_deref().or(validator.last_modified.as_deref()).unwrap_or("nothing");
            format!("version {size} {by}")
        }
        Report::Headers { .. } => "headers".to_owned(),
        Report::Sources { sources, .. } => mirrors::sources_words(sources),
        Report::RemoteName { remote_name, .. } => format!("is at {remote_name}"),
        Report::Progress { transferred, .. } => format!("progress {}", transferred.0),
        Report::Durable { upto, .. } => format!("durable {}", upto.0),
        Report::Filled { filled, new, .. } => {
            let words = |spans: &[Span]| {
                let words = spans.iter().map(|span| format!("{}-{}", span.from.0, span.end.0));
                words.collect::<Vec<_>>().join("+")
            };
            format!("filled {} new {}", words(filled.spans()), words(new))
        }
        Report::Beyond { beyond: Beyond::Range(range), .. } => format!("beyond {range}"),
        Report::Beyond { beyond: Beyond::Position(at), .. } => format!("beyond {}", at.0),
        Report::FileTransferred { size, .. } => format!("whole {}", size.0),
        Report::Note { text, .. } => {
            let note = [
                "counts no more",
                "goes on without that part",
                "goes on",
                "is asked from the beginning",
                "checksum",
                "changed",
                "in parts",
                "not served from",
                "from byte",
                "begins anew",
            ];
            let found = note.into_iter().find(|words| text.contains(words));
            format!("note: {}", found.unwrap_or(text))
        }
        other => panic!("the plan reports {other:?}"),
    }
}

#[test]
fn a_whole_file_is_asked_for_without_a_range_and_written_after_its_version_is_recorded() {
    check_scenario(
        &new_file(),
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0
        cut                              -> version 10 \"a\"; wait
        begin                            -> wait
        recorded                         -> receive 10
        takes 6                          -> receive 4
        writes 6                         -> receive 4
        clock 200 ms                     -> progress 6; receive 4
        takes 4                          -> wait
        writes 4                         -> sync 10
        synced 10                        -> whole 10; done
        ",
    );
}

#[test]
fn a_small_file_is_gathered_and_nothing_of_it_is_reported_before_it_is_stored() {
    check_gathering(
        &new_file(),
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; receive 10
        takes 6                          -> receive 4
        takes 4                          -> gathered 10 \"a\"
        ",
    );
    check_gathering(
        &new_file(),
        "
        begin               -> get
        answer 200 length 0 -> connected; gathered 0 nothing
        ",
    );
}

#[test]
fn what_is_gathered_and_breaks_off_leaves_nothing_behind() {
    for (event, end) in
        [("closed", "transient 0x80072EFE"), ("lost", "transient 0x80072EFE"), ("stop", "stopped")]
    {
        check_gathering(
            &new_file(),
            &format!(
                "
                begin                -> get
                answer 200 length 10 -> connected; receive 10
                takes 6              -> receive 4
                {event}              -> {end}
                "
            ),
        );
    }
}

#[test]
fn what_is_large_or_of_unknown_size_or_on_record_already_is_not_gathered() {
    for (answer, follows) in [
        ("200 length 11", "connected; cut to 0"),
        ("200 chunked", "note: begins anew; connected; cut to 0"),
        ("200 close", "note: begins anew; connected; cut to 0"),
    ] {
        check_gathering(&new_file(), &format!("begin -> get\nanswer {answer} -> {follows}"));
    }
    let script = "begin -> get\nanswer 200 length 10; etag: \"a\" -> connected; cut to 0";
    check_gathering(&begun(4, BOOT), script);
    // Also what does not count is on record, and the bytes of another version must not meet it.
    let rules = Rules { from_the_beginning: true, ..Rules::default() };
    let plan = DownloadPlan::new(Attempt(1), &begun(4, BOOT), rules, None, BOOT, BEGINNING);
    check_plan(plan.gathering_up_to(Bytes(10)), script);
}

#[test]
fn what_was_not_gathered_at_first_is_not_gathered_when_it_is_fetched_anew() {
    let digest = "content-md5: qqqqqqqqqqqqqqqqqqqqqg==";
    check_gathering(
        &new_file(),
        &format!(
            "
            begin                        -> get
            answer 200 length 3; {digest} -> connected; cut to 0 for md5
            cut                          -> version 3 nothing; wait
            recorded                     -> receive 3
            bytes 3                      -> sum
            sums b                       -> note: checksum; get
            answer 200 length 3          -> connected; cut to 0
            "
        ),
    );
}

#[test]
fn an_empty_file_is_whole_at_once() {
    check_scenario(
        &new_file(),
        None,
        "
        begin               -> get
        answer 200 length 0 -> connected; cut to 0
        cut                 -> version 0 nothing; wait
        recorded            -> sync 0
        synced 0            -> whole 0; done
        ",
    );
}

#[test]
fn the_rest_is_asked_for_with_the_validator_it_began_with() {
    check_scenario(
        &begun(2, BOOT),
        Some(6),
        "
        begin                                               -> get from 6 if \"a\"
        answer 206 length 4; content-range: bytes 6-9/10; etag: \"a\" -> connected; headers; cut to 6
        cut                                                 -> receive 4
        bytes 4                                             -> sync 10
        synced 10                                           -> whole 10; done
        ",
    );
}

#[test]
fn after_another_boot_only_what_was_synced_counts_and_the_rest_is_cut_off() {
    check_scenario(
        &begun(2, BootId([9; 16])),
        Some(6),
        "
        begin                                            -> get from 2 if \"a\"
        answer 206 length 8; content-range: bytes 2-9/10; etag: \"a\" -> connected; headers; cut to 2
        cut                                              -> receive 8
        ",
    );
}

#[test]
fn a_partial_file_that_is_not_as_it_was_left_does_not_count() {
    for (file, found) in [
        (begun(6, BOOT), Some(5)),
        (begun(6, BOOT), None),
        (begun(0, BOOT), Some(11)),
        (begun(0, BootId([9; 16])), Some(6)),
        (File { boot: None, ..begun(0, BOOT) }, Some(6)),
        (File { validator: None, ..begun(0, BOOT) }, Some(6)),
        (File { size: None, ..begun(0, BOOT) }, Some(6)),
        (File { validator: Some(Validator::default()), ..begun(6, BOOT) }, Some(6)),
    ] {
        check_scenario(&file, found, "begin -> get");
    }
}

#[test]
fn a_file_that_was_whole_when_the_service_died_is_not_asked_for_again() {
    for (file, found) in [(begun(4, BOOT), 10), (begun(10, BootId([9; 16])), 12)] {
        check_scenario(
            &file,
            Some(found),
            "
            begin     -> cut to 10
            cut       -> sync 10
            synced 10 -> whole 10; done
            ",
        );
    }
}

#[test]
fn a_changed_file_is_emptied_before_its_new_version_is_recorded() {
    check_scenario(
        &begun(4, BOOT),
        Some(6),
        "
        begin                            -> get from 6 if \"a\"
        answer 200 length 12; etag: \"b\" -> note: changed; connected; cut to 0
        cut                              -> version 12 \"b\"; wait
        recorded                         -> receive 12
        ",
    );
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    check_scenario(
        &begun(4, BOOT),
        Some(6),
        "
        begin                            -> get from 6 if \"a\"
        answer 200 length 10; etag: \"a\" -> note: in parts; connected; cut to 0
        cut                              -> version 10 \"a\"; wait
        ",
    );
}

#[test]
fn a_part_that_was_not_asked_for_is_never_content() {
    for (answer, note) in [
        ("206 length 4; content-range: bytes 5-8/10; etag: \"a\"", "not served from"),
        ("206 length 10; content-range: bytes 0-9/10; etag: \"a\"", "not served from"),
        ("206 length 3; content-range: bytes 6-9/10; etag: \"a\"", "not served from"),
        ("206 length 4; etag: \"a\"", "not served from"),
        ("206 chunked; content-type: multipart/byteranges; boundary=x; etag: \"a\"", "not served from"),
        ("206 length 4; content-range: bytes 6-9/12; etag: \"a\"", "changed"),
        ("206 length 6; content-range: bytes 6-11/*; etag: \"a\"", "changed"),
        ("206 length 4; content-range: bytes 6-9/10; etag: \"b\"", "changed"),
        ("416 length 0", "from byte"),
    ] {
        let answer = answer.replace("; boundary", ";boundary");
        check_scenario(
            &begun(4, BOOT),
            Some(6),
            &format!(
                "
                begin                            -> get from 6 if \"a\"
                answer {answer}                  -> note: {note}; get
                answer 200 length 12; etag: \"b\" -> connected; cut to 0
                cut                              -> version 12 \"b\"; wait
                "
            ),
        );
    }
}

#[test]
fn a_part_where_all_was_asked_for_is_an_error() {
    check_scenario(
        &new_file(),
        None,
        "
        begin                                            -> get
        answer 206 length 4; content-range: bytes 6-9/10 -> fatal 0x8020001B
        ",
    );
    check_scenario(
        &begun(4, BOOT),
        Some(6),
        "
        begin               -> get from 6 if \"a\"
        answer 416 length 0 -> note: from byte; get
        answer 416 length 0 -> fatal 0x801901A0
        ",
    );
}

#[test]
fn a_server_may_send_less_than_the_rest_and_is_asked_for_the_rest_of_it() {
    check_scenario(
        &begun(2, BOOT),
        Some(2),
        "
        begin                                            -> get from 2 if \"a\"
        answer 206 length 3; content-range: bytes 2-4/10; etag: \"a\" -> connected; headers; cut to 2
        cut                                              -> receive 3
        takes 3                                          -> wait
        writes 3                                         -> get from 5 if \"a\"
        answer 206 length 5; content-range: bytes 5-9/*; etag: \"a\" -> connected; receive 5
        bytes 5                                          -> sync 10
        synced 10                                        -> whole 10; done
        ",
    );
}

#[test]
fn a_broken_connection_keeps_what_has_come() {
    check_scenario(
        &new_file(),
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        takes 6                          -> receive 4
        lost                             -> wait
        writes 6                         -> sync 6
        synced 6                         -> durable 6; transient 0x80072EFE
        ",
    );
}

#[test]
fn a_body_that_ends_too_early_in_order_is_a_broken_connection_too() {
    for end in ["closed", "complete"] {
        check_scenario(
            &new_file(),
            None,
            &format!(
                "
                begin               -> get
                answer 200 length 9 -> connected; cut to 0
                cut                 -> version 9 nothing; wait
                recorded            -> receive 9
                bytes 6             -> receive 3
                {end}               -> sync 6
                synced 6            -> durable 6; transient 0x80072EFE
                "
            ),
        );
    }
}

#[test]
fn a_file_of_unknown_length_is_whole_at_its_last_chunk_or_when_the_connection_is_closed_in_order() {
    for (body, end) in [("chunked", "complete"), ("close", "closed")] {
        check_scenario(
            &new_file(),
            None,
            &format!(
                "
                begin                            -> get
                answer 200 {body}; etag: \"a\"    -> note: begins anew; connected; cut to 0
                cut                              -> version unknown \"a\"; wait
                recorded                         -> receive
                bytes 6                          -> receive
                {end}                            -> sync 6
                synced 6                         -> whole 6; done
                "
            ),
        );
    }
}

#[test]
fn bytes_are_synced_every_64_mib_and_every_two_seconds_while_more_may_come() {
    const MIB: u64 = 1024 * 1024;
    check_scenario(
        &new_file(),
        None,
        &format!(
            "
            begin                                  -> get
            answer 200 length {total}; etag: \"a\"  -> connected; cut to 0
            cut                                    -> version {total} \"a\"; wait
            recorded                               -> receive {total}
            bytes {burst}                          -> sync {burst}
            bytes 1                                -> receive {after}
            clock 2000 ms                          -> progress {then}; receive {after}
            synced {burst}                         -> durable {burst}; receive {after}
            clock 1999 ms                          -> receive {after}
            clock 1 ms                             -> sync {then}
            synced {then}                          -> durable {then}; receive {after}
            ",
            total = 100 * MIB,
            burst = 64 * MIB,
            then = 64 * MIB + 1,
            after = 36 * MIB - 1,
        ),
    );
}

#[test]
fn a_stopped_attempt_brings_home_what_has_come() {
    check_scenario(
        &new_file(),
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        takes 6                          -> receive 4
        stop                             -> wait
        writes 6                         -> sync 6
        synced 6                         -> durable 6; stopped
        ",
    );
    check_scenario(&begun(2, BOOT), Some(6), "begin -> get from 6 if \"a\"\nstop -> stopped");
}

#[test]
fn a_full_disk_keeps_what_was_written() {
    check_scenario(
        &new_file(),
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        bytes 6                          -> receive 4
        takes 2                          -> receive 2
        disk                             -> sync 6
        synced 6                         -> durable 6; transient 0x80070070
        ",
    );
}

#[test]
fn what_a_failed_sync_leaves_uncertain_is_cut_off() {
    check_scenario(
        &new_file(),
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        bytes 3                          -> receive 7
        clock 2000 ms                    -> sync 3
        synced 3                         -> durable 3; progress 3; receive 7
        bytes 3                          -> receive 4
        clock 2000 ms                    -> sync 6
        takes 1                          -> progress 6; receive 3
        unsynced                         -> wait
        writes 1                         -> cut to 3
        cut                              -> transient 0x80070070
        ",
    );
}

#[test]
fn redirects_are_followed_and_credentials_stay_at_home() {
    check_scenario(
        &new_file(),
        None,
        "
        begin                                                    -> get
        answer 301 length 0; location: /g                        -> get https://h.test/g
        answer 302 length 0; location: https://o.test/x?k=1      -> get https://o.test/x?k=1 without credentials
        answer 307 length 0; location: https://h.test:443/f      -> get
        answer 308 length 0; location: https://h.test:444/f      -> get https://h.test:444/f without credentials
        answer 303 length 0; location: https://h.test/g          -> get https://h.test/g by GET
        answer 302 length 0; location: https://h.test/i          -> get https://h.test/i by GET
        answer 303 length 0; location: http://h.test/f           -> fatal 0x8019012F
        ",
    );
    for (answer, outcome) in [
        ("302 length 0", "fatal 0x8019012E"),
        ("302 length 0; location: file:///etc/passwd", "fatal 0x8019012E"),
        ("302 length 0; location: http://[", "fatal 0x8019012E"),
        ("304 length 0", "fatal 0x80190130"),
        ("300 length 0; location: /g", "fatal 0x8019012C"),
    ] {
        check_scenario(&new_file(), None, &format!("begin -> get\nanswer {answer} -> {outcome}"));
    }
}

#[test]
fn a_redirect_that_leads_in_circles_ends() {
    let mut script = "begin -> get\n".to_owned();
    for _ in 0..20 {
        script += "answer 302 length 0; location: /f -> get\n";
    }
    script += "answer 302 length 0; location: /f -> fatal 0x8019012E\n";
    check_scenario(&new_file(), None, &script);
}

#[test]
fn a_redirect_to_plain_http_is_refused_in_words_that_name_both_addresses() {
    let mut plan = DownloadPlan::new(Attempt(1), &new_file(), Rules::default(), None, BOOT, Timestamp(0));
    assert!(matches!(plan.next(Timestamp(0)), Next::Fetch(_)));
    plan.answered(&head("302 length 0; location: http://o.test/x?token=hunter2"), Timestamp(0));
    let Next::Done(Outcome::Failed(error)) = plan.next(Timestamp(0)) else { panic!("it is refused") };
    assert!(error.message.contains("https://h.test/f"), "{}", error.message);
    assert!(error.message.contains("http://o.test/x"), "{}", error.message);
    assert!(!error.message.contains("hunter2"), "{}", error.message);
}

#[test]
fn statuses_end_the_attempt() {
    for (answer, outcome) in [
        ("404 length 0", "fatal 0x80190194"),
        ("403 chunked", "fatal 0x80190193"),
        ("503 close", "transient 0x801901F7"),
        ("429 length 0", "transient 0x801901AD"),
        ("204 length 0", "transient 0x801900CC"),
        ("200 length 5; content-encoding: gzip", "fatal 0x8020001B"),
    ] {
        check_scenario(&new_file(), None, &format!("begin -> get\nanswer {answer} -> {outcome}"));
    }
    let identity = "begin -> get\nanswer 200 length 5; content-encoding: identity -> connected; cut to 0";
    check_scenario(&new_file(), None, identity);
}
