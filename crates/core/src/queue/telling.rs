//! Whose notices are due: of all jobs, those that are to be told next (`bits.md` §8).
//!
//! What is to be told is in the outbox of each job; here is only when, and what is under way. A
//! command waits while a callback of its job is there, as that hears it first.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::credentials::SecretSlot;
use crate::job::{ClockChange, Job, JobId, Owner, Properties};
use crate::notify::{CALLBACK_RETURN_PATIENCE, Channel, Happened, NotifyCommand, NotifyLimits};
use crate::ports::SecretChange;
use crate::remote_name::RemoteName;
use crate::time::Timestamp;

use super::asking::Presence;
use super::decision::Undo;
use super::{Answer, Decision, Effect, Queue};
use crate::refusal::Refusal;

/// A notice that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    due: Timestamp,
    owner: Owner,
    /// Whether a callback that is there hears of it first.
    is_for_callback: bool,
}

/// The notices of one job.
#[derive(Debug, Clone, Default)]
pub(super) struct OfJob {
    waiting: BTreeMap<u32, Waiting>,
    under_way: BTreeMap<u32, Owner>,
}

/// The notices of all jobs.
#[derive(Debug)]
pub(super) struct Telling {
    limits: NotifyLimits,
    jobs: BTreeMap<JobId, OfJob>,
    /// Those that wait, by whom they are for and when.
    by_time: BTreeMap<Owner, BTreeSet<(Timestamp, JobId, u32)>>,
    under_way: BTreeMap<Owner, usize>,
}

impl Telling {
    /// From now on other limits.
    pub(super) fn set_limits(&mut self, limits: NotifyLimits) {
        self.limits = limits;
    }

    pub(super) fn new(limits: NotifyLimits) -> Self {
        Self { limits, jobs: BTreeMap::new(), by_time: BTreeMap::new(), under_way: BTreeMap::new() }
    }

    fn get(&self, job: JobId) -> OfJob {
        self.jobs.get(&job).cloned().unwrap_or_default()
    }

    pub(super) fn put_back(&mut self, job: JobId, notices: OfJob) {
        for (number, waiting) in self.get(job).waiting {
            if let Some(of_owner) = self.by_time.get_mut(&waiting.owner) {
                of_owner.remove(&(waiting.due, job, number));
                if of_owner.is_empty() {
                    self.by_time.remove(&waiting.owner);
                }
            }
        }
        for owner in self.get(job).under_way.into_values() {
            if let Some(count) = self.under_way.get_mut(&owner) {
                *count = count.saturating_sub(1);
            }
        }
        for (number, waiting) in &notices.waiting {
            self.by_time.entry(waiting.owner).or_default().insert((waiting.due, job, *number));
        }
        for owner in notices.under_way.values() {
            *self.under_way.entry(*owner).or_default() += 1;
        }
        if notices.waiting.is_empty() && notices.under_way.is_empty() {
            self.jobs.remove(&job);
        } else {
            self.jobs.insert(job, notices);
        }
    }

    /// Moves along with a clock that was set.
    pub(super) fn clock_was_set(&mut self, change: ClockChange) {
        for id in self.jobs.keys().copied().collect::<Vec<_>>() {
            let mut of_job = self.get(id);
            for waiting in of_job.waiting.values_mut() {
                waiting.due = change.moved(waiting.due);
            }
            self.put_back(id, of_job);
        }
    }

    /// The next one of an owner who has not too many under way. No others of those are looked at, and
    /// of the rest only what waits for a callback that is there.
    fn next(&self, has_callback: impl Fn(JobId) -> bool) -> Option<(Timestamp, JobId, u32)> {
        let has_room =
            |owner: &Owner| self.under_way.get(owner).copied().unwrap_or(0) < self.limits.at_once_max;
        let may = |(_, job, number): &&(Timestamp, JobId, u32)| {
            #[cfg(test)]
            LOOKED_AT.set(LOOKED_AT.get() + 1);
            let waiting = self.jobs.get(job).and_then(|of_job| of_job.waiting.get(number));
            waiting.is_some_and(|waiting| !(waiting.is_for_callback && has_callback(*job)))
        };
        let of_each = self.by_time.iter().filter(|(owner, _)| has_room(owner));
        of_each.filter_map(|(_, notices)| notices.iter().find(may)).min().copied()
    }
}

impl Queue {
    /// The next notice that is to be told at `now`, if any: to be taken in as
    /// [`Input::Tell`](super::Input::Tell).
    pub fn next_notice(&self, now: Timestamp) -> Option<(JobId, u32)> {
        let (due, job, number) = self.telling.next(|job| self.present.has_callback(job))?;
        (due <= now).then_some((job, number))
    }

