//! Sealing of secrets at rest: the key-encryption key, where it is from, and what seals with it
//! (`credentials.md` §4.1).
//!
//! A key is a credential of systemd's or a file of 0600. Which of them a store uses is chosen once
//! and kept on record in the store; a key that is not the one on record opens nothing, and is never
//! made up for by another. The form of records is in `envelope`. Which secrets there are, and when
//! they go, is the vault's business. A TPM by itself and the system's key store are not here.

mod change;
mod credential;
mod envelope;
mod key_file;
mod locked;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bits_core::ports::{KeyChange, KeySource, KeyStanding, Seal, SealError, SealingKey};
use zeroize::Zeroizing;

use crate::hardening::wipe_stack;

pub use key_file::KeyError;
use key_file::KeyMaterial;

/// The longest secret: a password of 65,536 UTF-16 units (`bits.md` §4) has at most three times as
/// many bytes, and a user name is beside it.
pub const SEALED_PLAIN_BYTES_MAX: usize = 256 << 10;

/// What systemd's credential with the key is called.
pub const CREDENTIAL_NAME: &str = "bits-key";

/// Where keys can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlaces {
    pub key_file: PathBuf,
    /// `$CREDENTIALS_DIRECTORY`, where there is one.
    pub credentials_folder: Option<PathBuf>,
}

/// Seals with a key that is there.
pub struct KeySeal {
    key: Arc<KeyMaterial>,
    source: KeySource,
    place: String,
    key_file: PathBuf,
}

impl KeySeal {
    /// Chooses the key of a store that has none: systemd's credential when one is given, else the
    /// key file, which is made when it is not there.
    pub fn choose(places: &KeyPlaces) -> Result<Self, KeyError> {
        match credential::read(places.credentials_folder.as_deref()) {
            Ok(key) => Ok(Self::of_credential(&places.key_file, key)),
            Err(KeyError::NoCredential) => {
                let path = &places.key_file;
                match KeyMaterial::create(path) {
                    Err(KeyError::Exists(_)) => KeyMaterial::read(path),
                    created => created,
                }
                .map(|key| Self::of_file(path, key))
            }
            Err(error) => Err(error),
        }
    }

    /// The key of a store that has no key on record, such as one from before they were: what it
    /// has is sealed with the key file, whatever else there is.
    pub fn of_unrecorded(places: &KeyPlaces) -> Result<Self, KeyError> {
        KeyMaterial::read(&places.key_file).map(|key| Self::of_file(&places.key_file, key))
    }

    /// The key on record. A change of keys that was cut short is brought to its end.
    pub fn find(places: &KeyPlaces, wanted: SealingKey) -> Result<Self, KeyError> {
        match wanted.source {
            KeySource::KeyFile => {
                change::find(&places.key_file, wanted.id).map(|key| Self::of_file(&places.key_file, key))
            }
            KeySource::SystemdCredential => {
                let folder = places.credentials_folder.as_deref();
                let key = credential::read(folder)?;
                if key.id() != wanted.id {
                    let path = folder.unwrap_or(Path::new("")).join(CREDENTIAL_NAME);
                    return Err(KeyError::Other { path, found: key.id(), wanted: wanted.id });
                }
                Ok(Self::of_credential(&places.key_file, key))
            }
        }
    }

    /// Which key it is.
    pub fn key(&self) -> SealingKey {
        SealingKey { id: self.key.id(), source: self.source }
    }

    /// Whether the key is kept out of swap space. Where the system's limit for locked memory is
    /// used up it is not, which is worth a line in the log.
    pub fn is_locked_in_memory(&self) -> bool {
        self.key.is_locked_in_memory()
    }

    fn of_file(path: &Path, key: KeyMaterial) -> Self {
        let (source, place) = (KeySource::KeyFile, file_place(path));
        Self { key: Arc::new(key), source, place, key_file: path.into() }
    }

    fn of_credential(key_file: &Path, key: KeyMaterial) -> Self {
        let (source, place) = (KeySource::SystemdCredential, credential_place());
        Self { key: Arc::new(key), source, place, key_file: key_file.into() }
    }
}

impl Seal for KeySeal {
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError> {
        let sealed = envelope::seal(&self.key, plain, bound_to);
        wipe_stack();
        sealed
    }

    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let opened = envelope::open(&self.key, sealed, bound_to, &self.place);
        wipe_stack();
        opened
    }

    fn standing(&self) -> KeyStanding {
        KeyStanding { place: self.place.clone(), id: Some(self.key.id()), source: self.source, missing: None }
    }

    fn change_key(&self) -> Result<Box<dyn KeyChange>, SealError> {
        begin_change(self.source, &self.key_file, Some(Arc::clone(&self.key)))
    }
}

impl fmt::Debug for KeySeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySeal").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Stands for a key that is not there: seals nothing and opens nothing, and says why.
#[derive(Debug)]
pub struct LostKey {
    wanted: Option<SealingKey>,
    source: KeySource,
    key_file: PathBuf,
    why: String,
}

