//! The states of politeness, and the window that follows from them.
//!
//! ```text
//!            q > T, or no growth
//!   Start ─────────────────────► Cruise ◄──► Drain, each 10 s
//!     │                            │  ▲
//!     │ q > 2T, or others          │  │ W is what the link holds
//!     ▼                            ▼  │
//!   Yield ─────── calm for a while ──► Recover
//!     ▲───────────── q > 2T ───────────┘
//! ```
//!
//! `q` is the queueing delay, `T` the target, `W` the window, `C` what the link carries.

use core::time::Duration;

use super::capacity::Capacity;
use super::gauge::{Delay, Gauge};
use super::ledger::{Ledger, Ours};
use super::split::{Claim, SEGMENTS_MIN, split};
use super::{Decision, MinimumShare, Share, TICK, TargetDelay, Tick};
use crate::units::Bytes;

/// The shortest queue that can be told from a segment on its way, up to so many seconds: on a link
/// that is slower still, one segment is felt anyway.
const TARGET_SEGMENTS: (f64, f64) = (3.0, 0.015);
/// What a new connection may have in flight, in segments: what servers send at first anyway.
const START_SEGMENTS: f64 = 10.0;
/// Growth per round at the start. Doubling would overshoot by tens of milliseconds.
const START_GROWTH: f64 = 1.5;
/// Rounds without growth by [`START_PROGRESS`] after which the start is over.
const START_FLAT_ROUNDS: u32 = 4;
const START_PROGRESS: f64 = 1.15;
/// The part of what is missing in the queue, or too much in it, that is corrected in a round.
const GAIN: f64 = 0.25;
/// What is cut, of that excess, when the queue is twice as long as it should be. In so many rounds it
/// must be gone; else it is not ours alone.
const CUT: f64 = 2.0;
const CUT_ROUNDS: u32 = 1;
/// Largest steps of one round.
const STEP: (f64, f64) = (-0.5, 0.25);
/// Room above what the link holds: `W ≤ 1.1·C·(base + 2T)` and some segments. The window must not
/// run away from what is needed, as it cannot be taken back at once.
const HEADROOM: f64 = 1.1;
const HEADROOM_SEGMENTS: f64 = 4.0;
/// No window is larger, whatever the link: what would be buffered for it is memory of ours.
const WINDOW_BYTES_MAX: f64 = 64.0 * 1024.0 * 1024.0;
/// A shorter round would act on what it has not seen yet.
const ROUND_SECONDS_MIN: f64 = 0.01;
/// How often the queue is emptied for a moment, to see the path without it.
const DRAIN_PERIOD_SECONDS: f64 = 10.0;
const DRAIN_SECONDS_MIN: f64 = 0.03;
/// The window while draining, of what the link holds, and after it, of what it was.
const DRAIN_DEPTH: f64 = 0.75;
const DRAIN_RETURN: f64 = 0.95;
/// How long calm must last before we come back: doubled up to the second each time that it was too
/// early, and short again when we have been left in peace for the third.
const HOLD_SECONDS: (f64, f64, f64) = (0.2, 1.0, 8.0);
/// The queue counts as gone below this part of the target. Above 1, or several machines that are
/// polite would keep each other away.
const CALM: f64 = 1.5;
/// Traffic of this machine, as part of the capacity: above the first we yield, below the second we
/// come back.
const OTHERS: (f64, f64) = (0.5, 0.3);
/// Room left to traffic of this machine: what it has and a third more, so that it can grow, and a
/// little for what is not counted.
const OTHERS_HEADROOM: f64 = 1.3;
const OTHERS_SLACK: f64 = 0.02;
/// Where coming back ends and cruising begins, as part of what the link holds.
const RECOVERED: f64 = 0.9;
/// What is still believed of the capacity after a return that failed within so many seconds.
const DOUBT: (f64, f64) = (0.5, 2.0);
/// The path is taken for a longer one when round trips stay this steady while we are away: in
/// seconds and as part of the base, over so many seconds. A competitor's queue moves by far more.
const STEADY: (f64, f64) = (0.002, 0.02);
const STEADY_SECONDS: f64 = 20.0;
/// Ticks that may be missing before what was measured last says nothing any more.
const GAP_TICKS: u32 = 10;
/// After so long a gap the network may be another one: a machine that slept.
const SLEEP_SECONDS: f64 = 60.0;
/// Above this part of its share a connection is taken to want more.
const USED: f64 = 2.0;
/// A connection that has been silent for so long is the first to be parked.
const SILENT_SECONDS: f64 = 1.0;
/// Smoothing of senders: above the rate that the window allows, and never below this, at which a
/// segment would wait for longer than a tick.
const SMOOTHING: (f64, f64) = (1.25, 20e3);
/// A segment where no connection knows better.
const SEGMENT_BYTES: f64 = 1448.0;

