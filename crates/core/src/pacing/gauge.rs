//! The queue as our connections feel it: how much longer round trips take than on an empty path.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{ConnectionId, PathId, Sample};

/// Values of which the smallest counts. A thread that was late lengthens one, a queue all.
const RECENT: usize = 3;
/// Values that are kept: a round trip's, up to one of more than half a second.
const KEPT: usize = 64;
/// A path is known this long after its last connection; the network may be another one then.
const PATH_MEMORY_SECONDS: f64 = 60.0;
/// Paths that are remembered. More hosts than this at a time are measured anew, which costs a
/// moment of politeness and no more.
const PATHS_MAX: usize = 64;
/// How long data may be absent until a round trip says nothing of now any more, at least.
const FRESH_SECONDS_MIN: f64 = 0.1;
/// Over what rates are smoothed where nothing but they tells of the round trip.
const SLOW_SECONDS: f64 = 0.5;
/// How long a new connection is given to show what it can use.
const SETTLED_SECONDS: f64 = 0.3;

/// What is felt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Delay {
    /// Seconds on an empty path.
    pub(super) base: f64,
    /// Seconds in the queue, by the last measurement.
    pub(super) raw: f64,
    /// Seconds in the queue, for sure.
    pub(super) queue: f64,
    /// Seconds in the queue all through the last round trip; none while less is known. A server that
    /// begins sends in clumps, and each clump waits for itself.
    pub(super) standing: f64,
}

impl Delay {
    pub(super) fn round_trip(&self) -> f64 {
        self.base + self.raw
    }
}

/// One connection, as far as it was followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed {
    pub(super) id: ConnectionId,
    path: PathId,
    carried: u64,
    on_wire: u64,
    losses: u64,
    since: f64,
    carried_at: f64,
    /// Bytes per second, smoothed over some round trips.
    pub(super) rate: f64,
    round_trip: Option<f64>,
    /// Bytes per second and bytes allowed, both smoothed alike, for Little's law.
    slow_rate: f64,
    slow_window: f64,
    /// Bytes it was allowed; `None` while it is parked.
    pub(super) granted: Option<f64>,
    /// From when on its round trips are ours to judge: what a parked connection measures is how
    /// long it was parked.
    counts_from: f64,
}

#[derive(Debug, Clone, Copy)]
struct Path {
    id: PathId,
    base: f64,
    used_at: f64,
}

/// What has come since the last tick.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Gain {
    pub(super) carried: f64,
    pub(super) on_wire: f64,
    pub(super) is_lossy: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Gauge {
    connections: Vec<Followed>,
    paths: Vec<Path>,
    recent: VecDeque<(f64, f64)>,
    last: Option<Delay>,
}

impl Gauge {
    /// Takes in what the connections have measured at `now`; those that are not named are gone.
    pub(super) fn observe(&mut self, now: f64, samples: &[Sample]) -> Gain {
        let mut gain = Gain::default();
        let before = core::mem::take(&mut self.connections);
        let smoothing = self.last.map_or(0.1, |delay| (2.0 * delay.round_trip()).clamp(0.05, 0.5));
        for sample in samples {
            let known = before.iter().find(|known| known.id == sample.id);
            let mut followed = known.copied().unwrap_or_else(|| Followed::new(sample, now));
            let carried = sample.carried.0.saturating_sub(followed.carried);
            gain.carried += carried as f64;
            gain.on_wire += sample.on_wire.0.saturating_sub(followed.on_wire) as f64;
            gain.is_lossy |= sample.losses > followed.losses;
            followed.take_in(sample, carried, now, smoothing);
            self.note_base(&followed, now);
            self.connections.push(followed);
        }
        self.paths.retain(|path| now - path.used_at <= PATH_MEMORY_SECONDS);
        gain
    }

