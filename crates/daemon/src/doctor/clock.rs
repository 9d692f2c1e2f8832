//! The clock, by what was written before, and the name of this boot.
//!
//! Whether the clock agrees with others is known from a KDC alone, in `kerberos`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bits_api::finding::Finding;
use bits_platform::boot;
use bits_platform::paths::Paths;

/// A clock that is before this was never set: 2025-01-01.
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);
/// What clocks and file systems may disagree by.
const TOLERANCE: Duration = Duration::from_secs(5);

pub(super) fn check(paths: &Paths) -> Vec<Finding> {
    let written = paths.database_files();
    let written = written.iter().filter_map(|file| std::fs::metadata(file).ok()?.modified().ok()).max();
    let boot = match boot::current() {
        Ok(_) => Finding::ok("boot", "the kernel tells which boot this is"),
        Err(error) => Finding::bad(
            "boot",
            format!("the kernel does not tell which boot this is ({error}); no service starts without"),
            "have /proc mounted where the service runs",
        ),
    };
    vec![clock(SystemTime::now(), written), boot]
}

fn clock(now: SystemTime, written: Option<SystemTime>) -> Finding {
    let advice = "set the clock, as with `timedatectl set-ntp true`";
    if now < UNIX_EPOCH + EARLIEST {
        let finding = "the clock is before 2025: certificates and tickets count as not valid yet";
        return Finding::bad("clock", finding, advice);
    }
    match written.and_then(|written| written.duration_since(now).ok()).filter(|ahead| *ahead > TOLERANCE) {
        Some(ahead) => Finding::warning(
            "clock",
            format!(
                "the queue was last written {} s in the future: the clock was set back, or was wrong then; \
                 retries wait until their times",
                ahead.as_secs()
            ),
            advice,
        ),
        None => Finding::ok("clock", "the clock is not behind what was last written"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_api::finding::Verdict;

    #[test]
    fn a_clock_is_judged_by_what_was_written_before() {
        let at = |seconds| UNIX_EPOCH + EARLIEST + Duration::from_secs(seconds);
        for (now, written, expected) in [
            (at(10), None, Verdict::Ok),
            (at(10), Some(at(15)), Verdict::Ok),
            (at(10), Some(at(16)), Verdict::Warning),
            (UNIX_EPOCH, None, Verdict::Bad),
        ] {
            assert_eq!(clock(now, written).verdict, expected);
        }
    }
}
