//! Files that come in parts from sources that break off, change, stall, lie and are gone, with kills and
//! power cuts between, and whatever comes first of what could come next: the user gets one file as a
//! whole, and with a checksum the right one.

use super::kills::{Chance, VERSIONS, sum_of};
use super::many_sources::{MANNERS, Manner, Source, Tag};
use super::*;
use crate::demand::Filled;
use crate::file::Stage;

/// What a kill leaves: the store, and the disk.
#[derive(Debug)]
struct Remains {
    file: File,
    /// What the partial file holds, and what it surely holds after a power cut; zero is what was never
    /// written.
    content: Option<Vec<u8>>,
    surely: Vec<u8>,
    boot: BootId,
    /// Whether somebody may send something else than he says; only a checksum tells.
    is_spoilt: bool,
}

impl Remains {
    fn record(&mut self, report: &Report) {
        match report {
            Report::Version { size, validator, boot, served, partial, .. } => {
                self.file.forget_content();
                self.file.served = served.clone();
                self.file.partial = Some(*partial);
                self.file.size = *size;
                self.file.validator = Some(validator.clone()).filter(|validator| !validator.is_empty());
                self.file.boot = Some(*boot);
            }
            Report::Sources { sources, .. } => self.file.sources = sources.clone(),
            Report::Durable { upto, .. } => {
                assert!(upto.0 as usize <= self.surely.len(), "P2: durable {upto}");
                self.file.durable = *upto;
            }
            Report::Filled { filled, .. } => {
                assert!(self.file.served.in_parts, "that it comes in parts is on record");
                for span in filled.spans() {
                    let there = self.surely.get(span.from.0 as usize..span.end.0 as usize);
                    assert!(
                        there.is_some_and(|bytes| !bytes.contains(&0)),
                        "P2: {span:?} in {:?}",
                        self.surely
                    );
                }
                self.file.demand.filled = filled.clone();
                self.file.durable = filled.total();
            }
            Report::FileTransferred { size, .. } => {
                assert_eq!(self.content.as_ref(), Some(&self.surely), "P2: whole and not on the disk");
                self.file.stage = Stage::Transferred;
                self.file.size = Some(*size);
            }
            _ => {}
        }
    }

    /// Whether all that would be counted on belongs to the recorded version.
    fn check(&self) {
        let (Some(validator), Some(content)) = (&self.file.validator, &self.content) else { return };
        if self.is_spoilt {
            return;
        }
        let length =
            if self.file.boot == Some(self.boot) { content.len() } else { self.file.durable.0 as usize };
        let counted = match self.file.served.in_parts {
            true => self.file.demand.filled.clone(),
            false => Filled::of([Span { from: Bytes(0), end: Bytes(length as u64) }]),
        };
        let letter = validator.etag.as_deref().expect("each version has a tag").as_bytes()[1];
        for span in counted.spans() {
            // Of a file that is shorter than what counts nothing does.
            let Some(bytes) = content.get(span.from.0 as usize..span.end.0 as usize) else { return };
            assert!(bytes.iter().all(|byte| *byte == letter), "P4: {content:?} counts as {validator:?}");
        }
    }

    fn lose_power(&mut self, chance: &mut Chance) {
        self.boot.0[0] += 1;
        let Some(content) = &mut self.content else { return };
        let is_short = chance.below(2) == 0 && content.len() >= self.surely.len();
        for (at, byte) in content.iter_mut().enumerate() {
            let surely = self.surely.get(at) == Some(byte);
            // What was not synced is there or not.
            if !surely && chance.below(2) == 0 {
                *byte = 0;
            }
        }
        if is_short {
            content.truncate(self.surely.len());
        }
    }
}

/// One connection, and what is on its way over it.
struct Lane {
    source: Source,
    left: u64,
    sent: u64,
    place: usize,
    unwritten: Vec<u8>,
}

impl Lane {
    fn new() -> Self {
        let source = Source { version: 0, tag: Tag::None, manner: Manner::Kind };
        Self { source, left: 0, sent: 0, place: 0, unwritten: Vec::new() }
    }

    fn ask(&mut self, fetch: &Fetch, sources: &[Source]) -> String {
        assert!(self.unwritten.is_empty(), "nothing is under way when another answer begins");
        let place = fetch.remote_name.as_str().trim_start_matches("https://m").chars().next();
        let place = place.and_then(|digit| digit.to_digit(10)).unwrap_or(0) as usize;
        self.source = sources[place];
        let (answer, length) = self.source.answers(fetch.range.as_ref());
        (self.left, self.sent) = (length, 0);
        answer
    }

    /// How many bytes come, if the connection holds.
    fn comes(&mut self, max: Option<Bytes>) -> Option<u64> {
        let count = 2.min(self.left).min(max.map_or(u64::MAX, |max| max.0));
        if self.source.manner == Manner::Breaks && self.sent >= 3 || count == 0 {
            return None;
        }
        let (_, letter) = VERSIONS[self.source.version];
        self.unwritten.extend(std::iter::repeat_n(letter, count as usize));
        self.left -= count;
        self.sent += count;
        Some(count)
    }

