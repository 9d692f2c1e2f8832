//! What can be wrong with the frames of HTTP/2. Where HTTP/1.1 is spoken, these paths are honest.

use super::{Fault, honest};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::http2::Frames;
use crate::http2::frames::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PUSH_PROMISE, SETTINGS, fields, frame,
};

/// Reasons for which streams are reset (RFC 9113 §7).
const INTERNAL_ERROR: u64 = 2;
const REFUSED_STREAM: u32 = 7;
const HTTP_1_1_REQUIRED: u32 = 13;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "h2-reset",
        parameters: "at=100000&reason=2",
        says: "The stream is reset after `at` bytes of the body.",
        answer: |asked| {
            let reason = asked.number("reason", INTERNAL_ERROR) as u32;
            honest(asked).frames(Frames::Reset { at: Some(asked.number("at", 100_000)), reason })
        },
    },
    Fault {
        path: "h2-refused",
        parameters: "first=1",
        says: "The stream is refused, and was not looked at.",
        answer: |asked| honest(asked).frames(Frames::Reset { at: None, reason: REFUSED_STREAM }),
    },
    Fault {
        path: "h2-gone-away",
        parameters: "first=1",
        says: "The connection ends, and the request was not looked at.",
        answer: |asked| honest(asked).frames(Frames::GoneAway),
    },
    Fault {
        path: "h2-leaving",
        parameters: "",
        says: "The connection takes no more requests, and answers this one.",
        answer: |asked| honest(asked).frames(Frames::Leaving),
    },
    Fault {
        path: "h2-http-1.1-required",
        parameters: "",
        says: "The stream is reset, as HTTP/1.1 is required.",
        answer: |asked| honest(asked).frames(Frames::Reset { at: None, reason: HTTP_1_1_REQUIRED }),
    },
    Fault {
        path: "h2-short",
        parameters: "at=100000",
        says: "The stream ends in order after `at` bytes, and a longer body was announced.",
        answer: |asked| {
            let then = crate::answer::Then::Keep;
            honest(asked).cut(asked.number("at", 100_000), then).frames(Frames::Ended)
        },
    },
    Fault {
        path: "h2-long",
        parameters: "by=1000",
        says: "The body is `by` bytes longer than was announced.",
        answer: |asked| {
            let answer = honest(asked).frames(Frames::Ended);
            let length = answer.body_bytes().len() as u64;
            answer.with("Content-Length", length.saturating_sub(asked.number("by", 1000)).to_string())
        },
    },
    Fault {
        path: "h2-trailer",
        parameters: "bytes=1000",
        says: "A trailer of `bytes` bytes comes behind the body.",
        answer: |asked| honest(asked).frames(Frames::Trailer { bytes: asked.number("bytes", 1000) as usize }),
    },
    Fault {
        path: "h2-interim",
        parameters: "count=2",
        says: "`count` interim answers (103) come before the final one; a few are allowed.",
        answer: |asked| honest(asked).frames(Frames::Interim { count: asked.number("count", 2) }),
    },
    Fault {
        path: "h2-continuations",
        parameters: "count=10000",
        says: "The head does not end: `count` frames continue it.",
        answer: |asked| {
            let first = |stream| frame(HEADERS, 0, stream, &fields(&[]));
            let again = |stream| frame(CONTINUATION, 0, stream, &fields(&[("x-more", "and more")])[1..]);
            raw(asked, first, again, 10_000)
        },
    },
    Fault {
        path: "h2-pings",
        parameters: "count=5000",
        says: "Instead of an answer `count` pings come, and then nothing.",
        answer: |asked| raw(asked, nothing, |_| frame(PING, 0, 0, &[7; 8]), 5_000),
    },
    Fault {
        path: "h2-settings",
        parameters: "count=5000",
        says: "Instead of an answer the settings change `count` times, and then nothing comes.",
        answer: |asked| raw(asked, nothing, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 50]), 5_000),
    },
    Fault {
        path: "h2-empty-frames",
        parameters: "count=10000",
        says: "After the head `count` frames come that are empty, and then nothing.",
        answer: |asked| {
            let first = |stream| frame(HEADERS, END_HEADERS, stream, &fields(&[("content-length", "1000")]));
            raw(asked, first, |stream| frame(DATA, 0, stream, b""), 10_000)
        },
    },
    Fault {
        path: "h2-push",
        parameters: "",
        says: "Something is pushed, which the client has forbidden.",
        answer: |asked| {
            let first = |stream| {
                let promised = [&2_u32.to_be_bytes()[..], &[0x82, 0x87, 0x84]].concat();
                frame(PUSH_PROMISE, END_HEADERS, stream, &promised)
            };
            raw(asked, first, |_| Vec::new(), 0)
        },
    },
    Fault {
        path: "h2-large-frame",
        parameters: "",
        says: "A frame is larger than any that the client takes.",
        answer: |asked| {
            let first = |stream| {
                let head = frame(HEADERS, END_HEADERS, stream, &fields(&[]));
                [head, frame(DATA, 0, stream, &vec![b'x'; 4_000_000])].concat()
            };
            raw(asked, first, |_| Vec::new(), 0)
        },
    },
    Fault {
        path: "h2-upper-case",
        parameters: "",
        says: "The name of a field has a capital letter, which HTTP/2 forbids.",
        answer: |asked| {
            let first = |stream| {
                let head = fields(&[("Content-Length", "5")]);
                [frame(HEADERS, END_HEADERS, stream, &head), frame(DATA, 1, stream, b"wrong")].concat()
            };
            raw(asked, first, |_| Vec::new(), 0)
        },
    },
    Fault {
        path: "h2-connection-field",
        parameters: "",
        says: "The head has a field of connections of HTTP/1.1, which HTTP/2 forbids.",
        answer: |asked| {
            let first = |stream| {
                let head = fields(&[("transfer-encoding", "chunked"), ("content-length", "5")]);
                [frame(HEADERS, END_HEADERS, stream, &head), frame(DATA, 1, stream, b"wrong")].concat()
            };
            raw(asked, first, |_| Vec::new(), 0)
        },
    },
    Fault {
        path: "h2-two-lengths",
        parameters: "",
        says: "There are two lengths that differ.",
        answer: |asked| {
            let first = |stream| {
                let head = fields(&[("content-length", "5"), ("content-length", "6")]);
                [frame(HEADERS, END_HEADERS, stream, &head), frame(DATA, 1, stream, b"wrong")].concat()
            };
            raw(asked, first, |_| Vec::new(), 0)
        },
    },
    Fault {
        path: "h2-garbage",
        parameters: "",
        says: "What comes is no frame.",
        answer: |asked| raw(asked, |_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(), nothing, 0),
    },
];

fn nothing(_stream: u32) -> Vec<u8> {
    Vec::new()
}

fn raw(asked: &Asked, first: fn(u32) -> Vec<u8>, again: fn(u32) -> Vec<u8>, times: u64) -> Answer {
    honest(asked).frames(Frames::Raw { first, again, times: asked.number("count", times) })
}
