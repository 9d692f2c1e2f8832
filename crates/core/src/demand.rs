//! What of a file is wanted at once, and what of it is there: a job in on-demand mode (`bits.md`
//! §1.6, `ON_DEMAND_MODE`; §1.9, `RequestFileRanges` and its like).
//!
//! How the parts come is the transfer plan's business, not this file's.

use alloc::vec::Vec;

use crate::file::{File, Stage};
use crate::ranges::{ByteRange, RangesError};
use crate::units::Bytes;

/// Some bytes of a file, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Bytes,
    /// One beyond the last.
    pub end: Bytes,
}

impl Span {
    pub fn length(self) -> Bytes {
        self.end.beyond(self.from)
    }
}

/// Which bytes of a file are there: apart from each other, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled(Vec<Span>);

/// Pieces in which a file may lie; each is written down again with every piece that comes.
/// Ranges of a file that may be requested and not have come.
const REQUESTED_MAX: usize = 500;
pub const PIECES_MAX: usize = 10_000;

impl Filled {
    pub const NOTHING: Self = Self(Vec::new());

    /// What these make together, in whatever order and however they overlap.
    pub fn of(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut filled = Self::NOTHING;
        spans.into_iter().for_each(|span| filled.insert(span));
        filled
    }

    /// Takes note that `span` is there; nothing when it has no bytes.
    pub fn insert(&mut self, span: Span) {
        if span.length() == Bytes::ZERO {
            return;
        }
        // Those that it touches become one with it.
        let first = self.0.partition_point(|known| known.end < span.from);
        let beyond = self.0.partition_point(|known| known.from <= span.end);
        let touched = &self.0[first..beyond];
        let from = touched.first().map_or(span.from, |known| known.from.min(span.from));
        let end = touched.last().map_or(span.end, |known| known.end.max(span.end));
        self.0.splice(first..beyond, [Span { from, end }]);
    }

    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// How many bytes are there altogether.
    pub fn total(&self) -> Bytes {
        self.0.iter().fold(Bytes::ZERO, |sum, span| sum.saturating_add(span.length()))
    }

    /// One beyond the last byte that is there.
    pub fn end(&self) -> Bytes {
        self.0.last().map_or(Bytes::ZERO, |span| span.end)
    }

    /// The first bytes from `from` to `end` that are not there.
    pub fn gap(&self, from: Bytes, end: Bytes) -> Option<Span> {
        let at = self.0.partition_point(|known| known.end <= from);
        let from = match self.0.get(at) {
            Some(known) if known.from <= from => known.end,
            _ => from,
        };
        let next = self.0.iter().skip(at).find(|known| known.from > from);
        let end = next.map_or(end, |next| next.from.min(end));
        (from < end).then_some(Span { from, end })
    }

    /// What of this is not in `known`.
    pub fn beyond(&self, known: &Self) -> Vec<Span> {
        let mut new = Vec::new();
        for span in &self.0 {
            let mut from = span.from;
            while let Some(gap) = known.gap(from, span.end) {
                new.push(gap);
                from = gap.end;
            }
        }
        new
    }
}

/// What an owner has asked for of a file, and what has come of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// What is fetched before all else, in this order. They may overlap each other and what is there.
    pub requested: Vec<ByteRange>,
    /// From where all that is missing is fetched, once nothing is requested any more.
    pub position: Option<Bytes>,
    /// What is on the disk for sure (promise P2).
    pub filled: Filled,
}

/// What is to be fetched next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub from: Bytes,
    /// One beyond the last byte; none for all that follows.
    pub end: Option<Bytes>,
    /// Whether it is part of a range that was requested; such a one is not given up for another.
    pub is_requested: bool,
}

impl Demand {
    /// What is to be fetched next of a file with `size` bytes, of which these are there. While the
    /// size is not known, nothing is there that could be counted on.
    pub fn next(&self, here: &Filled, size: Option<Bytes>) -> Option<Wanted> {
        let Some(size) = size else {
            let whole = |range: &ByteRange| (range.offset, range.end(), true);
            let first = self.requested.first().map(whole).or(self.position.map(|at| (at, None, false)))?;
            let (from, end, is_requested) = first;
            return Some(Wanted { from, end, is_requested });
        };
        let missing = |range: &ByteRange| here.gap(range.offset, range.end().unwrap_or(size).min(size));
        let wanted = |gap: Span, is_requested| Wanted { from: gap.from, end: Some(gap.end), is_requested };
        if let Some(gap) = self.requested.iter().find_map(missing) {
            return Some(wanted(gap, true));
        }
        let position = self.position?;
        let gap = here.gap(position, size).or_else(|| here.gap(Bytes::ZERO, size))?;
        Some(wanted(gap, false))
    }

