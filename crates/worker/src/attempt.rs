//! One attempt to transfer what is missing of a job: its files one after another, the small ones
//! together.
//!
//! What comes of it is reported; whether and when there is another attempt is the broker's affair.

use std::collections::VecDeque;
use std::sync::Arc;

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::{BootId, File, FileIndex, Stage};
use bits_core::http_options::ProxyEnvironment;
use bits_core::job::{Attempt, JobId, Priority};
use bits_core::proxy::ProxyRules;
use bits_core::queue::{Asked, Report};
use bits_core::remote_name::RemoteName;
use bits_core::sources::Sources;
use bits_core::time::Timestamp;
use bits_core::transfer::{DownloadPlan, Outcome, Rules};
use bits_core::units::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::{KerberosEnvironment, Policy, ServiceName};
use crate::certificates::{CertificateCheck, Certificates};
use crate::closing::umask;
use crate::demand::OnDemand;
use crate::gathering::{Begun, Clients, Ended, Gatherer, gather};
use crate::http::{AttemptIdentity, Client, HttpSettings, OwnersWords, Pool, Slots, TlsOptions, TlsTrust};
use crate::link::{Assignment, FromWorker};
use crate::nearby::Nearby;
use crate::notify::CommandSettings;
use crate::pacing::{JobRate, Pacing, Rates, Waits};
use crate::parts::Teller;
use crate::run::PartsSettings;
use crate::sink::Sink;
use crate::tally::Tallies;
use crate::transfer::download;
use crate::volumes::Volumes;

/// What all attempts share.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) boot: BootId,
    pub(crate) http: Arc<HttpSettings>,
    pub(crate) trust: Arc<TlsTrust>,
    /// For jobs of foreground priority, and for the others: what one side has made is not as polite, or
    /// more polite, than the other is to be.
    pub(crate) foreground_pool: Pool,
    pub(crate) background_pool: Pool,
    pub(crate) pacing: Pacing,
    pub(crate) rates: Rates,
    pub(crate) slots: Slots,
    /// The proxies of the settings.
    pub(crate) proxies: ProxyEnvironment,
    /// The largest file that is gathered, if any is.
    pub(crate) gathered_bytes_max: Option<Bytes>,
    pub(crate) tallies: Tallies,
    pub(crate) volumes: Volumes,
    pub(crate) nearby: Nearby,
    pub(crate) commands: Arc<CommandSettings>,
    pub(crate) parts: PartsSettings,
}

