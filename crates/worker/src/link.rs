//! What broker and worker say to each other.
//!
//! In user mode both are one process and the messages go through channels; the messages are the
//! same wherever the worker runs. Nothing is decided here.

use bits_core::certificates::{Fingerprint, Verdict};
use bits_core::credentials::{Credential, SecretHeader};
use bits_core::error::Code;
use bits_core::file::{ClosingFile, DestinationTag, File, FileIndex, LocalName};
use bits_core::http_options::{HttpOptions, ProxyUse};
use bits_core::job::{Attempt, Environment, JobId, Owner, Priority};
use bits_core::notify::NotifyCommand;
use bits_core::pacing::gate::RateLimits;
use bits_core::pacing::rate::Rate;
use bits_core::queue::{Asked, Report};
use bits_core::remote_name::RemoteName;
use bits_core::secret::Secret;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;
use tokio::sync::mpsc;

/// What the broker tells a worker. Messages about one job are carried out one after the other.
#[derive(Debug)]
pub enum ToWorker {
    Begin(Box<Assignment>),
    /// End this attempt; what is on the disk is reported before.
    Stop {
        job: JobId,
        attempt: Attempt,
    },
    /// The version of the file that was reported is written.
    Recorded {
        job: JobId,
        attempt: Attempt,
        file: FileIndex,
    },
    /// More is asked for of a file of a job on demand; with it there are so many demands.
    Asked {
        job: JobId,
        attempt: Attempt,
        demands: u32,
        asked: Asked,
    },
    /// How fast a job may be from now on, and beside whom.
    Rate {
        job: JobId,
        attempt: Attempt,
        priority: Priority,
        limit: Option<Rate>,
    },
    /// How many connections there may be from now on, in all and to one server.
    ConnectionLimits {
        total: usize,
        host: usize,
    },
    /// How fast jobs may be together from now on.
    RateLimits(RateLimits),
    /// Put the whole files under their final names, delete the partial files of the others; to be
    /// answered by [`Report::Finalized`].
    Finalize {
        job: JobId,
        files: Vec<ClosingFile>,
        environment: Environment,
    },
    /// Delete all partial files; to be answered by [`Report::Discarded`].
    Discard {
        job: JobId,
        files: Vec<ClosingFile>,
    },
    /// Look whether files can be put here, as the owner; to be answered by
    /// [`FromWorker::Checked`].
    Check {
        ticket: CheckTicket,
        names: Vec<LocalName>,
        options: CheckOptions,
    },
    /// Tell the owner what has become of a job; to be answered by [`Report::Told`].
    Tell(Box<Telling>),
    /// What the owner's program says to a [`FromWorker::Certificate`].
    CertificateAnswer {
        ticket: CertificateTicket,
        verdict: Verdict,
    },
}

/// One attempt to transfer what is missing of a job.
#[derive(Debug)]
pub struct Assignment {
    pub job: JobId,
    /// With whose other jobs it shares limits.
    pub owner: Owner,
    pub attempt: Attempt,
    /// Whether others go first.
    pub priority: Priority,
    /// The files that are not whole, in their order.
    pub files: Vec<File>,
    /// Opened for this attempt alone.
    pub credentials: Vec<Credential>,
    /// Whether they, or one of them, were refused before and are not new.
    pub secret_refused: bool,
    /// The file on which the last attempt failed, if it was one.
    pub failed_file: Option<FileIndex>,
    pub http: HttpOptions,
    /// Opened for this attempt alone.
    pub secret_headers: Vec<SecretHeader>,
    /// Opens the key of the client certificate; opened for this attempt alone.
    pub certificate_passphrase: Option<Secret>,
    pub transfer: TransferOptions,
    /// How often something was asked for of the files, in a job on demand.
    pub demands: u32,
    /// What the job has downloaded already: its whole files.
    pub downloaded: Bytes,
    /// Whether a program of the owner is to be asked about each server's certificate.
    pub asks_about_certificates: bool,
    pub environment: Environment,
}

/// One try to tell the owner of a job what has become of it.
#[derive(Debug)]
pub struct Telling {
    pub job: JobId,
    /// Which of the notices of the job it is.
    pub number: u32,
    pub errand: Errand,
}

/// By which way, and what.
#[derive(Debug)]
pub enum Errand {
    Command {
        command: NotifyCommand,
        /// Variables that say what has become of which job.
        about: Vec<(&'static str, String)>,
    },
    Webhook(Box<Letter>),
}

/// What is sent to a server.
#[derive(Debug)]
pub struct Letter {
    pub url: RemoteName,
    /// The same for each try.
    pub id: String,
    /// JSON.
    pub body: String,
    /// Opened for this try alone.
    pub secret: Option<Secret>,
    pub proxy: ProxyUse,
    pub environment: Environment,
}

/// Names a question about destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckTicket(pub u64);

/// Names a question about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificateTicket(pub u64);

/// Whether the owner's program passes what a server has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateQuestion {
    pub ticket: CertificateTicket,
    pub job: JobId,
    pub attempt: Attempt,
    /// What the server is to be asked for.
    pub file: FileIndex,
    /// `host:port`.
    pub authority: String,
    /// Of the server's own certificate.
    pub fingerprint: Fingerprint,
    /// All certificates in DER, the server's own first.
    pub shown: Vec<Vec<u8>>,
}

/// How destinations are to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckOptions {
    /// Whether a file that is there already is a refusal.
    pub no_clobber: bool,
    /// Whether missing folders are made.
    pub create_folders: bool,
    /// The umask for folders that are made.
    pub umask: Option<u32>,
}

/// Why a file cannot be put where it should go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRefusal {
    pub code: Code,
    /// One sentence that names the path.
    pub message: String,
}

/// What a worker tells the broker.
#[derive(Debug)]
pub enum FromWorker {
    Report {
        job: JobId,
        report: Report,
    },
    Checked {
        ticket: CheckTicket,
        /// Which place each name is, in their order.
        outcome: Result<Vec<DestinationTag>, DestinationRefusal>,
    },
    /// To be answered by [`ToWorker::CertificateAnswer`].
    Certificate(Box<CertificateQuestion>),
}

/// The broker's end of a link.
#[derive(Debug)]
pub struct BrokerEnd {
    pub to_worker: mpsc::UnboundedSender<ToWorker>,
    pub from_worker: mpsc::UnboundedReceiver<FromWorker>,
}

/// The worker's end of a link.
#[derive(Debug)]
pub struct WorkerEnd {
    pub from_broker: mpsc::UnboundedReceiver<ToWorker>,
    pub to_broker: mpsc::UnboundedSender<FromWorker>,
}

/// The path of the file that is being received for file `index` of `job`, which is to be called `name`, until it has its name.
pub fn temporary_name(job: JobId, index: FileIndex, name: &LocalName) -> String {
    let path = std::path::Path::new(name.as_str());
    let name =
        bits_platform::files::partial_name(path.file_name().unwrap_or_default(), &job.to_string(), index.0);
    path.with_file_name(name).to_string_lossy().into_owned()
}

/// A link within one process. It has no limit of its own: the broker sends no more than the jobs
/// it lets run, and a worker reports counts a few times a second.
pub fn local() -> (BrokerEnd, WorkerEnd) {
    let (to_worker, from_broker) = mpsc::unbounded_channel();
    let (to_broker, from_worker) = mpsc::unbounded_channel();
    (BrokerEnd { to_worker, from_worker }, WorkerEnd { from_broker, to_broker })
}
