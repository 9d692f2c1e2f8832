//! Jobs that wait for a person's answer: who is there to be asked, what is asked, who goes on when.
//!
//! A job that meets a request for credentials waits while somebody is there who can answer for its
//! owner; with nobody there it is in ERROR, as it is in BITS. Jobs that are asked the same are one
//! question. When it is answered one of them tries the answer, and the others follow it: a wrong
//! password is tested once, however many jobs wait for it.
//!
//! The secret itself is never here. What was asked is not written down either: a service that
//! starts again waits a moment for the agents to return, and else lets the jobs ask their servers
//! again.

mod questions;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{Code, JobError};
use crate::job::{Attempt, Command, Event, Job, JobId, Owner, State};
use crate::ports::{SealedSecret, SecretChange};
use crate::refusal::Refusal;
use crate::time::Timestamp;

use super::schedule::{Retries, Slot};
use super::{Answer, Decision, Queue};

use questions::{Changing, Place};

pub use questions::Question;
pub(super) use questions::{Asking, Step};

/// Answers that one job is given before it is left alone: more would only lock an account.
pub const ANSWERS_MAX: u32 = 3;
/// Questions that are open at a time; beyond that nobody would answer them anyway.
pub const QUESTIONS_MAX: usize = 1000;
/// How long after a start jobs wait for agents to return that were there before.
pub const AGENT_RETURN_PATIENCE: Duration = Duration::from_secs(10);

/// Names one question. It is never used again, so that a late answer meets no other question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);

/// Names somebody who is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PresenceId(pub u64);

/// Who is connected, as far as asking goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A program that answers for all background jobs of this owner.
    Agent(Owner),
    /// A program that deals with this job's questions itself, when the job is in ERROR.
    Attendant(JobId),
    /// A program that is to be told what happens to this job, before any command is run for it.
    Callback(JobId),
}

/// What became of a question, for one of its jobs.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A secret, sealed for this job.
    Credentials(Vec<SealedSecret>),
    Declined(Declined),
}

/// Why nobody gave credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// The person cancelled.
    Cancelled,
    /// The person did not answer in time.
    TimedOut,
    /// The agent cannot ask this: the server's own error stands.
    Unable,
}

/// Whether `error` is one that credentials may cure, so that asking for them makes sense.
pub(super) fn asks(error: &JobError) -> bool {
    let can_be_met = error.challenge.as_ref().is_some_and(|challenge| !challenge.schemes.is_empty());
    can_be_met && !error.transient && error.code != DECLINED && error.code != NOBODY_ANSWERED
}

/// Whether another answer may fare better than the one that ended in `error`: it was refused, or is of
/// no form that could be used. One that nothing could be done with was never sent, as it is not for
/// what is offered; to ask for the same once more would end in the same.
fn may_be_answered_better(error: &JobError) -> bool {
    let is_refused = error.challenge.as_ref().is_some_and(|challenge| challenge.refused);
    is_refused || error.code == Code::UNKNOWN_CREDENTIALS
}

/// `HRESULT_FROM_WIN32(ERROR_CANCELLED)`, as a job carries it.
const DECLINED: Code = Code(0x8007_0000 + Code::CANCELLED.0);
/// `HRESULT_FROM_WIN32(ERROR_TIMEOUT)`.
const NOBODY_ANSWERED: Code = Code(0x8007_0000 + Code::PROMPT_TIMED_OUT.0);

/// Who is connected. A fact, which no failed commit takes back.
#[derive(Debug, Default)]
pub(super) struct Present(BTreeMap<PresenceId, Presence>);

impl Present {
    /// Whether there is somebody to ask for `job`, and nobody who deals with it alone.
    fn can_ask(&self, owner: Owner, job: JobId) -> bool {
        self.has(Presence::Agent(owner)) && !self.has(Presence::Attendant(job))
    }

    pub(super) fn has(&self, presence: Presence) -> bool {
        self.0.values().any(|present| *present == presence)
    }
}

impl Queue {
    /// Takes note that somebody is connected.
    pub fn came(&mut self, who: PresenceId, presence: Presence) {
        self.present.0.insert(who, presence);
        self.look_around();
    }

    /// Takes note that somebody is no longer connected.
    pub fn left(&mut self, who: PresenceId, now: Timestamp) {
        let gone = self.present.0.remove(&who);
        if let Some(Presence::Callback(job)) = gone
            && !self.present.has_callback(job)
        {
            self.callback_left(job, now);
        }
        self.look_around();
    }

    /// The questions that wait for an answer of `owner`.
    pub fn questions(&self, owner: Owner) -> impl Iterator<Item = &Question> {
        self.asking.questions.values().filter(move |question| question.owner == owner && question.is_open())
    }

    /// The question called `id`, while it waits for an answer.
    pub fn question(&self, id: QuestionId) -> Option<&Question> {
        self.asking.questions.get(&id).filter(|question| question.is_open())
    }

