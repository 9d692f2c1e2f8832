//! Who runs next, and who has run long enough: the few bytes per active job that this takes.
//!
//! Jobs at rest are not here at all.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::turns::{Class, Line, Place, Rotation, Standing};
use crate::conditions::{Conditions, CostFlags, Hold, Network, Rules};
use crate::error::ErrorContext;
use crate::job::{Attempt, ClockChange, Job, JobId, Priority, State};
use crate::notify::NotifyLimits;
use crate::pacing::timetable::Stop;
use crate::policy::Policy;
use crate::proxy::ProxyRules;
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
    /// Waits for its turn.
    Runnable(Place),
    /// Would wait for its turn, but the conditions hold it back.
    Blocked(Place),
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
        let cost = job.properties.transfer.cost_flags.map(CostFlags::states);
        let way = ProxyRules::way(&job.properties.http.proxy, &job.properties.environment.proxies);
        let place =
            Place { line: Line::of(job), has_begun: false, since: now, cost, way, lacks_volume: false };
        match job.state {
            State::Queued => Some(Self::Runnable(place)),
            State::Connecting | State::Transferring => {
                Some(Self::Running { place, since: now, attempt: job.attempt, keeps: true })
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
            (Some(Self::Runnable(was) | Self::Blocked(was)), Self::Runnable(place)) => {
                let lacks_volume = was.lacks_volume || place.lacks_volume;
                Self::Runnable(Place { lacks_volume, ..place.kept_from(was, was.has_begun) })
            }
            (Some(Self::Running { place: was, .. }), Self::Runnable(place)) => {
                Self::Runnable(place.kept_from(was, true))
            }
            (
                Some(Self::Runnable(was) | Self::Blocked(was)),
                Self::Running { place, since, attempt, keeps },
            ) => Self::Running { place: place.kept_from(was, was.has_begun), since, attempt, keeps },
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

    /// The line that the job is in.
    fn line(self) -> Option<Line> {
        match self {
            Self::Runnable(place) | Self::Blocked(place) | Self::Running { place, .. } => Some(place.line),
            Self::Waiting { .. } | Self::Held => None,
        }
    }
}

impl Place {
    /// This place, for a job that was in `was`: it keeps its time there, at the same priority.
    fn kept_from(self, was: Self, has_begun: bool) -> Self {
        if self.line.priority == was.line.priority {
            Self { since: was.since, has_begun, ..self }
        } else {
            self
        }
    }
}

/// How one job stood before a change, to be put back if the change cannot be written.
#[derive(Debug)]
pub(super) struct Before {
    slot: Option<Slot>,
    /// Of the lines that the change is about.
    lines: [Option<Standing>; 2],
}

#[derive(Debug)]
pub(super) struct Schedule {
    limits: Limits,
    slots: BTreeMap<JobId, Slot>,
    rotation: Rotation,
    waiting: BTreeSet<(Timestamp, JobId)>,
    /// The jobs that run; there are never many.
    running: BTreeSet<(Class, JobId)>,
    conditions: Conditions,
    running_at: BTreeMap<HostTag, usize>,
    stopped: [Option<Stop>; Priority::ALL.len()],
    /// When volumes last came or went.
    volumes_at: Timestamp,
    /// The jobs that wait for their volume.
    lacking: BTreeSet<JobId>,
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
            running: BTreeSet::new(),
            conditions: Conditions::default(),
            running_at: BTreeMap::new(),
            stopped: [None; Priority::ALL.len()],
            volumes_at: Timestamp(0),
            lacking: BTreeSet::new(),
        }
    }

    /// What holds back the job that waits at `place`, or has its turn from there.
    fn hold_at(&self, place: Place) -> Option<Hold> {
        self.limits.rules.hold(place.needs(), &self.conditions)
    }

    /// What holds back `job`, which is queued.
    pub(super) fn hold_of(&self, job: JobId) -> Option<Hold> {
        match self.get(job) {
            Some(Slot::Blocked(place)) => self.hold_at(place),
            _ => None,
        }
    }

    /// What the conditions are now.
    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Takes note that the conditions are others, at `now`; the jobs that wait for something else now.
    /// Looks at every active job, but for volumes alone at those that wait for one.
    pub(super) fn change_conditions(&mut self, conditions: Conditions, now: Timestamp) -> Vec<JobId> {
        let before = core::mem::replace(&mut self.conditions, conditions);
        let are_other_volumes = before.volumes != self.conditions.volumes;
        if are_other_volumes {
            self.volumes_at = now;
        }
        let only_volumes = before == Conditions { volumes: before.volumes, ..self.conditions.clone() };
        let is_another_network = before.network != self.conditions.network
            && matches!(self.conditions.network, Network::Up { .. });
        let rules = self.limits.rules;
        let changed = |job: &JobId, slot: &Slot| match *slot {
            Slot::Runnable(was) | Slot::Blocked(was) => {
                // It may be there now, and is looked for once more.
                let place = Place { lacks_volume: was.lacks_volume && !are_other_volumes, ..was };
                let held = rules.hold(was.needs(), &before);
                let is_other = place != was || held != rules.hold(place.needs(), &self.conditions);
                is_other.then_some((*job, Slot::Runnable(place)))
            }
            Slot::Waiting { until, retries: Retries::WithTheNetwork } if is_another_network => {
                let until = until.min(now + settling(*job));
                Some((*job, Slot::Waiting { until, retries: Retries::Early }))
            }
            Slot::Running { .. } | Slot::Waiting { .. } | Slot::Held => None,
        };
        let changed: Vec<_> = if only_volumes {
            let lacking = self.lacking.iter().filter_map(|job| self.slots.get_key_value(job));
            lacking.filter_map(|(job, slot)| changed(job, slot)).collect()
        } else {
            self.slots.iter().filter_map(|(job, slot)| changed(job, slot)).collect()
        };
        self.place_anew(changed)
    }

    /// Puts jobs that wait to where they wait now; nothing stays of what they have waited for. Says which
    /// they are.
    fn place_anew(&mut self, changed: Vec<(JobId, Slot)>) -> Vec<JobId> {
        for (job, slot) in &changed {
            self.set(*job, None);
            self.set(*job, Some(*slot));
        }
        changed.into_iter().map(|(job, _)| job).collect()
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
            Some(Slot::Runnable(place) | Slot::Blocked(place)) if self.volumes_at < since => {
                Some(Slot::Runnable(Place { lacks_volume: true, ..place }))
            }
            _ => None,
        }
    }

    /// Whether `job` waits for its volume.
    pub(super) fn lacks_volume(&self, job: JobId) -> bool {
        self.lacking.contains(&job)
    }

    /// Whether the retry of `job` is due before its time, as the network is another one.
    pub(super) fn is_early(&self, job: JobId) -> bool {
        matches!(self.get(job), Some(Slot::Waiting { retries: Retries::Early, .. }))
    }

    /// The next running job that the conditions have turned against, if any. One that runs without
    /// a network goes on if it would lose what has come: it fails by itself if the network stays away.
    pub(super) fn next_halt(&self) -> Option<JobId> {
        let jobs = self.running.iter().map(|(_, job)| *job);
        jobs.into_iter().find(|job| match self.get(*job) {
            Some(Slot::Running { place, keeps, .. }) => match self.hold_at(place) {
                Some(Hold::Network(_)) => keeps,
                hold => hold.is_some(),
            },
            _ => false,
        })
    }

    pub(super) fn get(&self, job: JobId) -> Option<Slot> {
        self.slots.get(&job).copied()
    }

    /// How `job` stands, before it is moved to `slot`.
    pub(super) fn before(&self, job: JobId, slot: Option<Slot>) -> Before {
        let was = self.get(job);
        let standing =
            |slot: Option<Slot>| slot.and_then(Slot::line).map(|line| self.rotation.standing(line));
        Before { slot: was, lines: [standing(was), standing(slot)] }
    }

    /// Puts `job` back to where it stood.
    pub(super) fn put_back(&mut self, job: JobId, before: Before) {
        // Taken out first, or it would keep what a slot keeps of the one before.
        self.set(job, None);
        // Whether the conditions still hold it back is seen anew.
        self.set(
            job,
            before.slot.map(|slot| match slot {
                Slot::Blocked(place) => Slot::Runnable(place),
                slot => slot,
            }),
        );
        for standing in before.lines.into_iter().flatten() {
            self.rotation.put_back(standing);
        }
    }

    /// Moves `job` to `slot`. A job that stays runnable at the same priority keeps its place, one
    /// that goes on running the time it has run, and one that is held stays so until it is taken out.
    pub(super) fn set(&mut self, job: JobId, slot: Option<Slot>) {
        let was = self.get(job);
        let slot = slot.map(|slot| match slot.after(was) {
            Slot::Runnable(place) if self.hold_at(place).is_some() => Slot::Blocked(place),
            slot => slot,
        });
        if slot == was {
            return;
        }
        match self.slots.remove(&job) {
            Some(Slot::Runnable(place)) => self.rotation.wait_no_more(place, job),
            Some(Slot::Waiting { until, .. }) => {
                self.waiting.remove(&(until, job));
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
            Some(Slot::Blocked(place)) if place.lacks_volume => {
                self.lacking.remove(&job);
            }
            Some(Slot::Held | Slot::Blocked(_)) | None => {}
        }
        let Some(slot) = slot else { return };
        self.slots.insert(job, slot);
        match slot {
            Slot::Runnable(place) => self.rotation.wait(place, job),
            Slot::Waiting { until, .. } => {
                self.waiting.insert((until, job));
            }
            Slot::Running { place, .. } => {
                self.running.insert((Class::of(place.line.priority), job));
                self.rotation.run(place);
                *self.running_at.entry(place.line.host).or_default() += 1;
            }
            Slot::Blocked(place) if place.lacks_volume => {
                self.lacking.insert(job);
            }
            Slot::Held | Slot::Blocked(_) => {}
        }
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

    /// From now on other limits; the jobs that wait for something else now. Looks at every active job
    /// where the rules are others.
    pub(super) fn set_limits(&mut self, limits: Limits) -> Vec<JobId> {
        let before = core::mem::replace(&mut self.limits, limits);
        let (was, is) = (before.rules, limits.rules);
        if was == is {
            return Vec::new();
        }
        let changed = self.slots.iter().filter_map(|(job, slot)| match *slot {
            Slot::Runnable(place) | Slot::Blocked(place) => {
                let held = |rules: Rules| rules.hold(place.needs(), &self.conditions);
                (held(was) != held(is)).then_some((*job, Slot::Runnable(place)))
            }
            Slot::Running { .. } | Slot::Waiting { .. } | Slot::Held => None,
        });
        let changed: Vec<_> = changed.collect();
        self.place_anew(changed)
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
        let given_up = Some(Slot::Runnable(Place { since: now, ..place }));
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
        let Some(Slot::Runnable(Place { line, .. })) = self.get(job) else { return None };
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
        let Some(Slot::Runnable(place)) = self.get(job) else { return 0 };
        self.rotation.ahead_of(place, job, most)
    }

    /// Looks at every active job.
    pub(super) fn turns(&self) -> [Turns; 4] {
        let mut turns = Priority::ALL.map(|priority| Turns { priority, running: 0, runnable: 0 });
        for slot in self.slots.values() {
            match slot {
                Slot::Runnable(place) => turns[place.line.priority as usize].runnable += 1,
                Slot::Running { place, .. } => turns[place.line.priority as usize].running += 1,
                Slot::Waiting { .. } | Slot::Held | Slot::Blocked(_) => {}
            }
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
