//! The plan of one download.
//!
//! What it keeps true, whatever a server says and wherever the service is killed:
//!
//! - The partial file holds bytes of one version only. When another version begins, the file is
//!   emptied *first*, then the version is reported, and its first byte is written only after the
//!   report is recorded. The other order would leave old bytes under the new validator.
//! - The rest of a file is asked for with the strong validator it began with, and an answer of
//!   another range, size or version is never content.
//! - What is reported as durable has been synced before.
//!
//! A small file of which nothing is recorded may be gathered instead: all of it comes before any of
//! it is written, and then it is reported with its version when it is on the disk for sure. A kill
//! before that leaves a partial file without a version, of which nothing counts.
//!
//! Retrying after an error is the job's affair: the plan ends with the error, and the next attempt
//! makes a new plan from what is recorded and what is on the disk.

use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::content_range::ContentRange;
use super::error::{TransportError, invalid_answer, shown, status_error};
use super::head::{BodyLength, ResponseHead};
use super::{redirect, validators};
use crate::error::{Code, ErrorContext, JobError};
use crate::file::{BootId, File, FileIndex, Validator};
use crate::job::Attempt;
use crate::queue::{Report, WholeFile};
use crate::remote_name::RemoteName;
use crate::time::Timestamp;
use crate::units::Bytes;

/// Bytes after which they are synced: what a power cut costs at most on a fast line.
const SYNC_BYTES: Bytes = Bytes(64 * 1024 * 1024);
/// Time after which bytes that came are synced: what a power cut costs at most on a slow line.
const SYNC_INTERVAL: Duration = Duration::from_secs(2);
/// Counts are for a person's eye: five a second.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// One download, decided step by step.
#[derive(Debug)]
pub struct DownloadPlan {
    attempt: Attempt,
    file: FileIndex,
    boot: BootId,
    /// The name the owner gave; credentials are for its origin alone.
    remote_name: RemoteName,
    /// Where redirects have led.
    target: RemoteName,
    redirects: u32,

    step: Step,
    /// The version whose bytes the partial file holds; none while it holds nothing of worth.
    version: Option<Version>,
    /// Whether the partial file is just as long as what counts of it.
    trimmed: bool,
    /// Where the next byte from the server belongs.
    received: Bytes,
    /// How much of it is in the partial file.
    written: Bytes,
    /// How much of it is on the disk for sure.
    synced: Bytes,
    /// Where the body that is coming must end, when that is known.
    body_end: Option<Bytes>,
    /// Up to which size all of the file may come before any of it is written; none when a version
    /// of it is recorded, which the partial file would not match for a moment.
    gather_max: Option<Bytes>,

    /// Whether bytes were written that no sync covers yet.
    unsynced: bool,
    syncing: bool,
    sync_failed: bool,
    last_sync: Timestamp,
    shown: Bytes,
    last_shown: Timestamp,
    reports: VecDeque<Report>,
    /// How the plan ends, once what is under way has been brought home.
    ending: Option<Outcome>,
}

/// What is recorded of the version that is coming.
#[derive(Debug, Clone)]
struct Version {
    size: Option<Bytes>,
    validator: Validator,
}

impl Version {
    /// By what the rest of this version can be asked for. Without a size nobody could tell when
    /// the rest is complete, so a version without one begins anew.
    fn if_range(&self) -> Option<&str> {
        self.size.and_then(|_| validators::if_range(&self.validator))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A request is to be made, or has been made.
    Ask,
    Asked,
    /// The partial file must first be exactly as long as what counts of it.
    Cut(After),
    /// The version is reported and not yet recorded.
    Recording,
    Receiving,
    /// Bytes come that are kept by whoever carries out the plan; none is written.
    Gathering,
    /// All of it has come; what is left is to make it last.
    Whole,
    /// All of it is on the disk for sure.
    Lasting,
}

/// What follows when the partial file has its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    ReportVersion,
    Receive,
    Finish,
}

/// What to ask of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    pub remote_name: RemoteName,
    pub range: Option<RangeAsked>,
    /// Whether the owner's credentials are meant for this server.
    pub with_credentials: bool,
}