    /// The next job for which something has changed that it waits for; to be taken in as
    /// [`Input::Attend`](super::Input::Attend).
    pub fn next_attention(&self) -> Option<JobId> {
        self.asking.attention.first().copied()
    }

    /// Looks again which jobs there is nobody to ask for.
    pub(super) fn look_around(&mut self) {
        self.asking.look_around(|owner, job| self.present.can_ask(owner, job));
    }

    /// Takes in that an attempt of `job` has failed.
    pub(super) fn failed(
        &mut self,
        mut job: Job,
        attempt: Attempt,
        error: JobError,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let id = job.id;
        let is_of_now = job.state.is_running() && attempt == job.attempt;
        if is_of_now && error.is_missing_volume() {
            return self.lose_volume(job, attempt, error, now, decision);
        }
        if !is_of_now || !asks(&error) {
            return self.observe(Some(job), Event::Failed(attempt, error), now, decision);
        }
        let trial = self.asking.trial(id).filter(|_| self.trial_is_of(id, &error));
        let has_tries = self.asking.answers.get(&id).is_none_or(|answers| *answers < ANSWERS_MAX);
        let has_room = trial.is_some() || !self.asking.is_full();
        let is_worth_it = trial.is_none() || may_be_answered_better(&error);
        if !(has_tries && has_room && is_worth_it && self.present.can_ask(job.owner, id)) {
            if let Some(question) = trial {
                let refused = error.challenge.as_ref().is_some_and(|challenge| challenge.refused);
                let mut asking = self.change_asking(decision);
                asking.spread(question, Place::Useless { refused });
                asking.leave(id);
            }
            return self.observe(Some(job), Event::Failed(attempt, error), now, decision);
        }
        let owner = job.owner;
        let mut asking = self.change_asking(decision);
        match trial {
            Some(question) => asking.ask_again(question, id, &error),
            None => {
                // What it tried was good for whoever asked before.
                if let Some(question) = asking.asking.trial(id) {
                    asking.spread(question, Place::Go);
                    asking.leave(id);
                }
                asking.join(id, owner, &error, Place::Asked);
            }
        }
        let effects = job.observe(Event::Challenged(attempt, error), now);
        self.settle(job, effects, now, decision);
        self.hold_slot(id, decision);
    }

    /// Whether `error` comes from whom the answer was for that `job` tries.
    fn trial_is_of(&self, job: JobId, error: &JobError) -> bool {
        let question = self.asking.trial(job).and_then(|id| self.asking.questions.get(&id));
        question
            .zip(error.challenge.as_ref())
            .is_some_and(|(question, challenge)| question.is_same(question.owner, challenge))
    }

    /// Asks for a job that is in ERROR for want of credentials, as somebody has come who can answer.
    pub(super) fn offer(&mut self, job: Option<Job>, decision: &mut Decision) {
        let Some(job) = job.filter(|job| job.state == State::Error) else { return };
        let Some(error) = job.error.as_ref().filter(|error| asks(error)) else { return };
        let is_new = !self.asking.concerns(job.id) && !self.asking.is_full();
        if is_new && self.present.can_ask(job.owner, job.id) {
            let mut asking = self.change_asking(decision);
            asking.forget_answers(job.id);
            asking.join(job.id, job.owner, error, Place::Asked);
        }
    }

    /// Takes over a job that had waited for an answer when an earlier service ended.
    pub(super) fn adopt_waiting(&mut self, job: &Job, now: Timestamp, decision: &mut Decision) -> bool {
        let error = job.error.as_ref().filter(|error| job.state == State::Queued && asks(error));
        let Some(error) = error.filter(|_| !self.asking.is_full()) else { return false };
        self.change_asking(decision).join(job.id, job.owner, error, Place::Returning);
        let until = now + AGENT_RETURN_PATIENCE;
        self.schedule.set(job.id, Some(Slot::Waiting { until, retries: Retries::WhenDue }));
        true
    }

    /// The patience with a job that was taken over is at its end. Says whether it waits on, as
    /// somebody has come.
    pub(super) fn waits_on(&mut self, job: &Job, decision: &mut Decision) -> bool {
        match self.asking.place(job.id) {
            None => false,
            Some((_, Place::Returning)) => {
                self.change_asking(decision).leave(job.id);
                false
            }
            Some(_) => {
                self.hold_slot(job.id, decision);
                true
            }
        }
    }

