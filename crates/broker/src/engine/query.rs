//! What can be asked without changing anything.
//!
//! Reads are inputs too, answered from what is committed, so that whoever has an answer to a
//! change sees that change.

use bits_core::access::{self, Caller};
use bits_core::certificates;
use bits_core::conditions::Conditions;
use bits_core::error::Code;
use bits_core::file::{File, FileIndex};
use bits_core::job::{JobId, Owner};
use bits_core::ports::{Cursor, Filter, Page, SealedSecret, StateName, list_of_everybody};
use bits_core::queue::{FileView, JobView, Presence, Question, QuestionId, Ticket, Turns};
use bits_core::refusal::Refusal;

use super::{Engine, Input, Watcher, not_written};

/// A question.
#[derive(Debug, Clone)]
pub enum Query {
    /// One job, and which secrets it has.
    Job(JobId),
    /// One job with its secrets and all its files, as they are at one moment.
    WholeJob(JobId),
    Files {
        job: JobId,
        from: FileIndex,
        limit: usize,
    },
    List {
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    },
    /// The same of everybody's jobs, for an administrator; whose the filter names does not count.
    ListOfEverybody {
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    },
    /// How many jobs of the caller are in each state.
    Counts,
    /// How many jobs of each priority have their turn, and wait for it; of all callers.
    Turns,
    /// Whether something is still to be told of a job, to anybody.
    Notices,
    /// The conditions under which jobs run.
    Conditions,
    /// What the caller is asked.
    Questions,
    /// One of these questions.
    Question(QuestionId),
}

/// What somebody gets who asked.
#[derive(Debug)]
pub enum Response {
    Done,
    /// The job after a change; `outcome` is what is to be said beyond that.
    Job {
        view: Box<JobView>,
        outcome: Option<Code>,
    },
    JobWithSecrets {
        view: Box<JobView>,
        secrets: Vec<SealedSecret>,
    },
    WholeJob {
        view: Box<JobView>,
        secrets: Vec<SealedSecret>,
        files: Vec<File>,
    },
    Files {
        files: Vec<FileView>,
        next: Option<FileIndex>,
    },
    List {
        jobs: Vec<JobView>,
        next: Option<Cursor>,
    },
    Counts(Vec<(StateName, u64)>),
    Turns(Vec<Turns>),
    Notices(bool),
    Conditions(Box<Conditions>),
    Questions(Vec<Question>),
}

