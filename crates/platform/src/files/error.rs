//! What can go wrong with a file, as far as it is answered differently.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A call on a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {kind}", path.display())]
pub struct FileError {
    /// What was being done, as a verb: `write`, `rename`.
    pub action: &'static str,
    pub path: PathBuf,
    pub kind: FileErrorKind,
    pub source: io::Error,
}

/// The failures that a job tells apart: some pass, some need a person, some another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileErrorKind {
    /// `ENOSPC`
    NoSpace,
    /// `EDQUOT`
    QuotaExceeded,
    /// `EFBIG`: larger than the file system or a limit of the process allows.
    TooLarge,
    /// `EIO`
    Device,
    /// `EROFS`
    ReadOnly,
    /// `EACCES`, `EPERM`
    Denied,
    /// `ENOENT`
    NotFound,
    /// `ENOTDIR`
    NotAFolder,
    /// `EEXIST`
    Exists,
    /// `ENAMETOOLONG`
    NameTooLong,
    /// Any other error, with the system's number where it has one.
    Other(Option<i32>),
}

impl FileError {
    pub(crate) fn new(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Self { action, path: path.into(), kind: FileErrorKind::of(&source), source }
    }
}

impl FileErrorKind {
    /// The kind of `error`.
    pub fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::NOSPC) => Self::NoSpace,
            Some(Errno::DQUOT) => Self::QuotaExceeded,
            Some(Errno::FBIG) => Self::TooLarge,
            Some(Errno::IO) => Self::Device,
            Some(Errno::ROFS) => Self::ReadOnly,
            Some(Errno::ACCESS | Errno::PERM) => Self::Denied,
            Some(Errno::NOENT) => Self::NotFound,
            Some(Errno::NOTDIR) => Self::NotAFolder,
            Some(Errno::EXIST) => Self::Exists,
            Some(Errno::NAMETOOLONG) => Self::NameTooLong,
            other => Self::Other(other.map(Errno::raw_os_error)),
        }
    }
}

impl fmt::Display for FileErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSpace => "no space is left on its file system",
            Self::QuotaExceeded => "the user's disk quota is used up",
            Self::TooLarge => "it would be larger than its file system or a limit allows",
            Self::Device => "the disk reports an error",
            Self::ReadOnly => "its file system is read-only",
            Self::Denied => "permission is denied",
            Self::NotFound => "it does not exist",
            Self::NotAFolder => "a part of the path is not a folder",
            Self::Exists => "it exists",
            Self::NameTooLong => "its name is longer than the file system allows",
            Self::Other(Some(number)) => return io::Error::from_raw_os_error(*number).fmt(f),
            Self::Other(None) => "the system refused",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_that_is_answered_differently_has_its_own_kind() {
        for (errno, kind) in [
            (Errno::NOSPC, FileErrorKind::NoSpace),
            (Errno::DQUOT, FileErrorKind::QuotaExceeded),
            (Errno::FBIG, FileErrorKind::TooLarge),
            (Errno::IO, FileErrorKind::Device),
            (Errno::ROFS, FileErrorKind::ReadOnly),
            (Errno::ACCESS, FileErrorKind::Denied),
            (Errno::NOENT, FileErrorKind::NotFound),
            (Errno::NFILE, FileErrorKind::Other(Some(Errno::NFILE.raw_os_error()))),
        ] {
            let error = FileError::new("write", Path::new("/x/y"), errno);
            assert_eq!(error.kind, kind);
            assert!(error.to_string().starts_with("cannot write /x/y: "), "{error}");
        }
    }
}
