//! Finding the service and starting it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bits_client::{Client, ConnectOptions, Error, Unreachable};
use tokio::net::UnixListener;

use crate::service::at;

/// A program that stands in for the service.
fn program(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("bitsd");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a mode");
    path
}

fn in_folder(folder: &Path) -> ConnectOptions {
    ConnectOptions::new()
        .variable("XDG_STATE_HOME", folder)
        .variable("XDG_RUNTIME_DIR", "")
        .variable("BITS_SOCKET", "")
}

async fn refused(options: ConnectOptions) -> Unreachable {
    match Client::connect(options).await {
        Err(Error::Unreachable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_service_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path(), "echo failed config.toml line 3: no key colour");
    let reason = refused(in_folder(folder.path()).program(&program)).await;
    assert_eq!(reason.to_string(), "the service cannot start: config.toml line 3: no key colour");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let reason = refused(in_folder(folder.path()).program(folder.path().join("none"))).await;
    assert!(reason.to_string().contains("/none"), "{reason}");
}

#[tokio::test]
async fn nothing_is_started_when_told_so_or_when_the_socket_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path(), "touch \"$XDG_STATE_HOME/started\"; echo failed");
    for options in [in_folder(folder.path()).never_start(), at(&folder.path().join("no-socket"))] {
        let reason = refused(options.program(&program)).await;
        assert!(matches!(reason, Unreachable::NotRunning { .. }), "{reason}");
    }
    assert!(!folder.path().join("started").exists());
}

#[tokio::test]
async fn a_service_is_started_where_the_caller_looks_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("bits");
    fs::create_dir(&state).expect("a folder");
    // It cannot listen itself: a listener from here takes its place when it says that it is ready.
    let program = program(
        folder.path(),
        "mv \"$XDG_STATE_HOME/bits/soon\" \"$XDG_STATE_HOME/bits/bitsd.sock\"; echo ready",
    );
    let _listener = UnixListener::bind(state.join("soon")).expect("a socket");
    let client = Client::connect(in_folder(folder.path()).program(program)).await.expect("it answers");
    assert_eq!(client.state_folder(), state);
}

#[tokio::test]
async fn of_two_services_started_at_once_the_first_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("bits");
    fs::create_dir(&state).expect("a folder");
    let program = program(folder.path(), "touch \"$XDG_STATE_HOME/lost\"; echo running 42; exit 75");
    let lost = folder.path().join("lost");
    let late = async {
        while !lost.exists() {
            tokio::task::yield_now().await;
        }
        UnixListener::bind(state.join("bitsd.sock")).expect("a socket")
    };
    let connecting = Client::connect(in_folder(folder.path()).program(program));
    let (outcome, _listener) = tokio::join!(connecting, late);
    outcome.expect("the other one answers");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_leaving_is_followed_by_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("bits");
    fs::create_dir(&state).expect("a folder");
    // The first that is started finds one that is still there, and which nobody can speak to any more.
    let program = program(
        folder.path(),
        "cd \"$XDG_STATE_HOME\"; if mkdir was-there; then echo running 42; exit 75; fi; \
         mv bits/soon bits/bitsd.sock; echo ready",
    );
    let _listener = UnixListener::bind(state.join("soon")).expect("a socket");
    Client::connect(in_folder(folder.path()).program(program)).await.expect("the next one answers");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_holds_the_folder_and_does_not_answer_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path(), "echo running 42; exit 75");
    let reason = refused(in_folder(folder.path()).program(program)).await;
    assert!(
        reason.to_string().starts_with("a service runs as process 42 but does not answer at"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_socket_that_may_not_be_used_is_not_one_that_is_absent() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let reason = refused(at(&file.join("below"))).await;
    assert!(matches!(reason, Unreachable::Socket { .. }), "{reason}");
}
