//! The end of files: the whole ones get their names, the parts of others go; and the beginning,
//! when it is looked whether a file could get its name.
//!
//! All of this may block, and each of it may be done twice: a service that was killed between the
//! disk and the store asks again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bits_core::error::{Code, JobError};
use bits_core::file::{ClosingFile, FileIndex, LocalName, Stage};
use bits_core::job::{Environment, JobId};
use bits_platform::files::{
    ClosedPartial, Destination, Existing, FileErrorKind, FinalState, Folder, FolderNames, MissingFolders,
    Partial, PartialError, ReadyPartial, Umask, partial_name,
};

use crate::batch::{SYNCED_AS_ONE_MIN, sync_disk_once};
use crate::folders::{Folders, is_same, parts};
use crate::link::{CheckOptions, DestinationRefusal};
use crate::local_file::LocalFault;
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
    let mut left = Vec::new();
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
            Ok(folder) => left.extend(folder.sync().map_err(LocalFault::from).err()),
            Err(fault) if fault.code == Code::PATH_NOT_FOUND => {}
            Err(fault) => left.push(fault),
        }
    }
    let first = left.first()?;
    Some(match left.len() {
        1 => format!("a partial file could not be deleted: {}", first.message),
        count => format!("{count} partial files could not be deleted; the first: {}", first.message),
    })
}

/// Looks whether files can be put under `names`.
pub(crate) fn check(
    names: &[LocalName],
    options: CheckOptions,
    volumes: &Volumes,
) -> Result<(), DestinationRefusal> {
    let missing = match options.create_folders {
        true => MissingFolders::Make(umask(options.umask)),
        false => MissingFolders::Refuse,
    };
    // Most files go where the one before them goes.
    let mut checked: Option<(Arc<Folder>, FolderNames)> = None;
    for path in names.iter().map(|name| Path::new(name.as_str())) {
        let known = checked
            .as_ref()
            .filter(|(folder, _)| path.parent().is_some_and(|parent| is_same(parent, folder.path())));
        if let Some((_, found)) = known
            && Destination::is_free_within(found, path).map_err(LocalFault::from)?
        {
            continue;
        }
        let destination = match known {
            Some((folder, _)) => Destination::check_within(folder, path),
            None => Destination::check(path, missing),
        };
        let destination = destination.map_err(LocalFault::from)?;
        if known.is_none() {
            volumes.saw(&destination.folder);
            let found = destination.folder.names_up_to(names.len());
            checked = Some((Arc::clone(&destination.folder), found));
        }
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
