//! A connection of HTTP/2: the same answers, put in frames, and what can be wrong with frames.
//!
//! Frames that are right are the library's (`h2`); those that are not are written between its own.

pub(crate) mod frames;

use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use rustix::net::sockopt::set_socket_linger;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::answer::{Answer, Piece, Then};
use crate::asked::Request;
use crate::content::pieces;

/// The name of the protocol, where TLS is agreed on.
pub(crate) const ALPN: &[u8] = b"h2";
/// How often something that lasts looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// How long the other side may take to read what was said last.
const LINGER: Duration = Duration::from_secs(2);

/// What is wrong with the frames of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Frames {
    /// After so many bytes of the body the stream is reset for this reason; without a head at all
    /// where it is none.
    Reset { at: Option<u64>, reason: u32 },
    /// The connection is ended, and this request was not looked at.
    GoneAway,
    /// The connection takes no more requests, and answers this one.
    Leaving,
    /// The body is all that there is, whatever length was said.
    Ended,
    /// This comes behind the body, as a trailer.
    Trailer { bytes: usize },
    /// So many interim answers come before.
    Interim { count: u64 },
    /// Instead of an answer such bytes, made for its stream: `first` once, `again` so many times. Then
    /// nothing, whatever the other side says.
    Raw { first: fn(u32) -> Vec<u8>, again: fn(u32) -> Vec<u8>, times: u64 },
}

/// What becomes of the connection.
enum Ending {
    Close,
    Reset,
    Leave,
    Write(Vec<u8>),
    /// From now on no frame is understood: `first` is said once, `again` so many times.
    Babble {
        first: Vec<u8>,
        again: Vec<u8>,
        times: u64,
    },
}

/// Serves `socket` until one side is done with it: every request goes to `answer`.
pub(crate) fn serve(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    stopping: &AtomicBool,
    answer: impl Fn(Request) -> Answer,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let stopped = async {
            while !stopping.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            served = converse(socket, config, answer) => served,
            () = stopped => Ok(()),
        }
    });
    runtime.shutdown_background();
    served
}

async fn converse(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    answer: impl Fn(Request) -> Answer,
) -> io::Result<()> {
    socket.set_read_timeout(None)?;
    socket.set_nonblocking(true)?;
    let socket = tokio::net::TcpStream::from_std(socket)?;
    let tls = Line(Arc::new(Mutex::new(TlsAcceptor::from(config).accept(socket).await?)));
    let mut connection = h2::server::handshake(tls.clone()).await.map_err(io::Error::other)?;
    let (endings, mut ended) = unbounded_channel();
    loop {
        tokio::select! {
            asked = connection.accept() => {
                let Some(Ok((asked, response))) = asked else { return Ok(()) };
                let answer = answer(request(&asked));
                tokio::spawn(send(answer, response, endings.clone()));
            }
            Some(ending) = ended.recv() => match ending {
                Ending::Write(bytes) => tls.write(&bytes).await?,
                Ending::Leave => connection.graceful_shutdown(),
                Ending::Babble { first, again, times } => return babble(tls, &first, &again, times).await,
                Ending::Reset => {
                    tls.with(|tls| set_socket_linger(tls.get_ref().0, Some(Duration::ZERO)))?;
                    return Ok(());
                }
                Ending::Close => {
                    poll_fn(|cx| tls.poll_shut(cx)).await?;
                    let goodbye = async { while connection.accept().await.is_some() {} };
                    let _ = tokio::time::timeout(LINGER, goodbye).await;
                    return Ok(());
                }
            },
        }
    }
}

/// Says what it is to say, and reads over what is answered, until the other side has enough.
async fn babble(tls: Line, first: &[u8], again: &[u8], times: u64) -> io::Result<()> {
    let mut heard = tls.clone();
    let listening = async {
        let mut waste = [0; 8192];
        while heard.read(&mut waste).await? > 0 {}
        io::Result::Ok(())
    };
    let talking = async {
        tls.write(first).await?;
        for _ in 0..times {
            tls.write(again).await?;
        }
        std::future::pending::<io::Result<()>>().await
    };
    tokio::select! {
        heard = listening => heard,
        said = talking => said,
    }
}

