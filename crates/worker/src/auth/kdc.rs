//! Carries messages to the KDCs of a realm (RFC 4120 §7.2): over TCP with a length of four bytes in
//! front, over UDP as they are.
//!
//! TCP comes first unless krb5.conf sets `udp_preference_limit`, since the tickets of a directory do
//! not fit a datagram and a lost one costs seconds. Whichever comes first, the other is tried after
//! it. Of what the messages mean two things are read here: that an answer was too long for a
//! datagram, and that a KDC has no time and another is to be asked.

mod inquiry;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::krb_message;
use super::krb5_conf::{KdcAddress, Transport};

pub use inquiry::{KdcStanding, RealmStanding, inquire};

/// How long one address of a KDC has for a whole exchange (`credentials.md` §2.14).
const KDC_TIME: Duration = Duration::from_secs(5);
/// How long all KDCs of a realm have for one message, so that a long list of dead ones has an end.
const REALM_TIME: Duration = Duration::from_secs(45);
/// When a datagram is sent again that was not answered; within [`KDC_TIME`] that is four times.
const DATAGRAM_TIME: Duration = Duration::from_millis(1_250);
/// Addresses of one KDC that are tried. A name with more is a load balancer's.
const ADDRESSES_MAX: usize = 4;
/// Bytes an answer may have. Tickets with group data have up to 48 000; this leaves room.
const REPLY_BYTES_MAX: u32 = 256 * 1024;
/// Bytes a datagram may have.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

/// No KDC could be asked: each that was tried, and why it could not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreachable(Vec<(String, String)>);

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tried: Vec<_> = self.0.iter().map(|(kdc, why)| format!("{kdc}: {why}")).collect();
        f.write_str(&tried.join("; "))
    }
}

/// A KDC's answer, without its length.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) message: Vec<u8>,
    pub(super) kdc: KdcAddress,
}

/// Sends `message` (without its length) to one after the other of `kdcs`, until one answers. One
/// that says it cannot serve now counts only if no other answers. Messages of up to
/// `udp_preference_limit` bytes go as datagrams first.
pub(super) async fn ask(
    kdcs: &[KdcAddress],
    udp_preference_limit: Option<usize>,
    message: &[u8],
) -> Result<Answer, Unreachable> {
    let deadline = Instant::now() + REALM_TIME;
    let datagram_first = udp_preference_limit.is_some_and(|limit| message.len() <= limit);
    let mut tried = Vec::new();
    let mut unavailable = None;
    for kdc in kdcs {
        match timeout_at(deadline, ask_one(kdc, datagram_first, message)).await {
            Ok(Ok(message)) => {
                let answer = Answer { message, kdc: kdc.clone() };
                if error_number(&answer.message) != Some(krb_message::KDC_ERR_SVC_UNAVAILABLE) {
                    return Ok(answer);
                }
                unavailable.get_or_insert(answer);
            }
            Ok(Err(error)) => tried.push((kdc.to_string(), words(&error))),
            Err(_) => {
                tried.push((kdc.to_string(), "no time was left to ask it".to_owned()));
                break;
            }
        }
    }
    unavailable.ok_or(Unreachable(tried))
}

async fn ask_one(kdc: &KdcAddress, datagram_first: bool, message: &[u8]) -> io::Result<Vec<u8>> {
    let addresses = timeout(KDC_TIME, tokio::net::lookup_host((kdc.host.as_str(), kdc.port))).await??;
    let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for address in addresses.take(ADDRESSES_MAX) {
        outcome = match kdc.transport {
            Transport::Tcp => over_tcp(address, message).await,
            Transport::Udp => over_udp(address, message).await,
            Transport::Any if datagram_first => match over_udp(address, message).await {
                Ok(answer) if error_number(&answer) != Some(krb_message::KRB_ERR_RESPONSE_TOO_BIG) => {
                    Ok(answer)
                }
                Ok(_) | Err(_) => over_tcp(address, message).await,
            },
            Transport::Any => match over_tcp(address, message).await {
                // Nobody listens there; a KDC of the old kind may take datagrams.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    over_udp(address, message).await.map_err(|_| error)
                }
                outcome => outcome,
            },
        };
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn over_tcp(address: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    timeout(KDC_TIME, exchange(address, message)).await?
}

async fn exchange(address: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(message.len()).expect("a Kerberos request is far below 4 GiB");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;

    let length = stream.read_u32().await?;
    if length > REPLY_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long for a KDC's"));
    }
    let mut reply = vec![0; length as usize];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

async fn over_udp(address: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // From now on only this KDC is heard.
    socket.connect(address).await?;
    let deadline = Instant::now() + KDC_TIME;
    let mut reply = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        socket.send(message).await?;
        let again = Instant::now() + DATAGRAM_TIME;
        match timeout_at(again.min(deadline), socket.recv(&mut reply)).await {
            Ok(length) => {
                reply.truncate(length?);
                return Ok(reply);
            }
            Err(elapsed) if Instant::now() >= deadline => return Err(elapsed.into()),
            Err(_) => {}
        }
    }
}

/// The number of the error that `message` is, if it is one.
fn error_number(message: &[u8]) -> Option<u32> {
    krb_message::error(message).map(|error| error.number)
}

