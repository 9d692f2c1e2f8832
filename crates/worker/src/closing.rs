//! The end of files: the whole ones get their names, the parts of others go; and the beginning,
//! when it is looked whether a file could get its name.
//!
//! All of this may block, and each of it may be done twice: a service that was killed between the
//! disk and the store asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bits_core::error::{Code, JobError};
use bits_core::file::{File, FileIndex, LocalName, Stage};
use bits_core::job::{Environment, JobId};
use bits_core::transfer::last_modified;
use bits_platform::files::{
    ClosedPartial, Destination, Existing, FileErrorKind, Folder, MissingFolders, Partial, PartialError,
    Umask, partial_name,
};

use crate::batch::{SYNCED_AS_ONE_MIN, sync_disk_once};
use crate::folders::{Folders, parts};
use crate::link::{CheckOptions, DestinationRefusal};
use crate::local_file::LocalFault;
use crate::sink::refuse_existing;

/// What became of the files of a job.
#[derive(Debug, Default)]
pub(crate) struct Finalized {
    /// Under their final names, for good.
    pub(crate) files: Vec<FileIndex>,
    /// Whole ones of which the partial file is gone, or not as it was: they are to be fetched again.
    pub(crate) lost: Vec<FileIndex>,
    /// Of the first file that is not under its name.
    pub(crate) error: Option<JobError>,
}

/// Puts the whole files of `job` under their final names and deletes the parts of the others.
pub(crate) fn finalize(job: JobId, files: &[File], environment: &Environment) -> Finalized {
    let umask = umask(environment.umask);
    let mut folders = Folders::default();
    let mut placed: BTreeMap<PathBuf, Vec<FileIndex>> = BTreeMap::new();
    let mut finalized = Finalized::default();
    let mut discarded: BTreeSet<PathBuf> = BTreeSet::new();
    let whole = files.iter().filter(|file| file.stage == Stage::Transferred).count();
    let mut prepared = Vec::new();
    for file in files {
        match file.stage {
            Stage::Completed => {}
            Stage::Waiting => {
                if let Err(fault) = discard_one(job, file, &mut folders) {
                    tracing::warn!("{}", fault.message);
                }
                discarded.insert(parts(&file.local_name).0.into());
            }
            Stage::Transferred => match prepare(job, file, umask, &mut folders, whole >= SYNCED_AS_ONE_MIN) {
                Ok((folder, Some(partial))) => prepared.push((file.index, folder, partial)),
                Ok((folder, None)) => placed.entry(folder).or_default().push(file.index),
                Err(NotPlaced { fault, lost }) => {
                    finalized.lost.extend(lost.then_some(file.index));
                    finalized.error.get_or_insert(fault.into_job_error(file.index));
                }
            },
        }
    }
    let mut synced_disks = Vec::new();
    for (index, path, partial) in prepared {
        let done = folders.open(&path).and_then(|folder| {
            // Nothing gets its name before all that is known of it lasts.
            if whole >= SYNCED_AS_ONE_MIN && folder.syncs_as_one() {
                sync_disk_once(&folder, &mut synced_disks)?;
            }
            Ok(partial.place()?)
        });
        match done {
            Ok(()) => placed.entry(path).or_default().push(index),
            Err(fault) => {
                finalized.error.get_or_insert(fault.into_job_error(index));
            }
        }
    }
    // A name lasts only when its folder is synced, and one sync serves all of a folder.
    discarded.retain(|path| !placed.contains_key(path));
    if let Err(fault) = sync_all(discarded, &mut folders) {
        tracing::warn!("{}", fault.message);
    }
    for (path, files) in placed {
        match folders.open(&path).and_then(|folder| Ok(folder.sync()?)) {
            Ok(()) => finalized.files.extend(files),
            Err(fault) => {
                finalized.error.get_or_insert(fault.into_job_error(files[0]));
            }
        }
    }
    finalized.files.sort_unstable();
    finalized
}

/// Deletes all partial files of `job`; a sentence when some are left.
pub(crate) fn discard(job: JobId, files: &[File]) -> Option<String> {
    let mut folders = Folders::default();
    let mut left: Vec<_> =
        files.iter().filter_map(|file| discard_one(job, file, &mut folders).err()).collect();
    if left.is_empty() {
        // After a power cut a name would be back that was removed and not synced, and nobody would
        // look for it any more.
        let touched = files.iter().map(|file| parts(&file.local_name).0.into()).collect();
        left.extend(sync_all(touched, &mut folders).err());
    }
    let first = left.first()?;
    Some(match left.len() {
        1 => format!("a partial file could not be deleted: {}", first.message),
        count => format!("{count} partial files could not be deleted; the first: {}", first.message),
    })
}

