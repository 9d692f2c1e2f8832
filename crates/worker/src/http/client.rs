//! Asks one thing after the other, proves who asks, and keeps the connection.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bits_core::credentials::{AuthTarget, Credential};
use bits_core::error::{Challenge, Code, ErrorContext, JobError};
use bits_core::remote_name::RemoteName;
use bits_core::transfer::{Fetch, ResponseHead, TransportError};
use bits_platform::hardening::wipe_stack;

use super::body::Body;
use super::connection::Connection;
use super::dial::dial;
use super::settings::HttpSettings;
use super::tls::TlsTrust;
use crate::auth::{Answer, AuthFailure, Authenticator, HeaderNames, KerberosEnvironment, Origin, Policy};

/// Requests sent for one answer at most: the legs of each scheme, and one lost connection each.
const ROUNDS_MAX: u32 = 20;

/// Who asks, for one attempt.
#[derive(Debug)]
pub(crate) struct AttemptIdentity {
    pub(crate) credentials: Vec<Credential>,
    pub(crate) kerberos: KerberosEnvironment,
    pub(crate) policy: Policy,
}

/// The HTTP of one attempt.
pub(crate) struct Client {
    settings: Arc<HttpSettings>,
    trust: Arc<TlsTrust>,
    identity: AttemptIdentity,
    /// One for each origin that files of the job are on.
    authenticators: Vec<(RemoteName, Authenticator)>,
    kept: Option<Connection>,
    notes: Vec<String>,
}

/// A final answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) body: Body,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum FetchError {
    Transport(TransportError),
    /// The server wants to know who asks, and that could not be shown.
    NotAuthenticated(Box<JobError>),
}

impl Client {
    pub(crate) fn new(settings: Arc<HttpSettings>, trust: Arc<TlsTrust>, identity: AttemptIdentity) -> Self {
        Self { settings, trust, identity, authenticators: Vec::new(), kept: None, notes: Vec::new() }
    }

    /// Asks for `fetch` and proves who asks where that is wanted.
    pub(crate) async fn fetch(&mut self, fetch: &Fetch) -> Result<Response, FetchError> {
        for _ in 0..ROUNDS_MAX {
            let mut connection = self.connection(fetch).await?;
            let authorization = match self.authenticator(fetch) {
                Some(authenticator) => {
                    let due = authenticator.authorization("GET", fetch.remote_name.request_target());
                    wipe_stack();
                    due.map_err(|failure| self.not_authenticated(fetch, failure))?
                }
                None => None,
            };
            let was_used = connection.is_used;
            let exchanged = connection.exchange(fetch, authorization.as_ref(), &self.settings).await;
            let parsed = match exchanged {
                Ok(parsed) => parsed,
                Err(failed) => {
                    let was_bound =
                        self.authenticator(fetch).is_some_and(|known| known.is_connection_bound());
                    self.connection_lost(fetch)?;
                    if failed.nothing_came && (was_used || was_bound) {
                        continue;
                    }
                    return Err(FetchError::Transport(failed.error));
                }
            };
            let body = Body::new(connection, &parsed, self.settings.timeouts.read_idle);
            if parsed.head.status == HeaderNames::of(AuthTarget::Server).status {
                self.keep(body).await;
                self.challenged(fetch, &parsed.head).await?;
                continue;
            }
            self.accepted(fetch, &parsed.head)?;
            return Ok(Response { head: parsed.head, body });
        }
        let message = format!("{} asks who it is speaking to again and again", fetch.remote_name.authority());
        Err(FetchError::NotAuthenticated(Box::new(JobError {
            code: Code::HTTP_UNAUTHORIZED,
            context: ErrorContext::RemoteFile,
            transient: false,
            message,
            file: None,
            challenge: None,
            retry_after_seconds: None,
        })))
    }

    /// Keeps the connection of a body that is not wanted any more, when it is worth it.
    pub(crate) async fn keep(&mut self, body: Body) {
        self.kept = body.into_connection().await;
    }

