//! The plan of one download.
//!
//! What it keeps true, whatever a server says and wherever the service is killed:
//!
//! - The partial file holds bytes of one version only. When another version begins, the file is
//!   emptied *first*, then the version is reported, and its first byte is written only after the
//!   report is recorded. The other order would leave old bytes under the new validator.
//! - The rest of a file is asked for with the strong validator it began with, and an answer of
//!   another range, size or version is never content. An owner may choose another way of telling
//!   versions apart ([`ResumeBy`]), and answers for it then.
//! - What is reported as durable has been synced before.
//! - A file of which a checksum is known is whole only when it has that checksum.
//!
//! A small file of which nothing is recorded may be gathered instead: all of it comes before any of
//! it is written, and then it is reported with its version when it is on the disk for sure. A kill
//! before that leaves a partial file without a version, of which nothing counts.
//!
//! Retrying after an error is the job's affair: the plan ends with the error, and the next attempt
//! makes a new plan from what is recorded and what is on the disk.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

mod answer;
mod parting;
mod switching;

use super::error::{TransportError, cut_off, shown};
use super::parts::{PartAsked, PartId, Parts, PartsRules};
use super::sources::Choice;
use super::version::Version;
use crate::checksum::{Checksum, ChecksumAlgorithm};
use crate::credentials::AuthTarget;
use crate::demand::Span;
use crate::error::{Code, ErrorContext, JobError};
use crate::file::{BootId, File, FileIndex, PartialId, ResumeBy};
use crate::http_options::SecurityFlags;
use crate::job::Attempt;
use crate::queue::{Report, WholeFile};
use crate::ranges::Ranges;
use crate::remote_name::RemoteName;
use crate::sources::{DropReason, SourceIndex, ties};
use crate::time::Timestamp;
use crate::units::Bytes;

/// Bytes after which they are synced: what a power cut costs at most on a fast line.
pub(super) const SYNC_BYTES: Bytes = Bytes(64 * 1024 * 1024);
/// Time after which bytes that came are synced: what a power cut costs at most on a slow line.
const SYNC_INTERVAL: Duration = Duration::from_secs(2);
/// Counts are for a person's eye: five a second.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// How often a file may turn out to be another one within one attempt; a server that gives it a new
/// name with each answer would be asked for ever.
pub(super) const RESTARTS_MAX: u32 = 5;

/// One download, decided step by step.
#[derive(Debug)]
pub struct DownloadPlan {
    attempt: Attempt,
    file: FileIndex,
    boot: BootId,
    /// The name the owner gave; credentials are for its origin alone.
    remote_name: RemoteName,
    /// Which source is asked, and which could be.
    choice: Choice,
    /// What is here and what comes beside, when the version may come in parts.
    parts: Option<Parts>,
    /// Whether it may not, since that went wrong.
    in_order: bool,
    /// Whether what has come in parts is summed up.
    is_read: bool,
    /// Where redirects have led.
    target: RemoteName,
    redirects: u32,
    /// Whether one of them was a 303.
    sees_other: bool,
    rules: Rules,
    ranges: Ranges,
    resume_by: ResumeBy,
    /// The checksum the owner gave.
    given: Option<Checksum>,
    /// The checksum that the original has promised.
    promised: Option<Checksum>,
    /// Whether bytes have come in this attempt.
    delivered: bool,
    /// Whether the source of what is here has failed in a way that it may go on after, when it is asked
    /// later.
    home_may_go_on: bool,
    /// Whether the file was fetched anew since its checksum was wrong.
    fetched_anew: bool,
    /// How often it was begun anew.
    restarts: u32,

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
    /// Whether nothing of the file is on record, whether it counts or not.
    is_fresh: bool,
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

/// What holds for every file of a job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Which redirects are followed, and whether they are reported (`bits.md` §6.5).
    pub redirects: SecurityFlags,
    /// Nothing of an earlier attempt counts (`DYNAMIC_CONTENT`, `bits.md` §1.6, and methods other
    /// than GET, §1.8).
    pub from_the_beginning: bool,
    /// No error heals by itself (methods other than GET, `bits.md` §1.8).
    pub every_error_is_fatal: bool,
    /// One sync at the end and none before it (`HIGH_PERFORMANCE`, `bits.md` §1.6).
    pub syncs_at_the_end: bool,
    /// What is left of the job's `MAX_DOWNLOAD_SIZE`.
    pub bytes_max: Option<Bytes>,
    /// Whether files come in parts; none: they do not.
    pub parts: Option<PartsRules>,
}

