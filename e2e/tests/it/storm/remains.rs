//! What lies on the disk while no service runs: whole files under their names, parts of jobs that
//! live, and no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::sources::Sources;

/// The folder of all downloads, looked through between two services.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Files that were found to be right, and need not be read again.
    right: BTreeSet<String>,
    pub(crate) bytes_read: u64,
}

impl Folder {
    /// What is wrong with whole files: nothing is under its name but all of what was asked for.
    pub(crate) fn faults(&mut self, folder: &Path, sources: &Sources) -> Vec<String> {
        let mut faults = Vec::new();
        for name in names(folder) {
            if is_partial(&name) || self.right.contains(&name) {
                continue;
            }
            match sources.fault_of(folder, &name) {
                Some(fault) => faults.push(fault),
                None => {
                    self.bytes_read += fs::metadata(folder.join(&name)).map_or(0, |found| found.len());
                    self.right.insert(name);
                }
            }
        }
        faults
    }

    /// Has every file read again, as after a power cut.
    pub(crate) fn forget(&mut self) {
        self.right.clear();
    }

    /// Those of `placed` that are not there.
    pub(crate) fn missing(&self, folder: &Path, placed: &[String]) -> Vec<String> {
        let there: BTreeSet<_> = names(folder).into_iter().collect();
        let missing = placed.iter().filter(|name| !there.contains(*name));
        missing.map(|name| format!("{name}: its job is complete, and it is not there")).collect()
    }
}

/// How many partial files there are.
pub(crate) fn partial_files(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| is_partial(name)).collect()
}

/// How much was searched for secrets.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// How long the files were, and from when: of one that is still so nothing else would be found.
    known: BTreeMap<PathBuf, (u64, Option<SystemTime>)>,
}

impl Searched {
    /// The files below `folder` in which a secret is, in one of the forms that `is_in` knows.
    pub(crate) fn marked(
        &mut self,
        folder: &Path,
        is_in: &dyn Fn(&[u8]) -> Option<&'static str>,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(self.marked(&path, is_in));
            } else if self.is_known(&path, entry.metadata().ok()) {
                continue;
            } else if let Ok(bytes) = fs::read(&path) {
                self.files += 1;
                self.bytes += bytes.len() as u64;
                found.extend(is_in(&bytes).map(|form| format!("{}: {form}", path.display())));
            }
        }
        found
    }

    /// Has every file searched again, whatever its time says.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    /// Takes note of how the file at `path` is now; whether it was so before.
    fn is_known(&mut self, path: &Path, found: Option<Metadata>) -> bool {
        let now = found.map(|found| (found.len(), found.modified().ok()));
        now.is_some_and(|now| self.known.insert(path.to_owned(), now) == Some(now))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("a folder that is read").file_name().to_string_lossy().into_owned()
    };
    entries.map(name).collect()
}

fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".bits-part")
}
