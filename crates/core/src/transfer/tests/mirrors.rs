//! Files with several sources: who is asked, who is dropped, and what is kept.

use super::*;
use crate::file::ResumeBy;
use crate::sources::{DropReason, Dropped, Mirror, MirrorOrigin, SourceIndex, Sources};

/// The sources, a word for each: `ready`, or why it was dropped; the one in use with a star.
pub(super) fn sources_words(sources: &Sources) -> String {
    let word = |place| {
        let state = sources.dropped(place).map_or("ready", |dropped| dropped.reason.name());
        let mark = match (sources.in_use == place, sources.beside.contains(&place)) {
            (true, _) => "*",
            (_, true) => "+",
            _ => "",
        };
        format!("{state}{mark}")
    };
    format!("sources {}", sources.places().map(word).collect::<Vec<_>>().join(" "))
}

pub(super) fn mirrors(count: usize) -> Sources {
    let mirror = |number: usize| Mirror {
        remote_name: RemoteName::stored(&format!("https://m{number}.test/f")).expect("a URL"),
        origin: MirrorOrigin::Given,
        dropped: None,
    };
    Sources { mirrors: (1..=count).map(mirror).collect(), ..Sources::default() }
}

/// A new file with two mirrors.
fn with_mirrors() -> File {
    File { sources: mirrors(2), ..new_file() }
}

/// The same, and its checksum is known.
fn with_checksum() -> File {
    File { checksum: Some(sum('a')), ..with_mirrors() }
}

/// A file of which a part came from a source.
fn begun_at(source: u8) -> File {
    let mut file = File { sources: mirrors(2), ..begun(0, BOOT) };
    file.served.source = SourceIndex(source);
    file
}

#[test]
fn without_a_tie_another_source_begins_anew() {
    check_scenario(
        &with_mirrors(),
        None,
        "
        begin                -> get
        answer 404 length 0  -> note: is asked from the beginning; sources refused* ready ready; get https://m1.test/f without credentials
        answer 503 length 0  -> note: is asked from the beginning; sources refused* refused ready; get https://m2.test/f without credentials
        answer 200 length 10 -> sources refused refused ready*; connected; cut to 0
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 10             -> sync 10
        synced 10            -> whole 10; done
        ",
    );
}

#[test]
fn with_a_checksum_what_has_come_is_kept_and_all_of_it_is_looked_at_in_the_end() {
    check_scenario(
        &with_checksum(),
        None,
        "
        begin                -> get
        answer 200 length 10 -> connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        takes 4              -> receive 6
        lost                 -> note: goes on; sources broken* ready ready; wait
        writes 4             -> get https://m1.test/f without credentials from 4
        answer 206 length 6; content-range: bytes 4-9/10; etag: \"z\" -> sources broken ready*; connected; receive 6
        bytes 6              -> sum
        sums a               -> sync 10
        synced 10            -> whole 10; done
        "
        .replace("sources broken ready*;", "sources broken ready* ready;")
        .as_str(),
    );
}

#[test]
fn with_one_strong_tag_and_one_length_what_has_come_is_kept() {
    let go_on = "
        begin -> get from 4 if \"a\"
        lost  -> note: goes on; sources broken* ready ready; get https://m1.test/f without credentials from 4 if \"a\"
        ";
    for (answer, follows) in [
        (
            "206 length 6; content-range: bytes 4-9/10; etag: \"a\"",
            "sources broken ready* ready; connected; cut to 4",
        ),
        // The length, the tag, or the place is another; or nothing is said of it.
        ("206 length 7; content-range: bytes 4-10/11; etag: \"a\"", NEXT),
        ("206 length 6; content-range: bytes 4-9/*; etag: \"a\"", NEXT),
        ("206 length 6; content-range: bytes 4-9/10; etag: \"b\"", NEXT),
        ("206 length 6; content-range: bytes 4-9/10; etag: W/\"a\"", NEXT),
        ("206 length 6; content-range: bytes 4-9/10", NEXT),
        ("206 length 6; content-range: bytes 3-8/10; etag: \"a\"", NEXT),
        ("206 length 6", NEXT),
        ("200 length 10; etag: \"a\"", NEXT),
        ("416 length 0", NEXT),
    ] {
        check_scenario(&begun_at(0), Some(4), &format!("{go_on}\nanswer {answer} -> {follows}"));
    }
}

