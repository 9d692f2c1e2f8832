//! A private session bus for a test, with gnome-keyring on it or not, by `tests/peers/bus`.
//!
//! Where its programs are missing a test is skipped and says so, unless
//! `OPENBITS_REQUIRE_PEERS=1` is set. When this process ends, however it does, a shell stops the
//! bus and removes what it left.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What `tests/peers/bus` needs, and what the tests ask beside it.
const PROGRAMS: [&str; 4] =
    ["/usr/bin/dbus-daemon", "/usr/bin/dbus-send", "/usr/bin/gnome-keyring-daemon", "/usr/bin/secret-tool"];

pub(crate) struct Bus {
    pub(crate) address: String,
    /// Holds the pipe that the shell waits at.
    _guard: Child,
}

impl Bus {
    /// Starts one whose keyring is `unlocked`, `locked` or `none`.
    pub(crate) fn start(keyring: &str) -> Option<Self> {
        let missing: Vec<_> = PROGRAMS.into_iter().filter(|program| !Path::new(program).exists()).collect();
        if !missing.is_empty() {
            let what = format!("{} missing; tests/peers/install brings them", missing.join(" "));
            assert!(std::env::var_os("OPENBITS_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{what}");
            let thread = std::thread::current();
            // Not eprintln!, which the test runner keeps to itself when a test succeeds.
            let _ = writeln!(std::io::stderr(), "skipped: {}: {what}", thread.name().unwrap_or("a test"));
            return None;
        }
        let folder = tempfile::Builder::new().prefix("bits-bus").tempdir().unwrap().keep();
        let guard = Command::new("sh")
            .args(["-c", "read -r _; exec \"$0\" --rm \"$1\" >/dev/null 2>&1"])
            .arg(scripts().join("stop"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Command::new(scripts().join("bus"))
            .arg(&folder)
            .args(["--keyring", keyring])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&started.stdout);
        assert!(started.status.success(), "{printed}{}", String::from_utf8_lossy(&started.stderr));
        let address = printed.lines().find_map(|line| line.strip_prefix("DBUS_SESSION_BUS_ADDRESS="));
        Some(Self { address: address.expect("the script prints it").to_owned(), _guard: guard })
    }

    /// What `secret-tool`, the desktop's own tool, prints on this bus.
    pub(crate) fn secret_tool(&self, arguments: &[&str]) -> String {
        let output = Command::new("secret-tool")
            .args(arguments)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers")
}
