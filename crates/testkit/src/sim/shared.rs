//! What the service under test stands on in a simulated world: its clock, disk, store and hands, and
//! the switch that kills it between any two steps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bits_broker::certificates::Change;
use bits_broker::effects;
use bits_broker::engine::{
    AgentWatcher, Clock, EffectRunner, Notification, Response, SealedAssignment, SealedTelling, Watcher,
};
use bits_broker::notify;
use bits_broker::vault::Vault;
use bits_core::error::JobError;
use bits_core::file::{BootId, ClosingFile, FileIndex};
use bits_core::job::{Attempt, Environment, JobId, Owner, State};
use bits_core::ports::{KeyChange, KeyId, KeySource, KeyStanding, Seal, SealError};
use bits_core::queue::{Asked, Ticket};
use bits_core::refusal::Refusal;
use bits_core::time::Timestamp;
use bits_core::transfer::PartsRules;
use bits_worker::link::ToWorker;
use zeroize::Zeroizing;

use super::conditions::Outside;
use super::disk::Disk;
use super::judge::{Judge, Promise};
use super::mutations::Mutation;
use super::notices::Notices;
use super::random::Random;
use super::scenario::{Millis, Trap};
use super::servers::Resource;
use super::store::Rows;

/// When a world begins, in milliseconds since 1970.
pub(super) const EPOCH: u64 = 1_790_000_000_000;

/// All that outlives the service.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) now: Millis,
    /// How far the clock of the machine is off.
    pub(super) clock_off: i64,
    pub(super) random: Random,
    pub(super) disk: Disk,
    pub(super) rows: Rows,
    pub(super) resources: Vec<Resource>,
    pub(super) judge: Judge,
    pub(super) outside: Outside,
    pub(super) notices: Notices,
    /// How far files come in parts.
    pub(super) parts: Option<PartsRules>,
    pub(super) mutation: Option<Mutation>,
    pub(super) owners: u32,
    pub(super) boot: BootId,
    pub(super) is_dead: bool,
    /// Steps until the service is killed.
    pub(super) steps_left: Option<u32>,
    /// What the kill waits for, and so many steps after that.
    pub(super) trap: Option<(Trap, u32)>,
    /// From when on nothing goes wrong, as the clock of the machine has it.
    pub(super) calm_since: Option<Timestamp>,
    /// Syncs that fail.
    pub(super) syncs_to_fail: u32,
    pub(super) faults_met: u64,
    /// What the worker is told and what was answered by this turn.
    pub(super) orders: Vec<ToWorker>,
    pub(super) answers: Vec<(Ticket, Result<Response, Refusal>)>,
}

impl Shared {
    /// One more thing that the world can see is about to be done. Says whether the service is dead,
    /// so that it is not done.
    pub(super) fn step(&mut self) -> bool {
        match &mut self.steps_left {
            Some(0) => self.is_dead = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.is_dead
    }

    /// The kill may have waited for this.
    pub(super) fn passes(&mut self, place: Trap) {
        if let Some((_, steps)) = self.trap.take_if(|(trap, _)| *trap == place) {
            self.steps_left = Some(steps);
        }
    }

    /// What the clock of the machine says.
    pub(super) fn wall(&self) -> Timestamp {
        Timestamp((EPOCH + self.now).saturating_add_signed(self.clock_off))
    }

    pub(super) fn broken(&mut self, promise: Promise, what: impl FnOnce() -> String) {
        let now = self.now;
        self.judge.broken(promise, now, what);
    }

    /// What the next service would find of `job`.
    fn lasting(&self, job: JobId) -> Option<&bits_core::job::Job> {
        self.rows.lasting.peek(job)
    }
}

/// A handle for each port.
#[derive(Debug, Clone)]
pub(super) struct Surroundings(pub(super) Arc<Mutex<Shared>>);

impl Surroundings {
    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Surroundings {
    fn now(&self) -> Timestamp {
        self.lock().wall()
    }

    fn running(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.lock().now))
    }
}

/// The hands of the engine.
pub(super) struct Hands {
    pub(super) around: Surroundings,
    pub(super) vault: Vault,
}

impl Hands {
    /// Tells the worker, when what it is told follows from what is written.
    fn tell(&self, order: ToWorker, job: JobId, is_written: impl FnOnce(&mut Shared) -> bool) {
        let mut shared = self.around.lock();
        if shared.step() {
            return;
        }
        if !is_written(&mut shared) {
            shared.broken(Promise::P1, || format!("acted on before it was written, for {job}: {order:?}"));
        }
        shared.orders.push(order);
    }
}

impl EffectRunner for Hands {
    fn answer(&mut self, ticket: Ticket, answer: Result<Response, Refusal>) {
        let mut shared = self.around.lock();
        if shared.step() {
            return;
        }
        match &answer {
            Ok(
                Response::Job { view, .. }
                | Response::JobWithSecrets { view, .. }
                | Response::WholeJob { view, .. },
            ) => shared.look_at_wait(view),
            Ok(Response::List { jobs, .. }) => jobs.iter().for_each(|view| shared.look_at_wait(view)),
            _ => {}
        }
        if let Ok(Response::Job { view, .. }) = &answer {
            let lasts = shared.lasting(view.job.id).map(|job| job.revision);
            if lasts.is_none_or(|lasts| lasts < view.job.revision) {
                let (id, revision) = (view.job.id, view.job.revision);
                shared.broken(Promise::P1, || {
                    format!("{id} was answered at {revision:?}, and {lasts:?} lasts")
                });
            }
        }
        shared.answers.push((ticket, answer));
    }

