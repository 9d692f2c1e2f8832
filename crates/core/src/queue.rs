//! All jobs of this service: whose turn it is, and what each input changes.
//!
//! The queue decides and does nothing: [`Queue::handle`] takes in one [`Input`] and adds to a
//! [`Decision`] what is to be committed and what is to be done after that. It keeps in memory only
//! what scheduling needs — jobs that rest are in the store alone — and whoever calls it brings the
//! one job an input is about.

mod asking;
mod decision;
mod input;
mod ownership;
mod reporting;
mod rows;
mod schedule;
mod telling;
#[cfg(test)]
mod tests;
mod turns;
mod view;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::access::{Audience, Caller};
use crate::conditions::Conditions;
use crate::credentials::SecretSlot;
use crate::error::{Code, ErrorContext, JobError};
use crate::file::{DestinationTag, File, FileIndex};
use crate::job::{
    self, Attempt, ClockChange, Command, Event, Job, JobId, Owner, Priority, PropertyChange, State,
};
use crate::notify;
use crate::pacing::timetable::Stop;
use crate::policy::Policy;
use crate::ports::{FileChange, QueuedJob, SecretChange};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::units::Bytes;

pub use asking::{
    AGENT_RETURN_PATIENCE, ANSWERS_MAX, Declined, Presence, PresenceId, QUESTIONS_MAX, Question, QuestionId,
    Reply,
};
pub use decision::{Decision, Effect};
pub use input::{Answer, Asked, Input, NewFile, Report, Request, Ticket, WholeFile};
pub use schedule::{ConnectionLimit, Limits, Turns};
pub use view::{CredentialWait, FileView, JobView, WaitReason};

use asking::{Asking, Present};
use decision::Undo;
use schedule::{Schedule, Slot};
use telling::{Telling, note_command, told_of_command};

/// Whoever waits until a worker has finalized or discarded files, and what came meanwhile.
#[derive(Debug, Clone, Default)]
struct Closing {
    waiting: Vec<Ticket>,
    /// Requests that change a job whose files are being put in place wait for the outcome.
    deferred: Vec<(Ticket, Caller, Request)>,
}

/// Bytes of the file that is coming just now.
#[derive(Debug, Clone, Copy)]
struct Live {
    file: FileIndex,
    transferred: Bytes,
    /// How many of them the store counts already.
    written: Bytes,
}

/// All jobs of this service.
#[derive(Debug)]
pub struct Queue {
    audience: Audience,
    policy: Policy,
    schedule: Schedule,
    /// How many jobs each owner has that are not over.
    owned: BTreeMap<Owner, u32>,
    /// When the time is over that each job which runs may download.
    ends: BTreeMap<JobId, Timestamp>,
    finalizing: BTreeMap<JobId, Closing>,
    discarding: BTreeMap<JobId, Vec<Ticket>>,
    live: BTreeMap<JobId, Live>,
    /// Of jobs that run: the files of which a part was there when the attempt began.
    begun: BTreeMap<JobId, Vec<(FileIndex, Bytes)>>,
    /// Jobs that run and wait for a connection, and which limit is reached.
    awaiting: BTreeMap<JobId, ConnectionLimit>,
    asking: Asking,
    present: Present,
    telling: Telling,
}

impl Queue {
    /// The queue of the service of one user.
    pub fn new(limits: Limits) -> Self {
        Self {
            // Whose service it is is asked at the door; that it is one user's is all that counts here.
            audience: Audience::User(Owner(u32::MAX)),
            policy: limits.policy,
            owned: BTreeMap::new(),
            ends: BTreeMap::new(),
            schedule: Schedule::new(limits),
            finalizing: BTreeMap::new(),
            discarding: BTreeMap::new(),
            live: BTreeMap::new(),
            begun: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            asking: Asking::default(),
            present: Present::default(),
            telling: Telling::new(limits.notify),
        }
    }

