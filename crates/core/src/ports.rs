//! What the product asks of its surroundings, in plain domain types.
//!
//! The core calls none of these; the floors above do. One contract suite per port says what an
//! implementation must do.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::access::Allowed;
use crate::conditions::{CostFlags, Way};
use crate::credentials::SecretSlot;
use crate::demand::{Beyond, Filled};
use crate::error::Code;
use crate::file::{
    BootId, ClosingFile, DestinationTag, File, FileError, FileIndex, PartialId, Served, Validator,
};
use crate::job::{Job, JobId, Owner, Priority, Progress, Revision};
use crate::proxy::ProxyRules;
use crate::ranges::ByteRange;
use crate::remote_name::{HostTag, RemoteName};
use crate::sources::Sources;
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

    /// Whether all that was committed is where it stays. If not it survives a power cut all the same, and is
    /// read like everything else, but there is work left, which is done with one of the next commits or by
    /// [`Store::settle`].
    fn is_settled(&self) -> bool {
        true
    }

    /// Does the work that is left, when there is time.
    ///
    /// # Errors
    /// When it could not be written. Nothing is lost by that.
    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

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

    /// The same of those files, as far as it matters at their end.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn closing_files(
        &mut self,
        id: JobId,
        from: FileIndex,
        limit: usize,
    ) -> Result<Vec<ClosingFile>, StoreError> {
        Ok(self.files(id, from, limit)?.into_iter().map(ClosingFile::from).collect())
    }

    /// Those of `wanted` that a file of `id` goes to. Asked for whenever files are added, so it looks
    /// for each by itself, and goes only through those files of the job that were added before version 8
    /// of the schema: of them no tag is on record.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn destinations_taken(
        &mut self,
        id: JobId,
        wanted: &[DestinationTag],
    ) -> Result<Vec<DestinationTag>, StoreError>;

    /// The secrets of `id`, sealed, in the order of their slots.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn secrets(&mut self, id: JobId) -> Result<Vec<SealedSecret>, StoreError>;

    /// Up to `limit` jobs that fit `filter`, oldest first, after the place `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError>;

    /// Whoever owns a job, final ones too, in the order of their numbers.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn everybody(&mut self) -> Result<Vec<Owner>, StoreError>;

    /// How many jobs of `owner` are in each state that has any; final ones are not counted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError>;

    /// Shows `each` every job that a service has something to do for when it starts: those that run,
    /// those whose partial files may lie about, those of which something is still to be told, those
    /// that wait to be completed by the service, and the queued ones that were asked for credentials.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError>;

    /// Up to `limit` jobs that are queued, in the order of their [places](QueuedJob::place), after the
    /// place `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn queued(&mut self, after: Option<QueuedPlace>, limit: usize) -> Result<Vec<QueuedJob>, StoreError>;

    /// Up to `limit` jobs that wait for their retry, oldest first, after the place `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn retrying(&mut self, after: Option<Cursor>, limit: usize) -> Result<Vec<Job>, StoreError>;

    /// Drops final jobs last changed before `before` that have nothing left to discard.
    ///
    /// # Errors
    /// When it could not be written.
    fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError>;

    /// Calls `each` with every owner who has jobs that are not over, and how many.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn owners(&mut self, each: &mut dyn FnMut(Owner, u32)) -> Result<(), StoreError>;

    /// Up to `limit` jobs that are not over, or of which something is still to be told, in the order of
    /// the [places](JobId::place) of their ids, after the id `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn live(&mut self, after: Option<JobId>, limit: usize) -> Result<Vec<JobId>, StoreError>;

    /// Up to `limit` jobs that are not over and to which nothing has happened after `until`
    /// ([`Job::active_at`]), longest ago first, after the place `after` in that order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn inactive(
        &mut self,
        until: Timestamp,
        after: Option<(Timestamp, JobId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError>;

    /// The key that was chosen for this store, once one is.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn sealing_key(&mut self) -> Result<Option<SealingKey>, StoreError>;

    /// Whether any job has a secret.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn has_secrets(&mut self) -> Result<bool, StoreError>;

    /// Puts `key` on record and in the place of each secret's record what `rewrap` makes of it:
    /// all of it in one transaction, or nothing.
    ///
    /// # Errors
    /// [`RekeyError::Seal`] when one cannot be made anew: then nothing was begun to be written. With
    /// [`RekeyError::Store`] it may show only when the store is opened again which key is on record.
    fn rekey(&mut self, key: SealingKey, rewrap: &mut Rewrap<'_>) -> Result<(), RekeyError>;
}

/// Makes a record for another key of the one that a job of this owner has.
pub type Rewrap<'a> = dyn FnMut(JobId, Owner, &SealedSecret) -> Result<Vec<u8>, SealError> + 'a;

/// The word for a state, without what belongs to it.
pub type StateName = &'static str;

/// Changes that are written together or not at all. What the queue decides has jobs, and files by their
/// jobs, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub jobs: Vec<JobChange>,
    /// Those of one job are made one after another.
    pub files: Vec<(JobId, FileChange)>,
    pub secrets: Vec<(JobId, SecretChange)>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.files.is_empty() && self.secrets.is_empty()
    }

    /// What becomes of the job `id`, in a batch that is in order.
    pub fn job(&self, id: JobId) -> Option<&JobChange> {
        let found = self.jobs.binary_search_by_key(&id, |change| change.job.id);
        found.ok().map(|at| &self.jobs[at])
    }

    /// What becomes of the files of the job `id`, in a batch that is in order.
    pub fn files_of(&self, id: JobId) -> impl Iterator<Item = &FileChange> {
        let first = self.files.partition_point(|(job, _)| *job < id);
        self.files[first..].iter().take_while(move |(job, _)| *job == id).map(|(_, change)| change)
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
#[expect(
    clippy::large_enum_variant,
    reason = "a batch lives for one turn, and those with a whole file are rare"
)]
pub enum FileChange {
    Add(File),
    /// The version that is being fetched from now on; nothing of it is on the disk yet, nor filled.
    Version {
        index: FileIndex,
        size: Option<Bytes>,
        validator: Validator,
        served: Served,
        boot: BootId,
        partial: PartialId,
    },
    /// What the server said when it went on with a version.
    Headers {
        index: FileIndex,
        headers: String,
    },
    /// What is known of its sources.
    Sources {
        index: FileIndex,
        sources: Sources,
    },
    /// Where it is fetched from now on; `moved` when the version that is known is of another place.
    RemoteName {
        index: FileIndex,
        remote_name: RemoteName,
        moved: bool,
    },
    /// This much is on the disk for sure.
    Durable {
        index: FileIndex,
        upto: Bytes,
    },
    /// These ranges are requested of it, after those that are.
    Requested {
        index: FileIndex,
        ranges: Vec<ByteRange>,
    },
    /// From where it is fetched when nothing is requested.
    Position {
        index: FileIndex,
        position: Bytes,
    },
    /// The file turned out not to have what was asked for.
    Withdrawn {
        index: FileIndex,
        beyond: Beyond,
    },
    /// Just this is on the disk for sure. What was requested of it is requested no longer.
    Filled {
        index: FileIndex,
        filled: Filled,
    },
    /// All of it is on the disk for sure.
    Transferred {
        index: FileIndex,
        size: Bytes,
    },
    /// [`FileChange::Version`] and [`FileChange::Transferred`] at once.
    Whole {
        index: FileIndex,
        size: Bytes,
        validator: Validator,
        served: Served,
        boot: BootId,
    },
    /// It is under its final name.
    Completed {
        index: FileIndex,
    },
    /// Its owner has found its content to be right; of a file that is not whole nothing is said.
    Valid {
        index: FileIndex,
    },
    /// It has failed, and the job keeps going.
    PassedOver {
        index: FileIndex,
        error: FileError,
    },
    /// All files that were passed over are to be tried again.
    TryAgain,
    /// What there was of it is gone, or of no use: it begins anew.
    Lost {
        index: FileIndex,
    },
}

