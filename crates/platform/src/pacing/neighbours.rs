//! What this machine exchanges with hosts on its own links, by TCP: the system's list of sockets.
//!
//! Anyone may ask for it. It costs some microseconds for each socket of the machine, so it is asked
//! only when somebody wants to know.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use bits_core::units::Bytes;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use super::interfaces::{Interfaces, Way};
use super::tcp_info;

/// Sockets that are looked at. A machine with more is a server, whose links are not ours to judge.
const SOCKETS_MAX: usize = 4096;
/// Room for one part of the list; the system makes parts of up to half of it.
const PART_BYTES: usize = 64 * 1024;
/// Parts of one list, with room to spare: none has less than a few sockets.
const PARTS_MAX: usize = SOCKETS_MAX;

/// Of `linux/netlink.h`: the message's head, and its kinds.
const HEAD_BYTES: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST` and `NLM_F_DUMP`.
const REQUEST_ALL: u16 = 0x301;
/// Of `linux/sock_diag.h` and `linux/inet_diag.h`: `SOCK_DIAG_BY_FAMILY`, the attribute with the
/// structure `tcp_info`, and where in `inet_diag_msg` things are.
const BY_FAMILY: u16 = 20;
const INFO: u16 = 2;
const LOCAL_ADDRESS: usize = 8;
const PEER_ADDRESS: usize = 24;
const COOKIE: usize = 44;
const MESSAGE_BYTES: usize = 72;
/// The state `TCP_ESTABLISHED`, as a bit.
const ESTABLISHED: u32 = 1 << 1;

/// Counts what neighbours get and send, from when it was opened.
#[derive(Debug)]
pub struct Neighbours {
    socket: OwnedFd,
    interfaces: Interfaces,
    /// What each socket had carried when it was seen last.
    known: HashMap<u64, (Bytes, Bytes)>,
    totals: HashMap<String, (Bytes, Bytes)>,
    has_read: bool,
    part: Vec<u8>,
}

/// One socket of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Socket {
    cookie: u64,
    local: IpAddr,
    peer: IpAddr,
    received: Bytes,
    sent: Bytes,
}

impl Neighbours {
    /// # Errors
    /// When the system has no such list, or does not say which addresses are its own.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        Ok(Self {
            socket,
            interfaces: Interfaces::now()?,
            known: HashMap::new(),
            totals: HashMap::new(),
            has_read: false,
            part: vec![0; PART_BYTES],
        })
    }

    /// Looks at all sockets again.
    ///
    /// # Errors
    /// When the system does not answer as it should, or there are more sockets than are looked at.
    pub fn read(&mut self) -> io::Result<()> {
        let mut sockets = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            self.ask(u8::try_from(family).expect("a small number"), &mut sockets)?;
        }
        let mut known = HashMap::with_capacity(sockets.len());
        for socket in sockets {
            let Way::OnLink { interface } = self.interfaces.way(socket.local, socket.peer) else { continue };
            let now = (socket.received, socket.sent);
            // Of a new one all counts, but of those that were there before us nothing.
            let before = match self.known.get(&socket.cookie) {
                Some(before) => *before,
                None if self.has_read => (Bytes::ZERO, Bytes::ZERO),
                None => now,
            };
            let total = self.totals.entry(interface).or_default();
            total.0 = total.0.saturating_add(now.0.beyond(before.0));
            total.1 = total.1.saturating_add(now.1.beyond(before.1));
            known.insert(socket.cookie, now);
        }
        (self.known, self.has_read) = (known, true);
        Ok(())
    }

    /// What has come from neighbours by `interface` since the first reading, and gone to them.
    pub fn of(&self, interface: &str) -> (Bytes, Bytes) {
        self.totals.get(interface).copied().unwrap_or_default()
    }

    fn ask(&mut self, family: u8, sockets: &mut Vec<Socket>) -> io::Result<()> {
        rustix::net::send(&self.socket, &question(family), SendFlags::empty())?;
        for _ in 0..PARTS_MAX {
            // The system has its answer ready when it has taken the question.
            let (length, _) = rustix::net::recv(&self.socket, &mut self.part[..], RecvFlags::DONTWAIT)?;
            match parse(&self.part[..length], sockets) {
                Some(true) => return Ok(()),
                Some(false) if sockets.len() <= SOCKETS_MAX => {}
                Some(false) => return Err(io::Error::other("there are too many sockets")),
                None => return Err(io::Error::other("the system does not list its sockets")),
            }
        }
        Err(io::Error::other("the list of sockets has no end"))
    }
}

/// The request for all connections of a family with their measurements.
fn question(family: u8) -> Vec<u8> {
    /// Of `inet_diag_req_v2`: four bytes, the states, and a socket that is left open.
    const BODY_BYTES: usize = 56;
    let tcp = u8::try_from(libc::IPPROTO_TCP).expect("a small number");
    let mut question = Vec::with_capacity(HEAD_BYTES + BODY_BYTES);
    let length = u32::try_from(HEAD_BYTES + BODY_BYTES).expect("a small number");
    question.extend(length.to_ne_bytes());
    question.extend(BY_FAMILY.to_ne_bytes());
    question.extend(REQUEST_ALL.to_ne_bytes());
    question.extend([0; 8]);
    question.extend([family, tcp, 1 << (INFO - 1), 0]);
    question.extend(ESTABLISHED.to_ne_bytes());
    question.resize(HEAD_BYTES + BODY_BYTES, 0);
    question
}

/// Takes the sockets of one part; says whether it was the last. `None`: that is no list.
fn parse(mut part: &[u8], sockets: &mut Vec<Socket>) -> Option<bool> {
    while !part.is_empty() {
        let length = usize::try_from(four(part, 0)?).ok()?;
        let message = part.get(HEAD_BYTES..length)?;
        match u16::from_ne_bytes(part.get(4..6)?.try_into().ok()?) {
            DONE => return Some(true),
            ERROR => return None,
            _ => sockets.extend(socket(message)),
        }
        part = part.get(aligned(length)..).unwrap_or_default();
    }
    Some(false)
}

/// A socket, if the message is of one that has been measured.
fn socket(message: &[u8]) -> Option<Socket> {
    let mut attributes = message.get(MESSAGE_BYTES..)?;
    while !attributes.is_empty() {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..length)?;
        if kind == INFO {
            let info = tcp_info::parse(value)?;
            return Some(Socket {
                cookie: u64::from(four(message, COOKIE)?) << 32 | u64::from(four(message, COOKIE + 4)?),
                local: address(message, LOCAL_ADDRESS)?,
                peer: address(message, PEER_ADDRESS)?,
                received: info.received,
                sent: info.sent,
            });
        }
        attributes = attributes.get(aligned(length)..).unwrap_or_default();
    }
    None
}

fn address(message: &[u8], place: usize) -> Option<IpAddr> {
    let bytes = message.get(place..place + 16)?;
    if i32::from(message[0]) == libc::AF_INET {
        let four: [u8; 4] = bytes[..4].try_into().ok()?;
        Some(Ipv4Addr::from(four).into())
    } else {
        let sixteen: [u8; 16] = bytes.try_into().ok()?;
        Some(Ipv6Addr::from(sixteen).to_canonical())
    }
}

fn four(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(place..place + 4)?.try_into().ok()?))
}

/// Messages and attributes begin at multiples of four.
fn aligned(length: usize) -> usize {
    // What has no length would never end.
    length.max(4).next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_system_lists_a_connection_with_what_it_has_carried() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        theirs.write_all(&[7; 54_321]).unwrap();
        ours.read_exact(&mut [0; 54_321]).unwrap();
        let mut neighbours = Neighbours::open().unwrap();
        let mut sockets = Vec::new();
        neighbours.ask(2, &mut sockets).unwrap();
        let is_ours = |socket: &&Socket| socket.received == Bytes(54_321) && socket.local.is_loopback();
        let found = sockets.iter().find(is_ours).expect("it is listed");
        assert_eq!(found.peer, IpAddr::from(Ipv4Addr::LOCALHOST));
        assert_ne!(found.cookie, 0);
        // Nobody on loopback is a neighbour.
        neighbours.read().unwrap();
        assert_eq!(neighbours.of("lo"), (Bytes::ZERO, Bytes::ZERO));
    }

    #[test]
    fn a_list_that_is_cut_or_odd_anywhere_is_none_or_shorter_and_ends() {
        let mut neighbours = Neighbours::open().unwrap();
        rustix::net::send(&neighbours.socket, &question(2), SendFlags::empty()).unwrap();
        let (length, _) =
            rustix::net::recv(&neighbours.socket, &mut neighbours.part[..], RecvFlags::empty()).unwrap();
        let part = &neighbours.part[..length.min(2000)];
        for end in 0..part.len() {
            parse(&part[..end], &mut Vec::new());
            let mut odd = part.to_vec();
            odd[end] ^= 0xff;
            parse(&odd, &mut Vec::new());
            odd[end] = 0;
            parse(&odd, &mut Vec::new());
        }
        assert_eq!(parse(&[0; 100], &mut Vec::new()), None);
        assert_eq!(parse(&[], &mut Vec::new()), Some(false));
    }
}