    /// The same queue for a service that serves `audience`.
    #[must_use]
    pub fn serving(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// Whom the service serves.
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// Takes note of the `jobs` of `owner` that are there when the service starts and are not over.
    pub fn counts(&mut self, owner: Owner, jobs: u32) {
        *self.owned.entry(owner).or_default() += jobs;
    }

    /// Takes over a job that an earlier service left queued, unless it is known already: it may have
    /// been taken over as a whole, or have changed since the start.
    pub fn adopt_queued(&mut self, job: &QueuedJob) {
        if self.schedule.get(job.id).is_none() {
            self.schedule.adopt(job, false);
        }
    }

    /// Takes over a job that an earlier service left waiting for its retry, unless it is known already.
    pub fn adopt_retrying(&mut self, job: Job, now: Timestamp, decision: &mut Decision) {
        if self.schedule.get(job.id).is_none() {
            self.adopt(job, now, decision);
        }
    }

    /// Takes over a job that an earlier service left unfinished (`bits.md` §3.2, last row).
    pub fn adopt(&mut self, mut job: Job, now: Timestamp, decision: &mut Decision) {
        self.adopt_notices(&job, now, decision);
        if job.state.is_running() {
            decision.bring(&job);
            job.adopt();
            // It has begun already, so its turn comes again soon.
            self.schedule.adopt(&QueuedJob::from(&job), true);
            return self.put(job, now, decision);
        }
        if job.state == State::Cancelled && job.discard_pending {
            decision.effect(Effect::Job { job: job.id, effect: job::Effect::DiscardFiles });
        }
        if completes_by_itself(&job) {
            self.start_finalizing(job.id, None, decision);
        }
        if self.adopt_waiting(&job, now, decision) {
            return;
        }
        match job.state {
            // It does not come after the others for having something to tell.
            State::Queued => self.schedule.adopt(&QueuedJob::from(&job), false),
            _ => self.schedule.set(job.id, Slot::of(&job, now)),
        }
    }

    /// Takes in `input`. `job` is the job it is about, as it is now, if there is one.
    pub fn handle(&mut self, input: Input, job: Option<Job>, now: Timestamp, decision: &mut Decision) {
        if let Some(job) = &job {
            decision.bring(job);
        }
        match input {
            Input::Request { ticket, caller, request } => {
                self.request(ticket, caller, request, job, now, decision);
            }
            Input::Report { report, job: id } => {
                if let Some(job) = job {
                    self.report(id, report, job, now, decision);
                }
            }
            Input::Grant { .. } => self.observe(job, Event::Granted, now, decision),
            Input::Hold { .. } => self.hold(job, decision),
            Input::Yield { .. } | Input::Halt { .. } => self.observe(job, Event::Yielded, now, decision),
            Input::Due { job: id } if self.ends.contains_key(&id) => self.out_of_time(id, job, now, decision),
            Input::ClockSet { change, .. } => {
                let has_stamps = |job: &Job| !job.state.is_final() || !job.outbox.pending.is_empty();
                if let Some(mut job) = job.filter(has_stamps) {
                    job.clock_was_set(change, now);
                    self.put(job, now, decision);
                }
            }
            Input::Abandoned { .. } => self.abandon(job, now, decision),
            Input::Due { job: id } => {
                if !job.as_ref().is_some_and(|job| self.waits_on(job, decision)) {
                    let is_early = self.schedule.is_early(id);
                    let event = if is_early { Event::NetworkChanged } else { Event::TimePassed };
                    self.observe(job, event, now, decision);
                }
            }
            Input::Attend { job: id } => self.attend(id, job, now, decision),
            Input::Tell { job: id, number } => self.tell(id, number, job, now, decision),
            Input::Offer { .. } => self.offer(job, decision),
        }
    }

    /// The next job that may run now, if any.
    pub fn next_runnable(&self) -> Option<JobId> {
        self.schedule.next_runnable()
    }

    /// The next job that must let another one have its turn at `now`, if any.
    pub fn next_yield(&mut self, now: Timestamp) -> Option<JobId> {
        self.schedule.next_yield(now)
    }

    /// Takes note of the conditions as they are `now`; up to `most` of the jobs that wait for something else
    /// than before.
    /// Nothing of it is written down: it is seen anew after each start.
    pub fn change_conditions(&mut self, conditions: Conditions, now: Timestamp, most: usize) -> Vec<JobId> {
        self.schedule.change_conditions(conditions, now, most)
    }

    /// The conditions as they are known.
    pub fn conditions(&self) -> &Conditions {
        self.schedule.conditions()
    }

    /// The next running job that must stop because of the conditions, if any.
    pub fn next_halt(&self) -> Option<JobId> {
        self.schedule.next_halt()
    }

    /// The next job whose waiting is over at `now`, if any.
    pub fn next_due(&self, now: Timestamp) -> Option<JobId> {
        let ended = self.ends.iter().find(|(_, end)| **end <= now).map(|(job, _)| *job);
        ended.or_else(|| self.schedule.next_due(now))
    }

    /// How many jobs of each priority have their turn, and how many wait for it.
    pub fn turns(&self) -> [Turns; 4] {
        self.schedule.turns()
    }

    /// When [`Queue::next_due`] or [`Queue::next_yield`] will have something, if ever.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let wakes = [self.schedule.next_wake(), self.next_notice_due()];
        wakes.into_iter().flatten().chain(self.ends.values().copied()).min()
    }

