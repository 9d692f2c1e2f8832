//! Carries out what the engine decided, and brings back the answers to whoever asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bits_core::access::Caller;
use bits_core::conditions::Conditions;
use bits_core::error::JobError;
use bits_core::file::{ClosingFile, FileIndex};
use bits_core::job::{Attempt, Environment, JobId, Owner, Priority};
use bits_core::pacing::gate::RateLimits;
use bits_core::pacing::rate::Rate;
use bits_core::queue::{self, Asked, PresenceId, QuestionId, Request, Ticket};
use bits_core::refusal::Refusal;
use bits_worker::link::{Assignment, ToWorker};
use tokio::sync::oneshot;

use crate::certificates::Change;
use crate::engine::{
    AgentWatcher, Bounds, EffectRunner, Input, Inputs, NewJob, NewJobs, Notification, Query, Response,
    SealedAssignment, SealedTelling, Watcher,
};
use crate::notify;
use crate::subscriptions::Subscriptions;
use crate::vault::{Rotation, Vault};
use crate::workers::Workers;

type Answers = Arc<Mutex<HashMap<Ticket, oneshot::Sender<Result<Response, Refusal>>>>>;

/// The way to the engine: questions in, answers out.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    inputs: Inputs,
    answers: Answers,
    next_ticket: Arc<AtomicU64>,
    /// Names this run of the engine: the questions of another one have other names.
    run: Arc<str>,
}

/// Somebody who can be asked; dropped when there is nobody any more.
#[derive(Debug)]
pub struct Connected {
    inputs: Inputs,
    who: PresenceId,
}

impl Drop for Connected {
    fn drop(&mut self) {
        // An engine that has ended asks nobody.
        let _ = self.inputs.send(Input::Left { who: self.who });
    }
}

impl EngineHandle {
    /// The way to the engine that receives from the other end of `inputs`.
    pub fn new(inputs: Inputs) -> Self {
        let run = uuid::Uuid::new_v4().simple().to_string().into();
        Self { inputs, answers: Answers::default(), next_ticket: Arc::default(), run }
    }

    /// The name of a question for programs.
    pub(crate) fn name_of(&self, question: QuestionId) -> String {
        format!("{}.{}", self.run, question.0)
    }

    /// The question of this run that is called `name`.
    ///
    /// # Errors
    /// [`Refusal::NoSuchQuestion`].
    pub(crate) fn question_named(&self, name: &str) -> Result<QuestionId, Refusal> {
        let number = name.strip_prefix(&*self.run).and_then(|rest| rest.strip_prefix('.'));
        let number = number.and_then(|number| number.parse().ok());
        number.map(QuestionId).ok_or(Refusal::NoSuchQuestion)
    }

    /// Says under which conditions jobs run from now on.
    pub fn conditions_are(&self, conditions: Conditions) {
        // An engine that has ended lets nobody run.
        let _ = self.inputs.send(Input::Conditions(conditions));
    }

    /// Offers to answer what is asked for the caller's background jobs, until the return value is
    /// dropped.
    ///
    /// # Errors
    /// [`Refusal::Stopping`].
    pub async fn answer_for(&self, caller: Caller, watcher: AgentWatcher) -> Result<Connected, Refusal> {
        let connected = self.connected();
        let who = connected.who;
        self.ask(|ticket| Input::Agent { ticket, caller, who, watcher }).await?;
        Ok(connected)
    }

    /// Offers to deal with the questions of `job`, until the return value is dropped.
    ///
    /// # Errors
    /// [`Refusal`] when the job is not there or not for this caller.
    pub async fn attend(&self, caller: Caller, job: JobId) -> Result<Connected, Refusal> {
        let connected = self.connected();
        let who = connected.who;
        self.ask(|ticket| Input::Attend { ticket, caller, who, job }).await?;
        Ok(connected)
    }

    /// Offers to hear the notifications of `job`, until the return value is dropped.
    ///
    /// # Errors
    /// [`Refusal`] when the job is not there or not for this caller.
    pub async fn hear(&self, caller: Caller, job: JobId) -> Result<Connected, Refusal> {
        let connected = self.connected();
        let who = connected.who;
        self.ask(|ticket| Input::Callback { ticket, caller, who, job }).await?;
        Ok(connected)
    }

    fn connected(&self) -> Connected {
        let who = PresenceId(self.next_ticket.fetch_add(1, Ordering::Relaxed));
        Connected { inputs: self.inputs.clone(), who }
    }

