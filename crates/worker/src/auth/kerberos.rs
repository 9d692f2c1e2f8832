//! Kerberos inside Negotiate, from a user name and a password: no login session, no ticket cache.
//!
//! The library makes and understands the messages. The way to the KDCs is ours, and so is reading
//! what they say: on an error that decides the matter the library is not asked any more, since it
//! would go on, or lose the KDC's reason. The configuration is the caller's: where the library has
//! looked into the service's own krb5.conf, its request is put right on the way.

use std::net::SocketAddr;
use std::path::PathBuf;

use bits_core::secret::Secret;
use sspi::generator::GeneratorState;
use sspi::{
    AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialsBuffers, DataRepresentation,
    KerberosConfig, Negotiate, NegotiateConfig, SecurityBuffer, Sspi as _, SspiImpl as _,
};

use self::talk::Talk;
use self::tickets::Exchange;
use super::binding::ChannelBinding;
use super::classify::{self, FailureClass, Fault};
use super::identity::UserName;
use super::krb_message::{self, KrbError};
use super::krb5_conf::{KdcAddress, Krb5Conf};
use super::mechanism::{Incoming, Mechanism, PeerProof, Pending};
use super::spnego::{self, State};
use super::{KerberosEnvironment, Policy};

#[cfg(any(test, fuzzing))]
pub(super) mod recorded;
mod talk;
mod tickets;

pub(super) use talk::kdcs_in_dns;

pub use self::tickets::Tickets;

/// The library wants to know a KDC before it begins. This one is never asked: each message goes to
/// the KDCs of the realm it names.
const PLACEHOLDER_KDC: &str = "tcp://kdc.invalid:88";
/// Put into the request where Windows has the computer's name; no KDC needs to know ours.
const COMPUTER_NAME: &str = "OPENBITS";
/// Realms that are asked one after the other, each named by the one before (`credentials.md` §2.12).
const REALMS_MAX: u8 = 10;

/// Where tickets come from.
#[derive(Debug, Clone, Default)]
pub(super) struct TicketSource {
    /// The caller's krb5.conf; none means the system's.
    pub(super) krb5_files: Vec<PathBuf>,
    /// Where KDCs are looked for that krb5.conf does not name; `None` means the system's servers.
    pub(super) name_servers: Option<Vec<SocketAddr>>,
    /// Where tickets are kept for further connections; `None` means that each gets fresh ones.
    pub(super) tickets: Option<Tickets>,
}

impl TicketSource {
    /// The source as the owner has it, under what is allowed.
    pub(super) fn new(environment: KerberosEnvironment, policy: Policy) -> Self {
        Self {
            krb5_files: environment.krb5_files,
            name_servers: None,
            // An old proof of the server would pass for a new one.
            tickets: (!policy.require_peer_proof).then_some(environment.tickets),
        }
    }
}

/// The exchange of one connection.
pub(super) struct KerberosMechanism {
    host: String,
    principal: String,
    user: UserName,
    password: Secret,
    source: TicketSource,
    binding: Option<ChannelBinding>,
    /// The context whose token has been sent.
    begun: Option<Context>,
    /// Whose kept tickets are in it.
    kept: Option<Client>,
    notes: Vec<String>,
}

struct Context {
    negotiate: Box<Negotiate>,
    identity: Option<CredentialsBuffers>,
    principal: String,
    /// Empty, or the binding as the library takes it.
    binding: Vec<SecurityBuffer>,
}

/// A client as a KDC is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Client {
    /// With an `@` in it, it is asked for as an enterprise name, else as a plain principal.
    name: String,
    realm: String,
}