    /// From now on other limits; the jobs that wait for something else than before. Whoever may not download as
    /// long as that any more ends when it is looked at next, which is soon.
    pub fn set_limits(&mut self, limits: Limits, most: usize) -> Vec<JobId> {
        if self.policy.maximum_download_time != limits.policy.maximum_download_time {
            // What each of them says itself is in the store: whoever runs is looked at when it is due.
            self.ends.values_mut().for_each(|end| *end = Timestamp(0));
        }
        self.policy = limits.policy;
        self.telling.set_limits(limits.notify);
        self.schedule.set_limits(limits, most)
    }

    /// From now on jobs of these priorities may not run; who runs gives its turn up.
    pub fn set_stopped(&mut self, stopped: [Option<Stop>; Priority::ALL.len()]) {
        self.schedule.set_stopped(stopped);
    }

    /// Jobs that wait for their turn, of those priorities that `which` says, `most` of each at most: to
    /// be shown when what they wait for changes.
    pub fn waiting_of(&self, which: impl Fn(Priority) -> bool, most: usize) -> Vec<JobId> {
        let levels = Priority::ALL.into_iter().filter(|priority| which(*priority));
        levels.flat_map(|level| self.schedule.some_of(level, most)).collect()
    }

    /// Takes note that the clock was set. What is written of jobs moves along with
    /// [`Input::ClockSet`].
    pub fn clock_was_set(&mut self, change: ClockChange) {
        self.schedule.clock_was_set(change);
        self.ends.values_mut().for_each(|end| *end = change.moved(*end));
        self.telling.clock_was_set(change);
    }

    /// Whether a job to which something last happened at `active_at` is to be cancelled at `now`.
    pub fn is_abandoned(&self, active_at: Timestamp, now: Timestamp) -> bool {
        self.abandoned_until(now).is_some_and(|until| active_at <= until)
    }

    /// Jobs to which nothing has happened after this are to be cancelled at `now`; none where there can
    /// be none.
    pub fn abandoned_until(&self, now: Timestamp) -> Option<Timestamp> {
        let most = u64::try_from(self.policy.job_inactivity_timeout?.as_millis()).ok()?;
        now.0.checked_sub(most).map(Timestamp)
    }

    /// Takes in a count to be shown; says whether it is of any job that runs.
    pub fn progressed(&mut self, job: JobId, attempt: Attempt, file: FileIndex, transferred: Bytes) -> bool {
        if self.schedule.running_attempt(job) != Some(attempt) {
            return false;
        }
        match self.live.get_mut(&job) {
            Some(live) if live.file == file => live.transferred = transferred,
            _ => {
                // What the store counts already is not to be counted twice.
                let begun = self.begun.get(&job).into_iter().flatten();
                let written = begun.filter(|(begun, _)| *begun == file).map(|(_, durable)| *durable).next();
                self.live.insert(job, Live { file, transferred, written: written.unwrap_or(Bytes::ZERO) });
            }
        }
        true
    }

