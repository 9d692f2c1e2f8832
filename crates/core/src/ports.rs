//! What the product asks of its surroundings, in plain domain types.
//!
//! The core calls none of these; the floors above do. One contract suite per port says what an
//! implementation must do.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::credentials::{AuthScheme, AuthTarget};
use crate::error::Code;
use crate::file::{BootId, File, FileIndex, Validator};
use crate::job::{Job, JobId, Owner, Progress, Revision};
use crate::time::Timestamp;
use crate::units::Bytes;

/// Where jobs live while they are not in memory.
///
/// Blocking on purpose: it has one caller, on one thread, and a transaction is one call.
pub trait Store: Send {
    /// Writes every change in `batch`, or none of them; what was written survives a power cut.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when a job is not at the revision its change was decided on;
    /// any other error when it could not be written. Nothing is written then.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// The job called `id`, final ones included while they are kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// How far the files of `id` have come, as far as is written.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn progress(&mut self, id: JobId) -> Result<Progress, StoreError>;

    /// Up to `limit` files of `id` in their order, from `from` on.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn files(&mut self, id: JobId, from: FileIndex, limit: usize) -> Result<Vec<File>, StoreError>;

    /// The credentials of `id`, sealed.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn credentials(&mut self, id: JobId) -> Result<Vec<SealedCredential>, StoreError>;

    /// Up to `limit` jobs that fit `filter`, oldest first, after the place `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError>;

    /// How many jobs of `owner` are in each state that has any; final ones are not counted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError>;

    /// Shows `each` every job that a queue has something to do for: the active ones, those whose
    /// partial files may lie about, and those that wait to be completed by the service.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError>;

    /// Drops final jobs last changed before `before` that have nothing left to discard.
    ///
    /// # Errors
    /// When it could not be written.
    fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError>;
}

/// The word for a state, without what belongs to it.
pub type StateName = &'static str;

/// Changes that are written together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub jobs: Vec<JobChange>,
    pub files: Vec<(JobId, FileChange)>,
    pub credentials: Vec<(JobId, CredentialChange)>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.files.is_empty() && self.credentials.is_empty()
    }
}

/// A job as it is to be from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobChange {
    pub job: Job,
    /// The revision the change was decided on; none for a new job.
    pub was: Option<Revision>,
}

/// A change to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    Add(File),
    /// The version that is being fetched from now on; nothing of it is on the disk yet.
    Version {
        index: FileIndex,
        size: Option<Bytes>,
        validator: Validator,
        boot: BootId,
    },
    /// This much is on the disk for sure.
    Durable {
        index: FileIndex,
        upto: Bytes,
    },
    /// All of it is on the disk for sure.
    Transferred {
        index: FileIndex,
        size: Bytes,
    },
    /// It is under its final name.
    Completed {
        index: FileIndex,
    },
}

/// A change to the credentials of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialChange {
    /// Replaces what the pair of target and scheme had.
    Set(SealedCredential),
    Remove {
        target: AuthTarget,
        scheme: AuthScheme,
    },
    RemoveAll,
}

/// A credential that only the holder of the key can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCredential {
    pub target: AuthTarget,
    pub scheme: AuthScheme,
    pub record: Vec<u8>,
}

/// Which jobs are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub owner: Owner,
    /// Only jobs in this state; without it all but the final ones.
    pub state: Option<StateName>,
    /// Only live jobs whose id begins so, with at least [`ID_START_MIN`] characters, or whose
    /// display name is just this.
    pub called: Option<String>,
}

/// Characters of an id that are enough to name a job; fewer are a name and nothing else.
pub const ID_START_MIN: usize = 4;

/// A place in a list of jobs: after the job with this time and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub created: Timestamp,
    pub id: JobId,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    pub jobs: Vec<(Job, Progress)>,
    /// Where the list goes on, when it does.
    pub next: Option<Cursor>,
}

/// Why the store did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("the job {0} has changed meanwhile")]
    Stale(JobId),
    #[error("the disk that holds the queue is full")]
    Full,
    #[error("the queue could not be {doing}: {reason}")]
    Io { doing: &'static str, reason: String },
    #[error("the queue is damaged: {reason}")]
    Corrupt { reason: String },
}

impl StoreError {
    /// The number by which programs know it.
    pub fn code(&self) -> Code {
        match self {
            Self::Stale(_) => Code::REVISION_MISMATCH,
            Self::Full => Code::DISK_FULL,
            Self::Io { .. } => Code::UNSPECIFIED,
            Self::Corrupt { .. } => Code::DATABASE_CORRUPT,
        }
    }
}

/// Something that seals secrets before they are written down (`credentials.md` §4.1).
pub trait Seal: Send + Sync {
    /// Seals `plain` so that it opens again only together with the same `bound_to`: the job, its
    /// owner, target and scheme, so that a record copied to another place is worthless there.
    ///
    /// # Errors
    /// When it is too large, or no randomness can be had.
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens what [`Seal::seal`] made. `sealed` may be anything; it is foreign bytes.
    ///
    /// # Errors
    /// When it was sealed with another key or for another place, or is damaged.
    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError>;

    /// Where the key is from, for a person.
    fn key_source(&self) -> &str;
}

/// Why a secret could not be sealed or opened. Never says anything about the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("a secret of {bytes} bytes cannot be sealed: {bytes_max} bytes are the most")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("a secret cannot be sealed: the system gives no random numbers")]
    NoRandomness,
    #[error("the sealed secret is not of a form that this version knows")]
    UnknownForm,
    #[error("the secret was sealed with another key than the one from {key_source}")]
    OtherKey { key_source: String },
    #[error("the sealed secret is damaged, or was sealed for another place")]
    DoesNotOpen,
}
