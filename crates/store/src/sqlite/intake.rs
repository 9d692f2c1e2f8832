//! The intake: new jobs are on the disk here, by one write and one sync, before the database has them for sure.
//!
//! A new job is seven pages of the database, which its log has all of, and what makes it safe is that one
//! record of it is on the disk. So it is added to the database in a transaction that stays open, with the next
//! ones, and the record is what is synced. When the transaction is committed what is recorded counts no more:
//! the database says which generation of records does. Whoever finds records of that one, as after a crash,
//! adds their rows again ([`take_over`]).
//!
//! Which changes are recorded is not decided here: [`Record`] takes note of rows, and what else is changed has
//! none.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bits_core::ports::StoreError;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, params};
use rustix::fs::OFlags;

use super::soundness::beside;
use super::transaction::Writing;
use crate::rows::failed;

/// Beside the database, the intake.
pub(super) const INTAKE: &str = "-adds";

/// Where the database says which generation of records counts, a number.
const GENERATION: &str = "intake";

/// Its length in bytes, all of which is there before it is used: a sync has no more to write than the record.
const LENGTH: usize = 1 << 20;
/// Records begin at multiples of it, so that a write neither needs what is there nor touches another.
const BLOCK: usize = 4096;

/// Rows of a record. A batch of more is well worth a commit.
const ROWS_MAX: usize = 256;

/// Of all that comes after it.
const CHECKSUM_BYTES: usize = blake3::OUT_LEN;
/// Before the rows: the checksum, the generation, which record of it this is, and how long the rows are.
const HEAD_BYTES: usize = CHECKSUM_BYTES + size_of::<i64>() + 2 * size_of::<u32>();

/// A table whose new rows are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Jobs,
    /// Of the job before them.
    Files,
}

impl Rows {
    const ALL: [Self; 2] = [Self::Jobs, Self::Files];

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Files => "files",
        }
    }
}

/// Rows as they are kept in the intake. Columns are by name, as a later version may have others.
#[derive(Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
    /// The kinds of rows that were named, which are known by where they stand here.
    kinds: Vec<(Rows, &'static str)>,
}

/// What comes next in a record.
const KIND: u8 = b'k';
const ROW: u8 = b'r';
/// What comes next in a row.
const NULL: u8 = b'n';
const INTEGER: u8 = b'i';
const TEXT: u8 = b't';
const BLOB: u8 = b'b';

impl Record {
    fn new() -> Self {
        Self { bytes: vec![0; HEAD_BYTES], kinds: Vec::new() }
    }

