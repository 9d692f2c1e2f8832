//! Folders held open while files come and go in them, since most files of a job go into few.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bits_core::file::LocalName;
use bits_platform::files::Folder;

use crate::local_file::LocalFault;

/// Folders that are kept open at a time: of the handles that a process may have, a few.
const OPEN_MAX: usize = 16;

/// The folders that were opened last.
#[derive(Debug, Default)]
pub(crate) struct Folders(BTreeMap<PathBuf, Arc<Folder>>);

impl Folders {
    pub(crate) fn open(&mut self, path: &Path) -> Result<Arc<Folder>, LocalFault> {
        if let Some(folder) = self.0.get(path) {
            return Ok(folder.clone());
        }
        let folder = Arc::new(Folder::open(path)?);
        if self.0.len() >= OPEN_MAX {
            self.0.clear();
        }
        self.0.insert(path.into(), folder.clone());
        Ok(folder)
    }
}

/// The folder of a file, and its name in it.
pub(crate) fn parts(name: &LocalName) -> (&Path, &OsStr) {
    let path = Path::new(name.as_str());
    let parent = path.parent().expect("an absolute path that names a file has a folder");
    (parent, path.file_name().expect("a local name names a file"))
}
