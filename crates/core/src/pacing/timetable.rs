//! A weekly timetable of limits: what may be received at which time of the week, and until when
//! (`bits.md` §10.2).
//!
//! ```text
//! mon-fri 08:00-18:00 1M                  high, normal and low together, at work
//! mon-fri 08:00-18:00 foreground 4M       foreground, of which BITS limits nothing
//! sat,sun 22:00-06:00 low stop            low not at all; goes on over midnight
//! otherwise 8mbit                         outside of all lines for these priorities
//! maintenance sun 02:00-04:00 none        goes before all others
//! ```
//!
//! The time is an argument, and so is how far the local clock is from UTC at any moment: where it is set
//! forward or back, a minute of the week does not come, or comes twice. Lines begin and end with minutes of
//! the local clock, which need not be those of UTC. A leap second has no number of its own, in POSIX as
//! here, and belongs to the minute that its number is in.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::gate::Priorities;
use super::rate::Rate;
use crate::job::Priority;
use crate::time::Timestamp;

/// Lines of one timetable. Each quarter of an hour of a week would be 672; nobody can oversee that.
const LINES_MAX: usize = 200;
const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;
const SECOND: Duration = Duration::from_secs(1);
/// How many seconds ahead a change is looked for: a week, and what a clock that is set back adds.
const AHEAD: u32 = (WEEK + DAY) * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// How far the local clock is ahead of UTC at a moment, in seconds.
pub type Offset<'a> = &'a dyn Fn(Timestamp) -> i32;

/// A timetable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timetable {
    lines: Vec<Line>,
    /// What the lines come to: parts of the week, in their order, the first from its first minute on.
    sections: Vec<Section>,
}

/// A part of the week in which the same lines hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    /// Its first minute.
    from: u32,
    /// Which lines hold, by priority.
    lines: [Option<usize>; Priority::ALL.len()],
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    number: usize,
    when: When,
    who: Priorities,
    what: Allowed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    /// Whenever no other line is for the same jobs.
    Otherwise,
    /// From a minute of each of these days on, for so many minutes.
    At { days: [bool; 7], from: u32, minutes: u32, goes_before: bool },
}

/// What a line allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    All,
    UpTo(Rate),
    Nothing,
}

/// What a timetable says of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moment {
    /// Limits of jobs of some priorities together.
    pub together: Vec<(Priorities, Rate)>,
    /// Which priorities may not run, by their numbers.
    pub stopped: [Option<Stop>; Priority::ALL.len()],
    /// When it says something else; `None`: never.
    pub until: Option<Timestamp>,
}

impl Moment {
    /// The limits that hold. Those who may not run have the lowest that there is: what of them runs still
    /// hears of it before it hears that it is to stop, and has none of what others may have from now on.
    pub fn limits(&self) -> impl Iterator<Item = (Priorities, Rate)> {
        let is_stopped = |priority: &Priority| self.stopped[*priority as usize].is_some();
        let stopped = Priority::ALL.into_iter().filter(is_stopped).map(Priorities::of);
        let stopped = stopped.reduce(Priorities::and).map(|who| (who, Rate::lowest()));
        self.together.iter().copied().chain(stopped)
    }
}

/// Jobs of a priority may not run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// When they may again; `None`: not before somebody changes the timetable.
    pub until: Option<Timestamp>,
}

/// What is wrong with a timetable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct TimetableError {
    line: usize,
    wrong: String,
}

impl Timetable {
    /// Parses lines, apart by line ends or `;`. Empty ones, and what follows a `#`, say nothing.
    ///
    /// # Errors
    /// [`TimetableError`], which names the line.
    pub fn parse(text: &str) -> Result<Self, TimetableError> {
        let mut table = Self::default();
        for (at, text) in text.split(['\n', ';']).enumerate() {
            let number = at + 1;
            let text = text.split('#').next().unwrap_or_default().trim().to_ascii_lowercase();
            if text.is_empty() {
                continue;
            }
            let failed = |wrong: String| TimetableError { line: number, wrong };
            if table.lines.len() == LINES_MAX {
                return Err(failed(["there are more than ", &LINES_MAX.to_string(), " lines"].concat()));
            }
            let line = parse_line(number, &text).map_err(failed)?;
            if let Some(other) = table.lines.iter().find(|other| other.overlaps(&line)) {
                let other = other.number.to_string();
                let wrong = ["it is for a time and for jobs that line ", &other, " is for already"].concat();
                return Err(failed(wrong));
            }
            table.lines.push(line);
        }
        table.sections = table.divide();
        Ok(table)
    }