/// The first mirror has something else, the second one is asked for the rest.
const NEXT: &str =
    "note: goes on; sources broken* other ready; get https://m2.test/f without credentials from 4 if \"a\"";

#[test]
fn a_weak_tag_or_a_date_ties_no_two_servers() {
    let date = Some("Wed, 25 Nov 2026 12:00:00 GMT".to_owned());
    for validator in [
        Validator { etag: Some("W/\"a\"".to_owned()), last_modified: date.clone() },
        Validator { etag: None, last_modified: date.clone() },
    ] {
        let file = File { validator: Some(validator), resume_by: ResumeBy::SizeAndTime, ..begun_at(0) };
        // Nothing has come in this attempt, so the original may be gone for good.
        check_scenario(
            &file,
            Some(4),
            "
            begin -> get from 4
            lost  -> note: is asked from the beginning; sources broken* ready ready; get https://m1.test/f without credentials
            answer 200 length 10 -> note: begins anew; sources broken ready* ready; connected; cut to 0
            "
            .replace("note: begins anew; ", "")
            .as_str(),
        );
    }
}

#[test]
fn without_a_tie_a_source_that_has_just_delivered_is_waited_for() {
    check_scenario(
        &begun_at(0),
        Some(4),
        "
        begin -> get from 4 if \"a\"
        answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> connected; headers; cut to 4
        cut   -> receive 6
        ",
    );
    let date = Some("Wed, 25 Nov 2026 12:00:00 GMT".to_owned());
    let file = File { validator: Some(Validator { etag: None, last_modified: date }), ..begun_at(0) };
    check_scenario(
        &file,
        Some(4),
        "
        begin -> get from 4 if Wed, 25 Nov 2026 12:00:00 GMT
        answer 206 length 6; content-range: bytes 4-9/10 -> connected; headers; cut to 4
        cut     -> receive 6
        bytes 2 -> receive 4
        lost    -> sources broken* ready ready; sync 6
        synced 6 -> durable 6; transient 0x80072EFE
        ",
    );
}

#[test]
fn what_mirrors_with_another_version_say_does_not_make_it_forgotten() {
    let script = |event: &str, end: &str| {
        format!(
            "
            begin -> get from 4 if \"a\"
            answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> connected; headers; cut to 4
            cut     -> receive 6
            bytes 2 -> receive 4
            {event}
            answer 200 length 10; etag: \"b\" -> note: goes on; sources broken* other ready; get https://m2.test/f without credentials from 6 if \"a\"
            {end}
            "
        )
    };
    let lost = "lost -> note: goes on; sources broken* ready ready; get https://m1.test/f without credentials from 6 if \"a\"";
    // It has just sent something, and may do so again.
    let end = "answer 200 length 10; etag: \"b\" -> sources broken* other other; sync 6
               synced 6 -> durable 6; transient 0x80072EFE";
    check_scenario(&begun_at(0), Some(4), &script(lost, end));
    // It is gone.
    check_scenario(
        &begun_at(0),
        Some(4),
        "
        begin -> get from 4 if \"a\"
        answer 404 length 0 -> note: goes on; sources refused* ready ready; get https://m1.test/f without credentials from 4 if \"a\"
        answer 200 length 10; etag: \"b\" -> note: goes on; sources refused* other ready; get https://m2.test/f without credentials from 4 if \"a\"
        answer 200 length 10; etag: \"b\" -> note: is asked from the beginning; sources refused* ready other; get https://m1.test/f without credentials
        answer 200 length 10; etag: \"b\" -> sources refused ready* other; connected; cut to 0
        ",
    );
}

#[test]
fn the_next_attempt_begins_where_the_last_bytes_belong() {
    check_scenario(
        &begun_at(2),
        Some(4),
        "
        begin -> get https://m2.test/f without credentials from 4 if \"a\"
        lost  -> note: goes on; sources ready* ready broken; get from 4 if \"a\"
        answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> connected; cut to 4
        ",
    );
}