    fn begin(&mut self, assignment: SealedAssignment) -> Result<(), JobError> {
        let (job, attempt) = (assignment.job, assignment.attempt);
        let assignment = effects::open(assignment, &self.vault, false)?;
        let order = ToWorker::Begin(Box::new(assignment));
        self.tell(order, job, |shared| {
            shared.look_at_begin(job);
            shared.lasting(job).is_some_and(|job| job.attempt == attempt)
        });
        Ok(())
    }

    fn has_key(&self) -> bool {
        self.vault.key_standing().missing.is_none()
    }

    fn stop(&mut self, job: JobId, attempt: Attempt) {
        self.tell(ToWorker::Stop { job, attempt }, job, |shared| {
            shared.stops(job, attempt);
            true
        });
    }

    fn recorded(&mut self, job: JobId, attempt: Attempt, file: FileIndex) {
        self.tell(ToWorker::Recorded { job, attempt, file }, job, |shared| {
            let boot = shared.boot;
            shared.rows.lasting.peek_file(job, file).is_some_and(|found| found.boot == Some(boot))
        });
    }

    fn asked(&mut self, job: JobId, attempt: Attempt, demands: u32, asked: Asked) {
        self.tell(ToWorker::Asked { job, attempt, demands, asked }, job, |shared| {
            shared.lasting(job).is_some_and(|job| job.demands >= demands)
        });
    }

    fn tell_owner(&mut self, telling: SealedTelling) -> Result<(), String> {
        let telling = notify::open(telling, &self.vault)?;
        let mut shared = self.around.lock();
        if shared.step() {
            return Ok(());
        }
        shared.look_at_telling(&telling);
        shared.orders.push(ToWorker::Tell(Box::new(telling)));
        Ok(())
    }

    fn finalize(&mut self, job: JobId, files: Vec<ClosingFile>, environment: Environment) {
        self.tell(ToWorker::Finalize { job, files, environment }, job, |shared| {
            shared.lasting(job).is_some_and(|job| !job.state.is_active())
        });
    }

    fn discard(&mut self, job: JobId, files: Vec<ClosingFile>) {
        self.tell(ToWorker::Discard { job, files }, job, |shared| {
            shared.lasting(job).is_some_and(|job| job.state == State::Cancelled)
        });
    }

    fn change_certificates(&mut self, _: JobId, _: Change) {}

    fn watch(&mut self, _: Owner, _: Option<JobId>, _: Watcher) {}

    /// Everybody watches in this world, so that everything that can be shown is looked at.
    fn is_watched(&self, _: Owner, _: JobId) -> bool {
        true
    }

    fn notify(&mut self, owner: Owner, job: JobId, notification: Notification) {
        let mut shared = self.around.lock();
        if shared.step() {
            return;
        }
        let now = shared.now;
        match notification {
            Notification::Job(view) => {
                let lasts = shared.lasting(job).map(|job| job.revision);
                if lasts.is_none_or(|lasts| lasts < view.job.revision) {
                    shared.broken(Promise::P1, || format!("{job} was shown before it was written"));
                }
                shared.judge.view(owner.0, &view, now);
                shared.look_at_wait(&view);
            }
            Notification::Ranges { .. } => {
                if shared.lasting(job).is_none_or(|job| job.owner != owner) {
                    shared.broken(Promise::P7, || format!("{owner:?} is told of what has come for {job}"));
                }
            }
            Notification::Note { text, .. } => shared.judge.text(&text, now, "a note"),
        }
    }
}

/// Hides what it seals, and no more than that.
#[derive(Debug)]
pub(super) struct PlainSeal {
    pub(super) has_key: bool,
    pub(super) hides: bool,
}

impl PlainSeal {
    fn turned(&self, bytes: &[u8]) -> Vec<u8> {
        let mask = if self.hides { 0xA5 } else { 0 };
        bytes.iter().map(|byte| byte ^ mask).collect()
    }

    fn check(&self) -> Result<(), SealError> {
        let reason = || "the key is not there".to_owned();
        if self.has_key { Ok(()) } else { Err(SealError::NoKey { reason: reason() }) }
    }
}

impl Seal for PlainSeal {
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError> {
        self.check()?;
        let mut record = vec![bound_to.len() as u8];
        record.extend_from_slice(bound_to);
        record.extend(self.turned(plain));
        Ok(record)
    }

    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.check()?;
        let plain = sealed.get(1..).and_then(|rest| rest.strip_prefix(bound_to));
        plain.map(|plain| Zeroizing::new(self.turned(plain))).ok_or(SealError::DoesNotOpen)
    }

    fn standing(&self) -> KeyStanding {
        KeyStanding {
            place: "the simulated world".to_owned(),
            id: Some(KeyId([1; 8])),
            source: KeySource::KeyFile,
            missing: (!self.has_key).then(|| "it is away".to_owned()),
        }
    }

    fn change_key(&self) -> Result<Box<dyn KeyChange>, SealError> {
        Err(SealError::KeyNotChanged { reason: "nobody changes it here".to_owned() })
    }
}

/// Where the notices of an agent go.
pub(super) type Agent = tokio::sync::mpsc::Receiver<bits_broker::engine::AgentNotice>;

/// A line to an agent.
pub(super) fn agent_line() -> (AgentWatcher, Agent) {
    tokio::sync::mpsc::channel(1000)
}
