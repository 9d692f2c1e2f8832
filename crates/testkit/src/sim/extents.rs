//! Bytes that are only told of: which part of which version they are.
//!
//! A file of a hundred gigabytes is one extent, and a file that was put together from halves of two
//! versions is two.

use bits_core::checksum::{Checksum, ChecksumAlgorithm};

use super::random::Random;

/// What bytes are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A version of a remote file, by its number in the world.
    Version(u32),
    /// Not what the server has.
    Corrupt,
    /// What a file system makes up where nothing was written.
    Hole,
    /// What was under the name before the job.
    Before,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) source: Source,
    /// The place of the first byte in its source.
    pub(super) at: u64,
    pub(super) len: u64,
}

/// The content of a file, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Extents(Vec<Extent>);

impl Extents {
    /// The bytes from `from` up to `to` of a version.
    pub(super) fn of_version(number: u32, from: u64, to: u64) -> Self {
        Self::of(Source::Version(number), from, to.saturating_sub(from))
    }

    pub(super) fn of(source: Source, at: u64, len: u64) -> Self {
        let mut all = Self::default();
        all.push(Extent { source, at, len });
        all
    }

    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|extent| extent.len).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Extent> {
        self.0.iter()
    }

    /// Adds `extent`; what goes on with what is before becomes one with it.
    pub(super) fn push(&mut self, extent: Extent) {
        if extent.len == 0 {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.source == extent.source && last.at + last.len == extent.at => {
                last.len += extent.len;
            }
            _ => self.0.push(extent),
        }
    }

    pub(super) fn append(&mut self, other: &Self) {
        other.0.iter().for_each(|extent| self.push(*extent));
    }

    /// The bytes from `from` up to `to`, as far as there are any.
    pub(super) fn slice(&self, from: u64, to: u64) -> Self {
        let mut part = Self::default();
        let mut place = 0;
        for extent in &self.0 {
            let (begin, end) = (from.max(place), to.min(place + extent.len));
            if begin < end {
                part.push(Extent { at: extent.at + (begin - place), len: end - begin, ..*extent });
            }
            place += extent.len;
        }
        part
    }

    /// Puts `what` at `at`, over what is there; a gap before it is a hole.
    pub(super) fn write(&mut self, at: u64, what: &Self) {
        let len = self.len();
        if at == len {
            return self.append(what);
        }
        let mut new = self.slice(0, at);
        if len < at {
            new.push(Extent { source: Source::Hole, at: len, len: at - len });
        }
        new.append(what);
        new.append(&self.slice(at + what.len(), len));
        *self = new;
    }

    /// Makes it `to` bytes long.
    pub(super) fn truncate(&mut self, to: u64) {
        let len = self.len();
        if to < len {
            *self = self.slice(0, to);
        } else {
            self.push(Extent { source: Source::Hole, at: len, len: to - len });
        }
    }

    /// What stands for a checksum here: different bytes have different ones.
    pub(super) fn checksum(&self) -> Checksum {
        let mut state = Random::new(0, "checksum");
        for extent in &self.0 {
            let source = match extent.source {
                Source::Version(number) => u64::from(number) << 3,
                Source::Corrupt => 1,
                Source::Hole => 2,
                Source::Before => 3,
            };
            for word in [source, extent.at, extent.len] {
                state = Random::new(state.next() ^ word, "");
            }
        }
        let value = (0..4).flat_map(|_| state.next().to_be_bytes()).collect();
        Checksum::new(ChecksumAlgorithm::Sha256, value).expect("32 bytes")
    }
}