    fn stalls(&self) -> bool {
        self.source.manner == Manner::Stalls && self.sent >= 3
    }

    fn write(&mut self, content: &mut Vec<u8>) -> Bytes {
        let count = self.unwritten.len();
        content.resize(content.len().max(self.place + count), 0);
        content[self.place..self.place + count].copy_from_slice(&self.unwritten);
        self.unwritten.clear();
        self.place += count;
        Bytes(count as u64)
    }
}

fn lost() -> TransportError {
    TransportError { fault: TransportFault::Aborted, message: String::new() }
}

/// What came of an attempt.
#[derive(Debug, Default, Clone, Copy)]
struct Came {
    ended: bool,
    /// Parts that brought something.
    parts: usize,
    /// Whether it went on with parts of an earlier one.
    went_on: bool,
}

/// Runs one attempt for at most `steps` steps.
fn attempt(
    remains: &mut Remains,
    sources: &[Source],
    rules: PartsRules,
    steps: usize,
    chance: &mut Chance,
) -> Came {
    let found = remains
        .content
        .as_ref()
        .map(|content| Found { length: Bytes(content.len() as u64), partial: PARTIAL });
    let mut now = Timestamp(0);
    let rules = Rules { parts: Some(rules), ..Rules::default() };
    let mut plan = DownloadPlan::new(Attempt(1), &remains.file, rules, found, remains.boot, now);
    let mut came = Came { went_on: remains.file.demand.filled.spans().len() > 1, ..Came::default() };
    let mut front = Lane::new();
    let mut parts: Vec<(PartPlan, Lane)> = Vec::new();
    let (mut unrecorded, mut syncing) = (None, None::<(Bytes, Vec<u8>)>);
    for _ in 0..steps {
        remains.check();
        // Any of those that could go on does.
        if !parts.is_empty() && chance.below(3) > 0 {
            let at = chance.below(parts.len() as u64) as usize;
            now = now + core::time::Duration::from_millis(chance.below(400));
            let is_over = part_step(&mut parts[at], &mut plan, remains, sources, now, chance);
            if is_over {
                let (part, lane) = parts.remove(at);
                assert!(lane.unwritten.is_empty(), "what has come is written");
                let id = part.id();
                let (end, validator) = part.into_end();
                came.parts += usize::from(end == PartEnd::Whole);
                plan.part_ended(id, end, validator);
            }
            continue;
        }
        if chance.below(4) == 0
            && let Some((upto, surely)) = syncing.take()
        {
            remains.surely = surely;
            plan.synced(upto, now);
        }
        now = now + core::time::Duration::from_millis(900);
        let next = plan.next(now);
        if let Next::Receive { wake: Some(wake), .. } | Next::Rest { wake } = &next {
            assert!(*wake > now, "nobody is to look again at once, and again: {wake:?} at {now:?}");
        }
        match next {
            Next::Fetch(fetch) => {
                assert!(parts.is_empty(), "no part comes while an answer could begin anew");
                let answer = front.ask(&fetch, sources);
                plan.answered(&super::head(&answer), now);
            }
            Next::Cut { to, .. } => {
                assert!(parts.is_empty() && syncing.is_none(), "nothing is under way");
                let content = remains.content.get_or_insert_default();
                content.resize(to.0 as usize, 0);
                remains.surely.truncate(to.0 as usize);
                front.place = to.0 as usize;
                plan.cut(PARTIAL);
            }
            Next::Seek { to } => front.place = to.0 as usize,
            Next::Receive { .. } if front.stalls() => {
                now = now + core::time::Duration::from_secs(11);
                match plan.next(now) {
                    Next::Leave => plan.left(),
                    Next::Part(part) => parts.push((PartPlan::new(*part), Lane::new())),
                    Next::Sync { upto } => {
                        syncing = Some((upto, remains.content.clone().unwrap_or_default()))
                    }
                    Next::Report(report) => remains.record(&report),
                    Next::LeavePart(id) => leave(&mut parts, id),
                    _ => plan.failed(lost()),
                }
            }
            Next::Leave => plan.left(),
            Next::Receive { max, .. } => match front.comes(max) {
                Some(count) => plan.received(Bytes(count)),
                None => plan.failed(lost()),
            },
            Next::Part(part) => parts.push((PartPlan::new(*part), Lane::new())),
            Next::LeavePart(id) => leave(&mut parts, id),
            Next::Rest { wake } => {
                assert!(!parts.is_empty() || syncing.is_some(), "there is something to wait for");
                now = wake;
            }
            Next::Sync { upto } => {
                assert!(syncing.is_none(), "one sync at a time");
                syncing = Some((upto, remains.content.clone().expect("there is a partial file")));
            }
            Next::Report(report @ Report::Version { .. }) => unrecorded = Some(report),
            Next::Report(report) => remains.record(&report),
            Next::Wait => {
                if !front.unwritten.is_empty() {
                    let count = front.write(remains.content.as_mut().expect("there is a partial file"));
                    plan.written(count);
                } else if let Some((upto, surely)) = syncing.take() {
                    remains.surely = surely;
                    plan.synced(upto, now);
                } else if let Some(report) = unrecorded.take() {
                    remains.record(&report);
                    remains.check();
                    plan.recorded();
                } else {
                    assert!(!parts.is_empty(), "there is something to wait for");
                }
            }
            Next::ReadBack { .. } => plan.read_back(),
            Next::Sum => plan.summed(&sum_of(remains.content.as_ref().expect("there is a partial file"))),
            Next::Done(Outcome::Gathered(_)) => unreachable!("nothing is gathered"),
            Next::Done(_) => {
                assert!(parts.is_empty(), "no part is left behind");
                return Came { ended: true, ..came };
            }
        }
    }
    came
}

