//! A transaction whose beginning and end are statements that stay compiled: each commit of a small change would
//! else spend some of its time on reading the words for it.

use std::ops::Deref;

use rusqlite::Connection;

/// Taken back when it is dropped, with all that was written before it was gone on with, unless it was committed or
/// left open.
pub(super) struct Writing<'c>(&'c Connection);

impl<'c> Writing<'c> {
    /// Begins to write: nobody else does until it is over.
    pub(super) fn begin(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(connection))
    }

    /// Goes on with the one that was [left open](Writing::leave_open).
    pub(super) fn go_on(connection: &'c Connection) -> Self {
        assert!(!connection.is_autocommit(), "a transaction was left open");
        Self(connection)
    }

    /// Leaves it as it is, to be gone on with: all that reads by this connection sees what was written.
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