    /// Sentences for a person who wants to know more, since last asked.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        for (_, authenticator) in &mut self.authenticators {
            self.notes.append(&mut authenticator.notes());
        }
        std::mem::take(&mut self.notes)
    }

    async fn connection(&mut self, fetch: &Fetch) -> Result<Connection, FetchError> {
        let kept = self.kept.take().filter(|kept| kept.leads_to(&fetch.remote_name));
        if let Some(connection) = kept.and_then(Connection::if_quiet) {
            return Ok(connection);
        }
        self.connection_lost(fetch)?;
        let dialled = dial(&fetch.remote_name, &self.settings.timeouts, &self.trust).await;
        let stream = dialled.map_err(FetchError::Transport)?;
        Ok(Connection::new(stream, &fetch.remote_name))
    }

    fn connection_lost(&mut self, fetch: &Fetch) -> Result<(), FetchError> {
        match self.authenticator(fetch).map(Authenticator::connection_lost) {
            Some(Err(failure)) => Err(self.not_authenticated(fetch, failure)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    async fn challenged(&mut self, fetch: &Fetch, head: &ResponseHead) -> Result<(), FetchError> {
        let challenges: Vec<_> = head.fields_called(HeaderNames::of(AuthTarget::Server).challenge).collect();
        let Some(authenticator) = self.authenticator(fetch) else {
            return Err(FetchError::NotAuthenticated(Box::new(foreign_question(&fetch.remote_name))));
        };
        match wiping_stack(authenticator.challenged(&challenges)).await {
            // Whether its connection could be kept is seen when it is asked for.
            Ok(_) => Ok(()),
            Err(failure) => Err(self.not_authenticated(fetch, failure)),
        }
    }

    fn accepted(&mut self, fetch: &Fetch, head: &ResponseHead) -> Result<(), FetchError> {
        let names = HeaderNames::of(AuthTarget::Server);
        let challenges: Vec<_> = head.fields_called(names.challenge).collect();
        let info: Vec<_> = head.fields_called(names.info).collect();
        let answer = Answer { status: head.status, challenges: &challenges, info: &info };
        match self.authenticator(fetch).map(|authenticator| authenticator.accepted(answer)) {
            Some(Err(failure)) => Err(self.not_authenticated(fetch, failure)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Who speaks for the owner where `fetch` goes, if anybody may.
    fn authenticator(&mut self, fetch: &Fetch) -> Option<&mut Authenticator> {
        if !fetch.with_credentials {
            return None;
        }
        let name = &fetch.remote_name;
        let known = self.authenticators.iter().position(|(origin, _)| origin.same_origin(name));
        let at = known.unwrap_or_else(|| {
            let origin = Origin { tls: name.is_tls(), host: name.host().to_owned(), port: name.port() };
            let authenticator = Authenticator::new(
                AuthTarget::Server,
                origin,
                self.identity.credentials.iter().map(duplicate).collect(),
                self.identity.kerberos.clone(),
                self.identity.policy,
            );
            self.authenticators.push((name.clone(), authenticator));
            self.authenticators.len() - 1
        });
        self.authenticators.get_mut(at).map(|(_, authenticator)| authenticator)
    }

    fn not_authenticated(&mut self, fetch: &Fetch, failure: AuthFailure) -> FetchError {
        let is_status = failure.code == Code::HTTP_UNAUTHORIZED;
        // Also when time may cure the rest: what was refused must be known when it is tried again.
        let of_interest = failure.class.asks_for_credentials() || failure.refused_proof;
        let challenge = of_interest.then(|| Challenge {
            target: AuthTarget::Server,
            host: fetch.remote_name.authority(),
            realm: failure.realm,
            schemes: failure.offered,
            refused: failure.refused_proof,
        });
        FetchError::NotAuthenticated(Box::new(JobError {
            code: failure.code,
            context: if is_status { ErrorContext::RemoteFile } else { ErrorContext::GeneralTransport },
            transient: failure.transient,
            message: failure.message,
            file: None,
            challenge,
            retry_after_seconds: None,
        }))
    }
}

/// A server that a redirect led to asks for credentials, which were given for another one.
fn foreign_question(name: &RemoteName) -> JobError {
    JobError {
        code: Code::HTTP_UNAUTHORIZED,
        context: ErrorContext::RemoteFile,
        transient: false,
        message: format!(
            "a redirect led to {}, which asks for credentials; the job's are for the server of its URL alone",
            name.authority()
        ),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }
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

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("kept", &self.kept.is_some()).finish_non_exhaustive()
    }
}
