//! A file of this machine in the part of a server: what it answers when it is asked for a file or the
//! rest of one, and the bytes that follow.
//!
//! So the plan, with all it keeps true, is the same as for files that come over a network.

use std::path::Path;
use std::time::Instant;

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::FileIndex;
use bits_core::time::Timestamp;
use bits_core::transfer::{
    BodyLength, RangeAsked, ResponseHead, TransportError, TransportFault, written_date,
};
use bits_core::units::Bytes;
use bits_platform::files::{FileError, FileErrorKind, Source, SourceState};

use crate::http::Poured;
use crate::local_file::LocalFault;
use crate::pacing::Allowed;

/// Bytes read at once.
const BUFFER_BYTES: usize = 1024 * 1024;
/// A file that was changed a shorter time ago may be changed again without another time being seen.
const SETTLED_MILLIS: u64 = 1000;

/// What is to come of a file.
#[derive(Debug)]
pub(crate) struct LocalBody {
    source: Source,
    state: SourceState,
    path: String,
    place: Bytes,
    left: u64,
    buffer: Box<[u8]>,
    allowed: Allowed,
}

/// Asks for the file at `path`, or for a part of it.
pub(crate) fn answer(
    path: &str,
    range: Option<&RangeAsked>,
    now: Timestamp,
    file: FileIndex,
    allowed: Allowed,
) -> Result<(ResponseHead, LocalBody), JobError> {
    let failed = |error: FileError| {
        let code = match error.kind {
            FileErrorKind::NotFound => Some(Code::FILE_NOT_FOUND),
            FileErrorKind::NotAFolder => Some(Code::PATH_NOT_FOUND),
            // A folder, or another thing that is no file.
            FileErrorKind::Other(_) => Some(Code::ACCESS_DENIED),
            _ => None,
        };
        let error = LocalFault::from(error).into_job_error(file);
        JobError { context: ErrorContext::RemoteFile, code: code.unwrap_or(error.code), ..error }
    };
    let source = Source::open(Path::new(path)).map_err(failed)?;
    let state = source.state().map_err(failed)?;
    let tag = tag(&state, now);
    let wanted = range.filter(|range| range.if_range.as_ref().is_none_or(|if_range| *if_range == tag));
    let (status, from, end) = match wanted {
        None => (200, Bytes::ZERO, state.size),
        Some(range) if range.from >= state.size => (416, state.size, state.size),
        Some(range) => (206, range.from, range.end.unwrap_or(state.size).min(state.size)),
    };
    let left = end.beyond(from).0;
    let modified = Timestamp(u64::try_from(state.modified.as_millis()).unwrap_or(u64::MAX));
    let mut fields = vec![
        ("ETag".to_owned(), tag),
        ("Last-Modified".to_owned(), written_date(modified)),
        ("Date".to_owned(), written_date(now)),
    ];
    if status == 206 {
        let range = format!("bytes {}-{}/{}", from.0, end.0.saturating_sub(1), state.size.0);
        fields.push(("Content-Range".to_owned(), range));
    }
    let head = ResponseHead { status, body: BodyLength::Exactly(Bytes(left)), fields };
    let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
    Ok((head, LocalBody { source, state, path: path.to_owned(), place: from, left, buffer, allowed }))
}

/// A tag that another content does not have: strong, unless the file has just been changed.
fn tag(state: &SourceState, now: Timestamp) -> String {
    let weak = now.0.saturating_sub(u64::try_from(state.changed / 1_000_000).unwrap_or(0)) < SETTLED_MILLIS;
    format!(
        "{}\"{:x}-{:x}-{:x}-{:x}-{:x}\"",
        if weak { "W/" } else { "" },
        state.identity.device,
        state.identity.inode,
        state.size.0,
        state.modified.as_nanos(),
        state.changed
    )
}

impl LocalBody {
    /// Hands up to `max` bytes to `write`, until `until`. Says how many were written, and why no
    /// more.
    pub(crate) fn pour<E>(
        &mut self,
        max: u64,
        until: Instant,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> (u64, Poured<E>) {
        let mut poured = 0;
        while poured < max && Instant::now() < until {
            let wanted = self.left.min(max - poured).min(BUFFER_BYTES as u64) as usize;
            if wanted == 0 {
                return (poured, Poured::Closed);
            }
            let (wanted, _) = self.allowed.get_until(wanted, until);
            if wanted == 0 {
                break;
            }
            let count = match self.source.read_at(&mut self.buffer[..wanted], self.place) {
                Ok(0) => return (poured, Poured::Closed),
                Ok(count) => count,
                Err(error) => return (poured, self.broken(error.to_string())),
            };
            // Before the last byte counts: a file that changed meanwhile is no whole file.
            if count as u64 == self.left && self.source.state().ok() != Some(self.state) {
                return (poured, self.broken(format!("{} has changed while it was read", self.path)));
            }
            if let Err(error) = write(&self.buffer[..count]) {
                return (poured, Poured::NotWritten(error));
            }
            self.place = self.place.saturating_add(Bytes(count as u64));
            self.left -= count as u64;
            poured += count as u64;
            self.allowed.took(count);
        }
        (poured, Poured::Enough)
    }

    fn broken<E>(&self, message: String) -> Poured<E> {
        Poured::Broken(TransportError { fault: TransportFault::Aborted, message })
    }
}
