//! Parts of files, and what holds for all files of a job.

use super::*;
use crate::ranges::{ByteRange, Ranges};

fn parts(text: &str) -> File {
    let ranges = text.split(',').map(|range| ByteRange::parse(range).expect("a range")).collect();
    File { ranges: Ranges::new(ranges).expect("ranges"), ..new_file() }
}

#[test]
fn parts_are_fetched_one_after_the_other() {
    check_scenario(
        &parts("100:10,900:eof,0:5"),
        None,
        "
        begin                                                            -> get from 100 to 110
        answer 206 length 10; content-range: bytes 100-109/903; etag: \"a\" -> connected; cut to 0
        cut                                                              -> version 18 \"a\"; wait
        recorded                                                         -> receive 10
        bytes 10                                                         -> get from 900 to 903 if \"a\"
        answer 206 length 3; content-range: bytes 900-902/903; etag: \"a\" -> connected; receive 3
        bytes 2                                                          -> receive 1
        bytes 1                                                          -> get from 0 to 5 if \"a\"
        answer 206 length 5; content-range: bytes 0-4/903; etag: \"a\" -> connected; receive 5
        bytes 5                                                          -> sync 18
        synced 18                                                        -> whole 18; done
        ",
    );
    let begun = File { ranges: parts("100:4,200:6").ranges, ..begun(2, BOOT) };
    check_scenario(
        &begun,
        Some(7),
        "
        begin                                                 -> get from 203 to 206 if \"a\"
        answer 206 length 3; content-range: bytes 203-205/900; etag: \"a\" -> connected; headers; cut to 7
        cut                                                   -> receive 3
        ",
    );
}

#[test]
fn parts_that_cannot_be_had_are_an_error() {
    for (wanted, answer, outcome) in [
        ("5:5", "200 length 10; etag: \"a\"", "fatal 0x80200013"),
        ("5:5", "206 length 5; content-range: bytes 5-9/*", "fatal 0x80200013"),
        ("5:5", "206 length 5; content-range: bytes 0-4/10", "fatal 0x8020001B"),
        ("5:5", "206 length 6; content-range: bytes 5-10/11", "fatal 0x8020001B"),
        ("5:5", "206 length 4; content-range: bytes 5-8/9", "fatal 0x8020002B"),
        ("5:5", "206 chunked; content-type: multipart/byteranges", "fatal 0x8020001B"),
        ("5:5", "416 length 0", "fatal 0x8020002B"),
    ] {
        check_scenario(
            &parts(wanted),
            None,
            &format!("begin -> get from 5 to 10\nanswer {answer} -> {outcome}"),
        );
    }
    check_scenario(
        &parts("5:5,0:1"),
        None,
        "
        begin                                              -> get from 5 to 10
        answer 206 length 5; content-range: bytes 5-9/10   -> fatal 0x80200013
        ",
    );
    check_scenario(
        &parts("5:5"),
        None,
        "
        begin                                              -> get from 5 to 10
        answer 206 length 3; content-range: bytes 5-7/10   -> connected; cut to 0
        cut                                                -> version 5 nothing; wait
        recorded                                           -> receive 3
        bytes 3                                            -> sync 3
        synced 3                                           -> durable 3; fatal 0x80200013
        ",
    );
}

#[test]
fn a_server_that_renames_the_file_with_each_answer_is_given_up() {
    let mut script = "begin -> get from 0 to 2\n".to_owned();
    for turn in 0..6 {
        script += &format!(
            "
            answer 206 length 2; content-range: bytes 0-1/10; etag: \"{turn}\"  -> connected; cut to 0
            cut                                                              -> version 4 \"{turn}\"; wait
            recorded                                                         -> receive 2
            bytes 2                                                          -> get from 5 to 7 if \"{turn}\"
            answer 206 length 2; content-range: bytes 5-6/10; etag: \"{turn}x\" -> {}
            ",
            if turn < 5 {
                "note: changed; get from 0 to 2"
            } else {
                "sync 2\nsynced 2 -> durable 2; fatal 0x80200024"
            },
        );
    }
    check_scenario(&parts("0:2,5:2"), None, &script);
}

#[test]
fn a_job_may_want_no_redirects_or_be_told_of_them_or_follow_them_down_to_http() {
    use crate::http_options::SecurityFlags;
    let rules =
        |mask| Rules { redirects: SecurityFlags::from_mask(mask).expect("flags"), ..Rules::default() };
    check_ruled(
        &new_file(),
        &rules(SecurityFlags::REDIRECT_DISALLOW),
        None,
        "
        begin                                   -> get
        answer 302 length 0; location: /g       -> is at https://h.test/g; fatal 0x8019012E
        ",
    );
    check_ruled(
        &new_file(),
        &rules(SecurityFlags::REDIRECT_REPORT),
        None,
        "
        begin                             -> get
        answer 302 length 0; location: /g -> get https://h.test/g
        answer 200 length 9               -> connected; is at https://h.test/g; cut to 0
        ",
    );
    check_ruled(
        &new_file(),
        &rules(SecurityFlags::REDIRECT_HTTPS_TO_HTTP),
        None,
        "
        begin                                            -> get
        answer 302 length 0; location: http://h.test/g   -> get http://h.test/g without credentials
        ",
    );
}

#[test]
fn no_more_is_downloaded_than_the_job_may() {
    let rules = Rules { bytes_max: Some(Bytes(9)), ..Rules::default() };
    check_ruled(&new_file(), &rules, None, "begin -> get\nanswer 200 length 10 -> fatal 0x80200064");
    check_ruled(
        &new_file(),
        &rules,
        None,
        "
        begin              -> get
        answer 200 chunked -> note: begins anew; connected; cut to 0
        cut                -> version unknown nothing; wait
        recorded           -> receive 10
        bytes 9            -> receive 1
        bytes 1            -> sync 10
        synced 10          -> durable 10; fatal 0x80200064
        ",
    );
    // Others have come since this one was begun, and there is less left than it has already.
    let rules = Rules { bytes_max: Some(Bytes(3)), ..Rules::default() };
    check_ruled(
        &begun(4, BOOT),
        &rules,
        Some(4),
        "
        begin -> get from 4 if \"a\"
        answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> fatal 0x80200064
        ",
    );
}

#[test]
fn a_dynamic_file_begins_anew_and_with_another_method_no_error_heals() {
    let rules = Rules { from_the_beginning: true, every_error_is_fatal: true, ..Rules::default() };
    check_ruled(&begun(4, BOOT), &rules, Some(6), "begin -> get\nlost -> fatal 0x80072EFE");
    check_ruled(&begun(4, BOOT), &rules, Some(10), "begin -> get\nanswer 503 length 0 -> fatal 0x801901F7");
}

#[test]
fn a_file_of_a_high_performance_job_is_synced_once() {
    let rules = Rules { syncs_at_the_end: true, ..Rules::default() };
    check_ruled(
        &new_file(),
        &rules,
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        bytes 3                          -> receive 7
        clock 9000 ms                    -> progress 3; receive 7
        bytes 7                          -> sync 10
        ",
    );
}
