//! The connections of one controller: what the system says of them becomes its tick, and its
//! decision their windows.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bits_core::pacing::{
    ConnectionId, Controller, MinimumShare, PathId, Sample, Standing, TargetDelay, Tick, Weight,
};
use bits_core::units::Bytes;
use bits_platform::pacing::{TcpInfo, prepare_download, prepare_upload, set_window, smooth, tcp_info};

use super::Direction;

/// What a connection may have in flight until the first tick: what servers send at first anyway.
const FIRST_WINDOW: Bytes = Bytes(14_480);
/// Ticks after which a window that was set must be seen: a smaller one holds only when as much has
/// come as was allowed before.
const HEEDED_AFTER_TICKS: u32 = 200;

/// A connection that takes part.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    path: PathId,
    weight: Weight,
    pub(super) socket: OwnedFd,
    /// What it may have in flight; `None` while it is parked.
    pub(super) window: Option<Bytes>,
    measured: Option<TcpInfo>,
    /// Ticks in a row in which more was advertised than was ever allowed meanwhile.
    unheeded: Unheeded,
}

#[derive(Debug, Clone, Copy, Default)]
struct Unheeded {
    largest: Bytes,
    ticks: u32,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, path: PathId, weight: Weight, socket: OwnedFd) -> Self {
        let window = Some(FIRST_WINDOW);
        Self { id, path, weight, socket, window, measured: None, unheeded: Unheeded::default() }
    }

    /// What goes in one packet; one byte while that is not known.
    pub(super) fn segment(&self) -> Bytes {
        self.measured.map_or(Bytes(1), |info| info.send_segment.max(Bytes(1)))
    }

    fn sample(&self, direction: Direction) -> Option<Sample> {
        let info = self.measured.as_ref()?;
        let Self { id, path, weight, .. } = *self;
        Some(match direction {
            Direction::Download => Sample {
                id,
                path,
                weight,
                round_trip: info.receiver_round_trip,
                carried: info.received,
                on_wire: info.received,
                losses: info.out_of_order,
                segment: info.receive_segment,
            },
            Direction::Upload => Sample {
                id,
                path,
                weight,
                round_trip: info.sender_round_trip,
                carried: info.acknowledged,
                on_wire: info.sent,
                losses: info.sent_again,
                segment: info.send_segment,
            },
        })
    }

    /// Whether the kernel has gone on advertising more than was allowed, seen for the first time.
    fn is_unheeded(&mut self) -> bool {
        let Some((advertised, step)) = self.measured.and_then(|info| info.receive_window) else {
            return false;
        };
        let Unheeded { largest, ticks } = &mut self.unheeded;
        *largest = (*largest).max(self.window.unwrap_or_default());
        let allowed = largest.saturating_add(step).saturating_add(FIRST_WINDOW);
        *ticks = if advertised > allowed { *ticks + 1 } else { 0 };
        *ticks == HEEDED_AFTER_TICKS
    }
}

/// What has crossed an interface in one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Crossed {
    /// In all; `None` where nobody counts.
    pub(super) interface: Option<Bytes>,
    /// Since the last tick, from or to hosts on the same link.
    pub(super) neighbours: Bytes,
}

/// All connections of one controller.
#[derive(Debug)]
pub(super) struct Group {
    direction: Direction,
    controller: Controller,
    connections: Vec<Connection>,
    /// Carried by connections that are gone, and not yet told.
    departed: Bytes,
}

impl Group {
    pub(super) fn new(direction: Direction, target: TargetDelay, share: MinimumShare) -> Self {
        let controller = Controller::new(target, share);
        Self { direction, controller, connections: Vec::new(), departed: Bytes::ZERO }
    }

    pub(super) fn join(&mut self, connection: Connection) -> io::Result<()> {
        match self.direction {
            Direction::Download => prepare_download(&connection.socket, FIRST_WINDOW)?,
            Direction::Upload => prepare_upload(&connection.socket)?,
        }
        self.connections.push(connection);
        Ok(())
    }

