//! Politeness: how many bytes background transfers may have on the way, so that everybody else who
//! shares the bottleneck does not feel them.
//!
//! One [`Controller`] speaks for all background connections that use one interface in one
//! direction. Every [`TICK`] it is told what the system has measured and answers how much each
//! connection may have in flight. It yields by two signs: the queueing delay that its connections
//! see, which tells of a competitor anywhere, and the counters of the interface, which tell of one
//! on this machine. The same controller serves downloads, where its answer caps the window that is
//! advertised, and uploads, where it caps what is sent and not acknowledged.
//!
//! Nothing here reads a clock, a socket or a counter; the tests put a bottleneck of numbers there.
//! Limits that people set in bytes per second are [`rate`]'s, who goes next under them is [`gate`]'s.

mod capacity;
mod controller;
pub mod gate;
mod gauge;
mod ledger;
mod politeness;
pub mod rate;
mod split;
pub mod timetable;

#[cfg(test)]
mod bottleneck;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::time::Duration;

use crate::units::Bytes;

pub use controller::{Controller, Standing};
pub use politeness::{LinkKind, MinimumShare, Politeness, TargetDelay};

/// How often a controller looks. Twice as often would cost twice as much and see little more: the
/// round trips it measures are longer.
pub const TICK: Duration = Duration::from_millis(10);

/// Names a connection as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Names a way through the network: connections to one host share the round trip without a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u64);

/// How large a part a connection gets beside others of the same controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u8);

impl Weight {
    /// The weight of a connection of a job of this priority.
    pub fn of(priority: crate::job::Priority) -> Self {
        use crate::job::Priority;
        match priority {
            // Foreground jobs are not paced; one that has become so meanwhile is not slowed down.
            Priority::Foreground | Priority::High => Self(4),
            Priority::Normal => Self(2),
            Priority::Low => Self(1),
        }
    }

    /// The largest weight there is.
    pub(crate) const MOST: u64 = 4;

    pub(crate) fn get(self) -> u64 {
        u64::from(self.0)
    }
}

/// What the system says of one connection. The counts only grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub id: ConnectionId,
    pub path: PathId,
    pub weight: Weight,
    /// The round trip as the system measures it now; `None` while it has not, or cannot.
    pub round_trip: Option<Duration>,
    /// Payload that has come, or has been acknowledged.
    pub carried: Bytes,
    /// Payload that has crossed the interface: more than `carried` where it had to be sent again.
    pub on_wire: Bytes,
    /// Segments that came out of order, or were sent again.
    pub losses: u64,
    /// The largest segment.
    pub segment: Bytes,
}

/// What a controller is told.
#[derive(Debug, Clone, Copy)]
pub struct Tick<'a> {
    /// By a clock that does not jump; since when does not matter.
    pub now: Duration,
    pub connections: &'a [Sample],
    /// What connections that are gone had carried since the last tick.
    pub departed: Bytes,
    /// All bytes that have crossed the interface in this direction; `None` where nobody counts.
    pub interface: Option<Bytes>,
    /// Of those, the payload that hosts on the same link have had since the last tick: it does not
    /// pass the bottleneck.
    pub neighbours: Bytes,
}

/// What a controller answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Bytes in flight, of all connections together.
    pub window: Bytes,
    /// For each connection of the tick, in the same order.
    pub shares: Vec<Share>,
}

/// What one connection may have in flight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub id: ConnectionId,
    /// `None`: it is parked, and gets the least that the system can give.
    pub window: Option<Bytes>,
    /// Bytes per second at which a sender is smoothed, so that a raised window is no burst.
    pub smoothing: Bytes,
}
