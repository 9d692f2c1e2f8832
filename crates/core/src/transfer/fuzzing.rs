//! Doors for the fuzz targets: what a server or a person writes, and what must hold whatever it is.
//! Nobody else uses this; the corpora are replayed by the tests below.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::content_range::ContentRange;
use super::digest_fields::{self, Extent};
use super::head::{BodyLength, ResponseHead};
use super::http_date;
use super::links;
use crate::checksum::Checksum;
use crate::ranges::{ByteRange, Ranges};
use crate::remote_name::RemoteName;

/// A fuzz target: what must hold of these bytes is asserted.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 3] = [("digests", digests), ("ranges", ranges), ("links", links)];

/// The value of a field that gives a checksum, or what a person writes for one.
pub fn digests(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for name in ["repr-digest", "content-digest", "digest", "content-md5"] {
        let fields = vec![(name.to_owned(), text.clone().into_owned())];
        let head = ResponseHead { status: 200, body: BodyLength::Chunked, fields };
        for extent in [Extent::Whole, Extent::Part] {
            if let Some(checksum) = digest_fields::of_answer(&head, extent) {
                assert_eq!(Checksum::parse(&checksum.to_string()), Ok(checksum), "it can be said again");
            }
        }
    }
    let _ = Checksum::parse(&text);
}

/// `Content-Range`, a date, and the ranges that a person writes, with commas between them.
pub fn ranges(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(range) = ContentRange::parse(&text) {
        assert!(range.first < range.end && range.total.is_none_or(|total| range.end <= total));
    }
    let _ = http_date::parse(&text);
    let wanted: Result<Vec<_>, _> = text.split(',').map(ByteRange::parse).collect();
    let Ok(wanted) = wanted.and_then(Ranges::new) else { return };
    let total = crate::units::Bytes(u64::MAX - 1);
    let Ok(size) = wanted.size_of(total) else { return };
    let (from, end) = wanted.locate(crate::units::Bytes(size.0 - 1), Some(total));
    assert!(end.is_some_and(|end| from < end), "the last byte is within a part");
}

/// The value of a `Link` field.
pub fn links(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let head = ResponseHead {
        status: 200,
        body: BodyLength::Chunked,
        fields: vec![("link".to_owned(), text.clone().into_owned()), ("Link".to_owned(), text.into_owned())],
    };
    for from in ["https://h.test/a/f?x", "http://h.test/a/f?x"] {
        let from = RemoteName::stored(from).expect("a URL");
        let found = links::duplicates(&from, &head);
        for (place, name) in found.iter().enumerate() {
            assert!(name.local_path().is_none(), "nobody chooses among our files");
            assert!(name.is_tls() || !from.is_tls(), "no link leads from https to http");
            assert_eq!(RemoteName::stored(name.as_str()).as_ref(), Ok(name), "it can be said again");
            assert!(*name != from && !found[..place].contains(name), "each is new");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_corpora_does_no_harm() {
        for (name, target) in TARGETS {
            let folder =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let mut seen = 0;
            for entry in std::fs::read_dir(&folder).expect("a corpus") {
                target(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
                seen += 1;
            }
            assert!(seen > 0, "{name} has something to replay");
        }
    }
}