impl LostKey {
    /// For the key `wanted`, or that of an unrecorded key file, which `why` says is not there.
    pub fn new(places: &KeyPlaces, wanted: Option<SealingKey>, why: &KeyError) -> Self {
        let source = wanted.map_or(KeySource::KeyFile, |wanted| wanted.source);
        Self { wanted, source, key_file: places.key_file.clone(), why: why.to_string() }
    }

    fn place(&self) -> String {
        match self.source {
            KeySource::KeyFile => file_place(&self.key_file),
            KeySource::SystemdCredential => credential_place(),
        }
    }

    fn no_key(&self) -> SealError {
        SealError::NoKey {
            reason: format!(
                "the key that seals credentials is not there: {}; put it back and restart the service",
                self.why
            ),
        }
    }
}

impl Seal for LostKey {
    fn seal(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, SealError> {
        Err(self.no_key())
    }

    fn open(&self, _: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Err(self.no_key())
    }

    fn standing(&self) -> KeyStanding {
        KeyStanding {
            place: self.place(),
            id: self.wanted.map(|wanted| wanted.id),
            source: self.source,
            missing: Some(self.why.clone()),
        }
    }

    /// A new key file, which will do only where nothing is sealed with the lost one.
    fn change_key(&self) -> Result<Box<dyn KeyChange>, SealError> {
        begin_change(self.source, &self.key_file, None)
    }
}

fn begin_change(
    source: KeySource,
    key_file: &Path,
    old: Option<Arc<KeyMaterial>>,
) -> Result<Box<dyn KeyChange>, SealError> {
    let refused = |reason| Err(SealError::KeyNotChanged { reason });
    match source {
        KeySource::SystemdCredential => refused(format!(
            "the key is {}: it is not kept here, and whoever gives it to the service must change it",
            credential_place()
        )),
        KeySource::KeyFile => match change::begin(key_file, old) {
            Ok(change) => Ok(Box::new(change)),
            Err(KeyError::Exists(path)) if path == key_file => refused(format!(
                "{} holds another key than the one on record: put the right one there, or move this one away",
                path.display()
            )),
            Err(KeyError::Exists(path)) => refused(format!(
                "it is not known how the last change of the key ended ({} is there): restart the service first",
                path.display()
            )),
            Err(error) => refused(format!("no new key can be made: {error}")),
        },
    }
}

fn file_place(path: &Path) -> String {
    format!("the key file {}", path.display())
}

fn credential_place() -> String {
    format!("the credential `{CREDENTIAL_NAME}` of systemd")
}

#[cfg(test)]
mod tests {
    use super::*;
    use envelope::{ENVELOPE, PADDING_BYTES};
    use std::os::unix::fs::PermissionsExt;

    fn places(folder: &Path) -> KeyPlaces {
        KeyPlaces { key_file: folder.join("seal.key"), credentials_folder: None }
    }

    fn with_credential(folder: &Path, byte: u8) -> KeyPlaces {
        let path = folder.join(CREDENTIAL_NAME);
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, [byte; key_file::KEY_BYTES]).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        KeyPlaces { credentials_folder: Some(folder.into()), ..places(folder) }
    }

    fn a_seal() -> (tempfile::TempDir, KeySeal) {
        let folder = tempfile::tempdir().unwrap();
        let seal = KeySeal::choose(&places(folder.path())).unwrap();
        (folder, seal)
    }