/// The rest of a file: `Range: bytes=N-` with `If-Range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeAsked {
    pub from: Bytes,
    /// A strong validator.
    pub if_range: String,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask; answered by [`DownloadPlan::answered`] or [`DownloadPlan::failed`]. A body that was
    /// coming is not wanted any more.
    Fetch(Fetch),
    /// Make the partial file exactly this long, make it where there is none, and take hold of the
    /// space for all of it when its `size` is known; answered by [`DownloadPlan::cut`] or
    /// [`DownloadPlan::refused`].
    Cut {
        to: Bytes,
        size: Option<Bytes>,
    },
    /// Take up to `max` bytes of the body: [`DownloadPlan::received`], [`DownloadPlan::ended`] or
    /// [`DownloadPlan::failed`]. When none have come at `wake`, ask what is next again.
    Receive {
        max: Option<Bytes>,
        wake: Option<Timestamp>,
    },
    /// Begin to sync; [`DownloadPlan::synced`] when done. Bytes may come meanwhile.
    Sync {
        upto: Bytes,
    },
    /// Tell the broker.
    Report(Report),
    /// Something begun must end first: a write, a sync, or the recording of a version.
    Wait,
    Done(Outcome),
}

/// How a body that did not break ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// Its announced length or its last chunk has come.
    Complete,
    /// The server closed the connection in order.
    Closed,
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The file is whole and on the disk for sure; that is reported.
    Transferred,
    /// All of the file has come and none of it is written, nor is anything of it recorded. It is to
    /// be written into an empty partial file and synced, and only then reported.
    Gathered(WholeFile),
    Failed(JobError),
    Stopped,
}

impl DownloadPlan {
    /// A plan for `file`, whose partial file was found to be `found` bytes long, if there is one.
    pub fn new(attempt: Attempt, file: &File, found: Option<Bytes>, boot: BootId, now: Timestamp) -> Self {
        let version = file.validator.clone().map(|validator| Version { size: file.size, validator });
        let usable = usable_length(file, found, boot);
        let mut plan = Self {
            attempt,
            file: file.index,
            boot,
            remote_name: file.remote_name.clone(),
            target: file.remote_name.clone(),
            redirects: 0,
            step: Step::Ask,
            version,
            trimmed: false,
            received: Bytes::ZERO,
            written: Bytes::ZERO,
            synced: Bytes::ZERO,
            body_end: None,
            gather_max: None,
            unsynced: false,
            syncing: false,
            sync_failed: false,
            last_sync: now,
            shown: Bytes::ZERO,
            last_shown: now,
            reports: VecDeque::new(),
            ending: None,
        };
        match (&plan.version, usable) {
            (Some(version), Some(usable)) if version.size == Some(usable) => {
                plan.goes_on_at(usable, file.durable);
                plan.step = Step::Cut(After::Finish);
            }
            (Some(version), Some(usable)) if version.if_range().is_some() => {
                plan.goes_on_at(usable, file.durable);
            }
            _ => {}
        }
        plan
    }

    /// Lets the plan end with [`Outcome::Gathered`] when the file has at most `max` bytes and nothing
    /// of it is recorded. What breaks off then has left nothing to go on from: not for a file that
    /// has just failed, or a line that breaks again and again would never carry it.
    #[must_use]
    pub fn gathering_up_to(mut self, max: Bytes) -> Self {
        self.gather_max = self.version.is_none().then_some(max);
        self
    }

    /// Whether the bytes that come are to be kept and not to be written.
    pub fn is_gathering(&self) -> bool {
        self.step == Step::Gathering
    }

    /// What is to be done at `now`.
    pub fn next(&mut self, now: Timestamp) -> Next {
        if let Some(report) = self.reports.pop_front() {
            return Next::Report(report);
        }
        if self.ending.is_some() {
            return self.wind_up();
        }
        match self.step {
            // What an earlier part left under way must be settled, in case the answer begins anew.
            Step::Ask if self.is_busy() => Next::Wait,
            Step::Ask => {
                self.step = Step::Asked;
                Next::Fetch(self.fetch())
            }
            Step::Asked | Step::Recording => Next::Wait,
            Step::Cut(_) => Next::Cut { to: self.written, size: self.size() },
            Step::Receiving => self.receive(now),
            Step::Gathering => {
                let end = self.body_end.expect("only what has a size is gathered");
                if self.received == end {
                    return Next::Done(self.gathered());
                }
                Next::Receive { max: Some(end.beyond(self.received)), wake: None }
            }
            Step::Whole if self.is_busy() => Next::Wait,
            Step::Whole => self.sync(),
            Step::Lasting => {
                self.ending = Some(Outcome::Transferred);
                Next::Report(Report::FileTransferred {
                    attempt: self.attempt,
                    file: self.file,
                    size: self.written,
                })
            }
        }
    }