/// Carries out `assignment`.
pub(crate) async fn carry_out(
    assignment: Assignment,
    around: Surroundings,
    certificates: Certificates,
    rate: Arc<JobRate>,
    mut line: Line,
) {
    let (attempt, failed_file) = (assignment.attempt, assignment.failed_file);
    let (transfer, downloaded, demands) = (assignment.transfer, assignment.downloaded, assignment.demands);
    let rules = rules(&assignment, around.parts);
    let umask = umask(assignment.environment.umask);
    let check = assignment.asks_about_certificates.then(|| CertificateCheck {
        certificates,
        job: assignment.job,
        attempt,
    });
    let waits = line.waits();
    let (files, client) = match client(assignment, &around, rate, waits) {
        Ok(ready) => ready,
        Err(error) => {
            line.report(Report::Failed { attempt, error });
            return;
        }
    };
    let mut clients = Clients::new(client.asking_about_certificates(check));
    let mut passing = PassingOver::new(transfer.keep_going);
    if transfer.on_demand {
        let work = OnDemand { files, demands, rules, bytes_max: transfer.max_download_size, downloaded };
        return work.carry_out(clients, passing, &around, &mut line).await;
    }
    let bytes_max = around.gathered_bytes_max.filter(|_| transfer.max_download_size.is_none());
    let may_gather = |file: &File| {
        bytes_max.is_some()
            && file.validator.is_none()
            && Some(file.index) != failed_file
            && file.ranges.is_all()
            && file.checksum.is_none()
            && file.sources == Sources::default()
            && file.remote_name.local_path().is_none()
    };
    let is_to_come = |file: &File| file.stage == Stage::Waiting && file.error.is_none();
    let mut files: VecDeque<File> = files.into_iter().filter(is_to_come).collect();
    while let Some(first) = files.front() {
        if line.stop().is_cancelled() {
            return;
        }
        if passing.skips(first) {
            files.pop_front();
            continue;
        }
        let begun = if may_gather(first) {
            let of = Gatherer {
                job: line.job,
                attempt,
                boot: around.boot,
                rules,
                umask,
                volumes: around.volumes.clone(),
                bytes_max: bytes_max.unwrap_or_default(),
            };
            let may_now = |file: &File| may_gather(file) && !passing.skips(file);
            match gather(&mut files, &mut clients, may_now, of, &mut line).await {
                Ended::Enough => continue,
                Ended::Large(begun) => Ok(*begun),
                Ended::Failed(error) => Err(Outcome::Failed(error)),
                Ended::Stopped => Err(Outcome::Stopped),
            }
        } else {
            let file = files.pop_front().expect("there is a file");
            Ok(Begun { client: clients.take(), file, plan: None, body: None })
        };
        let (file, outcome) = match begun {
            Ok(begun) => {
                // What is not used while a large file comes is for whoever waits.
                clients.make_room();
                let file = begun.file.clone();
                let left =
                    transfer.max_download_size.map(|most| most.beyond(downloaded).beyond(line.transferred));
                let rules = Rules { bytes_max: left, ..rules };
                let (client, outcome) = carry_on(begun, rules, &around, &mut line).await;
                clients.give_back(client);
                (Some(file), outcome)
            }
            Err(outcome) => (None, outcome),
        };
        match outcome {
            Outcome::Transferred => {}
            Outcome::Gathered(_) => unreachable!("only what is gathered is gathered"),
            Outcome::Satisfied(_) => unreachable!("only what comes by ranges is satisfied"),
            Outcome::Stopped => return,
            Outcome::Failed(error) => {
                // Of what was gathered, the one that failed waits with the others.
                let file = file.or_else(|| {
                    let at = files.iter().position(|file| Some(file.index) == error.file)?;
                    files.remove(at)
                });
                let passed = match &file {
                    Some(file) => passing.over(file, error),
                    None => Passing::Not(error),
                };
                match (passed, file) {
                    (Passing::Over(error), Some(file)) => {
                        line.report(Report::FilePassedOver { attempt, file: file.index, error });
                    }
                    (Passing::Later, _) => {}
                    (Passing::Not(error) | Passing::Over(error), _) => {
                        line.report(Report::Failed { attempt, error });
                        return;
                    }
                }
            }
        }
    }
    match passing.postponed() {
        Some(error) => line.report(Report::Failed { attempt, error }),
        None => line.report(Report::FilesTransferred { attempt }),
    }
}

/// What holds for every file of the job.
fn rules(assignment: &Assignment, parts: PartsSettings) -> Rules {
    let is_usual = assignment.http.method.is_default();
    Rules {
        redirects: assignment.http.security,
        from_the_beginning: assignment.transfer.dynamic_content || !is_usual,
        every_error_is_fatal: !is_usual,
        syncs_at_the_end: assignment.transfer.high_performance,
        bytes_max: None,
        parts: parts.rules(assignment.transfer.high_performance),
    }
}

/// Brings one file to its end.
async fn carry_on(begun: Begun, rules: Rules, around: &Surroundings, line: &mut Line) -> (Client, Outcome) {
    let Begun { mut client, file, plan, body } = begun;
    client.among_many(false);
    let outcome = match Sink::open(line.job, &file, around).await {
        Ok((sink, found)) => {
            let new = || DownloadPlan::new(line.attempt, &file, rules, found, around.boot, line.now());
            let mut plan = plan.unwrap_or_else(new);
            download(&mut plan, file.index, &mut client, (sink, body), line).await
        }
        Err(error) => Outcome::Failed(error),
    };
    (client, outcome)
}

/// What is done about failures of single files.
#[derive(Debug, Default)]
pub struct PassingOver {
    keeps_going: bool,
    /// Where servers are that were not reached; no other file of theirs is tried.
    unreachable: Vec<RemoteName>,
    /// The first error that time may cure; the attempt ends with it.
    pub(crate) postponed: Option<JobError>,
}

