//! Who runs next, and who has run long enough: the few bytes per active job that this takes.
//!
//! Jobs at rest are not here at all.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::rows::Joins;
use super::turns::{Class, Line, Order, Place, Rotation, Standing, Terms};
use crate::conditions::{Conditions, Hold, Network, Rules};
use crate::error::ErrorContext;
use crate::job::{Attempt, ClockChange, Job, JobId, Priority, State};
use crate::notify::NotifyLimits;
use crate::pacing::timetable::Stop;
use crate::policy::Policy;
use crate::ports::QueuedJob;
use crate::remote_name::HostTag;
use crate::time::Timestamp;

/// How many jobs may run at a time, and for how long while others wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Jobs a person waits for (`bits.md` §4: all of them; a named limit keeps the machine usable).
    pub foreground_jobs_max: usize,
    /// All other jobs together. BITS runs one; several keep a slow server from holding up the
    /// rest (`bits.md` §13, complaint 13).
    pub background_jobs_max: usize,
    /// How long a job runs before it lets another of its priority have its turn (`bits.md` §4; how
    /// long that is in BITS is not documented).
    pub time_slice: Duration,
    /// How much of everything there may be, and for how long.
    pub policy: Policy,
    /// What is allowed in telling owners of their jobs.
    pub notify: NotifyLimits,
    /// Under which conditions they run.
    pub rules: Rules,
    /// Connections of all jobs at a time. Each job that runs has one; more are the worker's affair.
    pub connections_max: usize,
    /// The same to one server, across jobs and owners.
    pub host_connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            foreground_jobs_max: 16,
            background_jobs_max: 4,
            time_slice: Duration::from_secs(60),
            policy: Policy::BUILT_IN,
            notify: NotifyLimits::default(),
            rules: Rules::default(),
            connections_max: 128,
            host_connections_max: 16,
        }
    }
}

/// How many jobs of a priority have their turn, and how many wait for it and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    pub priority: Priority,
    pub running: usize,
    pub runnable: usize,
}

/// Where an active job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Waits for its turn, if the conditions do not hold it back: that is the affair of its row.
    Runnable(Place),
    Running {
        /// Where it waited.
        place: Place,
        /// Since when it runs.
        since: Timestamp,
        attempt: Attempt,
        /// Whether what has come of the file that is coming would be kept if the job stopped now.
        keeps: bool,
    },
    Waiting {
        until: Timestamp,
        /// Whether it failed on its way to the server, so that another network may be all it takes.
        retries: Retries,
    },
    /// Queued, and passed over until somebody lets it go.
    Held,
}

/// What a job that waits for its retry has to do with the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retries {
    WhenDue,
    /// Also as soon as the network is another one.
    WithTheNetwork,
    /// It is: when it is due, it is so before its time.
    Early,
}

impl Retries {
    fn of(job: &Job) -> Self {
        // What a server asks for is no question of the network.
        let is_of_the_way = job.error.as_ref().is_some_and(|error| {
            error.context == ErrorContext::GeneralTransport && error.retry_after_seconds.is_none()
        });
        if is_of_the_way { Self::WithTheNetwork } else { Self::WhenDue }
    }
}

impl Slot {
    /// The slot of `job`, which has come to its state at `now`; none for a job at rest.
    pub(super) fn of(job: &Job, now: Timestamp) -> Option<Self> {
        let place = || Place::of(&QueuedJob::from(job), false, Order::at(now));
        match job.state {
            State::Queued => Some(Self::Runnable(place())),
            State::Connecting | State::Transferring => {
                Some(Self::Running { place: place(), since: now, attempt: job.attempt, keeps: true })
            }
            State::TransientError { retry_at } => Some(Self::Waiting {
                until: job.next_wake(now).unwrap_or(retry_at),
                retries: Retries::of(job),
            }),
            State::Suspended | State::Error | State::Transferred | State::Acknowledged | State::Cancelled => {
                None
            }
        }
    }

