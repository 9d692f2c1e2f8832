//! A scripted person at a pseudo terminal, and a child that asks this person.
//!
//! The child is this very test program, started again: it takes the terminal for its own, which a
//! process can do only for itself.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bits_client::prompt::{PromptOutcome, PromptRequest, prompt_for_credentials};
use bits_core::identity::Package;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pty::OpenptFlags;
use rustix::termios::LocalModes;

#[test]
fn a_person_is_asked_for_user_name_and_password_and_the_password_is_not_seen() {
    if let Some(tty) = this_is_the_child() {
        ask_at(&tty, &PromptRequest { save: Some(true), ..request() });
    }
    let mut desk =
        Desk::with_child("a_person_is_asked_for_user_name_and_password_and_the_password_is_not_seen");
    desk.see("User name (DOMAIN\\user or user@realm): ");
    desk.type_keys("CORP\\anna\n");
    desk.see("Password for CORP\\anna: ");
    assert!(!desk.echoes());
    desk.type_keys("hünter2\n");
    let outcome = desk.outcome();
    assert_eq!(outcome, "accepted: user anna, domain CORP, 7 characters ending in r2, save true");
    assert!(desk.echoes(), "the terminal is as it was");
    let seen = desk.seen_in_all();
    assert!(seen.contains("For:     server https://files.example.test (Negotiate)\r\n"), "{seen:?}");
    assert!(seen.contains("  | Sign in\r\n  | Target\r\n"), "{seen:?}");
    assert!(!seen.contains("nter2"), "{seen:?}");
}

#[test]
fn ctrl_c_at_the_password_cancels_and_the_terminal_echoes_again() {
    if let Some(tty) = this_is_the_child() {
        ask_at(&tty, &request());
    }
    let mut desk = Desk::with_child("ctrl_c_at_the_password_cancels_and_the_terminal_echoes_again");
    desk.see("user@realm): ");
    desk.type_keys("anna\n");
    desk.see("Password for anna: ");
    desk.type_keys("half\u{3}");
    assert_eq!(desk.outcome(), "code 0x000004C7");
    assert!(desk.echoes());
}

#[test]
fn the_end_of_input_at_the_user_name_cancels() {
    if let Some(tty) = this_is_the_child() {
        ask_at(&tty, &request());
    }
    let mut desk = Desk::with_child("the_end_of_input_at_the_user_name_cancels");
    desk.see("user@realm): ");
    desk.type_keys("\u{4}");
    assert_eq!(desk.outcome(), "code 0x000004C7");
}

#[test]
fn a_time_limit_that_is_over_is_an_outcome() {
    if let Some(tty) = this_is_the_child() {
        ask_at(&tty, &PromptRequest { time_limit: Some(Duration::ZERO), ..request() });
    }
    let mut desk = Desk::with_child("a_time_limit_that_is_over_is_an_outcome");
    assert_eq!(desk.outcome(), "code 0x000005B4");
}

#[test]
fn without_a_terminal_there_is_nowhere_to_ask() {
    if this_is_the_child().is_some() {
        rustix::process::setsid().unwrap();
        finish(&request());
    }
    let mut child = start("without_a_terminal_there_is_nowhere_to_ask", "/dev/null".into());
    assert_eq!(outcome_of(&mut child), "code 0x00000520");
}

fn request() -> PromptRequest {
    PromptRequest {
        caption: Some("Sign in".into()),
        message: Some("Target".into()),
        ..PromptRequest::new("server https://files.example.test", Package::Negotiate)
    }
}

/// Names the terminal to the child.
const CHILD_TTY: &str = "BITS_CLIENT_TEST_TTY";

fn this_is_the_child() -> Option<PathBuf> {
    std::env::var_os(CHILD_TTY).map(PathBuf::from)
}

/// In the child: takes `tty` for its own and asks there.
fn ask_at(tty: &PathBuf, request: &PromptRequest) -> ! {
    rustix::process::setsid().unwrap();
    // The first terminal that the leader of a session opens becomes its own.
    let _tty = File::options().read(true).write(true).open(tty).unwrap();
    finish(request)
}

/// In the child: asks, tells the parent how it ended, and ends.
fn finish(request: &PromptRequest) -> ! {
    let outcome = match prompt_for_credentials(request).unwrap() {
        PromptOutcome::Accepted { identity, save } => {
            let strings = identity.encode_as_strings();
            let (user, domain) = (strings.user.unwrap(), strings.domain.unwrap_or_default());
            let password = strings.password.unwrap();
            let characters = password.expose().chars().count();
            let end: String = password.expose().chars().skip(characters - 2).collect();
            format!(
                "accepted: user {user}, domain {domain}, {characters} characters ending in {end}, save {save}"
            )
        }
        other => format!("code {}", other.code()),
    };
    // Not by print, which the test harness may catch.
    writeln!(std::io::stdout().lock(), "{OUTCOME}{outcome}").unwrap();
    std::process::exit(0)
}

/// What the child's last line begins with; before it, the test harness says things of its own.
const OUTCOME: &str = "OUTCOME ";

fn start(test: &str, tty: PathBuf) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("prompt::{test}"), "--nocapture"])
        .env(CHILD_TTY, tty)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn outcome_of(child: &mut Child) -> String {
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    let (_, outcome) = said.rsplit_once(OUTCOME).unwrap_or_else(|| panic!("no outcome in {said:?}"));
    outcome.trim_end().to_owned()
}

/// The person's side of a pseudo terminal, and the child on the other.
struct Desk {
    person: File,
    child: Child,
    seen: Vec<u8>,
    /// Where what is not yet recognised begins.
    unread_from: usize,
}

impl Desk {
    fn with_child(test: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&person).unwrap();
        let tty = rustix::pty::ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let child = start(test, tty.into());
        Self { person: person.into(), child, seen: Vec::new(), unread_from: 0 }
    }

    /// Waits until the terminal has shown `text` once more.
    fn see(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let unread = &self.seen[self.unread_from..];
            if let Some(place) = unread.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.unread_from += place + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(self.read_piece(left), "{text:?} is not shown, but {:?}", self.seen_in_all());
        }
    }

    /// Reads what is shown within `time`. `false` if it is nothing, or nobody is left to show it.
    fn read_piece(&mut self, time: Duration) -> bool {
        let time = Timespec::try_from(time).unwrap();
        let mut watched = [PollFd::new(&self.person, PollFlags::IN)];
        if rustix::event::poll(&mut watched, Some(&time)).unwrap() == 0 {
            return false;
        }
        let mut piece = [0; 4096];
        match (&self.person).read(&mut piece) {
            // A terminal that no program has open any more, or not yet.
            Err(_) | Ok(0) => false,
            Ok(length) => {
                self.seen.extend_from_slice(&piece[..length]);
                true
            }
        }
    }

    fn type_keys(&self, keys: &str) {
        (&self.person).write_all(keys.as_bytes()).unwrap();
    }

    fn echoes(&self) -> bool {
        rustix::termios::tcgetattr(&self.person).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn outcome(&mut self) -> String {
        outcome_of(&mut self.child)
    }

    /// Everything the terminal has shown, now that the child has ended or waits for an answer.
    fn seen_in_all(&mut self) -> String {
        while self.read_piece(Duration::ZERO) {}
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Ended already, unless the test failed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
