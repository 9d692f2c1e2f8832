//! What is said to the queue, and what it answers: what owners ask, and what workers tell.
//!
//! What comes of it is decided one floor up, in [`Queue::handle`](super::Queue::handle).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::asking::{QuestionId, Reply};
use super::schedule::ConnectionLimit;
use crate::access::{Act, Caller};
use crate::checksum::Checksum;
use crate::credentials::{AuthScheme, AuthTarget};
use crate::demand::{Beyond, Filled, Span};
use crate::error::JobError;
use crate::file::{BootId, DestinationTag, FileIndex, LocalName, PartialId, ResumeBy, Served, Validator};
use crate::job::{Attempt, ClockChange, Command, JobId, Properties, PropertyChange, Revision};
use crate::notify::Happened;
use crate::ports::{SealedSecret, SecretChange};
use crate::ranges::{ByteRange, Ranges};
use crate::remote_name::RemoteName;
use crate::sources::Sources;
use crate::units::Bytes;

/// Names somebody who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Everything that can change a job.
#[derive(Debug, Clone)]
pub enum Input {
    /// Somebody asks for something, and waits for the answer.
    Request { ticket: Ticket, caller: Caller, request: Request },
    /// A worker tells of a job.
    Report { job: JobId, report: Report },
    /// It is this job's turn ([`super::Queue::next_runnable`]).
    Grant { job: JobId },
    /// It is this job's turn, but the key to its credentials is not there.
    Hold { job: JobId },
    /// It is another job's turn now ([`super::Queue::next_yield`]).
    Yield { job: JobId },
    /// The conditions under which this job runs are gone ([`super::Queue::next_halt`]).
    Halt { job: JobId },
    /// The time this job waited for has come ([`super::Queue::next_due`]).
    Due { job: JobId },
    /// Something else that this job waited for has changed ([`super::Queue::next_attention`]).
    Attend { job: JobId },
    /// The clock of the machine was set; for every job that is not over
    /// ([`super::Queue::clock_was_set`]).
    ClockSet { job: JobId, change: ClockChange },
    /// Nothing has happened to this job for so long that it is to be cancelled
    /// ([`super::Queue::abandoned_until`]).
    Abandoned { job: JobId },
    /// This notice of the job is to be told ([`super::Queue::next_notice`]).
    Tell { job: JobId, number: u32 },
    /// Somebody has come who can answer for this job, which may be in ERROR for want of an answer.
    Offer { job: JobId },
}

impl Input {
    /// The job that must be brought along.
    pub fn job(&self) -> JobId {
        match self {
            Self::Request { request, .. } => request.job(),
            Self::Report { job, .. }
            | Self::Grant { job }
            | Self::Hold { job }
            | Self::Yield { job }
            | Self::Halt { job }
            | Self::Due { job }
            | Self::Attend { job }
            | Self::ClockSet { job, .. }
            | Self::Abandoned { job }
            | Self::Tell { job, .. }
            | Self::Offer { job } => *job,
        }
    }
}

