//! Under which conditions a job may transfer: network, cost, power, whether its owner is there, and
//! whether the volume is that its files go to.
//!
//! What the conditions are, the floors above see and say ([`Conditions`]); what jobs of each priority
//! are held to, the settings say ([`Rules`]); here it is decided whether a job is held back, and by what
//! ([`Rules::hold`]). Nothing here looks at anything itself, and nothing asks again and again: whoever
//! sees a change says so.

mod cost;
mod interfaces;
#[cfg(test)]
mod tests;

use alloc::string::String;

use crate::error::Code;
use crate::job::Priority;

pub use cost::{CostFlags, CostFlagsError, NetworkCost, States, TransferPolicy};
pub use interfaces::{InterfaceCosts, InterfaceCostsError, PATTERNS_MAX};

/// All that jobs may have to wait for, as it is just now. What is not known holds nobody back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    pub network: Network,
    pub cost: NetworkCost,
    pub power: Power,
    pub owner: Attendance,
    /// Another number when volumes were mounted or taken away; none where nobody tells.
    pub volumes: Option<u64>,
}

/// What there is of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// Other machines can be reached, or nobody knows whether they can.
    Up {
        /// The interface by which most are reached, where that is known.
        interface: Option<String>,
        /// Another number when addresses or routes are others: what could not be reached before may be
        /// reached now.
        attachment: u64,
    },
    Down(Missing),
}

impl Default for Network {
    fn default() -> Self {
        Self::Up { interface: None, attachment: 0 }
    }
}

/// What a network would need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No interface is up and has a carrier.
    Link,
    /// None of those that are has an address.
    Address,
    /// There are addresses, and no way from them to anywhere.
    Route,
}

impl Missing {
    /// What is missing, for a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Address => "address",
            Self::Route => "route",
        }
    }
}

/// What the machine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Power {
    #[default]
    Unknown,
    Mains,
    Battery,
}

/// Whether the owner of the jobs is logged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attendance {
    #[default]
    Unknown,
    Present,
    Away,
}

/// What jobs do on battery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBattery {
    #[default]
    Run,
    /// Those somebody waits for go on, the others wait.
    ForegroundOnly,
    Wait,
}

impl OnBattery {
    pub const ALL: [Self; 3] = [Self::Run, Self::ForegroundOnly, Self::Wait];

    /// The word of the setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::ForegroundOnly => "foreground-only",
            Self::Wait => "wait",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

/// What jobs do while their owner is logged off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnerAway {
    #[default]
    Run,
    /// As in BITS (`bits.md` §4).
    Wait,
}

/// What jobs are held to that say nothing themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether jobs wait for a network; else they try, and fail.
    pub wait_for_network: bool,
    /// By priority (`bits.md` §10.2, default cost policies).
    pub transfer_policies: [TransferPolicy; Priority::ALL.len()],
    pub on_battery: OnBattery,
    pub owner_away: OwnerAway,
    /// Whether the proxies that the settings name are on this machine.
    pub by_local_proxy: bool,
}

impl Default for Rules {
    fn default() -> Self {
        use TransferPolicy::{Always, Unrestricted};
        Self {
            wait_for_network: true,
            transfer_policies: [Always, Unrestricted, Unrestricted, Unrestricted],
            on_battery: OnBattery::default(),
            owner_away: OwnerAway::default(),
            by_local_proxy: false,
        }
    }
}

/// By what way the requests of a job go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Way {
    /// By a network.
    #[default]
    Network,
    /// By a proxy on this machine, which is there whatever network there is; what it needs itself is its
    /// own affair.
    LocalProxy,
    /// As the settings have it.
    OfSettings,
}

/// What a job needs, as far as conditions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    pub priority: Priority,
    /// Whether it needs no network: its files are on this machine.
    pub is_local: bool,
    pub way: Way,
    /// The states of a network's cost in which it may transfer, if it says so itself.
    pub cost: Option<States>,
    /// Whether its volume was not there, with the volumes as they still are.
    pub lacks_volume: bool,
}

/// Why a job is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// There is no network.
    Network(Missing),
    /// The network costs what the job may not spend.
    Cost {
        is: NetworkCost,
        /// What asks for another one.
        allowed: CostFlags,
        /// Whether the job says so itself, not the settings for its priority.
        is_own: bool,
    },
    /// The machine runs on its battery.
    Power,
    /// The owner is logged off.
    OwnerAway,
    /// The volume that its files go to is not mounted.
    Volume,
}

impl Hold {
    /// The code that BITS shows for it (`bits.md` §3.2).
    pub fn code(self) -> Code {
        match self {
            Self::Network(_) => Code::NETWORK_DISCONNECTED,
            Self::Cost { .. } => Code::BLOCKED_BY_COST_TRANSFER_POLICY,
            Self::Power => Code::BLOCKED_BY_BATTERY_POLICY,
            Self::OwnerAway => Code::NOT_LOGGED_ON,
            Self::Volume => Code::DESTINATION_LOCKED,
        }
    }
}

impl Rules {
    /// What holds back a job with such `needs`, if anything; the first thing that would have to change.
    pub fn hold(&self, needs: Needs, conditions: &Conditions) -> Option<Hold> {
        let Conditions { network, cost, power, owner, volumes: _ } = conditions;
        let goes_by_network = match needs.way {
            Way::Network => !needs.is_local,
            Way::LocalProxy => false,
            Way::OfSettings => !needs.is_local && !self.by_local_proxy,
        };
        if let Network::Down(missing) = network
            && self.wait_for_network
            && goes_by_network
        {
            return Some(Hold::Network(*missing));
        }
        let by_priority = self.transfer_policies[needs.priority as usize];
        let states = needs.cost.unwrap_or_else(|| by_priority.flags().states());
        if !needs.is_local && !cost.is_among(states) {
            let allowed = needs.cost.map_or_else(|| by_priority.flags(), CostFlags::from);
            return Some(Hold::Cost { is: *cost, allowed, is_own: needs.cost.is_some() });
        }
        let waits_on_battery = match self.on_battery {
            OnBattery::Run => false,
            OnBattery::ForegroundOnly => needs.priority != Priority::Foreground,
            OnBattery::Wait => true,
        };
        if waits_on_battery && *power == Power::Battery {
            return Some(Hold::Power);
        }
        if self.owner_away == OwnerAway::Wait && *owner == Attendance::Away {
            return Some(Hold::OwnerAway);
        }
        needs.lacks_volume.then_some(Hold::Volume)
    }
}
