//! The service's one decision-maker.
//!
//! Everything that can change a job arrives here as an [`Input`], one after the other, and each
//! turn of the loop has four steps: receive, decide, commit, act. Nothing is acted on before it is
//! committed, so a service that dies between any two steps wakes up in a state it had really been
//! in. What the decisions are is the queue's business, how effects are run is not known here.

mod acting;
mod agents;
mod answers;
mod changes;
mod clock;
mod creating;
mod loading;
mod query;
mod running;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bits_core::access::{self, Caller};
use bits_core::conditions::Conditions;
use bits_core::demand::Span;
use bits_core::error::JobError;
use bits_core::file::{ClosingFile, File, FileIndex, Stage};
use bits_core::http_options::HttpOptions;
use bits_core::job::{Attempt, Environment, Job, JobId, Owner, Priority};
use bits_core::notify::Notice;
use bits_core::pacing::gate::RateLimits;
use bits_core::pacing::rate::Rate;
use bits_core::pacing::timetable::{Moment, Timetable};
use bits_core::ports::{Batch, JobChange, RekeyError, SealedSecret, Store, StoreError};
use bits_core::queue::{
    self, Asked, Decision, Effect, JobView, Limits, PresenceId, Queue, Report, Request, Ticket,
};
use bits_core::refusal::Refusal;
use bits_core::time::Timestamp;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use crate::certificates::Change;
use crate::vault::Rotation;

pub use agents::{AgentNotice, AgentWatcher};
pub use creating::{NewJob, NewJobs};
pub use query::{Query, Response};
pub use running::run;

use agents::Agents;
use clock::Move;
use loading::Loading;

/// How many inputs share one commit. Enough that a busy moment costs one sync, few enough that the
/// first caller does not wait for the last.
const INPUTS_PER_BATCH: usize = 256;
/// How long to leave a store alone that could not write.
const PAUSE_AFTER_FAILED_COMMIT: Duration = Duration::from_secs(1);

/// How long the store may have work left, where no other commit does it.
const SETTLED_AFTER: Duration = Duration::from_millis(50);
/// How long a job can still be read after it is final.
const FINAL_JOBS_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How often final jobs that have been kept long enough are looked for.
const FORGET_INTERVAL: Duration = Duration::from_secs(3600);
/// How long a service leaves jobs alone that nobody has cared for, after its start: the clock of a
/// machine that has just started may have to be set first.
const PATIENCE_WITH_CLOCK: Duration = Duration::from_secs(120);
/// A change of the clock that is no more than its correction.
const CLOCK_CORRECTION_MAX: Duration = Duration::from_secs(60);
/// How many jobs watchers are told of when the conditions are others: each is read from the store for
/// that. Whoever watches more of them sees the rest in lists.
const SHOWN_MAX: usize = 1000;

/// All that can wake the service.
#[derive(Debug)]
pub enum Input {
    /// A request, or a report of a worker.
    Queue(queue::Input),
    /// New jobs that are made in one turn, each for itself.
    Create(NewJobs),
    /// Somebody wants to know something.
    Query {
        ticket: Ticket,
        caller: Caller,
        query: Query,
    },
    /// Somebody wants to be told what changes from now on.
    Watch {
        ticket: Ticket,
        caller: Caller,
        job: Option<JobId>,
        watcher: Watcher,
    },
    /// Somebody answers what a person is asked for background jobs, from now on.
    Agent {
        ticket: Ticket,
        caller: Caller,
        who: PresenceId,
        watcher: AgentWatcher,
    },
    /// Somebody deals with the questions of this job itself, from now on.
    Attend {
        ticket: Ticket,
        caller: Caller,
        who: PresenceId,
        job: JobId,
    },
    /// Somebody else, or nobody, is to be asked about the certificates of the job's servers.
    Certificates {
        ticket: Ticket,
        caller: Caller,
        job: JobId,
        change: Change,
    },
    /// Somebody hears the notifications of this job, from now on.
    Callback {
        ticket: Ticket,
        caller: Caller,
        who: PresenceId,
        job: JobId,
    },
    /// An agent, attendant or callback has gone.
    Left {
        who: PresenceId,
    },
    /// The conditions under which jobs run are others.
    Conditions(Conditions),
    /// Another key is to seal the credentials.
    Rotate {
        ticket: Ticket,
        rotation: Rotation,
    },
    /// Other rules hold from now on.
    Bounds(Box<Bounds>),
    /// The clock was set, or the machine has slept: it is another time than expected.
    ClockSet,
    Shutdown,
}

