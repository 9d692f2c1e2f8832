//! The service itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a service says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct About {
    pub version: String,
    /// The version of these shapes: 1.
    pub api: u32,
    pub pid: u32,
    /// RFC 3339, UTC.
    pub started: String,
    /// The socket that answers.
    pub socket: String,
    pub state_folder: String,
    pub log: String,
    /// Where the key comes from that seals credentials.
    pub key_source: String,
    /// The key itself; absent in the answers of services before it could be missing.
    #[serde(default)]
    pub key: Option<Key>,
    /// The caller's jobs by state; states without any are absent.
    pub jobs: BTreeMap<String, u64>,
    /// What the service sees of the conditions under which jobs run; absent in the answers of services
    /// before it looked.
    #[serde(default)]
    pub conditions: Option<Conditions>,
    /// What the person should know about, such as a damaged queue that was set aside.
    pub notices: Vec<String>,
}

/// The conditions under which jobs run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conditions {
    /// `up`, or `no_link`, `no_address` or `no_route`. What cannot be seen counts as up.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::networks())))]
    pub network: String,
    /// The interface by which most of it is reached, where that is known.
    pub interface: Option<String>,
    /// `unrestricted`, `metered`, `below-cap`, `near-cap`, `over-cap-charged`, `over-cap-throttled`,
    /// `billed` or `roaming`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::network_costs())))]
    pub cost: String,
    /// `mains` or `battery`, where that is known.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::powers()))))]
    pub power: Option<String>,
    /// `present` or `away`, where jobs are to wait for their owner and it is known.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::attendances()))))]
    pub owner: Option<String>,
}

/// The key that seals credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Key {
    /// Its name, sixteen hexadecimal digits; null when it is missing and its name was never written
    /// down.
    pub id: Option<String>,
    /// `key_file` or `systemd_credential`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::key_sources())))]
    pub source: String,
    /// Whether it is there. Without it jobs with credentials wait, and none can be set.
    pub present: bool,
    /// Why it is not.
    pub problem: Option<String>,
}

/// The version of the shapes in this crate.
pub const API_VERSION: u32 = 1;
