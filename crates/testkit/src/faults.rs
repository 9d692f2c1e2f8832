//! The table of faults: what is wrong at which path.
//!
//! A fault is a function from a request to an answer; most take the honest answer and spoil one
//! thing. What can be combined with every fault is done here, by [`COMMON_PARAMETERS`].

mod bodies;
mod challenges;
mod connections;
mod heads;
mod http2;
mod ranges;
mod redirects;
mod statuses;
mod versions;

use crate::answer::{Answer, Then, Version};
use crate::asked::Asked;
use crate::content::Content;

/// What every path takes in its query.
pub const COMMON_PARAMETERS: &[(&str, &str)] = &[
    ("size=N", "the file has N bytes (262144)"),
    ("seed=N", "its bytes are told by N (1)"),
    ("id=TEXT", "counts and records requests apart from those with another id"),
    ("first=N", "only the first N requests meet the fault; later ones are answered honestly"),
    ("from=N", "the first N requests are answered honestly, later ones meet the fault"),
    ("cut=N", "the body of the first answer ends after N bytes, whatever else is wrong"),
    ("cuts=N", "that happens to the first N answers (1)"),
    ("how=HOW", "how connections end that are cut: fin, rst, or hang-up, which is fin without TLS's goodbye"),
    ("pace=N", "N milliseconds pass between any two pieces of 64 KiB of the file"),
    ("digest=FIELD", "a digest goes along: repr-digest, sha-512, content-digest, digest or content-md5"),
    ("wrong=1", "that digest is of something else"),
    (
        "link=PATH",
        "a Link says that the file is under that path of this origin too; several with commas between",
    ),
];

/// One way to misbehave.
#[derive(Debug)]
pub struct Fault {
    /// The first part of the path.
    pub path: &'static str,
    /// Its own parameters, with values they might have.
    pub parameters: &'static str,
    /// What happens there, in a sentence.
    pub says: &'static str,
    answer: fn(&Asked) -> Answer,
}

const ROOMS: [(&str, &[Fault]); 9] = [
    ("Bodies", bodies::FAULTS),
    ("Ranges", ranges::FAULTS),
    ("Versions", versions::FAULTS),
    ("Heads", heads::FAULTS),
    ("Redirects and portals", redirects::FAULTS),
    ("Statuses", statuses::FAULTS),
    ("Signing in", challenges::FAULTS),
    ("Connections", connections::FAULTS),
    ("Frames of HTTP/2, all else honest", http2::FAULTS),
];

/// All faults there are.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    ROOMS.iter().flat_map(|(_, faults)| faults.iter())
}

/// All faults there are, by what they are about.
pub(crate) fn rooms() -> impl Iterator<Item = (&'static str, &'static [Fault])> {
    ROOMS.into_iter()
}

/// What the origin says to `asked`.
pub(crate) fn answer(asked: &Asked) -> Answer {
    let path = asked.request.fault();
    let Some(fault) = faults().find(|fault| fault.path == path) else {
        return Answer::of_status(404, "Not Found");
    };
    let is_time = asked.before < asked.number("first", u64::MAX) && asked.before >= asked.number("from", 0);
    let mut answer = if is_time { (fault.answer)(asked) } else { honest(asked) };
    answer.pace = asked.time("pace", 0);
    if let (Some(field), Some(content)) = (asked.text("digest"), answer.content) {
        answer = with_digest(answer, field, content, asked.text("wrong").is_some());
    }
    if let Some(paths) = asked.text("link") {
        let links = paths.split(',').map(|path| format!("<{path}>; rel=duplicate"));
        answer = answer.with("Link", links.collect::<Vec<_>>().join(", "));
    }
    match asked.number("cut", u64::MAX) {
        u64::MAX => answer,
        _ if asked.before >= asked.number("cuts", 1) => answer,
        count => answer.cut(count, how(asked)),
    }
}

/// What an honest server would say.
fn honest(asked: &Asked) -> Answer {
    Answer::honest(asked, &Version::of(asked, 0))
}

/// How a connection ends that is cut.
fn how(asked: &Asked) -> Then {
    match asked.text("how") {
        Some("rst") => Then::Reset,
        Some("hang-up") => Then::HangUp,
        _ => Then::Close,
    }
}

fn with_digest(answer: Answer, field: &str, mut content: Content, is_wrong: bool) -> Answer {
    if is_wrong {
        content.seed = content.seed.wrapping_add(1);
    }
    let range = answer.fields.iter().find(|(name, _)| name == "Content-Range");
    let part = range.and_then(|(_, said)| said.strip_prefix("bytes ")?.split('/').next()?.split_once('-'));
    let part = part.and_then(|(first, last)| Some(first.parse().ok()?..last.parse::<u64>().ok()? + 1));
    let part = part.unwrap_or(0..content.size);
    match field {
        "repr-digest" => answer.with("Repr-Digest", format!("sha-256=:{}:", content.sha256_base64())),
        "sha-512" => answer.with("Repr-Digest", format!("sha-512=:{}:", content.sha512_base64())),
        "content-digest" => {
            answer.with("Content-Digest", format!("sha-256=:{}:", content.part_sha256_base64(part)))
        }
        "digest" => answer.with("Digest", format!("SHA-256={}", content.sha256_base64())),
        "content-md5" => answer.with("Content-MD5", content.md5_base64(part)),
        _ => answer,
    }
}