/// What the settings say of how many jobs run, when, and how fast.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    pub limits: Limits,
    /// At any time.
    pub rates: RateLimits,
    /// Besides, by the time of the week.
    pub timetable: Timetable,
}

/// The way in.
pub type Inputs = UnboundedSender<Input>;

/// Where a watcher's events go; what it is made of is the effect runner's business.
pub type Watcher = tokio::sync::mpsc::Sender<Notification>;

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum Notification {
    Job(Box<JobView>),
    Note {
        job: JobId,
        text: String,
    },
    /// These bytes of a file of a job on demand are on the disk for sure now.
    Ranges {
        job: JobId,
        file: FileIndex,
        ranges: Vec<Span>,
    },
}

/// What a worker needs for one attempt, with the secrets still sealed.
#[derive(Debug)]
pub struct SealedAssignment {
    pub job: JobId,
    pub owner: Owner,
    pub attempt: Attempt,
    pub priority: Priority,
    /// The files that are not whole, in their order.
    pub files: Vec<File>,
    pub secrets: Vec<SealedSecret>,
    /// Whether credentials among them were refused before and are not new.
    pub secret_refused: bool,
    /// The file on which the last attempt failed, if it was one.
    pub failed_file: Option<FileIndex>,
    pub http: HttpOptions,
    pub transfer: TransferOptions,
    /// How often something was asked for of the files, in a job on demand.
    pub demands: u32,
    /// What the job has downloaded already.
    pub downloaded: Bytes,
    pub environment: Environment,
}

/// What is to be told of a job, with the secret still sealed.
#[derive(Debug)]
pub struct SealedTelling {
    /// The job as it is now, which may have gone on since.
    pub view: Box<JobView>,
    pub notice: Notice,
    pub secret: Option<SealedSecret>,
}

/// Carries out what was decided. It decides nothing, and never blocks.
pub trait EffectRunner: Send {
    fn answer(&mut self, ticket: Ticket, answer: Result<Response, Refusal>);

    /// Lets a worker begin.
    ///
    /// # Errors
    /// When the secrets cannot be opened: the attempt has failed before it began.
    fn begin(&mut self, assignment: SealedAssignment) -> Result<(), JobError>;

    /// Whether the key is there that opens credentials.
    fn has_key(&self) -> bool;
    fn stop(&mut self, job: JobId, attempt: Attempt);
    fn recorded(&mut self, job: JobId, attempt: Attempt, file: FileIndex);
    /// Tells what more is asked for of a job on demand.
    fn asked(&mut self, job: JobId, attempt: Attempt, demands: u32, asked: Asked);
    /// Tells the owner of a job what has become of it.
    ///
    /// # Errors
    /// When the secret cannot be opened: this try has failed.
    fn tell_owner(&mut self, telling: SealedTelling) -> Result<(), String>;

    /// Tells how fast a running job may be now. Where no byte moves there is nothing to tell.
    fn rate(&mut self, _job: JobId, _attempt: Attempt, _priority: Priority, _limit: Option<Rate>) {}
    fn finalize(&mut self, job: JobId, files: Vec<ClosingFile>, environment: Environment);
    fn discard(&mut self, job: JobId, files: Vec<ClosingFile>);

    /// Tells how many connections there may be, in all and to one server.
    fn connection_limits(&mut self, _total: usize, _host: usize) {}

    /// Tells how fast jobs may be together now.
    fn rate_limits(&mut self, _limits: RateLimits) {}

    /// Takes note of how long a commit took, and whether it succeeded.
    fn committed(&mut self, _took: Duration, _is_written: bool) {}

    /// Changes who is asked about the certificates of the job's servers.
    fn change_certificates(&mut self, job: JobId, change: Change);