/// What an owner asks. It can be refused.
#[derive(Debug, Clone)]
pub enum Request {
    /// A new job together with its first files, if there are any; it waits for its turn at once where
    /// it is to be resumed. There is all of it or nothing; asking twice with one id makes one job.
    Create {
        id: JobId,
        properties: Box<Properties>,
        files: Vec<NewFile>,
        secrets: Vec<SecretChange>,
        resume: bool,
    },
    /// All of them, or none (`bits.md` §1.3, `AddFileSet`).
    AddFiles {
        job: JobId,
        files: Vec<NewFile>,
        credentials: Vec<SealedSecret>,
    },
    /// All of them, or none.
    SetProperties {
        job: JobId,
        expected: Option<Revision>,
        changes: Vec<PropertyChange>,
        secrets: Vec<SecretChange>,
    },
    Command {
        job: JobId,
        command: Command,
    },
    /// Other remote names for files that have not come (`SetRemoteName`, `ReplaceRemotePrefix`,
    /// `bits.md` §1.5, §1.9). An attempt that is going on begins again.
    SetRemoteNames {
        job: JobId,
        names: Vec<(FileIndex, RemoteName)>,
    },
    /// Parts of a file of a job on demand that are to come before all else (`RequestFileRanges`,
    /// `bits.md` §1.9).
    RequestRanges {
        job: JobId,
        file: FileIndex,
        ranges: Vec<ByteRange>,
    },
    /// From where all that is missing of such a file is to come (`UpdateDownloadPosition`).
    SetPosition {
        job: JobId,
        file: FileIndex,
        position: Bytes,
    },
    /// What the owner says of the content of a file that has come (`SetValidationState`).
    SetValidation {
        job: JobId,
        file: FileIndex,
        valid: bool,
    },
    SetCredentials {
        job: JobId,
        credentials: Vec<SealedSecret>,
    },
    RemoveCredentials {
        job: JobId,
        target: AuthTarget,
        schemes: Vec<AuthScheme>,
    },
    /// The caller wants to be the owner (`TakeOwnership`, `bits.md` §7.4).
    TakeOwnership {
        job: JobId,
    },
    /// What a person answered to a question that the job waits for.
    Answer {
        job: JobId,
        question: QuestionId,
        reply: Reply,
    },
    /// A callback says whether it has heard what has happened to the job.
    Heard {
        job: JobId,
        happened: Happened,
        is_heard: bool,
    },
}

impl Request {
    /// The job it is about.
    pub fn job(&self) -> JobId {
        match self {
            Self::Create { id, .. } => *id,
            Self::AddFiles { job, .. }
            | Self::SetProperties { job, .. }
            | Self::Command { job, .. }
            | Self::SetRemoteNames { job, .. }
            | Self::RequestRanges { job, .. }
            | Self::SetPosition { job, .. }
            | Self::SetValidation { job, .. }
            | Self::SetCredentials { job, .. }
            | Self::RemoveCredentials { job, .. }
            | Self::TakeOwnership { job }
            | Self::Heard { job, .. }
            | Self::Answer { job, .. } => *job,
        }
    }

    /// What whoever asks for it wants to do with the job.
    pub(super) fn act(&self) -> Act {
        match self {
            Self::SetCredentials { .. } | Self::RemoveCredentials { .. } | Self::Answer { .. } => {
                Act::Secrets
            }
            Self::AddFiles { credentials, .. } if !credentials.is_empty() => Act::Secrets,
            Self::SetProperties { secrets, changes, .. }
                if !secrets.is_empty() || changes.iter().any(PropertyChange::is_for_owner_alone) =>
            {
                Act::Secrets
            }
            Self::TakeOwnership { .. } => Act::TakeOwnership,
            Self::Create { .. }
            | Self::AddFiles { .. }
            | Self::SetProperties { .. }
            | Self::Command { .. }
            | Self::SetRemoteNames { .. }
            | Self::RequestRanges { .. }
            | Self::SetPosition { .. }
            | Self::SetValidation { .. }
            | Self::Heard { .. } => Act::Manage,
        }
    }
}

/// What is asked for of a file of a job on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub file: FileIndex,
    /// To come after those that were requested before.
    pub ranges: Vec<ByteRange>,
    /// Another one than before, if it is.
    pub position: Option<Bytes>,
}

/// A file to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    pub remote_name: RemoteName,
    pub local_name: LocalName,
    /// Which place that is, as whoever looked at it says; else by the name alone.
    pub destination: DestinationTag,
    pub no_clobber: bool,
    pub ranges: Ranges,
    pub checksum: Option<Checksum>,
    pub resume_by: ResumeBy,
    pub sources: Sources,
}

impl NewFile {
    /// All of a file, nothing else said of it.
    pub fn new(remote_name: RemoteName, local_name: LocalName) -> Self {
        Self {
            remote_name,
            destination: local_name.destination(),
            local_name,
            no_clobber: false,
            ranges: Ranges::ALL,
            checksum: None,
            resume_by: ResumeBy::default(),
            sources: Sources::default(),
        }
    }
}

