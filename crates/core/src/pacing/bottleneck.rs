//! A bottleneck of numbers, packet by packet: a queue of a fixed rate and length, flows that fill
//! it as senders do, and controllers that see of it what a system would tell them.
//!
//! Only for tests, and only as true as they need: a sender here knows of a loss at once, and
//! acknowledgements are never lost.

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::*;
use crate::job::Priority;

/// Payload of a packet, and its bytes on the wire.
pub(super) const SEGMENT: u64 = 1448;
const WIRE: u64 = 1514;
/// Microseconds.
type Micros = u64;
const TICK_MICROS: Micros = 10_000;
const MILLI: Micros = 1000;

/// The link that everybody shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) megabits: f64,
    pub(super) buffer_millis: f64,
}

impl Link {
    pub(super) const USUAL: Self = Self { megabits: 50.0, buffer_millis: 100.0 };

    fn packet_micros(self) -> f64 {
        WIRE as f64 * 8.0 / self.megabits
    }

    /// Payload in bits per second that fills it, in millions.
    pub(super) fn payload(self) -> f64 {
        self.megabits * SEGMENT as f64 / WIRE as f64
    }
}

/// What drives a flow.
#[derive(Debug, Clone)]
pub(super) enum Sender {
    /// One connection of the controller of this number; its server sends what the window allows.
    Polite { controller: usize },
    /// Fills the queue until it overflows.
    Cubic(Cubic),
    /// Sends at the rate it has measured and keeps one more path full in flight.
    Bbr(Bbr),
    /// So many bytes per second, whatever happens.
    Steady { bytes_per_second: f64 },
    /// A cubic flow of so many bytes, again and again after a pause.
    Fetches { bytes: u64, pause: Micros, cubic: Cubic, left: u64, next_at: Micros },
}

#[derive(Debug, Clone)]
pub(super) struct Cubic {
    window: f64,
    threshold: f64,
    most: f64,
    cut_at: Micros,
    deaf_until: Micros,
}

impl Default for Cubic {
    fn default() -> Self {
        Self { window: 10.0, threshold: f64::INFINITY, most: 0.0, cut_at: 0, deaf_until: 0 }
    }
}

impl Cubic {
    fn acked(&mut self, now: Micros) {
        if self.window < self.threshold {
            self.window += 1.0;
            return;
        }
        let seconds = (now - self.cut_at) as f64 / 1e6;
        let root = (self.most * 0.3 / 0.4).cbrt();
        let goal = 0.4 * (seconds - root).powi(3) + self.most;
        self.window += ((goal - self.window) / self.window).clamp(0.01, 0.5);
    }

