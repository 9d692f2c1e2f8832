//! Real pinentries at a pseudo terminal, and scripts where one with a window would be.

use std::time::Duration;

use bits_client::prompt::PromptRequest;
use rustix::process::{Pid, Signal};

use super::child::{ask_in_the_child, outcome_without_terminal};
use super::desk::Desk;
use super::programs::{Script, are_installed};
use super::request;

/// The flavours that ask at a terminal.
const FLAVOURS: [&str; 2] = ["pinentry-tty", "pinentry-curses"];

const CANCELLED: &str = "code 0x000004C7";
const TIMED_OUT: &str = "code 0x000005B4";

/// A desk where `flavour` asks for the password of anna.
fn desk_with(test: &str, flavour: &str) -> Desk {
    let mut desk = Desk::with_child(test, &[("BITS_PROMPT", "pinentry"), ("BITS_PINENTRY", flavour)]);
    desk.see("For:     server https://files.example.test (Negotiate)");
    desk.see("User name (DOMAIN\\user or user@realm): ");
    desk.type_keys("anna\n");
    desk.see("For:     server https://files.example.test (Negotiate)");
    desk.see("Password for anna:");
    desk
}

#[test]
fn a_pinentry_asks_for_the_password_and_whether_to_remember() {
    ask_in_the_child(|| PromptRequest { save: Some(false), ..request() });
    if !are_installed(&FLAVOURS) {
        return;
    }
    // What is shown last of the second question, and the key that is yes to it.
    for (flavour, choice, yes) in [("pinentry-tty", "[yn]? ", "y"), ("pinentry-curses", "<No>", "\r")] {
        let mut desk =
            desk_with("pinentry::a_pinentry_asks_for_the_password_and_whether_to_remember", flavour);
        desk.type_keys("hünter2\r");
        desk.see("Remember user name and password?");
        desk.see(choice);
        desk.type_keys(yes);
        let outcome = desk.outcome();
        assert_eq!(
            outcome, "accepted: user anna, domain , 7 characters ending in r2, save true",
            "{flavour}"
        );
        assert!(desk.echoes(), "the terminal is as it was");
        assert!(!desk.seen_in_all().contains("nter2"), "{flavour}");
    }
}

#[test]
fn leaving_a_pinentry_cancels_and_the_terminal_is_as_it_was() {
    ask_in_the_child(request);
    if !are_installed(&FLAVOURS) {
        return;
    }
    let test = "pinentry::leaving_a_pinentry_cancels_and_the_terminal_is_as_it_was";
    for (flavour, keys) in [
        ("pinentry-tty", "\u{4}"),
        ("pinentry-tty", "half\u{3}"),
        ("pinentry-curses", "half\u{3}"),
        ("pinentry-curses", "half\t\t\r"),
    ] {
        let mut desk = desk_with(test, flavour);
        desk.type_keys(keys);
        assert_eq!(desk.outcome(), CANCELLED, "{flavour} {keys:?}");
        assert!(desk.echoes(), "{flavour} {keys:?}");
    }
}

#[test]
fn a_pinentry_that_ctrl_c_has_ended_before_it_came_to_us_is_a_cancel() {
    ask_in_the_child(request);
    let ended = r#"
echo OK hello
while read -r line; do
    case $line in GETPIN) exec >&-; kill -INT $PPID; exit ;; esac
    echo OK
done"#;
    let pinentry = Script::new(ended);
    let test = "pinentry::a_pinentry_that_ctrl_c_has_ended_before_it_came_to_us_is_a_cancel";
    let path = pinentry.path();
    let mut desk = Desk::with_child(test, &[("BITS_PROMPT", "pinentry"), ("BITS_PINENTRY", &path)]);
    desk.see("User name (DOMAIN\\user or user@realm): ");
    desk.type_keys("anna\n");
    assert_eq!(desk.outcome(), CANCELLED);
    assert!(desk.echoes());
}

#[test]
fn nobody_before_a_pinentry_is_a_time_out() {
    ask_in_the_child(|| PromptRequest {
        user_name: Some("anna".into()),
        time_limit: Some(Duration::from_secs(8)),
        ..request()
    });
    if !are_installed(&FLAVOURS) {
        return;
    }
    for flavour in FLAVOURS {
        let variables = [("BITS_PROMPT", "pinentry"), ("BITS_PINENTRY", flavour)];
        let mut desk = Desk::with_child("pinentry::nobody_before_a_pinentry_is_a_time_out", &variables);
        desk.see("User name [anna]: ");
        desk.type_keys("\n");
        assert_eq!(desk.outcome(), TIMED_OUT, "{flavour}");
        assert!(desk.echoes(), "{flavour}");
    }
}

#[test]
fn a_process_that_is_ended_leaves_no_pinentry_and_a_terminal_as_it_was() {
    ask_in_the_child(request);
    if !are_installed(&FLAVOURS) {
        return;
    }
    let test = "pinentry::a_process_that_is_ended_leaves_no_pinentry_and_a_terminal_as_it_was";
    for flavour in FLAVOURS {
        let mut desk = desk_with(test, flavour);
        let asking = Pid::from_child(desk.child());
        let pinentry = child_called(flavour, asking);
        rustix::process::kill_process(asking, Signal::TERM).unwrap();
        let status = desk.child().wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(Signal::TERM.as_raw()));
        assert!(!std::path::Path::new(&format!("/proc/{pinentry}")).exists(), "{flavour} has ended before");
        assert!(desk.echoes(), "{flavour}");
    }
}

