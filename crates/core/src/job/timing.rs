//! The times that end a job: how long it may download, and how long it may be left alone.
//!
//! Stamps are by the clock of the machine, which can be set. Whoever sees that it was set calls
//! [`Job::clock_was_set`], and all stamps that something is decided by move along. Sleep of the
//! machine is no such change: it counts like any other time (`bits.md` §1.5).

use alloc::format;
use core::time::Duration;

use super::{Event, Job, State};
use crate::error::{Code, ErrorContext, JobError};
use crate::time::Timestamp;

/// By how much a clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    Forward(Duration),
    Back(Duration),
}

impl ClockChange {
    /// What `stamp`, written before the clock was set, is by the new clock.
    pub fn moved(self, stamp: Timestamp) -> Timestamp {
        match self {
            Self::Forward(by) => stamp + by,
            Self::Back(by) => {
                Timestamp(stamp.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
            }
        }
    }
}

impl Job {
    /// Moves the stamps along with a clock that was set and shows `now`.
    ///
    /// A clock that is set back may have been ahead only since the machine was started: a stamp that
    /// is not ahead too was made by a right one, and stays. So no setting makes a job older than it is.
    pub(crate) fn clock_was_set(&mut self, change: ClockChange, now: Timestamp) {
        let moved = |stamp: Timestamp| match change {
            ClockChange::Back(_) if stamp <= now => stamp,
            change => change.moved(stamp),
        };
        if let State::TransientError { retry_at } = &mut self.state {
            *retry_at = change.moved(*retry_at);
        }
        self.stalled_since = self.stalled_since.map(moved);
        self.running_since = self.running_since.map(|since| change.moved(since));
        self.active_at = moved(self.active_at);
        self.outbox.clock_was_set(change);
    }

    /// When the time that the job may download is over, while it runs; `by_default` is what a job
    /// may that says nothing of it.
    pub(crate) fn download_time_ends(&self, by_default: Duration) -> Option<Timestamp> {
        let most = self.properties.maximum_download_time.unwrap_or(by_default);
        self.running_since.map(|since| since + most.saturating_sub(self.ran_for))
    }

    /// Ends a job whose time to download is over.
    pub(crate) fn out_of_time(&self, by_default: Duration) -> Event {
        let most = self.properties.maximum_download_time.unwrap_or(by_default);
        Event::OutOfTime(JobError {
            code: Code::MAXIMUM_DOWNLOAD_TIME,
            context: ErrorContext::GeneralQueueManager,
            transient: false,
            message: format!(
                "the job has been downloading for {} seconds, which is the most it may; \
                 resume it to go on where it is",
                most.as_secs()
            ),
            file: None,
            challenge: None,
            retry_after_seconds: None,
        })
    }

    /// Keeps the count of how long the job runs, which `was_running` before a change at `now`.
    pub(super) fn count_time(&mut self, was_running: bool, now: Timestamp) {
        match (was_running, self.state.is_running()) {
            (false, true) => self.running_since = Some(now),
            (true, false) => self.stop_counting(now),
            _ => {}
        }
    }

    /// Whether the time that the job may download passes.
    pub(super) fn is_counting(&self) -> bool {
        self.running_since.is_some()
    }

    /// Notes that the job ran until `end`.
    pub(super) fn stop_counting(&mut self, end: Timestamp) {
        if let Some(since) = self.running_since.take() {
            self.ran_for += end.since(since);
        }
    }

    /// Notes that a job which runs has waited until `now`.
    pub(super) fn go_on_counting(&mut self, now: Timestamp) {
        self.running_since = Some(now);
    }

    /// Gives the job all of its time again: its owner wants it to go on.
    pub(super) fn count_anew(&mut self, now: Timestamp) {
        self.ran_for = Duration::ZERO;
        // One that runs and waits for a connection is not counted.
        self.running_since = self.running_since.map(|_| now);
    }

    /// Takes over a job that ran when an earlier service ended, which was soon after it last wrote.
    pub(crate) fn adopt(&mut self) {
        self.stop_counting(self.times.modified);
        self.state = State::Queued;
    }

    /// Notes that its owner has done something to the job, or that it has got further.
    pub(crate) fn touch(&mut self, now: Timestamp) {
        self.times.modified = now;
        self.active_at = now;
    }
}
