//! A private system bus with what a desktop tells on it, one for each test that asks.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::set::Lines;
use crate::ground::{ground, make_folder, scripts};
use crate::run::Run;

const NETWORK_MANAGER: [&str; 2] = ["org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager"];
const UPOWER: [&str; 2] = ["org.freedesktop.UPower", "/org/freedesktop/UPower"];
const LOGIND: [&str; 2] = ["org.freedesktop.login1", "/org/freedesktop/login1"];
const LOGIND_USER: &str = "/org/freedesktop/login1/user/me";
const MOCK: &str = "org.freedesktop.DBus.Mock";

/// A system bus with NetworkManager, UPower and systemd-logind on it, all of them mocked. Dropped, it is
/// stopped.
#[derive(Debug)]
pub struct Desktop {
    address: String,
    name: String,
    folder: PathBuf,
}

impl Desktop {
    #[track_caller]
    pub(super) fn start() -> Self {
        static DESKTOPS: AtomicU32 = AtomicU32::new(0);
        let name = format!("desktop{}", DESKTOPS.fetch_add(1, Ordering::Relaxed));
        let folder = ground().join("desktops");
        if !folder.exists() {
            make_folder(&folder, 0o755);
        }
        let started =
            Run::new(scripts().join("desktop")).arg(&folder).args(["--name", &name]).finish().expect_code(0);
        let address = Lines::of(&started.stdout).get("DBUS_SYSTEM_BUS_ADDRESS").to_owned();
        Self { address, name, folder }
    }

    /// A client's `DBUS_SYSTEM_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What NetworkManager says: one of `NMMetered`, of which 1 is yes, 2 no, 3 and 4 are guesses.
    #[track_caller]
    pub fn metered(&self, metered: u32) {
        let [name, path] = NETWORK_MANAGER;
        self.busctl(&["set-property", name, path, name, "Metered", "u", &metered.to_string()]);
    }

    /// What UPower says.
    #[track_caller]
    pub fn on_battery(&self, yes: bool) {
        let [name, path] = UPOWER;
        self.busctl(&["set-property", name, path, name, "OnBattery", "b", &yes.to_string()]);
    }

    /// What systemd-logind says of the user: `active`, `online`, `lingering`, `closing`.
    #[track_caller]
    pub fn user_is(&self, state: &str) {
        let [name, path] = LOGIND;
        let user = [name, ".User"].concat();
        let update = ["call", name, LOGIND_USER, MOCK, "UpdateProperties", "sa{sv}"];
        self.busctl(&[&update[..], &[&user, "1", "State", "s", state]].concat());
        // Of this property the real one tells nothing; it tells of sessions.
        let manager = [name, ".Manager"].concat();
        let emit = ["call", name, path, MOCK, "EmitSignal", "sssav"];
        self.busctl(&[&emit[..], &[&manager, "SessionRemoved", "so", "2", "s", "c1", "o", "/c1"]].concat());
    }

    #[track_caller]
    fn busctl(&self, words: &[&str]) {
        let address = format!("--address={}", self.address);
        Run::new("busctl").arg(address).args(words).finish().expect_code(0);
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        Run::new(scripts().join("stop")).arg("--rm").arg(&self.folder).arg(&self.name).finish();
    }
}
