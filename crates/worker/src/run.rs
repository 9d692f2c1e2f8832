//! The worker's loop: takes messages, carries them out, job by job.
//!
//! What concerns one job is done one after the other; jobs do not wait for each other. A stop is
//! heard at once. Whatever goes wrong in here, even a mistake of ours, ends in an answer.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::{BootId, ClosingFile, FileIndex, LocalName};
use bits_core::http_options::ProxyEnvironment;
use bits_core::job::{Attempt, Environment, JobId};
use bits_core::pacing::Politeness;
use bits_core::pacing::gate::RateLimits;
use bits_core::queue::{Asked, Limits, Report};
use bits_core::time::Timestamp;
use bits_core::transfer::PartsRules;
use bits_core::units::Bytes;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::attempt::{Heard, Line, Surroundings, carry_out};
use crate::certificates::Certificates;
use crate::closing;
use crate::http::{
    ConnectionLimits, Http2, HttpSettings, Slots, Timeouts, TlsTrust, UserAgent, UserAgentError,
};
use crate::link::{
    Assignment, CheckOptions, CheckTicket, DestinationRefusal, FromWorker, Telling, ToWorker, WorkerEnd,
};
use crate::nearby::Nearby;
use crate::notify::{self, CommandSettings};
use crate::pacing::{Pacing, Rates};
use crate::sink::{blocking, briefly_blocking};
use crate::tally::Tallies;
use crate::volumes::Volumes;

/// What can be set about a worker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For each address of a host to take a connection, and for TLS to be agreed on.
    pub connect_timeout: Duration,
    /// For the head of an answer after the request was sent.
    pub response_timeout: Duration,
    /// For the next byte of a body.
    pub idle_timeout: Duration,
    /// A PEM file with authorities to be trusted beside those of the system.
    pub extra_ca: Option<PathBuf>,
    /// A file of lists of revoked certificates, PEM or DER, beside those that certificates name.
    pub crl: Option<PathBuf>,
    /// What we call ourselves; when empty `OpenBITS/` and our version.
    pub user_agent: String,
    /// How background jobs behave towards others; `None`: like everybody else.
    pub politeness: Option<Politeness>,
    /// The proxies of jobs that name none and whose owner's environment names none.
    pub proxies: ProxyEnvironment,
    /// The largest file that comes into memory as a whole, to be stored together with others; none
    /// when each is to be written as it comes.
    pub gathered_bytes_max: Option<Bytes>,
    /// Whether HTTP/2 is spoken with servers.
    pub http2: Http2,
    /// How the commands of owners are run.
    pub commands: CommandSettings,
    /// How fast jobs may be together.
    pub rate_limits: RateLimits,
    /// Connections at a time, in all and to one server.
    pub connections_max: usize,
    pub host_connections_max: usize,
    pub parts: PartsSettings,
}

/// How far files come in parts.
#[derive(Debug, Clone, Copy)]
pub struct PartsSettings {
    /// Connections for one file at a time at most.
    pub most: u8,
    /// The same to one server, for jobs that are not after all the speed there is.
    pub of_one_server: u8,
    /// The least size of a file that comes in parts.
    pub bytes_min: Bytes,
}

impl Default for PartsSettings {
    fn default() -> Self {
        Self { most: 4, of_one_server: 1, bytes_min: Bytes(64 * 1024 * 1024) }
    }
}

impl PartsSettings {
    /// For a job, which may be after all the speed there is (`HIGH_PERFORMANCE`, `bits.md` §1.6).
    pub(crate) fn rules(self, high_performance: bool) -> Option<PartsRules> {
        let Self { most, of_one_server, bytes_min } = self;
        let of_one_server = if high_performance { most } else { of_one_server };
        (most > 1).then_some(PartsRules { most, of_one_server, bytes_min })
    }
}

/// What the system reads at once; larger files gain nothing by being gathered.
const GATHERED_BYTES_MAX: Bytes = Bytes(64 * 1024);

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            extra_ca: None,
            crl: None,
            user_agent: String::new(),
            politeness: Some(Politeness::default()),
            proxies: ProxyEnvironment::default(),
            gathered_bytes_max: Some(GATHERED_BYTES_MAX),
            http2: Http2::default(),
            commands: CommandSettings::default(),
            rate_limits: RateLimits::default(),
            connections_max: Limits::default().connections_max,
            host_connections_max: Limits::default().host_connections_max,
            parts: PartsSettings::default(),
        }
    }
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the system does not say which boot this is")]
    Boot(#[source] std::io::Error),
    #[error("the user agent `{text}` cannot be sent")]
    UserAgent { text: String, source: UserAgentError },
}

/// A worker that has not begun.
#[derive(Debug)]
pub struct Worker {
    around: Surroundings,
}

