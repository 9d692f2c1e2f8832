//! A file of this machine that is copied from.
//!
//! Only regular files are opened, and opening one waits for nobody.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bits_core::units::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{FileError, FileIdentity};

/// A file that is open for reading.
#[derive(Debug)]
pub struct Source {
    file: File,
    path: PathBuf,
}

/// Which file it is, and by what one would see that it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceState {
    pub identity: FileIdentity,
    pub size: Bytes,
    /// When the content was last changed, since 1970.
    pub modified: Duration,
    /// When anything of it was last changed, in nanoseconds since 1970.
    pub changed: i128,
}

impl Source {
    /// Opens the file at `path`; symbolic links are followed, as everywhere where one reads.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let failed = |errno| FileError::new("open", path, errno);
        // Not blocking, and no terminal of ours: it may be anything.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?);
        let metadata = file.metadata().map_err(|error| FileError::new("look at", path, error))?;
        match metadata.is_file() {
            true => Ok(Self { file, path: path.into() }),
            false => Err(failed(if metadata.is_dir() { Errno::ISDIR } else { Errno::ACCESS })),
        }
    }

    /// How it is now.
    pub fn state(&self) -> Result<SourceState, FileError> {
        let metadata = self.file.metadata().map_err(self.failed("look at"))?;
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(SourceState {
            identity: FileIdentity::of(&metadata),
            size: Bytes(metadata.size()),
            modified: modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            changed: i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
        })
    }

    /// Reads some bytes from `place` on; none at the end of the file.
    pub fn read_at(&self, bytes: &mut [u8], place: Bytes) -> Result<usize, FileError> {
        loop {
            match self.file.read_at(bytes, place.0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome.map_err(self.failed("read")),
            }
        }
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> FileError {
        let path = self.path.clone();
        move |source| FileError::new(action, &path, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_read_and_a_change_of_it_is_seen() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("f");
        std::fs::write(&path, "hello").unwrap();
        let source = Source::open(&path).unwrap();
        let state = source.state().unwrap();
        let mut bytes = [0; 9];
        assert_eq!((source.read_at(&mut bytes, Bytes(2)).unwrap(), &bytes[..3]), (3, &b"llo"[..]));
        assert_eq!((state.size, source.read_at(&mut bytes, Bytes(5)).unwrap()), (Bytes(5), 0));
        std::fs::write(&path, "hello, world").unwrap();
        assert_ne!(source.state().unwrap(), state);
        assert!(Source::open(top.path()).is_err());
        assert!(Source::open(&top.path().join("missing")).is_err());
        assert!(Source::open(Path::new("/dev/null")).is_err());
    }
}