    /// Takes note of the files of `job` that go on in the attempt that begins, and of how much of each
    /// the store counts.
    pub fn goes_on_with(&mut self, job: JobId, files: impl Iterator<Item = (FileIndex, Bytes)>) {
        self.begun.insert(job, files.collect());
        // What the attempt before has not made sure of is not there for this one.
        self.live.remove(&job);
    }

    /// Forgets what was decided since `decision` began: it could not be committed.
    pub fn revert(&mut self, decision: Decision) {
        self.take_back(decision.into_undo());
        // Who has left meanwhile has left.
        self.look_around();
    }

    /// Undoes what was changed here, the last step first.
    fn take_back(&mut self, steps: Vec<Undo>) {
        for undo in steps.into_iter().rev() {
            match undo {
                Undo::Slot(job, before) => self.schedule.put_back(job, before),
                Undo::Keeps(job, before) => self.schedule.set_keeps(job, before),
                Undo::Finalizing(job, closing) => restore(&mut self.finalizing, job, closing),
                Undo::Discarding(job, waiting) => restore(&mut self.discarding, job, waiting),
                Undo::Asking(step) => self.asking.take_back(step),
                Undo::End(job, end) => restore(&mut self.ends, job, end),
                Undo::Owned(owner, count) => restore(&mut self.owned, owner, count),
                Undo::Telling(job, notices) => self.telling.put_back(job, notices),
            }
        }
    }

    fn request(
        &mut self,
        ticket: Ticket,
        caller: Caller,
        request: Request,
        job: Option<Job>,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let id = request.job();
        let answer = match (request, job) {
            (Request::Create { id, properties, files, secrets, resume }, None) => {
                let job = Job::new(id, Owner(caller.uid), *properties, now);
                let may = self
                    .check_command(job.properties.notify.command.is_some())
                    .and_then(|()| self.check_room(caller))
                    .and_then(|()| self.check_files(caller, &job, &files));
                may.and_then(|()| self.create(job, files, secrets, resume, now, decision))
                    .map(|()| Answer::Job(id))
            }
            (Request::Create { id, .. }, Some(job)) => {
                let is_owner = job.owner == Owner(caller.uid);
                is_owner.then_some(Answer::Job(id)).ok_or(Refusal::IdTaken { id })
            }
            (_, None) => Err(Refusal::NotFound { what: id.to_string() }),
            (request, Some(job)) => match self.audience.may(caller, request.act(), &job) {
                Err(refusal) => Err(refusal),
                Ok(_) if self.finalizing.contains_key(&id) => {
                    return self.wait_for_finalizing(ticket, caller, request, id, decision);
                }
                Ok(_) => {
                    let before = decision.steps();
                    match self.change(ticket, caller, request, job, now, decision) {
                        Ok(Some(answer)) => Ok(answer),
                        Ok(None) => return,
                        Err(refusal) => {
                            // It may have been let go already: it waits on as it did.
                            self.take_back(decision.steps_since(before));
                            Err(refusal)
                        }
                    }
                }
            },
        };
        decision.effect(Effect::Answer { ticket, answer });
    }

    fn create(
        &mut self,
        mut job: Job,
        files: Vec<NewFile>,
        secrets: Vec<SecretChange>,
        resume: bool,
        now: Timestamp,
        decision: &mut Decision,
    ) -> Result<(), Refusal> {
        if resume && files.is_empty() {
            return Err(Refusal::Empty { id: job.id });
        }
        telling::check_secret(&secrets, &job)?;
        add_files(&mut job, files, decision)?;
        note_command(job.id, &job.properties, decision);
        for secret in secrets {
            decision.secret(job.id, secret);
        }
        let effects = match resume {
            true => job.apply(Command::Resume, now).expect("a new job with files can be resumed"),
            false => Vec::new(),
        };
        self.settle(job, effects, now, decision);
        Ok(())
    }

