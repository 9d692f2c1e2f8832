//! On a machine without the peers' packages, a test is skipped and says so, or fails where it must
//! not be skipped. The machine is made believe by a dpkg-query that knows no package.

use std::os::unix::fs::PermissionsExt as _;

use bits_e2e::{Finished, Run, Service};

/// Runs a test that needs peers, in a test process on such a machine.
fn on_a_machine_without_peers(require: Option<&str>) -> Finished {
    let world = Service::new();
    let query = world.file("dpkg-query");
    std::fs::write(&query, "#!/bin/sh\n").expect("a world can be written to");
    std::fs::set_permissions(&query, std::fs::Permissions::from_mode(0o755)).expect("it was just written");
    let path = std::env::var("PATH").expect("there is a PATH");
    let path = format!("{}:{path}", world.file("").display());
    let run = Run::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "harness::locations::every_open_location_serves_the_same_file"])
        .env("PATH", path);
    match require {
        Some(value) => run.env("OPENBITS_REQUIRE_PEERS", value),
        None => run,
    }
    .finish()
}

#[test]
fn a_test_without_peers_is_skipped_and_says_so_even_when_it_succeeds() {
    let finished = on_a_machine_without_peers(None).expect_code(0);
    let name = "skipped: harness::locations::every_open_location_serves_the_same_file: ";
    assert!(finished.stderr.contains(name), "{finished}");
    assert!(finished.stderr.contains("lighttpd") && finished.stderr.contains("install"), "{finished}");
}

#[test]
fn a_test_without_peers_fails_where_they_are_required() {
    let finished = on_a_machine_without_peers(Some("1"));
    assert_ne!(finished.code, Some(0), "{finished}");
    assert!(finished.stdout.contains("lighttpd"), "{finished}");
}