/// Where a controller stands, for logs and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Looks for what the link carries.
    Start,
    /// Keeps the queue at its target.
    Cruise,
    /// Empties the queue to measure the path.
    Drain,
    /// Leaves the link to others.
    Yield,
    /// Comes back.
    Recover,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Start {
        best_rate: f64,
        flat_rounds: u32,
        hot_rounds: u32,
    },
    /// Rounds since a cut that has not helped yet, and rounds without any queue.
    Cruise {
        cut_rounds: u32,
        empty_rounds: u32,
    },
    Drain {
        before: f64,
        until: f64,
    },
    /// Since when the queue has been short, and others of this machine have been few.
    Yield {
        calm_since: Option<f64>,
        quiet_since: Option<f64>,
    },
    Recover,
}

/// Round trips since a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Watch {
    since: f64,
    least: f64,
    most: f64,
}

impl State {
    const BEGINNING: Self = Self::Start { best_rate: 0.0, flat_rounds: 0, hot_rounds: 0 };
    const CRUISING: Self = Self::Cruise { cut_rounds: 0, empty_rounds: 0 };
}

/// Decides for all background connections of one interface in one direction.
#[derive(Debug, Clone)]
pub struct Controller {
    target: f64,
    minimum_share: MinimumShare,
    state: State,
    window: f64,
    gauge: Gauge,
    ledger: Ledger,
    capacity: Capacity,
    segment: f64,
    last_tick: Option<f64>,
    /// While we have next to nothing on the way.
    watch: Option<Watch>,
    next_round: f64,
    next_drain: f64,
    hold: f64,
    /// When others were last left alone.
    yielded_at: Option<f64>,
    /// Whether segments were lost since the last round.
    is_lossy: bool,
    is_round_due: bool,
    sees_others: bool,
}

impl Controller {
    /// A controller that has not seen anything yet.
    pub fn new(target: TargetDelay, minimum_share: MinimumShare) -> Self {
        Self {
            target: target.get().as_secs_f64(),
            minimum_share,
            state: State::BEGINNING,
            window: START_SEGMENTS * SEGMENT_BYTES,
            gauge: Gauge::default(),
            ledger: Ledger::default(),
            capacity: Capacity::default(),
            segment: SEGMENT_BYTES,
            last_tick: None,
            watch: None,
            next_round: 0.0,
            next_drain: 0.0,
            hold: HOLD_SECONDS.0,
            yielded_at: None,
            is_lossy: false,
            is_round_due: false,
            sees_others: false,
        }
    }

    /// Takes in what was measured, and says how much may be in flight. To be called every [`TICK`]
    /// while there are connections.
    pub fn tick(&mut self, tick: Tick<'_>) -> Decision {
        let now = tick.now.as_secs_f64();
        self.mind_the_gap(now);
        if let Some(segment) = tick.connections.iter().map(|sample| sample.segment.0).max() {
            self.segment = (segment as f64).max(1.0);
        }
        let gain = self.gauge.observe(now, tick.connections);
        self.is_lossy |= gain.is_lossy;
        let departed = tick.departed.0 as f64;
        let interface = tick.interface.map(|bytes| bytes.0 as f64);
        let (carried, on_wire) = (gain.carried + departed, gain.on_wire + departed);
        let ours = Ours { carried, on_wire, segment: self.segment };
        self.ledger.enter(now, ours, interface, tick.neighbours.0 as f64);
        let delay = self.gauge.delay(now);
        self.decide(now, delay);
        self.share(now, tick)
    }

    pub fn standing(&self) -> Standing {
        match self.state {
            State::Start { .. } => Standing::Start,
            State::Cruise { .. } => Standing::Cruise,
            State::Drain { .. } => Standing::Drain,
            State::Yield { .. } => Standing::Yield,
            State::Recover => Standing::Recover,
        }
    }

    /// Whether others on this machine use the interface. If they may be neighbours on the link, it is
    /// time to ask.
    pub fn sees_others(&self) -> bool {
        self.sees_others
    }