    /// Carries out what a person answered to the question, for one of its jobs.
    pub(super) fn answer(
        &mut self,
        question: QuestionId,
        reply: Reply,
        mut job: Job,
        now: Timestamp,
        decision: &mut Decision,
    ) -> Result<Option<Answer>, Refusal> {
        let id = job.id;
        let open = self.asking.place(id).filter(|(is, place)| *is == question && place.is_asked());
        if open.is_none() {
            return Err(Refusal::NoSuchQuestion);
        }
        match reply {
            Reply::Credentials(credentials) => {
                self.change_asking(decision).has_answer(question, id);
                job.has_new_credentials();
                for credential in credentials {
                    decision.secret(id, SecretChange::Set(credential));
                }
                job.times.modified = now;
                let waits = job.state == State::Queued;
                self.put(job, now, decision);
                if waits {
                    self.hold_slot(id, decision);
                }
            }
            Reply::Declined(declined) => {
                let refused = self.asking.questions[&question].challenge().refused;
                self.change_asking(decision).leave(id);
                self.give_up(job, declined, refused, now, decision);
            }
        }
        Ok(Some(Answer::Job(id)))
    }

    /// Looks after a job for which something has changed that it waits for.
    pub(super) fn attend(&mut self, id: JobId, job: Option<Job>, now: Timestamp, decision: &mut Decision) {
        self.change_asking(decision).attend(id, false);
        let Some((question, place)) = self.asking.place(id) else { return };
        let Some(job) = job else { return self.change_asking(decision).leave(id) };
        let refused = self.asking.questions[&question].challenge().refused;
        match place {
            Place::Asked if !self.present.can_ask(job.owner, id) => {
                self.change_asking(decision).leave(id);
                self.give_up(job, Declined::Unable, refused, now, decision);
            }
            Place::Useless { refused } => {
                self.change_asking(decision).leave(id);
                self.give_up(job, Declined::Unable, refused, now, decision);
            }
            Place::Go => {
                self.change_asking(decision).leave(id);
                self.let_go(job, now, decision);
            }
            Place::Trial => self.let_go(job, now, decision),
            Place::Asked | Place::Returning | Place::Ready => {}
        }
    }

    /// Takes note of where a job has come to; whoever waits for what it tries may go on.
    pub(super) fn noticed(&mut self, job: &Job, decision: &mut Decision) {
        let has_moved = matches!(
            job.state,
            State::Transferring | State::Transferred | State::Acknowledged | State::Cancelled
        );
        if has_moved && self.asking.answers.contains_key(&job.id) {
            self.change_asking(decision).forget_answers(job.id);
        }
        let Some((question, place)) = self.asking.place(job.id) else { return };
        let is_over = match (place, job.state) {
            (Place::Trial, State::Queued | State::Connecting) => false,
            // It may not have been let go yet.
            (Place::Trial, State::Error) => !self.asking.attention.contains(&job.id),
            (Place::Trial, _) => true,
            (_, state) => !matches!(state, State::Queued | State::Error),
        };
        if is_over {
            let mut asking = self.change_asking(decision);
            if place == Place::Trial && has_moved {
                asking.spread(question, Place::Go);
            }
            asking.leave(job.id);
        }
    }

    /// The owner has dealt with `job` in another way.
    pub(super) fn no_longer_asked(&mut self, job: JobId, decision: &mut Decision) {
        if self.asking.concerns(job) || self.asking.answers.contains_key(&job) {
            let mut asking = self.change_asking(decision);
            asking.forget_answers(job);
            asking.leave(job);
        }
    }

    /// Without credentials `job` is in ERROR.
    fn give_up(
        &mut self,
        mut job: Job,
        declined: Declined,
        refused: bool,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let id = job.id;
        let was = job.clone();
        if let Some(error) = &mut job.error {
            // What another job has tried of the same answer holds for this one, too.
            if let Some(challenge) = &mut error.challenge {
                challenge.refused |= refused;
            }
            let (code, why) = match declined {
                Declined::Unable => (error.code, ""),
                Declined::Cancelled => (DECLINED, "; the person who was asked for them cancelled"),
                Declined::TimedOut => (NOBODY_ANSWERED, "; the person who was asked did not answer in time"),
            };
            error.code = code;
            error.message = format!("{}{why}", error.message);
        }
        self.release(id, decision);
        let effects = job.observe(Event::Unanswered, now);
        if job != was {
            self.settle(job, effects, now, decision);
        }
    }

    /// Lets a job run that waited.
    fn let_go(&mut self, mut job: Job, now: Timestamp, decision: &mut Decision) {
        match job.state {
            State::Queued => {
                self.release(job.id, decision);
                self.place(&job, now, decision);
            }
            State::Error => {
                if let Ok(effects) = job.apply(Command::Resume, now) {
                    self.settle(job, effects, now, decision);
                }
            }
            _ => {}
        }
    }

    fn hold_slot(&mut self, job: JobId, decision: &mut Decision) {
        self.move_to(job, Some(Slot::Held), decision);
    }

    fn change_asking<'a>(&'a mut self, decision: &'a mut Decision) -> Changing<'a> {
        Changing { asking: &mut self.asking, decision }
    }
}