impl Worker {
    /// A worker in this boot of the machine.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        Self::in_boot(settings, bits_platform::boot::current().map_err(SetupError::Boot)?)
    }

    /// A worker that takes this for the boot of the machine.
    ///
    /// # Errors
    /// [`SetupError::UserAgent`].
    pub fn in_boot(settings: Settings, boot: BootId) -> Result<Self, SetupError> {
        let user_agent = match settings.user_agent.as_str() {
            "" => UserAgent::default(),
            text => UserAgent::parse(text)
                .map_err(|source| SetupError::UserAgent { text: settings.user_agent.clone(), source })?,
        };
        let timeouts = Timeouts {
            connect: settings.connect_timeout,
            response_head: settings.response_timeout,
            read_idle: settings.idle_timeout,
        };
        let slots = Slots::new(ConnectionLimits {
            total: settings.connections_max,
            host: settings.host_connections_max,
        });
        let (foreground_pool, background_pool) = (slots.pool(), slots.pool());
        let volumes = Volumes::default();
        let around = Surroundings {
            boot,
            slots,
            http: Arc::new(HttpSettings { timeouts, user_agent, http2: settings.http2 }),
            trust: Arc::new(TlsTrust::new(settings.extra_ca, settings.crl)),
            foreground_pool,
            background_pool,
            pacing: Pacing::new(settings.politeness),
            rates: Rates::new(settings.rate_limits),
            proxies: settings.proxies,
            gathered_bytes_max: settings.gathered_bytes_max,
            tallies: Tallies::default(),
            nearby: Nearby::new(volumes.clone()),
            volumes,
            commands: Arc::new(settings.commands),
            parts: settings.parts,
        };
        Ok(Self { around })
    }

    /// What keeps its transfers polite.
    pub fn pacing(&self) -> Pacing {
        self.around.pacing.clone()
    }

    /// Where whoever asks may look at destinations itself.
    pub fn nearby(&self) -> Nearby {
        self.around.nearby.clone()
    }

    /// Works until the broker hangs up; then what is under way is stopped and brought home.
    pub async fn run(self, link: WorkerEnd) {
        let WorkerEnd { mut from_broker, to_broker } = link;
        let mut desk = Desk::new(self.around, to_broker);
        loop {
            tokio::select! {
                message = from_broker.recv() => match message {
                    Some(message) => desk.take(message),
                    None => break,
                },
                Some(ended) = desk.tasks.join_next_with_id() => desk.ended(ended),
            }
        }
        desk.stop_all();
        while let Some(ended) = desk.tasks.join_next_with_id().await {
            desk.ended(ended);
        }
    }
}

/// What a job waits for.
#[derive(Debug)]
enum Order {
    Begin { assignment: Box<Assignment>, heard: Heard, stop: CancellationToken },
    Finalize { files: Vec<ClosingFile>, environment: Environment },
    Discard { files: Vec<ClosingFile> },
}

/// What is done for one job, and what waits behind it.
#[derive(Debug, Default)]
struct JobDesk {
    waiting: VecDeque<Order>,
    /// The attempts that were begun and are not over.
    attempts: Vec<Handle>,
}

/// The means to speak to an attempt that goes on, or waits to.
#[derive(Debug)]
struct Handle {
    attempt: Attempt,
    stop: CancellationToken,
    record: UnboundedSender<FileIndex>,
    ask: UnboundedSender<(u32, Asked)>,
}

/// What a task was for, to be answered when it does not do so itself.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Attempt(JobId, Attempt),
    Finalize(JobId),
    Discard(JobId),
    Check(CheckTicket),
    Tell(JobId, u32),
}

impl Purpose {
    fn job(self) -> Option<JobId> {
        match self {
            Self::Attempt(job, _) | Self::Finalize(job) | Self::Discard(job) => Some(job),
            // Nothing else waits for these.
            Self::Check(_) | Self::Tell(..) => None,
        }
    }
}

/// Where messages become tasks.
struct Desk {
    around: Surroundings,
    to_broker: UnboundedSender<FromWorker>,
    certificates: Certificates,
    jobs: HashMap<JobId, JobDesk>,
    tasks: JoinSet<()>,
    purposes: HashMap<Id, Purpose>,
    /// Stops what tells owners of their jobs.
    stop: CancellationToken,
}

impl Desk {
    fn new(around: Surroundings, to_broker: UnboundedSender<FromWorker>) -> Self {
        let certificates = Certificates::new(to_broker.clone());
        let (jobs, tasks, purposes) = (HashMap::new(), JoinSet::new(), HashMap::new());
        let stop = CancellationToken::new();
        Self { around, to_broker, certificates, jobs, tasks, purposes, stop }
    }

