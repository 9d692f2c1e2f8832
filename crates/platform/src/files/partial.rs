//! The file that is being received, until it has its name.
//!
//! It is made so that nothing else can be it: not there before, no link, readable by its user
//! alone. It is taken up again only if all that still holds.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bits_core::units::Bytes;
use rustix::fs::{AtFlags, FallocateFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::destination::check_entry;
use super::folder::{Entry, again_when_interrupted, keeps_no_modes};
use super::{DestinationError, FileError, FileIdentity, Folder, Umask};
use crate::caller::own_uid;

/// The name of the partial file of a job's file number `index` that will be called `name`:
/// `.NAME.JOB-INDEX.bits-part`. `job` is the job's id; its end is used, which is random in every
/// kind of id, while the beginning may be a time.
pub fn partial_name(name: &OsStr, job: &str, index: u32) -> OsString {
    let mut letters = [0; JOB_CHARACTERS];
    let ends = job.bytes().rev().filter(u8::is_ascii_alphanumeric).take(JOB_CHARACTERS);
    let mut free = JOB_CHARACTERS;
    for byte in ends {
        free -= 1;
        letters[free] = byte;
    }
    let end = format!("-{index}.bits-part");
    let job = &letters[free..];
    let name = start_of(name.as_bytes(), PARTIAL_NAME_BYTES_MAX - 2 - job.len() - end.len());
    let mut bytes = Vec::with_capacity(2 + name.len() + job.len() + end.len());
    for part in [b".", name, b".", job, end.as_bytes()] {
        bytes.extend_from_slice(part);
    }
    OsString::from_vec(bytes)
}

/// A partial file, open for writing.
#[derive(Debug)]
pub struct Partial {
    folder: Arc<Folder>,
    name: OsString,
    file: File,
    identity: FileIdentity,
    /// The same file, open for direct writes; none where its file system has no such thing.
    direct: OnceLock<Option<File>>,
    /// Whether a direct write has failed, so that none is tried again.
    direct_failed: AtomicBool,
}

/// A partial file that can get its final name as soon as it is synced.
#[derive(Debug)]
pub struct PreparedPartial {
    partial: Partial,
    name: OsString,
    existing: Existing,
}

/// The same, no longer held open.
#[derive(Debug)]
pub struct ClosedPartial {
    folder: Arc<Folder>,
    from: OsString,
    identity: FileIdentity,
    name: OsString,
    existing: Existing,
}

/// Which file a partial file is, and when it was last changed. As long as it is equal, so are the
/// bytes, as far as a file system's clock can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialStamp {
    identity: FileIdentity,
    size: u64,
    /// Seconds and nanoseconds since 1970 at which the bytes were changed, and anything was.
    modified: (i64, i64),
    changed: (i64, i64),
}

/// How a file is to be under its final name.
#[derive(Debug, Clone, Copy)]
pub struct FinalState<'a> {
    pub name: &'a OsStr,
    pub umask: Umask,
    /// When it was last modified, since 1970, if that is known.
    pub modified: Option<Duration>,
}

/// The mode of a partial file.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Why a partial file could not be made, taken up or removed.
#[derive(Debug, thiserror::Error)]
pub enum PartialError {
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{} is not the partial file that was made there: {why}", path.display())]
    Foreign { path: PathBuf, why: ForeignPartial },
    #[error(transparent)]
    File(#[from] FileError),
}

/// In what a file under a partial file's name differs from one we made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignPartial {
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it belongs to user {0}")]
    OfSomebodyElse(u32),
    #[error("it has other names too")]
    HasOtherNames,
    #[error("another file has taken its name")]
    Replaced,
}

/// Whether a file that has the destination's name may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Replace,
    Keep,
}