    /// Changes an owner's job; without an answer when that comes later.
    fn change(
        &mut self,
        ticket: Ticket,
        caller: Caller,
        request: Request,
        mut job: Job,
        now: Timestamp,
        decision: &mut Decision,
    ) -> Result<Option<Answer>, Refusal> {
        let id = job.id;
        let may_help = match &request {
            Request::Command { .. } | Request::SetCredentials { .. } | Request::RemoveCredentials { .. } => {
                true
            }
            Request::SetProperties { secrets, .. } => !secrets.is_empty(),
            // Another server may want no credentials.
            Request::SetRemoteNames { .. } | Request::TakeOwnership { .. } => true,
            // An answer is looked after where it is given.
            Request::Create { .. }
            | Request::AddFiles { .. }
            | Request::RequestRanges { .. }
            | Request::SetPosition { .. }
            | Request::SetValidation { .. }
            | Request::Heard { .. }
            | Request::Answer { .. } => false,
        };
        if may_help {
            self.release(id, decision);
            self.no_longer_asked(id, decision);
        }
        match request {
            Request::Create { .. } => unreachable!("a job that exists is not created"),
            Request::Command { command, .. } => {
                let is_at_rest = !job.state.is_final() && !job.state.is_running();
                if command == Command::Resume && is_at_rest && job.files_passed_over > 0 {
                    job.try_again();
                    decision.file(id, FileChange::TryAgain);
                }
                let effects = job.apply(command, now)?;
                match command {
                    Command::Complete => {
                        self.start_finalizing(id, Some(ticket), decision);
                        self.settle(job, without(effects, job::Effect::FinalizeFiles), now, decision);
                        return Ok(None);
                    }
                    Command::Cancel => {
                        decision.undo(Undo::Discarding(id, self.discarding.get(&id).cloned()));
                        self.discarding.entry(id).or_default().push(ticket);
                        self.settle(job, effects, now, decision);
                        return Ok(None);
                    }
                    Command::Resume | Command::Suspend => self.settle(job, effects, now, decision),
                }
            }
            Request::AddFiles { files, credentials, .. } => {
                changeable(&job)?;
                self.check_files(caller, &job, &files)?;
                add_files(&mut job, files, decision)?;
                for credential in credentials {
                    decision.secret(id, SecretChange::Set(credential));
                }
                job.touch(now);
                self.put(job, now, decision);
            }
            Request::SetProperties { expected, changes, secrets, .. } => {
                changeable(&job)?;
                if let Some(expected) = expected.filter(|expected| *expected != job.revision) {
                    return Err(Refusal::RevisionMismatch { id, is: job.revision, expected });
                }
                let sets_command =
                    |change: &PropertyChange| matches!(change, PropertyChange::NotifyCommand(Some(_)));
                self.check_command(changes.iter().any(sets_command))?;
                let command_before = job.properties.notify.command.clone();
                let webhook_before = job.properties.notify.webhook.clone();
                let was_foreground = job.properties.priority == Priority::Foreground;
                let rate_before = (job.properties.priority, job.properties.transfer.rate_limit);
                for change in changes {
                    job.set(change)?;
                }
                telling::check_secret(&secrets, &job)?;
                if telling::keeps_no_secret(webhook_before.as_ref(), &secrets, &job) {
                    decision.secret(id, SecretChange::Remove(SecretSlot::Webhook));
                }
                if secrets.iter().any(|change| matches!(change, SecretChange::Set(_))) {
                    job.has_new_credentials();
                }
                for secret in secrets {
                    decision.secret(id, secret);
                }
                if let Some(text) = told_of_command(command_before.as_ref(), &job) {
                    decision.effect(Effect::Note { job: id, text });
                }
                job.touch(now);
                if completes_by_itself(&job) {
                    self.start_finalizing(id, None, decision);
                }
                // How polite an attempt is cannot change while it goes on.
                let is_foreground = job.properties.priority == Priority::Foreground;
                let begins_again = is_foreground != was_foreground && self.schedule.keeps(id);
                let effects = if begins_again { job.restart(now) } else { Vec::new() };
                let (priority, limit) = (job.properties.priority, job.properties.transfer.rate_limit);
                if job.state.is_running() && (priority, limit) != rate_before {
                    decision.effect(Effect::Rate { job: id, attempt: job.attempt, priority, limit });
                }
                self.settle(job, effects, now, decision);
            }
            Request::SetRemoteNames { names, .. } => {
                changeable(&job)?;
                names.iter().try_for_each(|(index, _)| has_file(&job, *index))?;
                let changed = !names.is_empty();
                // Files come in their order: so many have come, or failed for good.
                let next = FileIndex(job.files_transferred + job.files_passed_over);
                if let Some((_, name)) = names.iter().find(|(index, _)| *index == next) {
                    job.host = name.host_tag();
                }
                for (index, remote_name) in names {
                    decision.file(id, FileChange::RemoteName { index, remote_name, moved: true });
                }
                let effects = if changed { job.restart(now) } else { Vec::new() };
                self.settle(job, effects, now, decision);
            }
            Request::RequestRanges { file, ranges, .. } => {
                let change = FileChange::Requested { index: file, ranges: ranges.clone() };
                self.demand(job, Asked { file, ranges, position: None }, change, now, decision)?;
            }
            Request::SetPosition { file, position, .. } => {
                let change = FileChange::Position { index: file, position };
                let asked = Asked { file, ranges: Vec::new(), position: Some(position) };
                self.demand(job, asked, change, now, decision)?;
            }
            Request::SetValidation { file, valid, .. } => {
                changeable(&job)?;
                has_file(&job, file)?;
                if valid {
                    decision.file(id, FileChange::Valid { index: file });
                    job.touch(now);
                    self.put(job, now, decision);
                    return Ok(Some(Answer::Job(id)));
                }
                decision.file(id, FileChange::Lost { index: file });
                let error = JobError {
                    code: Code::VALIDATION_FAILED,
                    context: ErrorContext::RemoteFile,
                    transient: false,
                    message: String::from("its owner has found the content of the file to be wrong"),
                    file: Some(file),
                    challenge: None,
                    retry_after_seconds: None,
                };
                self.observe(Some(job), Event::FileRejected(error), now, decision);
            }
            Request::SetCredentials { credentials, .. } => {
                changeable(&job)?;
                job.has_new_credentials();
                for credential in credentials {
                    decision.secret(id, SecretChange::Set(credential));
                }
                job.touch(now);
                self.put(job, now, decision);
            }
            Request::RemoveCredentials { target, schemes, .. } => {
                changeable(&job)?;
                for scheme in schemes {
                    let slot = SecretSlot::Credential { target, scheme };
                    decision.secret(id, SecretChange::Remove(slot));
                }
                job.touch(now);
                self.put(job, now, decision);
            }
            Request::TakeOwnership { .. } => {
                return self.take_ownership(caller, job, now, decision).map(Some);
            }
            Request::Heard { happened, is_heard, .. } => {
                return self.heard(job, happened, is_heard, now, decision);
            }
            Request::Answer { question, reply, .. } => {
                return self.answer(question, reply, job, now, decision);
            }
        }
        Ok(Some(Answer::Job(id)))
    }

