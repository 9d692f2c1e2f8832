//! All questions that wait for a person, and which job stands where with its own.
//!
//! Who may be asked and what a job does meanwhile is not decided here. A change notes how it is taken
//! back, step by step: there may be thousands of jobs that wait, of which a turn touches one.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::credentials::AuthTarget;
use crate::error::{Challenge, JobError};
use crate::job::{JobId, Owner};
use crate::queue::Decision;
use crate::queue::decision::Undo;

use super::{QUESTIONS_MAX, QuestionId};

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub id: QuestionId,
    pub owner: Owner,
    /// What one of the jobs has met; it has a challenge.
    pub error: JobError,
    /// Which one that is.
    pub met_by: JobId,
    pub(super) jobs: BTreeMap<JobId, Place>,
    /// How many of the jobs wait for an answer.
    asked: usize,
}

/// Where a job stands with its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Place {
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
    /// The answer is of no use, and nobody is asked again.
    Useless {
        /// Whether it was sent and refused.
        refused: bool,
    },
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

    pub(super) fn is_open(&self) -> bool {
        self.asked != 0
    }

    pub(super) fn is_same(&self, owner: Owner, challenge: &Challenge) -> bool {
        self.owner == owner && key(self.challenge()) == key(challenge)
    }

    /// Puts `job` where it is to be, or out of the question; returns where it was.
    fn seat(&mut self, job: JobId, place: Option<Place>) -> Option<Place> {
        let was = match place {
            Some(place) => self.jobs.insert(job, place),
            None => self.jobs.remove(&job),
        };
        self.asked += usize::from(place.is_some_and(Place::is_asked));
        self.asked -= usize::from(was.is_some_and(Place::is_asked));
        was
    }
}

impl Place {
    pub(super) fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::Returning)
    }
}

/// Whom a challenge is from: one answer serves all that share it.
fn key(challenge: &Challenge) -> (AuthTarget, &str, Option<&str>) {
    (challenge.target, &challenge.host, challenge.realm.as_deref())
}

/// All questions.
#[derive(Debug, Default)]
pub(in crate::queue) struct Asking {
    pub(super) questions: BTreeMap<QuestionId, Question>,
    /// In which question a job is.
    places: BTreeMap<JobId, QuestionId>,
    /// How many answers a job was given since it last transferred.
    pub(super) answers: BTreeMap<JobId, u32>,
    /// Jobs for which something has changed that they wait for.
    pub(super) attention: BTreeSet<JobId>,
    last: u64,
}

/// One change to be taken back.
#[derive(Debug)]
pub(in crate::queue) enum Step {
    Opened(QuestionId),
    /// It had no jobs any more.
    Closed(Box<Question>),
    Seated(QuestionId, JobId, Option<Place>),
    Answers(JobId, Option<u32>),
    Attention(JobId, bool),
}

impl Asking {
    /// Whether `job` waits for a person or for what another job makes of the person's answer.
    pub(in crate::queue) fn concerns(&self, job: JobId) -> bool {
        self.places.contains_key(&job)
    }

    pub(super) fn place(&self, job: JobId) -> Option<(QuestionId, Place)> {
        let id = *self.places.get(&job)?;
        self.questions.get(&id).and_then(|question| Some((id, *question.jobs.get(&job)?)))
    }

    /// The question that `job` tries the answer of.
    pub(super) fn trial(&self, job: JobId) -> Option<QuestionId> {
        self.place(job).filter(|(_, place)| *place == Place::Trial).map(|(id, _)| id)
    }

    pub(super) fn is_full(&self) -> bool {
        self.questions.len() >= QUESTIONS_MAX
    }

    /// Takes one change back; the last one comes first.
    pub(in crate::queue) fn take_back(&mut self, step: Step) {
        match step {
            Step::Opened(id) => {
                self.questions.remove(&id);
                self.last = id.0 - 1;
            }
            Step::Closed(question) => _ = self.questions.insert(question.id, *question),
            Step::Seated(id, job, place) => _ = self.seat(id, job, place),
            Step::Answers(job, answers) => set(&mut self.answers, job, answers),
            Step::Attention(job, was) => _ = self.attend(job, was),
        }
    }

    fn seat(&mut self, id: QuestionId, job: JobId, place: Option<Place>) -> Option<Place> {
        set(&mut self.places, job, place.map(|_| id));
        self.questions.get_mut(&id).expect("jobs are put into questions that there are").seat(job, place)
    }

    /// Says whether `job` was to be looked after before.
    fn attend(&mut self, job: JobId, is_to_be: bool) -> bool {
        match is_to_be {
            true => !self.attention.insert(job),
            false => self.attention.remove(&job),
        }
    }

    /// Looks again at who waits for an answer: `can_ask` says for whom there is somebody to ask.
    /// What it finds is a fact, which is not taken back.
    pub(super) fn look_around(&mut self, can_ask: impl Fn(Owner, JobId) -> bool) {
        for question in self.questions.values_mut() {
            for (job, place) in question.jobs.iter_mut().filter(|(_, place)| place.is_asked()) {
                match (*place, can_ask(question.owner, *job)) {
                    (Place::Returning, true) => *place = Place::Asked,
                    (Place::Asked, false) => _ = self.attention.insert(*job),
                    _ => {}
                }
            }
        }
    }
}