    /// The delay at `now`; `None` when nothing that counts has been measured.
    pub(super) fn delay(&mut self, now: f64) -> Option<Delay> {
        let (mut extra, mut count) = (0.0, 0.0);
        let (mut base, mut weight) = (0.0, 0.0);
        let mut least_base = f64::INFINITY;
        for connection in self.connections.iter().filter(|connection| connection.counts(now)) {
            let (Some(round_trip), Some(path)) = (connection.round_trip, self.path(connection.path)) else {
                continue;
            };
            extra += round_trip - path.base;
            count += 1.0;
            // Weighted by what they carry, since the window is divided like that too.
            base += connection.rate * path.base;
            weight += connection.rate;
            least_base = least_base.min(path.base);
        }
        if count == 0.0 {
            return None;
        }
        let raw = extra / count;
        let base = if weight > 0.0 { base / weight } else { least_base };
        self.recent.truncate(KEPT - 1);
        self.recent.push_front((now, raw));
        let least = |values: &mut dyn Iterator<Item = &(f64, f64)>| {
            values.fold(raw, |least, (_, value)| least.min(*value))
        };
        let queue = least(&mut self.recent.iter().take(RECENT));
        let is_of_this_round = |(at, _): &&(f64, f64)| now - at <= base + raw;
        let of_this_round = self.recent.iter().take_while(is_of_this_round).count();
        let is_whole = self.recent.len() > of_this_round || of_this_round == KEPT;
        let standing = if is_whole { least(&mut self.recent.iter().take(of_this_round)) } else { 0.0 };
        let standing = standing.min(queue);
        let delay = Delay { base, raw, queue, standing };
        self.last = Some(delay);
        Some(delay)
    }

    /// What was felt last, which may be a while ago.
    pub(super) fn last(&self) -> Option<Delay> {
        self.last
    }

    pub(super) fn connections(&self) -> &[Followed] {
        &self.connections
    }

    /// Notes what a connection may have in flight from `now` on.
    pub(super) fn grant(&mut self, index: usize, window: Option<f64>, now: f64) {
        let round_trips = 2.0 * self.last.map_or(FRESH_SECONDS_MIN, |delay| delay.round_trip());
        let connection = &mut self.connections[index];
        if connection.granted.is_none() && window.is_some() {
            connection.counts_from = now + round_trips;
        }
        connection.granted = window;
    }

    /// The path has become longer: what it measures now is an empty one.
    pub(super) fn lengthen(&mut self, queue: f64) {
        for path in &mut self.paths {
            path.base += queue;
        }
        self.recent.clear();
    }

    /// Forgets the last delays, but not the paths, as after a pause.
    pub(super) fn tear(&mut self) {
        self.recent.clear();
    }

    fn path(&self, id: PathId) -> Option<&Path> {
        self.paths.iter().find(|path| path.id == id)
    }

    fn note_base(&mut self, connection: &Followed, now: f64) {
        let Some(round_trip) = connection.round_trip.filter(|_| connection.counts(now)) else { return };
        if let Some(path) = self.paths.iter_mut().find(|path| path.id == connection.path) {
            path.base = path.base.min(round_trip);
            path.used_at = now;
            return;
        }
        if self.paths.len() == PATHS_MAX {
            let oldest =
                (0..PATHS_MAX).min_by(|&a, &b| self.paths[a].used_at.total_cmp(&self.paths[b].used_at));
            self.paths.swap_remove(oldest.expect("there are paths"));
        }
        self.paths.push(Path { id: connection.path, base: round_trip, used_at: now });
    }
}

impl Followed {
    fn new(sample: &Sample, now: f64) -> Self {
        Self {
            id: sample.id,
            path: sample.path,
            carried: sample.carried.0,
            on_wire: sample.on_wire.0,
            losses: sample.losses,
            since: now,
            carried_at: now,
            rate: 0.0,
            round_trip: None,
            slow_rate: 0.0,
            slow_window: 0.0,
            granted: Some(0.0),
            counts_from: now,
        }
    }

    fn take_in(&mut self, sample: &Sample, carried: u64, now: f64, smoothing: f64) {
        if carried > 0 {
            let share = (super::TICK.as_secs_f64() / smoothing).min(1.0);
            let since = (now - self.carried_at).max(super::TICK.as_secs_f64());
            self.rate += share * (carried as f64 / since - self.rate);
            self.carried_at = now;
        }
        let (tick, share) = (super::TICK.as_secs_f64(), super::TICK.as_secs_f64() / SLOW_SECONDS);
        self.slow_rate += share * (carried as f64 / tick - self.slow_rate);
        self.slow_window += share * (self.granted.unwrap_or(0.0) - self.slow_window);
        self.carried = sample.carried.0;
        self.on_wire = sample.on_wire.0;
        self.losses = sample.losses;
        self.round_trip = match sample.round_trip {
            Some(round_trip) => Some(round_trip.as_secs_f64()),
            // Little's law: what is allowed and fills the path takes this long to be replaced.
            None => (self.slow_rate > 0.0).then_some(self.slow_window / self.slow_rate),
        };
    }

