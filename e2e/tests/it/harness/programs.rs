//! Programs are run in a world of their own, to their end or their deadline.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bits_e2e::{Run, Service, json};

fn sh(world: &Service, script: &str) -> Run {
    world.run("sh").args(["-c", script])
}

/// What `run` panics with.
fn panic_of(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it should have panicked");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn what_a_program_prints_reads_and_ends_with_is_kept() {
    let finished = sh(&Service::new(), "cat; echo bad >&2; exit 3").stdin("good").finish();
    assert_eq!(
        (finished.code, finished.stdout.as_str(), finished.stderr.as_str()),
        (Some(3), "good", "bad\n")
    );
}

#[test]
fn a_program_sees_the_world_and_nothing_of_the_machine() {
    let world = Service::new();
    let finished = sh(&world, "env; pwd").env("MORE", "1").finish().expect_code(0);
    let here = world.folder().to_str().unwrap();
    for line in finished.stdout.lines() {
        let (name, value) = line.split_once('=').unwrap_or(("pwd", line));
        match name {
            "PATH" | "LANG" | "MORE" | "_" | "LLVM_PROFILE_FILE" => {}
            _ => assert!(value.starts_with(here), "{name} is {value}"),
        }
    }
    assert!(finished.stdout.contains("MORE=1\n"), "{finished}");
}

#[test]
fn a_socket_of_the_world_has_a_path_the_system_takes() {
    let world = Service::new();
    for socket in [world.socket(), world.runtime_folder().join("bits/bitsd.sock")] {
        assert!(socket.as_os_str().len() <= 107, "{}", socket.display());
    }
}

#[test]
fn a_program_that_hangs_is_killed_at_its_deadline_and_what_it_printed_is_told() {
    let world = Service::new();
    let hangs = sh(&world, "echo before; sleep 1000").within(Duration::from_millis(200));
    let told = panic_of(|| drop(hangs.finish()));
    assert!(told.contains("did not end within") && told.contains("before"), "{told}");
}

#[test]
fn a_process_left_behind_with_our_pipe_is_an_error() {
    let world = Service::new();
    let told = panic_of(|| drop(sh(&world, "setsid sleep 1000 &").finish()));
    assert!(told.contains("holds its stdout"), "{told}");
}

#[test]
fn an_unexpected_exit_code_is_told_with_all_that_was_printed() {
    let told = panic_of(|| drop(sh(&Service::new(), "echo out; echo err >&2").finish().expect_code(7)));
    assert!(told.contains("code 7") && told.contains("out") && told.contains("err"), "{told}");
}

#[test]
fn a_program_is_run_through_another() {
    let world = Service::new();
    let run = world.run("echo").arg("hello").through(["env", "A=b", "nice"]);
    assert_eq!(run.to_string(), "env A=b nice echo hello");
    assert_eq!(run.finish().expect_code(0).stdout, "hello\n");
}

#[test]
fn a_running_program_can_be_watched_and_killed() {
    let world = Service::new();
    let running = sh(&world, "echo ready; read -r _; sleep 1000").stdin("x").spawn();
    running.wait_for_stdout("ready");
    let finished = running.kill();
    assert_eq!((finished.code, finished.signal), (None, Some(9)));
}

#[test]
fn json_is_read_from_what_was_printed() {
    let finished = sh(&Service::new(), r#"echo '{"state": "queued"}'"#).finish();
    assert_eq!(finished.json()["state"], "queued");
    assert_eq!(json(r#"{"n": 1}"#)["n"], 1);
}

#[test]
fn a_program_that_is_not_built_is_named_with_the_way_to_build_it() {
    let told = panic_of(|| drop(bits_e2e::program("bits-of-nothing")));
    assert!(told.contains("bits-of-nothing") && told.contains("cargo build"), "{told}");
}
