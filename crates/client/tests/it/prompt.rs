//! A person who is asked for credentials: at a terminal here, by other programs in the files below.

mod askpass;
mod child;
mod desk;
mod dialog;
mod pinentry;
mod programs;
mod systemd;

use std::time::Duration;

use bits_client::prompt::PromptRequest;
use bits_core::identity::Package;

use child::{ask_in_the_child, outcome_without_terminal};
use desk::Desk;

#[test]
fn a_person_is_asked_for_user_name_and_password_and_the_password_is_not_seen() {
    ask_in_the_child(request);
    let test = "a_person_is_asked_for_user_name_and_password_and_the_password_is_not_seen";
    let mut desk = Desk::with_child(test, &[]);
    desk.see("User name (DOMAIN\\user or user@realm): ");
    desk.type_keys("CORP\\anna\n");
    desk.see("Password for CORP\\anna: ");
    assert!(!desk.echoes());
    desk.type_keys("hünter2\n");
    let outcome = desk.outcome();
    assert_eq!(outcome, "accepted: user anna, domain CORP, 7 characters ending in r2, save false");
    assert!(desk.echoes(), "the terminal is as it was");
    let seen = desk.seen_in_all();
    assert!(seen.contains("For:     server https://files.example.test (Negotiate)\r\n"), "{seen:?}");
    assert!(seen.contains("  | Sign in\r\n  | Target\r\n"), "{seen:?}");
    assert!(!seen.contains("nter2"), "{seen:?}");
}

#[test]
fn at_the_terminal_a_person_is_asked_whether_to_remember() {
    ask_in_the_child(|| PromptRequest { save: Some(false), ..request() });
    let mut desk = Desk::with_child("at_the_terminal_a_person_is_asked_whether_to_remember", &[]);
    desk.see("user@realm): ");
    desk.type_keys("anna\n");
    desk.see("Password for anna: ");
    desk.type_keys("hunter2\n");
    desk.see("Remember user name and password? [y/N] ");
    desk.type_keys("y\n");
    assert_eq!(desk.outcome(), "accepted: user anna, domain , 7 characters ending in r2, save true");
}

#[test]
fn ctrl_c_at_the_password_cancels_and_the_terminal_echoes_again() {
    ask_in_the_child(request);
    let mut desk = Desk::with_child("ctrl_c_at_the_password_cancels_and_the_terminal_echoes_again", &[]);
    desk.see("user@realm): ");
    desk.type_keys("anna\n");
    desk.see("Password for anna: ");
    desk.type_keys("half\u{3}");
    assert_eq!(desk.outcome(), "code 0x000004C7");
    assert!(desk.echoes());
}

#[test]
fn the_end_of_input_at_the_user_name_cancels() {
    ask_in_the_child(request);
    let mut desk = Desk::with_child("the_end_of_input_at_the_user_name_cancels", &[]);
    desk.see("user@realm): ");
    desk.type_keys("\u{4}");
    assert_eq!(desk.outcome(), "code 0x000004C7");
}

#[test]
fn a_time_limit_that_is_over_is_an_outcome() {
    ask_in_the_child(|| PromptRequest { time_limit: Some(Duration::ZERO), ..request() });
    for channel in ["terminal", "pinentry", "askpass"] {
        let variables = [("BITS_PROMPT", channel), ("BITS_ASKPASS", "true"), ("BITS_PINENTRY", "true")];
        let mut desk = Desk::with_child("a_time_limit_that_is_over_is_an_outcome", &variables);
        assert_eq!(desk.outcome(), "code 0x000005B4", "{channel}");
    }
}

#[test]
fn without_a_terminal_there_is_nowhere_to_ask() {
    ask_in_the_child(request);
    let test = "without_a_terminal_there_is_nowhere_to_ask";
    for (channel, reason) in [
        ("terminal", "this program is not run from a terminal"),
        ("askpass", "neither BITS_ASKPASS nor SSH_ASKPASS names a program"),
        ("dialog", "there is no display, or neither zenity nor kdialog is installed"),
    ] {
        assert_eq!(outcome_without_terminal(test, &[("BITS_PROMPT", channel)]), format!("nobody: {reason}"));
    }
    let outcome = outcome_without_terminal(test, &[("BITS_PROMPT", "window")]);
    assert!(outcome.starts_with("error 0x00000057: BITS_PROMPT is \"window\"; it can be"), "{outcome}");
}

fn request() -> PromptRequest {
    PromptRequest {
        caption: Some("Sign in".into()),
        message: Some("Target".into()),
        ..PromptRequest::new("server https://files.example.test", Package::Negotiate)
    }
}
