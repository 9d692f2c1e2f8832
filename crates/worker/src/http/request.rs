//! The head of a request, as it is sent.
//!
//! It may hold a proof or a secret header, so it is wiped afterwards, and its room is made large
//! enough at first, since growing would leave a copy behind.

use bits_core::credentials::SecretHeader;
use bits_core::http_options::{Header, Method};
use bits_core::remote_name::RemoteName;
use bits_core::transfer::Fetch;
use zeroize::Zeroizing;

use super::settings::UserAgent;
use crate::auth::Authorization;

/// What the owner of a job has said of its requests.
#[derive(Debug, Default)]
pub(crate) struct OwnersWords {
    pub(crate) method: Method,
    /// Go with each request.
    pub(crate) headers: Vec<Header>,
    /// Go to the server of the file's own URL alone.
    pub(crate) secret_headers: Vec<SecretHeader>,
}

impl OwnersWords {
    /// Whether the owner proves by a header who asks, so that no scheme of ours is due.
    pub(super) fn prove_identity(&self) -> bool {
        self.secret_headers.iter().any(|header| header.name.as_str().eq_ignore_ascii_case("authorization"))
    }

    /// The method of the request for `fetch`.
    pub(super) fn method_of(&self, fetch: &Fetch) -> &str {
        let method = self.method.as_str();
        if fetch.as_get && method != "HEAD" { "GET" } else { method }
    }

    /// Whether a secret of the owner's goes along with `fetch`.
    pub(super) fn tell_secrets(&self, fetch: &Fetch) -> bool {
        fetch.with_credentials && !self.secret_headers.is_empty()
    }

    fn said(&self, name: &str) -> bool {
        let is_it = |known: &str| known.eq_ignore_ascii_case(name);
        self.headers.iter().any(|header| is_it(header.name().as_str()))
    }
}

/// What goes along to prove who asks.
#[derive(Debug, Default)]
pub(super) struct Proved {
    pub(super) to_server: Option<Authorization>,
    pub(super) to_proxy: Option<Authorization>,
}

impl Proved {
    pub(super) fn is_nothing(&self) -> bool {
        self.to_server.is_none() && self.to_proxy.is_none()
    }
}

/// The request for `fetch`; `target` is path and query, or the whole URL for a proxy that reads it.
pub(super) fn for_file(
    fetch: &Fetch,
    target: &str,
    words: &OwnersWords,
    proved: &Proved,
    user_agent: &UserAgent,
) -> Zeroizing<String> {
    let authority = fetch.remote_name.authority();
    let from = fetch.range.as_ref().map(|range| range.from.0.to_string());
    let last = fetch.range.as_ref().and_then(|range| range.end).map(|end| end.0.saturating_sub(1));
    let last = last.map(|last| last.to_string());
    let method = words.method_of(fetch);
    let mut parts = vec![method, " ", target, " HTTP/1.1\r\nHost: ", &authority];
    for (name, value) in [("User-Agent", user_agent.as_str()), ("Accept", "*/*")] {
        if !words.said(name) {
            parts.extend(["\r\n", name, ": ", value]);
        }
    }
    parts.push("\r\nAccept-Encoding: identity\r\nConnection: keep-alive");
    if !matches!(method, "GET" | "HEAD") {
        // A server that expects content would wait for it.
        parts.push("\r\nContent-Length: 0");
    }
    if let (Some(range), Some(from)) = (&fetch.range, &from) {
        parts.extend(["\r\nRange: bytes=", from, "-", last.as_deref().unwrap_or_default()]);
        if let Some(if_range) = &range.if_range {
            parts.extend(["\r\nIf-Range: ", if_range]);
        }
    }
    for header in &words.headers {
        parts.extend(["\r\n", header.name().as_str(), ": ", header.value()]);
    }
    if fetch.with_credentials {
        for header in &words.secret_headers {
            parts.extend(["\r\n", header.name.as_str(), ": ", header.value.expose()]);
        }
    }
    if let Some(authorization) = &proved.to_server {
        parts.extend(["\r\nAuthorization: ", authorization.expose()]);
    }
    if let Some(authorization) = &proved.to_proxy {
        parts.extend(["\r\nProxy-Authorization: ", authorization.expose()]);
    }
    joined(&parts)
}

/// What a proxy is asked that is to pass bytes on to `place`, `host:port`. Nothing that is meant for
/// the server goes along.
pub(super) fn for_tunnel(
    place: &str,
    to_proxy: Option<&Authorization>,
    user_agent: &UserAgent,
) -> Zeroizing<String> {
    let mut parts = vec!["CONNECT ", place, " HTTP/1.1\r\nHost: ", place];
    parts.extend(["\r\nUser-Agent: ", user_agent.as_str(), "\r\nProxy-Connection: keep-alive"]);
    if let Some(authorization) = to_proxy {
        parts.extend(["\r\nProxy-Authorization: ", authorization.expose()]);
    }
    joined(&parts)
}

/// `host:port` of the server of `name`, as CONNECT wants it.
pub(super) fn place_of(name: &RemoteName) -> String {
    format!("{}:{}", name.host(), name.port())
}

fn joined(parts: &[&str]) -> Zeroizing<String> {
    const END: &str = "\r\n\r\n";
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + END.len();
    let mut head = Zeroizing::new(String::with_capacity(length));
    for part in parts.iter().chain([&END]) {
        head.push_str(part);
    }
    head
}
