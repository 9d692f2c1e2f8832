//! The thin side of limits: has `core::pacing::gate` say how many bytes may be read now, and waits until
//! it does.
//!
//! What is limited is how fast bytes are read. So that the system takes no more in advance than belongs
//! to that, the window of a limited connection is made small too. No byte is moved here.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bits_core::job::{JobId, Owner, Priority};
use bits_core::pacing::gate::{AskerId, Gate, Member, RateLimits, Reach};
use bits_core::pacing::rate::Rate;
use bits_core::units::Bytes;
use bits_platform::pacing::set_window;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How much the system may take in advance, in time at the limit: longer than the round trips of nearly
/// all paths, or they would be what limits.
const AHEAD: Duration = Duration::from_millis(250);
/// And at least so much, so that whole segments come.
const AHEAD_BYTES_MIN: u64 = 32 * 1024;
/// A window beyond which the system's own ways are not touched.
const AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// For a window that is to be none.
const WIDE_OPEN: Bytes = Bytes(1 << 30);

/// The limits of a worker, and the jobs that they are for. All clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Rates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// Looked at before anything else, so that no limits cost nothing.
    are_any: AtomicBool,
    desk: Mutex<Desk>,
    /// Rung when somebody was served, or the limits have changed.
    bell: Notify,
}

#[derive(Debug)]
struct Desk {
    gate: Gate,
    next_asker: u64,
    /// Who was served and has not taken it.
    served: BTreeMap<AskerId, Bytes>,
    /// By how many a job takes part: an attempt may begin while something of the one before is left.
    entered: BTreeMap<JobId, usize>,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let gate = Gate::new(limits);
        let are_any = AtomicBool::new(gate.has_limits());
        let desk =
            Mutex::new(Desk { gate, next_asker: 0, served: BTreeMap::new(), entered: BTreeMap::new() });
        Self(Arc::new(Inner { began: Instant::now(), are_any, desk, bell: Notify::new() }))
    }

    /// From now on other limits; who waits hears of it.
    pub(crate) fn set_limits(&self, limits: RateLimits) {
        self.change(|desk, now| desk.gate.set_limits(limits, now));
    }

    /// Lets an attempt of `job` take part until what is returned is dropped.
    pub(crate) fn enter(
        &self,
        job: JobId,
        owner: Owner,
        priority: Priority,
        limit: Option<Rate>,
    ) -> Arc<JobRate> {
        let member = Member { owner, priority, limit };
        self.change(|desk, now| {
            *desk.entered.entry(job).or_default() += 1;
            desk.gate.set_job(job, member, now);
        });
        Arc::new(JobRate { rates: self.clone(), job })
    }

    /// Changes what is known of a job that takes part.
    pub(crate) fn set_job(&self, job: JobId, priority: Priority, limit: Option<Rate>) {
        self.change(|desk, now| {
            if let Some(member) = desk.gate.member(job) {
                desk.gate.set_job(job, Member { priority, limit, ..member }, now);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Desk, Duration)) {
        let mut desk = self.desk();
        change(&mut desk, self.now());
        self.0.are_any.store(desk.gate.has_limits(), Ordering::Relaxed);
        desk.serve(self.now());
        drop(desk);
        self.0.bell.notify_waiters();
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Whoever panicked with it held only counts.
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Serves all whose turn it is; says when there will be more, and whether anybody was served.
    fn serve(&mut self, now: Duration) -> (Option<Duration>, bool) {
        let turns = self.gate.turns(now);
        let is_news = !turns.granted.is_empty();
        self.served.extend(turns.granted);
        (turns.next.map(|next| now + next), is_news)
    }
}

/// A job that takes part in the limits as long as this lives.
#[derive(Debug)]
pub(crate) struct JobRate {
    rates: Rates,
    job: JobId,
}

impl Drop for JobRate {
    fn drop(&mut self) {
        let job = self.job;
        self.rates.change(|desk, _| {
            let left = desk.entered.get(&job).map_or(0, |count| count - 1);
            if left > 0 {
                desk.entered.insert(job, left);
            } else {
                desk.entered.remove(&job);
                desk.gate.remove_job(job);
            }
        });
    }
}

impl JobRate {
    /// Of what belongs to no transfer: no limit is for it, and none counts it.
    pub(crate) fn of_no_transfer() -> Arc<Self> {
        let rates = Rates::new(RateLimits::default());
        rates.enter(JobId([0; 16]), Owner(0), Priority::Foreground, None)
    }

    /// Whether this job is limited by anything.
    pub(crate) fn is_limited(&self) -> bool {
        self.lowest(Reach::Network).is_some()
    }

    fn lowest(&self, reach: Reach) -> Option<Rate> {
        self.rates
            .0
            .are_any
            .load(Ordering::Relaxed)
            .then(|| self.rates.desk().gate.lowest(self.job, reach))?
    }

    /// Waits until up to `most` bytes may be read, and says how many. They have counted;
    /// [`JobRate::give_back`] is for those that are not read after all. Says also whether it was waited
    /// for. Nothing is lost when it is not waited for.
    async fn allowance(&self, most: usize, reach: Reach) -> Allowance {
        if self.lowest(reach).is_none() {
            return Allowance { count: most, has_waited: false, is_counted: false };
        }
        let asker = {
            let mut desk = self.rates.desk();
            desk.next_asker += 1;
            let asker = AskerId(desk.next_asker);
            desk.gate.ask(asker, self.job, Bytes(most as u64), reach);
            asker
        };
        let asking = Asking { rate: self, asker, reach };
        let mut has_waited = false;
        loop {
            let mut rung = std::pin::pin!(self.rates.0.bell.notified());
            rung.as_mut().enable();
            let (next, is_news) = {
                let mut desk = self.rates.desk();
                let (next, is_news) = desk.serve(self.rates.now());
                if let Some(count) = desk.served.remove(&asking.asker) {
                    drop(desk);
                    if is_news {
                        self.rates.0.bell.notify_waiters();
                    }
                    return Allowance { count: count.0 as usize, has_waited, is_counted: true };
                }
                (next, is_news)
            };
            if is_news {
                self.rates.0.bell.notify_waiters();
            }
            has_waited = true;
            match next {
                Some(next) => tokio::select! {
                    () = rung => {}
                    () = sleep_until(self.rates.0.began + next) => {}
                },
                None => rung.await,
            }
        }
    }

    /// So many bytes of an allowance were not read.
    fn give_back(&self, count: usize, reach: Reach) {
        if count > 0 && self.rates.0.are_any.load(Ordering::Relaxed) {
            self.rates.desk().gate.give_back(self.job, Bytes(count as u64), reach);
        }
    }

    /// What the system may take in advance for this job; `None`: as much as it likes.
    pub(crate) fn window(&self) -> Option<Bytes> {
        let rate = self.lowest(Reach::Network)?;
        let ahead = u128::from(rate.bytes_per_second()) * AHEAD.as_millis() / 1000;
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX).max(AHEAD_BYTES_MIN);
        (ahead < AHEAD_BYTES_MAX).then_some(Bytes(ahead))
    }
}

/// What may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowance {
    count: usize,
    /// Whether it is the limit that there was to wait for.
    has_waited: bool,
    /// Whether it counts in a limit.
    is_counted: bool,
}

