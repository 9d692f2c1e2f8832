//! Carries messages to the KDCs of a realm over TCP: a length of four bytes, the message, and the
//! same back (RFC 4120 §7.2.2).
//!
//! What the messages mean is read elsewhere. There is no UDP: a ticket of a directory does not fit
//! a datagram.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::krb5_conf::KdcAddress;

/// How long one address of a KDC has for a whole exchange (`credentials.md` §2.14).
const KDC_TIME: Duration = Duration::from_secs(5);
/// Addresses of one KDC that are tried. A name with more is a load balancer's.
const ADDRESSES_MAX: usize = 4;
/// Bytes an answer may have. Tickets with group data have up to 48 000; this leaves room.
const REPLY_BYTES_MAX: u32 = 256 * 1024;

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

/// Sends `message` (without its length) to one after the other of `kdcs`, until one answers.
pub(super) async fn ask(kdcs: &[KdcAddress], message: &[u8]) -> Result<Answer, Unreachable> {
    let mut tried = Vec::new();
    for kdc in kdcs {
        match ask_one(kdc, message).await {
            Ok(message) => return Ok(Answer { message, kdc: kdc.clone() }),
            Err(error) => tried.push((kdc.to_string(), words(&error))),
        }
    }
    Err(Unreachable(tried))
}

async fn ask_one(kdc: &KdcAddress, message: &[u8]) -> io::Result<Vec<u8>> {
    let addresses = timeout(KDC_TIME, tokio::net::lookup_host((kdc.host.as_str(), kdc.port))).await??;
    let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for address in addresses.take(ADDRESSES_MAX) {
        outcome = match timeout(KDC_TIME, exchange(address, message)).await {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(elapsed.into()),
        };
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn exchange(address: std::net::SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
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
    use tokio::net::TcpListener;

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
        KdcAddress { host: "127.0.0.1".to_owned(), port }
    }

    /// An address where nobody listens.
    async fn refusing() -> KdcAddress {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        KdcAddress { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() }
    }

    #[tokio::test]
    async fn the_next_kdc_is_asked_when_one_does_not_answer() {
        let kdcs = [refusing().await, answering(None).await, answering(Some(b"\0\0\0\x02ok".to_vec())).await];
        let answer = ask(&kdcs, b"question").await.unwrap();
        assert_eq!((answer.message.as_slice(), answer.kdc), (&b"ok"[..], kdcs[2].clone()));
    }

    #[tokio::test]
    async fn each_kdc_that_does_not_answer_is_named_with_its_reason() {
        let kdcs = [refusing().await, answering(None).await, answering(Some(vec![0xFF; 8])).await];
        let unreachable = ask(&kdcs, b"question").await.unwrap_err().to_string();
        for (kdc, why) in kdcs.iter().zip(["refused", "closed the connection", "too long"]) {
            assert!(unreachable.contains(&kdc.to_string()), "{unreachable}");
            assert!(unreachable.contains(why), "{unreachable}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_kdc_is_given_up_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kdc = KdcAddress { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let unreachable = ask(&[kdc], b"question").await.unwrap_err().to_string();
        assert!(unreachable.contains("no answer within 5 s"), "{unreachable}");
    }
}
