//! The door: accepts connections, asks the kernel who is there, and serves them with limits.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::{Extension, Router};
use bits_core::access::Caller;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore, watch};

use super::Socket;

/// How long a client may take to send the head of a request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait before accepting again when the system has no more room for connections.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);
/// Bytes of one request's head.
const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Asks the kernel who is at the other end of a connection; handed in, as it differs by system.
pub type Identify = fn(BorrowedFd<'_>) -> io::Result<Caller>;

/// How many connections there are and have been: tells when nobody is there any more.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    served: AtomicUsize,
    places: Semaphore,
    all_gone: Notify,
}

impl Connections {
    /// At most `places_max` connections at a time; more have to wait.
    pub fn new(places_max: usize) -> Self {
        Self {
            open: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            places: Semaphore::new(places_max),
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
}

/// One connection, as long as it is there: also when a handler of it panics it gives its place back.
struct Open(Arc<Connections>);

impl Open {
    /// Counts a connection whose place has been taken.
    fn count(connections: Arc<Connections>) -> Self {
        connections.open.fetch_add(1, Ordering::Relaxed);
        connections.served.fetch_add(1, Ordering::Relaxed);
        Self(connections)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.places.add_permits(1);
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.all_gone.notify_waiters();
        }
    }
}

/// Serves `router` at `listener`, until `stopping` says so. Connections that are busy then end
/// after the answer they are at.
pub async fn serve(
    listener: UnixListener,
    socket: Socket,
    router: Router,
    connections: Arc<Connections>,
    identify: Identify,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let place = connections.places.acquire().await.expect("the places are never closed");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stopping) => return,
        };
        match accepted.and_then(|(stream, _)| Ok((identify(stream.as_fd())?, stream))) {
            Ok((caller, stream)) => {
                place.forget();
                let router = router.clone().layer(Extension(caller)).layer(Extension(socket.clone()));
                let open = Open::count(Arc::clone(&connections));
                let stopping = stopping.clone();
                tokio::spawn(async move {
                    serve_one(stream, router, stopping).await;
                    drop(open);
                });
            }
            // Who cannot be known is not served, and a door that is jammed for a moment is not left.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

/// Waits until it is said that the service stops, or nobody is left who could say it.
async fn told(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn serve_one(stream: UnixStream, router: Router, mut stopping: watch::Receiver<bool>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    http.header_read_timeout(REQUEST_HEAD_TIMEOUT);
    http.max_buf_size(REQUEST_HEAD_BYTES_MAX);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_connection_whose_handler_panics_gives_its_place_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).expect("a socket");
        let router = Router::new().route("/", get(|| async { panic!("a mistake") as &str }));
        let connections = Arc::new(Connections::new(1));
        let (_stop, stopping) = watch::channel(false);
        let socket = Socket(path.display().to_string());
        let identify: Identify = |_| Ok(Caller { uid: 0 });
        tokio::spawn(serve(listener, socket, router, Arc::clone(&connections), identify, stopping));
        // The second one waits for the place of the first.
        for _ in 0..2 {
            let mut stream = UnixStream::connect(&path).await.expect("connected");
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "nothing can be said");
        }
        connections.all_gone().await;
        assert_eq!((connections.open(), connections.served()), (0, 2));
    }
}
