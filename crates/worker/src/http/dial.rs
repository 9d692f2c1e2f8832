//! From a name to a connection: its addresses in order, then TLS.

use std::net::SocketAddr;

use bits_core::remote_name::RemoteName;
use bits_core::transfer::{TransportError, TransportFault};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::Stream;
use super::settings::Timeouts;
use super::tls::{self, TlsTrust};

/// Addresses of one name that are tried. More only make a dead host take longer.
const ADDRESSES_MAX: usize = 8;

/// Connects to the server that `name` is on.
pub(super) async fn dial(
    name: &RemoteName,
    timeouts: &Timeouts,
    trust: &TlsTrust,
) -> Result<Stream, TransportError> {
    let stream = connect(name, timeouts).await?;
    // Requests are one small write each; waiting to join them with another gains nothing.
    let _ = stream.set_nodelay(true);
    if !name.is_tls() {
        return Ok(Stream::Plain(stream));
    }
    match timeout(timeouts.connect, trust.secure(name.host(), stream)).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            let (fault, message) = tls::fault_of(&error, &name.authority());
            Err(TransportError { fault, message })
        }
        Err(_) => Err(TransportError {
            fault: TransportFault::TimedOut,
            message: format!("{} took the connection and did not agree on TLS in time", name.authority()),
        }),
    }
}

async fn connect(name: &RemoteName, timeouts: &Timeouts) -> Result<TcpStream, TransportError> {
    let failed = |fault, message| TransportError { fault, message };
    let mut last = None;
    for address in addresses(name, timeouts).await? {
        match timeout(timeouts.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                let message = format!("{} does not take a connection ({address}: {error})", name.authority());
                last = Some(failed(TransportFault::CannotConnect, message));
            }
            Err(_) => {
                let message = format!("{} does not answer ({address})", name.authority());
                last = Some(failed(TransportFault::TimedOut, message));
            }
        }
    }
    Err(last.expect("a name that was found has an address"))
}

async fn addresses(name: &RemoteName, timeouts: &Timeouts) -> Result<Vec<SocketAddr>, TransportError> {
    let failed = |fault, message| TransportError { fault, message };
    let host = name.host().trim_matches(['[', ']']);
    match timeout(timeouts.connect, tokio::net::lookup_host((host, name.port()))).await {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.take(ADDRESSES_MAX).collect();
            if found.is_empty() {
                let message = format!("the host {host} has no address");
                return Err(failed(TransportFault::NameNotResolved, message));
            }
            Ok(found)
        }
        Ok(Err(error)) => {
            let message = format!("the host {host} is not found: {}", lookup_words(&error));
            Err(failed(TransportFault::NameNotResolved, message))
        }
        Err(_) => {
            let message = format!("nobody says in time where the host {host} is");
            Err(failed(TransportFault::NameNotResolved, message))
        }
    }
}

/// The resolver's own words, without what the standard library puts before them.
fn lookup_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").map_or(text.clone(), str::to_owned)
}
