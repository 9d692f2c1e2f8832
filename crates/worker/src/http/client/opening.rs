//! A connection to where a request goes: one that is kept, or a new one, by a proxy where there is
//! to be one.
//!
//! Proxies are tried one after the other until one can be reached; what that one says counts.

use bits_core::error::{ErrorContext, JobError};
use bits_core::file::FileIndex;
use bits_core::proxy::ProxyAddress;
use bits_core::remote_name::RemoteName;
use bits_core::transfer::{Fetch, ResponseHead, TransportError, TransportFault, status_error};

use super::{Client, FetchError, certificate};
use crate::http::body::Body;
use crate::http::connection::{Connection, Stream};
use crate::http::dial::dial;
use crate::http::http2::Shared;
use crate::http::proofs::{Party, endless_questions};
use crate::http::protocols::{Known, Offer};
use crate::http::request;
use crate::http::route::{Place, Route};
use crate::http::settings::Http2;
use crate::http::tls::NotSecured;

/// Requests sent for one tunnel at most: the legs of each scheme, and one lost connection each.
const TUNNEL_ROUNDS_MAX: u32 = 20;

impl Client {
    /// A connection over which `fetch`, which is of `file`, can be asked for.
    pub(super) async fn connection(
        &mut self,
        fetch: &Fetch,
        file: FileIndex,
        server: Option<&Party>,
    ) -> Result<Connection, FetchError> {
        let name = &fetch.remote_name;
        let offer = self.offer(name);
        let is_wanted =
            |kept: &Connection| kept.leads_to(name) && (offer != Offer::Http1 || kept.shared().is_none());
        if !self.kept.as_ref().is_some_and(is_wanted) {
            self.put_by();
        }
        if let Some(connection) = self.kept.take().and_then(Connection::if_quiet) {
            return Ok(connection);
        }
        let connection = match offer {
            Offer::Http1 => match self.lent(name) {
                Some(connection) => connection,
                None => self.open(name).await?,
            },
            Offer::Both | Offer::Http2 => self.share(name).await?,
        };
        if name.is_tls() && self.tls.checks_revocation() {
            self.check_revocation(&connection).await?;
        }
        certificate::pass(self.certificate_check.as_ref(), &connection, name, file).await?;
        // What a proxy that reads along has shown says nothing about the server.
        let certificate = match connection.route() {
            Route::Direct | Route::Tunnelled(_) => connection.certificate(),
            Route::Forwarded(_) => None,
        };
        if let Some(server) = server {
            self.proofs.connected(server, certificate)?;
        }
        if let Route::Forwarded(proxy) = connection.route() {
            self.proofs.connected(&Party::Proxy(proxy.clone()), connection.certificate())?;
        }
        Ok(connection)
    }

    /// A connection that another job, or this one, has left for others.
    fn lent(&self, name: &RemoteName) -> Option<Connection> {
        if name.is_tls() && !self.tls.is_ordinary() {
            return None;
        }
        self.pool.take(name, &self.first_route(name))
    }

    /// A share in a connection, or one that is nobody else's where the server does not share any.
    async fn share(&mut self, name: &RemoteName) -> Result<Connection, FetchError> {
        let route = self.first_route(name);
        let mut others = self.sharing.at(name, &route, self.pacing.priority()).await;
        // Whoever was first may have learnt that there is nothing to be shared.
        let offer = self.offer(name);
        let found = match offer {
            Offer::Http1 => None,
            Offer::Both | Offer::Http2 => others.share(name, &route),
        };
        if let Some(mut share) = found {
            share.is_anonymous = self.is_of_the_pool();
            return Ok(share);
        }
        if offer == Offer::Http1 {
            drop(others);
            return match self.lent(name) {
                Some(connection) => Ok(connection),
                None => self.open(name).await,
            };
        }
        let connection = match others.has_waited() {
            true => {
                drop(others);
                let connection = self.open(name).await?;
                others = self.sharing.at(name, &route, self.pacing.priority()).await;
                connection
            }
            false => self.open(name).await?,
        };
        match connection.shared() {
            Some(_) => others.put(&connection),
            None => self.pool.protocols().remember(name, Known::Http1),
        }
        Ok(connection)
    }

