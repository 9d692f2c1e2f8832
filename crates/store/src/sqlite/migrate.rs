//! From the schema of an older version to the one this service knows.
//!
//! A schema is made by the files in `migrations/sqlite`, one after the other; none of them
//! changes once a release has it. There is no way back: a newer database is refused.

use rusqlite::{Connection, TransactionBehavior};

/// What is done to come from each version to the next. The first begins with nothing.
const MIGRATIONS: [&str; 10] = [
    include_str!("../../migrations/sqlite/0001.sql"),
    include_str!("../../migrations/sqlite/0002.sql"),
    include_str!("../../migrations/sqlite/0003.sql"),
    include_str!("../../migrations/sqlite/0004.sql"),
    include_str!("../../migrations/sqlite/0005.sql"),
    include_str!("../../migrations/sqlite/0006.sql"),
    include_str!("../../migrations/sqlite/0007.sql"),
    include_str!("../../migrations/sqlite/0008.sql"),
    include_str!("../../migrations/sqlite/0009.sql"),
    include_str!("../../migrations/sqlite/0010.sql"),
];

/// The version of the schema that this service knows.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// `BITS`, by which the database is known as ours (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"BITS");

/// Brings the schema to [`VERSION`], all the way or not at all.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < VERSION {
        for migration in &MIGRATIONS[found as usize..] {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
