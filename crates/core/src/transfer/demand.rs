//! The plan of a file that comes by ranges (`bits.md` §1.9, on-demand mode): those that are requested
//! first, in their order, then what is missing behind the position and around the end.
//!
//! It keeps true what the plan of a download does: the partial file holds bytes of one version; it is
//! emptied before another begins, and none of that is written before the version is recorded; every part
//! is asked for with the strong validator of the first one; and what is reported to be there was synced
//! before. A version that has changed takes with it all that was there.
//!
//! When more is asked for, it is another plan that hears of it: this one brings home what it has, and
//! says what is known of the file by then.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use core::time::Duration;

use super::content_range::ContentRange;
use super::download::{PROGRESS_INTERVAL, RESTARTS_MAX, SYNC_BYTES};
use super::error::{
    TransportError, captive_error, cut_off, invalid_answer, packed, redirect_error, shown, status_error,
    too_large_error,
};
use super::head::{BodyLength, ResponseHead};
use super::plan::Plan;
use super::redirect;
use super::validators;
use super::version::{self, Rest, Version};
use super::{BodyEnd, Fetch, Found, Next, Outcome, RangeAsked, Rules};
use crate::checksum::Checksum;
use crate::demand::{Beyond, Filled, Span, Wanted, size_to_go_by};
use crate::error::{Code, JobError};
use crate::file::{BootId, File, PartialId, ResumeBy};
use crate::http_options::SecurityFlags;
use crate::job::Attempt;
use crate::queue::Report;
use crate::remote_name::RemoteName;
use crate::time::Timestamp;
use crate::units::Bytes;

/// Time after which what has come is synced and reported: whoever asks for parts waits for them. It is
/// BITS's least time between two such reports (`bits.md` §1.6, property 9).
const SYNC_INTERVAL: Duration = Duration::from_millis(500);

/// One file that comes by ranges, decided step by step.
#[derive(Debug)]
pub struct DemandPlan {
    attempt: Attempt,
    boot: BootId,
    rules: Rules,
    resume_by: ResumeBy,
    /// What is on record of the file, or will be when all reports are taken in. Its `demand` is what was
    /// asked for when the plan was made.
    file: File,
    /// Where redirects have led.
    target: RemoteName,
    redirects: u32,
    restarts: u32,

    step: Step,
    /// The version whose bytes the partial file holds; none while it holds nothing of worth.
    version: Option<Version>,
    /// What of it is in the partial file.
    here: Filled,
    /// What is being fetched.
    wanted: Option<Wanted>,
    /// Where the part that is coming began, where its next byte belongs, and how much of it is written.
    began: Bytes,
    received: Bytes,
    written: Bytes,
    /// Where the part that is coming must end.
    body_end: Bytes,
    /// How much has come altogether.
    fetched: Bytes,

    unsynced: bool,
    /// What will be there for sure when the sync that goes on has ended.
    syncing: Option<Filled>,
    sync_failed: bool,
    last_sync: Timestamp,
    shown: Bytes,
    last_shown: Timestamp,
    reports: VecDeque<Report>,
    /// How the plan ends, once what is under way has been brought home.
    ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is to be seen what is wanted next.
    Choose,
    Asked,
    /// The partial file must first be empty.
    Empty,
    /// The version is reported and not yet recorded.
    Recording,
    /// A part comes; the next byte must first have its place.
    Placing,
    Receiving,
    /// All is here; it is to be looked whether it sums up to what it should.
    ReadingBack,
    Summing,
    /// All is here, right, and on the disk for sure.
    Lasting,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    Transferred,
    Satisfied,
    Failed(JobError),
    Stopped,
}

impl DemandPlan {
    /// A plan for `file`, whose partial file was `found`, if there is one.
    pub fn new(
        attempt: Attempt,
        file: &File,
        rules: Rules,
        found: Option<Found>,
        boot: BootId,
        now: Timestamp,
    ) -> Self {
        let version = size_to_go_by(file).and_then(|_| Version::of_file(file));
        let resume_by = match file.resume_by {
            // Another server has other tags; size and time are what `SetRemoteName` goes by.
            ResumeBy::Validator if file.moved => ResumeBy::SizeAndTime,
            by => by,
        };
        let may_go_on = |version: &Version| version.rest(resume_by, file.checksum.as_ref()).is_some();
        let is_as_left = is_as_left(file, found, boot);
        let version = version.filter(|version| is_as_left && may_go_on(version));
        let here = if version.is_some() { file.demand.filled.clone() } else { Filled::NOTHING };
        let mut plan = Self {
            attempt,
            boot,
            rules,
            resume_by,
            target: file.remote_name.clone(),
            redirects: 0,
            restarts: 0,
            step: Step::Choose,
            version,
            shown: here.total(),
            here,
            wanted: None,
            began: Bytes::ZERO,
            received: Bytes::ZERO,
            written: Bytes::ZERO,
            body_end: Bytes::ZERO,
            fetched: Bytes::ZERO,
            unsynced: false,
            syncing: None,
            sync_failed: false,
            last_sync: now,
            last_shown: now,
            reports: VecDeque::new(),
            ending: None,
            file: file.clone(),
        };
        if plan.version.is_none() {
            plan.fill(Filled::NOTHING);
        }
        plan
    }

