//! One attempt to transfer what is missing of a job: its files one after another.
//!
//! What comes of it is reported; whether and when there is another attempt is the broker's affair.

use std::sync::Arc;

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::{BootId, File, FileIndex, Stage};
use bits_core::job::{Attempt, JobId};
use bits_core::queue::Report;
use bits_core::remote_name::RemoteName;
use bits_core::time::Timestamp;
use bits_core::transfer::{DownloadPlan, Outcome, Rules};
use bits_core::units::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::{KerberosEnvironment, Policy};
use crate::http::{AttemptIdentity, Client, HttpSettings, TlsTrust};
use crate::link::{Assignment, FromWorker};
use crate::local_file::QUOTA_EXCEEDED;
use crate::sink::Sink;
use crate::transfer::download;

/// What all attempts share.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) boot: BootId,
    pub(crate) http: Arc<HttpSettings>,
    pub(crate) trust: Arc<TlsTrust>,
}

/// Carries out `assignment`.
pub(crate) async fn carry_out(assignment: Assignment, around: Surroundings, mut line: Line) {
    let krb5_config = assignment.environment.krb5_config.as_deref();
    let identity = AttemptIdentity {
        credentials: assignment.credentials,
        kerberos: KerberosEnvironment::from_krb5_config(krb5_config.map(AsRef::as_ref)),
        // A secret that was refused by a scheme that stood in for another is not tested again by
        // a retry that nobody asked for: accounts get locked.
        policy: Policy { fall_back: !assignment.secret_refused, ..Policy::default() },
    };
    let mut client = Client::new(around.http, around.trust, identity);
    let attempt = assignment.attempt;
    let transfer = assignment.transfer;
    let rules = Rules {
        redirects: assignment.http.security,
        from_the_beginning: transfer.dynamic_content || !assignment.http.method.is_default(),
        every_error_is_fatal: !assignment.http.method.is_default(),
        syncs_at_the_end: transfer.high_performance,
        bytes_max: None,
    };
    let mut passing = PassingOver { keeps_going: transfer.keep_going, ..PassingOver::default() };
    let files = assignment.files.iter().filter(|file| file.stage == Stage::Waiting && file.error.is_none());
    for file in files {
        if line.stop().is_cancelled() {
            return;
        }
        if passing.skips(file) {
            continue;
        }
        let downloaded = assignment.downloaded.saturating_add(line.transferred);
        let bytes_max = transfer.max_download_size.map(|most| most.beyond(downloaded));
        let outcome = match Sink::open(assignment.job, file, around.boot).await {
            Ok((sink, found)) => {
                let rules = Rules { bytes_max, ..rules.clone() };
                let plan = DownloadPlan::new(attempt, file, rules, found, around.boot, line.now());
                download(plan, file.index, &mut client, sink, &mut line).await
            }
            Err(error) => Outcome::Failed(error),
        };
        match outcome {
            Outcome::Transferred => {}
            Outcome::Stopped => return,
            Outcome::Failed(error) => match passing.over(file, error) {
                Passing::Over(error) => {
                    line.report(Report::FilePassedOver { attempt, file: file.index, error });
                }
                Passing::Later => {}
                Passing::Not(error) => {
                    line.report(Report::Failed { attempt, error });
                    return;
                }
            },
        }
    }
    match passing.postponed {
        Some(error) => line.report(Report::Failed { attempt, error }),
        None => line.report(Report::FilesTransferred { attempt }),
    }
}

/// What is done about failures of single files.
#[derive(Debug, Default)]
struct PassingOver {
    keeps_going: bool,
    /// Where servers are that were not reached; no other file of theirs is tried.
    unreachable: Vec<RemoteName>,
    /// The first error that time may cure; the attempt ends with it.
    postponed: Option<JobError>,
}

/// How it goes on after a failure.
#[derive(Debug)]
enum Passing {
    /// With the next file; this one has failed for good.
    Over(JobError),
    /// With the next file; this one is tried again in another attempt.
    Later,
    /// Not at all: the other files would fail too.
    Not(JobError),
}

impl PassingOver {
    fn skips(&self, file: &File) -> bool {
        self.unreachable.iter().any(|name| name.same_origin(&file.remote_name))
    }

    fn over(&mut self, file: &File, error: JobError) -> Passing {
        let full = [Code::DISK_FULL, QUOTA_EXCEEDED].contains(&error.code);
        match error.context {
            _ if !self.keeps_going || error.challenge.is_some() || full => Passing::Not(error),
            ErrorContext::RemoteFile | ErrorContext::LocalFile if error.transient => {
                self.postponed.get_or_insert(error);
                Passing::Later
            }
            ErrorContext::RemoteFile | ErrorContext::LocalFile => Passing::Over(error),
            ErrorContext::GeneralTransport => {
                self.unreachable.push(file.remote_name.clone());
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

/// An attempt's line to the broker, and its clock.
#[derive(Debug)]
pub(crate) struct Line {
    job: JobId,
    attempt: Attempt,
    to_broker: UnboundedSender<FromWorker>,
    recorded: UnboundedReceiver<FileIndex>,
    stop: CancellationToken,
    is_connected: bool,
    /// Bytes of the files that became whole in this attempt.
    transferred: Bytes,
    started: (Timestamp, Instant),
}

impl Line {
    pub(crate) fn new(
        job: JobId,
        attempt: Attempt,
        to_broker: UnboundedSender<FromWorker>,
        recorded: UnboundedReceiver<FileIndex>,
        stop: CancellationToken,
        now: Timestamp,
    ) -> Self {
        let (is_connected, transferred) = (false, Bytes::ZERO);
        let started = (now, Instant::now());
        Self { job, attempt, to_broker, recorded, stop, is_connected, transferred, started }
    }

    pub(crate) fn report(&mut self, report: Report) {
        // Said once for an attempt, whichever file it is about.
        if matches!(report, Report::Connected { .. }) && std::mem::replace(&mut self.is_connected, true) {
            return;
        }
        if let Report::FileTransferred { size, .. } = &report {
            self.transferred = self.transferred.saturating_add(*size);
        }
        // Without a broker nobody wants to know; the stop comes at once.
        let _ = self.to_broker.send(FromWorker::Report { job: self.job, report });
    }

    pub(crate) fn note(&mut self, text: String) {
        self.report(Report::Note { attempt: self.attempt, text });
    }

    /// The next file whose version is recorded.
    pub(crate) async fn recorded(&mut self) -> FileIndex {
        match self.recorded.recv().await {
            Some(file) => file,
            None => std::future::pending().await,
        }
    }

    /// Says when the attempt is to end.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The time, by a clock that never jumps.
    pub(crate) fn now(&self) -> Timestamp {
        self.started.0 + self.started.1.elapsed()
    }

    /// When it will be `at`.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.started.1 + at.since(self.started.0)
    }
}
