//! Bodies that end too early, too late or never, and bodies that are not the file.

use std::ops::Range;

use super::{Fault, honest, how};
use crate::answer::{Answer, Piece, Then};
use crate::asked::Asked;
use crate::content::pieces;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "kind",
        parameters: "",
        says: "Nothing is wrong: ranges, If-Range, a strong entity tag and a date.",
        answer: honest,
    },
    Fault {
        path: "cut",
        parameters: "at=100000&how=rst",
        says: "Each body ends after `at` bytes, in the way `how` says.",
        answer: |asked| honest(asked).cut(asked.number("at", 100_000), how(asked)),
    },
    Fault {
        path: "stall",
        parameters: "at=100000",
        says: "After `at` bytes nothing more comes, and the connection stays open.",
        answer: |asked| honest(asked).cut(asked.number("at", 100_000), Then::Hold),
    },
    Fault {
        path: "drip",
        parameters: "bytes=4096&every=20",
        says: "The body comes `bytes` bytes at a time, `every` milliseconds.",
        answer: drip,
    },
    Fault {
        path: "long-length",
        parameters: "by=1000",
        says: "Content-Length promises `by` bytes more than come.",
        answer: |asked| {
            with_length(honest(asked), |length| length + asked.number("by", 1000)).then(how(asked))
        },
    },
    Fault {
        path: "short-length",
        parameters: "by=1000",
        says: "Content-Length promises `by` bytes less than come, and the connection stays open.",
        answer: |asked| with_length(honest(asked), |length| length.saturating_sub(asked.number("by", 1000))),
    },
    Fault {
        path: "no-length",
        parameters: "",
        says: "The end of the body is told by the end of the connection alone.",
        answer: |asked| honest(asked).without("Content-Length").with("Connection", "close").then(Then::Close),
    },
    Fault {
        path: "chunked",
        parameters: "",
        says: "The body comes in chunks, as it should.",
        answer: |asked| chunked(honest(asked), "", END),
    },
    Fault {
        path: "chunked-bad-size",
        parameters: "",
        says: "The size of a chunk in the middle is no number.",
        answer: |asked| {
            let mut answer = chunked(honest(asked), "", END);
            let middle = answer.body.len() / 2 / 3 * 3;
            answer.body.truncate(middle);
            answer.body.push(Piece::Bytes(b"zz\r\nzz\r\n0\r\n\r\n".to_vec()));
            answer
        },
    },
    Fault {
        path: "chunked-no-end",
        parameters: "",
        says: "All chunks come but the last one, of no bytes; then the connection ends.",
        answer: |asked| chunked(honest(asked), "", "").then(how(asked)),
    },
    Fault {
        path: "chunked-long-line",
        parameters: "",
        says: "Chunks have extensions of 100,000 bytes.",
        answer: |asked| chunked(honest(asked), &format!(";{}", "x".repeat(100_000)), END),
    },
    Fault {
        path: "chunked-endless-trailer",
        parameters: "",
        says: "After the last chunk the fields of the trailer do not end.",
        answer: |asked| {
            let mut answer = chunked(honest(asked), "", "0\r\n");
            answer.body.push(Piece::Again { bytes: b"X-More: and more\r\n".repeat(100), times: 10_000 });
            answer
        },
    },
    Fault {
        path: "garbage-after",
        parameters: "",
        says: "Behind the body, on the same connection, bytes come that nobody asked for.",
        answer: |asked| {
            let mut answer = honest(asked);
            let forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
            // With the end of the body in one piece, and in one record of TLS: what comes later may follow
            // the next request, and then nobody can know.
            answer.body = match answer.body.pop() {
                Some(Piece::Content(content, range)) => {
                    let end = range.end.saturating_sub(64).max(range.start);
                    let last = [&content.part(end..range.end)[..], forged].concat();
                    vec![Piece::Content(content, range.start..end), Piece::Bytes(last)]
                }
                other => other.into_iter().chain([Piece::Bytes(forged.to_vec())]).collect(),
            };
            answer
        },
    },
    Fault {
        path: "corrupt",
        parameters: "at=5000",
        says: "One bit is wrong in the byte at `at`; everything else is right, so that only a digest tells.",
        answer: |asked| corrupted(honest(asked), asked.number("at", 5000)),
    },
    Fault {
        path: "gzip",
        parameters: "",
        says: "The body is packed with gzip although the client did not say that it takes that.",
        answer: gzip,
    },
    Fault {
        path: "gzip-in-name",
        parameters: "",
        says: "Content-Encoding says gzip, and the body is the plain file.",
        answer: |asked| honest(asked).with("Content-Encoding", "gzip"),
    },
];

