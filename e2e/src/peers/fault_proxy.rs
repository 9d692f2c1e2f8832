//! A faulty TCP proxy in front of a server: `tests/peers/faultproxy.py`, which does the harm.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::set::Lines;
use crate::ground::scripts;
use crate::run::Run;

/// A faulty proxy. Dropped, it is stopped.
#[derive(Debug)]
pub struct FaultProxy {
    url: String,
    address: String,
    name: String,
    folder: PathBuf,
}

impl FaultProxy {
    #[track_caller]
    pub(super) fn start(folder: &Path, address: &str, faults: &[&str]) -> Self {
        static PROXIES: AtomicU32 = AtomicU32::new(0);
        let name = format!("faultproxy{}", PROXIES.fetch_add(1, Ordering::Relaxed));
        let started = Run::new(scripts().join("faultproxy"))
            .arg(folder)
            .args(["--name", &name, "--to", address])
            .args(faults)
            .env("FAULTPROXY_PORT", "0")
            .finish()
            .expect_code(0);
        let lines = Lines::of(&started.stdout);
        Self {
            url: lines.get("FAULTPROXY_URL").to_owned(),
            address: lines.get("FAULTPROXY_ADDRESS").to_owned(),
            name,
            folder: folder.to_owned(),
        }
    }

    /// The URL of `target` by way of it.
    pub fn url(&self, target: &str) -> String {
        format!("{}{target}", self.url)
    }

    /// Where it listens, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        Run::new(scripts().join("stop")).arg("--rm").arg(&self.folder).arg(&self.name).finish();
    }
}
