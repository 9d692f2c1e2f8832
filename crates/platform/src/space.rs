//! How much room there is on a file system.

use std::io;
use std::path::Path;

use bits_core::units::Bytes;

/// Bytes that this user may still write where `path` is.
///
/// # Errors
/// When the system does not say; above all when `path` is not there.
pub fn free(path: &Path) -> io::Result<Bytes> {
    let standing = rustix::fs::statvfs(path)?;
    Ok(Bytes(standing.f_bavail.saturating_mul(standing.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_there_has_some_room_and_one_that_is_not_has_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(free(folder.path()).expect("room") > Bytes::ZERO);
        assert!(free(&folder.path().join("none")).is_err());
    }
}
