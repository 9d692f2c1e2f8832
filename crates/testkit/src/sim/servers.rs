//! The servers of a simulated world: honest by nature, with faults that strike one request each.
//!
//! They are not judged here; they only keep what they have served, so that it can be told what a
//! right file is.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bits_core::file::Validator;
use bits_core::remote_name::RemoteName;
use bits_core::time::Timestamp;
use bits_core::transfer::{BodyLength, Fetch, ResponseHead, TransportError, TransportFault, written_date};
use bits_core::units::Bytes;

use super::extents::{Extent, Extents, Source};
use super::random::Random;

/// By what a server tells its versions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Strong,
    Weak,
    Date,
    /// A date, which is left out where a part is served.
    ShyDate,
    None,
}

/// How a server frames what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// What strikes one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerFault {
    /// Nothing: the request before and the one after may have their own.
    None,
    Refused,
    NoAnswer,
    NotHttp,
    Status(u16, Option<u32>),
    /// The connection breaks after so many thousandths of the body.
    Cut(u64),
    /// The same, in order: as if all had come.
    Closed(u64),
    /// Nothing more comes after so many thousandths.
    Stall(u64),
    /// More is announced than there is.
    SaysMore,
    /// Less is announced than there is.
    SaysLess,
    Changed,
    ChangedBack,
    /// Changed, and whoever keeps the tag does not know.
    ChangedSilently,
    Corrupt(u64),
    IgnoresRange,
    WrongRange,
    NoSuchRange,
    Packed,
    Page,
    RedirectLoop,
}

/// One version of a remote file.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) size: u64,
    etag: String,
    modified: Timestamp,
    /// The sizes it was said to have.
    pub(super) sizes: Vec<u64>,
}

/// A remote file.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) name: RemoteName,
    pub(super) tag: Tag,
    pub(super) framing: Framing,
    pub(super) serves_ranges: bool,
    pub(super) gives_digest: bool,
    /// The password it wants.
    pub(super) password: Option<String>,
    /// Whether there will never be a file.
    pub(super) is_gone: bool,
    pub(super) versions: Vec<Version>,
    /// For the next requests, with the numbers by which each can be left out.
    pub(super) faults: VecDeque<(u32, ServerFault)>,
    /// Whether it has sent wrong bytes, or other bytes under the same tag.
    pub(super) has_lied: bool,
    /// Whether it has said another length than it has, or has ended as if all had come.
    pub(super) has_misspoken: bool,
    /// From where to where what it sends is not what it has.
    pub(super) spoiled: Option<(u64, u64)>,
    /// Bytes for each millisecond.
    pub(super) rate: u64,
    /// Another place that has the same versions.
    pub(super) twin: Option<usize>,
    /// Where else it says that the file is.
    pub(super) links: Vec<RemoteName>,
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Reply {
    Answer(ResponseHead, Body),
    Broken(TransportError),
    /// A password is wanted; whether one was sent and is wrong.
    Challenge {
        refused: bool,
    },
}

/// What is coming.
#[derive(Debug)]
pub(super) struct Body {
    rest: Extents,
    pub(super) ending: Ending,
    rate: u64,
    /// Whether nothing of it was taken.
    is_new: bool,
}

/// How a body ends when all that comes has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Complete,
    Closed,
    Broken,
    Silence,
}

impl Body {
    pub(super) fn left(&self) -> u64 {
        self.rest.len()
    }

    pub(super) fn take(&mut self, count: u64) -> Extents {
        self.is_new = false;
        let taken = self.rest.slice(0, count);
        self.rest = self.rest.slice(count, self.rest.len());
        taken
    }

    /// How many bytes come next, and after how many milliseconds.
    pub(super) fn next_chunk(&self, random: &mut Random) -> (u64, u64) {
        let left = self.left();
        // The beginning comes with the head.
        if self.is_new && random.chance(700) {
            return (random.magnitude(left).max(1), 1);
        }
        let count = random.between(1 + left / 6, 1 + left / 2).min(left);
        (count, count / self.rate.max(1) + 1)
    }
}