    #[test]
    fn a_new_store_takes_the_credential_of_systemd_when_one_is_given_else_a_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let credential = KeySeal::choose(&with_credential(folder.path(), 7)).unwrap();
        assert_eq!(credential.key().source, KeySource::SystemdCredential);
        assert!(!folder.path().join("seal.key").exists());
        let file = KeySeal::choose(&places(folder.path())).unwrap();
        assert_eq!(file.key().source, KeySource::KeyFile);
        assert_eq!(KeySeal::choose(&places(folder.path())).unwrap().key(), file.key(), "it is made once");
    }

    #[test]
    fn the_key_on_record_is_found_and_no_other_is_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let both = with_credential(folder.path(), 7);
        let credential = KeySeal::choose(&both).unwrap().key();
        let file = KeySeal::choose(&places(folder.path())).unwrap().key();
        for wanted in [credential, file] {
            assert_eq!(KeySeal::find(&both, wanted).unwrap().key(), wanted);
        }
        assert!(matches!(KeySeal::find(&places(folder.path()), credential), Err(KeyError::NoCredential)));
        let other = with_credential(folder.path(), 8);
        assert!(matches!(KeySeal::find(&other, credential), Err(KeyError::Other { .. })));
        std::fs::remove_file(&both.key_file).unwrap();
        assert!(matches!(KeySeal::find(&other, file), Err(KeyError::Missing(_))));
        assert!(!both.key_file.exists(), "a second key is never made");
    }

    #[test]
    fn a_lost_key_seals_and_opens_nothing_and_says_what_is_missing() {
        let (folder, seal) = a_seal();
        let sealed = seal.seal(b"hunter2", b"job 1").unwrap();
        let places = places(folder.path());
        let lost = LostKey::new(&places, Some(seal.key()), &KeyError::Missing(places.key_file.clone()));
        for error in [lost.seal(b"x", b"").unwrap_err(), lost.open(&sealed, b"job 1").unwrap_err()] {
            assert!(matches!(&error, SealError::NoKey { reason } if reason.contains("seal.key is missing")));
        }
        let standing = lost.standing();
        assert_eq!((standing.id, standing.source), (Some(seal.key().id), KeySource::KeyFile));
        assert!(standing.missing.is_some());
    }

    #[test]
    fn a_changed_key_opens_what_was_rewrapped_after_a_restart_too_and_the_old_one_is_gone() {
        let (folder, seal) = a_seal();
        let sealed = seal.seal(b"hunter2", b"job 1").unwrap();
        let change = seal.change_key().unwrap();
        let (key, rewrapped) = (change.key(), change.rewrap(&sealed, b"job 1").unwrap());
        let (changed, notice) = change.finish();
        assert_eq!(notice, None);
        assert_eq!(*changed.open(&rewrapped, b"job 1").unwrap(), b"hunter2");
        let again = KeySeal::find(&places(folder.path()), key).unwrap();
        assert_eq!(*again.open(&rewrapped, b"job 1").unwrap(), b"hunter2");
        assert!(KeySeal::find(&places(folder.path()), seal.key()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_from_systemd_is_not_changed_here() {
        let folder = tempfile::tempdir().unwrap();
        let seal = KeySeal::choose(&with_credential(folder.path(), 7)).unwrap();
        let Err(SealError::KeyNotChanged { reason }) = seal.change_key() else { panic!("refused") };
        assert!(reason.contains("systemd"), "{reason}");
    }

    #[test]
    fn a_secret_opens_again_with_the_same_key_also_after_a_restart() {
        let (folder, seal) = a_seal();
        for plain in [&b""[..], b"hunter2", &[7; SEALED_PLAIN_BYTES_MAX]] {
            let sealed = seal.seal(plain, b"job 1").unwrap();
            let again = KeySeal::find(&places(folder.path()), seal.key()).unwrap();
            assert_eq!(*again.open(&sealed, b"job 1").unwrap(), plain);
        }
        assert!(seal.standing().place.contains("seal.key"));
    }

    #[test]
    fn a_secret_bound_to_another_place_does_not_open() {
        let (_folder, seal) = a_seal();
        let sealed = seal.seal(b"hunter2", b"job 1").unwrap();
        for other in [&b"job 2"[..], b"job 1 ", b"job", b""] {
            assert_eq!(seal.open(&sealed, other).unwrap_err(), SealError::DoesNotOpen);
        }
    }

    #[test]
    fn a_record_with_any_bit_flipped_does_not_open() {
        let (_folder, seal) = a_seal();
        let sealed = seal.seal(b"hunter2", b"job 1").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(seal.open(&flipped, b"job 1").is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_that_is_cut_or_longer_does_not_open() {
        let (_folder, seal) = a_seal();
        let sealed = seal.seal(b"hunter2", b"job 1").unwrap();
        for length in 0..sealed.len() {
            assert!(seal.open(&sealed[..length], b"job 1").is_err(), "{length} bytes");
        }
        assert!(seal.open(&[&sealed[..], b"\0"].concat(), b"job 1").is_err());
        let endless = [&sealed[..100], &vec![0; 1 << 20]].concat();
        assert_eq!(seal.open(&endless, b"job 1").unwrap_err(), SealError::DoesNotOpen);
    }

    #[test]
    fn a_record_says_which_key_it_needs() {
        let ((_one, seal), (_two, other)) = (a_seal(), a_seal());
        let sealed = seal.seal(b"hunter2", b"job 1").unwrap();
        assert!(matches!(other.open(&sealed, b"job 1"), Err(SealError::OtherKey { .. })));
        let unknown = [&[ENVELOPE + 1], &sealed[1..]].concat();
        assert_eq!(seal.open(&unknown, b"job 1").unwrap_err(), SealError::UnknownForm);
    }

    #[test]
    fn lengths_are_hidden_and_no_two_records_are_alike() {
        let (_folder, seal) = a_seal();
        let (short, long) = (seal.seal(b"", b"").unwrap(), seal.seal(&[b'x'; 60], b"").unwrap());
        assert_eq!(short.len(), long.len());
        assert_eq!(seal.seal(&[b'x'; 61], b"").unwrap().len(), long.len() + PADDING_BYTES);
        assert_ne!(seal.seal(b"", b"").unwrap(), short);
        assert!(!long.windows(8).any(|window| window == [b'x'; 8]));
    }

    #[test]
    fn a_secret_that_is_too_long_is_refused() {
        let (_folder, seal) = a_seal();
        let refusal = seal.seal(&vec![0; SEALED_PLAIN_BYTES_MAX + 1], b"").unwrap_err();
        assert!(matches!(refusal, SealError::TooLarge { .. }));
    }

    #[test]
    fn the_key_is_never_printed() {
        let (_folder, seal) = a_seal();
        assert!(format!("{seal:?}").ends_with("seal.key\", .. }"));
    }
}
