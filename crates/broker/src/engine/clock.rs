//! When the clock is set: what is written of jobs moves along, in parts, and nobody is judged by stamps of
//! another clock meanwhile.
//!
//! A service that ends before all is moved leaves the rest as it was, as it would have if the clock had been
//! set while no service ran.

use std::collections::BTreeSet;

use bits_core::job::{ClockChange, JobId};
use bits_core::queue;
use bits_core::time::Timestamp;

use super::{
    CLOCK_CORRECTION_MAX, Engine, FORGET_INTERVAL, INPUTS_PER_BATCH, PATIENCE_WITH_CLOCK,
    PAUSE_AFTER_FAILED_COMMIT, Turn,
};

/// Jobs whose stamps are moved along in one turn.
pub(super) const MOVED_AT_ONCE_MAX: usize = 1024;

/// How the clock was set, and which jobs have been moved along with it.
#[derive(Debug, Clone)]
pub(super) struct Move {
    change: ClockChange,
    /// All up to this one.
    upto: Option<JobId>,
    /// Others, which have been touched since, or made.
    others: BTreeSet<JobId>,
}

impl Move {
    fn has_moved(&self, job: JobId) -> bool {
        self.upto.is_some_and(|upto| job.place() <= upto.place()) || self.others.contains(&job)
    }
}

impl Engine<'_> {
    /// By how much the clock was set since the last turn, if it was.
    pub(super) fn clock_change(&mut self, now: Timestamp) -> Option<ClockChange> {
        let running = self.clock.running();
        let ran = running.zip(self.last_running).map(|(now, then)| now.saturating_sub(then));
        self.last_running = running;
        let expected = ran.map_or(self.last_turn, |ran| self.last_turn + ran);
        if now < self.last_turn || now + CLOCK_CORRECTION_MAX < expected {
            return Some(ClockChange::Back(expected.since(now)));
        }
        ran?;
        (expected + CLOCK_CORRECTION_MAX < now).then(|| ClockChange::Forward(now.since(expected)))
    }

    /// Moves along all that was to happen by the clock as it was. What is written of jobs follows in this
    /// turn and those after it.
    pub(super) fn clock_was_set(&mut self, change: ClockChange, now: Timestamp) {
        tracing::info!(?change, "the clock was set");
        self.queue.clock_was_set(change);
        self.paused_until = self.paused_until.map(|until| until.min(now + PAUSE_AFTER_FAILED_COMMIT));
        self.forget_at = self.forget_at.min(now + FORGET_INTERVAL);
        self.purge_at = self.purge_at.max(now + PATIENCE_WITH_CLOCK).min(now + FORGET_INTERVAL);
        let (ClockChange::Forward(by) | ClockChange::Back(by)) = change;
        if by > CLOCK_CORRECTION_MAX {
            self.moves.push_back(Move { change, upto: None, others: BTreeSet::new() });
        }
    }

    /// Moves along what is written of the next jobs.
    pub(super) fn move_stamps(&mut self, now: Timestamp, turn: &mut Turn) {
        let Some(first) = self.moves.front() else { return };
        let jobs = match self.store.live(first.upto, MOVED_AT_ONCE_MAX) {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::warn!(%error, "the jobs could not be read");
                self.paused_until = Some(now + PAUSE_AFTER_FAILED_COMMIT);
                return;
            }
        };
        for job in &jobs {
            self.move_by(1, *job, now, turn);
        }
        let is_last = jobs.len() < MOVED_AT_ONCE_MAX;
        if let Some(first) = self.moves.front_mut() {
            first.upto = jobs.last().copied().or(first.upto);
            // Those that were touched before their time are behind it now.
            if let Some(upto) = first.upto {
                first.others.retain(|job| job.place() > upto.place());
            }
        }
        if is_last {
            self.moves.pop_front();
        }
    }

    /// Moves along what is written of `job`, unless that is done: before anything else is done with it. A
    /// job that is not there is going to be made by the clock as it is.
    pub(super) fn move_along(&mut self, job: JobId, now: Timestamp, turn: &mut Turn) {
        self.move_by(self.moves.len(), job, now, turn);
    }

    /// `job` is made by the clock as it is.
    pub(super) fn is_made_now(&mut self, job: JobId) {
        for owed in &mut self.moves {
            owed.others.insert(job);
        }
    }

    fn move_by(&mut self, moves: usize, job: JobId, now: Timestamp, turn: &mut Turn) {
        let mut changes = Vec::new();
        for owed in self.moves.iter_mut().take(moves).filter(|owed| !owed.has_moved(job)) {
            owed.others.insert(job);
            changes.push(owed.change);
        }
        for change in changes {
            self.take_in(queue::Input::ClockSet { job, change }, now, turn);
        }
    }

    /// Cancels the jobs that nobody has cared for; what does not fit into this turn waits for the next.
    pub(super) fn purge(&mut self, now: Timestamp, turn: &mut Turn) {
        self.purge_at = now + FORGET_INTERVAL;
        let after = self.purge_after.take();
        // By stamps of another clock nobody is to be judged.
        let until = self.queue.abandoned_until(now).filter(|_| turn.moves.is_empty());
        let Some(until) = until else { return };
        let abandoned = self.store.inactive(until, after, INPUTS_PER_BATCH).unwrap_or_else(|error| {
            tracing::warn!(%error, "the jobs could not be read");
            Vec::new()
        });
        if abandoned.len() == INPUTS_PER_BATCH {
            (self.purge_at, self.purge_after) = (now, abandoned.last().copied());
        }
        for (_, job) in abandoned {
            self.take_in(queue::Input::Abandoned { job }, now, turn);
        }
    }
}