    /// Takes note of a row: the values of `columns`.
    pub(super) fn note<'v>(
        &mut self,
        of: Rows,
        columns: &'static str,
        values: impl Iterator<Item = ValueRef<'v>>,
    ) {
        let known = self.kinds.iter().position(|(rows, known)| *rows == of && std::ptr::eq(*known, columns));
        let kind = known.unwrap_or_else(|| {
            self.bytes.extend([KIND, of as u8]);
            self.put(columns.as_bytes());
            self.kinds.push((of, columns));
            self.kinds.len() - 1
        });
        self.bytes.extend([ROW, u8::try_from(kind).expect("each table has two kinds of rows")]);
        for value in values {
            match value {
                ValueRef::Null => self.bytes.push(NULL),
                ValueRef::Integer(number) => {
                    self.bytes.push(INTEGER);
                    self.bytes.extend(number.to_le_bytes());
                }
                ValueRef::Text(text) => {
                    self.bytes.push(TEXT);
                    self.put(text);
                }
                ValueRef::Blob(blob) => {
                    self.bytes.push(BLOB);
                    self.put(blob);
                }
                ValueRef::Real(_) => unreachable!("no column is of that type"),
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("no text of a job comes near that");
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(bytes);
    }

    /// As it stands in the intake.
    fn sealed(mut self, generation: i64, number: u32) -> Aligned {
        let length = u32::try_from(self.bytes.len() - HEAD_BYTES).unwrap_or(u32::MAX);
        let head = [&generation.to_le_bytes()[..], &number.to_le_bytes(), &length.to_le_bytes()].concat();
        self.bytes[CHECKSUM_BYTES..HEAD_BYTES].copy_from_slice(&head);
        let checksum = blake3::hash(&self.bytes[CHECKSUM_BYTES..]);
        self.bytes[..CHECKSUM_BYTES].copy_from_slice(checksum.as_bytes());
        Aligned::new(&self.bytes)
    }
}

/// The intake of a database that one connection alone writes to.
#[derive(Debug)]
pub(super) struct Intake {
    /// Where it is, when that can be said.
    path: Option<PathBuf>,
    /// None before it is used, and where it cannot be.
    file: Option<File>,
    /// False from the first trouble on: all is committed at once then.
    is_usable: bool,
    /// As the database has it; none before there is one.
    generation: Option<i64>,
    /// The records of this generation, which are in the transaction that is open, and where they end.
    waiting: u32,
    end: usize,
    /// Whether there may be more of it in the file than those.
    is_spoilt: bool,
}

impl Intake {
    /// That of the database at `path`, which has none to take over.
    pub(super) fn of(path: &Path, connection: &Connection) -> Self {
        let path = (!path.as_os_str().is_empty()).then(|| beside(path, INTAKE));
        Self {
            is_usable: path.is_some(),
            path,
            file: None,
            // One that cannot be read is made anew.
            generation: generation(connection).ok().flatten(),
            waiting: 0,
            end: 0,
            is_spoilt: false,
        }
    }

    /// Whether a transaction is to be open, with what is recorded.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting > 0
    }

    /// For a change of so many `rows`, if it can be recorded.
    pub(super) fn record(&self, rows: usize) -> Option<Record> {
        (self.is_ready() && rows <= ROWS_MAX).then(Record::new)
    }

    fn is_ready(&self) -> bool {
        self.is_usable && self.file.is_some() && self.generation.is_some()
    }

    /// Puts `record` on the disk. Says whether it is there: if not it has to be committed, for want of room, or
    /// because of trouble, by which it is slower from now on and nothing else.
    pub(super) fn append(&mut self, record: Record) -> bool {
        let Some((file, generation)) = self.file.as_ref().zip(self.generation) else { return false };
        let record = record.sealed(generation, self.waiting);
        let bytes = record.bytes();
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
        self.waiting += 1;
        true
    }

    /// Has `transaction`, which is about to be committed, say that what is recorded counts no more. To be
    /// [passed](Intake::passed) on once it is.
    pub(super) fn pass_over(&self, transaction: &Writing<'_>) -> Result<Option<i64>, StoreError> {
        let next = match self.generation {
            Some(generation) if self.waiting > 0 || self.is_spoilt => generation.wrapping_add(1),
            None if self.is_usable => {
                transaction.query_row("SELECT random()", [], |row| row.get(0)).map_err(failed("written"))?
            }
            generation => return Ok(generation),
        };
        set_generation(transaction, next).map_err(failed("written"))?;
        Ok(Some(next))
    }

    /// The transaction is committed, and with it the `generation` that counts now.
    pub(super) fn passed(&mut self, generation: Option<i64>) {
        self.generation = generation;
        (self.waiting, self.end, self.is_spoilt) = (0, 0, false);
        if let Some(path) = self.path.as_ref().filter(|_| self.is_usable && self.file.is_none()) {
            self.file = ready(path).ok();
            self.is_usable = self.file.is_some();
        }
    }

    /// Nothing waits, and nobody uses it any more.
    pub(super) fn remove(&mut self) {
        if let Some(path) = self.path.as_ref().filter(|_| self.file.take().is_some()) {
            // One that stays says nothing to anybody.
            _ = std::fs::remove_file(path);
        }
    }

    /// Adds again what was recorded, where the transaction that had it is gone.
    pub(super) fn add_again(&self, transaction: &Writing<'_>) -> Result<(), StoreError> {
        let Some((path, generation)) = self.path.as_ref().zip(self.generation) else { return Ok(()) };
        let added = read(path)
            .map_err(Unusable::Unread)
            .and_then(|bytes| add_rows(transaction, &bytes, generation, Some(self.waiting)))
            .map_err(Unusable::of_store)?;
        if added < self.waiting {
            let reason = format!("of {} records of new jobs there are only {added}", self.waiting);
            return Err(StoreError::Corrupt { reason });
        }
        Ok(())
    }
}

/// Opens the intake at `path`, or makes it as long as it is to be. What is written to it is on the disk then.
fn ready(path: &Path) -> io::Result<File> {
    let open = |flags: OFlags| {
        let flags = (flags | OFlags::NOFOLLOW).bits().cast_signed();
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags)
            .open(path)
    };
    let file = open(OFlags::empty())?;
    if file.metadata()?.len() < LENGTH as u64 {
        file.write_all_at(&vec![0; LENGTH], 0)?;
        file.sync_all()?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
    }
    // Nothing waits, so the first block says nothing. Not every file system takes writes past the cache.
    let past_cache = open(OFlags::DIRECT | OFlags::DSYNC);
    match past_cache.and_then(|file| file.write_all_at(Aligned::new(&[0; BLOCK]).bytes(), 0).map(|()| file)) {
        Ok(file) => Ok(file),
        Err(_) => open(OFlags::DSYNC),
    }
}

