//! HTTP/2: several requests at a time over one connection, which whoever asks that server shares.
//!
//! Frames, header compression, windows and their limits are the library's (`h2`). Here is what it is
//! given to go by, and what a failure means. Who may share a connection, and whether there is to be
//! one, is decided elsewhere.

mod content;
mod fault;
#[cfg(test)]
mod tests;
mod watched;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bits_core::transfer::{TransportError, TransportFault};
use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::{ExchangeError, INTERIM_MAX, Stream};
use super::head::{self, HEAD_BYTES_MAX, ParsedHead};
use super::request::Request;
use super::settings::Timeouts;
use super::tls::CertificateAsked;

pub(super) use content::Content;
use fault::{Unanswered, exchange_error, unsayable};
use watched::Watched;

/// How we name it when TLS is agreed on (RFC 9113 §3.1).
pub(super) const ALPN: &[u8] = b"h2";
/// Requests of ours under way at a time; the next ones get another connection.
const STREAMS_MAX: usize = 64;
/// What a server may send of one body before we have taken it: as much as the system lets a socket
/// have in flight, so that a body is no slower than over a connection of its own.
const STREAM_WINDOW: u32 = 6 * 1024 * 1024;
/// The same of all bodies together: what is kept in memory at most while the disk is slow.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// The least of it under a limit: it cannot be made larger when the limit is lifted.
const LIMITED_WINDOW_MIN: u32 = 1024 * 1024;
/// Bytes of one frame. Servers send 8 or 16 KiB; larger ones cost less.
const FRAME_BYTES_MAX: u32 = 64 * 1024;
/// Streams that we have given up and whose last frames may still come, remembered so long.
const GIVEN_UP_STREAMS_MAX: usize = 64;
const GIVEN_UP_TIME: Duration = Duration::from_secs(10);
/// Streams in which the server broke a rule before the connection is given up.
const BROKEN_STREAMS_MAX: usize = 32;
/// How long a connection may take to say goodbye when nobody uses it.
const LEAVE_TIME: Duration = Duration::from_secs(2);

/// A connection. All clones are one; it ends with the last of them.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Inner>);

/// The same, without keeping it open.
#[derive(Debug, Clone)]
pub(super) struct WeakShared(std::sync::Weak<Inner>);

/// Room for one request, until the end of its answer.
#[derive(Debug)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Inner {
    requests: SendRequest<Bytes>,
    certificates: Vec<CertificateDer<'static>>,
    certificate_asked: CertificateAsked,
    is_paced: bool,
    is_used: AtomicBool,
    under_way: Arc<AtomicUsize>,
    /// Whether the other side said that it does not go on with the certificate it was shown.
    refused_certificate: Arc<AtomicBool>,
    /// Whether nothing more is to be asked over it; what is under way goes on.
    is_left: Arc<AtomicBool>,
    _nobody_uses_it: DropGuard,
}

