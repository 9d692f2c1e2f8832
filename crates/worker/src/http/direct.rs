//! The body of an answer of known length, plain or over TLS, read by a thread that does nothing else.
//!
//! One thread that reads and writes in turn costs half of what two do that hand buffers to each
//! other, and the system's own buffer keeps the network busy meanwhile. Bytes are gathered into
//! blocks that the disk can take as they are; what comes slowly is handed on before a block is full.
//! How it is written is not known here.

use std::io;
use std::time::{Duration, Instant};

use bits_core::transfer::{TransportError, TransportFault};
use bits_platform::files::{BLOCK_BYTES, Block};

use super::body::Body;
use super::connection::Connection;
use super::settings::silent;
use crate::pacing::{Allowed, LimitedWindow, Paced};

mod source;

pub(crate) use source::Interrupt;
pub(super) use source::Source;

/// How long bytes may wait for their block to become full.
const GATHERING_TIME: Duration = Duration::from_millis(200);

/// A body that leaves its socket to a thread.
#[derive(Debug)]
pub(crate) struct Direct {
    connection: Connection,
    source: Source,
    block: Block,
    /// Bytes in the block, and since when there are any.
    gathered: usize,
    gathering_since: Instant,
    /// Bytes of the body that are not handed on.
    left: u64,
    keeps_connection: bool,
    read_idle: Duration,
    last_byte: Instant,
    allowed: Allowed,
    /// What was set so that no limit is exceeded.
    limited: LimitedWindow,
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
        source: Source,
        left: u64,
        keeps_connection: bool,
        read_idle: Duration,
        allowed: Allowed,
    ) -> io::Result<Self> {
        let (block, now) = (Block::new()?, Instant::now());
        let (gathered, gathering_since, last_byte) = (0, now, now);
        Ok(Self {
            connection,
            source,
            block,
            gathered,
            gathering_since,
            left,
            keeps_connection,
            read_idle,
            last_byte,
            allowed,
            limited: LimitedWindow::default(),
        })
    }

    /// The means to end [`Direct::pour`] from elsewhere.
    ///
    /// # Errors
    /// When the system has no handle for it.
    pub(crate) fn interrupt(&self) -> Result<Interrupt, TransportError> {
        self.source.interrupt().map_err(|error| self.connection.broken(&error))
    }

    /// Blocks: gives what comes to `write`, up to `max` bytes or until `until`. Says how many bytes
    /// were written, and why no more. `place` is where the next byte belongs: blocks end where
    /// multiples of their size do. Bytes of a block that is not full may be kept for the next time.
    pub(crate) fn pour<E>(
        &mut self,
        max: u64,
        mut place: u64,
        until: Instant,
        mut write: impl FnMut(&[u8], u64) -> Result<(), E>,
    ) -> (u64, Poured<E>) {
        let max = max.min(self.left);
        let before = self.left;
        let mut why = None;
        while why.is_none() && before - self.left < max {
            let block_left = BLOCK_BYTES as u64 - place % BLOCK_BYTES as u64;
            let wanted = block_left.min(max - (before - self.left)) as usize;
            if self.gathered < wanted {
                why = self.gather(wanted, until);
            }
            let is_due = match why {
                None => self.gathered == wanted,
                Some(Poured::Enough) => self.gathering_since.elapsed() >= GATHERING_TIME,
                Some(_) => true,
            };
            if self.gathered == 0 || !is_due {
                continue;
            }
            match write(&self.block[..self.gathered], place) {
                Ok(()) => {
                    place += self.gathered as u64;
                    self.left -= self.gathered as u64;
                    self.gathered = 0;
                }
                Err(error) => return (before - self.left, Poured::NotWritten(error)),
            }
            if Instant::now() >= until {
                why.get_or_insert(Poured::Enough);
            }
        }
        (before - self.left, why.unwrap_or(Poured::Enough))
    }

    /// Receives until the block has `wanted` bytes; else says why not.
    fn gather<E>(&mut self, wanted: usize, until: Instant) -> Option<Poured<E>> {
        let (may, has_waited) = self.allowed.get_until(wanted - self.gathered, until);
        if has_waited {
            // The server is not to blame for that time.
            self.last_byte = Instant::now();
        }
        if let Some(socket) = self.source.unpaced_socket() {
            self.limited.set(socket, self.allowed.window());
        }
        if may == 0 {
            return Some(Poured::Enough);
        }
        let wanted = self.gathered + may;
        let patience = self.read_idle.saturating_sub(self.last_byte.elapsed());
        let wait = until.saturating_duration_since(Instant::now()).min(patience);
        match self.source.fill(&mut self.block[self.gathered..wanted], wait) {
            Ok(0) => Some(Poured::Closed),
            Ok(count) => {
                self.last_byte = Instant::now();
                if self.gathered == 0 {
                    self.gathering_since = self.last_byte;
                }
                self.gathered += count;
                self.allowed.took(count);
                (self.gathered < wanted && self.last_byte >= until).then_some(Poured::Enough)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if self.last_byte.elapsed() < self.read_idle {
                    return Some(Poured::Enough);
                }
                Some(Poured::Broken(TransportError {
                    fault: TransportFault::TimedOut,
                    message: silent(&self.connection.authority, self.read_idle),
                }))
            }
            Err(error) => Some(Poured::Broken(self.connection.broken(&error))),
        }
    }

    /// The body again; `None` when the connection is of no more use.
    pub(crate) fn into_body(self) -> Option<Body> {
        if self.gathered > 0 {
            return None;
        }
        let connection = self.connection.with_stream(self.source.into_stream()?);
        Some(Body::of_direct(connection, self.left, self.keeps_connection, self.read_idle, self.allowed))
    }

    /// Whether it was held back by us, since this was asked last: for a limit, or for the sake of others.
    pub(crate) fn was_held(&mut self) -> bool {
        self.allowed.was_held() || self.source.paced().is_some_and(Paced::is_kept_back)
    }
}