    /// This slot, for a job that was in `was`: whoever stays in a line keeps its place there, and
    /// whoever goes on running the time it has run.
    fn after(self, was: Option<Self>) -> Self {
        match (was, self) {
            (Some(Self::Runnable(was)), Self::Runnable(place)) => {
                let lacks_volume = was.terms.lacks_volume || place.terms.lacks_volume;
                let terms = Terms { lacks_volume, ..place.terms };
                Self::Runnable(Place { terms, ..place.kept_from(was, was.has_begun) })
            }
            (Some(Self::Running { place: was, .. }), Self::Runnable(place)) => {
                Self::Runnable(place.kept_from(was, true))
            }
            (Some(Self::Runnable(was)), Self::Running { place, since, attempt, keeps }) => {
                Self::Running { place: place.kept_from(was, was.has_begun), since, attempt, keeps }
            }
            (
                Some(Self::Running { place: was, since, attempt: earlier, keeps }),
                Self::Running { place, attempt, .. },
            ) if earlier == attempt => {
                Self::Running { place: place.kept_from(was, was.has_begun), since, attempt, keeps }
            }
            (Some(Self::Held), Self::Runnable(_)) => Self::Held,
            (_, slot) => slot,
        }
    }

    /// Where the job waits, or waited before it ran.
    fn place(self) -> Option<Place> {
        match self {
            Self::Runnable(place) | Self::Running { place, .. } => Some(place),
            Self::Waiting { .. } | Self::Held => None,
        }
    }

    /// The line that the job is in.
    fn line(self) -> Option<Line> {
        self.place().map(|place| place.line)
    }
}

impl Place {
    /// This place, for a job that was in `was`: it keeps its order there, at the same priority.
    fn kept_from(self, was: Self, has_begun: bool) -> Self {
        if self.line.priority == was.line.priority {
            Self { order: was.order, has_begun, ..self }
        } else {
            self
        }
    }
}

/// How one job stood before a change, to be put back if the change cannot be written.
#[derive(Debug)]
pub(super) struct Before {
    slot: Option<Slot>,
    /// Behind whom it waited, if it did.
    behind: Option<JobId>,
    /// Of the lines that the change is about.
    lines: [Option<Standing>; 2],
}

#[derive(Debug)]
pub(super) struct Schedule {
    limits: Limits,
    /// Of jobs that run, wait for a time, or are held.
    slots: BTreeMap<JobId, Slot>,
    /// All others: there can be a million of them.
    rotation: Rotation,
    waiting: BTreeSet<(Timestamp, JobId)>,
    /// Those of them that another network may help.
    with_network: BTreeSet<JobId>,
    /// The jobs that run; there are never many.
    running: BTreeSet<(Class, JobId)>,
    conditions: Conditions,
    running_at: BTreeMap<HostTag, usize>,
    stopped: [Option<Stop>; Priority::ALL.len()],
    /// When volumes last came or went.
    volumes_at: Timestamp,
}

/// Which limit of connections is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionLimit {
    /// `host_connections_max`.
    Host,
    /// `connections_max`.
    Total,
}

