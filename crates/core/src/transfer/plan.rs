//! What every plan of one file's transfer answers, so that whoever carries plans out needs to know one
//! kind of them.
//!
//! What each call means is said at [`Next`], which asks for it.

use super::{BodyEnd, DownloadPlan, Next, PartEnd, PartId, ResponseHead, TransportError};
use crate::checksum::Checksum;
use crate::error::JobError;
use crate::file::{PartialId, Validator};
use crate::time::Timestamp;
use crate::units::Bytes;

/// One file's transfer, decided step by step.
pub trait Plan {
    fn next(&mut self, now: Timestamp) -> Next;
    fn answered(&mut self, head: &ResponseHead, now: Timestamp);
    fn read_back(&mut self);
    fn cut(&mut self, partial: PartialId);
    fn recorded(&mut self);
    fn summed(&mut self, sum: &Checksum);
    fn received(&mut self, count: Bytes);
    fn written(&mut self, count: Bytes);
    fn ended(&mut self, end: BodyEnd);
    fn synced(&mut self, upto: Bytes, now: Timestamp);
    fn failed(&mut self, error: TransportError);
    fn refused(&mut self, error: JobError);
    fn not_written(&mut self, error: JobError);
    fn not_synced(&mut self, error: JobError);
    fn stop(&mut self);

    /// What came until `now` was held back by us, for a limit or for the sake of others: it does not say
    /// how fast the source is.
    fn was_held(&mut self, _now: Timestamp) {}

    /// The body that was to be left is left. A plan that never says [`Next::Leave`] never hears it.
    fn left(&mut self) {}

    /// A part that comes beside the rest is written up to `upto`. A plan that never says [`Next::Part`]
    /// hears of none.
    fn part_written(&mut self, _: PartId, _upto: Bytes) {
        unreachable!("no part was begun");
    }

    /// A part has ended, and its source called the version so.
    fn part_ended(&mut self, _: PartId, _: PartEnd, _: Option<Validator>) {
        unreachable!("no part was begun");
    }

    /// Something else is asked for, which may be more urgent. Says whether the plan ends for it.
    fn interrupt(&mut self) -> bool {
        false
    }
}

impl Plan for DownloadPlan {
    fn next(&mut self, now: Timestamp) -> Next {
        Self::next(self, now)
    }

    fn answered(&mut self, head: &ResponseHead, now: Timestamp) {
        Self::answered(self, head, now);
    }

    fn read_back(&mut self) {
        Self::read_back(self);
    }

    fn cut(&mut self, partial: PartialId) {
        Self::cut(self, partial);
    }

    fn recorded(&mut self) {
        Self::recorded(self);
    }

    fn summed(&mut self, sum: &Checksum) {
        Self::summed(self, sum);
    }

    fn received(&mut self, count: Bytes) {
        Self::received(self, count);
    }

    fn written(&mut self, count: Bytes) {
        Self::written(self, count);
    }

    fn ended(&mut self, end: BodyEnd) {
        Self::ended(self, end);
    }

    fn synced(&mut self, upto: Bytes, now: Timestamp) {
        Self::synced(self, upto, now);
    }

    fn failed(&mut self, error: TransportError) {
        Self::failed(self, error);
    }

    fn refused(&mut self, error: JobError) {
        Self::refused(self, error);
    }

    fn not_written(&mut self, error: JobError) {
        Self::not_written(self, error);
    }

    fn not_synced(&mut self, error: JobError) {
        Self::not_synced(self, error);
    }

    fn stop(&mut self) {
        Self::stop(self);
    }

    fn left(&mut self) {
        Self::left(self);
    }

    fn was_held(&mut self, now: Timestamp) {
        Self::was_held(self, now);
    }

    fn part_written(&mut self, id: PartId, upto: Bytes) {
        Self::part_written(self, id, upto);
    }

    fn part_ended(&mut self, id: PartId, end: PartEnd, validator: Option<Validator>) {
        Self::part_ended(self, id, end, validator);
    }
}
