//! Limits in bytes per second: how many bytes may go now, and when there will be more.
//!
//! One [`Bucket`] holds one limit, of a job, an owner or all. What passes several of them takes
//! from each no more than the emptiest has ([`allowance`]). Who limits whom is not known here.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::units::Bytes;

/// How much may go at once after a pause, in time at the limit. Shorter, and every tick would have
/// to be kept; longer, and a limit would be felt as bursts.
const BURST: Duration = Duration::from_millis(100);
/// And at least so much, so that a slow limit lets whole segments through.
const BURST_BYTES_MIN: u64 = 4096;

/// Bytes per second. A limit of nothing is no limit but a pause, which is a job's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub NonZeroU64);

/// One limit, and what is left of it.
///
/// It is kept in bytes times nanoseconds, so that nothing is lost in rounding, however often one
/// asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    rate: Rate,
    /// What may go, in bytes · 10⁹; below zero when more has gone than was there.
    level: i128,
    filled_at: Duration,
}

const SCALE: i128 = 1_000_000_000;

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Duration) -> Self {
        Self { rate, level: capacity(rate), filled_at: now }
    }

    /// From now on another rate. What has gone has gone.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.fill(now);
        self.rate = rate;
        self.level = self.level.min(capacity(rate));
    }

    /// How many bytes may go now.
    pub fn available(&mut self, now: Duration) -> Bytes {
        self.fill(now);
        Bytes(u64::try_from(self.level / SCALE).unwrap_or(0))
    }

    /// So many have gone. More than were there is a debt that later ones wait for.
    pub fn take(&mut self, count: Bytes, now: Duration) {
        self.fill(now);
        self.level -= i128::from(count.0) * SCALE;
    }

    /// How long until `count` bytes may go; no more is waited for than the bucket ever holds.
    pub fn wait_for(&mut self, count: Bytes, now: Duration) -> Duration {
        self.fill(now);
        let wanted = (i128::from(count.0) * SCALE).min(capacity(self.rate));
        let missing = u128::try_from(wanted - self.level).unwrap_or(0);
        let nanos = missing.div_ceil(u128::from(self.rate.0.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn fill(&mut self, now: Duration) {
        // A clock that went back fills nothing, and is believed from here on.
        let since = now.saturating_sub(self.filled_at).as_nanos();
        self.filled_at = now;
        let since = i128::try_from(since).unwrap_or(i128::MAX);
        let gain = since.saturating_mul(i128::from(self.rate.0.get()));
        self.level = self.level.saturating_add(gain).min(capacity(self.rate));
    }
}

fn capacity(rate: Rate) -> i128 {
    let burst = u128::from(rate.0.get()) * BURST.as_millis() / 1000;
    i128::try_from(burst).unwrap_or(i128::MAX / SCALE).max(i128::from(BURST_BYTES_MIN)) * SCALE
}

/// How many bytes may go past all of `buckets` now; everything where there are none.
pub fn allowance<'a>(buckets: impl IntoIterator<Item = &'a mut Bucket>, now: Duration) -> Option<Bytes> {
    buckets.into_iter().map(|bucket| bucket.available(now)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bytes: u64) -> Rate {
        Rate(NonZeroU64::new(bytes).expect("a rate is not zero"))
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// What passes in `seconds` when it is asked every `step` milliseconds.
    fn passed(bucket: &mut Bucket, seconds: u64, step: u64) -> u64 {
        let mut passed = 0;
        for millis in (0..seconds * 1000).step_by(usize::try_from(step).expect("a step")) {
            let now = at(millis);
            let count = bucket.available(now);
            bucket.take(count, now);
            passed += count.0;
        }
        passed
    }

    #[test]
    fn what_passes_in_a_while_is_the_rate_and_one_burst_however_often_one_asks() {
        for bytes_per_second in [1, 999, 100_000, 12_500_000, 1 << 40] {
            for step in [1, 7, 10, 100] {
                let mut bucket = Bucket::new(rate(bytes_per_second), at(0));
                let passed = passed(&mut bucket, 20, step);
                let burst = (bytes_per_second / 10).max(BURST_BYTES_MIN);
                let expected = 20 * bytes_per_second + burst;
                let missing = bytes_per_second * (step + 1) / 1000 + 1;
                assert!(passed <= expected, "{bytes_per_second} each {step} ms: {passed} > {expected}");
                assert!(passed + missing >= expected, "{bytes_per_second} each {step} ms: {passed}");
            }
        }
    }

    #[test]
    fn a_pause_is_not_saved_up() {
        let mut bucket = Bucket::new(rate(100_000), at(0));
        bucket.take(Bytes(10_000), at(0));
        assert_eq!(bucket.available(at(3_600_000)), Bytes(10_000));
    }

    #[test]
    fn who_took_too_much_waits_for_it() {
        let mut bucket = Bucket::new(rate(100_000), at(0));
        bucket.take(Bytes(60_000), at(0));
        assert_eq!(bucket.available(at(499)), Bytes(0));
        assert_eq!(bucket.wait_for(Bytes(1000), at(499)), at(11));
        assert_eq!(bucket.available(at(510)), Bytes(1000));
        // More than it ever holds would never be there.
        assert_eq!(bucket.wait_for(Bytes(u64::MAX), at(510)), at(90));
    }

    #[test]
    fn another_rate_holds_at_once_and_keeps_the_debt() {
        let mut bucket = Bucket::new(rate(1_000_000), at(0));
        bucket.set_rate(rate(50_000), at(0));
        assert_eq!(bucket.available(at(0)), Bytes(5000));
        bucket.take(Bytes(55_000), at(0));
        bucket.set_rate(rate(100_000), at(100));
        assert_eq!(bucket.wait_for(Bytes(1), at(100)), Duration::from_nanos(450_010_000));
    }

    #[test]
    fn a_clock_that_goes_back_or_far_ahead_breaks_nothing() {
        let mut bucket = Bucket::new(rate(u64::MAX), at(1000));
        bucket.take(Bytes(u64::MAX), at(1000));
        assert_eq!(bucket.available(at(0)), Bytes(0));
        assert!(bucket.available(Duration::MAX) > Bytes(0));
        let mut slow = Bucket::new(rate(1), at(0));
        slow.take(Bytes(u64::MAX), at(0));
        assert!(slow.wait_for(Bytes(1), at(0)) > at(1_000_000));
    }

    #[test]
    fn the_emptiest_of_several_limits_decides() {
        let now = at(0);
        let mut job = Bucket::new(rate(100_000), now);
        let mut owner = Bucket::new(rate(1_000_000), now);
        assert_eq!(allowance([&mut job, &mut owner], now), Some(Bytes(10_000)));
        owner.take(Bytes(98_000), now);
        assert_eq!(allowance([&mut job, &mut owner], now), Some(Bytes(2000)));
        assert_eq!(allowance([], now), None);
    }
}
