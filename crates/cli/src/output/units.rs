//! Sizes, times and counts as people read them.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// Such as `512 bytes` or `12.3 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return counted(count, "byte");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // What would be written as 1024.0 is 1.0 of the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 file`, `2 files`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Such as `4 s`, `2 min 5 s`, `3 h 0 min` or `14 days`.
pub(crate) fn duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR if seconds.is_multiple_of(MINUTE) => format!("{} min", seconds / MINUTE),
        MINUTE..HOUR => format!("{} min {} s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        _ if seconds % DAY < HOUR => counted(seconds / DAY, "day"),
        _ => format!("{} {} h", counted(seconds / DAY, "day"), seconds % DAY / HOUR),
    }
}

/// An RFC 3339 time, as the clock of `zone` shows it; what is no time is left as it is.
pub(crate) fn local_time(text: &str, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Whole seconds from `now` to the RFC 3339 time `until`, rounded up; 0 when it is past.
pub(crate) fn seconds_until(until: &str, now: Timestamp) -> Option<u64> {
    let left = until.parse::<Timestamp>().ok()?.duration_since(now);
    let left = left.max(SignedDuration::ZERO);
    let rounded = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    u64::try_from(rounded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (count, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (64 << 20, "64.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn durations_are_short() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (125, "2 min 5 s"),
            (3600, "1 h 0 min"),
            (86_400, "1 day"),
            (1_209_600, "14 days"),
            (90_000, "1 day 1 h"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn times_are_shown_by_the_clock_of_the_person() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(local_time("2026-11-23T06:00:00.250Z", &zone), "2026-11-23 07:00:00");
        assert_eq!(local_time("soon", &zone), "soon");
    }

    #[test]
    fn a_wait_is_rounded_up_and_never_negative() {
        let now: Timestamp = "2026-11-23T06:00:00Z".parse().expect("a time");
        for (until, expected) in [
            ("2026-11-23T06:00:04Z", Some(4)),
            ("2026-11-23T06:00:03.001Z", Some(4)),
            ("2026-11-23T05:00:00Z", Some(0)),
            ("soon", None),
        ] {
            assert_eq!(seconds_until(until, now), expected, "{until}");
        }
    }
}