/// What one body may take of what its job may. What it has not taken is given back with it.
#[derive(Debug)]
pub(crate) struct Allowed {
    rate: Arc<JobRate>,
    reach: Reach,
    left: usize,
    is_counted: bool,
    was_held: bool,
}

impl Allowed {
    /// For what comes over a network.
    pub(crate) fn of(rate: &Arc<JobRate>) -> Self {
        Self::reaching(rate, Reach::Network)
    }

    /// For what comes from this machine.
    pub(crate) fn of_machine(rate: &Arc<JobRate>) -> Self {
        Self::reaching(rate, Reach::Machine)
    }

    fn reaching(rate: &Arc<JobRate>, reach: Reach) -> Self {
        Self { rate: Arc::clone(rate), reach, left: 0, is_counted: false, was_held: false }
    }

    /// Waits until there is something to be taken of up to `most` bytes; says how much, and whether the
    /// limit was what there was to wait for. May be given up and begun again.
    pub(crate) async fn get(&mut self, most: usize) -> (usize, bool) {
        let mut has_waited = false;
        if self.left == 0 {
            let allowance = self.rate.allowance(most, self.reach).await;
            (self.left, self.is_counted) = (allowance.count, allowance.is_counted);
            has_waited = allowance.has_waited;
            self.was_held |= has_waited;
        }
        (self.left.min(most), has_waited)
    }

    /// The same on a thread that may block, until `until`; nothing when it took longer.
    pub(crate) fn get_until(&mut self, most: usize, until: std::time::Instant) -> (usize, bool) {
        if self.left > 0 || self.rate.lowest(self.reach).is_none() {
            let most = if self.left > 0 { most.min(self.left) } else { most };
            return (most, false);
        }
        let runtime = tokio::runtime::Handle::current();
        match runtime.block_on(async { timeout_at(until.into(), self.get(most)).await }) {
            Ok(got) => got,
            Err(_) => {
                self.was_held = true;
                (0, true)
            }
        }
    }

    /// So many bytes have been taken.
    pub(crate) fn took(&mut self, count: usize) {
        // Where nothing limits, nothing is kept for the time when something does.
        self.left = if self.is_counted { self.left.saturating_sub(count) } else { 0 };
    }