/// What a worker has to tell. It cannot be refused, but it can be too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The server has answered and content comes.
    Connected {
        attempt: Attempt,
    },
    /// A version of the file is being fetched from its beginning. The worker writes none of it
    /// before it hears that this is recorded, so that the bytes of one version never meet the
    /// validator of another (promise P4).
    Version {
        attempt: Attempt,
        file: FileIndex,
        size: Option<Bytes>,
        validator: Validator,
        served: Served,
        boot: BootId,
        partial: PartialId,
    },
    /// The fields of an answer that goes on with a version.
    Headers {
        attempt: Attempt,
        file: FileIndex,
        headers: String,
    },
    /// What has become known of the sources of the file.
    Sources {
        attempt: Attempt,
        file: FileIndex,
        sources: Sources,
    },
    /// Where a redirect has led, for a job that wants to know.
    RemoteName {
        attempt: Attempt,
        file: FileIndex,
        remote_name: RemoteName,
    },
    /// Bytes of the file that have come; shown, not written.
    Progress {
        attempt: Attempt,
        file: FileIndex,
        transferred: Bytes,
    },
    /// Bytes of the file that are on the disk for sure.
    Durable {
        attempt: Attempt,
        file: FileIndex,
        upto: Bytes,
    },
    /// Just these bytes of a file of a job on demand are on the disk for sure; `new` are those that
    /// were not before.
    Filled {
        attempt: Attempt,
        file: FileIndex,
        filled: Filled,
        new: Vec<Span>,
    },
    /// A file of a job on demand does not have what was asked for of it.
    Beyond {
        attempt: Attempt,
        file: FileIndex,
        beyond: Beyond,
    },
    /// The file is whole, on the disk for sure.
    FileTransferred {
        attempt: Attempt,
        file: FileIndex,
        size: Bytes,
    },
    /// The file has failed; a job that keeps going goes on with the next one.
    FilePassedOver {
        attempt: Attempt,
        file: FileIndex,
        error: JobError,
    },
    /// Small files are whole, on the disk for sure, of which nothing was recorded before: none of
    /// their bytes was written while a version was on record.
    SmallFiles {
        attempt: Attempt,
        boot: BootId,
        files: Vec<WholeFile>,
    },
    FilesTransferred {
        attempt: Attempt,
    },
    /// All is here that was asked for of the files of a job on demand, of which some are not whole.
    Satisfied {
        attempt: Attempt,
        /// How many [demands](Job::demands) the attempt has heard of.
        demands: u32,
    },
    Failed {
        attempt: Attempt,
        error: JobError,
    },
    /// Something a curious person may want to know.
    /// The attempt waits for a connection as there are as many as may be, or has it now.
    AwaitsConnection {
        attempt: Attempt,
        limit: Option<ConnectionLimit>,
    },
    Note {
        attempt: Attempt,
        text: String,
    },
    /// These files are under their final names; with an error, others are not.
    Finalized {
        files: Vec<FileIndex>,
        /// Whole ones of which the partial file is gone, or not as it was.
        lost: Vec<FileIndex>,
        error: Option<JobError>,
    },
    /// No partial file is left; else the sentence says what is.
    Discarded {
        leftover: Option<String>,
    },
    /// A notice was told, or for this reason not.
    Told {
        number: u32,
        outcome: Result<(), String>,
    },
}

/// A file that has come as a whole, and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFile {
    pub file: FileIndex,
    pub size: Bytes,
    pub validator: Validator,
    pub served: Served,
}

/// How a request ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Here is the job as it is now.
    Job(JobId),
    /// The job is complete; `partial` when files of it were not whole and are gone.
    Completed {
        job: JobId,
        partial: bool,
    },
    /// The caller owned the job already, and nothing has changed.
    OwnedAlready(JobId),
    /// The job is cancelled; `leftover` when partial files could not be deleted.
    Cancelled {
        job: JobId,
        leftover: bool,
    },
    Done,
}