/// Bytes that begin in memory where a disk can take them from.
struct Aligned {
    bytes: Vec<u8>,
    from: usize,
}

impl Aligned {
    /// Whole blocks of them.
    fn new(bytes: &[u8]) -> Self {
        let mut room = vec![0; bytes.len().next_multiple_of(BLOCK) + BLOCK];
        let from = room.as_ptr().align_offset(BLOCK);
        room[from..][..bytes.len()].copy_from_slice(bytes);
        room.truncate(from + bytes.len().next_multiple_of(BLOCK));
        Self { bytes: room, from }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

/// All of the intake at `path`; nothing when there is none.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path) {
        Ok(file) => file.take(LENGTH as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(bytes)
}

/// Adds to the database what was recorded and not committed, if anything was, when it is opened.
pub(super) fn take_over(connection: &Connection, path: &Path) -> Result<(), Unusable> {
    let Some(generation) = generation(connection)? else { return Ok(()) };
    let bytes = read(path).map_err(Unusable::Unread)?;
    let transaction = Writing::begin(connection)?;
    // Dropped where there is nothing, or on the way out of an error, it is rolled back.
    if add_rows(&transaction, &bytes, generation, None)? > 0 {
        set_generation(&transaction, generation.wrapping_add(1))?;
        transaction.commit()?;
    }
    Ok(())
}

/// Why what was recorded cannot be added.
#[derive(Debug)]
pub(super) enum Unusable {
    Unread(io::Error),
    /// It means nothing.
    Senseless(String),
    Refused(rusqlite::Error),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Refused(error)
    }
}

impl Unusable {
    fn of_store(self) -> StoreError {
        match self {
            Self::Unread(error) => StoreError::Io { doing: "read", reason: error.to_string() },
            Self::Senseless(reason) => StoreError::Corrupt { reason },
            Self::Refused(error) => failed("written")(error),
        }
    }
}

/// The generation that counts, where there is one.
fn generation(connection: &Connection) -> Result<Option<i64>, rusqlite::Error> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let has_meta = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'meta')";
    match connection.query_row(has_meta, [], |row| row.get(0))? {
        true => connection.query_row(sql, [GENERATION], |row| row.get(0)).optional(),
        false => Ok(None),
    }
}

fn set_generation(transaction: &Writing<'_>, generation: i64) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    transaction.prepare_cached(sql)?.execute(params![GENERATION, generation]).map(drop)
}

/// Adds the rows of the first records in `bytes` that are of this `generation`, no more than `records_max` of
/// them; says of how many.
fn add_rows(
    transaction: &Writing<'_>,
    bytes: &[u8],
    generation: i64,
    records_max: Option<u32>,
) -> Result<u32, Unusable> {
    let (mut rest, mut number) = (bytes, 0);
    while records_max.is_none_or(|max| number < max)
        && let Some(rows) = next_record(&mut rest, generation, number)
    {
        add_rows_of(transaction, rows).map_err(|error| match error {
            None => Unusable::Senseless(format!("record {number} of new jobs cannot be read")),
            Some(error) => Unusable::Refused(error),
        })?;
        number += 1;
    }
    Ok(number)
}

/// Takes the record at the beginning of `blocks`, if it is the wanted one and all of it is there; what its rows
/// are.
fn next_record<'b>(blocks: &mut &'b [u8], generation: i64, number: u32) -> Option<&'b [u8]> {
    let mut left = Bytes(blocks);
    let checksum = left.take(CHECKSUM_BYTES)?;
    let summed = left.0;
    let found = (left.integer()?, left.number()?);
    let length = left.number()? as usize;
    let rows = left.take(length)?;
    let is_whole = blake3::hash(summed.get(..HEAD_BYTES - CHECKSUM_BYTES + length)?) == *checksum;
    if !is_whole || found != (generation, number) {
        return None;
    }
    *blocks = blocks.get((HEAD_BYTES + length).next_multiple_of(BLOCK)..).unwrap_or_default();
    Some(rows)
}

/// A kind of rows in a record: how they are added, and how many values each has.
struct Kind {
    of: Rows,
    sql: String,
    columns: usize,
}

