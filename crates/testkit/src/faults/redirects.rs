//! Redirects that lead nowhere good, and portals that answer in the server's place.

use super::Fault;
use crate::answer::Answer;
use crate::asked::Asked;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "redirect",
        parameters: "code=302",
        says: "A redirect to the honest file, with the status `code`.",
        answer: |asked| redirect(asked, &kind(asked)),
    },
    Fault {
        path: "redirect-loop",
        parameters: "",
        says: "A redirect to itself.",
        answer: |asked| redirect(asked, &asked.request.target),
    },
    Fault {
        path: "redirect-cross-host",
        parameters: "",
        says: "A redirect to the honest file on another host, localhost for 127.0.0.1 and the other way round.",
        answer: |asked| {
            let here = asked.request.field("host").unwrap_or_default();
            let there = if here.starts_with("localhost") { "127.0.0.1" } else { "localhost" };
            redirect(asked, &format!("http://{there}:{}{}", asked.plain_port, kind(asked)))
        },
    },
    Fault {
        path: "redirect-to-file",
        parameters: "",
        says: "A redirect to file:///etc/passwd.",
        answer: |asked| redirect(asked, "file:///etc/passwd"),
    },
    Fault {
        path: "redirect-to-plain",
        parameters: "",
        says: "A redirect to the honest file over plain http, which over TLS is a step down.",
        answer: |asked| redirect(asked, &format!("http://localhost:{}{}", asked.plain_port, kind(asked))),
    },
    Fault {
        path: "redirect-nowhere",
        parameters: "",
        says: "A redirect that does not say where to.",
        answer: |asked| redirect(asked, "").without("Location"),
    },
    Fault {
        path: "redirect-bad",
        parameters: "",
        says: "A redirect to something that is no URL.",
        answer: |asked| redirect(asked, "http://[oh/no"),
    },
    Fault {
        path: "portal",
        parameters: "from=1&cut=100000",
        says: "A portal answers in the server's place: 200 with a page that wants one to sign in.",
        answer: |_| portal(),
    },
    Fault {
        path: "portal-redirect",
        parameters: "from=1&cut=100000",
        says: "A portal sends one to its page.",
        answer: |asked| redirect(asked, "/portal"),
    },
];

fn redirect(asked: &Asked, location: &str) -> Answer {
    let status = u16::try_from(asked.number("code", 302)).unwrap_or(302);
    Answer::of_status(status, "Elsewhere").with("Location", location)
}

/// The honest file with the same parameters.
fn kind(asked: &Asked) -> String {
    let query = asked.request.target.split_once('?').map_or("", |(_, query)| query);
    format!("/kind?{query}")
}

fn portal() -> Answer {
    Answer::page("<!doctype html><title>Sign in</title><p>Welcome to the guests' network!</p>\n".repeat(100))
}