/// Why a KDC could not be asked, in a few words.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => format!("no answer within {} s", KDC_TIME.as_secs()),
        io::ErrorKind::UnexpectedEof => "closed the connection without an answer".to_owned(),
        // The kind has the words without the number.
        kind if error.raw_os_error().is_some() => kind.to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::krb_message::tests::krb_error;
    use tokio::net::TcpListener;

    fn local(port: u16) -> KdcAddress {
        KdcAddress { host: "127.0.0.1".to_owned(), port, transport: Transport::Any }
    }

    /// A KDC that answers datagrams with these, one after the other, and nothing where there is none;
    /// and TCP with `over_tcp`.
    async fn datagrams(replies: Vec<Option<Vec<u8>>>, over_tcp: Option<&'static [u8]>) -> KdcAddress {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            for reply in replies {
                let mut message = [0; 64];
                let (length, from) = socket.recv_from(&mut message).await.unwrap();
                assert_eq!(message[..length], *b"question");
                if let Some(reply) = reply {
                    socket.send_to(&reply, from).await.unwrap();
                }
            }
            // Kept open, so that nobody is told that the port is closed.
            std::future::pending::<()>().await;
            drop(socket);
        });
        if let Some(reply) = over_tcp {
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut message = vec![0; stream.read_u32().await.unwrap() as usize];
                    stream.read_exact(&mut message).await.unwrap();
                    stream.write_all(&u32::try_from(reply.len()).unwrap().to_be_bytes()).await.unwrap();
                    stream.write_all(reply).await.unwrap();
                }
            });
        }
        local(address.port())
    }

    /// A listener that answers one message with `reply`, or closes when there is none.
    async fn answering(reply: Option<Vec<u8>>) -> KdcAddress {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u32().await.unwrap();
            let mut message = vec![0; length as usize];
            stream.read_exact(&mut message).await.unwrap();
            if let Some(reply) = reply {
                stream.write_all(&reply).await.unwrap();
            }
        });
        local(port)
    }

    /// An address where nobody listens.
    async fn refusing() -> KdcAddress {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        local(listener.local_addr().unwrap().port())
    }

    #[tokio::test]
    async fn the_next_kdc_is_asked_when_one_does_not_answer() {
        let kdcs = [refusing().await, answering(None).await, answering(Some(b"\0\0\0\x02ok".to_vec())).await];
        let answer = ask(&kdcs, None, b"question").await.unwrap();
        assert_eq!((answer.message.as_slice(), answer.kdc), (&b"ok"[..], kdcs[2].clone()));
    }

    #[tokio::test]
    async fn each_kdc_that_does_not_answer_is_named_with_its_reason() {
        let kdcs = [refusing().await, answering(None).await, answering(Some(vec![0xFF; 8])).await];
        let unreachable = ask(&kdcs, None, b"question").await.unwrap_err().to_string();
        for (kdc, why) in kdcs.iter().zip(["refused", "closed the connection", "too long"]) {
            assert!(unreachable.contains(&kdc.to_string()), "{unreachable}");
            assert!(unreachable.contains(why), "{unreachable}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_kdc_is_given_up_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kdc = local(listener.local_addr().unwrap().port());
        let unreachable = ask(&[kdc], None, b"question").await.unwrap_err().to_string();
        assert!(unreachable.contains("no answer within 5 s"), "{unreachable}");
    }

    #[tokio::test]
    async fn datagrams_are_used_where_they_are_wished_for_and_fit() {
        let (wished, long) = (Some(100), Some(3));
        for (limit, transport, replies, expected) in [
            (None, Transport::Any, vec![], &b"stream"[..]),
            (wished, Transport::Any, vec![Some(b"datagram".to_vec())], b"datagram"),
            (long, Transport::Any, vec![], b"stream"),
            (wished, Transport::Tcp, vec![], b"stream"),
            (None, Transport::Udp, vec![Some(b"datagram".to_vec())], b"datagram"),
            // KRB_ERR_RESPONSE_TOO_BIG
            (wished, Transport::Any, vec![Some(krb_error(52, None))], b"stream"),
        ] {
            let mut kdc = datagrams(replies, Some(b"stream")).await;
            kdc.transport = transport;
            let answer = ask(&[kdc], limit, b"question").await.unwrap();
            assert_eq!(answer.message, expected, "{limit:?} {transport:?}");
        }
    }

    #[tokio::test]
    async fn a_kdc_that_takes_only_datagrams_is_found() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let kdc = local(socket.local_addr().unwrap().port());
        tokio::spawn(async move {
            let mut message = [0; 64];
            let (_, from) = socket.recv_from(&mut message).await.unwrap();
            socket.send_to(b"datagram", from).await.unwrap();
        });
        assert_eq!(ask(&[kdc], None, b"question").await.unwrap().message, b"datagram");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_datagram_is_sent_again() {
        let kdc = datagrams(vec![None, None, Some(b"third".to_vec())], None).await;
        assert_eq!(ask(&[kdc], Some(100), b"question").await.unwrap().message, b"third");
    }

    #[tokio::test]
    async fn a_kdc_that_cannot_serve_now_is_asked_only_if_no_other_can() {
        let framed =
            |message: Vec<u8>| [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
        let busy = || answering(Some(framed(krb_error(29, None))));
        let kdcs = [busy().await, refusing().await, answering(Some(framed(b"ok".to_vec()))).await];
        assert_eq!(ask(&kdcs, None, b"question").await.unwrap().message, b"ok");
        let kdcs = [busy().await, refusing().await];
        let answer = ask(&kdcs, None, b"question").await.unwrap();
        assert_eq!((answer.message, answer.kdc), (krb_error(29, None), kdcs[0].clone()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_list_of_silent_kdcs_has_an_end() {
        let mut kdcs = Vec::new();
        let mut open = Vec::new();
        for _ in 0..16 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            kdcs.push(local(listener.local_addr().unwrap().port()));
            open.push(listener);
        }
        let unreachable = ask(&kdcs, None, b"question").await.unwrap_err().to_string();
        assert!(unreachable.contains("no time was left"), "{unreachable}");
    }
}
