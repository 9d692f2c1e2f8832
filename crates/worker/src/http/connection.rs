//! One connection, or a share in one: a request goes out, a head comes in. What is a body is read
//! elsewhere.

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bits_core::proxy::ProxyAddress;
use bits_core::remote_name::RemoteName;
use bits_core::transfer::{TransportError, TransportFault};
use bits_core::units::Bytes;
use bits_platform::socket::wait_readable;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::blocking::Blocking;
use super::head::{self, HEAD_BYTES_MAX, ParsedHead};
use super::http2::{self, Content, Room, Shared};
use super::request::Request;
use super::route::{Place, Route};
use super::settings::Timeouts;
use super::slots::Slot;
use super::tls::{self, CertificateAsked};
use crate::local_file::{EMFILE, ENFILE, ENOMEM};
use crate::pacing::{LimitedWindow, Paced};

/// Interim answers (1xx) taken before the final one; a server sends one, or two.
pub(super) const INTERIM_MAX: u32 = 8;
/// What is read at once while it is not known how much will come.
const PIECE_BYTES: usize = 16 * 1024;

/// What goes along with a socket as long as it is open.
#[derive(Debug)]
pub(super) struct Escort {
    /// What keeps it polite, if anything does.
    pub(super) paced: Option<Paced>,
    /// That it counts among all connections.
    pub(super) _slot: Slot,
}

/// The bytes of a connection, secure or not. Within TLS to a proxy there may be TLS to a server.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream, Escort),
    /// On a thread that may block. Never within TLS.
    Blocking(Blocking, Escort),
    Tls(Box<TlsStream<Stream>>),
}

impl Stream {
    /// What the other side of the innermost TLS has shown as its own certificate, in DER.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(..) | Self::Blocking(..) => None,
            Self::Tls(_) => self.certificates().first().map(|shown| shown.as_ref()),
        }
    }

    /// All that it has shown, its own first.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        match self {
            Self::Plain(..) | Self::Blocking(..) => &[],
            Self::Tls(tls) => tls.get_ref().1.peer_certificates().unwrap_or_default(),
        }
    }

    /// Whether it is kept polite for the job that made it.
    pub(super) fn is_paced(&self) -> bool {
        self.paced().is_some()
    }

    /// What keeps it polite, if anything does.
    pub(super) fn paced(&self) -> Option<&Paced> {
        match self {
            Self::Plain(_, escort) | Self::Blocking(_, escort) => escort.paced.as_ref(),
            Self::Tls(tls) => tls.get_ref().0.paced(),
        }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(tcp, _) => tcp.as_fd(),
            Self::Blocking(socket, _) => socket.as_fd(),
            Self::Tls(tls) => tls.get_ref().0.socket(),
        }
    }

    /// Whether the two sides have agreed to speak HTTP/2.
    pub(super) fn speaks_http_2(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(http2::ALPN))
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp, _) => tcp,
            Self::Blocking(..) => unreachable!("within TLS nothing blocks"),
            Self::Tls(tls) => tls.get_ref().0.tcp(),
        }
    }
}

/// What carries requests and answers.
#[derive(Debug)]
enum Carrier {
    /// One answer after the other.
    Own(Stream),
    /// It is with a thread, or whoever wanted it has failed.
    Away,
    /// Others ask over it, too. The body of the answer that has just begun is taken from here.
    Shared(Shared, Option<Box<Content>>),
}

/// A connection to one origin.
#[derive(Debug)]
pub(super) struct Connection {
    carrier: Carrier,
    /// Came and not yet used: what follows a head.
    pub(super) ahead: Ahead,
    /// Who is at the other end, for messages.
    pub(super) authority: String,
    pub(super) origin: RemoteName,
    route: Route,
    /// What became of the server's asking for a certificate.
    pub(super) certificate_asked: CertificateAsked,
    /// Whether nobody has proved or shown over it who asks, so that it may be lent.
    pub(super) is_anonymous: bool,
    /// Whether it has carried an answer before.
    is_used: bool,
    /// For the next request, where others ask too.
    room: Option<Room>,
    /// What was set so that no limit is exceeded.
    limited: LimitedWindow,
}

/// Bytes that came and were not yet used.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    start: usize,
}

impl Ahead {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.bytes.len(), "no more is used than came");
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }
}

/// Why an exchange failed, and whether anything of an answer had come.
#[derive(Debug)]
pub(super) struct ExchangeError {
    pub(super) error: TransportError,
    /// Nothing came, as when a kept connection had been closed meanwhile.
    pub(super) nothing_came: bool,
    /// Whether the other side said that it does not go on with the certificate it was shown.
    pub(super) is_about_our_certificate: bool,
    /// Whether the server has said that it did not begin with this request, so that it may be made
    /// again at once.
    pub(super) was_not_processed: bool,
    /// Whether the server wants to be asked over HTTP/1.1.
    pub(super) wants_http_1: bool,
}