    /// Decides what is wanted next.
    fn choose(&mut self) -> Next {
        // What an earlier part left under way must be settled, in case the answer begins anew.
        if self.is_writing() || self.version.is_none() && self.syncing.is_some() {
            return Next::Wait;
        }
        self.wanted = self.file.demand.next(&self.here, self.size());
        if self.wanted.is_some() {
            self.step = Step::Asked;
            return Next::Fetch(self.fetch());
        }
        if self.syncing.is_some() {
            return Next::Wait;
        }
        if self.unsynced {
            return self.sync();
        }
        let size = self.size();
        if size.is_none_or(|size| self.here.gap(Bytes::ZERO, size).is_some()) {
            return self.end(Ending::Satisfied);
        }
        self.step = if self.file.checksum.is_some() { Step::ReadingBack } else { Step::Lasting };
        self.go_on()
    }

    /// What the steps at the end ask for.
    fn go_on(&mut self) -> Next {
        let size = self.size().expect("only what has a size is whole");
        match (self.step, &self.file.checksum) {
            (Step::ReadingBack, Some(given)) => Next::ReadBack { upto: size, algorithm: given.algorithm() },
            (Step::Summing, _) => Next::Sum,
            _ => {
                self.ending = Some(Ending::Transferred);
                Next::Report(Report::FileTransferred { attempt: self.attempt, file: self.file.index, size })
            }
        }
    }

    fn fetch(&self) -> Fetch {
        let wanted = self.wanted.expect("something is wanted");
        let rest = self.version.as_ref().and_then(|version| self.rest_of(version));
        let if_range = match rest {
            Some(Rest::If(validator)) => Some(validator),
            Some(Rest::Compared) | None => None,
        };
        Fetch {
            remote_name: self.target.clone(),
            range: Some(RangeAsked { from: wanted.from, end: wanted.end, if_range }),
            with_credentials: self.target.same_origin(&self.file.remote_name),
            as_get: false,
        }
    }

    fn rest_of(&self, version: &Version) -> Option<Rest> {
        version.rest(self.resume_by, self.file.checksum.as_ref())
    }

    /// A first part is coming.
    fn begin(&mut self, asked: &RangeAsked, head: &ResponseHead, now: Timestamp) {
        let range = match ContentRange::of_answer(asked, head) {
            Ok(range) => range,
            Err(said) => {
                let wrong =
                    format!("was not served from byte {} on as asked (Content-Range: {said})", asked.from.0);
                return self.fail_as(Code::INVALID_SERVER_RESPONSE, &wrong);
            }
        };
        let Some(total) = range.total else {
            let wrong = "does not say how long the file is of which it serves a part";
            return self.fail_as(Code::INSUFFICIENT_RANGE_SUPPORT, wrong);
        };
        let version = Version::of_part(head, total, total);
        if self.rest_of(&version).is_none() {
            let wrong = "gives nothing by which parts of one version of the file could be told from those of \
                         another; resuming by size and time or by a checksum would do without";
            return self.fail_as(Code::INSUFFICIENT_RANGE_SUPPORT, wrong);
        }
        if let Some(beyond) = self.file.demand.beyond(total) {
            let what = match beyond {
                Beyond::Range(range) => format!("the range {range}"),
                Beyond::Position(at) => format!("the position {}", at.0),
            };
            return self.withdraw(beyond, &format!("is {total} long, so it does not have {what}"));
        }
        self.begin_version(version, now);
        self.comes(range);
    }

    fn begin_empty(&mut self, version: Version, now: Timestamp) {
        self.begin_version(version, now);
        self.comes(ContentRange { first: Bytes::ZERO, end: Bytes::ZERO, total: None });
    }

    fn begin_version(&mut self, version: Version, now: Timestamp) {
        self.version = Some(version);
        self.here = Filled::NOTHING;
        self.shown = Bytes::ZERO;
        self.unsynced = false;
        self.connected(now);
        self.step = Step::Empty;
    }