/// Why a KDC did not give a ticket.
enum Refusal {
    Fault(Fault),
    /// The KDC answered with an error.
    Kdc {
        kdc: KdcAddress,
        realm: String,
        error: KrbError,
    },
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl KerberosMechanism {
    /// `principal` is the service's name.
    pub(super) fn new(
        host: &str,
        principal: &str,
        user: UserName,
        password: &Secret,
        source: TicketSource,
        binding: Option<ChannelBinding>,
    ) -> Self {
        Self {
            host: host.to_owned(),
            principal: principal.to_owned(),
            user,
            password: password.duplicate(),
            source,
            binding,
            begun: None,
            kept: None,
            notes: Vec::new(),
        }
    }

    async fn begin(&mut self) -> Result<Vec<u8>, Fault> {
        if is_address(&self.host) {
            return Err(Fault::new(
                FailureClass::Config,
                format!("{} is an address, and Kerberos needs a host name", self.host),
            ));
        }
        let files = self.source.krb5_files.clone();
        let conf = tokio::task::spawn_blocking(move || Krb5Conf::load(&files))
            .await
            .expect("reading krb5.conf neither panics nor is cancelled");

        let mut clients = clients(&self.user, &self.host, &conf)?;
        // The one that had tickets before was the right one.
        if let Some(tickets) = &self.source.tickets {
            clients.sort_by_key(|client| !tickets.has(client));
        }
        let mut refusal = None;
        for client in &clients {
            match self.log_on(client.clone(), &conf).await {
                Ok(token) => return Ok(token),
                // Plain Kerberos servers know no enterprise names; ask once more for the principal.
                Err(Refusal::Kdc { kdc, realm, error })
                    if error.number == krb_message::KDC_ERR_C_PRINCIPAL_UNKNOWN =>
                {
                    refusal = Some(Refusal::Kdc { kdc, realm, error });
                }
                Err(other) => return Err(self.fault(other)),
            }
        }
        Err(self.fault(refusal.expect("there is at least one client to ask for")))
    }

    /// Gets the tickets for `client`, following it to another realm when a KDC says so.
    async fn log_on(&mut self, mut client: Client, conf: &Krb5Conf) -> Result<Vec<u8>, Refusal> {
        for _ in 0..REALMS_MAX {
            let refusal = match self.log_on_in_one_realm(&client, conf).await {
                Ok(token) => return Ok(token),
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::Kdc {
                    error:
                        KrbError { number: krb_message::KDC_ERR_WRONG_REALM, client_realm: Some(realm), .. },
                    ..
                } if realm != client.realm => client.realm = realm,
                other => return Err(other),
            }
        }
        Err(Refusal::Fault(Fault::new(
            FailureClass::Config,
            format!("the KDCs sent us through more than {REALMS_MAX} realms without an end"),
        )))
    }

    async fn log_on_in_one_realm(&mut self, client: &Client, conf: &Krb5Conf) -> Result<Vec<u8>, Refusal> {
        self.kept = None;
        if let Some(tickets) = self.source.tickets.clone()
            && let kept = tickets.answers(client, &self.principal)
            && !kept.is_empty()
        {
            if let Ok(token) = self.log_on_with(client, conf, kept).await {
                self.kept = Some(client.clone());
                return Ok(token);
            }
            // Of another password, or too old. What is asked now is fresh, and its outcome counts.
            tickets.forget(client);
        }
        self.log_on_with(client, conf, Vec::new()).await
    }

    /// Gets the tickets for `client`, as far as it goes from answers that were kept.
    async fn log_on_with(
        &mut self,
        client: &Client,
        conf: &Krb5Conf,
        kept: Vec<Exchange>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut context = Context::new(client, &self.password, &self.principal, self.binding.as_ref())?;
        let name_servers = self.source.name_servers.as_deref();
        let mut talk = Talk::new(client, conf, name_servers, kept);
        let outcome = context.begin(&mut talk).await;
        self.notes.append(&mut talk.notes);
        let token = outcome?;
        // A time that was corrected is not in the answers, so they are of no use alone.
        if let Some(tickets) = &self.source.tickets
            && !talk.skew_told
        {
            tickets.keep(client, &self.principal, talk.carried);
        }
        self.begun = Some(context);
        Ok(token)
    }

    fn fault(&self, refusal: Refusal) -> Fault {
        match refusal {
            Refusal::Fault(fault) => fault,
            Refusal::Kdc { kdc, realm, error } => {
                let words = match error.number {
                    7 => format!("does not know the service {}", self.principal),
                    number => classify::kdc_error_words(number),
                };
                Fault::new(
                    classify::kdc_error_class(error.number),
                    format!("the KDC {kdc} of realm {realm} {words}"),
                )
            }
        }
    }

    /// The server does not take the ticket that its KDC has just given out.
    fn ticket_refused(&mut self, token: Option<&[u8]>) -> Fault {
        if let (Some(client), Some(tickets)) = (&self.kept, &self.source.tickets) {
            tickets.forget(client);
        }
        ticket_refused(&self.host, token, self.binding.is_some())
    }
}

impl KerberosMechanism {
    /// Looks at the token that came with success.
    fn looked_at(&mut self, token: Option<&[u8]>) -> Result<PeerProof, Fault> {
        let (Some(token), Some(context)) = (token, &mut self.begun) else {
            return Ok(PeerProof::Missing);
        };
        let proof = match spnego::answer(token) {
            None => Err(()),
            Some(answer) if answer.state == Some(State::Rejected) => Err(()),
            Some(answer) if answer.token.is_none() => Ok(PeerProof::Missing),
            Some(_) => match context.run(spnego::wrapped(token, State::Completed)) {
                Ok(_) => Ok(PeerProof::Proved),
                Err(_) => Err(()),
            },
        };
        proof.map_err(|()| unproved(&self.host))
    }
}

impl Mechanism for KerberosMechanism {
    fn step<'a>(&'a mut self, incoming: Incoming<'a>) -> Pending<'a, Result<Vec<u8>, Fault>> {
        Box::pin(async move {
            match incoming {
                Incoming::Begin => self.begin().await,
                // One token is all there is to say. Another 401 is a refusal, whatever it holds.
                Incoming::Token(token) => Err(self.ticket_refused(Some(token))),
                Incoming::NoToken => Err(self.ticket_refused(None)),
            }
        })
    }

