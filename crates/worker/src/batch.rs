//! Small files that are written one after another and made to last together.
//!
//! One sync serves any number of them where the file system can do that; elsewhere, and when they are
//! few, each is synced by itself. All of this may block. Nothing of these files is recorded before they are whole, which is
//! why they may be written without more ado (`core::transfer`).

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use bits_core::error::JobError;
use bits_core::file::File;
use bits_core::job::JobId;
use bits_core::queue::WholeFile;
use bits_core::transfer::last_modified;
use bits_platform::files::{FileError, FinalState, Folder, FolderNames, Partial, Umask, partial_name};

use crate::folders::{Folders, parts};
use crate::local_file::LocalFault;
use crate::sink::refuse_existing;
use crate::volumes::Volumes;

/// Files from which on one sync of all of their disk is cheaper than one of each: it writes what others
/// have left to write, too.
pub(crate) const SYNCED_AS_ONE_MIN: usize = 16;

/// Folders of which it is kept what was in them, and names in one of them, at most.
const FOUND_MAX: usize = 16;
const LISTED_MAX: usize = 256;

/// A file all of which is in memory.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) file: File,
    pub(crate) whole: WholeFile,
    pub(crate) content: Vec<u8>,
}

/// Small files of one job on their way to the disk.
#[derive(Debug)]
pub(crate) struct Batch {
    /// As partial files are named by it.
    job: String,
    umask: Umask,
    folders: Folders,
    /// What was in folders when the first file of this batch went there.
    found: Vec<(Arc<Folder>, FolderNames)>,
    /// Written, and not yet certain to last.
    written: Vec<WholeFile>,
    /// Where these are, and what they still need; the folder of the last one last.
    touched: Vec<(Arc<Folder>, Owed)>,
}

/// What it takes until the files of a folder last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// The files are synced, and their names are not.
    Names,
    All,
}

impl Batch {
    pub(crate) fn new(job: JobId, umask: Umask, volumes: Volumes) -> Self {
        let job = job.to_string();
        Self {
            job,
            umask,
            folders: Folders::remembering(volumes),
            found: Vec::new(),
            written: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// How many files wait for a sync.
    pub(crate) fn unsynced(&self) -> usize {
        self.written.len()
    }

    /// Writes `files` to their partial files. When one fails, those before it are written. With
    /// `is_last`, a sync follows.
    pub(crate) fn write(&mut self, files: Vec<Gathered>, is_last: bool) -> Result<(), JobError> {
        let are_few = is_last && self.written.len() + files.len() < SYNCED_AS_ONE_MIN;
        for Gathered { file, whole, content } in files {
            self.write_one(&file, &whole, &content, are_few)
                .map_err(|fault| fault.into_job_error(file.index))?;
            self.written.push(whole);
        }
        Ok(())
    }

    /// Makes all that was written last; says what that is.
    pub(crate) fn sync(&mut self) -> Result<Vec<WholeFile>, JobError> {
        let Some(first) = self.written.first() else { return Ok(Vec::new()) };
        let index = first.file;
        let mut synced_disks = Vec::new();
        for (folder, owed) in std::mem::take(&mut self.touched) {
            let synced = match owed {
                Owed::All => sync_disk_once(&folder, &mut synced_disks),
                Owed::Names => folder.sync(),
            };
            synced.map_err(|error| LocalFault::from(error).into_job_error(index))?;
        }
        Ok(std::mem::take(&mut self.written))
    }

    fn write_one(
        &mut self,
        file: &File,
        whole: &WholeFile,
        content: &[u8],
        sync: bool,
    ) -> Result<(), LocalFault> {
        let (parent, name) = parts(&file.local_name);
        let folder = self.folders.open(parent)?;
        if file.no_clobber {
            refuse_existing(&folder, name)?;
        }
        let modified = last_modified(&whole.served).map(|time| Duration::from_millis(time.0));
        let to_be = FinalState { name, umask: self.umask, modified };
        let partial_name = partial_name(name, &self.job, file.index.0);
        let is_private = !self.is_free(&folder, name)?;
        let partial = Partial::write_whole(&folder, &partial_name, content, &to_be, is_private)?;
        if self.owed(folder, sync) == Owed::Names {
            partial.sync()?;
        }
        Ok(())
    }

    /// Whether nothing in `folder` had that name, when that was looked at.
    fn is_free(&mut self, folder: &Arc<Folder>, name: &OsStr) -> Result<bool, LocalFault> {
        let known = self.found.iter().rev().find(|(known, _)| Arc::ptr_eq(known, folder));
        let is_missing = match known {
            Some((_, found)) => found.lack(name),
            None => {
                if self.found.len() >= FOUND_MAX {
                    self.found.clear();
                }
                let found = folder.names_up_to(LISTED_MAX);
                let is_missing = found.lack(name);
                self.found.push((folder.clone(), found));
                is_missing
            }
        };
        Ok(is_missing || folder.identity_of(name)?.is_none())
    }

    /// What is owed to the files of `folder`, to which one more belongs.
    fn owed(&mut self, folder: Arc<Folder>, sync: bool) -> Owed {
        let is_it = |(known, _): &(Arc<Folder>, Owed)| Arc::ptr_eq(known, &folder);
        match self.touched.iter().rposition(is_it) {
            Some(at) => {
                let last = self.touched.len() - 1;
                self.touched.swap(at, last);
            }
            None => {
                let owed = if !sync && folder.syncs_as_one() { Owed::All } else { Owed::Names };
                self.touched.push((folder, owed));
            }
        }
        self.touched[self.touched.len() - 1].1
    }
}

/// Syncs the disk of `folder`, unless it is one of `synced`.
pub(crate) fn sync_disk_once(folder: &Folder, synced: &mut Vec<Option<u64>>) -> Result<(), FileError> {
    let disk = folder.disk();
    if disk.is_none() || !synced.contains(&disk) {
        folder.sync_file_system()?;
        synced.push(disk);
    }
    Ok(())
}
