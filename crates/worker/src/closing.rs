//! The end of files: the whole ones get their names, the parts of others go; and the beginning,
//! when it is looked whether a file could get its name.
//!
//! All of this may block, and each of it may be done twice: a service that was killed between the
//! disk and the store asks again.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bits_core::error::{Code, JobError};
use bits_core::file::{ClosingFile, DestinationTag, FileIndex, LocalName, Stage};
use bits_core::job::{Environment, JobId};
use bits_platform::files::{
    ClosedPartial, Destination, Existing, FileErrorKind, FinalState, Folder, FolderNames, MissingFolders,
    Partial, PartialError, ReadyPartial, Umask, partial_name,
};

use crate::batch::{SYNCED_AS_ONE_MIN, sync_disk_once};
use crate::folders::{Folders, is_same, parts};
use crate::link::{CheckOptions, DestinationRefusal};
use crate::local_file::LocalFault;
use crate::nearby::Nearby;
use crate::sink::refuse_existing;
use crate::volumes::Volumes;

/// How far off a file system may keep the time of a file: FAT knows every other second.
const TIME_GRAIN: Duration = Duration::from_secs(2);

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
pub(crate) fn finalize(job: JobId, files: &[ClosingFile], environment: &Environment) -> Finalized {
    let umask = umask(environment.umask);
    let job = job.to_string();
    let mut folders = Folders::default();
    let mut placed = Placed::default();
    let mut finalized = Finalized::default();
    let whole = files.iter().filter(|file| file.stage == Stage::Transferred).count();
    let mut prepared = Vec::new();
    for file in files {
        match file.stage {
            Stage::Completed => {}
            Stage::Waiting => match discard_one(&job, file, &mut folders) {
                // The folder is synced below: the job is over then, and nobody asks for it again.
                Ok(()) => drop(placed.of(parts(&file.local_name).0)),
                Err(fault) => tracing::warn!("{}", fault.message),
            },
            Stage::Transferred => {
                match prepare(&job, file, umask, &mut folders, whole >= SYNCED_AS_ONE_MIN) {
                    Ok((folder, Some(partial))) => prepared.push((file.index, folder, partial)),
                    Ok((folder, None)) => placed.of(folder).push(file.index),
                    Err(NotPlaced { fault, lost }) => {
                        finalized.lost.extend(lost.then_some(file.index));
                        finalized.error.get_or_insert(fault.into_job_error(file.index));
                    }
                }
            }
        }
    }
    let mut synced_disks = Vec::new();
    for (index, path, partial) in prepared {
        let done = folders.open(path).and_then(|folder| {
            // Nothing gets its name before all that is known of it lasts.
            if whole >= SYNCED_AS_ONE_MIN && folder.syncs_as_one() {
                sync_disk_once(&folder, &mut synced_disks)?;
            }
            Ok(partial.place()?)
        });
        match done {
            Ok(()) => placed.of(path).push(index),
            Err(fault) => {
                finalized.error.get_or_insert(fault.into_job_error(index));
            }
        }
    }
    // A name lasts only when its folder is synced, and one sync serves all of a folder.
    for (path, files) in placed.0 {
        match folders.open(path).and_then(|folder| Ok(folder.sync()?)) {
            Ok(()) => finalized.files.extend(files),
            // There were only parts in it.
            Err(fault) if files.is_empty() => tracing::warn!("{}", fault.message),
            Err(fault) => {
                finalized.error.get_or_insert(fault.into_job_error(files[0]));
            }
        }
    }
    finalized.files.sort_unstable();
    finalized
}

/// The files that have their names, by folder.
#[derive(Debug, Default)]
struct Placed<'a>(Vec<(&'a Path, Vec<FileIndex>)>);