    pub(super) fn next_notice_due(&self) -> Option<Timestamp> {
        self.telling.next(|job| self.present.has_callback(job)).map(|(due, _, _)| due)
    }

    /// Takes note of what is to be told of `job` now.
    pub(super) fn place_notices(&mut self, job: &Job, decision: &mut Decision) {
        let before = self.telling.get(job.id);
        let mut after = OfJob { under_way: before.under_way.clone(), waiting: BTreeMap::new() };
        for notice in &job.outbox.pending {
            if !after.under_way.contains_key(&notice.number) {
                let is_for_callback = notice.channel == Channel::Command && !notice.past_callback;
                // The patience with a callback that has gone is known here alone, and that what is on record
                // is by a clock that was set back.
                let was = before.waiting.get(&notice.number);
                let was = was.filter(|was| was.is_for_callback == is_for_callback);
                let due = was.map_or(notice.due, |was| was.due);
                after.waiting.insert(notice.number, Waiting { due, owner: job.owner, is_for_callback });
            }
        }
        if before.waiting.is_empty() && after.waiting.is_empty() {
            return;
        }
        decision.undo(Undo::Telling(job.id, before));
        self.telling.put_back(job.id, after);
    }

    /// Takes over what an earlier service has not told.
    pub(super) fn adopt_notices(&mut self, job: &Job, now: Timestamp, decision: &mut Decision) {
        self.place_notices(job, decision);
        let mut of_job = self.telling.get(job.id);
        for (number, waiting) in &mut of_job.waiting {
            let was_offered = job.outbox.notice(*number).is_some_and(|notice| notice.offered);
            let patience = if was_offered { CALLBACK_RETURN_PATIENCE } else { Duration::ZERO };
            // By a clock that was set back it could be far away.
            waiting.due = waiting.due.clamp(now + patience, now + crate::notify::RETRY_DELAY_MAX);
        }
        self.telling.put_back(job.id, of_job);
    }

    /// A callback of `job` has gone; it may be back in a moment.
    pub(super) fn callback_left(&mut self, job: JobId, now: Timestamp) {
        let mut of_job = self.telling.get(job);
        for waiting in of_job.waiting.values_mut().filter(|waiting| waiting.is_for_callback) {
            waiting.due = waiting.due.max(now + CALLBACK_RETURN_PATIENCE);
        }
        self.telling.put_back(job, of_job);
    }

    /// Begins to tell a notice.
    pub(super) fn tell(
        &mut self,
        id: JobId,
        number: u32,
        job: Option<Job>,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let before = self.telling.get(id);
        let mut after = before.clone();
        after.waiting.remove(&number);
        let notice = job.as_ref().and_then(|job| job.outbox.notice(number)).cloned();
        decision.undo(Undo::Telling(id, before));
        if let (Some(job), Some(notice)) = (job, notice) {
            if notice.channel == Channel::Command && !self.telling.limits.commands {
                self.telling.put_back(id, after);
                return self.told(job, number, Err(String::from(FORBIDDEN)), now, decision);
            }
            after.under_way.insert(number, job.owner);
            decision.effect(Effect::Tell { job: id, number });
        }
        self.telling.put_back(id, after);
    }

    /// Takes in what came of telling a notice.
    pub(super) fn told(
        &mut self,
        mut job: Job,
        number: u32,
        outcome: Result<(), String>,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let id = job.id;
        let before = self.telling.get(id);
        let mut after = before.clone();
        after.under_way.remove(&number);
        decision.undo(Undo::Telling(id, before));
        self.telling.put_back(id, after);
        let Some(notice) = job.outbox.notice(number).cloned() else {
            // What it was about is over; whoever was told then was told of what was.
            return;
        };
        match outcome {
            Ok(()) => job.outbox.heard(number),
            Err(reason) => {
                let delay = job.properties.minimum_retry_delay;
                let limits = self.telling.limits;
                let again = job.outbox.failed(number, &reason, delay, &limits, now);
                let what = notice.in_words();
                let text = match again {
                    Some(again) => {
                        let seconds = again.since(now).as_secs();
                        format!("{what}: {reason}; it is tried again in {seconds} s")
                    }
                    None => format!("{what}: {reason}; it is given up"),
                };
                decision.effect(Effect::Note { job: id, text });
            }
        }
        let is_last = job.state.is_final() && job.outbox.pending.is_empty();
        if is_last {
            decision.secret(id, SecretChange::Remove(SecretSlot::Webhook));
        }
        self.place_notices(&job, decision);
        decision.put(job);
    }

    /// Takes in whether a callback has heard what has `happened`.
    pub(super) fn heard(
        &mut self,
        mut job: Job,
        happened: Happened,
        is_heard: bool,
        now: Timestamp,
        decision: &mut Decision,
    ) -> Result<Option<Answer>, Refusal> {
        let id = job.id;
        let before = job.outbox.clone();
        job.outbox.heard_by_callback(happened, is_heard, now);
        if job.outbox != before {
            self.place_notices(&job, decision);
            decision.put(job);
        }
        Ok(Some(Answer::Job(id)))
    }

