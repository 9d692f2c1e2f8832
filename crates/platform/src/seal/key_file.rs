//! The file that holds the key, and the key in memory.
//!
//! `OBITSKEY`, eight random bytes that name the key, thirty-two that are it. Made once; never made
//! anew over one that is there. Which file is asked for when is not known here.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bits_core::ports::KeyId;
use bits_core::units::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::locked::LockedBytes;
use crate::caller::own_uid;
use crate::files::{Existing, FileError, FinalizeError, Folder, Partial, PartialError, Umask, partial_name};

pub(super) const KEY_BYTES: usize = 32;
pub(super) const KEY_ID_BYTES: usize = 8;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key file {} is missing", .0.display())]
    Missing(PathBuf),
    #[error("systemd gives this service no credential `{}`", super::CREDENTIAL_NAME)]
    NoCredential,
    #[error("{} holds the key {found}, and what is stored is sealed with {wanted}", path.display())]
    Other { path: PathBuf, found: KeyId, wanted: KeyId },
    #[error("{} must be {} random bytes, and has {bytes}", path.display(), KEY_BYTES)]
    NotRandomBytes { path: PathBuf, bytes: u64 },
    #[error("the key file {} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{} is not a key file", .0.display())]
    NotAKey(PathBuf),
    #[error("the key file {} is a symbolic link or no regular file", .0.display())]
    NotAFile(PathBuf),
    #[error("the key file {} belongs to user {owner}", path.display())]
    OfSomebodyElse { path: PathBuf, owner: u32 },
    #[error("others may use the key {} (mode {mode:04o}): chmod 600 it, and if they may have read it, change the passwords that were sealed with it", path.display())]
    OpenToOthers { path: PathBuf, mode: u32 },
    #[error("no key can be made: the system gives no random numbers")]
    NoRandomness,
    #[error("no key can be made in {}", .0.display())]
    NoFolder(PathBuf),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Partial(#[from] PartialError),
    #[error(transparent)]
    Finalize(#[from] FinalizeError),
}

/// A key and its name, in locked memory.
pub(super) struct KeyMaterial {
    file: LockedBytes<FILE_BYTES>,
}

impl KeyMaterial {
    pub(super) fn create(path: &Path) -> Result<Self, KeyError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(KeyError::NoFolder(path.into()));
        };
        let folder = Arc::new(Folder::open(parent)?);
        if folder.identity_of(name)?.is_some() {
            return Err(KeyError::Exists(path.into()));
        }
        let mut file = locked(path)?;
        let (magic, random) = file.bytes_mut().split_at_mut(MAGIC.len());
        magic.copy_from_slice(MAGIC);
        getrandom::fill(random).map_err(|_| KeyError::NoRandomness)?;

        // Of a service that died in here; no secret has been sealed with it.
        let unfinished = partial_name(name, "key", 0);
        Partial::discard_named(&folder, &unfinished)?;
        let partial = Partial::create(folder, unfinished)?;
        partial.write_at(file.bytes(), Bytes::ZERO).map_err(PartialError::from)?;
        match partial.finalize(name, PRIVATE, Existing::Keep) {
            Ok(()) => Ok(Self { file }),
            Err(FinalizeError::Exists(path)) => Err(KeyError::Exists(path)),
            Err(error) => Err(error.into()),
        }
    }

    /// A key from elsewhere, with the name it has there.
    pub(super) fn from_parts(id: KeyId, key: &[u8; KEY_BYTES]) -> std::io::Result<Self> {
        let mut file = LockedBytes::new()?;
        let (name, bytes) = file.bytes_mut().split_at_mut(MAGIC.len() + KEY_ID_BYTES);
        name[..MAGIC.len()].copy_from_slice(MAGIC);
        name[MAGIC.len()..].copy_from_slice(&id.0);
        bytes.copy_from_slice(key);
        Ok(Self { file })
    }

    pub(super) fn read(path: &Path) -> Result<Self, KeyError> {
        let mut opened = open(path)?;
        check(path, &opened)?;
        let mut file = locked(path)?;
        let not_a_key = |_| KeyError::NotAKey(path.into());
        opened.read_exact(file.bytes_mut()).map_err(not_a_key)?;
        let is_longer = opened.read(Zeroizing::new([0]).as_mut()).map_err(not_a_key)? != 0;
        if is_longer || !file.bytes().starts_with(MAGIC) {
            return Err(KeyError::NotAKey(path.into()));
        }
        Ok(Self { file })
    }

    pub(super) fn id(&self) -> KeyId {
        let name = self.file.bytes()[MAGIC.len()..].first_chunk();
        KeyId(*name.expect("a key file names the key"))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        self.file.bytes().last_chunk().expect("a key file ends with the key")
    }

    pub(super) fn is_locked_in_memory(&self) -> bool {
        self.file.is_locked()
    }
}