/// The end of a chunked body.
const END: &str = "0\r\n\r\n";
/// Bytes of a chunk.
const CHUNK_BYTES: u64 = 16 * 1024;

fn drip(asked: &Asked) -> Answer {
    let answer = honest(asked);
    let at_once = usize::try_from(asked.number("bytes", 4096).max(1)).unwrap_or(usize::MAX);
    let bytes = answer.body_bytes();
    answer.body(vec![Piece::Slowly { bytes, at_once, every: asked.time("every", 20) }])
}

fn with_length(answer: Answer, change: impl FnOnce(u64) -> u64) -> Answer {
    let length = answer.body_bytes().len() as u64;
    answer.with("Content-Length", change(length).to_string())
}

/// In chunks with something behind each size, and with `end` behind the last one.
pub(super) fn chunked(answer: Answer, extension: &str, end: &str) -> Answer {
    let mut body = Vec::new();
    for piece in answer.body.clone() {
        let Piece::Content(content, range) = piece else { continue };
        for part in smaller(range) {
            let line = format!("{:x}{extension}\r\n", part.end - part.start);
            body.push(Piece::Bytes(line.into_bytes()));
            body.push(Piece::Content(content, part));
            body.push(Piece::Bytes(b"\r\n".to_vec()));
        }
    }
    body.push(Piece::Bytes(end.as_bytes().to_vec()));
    answer.without("Content-Length").with("Transfer-Encoding", "chunked").body(body)
}

fn smaller(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    pieces(range).flat_map(|piece| {
        let starts = (piece.start..piece.end).step_by(CHUNK_BYTES as usize);
        starts.map(move |start| start..(start + CHUNK_BYTES).min(piece.end))
    })
}

/// With a bit turned in the byte of the file at `at`, if that is sent.
fn corrupted(answer: Answer, at: u64) -> Answer {
    let mut body = Vec::new();
    for piece in answer.body.clone() {
        match piece {
            Piece::Content(content, range) if range.contains(&at) => {
                let wrong = content.part(at..at + 1).into_iter().map(|byte| byte ^ 1).collect();
                body.push(Piece::Content(content, range.start..at));
                body.push(Piece::Bytes(wrong));
                body.push(Piece::Content(content, at + 1..range.end));
            }
            other => body.push(other),
        }
    }
    answer.body(body)
}

/// Packed: gzip with blocks that are merely stored, which every unpacker takes (RFC 1951 §3.2.4).
fn gzip(asked: &Asked) -> Answer {
    let answer = honest(asked);
    let plain = answer.body_bytes();
    let mut packed = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks: Vec<&[u8]> = plain.chunks(usize::from(u16::MAX)).collect();
    for (place, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).expect("a block is that short");
        packed.push(u8::from(place + 1 == blocks.len()));
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(&(!length).to_le_bytes());
        packed.extend_from_slice(block);
    }
    packed.extend_from_slice(&crc32(&plain).to_le_bytes());
    packed.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    answer
        .with("Content-Encoding", "gzip")
        .with("Content-Length", packed.len().to_string())
        .body(vec![Piece::Bytes(packed)])
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[test]
fn the_checksum_of_gzip_is_the_standard_one() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}
