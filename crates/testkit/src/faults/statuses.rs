//! Statuses that are neither content nor a redirect.

use super::Fault;
use crate::answer::{Answer, date, now_seconds};
use crate::asked::Asked;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "status",
        parameters: "code=404",
        says: "The answer is `code`.",
        answer: |asked| {
            Answer::of_status(u16::try_from(asked.number("code", 404)).unwrap_or(404), "As You Wish")
        },
    },
    Fault {
        path: "busy",
        parameters: "code=503&first=1&after-seconds=1",
        says: "503, or `code`, with Retry-After: `after-seconds`.",
        answer: |asked| busy(asked, asked.text("after-seconds").unwrap_or("1").to_owned()),
    },
    Fault {
        path: "busy-until",
        parameters: "code=429&first=1&seconds=2",
        says: "503, or `code`, with a date `seconds` from now as Retry-After.",
        answer: |asked| {
            let seconds = i64::try_from(asked.number("seconds", 2)).unwrap_or(2);
            busy(asked, date(now_seconds() + seconds))
        },
    },
    Fault {
        path: "busy-for-ever",
        parameters: "code=503",
        says: "503, or `code`, with a Retry-After of three hundred million years.",
        answer: |asked| busy(asked, "9999999999999999".to_owned()),
    },
    Fault {
        path: "busy-soon",
        parameters: "code=503&first=1",
        says: "503, or `code`, with a Retry-After that is no time.",
        answer: |asked| busy(asked, "soon".to_owned()),
    },
    Fault {
        path: "sign-in",
        parameters: "scheme=Basic",
        says: "401 for ever, whoever signs in.",
        answer: |asked| {
            let scheme = asked.text("scheme").unwrap_or("Basic");
            Answer::of_status(401, "Unauthorized")
                .with("WWW-Authenticate", format!("{scheme} realm=\"nobody\""))
        },
    },
    Fault {
        path: "sign-in-nameless",
        parameters: "",
        says: "401 that does not say how to sign in.",
        answer: |_| Answer::of_status(401, "Unauthorized"),
    },
    Fault {
        path: "proxy-sign-in",
        parameters: "",
        says: "407 for ever, although this is no proxy.",
        answer: |_| {
            Answer::of_status(407, "Proxy Authentication Required")
                .with("Proxy-Authenticate", "Basic realm=\"nobody\"")
        },
    },
];

fn busy(asked: &Asked, retry_after: String) -> Answer {
    let status = u16::try_from(asked.number("code", 503)).unwrap_or(503);
    Answer::of_status(status, "Busy").with("Retry-After", retry_after)
}
