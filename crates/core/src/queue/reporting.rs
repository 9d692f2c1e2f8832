//! What workers report of jobs, and what becomes of them by that.

use alloc::format;
use alloc::vec::Vec;

use super::decision::Undo;
use super::{Answer, Decision, Effect, Input, Live, Queue, Report, WholeFile};
use crate::error::JobError;
use crate::file::{FileError, FileIndex};
use crate::job::{Attempt, Event, Job, JobId};
use crate::ports::FileChange;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::units::Bytes;

impl Queue {
    pub(super) fn report(
        &mut self,
        id: JobId,
        report: Report,
        job: Job,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        match report {
            Report::Connected { attempt } => {
                self.observe(Some(job), Event::Connected(attempt), now, decision)
            }
            Report::AwaitsConnection { attempt, limit } => {
                if attempt != job.attempt || !job.state.is_running() {
                    return;
                }
                let (before, event) = match limit {
                    Some(limit) => (self.awaiting.insert(id, limit), Event::AwaitsConnection(attempt)),
                    None => (self.awaiting.remove(&id), Event::HasConnection(attempt)),
                };
                if before == limit {
                    // A worker may say it again: then there is nothing to be written.
                    return self.observe(Some(job), event, now, decision);
                }
                let mut job = job;
                job.observe(event, now);
                self.put(job, now, decision);
            }
            Report::Version { attempt, file, size, validator, served, boot, partial } => {
                if attempt == job.attempt && !job.state.is_final() {
                    self.set_keeps(id, job.keeps_what_came_of(&validator), decision);
                    let change = FileChange::Version { index: file, size, validator, served, boot, partial };
                    decision.file(id, change);
                    self.live.insert(id, Live { file, transferred: Bytes::ZERO, written: Bytes::ZERO });
                    decision.effect(Effect::Recorded { job: id, attempt, file });
                    self.observe(Some(job), Event::FileBegun(attempt), now, decision);
                }
            }
            Report::Headers { attempt, file, headers } => {
                if attempt == job.attempt && !job.state.is_final() {
                    decision.file(id, FileChange::Headers { index: file, headers });
                    self.put(job, now, decision);
                }
            }
            Report::Sources { attempt, file, sources } => {
                if attempt == job.attempt && !job.state.is_final() {
                    decision.file(id, FileChange::Sources { index: file, sources });
                    self.put(job, now, decision);
                }
            }
            Report::RemoteName { attempt, file, remote_name } => {
                if attempt == job.attempt && !job.state.is_final() {
                    decision.file(id, FileChange::RemoteName { index: file, remote_name, moved: false });
                    self.put(job, now, decision);
                }
            }
            Report::Progress { attempt, file, transferred } => {
                self.progressed(id, attempt, file, transferred);
            }
            Report::Durable { attempt, file, upto } => {
                // Of a file that is not whole nothing is left when the others are put in place.
                let is_counted = !self.finalizing.contains_key(&id);
                if attempt == job.attempt && !job.state.is_final() && is_counted {
                    decision.file(id, FileChange::Durable { index: file, upto });
                    self.written(id, file, upto);
                    self.observe(Some(job), Event::Advanced(attempt), now, decision);
                }
            }
            Report::Filled { attempt, file, filled, new } => {
                // As with what is durable.
                let is_counted = !self.finalizing.contains_key(&id);
                if attempt == job.attempt && !job.state.is_final() && is_counted {
                    self.written(id, file, filled.total());
                    decision.file(id, FileChange::Filled { index: file, filled });
                    if !new.is_empty() {
                        decision.effect(Effect::RangesTransferred { job: id, file, ranges: new });
                    }
                    self.observe(Some(job), Event::Advanced(attempt), now, decision);
                }
            }
            Report::Beyond { attempt, file, beyond } => {
                if attempt == job.attempt && !job.state.is_final() {
                    decision.file(id, FileChange::Withdrawn { index: file, beyond });
                    self.put(job, now, decision);
                }
            }
            Report::FileTransferred { attempt, file, size } => {
                // The worker that puts files in place has been told which ones are whole; one that
                // becomes so after that is deleted with the parts, and must not count.
                let is_counted = !self.finalizing.contains_key(&id);
                if attempt == job.attempt && !job.state.is_final() && is_counted {
                    decision.file(id, FileChange::Transferred { index: file, size });
                    self.live.remove(&id);
                    self.set_keeps(id, true, decision);
                    self.observe(Some(job), Event::FileTransferred(attempt), now, decision);
                }
            }
            Report::FilePassedOver { attempt, file, error } => {
                if attempt == job.attempt && !job.state.is_final() && !self.finalizing.contains_key(&id) {
                    let passed_over = FileError { code: error.code, message: error.message.clone() };
                    decision.file(id, FileChange::PassedOver { index: file, error: passed_over });
                    let text = format!("{}; the file is passed over", error.message);
                    decision.effect(Effect::Note { job: id, text });
                    self.live.remove(&id);
                    self.set_keeps(id, true, decision);
                    self.observe(Some(job), Event::FilePassedOver(attempt, error), now, decision);
                }
            }
            Report::SmallFiles { attempt, boot, files } => {
                let is_counted = !self.finalizing.contains_key(&id);
                if attempt == job.attempt && !job.state.is_final() && is_counted {
                    let mut job = job;
                    for WholeFile { file, size, validator, served } in files {
                        decision.file(id, FileChange::Whole { index: file, size, validator, served, boot });
                        job.observe(Event::FileTransferred(attempt), now);
                    }
                    self.put(job, now, decision);
                }
            }
            Report::FilesTransferred { attempt } => {
                self.observe(Some(job), Event::FilesTransferred(attempt), now, decision);
            }
            Report::Satisfied { attempt, demands } => {
                self.observe(Some(job), Event::Satisfied(attempt, demands), now, decision);
            }
            Report::Failed { attempt, error } => self.failed(job, attempt, error, now, decision),
            Report::Note { attempt, text } => {
                if attempt == job.attempt {
                    decision.effect(Effect::Note { job: id, text });
                }
            }
            Report::Told { number, outcome } => self.told(job, number, outcome, now, decision),
            Report::Finalized { files, lost, error } => {
                self.finalized(job, files, lost, error, now, decision);
            }
            Report::Discarded { leftover } => {
                decision.undo(Undo::Discarding(id, self.discarding.get(&id).cloned()));
                for ticket in self.discarding.remove(&id).unwrap_or_default() {
                    let answer = Ok(Answer::Cancelled { job: id, leftover: leftover.is_some() });
                    decision.effect(Effect::Answer { ticket, answer });
                }
                match leftover {
                    Some(text) => decision.effect(Effect::Note { job: id, text }),
                    None => self.observe(Some(job), Event::FilesDiscarded, now, decision),
                }
            }
        }
    }

