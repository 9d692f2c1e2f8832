//! No service, and none is to be started: code 3.

use std::path::{Path, PathBuf};

use crate::bits::{Outcome, Place, ended, install, install_script};

#[test]
fn without_a_service_every_command_that_needs_one_says_so() {
    let place = Place::new();
    let socket = place.path().join(".local/state/bits/bitsd.sock");
    let expected = format!(
        "error: the service does not run; nothing answers at {}\nhint: start it: bits service start\n",
        socket.display()
    );
    for words in [
        &["get", "http://h/f"][..],
        &["create", "n"],
        &["add", "8e2d", "http://h/f", "f"],
        &["credentials", "remove", "8e2d"],
        &["credentials", "set", "8e2d", "--prompt"],
        &["resume", "8e2d"],
        &["suspend", "8e2d"],
        &["complete", "8e2d"],
        &["cancel", "8e2d", "9f3e"],
        &["list"],
        &["show", "8e2d"],
        &["watch"],
        &["set", "8e2d", "priority=low"],
        &["config", "explain"],
        &["service", "start"],
    ] {
        let outcome = place.bits(words.iter().chain(&["--no-start"]));
        let Outcome { code, stdout, stderr } = outcome;
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(3), "", expected.as_str()), "{words:?}");
    }
    assert!(!place.path().join(".local").exists(), "nothing was made");
}

#[test]
fn for_a_socket_that_was_named_nothing_is_started() {
    let place = Place::new();
    let mut command = place.command(["list"]);
    command.env("BITS_SOCKET", "/nowhere/s");
    let outcome = ended(command);
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.contains("nothing answers at /nowhere/s"), "{outcome:?}");

    let mut command = place.command(["list"]);
    command.env("BITS_SOCKET", format!("/{}", "x".repeat(107)));
    let outcome = ended(command);
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.contains("has 108 bytes"), "{outcome:?}");
}

#[test]
fn status_and_stop_never_start_a_service() {
    let place = Place::new();
    let outcome = place.bits(["service", "status", "--json"]);
    assert_eq!(
        outcome,
        Outcome { code: Some(3), stdout: "{\"running\":false}\n".to_owned(), stderr: String::new() }
    );
    let outcome = place.bits(["service", "status"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(3), ""));
    assert!(outcome.stdout.starts_with("The service does not run."), "{outcome:?}");
    let outcome = place.bits(["service", "stop"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), "the service does not run\n"));
    assert!(!place.path().join(".local").exists(), "nothing was made");
}

/// A copy of the command, away from the folder of the build, where a service may lie.
fn copied_alone(place: &Place) -> PathBuf {
    let folder = place.path().join("bin");
    std::fs::create_dir(&folder).expect("a folder");
    let bits = folder.join("bits");
    install(Path::new(env!("CARGO_BIN_EXE_bits")), &bits);
    bits
}

fn list_by(bits: &Path, place: &Place) -> Outcome {
    let mut command = std::process::Command::new(bits);
    command.arg("list").env_clear().env("HOME", place.path());
    ended(command)
}

#[test]
fn a_service_program_that_is_missing_is_named() {
    let place = Place::new();
    let outcome = list_by(&copied_alone(&place), &place);
    assert_eq!(outcome.code, Some(3));
    assert_eq!(
        outcome.stderr,
        "error: the service cannot be started: there is no program `bitsd` beside this one or in PATH\n\
         hint: install `bitsd` beside `bits`, or build it: cargo build\n"
    );
}

#[test]
fn a_service_program_that_fails_says_why() {
    let place = Place::new();
    let bits = copied_alone(&place);
    let fails = "#!/bin/sh\necho failed config.toml, line 3: there is no key colour\n";
    install_script(fails, &bits.with_file_name("bitsd"));
    let outcome = list_by(&bits, &place);
    assert_eq!(outcome.code, Some(3));
    assert_eq!(
        outcome.stderr,
        "error: the service cannot start: config.toml, line 3: there is no key colour\n\
         hint: see what it says: bits service run\n"
    );
}