impl Engine<'_> {
    pub(super) fn answer_query(&mut self, input: Input) {
        match input {
            Input::Query { ticket, caller, query } => {
                let answer = self.read(caller, query);
                self.effects.answer(ticket, answer);
            }
            Input::Watch { ticket, caller, job, watcher } => {
                self.start_watching(ticket, caller, job, watcher)
            }
            Input::Rotate { ticket, rotation } => self.rotate(ticket, rotation),
            Input::Agent { ticket, caller, who, watcher } => {
                self.start_asking(caller, who, watcher);
                self.effects.answer(ticket, Ok(Response::Done));
            }
            Input::Attend { ticket, caller, who, job } => {
                let answer = self.view_for(caller, job).map(|_| Response::Done);
                if answer.is_ok() {
                    self.queue.came(who, Presence::Attendant(job));
                }
                self.effects.answer(ticket, answer);
            }
            Input::Callback { ticket, caller, who, job } => {
                let answer = self.view_for(caller, job).map(|_| Response::Done);
                if answer.is_ok() {
                    self.queue.came(who, Presence::Callback(job));
                }
                self.effects.answer(ticket, answer);
            }
            Input::Certificates { ticket, caller, job, change } => {
                let view = self.view_for(caller, job);
                let answer = view.and_then(|view| certificates::check_settable(&view.job));
                if answer.is_ok() {
                    self.effects.change_certificates(job, change);
                }
                self.effects.answer(ticket, answer.map(|()| Response::Done));
            }
            Input::Queue(_)
            | Input::Create(_)
            | Input::Conditions(_)
            | Input::Left { .. }
            | Input::Bounds(_)
            | Input::ClockSet
            | Input::Shutdown => {
                unreachable!("handled where inputs are received")
            }
        }
    }

    pub(super) fn read(&mut self, caller: Caller, query: Query) -> Result<Response, Refusal> {
        match query {
            Query::Job(id) => {
                let view = self.view_for(caller, id)?;
                let secrets = self.store.secrets(id).map_err(|error| not_written(&error))?;
                Ok(Response::JobWithSecrets { view: Box::new(view), secrets })
            }
            Query::WholeJob(id) => {
                let view = Box::new(self.view_for(caller, id)?);
                let secrets = self.store.secrets(id).map_err(|error| not_written(&error))?;
                let mut files = Vec::new();
                self.each_file(id, |file| files.push(file)).map_err(|error| not_written(&error))?;
                Ok(Response::WholeJob { view, secrets, files })
            }
            Query::Files { job, from, limit } => {
                let view = self.view_for(caller, job)?;
                // One more than asked for tells whether there are more.
                let mut files =
                    self.store.files(job, from, limit + 1).map_err(|error| not_written(&error))?;
                let next = files.get(limit).map(|file| file.index);
                files.truncate(limit);
                let files = files.into_iter().map(|file| self.queue.view_file(&view.job, file)).collect();
                Ok(Response::Files { files, next })
            }
            Query::List { filter, after, limit } => {
                let page = self.store.list(&filter, after, limit).map_err(|error| not_written(&error))?;
                Ok(self.listed(page))
            }
            Query::ListOfEverybody { filter, after, limit } => {
                let allowed = self.queue.audience().may_list_everybodys(caller)?;
                let page = list_of_everybody(self.store, allowed, &filter, after, limit);
                Ok(self.listed(page.map_err(|error| not_written(&error))?))
            }
            Query::Counts => {
                let counts = self.store.counts(Owner(caller.uid)).map_err(|error| not_written(&error))?;
                Ok(Response::Counts(counts))
            }
            Query::Conditions => Ok(Response::Conditions(Box::new(self.queue.conditions().clone()))),
            Query::Turns => Ok(Response::Turns(self.queue.turns().to_vec())),
            Query::Notices => Ok(Response::Notices(self.queue.has_notices())),
            Query::Questions => {
                Ok(Response::Questions(self.queue.questions(Owner(caller.uid)).cloned().collect()))
            }
            Query::Question(id) => {
                let question = self.queue.question(id);
                let question = question.filter(|question| question.owner == Owner(caller.uid));
                Ok(Response::Questions(vec![question.ok_or(Refusal::NoSuchQuestion)?.clone()]))
            }
        }
    }

    fn listed(&self, page: Page) -> Response {
        let jobs = page.jobs.into_iter().map(|(job, progress)| self.queue.view(job, progress)).collect();
        Response::List { jobs, next: page.next }
    }

    fn view_for(&mut self, caller: Caller, id: JobId) -> Result<JobView, Refusal> {
        let view = self.view(id).map_err(|error| not_written(&error))?;
        let view = view.ok_or_else(|| Refusal::NotFound { what: id.to_string() })?;
        access::check(caller, &view.job)?;
        Ok(view)
    }

    /// From here on the watcher is told what changes; how things are it asks for itself, a page at
    /// a time.
    fn start_watching(&mut self, ticket: Ticket, caller: Caller, job: Option<JobId>, watcher: Watcher) {
        let answer = match job {
            Some(id) => self.view_for(caller, id).map(|_| ()),
            None => Ok(()),
        };
        if answer.is_ok() {
            self.effects.watch(Owner(caller.uid), job, watcher);
        }
        self.effects.answer(ticket, answer.map(|()| Response::Done));
    }
}