/// The partial file as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub length: Bytes,
    pub partial: PartialId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// What is in the partial file must be summed up first, then it goes on.
    ReadBack(Then),
    /// A request is to be made, or has been made.
    Ask,
    Asked,
    /// Another source is to be asked, once nothing is under way.
    Switch {
        anew: bool,
    },
    /// The body that is coming is to be given up: its source is too slow, or the rest of it is here.
    Leaving {
        slow: bool,
    },
    /// The partial file must first be exactly as long as what counts of it.
    Cut(After),
    /// The version is reported and not yet recorded.
    Recording,
    /// The next byte must first have its place.
    Placing,
    Receiving,
    /// What is in front is here; parts come, or it is to be seen what is missing.
    Beside,
    /// Bytes come that are kept by whoever carries out the plan; none is written.
    Gathering,
    /// All of it has come; its checksum is to be looked at.
    Whole,
    /// It is what it should be; what is left is to make it last.
    Right,
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

/// What follows when the partial file has been summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Ask,
    Finish,
    Sum,
}

/// What to ask of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    pub remote_name: RemoteName,
    pub range: Option<RangeAsked>,
    /// Whether the owner's credentials are meant for this server.
    pub with_credentials: bool,
    /// Whether the owner's method has been carried out, and its outcome is fetched: a 303 led here
    /// (RFC 9110 §15.4.4).
    pub as_get: bool,
}

/// A part of a file: `Range: bytes=FROM-` or `bytes=FROM-LAST`, and perhaps `If-Range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeAsked {
    pub from: Bytes,
    /// One beyond the last byte; none for all that follows.
    pub end: Option<Bytes>,
    /// A strong validator.
    pub if_range: Option<String>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask; answered by [`DownloadPlan::answered`] or [`DownloadPlan::failed`]. A body that was
    /// coming is not wanted any more.
    Fetch(Fetch),
    /// Sum up the first `upto` bytes of the partial file, as if they came just now; answered by
    /// [`DownloadPlan::read_back`] or [`DownloadPlan::refused`].
    ReadBack {
        upto: Bytes,
        algorithm: ChecksumAlgorithm,
    },
    /// Make the partial file exactly this long, make it where there is none, and take hold of the
    /// space for all of it when its `size` is known; answered by [`DownloadPlan::cut`] or
    /// [`DownloadPlan::refused`]. With `sum`, what comes from now on is summed up.
    Cut {
        to: Bytes,
        size: Option<Bytes>,
        sum: Option<ChecksumAlgorithm>,
    },
    /// What comes from now on belongs at `to`, behind all that is there or between.
    Seek {
        to: Bytes,
    },
    /// Say what all that is in the partial file sums up to: [`DownloadPlan::summed`].
    Sum,
    /// Take up to `max` bytes of the body: [`DownloadPlan::received`], [`DownloadPlan::ended`] or
    /// [`DownloadPlan::failed`]. When none have come at `wake`, ask what is next again.
    Receive {
        max: Option<Bytes>,
        wake: Option<Timestamp>,
    },
    /// Give up the body that is coming; what had come of it is told before [`DownloadPlan::left`].
    Leave,
    /// Fetch this part over a connection of its own, into the same partial file. What comes of it is told by
    /// [`DownloadPlan::part_written`] and, at last, [`DownloadPlan::part_ended`], whenever something is
    /// received or waited for.
    Part(Box<PartAsked>),
    /// Let a part end, if it has not; it is told when it has.
    LeavePart(PartId),
    /// Nothing is to be done until a part tells something, or `wake`.
    Rest {
        wake: Timestamp,
    },
    /// Begin to sync; [`DownloadPlan::synced`] when done. Bytes may come meanwhile.
    Sync {
        upto: Bytes,
    },
    /// Tell the broker.
    Report(Report),
    /// Something begun must end first: a write, a sync, a part, or the recording of a version.
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
    /// All has come that was asked for of a file that comes by ranges, and it is not whole; or
    /// something more urgent is asked for. This is what is known of it now.
    Satisfied(Box<File>),
    Failed(JobError),
    Stopped,
}

