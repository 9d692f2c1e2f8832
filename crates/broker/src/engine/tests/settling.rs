//! The store is given time for what a commit has left, soon and once, and not while somebody waits.

use super::adds::call;
use super::clock::{NOW, Wall};
use super::*;

const SETTLED_AFTER_MS: u64 = SETTLED_AFTER.as_millis() as u64;

fn with_engine(test: impl FnOnce(&mut Engine<'_>, &Wall, &Mutex<bool>, &mut dyn FnMut() -> usize)) {
    let (did, done) = channel();
    let is_full = Arc::new(Mutex::new(false));
    let mut disk = Disk::new(Arc::default(), Arc::clone(&is_full), did.clone());
    disk.leaves_work = true;
    let clock = Wall::at(NOW);
    let mut hands = Hands { done: did, has_key: true };
    let mut engine = Engine::start(&mut disk, &clock, &mut hands, Limits::default()).expect("it starts");
    engine.turn(Vec::new());
    test(&mut engine, &clock, &is_full, &mut || {
        done.try_iter().filter(|done| matches!(done, Done::Settled)).count()
    });
}

#[test]
fn what_jobs_have_left_to_do_is_done_some_time_after_the_first_of_them() {
    with_engine(|engine, clock, _, settled| {
        engine.turn(vec![call(0..1, true, true)]);
        assert_eq!(settled(), 0, "whoever comes next shares it");
        assert!(engine.until_next_wake() <= SETTLED_AFTER, "it is not waited for anything else");
        clock.is_set_to(NOW + SETTLED_AFTER_MS / 2);
        engine.turn(vec![call(1..2, true, true)]);
        engine.settle();
        assert_eq!(settled(), 0);
        clock.is_set_to(NOW + SETTLED_AFTER_MS);
        engine.turn(vec![call(2..3, true, true)]);
        assert_eq!(settled(), 0, "not before whoever waits has the answer");
        engine.turn(Vec::new());
        engine.settle();
        assert_eq!(settled(), 1);
        assert!(engine.until_next_wake() > SETTLED_AFTER, "and there is nothing to wake up for");
        engine.turn(Vec::new());
        engine.settle();
        assert_eq!(settled(), 0);
    });
}

#[test]
fn a_disk_that_is_full_is_tried_again() {
    with_engine(|engine, clock, is_full, settled| {
        engine.turn(vec![call(0..1, true, true)]);
        *is_full.lock().expect("the flag") = true;
        let mut now = NOW + SETTLED_AFTER_MS;
        for _ in 0..3 {
            clock.is_set_to(now);
            engine.turn(Vec::new());
            engine.settle();
            assert_eq!(settled(), 0);
            let wake = engine.until_next_wake();
            assert!(!wake.is_zero() && wake <= PAUSE_AFTER_FAILED_COMMIT, "{wake:?}");
            now += PAUSE_AFTER_FAILED_COMMIT.as_millis() as u64;
        }
        *is_full.lock().expect("the flag") = false;
        clock.is_set_to(now);
        engine.turn(Vec::new());
        engine.settle();
        assert_eq!(settled(), 1);
    });
}

#[test]
fn a_clock_that_is_set_back_does_not_put_it_off() {
    with_engine(|engine, clock, _, settled| {
        engine.turn(vec![call(0..1, true, true)]);
        clock.is_set_to(NOW - 3_600_000);
        engine.turn(Vec::new());
        engine.settle();
        assert_eq!(settled(), 1);
    });
}
