//! The form of a sealed record: an envelope of a key of its own, and the secret under that key
//! (`credentials.md` §4.1).
//!
//! `2 ‖ key id ‖ nonce ‖ record key, wrapped ‖ nonce ‖ secret, padded and encrypted`. The wrapping is
//! authenticated with form, key id and what the caller binds the secret to; the secret with form and
//! binding, and by its key with the rest. So another key-encryption key costs a new wrapping and
//! leaves the secret as it is. Form 1, without a key of its own, is opened and not made any more.
//! Where keys come from is not known here.

use bits_core::ports::{KeyId, SealError};
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, Key, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, Zeroizing};

use super::SEALED_PLAIN_BYTES_MAX;
use super::key_file::{KEY_BYTES, KEY_ID_BYTES, KeyMaterial};

/// The form of the records made here.
pub(super) const ENVELOPE: u8 = 2;
/// The form without a key of its own.
const BARE: u8 = 1;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;
/// The length of a secret is hidden within steps of this.
pub(super) const PADDING_BYTES: usize = 64;
/// Form and name of the key-encryption key.
const NAME_BYTES: usize = 1 + KEY_ID_BYTES;
const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

const _: () = assert!(KEY_BYTES == 32, "XChaCha20-Poly1305 has keys of 32 bytes");

/// Seals `plain` with a key of its own, and that with `kek`.
pub(super) fn seal(kek: &KeyMaterial, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError> {
    let too_large = SealError::TooLarge { bytes: plain.len(), bytes_max: SEALED_PLAIN_BYTES_MAX };
    let Some(padded_bytes) = padded_length(plain.len()) else { return Err(too_large) };
    let mut dek = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(dek.as_mut()).map_err(|_| SealError::NoRandomness)?;

    let secret_place = NAME_BYTES + WRAPPED_BYTES;
    let mut record = Vec::with_capacity(secret_place + NONCE_BYTES + padded_bytes + TAG_BYTES);
    wrap(kek, &dek, bound_to, &mut record)?;
    let nonce = fresh_nonce()?;
    record.extend_from_slice(&nonce);
    record.extend_from_slice(
        &u32::try_from(plain.len()).expect("at most SEALED_PLAIN_BYTES_MAX").to_le_bytes(),
    );
    record.extend_from_slice(plain);
    record.resize(secret_place + NONCE_BYTES + padded_bytes, 0);
    let body = InOutBuf::from(&mut record[secret_place + NONCE_BYTES..]);
    let data = secret_data(bound_to);
    match cipher(&dek).encrypt_inout_detached(&XNonce::from(nonce), &data, body) {
        Ok(tag) => record.extend_from_slice(&tag),
        Err(_) => {
            record.zeroize();
            return Err(too_large);
        }
    }
    Ok(record)
}

/// Opens a record of either form. `source` says where `kek` is from.
pub(super) fn open(
    kek: &KeyMaterial,
    sealed: &[u8],
    bound_to: &[u8],
    source: &str,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let named = Named::parse(sealed)?;
    named.check_key(kek, source)?;
    let (key, secret, data) = match named.form {
        Form::Bare => (Zeroizing::new(*kek.bytes()), named.rest, [named.name, bound_to].concat()),
        Form::Envelope => {
            let (wrapped, secret) =
                named.rest.split_at_checked(WRAPPED_BYTES).ok_or(SealError::DoesNotOpen)?;
            (unwrap(kek, wrapped, bound_to)?, secret, secret_data(bound_to))
        }
    };
    let padded = decrypt(&key, secret, &data)?;
    Ok(Zeroizing::new(without_padding(&padded).ok_or(SealError::DoesNotOpen)?.to_vec()))
}

/// A record for the key `next` of one for the key `kek`, both bound to the same.
pub(super) fn rewrap(
    kek: &KeyMaterial,
    next: &KeyMaterial,
    sealed: &[u8],
    bound_to: &[u8],
    source: &str,
) -> Result<Vec<u8>, SealError> {
    let named = Named::parse(sealed)?;
    named.check_key(kek, source)?;
    match named.form {
        Form::Bare => seal(next, &open(kek, sealed, bound_to, source)?, bound_to),
        Form::Envelope => {
            let (wrapped, secret) =
                named.rest.split_at_checked(WRAPPED_BYTES).ok_or(SealError::DoesNotOpen)?;
            let dek = unwrap(kek, wrapped, bound_to)?;
            let mut record = Vec::with_capacity(sealed.len());
            wrap(next, &dek, bound_to, &mut record)?;
            record.extend_from_slice(secret);
            Ok(record)
        }
    }
}

#[derive(Clone, Copy)]
enum Form {
    Bare,
    Envelope,
}

/// A record with its form and the name of its key, neither of which is known to be true yet.
struct Named<'a> {
    form: Form,
    /// Form and key id as they are written.
    name: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Named<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Self, SealError> {
        let form = match sealed.first() {
            Some(&BARE) => Form::Bare,
            Some(&ENVELOPE) => Form::Envelope,
            _ => return Err(SealError::UnknownForm),
        };
        let (name, rest) = sealed.split_at_checked(NAME_BYTES).ok_or(SealError::DoesNotOpen)?;
        Ok(Self { form, name, rest })
    }

    fn check_key(&self, kek: &KeyMaterial, source: &str) -> Result<(), SealError> {
        if self.name[1..] != kek.id().0 {
            return Err(SealError::OtherKey { key_source: source.to_owned() });
        }
        Ok(())
    }
}

