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

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use crate::credentials::AuthTarget;
use crate::error::{Challenge, Code, JobError};
use crate::job::{Attempt, Command, Event, Job, JobId, Owner, State};
use crate::ports::{SealedSecret, SecretChange};
use crate::refusal::Refusal;
use crate::time::Timestamp;

use super::decision::Undo;
use super::schedule::Slot;
use super::{Answer, Decision, Queue};

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
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub id: QuestionId,
    pub owner: Owner,
    /// What one of the jobs has met; it has a challenge.
    pub error: JobError,
    /// Which one that is.
    pub met_by: JobId,
    jobs: BTreeMap<JobId, Place>,
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

/// Where a job stands with its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It waits for an answer.
    Asked,
    /// The same, taken over from an earlier service, whose agents have not returned yet.
    Returning,
    /// It has an answer, and waits for the outcome with the one that tries it.
    Ready,
    /// It tries the answer.
    Trial,
    /// The answer is good, or at least not refused.
    Go,
    /// The answer was refused, and nobody is asked again.
    Refused,
}

impl Question {
    /// What the server or proxy wants.
    pub fn challenge(&self) -> &Challenge {
        self.error.challenge.as_ref().expect("a question comes from a challenge")
    }

    /// The jobs it is still asked for.
    pub fn asked(&self) -> impl Iterator<Item = JobId> {
        self.jobs.iter().filter(|(_, place)| place.is_asked()).map(|(job, _)| *job)
    }

    fn is_open(&self) -> bool {
        self.jobs.values().any(|place| place.is_asked())
    }

    fn is_same(&self, owner: Owner, challenge: &Challenge) -> bool {
        self.owner == owner && key(self.challenge()) == key(challenge)
    }
}

impl Place {
    fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::Returning)
    }
}

/// Whom a challenge is from: one answer serves all that share it.
fn key(challenge: &Challenge) -> (AuthTarget, &str, Option<&str>) {
    (challenge.target, &challenge.host, challenge.realm.as_deref())
}

/// Whether `error` is one that credentials may cure, so that asking for them makes sense.
pub(super) fn asks(error: &JobError) -> bool {
    let can_be_met = error.challenge.as_ref().is_some_and(|challenge| !challenge.schemes.is_empty());
    can_be_met && !error.transient && error.code != DECLINED && error.code != NOBODY_ANSWERED
}

/// `HRESULT_FROM_WIN32(ERROR_CANCELLED)`, as a job carries it.
const DECLINED: Code = Code(0x8007_0000 + Code::CANCELLED.0);
/// `HRESULT_FROM_WIN32(ERROR_TIMEOUT)`.
const NOBODY_ANSWERED: Code = Code(0x8007_0000 + Code::PROMPT_TIMED_OUT.0);

/// All questions.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking {
    questions: BTreeMap<QuestionId, Question>,
    /// In which question a job is.
    places: BTreeMap<JobId, QuestionId>,
    /// How many answers a job was given since it last transferred.
    answers: BTreeMap<JobId, u32>,
    /// Jobs for which something has changed that they wait for.
    attention: BTreeSet<JobId>,
    last: u64,
}

/// Who is connected. A fact, which no failed commit takes back.
#[derive(Debug, Default)]
pub(super) struct Present(BTreeMap<PresenceId, Presence>);

impl Present {
    /// Whether there is somebody to ask for `job`, and nobody who deals with it alone.
    fn can_ask(&self, owner: Owner, job: JobId) -> bool {
        let has = |presence| self.0.values().any(|present| *present == presence);
        has(Presence::Agent(owner)) && !has(Presence::Attendant(job))
    }
}

impl Asking {
    /// Whether `job` waits for a person or for what another job makes of the person's answer.
    pub(super) fn concerns(&self, job: JobId) -> bool {
        self.places.contains_key(&job)
    }

    fn place(&self, job: JobId) -> Option<(QuestionId, Place)> {
        let id = *self.places.get(&job)?;
        self.questions.get(&id).and_then(|question| Some((id, *question.jobs.get(&job)?)))
    }

    /// The question that `job` tries the answer of.
    fn trial(&self, job: JobId) -> Option<QuestionId> {
        self.place(job).filter(|(_, place)| *place == Place::Trial).map(|(id, _)| id)
    }

    fn new_id(&mut self) -> QuestionId {
        self.last += 1;
        QuestionId(self.last)
    }

    fn is_full(&self) -> bool {
        self.questions.len() >= QUESTIONS_MAX
    }

    /// Puts `job` to the others that are asked the same, or opens a question.
    fn join(&mut self, job: JobId, owner: Owner, error: &JobError, place: Place) {
        let challenge = error.challenge.as_ref().expect("it was looked whether it asks");
        let same = |question: &&mut Question| {
            question.is_same(owner, challenge)
                && question.challenge().refused == challenge.refused
                && question.jobs.values().all(|place| place.is_asked())
        };
        let id = match self.questions.values_mut().find(same) {
            Some(question) => {
                question.jobs.insert(job, place);
                question.id
            }
            None => {
                let id = self.new_id();
                let jobs = BTreeMap::from([(job, place)]);
                self.questions.insert(id, Question { id, owner, error: error.clone(), met_by: job, jobs });
                id
            }
        };
        self.places.insert(job, id);
    }

    /// Takes `job` out of its question. Where it was to try the answer, the next one does.
    fn leave(&mut self, job: JobId) {
        self.attention.remove(&job);
        let Some(id) = self.places.remove(&job) else { return };
        let question = self.questions.get_mut(&id).expect("a place is in a question");
        question.jobs.remove(&job);
        if question.jobs.is_empty() {
            self.questions.remove(&id);
        } else {
            self.choose(id);
        }
    }

