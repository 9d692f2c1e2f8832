//! Jobs in an SQLite database: one file, one holder, one transaction per turn of the engine.
//!
//! The log is written ahead (WAL) and synced at each commit (`synchronous = FULL`): with SQLite's
//! own defaults the last acknowledged commit can be lost in a power cut. Opening — what may be
//! opened, what is set aside — is in `open`; the statements are in `reading` and `writing`.

mod migrate;
mod open;
mod reading;
mod writing;

use std::path::Path;

use bits_core::file::{File, FileIndex};
use bits_core::job::{Job, JobId, Owner, Progress};
use bits_core::ports::{Batch, Cursor, Filter, Page, SealedCredential, StateName, Store, StoreError};
use bits_core::time::Timestamp;
use rusqlite::Connection;

pub use open::{OpenError, Opened, SetAside};

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    /// Whether the log may still hold credentials that were removed.
    wipe_owed: bool,
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
        open::open(path)
    }

    fn new(connection: Connection) -> Self {
        Self { connection, wipe_owed: false }
    }

    /// Empties the log into the database and cuts it to nothing. What was removed is overwritten
    /// in the database (`secure_delete`), but stays readable in the log until then.
    fn wipe_log(&mut self) {
        // The commit that owes it is done and must not fail any more: the next one tries again.
        let emptied = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
            .is_ok_and(|blocked| blocked == 0);
        self.wipe_owed = !emptied;
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let removed_credentials = writing::commit(&mut self.connection, batch)?;
        if removed_credentials || self.wipe_owed {
            self.wipe_log();
        }
        Ok(())
    }

    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(reading::job(&self.connection, id)?.map(|(job, _)| job))
    }

    fn progress(&mut self, id: JobId) -> Result<Progress, StoreError> {
        reading::progress(&self.connection, id)
    }

    fn files(&mut self, id: JobId, from: FileIndex, limit: usize) -> Result<Vec<File>, StoreError> {
        reading::files(&self.connection, id, from, limit)
    }

    fn credentials(&mut self, id: JobId) -> Result<Vec<SealedCredential>, StoreError> {
        reading::credentials(&self.connection, id)
    }

    fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        reading::list(&self.connection, filter, after, limit)
    }

    fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError> {
        reading::counts(&self.connection, owner)
    }

    fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError> {
        reading::unfinished(&self.connection, each)
    }

    fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        writing::forget_final(&self.connection, before)
    }
}