impl DownloadPlan {
    /// A plan for `file`, whose partial file was `found`, if there is one.
    pub fn new(
        attempt: Attempt,
        file: &File,
        rules: Rules,
        found: Option<Found>,
        boot: BootId,
        now: Timestamp,
    ) -> Self {
        let version = Version::of_file(file).filter(|_| !rules.from_the_beginning);
        let usable = usable_length(file, found, boot);
        let recorded = version.as_ref().and(usable).map(|_| file.served.source);
        let choice = Choice::new(file, recorded, !rules.from_the_beginning);
        let promise = file.served.checksum.clone().filter(|_| file.served.source == SourceIndex::ORIGINAL);
        let mut plan = Self {
            attempt,
            file: file.index,
            boot,
            remote_name: file.remote_name.clone(),
            target: choice.name().clone(),
            choice,
            parts: None,
            in_order: false,
            is_read: false,
            redirects: 0,
            sees_other: false,
            rules,
            ranges: file.ranges.clone(),
            // Another server has other tags; size and time are what `SetRemoteName` goes by.
            resume_by: if file.moved && file.resume_by == ResumeBy::Validator {
                ResumeBy::SizeAndTime
            } else {
                file.resume_by
            },
            given: file.checksum.clone(),
            promised: version.as_ref().and(promise).filter(ties),
            delivered: false,
            home_may_go_on: false,
            fetched_anew: false,
            restarts: 0,
            step: Step::Ask,
            version,
            trimmed: false,
            received: Bytes::ZERO,
            written: Bytes::ZERO,
            synced: Bytes::ZERO,
            body_end: None,
            is_fresh: file.validator.is_none(),
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
        plan.report_sources();
        plan.takes_up_parts(file, usable, now);
        let Some((version, usable)) = plan.version.as_ref().zip(usable) else { return plan };
        if version.size == Some(usable) && !file.moved {
            plan.goes_on_at(usable, file.durable);
            plan.step = plan.behind_read_back(Then::Finish);
        } else if version.size != Some(usable) && plan.rest().is_some() {
            plan.goes_on_at(usable, file.durable);
            plan.step = plan.behind_read_back(Then::Ask);
        }
        plan
    }

    /// Lets the plan end with [`Outcome::Gathered`] when the file has at most `max` bytes, nothing of
    /// it is recorded, and there is no checksum to be looked at. What breaks off then has left nothing
    /// to go on from: not for a file that has just failed, or a line that breaks again and again would
    /// never carry it. Nor for a file with mirrors, which goes on elsewhere.
    #[must_use]
    pub fn gathering_up_to(mut self, max: Bytes) -> Self {
        self.gather_max = (self.is_fresh && self.choice.is_single()).then_some(max);
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
            Step::ReadBack(_) => {
                let algorithm = self.checksum().expect("there is something to compare with").algorithm();
                Next::ReadBack { upto: self.received, algorithm }
            }
            Step::Asked | Step::Recording => Next::Wait,
            Step::Switch { .. } if self.is_busy() => Next::Wait,
            Step::Switch { anew: true } | Step::Whole if self.has_parts_coming() => self.end_parts(),
            Step::Switch { anew: false } if self.has_parts_coming() => {
                self.step = Step::Beside;
                self.beside(now)
            }
            Step::Switch { anew } => self.ask_another(anew),
            Step::Leaving { .. } => Next::Leave,
            Step::Cut(_) if self.parts.is_some() => self.cut_for_parts(),
            Step::Cut(after) => {
                // An empty file is whole as soon as it is found, and was not read back.
                let begins = after == After::ReportVersion || self.written == Bytes::ZERO;
                let sum = self.checksum().filter(|_| begins);
                let sum = sum.map(Checksum::algorithm);
                Next::Cut { to: self.written, size: self.size(), sum }
            }
            Step::Placing => {
                self.step = Step::Receiving;
                Next::Seek { to: self.received }
            }
            Step::Receiving => self.receive(now),
            Step::Beside => self.beside(now),
            Step::Gathering => {
                let end = self.body_end.expect("only what has a size is gathered");
                if self.received == end {
                    return Next::Done(self.gathered());
                }
                Next::Receive { max: Some(end.beyond(self.received)), wake: None }
            }
            Step::Whole | Step::Right if self.is_busy() => Next::Wait,
            Step::Whole if self.checksum().is_some() && self.is_to_be_read() => {
                self.step = Step::ReadBack(Then::Sum);
                self.next(now)
            }
            Step::Whole if self.checksum().is_some() => Next::Sum,
            Step::Whole | Step::Right => self.sync(),
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

    /// What is in the partial file was summed up.
    pub fn read_back(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let Step::ReadBack(then) = self.step else { panic!("a sum was asked for") };
        self.is_read = then == Then::Sum;
        self.step = after_read_back(then);
    }

    /// The partial file is as long as [`Next::Cut`] wanted, and this is which file it is.
    pub fn cut(&mut self, partial: PartialId) {
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
                    served: version.served.clone(),
                    boot: self.boot,
                    partial,
                });
                Step::Recording
            }
            After::Receive if self.parts.is_some() => Step::Placing,
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