/// How it goes on after a failure.
#[derive(Debug)]
pub enum Passing {
    /// With the next file; this one has failed for good.
    Over(JobError),
    /// With the next file; this one is tried again in another attempt.
    Later,
    /// Not at all: the other files would fail too.
    Not(JobError),
}

impl PassingOver {
    /// Of a job that `keeps_going`, or not.
    pub fn new(keeps_going: bool) -> Self {
        Self { keeps_going, ..Self::default() }
    }

    /// The first error that time may cure; the attempt ends with it.
    pub fn postponed(self) -> Option<JobError> {
        self.postponed
    }

    /// Whether `file` is not tried now, as its server was not reached.
    pub fn skips(&self, file: &File) -> bool {
        // What has mirrors may come from one of them.
        file.sources.is_single() && self.unreachable.iter().any(|name| name.same_origin(&file.remote_name))
    }

    /// How it goes on after `file` has failed with `error`.
    pub fn over(&mut self, file: &File, error: JobError) -> Passing {
        let full = [Code::DISK_FULL, Code::QUOTA_EXCEEDED].contains(&error.code);
        match error.context {
            _ if !self.keeps_going || error.challenge.is_some() || full => Passing::Not(error),
            ErrorContext::RemoteFile | ErrorContext::LocalFile if error.transient => {
                self.postponed.get_or_insert(error);
                Passing::Later
            }
            ErrorContext::RemoteFile | ErrorContext::LocalFile => Passing::Over(error),
            ErrorContext::GeneralTransport => {
                if file.sources.is_single() {
                    self.unreachable.push(file.remote_name.clone());
                }
                if error.transient {
                    self.postponed.get_or_insert(error);
                    return Passing::Later;
                }
                Passing::Over(error)
            }
            _ => Passing::Not(error),
        }
    }
}

/// The HTTP of `assignment`, and its files.
fn client(
    assignment: Assignment,
    around: &Surroundings,
    rate: Arc<JobRate>,
    waits: Option<Waits>,
) -> Result<(Vec<File>, Client), JobError> {
    let Assignment {
        priority, files, credentials, secret_refused, http, secret_headers, environment, ..
    } = assignment;
    let tls = TlsOptions {
        flags: http.security,
        certificate: http.client_certificate,
        passphrase: assignment.certificate_passphrase,
    };
    let proxies = ProxyRules::new(&http.proxy, &environment.proxies, &around.proxies)?;
    let krb5_config = environment.krb5_config.as_deref();
    let identity = AttemptIdentity {
        credentials,
        kerberos: KerberosEnvironment::from_krb5_config(krb5_config.map(AsRef::as_ref))
            .with_ticket_cache(environment.krb5_ccname.as_deref()),
        policy: Policy {
            // A secret that was refused by a scheme that stood in for another is not tested again by
            // a retry that nobody asked for: accounts get locked.
            fall_back: !secret_refused,
            ntlm: !http.no_ntlm,
            ..Policy::default()
        },
        service: http.service_name.as_deref().map(service_name).transpose()?,
    };
    let words = OwnersWords { method: http.method, headers: http.headers, secret_headers, content: None };
    let pool = match priority {
        Priority::Foreground => around.foreground_pool.clone(),
        _ => around.background_pool.clone(),
    };
    let (settings, trust, pacing) = (
        around.http.clone(),
        around.trust.clone(),
        around.pacing.of_job(priority, rate, around.slots.clone()).told_by(waits),
    );
    Ok((files, Client::new(settings, trust, (pool, pacing), tls, proxies, words, identity)))
}

fn service_name(text: &str) -> Result<ServiceName, JobError> {
    text.parse().map_err(|error| JobError {
        code: Code::SECURITY_INVALID_PARAMETER,
        context: ErrorContext::GeneralTransport,
        transient: false,
        message: format!("`{text}` cannot be asked for at a KDC: {error}"),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    })
}

