//! What a server itself says it was asked: the lines of its access log.
//!
//! All peers write the same form, set by their scripts: fields with names, apart by tabs, one line
//! when a request is over.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::until;

/// How long a server may take to log a request it has answered.
const LOG_DEADLINE: Duration = Duration::from_secs(60);

/// One request, as the server logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path and query, as asked for.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The status it was answered with.
    pub status: u16,
    /// Bytes of the body that were sent, and with a tunnel all that went through to the client.
    pub sent: u64,
    /// The header `Range`.
    pub range: Option<String>,
    /// The header `If-Range`.
    pub if_range: Option<String>,
    /// The scheme of the header `Authorization`, or at a proxy `Proxy-Authorization`, and nothing
    /// more of it.
    pub scheme: Option<String>,
    /// Who has signed in, in the server's words; with a refusal, maybe who has tried.
    pub user: Option<String>,
    /// The same text for all requests of one connection.
    pub connection: String,
}

/// The requests for `target` in the log of the server at `address`.
#[track_caller]
pub(super) fn of(log: &Path, address: &str, target: &str) -> Vec<Request> {
    let log = read_to_now(log, address);
    log.lines().filter_map(Request::parse).filter(|request| request.is_for(target)).collect()
}

/// The log up to now: a request of our own is sent, and waited for in it. The servers log in the
/// order in which they come to an end with requests.
fn read_to_now(log: &Path, address: &str) -> String {
    static MARKS: AtomicU32 = AtomicU32::new(0);
    let mark = format!("/mark-{}", MARKS.fetch_add(1, Ordering::Relaxed));
    let ask = || -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET {mark} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    };
    ask().unwrap_or_else(|error| panic!("the server at {address} does not answer: {error}"));
    until(LOG_DEADLINE, format_args!("{mark} in {}", log.display()), || {
        let text = String::from_utf8_lossy(&fs::read(log).ok()?).into_owned();
        text.contains(&format!("GET {mark} ")).then_some(text)
    })
}

impl Request {
    /// The request of a whole line; `None` for one that is still being written, or was none.
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = line.split('\t').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
            Some(value).filter(|value| !value.is_empty())
        };
        let given = |name: &str| field(name).filter(|value| *value != "-").map(str::to_owned);
        let mut first = field("request")?.split(' ');
        // Apache and lighttpd write none as "-". squid counts the headers in, and tells how long
        // they are.
        let bytes = |name: &str| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        Some(Self {
            method: first.next()?.to_owned(),
            target: first.next()?.to_owned(),
            version: first.next().unwrap_or_default().to_owned(),
            status: field("status")?.parse().ok()?,
            sent: u64::saturating_sub(bytes("sent"), bytes("headers")),
            range: given("range"),
            if_range: given("if-range"),
            scheme: given("scheme").and_then(|value| value.split(' ').next().map(str::to_owned)),
            user: given("user").map(|value| unescaped(&value)),
            connection: field("connection")?.to_owned(),
        })
    }

    /// Whether it asked for `target`, which without a query stands for any.
    fn is_for(&self, target: &str) -> bool {
        let path = self.target.split('?').next();
        self.target == target || path == Some(target)
    }
}

/// A text of a log with its escapes undone: `\xHH`, which is how the servers write bytes that are
/// not ASCII, and `\\`. squid escapes nothing, and writes `DOMAIN\user` as it is.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let hex = after.strip_prefix('x').and_then(|after| after.get(..2));
        rest = if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            &after[3..]
        } else {
            bytes.push(b'\\');
            after.strip_prefix('\\').unwrap_or(after)
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_is_a_request() {
        let line = "request=GET /a/b?n=1 HTTP/1.1\tstatus=206\tsent=10\trange=bytes=0-9\tif-range=-\t\
                    scheme=Digest username=\\\"alice\\\", nc=1\tuser=alice\tconnection=7\tagent=x";
        let request = Request::parse(line).unwrap();
        assert_eq!(
            request,
            Request {
                method: "GET".into(),
                target: "/a/b?n=1".into(),
                version: "HTTP/1.1".into(),
                status: 206,
                sent: 10,
                range: Some("bytes=0-9".into()),
                if_range: None,
                scheme: Some("Digest".into()),
                user: Some("alice".into()),
                connection: "7".into(),
            }
        );
        for (target, is_for) in [("/a/b", true), ("/a/b?n=1", true), ("/a/b?n=10", false), ("/a", false)] {
            assert_eq!(request.is_for(target), is_for, "{target}");
        }
    }

    #[test]
    fn what_is_no_request_is_passed_over() {
        for line in ["", "request=", "request=GET /a HTTP/1.1\tstatus=20", "request=-\tstatus=400\tsent=0"] {
            assert_eq!(Request::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn what_squid_counts_is_more_than_the_body() {
        let line = "request=CONNECT t1.peers.localhost:17001 HTTP/1.1\tstatus=407\tsent=3518\theaders=439\t\
                    range=-\tif-range=-\tscheme=Basic YWx\tuser=alice\tconnection=54464\tagent=x";
        let request = Request::parse(line).unwrap();
        assert_eq!((request.sent, request.scheme.as_deref()), (3079, Some("Basic")));
        assert!(request.is_for("t1.peers.localhost:17001"));
    }

    #[test]
    fn a_user_is_told_without_the_escapes_of_the_log() {
        for (written, user) in [
            ("alice", "alice"),
            (r"ADTEST\\zo\xc3\xab", r"ADTEST\zoë"),
            (r"ADTEST\carol", r"ADTEST\carol"),
            (r"zo\xC3\xAB@EXAMPLE.TEST", "zoë@EXAMPLE.TEST"),
            (r"\", r"\"),
            (r"\x", r"\x"),
        ] {
            assert_eq!(unescaped(written), user, "{written}");
        }
    }
}
