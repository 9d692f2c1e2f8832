//! The plan of a file that comes by ranges, as scenarios; and killed between any two steps, with and
//! without the power, while the file on the server changes.

use super::*;
use crate::demand::{Demand, Filled, next_file};
use crate::file::ResumeBy;
use crate::ranges::ByteRange;

fn ranges(text: &str) -> Vec<ByteRange> {
    text.split_terminator(',').map(|range| ByteRange::parse(range).expect("a range")).collect()
}

fn filled(spans: &[(u64, u64)]) -> Filled {
    Filled::of(spans.iter().map(|(from, end)| Span { from: Bytes(*from), end: Bytes(*end) }))
}

/// A file nothing is known of, of which this is wanted.
fn wanted(requested: &str, position: Option<u64>) -> File {
    let demand = Demand { requested: ranges(requested), position: position.map(Bytes), ..Demand::default() };
    File { demand, ..new_file() }
}

/// A file of ten bytes of which these are there.
fn partly(requested: &str, position: Option<u64>, spans: &[(u64, u64)]) -> File {
    let demand = Demand { filled: filled(spans), ..wanted(requested, position).demand };
    File { demand, ..begun(0, BOOT) }
}

#[track_caller]
fn check(file: &File, found: Option<u64>, script: &str) {
    check_demand(file, Rules::default(), found, script);
}

#[track_caller]
fn check_demand(file: &File, rules: Rules, found: Option<u64>, script: &str) {
    let found = found.map(|length| Found { length: Bytes(length), partial: PARTIAL });
    check_plan(DemandPlan::new(Attempt(1), file, rules, found, BOOT, BEGINNING), script);
}

#[test]
fn what_is_requested_comes_in_its_order_and_the_file_rests_then() {
    check(
        &wanted("6:2,0:3", None),
        None,
        "
        begin                                                                -> get from 6 to 8
        answer 206 length 2; content-range: bytes 6-7/10; etag: \"a\"        -> connected; cut to 0
        cut                                                                  -> version 10 \"a\"; wait
        begin                                                                -> wait
        recorded                                                             -> seek 6; receive 2
        takes 2                                                              -> wait
        writes 2                                                             -> get from 0 to 3 if \"a\"
        answer 206 length 3; content-range: bytes 0-2/10; etag: \"a\" -> connected; headers; seek 0; receive 3
        bytes 3                                                              -> sync 5
        synced 5                                                -> filled 0-3+6-8 new 0-3+6-8; satisfied
        ",
    );
}

#[test]
fn from_a_position_on_all_that_is_missing_comes_and_the_file_is_whole() {
    check(
        &partly("", Some(6), &[(2, 4), (7, 8)]),
        Some(8),
        "
        begin                                                         -> get from 6 to 7 if \"a\"
        answer 206 length 1; content-range: bytes 6-6/10; etag: \"a\" -> connected; headers; seek 6; receive 1
        bytes 1                                                       -> get from 8 to 10 if \"a\"
        answer 206 length 2; content-range: bytes 8-9/10; etag: \"a\" -> connected; headers; seek 8; receive 2
        bytes 2                                                       -> get from 0 to 2 if \"a\"
        answer 206 length 2; content-range: bytes 0-1/10; etag: \"a\" -> connected; headers; seek 0; receive 2
        bytes 2                                                       -> get from 4 to 6 if \"a\"
        answer 206 length 2; content-range: bytes 4-5/10; etag: \"a\" -> connected; headers; seek 4; receive 2
        bytes 2                                                       -> sync 10
        synced 10                                -> filled 0-10 new 0-2+4-7+8-10; whole 10; done
        ",
    );
}

#[test]
fn nothing_is_fetched_that_nobody_asked_for() {
    check(&wanted("", None), None, "begin -> satisfied");
    check(&partly("2:2", None, &[(0, 5)]), Some(5), "begin -> satisfied");
}

#[test]
fn what_comes_is_reported_now_and_then_while_more_comes() {
    check(
        &partly("0:10", None, &[]),
        Some(0),
        "
        begin                                                          -> get from 0 to 10 if \"a\"
        answer 206 length 10; content-range: bytes 0-9/10; etag: \"a\" -> connected; headers; seek 0; receive 10
        bytes 4                                                        -> receive 6
        clock 250 ms                                                   -> progress 4; receive 6
        clock 250 ms                                                   -> sync 4
        begin                                                          -> receive 6
        bytes 2                                                        -> progress 6; receive 4
        synced 4                                                       -> filled 0-4 new 0-4; receive 4
        lost                                                           -> sync 6
        synced 6                                                       -> filled 0-6 new 4-6; transient 0x80072EFE
        ",
    );
}

