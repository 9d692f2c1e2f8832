//! Connections to the service, and the one that is kept for the next request.
//!
//! The service keeps a connection as long as it wants to: one over which a secret came ends with the answer,
//! one that nobody uses after half a minute. So a kept one may have ended at any moment. When to ask again
//! is decided in `client`.

use std::sync::{Mutex, PoisonError};

use http_body_util::Full;
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::runtime::{Handle, Id};

/// A connection over which one request after the other can be sent.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Where it lives: elsewhere nobody would move it on.
    runtime: Id,
}

/// The connection that is left for the next request, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<Connection>>);

impl Connection {
    /// # Errors
    /// What HTTP has to say.
    pub(crate) async fn over(stream: UnixStream) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends when the service ends it, or when nobody holds this or the body of an answer any more.
        tokio::spawn(connection);
        Ok(Self { sender, runtime: Handle::current().id() })
    }

    /// # Errors
    /// What HTTP has to say; also when it has ended meanwhile.
    pub(crate) async fn send(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}

impl Kept {
    /// The connection that was left, unless it is known to be of no use.
    pub(crate) fn take(&self) -> Option<Connection> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let is_usable = connection.runtime == Handle::current().id() && !connection.sender.is_closed();
        is_usable.then_some(connection)
    }

    /// Leaves `connection` for the next request; the answer before it must have been read.
    pub(crate) fn leave(&self, connection: Connection) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }
}
