//! The sources of a file as they are kept: a line for each.

use bits_core::ports::StoreError;
use bits_core::remote_name::RemoteName;
use bits_core::sources::{DropReason, Dropped, Mirror, MirrorOrigin, SourceIndex, Sources};
use bits_core::units::Bytes;
use rusqlite::types::Value;

use super::{Columns, bytes, meaningless};

/// The columns that [`values`] writes and [`sources`] reads.
pub(crate) const SOURCE_COLUMNS: &str = "sources, source_in_use, sources_beside, expected_size";

const ORIGINAL: &str = "original";
const READY: &str = "ready";

/// Reads [`SOURCE_COLUMNS`].
pub(super) fn sources(columns: &mut Columns<'_>) -> Result<Sources, StoreError> {
    let text: Option<String> = columns.next()?;
    let in_use = SourceIndex(columns.next()?);
    let beside = beside(columns.next()?);
    let size = columns.amount_if_any()?.map(Bytes);
    let mut sources = Sources { size, in_use, beside, ..Sources::default() };
    for (place, line) in text.as_deref().unwrap_or_default().lines().enumerate() {
        let [kind, state, url, why] = line.splitn(4, '\t').collect::<Vec<_>>()[..] else {
            return Err(meaningless("source", line));
        };
        let dropped = match state {
            READY => None,
            word => Some(Dropped {
                reason: reason(word).ok_or_else(|| meaningless("state of a source", word))?,
                why: why.to_owned(),
            }),
        };
        if place == 0 && kind == ORIGINAL {
            sources.dropped = dropped;
            continue;
        }
        sources.mirrors.push(Mirror {
            remote_name: RemoteName::stored(url).map_err(|error| meaningless("mirror", error))?,
            origin: origin(kind).ok_or_else(|| meaningless("kind of mirror", kind))?,
            dropped,
        });
    }
    let all = sources.beside.iter().chain([&in_use]);
    match all.max().filter(|last| usize::from(last.0) > sources.mirrors.len()) {
        Some(last) => Err(meaningless("source in use", last.0)),
        None => Ok(sources),
    }
}

/// Places of sources as bits of a number, of which there are more than sources.
fn beside(bits: i64) -> Vec<SourceIndex> {
    (0..63).filter(|place| bits >> place & 1 == 1).map(SourceIndex).collect()
}

fn beside_bits(places: &[SourceIndex]) -> i64 {
    places.iter().fold(0, |bits, place| bits | 1 << place.0)
}

/// The values of [`SOURCE_COLUMNS`].
pub(crate) fn values(sources: &Sources) -> [Value; 4] {
    let Sources { size, mirrors, dropped, in_use, beside } = sources;
    let lines = || {
        let original = line(ORIGINAL, "", dropped.as_ref());
        let mirrors = mirrors.iter().map(|Mirror { remote_name, origin, dropped }| {
            line(origin_word(*origin), remote_name.as_str(), dropped.as_ref())
        });
        [original].into_iter().chain(mirrors).collect::<Vec<_>>().join("\n")
    };
    let is_plain = mirrors.is_empty() && dropped.is_none();
    [(!is_plain).then(lines).into(), in_use.0.into(), beside_bits(beside).into(), size.map(bytes).into()]
}

fn line(kind: &str, url: &str, dropped: Option<&Dropped>) -> String {
    let state = dropped.map_or(READY, |dropped| reason_word(dropped.reason));
    // A foreign text is within it; no line is to be made of that.
    let why = dropped.map(|dropped| dropped.why.replace(char::is_control, " ")).unwrap_or_default();
    [kind, state, url, &why].join("\t")
}

fn origin_word(origin: MirrorOrigin) -> &'static str {
    match origin {
        MirrorOrigin::Given => "given",
        MirrorOrigin::Link => "link",
    }
}

fn origin(word: &str) -> Option<MirrorOrigin> {
    [MirrorOrigin::Given, MirrorOrigin::Link].into_iter().find(|origin| origin_word(*origin) == word)
}

fn reason_word(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Refused => "refused",
        DropReason::Broken => "broken",
        DropReason::Slow => "slow",
        DropReason::Other => "other",
        DropReason::Lied => "lied",
    }
}

fn reason(word: &str) -> Option<DropReason> {
    DropReason::ALL.into_iter().find(|reason| reason_word(*reason) == word)
}