    fn take(&mut self, message: ToWorker) {
        match message {
            ToWorker::Begin(assignment) => {
                let (job, attempt) = (assignment.job, assignment.attempt);
                let (record, recorded) = unbounded_channel();
                let (ask, asked) = unbounded_channel();
                let stop = CancellationToken::new();
                let order = Order::Begin { assignment, heard: Heard { recorded, asked }, stop: stop.clone() };
                self.jobs.entry(job).or_default().attempts.push(Handle { attempt, stop, record, ask });
                self.put(job, order);
            }
            ToWorker::Stop { job, attempt } => {
                if let Some(handle) = self.handle(job, attempt) {
                    handle.stop.cancel();
                }
            }
            ToWorker::Recorded { job, attempt, file } => {
                if let Some(handle) = self.handle(job, attempt) {
                    // Nobody listens when the attempt is just ending.
                    let _ = handle.record.send(file);
                }
            }
            ToWorker::Asked { job, attempt, demands, asked } => {
                if let Some(handle) = self.handle(job, attempt) {
                    // An attempt that is just ending says of how much it has heard.
                    let _ = handle.ask.send((demands, asked));
                }
            }
            ToWorker::Rate { job, attempt, priority, limit } => {
                let waiting = self.jobs.get_mut(&job).into_iter().flat_map(|desk| &mut desk.waiting);
                let mut begins = waiting.filter_map(|order| match order {
                    Order::Begin { assignment, .. } if assignment.attempt == attempt => Some(assignment),
                    _ => None,
                });
                if let Some(assignment) = begins.next() {
                    (assignment.priority, assignment.transfer.rate_limit) = (priority, limit);
                } else if self.handle(job, attempt).is_some() {
                    self.around.rates.set_job(job, priority, limit);
                }
            }
            ToWorker::ConnectionLimits { total, host } => {
                self.around.slots.set_limits(ConnectionLimits { total, host });
            }
            ToWorker::RateLimits(limits) => self.around.rates.set_limits(limits),
            ToWorker::Finalize { job, files, environment } => {
                self.put(job, Order::Finalize { files, environment });
            }
            ToWorker::Discard { job, files } => self.put(job, Order::Discard { files }),
            ToWorker::Check { ticket, names, options } => self.check(ticket, names, options),
            ToWorker::Tell(telling) => self.tell(*telling),
            ToWorker::CertificateAnswer { ticket, verdict } => self.certificates.answered(ticket, verdict),
        }
    }

    fn handle(&self, job: JobId, attempt: Attempt) -> Option<&Handle> {
        self.jobs.get(&job)?.attempts.iter().find(|handle| handle.attempt == attempt)
    }

    fn put(&mut self, job: JobId, order: Order) {
        self.jobs.entry(job).or_default().waiting.push_back(order);
        let is_busy = self.purposes.values().any(|purpose| purpose.job() == Some(job));
        if !is_busy {
            self.start_next(job);
        }
    }

    fn start_next(&mut self, job: JobId) {
        let Some(desk) = self.jobs.get_mut(&job) else { return };
        let Some(order) = desk.waiting.pop_front() else {
            self.jobs.remove(&job);
            return;
        };
        let to_broker = self.to_broker.clone();
        let (purpose, task) = match order {
            Order::Begin { assignment, heard, stop } => {
                let attempt = assignment.attempt;
                let line = Line::new(job, attempt, to_broker, heard, stop, system_time());
                // Before it begins, so that no change comes too early.
                let Assignment { owner, priority, transfer, .. } = &*assignment;
                let rate = self.around.rates.enter(job, *owner, *priority, transfer.rate_limit);
                let work = carry_out(*assignment, self.around.clone(), self.certificates.clone(), rate, line);
                (Purpose::Attempt(job, attempt), self.tasks.spawn(work))
            }
            Order::Finalize { files, environment } => {
                let work = async move {
                    let done = blocking(move || closing::finalize(job, &files, &environment)).await;
                    let report = Report::Finalized { files: done.files, lost: done.lost, error: done.error };
                    let _ = to_broker.send(FromWorker::Report { job, report });
                };
                (Purpose::Finalize(job), self.tasks.spawn(work))
            }
            Order::Discard { files } => {
                let work = async move {
                    let leftover = blocking(move || closing::discard(job, &files)).await;
                    let report = Report::Discarded { leftover };
                    let _ = to_broker.send(FromWorker::Report { job, report });
                };
                (Purpose::Discard(job), self.tasks.spawn(work))
            }
        };
        self.purposes.insert(task.id(), purpose);
    }

