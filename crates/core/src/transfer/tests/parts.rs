//! Files that come in parts: who fetches what, what is given to another, and when there are no parts at
//! all. With the numbers here a file of 100 bytes just comes in parts, of which none is less than three.

use super::mirrors::mirrors;
use super::*;
use crate::demand::Filled;
use crate::file::{ResumeBy, Served};
use crate::ranges::{ByteRange, Ranges};
use crate::sources::{DropReason, SourceIndex};

/// `NUMBER writes UPTO` or `NUMBER ends HOW`.
pub(super) fn perform(plan: &mut impl Plan, action: &str) {
    let [number, verb, how] = action.split(' ').collect::<Vec<_>>()[..] else { panic!("`{action}`") };
    let id = PartId(number.parse().expect("a number"));
    let failed = |reason| PartEnd::Failed(reason, JobError { context: RemoteFile, ..local_error() });
    use crate::error::ErrorContext::RemoteFile;
    match (verb, how) {
        ("writes", upto) => plan.part_written(id, Bytes(upto.parse().expect("a number"))),
        ("ends", "whole") => plan.part_ended(id, PartEnd::Whole, None),
        ("ends", "left") => plan.part_ended(id, PartEnd::Left, None),
        ("ends", "full") => plan.part_ended(id, PartEnd::NoRoom, None),
        ("ends", "here") => plan.part_ended(id, PartEnd::Here(local_error()), None),
        ("ends", reason) => {
            plan.part_ended(id, failed(DropReason::named(reason).expect("a reason")), None);
        }
        _ => panic!("`{action}`"),
    }
}

const PARTS: PartsRules = PartsRules { most: 3, of_one_server: 1, bytes_min: Bytes(100) };

fn ruled(parts: PartsRules) -> Rules {
    Rules { parts: Some(parts), ..Rules::default() }
}

/// A file with one mirror whose checksum is known.
fn checked() -> File {
    File { sources: mirrors(1), checksum: Some(sum('a')), ..new_file() }
}

#[track_caller]
fn check(file: &File, script: &str) {
    check_ruled(file, &ruled(PARTS), None, script);
}

/// The front comes, at eighteen bytes a second, and the mirror has got its half of the rest.
const BEGUN: &str = "
    begin                 -> get
    answer 200 length 100; etag: \"x\" -> connected; cut to 0
    cut                   -> version 100 \"x\"; wait
    recorded              -> receive 100
    bytes 1               -> receive 99
    bytes 9               -> receive 90
    clock 500 ms          -> part 0 https://m1.test/f 55 to 100; progress 10; receive 45
    ";

#[test]
fn what_is_left_is_divided_so_that_all_sources_are_ready_at_the_same_time() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 writes 70 -> sources ready* ready+; receive 45
            bytes 45         -> leave
            left             -> rest
            part 0 writes 100 -> leave part 0; wait
            part 0 ends whole -> read 100 for md5
            reads            -> sum
            sums a           -> sync 100
            synced 100       -> whole 100; done
            "
        ),
    );
}

#[test]
fn where_there_is_no_connection_for_a_part_none_is_begun_for_a_while_and_the_front_goes_on() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 ends full -> receive 90
            bytes 9          -> receive 81
            clock 500 ms     -> progress 19; receive 81
            bytes 9          -> receive 72
            clock 1400 ms    -> sync 28
            synced 28        -> filled 0-28 new ; progress 28; receive 72
            bytes 2          -> receive 70
            clock 200 ms     -> part 1 https://m1.test/f 65 to 100; progress 30; receive 35
            "
        ),
    );
}

#[test]
fn who_is_ready_first_takes_its_share_of_what_a_slower_one_has_left() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 writes 56  -> sources ready* ready+; receive 45
            part 0 writes 57  -> receive 45
            bytes 45          -> leave
            left              -> rest
            clock 500 ms      -> part 1 https://h.test/f 62 to 100; progress 57; rest
            part 1 writes 100 -> leave part 1; rest
            "
        ),
    );
}