    /// The parts of the week between where lines begin or end.
    fn divide(&self) -> Vec<Section> {
        let mut bounds: Vec<u32> = self.lines.iter().flat_map(Line::bounds).chain([0]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let section =
            |from| Section { from, lines: Priority::ALL.map(|priority| self.line_at(from, priority)) };
        let mut sections: Vec<Section> = bounds.into_iter().map(section).collect();
        sections.dedup_by(|next, section| next.lines == section.lines);
        sections
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What holds at `now`, and until when.
    pub fn at(&self, now: Timestamp, offset: Offset<'_>) -> Moment {
        if self.is_empty() {
            return Moment::default();
        }
        let holding = |time| {
            let section = self.section_at(second_of_week(time, offset) / 60);
            section.lines.map(|line| line.map(|line| &self.lines[line]))
        };
        let is = holding(now);
        let numbers = is.map(|line| line.map(|line| line.number));
        let first = |fits: &dyn Fn(Timestamp) -> bool| {
            let in_seconds = |ahead: u32| Timestamp(now.0 / 1000 * 1000) + SECOND * ahead;
            let mut ahead = 0;
            loop {
                // Nothing changes before the next section, but by the local clock.
                let section = ahead + self.seconds_left(second_of_week(in_seconds(ahead), offset));
                ahead = other_offset(ahead, section, &|ahead| offset(in_seconds(ahead))).unwrap_or(section);
                if ahead > AHEAD {
                    return None;
                }
                if fits(in_seconds(ahead)) {
                    return Some(in_seconds(ahead));
                }
            }
        };
        let stopped = Priority::ALL.map(|priority| {
            let is_stopped = |line: Option<&Line>| line.is_some_and(|line| line.what == Allowed::Nothing);
            is_stopped(is[priority as usize])
                .then(|| Stop { until: first(&|time| !is_stopped(holding(time)[priority as usize])) })
        });
        let mut together: Vec<(Priorities, Rate)> = Vec::new();
        let mut seen: Vec<usize> = Vec::new();
        for line in is.into_iter().flatten().filter(|line| line.is_limit()) {
            if let Allowed::UpTo(rate) = line.what
                && !seen.contains(&line.number)
            {
                seen.push(line.number);
                // Those of its jobs for which this line holds now.
                let whose = |priority: &Priority| numbers[*priority as usize] == Some(line.number);
                let who = Priority::ALL.into_iter().filter(whose).map(Priorities::of);
                together.push((who.fold(Priorities::NONE, Priorities::and), rate));
            }
        }
        let until = first(&|time| holding(time).map(|line| line.map(|line| line.number)) != numbers);
        Moment { together, stopped, until }
    }

    /// The line that holds for jobs of `priority` at a minute of the week.
    fn line_at(&self, minute: u32, priority: Priority) -> Option<usize> {
        let of = |rank: u8| {
            let fits = |line: &Line| line.who.has(priority) && line.rank() == rank && line.covers(minute);
            self.lines.iter().position(fits)
        };
        (0..=2).find_map(of)
    }

    /// The section that has a minute of the week.
    fn section_at(&self, minute: u32) -> &Section {
        let next = self.sections.partition_point(|section| section.from <= minute);
        &self.sections[next - 1]
    }

    /// How many seconds after one of the week the next section begins.
    fn seconds_left(&self, second: u32) -> u32 {
        let next = self.sections.partition_point(|section| section.from <= second / 60);
        self.sections.get(next).map_or(WEEK, |section| section.from) * 60 - second
    }
}

impl Line {
    /// Which lines go before others.
    fn rank(&self) -> u8 {
        match self.when {
            When::At { goes_before: true, .. } => 0,
            When::At { goes_before: false, .. } => 1,
            When::Otherwise => 2,
        }
    }

    fn is_limit(&self) -> bool {
        matches!(self.what, Allowed::UpTo(_))
    }

    fn covers(&self, minute: u32) -> bool {
        let When::At { days, from, minutes, .. } = self.when else { return true };
        (0..7u32).zip(days).filter(|(_, is_day)| *is_day).any(|(day, _)| {
            let start = day * DAY + from;
            (minute + WEEK - start) % WEEK < minutes
        })
    }

    /// Whether both would hold for the same jobs at the same time, and neither goes before the other.
    fn overlaps(&self, other: &Self) -> bool {
        // Where two meet one of them begins.
        let meets = |one: &Self, other: &Self| one.starts().any(|minute| other.covers(minute));
        self.rank() == other.rank() && self.who.meets(other.who) && (meets(self, other) || meets(other, self))
    }

    /// The minutes of the week at which it begins.
    fn starts(&self) -> impl Iterator<Item = u32> {
        let (days, from) = match self.when {
            When::At { days, from, .. } => (days, from),
            When::Otherwise => ([true, false, false, false, false, false, false], 0),
        };
        (0..7).zip(days).filter(|(_, is_day)| *is_day).map(move |(day, _)| day * DAY + from)
    }

    /// The minutes of the week at which it begins or ends.
    fn bounds(&self) -> impl Iterator<Item = u32> {
        let lasts = match self.when {
            When::At { minutes, .. } => minutes,
            When::Otherwise => 0,
        };
        self.starts().flat_map(move |start| [start % WEEK, (start + lasts) % WEEK])
    }
}

/// The first second after `from`, and before `to`, at which the local clock is not as far from UTC as at
/// `from`. It is asked once an hour: no clock is set forward and back within one.
fn other_offset(from: u32, to: u32, offset: &dyn Fn(u32) -> i32) -> Option<u32> {
    const HOUR: usize = 3600;
    let was = offset(from);
    let is_other = |at: u32| offset(at) != was;
    let mut late = (from..to).step_by(HOUR).chain([to]).skip(1).find(|at| is_other(*at))?;
    let mut early = late.saturating_sub(HOUR as u32).max(from);
    while late - early > 1 {
        let between = early + (late - early) / 2;
        if is_other(between) {
            late = between;
        } else {
            early = between;
        }
    }
    (late < to).then_some(late)
}

fn second_of_week(time: Timestamp, offset: Offset<'_>) -> u32 {
    // The first of January 1970 was a Thursday.
    const THURSDAY: i64 = 3 * DAY as i64 * 60;
    let seconds = i64::try_from(time.0 / 1000).unwrap_or(i64::MAX / 2) + i64::from(offset(time));
    let second = (seconds + THURSDAY).rem_euclid(i64::from(WEEK) * 60);
    u32::try_from(second).expect("a second of the week is small")
}

fn parse_line(number: usize, text: &str) -> Result<Line, String> {
    let mut words = text.split_whitespace().peekable();
    let goes_before = words.next_if_eq(&"maintenance").is_some();
    let when = match words.next_if_eq(&"otherwise") {
        Some(_) if goes_before => {
            return Err("maintenance has days and times; `otherwise` stands alone".to_string());
        }
        Some(_) => When::Otherwise,
        None => {
            let days = days(words.next().ok_or("it names no days, such as mon-fri, sat,sun or daily")?)?;
            let times = words.next().ok_or("after the days it names no times, such as 08:00-18:00")?;
            let (from, minutes) = times_of_day(times)?;
            When::At { days, from, minutes, goes_before }
        }
    };
    let mut rest: Vec<&str> = words.collect();
    let limit = rest.pop().ok_or("it has no limit; write a rate such as 1M, none or stop")?;
    let what = allowed(limit)?;
    let who = match rest[..] {
        [] => Priorities::BACKGROUND,
        [words] => priorities(words)?,
        [_, other, ..] => return Err(["it does not end after `", other, "`"].concat()),
    };
    Ok(Line { number, when, who, what })
}

fn days(text: &str) -> Result<[bool; 7], String> {
    if text == "daily" {
        return Ok([true; 7]);
    }
    let day = |name: &str| {
        let found = DAYS.iter().position(|day| *day == name);
        found.ok_or_else(|| {
            ["`", name, "` is no day; there are mon, tue, wed, thu, fri, sat, sun and daily"].concat()
        })
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let mut at = first;
        loop {
            days[at] = true;
            if at == last {
                break;
            }
            at = (at + 1) % 7;
        }
    }
    Ok(days)
}

/// From which minute of the day, and for how many.
fn times_of_day(text: &str) -> Result<(u32, u32), String> {
    let wrong = || ["`", text, "` is no time of the day, such as 08:00-18:00 or 22:00-06:00"].concat();
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let (hour, minute): (u32, u32) = match is_number(hour) && is_number(minute) {
            true => (hour.parse().ok()?, minute.parse().ok()?),
            false => return None,
        };
        (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
    };
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
    if from == to || from == DAY {
        return Err(["`", text, "` is empty; all of a day is 00:00-24:00"].concat());
    }
    let minutes = if to > from { to - from } else { DAY - from + to };
    Ok((from, minutes))
}

fn priorities(text: &str) -> Result<Priorities, String> {
    let mut who = Priorities::NONE;
    for word in text.split(',') {
        let priority = Priority::named(word).ok_or_else(|| {
            let words = Priority::ALL.map(Priority::name).join(", ");
            ["`", word, "` is no priority; there are ", &words].concat()
        })?;
        if who.has(priority) {
            return Err(["it names ", word, " twice"].concat());
        }
        who = who.and(Priorities::of(priority));
    }
    Ok(who)
}

fn allowed(text: &str) -> Result<Allowed, String> {
    match text {
        "none" => Ok(Allowed::All),
        "stop" => Ok(Allowed::Nothing),
        "0" => Err("0 can be taken for both: write stop for nothing, or none for no limit".to_string()),
        _ => match Rate::parse_limit(text) {
            Ok(limit) => Ok(limit.map_or(Allowed::All, Allowed::UpTo)),
            Err(error) => Err(error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const UTC: Offset<'static> = &|_| 0;
    /// Monday, the 2nd of March 2026, 00:00 UTC.
    const MONDAY: u64 = 1_772_409_600_000;

    fn time(days: u64, hour: u64, minute: u64) -> Timestamp {
        Timestamp(MONDAY + ((days * 24 + hour) * 60 + minute) * 60_000)
    }

    /// What holds at a moment, as a line: limits by the first letters of priorities, stops, and how many
    /// minutes it lasts.
    fn said(table: &Timetable, now: Timestamp, offset: Offset<'_>) -> String {
        let moment = table.at(now, offset);
        let letter = |priority: Priority| priority.name()[..1].to_string();
        let mut words: Vec<String> = Vec::new();
        for (who, rate) in &moment.together {
            let letters: String = Priority::ALL.into_iter().filter(|p| who.has(*p)).map(letter).collect();
            words.push(format!("{letters}:{rate}"));
        }
        let minutes = |until: Option<Timestamp>| match until {
            Some(until) => (until.since(now).as_secs() / 60).to_string(),
            None => "ever".to_string(),
        };
        for priority in Priority::ALL {
            if let Some(stop) = moment.stopped[priority as usize] {
                words.push(format!("{}:stop {}", letter(priority), minutes(stop.until)));
            }
        }
        words.push(format!("for {}", minutes(moment.until)));
        words.join(", ")
    }

    #[test]
    fn a_timetable_says_what_holds_and_until_when() {
        let office = "
            mon-fri 08:00-18:00 1M
            mon-fri 08:00-18:00 foreground 4M   # BITS has none for these
            sat,sun 22:00-06:00 low stop
            otherwise high 8mbit
            maintenance wed 12:00-13:00 normal,low none
        ";
        let table = Timetable::parse(office).expect("a timetable");
        for (days, hour, minute, expected) in [
            (0, 7, 59, "h:1000000, for 1"),
            (0, 8, 0, "f:4M, hnl:1M, for 600"),
            (0, 17, 59, "f:4M, hnl:1M, for 1"),
            (0, 18, 0, "h:1000000, for 840"),
            (2, 12, 30, "f:4M, h:1M, for 30"),
            (2, 11, 0, "f:4M, hnl:1M, for 60"),
            (4, 18, 0, "h:1000000, for 1680"),
            (5, 22, 0, "h:1000000, l:stop 480, for 480"),
            (6, 5, 59, "h:1000000, l:stop 1, for 1"),
            (6, 23, 0, "h:1000000, l:stop 420, for 420"),
            (7, 6, 0, "h:1000000, for 120"),
        ] {
            assert_eq!(said(&table, time(days, hour, minute), UTC), expected, "{days} {hour}:{minute}");
        }
    }

    #[test]
    fn a_stop_that_goes_from_one_line_to_the_next_ends_with_the_last() {
        let table = Timetable::parse("daily 08:00-12:00 stop; daily 12:00-13:00 stop").expect("a timetable");
        assert_eq!(said(&table, time(0, 9, 0), UTC), "h:stop 240, n:stop 240, l:stop 240, for 180");
        let always = Timetable::parse("otherwise foreground,high,normal,low stop").expect("a timetable");
        assert_eq!(
            said(&always, time(0, 9, 0), UTC),
            "f:stop ever, h:stop ever, n:stop ever, l:stop ever, for ever"
        );
        assert_eq!(Timetable::default().at(time(0, 0, 0), UTC), Moment::default());
        assert_eq!(
            said(&Timetable::parse("daily 00:00-24:00 2M").unwrap(), time(0, 0, 0), UTC),
            "hnl:2M, for ever"
        );
    }

    #[test]
    fn the_next_change_is_looked_for_where_lines_begin_and_end() {
        // One that never changes is the longest to be looked for.
        for text in ["daily 00:00-24:00 2M", "mon 08:00-09:00 stop", "daily 08:00-08:30 1M; otherwise 2M"] {
            let table = Timetable::parse(text).expect("a timetable");
            let asked = core::cell::Cell::new(0);
            let offset = |_: Timestamp| {
                asked.set(asked.get() + 1);
                0
            };
            table.at(time(0, 8, 0), &offset);
            assert!(asked.get() < 2000, "{text}: the local clock was asked {} times", asked.get());
        }
        let lines: Vec<String> = (0..LINES_MAX)
            .map(|line| {
                format!(
                    "daily {:02}:{:02}-{:02}:{:02} 1M",
                    line / 10,
                    line % 10 * 6,
                    line / 10,
                    line % 10 * 6 + 3
                )
            })
            .collect();
        let table = Timetable::parse(&lines.join("\n")).expect("a timetable");
        assert_eq!(said(&table, time(3, 5, 4), UTC), "for 2");
        assert_eq!(said(&table, time(3, 5, 6), UTC), "hnl:1M, for 3");
        assert_eq!(said(&table, time(3, 19, 57), UTC), "for 243");
    }

    #[test]
    fn sections_say_what_the_lines_say_at_each_minute() {
        for text in [
            "mon-fri 08:00-18:00 1M; sat,sun 22:00-06:00 low stop; otherwise high 8mbit; maintenance wed 12:00-13:00 normal,low none",
            "daily 22:00-06:00 stop; fri-mon 06:00-07:00 foreground 1M",
            "sun 23:59-00:01 stop",
        ] {
            let table = Timetable::parse(text).expect("a timetable");
            for minute in 0..WEEK {
                let by_lines = Priority::ALL.map(|priority| table.line_at(minute, priority));
                assert_eq!(table.section_at(minute).lines, by_lines, "{text}: {minute}");
            }
        }
    }

    #[test]
    fn seconds_within_a_minute_do_not_move_the_end() {
        let table = Timetable::parse("daily 08:00-12:00 stop").expect("a timetable");
        let until = Some(time(0, 12, 0));
        for millis in [0, 1, 59_999] {
            let now = Timestamp(time(0, 11, 59).0 + millis);
            assert_eq!(table.at(now, UTC).until, until, "{millis}");
        }
    }

    #[test]
    fn times_are_those_of_the_local_clock_also_where_it_is_set_forward_or_back() {
        // Clocks that are an hour ahead of UTC, and two from the sixth day, 01:00 UTC, on.
        let forward = |now: Timestamp| if now < time(6, 1, 0) { 3600 } else { 7200 };
        let table = Timetable::parse("sun 01:00-04:00 stop").expect("a timetable");
        // 01:00 local is 00:00 UTC; 04:00 local is 02:00 UTC then: the line lasts two hours, not three.
        assert_eq!(table.at(time(6, 0, 0), &forward).until, Some(time(6, 2, 0)));
        assert_eq!(table.at(time(5, 12, 0), &forward).until, Some(time(6, 0, 0)));
        // 02:30 does not come; what begins then begins with what follows it.
        let table = Timetable::parse("sun 02:30-04:00 stop").expect("a timetable");
        assert_eq!(table.at(time(6, 0, 59), &forward).until, Some(time(6, 1, 0)));
        assert_eq!(table.at(time(6, 1, 0), &forward).until, Some(time(6, 2, 0)));
        // And back: from two hours to one, so that 02:00 to 03:00 comes twice.
        let back = |now: Timestamp| if now < time(6, 1, 0) { 7200 } else { 3600 };
        let table = Timetable::parse("sun 02:30-04:00 stop").expect("a timetable");
        assert_eq!(table.at(time(6, 0, 0), &back).until, Some(time(6, 0, 30)));
        assert_eq!(table.at(time(6, 0, 30), &back).until, Some(time(6, 1, 0)));
        assert_eq!(table.at(time(6, 1, 0), &back).until, Some(time(6, 1, 30)));
        assert_eq!(table.at(time(6, 1, 30), &back).until, Some(time(6, 3, 0)));
    }

    #[test]
    fn lines_begin_and_end_with_minutes_of_the_local_clock_whatever_those_of_utc_are() {
        const HOUR: i32 = 3600;
        const DAY: i32 = 24 * HOUR;
        /// Moments: seconds after Monday, 00:00 UTC.
        fn at(days: i64, hour: i64, minute: i64, second: i64) -> i64 {
            ((days * 24 + hour) * 60 + minute) * 60 + second
        }
        // Amsterdam until 1937, Monrovia until 1972, and the last of them as it left its seconds.
        let (amsterdam, monrovia) = (19 * 60 + 32, -(44 * 60 + 30));
        let half_past_eleven = at(0, 11, 30, 17);
        struct Case {
            clock: &'static str,
            /// How far the local clock is from UTC, from when on how far.
            offsets: (i32, i64, i32),
            table: &'static str,
            now: i64,
            /// Whether normal jobs are stopped then, and when that changes.
            expected: (bool, i64),
        }
        let case = |clock, offsets, table, now, expected| Case { clock, offsets, table, now, expected };
        let noon = "daily 08:00-12:00 stop";
        for Case { clock, offsets: (before, from, after), table, now, expected } in [
            case("UTC", (0, 0, 0), noon, at(0, 11, 59, 59), (true, at(0, 12, 0, 0))),
            case("UTC", (0, 0, 0), noon, at(0, 12, 0, 0), (false, at(1, 8, 0, 0))),
            case("India", (19_800, 0, 19_800), noon, at(0, 6, 29, 59), (true, at(0, 6, 30, 0))),
            case("Nepal", (20_700, 0, 20_700), noon, at(0, 6, 15, 0), (false, at(1, 2, 15, 0))),
            case(
                "seconds ahead",
                (amsterdam, 0, amsterdam),
                noon,
                at(0, 11, 40, 27),
                (true, at(0, 11, 40, 28)),
            ),
            case(
                "seconds ahead",
                (amsterdam, 0, amsterdam),
                noon,
                at(0, 11, 40, 28),
                (false, at(1, 7, 40, 28)),
            ),
            case(
                "seconds behind",
                (monrovia, 0, monrovia),
                noon,
                at(0, 12, 44, 29),
                (true, at(0, 12, 44, 30)),
            ),
            case(
                "seconds behind",
                (monrovia, 0, monrovia),
                noon,
                at(0, 12, 44, 30),
                (false, at(1, 8, 44, 30)),
            ),
            // In the middle of a line the seconds go: local 10:45:47 becomes 11:30:17.
            case(
                "no seconds",
                (monrovia, half_past_eleven, 0),
                noon,
                at(0, 9, 0, 0),
                (true, at(0, 12, 0, 0)),
            ),
            // And where the clock jumps over the end of a line, the line ends there.
            case(
                "jumps over",
                (monrovia, at(0, 12, 10, 5), 0),
                noon,
                at(0, 9, 0, 0),
                (true, at(0, 12, 10, 5)),
            ),
            // Lord Howe Island: half an hour, forward and back.
            case(
                "half an hour",
                (37_800, at(0, 0, 0, 0), 39_600),
                noon,
                at(0, 0, 0, 0),
                (true, at(0, 1, 0, 0)),
            ),
            case(
                "half an hour",
                (37_800, at(0, 1, 0, 0), 39_600),
                noon,
                at(0, 0, 0, 0),
                (true, at(0, 1, 0, 0)),
            ),
            case(
                "and back",
                (39_600, at(0, 0, 45, 0), 37_800),
                noon,
                at(0, 0, 0, 0),
                (true, at(0, 1, 30, 0)),
            ),
            // Samoa left out a Friday: from the end of Thursday on it is Saturday.
            case(
                "a day less",
                (-10 * HOUR, at(4, 10, 0, 0), 14 * HOUR),
                "fri 00:00-24:00 stop; sat 00:00-01:00 stop",
                at(4, 9, 0, 0),
                (false, at(4, 10, 0, 0)),
            ),
            case(
                "a day less",
                (-10 * HOUR, at(4, 10, 0, 0), 14 * HOUR),
                "fri 00:00-24:00 stop; sat 00:00-01:00 stop",
                at(4, 10, 0, 0),
                (true, at(4, 11, 0, 0)),
            ),
            // Alaska had a Friday twice.
            case(
                "a day more",
                (14 * HOUR, at(4, 10, 0, 0), 14 * HOUR - DAY),
                "fri 00:00-24:00 stop",
                at(3, 10, 0, 0),
                (true, at(5, 10, 0, 0)),
            ),
        ] {
            let time = |seconds: i64| Timestamp((MONDAY as i64 + seconds * 1000) as u64);
            let offset = |at: Timestamp| if at < time(from) { before } else { after };
            let moment = Timetable::parse(table).expect("a timetable").at(time(now), &offset);
            let stop = moment.stopped[Priority::Normal as usize];
            let is = (stop.is_some(), moment.until);
            assert_eq!(is, (expected.0, Some(time(expected.1))), "{clock}, at {now}");
            // Nor is it otherwise in the middle of a second.
            let later = Timestamp(time(now).0 + 999);
            let in_it = Timetable::parse(table).expect("a timetable").at(later, &offset);
            assert_eq!(in_it, moment, "{clock}, at {now}");
        }
    }

    #[test]
    fn who_may_not_run_has_the_lowest_limit_until_it_has_stopped() {
        let least = Rate::LEAST;
        for (text, expected) in [
            ("daily 00:00-24:00 stop", alloc::vec![(Priorities::BACKGROUND, least)]),
            (
                "daily 00:00-24:00 low,normal stop; daily 00:00-24:00 high 1M",
                alloc::vec![
                    (Priorities::of(Priority::High), 1 << 20),
                    (Priorities::of(Priority::Normal).and(Priorities::of(Priority::Low)), least),
                ],
            ),
            ("daily 00:00-24:00 none", Vec::new()),
        ] {
            let moment = Timetable::parse(text).expect("a timetable").at(time(0, 9, 0), UTC);
            let limits: Vec<_> = moment.limits().map(|(who, rate)| (who, rate.bytes_per_second())).collect();
            assert_eq!(limits, expected, "{text}");
        }
    }

    #[test]
    fn whatever_the_clock_says_there_is_an_answer_and_its_end_is_in_the_future() {
        let table = Timetable::parse("mon-fri 08:00-18:00 1M; sat 00:00-24:00 stop").expect("a timetable");
        for now in [0, 1, MONDAY, u64::MAX / 2, u64::MAX - 1] {
            for offset in [-86_400, 0, 20_700, 86_400] {
                let moment = table.at(Timestamp(now), &|_| offset);
                assert!(
                    moment.until.is_none_or(|until| until.0 > now || now > u64::MAX / 4),
                    "{now} {offset}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_timetable_is_refused_with_its_line() {
        for (text, expected) in [
            ("\n\nnonsense", "line 3: `nonsense` is no day"),
            ("mon-fri", "line 1: after the days it names no times"),
            ("mon-fri 08:00-18:00", "line 1: it has no limit"),
            ("daily 08:00 1M", "line 1: `08:00` is no time of the day"),
            ("daily 8:00-18:00 1M", "line 1: `8:00-18:00` is no time"),
            ("daily 08:60-18:00 1M", "line 1: `08:60-18:00` is no time"),
            ("daily 08:00-24:01 1M", "line 1: `08:00-24:01` is no time"),
            ("daily 08:00-08:00 1M", "line 1: `08:00-08:00` is empty"),
            ("daily 24:00-08:00 1M", "line 1: `24:00-08:00` is empty"),
            ("mon-fry 08:00-18:00 1M", "line 1: `fry` is no day"),
            ("daily 08:00-18:00 fast", "line 1: `fast` is no rate"),
            ("daily 08:00-18:00 1", "line 1: `1` is less than 250"),
            ("daily 08:00-18:00 0k", "line 1: `0k` is less than 250"),
            ("daily 08:00-18:00 -1", "line 1: `-1` is no rate"),
            ("daily 08:00-18:00 99999T", "line 1: `99999t` is more than 1T"),
            ("daily 08:00-18:00 18446744073709551616", "line 1: `18446744073709551616` is more than 1T"),
            ("daily 08:00-18:00 0", "line 1: 0 can be taken for both"),
            ("daily 08:00-18:00 urgent 1M", "line 1: `urgent` is no priority"),
            ("daily 08:00-18:00 low,low 1M", "line 1: it names low twice"),
            ("daily 08:00-18:00 low 1M please", "line 1: `please` is no rate"),
            ("daily 08:00-18:00 low high 1M", "line 1: it does not end after `high`"),
            ("maintenance otherwise 1M", "line 1: maintenance has days and times"),
            ("daily 08:00-12:00 1M; mon 11:59-13:00 2M", "line 2: it is for a time and for jobs that line 1"),
            (
                "sun 22:00-06:00 1M; mon 05:00-07:00 low 2M",
                "line 2: it is for a time and for jobs that line 1",
            ),
            ("otherwise 1M; otherwise low 2M", "line 2: it is for a time and for jobs that line 1"),
        ] {
            match Timetable::parse(text) {
                Ok(table) => panic!("{text}: {table:?}"),
                Err(error) => assert!(error.to_string().starts_with(expected), "{text}: {error}"),
            }
        }
        let lines = |count: usize| -> String {
            let clock = |minute: usize| format!("{:02}:{:02}", minute / 60, minute % 60);
            (0..count).map(|at| format!("daily {}-{} 1M\n", clock(at), clock(at + 1))).collect()
        };
        Timetable::parse(&lines(LINES_MAX)).expect("so many there may be");
        let error = Timetable::parse(&lines(LINES_MAX + 1)).expect_err("and no more");
        assert_eq!(error.to_string(), "line 201: there are more than 200 lines");
        for text in
            ["", " ; \n # nothing", "fri-mon 08:00-18:00 1M", "mon 08:00-12:00 1M; mon 12:00-18:00 2M"]
        {
            Timetable::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
}
