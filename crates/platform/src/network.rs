//! Whether there is a network, and when it is another one.
//!
//! The kernel tells of changes by `rtnetlink`, and is then asked for a way to the rest of the world as
//! it would be for a connection. Nothing is sent, and nobody looks but after a change. Which hosts can
//! be reached is not known here: a network that leads nowhere is one.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use bits_core::conditions::{Missing, Network};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

use crate::pacing::{Entry, entries};

/// Of `linux/rtnetlink.h`, the groups that tell of links, addresses, routes and rules.
const LINK: u32 = 0x1;
const IPV4_ADDRESS: u32 = 0x10;
const IPV4_ROUTE: u32 = 0x40;
const IPV4_RULE: u32 = 0x80;
const IPV6_ADDRESS: u32 = 0x100;
const IPV6_ROUTE: u32 = 0x400;
const IPV6_RULE: u32 = 1 << 18;
/// The kinds of messages about routes.
const NEW_ROUTE: u16 = 24;
const DELETED_ROUTE: u16 = 25;
/// Of `linux/netlink.h`: the message's head.
const HEAD_BYTES: usize = 16;
/// A route to so large a part of the world may be the way to the rest of it; VPNs have two, of one bit
/// each.
const DEFAULT_ROUTE_BITS: u8 = 1;
/// Room for one message of the kernel's.
const MESSAGE_BYTES: usize = 32 * 1024;

/// Addresses that are out there for sure: those of the root name server A. Nothing is sent to them; the
/// kernel is asked which way it would be.
const FAR_AWAY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
];

/// Hears of changes.
#[derive(Debug)]
pub struct NetworkWatch(OwnedFd);

