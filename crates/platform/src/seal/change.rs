//! From one key file to another (`bits service rotate-key`).
//!
//! The new key is made beside the old one, put on record by the store, and only then takes the old
//! one's name. A service that dies on the way finds both files, or one, and [`find`] takes the one
//! that is on record.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bits_core::ports::{KeyChange, KeyId, KeySource, Seal, SealError, SealingKey};

use super::key_file::{KeyError, KeyMaterial};
use super::{KeySeal, envelope};
use crate::files::{FileError, Folder};
use crate::hardening::wipe_stack;

/// The key file called `wanted`: at `path`, or where a change that was cut short has left it.
pub(super) fn find(path: &Path, wanted: KeyId) -> Result<KeyMaterial, KeyError> {
    let next = next_to(path);
    let here = read_only(path, wanted);
    if here.is_ok() {
        // Made for a change that never came on record: nothing is sealed with it. Should it stay, the
        // next change is refused, and nothing else is wrong.
        let _ = remove(&next);
        return here;
    }
    match read_only(&next, wanted) {
        Ok(key) => {
            // Should it stay, it is found there again.
            let _ = take_place(&next, path);
            Ok(key)
        }
        // What is wrong where the key should be says more.
        Err(_) => here,
    }
}

/// A change to a new key file that takes the place of `path`. `old` is none when it is lost.
pub(super) fn begin(path: &Path, old: Option<Arc<KeyMaterial>>) -> Result<FileChange, KeyError> {
    let next = next_to(path);
    if old.is_none() && path.exists() {
        return Err(KeyError::Exists(path.into()));
    }
    let new = KeyMaterial::create(&next)?;
    Ok(FileChange { path: path.into(), next, old, new })
}

pub(super) struct FileChange {
    path: PathBuf,
    next: PathBuf,
    old: Option<Arc<KeyMaterial>>,
    new: KeyMaterial,
}

impl KeyChange for FileChange {
    fn key(&self) -> SealingKey {
        SealingKey { id: self.new.id(), source: KeySource::KeyFile }
    }

    fn rewrap(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError> {
        let source = super::file_place(&self.path);
        match &self.old {
            Some(old) => {
                let rewrapped = envelope::rewrap(old, &self.new, sealed, bound_to, &source);
                wipe_stack();
                rewrapped
            }
            None => Err(SealError::NoKey {
                reason: format!("it is sealed with the key from {source}, which is missing"),
            }),
        }
    }

    fn finish(self: Box<Self>) -> (Arc<dyn Seal>, Option<String>) {
        let moved = take_place(&self.next, &self.path);
        let notice = moved.err().map(|error| {
            format!(
                "the new key is in force, and the old one is still there: {error}; the next start tries again"
            )
        });
        (Arc::new(KeySeal::of_file(&self.path, self.new)), notice)
    }

    fn abandon(self: Box<Self>) {
        // What stays is removed by the next start.
        let _ = remove(&self.next);
    }
}

/// Where a new key waits until it is on record.
pub(super) fn next_to(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".next");
    name.into()
}

fn read_only(path: &Path, wanted: KeyId) -> Result<KeyMaterial, KeyError> {
    let key = KeyMaterial::read(path)?;
    match key.id() {
        found if found == wanted => Ok(key),
        found => Err(KeyError::Other { path: path.into(), found, wanted }),
    }
}

fn take_place(next: &Path, path: &Path) -> Result<(), KeyError> {
    in_folder(next, |folder, name| {
        let to = path.file_name().expect("a key file has a name");
        folder.rename(name, to).map_err(|errno| FileError::new("finish", path, errno))
    })
}

fn remove(next: &Path) -> Result<(), KeyError> {
    in_folder(next, |folder, name| folder.remove(name).map_err(|errno| FileError::new("remove", next, errno)))
}

fn in_folder(
    path: &Path,
    act: impl FnOnce(&Folder, &std::ffi::OsStr) -> Result<(), FileError>,
) -> Result<(), KeyError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(KeyError::NoFolder(path.into()));
    };
    let folder = Folder::open(parent)?;
    act(&folder, name)?;
    Ok(folder.sync()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_key() -> (tempfile::TempDir, PathBuf, Arc<KeyMaterial>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        let key = Arc::new(KeyMaterial::create(&path).unwrap());
        (folder, path, key)
    }

    #[test]
    fn a_change_that_was_cut_short_before_it_was_on_record_leaves_the_old_key_alone() {
        let (_folder, path, old) = a_key();
        drop(begin(&path, Some(Arc::clone(&old))).unwrap());
        assert!(next_to(&path).exists(), "both are there");
        assert_eq!(find(&path, old.id()).unwrap().bytes(), old.bytes());
        assert!(!next_to(&path).exists());
    }

    #[test]
    fn a_change_that_was_cut_short_after_it_was_on_record_leaves_the_new_key_alone() {
        let (_folder, path, old) = a_key();
        let change = begin(&path, Some(Arc::clone(&old))).unwrap();
        let (id, bytes) = (change.key().id, *change.new.bytes());
        drop(change);
        for _ in 0..2 {
            assert_eq!(find(&path, id).unwrap().bytes(), &bytes);
            assert!(!next_to(&path).exists());
        }
        assert!(matches!(find(&path, old.id()), Err(KeyError::Other { .. })));
    }

    #[test]
    fn a_change_is_begun_only_when_the_last_one_is_settled() {
        let (_folder, path, old) = a_key();
        let change = begin(&path, Some(Arc::clone(&old))).unwrap();
        assert!(matches!(begin(&path, Some(Arc::clone(&old))), Err(KeyError::Exists(_))));
        Box::new(change).abandon();
        assert!(begin(&path, Some(old)).is_ok());
    }

    #[test]
    fn a_key_that_is_there_is_not_replaced_for_one_that_is_lost() {
        let (_folder, path, other) = a_key();
        assert!(matches!(begin(&path, None), Err(KeyError::Exists(_))));
        assert_eq!(KeyMaterial::read(&path).unwrap().bytes(), other.bytes());
    }

    #[test]
    fn neither_key_is_taken_when_it_is_not_the_one_on_record() {
        let (_folder, path, _) = a_key();
        drop(begin(&path, Some(Arc::new(KeyMaterial::read(&path).unwrap()))).unwrap());
        assert!(matches!(find(&path, KeyId([0; 8])), Err(KeyError::Other { .. })));
        assert!(path.exists() && next_to(&path).exists(), "nothing is thrown away");
    }
}