impl ExchangeError {
    pub(super) fn new(error: TransportError) -> Self {
        Self {
            error,
            nothing_came: false,
            is_about_our_certificate: false,
            was_not_processed: false,
            wants_http_1: false,
        }
    }
}

impl Connection {
    pub(super) fn new(stream: Stream, name: &RemoteName, route: Route) -> Self {
        Self {
            carrier: Carrier::Own(stream),
            ahead: Ahead::default(),
            authority: route.shown(name),
            origin: name.clone(),
            route,
            certificate_asked: CertificateAsked::No,
            is_anonymous: true,
            is_used: false,
            room: None,
            limited: LimitedWindow::default(),
        }
    }

    /// A share in a connection, with room for a request.
    pub(super) fn sharing(shared: Shared, room: Room, name: &RemoteName, route: Route) -> Self {
        Self {
            ahead: Ahead::default(),
            authority: route.shown(name),
            origin: name.clone(),
            route,
            certificate_asked: shared.certificate_asked(),
            is_anonymous: false,
            is_used: false,
            room: Some(room),
            limited: LimitedWindow::default(),
            carrier: Carrier::Shared(shared, None),
        }
    }

    /// A connection to a proxy that is to become a tunnel to the server of `name`.
    pub(super) fn to_proxy(stream: Stream, name: &RemoteName, proxy: &ProxyAddress) -> Self {
        let authority = Place::Proxy(proxy).to_string();
        Self { authority, ..Self::new(stream, name, Route::Tunnelled(proxy.clone())) }
    }

    pub(super) fn into_stream(self) -> Stream {
        match self.carrier {
            Carrier::Own(stream) => stream,
            Carrier::Away | Carrier::Shared(..) => panic!("{NOT_HERE}"),
        }
    }

    /// What is shared with others, if anything is.
    pub(super) fn shared(&self) -> Option<&Shared> {
        match &self.carrier {
            Carrier::Shared(shared, _) => Some(shared),
            Carrier::Own(_) | Carrier::Away => None,
        }
    }

    /// The body of the answer that has just begun, where it does not come from a socket.
    pub(super) fn content(&mut self) -> Option<Box<Content>> {
        match &mut self.carrier {
            Carrier::Shared(_, content) => content.take(),
            Carrier::Own(_) | Carrier::Away => None,
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.shared().map_or(self.is_used, Shared::is_used)
    }

    pub(super) fn route(&self) -> &Route {
        &self.route
    }

    /// What the other side has shown as its own certificate, in DER.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        self.certificates().first().map(|shown| shown.as_ref())
    }

