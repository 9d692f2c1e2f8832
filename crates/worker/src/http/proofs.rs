//! Who one is, to each server and each proxy of an attempt: one [`Authenticator`] for each.
//!
//! How something is proved is for `auth`; which connection it goes over is for the client.

use std::future::poll_fn;
use std::pin::pin;

use bits_core::credentials::{AuthTarget, Credential};
use bits_core::error::{Challenge, Code, ErrorContext, JobError};
use bits_core::proxy::ProxyAddress;
use bits_core::remote_name::RemoteName;
use bits_core::transfer::ResponseHead;
use bits_platform::hardening::wipe_stack;

use super::client::FetchError;
use crate::auth::{
    Answer, AuthFailure, Authenticator, Authorization, HeaderNames, KerberosEnvironment, Origin, Policy,
    ServiceName,
};

/// Who asks, for one attempt.
#[derive(Debug)]
pub(crate) struct AttemptIdentity {
    pub(crate) credentials: Vec<Credential>,
    /// Shared by all connections of the attempt, and with it the tickets.
    pub(crate) kerberos: KerberosEnvironment,
    pub(crate) policy: Policy,
    /// What Kerberos calls the server, when it is not `HTTP/` and its host.
    pub(crate) service: Option<ServiceName>,
}

/// Somebody who may want to know who asks.
#[derive(Debug, Clone)]
pub(super) enum Party {
    Server(RemoteName),
    Proxy(ProxyAddress),
}

impl Party {
    pub(super) fn names(&self) -> HeaderNames {
        HeaderNames::of(self.target())
    }

    fn target(&self) -> AuthTarget {
        match self {
            Self::Server(_) => AuthTarget::Server,
            Self::Proxy(_) => AuthTarget::Proxy,
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server(one), Self::Server(other)) => one.same_origin(other),
            (Self::Proxy(one), Self::Proxy(other)) => one == other,
            (Self::Server(_), Self::Proxy(_)) | (Self::Proxy(_), Self::Server(_)) => false,
        }
    }

    fn authority(&self) -> String {
        match self {
            Self::Server(name) => name.authority(),
            Self::Proxy(proxy) => proxy.to_string(),
        }
    }

    fn origin(&self) -> Origin {
        match self {
            Self::Server(name) => {
                Origin { tls: name.is_tls(), host: name.host().to_owned(), port: name.port() }
            }
            Self::Proxy(proxy) => {
                Origin { tls: proxy.is_tls(), host: proxy.host().to_owned(), port: proxy.port() }
            }
        }
    }
}

/// What has been proved to whom.
#[derive(Debug)]
pub(super) struct Proofs {
    identity: AttemptIdentity,
    known: Vec<(Party, Authenticator)>,
}

impl Proofs {
    pub(super) fn new(identity: AttemptIdentity) -> Self {
        Self { identity, known: Vec::new() }
    }

    /// What the same identity proves on another connection.
    pub(super) fn of_another_connection(&self) -> Self {
        let AttemptIdentity { credentials, kerberos, policy, service } = &self.identity;
        Self::new(AttemptIdentity {
            credentials: credentials.iter().map(duplicate).collect(),
            kerberos: kerberos.clone(),
            policy: *policy,
            service: service.clone(),
        })
    }

    /// A new connection to `party` stands; `certificate` is what it has shown, in DER.
    pub(super) fn connected(&mut self, party: &Party, certificate: Option<&[u8]>) -> Result<(), FetchError> {
        self.connection_lost(party)?;
        self.of(party).connected(certificate);
        Ok(())
    }

    pub(super) fn connection_lost(&mut self, party: &Party) -> Result<(), FetchError> {
        let lost = self.of(party).connection_lost();
        lost.map_err(|failure| refused(party, failure))
    }

    /// The proof for the next request, if one is due.
    pub(super) async fn authorization(
        &mut self,
        party: &Party,
        method: &str,
        target: &str,
    ) -> Result<Option<Authorization>, FetchError> {
        let authenticator = self.of(party);
        if authenticator.is_silent() {
            // There is nothing to be wiped, which would cost more than all else of a small file.
            let due = authenticator.authorization(method, target);
            return due.map_err(|failure| refused(party, failure));
        }
        wiping_stack(authenticator.prepare()).await.map_err(|failure| refused(party, failure))?;
        let due = authenticator.authorization(method, target);
        wipe_stack();
        due.map_err(|failure| refused(party, failure))
    }