/// A change to the secrets of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretChange {
    /// Replaces what its slot had.
    Set(SealedSecret),
    Remove(SecretSlot),
    /// Empties the slots of all headers.
    RemoveHeaders,
    /// Empties all slots but that of the webhook.
    RemoveAllButWebhook,
    RemoveAll,
}

/// A secret that only the holder of the key can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    pub slot: SecretSlot,
    pub record: Vec<u8>,
}

/// Which key seals the secrets of a store: its name, and where it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealingKey {
    pub id: KeyId,
    pub source: KeySource,
}

/// The name of a key. It says nothing about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    /// Sixteen hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a key is kept (`credentials.md` §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// A file of the service's user alone, beside the store.
    KeyFile,
    /// A credential that systemd gives the service.
    SystemdCredential,
}

impl KeySource {
    pub const ALL: [Self; 2] = [Self::KeyFile, Self::SystemdCredential];

    /// The word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyFile => "key_file",
            Self::SystemdCredential => "systemd_credential",
        }
    }
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
    /// Only jobs whose error is about credentials.
    pub challenged: bool,
}

/// The list that `filter` wants, of everybody's jobs; whose it names does not count. There are as many
/// owners as a machine has users, so a list of each is read.
///
/// # Errors
/// When the store cannot be read.
pub fn list_of_everybody(
    store: &mut dyn Store,
    _: Allowed,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut all = Page::default();
    let mut goes_on = false;
    for owner in store.everybody()? {
        let page = store.list(&Filter { owner, ..filter.clone() }, after, limit)?;
        goes_on |= page.next.is_some();
        all.jobs.extend(page.jobs);
    }
    all.jobs.sort_by_key(|(job, _)| (job.times.created, job.id));
    goes_on |= all.jobs.len() > limit;
    all.jobs.truncate(limit);
    let last = all.jobs.last().filter(|_| goes_on);
    all.next = last.map(|(last, _)| Cursor { created: last.times.created, id: last.id });
    Ok(all)
}