    /// A connection is about to be closed. What it has carried since the last tick is ours, too.
    pub(super) fn leave(&mut self, id: ConnectionId) {
        let Some(at) = self.connections.iter().position(|connection| connection.id == id) else { return };
        let connection = self.connections.swap_remove(at);
        let carried = |info: TcpInfo| match self.direction {
            Direction::Download => info.received,
            Direction::Upload => info.sent,
        };
        let last = tcp_info(&connection.socket).map(carried).unwrap_or_default();
        let told = connection.measured.map(carried).unwrap_or(last);
        self.departed = self.departed.saturating_add(last.beyond(told));
    }

    pub(super) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.id == id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    pub(super) fn sees_others(&self) -> bool {
        self.controller.sees_others()
    }

    pub(super) fn standing(&self) -> Standing {
        self.controller.standing()
    }

    /// Asks the system about each connection.
    pub(super) fn measure(&mut self) {
        for connection in &mut self.connections {
            connection.measured = tcp_info(&connection.socket).ok().or(connection.measured);
        }
    }

    /// Has the controller decide on what was measured, and sets it. Says whether there is anybody to
    /// decide on.
    pub(super) fn tick(&mut self, now: Duration, crossed: Crossed) -> bool {
        let direction = self.direction;
        let samples: Vec<_> =
            self.connections.iter().filter_map(|connection| connection.sample(direction)).collect();
        if samples.is_empty() {
            return !self.is_empty();
        }
        let departed = std::mem::take(&mut self.departed);
        let before = self.controller.standing();
        let decision = self.controller.tick(Tick {
            now,
            connections: &samples,
            departed,
            interface: crossed.interface,
            neighbours: crossed.neighbours,
        });
        let standing = self.controller.standing();
        if standing != before {
            tracing::debug!(?direction, ?before, ?standing, window = decision.window.0, "pacing");
        }
        for share in decision.shares {
            let known = self.connections.iter_mut().find(|connection| connection.id == share.id);
            let connection = known.expect("a decision is about those that were told");
            connection.window = share.window;
            // A connection that is just being closed by the other side cannot be set, and need not.
            let _ = match direction {
                Direction::Download => {
                    if connection.is_unheeded() {
                        tracing::warn!("the system advertises more than it was told to: it is not polite");
                    }
                    set_window(&connection.socket, share.window.unwrap_or_default())
                }
                Direction::Upload => smooth(&connection.socket, share.smoothing),
            };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use bits_core::job::Priority;

    use super::*;

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let ours = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        (ours, listener.accept().expect("a connection").0)
    }

    fn group(direction: Direction, id: u64, socket: &TcpStream) -> Group {
        let mut group = Group::new(direction, TargetDelay::QUIET, MinimumShare::NOTHING);
        let socket = socket.try_clone().expect("a socket").into();
        let weight = Weight::of(Priority::Normal);
        group.join(Connection::new(ConnectionId(id), PathId(1), weight, socket)).expect("it can be set");
        group
    }

    #[test]
    fn what_a_connection_carried_before_it_was_gone_is_not_taken_for_traffic_of_others() {
        let (mut ours, mut theirs) = connection();
        let mut group = group(Direction::Download, 7, &ours);
        theirs.write_all(&[1; 1000]).expect("sent");
        ours.read_exact(&mut [0; 1000]).expect("received");
        group.measure();
        assert!(group.tick(Duration::from_millis(10), Crossed::default()));
        theirs.write_all(&[1; 2500]).expect("sent");
        ours.read_exact(&mut [0; 2500]).expect("received");
        group.leave(ConnectionId(7));
        group.leave(ConnectionId(7));
        assert_eq!(group.departed, Bytes(2500));
        group.measure();
        assert!(!group.tick(Duration::from_millis(20), Crossed::default()));
    }

    #[test]
    fn an_upload_is_told_what_it_may_have_on_its_way() {
        let (mut ours, _theirs) = connection();
        let mut group = group(Direction::Upload, 7, &ours);
        ours.set_nonblocking(true).expect("set");
        while ours.write(&[1; 65_536]).is_ok() {}
        for tick in 1..=100 {
            group.measure();
            assert!(group.tick(Duration::from_millis(10 * tick), Crossed::default()));
        }
        let connection = group.connection(ConnectionId(7)).expect("it is there");
        let window = connection.window.expect("one connection is never parked");
        assert!(window >= connection.segment() && window < Bytes(64 << 20), "{window}");
    }
}
