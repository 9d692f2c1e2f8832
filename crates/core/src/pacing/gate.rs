//! Who may take how many bytes now, under the limits that people have set: of a job, of each owner, of
//! jobs of some priorities together.
//!
//! A byte counts in all limits that apply to it. Those who want bytes are served in turns, so that jobs
//! under one limit get the same, weighted by their priorities, however many connections each has and
//! however much it asks for at a time; who waits for a limit of its own is in nobody's way. Nothing here
//! reads a clock or moves a byte: whoever asks tells the time, and takes no more than it was given.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::Weight;
use super::rate::{Bucket, Rate};
use crate::job::{JobId, Owner, Priority};
use crate::units::Bytes;

/// Jobs of some priorities, which a limit is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priorities(u8);

impl Priorities {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(0b1111);
    pub const FOREGROUND: Self = Self(0b0001);
    /// High, normal and low: what BITS's policies are for (`bits.md` §10.1).
    pub const BACKGROUND: Self = Self(0b1110);

    pub fn of(priority: Priority) -> Self {
        Self(1 << priority as u8)
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn has(self, priority: Priority) -> bool {
        self.meets(Self::of(priority))
    }

    /// Whether there is a priority in both.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl fmt::Debug for Priorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Priority::ALL.into_iter().filter(|priority| self.has(*priority))).finish()
    }
}

/// The limits that are not of one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RateLimits {
    /// Of all jobs of some priorities together; any number of them may apply to one job.
    pub together: Vec<(Priorities, Rate)>,
    /// Of all jobs of one owner together; each owner has it for themselves.
    pub owner: Option<Rate>,
}

impl RateLimits {
    /// The same, where two limits for the same jobs are one: the lower one, in which a byte counts once.
    fn merged(self) -> Self {
        let mut lowest: BTreeMap<Priorities, Rate> = BTreeMap::new();
        for (who, rate) in self.together {
            lowest.entry(who).and_modify(|lowest| *lowest = rate.min(*lowest)).or_insert(rate);
        }
        Self { together: lowest.into_iter().collect(), ..self }
    }
}

/// What is to be known of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub owner: Owner,
    pub priority: Priority,
    pub limit: Option<Rate>,
}

/// How far bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Over a network, which all limits are for.
    Network,
    /// From this machine, so that the job's own limit alone counts: the others guard a link.
    Machine,
}

/// Names somebody who waits for bytes: a connection, as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskerId(pub u64);

/// What came of the turns that were due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turns {
    /// Who may take how many bytes; they have counted.
    pub granted: Vec<(AskerId, Bytes)>,
    /// When there will be more, if somebody still waits.
    pub next: Option<Duration>,
}

/// What is given at a time: so much in time at the slowest limit, so that turns come often and cost
/// little.
const TURN: Duration = Duration::from_millis(20);
/// And at least so much, below which reading costs more than it brings, and at most.
const TURN_BYTES_MIN: u64 = 1024;
const TURN_BYTES_MAX: u64 = 1024 * 1024;

/// One limit among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Together(Priorities),
    Owner(Owner),
    Job(JobId),
}

#[derive(Debug)]
struct Known {
    member: Member,
    /// How much it has had, by weight, counted as if it had always wanted as much as the others.
    served: u64,
}

#[derive(Debug, Clone, Copy)]
struct Ask {
    asker: AskerId,
    job: JobId,
    most: u64,
    reach: Reach,
}

/// All limits, and who waits for them.
#[derive(Debug, Default)]
pub struct Gate {
    limits: RateLimits,
    jobs: BTreeMap<JobId, Known>,
    buckets: BTreeMap<Key, Bucket>,
    /// In the order they came.
    waiting: Vec<Ask>,
    /// How far whoever was served last had been before.
    served: u64,
}

impl Gate {
    pub fn new(limits: RateLimits) -> Self {
        Self { limits: limits.merged(), ..Self::default() }
    }

    /// From now on other limits. What has gone has gone.
    pub fn set_limits(&mut self, limits: RateLimits, now: Duration) {
        self.limits = limits.merged();
        self.refresh(now);
    }

    /// Takes note of a job, or of what has changed about it.
    pub fn set_job(&mut self, job: JobId, member: Member, now: Duration) {
        let served = self.served;
        self.jobs.entry(job).and_modify(|known| known.member = member).or_insert(Known { member, served });
        self.refresh(now);
    }

    pub fn member(&self, job: JobId) -> Option<Member> {
        self.jobs.get(&job).map(|known| known.member)
    }

