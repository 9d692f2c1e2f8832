//! Parts of a remote file that are wanted, one after another, as one local file
//! (`AddFileWithRanges`, `bits.md` §1.5, §6.4).
//!
//! Whether the remote file has them is known only when it is asked.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::units::Bytes;

/// One part: from `offset` on so many bytes, or all that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    pub offset: Bytes,
    /// `None`: to the end of the file (`BG_LENGTH_TO_EOF`).
    pub length: Option<Bytes>,
}

/// The parts of a file that are wanted; none means all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges(Vec<ByteRange>);

/// Parts that one file may have, whatever the policy allows (`bits.md` §4).
pub const RANGES_MAX: usize = 10_000;

/// Why parts cannot be asked for (`bits.md` §1.5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangesError {
    #[error("`{0}` is not written as OFFSET:LENGTH or OFFSET:eof")]
    NotARange(String),
    #[error("the range {0} has no bytes")]
    Empty(ByteRange),
    #[error("the range {0} ends beyond what any file can have")]
    TooFar(ByteRange),
    #[error("the ranges {0} and {1} overlap")]
    Overlapping(ByteRange, ByteRange),
    #[error("there are {ranges} ranges; {most} are the most")]
    TooMany { ranges: usize, most: usize },
    /// Of a file whose size is known.
    #[error("the range {range} ends beyond the file, which is {size} long")]
    BeyondEnd { range: ByteRange, size: Bytes },
    /// Of a file that comes by ranges.
    #[error("the file is in too many pieces already; let the gaps between them come first")]
    TooManyPieces,
}

/// Characters of a wrong range that an error repeats.
const SHOWN_MAX: usize = 60;

impl ByteRange {
    /// Parses `OFFSET:LENGTH` or `OFFSET:eof`.
    ///
    /// # Errors
    /// [`RangesError::NotARange`].
    pub fn parse(text: &str) -> Result<Self, RangesError> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse().ok().map(Bytes) } else { None }
        };
        let parsed = text.trim().split_once(':').and_then(|(offset, length)| {
            let length = match length {
                eof if eof.eq_ignore_ascii_case("eof") => None,
                length => Some(number(length)?),
            };
            Some(Self { offset: number(offset)?, length })
        });
        parsed.ok_or_else(|| RangesError::NotARange(text.chars().take(SHOWN_MAX).collect()))
    }

    /// Whether it has bytes, and none beyond what any file can have.
    ///
    /// # Errors
    /// [`RangesError::TooFar`], [`RangesError::Empty`].
    pub(crate) fn check(self) -> Result<(), RangesError> {
        // The largest number stands for the end of a file and is no place in one.
        let end = self.offset.0.checked_add(self.length.map_or(0, |length| length.0));
        match (end, self.length) {
            (None | Some(u64::MAX), _) => Err(RangesError::TooFar(self)),
            (_, Some(Bytes::ZERO)) => Err(RangesError::Empty(self)),
            _ => Ok(()),
        }
    }

    /// One beyond its last byte, where that is known.
    pub fn end(self) -> Option<Bytes> {
        self.length.map(|length| self.offset.saturating_add(length))
    }
}

impl fmt::Display for ByteRange {
    /// As it is written: `OFFSET:LENGTH` or `OFFSET:eof`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            Some(length) => write!(f, "{}:{}", self.offset.0, length.0),
            None => write!(f, "{}:eof", self.offset.0),
        }
    }
}

impl Ranges {
    /// All of the file.
    pub const ALL: Self = Self(Vec::new());

    /// These parts, in this order.
    ///
    /// # Errors
    /// [`RangesError`].
    pub fn new(ranges: Vec<ByteRange>) -> Result<Self, RangesError> {
        if ranges.len() > RANGES_MAX {
            return Err(RangesError::TooMany { ranges: ranges.len(), most: RANGES_MAX });
        }
        ranges.iter().try_for_each(|range| range.check())?;
        let mut sorted = ranges.clone();
        sorted.sort_by_key(|range| range.offset);
        for pair in sorted.windows(2) {
            if pair[0].end().is_none_or(|end| end > pair[1].offset) {
                return Err(RangesError::Overlapping(pair[0], pair[1]));
            }
        }
        Ok(Self(ranges))
    }

