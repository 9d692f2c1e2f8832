//! Heads that are too long, too many, or no heads.

use super::bodies::chunked;
use super::{Fault, honest};
use crate::answer::{Answer, Piece, Then};
use crate::asked::Asked;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "interim",
        parameters: "count=2",
        says: "`count` interim answers (103) come before the final one, which is allowed.",
        answer: |asked| after_interim(asked, asked.number("count", 2)),
    },
    Fault {
        path: "interim-flood",
        parameters: "count=100000",
        says: "So many interim answers come that nobody waits for the final one.",
        answer: |asked| after_interim(asked, asked.number("count", 100_000)),
    },
    Fault {
        path: "switch-protocols",
        parameters: "",
        says: "101: from now on another protocol, which nobody asked for.",
        answer: |_| {
            Answer::of_status(101, "Switching Protocols")
                .with("Upgrade", "gopher")
                .body(Vec::new())
                .then(Then::Hold)
        },
    },
    Fault {
        path: "huge-head",
        parameters: "bytes=200000",
        says: "One field has `bytes` bytes.",
        answer: |asked| honest(asked).with("X-Huge", "x".repeat(asked.number("bytes", 200_000) as usize)),
    },
    Fault {
        path: "many-fields",
        parameters: "count=10000",
        says: "There are `count` fields.",
        answer: |asked| {
            let count = asked.number("count", 10_000);
            (0..count).fold(honest(asked), |answer, number| answer.and(&format!("X-{number}"), "x"))
        },
    },
    Fault {
        path: "endless-head",
        parameters: "",
        says: "The head does not end.",
        answer: |_| {
            let more = Piece::Again { bytes: b"X-More: and more\r\n".repeat(100), times: 100_000 };
            Answer::raw(vec![Piece::Bytes(b"HTTP/1.1 200 OK\r\n".to_vec()), more], Then::Hold)
        },
    },
    Fault {
        path: "folded-field",
        parameters: "",
        says: "A field is continued on the next line, which HTTP once allowed.",
        answer: |asked| honest(asked).with("X-Folded", "one\r\n two"),
    },
    Fault {
        path: "folded-length",
        parameters: "",
        says: "Content-Length itself is continued on the next line.",
        answer: |asked| {
            let length = honest(asked).body_bytes().len();
            honest(asked).with("Content-Length", format!("\r\n {length}"))
        },
    },
    Fault {
        path: "nul-in-head",
        parameters: "",
        says: "A field has a NUL in it.",
        answer: |asked| honest(asked).with("X-Odd", "a\0b"),
    },
    Fault {
        path: "bare-lf",
        parameters: "",
        says: "Lines of the head end with LF alone.",
        answer: |asked| {
            let mut answer = honest(asked);
            answer.line_end = "\n";
            answer
        },
    },
    Fault {
        path: "bare-cr",
        parameters: "",
        says: "A field has a CR in it, which some read as the end of a line.",
        answer: |asked| honest(asked).with("X-Odd", "a\rContent-Length: 3"),
    },
    Fault {
        path: "space-before-colon",
        parameters: "",
        says: "There is a blank between a name and its colon.",
        answer: |asked| honest(asked).and("X-Odd ", "a"),
    },
    Fault {
        path: "two-lengths",
        parameters: "",
        says: "There are two lengths that differ.",
        answer: |asked| honest(asked).and("Content-Length", "1000"),
    },
    Fault {
        path: "length-and-chunks",
        parameters: "",
        says: "There are a Content-Length that is too short and a chunked body.",
        answer: |asked| chunked(honest(asked), "", "0\r\n\r\n").and("Content-Length", "1000"),
    },
    Fault {
        path: "negative-length",
        parameters: "",
        says: "Content-Length is -1.",
        answer: |asked| honest(asked).with("Content-Length", "-1"),
    },
    Fault {
        path: "huge-length",
        parameters: "length=18446744073709551615",
        says: "Content-Length is `length`, more than any disk holds.",
        answer: |asked| {
            let length = asked.text("length").unwrap_or("18446744073709551615");
            honest(asked).with("Content-Length", length).then(Then::Close)
        },
    },
    Fault {
        path: "bad-status",
        parameters: "",
        says: "The status is 999.",
        answer: |asked| honest(asked).status_line("HTTP/1.1 999 What"),
    },
    Fault {
        path: "no-reason",
        parameters: "",
        says: "The status line ends behind the number, which is common.",
        answer: |asked| honest(asked).status_line("HTTP/1.1 200"),
    },
    Fault {
        path: "not-http",
        parameters: "",
        says: "What answers is a mail server.",
        answer: |_| {
            Answer::raw(vec![Piece::Bytes(b"220 mail.test ESMTP\r\n500 What?\r\n\r\n".to_vec())], Then::Close)
        },
    },
    Fault {
        path: "http-1.0",
        parameters: "",
        says: "HTTP/1.0, with a length, closed after each answer.",
        answer: |asked| {
            let line = honest(asked).status_line.unwrap_or_default().replace("HTTP/1.1", "HTTP/1.0");
            honest(asked).status_line(&line).then(Then::Close)
        },
    },
    Fault {
        path: "http-0.9",
        parameters: "",
        says: "HTTP/0.9: the file and nothing before it.",
        answer: |asked| Answer::raw(honest(asked).body, Then::Close),
    },
    Fault {
        path: "http-3.0",
        parameters: "",
        says: "The status line says HTTP/3.0.",
        answer: |asked| honest(asked).status_line("HTTP/3.0 200 OK"),
    },
];

fn after_interim(asked: &Asked, times: u64) -> Answer {
    let bytes = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n".to_vec();
    let mut answer = honest(asked);
    answer.before.push(Piece::Again { bytes, times });
    answer
}