    /// What is in the partial file sums up to `sum`.
    pub fn summed(&mut self, sum: &Checksum) {
        assert_eq!(self.step, Step::Whole, "a sum is asked for at the end");
        self.in_order = true;
        let expected = self.checksum().expect("there is something to compare with").clone();
        if *sum == expected {
            self.step = Step::Right;
        } else if !self.choice.is_single() {
            self.is_wrong(&format!("has the checksum {sum}, not {expected}"));
        } else if !self.fetched_anew {
            self.fetched_anew = true;
            self.start_over(&format!("has the checksum {sum}, not {expected}"));
        } else {
            let said = if self.given.is_some() { "was given" } else { "the server promises" };
            self.fail(JobError {
                code: Code::VALIDATION_FAILED,
                context: ErrorContext::RemoteFile,
                transient: false,
                message: format!(
                    "{} has the checksum {sum}, where {expected} {said}; it was fetched twice",
                    shown(&self.target)
                ),
                file: Some(self.file),
                challenge: None,
                retry_after_seconds: None,
            });
        }
    }

    /// `count` bytes of the body were taken; they are on their way into the partial file.
    pub fn received(&mut self, count: Bytes) {
        let may = matches!(self.step, Step::Receiving | Step::Gathering | Step::Leaving { .. });
        assert!(may, "bytes come when they may");
        self.delivered |= count > Bytes::ZERO;
        self.received = self.received.saturating_add(count);
        if let Some(parts) = &mut self.parts {
            parts.front_received(count);
        }
        assert!(self.body_end.is_none_or(|end| self.received <= end), "no more is taken than was asked for");
        if self.rules.bytes_max.is_some_and(|most| self.received > most) {
            self.fail_as_too_large();
        }
        self.settle_body();
    }

    /// The next `count` bytes are in the partial file.
    pub fn written(&mut self, count: Bytes) {
        let from = self.written;
        self.written = self.written.saturating_add(count);
        self.unsynced = true;
        if let Some(parts) = &mut self.parts {
            parts.wrote(Span { from, end: self.written });
        }
        assert!(self.written <= self.received, "what is written has come");
    }

    /// The body ended in order.
    pub fn ended(&mut self, end: BodyEnd) {
        if !matches!(self.step, Step::Receiving | Step::Gathering) {
            return;
        }
        match (self.body_end, end) {
            (None, _) => self.ends_here(),
            (Some(_), BodyEnd::Closed | BodyEnd::Complete) => self.cut_off(),
        }
    }

