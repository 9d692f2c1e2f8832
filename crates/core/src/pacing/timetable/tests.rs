//! What holds when: scenarios of weeks and of local clocks, and what is no timetable.

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
        case("seconds ahead", (amsterdam, 0, amsterdam), noon, at(0, 11, 40, 27), (true, at(0, 11, 40, 28))),
        case("seconds ahead", (amsterdam, 0, amsterdam), noon, at(0, 11, 40, 28), (false, at(1, 7, 40, 28))),
        case("seconds behind", (monrovia, 0, monrovia), noon, at(0, 12, 44, 29), (true, at(0, 12, 44, 30))),
        case("seconds behind", (monrovia, 0, monrovia), noon, at(0, 12, 44, 30), (false, at(1, 8, 44, 30))),
        // In the middle of a line the seconds go: local 10:45:47 becomes 11:30:17.
        case("no seconds", (monrovia, half_past_eleven, 0), noon, at(0, 9, 0, 0), (true, at(0, 12, 0, 0))),
        // And where the clock jumps over the end of a line, the line ends there.
        case("jumps over", (monrovia, at(0, 12, 10, 5), 0), noon, at(0, 9, 0, 0), (true, at(0, 12, 10, 5))),
        // Lord Howe Island: half an hour, forward and back.
        case("half an hour", (37_800, at(0, 0, 0, 0), 39_600), noon, at(0, 0, 0, 0), (true, at(0, 1, 0, 0))),
        case("half an hour", (37_800, at(0, 1, 0, 0), 39_600), noon, at(0, 0, 0, 0), (true, at(0, 1, 0, 0))),
        case("and back", (39_600, at(0, 0, 45, 0), 37_800), noon, at(0, 0, 0, 0), (true, at(0, 1, 30, 0))),
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
            assert!(moment.until.is_none_or(|until| until.0 > now || now > u64::MAX / 4), "{now} {offset}");
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
        ("sun 22:00-06:00 1M; mon 05:00-07:00 low 2M", "line 2: it is for a time and for jobs that line 1"),
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
    for text in ["", " ; \n # nothing", "fri-mon 08:00-18:00 1M", "mon 08:00-12:00 1M; mon 12:00-18:00 2M"] {
        Timetable::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}
