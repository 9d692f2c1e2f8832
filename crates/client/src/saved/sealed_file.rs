//! The choice for machines without a desktop: one sealed file of this user's.
//!
//! `OBITSCRD`, then one sealed record of all credentials. The key is in a file beside it, so what
//! is protected is a copy of the one without the other; who can read this user's files can read
//! both. Every change rewrites the file whole, under a lock in a third file that stays empty.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use bits_core::credentials::AuthScheme;
use bits_core::ports::{Seal, SealError};
use bits_core::secret::Secret;
use bits_core::units::Bytes;
use bits_platform::caller::own_uid;
use bits_platform::files::{Existing, Folder, Partial, Umask, partial_name};
use bits_platform::paths::{Paths, ensure_private_folder};
use bits_platform::seal::{KeyError, KeyPlaces, KeySeal, SEALED_PLAIN_BYTES_MAX};
use zeroize::Zeroizing;

use super::{Answer, Name, SavedCredential, SavedEntry, SavedError, Store, Which};

#[derive(Debug)]
pub(super) struct SealedFile {
    file: PathBuf,
    key: PathBuf,
    lock: PathBuf,
    place: String,
}

impl SealedFile {
    pub(super) fn new(paths: &Paths) -> Self {
        let file = paths.saved_credentials();
        let place = format!("the sealed file {}", file.display());
        Self { file, key: paths.saved_credentials_key_file(), lock: paths.saved_credentials_lock(), place }
    }

    /// What is in the file; nothing where there is none.
    fn read(&self) -> Result<Vec<SavedCredential>, SavedError> {
        if !self.exists() { Ok(Vec::new()) } else { self.read_with(&self.existing_key()?) }
    }

    /// Lets `change` change what is in the file, while nobody else does; `change` says whether it
    /// has.
    fn update(&self, change: impl FnOnce(&mut Vec<SavedCredential>) -> bool) -> Result<(), SavedError> {
        if let Some(folder) = self.file.parent() {
            ensure_private_folder(folder)?;
        }
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        // Closing it unlocks.
        let lock = options.open(&self.lock).map_err(self.failed("open the lock of"))?;
        lock.lock().map_err(self.failed("lock"))?;
        let seal = self.key_made_if_new()?;
        let mut credentials = self.read_with(&seal)?;
        if change(&mut credentials) { self.write(&seal, &credentials) } else { Ok(()) }
    }

    fn exists(&self) -> bool {
        // A symbolic link to nothing is something, too.
        self.file.symlink_metadata().is_ok()
    }

    /// The person's own key file and nothing else: what a service is given by its manager is not
    /// theirs.
    fn places(&self) -> KeyPlaces {
        KeyPlaces { key_file: self.key.clone(), credentials_folder: None }
    }

    fn existing_key(&self) -> Result<KeySeal, SavedError> {
        KeySeal::of_unrecorded(&self.places()).map_err(|error| match error {
            KeyError::Missing(key) => SavedError::KeyMissing { file: self.file.clone(), key },
            other => other.into(),
        })
    }

    /// Never a second key: it would open nothing of what is there.
    fn key_made_if_new(&self) -> Result<KeySeal, SavedError> {
        if self.exists() {
            return self.existing_key();
        }
        Ok(KeySeal::choose(&self.places())?)
    }

    fn read_with(&self, seal: &KeySeal) -> Result<Vec<SavedCredential>, SavedError> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        let unreadable = |reason| SavedError::Unreadable { path: self.file.clone(), reason };
        let content = self.read_bytes()?;
        let sealed = content.strip_prefix(MAGIC).ok_or_else(|| SavedError::NotSaved(self.file.clone()))?;
        let plain = seal.open(sealed, &bound_to()).map_err(unreadable)?;
        decode(&plain).ok_or_else(|| unreadable(SealError::UnknownForm))
    }

    fn read_bytes(&self) -> Result<Vec<u8>, SavedError> {
        // The folder is this user's alone, so the file looked at is the one that is opened.
        let metadata = self.file.symlink_metadata().map_err(self.failed("look at"))?;
        let mode = metadata.mode() & 0o7777;
        if !metadata.is_file() || metadata.uid() != own_uid() {
            return Err(SavedError::NotAFile(self.file.clone()));
        }
        if mode & 0o077 != 0 {
            return Err(SavedError::OpenToOthers { path: self.file.clone(), mode });
        }
        let mut content = Vec::new();
        let file = File::open(&self.file).map_err(self.failed("open"))?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(self.failed("read"))?;
        Ok(content)
    }

    fn write(&self, seal: &KeySeal, credentials: &[SavedCredential]) -> Result<(), SavedError> {
        let (Some(parent), Some(name)) = (self.file.parent(), self.file.file_name()) else {
            return Err(SavedError::NotAFile(self.file.clone()));
        };
        let sealed = seal.seal(&encode(credentials), &bound_to()).map_err(SavedError::Seal)?;
        let folder = Arc::new(Folder::open(parent)?);
        // Of a program that died in here.
        let unfinished = partial_name(name, "saved", 0);
        Partial::discard_named(&folder, &unfinished)?;
        let partial = Partial::create(folder, unfinished)?;
        partial.write_at(MAGIC, Bytes::ZERO)?;
        partial.write_at(&sealed, Bytes(MAGIC.len() as u64))?;
        Ok(partial.finalize(name, PRIVATE, Existing::Replace)?)
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> SavedError {
        let path = self.file.clone();
        move |source| SavedError::Io { action, path, source }
    }
}

