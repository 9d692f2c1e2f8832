//! What crosses the interfaces: everybody's bytes, and of those the ones of neighbours on the link.
//!
//! The first are counted by the system and cost nothing. For the second all sockets have to be
//! looked at, so that is done only while somebody is seen who may be a neighbour.

use std::collections::BTreeMap;

use bits_core::units::Bytes;
use bits_platform::pacing::{Counters, Neighbours};

use super::group::Crossed;
use super::{Direction, GroupKey};

/// Ticks without anybody to be seen after which sockets are no longer looked at.
const QUIET_TICKS: u32 = 500;

/// Reads the counters, for one thread.
#[derive(Debug)]
pub(super) struct Meter {
    counters: Option<Counters>,
    neighbours: Option<Neighbours>,
    /// What was told of neighbours, by group.
    told: BTreeMap<GroupKey, Bytes>,
    quiet_ticks: u32,
    /// Whether the system does not list its sockets.
    is_blind: bool,
}

impl Meter {
    /// Where the system does not count, nobody is seen.
    pub(super) fn open() -> Self {
        let counters = Counters::open().ok();
        Self { counters, neighbours: None, told: BTreeMap::new(), quiet_ticks: 0, is_blind: false }
    }

    /// Reads where all counters stand. `sees_others`: whether it matters who they are.
    pub(super) fn read(&mut self, sees_others: bool) {
        if self.counters.as_mut().is_some_and(|counters| counters.read().is_err()) {
            self.counters = None;
        }
        self.quiet_ticks = if sees_others { 0 } else { self.quiet_ticks.saturating_add(1) };
        if sees_others && self.neighbours.is_none() && !self.is_blind {
            self.neighbours = Neighbours::open().ok();
        }
        if self.quiet_ticks > QUIET_TICKS {
            self.neighbours = None;
        }
        if self.neighbours.as_mut().is_some_and(|neighbours| neighbours.read().is_err()) {
            (self.neighbours, self.is_blind) = (None, true);
        }
        if self.neighbours.is_none() {
            self.told.clear();
        }
    }

    /// What has crossed the interface of a group.
    pub(super) fn crossed(&mut self, key: &GroupKey) -> Crossed {
        let of_direction = |(received, sent)| match key.direction {
            Direction::Download => received,
            Direction::Upload => sent,
        };
        let counted = self.counters.as_ref().and_then(|counters| counters.of(&key.interface));
        let interface = counted.map(of_direction);
        let neighbours = match &self.neighbours {
            // Among neighbours they are those to yield to.
            Some(neighbours) if !key.on_link => {
                let total = of_direction(neighbours.of(&key.interface));
                let told = self.told.insert(key.clone(), total).unwrap_or_default();
                if total > told {
                    self.quiet_ticks = 0;
                }
                total.beyond(told)
            }
            Some(_) | None => Bytes::ZERO,
        };
        Crossed { interface, neighbours }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_looked_at_while_others_are_seen_and_a_while_longer() {
        let mut meter = Meter::open();
        meter.read(false);
        assert!(meter.neighbours.is_none());
        meter.read(true);
        assert!(meter.neighbours.is_some());
        for _ in 0..QUIET_TICKS {
            meter.read(false);
        }
        assert!(meter.neighbours.is_some());
        meter.read(false);
        assert!(meter.neighbours.is_none());
    }

    #[test]
    fn everybody_on_an_interface_is_counted_and_an_unknown_one_has_nobody() {
        let mut meter = Meter::open();
        meter.read(false);
        let key = |interface: &str| GroupKey {
            interface: interface.to_owned(),
            direction: Direction::Upload,
            on_link: false,
        };
        assert!(meter.crossed(&key("lo")).interface.is_some());
        assert_eq!(meter.crossed(&key("")).interface, None);
    }
}
