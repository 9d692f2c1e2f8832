//! The conversation with the KDCs for one context: each message of the library is carried to the KDCs
//! of the realm it names, and what they answer is judged before the library gets it.
//!
//! An answer that was kept is given in the place of a question. What an error means is decided in
//! `classify`, how a KDC is reached in `kdc`.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use sspi::ErrorKind;

use super::tickets::Exchange;
use super::{Client, Refusal, library_fault};
use crate::auth::classify::{FailureClass, Fault};
use crate::auth::krb_message::{self, Reply, RequestKind};
use crate::auth::krb5_conf::{KdcAddress, Krb5Conf, Transport};
use crate::auth::{dns, kdc};

/// Messages of one logon: two or three for the first ticket, then one for each realm on the way.
const MESSAGES_MAX: u8 = 16;
/// KDCs that are taken from one answer of the DNS.
const KDCS_MAX: usize = 16;

/// The conversation with the KDCs for one context.
pub(super) struct Talk<'a> {
    pub(super) client: &'a Client,
    conf: &'a Krb5Conf,
    name_servers: Option<&'a [SocketAddr]>,
    /// Answers from before, to be given instead of asking while they fit.
    kept: VecDeque<Exchange>,
    /// All that has been asked and answered.
    pub(super) carried: Vec<Exchange>,
    /// The KDCs of realms that krb5.conf does not name.
    found: Vec<(String, Vec<KdcAddress>)>,
    messages: u8,
    pub(super) skew_told: bool,
    /// Who answered last, and for which realm.
    last: Option<(KdcAddress, String)>,
    pub(super) notes: Vec<String>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        client: &'a Client,
        conf: &'a Krb5Conf,
        name_servers: Option<&'a [SocketAddr]>,
        kept: Vec<Exchange>,
    ) -> Self {
        Self {
            client,
            conf,
            name_servers,
            kept: kept.into(),
            carried: Vec::new(),
            found: Vec::new(),
            messages: 0,
            skew_told: false,
            last: None,
            notes: Vec::new(),
        }
    }

    /// Carries one message of the library, with its length in front, and brings the answer. An
    /// error that decides the matter does not get back to the library.
    pub(super) async fn carry(&mut self, framed: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.messages += 1;
        if self.messages > MESSAGES_MAX {
            return Err(Refusal::Fault(Fault::new(
                FailureClass::Config,
                format!("the KDCs of realm {} did not come to an end", self.client.realm),
            )));
        }
        let message = framed.get(4..).unwrap_or_default();
        let unreadable =
            || Fault::new(FailureClass::Config, "the Kerberos library made a request we cannot read");
        let (kind, realm) = krb_message::request(message).ok_or_else(unreadable)?;
        // The library has looked into [domain_realm] of the service's own krb5.conf, and makes every
        // realm upper-case. The realm is the caller's.
        let changed = match kind {
            RequestKind::Logon if realm != self.client.realm => {
                Some(krb_message::logon_for_realm(message, &self.client.realm).ok_or_else(unreadable)?)
            }
            RequestKind::Logon | RequestKind::Service => None,
        };
        let realm = if changed.is_some() { self.client.realm.clone() } else { realm };
        let message = changed.as_deref().unwrap_or(message);

        let reply = match self.kept.pop_front() {
            Some(kept) if kept.kind == kind && kept.realm == realm => kept.reply,
            _ => {
                self.kept.clear();
                self.ask(kind, &realm, message).await?
            }
        };
        self.carried.push(Exchange { kind, realm, reply: reply.clone() });
        let length = u32::try_from(reply.len()).expect("answers are limited");
        Ok([&length.to_be_bytes()[..], &reply].concat())
    }

    /// Asks the KDCs of `realm`, and brings what the library is to get.
    async fn ask(&mut self, kind: RequestKind, realm: &str, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let kdcs = self.kdcs(realm).await?;
        let answer =
            kdc::ask(&kdcs, self.conf.udp_preference_limit(), message).await.map_err(|unreachable| {
                Fault::new(
                    FailureClass::NoAuthority,
                    format!("no KDC of realm {realm} can be reached ({unreachable})"),
                )
            })?;
        self.last = Some((answer.kdc.clone(), realm.to_owned()));
        self.judge(kind, realm, answer)
    }

    /// The KDCs of `realm`: those in krb5.conf, else those the DNS knows.
    async fn kdcs(&mut self, realm: &str) -> Result<Vec<KdcAddress>, Fault> {
        let configured = self.conf.kdcs(realm);
        if !configured.is_empty() {
            return Ok(configured.to_vec());
        }
        if let Some((_, kdcs)) = self.found.iter().find(|(known, _)| known == realm) {
            return Ok(kdcs.clone());
        }
        if !self.conf.dns_lookup_kdc() {
            return Err(no_kdc(realm, self.conf, ""));
        }
        let servers = match self.name_servers {
            Some(servers) => servers.to_vec(),
            None => tokio::task::spawn_blocking(dns::system_servers)
                .await
                .expect("reading resolv.conf neither panics nor is cancelled"),
        };
        match kdcs_in_dns(&servers, realm).await {
            Ok(kdcs) if kdcs.is_empty() => Err(no_kdc(realm, self.conf, " or in the DNS")),
            Ok(kdcs) => {
                self.found.push((realm.to_owned(), kdcs.clone()));
                Ok(kdcs)
            }
            Err(_) => Err(no_kdc(realm, self.conf, ", and the DNS does not answer")),
        }
    }

    /// Lets an answer pass to the library, or refuses.
    fn judge(&mut self, kind: RequestKind, realm: &str, answer: kdc::Answer) -> Result<Vec<u8>, Refusal> {
        let kdc = answer.kdc;
        let error = match krb_message::reply(&answer.message) {
            // An account that needs to prove nothing. The library knows only those that have to, and
            // so it is made to prove all the same.
            Some(Reply::Ticket) if self.messages == 1 && kind == RequestKind::Logon => {
                return krb_message::demand_of_proof(&answer.message, realm).ok_or_else(|| {
                    Refusal::Fault(Fault::new(
                        FailureClass::NoAuthority,
                        format!("the KDC {kdc} of realm {realm} does not answer in Kerberos"),
                    ))
                });
            }
            Some(Reply::Ticket) => return Ok(answer.message),
            Some(Reply::Error(error)) => error,
            None => {
                return Err(Refusal::Fault(Fault::new(
                    FailureClass::NoAuthority,
                    format!("the KDC {kdc} of realm {realm} does not answer in Kerberos"),
                )));
            }
        };
        match (kind, error.number) {
            (RequestKind::Logon, krb_message::KDC_ERR_PREAUTH_REQUIRED) if self.messages == 1 => {
                Ok(answer.message)
            }
            // The library takes the KDC's time, once.
            (RequestKind::Logon, krb_message::KRB_AP_ERR_SKEW) if !self.skew_told => {
                self.skew_told = true;
                self.notes.push(correction(&kdc, realm, error.server_time, SystemTime::now()));
                Ok(answer.message)
            }
            _ => Err(Refusal::Kdc { kdc, realm: realm.to_owned(), error }),
        }
    }

    /// The library made nothing of what came.
    pub(super) fn not_understood(&self, error: &sspi::Error) -> Refusal {
        let fault = match &self.last {
            Some((kdc, realm)) if error.error_type == ErrorKind::NoAuthenticatingAuthority => Fault::new(
                FailureClass::NoKdcKnown,
                format!("the KDC {kdc} of realm {realm} refers to another realm, of which no KDC is known"),
            ),
            Some((kdc, realm)) => Fault::new(
                FailureClass::Config,
                format!(
                    "the answer of the KDC {kdc} of realm {realm} cannot be used ({:?})",
                    error.error_type
                ),
            ),
            None => library_fault(error, &self.client.realm),
        };
        Refusal::Fault(fault)
    }
}