/// Why a partial file did not get its name. The partial file is still there.
#[derive(Debug, thiserror::Error)]
pub enum FinalizeError {
    #[error("{} exists and is not to be replaced", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Destination(DestinationError),
    #[error(transparent)]
    Partial(#[from] PartialError),
}

impl Partial {
    /// Makes the partial file `name` in `folder`.
    pub fn create(folder: Arc<Folder>, name: OsString) -> Result<Self, PartialError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&folder, &name, flags, PRIVATE) {
            Ok(fd) => Self::of_open(folder, name, File::from(fd)),
            Err(Errno::EXIST) => Err(PartialError::Exists(folder.path().join(name))),
            Err(errno) => Err(FileError::new("make", &folder.path().join(name), errno).into()),
        }
    }

    /// Opens the partial file `name` of an earlier attempt. A missing one is a
    /// [`FileError`] of kind `NotFound`.
    pub fn reopen(folder: Arc<Folder>, name: OsString) -> Result<Self, PartialError> {
        let path = || folder.path().join(&name);
        // Not blocking, and no terminal of ours: it may be anything.
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match rustix::fs::openat(&folder, &name, flags, Mode::empty()) {
            Ok(fd) => {
                let entry = rustix::fs::fstat(&fd)
                    .map(|stat| Entry::of(&stat))
                    .map_err(|errno| FileError::new("look at", &path(), errno))?;
                match foreign(&entry) {
                    Some(why) => Err(PartialError::Foreign { path: path(), why }),
                    None => Ok(Self::of_identity(folder, name, File::from(fd), entry.identity)),
                }
            }
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => {
                Err(PartialError::Foreign { path: path(), why: ForeignPartial::NotAFile })
            }
            Err(errno) => Err(FileError::new("open", &path(), errno).into()),
        }
    }

    /// Makes the partial file `name` in `folder` with all of its content at once, and as it will be under
    /// its final name: with the mode `umask` leaves it and, if that is known, the time since 1970 at which
    /// it was last `modified`. What there is of an earlier attempt is overwritten. Nothing of it lasts
    /// before it is synced; [`ReadyPartial::place`] then finds nothing left to do but to rename it.
    ///
    /// With `is_private` it stays its user's alone like all others: as long as something has the final name
    /// whose mode could be stricter.
    pub fn write_whole(
        folder: &Arc<Folder>,
        name: &OsStr,
        content: &[u8],
        at: &FinalState<'_>,
        is_private: bool,
    ) -> Result<Self, PartialError> {
        let partial = match Self::create(folder.clone(), name.into()) {
            Err(PartialError::Exists(_)) => {
                let partial = Self::reopen(folder.clone(), name.into())?;
                partial.set_mode(PRIVATE.bits())?;
                partial.truncate(Bytes::ZERO)?;
                partial
            }
            made => made?,
        };
        partial.write_at(content, Bytes::ZERO)?;
        if let Some(modified) = at.modified {
            partial.set_modified(modified)?;
        }
        if !is_private {
            partial.set_mode(at.umask.file_mode())?;
        }
        Ok(partial)
    }

    /// Removes the partial file `name` of an earlier attempt without opening it. A missing one is
    /// fine; what is not a partial file of this user stays.
    pub fn discard_named(folder: &Folder, name: &OsStr) -> Result<(), PartialError> {
        let path = || folder.path().join(name);
        let Some(entry) = folder.entry(name)? else { return Ok(()) };
        match foreign(&entry) {
            Some(why) => Err(PartialError::Foreign { path: path(), why }),
            None => folder.remove(name).map_err(|errno| FileError::new("remove", &path(), errno).into()),
        }
    }

    fn of_open(folder: Arc<Folder>, name: OsString, file: File) -> Result<Self, PartialError> {
        match FileIdentity::of_open(&file) {
            Ok(identity) => Ok(Self::of_identity(folder, name, file, identity)),
            Err(errno) => Err(FileError::new("look at", &folder.path().join(name), errno).into()),
        }
    }

    fn of_identity(folder: Arc<Folder>, name: OsString, file: File, identity: FileIdentity) -> Self {
        let (direct, direct_failed) = (OnceLock::new(), AtomicBool::new(false));
        Self { folder, name, file, identity, direct, direct_failed }
    }

    /// Its folder.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Where it is, for messages.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Which file it is, whatever becomes of its name.
    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// What tells whether somebody changes it from now on.
    pub fn stamp(&self) -> Result<PartialStamp, FileError> {
        let metadata = self.file.metadata().map_err(self.failed("look at"))?;
        Ok(PartialStamp {
            identity: FileIdentity::of(&metadata),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// How long it is now.
    pub fn len(&self) -> Result<Bytes, FileError> {
        self.file.metadata().map(|metadata| Bytes(metadata.size())).map_err(self.failed("look at"))
    }

    /// Whether nothing has been written to it.
    pub fn is_empty(&self) -> Result<bool, FileError> {
        Ok(self.len()? == Bytes::ZERO)
    }

    /// Takes hold of the space for `size` bytes now, so that a full disk is known before the
    /// transfer. Its length stays. Where a file system cannot do that, nothing happens.
    pub fn preallocate(&self, size: Bytes) -> Result<(), FileError> {
        if size == Bytes::ZERO {
            return Ok(());
        }
        let allocate = || rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, size.0);
        match again_when_interrupted(allocate) {
            Err(Errno::NOTSUP | Errno::NOSYS) | Ok(()) => Ok(()),
            Err(errno) => Err(self.failed("take space for")(errno.into())),
        }
    }

    /// Writes all of `bytes` at `place`. When it fails, a part may have been written.
    pub fn write_at(&self, bytes: &[u8], place: Bytes) -> Result<(), FileError> {
        self.file.write_all_at(bytes, place.0).map_err(self.failed("write"))
    }

    /// Writes all of `bytes` at `place`, past the system's cache where that is possible: what is
    /// large, begins on a page in the file, and lies in a [`Block`](super::Block) from its beginning.
    /// As sure as [`Partial::write_at`], and at a fraction of its cost; nothing that others need is
    /// pushed out of the cache. When it fails, a part may have been written.
    pub fn write_block(&self, bytes: &[u8], place: Bytes) -> Result<(), FileError> {
        let (pages, rest) = bytes.split_at(bytes.len() - bytes.len() % DIRECT_ALIGNMENT);
        if self.write_direct(pages, place) {
            return match rest {
                [] => Ok(()),
                rest => self.write_at(rest, place.saturating_add(Bytes(pages.len() as u64))),
            };
        }
        self.write_at(bytes, place)
    }

    /// Whether `bytes` were written at `place` past the cache. If not, anything may be there.
    fn write_direct(&self, bytes: &[u8], place: Bytes) -> bool {
        let is_aligned = place.0.is_multiple_of(DIRECT_ALIGNMENT as u64)
            && bytes.as_ptr().addr().is_multiple_of(DIRECT_ALIGNMENT);
        if bytes.len() < DIRECT_BYTES_MIN || !is_aligned || self.direct_failed.load(Ordering::Relaxed) {
            return false;
        }
        let Some(direct) = self.direct.get_or_init(|| self.open_direct()) else { return false };
        // Whatever is wrong, the same bytes written through the cache succeed or say what it is.
        let written = direct.write_all_at(bytes, place.0).is_ok();
        self.direct_failed.store(!written, Ordering::Relaxed);
        written
    }

    fn open_direct(&self) -> Option<File> {
        let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty()).ok()?;
        // Its name may mean another file by now.
        let is_same = FileIdentity::of_open(&file).is_ok_and(|identity| identity == self.identity);
        is_same.then(|| File::from(file))
    }

    /// Cuts or extends it to `size` bytes.
    pub fn truncate(&self, size: Bytes) -> Result<(), FileError> {
        self.file.set_len(size.0).map_err(self.failed("change the length of"))
    }

    /// Reads from `place` until `bytes` is full or the file ends; says how much that was.
    pub fn read_at(&self, bytes: &mut [u8], place: Bytes) -> Result<usize, FileError> {
        let mut read = 0;
        while read < bytes.len() {
            match self.file.read_at(&mut bytes[read..], place.0 + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("read")(error)),
            }
        }
        Ok(read)
    }

    /// Says that the content was last changed so long after 1970. Where a file system keeps no such
    /// times, nothing happens.
    pub fn set_modified(&self, since_1970: Duration) -> Result<(), FileError> {
        match self.file.set_modified(SystemTime::UNIX_EPOCH + since_1970) {
            Err(error) if !keeps_no_times(&error) => Err(self.failed("set the time of")(error)),
            _ => Ok(()),
        }
    }

    /// Returns when all that was written is on the disk.
    pub fn sync_data(&self) -> Result<(), FileError> {
        self.file.sync_data().map_err(self.failed("sync"))
    }

    /// Gives the file its final `name`, for good: [`Partial::place`], then [`Folder::sync`].
    pub fn finalize(self, name: &OsStr, umask: Umask, existing: Existing) -> Result<(), FinalizeError> {
        let folder = self.folder.clone();
        self.place(name, umask, existing)?;
        folder.sync().map_err(|error| FinalizeError::Partial(error.into()))
    }

    /// Gives the file its final `name` in the folder it is in, with the mode of the file it
    /// replaces or else that of a new file under `umask`. The bytes are on the disk before that;
    /// the new name is when [`Folder::sync`] has returned.
    ///
    /// A folder, symbolic link or device of that name is refused, and so is any file with
    /// [`Existing::Keep`].
    pub fn place(self, name: &OsStr, umask: Umask, existing: Existing) -> Result<(), FinalizeError> {
        let prepared = self.prepare(name, umask, existing)?;
        prepared.partial.sync()?;
        prepared.place()
    }

    /// The first half of [`Partial::place`]: all but the renaming, and without the sync that has to
    /// come in between.
    pub fn prepare(
        self,
        name: &OsStr,
        umask: Umask,
        existing: Existing,
    ) -> Result<PreparedPartial, FinalizeError> {
        let path = || self.folder.path().join(name);
        let mode = check_entry(&self.folder, name).map_err(FinalizeError::Destination)?;
        if mode.is_some() && existing == Existing::Keep {
            return Err(FinalizeError::Exists(path()));
        }
        self.set_mode(mode.unwrap_or(umask.file_mode()))?;
        Ok(PreparedPartial { partial: self, name: name.into(), existing })
    }

    /// Returns when all of the file is on the disk, and what is known of it.
    pub fn sync(&self) -> Result<(), PartialError> {
        self.file.sync_all().map_err(|error| self.failed("sync")(error).into())
    }

    fn set_mode(&self, mode: u32) -> Result<(), PartialError> {
        match rustix::fs::fchmod(&self.file, Mode::from_bits_retain(mode)) {
            Err(errno) if !keeps_no_modes(errno) => {
                Err(self.failed("set the permissions of")(errno.into()).into())
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> FileError {
        let path = self.path();
        move |source| FileError::new(action, &path, source)
    }
}

/// What direct writes are aligned to: no disk in use has larger sectors.
const DIRECT_ALIGNMENT: usize = 4096;
/// A shorter write waits longer for the disk than a copy into the cache takes.
const DIRECT_BYTES_MIN: usize = 1024 * 1024;
impl PreparedPartial {
    /// Lets the file go until it is placed, so that any number can be prepared.
    pub fn close(self) -> ClosedPartial {
        let Self { partial: Partial { folder, name: from, identity, .. }, name, existing } = self;
        ClosedPartial { folder, from, identity, name, existing }
    }

    /// [`Partial::sync_data`], and what is known of the file with it.
    pub fn sync(&self) -> Result<(), PartialError> {
        self.partial.sync()
    }

    fn place(self) -> Result<(), FinalizeError> {
        self.close().place()
    }
}

impl ClosedPartial {
    /// The second half of [`Partial::place`]. The file must have been synced since it was prepared.
    pub fn place(self) -> Result<(), FinalizeError> {
        check_name(&self.folder, &self.from, self.identity)?;
        self.rename()
    }

    fn rename(self) -> Result<(), FinalizeError> {
        let path = || self.folder.path().join(&self.name);
        let renamed = match self.existing {
            Existing::Replace => self.folder.rename(&self.from, &self.name),
            Existing::Keep => self.folder.rename_no_replace(&self.from, &self.name),
        };
        match renamed {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if self.existing == Existing::Keep => Err(FinalizeError::Exists(path())),
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                Err(FinalizeError::Destination(DestinationError::IsFolder(path())))
            }
            Err(errno) => Err(PartialError::from(FileError::new("finish", &path(), errno)).into()),
        }
    }
}

/// A partial file that was synced when it was as it is to be under its final name.
#[derive(Debug, Clone, Copy)]
pub struct ReadyPartial<'a> {
    pub folder: &'a Folder,
    pub partial: &'a OsStr,
    pub size: Bytes,
    pub to_be: FinalState<'a>,
}

