//! The most that the link has been seen to carry of late.

use alloc::collections::VecDeque;

/// How long a rate counts. A link that has become slower is overrated for as long.
const MEMORY_SECONDS: f64 = 60.0;
/// Rates within one such step are one entry.
const STEP_SECONDS: f64 = 1.0;

/// A maximum over a sliding window. It ages only while it is fed: what the link can carry is not
/// forgotten while we leave it to others.
#[derive(Debug, Clone, Default)]
pub(super) struct Capacity {
    /// Seconds for which it was fed.
    age: f64,
    last_fed: Option<f64>,
    /// Falling rates, each with the age at which it was seen.
    rates: VecDeque<(f64, f64)>,
    believed: f64,
}

impl Capacity {
    /// Takes in a rate seen at `now`.
    pub(super) fn feed(&mut self, now: f64, rate: f64) {
        let since = self.last_fed.map_or(0.0, |last| (now - last).clamp(0.0, STEP_SECONDS));
        self.last_fed = Some(now);
        self.age += since;
        while self.rates.front().is_some_and(|(age, _)| self.age - age > MEMORY_SECONDS) {
            self.rates.pop_front();
        }
        while self.rates.back().is_some_and(|(_, lower)| *lower <= rate) {
            self.rates.pop_back();
        }
        let is_new_step = self.rates.back().is_none_or(|(age, _)| self.age - age >= STEP_SECONDS);
        if is_new_step {
            self.rates.push_back((self.age, rate));
        }
        self.believed = self.believed.max(rate).min(self.get());
    }

    /// Bytes per second that were seen; 0 while nothing is known.
    pub(super) fn get(&self) -> f64 {
        self.rates.front().map_or(0.0, |(_, rate)| *rate)
    }

    /// Bytes per second that may be relied on: what was seen, unless that has been doubted since.
    pub(super) fn believed(&self) -> f64 {
        self.believed
    }

    /// Only this part of it may be relied on, until more is seen again.
    pub(super) fn doubt(&mut self, part: f64) {
        self.believed *= part;
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_rate_of_a_minute_counts_and_ages_only_while_it_is_fed() {
        let mut capacity = Capacity::default();
        assert!(capacity.get() == 0.0);
        let mut now = 0.0;
        let mut feed = |capacity: &mut Capacity, seconds: u32, rate: f64| {
            for _ in 0..seconds * 100 {
                now += 0.01;
                capacity.feed(now, rate);
            }
        };
        feed(&mut capacity, 10, 100.0);
        feed(&mut capacity, 40, 50.0);
        assert!(capacity.get() == 100.0);
        feed(&mut capacity, 30, 40.0);
        assert!(capacity.get() == 50.0);
        // An hour in which others had the link.
        capacity.feed(now + 3600.0, 10.0);
        assert!(capacity.get() == 50.0);
        assert!(capacity.rates.len() < 100);
    }

    #[test]
    fn what_is_doubted_is_relied_on_again_when_it_is_seen() {
        let mut capacity = Capacity::default();
        capacity.feed(0.0, 100.0);
        capacity.doubt(0.25);
        assert!((capacity.believed(), capacity.get()) == (25.0, 100.0));
        capacity.feed(0.1, 60.0);
        assert!((capacity.believed(), capacity.get()) == (60.0, 100.0));
        capacity.feed(0.2, 120.0);
        assert!((capacity.believed(), capacity.get()) == (120.0, 120.0));
    }
}
