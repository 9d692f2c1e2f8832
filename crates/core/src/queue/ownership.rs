//! Whose jobs there are, how many there may be, for how long, and what becomes of one that changes hands.
//!
//! Who may do what is said in [`crate::access`]; how much is allowed in [`crate::policy`].

use alloc::format;
use alloc::string::ToString;

use super::decision::Undo;
use super::{Answer, Decision, Effect, NewFile, Queue, changeable};
use crate::access::Caller;
use crate::http_options::HttpOptions;
use crate::job::{Environment, Event, Job, JobId, Owner};
use crate::notify::Outbox;
use crate::ports::SecretChange;
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// A day, for people.
const DAY_SECONDS: u64 = 86_400;

impl Queue {
    /// Whether `caller` may have one job more (`bits.md` §4).
    pub(super) fn check_room(&self, caller: Caller) -> Result<(), Refusal> {
        if self.audience.is_administrator(caller) {
            return Ok(());
        }
        let own = self.owned.get(&Owner(caller.uid)).copied().unwrap_or(0);
        let all: u64 = self.owned.values().map(|count| u64::from(*count)).sum();
        let policy = &self.policy;
        if own >= policy.jobs_per_user_max {
            return Err(Refusal::TooManyJobsOfUser { max: policy.jobs_per_user_max });
        }
        if all >= u64::from(policy.jobs_per_machine_max) {
            return Err(Refusal::TooManyJobs { max: policy.jobs_per_machine_max });
        }
        Ok(())
    }

    /// Whether `caller` may add `files` to `job` (`bits.md` §4): all of them, or none.
    pub(super) fn check_files(&self, caller: Caller, job: &Job, files: &[NewFile]) -> Result<(), Refusal> {
        let count = u64::from(job.files_total) + files.len() as u64;
        // Files are counted by 32 bits, whoever adds them.
        let most =
            if self.audience.is_administrator(caller) { u32::MAX } else { self.policy.files_per_job_max };
        if count > u64::from(most) {
            return Err(Refusal::TooManyFiles { id: job.id, files: count, max: most });
        }
        if self.audience.is_administrator(caller) {
            return Ok(());
        }
        let max = self.policy.ranges_per_file_max;
        let has_too_many = |file: &&NewFile| file.ranges.as_slice().len() as u64 > u64::from(max);
        match files.iter().find(has_too_many) {
            Some(file) => Err(Refusal::TooManyRanges {
                what: file.remote_name.to_string(),
                ranges: file.ranges.as_slice().len(),
                max,
            }),
            None => Ok(()),
        }
    }

    /// Keeps count of the jobs of each owner, for `job` as it is going to be.
    pub(super) fn count(&mut self, job: &Job, decision: &mut Decision) {
        let owner_of = |job: &Job| (!job.state.is_final()).then_some(job.owner);
        let (was, is) = (decision.job(job.id).and_then(owner_of), owner_of(job));
        if was == is {
            return;
        }
        for (owner, step) in [(was, -1), (is, 1)] {
            let Some(owner) = owner else { continue };
            let count = self.owned.get(&owner).copied();
            decision.undo(Undo::Owned(owner, count));
            match count.unwrap_or(0).saturating_add_signed(step) {
                0 => self.owned.remove(&owner),
                count => self.owned.insert(owner, count),
            };
        }
    }

    /// Makes `caller` the owner of `job`, without what was the old owner's alone (`bits.md` §7.4).
    pub(super) fn take_ownership(
        &mut self,
        caller: Caller,
        mut job: Job,
        now: Timestamp,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        changeable(&job)?;
        let (id, was) = (job.id, job.owner);
        if was == Owner(caller.uid) {
            return Ok(Answer::OwnedAlready(id));
        }
        job.owner = Owner(caller.uid);
        let http = &mut job.properties.http;
        // Method, proxy and security flags say how to transfer; all else says who somebody is.
        *http = HttpOptions {
            method: http.method.clone(),
            security: http.security,
            proxy: http.proxy.clone(),
            ..HttpOptions::default()
        };
        job.properties.environment = Environment::default();
        // Nor does the new owner run what the old one chose, or send it what happens.
        (job.properties.notify.command, job.properties.notify.webhook) = (None, None);
        job.outbox = Outbox { made: job.outbox.made, ..Outbox::default() };
        decision.secret(id, SecretChange::RemoveAll);
        job.has_new_credentials();
        // An attempt that goes on is the old owner's.
        let effects = job.restart(now);
        let text = format!("the user with id {} has taken it from the one with id {}", caller.uid, was.0);
        decision.effect(Effect::Note { job: id, text });
        self.settle(job, effects, now, decision);
        Ok(Answer::Job(id))
    }

    /// Ends a job whose time to download is over.
    pub(super) fn out_of_time(
        &mut self,
        id: JobId,
        job: Option<Job>,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let by_default = self.policy.maximum_download_time;
        match job {
            Some(job) if job.download_time_ends(by_default).is_some_and(|end| end <= now) => {
                let event = job.out_of_time(by_default);
                self.observe(Some(job), event, now, decision);
            }
            Some(job) => self.place(&job, now, decision),
            None => {
                decision.undo(Undo::End(id, self.ends.remove(&id)));
            }
        }
    }

    /// Notes when the time of a job ends that runs.
    pub(super) fn note_end(&mut self, job: &Job, decision: &mut Decision) {
        let end = job.download_time_ends(self.policy.maximum_download_time);
        let end = end.filter(|_| job.state.is_running());
        let was = self.ends.get(&job.id).copied();
        if end == was {
            return;
        }
        decision.undo(Undo::End(job.id, was));
        match end {
            Some(end) => self.ends.insert(job.id, end),
            None => self.ends.remove(&job.id),
        };
    }

    /// Cancels a job that nobody has cared for (`bits.md` §3.2).
    pub(super) fn abandon(&mut self, job: Option<Job>, now: Timestamp, decision: &mut Decision) {
        let abandoned = job.filter(|job| {
            let is_closing = self.finalizing.contains_key(&job.id);
            !job.state.is_final() && !is_closing && self.is_abandoned(job.active_at, now)
        });
        let Some(job) = abandoned else { return };
        let days = now.since(job.active_at).as_secs() / DAY_SECONDS;
        let text = format!("cancelled: nothing has happened to it for {days} days");
        decision.effect(Effect::Note { job: job.id, text });
        self.no_longer_asked(job.id, decision);
        self.observe(Some(job), Event::Abandoned, now, decision);
    }
}
