//! The number of a job: what its files and secrets are kept by. It counts up, so that what is written of new
//! jobs is added at the end, and is never told outside of the database.

use bits_core::job::JobId;
use bits_core::ports::StoreError;
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::rows::failed;

/// The number of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub(super) i64);

macro_rules! by_id {
    () => {
        "substr(id, 16) = substr(?1, 16) AND id = ?1"
    };
}

macro_rules! number_of_id {
    () => {
        concat!("SELECT number FROM jobs WHERE ", by_id!())
    };
}

/// By what the job is found whose id is `?1`: as the index that keeps ids apart has them.
pub(super) const BY_ID: &str = by_id!();

/// The number of that job, as a value in a statement.
pub(super) const NUMBER_OF_ID: &str = concat!("(", number_of_id!(), ")");

impl Number {
    /// That of `job`, if there is such a job.
    pub(super) fn of(connection: &Connection, job: JobId) -> Result<Option<Self>, StoreError> {
        let found = connection
            .prepare_cached(number_of_id!())
            .and_then(|mut select| select.query_row(params![job.0], |row| row.get(0)).optional());
        Ok(found.map_err(failed("read"))?.map(Self))
    }

    /// That of `job`, which must be there.
    pub(super) fn of_known(connection: &Connection, job: JobId) -> Result<Self, StoreError> {
        Self::of(connection, job)?.ok_or_else(|| no_such_job(job))
    }
}

pub(super) fn no_such_job(job: JobId) -> StoreError {
    StoreError::Corrupt { reason: format!("the job {job} is not there") }
}

impl ToSql for Number {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}
