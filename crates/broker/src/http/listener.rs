//! The door: accepts connections, asks the kernel who is there, and serves them with limits.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Request;
use axum::response::{IntoResponse, Response};
use bits_core::access::Caller;
use bits_core::refusal::Refusal;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::answer::{Refused, end_connection};
use super::patience::Patient;
use super::timer::ConnectionTimer;

/// How long a client may take to send the head of a request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may leave an answer unread of which it has not taken anything.
const ANSWER_STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait before accepting again when the system has no more room for connections.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);
/// Bytes of one request's head.
const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Connections beyond their number that are told so at a time; more are closed without a word.
const REFUSALS_AT_ONCE_MAX: usize = 32;
/// What is still read of a connection after its last answer, in bytes and for how long.
const REST_BYTES_MAX: usize = 16 << 20;
const REST_TIMEOUT: Duration = Duration::from_secs(1);
/// How long such a connection may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub caller: Caller,
    /// The process, where the system knows it.
    pub process: Option<u32>,
}

/// Asks the kernel who is at the other end of a connection; handed in, as it differs by system.
pub type Identify = fn(BorrowedFd<'_>) -> io::Result<Peer>;

/// How many connections there are and have been: tells when nobody is there any more.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    served: AtomicUsize,
    /// The most at a time, and the most of one process.
    places_max: usize,
    places_of_one_max: usize,
    /// How many each process has.
    by_process: Mutex<HashMap<Option<u32>, usize>>,
    refusing: AtomicUsize,
    all_gone: Notify,
}