    fn lost(&mut self, now: Micros, round_trip: Micros) {
        if now >= self.deaf_until {
            self.most = self.window;
            self.window = (self.window * 0.7).max(2.0);
            self.threshold = self.window;
            self.cut_at = now;
            self.deaf_until = now + round_trip;
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Bbr {
    /// Packets per second, the largest of the last rounds.
    rates: VecDeque<f64>,
    least_round_trip: Micros,
    delivered: u64,
    round_from: (Micros, u64),
    rounds: u32,
    flat: u32,
    best: f64,
    is_full: bool,
    credit: f64,
}

impl Bbr {
    fn rate(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }

    fn gain(&self) -> f64 {
        match (self.is_full, self.rounds % 8) {
            (false, _) => 2.0,
            (true, 0) => 1.25,
            (true, 1) => 0.75,
            (true, _) => 1.0,
        }
    }

    fn window(&self) -> f64 {
        (2.0 * self.rate() * self.least_round_trip as f64 / 1e6).max(10.0)
    }

    fn acked(&mut self, now: Micros, round_trip: Micros) {
        self.delivered += 1;
        if self.least_round_trip == 0 || round_trip < self.least_round_trip {
            self.least_round_trip = round_trip;
        }
        if self.delivered == 1 {
            self.round_from = (now, 0);
        }
        let (then, delivered) = self.round_from;
        if now - then >= round_trip {
            self.rates.push_back((self.delivered - delivered) as f64 * 1e6 / (now - then) as f64);
            if self.rates.len() > 10 {
                self.rates.pop_front();
            }
            self.round_from = (now, self.delivered);
            self.rounds += 1;
            if self.rate() > 1.25 * self.best {
                (self.best, self.flat) = (self.rate(), 0);
            } else {
                self.flat += 1;
                self.is_full |= self.flat >= 3;
            }
        }
    }
}

/// One sender and its way, and what became of its packets.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub(super) sender: Sender,
    /// Round trip without a queue.
    pub(super) base: Micros,
    /// On our machine, so that its interface counts it.
    pub(super) is_local: bool,
    pub(super) from: Micros,
    pub(super) until: Micros,
    /// Most payload per second that its server has to give.
    pub(super) server_limit: f64,
    pub(super) priority: Priority,
    pub(super) has_timestamps: bool,
    in_flight: u64,
    sent: u64,
    received: u64,
    /// The right edge of the window, which is never taken back.
    edge: u64,
    /// What its server's own congestion control allows.
    server: Cubic,
    losses: u64,
    /// As the kernel keeps it: in milliseconds, a smaller one replaces.
    measured: Option<f64>,
    credit: f64,
    /// Payload received in each tenth of a second.
    tenths: Vec<u64>,
    pub(super) fetch_millis: Vec<u64>,
    fetch_from: Micros,
}

impl Flow {
    pub(super) fn new(sender: Sender) -> Self {
        Self {
            sender,
            base: 20 * MILLI,
            is_local: false,
            from: 0,
            until: Micros::MAX,
            server_limit: f64::INFINITY,
            priority: Priority::Normal,
            has_timestamps: true,
            in_flight: 0,
            sent: 0,
            received: 0,
            edge: 0,
            server: Cubic::default(),
            losses: 0,
            measured: None,
            credit: 0.0,
            tenths: Vec::new(),
            fetch_millis: Vec::new(),
            fetch_from: 0,
        }
    }

    pub(super) fn polite() -> Self {
        Self::of_controller(0)
    }

    pub(super) fn cubic() -> Self {
        Self::new(Sender::Cubic(Cubic::default()))
    }

    pub(super) fn bbr() -> Self {
        Self::new(Sender::Bbr(Bbr::default()))
    }

    pub(super) fn fetches(bytes: u64, pause_millis: u64) -> Self {
        let pause = pause_millis * MILLI;
        Self::new(Sender::Fetches { bytes, pause, cubic: Cubic::default(), left: 0, next_at: 0 })
    }

    pub(super) fn steady(megabits: f64) -> Self {
        Self::new(Sender::Steady { bytes_per_second: megabits * 1e6 / 8.0 })
    }

    pub(super) fn of_controller(controller: usize) -> Self {
        Self::new(Sender::Polite { controller })
    }

    pub(super) fn seconds(mut self, from: f64, until: f64) -> Self {
        self.from = (from * 1e6) as Micros;
        self.until = (until * 1e6) as Micros;
        self
    }

    pub(super) fn on_our_machine(mut self) -> Self {
        self.is_local = true;
        self
    }

    pub(super) fn with_base(mut self, millis: u64) -> Self {
        self.base = millis * MILLI;
        self
    }

    fn may_send(&mut self, now: Micros, window: Option<u64>) -> u64 {
        if now < self.from || now >= self.until {
            return 0;
        }
        let room = |window: f64, in_flight: u64| (window as u64).saturating_sub(in_flight);
        let in_flight = self.in_flight;
        match &mut self.sender {
            Sender::Polite { .. } => {
                // A parked connection gets a segment each time its sender's timer asks.
                let allowed = window.unwrap_or(SEGMENT / 2);
                self.edge = self.edge.max(self.received + allowed);
                let by_window = self.edge.saturating_sub(self.received) / SEGMENT;
                let by_window = by_window.saturating_sub(in_flight);
                let by_server = room(self.server.window, in_flight);
                self.credit = (self.credit + self.server_limit * 1e-3 / SEGMENT as f64).min(20.0);
                let count = by_window.min(by_server).min(self.credit as u64);
                if self.server_limit.is_finite() {
                    self.credit -= count as f64;
                }
                count
            }
            Sender::Cubic(cubic) => room(cubic.window, in_flight),
            Sender::Bbr(bbr) => {
                bbr.credit = (bbr.credit + bbr.rate() * bbr.gain() * 1e-3).min(20.0);
                let count = room(bbr.window(), in_flight);
                if bbr.rate() == 0.0 {
                    return count;
                }
                let count = count.min(bbr.credit as u64);
                bbr.credit -= count as f64;
                count
            }
            Sender::Steady { bytes_per_second } => {
                self.credit += *bytes_per_second * 1e-3 / SEGMENT as f64;
                let count = self.credit as u64;
                self.credit -= count as f64;
                count
            }
            Sender::Fetches { bytes, cubic, left, next_at, .. } => {
                if *left == 0 && in_flight == 0 && now >= *next_at {
                    *left = bytes.div_ceil(SEGMENT);
                    *cubic = Cubic::default();
                    self.fetch_from = now;
                }
                let count = room(cubic.window, in_flight).min(*left);
                *left -= count;
                count
            }
        }
    }

    fn acked(&mut self, now: Micros, round_trip: Micros) {
        self.in_flight -= 1;
        self.received += SEGMENT;
        let tenth = (now / 100_000) as usize;
        if self.tenths.len() <= tenth {
            self.tenths.resize(tenth + 1, 0);
        }
        self.tenths[tenth] += SEGMENT;
        match &mut self.sender {
            Sender::Polite { .. } => {
                self.server.acked(now);
                let millis = (round_trip / MILLI) as f64;
                self.measured = Some(match self.measured {
                    Some(before) if millis > before => before + (millis - before) / 8.0,
                    _ => millis.max(1.0),
                });
            }
            Sender::Cubic(cubic) => cubic.acked(now),
            Sender::Bbr(bbr) => bbr.acked(now, round_trip),
            Sender::Steady { .. } => {}
            Sender::Fetches { pause, cubic, left, next_at, .. } => {
                cubic.acked(now);
                if *left == 0 && self.in_flight == 0 {
                    self.fetch_millis.push((now - self.fetch_from) / MILLI);
                    *next_at = now + *pause;
                }
            }
        }
    }

    fn lost(&mut self, now: Micros, round_trip: Micros) {
        self.in_flight -= 1;
        self.losses += 1;
        match &mut self.sender {
            Sender::Polite { .. } => self.server.lost(now, round_trip),
            Sender::Cubic(cubic) => cubic.lost(now, round_trip),
            Sender::Fetches { cubic, left, .. } => {
                cubic.lost(now, round_trip);
                *left += 1;
            }
            Sender::Bbr(_) | Sender::Steady { .. } => {}
        }
    }
}

/// A packet that was let through, to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Acknowledgement {
    at: Micros,
    flow: usize,
    sent_at: Micros,
}

/// Everything, and the clock.
#[derive(Debug)]
pub(super) struct World {
    pub(super) link: Link,
    pub(super) flows: Vec<Flow>,
    pub(super) controllers: Vec<Controller>,
    /// Whether interface counters can be read.
    pub(super) has_counters: bool,
    /// The most that a packet is late by chance.
    pub(super) jitter: Micros,
    /// One tick in so many is late, by up to so much.
    pub(super) late_ticks: Option<(u64, Micros)>,
    now: Micros,
    /// What a controller's clock is ahead by.
    pub(super) clock_ahead: Micros,
    /// When each packet in the queue has left it.
    queue: VecDeque<Micros>,
    last_leaves: f64,
    acknowledgements: BinaryHeap<Reverse<Acknowledgement>>,
    next_ticks: Vec<Micros>,
    windows: Vec<Option<u64>>,
    interface: u64,
    chance: u64,
    /// The queueing delay in each millisecond, in microseconds.
    pub(super) queued: Vec<u64>,
}

impl World {
    pub(super) fn new(link: Link, flows: Vec<Flow>) -> Self {
        let count = flows.iter().filter_map(Flow::controller).max().map_or(0, |last| last + 1);
        let controller = Controller::new(TargetDelay::QUIET, MinimumShare::NOTHING);
        Self {
            link,
            windows: vec![None; flows.len()],
            flows,
            controllers: vec![controller; count],
            has_counters: true,
            jitter: 0,
            late_ticks: None,
            now: 0,
            clock_ahead: 0,
            queue: VecDeque::new(),
            last_leaves: 0.0,
            acknowledgements: BinaryHeap::new(),
            // Not all in step.
            next_ticks: (0..count as u64).map(|index| index * 3700).collect(),
            interface: 0,
            chance: 0x9E37_79B9_7F4A_7C15,
            queued: Vec::new(),
        }
    }

