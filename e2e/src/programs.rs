//! Where the programs under test are: beside the test or example that runs them.
//!
//! Nothing is built from here. A test that built its programs would wait for, or fight with, the
//! cargo that runs it.

use std::path::PathBuf;

/// The program `name` of this workspace, built with the same profile as this test.
///
/// # Panics
/// When it has not been built.
#[track_caller]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let mut folder = test.parent().expect("a program is in a folder");
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder = folder.parent().expect("it is in the profile's folder");
    }
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there: build the programs first, with `cargo build --workspace --bins` \
         (and the flags of this test run)",
        path.display()
    );
    path
}
