//! What follows from what is written: answers, attempts, and what owners and watchers are told.

use std::collections::BTreeSet;

use bits_core::credentials::SecretSlot;
use bits_core::error::{ErrorContext, JobError};
use bits_core::file::{ClosingFile, File, FileIndex, Stage};
use bits_core::job::{self, JobId};
use bits_core::ports::{Batch, StoreError};
use bits_core::queue::{self, Effect, Report, Ticket};
use bits_core::units::Bytes;

use super::{Engine, Notification, SealedAssignment, SealedTelling};

/// Files read from the store at a time.
const FILES_PER_READ: usize = 256;

impl Engine<'_> {
    /// Runs what was decided with what is `written` now; requests that are `unshown` are answered without
    /// the job.
    pub(super) fn run_effects(&mut self, effects: Vec<Effect>, unshown: &BTreeSet<Ticket>, written: &Batch) {
        for effect in effects {
            match effect {
                Effect::Answer { ticket, answer } => {
                    self.answer(ticket, answer, !unshown.contains(&ticket), written);
                }
                Effect::Recorded { job, attempt, file } => self.effects.recorded(job, attempt, file),
                Effect::Asked { job, attempt, demands, asked } => {
                    self.effects.asked(job, attempt, demands, asked);
                }
                Effect::Rate { job, attempt, priority, limit } => {
                    self.effects.rate(job, attempt, priority, limit);
                }
                Effect::RangesTransferred { job, file, ranges } => {
                    self.tell(job, Notification::Ranges { job, file, ranges });
                }
                Effect::Tell { job, number } => self.tell_owner(job, number),
                Effect::Note { job, text } => self.note(job, text),
                Effect::Job { job, effect } => {
                    if let Err(error) = self.run_job_effect(job, effect) {
                        // It can be derived again from what is stored, at the latest by the next
                        // start; until then the job can say so.
                        tracing::error!(%error, %job, ?effect, "an effect could not be run");
                        self.fail_effect(job, effect, &error);
                    }
                }
            }
        }
    }

    /// One try to tell the owner of a job what is in its outbox.
    fn tell_owner(&mut self, id: JobId, number: u32) {
        let outcome = match self.sealed_telling(id, number) {
            // It is not to be told any more.
            Ok(None) => Ok(()),
            Ok(Some(telling)) => match self.effects.tell_owner(telling) {
                Ok(()) => return,
                Err(reason) => Err(reason),
            },
            Err(error) => Err(error.to_string()),
        };
        let report = Report::Told { number, outcome };
        self.backlog.push_back(queue::Input::Report { job: id, report });
    }

    fn sealed_telling(&mut self, id: JobId, number: u32) -> Result<Option<SealedTelling>, StoreError> {
        let Some(view) = self.view(id)? else { return Ok(None) };
        let Some(notice) = view.job.outbox.notice(number).cloned() else { return Ok(None) };
        let mut secrets = self.store.secrets(id)?;
        secrets.retain(|secret| secret.slot == SecretSlot::Webhook);
        Ok(Some(SealedTelling { view: Box::new(view), notice, secret: secrets.pop() }))
    }

    fn run_job_effect(&mut self, id: JobId, effect: job::Effect) -> Result<(), StoreError> {
        match effect {
            job::Effect::Stop(attempt) => self.effects.stop(id, attempt),
            job::Effect::Begin(attempt) => {
                let Some(job) = self.store.job(id)? else { return Ok(()) };
                let mut downloaded = Bytes::ZERO;
                let mut files = Vec::with_capacity(job.files_left() as usize);
                self.each_file(id, |file| match file.stage {
                    Stage::Waiting => files.push(file),
                    Stage::Transferred | Stage::Completed => {
                        downloaded = downloaded.saturating_add(file.durable);
                    }
                })?;
                let parts = files.iter().filter(|file| file.durable > Bytes::ZERO);
                self.queue.goes_on_with(id, parts.map(|file| (file.index, file.durable)));
                if !job.properties.http.method.is_default() {
                    // What such a request answers cannot be put together from parts.
                    files.iter_mut().for_each(File::forget_content);
                }
                let mut secrets = self.store.secrets(id)?;
                // That of a webhook is opened where one is sent.
                secrets.retain(|secret| secret.slot != SecretSlot::Webhook);
                let assignment = SealedAssignment {
                    job: id,
                    owner: job.owner,
                    attempt,
                    priority: job.properties.priority,
                    files,
                    secrets,
                    secret_refused: job.secret_refused(),
                    failed_file: job.error.as_ref().and_then(|error| error.file),
                    http: job.properties.http,
                    transfer: job.properties.transfer,
                    demands: job.demands,
                    downloaded,
                    environment: job.properties.environment,
                };
                if let Err(error) = self.effects.begin(assignment) {
                    self.backlog.push_back(queue::Input::Report {
                        job: id,
                        report: Report::Failed { attempt, error },
                    });
                }
            }
            job::Effect::FinalizeFiles => {
                let Some(job) = self.store.job(id)? else { return Ok(()) };
                let files = self.closing_files(id)?;
                self.effects.finalize(id, files, job.properties.environment);
            }
            job::Effect::DiscardFiles => {
                let files = self.closing_files(id)?;
                self.effects.discard(id, files);
            }
            job::Effect::ForgetSecrets => unreachable!("the queue makes it a change"),
        }
        Ok(())
    }

    fn fail_effect(&mut self, job: JobId, effect: job::Effect, error: &StoreError) {
        let error = JobError {
            code: error.code(),
            context: ErrorContext::GeneralQueueManager,
            transient: true,
            message: error.to_string(),
            file: None,
            challenge: None,
            retry_after_seconds: None,
        };
        let report = match effect {
            job::Effect::Begin(attempt) => Report::Failed { attempt, error },
            job::Effect::FinalizeFiles => {
                Report::Finalized { files: Vec::new(), lost: Vec::new(), error: Some(error) }
            }
            job::Effect::DiscardFiles => Report::Discarded { leftover: Some(error.message) },
            job::Effect::Stop(_) | job::Effect::ForgetSecrets => return,
        };
        self.backlog.push_back(queue::Input::Report { job, report });
    }

    fn closing_files(&mut self, job: JobId) -> Result<Vec<ClosingFile>, StoreError> {
        let mut files: Vec<ClosingFile> = Vec::new();
        loop {
            let from = files.last().map_or(0, |last| last.index.0 + 1);
            let page = self.store.closing_files(job, FileIndex(from), FILES_PER_READ)?;
            let last = page.len() < FILES_PER_READ;
            files.extend(page);
            if last {
                return Ok(files);
            }
        }
    }

    /// Reads all files of `job`, of which there can be many, a few at a time.
    pub(super) fn each_file(&mut self, job: JobId, mut each: impl FnMut(File)) -> Result<(), StoreError> {
        let mut from = FileIndex(0);
        loop {
            let page = self.store.files(job, from, FILES_PER_READ)?;
            let next = page.last().filter(|_| page.len() == FILES_PER_READ).map(|last| last.index.0 + 1);
            page.into_iter().for_each(&mut each);
            match next {
                Some(next) => from = FileIndex(next),
                None => return Ok(()),
            }
        }
    }

    fn note(&mut self, id: JobId, text: String) {
        tracing::info!(job = %id, "{text}");
        self.tell(id, Notification::Note { job: id, text });
    }

    fn tell(&mut self, id: JobId, notification: Notification) {
        if let Ok(Some(job)) = self.store.job(id) {
            self.effects.notify(job.owner, id, notification);
        }
    }
}