    /// Bytes that may be in flight, of all connections together.
    pub fn window(&self) -> Bytes {
        bytes(self.window)
    }

    /// What the link has been seen to carry, in bytes per second; zero while that is not known.
    pub fn capacity(&self) -> Bytes {
        bytes(self.capacity.get())
    }

    /// The queueing delay that was measured last.
    pub fn queueing_delay(&self) -> Option<Duration> {
        self.gauge.last().map(|delay| Duration::from_secs_f64(delay.queue.max(0.0)))
    }

    /// The queue that is aimed at: on a slow link some segments at least, as less is no queue.
    fn target(&self) -> f64 {
        let capacity = self.capacity.get();
        let (count, longest) = TARGET_SEGMENTS;
        let segments = if capacity > 0.0 { count * self.segment / capacity } else { 0.0 };
        self.target.max(segments.min(longest))
    }

    /// After a pause old measurements are no measurements.
    fn mind_the_gap(&mut self, now: f64) {
        let gap = self.last_tick.map(|last| now - last);
        self.last_tick = Some(now);
        let longest = TICK.as_secs_f64() * f64::from(GAP_TICKS);
        let Some(gap) = gap.filter(|gap| !(0.0..=longest).contains(gap)) else { return };
        self.ledger.tear();
        self.gauge.tear();
        self.watch = None;
        self.next_round = now;
        self.next_drain = now + DRAIN_PERIOD_SECONDS;
        self.yielded_at = self.yielded_at.filter(|_| gap > 0.0);
        if !(0.0..=SLEEP_SECONDS).contains(&gap) {
            self.capacity.forget();
            self.gauge = Gauge::default();
            self.state = State::BEGINNING;
            self.window = START_SEGMENTS * self.segment;
            return;
        }
        self.state = match self.state {
            // Others may still be there.
            State::Yield { .. } => State::Yield { calm_since: None, quiet_since: None },
            _ if self.capacity.get() > 0.0 => State::Recover,
            _ => State::BEGINNING,
        };
    }

    fn decide(&mut self, now: f64, delay: Option<Delay>) {
        let known = delay.or(self.gauge.last());
        let round_trip = known.map_or(ROUND_SECONDS_MIN, |delay| delay.round_trip());
        let rate = self.ledger.rate((2.0 * round_trip).clamp(0.05, 0.5));
        let others = self.ledger.foreground(now, self.capacity.get());
        self.sees_others = others > 0.0;
        self.weigh(now, rate, others);

        let capacity = self.capacity.get();
        self.is_round_due = now >= self.next_round;
        if self.is_round_due {
            self.next_round = now + round_trip.max(ROUND_SECONDS_MIN);
        }
        if capacity > 0.0 && others > OTHERS.0 * capacity && !matches!(self.state, State::Yield { .. }) {
            self.hold = HOLD_SECONDS.0;
            self.yield_to_others();
        }
        match self.state {
            State::Start { .. } => self.start(now, rate, delay),
            State::Cruise { .. } => self.cruise(now, delay),
            State::Drain { before, until } => {
                if now >= until {
                    self.window = DRAIN_RETURN * before;
                    self.state = State::CRUISING;
                    self.next_drain = now + DRAIN_PERIOD_SECONDS;
                }
            }
            State::Yield { .. } => self.stay_away(now, delay),
            State::Recover => self.recover(now, delay),
        }
        self.keep_bounds(known, others);
        if let Some(delay) = delay {
            self.watch(now, delay);
        }
        if self.is_round_due {
            self.is_lossy = false;
        }
    }

    /// Takes in what the link carries: with others on it, that is more than ours.
    fn weigh(&mut self, now: f64, rate: f64, others: f64) {
        let is_measuring = matches!(self.state, State::Start { .. } | State::Cruise { .. });
        if (is_measuring || self.capacity.get() == 0.0) && rate > 0.0 {
            self.capacity.feed(now, if others > 0.0 { rate.max(self.ledger.all()) } else { rate });
        }
    }

