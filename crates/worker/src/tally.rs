//! What the bytes of a file sum up to, while they pass.
//!
//! The state of a sum cannot be written down. It is kept from one attempt to the next as long as the
//! worker lives, and the part that is there is read again only where somebody else may have changed it.
//! What the sum ought to be is not known here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bits_core::checksum::{Checksum, ChecksumAlgorithm};
use bits_core::units::Bytes;
use bits_platform::files::{FileError, Partial, PartialStamp};
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};

/// Bytes read back at once: enough that calls do not count, little enough for every machine.
const READ_BYTES: usize = 1024 * 1024;
/// Sums kept for attempts to come; each takes at most two KiB.
const KEPT_MAX: usize = 256;

/// A sum that is not at its end.
#[derive(Debug)]
pub(crate) struct Tally {
    state: State,
    /// How many bytes it is of: the first ones of the file.
    count: Bytes,
}

#[derive(Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
    Blake3(Box<blake3::Hasher>),
    Md5(Md5),
}

impl Tally {
    /// Of nothing yet.
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match algorithm {
            ChecksumAlgorithm::Sha256 => State::Sha256(Sha256::new()),
            ChecksumAlgorithm::Sha512 => State::Sha512(Sha512::new()),
            ChecksumAlgorithm::Blake3 => State::Blake3(Box::default()),
            ChecksumAlgorithm::Md5 => State::Md5(Md5::new()),
        };
        Self { state, count: Bytes::ZERO }
    }

    fn algorithm(&self) -> ChecksumAlgorithm {
        match self.state {
            State::Sha256(_) => ChecksumAlgorithm::Sha256,
            State::Sha512(_) => ChecksumAlgorithm::Sha512,
            State::Blake3(_) => ChecksumAlgorithm::Blake3,
            State::Md5(_) => ChecksumAlgorithm::Md5,
        }
    }

    /// Goes on to the first `upto` bytes of `partial`, by reading what is missing.
    pub(crate) fn read_on(&mut self, partial: &Partial, upto: Bytes) -> Result<(), FileError> {
        let mut buffer = Vec::new();
        while self.count < upto {
            let wanted = usize::try_from(upto.beyond(self.count).0).unwrap_or(usize::MAX).min(READ_BYTES);
            buffer.resize(wanted, 0);
            let read = partial.read_at(&mut buffer, self.count)?;
            if read == 0 {
                // Somebody has cut it short meanwhile: the sum will tell.
                break;
            }
            self.add(&buffer[..read]);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
            State::Md5(hasher) => hasher.update(bytes),
        }
        self.count = self.count.saturating_add(Bytes(bytes.len() as u64));
    }

    /// What it is so far.
    pub(crate) fn sum(&self) -> Checksum {
        let value = match &self.state {
            State::Sha256(hasher) => hasher.clone().finalize().to_vec(),
            State::Sha512(hasher) => hasher.clone().finalize().to_vec(),
            State::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
            State::Md5(hasher) => hasher.clone().finalize().to_vec(),
        };
        Checksum::new(self.algorithm(), value).expect("each algorithm has its length")
    }
}

/// Sums of partial files that nobody writes just now, the oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tallies {
    kept: Arc<Mutex<VecDeque<(PartialStamp, Tally)>>>,
}

impl Tallies {
    /// Keeps `tally`, which is of all that was written to `partial` from its beginning.
    pub(crate) fn keep(&self, partial: &Partial, tally: Tally) {
        // What cannot be looked at is read again.
        let Ok(stamp) = partial.stamp() else { return };
        let mut kept = self.kept.lock().expect("nobody panics with it");
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((stamp, tally));
    }

    /// The sum of the first `upto` bytes of `partial`. Only what is not summed up yet is read: all of it,
    /// if the file was changed since its sum was kept.
    pub(crate) fn of_partial(
        &self,
        algorithm: ChecksumAlgorithm,
        partial: &Partial,
        upto: Bytes,
    ) -> Result<Tally, FileError> {
        let stamp = partial.stamp()?;
        let kept = self.take(stamp).filter(|tally| tally.algorithm() == algorithm && tally.count <= upto);
        let mut tally = kept.unwrap_or_else(|| Tally::new(algorithm));
        tally.read_on(partial, upto)?;
        Ok(tally)
    }

    fn take(&self, stamp: PartialStamp) -> Option<Tally> {
        let mut kept = self.kept.lock().expect("nobody panics with it");
        let at = kept.iter().position(|(is, _)| *is == stamp)?;
        kept.remove(at).map(|(_, tally)| tally)
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
    use bits_platform::files::Folder;

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

    /// A sum of the first `count` bytes, and what it is of.
    fn told(tally: &Tally) -> (Checksum, Bytes) {
        (tally.sum(), tally.count)
    }

    #[test]
    fn a_sum_that_was_kept_goes_on_where_it_was_and_not_over_bytes_that_others_have_changed() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Arc::new(Folder::open(place.path()).expect("a folder"));
        let partial = Partial::create(folder, "part".into()).expect("a partial file");
        let content = [b'a'; 3000];
        partial.write_at(&content, Bytes::ZERO).expect("written");
        let algorithm = ChecksumAlgorithm::Sha256;
        let of = |bytes: &[u8]| {
            let mut tally = Tally::new(algorithm);
            tally.add(bytes);
            tally
        };
        // Where a sum is of other bytes than are there, one sees whether they were read.
        let lie = || of(&[b'b'; 2000]);
        let tallies = Tallies::default();

        tallies.keep(&partial, lie());
        let gone_on = tallies.of_partial(algorithm, &partial, Bytes(3000)).expect("read");
        assert_eq!(told(&gone_on), told(&of(&[[b'b'; 2000].as_slice(), &content[2000..]].concat())));
        let again = tallies.of_partial(algorithm, &partial, Bytes(3000)).expect("read");
        assert_eq!(told(&again), told(&of(&content)), "a sum is taken once");

        tallies.keep(&partial, lie());
        let other = tallies.of_partial(ChecksumAlgorithm::Blake3, &partial, Bytes(3000)).expect("read");
        assert_eq!(other.algorithm(), ChecksumAlgorithm::Blake3);
        tallies.keep(&partial, lie());
        let shorter = tallies.of_partial(algorithm, &partial, Bytes(1000)).expect("read");
        assert_eq!(told(&shorter), told(&of(&content[..1000])), "nothing is taken out of a sum");

        tallies.keep(&partial, lie());
        partial.set_modified(std::time::Duration::from_secs(1)).expect("changed");
        let changed = tallies.of_partial(algorithm, &partial, Bytes(3000)).expect("read");
        assert_eq!(told(&changed), told(&of(&content)));
    }

    #[test]
    fn the_oldest_of_many_sums_is_forgotten_first() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Arc::new(Folder::open(place.path()).expect("a folder"));
        let partials: Vec<Partial> = (0..=KEPT_MAX)
            .map(|number| Partial::create(folder.clone(), format!("part {number}").into()).expect("made"))
            .collect();
        let tallies = Tallies::default();
        for partial in &partials {
            tallies.keep(partial, Tally::new(ChecksumAlgorithm::Md5));
        }
        let is_kept = |partial: &Partial| tallies.take(partial.stamp().expect("a stamp")).is_some();
        assert_eq!(partials.iter().map(is_kept).filter(|kept| !kept).count(), 1);
        assert!(!is_kept(&partials[0]));
    }
}
