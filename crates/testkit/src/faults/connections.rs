//! Connections that are slow, silent or gone.

use super::{Fault, honest};
use crate::answer::{Answer, Piece, Then};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "silent",
        parameters: "",
        says: "The request is taken, and nothing comes.",
        answer: |_| Answer::raw(Vec::new(), Then::Hold),
    },
    Fault {
        path: "closed",
        parameters: "",
        says: "The connection is closed without an answer.",
        answer: |_| Answer::raw(Vec::new(), Then::Close),
    },
    Fault {
        path: "reset",
        parameters: "",
        says: "The connection is torn down without an answer.",
        answer: |_| Answer::raw(Vec::new(), Then::Reset),
    },
    Fault {
        path: "half-head",
        parameters: "",
        says: "The connection is closed in the middle of the head.",
        answer: |asked| {
            let head = honest(asked).head_bytes();
            Answer::raw(vec![Piece::Bytes(head[..head.len() / 2].to_vec())], Then::Close)
        },
    },
    Fault {
        path: "slow-head",
        parameters: "every=300",
        says: "The head comes a byte at a time, `every` milliseconds.",
        answer: |asked| {
            let answer = honest(asked);
            let head =
                Piece::Slowly { bytes: answer.head_bytes(), at_once: 1, every: asked.time("every", 300) };
            Answer::raw(std::iter::once(head).chain(answer.body).collect(), Then::Close)
        },
    },
    Fault {
        path: "closed-idle",
        parameters: "cut=100000",
        says: "The server promises to keep the connection and closes it after the answer.",
        answer: |asked| honest(asked).with("Connection", "keep-alive").then(Then::Close),
    },
    Fault {
        path: "hang-up",
        parameters: "",
        says: "All of the file comes, by a body without a length; over TLS the connection then ends without a goodbye.",
        answer: |asked| {
            honest(asked).without("Content-Length").with("Connection", "close").then(Then::HangUp)
        },
    },
];