    /// The final answer to [`Next::Fetch`] has come.
    pub fn answered(&mut self, head: &ResponseHead, now: Timestamp) {
        assert_eq!(self.step, Step::Asked, "an answer follows a question");
        let asked = self.fetch().range;
        match (head.status, asked) {
            (200 | 206, _) if head.content_coding().is_some() => {
                let coding = repeated(head.content_coding().unwrap_or_default());
                self.fail(invalid_answer(
                    format!(
                        "{} sends the file packed (Content-Encoding: {coding}) although that was not asked \
                         for, so it would not be the file that is there",
                        shown(&self.target)
                    ),
                    self.file,
                ));
            }
            (200, None) => self.begin_version(head, now),
            (200, Some(_)) => {
                self.note_restart(head);
                self.begin_version(head, now);
            }
            (206, Some(asked)) => self.go_on(&asked, head, now),
            (206, None) => self.fail(invalid_answer(
                format!(
                    "{} answered with a part of the file although all was asked for",
                    shown(&self.target)
                ),
                self.file,
            )),
            (416, Some(asked)) => {
                let why = format!("has nothing from byte {} on any more", asked.from.0);
                self.start_over(&why);
            }
            (status, _) if redirect::is_redirect(status) => self.follow(head),
            _ => self.fail(status_error(&self.target, head, Some(self.file))),
        }
    }

    /// The partial file is as long as [`Next::Cut`] wanted.
    pub fn cut(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let Step::Cut(after) = self.step else { panic!("a cut was asked for") };
        self.trimmed = true;
        self.step = match after {
            After::ReportVersion => {
                let version = self.version.as_ref().expect("a version begins");
                self.reports.push_back(Report::Version {
                    attempt: self.attempt,
                    file: self.file,
                    size: version.size,
                    validator: version.validator.clone(),
                    boot: self.boot,
                });
                Step::Recording
            }
            After::Receive => Step::Receiving,
            After::Finish => Step::Whole,
        };
    }

    /// The version that was reported is recorded.
    pub fn recorded(&mut self) {
        if self.step == Step::Recording {
            self.step = Step::Receiving;
            self.settle_body();
        }
    }

    /// `count` bytes of the body were taken; they are on their way into the partial file.
    pub fn received(&mut self, count: Bytes) {
        assert!(matches!(self.step, Step::Receiving | Step::Gathering), "bytes come when they may");
        self.received = self.received.saturating_add(count);
        assert!(self.body_end.is_none_or(|end| self.received <= end), "no more is taken than was asked for");
        self.settle_body();
    }

    /// The next `count` bytes are in the partial file.
    pub fn written(&mut self, count: Bytes) {
        self.written = self.written.saturating_add(count);
        self.unsynced = true;
        assert!(self.written <= self.received, "what is written has come");
    }

    /// The body ended in order.
    pub fn ended(&mut self, end: BodyEnd) {
        if !matches!(self.step, Step::Receiving | Step::Gathering) {
            return;
        }
        match (self.body_end, end) {
            (None, _) => self.step = Step::Whole,
            (Some(_), BodyEnd::Closed | BodyEnd::Complete) => self.cut_off(),
        }
    }

    /// What the last [`Next::Sync`] covered is on the disk for sure.
    pub fn synced(&mut self, upto: Bytes, now: Timestamp) {
        assert!(self.syncing, "a sync was begun");
        self.syncing = false;
        self.last_sync = now;
        if self.step == Step::Whole && upto == self.received {
            self.step = Step::Lasting;
        } else if upto > self.synced {
            self.reports.push_back(Report::Durable { attempt: self.attempt, file: self.file, upto });
        }
        self.synced = self.synced.max(upto);
    }

    /// Asking or receiving failed.
    pub fn failed(&mut self, error: TransportError) {
        self.fail(error.into());
    }

    /// Authentication failed, or something with the partial file that left no write behind.
    pub fn refused(&mut self, error: JobError) {
        self.fail(error);
    }

    /// A write failed: what came after the last good one is lost.
    pub fn not_written(&mut self, error: JobError) {
        self.received = self.written;
        self.fail(error);
    }

    /// The sync that was begun failed. The system may have dropped what it could not write, and a
    /// second sync would not say so: what is not certain by now is given up.
    pub fn not_synced(&mut self, error: JobError) {
        self.syncing = false;
        self.sync_failed = true;
        self.fail(error);
    }

    /// The attempt is to end.
    pub fn stop(&mut self) {
        self.ending.get_or_insert(Outcome::Stopped);
    }