impl Version {
    pub(super) fn new(number: u32, size: u64) -> Self {
        // Each has a time of its own, long before anybody asks.
        let modified = Timestamp(1_500_000_000_000 + u64::from(number) * 1000);
        Self { number, size, etag: format!("v{number}"), modified, sizes: vec![size] }
    }

    /// Whether this is the version that an answer with `validator` has begun.
    pub(super) fn is_told_by(&self, validator: &Validator) -> bool {
        match (&validator.etag, &validator.last_modified) {
            (Some(etag), _) => etag.trim_start_matches("W/").trim_matches('"') == self.etag,
            (None, Some(modified)) => *modified == written_date(self.modified),
            (None, None) => false,
        }
    }

    pub(super) fn content(&self) -> Extents {
        Extents::of_version(self.number, 0, self.size)
    }
}

impl Resource {
    pub(super) fn current(&self) -> &Version {
        self.versions.last().expect("there is one at least")
    }

    /// Whether what it sends is never what it has.
    pub(super) fn spoils(&self) -> bool {
        self.spoiled.is_some_and(|(from, to)| from < to.min(self.current().size))
    }

    /// Answers `fetch` at `now`. `next_version` counts the versions of the world.
    pub(super) fn answer(
        &mut self,
        fetch: &Fetch,
        password: Option<&str>,
        now: Timestamp,
        next_version: &mut u32,
        random: &mut Random,
    ) -> (Reply, ServerFault) {
        let fault = self.faults.pop_front().map_or(ServerFault::None, |(_, fault)| fault);
        (self.reply(fetch, password, now, next_version, random, fault), fault)
    }

    fn reply(
        &mut self,
        fetch: &Fetch,
        password: Option<&str>,
        now: Timestamp,
        next_version: &mut u32,
        random: &mut Random,
        fault: ServerFault,
    ) -> Reply {
        let broken = |fault, message: &str| {
            Reply::Broken(TransportError { fault, message: format!("{} {message}", self.name.authority()) })
        };
        match fault {
            ServerFault::Refused => return broken(TransportFault::CannotConnect, "is not reached"),
            ServerFault::NoAnswer => return broken(TransportFault::TimedOut, "does not answer"),
            ServerFault::NotHttp => return broken(TransportFault::InvalidAnswer, "speaks no HTTP"),
            ServerFault::Status(status, retry_after) => return self.status(status, retry_after, now),
            ServerFault::RedirectLoop => return self.redirect(now),
            ServerFault::Page => return self.page(now),
            ServerFault::Changed => self.change(next_version, random),
            ServerFault::ChangedBack => self.change_back(),
            ServerFault::ChangedSilently => {
                let etag = self.current().etag.clone();
                let modified = self.current().modified;
                self.change(next_version, random);
                let version = self.versions.last_mut().expect("a new one");
                (version.etag, version.modified) = (etag, modified);
                self.has_lied = true;
            }
            _ => {}
        }
        if let Some(wanted) = &self.password {
            match password {
                Some(given) if given == wanted => {}
                given => return Reply::Challenge { refused: given.is_some() },
            }
        }
        if self.is_gone {
            return self.status(404, None, now);
        }
        self.content(fetch, now, random, fault)
    }

    /// It says that what it has is what `original` has.
    pub(super) fn poses_as(&mut self, original: &Self) {
        let (etag, modified) = (original.current().etag.clone(), original.current().modified);
        let version = self.versions.last_mut().expect("there is one at least");
        (version.etag, version.modified) = (etag, modified);
        self.gives_digest = false;
        self.has_lied = true;
    }

    /// The file is another one from now on.
    pub(super) fn change(&mut self, next_version: &mut u32, random: &mut Random) {
        let size = self.current().size;
        // Often as long as before, since that is what is hardest to tell.
        let size = if random.chance(500) { size } else { random.magnitude(2 * size + 10) };
        *next_version += 1;
        self.versions.push(Version::new(*next_version, size));
    }

