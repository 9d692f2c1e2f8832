//! The statements that change the database.
//!
//! Which change is right was decided before; here it is only made sure that it is made to the job
//! it was decided on.

use std::collections::BTreeMap;
use std::ptr;
use std::sync::LazyLock;

use bits_core::file::{FileIndex, Served, Stage};
use bits_core::job::JobId;
use bits_core::ports::{Batch, FileChange, JobChange, SealedSecret, SecretChange, StoreError};
use bits_core::time::Timestamp;
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, Params, params, params_from_iter};

use super::adding::{self, Adding};
use super::intake::Record;
use super::number::{self, BY_ID, Number};
use super::reading::query;
use super::sums::{self, Sums};
use super::transaction::Writing;
use crate::rows::demand::{self, DEMAND_COLUMNS, SIZE_COLUMNS, Stored};
use crate::rows::{
    self, JOB_COLUMNS, SOURCE_COLUMNS, VERSION_COLUMNS, bytes, failed, job_values, slot_word, source_values,
    stage_word, state_word, text, version_values,
};

/// Final jobs that are dropped in one transaction, so that none grows without bound.
pub(super) const FORGOTTEN_AT_ONCE_MAX: usize = 500;

/// The `record` of `batch`; none where there is more in it than new jobs.
pub(super) fn record(batch: &Batch, mut record: Record) -> Option<Record> {
    let is_plain = |change: &JobChange| change.was.is_none() && !change.job.state.is_final();
    if !batch.secrets.is_empty() || !batch.jobs.iter().all(is_plain) {
        return None;
    }
    let new = files_of_new(batch);
    if !of_each_job(batch).all(|changes| comes_with_job(&new, changes)) {
        return None;
    }
    for JobChange { job, .. } in &batch.jobs {
        adding::note(&mut record, job, new[&job.id]);
    }
    Some(record)
}

/// Writes `batch`. Says whether secrets were removed or replaced.
pub(super) fn write(transaction: &Writing<'_>, batch: &Batch) -> Result<bool, StoreError> {
    let new = files_of_new(batch);
    put_jobs(transaction, batch, &new)?;
    for changes in of_each_job(batch) {
        if !comes_with_job(&new, changes) {
            change_files(transaction, Number::of_known(transaction, changes[0].0)?, changes)?;
        }
    }
    let mut removed = 0;
    for (job, change) in &batch.secrets {
        removed += change_secret(transaction, *job, change)?;
    }
    let is_over = |change: &&JobChange| change.job.state.is_final();
    let over = batch.jobs.iter().filter(is_over).map(|change| change.job.id);
    for job in over.chain(batch.secrets.iter().map(|(id, _)| *id)) {
        removed += wipe_if_final(transaction, job)?;
    }
    Ok(removed > 0)
}

/// Drops up to [`FORGOTTEN_AT_ONCE_MAX`] final jobs last changed before `before` that have nothing left to
/// discard; says how many.
pub(super) fn forget_some_final(connection: &Connection, before: Timestamp) -> Result<usize, StoreError> {
    execute(connection, FORGET, params![rows::time(before), FORGOTTEN_AT_ONCE_MAX as i64])
}

const FORGET: &str = "DELETE FROM jobs WHERE number IN (SELECT number FROM jobs \
     WHERE state IN ('acknowledged', 'cancelled') AND discard_pending = 0 AND notices IS NULL AND modified < ?1 LIMIT ?2)";

/// A trigger would do it, and would keep a copy of each page that a new job changes meanwhile.
const COUNT_JOBS: &str = "INSERT INTO job_counts (owner, state, jobs) VALUES (?1, ?2, ?3) \
     ON CONFLICT (owner, state) DO UPDATE SET jobs = jobs + ?3";

static UPDATE_JOB: LazyLock<String> = LazyLock::new(|| {
    let but_id = JOB_COLUMNS.strip_prefix("id, ").expect("the id comes first");
    let places = places(2, but_id);
    format!("UPDATE jobs SET ({but_id}) = ({places}) WHERE {BY_ID} AND revision = ?")
});

