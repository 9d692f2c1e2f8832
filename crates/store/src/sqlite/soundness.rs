//! Whether the pages of a database fit together: looked at while a service has it open, on a connection of
//! its own, so that no start waits for it.
//!
//! The check reads the database file and nothing of its log. The file is whole at a start, and stays as it is
//! while only the log is written; whoever empties the log into it says so, and what was read of the file
//! before or meanwhile then counts for nothing. What is found is kept in a file beside the database, by
//! which the next start knows that it has to look at all of it before it uses any.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::open::{LOG_PAGES, check_sound, pragma, read_alone};

/// Beside the database, when there is reason to look at all of it.
pub(super) const SUSPECT: &str = "-suspect";
/// Beside it, what was written since its log was emptied.
pub(super) const LOG: &str = "-wal";

/// What the log may grow to while the file is to stay as it is.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// How often the file is read again because it was written meanwhile, and the pause before.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_secs(1);
/// More is not read of what is suspected; it is a sentence.
const REASON_BYTES_MAX: u64 = 4096;

/// What the check and the store know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// How often the file was begun to be written and was done: odd while it is.
    writes: AtomicU64,
    is_over: AtomicBool,
}

/// What came of a check that has found nothing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// All of it was gone through.
    Through,
    /// It was written meanwhile each time, or could not be read: nothing is known.
    InVain,
}

/// A check that is to be run, on any thread. One that is dropped is over.
#[derive(Debug)]
pub struct Check {
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Check {
    /// Goes through the whole database; that takes about a second for each gigabyte, and longer beside
    /// somebody who writes.
    ///
    /// # Errors
    /// What is wrong with it. The next start goes through it before it is used, and sets it aside.
    pub fn run(self) -> Result<Looked, String> {
        self.run_pausing(PAUSE)
    }

    fn run_pausing(self, pause: Duration) -> Result<Looked, String> {
        for _ in 0..TRIES {
            let before = self.shared.writes.load(Ordering::SeqCst);
            let verdict = look(&self.path);
            // By an odd number it was being written when it was begun to be read.
            if before.is_multiple_of(2) && self.shared.writes.load(Ordering::SeqCst) == before {
                if let Err(reason) = &verdict {
                    suspect(&self.path, reason);
                }
                return verdict;
            }
            thread::sleep(pause);
        }
        Ok(Looked::InVain)
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
    }
}

/// Reads every page of the file. One that cannot be read for another reason than damage tells nothing.
fn look(path: &Path) -> Result<Looked, String> {
    match read_alone(path).and_then(|connection| check_sound(&connection)) {
        Ok(verdict) => verdict.map(|()| Looked::Through),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Err(error.to_string()),
            _ => Ok(Looked::InVain),
        },
    }
}

/// What a store owes to a check that is under way.
#[derive(Debug)]
pub(super) struct Checked(Arc<Shared>);

impl Checked {
    /// From now on `connection` leaves the file as it is. It has no log yet.
    pub(super) fn begin(connection: &Connection) -> Result<(Self, Check), rusqlite::Error> {
        pragma(connection, "wal_autocheckpoint", 0)?;
        let shared = Arc::new(Shared::default());
        let path = PathBuf::from(connection.path().unwrap_or_default());
        Ok((Self(Arc::clone(&shared)), Check { path, shared }))
    }

    /// Looks after a commit whether the log has to be emptied. Says whether the check is under way still.
    pub(super) fn goes_on(&self, connection: &Connection) -> bool {
        if self.0.is_over.load(Ordering::SeqCst) {
            // Whether that worked shows with the next commit: the log is emptied then, or grows on.
            return pragma(connection, "wal_autocheckpoint", LOG_PAGES).is_err();
        }
        let log = beside(Path::new(connection.path().unwrap_or_default()), LOG);
        if fs::symlink_metadata(log).is_ok_and(|log| log.len() >= LOG_BYTES_MAX) {
            self.while_written(|| {
                // The next commit tries again.
                _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            });
        }
        true
    }

    /// Lets the check know that the file is written meanwhile.
    pub(super) fn while_written<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        let written = write();
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        written
    }
}

impl Drop for Checked {
    /// On closing the log is emptied into the file, unless the check was over.
    fn drop(&mut self) {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Takes note that the database at `path` is to be looked at as a whole before it is used again.
pub(super) fn suspect(path: &Path, reason: &str) {
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside(path, SUSPECT))?;
        file.write_all(reason.as_bytes())?;
        file.sync_all()
    };
    // One that is there already says enough; where none can be written the next check finds it again.
    _ = write();
}

/// Why the database at `path` is to be looked at as a whole, if it is.
pub(super) fn suspicion(path: &Path) -> Option<String> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(beside(path, SUSPECT)).ok()?;
    let mut reason = Vec::new();
    File::take(file, REASON_BYTES_MAX).read_to_end(&mut reason).ok()?;
    Some(String::from_utf8_lossy(&reason).into_owned())
}

/// Takes it back: all of it was looked at.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_file(beside(path, SUSPECT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What SQLite, or we, keep beside the database at `path` under this `ending`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_is_disturbed_each_time_does_not_say_that_it_went_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        Connection::open(&path)
            .and_then(|made| made.execute_batch("CREATE TABLE t (a)"))
            .expect("a database");
        for (writes, looked) in [(0, Looked::Through), (1, Looked::InVain)] {
            let shared = Arc::new(Shared { writes: AtomicU64::new(writes), is_over: AtomicBool::new(false) });
            let check = Check { path: path.clone(), shared };
            assert_eq!(check.run_pausing(Duration::ZERO), Ok(looked));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_was_not_gone_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = Check { path: folder.path().join("jobs.db"), shared: Arc::default() };
        assert_eq!(check.run_pausing(Duration::ZERO), Ok(Looked::InVain));
    }
}
