//! What the files of a job add up to: kept beside the job, so that a list of jobs reads no files.
//!
//! Whoever changes files counts those that may be changed before and after, and adds the difference, once
//! for all changes of a turn that lie beside each other. What servers promise can add up to more than 64
//! bits hold: sums of bytes are kept in two halves, each the sum of the 32-bit halves of its terms.

use bits_core::file::{File, Stage};
use bits_core::job::JobId;
use bits_core::ports::{FileChange, StoreError};
use bits_core::units::Bytes;
use rusqlite::{Row, params};

use super::number::Number;
use super::transaction::Writing;
use crate::rows::{bytes, failed};

/// Sums over files, or what is to be added to them. The columns of `jobs` have these names with `sum_`
/// before them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    files: i64,
    whole: i64,
    unsized_files: i64,
    size_high: i64,
    size_low: i64,
    durable_high: i64,
    durable_low: i64,
}

/// Of no files there is nothing to add up, which is NULL.
const COUNT: &str = "SELECT count(*), ifnull(sum(stage <> 'waiting'), 0), ifnull(sum(size IS NULL), 0), \
     ifnull(sum(ifnull(size, 0) >> 32), 0), ifnull(sum(ifnull(size, 0) & 0xFFFFFFFF), 0), \
     ifnull(sum(durable >> 32), 0), ifnull(sum(durable & 0xFFFFFFFF), 0) \
     FROM files WHERE job = ?1 AND place BETWEEN ?2 AND ?3";

const ADD: &str = "UPDATE jobs SET sum_files = sum_files + ?2, sum_whole = sum_whole + ?3, \
     sum_unsized = sum_unsized + ?4, sum_size_high = sum_size_high + ?5, sum_size_low = sum_size_low + ?6, \
     sum_durable_high = sum_durable_high + ?7, sum_durable_low = sum_durable_low + ?8 WHERE number = ?1";

/// The columns of a job that [`Sums::values`] are for.
pub(super) const SUM_COLUMNS: &str = "sum_files, sum_whole, sum_unsized, sum_size_high, sum_size_low, \
     sum_durable_high, sum_durable_low";

impl Sums {
    /// Those of the files that are added by `changes`.
    pub(super) fn of_additions(changes: &[(JobId, FileChange)]) -> Self {
        let mut sums = Self::default();
        for (_, change) in changes {
            if let FileChange::Add(file) = change {
                sums.count(file);
            }
        }
        sums
    }

    /// In the order of [`SUM_COLUMNS`].
    pub(super) fn values(self) -> impl Iterator<Item = i64> {
        let Self { files, whole, unsized_files, size_high, size_low, durable_high, durable_low } = self;
        [files, whole, unsized_files, size_high, size_low, durable_high, durable_low].into_iter()
    }

    /// Counts `file`, too.
    fn count(&mut self, file: &File) {
        let [size, durable] = [file.size.unwrap_or(Bytes::ZERO), file.durable].map(bytes);
        self.files += 1;
        self.whole += i64::from(file.stage != Stage::Waiting);
        self.unsized_files += i64::from(file.size.is_none());
        self.size_high += size >> 32;
        self.size_low += size & 0xFFFF_FFFF;
        self.durable_high += durable >> 32;
        self.durable_low += durable & 0xFFFF_FFFF;
    }

    /// Those of the files at the places `first` to `last`.
    fn of(
        transaction: &Writing<'_>,
        job: Number,
        (first, last): (u32, u32),
    ) -> Result<Self, rusqlite::Error> {
        let mut count = transaction.prepare_cached(COUNT)?;
        count.query_row(params![job, first, last], Self::read)
    }

    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            files: row.get(0)?,
            whole: row.get(1)?,
            unsized_files: row.get(2)?,
            size_high: row.get(3)?,
            size_low: row.get(4)?,
            durable_high: row.get(5)?,
            durable_low: row.get(6)?,
        })
    }

    fn less(self, other: Self) -> Self {
        Self {
            files: self.files - other.files,
            whole: self.whole - other.whole,
            unsized_files: self.unsized_files - other.unsized_files,
            size_high: self.size_high - other.size_high,
            size_low: self.size_low - other.size_low,
            durable_high: self.durable_high - other.durable_high,
            durable_low: self.durable_low - other.durable_low,
        }
    }
}

/// Makes `changes` to files of `job` that are there already, at `places` at most as far as sums depend on
/// it, and adds to the sums of the job what has become different.
pub(super) fn kept(
    transaction: &Writing<'_>,
    job: Number,
    places: Option<(u32, u32)>,
    changes: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let Some(places) = places else { return changes() };
    let before = Sums::of(transaction, job, places).map_err(failed("written"))?;
    changes()?;
    let after = Sums::of(transaction, job, places).map_err(failed("written"))?;
    add(transaction, job, &after.less(before))
}

/// Adds `more` to the sums of `job`.
pub(super) fn add(transaction: &Writing<'_>, job: Number, more: &Sums) -> Result<(), StoreError> {
    if *more == Sums::default() {
        return Ok(());
    }
    let Sums { files, whole, unsized_files, size_high, size_low, durable_high, durable_low } = *more;
    let added = transaction.prepare_cached(ADD).and_then(|mut add| {
        add.execute(params![job, files, whole, unsized_files, size_high, size_low, durable_high, durable_low])
    });
    added.map(drop).map_err(failed("written"))
}