const MAGIC: &[u8; 8] = b"OBITSKEY";
const FILE_BYTES: usize = MAGIC.len() + KEY_ID_BYTES + KEY_BYTES;
/// The mask that leaves 0600 of a new file's 0666.
const PRIVATE: Umask = Umask::new(0o177);

fn locked(path: &Path) -> Result<LockedBytes<FILE_BYTES>, KeyError> {
    LockedBytes::new().map_err(|error| FileError::new("find memory for", path, error).into())
}

/// Opens a file that may be a key; no link, nothing that blocks.
pub(super) fn open(path: &Path) -> Result<File, KeyError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        Err(Errno::NOENT) => Err(KeyError::Missing(path.into())),
        Err(Errno::LOOP | Errno::NXIO) => Err(KeyError::NotAFile(path.into())),
        Err(errno) => Err(FileError::new("open", path, errno).into()),
    }
}

/// Refuses a file that others could have made or may read.
fn check(path: &Path, file: &File) -> Result<(), KeyError> {
    let metadata = file.metadata().map_err(|error| FileError::new("look at", path, error))?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        Err(KeyError::NotAFile(path.into()))
    } else if metadata.uid() != own_uid() {
        Err(KeyError::OfSomebodyElse { path: path.into(), owner: metadata.uid() })
    } else if mode & 0o077 != 0 {
        Err(KeyError::OpenToOthers { path: path.into(), mode })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::somebody::as_an_ordinary_user;
    use std::ffi::OsStr;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn a_place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        (folder, path)
    }

    #[test]
    fn a_key_file_is_made_once_for_its_user_alone_and_leaves_nothing_beside_it() {
        let (folder, path) = a_place();
        let key = KeyMaterial::create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(matches!(KeyMaterial::create(&path), Err(KeyError::Exists(_))));

        let again = KeyMaterial::read(&path).unwrap();
        assert_eq!((again.id(), again.bytes()), (key.id(), key.bytes()));
        assert_ne!(key.bytes(), &[0; KEY_BYTES]);
    }

    #[test]
    fn a_key_whose_making_was_cut_short_is_made_anew() {
        let (folder, path) = a_place();
        let unfinished = folder.path().join(partial_name(OsStr::new("seal.key"), "key", 0));
        std::fs::write(&unfinished, "half").unwrap();
        KeyMaterial::create(&path).unwrap();
        assert!(!unfinished.exists());
    }

    #[test]
    fn a_missing_key_is_an_error_and_is_not_made() {
        let (_folder, path) = a_place();
        assert!(matches!(KeyMaterial::read(&path), Err(KeyError::Missing(_))));
        assert!(!path.exists());
    }

    #[test]
    fn a_key_that_others_could_know_or_have_made_is_refused() {
        let (folder, path) = a_place();
        KeyMaterial::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert!(
                matches!(KeyMaterial::read(&path), Err(KeyError::OpenToOthers { mode: m, .. }) if m == mode)
            );
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(KeyMaterial::read(&link), Err(KeyError::NotAFile(_))));
        assert!(matches!(KeyMaterial::create(&link), Err(KeyError::Exists(_))));
        assert!(matches!(KeyMaterial::read(folder.path()), Err(KeyError::NotAFile(_))));
        let foreign = as_an_ordinary_user(|| KeyMaterial::read(Path::new("/etc/passwd")).err().unwrap());
        assert!(matches!(foreign, KeyError::OfSomebodyElse { owner: 0, .. }), "{foreign}");
    }

    #[test]
    fn a_file_that_is_no_key_is_refused() {
        let (_folder, path) = a_place();
        KeyMaterial::create(&path).unwrap();
        let key = std::fs::read(&path).unwrap();
        for content in [&b""[..], &key[..FILE_BYTES - 1], &[&key[..], b"\n"].concat(), &[b'x'; FILE_BYTES]] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(KeyMaterial::read(&path), Err(KeyError::NotAKey(_))));
        }
    }
}
