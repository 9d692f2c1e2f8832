//! Asks the system's name servers where a service of a domain is (SRV records, RFC 2782), which the
//! C library cannot: KDCs of a realm that krb5.conf says nothing about.
//!
//! One question, one answer, nothing kept. An answer is not proved to be genuine, and need not be: a
//! KDC that does not hold the user's key cannot pretend to be one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const SYSTEM_FILE: &str = "/etc/resolv.conf";
/// Name servers that are asked; more are not used by the C library either.
const SERVERS_MAX: usize = 3;
const DNS_PORT: u16 = 53;
/// How long one name server has for an answer.
const SERVER_TIME: Duration = Duration::from_secs(2);
/// Bytes of a datagram, as we say in the question: what passes everywhere in one piece.
const DATAGRAM_BYTES_MAX: usize = 1232;
/// Records read of one answer.
const RECORDS_MAX: usize = 64;
/// How often a name may point to the rest of itself elsewhere.
const POINTERS_MAX: u8 = 16;
const NAME_BYTES_MAX: usize = 255;

const TYPE_SRV: u16 = 33;
const TYPE_OPT: u16 = 41;
const CLASS_INTERNET: u16 = 1;

/// A place where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    priority: u16,
    weight: u16,
    pub(super) port: u16,
    pub(super) host: String,
}

/// The name servers of /etc/resolv.conf, or this machine where it names none. Blocks on the disk.
pub(super) fn system_servers() -> Vec<SocketAddr> {
    servers(&std::fs::read_to_string(SYSTEM_FILE).unwrap_or_default())
}

fn servers(resolv_conf: &str) -> Vec<SocketAddr> {
    let named = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        // A zone behind a link-local address cannot be carried on.
        let address = (words.next()? == "nameserver").then(|| words.next())??;
        address.parse::<IpAddr>().ok()
    });
    let mut servers: Vec<_> = named.take(SERVERS_MAX).map(|address| (address, DNS_PORT).into()).collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
    }
    servers
}

/// Where the service `name` (such as `_kerberos._tcp.EXAMPLE.TEST`) is, in the order in which the
/// places are to be tried. Empty when the name does not exist.
///
/// # Errors
///
/// No name server gave an answer that can be used.
pub(super) async fn places(servers: &[SocketAddr], name: &str) -> io::Result<Vec<Place>> {
    let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, "there is no name server"));
    for &server in servers {
        outcome = ask(server, name).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome.map(in_order)
}

async fn ask(server: SocketAddr, name: &str) -> io::Result<Vec<Place>> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|_| io::Error::other("the system gives out no random numbers"))?;
    let id = u16::from_be_bytes(id);
    let question = question(id, name).ok_or(io::ErrorKind::InvalidInput)?;
    match timeout(SERVER_TIME, over_udp(server, id, &question)).await?? {
        Answer::Places(places) => Ok(places),
        Answer::Truncated => match timeout(SERVER_TIME, over_tcp(server, id, &question)).await?? {
            Answer::Places(places) => Ok(places),
            Answer::Truncated => Err(io::ErrorKind::InvalidData.into()),
        },
    }
}

async fn over_udp(server: SocketAddr, id: u16, question: &[u8]) -> io::Result<Answer> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // The port is the system's choice, so that an answer is hard to forge.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut datagram).await?;
        // Another's answer, or a forged one: the right one may still come.
        match answer(&datagram[..length], id, question) {
            Err(NotOurs) => {}
            Ok(outcome) => return outcome.ok_or_else(|| io::ErrorKind::InvalidData.into()),
        }
    }
}

async fn over_tcp(server: SocketAddr, id: u16, question: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).expect("a question is short");
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    answer(&message, id, question).ok().flatten().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The question as it is sent; nothing when `name` cannot be a domain name.
fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    /// A query, recursion desired; one question and one additional record.
    const HEADER: [u8; 10] = [0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1];
    let mut message = [&id.to_be_bytes(), &HEADER[..]].concat();
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend([TYPE_SRV, CLASS_INTERNET].iter().flat_map(|number| number.to_be_bytes()));
    if message.len() > NAME_BYTES_MAX + 16 {
        return None;
    }
    // EDNS (RFC 6891): how long an answer may be.
    message.push(0);
    message.extend([TYPE_OPT, DATAGRAM_BYTES_MAX as u16, 0, 0, 0].iter().flat_map(|n| n.to_be_bytes()));
    Some(message)
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Places(Vec<Place>),
    Truncated,
}

/// The message does not answer our question.
#[derive(Debug, PartialEq, Eq)]
struct NotOurs;

