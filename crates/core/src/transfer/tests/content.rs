//! Whether what has come is what was meant: checksums, ways to tell versions apart, and pages in the
//! place of files.

use super::*;
use crate::file::{PartialId, ResumeBy, Served};

fn with_checksum(file: File) -> File {
    File { checksum: Some(sum('a')), ..file }
}

#[test]
fn a_file_with_a_checksum_is_summed_up_before_it_is_whole() {
    check_scenario(
        &with_checksum(new_file()),
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0 for md5
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        bytes 10                         -> sum
        sums a                           -> sync 10
        synced 10                        -> whole 10; done
        ",
    );
}

#[test]
fn a_wrong_checksum_has_the_file_fetched_once_more_and_is_an_error_then() {
    check_scenario(
        &with_checksum(new_file()),
        None,
        "
        begin                            -> get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0 for md5
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        bytes 10                         -> sum
        sums b                           -> note: checksum; get
        answer 200 length 10; etag: \"a\" -> connected; cut to 0 for md5
        cut                              -> version 10 \"a\"; wait
        recorded                         -> receive 10
        bytes 10                         -> sum
        sums c                           -> sync 10
        synced 10                        -> durable 10; fatal 0x80200053
        ",
    );
}

#[test]
fn what_is_there_already_is_read_once_for_the_checksum() {
    check_scenario(
        &with_checksum(begun(2, BOOT)),
        Some(6),
        "
        begin                                            -> read 6 for md5
        reads                                            -> get from 6 if \"a\"
        answer 206 length 4; content-range: bytes 6-9/10; etag: \"a\" -> connected; headers; cut to 6
        cut                                              -> receive 4
        bytes 4                                          -> sum
        sums a                                           -> sync 10
        synced 10                                        -> whole 10; done
        ",
    );
    check_scenario(
        &with_checksum(begun(4, BOOT)),
        Some(10),
        "
        begin     -> read 10 for md5
        reads     -> cut to 10
        cut       -> sum
        sums a    -> sync 10
        synced 10 -> whole 10; done
        ",
    );
}

#[test]
fn an_empty_file_that_is_there_already_is_summed_up_all_the_same() {
    check_scenario(
        &with_checksum(File { size: Some(Bytes(0)), ..begun(0, BOOT) }),
        Some(0),
        "
        begin    -> cut to 0 for md5
        cut      -> sum
        sums a   -> sync 0
        synced 0 -> whole 0; done
        ",
    );
}

#[test]
fn a_sync_that_ends_late_does_not_stand_for_the_checksum() {
    check_scenario(
        &with_checksum(new_file()),
        None,
        "
        begin                            -> get
        answer 200 chunked; etag: \"a\"   -> note: begins anew; connected; cut to 0 for md5
        cut                              -> version unknown \"a\"; wait
        recorded                         -> receive
        bytes 6                          -> receive
        clock 2000 ms                    -> sync 6
        complete                         -> wait
        synced 6                         -> durable 6; sum
        sums a                           -> sync 6
        synced 6                         -> whole 6; done
        ",
    );
}

#[test]
fn what_the_server_promises_is_checked_unless_the_owner_knows_better() {
    const DIGEST: &str = "content-md5: qqqqqqqqqqqqqqqqqqqqqg==";
    check_scenario(
        &new_file(),
        None,
        &format!(
            "
            begin                                      -> get
            answer 200 length 10; etag: \"a\"; {DIGEST} -> connected; cut to 0 for md5
            cut                                        -> version 10 \"a\"; wait
            recorded                                   -> receive 10
            bytes 10                                   -> sum
            sums a                                     -> sync 10
            "
        ),
    );
    let given = File { checksum: Some(sum('b')), ..new_file() };
    check_scenario(
        &given,
        None,
        &format!(
            "
            begin                                      -> get
            answer 200 length 10; etag: \"a\"; {DIGEST} -> connected; cut to 0 for md5
            cut                                        -> version 10 \"a\"; wait
            recorded                                   -> receive 10
            bytes 10                                   -> sum
            sums b                                     -> sync 10
            "
        ),
    );
    let promised = Served { checksum: Some(sum('a')), ..Served::default() };
    let begun = File { served: promised, ..begun(4, BOOT) };
    check_scenario(
        &begun,
        Some(4),
        "
        begin -> read 4 for md5
        reads -> get from 4 if \"a\"
        answer 206 length 6; content-range: bytes 4-9/10; digest: md5=AAAAAAAAAAAAAAAAAAAAAA== -> note: changed; get
        ",
    );
}

