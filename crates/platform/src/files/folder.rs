//! A folder held open, so that what happens in it happens there whatever its path means by then.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::{FileError, FileIdentity};

/// What the last part of the way to `path` that is there is on: the number of the device; none where the
/// system says of no part.
pub fn device_towards(path: &Path) -> Option<u64> {
    path.ancestors().find_map(|part| rustix::fs::stat(part).ok()).map(|stat| stat.st_dev)
}

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    /// Asked once: while it is held open its disk stays.
    disk: OnceLock<Option<u64>>,
    syncs_as_one: OnceLock<bool>,
}

impl Folder {
    /// Opens the folder `path`. Symbolic links on the way there are followed, as everywhere.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        rustix::fs::open(path, flags, Mode::empty())
            .map(|fd| Self::of_open(fd, path.into()))
            .map_err(|errno| FileError::new("open the folder", path, errno))
    }

    pub(super) fn of_open(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path, disk: OnceLock::new(), syncs_as_one: OnceLock::new() }
    }

    /// The same of which it was asked already what device it is on.
    pub(super) fn known_to_be_on(self, device: u64) -> Self {
        Self { disk: OnceLock::from(Some(device)), ..self }
    }

    /// The path it was opened by, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it really is: without symbolic links, and without dots; none when that cannot be found out.
    pub fn real_path(&self) -> Option<PathBuf> {
        std::fs::canonicalize(&self.path).ok()
    }

    /// Makes every renaming and removing so far in this folder last, also when the power goes. One
    /// call serves any number of [`Partial::place`](super::Partial::place) before it.
    pub fn sync(&self) -> Result<(), FileError> {
        match again_when_interrupted(|| rustix::fs::fsync(&self.fd)) {
            // Some file systems (9p, some of FUSE) cannot sync a folder; they promise nothing then.
            Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) | Ok(()) => Ok(()),
            Err(errno) => Err(FileError::new("sync the folder", &self.path, errno)),
        }
    }

    /// Which folder it is.
    pub fn identity(&self) -> Result<FileIdentity, FileError> {
        FileIdentity::of_open(&self.fd)
            .map_err(|errno| FileError::new("look at the folder", &self.path, errno))
    }

    /// Whether [`Folder::sync_file_system`] does here what it says: where it is known to. Network file
    /// systems and those of FUSE may return before anything lasts.
    pub fn syncs_as_one(&self) -> bool {
        *self.syncs_as_one.get_or_init(|| self.is_on_local_disk())
    }

    /// Whether it is on a file system that is known to ask nobody but this machine. It is asked anew.
    pub fn is_on_local_disk(&self) -> bool {
        rustix::fs::fstatfs(&self.fd).is_ok_and(|about| LOCAL.contains(&(about.f_type as u32)))
    }

    /// Makes all that was written so far on the file system of this folder last, files and names
    /// alike: one call for any number of small files. A call for each of them costs many times more.
    pub fn sync_file_system(&self) -> Result<(), FileError> {
        rustix::fs::syncfs(&self.fd).map_err(|errno| FileError::new("sync the disk of", &self.path, errno))
    }

    /// Tells disks apart: the number of the one this folder is on; none when the system does not say.
    pub fn disk(&self) -> Option<u64> {
        *self.disk.get_or_init(|| FileIdentity::of_open(&self.fd).ok().map(|identity| identity.device))
    }

    /// Which file has the name `name`, if any. A symbolic link is not followed.
    pub fn identity_of(&self, name: &OsStr) -> Result<Option<FileIdentity>, FileError> {
        Ok(self.entry(name)?.map(|entry| entry.identity))
    }

    /// What has the name `name`, if anything. A symbolic link is not followed.
    pub(crate) fn entry(&self, name: &OsStr) -> Result<Option<Entry>, FileError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Entry::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(FileError::new("look at", &self.path.join(name), errno)),
        }
    }

    /// The names of all that is here, unless there is more than `count_max`: one look that saves one for
    /// each of many names.
    pub fn names_up_to(&self, count_max: usize) -> FolderNames {
        if count_max < LISTED_MIN {
            return FolderNames(None);
        }
        let mut names = HashSet::new();
        // Where it was read to is of the description that is opened; ours stays at its beginning.
        let Ok(entries) = rustix::fs::Dir::read_from(&self.fd) else { return FolderNames(None) };
        for entry in entries {
            let Ok(entry) = entry else { return FolderNames(None) };
            if names.len() > count_max.saturating_add(SELF_AND_PARENT) {
                return FolderNames(None);
            }
            names.insert(entry.file_name().to_bytes().to_owned());
        }
        FolderNames(Some(names))
    }

    /// Whether this user may make files here.
    pub(crate) fn may_be_written(&self) -> Result<(), Errno> {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::accessat(&self.fd, c".", access, AtFlags::EACCESS)
    }

    /// The same, where it does not matter why not.
    pub fn may_be_written_to(&self) -> bool {
        self.may_be_written().is_ok()
    }

    /// Whether it is sure that nothing is called `name`, without a look at what has the name: that may be the
    /// root of another file system, whose server is away.
    #[cfg(target_os = "linux")]
    pub(crate) fn surely_lacks(&self, name: &OsStr) -> bool {
        use rustix::fs::ResolveFlags;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        let found = rustix::fs::openat2(&self.fd, name, flags, Mode::empty(), resolve);
        found.is_err_and(|errno| errno == Errno::NOENT)
    }

    /// The same, where the system cannot be asked so.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn surely_lacks(&self, _name: &OsStr) -> bool {
        false
    }

    /// Gives the file `from` the name `to`, in one step, in place of what had it.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        rustix::fs::renameat(&self.fd, from, &self.fd, to)
    }

    /// Gives the file `from` the name `to`, or fails with `EXIST` where something has it: in the
    /// first of [`WAYS_TO_RENAME`] that the file system knows.
    pub(crate) fn rename_no_replace(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        let mut outcome = Err(Errno::NOTSUP);
        for way in WAYS_TO_RENAME {
            outcome = way(self, from, to);
            if !matches!(outcome, Err(errno) if is_unknown(errno)) {
                break;
            }
        }
        outcome
    }

    /// The same in the best way alone.
    pub(crate) fn rename_at_once(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        rename_at_once(self, from, to)
    }

    /// Takes the name away; no name to take away is as good.
    pub(crate) fn remove(&self, name: &OsStr) -> Result<(), Errno> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Err(Errno::NOENT) | Ok(()) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// The folder `name` within this one, made with `mode` where it is missing.
    pub(crate) fn make_folder(&self, name: &OsStr, mode: u32) -> Result<Self, FileError> {
        let path = self.path.join(name);
        let made = match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(FileError::new("make the folder", &path, errno)),
        };
        // What was made must not have become a symbolic link; what was there may be one.
        let nofollow = if made { OFlags::NOFOLLOW } else { OFlags::empty() };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY | nofollow;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())
            .map_err(|errno| FileError::new("open the folder", &path, errno))?;
        let folder = Self::of_open(fd, path);
        if made {
            folder.set_mode(mode)?;
            self.sync()?;
        }
        Ok(folder)
    }

    /// The mode a person's own `mkdir` would have given, whatever the umask of this process.
    fn set_mode(&self, mode: u32) -> Result<(), FileError> {
        let failed = |errno| FileError::new("set the permissions of", &self.path, errno);
        let stat = rustix::fs::fstat(&self.fd).map_err(failed)?;
        // A folder made in a set-group-ID folder has inherited the bit and is to keep it.
        let inherited = stat.st_mode & Mode::SGID.bits();
        match rustix::fs::fchmod(&self.fd, Mode::from_bits_retain(mode | inherited)) {
            Err(errno) if !keeps_no_modes(errno) => Err(failed(errno)),
            _ => Ok(()),
        }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// ext2 to 4, XFS, Btrfs, F2FS; and tmpfs, on which nothing lasts anyway.
const LOCAL: [u32; 5] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994];