    fn is_complete(&self) -> bool {
        self.begun.is_some()
    }

    fn accepted<'a>(&'a mut self, token: Option<&'a [u8]>) -> Pending<'a, Result<PeerProof, Fault>> {
        Box::pin(std::future::ready(self.looked_at(token)))
    }

    fn has_shown_proof(&self) -> bool {
        // A ticket proves the secret to nobody but the KDC, and that has been convinced.
        false
    }

    fn may_begin_afresh(&self) -> bool {
        self.kept.is_some()
    }

    fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

impl Context {
    fn new(
        client: &Client,
        password: &Secret,
        principal: &str,
        binding: Option<&ChannelBinding>,
    ) -> Result<Self, Fault> {
        let kerberos = KerberosConfig::new_with_kdc_url(PLACEHOLDER_KDC, COMPUTER_NAME.to_owned());
        // Without NTLM in the list the server cannot choose it, and the library not fall back to it.
        let config =
            NegotiateConfig::new(Box::new(kerberos), Some("kerberos".to_owned()), COMPUTER_NAME.to_owned());
        let negotiate =
            Negotiate::new_client(config).map_err(|error| library_fault(&error, &client.realm))?;
        let identity = AuthIdentityBuffers::from_utf8(&client.name, &client.realm, password.expose());
        Ok(Self {
            negotiate: Box::new(negotiate),
            identity: Some(CredentialsBuffers::AuthIdentity(identity)),
            principal: principal.to_owned(),
            binding: binding
                .map(|binding| SecurityBuffer::new(binding.buffer(), BufferType::ChannelBindings))
                .into_iter()
                .collect(),
        })
    }

    /// What the library gets: a token of the server, and the binding.
    fn input(&self, token: Vec<u8>) -> Vec<SecurityBuffer> {
        let mut input = self.binding.clone();
        input.push(SecurityBuffer::new(token, BufferType::Token));
        input
    }

