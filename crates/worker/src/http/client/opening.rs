//! A connection to where a request goes: one that is kept, or a new one, by a proxy where there is
//! to be one.
//!
//! Proxies are tried one after the other until one can be reached; what that one says counts.

use bits_core::error::{ErrorContext, JobError};
use bits_core::proxy::ProxyAddress;
use bits_core::remote_name::RemoteName;
use bits_core::transfer::{Fetch, ResponseHead, TransportError, TransportFault, status_error};

use super::{Client, FetchError};
use crate::http::body::Body;
use crate::http::connection::{Connection, Stream};
use crate::http::dial::{dial, secure};
use crate::http::proofs::{Party, endless_questions};
use crate::http::request;
use crate::http::route::{Place, Route};

/// Requests sent for one tunnel at most: the legs of each scheme, and one lost connection each.
const TUNNEL_ROUNDS_MAX: u32 = 20;

impl Client {
    /// A connection over which `fetch` can be asked for.
    pub(super) async fn connection(
        &mut self,
        fetch: &Fetch,
        server: Option<&Party>,
    ) -> Result<Connection, FetchError> {
        let name = &fetch.remote_name;
        let kept = self.kept.take().filter(|kept| kept.leads_to(name));
        if let Some(connection) = kept.and_then(Connection::if_quiet) {
            return Ok(connection);
        }
        let connection = self.open(name).await?;
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

    async fn open(&mut self, name: &RemoteName) -> Result<Connection, FetchError> {
        let mut proxies: Vec<_> = self.proxies.proxies_for(name).into_iter().cloned().collect();
        if proxies.is_empty() {
            let stream =
                dial(Place::Server(name), &self.settings.timeouts, &self.trust, &self.pacing).await?;
            return Ok(Connection::new(stream, name, Route::Direct));
        }
        proxies.sort_by_key(|proxy| self.unreached.contains(proxy));
        let mut failed = None;
        for proxy in proxies {
            match dial(Place::Proxy(&proxy), &self.settings.timeouts, &self.trust, &self.pacing).await {
                Ok(stream) if name.is_tls() => return self.tunnel(stream, proxy, name).await,
                Ok(stream) => return Ok(Connection::new(stream, name, Route::Forwarded(proxy))),
                Err(error) => {
                    self.unreached.retain(|known| *known != proxy);
                    self.unreached.push(proxy);
                    if let Some(TransportError { message, .. }) = failed.replace(error) {
                        self.notes.push(message);
                    }
                }
            }
        }
        Err(FetchError::Transport(failed.expect("there is a proxy")))
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
                    let stream = dial(Place::Proxy(&proxy), &timeouts, &self.trust, &self.pacing).await?;
                    self.proofs.connected(&party, stream.certificate())?;
                    Connection::to_proxy(stream, name, &proxy)
                }
            };
            let authorization = self.proofs.authorization(&party, "CONNECT", &place).await?;
            let request = request::for_tunnel(&place, authorization.as_ref(), &self.settings.user_agent);
            let was_used = connection.is_used;
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
                kept = Body::new(connection, &parsed, timeouts.read_idle).into_connection().await;
                self.proofs.challenged(&party, &parsed.head).await?;
                continue;
            }
            self.proofs.accepted(&party, &parsed.head)?;
            if !(200..300).contains(&parsed.head.status) {
                return Err(no_tunnel(&proxy, name, &parsed.head));
            }
            if !connection.ahead.is_empty() {
                return Err(FetchError::Transport(TransportError {
                    fault: TransportFault::InvalidAnswer,
                    message: format!("the proxy {proxy} spoke into the tunnel to {place} that was just made"),
                }));
            }
            let route = Route::Tunnelled(proxy);
            let stream =
                secure(name.host(), &route.shown(name), connection.into_stream(), &timeouts, &self.trust)
                    .await?;
            return Ok(Connection::new(stream, name, route));
        }
        Err(endless_questions(&party))
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
