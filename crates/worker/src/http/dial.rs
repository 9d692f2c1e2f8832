//! From a name to a connection: its addresses in order, then TLS.

use std::net::SocketAddr;

use bits_core::transfer::{TransportError, TransportFault};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::Stream;
use super::route::Place;
use super::settings::Timeouts;
use super::tls::{self, TlsTrust};
use crate::pacing::JobPacing;

/// Addresses of one name that are tried. More only make a dead host take longer.
const ADDRESSES_MAX: usize = 8;

/// Connects to `place`, over TLS where that is its way.
pub(super) async fn dial(
    place: Place<'_>,
    timeouts: &Timeouts,
    trust: &TlsTrust,
    pacing: &JobPacing,
) -> Result<Stream, TransportError> {
    let stream = connect(place, timeouts).await?;
    // Requests are one small write each; waiting to join them with another gains nothing.
    let _ = stream.set_nodelay(true);
    // Before anything else is said: what was advertised cannot be taken back.
    let paced = pacing.join(&stream);
    let stream = Stream::Plain(stream, paced);
    match place.is_tls() {
        true => secure(place.host(), &place.to_string(), stream, timeouts, trust).await,
        false => Ok(stream),
    }
}

/// Agrees on TLS with `host`, which a sentence calls `shown`, at the other end of `stream`.
pub(super) async fn secure(
    host: &str,
    shown: &str,
    stream: Stream,
    timeouts: &Timeouts,
    trust: &TlsTrust,
) -> Result<Stream, TransportError> {
    match timeout(timeouts.connect, trust.secure(host, stream)).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            let (fault, message) = tls::fault_of(&error, shown);
            Err(TransportError { fault, message })
        }
        Err(_) => Err(TransportError {
            fault: TransportFault::TimedOut,
            message: format!("{shown} took the connection and did not agree on TLS in time"),
        }),
    }
}

async fn connect(place: Place<'_>, timeouts: &Timeouts) -> Result<TcpStream, TransportError> {
    let failed = |fault, message| TransportError { fault, message };
    let mut last = None;
    for address in addresses(place, timeouts).await? {
        match timeout(timeouts.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                let message = format!("{place} does not take a connection ({address}: {error})");
                last = Some(failed(TransportFault::CannotConnect, message));
            }
            Err(_) => {
                let message = format!("{place} does not answer ({address})");
                last = Some(failed(TransportFault::TimedOut, message));
            }
        }
    }
    Err(last.expect("a name that was found has an address"))
}

async fn addresses(place: Place<'_>, timeouts: &Timeouts) -> Result<Vec<SocketAddr>, TransportError> {
    let failed = |fault, message| TransportError { fault, message };
    let host = place.host().trim_matches(['[', ']']);
    let what = match place {
        Place::Server(_) => "the host",
        Place::Proxy(_) => "the proxy",
    };
    match timeout(timeouts.connect, tokio::net::lookup_host((host, place.port()))).await {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.take(ADDRESSES_MAX).collect();
            if found.is_empty() {
                let message = format!("{what} {host} has no address");
                return Err(failed(TransportFault::NameNotResolved, message));
            }
            Ok(found)
        }
        Ok(Err(error)) => {
            let message = format!("{what} {host} is not found: {}", lookup_words(&error));
            Err(failed(TransportFault::NameNotResolved, message))
        }
        Err(_) => {
            let message = format!("nobody says in time where {what} {host} is");
            Err(failed(TransportFault::NameNotResolved, message))
        }
    }
}

/// The resolver's own words, without what the standard library puts before them.
fn lookup_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").map_or(text.clone(), str::to_owned)
}
