//! `Content-Range` (RFC 9110 §14.4): which part of a file an answer holds.

use alloc::string::String;

use super::download::RangeAsked;
use super::head::{BodyLength, ResponseHead};
use crate::units::Bytes;

/// Characters of a foreign field that a sentence repeats.
const SAID_CHARS_MAX: usize = 80;

/// One part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) first: Bytes,
    /// One beyond the last byte, so that it can be a size.
    pub(super) end: Bytes,
    /// The size of the file, when the server knows it.
    pub(super) total: Option<Bytes>,
}

impl ContentRange {
    /// The part that `head` announces.
    ///
    /// # Errors
    /// What was said instead, when it is none or not of what was asked for.
    pub(super) fn of_answer(asked: &RangeAsked, head: &ResponseHead) -> Result<Self, String> {
        let said = head.field("content-range");
        let announced = match head.body {
            BodyLength::Exactly(length) => Some(length),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        };
        said.and_then(Self::parse)
            .filter(|range| range.first == asked.from)
            .filter(|range| asked.end.is_none_or(|end| range.end <= end))
            .filter(|range| announced.is_none_or(|length| length == range.end.beyond(range.first)))
            .ok_or_else(|| repeated(said.unwrap_or("none")))
    }

    /// Reads `bytes 0-99/1234`; `None` for anything else, and for a range that contradicts itself.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        let end = last.checked_add(1)?;
        let sound = first < end && total.is_none_or(|total| end <= total);
        sound.then_some(Self { first: Bytes(first), end: Bytes(end), total: total.map(Bytes) })
    }

    /// Whether `head`, which refuses a range, says that the file has no bytes (RFC 9110 §15.5.17).
    pub(super) fn is_of_nothing(head: &ResponseHead) -> bool {
        let said = head.field("content-range").and_then(|said| said.trim().split_once(' '));
        said.is_some_and(|(unit, rest)| unit.eq_ignore_ascii_case("bytes") && rest.trim() == "*/0")
    }
}

/// A foreign text, cut to what fits a sentence.
pub(super) fn repeated(text: &str) -> String {
    text.chars().take(SAID_CHARS_MAX).collect()
}

/// Digits and nothing else: the standard parser would take a sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_or_refused_as_a_whole() {
        let range = |first, end, total: Option<u64>| {
            Some(ContentRange { first: Bytes(first), end: Bytes(end), total: total.map(Bytes) })
        };
        for (text, expected) in [
            ("bytes 0-99/1234", range(0, 100, Some(1234))),
            ("Bytes 5-5/6", range(5, 6, Some(6))),
            ("bytes 7-9/*", range(7, 10, None)),
            ("bytes */1234", None),
            ("bytes 9-7/10", None),
            ("bytes 0-10/10", None),
            ("bytes +0-9/10", None),
            ("bytes 0-/10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes 0-99999999999999999999/*", None),
            ("items 0-9/10", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(text), expected, "{text:?}");
        }
    }
}
