//! When a program that has registered callbacks is called (`bits.md` §8.1).
//!
//! It follows one job by what is seen of it, and needs not to have seen everything: what was missed
//! while nobody could look is found by comparing. Files come before the end of the job, changes after.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Happened, NotifyFlags, retry_delay};
use crate::job::Revision;
use crate::time::Timestamp;

/// A job, as much of it as matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub revision: Revision,
    pub flags: NotifyFlags,
    pub minimum_interval: Duration,
    /// What stands, and a number that is another one each time it happens.
    pub happened: Option<(Happened, u64)>,
    pub files_transferred: u32,
}

/// What the program is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Files are whole that were not before (`FileTransferred`), one after the other.
    Files,
    /// Bytes of files on demand have come (`FileRangesTransferred`): all that have since the last time.
    Ranges,
    /// `JobTransferred` or `JobError`.
    Happened(Happened),
    /// `JobModification`.
    Modification,
}

/// What one registration was told of one job.
#[derive(Debug, Clone, Default)]
pub struct Callbacks {
    seen: Option<Seen>,
    files_told: u32,
    happened_told: Option<(Happened, u64)>,
    /// Calls that failed in a row, and when it is called again.
    failed: Option<(u32, Timestamp)>,
    modification: Spaced,
    ranges: Spaced,
}

/// Something that is told at most once in an interval.
#[derive(Debug, Clone, Copy, Default)]
struct Spaced {
    is_pending: bool,
    last: Option<Timestamp>,
}

impl Spaced {
    fn due(&self, interval: Duration) -> Option<Timestamp> {
        self.is_pending.then(|| self.last.map_or(Timestamp(0), |last| last + interval))
    }

    fn take(&mut self, interval: Duration, now: Timestamp) -> bool {
        // After a clock that was set back nothing waits for longer than the interval.
        let is_back = self.last.is_some_and(|last| last > now);
        let is_due = self.due(interval).is_some_and(|due| due <= now || is_back);
        if is_due {
            *self = Self { is_pending: false, last: Some(now) };
        }
        is_due
    }
}

impl Callbacks {
    /// Takes in how the job is. Whatever was there when it is first seen is not told, but for what
    /// stands: that is told however late somebody registers.
    pub fn see(&mut self, seen: Seen) {
        match self.seen {
            None => self.files_told = seen.files_transferred,
            Some(before) if before.revision != seen.revision => {
                // Coming to its end is told as that alone.
                let is_end = seen.happened.is_some() && seen.happened != before.happened;
                self.modification.is_pending |= !is_end;
            }
            Some(_) => {}
        }
        // What was whole can be lost again, or be found to be wrong.
        self.files_told = self.files_told.min(seen.files_transferred);
        if seen.happened != self.happened_told {
            self.failed =
                self.failed.filter(|_| self.seen.is_some_and(|last| last.happened == seen.happened));
        }
        self.seen = Some(seen);
    }

    /// Takes note that bytes of files on demand have come.
    pub fn ranges_came(&mut self) {
        self.ranges.is_pending = true;
    }

    /// What the program is to be told next, if anything; to be asked again when that has been told.
    pub fn next(&mut self, now: Timestamp) -> Option<Call> {
        let seen = self.seen?;
        if seen.files_transferred > self.files_told {
            self.files_told = seen.files_transferred;
            if seen.flags.wants(NotifyFlags::FILE_TRANSFERRED) {
                return Some(Call::Files);
            }
        }
        if self.ranges.take(seen.minimum_interval, now)
            && seen.flags.wants(NotifyFlags::FILE_RANGES_TRANSFERRED)
        {
            return Some(Call::Ranges);
        }
        if let Some((happened, _)) = seen.happened
            && seen.happened != self.happened_told
            && seen.flags.wants(happened.flag())
            && self.failed.is_none_or(|(_, again)| again <= now)
        {
            return Some(Call::Happened(happened));
        }
        let is_told = self.modification.take(seen.minimum_interval, now);
        (is_told && seen.flags.wants(NotifyFlags::JOB_MODIFICATION)).then_some(Call::Modification)
    }

    /// When [`Callbacks::next`] will have something although nothing is seen.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let seen = self.seen?;
        let is_open = seen.happened.is_some() && seen.happened != self.happened_told;
        let again = self.failed.filter(|_| is_open).map(|(_, again)| again);
        let interval = seen.minimum_interval;
        [again, self.modification.due(interval), self.ranges.due(interval)].into_iter().flatten().min()
    }

    /// The program has heard what stands, or has failed to: then it is told again after a while.
    pub fn heard(&mut self, is_heard: bool, now: Timestamp) {
        let Some(seen) = self.seen else { return };
        if is_heard {
            self.happened_told = seen.happened;
            self.failed = None;
        } else {
            let tries = self.failed.map_or(1, |(tries, _)| tries.saturating_add(1));
            self.failed = Some((tries, now + retry_delay(tries, None)));
        }
    }

    /// All that can be told at `now`, as one list. Each is taken to be heard.
    pub fn all(&mut self, now: Timestamp) -> Vec<Call> {
        let mut calls = Vec::new();
        while let Some(call) = self.next(now) {
            if matches!(call, Call::Happened(_)) {
                self.heard(true, now);
            }
            calls.push(call);
        }
        calls
    }
}
