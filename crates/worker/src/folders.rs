//! Folders held open while files come and go in them, since most files of a job go into few.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bits_core::file::LocalName;
use bits_platform::files::{FileError, FileErrorKind, Folder};

use crate::local_file::LocalFault;
use crate::volumes::Volumes;

/// Folders that are kept open at a time: of the handles that a process may have, a few.
const OPEN_MAX: usize = 16;

/// The folders that were opened last.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    open: BTreeMap<PathBuf, Arc<Folder>>,
    /// The one that was asked for last: most files go where the one before them goes.
    last: Option<Arc<Folder>>,
    volumes: Volumes,
}

impl Folders {
    /// Those that know by `volumes` what a folder was on that is not there.
    pub(crate) fn remembering(volumes: Volumes) -> Self {
        Self { volumes, ..Self::default() }
    }

    pub(crate) fn open(&mut self, path: &Path) -> Result<Arc<Folder>, LocalFault> {
        if let Some(last) = self.last.as_ref().filter(|last| is_same(last.path(), path)) {
            return Ok(last.clone());
        }
        let folder = match self.open.get(path) {
            Some(folder) => folder.clone(),
            None => {
                let folder = match Folder::open(path) {
                    Ok(folder) => Arc::new(folder),
                    Err(error) if is_gone(&error) && self.volumes.is_missing(path, None) => {
                        return Err(LocalFault::volume_missing(path));
                    }
                    Err(error) => return Err(error.into()),
                };
                // Nothing of these files is here by which the volume could be known.
                if self.volumes.has_another(&folder) {
                    return Err(LocalFault::volume_changed(path));
                }
                self.volumes.saw(&folder);
                if self.open.len() >= OPEN_MAX {
                    self.open.clear();
                }
                self.open.insert(path.into(), folder.clone());
                folder
            }
        };
        self.last = Some(folder.clone());
        Ok(folder)
    }
}

/// Whether a folder could not be opened because it is not there.
fn is_gone(error: &FileError) -> bool {
    matches!(error.kind, FileErrorKind::NotFound | FileErrorKind::NotAFolder)
}

/// Whether both are written alike; to compare the parts of paths takes longer than most of what is done
/// with a small file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    one.as_os_str() == other.as_os_str()
}

/// The folder of a file, and its name in it.
pub(crate) fn parts(name: &LocalName) -> (&Path, &OsStr) {
    let path = Path::new(name.as_str());
    let parent = path.parent().expect("an absolute path that names a file has a folder");
    (parent, path.file_name().expect("a local name names a file"))
}

#[cfg(test)]
mod tests {
    use bits_core::error::Code;

    use super::*;

    #[test]
    fn a_folder_is_not_opened_on_another_volume_than_it_was_seen_on() {
        let root = tempfile::tempdir().expect("a folder");
        let volumes = Volumes::default();
        let folder = Folders::remembering(volumes.clone()).open(root.path()).expect("nobody has seen it");
        let device = folder.disk().expect("it is on one");
        volumes.saw_on(root.path(), device + 1);
        let mut folders = Folders::remembering(volumes.clone());
        for time in ["first", "second"] {
            let fault = folders.open(root.path()).expect_err("it is another volume");
            assert_eq!((fault.code, fault.transient), (Code::VOLUME_CHANGED, true), "{time}");
        }
        volumes.saw_on(root.path(), device);
        folders.open(root.path()).expect("the first one is back");
    }
}