    /// Whether what is shared here is shared with other jobs.
    fn is_of_the_pool(&self) -> bool {
        self.sharing.is(self.pool.sharing())
    }

    /// What the server of `name` may choose from.
    fn offer(&self, name: &RemoteName) -> Offer {
        let known = self.pool.protocols().of(name);
        Offer::to(name, self.settings.http2, known, self.among_many)
    }

    /// The way to the server of `name` that is tried first.
    fn first_route(&self, name: &RemoteName) -> Route {
        match (self.proxies_in_order(name).into_iter().next(), name.is_tls()) {
            (None, _) => Route::Direct,
            (Some(proxy), true) => Route::Tunnelled(proxy),
            (Some(proxy), false) => Route::Forwarded(proxy),
        }
    }

    fn proxies_in_order(&self, name: &RemoteName) -> Vec<ProxyAddress> {
        let mut proxies: Vec<_> = self.proxies.proxies_for(name).into_iter().cloned().collect();
        proxies.sort_by_key(|proxy| self.unreached.contains(proxy));
        proxies
    }

    /// A new connection to where the server of `name` is reached.
    pub(super) async fn open(&mut self, name: &RemoteName) -> Result<Connection, FetchError> {
        self.other_protocol = false;
        let opened = self.open_once(name).await;
        let offered = self.offer(name);
        if opened.is_ok() || !self.other_protocol || offered != Offer::Http1 {
            return opened;
        }
        // What HTTP/1.1 is required for cannot be had over HTTP/2, which may also be switched off.
        if self.pool.protocols().of(name).is_some() || self.settings.http2 == Http2::Off {
            return opened;
        }
        self.pool.protocols().remember(name, Known::Http2);
        self.open_once(name).await
    }

    async fn open_once(&mut self, name: &RemoteName) -> Result<Connection, FetchError> {
        let proxies = self.proxies_in_order(name);
        if proxies.is_empty() {
            let stream =
                dial(Place::Server(name), &self.settings.timeouts, &self.pacing, &name.authority()).await?;
            return self.secured(stream, name, Route::Direct).await;
        }
        let mut failed = None;
        for proxy in proxies {
            match self.reach(&proxy, name).await {
                Ok(stream) if name.is_tls() => return self.tunnel(stream, proxy, name).await,
                Ok(stream) => return Ok(Connection::new(stream, name, Route::Forwarded(proxy))),
                Err(error) => {
                    self.unreached.retain(|known| *known != proxy);
                    self.unreached.push(proxy);
                    if let Some(before) = failed.replace(error) {
                        self.notes.push(message_of(before));
                    }
                }
            }
        }
        Err(failed.expect("there is a proxy"))
    }

    /// The connection to the server of `name` over `stream`, which leads there, and TLS if it is to be.
    async fn secured(
        &mut self,
        stream: Stream,
        name: &RemoteName,
        route: Route,
    ) -> Result<Connection, FetchError> {
        if !name.is_tls() {
            return Ok(Connection::new(stream, name, route));
        }
        let (shown, timeouts) = (route.shown(name), self.settings.timeouts);
        let offer = self.offer(name);
        let (stream, asked) = match self.tls.secure(name.host(), &shown, stream, offer, &timeouts).await {
            Ok(secured) => secured,
            Err(NotSecured::Failed(error)) => return Err(error),
            Err(NotSecured::OtherProtocol(error)) => {
                self.other_protocol = true;
                return Err(error);
            }
        };
        if stream.speaks_http_2() {
            let ahead = self.pacing.rate().window();
            let opened = Shared::open(stream, asked, &timeouts, &shown, ahead).await?;
            let room = opened.room().expect("nothing was asked yet");
            let mut connection = Connection::sharing(opened, room, name, route);
            connection.is_anonymous = self.is_of_the_pool();
            return Ok(connection);
        }
        let mut connection = Connection::new(stream, name, route);
        connection.certificate_asked = asked;
        connection.is_anonymous = self.tls.is_ordinary();
        Ok(connection)
    }