    /// The file is again what it was before the last change, in all that is said of it: whoever changed it
    /// thought better of it, or one of two servers behind one name has not heard of it yet.
    fn change_back(&mut self) {
        let before = self.versions.iter().rev().nth(1).cloned();
        self.versions.extend(before);
    }

    fn content(&mut self, fetch: &Fetch, now: Timestamp, random: &mut Random, fault: ServerFault) -> Reply {
        let version = self.current().clone();
        let (etag, modified) = (self.etag(&version), written_date(version.modified));
        let asked = fetch.range.as_ref().filter(|_| self.serves_ranges && fault != ServerFault::IgnoresRange);
        let is_same = |tag: &str| Some(tag) == etag.as_deref() || tag == modified;
        let asked = asked.filter(|range| range.if_range.as_deref().is_none_or(is_same));
        let mut fields = vec![
            ("Date".to_owned(), written_date(now)),
            ("Content-Type".to_owned(), "application/octet-stream".to_owned()),
        ];
        let is_shy = self.tag == Tag::ShyDate && asked.is_some();
        if matches!(self.tag, Tag::Strong | Tag::Weak | Tag::Date | Tag::ShyDate) && !is_shy {
            fields.push(("Last-Modified".to_owned(), modified));
        }
        fields.extend(etag.map(|etag| ("ETag".to_owned(), etag)));
        let link = |name: &RemoteName| ("Link".to_owned(), format!("<{}>; rel=duplicate", name.as_str()));
        fields.extend(self.links.iter().map(link));
        if self.gives_digest {
            let digest = digest_field(&version.content());
            fields.push(("Repr-Digest".to_owned(), digest));
        }
        if fault == ServerFault::Packed {
            fields.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
        }
        let (status, mut body) = match asked {
            Some(range) => {
                let from = if fault == ServerFault::WrongRange { range.from.0 / 2 } else { range.from.0 };
                let to = range.end.map_or(version.size, |end| end.0.min(version.size));
                if fault == ServerFault::NoSuchRange {
                    return self.status(416, None, now);
                }
                if from >= to {
                    let said = ("Content-Range".to_owned(), format!("bytes */{}", version.size));
                    return self.short(416, vec![("Date".to_owned(), written_date(now)), said]);
                }
                let said = format!("bytes {from}-{}/{}", to - 1, version.size);
                fields.push(("Content-Range".to_owned(), said));
                (206, Extents::of_version(version.number, from, to))
            }
            None => (200, version.content()),
        };
        let len = body.len();
        if let Some((from, to)) = self.spoiled {
            let begin = body.iter().next().map_or(0, |first| first.at);
            let (from, to) = (from.max(begin), to.min(begin + len));
            if from < to {
                body.write(from - begin, &Extents::of(Source::Corrupt, from, to - from));
            }
        }
        let mut announced = len;
        self.has_misspoken |=
            matches!(fault, ServerFault::SaysMore | ServerFault::SaysLess | ServerFault::Closed(_));
        let mut ending = Ending::Complete;
        match fault {
            ServerFault::SaysMore => {
                announced += random.between(1, 1000);
                ending = Ending::Closed;
            }
            ServerFault::SaysLess if status == 200 => {
                announced = random.below(len);
                body = body.slice(0, announced);
                self.said(announced);
            }
            ServerFault::Cut(part) => {
                body = body.slice(0, len * part / 1000);
                ending = Ending::Broken;
            }
            ServerFault::Closed(part) => {
                body = body.slice(0, len * part / 1000);
                ending = Ending::Closed;
                if self.framing == Framing::UntilClose && status == 200 {
                    self.said(body.len());
                }
            }
            ServerFault::Stall(part) => {
                body = body.slice(0, len * part / 1000);
                ending = Ending::Silence;
            }
            ServerFault::Corrupt(part) if len > 0 => {
                let at = (len - 1) * part / 1000;
                body.write(at, &Extents::of(Source::Corrupt, at, 1));
                self.has_lied = true;
            }
            _ => {}
        }
        let body_length = match self.framing {
            _ if status == 206 => BodyLength::Exactly(Bytes(announced)),
            Framing::Length => BodyLength::Exactly(Bytes(announced)),
            Framing::Chunked => BodyLength::Chunked,
            Framing::UntilClose => BodyLength::UntilClose,
        };
        // Chunks that do not end are a broken connection, and what lasts until the end has one.
        match body_length {
            BodyLength::Chunked if ending == Ending::Closed => ending = Ending::Broken,
            BodyLength::UntilClose if ending == Ending::Complete => ending = Ending::Closed,
            _ => {}
        }
        let head = ResponseHead { status, body: body_length, fields };
        Reply::Answer(head, Body { rest: body, ending, rate: self.rate, is_new: true })
    }