static UPDATE_VERSION: LazyLock<String> = LazyLock::new(|| {
    let places = places(3, VERSION_COLUMNS);
    format!(
        "UPDATE files SET ({VERSION_COLUMNS}) = ({places}), durable = 0, filled = NULL, moved = 0 \
         WHERE job = ?1 AND place = ?2"
    )
});

static UPDATE_WHOLE: LazyLock<String> = LazyLock::new(|| {
    let columns = format!("{VERSION_COLUMNS}, durable, stage");
    let places = places(3, &columns);
    format!("UPDATE files SET ({columns}) = ({places}), moved = 0 WHERE job = ?1 AND place = ?2")
});

static UPDATE_SOURCES: LazyLock<String> = LazyLock::new(|| {
    let places = places(3, SOURCE_COLUMNS);
    format!("UPDATE files SET ({SOURCE_COLUMNS}) = ({places}) WHERE job = ?1 AND place = ?2")
});

static WIPE_IF_FINAL: LazyLock<String> = LazyLock::new(|| {
    format!(
        "DELETE FROM secrets WHERE job = \
         (SELECT number FROM jobs WHERE {BY_ID} AND state IN ('acknowledged', 'cancelled')) \
         AND (slot <> ?2 OR EXISTS (SELECT 1 FROM jobs WHERE number = secrets.job AND notices IS NULL))"
    )
});

/// Places for the values of `columns`, numbered from `first` on.
fn places(first: usize, columns: &str) -> String {
    let numbered = columns.split(',').enumerate().map(|(at, _)| format!("?{}", first + at));
    numbered.collect::<Vec<_>>().join(", ")
}

type FileChanges = [(JobId, FileChange)];

/// The changes to files, those of one job that lie beside each other together; none is empty.
fn of_each_job(batch: &Batch) -> impl Iterator<Item = &FileChanges> {
    batch.files.chunk_by(|(job, _), (next_job, _)| job == next_job)
}

/// The files that each new job comes with.
fn files_of_new(batch: &Batch) -> BTreeMap<JobId, &FileChanges> {
    let is_new = |change: &&JobChange| change.was.is_none();
    let mut new: BTreeMap<JobId, &FileChanges> =
        batch.jobs.iter().filter(is_new).map(|change| (change.job.id, &[][..])).collect();
    if new.is_empty() {
        return new;
    }
    for changes in of_each_job(batch) {
        let are_additions = changes.iter().all(|(_, change)| matches!(change, FileChange::Add(_)));
        if let Some(files) = new.get_mut(&changes[0].0).filter(|files| files.is_empty() && are_additions) {
            *files = changes;
        }
    }
    new
}

/// Whether `changes` are the files that a new job comes with, and written with it.
fn comes_with_job(new: &BTreeMap<JobId, &FileChanges>, changes: &FileChanges) -> bool {
    new.get(&changes[0].0).is_some_and(|files| ptr::eq(*files, changes))
}

/// Writes the jobs, the new ones with their files and what these add up to, and counts the new ones.
fn put_jobs(
    transaction: &Writing<'_>,
    batch: &Batch,
    new: &BTreeMap<JobId, &FileChanges>,
) -> Result<(), StoreError> {
    let mut counts: BTreeMap<(u32, &str), u32> = BTreeMap::new();
    let mut adding = None;
    for JobChange { job, was } in &batch.jobs {
        let is_written = match was {
            None => {
                *counts.entry((job.owner.0, state_word(job.state))).or_default() += 1;
                if adding.is_none() {
                    adding = Some(Adding::begin(transaction)?);
                }
                let adding = adding.as_mut().expect("it has just begun");
                adding.job(job, new[&job.id])?.is_some()
            }
            Some(was) => {
                let mut values = job_values(job);
                values.push(rows::revision(*was).into());
                execute(transaction, &UPDATE_JOB, params_from_iter(values))? > 0
            }
        };
        if !is_written {
            return Err(StoreError::Stale(job.id));
        }
    }
    for ((owner, state), jobs) in counts {
        execute(transaction, COUNT_JOBS, params![owner, state, jobs])?;
    }
    Ok(())
}