    /// A part is coming, perhaps the one that was asked for.
    fn continue_with(&mut self, asked: &RangeAsked, head: &ResponseHead, now: Timestamp) {
        let version = self.version.as_ref().expect("it is known");
        let range = head.field("content-range").and_then(ContentRange::parse);
        if version.differs(self.resume_by, head, range) {
            return self.start_over("has changed");
        }
        match ContentRange::of_answer(asked, head) {
            Ok(range) => {
                self.connected(now);
                self.comes(range);
                self.step = Step::Placing;
                let headers = version::headers(head);
                self.file.served.headers.clone_from(&headers);
                let (attempt, file) = (self.attempt, self.file.index);
                self.reports.push_back(Report::Headers { attempt, file, headers });
            }
            Err(said) => {
                let why =
                    format!("was not served from byte {} on as asked (Content-Range: {said})", asked.from.0);
                self.start_over(&why);
            }
        }
    }

    fn comes(&mut self, range: ContentRange) {
        self.began = range.first;
        self.received = range.first;
        self.written = range.first;
        self.body_end = range.end;
    }

    /// Asks for a first part again, of whichever version there is. What is in the partial file stays
    /// until the answer is there.
    fn start_over(&mut self, why: &str) {
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            let wrong = format!("{why}, for the {}th time in a row", self.restarts);
            return self.fail_as(Code::NO_PROGRESS, &wrong);
        }
        let text = format!("{} {why}; what was here of it counts no more", shown(&self.target));
        self.reports.push_back(Report::Note { attempt: self.attempt, text });
        self.version = None;
        self.target = self.file.remote_name.clone();
        self.redirects = 0;
        self.step = Step::Choose;
    }

    fn follow(&mut self, head: &ResponseHead) {
        let to = redirect::target(&self.target, head, self.redirects, self.rules.redirects);
        let message = match to {
            Ok(to) if self.rules.redirects.has(SecurityFlags::REDIRECT_DISALLOW) => {
                self.report_remote_name(&to);
                redirect::not_followed(&self.target, &to)
            }
            Ok(to) => {
                self.redirects += 1;
                self.target = to;
                self.step = Step::Choose;
                return;
            }
            Err(message) => message,
        };
        self.fail(redirect_error(head.status, message, self.file.index));
    }

    fn connected(&mut self, now: Timestamp) {
        if !self.unsynced {
            self.last_sync = now;
        }
        self.last_shown = now;
        self.reports.push_back(Report::Connected { attempt: self.attempt });
        if self.rules.redirects.has(SecurityFlags::REDIRECT_REPORT) && self.target != self.file.remote_name {
            let target = self.target.clone();
            self.report_remote_name(&target);
        }
    }

    fn report_remote_name(&mut self, target: &RemoteName) {
        self.reports.push_back(Report::RemoteName {
            attempt: self.attempt,
            file: self.file.index,
            remote_name: target.clone(),
        });
    }

    fn receive(&mut self, now: Timestamp) -> Next {
        if self.received == self.body_end {
            self.step = Step::Choose;
            return self.choose();
        }
        let may_sync = self.syncing.is_none() && !self.rules.syncs_at_the_end && self.unsynced;
        let sync_at = self.last_sync + SYNC_INTERVAL;
        let new = self.here.total().beyond(self.file.demand.filled.total());
        if may_sync && (new >= SYNC_BYTES || now >= sync_at) {
            return self.sync();
        }
        let here = self.here.total();
        let show_at = self.last_shown + PROGRESS_INTERVAL;
        if here > self.shown && now >= show_at {
            self.shown = here;
            self.last_shown = now;
            let (attempt, file) = (self.attempt, self.file.index);
            return Next::Report(Report::Progress { attempt, file, transferred: here });
        }
        let show_at = (here > self.shown).then_some(show_at);
        let sync_at = may_sync.then_some(sync_at);
        // One byte more than the most shows that there are more.
        let most = self.rules.bytes_max.map(|most| most.saturating_add(Bytes(1)).beyond(self.fetched));
        let max = self.body_end.beyond(self.received).min(most.unwrap_or(Bytes(u64::MAX)));
        Next::Receive { max: Some(max), wake: show_at.into_iter().chain(sync_at).min() }
    }

    fn sync(&mut self) -> Next {
        self.unsynced = false;
        self.syncing = Some(self.here.clone());
        Next::Sync { upto: self.here.total() }
    }

    /// Brings home what is under way, so that as little as possible is lost.
    fn wind_up(&mut self) -> Next {
        if self.is_writing() || self.syncing.is_some() {
            return Next::Wait;
        }
        // What the system may have dropped it would not say a second time.
        if self.unsynced && !self.sync_failed {
            return self.sync();
        }
        Next::Done(match self.ending.clone().expect("the plan ends") {
            Ending::Transferred => Outcome::Transferred,
            Ending::Satisfied => Outcome::Satisfied(Box::new(self.file.clone())),
            Ending::Failed(error) => Outcome::Failed(error),
            Ending::Stopped => Outcome::Stopped,
        })
    }

    fn end(&mut self, ending: Ending) -> Next {
        self.ending = Some(ending);
        self.wind_up()
    }

    /// Takes note of what is on the disk for sure, and tells of it.
    fn fill(&mut self, filled: Filled) {
        let new = filled.beyond(&self.file.demand.filled);
        if filled == self.file.demand.filled {
            return;
        }
        self.file.demand.has(filled.clone(), self.file.size);
        self.file.durable = filled.total();
        let (attempt, file) = (self.attempt, self.file.index);
        self.reports.push_back(Report::Filled { attempt, file, filled, new });
    }

    /// Whether all of the file is wanted, and nothing that an empty one does not have.
    fn wants_all_alone(&self) -> bool {
        self.file.demand.requested.is_empty() && self.file.demand.position == Some(Bytes::ZERO)
    }

    fn is_writing(&self) -> bool {
        self.written < self.received
    }

    fn size(&self) -> Option<Bytes> {
        self.version.as_ref().and_then(|version| version.size)
    }

    /// Fails because of what was asked for, which is forgotten: another try can do without it.
    fn withdraw(&mut self, beyond: Beyond, wrong: &str) {
        let (attempt, file) = (self.attempt, self.file.index);
        self.reports.push_back(Report::Beyond { attempt, file, beyond });
        self.fail_as(Code::INVALID_RANGE, wrong);
    }

    fn fail_as(&mut self, code: Code, wrong: &str) {
        let invalid = invalid_answer(format!("{} {wrong}", shown(&self.target)), self.file.index);
        self.fail(JobError { code, ..invalid });
    }

    fn fail(&mut self, mut error: JobError) {
        error.file.get_or_insert(self.file.index);
        error.transient &= !self.rules.every_error_is_fatal;
        self.ending.get_or_insert(Ending::Failed(error));
    }
}