    fn finalized(
        &mut self,
        mut job: Job,
        files: Vec<FileIndex>,
        lost: Vec<FileIndex>,
        error: Option<JobError>,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let id = job.id;
        for index in files {
            decision.file(id, FileChange::Completed { index });
        }
        if !lost.is_empty() && !job.state.is_final() {
            job.observe(Event::FilesLost(lost.len() as u32), now);
            decision.put(job.clone());
            for index in lost {
                decision.file(id, FileChange::Lost { index });
            }
        }
        decision.undo(Undo::Finalizing(id, self.finalizing.get(&id).cloned()));
        let closing = self.finalizing.remove(&id).unwrap_or_default();
        let answer = match &error {
            None => Ok(Answer::Completed { job: id, partial: job.files_left() > 0 }),
            Some(error) => Err(Refusal::NotFinalized { code: error.code, message: error.message.clone() }),
        };
        for ticket in closing.waiting {
            decision.effect(Effect::Answer { ticket, answer: answer.clone() });
        }
        for (ticket, caller, request) in closing.deferred {
            decision.again(Input::Request { ticket, caller, request });
        }
        let event = error.map_or(Event::FilesFinalized, Event::NotFinalized);
        self.observe(Some(job), event, now, decision);
    }

    /// Has a job wait until volumes come or go whose own is not there. Where nobody tells of that it is
    /// tried again like after any other failure.
    pub(super) fn lose_volume(
        &mut self,
        mut job: Job,
        attempt: Attempt,
        error: JobError,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        let id = job.id;
        let since = self.schedule.running_since(id).filter(|_| self.schedule.hears_of_volumes());
        let Some(since) = since else {
            return self.observe(Some(job), Event::Failed(attempt, error), now, decision);
        };
        let effects = job.observe(Event::VolumeMissing(attempt, error), now);
        self.settle(job, effects, now, decision);
        if let Some(slot) = self.schedule.without_volume(id, since) {
            self.move_to(id, Some(slot), decision);
        }
    }
}