    fn fetch(&self) -> Fetch {
        let if_range = self.version.as_ref().and_then(Version::if_range);
        let range = match if_range {
            Some(if_range) if self.received > Bytes::ZERO => {
                Some(RangeAsked { from: self.received, if_range: if_range.to_owned() })
            }
            _ => None,
        };
        Fetch {
            remote_name: self.target.clone(),
            range,
            with_credentials: self.target.same_origin(&self.remote_name),
        }
    }

    /// A whole file is coming: another version than before, or the first one known.
    fn begin_version(&mut self, head: &ResponseHead, now: Timestamp) {
        let size = match head.body {
            BodyLength::Exactly(size) => Some(size),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        };
        let version = Version { size, validator: validators::of_answer(head) };
        let worth_saying = size.is_none_or(|size| size >= NOTED_BYTES);
        if let Some(why) = why_not_resumable(head, &version).filter(|_| worth_saying) {
            self.note(format!(
                "if the transfer of {} breaks off, it begins anew: {why}",
                shown(&self.target)
            ));
        }
        self.version = Some(version);
        self.goes_on_at(Bytes::ZERO, Bytes::ZERO);
        self.body_end = size;
        self.connected(now);
        let may_gather = size.zip(self.gather_max).is_some_and(|(size, max)| size <= max);
        self.step = if may_gather { Step::Gathering } else { Step::Cut(After::ReportVersion) };
    }

    fn gathered(&self) -> Outcome {
        let version = self.version.as_ref().expect("a version has come");
        Outcome::Gathered(WholeFile {
            file: self.file,
            size: self.received,
            validator: version.validator.clone(),
        })
    }

    /// A part is coming, perhaps the one that was asked for.
    fn go_on(&mut self, asked: &RangeAsked, head: &ResponseHead, now: Timestamp) {
        let version = self.version.as_ref().expect("a range is asked of a known version");
        let range = head.field("content-range").and_then(ContentRange::parse);
        let announced = match head.body {
            BodyLength::Exactly(length) => Some(length),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        };
        let changed = validators::contradicts(&version.validator, head)
            || range.and_then(|range| range.total).is_some_and(|total| Some(total) != version.size)
            || range.is_some_and(|range| version.size.is_some_and(|size| range.end > size));
        match range {
            _ if changed => self.start_over("has changed"),
            Some(range)
                if range.first == asked.from
                    && announced.is_none_or(|length| length == range.end.beyond(range.first)) =>
            {
                self.body_end = Some(range.end);
                self.connected(now);
                self.step = if self.trimmed { Step::Receiving } else { Step::Cut(After::Receive) };
            }
            _ => {
                let said = repeated(head.field("content-range").unwrap_or("none"));
                let why =
                    format!("was not served from byte {} on as asked (Content-Range: {said})", asked.from.0);
                self.start_over(&why);
            }
        }
    }

    /// Asks for all of the file, without a range. What is in the partial file stays until the
    /// answer is there.
    fn start_over(&mut self, why: &str) {
        self.note(format!("{} {why}; it is fetched from the beginning", shown(&self.target)));
        self.goes_on_at(Bytes::ZERO, Bytes::ZERO);
        self.target = self.remote_name.clone();
        self.redirects = 0;
        self.step = Step::Ask;
    }

    fn follow(&mut self, head: &ResponseHead) {
        match redirect::target(&self.target, head, self.redirects) {
            Ok(target) => {
                self.redirects += 1;
                self.target = target;
                self.step = Step::Ask;
            }
            Err(message) => self.fail(JobError {
                code: Code::http(head.status),
                context: ErrorContext::RemoteFile,
                transient: false,
                message,
                file: Some(self.file),
                challenge: None,
                retry_after_seconds: None,
            }),
        }
    }

    fn receive(&mut self, now: Timestamp) -> Next {
        let unsynced = self.written.beyond(self.synced);
        let sync_at = self.last_sync + SYNC_INTERVAL;
        if !self.syncing && unsynced > Bytes::ZERO && (unsynced >= SYNC_BYTES || now >= sync_at) {
            return self.sync();
        }
        let show_at = self.last_shown + PROGRESS_INTERVAL;
        if self.written > self.shown && now >= show_at {
            self.shown = self.written;
            self.last_shown = now;
            return Next::Report(Report::Progress {
                attempt: self.attempt,
                file: self.file,
                transferred: self.written,
            });
        }
        let show_at = (self.written > self.shown).then_some(show_at);
        let sync_at = (!self.syncing && unsynced > Bytes::ZERO).then_some(sync_at);
        Next::Receive {
            max: self.body_end.map(|end| end.beyond(self.received)),
            wake: show_at.into_iter().chain(sync_at).min(),
        }
    }

