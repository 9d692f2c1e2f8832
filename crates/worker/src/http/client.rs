//! Asks one thing after the other, proves who asks, and keeps the connection.

mod certificate;
mod opening;
mod revocation;

use std::fmt;
use std::sync::Arc;

use bits_core::error::JobError;
use bits_core::file::FileIndex;
use bits_core::proxy::{ProxyAddress, ProxyRules};
use bits_core::remote_name::RemoteName;
use bits_core::transfer::{Fetch, ResponseHead, TransportError};

use crate::certificates::CertificateCheck;

use super::body::Body;
use super::connection::Connection;
use super::pool::Pool;
use super::proofs::{AttemptIdentity, Party, Proofs, endless_questions, question_without_answer};
use super::protocols::Known;
use super::request::{self, OwnersWords, Proved};
use super::settings::HttpSettings;
use super::sharing::Sharing;
use super::tls::{AttemptTls, CertificateAsked, Revocations, TlsOptions, TlsTrust};
use super::tls::{certificate_not_taken, certificate_refused};
use crate::pacing::{JobPacing, JobRate};

/// Requests sent for one answer at most: the legs of each scheme to server and proxy, and one lost
/// connection each.
const ROUNDS_MAX: u32 = 40;

/// How often a request is made again at once that the server says it has not looked at.
const UNPROCESSED_MAX: u32 = 2;