#[test]
fn a_mirror_that_lies_about_the_whole_file_is_named_and_another_one_is_asked() {
    check_scenario(
        &with_checksum(),
        None,
        "
        begin                -> get
        answer 200 length 10 -> connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 10             -> sum
        sums b               -> note: is asked from the beginning; sources lied* ready ready; get https://m1.test/f without credentials
        answer 200 length 10 -> sources lied ready* ready; connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 10             -> sum
        sums b               -> note: is asked from the beginning; sources lied lied* ready; get https://m2.test/f without credentials
        answer 200 length 10 -> sources lied lied ready*; connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 10             -> sum
        sums b               -> sources lied lied lied*; fatal 0x80200055
        "
        .replace("fatal 0x80200055", &format!("sync 10\nsynced 10 -> durable 10; fatal {}", crate::error::Code::VALIDATION_FAILED))
        .as_str(),
    );
}

#[test]
fn a_file_of_several_that_is_wrong_is_fetched_from_one_at_a_time_so_that_the_liar_is_found() {
    check_scenario(
        &with_checksum(),
        None,
        "
        begin                -> get
        answer 200 length 10 -> connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 4              -> receive 6
        lost                 -> note: goes on; sources broken* ready ready; get https://m1.test/f without credentials from 4
        answer 206 length 6; content-range: bytes 4-9/10 -> sources broken ready* ready; connected; receive 6
        bytes 6              -> sum
        sums b               -> note: is asked from the beginning; sources ready ready* ready; get
        answer 200 length 10 -> sources ready* ready ready; connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 10             -> sum
        sums a               -> sync 10
        synced 10            -> whole 10; done
        ",
    );
    // One of them is wrong by itself: its name is known then. What breaks off is of no use to another.
    check_scenario(
        &File { durable: Bytes(10), ..File { checksum: Some(sum('a')), ..begun_at(0) } },
        Some(10),
        "
        begin                -> read 10 for md5
        reads                -> cut to 10
        cut                  -> sum
        sums b               -> note: is asked from the beginning; get
        answer 200 length 10 -> connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 4              -> receive 6
        lost                 -> note: is asked from the beginning; sources broken* ready ready; get https://m1.test/f without credentials
        answer 200 length 10 -> sources broken ready* ready; connected; cut to 0 for md5
        cut                  -> version 10 nothing; wait
        recorded             -> receive 10
        bytes 10             -> sum
        sums b               -> note: is asked from the beginning; sources broken lied* ready; get https://m2.test/f without credentials
        ",
    );
}

#[test]
fn who_asks_the_owner_for_credentials_is_not_passed_by() {
    for (asks, follows) in [
        ("server", "fatal 0x80190191"),
        ("proxy", "fatal 0x80190191"),
        (
            "nobody",
            "note: is asked from the beginning; sources refused* ready ready; get https://m1.test/f without credentials",
        ),
    ] {
        check_scenario(&with_mirrors(), None, &format!("begin -> get\nrefused {asks} -> {follows}"));
    }
    // A mirror that is elsewhere gets no credentials, so there is nothing to ask for.
    check_scenario(
        &with_mirrors(),
        None,
        "
        begin               -> get
        answer 404 length 0 -> note: is asked from the beginning; sources refused* ready ready; get https://m1.test/f without credentials
        refused server      -> note: is asked from the beginning; sources refused* refused ready; get https://m2.test/f without credentials
        refused proxy       -> fatal 0x80190191
        ",
    );
}

#[test]
fn when_all_have_failed_the_error_is_one_that_time_may_cure() {
    let script = |second: &str, end: &str| {
        format!(
            "
            begin                      -> get
            answer 404 length 0        -> note: is asked from the beginning; sources refused* ready ready; get https://m1.test/f without credentials
            answer {second} length 0   -> note: is asked from the beginning; sources refused* refused ready; get https://m2.test/f without credentials
            answer 410 length 0        -> sources refused* refused refused; {end}
            "
        )
    };
    check_scenario(&with_mirrors(), None, &script("503", "transient 0x801901F7"));
    check_scenario(&with_mirrors(), None, &script("403", "fatal 0x80190194"));
}