/// Names to be looked for from which on it pays to list a folder.
const LISTED_MIN: usize = 32;
/// `.` and `..`, which every list has.
const SELF_AND_PARENT: usize = 2;

/// What was in a folder, if it was listed.
#[derive(Debug)]
pub struct FolderNames(Option<HashSet<Vec<u8>>>);

impl FolderNames {
    /// Whether it is known that nothing was called `name`.
    pub fn lack(&self, name: &OsStr) -> bool {
        self.0.as_ref().is_some_and(|names| !names.contains(name.as_bytes()))
    }
}

type WayToRename = fn(&Folder, &OsStr, &OsStr) -> Result<(), Errno>;

/// How to rename without replacing, the best way first.
pub(super) const WAYS_TO_RENAME: [WayToRename; 3] =
    [rename_at_once, rename_by_second_name, rename_after_looking];

fn rename_at_once(folder: &Folder, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE)
}

/// As sure, but for a moment, or after a crash, the file has both names.
fn rename_by_second_name(folder: &Folder, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    rustix::fs::linkat(folder, from, folder, to, AtFlags::empty())?;
    folder.remove(from)
}

/// For file systems that know neither (some of FUSE): a file made after the look is replaced.
fn rename_after_looking(folder: &Folder, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    match rustix::fs::statat(folder, to, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => folder.rename(from, to),
        Ok(_) => Err(Errno::EXIST),
        Err(errno) => Err(errno),
    }
}

/// Whether `errno` means that the file system does not know the call, not that it failed.
fn is_unknown(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM)
}

/// What has a name in a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) identity: FileIdentity,
    pub(crate) kind: FileType,
    /// Permission bits, without set-user-ID and the like.
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    /// Whether the file has no second name.
    pub(crate) has_one_name: bool,
}

impl Entry {
    pub(crate) fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            identity: FileIdentity::of_stat(stat),
            kind: FileType::from_raw_mode(stat.st_mode),
            mode: stat.st_mode & 0o777,
            owner: stat.st_uid,
            has_one_name: stat.st_nlink == 1,
        }
    }
}

/// Whether a refused `fchmod` of a file of ours only means that its file system (FAT, some network
/// shares) does not keep modes.
pub(crate) fn keeps_no_modes(errno: Errno) -> bool {
    matches!(errno, Errno::PERM | Errno::NOTSUP | Errno::NOSYS)
}

pub(crate) fn again_when_interrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            outcome => return outcome,
        }
    }
}
