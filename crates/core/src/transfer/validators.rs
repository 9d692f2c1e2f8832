//! By what one version of a file is known, and what of it may be used to ask for the rest.
//!
//! Only strong validators count (RFC 9110 §8.8): two answers that share one are equal byte for
//! byte. Everything else would let halves of two files be joined.

use core::time::Duration;

use alloc::string::ToString;

use super::head::ResponseHead;
use super::http_date;
use crate::file::Validator;

/// Bytes a validator may have. Real ones have up to about a hundred; each is stored and sent back.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// How far `Last-Modified` must lie before `Date` for it to be strong (RFC 9110 §8.8.2.2). A second
/// is what the standard asks: the date has no finer grain, so a version fetched after its second
/// was over cannot share it with another. Both dates are of one server, hence of one clock. The
/// minute of older editions would make fresh files restart for no safety gained.
const STRONG_DATE_AGE: Duration = Duration::from_secs(1);

/// What of an answer is worth remembering: the entity tag as sent, and the date when it is strong.
pub(super) fn of_answer(head: &ResponseHead) -> Validator {
    let etag = head.field("etag").map(str::trim).filter(|tag| is_entity_tag(tag));
    let last_modified = head.field("last-modified").map(str::trim).filter(|date| {
        let modified = http_date::parse(date);
        let answered = head.field("date").and_then(http_date::parse);
        date.len() <= VALIDATOR_BYTES_MAX
            && date.is_ascii()
            && matches!((modified, answered), (Some(modified), Some(answered))
                if answered.since(modified) >= STRONG_DATE_AGE)
    });
    Validator { etag: etag.map(ToString::to_string), last_modified: last_modified.map(ToString::to_string) }
}

/// What goes into `If-Range`, when anything may.
///
/// A weak tag never does, and a date not beside a tag (RFC 9110 §13.1.5): a server that gives a
/// weak tag says that the bytes may change under it.
pub(super) fn if_range(validator: &Validator) -> Option<&str> {
    match &validator.etag {
        Some(tag) if is_strong(tag) => Some(tag),
        Some(_) => None,
        None => validator.last_modified.as_deref(),
    }
}

/// Whether the rest of a file with this validator can be asked for.
pub(crate) fn is_resumable(validator: &Validator) -> bool {
    if_range(validator).is_some()
}

/// Whether an answer that repeats a validator of the known version repeats another one.
///
/// A date that it leaves out says nothing: the server has compared `If-Range` by itself then. A tag
/// is part of every 206 where it would be part of a 200 (RFC 9110 §15.3.7), so a part without it is
/// from somebody who has compared nothing. A tag decides alone, since servers that share a name may have given one file different dates
/// (`bits.md` §13, 27).
pub(super) fn contradicts(known: &Validator, head: &ResponseHead) -> bool {
    match (&known.etag, head.field("etag")) {
        (Some(known), Some(said)) => known != said.trim(),
        (Some(_), None) if head.status == 206 => true,
        _ => match (&known.last_modified, head.field("last-modified")) {
            (Some(known), Some(said)) => known != said.trim(),
            _ => false,
        },
    }
}

fn is_strong(tag: &str) -> bool {
    !tag.starts_with("W/")
}

fn is_entity_tag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    text.len() <= VALIDATOR_BYTES_MAX
        && inner.is_some_and(|inner| inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'))
}

#[cfg(test)]
mod tests {
    use super::super::head::BodyLength;
    use super::*;
    use alloc::borrow::ToOwned;

    fn head(fields: &[(&str, &str)]) -> ResponseHead {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ResponseHead { status: 200, body: BodyLength::Chunked, fields }
    }

    const NOON: &str = "Wed, 25 Nov 2026 12:00:00 GMT";
    const A_SECOND_LATER: &str = "Wed, 25 Nov 2026 12:00:01 GMT";

    #[test]
    fn only_a_strong_validator_may_ask_for_the_rest() {
        for (fields, expected) in [
            (&[("ETag", "\"a\"")][..], Some("\"a\"")),
            (&[("ETag", "\"a\""), ("Last-Modified", NOON), ("Date", A_SECOND_LATER)], Some("\"a\"")),
            (&[("ETag", "W/\"a\"")], None),
            (&[("ETag", "W/\"a\""), ("Last-Modified", NOON), ("Date", A_SECOND_LATER)], None),
            (&[("ETag", "a"), ("Last-Modified", NOON), ("Date", A_SECOND_LATER)], Some(NOON)),
            (&[("ETag", "\"a\"b\"")], None),
            (&[("ETag", "\"a\u{e9}\"")], None),
            (&[("Last-Modified", NOON), ("Date", A_SECOND_LATER)], Some(NOON)),
            (&[("Last-Modified", NOON), ("Date", NOON)], None),
            (&[("Last-Modified", NOON)], None),
            (&[("Last-Modified", "yesterday"), ("Date", NOON)], None),
            (&[], None),
        ] {
            let validator = of_answer(&head(fields));
            assert_eq!(if_range(&validator), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_validator_that_is_repeated_must_be_the_same() {
        let known = Validator { etag: Some("\"a\"".to_owned()), last_modified: Some(NOON.to_owned()) };
        assert!(!contradicts(&known, &head(&[])));
        assert!(contradicts(&known, &ResponseHead { status: 206, ..head(&[]) }));
        assert!(!contradicts(&known, &head(&[("etag", "\"a\""), ("last-modified", NOON)])));
        assert!(contradicts(&known, &head(&[("etag", "\"b\"")])));
        assert!(contradicts(&known, &head(&[("etag", "W/\"a\"")])));
        assert!(contradicts(&known, &head(&[("last-modified", A_SECOND_LATER)])));
        assert!(!contradicts(&known, &head(&[("etag", "\"a\""), ("last-modified", A_SECOND_LATER)])));
    }
}
