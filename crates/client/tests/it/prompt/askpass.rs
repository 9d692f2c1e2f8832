//! Programs of the askpass convention, each a script.

use bits_client::prompt::PromptRequest;

use super::child::{ask_in_the_child, outcome_without_terminal};
use super::desk::Desk;
use super::programs::Script;
use super::request;

/// A program that knows the answers.
const ANSWERS: &str = r#"
echo "$# arguments: $*" >>"$log"
case "$1" in
    *"User name"*) echo anna@corp.example ;;
    *"Password for anna@corp.example:") echo hünter2 ;;
    *) exit 1 ;;
esac"#;

#[test]
fn an_askpass_program_is_asked_for_user_name_and_password() {
    ask_in_the_child(|| PromptRequest { save: Some(true), ..request() });
    let askpass = Script::new(ANSWERS);
    let test = "askpass::an_askpass_program_is_asked_for_user_name_and_password";
    let outcome = outcome_without_terminal(test, &[("BITS_ASKPASS", &askpass.path())]);
    // Remembering is a question it cannot be asked.
    assert_eq!(outcome, "accepted: user anna@corp.example, domain , 7 characters ending in r2, save false");
    let asked = "OpenBITS asks for credentials. For: server https://files.example.test (Negotiate) ";
    assert_eq!(
        askpass.log(),
        format!(
            "1 arguments: {asked}User name (DOMAIN\\user or user@realm):\n\
             1 arguments: {asked}Password for anna@corp.example:\n"
        )
    );
}

#[test]
fn an_askpass_program_is_not_asked_for_a_user_name_that_is_offered() {
    ask_in_the_child(|| PromptRequest { user_name: Some("anna@corp.example".into()), ..request() });
    let askpass = Script::new(ANSWERS);
    let test = "askpass::an_askpass_program_is_not_asked_for_a_user_name_that_is_offered";
    let variables = [("SSH_ASKPASS", &*askpass.path()), ("SSH_ASKPASS_REQUIRE", "force")];
    let outcome = Desk::with_child(test, &variables).outcome();
    assert_eq!(outcome, "accepted: user anna@corp.example, domain , 7 characters ending in r2, save false");
    assert!(!askpass.log().contains("User name"), "{}", askpass.log());
}

#[test]
fn whatever_an_askpass_program_does_is_an_outcome() {
    ask_in_the_child(|| PromptRequest { user_name: Some("anna".into()), ..request() });
    let test = "askpass::whatever_an_askpass_program_does_is_an_outcome";
    for (does, outcome) in [
        ("exit 1", "code 0x000004C7"),
        ("echo secret; exit 255", "code 0x000004C7"),
        ("kill -9 $$", "code 0x000004C7"),
        ("printf 'hunter2'", "accepted: user anna, domain , 7 characters ending in r2, save false"),
        (
            "printf 'hunter2\\r\\nmore\\n'",
            "accepted: user anna, domain , 7 characters ending in r2, save false",
        ),
        (
            "printf '\\033[2J\\n'",
            "error 0x00000057: the answer has control characters in it, as from an arrow key",
        ),
        ("printf '\\377\\n'", "error 0x00000057: the answer is not UTF-8 text"),
        ("head -c 70000 /dev/zero", "error 0x0000007A: the answer is longer than 65536 bytes"),
    ] {
        let askpass = Script::new(does);
        assert_eq!(outcome_without_terminal(test, &[("BITS_ASKPASS", &askpass.path())]), outcome, "{does}");
    }
    let outcome =
        outcome_without_terminal(test, &[("BITS_PROMPT", "askpass"), ("BITS_ASKPASS", "/nonexistent")]);
    assert_eq!(outcome, "nobody: the askpass program cannot be run");
}

#[test]
fn where_the_askpass_program_cannot_be_run_the_terminal_is_next() {
    ask_in_the_child(request);
    let test = "askpass::where_the_askpass_program_cannot_be_run_the_terminal_is_next";
    let mut desk = Desk::with_child(test, &[("BITS_ASKPASS", "/nonexistent")]);
    desk.see("user@realm): ");
    desk.type_keys("\u{4}");
    assert_eq!(desk.outcome(), "code 0x000004C7");
}
