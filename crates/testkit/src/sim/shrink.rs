//! Tells a failure with as little as it takes.

use std::collections::BTreeSet;

use super::{Outcome, Run};

/// Worlds that are tried to find a smaller one.
const TRIES_MAX: u32 = 1500;

/// The smallest world found in which the same promise is broken as in `failed`, and what becomes of
/// it. Jobs, files, faults and acts are left out, many at once first.
pub fn shrink(failed: &Run) -> (Run, Outcome) {
    let mut outcome = failed.run();
    let mut run = failed.clone();
    let Some(promise) = outcome.violation.as_ref().map(|violation| violation.promise) else {
        return (run, outcome);
    };
    let mut kept: BTreeSet<u32> = run.kept.clone().unwrap_or_else(|| (1..=outcome.elements).collect());
    let mut tries = 0;
    let mut part = kept.len().div_ceil(2).max(1);
    loop {
        let mut has_shrunk = false;
        let all: Vec<u32> = kept.iter().copied().collect();
        for some in all.chunks(part) {
            tries += 1;
            if tries > TRIES_MAX {
                return (run, outcome);
            }
            let fewer: BTreeSet<u32> = kept.iter().copied().filter(|number| !some.contains(number)).collect();
            let smaller = Run { kept: Some(fewer.clone()), ..run.clone() };
            let became = smaller.run();
            if became.violation.as_ref().is_some_and(|violation| violation.promise == promise) {
                (run, outcome, kept) = (smaller, became, fewer);
                has_shrunk = true;
            }
        }
        match (part, has_shrunk) {
            (1, false) => return (run, outcome),
            (1, true) => {}
            _ => part = part.div_ceil(2),
        }
    }
}