#[test]
fn a_source_that_fails_is_dropped_and_its_part_is_fetched_in_front() {
    for reason in ["broken", "refused", "other"] {
        check(
            &checked(),
            &format!(
                "{BEGUN}
                part 0 writes 60   -> sources ready* ready+; receive 45
                part 0 ends {reason} -> note: goes on without that part; sources ready* {reason}; receive 45
                bytes 45           -> leave
                left               -> get from 60 to 100 if \"x\"
                answer 206 length 40; content-range: bytes 60-99/100; etag: \"x\" -> connected; seek 60; receive 40
                bytes 40           -> read 100 for md5
                reads              -> sum
                sums a             -> sync 100
                synced 100         -> whole 100; done
                "
            ),
        );
    }
}

#[test]
fn when_the_source_in_front_breaks_off_the_others_go_on_and_take_what_it_has_left() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 writes 60  -> sources ready* ready+; receive 45
            lost              -> note: goes on; sources broken* ready+; rest
            part 0 writes 100 -> leave part 0; rest
            part 0 ends whole -> get https://m1.test/f without credentials from 10 to 55
            answer 206 length 45; content-range: bytes 10-54/100; etag: \"y\" -> sources broken ready*; connected; seek 10; receive 45
            bytes 45          -> read 100 for md5
            "
        ),
    );
}

#[test]
fn what_sums_up_to_something_else_comes_once_more_from_one_source_alone() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 writes 100 -> sources ready* ready+; leave part 0; receive 45
            part 0 ends whole -> part 1 https://m1.test/f 33 to 55; receive 23
            bytes 23          -> leave
            left              -> rest
            part 1 writes 55  -> leave part 1; wait
            part 1 ends whole -> read 100 for md5
            reads             -> sum
            sums b            -> note: is asked from the beginning; get
            answer 200 length 100; etag: \"x\" -> sources ready* ready; connected; cut to 0 for md5
            cut               -> version 100 \"x\"; wait
            recorded          -> receive 100
            bytes 10          -> receive 90
            clock 500 ms      -> progress 10; receive 90
            bytes 90          -> sum
            "
        ),
    );
}

#[test]
fn what_is_synced_is_told_and_nothing_else_counts_after_a_kill() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 writes 60 -> sources ready* ready+; receive 45
            clock 1500 ms    -> sync 10
            part 0 writes 80 -> progress 35; receive 45
            synced 10        -> filled 0-10+55-60 new ; receive 45
            stop             -> leave part 0; wait
            part 0 ends left -> sync 10
            synced 10        -> filled 0-10+55-80 new ; stopped
            "
        ),
    );
    let filled =
        Filled::of([(0, 10), (55, 80)].map(|(from, end)| Span { from: Bytes(from), end: Bytes(end) }));
    let mut file = File { durable: filled.total(), size: Some(Bytes(100)), ..begun(35, BOOT) };
    (file.checksum, file.sources) = (Some(sum('a')), mirrors(1));
    file.demand.filled = filled;
    file.served = Served { in_parts: true, ..Served::default() };
    // Longer than what counts, as it was when it was killed.
    check_ruled(
        &file,
        &ruled(PARTS),
        Some(100),
        "
        begin -> get from 10 to 55 if \"a\"
        answer 206 length 45; content-range: bytes 10-54/100; etag: \"a\" -> connected; headers; cut to 80
        cut   -> seek 10; part 0 https://m1.test/f 80 to 100; receive 45
        bytes 45          -> rest
        part 0 writes 100 -> sources ready* ready+; leave part 0; wait
        part 0 ends whole -> read 100 for md5
        ",
    );
    // Shorter: somebody has changed it.
    check_ruled(&file, &ruled(PARTS), Some(79), "begin -> get");
}

