//! What one turn of the engine has decided: what to commit, and what to do after that.
//!
//! A decision also knows how the queue's memory was before it, so that one that cannot be
//! committed leaves no trace.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::demand::Span;
use crate::file::{DestinationTag, FileIndex};
use crate::job::{self, Attempt, Job, JobId, Owner, Priority, Revision};
use crate::pacing::rate::Rate;
use crate::ports::{Batch, FileChange, JobChange, SecretChange};
use crate::refusal::Refusal;
use crate::time::Timestamp;

use super::schedule::Before;
use super::{Answer, Asked, Closing, Input, Ticket};
use super::{asking, telling};

/// What is to be done once the decision is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer whoever waits.
    Answer { ticket: Ticket, answer: Result<Answer, Refusal> },
    /// Tell a worker.
    Job { job: JobId, effect: job::Effect },
    /// Tell the worker that the version it reported is written.
    Recorded { job: JobId, attempt: Attempt, file: FileIndex },
    /// Tell the worker of a job on demand what more is asked for; with it there are so many
    /// [demands](Job::demands).
    Asked { job: JobId, attempt: Attempt, demands: u32, asked: Asked },
    /// Tell the worker of a running job how fast it may be now, and beside whom.
    Rate { job: JobId, attempt: Attempt, priority: Priority, limit: Option<Rate> },
    /// Tell whoever watches which bytes have come (`FileRangesTransferred`, `bits.md` §8.1).
    RangesTransferred { job: JobId, file: FileIndex, ranges: Vec<Span> },
    /// Tell a notice in the outbox of the job; to be answered by [`Report::Told`](super::Report::Told).
    Tell { job: JobId, number: u32 },
    /// Tell whoever watches, and the log.
    Note { job: JobId, text: String },
}

/// A job that a turn has read or changed.
#[derive(Debug)]
struct Touched {
    job: Job,
    /// Its revision in the store; none when it is new.
    was: Option<Revision>,
    changed: bool,
}

/// How to put one thing in the queue's memory back.
#[derive(Debug)]
pub(super) enum Undo {
    Slot(JobId, Before),
    /// Whether what has come of a running job would be kept if it stopped.
    Keeps(JobId, bool),
    Finalizing(JobId, Option<Closing>),
    Discarding(JobId, Option<Vec<Ticket>>),
    Asking(asking::Step),
    /// When the time of a job that runs ends.
    End(JobId, Option<Timestamp>),
    /// How many jobs of an owner there were.
    Owned(Owner, Option<u32>),
    Telling(JobId, telling::OfJob),
}

/// What one turn has decided so far.
#[derive(Debug, Default)]
pub struct Decision {
    /// Boxed, as a map makes room for eleven of what it holds.
    jobs: BTreeMap<JobId, Box<Touched>>,
    files: Vec<(JobId, FileChange)>,
    /// Where files of jobs go: of those that this turn adds, and of others it was told of.
    destinations: BTreeSet<(JobId, DestinationTag)>,
    secrets: Vec<(JobId, SecretChange)>,
    effects: Vec<Effect>,
    again: Vec<Input>,
    undo: Vec<Undo>,
}

impl Decision {
    /// The job as this turn has it, if it has touched it.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|touched| &touched.job)
    }

    /// Whether this turn changes the secrets of `job`.
    pub fn changes_secrets(&self, job: JobId) -> bool {
        self.secrets.iter().any(|(id, _)| *id == job)
    }

    /// Whether this turn gives up what there was of `file`.
    pub fn loses(&self, job: JobId, file: FileIndex) -> bool {
        let is_it = |index: &FileIndex| *index == file;
        self.files
            .iter()
            .any(|(id, change)| *id == job && matches!(change, FileChange::Lost { index } if is_it(index)))
    }

    /// Notes that files of `job` go to `taken` already. To be told before files are added: those of
    /// the places that they are to go to.
    pub fn bring_destinations(&mut self, job: JobId, taken: impl IntoIterator<Item = DestinationTag>) {
        self.destinations.extend(taken.into_iter().map(|tag| (job, tag)));
    }

    /// What is to be committed. To be taken once, when all is decided: of files there can be many.
    pub fn take_batch(&mut self) -> Batch {
        // Those of one job mostly, or of jobs one after another.
        if !self.files.is_sorted_by_key(|(job, _)| *job) {
            self.files.sort_by_key(|(job, _)| *job);
        }
        // Made as large as they can be: to make room again and again for many jobs is to copy them as often.
        let mut jobs = Vec::with_capacity(self.jobs.len());
        let changed = mem::take(&mut self.jobs).into_values().filter(|touched| touched.changed);
        jobs.extend(changed.map(|touched| JobChange { job: touched.job, was: touched.was }));
        Batch { jobs, files: mem::take(&mut self.files), secrets: mem::take(&mut self.secrets) }
    }

    /// What is to be done once the batch is committed, and what then is to be taken in again.
    pub fn into_effects(self) -> (Vec<Effect>, Vec<Input>) {
        (self.effects, self.again)
    }

    /// Notes that `job` was read from the store, unless this turn has a newer one.
    pub(super) fn bring(&mut self, job: &Job) {
        self.jobs.entry(job.id).or_insert_with(|| {
            Box::new(Touched { job: job.clone(), was: Some(job.revision), changed: false })
        });
    }

    pub(super) fn put(&mut self, job: Job) {
        let was = self.jobs.get(&job.id).and_then(|touched| touched.was);
        let revision = Revision(was.map_or(0, |was| was.0) + 1);
        self.jobs.insert(job.id, Box::new(Touched { job: Job { revision, ..job }, was, changed: true }));
    }

    /// Whether a file of `job` goes to `destination`, as far as this turn knows.
    pub(super) fn is_taken(&self, job: JobId, destination: DestinationTag) -> bool {
        self.destinations.contains(&(job, destination))
    }

    pub(super) fn file(&mut self, job: JobId, change: FileChange) {
        if let FileChange::Add(file) = &change {
            self.destinations.insert((job, file.destination));
        }
        self.files.push((job, change));
    }

    pub(super) fn secret(&mut self, job: JobId, change: SecretChange) {
        self.secrets.push((job, change));
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn again(&mut self, input: Input) {
        self.again.push(input);
    }

    pub(super) fn undo(&mut self, undo: Undo) {
        self.undo.push(undo);
    }

    /// How many steps there are to be undone.
    pub(super) fn steps(&self) -> usize {
        self.undo.len()
    }

    /// Takes out the steps after the first `count`, to be undone now.
    pub(super) fn steps_since(&mut self, count: usize) -> Vec<Undo> {
        self.undo.split_off(count)
    }

    pub(super) fn into_undo(self) -> Vec<Undo> {
        self.undo
    }
}
