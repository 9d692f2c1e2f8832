//! A download of which several parts come at the same time.
//!
//! The plan itself fetches from the front: all before `received` is here. Where it comes to what another
//! part has brought or is bringing, it makes way, and goes on at the first gap when nobody else is
//! left to fill it. That a version may come in parts is recorded before any part is written, since the
//! length of the partial file tells nothing from then on.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{After, DownloadPlan, Next, Step};

use crate::demand::Filled;
use crate::error::JobError;
use crate::file::{File, ResumeBy, Validator};
use crate::queue::Report;
use crate::sources::{DropReason, SourceIndex};
use crate::time::Timestamp;
use crate::transfer::error::{TransportError, TransportFault};
use crate::transfer::parts::{Act, Front, PartAsked, PartEnd, PartId, Parts, PartsRules};
use crate::transfer::sources::Tie;
use crate::transfer::validators;
use crate::transfer::version::Rest;
use crate::units::Bytes;

/// How long nothing is looked at while parts come.
const RESTS: Duration = Duration::from_millis(500);

impl DownloadPlan {
    /// Part `id` is written up to `upto`.
    pub fn part_written(&mut self, id: PartId, upto: Bytes) {
        let parts = self.parts.as_mut().expect("a part belongs to a version");
        let source = parts.written(id, upto);
        self.unsynced = true;
        self.delivered = true;
        self.choice.helps(source);
        self.report_sources();
    }

    /// Part `id` has ended, and its source called its version so.
    pub fn part_ended(&mut self, id: PartId, end: PartEnd, validator: Option<Validator>) {
        let parts = self.parts.as_mut().expect("a part belongs to a version");
        let source = parts.ended(id, validator);
        match end {
            PartEnd::Whole | PartEnd::Left => {}
            PartEnd::NoRoom => parts.has_no_room(),
            PartEnd::Here(error) => self.fail(error),
            PartEnd::Failed(reason, error) => self.part_failed(source, reason, &error),
        }
    }

    /// Without `source` it goes on, so no error is made of this one.
    fn part_failed(&mut self, source: SourceIndex, reason: DropReason, error: &JobError) {
        self.parts.as_mut().expect("a part belongs to a version").is_unfit(source);
        if self.ending.is_some() {
            return;
        }
        self.note(format!("{}; the file goes on without that part", error.message));
        // Who asks whose owner it is, and who sends what is in front, is dealt with there.
        if source != self.choice.current() && error.challenge.is_none() {
            self.choice.drop_beside(source, reason, error);
            self.report_sources();
        }
    }

    /// Decides whether the version that begins may come in parts.
    pub(super) fn plan_parts(&mut self, now: Timestamp) {
        if self.step != Step::Cut(After::ReportVersion) || self.ending.is_some() {
            return;
        }
        let Some((rules, size)) = self.parts_rules().zip(self.size()) else { return };
        let version = self.version.as_mut().expect("a version begins");
        version.served.in_parts = true;
        self.parts = Some(Parts::new(rules, size, Filled::NOTHING, now));
    }

    fn parts_rules(&self) -> Option<PartsRules> {
        let rules = self.rules.parts.filter(|rules| rules.most > 1)?;
        let may_ever = !self.in_order && !self.rules.from_the_beginning && self.ranges.is_all();
        let several = self.choice.places().filter(|place| self.choice.may_help(*place)).count() > 1;
        let is_large = self.size().is_some_and(|size| size >= rules.bytes_min);
        let is_far = self.remote_name.local_path().is_none();
        let may = may_ever && is_large && is_far && (several || rules.of_one_server > 1);
        // What could not be gone on with is not to be asked for in parts either.
        (may && self.rest().is_some() && (self.tie().is_some() || !several)).then_some(rules)
    }

    /// Takes up the parts of an earlier attempt, of which so much is here from the beginning on.
    pub(super) fn takes_up_parts(&mut self, file: &File, usable: Option<Bytes>, now: Timestamp) {
        let is_usable = usable.is_some_and(|usable| usable > Bytes::ZERO);
        if let Some(size) = self.size().filter(|_| file.served.in_parts && is_usable) {
            let rules = self.parts_rules().unwrap_or(PartsRules::NONE);
            self.parts = Some(Parts::new(rules, size, file.demand.filled.clone(), now));
        }
    }

    pub(super) fn has_parts_coming(&self) -> bool {
        self.parts.as_ref().is_some_and(Parts::any)
    }

    /// Lets all parts end, and waits until they have.
    pub(super) fn end_parts(&mut self) -> Next {
        let parts = self.parts.as_mut().expect("some are coming");
        parts.leave_one().map_or(Next::Wait, Next::LeavePart)
    }

