//! Limits in bytes per second: how they are written, how many bytes may go now, and when there will be
//! more.
//!
//! One [`Bucket`] holds one limit, of a job, an owner or all. Who limits whom is [`gate`](super::gate)'s.

use alloc::string::{String, ToString};
use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

use crate::units::Bytes;

/// How much may go at once after a pause, in time at the limit. Shorter, and every tick would have
/// to be kept; longer, and a limit would be felt as bursts.
const BURST: Duration = Duration::from_millis(100);
/// And at least so much, so that a slow limit lets whole segments through.
const BURST_BYTES_MIN: u64 = 4096;

/// Digits of a fraction that count: of a tebibyte the rest is a few bytes, of all else less than one.
const FRACTION_DIGITS_MAX: usize = 12;

/// Bytes per second. A limit of nothing is no limit but a pause, which is a job's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub NonZeroU64);

/// Why a text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error(
        "`{0}` is no rate; write bytes per second such as 500k or 2M, bits per second such as 8mbit, or none"
    )]
    NotARate(String),
    #[error(
        "`{0}` is less than {least} bytes per second, with which nothing would ever be done; write none for no limit",
        least = Rate::LEAST
    )]
    TooLow(String),
    #[error("`{0}` is more than 1T, which no link carries; write none for no limit")]
    TooHigh(String),
}

impl Rate {
    /// What BITS takes its lowest limit for: 2 Kbit/s (`bits.md` §10.2).
    pub const LEAST: u64 = 250;
    /// A tebibyte per second.
    pub const MOST: u64 = 1 << 40;

    /// The lowest rate there is.
    pub fn lowest() -> Self {
        Self::new(Self::LEAST).expect("the lowest rate is one")
    }

    /// A rate that somebody may set; `None` for one that makes no sense.
    pub fn new(bytes_per_second: u64) -> Option<Self> {
        let fits = (Self::LEAST..=Self::MOST).contains(&bytes_per_second);
        NonZeroU64::new(bytes_per_second).filter(|_| fits).map(Self)
    }

    /// Parses a limit: `none` or `0` for no limit; bytes per second, with `k`, `M`, `G` or `T` for
    /// powers of 1024 as in curl and wget; or bits per second in powers of 1000: `kbit`, `mbit`, `gbit`.
    /// What a fraction has below a byte is left out.
    ///
    /// # Errors
    /// [`RateError`], which names the text.
    pub fn parse_limit(text: &str) -> Result<Option<Self>, RateError> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        if lower == "none" || lower == "0" {
            return Ok(None);
        }
        let not = || RateError::NotARate(text.to_string());
        let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
        let (number, unit) = lower.split_at(end);
        // In bits, so that all units have one.
        let scale: u128 = match unit.trim() {
            "" | "b" => 8,
            "k" | "kb" | "kib" => 8 << 10,
            "m" | "mb" | "mib" => 8 << 20,
            "g" | "gb" | "gib" => 8 << 30,
            "t" | "tb" | "tib" => 8 << 40,
            "kbit" => 1000,
            "mbit" => 1_000_000,
            "gbit" => 1_000_000_000,
            _ => return Err(not()),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || part.contains('.') || number.ends_with('.') {
            return Err(not());
        }
        // There is no unit below a byte, and digits that no number can hold are more than any limit, too.
        let whole = whole.parse::<u64>().ok().filter(|whole| *whole <= Self::MOST);
        let whole = u128::from(whole.ok_or_else(|| RateError::TooHigh(text.to_string()))?);
        let part = part.get(..FRACTION_DIGITS_MAX).unwrap_or(part);
        let tenths = 10u128.pow(part.len() as u32);
        let part: u128 = if part.is_empty() { 0 } else { part.parse().map_err(|_| not())? };
        let bytes = (whole * tenths + part) * scale / tenths / 8;
        if bytes < u128::from(Self::LEAST) {
            return Err(RateError::TooLow(text.to_string()));
        }
        u64::try_from(bytes)
            .ok()
            .and_then(Self::new)
            .map(Some)
            .ok_or_else(|| RateError::TooHigh(text.to_string()))
    }

    pub fn bytes_per_second(self) -> u64 {
        self.0.get()
    }
}