    fn check(&mut self, ticket: CheckTicket, names: Vec<LocalName>, options: CheckOptions) {
        let to_broker = self.to_broker.clone();
        let (volumes, nearby) = (self.around.volumes.clone(), self.around.nearby.clone());
        let task = self.tasks.spawn(async move {
            let look = move || closing::check(&names, options, &volumes, &nearby);
            let outcome = briefly_blocking(look).await;
            let _ = to_broker.send(FromWorker::Checked { ticket, outcome });
        });
        self.purposes.insert(task.id(), Purpose::Check(ticket));
    }

    fn tell(&mut self, telling: Telling) {
        let (job, number) = (telling.job, telling.number);
        let (around, stop, to_broker) = (self.around.clone(), self.stop.clone(), self.to_broker.clone());
        let task = self.tasks.spawn(async move {
            if let Some(report) = notify::tell(telling, &around, &stop).await {
                let _ = to_broker.send(FromWorker::Report { job, report });
            }
        });
        self.purposes.insert(task.id(), Purpose::Tell(job, number));
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, panicked) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), true),
        };
        let purpose = self.purposes.remove(&id).expect("each task has a purpose");
        if panicked {
            self.answer_for(purpose);
        }
        if let Purpose::Attempt(job, attempt) = purpose
            && let Some(desk) = self.jobs.get_mut(&job)
        {
            desk.attempts.retain(|handle| handle.attempt != attempt);
        }
        if let Some(job) = purpose.job() {
            self.start_next(job);
        }
    }

    /// A task has ended without an answer: a mistake of ours, which must not look like patience.
    fn answer_for(&self, purpose: Purpose) {
        const MESSAGE: &str = "the service has made a mistake with this job; its log says more";
        let error = JobError {
            code: Code::UNEXPECTED,
            context: ErrorContext::Unknown,
            transient: false,
            message: MESSAGE.to_owned(),
            file: None,
            challenge: None,
            retry_after_seconds: None,
        };
        tracing::error!(?purpose, "a task has panicked");
        let report = |job, report| FromWorker::Report { job, report };
        let answer = match purpose {
            Purpose::Attempt(job, attempt) => report(job, Report::Failed { attempt, error }),
            Purpose::Finalize(job) => {
                report(job, Report::Finalized { files: Vec::new(), lost: Vec::new(), error: Some(error) })
            }
            Purpose::Discard(job) => report(job, Report::Discarded { leftover: Some(MESSAGE.to_owned()) }),
            Purpose::Tell(job, number) => {
                report(job, Report::Told { number, outcome: Err(MESSAGE.to_owned()) })
            }
            Purpose::Check(ticket) => FromWorker::Checked {
                ticket,
                outcome: Err(DestinationRefusal { code: error.code, message: error.message }),
            },
        };
        let _ = self.to_broker.send(answer);
    }

    fn stop_all(&mut self) {
        self.stop.cancel();
        for desk in self.jobs.values_mut() {
            desk.waiting.clear();
            for handle in &desk.attempts {
                handle.stop.cancel();
            }
        }
    }
}

fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default() + since
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link;

    #[tokio::test]
    async fn a_task_that_panics_still_answers() {
        let (broker, worker) = link::local();
        let mut from_worker = broker.from_worker;
        let settings = Settings::default();
        let around = Worker::in_boot(settings, BootId([7; 16])).unwrap().around;
        let mut desk = Desk::new(around, worker.to_broker);
        let job = JobId([1; 16]);
        for purpose in [
            Purpose::Attempt(job, Attempt(3)),
            Purpose::Finalize(job),
            Purpose::Discard(job),
            Purpose::Check(CheckTicket(4)),
            Purpose::Tell(job, 5),
        ] {
            let task = desk.tasks.spawn(async { panic!("a mistake") });
            desk.purposes.insert(task.id(), purpose);
            let ended = desk.tasks.join_next_with_id().await.expect("there is a task");
            desk.ended(ended);
            let answer = from_worker.recv().await.expect("there is an answer");
            let answered = match (purpose, answer) {
                (Purpose::Check(_), FromWorker::Checked { outcome, .. }) => outcome.is_err(),
                (
                    Purpose::Attempt(..),
                    FromWorker::Report { report: Report::Failed { attempt, error }, .. },
                ) => attempt == Attempt(3) && error.code == Code::UNEXPECTED && !error.transient,
                (
                    Purpose::Finalize(_),
                    FromWorker::Report { report: Report::Finalized { error, .. }, .. },
                ) => error.is_some(),
                (Purpose::Tell(..), FromWorker::Report { report: Report::Told { number, outcome }, .. }) => {
                    number == 5 && outcome.is_err()
                }
                (Purpose::Discard(_), FromWorker::Report { report: Report::Discarded { leftover }, .. }) => {
                    leftover.is_some()
                }
                _ => false,
            };
            assert!(answered, "{purpose:?}");
        }
        assert!(desk.purposes.is_empty());
    }
}
