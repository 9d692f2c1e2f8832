//! Programs that ask: the real ones where they are installed, and scripts that stand in for one.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Whether all of `names` are installed. Where they are not, a test says so and is skipped, unless
/// `OPENBITS_REQUIRE_PEERS=1` forbids that.
pub(crate) fn are_installed(names: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&&str| !std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let missing: Vec<_> = names.iter().filter(is_there).copied().collect();
    missing.is_empty()
        || skip(&format!("missing: {}; `tests/peers/install prompts` brings it", missing.join(" ")))
}

/// Says why a test is skipped, which it must not be everywhere. `false`.
pub(crate) fn skip(why: &str) -> bool {
    assert!(std::env::var_os("OPENBITS_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{why}");
    // Not eprintln!, which the test runner keeps to itself when a test succeeds.
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "skipped: {}: {why}", thread.name().unwrap_or("a test"));
    false
}

/// A folder with a script in it.
pub(crate) struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    /// A shell script of these `lines`. In it, `$log` is a file for what it wants to be known.
    pub(crate) fn new(lines: &str) -> Self {
        let script = Self { folder: tempfile::tempdir().unwrap() };
        let text = format!("#!/bin/sh\nlog='{}'\n{lines}\n", script.folder.path().join("log").display());
        std::fs::write(script.file(), text).unwrap();
        std::fs::set_permissions(script.file(), std::fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    pub(crate) fn path(&self) -> String {
        self.file().to_str().unwrap().to_owned()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("script")
    }
}