#[test]
fn something_more_urgent_ends_what_is_fetched_for_a_position_and_not_what_was_requested() {
    let begins = |follows: &str| {
        format!(
            "
            begin                                                          -> get from 0 to 10 if \"a\"
            answer 206 length 10; content-range: bytes 0-9/10; etag: \"a\" -> connected; headers; seek 0; receive 10
            bytes 4                                                        -> receive 6
            {follows}
            "
        )
    };
    let makes_way = "asked urgently -> sync 4\nsynced 4 -> filled 0-4 new 0-4; satisfied";
    check(&partly("", Some(0), &[]), Some(0), &begins(makes_way));
    check(&partly("0:eof", None, &[]), Some(0), &begins("asked -> receive 6"));
}

#[test]
fn another_version_empties_the_file_before_a_byte_of_it_is_written() {
    for changed in [
        "206 length 2; content-range: bytes 4-5/10; etag: \"b\"",
        "206 length 2; content-range: bytes 4-5/11; etag: \"a\"",
        "200 length 10; etag: \"b\"",
        "416 length 0",
    ] {
        check(
            &partly("4:2", None, &[(0, 4)]),
            Some(4),
            &format!(
                "
                begin                                                         -> get from 4 to 6 if \"a\"
                answer {changed}                                              -> note: counts no more; get from 4 to 6
                answer 206 length 2; content-range: bytes 4-5/12; etag: \"b\" -> connected; cut to 0
                cut                                                           -> version 12 \"b\"; wait
                recorded                                                      -> seek 4; receive 2
                bytes 2                                                       -> sync 2
                synced 2                                                      -> filled 4-6 new 4-6; satisfied
                "
            ),
        );
    }
}

#[test]
fn an_answer_that_is_no_part_of_a_version_is_never_content() {
    for (answer, error) in [
        // Nothing to know it by, a weak tag, and a size that is not said.
        ("206 length 2; content-range: bytes 4-5/10", "fatal 0x80200013"),
        ("206 length 2; content-range: bytes 4-5/10; etag: W/\"a\"", "fatal 0x80200013"),
        ("206 length 2; content-range: bytes 4-5/*; etag: \"a\"", "fatal 0x80200013"),
        ("200 length 10; etag: \"a\"", "fatal 0x80200013"),
        ("206 length 2; content-range: bytes 0-1/10; etag: \"a\"", "fatal 0x8020001B"),
        ("206 length 2; etag: \"a\"", "fatal 0x8020001B"),
        (
            "206 length 2; content-range: bytes 4-5/10; etag: \"a\"; content-encoding: gzip",
            "fatal 0x8020001B",
        ),
        ("404 length 0", "fatal 0x80190194"),
        ("503 length 0", "transient 0x801901F7"),
        ("302 length 0", "fatal 0x8019012E"),
    ] {
        check(&wanted("4:2", None), None, &format!("begin -> get from 4 to 6\nanswer {answer} -> {error}"));
    }
    let same_but_whole =
        "begin -> get from 4 to 6 if \"a\"\nanswer 200 length 10; etag: \"a\" -> fatal 0x80200013";
    check(&partly("4:2", None, &[(0, 4)]), Some(4), same_but_whole);
    let page = "begin -> get from 4 to 6 if \"a\"\nanswer 200 length 9; content-type: text/html -> transient 0x801901FF";
    let mut file = partly("4:2", None, &[(0, 4)]);
    file.served.headers = "Content-Type: application/zip\n".to_owned();
    check(&file, Some(4), page);
}

