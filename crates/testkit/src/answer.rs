//! An answer, and how to spoil it: an honest one is made first, and a fault changes a piece of it.
//!
//! Nothing is sent from here; [`Piece`]s say what is to be sent, and when.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::asked::{Asked, OutOfRange};
use crate::content::Content;
use crate::http2::Frames;

/// When the first version was changed last; each later one an hour after the one before.
const FIRST_MODIFIED: i64 = 1_767_225_600;
const VERSION_AGE: i64 = 3600;

/// A step of sending.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// A part of a content, made while it is sent.
    Content(Content, Range<u64>),
    /// `at_once` bytes, a pause, the next ones.
    Slowly {
        bytes: Vec<u8>,
        at_once: usize,
        every: Duration,
    },
    /// The same bytes so many times.
    Again {
        bytes: Vec<u8>,
        times: u64,
    },
}

impl Piece {
    /// How many bytes it is.
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) | Self::Slowly { bytes, .. } => bytes.len() as u64,
            Self::Content(_, range) => range.end - range.start,
            Self::Again { bytes, times } => bytes.len() as u64 * times,
        }
    }

    /// Its first `count` bytes.
    fn first(self, count: u64) -> Self {
        let places = usize::try_from(count).unwrap_or(usize::MAX);
        match self {
            Self::Bytes(mut bytes) => {
                bytes.truncate(places);
                Self::Bytes(bytes)
            }
            Self::Content(content, range) => {
                Self::Content(content, range.start..range.end.min(range.start + count))
            }
            Self::Slowly { mut bytes, at_once, every } => {
                bytes.truncate(places);
                Self::Slowly { bytes, at_once, every }
            }
            Self::Again { bytes, times } => {
                let mut all = bytes.repeat(usize::try_from(times).unwrap_or(usize::MAX));
                all.truncate(places);
                Self::Bytes(all)
            }
        }
    }
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next request is awaited.
    Keep,
    /// It is closed in order.
    Close,
    /// It is closed, over TLS without saying so.
    HangUp,
    /// It is torn down, so that the other side sees an error.
    Reset,
    /// Nothing more is said until the other side closes it.
    Hold,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// What comes before the head.
    pub(crate) before: Vec<Piece>,
    /// Without a line end; none when the answer has no head.
    pub(crate) status_line: Option<String>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) line_end: &'static str,
    pub(crate) body: Vec<Piece>,
    pub(crate) then: Then,
    /// What is waited between two pieces of a content.
    pub(crate) pace: Duration,
    /// The content it claims to be of, whole or in part.
    pub(crate) content: Option<Content>,
    /// What is wrong with its frames where HTTP/2 is spoken; elsewhere nothing is.
    pub(crate) frames: Option<Frames>,
}

/// What the origin has under a target at one time.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) content: Content,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

impl Version {
    /// The version numbered `number` of the file that is asked for, with strong validators.
    pub(crate) fn of(asked: &Asked, number: u64) -> Self {
        let content = asked.content_of(number);
        Self {
            content,
            etag: Some(format!("\"v{}-{}\"", content.seed, content.size)),
            last_modified: Some(date(FIRST_MODIFIED + number as i64 * VERSION_AGE)),
        }
    }

    /// Whether the rest may be sent to a client that has a part of what `If-Range` names.
    fn is_meant(&self, asked: &Asked) -> bool {
        let Some(if_range) = asked.request.field("if-range") else { return true };
        let tag = self.etag.as_deref().filter(|tag| !tag.starts_with("W/"));
        tag == Some(if_range) || self.last_modified.as_deref() == Some(if_range)
    }
}

impl Answer {
    /// What an honest server says to `asked`: all of `version`, or the part that was asked for.
    pub(crate) fn honest(asked: &Asked, version: &Version) -> Self {
        let part = asked.range(version.content.size).filter(|_| version.is_meant(asked));
        match part {
            None => Self::whole(version),
            Some(Ok(range)) => Self::part(version, range),
            Some(Err(OutOfRange)) => Self::of_status(416, "Range Not Satisfiable")
                .with("Content-Range", format!("bytes */{}", version.content.size)),
        }
    }

    /// All of `version`, whatever was asked for.
    pub(crate) fn whole(version: &Version) -> Self {
        let size = version.content.size;
        Self::of(version, "HTTP/1.1 200 OK")
            .with("Content-Length", size.to_string())
            .body(vec![Piece::Content(version.content, 0..size)])
    }

