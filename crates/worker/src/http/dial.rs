//! From a name to a connection: its addresses, of both families, race for it (RFC 8305).

use std::net::SocketAddr;
use std::time::Duration;

use bits_core::transfer::{TransportError, TransportFault};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::{Escort, Stream, lack};
use super::route::Place;
use super::settings::Timeouts;
use crate::pacing::JobPacing;

/// Addresses of one name that are tried. More only make a dead host take longer.
const ADDRESSES_MAX: usize = 8;
/// How long an address may take before the next is tried beside it (RFC 8305 §8).
const RACE_DELAY: Duration = Duration::from_millis(250);

/// Connects to `place`, on the way to `server` (`host:port`), to which there may be so many connections.
/// What is secure about it comes later.
pub(super) async fn dial(
    place: Place<'_>,
    timeouts: &Timeouts,
    pacing: &JobPacing,
    server: &str,
) -> Result<Stream, TransportError> {
    let slot = pacing.slot(server).await;
    let stream = connect(place, timeouts).await?;
    // Requests are one small write each; waiting to join them with another gains nothing.
    let _ = stream.set_nodelay(true);
    // Before anything else is said: what was advertised cannot be taken back.
    let paced = pacing.join(&stream);
    Ok(Stream::Plain(stream, Escort { paced, _slot: slot }))
}

async fn connect(place: Place<'_>, timeouts: &Timeouts) -> Result<TcpStream, TransportError> {
    let addresses = by_turns(addresses(place, timeouts).await?);
    race(addresses.into_iter().map(|address| attempt(place, address, timeouts.connect))).await
}

async fn attempt(
    place: Place<'_>,
    address: SocketAddr,
    patience: Duration,
) -> Result<TcpStream, TransportError> {
    let failed = |fault, message| TransportError { fault, message };
    match timeout(patience, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            if let Some(lack) = lack(place, &error) {
                return Err(lack);
            }
            let message = format!("{place} does not take a connection ({address}: {error})");
            Err(failed(TransportFault::CannotConnect, message))
        }
        Err(_) => {
            let message = format!("{place} does not answer within {patience:?} ({address}; connect_timeout)");
            Err(failed(TransportFault::TimedOut, message))
        }
    }
}

/// The addresses in the order they are tried: the two families take turns, beginning with the one
/// that the system's resolver prefers (RFC 8305 §4).
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let prefers_6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == prefers_6);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [preferred.next(), others.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// Begins one attempt after the other, each when the one before has failed or has taken longer than
/// [`RACE_DELAY`], until one succeeds. What is under way then is given up.
async fn race<T, E>(attempts: impl Iterator<Item = impl Future<Output = Result<T, E>>>) -> Result<T, E> {
    let mut attempts = attempts.peekable();
    let mut racing = FuturesUnordered::new();
    let mut failed = None;
    loop {
        racing.extend(attempts.next());
        let ended = match attempts.peek() {
            None => racing.next().await,
            Some(_) => match timeout(RACE_DELAY, racing.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
        };
        match ended {
            Some(Ok(first)) => return Ok(first),
            Some(Err(error)) => failed = Some(error),
            None => return Err(failed.expect("a name that was found has an address")),
        }
    }
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
            if let Some(lack) = lack(place, &error) {
                return Err(lack);
            }
            let message = format!("{what} {host} is not found: {}", lookup_words(&error));
            Err(failed(TransportFault::NameNotResolved, message))
        }
        Err(_) => {
            let patience = timeouts.connect;
            let message = format!("nobody says within {patience:?} where {what} {host} is (connect_timeout)");
            Err(failed(TransportFault::NameNotResolved, message))
        }
    }
}

/// The resolver's own words, without what the standard library puts before them.
fn lookup_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Ready, pending, ready};
    use std::pin::Pin;

    type Attempt = Pin<Box<dyn Future<Output = Result<u8, u8>>>>;

    fn now(outcome: Result<u8, u8>) -> Attempt {
        let ready: Ready<_> = ready(outcome);
        Box::pin(ready)
    }

    fn later(after: Duration, outcome: Result<u8, u8>) -> Attempt {
        Box::pin(async move {
            tokio::time::sleep(after).await;
            outcome
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_holds_up_the_next_one_for_a_moment_only() {
        let slow = RACE_DELAY * 3;
        for (attempts, expected) in [
            (vec![now(Ok(1)), now(Ok(2))], Ok(1)),
            (vec![now(Err(1)), now(Ok(2))], Ok(2)),
            (vec![Box::pin(pending()) as Attempt, now(Ok(2))], Ok(2)),
            (vec![later(RACE_DELAY / 2, Ok(1)), now(Ok(2))], Ok(1)),
            (vec![later(slow, Ok(1)), later(slow, Ok(2))], Ok(1)),
            (vec![later(slow, Err(1)), now(Err(2))], Err(1)),
            (vec![now(Err(1)), now(Err(2))], Err(2)),
        ] {
            assert_eq!(race(attempts.into_iter()).await, expected);
        }
    }

    #[test]
    fn the_families_take_turns_beginning_with_the_preferred_one() {
        let parse = |text: &str| -> Vec<SocketAddr> {
            text.split(' ').map(|address| address.parse().expect("an address")).collect()
        };
        let ordered = by_turns(parse("[::1]:1 [::2]:1 1.1.1.1:1 2.2.2.2:1 3.3.3.3:1"));
        assert_eq!(ordered, parse("[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 3.3.3.3:1"));
        let ordered = by_turns(parse("1.1.1.1:1 2.2.2.2:1 [::1]:1"));
        assert_eq!(ordered, parse("1.1.1.1:1 [::1]:1 2.2.2.2:1"));
    }
}
