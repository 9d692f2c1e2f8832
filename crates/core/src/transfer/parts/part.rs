//! The plan of one part that comes beside others: what is asked of its source, and whether the answer is
//! what it has to be.
//!
//! Nothing of an answer is written before it has said that it is just what was asked for of just the
//! version that is here. Whatever else comes ends the part; the file goes on without it.

use alloc::format;
use alloc::string::String;

use super::PartId;
use crate::checksum::Checksum;
use crate::error::{Code, ErrorContext, JobError};
use crate::file::{FileIndex, PartialId, ResumeBy, Validator};
use crate::http_options::SecurityFlags;
use crate::job::Attempt;
use crate::queue::Report;
use crate::remote_name::RemoteName;
use crate::sources::DropReason;
use crate::time::Timestamp;
use crate::transfer::content_range::ContentRange;
use crate::transfer::error::{
    TransportError, cut_off, invalid_answer, packed, redirect_error, shown, status_error,
};
use crate::transfer::head::ResponseHead;
use crate::transfer::version::Version;
use crate::transfer::{BodyEnd, Fetch, Next, Outcome, Plan, RangeAsked, redirect, validators};
use crate::units::Bytes;

/// A part that is to come.
#[derive(Debug, Clone)]
pub struct PartAsked {
    pub id: PartId,
    pub(in crate::transfer) attempt: Attempt,
    pub(in crate::transfer) file: FileIndex,
    /// Where the source has the file.
    pub(in crate::transfer) remote_name: RemoteName,
    /// Where the owner says that it is; credentials are for that origin alone.
    pub(in crate::transfer) original: RemoteName,
    pub(in crate::transfer) from: Bytes,
    /// One beyond the last byte.
    pub(in crate::transfer) end: Bytes,
    pub(in crate::transfer) if_range: Option<String>,
    /// The version of which a part is here, and by what an answer is told to be of it.
    pub(in crate::transfer) version: Version,
    pub(in crate::transfer) by: ResumeBy,
    /// What the source called its version before.
    pub(in crate::transfer) validator: Option<Validator>,
    pub(in crate::transfer) redirects: SecurityFlags,
}

impl PartialEq for PartAsked {
    fn eq(&self, other: &Self) -> bool {
        let what = |part: &Self| (part.id, part.attempt, part.file, part.from, part.end);
        what(self) == what(other) && self.remote_name == other.remote_name
    }
}

impl Eq for PartAsked {}

impl PartAsked {
    /// Where its first byte belongs.
    pub fn from(&self) -> Bytes {
        self.from
    }

    /// One beyond its last byte.
    pub fn end(&self) -> Bytes {
        self.end
    }

    pub fn remote_name(&self) -> &RemoteName {
        &self.remote_name
    }
}

/// How a part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartEnd {
    /// All of it is written.
    Whole,
    /// It was to be left.
    Left,
    /// It has not begun: there may be no connection for it now.
    NoRoom,
    /// Its source is of no use.
    Failed(DropReason, JobError),
    /// Something is wrong on this machine.
    Here(JobError),
}

/// One part, decided step by step.
#[derive(Debug)]
pub struct PartPlan {
    asked: PartAsked,
    /// Where redirects have led.
    target: RemoteName,
    redirects: u32,
    step: Step,
    received: Bytes,
    written: Bytes,
    body_end: Bytes,
    shown: Bytes,
    validator: Option<Validator>,
    end: Option<PartEnd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Ask,
    Asked,
    Placing,
    Receiving,
}

impl PartPlan {
    pub fn new(asked: PartAsked) -> Self {
        Self {
            target: asked.remote_name.clone(),
            redirects: 0,
            step: Step::Ask,
            received: asked.from,
            written: asked.from,
            body_end: asked.from,
            shown: asked.from,
            validator: None,
            end: None,
            asked,
        }
    }

    pub fn id(&self) -> PartId {
        self.asked.id
    }

    /// How it ended, and what its source called the version.
    pub fn into_end(self) -> (PartEnd, Option<Validator>) {
        (self.end.unwrap_or(PartEnd::Left), self.validator)
    }

    fn range(&self) -> RangeAsked {
        let Self { asked, written, .. } = self;
        RangeAsked { from: *written, end: Some(asked.end), if_range: asked.if_range.clone() }
    }

    fn begin(&mut self, head: &ResponseHead) {
        let range = match ContentRange::of_answer(&self.range(), head) {
            Ok(range) => range,
            Err(said) => {
                let from = self.written.0;
                let wrong = format!("was not served from byte {from} on as asked (Content-Range: {said})");
                return self.is_another(&wrong);
            }
        };
        let contradicts = |known: &Validator| validators::contradicts(known, head);
        let has_changed = self.asked.validator.as_ref().is_some_and(contradicts);
        if range.total != self.asked.version.total
            || self.asked.version.differs(self.asked.by, head, Some(range))
            || has_changed
        {
            return self.is_another("has another version of the file");
        }
        self.validator = Some(validators::of_answer(head));
        self.body_end = range.end;
        self.step = Step::Placing;
    }

