//! Whether the KDCs of the own realm answer, and what time it is there: for a person who looks for
//! what is wrong. No secret is used, and no ticket comes of it.
//!
//! A KDC is asked for the first ticket of a user there is not. It answers with an error, in which is
//! its clock.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::ask;
use crate::auth::der;
use crate::auth::kerberos::kdcs_in_dns;
use crate::auth::krb_message::{self, Reply};
use crate::auth::krb5_conf::{KdcAddress, Krb5Conf, Transport};
use crate::auth::{KerberosEnvironment, dns};

/// What was found out about a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmStanding {
    /// The default realm; without one there is nothing to ask.
    pub realm: Option<String>,
    /// The files it is from, for a sentence.
    pub sources: String,
    /// Its KDCs, each with what came of asking it.
    pub kdcs: Vec<KdcStanding>,
}

/// What came of asking one KDC in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KdcStanding {
    /// Host and port.
    pub kdc: String,
    /// `TCP` or `UDP`.
    pub transport: &'static str,
    /// How many seconds its clock is ahead of ours, where it said; or why it does not answer.
    pub answer: Result<Option<i64>, String>,
}

/// KDCs that are asked; a realm with more has some to spare.
const KDCS_MAX: usize = 4;
/// The user that is asked for. A KDC writes the question into its log, and here who asked.
const NOBODY: &str = "openbits-doctor";

/// Asks the KDCs of the default realm, over TCP and over UDP, all at once; each has five seconds.
pub async fn inquire(environment: &KerberosEnvironment) -> RealmStanding {
    let files = environment.krb5_files.clone();
    let read = tokio::task::spawn_blocking(move || (Krb5Conf::load(&files), dns::system_servers()));
    let (conf, servers) = read.await.expect("reading files neither panics nor is cancelled");
    of_realm(&conf, &servers).await
}

async fn of_realm(conf: &Krb5Conf, servers: &[SocketAddr]) -> RealmStanding {
    let sources = conf.sources();
    let Some(realm) = conf.default_realm().map(str::to_owned) else {
        return RealmStanding { realm: None, sources, kdcs: Vec::new() };
    };
    let mut kdcs = conf.kdcs(&realm).to_vec();
    if kdcs.is_empty() && conf.dns_lookup_kdc() {
        kdcs = kdcs_in_dns(servers, &realm).await.unwrap_or_default();
    }
    let message = first_question(&realm);
    let questions = kdcs.into_iter().take(KDCS_MAX).flat_map(|kdc| {
        [(Transport::Tcp, "TCP"), (Transport::Udp, "UDP")].map(|(transport, name)| {
            let kdc = KdcAddress { transport, ..kdc.clone() };
            let message = message.clone();
            tokio::spawn(async move { ask_one_way(kdc, name, &message).await })
        })
    });
    let mut standings = Vec::new();
    for question in questions.collect::<Vec<_>>() {
        standings.push(question.await.expect("asking neither panics nor is cancelled"));
    }
    RealmStanding { realm: Some(realm), sources, kdcs: standings }
}

async fn ask_one_way(kdc: KdcAddress, transport: &'static str, message: &[u8]) -> KdcStanding {
    // Up to any length as a datagram: the address says which way.
    let answer = match ask(std::slice::from_ref(&kdc), None, message).await {
        Err(unreachable) => {
            Err(unreachable.0.into_iter().next().map_or_else(|| "no answer".to_owned(), |(_, why)| why))
        }
        Ok(answer) => match krb_message::reply(&answer.message) {
            Some(Reply::Error(error)) => Ok(error.server_time.map(ahead_of_us)),
            Some(Reply::Ticket) => Ok(None),
            None => Err("what answers is no KDC".to_owned()),
        },
    };
    KdcStanding { kdc: kdc.to_string(), transport, answer }
}

fn ahead_of_us(server_time: u64) -> i64 {
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(server_time).unwrap_or(i64::MAX).saturating_sub_unsigned(ours)
}

/// A request for the first ticket of nobody (RFC 4120 §5.4.1).
fn first_question(realm: &str) -> Vec<u8> {
    let field = |number, tag, contents: &[u8]| der::wrap(der::field(number), &der::wrap(tag, contents));
    let text = |text: &str| der::wrap(der::GENERAL_STRING, text.as_bytes());
    let name = |kind: u8, names: Vec<u8>| {
        [field(0, der::INTEGER, &[kind]), field(1, der::SEQUENCE, &names)].concat()
    };
    // aes256-cts-hmac-sha1-96, aes128-cts-hmac-sha1-96, rc4-hmac.
    let ciphers = [18, 17, 23].map(|cipher| der::wrap(der::INTEGER, &[cipher])).concat();
    let body = [
        field(0, BIT_STRING, &[0; 5]),
        field(1, der::SEQUENCE, &name(1, text(NOBODY))),
        field(2, der::GENERAL_STRING, realm.as_bytes()),
        field(3, der::SEQUENCE, &name(2, [text("krbtgt"), text(realm)].concat())),
        field(5, der::GENERALIZED_TIME, b"20370913024805Z"),
        field(7, der::INTEGER, &[1]),
        field(8, der::SEQUENCE, &ciphers),
    ];
    let request = [
        field(1, der::INTEGER, &[5]),
        field(2, der::INTEGER, &[10]),
        field(4, der::SEQUENCE, &body.concat()),
    ];
    der::wrap(der::application(10), &der::wrap(der::SEQUENCE, &request.concat()))
}

const BIT_STRING: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::krb_message::{RequestKind, demand_of_proof};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[test]
    fn the_question_is_a_request_for_a_first_ticket_of_the_realm() {
        let question = first_question("EXAMPLE.TEST");
        let read = krb_message::request(&question);
        assert_eq!(read, Some((RequestKind::Logon, "EXAMPLE.TEST".to_owned())));
    }

    fn conf(text: &str) -> Krb5Conf {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("krb5.conf");
        std::fs::write(&path, text).expect("written");
        Krb5Conf::load(&[path])
    }

    #[tokio::test]
    async fn a_kdc_that_answers_is_told_apart_from_one_that_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let length = stream.read_u32().await.expect("a length");
            let mut message = vec![0; length as usize];
            stream.read_exact(&mut message).await.expect("a message");
            assert!(krb_message::request(&message).is_some());
            let ticket = der::wrap(der::application(11), &der::wrap(der::SEQUENCE, &[]));
            let error = demand_of_proof(&ticket, "X.TEST").expect("an error");
            let length = u32::try_from(error.len()).expect("short").to_be_bytes();
            stream.write_all(&[&length[..], &error].concat()).await.expect("sent");
        });
        let conf = conf(&format!(
            "[libdefaults]\ndefault_realm = X.TEST\n[realms]\nX.TEST = {{\nkdc = 127.0.0.1:{port}\n}}\n"
        ));
        let standing = of_realm(&conf, &[]).await;
        assert_eq!(standing.realm.as_deref(), Some("X.TEST"));
        let [tcp, udp] = &standing.kdcs[..] else { panic!("{standing:?}") };
        assert_eq!((tcp.transport, udp.transport), ("TCP", "UDP"));
        // The clock in that error is of 1970.
        assert!(tcp.answer.as_ref().is_ok_and(|ahead| ahead.is_some_and(|ahead| ahead < -1_700_000_000)));
        assert!(udp.answer.is_err(), "nobody takes datagrams there");
    }

    #[tokio::test]
    async fn without_a_realm_nobody_is_asked() {
        let standing = of_realm(&conf("[libdefaults]\n"), &[]).await;
        assert_eq!((standing.realm, standing.kdcs), (None, Vec::new()));
    }
}
