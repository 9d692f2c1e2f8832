//! Which interface a connection goes by, whether its other end is on the same link, and what the
//! link is made of.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use bits_core::pacing::LinkKind;

use super::outcome;

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Not out of this machine.
    Loopback,
    /// To a neighbour, without a router in between.
    OnLink { interface: String },
    /// By a router.
    Routed { interface: String },
    /// By an interface that nobody knows.
    Unknown,
}

/// The addresses of this machine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces(Vec<Address>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    interface: String,
    address: IpAddr,
    mask: IpAddr,
}

impl Interfaces {
    /// Asks the system.
    ///
    /// # Errors
    /// When it does not say.
    pub fn now() -> io::Result<Self> {
        let entries = entries()?.into_iter();
        let addresses = entries.filter_map(|Entry { interface, address, .. }| {
            address.map(|(address, mask)| Address { interface, address, mask })
        });
        Ok(Self(addresses.collect()))
    }

    /// The way from `local`, an address of this machine, to `peer`.
    pub fn way(&self, local: IpAddr, peer: IpAddr) -> Way {
        let (local, peer) = (local.to_canonical(), peer.to_canonical());
        if peer.is_loopback() || local.is_loopback() || self.0.iter().any(|known| known.address == peer) {
            return Way::Loopback;
        }
        let Some(ours) = self.0.iter().find(|known| known.address == local) else { return Way::Unknown };
        let interface = ours.interface.clone();
        let of_interface = self.0.iter().filter(|known| known.interface == interface);
        if of_interface.clone().any(|known| known.is_neighbour(peer)) {
            Way::OnLink { interface }
        } else {
            Way::Routed { interface }
        }
    }
}

impl Address {
    fn is_neighbour(&self, peer: IpAddr) -> bool {
        match (self.address, self.mask, peer) {
            (IpAddr::V4(ours), IpAddr::V4(mask), IpAddr::V4(peer)) => ours & mask == peer & mask,
            (IpAddr::V6(ours), IpAddr::V6(mask), IpAddr::V6(peer)) => ours & mask == peer & mask,
            _ => false,
        }
    }
}

/// What the system lists: an address of an interface, or an interface itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) interface: String,
    /// `IFF_*` of the interface.
    pub(crate) flags: u32,
    /// An address of it, and which part of it the neighbours share.
    pub(crate) address: Option<(IpAddr, IpAddr)>,
}

/// All interfaces and their addresses.
///
/// # Errors
/// When the system does not say.
pub(crate) fn entries() -> io::Result<Vec<Entry>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the C library writes the head of a list that it allocates to `list`.
    outcome(unsafe { libc::getifaddrs(&raw mut list) })?;
    let mut entries = Vec::new();
    let mut next = list;
    // SAFETY: each entry of the list is valid until it is freed below, or null at its end.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: every entry has a name, which ends in a zero byte.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        entries.push(Entry {
            interface: name.to_string_lossy().into_owned(),
            flags: entry.ifa_flags,
            address: ip(entry.ifa_addr).zip(ip(entry.ifa_netmask)),
        });
    }
    // SAFETY: it is the list from above, freed once, and nothing of it is used any more.
    unsafe { libc::freeifaddrs(list) };
    Ok(entries)
}

/// What an interface is made of. What nobody knows is taken for a wire.
pub fn kind_of(interface: &str) -> LinkKind {
    kind_below(Path::new("/sys/class/net"), interface)
}

fn kind_below(folder: &Path, interface: &str) -> LinkKind {
    // A name comes from the kernel, but a path is made of it.
    if interface.is_empty() || interface.contains('/') || interface.starts_with('.') {
        return LinkKind::Wired;
    }
    let folder = folder.join(interface);
    let about = fs::read_to_string(folder.join("uevent")).unwrap_or_default();
    let is_air = about.lines().any(|line| matches!(line, "DEVTYPE=wlan" | "DEVTYPE=wwan"));
    if is_air || folder.join("wireless").exists() { LinkKind::Wireless } else { LinkKind::Wired }
}