/// Makes changes to files of one job, and keeps the sums of that job right.
fn change_files(transaction: &Writing<'_>, number: Number, changes: &FileChanges) -> Result<(), StoreError> {
    for changes in changes.chunk_by(follows) {
        match changes {
            [(_, FileChange::Completed { .. }), ..] => complete_files(transaction, number, changes)?,
            [(_, FileChange::Add(_)), ..] => {
                Adding::begin(transaction)?.files(number, changes)?;
                sums::add(transaction, number, &Sums::of_additions(changes))?;
            }
            _ => sums::kept(transaction, number, span(changes), || {
                changes.iter().try_for_each(|change| change_file(transaction, number, change))
            })?,
        }
    }
    Ok(())
}

/// Whether both are made, and counted, together: they are of one kind, and of files that lie beside each
/// other.
fn follows((_, one): &(JobId, FileChange), (_, next): &(JobId, FileChange)) -> bool {
    match (one, next) {
        (FileChange::Add(_), FileChange::Add(_)) => true,
        (FileChange::Add(_) | FileChange::Completed { .. }, _) | (_, FileChange::Add(_)) => matches!(
            (one, next),
            (FileChange::Completed { index }, FileChange::Completed { index: next })
                if index.0.checked_add(1) == Some(next.0)
        ),
        (_, FileChange::Completed { .. }) => false,
        (one, next) => match (place(one), place(next)) {
            (Some(one), Some(next)) => one.0.abs_diff(next.0) <= GAP_MAX,
            (None, None) => true,
            (None, _) | (_, None) => false,
        },
    }
}

/// What [`UPDATE_WHOLE`] takes.
const WHOLE_VALUES: usize = 13;

/// Files between two that are changed, up to which all of them are counted together.
const GAP_MAX: u32 = 4;

/// The places of the files that `changes` are about, from and to; none when no sum depends on them.
fn span(changes: &FileChanges) -> Option<(u32, u32)> {
    let places = || changes.iter().filter_map(|(_, change)| place(change)).map(|index| index.0);
    places().min().zip(places().max())
}

/// The file that `change` is about, when sums depend on what it changes.
fn place(change: &FileChange) -> Option<FileIndex> {
    match change {
        FileChange::Add(file) => Some(file.index),
        FileChange::Version { index, .. }
        | FileChange::Durable { index, .. }
        | FileChange::Transferred { index, .. }
        | FileChange::Whole { index, .. }
        | FileChange::Filled { index, .. }
        | FileChange::Completed { index }
        | FileChange::Valid { index }
        | FileChange::Lost { index } => Some(*index),
        FileChange::Headers { .. }
        | FileChange::RemoteName { .. }
        | FileChange::Sources { .. }
        | FileChange::Requested { .. }
        | FileChange::Position { .. }
        | FileChange::Withdrawn { .. }
        | FileChange::PassedOver { .. }
        | FileChange::TryAgain => None,
    }
}

