//! Several sources that break off, change, stall, lie and are gone, in any order, with kills and power
//! cuts between: what the user gets is one file as a whole, and with a checksum the right one.

use super::kills::{Chance, Remains, VERSIONS, sum_of};
use super::*;
use crate::file::Stage;
use crate::sources::SourceIndex;

/// What a source has, and how it behaves in one attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// Among [`VERSIONS`].
    pub(super) version: usize,
    pub(super) tag: Tag,
    pub(super) manner: Manner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Each version has its own, wherever it is.
    Honest,
    /// That of the first version, whatever it has.
    Lying,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Kind,
    /// Breaks off each answer after three bytes.
    Breaks,
    Gone,
    Busy,
    Stalls,
    IgnoresRanges,
    IgnoresIfRange,
    /// Does not say how long the file is of which it sends a part.
    NoTotal,
    /// Begins one byte too early and says so.
    WrongPlace,
}

pub(super) const MANNERS: [Manner; 9] = [
    Manner::Kind,
    Manner::Breaks,
    Manner::Gone,
    Manner::Busy,
    Manner::Stalls,
    Manner::IgnoresRanges,
    Manner::IgnoresIfRange,
    Manner::NoTotal,
    Manner::WrongPlace,
];

/// Steps in which every attempt comes to its end.
const STEPS_MAX: usize = 2_000;

impl Source {
    fn tag(self) -> Option<String> {
        let letter = match self.tag {
            Tag::Honest => VERSIONS[self.version].1,
            Tag::Lying => VERSIONS[0].1,
            Tag::None => return None,
        };
        Some(format!("\"{}\"", letter as char))
    }

    /// The answer to `asked`, and which bytes of the file come.
    pub(super) fn answers(self, asked: Option<&RangeAsked>) -> (String, u64) {
        let (size, _) = VERSIONS[self.version];
        let tag = self.tag().map(|tag| format!("; etag: {tag}")).unwrap_or_default();
        let serves = asked.filter(|asked| match self.manner {
            Manner::IgnoresRanges => false,
            Manner::IgnoresIfRange => true,
            _ => asked.if_range.is_none() || asked.if_range == self.tag(),
        });
        match (self.manner, serves) {
            (Manner::Gone, _) => ("404 length 0".to_owned(), 0),
            (Manner::Busy, _) => ("503 length 0".to_owned(), 0),
            (_, Some(asked)) if asked.from.0 >= size => ("416 length 0".to_owned(), 0),
            (manner, Some(asked)) => {
                let first = asked.from.0 - u64::from(manner == Manner::WrongPlace);
                let total = if manner == Manner::NoTotal { "*".to_owned() } else { size.to_string() };
                let end = asked.end.map_or(size, |end| end.0.min(size));
                let left = end - first;
                let range = format!("bytes {first}-{}/{total}", end - 1);
                (format!("206 length {left}; content-range: {range}{tag}"), left)
            }
            (_, None) => (format!("200 length {size}{tag}"), size),
        }
    }
}

/// Runs one attempt for at most `steps` steps; says whether it came to an end by itself.
fn attempt(remains: &mut Remains, sources: &[Source], steps: usize) -> bool {
    let found = remains
        .partial
        .as_ref()
        .map(|(content, _)| Found { length: Bytes(content.len() as u64), partial: PARTIAL });
    let mut now = Timestamp(0);
    let mut plan = DownloadPlan::new(Attempt(1), &remains.file, Rules::default(), found, remains.boot, now);
    let (mut source, mut left, mut sent) = (sources[0], 0, 0);
    let mut unwritten: Vec<u8> = Vec::new();
    let mut unrecorded = None;
    for _ in 0..steps {
        remains.check();
        now = now + core::time::Duration::from_millis(900);
        match plan.next(now) {
            Next::Fetch(fetch) => {
                assert!(unwritten.is_empty(), "nothing is under way when another answer begins");
                let place = fetch.remote_name.as_str().trim_start_matches("https://m").chars().next();
                let place = place.and_then(|digit| digit.to_digit(10)).unwrap_or(0) as usize;
                source = sources[place];
                let (answer, length) = source.answers(fetch.range.as_ref());
                (left, sent) = (length, 0);
                plan.answered(&super::head(&answer), now);
            }
            Next::Cut { to, .. } => {
                let (content, surely) = remains.partial.get_or_insert_default();
                content.resize(to.0 as usize, 0);
                *surely = content.len().min(*surely);
                plan.cut(PARTIAL);
            }
            Next::Receive { .. } if source.manner == Manner::Stalls && sent >= 3 => {
                now = now + core::time::Duration::from_secs(11);
                if !matches!(plan.next(now), Next::Leave) {
                    plan.failed(TransportError { fault: TransportFault::TimedOut, message: String::new() });
                } else {
                    plan.left();
                }
            }
            Next::Leave => plan.left(),
            Next::Receive { max, .. } => {
                let count = 2.min(left).min(max.map_or(u64::MAX, |max| max.0));
                if source.manner == Manner::Breaks && sent >= 3 || count == 0 {
                    plan.failed(TransportError { fault: TransportFault::Aborted, message: String::new() });
                } else {
                    plan.received(Bytes(count));
                    let (_, letter) = VERSIONS[source.version];
                    unwritten.extend(std::iter::repeat_n(letter, count as usize));
                    left -= count;
                    sent += count;
                }
            }
            Next::Sync { upto } => {
                let (content, surely) = remains.partial.as_mut().expect("there is a partial file");
                assert!(content.len() as u64 >= upto.0);
                *surely = content.len();
                plan.synced(upto, now);
            }
            Next::Report(report @ Report::Version { .. }) => unrecorded = Some(report),
            Next::Report(report) => remains.record(&report),
            Next::Wait if !unwritten.is_empty() => {
                let (content, _) = remains.partial.as_mut().expect("there is a partial file");
                plan.written(Bytes(unwritten.len() as u64));
                content.append(&mut unwritten);
            }
            Next::Wait => {
                remains.record(&unrecorded.take().expect("a version waits to be recorded"));
                remains.check();
                plan.recorded();
            }
            Next::ReadBack { .. } => plan.read_back(),
            Next::Sum => {
                let (content, _) = remains.partial.as_ref().expect("there is a partial file");
                plan.summed(&sum_of(content));
            }
            Next::Seek { .. } | Next::Part(_) | Next::LeavePart(_) | Next::Rest { .. } => {
                unreachable!("it comes in one piece")
            }
            Next::Done(Outcome::Gathered(_)) => unreachable!("nothing is gathered"),
            Next::Done(outcome) => {
                remains.failed = matches!(outcome, Outcome::Failed(_));
                return true;
            }
        }
    }
    false
}

