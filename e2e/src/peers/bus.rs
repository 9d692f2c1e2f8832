//! A private session bus with a Secret Service, one for each test that asks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::set::Lines;
use crate::ground::scripts;
use crate::run::Run;

/// What there is of a Secret Service on a [`Bus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// One that stores and finds.
    Unlocked,
    /// One that must be unlocked first, by asking a person there is no way to ask.
    Locked,
    /// Nothing.
    None,
}

/// A session bus. Dropped, it is stopped.
#[derive(Debug)]
pub struct Bus {
    address: String,
    name: String,
    folder: PathBuf,
}

impl Bus {
    #[track_caller]
    pub(super) fn start(folder: &Path, keyring: Keyring) -> Self {
        static BUSES: AtomicU32 = AtomicU32::new(0);
        let name = format!("bus{}", BUSES.fetch_add(1, Ordering::Relaxed));
        let keyring = match keyring {
            Keyring::Unlocked => "unlocked",
            Keyring::Locked => "locked",
            Keyring::None => "none",
        };
        let started = Run::new(scripts().join("bus"))
            .arg(folder)
            .args(["--name", &name, "--keyring", keyring])
            .finish()
            .expect_code(0);
        let address = Lines::of(&started.stdout).get("DBUS_SESSION_BUS_ADDRESS").to_owned();
        Self { address, name, folder: folder.to_owned() }
    }

    /// A client's `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        Run::new(scripts().join("stop")).arg("--rm").arg(&self.folder).arg(&self.name).finish();
    }
}