    /// Whether no part was named, so that all of the file is wanted.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_slice(&self) -> &[ByteRange] {
        &self.0
    }

    /// How long the local file will be, where that is known without asking.
    pub fn size(&self) -> Option<Bytes> {
        if self.is_all() {
            return None;
        }
        let mut lengths = self.0.iter().map(|range| range.length);
        lengths.try_fold(Bytes::ZERO, |sum, length| Some(sum.saturating_add(length?)))
    }

    /// How long the local file will be when the remote one has `total` bytes.
    ///
    /// # Errors
    /// The first part that ends, or begins, beyond that.
    pub fn size_of(&self, total: Bytes) -> Result<Bytes, ByteRange> {
        let mut size = if self.is_all() { total } else { Bytes::ZERO };
        for range in &self.0 {
            let end = range.end().unwrap_or(total);
            if end > total || range.offset >= end {
                return Err(*range);
            }
            size = size.saturating_add(end.beyond(range.offset));
        }
        Ok(size)
    }

    /// How long the remote file is when the local one will have `size` bytes, where that tells it.
    pub fn total_of(&self, size: Bytes) -> Option<Bytes> {
        if self.is_all() {
            return Some(size);
        }
        let open = self.0.iter().find(|range| range.length.is_none())?;
        let others = self.0.iter().filter_map(|range| range.length);
        let others = others.fold(Bytes::ZERO, Bytes::saturating_add);
        Some(open.offset.saturating_add(size.beyond(others)))
    }

    /// Where byte number `at` of the local file is in the remote one, which has `total` bytes, and
    /// where the part that it is in ends there. Without a part it is where it is.
    pub fn locate(&self, at: Bytes, total: Option<Bytes>) -> (Bytes, Option<Bytes>) {
        let mut before = Bytes::ZERO;
        for range in &self.0 {
            let end = range.end().or(total);
            let within = at.beyond(before);
            match end.map(|end| end.beyond(range.offset)) {
                Some(length) if within >= length => before = before.saturating_add(length),
                _ => return (range.offset.saturating_add(within), end),
            }
        }
        (at, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> Result<Ranges, RangesError> {
        Ranges::new(text.split(',').map(ByteRange::parse).collect::<Result<_, _>>()?)
    }

    #[test]
    fn ranges_are_in_any_order_and_do_not_overlap() {
        for (text, size) in [
            ("0:1", Some(1)),
            ("100:100,900:100,400:100", Some(300)),
            ("0:10,10:10", Some(20)),
            ("900:eof,0:10", None),
        ] {
            assert_eq!(ranges(text).expect(text).size(), size.map(Bytes), "{text}");
        }
        assert_eq!(Ranges::ALL.size(), None);
    }

    #[test]
    fn each_byte_of_the_local_file_is_somewhere_in_the_remote_one() {
        let wanted = ranges("100:100,900:eof,400:50").expect("ranges");
        let total = Some(Bytes(1000));
        assert_eq!(wanted.size_of(Bytes(1000)), Ok(Bytes(250)));
        assert_eq!(wanted.total_of(Bytes(250)), total);
        assert_eq!(ranges("5:5").expect("ranges").total_of(Bytes(5)), None);
        for (at, from, end) in [
            (0, 100, 200),
            (99, 199, 200),
            (100, 900, 1000),
            (199, 999, 1000),
            (200, 400, 450),
            (249, 449, 450),
        ] {
            assert_eq!(wanted.locate(Bytes(at), total), (Bytes(from), Some(Bytes(end))), "{at}");
        }
        assert_eq!(Ranges::ALL.locate(Bytes(7), None), (Bytes(7), None));
        for (beyond, total) in [("0:11", 10), ("10:eof", 10), ("0:1,11:eof", 10)] {
            assert!(ranges(beyond).expect("ranges").size_of(Bytes(total)).is_err(), "{beyond}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_by_name() {
        for (text, message) in [
            ("5", "`5` is not written as OFFSET:LENGTH or OFFSET:eof"),
            ("+5:1", "`+5:1` is not written as OFFSET:LENGTH or OFFSET:eof"),
            ("5:", "`5:` is not written as OFFSET:LENGTH or OFFSET:eof"),
            (
                "99999999999999999999:1",
                "`99999999999999999999:1` is not written as OFFSET:LENGTH or OFFSET:eof",
            ),
            ("5:0", "the range 5:0 has no bytes"),
            (
                "18446744073709551615:eof",
                "the range 18446744073709551615:eof ends beyond what any file can have",
            ),
            ("18446744073709551614:2", "the range 18446744073709551614:2 ends beyond what any file can have"),
            ("5:5,9:1", "the ranges 5:5 and 9:1 overlap"),
            ("9:1,9:1", "the ranges 9:1 and 9:1 overlap"),
            ("5:eof,9:1", "the ranges 5:eof and 9:1 overlap"),
        ] {
            assert_eq!(ranges(text).expect_err(text).to_string(), message);
        }
        let many = (0..10_001).map(|n| ByteRange { offset: Bytes(n), length: Some(Bytes(1)) }).collect();
        assert_eq!(Ranges::new(many), Err(RangesError::TooMany { ranges: 10_001, most: 10_000 }));
    }
}
