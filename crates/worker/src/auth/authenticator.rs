//! The state of one attempt: what has been asked, what was proved, what came of it
//! (`credentials.md` §2.13).
//!
//! Which method comes next, what a failure means and how a proof is made are decided elsewhere in
//! this room; here they are put in order.

use std::fmt;
use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bits_core::credentials::{AuthScheme, AuthTarget, Credential};
use zeroize::Zeroizing;

use self::token::{token_header, token_of};
use super::binding::ChannelBinding;
use super::challenge::{self, Challenge};
use super::classify::{AuthFailure, FailureClass, Fault};
use super::digest::{DigestChallenge, DigestSession, WrongProof};
use super::gss::TicketCache;
use super::kerberos::TicketSource;
use super::mechanism::{Aim, Incoming, Library, Mechanism, Mechanisms, PeerProof};
use super::select::{self, Circumstances, Method};
use super::{Answer, Authorization, KerberosEnvironment, Origin, Policy, SendAgain, ServiceName, basic};

mod ending;
mod token;

/// Messages of one exchange that we send. NTLM needs two, Kerberos one.
const LEGS_MAX: u8 = 5;
/// How often in a row a server may call its own nonce stale.
const STALE_MAX: u8 = 3;
/// Exchanges that may break off with their connection before the path counts as unfit.
const RESTARTS_MAX: u8 = 1;
/// Refusals in a row, however they come about. All schemes one after the other take about ten.
const REFUSALS_MAX: u8 = 16;
/// Characters of a server's realm that are repeated to a person.
const REALM_SHOWN_MAX: usize = 100;

/// All that is known about proving oneself to one origin during one attempt.
///
/// A connection that stands is told of by [`connected`](Self::connected), with the certificate of
/// https. For each request: [`prepare`](Self::prepare) does what takes time,
/// [`authorization`](Self::authorization) gives the header, and the answer goes to
/// [`challenged`](Self::challenged) or [`accepted`](Self::accepted). A connection that ends goes to
/// [`connection_lost`](Self::connection_lost), also when the answer has announced its end. The body
/// of a refusal is read to its end first, as the next message may have to go over the same
/// connection; where it need not, and KDCs were asked meanwhile, a fresh connection is safer than
/// one that has been idle for seconds.
pub struct Authenticator {
    target: AuthTarget,
    origin: Origin,
    credentials: Vec<Credential>,
    policy: Policy,
    mechanisms: Box<dyn Mechanisms>,
    service: Option<ServiceName>,
    binding: Option<ChannelBinding>,
    kerberos: KerberosHere,
    stage: Stage,
    /// The target of the last request, if it carried a proof.
    proved_for: Option<String>,
    /// What could not be used in this attempt, and why.
    failed: Vec<(Method, FailureClass)>,
    /// The first of these reasons that says something about how things are set up.
    reason: Option<Fault>,
    refused_proof: bool,
    restarts: u8,
    refusals: u8,
    /// Whether a ticket that had been kept was refused, and a fresh one is the last try.
    tried_afresh: bool,
    offered: Vec<AuthScheme>,
    realm: Option<String>,
    notes: Vec<String>,
}

/// What is known of the other side and Kerberos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KerberosHere {
    Unknown,
    /// It has accepted a ticket, for the rest of the connection as far as is known.
    Accepted,
    /// It wants a ticket with every request.
    EachRequest,
}

/// How far it has come.
#[derive(Default)]
enum Stage {
    /// Nothing is known, or nothing is to be proved.
    #[default]
    Idle,
    Basic {
        header: Zeroizing<String>,
        /// The request target it was accepted for.
        accepted_for: Option<String>,
    },
    Digest {
        session: Box<DigestSession>,
        stale_in_a_row: u8,
    },
    /// Tokens go to and fro on one connection.
    Exchange(Exchange),
    /// The connection itself is authenticated.
    Connection,
    /// It has failed for good.
    Over(AuthFailure),
}

struct Exchange {
    method: Method,
    mechanism: Box<dyn Mechanism>,
    /// The next header, until it is sent: a token goes out once.
    pending: Option<Zeroizing<String>>,
    legs: u8,
    /// What was offered when it began.
    offered: Vec<Challenge>,
}

impl Authenticator {
    /// Begins an attempt. Of `credentials` those for `target` are used, and an implicit one for the
    /// proxy where there are none for the server.
    pub fn new(
        target: AuthTarget,
        origin: Origin,
        credentials: Vec<Credential>,
        kerberos: KerberosEnvironment,
        policy: Policy,
    ) -> Self {
        let library = Library {
            host: origin.host.clone(),
            cache: TicketCache::new(&kerberos),
            source: TicketSource::new(kerberos, policy),
        };
        Self::with_mechanisms(target, origin, credentials, policy, Box::new(library))
    }