#[test]
fn a_size_that_is_known_is_looked_at_before_a_byte_is_written() {
    let sources = Sources { size: Some(Bytes(10)), ..mirrors(1) };
    check_scenario(
        &File { sources: sources.clone(), ..new_file() },
        None,
        "
        begin                -> get
        answer 200 length 11 -> note: is asked from the beginning; sources lied* ready; get https://m1.test/f without credentials
        answer 200 chunked   -> note: begins anew; sources lied ready*; connected; cut to 0
        cut                  -> version unknown nothing; wait
        recorded             -> receive
        bytes 9              -> receive
        complete             -> sources lied lied*; sync 9
        ",
    );
    let alone = Sources { size: Some(Bytes(10)), ..Sources::default() };
    let error = crate::error::Code::VALIDATION_FAILED;
    let script = format!("begin -> get\nanswer 200 length 11 -> fatal {error}");
    check_scenario(&File { sources: alone, ..new_file() }, None, &script);
}

#[test]
fn a_source_that_stalls_is_left_where_another_can_go_on() {
    check_scenario(
        &begun_at(0),
        Some(4),
        "
        begin -> get from 4 if \"a\"
        answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> connected; headers; cut to 4
        cut          -> receive 6
        bytes 1      -> receive 5
        clock 9999 ms -> sync 5
        synced 5     -> durable 5; progress 5; receive 5
        clock 1 ms   -> leave
        bytes 1      -> leave
        left         -> note: goes on; sources slow* ready ready; get https://m1.test/f without credentials from 6 if \"a\"
        answer 404 length 0 -> note: goes on; sources slow* refused ready; get https://m2.test/f without credentials from 6 if \"a\"
        answer 404 length 0 -> note: goes on; sources ready* refused refused; get from 6 if \"a\"
        answer 206 length 4; content-range: bytes 6-9/10; etag: \"a\" -> connected; receive 4
        clock 20000 ms -> sync 6
        synced 6     -> durable 6; progress 6; receive 4
        ",
    );
    // Where nobody can go on with what is here, one waits, as without mirrors.
    let date = Some("Wed, 25 Nov 2026 12:00:00 GMT".to_owned());
    let file = File { validator: Some(Validator { etag: None, last_modified: date }), ..begun_at(0) };
    check_scenario(
        &file,
        Some(4),
        "
        begin -> get from 4 if Wed, 25 Nov 2026 12:00:00 GMT
        answer 206 length 6; content-range: bytes 4-9/10 -> connected; headers; cut to 4
        cut            -> receive 6
        clock 60000 ms -> sync 4
        synced 4       -> durable 4; receive 6
        ",
    );
}

#[test]
fn a_source_that_we_hold_back_is_not_taken_for_slow() {
    check_scenario(
        &begun_at(0),
        Some(4),
        "
        begin -> get from 4 if \"a\"
        answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> connected; headers; cut to 4
        cut           -> receive 6
        clock 9999 ms -> sync 4
        synced 4      -> durable 4; receive 6
        held          -> receive 6
        clock 9999 ms -> receive 6
        clock 1 ms    -> leave
        ",
    );
}

#[test]
fn what_broke_while_a_slow_source_was_left_is_said_once() {
    for (event, reason) in [("left", "slow"), ("lost", "broken")] {
        check_scenario(
            &begun_at(0),
            Some(4),
            &format!(
                "
                begin -> get from 4 if \"a\"
                answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> connected; headers; cut to 4
                cut            -> receive 6
                clock 10000 ms -> leave
                {event}        -> note: goes on; sources {reason}* ready ready; get https://m1.test/f without credentials from 4 if \"a\"
                left           -> wait
                "
            ),
        );
    }
}

const LINKS: &str = "link: <https://l.test/f>;rel=duplicate;pri=2, <https://k.test/f>;rel=duplicate;pri=1";