    /// Forgets a job for which nobody asks any more.
    pub fn remove_job(&mut self, job: JobId) {
        self.jobs.remove(&job);
        self.buckets.remove(&Key::Job(job));
        self.waiting.retain(|ask| ask.job != job);
    }

    /// Whether anybody is limited.
    pub fn has_limits(&self) -> bool {
        !self.limits.together.is_empty()
            || self.limits.owner.is_some()
            || self.jobs.values().any(|known| known.member.limit.is_some())
    }

    /// The lowest limit that applies to `job`, if any does.
    pub fn lowest(&self, job: JobId, reach: Reach) -> Option<Rate> {
        let member = self.member(job)?;
        self.limits_of(job, member, reach).into_iter().map(|(_, rate)| rate).min()
    }

    /// `asker` waits for up to `most` bytes of `job` until it is in the answer of [`Gate::turns`], or
    /// withdraws.
    pub fn ask(&mut self, asker: AskerId, job: JobId, most: Bytes, reach: Reach) {
        self.withdraw(asker);
        if let Some(known) = self.jobs.get_mut(&job) {
            // Who comes back after a pause has not saved anything up.
            if !self.waiting.iter().any(|ask| ask.job == job) {
                known.served = known.served.max(self.served);
            }
        }
        self.waiting.push(Ask { asker, job, most: most.0.max(1), reach });
    }

    /// `asker` waits no longer.
    pub fn withdraw(&mut self, asker: AskerId) {
        self.waiting.retain(|ask| ask.asker != asker);
    }

    /// So many bytes that were given to `job` have not been taken.
    pub fn give_back(&mut self, job: JobId, count: Bytes, reach: Reach) {
        let Some(member) = self.member(job) else { return };
        for (key, _) in self.limits_of(job, member, reach) {
            if let Some(bucket) = self.buckets.get_mut(&key) {
                bucket.give_back(count);
            }
        }
        if let Some(known) = self.jobs.get_mut(&job) {
            known.served = known.served.saturating_sub(weighted(count.0, member.priority));
        }
    }

    /// Serves all whose turn it is at `now`, by a clock that does not jump.
    pub fn turns(&mut self, now: Duration) -> Turns {
        let mut turns = Turns::default();
        // Somebody who waits for a limit has what comes of it: others may not take it before.
        let mut claimed = BTreeSet::new();
        while let Some(at) = self.next_in_turn(&claimed) {
            let ask = self.waiting[at];
            let known = self.jobs.get(&ask.job).expect("only jobs that are known are served");
            let member = known.member;
            let limits = self.limits_of(ask.job, member, ask.reach);
            let turn = limits.iter().map(|(_, rate)| turn(*rate)).min().unwrap_or(u64::MAX);
            let count = ask.most.min(turn);
            let lacking: Vec<_> = limits
                .iter()
                .filter_map(|(key, _)| {
                    let wait = self.buckets.get_mut(key)?.wait_for(Bytes(count), now);
                    (!wait.is_zero()).then_some((*key, wait))
                })
                .collect();
            // What fills up sooner may be had by others meanwhile.
            if let Some((key, wait)) = lacking.into_iter().max_by_key(|(_, wait)| *wait) {
                claimed.insert(key);
                turns.next = Some(turns.next.map_or(wait, |next: Duration| next.min(wait)));
                continue;
            }
            for (key, _) in limits {
                if let Some(bucket) = self.buckets.get_mut(&key) {
                    bucket.take(Bytes(count), now);
                }
            }
            self.waiting.remove(at);
            if let Some(known) = self.jobs.get_mut(&ask.job) {
                self.served = self.served.max(known.served);
                known.served = known.served.saturating_add(weighted(count, member.priority));
            }
            turns.granted.push((ask.asker, Bytes(count)));
        }
        turns
    }

    /// Where in the row whoever is next stands: of those for whom nothing is claimed by others, the one
    /// of the job that has had the least.
    fn next_in_turn(&self, claimed: &BTreeSet<Key>) -> Option<usize> {
        let open = |(_, ask): &(usize, &Ask)| {
            let member = self.member(ask.job);
            member.is_some_and(|member| {
                !self.limits_of(ask.job, member, ask.reach).iter().any(|(key, _)| claimed.contains(key))
            })
        };
        let row = self.waiting.iter().enumerate().filter(open);
        row.min_by_key(|(at, ask)| (self.jobs.get(&ask.job).map(|known| known.served), *at)).map(|(at, _)| at)
    }

