//! What networks cost by the names of interfaces, as a setting says it:
//! `eth0=metered wlan*=unrestricted`.
//!
//! Whether there is an interface of such a name is not known here, and no mistake where there is none.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::NetworkCost;

/// Patterns a setting may have.
pub const PATTERNS_MAX: usize = 64;
/// Characters of an interface's name (`IFNAMSIZ`, without its NUL).
const NAME_BYTES_MAX: usize = 15;

/// What networks cost, by interface. The first pattern that fits says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InterfaceCosts(Vec<(String, NetworkCost)>);

/// What is wrong with such a text; each names the part that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceCostsError {
    NoPair(String),
    Name(String),
    Cost(String),
    Twice(String),
    TooMany,
}

impl fmt::Display for InterfaceCostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPair(part) => write!(f, "`{part}` is not INTERFACE=COST"),
            Self::Name(name) => write!(f, "`{name}` cannot be the name of an interface"),
            Self::Cost(cost) => write!(f, "`{cost}` is no cost"),
            Self::Twice(name) => write!(f, "`{name}` is named twice"),
            Self::TooMany => write!(f, "there are more than {PATTERNS_MAX} interfaces"),
        }
    }
}

impl core::error::Error for InterfaceCostsError {}

impl InterfaceCosts {
    /// # Errors
    /// [`InterfaceCostsError`].
    pub fn parse(text: &str) -> Result<Self, InterfaceCostsError> {
        let mut costs: Vec<(String, NetworkCost)> = Vec::new();
        for part in text.split_ascii_whitespace() {
            let Some((name, cost)) = part.split_once('=') else {
                return Err(InterfaceCostsError::NoPair(part.to_owned()));
            };
            // A `*` stands for the rest of the name, and a name has what the kernel lets it have.
            let stem = name.strip_suffix('*').unwrap_or(name);
            let fits = stem.len() <= NAME_BYTES_MAX
                && !name.is_empty()
                && stem != "."
                && stem != ".."
                && stem.bytes().all(|byte| byte.is_ascii_graphic() && !b"/:*=".contains(&byte));
            if !fits {
                return Err(InterfaceCostsError::Name(name.to_owned()));
            }
            let known = NetworkCost::named(cost).ok_or_else(|| InterfaceCostsError::Cost(cost.to_owned()))?;
            if costs.iter().any(|(earlier, _)| earlier == name) {
                return Err(InterfaceCostsError::Twice(name.to_owned()));
            }
            costs.push((name.to_owned(), known));
        }
        if costs.len() > PATTERNS_MAX { Err(InterfaceCostsError::TooMany) } else { Ok(Self(costs)) }
    }

    /// What the network behind `interface` costs, if anything is said of it.
    pub fn of(&self, interface: &str) -> Option<NetworkCost> {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(stem) => interface.starts_with(stem),
            None => interface == pattern,
        };
        self.0.iter().find(|(pattern, _)| fits(pattern)).map(|(_, cost)| *cost)
    }

    /// The patterns that fit none of `interfaces`.
    pub fn unmatched<'a>(&'a self, interfaces: &'a [String]) -> impl Iterator<Item = &'a str> {
        let names = self.0.iter().map(|(pattern, _)| pattern.as_str());
        names.filter(move |pattern| match pattern.strip_suffix('*') {
            Some(stem) => !interfaces.iter().any(|name| name.starts_with(stem)),
            None => !interfaces.iter().any(|name| name == pattern),
        })
    }
}