    /// How much is written, and how much of that is on the disk for sure.
    pub(super) fn counts(&self) -> (Bytes, Bytes) {
        match &self.parts {
            Some(parts) => (parts.here().total(), parts.surely().total()),
            None => (self.written, self.synced),
        }
    }

    /// Up to where the front is to fetch, if not to the end.
    pub(super) fn front_end(&self) -> Option<Bytes> {
        self.parts.as_ref().map(|parts| parts.front_end(self.received))
    }

    /// Nothing behind the first gap is cut off.
    pub(super) fn cut_for_parts(&self) -> Next {
        let end = self.parts.as_ref().map_or(Bytes::ZERO, |parts| parts.here().end());
        Next::Cut { to: self.written.max(end), size: self.size(), sum: None }
    }

    /// Whether the sum is to be read from the file: its bytes have not come in order.
    pub(super) fn is_to_be_read(&self) -> bool {
        self.parts.is_some() && !self.is_read
    }

    pub(super) fn parts_synced(&mut self) {
        let parts = self.parts.as_mut().expect("there are some");
        let before = parts.surely().total();
        parts.synced();
        if parts.surely().total() > before {
            let filled = parts.surely().clone();
            let (attempt, file) = (self.attempt, self.file);
            self.reports.push_back(Report::Filled { attempt, file, filled, new: Vec::new() });
        }
    }

    /// What is to be done about parts while the front receives.
    pub(super) fn part_next(&mut self, now: Timestamp) -> Option<Next> {
        let front = self.front();
        let parts = self.parts.as_mut()?;
        match parts.next(front, &self.choice, now)? {
            Act::Begin { id, source, from, end } => {
                Some(Next::Part(Box::new(self.part_asked(id, source, (from, end)))))
            }
            Act::Leave(id) => Some(Next::LeavePart(id)),
            Act::LeaveSlow(id, source) => {
                let message = format!("{} sends too slowly", self.choice.name_of(source).authority());
                let error = TransportError { fault: TransportFault::TimedOut, message };
                self.part_failed(source, DropReason::Slow, &error.into());
                Some(Next::LeavePart(id))
            }
            Act::LeaveFront => {
                // Where there is no other source the same one is asked for what it has not sent.
                self.step = Step::Leaving { slow: !self.choice.is_single() };
                Some(Next::Leave)
            }
        }
    }

    pub(super) fn parts_look_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.parts.as_ref().and_then(|parts| parts.look_at(self.front(), &self.choice, now))
    }

    fn front(&self) -> Front {
        let comes = self.step == Step::Receiving;
        Front { at: self.received, written: self.written, source: self.choice.current(), comes }
    }

    /// Goes on while nothing comes in front.
    pub(super) fn beside(&mut self, now: Timestamp) -> Next {
        if self.written < self.received {
            return Next::Wait;
        }
        let parts = self.parts.as_ref().expect("they come, or came");
        let reached = parts.reaches(self.received);
        self.received = reached;
        self.written = reached;
        if self.size() == Some(reached) {
            self.step = Step::Whole;
            return self.next(now);
        }
        if !self.has_parts_coming() {
            if self.syncing {
                return Next::Wait;
            }
            return self.ask_another(false);
        }
        let next = self.part_next(now).or_else(|| self.due(now));
        next.unwrap_or_else(|| Next::Rest { wake: self.due_at().unwrap_or(now + RESTS).min(now + RESTS) })
    }

    fn part_asked(&self, id: PartId, source: SourceIndex, (from, end): (Bytes, Bytes)) -> PartAsked {
        let version = self.version.clone().expect("a part belongs to a version");
        let is_home = source == version.served.source;
        let (if_range, by) = match self.tie() {
            _ if is_home => (self.home_rest(), self.resume_by),
            Some(Tie::EntityTag) => {
                (validators::if_range(&version.validator).map(Into::into), ResumeBy::Validator)
            }
            Some(Tie::Checksum) | None => (None, ResumeBy::Checksum),
        };
        let parts = self.parts.as_ref().expect("there are some");
        PartAsked {
            id,
            attempt: self.attempt,
            file: self.file,
            remote_name: self.choice.name_of(source).clone(),
            original: self.remote_name.clone(),
            from,
            end,
            if_range,
            version,
            by,
            validator: parts.validator(source).filter(|_| !is_home).cloned(),
            redirects: self.rules.redirects,
        }
    }

    /// The validator by which the source of the version goes on with it.
    fn home_rest(&self) -> Option<String> {
        let version = self.version.as_ref()?;
        match version.rest(self.resume_by, self.given.as_ref())? {
            Rest::If(validator) => Some(validator),
            Rest::Compared => None,
        }
    }
}