    fn start(&mut self, now: f64, rate: f64, delay: Option<Delay>) {
        let State::Start { mut best_rate, mut flat_rounds, mut hot_rounds } = self.state else { return };
        let Some(delay) = delay.filter(|_| self.is_round_due) else { return };
        hot_rounds = if delay.standing > 2.0 * self.target() { hot_rounds + 1 } else { 0 };
        if rate > START_PROGRESS * best_rate {
            (best_rate, flat_rounds) = (rate, 0);
        } else {
            flat_rounds += 1;
        }
        if hot_rounds >= 2 {
            self.yield_by_delay(now);
        } else if delay.standing > self.target() || flat_rounds >= START_FLAT_ROUNDS {
            // Not below what it takes to go on looking, in case the server has only just begun.
            self.window = (self.capacity.believed() * delay.base).max(START_SEGMENTS * self.segment);
            self.state = State::CRUISING;
            self.next_drain = now + 1.0;
        } else {
            let bound = START_GROWTH * rate * delay.base + START_SEGMENTS * self.segment;
            self.window = self.window.max((START_GROWTH * self.window).min(bound));
            self.state = State::Start { best_rate, flat_rounds, hot_rounds };
        }
    }

    fn cruise(&mut self, now: f64, delay: Option<Delay>) {
        let State::Cruise { cut_rounds, empty_rounds } = self.state else { return };
        let Some(delay) = delay.filter(|_| self.is_round_due) else { return };
        let (queue, target) = (delay.standing, self.target());
        // Reordering looks like loss, so loss alone is no sign.
        let is_congested = queue > 2.0 * target || (self.is_lossy && queue > 1.5 * target);
        if is_congested && cut_rounds == CUT_ROUNDS {
            self.yield_by_delay(now);
            return;
        }
        let empty_rounds = if queue < target / 4.0 { empty_rounds + 1 } else { 0 };
        let cut_rounds = if is_congested { cut_rounds + 1 } else { 0 };
        self.state = State::Cruise { cut_rounds, empty_rounds };
        if cut_rounds > 1 {
            // What was cut is still on its way.
            return;
        }
        if !is_congested && now >= self.next_drain {
            self.drain(now, delay);
            return;
        }
        if self.is_at_floor() && queue > CALM * target {
            // It is not ours.
            self.yield_by_delay(now);
            return;
        }
        let capacity = self.capacity.believed();
        let missing = target - queue;
        let step = if is_congested {
            // If all of the queue is ours, that ends it.
            CUT * self.window * missing / delay.round_trip()
        } else if missing > 0.0 && self.window < RECOVERED * capacity * delay.base {
            f64::INFINITY
        } else if missing > 0.0 {
            // The longer there is no queue at all, the further away is what the link can hold.
            let haste = if empty_rounds > 0 { f64::from(empty_rounds.max(2)) } else { 1.0 };
            // Whoever is polite adds the same bytes, and no more than the queue can show in time.
            (GAIN * haste * capacity * missing).min(self.window * target / delay.base)
        } else {
            // It gives up in proportion to what it has: so several drift towards equal parts.
            2.0 * GAIN * self.window * missing / delay.round_trip()
        };
        self.window += step.clamp(STEP.0 * self.window, STEP.1 * self.window);
    }

    fn drain(&mut self, now: f64, delay: Delay) {
        let until = now + (2.0 * delay.round_trip()).max(DRAIN_SECONDS_MIN);
        self.state = State::Drain { before: self.window, until };
        self.window = DRAIN_DEPTH * self.window.min(self.capacity.believed() * delay.base);
    }

    fn recover(&mut self, now: f64, delay: Option<Delay>) {
        let Some(delay) = delay else { return };
        if delay.standing > 2.0 * self.target() {
            self.yield_by_delay(now);
            return;
        }
        let goal = RECOVERED * self.capacity.believed() * delay.base;
        if self.is_round_due && self.window < goal {
            self.window = (2.0 * self.window).min(goal);
        }
        if self.window >= goal {
            self.state = State::CRUISING;
        }
    }

    /// A competitor was felt: the sooner after the last one, the longer we stay away.
    fn yield_by_delay(&mut self, now: f64) {
        let (shortest, longest, peace) = HOLD_SECONDS;
        let was_peaceful = self.yielded_at.is_none_or(|at| now - at > peace);
        if self.yielded_at.is_some_and(|at| now - at <= DOUBT.1) {
            // Somebody was back at once; or the link has become slower than we believe.
            self.capacity.doubt(DOUBT.0);
        }
        self.hold = if was_peaceful { shortest } else { (2.0 * self.hold).min(longest) };
        self.yield_to_others();
    }

    fn yield_to_others(&mut self) {
        self.window = SEGMENTS_MIN * self.segment;
        self.state = State::Yield { calm_since: None, quiet_since: None };
    }