impl NetworkWatch {
    /// # Errors
    /// When the system has no `rtnetlink`, or forbids it.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        let groups = LINK | IPV4_ADDRESS | IPV4_ROUTE | IPV4_RULE | IPV6_ADDRESS | IPV6_ROUTE | IPV6_RULE;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        Ok(Self(socket))
    }

    /// Takes what has been told since; whether it is worth looking again.
    ///
    /// # Errors
    /// When nothing will be told any more.
    pub fn take(&self) -> io::Result<bool> {
        let mut message = vec![0; MESSAGE_BYTES];
        let mut is_worth_it = false;
        loop {
            match rustix::net::recv(&self.0, &mut message[..], RecvFlags::TRUNC) {
                Ok((length, _)) => is_worth_it |= matters(&message[..length]),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(is_worth_it),
                // There was more than the kernel could keep: anything may have changed.
                Err(rustix::io::Errno::NOBUFS) => is_worth_it = true,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsRawFd for NetworkWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for NetworkWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether what the kernel tells can change what is seen: of routes only those that lead far.
fn matters(mut told: &[u8]) -> bool {
    while !told.is_empty() {
        let head = told.get(..4).map(|bytes| u32::from_ne_bytes(bytes.try_into().expect("four bytes")));
        let kind = told.get(4..6).map(|bytes| u16::from_ne_bytes(bytes.try_into().expect("two bytes")));
        let Some((length, kind)) = head.and_then(|head| usize::try_from(head).ok()).zip(kind) else {
            return true;
        };
        let is_far = told.get(HEAD_BYTES + 1).is_none_or(|bits| *bits <= DEFAULT_ROUTE_BITS);
        if !matches!(kind, NEW_ROUTE | DELETED_ROUTE) || is_far {
            return true;
        }
        // What has no length would never end.
        told = told.get(length.max(HEAD_BYTES).next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// The network as it is now.
///
/// # Errors
/// When the system does not say.
pub fn look() -> io::Result<Network> {
    Ok(seen(&entries()?, &FAR_AWAY.map(source_towards)))
}

/// The names of all interfaces.
///
/// # Errors
/// When the system does not say.
pub fn interfaces() -> io::Result<Vec<String>> {
    let names: BTreeSet<String> = entries()?.into_iter().map(|entry| entry.interface).collect();
    Ok(names.into_iter().collect())
}

/// The address from which `peer` would be spoken to, if there is a way to it.
fn source_towards(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // A datagram socket that connects sends nothing. The port is that of names.
    socket.connect(SocketAddr::new(peer, 53)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// What these interfaces are, when the world is spoken to from `sources`.
fn seen(entries: &[Entry], sources: &[Option<IpAddr>; 2]) -> Network {
    let has = |entry: &Entry, flag: libc::c_int| entry.flags & flag.cast_unsigned() != 0;
    let is_up = |entry: &&Entry| {
        has(entry, libc::IFF_UP) && has(entry, libc::IFF_RUNNING) && !has(entry, libc::IFF_LOOPBACK)
    };
    let addresses: Vec<(&str, IpAddr, IpAddr)> = entries
        .iter()
        .filter(is_up)
        .filter_map(|entry| entry.address.map(|(address, mask)| (entry.interface.as_str(), address, mask)))
        .filter(|(_, address, _)| !is_of_the_link(*address))
        .collect();
    let ways = sources.iter().flatten();
    let way = ways.filter(|source| !source.is_loopback()).find_map(|source| {
        addresses.iter().find(|(_, address, _)| address == source).map(|(interface, ..)| *interface)
    });
    // Without a way to the world there may be neighbours, and nobody knows whom a job wants.
    let beside = addresses.iter().find(|(_, _, mask)| !is_of_one(*mask)).map(|(interface, ..)| *interface);
    match way.or(beside) {
        Some(interface) => {
            let mut hasher = DefaultHasher::new();
            (&addresses, sources).hash(&mut hasher);
            Network::Up { interface: Some(interface.to_owned()), attachment: hasher.finish() }
        }
        None if !addresses.is_empty() => Network::Down(Missing::Route),
        None if entries.iter().any(|entry| is_up(&entry)) => Network::Down(Missing::Address),
        None => Network::Down(Missing::Link),
    }
}

/// Whether an address is one that every interface gives itself.
fn is_of_the_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether there are no neighbours behind an address.
fn is_of_one(mask: IpAddr) -> bool {
    match mask {
        IpAddr::V4(mask) => mask == Ipv4Addr::BROADCAST,
        IpAddr::V6(mask) => mask.to_bits() == u128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `eth0+ 192.0.2.7/255.255.255.0`: an interface, whether it is up (`+`), up without a carrier (`~`)
    /// or down (`-`), and an address, if any.
    fn entry(text: &str) -> Entry {
        let (name, address) = text.split_once(' ').unwrap_or((text, ""));
        let (name, state) = name.split_at(name.len() - 1);
        let flags = match state {
            "+" => libc::IFF_UP | libc::IFF_RUNNING,
            "~" => libc::IFF_UP,
            _ => 0,
        };
        let loopback = if name == "lo" { libc::IFF_LOOPBACK } else { 0 };
        let address = address
            .split_once('/')
            .map(|(address, mask)| (address.parse().expect("an address"), mask.parse().expect("a mask")));
        Entry { interface: name.to_owned(), flags: (flags | loopback).cast_unsigned(), address }
    }

    fn shown(network: &Network) -> String {
        match network {
            Network::Up { interface, .. } => format!("up by {}", interface.as_deref().unwrap_or("?")),
            Network::Down(missing) => format!("no {}", missing.name()),
        }
    }

    #[test]
    fn what_there_is_of_a_network_is_told_by_links_addresses_and_ways() {
        let (lan, lan6) = ("192.0.2.7/255.255.255.0", "2001:db8::7/ffff:ffff:ffff:ffff::");
        let eth0 = format!("eth0+ {lan}");
        let eth06 = format!("eth0+ {lan6}");
        let cut = format!("eth0~ {lan}");
        let docker = "docker0+ 172.17.0.1/255.255.0.0".to_owned();
        let link6 = "eth0+ fe80::7/ffff:ffff:ffff:ffff::".to_owned();
        let auto = "eth0+ 169.254.1.2/255.255.0.0".to_owned();
        let tunnel = "tun0+ 10.8.0.2/255.255.255.255".to_owned();
        let lo = "lo+ 127.0.0.1/255.0.0.0".to_owned();
        let up = "eth0+".to_owned();
        for (entries, sources, expected) in [
            (vec![&lo], ["", ""], "no link"),
            (vec![&lo, &cut], ["", ""], "no link"),
            (vec![&lo, &up], ["", ""], "no address"),
            (vec![&lo, &up, &link6, &auto], ["", ""], "no address"),
            (vec![&lo, &tunnel], ["", ""], "no route"),
            (vec![&lo, &tunnel], ["10.8.0.2", ""], "up by tun0"),
            (vec![&lo, &eth0], ["192.0.2.7", ""], "up by eth0"),
            (vec![&lo, &docker, &eth0], ["192.0.2.7", ""], "up by eth0"),
            (vec![&lo, &docker, &eth06], ["", "2001:db8::7"], "up by eth0"),
            (vec![&lo, &eth0, &eth06, &tunnel], ["10.8.0.2", "2001:db8::7"], "up by tun0"),
            // Neighbours are all that there is, and may be all that is wanted.
            (vec![&lo, &eth0], ["", ""], "up by eth0"),
            // A way that leads back is none.
            (vec![&lo], ["127.0.0.1", ""], "no link"),
        ] {
            let list: Vec<Entry> = entries.iter().map(|text| entry(text)).collect();
            let sources = sources.map(|text| (!text.is_empty()).then(|| text.parse().expect("an address")));
            assert_eq!(shown(&seen(&list, &sources)), expected, "{entries:?} {sources:?}");
        }
    }

    #[test]
    fn another_address_or_another_way_is_another_network_and_a_container_s_link_is_not() {
        let ours = entry("eth0+ 192.0.2.7/255.255.255.0");
        let way = [Some("192.0.2.7".parse().expect("an address")), None];
        let first = seen(std::slice::from_ref(&ours), &way);
        assert_eq!(first, seen(&[ours.clone(), entry("veth1+ fe80::9/ffff:ffff:ffff:ffff::")], &way));
        assert_ne!(first, seen(&[ours.clone(), entry("eth0+ 192.0.2.8/255.255.255.0")], &way));
        assert_ne!(first, seen(std::slice::from_ref(&ours), &[None, None]));
    }

    #[test]
    fn of_routes_only_those_that_lead_far_are_worth_a_look() {
        let message = |kind: u16, bits: u8| {
            let mut message = vec![0; 28];
            message[..4].copy_from_slice(&28_u32.to_ne_bytes());
            message[4..6].copy_from_slice(&kind.to_ne_bytes());
            message[HEAD_BYTES + 1] = bits;
            message
        };
        for (told, expected) in [
            (vec![], false),
            (message(NEW_ROUTE, 24), false),
            (message(NEW_ROUTE, 0), true),
            (message(DELETED_ROUTE, 1), true),
            (message(16, 24), true),
            ([message(NEW_ROUTE, 24), message(DELETED_ROUTE, 0)].concat(), true),
            ([message(NEW_ROUTE, 24), message(NEW_ROUTE, 64)].concat(), false),
            // What makes no sense is worth a look, and ends.
            (vec![1, 2, 3], true),
            (vec![0; 18], true),
        ] {
            assert_eq!(matters(&told), expected, "{told:?}");
        }
    }

    #[test]
    fn this_machine_can_be_looked_at_and_listened_to() {
        look().expect("it says");
        assert!(interfaces().expect("it says").iter().any(|name| name == "lo"));
        let watch = NetworkWatch::open().expect("it tells");
        watch.take().expect("nothing, or what has changed just now");
    }
}