    fn limits_of(&self, job: JobId, member: Member, reach: Reach) -> Vec<(Key, Rate)> {
        let own = member.limit.map(|rate| (Key::Job(job), rate));
        let mut limits: Vec<_> = own.into_iter().collect();
        if reach == Reach::Network {
            limits.extend(self.limits.owner.map(|rate| (Key::Owner(member.owner), rate)));
            let together = self.limits.together.iter().filter(|(who, _)| who.has(member.priority));
            limits.extend(together.map(|(who, rate)| (Key::Together(*who), *rate)));
        }
        limits
    }

    /// Makes the buckets as the limits are.
    fn refresh(&mut self, now: Duration) {
        let mut wanted: BTreeMap<Key, Rate> = BTreeMap::new();
        wanted.extend(self.limits.together.iter().map(|(who, rate)| (Key::Together(*who), *rate)));
        for (job, known) in &self.jobs {
            wanted.extend(self.limits.owner.map(|rate| (Key::Owner(known.member.owner), rate)));
            wanted.extend(known.member.limit.map(|rate| (Key::Job(*job), rate)));
        }
        self.buckets.retain(|key, _| wanted.contains_key(key));
        for (key, rate) in wanted {
            match self.buckets.get_mut(&key) {
                Some(bucket) => {
                    if bucket.rate() != rate {
                        bucket.set_rate(rate, now);
                    }
                }
                None => {
                    self.buckets.insert(key, Bucket::new(rate, now));
                }
            }
        }
    }
}

fn turn(rate: Rate) -> u64 {
    let bytes = u128::from(rate.bytes_per_second()) * TURN.as_millis() / 1000;
    u64::try_from(bytes).unwrap_or(u64::MAX).clamp(TURN_BYTES_MIN, TURN_BYTES_MAX)
}

