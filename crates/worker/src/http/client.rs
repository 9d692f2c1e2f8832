//! Asks one thing after the other, proves who asks, and keeps the connection.

mod opening;

use std::fmt;
use std::sync::Arc;

use bits_core::error::JobError;
use bits_core::proxy::{ProxyAddress, ProxyRules};
use bits_core::transfer::{Fetch, ResponseHead, TransportError};
use zeroize::Zeroizing;

use super::body::Body;
use super::connection::Connection;
use super::proofs::{AttemptIdentity, Party, Proofs, endless_questions, question_without_answer};
use super::request::{self, OwnersWords, Proved};
use super::settings::HttpSettings;
use super::tls::TlsTrust;
use crate::pacing::JobPacing;

/// Requests sent for one answer at most: the legs of each scheme to server and proxy, and one lost
/// connection each.
const ROUNDS_MAX: u32 = 40;

/// The HTTP of one attempt.
pub(crate) struct Client {
    settings: Arc<HttpSettings>,
    trust: Arc<TlsTrust>,
    pacing: JobPacing,
    proxies: ProxyRules,
    words: OwnersWords,
    proofs: Proofs,
    kept: Option<Connection>,
    /// Proxies that could not be reached in this attempt; they are asked last.
    unreached: Vec<ProxyAddress>,
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
    /// Who asks could not be shown, or a proxy does not serve us.
    Refused(Box<JobError>),
}

impl From<TransportError> for FetchError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl Client {
    pub(crate) fn new(
        settings: Arc<HttpSettings>,
        trust: Arc<TlsTrust>,
        pacing: JobPacing,
        proxies: ProxyRules,
        words: OwnersWords,
        identity: AttemptIdentity,
    ) -> Self {
        Self {
            settings,
            trust,
            pacing,
            proxies,
            words,
            proofs: Proofs::new(identity),
            kept: None,
            unreached: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Asks for `fetch` and proves who asks where that is wanted.
    pub(crate) async fn fetch(&mut self, fetch: &Fetch) -> Result<Response, FetchError> {
        let server = self.server(fetch);
        let mut asking = None;
        for _ in 0..ROUNDS_MAX {
            let mut connection = self.connection(fetch, server.as_ref()).await?;
            let proxy = connection.route().reader().cloned().map(Party::Proxy);
            let parties = || server.iter().chain(&proxy);
            let request = self.request(fetch, server.as_ref(), proxy.as_ref()).await?;
            let was_used = connection.is_used;
            let parsed = match connection.exchange(&request, &self.settings.timeouts).await {
                Ok(parsed) => parsed,
                Err(failed) => {
                    let was_bound = parties().any(|party| self.proofs.is_connection_bound(party));
                    for party in parties() {
                        self.proofs.connection_lost(party)?;
                    }
                    if failed.nothing_came && (was_used || was_bound) {
                        continue;
                    }
                    return Err(FetchError::Transport(failed.error));
                }
            };
            let body = Body::new(connection, &parsed, self.settings.timeouts.read_idle);
            let asks = |party: &&Party| party.names().status == parsed.head.status;
            if let Some(proxy) = proxy.as_ref().filter(asks) {
                self.keep(body).await;
                self.proofs.challenged(proxy, &parsed.head).await?;
                asking = Some(proxy.clone());
                continue;
            }
            // Who let the request through is content, whatever the server says to it.
            if let Some(proxy) = &proxy {
                self.proofs.accepted(proxy, &parsed.head)?;
            }
            match &server {
                Some(server) if asks(&server) => {
                    self.keep(body).await;
                    self.proofs.challenged(server, &parsed.head).await?;
                    asking = Some(server.clone());
                    continue;
                }
                Some(server) => self.proofs.accepted(server, &parsed.head)?,
                None if parsed.head.status == 401 => return Err(self.unanswered(fetch)),
                None => {}
            }
            return Ok(Response { head: parsed.head, body });
        }
        Err(endless_questions(&asking.unwrap_or_else(|| Party::Server(fetch.remote_name.clone()))))
    }

    /// Keeps the connection of a body that is not wanted any more, when it is worth it.
    pub(crate) async fn keep(&mut self, body: Body) {
        self.kept = body.into_connection().await;
    }

    /// Sentences for a person who wants to know more, since last asked.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.append(&mut self.proofs.notes());
        notes
    }

    /// The server that `fetch` asks, if it may learn from us who asks.
    fn server(&self, fetch: &Fetch) -> Option<Party> {
        let may = fetch.with_credentials && !self.words.prove_identity();
        may.then(|| Party::Server(fetch.remote_name.clone()))
    }

    async fn request(
        &mut self,
        fetch: &Fetch,
        server: Option<&Party>,
        proxy: Option<&Party>,
    ) -> Result<Zeroizing<String>, FetchError> {
        let method = self.words.method.as_str();
        let name = &fetch.remote_name;
        let mut proved = Proved::default();
        if let Some(server) = server {
            proved.to_server = self.proofs.authorization(server, method, name.request_target()).await?;
        }
        let target = match proxy {
            None => name.request_target(),
            Some(proxy) => {
                proved.to_proxy = self.proofs.authorization(proxy, method, name.as_str()).await?;
                name.as_str()
            }
        };
        Ok(request::for_file(fetch, target, &self.words, &proved, &self.settings.user_agent))
    }

    /// A server asks who it is speaking to and is not to learn it from us.
    fn unanswered(&self, fetch: &Fetch) -> FetchError {
        let authority = fetch.remote_name.authority();
        question_without_answer(if fetch.with_credentials {
            format!("{authority} does not accept the Authorization header of the job")
        } else {
            format!(
                "a redirect led to {authority}, which asks for credentials; the job's are for the server of \
                 its URL alone"
            )
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("kept", &self.kept.is_some()).finish_non_exhaustive()
    }
}
