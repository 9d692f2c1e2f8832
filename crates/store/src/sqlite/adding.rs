//! New rows: of most of them nearly all columns are what they are by default, and are left to the database.
//!
//! A row that says anything else is written with all of its columns.

use std::sync::LazyLock;

use bits_core::file::{File, FileIndex, LocalName};
use bits_core::job::{Job, JobId, Owner, Properties};
use bits_core::ports::{FileChange, StoreError};
use bits_core::remote_name::RemoteName;
use bits_core::time::Timestamp;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection};

use super::intake::{Record, Rows};
use super::number::Number;
use super::sums::{SUM_COLUMNS, Sums};
use crate::rows::{FILE_COLUMNS, JOB_COLUMNS, failed, file_values, job_values};

/// What every new job says of itself.
const JOB_SAYS: &[&str] = &[
    "id",
    "revision",
    "owner",
    "state",
    "display_name",
    "priority",
    "no_progress_timeout",
    "umask",
    "resumed",
    "files_total",
    "created",
    "modified",
    "active_at",
    "host",
    "way",
    "sum_files",
    "sum_unsized",
];

/// The same of a new file.
const FILE_SAYS: &[&str] = &["job", "place", "remote_name", "local_name", "destination"];

static JOBS: LazyLock<Table> = LazyLock::new(|| {
    let properties = Properties::named(String::from("-")).expect("it is a name");
    let job = Job::new(JobId::FIRST, Owner(0), properties, Timestamp(0));
    // Who has such an id already is told by nothing being written.
    let unless = "ON CONFLICT (substr(id, 16), id) DO NOTHING";
    let columns = format!("{JOB_COLUMNS}, {SUM_COLUMNS}");
    Table::new(Rows::Jobs, &columns, JOB_SAYS, &row_of_job(&job, Sums::default()), unless)
});

static FILES: LazyLock<Table> = LazyLock::new(|| {
    let remote_name = RemoteName::stored("http://-/").expect("it is a remote name");
    let local_name = LocalName::parse("/-").expect("it is a local name");
    let file = File::new(FileIndex(0), remote_name, local_name);
    Table::new(Rows::Files, &format!("job, {FILE_COLUMNS}"), FILE_SAYS, &row_of_file(Number(0), &file), "")
});

/// How rows are added to a table.
struct Table {
    of: Rows,
    /// Says only what every row says.
    short: Insert,
    /// Says all.
    long: Insert,
    /// Of each column what it is unless that is said; none of those that every row says.
    defaults: Vec<Option<Value>>,
}

struct Insert {
    columns: String,
    sql: String,
}

impl Table {
    /// `row` is one of which nothing is said but what every row says.
    fn new(of: Rows, columns: &str, says: &[&str], row: &[ToSqlOutput<'_>], unless: &str) -> Self {
        let name = of.table();
        let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
        assert_eq!(columns.len(), row.len(), "each column of {name} has its value");
        let insert = |columns: &[&str]| {
            let places: Vec<_> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
            let columns = columns.join(", ");
            let sql = format!("INSERT INTO {name} ({columns}) VALUES ({}) {unless}", places.join(", "));
            Insert { columns, sql }
        };
        let is_said: Vec<bool> = columns.iter().map(|column| says.contains(column)).collect();
        assert_eq!(is_said.iter().filter(|is_said| **is_said).count(), says.len(), "{name} has them all");
        let said = columns.iter().zip(&is_said).filter(|(_, is_said)| **is_said).map(|(column, _)| *column);
        let defaults = row.iter().zip(&is_said);
        let defaults = defaults.map(|(value, is_said)| {
            (!is_said).then(|| Value::try_from(as_ref(value)).expect("no text is damaged"))
        });
        Self {
            of,
            short: insert(&said.collect::<Vec<_>>()),
            long: insert(&columns),
            defaults: defaults.collect(),
        }
    }
}

impl Table {
    /// What is to be said of `row` where the rest of it is what it is by default.
    fn said<'r, 'v>(&self, row: &'r [ToSqlOutput<'v>]) -> Option<impl Iterator<Item = &'r ToSqlOutput<'v>>> {
        let columns = || row.iter().zip(&self.defaults);
        let is_default = |(value, default): (&ToSqlOutput<'_>, &Option<Value>)| {
            default.as_ref().is_none_or(|default| as_ref(value) == ValueRef::from(default))
        };
        let said = columns().filter(|(_, default)| default.is_none()).map(|(value, _)| value);
        columns().all(is_default).then_some(said)
    }

    fn note(&'static self, record: &mut Record, row: &[ToSqlOutput<'_>]) {
        match self.said(row) {
            Some(said) => record.note(self.of, &self.short.columns, said.map(as_ref)),
            None => record.note(self.of, &self.long.columns, row.iter().map(as_ref)),
        }
    }
}