    /// Takes in what is asked for of a file of a job on demand, and lets an attempt know that goes on.
    fn demand(
        &mut self,
        mut job: Job,
        asked: Asked,
        change: FileChange,
        now: Timestamp,
        decision: &mut Decision,
    ) -> Result<(), Refusal> {
        changeable(&job)?;
        has_file(&job, asked.file)?;
        if !job.properties.transfer.on_demand {
            let what = format!("the file {} of the job {}", asked.file.0, job.id);
            let why = "the job is not on demand, so all of it comes from its beginning";
            return Err(Refusal::RandomAccessNotSupported { what, why });
        }
        job.demands = job.demands.saturating_add(1);
        job.touch(now);
        decision.file(job.id, change);
        if job.state.is_running() {
            let (attempt, demands) = (job.attempt, job.demands);
            decision.effect(Effect::Asked { job: job.id, attempt, demands, asked });
        }
        self.put(job, now, decision);
        Ok(())
    }

    fn observe(&mut self, job: Option<Job>, event: Event, now: Timestamp, decision: &mut Decision) {
        let Some(mut job) = job else { return };
        let before = job.clone();
        let mut effects = job.observe(event, now);
        if effects.contains(&job::Effect::FinalizeFiles) {
            effects = without(effects, job::Effect::FinalizeFiles);
            self.start_finalizing(job.id, None, decision);
        }
        if job != before || !effects.is_empty() {
            self.settle(job, effects, now, decision);
        } else {
            self.place(&job, now, decision);
        }
    }