    /// Whether it has been followed for long enough that its rate says what it can use.
    pub(super) fn is_settled(&self, now: f64) -> bool {
        now - self.since > SETTLED_SECONDS
    }

    /// Whether nothing has come for `seconds`.
    pub(super) fn is_silent(&self, now: f64, seconds: f64) -> bool {
        now - self.carried_at > seconds
    }

    /// Whether its round trip says something of the queue at `now`.
    fn counts(&self, now: f64) -> bool {
        let fresh = FRESH_SECONDS_MIN.max(2.0 * self.round_trip.unwrap_or(0.0));
        self.granted.is_some() && now >= self.counts_from && now - self.carried_at <= fresh
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::job::Priority;
    use crate::pacing::Weight;
    use crate::units::Bytes;

    fn sample(id: u64, path: u64, millis: u64, carried: u64) -> Sample {
        Sample {
            id: ConnectionId(id),
            path: PathId(path),
            weight: Weight::of(Priority::Normal),
            round_trip: Some(Duration::from_millis(millis)),
            carried: Bytes(carried),
            on_wire: Bytes(carried),
            losses: 0,
            segment: Bytes(1448),
        }
    }

    fn millis(seconds: f64) -> u64 {
        (seconds * 1e3 + 0.5) as u64
    }

    #[test]
    fn the_queue_is_what_a_round_trip_takes_beyond_the_shortest_and_one_long_one_is_noise() {
        let mut gauge = Gauge::default();
        let mut felt = Vec::new();
        for (tick, round_trip) in [20, 21, 60, 22, 23, 40, 41, 42, 43].into_iter().enumerate() {
            let now = tick as f64 * 0.01;
            gauge.observe(now, &[sample(1, 1, round_trip, 1000 * (tick as u64 + 1))]);
            felt.push(millis(gauge.delay(now).expect("it carries data").queue));
        }
        assert_eq!(felt, [0, 0, 0, 1, 2, 2, 3, 20, 21]);
    }

    #[test]
    fn a_second_connection_to_the_same_host_is_not_deceived_by_the_queue_it_was_born_into() {
        let mut gauge = Gauge::default();
        gauge.observe(0.0, &[sample(1, 1, 20, 1)]);
        gauge.observe(0.01, &[sample(1, 1, 24, 2), sample(2, 1, 24, 1)]);
        let delay = gauge.delay(0.01).expect("both carry data");
        assert_eq!((millis(delay.base), millis(delay.raw)), (20, 4));
        // Another host is on another path, and there is no telling.
        gauge.observe(0.02, &[sample(3, 2, 64, 1)]);
        assert_eq!(millis(gauge.delay(0.02).expect("it carries data").base), 64);
    }

    #[test]
    fn what_carries_nothing_or_is_parked_says_nothing() {
        let mut gauge = Gauge::default();
        gauge.observe(0.0, &[sample(1, 1, 20, 1), sample(2, 1, 20, 1)]);
        gauge.grant(1, None, 0.0);
        gauge.observe(0.05, &[sample(1, 1, 21, 2), sample(2, 1, 200, 2)]);
        assert_eq!(millis(gauge.delay(0.05).expect("one counts").raw), 1);
        gauge.observe(0.5, &[sample(1, 1, 21, 2), sample(2, 1, 200, 2)]);
        assert_eq!(gauge.delay(0.5), None);
        assert_eq!(gauge.last().map(|delay| millis(delay.raw)), Some(1));
    }

    #[test]
    fn without_round_trips_the_window_and_the_rate_tell() {
        let mut gauge = Gauge::default();
        let blind = |carried| Sample { round_trip: None, ..sample(1, 1, 0, carried) };
        for tick in 0..100 {
            // 1 MB/s, of 20 kB in flight.
            gauge.observe(f64::from(tick) * 0.01, &[blind(10_000 * (tick as u64 + 1))]);
            gauge.grant(0, Some(20_000.0), f64::from(tick) * 0.01);
        }
        let delay = gauge.delay(0.99).expect("it carries data");
        assert_eq!(millis(delay.round_trip()), 20);
    }

    #[test]
    fn paths_are_few_and_forgotten() {
        let mut gauge = Gauge::default();
        for host in 0..1000 {
            let now = host as f64 * 0.01;
            gauge.observe(now, &[sample(host, host, 20, 1)]);
        }
        assert_eq!(gauge.paths.len(), PATHS_MAX);
        gauge.observe(1000.0, &[]);
        assert_eq!(gauge.paths.len(), 0);
    }
}