    /// A part of `version`, whether it was asked for or not.
    pub(crate) fn part(version: &Version, range: Range<u64>) -> Self {
        let said = format!("bytes {}-{}/{}", range.start, range.end - 1, version.content.size);
        Self::of(version, "HTTP/1.1 206 Partial Content")
            .with("Content-Length", (range.end - range.start).to_string())
            .with("Content-Range", said)
            .body(vec![Piece::Content(version.content, range)])
    }

    /// A status with a sentence as its body.
    pub(crate) fn of_status(status: u16, reason: &str) -> Self {
        let sentence = format!("{status} {reason}\n");
        Self::empty(&format!("HTTP/1.1 {status} {reason}"))
            .with("Content-Type", "text/plain")
            .with("Content-Length", sentence.len().to_string())
            .body(vec![Piece::Bytes(sentence.into_bytes())])
    }

    /// A page for browsers.
    pub(crate) fn page(html: String) -> Self {
        Self::empty("HTTP/1.1 200 OK")
            .with("Content-Type", "text/html; charset=utf-8")
            .with("Content-Length", html.len().to_string())
            .body(vec![Piece::Bytes(html.into_bytes())])
    }

    /// Bytes without a head, and what follows.
    pub(crate) fn raw(pieces: Vec<Piece>, then: Then) -> Self {
        let mut answer = Self::empty("");
        answer.status_line = None;
        answer.fields.clear();
        answer.body = pieces;
        answer.then = then;
        answer
    }

    fn of(version: &Version, status_line: &str) -> Self {
        let mut answer = Self::empty(status_line).with("Content-Type", "application/octet-stream");
        answer = answer.with("Accept-Ranges", "bytes");
        answer.content = Some(version.content);
        let validators = [("ETag", &version.etag), ("Last-Modified", &version.last_modified)];
        for (name, value) in validators {
            if let Some(value) = value {
                answer = answer.with(name, value);
            }
        }
        answer
    }

    fn empty(status_line: &str) -> Self {
        Self {
            before: Vec::new(),
            status_line: Some(status_line.to_owned()),
            fields: vec![("Date".to_owned(), now()), ("Server".to_owned(), "unkind-origin".to_owned())],
            line_end: "\r\n",
            body: Vec::new(),
            then: Then::Keep,
            pace: Duration::ZERO,
            content: None,
            frames: None,
        }
    }

    /// With something wrong where HTTP/2 is spoken.
    pub(crate) fn frames(mut self, frames: Frames) -> Self {
        self.frames = Some(frames);
        self
    }

    /// With a field, in the place of one that has its name.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.fields.push((name.to_owned(), value)),
        }
        self
    }

    /// With one more field, also beside one of the same name.
    pub(crate) fn and(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Without the field `name`.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn status_line(mut self, line: &str) -> Self {
        self.status_line = Some(line.to_owned());
        self
    }

    pub(crate) fn body(mut self, pieces: Vec<Piece>) -> Self {
        self.body = pieces;
        self
    }

    pub(crate) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// With its body ending after `count` bytes, if it is longer, and then `then`.
    pub(crate) fn cut(mut self, count: u64, then: Then) -> Self {
        let mut left = count;
        let mut kept = Vec::new();
        for piece in std::mem::take(&mut self.body) {
            let length = piece.length();
            if length > left {
                kept.push(piece.first(left));
                self.then = then;
                break;
            }
            left -= length;
            kept.push(piece);
        }
        self.body = kept;
        self
    }

    /// The bytes of its body, where they are wanted in one piece.
    pub(crate) fn body_bytes(&self) -> Vec<u8> {
        let bytes = self.body.iter().map(|piece| match piece {
            Piece::Bytes(bytes) | Piece::Slowly { bytes, .. } => bytes.clone(),
            Piece::Content(content, range) => content.part(range.clone()),
            Piece::Again { bytes, times } => bytes.repeat(usize::try_from(*times).unwrap_or(usize::MAX)),
        });
        bytes.collect::<Vec<_>>().concat()
    }

    /// The bytes of its head.
    pub(crate) fn head_bytes(&self) -> Vec<u8> {
        let Some(line) = &self.status_line else { return Vec::new() };
        let end = self.line_end;
        let mut head = format!("{line}{end}");
        for (name, value) in &self.fields {
            write!(head, "{name}: {value}{end}").expect("a string takes what is written to it");
        }
        head.push_str(end);
        head.into_bytes()
    }
}

/// A time as HTTP has it, in seconds since 1970.
pub(crate) fn date(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).expect("a time that the calendar has");
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).expect("a date of four digits a year")
}

pub(crate) fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_secs()).expect("a time that the calendar has")
}

fn now() -> String {
    date(now_seconds())
}
