//! A transaction whose beginning and end are statements that stay compiled: each commit of a small change would
//! else spend some of its time on reading the words for it.

use std::ops::Deref;

use rusqlite::Connection;

/// Taken back when it is dropped, unless it was committed.
pub(super) struct Writing<'c>(&'c Connection);

impl<'c> Writing<'c> {
    /// Begins to write, or goes on where one was left open.
    pub(super) fn begin(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        if connection.is_autocommit() {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        Ok(Self(connection))
    }

    /// Leaves it as it is, for whoever begins next: all that reads by this connection sees what was written.
    pub(super) fn leave_open(self) {
        std::mem::forget(self);
    }

    pub(super) fn commit(self) -> Result<(), rusqlite::Error> {
        // One that fails is still open, or was taken back already.
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // What is wrong with the database was said by what made us give up.
            _ = self.0.prepare_cached("ROLLBACK").and_then(|mut rollback| rollback.execute([]));
        }
    }
}
