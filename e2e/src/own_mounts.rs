//! Tests that mount, or change the network: each runs in a process with mounts or a network of its own,
//! so that nothing stays however it ends, and no other test sees or holds it.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use crate::run::Run;

/// Set for the test process that has them.
const OWN: &str = "BITS_E2E_OWN_MOUNTS";
/// Set for the test process that has a network of its own.
const OWN_NETWORK: &str = "BITS_E2E_OWN_NETWORK";
/// Longer than any such test, at night too.
const DEADLINE: Duration = Duration::from_secs(3600);

/// Makes it a failure when nothing can be mounted here.
const REQUIRE: &str = "OPENBITS_REQUIRE_MOUNTS";

/// Whether this test is to go on: true in a process that may mount. Elsewhere it is run there, to
/// its end, and there is nothing left to do; or it is skipped, and says so, where nobody may.
///
/// # Panics
/// When the test has failed there; or nothing can be mounted here, and `OPENBITS_REQUIRE_MOUNTS=1`.
#[track_caller]
pub fn with_own_mounts() -> bool {
    in_own(OWN, REQUIRE, &["unshare", "--mount", "--propagation", "private"], may_mount)
}

/// Whether this test is to go on: true in a process with a network of its own, in which there is but
/// a loopback interface that is down. As [`with_own_mounts`] otherwise.
///
/// # Panics
/// When the test has failed there; or there can be no such network here, and
/// `OPENBITS_REQUIRE_MOUNTS=1`.
#[track_caller]
pub fn with_own_network() -> bool {
    in_own(OWN_NETWORK, REQUIRE, &["unshare", "--net"], may_have_a_network)
}

#[track_caller]
fn in_own(own: &str, require: &str, through: &[&str], may: fn() -> Result<(), String>) -> bool {
    if std::env::var_os(own).is_some() {
        return true;
    }
    let thread = std::thread::current();
    let test = thread.name().expect("a test has a thread of its name");
    if let Err(why) = may() {
        assert!(std::env::var_os(require).is_none_or(|value| value != "1"), "{why}");
        // Not eprintln!, which the test runner keeps to itself when a test succeeds.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
        return false;
    }
    let mut run = Run::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", test, "--nocapture"])
        .env(own, "1")
        .within(DEADLINE)
        .through(through);
    for (name, value) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"OPENBITS_") || name == "RUST_BACKTRACE" {
            run = run.env(name, value);
        }
    }
    let ended = run.finish();
    println!("{}", ended.stdout);
    assert!(ended.code == Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("1 passed"), "there is no test of this name: {}", ended.stdout);
    false
}

/// That mounts can be made here, by FUSE and otherwise, that no other process sees.
fn may_mount() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root may mount".to_owned());
    }
    File::options()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .map_err(|error| format!("there is no FUSE here: {error}"))?;
    let own = Run::new("unshare").args(["--mount", "--propagation", "private", "true"]).finish();
    if own.code == Some(0) {
        Ok(())
    } else {
        Err(format!("a process cannot have mounts of its own here: {own}"))
    }
}

/// That a process can have a network of its own here, and interfaces in it.
fn may_have_a_network() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root may have a network of its own".to_owned());
    }
    let words = ["--net", "ip", "link", "add", "own0", "type", "veth", "peer", "name", "own1"];
    let own = Run::new("unshare").args(words).finish();
    if own.code == Some(0) {
        Ok(())
    } else {
        Err(format!("a process cannot have a network of its own here: {own}"))
    }
}
