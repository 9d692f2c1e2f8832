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
const LOG_DEADLINE: Duration = Duration::from_secs(10);

/// One request, as the server logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path and query, as asked for.
    pub target: String,
    /// The status it was answered with.
    pub status: u16,
    /// Bytes of the body that were sent.
    pub sent: u64,
    /// The header `Range`.
    pub range: Option<String>,
    /// The header `If-Range`.
    pub if_range: Option<String>,
    /// The scheme of the header `Authorization`, and nothing more of it.
    pub scheme: Option<String>,
    /// Who has signed in, in the server's words.
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
        Some(Self {
            method: first.next()?.to_owned(),
            target: first.next()?.to_owned(),
            status: field("status")?.parse().ok()?,
            // Apache and lighttpd write none as "-".
            sent: field("sent")?.parse().unwrap_or(0),
            range: given("range"),
            if_range: given("if-range"),
            scheme: given("scheme").and_then(|value| value.split(' ').next().map(str::to_owned)),
            user: given("user"),
            connection: field("connection")?.to_owned(),
        })
    }

    /// Whether it asked for `target`, which without a query stands for any.
    fn is_for(&self, target: &str) -> bool {
        let path = self.target.split('?').next();
        self.target == target || path == Some(target)
    }
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
}