/// The request as it is recorded: with the name of the host where HTTP/1.1 has it.
fn request(asked: &http::Request<h2::RecvStream>) -> Request {
    let uri = asked.uri();
    let host = uri.authority().map(|authority| ("host".to_owned(), authority.to_string()));
    let fields = asked.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Request {
        method: asked.method().to_string(),
        target: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        version: "HTTP/2".to_owned(),
        fields: host.into_iter().chain(fields).collect(),
        is_tls: true,
    }
}

/// Sends `answer`. What the other side does not take is no trouble of ours.
async fn send(answer: Answer, response: SendResponse<Bytes>, endings: UnboundedSender<Ending>) {
    let _ = try_to_send(answer, response, &endings).await;
}

async fn try_to_send(
    answer: Answer,
    mut response: SendResponse<Bytes>,
    endings: &UnboundedSender<Ending>,
) -> Result<(), h2::Error> {
    let id = response.stream_id().as_u32();
    let end = |ending| drop(endings.send(ending));
    let mut stop_at = u64::MAX;
    match &answer.frames {
        Some(Frames::Reset { at: None, reason }) => {
            response.send_reset(Reason::from(*reason));
            return Ok(());
        }
        Some(Frames::Reset { at: Some(at), .. }) => stop_at = *at,
        Some(Frames::GoneAway) => {
            end(Ending::Write(frames::goaway(id.saturating_sub(2), 0)));
            end(Ending::Close);
            return std::future::pending().await;
        }
        Some(Frames::Leaving) => end(Ending::Leave),
        Some(Frames::Interim { count }) => {
            for _ in 0..*count {
                let early = http::Response::builder().status(103).body(()).expect("a head");
                response.send_informational(early)?;
                tokio::task::yield_now().await;
            }
        }
        Some(Frames::Raw { first, again, times }) => {
            end(Ending::Babble { first: first(id), again: again(id), times: *times });
            return std::future::pending().await;
        }
        Some(Frames::Ended | Frames::Trailer { .. }) | None => {}
    }
    let Some(head) = head(&answer) else {
        match answer.then {
            Then::Close | Then::HangUp => end(Ending::Close),
            Then::Reset => end(Ending::Reset),
            Then::Keep | Then::Hold => {}
        }
        return std::future::pending().await;
    };
    let length = head.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    let mut stream = response.send_response(head, false)?;
    let mut sent = 0;
    for piece in &answer.body {
        if sent < stop_at {
            sent += send_piece(&mut stream, piece, stop_at - sent, answer.pace).await?;
        }
    }
    match &answer.frames {
        Some(Frames::Reset { reason, .. }) => {
            // What was sent is to arrive first.
            tokio::time::sleep(LOOK).await;
            stream.send_reset(Reason::from(*reason));
            return Ok(());
        }
        Some(Frames::Ended) => return stream.send_data(Bytes::new(), true),
        Some(Frames::Trailer { bytes }) => {
            let mut trailer = http::HeaderMap::new();
            let value = http::HeaderValue::from_str(&"x".repeat(*bytes)).expect("a value");
            trailer.insert("x-behind", value);
            return stream.send_trailers(trailer);
        }
        _ => {}
    }
    let is_short = length.is_some_and(|length: u64| sent < length);
    match answer.then {
        Then::Hold => return std::future::pending().await,
        Then::Close | Then::HangUp if is_short => end(Ending::Close),
        Then::Reset => end(Ending::Reset),
        Then::Keep => return stream.send_data(Bytes::new(), true),
        Then::Close | Then::HangUp => {
            stream.send_data(Bytes::new(), true)?;
            end(Ending::Leave);
            return Ok(());
        }
    }
    // The stream is not to be reset before the connection ends.
    std::future::pending().await
}

