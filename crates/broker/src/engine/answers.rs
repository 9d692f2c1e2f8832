//! What those are told who asked for a change or watch, once it is written.
//!
//! Of a new job nothing is read for that: all there is of it was just written.

use bits_core::error::Code;
use bits_core::job::{Job, JobId, Progress};
use bits_core::ports::{Batch, FileChange, JobChange, StoreError};
use bits_core::queue::{Answer, JobView, Ticket};
use bits_core::refusal::Refusal;

use super::{Engine, Notification, Response, not_written};

impl Engine<'_> {
    /// Answers whoever has `ticket`, where `is_shown` with the job as `written` has it.
    pub(super) fn answer(
        &mut self,
        ticket: Ticket,
        answer: Result<Answer, Refusal>,
        is_shown: bool,
        written: &Batch,
    ) {
        let answer = match answer {
            Ok(answer) if is_shown => self.response(answer, written),
            Ok(_) => Ok(Response::Done),
            Err(refusal) => Err(refusal),
        };
        self.effects.answer(ticket, answer);
    }

    fn response(&mut self, answer: Answer, written: &Batch) -> Result<Response, Refusal> {
        let (id, outcome) = match answer {
            Answer::Done => return Ok(Response::Done),
            Answer::Job(job) => (job, None),
            Answer::OwnedAlready(job) => (job, Some(Code::NOTHING_TO_DO)),
            Answer::Completed { job, partial } => (job, partial.then_some(Code::PARTIAL_COMPLETE)),
            Answer::Cancelled { job, leftover } => (job, leftover.then_some(Code::UNABLE_TO_DELETE_FILES)),
        };
        let view = match written.job(id) {
            Some(JobChange { job, .. }) => {
                self.progress(job, written).map(|progress| Some(self.queue.view(job.clone(), progress)))
            }
            None => self.view(id),
        };
        let view = view.map_err(|error| not_written(&error))?;
        let view = view.ok_or_else(|| Refusal::NotFound { what: id.to_string() })?;
        Ok(Response::Job { view: Box::new(view), outcome })
    }

    /// How far the files of `job` have come, now that `written` is. Of a new job nothing is read.
    fn progress(&mut self, job: &Job, written: &Batch) -> Result<Progress, StoreError> {
        if written.job(job.id).is_none_or(|change| change.was.is_some()) {
            return self.store.progress(job.id);
        }
        Ok(Progress::of(written.files_of(job.id).filter_map(|change| match change {
            FileChange::Add(file) => Some(file),
            _ => None,
        })))
    }

    pub(super) fn view(&mut self, id: JobId) -> Result<Option<JobView>, StoreError> {
        let Some(job) = self.store.job(id)? else { return Ok(None) };
        let progress = self.store.progress(id)?;
        Ok(Some(self.queue.view(job, progress)))
    }

    /// Shows `job`, as it is written, to whoever watches it.
    pub(super) fn tell_watchers(&mut self, job: &Job, written: &Batch) {
        let (owner, id) = (job.owner, job.id);
        if !self.effects.is_watched(owner, id) {
            return;
        }
        match self.progress(job, written) {
            Ok(progress) => {
                let view = self.queue.view(job.clone(), progress);
                self.effects.notify(owner, id, Notification::Job(Box::new(view)));
            }
            Err(error) => tracing::warn!(%error, job = %id, "watchers could not be told"),
        }
    }
}