    /// Adds a watcher of one job, or of all jobs of `owner`.
    fn watch(&mut self, owner: Owner, job: Option<JobId>, watcher: Watcher);
    fn is_watched(&self, owner: Owner, job: JobId) -> bool;
    fn notify(&mut self, owner: Owner, job: JobId, notification: Notification);
}

/// What time it is.
pub trait Clock: Sync {
    fn now(&self) -> Timestamp;

    /// How long the machine runs, asleep or not: what no setting of the clock changes. Without it only
    /// a clock that is set back is noticed.
    fn running(&self) -> Option<Duration> {
        None
    }

    /// How far the local clock is ahead of UTC at a moment, in seconds.
    fn local_offset(&self, _at: Timestamp) -> i32 {
        0
    }
}

/// All of the loop but the waiting: whoever has inputs and a clock can run it, [`run`] with a
/// thread, the simulation with a clock of its own.
pub struct Engine<'a> {
    queue: Queue,
    store: &'a mut dyn Store,
    clock: &'a dyn Clock,
    effects: &'a mut dyn EffectRunner,
    agents: Agents,
    /// What is to be taken in before anything new.
    backlog: VecDeque<queue::Input>,
    /// No commit before this, after one has failed.
    paused_until: Option<Timestamp>,
    /// When the store is to do the work that it has left.
    settle_at: Option<Timestamp>,
    /// When the last turn was, by which it shows that the clock was set back.
    last_turn: Timestamp,
    /// How long the machine ran then.
    last_running: Option<Duration>,
    forget_at: Timestamp,
    /// When jobs are looked for that nobody has cared for.
    purge_at: Timestamp,
    /// Up to where they have been looked at, when they are too many for a turn.
    purge_after: Option<(Timestamp, JobId)>,
    /// How the clock was set, where what is written is not all moved along yet.
    moves: VecDeque<Move>,
    /// How far the jobs are taken over that an earlier service has left.
    loading: Loading,
    /// What the log is still to be told.
    untold: Vec<changes::Change>,
    /// Why the engine cannot go on.
    failure: Option<StoreError>,
    bounds: Bounds,
    /// What its timetable said when it was looked at last.
    moment: Moment,
    looked_at: Timestamp,
}

/// What one turn has decided, and what it owes.
struct Turn {
    decision: Decision,
    /// Requests of this turn: who must hear if it cannot be committed.
    tickets: Vec<Ticket>,
    /// Those of them that are answered without the job.
    unshown: BTreeSet<Ticket>,
    /// Reports of this turn: what must not be lost if it cannot be committed.
    reports: Vec<queue::Input>,
    /// Questions, answered from what is committed, and changes of the key, made to it.
    queries: Vec<Input>,
    /// Jobs that are shown otherwise than before though nothing is written: more bytes have come, or
    /// they wait for something else.
    shown: BTreeSet<JobId>,
    /// What the log is told once it is committed.
    changes: Vec<changes::Change>,
    /// What was to be moved along with the clock when the turn began.
    moves: VecDeque<Move>,
    /// When jobs were to be looked for then that nobody has cared for, and up to where they had been.
    purge: (Timestamp, Option<(Timestamp, JobId)>),
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl<'a> Engine<'a> {
    /// Takes over what an earlier service has left in `store`, and does what follows from it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn start(
        store: &'a mut dyn Store,
        clock: &'a dyn Clock,
        effects: &'a mut dyn EffectRunner,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let mut queue = Queue::new(limits);
        let mut decision = Decision::default();
        let mut told = Vec::new();
        store.unfinished(&mut |job| {
            let (id, before) = (job.id, changes::Before::of(&job));
            queue.adopt(job, now, &mut decision);
            if let Some(after) = decision.job(id) {
                told.extend(changes::Change::between(Some(before), after, changes::START));
            }
        })?;
        store.owners(&mut |owner, jobs| queue.counts(owner, jobs))?;
        store.commit(&decision.take_batch())?;
        told.iter().for_each(changes::Change::tell);
        // So that there is something to run at once, and a queue that cannot be read is no start.
        let loading = Loading::begin(store, &mut queue)?;
        let mut engine = Self {
            queue,
            store,
            clock,
            effects,
            agents: Agents::default(),
            backlog: VecDeque::new(),
            paused_until: None,
            settle_at: None,
            last_turn: now,
            last_running: clock.running(),
            forget_at: now,
            purge_at: now + PATIENCE_WITH_CLOCK,
            purge_after: None,
            moves: VecDeque::new(),
            loading,
            untold: Vec::new(),
            failure: None,
            bounds: Bounds { limits, ..Bounds::default() },
            moment: Moment::default(),
            looked_at: now,
        };
        let (due, _) = decision.into_effects();
        engine.run_effects(due, &BTreeSet::new(), &Batch::default());
        Ok(engine)
    }

