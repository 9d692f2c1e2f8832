//! A socket on a thread that may block: whoever waits for its bytes does so in the system.
//!
//! Where answers are small and many, to be woken by the runtime costs more than to receive them. The
//! same code reads from it as from any other stream: after a moment without a byte it is said that
//! there is none yet, so that timeouts and stops are looked at; otherwise nothing is ever pending. It
//! has no place on a thread of the runtime.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long the system may wait; a stop takes up to that long to be heard.
const MOMENT: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Blocking(TcpStream);

impl Blocking {
    /// Takes `tcp` away from the runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn of(tcp: tokio::net::TcpStream) -> io::Result<Self> {
        let socket = tcp.into_std()?;
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(MOMENT))?;
        socket.set_write_timeout(Some(MOMENT))?;
        Ok(Self(socket))
    }

    /// Gives it back to the runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn into_tcp(self) -> io::Result<tokio::net::TcpStream> {
        self.0.set_read_timeout(None)?;
        self.0.set_write_timeout(None)?;
        self.0.set_nonblocking(true)?;
        tokio::net::TcpStream::from_std(self.0)
    }
}

impl AsFd for Blocking {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a call that waited for a moment says to whoever polls.
fn polled<T>(outcome: io::Result<T>, cx: &Context<'_>) -> Poll<io::Result<T>> {
    match outcome {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
            ) =>
        {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        outcome => Poll::Ready(outcome),
    }
}

impl AsyncRead for Blocking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        polled(self.0.read(out.initialize_unfilled()), cx).map_ok(|count| out.advance(count))
    }
}

impl AsyncWrite for Blocking {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        polled(self.0.write(bytes), cx)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}
