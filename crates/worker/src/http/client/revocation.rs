//! Fetches the lists of revoked certificates that a server's certificates name, before anything is
//! said to the server.
//!
//! They come over plain http, as they are signed, and by the proxies of the job; nobody is told who
//! asks, and nothing of the owner's goes along.

use std::time::Duration;

use bits_core::remote_name::RemoteName;
use bits_core::transfer::{BodyEnd, Fetch};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use super::Client;
use crate::http::body::{Body, Received};
use crate::http::client::FetchError;
use crate::http::connection::Connection;
use crate::http::request::{self, OwnersWords, Proved};

/// Bytes of one list; the largest that are published have some ten million.
const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long one list may take.
const LIST_TIME: Duration = Duration::from_secs(30);

impl Client {
    /// Makes sure that the certificate shown on `connection` has not been revoked.
    pub(super) async fn check_revocation(&mut self, connection: &Connection) -> Result<(), FetchError> {
        let chain: Vec<CertificateDer<'static>> = connection.certificates().to_vec();
        for url in self.revocations.missing(&chain) {
            // What is missing in the end is seen when the chain is checked.
            match timeout(LIST_TIME, self.list(&url)).await {
                Ok(Ok(list)) => {
                    if let Err(why) = self.revocations.add(&url, &list) {
                        self.notes.push(format!("{url}: {why}"));
                    }
                }
                Ok(Err(why)) => self.notes.push(format!("the list of revoked certificates {url} {why}")),
                Err(_) => self.notes.push(format!("the list of revoked certificates {url} takes too long")),
            }
        }
        self.revocations.check(&self.tls.trust, &chain, &connection.authority)
    }

    /// The list at `url`, or the end of a sentence that says why there is none.
    async fn list(&mut self, url: &str) -> Result<Vec<u8>, String> {
        let name = RemoteName::stored(url).map_err(|_| "has an address that is none".to_owned())?;
        if name.is_tls() {
            return Err("is published over https, whose certificate would want a list in turn".to_owned());
        }
        let unreachable = |error: FetchError| match error {
            FetchError::Transport(error) => format!("is not reached: {}", error.message),
            FetchError::Refused(error) => format!("is not reached: {}", error.message),
        };
        // The connection in question is held meanwhile: who holds one does not wait for a second.
        let pacing = self.pacing.of_no_transfer();
        let pacing = std::mem::replace(&mut self.pacing, pacing);
        let opened = self.open(&name).await;
        self.pacing = pacing;
        let mut connection = opened.map_err(unreachable)?;
        let target =
            if connection.route().reader().is_some() { name.as_str() } else { name.request_target() };
        let fetch = Fetch { remote_name: name.clone(), range: None, with_credentials: false, as_get: false };
        let (words, proved) = (OwnersWords::default(), Proved::default());
        let request = request::for_file(&fetch, target, &words, &proved, &self.settings.user_agent);
        let timeouts = self.settings.timeouts;
        let parsed = connection.exchange(&request, &timeouts).await;
        let parsed = parsed.map_err(|failed| format!("is not answered: {}", failed.error.message))?;
        if parsed.head.status != 200 {
            return Err(format!("is answered with {}", parsed.head.status));
        }
        let mut body = Body::new(connection, &parsed, timeouts.read_idle, self.pacing.rate());
        let mut list = vec![0; 64 * 1024];
        let mut filled = 0;
        loop {
            match body.fill(&mut list[filled..]).await {
                Ok(Received::Bytes(count)) => filled += count,
                Ok(Received::Ended(BodyEnd::Complete | BodyEnd::Closed)) => break,
                Err(error) => return Err(format!("breaks off: {}", error.message)),
            }
            if filled == list.len() {
                if filled >= LIST_BYTES_MAX {
                    return Err("is too long".to_owned());
                }
                list.resize(filled * 2, 0);
            }
        }
        list.truncate(filled);
        Ok(list)
    }
}