    /// Looks whether the body has come to its end, when that is known.
    fn settle_body(&mut self) {
        if self.step == Step::Gathering || self.body_end != Some(self.received) {
            return;
        }
        let size = self.size();
        // A server may send less than the rest that was asked for; then the rest of that is next.
        self.step = if size.is_none_or(|size| size == self.received) { Step::Whole } else { Step::Ask };
    }

    /// Brings home what is under way, so that as little as possible is lost.
    fn wind_up(&mut self) -> Next {
        if self.is_busy() {
            return Next::Wait;
        }
        if self.sync_failed {
            self.sync_failed = false;
            self.unsynced = false;
            return Next::Cut { to: self.synced, size: None };
        }
        if self.unsynced {
            return self.sync();
        }
        Next::Done(self.ending.clone().expect("the plan ends"))
    }

    /// Whether a write or a sync is under way.
    fn is_busy(&self) -> bool {
        let is_writing = self.step != Step::Gathering && self.written < self.received;
        is_writing || self.syncing
    }

    fn size(&self) -> Option<Bytes> {
        self.version.as_ref().and_then(|version| version.size)
    }

    fn sync(&mut self) -> Next {
        self.syncing = true;
        self.unsynced = false;
        Next::Sync { upto: self.written }
    }

    fn cut_off(&mut self) {
        let end = self.body_end.unwrap_or_default();
        self.failed(TransportError {
            fault: super::TransportFault::Aborted,
            message: format!(
                "{} stopped sending after {} of {}",
                self.target.authority(),
                self.received.0,
                end
            ),
        });
    }

    fn goes_on_at(&mut self, place: Bytes, durable: Bytes) {
        self.received = place;
        self.written = place;
        self.synced = durable.min(place);
        self.shown = place;
        self.unsynced = false;
    }

    fn fail(&mut self, mut error: JobError) {
        error.file.get_or_insert(self.file);
        self.ending.get_or_insert(Outcome::Failed(error));
    }

    fn connected(&mut self, now: Timestamp) {
        if !self.unsynced {
            self.last_sync = now;
        }
        self.last_shown = now;
        self.reports.push_back(Report::Connected { attempt: self.attempt });
    }

    fn note_restart(&mut self, head: &ResponseHead) {
        let known = self.version.as_ref().map(|version| &version.validator);
        let why = match known {
            Some(known) if !validators::contradicts(known, head) => "is not served in parts",
            _ => "has changed",
        };
        self.note(format!("{} {why}; it is fetched from the beginning", shown(&self.target)));
    }

    fn note(&mut self, text: String) {
        self.reports.push_back(Report::Note { attempt: self.attempt, text });
    }
}

/// The least size of a file for which it is worth saying that it cannot be resumed.
const NOTED_BYTES: Bytes = Bytes(16 * 1024 * 1024);
/// Characters of a foreign field that a sentence repeats.
const SAID_CHARS_MAX: usize = 80;

/// How much of the partial file counts, if any of it does.
///
/// Within the boot in which its version was recorded the length tells: bytes are written in order,
/// and the kernel forgets none. After another boot only what was synced is certain. A file shorter
/// than what was synced, or longer than its version, is not what we left; nothing of it counts.
fn usable_length(file: &File, found: Option<Bytes>, boot: BootId) -> Option<Bytes> {
    let found = found.filter(|found| *found >= file.durable)?;
    let usable = if file.boot == Some(boot) { found } else { file.durable };
    let sound = file.size.is_none_or(|size| usable <= size);
    (file.boot.is_some() && sound).then_some(usable)
}

/// A foreign text, cut to what fits a sentence.
fn repeated(text: &str) -> String {
    text.chars().take(SAID_CHARS_MAX).collect()
}

fn why_not_resumable(head: &ResponseHead, version: &Version) -> Option<&'static str> {
    if version.if_range().is_some() {
        return None;
    }
    Some(match (head.body, &version.validator.etag) {
        (BodyLength::UntilClose | BodyLength::Chunked, _) => "the server does not say how long the file is",
        (_, Some(_)) => "the server gives only a weak entity tag",
        (_, None) => "the server gives nothing by which this version of the file could be told from another",
    })
}
