//! A person at a terminal: waits for a question, types an answer, is not shown the secret.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bits_e2e::{Service, Terminal};

fn sh(world: &Service, script: &str) -> Terminal {
    world.run("sh").args(["-c", script]).terminal()
}

#[test]
fn a_dialogue_answers_questions_in_their_order() {
    let world = Service::new();
    let mut terminal = sh(
        &world,
        "
        printf 'User name: '; read -r user
        stty -echo; printf 'Password: '; read -r password; stty echo
        echo; echo \"$user has a secret of ${#password} letters\"; exit 5",
    );
    terminal.wait_for("User name: ").types("alice\n");
    terminal.wait_for("Password: ").types_secret("hunter2\n");
    let finished = terminal.finish().expect_code(5);
    assert!(finished.stdout.ends_with("alice has a secret of 7 letters\r\n"), "{finished}");
    assert!(!finished.stdout.contains("hunter2"), "{finished}");
}

#[test]
fn the_terminal_is_the_programs_own() {
    let world = Service::new();
    let mut terminal = sh(&world, "tty >/dev/null && test -t 0 && test -t 2 && stty size </dev/tty");
    terminal.wait_for("24 80");
    terminal.finish().expect_code(0);
}

#[test]
fn ctrl_c_interrupts_and_ctrl_d_is_the_end_of_input() {
    let world = Service::new();
    let mut terminal = sh(&world, "trap 'echo interrupted; exit 130' INT; echo ready; read -r _; exit 1");
    terminal.wait_for("ready").types("\x03").wait_for("interrupted");
    terminal.finish().expect_code(130);

    let mut terminal = sh(&world, "echo ready; read -r _ || exit 7");
    terminal.wait_for("ready").types("\x04");
    terminal.finish().expect_code(7);
}

#[test]
fn the_last_words_of_a_program_are_seen() {
    let world = Service::new();
    for _ in 0..50 {
        let finished = sh(&world, "printf last").finish().expect_code(0);
        assert_eq!(finished.stdout, "last");
    }
}

#[test]
fn what_was_shown_instead_is_told() {
    let world = Service::new();
    let mut terminal = sh(&world, "echo something else");
    let panic = catch_unwind(AssertUnwindSafe(|| drop(terminal.wait_for("Password").shown())));
    let told = panic.expect_err("it was never shown").downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(told.contains("Password") && told.contains("something else"), "{told}");
}

#[test]
fn without_a_terminal_there_is_none_to_ask_at() {
    let finished = Service::new().run("sh").args(["-c", ": </dev/tty"]).finish();
    assert_ne!(finished.code, Some(0), "the tests' own terminal must be out of reach: {finished}");
}
