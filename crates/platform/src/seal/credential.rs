//! A key that systemd gives the service as a credential (`LoadCredentialEncrypted=`), which it keeps
//! encrypted with a key of the machine or its TPM.
//!
//! It is thirty-two random bytes; its name is computed from them. It is never made or changed here.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bits_core::ports::KeyId;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::CREDENTIAL_NAME;
use super::key_file::{KEY_BYTES, KEY_ID_BYTES, KeyError, KeyMaterial, open};
use crate::caller::own_uid;
use crate::files::FileError;

/// Reads the credential from the `folder` of the service's credentials.
pub(super) fn read(folder: Option<&Path>) -> Result<KeyMaterial, KeyError> {
    let path = folder.ok_or(KeyError::NoCredential)?.join(CREDENTIAL_NAME);
    let mut file = match open(&path) {
        Err(KeyError::Missing(_)) => return Err(KeyError::NoCredential),
        opened => opened?,
    };
    check(&path, &file)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    file.read_exact(key.as_mut()).map_err(|error| FileError::new("read", &path, error))?;
    let id = id_of(&key);
    KeyMaterial::from_parts(id, &key).map_err(|error| FileError::new("find memory for", &path, error).into())
}

/// Refuses what systemd would not have made: it is this service's or root's, and no others read it.
/// (The mode of its group is how an access list for one user shows.)
fn check(path: &Path, file: &File) -> Result<(), KeyError> {
    let metadata = file.metadata().map_err(|error| FileError::new("look at", path, error))?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        Err(KeyError::NotAFile(path.into()))
    } else if ![0, own_uid()].contains(&metadata.uid()) {
        Err(KeyError::OfSomebodyElse { path: path.into(), owner: metadata.uid() })
    } else if mode & 0o027 != 0 {
        Err(KeyError::OpenToOthers { path: path.into(), mode })
    } else if metadata.len() != KEY_BYTES as u64 {
        Err(KeyError::NotRandomBytes { path: path.into(), bytes: metadata.len() })
    } else {
        Ok(())
    }
}

/// The beginning of a hash: it tells keys apart, and nothing about them.
fn id_of(key: &[u8; KEY_BYTES]) -> KeyId {
    let hash = Sha256::new().chain_update(b"OpenBITS key id").chain_update(key).finalize();
    KeyId(*hash.first_chunk::<KEY_ID_BYTES>().expect("a hash is longer"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn a_credential(bytes: &[u8], mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CREDENTIAL_NAME);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        folder
    }

    #[test]
    fn a_credential_is_a_key_whose_name_is_always_the_same() {
        for mode in [0o400, 0o440, 0o600] {
            let folder = a_credential(&[7; KEY_BYTES], mode);
            let key = read(Some(folder.path())).unwrap();
            assert_eq!(key.bytes(), &[7; KEY_BYTES]);
            assert_eq!(key.id(), read(Some(folder.path())).unwrap().id());
            let other = a_credential(&[8; KEY_BYTES], mode);
            assert_ne!(key.id(), read(Some(other.path())).unwrap().id());
        }
    }

    #[test]
    fn what_is_no_credential_of_ours_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(read(None), Err(KeyError::NoCredential)));
        assert!(matches!(read(Some(empty.path())), Err(KeyError::NoCredential)));
        for bytes in [0, KEY_BYTES - 1, KEY_BYTES + 1] {
            let folder = a_credential(&vec![7; bytes], 0o400);
            assert!(matches!(read(Some(folder.path())), Err(KeyError::NotRandomBytes { .. })), "{bytes}");
        }
        for mode in [0o404, 0o460, 0o602] {
            let folder = a_credential(&[7; KEY_BYTES], mode);
            assert!(matches!(read(Some(folder.path())), Err(KeyError::OpenToOthers { .. })), "{mode:o}");
        }
    }
}
