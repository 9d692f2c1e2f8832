//! The intake: new jobs are on the disk here, by one write that is synced, before the database has them for sure.
//!
//! A new job is seven pages of the database, which its log has all of, and what makes it safe is that one
//! [`Record`] of it is on the disk. So it is added to the database in a transaction that stays open, with the next
//! ones, and the record is what is synced. When the transaction is committed what is recorded counts no more:
//! the database says which generation of records does. Whoever finds records of that one, as after a crash,
//! adds their rows ([`take_over`]).
//!
//! Which changes are recorded is not decided here.

mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bits_core::ports::StoreError;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _};
use rustix::fs::OFlags;

use super::soundness::beside;
use super::transaction::Writing;
use crate::rows::failed;

use record::{Aligned, BLOCK};
pub(super) use record::{Record, Rows};

/// Beside the database, the intake.
pub(super) const INTAKE: &str = "-intake";

/// Where the database says which generation of records counts, a number.
const GENERATION: &str = "intake";

/// Its length in bytes, all of which is there before it is used: a sync has no more to write than the record.
const LENGTH: usize = 1 << 20;

/// Rows of a record. A batch of more is well worth a commit.
pub(super) const ROWS_MAX: usize = 256;

/// The intake of a database that one connection alone writes to.
#[derive(Debug)]
pub(super) struct Intake {
    /// Where it is, when that can be said.
    path: Option<PathBuf>,
    /// None before it is used, and where it cannot be.
    file: Option<File>,
    /// False from the first trouble on: all is committed at once then.
    is_usable: bool,
    /// As the database has it for sure; each commit of something that waited brings another one.
    generation: Option<i64>,
    /// What is recorded by this generation and in the transaction that is open, and where it ends in the file.
    waiting: Vec<Record>,
    end: usize,
    /// Whether there may be more of it in the file than that.
    is_spoilt: bool,
}

impl Intake {
    /// That of the database at `path`, which has nothing to take over.
    pub(super) fn of(path: &Path) -> Self {
        let path = (!path.as_os_str().is_empty()).then(|| beside(path, INTAKE));
        Self {
            is_usable: path.is_some(),
            path,
            file: None,
            // An earlier process may have left records of the one that is there.
            generation: None,
            waiting: Vec::new(),
            end: 0,
            is_spoilt: false,
        }
    }

    /// Whether a transaction is to be open, with what is recorded.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a commit has nothing to bring to its end here.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_awaited() && !self.is_spoilt
    }

    /// For a change of so many `rows`, if it can be recorded.
    pub(super) fn record(&self, rows: usize) -> Option<Record> {
        let is_ready = self.is_usable && self.file.is_some() && self.generation.is_some();
        (is_ready && (1..=ROWS_MAX).contains(&rows)).then(Record::new)
    }

    /// Puts `record` on the disk. Says whether it is there: if not it has to be committed, for want of room, or
    /// because of trouble, by which it is slower from now on and nothing else.
    pub(super) fn append(&mut self, mut record: Record) -> bool {
        let Some((file, generation)) = self.file.as_ref().zip(self.generation) else { return false };
        let sealed =
            record.sealed(generation, u32::try_from(self.waiting.len()).expect("it has blocks for few"));
        let bytes = sealed.bytes();
        if self.end + bytes.len() > LENGTH {
            return false;
        }
        if file.write_all_at(bytes, self.end as u64).is_err() {
            self.is_usable = false;
            self.is_spoilt = true;
            // Should the commit fail as well, it was refused and is not to be found later.
            _ = file.write_all_at(Aligned::new(&[0; BLOCK]).bytes(), self.end as u64);
            return false;
        }
        self.end += bytes.len();
        self.waiting.push(record);
        true
    }

    /// Has `transaction`, which is about to be committed, say that what is recorded counts no more. To be
    /// [passed](Intake::passed) on once it is.
    pub(super) fn pass_over(&self, transaction: &Writing<'_>) -> Result<Option<i64>, StoreError> {
        let is_first = self.generation.is_none() && self.is_usable;
        match is_first || !self.is_settled() {
            true => next_generation(transaction).map(Some).map_err(failed("written")),
            false => Ok(self.generation),
        }
    }

    /// The transaction is committed, and with it the `generation` that counts now.
    pub(super) fn passed(&mut self, generation: Option<i64>) {
        self.generation = generation;
        self.waiting.clear();
        (self.end, self.is_spoilt) = (0, false);
        if self.file.as_ref().is_some_and(|file| file.metadata().is_ok_and(|file| file.nlink() == 0)) {
            self.file = None;
        }
        if let Some(path) = self.path.as_ref().filter(|_| self.is_usable && self.file.is_none()) {
            self.file = ready(path).ok();
            self.is_usable = self.file.is_some();
        }
    }

    /// The commit has failed. What it wrote may be found by the next start all the same, and with it a generation
    /// that is not known here: nothing is recorded until another one is committed.
    pub(super) fn is_in_doubt(&mut self) {
        self.generation = None;
    }

    /// Nothing waits, and nobody uses it any more.
    pub(super) fn remove(&mut self) {
        let Some((path, file)) = self.path.as_ref().zip(self.file.take()) else { return };
        let is_ours = |file: std::fs::Metadata| {
            std::fs::symlink_metadata(path)
                .is_ok_and(|there| (there.dev(), there.ino()) == (file.dev(), file.ino()))
        };
        if file.metadata().is_ok_and(is_ours) {
            // One that stays says nothing to anybody.
            _ = std::fs::remove_file(path);
        }
    }

    /// Adds again what was recorded, where the transaction that had it is gone.
    pub(super) fn add_again(&self, transaction: &Writing<'_>) -> Result<(), StoreError> {
        let mut records = self.waiting.iter();
        records.try_for_each(|record| record::add(transaction, record.rows())).map_err(|error| match error {
            Unusable::Refused(error) => failed("written")(error),
            Unusable::Senseless | Unusable::Unread(_) => unreachable!("it was written here just now"),
        })
    }
}

