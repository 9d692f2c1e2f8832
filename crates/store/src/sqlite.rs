//! Jobs in an SQLite database: one file, one holder, one transaction per turn of the engine.
//!
//! The log is written ahead (WAL) and synced at each commit (`synchronous = FULL`): with SQLite's
//! own defaults the last acknowledged commit can be lost in a power cut. New jobs share a commit with
//! the next ones, and are on the disk before that in an `intake` of their own. Opening — what may be
//! opened, what is set aside — is in `open`; the statements are in `reading` and `writing`.

mod adding;
mod intake;
mod key;
mod log_length;
mod migrate;
mod number;
mod open;
mod reading;
mod soundness;
mod sums;
mod transaction;
mod trouble;
mod writing;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bits_core::file::{BootId, ClosingFile, DestinationTag, File, FileIndex};
use bits_core::job::{Job, JobId, Owner, Progress};
use bits_core::ports::{
    Batch, Cursor, Filter, Page, QueuedJob, QueuedPlace, RekeyError, Rewrap, SealedSecret, SealingKey,
    StateName, Store, StoreError,
};
use bits_core::time::Timestamp;
use rusqlite::Connection;

use crate::rows::failed;

pub use open::{Examination, OpenError, Opened, SetAside};
pub use soundness::{Check, Looked};

use intake::{Intake, ROWS_MAX};
use log_length::LogLength;
use open::{LOG_BYTES_MAX, Look, pragma};
use soundness::Checked;
use transaction::Writing;
use writing::FORGOTTEN_AT_ONCE_MAX;

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    /// The check that is under way; goes before the connection, which is closed then.
    checked: Option<Checked>,
    connection: Connection,
    /// New jobs that are in a transaction which is open, and on the disk already.
    intake: Intake,
    spilling: Spilling,
    /// Whether the log may still hold secrets that were removed.
    wipe_owed: bool,
    log_length: LogLength,
    /// The file that was opened: where it is, its device and its number there.
    place: (PathBuf, Option<(u64, u64)>),
}

impl SqliteStore {
    /// Opens the database at `path`, or makes it, readable for its owner alone. Only one process
    /// at a time can have it open.
    ///
    /// A damaged database is set aside and a fresh one is made; [`Opened::set_aside`] tells.
    ///
    /// # Errors
    /// [`OpenError::Newer`] when a newer version has written it: nothing is touched then. Any
    /// other [`OpenError`] when it must not or could not be opened.
    pub fn open(path: &Path) -> Result<Opened, OpenError> {
        open::open(path, Look::All)
    }

