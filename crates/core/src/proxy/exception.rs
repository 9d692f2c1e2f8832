//! Hosts that need no proxy: the bypass list of BITS (`bits.md` §6.7), and the `no_proxy` of the
//! environment, which reads as curl reads it.
//!
//! A host is compared as it stands in the URL: no name is looked up to learn its address.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::net::IpAddr;

/// Some hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exception {
    All,
    /// Names without a dot in them.
    Local,
    Address(IpAddr),
    /// Addresses whose first so many bits are the same.
    Network(IpAddr, u32),
    Host(String),
    /// What ends in this, which begins with a dot.
    Below(String),
    /// A host, and what is below it.
    HostAndBelow(String),
}

impl Exception {
    /// Reads an item of a bypass list.
    ///
    /// # Errors
    /// A sentence fragment that says what is wrong, to be put after the text.
    pub(super) fn in_bypass_list(text: &str) -> Result<Self, &'static str> {
        if text.eq_ignore_ascii_case("<local>") {
            return Ok(Self::Local);
        }
        if text == "*" {
            return Ok(Self::All);
        }
        if let Some(address) = address(text) {
            return Ok(Self::Address(address));
        }
        let (name, is_below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        if name.contains('*') {
            return Err("has a `*` that is not its whole first label");
        }
        if !is_name(name) {
            return Err("is no name of a host");
        }
        let name = normal(name);
        Ok(if is_below { Self::Below([".", &name].concat()) } else { Self::Host(name) })
    }

    /// Reads an item of `no_proxy`; none when it means nothing.
    pub(super) fn in_variable(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some(address) = address(text) {
            return Some(Self::Address(address));
        }
        if let Some((network, bits)) = text.split_once('/') {
            let network = address(network)?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(network))?;
            return Some(Self::Network(network, bits));
        }
        let name = text.strip_prefix('*').unwrap_or(text);
        let name = name.strip_prefix('.').unwrap_or(name);
        is_name(name).then(|| Self::HostAndBelow(normal(name)))
    }

    /// Whether `host`, as a URL has it, is one of them.
    pub(super) fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        match self {
            Self::All => true,
            Self::Local => !host.contains('.') && address(host).is_none(),
            Self::Address(known) => address(host) == Some(*known),
            Self::Network(network, bits) => {
                address(host).is_some_and(|address| is_within(address, *network, *bits))
            }
            Self::Host(name) => host.eq_ignore_ascii_case(name),
            Self::Below(end) => ends_in(host, end),
            Self::HostAndBelow(name) => {
                host.eq_ignore_ascii_case(name)
                    || (ends_in(host, name) && host[..host.len() - name.len()].ends_with('.'))
            }
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.unwrap_or(text).parse().ok()
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

/// What a host may be called, as far as it can be told from something else that was meant.
fn is_name(text: &str) -> bool {
    let is_good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && !text.starts_with('.') && text.chars().all(is_good)
}

fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_owned().to_ascii_lowercase()
}

fn ends_in(host: &str, end: &str) -> bool {
    host.len() > end.len()
        && host.is_char_boundary(host.len() - end.len())
        && host[host.len() - end.len()..].eq_ignore_ascii_case(end)
}
