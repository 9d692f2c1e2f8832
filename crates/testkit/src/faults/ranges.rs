//! Answers to range requests that are not what was asked for. Without a range all is well.

use std::ops::Range;

use super::{Fault, honest};
use crate::answer::{Answer, Piece, Version};
use crate::asked::Asked;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "no-ranges",
        parameters: "",
        says: "Ranges are ignored: the answer is always 200 with all of the file.",
        answer: |asked| Answer::whole(&Version::of(asked, 0)).with("Accept-Ranges", "none"),
    },
    Fault {
        path: "wrong-range",
        parameters: "by=1000",
        says: "A range is answered by 206 with the range that begins `by` bytes later, and says so.",
        answer: |asked| {
            of_range(asked, |version, range| {
                Answer::part(version, (range.start + asked.number("by", 1000)).min(range.end - 1)..range.end)
            })
        },
    },
    Fault {
        path: "early-range",
        parameters: "by=1000",
        says: "A range is answered by 206 with the range that begins `by` bytes earlier, and says so.",
        answer: |asked| {
            of_range(asked, |version, range| {
                Answer::part(version, range.start.saturating_sub(asked.number("by", 1000))..range.end)
            })
        },
    },
    Fault {
        path: "lying-range",
        parameters: "by=1000",
        says: "206 claims the range that was asked for and brings bytes from `by` bytes earlier; only a digest tells.",
        answer: |asked| {
            of_range(asked, |version, range| {
                let by = asked.number("by", 1000).min(range.start);
                let shifted = range.start - by..range.end - by;
                Answer::part(version, range).body(vec![Piece::Content(version.content, shifted)])
            })
        },
    },
    Fault {
        path: "no-content-range",
        parameters: "",
        says: "A range is answered by 206 that does not say which range it is.",
        answer: |asked| honest(asked).without("Content-Range"),
    },
    Fault {
        path: "bad-content-range",
        parameters: "",
        says: "A range is answered by 206 whose Content-Range makes no sense.",
        answer: |asked| {
            of_range(asked, |version, range| {
                Answer::part(version, range).with("Content-Range", "bytes 10-5/3")
            })
        },
    },
    Fault {
        path: "other-total",
        parameters: "by=1000",
        says: "A range is answered by 206 that says the file has `by` bytes more than before.",
        answer: |asked| {
            of_range(asked, |version, range| {
                let total = version.content.size + asked.number("by", 1000);
                let said = format!("bytes {}-{}/{total}", range.start, range.end - 1);
                Answer::part(version, range).with("Content-Range", said)
            })
        },
    },
    Fault {
        path: "unknown-total",
        parameters: "",
        says: "A range is answered rightly by 206 that does not say how long the file is, which is allowed.",
        answer: |asked| {
            of_range(asked, |version, range| {
                let said = format!("bytes {}-{}/*", range.start, range.end - 1);
                Answer::part(version, range).with("Content-Range", said)
            })
        },
    },
    Fault {
        path: "short-range",
        parameters: "most=50000",
        says: "A range is answered by 206 with `most` bytes of it at most, and says so, which is allowed.",
        answer: |asked| {
            of_range(asked, |version, range| {
                let end = range.end.min(range.start + asked.number("most", 50_000).max(1));
                Answer::part(version, range.start..end)
            })
        },
    },
    Fault {
        path: "long-range",
        parameters: "by=1000",
        says: "206 with the right Content-Range has a body and a Content-Length of `by` bytes more.",
        answer: |asked| {
            of_range(asked, |version, range| {
                let length = range.end - range.start + asked.number("by", 1000);
                let mut answer = Answer::part(version, range).with("Content-Length", length.to_string());
                answer.body.push(Piece::Bytes(vec![b'x'; asked.number("by", 1000) as usize]));
                answer
            })
        },
    },
    Fault {
        path: "multipart",
        parameters: "",
        says: "A range is answered by 206 with multipart/byteranges, in two parts.",
        answer: |asked| of_range(asked, multipart),
    },
    Fault {
        path: "range-not-satisfiable",
        parameters: "",
        says: "A range is answered by 416, although the file has it.",
        answer: |asked| {
            of_range(asked, |version, _| {
                let said = format!("bytes */{}", version.content.size);
                Answer::of_status(416, "Range Not Satisfiable").with("Content-Range", said)
            })
        },
    },
    Fault {
        path: "unasked-part",
        parameters: "most=50000",
        says: "Everything is answered by 206, also what asked for no range.",
        answer: |asked| {
            let version = Version::of(asked, 0);
            let asked_for = asked.range(version.content.size).and_then(Result::ok);
            let most = asked.number("most", 50_000).clamp(1, version.content.size.max(1));
            Answer::part(&version, asked_for.unwrap_or(0..most))
        },
    },
];

/// The honest answer, spoilt by `spoil` where a range is due.
fn of_range(asked: &Asked, spoil: impl FnOnce(&Version, Range<u64>) -> Answer) -> Answer {
    let version = Version::of(asked, 0);
    let answer = Answer::honest(asked, &version);
    let is_part = answer.status_line.as_deref().is_some_and(|line| line.contains(" 206 "));
    match asked.range(version.content.size) {
        Some(Ok(range)) if is_part => spoil(&version, range),
        _ => answer,
    }
}

fn multipart(version: &Version, range: Range<u64>) -> Answer {
    const BOUNDARY: &str = "THIS_STRING_SEPARATES";
    let middle = range.start + (range.end - range.start) / 2;
    let mut body = Vec::new();
    for part in [range.start..middle, middle..range.end].into_iter().filter(|part| !part.is_empty()) {
        let head = format!(
            "\r\n--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
            part.start,
            part.end - 1,
            version.content.size
        );
        body.push(Piece::Bytes(head.into_bytes()));
        body.push(Piece::Content(version.content, part));
    }
    body.push(Piece::Bytes(format!("\r\n--{BOUNDARY}--\r\n").into_bytes()));
    let answer = Answer::part(version, range).without("Content-Range").body(body);
    let length = answer.body_bytes().len();
    answer
        .with("Content-Length", length.to_string())
        .with("Content-Type", format!("multipart/byteranges; boundary={BOUNDARY}"))
}
