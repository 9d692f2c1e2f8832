//! The head of a request: what is said, and how either version of HTTP says it.
//!
//! It may hold a proof or a secret header. As text it is wiped afterwards, and its room is made large
//! enough at first, since growing would leave a copy behind. What the library of HTTP/2 keeps is
//! wiped when it is freed, by the allocator of the program.

use std::borrow::Cow;
use std::fmt;

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
    /// What is sent to the server, over HTTP/1.1 alone.
    pub(crate) content: Option<String>,
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

/// A request, before it is put in the words of one version of HTTP.
#[derive(Debug)]
pub(super) struct Request<'a> {
    method: &'a str,
    target: &'a str,
    authority: Cow<'a, str>,
    /// The field of HTTP/1.1 by which a connection is asked to stay.
    stays_by: &'static str,
    fields: Vec<Field<'a>>,
    content: &'a str,
}

struct Field<'a> {
    name: &'a str,
    value: Cow<'a, str>,
    is_secret: bool,
}

/// Fields that mean a connection of HTTP/1.1 and that an owner can set. In HTTP/2 they would make a
/// request malformed (RFC 9113 §8.2.2), so they are left out.
const OF_ONE_CONNECTION: [&str; 2] = ["upgrade", "http2-settings"];

impl Request<'_> {
    /// As it goes over HTTP/1.1.
    pub(super) fn text(&self) -> Zeroizing<String> {
        const END: &str = "\r\n\r\n";
        let start = [self.method, " ", self.target, " HTTP/1.1\r\nHost: ", &self.authority];
        let stays = ["\r\n", self.stays_by, ": keep-alive"];
        let fields = self.fields.iter().flat_map(|field| ["\r\n", field.name, ": ", &*field.value]);
        let parts = || start.into_iter().chain(fields.clone()).chain(stays).chain([END, self.content]);
        let mut text = Zeroizing::new(String::with_capacity(parts().map(str::len).sum()));
        parts().for_each(|part| text.push_str(part));
        text
    }

    /// As it goes over HTTP/2, always over TLS; none where that has no words for it.
    pub(super) fn message(&self) -> Option<http::Request<()>> {
        let uri =
            http::Uri::builder().scheme("https").authority(&*self.authority).path_and_query(self.target);
        let uri = uri.build().ok().filter(|uri| uri.path_and_query().is_some_and(|it| *it == self.target))?;
        let method = http::Method::from_bytes(self.method.as_bytes()).ok()?;
        if method == http::Method::CONNECT || !self.content.is_empty() {
            return None;
        }
        let mut message = http::Request::new(());
        *message.method_mut() = method;
        *message.uri_mut() = uri;
        *message.version_mut() = http::Version::HTTP_2;
        let headers = message.headers_mut();
        for field in &self.fields {
            if OF_ONE_CONNECTION.iter().any(|name| field.name.eq_ignore_ascii_case(name)) {
                continue;
            }
            let name = http::HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            let mut value = http::HeaderValue::from_bytes(field.value.as_bytes()).ok()?;
            // Such a value is not put into the table that both sides keep.
            value.set_sensitive(field.is_secret);
            headers.try_append(name, value).ok()?;
        }
        Some(message)
    }

    fn put(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.fields.push(Field { name, value: value.into(), is_secret: false });
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The request for `fetch`; `target` is path and query, or the whole URL for a proxy that reads it.
pub(super) fn for_file<'a>(
    fetch: &'a Fetch,
    target: &'a str,
    words: &'a OwnersWords,
    proved: &'a Proved,
    user_agent: &'a UserAgent,
) -> Request<'a> {
    let method = words.method_of(fetch);
    let content = words.content.as_deref().unwrap_or_default();
    let authority = Cow::Owned(fetch.remote_name.authority());
    let mut request =
        Request { method, target, authority, stays_by: "Connection", fields: Vec::with_capacity(8), content };
    if !words.said("User-Agent") {
        let value = Cow::Borrowed(user_agent.as_str());
        request.fields.push(Field { name: "User-Agent", value, is_secret: false });
    }
    if !words.said("Accept") {
        request.put("Accept", "*/*");
    }
    request.put("Accept-Encoding", "identity");
    if !matches!(method, "GET" | "HEAD") {
        // A server that expects content would wait for it.
        request.put("Content-Length", content.len().to_string());
    }
    if let Some(range) = &fetch.range {
        let last = range.end.map(|end| end.0.saturating_sub(1).to_string()).unwrap_or_default();
        request.put("Range", format!("bytes={}-{last}", range.from.0));
        if let Some(if_range) = &range.if_range {
            let value = Cow::Borrowed(&**if_range);
            request.fields.push(Field { name: "If-Range", value, is_secret: false });
        }
    }
    let plain = words.headers.iter().map(|header| (header.name().as_str(), header.value(), false));
    let secret = words.secret_headers.iter().filter(|_| fetch.with_credentials);
    let secret = secret.map(|header| (header.name.as_str(), header.value.expose(), true));
    let proof = |name, proof: &'a Option<Authorization>| {
        proof.as_ref().map(|authorization| (name, authorization.expose(), true))
    };
    let proofs = proof("Authorization", &proved.to_server)
        .into_iter()
        .chain(proof("Proxy-Authorization", &proved.to_proxy));
    for (name, value, is_secret) in plain.chain(secret).chain(proofs) {
        request.fields.push(Field { name, value: Cow::Borrowed(value), is_secret });
    }
    request
}