    fn with_mechanisms(
        target: AuthTarget,
        origin: Origin,
        mut credentials: Vec<Credential>,
        policy: Policy,
        mechanisms: Box<dyn Mechanisms>,
    ) -> Self {
        // An implicit one for the proxy serves the server too, which has none (`bits.md` §7.1).
        let has_own = credentials.iter().any(|credential| credential.target == target);
        credentials.retain(|credential| {
            let spills_over = target == AuthTarget::Server && !has_own && credential.is_implicit();
            credential.target == target || spills_over
        });
        Self {
            target,
            origin,
            credentials,
            policy,
            mechanisms,
            service: None,
            binding: None,
            kerberos: KerberosHere::Unknown,
            stage: Stage::Idle,
            proved_for: None,
            failed: Vec::new(),
            reason: None,
            refused_proof: false,
            restarts: 0,
            refusals: 0,
            tried_afresh: false,
            offered: Vec::new(),
            realm: None,
            notes: Vec::new(),
        }
    }

    /// Asks Kerberos for tickets for `service` instead of `HTTP/` and the host.
    #[must_use]
    pub fn with_service(mut self, service: ServiceName) -> Self {
        self.service = Some(service);
        self
    }

    /// A new connection stands, and nothing has been sent over it that concerns us. `certificate` is
    /// the other side's own (the first of its chain) in DER, from the TLS session with whom this is
    /// about: through a tunnel the server's, not the proxy's. Without TLS there is none. Proofs are
    /// tied to it (`credentials.md` §2.8).
    pub fn connected(&mut self, certificate: Option<&[u8]>) {
        let binding = certificate.and_then(ChannelBinding::of_certificate);
        let is_another = binding != self.binding;
        self.binding = binding;
        match &self.stage {
            Stage::Connection => self.stage = Stage::Idle,
            // What was made for another certificate would be refused like a wrong password.
            Stage::Exchange(Exchange { legs: 1, pending: Some(_), .. }) if is_another => {
                self.stage = Stage::Idle;
            }
            Stage::Idle
            | Stage::Exchange(_)
            | Stage::Basic { .. }
            | Stage::Digest { .. }
            | Stage::Over(_) => {}
        }
    }

    /// Makes ready for the next request: where the other side has accepted Kerberos before in this
    /// attempt, the ticket goes along without being asked for, which saves a refusal. May ask KDCs.
    /// It can be left out, and then the refusal comes.
    ///
    /// # Errors
    ///
    /// The KDC refuses the secret now, or the failure that ended the attempt, again.
    pub async fn prepare(&mut self) -> Result<(), AuthFailure> {
        if let Stage::Over(failure) = &self.stage {
            return Err(failure.clone());
        }
        if !self.ticket_is_due() {
            return Ok(());
        }
        match self.begin(Method::Kerberos, &[]).await {
            Ok(stage) => self.stage = stage,
            Err(fault) if fault.class.leaves_the_secret_unjudged() => {
                // Once asked, the whole choice is open.
                self.kerberos = KerberosHere::Unknown;
                self.notes.push(format!("{}: {}", Method::Kerberos.name(), fault.message));
            }
            Err(fault) => return Err(self.give_up(Method::Kerberos, fault)),
        }
        Ok(())
    }

    fn ticket_is_due(&self) -> bool {
        matches!(
            (&self.stage, self.kerberos),
            (Stage::Idle, KerberosHere::Accepted | KerberosHere::EachRequest)
                | (Stage::Connection, KerberosHere::EachRequest)
        )
    }

    /// Whether nothing is to be proved with the next request, so that no secret is touched for it.
    pub fn is_silent(&self) -> bool {
        matches!(self.stage, Stage::Idle | Stage::Connection) && !self.ticket_is_due()
    }

