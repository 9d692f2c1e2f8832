//! The body of an answer of HTTP/2, as it comes in frames.

use std::task::{Context, Poll, ready};

use bits_core::transfer::BodyLength;
use bytes::{Buf as _, Bytes};
use h2::RecvStream;

use super::Room;

/// A body that is coming. Dropped before its end, the server is told to stop.
#[derive(Debug)]
pub(in crate::http) struct Content {
    stream: RecvStream,
    /// Of the last frame, and not yet taken.
    ahead: Bytes,
    /// What is still to come, the frame at hand included, where a length was said.
    left: Option<u64>,
    is_over: bool,
    /// Met when bytes had come too, which go first.
    error: Option<h2::Error>,
    _room: Room,
}

impl Content {
    pub(super) fn new(stream: RecvStream, length: BodyLength, room: Room) -> Self {
        let left = match length {
            BodyLength::Exactly(length) => Some(length.0),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        };
        Self { stream, ahead: Bytes::new(), left, is_over: false, error: None, _room: room }
    }

    /// What is still to come, where a length was said.
    pub(in crate::http) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Whether the stream has ended, and all of it was taken.
    pub(in crate::http) fn is_over(&self) -> bool {
        self.is_over && self.ahead.is_empty()
    }

    /// Puts what is there into `out`; none at the end. The last bytes are given out when the stream
    /// has ended, so that a body that is longer than was said is not taken for one that is whole.
    pub(in crate::http) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<Result<Option<usize>, h2::Error>> {
        let mut filled = 0;
        while filled < out.len() {
            match self.poll_ready(cx) {
                Poll::Ready(Ok(true)) => {
                    let count = self.ahead.len().min(out.len() - filled);
                    self.ahead.copy_to_slice(&mut out[filled..filled + count]);
                    filled += count;
                }
                Poll::Ready(Err(error)) if filled > 0 => {
                    self.error = Some(error);
                    break;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(false)) | Poll::Pending if filled > 0 => break,
                Poll::Ready(Ok(false)) => return Poll::Ready(Ok(None)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(filled as u64);
        }
        // A stream that is over has no window any more, and needs none.
        let _ = self.stream.flow_control().release_capacity(filled);
        Poll::Ready(Ok(Some(filled)))
    }

    /// Waits until there are bytes that may be given out; `false` at the end.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, h2::Error>> {
        loop {
            if let Some(error) = self.error.take() {
                return Poll::Ready(Err(error));
            }
            let is_last = self.left.is_some_and(|left| left <= self.ahead.len() as u64);
            if self.is_over || !(self.ahead.is_empty() || is_last) {
                return Poll::Ready(Ok(!self.ahead.is_empty()));
            }
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(frame)) if self.ahead.is_empty() => self.ahead = frame,
                // The library has counted, so this one is empty.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => self.is_over = true,
            }
        }
    }
}