/// Adds form, key id and the wrapped `dek` to `record`.
fn wrap(
    kek: &KeyMaterial,
    dek: &[u8; KEY_BYTES],
    bound_to: &[u8],
    record: &mut Vec<u8>,
) -> Result<(), SealError> {
    let nonce = fresh_nonce()?;
    let mut wrapped = Zeroizing::new(*dek);
    let data = wrapping_data(kek.id(), bound_to);
    let tag = cipher(kek.bytes())
        .encrypt_inout_detached(&XNonce::from(nonce), &data, InOutBuf::from(wrapped.as_mut_slice()))
        .expect("a key is not too long");
    record.push(ENVELOPE);
    record.extend_from_slice(&kek.id().0);
    record.extend_from_slice(&nonce);
    record.extend_from_slice(wrapped.as_slice());
    record.extend_from_slice(&tag);
    Ok(())
}

fn unwrap(
    kek: &KeyMaterial,
    wrapped: &[u8],
    bound_to: &[u8],
) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let dek = decrypt(kek.bytes(), wrapped, &wrapping_data(kek.id(), bound_to))?;
    let dek = <&[u8; KEY_BYTES]>::try_from(dek.as_slice()).map_err(|_| SealError::DoesNotOpen)?;
    Ok(Zeroizing::new(*dek))
}

/// Opens `nonce ‖ ciphertext ‖ tag`.
fn decrypt(key: &[u8; KEY_BYTES], sealed: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::DoesNotOpen)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(SealError::DoesNotOpen)?;
    let longest = padded_length(SEALED_PLAIN_BYTES_MAX).expect("the longest secret can be sealed");
    if ciphertext.len() > longest {
        return Err(SealError::DoesNotOpen);
    }
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    cipher(key)
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            data,
            InOutBuf::from(plain.as_mut_slice()),
            &Tag::from(*tag),
        )
        .map_err(|_| SealError::DoesNotOpen)?;
    Ok(plain)
}

/// Wiped when it is dropped, by its `zeroize` feature.
fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(<&Key>::from(key))
}

fn fresh_nonce() -> Result<[u8; NONCE_BYTES], SealError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
    Ok(nonce)
}

fn wrapping_data(kek: KeyId, bound_to: &[u8]) -> Vec<u8> {
    [&[ENVELOPE], kek.0.as_slice(), bound_to].concat()
}

fn secret_data(bound_to: &[u8]) -> Vec<u8> {
    [&[ENVELOPE], bound_to].concat()
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

    fn key(number: u8) -> KeyMaterial {
        KeyMaterial::from_parts(KeyId([number; 8]), &[number; KEY_BYTES]).expect("memory")
    }

    const SECRET: &[u8] = b"hunter2";

    #[test]
    fn a_record_of_the_form_without_a_key_of_its_own_still_opens_and_is_rewrapped_into_an_envelope() {
        // Made by version 0.1.0 with the key of `key(7)`, of `hunter2`, bound to `job 1`.
        let bare = include_bytes!("bare-record-of-0.1.0.bin");
        let (old, new) = (key(7), key(8));
        assert_eq!(*open(&old, bare, b"job 1", "a test").expect("it opens"), SECRET);
        assert_eq!(open(&old, bare, b"job 2", "a test").unwrap_err(), SealError::DoesNotOpen);
        let rewrapped = rewrap(&old, &new, bare, b"job 1", "a test").expect("rewrapped");
        assert_eq!(rewrapped[0], ENVELOPE);
        assert_eq!(*open(&new, &rewrapped, b"job 1", "a test").expect("it opens"), SECRET);
    }

    #[test]
    fn every_record_has_a_key_of_its_own() {
        let kek = key(7);
        let deks: Vec<_> = (0..2)
            .map(|_| {
                let sealed = seal(&kek, SECRET, b"job 1").expect("sealed");
                *unwrap(&kek, &sealed[NAME_BYTES..NAME_BYTES + WRAPPED_BYTES], b"job 1").expect("unwrapped")
            })
            .collect();
        assert_ne!(deks[0], deks[1]);
        assert!(!deks.contains(kek.bytes()));
    }

    #[test]
    fn rewrapping_changes_the_wrapping_alone_and_takes_the_record_from_the_old_key() {
        let (old, new) = (key(7), key(8));
        let sealed = seal(&old, SECRET, b"job 1").expect("sealed");
        let rewrapped = rewrap(&old, &new, &sealed, b"job 1", "a test").expect("rewrapped");
        let secret_place = NAME_BYTES + WRAPPED_BYTES;
        assert_eq!(rewrapped[secret_place..], sealed[secret_place..]);
        assert_eq!(*open(&new, &rewrapped, b"job 1", "a test").expect("it opens"), SECRET);
        assert!(matches!(open(&old, &rewrapped, b"job 1", "a test"), Err(SealError::OtherKey { .. })));
        for (kek, bound_to) in [(&old, &b"job 2"[..]), (&new, b"job 1")] {
            assert!(rewrap(kek, &new, &sealed, bound_to, "a test").is_err(), "not with this");
        }
    }

    #[test]
    fn a_wrapping_fits_no_other_record_and_no_other_key_of_that_name() {
        let kek = key(7);
        let one = seal(&kek, SECRET, b"job 1").expect("sealed");
        let two = seal(&kek, SECRET, b"job 1").expect("sealed");
        let secret_place = NAME_BYTES + WRAPPED_BYTES;
        let mixed = [&one[..secret_place], &two[secret_place..]].concat();
        assert_eq!(open(&kek, &mixed, b"job 1", "a test").unwrap_err(), SealError::DoesNotOpen);
        let impostor = KeyMaterial::from_parts(KeyId([7; 8]), &[9; KEY_BYTES]).expect("memory");
        assert_eq!(open(&impostor, &one, b"job 1", "a test").unwrap_err(), SealError::DoesNotOpen);
    }
}