    /// What the last [`Next::Sync`] covered is on the disk for sure.
    pub fn synced(&mut self, upto: Bytes, now: Timestamp) {
        assert!(self.syncing, "a sync was begun");
        self.syncing = false;
        self.last_sync = now;
        let is_whole = self.step == Step::Right || self.step == Step::Whole && self.checksum().is_none();
        if is_whole && upto == self.received && self.ending.is_none() {
            self.step = Step::Lasting;
        } else if self.parts.is_some() {
            self.parts_synced();
        } else if upto > self.synced {
            self.reports.push_back(Report::Durable { attempt: self.attempt, file: self.file, upto });
        }
        self.synced = self.synced.max(upto);
    }

    /// Asking or receiving failed.
    pub fn failed(&mut self, error: TransportError) {
        self.source_failed(DropReason::Broken, error.into());
    }

    /// Authentication failed, or something with the partial file that left no write behind.
    pub fn refused(&mut self, error: JobError) {
        // Who may know the owner's secret has to be dealt with by the owner; another source would
        // hide that it was refused, and it would be tried again.
        let asks_owner = error.challenge.as_ref().is_some_and(|challenge| {
            challenge.target == AuthTarget::Proxy || self.target.same_origin(&self.remote_name)
        });
        if self.step == Step::Asked && !asks_owner {
            self.source_failed(DropReason::Refused, error);
        } else {
            self.fail(error);
        }
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

    /// What the file must sum up to. What the owner says counts before what the server says.
    fn checksum(&self) -> Option<&Checksum> {
        let served = || self.version.as_ref().and_then(|version| version.served.checksum.as_ref());
        self.given.as_ref().or_else(served)
    }

    fn gathered(&self) -> Outcome {
        let version = self.version.as_ref().expect("a version has come");
        Outcome::Gathered(WholeFile {
            file: self.file,
            size: self.received,
            validator: version.validator.clone(),
            served: version.served.clone(),
        })
    }

    fn behind_read_back(&self, then: Then) -> Step {
        match self.checksum() {
            // What comes in parts is summed up when all of it is here.
            Some(_) if self.received > Bytes::ZERO && self.parts.is_none() => Step::ReadBack(then),
            _ => after_read_back(then),
        }
    }

    fn receive(&mut self, now: Timestamp) -> Next {
        if self.is_to_be_left(now) {
            self.step = Step::Leaving { slow: true };
            return Next::Leave;
        }
        if self.front_end() == Some(self.received) {
            self.step = Step::Leaving { slow: false };
            return Next::Leave;
        }
        if let Some(next) = self.part_next(now).or_else(|| self.due(now)) {
            return next;
        }
        // One byte more than the most shows that there are more.
        let most = self.rules.bytes_max.map(|most| most.saturating_add(Bytes(1)));
        let end = self.body_end.into_iter().chain(most).chain(self.front_end()).min();
        Next::Receive {
            max: end.map(|end| end.beyond(self.received)),
            wake: self.due_at().into_iter().chain(self.look_at()).chain(self.parts_look_at(now)).min(),
        }
    }

    /// What is to be done about what has come by now.
    fn due(&mut self, now: Timestamp) -> Option<Next> {
        let (here, surely) = self.counts();
        if let Some(sync_at) = self.sync_at()
            && (here.beyond(surely) >= SYNC_BYTES || now >= sync_at)
        {
            return Some(self.sync());
        }
        if self.show_at().is_some_and(|at| now >= at) {
            self.shown = here;
            self.last_shown = now;
            let (attempt, file) = (self.attempt, self.file);
            return Some(Next::Report(Report::Progress { attempt, file, transferred: here }));
        }
        None
    }

    /// When something is to be done about it.
    fn due_at(&self) -> Option<Timestamp> {
        self.show_at().into_iter().chain(self.sync_at()).min()
    }

    fn sync_at(&self) -> Option<Timestamp> {
        let (here, surely) = self.counts();
        let may_sync = !self.syncing && !self.rules.syncs_at_the_end && here > surely;
        may_sync.then_some(self.last_sync + SYNC_INTERVAL)
    }

    fn show_at(&self) -> Option<Timestamp> {
        (self.counts().0 > self.shown).then_some(self.last_shown + PROGRESS_INTERVAL)
    }

    /// Looks whether the body has come to its end, when that is known.
    fn settle_body(&mut self) {
        if self.step == Step::Gathering || self.body_end != Some(self.received) {
            return;
        }
        let size = self.size();
        // A server may send less than the rest that was asked for; then the rest of that is next.
        if size.is_none_or(|size| size == self.received) {
            self.step = Step::Whole;
        } else if self.parts.is_some() {
            self.step = Step::Beside;
        } else if self.rest().is_some() {
            self.step = Step::Ask;
        } else {
            let wrong =
                "sends less than was asked for, and gives nothing by which the rest could be asked for";
            self.fail_as(Code::INSUFFICIENT_RANGE_SUPPORT, wrong);
        }
    }

    /// Brings home what is under way, so that as little as possible is lost.
    fn wind_up(&mut self) -> Next {
        if self.has_parts_coming() {
            return self.end_parts();
        }
        if self.is_busy() {
            return Next::Wait;
        }
        if self.sync_failed && self.parts.is_some() {
            // Of what is here only that counts of which it was said that it is sure.
            self.unsynced = false;
        } else if self.sync_failed {
            self.sync_failed = false;
            self.unsynced = false;
            return Next::Cut { to: self.synced, size: None, sum: None };
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
        if let Some(parts) = &mut self.parts {
            parts.syncs();
        }
        Next::Sync { upto: self.written }
    }

    /// A body of which nobody knew the length has come to its end.
    fn ends_here(&mut self) {
        self.step = Step::Whole;
        if let Some(size) = self.choice.size().filter(|size| *size != self.received) {
            let wrong = format!("has {} bytes, not {}", self.received.0, size.0);
            self.is_wrong(&wrong);
        }
    }

    fn cut_off(&mut self) {
        let end = self.body_end.unwrap_or_default();
        self.failed(cut_off(&self.target, self.received, end));
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
        error.transient &= !self.rules.every_error_is_fatal;
        self.ending.get_or_insert(Outcome::Failed(error));
    }

    fn note(&mut self, text: String) {
        self.reports.push_back(Report::Note { attempt: self.attempt, text });
    }
}

fn after_read_back(then: Then) -> Step {
    match then {
        Then::Ask => Step::Ask,
        Then::Finish => Step::Cut(After::Finish),
        Then::Sum => Step::Whole,
    }
}

/// How much of the partial file counts, if any of it does.
///
/// Within the boot in which its version was recorded the length tells: bytes are written in order,
/// and the kernel forgets none. After another boot, or when its volume was away, only what was synced is certain. A file shorter
/// than what was synced, longer than its version, or not the one that was made, is not what we
/// left; nothing of it counts.
fn usable_length(file: &File, found: Option<Found>, boot: BootId) -> Option<Bytes> {
    let filled = &file.demand.filled;
    let surely = if file.served.in_parts { filled.end() } else { file.durable };
    let Found { length, partial } = found.filter(|found| found.length >= surely)?;
    let is_same_boot = file.boot == Some(boot);
    // Numbers of devices and files hold for one boot.
    let is_ours = !is_same_boot || file.partial.is_none_or(|made| made.inode == partial.inode);
    // A volume that was away is as after another boot.
    let has_stayed = is_same_boot && file.partial.is_none_or(|made| made.device == partial.device);
    let usable = match has_stayed {
        // Behind a gap the length tells nothing.
        _ if file.served.in_parts => filled.spans().first().map_or(Bytes::ZERO, |first| match first.from {
            Bytes::ZERO => first.end,
            _ => Bytes::ZERO,
        }),
        true => length,
        false => file.durable,
    };
    let sound = is_ours && file.size.is_none_or(|size| usable <= size);
    (file.boot.is_some() && sound).then_some(usable)
}