#[test]
fn any_sequence_of_faults_in_several_sources_ends_in_the_right_bytes_or_an_error() {
    let (mut whole, mut by_checksum, mut from_mirrors, mut ended) = (0, 0, 0, 0);
    for seed in 0..30_000 {
        let mut chance = Chance(seed);
        let mut file = File { sources: mirrors::mirrors(1 + chance.below(3) as usize), ..new_file() };
        let is_given = chance.below(2) == 0;
        file.checksum = is_given.then(|| sum('a'));
        if chance.below(4) == 0 {
            file.sources.size = Some(Bytes(10));
        }
        let has_liar = chance.below(3) == 0;
        // With a checksum it is the end that tells, and who lies about tags is found by nothing else.
        let is_spoilt = is_given || has_liar;
        let mut remains = Remains { file, partial: None, boot: BOOT, failed: false, is_spoilt };
        for _ in 0..1 + chance.below(8) {
            if remains.file.stage != Stage::Waiting {
                break;
            }
            let sources: Vec<Source> = (0..4)
                .map(|_| Source {
                    version: chance.below(3) as usize,
                    tag: match chance.below(4) {
                        0 => Tag::None,
                        1 if has_liar => Tag::Lying,
                        _ => Tag::Honest,
                    },
                    manner: MANNERS[chance.below(9) as usize],
                })
                .collect();
            let is_killed = chance.below(2) == 0;
            let steps = if is_killed { chance.below(80) as usize } else { STEPS_MAX };
            let has_ended = attempt(&mut remains, &sources, steps);
            assert!(has_ended || is_killed, "it comes to an end, with seed {seed}: {sources:?}");
            ended += usize::from(has_ended);
            if remains.file.stage == Stage::Waiting && chance.below(5) == 0 {
                remains.lose_power();
            }
        }
        if remains.file.stage != Stage::Transferred {
            continue;
        }
        whole += 1;
        from_mirrors += usize::from(remains.file.served.source != SourceIndex::ORIGINAL);
        let (content, _) = remains.partial.expect("there is a partial file");
        let found = VERSIONS.iter().position(|(size, letter)| content == vec![*letter; *size as usize]);
        match is_given {
            true => {
                by_checksum += 1;
                assert_eq!(found, Some(0), "{content:?} with seed {seed}");
            }
            false => assert!(found.is_some() || has_liar, "{content:?} with seed {seed}"),
        }
        assert_eq!(remains.file.size, Some(Bytes(content.len() as u64)));
        assert!(remains.file.sources.size.is_none_or(|size| size.0 == content.len() as u64));
    }
    assert!(
        whole > 1000 && by_checksum > 300 && from_mirrors > 300 && ended > 1000,
        "{whole} {by_checksum} {from_mirrors} {ended}"
    );
}

#[test]
fn a_file_that_one_source_has_comes_whatever_the_others_do_when_its_checksum_is_known() {
    for seed in 0..5_000 {
        let mut chance = Chance(seed);
        let mut sources: Vec<Source> = (0..4)
            .map(|_| Source {
                version: chance.below(3) as usize,
                tag: [Tag::Honest, Tag::Lying, Tag::None][chance.below(3) as usize],
                manner: MANNERS[chance.below(9) as usize],
            })
            .collect();
        let good = chance.below(4) as usize;
        sources[good] = Source { version: 0, tag: Tag::Honest, manner: Manner::Kind };
        let file = File { sources: mirrors::mirrors(3), checksum: Some(sum('a')), ..new_file() };
        let mut remains = Remains { file, partial: None, boot: BOOT, failed: false, is_spoilt: true };
        // One that breaks off and can be resumed is waited for, once or twice.
        for _ in 0..8 {
            if remains.file.stage == Stage::Waiting {
                assert!(attempt(&mut remains, &sources, STEPS_MAX), "seed {seed}");
            }
        }
        assert_eq!(remains.file.stage, Stage::Transferred, "seed {seed}: {sources:?}");
    }
}