/// Makes one change to a file that is there.
fn change_file(
    transaction: &Writing<'_>,
    number: Number,
    (job, change): &(JobId, FileChange),
) -> Result<(), StoreError> {
    let (index, changed) = match change {
        FileChange::Add(_) => unreachable!("an addition is made with others"),
        FileChange::Version { index, size, validator, served, boot, partial } => {
            let mut values = vec![ToSqlOutput::from(number.0), index.0.into()];
            values.extend(version_values(*size, Some(validator), served, Some(*boot), Some(*partial)));
            (index, execute(transaction, &UPDATE_VERSION, params_from_iter(values))?)
        }
        FileChange::Headers { index, headers } => {
            let sql = "UPDATE files SET headers = ?3 WHERE job = ?1 AND place = ?2";
            (index, execute(transaction, sql, params![number, index.0, headers])?)
        }
        FileChange::Sources { index, sources } => {
            let mut values = vec![Value::from(number.0), index.0.into()];
            values.extend(source_values(sources));
            (index, execute(transaction, &UPDATE_SOURCES, params_from_iter(values))?)
        }
        FileChange::RemoteName { index, remote_name, moved } => {
            let sql =
                "UPDATE files SET remote_name = ?3, moved = max(moved, ?4) WHERE job = ?1 AND place = ?2";
            (index, execute(transaction, sql, params![number, index.0, remote_name.as_str(), moved])?)
        }
        FileChange::PassedOver { index, error } => {
            let sql = "UPDATE files SET error_code = ?3, error_message = ?4 WHERE job = ?1 AND place = ?2";
            (index, execute(transaction, sql, params![number, index.0, error.code.0, error.message])?)
        }
        FileChange::TryAgain => {
            let sql = "UPDATE files SET error_code = NULL, error_message = NULL \
                 WHERE job = ?1 AND error_code IS NOT NULL";
            execute(transaction, sql, params![number])?;
            return Ok(());
        }
        FileChange::Lost { index } => {
            let mut values = vec![ToSqlOutput::from(number.0), index.0.into()];
            let served = Served::default();
            values.extend(version_values(None, None, &served, None, None));
            execute(transaction, &UPDATE_VERSION, params_from_iter(values))?;
            let sql = "UPDATE files SET stage = ?3, valid = 0 WHERE job = ?1 AND place = ?2";
            (index, execute(transaction, sql, params![number, index.0, stage_word(Stage::Waiting)])?)
        }
        FileChange::Durable { index, upto } => {
            let sql = "UPDATE files SET durable = max(durable, ?3) WHERE job = ?1 AND place = ?2";
            (index, execute(transaction, sql, params![number, index.0, bytes(*upto)])?)
        }
        FileChange::Requested { index, .. }
        | FileChange::Position { index, .. }
        | FileChange::Withdrawn { index, .. }
        | FileChange::Filled { index, .. } => (index, change_demand(transaction, number, *index, change)?),
        FileChange::Transferred { index, size } => {
            let sql = "UPDATE files SET size = ?3, durable = ?3, stage = ?4 WHERE job = ?1 AND place = ?2";
            let stage = stage_word(Stage::Transferred);
            (index, execute(transaction, sql, params![number, index.0, bytes(*size), stage])?)
        }
        FileChange::Whole { index, size, validator, served, boot } => {
            let mut values = Vec::with_capacity(WHOLE_VALUES);
            values.extend([ToSqlOutput::from(number.0), index.0.into()]);
            values.extend(version_values(Some(*size), Some(validator), served, Some(*boot), None));
            values.extend([bytes(*size).into(), text(stage_word(Stage::Transferred))]);
            (index, execute(transaction, &UPDATE_WHOLE, params_from_iter(values))?)
        }
        FileChange::Completed { index } => {
            let sql = "UPDATE files SET stage = ?3 WHERE job = ?1 AND place = ?2";
            (index, execute(transaction, sql, params![number, index.0, stage_word(Stage::Completed)])?)
        }
        FileChange::Valid { index } => {
            let sql = "UPDATE files SET valid = stage <> 'waiting' WHERE job = ?1 AND place = ?2";
            (index, execute(transaction, sql, params![number, index.0])?)
        }
    };
    if changed == 0 { Err(no_such_file(*job, *index)) } else { Ok(()) }
}