    /// All certificates that the other side has shown, its own first.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        match &self.carrier {
            Carrier::Own(stream) => stream.certificates(),
            Carrier::Shared(shared, _) => shared.certificates(),
            Carrier::Away => &[],
        }
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        match &mut self.carrier {
            Carrier::Own(stream) => stream,
            Carrier::Away | Carrier::Shared(..) => panic!("{NOT_HERE}"),
        }
    }

    /// Whether a thread can wait for its bytes: not where they are within TLS to a proxy.
    pub(super) fn may_be_direct(&self) -> bool {
        match &self.carrier {
            Carrier::Own(Stream::Plain(..)) => true,
            Carrier::Own(Stream::Tls(tls)) => matches!(tls.get_ref().0, Stream::Plain(..)),
            Carrier::Own(Stream::Blocking(..)) | Carrier::Away | Carrier::Shared(..) => false,
        }
    }

    /// Whether [`Connection::for_thread`] makes a difference.
    pub(super) fn may_block(&self) -> bool {
        matches!(self.carrier, Carrier::Own(Stream::Plain(..)))
    }

    /// The connection, for a thread that may block: where it is not secure, whoever waits for its bytes
    /// does so without the runtime. None when the system does not let the socket go.
    pub(super) fn for_thread(mut self) -> Option<Self> {
        self.carrier = match self.carrier {
            Carrier::Own(Stream::Plain(tcp, escort)) => {
                Carrier::Own(Stream::Blocking(Blocking::of(tcp).ok()?, escort))
            }
            Carrier::Away => return None,
            carrier => carrier,
        };
        Some(self)
    }

    /// Takes back what [`Connection::for_thread`] gave.
    pub(super) fn for_runtime(mut self) -> Option<Self> {
        self.carrier = match self.carrier {
            Carrier::Own(Stream::Blocking(socket, escort)) => {
                Carrier::Own(Stream::Plain(socket.into_tcp().ok()?, escort))
            }
            Carrier::Away => return None,
            carrier => carrier,
        };
        Some(self)
    }

    /// The bytes, for a thread that may block, and what else is known of the connection.
    pub(super) fn without_stream(mut self) -> (Self, Stream) {
        match std::mem::replace(&mut self.carrier, Carrier::Away) {
            Carrier::Own(stream) => (self, stream),
            Carrier::Away | Carrier::Shared(..) => panic!("{NOT_HERE}"),
        }
    }

    /// Takes back what [`Connection::without_stream`] gave.
    pub(super) fn with_stream(self, stream: Stream) -> Self {
        Self { carrier: Carrier::Own(stream), ..self }
    }

    /// Whether requests for `name` go to where this connection leads.
    pub(super) fn leads_to(&self, name: &RemoteName) -> bool {
        self.origin.same_origin(name)
    }

    /// Has the system take no more in advance than `window`, where nothing else looks after that.
    pub(super) fn limit_window(&mut self, window: Option<Bytes>) {
        match &self.carrier {
            Carrier::Own(stream) if !stream.is_paced() => self.limited.set(stream.socket(), window),
            Carrier::Own(_) | Carrier::Away | Carrier::Shared(..) => {}
        }
    }

    /// Whether it is kept back for the sake of others.
    pub(super) fn is_kept_back(&self) -> bool {
        match &self.carrier {
            Carrier::Own(stream) => stream.paced().is_some_and(Paced::is_kept_back),
            Carrier::Away | Carrier::Shared(..) => false,
        }
    }

    /// Whether it is kept polite for the job that made it.
    pub(super) fn is_paced(&self) -> bool {
        match &self.carrier {
            Carrier::Own(stream) => stream.is_paced(),
            Carrier::Shared(shared, _) => shared.is_paced(),
            Carrier::Away => false,
        }
    }

    /// The same, and by which way.
    pub(super) fn leads_as(&self, name: &RemoteName, route: &Route) -> bool {
        self.leads_to(name) && self.route == *route
    }

    /// The connection, if the server has neither closed it nor said anything since its answer; a share,
    /// if there is room for one more request.
    pub(super) fn if_quiet(mut self) -> Option<Self> {
        let stream = match &mut self.carrier {
            Carrier::Own(stream) => stream,
            Carrier::Away => return None,
            Carrier::Shared(shared, content) => {
                *content = None;
                self.room = Some(shared.room()?);
                return Some(self);
            }
        };
        // What lies decrypted in the session does not show at the socket, and would be taken for
        // the next answer.
        if let Stream::Tls(tls) = stream {
            let state = tls.get_mut().1.process_new_packets().ok()?;
            if state.plaintext_bytes_to_read() > 0 {
                return None;
            }
        }
        // Over TLS it may be a ticket for later that lies there; a new connection is its price. The
        // system is asked: what the runtime knows of a socket is older.
        let nothing_there = matches!(wait_readable(stream.socket(), Duration::ZERO), Ok(false));
        (self.ahead.is_empty() && nothing_there).then_some(self)
    }

    /// Sends the request and takes the head of the final answer.
    pub(super) async fn exchange(
        &mut self,
        request: &Request<'_>,
        timeouts: &Timeouts,
    ) -> Result<ParsedHead, ExchangeError> {
        if let Carrier::Shared(shared, content) = &mut self.carrier {
            let room = self.room.take().expect("a share is taken with room for a request");
            let (head, coming) = shared.exchange(request, room, timeouts, &self.authority).await?;
            *content = Some(Box::new(coming));
            return Ok(head);
        }
        let mut nothing_came = true;
        let mut is_about_our_certificate = false;
        let exchange = async {
            self.stream().write_all(request.text().as_bytes()).await?;
            self.stream().flush().await?;
            self.final_head(&mut nothing_came).await
        };
        let error = match timeout(timeouts.response_head, exchange).await {
            Ok(Ok(head)) => {
                self.is_used = true;
                return Ok(head);
            }
            Ok(Err(HeadError::Io(error))) => {
                is_about_our_certificate = tls::is_about_our_certificate(&error);
                self.broken(&error)
            }
            Ok(Err(HeadError::Invalid(why))) => TransportError {
                fault: TransportFault::InvalidAnswer,
                message: format!("{} {why}", self.authority),
            },
            Err(_) => TransportError {
                fault: TransportFault::TimedOut,
                message: format!(
                    "{} took the request and did not answer within {:?} (response_timeout)",
                    self.authority, timeouts.response_head
                ),
            },
        };
        Err(ExchangeError { nothing_came, is_about_our_certificate, ..ExchangeError::new(error) })
    }

    /// What a connection error means.
    pub(super) fn broken(&self, error: &io::Error) -> TransportError {
        broken(&self.authority, error)
    }

    async fn final_head(&mut self, nothing_came: &mut bool) -> Result<ParsedHead, HeadError> {
        for _ in 0..=INTERIM_MAX {
            let head = self.head(nothing_came).await?;
            match head.head.status {
                101 => return Err(HeadError::Invalid("wants to speak another protocol, unasked")),
                100..=199 => {}
                _ => return Ok(head),
            }
        }
        Err(HeadError::Invalid("sends one interim answer after the other"))
    }

    async fn head(&mut self, nothing_came: &mut bool) -> Result<ParsedHead, HeadError> {
        let mut seen = 0;
        loop {
            if let Some(end) = head::end_of_head(self.ahead.as_slice(), seen) {
                if end > HEAD_BYTES_MAX {
                    break;
                }
                let parsed = head::parse(&self.ahead.as_slice()[..end]).map_err(HeadError::Invalid)?;
                self.ahead.consume(end);
                return Ok(parsed);
            }
            seen = self.ahead.as_slice().len();
            if seen >= HEAD_BYTES_MAX {
                break;
            }
            if self.read_ahead().await? == 0 {
                return Err(HeadError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            *nothing_came = false;
        }
        Err(HeadError::Invalid("sent a head that is too long"))
    }

    /// Reads what is there behind what came before. Loses nothing when it is not waited for.
    pub(super) async fn read_ahead(&mut self) -> io::Result<usize> {
        if self.ahead.start > 0 {
            self.ahead.bytes.drain(..self.ahead.start);
            self.ahead.start = 0;
        }
        self.ahead.bytes.reserve(PIECE_BYTES);
        let Carrier::Own(stream) = &mut self.carrier else { panic!("{NOT_HERE}") };
        stream.read_buf(&mut self.ahead.bytes).await
    }
}

/// What an error of the connection to `authority` means.
pub(super) fn broken(authority: &str, error: &io::Error) -> TransportError {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return TransportError {
            fault: TransportFault::Aborted,
            message: format!("the secure connection to {authority} broke: {tls}"),
        };
    }
    if let Some(lack) = lack(authority, error) {
        return lack;
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => TransportError {
            fault: TransportFault::Aborted,
            message: format!("{authority} closed the connection too early"),
        },
        io::ErrorKind::TimedOut => TransportError {
            fault: TransportFault::TimedOut,
            message: format!("{authority} does not answer any more"),
        },
        _ => TransportError {
            fault: TransportFault::Aborted,
            message: format!("the connection to {authority} broke: {error}"),
        },
    }
}