/// The KDCs of `realm` that the DNS knows.
///
/// # Errors
/// It knows none, and did not answer one of the questions.
pub(in crate::auth) async fn kdcs_in_dns(
    servers: &[SocketAddr],
    realm: &str,
) -> Result<Vec<KdcAddress>, io::Error> {
    let mut outcome = Ok(Vec::new());
    for (service, transport) in [("_kerberos._tcp", Transport::Tcp), ("_kerberos._udp", Transport::Udp)] {
        match dns::places(servers, &format!("{service}.{realm}")).await {
            Ok(places) if places.is_empty() => {}
            Ok(places) => {
                let address =
                    |place: dns::Place| KdcAddress { host: place.host, port: place.port, transport };
                return Ok(places.into_iter().take(KDCS_MAX).map(address).collect());
            }
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

fn no_kdc(realm: &str, conf: &Krb5Conf, nor: &str) -> Fault {
    // Realms have names as hosts do. What Windows calls a domain in `DOMAIN\user` is often none.
    let (class, advice) = match realm.contains('.') {
        true => (FailureClass::NoKdcKnown, String::new()),
        false => (
            FailureClass::UnknownDomain,
            format!(" (if {realm} is the short name of a domain, give user@ and its long name)"),
        ),
    };
    Fault::new(class, format!("no KDC is configured for realm {realm} in {}{nor}{advice}", conf.sources()))
}

/// What is said about a clock that was corrected.
pub(super) fn correction(kdc: &KdcAddress, realm: &str, server_time: Option<u64>, now: SystemTime) -> String {
    let ours = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let difference = match server_time {
        Some(theirs) if ours > theirs => format!("{} ahead of", length(ours - theirs)),
        Some(theirs) => format!("{} behind", length(theirs - ours)),
        None => "too far from".to_owned(),
    };
    format!("this computer's clock is {difference} the KDC {kdc} of realm {realm}; the KDC's time was used")
}

/// A length of time for a sentence, to the second below an hour.
fn length(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