    /// Takes in `batch` and what time has brought: decides, commits, then acts. Not
    /// [`Input::Shutdown`], which is for whoever receives.
    pub fn turn(&mut self, batch: Vec<Input>) {
        self.tell_log();
        let mut turn = self.decide(batch);

        // Commit, then act. A commit that fails undoes its own changes in memory; whoever waits is
        // told so, and what a worker reported is kept to be taken in again.
        let batch = turn.decision.take_batch();
        let began = Instant::now();
        let committed = self.store.commit(&batch);
        if !batch.is_empty() {
            self.effects.committed(began.elapsed(), committed.is_ok());
        }
        match committed {
            Ok(()) => self.act(turn, &batch),
            Err(error) => self.give_up(turn, &error),
        }
        if self.settle_at.is_none() && !self.store.is_settled() {
            self.settle_at = Some(self.clock.now() + SETTLED_AFTER);
        }
    }

    /// Has the store do the work that it has left, some time after the first of it: to be asked for when whoever
    /// waited has been answered.
    pub fn settle(&mut self) {
        let Some(at) = self.settle_at else { return };
        if self.store.is_settled() {
            self.settle_at = None;
            return;
        }
        let now = self.clock.now();
        // A clock that was set back is no reason to wait for long.
        let is_due = at <= now || at.since(now) > PAUSE_AFTER_FAILED_COMMIT;
        if is_due && let Err(error) = self.store.settle() {
            tracing::warn!(%error, "new jobs are on the disk and not yet in the database");
            self.settle_at = Some(now + PAUSE_AFTER_FAILED_COMMIT);
        } else if is_due {
            self.settle_at = None;
        }
    }

    /// How long there is nothing to do when nothing comes in.
    pub fn until_next_wake(&self) -> Duration {
        let now = self.clock.now();
        let wake = if let Some(until) = self.paused_until {
            return until.since(now).min(PAUSE_AFTER_FAILED_COMMIT);
        } else if !self.backlog.is_empty()
            || !self.moves.is_empty()
            || !self.loading.is_done()
            || self.queue.next_runnable().is_some()
            || self.queue.next_attention().is_some()
        {
            return Duration::ZERO;
        } else {
            let tidy = self.forget_at.min(self.purge_at);
            let wakes = self.queue.next_wake().into_iter().chain(self.moment.until);
            wakes.chain(self.settle_at).chain([tidy]).min().expect("there is one at least")
        };
        wake.since(now)
    }