    /// Whether a limit has held it back since this was asked last.
    pub(crate) fn was_held(&mut self) -> bool {
        std::mem::take(&mut self.was_held)
    }

    /// What the system may take in advance; `None`: as much as it likes.
    pub(crate) fn window(&self) -> Option<Bytes> {
        self.rate.window()
    }
}

impl Drop for Allowed {
    fn drop(&mut self) {
        if self.is_counted {
            self.rate.give_back(self.left, self.reach);
        }
    }
}

/// Somebody who waits; withdrawn when dropped.
struct Asking<'a> {
    rate: &'a JobRate,
    asker: AskerId,
    reach: Reach,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut desk = self.rate.rates.desk();
        desk.gate.withdraw(self.asker);
        if let Some(count) = desk.served.remove(&self.asker) {
            desk.gate.give_back(self.rate.job, count, self.reach);
        }
    }
}

/// What of a connection was set to hold a limit.
#[derive(Debug, Default)]
pub(crate) struct LimitedWindow(Option<Bytes>);

impl LimitedWindow {
    /// Has the system take no more of `socket` in advance than `window`. To be called again and again:
    /// some kernels raise it by themselves.
    pub(crate) fn set(&mut self, socket: impl AsFd, window: Option<Bytes>) {
        if window.is_none() && self.0.is_none() {
            return;
        }
        self.0 = window;
        // A connection that is gone already needs no window.
        let _ = set_window(socket, window.unwrap_or(WIDE_OPEN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_core::pacing::gate::Priorities;

    fn rate(bytes: u64) -> Option<Rate> {
        Some(Rate::new(bytes).expect("a rate"))
    }

    async fn read_for(job: &JobRate, time: Duration) -> usize {
        let until = Instant::now() + time;
        let mut read = 0;
        while let Ok(allowance) = timeout_at(until, job.allowance(1 << 20, Reach::Network)).await {
            read += allowance.count;
        }
        read
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_limit_does_not_wait_and_who_has_one_gets_what_it_says() {
        let rates = Rates::new(RateLimits::default());
        let free = rates.enter(JobId([1; 16]), Owner(1), Priority::Normal, None);
        assert_eq!(
            free.allowance(usize::MAX, Reach::Network).await,
            Allowance { count: usize::MAX, has_waited: false, is_counted: false }
        );
        let slow = rates.enter(JobId([2; 16]), Owner(1), Priority::Normal, rate(100_000));
        let read = read_for(&slow, Duration::from_secs(20)).await;
        assert!((1_950_000..=2_020_000).contains(&read), "{read}");
        assert!(!free.is_limited() && free.window().is_none());
        drop(slow);
        assert!(!rates.0.are_any.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_an_attempt_does_not_take_the_limit_away_from_the_next_one() {
        let rates = Rates::new(RateLimits::default());
        let first = rates.enter(JobId([1; 16]), Owner(1), Priority::Normal, rate(100_000));
        let next = rates.enter(JobId([1; 16]), Owner(1), Priority::Normal, rate(50_000));
        drop(first);
        let read = read_for(&next, Duration::from_secs(20)).await;
        assert!((950_000..=1_020_000).contains(&read), "{read}");
        drop(next);
        assert!(!rates.0.are_any.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_a_change_at_once() {
        let rates = Rates::new(RateLimits::default());
        let job = rates.enter(JobId([1; 16]), Owner(1), Priority::Normal, rate(250));
        read_for(&job, Duration::from_secs(1)).await;
        let began = Instant::now();
        let (allowance, ()) = tokio::join!(job.allowance(1 << 20, Reach::Network), async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            rates.set_job(JobId([1; 16]), Priority::Normal, None);
        });
        assert_eq!(allowance, Allowance { count: 1 << 20, has_waited: true, is_counted: true });
        assert!(began.elapsed() < Duration::from_millis(20), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_takes_nothing_and_others_share_the_rest() {
        let together = vec![(Priorities::ALL, rate(100_000).expect("a rate"))];
        let rates = Rates::new(RateLimits { together, owner: None });
        let jobs = [1, 2].map(|n| rates.enter(JobId([n; 16]), Owner(1), Priority::Normal, None));
        for _ in 0..100 {
            let patience = Instant::now() + Duration::from_micros(1);
            let _ = timeout_at(patience, jobs[0].allowance(1 << 20, Reach::Network)).await;
        }
        let time = Duration::from_secs(10);
        let (first, second) = tokio::join!(read_for(&jobs[0], time), read_for(&jobs[1], time));
        assert!(first.abs_diff(second) < 50_000, "{first} {second}");
        assert!((930_000..=1_015_000).contains(&(first + second)), "{first} {second}");
    }
}