    fn follow(&mut self, head: &ResponseHead) {
        let to = redirect::target(&self.target, head, self.redirects, self.asked.redirects);
        let message = match to {
            Ok(to) if self.asked.redirects.has(SecurityFlags::REDIRECT_DISALLOW) => {
                redirect::not_followed(&self.target, &to)
            }
            Ok(to) => {
                self.redirects += 1;
                self.target = to;
                self.step = Step::Ask;
                return;
            }
            Err(message) => message,
        };
        self.fail(DropReason::Refused, redirect_error(head.status, message, self.asked.file));
    }

    fn is_another(&mut self, wrong: &str) {
        let invalid = invalid_answer(format!("{} {wrong}", shown(&self.target)), self.asked.file);
        self.fail(DropReason::Other, JobError { code: Code::INVALID_SERVER_RESPONSE, ..invalid });
    }

    fn fail(&mut self, reason: DropReason, mut error: JobError) {
        error.file.get_or_insert(self.asked.file);
        self.end.get_or_insert(match error.context {
            ErrorContext::LocalFile => PartEnd::Here(error),
            _ => PartEnd::Failed(reason, error),
        });
    }
}

impl Plan for PartPlan {
    fn next(&mut self, _: Timestamp) -> Next {
        if self.written > self.shown {
            self.shown = self.written;
            let (attempt, file) = (self.asked.attempt, self.asked.file);
            return Next::Report(Report::Progress { attempt, file, transferred: self.written });
        }
        if self.written < self.received && (self.end.is_some() || self.received == self.body_end) {
            return Next::Wait;
        }
        if self.written == self.asked.end {
            self.end.get_or_insert(PartEnd::Whole);
        }
        match &self.end {
            Some(PartEnd::Whole) => return Next::Done(Outcome::Transferred),
            Some(PartEnd::Left | PartEnd::NoRoom) => return Next::Done(Outcome::Stopped),
            Some(PartEnd::Failed(_, error) | PartEnd::Here(error)) => {
                return Next::Done(Outcome::Failed(error.clone()));
            }
            None => {}
        }
        match self.step {
            Step::Placing => {
                self.step = Step::Receiving;
                Next::Seek { to: self.written }
            }
            Step::Receiving if self.received < self.body_end => {
                Next::Receive { max: Some(self.body_end.beyond(self.received)), wake: None }
            }
            // A server may send less than was asked for; then the rest is next.
            Step::Ask | Step::Receiving => {
                self.step = Step::Asked;
                Next::Fetch(Fetch {
                    remote_name: self.target.clone(),
                    range: Some(self.range()),
                    with_credentials: self.target.same_origin(&self.asked.original),
                    as_get: false,
                })
            }
            Step::Asked => Next::Wait,
        }
    }

    fn answered(&mut self, head: &ResponseHead, _: Timestamp) {
        assert_eq!(self.step, Step::Asked, "an answer follows a question");
        match head.status {
            200 | 206 if head.content_coding().is_some() => {
                let invalid =
                    invalid_answer(format!("{} {}", shown(&self.target), packed(head)), self.asked.file);
                self.fail(DropReason::Refused, invalid);
            }
            206 => self.begin(head),
            200 => self.is_another(
                "does not serve the part of the file that was asked for: it has another version, or serves no parts",
            ),
            416 => self.is_another(&format!("has nothing from byte {} on", self.written.0)),
            status if redirect::is_redirect(status) => self.follow(head),
            _ => {
                let error = status_error(&self.target, head, Some(self.asked.file));
                self.fail(DropReason::Refused, error);
            }
        }
    }

    fn received(&mut self, count: Bytes) {
        assert_eq!(self.step, Step::Receiving, "bytes come when they may");
        self.received = self.received.saturating_add(count);
        assert!(self.received <= self.body_end, "no more is taken than was asked for");
    }

    fn written(&mut self, count: Bytes) {
        self.written = self.written.saturating_add(count);
        assert!(self.written <= self.received, "what is written has come");
    }

    fn ended(&mut self, _: BodyEnd) {
        if self.step == Step::Receiving && self.received < self.body_end {
            let (from, end) = (self.asked.from, self.body_end);
            self.failed(cut_off(&self.target, self.received.beyond(from), end.beyond(from)));
        }
    }

    fn failed(&mut self, error: TransportError) {
        self.fail(DropReason::Broken, error.into());
    }

    fn refused(&mut self, error: JobError) {
        self.fail(DropReason::Refused, error);
    }

    fn not_written(&mut self, error: JobError) {
        self.received = self.written;
        self.fail(DropReason::Broken, error);
    }

    fn stop(&mut self) {
        self.end.get_or_insert(PartEnd::Left);
    }

    fn read_back(&mut self) {
        unreachable!("a part is not summed up");
    }

    fn cut(&mut self, _: PartialId) {
        unreachable!("a part has its place in what is there");
    }

    fn recorded(&mut self) {
        unreachable!("a part begins no version");
    }

    fn summed(&mut self, _: &Checksum) {
        unreachable!("a part is not summed up");
    }

    fn synced(&mut self, _: Bytes, _: Timestamp) {
        unreachable!("what a part brings is synced with the rest");
    }

    fn not_synced(&mut self, _: JobError) {
        unreachable!("what a part brings is synced with the rest");
    }
}
