//! A record of the intake: the rows of new jobs as they are kept there, and how they come into the database.

use rusqlite::types::{ToSqlOutput, ValueRef};

use super::Unusable;
use crate::sqlite::transaction::Writing;

/// Records begin at multiples of it, so that a write neither needs what is there nor touches another.
pub(super) const BLOCK: usize = 4096;

/// Of all that comes after it.
const CHECKSUM_BYTES: usize = blake3::OUT_LEN;
/// Before the rows: the checksum, the generation, which record of it this is, and how long the rows are.
const HEAD_BYTES: usize = CHECKSUM_BYTES + size_of::<i64>() + 2 * size_of::<u32>();

/// A table whose new rows are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sqlite) enum Rows {
    Jobs,
    /// Of the job before them.
    Files,
}

impl Rows {
    const ALL: [Self; 2] = [Self::Jobs, Self::Files];

    pub(in crate::sqlite) fn table(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Files => "files",
        }
    }
}

/// Rows of new jobs. Columns are by name, as a later version may have others.
#[derive(Debug)]
pub(in crate::sqlite) struct Record {
    /// With room for the head before them.
    bytes: Vec<u8>,
    /// The kinds of rows that were named, which are known by where they stand here.
    kinds: Vec<(Rows, &'static str)>,
}

/// What comes next in a record.
pub(super) const KIND: u8 = b'k';
pub(super) const ROW: u8 = b'r';
/// What comes next in a row.
pub(super) const NULL: u8 = b'n';
const INTEGER: u8 = b'i';
const TEXT: u8 = b't';
pub(super) const BLOB: u8 = b'b';

impl Record {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; HEAD_BYTES], kinds: Vec::new() }
    }

    /// Takes note of a row: the values of `columns`.
    pub(in crate::sqlite) fn note<'v>(
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

    pub(super) fn rows(&self) -> &[u8] {
        &self.bytes[HEAD_BYTES..]
    }

    /// As it stands in the intake.
    pub(super) fn sealed(&mut self, generation: i64, number: u32) -> Aligned {
        let length = u32::try_from(self.rows().len()).unwrap_or(u32::MAX);
        let head = [&generation.to_le_bytes()[..], &number.to_le_bytes(), &length.to_le_bytes()].concat();
        self.bytes[CHECKSUM_BYTES..HEAD_BYTES].copy_from_slice(&head);
        let checksum = blake3::hash(&self.bytes[CHECKSUM_BYTES..]);
        self.bytes[..CHECKSUM_BYTES].copy_from_slice(checksum.as_bytes());
        Aligned::new(&self.bytes)
    }

    #[cfg(test)]
    pub(super) fn of_rows(rows: &[u8]) -> Self {
        let mut record = Self::new();
        record.bytes.extend(rows);
        record
    }
}

/// Bytes that begin in memory where a disk can take them from.
pub(super) struct Aligned {
    bytes: Vec<u8>,
    from: usize,
}

impl Aligned {
    /// Whole blocks of them.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut room = vec![0; bytes.len().next_multiple_of(BLOCK) + BLOCK];
        let from = room.as_ptr().align_offset(BLOCK);
        room[from..][..bytes.len()].copy_from_slice(bytes);
        room.truncate(from + bytes.len().next_multiple_of(BLOCK));
        Self { bytes: room, from }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

/// What is found at the beginning of a block.
pub(super) struct Found<'b> {
    pub(super) number: u32,
    pub(super) rows: &'b [u8],
    /// How many bytes it takes, to the end of its last block.
    pub(super) length: usize,
}

/// The record of this `generation` at the beginning of `blocks`, if there is one and all of it is there.
pub(super) fn find(blocks: &[u8], generation: i64) -> Option<Found<'_>> {
    let mut left = Bytes(blocks);
    let checksum = left.take(CHECKSUM_BYTES)?;
    let summed = left.0;
    if left.integer()? != generation {
        return None;
    }
    let (number, length) = (left.number()?, left.number()? as usize);
    let rows = left.take(length)?;
    let is_whole = blake3::hash(&summed[..HEAD_BYTES - CHECKSUM_BYTES + length]) == *checksum;
    let length = (HEAD_BYTES + length).next_multiple_of(BLOCK);
    is_whole.then_some(Found { number, rows, length })
}

/// A kind of rows in a record: how they are added, and how many values each has.
struct Kind {
    of: Rows,
    sql: String,
    columns: usize,
}

/// Adds `rows` to the database. A job that is there already stays as it is.
pub(super) fn add(transaction: &Writing<'_>, rows: &[u8]) -> Result<(), Unusable> {
    let mut left = Bytes(rows);
    let mut kinds: Vec<Kind> = Vec::new();
    // The number of the job whose files come next; none of one that is there already.
    let mut job: Option<Option<i64>> = None;
    while let Some(what) = left.byte() {
        if what == KIND {
            kinds.push(left.kind().ok_or(Unusable::Senseless)?);
            continue;
        }
        let kind = left.byte().filter(|_| what == ROW).and_then(|kind| kinds.get(usize::from(kind)));
        let kind = kind.ok_or(Unusable::Senseless)?;
        let values: Option<Vec<ValueRef<'_>>> = (0..kind.columns).map(|_| left.value()).collect();
        let mut values = values.ok_or(Unusable::Senseless)?;
        if kind.of == Rows::Files {
            let Some(number) = job.ok_or(Unusable::Senseless)? else { continue };
            // Its job has a number of its own now.
            values[0] = ValueRef::Integer(number);
        }
        let mut insert = transaction.prepare_cached(&kind.sql)?;
        for (value, at) in values.into_iter().zip(1..) {
            insert.raw_bind_parameter(at, ToSqlOutput::Borrowed(value))?;
        }
        let added = insert.raw_execute()?;
        if kind.of == Rows::Jobs {
            let number = (added > 0).then(|| transaction.last_insert_rowid());
            if let Some(number) = number {
                transaction.prepare_cached(COUNT_JOB)?.execute([number])?;
            }
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
        let places = places.join(", ");
        let sql = format!("INSERT INTO {} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING", of.table());
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