/// What an attempt hears of the broker while it goes on.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The files whose versions are recorded.
    pub(crate) recorded: UnboundedReceiver<FileIndex>,
    /// What more is asked for of a file, and how many demands there are with it.
    pub(crate) asked: UnboundedReceiver<(u32, Asked)>,
}

/// An attempt's line to the broker, and its clock.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) job: JobId,
    pub(crate) attempt: Attempt,
    hearer: Hearer,
    heard: Heard,
    /// What was asked for while something else was done.
    put_aside: Vec<(u32, Asked)>,
    stop: CancellationToken,
    is_connected: bool,
    /// Bytes of the files that became whole in this attempt, but for those that were gathered.
    transferred: Bytes,
    clock: Clock,
}

/// Who hears what is reported.
#[derive(Debug)]
enum Hearer {
    Broker(UnboundedSender<FromWorker>),
    File(Teller),
}

/// The time, by a clock that never jumps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: (Timestamp, Instant),
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        self.started.0 + self.started.1.elapsed()
    }

    /// When it will be `at`.
    fn instant(&self, at: Timestamp) -> Instant {
        self.started.1 + at.since(self.started.0)
    }
}

impl Line {
    pub(crate) fn new(
        job: JobId,
        attempt: Attempt,
        to_broker: UnboundedSender<FromWorker>,
        heard: Heard,
        stop: CancellationToken,
        now: Timestamp,
    ) -> Self {
        Self {
            job,
            attempt,
            hearer: Hearer::Broker(to_broker),
            heard,
            put_aside: Vec::new(),
            stop,
            is_connected: false,
            transferred: Bytes::ZERO,
            clock: Clock { started: (now, Instant::now()) },
        }
    }

    /// The line of a part of a file, to whoever carries out the plan of that.
    pub(crate) fn of_part(&self, teller: Teller, stop: CancellationToken) -> Self {
        let (_, recorded) = unbounded_channel();
        let (_, asked) = unbounded_channel();
        Self {
            job: self.job,
            attempt: self.attempt,
            hearer: Hearer::File(teller),
            heard: Heard { recorded, asked },
            put_aside: Vec::new(),
            stop,
            is_connected: true,
            transferred: Bytes::ZERO,
            clock: self.clock,
        }
    }

    /// Who is told when the attempt waits for a connection.
    fn waits(&self) -> Option<Waits> {
        match &self.hearer {
            Hearer::Broker(broker) => Some(Waits::new(self.job, self.attempt, broker.clone())),
            Hearer::File(_) => None,
        }
    }

    pub(crate) fn report(&mut self, report: Report) {
        // Said once for an attempt, whichever file it is about.
        if matches!(report, Report::Connected { .. }) && std::mem::replace(&mut self.is_connected, true) {
            return;
        }
        if let Report::FileTransferred { size, .. } = &report {
            self.transferred = self.transferred.saturating_add(*size);
        }
        match &self.hearer {
            // Without a broker nobody wants to know; the stop comes at once.
            Hearer::Broker(broker) => {
                let _ = broker.send(FromWorker::Report { job: self.job, report });
            }
            Hearer::File(teller) => teller.report(report),
        }
    }

    pub(crate) fn note(&mut self, text: String) {
        self.report(Report::Note { attempt: self.attempt, text });
    }

    /// The next file whose version is recorded.
    pub(crate) async fn recorded(&mut self) -> FileIndex {
        match self.heard.recorded.recv().await {
            Some(file) => file,
            None => std::future::pending().await,
        }
    }

    /// Waits until more is asked for, and puts it aside.
    pub(crate) async fn asked(&mut self) {
        match self.heard.asked.recv().await {
            Some(asked) => self.put_aside.push(asked),
            None => std::future::pending().await,
        }
    }

    /// All that was asked for since this was called last.
    pub(crate) fn take_asked(&mut self) -> Vec<(u32, Asked)> {
        let mut asked = std::mem::take(&mut self.put_aside);
        asked.extend(std::iter::from_fn(|| self.heard.asked.try_recv().ok()));
        asked
    }

    /// Says when the attempt is to end.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The time, by a clock that never jumps.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When it will be `at`.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.clock.instant(at)
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }
}
