//! The body of an answer, read into the buffer of whoever writes it down.
//!
//! A body of known length goes from the socket into that buffer and nowhere else. What the bytes
//! mean, and where they belong, is not known here.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bits_core::transfer::{BodyEnd, BodyLength, TransportError, TransportFault};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};

use super::chunked::{Ahead, Chunks};
use super::connection::{Connection, Stream, lack};
use super::direct::{Direct, Source};
use super::head::ParsedHead;
use super::http2::{Content, Shared};
use super::settings::silent;
use crate::pacing::{Allowed, JobRate};

/// A chunk at least this large is read past the buffer of the connection.
const DIRECT_BYTES: u64 = 16 * 1024;
/// Bytes of an unwanted body that are read over to keep the connection: error pages are shorter.
const DRAIN_BYTES_MAX: u64 = 64 * 1024;
/// The least rest of a body for which another thread is worth it.
const POURED_BYTES_MIN: u64 = 1024 * 1024;
/// How long that may take before a new connection is the better choice.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// A body that is coming.
#[derive(Debug)]
pub(crate) struct Body {
    connection: Connection,
    framing: Framing,
    keeps_connection: bool,
    read_idle: Duration,
    /// Since when the next byte is waited for.
    waiting_since: Option<Instant>,
    /// Met when bytes had come too, which go first.
    error: Option<io::Error>,
    /// How fast it may come.
    allowed: Allowed,
}

#[derive(Debug)]
enum Framing {
    Exactly {
        left: u64,
    },
    Chunked(Chunks),
    UntilClose,
    /// It comes in frames, between those of other answers.
    Frames(Box<Content>),
    Over(BodyEnd),
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes(usize),
    Ended(BodyEnd),
}

impl Body {
    pub(super) fn new(
        mut connection: Connection,
        parsed: &ParsedHead,
        read_idle: Duration,
        rate: &Arc<JobRate>,
    ) -> Self {
        let framing = match (connection.content(), parsed.head.body) {
            (Some(content), _) => Framing::Frames(content),
            (None, BodyLength::Exactly(length)) => Framing::Exactly { left: length.0 },
            (None, BodyLength::Chunked) => Framing::Chunked(Chunks::new()),
            (None, BodyLength::UntilClose) => Framing::UntilClose,
        };
        Self {
            connection,
            framing,
            keeps_connection: parsed.keeps_connection,
            read_idle,
            waiting_since: None,
            error: None,
            allowed: Allowed::of(rate),
        }
    }

    /// Puts what is there into `out`, and waits only when there is nothing. Loses nothing when it
    /// is not waited for.
    ///
    /// # Errors
    /// When the connection broke, ended within the body, or has been silent for too long.
    pub(crate) async fn fill(&mut self, out: &mut [u8]) -> Result<Received, TransportError> {
        assert!(!out.is_empty(), "there is room for a byte");
        let out = match self.is_over() {
            true => out,
            false => {
                let most = self.allow(out.len()).await;
                &mut out[..most]
            }
        };
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let received = match timeout_at(since + self.read_idle, self.fill_at_last(out)).await {
            Ok(received) => received?,
            Err(_) => {
                // Nobody can tell whether the server is slow or the connection is dead.
                if let Some(shared) = self.connection.shared() {
                    shared.leave();
                }
                return Err(TransportError {
                    fault: TransportFault::TimedOut,
                    message: silent(&self.connection.authority, self.read_idle),
                });
            }
        };
        self.waiting_since = None;
        if let Received::Bytes(count) = received {
            self.allowed.took(count);
        }
        Ok(received)
    }

    /// Whether nothing more comes, so that there is nothing to wait for.
    fn is_over(&self) -> bool {
        match &self.framing {
            Framing::Over(_) | Framing::Exactly { left: 0 } => true,
            Framing::Frames(content) => content.is_over(),
            Framing::Exactly { .. } | Framing::Chunked(_) | Framing::UntilClose => false,
        }
    }

    /// Waits until it may take something of up to `most` bytes.
    async fn allow(&mut self, most: usize) -> usize {
        let most = match self.framing {
            Framing::Exactly { left } => usize::try_from(left).unwrap_or(usize::MAX).min(most),
            _ => most,
        };
        let waiting_since = self.waiting_since.take();
        let (most, has_waited) = self.allowed.get(most).await;
        // The server is not to blame for that time.
        self.waiting_since = waiting_since.filter(|_| !has_waited);
        self.connection.limit_window(self.allowed.window());
        most
    }