/// The head of `answer`, if it has one: without what belongs to connections of HTTP/1.1.
fn head(answer: &Answer) -> Option<http::Response<()>> {
    let status = answer.status_line.as_ref()?.split(' ').nth(1)?;
    let mut head = http::Response::builder().status(status);
    for (name, value) in &answer.fields {
        if !["connection", "transfer-encoding", "keep-alive"].contains(&name.to_ascii_lowercase().as_str()) {
            head = head.header(name, value);
        }
    }
    head.body(()).ok()
}

/// Sends at most `max` bytes of `piece`; says how many.
async fn send_piece(
    stream: &mut SendStream<Bytes>,
    piece: &Piece,
    max: u64,
    pace: Duration,
) -> Result<u64, h2::Error> {
    let mut sent = 0;
    let first = |bytes: &[u8], sent: u64| {
        let left = usize::try_from(max - sent).unwrap_or(usize::MAX);
        bytes[..bytes.len().min(left)].to_vec()
    };
    match piece {
        Piece::Bytes(bytes) => sent += send_bytes(stream, first(bytes, sent)).await?,
        Piece::Content(content, range) => {
            for part in pieces(range.clone()) {
                sent += send_bytes(stream, first(&content.part(part), sent)).await?;
                tokio::time::sleep(pace).await;
            }
        }
        Piece::Again { bytes, times } => {
            for _ in 0..*times {
                sent += send_bytes(stream, first(bytes, sent)).await?;
            }
        }
        Piece::Slowly { bytes, at_once, every } => {
            for part in bytes.chunks(*at_once) {
                sent += send_bytes(stream, first(part, sent)).await?;
                tokio::time::sleep(*every).await;
            }
        }
    }
    Ok(sent)
}

/// Sends `bytes` as the other side takes them.
async fn send_bytes(stream: &mut SendStream<Bytes>, bytes: Vec<u8>) -> Result<u64, h2::Error> {
    let mut rest = Bytes::from(bytes);
    let length = rest.len() as u64;
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let Some(capacity) = poll_fn(|cx| stream.poll_capacity(cx)).await else { break };
        let part = rest.split_to(capacity?.min(rest.len()));
        stream.send_data(part, false)?;
    }
    Ok(length)
}

/// TLS that the library speaks over, and whoever wants to come between.
#[derive(Clone)]
struct Line(Arc<Mutex<TlsStream<tokio::net::TcpStream>>>);

impl Line {
    fn with<T>(&self, work: impl FnOnce(&mut TlsStream<tokio::net::TcpStream>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.with(|tls| Pin::new(tls).poll_write(cx, bytes))).await?;
            bytes = &bytes[written..];
        }
        poll_fn(|cx| self.with(|tls| Pin::new(tls).poll_flush(cx))).await
    }

    fn poll_shut(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|tls| Pin::new(tls).poll_shutdown(cx))
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|tls| Pin::new(tls).poll_read(cx, out))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|tls| Pin::new(tls).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|tls| Pin::new(tls).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shut(cx)
    }
}

/// Whether whoever connected through `socket` offers HTTP/2; nothing of what was said is taken.
pub(crate) fn is_offered(socket: &TcpStream, stopping: &AtomicBool) -> io::Result<bool> {
    let mut said = vec![0; 16 * 1024];
    let mut before = 0;
    loop {
        let count = match socket.peek(&mut said) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                before
            }
            Err(error) => return Err(error),
        };
        if stopping.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if count == before {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        before = count;
        let mut acceptor = rustls::server::Acceptor::default();
        acceptor.read_tls(&mut &said[..count])?;
        if let Ok(Some(accepted)) = acceptor.accept() {
            let hello = accepted.client_hello();
            return Ok(hello.alpn().is_some_and(|mut offered| offered.any(|name| name == ALPN)));
        }
    }
}