impl Plan for DemandPlan {
    fn next(&mut self, now: Timestamp) -> Next {
        if let Some(report) = self.reports.pop_front() {
            return Next::Report(report);
        }
        if self.ending.is_some() {
            return self.wind_up();
        }
        match self.step {
            Step::Choose => self.choose(),
            Step::Asked | Step::Recording => Next::Wait,
            Step::Empty => Next::Cut { to: Bytes::ZERO, size: None, sum: None },
            Step::Placing => {
                self.step = Step::Receiving;
                Next::Seek { to: self.began }
            }
            Step::Receiving => self.receive(now),
            Step::ReadingBack | Step::Summing | Step::Lasting => self.go_on(),
        }
    }

    fn answered(&mut self, head: &ResponseHead, now: Timestamp) {
        assert_eq!(self.step, Step::Asked, "an answer follows a question");
        let asked = self.fetch().range.expect("only ranges are asked for");
        let is_known = self.version.is_some();
        match head.status {
            200 | 206 if head.content_coding().is_some() => {
                self.fail_as(Code::INVALID_SERVER_RESPONSE, &packed(head));
            }
            206 if is_known => self.continue_with(&asked, head, now),
            206 => self.begin(&asked, head, now),
            200 if self.version.as_ref().is_some_and(|version| version.is_page_in_its_place(head)) => {
                self.fail(captive_error(&self.target, self.file.index));
            }
            200 if self
                .version
                .as_ref()
                .is_some_and(|known| validators::contradicts(&known.validator, head)) =>
            {
                self.start_over("has changed");
            }
            // Of nothing there is no part; a server can only say that this is all.
            200 if head.body == BodyLength::Exactly(Bytes::ZERO)
                && asked.from == Bytes::ZERO
                && !is_known =>
            {
                self.begin_empty(Version::of_whole(head), now);
            }
            200 => self.fail_as(
                Code::INSUFFICIENT_RANGE_SUPPORT,
                "sends all of the file where a part of it was asked for, so it does not serve parts",
            ),
            416 if is_known => {
                self.start_over(&format!("has nothing from byte {} on any more", asked.from.0));
            }
            // All was asked for, and that is nothing.
            416 if self.wants_all_alone() && ContentRange::is_of_nothing(head) => {
                self.begin_empty(Version::of_part(head, Bytes::ZERO, Bytes::ZERO), now);
            }
            416 => {
                let wrong = format!("has nothing from byte {} on", asked.from.0);
                let first = self.file.demand.requested.first().copied().map(Beyond::Range);
                match first.or(self.file.demand.position.map(Beyond::Position)) {
                    Some(beyond) => self.withdraw(beyond, &wrong),
                    None => self.fail_as(Code::INVALID_RANGE, &wrong),
                }
            }
            status if redirect::is_redirect(status) => self.follow(head),
            _ => self.fail(status_error(&self.target, head, Some(self.file.index))),
        }
    }

