//! The key on record, and the change to another.
//!
//! Keys themselves are never here, only their names; what a record for another key looks like is the
//! caller's business.

use bits_core::job::{JobId, Owner};
use bits_core::ports::{KeyId, RekeyError, Rewrap, SealedSecret, SealingKey, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::rows::{self, failed};

const KEY_ID: &str = "key_id";
const KEY_SOURCE: &str = "key_source";

/// Records read at a time, so that memory does not grow with their number.
const RECORDS_AT_ONCE: usize = 100;

pub(super) fn on_record(connection: &Connection) -> Result<Option<SealingKey>, StoreError> {
    let id: Option<[u8; 8]> = meta(connection, KEY_ID)?;
    let source: Option<String> = meta(connection, KEY_SOURCE)?;
    match (id, source) {
        (None, None) => Ok(None),
        (Some(id), Some(word)) => match rows::key_source(&word) {
            Some(source) => Ok(Some(SealingKey { id: KeyId(id), source })),
            None => Err(corrupt(format!("the key is from a place that means nothing: {word}"))),
        },
        _ => Err(corrupt("of the key only a half is on record".into())),
    }
}

pub(super) fn has_secrets(connection: &Connection) -> Result<bool, StoreError> {
    connection
        .query_row("SELECT EXISTS (SELECT 1 FROM secrets)", [], |row| row.get(0))
        .map_err(failed("read"))
}

/// Writes all of it, or nothing.
pub(super) fn rekey(
    connection: &mut Connection,
    key: SealingKey,
    rewrap: &mut Rewrap<'_>,
) -> Result<(), RekeyError> {
    // Dropped on the way out of an error, it is rolled back.
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed("written"))?;
    let mut after = 0;
    loop {
        let page = records(&transaction, after)?;
        let is_last = page.len() < RECORDS_AT_ONCE;
        for Record { place, job, owner, sealed } in page {
            let rewrapped = rewrap(job, owner, &sealed).map_err(|error| RekeyError::Seal { job, error })?;
            transaction
                .prepare_cached("UPDATE secrets SET record = ?2 WHERE rowid = ?1")
                .and_then(|mut statement| statement.execute(params![place, rewrapped]))
                .map_err(failed("written"))?;
            after = place;
        }
        if is_last {
            break;
        }
    }
    let set = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    transaction.execute(set, params![KEY_ID, key.id.0]).map_err(failed("written"))?;
    transaction
        .execute(set, params![KEY_SOURCE, rows::key_source_word(key.source)])
        .map_err(failed("written"))?;
    transaction.commit().map_err(failed("written"))?;
    Ok(())
}

fn meta<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<Option<T>, StoreError> {
    connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(failed("read"))
}

/// A secret of a job, and its place in the table.
struct Record {
    place: i64,
    job: JobId,
    owner: Owner,
    sealed: SealedSecret,
}

fn records(transaction: &Transaction<'_>, after: i64) -> Result<Vec<Record>, StoreError> {
    let sql = "SELECT s.slot, s.record, s.rowid, j.id, j.owner \
         FROM secrets s JOIN jobs j ON j.number = s.job WHERE s.rowid > ?1 ORDER BY s.rowid LIMIT ?2";
    let mut statement = transaction.prepare_cached(sql).map_err(failed("read"))?;
    let mut found = statement.query(params![after, RECORDS_AT_ONCE as i64]).map_err(failed("read"))?;
    let mut records = Vec::new();
    while let Some(row) = found.next().map_err(failed("read"))? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> Result<Record, StoreError> {
    Ok(Record {
        sealed: rows::secret(row)?,
        place: row.get(2).map_err(failed("read"))?,
        job: JobId(row.get(3).map_err(failed("read"))?),
        owner: Owner(row.get(4).map_err(failed("read"))?),
    })
}

fn corrupt(reason: String) -> StoreError {
    StoreError::Corrupt { reason }
}
