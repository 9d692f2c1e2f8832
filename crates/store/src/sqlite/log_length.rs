//! The length of the log, which it is given before it is needed.
//!
//! A commit that makes the log longer has its new length written to the disk as well, which takes as long as
//! the commit itself. So where the log grows it is made longer by a good piece at once, with zeros, which SQLite
//! takes for the end of what it has written there (its file format, 4.5).

use std::cmp::Ordering;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::soundness::{LOG, beside};

/// How often in a row it grows before it is made longer: not for a change now and then.
const GROWS: u32 = 8;
/// By how much it is made longer, in bytes.
const PIECE: usize = 512 << 10;

/// The log of a database that one connection alone writes to, on the thread that asks.
#[derive(Debug)]
pub(super) struct LogLength {
    /// Where it is, when that can be said.
    path: Option<PathBuf>,
    log: Option<File>,
    /// The length it had when it was looked at last.
    length: u64,
    grew: u32,
    /// How long it is never made, in bytes.
    length_max: u64,
}

impl LogLength {
    /// Of the log of the database at `path`.
    pub(super) fn of(path: &Path, length_max: u64) -> Self {
        let path = (!path.as_os_str().is_empty()).then(|| beside(path, LOG));
        Self { path, log: None, length: 0, grew: 0, length_max }
    }

    /// To be asked after a commit. What goes wrong here costs time later, and nothing else.
    pub(super) fn look(&mut self) {
        if self.make_longer().is_err() {
            self.log = None;
            self.grew = 0;
        }
    }

    fn make_longer(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.log.is_none() {
            let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
            self.log = Some(OpenOptions::new().write(true).custom_flags(flags).open(path)?);
        }
        let mut log = self.log.as_ref().expect("it was just opened");
        // Not by its metadata: who asks when it was last changed has the next change told from this one, on the disk.
        let length = log.seek(SeekFrom::End(0))?;
        let was = std::mem::replace(&mut self.length, length);
        match length.cmp(&was) {
            Ordering::Less => self.grew = 0,
            Ordering::Equal => {}
            Ordering::Greater => self.grew += 1,
        }
        if length <= was || self.grew < GROWS || length + PIECE as u64 > self.length_max {
            return Ok(());
        }
        if let Err(error) = log.write_all_at(&vec![0; PIECE], length) {
            // A disk that is nearly full has better use for what was written of it.
            log.set_len(length)?;
            return Err(error);
        }
        self.length = length + PIECE as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// What a log may come to in these tests.
    const LENGTH_MAX: u64 = 6 * PIECE as u64;

    fn a_database(folder: &Path) -> Connection {
        let database = Connection::open(folder.join("jobs.db")).expect("a database");
        database
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)")
            .expect("a table");
        database
    }

    fn write(database: &Connection, length_of_log: &mut LogLength, rows: usize) {
        for _ in 0..rows {
            database.execute("INSERT INTO t VALUES (randomblob(3000))", []).expect("a row");
            length_of_log.look();
        }
    }

    fn log(folder: &Path) -> u64 {
        std::fs::metadata(folder.join("jobs.db-wal")).expect("a log").len()
    }

    #[test]
    fn a_log_that_grows_and_grows_is_made_longer_up_to_its_end_and_all_in_it_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = a_database(folder.path());
        let mut length_of_log = LogLength::of(&folder.path().join("jobs.db"), LENGTH_MAX);
        write(&database, &mut length_of_log, GROWS as usize);
        let ahead = log(folder.path());
        assert!(ahead > PIECE as u64, "{ahead}");
        write(&database, &mut length_of_log, 20);
        assert_eq!(log(folder.path()), ahead, "what comes next has its length already");
        write(&database, &mut length_of_log, 400);
        // It has become longer than it may be made.
        let other = tempfile::tempdir().expect("a folder");
        let without = a_database(other.path());
        write(&without, &mut LogLength::of(&other.path().join("none"), LENGTH_MAX), GROWS as usize + 420);
        assert!(log(folder.path()) > LENGTH_MAX);
        assert_eq!(log(folder.path()), log(other.path()), "no more than is in it");

        // As a kill leaves it.
        let after = tempfile::tempdir().expect("a folder");
        for name in ["jobs.db", "jobs.db-wal"] {
            std::fs::copy(folder.path().join(name), after.path().join(name)).expect("a copy");
        }
        let found = Connection::open(after.path().join("jobs.db")).expect("a database");
        let rows: u32 = found.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, GROWS + 420);
    }

    #[test]
    fn a_log_that_is_cut_again_and_again_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = a_database(folder.path());
        let mut length_of_log = LogLength::of(&folder.path().join("jobs.db"), LENGTH_MAX);
        for _ in 0..10 {
            write(&database, &mut length_of_log, GROWS as usize - 1);
            assert!(log(folder.path()) < PIECE as u64);
            database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("cut");
            length_of_log.look();
        }
    }

    #[test]
    fn a_log_that_is_not_there_or_not_ours_is_let_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut length_of_log = LogLength::of(&folder.path().join("jobs.db"), LENGTH_MAX);
        length_of_log.look();
        std::fs::write(folder.path().join("else"), "").expect("a file");
        std::os::unix::fs::symlink("else", folder.path().join("jobs.db-wal")).expect("a link");
        for length in 0..=u64::from(GROWS) + 1 {
            let file = OpenOptions::new().write(true).open(folder.path().join("else")).expect("a file");
            file.set_len(length).expect("longer");
            length_of_log.look();
        }
        assert!(log(folder.path()) < PIECE as u64);
    }
}