    fn decide(&mut self, batch: Vec<Input>) -> Turn {
        let now = self.clock.now();
        if let Some(change) = self.clock_change(now) {
            self.clock_was_set(change, now);
        }
        let mut turn = Turn {
            decision: Decision::default(),
            tickets: Vec::new(),
            unshown: BTreeSet::new(),
            reports: Vec::new(),
            queries: Vec::new(),
            shown: BTreeSet::new(),
            changes: Vec::new(),
            moves: self.moves.clone(),
            purge: (self.purge_at, self.purge_after),
        };
        // Before any job is touched: what is undone with this turn is put back to where it stood under them.
        let (ruling, batch): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|input| matches!(input, Input::Conditions(_) | Input::Bounds(_)));
        for input in ruling {
            match input {
                Input::Conditions(conditions) => {
                    turn.shown.extend(self.queue.change_conditions(conditions, now, SHOWN_MAX));
                }
                Input::Bounds(bounds) => self.set_bounds(*bounds, now, &mut turn),
                _ => unreachable!("they were parted by that"),
            }
        }
        self.last_turn = now;
        let paused = self.paused_until.is_some_and(|until| until > now);
        if !paused {
            self.paused_until = None;
            self.load(now, &mut turn);
            self.move_stamps(now, &mut turn);
            for input in std::mem::take(&mut self.backlog) {
                self.take_in(input, now, &mut turn);
            }
        }
        for input in batch {
            match input {
                // A store that could not write is left alone for a moment; a report keeps.
                Input::Queue(input @ queue::Input::Report { .. }) if paused => self.backlog.push_back(input),
                Input::Queue(input) => self.take_in(input, now, &mut turn),
                Input::Create(new) => self.create(new, now, &mut turn),
                Input::Left { who } => self.agent_left(who),
                Input::Conditions(_) | Input::Bounds(_) => unreachable!("they came first"),
                Input::ClockSet => {}
                query => {
                    if let Input::Agent { caller, who, .. } = &query {
                        self.agent_came(*caller, *who, now, &mut turn);
                    }
                    turn.queries.push(query);
                }
            }
        }
        self.look_at_timetable(now, &mut turn);
        if !paused {
            self.let_time_pass(now, &mut turn);
        }
        turn
    }

    fn set_bounds(&mut self, bounds: Bounds, now: Timestamp, turn: &mut Turn) {
        turn.shown.extend(self.queue.set_limits(bounds.limits, SHOWN_MAX));
        self.effects.connection_limits(bounds.limits.connections_max, bounds.limits.host_connections_max);
        self.bounds = bounds;
        self.take_moment(now, turn);
    }

    /// Takes over what the timetable says, when it may say something else than before.
    fn look_at_timetable(&mut self, now: Timestamp, turn: &mut Turn) {
        let is_over = self.moment.until.is_some_and(|until| until <= now);
        // A clock that was set has its own idea of what is over.
        if is_over || now < self.looked_at {
            self.take_moment(now, turn);
        }
    }

    fn take_moment(&mut self, now: Timestamp, turn: &mut Turn) {
        let clock = self.clock;
        let moment = self.bounds.timetable.at(now, &|at| clock.local_offset(at));
        let before = std::mem::replace(&mut self.moment, moment);
        self.looked_at = now;
        let mut limits = self.bounds.rates.clone();
        limits.together.extend(self.moment.limits());
        self.effects.rate_limits(limits);
        let stopped = self.moment.stopped;
        if stopped != before.stopped {
            tracing::info!(?stopped, "what may run has changed");
            self.queue.set_stopped(stopped);
            let is_other =
                |priority: Priority| stopped[priority as usize] != before.stopped[priority as usize];
            turn.shown.extend(self.queue.waiting_of(is_other, SHOWN_MAX));
        }
    }

    fn let_time_pass(&mut self, now: Timestamp, turn: &mut Turn) {
        for _ in 0..INPUTS_PER_BATCH {
            let Some(job) = self.queue.next_due(now) else { break };
            self.take_in(queue::Input::Due { job }, now, turn);
        }
        for _ in 0..INPUTS_PER_BATCH {
            let Some((job, number)) = self.queue.next_notice(now) else { break };
            self.take_in(queue::Input::Tell { job, number }, now, turn);
        }
        for _ in 0..INPUTS_PER_BATCH {
            let Some(job) = self.queue.next_attention() else { break };
            turn.shown.insert(job);
            self.take_in(queue::Input::Attend { job }, now, turn);
        }
        for _ in 0..INPUTS_PER_BATCH {
            let Some(job) = self.queue.next_halt() else { break };
            self.take_in(queue::Input::Halt { job }, now, turn);
        }
        for _ in 0..INPUTS_PER_BATCH {
            let Some(job) = self.queue.next_runnable() else {
                let Some(job) = self.queue.next_yield(now) else { break };
                self.take_in(queue::Input::Yield { job }, now, turn);
                continue;
            };
            if self.lacks_key(job, turn) {
                turn.shown.insert(job);
                self.take_in(queue::Input::Hold { job }, now, turn);
            } else {
                self.take_in(queue::Input::Grant { job }, now, turn);
            }
        }
        if self.purge_at <= now {
            self.purge(now, turn);
        }
        if self.forget_at <= now {
            self.forget_at = now + FORGET_INTERVAL;
            let before = Timestamp(now.0.saturating_sub(FINAL_JOBS_KEPT.as_millis() as u64));
            match self.store.forget_final(before) {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "final jobs forgotten"),
                Err(error) => tracing::warn!(%error, "final jobs could not be forgotten"),
            }
        }
    }

    /// Whether `job` could not begin, as the key to its secrets is not there. One whose
    /// secrets are changed by this very turn begins, and what is stored then decides.
    fn lacks_key(&mut self, job: JobId, turn: &Turn) -> bool {
        !self.effects.has_key()
            && !turn.decision.changes_secrets(job)
            && self.store.secrets(job).is_ok_and(|secrets| !secrets.is_empty())
    }

    fn take_in(&mut self, input: queue::Input, now: Timestamp, turn: &mut Turn) {
        if let queue::Input::Report { job, report: Report::Progress { attempt, file, transferred } } = input {
            if self.queue.progressed(job, attempt, file, transferred) {
                turn.shown.insert(job);
            }
            return;
        }
        let id = input.job();
        if !self.moves.is_empty() && !matches!(input, queue::Input::ClockSet { .. }) {
            self.move_along(id, now, turn);
        }
        let job = match turn.decision.job(id) {
            Some(job) => Ok(Some(job.clone())),
            None => self.store.job(id),
        };
        self.take_in_with(input, job, now, turn);
    }

    /// Takes in `input`, which is about `job`.
    fn take_in_with(
        &mut self,
        input: queue::Input,
        job: Result<Option<Job>, StoreError>,
        now: Timestamp,
        turn: &mut Turn,
    ) {
        let id = input.job();
        if let Ok(Some(job)) = &job
            && let Some((ticket, refusal)) = self.comes_too_late(&input, job, turn)
        {
            return self.effects.answer(ticket, Err(refusal));
        }
        match (self.with_destinations(job, &input, turn), input) {
            (Ok(job), input) => {
                match &input {
                    queue::Input::Request { ticket, .. } => turn.tickets.push(*ticket),
                    queue::Input::Report { .. } => turn.reports.push(input.clone()),
                    queue::Input::Grant { .. }
                    | queue::Input::Hold { .. }
                    | queue::Input::Yield { .. }
                    | queue::Input::Halt { .. }
                    | queue::Input::Due { .. }
                    | queue::Input::Attend { .. }
                    | queue::Input::ClockSet { .. }
                    | queue::Input::Abandoned { .. }
                    | queue::Input::Tell { .. }
                    | queue::Input::Offer { .. } => {}
                }
                let (before, cause) = (job.as_ref().map(changes::Before::of), changes::cause(&input));
                self.queue.handle(input, job, now, &mut turn.decision);
                if let Some(after) = turn.decision.job(id) {
                    turn.changes.extend(changes::Change::between(before, after, cause));
                }
            }
            (Err(error), queue::Input::Request { ticket, .. }) => {
                self.effects.answer(ticket, Err(not_written(&error)));
            }
            (Err(error), input) => {
                tracing::error!(%error, job = %id, "the queue could not be read");
                if matches!(input, queue::Input::Report { .. }) {
                    self.backlog.push_back(input);
                }
                self.paused_until = Some(now + PAUSE_AFTER_FAILED_COMMIT);
            }
        }
    }

    /// Tells the turn where files of the job go already, when `input` adds some to it.
    fn with_destinations(
        &mut self,
        job: Result<Option<Job>, StoreError>,
        input: &queue::Input,
        turn: &mut Turn,
    ) -> Result<Option<Job>, StoreError> {
        if let Ok(Some(job)) = &job
            && job.files_total > 0
            && let queue::Input::Request { request: Request::AddFiles { files, .. }, .. } = input
        {
            let wanted: Vec<_> = files.iter().map(|file| file.destination).collect();
            turn.decision.bring_destinations(job.id, self.store.destinations_taken(job.id, &wanted)?);
        }
        job
    }

    /// Whether `input` finds a file wrong that is not whole any more: two may have found so at once,
    /// and the second must not count.
    fn comes_too_late(&mut self, input: &queue::Input, job: &Job, turn: &Turn) -> Option<(Ticket, Refusal)> {
        let queue::Input::Request { ticket, caller, request } = input else { return None };
        let &Request::SetValidation { job: id, file, valid: false } = request else { return None };
        if job.state.is_final() || access::check(*caller, job).is_err() {
            return None;
        }
        let found = match self.store.files(id, file, 1) {
            Ok(found) => found.into_iter().find(|found| found.index == file),
            Err(error) => return Some((*ticket, not_written(&error))),
        };
        match found.map(|found| found.stage) {
            None => Some((*ticket, Refusal::NoSuchFile { id, index: file.0 })),
            Some(Stage::Transferred) if !turn.decision.loses(id, file) => None,
            Some(_) => Some((*ticket, Refusal::FilePending { id, index: file.0 })),
        }
    }

    /// Does what follows from `turn`, of which `written` is committed.
    fn act(&mut self, turn: Turn, written: &Batch) {
        let (effects, again) = turn.decision.into_effects();
        self.backlog.extend(again);
        self.untold.extend(turn.changes);
        // Where nothing else is to be done nobody waits for the log.
        if !effects.iter().all(|effect| matches!(effect, Effect::Answer { .. })) {
            self.tell_log();
        }
        self.run_effects(effects, &turn.unshown, written);
        let mut shown = turn.shown;
        for JobChange { job, .. } in &written.jobs {
            shown.remove(&job.id);
            if job.state.is_final() {
                self.effects.change_certificates(job.id, Change::Remove(None));
            }
            self.tell_watchers(job, written);
        }
        for id in shown {
            match self.store.job(id) {
                Ok(Some(job)) => self.tell_watchers(&job, written),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, job = %id, "watchers could not be told"),
            }
        }
        for query in turn.queries {
            self.answer_query(query);
        }
        self.tell_agents();
    }

    /// Has the log hear what was written, of which nobody waits to read.
    fn tell_log(&mut self) {
        self.untold.drain(..).for_each(|change| change.tell());
    }

    /// Undoes a turn that could not be committed.
    fn give_up(&mut self, turn: Turn, error: &StoreError) {
        tracing::error!(%error, "the queue could not be written");
        for ticket in turn.tickets {
            self.effects.answer(ticket, Err(not_written(error)));
        }
        self.queue.revert(turn.decision);
        self.backlog.extend(turn.reports);
        self.moves = turn.moves;
        (self.purge_at, self.purge_after) = turn.purge;
        self.paused_until = Some(self.clock.now() + PAUSE_AFTER_FAILED_COMMIT);
        for query in turn.queries {
            self.answer_query(query);
        }
    }

    /// Changes the key: every record and the key's name in one transaction, before anything else is
    /// sealed or opened.
    fn rotate(&mut self, ticket: Ticket, rotation: Rotation) {
        let key = rotation.key();
        let rekeyed = self.store.rekey(key, &mut |job, owner, sealed| rotation.rewrap(job, owner, sealed));
        let answer = match rekeyed {
            Ok(()) => {
                tracing::info!(key = %key.id, "the key that seals credentials was changed");
                if let Some(notice) = rotation.finish() {
                    tracing::warn!("{notice}");
                }
                Ok(Response::Done)
            }
            Err(RekeyError::Seal { job, error }) => {
                rotation.abandon();
                let reason = format!(
                    "a secret of the job {job} cannot be opened ({error}); remove it or set it again first"
                );
                Err(Refusal::KeyNotChanged { reason })
            }
            // Both keys are kept: what has reached the disk shows when the store is opened again.
            Err(RekeyError::Store(error)) => {
                tracing::error!(%error, "the key that seals credentials could not be changed");
                Err(not_written(&error))
            }
        };
        self.effects.answer(ticket, answer);
    }
}

fn not_written(error: &StoreError) -> Refusal {
    Refusal::NotWritten { code: error.code(), reason: error.to_string() }
}
