//! Whose turn it is among the jobs that wait: one after another by owner, by host, and by job.
//!
//! A level is a priority. Within one, the owner comes first of whom the fewest jobs run, then whoever
//! had a turn longest ago; in the same way one host among those of an owner. Of the jobs of one host
//! every other turn is for one that has begun, the rest for those that have not; each time for the one
//! that was queued first. So a small job comes soon beside large ones, and of many large ones some are
//! done before all have begun. Whoever comes joins at the end of a row: there is nothing by which the
//! others could be starved.
//!
//! What is here knows nothing of limits and of time: [`super::schedule`] says when there is a turn.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::conditions::{CostFlags, Hold, Needs, States, Way};
use crate::job::{JobId, Owner, Priority};
use crate::ports::QueuedJob;
use crate::remote_name::HostTag;
use crate::time::Timestamp;

use super::rows::{Joins, Rows};

/// Where a job stands in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) priority: Priority,
    pub(super) owner: Owner,
    pub(super) host: HostTag,
}

impl Line {
    /// Before all others of `level`.
    pub(super) fn first_of(level: Priority) -> Self {
        Self { priority: level, owner: Owner(0), host: HostTag::NONE }
    }
}

/// Jobs of foreground priority, or all others: the two kinds that limits are given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Foreground,
    Background,
}

impl Class {
    pub(super) fn of(priority: Priority) -> Self {
        match priority {
            Priority::Foreground => Self::Foreground,
            Priority::High | Priority::Normal | Priority::Low => Self::Background,
        }
    }

    /// Its levels, whose turn is first first.
    pub(super) fn levels(self) -> &'static [Priority] {
        match self {
            Self::Foreground => &[Priority::Foreground],
            Self::Background => &[Priority::High, Priority::Normal, Priority::Low],
        }
    }
}

/// Who comes before whom among those that wait alike: whoever was queued first, of those that were queued
/// at the same time whoever came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Order(u64);

impl Order {
    /// So many can come in a millisecond before the next one begins.
    const IN_A_MILLISECOND: u64 = 1 << 20;

    /// The first of those that are queued at a time.
    pub(super) fn at(time: Timestamp) -> Self {
        Self(time.0.saturating_mul(Self::IN_A_MILLISECOND))
    }

    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether both were queued in the same millisecond.
    pub(super) fn is_as_old_as(self, other: Self) -> bool {
        self.0 / Self::IN_A_MILLISECOND == other.0 / Self::IN_A_MILLISECOND
    }
}

/// A job in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: Line,
    /// Whether it has had a turn since it was queued.
    pub(super) has_begun: bool,
    /// Who was queued before whom.
    pub(super) order: Order,
    pub(super) terms: Terms,
}

/// What a job needs of the conditions, beside what its line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Terms {
    /// What it says itself of the network's cost.
    pub(super) cost: Option<States>,
    pub(super) way: Way,
    /// Whether it has found its volume not to be there, since volumes last came or went.
    pub(super) lacks_volume: bool,
}

impl Terms {
    /// The terms that come before all others.
    pub(super) const FIRST: Self = Self { cost: None, way: Way::Network, lacks_volume: false };

    /// What a job with these needs that waits in `line`.
    pub(super) fn needs(self, line: Line) -> Needs {
        Needs {
            priority: line.priority,
            is_local: line.host.is_local(),
            way: self.way,
            cost: self.cost,
            lacks_volume: self.lacks_volume,
        }
    }
}

impl Place {
    /// Where `job` waits as one that comes in `order`.
    pub(super) fn of(job: &QueuedJob, has_begun: bool, order: Order) -> Self {
        let line = Line { priority: job.priority, owner: job.owner, host: job.host };
        let cost = job.cost.map(CostFlags::states);
        Self { line, has_begun, order, terms: Terms { cost, way: job.way, lacks_volume: false } }
    }

    /// What the job that waits here needs.
    pub(super) fn needs(self) -> Needs {
        self.terms.needs(self.line)
    }
}

/// Counts turns, so that who had one earlier comes before who had one later.
type Count = u64;

/// Those of one class who share something, be it an owner or a host of an owner's.
#[derive(Debug, Clone, Copy)]
struct Tally {
    /// How many jobs wait, by priority.
    waiting: [u32; Priority::ALL.len()],
    running: u32,
    /// When one of them had a turn, or gave it back, or when the first of them came.
    last_turn: Count,
    /// Whether the next turn is for one that has begun.
    begun_next: bool,
}

impl Tally {
    fn is_over(&self) -> bool {
        self.running == 0 && self.waiting == [0; Priority::ALL.len()]
    }
}

