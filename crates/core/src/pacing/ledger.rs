//! What has crossed the interface of late: ours, and that of everybody else on this machine.

use alloc::collections::VecDeque;

/// The longest look back.
const MEMORY_SECONDS: f64 = 0.6;
/// Over what the traffic of others is looked at, unless it is loud.
const LONG_LOOK_SECONDS: f64 = 0.5;
/// Over what loud traffic is seen at once. The two counters are not read in the same instant, so a
/// short look needs a high threshold.
const SHORT_LOOK_SECONDS: f64 = 0.06;
/// A short look counts above this part of the capacity, and above so many bytes per second.
const LOUD: (f64, f64) = (0.25, 200e3);
/// Others count above this part of the capacity, and above so many bytes per second: a chat or a
/// clock being set needs no room.
const NOTICED: (f64, f64) = (0.03, 30e3);
/// How long others count after they were last noticed.
const ECHO_SECONDS: f64 = 0.15;
/// What is taken off for neighbours, with headers and with what their packets are counted inexactly:
/// they are often faster than all the rest.
const NEIGHBOURS: f64 = 1.15;
/// Headers of Ethernet, IP and TCP with time stamps, on each segment.
const HEADER_BYTES: f64 = 66.0;

/// The counters at one moment.
#[derive(Debug, Clone, Copy)]
struct Entry {
    at: f64,
    carried: f64,
    /// With headers.
    on_wire: f64,
    interface: Option<f64>,
}

/// What our connections have carried since the last time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours {
    /// Payload.
    pub(super) carried: f64,
    /// With what was sent again.
    pub(super) on_wire: f64,
    /// The largest segment.
    pub(super) segment: f64,
}

/// Both sides of the account.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    carried: f64,
    on_wire: f64,
    neighbours: f64,
    noticed: Option<(f64, f64)>,
}

impl Ledger {
    /// Takes in what our connections have carried, and where the interface's counter stands. What of that is of `neighbours` is
    /// nobody's that we could disturb.
    pub(super) fn enter(&mut self, now: f64, ours: Ours, interface: Option<f64>, neighbours: f64) {
        self.carried += ours.carried;
        self.on_wire += ours.on_wire * (1.0 + HEADER_BYTES / ours.segment);
        self.neighbours += neighbours * NEIGHBOURS;
        let interface = interface.map(|bytes| bytes - self.neighbours);
        self.entries.push_back(Entry { at: now, carried: self.carried, on_wire: self.on_wire, interface });
        while self.entries.front().is_some_and(|entry| now - entry.at > MEMORY_SECONDS) {
            self.entries.pop_front();
        }
    }

    /// Our payload in bytes per second over the last `span` seconds, or as far back as is known.
    pub(super) fn rate(&self, span: f64) -> f64 {
        self.between(span).map_or(0.0, |(then, last)| (last.carried - then.carried) / (last.at - then.at))
    }

    /// Bytes per second of everybody else on this machine, while they are worth yielding to.
    pub(super) fn foreground(&mut self, now: f64, capacity: f64) -> f64 {
        let short = self.others(SHORT_LOOK_SECONDS).unwrap_or(0.0);
        let is_loud = short > (LOUD.0 * capacity).max(LOUD.1);
        let others = if is_loud { short } else { self.others(LONG_LOOK_SECONDS).unwrap_or(0.0) };
        if others > (NOTICED.0 * capacity).max(NOTICED.1) {
            self.noticed = Some((now, others));
        }
        match self.noticed {
            Some((at, others)) if now - at <= ECHO_SECONDS => others,
            _ => 0.0,
        }
    }

    /// Bytes per second of everybody else on this machine just now, however little: a bulk transfer that
    /// has ended is seen here first.
    pub(super) fn just_now(&self) -> f64 {
        self.others(SHORT_LOOK_SECONDS).unwrap_or(0.0)
    }

    /// Bytes per second of all, with what is ours counted as payload, over a long look: two rates of
    /// different times are not to be added.
    pub(super) fn all(&self) -> f64 {
        self.rate(LONG_LOOK_SECONDS) + self.others(LONG_LOOK_SECONDS).unwrap_or(0.0)
    }

    /// Forgets what was, as after a sleep.
    pub(super) fn tear(&mut self) {
        self.entries.clear();
        self.noticed = None;
    }

