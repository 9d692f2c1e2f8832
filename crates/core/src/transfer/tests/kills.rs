//! Kills the service between any two steps of a download, with and without the power, while the
//! file on the server changes, and looks at what the user would get.

use super::*;
use crate::file::{ResumeBy, Stage};

/// The versions of the file on the server, told apart by size, content and tag.
pub(super) const VERSIONS: [(u64, u8); 3] = [(10, b'a'), (10, b'b'), (7, b'c')];

/// How the server behaves beyond changing the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Honest,
    /// Takes `Range` and forgets `If-Range`, but names the version it sends.
    IgnoresIfRange,
    IgnoresRanges,
    /// Breaks off each answer after three bytes.
    Breaks,
    /// Sends at most three bytes of what was asked for.
    SendsLess,
    /// Gives the file another tag with each answer.
    Renames,
    /// Sends the wrong letter at the end of each answer that begins in the middle.
    Spoils,
    /// Says of each file that it has the checksum of another.
    Promises,
}

/// What a kill leaves: the store, and the disk.
#[derive(Debug, Clone)]
pub(super) struct Remains {
    pub(super) file: File,
    /// The partial file, and how long it surely is after a power cut.
    pub(super) partial: Option<(Vec<u8>, usize)>,
    pub(super) boot: BootId,
    /// Whether the last attempt failed. What broke off while it was gathered has left nothing to go
    /// on from, so it is not gathered again.
    pub(super) failed: bool,
    /// Whether somebody has changed the partial file, or what was sent; only a checksum tells.
    pub(super) is_spoilt: bool,
}

impl Remains {
    pub(super) fn record(&mut self, report: &Report) {
        match report {
            Report::Version { size, validator, boot, served, partial, .. } => {
                self.file.served = served.clone();
                self.file.partial = Some(*partial);
                self.file.moved = false;
                self.file.size = *size;
                self.file.validator = Some(validator.clone()).filter(|validator| !validator.is_empty());
                self.file.durable = Bytes::ZERO;
                self.file.boot = Some(*boot);
            }
            Report::Sources { sources, .. } => self.file.sources = sources.clone(),
            Report::Durable { upto, .. } => {
                let surely = self.partial.as_ref().map_or(0, |(_, surely)| *surely as u64);
                assert!(upto.0 <= surely, "P2: durable {upto} where {surely} bytes are");
                self.file.durable = *upto;
            }
            Report::SmallFiles { files, boot, .. } => {
                let surely = self.partial.as_ref().map_or(0, |(_, surely)| *surely as u64);
                assert_eq!(files[0].size.0, surely, "P2: whole and not on the disk");
                self.file.size = Some(files[0].size);
                self.file.validator = Some(files[0].validator.clone());
                self.file.durable = files[0].size;
                self.file.boot = Some(*boot);
                self.file.stage = Stage::Transferred;
            }
            Report::FileTransferred { size, .. } => {
                self.file.stage = Stage::Transferred;
                self.file.size = Some(*size);
            }
            _ => {}
        }
    }

    /// Whether all that would be counted on belongs to the recorded version.
    pub(super) fn check(&self) {
        if self.is_spoilt || self.file.resume_by == ResumeBy::Checksum {
            // Here it is the checksum that tells, and not before the end.
            return;
        }
        let (Some(validator), Some((content, _))) = (&self.file.validator, &self.partial) else { return };
        let durable = self.file.durable.0 as usize;
        let counted = if self.file.boot == Some(self.boot) { content.len() } else { durable };
        let tag = validator.etag.as_deref().expect("each version has a tag");
        let letter = tag.as_bytes()[1];
        assert!(
            content.iter().take(counted).all(|byte| *byte == letter),
            "P4: {content:?} counts as version {tag}"
        );
    }

    pub(super) fn lose_power(&mut self) {
        self.boot.0[0] += 1;
        if let Some((content, surely)) = &mut self.partial {
            // What was not synced may be there or not; bytes that were never written read as zero.
            for byte in content.iter_mut().skip(*surely) {
                *byte = 0;
            }
        }
    }
}