/// All that wait, and how many of whom run. Who is held back is counted nowhere but in its row.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    rows: Rows,
    owners: BTreeMap<(Class, Owner), Tally>,
    hosts: BTreeMap<(Class, Owner, HostTag), Tally>,
    /// Owners of whom jobs wait, whose turn is first first.
    owners_in_order: BTreeSet<(Priority, u32, Count, Owner)>,
    /// Their hosts, likewise.
    hosts_in_order: BTreeSet<(Priority, Owner, u32, Count, HostTag)>,
    waiting: [usize; Priority::ALL.len()],
    /// How many jobs wait for a host, of all owners.
    waiting_at: BTreeMap<(HostTag, Priority), usize>,
    count: Count,
}

/// Who stood where in one line, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    line: Line,
    owner: Option<Tally>,
    host: Option<Tally>,
    count: Count,
}

/// What becomes of a tally.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many jobs.
    Wait(Priority, u32),
    WaitNoMore(Priority, u32),
    Runs {
        begun_next: bool,
    },
    RunsNoMore,
}

impl Rotation {
    /// Lets `job` wait at `place`; `hold` says what holds back whoever waits there.
    pub(super) fn wait(
        &mut self,
        place: Place,
        job: JobId,
        joins: Joins,
        hold: impl FnOnce(Needs) -> Option<Hold>,
    ) {
        let is_held = self.rows.insert(job, place, joins, hold);
        if !is_held {
            self.count_in(place.line, 1);
        }
    }

    /// Takes a job out, if it waits.
    pub(super) fn wait_no_more(&mut self, job: JobId) {
        if let Some((place, is_held)) = self.rows.remove(job)
            && !is_held
        {
            self.count_out(place.line, 1);
        }
    }

    /// Where `job` waits, if it does, and what holds it back.
    pub(super) fn place(&self, job: JobId) -> Option<(Place, Option<Hold>)> {
        self.rows.get(job)
    }

    /// The jobs that have found their volume not to be there.
    pub(super) fn lacking(&self) -> Vec<JobId> {
        self.rows.lacking()
    }

    /// The job right before this one, to be told when it is put back.
    pub(super) fn before(&self, job: JobId) -> Option<JobId> {
        self.rows.before(job)
    }

    /// Takes note that the conditions are others; up to `most` of the jobs that wait for something else now.
    pub(super) fn change_holds(&mut self, hold: impl Fn(Needs) -> Option<Hold>, most: usize) -> Vec<JobId> {
        let changed = self.rows.change_holds(hold);
        for row in &changed {
            match (row.was_held, row.is_held) {
                (true, false) => self.count_in(row.line, row.count),
                (false, true) => self.count_out(row.line, row.count),
                (true, true) | (false, false) => {}
            }
        }
        changed.iter().flat_map(|row| self.rows.jobs_of(row.row)).take(most).collect()
    }

    fn count_in(&mut self, line: Line, jobs: u32) {
        let level = line.priority;
        self.waiting[level as usize] += jobs as usize;
        *self.waiting_at.entry((line.host, level)).or_default() += jobs as usize;
        self.step(line, Step::Wait(level, jobs));
    }

    fn count_out(&mut self, line: Line, jobs: u32) {
        let level = line.priority;
        self.waiting[level as usize] -= jobs as usize;
        let at = (line.host, level);
        let left = self.waiting_at.get(&at).map_or(0, |count| count - jobs as usize);
        if left > 0 {
            self.waiting_at.insert(at, left);
        } else {
            self.waiting_at.remove(&at);
        }
        self.step(line, Step::WaitNoMore(level, jobs));
    }

    /// Lets a job run that waited at `place`.
    pub(super) fn run(&mut self, place: Place) {
        let begun_next = !place.has_begun && self.rows.first(place.line, true).is_some();
        self.step(place.line, Step::Runs { begun_next });
    }

    pub(super) fn run_no_more(&mut self, line: Line) {
        self.step(line, Step::RunsNoMore);
    }

    /// The job of `class` whose turn is next, and its level: of those levels that may run, and with
    /// those hosts that are open.
    pub(super) fn next(
        &self,
        class: Class,
        may_run: impl Fn(Priority) -> bool,
        is_open: impl Fn(HostTag) -> bool,
    ) -> Option<(Priority, JobId)> {
        let levels = class.levels().iter().copied();
        let mut levels = levels.filter(|level| self.waiting[*level as usize] > 0 && may_run(*level));
        levels.find_map(|level| {
            let owners = self.owners_in_order.range((level, 0, 0, Owner(0))..);
            let mut owners = owners.take_while(|(of, ..)| *of == level).map(|(.., owner)| *owner);
            let line = owners.find_map(|owner| {
                let hosts = self.hosts_in_order.range((level, owner, 0, 0, HostTag::NONE)..);
                let mut hosts = hosts.take_while(|(of, whose, ..)| (*of, *whose) == (level, owner));
                // Not many are closed: each has jobs that run.
                let (.., host) = hosts.find(|(.., host)| is_open(*host))?;
                Some(Line { priority: level, owner, host: *host })
            })?;
            let tally = self.hosts.get(&(class, line.owner, line.host));
            let begun = tally.is_some_and(|tally| tally.begun_next);
            let job = [begun, !begun].into_iter().find_map(|has_begun| self.rows.first(line, has_begun))?;
            Some((level, job))
        })
    }

