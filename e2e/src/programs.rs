//! Where the programs under test are: beside the test or example that runs them.
//!
//! Nothing is built from here. A test that built its programs would wait for, or fight with, the
//! cargo that runs it.

use std::io::Write as _;
use std::path::PathBuf;

/// The program `name` of this workspace, built with the same profile as this test.
///
/// # Panics
/// When it has not been built.
#[track_caller]
pub fn program(name: &str) -> PathBuf {
    let path = place_of(name);
    assert!(
        path.is_file(),
        "{} is not there: build the programs first, with `cargo build --workspace --bins` \
         (and the flags of this test run)",
        path.display()
    );
    path
}

/// Whether `bits-gss` is built, which needs Kerberos's headers: then tickets can be used. Where it is
/// not, a test is skipped and says so, unless `OPENBITS_REQUIRE_PEERS=1` forbids that.
///
/// # Panics
/// When it is not, and has to be.
#[track_caller]
pub fn tickets_are_built_in() -> bool {
    if place_of("bits-gss").is_file() {
        return true;
    }
    let why = "bits-gss is not built; `--features bits-gss/gssapi` builds it";
    assert!(std::env::var_os("OPENBITS_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{why}");
    let thread = std::thread::current();
    // Not eprintln!, which the test runner keeps to itself when a test succeeds.
    let _ = writeln!(std::io::stderr(), "skipped: {}: {why}", thread.name().unwrap_or("a test"));
    false
}

fn place_of(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let mut folder = test.parent().expect("a program is in a folder");
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder = folder.parent().expect("it is in the profile's folder");
    }
    folder.join(name)
}