    /// The header value for the next request, if one is due. Call it once for each request that is
    /// sent: nonces are counted, and a token is given out once. `request_target` is the request
    /// as the one that asks will see it: for a server path and query, for a proxy of http the whole
    /// URL, for CONNECT host and port.
    ///
    /// # Errors
    ///
    /// The failure that ended the attempt, again; or the proof would have to protect the request's
    /// body, which is done only where there is none.
    pub fn authorization(
        &mut self,
        method: &str,
        request_target: &str,
    ) -> Result<Option<Authorization>, AuthFailure> {
        if let Stage::Digest { session, .. } = &self.stage
            && session.needs_a_body(method)
        {
            let host = &self.origin.host;
            let message = format!("{host} asks for Digest with auth-int, which is not spoken for {method}");
            return Err(self.give_up(Method::Digest, Fault::new(FailureClass::Config, message)));
        }
        let whole = self.target == AuthTarget::Proxy;
        let header = match &mut self.stage {
            Stage::Over(failure) => return Err(failure.clone()),
            Stage::Idle | Stage::Connection => None,
            Stage::Basic { header, accepted_for } => accepted_for
                .as_deref()
                // A proxy has one secret for all it carries (RFC 7617 §2.2).
                .is_none_or(|accepted| whole || basic::covers(accepted, request_target))
                .then(|| header.clone()),
            Stage::Digest { session, .. } => Some(session.header(method, request_target)),
            Stage::Exchange(exchange) => exchange.pending.take(),
        };
        self.proved_for = header.as_ref().map(|_| request_target.to_owned());
        Ok(header.map(Authorization))
    }

    /// Takes in a 401 (or 407) with all its challenges: what to do next. May ask KDCs.
    ///
    /// # Errors
    ///
    /// The attempt cannot prove itself, and asking again would do harm.
    pub async fn challenged(&mut self, challenges: &[&str]) -> Result<SendAgain, AuthFailure> {
        let offered = challenge::challenges(challenges.iter().copied());
        self.remember(&offered);
        let was_proved = self.proved_for.take().is_some();
        self.refusals = self.refusals.saturating_add(1);
        match mem::take(&mut self.stage) {
            Stage::Over(failure) => return Err(self.end(failure)),
            _ if self.refusals > REFUSALS_MAX => {
                let host = &self.origin.host;
                let message = format!("{host} asks for credentials again and again, whatever it is given");
                let failure = self.failure(Fault::new(FailureClass::Config, message));
                return Err(self.end(failure));
            }
            Stage::Connection if self.kerberos == KerberosHere::Accepted => {
                self.kerberos = KerberosHere::EachRequest;
            }
            Stage::Basic { .. } if was_proved => {
                let fault = self.refused(Method::Basic);
                return Err(self.give_up(Method::Basic, fault));
            }
            Stage::Digest { session, stale_in_a_row } if was_proved => {
                return self.digest_again(session, stale_in_a_row, &offered);
            }
            Stage::Exchange(mut exchange) if was_proved => {
                let before = mem::take(&mut exchange.offered);
                if let Some(next) = self.next_leg(exchange, &offered).await? {
                    return Ok(next);
                }
                // A refusal in the middle may not repeat all that was offered at first.
                let missing = before.into_iter().filter(|challenge| {
                    !offered.iter().any(|other| other.scheme.eq_ignore_ascii_case(&challenge.scheme))
                });
                let all: Vec<_> = offered.iter().cloned().chain(missing).collect();
                self.remember(&all);
                return self.choose(&all).await;
            }
            // The request proved nothing, or the connection has lost what it knew.
            Stage::Idle
            | Stage::Basic { .. }
            | Stage::Digest { .. }
            | Stage::Exchange(_)
            | Stage::Connection => {}
        }
        self.choose(&offered).await
    }

    /// Takes in any other answer: verifies the server's proof, and marks the connection.
    ///
    /// # Errors
    ///
    /// The server's proof is wrong, or missing where it must not be. The body is not to be trusted.
    pub async fn accepted(&mut self, answer: Answer<'_>) -> Result<(), AuthFailure> {
        self.refusals = 0;
        let Some(proved_for) = self.proved_for.take() else { return Ok(()) };
        // Whether the request was too much for the server, so that it says nothing about the proof.
        let too_large = matches!(answer.status, 400 | 431);
        let was_judged = answer.status < 500 && !too_large;
        match &mut self.stage {
            Stage::Basic { accepted_for, .. } if was_judged => *accepted_for = Some(proved_for),
            Stage::Digest { session, stale_in_a_row } => {
                *stale_in_a_row = 0;
                for info in answer.info {
                    if let Err(WrongProof) = session.answered(info) {
                        let fault = self.unproved("Digest");
                        return Err(self.give_up(Method::Digest, fault));
                    }
                }
            }
            Stage::Exchange(_) => {
                let Stage::Exchange(exchange) = mem::take(&mut self.stage) else { unreachable!() };
                if too_large {
                    self.notes.push(format!(
                        "{} answered {} to a {} token: it may be too large for the server",
                        self.origin.host,
                        answer.status,
                        exchange.method.name()
                    ));
                }
                if was_judged && exchange.mechanism.is_complete() {
                    self.finish(exchange, answer.challenges).await?;
                }
            }
            Stage::Idle | Stage::Basic { .. } | Stage::Connection | Stage::Over(_) => {}
        }
        self.restarts = 0;
        Ok(())
    }