/// The HTTP of one attempt.
pub(crate) struct Client {
    settings: Arc<HttpSettings>,
    tls: AttemptTls,
    revocations: Revocations,
    pacing: JobPacing,
    proxies: ProxyRules,
    words: Arc<OwnersWords>,
    proofs: Proofs,
    certificate_check: Option<CertificateCheck>,
    kept: Option<Connection>,
    pool: Pool,
    sharing: Sharing,
    /// Whether other files come at the same time as those asked for here.
    among_many: bool,
    /// Whether the server that was spoken to last wanted another version of HTTP than was offered.
    other_protocol: bool,
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
        (pool, pacing): (Pool, JobPacing),
        tls: TlsOptions,
        proxies: ProxyRules,
        words: OwnersWords,
        identity: AttemptIdentity,
    ) -> Self {
        let tls = AttemptTls::new(trust, tls);
        // What goes over a shared connection is mixed: a job that may have to show who asks shares with
        // itself.
        let is_anonymous =
            tls.is_ordinary() && identity.credentials.is_empty() && words.secret_headers.is_empty();
        let sharing = if is_anonymous { pool.sharing().clone() } else { Sharing::default() };
        Self {
            settings,
            tls,
            revocations: Revocations::default(),
            pacing,
            proxies,
            words: Arc::new(words),
            proofs: Proofs::new(identity),
            certificate_check: None,
            kept: None,
            pool,
            sharing,
            among_many: false,
            other_protocol: false,
            unreached: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The same, with a program to be asked about each server's certificate.
    pub(crate) fn asking_about_certificates(mut self, check: Option<CertificateCheck>) -> Self {
        self.certificate_check = check;
        self
    }

    /// One that asks for the same owner over a connection of its own.
    pub(crate) fn another(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            tls: self.tls.clone(),
            revocations: self.revocations.clone(),
            proxies: self.proxies.clone(),
            words: self.words.clone(),
            proofs: self.proofs.of_another_connection(),
            certificate_check: self.certificate_check.clone(),
            kept: None,
            pool: self.pool.clone(),
            sharing: self.sharing.clone(),
            among_many: self.among_many,
            other_protocol: false,
            pacing: self.pacing.clone(),
            unreached: self.unreached.clone(),
            notes: Vec::new(),
        }
    }

    /// How fast the job may be.
    pub(crate) fn rate(&self) -> &Arc<JobRate> {
        self.pacing.rate()
    }

    /// Whether a further connection to the server of `name` is nobody else's turn.
    pub(crate) fn may_open_further(&self, name: &RemoteName) -> bool {
        self.pacing.slots().has_room(&name.authority())
    }

    /// Whether somebody waits for what a connection to the server of `name` takes.
    pub(crate) fn is_waited_for(&self, name: &RemoteName) -> bool {
        self.pacing.slots().is_waited_for(&name.authority())
    }

    /// Whether a connection to the server of `name` is kept here.
    pub(crate) fn keeps(&self, name: &RemoteName) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.origin.same_origin(name))
    }

    /// Closes the kept connection when somebody else waits for one.
    pub(crate) fn make_room(&mut self) {
        let is_wanted = |kept: &Connection| self.pacing.slots().is_waited_for(&kept.origin.authority());
        if self.kept.as_ref().is_some_and(|kept| kept.shared().is_none() && is_wanted(kept)) {
            self.kept = None;
        }
    }

    /// Says whether other files come at the same time as the next ones that are asked for here.
    pub(crate) fn among_many(&mut self, among_many: bool) {
        self.among_many = among_many;
    }

    /// Whether many may ask at the same time as this one, at no cost of a connection for each.
    pub(crate) fn is_shared(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.shared().is_some())
    }

    /// Asks for `fetch`, which is of `file`, and proves who asks where that is wanted.
    pub(crate) async fn fetch(&mut self, fetch: &Fetch, file: FileIndex) -> Result<Response, FetchError> {
        let server = self.server(fetch);
        let mut asking = None;
        let mut unprocessed = 0;
        for _ in 0..ROUNDS_MAX {
            let mut connection = self.connection(fetch, file, server.as_ref()).await?;
            let proxy = connection.route().reader().cloned().map(Party::Proxy);
            let parties = || server.iter().chain(&proxy);
            let (target, proved) = self.proved(fetch, server.as_ref(), proxy.as_ref()).await?;
            let is_anonymous = proved.is_nothing() && !self.words.tell_secrets(fetch);
            connection.is_anonymous &= is_anonymous && self.tls.is_ordinary();
            connection.limit_window(self.pacing.rate().window());
            let was_used = connection.is_used();
            let asked = connection.certificate_asked;
            let authority = connection.authority.clone();
            let request = request::for_file(fetch, target, &self.words, &proved, &self.settings.user_agent);
            let parsed = match connection.exchange(&request, &self.settings.timeouts).await {
                Ok(parsed) => parsed,
                Err(failed) => {
                    let was_bound = parties().any(|party| self.proofs.is_connection_bound(party));
                    for party in parties() {
                        self.proofs.connection_lost(party)?;
                    }
                    if failed.wants_http_1 && connection.shared().is_some() {
                        self.pool.protocols().remember(&fetch.remote_name, Known::Http1);
                        continue;
                    }
                    if failed.was_not_processed && unprocessed < UNPROCESSED_MAX {
                        unprocessed += 1;
                        continue;
                    }
                    // Over a shared connection nobody knows what the server has begun with; what may not
                    // be done twice is not asked twice (RFC 9110 §9.2.2).
                    let may_be_repeated = connection.shared().is_none()
                        || matches!(self.words.method_of(fetch), "GET" | "HEAD");
                    if failed.nothing_came && (was_used || was_bound) && may_be_repeated {
                        continue;
                    }
                    if failed.is_about_our_certificate && asked != CertificateAsked::No {
                        let given = asked == CertificateAsked::Given;
                        return Err(certificate_refused(&authority, given, &failed.error.message));
                    }
                    return Err(FetchError::Transport(failed.error));
                }
            };
            if asked == CertificateAsked::InVain && matches!(parsed.head.status, 400 | 403) {
                let said = format!("it answers {} without one", parsed.head.status);
                return Err(certificate_refused(&authority, false, &said));
            }
            if asked == CertificateAsked::Given && matches!(parsed.head.status, 400 | 403) {
                return Err(certificate_not_taken(&authority, parsed.head.status, file));
            }
            let body = Body::new(connection, &parsed, self.settings.timeouts.read_idle, self.pacing.rate());
            let asks = |party: &&Party| party.names().status == parsed.head.status;
            if let Some(proxy) = proxy.as_ref().filter(asks) {
                self.challenged(proxy, &parsed.head, body).await?;
                asking = Some(proxy.clone());
                continue;
            }
            // Who let the request through is content, whatever the server says to it.
            if let Some(proxy) = &proxy {
                self.proofs.accepted(proxy, &parsed.head).await?;
            }
            match &server {
                Some(server) if asks(&server) => {
                    self.challenged(server, &parsed.head, body).await?;
                    asking = Some(server.clone());
                    continue;
                }
                Some(server) => self.proofs.accepted(server, &parsed.head).await?,
                None if parsed.head.status == 401 => return Err(self.unanswered(fetch)),
                None => {}
            }
            return Ok(Response { head: parsed.head, body });
        }
        Err(endless_questions(&asking.unwrap_or_else(|| Party::Server(fetch.remote_name.clone()))))
    }

    /// Keeps the connection of a body that is not wanted any more, when it is worth it.
    pub(crate) async fn keep(&mut self, body: Body) {
        let connection = body.into_connection().await;
        self.put_by();
        self.kept = connection;
    }

    /// Whether [`Client::for_thread`] makes a difference.
    pub(crate) fn may_block(&self) -> bool {
        self.kept.as_ref().is_some_and(Connection::may_block)
    }

    /// Prepares for a thread that may block.
    pub(crate) fn for_thread(&mut self) {
        self.kept = self.kept.take().and_then(Connection::for_thread);
    }

    /// Undoes [`Client::for_thread`], on that thread.
    pub(crate) fn for_runtime(&mut self) {
        self.kept = self.kept.take().and_then(Connection::for_runtime);
    }

    /// Lets others have the kept connection, if they may.
    fn put_by(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.pool.put(kept);
        }
    }

    /// Sentences for a person who wants to know more, since last asked.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.append(&mut self.proofs.notes());
        notes
    }

    /// `party` wants to know who asks. The connection is kept meanwhile, as the next message may have
    /// to go over it.
    async fn challenged(&mut self, party: &Party, head: &ResponseHead, body: Body) -> Result<(), FetchError> {
        let is_shared = body.is_shared();
        self.keep(body).await;
        if !self.proofs.challenged(party, head).await? {
            self.kept = None;
        }
        if let Party::Server(name) = party
            && is_shared
            && self.proofs.is_connection_bound(party)
        {
            // What proves who one is to a connection would prove it for all that share this one.
            self.kept = None;
            self.pool.protocols().remember(name, Known::Http1);
        }
        Ok(())
    }

    /// The server that `fetch` asks, if it may learn from us who asks.
    fn server(&self, fetch: &Fetch) -> Option<Party> {
        let may = fetch.with_credentials && !self.words.prove_identity();
        may.then(|| Party::Server(fetch.remote_name.clone()))
    }

    /// What is asked for where `fetch` is, and the proofs that go along.
    async fn proved<'a>(
        &mut self,
        fetch: &'a Fetch,
        server: Option<&Party>,
        proxy: Option<&Party>,
    ) -> Result<(&'a str, Proved), FetchError> {
        let method = self.words.method_of(fetch);
        let name = &fetch.remote_name;
        let mut proved = Proved::default();
        if let Some(server) = server {
            proved.to_server = self.proofs.authorization(server, method, name.request_target()).await?;
        }
        let Some(proxy) = proxy else { return Ok((name.request_target(), proved)) };
        proved.to_proxy = self.proofs.authorization(proxy, method, name.as_str()).await?;
        Ok((name.as_str(), proved))
    }

    /// A server asks who it is speaking to and is not to learn it from us.
    fn unanswered(&self, fetch: &Fetch) -> FetchError {
        let authority = fetch.remote_name.authority();
        question_without_answer(if fetch.with_credentials {
            format!("{authority} does not accept the Authorization header of the job")
        } else {
            format!(
                "{authority}, to which a redirect or a mirror has led, asks for credentials; the job's are for the \
                 server of its URL alone"
            )
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.put_by();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("kept", &self.kept.is_some()).finish_non_exhaustive()
    }
}