#[test]
fn what_the_file_does_not_have_is_withdrawn_with_an_error() {
    let answer = "206 length 1; content-range: bytes 9-9/10; etag: \"a\"";
    let file = wanted("9:5", None);
    check(
        &file,
        None,
        &format!("begin -> get from 9 to 14\nanswer {answer} -> beyond 9:5; fatal 0x8020002B"),
    );
    check(&file, None, "begin -> get from 9 to 14\nanswer 416 length 0 -> beyond 9:5; fatal 0x8020002B");
    let answer = "206 length 10; content-range: bytes 0-9/10; etag: \"a\"";
    let file = wanted("0:10", Some(10));
    check(&file, None, &format!("begin -> get from 0 to 10\nanswer {answer} -> beyond 10; fatal 0x8020002B"));
    let file = wanted("", Some(10));
    check(&file, None, "begin -> get from 10\nanswer 416 length 0 -> beyond 10; fatal 0x8020002B");
}

#[test]
fn a_partial_file_that_is_not_as_it_was_left_counts_for_nothing_and_that_is_said_first() {
    let file = || partly("0:2", None, &[(4, 8)]);
    for (file, found) in [
        (file(), Some(7)),
        (file(), None),
        (File { boot: None, ..file() }, Some(8)),
        (File { partial: Some(PartialId { device: 1, inode: 8 }), ..file() }, Some(8)),
        (File { validator: Some(Validator::default()), ..file() }, Some(8)),
    ] {
        check(&file, found, "begin -> filled  new ; get from 0 to 2");
    }
    // After another boot it is the one of its name.
    let other_boot = File { boot: Some(BootId([9; 16])), ..file() };
    check(&other_boot, Some(8), "begin -> get from 0 to 2 if \"a\"");
}

#[test]
fn a_file_that_is_all_here_is_whole_when_it_sums_up_to_what_was_given() {
    let file = || partly("", Some(0), &[(0, 10)]);
    check(&file(), Some(10), "begin -> whole 10; done");
    let given = || File { checksum: Some(sum('a')), ..file() };
    check(&given(), Some(10), "begin -> read 10 for md5\nreads -> sum\nsums a -> whole 10; done");
    let wrong = "begin -> read 10 for md5\nreads -> sum\nsums b -> filled  new ; fatal 0x80200053";
    check(&given(), Some(10), wrong);
}

#[test]
fn an_empty_file_is_whole_with_its_first_answer() {
    check(
        &wanted("", Some(0)),
        None,
        "
        begin               -> get from 0
        answer 200 length 0 -> connected; cut to 0
        cut                 -> version 0 nothing; wait
        recorded            -> seek 0; sync 0
        synced 0            -> whole 0; done
        ",
    );
}

#[test]
fn an_empty_file_that_was_not_made_is_not_synced() {
    let comes = "begin -> get from 0\nanswer 200 length 0 -> connected; cut to 0";
    check(&wanted("", Some(0)), None, &format!("{comes}\nstop -> stopped"));
    check(&wanted("", Some(0)), None, &format!("{comes}\ndisk -> transient 0x80070070"));
}

#[test]
fn an_empty_file_of_which_no_part_is_served_is_whole_when_all_of_it_was_asked_for() {
    check(
        &wanted("", Some(0)),
        None,
        "
        begin                                        -> get from 0
        answer 416 length 0; content-range: bytes */0 -> connected; cut to 0
        cut                                          -> version 0 nothing; wait
        recorded                                     -> seek 0; sync 0
        synced 0                                     -> whole 0; done
        ",
    );
    let missing = "answer 416 length 0; content-range: bytes */0 -> beyond 0:5; fatal 0x8020002B";
    check(&wanted("0:5", Some(0)), None, &format!("begin -> get from 0 to 5\n{missing}"));
    for said in ["", "; content-range: bytes */9"] {
        let refused = format!("begin -> get from 0\nanswer 416 length 0{said} -> beyond 0; fatal 0x8020002B");
        check(&wanted("", Some(0)), None, &refused);
    }
}

#[test]
fn an_empty_file_that_a_kill_has_left_is_asked_for_again_and_made_to_last() {
    check(
        &File { size: Some(Bytes(0)), ..partly("", Some(0), &[]) },
        Some(0),
        "
        begin               -> get from 0
        answer 200 length 0 -> connected; cut to 0
        cut                 -> version 0 nothing; wait
        recorded            -> seek 0; sync 0
        synced 0            -> whole 0; done
        ",
    );
}