    /// Lets the first job try the answer, when all have it and none tries it.
    fn choose(&mut self, id: QuestionId) {
        let Some(question) = self.questions.get_mut(&id) else { return };
        let is_answered = question.jobs.values().all(|place| *place == Place::Ready);
        if let Some((job, place)) = question.jobs.iter_mut().next().filter(|_| is_answered) {
            *place = Place::Trial;
            self.attention.insert(*job);
        }
    }

    /// The answer is known to be good, or not: says so to all that have it.
    fn spread(&mut self, id: QuestionId, place: Place) {
        let Some(question) = self.questions.get_mut(&id) else { return };
        for (job, was) in &mut question.jobs {
            if *was == Place::Ready {
                *was = place;
                self.attention.insert(*job);
            }
        }
    }

    /// Asks again for all of a question whose answer was refused.
    fn ask_again(&mut self, id: QuestionId, met_by: JobId, error: &JobError) {
        let Some(question) = self.questions.remove(&id) else { return };
        let id = self.new_id();
        let mut jobs = question.jobs;
        jobs.values_mut().for_each(|place| *place = Place::Asked);
        for job in jobs.keys() {
            self.places.insert(*job, id);
        }
        self.questions.insert(id, Question { id, error: error.clone(), met_by, jobs, ..question });
    }
}

impl Queue {
    /// Takes note that somebody is connected.
    pub fn came(&mut self, who: PresenceId, presence: Presence) {
        self.present.0.insert(who, presence);
        self.look_around();
    }

    /// Takes note that somebody is no longer connected.
    pub fn left(&mut self, who: PresenceId) {
        self.present.0.remove(&who);
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
        for question in self.asking.questions.values_mut() {
            let owner = question.owner;
            for (job, place) in question.jobs.iter_mut().filter(|(_, place)| place.is_asked()) {
                match (*place, self.present.can_ask(owner, *job)) {
                    (Place::Returning, true) => *place = Place::Asked,
                    (Place::Asked, false) => _ = self.asking.attention.insert(*job),
                    _ => {}
                }
            }
        }
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
        if !is_of_now || !asks(&error) {
            return self.observe(Some(job), Event::Failed(attempt, error), now, decision);
        }
        let trial = self.asking.trial(id).filter(|_| self.trial_is_of(id, &error));
        let has_tries = self.asking.answers.get(&id).is_none_or(|answers| *answers < ANSWERS_MAX);
        let has_room = trial.is_some() || !self.asking.is_full();
        if !(has_tries && has_room && self.present.can_ask(job.owner, id)) {
            if let Some(question) = trial {
                let asking = self.change_asking(decision);
                asking.spread(question, Place::Refused);
                asking.leave(id);
            }
            return self.observe(Some(job), Event::Failed(attempt, error), now, decision);
        }
        let owner = job.owner;
        let asking = self.change_asking(decision);
        match trial {
            Some(question) => asking.ask_again(question, id, &error),
            None => {
                // What it tried was good for whoever asked before.
                if let Some(question) = asking.trial(id) {
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
            let asking = self.change_asking(decision);
            asking.answers.remove(&job.id);
            asking.join(job.id, job.owner, error, Place::Asked);
        }
    }

    /// Takes over a job that had waited for an answer when an earlier service ended.
    pub(super) fn adopt_waiting(&mut self, job: &Job, now: Timestamp) -> bool {
        let error = job.error.as_ref().filter(|error| job.state == State::Queued && asks(error));
        let Some(error) = error.filter(|_| !self.asking.is_full()) else { return false };
        self.asking.join(job.id, job.owner, error, Place::Returning);
        self.schedule.set(job.id, Some(Slot::Waiting { until: now + AGENT_RETURN_PATIENCE }));
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
                let asking = self.change_asking(decision);
                *asking.answers.entry(id).or_default() += 1;
                let asked = asking.questions.get_mut(&question).expect("it is open");
                asked.jobs.insert(id, Place::Ready);
                asking.choose(question);
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
        let asking = self.change_asking(decision);
        asking.attention.remove(&id);
        let Some((question, place)) = asking.place(id) else { return };
        let Some(job) = job else { return asking.leave(id) };
        let refused = asking.questions[&question].challenge().refused;
        match place {
            Place::Asked if !self.present.can_ask(job.owner, id) => {
                self.asking.leave(id);
                self.give_up(job, Declined::Unable, refused, now, decision);
            }
            Place::Refused => {
                self.asking.leave(id);
                self.give_up(job, Declined::Unable, true, now, decision);
            }
            Place::Go => {
                self.asking.leave(id);
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
            self.change_asking(decision).answers.remove(&job.id);
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
            let asking = self.change_asking(decision);
            if place == Place::Trial && has_moved {
                asking.spread(question, Place::Go);
            }
            asking.leave(job.id);
        }
    }

    /// The owner has dealt with `job` in another way.
    pub(super) fn no_longer_asked(&mut self, job: JobId, decision: &mut Decision) {
        if self.asking.concerns(job) || self.asking.answers.contains_key(&job) {
            let asking = self.change_asking(decision);
            asking.answers.remove(&job);
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

    fn change_asking(&mut self, decision: &mut Decision) -> &mut Asking {
        decision.undo(Undo::Asking(self.asking.clone()));
        &mut self.asking
    }
}