#[test]
fn what_a_source_that_has_stopped_was_to_send_is_fetched_by_another() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 writes 60  -> sources ready* ready+; receive 45
            bytes 45          -> leave
            left              -> rest
            clock 500 ms      -> leave part 0; note: goes on without that part; sources ready* slow; part 1 https://h.test/f 60 to 100; progress 60; rest
            part 0 ends left  -> rest
            part 1 writes 100 -> leave part 1; wait
            part 1 ends whole -> read 100 for md5
            "
        ),
    );
}

#[test]
fn a_full_disk_met_by_a_part_ends_the_attempt() {
    check(
        &checked(),
        &format!(
            "{BEGUN}
            part 0 ends here -> sync 10
            synced 10        -> filled 0-10 new ; transient {}
            ",
            local_error().code
        ),
    );
}

#[test]
fn there_are_no_parts_where_they_would_not_help_or_nothing_would_hold_them_together() {
    let answer = "200 length 100; etag: \"x\"";
    let is_in_parts = |file: &File, rules: &Rules, answer: &str| {
        let mut plan = DownloadPlan::new(Attempt(1), file, *rules, None, BOOT, BEGINNING);
        while !matches!(plan.next(BEGINNING), Next::Fetch(_)) {}
        plan.answered(&head(answer), BEGINNING);
        while !matches!(plan.next(BEGINNING), Next::Cut { .. }) {}
        plan.cut(PARTIAL);
        loop {
            if let Next::Report(Report::Version { served, .. }) = plan.next(BEGINNING) {
                return served.in_parts;
            }
        }
    };
    let one = File { sources: Default::default(), ..checked() };
    let plain = File { checksum: None, ..checked() };
    let ranged = Ranges::new(vec![ByteRange::parse("0:100").expect("a range")]).expect("ranges");
    let local = RemoteName::stored("file:///tmp/f").expect("a URL");
    let usual = ruled(PARTS);
    for (what, file, rules, answer, expected) in [
        ("a checksum", &checked(), usual, answer, true),
        ("a checksum and no tag", &checked(), usual, "200 length 100", false),
        ("a strong tag", &plain, usual, answer, true),
        ("a weak tag", &plain, usual, "200 length 100; etag: W/\"x\"", false),
        ("a small file", &checked(), usual, "200 length 99; etag: \"x\"", false),
        ("a file of unknown size", &checked(), usual, "200 chunked; etag: \"x\"", false),
        ("one source", &one, usual, answer, false),
        ("one source and much haste", &one, ruled(PartsRules { of_one_server: 3, ..PARTS }), answer, true),
        ("one connection", &checked(), ruled(PartsRules { most: 1, ..PARTS }), answer, false),
        ("dynamic content", &checked(), Rules { from_the_beginning: true, ..usual }, answer, false),
        ("no rules", &checked(), Rules::default(), answer, false),
        ("a local file", &File { remote_name: local, ..checked() }, usual, answer, false),
    ] {
        assert_eq!(is_in_parts(file, &rules, answer), expected, "{what}");
    }
    let file = File { ranges: ranged, ..checked() };
    check_ruled(
        &file,
        &usual,
        None,
        "
        begin -> get from 0 to 100
        answer 206 length 100; content-range: bytes 0-99/100; etag: \"x\" -> connected; cut to 0 for md5
        ",
    );
}

/// A part of the file that is here, with the tag `"x"`.
fn part(source: u8, by: ResumeBy) -> PartPlan {
    let answer = head("200 length 100; etag: \"x\"");
    let mut version = super::super::version::Version::of_whole(&answer);
    version.served.source = SourceIndex::ORIGINAL;
    let host = if source == 0 { "h" } else { "m1" };
    PartPlan::new(PartAsked {
        id: PartId(7),
        attempt: Attempt(1),
        file: FileIndex(3),
        remote_name: RemoteName::stored(&format!("https://{host}.test/f")).expect("a URL"),
        original: new_file().remote_name,
        from: Bytes(50),
        end: Bytes(60),
        if_range: (by == ResumeBy::Validator).then(|| "\"x\"".to_owned()),
        version,
        by,
        validator: None,
        redirects: Default::default(),
    })
}

