//! Where a file is to appear, checked before anything is asked of a server.
//!
//! A check is a courtesy to the person: what holds now may not hold later, so finalizing looks
//! again.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use super::{FileError, FileErrorKind, Folder, FolderNames, Umask};

/// The longest name that every file system in use takes.
const NAME_BYTES_MAX: usize = 255;

/// What happens with folders on the way to a destination that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingFolders {
    Refuse,
    /// Made as the person's own `mkdir -p` would.
    Make(Umask),
}

/// A checked destination: the folder, held open, and the name in it.
#[derive(Debug)]
pub struct Destination {
    /// Shared by all files that go there.
    pub folder: Arc<Folder>,
    pub name: OsString,
}

/// Why a path cannot be a destination.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error("{} is not an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    #[error("{} names no file", .0.display())]
    NamesNoFile(PathBuf),
    #[error("the file name of {} is longer than {NAME_BYTES_MAX} bytes", .0.display())]
    NameTooLong(PathBuf),
    #[error("the folder {} does not exist", .0.display())]
    FolderMissing(PathBuf),
    #[error("{} is not a folder, or something on the way to it is not", .0.display())]
    NotAFolder(PathBuf),
    #[error("this user may not write to the folder {}", .0.display())]
    FolderDenied(PathBuf),
    #[error("the folder {} is on a file system that is read-only", .0.display())]
    FolderReadOnly(PathBuf),
    #[error("{} is a folder: name the file within it", .0.display())]
    IsFolder(PathBuf),
    #[error("{} is a symbolic link: name the file it leads to", .0.display())]
    IsSymlink(PathBuf),
    #[error("{} is a device, pipe or socket, not a file", .0.display())]
    NotAFile(PathBuf),
    #[error(transparent)]
    File(#[from] FileError),
}

impl Destination {
    /// Checks that a file can appear as `path` and opens its folder.
    pub fn check(path: &Path, missing: MissingFolders) -> Result<Self, DestinationError> {
        file_name(path)?;
        let parent = path.parent().expect("a path with a file name has a parent");
        let folder = match (Folder::open(parent), missing) {
            (Err(error), MissingFolders::Make(umask)) if error.kind == FileErrorKind::NotFound => {
                make_folders(parent, umask)
            }
            (outcome, _) => outcome,
        }
        .map_err(of_folder)?;
        folder
            .may_be_written()
            .map_err(|errno| of_folder(FileError::new("write to the folder", parent, errno)))?;
        Self::check_within(&Arc::new(folder), path)
    }

    /// The same for a file of which the folder was checked for another.
    pub fn check_within(folder: &Arc<Folder>, path: &Path) -> Result<Self, DestinationError> {
        let name = file_name(path)?;
        check_entry(folder, name)?;
        Ok(Self { folder: Arc::clone(folder), name: name.into() })
    }

    /// Whether the last part of `path` is a name that nothing had when `found` was found in its `folder`, so
    /// that there is no more to look at.
    pub fn is_free_within(found: &FolderNames, path: &Path) -> Result<bool, DestinationError> {
        Ok(found.lack(file_name(path)?))
    }

    /// Whether nothing has the last part of `path` for its name in `folder`. What is mounted there is not asked.
    pub fn is_free_in(folder: &Folder, path: &Path) -> Result<bool, DestinationError> {
        Ok(folder.surely_lacks(file_name(path)?))
    }