fn weighted(count: u64, priority: Priority) -> u64 {
    count.saturating_mul(Weight::MOST) / Weight::of(priority).get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::rate::burst;
    use alloc::vec;

    fn rate(bytes: u64) -> Rate {
        Rate::new(bytes).expect("a rate")
    }

    fn job(n: u8) -> JobId {
        JobId([n; 16])
    }

    fn member(owner: u32, priority: Priority, limit: Option<u64>) -> Member {
        Member { owner: Owner(owner), priority, limit: limit.map(rate) }
    }

    /// When how much was given to which job.
    type Passed = Vec<(Duration, u8, u64)>;

    /// What each job gets in `seconds`, whose connections ask for `most` again as soon as they were
    /// served; and all grants with their times.
    fn served(gate: &mut Gate, connections: &[(u8, u64)], seconds: u64) -> (BTreeMap<u8, u64>, Passed) {
        let mut totals = BTreeMap::new();
        let mut passed = Vec::new();
        let mut now = Duration::ZERO;
        for (at, (of, most)) in connections.iter().enumerate() {
            gate.ask(AskerId(at as u64), job(*of), Bytes(*most), Reach::Network);
        }
        while now < Duration::from_secs(seconds) {
            let turns = gate.turns(now);
            for (AskerId(asker), count) in &turns.granted {
                let (of, most) = connections[*asker as usize];
                *totals.entry(of).or_default() += count.0;
                passed.push((now, of, count.0));
                gate.ask(AskerId(*asker), job(of), Bytes(most), Reach::Network);
            }
            now += match turns.next {
                _ if !turns.granted.is_empty() => Duration::ZERO,
                Some(next) => next.max(Duration::from_nanos(1)),
                None => Duration::from_secs(1),
            };
        }
        (totals, passed)
    }

    /// Over no window whatsoever have more bytes gone than the limit and one burst.
    #[track_caller]
    fn check_never_exceeds(passed: impl Iterator<Item = (Duration, u64)>, limit: Rate) {
        let passed: Vec<_> = passed.collect();
        for from in (0..passed.len()).step_by(passed.len() / 97 + 1) {
            let mut sum = 0;
            for (at, count) in &passed[from..] {
                sum += count;
                let most = (*at - passed[from].0).as_secs_f64() * limit.bytes_per_second() as f64;
                let allowed = most + burst(limit).0 as f64 + 1.0;
                assert!(sum as f64 <= allowed, "{sum} from {:?} to {at:?}: {allowed}", passed[from].0);
            }
        }
    }

    #[test]
    fn over_no_window_does_more_go_than_the_limits_and_one_burst_whatever_is_asked_for() {
        let all = Priorities::ALL;
        for (total, owner, jobs, most) in [
            (1_000_000, None, [None, None, None], 1 << 20),
            (1_000_000, Some(700_000), [Some(100_000), None, None], 256 << 10),
            (12_500_000, Some(9_000_000), [None, Some(5_000_000), Some(250)], 1 << 20),
            (250, None, [None, None, None], 1 << 20),
            (100_000, None, [Some(1 << 40), None, None], 100),
        ] {
            let limits = RateLimits { together: vec![(all, rate(total))], owner: owner.map(rate) };
            let mut gate = Gate::new(limits);
            for (n, limit) in jobs.iter().enumerate() {
                gate.set_job(job(n as u8), member(7, Priority::Normal, *limit), Duration::ZERO);
            }
            gate.set_limits(gate.limits.clone(), Duration::ZERO);
            let connections = [(0, most), (1, most), (1, most), (2, most)];
            let (totals, passed) = served(&mut gate, &connections, 20);
            check_never_exceeds(passed.iter().map(|(at, _, count)| (*at, *count)), rate(total));
            for (n, limit) in jobs.iter().enumerate() {
                let of_job = passed.iter().filter(|(_, of, _)| usize::from(*of) == n);
                if let Some(limit) = limit {
                    check_never_exceeds(of_job.map(|(at, _, count)| (*at, *count)), rate(*limit));
                }
            }
            let lowest = owner.map_or(total, |owner| owner.min(total));
            let sum: u64 = totals.values().sum();
            let least = lowest * 20 * 95 / 100;
            assert!(sum + TURN_BYTES_MIN * 4 >= least, "{total}: {sum} of {least} were used");
        }
    }

    #[test]
    fn jobs_under_one_limit_get_the_same_however_many_connections_each_has() {
        let mut gate = Gate::default();
        for n in 0..3 {
            gate.set_job(job(n), member(u32::from(n % 2), Priority::Normal, None), Duration::ZERO);
        }
        gate.set_limits(
            RateLimits { together: vec![(Priorities::BACKGROUND, rate(3_000_000))], owner: None },
            Duration::ZERO,
        );
        let connections = [(0, 1 << 20), (1, 4096), (2, 1 << 20), (2, 1 << 20), (2, 1 << 20)];
        let (totals, _) = served(&mut gate, &connections, 10);
        for (n, count) in &totals {
            assert!((9_000_000..=11_000_000).contains(count), "{n}: {totals:?}");
        }
    }

    #[test]
    fn a_higher_priority_gets_more_of_what_is_shared_and_nobody_nothing() {
        let mut gate = Gate::default();
        let priorities = [Priority::High, Priority::Normal, Priority::Low];
        for (n, priority) in priorities.into_iter().enumerate() {
            gate.set_job(job(n as u8), member(1, priority, None), Duration::ZERO);
        }
        let owner = Some(rate(700_000));
        gate.set_limits(RateLimits { together: Vec::new(), owner }, Duration::ZERO);
        let (totals, _) = served(&mut gate, &[(0, 1 << 20), (1, 1 << 20), (2, 1 << 20)], 10);
        for (n, expected) in [(0, 4_000_000), (1, 2_000_000), (2, 1_000_000)] {
            let got: u64 = totals[&n];
            assert!(got.abs_diff(expected) < expected / 10, "{n}: {totals:?}");
        }
    }

    #[test]
    fn who_waits_for_a_limit_of_its_own_is_in_nobodys_way() {
        let mut gate = Gate::default();
        gate.set_job(job(0), member(1, Priority::Normal, Some(1000)), Duration::ZERO);
        gate.set_job(job(1), member(1, Priority::Normal, None), Duration::ZERO);
        gate.set_limits(
            RateLimits { together: vec![(Priorities::ALL, rate(1_000_000))], owner: None },
            Duration::ZERO,
        );
        let (totals, _) = served(&mut gate, &[(0, 1 << 20), (1, 1 << 20)], 10);
        assert!(totals[&0] <= 14_200 && totals[&0] >= 9_000, "{totals:?}");
        assert!(totals[&1] >= 9_700_000, "{totals:?}");
    }

    #[test]
    fn each_owner_has_the_owners_limit_for_themselves_and_foreground_has_its_own() {
        let mut gate = Gate::default();
        gate.set_job(job(0), member(1, Priority::Normal, None), Duration::ZERO);
        gate.set_job(job(1), member(2, Priority::Normal, None), Duration::ZERO);
        gate.set_job(job(2), member(3, Priority::Foreground, None), Duration::ZERO);
        let together = vec![(Priorities::FOREGROUND, rate(50_000))];
        gate.set_limits(RateLimits { together, owner: Some(rate(100_000)) }, Duration::ZERO);
        let (totals, _) = served(&mut gate, &[(0, 1 << 20), (1, 1 << 20), (2, 1 << 20)], 10);
        for (n, expected) in [(0, 1_000_000), (1, 1_000_000), (2, 500_000)] {
            assert!(totals[&n].abs_diff(expected) < expected / 20, "{n}: {totals:?}");
        }
    }

    #[test]
    fn of_two_limits_for_the_same_jobs_the_lower_one_holds_and_all_of_it_may_be_had() {
        let together = |rates: &[u64]| {
            let together = rates.iter().map(|bytes| (Priorities::BACKGROUND, rate(*bytes))).collect();
            RateLimits { together, owner: None }
        };
        // As when a setting and the timetable say so.
        for rates in [&[1_000_000, 2_000_000][..], &[2_000_000, 1_000_000], &[1_000_000; 3]] {
            let mut gate = Gate::new(together(rates));
            gate.set_job(job(0), member(1, Priority::Normal, None), Duration::ZERO);
            let (totals, passed) = served(&mut gate, &[(0, 1 << 20)], 10);
            check_never_exceeds(passed.iter().map(|(at, _, count)| (*at, *count)), rate(1_000_000));
            assert!(totals[&0] >= 9_800_000, "{rates:?}: {totals:?}");
            gate.set_limits(together(&[2_000_000, 4_000_000]), Duration::from_secs(10));
            assert_eq!(gate.lowest(job(0), Reach::Network), Some(rate(2_000_000)));
        }
    }

    #[test]
    fn what_comes_from_this_machine_has_the_jobs_own_limit_alone() {
        let mut gate = Gate::new(RateLimits { together: vec![(Priorities::ALL, rate(1000))], owner: None });
        gate.set_job(job(0), member(1, Priority::Normal, None), Duration::ZERO);
        assert_eq!(gate.lowest(job(0), Reach::Machine), None);
        gate.ask(AskerId(0), job(0), Bytes(1 << 30), Reach::Machine);
        assert_eq!(gate.turns(Duration::ZERO).granted, [(AskerId(0), Bytes(1 << 30))]);
        gate.set_job(job(0), member(1, Priority::Normal, Some(5000)), Duration::ZERO);
        assert_eq!(gate.lowest(job(0), Reach::Machine), Some(rate(5000)));
        assert_eq!(gate.lowest(job(0), Reach::Network), Some(rate(1000)));
    }

    #[test]
    fn a_change_holds_for_the_next_turn_and_what_is_lifted_is_gone() {
        let mut gate = Gate::default();
        gate.set_job(job(0), member(1, Priority::Normal, Some(1000)), Duration::ZERO);
        gate.ask(AskerId(0), job(0), Bytes(1 << 20), Reach::Network);
        assert_eq!(gate.turns(Duration::ZERO).granted, [(AskerId(0), Bytes(TURN_BYTES_MIN))]);
        for _ in 0..3 {
            gate.ask(AskerId(0), job(0), Bytes(1 << 20), Reach::Network);
            gate.turns(Duration::ZERO);
        }
        gate.ask(AskerId(0), job(0), Bytes(1 << 20), Reach::Network);
        let turns = gate.turns(Duration::ZERO);
        assert!(turns.granted.is_empty() && turns.next > Some(Duration::from_millis(900)), "{turns:?}");
        gate.set_job(job(0), member(1, Priority::Normal, None), Duration::ZERO);
        assert_eq!(gate.turns(Duration::ZERO).granted, [(AskerId(0), Bytes(1 << 20))]);
        assert!(!gate.has_limits());
    }

    #[test]
    fn what_was_not_taken_counts_for_nobody_and_who_has_gone_is_not_served() {
        let mut gate = Gate::default();
        gate.set_job(job(0), member(1, Priority::Normal, Some(100_000)), Duration::ZERO);
        let mut taken = 0;
        for _ in 0..1000 {
            gate.ask(AskerId(0), job(0), Bytes(1 << 20), Reach::Network);
            for (_, count) in gate.turns(Duration::ZERO).granted {
                gate.give_back(job(0), count, Reach::Network);
                taken += 1;
            }
        }
        assert_eq!(taken, 1000);
        gate.ask(AskerId(1), job(0), Bytes(10), Reach::Network);
        gate.withdraw(AskerId(1));
        gate.ask(AskerId(2), job(0), Bytes(10), Reach::Network);
        gate.remove_job(job(0));
        assert_eq!(gate.turns(Duration::from_secs(9)), Turns::default());
    }
}