    /// The connection of the last request is gone. What was bound to it starts over, once.
    ///
    /// # Errors
    ///
    /// It has been lost in the middle of an exchange for the second time.
    pub fn connection_lost(&mut self) -> Result<(), AuthFailure> {
        self.proved_for = None;
        match &self.stage {
            // The first message may go over any connection, so nothing is lost before it is sent.
            Stage::Exchange(Exchange { legs: 1, pending: Some(_), .. }) => {}
            Stage::Exchange(exchange) => {
                let method = exchange.method;
                self.restarts += 1;
                self.stage = Stage::Idle;
                if self.restarts > RESTARTS_MAX {
                    let host = &self.origin.host;
                    let message = format!(
                        "the connection to {host} breaks while {} is under way; \
                         something between may not be able to carry it",
                        method.name()
                    );
                    return Err(self.give_up(method, Fault::new(FailureClass::Transport, message)));
                }
            }
            Stage::Connection => self.stage = Stage::Idle,
            Stage::Idle | Stage::Basic { .. } | Stage::Digest { .. } | Stage::Over(_) => {}
        }
        Ok(())
    }

    /// Whether what has been proved, or is being proved, holds for this connection alone. Such a
    /// connection is never lent to another job or credential, and speaks HTTP/1.1.
    pub fn is_connection_bound(&self) -> bool {
        matches!(self.stage, Stage::Exchange(_) | Stage::Connection)
    }

    /// Sentences for a person who wants to know more, since last asked.
    pub fn notes(&mut self) -> Vec<String> {
        mem::take(&mut self.notes)
    }

    /// Begins the next way of proving that is left.
    async fn choose(&mut self, offered: &[Challenge]) -> Result<SendAgain, AuthFailure> {
        loop {
            let now = Circumstances {
                credentials: &self.credentials,
                tls: self.origin.tls,
                fall_back: self.policy.fall_back,
                ntlm: self.policy.ntlm,
                failed: &self.failed,
            };
            let method = match select::next(offered, now) {
                Ok(method) => method,
                Err(passed_over) => return Err(self.nothing_left(&passed_over)),
            };
            match self.begin(method, offered).await {
                Ok(stage) => {
                    self.stage = stage;
                    return Ok(SendAgain { same_connection: false });
                }
                Err(fault) => self.go_on_without(method, fault)?,
            }
        }
    }

    async fn begin(&mut self, method: Method, offered: &[Challenge]) -> Result<Stage, Fault> {
        let credential = self
            .credentials
            .iter()
            .find(|credential| credential.scheme == method.scheme())
            .expect("only a method with a credential is chosen");
        let host = &self.origin.host;
        match method {
            Method::Basic => {
                let header = basic::header(&credential.user, credential.password.expose())?;
                if !self.origin.tls {
                    self.notes.push(format!(
                        "Basic sends the password to {host} over plain http, where everybody on the way can read it"
                    ));
                }
                Ok(Stage::Basic { header, accepted_for: None })
            }
            Method::Digest => {
                let challenge = DigestChallenge::best(offered).expect("only a Digest we speak is chosen");
                let password = credential.password.expose();
                let session = DigestSession::new(challenge, &credential.user, password, fresh_cnonce()?);
                Ok(Stage::Digest { session: Box::new(session), stale_in_a_row: 0 })
            }
            Method::Kerberos | Method::NtlmInNegotiate | Method::Ntlm => {
                let aim = Aim { service: self.service.as_ref(), binding: self.binding.as_ref() };
                let mut mechanism = self.mechanisms.begin(method, credential, aim)?;
                if method != Method::Kerberos && !self.origin.tls && !is_this_machine(host) {
                    self.notes.push(format!("NTLM over plain http: {host} does not prove who it is"));
                }
                let token = mechanism.step(Incoming::Begin).await;
                self.notes.append(&mut mechanism.notes());
                let pending = Some(token_header(method, &token?));
                Ok(Stage::Exchange(Exchange {
                    method,
                    mechanism,
                    pending,
                    legs: 1,
                    offered: offered.to_vec(),
                }))
            }
        }
    }