#[test]
fn mirrors_that_the_server_tells_of_are_taken_where_a_tag_or_a_checksum_tells() {
    let date = "last-modified: Wed, 25 Nov 2026 12:00:00 GMT; date: Thu, 26 Nov 2026 12:00:00 GMT";
    let sha = "repr-digest: sha-256=:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:";
    let md5 = "content-md5: qqqqqqqqqqqqqqqqqqqqqg==";
    for (fields, taken) in
        [("etag: \"a\"", true), (sha, true), ("etag: W/\"a\"", false), (date, false), (md5, false)]
    {
        let sum = match fields {
            _ if fields == sha => " for sha256",
            _ if fields == md5 => " for md5",
            _ => "",
        };
        let known = if taken { "; sources ready* ready ready" } else { "" };
        let (before, after) = ("connected", format!("; cut to 0{sum}"));
        let script =
            format!("begin -> get\nanswer 200 length 10; {fields}; {LINKS} -> {before}{known}{after}");
        check_scenario(&new_file(), None, &script);
    }
    let dynamic = Rules { from_the_beginning: true, ..Rules::default() };
    let script = format!("begin -> get\nanswer 200 length 10; etag: \"a\"; {LINKS} -> connected; cut to 0");
    check_ruled(&new_file(), &dynamic, None, &script);
    check_gathering(
        &new_file(),
        &format!("begin -> get\nanswer 200 length 10; etag: \"a\"; {LINKS} -> connected; receive 10"),
    );
}

#[test]
fn a_mirror_that_only_the_server_names_never_begins_a_file_that_no_checksum_tells() {
    let begun = |fields: &str, sum: &str| {
        format!(
            "
            begin    -> get
            answer 200 length 10; {fields}; {LINKS} -> connected; sources ready* ready ready; cut to 0{sum}
            cut      -> version 10 {}; wait
            recorded -> receive 10
            ",
            if sum.is_empty() { "\"a\"" } else { "nothing" }
        )
    };
    check_scenario(
        &new_file(),
        None,
        &format!(
            "
            {}
            lost -> sources broken* ready ready; transient 0x80072EFE
            ",
            begun("etag: \"a\"", "")
        ),
    );
    let sha = "repr-digest: sha-256=:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:";
    check_scenario(
        &new_file(),
        None,
        &format!(
            "
            {}
            lost -> note: is asked from the beginning; sources broken* ready ready; get https://k.test/f without credentials
            answer 200 length 10 -> sources broken ready* ready; connected; cut to 0 for sha256
            ",
            begun(sha, " for sha256")
        ),
    );
}

#[test]
fn where_the_owner_gives_a_checksum_no_server_calls_another_a_liar() {
    let sha = |value: &str| format!("repr-digest: sha-256=:{}{value}s=:", value.repeat(20));
    check_scenario(
        &with_checksum(),
        None,
        &format!(
            "
            begin    -> get
            answer 200 length 10; {} -> connected; cut to 0 for md5
            cut      -> version 10 nothing; wait
            recorded -> receive 10
            lost -> note: is asked from the beginning; sources broken* ready ready; get https://m1.test/f without credentials
            answer 200 length 10; {} -> sources broken ready* ready; connected; cut to 0 for md5
            ",
            sha("qq").replace("qqs=", "qqo="),
            sha("u7")
        ),
    );
}

#[test]
fn a_mirror_of_the_same_server_may_learn_who_asks() {
    let same = RemoteName::stored("https://h.test/g").expect("a URL");
    let sources = Sources::given(&new_file().remote_name, None, vec![same], None).expect("sources");
    check_scenario(
        &File { sources, ..new_file() },
        None,
        "
        begin               -> get
        answer 404 length 0 -> note: is asked from the beginning; sources refused* ready; get https://h.test/g
        ",
    );
}

#[test]
fn a_liar_is_not_asked_again_in_the_next_attempt_unless_all_have_lied_or_it_has_another_name() {
    let lied = |places: &[u8], moved: bool| {
        let mut sources = mirrors(1);
        for place in places {
            let dropped = Dropped { reason: DropReason::Lied, why: "it lied".to_owned() };
            sources.set_dropped(SourceIndex(*place), Some(dropped));
        }
        File { sources, moved, ..new_file() }
    };
    check_scenario(&lied(&[0], false), None, "begin -> get https://m1.test/f without credentials");
    check_scenario(&lied(&[0], true), None, "begin -> sources ready* ready; get");
    check_scenario(
        &lied(&[1], false),
        None,
        "begin -> get\nanswer 404 length 0 -> sources refused* lied; fatal 0x80190194",
    );
    check_scenario(&lied(&[0, 1], false), None, "begin -> sources ready* ready; get");
}