    /// Lets time pass until `seconds` after the beginning.
    pub(super) fn run_until(&mut self, seconds: f64) {
        let end = (seconds * 1e6) as Micros;
        while self.now < end {
            self.now += MILLI;
            while self.queue.front().is_some_and(|leaves| *leaves <= self.now) {
                self.queue.pop_front();
            }
            self.acknowledge();
            for controller in 0..self.controllers.len() {
                if self.now >= self.next_ticks[controller] {
                    self.tick(controller);
                }
            }
            // Whoever is first has an advantage; so take turns.
            let count = self.flows.len();
            for offset in 0..count {
                self.send((offset + (self.now / MILLI) as usize) % count);
            }
            self.queued.push((self.last_leaves - self.now as f64).max(0.0) as u64);
        }
    }

    fn acknowledge(&mut self) {
        while let Some(Reverse(next)) = self.acknowledgements.peek().copied() {
            if next.at > self.now {
                break;
            }
            self.acknowledgements.pop();
            let round_trip = next.at - next.sent_at;
            let flow = &mut self.flows[next.flow];
            flow.acked(next.at, round_trip);
            if flow.is_local || flow.controller() == Some(0) {
                self.interface += WIRE;
            }
        }
    }

    fn send(&mut self, index: usize) {
        let count = self.flows[index].may_send(self.now, self.windows[index]);
        for _ in 0..count {
            let flow = &mut self.flows[index];
            flow.in_flight += 1;
            flow.sent += 1;
            let waits = (self.last_leaves - self.now as f64).max(0.0);
            if waits > self.link.buffer_millis * 1e3 {
                let round_trip = flow.base + waits as Micros;
                flow.lost(self.now, round_trip);
                continue;
            }
            self.last_leaves = self.last_leaves.max(self.now as f64) + self.link.packet_micros();
            let leaves = self.last_leaves as Micros;
            self.queue.push_back(leaves);
            let late = if self.jitter == 0 { 0 } else { self.by_chance(self.jitter) };
            let at = leaves + self.flows[index].base + late;
            let acknowledgement = Acknowledgement { at, flow: index, sent_at: self.now };
            self.acknowledgements.push(Reverse(acknowledgement));
        }
    }