    /// The current version was said to have `size` bytes.
    fn said(&mut self, size: u64) {
        self.versions.last_mut().expect("there is one at least").sizes.push(size);
    }

    fn etag(&self, version: &Version) -> Option<String> {
        match self.tag {
            Tag::Strong => Some(format!("\"{}\"", version.etag)),
            Tag::Weak => Some(format!("W/\"{}\"", version.etag)),
            Tag::Date | Tag::ShyDate | Tag::None => None,
        }
    }

    fn status(&self, status: u16, retry_after: Option<u32>, now: Timestamp) -> Reply {
        let mut fields = vec![("Date".to_owned(), written_date(now))];
        fields.extend(retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_string())));
        self.short(status, fields)
    }

    fn redirect(&self, now: Timestamp) -> Reply {
        let fields = vec![
            ("Date".to_owned(), written_date(now)),
            ("Location".to_owned(), self.name.as_str().to_owned()),
        ];
        self.short(302, fields)
    }

    /// What a network says that wants somebody to sign in. It may be taken for the file.
    fn page(&mut self, now: Timestamp) -> Reply {
        self.has_lied = true;
        let fields =
            vec![("Date".to_owned(), written_date(now)), ("Content-Type".to_owned(), "text/html".to_owned())];
        let head = ResponseHead { status: 200, body: BodyLength::Exactly(Bytes(700)), fields };
        let rest = Extents::of(Source::Corrupt, 0, 700);
        Reply::Answer(head, Body { rest, ending: Ending::Complete, rate: self.rate, is_new: true })
    }

    fn short(&self, status: u16, fields: Vec<(String, String)>) -> Reply {
        let head = ResponseHead { status, body: BodyLength::Exactly(Bytes(0)), fields };
        Reply::Answer(
            head,
            Body { rest: Extents::default(), ending: Ending::Complete, rate: self.rate, is_new: true },
        )
    }

    /// Whether `content` is what `ranges` want of one version of this file, as it was served.
    pub(super) fn has_served(&self, content: &Extents, ranges: &bits_core::ranges::Ranges) -> bool {
        self.versions.iter().any(|version| {
            if ranges.is_all() {
                let len = content.len();
                return version.sizes.contains(&len)
                    && *content == Extents::of_version(version.number, 0, len);
            }
            let mut wanted = Extents::default();
            for range in ranges.as_slice() {
                let end = range.end().map_or(version.size, |end| end.0);
                wanted.append(&Extents::of_version(version.number, range.offset.0, end));
            }
            *content == wanted
        })
    }

    /// Whether these bytes may have come from here, of whichever version.
    pub(super) fn may_have_sent(&self, part: &Extent) -> bool {
        match part.source {
            Source::Version(number) => self.versions.iter().any(|version| version.number == number),
            Source::Corrupt => true,
            Source::Hole | Source::Before => false,
        }
    }
}

fn digest_field(content: &Extents) -> String {
    let hexadecimal = content.checksum().to_string();
    let digits = hexadecimal.trim_start_matches("sha256:").as_bytes();
    let nibble = |byte: u8| (byte as char).to_digit(16).unwrap_or_default() as u8;
    let value: Vec<u8> = digits.chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect();
    format!("sha-256=:{}:", BASE64.encode(value))
}