fn leave(parts: &mut [(PartPlan, Lane)], id: PartId) {
    if let Some((part, _)) = parts.iter_mut().find(|(part, _)| part.id() == id) {
        part.stop();
    }
}

/// Lets a part go on; says whether it is over.
fn part_step(
    (part, lane): &mut (PartPlan, Lane),
    plan: &mut DownloadPlan,
    remains: &mut Remains,
    sources: &[Source],
    now: Timestamp,
    chance: &mut Chance,
) -> bool {
    match part.next(now) {
        Next::Fetch(fetch) => {
            let answer = lane.ask(&fetch, sources);
            part.answered(&super::head(&answer), now);
        }
        Next::Seek { to } => lane.place = to.0 as usize,
        // It may go on for a while, or be given up.
        Next::Receive { .. } if lane.stalls() && chance.below(10) > 0 => {}
        Next::Receive { .. } if lane.stalls() => part.failed(lost()),
        Next::Receive { max, .. } => match lane.comes(max) {
            Some(count) => part.received(Bytes(count)),
            None => part.failed(lost()),
        },
        Next::Wait => {
            let count = lane.write(remains.content.as_mut().expect("there is a partial file"));
            part.written(count);
        }
        Next::Report(Report::Progress { transferred, .. }) => plan.part_written(part.id(), transferred),
        Next::Done(_) => return true,
        other => panic!("{other:?} is not for a part"),
    }
    // What has come is written sooner or later.
    if !lane.unwritten.is_empty() && chance.below(2) == 0 {
        let count = lane.write(remains.content.as_mut().expect("there is a partial file"));
        part.written(count);
    }
    false
}

#[test]
fn any_sequence_of_faults_in_any_order_ends_in_the_right_bytes_or_an_error() {
    let (mut whole, mut by_checksum, mut with_parts, mut went_on, mut ended) = (0, 0, 0, 0, 0);
    for seed in 0..30_000 {
        let mut chance = Chance(seed);
        let mut file = File { sources: mirrors::mirrors(chance.below(4) as usize), ..new_file() };
        let is_given = chance.below(2) == 0;
        file.checksum = is_given.then(|| sum('a'));
        let has_liar = chance.below(3) == 0;
        let is_spoilt = is_given || has_liar;
        let rules = PartsRules { most: 3, of_one_server: 1 + chance.below(2) as u8, bytes_min: Bytes(1) };
        let mut remains = Remains { file, content: None, surely: Vec::new(), boot: BOOT, is_spoilt };
        let mut parts = 0;
        for _ in 0..1 + chance.below(8) {
            if remains.file.stage != Stage::Waiting {
                break;
            }
            let sources: Vec<Source> = (0..4)
                .map(|_| Source {
                    // Most have the same version, or parts would seldom come.
                    version: [0, 0, 0, 1, 2][chance.below(5) as usize],
                    tag: match chance.below(8) {
                        0 => Tag::None,
                        1 if has_liar => Tag::Lying,
                        _ => Tag::Honest,
                    },
                    manner: match chance.below(2) {
                        0 => Manner::Kind,
                        _ => MANNERS[chance.below(9) as usize],
                    },
                })
                .collect();
            let is_killed = chance.below(2) == 0;
            let steps = if is_killed { chance.below(120) as usize } else { 5_000 };
            let came = attempt(&mut remains, &sources, rules, steps, &mut chance);
            assert!(came.ended || is_killed, "it comes to an end, with seed {seed}: {sources:?}");
            ended += usize::from(came.ended);
            parts += came.parts;
            went_on += usize::from(came.went_on && came.ended);
            if remains.file.stage == Stage::Waiting && chance.below(5) == 0 {
                remains.lose_power(&mut chance);
            }
        }
        if remains.file.stage != Stage::Transferred {
            continue;
        }
        whole += 1;
        with_parts += usize::from(parts > 0);
        let content = remains.content.expect("there is a partial file");
        let found = VERSIONS.iter().position(|(size, letter)| content == vec![*letter; *size as usize]);
        match is_given {
            true => {
                by_checksum += 1;
                assert_eq!(found, Some(0), "{content:?} with seed {seed}");
            }
            false => assert!(found.is_some() || has_liar, "{content:?} with seed {seed}"),
        }
        assert_eq!(remains.file.size, Some(Bytes(content.len() as u64)));
    }
    assert!(
        whole > 1000 && by_checksum > 300 && with_parts > 300 && went_on > 50 && ended > 1000,
        "{whole} {by_checksum} {with_parts} {went_on} {ended}"
    );
}
