//! Sealing of secrets at rest with a key from a file (`credentials.md` §4.1).
//!
//! A record is `version ‖ key id ‖ nonce ‖ ciphertext and tag`; version, key id and what the caller
//! binds it to are authenticated with it. Which secrets there are, and when they go, is the
//! vault's business. Other sources of the key (credentials of the service manager, a TPM, a
//! keychain) are not here yet.

mod key_file;
mod locked;

use bits_core::ports::{Seal, SealError};
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, Key, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, Zeroizing};

use std::fmt;
use std::path::Path;

pub use key_file::KeyError;
use key_file::{KEY_BYTES, KEY_ID_BYTES, KeyMaterial};

/// The longest secret: a password of 65,536 UTF-16 units (`bits.md` §4) has at most three times as
/// many bytes, and a user name is beside it.
pub const SEALED_PLAIN_BYTES_MAX: usize = 256 << 10;

/// Seals with a key that is kept in a file of this user alone.
pub struct KeyFileSeal {
    key: KeyMaterial,
    source: String,
}

impl KeyFileSeal {
    /// Makes the key file `path`, once, in a folder that is there. A file that is there already is
    /// [`KeyError::Exists`].
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        KeyMaterial::create(path).map(|key| Self::new(key, path))
    }

    /// Reads the key file `path`. For a store that has sealed secrets, a missing key is an error:
    /// a second key would open none of them.
    pub fn open_existing(path: &Path) -> Result<Self, KeyError> {
        KeyMaterial::read(path).map(|key| Self::new(key, path))
    }

    /// Whether the key is kept out of swap space. Where the system's limit for locked memory is
    /// used up it is not, which is worth a line in the log.
    pub fn is_locked_in_memory(&self) -> bool {
        self.key.is_locked_in_memory()
    }

    fn new(key: KeyMaterial, path: &Path) -> Self {
        Self { key, source: format!("the key file {}", path.display()) }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        // Wiped when it is dropped, by its `zeroize` feature.
        XChaCha20Poly1305::new(<&Key>::from(self.key.bytes()))
    }
}

impl Seal for KeyFileSeal {
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError> {
        let padded_bytes = padded_length(plain.len())
            .ok_or(SealError::TooLarge { bytes: plain.len(), bytes_max: SEALED_PLAIN_BYTES_MAX })?;
        let mut record = Vec::with_capacity(HEAD_BYTES + padded_bytes + TAG_BYTES);
        record.push(VERSION);
        record.extend_from_slice(self.key.id());
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        record.extend_from_slice(&nonce);
        let data = associated_data(&record[..NONCE_PLACE], bound_to);

        record.extend_from_slice(
            &u32::try_from(plain.len()).expect("at most SEALED_PLAIN_BYTES_MAX").to_le_bytes(),
        );
        record.extend_from_slice(plain);
        record.resize(HEAD_BYTES + padded_bytes, 0);
        let body = InOutBuf::from(&mut record[HEAD_BYTES..]);
        match self.cipher().encrypt_inout_detached(&XNonce::from(nonce), &data, body) {
            Ok(tag) => record.extend_from_slice(&tag),
            Err(_) => {
                record.zeroize();
                return Err(SealError::TooLarge { bytes: plain.len(), bytes_max: SEALED_PLAIN_BYTES_MAX });
            }
        }
        Ok(record)
    }

    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let record = Record::parse(sealed)?;
        if record.key_id != self.key.id() {
            return Err(SealError::OtherKey { key_source: self.source.clone() });
        }
        let data = associated_data(record.authenticated_head, bound_to);
        let mut padded = Zeroizing::new(record.ciphertext.to_vec());
        let body = InOutBuf::from(padded.as_mut_slice());
        self.cipher()
            .decrypt_inout_detached(&XNonce::from(record.nonce), &data, body, &Tag::from(record.tag))
            .map_err(|_| SealError::DoesNotOpen)?;
        Ok(Zeroizing::new(without_padding(&padded).ok_or(SealError::DoesNotOpen)?.to_vec()))
    }

    fn key_source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for KeyFileSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFileSeal").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The form of the records made here.
const VERSION: u8 = 1;
const NONCE_PLACE: usize = 1 + KEY_ID_BYTES;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = NONCE_PLACE + NONCE_BYTES;
const TAG_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;
/// The length of a secret is hidden within steps of this.
const PADDING_BYTES: usize = 64;

const _: () = assert!(KEY_BYTES == 32, "XChaCha20-Poly1305 has keys of 32 bytes");

/// A record in its parts; none of them is known to be true yet.
struct Record<'a> {
    authenticated_head: &'a [u8],
    key_id: &'a [u8],
    nonce: [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
    tag: [u8; TAG_BYTES],
}

impl<'a> Record<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Self, SealError> {
        if sealed.first() != Some(&VERSION) {
            return Err(SealError::UnknownForm);
        }
        let (head, rest) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError::DoesNotOpen)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(SealError::DoesNotOpen)?;
        let (authenticated_head, nonce) = head.split_last_chunk().expect("a head ends with a nonce");
        let longest = padded_length(SEALED_PLAIN_BYTES_MAX).expect("the longest secret can be sealed");
        if ciphertext.len() > longest {
            return Err(SealError::DoesNotOpen);
        }
        Ok(Self {
            authenticated_head,
            key_id: &authenticated_head[1..],
            nonce: *nonce,
            ciphertext,
            tag: *tag,
        })
    }
}

fn associated_data(head: &[u8], bound_to: &[u8]) -> Vec<u8> {
    [head, bound_to].concat()
}

/// Length, secret and zeros to a multiple of [`PADDING_BYTES`]; `None` for too long a secret.
fn padded_length(plain_bytes: usize) -> Option<usize> {
    (plain_bytes <= SEALED_PLAIN_BYTES_MAX)
        .then(|| (LENGTH_BYTES + plain_bytes).next_multiple_of(PADDING_BYTES))
}

fn without_padding(padded: &[u8]) -> Option<&[u8]> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>()?;
    rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_seal() -> (tempfile::TempDir, KeyFileSeal) {
        let folder = tempfile::tempdir().unwrap();
        let seal = KeyFileSeal::create(&folder.path().join("seal.key")).unwrap();
        (folder, seal)
    }

    #[test]
    fn a_secret_opens_again_with_the_same_key_also_after_a_restart() {
        let (folder, seal) = a_seal();
        for plain in [&b""[..], b"hunter2", &[7; SEALED_PLAIN_BYTES_MAX]] {
            let sealed = seal.seal(plain, b"job 1").unwrap();
            let again = KeyFileSeal::open_existing(&folder.path().join("seal.key")).unwrap();
            assert_eq!(*again.open(&sealed, b"job 1").unwrap(), plain);
        }
        assert!(seal.key_source().contains("seal.key"));
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
        assert_eq!(
            seal.open(&[&sealed[..1], &vec![0; 1 << 20]].concat(), b"").unwrap_err().to_string(),
            seal.open(&sealed[..20], b"").unwrap_err().to_string()
        );
    }

    #[test]
    fn a_record_says_which_key_it_needs() {
        let ((_one, seal), (_two, other)) = (a_seal(), a_seal());
        let sealed = seal.seal(b"hunter2", b"job 1").unwrap();
        assert!(matches!(other.open(&sealed, b"job 1"), Err(SealError::OtherKey { .. })));
        let unknown = [&[VERSION + 1], &sealed[1..]].concat();
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
