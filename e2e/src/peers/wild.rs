//! Servers that are set up as the world has them: what a download may meet there, and files that a test
//! changes under it.

use std::path::PathBuf;

use super::set::Lines;

/// nginx, Apache and a caching squid; see `tests/peers/wild` for their locations.
#[derive(Debug)]
pub struct Wild {
    /// `HOST:PORT`, as the others.
    pub nginx: String,
    pub apache: String,
    /// A proxy that keeps what it once had, and asks nobody whether it is still so.
    pub squid: String,
    files: PathBuf,
}

impl Wild {
    pub(super) fn new(lines: &Lines) -> Self {
        let get = |name: &str| lines.get(&format!("WILD_{name}")).to_owned();
        let files = get("FILES").into();
        Self { nginx: get("NGINX"), apache: get("APACHE"), squid: get("SQUID"), files }
    }

    /// Where both servers have the file called `name`; who tests writes it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }
}