/// The address of an entry of the list, if it is one of IP.
fn ip(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: it points to an address of the list, which has its family at least.
    let family = unsafe { (*address).sa_family };
    match libc::c_int::from(family) {
        libc::AF_INET => {
            // SAFETY: addresses of this family have this form; it may not be aligned for it.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: addresses of this family have this form; it may not be aligned for it.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(list: &[(&str, &str, &str)]) -> Interfaces {
        let parse = |text: &str| text.parse().unwrap();
        let address = |&(interface, address, mask): &(&str, &str, &str)| Address {
            interface: interface.to_owned(),
            address: parse(address),
            mask: parse(mask),
        };
        Interfaces(list.iter().map(address).collect())
    }

    #[test]
    fn a_way_is_told_by_the_addresses_of_both_ends() {
        let interfaces = known(&[
            ("lo", "127.0.0.1", "255.0.0.0"),
            ("eth0", "192.0.2.7", "255.255.255.0"),
            ("eth0", "2001:db8::7", "ffff:ffff:ffff:ffff::"),
            ("eth0", "fe80::7", "ffff:ffff:ffff:ffff::"),
            ("wlan0", "198.51.100.7", "255.255.0.0"),
            ("tun0", "10.8.0.2", "255.255.255.255"),
        ]);
        let routed = |interface: &str| Way::Routed { interface: interface.to_owned() };
        let on_link = |interface: &str| Way::OnLink { interface: interface.to_owned() };
        for (local, peer, expected) in [
            ("127.0.0.1", "127.0.0.1", Way::Loopback),
            ("::1", "::1", Way::Loopback),
            ("192.0.2.7", "192.0.2.7", Way::Loopback),
            ("192.0.2.7", "198.51.100.7", Way::Loopback),
            ("192.0.2.7", "192.0.2.200", on_link("eth0")),
            ("192.0.2.7", "203.0.113.1", routed("eth0")),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.200", on_link("eth0")),
            ("2001:db8::7", "2001:db8::1:2:3:4", on_link("eth0")),
            ("2001:db8::7", "2001:db8:1::1", routed("eth0")),
            ("2001:db8::7", "fe80::1", on_link("eth0")),
            ("198.51.100.7", "198.51.2.1", on_link("wlan0")),
            ("10.8.0.2", "203.0.113.1", routed("tun0")),
            ("203.0.113.9", "203.0.113.1", Way::Unknown),
        ] {
            let way = interfaces.way(local.parse().unwrap(), peer.parse().unwrap());
            assert_eq!(way, expected, "{local} to {peer}");
        }
    }

    #[test]
    fn this_machine_has_loopback() {
        let interfaces = Interfaces::now().unwrap();
        let loopback = interfaces.0.iter().find(|known| known.address == IpAddr::from(Ipv4Addr::LOCALHOST));
        assert_eq!(loopback.map(|known| known.mask), Some(IpAddr::from([255, 0, 0, 0])));
    }

    #[test]
    fn the_air_is_known_by_what_the_system_says_of_it() {
        let folder = tempfile::tempdir().unwrap();
        for (name, about, expected) in [
            ("eth0", "INTERFACE=eth0\nIFINDEX=2\n", LinkKind::Wired),
            ("wlan0", "DEVTYPE=wlan\nINTERFACE=wlan0\n", LinkKind::Wireless),
            ("wwan0", "DEVTYPE=wwan\n", LinkKind::Wireless),
            ("br0", "DEVTYPE=bridge\n", LinkKind::Wired),
        ] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("uevent"), about).unwrap();
            assert_eq!(kind_below(folder.path(), name), expected, "{name}");
        }
        fs::create_dir_all(folder.path().join("old0/wireless")).unwrap();
        assert_eq!(kind_below(folder.path(), "old0"), LinkKind::Wireless);
        for nothing in ["", "none0", "../wlan0", "."] {
            assert_eq!(kind_below(folder.path(), nothing), LinkKind::Wired, "{nothing}");
        }
    }
}