fn as_ref<'a>(value: &'a ToSqlOutput<'_>) -> ValueRef<'a> {
    match value {
        ToSqlOutput::Borrowed(value) => *value,
        ToSqlOutput::Owned(value) => ValueRef::from(value),
        _ => unreachable!("no other values are made here"),
    }
}

fn row_of_job(job: &Job, sums: Sums) -> Vec<ToSqlOutput<'_>> {
    let mut row = job_values(job);
    row.extend(sums.values().map(ToSqlOutput::from));
    row
}

fn row_of_file(job: Number, file: &File) -> Vec<ToSqlOutput<'_>> {
    let mut row = vec![ToSqlOutput::from(job.0)];
    row.extend(file_values(file));
    row
}

/// Rows that are added one after the other.
pub(super) struct Adding<'c> {
    connection: &'c Connection,
    jobs: Inserts<'c>,
    files: Inserts<'c>,
}

struct Inserts<'c> {
    table: &'static Table,
    short: CachedStatement<'c>,
}

impl<'c> Adding<'c> {
    pub(super) fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
        let inserts = |table: &'static Table| {
            let short = connection.prepare_cached(&table.short.sql).map_err(failed("written"))?;
            Ok(Inserts { table, short })
        };
        Ok(Self { connection, jobs: inserts(&JOBS)?, files: inserts(&FILES)? })
    }

    /// Adds `job` with `files`, which are additions to it. Its number; none when there is such a job already.
    pub(super) fn job(
        &mut self,
        job: &Job,
        files: &[(JobId, FileChange)],
    ) -> Result<Option<Number>, StoreError> {
        let row = row_of_job(job, Sums::of_additions(files));
        if self.jobs.add(self.connection, &row)? == 0 {
            return Ok(None);
        }
        let number = Number(self.connection.last_insert_rowid());
        self.files(number, files)?;
        Ok(Some(number))
    }

    /// Adds `files`, which are additions to the job `number`, and counts them nowhere.
    pub(super) fn files(&mut self, number: Number, files: &[(JobId, FileChange)]) -> Result<(), StoreError> {
        for (_, change) in files {
            let FileChange::Add(file) = change else { unreachable!("only additions follow an addition") };
            self.files.add(self.connection, &row_of_file(number, file))?;
        }
        Ok(())
    }
}

impl Inserts<'_> {
    /// Says how many rows that were.
    fn add(&mut self, connection: &Connection, row: &[ToSqlOutput<'_>]) -> Result<usize, StoreError> {
        let added = match self.table.said(row) {
            Some(said) => insert(&mut self.short, said),
            None => {
                let long = connection.prepare_cached(&self.table.long.sql);
                long.and_then(|mut long| insert(&mut long, row.iter()))
            }
        };
        added.map_err(failed("written"))
    }
}

/// Takes note in `record` of the rows of `job` and of `files`, which are additions to it.
pub(super) fn note(record: &mut Record, job: &Job, files: &[(JobId, FileChange)]) {
    JOBS.note(record, &row_of_job(job, Sums::of_additions(files)));
    for (_, change) in files {
        let FileChange::Add(file) = change else { unreachable!("only additions follow an addition") };
        // The number of its job is known when that is added.
        FILES.note(record, &row_of_file(Number(0), file));
    }
}

fn insert<'v>(
    statement: &mut CachedStatement<'_>,
    values: impl Iterator<Item = &'v ToSqlOutput<'v>>,
) -> Result<usize, rusqlite::Error> {
    for (value, at) in values.zip(1..) {
        statement.raw_bind_parameter(at, value)?;
    }
    statement.raw_execute()
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;
    use crate::sqlite::migrate;

    #[test]
    fn what_is_not_said_of_a_new_row_is_what_its_column_is_by_default() {
        let mut connection = Connection::open_in_memory().expect("a database in memory");
        migrate::migrate(&mut connection).expect("a schema");
        for table in [&JOBS, &FILES] {
            let name = table.of.table();
            let mut left_out = 0;
            for (column, default) in table.long.columns.split(", ").zip(&table.defaults) {
                let Some(default) = default else { continue };
                let sql = "SELECT dflt_value FROM pragma_table_info(?1) WHERE name = ?2";
                let literal = connection.query_row(sql, params![name, column], |row| row.get(0));
                let literal: Option<String> = literal.expect("there is such a column");
                let sql = format!("SELECT {}", literal.as_deref().unwrap_or("NULL"));
                let value: Value = connection.query_row(&sql, [], |row| row.get(0)).expect("a value");
                assert_eq!(value, *default, "{name}.{column}");
                left_out += 1;
            }
            assert!(left_out > 20, "{left_out} columns of {name}");
        }
    }
}