    /// Whether it was held back by us, since this was asked last: for a limit, or for the sake of others.
    pub(crate) fn was_held(&mut self) -> bool {
        self.allowed.was_held() || self.connection.is_kept_back()
    }

    /// Whether enough is left, in a form, that [`Body::into_direct`] is worth it.
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self.framing, Framing::Exactly { left } if left >= POURED_BYTES_MIN)
            && self.connection.may_be_direct()
            && self.connection.ahead.is_empty()
            && self.error.is_none()
    }

    /// The rest of the body, to be read straight from the socket, where one may block.
    ///
    /// # Errors
    /// When the system does not let the socket go.
    pub(crate) fn into_direct(self) -> Result<Direct, TransportError> {
        let Framing::Exactly { left } = self.framing else { panic!("a direct body has a length") };
        let authority = self.connection.authority.clone();
        let (keeps_connection, read_idle) = (self.keeps_connection, self.read_idle);
        let allowed = self.allowed;
        let (connection, stream) = self.connection.without_stream();
        let direct = Source::of(stream)
            .and_then(|source| Direct::new(connection, source, left, keeps_connection, read_idle, allowed));
        direct.map_err(|error| {
            lack(&authority, &error).unwrap_or_else(|| TransportError {
                fault: TransportFault::Aborted,
                message: format!("the connection to {authority} cannot be used: {error}"),
            })
        })
    }

    pub(super) fn of_direct(
        connection: Connection,
        left: u64,
        keeps_connection: bool,
        read_idle: Duration,
        allowed: Allowed,
    ) -> Self {
        Self {
            connection,
            framing: Framing::Exactly { left },
            keeps_connection,
            read_idle,
            waiting_since: None,
            error: None,
            allowed,
        }
    }

    /// Whether it comes between other answers.
    pub(super) fn is_shared(&self) -> bool {
        self.connection.shared().is_some()
    }

    /// For a while nobody wants a byte, and the server is not to blame.
    pub(crate) fn pause(&mut self) {
        self.waiting_since = None;
    }

    /// Takes the connection back from a thread that may block.
    ///
    /// # Errors
    /// When the system does not take the socket.
    pub(crate) fn for_runtime(self) -> Result<Self, TransportError> {
        let authority = self.connection.authority.clone();
        match self.connection.for_runtime() {
            Some(connection) => Ok(Self { connection, ..self }),
            None => Err(TransportError {
                fault: TransportFault::Aborted,
                message: format!("the connection to {authority} cannot be used"),
            }),
        }
    }

    /// The connection, for the next request, when there is little left of the body.
    pub(super) async fn into_connection(mut self) -> Option<Connection> {
        if !self.keeps_connection {
            return None;
        }
        match &self.framing {
            // Given up, a body in frames does not spoil the connection.
            Framing::Frames(content) if content.left().is_some_and(|left| left > DRAIN_BYTES_MAX) => {
                return Some(self.connection);
            }
            Framing::Frames(content) if content.is_over() => return Some(self.connection),
            Framing::Exactly { left } if *left > DRAIN_BYTES_MAX => return None,
            _ => {}
        }
        if matches!(self.framing, Framing::Exactly { left: 0 } | Framing::Over(BodyEnd::Complete)) {
            return Some(self.connection);
        }
        let is_drained = matches!(timeout(DRAIN_TIME, self.drain()).await, Ok(true));
        let is_good = is_drained || matches!(self.framing, Framing::Frames(_));
        is_good.then_some(self.connection)
    }

    async fn drain(&mut self) -> bool {
        let mut waste = vec![0; DIRECT_BYTES as usize];
        let mut drained = 0;
        while drained <= DRAIN_BYTES_MAX {
            match self.fill(&mut waste).await {
                Ok(Received::Bytes(count)) => drained += count as u64,
                Ok(Received::Ended(end)) => return end == BodyEnd::Complete,
                Err(_) => return false,
            }
        }
        false
    }

    async fn fill_at_last(&mut self, out: &mut [u8]) -> Result<Received, TransportError> {
        match &mut self.framing {
            Framing::Over(end) => Ok(Received::Ended(*end)),
            Framing::Exactly { left: 0 } => Ok(self.end(BodyEnd::Complete)),
            Framing::Exactly { left } => {
                let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(out.len());
                match self.read(&mut out[..wanted]).await? {
                    0 => Ok(self.end(BodyEnd::Closed)),
                    count => {
                        if let Framing::Exactly { left } = &mut self.framing {
                            *left -= count as u64;
                        }
                        Ok(Received::Bytes(count))
                    }
                }
            }
            Framing::Frames(content) => match poll_fn(|cx| content.poll_fill(cx, out)).await {
                Ok(Some(count)) => Ok(Received::Bytes(count)),
                Ok(None) => Ok(self.end(BodyEnd::Complete)),
                Err(error) => Err(Shared::broken(&error, &self.connection.authority)),
            },
            Framing::Chunked(_) => self.fill_from_chunks(out).await,
            Framing::UntilClose => match self.read(out).await? {
                0 => Ok(self.end(BodyEnd::Closed)),
                count => Ok(Received::Bytes(count)),
            },
        }
    }

    async fn fill_from_chunks(&mut self, out: &mut [u8]) -> Result<Received, TransportError> {
        let mut filled = 0;
        loop {
            let Framing::Chunked(chunks) = &mut self.framing else { unreachable!("the framing stays") };
            let ahead = &mut self.connection.ahead;
            let (over, next) = chunks.look(ahead.as_slice()).map_err(|why| TransportError {
                fault: TransportFault::InvalidAnswer,
                message: format!("{} {why}", self.connection.authority),
            })?;
            ahead.consume(over);
            match next {
                Ahead::Content(left) if !ahead.is_empty() && filled < out.len() => {
                    let left = usize::try_from(left).unwrap_or(usize::MAX);
                    let count = copy(&mut out[filled..], ahead.as_slice(), left);
                    ahead.consume(count);
                    chunks.took(count as u64);
                    filled += count;
                }
                _ if filled > 0 => return Ok(Received::Bytes(filled)),
                Ahead::End => return Ok(self.end(BodyEnd::Complete)),
                Ahead::Content(left) if left >= DIRECT_BYTES => {
                    let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
                    let count = self.read(&mut out[..wanted]).await?;
                    if count == 0 {
                        return Err(self.too_early());
                    }
                    if let Framing::Chunked(chunks) = &mut self.framing {
                        chunks.took(count as u64);
                    }
                    return Ok(Received::Bytes(count));
                }
                Ahead::Content(_) | Ahead::More => match self.connection.read_ahead().await {
                    Ok(0) => return Err(self.too_early()),
                    Ok(_) => {}
                    Err(error) => return Err(self.connection.broken(&error)),
                },
            }
        }
    }

    /// Reads as much as is there, from the connection's buffer or the socket; 0 at the end.
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, TransportError> {
        let ahead = &mut self.connection.ahead;
        if !ahead.is_empty() {
            let count = copy(out, ahead.as_slice(), usize::MAX);
            ahead.consume(count);
            return Ok(count);
        }
        let read = match self.error.take() {
            Some(error) => Err(error),
            None => read_available(self.connection.stream(), out, &mut self.error).await,
        };
        read.map_err(|error| self.connection.broken(&error))
    }

    fn end(&mut self, end: BodyEnd) -> Received {
        self.framing = Framing::Over(end);
        Received::Ended(end)
    }

    fn too_early(&self) -> TransportError {
        self.connection.broken(&io::ErrorKind::UnexpectedEof.into())
    }
}

fn copy(out: &mut [u8], from: &[u8], count_max: usize) -> usize {
    let count = out.len().min(from.len()).min(count_max);
    out[..count].copy_from_slice(&from[..count]);
    count
}

/// Reads until nothing is there or `out` is full. An error behind good bytes goes to `later`.
async fn read_available(
    stream: &mut Stream,
    out: &mut [u8],
    later: &mut Option<io::Error>,
) -> io::Result<usize> {
    let mut filled = 0;
    poll_fn(|cx| {
        while filled < out.len() {
            let mut rest = ReadBuf::new(&mut out[filled..]);
            match Pin::new(&mut *stream).poll_read(cx, &mut rest) {
                Poll::Ready(Ok(())) if rest.filled().is_empty() => break,
                Poll::Ready(Ok(())) => filled += rest.filled().len(),
                Poll::Ready(Err(error)) if filled > 0 => {
                    *later = Some(error);
                    break;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if filled > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(filled))
    })
    .await
}