    fn others(&self, span: f64) -> Option<f64> {
        let (then, last) = self.between(span)?;
        // A counter that starts again, as that of an interface that was made anew, says nothing.
        let all = last.interface? - then.interface?;
        (last.at - then.at >= SHORT_LOOK_SECONDS / 2.0)
            .then(|| (all - (last.on_wire - then.on_wire)).max(0.0) / (last.at - then.at))
    }

    /// The last entry, and the youngest that is at least `span` before it or else the first.
    fn between(&self, span: f64) -> Option<(Entry, Entry)> {
        let last = *self.entries.back()?;
        let older = self.entries.iter().rev().find(|entry| last.at - entry.at >= span - 1e-6);
        let then = *older.or(self.entries.front())?;
        (last.at > then.at).then_some((then, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(bytes: f64) -> Ours {
        Ours { carried: bytes, on_wire: bytes, segment: 1448.0 }
    }

    /// A second of ticks: we carry `ours`, and the interface `others` more, in bytes per second.
    fn after_a_second(ours: f64, others: f64) -> Ledger {
        let mut ledger = Ledger::default();
        let mut interface = 0.0;
        for tick in 1..=100 {
            interface += ours * 0.01 * (1.0 + HEADER_BYTES / 1448.0) + others * 0.01;
            ledger.enter(f64::from(tick) * 0.01, carried(ours * 0.01), Some(interface), 0.0);
            ledger.foreground(f64::from(tick) * 0.01, 6e6);
        }
        ledger
    }

    #[test]
    fn what_we_carry_is_not_taken_for_others() {
        let mut alone = after_a_second(6e6, 0.0);
        assert!((alone.rate(0.5) - 6e6).abs() < 1.0);
        assert!(alone.foreground(1.0, 6e6) == 0.0);
    }

    #[test]
    fn others_are_noticed_above_a_threshold_and_for_a_moment_longer() {
        assert!(after_a_second(3e6, 100e3).foreground(1.0, 6e6) == 0.0, "2 % is nobody");
        let mut beside = after_a_second(3e6, 1e6);
        assert!((beside.foreground(1.0, 6e6) - 1e6).abs() < 1.0);
        beside.tear();
        assert!(beside.foreground(1.0, 6e6) == 0.0);
    }

    #[test]
    fn a_burst_of_others_is_seen_within_six_ticks_and_no_single_late_count() {
        let mut ledger = after_a_second(3e6, 0.0);
        let mut interface = 3e6 * (1.0 + HEADER_BYTES / 1448.0);
        let mut seen_at = None;
        for tick in 101..=110 {
            interface += 3e4 * (1.0 + HEADER_BYTES / 1448.0) + 3e4;
            ledger.enter(f64::from(tick) * 0.01, carried(3e4), Some(interface), 0.0);
            if ledger.foreground(f64::from(tick) * 0.01, 6e6) > 0.0 {
                seen_at.get_or_insert(tick);
            }
        }
        assert!(seen_at.is_some_and(|tick| (102..=106).contains(&tick)), "{seen_at:?}");
    }

    #[test]
    fn an_interface_that_nobody_counts_or_counts_anew_has_no_others() {
        let mut ledger = Ledger::default();
        for tick in 1..=100 {
            ledger.enter(f64::from(tick) * 0.01, carried(1e4), None, 0.0);
        }
        assert!(ledger.foreground(1.0, 6e6) == 0.0);
        let mut ledger = after_a_second(3e6, 0.0);
        ledger.enter(1.01, carried(3e4), Some(0.0), 0.0);
        assert!(ledger.foreground(1.01, 6e6) == 0.0);
    }

    #[test]
    fn a_copy_from_a_neighbour_is_nobody_to_yield_to_and_others_beside_it_may_be_missed() {
        for (neighbours, others, is_seen) in [(100e6, 0.0, false), (3e6, 3e6, true), (0.0, 3e6, true)] {
            let mut ledger = Ledger::default();
            let mut interface = 0.0;
            for tick in 1..=100 {
                interface += 0.01 * (1.0 + HEADER_BYTES / 1448.0) * (neighbours + 3e6) + others * 0.01;
                let now = f64::from(tick) * 0.01;
                ledger.enter(now, carried(3e4), Some(interface), neighbours * 0.01);
            }
            assert_eq!(ledger.foreground(1.0, 6e6) > 0.0, is_seen, "{neighbours} beside {others}");
        }
    }
}
