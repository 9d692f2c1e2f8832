//! What a run of programs cost, by the system's own accounting of children that have ended.

use std::collections::BTreeMap;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

/// What one run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Seconds of processor time, user and system.
    pub(crate) cpu: f64,
    /// Seconds on the clock.
    pub(crate) wall: f64,
    /// The most memory that the service had, in MiB, where there is one.
    pub(crate) peak_mib: Option<f64>,
}

/// Measures from its making until it is stopped; all programs started meanwhile must have ended.
#[derive(Debug)]
pub(crate) struct Meter {
    cpu: f64,
    began: Instant,
}

impl Meter {
    pub(crate) fn start() -> Result<Self, String> {
        Ok(Self { cpu: cpu_of_children()?, began: Instant::now() })
    }

    pub(crate) fn stop(self) -> Result<Sample, String> {
        let wall = self.began.elapsed().as_secs_f64();
        Ok(Sample { cpu: cpu_of_children()? - self.cpu, wall, peak_mib: None })
    }
}

fn cpu_of_children() -> Result<f64, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| format!("getrusage: {error}"))?;
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Seconds of processor time that the process has had so far, user and system.
pub(crate) fn cpu_of(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // Behind the name, in which anything may be, stand the state and ten numbers, then these two.
    let ticks = text.rsplit(')').next().map(|rest| rest.split_whitespace().skip(11).take(2));
    let ticks = ticks.into_iter().flatten().filter_map(|number| number.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS_A_SECOND)
}

/// In what the system counts processor time, on every machine in use.
const TICKS_A_SECOND: f64 = 100.0;

/// How often each thread of a process has gone to sleep by itself so far, by the thread's id.
///
/// The system forgets the count of a thread with the thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sleeps(BTreeMap<u32, u64>);

/// What two looks at them, one after the other, tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Woken {
    /// Times that the threads which are still there have gone to sleep between the two.
    pub(crate) times: u64,
    /// Threads that have ended meanwhile, whose times are not known.
    pub(crate) ended: usize,
}

impl Sleeps {
    /// Those of the process now.
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let path = format!("/proc/{pid}/task");
        let threads = std::fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
        let counts = threads.flatten().filter_map(|thread| {
            let id = thread.file_name().to_str()?.parse().ok()?;
            let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((id, count.trim().parse().ok()?))
        });
        Ok(Self(counts.collect()))
    }

    /// Whether the same threads are there as in `other`.
    pub(crate) fn has_threads_of(&self, other: &Self) -> bool {
        self.0.keys().eq(other.0.keys())
    }

    /// How often they have woken since `before`.
    pub(crate) fn since(&self, before: &Self) -> Woken {
        let times = self.0.iter().map(|(id, count)| {
            // A thread with fewer is another one with the number of one that has ended.
            let was = before.0.get(id).filter(|was| *was <= count);
            count - was.unwrap_or(&0)
        });
        let has_ended = |(id, was): &(&u32, &u64)| self.0.get(id).is_none_or(|count| count < was);
        Woken { times: times.sum(), ended: before.0.iter().filter(has_ended).count() }
    }
}

/// The memory that the process has resident, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64, String> {
    memory(pid, "VmRSS:")
}

/// The most that it has had.
pub(crate) fn peak_mib(pid: u32) -> Result<f64, String> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, name: &str) -> Result<f64, String> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    Ok(kib.ok_or_else(|| format!("{path} says nothing of {name}"))? / 1024.0)
}

/// The value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        (_, middle) => values[middle],
    }
}

/// The least and the most.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)))
}

/// How busy the machine is, as it says itself.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(spread([3.0, 1.0, 2.0].into_iter()), (1.0, 3.0));
    }
    #[test]
    fn a_thread_that_has_ended_takes_its_count_along_and_is_counted_itself() {
        let sleeps = |counts: &[(u32, u64)]| Sleeps(counts.iter().copied().collect());
        let before = sleeps(&[(1, 10), (2, 500), (3, 7)]);
        for (after, times, ended) in [
            (sleeps(&[(1, 12), (2, 500), (3, 8)]), 3, 0),
            (sleeps(&[(1, 12), (3, 7)]), 2, 1),
            // A new one, and another one with the number of one that has ended.
            (sleeps(&[(1, 10), (2, 4), (3, 7), (4, 5)]), 9, 1),
        ] {
            assert_eq!(after.since(&before), Woken { times, ended });
            assert_eq!(after.has_threads_of(&before), ended == 0 && after.0.len() == 3);
        }
    }
}