#[test]
fn a_process_that_is_stopped_asks_again_when_it_goes_on() {
    ask_in_the_child(request);
    if !are_installed(&["pinentry-tty"]) {
        return;
    }
    let test = "pinentry::a_process_that_is_stopped_asks_again_when_it_goes_on";
    let mut desk = desk_with(test, "pinentry-tty");
    // Its group is an orphan, which no terminal can stop; it hears of going on all the same.
    rustix::process::kill_process(Pid::from_child(desk.child()), Signal::CONT).unwrap();
    desk.see("Password for anna:");
    desk.type_keys("hünter2\r");
    assert_eq!(desk.outcome(), "accepted: user anna, domain , 7 characters ending in r2, save false");
}

#[test]
fn a_pinentry_without_terminal_or_display_cannot_ask() {
    ask_in_the_child(request);
    if !are_installed(&FLAVOURS) {
        return;
    }
    for flavour in FLAVOURS {
        let variables = [("BITS_PROMPT", "pinentry"), ("BITS_PINENTRY", flavour)];
        let test = "pinentry::a_pinentry_without_terminal_or_display_cannot_ask";
        assert_eq!(
            outcome_without_terminal(test, &variables),
            "nobody: pinentry cannot ask here",
            "{flavour}"
        );
    }
}

/// As a pinentry with a window, before which somebody knows the answers.
const WITH_A_WINDOW: &str = r#"
echo OK hello
while read -r line; do
    printf '%s\n' "$line" >>"$log"
    case $line in
        OPTION*) echo ERR 83886254 unknown option; continue ;;
        SETPROMPT*) prompt=$line ;;
        GETPIN) case $prompt in
            *"User name"*) echo D CORP%5Canna ;;
            *) echo 'D h%C3%BCnter'; echo 'S nothing'; echo D 2 ;;
        esac ;;
        BYE) echo OK; exit ;;
    esac
    echo OK
done"#;

#[test]
fn without_a_terminal_a_pinentry_asks_for_the_user_name_too() {
    ask_in_the_child(|| PromptRequest { realm: Some("100 % \u{1b}[2Jours".into()), ..request() });
    let pinentry = Script::new(WITH_A_WINDOW);
    let test = "pinentry::without_a_terminal_a_pinentry_asks_for_the_user_name_too";
    let variables = [("DISPLAY", ":none"), ("BITS_PINENTRY", &pinentry.path())];
    let outcome = outcome_without_terminal(test, &variables);
    assert_eq!(outcome, "accepted: user anna, domain CORP, 7 characters ending in r2, save false");
    let said = pinentry.log();
    assert!(
        said.contains(
            "OPTION lc-ctype=C.UTF-8\nOPTION display=:none\nGETINFO flavor\nSETTITLE OpenBITS\n\
             SETDESC OpenBITS asks for credentials.%0A  | Sign in%0A  | Target%0A\
             For:     server https://files.example.test (Negotiate)%0ARealm:   \"100 %25 ours\"\n\
             SETPROMPT User name (DOMAIN\\user or user@realm):\nSETTIMEOUT 600\nGETPIN\nBYE\n"
        ),
        "{said}"
    );
    assert!(said.contains("SETPROMPT Password for CORP\\anna:\nSETTIMEOUT 600\nGETPIN\nBYE\n"), "{said}");
}

#[test]
fn a_pinentry_that_does_not_mind_its_time_is_ended() {
    ask_in_the_child(|| PromptRequest { time_limit: Some(Duration::from_secs(8)), ..request() });
    let never =
        "echo OK; while read -r line; do case $line in GETPIN) echo $$ >\"$log\";; *) echo OK;; esac; done";
    let pinentry = Script::new(never);
    let test = "pinentry::a_pinentry_that_does_not_mind_its_time_is_ended";
    let variables = [("BITS_PROMPT", "pinentry"), ("BITS_PINENTRY", &*pinentry.path())];
    assert_eq!(outcome_without_terminal(test, &variables), TIMED_OUT);
    let process = format!("/proc/{}", pinentry.log().trim());
    assert!(process.len() > "/proc/".len() && !std::path::Path::new(&process).exists(), "{process}");
}

/// The process called `name` that `parent` has started.
fn child_called(name: &str, parent: Pid) -> u32 {
    let id = parent.as_raw_nonzero();
    // Any of its threads can have started it.
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let children = threads.flat_map(|thread| {
        let children = std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap();
        children.split_whitespace().map(|child| child.parse().unwrap()).collect::<Vec<u32>>()
    });
    let is_called = |child: &u32| {
        let command = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap();
        command.trim() == name
    };
    children.into_iter().find(is_called).unwrap_or_else(|| panic!("{id} has started no {name}"))
}