/// An error without a word is that `rows` means nothing.
fn add_rows_of(transaction: &Writing<'_>, rows: &[u8]) -> Result<(), Option<rusqlite::Error>> {
    let mut left = Bytes(rows);
    let mut kinds: Vec<Kind> = Vec::new();
    let mut job = None;
    while let Some(what) = left.byte() {
        if what == KIND {
            kinds.push(left.kind().ok_or(None)?);
            continue;
        }
        let kind = left.byte().filter(|_| what == ROW).and_then(|kind| kinds.get(usize::from(kind)));
        let kind = kind.ok_or(None)?;
        let mut insert = transaction.prepare_cached(&kind.sql)?;
        for at in 1..=kind.columns {
            let value = left.value().ok_or(None)?;
            // Its job has a number of its own now.
            let value =
                if kind.of == Rows::Files && at == 1 { ValueRef::Integer(job.ok_or(None)?) } else { value };
            insert.raw_bind_parameter(at, rusqlite::types::ToSqlOutput::Borrowed(value))?;
        }
        insert.raw_execute()?;
        if kind.of == Rows::Jobs {
            let number = transaction.last_insert_rowid();
            transaction.prepare_cached(COUNT_JOB)?.execute([number])?;
            job = Some(number);
        }
    }
    Ok(())
}

/// Counts the job of this number.
const COUNT_JOB: &str = "INSERT INTO job_counts (owner, state, jobs) \
     SELECT owner, state, 1 FROM jobs WHERE number = ?1 \
     ON CONFLICT (owner, state) DO UPDATE SET jobs = jobs + 1";

/// What is left to be read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, left) = self.0.split_at_checked(length)?;
        self.0 = left;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().expect("there are four")))
    }

    fn integer(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().expect("there are eight")))
    }

    fn counted(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn kind(&mut self) -> Option<Kind> {
        let of = *Rows::ALL.get(usize::from(self.byte()?))?;
        let names = std::str::from_utf8(self.counted()?).ok()?;
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        let columns = names.split(", ").count();
        let places: Vec<String> = (1..=columns).map(|at| format!("?{at}")).collect();
        let sql = format!("INSERT INTO {} ({names}) VALUES ({})", of.table(), places.join(", "));
        names.split(", ").all(is_name).then_some(Kind { of, sql, columns })
    }

    fn value(&mut self) -> Option<ValueRef<'b>> {
        Some(match self.byte()? {
            NULL => ValueRef::Null,
            INTEGER => ValueRef::Integer(self.integer()?),
            TEXT => ValueRef::Text(self.counted()?),
            BLOB => ValueRef::Blob(self.counted()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use bits_core::file::{FileIndex, LocalName};
    use bits_core::job::{Job, JobId, Owner, Properties};
    use bits_core::ports::{Batch, FileChange, JobChange, Store as _};
    use bits_core::remote_name::RemoteName;
    use bits_core::time::Timestamp;
    use bits_core::windows_options::ClassId;

    use super::*;
    use crate::sqlite::{OpenError, SqliteStore};

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
        for name in ["jobs.db", "jobs.db-wal", "jobs.db-adds"] {
            std::fs::copy(folder.join(name), copy.path().join(name)).expect("a copy");
        }
        copy
    }

    #[test]
    fn a_record_that_cannot_be_written_is_committed_at_once_and_found_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(folder.path(), 3);
        // As a disk that fails there alone.
        store.intake.file = Some(File::open(folder.path().join("jobs.db-adds")).expect("an intake"));
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
    fn a_record_that_means_nothing_is_named_and_nothing_is_begun_without_it() {
        let long =
            |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_le_bytes()[..], bytes].concat();
        let kind = |of: u8, columns: &str| [vec![KIND, of], long(columns.as_bytes())].concat();
        let senseless: [(&str, Vec<u8>); 9] = [
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
            let mut record = Record::new();
            record.bytes.extend(rows);
            let (path, intake) = (copy.path().join("jobs.db"), copy.path().join("jobs.db-adds"));
            std::fs::write(&intake, record.sealed(generation, 0).bytes()).expect("written");
            let refused = SqliteStore::open(&path).expect_err(what);
            assert!(matches!(refused, OpenError::Intake { .. }), "{what}: {refused:?}");
            let says = refused.to_string();
            assert!(
                says.contains("jobs.db-adds") && says.contains("record 0") && says.contains("moving"),
                "{says}"
            );
            std::fs::remove_file(&intake).expect("moved away");
            has_just(&mut SqliteStore::open(&path).expect("a store").store, 0..=0);
        }
    }
}