    /// Puts a changed job where it belongs, and what follows from the change into the decision.
    fn settle(&mut self, job: Job, effects: Vec<job::Effect>, now: Timestamp, decision: &mut Decision) {
        let id = job.id;
        let forgets = effects.contains(&job::Effect::ForgetSecrets);
        for effect in effects {
            match effect {
                job::Effect::ForgetSecrets => {}
                job::Effect::Begin(_)
                | job::Effect::Stop(_)
                | job::Effect::FinalizeFiles
                | job::Effect::DiscardFiles => decision.effect(Effect::Job { job: job.id, effect }),
            }
        }
        self.put(job, now, decision);
        if forgets {
            // What is still to be told is signed with one of them.
            let has_notices = decision.job(id).is_some_and(|job| !job.outbox.pending.is_empty());
            decision.secret(
                id,
                if has_notices { SecretChange::RemoveAllButWebhook } else { SecretChange::RemoveAll },
            );
        }
    }

    fn put(&mut self, mut job: Job, now: Timestamp, decision: &mut Decision) {
        self.count(&job, decision);
        notify::follow(decision.job(job.id), &mut job, now);
        self.offer_to_callback(&mut job);
        self.place_notices(&job, decision);
        self.place(&job, now, decision);
        decision.put(job);
    }

    fn place(&mut self, job: &Job, now: Timestamp, decision: &mut Decision) {
        let slot = Slot::of(job, now);
        if !job.state.is_running() {
            // An attempt that was stopped still makes sure of what has come; less is not shown meanwhile.
            let is_stopped = matches!(job.state, State::Suspended | State::Queued);
            if !is_stopped || self.live.get(&job.id).is_some_and(|live| live.transferred <= live.written) {
                self.live.remove(&job.id);
            }
            self.begun.remove(&job.id);
            self.awaiting.remove(&job.id);
        }
        self.move_to(job.id, slot, decision);
        self.note_end(job, decision);
        self.noticed(job, decision);
    }

    /// Lets a queued job wait until its owner does something about it, or the service starts again.
    fn hold(&mut self, job: Option<Job>, decision: &mut Decision) {
        if let Some(job) = job.filter(|job| job.state == State::Queued) {
            self.move_to(job.id, Some(Slot::Held), decision);
        }
    }

    /// Lets a job that is held have its turn again.
    fn release(&mut self, job: JobId, decision: &mut Decision) {
        if self.schedule.get(job) == Some(Slot::Held) || self.schedule.lacks_volume(job) {
            self.move_to(job, None, decision);
        }
    }

    fn move_to(&mut self, job: JobId, slot: Option<Slot>, decision: &mut Decision) {
        decision.undo(Undo::Slot(job, self.schedule.before(job, slot)));
        self.schedule.set(job, slot);
    }

    /// Notes whether what has come of a running job would be kept if it stopped now.
    fn set_keeps(&mut self, job: JobId, yes: bool, decision: &mut Decision) {
        decision.undo(Undo::Keeps(job, self.schedule.keeps(job)));
        self.schedule.set_keeps(job, yes);
    }

    fn written(&mut self, job: JobId, file: FileIndex, upto: Bytes) {
        match self.live.get_mut(&job) {
            Some(live) if live.file == file => {
                live.written = upto;
                live.transferred = live.transferred.max(upto);
            }
            _ => {
                self.live.insert(job, Live { file, transferred: upto, written: upto });
            }
        }
    }

