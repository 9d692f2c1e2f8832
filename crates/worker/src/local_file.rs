//! What failures of local files mean for a job: their numbers, and whether time may cure them
//! (`bits.md` §5.2, §5.4). The sentences are those of `platform::files`.

use std::path::Path;

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::FileIndex;
use bits_platform::files::{DestinationError, FileError, FileErrorKind, FinalizeError, PartialError};

use crate::link::DestinationRefusal;

// Numbers of the system that nobody else raises.
const BAD_NAME: Code = Code(0x8007_007B);
const FILE_TOO_LARGE: Code = Code(0x8007_00DF);

pub(crate) const ENOMEM: i32 = 12;
pub(crate) const ENFILE: i32 = 23;
pub(crate) const EMFILE: i32 = 24;

/// What a failure of a local file means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalFault {
    pub(crate) code: Code,
    /// Space, memory and handles come back; a permission does not come by itself. What never heals
    /// is ended by the job's no-progress timeout.
    pub(crate) transient: bool,
    pub(crate) message: String,
}

impl LocalFault {
    pub(crate) fn new(code: Code, message: String) -> Self {
        Self { code, transient: false, message }
    }

    /// Whether the disk itself has failed.
    pub(crate) fn is_of_device(&self) -> bool {
        self.code == Code::IO_DEVICE
    }

    /// The volume is not there that the folder `path` was on.
    pub(crate) fn volume_missing(path: &Path) -> Self {
        let message = format!(
            "the folder {} does not exist, and the volume that it was on is not mounted there",
            path.display()
        );
        Self { code: Code::DESTINATION_LOCKED, transient: true, message }
    }

    /// Another volume is where the folder `path` was.
    pub(crate) fn volume_changed(path: &Path) -> Self {
        let message = format!("{} is on another volume than it was", path.display());
        Self { code: Code::VOLUME_CHANGED, transient: true, message }
    }

    /// The error of a job whose file number `file` it was.
    pub(crate) fn into_job_error(self, file: FileIndex) -> JobError {
        JobError {
            code: self.code,
            context: ErrorContext::LocalFile,
            transient: self.transient,
            message: self.message,
            file: Some(file),
            challenge: None,
            retry_after_seconds: None,
        }
    }
}

impl From<FileError> for LocalFault {
    fn from(error: FileError) -> Self {
        let (code, transient) = meaning(&error.kind);
        Self { code, transient, message: error.to_string() }
    }
}

/// The number of a failure, and whether time may cure it.
fn meaning(kind: &FileErrorKind) -> (Code, bool) {
    match kind {
        FileErrorKind::NoSpace => (Code::DISK_FULL, true),
        FileErrorKind::QuotaExceeded => (Code::QUOTA_EXCEEDED, true),
        FileErrorKind::TooLarge => (FILE_TOO_LARGE, false),
        FileErrorKind::Device => (Code::IO_DEVICE, false),
        FileErrorKind::ReadOnly => (Code::WRITE_PROTECT, false),
        FileErrorKind::Denied => (Code::ACCESS_DENIED, false),
        FileErrorKind::NotFound | FileErrorKind::NotAFolder => (Code::PATH_NOT_FOUND, false),
        FileErrorKind::Exists => (Code::FILE_EXISTS, false),
        FileErrorKind::NameTooLong => (BAD_NAME, false),
        FileErrorKind::Other(Some(ENOMEM)) => (Code::OUT_OF_MEMORY, true),
        FileErrorKind::Other(Some(EMFILE | ENFILE)) => (Code::TOO_MANY_OPEN_FILES, true),
        FileErrorKind::Other(_) => (Code::UNSPECIFIED, false),
    }
}

impl From<PartialError> for LocalFault {
    fn from(error: PartialError) -> Self {
        let message = error.to_string();
        match error {
            PartialError::Exists(_) | PartialError::Foreign { .. } => Self::new(Code::FILE_EXISTS, message),
            PartialError::File(error) => error.into(),
        }
    }
}

impl From<DestinationError> for LocalFault {
    fn from(error: DestinationError) -> Self {
        let message = error.to_string();
        let code = match error {
            DestinationError::NotAbsolute(_) | DestinationError::NamesNoFile(_) => Code::INVALID_ARGUMENT,
            DestinationError::NameTooLong(_) => BAD_NAME,
            DestinationError::FolderMissing(_) | DestinationError::NotAFolder(_) => Code::PATH_NOT_FOUND,
            DestinationError::FolderReadOnly(_) => Code::WRITE_PROTECT,
            DestinationError::FolderDenied(_)
            | DestinationError::IsFolder(_)
            | DestinationError::IsSymlink(_)
            | DestinationError::NotAFile(_) => Code::ACCESS_DENIED,
            DestinationError::File(error) => return error.into(),
        };
        Self::new(code, message)
    }
}

impl From<FinalizeError> for LocalFault {
    fn from(error: FinalizeError) -> Self {
        let message = error.to_string();
        match error {
            FinalizeError::Exists(_) => Self::new(Code::FILE_EXISTS, message),
            FinalizeError::Destination(error) => error.into(),
            FinalizeError::Partial(error) => error.into(),
        }
    }
}

impl From<LocalFault> for DestinationRefusal {
    fn from(fault: LocalFault) -> Self {
        Self { code: fault.code, message: fault.message }
    }
}

#[cfg(test)]
mod tests {
    use bits_core::error::codes::{Heals, describe};

    use super::*;

    #[test]
    fn what_is_tried_again_heals_by_time_in_the_table_of_codes_too() {
        use FileErrorKind::*;

        for kind in [
            NoSpace,
            QuotaExceeded,
            TooLarge,
            Device,
            ReadOnly,
            Denied,
            NotFound,
            NotAFolder,
            Exists,
            NameTooLong,
            Other(Some(ENOMEM)),
            Other(Some(EMFILE)),
            Other(Some(ENFILE)),
            Other(None),
        ] {
            let (code, transient) = meaning(&kind);
            let heals = describe(code).map(|description| description.heals);
            let expected = if transient { Heals::ByTime } else { Heals::Never };
            assert_eq!(heals, Some(expected), "{kind:?}: {code}");
        }
    }
}
