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

/// How an attempt ended, as far as the next one is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AttemptEnd {
    /// Whether a secret was refused on the way and time is to cure the rest: the next attempt must
    /// not have the secret tested again by another scheme.
    pub(crate) refused_proof: bool,
}

/// Carries out `assignment`. With `fall_back` other schemes may take the place of one that cannot
/// work.
pub(crate) async fn carry_out(
    assignment: Assignment,
    around: Surroundings,
    mut line: Line,
    fall_back: bool,
) -> AttemptEnd {
    let krb5_config = assignment.environment.krb5_config.as_deref();
    let identity = AttemptIdentity {
        credentials: assignment.credentials,
        kerberos: KerberosEnvironment::from_krb5_config(krb5_config.map(AsRef::as_ref)),
        policy: Policy { fall_back, ..Policy::default() },
    };
    let mut client = Client::new(around.http, around.trust, identity);
    let attempt = assignment.attempt;
    for file in assignment.files.iter().filter(|file| file.stage == Stage::Waiting) {
        if line.stop().is_cancelled() {
            return AttemptEnd::default();
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
            Outcome::Stopped => return AttemptEnd::default(),
            Outcome::Failed(error) => {
                let refused_proof = error.transient && client.refused_proof();
                line.report(Report::Failed { attempt, error });
                return AttemptEnd { refused_proof };
            }
        }
    }
    line.report(Report::FilesTransferred { attempt });
    AttemptEnd::default()
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
