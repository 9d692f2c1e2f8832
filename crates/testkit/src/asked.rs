//! What a client asked for: parsed just far enough to misbehave on purpose.
//!
//! Clients are not judged here, so a parameter that cannot be read counts as not given.

use std::ops::Range;
use std::time::Duration;

use crate::content::Content;

/// The size of a file when the target does not say.
const SIZE: u64 = 256 * 1024;
/// What one version's seed is apart from that of the next one.
const VERSION_SEED: u64 = 1_000_003;

/// One request, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1`, or what else the client said.
    pub version: String,
    /// In the order they came.
    pub fields: Vec<(String, String)>,
    /// Whether it came over TLS.
    pub is_tls: bool,
}

impl Request {
    /// The first field called `name`, in any letter case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Reads the head of a request, without its empty line.
    pub(crate) fn parse(head: &str, is_tls: bool) -> Option<Self> {
        let mut lines = head.lines();
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let fields = lines.filter_map(|line| line.split_once(':'));
        Some(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            fields: fields.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect(),
            is_tls,
        })
    }

    /// The part of the path that names a fault.
    pub(crate) fn fault(&self) -> &str {
        let path = self.target.split('?').next().unwrap_or_default();
        // Who takes this for a proxy sends a whole URL.
        let path = match path.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |start| &rest[start..]),
            None => path,
        };
        path.trim_start_matches('/').split('/').next().unwrap_or_default()
    }
}

/// A request, and what it means to the origin.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// How many requests for the same target came before.
    pub(crate) before: u64,
    /// Where the origin is reached without TLS.
    pub(crate) plain_port: u16,
}

impl Asked {
    /// The parameter `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, query) = self.request.target.split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == name))
            .map(|(_, value)| value)
    }

    /// The parameter `name`, as a number.
    pub(crate) fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    /// The parameter `name`, in milliseconds.
    pub(crate) fn time(&self, name: &str, otherwise: u64) -> Duration {
        Duration::from_millis(self.number(name, otherwise))
    }

    /// The content of the file as it was first.
    pub(crate) fn content(&self) -> Content {
        Content { seed: self.number("seed", 1), size: self.number("size", SIZE) }
    }

    /// The content of a later version, which has another size when the parameter `grows` says so.
    pub(crate) fn content_of(&self, version: u64) -> Content {
        let first = self.content();
        Content {
            seed: first.seed.wrapping_add(version.wrapping_mul(VERSION_SEED)),
            size: first.size.saturating_add(version.saturating_mul(self.number("grows", 0))),
        }
    }

    /// Which version it is the time of: another one after every `after` requests, `times` times.
    pub(crate) fn version(&self) -> u64 {
        (self.before / self.number("after", 1).max(1)).min(self.number("times", 1))
    }

    /// The range that is asked for, of a file of `size` bytes; none when none or several are.
    pub(crate) fn range(&self, size: u64) -> Option<Result<Range<u64>, OutOfRange>> {
        let (first, last) = self.request.field("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let range = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) => first..last.saturating_add(1).min(size),
            (Ok(first), Err(_)) if last.is_empty() => first..size,
            (Err(_), Ok(count)) if first.is_empty() => size.saturating_sub(count)..size,
            _ => return None,
        };
        Some(if range.start < range.end { Ok(range) } else { Err(OutOfRange) })
    }
}

/// Nothing of the file is in the range that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str, range: &str) -> Asked {
        let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\nRange: {range}");
        Asked { request: Request::parse(&head, false).expect("a head"), before: 3, plain_port: 1 }
    }

    #[test]
    fn a_target_says_what_to_serve() {
        let asked = asked("/cut/file.bin?at=5&size=1000&how=rst&grows=7&after=2", "");
        assert_eq!(asked.request.fault(), "cut");
        assert_eq!((asked.number("at", 1), asked.number("by", 9), asked.text("how")), (5, 9, Some("rst")));
        assert_eq!(asked.content(), Content { seed: 1, size: 1000 });
        assert_eq!(asked.version(), 1);
        assert_eq!(asked.content_of(1), Content { seed: 1_000_004, size: 1007 });
    }

    #[test]
    fn a_range_is_read_as_clients_write_it() {
        for (text, expected) in [
            ("bytes=10-", Some(Ok(10..100))),
            ("bytes=10-19", Some(Ok(10..20))),
            ("bytes=10-1000", Some(Ok(10..100))),
            ("bytes=-5", Some(Ok(95..100))),
            ("bytes=100-", Some(Err(OutOfRange))),
            ("bytes=1-2,5-6", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(asked("/kind", text).range(100), expected, "{text}");
        }
    }
}
