//! What is answered without asking anybody.

use std::io::Read;
use std::process::Stdio;

use crate::bits::{Place, ended};

#[test]
fn a_code_is_explained_in_words_and_for_programs() {
    let place = Place::new();
    let outcome = place.bits(["error", "0x80190194"]);
    assert_eq!(outcome.code, Some(0));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], "0x80190194 BG_E_HTTP_ERROR_404");
    assert!(lines.len() >= 3, "{lines:?}");
    for same in [&["error", "404"][..], &["error", "BG_E_HTTP_ERROR_404"], &["error", "-2145844844"]] {
        assert_eq!(place.bits(same).stdout, outcome.stdout, "{same:?}");
    }
    let json = place.bits(["error", "404", "--json"]).stdout;
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["code"], "0x80190194");
    assert_eq!(value["heals"], "never");
}

#[test]
fn every_shell_gets_its_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = place.bits(["completions", shell]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(outcome.stdout.contains("credentials"), "{shell}");
    }
}

#[test]
fn a_reader_that_has_gone_ends_a_command_quietly() {
    let place = Place::new();
    let mut child = place
        .command(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let status = child.wait().expect("it ends");
    let mut stderr = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let mut command = place.command(["error", "404"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the full device");
    command.stdout(full);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.starts_with("error: the result cannot be written: "), "{stderr}");
}

#[test]
fn colours_are_for_terminals_and_for_those_who_insist() {
    let place = Place::new();
    let coloured = |words: &[&str], no_color: &str| {
        let mut command = place.command(words);
        command.env("NO_COLOR", no_color);
        ended(command).stderr.contains('\x1b')
    };
    assert!(!coloured(&["error", "?"], ""));
    assert!(coloured(&["error", "?", "--color", "always"], "1"));
    assert!(!coloured(&["error", "?", "--color", "never"], ""));
}

#[test]
fn foreign_text_cannot_move_the_cursor() {
    let outcome = Place::new().bits(["error", "\x1b[2Jx"]);
    assert!(!outcome.stderr.contains('\x1b'), "{:?}", outcome.stderr);
}