    /// The highest level of `class` on which somebody waits for `host`.
    pub(super) fn level_at(
        &self,
        class: Class,
        host: HostTag,
        may_run: impl Fn(Priority) -> bool,
    ) -> Option<Priority> {
        let waits = |level: &Priority| self.waiting_at.get(&(host, *level)).is_some_and(|count| *count > 0);
        class.levels().iter().copied().find(|level| may_run(*level) && waits(level))
    }

    /// All jobs that wait at `level`.
    pub(super) fn waiting_on(&self, level: Priority) -> impl Iterator<Item = JobId> {
        self.rows.waiting_on(level)
    }

    /// How many jobs wait at `level`.
    pub(super) fn count_on(&self, level: Priority) -> usize {
        self.waiting[level as usize]
    }

    /// How many jobs come before this one for sure, counted no further than `most`: those of higher
    /// levels, and those before it in its own line.
    pub(super) fn ahead_of(&self, place: Place, job: JobId, most: usize) -> usize {
        let higher: usize = self.waiting[..place.line.priority as usize].iter().sum();
        most.min(higher + self.rows.ahead_of(job, most.saturating_sub(higher)))
    }

    /// What a change of `line` may change here, to be put back by [`Rotation::put_back`].
    pub(super) fn standing(&self, line: Line) -> Standing {
        let class = Class::of(line.priority);
        Standing {
            line,
            owner: self.owners.get(&(class, line.owner)).copied(),
            host: self.hosts.get(&(class, line.owner, line.host)).copied(),
            count: self.count,
        }
    }

    /// Puts back who stood where when as many waited and ran as now.
    pub(super) fn put_back(&mut self, standing: Standing) {
        let Standing { line, owner, host, count } = standing;
        let class = Class::of(line.priority);
        let now = self.standing(line);
        self.set_owner(class, line.owner, now.owner, owner);
        self.set_host(class, line, now.host, host);
        self.count = count;
    }

    fn step(&mut self, line: Line, step: Step) {
        let class = Class::of(line.priority);
        if matches!(step, Step::Runs { .. } | Step::RunsNoMore) {
            self.count += 1;
        }
        let count = self.count;

        let was = self.standing(line);
        self.set_owner(class, line.owner, was.owner, stepped(was.owner, step, count));
        self.set_host(class, line, was.host, stepped(was.host, step, count));
    }

    fn set_owner(&mut self, class: Class, owner: Owner, was: Option<Tally>, is: Option<Tally>) {
        set(&mut self.owners, (class, owner), is);
        for level in class.levels() {
            let place = |tally: Tally| (*level, tally.running, tally.last_turn, owner);
            let [was, is] = [was, is].map(|tally| tally.filter(waits_on(*level)).map(place));
            replace(&mut self.owners_in_order, was, is);
        }
    }

    fn set_host(&mut self, class: Class, line: Line, was: Option<Tally>, is: Option<Tally>) {
        set(&mut self.hosts, (class, line.owner, line.host), is);
        for level in class.levels() {
            let place = |tally: Tally| (*level, line.owner, tally.running, tally.last_turn, line.host);
            let [was, is] = [was, is].map(|tally| tally.filter(waits_on(*level)).map(place));
            replace(&mut self.hosts_in_order, was, is);
        }
    }
}

fn waits_on(level: Priority) -> impl Fn(&Tally) -> bool {
    move |tally| tally.waiting[level as usize] > 0
}

/// `tally` after `step`; none where nobody is left.
fn stepped(tally: Option<Tally>, step: Step, count: Count) -> Option<Tally> {
    let fresh = Tally { waiting: [0; Priority::ALL.len()], running: 0, last_turn: count, begun_next: false };
    let mut tally = tally.unwrap_or(fresh);
    match step {
        Step::Wait(level, jobs) => tally.waiting[level as usize] += jobs,
        Step::WaitNoMore(level, jobs) => tally.waiting[level as usize] -= jobs,
        Step::Runs { begun_next } => {
            tally.running += 1;
            tally.begun_next = begun_next;
        }
        Step::RunsNoMore => tally.running -= 1,
    }
    if matches!(step, Step::Runs { .. } | Step::RunsNoMore) {
        tally.last_turn = count;
    }
    Some(tally).filter(|tally| !tally.is_over())
}

fn set<K: Ord, T>(tallies: &mut BTreeMap<K, T>, key: K, tally: Option<T>) {
    match tally {
        Some(tally) => tallies.insert(key, tally),
        None => tallies.remove(&key),
    };
}

fn replace<P: Ord>(order: &mut BTreeSet<P>, was: Option<P>, is: Option<P>) {
    if was == is {
        return;
    }
    if let Some(was) = was {
        order.remove(&was);
    }
    if let Some(is) = is {
        order.insert(is);
    }
}