/// Reads the answer to `question`; nothing inside when it is one and cannot be used.
fn answer(message: &[u8], id: u16, question: &[u8]) -> Result<Option<Answer>, NotOurs> {
    let mut reader = Reader { message, at: 0 };
    let header = || -> Option<[u16; 6]> {
        let mut header = [0; 6];
        for number in &mut header {
            *number = reader.number()?;
        }
        Some(header)
    }();
    let [their_id, flags, questions, records, ..] = header.ok_or(NotOurs)?;
    const IS_ANSWER: u16 = 0x8000;
    const TRUNCATED: u16 = 0x0200;
    if their_id != id || flags & IS_ANSWER == 0 || questions != 1 {
        return Err(NotOurs);
    }
    // The question is repeated; only the case of its letters may differ.
    let ours = &question[12..question.len() - 11];
    let theirs = reader.bytes(ours.len()).ok_or(NotOurs)?;
    if !theirs.eq_ignore_ascii_case(ours) {
        return Err(NotOurs);
    }
    if flags & TRUNCATED != 0 {
        return Ok(Some(Answer::Truncated));
    }
    Ok(match flags & 0xF {
        0 => reader.places(records).map(Answer::Places),
        // The name does not exist.
        3 => Some(Answer::Places(Vec::new())),
        _ => None,
    })
}

/// A place in a message.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let bytes = self.message.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u16> {
        self.bytes(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn places(&mut self, records: u16) -> Option<Vec<Place>> {
        let mut places = Vec::new();
        for _ in 0..usize::from(records).min(RECORDS_MAX) {
            self.name()?;
            let (kind, class) = (self.number()?, self.number()?);
            // Time to live.
            self.bytes(4)?;
            let length = usize::from(self.number()?);
            let end = self.at + length;
            if kind == TYPE_SRV && class == CLASS_INTERNET {
                let (priority, weight, port) = (self.number()?, self.number()?, self.number()?);
                let host = self.name()?;
                // The root says that there is no such service.
                if !host.is_empty() {
                    places.push(Place { priority, weight, port, host });
                }
            } else {
                self.bytes(length)?;
            }
            if self.at != end {
                return None;
            }
        }
        Some(places)
    }

    /// A name, which may go on elsewhere in the message.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut back = None;
        let mut pointers = 0;
        loop {
            match self.bytes(1)?[0] {
                0 => break,
                length @ 1..=63 => {
                    let label = self.bytes(usize::from(length))?;
                    if !label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.') {
                        return None;
                    }
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(str::from_utf8(label).ok()?);
                    if name.len() > NAME_BYTES_MAX {
                        return None;
                    }
                }
                high @ 192.. => {
                    let place = usize::from(high & 0x3F) << 8 | usize::from(self.bytes(1)?[0]);
                    back.get_or_insert(self.at);
                    self.at = place;
                    pointers += 1;
                    if pointers > POINTERS_MAX {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        self.at = back.unwrap_or(self.at);
        Some(name)
    }
}

/// The order in which to try: by priority, and of equal ones by chance, the heavier more likely
/// first (RFC 2782).
fn in_order(mut places: Vec<Place>) -> Vec<Place> {
    let mut seed = [0; 4];
    // Without chance the order is only less fair.
    let _ = getrandom::fill(&mut seed);
    let mut chance = u32::from_le_bytes(seed);
    let mut ordered = Vec::with_capacity(places.len());
    while let Some(first) = places.iter().map(|place| place.priority).min() {
        let candidates: Vec<_> = (0..places.len()).filter(|&at| places[at].priority == first).collect();
        // One is added, so that those without weight get their turn as well.
        let weight = |at: usize| u32::from(places[at].weight) + 1;
        let total: u32 = candidates.iter().map(|&at| weight(at)).sum();
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut drawn = (chance >> 8) % total;
        let chosen = candidates.into_iter().find(|&at| {
            let found = drawn < weight(at);
            drawn = drawn.saturating_sub(weight(at));
            found
        });
        ordered.push(places.remove(chosen.expect("what is drawn is below the sum of the weights")));
    }
    ordered
}

/// Reads `message` as the answer to a fixed question.
#[cfg(any(test, fuzzing))]
pub(super) fn read_any_answer(message: &[u8]) {
    let id = message.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
    let question = question(id, "_kerberos._tcp.EXAMPLE.TEST").expect("the name is a name");
    if let Ok(Some(Answer::Places(places))) = answer(message, id, &question) {
        in_order(places);
    }
}

#[cfg(test)]
pub(super) mod tests;
