//! The simulation: a fixed set of worlds for every change, and the mistakes that it must find.

use bits_testkit::sim::{Mutation, Outcome, Run, shrink};

/// Worlds that every change must survive.
const WORLDS: u64 = 500;
/// Worlds in which something was found; a world is another one when more can happen in one, so what was
/// found has a scenario beside its mending too.
const FOUND: [u64; 5] = [
    // An attempt took one empty file again and again, without an end.
    9_001_149,
    // A power cut wrote what a file had before it was cut to nothing, as no disk does.
    9_004_012,
    // What a POST had answered was taken for the beginning of another version, though no attempt goes on with it.
    1_795_982_216_217_019,
    // An owner whom a full disk refused a dozen times was said to have given up, though nobody was to blame later.
    1_795_991_013_083_575,
    // A mirror that spoils all it sends was said to have the file, as an outage had become the reason it was dropped for.
    1_795_992_680_439_305,
];
/// Worlds within which each mistake must be found.
const WORLDS_WITH_A_MISTAKE_MAX: u64 = 200;

#[test]
fn no_promise_is_broken_in_any_of_a_fixed_set_of_worlds() {
    let mut sum = Outcome::default();
    let mut broken = Vec::new();
    for seed in (0..WORLDS).chain(FOUND) {
        let outcome = Run::of_seed(seed).run();
        sum.lives += outcome.lives;
        sum.files += outcome.files;
        sum.faults += outcome.faults;
        sum.deaths += outcome.deaths;
        broken.extend(outcome.violation.map(|violation| {
            let name = violation.promise.name();
            format!("cargo run -p bits-testkit --bin sim -- --seed {seed}: {name}: {}", violation.what)
        }));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    // That little happens must not look like success.
    assert!(sum.lives >= 4 * WORLDS, "{sum:?}");
    assert!(sum.files >= 3 * sum.lives && sum.faults >= 5 * sum.lives, "{sum:?}");
    assert!(sum.deaths >= 5 * WORLDS, "{sum:?}");
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    let run = Run { is_told: true, ..Run::of_seed(7) };
    let (first, second) = (run.run(), run.run());
    assert!(first.story.len() > 100, "{} lines", first.story.len());
    assert!(first.story == second.story);
    assert_eq!((first.lives, first.faults, first.millis), (second.lives, second.faults, second.millis));
}

#[test]
fn every_deliberate_mistake_breaks_the_promise_that_it_must() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let found = (0..WORLDS_WITH_A_MISTAKE_MAX).find_map(|seed| {
            let run = Run { mutation: Some(mutation), ..Run::of_seed(seed) };
            run.run().violation.map(|violation| (seed, violation))
        });
        match found {
            Some((seed, violation)) if mutation.breaks().contains(&violation.promise) => {
                println!("{}: seed {seed}, {}", mutation.name(), violation.promise.name());
            }
            other => missed.push(format!("{}: {other:?}", mutation.name())),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_failure_is_told_with_as_little_as_it_takes() {
    let mistake = Mutation::NameNotSynced;
    let failed = (0..WORLDS_WITH_A_MISTAKE_MAX)
        .map(|seed| Run { mutation: Some(mistake), ..Run::of_seed(seed) })
        .find(|run| run.run().violation.is_some())
        .expect("it is found");
    let (smaller, outcome) = shrink(&failed);
    let promise = outcome.violation.expect("it fails still").promise;
    assert!(mistake.breaks().contains(&promise));
    let kept = smaller.kept.clone().expect("something is left out");
    assert!(kept.len() * 10 <= outcome.elements as usize, "{kept:?} of {}", outcome.elements);
    assert_eq!(smaller.run().violation.map(|violation| violation.promise), Some(promise));
}
