//! The version of a file that is coming: what is known of it, and by what the rest of it may be
//! asked for.

use alloc::string::String;

use super::content_range::ContentRange;
use super::digest_fields::{self, Extent};
use super::head::{BodyLength, ResponseHead};
use super::validators;
use crate::checksum::Checksum;
use crate::file::{File, ResumeBy, Served, Validator};
use crate::units::Bytes;

/// What is recorded of the version that is coming.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// Of the local file.
    pub(super) size: Option<Bytes>,
    /// Of the remote file, of which perhaps only parts are wanted.
    pub(super) total: Option<Bytes>,
    pub(super) validator: Validator,
    pub(super) served: Served,
}

/// How the rest of a version may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rest {
    /// The server compares, by a strong validator.
    If(String),
    /// We compare what the answer says.
    Compared,
}

impl Version {
    /// The version of which a part of `file` is recorded.
    pub(super) fn of_file(file: &File) -> Option<Self> {
        let validator = file.validator.clone()?;
        let total = file.size.and_then(|size| file.ranges.total_of(size));
        Some(Self { size: file.size, total, validator, served: file.served.clone() })
    }

    /// The version that an answer with all of a file begins.
    pub(super) fn of_whole(head: &ResponseHead) -> Self {
        let size = match head.body {
            BodyLength::Exactly(size) => Some(size),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        };
        Self { size, total: size, ..Self::of_answer(head, Extent::Whole) }
    }

    /// The version that an answer with the first part begins; `size` is that of all parts.
    pub(super) fn of_part(head: &ResponseHead, size: Bytes, total: Bytes) -> Self {
        let mut version = Self::of_answer(head, Extent::Part);
        // What is said of the remote file does not hold for parts of it.
        version.served.checksum = None;
        Self { size: Some(size), total: Some(total), ..version }
    }

    fn of_answer(head: &ResponseHead, extent: Extent) -> Self {
        Self {
            size: None,
            total: None,
            validator: validators::of_answer(head),
            served: Served {
                checksum: digest_fields::of_answer(head, extent),
                headers: headers(head),
                ..Served::default()
            },
        }
    }

    /// How the rest may be asked for. Without a size nobody could tell when the rest is complete,
    /// so a version without one begins anew.
    pub(super) fn rest(&self, by: ResumeBy, given: Option<&Checksum>) -> Option<Rest> {
        self.size?;
        match by {
            ResumeBy::Validator => validators::if_range(&self.validator).map(|tag| Rest::If(tag.into())),
            ResumeBy::SizeAndTime => self.validator.last_modified.as_ref().map(|_| Rest::Compared),
            ResumeBy::Checksum => given.map(|_| Rest::Compared),
        }
    }

    /// Whether an answer with a part of a file is of another version than this.
    pub(super) fn differs(&self, by: ResumeBy, head: &ResponseHead, range: Option<ContentRange>) -> bool {
        let total = range.and_then(|range| range.total);
        let is_longer = |end| self.total.is_some_and(|total| end > total);
        if total.is_some() && self.total.is_some() && total != self.total
            || range.is_some_and(|range| is_longer(range.end))
        {
            return true;
        }
        let said = digest_fields::of_answer(head, Extent::Part);
        let contradicts =
            |known: &Checksum, said: &Checksum| known.algorithm() == said.algorithm() && known != said;
        if let (Some(known), Some(said)) = (&self.served.checksum, &said)
            && contradicts(known, said)
        {
            return true;
        }
        match by {
            ResumeBy::Validator => validators::contradicts(&self.validator, head),
            // Here nobody but us has compared, so what is left out is no agreement.
            ResumeBy::SizeAndTime => {
                let said = head.field("last-modified").map(str::trim);
                total.is_none() || said.is_none() || said != self.validator.last_modified.as_deref()
            }
            ResumeBy::Checksum => total.is_none(),
        }
    }

    /// Whether an answer is a page for a person, where this version was none: what a network says
    /// that wants somebody to sign in first.
    pub(super) fn is_page_in_its_place(&self, head: &ResponseHead) -> bool {
        let before = self.served.field("content-type");
        let now = head.field("content-type");
        matches!((before, now), (Some(before), Some(now)) if is_page(now) && !is_page(before))
    }
}

fn is_page(media_type: &str) -> bool {
    let kind = media_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
}

/// Bytes of an answer's fields that are kept; those behind are left out.
const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// Fields that may hold a secret, or what could be used like one.
const NOT_KEPT: [&str; 5] = [
    "set-cookie",
    "www-authenticate",
    "authentication-info",
    "proxy-authenticate",
    "proxy-authentication-info",
];

/// The fields of an answer as they are kept, a line each.
pub(super) fn headers(head: &ResponseHead) -> String {
    let size: usize = head.fields.iter().map(|(name, value)| name.len() + value.len() + 3).sum();
    let mut kept = String::with_capacity(size.min(HEADERS_BYTES_MAX));
    for (name, value) in &head.fields {
        let secret = NOT_KEPT.iter().any(|secret| name.eq_ignore_ascii_case(secret));
        let sound = !value.contains(['\n', '\r']) && !name.contains([':', '\n', '\r']);
        if sound && !secret && kept.len() + name.len() + value.len() + 3 <= HEADERS_BYTES_MAX {
            for part in [name, ": ", value.trim(), "\n"] {
                kept.push_str(part);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn fields_that_may_be_secret_or_too_long_are_not_kept() {
        let long = "x".repeat(HEADERS_BYTES_MAX);
        let fields =
            [("ETag", "\"a\""), ("Set-Cookie", "id=1"), ("X-Long", &long), ("Content-Type", " text/html ")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let kept = headers(&ResponseHead { status: 200, body: BodyLength::Chunked, fields });
        assert_eq!(kept, "ETag: \"a\"\nContent-Type: text/html\n");
        let served = Served { headers: kept, ..Served::default() };
        assert_eq!((served.field("content-type"), served.field("x-long")), (Some("text/html"), None));
    }
}