    fn stay_away(&mut self, now: f64, delay: Option<Delay>) {
        let State::Yield { mut calm_since, mut quiet_since } = self.state else { return };
        self.window = SEGMENTS_MIN * self.segment;
        self.yielded_at = Some(now);
        let capacity = self.capacity.get();
        let is_quiet = capacity == 0.0 || self.ledger.just_now() <= OTHERS.1 * capacity;
        quiet_since = if is_quiet { quiet_since.or(Some(now)) } else { None };
        // Without a measurement nothing has changed.
        if let Some(delay) = delay {
            let is_calm = delay.queue <= CALM * self.target();
            calm_since = if is_calm { calm_since.or(Some(now)) } else { None };
        }
        self.state = State::Yield { calm_since, quiet_since };
        let lasts = |since: Option<f64>, hold| since.is_some_and(|since| now - since >= hold);
        // What is counted is seen for sure, so the shortest time is enough.
        if lasts(calm_since, self.hold) && lasts(quiet_since, HOLD_SECONDS.0) {
            self.state = if capacity > 0.0 { State::Recover } else { State::BEGINNING };
            self.next_round = now;
            self.next_drain = now + DRAIN_PERIOD_SECONDS;
        }
    }

    fn is_at_floor(&self) -> bool {
        self.window <= 2.0 * SEGMENTS_MIN * self.segment
    }

    /// Round trips that stay long and steady, with next to nothing of ours on the way, are those of a
    /// longer path.
    fn watch(&mut self, now: f64, delay: Delay) {
        if !self.is_at_floor() {
            self.watch = None;
            return;
        }
        let round_trip = delay.round_trip();
        let mut watch = self.watch.unwrap_or(Watch { since: now, least: round_trip, most: round_trip });
        watch.least = watch.least.min(round_trip);
        watch.most = watch.most.max(round_trip);
        self.watch = Some(watch);
        if now - watch.since < STEADY_SECONDS {
            return;
        }
        self.watch = None;
        if watch.most - watch.least < STEADY.0 + STEADY.1 * delay.base {
            self.gauge.lengthen((watch.least - delay.base).max(0.0));
        }
    }

    fn keep_bounds(&mut self, delay: Option<Delay>, others: f64) {
        let floor = SEGMENTS_MIN * self.segment;
        let capacity = self.capacity.get();
        if let Some(delay) = delay.filter(|_| capacity > 0.0) {
            if !matches!(self.state, State::Start { .. }) {
                let held = HEADROOM * self.capacity.believed() * (delay.base + 2.0 * self.target());
                self.window = self.window.min(held + HEADROOM_SEGMENTS * self.segment);
            }
            if others > 0.0 {
                let left = capacity - OTHERS_HEADROOM * others - OTHERS_SLACK * capacity;
                self.window = self.window.min(left * delay.base);
            }
            let kept = self.minimum_share.fraction() * capacity * delay.round_trip();
            self.window = self.window.max(kept);
        }
        self.window = self.window.clamp(floor, WINDOW_BYTES_MAX);
    }

    fn share(&mut self, now: f64, tick: Tick<'_>) -> Decision {
        let known = self.gauge.last();
        let claims = self.gauge.connections().iter().zip(tick.connections).map(|(followed, sample)| Claim {
            weight: f64::from(sample.weight.0),
            wanted: match known {
                Some(delay) if followed.is_settled(now) => {
                    USED * followed.rate * delay.round_trip() + HEADROOM_SEGMENTS * self.segment
                }
                _ => START_SEGMENTS * self.segment,
            },
            is_silent: followed.is_silent(now, SILENT_SECONDS),
        });
        let shares = split(self.window, self.segment, &claims.collect::<alloc::vec::Vec<_>>());
        let base = known.map_or(ROUND_SECONDS_MIN, |delay| delay.base.max(0.001));
        for (index, share) in shares.iter().enumerate() {
            self.gauge.grant(index, *share, now);
        }
        let shares = shares.iter().zip(tick.connections).map(|(share, sample)| Share {
            id: sample.id,
            window: share.map(bytes),
            smoothing: bytes((SMOOTHING.0 * share.unwrap_or(0.0) / base).max(SMOOTHING.1)),
        });
        Decision { window: bytes(self.window), shares: shares.collect() }
    }
}

fn bytes(count: f64) -> Bytes {
    Bytes(count as u64)
}
