//! Files that change on the way, and validators that do not tell.
//!
//! All take `after` (another version after so many requests, 1), `times` (how often, 1) and `grows`
//! (bytes by which each version is longer, 0).

use super::Fault;
use crate::answer::{Answer, Version, date, now_seconds};
use crate::asked::Asked;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "changed",
        parameters: "cut=100000&grows=1000",
        says: "The file changes after `after` requests, and its entity tag and date with it. Nothing is wrong with that.",
        answer: |asked| Answer::honest(asked, &Version::of(asked, asked.version())),
    },
    Fault {
        path: "changed-dates-only",
        parameters: "cut=100000",
        says: "The file changes; there is no entity tag, only a date, which changes with it.",
        answer: |asked| {
            let version = Version { etag: None, ..Version::of(asked, asked.version()) };
            Answer::honest(asked, &version)
        },
    },
    Fault {
        path: "changed-weak",
        parameters: "cut=100000",
        says: "The file changes and its weak entity tag does not; ranges are served whatever If-Range says.",
        answer: |asked| {
            let version = with_tag(Version::of(asked, asked.version()), "W/\"weak\"");
            ignoring_if_range(asked, &version)
        },
    },
    Fault {
        path: "changed-no-validators",
        parameters: "cut=100000",
        says: "The file changes; there is nothing by which one could tell. Ranges are served.",
        answer: |asked| {
            let version = Version { etag: None, last_modified: None, ..Version::of(asked, asked.version()) };
            ignoring_if_range(asked, &version)
        },
    },
    Fault {
        path: "changed-same-tag",
        parameters: "cut=100000",
        says: "The file changes and its strong entity tag does not, which is a lie; only a digest or another size tells.",
        answer: |asked| {
            let version = with_tag(Version::of(asked, asked.version()), "\"always\"");
            Answer::honest(asked, &Version { last_modified: None, ..version })
        },
    },
    Fault {
        path: "if-range-ignored",
        parameters: "cut=100000",
        says: "The file changes, and ranges are served of the new version, with its tag, whatever If-Range says.",
        answer: |asked| ignoring_if_range(asked, &Version::of(asked, asked.version())),
    },
    Fault {
        path: "if-range-ignored-old-tag",
        parameters: "cut=100000&grows=1000",
        says: "The file changes, and ranges are served of the new version with the tag of the old one.",
        answer: |asked| {
            let old = Version::of(asked, 0);
            ignoring_if_range(asked, &Version { content: asked.content_of(asked.version()), ..old })
        },
    },
    Fault {
        path: "if-range-ignored-no-tag",
        parameters: "cut=100000",
        says: "The file changes, and ranges are served of the new version without any validator.",
        answer: |asked| {
            let answer = ignoring_if_range(asked, &Version::of(asked, asked.version()));
            if asked.before == 0 { answer } else { answer.without("ETag").without("Last-Modified") }
        },
    },
    Fault {
        path: "weak-tag",
        parameters: "cut=100000",
        says: "The file stays and has a weak entity tag.",
        answer: |asked| {
            let version = with_tag(Version::of(asked, 0), "W/\"weak\"");
            Answer::honest(asked, &version)
        },
    },
    Fault {
        path: "date-only",
        parameters: "cut=100000",
        says: "The file stays and has a date, long past.",
        answer: |asked| Answer::honest(asked, &Version { etag: None, ..Version::of(asked, 0) }),
    },
    Fault {
        path: "fresh-date",
        parameters: "cut=100000",
        says: "The file has a date alone, and that is the second of the answer, in which it may change again.",
        answer: |asked| {
            let version =
                Version { etag: None, last_modified: Some(date(now_seconds())), ..Version::of(asked, 0) };
            Answer::honest(asked, &version)
        },
    },
    Fault {
        path: "no-validators",
        parameters: "cut=100000",
        says: "The file stays and has neither tag nor date.",
        answer: |asked| {
            let version = Version { etag: None, last_modified: None, ..Version::of(asked, 0) };
            Answer::honest(asked, &version)
        },
    },
    Fault {
        path: "rotating-tag",
        parameters: "cut=100000",
        says: "The file stays, and each answer has another strong entity tag, as behind servers that do not agree.",
        answer: |asked| {
            let version = with_tag(Version::of(asked, 0), &format!("\"turn-{}\"", asked.before));
            Answer::honest(asked, &version)
        },
    },
    Fault {
        path: "odd-tag",
        parameters: "cut=100000",
        says: "The entity tag has quotes, blanks and a tab inside, which must not be sent back.",
        answer: |asked| {
            let version = with_tag(Version::of(asked, 0), "\"a\" b\tRange: bytes=0-0\"");
            Answer::honest(asked, &Version { last_modified: None, ..version })
        },
    },
];

fn with_tag(version: Version, tag: &str) -> Version {
    Version { etag: Some(tag.to_owned()), ..version }
}

/// What a server says that has never heard of If-Range.
fn ignoring_if_range(asked: &Asked, version: &Version) -> Answer {
    let mut asked = asked.clone();
    asked.request.fields.retain(|(name, _)| !name.eq_ignore_ascii_case("if-range"));
    Answer::honest(&asked, version)
}
