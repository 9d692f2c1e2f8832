//! What is wanted of a file at once and what of it is there, as it is kept.

use bits_core::demand::{Demand, Filled, Span};
use bits_core::ports::StoreError;
use bits_core::ranges::ByteRange;
use bits_core::units::Bytes;
use rusqlite::Row;
use rusqlite::types::Value;

use super::{Columns, bytes, meaningless};

/// The columns [`read`] reads and [`values`] writes.
pub(crate) const DEMAND_COLUMNS: &str = "requested, download_position, filled";

/// What [`stored`] reads before [`DEMAND_COLUMNS`].
pub(crate) const SIZE_COLUMNS: &str = "size, durable";

/// What is on record of a file that comes by ranges.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) size: Option<Bytes>,
    pub(crate) durable: Bytes,
    pub(crate) demand: Demand,
}

/// Reads [`SIZE_COLUMNS`] and [`DEMAND_COLUMNS`].
pub(crate) fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Stored {
        size: columns.amount_if_any()?.map(Bytes),
        durable: Bytes(columns.amount()?),
        demand: read(&mut columns)?,
    })
}

/// Reads a demand from [`DEMAND_COLUMNS`].
pub(super) fn read(columns: &mut Columns<'_>) -> Result<Demand, StoreError> {
    let (requested, position) = (columns.next::<Option<String>>()?, columns.amount_if_any()?);
    let filled: Option<String> = columns.next()?;
    let spans = ranges(filled.as_deref())?.into_iter().map(span).collect::<Option<Vec<_>>>();
    let spans = spans.ok_or_else(|| meaningless("list of filled ranges", filled.unwrap_or_default()))?;
    Ok(Demand {
        requested: ranges(requested.as_deref())?,
        position: position.map(Bytes),
        filled: Filled::of(spans),
    })
}

/// The values of [`DEMAND_COLUMNS`].
pub(crate) fn values(demand: &Demand) -> [Value; 3] {
    let Demand { requested, position, filled } = demand;
    let filled =
        filled.spans().iter().map(|span| ByteRange { offset: span.from, length: Some(span.length()) });
    [text(requested.iter().copied()).into(), position.map(bytes).into(), text(filled).into()]
}

/// `OFFSET:LENGTH` or `OFFSET:eof`, with commas between.
fn text(ranges: impl Iterator<Item = ByteRange>) -> Option<String> {
    let words: Vec<_> = ranges.map(|range| range.to_string()).collect();
    (!words.is_empty()).then(|| words.join(","))
}

fn ranges(text: Option<&str>) -> Result<Vec<ByteRange>, StoreError> {
    let words = text.into_iter().flat_map(|text| text.split(','));
    words.map(|word| ByteRange::parse(word).map_err(|error| meaningless("list of ranges", error))).collect()
}

/// What is filled has an end, and bytes.
fn span(range: ByteRange) -> Option<Span> {
    let end = range.length.and_then(|length| range.offset.0.checked_add(length.0))?;
    (end > range.offset.0).then_some(Span { from: range.offset, end: Bytes(end) })
}
