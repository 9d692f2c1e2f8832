//! Which file systems are mounted, and when that changes.
//!
//! The kernel says so of its list of mounts, which is then looked at as a whole. Nothing that is mounted
//! is touched: a server that is gone must not hold up whoever looks.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsRawFd, RawFd};

/// The mounts of this process.
const LIST: &str = "/proc/self/mountinfo";
/// Bytes of it that are looked at; thousands of mounts are fewer.
const LIST_BYTES_MAX: u64 = 16 << 20;

/// Hears of changes: it is ready with priority when there was one.
#[derive(Debug)]
pub struct MountWatch(File);

impl MountWatch {
    /// # Errors
    /// When the system has no such list.
    pub fn open() -> io::Result<Self> {
        File::open(LIST).map(Self)
    }

    /// Another number when something was mounted or taken away.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn look(&self) -> io::Result<u64> {
        let mut list = &self.0;
        list.seek(SeekFrom::Start(0))?;
        let mut hasher = DefaultHasher::new();
        let mut piece = vec![0; 64 * 1024];
        let mut left = list.take(LIST_BYTES_MAX);
        loop {
            match left.read(&mut piece)? {
                0 => return Ok(hasher.finish()),
                length => piece[..length].hash(&mut hasher),
            }
        }
    }
}

impl AsRawFd for MountWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_can_be_looked_at_again_and_again() {
        let watch = MountWatch::open().expect("there is a list");
        let nothing = DefaultHasher::new().finish();
        for _ in 0..2 {
            assert_ne!(watch.look().expect("it says"), nothing, "there is one mount at least");
        }
    }
}