/// Opens the intake at `path`, or makes it as long as it is to be. What is written to it is on the disk then.
fn ready(path: &Path) -> io::Result<File> {
    let open = |flags: OFlags| {
        let flags = (flags | OFlags::NOFOLLOW).bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)
    };
    let file = open(OFlags::empty())?;
    let length = file.metadata()?.len();
    if length < LENGTH as u64
        && let Err(error) = file.write_all_at(&vec![0; LENGTH], 0)
    {
        // A disk that is nearly full has better use for what was written of it.
        std::fs::remove_file(path)?;
        return Err(error);
    }
    file.sync_all()?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
    // Nothing waits, so the first block says nothing. Not every file system takes writes past the cache.
    let past_cache = open(OFlags::DIRECT | OFlags::DSYNC);
    match past_cache.and_then(|file| file.write_all_at(Aligned::new(&[0; BLOCK]).bytes(), 0).map(|()| file)) {
        Ok(file) => Ok(file),
        Err(_) => open(OFlags::DSYNC),
    }
}

/// Adds to the database what was recorded and not committed, if anything was, when it is opened.
pub(super) fn take_over(connection: &Connection, path: &Path) -> Result<(), Unusable> {
    let Some(generation) = generation(connection)? else { return Ok(()) };
    let (bytes, trouble) = read(path);
    let transaction = Writing::begin(connection)?;
    let (mut at, mut next) = (0, 0);
    while let Some(blocks) = bytes.get(at..).filter(|blocks| !blocks.is_empty()) {
        match record::find(blocks, generation) {
            Some(found) if found.number >= next => {
                record::add(&transaction, found.rows)?;
                (at, next) = (at + found.length, found.number + 1);
            }
            // What is left of other generations; one of this one that the disk has spoilt takes no other along.
            _ => at += BLOCK,
        }
    }
    if let Some(error) = trouble {
        return Err(Unusable::Unread(error));
    }
    // Dropped where there is nothing, or on the way out of an error, it is rolled back.
    if next > 0 {
        next_generation(&transaction)?;
        transaction.commit()?;
    }
    Ok(())
}

/// All of the intake at `path` that can be read, and why it is not all of it; nothing when there is none.
fn read(path: &Path) -> (Vec<u8>, Option<io::Error>) {
    let mut bytes = Vec::new();
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let read = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .and_then(|file| file.take(LENGTH as u64).read_to_end(&mut bytes));
    (bytes, read.err().filter(|error| error.kind() != io::ErrorKind::NotFound))
}

/// Why what was recorded cannot be added.
#[derive(Debug)]
pub(super) enum Unusable {
    Unread(io::Error),
    /// It means nothing.
    Senseless,
    Refused(rusqlite::Error),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Refused(error)
    }
}