impl ReadyPartial<'_> {
    /// Gives it its final name, if it still is as it is to be and nothing has that name. If not, or when
    /// anything goes wrong, nothing has happened, and [`Partial::reopen`] leads to what is to be done, or
    /// says what is wrong.
    pub fn place(&self) -> bool {
        let Self { folder, partial, size, to_be } = self;
        let Ok(stat) = rustix::fs::statat(folder, *partial, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        let since_1970 = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or_default())
            + Duration::from_nanos(stat.st_mtime_nsec);
        foreign(&Entry::of(&stat)).is_none()
            && u64::try_from(stat.st_size) == Ok(size.0)
            && stat.st_mode & 0o7777 == to_be.umask.file_mode()
            && to_be.modified.is_none_or(|modified| modified == since_1970)
            && folder.rename_at_once(partial, to_be.name).is_ok()
    }
}

fn check_name(folder: &Folder, name: &OsStr, identity: FileIdentity) -> Result<(), PartialError> {
    let path = || folder.path().join(name);
    let foreign = |why| Err(PartialError::Foreign { path: path(), why });
    match folder.entry(name)? {
        None => Err(FileError::new("find", &path(), Errno::NOENT).into()),
        Some(entry) if entry.identity != identity => foreign(ForeignPartial::Replaced),
        Some(entry) if !entry.has_one_name => foreign(ForeignPartial::HasOtherNames),
        Some(_) => Ok(()),
    }
}

fn keeps_no_times(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
    )
}

/// The shortest limit among file systems in use (eCryptfs); the name of a partial file may be cut.
const PARTIAL_NAME_BYTES_MAX: usize = 143;
/// Characters of the job's id: 32 random bits, in one folder and beside the name and the index.
const JOB_CHARACTERS: usize = 8;

/// As much of `name` as fits, without half a character at its end.
fn start_of(name: &[u8], bytes_max: usize) -> &[u8] {
    if name.len() <= bytes_max {
        return name;
    }
    let start = &name[..bytes_max];
    match std::str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => &start[..error.valid_up_to()],
        _ => start,
    }
}

fn foreign(entry: &Entry) -> Option<ForeignPartial> {
    if entry.kind != FileType::RegularFile {
        Some(ForeignPartial::NotAFile)
    } else if entry.owner != own_uid() {
        Some(ForeignPartial::OfSomebodyElse(entry.owner))
    } else if !entry.has_one_name {
        Some(ForeignPartial::HasOtherNames)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
