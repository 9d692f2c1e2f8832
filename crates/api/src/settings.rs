//! The settings in force, and where each came from.

use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SettingList {
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setting {
    pub key: String,
    /// The value in force, as text.
    pub value: String,
    /// Where it came from: `built in`, a file and the line in it, an environment variable, or the command
    /// line.
    pub origin: String,
    pub meaning: String,
    /// What it overruled, the last first.
    pub overruled: Vec<Overruled>,
}

/// A value that another one replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Overruled {
    pub value: String,
    pub origin: String,
}

/// What came of reading the settings again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reloaded {
    /// Keys that have another value now, which holds.
    pub changed: Vec<String>,
    /// Keys that have another value, which holds when the service is started again.
    pub need_restart: Vec<String>,
}
