//! Waiting for something that only looking again can show.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How long between two looks: short beside anything a test waits for, long beside a look.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks at `condition` until it has something, and returns that.
///
/// # Panics
/// After `deadline`, saying `what` did not come true.
#[track_caller]
pub fn until<T>(deadline: Duration, what: impl Display, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        thread::sleep(PAUSE);
    }
}