    /// Asks for a change, and waits until it is written and done.
    ///
    /// # Errors
    /// [`Refusal`]: nothing has changed.
    pub async fn request(&self, caller: Caller, request: Request) -> Result<Response, Refusal> {
        self.ask(|ticket| Input::Queue(queue::Input::Request { ticket, caller, request })).await
    }

    /// Asks for a new job, and waits until it is written. With `has_new_id` its id was made just now.
    ///
    /// # Errors
    /// [`Refusal`]: there is no new job.
    pub async fn create(
        &self,
        caller: Caller,
        request: Request,
        has_new_id: bool,
    ) -> Result<Response, Refusal> {
        self.ask(|ticket| {
            let jobs = vec![NewJob { ticket, request, has_new_id }];
            Input::Create(NewJobs { caller, jobs, are_shown: true })
        })
        .await
    }

    /// Asks for new jobs, each with whether its id was made just now, and waits until those that can be are
    /// written, all in one turn.
    pub async fn create_many(
        &self,
        caller: Caller,
        requests: Vec<(Request, bool)>,
    ) -> Vec<Result<(), Refusal>> {
        let waiting = self.ask_for(caller, requests);
        let mut outcomes = Vec::with_capacity(waiting.len());
        // The last comes last: whoever waits for it is woken once.
        for answered in waiting.into_iter().rev() {
            outcomes.push(answered.await.unwrap_or(Err(Refusal::Stopping)).map(drop));
        }
        outcomes.reverse();
        outcomes
    }

    /// Where the answers come to `requests` for new jobs, in their order.
    fn ask_for(
        &self,
        caller: Caller,
        requests: Vec<(Request, bool)>,
    ) -> Vec<oneshot::Receiver<Result<Response, Refusal>>> {
        let count = requests.len();
        let first = self.next_ticket.fetch_add(count as u64, Ordering::Relaxed);
        let (mut jobs, mut waiting) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        for ((request, has_new_id), number) in requests.into_iter().zip(first..) {
            let ticket = Ticket(number);
            let (answer, answered) = oneshot::channel();
            answers.insert(ticket, answer);
            waiting.push(answered);
            jobs.push(NewJob { ticket, request, has_new_id });
        }
        if self.inputs.send(Input::Create(NewJobs { caller, jobs, are_shown: false })).is_err() {
            (first..first + count as u64).for_each(|number| drop(answers.remove(&Ticket(number))));
        }
        waiting
    }

    /// Asks how things are.
    ///
    /// # Errors
    /// [`Refusal`] when it is not there or not for this caller.
    pub async fn query(&self, caller: Caller, query: Query) -> Result<Response, Refusal> {
        self.ask(|ticket| Input::Query { ticket, caller, query }).await
    }

    /// Asks to be told what changes from now on.
    ///
    /// # Errors
    /// [`Refusal`] when the job is not there or not for this caller.
    pub async fn watch(
        &self,
        caller: Caller,
        job: Option<JobId>,
        watcher: Watcher,
    ) -> Result<Response, Refusal> {
        self.ask(|ticket| Input::Watch { ticket, caller, job, watcher }).await
    }

    /// Changes who is asked about the certificates of the job's servers.
    ///
    /// # Errors
    /// [`Refusal`] when the job is not there, is not for this caller, or works.
    pub(crate) async fn change_certificates(
        &self,
        caller: Caller,
        job: JobId,
        change: Change,
    ) -> Result<Response, Refusal> {
        self.ask(|ticket| Input::Certificates { ticket, caller, job, change }).await
    }

    /// Has another key seal the credentials.
    ///
    /// # Errors
    /// [`Refusal`]: the old key is still in force.
    pub async fn rotate(&self, rotation: Rotation) -> Result<Response, Refusal> {
        self.ask(|ticket| Input::Rotate { ticket, rotation }).await
    }

    /// How many wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Has other rules hold from now on.
    pub fn set_bounds(&self, bounds: Bounds) {
        // An engine that is gone needs no rules.
        let _ = self.inputs.send(Input::Bounds(Box::new(bounds)));
    }

    /// Says that the clock was set.
    pub fn clock_set(&self) {
        let _ = self.inputs.send(Input::ClockSet);
    }

    /// Lets the engine end after what it has received.
    pub fn shut_down(&self) {
        // An engine that is gone already has shut down.
        let _ = self.inputs.send(Input::Shutdown);
    }

    async fn ask(&self, input: impl FnOnce(Ticket) -> Input) -> Result<Response, Refusal> {
        let ticket = Ticket(self.next_ticket.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, answer);
        if self.inputs.send(input(ticket)).is_err() {
            self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
            return Err(Refusal::Stopping);
        }
        answered.await.unwrap_or(Err(Refusal::Stopping))
    }
}