/// Runs one attempt for at most `steps` steps; says whether it came to an end by itself.
fn attempt(remains: &mut Remains, server: Server, version: usize, gathers: bool, steps: usize) -> bool {
    let (size, letter) = VERSIONS[version];
    let mut answers = 0;
    let day = 10 + version;
    let date = format!("Wed, {day} Nov 2026 12:00:00 GMT; date: Thu, 26 Nov 2026 12:00:00 GMT");
    let tag_of = |answers: usize| match server {
        Server::Renames => format!("\"{}{answers}\"", letter as char),
        _ => format!("\"{}\"", letter as char),
    };
    let found = remains
        .partial
        .as_ref()
        .map(|(content, _)| Found { length: Bytes(content.len() as u64), partial: PARTIAL });
    let rules = Rules::default();
    let mut plan = DownloadPlan::new(Attempt(1), &remains.file, rules, found, remains.boot, Timestamp(0));
    if gathers && !remains.failed {
        plan = plan.gathering_up_to(Bytes(8));
    }
    let mut storing = None;
    let mut now = Timestamp(0);
    let mut left = 0;
    let mut sent = 0;
    let mut unrecorded = None;
    let mut unwritten = 0;
    let mut spoiled = false;
    let mut summed_from = Vec::new();
    for _ in 0..steps {
        remains.check();
        now = now + core::time::Duration::from_millis(900);
        if let Some(stored) = storing.take() {
            storing = store(remains, letter, stored);
            if storing.is_none() {
                return true;
            }
            continue;
        }
        match plan.next(now) {
            Next::Leave => unreachable!("there is no other source"),
            Next::Done(Outcome::Gathered(whole)) => storing = Some((Storing::Empty, whole)),
            Next::Fetch(fetch) => {
                sent = 0;
                answers += 1;
                let tag = tag_of(answers);
                let asked = fetch.range.filter(|asked| match server {
                    Server::IgnoresRanges => false,
                    Server::IgnoresIfRange => true,
                    _ => asked.if_range.as_ref().is_none_or(|if_range| *if_range == tag),
                });
                spoiled = server == Server::Spoils && asked.is_some();
                let head = match &asked {
                    Some(asked) if asked.from.0 >= size => "416 length 0".to_owned(),
                    Some(asked) => {
                        let end =
                            if server == Server::SendsLess { (asked.from.0 + 3).min(size) } else { size };
                        let first = asked.from.0;
                        left = end - first;
                        format!(
                            "206 length {left}; content-range: bytes {first}-{}/{size}; etag: {tag}; last-modified: {date}",
                            end - 1
                        )
                    }
                    None => {
                        left = size;
                        let promise = match server {
                            Server::Promises => "; content-md5: EREREREREREREREREREREQ==",
                            _ => "",
                        };
                        format!("200 length {size}; etag: {tag}; last-modified: {date}{promise}")
                    }
                };
                plan.answered(&super::head(&head), now);
            }
            Next::Cut { to, sum, .. } => {
                let (content, surely) = remains.partial.get_or_insert_default();
                content.resize(to.0 as usize, 0);
                *surely = content.len().min(*surely);
                if sum.is_some() {
                    summed_from.clear();
                }
                plan.cut(PARTIAL);
            }
            Next::Receive { max, .. } => {
                let broken = server == Server::Breaks && sent >= 3;
                let count = 2.min(left).min(max.map_or(u64::MAX, |max| max.0));
                if broken || count == 0 {
                    plan.failed(TransportError { fault: TransportFault::Aborted, message: String::new() });
                } else {
                    plan.received(Bytes(count));
                    unwritten += if plan.is_gathering() { 0 } else { count };
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
            Next::Wait if unwritten > 0 => {
                let (content, _) = remains.partial.as_mut().expect("there is a partial file");
                content.extend(std::iter::repeat_n(letter, unwritten as usize));
                if spoiled && left == 0 {
                    *content.last_mut().expect("something was written") = b'!';
                    remains.is_spoilt = true;
                }
                plan.written(Bytes(unwritten));
                unwritten = 0;
            }
            Next::Wait => {
                remains.record(&unrecorded.take().expect("a version waits to be recorded"));
                remains.check();
                plan.recorded();
            }
            Next::Seek { .. } | Next::Part(_) | Next::LeavePart(_) | Next::Rest { .. } => {
                unreachable!("it comes in one piece")
            }
            Next::ReadBack { upto, .. } => {
                let (content, _) = remains.partial.as_ref().expect("there is a partial file");
                summed_from = content[..upto.0 as usize].to_vec();
                plan.read_back();
            }
            // What was read back, and what has passed since.
            Next::Sum => {
                let (content, _) = remains.partial.as_ref().expect("there is a partial file");
                let passed = &content[summed_from.len()..];
                plan.summed(&sum_of(&[&summed_from, passed].concat()));
            }
            Next::Done(outcome) => {
                remains.failed = matches!(outcome, Outcome::Failed(_));
                return true;
            }
        }
    }
    false
}

/// What is done with a file that was gathered, in steps between which a kill can come.
#[derive(Debug, Clone, Copy)]
enum Storing {
    Empty,
    WriteHalf,
    WriteRest,
    Sync,
    Report,
}

/// Takes one step; says which is next.
fn store(
    remains: &mut Remains,
    letter: u8,
    (step, whole): (Storing, crate::queue::WholeFile),
) -> Option<(Storing, crate::queue::WholeFile)> {
    let size = whole.size.0 as usize;
    let (content, surely) = remains.partial.get_or_insert_default();
    let next = match step {
        Storing::Empty => {
            content.clear();
            *surely = 0;
            Storing::WriteHalf
        }
        Storing::WriteHalf => {
            content.resize(size / 2, letter);
            Storing::WriteRest
        }
        Storing::WriteRest => {
            content.resize(size, letter);
            Storing::Sync
        }
        Storing::Sync => {
            *surely = content.len();
            Storing::Report
        }
        Storing::Report => {
            let boot = remains.boot;
            remains.record(&Report::SmallFiles { attempt: Attempt(1), boot, files: vec![whole] });
            return None;
        }
    };
    Some((next, whole))
}

/// The checksum of a content of one letter; all others have another one, which is the same.
pub(super) fn sum_of(content: &[u8]) -> Checksum {
    let version = VERSIONS.iter().find(|(size, letter)| *content == vec![*letter; *size as usize]);
    sum(version.map_or('0', |(_, letter)| *letter as char))
}

/// Numbers that look like chance and are the same for the same seed (SplitMix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }
}

#[test]
fn any_sequence_of_cuts_kills_changes_and_retries_ends_in_the_right_bytes_or_in_none() {
    use Server::*;
    const SERVERS: [Server; 8] =
        [Honest, IgnoresIfRange, IgnoresRanges, Breaks, SendsLess, Renames, Spoils, Promises];
    let (mut whole, mut by_checksum, mut failed) = (0, 0, 0);
    for seed in 0..30_000 {
        let mut chance = Chance(seed);
        let mut file = new_file();
        let given = (chance.below(2) == 0).then(|| chance.below(3) as usize);
        file.checksum = given.map(|version| sum(VERSIONS[version].1 as char));
        file.resume_by = ResumeBy::ALL[chance.below(3) as usize];
        let mut remains = Remains { file, partial: None, boot: BOOT, failed: false, is_spoilt: false };
        let mut spoils = false;
        for _ in 0..chance.below(8) {
            if remains.file.stage != Stage::Waiting {
                break;
            }
            let server = SERVERS[chance.below(8) as usize];
            spoils |= server == Spoils;
            let steps = chance.below(60) as usize;
            let gathers = chance.below(2) == 0;
            attempt(&mut remains, server, chance.below(3) as usize, gathers, steps);
            match chance.below(6) {
                _ if remains.file.stage != Stage::Waiting => {}
                0 => remains.lose_power(),
                1 => remains.file.moved = remains.file.validator.is_some(),
                // Somebody removes the partial file, or cuts it short or makes it longer.
                2 if given.is_none() => remains.partial = None,
                2 => {
                    if let Some((content, surely)) = &mut remains.partial {
                        content.resize(chance.below(12) as usize, 0);
                        *surely = content.len().min(*surely);
                        remains.is_spoilt = true;
                    }
                }
                _ => {}
            }
        }
        let is_whole = remains.file.stage == Stage::Transferred;
        whole += usize::from(is_whole);
        failed += usize::from(!is_whole);
        if !is_whole {
            continue;
        }
        let (content, _) = remains.partial.expect("there is a partial file");
        let found = VERSIONS.iter().position(|(size, letter)| content == vec![*letter; *size as usize]);
        match given {
            Some(version) => {
                by_checksum += 1;
                assert_eq!(found, Some(version), "{content:?} with seed {seed}");
            }
            // A server that spoils what it sends is found out by a checksum, and by nothing else.
            None => assert!(found.is_some() || spoils, "{content:?} with seed {seed}"),
        }
        assert_eq!(remains.file.size, Some(Bytes(content.len() as u64)));
    }
    assert!(whole > 1000 && by_checksum > 300 && failed > 1000, "{whole} {by_checksum} {failed}");
}

#[test]
fn wherever_it_is_killed_the_user_gets_one_version_of_the_file() {
    const STEPS_MAX: usize = 40;
    let servers =
        [Server::Honest, Server::IgnoresIfRange, Server::IgnoresRanges, Server::Breaks, Server::SendsLess];
    let mut resumed = 0;
    for (server, gathers) in servers.into_iter().flat_map(|server| [(server, false), (server, true)]) {
        for (first_kill, second_kill) in (0..STEPS_MAX).flat_map(|a| (0..STEPS_MAX).map(move |b| (a, b))) {
            for power in [[false, false], [true, false], [false, true], [true, true]] {
                let mut remains =
                    Remains { file: new_file(), partial: None, boot: BOOT, failed: false, is_spoilt: false };
                for (version, kill) in [first_kill, second_kill].into_iter().enumerate() {
                    if remains.file.stage == Stage::Waiting {
                        attempt(&mut remains, server, version, gathers, kill);
                    }
                    if power[version] {
                        remains.lose_power();
                    }
                    remains.check();
                }
                // At last nobody interferes; a connection that breaks is tried again.
                for _ in 0..20 {
                    if remains.file.stage == Stage::Waiting {
                        resumed += usize::from(remains.file.durable > Bytes::ZERO);
                        assert!(attempt(&mut remains, server, 2, gathers, 200), "it comes to an end");
                    }
                }
                let (content, _) = remains.partial.expect("there is a partial file");
                let whole = VERSIONS.iter().any(|(size, letter)| content == vec![*letter; *size as usize]);
                assert!(
                    whole,
                    "{content:?} from {server:?}, killed at {first_kill}, {second_kill}, {power:?}"
                );
                assert_eq!(remains.file.stage, Stage::Transferred);
                assert_eq!(remains.file.size, Some(Bytes(content.len() as u64)));
            }
        }
    }
    assert!(resumed > 0, "some of them went on in the middle");
}