    /// The first token, with all that has to be asked for it.
    async fn begin(&mut self, talk: &mut Talk<'_>) -> Result<Vec<u8>, Refusal> {
        let mut input = self.input(Vec::new());
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = self
            .negotiate
            .initialize_security_context()
            .with_credentials_handle(&mut self.identity)
            .with_context_requirements(ClientRequestFlags::MUTUAL_AUTH)
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name(&self.principal)
            .with_input(&mut input)
            .with_output(&mut output);
        let realm = talk.client.realm.clone();
        let mut exchange = self
            .negotiate
            .initialize_security_context_impl(&mut builder)
            .map_err(|error| library_fault(&error, &realm))?;
        let mut state = exchange.start();
        let outcome = loop {
            match state {
                GeneratorState::Suspended(request) => {
                    let reply = talk.carry(&request.data).await?;
                    state = exchange.resume(Ok(reply));
                }
                GeneratorState::Completed(outcome) => break outcome,
            }
        };
        drop(exchange);
        outcome.map_err(|error| talk.not_understood(&error))?;
        let [output] = output;
        Ok(output.buffer)
    }

    /// Feeds the server's token, for which no KDC is needed.
    fn run(&mut self, token: Vec<u8>) -> sspi::Result<()> {
        let mut input = self.input(token);
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = self
            .negotiate
            .initialize_security_context()
            .with_credentials_handle(&mut self.identity)
            .with_context_requirements(ClientRequestFlags::MUTUAL_AUTH)
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name(&self.principal)
            .with_input(&mut input)
            .with_output(&mut output);
        self.negotiate.initialize_security_context_impl(&mut builder)?.resolve_to_result()?;
        Ok(())
    }
}

/// The clients to ask for, in order (`credentials.md` §1.7).
fn clients(user: &UserName, host: &str, conf: &Krb5Conf) -> Result<Vec<Client>, Fault> {
    let client = |name: &str, realm: &str| Client { name: name.to_owned(), realm: realm.to_owned() };
    match user {
        UserName::Domain { domain, .. } if domain == "." => Err(Fault::new(
            FailureClass::Config,
            format!("an account of {host} itself has no Kerberos realm"),
        )),
        UserName::Domain { domain, user } => {
            let realm = conf.realm_named(domain).map_or_else(|| domain.to_uppercase(), str::to_owned);
            Ok(vec![client(user, &realm)])
        }
        UserName::Principal { text, user, suffix } => {
            let realm = conf.realm_named(suffix).map_or_else(|| suffix.to_uppercase(), str::to_owned);
            Ok(vec![client(text, &realm), client(user, &realm)])
        }
        UserName::Bare(user) => match conf.default_realm().or_else(|| conf.realm_of(host)) {
            Some(realm) => Ok(vec![client(user, realm)]),
            None => Err(Fault::new(
                FailureClass::NoKdcKnown,
                format!(
                    "the user name has no realm, and {} names no default_realm and none for {host}",
                    conf.sources()
                ),
            )),
        },
    }
}

/// `host` refuses a ticket, with this token in its answer. `is_bound`: the proof is tied to what was
/// seen of the TLS session.
pub(super) fn ticket_refused(host: &str, token: Option<&[u8]>, is_bound: bool) -> Fault {
    let error = token
        .and_then(|token| spnego::answer(token)?.token)
        .and_then(spnego::kerberos_error)
        .map(|error| format!(" ({})", classify::server_error_words(error.number)))
        .unwrap_or_default();
    // A binding that does not fit is refused without a word.
    let doubt = match is_bound {
        true if error.is_empty() => "; if something in between opens the TLS connection, that is the reason",
        _ => "",
    };
    Fault::new(
        FailureClass::TicketRefused,
        format!("{host} refused a Kerberos ticket that the KDC gave out for it{error}{doubt}"),
    )
}

/// What `host` gave as its proof is none.
pub(super) fn unproved(host: &str) -> Fault {
    Fault::new(
        FailureClass::Peer,
        format!("{host} could not prove by Kerberos that it is the server that was asked"),
    )
}

/// The library failed by itself. Its own text may hold names, so only the kind is told.
fn library_fault(error: &sspi::Error, realm: &str) -> Fault {
    Fault::new(
        FailureClass::Config,
        format!("a Kerberos request for realm {realm} could not be made ({:?})", error.error_type),
    )
}

/// Whether `host` is an IP address, with or without brackets.
pub(super) fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;