impl<'a> Placed<'a> {
    fn of(&mut self, folder: &'a Path) -> &mut Vec<FileIndex> {
        let known = self.0.iter().enumerate().rev().take(FOLDERS_LOOKED_AT_MAX);
        let place = known.into_iter().find(|(_, (path, _))| is_same(path, folder)).map(|(place, _)| place);
        let place = place.unwrap_or_else(|| {
            self.0.push((folder, Vec::new()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }
}

/// Folders that are looked through for one that is there already: a second sync of a folder costs less than
/// to look through all of many.
const FOLDERS_LOOKED_AT_MAX: usize = 16;

/// Deletes all partial files of `job`; a sentence when some are left.
pub(crate) fn discard(job: JobId, files: &[ClosingFile]) -> Option<String> {
    let job = job.to_string();
    let mut folders = Folders::default();
    let (mut left, mut unsynced) = (Vec::new(), Vec::new());
    let mut touched = BTreeSet::new();
    for file in files {
        match discard_one(&job, file, &mut folders) {
            Ok(()) => drop(touched.insert(parts(&file.local_name).0)),
            Err(fault) => left.push(fault),
        }
    }
    // Nobody asks for it again, so no power cut may bring a name back.
    for folder in touched {
        match folders.open(folder) {
            Ok(folder) => unsynced.extend(folder.sync().map_err(LocalFault::from).err()),
            Err(fault) if fault.code == Code::PATH_NOT_FOUND => {}
            Err(fault) => unsynced.push(fault),
        }
    }
    leftover(&left, &unsynced)
}

/// What is to be said of partial files that could not be deleted, and of folders of which it could not be
/// made sure that they stay deleted.
fn leftover(left: &[LocalFault], unsynced: &[LocalFault]) -> Option<String> {
    Some(match (left, unsynced) {
        ([one], _) => format!("a partial file could not be deleted: {}", one.message),
        ([first, ..], _) => {
            format!("{} partial files could not be deleted; the first: {}", left.len(), first.message)
        }
        ([], [first, ..]) => format!(
            "the partial files are deleted, but may be back after a power cut: {}; it is tried again when the \
             service starts",
            first.message
        ),
        ([], []) => return None,
    })
}

/// Looks whether files can be put under `names`, and which places these are; `nearby` takes note of where.
pub(crate) fn check(
    names: &[LocalName],
    options: CheckOptions,
    volumes: &Volumes,
    nearby: &Nearby,
) -> Result<Vec<DestinationTag>, DestinationRefusal> {
    let missing = match options.create_folders {
        true => MissingFolders::Make(umask(options.umask)),
        false => MissingFolders::Refuse,
    };
    let mut tags = Vec::with_capacity(names.len());
    // Most files go where the one before them goes.
    let mut checked: Option<Checked> = None;
    for name in names {
        let path = Path::new(name.as_str());
        let known =
            checked.as_ref().filter(|known| path.parent().is_some_and(|at| is_same(at, known.folder.path())));
        if let Some(known) = known {
            tags.push(known.place_of(name));
            if Destination::is_free_within(&known.found, path).map_err(LocalFault::from)? {
                continue;
            }
        }
        let destination = match known {
            Some(known) => Destination::check_within(&known.folder, path),
            None => Destination::check(path, missing),
        };
        let destination = destination.map_err(LocalFault::from)?;
        if known.is_none() {
            volumes.saw(&destination.folder);
            nearby.saw(&destination.folder);
            let known = Checked::of(Arc::clone(&destination.folder), names.len());
            tags.push(known.place_of(name));
            checked = Some(known);
        }
        if options.no_clobber {
            refuse_existing(&destination.folder, &destination.name)?;
        }
    }
    Ok(tags)
}

/// A folder that files can be put into.
pub(crate) struct Checked {
    pub(crate) folder: Arc<Folder>,
    /// What was there when it was looked at.
    pub(crate) found: FolderNames,
    is_at: Option<PathBuf>,
}

impl Checked {
    /// For so many names in `folder`.
    pub(crate) fn of(folder: Arc<Folder>, names: usize) -> Self {
        Self { is_at: folder.real_path(), ..Self::at(None, folder, names) }
    }

    /// The same where it is known where `folder` really is.
    pub(crate) fn at(is_at: Option<PathBuf>, folder: Arc<Folder>, names: usize) -> Self {
        Self { found: folder.names_up_to(names), is_at, folder }
    }

    pub(crate) fn place_of(&self, name: &LocalName) -> DestinationTag {
        match &self.is_at {
            Some(folder) => name.destination_in(folder.as_os_str().as_bytes()),
            None => name.destination(),
        }
    }
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
fn prepare<'a>(
    job: &str,
    file: &'a ClosingFile,
    umask: Umask,
    folders: &mut Folders,
    as_one: bool,
) -> Result<(&'a Path, Option<ClosedPartial>), NotPlaced> {
    let (parent, name) = parts(&file.local_name);
    let folder = folders.open(parent)?;
    let existing = if file.no_clobber { Existing::Keep } else { Existing::Replace };
    let partial_name = partial_name(name, job, file.index.0);
    let modified = file.modified.map(|time| Duration::from_millis(time.0));
    if folder.syncs_as_one() && file.size.is_some_and(|size| size == file.durable) {
        let to_be = FinalState { name, umask, modified };
        let ready = ReadyPartial { folder: &folder, partial: &partial_name, size: file.durable, to_be };
        if ready.place() {
            return Ok((parent, None));
        }
    }
    match Partial::reopen(folder.clone(), partial_name) {
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
            if let Some(modified) = modified {
                partial.set_modified(modified)?;
            }
            let prepared = partial.prepare(name, umask, existing)?;
            if !(as_one && folder.syncs_as_one()) {
                prepared.sync()?;
            }
            Ok((parent, Some(prepared.close())))
        }
        Err(PartialError::File(error)) if error.kind == FileErrorKind::NotFound => {
            // An earlier attempt got as far as the name, and was killed before that was recorded.
            // Another file of the same size that was there before has another time.
            let path = Path::new(file.local_name.as_str());
            let is_there = std::fs::symlink_metadata(path).is_ok_and(|found| {
                found.is_file()
                    && Some(found.len()) == file.size.map(|size| size.0)
                    && modified.is_none_or(|wanted| {
                        let has = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                        has.is_some_and(|has| has.abs_diff(wanted) <= TIME_GRAIN)
                    })
            });
            if !is_there {
                let message = format!("{error}; resume the job to have it fetched again");
                return Err(NotPlaced { fault: LocalFault::new(Code::FILE_NOT_FOUND, message), lost: true });
            }
            Ok((parent, None))
        }
        Err(error) => Err(error.into()),
    }
}

fn discard_one(job: &str, file: &ClosingFile, folders: &mut Folders) -> Result<(), LocalFault> {
    let (parent, name) = parts(&file.local_name);
    match folders.open(parent) {
        Ok(folder) => Ok(Partial::discard_named(&folder, &partial_name(name, job, file.index.0))?),
        // With its folder a partial file is gone, too.
        Err(fault) if fault.code == Code::PATH_NOT_FOUND => Ok(()),
        Err(fault) => Err(fault),
    }
}

pub(crate) fn umask(given: Option<u32>) -> Umask {
    given.map(Umask::new).or_else(|| Umask::of_this_process().ok()).unwrap_or(Umask::USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_cancelled_job_is_told_as_it_is() {
        let fault = |message: &str| LocalFault::new(Code::IO_DEVICE, message.to_owned());
        let denied = || fault("could not delete /d/.f: no");
        let unsynced = || fault("could not sync the folder /d: broken");
        for (left, not_synced, expected) in [
            (vec![], vec![], None),
            (vec![denied()], vec![], Some("a partial file could not be deleted: could not delete /d/.f: no")),
            (
                vec![denied(), denied()],
                vec![unsynced()],
                Some("2 partial files could not be deleted; the first: could not delete /d/.f: no"),
            ),
            (
                vec![],
                vec![unsynced()],
                Some(
                    "the partial files are deleted, but may be back after a power cut: could not sync the \
                     folder /d: broken; it is tried again when the service starts",
                ),
            ),
        ] {
            assert_eq!(leftover(&left, &not_synced).as_deref(), expected);
        }
    }
}
