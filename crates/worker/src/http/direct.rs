//! The body of a plain answer of known length, read by a thread that does nothing else.
//!
//! One thread that reads and writes in turn costs half of what two do that hand buffers to each
//! other, and the system's own buffer keeps the network busy meanwhile. This is where splice(2)
//! would go.

use std::io::{self, Read as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use bits_core::transfer::{TransportError, TransportFault};

use super::body::Body;
use super::connection::Connection;

/// Bytes read at once: calls do not count any more, and the system takes no longer to fill it.
const BUFFER_BYTES: usize = 1024 * 1024;

/// A body that leaves its socket to a thread.
#[derive(Debug)]
pub(crate) struct Direct {
    connection: Connection,
    socket: TcpStream,
    buffer: Box<[u8]>,
    left: u64,
    keeps_connection: bool,
    read_idle: Duration,
    last_byte: Instant,
}

/// Ends the waiting for bytes from another thread. The connection ends with it.
#[derive(Debug)]
pub(crate) struct Interrupt(TcpStream);

impl Interrupt {
    pub(crate) fn interrupt(self) {
        // A connection that is gone already needs no interruption.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Why pouring ended.
#[derive(Debug)]
pub(crate) enum Poured<E> {
    /// Enough has come, or it is time to look after other things.
    Enough,
    /// The server closed the connection.
    Closed,
    Broken(TransportError),
    NotWritten(E),
}

impl Direct {
    pub(super) fn new(
        connection: Connection,
        socket: TcpStream,
        left: u64,
        keeps_connection: bool,
        read_idle: Duration,
    ) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { connection, socket, buffer, left, keeps_connection, read_idle, last_byte: Instant::now() }
    }

    /// The means to end [`Direct::pour`] from elsewhere.
    ///
    /// # Errors
    /// When the system has no handle for it.
    pub(crate) fn interrupt(&self) -> Result<Interrupt, TransportError> {
        self.socket.try_clone().map(Interrupt).map_err(|error| self.connection.broken(&error))
    }

    /// Blocks: gives what comes to `write`, up to `max` bytes or until `until`. Says how many bytes
    /// were written, and why no more.
    pub(crate) fn pour<E>(
        &mut self,
        max: u64,
        until: Instant,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> (u64, Poured<E>) {
        let max = max.min(self.left);
        let before = self.left;
        let patience = self.read_idle.saturating_sub(self.last_byte.elapsed());
        let wait = until.saturating_duration_since(Instant::now()).min(patience);
        // A timeout of zero would be none.
        let mut why = match self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)))) {
            Ok(()) => Poured::Enough,
            Err(error) => return (0, Poured::Broken(self.connection.broken(&error))),
        };
        while before - self.left < max {
            let wanted = usize::try_from(max - (before - self.left)).unwrap_or(usize::MAX);
            let wanted = wanted.min(self.buffer.len());
            match self.socket.read(&mut self.buffer[..wanted]) {
                Ok(0) => {
                    why = Poured::Closed;
                    break;
                }
                Ok(count) => {
                    self.last_byte = Instant::now();
                    if let Err(error) = write(&self.buffer[..count]) {
                        why = Poured::NotWritten(error);
                        break;
                    }
                    self.left -= count as u64;
                    if self.last_byte >= until {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.last_byte.elapsed() >= self.read_idle {
                        why = Poured::Broken(TransportError {
                            fault: TransportFault::TimedOut,
                            message: format!("{} has stopped sending", self.connection.authority),
                        });
                    }
                    break;
                }
                Err(error) => {
                    why = Poured::Broken(self.connection.broken(&error));
                    break;
                }
            }
        }
        (before - self.left, why)
    }

    /// The body again; `None` when the connection is of no more use.
    pub(crate) fn into_body(self) -> Option<Body> {
        self.socket.set_read_timeout(None).ok()?;
        let connection = self.connection.with_socket(self.socket).ok()?;
        Some(Body::of_direct(connection, self.left, self.keeps_connection, self.read_idle))
    }
}