    /// Answers the server's token. `None`: this method has failed, and another may be tried.
    async fn next_leg(
        &mut self,
        mut exchange: Exchange,
        offered: &[Challenge],
    ) -> Result<Option<SendAgain>, AuthFailure> {
        let method = exchange.method;
        let token = token_of(method, offered);
        let incoming = match &token {
            Some(token) if exchange.legs < LEGS_MAX => Incoming::Token(token),
            _ => Incoming::NoToken,
        };
        let had_shown_proof = exchange.mechanism.has_shown_proof();
        match exchange.mechanism.step(incoming).await {
            Ok(token) => {
                exchange.pending = Some(token_header(method, &token));
                exchange.legs += 1;
                self.stage = Stage::Exchange(exchange);
                Ok(Some(SendAgain { same_connection: true }))
            }
            Err(fault) if exchange.mechanism.may_begin_afresh() && !self.tried_afresh => {
                self.tried_afresh = true;
                self.notes.push(format!("{}; a fresh ticket is tried", fault.message));
                Ok(None)
            }
            Err(fault) => {
                self.refused_proof |= had_shown_proof;
                self.go_on_without(method, fault)?;
                Ok(None)
            }
        }
    }

    fn digest_again(
        &mut self,
        mut session: Box<DigestSession>,
        stale_in_a_row: u8,
        offered: &[Challenge],
    ) -> Result<SendAgain, AuthFailure> {
        let fault = match DigestChallenge::best(offered) {
            // The secret was right and only the nonce too old.
            Some(challenge) if challenge.stale => {
                if stale_in_a_row < STALE_MAX && session.renew(challenge) {
                    self.stage = Stage::Digest { session, stale_in_a_row: stale_in_a_row + 1 };
                    return Ok(SendAgain { same_connection: false });
                }
                let host = &self.origin.host;
                Fault::new(
                    FailureClass::Config,
                    format!("{host} calls one Digest nonce after the other stale"),
                )
            }
            _ => self.refused(Method::Digest),
        };
        Err(self.give_up(Method::Digest, fault))
    }

    async fn finish(&mut self, mut exchange: Exchange, challenges: &[&str]) -> Result<(), AuthFailure> {
        let method = exchange.method;
        let token = token_of(method, &challenge::challenges(challenges.iter().copied()));
        let host = &self.origin.host;
        match exchange.mechanism.accepted(token.as_deref()).await {
            Err(fault) => return Err(self.give_up(method, fault)),
            // Proxies do not prove themselves (`credentials.md` §2.6).
            Ok(PeerProof::Missing) if self.target == AuthTarget::Proxy => {}
            Ok(PeerProof::Missing) if self.policy.require_peer_proof => {
                let fault = self.unproved(method.name());
                return Err(self.give_up(method, fault));
            }
            Ok(PeerProof::Missing) if !self.origin.tls => {
                self.notes
                    .push(format!("{host} accepted Kerberos and did not prove who it is, over plain http"));
            }
            Ok(PeerProof::Missing | PeerProof::Proved | PeerProof::NotPossible) => {}
        }
        self.stage = Stage::Connection;
        self.tried_afresh = false;
        if method == Method::Kerberos && self.kerberos == KerberosHere::Unknown {
            self.kerberos = KerberosHere::Accepted;
        }
        Ok(())
    }

    fn remember(&mut self, offered: &[Challenge]) {
        self.offered.clear();
        for scheme in offered.iter().filter_map(Challenge::known) {
            if !self.offered.contains(&scheme) {
                self.offered.push(scheme);
            }
        }
        self.realm = offered
            .iter()
            .find_map(|challenge| challenge.parameter("realm"))
            .map(|realm| realm.chars().take(REALM_SHOWN_MAX).collect());
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Idle => "idle",
            Stage::Basic { .. } => "basic",
            Stage::Digest { .. } => "digest",
            Stage::Exchange(_) => "exchange",
            Stage::Connection => "connection",
            Stage::Over(_) => "over",
        };
        f.debug_struct("Authenticator")
            .field("target", &self.target)
            .field("origin", &self.origin)
            .field("stage", &stage)
            .finish_non_exhaustive()
    }
}

fn fresh_cnonce() -> Result<String, Fault> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|_| Fault::new(FailureClass::Config, "the system gives out no random numbers"))?;
    Ok(STANDARD.encode(bytes))
}

/// Whether `host` names this machine, so that nobody can stand between.
fn is_this_machine(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