impl Shared {
    /// Begins to speak HTTP/2 over `stream`, where that was agreed on. With a limit, no more of one body
    /// may come in advance than `ahead`, or a mebibyte.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) async fn open(
        stream: Stream,
        asked: CertificateAsked,
        timeouts: &Timeouts,
        authority: &str,
        ahead: Option<bits_core::units::Bytes>,
    ) -> Result<Self, TransportError> {
        let ahead = ahead.map(|ahead| u32::try_from(ahead.0).unwrap_or(u32::MAX).max(LIMITED_WINDOW_MIN));
        let certificates = stream.certificates().to_vec();
        let is_paced = stream.is_paced();
        let refused_certificate = Arc::new(AtomicBool::new(false));
        let refused = refused_certificate.clone();
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(ahead.unwrap_or(STREAM_WINDOW).min(STREAM_WINDOW))
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME_BYTES_MAX)
            // Of a trailer no more is kept; the connection is given up at four times as much.
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_concurrent_reset_streams(GIVEN_UP_STREAMS_MAX)
            .reset_stream_duration(GIVEN_UP_TIME)
            .max_local_error_reset_streams(Some(BROKEN_STREAMS_MAX));
        let greeted = timeout(timeouts.connect, builder.handshake(Watched { stream, refused })).await;
        let (requests, connection) = match greeted {
            Ok(greeted) => greeted.map_err(|error| Self::broken(&error, authority))?,
            Err(_) => {
                return Err(TransportError {
                    fault: TransportFault::TimedOut,
                    message: format!("{authority} took the connection and does not take anything more"),
                });
            }
        };
        let is_left = Arc::new(AtomicBool::new(false));
        let nobody_uses_it = CancellationToken::new();
        let (left, unused) = (is_left.clone(), nobody_uses_it.clone());
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => Some(ended),
                () = unused.cancelled() => timeout(LEAVE_TIME, connection).await.ok(),
            };
            left.store(true, Ordering::Relaxed);
            if let Some(Err(error)) = ended {
                // Whoever waited for something has been told, too.
                tracing::debug!(%error, "a connection of HTTP/2 broke");
            }
        });
        Ok(Self(Arc::new(Inner {
            requests,
            certificates,
            certificate_asked: asked,
            is_paced,
            is_used: AtomicBool::new(false),
            under_way: Arc::default(),
            refused_certificate,
            is_left,
            _nobody_uses_it: nobody_uses_it.drop_guard(),
        })))
    }

    /// Asks, and takes the head of the final answer.
    pub(super) async fn exchange(
        &self,
        request: &Request<'_>,
        room: Room,
        timeouts: &Timeouts,
        authority: &str,
    ) -> Result<(ParsedHead, Content), ExchangeError> {
        let Some(request) = request.message() else { return Err(unsayable(authority)) };
        let answer = async {
            let mut requests = self.0.requests.clone().ready().await.map_err(Unanswered::NotAsked)?;
            let (response, _) = requests.send_request(request, true).map_err(Unanswered::NotAsked)?;
            let response = final_answer(response).await?;
            let (head, body) = response.into_parts();
            let parsed = head::of_message(head.status.as_u16(), &head.headers);
            let parsed = parsed.map_err(Unanswered::Invalid)?;
            let content = Content::new(body, parsed.head.body, room);
            Ok::<_, Unanswered>((parsed, content))
        };
        let error = match timeout(timeouts.response_head, answer).await {
            Ok(Ok(answer)) => {
                self.0.is_used.store(true, Ordering::Relaxed);
                return Ok(answer);
            }
            Ok(Err(unanswered)) => {
                if unanswered.ends_connection() {
                    self.leave();
                }
                let error = exchange_error(&unanswered, authority);
                let is_about_our_certificate = self.0.refused_certificate.load(Ordering::Relaxed);
                return Err(ExchangeError { is_about_our_certificate, ..error });
            }
            Err(_) => TransportError {
                fault: TransportFault::TimedOut,
                message: format!("{authority} took the request and did not answer in time"),
            },
        };
        // Nobody can tell whether the server is slow or the connection is dead.
        self.leave();
        Err(ExchangeError::new(error))
    }

    /// Has nothing more asked over it.
    pub(super) fn leave(&self) {
        self.0.is_left.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_left(&self) -> bool {
        self.0.is_left.load(Ordering::Relaxed)
    }

    /// Room for one more request, if there is any now; the server may allow less than we do.
    pub(super) fn room(&self) -> Option<Room> {
        let allowed = self.0.requests.current_max_send_streams().clamp(1, STREAMS_MAX);
        let under_way = &self.0.under_way;
        let one_more = |now: usize| (now < allowed).then_some(now + 1);
        let taken =
            !self.is_left() && under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        taken.then(|| Room(under_way.clone()))
    }

    /// Whether it has carried an answer before.
    pub(super) fn is_used(&self) -> bool {
        self.0.is_used.load(Ordering::Relaxed)
    }

    pub(super) fn is_paced(&self) -> bool {
        self.0.is_paced
    }

    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0.certificates
    }

    pub(super) fn certificate_asked(&self) -> CertificateAsked {
        self.0.certificate_asked
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn downgrade(&self) -> WeakShared {
        WeakShared(Arc::downgrade(&self.0))
    }

    /// What a failure in the middle of a body means.
    pub(super) fn broken(error: &h2::Error, authority: &str) -> TransportError {
        fault::of_body(error, authority)
    }
}

impl WeakShared {
    pub(super) fn upgrade(&self) -> Option<Shared> {
        self.0.upgrade().map(Shared)
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("is_left", &self.is_left).finish_non_exhaustive()
    }
}

/// Reads over interim answers (1xx), of which a server sends one, or two.
async fn final_answer(mut response: ResponseFuture) -> Result<http::Response<h2::RecvStream>, Unanswered> {
    let mut interim = 0;
    poll_fn(|cx| {
        while let Poll::Ready(Some(came)) = response.poll_informational(cx) {
            came.map_err(Unanswered::Failed)?;
            interim += 1;
            if interim > INTERIM_MAX {
                return Poll::Ready(Err(Unanswered::Invalid("sends one interim answer after the other")));
            }
        }
        Pin::new(&mut response).poll(cx).map_err(Unanswered::Failed)
    })
    .await
}
