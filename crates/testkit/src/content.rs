//! Bytes that everybody can compute from a seed, any part of them without the rest.

use std::fmt::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};

/// How much of a content is in memory at once while it is hashed or sent.
pub(crate) const PIECE_BYTES: u64 = 64 * 1024;

/// The content of one version of a file: as many bytes as wanted, told by a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    pub seed: u64,
    /// In bytes.
    pub size: u64,
}

impl Content {
    /// The bytes in `range`, as far as there are any.
    pub fn part(self, range: Range<u64>) -> Vec<u8> {
        let end = range.end.min(self.size);
        let mut bytes = Vec::new();
        let mut word = range.start / 8;
        let skipped = (range.start % 8) as usize;
        while word * 8 < end {
            bytes.extend_from_slice(&self.word(word).to_le_bytes());
            word += 1;
        }
        bytes.drain(..skipped.min(bytes.len()));
        bytes.truncate(usize::try_from(end.saturating_sub(range.start)).expect("it is in memory"));
        bytes
    }

    /// All of it.
    pub fn bytes(self) -> Vec<u8> {
        self.part(0..self.size)
    }

    /// Whether `bytes` are just this content.
    pub fn is(self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.size && bytes == self.bytes()
    }

    /// Its SHA-256, in lower-case hex.
    pub fn sha256_hex(self) -> String {
        self.sha256().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes what is written to it");
            hex
        })
    }

    /// Its SHA-256, in Base64.
    pub(crate) fn sha256_base64(self) -> String {
        BASE64.encode(self.sha256())
    }

    /// Its SHA-512, in Base64.
    pub(crate) fn sha512_base64(self) -> String {
        BASE64.encode(self.hash(Sha512::new()))
    }

    /// The MD5 of `range`, in Base64.
    pub(crate) fn md5_base64(self, range: Range<u64>) -> String {
        BASE64.encode(Md5::digest(self.part(range)))
    }

    /// The SHA-256 of `range`, in Base64.
    pub(crate) fn part_sha256_base64(self, range: Range<u64>) -> String {
        BASE64.encode(Sha256::digest(self.part(range)))
    }

    fn sha256(self) -> Vec<u8> {
        self.hash(Sha256::new())
    }

    fn hash(self, mut hash: impl sha2::Digest) -> Vec<u8> {
        for piece in pieces(0..self.size) {
            hash.update(self.part(piece));
        }
        hash.finalize().to_vec()
    }

    /// Eight bytes of it: splitmix64 of the seed and the place.
    fn word(self, place: u64) -> u64 {
        let mut word = self.seed.wrapping_mul(0xA076_1D64_78BD_642F) ^ place;
        word = word.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x9E37_79B9_7F4A_7C15);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}

/// `range` in pieces that fit memory.
pub(crate) fn pieces(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let end = (start + PIECE_BYTES).min(range.end);
        let piece = (start < end).then_some(start..end);
        start = end;
        piece
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_part_of_the_whole() {
        let content = Content { seed: 7, size: 1001 };
        let whole = content.bytes();
        assert_eq!(whole.len(), 1001);
        for range in [0..1001, 3..4, 8..16, 5..900, 999..1001, 1001..1001] {
            let expected = &whole[range.start as usize..range.end as usize];
            assert_eq!(content.part(range.clone()), expected, "{range:?}");
        }
        assert_eq!(content.part(2000..3000), Vec::<u8>::new());
        assert_eq!(content.part(1000..3000).len(), 1);
    }

    #[test]
    fn another_seed_is_another_content_everywhere() {
        let [one, two] = [1, 2].map(|seed| Content { seed, size: 4096 }.bytes());
        let equal = one.chunks(8).zip(two.chunks(8)).filter(|(one, two)| one == two).count();
        assert_eq!(equal, 0);
    }

    #[test]
    fn a_hash_in_pieces_is_the_hash_of_the_whole() {
        let content = Content { seed: 3, size: 2 * PIECE_BYTES + 5 };
        assert_eq!(content.sha256_base64(), content.part_sha256_base64(0..content.size));
    }
}