/// The engine's hands.
#[derive(Debug)]
pub struct Effects {
    answers: Answers,
    workers: Workers,
    vault: Vault,
    subscriptions: Subscriptions,
}

impl Effects {
    pub fn new(handle: &EngineHandle, workers: Workers, vault: Vault) -> Self {
        Self { answers: Arc::clone(&handle.answers), workers, vault, subscriptions: Subscriptions::default() }
    }
}

impl Drop for Effects {
    /// The engine has ended: nobody will answer any more.
    fn drop(&mut self) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl EffectRunner for Effects {
    fn answer(&mut self, ticket: Ticket, answer: Result<Response, Refusal>) {
        let waiting = self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
        if let Some(waiting) = waiting {
            // Whoever asked may have hung up.
            let _ = waiting.send(answer);
        }
    }

    fn begin(&mut self, assignment: SealedAssignment) -> Result<(), JobError> {
        let metrics = self.workers.metrics();
        metrics.begun(assignment.job, &assignment.files);
        let asks_about_certificates = self.workers.certificates().has_program(assignment.job);
        let assignment = open(assignment, &self.vault, asks_about_certificates)
            .inspect_err(|error| metrics.failed(error))?;
        self.workers.tell(ToWorker::Begin(Box::new(assignment)));
        Ok(())
    }

    fn has_key(&self) -> bool {
        self.vault.key_standing().missing.is_none()
    }

    fn stop(&mut self, job: JobId, attempt: Attempt) {
        self.workers.metrics().stopped(job);
        self.workers.tell(ToWorker::Stop { job, attempt });
    }

    fn recorded(&mut self, job: JobId, attempt: Attempt, file: FileIndex) {
        self.workers.tell(ToWorker::Recorded { job, attempt, file });
    }

    fn asked(&mut self, job: JobId, attempt: Attempt, demands: u32, asked: Asked) {
        self.workers.tell(ToWorker::Asked { job, attempt, demands, asked });
    }

    fn tell_owner(&mut self, telling: SealedTelling) -> Result<(), String> {
        let telling = notify::open(telling, &self.vault)?;
        self.workers.tell(ToWorker::Tell(Box::new(telling)));
        Ok(())
    }

    fn rate(&mut self, job: JobId, attempt: Attempt, priority: Priority, limit: Option<Rate>) {
        self.workers.tell(ToWorker::Rate { job, attempt, priority, limit });
    }

    fn connection_limits(&mut self, total: usize, host: usize) {
        self.workers.tell(ToWorker::ConnectionLimits { total, host });
    }

    fn rate_limits(&mut self, limits: RateLimits) {
        self.workers.tell(ToWorker::RateLimits(limits));
    }

    fn committed(&mut self, took: Duration, is_written: bool) {
        self.workers.metrics().committed(took, is_written);
    }

    fn finalize(&mut self, job: JobId, files: Vec<ClosingFile>, environment: Environment) {
        self.workers.tell(ToWorker::Finalize { job, files, environment });
    }

    fn discard(&mut self, job: JobId, files: Vec<ClosingFile>) {
        self.workers.tell(ToWorker::Discard { job, files });
    }

    fn change_certificates(&mut self, job: JobId, change: Change) {
        self.workers.certificates().change(job, change);
    }

    fn watch(&mut self, owner: Owner, job: Option<JobId>, watcher: Watcher) {
        self.subscriptions.add(owner, job, watcher);
    }

    fn is_watched(&self, owner: Owner, job: JobId) -> bool {
        self.subscriptions.covers(owner, job)
    }

    fn notify(&mut self, owner: Owner, job: JobId, notification: Notification) {
        self.subscriptions.notify(owner, job, &notification);
    }
}

/// What a worker is told of `assignment`, with its secrets opened.
///
/// # Errors
/// Those of [`Vault::open`].
pub fn open(
    assignment: SealedAssignment,
    vault: &Vault,
    asks_about_certificates: bool,
) -> Result<Assignment, JobError> {
    let SealedAssignment {
        job,
        owner,
        attempt,
        priority,
        files,
        secrets,
        secret_refused,
        failed_file,
        http,
        transfer,
        demands,
        downloaded,
        environment,
    } = assignment;
    let opened = vault.open(job, owner, &secrets)?;
    Ok(Assignment {
        job,
        owner,
        attempt,
        priority,
        files,
        credentials: opened.credentials,
        secret_refused,
        failed_file,
        http,
        secret_headers: opened.headers,
        certificate_passphrase: opened.certificate_passphrase,
        transfer,
        demands,
        downloaded,
        asks_about_certificates,
        environment,
    })
}