impl Connections {
    /// At most `places_max` connections at a time, and of them at most `places_of_one_max` of one
    /// process, so that one gone wild shuts nobody out.
    pub fn new(places_max: usize, places_of_one_max: usize) -> Self {
        Self {
            open: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            places_max,
            places_of_one_max,
            by_process: Mutex::default(),
            refusing: AtomicUsize::new(0),
            all_gone: Notify::new(),
        }
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Goes up with each connection.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits until the last connection is closed.
    pub async fn all_gone(&self) {
        loop {
            let gone = self.all_gone.notified();
            if self.open() == 0 {
                return;
            }
            gone.await;
        }
    }

    fn by_process(&self) -> MutexGuard<'_, HashMap<Option<u32>, usize>> {
        self.by_process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection, as long as it is there: also when a handler of it panics it gives its place back.
struct Open {
    connections: Arc<Connections>,
    process: Option<u32>,
}

impl Open {
    /// Takes a place for a connection of `process`.
    ///
    /// # Errors
    /// [`Refusal::TooManyConnections`].
    fn take(connections: &Arc<Connections>, process: Option<u32>) -> Result<Self, Refusal> {
        let mut by_process = connections.by_process();
        if connections.open() >= connections.places_max {
            let who = "all programs together have";
            return Err(Refusal::TooManyConnections { who, connections: connections.places_max });
        }
        let of_this_one = by_process.entry(process).or_default();
        if process.is_some() && *of_this_one >= connections.places_of_one_max {
            let who = "this program has";
            return Err(Refusal::TooManyConnections { who, connections: connections.places_of_one_max });
        }
        *of_this_one += 1;
        connections.open.fetch_add(1, Ordering::Relaxed);
        connections.served.fetch_add(1, Ordering::Relaxed);
        Ok(Self { connections: Arc::clone(connections), process })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut by_process = self.connections.by_process();
        if let Some(count) = by_process.get_mut(&self.process) {
            *count -= 1;
            if *count == 0 {
                by_process.remove(&self.process);
            }
        }
        drop(by_process);
        if self.connections.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.connections.all_gone.notify_waiters();
        }
    }
}

/// Answers with `answer` what is asked at `listener`, until `stopping` says so. Each request brings the
/// [`Caller`] along in its extensions. Connections that are busy then end after the answer they are at.
pub async fn serve<A: Future<Output = Response> + Send + 'static>(
    listener: UnixListener,
    answer: impl Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    connections: Arc<Connections>,
    identify: Identify,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stopping) => return,
        };
        match accepted.and_then(|(stream, _)| Ok((identify(stream.as_fd())?, stream))) {
            Ok((peer, stream)) => match Open::take(&connections, peer.process) {
                Ok(open) => {
                    let (answer, stopping) = (answer.clone(), stopping.clone());
                    let answer = move |mut request: Request<Incoming>| {
                        request.extensions_mut().insert(peer.caller);
                        answer(request)
                    };
                    tokio::spawn(async move {
                        serve_one(stream, answer, stopping).await;
                        drop(open);
                    });
                }
                Err(refusal) => refuse(stream, &refusal, &connections, stopping.clone()),
            },
            // Who cannot be known is not served, and a door that is jammed for a moment is not left.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

/// Answers whatever is asked with `refusal`, once, and does not wait for it long.
fn refuse(
    stream: UnixStream,
    refusal: &Refusal,
    connections: &Arc<Connections>,
    stopping: watch::Receiver<bool>,
) {
    if connections.refusing.fetch_add(1, Ordering::Relaxed) >= REFUSALS_AT_ONCE_MAX {
        connections.refusing.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let connections = Arc::clone(connections);
    let refusal = refusal.clone();
    let answer = move |_| {
        let mut response = Refused(refusal.clone()).into_response();
        end_connection(&mut response);
        ready(response)
    };
    tokio::spawn(async move {
        // Whoever asks nothing in that time needs no answer.
        let _ = timeout(REFUSAL_TIMEOUT, serve_one(stream, answer, stopping)).await;
        connections.refusing.fetch_sub(1, Ordering::Relaxed);
    });
}

/// Waits until it is said that the service stops, or nobody is left who could say it.
async fn told(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn serve_one<A: Future<Output = Response>>(
    stream: UnixStream,
    answer: impl Fn(Request<Incoming>) -> A,
    mut stopping: watch::Receiver<bool>,
) {
    let mut http = http1::Builder::new();
    http.timer(ConnectionTimer::new());
    http.header_read_timeout(REQUEST_HEAD_TIMEOUT);
    http.max_buf_size(REQUEST_HEAD_BYTES_MAX);
    let mut connection = http.serve_connection(
        TokioIo::new(Patient::new(stream, ANSWER_STALL_TIMEOUT)),
        service_fn(|request| {
            let answer = answer(request);
            // In a place of its own, as a connection asks for that whose stream is to be had back.
            Box::pin(async { Ok::<_, Infallible>(answer.await) })
        }),
    );
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        () = told(&mut stopping) => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    match ended {
        Ok(()) => part(connection.into_parts().io.into_inner()).await,
        Err(error) => tracing::debug!(%error, "a connection broke"),
    }
}

/// Ends a connection whose last answer is written. Who closes while something comes that nobody has read, as the
/// body of a request that was refused before, breaks it, and the other side may hear of that before the answer.
async fn part(mut stream: Patient) {
    let mut unread = [0; 4096];
    let rest = async {
        stream.shutdown().await?;
        for _ in 0..REST_BYTES_MAX / unread.len() {
            if stream.read(&mut unread).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Whoever goes on beyond that has only himself to blame.
    _ = timeout(REST_TIMEOUT, rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who calls in these tests.
    fn identify(_: BorrowedFd<'_>) -> io::Result<Peer> {
        Ok(Peer { caller: Caller { uid: 0 }, process: Some(1) })
    }

    /// Where one is served, for as long as it is kept.
    struct Door {
        folder: tempfile::TempDir,
        _stop: watch::Sender<bool>,
    }

    impl Door {
        fn open<A: Future<Output = Response> + Send + 'static>(
            answer: impl Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
            connections: Connections,
        ) -> (Self, Arc<Connections>) {
            let folder = tempfile::tempdir().expect("a folder");
            let listener = UnixListener::bind(folder.path().join("socket")).expect("a socket");
            let connections = Arc::new(connections);
            let (stop, stopping) = watch::channel(false);
            tokio::spawn(serve(listener, answer, Arc::clone(&connections), identify, stopping));
            (Self { folder, _stop: stop }, connections)
        }

        async fn enter(&self) -> UnixStream {
            UnixStream::connect(self.folder.path().join("socket")).await.expect("connected")
        }
    }

    async fn ask(stream: &mut UnixStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer[..count]).into_owned()
    }

    #[tokio::test]
    async fn an_answer_is_heard_of_whoever_is_refused_before_all_is_sent() {
        let refuse = |_| {
            let mut answer = Response::new(axum::body::Body::from("no"));
            end_connection(&mut answer);
            ready(answer)
        };
        let (door, _) = Door::open(refuse, Connections::new(9, 9));
        for length in [10, 9_000, 70_000, 1_000_000] {
            let mut stream = door.enter().await;
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("sent");
            stream.write_all(&vec![b'x'; length]).await.expect("somebody takes it, wanted or not");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer, and an end");
            assert!(answer.ends_with("no"), "{length}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_program_with_too_many_connections_is_told_so_and_served_again_when_it_has_closed_one() {
        let (door, connections) = Door::open(|_| async { "served".into_response() }, Connections::new(8, 2));
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut stream = door.enter().await;
            assert!(ask(&mut stream).await.ends_with("served"));
            held.push(stream);
        }
        let mut stream = door.enter().await;
        let refused = ask(&mut stream).await;
        assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("0x800706BB"), "{refused}");
        assert!(refused.contains("this program has 2 connections"), "{refused}");
        drop(held);
        connections.all_gone().await;
        let mut stream = door.enter().await;
        assert!(ask(&mut stream).await.ends_with("served"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_gives_its_place_back() {
        let (door, connections) =
            Door::open(|_| async { vec![0; 64 << 20].into_response() }, Connections::new(1, 1));
        let mut stream = door.enter().await;
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 "));
        assert_eq!(connections.open(), 1);
        connections.all_gone().await;
        drop(stream);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_for_some_time_is_closed() {
        let (door, connections) = Door::open(|_| async { "served".into_response() }, Connections::new(1, 1));
        let mut stream = door.enter().await;
        // Longer in all than one request may take.
        for _ in 0..3 {
            assert!(ask(&mut stream).await.ends_with("served"));
            tokio::time::sleep(REQUEST_HEAD_TIMEOUT * 2 / 3).await;
        }
        assert!(ask(&mut stream).await.ends_with("served"));
        let answered = tokio::time::Instant::now();
        stream.write_all(b"GET / HT").await.expect("sent");
        connections.all_gone().await;
        let waited = answered.elapsed().as_secs();
        assert_eq!(waited, REQUEST_HEAD_TIMEOUT.as_secs());
    }

    #[tokio::test]
    async fn a_connection_whose_handler_panics_gives_its_place_back() {
        let (door, connections) = Door::open(|_| async { panic!("a mistake") }, Connections::new(1, 1));
        // The second one has the place of the first.
        for _ in 0..2 {
            connections.all_gone().await;
            let mut stream = door.enter().await;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "nothing can be said");
        }
        connections.all_gone().await;
        assert_eq!((connections.open(), connections.served()), (0, 2));
    }
}