/// What `error` means when it is we who lack something, whatever the other side does.
pub(super) fn lack(authority: impl fmt::Display, error: &io::Error) -> Option<TransportError> {
    match error.raw_os_error() {
        Some(ENOMEM) => Some(TransportError {
            fault: TransportFault::OutOfMemory,
            message: format!("there is not enough memory for the connection to {authority} ({error})"),
        }),
        Some(EMFILE | ENFILE) => Some(TransportError {
            fault: TransportFault::TooManyOpenFiles,
            message: format!("too many files are open for a connection to {authority} ({error})"),
        }),
        _ => None,
    }
}

const NOT_HERE: &str = "a socket is asked for where there is one";

enum HeadError {
    Io(io::Error),
    Invalid(&'static str),
}

impl From<io::Error> for HeadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream, _) => Pin::new(stream).poll_read(cx, out),
            Self::Blocking(stream, _) => Pin::new(stream).poll_read(cx, out),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream, _) => Pin::new(stream).poll_write(cx, bytes),
            Self::Blocking(stream, _) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream, _) => Pin::new(stream).poll_flush(cx),
            Self::Blocking(stream, _) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Self::Blocking(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_lack_ourselves_is_no_fault_of_the_connection() {
        const ECONNRESET: i32 = 104;
        for (errno, expected, word) in [
            (ENOMEM, TransportFault::OutOfMemory, "memory"),
            (EMFILE, TransportFault::TooManyOpenFiles, "too many files"),
            (ENFILE, TransportFault::TooManyOpenFiles, "too many files"),
            (ECONNRESET, TransportFault::Aborted, "broke"),
        ] {
            let error = broken("h.test", &io::Error::from_raw_os_error(errno));
            assert_eq!(error.fault, expected, "{errno}");
            assert!(error.message.contains("h.test") && error.message.contains(word), "{}", error.message);
        }
    }
}