    /// The same without a look at all of it first, but where there is reason: it is suspected to be damaged,
    /// of an earlier version, or was not closed and this is another `boot` of the machine than the one it was
    /// used in. Else [`Opened::check`] is to be run meanwhile.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_quickly(path: &Path, boot: Option<BootId>) -> Result<Opened, OpenError> {
        open::open(path, Look::WhereNeeded(boot))
    }

    /// Why the database at `path` is to be gone through before it is used again, if it is. A service may
    /// have it open.
    pub fn suspicion(path: &Path) -> Option<String> {
        soundness::suspicion(path)
    }

    /// Looks at the database at `path` and changes nothing of it; `None` when there is none. With
    /// `deep` all of it is gone through; a service that has it open is then in the way.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]. That it is damaged is no error here but what was found.
    pub fn examine(path: &Path, deep: bool) -> Result<Option<Examination>, OpenError> {
        open::examine(path, deep)
    }

    fn new(connection: Connection, checked: Option<Checked>) -> Self {
        let path = PathBuf::from(connection.path().unwrap_or_default());
        let place = (path.clone(), identity(&path));
        let log_length = LogLength::of(&path, LOG_BYTES_MAX.into());
        let intake = Intake::of(&path);
        Self { checked, connection, intake, spilling: Spilling(true), wipe_owed: false, log_length, place }
    }

    /// That the database is still where it was opened: SQLite writes on into a file that was taken
    /// away, and nobody would find that again.
    fn check_in_place(&self) -> Result<(), StoreError> {
        let (path, opened) = &self.place;
        if identity(path) == *opened {
            return Ok(());
        }
        let reason = format!("{} was taken away; `bits service restart` begins anew", path.display());
        Err(StoreError::Io { doing: "written", reason })
    }

    /// Empties the log into the database and cuts it to nothing. What was removed is overwritten
    /// in the database (`secure_delete`), but stays readable in the log until then.
    fn wipe_log(&mut self) {
        // The commit that owes it is done and must not fail any more: the next one tries again.
        let empty = || self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        let emptied = match &self.checked {
            Some(checked) => checked.while_written(empty),
            None => empty(),
        };
        self.wipe_owed = !emptied.is_ok_and(|blocked: i64| blocked == 0);
    }

    /// Writes `batch` with what waits for it; what `may_wait` itself only waits then. Nothing of it where that
    /// fails.
    fn put(&mut self, batch: &Batch, may_wait: bool) -> Result<(), StoreError> {
        self.check_in_place()?;
        if batch.is_empty() && may_wait && !self.wipe_owed {
            return Ok(());
        }
        if rows(batch) > ROWS_MAX && self.intake.is_awaited() {
            // What is long has a transaction of its own, of which not all has to be in memory.
            self.put(&Batch::default(), false)?;
        }
        let written = self.add_again().and_then(|()| self.write(batch, may_wait));
        if written.is_err() {
            // What waited was taken back together with it. Who reads next tries again if that is in vain.
            _ = self.add_again();
        }
        let written = written.map_err(|error| trouble::explained(error, &self.place.0));
        let Written::Committed { removed_secrets } = self.seen(written)? else { return Ok(()) };
        if removed_secrets || self.wipe_owed {
            self.wipe_log();
        }
        self.look_after_log();
        self.log_length.look();
        Ok(())
    }

    fn write(&mut self, batch: &Batch, may_wait: bool) -> Result<Written, StoreError> {
        let record = self.intake.record(rows(batch)).filter(|_| may_wait);
        let record = record.and_then(|record| writing::record(batch, record));
        // Dropped on the way out of an error, it is rolled back.
        let transaction = match self.intake.is_awaited() {
            true => Writing::go_on(&self.connection),
            false => self.spilling.begin(&self.connection, rows(batch) > ROWS_MAX)?,
        };
        let removed_secrets = writing::write(&transaction, batch)?;
        if record.is_some_and(|record| self.intake.append(record)) {
            transaction.leave_open();
            return Ok(Written::Waits);
        }
        let generation = self.intake.pass_over(&transaction)?;
        let committed = transaction.commit().map_err(failed("written"));
        committed.inspect_err(|_| self.intake.is_in_doubt())?;
        self.intake.passed(generation);
        Ok(Written::Committed { removed_secrets })
    }

    /// Where the transaction is gone that had new jobs which are on the disk, they are added to another one.
    fn add_again(&mut self) -> Result<(), StoreError> {
        if !self.intake.is_awaited() || !self.connection.is_autocommit() {
            return Ok(());
        }
        let transaction = self.spilling.begin(&self.connection, false)?;
        self.intake.add_again(&transaction)?;
        transaction.leave_open();
        Ok(())
    }

    /// Reads, with all that was acknowledged.
    fn read<T>(&mut self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let read = self.add_again().and_then(|()| read(&self.connection));
        self.seen(read)
    }

    /// After each commit: while a check is under way nothing else keeps the log from growing.
    fn look_after_log(&mut self) {
        self.checked = self.checked.take().filter(|checked| checked.goes_on(&self.connection));
    }

    /// Takes note of what was read or written: where the database turns out to be damaged, the next start
    /// goes through it.
    fn seen<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Corrupt { reason }) = &result {
            soundness::suspect(&self.place.0, reason);
        }
        result
    }
}

/// How many rows `batch` writes at most, but for those that several changes are of.
fn rows(batch: &Batch) -> usize {
    batch.jobs.len() + batch.files.len() + batch.secrets.len()
}

/// Whether a transaction that changes many pages may put some of them into the log before it is committed. One
/// that may be left open may not: on a full disk a question would fail by it.
#[derive(Debug)]
struct Spilling(bool);

impl Spilling {
    fn begin<'c>(&mut self, connection: &'c Connection, spills: bool) -> Result<Writing<'c>, StoreError> {
        if self.0 != spills {
            // It holds from the next transaction on.
            pragma(connection, "cache_spill", spills).map_err(failed("written"))?;
            self.0 = spills;
        }
        Writing::begin(connection).map_err(failed("written"))
    }
}

/// What became of a batch that is on the disk.
enum Written {
    /// It is in the transaction that is open.
    Waits,
    Committed {
        /// Or replaced.
        removed_secrets: bool,
    },
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // What cannot be committed now is taken over from the intake when it is opened again.
        if self.settle().is_ok() {
            self.intake.remove();
        }
    }
}

