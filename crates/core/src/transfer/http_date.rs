//! Dates as HTTP writes them (RFC 9110 §5.6.7): the present form and the two old ones.
//!
//! The day of the week is not looked at: nothing follows from it.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::time::Timestamp;

/// Reads a date. `None` for anything that is none, and for dates before 1970.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let (day, month, year, clock) = match text.split_once(", ") {
        Some((_, rest)) if rest.contains('-') => rfc_850(rest)?,
        Some((_, rest)) => imf_fixdate(rest)?,
        None => asctime(text)?,
    };
    let days = days_since_1970(year, month, day)?;
    Some(Timestamp::default() + Duration::from_secs(days * 86_400 + seconds_of(clock)?))
}

/// Writes a date in the present form.
pub(super) fn write(time: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let seconds = time.0 / 1000;
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date_of(days);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[(days % 7) as usize],
        MONTHS[month as usize - 1],
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}

type Parts<'a> = (u64, u64, u64, &'a str);

/// `06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &str) -> Option<Parts<'_>> {
    let mut words = text.split(' ');
    let date = (number(words.next()?)?, month(words.next()?)?, number(words.next()?)?, words.next()?);
    (words.next() == Some("GMT") && words.next().is_none()).then_some(date)
}

/// `06-Nov-94 08:49:37 GMT`
fn rfc_850(text: &str) -> Option<Parts<'_>> {
    let mut words = text.split(' ');
    let mut date = words.next()?.split('-');
    let (day, month, year) = (number(date.next()?)?, month(date.next()?)?, number(date.next()?)?);
    let clock = words.next()?;
    // Nothing on the web is older than the web's epoch, so two digits are enough.
    let year = if year < 70 { 2000 + year } else { 1900 + year };
    (words.next() == Some("GMT") && year < 2070).then_some((day, month, year, clock))
}

/// `Nov  6 08:49:37 1994` behind the day of the week
fn asctime(text: &str) -> Option<Parts<'_>> {
    let mut words = text.split(' ').filter(|word| !word.is_empty()).skip(1);
    let (month, day, clock) = (month(words.next()?)?, number(words.next()?)?, words.next()?);
    let year = number(words.next()?)?;
    words.next().is_none().then_some((day, month, year, clock))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(text: &str) -> Option<u64> {
    MONTHS.iter().position(|month| *month == text).map(|at| at as u64 + 1)
}

fn seconds_of(clock: &str) -> Option<u64> {
    let mut parts = clock.split(':').map(number);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    // 60 is a leap second.
    let sound = parts.next().is_none() && hours < 24 && minutes < 60 && seconds <= 60;
    sound.then_some(hours * 3600 + minutes * 60 + seconds)
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some(days - 719_468)
}

/// The reverse of [`days_since_1970`].
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        assert_eq!(write(Timestamp(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
        for day in (0..60_000).step_by(13) {
            let time = Timestamp(day * 86_400_000 + 3_661_000);
            assert_eq!(parse(&write(time)), Some(time));
        }
    }

    #[test]
    fn all_three_forms_of_a_date_are_read() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Tue, 29 Feb 2000 12:00:00 GMT", Some(951_825_600)),
            ("Wed, 25 Nov 2026 10:12:05 GMT", Some(1_795_601_525)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Wed, 25 Nov 2026 25:12:05 GMT", None),
            ("Wed, 25 Nov 2026 10:12:05 CET", None),
            ("25 Nov 2026", None),
            ("", None),
            ("0", None),
        ] {
            let expected = seconds.map(|seconds: u64| Timestamp(seconds * 1000));
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