/// What a proxy is asked that is to pass bytes on to `place`, `host:port`. Nothing that is meant for
/// the server goes along.
pub(super) fn for_tunnel<'a>(
    place: &'a str,
    to_proxy: Option<&'a Authorization>,
    user_agent: &'a UserAgent,
) -> Request<'a> {
    let field = |name, value, is_secret| Field { name, value: Cow::Borrowed(value), is_secret };
    let mut fields = vec![field("User-Agent", user_agent.as_str(), false)];
    fields.extend(to_proxy.map(|proof| field("Proxy-Authorization", proof.expose(), true)));
    let authority = Cow::Borrowed(place);
    Request { method: "CONNECT", target: place, authority, stays_by: "Proxy-Connection", fields, content: "" }
}

/// `host:port` of the server of `name`, as CONNECT wants it.
pub(super) fn place_of(name: &RemoteName) -> String {
    format!("{}:{}", name.host(), name.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(url: &str) -> Fetch {
        let remote_name = RemoteName::stored(url).expect("a URL");
        Fetch { remote_name, range: None, with_credentials: true, as_get: false }
    }

    fn words(headers: &[(&str, &str)]) -> OwnersWords {
        let header = |(name, value): &(&str, &str)| {
            let name = bits_core::http_options::HeaderName::parse(name).expect("a name");
            Header::new(name, value).expect("a header")
        };
        OwnersWords { headers: headers.iter().map(header).collect(), ..OwnersWords::default() }
    }

    #[test]
    fn both_versions_say_the_same_each_in_its_way() {
        let (fetch, proved) = (fetch("https://h.example:8443/a%20b?c=[d]|\"e"), Proved::default());
        let words = words(&[("X-Mine", "1"), ("X-Mine", "2"), ("Upgrade", "h2c"), ("Accept", "a/b")]);
        let user_agent = UserAgent::default();
        let request = for_file(&fetch, fetch.remote_name.request_target(), &words, &proved, &user_agent);

        let text = request.text();
        assert!(text.starts_with("GET /a%20b?c=[d]|%22e HTTP/1.1\r\nHost: h.example:8443\r\n"), "{}", *text);
        assert!(text.contains("\r\nX-Mine: 1\r\nX-Mine: 2\r\nUpgrade: h2c\r\nAccept: a/b\r\n"), "{}", *text);
        assert!(text.ends_with("\r\nConnection: keep-alive\r\n\r\n") && !text.contains("*/*"), "{}", *text);

        let message = request.message().expect("it can be said");
        assert_eq!(message.uri(), "https://h.example:8443/a%20b?c=[d]|%22e");
        let said: Vec<_> =
            message.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert!(said.contains(&("accept", b"a/b")) && said.contains(&("x-mine", b"2")), "{said:?}");
        for name in ["host", "connection", "upgrade", "content-length"] {
            assert!(!message.headers().contains_key(name), "{name}");
        }
    }

    #[test]
    fn what_http_2_has_no_words_for_is_not_said_otherwise() {
        let (fetch, proved, user_agent) =
            (fetch("https://h.example/"), Proved::default(), UserAgent::default());
        let long = format!("/{}", "x".repeat(70_000));
        for target in ["/a b", "/a#b", long.as_str()] {
            let words = OwnersWords::default();
            assert!(for_file(&fetch, target, &words, &proved, &user_agent).message().is_none());
        }
        assert!(for_tunnel("h.example:443", None, &user_agent).message().is_none());
    }
}