#[test]
fn an_owner_may_have_versions_told_apart_by_size_and_time() {
    const DATE: &str = "Wed, 25 Nov 2026 12:00:00 GMT";
    let validator = Validator { etag: Some("\"a\"".to_owned()), last_modified: Some(DATE.to_owned()) };
    let by = File { resume_by: ResumeBy::SizeAndTime, validator: Some(validator.clone()), ..begun(4, BOOT) };
    let moved = File { moved: true, validator: Some(validator), ..begun(4, BOOT) };
    for file in [&by, &moved] {
        check_scenario(
            file,
            Some(6),
            &format!(
                "
                begin -> get from 6
                answer 206 length 4; content-range: bytes 6-9/10; etag: \"z\"; last-modified: {DATE} -> connected; headers; cut to 6
                "
            ),
        );
        for other in [
            "206 length 4; content-range: bytes 6-9/10; etag: \"a\"".to_owned(),
            format!("206 length 4; content-range: bytes 6-9/*; last-modified: {DATE}"),
            format!("206 length 5; content-range: bytes 6-10/11; last-modified: {DATE}"),
            format!("206 length 4; content-range: bytes 6-9/10; last-modified: {}", DATE.replace("25", "24")),
        ] {
            check_scenario(
                file,
                Some(6),
                &format!("begin -> get from 6\nanswer {other} -> note: changed; get"),
            );
        }
    }
    let timeless = File { resume_by: ResumeBy::SizeAndTime, ..begun(4, BOOT) };
    check_scenario(&timeless, Some(6), "begin -> get");
}

#[test]
fn an_owner_may_have_the_checksum_tell_whether_the_halves_fit() {
    let weak = Some(Validator { etag: Some("W/\"a\"".to_owned()), last_modified: None });
    let file =
        File { resume_by: ResumeBy::Checksum, validator: weak.clone(), ..with_checksum(begun(4, BOOT)) };
    check_scenario(
        &file,
        Some(6),
        "
        begin                                                          -> read 6 for md5
        reads                                                          -> get from 6
        answer 206 length 4; content-range: bytes 6-9/10; etag: W/\"b\" -> connected; headers; cut to 6
        cut                                                            -> receive 4
        bytes 4                                                        -> sum
        sums b                                                         -> note: checksum; get
        ",
    );
    let without = File { resume_by: ResumeBy::Checksum, validator: weak, ..begun(4, BOOT) };
    check_scenario(&without, Some(6), "begin -> get");
}

#[test]
fn a_page_where_a_file_was_is_not_believed() {
    let served = Served { headers: "Content-Type: application/zip\n".to_owned(), ..Served::default() };
    let file = File { served: served.clone(), ..begun(4, BOOT) };
    check_scenario(
        &file,
        Some(6),
        "
        begin                                                  -> get from 6 if \"a\"
        answer 200 length 12; content-type: text/html;charset=x -> transient 0x801901FF
        ",
    );
    check_scenario(
        &File { validator: Some(Validator::default()), ..file },
        Some(6),
        "begin -> get\nanswer 200 chunked; content-type: text/html -> transient 0x801901FF",
    );
    let page = Served { headers: "content-type: text/html\n".to_owned(), ..Served::default() };
    check_scenario(
        &File { served: page, ..begun(4, BOOT) },
        Some(6),
        "
        begin                                                   -> get from 6 if \"a\"
        answer 200 length 12; etag: \"b\"; content-type: text/html -> note: changed; connected; cut to 0
        ",
    );
}

#[test]
fn another_file_under_the_name_of_the_partial_one_does_not_count() {
    let other = PartialId { inode: 8, ..PARTIAL };
    let file = File { partial: Some(other), ..begun(4, BOOT) };
    check_scenario(&file, Some(6), "begin -> get");
    // After another boot numbers mean nothing.
    let file = File { boot: Some(BootId([9; 16])), ..file };
    check_scenario(&file, Some(6), "begin -> get from 4 if \"a\"");
}
