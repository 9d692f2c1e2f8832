//! One attempt to transfer what is missing of a job: its files one after another.
//!
//! What comes of it is reported; whether and when there is another attempt is the broker's affair.

use std::sync::Arc;

use bits_core::file::{BootId, FileIndex, Stage};
use bits_core::job::{Attempt, JobId};
use bits_core::queue::Report;
use bits_core::time::Timestamp;
use bits_core::transfer::{DownloadPlan, Outcome};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::{KerberosEnvironment, Policy};
use crate::http::{AttemptIdentity, Client, HttpSettings, TlsTrust};
use crate::link::{Assignment, FromWorker};
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
        kerberos: KerberosEnvironment::from_krb5_config(krb5_config.map(AsRef::as_ref))
            .with_ticket_cache(assignment.environment.krb5_ccname.as_deref()),
        // A secret that was refused by a scheme that stood in for another is not tested again by
        // a retry that nobody asked for: accounts get locked.
        policy: Policy { fall_back: !assignment.secret_refused, ..Policy::default() },
    };
    let mut client = Client::new(around.http, around.trust, identity);
    let attempt = assignment.attempt;
    for file in assignment.files.iter().filter(|file| file.stage == Stage::Waiting) {
        if line.stop().is_cancelled() {
            return;
        }
        let outcome = match Sink::open(assignment.job, file).await {
            Ok((sink, found)) => {
                let plan = DownloadPlan::new(attempt, file, found, around.boot, line.now());
                download(plan, file.index, &mut client, sink, &mut line).await
            }
            Err(error) => Outcome::Failed(error),
        };
        match outcome {
            Outcome::Transferred => {}
            Outcome::Stopped => return,
            Outcome::Failed(error) => {
                line.report(Report::Failed { attempt, error });
                return;
            }
        }
    }
    line.report(Report::FilesTransferred { attempt });
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
        Self { job, attempt, to_broker, recorded, stop, is_connected: false, started: (now, Instant::now()) }
    }

    pub(crate) fn report(&mut self, report: Report) {
        // Said once for an attempt, whichever file it is about.
        if matches!(report, Report::Connected { .. }) && std::mem::replace(&mut self.is_connected, true) {
            return;
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