    fn start_finalizing(&mut self, job: JobId, ticket: Option<Ticket>, decision: &mut Decision) {
        decision.undo(Undo::Finalizing(job, self.finalizing.get(&job).cloned()));
        self.finalizing.entry(job).or_default().waiting.extend(ticket);
        decision.effect(Effect::Job { job, effect: job::Effect::FinalizeFiles });
    }

    /// A second completion waits for the first one's outcome; all else waits until it is there.
    fn wait_for_finalizing(
        &mut self,
        ticket: Ticket,
        caller: Caller,
        request: Request,
        job: JobId,
        decision: &mut Decision,
    ) {
        decision.undo(Undo::Finalizing(job, self.finalizing.get(&job).cloned()));
        let closing = self.finalizing.entry(job).or_default();
        match request {
            Request::Command { command: Command::Complete, .. } => closing.waiting.push(ticket),
            request => closing.deferred.push((ticket, caller, request)),
        }
    }
}

/// Puts `files` behind those that `job` has: all of them, or none.
fn add_files(job: &mut Job, files: Vec<NewFile>, decision: &mut Decision) -> Result<(), Refusal> {
    if job.properties.transfer.dynamic_content
        && let Some(file) = files.iter().find(|file| !file.ranges.is_all())
    {
        let wrong = "can be fetched only as a whole: the job is for dynamic content";
        return Err(Refusal::invalid(file.remote_name.to_string(), wrong));
    }
    if job.properties.transfer.on_demand
        && let Some(file) = files.iter().find(|file| !file.ranges.is_all())
    {
        let why = "only parts of it are to be the file, and the job is on demand";
        return Err(Refusal::RandomAccessNotSupported { what: file.remote_name.to_string(), why });
    }
    check_destinations(&files, |tag| decision.is_taken(job.id, tag))?;
    for file in files {
        if job.files_to_come() == 0 {
            job.host = file.remote_name.host_tag();
        }
        let index = FileIndex(job.files_total);
        let mut added = File::new(index, file.remote_name, file.local_name);
        added.destination = file.destination;
        added.no_clobber = file.no_clobber;
        added.size = file.ranges.size();
        added.ranges = file.ranges;
        added.checksum = file.checksum;
        added.resume_by = file.resume_by;
        added.sources = file.sources;
        job.files_total += 1;
        decision.file(job.id, FileChange::Add(added));
    }
    Ok(())
}

/// Whether all of `files` can be of one job: two that go to one place cannot, as one of them would be
/// lost. Nor can any that goes where `is_taken` says that a file of the job does.
///
/// # Errors
/// [`Refusal::DestinationTaken`] for the first that cannot.
pub fn check_destinations(
    files: &[NewFile],
    is_taken: impl Fn(DestinationTag) -> bool,
) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let is_second = |file: &&NewFile| !seen.insert(file.destination) || is_taken(file.destination);
    match files.iter().find(is_second) {
        Some(file) => Err(Refusal::DestinationTaken { what: file.local_name.as_str().into() }),
        None => Ok(()),
    }
}

fn changeable(job: &Job) -> Result<(), Refusal> {
    if job.state.is_final() {
        return Err(Refusal::InvalidState { id: job.id, state: job.state });
    }
    Ok(())
}

fn has_file(job: &Job, file: FileIndex) -> Result<(), Refusal> {
    if file.0 >= job.files_total {
        return Err(Refusal::NoSuchFile { id: job.id, index: file.0 });
    }
    Ok(())
}

/// Whether the service is to complete `job` now. Not when files were added to it that have not come:
/// they would be lost.
fn completes_by_itself(job: &Job) -> bool {
    job.state == State::Transferred && job.properties.complete_when_done && job.files_to_come() == 0
}

fn without(mut effects: Vec<job::Effect>, unwanted: job::Effect) -> Vec<job::Effect> {
    effects.retain(|effect| *effect != unwanted);
    effects
}

fn restore<K: Ord, T>(map: &mut BTreeMap<K, T>, key: K, was: Option<T>) {
    match was {
        Some(was) => map.insert(key, was),
        None => map.remove(&key),
    };
}