    /// What was asked for that a file of `size` bytes does not have: a range, or the position.
    pub fn beyond(&self, size: Bytes) -> Option<Beyond> {
        let ends_beyond =
            |range: &&ByteRange| range.offset >= size || range.end().is_some_and(|end| end > size);
        let range = self.requested.iter().find(ends_beyond).copied().map(Beyond::Range);
        range.or(self.position.filter(|at| *at >= size && *at > Bytes::ZERO).map(Beyond::Position))
    }

    /// Takes note that these bytes of a file with `size` bytes are there. What was requested and has
    /// come is requested no longer.
    pub fn has(&mut self, filled: Filled, size: Option<Bytes>) {
        self.filled = filled;
        if let Some(size) = size {
            let filled = &self.filled;
            self.requested.retain(|range| filled.gap(range.offset, range.end().unwrap_or(size)).is_some());
        }
    }

    /// Forgets what was asked for and cannot be.
    pub fn withdraw(&mut self, beyond: Beyond) {
        match beyond {
            Beyond::Range(range) => self.requested.retain(|requested| *requested != range),
            Beyond::Position(at) => self.position = self.position.filter(|position| *position != at),
        }
    }
}

/// Something that was asked for and that the file does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    Range(ByteRange),
    Position(Bytes),
}

/// Which of `files` is to be fetched from next: first one of which ranges are requested, then one of
/// which all is wanted, each in their order.
pub fn next_file(files: &[File]) -> Option<usize> {
    let wanted = |file: &File| {
        let is_to_come = file.stage == Stage::Waiting && file.error.is_none() && file.ranges.is_all();
        let size = size_to_go_by(file);
        // One that came whole just before the service died has only not been said to be.
        let is_all_here = size.is_some_and(|size| file.demand.filled.gap(Bytes::ZERO, size).is_none());
        let wanted = file.demand.next(&file.demand.filled, size);
        (is_to_come && (wanted.is_some() || is_all_here))
            .then(|| wanted.is_none_or(|wanted| wanted.is_requested))
    };
    let first = |requested: bool| files.iter().position(|file| wanted(file) == Some(requested));
    first(true).or_else(|| first(false))
}

/// The size of the version on record, if bytes of it may be here. One without bytes is asked for anew: that
/// costs nothing, and nothing tells any more whether it lasts, and whether it was what it should be.
pub fn size_to_go_by(file: &File) -> Option<Bytes> {
    file.size.filter(|size| *size > Bytes::ZERO && file.validator.is_some())
}

/// Whether `ranges` can be requested of `file` (`RequestFileRanges`). They may overlap.
///
/// # Errors
/// [`RangesError`]: one that has no bytes or ends beyond the file, or too many.
pub fn check_ranges(file: &File, ranges: &[ByteRange]) -> Result<(), RangesError> {
    let requested = file.demand.requested.len() + ranges.len();
    if requested > REQUESTED_MAX {
        return Err(RangesError::TooMany { ranges: requested, most: REQUESTED_MAX });
    }
    if file.demand.filled.spans().len() + requested > PIECES_MAX {
        return Err(RangesError::TooManyPieces);
    }
    for range in ranges {
        range.check()?;
        check_end(file, range.offset, range.end())?;
    }
    Ok(())
}

/// Whether `file` can be fetched from `position` on (`UpdateDownloadPosition`).
///
/// # Errors
/// [`RangesError::BeyondEnd`].
pub fn check_position(file: &File, position: Bytes) -> Result<(), RangesError> {
    ByteRange { offset: position, length: None }.check()?;
    if position == Bytes::ZERO { Ok(()) } else { check_end(file, position, None) }
}