    fn read_back(&mut self) {
        if self.ending.is_none() {
            self.step = Step::Summing;
        }
    }

    fn cut(&mut self, partial: PartialId) {
        if self.ending.is_some() {
            return;
        }
        let version = self.version.as_ref().expect("a version begins");
        // Nothing will be written to an empty file, and it must last itself.
        self.unsynced = version.size == Some(Bytes::ZERO);
        self.file.forget_content();
        self.file.size = version.size;
        self.file.validator = Some(version.validator.clone());
        self.file.served = version.served.clone();
        self.file.boot = Some(self.boot);
        self.file.partial = Some(partial);
        self.file.moved = false;
        self.reports.push_back(Report::Version {
            attempt: self.attempt,
            file: self.file.index,
            size: version.size,
            validator: version.validator.clone(),
            served: version.served.clone(),
            boot: self.boot,
            partial,
        });
        self.step = Step::Recording;
    }

    fn recorded(&mut self) {
        if self.step == Step::Recording {
            self.step = Step::Placing;
        }
    }

    fn summed(&mut self, sum: &Checksum) {
        assert_eq!(self.step, Step::Summing, "a sum is asked for at the end");
        let given = self.file.checksum.clone().expect("there is something to compare with");
        if *sum == given {
            self.step = Step::Lasting;
            return;
        }
        // Which part of it is wrong nobody knows.
        self.here = Filled::NOTHING;
        self.fill(Filled::NOTHING);
        let wrong = format!("has the checksum {sum}, where {given} was given; nothing that has come is kept");
        self.fail_as(Code::VALIDATION_FAILED, &wrong);
    }

    fn received(&mut self, count: Bytes) {
        assert_eq!(self.step, Step::Receiving, "bytes come when they may");
        self.received = self.received.saturating_add(count);
        assert!(self.received <= self.body_end, "no more is taken than was asked for");
        self.fetched = self.fetched.saturating_add(count);
        if let Some(most) = self.rules.bytes_max.filter(|most| self.fetched > *most) {
            self.fail(too_large_error(&self.target, most, self.file.index));
        }
    }

    fn written(&mut self, count: Bytes) {
        if count == Bytes::ZERO {
            return;
        }
        self.written = self.written.saturating_add(count);
        assert!(self.written <= self.received, "what is written has come");
        self.here.insert(Span { from: self.began, end: self.written });
        self.unsynced = true;
    }

    fn ended(&mut self, _: BodyEnd) {
        if self.step == Step::Receiving && self.received < self.body_end {
            let (received, end) = (self.received.beyond(self.began), self.body_end.beyond(self.began));
            self.failed(cut_off(&self.target, received, end));
        }
    }

    fn synced(&mut self, _: Bytes, now: Timestamp) {
        let filled = self.syncing.take().expect("a sync was begun");
        self.last_sync = now;
        self.fill(filled);
    }

    fn failed(&mut self, error: TransportError) {
        self.fail(error.into());
    }

    fn refused(&mut self, error: JobError) {
        self.fail(error);
    }

    fn not_written(&mut self, error: JobError) {
        self.received = self.written;
        self.fail(error);
    }

    fn not_synced(&mut self, error: JobError) {
        self.syncing = None;
        self.sync_failed = true;
        self.fail(error);
    }

    fn stop(&mut self) {
        self.ending.get_or_insert(Ending::Stopped);
    }

    fn interrupt(&mut self) -> bool {
        let is_urgent = self.wanted.is_some_and(|wanted| wanted.is_requested);
        if self.step != Step::Receiving || is_urgent || self.ending.is_some() {
            return false;
        }
        self.ending = Some(Ending::Satisfied);
        true
    }
}

/// Whether the partial file holds what is on record: it is the one that was made, as far as numbers of
/// files hold, and reaches as far as what was synced.
fn is_as_left(file: &File, found: Option<Found>, boot: BootId) -> bool {
    let Some(Found { length, partial }) = found else { return false };
    let is_same_boot = file.boot == Some(boot);
    let is_ours = !is_same_boot || file.partial.is_none_or(|made| made.inode == partial.inode);
    file.boot.is_some() && is_ours && length >= file.demand.filled.end()
}
