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

#[cfg(test)]
mod tests;

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
