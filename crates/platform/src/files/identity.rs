//! Whether two names mean the same file.

use std::fs::Metadata;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// A file whatever its name is: device and inode.
///
/// Holds only while the file exists (numbers are used again) and the machine runs (devices may be
/// numbered anew).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    pub device: u64,
    pub inode: u64,
}

impl FileIdentity {
    /// The file that `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    pub(crate) fn of_open(file: impl AsFd) -> Result<Self, rustix::io::Errno> {
        rustix::fs::fstat(file).map(|stat| Self::of_stat(&stat))
    }

    pub(crate) fn of_stat(stat: &rustix::fs::Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}