    fn tick(&mut self, controller: usize) {
        let late_ticks = self.late_ticks;
        let late = match late_ticks {
            Some((one_in, most)) if self.by_chance(one_in) == 0 => self.by_chance(most),
            _ => 0,
        };
        self.next_ticks[controller] = self.now + TICK_MICROS + late;
        let ours: Vec<usize> = (0..self.flows.len())
            .filter(|&index| self.flows[index].controller() == Some(controller))
            .filter(|&index| (self.flows[index].from..self.flows[index].until).contains(&self.now))
            .collect();
        if ours.is_empty() {
            return;
        }
        let samples: Vec<Sample> = ours.iter().map(|&index| self.flows[index].sample(index)).collect();
        let tick = Tick {
            now: Duration::from_micros(self.now + self.clock_ahead),
            connections: &samples,
            departed: Bytes::ZERO,
            // Only the first controller is on the machine whose interface is counted.
            interface: (self.has_counters && controller == 0).then_some(Bytes(self.interface)),
            neighbours: Bytes::ZERO,
        };
        let decision = self.controllers[controller].tick(tick);
        for (index, share) in ours.into_iter().zip(&decision.shares) {
            self.windows[index] = share.window.map(|window| window.0);
        }
    }

    /// A number below `bound`, the same ones in every run.
    fn by_chance(&mut self, bound: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % bound
    }

    /// Megabits of payload per second that a flow got in this time.
    pub(super) fn megabits(&self, flow: usize, from: f64, until: f64) -> f64 {
        let tenths = &self.flows[flow].tenths;
        let span = (from * 10.0) as usize..((until * 10.0) as usize).min(tenths.len());
        let bytes: u64 = tenths.get(span).unwrap_or_default().iter().sum();
        bytes as f64 * 8.0 / 1e6 / (until - from)
    }

    /// The queueing delay in milliseconds that was not exceeded in this part of the time.
    pub(super) fn queue_millis(&self, part: f64, from: f64, until: f64) -> f64 {
        let mut queued = self.queued[(from * 1e3) as usize..(until * 1e3) as usize].to_vec();
        queued.sort_unstable();
        queued[((queued.len() - 1) as f64 * part) as usize] as f64 / 1e3
    }

    /// Seconds after `from` until a flow, looked at in tenths, first gets less or more than this.
    pub(super) fn until_rate(&self, flow: usize, from: f64, is_there: impl Fn(f64) -> bool) -> Option<f64> {
        let first = (from * 10.0) as usize;
        let tenths = &self.flows[flow].tenths;
        let last = (self.now / 100_000) as usize;
        let rate = |tenth: usize| tenths.get(tenth).copied().unwrap_or(0) as f64 * 8.0 / 1e5;
        (first..last).find(|&tenth| is_there(rate(tenth))).map(|tenth| (tenth + 1 - first) as f64 / 10.0)
    }
}

impl Flow {
    fn controller(&self) -> Option<usize> {
        match self.sender {
            Sender::Polite { controller } => Some(controller),
            _ => None,
        }
    }

    fn sample(&self, index: usize) -> Sample {
        Sample {
            id: ConnectionId(index as u64),
            path: PathId(self.base),
            weight: Weight::of(self.priority),
            // The kernel rounds up to its granularity and no further.
            round_trip: self
                .measured
                .filter(|_| self.has_timestamps)
                .map(|millis| Duration::from_micros((millis * 1e3) as u64)),
            carried: Bytes(self.received),
            on_wire: Bytes(self.received),
            losses: self.losses,
            segment: Bytes(SEGMENT),
        }
    }
}
