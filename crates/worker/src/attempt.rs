//! One attempt to transfer what is missing of a job: its files one after another.
//!
//! What comes of it is reported; whether and when there is another attempt is the broker's affair.

use std::sync::Arc;

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::{BootId, File, FileIndex, Stage};
use bits_core::http_options::ProxyEnvironment;
use bits_core::job::{Attempt, JobId};
use bits_core::proxy::ProxyRules;
use bits_core::queue::Report;
use bits_core::time::Timestamp;
use bits_core::transfer::{DownloadPlan, Outcome};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::{KerberosEnvironment, Policy, ServiceName};
use crate::http::{AttemptIdentity, Client, HttpSettings, OwnersWords, TlsTrust};
use crate::link::{Assignment, FromWorker};
use crate::pacing::Pacing;
use crate::sink::Sink;
use crate::transfer::download;

/// What all attempts share.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) boot: BootId,
    pub(crate) http: Arc<HttpSettings>,
    pub(crate) trust: Arc<TlsTrust>,
    pub(crate) pacing: Pacing,
    /// The proxies of the settings.
    pub(crate) proxies: ProxyEnvironment,
}

/// Carries out `assignment`.
pub(crate) async fn carry_out(assignment: Assignment, around: Surroundings, mut line: Line) {
    let attempt = assignment.attempt;
    let (files, mut client) = match client(assignment, &around) {
        Ok(ready) => ready,
        Err(error) => {
            line.report(Report::Failed { attempt, error });
            return;
        }
    };
    for file in files.iter().filter(|file| file.stage == Stage::Waiting) {
        if line.stop().is_cancelled() {
            return;
        }
        let outcome = match Sink::open(line.job, file).await {
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

/// The HTTP of `assignment`, and its files.
fn client(assignment: Assignment, around: &Surroundings) -> Result<(Vec<File>, Client), JobError> {
    let Assignment {
        priority, files, credentials, secret_refused, http, secret_headers, environment, ..
    } = assignment;
    let proxies = ProxyRules::new(&http.proxy, &environment.proxies, &around.proxies)?;
    let krb5_config = environment.krb5_config.as_deref();
    let identity = AttemptIdentity {
        credentials,
        kerberos: KerberosEnvironment::from_krb5_config(krb5_config.map(AsRef::as_ref)),
        policy: Policy {
            // A secret that was refused by a scheme that stood in for another is not tested again by
            // a retry that nobody asked for: accounts get locked.
            fall_back: !secret_refused,
            ntlm: !http.no_ntlm,
            ..Policy::default()
        },
        service: http.service_name.as_deref().map(service_name).transpose()?,
    };
    let words = OwnersWords { method: http.method, headers: http.headers, secret_headers };
    let client = Client::new(
        around.http.clone(),
        around.trust.clone(),
        around.pacing.of_job(priority),
        proxies,
        words,
        identity,
    );
    Ok((files, client))
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