/// The questions while a decision changes them.
pub(super) struct Changing<'a> {
    pub(super) asking: &'a mut Asking,
    pub(super) decision: &'a mut Decision,
}

impl Changing<'_> {
    /// Puts `job` to the others that are asked the same, or opens a question.
    pub(super) fn join(&mut self, job: JobId, owner: Owner, error: &JobError, place: Place) {
        let challenge = error.challenge.as_ref().expect("it was looked whether it asks");
        let same = |question: &&Question| {
            question.is_same(owner, challenge)
                && question.challenge().refused == challenge.refused
                && question.asked == question.jobs.len()
        };
        let same = self.asking.questions.values().find(same).map(|question| question.id);
        let id = same.unwrap_or_else(|| self.open(owner, error.clone(), job));
        self.seat(id, job, Some(place));
    }

    /// Takes `job` out of its question. Where it was to try the answer, the next one does.
    pub(super) fn leave(&mut self, job: JobId) {
        self.attend(job, false);
        let Some(id) = self.asking.places.get(&job).copied() else { return };
        self.seat(id, job, None);
        if self.asking.questions[&id].jobs.is_empty() {
            self.close(id);
        } else {
            self.choose(id);
        }
    }

    /// An answer for `job` has come; it is the last that waits for it, or others do.
    pub(super) fn has_answer(&mut self, id: QuestionId, job: JobId) {
        let answers = self.asking.answers.get(&job).copied().unwrap_or_default();
        self.set_answers(job, Some(answers + 1));
        self.seat(id, job, Some(Place::Ready));
        self.choose(id);
    }

    pub(super) fn forget_answers(&mut self, job: JobId) {
        self.set_answers(job, None);
    }

    /// Whether `job` has to be looked after.
    pub(super) fn attend(&mut self, job: JobId, is_to_be: bool) {
        let was = self.asking.attend(job, is_to_be);
        if was != is_to_be {
            self.note(Step::Attention(job, was));
        }
    }

    /// Lets the first job try the answer, when all have it and none tries it.
    fn choose(&mut self, id: QuestionId) {
        let Some(question) = self.asking.questions.get(&id).filter(|question| !question.is_open()) else {
            return;
        };
        let is_answered = question.jobs.values().all(|place| *place == Place::Ready);
        if let Some(job) = question.jobs.keys().next().copied().filter(|_| is_answered) {
            self.seat(id, job, Some(Place::Trial));
            self.attend(job, true);
        }
    }

    /// The answer is known to be good, or not: says so to all that have it.
    pub(super) fn spread(&mut self, id: QuestionId, place: Place) {
        let Some(question) = self.asking.questions.get(&id) else { return };
        let ready = question.jobs.iter().filter(|(_, place)| **place == Place::Ready);
        let ready: Vec<JobId> = ready.map(|(job, _)| *job).collect();
        for job in ready {
            self.seat(id, job, Some(place));
            self.attend(job, true);
        }
    }

    /// Asks again for all of a question whose answer was refused.
    pub(super) fn ask_again(&mut self, id: QuestionId, met_by: JobId, error: &JobError) {
        let Some(question) = self.asking.questions.get(&id) else { return };
        let (owner, jobs): (_, Vec<JobId>) = (question.owner, question.jobs.keys().copied().collect());
        let new = self.open(owner, error.clone(), met_by);
        for job in jobs {
            self.seat(id, job, None);
            self.seat(new, job, Some(Place::Asked));
        }
        self.close(id);
    }

    fn open(&mut self, owner: Owner, error: JobError, met_by: JobId) -> QuestionId {
        self.asking.last += 1;
        let id = QuestionId(self.asking.last);
        let question = Question { id, owner, error, met_by, jobs: BTreeMap::new(), asked: 0 };
        self.asking.questions.insert(id, question);
        self.note(Step::Opened(id));
        id
    }

    fn close(&mut self, id: QuestionId) {
        if let Some(question) = self.asking.questions.remove(&id) {
            self.note(Step::Closed(Box::new(question)));
        }
    }

    fn seat(&mut self, id: QuestionId, job: JobId, place: Option<Place>) {
        let was = self.asking.seat(id, job, place);
        self.note(Step::Seated(id, job, was));
    }

    fn set_answers(&mut self, job: JobId, answers: Option<u32>) {
        let was = self.asking.answers.get(&job).copied();
        if was != answers {
            set(&mut self.asking.answers, job, answers);
            self.note(Step::Answers(job, was));
        }
    }

    fn note(&mut self, step: Step) {
        self.decision.undo(Undo::Asking(step));
    }
}

fn set<V>(map: &mut BTreeMap<JobId, V>, job: JobId, value: Option<V>) {
    match value {
        Some(value) => _ = map.insert(job, value),
        None => _ = map.remove(&job),
    }
}