    /// `head` says that `party` wants to know who asks. Says whether the connection of the answer is
    /// good for the next request: a proxy's that began to be authenticated in another way is not, as
    /// some proxies take a second scheme on one connection for an attack.
    pub(super) async fn challenged(
        &mut self,
        party: &Party,
        head: &ResponseHead,
    ) -> Result<bool, FetchError> {
        let challenges: Vec<_> = head.fields_called(party.names().challenge).collect();
        let authenticator = self.of(party);
        let is_touchy = matches!(party, Party::Proxy(_)) && authenticator.is_connection_bound();
        match wiping_stack(authenticator.challenged(&challenges)).await {
            Ok(next) => Ok(next.same_connection || !is_touchy),
            Err(failure) => Err(refused(party, failure)),
        }
    }

    /// `head` says that `party` does not want to know more.
    pub(super) async fn accepted(&mut self, party: &Party, head: &ResponseHead) -> Result<(), FetchError> {
        let names = party.names();
        let challenges: Vec<_> = head.fields_called(names.challenge).collect();
        let info: Vec<_> = head.fields_called(names.info).collect();
        let answer = Answer { status: head.status, challenges: &challenges, info: &info };
        self.of(party).accepted(answer).await.map_err(|failure| refused(party, failure))
    }

    /// Whether what is known of us there holds for one connection alone.
    pub(super) fn is_connection_bound(&mut self, party: &Party) -> bool {
        self.of(party).is_connection_bound()
    }

    /// Sentences for a person who wants to know more, since last asked.
    pub(super) fn notes(&mut self) -> Vec<String> {
        self.known.iter_mut().flat_map(|(_, authenticator)| authenticator.notes()).collect()
    }

    fn of(&mut self, party: &Party) -> &mut Authenticator {
        let known = self.known.iter().position(|(known, _)| known.is(party));
        let at = known.unwrap_or_else(|| {
            let mut authenticator = Authenticator::new(
                party.target(),
                party.origin(),
                self.identity.credentials.iter().map(duplicate).collect(),
                self.identity.kerberos.clone(),
                self.identity.policy,
            );
            if let (Party::Server(_), Some(service)) = (party, &self.identity.service) {
                authenticator = authenticator.with_service(service.clone());
            }
            self.known.push((party.clone(), authenticator));
            self.known.len() - 1
        });
        &mut self.known[at].1
    }
}

/// The end of an attempt that cannot show `party` who asks.
fn refused(party: &Party, failure: AuthFailure) -> FetchError {
    let is_the_servers = failure.code == Code::HTTP_UNAUTHORIZED;
    // Also when time may cure the rest: what was refused must be known when it is tried again.
    let of_interest = failure.class.asks_for_credentials() || failure.refused_proof;
    let challenge = of_interest.then(|| Challenge {
        target: party.target(),
        host: party.authority(),
        realm: failure.realm,
        schemes: failure.offered,
        refused: failure.refused_proof,
    });
    let message = match party {
        Party::Server(_) => failure.message,
        Party::Proxy(proxy) => format!("the proxy {proxy} lets nothing through: {}", failure.message),
    };
    FetchError::Refused(Box::new(JobError {
        code: failure.code,
        context: if is_the_servers { ErrorContext::RemoteFile } else { ErrorContext::GeneralTransport },
        transient: failure.transient,
        message,
        file: None,
        challenge,
        retry_after_seconds: None,
    }))
}

/// `party` asks again and again, whatever it is given.
pub(super) fn endless_questions(party: &Party) -> FetchError {
    let (code, context, who) = match party {
        Party::Server(name) => (Code::HTTP_UNAUTHORIZED, ErrorContext::RemoteFile, name.authority()),
        Party::Proxy(proxy) => {
            (Code::http(party.names().status), ErrorContext::GeneralTransport, format!("the proxy {proxy}"))
        }
    };
    FetchError::Refused(Box::new(JobError {
        code,
        context,
        transient: false,
        message: format!("{who} asks who it is speaking to again and again"),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }))
}

/// A server asks for credentials that are not to be shown to it, for the reason `why`.
pub(super) fn question_without_answer(why: String) -> FetchError {
    FetchError::Refused(Box::new(JobError {
        code: Code::HTTP_UNAUTHORIZED,
        context: ErrorContext::RemoteFile,
        transient: false,
        message: why,
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }))
}

/// Does `work`, which computes with secrets, and leaves nothing of it on the stack of any thread it
/// was on.
async fn wiping_stack<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    let polled = poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        wipe_stack();
        polled
    });
    polled.await
}

fn duplicate(credential: &Credential) -> Credential {
    Credential {
        target: credential.target,
        scheme: credential.scheme,
        scheme_is_explicit: credential.scheme_is_explicit,
        user: credential.user.clone(),
        password: credential.password.duplicate(),
    }
}