impl Unusable {
    /// What is wrong with the intake, where it is that and not the database.
    pub(super) fn of_intake(self) -> Result<String, rusqlite::Error> {
        match self {
            Self::Unread(error) => Ok(format!("it cannot be read: {error}")),
            Self::Senseless => Ok("what is recorded there means nothing".into()),
            Self::Refused(error) => {
                // No such row can be, or, which is the latter, there is no such column.
                let is_of_rows = matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::ConstraintViolation | ErrorCode::Unknown)
                );
                let reason = format!("what is recorded there cannot be added: {error}");
                if is_of_rows { Ok(reason) } else { Err(error) }
            }
        }
    }
}

/// The generation that counts, where there is one.
fn generation(connection: &Connection) -> Result<Option<i64>, rusqlite::Error> {
    let has_meta = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'meta')";
    match connection.query_row(has_meta, [], |row| row.get(0))? {
        true => {
            let sql = "SELECT value FROM meta WHERE name = ?1";
            connection.query_row(sql, [GENERATION], |row| row.get(0)).optional()
        }
        false => Ok(None),
    }
}

/// Has another one count, which is known by nothing that was recorded before, here or elsewhere.
fn next_generation(transaction: &Writing<'_>) -> Result<i64, rusqlite::Error> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, random()) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING value";
    transaction.prepare_cached(sql)?.query_row([GENERATION], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use bits_core::file::{FileIndex, LocalName};
    use bits_core::job::{Job, JobId, Owner, Properties};
    use bits_core::ports::{Batch, FileChange, JobChange, Store as _};
    use bits_core::remote_name::RemoteName;
    use bits_core::time::Timestamp;
    use bits_core::windows_options::ClassId;

    use super::record::{BLOB, KIND, NULL, ROW};
    use super::*;
    use crate::sqlite::{OpenError, SqliteStore, writing};

    fn a_job(number: u8) -> Job {
        let properties = Properties::named(format!("job {number}")).expect("a name");
        Job::new(JobId([number; 16]), Owner(1000), properties, Timestamp(number.into()))
    }

    fn new(job: Job) -> Batch {
        let remote_name = RemoteName::stored("http://h.test/file").expect("a remote name");
        let file =
            bits_core::file::File::new(FileIndex(0), remote_name, LocalName::parse("/file").expect("a name"));
        Batch {
            files: vec![(job.id, FileChange::Add(file))],
            jobs: vec![JobChange { job, was: None }],
            ..Batch::default()
        }
    }

    /// A store in `folder` with the jobs up to `number`, all but the first of which wait.
    fn a_store(folder: &Path, number: u8) -> SqliteStore {
        let mut store = SqliteStore::open(&folder.join("jobs.db")).expect("a store").store;
        (0..=number).for_each(|number| assert_eq!(store.commit(&new(a_job(number))), Ok(())));
        store
    }

    #[track_caller]
    fn has_just(store: &mut SqliteStore, numbers: std::ops::RangeInclusive<u8>) {
        for number in numbers.clone() {
            assert_eq!(store.job(JobId([number; 16])), Ok(Some(a_job(number))));
        }
        let jobs = store.counts(Owner(1000)).expect("counts");
        assert_eq!(jobs, [("suspended", numbers.count() as u64)]);
    }

    fn killed(folder: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().expect("a folder");
        for name in ["jobs.db", "jobs.db-wal", "jobs.db-intake"] {
            std::fs::copy(folder.join(name), copy.path().join(name)).expect("a copy");
        }
        copy
    }

    #[test]
    fn a_record_that_cannot_be_written_is_committed_at_once_and_found_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(folder.path(), 3);
        // As a disk that fails there alone.
        store.intake.file = Some(File::open(folder.path().join("jobs.db-intake")).expect("an intake"));
        for number in 4..=6 {
            assert_eq!(store.commit(&new(a_job(number))), Ok(()));
            assert!(store.is_settled(), "and so are those that waited");
            let copy = killed(folder.path());
            let mut again = SqliteStore::open(&copy.path().join("jobs.db")).expect("a store").store;
            has_just(&mut again, 0..=number);
        }
        has_just(&mut store, 0..=6);
    }

    #[test]
    fn jobs_that_wait_are_there_again_as_soon_as_they_can_be_added() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(folder.path(), 3);
        let only_queries = |store: &SqliteStore, on: bool| {
            store.connection.pragma_update(None, "query_only", on).expect("a setting");
        };
        only_queries(&store, true);
        assert_eq!(store.settle(), Err(StoreError::ReadOnly));
        assert!(!store.is_settled(), "nothing was committed");
        // To leave them out would be to say that they are not there.
        assert_eq!(store.job(JobId([0; 16])), Err(StoreError::ReadOnly));
        assert_eq!(store.commit(&new(a_job(4))), Err(StoreError::ReadOnly));
        let copy = killed(folder.path());
        has_just(&mut SqliteStore::open(&copy.path().join("jobs.db")).expect("a store").store, 0..=3);
        only_queries(&store, false);
        has_just(&mut store, 0..=3);
        assert!(!store.is_settled());
        assert_eq!(store.settle(), Ok(()));
        has_just(&mut store, 0..=3);
    }

    #[test]
    fn a_full_disk_costs_the_job_that_found_no_room_and_none_that_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(folder.path(), 3);
        let pages = |store: &SqliteStore, pages: u32| {
            store.connection.pragma(None, "max_page_count", pages, |_| Ok(())).expect("a limit");
        };
        // It stays at what there is.
        pages(&store, 1);
        let last = (4..=255).find(|number| store.commit(&new(a_job(*number))) == Err(StoreError::Full));
        let last = last.expect("there is no room for so many");
        assert!(last > 4, "some found room");
        has_just(&mut store, 0..=last - 1);
        assert_eq!(store.settle(), Ok(()));
        pages(&store, u32::MAX);
        assert_eq!(store.commit(&new(a_job(last))), Ok(()));
        has_just(&mut store, 0..=last);
    }

    #[test]
    fn rows_with_all_their_columns_are_recorded_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(folder.path(), 0);
        let mut unlike = a_job(1);
        unlike.properties.description = "unlike any other".into();
        unlike.properties.windows.notification_class = ClassId([7; 16]);
        for job in [unlike.clone(), a_job(2)] {
            assert_eq!(store.commit(&new(job)), Ok(()));
        }
        assert!(!store.is_settled());
        let copy = killed(folder.path());
        let mut again = SqliteStore::open(&copy.path().join("jobs.db")).expect("a store").store;
        for job in [unlike, a_job(2)] {
            assert_eq!(again.job(job.id), Ok(Some(job)));
        }
    }

    #[test]
    fn a_commit_of_which_nobody_knows_what_became_is_followed_by_no_record_before_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(folder.path(), 3);
        // By this the commit fails, and all else works: the secret of a job that is not there.
        let orphan =
            "PRAGMA defer_foreign_keys = ON; INSERT INTO secrets VALUES (99, 'header:Cookie', x'00')";
        store.connection.execute_batch(orphan).expect("it is told by the commit");
        assert!(matches!(store.settle(), Err(StoreError::Corrupt { .. })));
        has_just(&mut store, 0..=3);
        assert_eq!(store.commit(&new(a_job(4))), Ok(()));
        assert!(store.is_settled(), "committed, with those that waited");
        assert_eq!(store.commit(&new(a_job(5))), Ok(()));
        assert!(!store.is_settled(), "and then as before");
        let copy = killed(folder.path());
        has_just(&mut SqliteStore::open(&copy.path().join("jobs.db")).expect("a store").store, 0..=5);
    }

    #[test]
    fn a_job_that_could_neither_be_recorded_nor_committed_is_not_found_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(folder.path(), 3);
        let orphan =
            "PRAGMA defer_foreign_keys = ON; INSERT INTO secrets VALUES (99, 'header:Cookie', x'00')";
        store.connection.execute_batch(orphan).expect("it is told by the commit");
        store.intake.file = Some(File::open(folder.path().join("jobs.db-intake")).expect("an intake"));
        assert!(store.commit(&new(a_job(4))).is_err());
        has_just(&mut store, 0..=3);
        assert!(!store.is_settled());
        assert_eq!(store.settle(), Ok(()));
        assert!(store.is_settled());
        let copy = killed(folder.path());
        has_just(&mut SqliteStore::open(&copy.path().join("jobs.db")).expect("a store").store, 0..=3);
    }

    #[test]
    fn a_record_that_the_disk_has_spoilt_takes_no_other_along_nor_does_a_job_that_is_there_already() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = a_store(folder.path(), 3);
        let generation = store.intake.generation.expect("there is one");
        let copy = killed(folder.path());
        let mut records = Vec::new();
        // The job 0 is in the database. Of one with many files the record is longer than a block.
        for (number, at) in [(1, 0), (0, 1), (9, 2), (2, 3)].into_iter().zip(0..) {
            let mut batch = new(a_job(number.0));
            let file = batch.files[0].clone();
            for index in 1..if number.0 == 2 { 60 } else { 1 } {
                let FileChange::Add(mut more) = file.1.clone() else { panic!("it is an addition") };
                more.index = FileIndex(index);
                batch.files.push((file.0, FileChange::Add(more)));
            }
            let mut record = writing::record(&batch, Record::new()).expect("it is a new job");
            let mut bytes = record.sealed(generation, at).bytes().to_vec();
            bytes[100] ^= u8::from(number.0 == 9);
            records.extend(bytes);
        }
        assert!(records.len() > 4 * BLOCK, "{}", records.len());
        std::fs::write(copy.path().join("jobs.db-intake"), records).expect("written");
        let mut again = SqliteStore::open(&copy.path().join("jobs.db")).expect("a store").store;
        has_just(&mut again, 0..=2);
        assert_eq!(again.files(JobId([2; 16]), FileIndex(0), 100).map(|files| files.len()), Ok(60));
    }

    #[test]
    fn whatever_stands_in_a_record_it_is_added_or_refused() {
        let mut connection = Connection::open_in_memory().expect("a database in memory");
        crate::sqlite::migrate::migrate(&mut connection).expect("a schema");
        let record = writing::record(&new(a_job(1)), Record::new()).expect("it is a new job");
        let whole = record.rows().to_vec();
        let mut chance: u64 = 7;
        let mut below = |bound: usize| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(chance >> 33).expect("it is small") % bound
        };
        let (mut added, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut rows = whole.clone();
            for _ in 0..=below(3) {
                let at = below(rows.len());
                rows[at] = u8::try_from(below(256)).expect("it is a byte");
            }
            rows.truncate(rows.len() - below(2) * below(rows.len()));
            let transaction = Writing::begin(&connection).expect("begun");
            match record::add(&transaction, &rows) {
                Ok(()) => added += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(added > 1_000 && refused > 1_000, "{added} and {refused}");
        let jobs: u32 =
            connection.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0)).expect("a count");
        assert_eq!(jobs, 0, "each was taken back");
    }

    #[test]
    fn a_record_that_means_nothing_is_named_and_nothing_is_begun_without_it() {
        let long =
            |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_le_bytes()[..], bytes].concat();
        let kind = |of: u8, columns: &str| [vec![KIND, of], long(columns.as_bytes())].concat();
        let senseless: [(&str, Vec<u8>); 11] = [
            ("a column that is not there", [kind(0, "absent"), vec![ROW, 0, NULL]].concat()),
            ("a job without what each has", [kind(0, "id"), vec![ROW, 0, NULL]].concat()),
            ("no such thing", vec![b'x']),
            ("a row of no kind", vec![ROW, 0]),
            ("a kind of no table", kind(2, "id")),
            ("a kind without an end", kind(0, "id")[..4].to_vec()),
            ("no column", kind(0, "")),
            ("words of another language than names", kind(0, "id) VALUES (1); DROP TABLE jobs; --")),
            ("a value of no type", [kind(0, "id"), vec![ROW, 0, b'x']].concat()),
            ("a value without an end", [kind(0, "id"), vec![ROW, 0, BLOB, 9, 0, 0, 0, 1]].concat()),
            ("a file without a job", [kind(1, "job, place"), vec![ROW, 0, NULL, NULL]].concat()),
        ];
        for (what, rows) in senseless {
            let folder = tempfile::tempdir().expect("a folder");
            let store = a_store(folder.path(), 1);
            let generation = store.intake.generation.expect("there is one");
            let copy = killed(folder.path());
            let mut record = Record::of_rows(&rows);
            let (path, intake) = (copy.path().join("jobs.db"), copy.path().join("jobs.db-intake"));
            std::fs::write(&intake, record.sealed(generation, 0).bytes()).expect("written");
            let refused = SqliteStore::open(&path).expect_err(what);
            assert!(matches!(refused, OpenError::Intake { .. }), "{what}: {refused:?}");
            let says = refused.to_string();
            assert!(
                says.contains("jobs.db-intake")
                    && says.contains("what is recorded there")
                    && says.contains("moved away"),
                "{says}"
            );
            std::fs::remove_file(&intake).expect("moved away");
            has_just(&mut SqliteStore::open(&path).expect("a store").store, 0..=0);
        }
    }
}