#[test]
fn an_empty_file_with_a_wrong_checksum_is_asked_for_again_by_the_next_attempt() {
    let file = File { checksum: Some(sum('a')), ..wanted("", Some(0)) };
    let comes = "
        begin               -> get from 0
        answer 200 length 0 -> connected; cut to 0
        cut                 -> version 0 nothing; wait
        recorded            -> seek 0; sync 0
        synced 0            -> read 0 for md5
        reads               -> sum
        sums b              -> fatal 0x80200053
        ";
    check(&file, None, comes);
    let (size, validator) = (Some(Bytes(0)), partly("", None, &[]).validator);
    check(&File { size, validator, boot: Some(BOOT), partial: Some(PARTIAL), ..file }, Some(0), comes);
}

/// An attempt takes one file after the other as long as something is wanted of one: a plan that ends with
/// nothing done, and leaves its file wanted, would be made again for ever.
#[test]
fn what_a_plan_leaves_without_a_question_is_not_wanted_again() {
    let strong = || partly("", None, &[]).validator;
    let weak = || Some(Validator { etag: Some("W/\"a\"".to_owned()), last_modified: None });
    let other = PartialId { device: 1, inode: 8 };
    let (mut asked, mut left) = (0, 0);
    for size in [None, Some(0), Some(10)] {
        for validator in [None, weak(), strong()] {
            for spans in [&[][..], &[(2, 4)], &[(0, 10)]] {
                for (requested, position) in
                    [("", None), ("0:eof", None), ("2:2", None), ("", Some(0)), ("", Some(5))]
                {
                    for found in [None, Some(PARTIAL), Some(other)] {
                        for checksum in [None, Some(sum('a'))] {
                            let file = File {
                                size: size.map(Bytes),
                                validator: validator.clone(),
                                checksum,
                                ..partly(requested, position, spans)
                            };
                            let found = found.map(|partial| Found { length: Bytes(10), partial });
                            let rules = Rules::default();
                            let mut plan = DemandPlan::new(Attempt(1), &file, rules, found, BOOT, BEGINNING);
                            let end = loop {
                                match plan.next(BEGINNING) {
                                    Next::Report(_) => {}
                                    next => break next,
                                }
                            };
                            match end {
                                Next::Done(Outcome::Satisfied(known)) => {
                                    left += 1;
                                    assert_eq!(next_file(&[*known]), None, "{file:?}");
                                }
                                _ => asked += 1,
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(asked > 100 && left > 100, "{asked} {left}");
}

#[test]
fn a_part_that_is_cut_short_is_asked_for_again_and_no_more_comes_than_the_job_may_have() {
    check(
        &partly("0:10", None, &[]),
        Some(0),
        "
        begin                                                         -> get from 0 to 10 if \"a\"
        answer 206 length 4; content-range: bytes 0-3/10; etag: \"a\" -> connected; headers; seek 0; receive 4
        bytes 4                                                       -> get from 4 to 10 if \"a\"
        answer 206 length 6; content-range: bytes 4-9/10; etag: \"a\" -> connected; headers; seek 4; receive 6
        bytes 2                                                       -> receive 4
        closed                                                        -> sync 6
        synced 6                                                      -> filled 0-6 new 0-6; transient 0x80072EFE
        ",
    );
    let rules = Rules { bytes_max: Some(Bytes(3)), ..Rules::default() };
    check_demand(
        &partly("0:10", None, &[]),
        rules,
        Some(0),
        "
        begin                                                          -> get from 0 to 10 if \"a\"
        answer 206 length 10; content-range: bytes 0-9/10; etag: \"a\" -> connected; headers; seek 0; receive 4
        bytes 4                                                        -> sync 4
        synced 4                                                       -> filled 0-4 new 0-4; fatal 0x80200064
        ",
    );
}

#[test]
fn what_a_failed_write_or_sync_leaves_in_doubt_is_not_there() {
    let begins = |follows: &str| {
        format!(
            "
            begin                                                          -> get from 0 to 10 if \"a\"
            answer 206 length 10; content-range: bytes 0-9/10; etag: \"a\" -> connected; headers; seek 0; receive 10
            bytes 4                                                        -> receive 6
            {follows}
            "
        )
    };
    let file = partly("0:10", None, &[]);
    let disk = "takes 2 -> receive 4\ndisk -> sync 4\nsynced 4 -> filled 0-4 new 0-4; transient 0x80070070";
    check(&file, Some(0), &begins(disk));
    check(&file, Some(0), &begins("clock 500 ms -> sync 4\nunsynced -> transient 0x80070070"));
    check(&file, Some(0), &begins("stop -> sync 4\nsynced 4 -> filled 0-4 new 0-4; stopped"));
}

/// The versions of the file on the server, told apart by size, content and tag.
const VERSIONS: [(u64, u8); 3] = [(10, b'a'), (10, b'b'), (7, b'c')];

/// What a kill leaves: the store, and the disk, of which each byte is sure or not.
#[derive(Debug)]
struct Remains {
    file: File,
    partial: Option<Vec<(u8, bool)>>,
    boot: BootId,
}

impl Remains {
    fn record(&mut self, report: &Report) {
        match report {
            Report::Version { size, validator, boot, served, partial, .. } => {
                self.file.forget_content();
                self.file.size = *size;
                self.file.validator = Some(validator.clone());
                self.file.served = served.clone();
                self.file.boot = Some(*boot);
                self.file.partial = Some(*partial);
                self.file.moved = false;
            }
            Report::Filled { filled, .. } => self.file.demand.has(filled.clone(), self.file.size),
            Report::Beyond { beyond, .. } => self.file.demand.withdraw(*beyond),
            Report::FileTransferred { .. } => self.file.stage = crate::file::Stage::Transferred,
            _ => {}
        }
        self.check();
    }

    /// All that is said to be there is, for sure, and of the version on record; unless the partial file
    /// is shorter than that, by which it is known to be another one.
    fn check(&self) {
        let content = self.partial.as_deref().unwrap_or_default();
        if (content.len() as u64) < self.file.demand.filled.end().0 {
            return;
        }
        let tag = self.file.validator.as_ref().and_then(|validator| validator.etag.as_deref());
        for span in self.file.demand.filled.spans() {
            let letter = tag.expect("something is there of a version").as_bytes()[1];
            for at in span.from.0..span.end.0 {
                assert_eq!(content.get(at as usize), Some(&(letter, true)), "P2, P4: byte {at} of {self:?}");
            }
        }
    }

    fn lose_power(&mut self) {
        self.boot.0[0] += 1;
        for (byte, is_sure) in self.partial.iter_mut().flatten() {
            *byte = if *is_sure { *byte } else { 0 };
        }
    }
}

/// Runs one attempt for at most `steps` steps. The server gives `version`, in answers of at most `most`
/// bytes, and breaks them off when `breaks`; without `compares` it forgets `If-Range`.
fn attempt(
    remains: &mut Remains,
    version: usize,
    (most, breaks, compares): (u64, bool, bool),
    steps: usize,
) -> Option<Outcome> {
    let (size, letter) = VERSIONS[version];
    let tag = format!("\"{}\"", letter as char);
    let date = format!("Wed, {} Nov 2026 12:00:00 GMT; date: Thu, 26 Nov 2026 12:00:00 GMT", 10 + version);
    let found = remains.partial.as_ref();
    let found = found.map(|content| Found { length: Bytes(content.len() as u64), partial: PARTIAL });
    let mut now = BEGINNING;
    let mut plan = DemandPlan::new(Attempt(1), &remains.file, Rules::default(), found, remains.boot, now);
    let (mut left, mut place, mut unwritten, mut unrecorded) = (0, 0, 0, None);
    for _ in 0..steps {
        now = now + core::time::Duration::from_millis(300);
        match plan.next(now) {
            Next::Fetch(fetch) => {
                let range = fetch.range.expect("only ranges are asked for");
                let is_same = !compares || range.if_range.as_ref().is_none_or(|asked| *asked == tag);
                let end = range.end.map_or(size, |end| end.0.min(size)).min(range.from.0 + most);
                let head = match range.from.0 {
                    _ if !is_same => format!("200 length {size}; etag: {tag}; last-modified: {date}"),
                    from if from >= size => "416 length 0".to_owned(),
                    from => {
                        left = end - from;
                        let part = format!("bytes {from}-{}/{size}", end - 1);
                        format!(
                            "206 length {left}; content-range: {part}; etag: {tag}; last-modified: {date}"
                        )
                    }
                };
                plan.answered(&super::head(&head), now);
            }
            Next::Cut { to, .. } => {
                assert_eq!(to, Bytes::ZERO, "nothing else is cut");
                remains.partial = Some(Vec::new());
                plan.cut(PARTIAL);
            }
            Next::Seek { to } => place = to.0 as usize,
            Next::Receive { max, .. } if left == 0 || breaks && left < 2 => {
                assert!(max.is_some());
                plan.failed(TransportError { fault: TransportFault::Aborted, message: String::new() });
            }
            Next::Receive { max, .. } => {
                let count = 2.min(left).min(max.expect("a part has an end").0);
                plan.received(Bytes(count));
                left -= count;
                unwritten += count as usize;
                if count == 2 {
                    write(remains, &mut place, letter, &mut unwritten);
                    plan.written(Bytes(2));
                }
            }
            Next::Sync { upto } => {
                remains.partial.iter_mut().flatten().for_each(|(_, is_sure)| *is_sure = true);
                plan.synced(upto, now);
            }
            Next::Report(report @ Report::Version { .. }) => unrecorded = Some(report),
            Next::Report(report) => remains.record(&report),
            Next::Wait if unwritten > 0 => {
                let count = unwritten;
                write(remains, &mut place, letter, &mut unwritten);
                plan.written(Bytes(count as u64));
            }
            Next::Wait => {
                remains.record(&unrecorded.take().expect("a version waits to be recorded"));
                plan.recorded();
            }
            Next::ReadBack { .. } | Next::Sum => unreachable!("no checksum is given"),
            Next::Leave | Next::Part(_) | Next::LeavePart(_) | Next::Rest { .. } => {
                unreachable!("there is one source")
            }
            Next::Done(outcome) => return Some(outcome),
        }
    }
    None
}

fn write(remains: &mut Remains, place: &mut usize, letter: u8, count: &mut usize) {
    let content = remains.partial.as_mut().expect("there is a partial file");
    let end = *place + *count;
    if content.len() < end {
        content.resize(end, (0, false));
    }
    content[*place..end].fill((letter, false));
    (*place, *count) = (end, 0);
}

#[test]
fn wherever_it_is_killed_what_is_said_to_be_there_is_there_and_of_one_version() {
    let (mut whole, mut partly_there, mut state) = (0, 0, 1_u64);
    let mut chance = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    for _ in 0..20_000 {
        let mut file = wanted("", None);
        file.resume_by = [ResumeBy::Validator, ResumeBy::SizeAndTime][chance(2) as usize];
        let mut remains = Remains { file, partial: None, boot: BOOT };
        for _ in 0..chance(8) {
            for _ in 0..chance(3) {
                let (offset, length) = (Bytes(chance(9)), Some(Bytes(1 + chance(4))));
                remains.file.demand.requested.push(ByteRange { offset, length });
            }
            if chance(3) == 0 {
                remains.file.demand.position = Some(Bytes(chance(7)));
            }
            let server = (1 + chance(10), chance(3) == 0, chance(3) > 0);
            let version = chance(3) as usize * usize::from(chance(3) == 0);
            let known = match attempt(&mut remains, version, server, chance(60) as usize) {
                Some(Outcome::Satisfied(known)) => Some(known),
                _ => None,
            };
            if let Some(known) = known {
                let File { demand, validator, .. } = *known;
                assert_eq!((&demand, &validator), (&remains.file.demand, &remains.file.validator));
                partly_there += usize::from(demand.filled != Filled::NOTHING);
                assert_eq!(
                    demand.next(&demand.filled, remains.file.size),
                    None,
                    "nothing is wanted any more"
                );
            }
            if remains.file.stage != crate::file::Stage::Waiting {
                break;
            }
            if chance(4) == 0 {
                remains.lose_power();
            }
            if chance(9) == 0 {
                remains.partial = None;
            }
            remains.file.moved |= chance(9) == 0 && remains.file.validator.is_some();
            remains.check();
        }
        if remains.file.stage == crate::file::Stage::Transferred {
            whole += 1;
            let content: Vec<u8> = remains.partial.iter().flatten().map(|(byte, _)| *byte).collect();
            let is_one = VERSIONS.iter().any(|(size, letter)| content == vec![*letter; *size as usize]);
            assert!(is_one, "{content:?}");
        }
    }
    assert!(whole > 1000 && partly_there > 1000, "{whole} {partly_there}");
}
