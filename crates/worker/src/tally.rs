//! What the bytes of a file sum up to, while they pass.
//!
//! The state of a sum cannot be written down, so whoever goes on with a file reads the part that is
//! there once. What the sum ought to be is not known here.

use std::sync::Mutex;

use bits_core::checksum::{Checksum, ChecksumAlgorithm};
use bits_core::units::Bytes;
use bits_platform::files::{FileError, Partial};
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};

/// Bytes read back at once: enough that calls do not count, little enough for every machine.
const READ_BYTES: usize = 1024 * 1024;

/// A sum that is not at its end.
#[derive(Debug)]
pub(crate) enum Tally {
    Sha256(Sha256),
    Sha512(Sha512),
    Blake3(Box<blake3::Hasher>),
    Md5(Md5),
}

impl Tally {
    /// Of nothing yet.
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            ChecksumAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
            ChecksumAlgorithm::Blake3 => Self::Blake3(Box::default()),
            ChecksumAlgorithm::Md5 => Self::Md5(Md5::new()),
        }
    }

    /// Of the first `upto` bytes of `partial`.
    pub(crate) fn of_partial(
        algorithm: ChecksumAlgorithm,
        partial: &Partial,
        upto: Bytes,
    ) -> Result<Self, FileError> {
        let mut tally = Self::new(algorithm);
        let mut buffer = vec![0; READ_BYTES];
        let mut place = Bytes::ZERO;
        while place < upto {
            let wanted = usize::try_from(upto.beyond(place).0).unwrap_or(usize::MAX).min(READ_BYTES);
            let read = partial.read_at(&mut buffer[..wanted], place)?;
            if read == 0 {
                // Somebody has cut it short meanwhile: the sum will tell.
                break;
            }
            tally.add(&buffer[..read]);
            place = place.saturating_add(Bytes(read as u64));
        }
        Ok(tally)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }

    /// What it is so far.
    pub(crate) fn sum(&self) -> Checksum {
        let (algorithm, value) = match self {
            Self::Sha256(hasher) => (ChecksumAlgorithm::Sha256, hasher.clone().finalize().to_vec()),
            Self::Sha512(hasher) => (ChecksumAlgorithm::Sha512, hasher.clone().finalize().to_vec()),
            Self::Blake3(hasher) => (ChecksumAlgorithm::Blake3, hasher.finalize().as_bytes().to_vec()),
            Self::Md5(hasher) => (ChecksumAlgorithm::Md5, hasher.clone().finalize().to_vec()),
        };
        Checksum::new(algorithm, value).expect("each algorithm has its length")
    }
}

/// Adds `bytes` where somebody wants the sum.
pub(crate) fn add(tally: Option<&Mutex<Tally>>, bytes: &[u8]) {
    if let Some(tally) = tally {
        tally.lock().expect("no tally is left half done").add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_sums_up_what_comes_in_parts() {
        for expected in [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
            "md5:900150983cd24fb0d6963f7d28e17f72",
        ] {
            let expected = Checksum::parse(expected).expect("a checksum");
            let tally = Mutex::new(Tally::new(expected.algorithm()));
            add(Some(&tally), b"a");
            add(Some(&tally), b"bc");
            assert_eq!(tally.into_inner().expect("a tally").sum(), expected);
        }
    }
}
