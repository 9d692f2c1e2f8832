//! Questions about who asks that never end, whatever is answered: 401, or 407 to a client that takes
//! this for its proxy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Fault;
use crate::answer::{Answer, Then};
use crate::asked::Asked;
use crate::ntlm::ntlm_challenge;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        path: "sign-in-stale",
        parameters: "",
        says: "Digest; the nonce of each proof is called stale, and there is another one.",
        answer: |asked| {
            let stale = if proof(asked).is_some() { ", stale=true" } else { "" };
            let nonce = asked.before;
            asking(asked, [format!("Digest realm=\"nobody\", nonce=\"n{nonce}\", qop=\"auth\"{stale}")])
        },
    },
    Fault {
        path: "sign-in-token",
        parameters: "scheme=NTLM&bytes=40000",
        says: "Each message of NTLM, or Negotiate, is answered with the same next one, or with `bytes` zeros.",
        answer: |asked| asking(asked, [token(asked)]),
    },
    Fault {
        path: "sign-in-broken",
        parameters: "scheme=NTLM",
        says: "The same, and the connection ends that the answer would have to go over.",
        answer: |asked| match proof(asked) {
            Some(_) => asking(asked, [token(asked)]).then(Then::Reset),
            None => asking(asked, [token(asked)]),
        },
    },
    Fault {
        path: "sign-in-many",
        parameters: "count=100",
        says: "`count` schemes that nobody knows are offered, and Digest as the last.",
        answer: |asked| {
            let unheard = (0..asked.number("count", 100)).map(|number| format!("Unheard-Of-{number}"));
            let last = "Digest realm=\"nobody\", nonce=\"n\", qop=\"auth\"".to_owned();
            asking(asked, unheard.chain([last]))
        },
    },
    Fault {
        path: "sign-in-long",
        parameters: "bytes=50000",
        says: "Digest, with a nonce of `bytes` bytes.",
        answer: |asked| {
            let nonce = "n".repeat(usize::try_from(asked.number("bytes", 50_000)).unwrap_or_default());
            asking(asked, [format!("Digest realm=\"nobody\", nonce=\"{nonce}\", qop=\"auth\"")])
        },
    },
];

/// Whether the client takes this for its proxy, and has it fetch the file.
fn is_proxy(asked: &Asked) -> bool {
    !asked.request.target.starts_with('/')
}

fn proof(asked: &Asked) -> Option<&str> {
    asked.request.field(if is_proxy(asked) { "proxy-authorization" } else { "authorization" })
}

fn asking(asked: &Asked, challenges: impl IntoIterator<Item = String>) -> Answer {
    let (answer, field) = match is_proxy(asked) {
        false => (Answer::of_status(401, "Unauthorized"), "WWW-Authenticate"),
        true => (Answer::of_status(407, "Proxy Authentication Required"), "Proxy-Authenticate"),
    };
    challenges.into_iter().fold(answer, |answer, challenge| answer.and(field, challenge))
}

/// A scheme of tokens: by itself when nothing was proved, and else with a token.
fn token(asked: &Asked) -> String {
    let scheme = asked.text("scheme").unwrap_or("NTLM");
    match (proof(asked), asked.text("bytes")) {
        (None, _) => scheme.to_owned(),
        (Some(_), None) => format!("{scheme} {}", STANDARD.encode(ntlm_challenge())),
        (Some(_), Some(_)) => {
            let zeros = vec![0; usize::try_from(asked.number("bytes", 0)).unwrap_or_default()];
            format!("{scheme} {}", STANDARD.encode(zeros))
        }
    }
}