    /// Whether notices wait or are under way.
    pub fn has_notices(&self) -> bool {
        !self.telling.jobs.is_empty()
    }

    /// # Errors
    /// [`Refusal::CommandsForbidden`].
    pub(super) fn check_command(&self, has_command: bool) -> Result<(), Refusal> {
        if has_command && !self.telling.limits.commands { Err(Refusal::CommandsForbidden) } else { Ok(()) }
    }

    /// Whether a callback is there for `job`, which then hears first.
    pub(super) fn offer_to_callback(&self, job: &mut Job) {
        if self.present.has_callback(job.id) {
            let commands = job.outbox.pending.iter_mut().filter(|notice| notice.channel == Channel::Command);
            commands.for_each(|notice| notice.offered = true);
        }
    }
}

/// A secret of a webhook would be lost where there is none to be signed.
///
/// # Errors
/// [`Refusal::InvalidArgument`].
pub(super) fn check_secret(secrets: &[SecretChange], job: &Job) -> Result<(), Refusal> {
    if sets_secret(secrets) && job.properties.notify.webhook.is_none() {
        let wrong = "has nothing to sign: the job has no webhook; set its URL with it, or before";
        return Err(Refusal::invalid("the secret of the webhook", wrong));
    }
    Ok(())
}

/// Whether the secret of the webhook that was `before` is none of the one that `job` has now: what one
/// server knows is not told to another.
pub(super) fn keeps_no_secret(before: Option<&RemoteName>, secrets: &[SecretChange], job: &Job) -> bool {
    let is_elsewhere = match (before, &job.properties.notify.webhook) {
        (Some(before), Some(after)) => !before.same_origin(after),
        (Some(_), None) => true,
        (None, _) => false,
    };
    is_elsewhere && !sets_secret(secrets)
}

fn sets_secret(secrets: &[SecretChange]) -> bool {
    secrets
        .iter()
        .any(|change| matches!(change, SecretChange::Set(secret) if secret.slot == SecretSlot::Webhook))
}

/// Takes note in the log of the command that a new job has (`bits.md` §8.3, event 6).
pub(super) fn note_command(job: JobId, properties: &Properties, decision: &mut Decision) {
    if let Some(command) = &properties.notify.command {
        let text = set_to(command);
        decision.effect(Effect::Note { job, text });
    }
}

/// What the log is told when `job` has another command than `before`.
pub(super) fn told_of_command(before: Option<&NotifyCommand>, job: &Job) -> Option<String> {
    match &job.properties.notify.command {
        after if after.as_ref() == before => None,
        Some(command) => Some(set_to(command)),
        None => Some(String::from("the notification command was taken away")),
    }
}

fn set_to(command: &NotifyCommand) -> String {
    format!("the notification command is {:?} with {:?}", command.program, command.arguments)
}

const FORBIDDEN: &str = "this service runs no commands (its setting notify_commands is off)";

impl super::asking::Present {
    /// Whether a program has registered a callback for `job`.
    pub(super) fn has_callback(&self, job: JobId) -> bool {
        self.has(Presence::Callback(job))
    }
}

#[cfg(test)]
std::thread_local! {
    /// Notices that were looked at.
    static LOOKED_AT: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_owner_who_has_enough_under_way_no_notice_is_looked_at() {
        let id = |number: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&number.to_be_bytes());
            JobId(id)
        };
        let (busy, other) = (Owner(1000), Owner(1001));
        let mut telling = Telling::new(NotifyLimits { at_once_max: 4, ..NotifyLimits::default() });
        let mut put = |number: u32, owner: Owner, due: u64, is_under_way: bool| {
            let waiting = Waiting { due: Timestamp(due), owner, is_for_callback: false };
            let mut notices = OfJob::default();
            if is_under_way {
                notices.under_way.insert(1, owner);
            } else {
                notices.waiting.insert(1, waiting);
            }
            telling.put_back(id(number), notices);
        };
        (0..4).for_each(|number| put(number, busy, 0, true));
        (4..10_000).for_each(|number| put(number, busy, 1, false));
        put(10_000, other, 2, false);
        LOOKED_AT.set(0);
        assert_eq!(telling.next(|_| false), Some((Timestamp(2), id(10_000), 1)));
        assert_eq!(LOOKED_AT.get(), 1);
        telling.put_back(id(0), OfJob::default());
        assert_eq!(telling.next(|_| false), Some((Timestamp(1), id(4), 1)), "there is room again");
        assert_eq!(LOOKED_AT.get(), 3, "one of each owner");
    }
}