/// As it can be parsed again.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.get();
        let fits = |shift: u32| bytes >= 1 << shift && bytes.trailing_zeros() >= shift;
        match [(30, 'G'), (20, 'M'), (10, 'k')].into_iter().find(|(shift, _)| fits(*shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", bytes >> shift),
            None => write!(f, "{bytes}"),
        }
    }
}

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

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// So many of those that were taken have not gone after all.
    pub fn give_back(&mut self, count: Bytes) {
        let level = self.level.saturating_add(i128::from(count.0).saturating_mul(SCALE));
        self.level = level.min(capacity(self.rate));
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

/// The most that goes at once after a pause under a limit of `rate`: a tenth of a second's worth, and at
/// least 4 KiB.
pub fn burst(rate: Rate) -> Bytes {
    Bytes(u64::try_from(capacity(rate) / SCALE).unwrap_or(u64::MAX))
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
    fn a_limit_is_written_as_in_curl_or_in_bits_and_read_back_as_it_is_shown() {
        for (text, expected) in [
            ("none", Ok(None)),
            ("NONE", Ok(None)),
            ("0", Ok(None)),
            ("250", Ok(Some(250))),
            ("1000B", Ok(Some(1000))),
            ("500k", Ok(Some(512_000))),
            (" 2M ", Ok(Some(2 << 20))),
            ("1.5m", Ok(Some(3 << 19))),
            ("2MiB", Ok(Some(2 << 20))),
            ("1T", Ok(Some(1 << 40))),
            ("8mbit", Ok(Some(1_000_000))),
            ("2kbit", Ok(Some(250))),
            ("1 Gbit", Ok(Some(125_000_000))),
            ("249", Err("less than 250")),
            ("0.1k", Err("less than 250")),
            ("00", Err("less than 250")),
            ("0k", Err("less than 250")),
            ("0.0", Err("less than 250")),
            ("249.999999999999999999999999", Err("less than 250")),
            ("250.999999999999999999999999", Ok(Some(250))),
            ("1.00000000000000000000M", Ok(Some(1 << 20))),
            ("0.999999999999999999999T", Ok(Some((1 << 40) - 2))),
            ("1099511627776", Ok(Some(1 << 40))),
            ("1099511627777", Err("more than 1T")),
            ("1.000000000001T", Err("more than 1T")),
            ("1025G", Err("more than 1T")),
            ("8797gbit", Err("more than 1T")),
            ("9223372036854775808", Err("more than 1T")),
            ("18446744073709551615", Err("more than 1T")),
            ("18446744073709551616", Err("more than 1T")),
            ("99999999999999999999T", Err("more than 1T")),
            ("99999999999999999999.999999T", Err("more than 1T")),
            ("999999999999999999999", Err("more than 1T")),
            ("999999999999999999999 parsecs", Err("is no rate")),
            ("", Err("is no rate")),
            ("-1", Err("is no rate")),
            ("2.", Err("is no rate")),
            (".5M", Err("is no rate")),
            ("1.2.3", Err("is no rate")),
            ("99999999999999999999999.1.2", Err("is no rate")),
            ("+1M", Err("is no rate")),
            ("1_000", Err("is no rate")),
            ("1,5M", Err("is no rate")),
            ("1e6", Err("is no rate")),
            ("0x400", Err("is no rate")),
            ("٣M", Err("is no rate")),
            ("1k k", Err("is no rate")),
            ("2Mb/s", Err("is no rate")),
            ("fast", Err("is no rate")),
        ] {
            match (Rate::parse_limit(text), expected) {
                (Ok(limit), Ok(expected)) => {
                    assert_eq!(limit.map(Rate::bytes_per_second), expected, "{text}");
                    if let Some(limit) = limit {
                        assert_eq!(Rate::parse_limit(&limit.to_string()), Ok(Some(limit)), "{text}");
                    }
                }
                (Err(error), Err(expected)) => {
                    let sentence = error.to_string();
                    assert!(sentence.contains(expected) && sentence.contains(text.trim()), "{sentence}");
                }
                (got, expected) => panic!("{text}: {got:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn what_is_given_back_can_go_again_but_nothing_beyond_a_burst() {
        let mut bucket = Bucket::new(rate(100_000), at(0));
        bucket.take(Bytes(10_000), at(0));
        bucket.give_back(Bytes(4000));
        assert_eq!(bucket.available(at(0)), Bytes(4000));
        bucket.give_back(Bytes(u64::MAX));
        assert_eq!(bucket.available(at(0)), burst(rate(100_000)));
    }
}