    /// Has `proxy`, at the other end of `stream`, pass bytes on to the server of `name`, and agrees
    /// with that on TLS.
    async fn tunnel(
        &mut self,
        stream: Stream,
        proxy: ProxyAddress,
        name: &RemoteName,
    ) -> Result<Connection, FetchError> {
        let party = Party::Proxy(proxy.clone());
        let place = request::place_of(name);
        let timeouts = self.settings.timeouts;
        self.proofs.connected(&party, stream.certificate())?;
        let mut kept = Some(Connection::to_proxy(stream, name, &proxy));
        for _ in 0..TUNNEL_ROUNDS_MAX {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => {
                    let stream = self.reach(&proxy, name).await?;
                    self.proofs.connected(&party, stream.certificate())?;
                    Connection::to_proxy(stream, name, &proxy)
                }
            };
            let authorization = self.proofs.authorization(&party, "CONNECT", &place).await?;
            connection.is_anonymous &= authorization.is_none();
            let request = request::for_tunnel(&place, authorization.as_ref(), &self.settings.user_agent);
            let was_used = connection.is_used();
            let parsed = match connection.exchange(&request, &timeouts).await {
                Ok(parsed) => parsed,
                Err(failed) => {
                    let was_bound = self.proofs.is_connection_bound(&party);
                    self.proofs.connection_lost(&party)?;
                    if failed.nothing_came && (was_used || was_bound) {
                        continue;
                    }
                    return Err(FetchError::Transport(failed.error));
                }
            };
            if parsed.head.status == party.names().status {
                kept = Body::new(connection, &parsed, timeouts.read_idle, self.pacing.rate())
                    .into_connection()
                    .await;
                if !self.proofs.challenged(&party, &parsed.head).await? {
                    kept = None;
                }
                continue;
            }
            self.proofs.accepted(&party, &parsed.head).await?;
            if !(200..300).contains(&parsed.head.status) {
                return Err(no_tunnel(&proxy, name, &parsed.head));
            }
            if !connection.ahead.is_empty() {
                return Err(FetchError::Transport(TransportError {
                    fault: TransportFault::InvalidAnswer,
                    message: format!("the proxy {proxy} spoke into the tunnel to {place} that was just made"),
                }));
            }
            let is_anonymous = connection.is_anonymous;
            let mut inner = self.secured(connection.into_stream(), name, Route::Tunnelled(proxy)).await?;
            inner.is_anonymous &= is_anonymous;
            return Ok(inner);
        }
        Err(endless_questions(&party))
    }

    /// A connection to `proxy`, which is to lead to the server of `name`.
    async fn reach(&mut self, proxy: &ProxyAddress, name: &RemoteName) -> Result<Stream, FetchError> {
        let (place, timeouts) = (Place::Proxy(proxy), &self.settings.timeouts);
        let stream = dial(place, timeouts, &self.pacing, &name.authority()).await?;
        match proxy.is_tls() {
            true => self.tls.trust.secure_proxy(proxy.host(), &place.to_string(), stream, timeouts).await,
            false => Ok(stream),
        }
    }
}

fn message_of(error: FetchError) -> String {
    match error {
        FetchError::Transport(error) => error.message,
        FetchError::Refused(error) => error.message,
    }
}

/// The proxy answered with `head` where a tunnel was asked for. It counts like the same status of a
/// server: what is overloaded may recover, what is forbidden will not.
fn no_tunnel(proxy: &ProxyAddress, name: &RemoteName, head: &ResponseHead) -> FetchError {
    let error = status_error(name, head, None);
    FetchError::Refused(Box::new(JobError {
        context: ErrorContext::GeneralTransport,
        message: format!(
            "the proxy {proxy} did not connect to {}: it answered {}",
            request::place_of(name),
            head.status
        ),
        ..error
    }))
}