/// Before the server has told the size, this shows when it does.
fn check_end(file: &File, from: Bytes, end: Option<Bytes>) -> Result<(), RangesError> {
    match file.size {
        Some(size) if from >= size || end.is_some_and(|end| end > size) => {
            let length = end.map(|end| end.beyond(from));
            Err(RangesError::BeyondEnd { range: ByteRange { offset: from, length }, size })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{FileIndex, LocalName, Validator};
    use crate::remote_name::RemoteName;

    fn span(from: u64, end: u64) -> Span {
        Span { from: Bytes(from), end: Bytes(end) }
    }

    fn filled(spans: &[(u64, u64)]) -> Filled {
        Filled::of(spans.iter().map(|(from, end)| span(*from, *end)))
    }

    fn file(requested: &[&str], position: Option<u64>, there: &[(u64, u64)], size: Option<u64>) -> File {
        let name = RemoteName::stored("https://h.test/f").expect("a URL");
        let requested = requested.iter().map(|text| ByteRange::parse(text).expect("a range")).collect();
        let etag = Some("\"a\"".to_owned());
        File {
            size: size.map(Bytes),
            validator: size.map(|_| Validator { etag, last_modified: None }),
            demand: Demand { requested, position: position.map(Bytes), filled: filled(there) },
            ..File::new(FileIndex(0), name, LocalName::parse("/tmp/f").expect("a path"))
        }
    }

    #[test]
    fn pieces_that_touch_are_one() {
        for (given, expected) in [
            (&[(0, 10)][..], &[(0, 10)][..]),
            (&[(0, 10), (20, 30)], &[(0, 10), (20, 30)]),
            (&[(20, 30), (0, 10)], &[(0, 10), (20, 30)]),
            (&[(0, 10), (20, 30), (10, 20)], &[(0, 30)]),
            (&[(0, 10), (20, 30), (12, 18)], &[(0, 10), (12, 18), (20, 30)]),
            (&[(5, 25), (0, 10), (20, 30)], &[(0, 30)]),
            (&[(0, 10), (2, 3)], &[(0, 10)]),
            (&[(7, 7)], &[]),
        ] {
            assert_eq!(filled(given), Filled(filled(expected).0), "{given:?}");
            let spans: Vec<_> = filled(given).0.iter().map(|span| (span.from.0, span.end.0)).collect();
            assert_eq!(spans, expected, "{given:?}");
        }
    }

    #[test]
    fn sets_of_pieces_are_what_a_list_of_bytes_would_be() {
        let mut state = 7_u64;
        let mut chance = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        for _ in 0..2000 {
            let mut set = Filled::NOTHING;
            let mut plain = [false; 32];
            for _ in 0..chance(8) {
                let from = chance(31);
                let end = from + 1 + chance(31 - from);
                set.insert(span(from, end));
                plain[from as usize..end as usize].fill(true);
            }
            assert_eq!(set.total().0 as usize, plain.iter().filter(|there| **there).count());
            assert!(set.0.windows(2).all(|pair| pair[0].end < pair[1].from), "{set:?}");
            let (from, end) = (chance(32), chance(33));
            let missing = (from..end).find(|at| !plain[*at as usize]);
            let gap = missing.map(|first| {
                let last = (first..end).find(|at| plain[*at as usize]).unwrap_or(end);
                span(first, last)
            });
            assert_eq!(set.gap(Bytes(from), Bytes(end)), gap, "{set:?} {from}..{end}");
            let mut all = set.clone();
            all.insert(span(from, from + 1));
            let new = if from < 32 && plain[from as usize] { vec![] } else { vec![span(from, from + 1)] };
            assert_eq!(all.beyond(&set), new);
        }
    }

    #[test]
    fn what_is_requested_comes_first_and_then_what_is_missing_behind_the_position() {
        let wanted = |from, end: u64, is_requested| {
            Some(Wanted { from: Bytes(from), end: Some(Bytes(end)), is_requested })
        };
        for (file, expected) in [
            (file(&[], None, &[(0, 10)], Some(100)), None),
            (file(&["50:10", "20:10"], Some(0), &[], Some(100)), wanted(50, 60, true)),
            (file(&["50:10", "20:10"], Some(0), &[(50, 60)], Some(100)), wanted(20, 30, true)),
            (file(&["50:20"], None, &[(40, 55), (58, 60)], Some(100)), wanted(55, 58, true)),
            (file(&["90:eof"], None, &[(0, 95)], Some(100)), wanted(95, 100, true)),
            (file(&["0:10"], Some(60), &[(0, 10), (70, 80)], Some(100)), wanted(60, 70, false)),
            (file(&[], Some(60), &[(0, 10), (60, 100)], Some(100)), wanted(10, 60, false)),
            (file(&[], Some(60), &[(0, 100)], Some(100)), None),
        ] {
            let Demand { filled, .. } = &file.demand;
            assert_eq!(file.demand.next(filled, file.size), expected, "{:?}", file.demand);
        }
        let unknown = file(&[], Some(7), &[], None);
        let rest = Wanted { from: Bytes(7), end: None, is_requested: false };
        assert_eq!(unknown.demand.next(&Filled::NOTHING, None), Some(rest));
    }

    #[test]
    fn a_file_of_which_ranges_are_requested_comes_before_one_of_which_all_is_wanted() {
        let (idle, position) = (file(&[], None, &[], None), file(&[], Some(0), &[], None));
        let requested = file(&["0:5"], None, &[(0, 4)], Some(9));
        let satisfied = file(&["0:5"], None, &[(0, 5)], Some(9));
        let all_here = file(&[], None, &[(0, 9)], Some(9));
        let whole = File { stage: Stage::Transferred, ..all_here.clone() };
        // Of an empty one nothing is here that could have come whole.
        let (empty, wanted) = (file(&[], None, &[], Some(0)), file(&[], Some(0), &[], Some(0)));
        for (files, expected) in [
            (&[&idle, &satisfied, &whole][..], None),
            (&[&idle, &position, &requested], Some(2)),
            (&[&satisfied, &position], Some(1)),
            (&[&position, &all_here], Some(1)),
            (&[&empty], None),
            (&[&empty, &wanted], Some(1)),
        ] {
            let files: Vec<File> = files.iter().copied().cloned().collect();
            assert_eq!(next_file(&files), expected, "{files:?}");
        }
    }

    #[test]
    fn a_range_that_a_file_cannot_have_is_refused_before_it_is_written_down() {
        let known = file(&[], None, &[], Some(100));
        let new = file(&[], None, &[], None);
        for (file, range, is_fine) in [
            (&known, "0:100", true),
            (&known, "99:eof", true),
            (&known, "0:101", false),
            (&known, "100:eof", false),
            (&known, "5:0", false),
            (&new, "100:eof", true),
            (&new, "5:0", false),
            (&new, "18446744073709551615:1", false),
        ] {
            let range = ByteRange::parse(range).expect("a range");
            assert_eq!(check_ranges(file, &[range]).is_ok(), is_fine, "{range}");
        }
        let range = ByteRange { offset: Bytes(1), length: Some(Bytes(9)) };
        assert_eq!(check_ranges(&known, &[range, range]), Ok(()), "they may overlap");
        assert_eq!(check_ranges(&known, &[range; 501]), Err(RangesError::TooMany { ranges: 501, most: 500 }));
        let pieces: Vec<_> = (0..PIECES_MAX as u64).map(|piece| (piece * 10, piece * 10 + 1)).collect();
        let torn = self::file(&[], None, &pieces, Some(1_000_000));
        assert_eq!(check_ranges(&torn, &[range]), Err(RangesError::TooManyPieces));
        for (at, is_fine) in [(0, true), (99, true), (100, false)] {
            assert_eq!(check_position(&known, Bytes(at)).is_ok(), is_fine, "{at}");
        }
    }

    #[test]
    fn what_has_come_is_requested_no_longer_and_what_cannot_come_is_withdrawn() {
        let mut demand = file(&["0:5", "5:eof", "20:5"], Some(200), &[], Some(100)).demand;
        demand.has(filled(&[(0, 20)]), Some(Bytes(100)));
        assert_eq!(demand.requested.len(), 2, "{demand:?}");
        assert_eq!(demand.beyond(Bytes(100)), Some(Beyond::Position(Bytes(200))));
        let range = ByteRange::parse("20:5").expect("a range");
        assert_eq!(demand.beyond(Bytes(22)), Some(Beyond::Range(range)));
        demand.withdraw(Beyond::Range(range));
        demand.withdraw(Beyond::Position(Bytes(200)));
        assert_eq!((demand.requested.len(), demand.position), (1, None));
    }
}