#[test]
fn a_part_is_written_where_it_belongs_and_may_come_in_pieces() {
    check_plan(
        part(1, ResumeBy::Validator),
        "
        begin    -> get https://m1.test/f without credentials from 50 to 60 if \"x\"
        answer 302 length 0; location: https://n.test/g -> get https://n.test/g without credentials from 50 to 60 if \"x\"
        answer 206 length 4; content-range: bytes 50-53/100; etag: \"x\" -> seek 50; receive 4
        takes 4  -> wait
        writes 4 -> progress 54; get https://n.test/g without credentials from 54 to 60 if \"x\"
        answer 206 length 6; content-range: bytes 54-59/100; etag: \"x\" -> seek 54; receive 6
        bytes 6  -> progress 60; done
        ",
    );
}

#[test]
fn nothing_of_a_part_is_written_unless_the_answer_is_just_what_was_asked_for() {
    let right = "206 length 10; content-range: bytes 50-59/100; etag: \"x\"";
    for (by, answer, reason) in [
        (ResumeBy::Validator, right, None),
        (ResumeBy::Checksum, right, None),
        (ResumeBy::Checksum, "206 length 10; content-range: bytes 50-59/100; etag: \"z\"", None),
        (ResumeBy::Checksum, "206 length 10; content-range: bytes 50-59/100", None),
    ]
    .into_iter()
    .chain(
        [
            ("206 length 10; content-range: bytes 50-59/100; etag: \"y\"", DropReason::Other),
            ("206 length 10; content-range: bytes 50-59/100", DropReason::Other),
            ("206 length 10; content-range: bytes 50-59/101; etag: \"x\"", DropReason::Other),
            ("206 length 10; content-range: bytes 50-59/*; etag: \"x\"", DropReason::Other),
            ("206 length 10; content-range: bytes 49-58/100; etag: \"x\"", DropReason::Other),
            ("206 length 11; content-range: bytes 50-60/100; etag: \"x\"", DropReason::Other),
            ("206 length 9; content-range: bytes 50-59/100; etag: \"x\"", DropReason::Other),
            ("206 length 10; etag: \"x\"", DropReason::Other),
            ("200 length 100; etag: \"x\"", DropReason::Other),
            ("416 length 0", DropReason::Other),
            (
                "206 length 10; content-range: bytes 50-59/100; etag: \"x\"; content-encoding: gzip",
                DropReason::Refused,
            ),
            ("404 length 0", DropReason::Refused),
            ("503 length 0", DropReason::Refused),
        ]
        .map(|(answer, reason)| (ResumeBy::Validator, answer, Some(reason))),
    ) {
        let mut plan = part(1, by);
        assert!(matches!(plan.next(BEGINNING), Next::Fetch(_)));
        plan.answered(&head(answer), BEGINNING);
        let is_placed = matches!(plan.next(BEGINNING), Next::Seek { to: Bytes(50) });
        assert_eq!(is_placed, reason.is_none(), "{answer}");
        match (plan.into_end().0, reason) {
            (PartEnd::Failed(found, error), Some(expected)) => {
                assert_eq!((found, error.file), (expected, Some(FileIndex(3))), "{answer}");
            }
            (PartEnd::Left, None) => {}
            other => panic!("{other:?} after {answer}"),
        }
    }
}

#[test]
fn a_part_that_is_left_or_breaks_off_brings_home_what_has_come() {
    for (event, end) in
        [("stop", "stopped"), ("lost", "transient 0x80072EFE"), ("closed", "transient 0x80072EFE")]
    {
        check_plan(
            part(0, ResumeBy::Validator),
            &format!(
                "
                begin    -> get from 50 to 60 if \"x\"
                answer 206 length 10; content-range: bytes 50-59/100; etag: \"x\" -> seek 50; receive 10
                takes 4  -> receive 6
                {event}  -> wait
                writes 4 -> progress 54; {end}
                "
            ),
        );
    }
}