/// Looks whether files can be put under `names`.
pub(crate) fn check(names: &[LocalName], options: CheckOptions) -> Result<(), DestinationRefusal> {
    let missing = match options.create_folders {
        true => MissingFolders::Make(umask(options.umask)),
        false => MissingFolders::Refuse,
    };
    // Most files go where the one before them goes.
    let mut checked: Option<Arc<Folder>> = None;
    for path in names.iter().map(|name| Path::new(name.as_str())) {
        let destination = match &checked {
            Some(folder) if path.parent() == Some(folder.path()) => Destination::check_within(folder, path),
            _ => Destination::check(path, missing),
        };
        let destination = destination.map_err(LocalFault::from)?;
        checked = Some(Arc::clone(&destination.folder));
        if options.no_clobber {
            refuse_existing(&destination.folder, &destination.name)?;
        }
    }
    Ok(())
}

/// Why a file did not get its name.
struct NotPlaced {
    fault: LocalFault,
    /// Whether what was to get it is not there any more.
    lost: bool,
}

impl<F: Into<LocalFault>> From<F> for NotPlaced {
    fn from(fault: F) -> Self {
        Self { fault: fault.into(), lost: false }
    }
}

/// Makes one file ready for its name; says in which folder that is. Without a file it has it already.
/// It is synced unless that is done `as_one` with all others.
fn prepare(
    job: JobId,
    file: &File,
    umask: Umask,
    folders: &mut Folders,
    as_one: bool,
) -> Result<(PathBuf, Option<ClosedPartial>), NotPlaced> {
    let (parent, name) = parts(&file.local_name);
    let folder = folders.open(parent)?;
    let existing = if file.no_clobber { Existing::Keep } else { Existing::Replace };
    match Partial::reopen(folder.clone(), partial_name(name, &job.to_string(), file.index.0)) {
        Ok(partial) => {
            let length = partial.len()?;
            if file.size != Some(length) {
                let message = format!(
                    "{} is not as it was left: it has {length}, and the file has {}; resume the job to have it \
                     fetched again",
                    partial.path().display(),
                    file.size.unwrap_or_default()
                );
                return Err(NotPlaced { fault: LocalFault::new(Code::UNEXPECTED, message), lost: true });
            }
            if let Some(modified) = last_modified(&file.served) {
                partial.set_modified(Duration::from_millis(modified.0))?;
            }
            let prepared = partial.prepare(name, umask, existing)?;
            if !(as_one && folder.syncs_as_one()) {
                prepared.sync()?;
            }
            Ok((parent.into(), Some(prepared.close())))
        }
        Err(PartialError::File(error)) if error.kind == FileErrorKind::NotFound => {
            // An earlier attempt got as far as the name, and was killed before that was recorded.
            let path = Path::new(file.local_name.as_str());
            let is_there = std::fs::symlink_metadata(path)
                .is_ok_and(|found| found.is_file() && Some(found.len()) == file.size.map(|size| size.0));
            if !is_there {
                let message = format!("{error}; resume the job to have it fetched again");
                return Err(NotPlaced { fault: LocalFault::new(Code::FILE_NOT_FOUND, message), lost: true });
            }
            Ok((parent.into(), None))
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the names in all of `paths` last. A folder that is gone has none.
fn sync_all(paths: BTreeSet<PathBuf>, folders: &mut Folders) -> Result<(), LocalFault> {
    for path in paths {
        match folders.open(&path) {
            Ok(folder) => folder.sync()?,
            Err(fault) if fault.code == Code::PATH_NOT_FOUND => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

fn discard_one(job: JobId, file: &File, folders: &mut Folders) -> Result<(), LocalFault> {
    let (parent, name) = parts(&file.local_name);
    match folders.open(parent) {
        Ok(folder) => {
            Ok(Partial::discard_named(&folder, &partial_name(name, &job.to_string(), file.index.0))?)
        }
        // With its folder a partial file is gone, too.
        Err(fault) if fault.code == Code::PATH_NOT_FOUND => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn umask(given: Option<u32>) -> Umask {
    given.map(Umask::new).or_else(|| Umask::of_this_process().ok()).unwrap_or(Umask::USUAL)
}
