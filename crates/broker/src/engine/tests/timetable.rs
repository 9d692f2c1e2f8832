//! What the timetable says, as workers hear of it: no moment is without a limit or a stop.

use super::clock::{Wall, request};
use super::*;

/// Monday, the 2nd of March 2026, 08:10 UTC.
const MONDAY_MORNING: u64 = 1_772_409_600_000 + 8 * HOUR + 10 * MINUTE;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Has the job begin at a time when it is limited, and stop when the timetable says so, which the store
/// cannot write `is_full_then`.
fn told(is_full_then: bool) -> Vec<Done> {
    let (did, done) = channel();
    let (store, is_full): (Arc<Mutex<MemoryStore>>, Arc<Mutex<bool>>) = (Arc::default(), Arc::default());
    let mut disk = Disk::new(store, Arc::clone(&is_full), did.clone());
    let (mut hands, clock) = (Hands { done: did, has_key: true }, Wall::at(MONDAY_MORNING));
    let mut engine = Engine::start(&mut disk, &clock, &mut hands, Limits::default()).expect("it starts");
    let timetable = Timetable::parse("mon 08:00-09:00 1M; mon 09:00-10:00 stop; mon 10:00-11:00 2M");
    let bounds = Bounds { timetable: timetable.expect("a timetable"), ..Bounds::default() };
    let remote = RemoteName::parse("http://h.test/f").expect("a remote name").0;
    let file = NewFile::new(remote, LocalName::parse("/f").expect("a path"));
    engine.turn(vec![
        Input::Bounds(Box::new(bounds)),
        request(Request::Create {
            id: JOB,
            properties: Box::new(Properties::named("a job".to_owned()).expect("a name")),
            secrets: Vec::new(),
            files: vec![file],
            resume: true,
        }),
    ]);
    clock.passes(49 * MINUTE + 30_000);
    engine.turn(Vec::new());
    assert_eq!(engine.until_next_wake(), Duration::from_secs(30), "there is nothing before the next line");
    clock.passes(30_000);
    *is_full.lock().expect("the flag") = is_full_then;
    engine.turn(Vec::new());
    *is_full.lock().expect("the flag") = false;
    clock.passes(2000);
    engine.turn(Vec::new());
    clock.passes(HOUR - 2000);
    engine.turn(Vec::new());
    drop(engine);
    done.try_iter().collect()
}

#[test]
fn a_job_that_is_to_stop_when_its_limit_ends_has_no_moment_without_one() {
    for is_full_then in [false, true] {
        let told = told(is_full_then);
        let mut limit = None;
        let mut seen = Vec::new();
        for done in &told {
            match done {
                Done::Limited(limits) => {
                    let of_it = limits.together.iter().filter(|(who, _)| who.has(Priority::Normal));
                    limit = of_it.map(|(_, rate)| rate.bytes_per_second()).min();
                    seen.push(("limited", limit));
                }
                Done::Began(..) => seen.push(("began", limit)),
                Done::Stopped(_) => seen.push(("stopped", limit)),
                _ => {}
            }
        }
        let expected = [
            ("limited", Some(1 << 20)),
            ("began", Some(1 << 20)),
            ("limited", Some(Rate::LEAST)),
            ("stopped", Some(Rate::LEAST)),
            ("limited", Some(2 << 20)),
            ("began", Some(2 << 20)),
        ];
        assert_eq!(seen, expected, "{is_full_then}: {told:?}");
    }
}
