//! On which volumes the folders of destinations were when they were seen last, so that it can be told
//! apart whether a folder was deleted, or the volume is not mounted that it is on.
//!
//! Nothing of it is written down. A file of which a part is here has its volume on record, and needs
//! nothing of this; a folder that this worker has never seen is on no volume that anybody could wait for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bits_platform::files::{Folder, device_towards};

/// Folders that are remembered. Beyond that one that cannot be told is as if it was deleted.
const FOLDERS_MAX: usize = 4096;

/// What a worker has seen. All clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Volumes(Arc<Mutex<BTreeMap<PathBuf, u64>>>);

impl Volumes {
    /// Takes note of what `folder` is on.
    pub(crate) fn saw(&self, folder: &Folder) {
        let Some(device) = folder.disk() else { return };
        let mut seen = self.seen();
        if let Some(known) = seen.get_mut(folder.path()) {
            *known = device;
            return;
        }
        if seen.len() >= FOLDERS_MAX {
            seen.clear();
        }
        seen.insert(folder.path().to_owned(), device);
    }

    /// Whether `folder` is on another volume than it was seen on last: what is there once a volume was
    /// taken away is the empty folder that it was mounted on.
    pub(crate) fn has_another(&self, folder: &Folder) -> bool {
        let was = self.seen().get(folder.path()).copied();
        was.zip(folder.disk()).is_some_and(|(was, is)| was != is)
    }

    /// Whether the folder `path`, which is not there, was on a volume that is not there either: the one
    /// that is on `record`, or that it was seen on.
    pub(crate) fn is_missing(&self, path: &Path, record: Option<u64>) -> bool {
        let was = record.or_else(|| self.seen().get(path).copied());
        // What is left of the way there is on the volume that it was deleted from.
        was.is_some_and(|was| device_towards(path).is_some_and(|is| is != was))
    }

    /// As if `path` had been seen on `device`.
    #[cfg(test)]
    pub(crate) fn saw_on(&self, path: &Path, device: u64) {
        self.seen().insert(path.to_owned(), device);
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<PathBuf, u64>> {
        // Whoever panicked with it held only remembered.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_deleted_is_told_from_one_whose_volume_is_gone() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("a/b");
        std::fs::create_dir_all(&path).expect("folders");
        let folder = Folder::open(&path).expect("a folder");
        let device = folder.disk().expect("it is on one");
        let volumes = Volumes::default();
        std::fs::remove_dir_all(root.path().join("a")).expect("removed");
        assert!(!volumes.is_missing(&path, None), "nobody knows what it was on");
        volumes.saw(&folder);
        assert!(!volumes.is_missing(&path, None), "what is left is on the same volume");
        assert!(!volumes.is_missing(&path, Some(device)));
        assert!(volumes.is_missing(&path, Some(device + 1)));
    }

    #[test]
    fn a_folder_on_another_volume_than_before_is_told_from_one_that_nobody_has_seen() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(root.path()).expect("a folder");
        let device = folder.disk().expect("it is on one");
        let volumes = Volumes::default();
        assert!(!volumes.has_another(&folder), "nobody knows what it was on");
        volumes.saw(&folder);
        assert!(!volumes.has_another(&folder));
        volumes.saw_on(root.path(), device + 1);
        assert!(volumes.has_another(&folder));
    }
}
