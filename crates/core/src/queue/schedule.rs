//! Who runs next: the few bytes per active job that this takes.
//!
//! Jobs at rest are not here at all.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::job::{Attempt, Job, JobId, Priority, State};
use crate::time::Timestamp;

/// How many jobs may run at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Jobs a person waits for (`bits.md` §4: all of them; a named limit keeps the machine usable).
    pub foreground_jobs_max: usize,
    /// All other jobs together. BITS runs one; several keep a slow server from holding up the
    /// rest (`bits.md` §13, complaint 13).
    pub background_jobs_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { foreground_jobs_max: 16, background_jobs_max: 4 }
    }
}

/// Where an active job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Waits for its turn: by priority, then by when it was queued.
    Runnable {
        priority: Priority,
        since: Timestamp,
    },
    Running {
        priority: Priority,
        attempt: Attempt,
    },
    Waiting {
        until: Timestamp,
    },
    /// Queued, and passed over until somebody lets it go.
    Held,
}

impl Slot {
    /// The slot of `job`, which has come to its state at `now`; none for a job at rest.
    pub(super) fn of(job: &Job, now: Timestamp) -> Option<Self> {
        let priority = job.properties.priority;
        match job.state {
            State::Queued => Some(Self::Runnable { priority, since: now }),
            State::Connecting | State::Transferring => Some(Self::Running { priority, attempt: job.attempt }),
            State::TransientError { retry_at } => {
                Some(Self::Waiting { until: job.next_wake(now).unwrap_or(retry_at) })
            }
            State::Suspended | State::Error | State::Transferred | State::Acknowledged | State::Cancelled => {
                None
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Schedule {
    limits: Limits,
    slots: BTreeMap<JobId, Slot>,
    runnable: BTreeSet<(Priority, Timestamp, JobId)>,
    waiting: BTreeSet<(Timestamp, JobId)>,
    foreground_running: usize,
    background_running: usize,
}

impl Schedule {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: BTreeMap::new(),
            runnable: BTreeSet::new(),
            waiting: BTreeSet::new(),
            foreground_running: 0,
            background_running: 0,
        }
    }

    pub(super) fn get(&self, job: JobId) -> Option<Slot> {
        self.slots.get(&job).copied()
    }

    /// Moves `job` to `slot`. A job that stays runnable at the same priority keeps its place, and one
    /// that is held stays so until it is taken out.
    pub(super) fn set(&mut self, job: JobId, slot: Option<Slot>) {
        let slot = match (self.get(job), slot) {
            (Some(Slot::Runnable { priority: was, since }), Some(Slot::Runnable { priority, .. }))
                if was == priority =>
            {
                Some(Slot::Runnable { priority, since })
            }
            (Some(Slot::Held), Some(Slot::Runnable { .. })) => Some(Slot::Held),
            (_, slot) => slot,
        };
        match self.slots.remove(&job) {
            Some(Slot::Runnable { priority, since }) => {
                self.runnable.remove(&(priority, since, job));
            }
            Some(Slot::Waiting { until }) => {
                self.waiting.remove(&(until, job));
            }
            Some(Slot::Running { priority, .. }) => *self.running_mut(priority) -= 1,
            Some(Slot::Held) | None => {}
        }
        let Some(slot) = slot else { return };
        self.slots.insert(job, slot);
        match slot {
            Slot::Runnable { priority, since } => {
                self.runnable.insert((priority, since, job));
            }
            Slot::Waiting { until } => {
                self.waiting.insert((until, job));
            }
            Slot::Running { priority, .. } => *self.running_mut(priority) += 1,
            Slot::Held => {}
        }
    }

    pub(super) fn next_runnable(&self) -> Option<JobId> {
        let foreground_free = self.foreground_running < self.limits.foreground_jobs_max;
        let background_free = self.background_running < self.limits.background_jobs_max;
        match self.first_from(Priority::Foreground) {
            Some((Priority::Foreground, job)) if foreground_free => Some(job),
            _ if background_free => self.first_from(Priority::High).map(|(_, job)| job),
            _ => None,
        }
    }

    fn first_from(&self, priority: Priority) -> Option<(Priority, JobId)> {
        const FIRST_ID: JobId = JobId([0; 16]);
        let from = (priority, Timestamp(0), FIRST_ID);
        self.runnable.range(from..).next().map(|(priority, _, job)| (*priority, *job))
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<JobId> {
        self.waiting.first().filter(|(until, _)| *until <= now).map(|(_, job)| *job)
    }

    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(until, _)| *until)
    }

    /// The clock was set back: what waits does not wait longer for that.
    pub(super) fn set_back(&mut self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        for (until, job) in core::mem::take(&mut self.waiting) {
            let until = Timestamp(until.0.saturating_sub(by));
            self.slots.insert(job, Slot::Waiting { until });
            self.waiting.insert((until, job));
        }
    }

    pub(super) fn running_attempt(&self, job: JobId) -> Option<Attempt> {
        match self.get(job) {
            Some(Slot::Running { attempt, .. }) => Some(attempt),
            _ => None,
        }
    }

    pub(super) fn is_held(&self, job: JobId) -> bool {
        self.get(job) == Some(Slot::Held)
    }

    /// How many jobs have their turn before `job`, counted no further than `most`.
    pub(super) fn ahead_of(&self, job: JobId, most: usize) -> usize {
        let Some(Slot::Runnable { priority, since }) = self.get(job) else { return 0 };
        self.runnable.range(..(priority, since, job)).take(most).count()
    }

    fn running_mut(&mut self, priority: Priority) -> &mut usize {
        if priority == Priority::Foreground {
            &mut self.foreground_running
        } else {
            &mut self.background_running
        }
    }
}
