//! An HTTP server among the peers: where it is, what it has, what it was asked.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::requests::{self, Request};
use super::set::Lines;

/// An HTTP server among the peers.
#[derive(Debug)]
pub struct Server {
    url: String,
    address: String,
    files: PathBuf,
    log: PathBuf,
}

impl Server {
    pub(super) fn new(lines: &Lines, prefix: &str) -> Self {
        let get = |name: &str| lines.get(&format!("{prefix}_{name}"));
        let url = get("URL");
        let port = url.rsplit(':').next().expect("a text has a last part");
        Self {
            url: url.to_owned(),
            address: format!("127.0.0.1:{port}"),
            files: get("FILES").into(),
            log: get("LOG").into(),
        }
    }

    /// The URL of `target`, a path with or without a query, over plain HTTP.
    pub fn url(&self, target: &str) -> String {
        format!("{}{target}", self.url)
    }

    /// Where it listens for plain HTTP, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A target for the file at `path` that nobody else asks for, so that requests for it can
    /// be counted while other tests run.
    pub fn unique(&self, path: &str) -> String {
        static TARGETS: AtomicU32 = AtomicU32::new(0);
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}n={}", TARGETS.fetch_add(1, Ordering::Relaxed))
    }

    /// One of the files it has in each of its locations.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// The requests for `target` that are over, from its own log, oldest first.
    ///
    /// With a query, `target` is meant exactly; without, with any query. A request whose answer
    /// its client has read to the end is there; one still under way is not.
    #[track_caller]
    pub fn requests(&self, target: &str) -> Vec<Request> {
        requests::of(&self.log, &self.address, target)
    }
}