impl Schedule {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: BTreeMap::new(),
            rotation: Rotation::default(),
            waiting: BTreeSet::new(),
            with_network: BTreeSet::new(),
            running: BTreeSet::new(),
            conditions: Conditions::default(),
            running_at: BTreeMap::new(),
            stopped: [None; Priority::ALL.len()],
            volumes_at: Timestamp(0),
        }
    }

    /// What holds back `job`, which is queued.
    pub(super) fn hold_of(&self, job: JobId) -> Option<Hold> {
        self.rotation.place(job).and_then(|(_, hold)| hold)
    }

    /// What the conditions are now.
    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Takes note that the conditions are others, at `now`; up to `most` of the jobs that wait for
    /// something else now. Jobs that are queued are held back or let go by the row; of them only those that
    /// wait for their volume are looked at, when there are other volumes.
    pub(super) fn change_conditions(
        &mut self,
        conditions: Conditions,
        now: Timestamp,
        most: usize,
    ) -> Vec<JobId> {
        let before = core::mem::replace(&mut self.conditions, conditions);
        let are_other_volumes = before.volumes != self.conditions.volumes;
        if are_other_volumes {
            self.volumes_at = now;
        }
        let is_another_network = before.network != self.conditions.network
            && matches!(self.conditions.network, Network::Up { .. });
        let mut changed: BTreeSet<JobId> = self.change_holds(most).into_iter().collect();
        if are_other_volumes {
            // It may be there now, and is looked for once more.
            for job in self.rotation.lacking() {
                let Some((place, _)) = self.rotation.place(job) else { continue };
                let terms = Terms { lacks_volume: false, ..place.terms };
                self.set(job, None);
                self.set_where(job, Some(Slot::Runnable(Place { terms, ..place })), Joins::ByOrder);
                if changed.len() < most {
                    changed.insert(job);
                }
            }
        }
        if is_another_network {
            for job in core::mem::take(&mut self.with_network) {
                let Some(Slot::Waiting { until, .. }) = self.get(job) else { continue };
                let until = until.min(now + settling(job));
                self.set(job, Some(Slot::Waiting { until, retries: Retries::Early }));
                if changed.len() < most {
                    changed.insert(job);
                }
            }
        }
        changed.into_iter().collect()
    }

    fn change_holds(&mut self, most: usize) -> Vec<JobId> {
        let (rules, conditions) = (self.limits.rules, &self.conditions);
        self.rotation.change_holds(|needs| rules.hold(needs, conditions), most)
    }

    /// Whether somebody tells when volumes come, so that one can wait for that.
    pub(super) fn hears_of_volumes(&self) -> bool {
        self.conditions.volumes.is_some()
    }

    /// Since when `job` has its turn, if it has.
    pub(super) fn running_since(&self, job: JobId) -> Option<Timestamp> {
        match self.get(job) {
            Some(Slot::Running { since, .. }) => Some(since),
            _ => None,
        }
    }

    /// The slot of a queued job whose volume is not there; none when others have come since its turn began
    /// at `since`, so that it has to look once more.
    pub(super) fn without_volume(&self, job: JobId, since: Timestamp) -> Option<Slot> {
        match self.get(job) {
            Some(Slot::Runnable(place)) if self.volumes_at < since => {
                let terms = Terms { lacks_volume: true, ..place.terms };
                Some(Slot::Runnable(Place { terms, ..place }))
            }
            _ => None,
        }
    }

    /// Whether `job` waits for its volume.
    pub(super) fn lacks_volume(&self, job: JobId) -> bool {
        self.rotation.place(job).is_some_and(|(place, _)| place.terms.lacks_volume)
    }

    /// Whether the retry of `job` is due before its time, as the network is another one.
    pub(super) fn is_early(&self, job: JobId) -> bool {
        matches!(self.get(job), Some(Slot::Waiting { retries: Retries::Early, .. }))
    }

    /// The next running job that the conditions have turned against, if any. One that runs without
    /// a network goes on if it would lose what has come: it fails by itself if the network stays away.
    pub(super) fn next_halt(&self) -> Option<JobId> {
        let rules = self.limits.rules;
        let mut jobs = self.running.iter().map(|(_, job)| *job);
        jobs.find(|job| match self.get(*job) {
            Some(Slot::Running { place, keeps, .. }) => match rules.hold(place.needs(), &self.conditions) {
                Some(Hold::Network(_)) => keeps,
                hold => hold.is_some(),
            },
            _ => false,
        })
    }

    pub(super) fn get(&self, job: JobId) -> Option<Slot> {
        let waits = || self.rotation.place(job).map(|(place, _)| Slot::Runnable(place));
        self.slots.get(&job).copied().or_else(waits)
    }

    /// How `job` stands, before it is moved to `slot`.
    pub(super) fn before(&self, job: JobId, slot: Option<Slot>) -> Before {
        let was = self.get(job);
        let standing =
            |slot: Option<Slot>| slot.and_then(Slot::line).map(|line| self.rotation.standing(line));
        let behind = self.rotation.before(job);
        Before { slot: was, behind, lines: [standing(was), standing(slot)] }
    }

    /// Puts `job` back to where it stood.
    pub(super) fn put_back(&mut self, job: JobId, before: Before) {
        // Taken out first, or it would keep what a slot keeps of the one before.
        self.set(job, None);
        self.set_where(job, before.slot, Joins::Behind(before.behind));
        for standing in before.lines.into_iter().flatten() {
            self.rotation.put_back(standing);
        }
    }

    /// Moves `job` to `slot`. A job that stays runnable at the same priority keeps its place, one
    /// that goes on running the time it has run, and one that is held stays so until it is taken out.
    pub(super) fn set(&mut self, job: JobId, slot: Option<Slot>) {
        self.set_where(job, slot, Joins::AtTheEnd);
    }

    /// Takes over a job that waits since the time that its slot says.
    pub(super) fn adopt(&mut self, job: &QueuedJob, has_begun: bool) {
        let place = Place::of(job, has_begun, Order::at(job.created));
        self.set_where(job.id, Some(Slot::Runnable(place)), Joins::Adopted);
    }

    /// The same; a job that was in no line joins where `joins` says.
    fn set_where(&mut self, job: JobId, slot: Option<Slot>, joins: Joins) {
        let was = self.get(job);
        let slot = slot.map(|slot| slot.after(was));
        let (was_at, is_at) = (was.and_then(Slot::place), slot.and_then(Slot::place));
        let keeps_place = was_at.zip(is_at).is_some_and(|(was, is)| was.order == is.order);
        let joins = if keeps_place { Joins::ByOrder } else { joins };
        if slot == was {
            return;
        }
        self.rotation.wait_no_more(job);
        match self.slots.remove(&job) {
            Some(Slot::Waiting { until, .. }) => {
                self.waiting.remove(&(until, job));
                self.with_network.remove(&job);
            }
            Some(Slot::Running { place: Place { line, .. }, .. }) => {
                self.running.remove(&(Class::of(line.priority), job));
                self.rotation.run_no_more(line);
                let left = self.running_at.get(&line.host).map_or(0, |count| count - 1);
                if left > 0 {
                    self.running_at.insert(line.host, left);
                } else {
                    self.running_at.remove(&line.host);
                }
            }
            Some(Slot::Held | Slot::Runnable(_)) | None => {}
        }
        let Some(slot) = slot else { return };
        match slot {
            Slot::Runnable(place) => {
                let (rules, conditions) = (self.limits.rules, &self.conditions);
                return self.rotation.wait(place, job, joins, |needs| rules.hold(needs, conditions));
            }
            Slot::Waiting { until, retries } => {
                self.waiting.insert((until, job));
                if retries == Retries::WithTheNetwork {
                    self.with_network.insert(job);
                }
            }
            Slot::Running { place, .. } => {
                self.running.insert((Class::of(place.line.priority), job));
                self.rotation.run(place);
                *self.running_at.entry(place.line.host).or_default() += 1;
            }
            Slot::Held => {}
        }
        self.slots.insert(job, slot);
    }

    /// Notes whether a running job could be stopped now without losing what has come.
    pub(super) fn set_keeps(&mut self, job: JobId, yes: bool) {
        if let Some(Slot::Running { keeps, .. }) = self.slots.get_mut(&job) {
            *keeps = yes;
        }
    }

    /// Whether `job` runs and could be stopped now without losing what has come.
    pub(super) fn keeps(&self, job: JobId) -> bool {
        matches!(self.get(job), Some(Slot::Running { keeps: true, .. }))
    }

    /// From now on other limits; up to `most` of the jobs that wait for something else now.
    pub(super) fn set_limits(&mut self, limits: Limits, most: usize) -> Vec<JobId> {
        self.limits = limits;
        self.change_holds(most)
    }

    /// From now on jobs of these priorities may not run.
    pub(super) fn set_stopped(&mut self, stopped: [Option<Stop>; Priority::ALL.len()]) {
        self.stopped = stopped;
    }

    /// Whether jobs of `priority` may not run now.
    pub(super) fn stopped(&self, priority: Priority) -> Option<Stop> {
        self.stopped[priority as usize]
    }

    fn may_run(&self, priority: Priority) -> bool {
        self.stopped(priority).is_none()
    }

    pub(super) fn next_runnable(&self) -> Option<JobId> {
        [Class::Foreground, Class::Background]
            .into_iter()
            .find_map(|class| self.next_of(class))
            .map(|(_, job)| job)
    }

    /// Whoever is next of `class`, if there is a turn and a connection.
    fn next_of(&self, class: Class) -> Option<(Priority, JobId)> {
        let has_room = self.has_room(class) && self.has_connection();
        has_room.then(|| self.rotation.next(class, |level| self.may_run(level), |host| self.is_open(host)))?
    }

    /// The next job that has to give its turn to another one at `now`: at once to one of higher priority,
    /// and where its own may not run any more; to one of its own when it has had its time. Only where
    /// all turns or connections are taken. A job that would have the next turn as well begins it.
    pub(super) fn next_yield(&mut self, now: Timestamp) -> Option<JobId> {
        let mut due: Vec<_> = self.yields().filter(|(.., at)| at.is_none_or(|at| at <= now)).collect();
        due.sort_unstable();
        for (_, job, slice_ends) in due {
            if slice_ends.is_none() || self.would_have_another(job, now) {
                return Some(job);
            }
            if let Some(Slot::Running { since, .. }) = self.slots.get_mut(&job) {
                *since = now;
            }
        }
        None
    }

    /// Whether another job would have the turn that `job` gives up.
    fn would_have_another(&mut self, job: JobId, now: Timestamp) -> bool {
        let Some(Slot::Running { place, .. }) = self.get(job) else { return false };
        let given_up = Some(Slot::Runnable(Place { order: Order::at(now), ..place }));
        let before = self.before(job, given_up);
        self.set(job, given_up);
        let next = self.next_of(Class::of(place.line.priority));
        self.put_back(job, before);
        next.is_some_and(|(_, next)| next != job)
    }

    /// When [`Schedule::next_yield`] will have something because time passes, if ever.
    fn next_slice_end(&self) -> Option<Timestamp> {
        self.yields().map(|(.., at)| at.unwrap_or(Timestamp(0))).min()
    }

    /// The jobs that are to give up their turns for one that waits: the order in which they are to,
    /// and when, if not at once.
    fn yields(&self) -> impl Iterator<Item = (YieldOrder, JobId, Option<Timestamp>)> {
        [Class::Foreground, Class::Background].into_iter().flat_map(move |class| {
            let open = |host| self.is_open(host);
            let next = |class| self.rotation.next(class, |level| self.may_run(level), open);
            let wanted_by = |class| next(class).map(|(level, _)| level);
            let turn = wanted_by(class).filter(|_| !self.has_room(class));
            let others = [Class::Foreground, Class::Background].into_iter();
            let others = others.filter(|other| *other == class || self.has_room(*other));
            let connection = others.filter_map(wanted_by).min().filter(|_| !self.has_connection());
            let wanted = turn.into_iter().chain(connection).min();
            self.running_of(class).filter_map(move |job| {
                let Some(Slot::Running { place: Place { line, .. }, since, keeps, .. }) = self.get(job)
                else {
                    return None;
                };
                let order = YieldOrder { level: Reverse(line.priority), loses: !keeps, since };
                if !self.may_run(line.priority) {
                    return Some((order, job, None));
                }
                let wanted = wanted.into_iter().chain(self.wanted_at(line)).min()?;
                if line.priority > wanted {
                    return Some((order, job, None));
                }
                // Whoever would lose what has come stays: it might never be done else.
                (line.priority == wanted && keeps).then(|| (order, job, Some(since + self.limits.time_slice)))
            })
        })
    }

    /// The highest level on which somebody waits for the host of a job that runs in `line`, and for
    /// nothing else.
    fn wanted_at(&self, line: Line) -> Option<Priority> {
        if self.is_open(line.host) {
            return None;
        }
        let of = |class| {
            let may_follow = class == Class::of(line.priority) || self.has_room(class);
            may_follow.then(|| self.rotation.level_at(class, line.host, |level| self.may_run(level)))?
        };
        [Class::Foreground, Class::Background].into_iter().filter_map(of).min()
    }

    /// Whether fewer jobs run than there may be connections.
    pub(super) fn has_connection(&self) -> bool {
        self.running.len() < self.limits.connections_max
    }

    /// Whether fewer jobs run at `host` than there may be connections to it.
    fn is_open(&self, host: HostTag) -> bool {
        // Files of this machine, and jobs of before hosts were kept.
        let running = self.running_at.get(&host).copied().unwrap_or(0);
        host == HostTag::NONE || running < self.limits.host_connections_max
    }

    /// Whether `job` has its turn as soon as there is a connection: which limit it waits for.
    pub(super) fn waits_for_connection(&self, job: JobId) -> Option<ConnectionLimit> {
        let Some((Place { line, .. }, None)) = self.rotation.place(job) else { return None };
        if !self.has_room(Class::of(line.priority)) {
            return None;
        }
        match (self.is_open(line.host), self.has_connection()) {
            (false, _) => Some(ConnectionLimit::Host),
            (true, false) => Some(ConnectionLimit::Total),
            (true, true) => None,
        }
    }

    /// Jobs that wait at a level, `most` at most.
    pub(super) fn some_of(&self, level: Priority, most: usize) -> Vec<JobId> {
        self.rotation.waiting_on(level).take(most).collect()
    }

    fn has_room(&self, class: Class) -> bool {
        let most = match class {
            Class::Foreground => self.limits.foreground_jobs_max,
            Class::Background => self.limits.background_jobs_max,
        };
        self.running_of(class).count() < most
    }

    fn running_of(&self, class: Class) -> impl Iterator<Item = JobId> {
        let first = (class, JobId::FIRST);
        self.running.range(first..).take_while(move |(is, _)| *is == class).map(|(_, job)| *job)
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<JobId> {
        self.waiting.first().filter(|(until, _)| *until <= now).map(|(_, job)| *job)
    }

    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        let due = self.waiting.first().map(|(until, _)| *until);
        let halt = self.next_halt().map(|_| Timestamp(0));
        due.into_iter().chain(halt).chain(self.next_slice_end()).min()
    }

    /// The clock was set: what waits does not wait longer or shorter for that.
    pub(super) fn clock_was_set(&mut self, change: ClockChange) {
        for (until, job) in core::mem::take(&mut self.waiting) {
            let moved = change.moved(until);
            if let Some(Slot::Waiting { until, .. }) = self.slots.get_mut(&job) {
                *until = moved;
            }
            self.waiting.insert((moved, job));
        }
        for (_, job) in &self.running {
            if let Some(Slot::Running { since, .. }) = self.slots.get_mut(job) {
                *since = change.moved(*since);
            }
        }
        // Who looks for a volume compares this with when its turn began.
        self.volumes_at = change.moved(self.volumes_at);
    }

    pub(super) fn running_attempt(&self, job: JobId) -> Option<Attempt> {
        match self.get(job) {
            Some(Slot::Running { attempt, .. }) => Some(attempt),
            _ => None,
        }
    }

    pub(super) fn is_held(&self, job: JobId) -> bool {
        self.get(job) == Some(Slot::Held)
    }

    /// How many jobs have their turn before `job` for sure, counted no further than `most`.
    pub(super) fn ahead_of(&self, job: JobId, most: usize) -> usize {
        let Some((place, None)) = self.rotation.place(job) else { return 0 };
        self.rotation.ahead_of(place, job, most)
    }

    pub(super) fn turns(&self) -> [Turns; 4] {
        let mut turns = Priority::ALL.map(|priority| Turns {
            priority,
            running: 0,
            runnable: self.rotation.count_on(priority),
        });
        for line in self.running.iter().filter_map(|(_, job)| self.get(*job).and_then(Slot::line)) {
            turns[line.priority as usize].running += 1;
        }
        turns
    }
}

/// How long a new network is left alone, so that what comes with it is there, and not all come at once:
/// from a half to one and a half seconds. Ids are random, and that is all the randomness there is here.
fn settling(job: JobId) -> Duration {
    Duration::from_millis(500 + u64::from(job.0[15]) * 1000 / 256)
}

/// Who gives up a turn first: of the lowest level, whoever loses nothing by it, and has had it longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct YieldOrder {
    level: Reverse<Priority>,
    loses: bool,
    since: Timestamp,
}