    /// The whole path.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}

/// Refuses a name under which a file must not appear. Returns the mode of the file that has it.
pub(super) fn check_entry(folder: &Folder, name: &OsStr) -> Result<Option<u32>, DestinationError> {
    let Some(entry) = folder.entry(name)? else { return Ok(None) };
    let path = || folder.path().join(name);
    match entry.kind {
        FileType::RegularFile => Ok(Some(entry.mode)),
        FileType::Directory => Err(DestinationError::IsFolder(path())),
        FileType::Symlink => Err(DestinationError::IsSymlink(path())),
        _ => Err(DestinationError::NotAFile(path())),
    }
}

/// The last part of the path as it is written: `a/b/`, `a/.` and `a/..` name folders.
fn file_name(path: &Path) -> Result<&OsStr, DestinationError> {
    if !path.is_absolute() {
        return Err(DestinationError::NotAbsolute(path.into()));
    }
    let bytes = path.as_os_str().as_bytes();
    let last = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    match last {
        b"" | b"." | b".." => Err(DestinationError::NamesNoFile(path.into())),
        _ if bytes.contains(&0) => Err(DestinationError::NamesNoFile(path.into())),
        _ if last.len() > NAME_BYTES_MAX => Err(DestinationError::NameTooLong(path.into())),
        _ => Ok(OsStr::from_bytes(last)),
    }
}

/// `mkdir -p`: from the first folder that is there downwards, each within the one before it.
fn make_folders(path: &Path, umask: Umask) -> Result<Folder, FileError> {
    match (Folder::open(path), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind == FileErrorKind::NotFound => {
            make_folders(parent, umask)?.make_folder(name, umask.folder_mode())
        }
        (outcome, ..) => outcome,
    }
}

fn of_folder(error: FileError) -> DestinationError {
    match error.kind {
        FileErrorKind::NotFound => DestinationError::FolderMissing(error.path),
        FileErrorKind::NotAFolder => DestinationError::NotAFolder(error.path),
        FileErrorKind::Denied => DestinationError::FolderDenied(error.path),
        FileErrorKind::ReadOnly => DestinationError::FolderReadOnly(error.path),
        _ => DestinationError::File(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::own_uid;
    use crate::somebody::as_an_ordinary_user;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn refusal(path: &Path) -> DestinationError {
        Destination::check(path, MissingFolders::Refuse).unwrap_err()
    }

    #[test]
    fn a_destination_is_a_new_or_an_existing_file_in_a_folder() {
        let top = tempfile::tempdir().unwrap();
        std::fs::write(top.path().join("old"), "").unwrap();
        symlink(top.path(), top.path().join("way")).unwrap();
        for name in ["new", "old", "way/new", "..name", &"x".repeat(NAME_BYTES_MAX)] {
            let path = top.path().join(name);
            let destination = Destination::check(&path, MissingFolders::Refuse).unwrap();
            assert_eq!(destination.path(), path);
        }
    }

    #[test]
    fn what_cannot_be_a_destination_is_refused_by_name() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
        for (path, expected) in [
            ("relative".into(), "NotAbsolute"),
            ("/".into(), "NamesNoFile"),
            (at("new/"), "NamesNoFile"),
            (at("."), "NamesNoFile"),
            (at("folder/.."), "NamesNoFile"),
            (at("a\0b"), "NamesNoFile"),
            (at(&"x".repeat(NAME_BYTES_MAX + 1)), "NameTooLong"),
            (at("missing/new"), "FolderMissing"),
            (at("dangling/new"), "FolderMissing"),
            (at("file/new"), "NotAFolder"),
            (at("folder"), "IsFolder"),
            (at("link"), "IsSymlink"),
            (at("dangling"), "IsSymlink"),
            (at("socket"), "NotAFile"),
        ] {
            let refusal = refusal(&path);
            let variant = format!("{refusal:?}");
            assert!(variant.starts_with(&format!("{expected}(")), "{}: {variant}", path.display());
        }
        assert!(refusal(&at("missing/new")).to_string().contains(at("missing").to_str().unwrap()));
    }

    #[test]
    fn a_folder_this_user_may_not_write_to_is_refused() {
        let refusal = as_an_ordinary_user(|| refusal(Path::new("/usr/new")));
        assert!(
            matches!(&refusal, DestinationError::FolderDenied(path) | DestinationError::FolderReadOnly(path)
                if path == Path::new("/usr")),
            "{refusal}"
        );
    }

    #[test]
    fn missing_folders_are_made_with_the_persons_umask_and_keep_the_group_bit() {
        let top = tempfile::tempdir().unwrap();
        std::fs::set_permissions(top.path(), PermissionsExt::from_mode(0o2700)).unwrap();
        let path = top.path().join("a/b/new");
        assert!(matches!(refusal(&path), DestinationError::FolderMissing(_)));
        Destination::check(&path, MissingFolders::Make(Umask::new(0o027))).unwrap();
        for made in ["a", "a/b"] {
            let mode = std::fs::metadata(top.path().join(made)).unwrap().mode() & 0o7777;
            assert_eq!(mode, 0o2750, "{made}");
        }
    }

    #[test]
    fn folders_are_made_below_ones_that_can_only_be_passed_through() {
        let top = tempfile::tempdir().unwrap();
        let (passage, mine) = (top.path().join("passage"), top.path().join("passage/mine"));
        std::fs::create_dir_all(&mine).unwrap();
        std::fs::set_permissions(top.path(), PermissionsExt::from_mode(0o711)).unwrap();
        std::fs::set_permissions(&mine, PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::set_permissions(&passage, PermissionsExt::from_mode(0o311)).unwrap();
        let owner = as_an_ordinary_user(|| {
            Destination::check(&mine.join("new/file"), MissingFolders::Make(Umask::USUAL)).unwrap();
            own_uid()
        });
        assert_eq!(std::fs::metadata(mine.join("new")).unwrap().uid(), owner);
        std::fs::set_permissions(&passage, PermissionsExt::from_mode(0o700)).unwrap();
    }
}
