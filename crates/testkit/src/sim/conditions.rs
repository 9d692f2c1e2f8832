//! The conditions of a simulated world, which come and go: its network, what that costs, its power, and
//! whether the owner is there; and what the service makes of them, held against what it was told.
//!
//! What a job may do under which conditions is written down here once more, in another way than the queue
//! has it.

use bits_core::conditions::{
    Attendance, Conditions, Hold, Missing, Network, NetworkCost, OnBattery, OwnerAway, Power, Rules,
    TransferPolicy,
};
use bits_core::job::{Attempt, Job, JobId, Priority, State};
use bits_core::queue::{JobView, WaitReason};

use super::judge::Promise;
use super::scenario::{Millis, SECOND};
use super::shared::Shared;

/// After what goes wrong with the store jobs may run for so long against the conditions.
const HALT_WITHIN: Millis = 3 * SECOND;

/// How one of the conditions becomes another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// There is no network, and nobody is reached.
    Network(Missing),
    Cost(NetworkCost),
    Battery,
    OwnerAway,
}

/// As they are, and as the service was told.
#[derive(Debug, Default)]
pub(super) struct Outside {
    rules: Rules,
    pub(super) are: Conditions,
    /// What this service has taken in.
    told: Conditions,
    told_at: Millis,
    /// Counts networks.
    attachment: u64,
    /// Attempts that were told to stop.
    stopped: Vec<(JobId, Attempt, Millis)>,
}

impl Outside {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    pub(super) fn becomes(&mut self, change: Change) {
        match change {
            Change::Network(missing) => self.are.network = Network::Down(missing),
            Change::Cost(cost) => self.are.cost = cost,
            Change::Battery => self.are.power = Power::Battery,
            Change::OwnerAway => self.are.owner = Attendance::Away,
        }
    }

    /// What `change` has brought is over.
    pub(super) fn is_over(&mut self, change: Change) {
        match change {
            Change::Network(_) => {
                self.attachment += 1;
                self.are.network = Network::Up { interface: None, attachment: self.attachment };
            }
            Change::Cost(_) => self.are.cost = NetworkCost::Unrestricted,
            Change::Battery => self.are.power = Power::Mains,
            Change::OwnerAway => self.are.owner = Attendance::Present,
        }
    }

    /// The service takes in what it is told.
    pub(super) fn is_told(&mut self, conditions: &Conditions, at: Millis) {
        self.told.clone_from(conditions);
        self.told_at = at;
    }

    /// Another service knows nothing.
    pub(super) fn is_forgotten(&mut self, at: Millis) {
        self.is_told(&Conditions::default(), at);
        self.stopped.clear();
    }

    /// What holds back `job`, if anything: the first thing that would have to change.
    fn held(&self, job: &Job) -> Option<Held> {
        let Conditions { network, cost, power, owner, volumes: _ } = &self.told;
        let priority = job.properties.priority;
        let may_spend = match job.properties.transfer.cost_flags {
            Some(own) => own.bits() & (1 << *cost as u32) != 0,
            None => may_spend(self.rules.transfer_policies[priority as usize], *cost),
        };
        let runs_on_battery = match self.rules.on_battery {
            OnBattery::Run => true,
            OnBattery::ForegroundOnly => priority == Priority::Foreground,
            OnBattery::Wait => false,
        };
        [
            (self.rules.wait_for_network && matches!(network, Network::Down(_)), Held::Network),
            (!may_spend, Held::Cost),
            (!runs_on_battery && *power == Power::Battery, Held::Power),
            (self.rules.owner_away == OwnerAway::Wait && *owner == Attendance::Away, Held::OwnerAway),
        ]
        .into_iter()
        .find_map(|(is, held)| is.then_some(held))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Network,
    Cost,
    Power,
    OwnerAway,
}

impl Held {
    fn of(hold: Hold) -> Self {
        match hold {
            Hold::Network(_) => Self::Network,
            Hold::Cost { .. } => Self::Cost,
            Hold::Power => Self::Power,
            Hold::OwnerAway => Self::OwnerAway,
            Hold::Volume => unreachable!("nobody tells of volumes here"),
        }
    }
}

fn may_spend(policy: TransferPolicy, cost: NetworkCost) -> bool {
    use NetworkCost::{NearCap, OverCapCharged, OverCapThrottled, Roaming, Unrestricted};
    match policy {
        TransferPolicy::Always => true,
        TransferPolicy::NotRoaming => cost != Roaming,
        TransferPolicy::NoSurcharge => !matches!(cost, Roaming | OverCapCharged),
        TransferPolicy::Standard => !matches!(cost, Roaming | OverCapCharged | NearCap),
        TransferPolicy::Unrestricted => matches!(cost, Unrestricted | OverCapThrottled),
    }
}

impl Shared {
    /// An attempt of `job` is about to begin.
    pub(super) fn look_at_begin(&mut self, job: JobId) {
        let held = self.rows.lasting.peek(job).and_then(|job| self.outside.held(job));
        if let Some(held) = held {
            let told = self.outside.told.clone();
            self.broken(Promise::Conditions, || format!("{job} begins, and is held by {held:?}: {told:?}"));
        }
    }

    /// An attempt is told to stop.
    pub(super) fn stops(&mut self, job: JobId, attempt: Attempt) {
        let now = self.now;
        let stopped = &mut self.outside.stopped;
        stopped.retain(|(of, ..)| *of != job);
        stopped.push((job, attempt, now));
    }

    /// An attempt asks a server for something.
    pub(super) fn look_at_request(&mut self, job: JobId, attempt: Attempt) {
        let now = self.now;
        let is_it =
            |(of, stopped, at): &(JobId, Attempt, Millis)| *of == job && *stopped == attempt && *at < now;
        if self.outside.stopped.iter().any(is_it) {
            self.broken(Promise::Conditions, || format!("{attempt:?} of {job} goes on after it was stopped"));
        }
    }

    /// A job is shown.
    pub(super) fn look_at_wait(&mut self, view: &JobView) {
        if view.job.state != State::Queued {
            return;
        }
        let is = self.outside.held(&view.job);
        let said = match view.wait {
            Some(WaitReason::Conditions(hold)) => Some(Held::of(hold)),
            // That comes first.
            Some(WaitReason::Credential(_)) => return,
            _ => None,
        };
        if is != said {
            let (id, wait, told) = (view.job.id, view.wait, self.outside.told.clone());
            self.broken(Promise::Conditions, || {
                format!("{id} says that it waits for {wait:?}, under {told:?}")
            });
        }
    }

    /// A turn is over. Who runs may run, but that what comes without a network may come to its end, and
    /// that nothing is stopped while nothing can be written.
    pub(super) fn look_at_who_runs(&mut self) {
        let since = self.outside.told_at.max(self.rows.failed_at);
        let can_be_written = !self.rows.is_full && !self.rows.is_slow;
        let is_told = self.outside.told != Conditions::default();
        if !is_told || !can_be_written || self.now < since + HALT_WITHIN {
            return;
        }
        let runs = |job: &&Job| job.state.is_running();
        let mut held = self.rows.lasting.each().filter(runs).map(|job| (job.id, self.outside.held(job)));
        let against = held.find(|(_, held)| held.is_some_and(|held| held != Held::Network));
        drop(held);
        if let Some((job, held)) = against {
            let told = self.outside.told.clone();
            self.broken(Promise::Conditions, || format!("{job} runs on, and is held by {held:?}: {told:?}"));
        }
    }
}
