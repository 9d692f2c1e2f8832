//! Why the database could not be written. SQLite tells apart that a disk is full; of all else it keeps the
//! system's own word to itself. So a change is tried that hurts nothing.

use std::path::Path;

use bits_core::ports::StoreError;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

/// More than what a file system keeps with the name of a file, so that it has to find room for it.
const PROBE_BYTES: usize = 8192;

/// `error`, met when the database at `path` was to be written, with what the disk says of it now.
pub(super) fn explained(error: StoreError, path: &Path) -> StoreError {
    if !matches!(error, StoreError::Io { .. } | StoreError::Device { .. }) {
        return error;
    }
    match refusal(path) {
        Some(Errno::ROFS) => StoreError::ReadOnly,
        Some(Errno::DQUOT) => StoreError::QuotaExceeded,
        Some(Errno::NOSPC) => StoreError::Full,
        Some(errno @ Errno::IO) => StoreError::Device { doing: "written", reason: errno.to_string() },
        _ => error,
    }
}

/// With what the file system that `path` is on refuses a change, if it does.
fn refusal(path: &Path) -> Option<Errno> {
    let outcome = match unnamed_file(path) {
        // Not every file system has files without names.
        Err(Errno::NOTSUP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => Ok(()),
        outcome => outcome,
    };
    outcome.and_then(|()| touch(path)).err()
}

/// Writes a file that never has a name, so that it is gone with this process whatever happens.
fn unnamed_file(path: &Path) -> Result<(), Errno> {
    let folder = path.parent().unwrap_or(path);
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR)?;
    let mut rest = PROBE_BYTES;
    while rest > 0 {
        rest -= rustix::io::write(&file, &[0; PROBE_BYTES][..rest])?;
    }
    rustix::fs::fsync(&file)
}

/// Sets the time of the database, as writing it would have. By its name: where a process closes any
/// descriptor of a file, all its locks on that file are gone, and with them SQLite's own, by which no other
/// process has the database.
fn touch(path: &Path) -> Result<(), Errno> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_well_explains_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        std::fs::write(&path, "content").expect("written");
        let device = StoreError::Device { doing: "written", reason: "disk I/O error".into() };
        for error in [device, StoreError::Full, StoreError::Corrupt { reason: "it is".into() }] {
            assert_eq!(explained(error.clone(), &path), error);
        }
        assert_eq!(std::fs::read(&path).expect("readable"), b"content");
        let names: Vec<_> = std::fs::read_dir(folder.path()).expect("readable").collect();
        assert_eq!(names.len(), 1, "nothing is left of it: {names:?}");
    }
}