/// What is asked for of a file is read, changed and written. Says how many files that were.
fn change_demand(
    transaction: &Writing<'_>,
    number: Number,
    index: FileIndex,
    change: &FileChange,
) -> Result<usize, StoreError> {
    let sql = format!("SELECT {SIZE_COLUMNS}, {DEMAND_COLUMNS} FROM files WHERE job = ?1 AND place = ?2");
    let found = query(transaction, &sql, params![number, index.0], demand::stored)?.pop();
    let Some(Stored { size, mut durable, mut demand }) = found else { return Ok(0) };
    match change.clone() {
        FileChange::Requested { ranges, .. } => demand.requested.extend(ranges),
        FileChange::Position { position, .. } => demand.position = Some(position),
        FileChange::Withdrawn { beyond, .. } => demand.withdraw(beyond),
        FileChange::Filled { filled, .. } => {
            durable = filled.total();
            demand.has(filled, size);
        }
        _ => unreachable!("no other change is of a demand"),
    }
    let sql = format!(
        "UPDATE files SET (durable, {DEMAND_COLUMNS}) = (?3, ?4, ?5, ?6) WHERE job = ?1 AND place = ?2"
    );
    let mut values = vec![Value::from(number.0), index.0.into(), bytes(durable).into()];
    values.extend(demand::values(&demand));
    execute(transaction, &sql, params_from_iter(values))
}

/// Makes all of `changes`, which say of neighbours that they have their names, by one statement. What a
/// job adds up to is not changed by that: they were whole before.
fn complete_files(
    transaction: &Writing<'_>,
    number: Number,
    changes: &FileChanges,
) -> Result<(), StoreError> {
    let (first, last) = span(changes).expect("there is a change");
    let completed = stage_word(Stage::Completed);
    let sql = "UPDATE files SET stage = ?4 WHERE job = ?1 AND place BETWEEN ?2 AND ?3 AND stage <> 'waiting'";
    let changed = execute(transaction, sql, params![number, first, last, completed])?;
    if changed == changes.len() {
        return Ok(());
    }
    sums::kept(transaction, number, Some((first, last)), || {
        changes.iter().try_for_each(|change| change_file(transaction, number, change))
    })
}

/// Says how many secrets are gone by it.
fn change_secret(transaction: &Writing<'_>, job: JobId, change: &SecretChange) -> Result<usize, StoreError> {
    let Some(number) = Number::of(transaction, job)? else {
        return match change {
            SecretChange::Set(_) => Err(number::no_such_job(job)),
            // What is not there is removed already.
            _ => Ok(0),
        };
    };
    let remove = "DELETE FROM secrets WHERE job = ?1 AND slot = ?2";
    match change {
        SecretChange::Set(SealedSecret { slot, record }) => {
            let slot = slot_word(slot);
            let removed = execute(transaction, remove, params![number, slot])?;
            let insert = "INSERT INTO secrets (job, slot, record) VALUES (?1, ?2, ?3)";
            execute(transaction, insert, params![number, slot, record])?;
            Ok(removed)
        }
        SecretChange::Remove(slot) => execute(transaction, remove, params![number, slot_word(slot)]),
        SecretChange::RemoveHeaders => {
            let remove = "DELETE FROM secrets WHERE job = ?1 AND slot >= ?2 AND slot < ?3";
            execute(transaction, remove, params![number, rows::HEADER, rows::AFTER_HEADERS])
        }
        SecretChange::RemoveAllButWebhook => {
            let remove = "DELETE FROM secrets WHERE job = ?1 AND slot <> ?2";
            execute(transaction, remove, params![number, rows::WEBHOOK])
        }
        SecretChange::RemoveAll => {
            execute(transaction, "DELETE FROM secrets WHERE job = ?1", params![number])
        }
    }
}

/// Whatever a batch says, a final job has no secrets, but for that by which what is still to be told is
/// signed.
fn wipe_if_final(transaction: &Writing<'_>, job: JobId) -> Result<usize, StoreError> {
    execute(transaction, &WIPE_IF_FINAL, params![job.0, rows::WEBHOOK])
}

fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(failed("written"))
}

fn no_such_file(job: JobId, index: FileIndex) -> StoreError {
    StoreError::Corrupt { reason: format!("file {} of the job {job} is not there", index.0) }
}