/// Characters of an id that are enough to name a job; fewer are a name and nothing else.
pub const ID_START_MIN: usize = 4;

/// A place in a list of jobs: after the job with this time and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub created: Timestamp,
    pub id: JobId,
}

/// A job that is queued, as far as whose turn it is depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedJob {
    pub id: JobId,
    pub owner: Owner,
    pub priority: Priority,
    pub host: HostTag,
    /// What it says itself of the network's cost.
    pub cost: Option<CostFlags>,
    /// By what way its requests go.
    pub way: Way,
    pub created: Timestamp,
}

/// A place among the jobs that are queued: those of the highest priority come first, of those the
/// oldest.
pub type QueuedPlace = (Priority, Timestamp, JobId);

impl QueuedJob {
    /// Where it stands among the others.
    pub fn place(&self) -> QueuedPlace {
        (self.priority, self.created, self.id)
    }
}

impl From<&Job> for QueuedJob {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id,
            owner: job.owner,
            priority: job.properties.priority,
            host: job.host,
            cost: job.properties.transfer.cost_flags,
            way: ProxyRules::way(&job.properties.http.proxy, &job.properties.environment.proxies),
            created: job.times.created,
        }
    }
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
    #[error("no more may be written to the disk that holds the queue: its quota is used up")]
    QuotaExceeded,
    #[error("the file system that holds the queue is read-only")]
    ReadOnly,
    #[error("the disk that holds the queue fails: the queue could not be {doing} ({reason})")]
    Device { doing: &'static str, reason: String },
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
            Self::QuotaExceeded => Code::QUOTA_EXCEEDED,
            Self::ReadOnly => Code::WRITE_PROTECT,
            Self::Device { .. } => Code::IO_DEVICE,
            Self::Io { .. } => Code::UNSPECIFIED,
            Self::Corrupt { .. } => Code::DATABASE_CORRUPT,
        }
    }
}

/// Why a store did not change to another key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RekeyError {
    #[error("a secret of the job {job} could not be sealed anew: {error}")]
    Seal { job: JobId, error: SealError },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something that seals secrets before they are written down (`credentials.md` §4.1).
pub trait Seal: Send + Sync {
    /// Seals `plain` so that it opens again only together with the same `bound_to`: the job, its
    /// owner and slot, so that a record copied to another place is worthless there.
    ///
    /// # Errors
    /// When it is too large, there is no key, or no randomness can be had.
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens what [`Seal::seal`] made. `sealed` may be anything; it is foreign bytes.
    ///
    /// # Errors
    /// When there is no key, it was sealed with another key or for another place, or is damaged.
    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError>;

    /// Which key it is, and whether it is there.
    fn standing(&self) -> KeyStanding;

    /// Makes another key that is to take this one's place. Until it does, both are there.
    ///
    /// # Errors
    /// [`SealError::KeyNotChanged`] where that is not for us to do, or failed.
    fn change_key(&self) -> Result<Box<dyn KeyChange>, SealError>;
}

/// A change from one key to another that is under way: made, written by [`Store::rekey`], then
/// finished. Whoever dies in between finds the key that is on record, whichever it is.
pub trait KeyChange: Send {
    /// The new key, to be put on record.
    fn key(&self) -> SealingKey;

    /// Makes a record for the new key of one for the old; the secret itself is not opened where the
    /// form of the record spares it.
    ///
    /// # Errors
    /// As [`Seal::open`].
    fn rewrap(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError>;

    /// The new key is on record for good: the old one goes. Returns what seals from now on, and what
    /// a person should know when the old key could not be removed.
    fn finish(self: Box<Self>) -> (Arc<dyn Seal>, Option<String>);

    /// Nothing was written: the new key goes.
    fn abandon(self: Box<Self>);
}

/// A key, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStanding {
    /// Where the key is from, for a person.
    pub place: String,
    /// The key; unknown when it is missing and nobody has put its name on record.
    pub id: Option<KeyId>,
    pub source: KeySource,
    /// Why the key is not there, in a sentence, when it is not.
    pub missing: Option<String>,
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
    /// The key on record is not there, so nothing is sealed and nothing opened.
    #[error("{reason}")]
    NoKey { reason: String },
    #[error("{reason}")]
    KeyNotChanged { reason: String },
}