/// Which file `path` is.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl Store for SqliteStore {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.put(batch, true)
    }

    fn is_settled(&self) -> bool {
        self.intake.is_settled()
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        if self.is_settled() { Ok(()) } else { self.put(&Batch::default(), false) }
    }

    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.read(|connection| reading::job(connection, id))?.map(|(job, _)| job))
    }

    fn progress(&mut self, id: JobId) -> Result<Progress, StoreError> {
        self.read(|connection| reading::progress(connection, id))
    }

    fn files(&mut self, id: JobId, from: FileIndex, limit: usize) -> Result<Vec<File>, StoreError> {
        self.read(|connection| reading::files(connection, id, from, limit))
    }

    fn closing_files(
        &mut self,
        id: JobId,
        from: FileIndex,
        limit: usize,
    ) -> Result<Vec<ClosingFile>, StoreError> {
        self.read(|connection| reading::closing_files(connection, id, from, limit))
    }

    fn destinations_taken(
        &mut self,
        id: JobId,
        wanted: &[DestinationTag],
    ) -> Result<Vec<DestinationTag>, StoreError> {
        self.read(|connection| reading::destinations_taken(connection, id, wanted))
    }

    fn secrets(&mut self, id: JobId) -> Result<Vec<SealedSecret>, StoreError> {
        self.read(|connection| reading::secrets(connection, id))
    }

    fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.read(|connection| reading::list(connection, filter, after, limit))
    }

    fn everybody(&mut self) -> Result<Vec<Owner>, StoreError> {
        self.read(reading::everybody)
    }

    fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError> {
        self.read(|connection| reading::counts(connection, owner))
    }

    fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError> {
        self.read(|connection| reading::unfinished(connection, each))
    }

    fn queued(&mut self, after: Option<QueuedPlace>, limit: usize) -> Result<Vec<QueuedJob>, StoreError> {
        self.read(|connection| reading::queued(connection, after, limit))
    }

    fn retrying(&mut self, after: Option<Cursor>, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.read(|connection| reading::retrying(connection, after, limit))
    }

    fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.settle()?;
        let mut forgotten = 0;
        loop {
            let some = writing::forget_some_final(&self.connection, before)?;
            // Each is a commit of its own, and a long list of them fills the log as any others do.
            self.look_after_log();
            forgotten += some as u64;
            if some < FORGOTTEN_AT_ONCE_MAX {
                return Ok(forgotten);
            }
        }
    }

    fn owners(&mut self, each: &mut dyn FnMut(Owner, u32)) -> Result<(), StoreError> {
        self.read(|connection| reading::owners(connection, each))
    }

    fn live(&mut self, after: Option<JobId>, limit: usize) -> Result<Vec<JobId>, StoreError> {
        self.read(|connection| reading::live(connection, after, limit))
    }

    fn inactive(
        &mut self,
        until: Timestamp,
        after: Option<(Timestamp, JobId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        self.read(|connection| reading::inactive(connection, until, after, limit))
    }

    fn sealing_key(&mut self) -> Result<Option<SealingKey>, StoreError> {
        self.read(key::on_record)
    }

    fn has_secrets(&mut self) -> Result<bool, StoreError> {
        self.read(key::has_secrets)
    }

    fn rekey(&mut self, key: SealingKey, rewrap: &mut Rewrap<'_>) -> Result<(), RekeyError> {
        self.settle().map_err(RekeyError::Store)?;
        key::rekey(&mut self.connection, key, rewrap).map_err(|error| match error {
            RekeyError::Store(error) => RekeyError::Store(trouble::explained(error, &self.place.0)),
            error => error,
        })?;
        // What the old key has sealed is not to outlive it in the log.
        self.wipe_log();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bits_core::file::{File, LocalName};
    use bits_core::job::Properties;
    use bits_core::ports::{FileChange, JobChange};
    use bits_core::remote_name::RemoteName;

    use super::*;

    #[test]
    fn a_full_disk_costs_the_batch_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = SqliteStore::open(&folder.path().join("jobs.db")).expect("a store").store;
        assert_eq!(store.commit(&a_job_with_files(1, 1)), Ok(()));
        let pages: u32 =
            store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).expect("a count");
        let limit = |store: &SqliteStore, pages: u32| {
            store.connection.pragma(None, "max_page_count", pages, |_| Ok(())).expect("a limit");
        };
        limit(&store, pages);
        assert_eq!(store.commit(&a_job_with_files(2, 1_000)), Err(StoreError::Full));
        assert_eq!(store.job(JobId([2; 16])), Ok(None), "nothing of it is there");
        assert_eq!(store.job(JobId([1; 16])).map(|job| job.is_some()), Ok(true), "all else is");
        limit(&store, u32::MAX);
        assert_eq!(store.commit(&a_job_with_files(2, 1_000)), Ok(()), "and it goes on when there is room");
        assert_eq!(store.progress(JobId([2; 16])).map(|progress| progress.files_total), Ok(1_000));
    }

    #[test]
    fn nothing_is_written_to_a_database_that_was_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        let mut store = SqliteStore::open(&path).expect("a store").store;
        std::fs::rename(&path, folder.path().join("elsewhere")).expect("renamed");
        let refused = store.commit(&a_job_with_files(1, 1)).expect_err("nobody would find it");
        assert!(refused.to_string().contains("jobs.db was taken away"), "{refused}");
        std::fs::rename(folder.path().join("elsewhere"), &path).expect("renamed");
        assert_eq!(store.commit(&a_job_with_files(1, 1)), Ok(()), "it is back, and so is the store");
    }

    #[test]
    fn numbers_that_do_not_fit_become_the_greatest_that_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = SqliteStore::open(&folder.path().join("jobs.db")).expect("a store").store;
        let mut batch = a_job_with_files(1, 1);
        let greatest = i64::MAX.unsigned_abs();
        let properties = &mut batch.jobs[0].job.properties;
        properties.minimum_retry_delay = Some(std::time::Duration::MAX);
        properties.no_progress_timeout = std::time::Duration::from_nanos(1);
        batch.jobs[0].job.stalled_since = Some(Timestamp(u64::MAX));
        let FileChange::Add(file) = &mut batch.files[0].1 else { panic!("a file is added") };
        file.size = Some(bits_core::units::Bytes(u64::MAX));
        assert_eq!(store.commit(&batch), Ok(()));
        let job = store.job(JobId([1; 16])).expect("a job").expect("it is there");
        assert_eq!(job.properties.minimum_retry_delay, Some(std::time::Duration::from_millis(greatest)));
        assert_eq!(job.properties.no_progress_timeout, std::time::Duration::from_millis(1), "not zero");
        assert_eq!(job.stalled_since, Some(Timestamp(greatest)));
        let files = store.files(job.id, FileIndex(0), 1).expect("files");
        assert_eq!(files[0].size, Some(bits_core::units::Bytes(greatest)));
    }

    #[test]
    fn what_is_forgotten_in_pieces_empties_the_log_once_the_check_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        let boot = BootId([1; 16]);
        drop(SqliteStore::open(&path).expect("a store"));
        let mut opened = SqliteStore::open_quickly(&path, Some(boot)).expect("a store");
        let pages_of = |store: &SqliteStore| -> u32 {
            let pages = store.connection.pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0));
            pages.expect("a setting")
        };
        assert_eq!(opened.store.forget_final(Timestamp(1)), Ok(0));
        assert_eq!(pages_of(&opened.store), 0, "the file is to stay as it is");
        drop(opened.check.take().expect("it is to be run"));
        assert_eq!(opened.store.forget_final(Timestamp(1)), Ok(0));
        assert_eq!(pages_of(&opened.store), open::LOG_PAGES, "as without a check");
    }

    #[test]
    fn the_database_stays_locked_while_it_is_asked_why_it_could_not_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        let mut store = SqliteStore::open(&path).expect("a store").store;
        assert_eq!(store.commit(&a_job_with_files(1, 1)), Ok(()));
        let locks = || locks_on(&path);
        let before = locks();
        assert!(before > 0, "it is held");
        let device = StoreError::Device { doing: "written", reason: "disk I/O error".into() };
        assert_eq!(trouble::explained(device.clone(), &path), device);
        assert_eq!(locks(), before, "closing a descriptor of it would have let all of them go");
    }

    /// The locks that this process has on the file `path`, as a descriptor of it has them that is open already:
    /// of all locks at once the kernel tells piece by piece, and others come and go meanwhile.
    fn locks_on(path: &Path) -> usize {
        let path = std::fs::canonicalize(path).expect("a file");
        let open = std::fs::read_dir("/proc/self/fd").expect("the kernel tells");
        let of_it = open
            .filter_map(Result::ok)
            .find(|open| std::fs::read_link(open.path()).is_ok_and(|leads_to| leads_to == path))
            .expect("it is open");
        let descriptor = Path::new("/proc/self/fdinfo").join(of_it.file_name());
        let told = std::fs::read_to_string(descriptor).expect("the kernel tells");
        told.lines().filter(|line| line.starts_with("lock:")).count()
    }

    fn a_job_with_files(number: u8, files: u32) -> Batch {
        let id = JobId([number; 16]);
        let properties = Properties::named("job".into()).expect("a name");
        let job = Job::new(id, Owner(1), properties, Timestamp(0));
        let remote_name = RemoteName::stored("http://h.test/f").expect("a remote name");
        let local_name = LocalName::parse("/tmp/f").expect("a local name");
        let file = |index| File::new(FileIndex(index), remote_name.clone(), local_name.clone());
        Batch {
            jobs: vec![JobChange { job, was: None }],
            files: (0..files).map(|index| (id, FileChange::Add(file(index)))).collect(),
            secrets: Vec::new(),
        }
    }
}