// The file is some kilobytes long and locked for as long as it takes to write it, so nothing here
// is moved to a thread of its own.
impl Store for SealedFile {
    fn place(&self) -> &str {
        &self.place
    }

    fn put<'a>(
        &'a self,
        name: &'a Name,
        scheme: Option<AuthScheme>,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.update(|credentials| {
                credentials.retain(|credential| !is_meant(&credential.entry, name, Which::Scheme(scheme)));
                let entry = SavedEntry { name: name.as_str().to_owned(), scheme, user: user.to_owned() };
                credentials.push(SavedCredential { entry, password: password.duplicate() });
                true
            })
        })
    }

    fn list(&self) -> Answer<'_, Vec<SavedEntry>> {
        Box::pin(async move { Ok(self.read()?.into_iter().map(|credential| credential.entry).collect()) })
    }

    fn find<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<SavedCredential>> {
        Box::pin(async move {
            let mut credentials = self.read()?;
            credentials.retain(|credential| is_meant(&credential.entry, name, Which::All));
            Ok(credentials)
        })
    }

    fn remove<'a>(&'a self, name: &'a Name, which: Which) -> Answer<'a, usize> {
        Box::pin(async move {
            if !self.exists() {
                return Ok(0);
            }
            let mut removed = 0;
            self.update(|credentials| {
                let before = credentials.len();
                credentials.retain(|credential| !is_meant(&credential.entry, name, which));
                removed = before - credentials.len();
                removed != 0
            })?;
            Ok(removed)
        })
    }
}

const MAGIC: &[u8] = b"OBITSCRD";
/// The largest sealed record and what is around it; a longer file does not open.
const FILE_BYTES_MAX: u64 = SEALED_PLAIN_BYTES_MAX as u64 + (4 << 10);
/// The mask that leaves 0600 of a new file's 0666.
const PRIVATE: Umask = Umask::new(0o177);

/// So that no other file sealed with the key passes for this one.
fn bound_to() -> Vec<u8> {
    format!("saved credentials of user {}", own_uid()).into_bytes()
}

fn is_meant(entry: &SavedEntry, name: &Name, which: Which) -> bool {
    entry.name == name.as_str() && which.is(entry.scheme)
}

/// For each credential: the number of its scheme (0 for any), then name, user and password, each
/// after its length in four bytes.
fn encode(credentials: &[SavedCredential]) -> Zeroizing<Vec<u8>> {
    let texts = |credential: &SavedCredential| {
        [credential.entry.name.len(), credential.entry.user.len(), credential.password.expose().len()]
    };
    let length: usize = credentials.iter().flat_map(texts).map(|length| 4 + length).sum();
    // Room for all, so that no password moves and leaves a copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(length + credentials.len()));
    for SavedCredential { entry, password } in credentials {
        plain.push(entry.scheme.map_or(ANY_SCHEME, |scheme| scheme as u8));
        for text in [&entry.name, &entry.user, password.expose()] {
            let length = u32::try_from(text.len()).expect("names and passwords have limits far below");
            plain.extend_from_slice(&length.to_le_bytes());
            plain.extend_from_slice(text.as_bytes());
        }
    }
    plain
}

const ANY_SCHEME: u8 = 0;

fn decode(mut plain: &[u8]) -> Option<Vec<SavedCredential>> {
    let mut credentials = Vec::new();
    while let Some((number, rest)) = plain.split_first() {
        plain = rest;
        let scheme = match *number {
            ANY_SCHEME => None,
            number => Some(AuthScheme::from_number(number.into())?),
        };
        let name = text(&mut plain)?.to_owned();
        let user = text(&mut plain)?.to_owned();
        let password = Secret::new(text(&mut plain)?.to_owned());
        credentials.push(SavedCredential { entry: SavedEntry { name, scheme, user }, password });
    }
    Some(credentials)
}

fn text<'p>(plain: &mut &'p [u8]) -> Option<&'p str> {
    let (length, rest) = plain.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *plain = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(name: &str, scheme: Option<AuthScheme>, user: &str, password: &str) -> SavedCredential {
        let entry = SavedEntry { name: name.into(), scheme, user: user.into() };
        SavedCredential { entry, password: Secret::new(password.into()) }
    }

    #[test]
    fn credentials_come_back_as_they_were_written_and_have_never_moved() {
        let credentials = [
            credential("work", None, "CORP\\anna", "hünter2"),
            credential("h", Some(AuthScheme::Negotiate), "u", ""),
            credential("h", Some(AuthScheme::Basic), "", "😀\0\n"),
        ];
        for count in 0..=credentials.len() {
            let plain = encode(&credentials[..count]);
            assert_eq!(plain.len(), plain.capacity());
            let again = decode(&plain).unwrap();
            let parts = |credential: &SavedCredential| {
                (credential.entry.clone(), credential.password.expose().to_owned())
            };
            let expected: Vec<_> = credentials[..count].iter().map(parts).collect();
            assert_eq!(again.iter().map(parts).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_is_not_whole_is_not_read() {
        let plain = encode(&[credential("work", None, "anna", "x")]);
        for length in 1..plain.len() {
            assert!(decode(&plain[..length]).is_none(), "{length}");
        }
        for wrong in [&[9][..], &[0, 0xFF, 0xFF, 0xFF, 0xFF], &[0, 1, 0, 0, 0, 0xFF]] {
            assert!(decode(wrong).is_none(), "{wrong:?}");
        }
    }
}
