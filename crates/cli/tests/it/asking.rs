//! A person at the terminal who is asked for credentials.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pty::OpenptFlags;
use serde_json::json;

use crate::service::{Service, acknowledged, transferring, unauthorized};

const SET: &str = "PUT /v1/jobs/ID/credentials/server/any";

/// A terminal and the command that runs there.
struct Desk {
    keyboard: File,
    child: Child,
    seen: String,
}

impl Desk {
    fn running(service: &Service, words: &[&str]) -> Self {
        let keyboard = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        rustix::pty::grantpt(&keyboard).expect("a terminal");
        rustix::pty::unlockpt(&keyboard).expect("a terminal");
        let name = rustix::pty::ptsname(&keyboard, Vec::new()).expect("a name");
        let tty =
            File::options().read(true).write(true).open(name.to_str().expect("text")).expect("the other end");
        let bits = service.command(words);
        // It takes the terminal at its standard input for its own, as a shell's child has one.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(bits.get_program()).args(bits.get_args());
        command.env_clear().envs(bits.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", std::env::var_os("PATH").expect("a path")).current_dir(service.place.path());
        let copy = || Stdio::from(tty.try_clone().expect("a copy"));
        let child = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn().expect("setsid runs");
        Self { keyboard: File::from(keyboard), child, seen: String::new() }
    }

    /// Waits until `text` is on the screen, after what was seen before.
    fn see(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            assert!(Instant::now() < deadline && self.read(deadline), "no {text:?} in {:?}", self.seen);
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it is there");
    }

    fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(120);
        // Whoever writes to a terminal that nobody reads waits.
        while self.read(deadline) {}
        self.child.wait().expect("it ends").code()
    }

    /// Whether there was more on the screen.
    fn read(&mut self, deadline: Instant) -> bool {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
        let mut watched = [PollFd::from_borrowed_fd(self.keyboard.as_fd(), PollFlags::IN)];
        if rustix::event::poll(&mut watched, left.as_ref()) != Ok(1) {
            return false;
        }
        let mut piece = [0; 1024];
        // A terminal whose last user has left answers with an error.
        match self.keyboard.read(&mut piece) {
            Ok(length) if length > 0 => {
                self.seen.push_str(&String::from_utf8_lossy(&piece[..length]));
                true
            }
            _ => false,
        }
    }
}

#[test]
fn a_person_is_asked_when_the_server_asks() {
    let service = Service::with_courses([
        vec![unauthorized(false)],
        vec![unauthorized(true)],
        vec![transferring(), acknowledged()],
    ]);
    let mut desk = Desk::running(&service, &["get", "https://files.test/report.pdf"]);
    desk.see("server https://files.test");
    desk.see("the office");
    desk.see("user@realm)");
    desk.type_keys("CORP\\anna\n");
    desk.see("Password for");
    desk.type_keys("wrong\n");
    // The name is offered: it was the password that was refused.
    desk.see("User name [CORP\\anna]");
    desk.type_keys("\n");
    desk.see("Password for");
    desk.type_keys("hunter2\n");
    desk.see("report.pdf: done, 2.0 KiB");
    assert_eq!(desk.exit_code(), Some(0));
    assert_eq!(service.body(SET), json!({ "user": "CORP\\anna", "password": "wrong" }));
    assert_eq!(service.asked().iter().filter(|line| *line == SET).count(), 2);
    assert!(!desk.seen.contains("hunter2"));
}

#[test]
fn cancelling_at_the_prompt_cancels_the_job() {
    for key in ["\u{3}", "\u{4}"] {
        let service = Service::with_courses([vec![unauthorized(false)]]);
        let mut desk = Desk::running(&service, &["get", "https://files.test/report.pdf"]);
        desk.see("user@realm)");
        desk.type_keys(key);
        desk.see("(1223)");
        assert_eq!(desk.exit_code(), Some(5));
        assert_eq!(service.asked().last().map(String::as_str), Some("POST /v1/jobs/ID/cancel"));
    }
}

#[test]
fn a_named_user_is_asked_for_the_password_before_a_job_is_made() {
    let service = Service::with_courses([vec![acknowledged()]]);
    let mut desk = Desk::running(&service, &["get", "https://files.test/report.pdf", "--user", "anna"]);
    desk.see("User name [anna]: ");
    assert_eq!(service.asked(), Vec::<String>::new());
    desk.type_keys("\n");
    desk.see("Password for");
    desk.type_keys("hunter2\n");
    desk.see("report.pdf: done");
    assert_eq!(desk.exit_code(), Some(0));
    assert_eq!(service.body(SET), json!({ "user": "anna", "password": "hunter2" }));
}

#[test]
fn a_demanded_prompt_without_a_terminal_is_1312() {
    let service = Service::with_courses([]);
    let bits = service.command(&["get", "https://files.test/report.pdf", "--prompt"]);
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(bits.get_program()).args(bits.get_args());
    command.env_clear().envs(bits.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").expect("a path")).stdin(Stdio::null());
    let outcome = crate::bits::ended(command);
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    assert!(outcome.stderr.contains("(1312)"), "{outcome:?}");
    assert_eq!(service.asked(), Vec::<String>::new());
}

#[test]
fn credentials_can_be_asked_for_with_a_title_and_a_text() {
    let service = Service::with_courses([]);
    let words = ["credentials", "set", "8e2d0a1b", "--target", "server", "--scheme", "negotiate", "--prompt"];
    let words = [&words[..], &["--caption", "Sign in", "--message", "Target"]].concat();
    let mut desk = Desk::running(&service, &words);
    desk.see("Sign in");
    desk.see("Target");
    desk.see("user@realm)");
    desk.type_keys("anna@EXAMPLE.TEST\n");
    desk.see("Password for");
    desk.type_keys("hunter2\n");
    assert_eq!(desk.exit_code(), Some(0));
    let body = service.body("PUT /v1/jobs/ID/credentials/server/negotiate");
    assert_eq!(body, json!({ "user": "anna@EXAMPLE.TEST", "password": "hunter2" }));
}

#[test]
fn what_is_typed_is_saved_by_a_flag_when_the_server_has_taken_it() {
    for (courses, saved) in [
        (vec![vec![unauthorized(false)], vec![transferring(), acknowledged()]], true),
        (vec![vec![unauthorized(false)], vec![unauthorized(true)]], false),
    ] {
        let service = Service::with_courses(courses);
        let words = ["get", "https://files.test/report.pdf", "--save"];
        let mut desk = Desk::running(&service, &words);
        desk.see("user@realm)");
        desk.type_keys("anna\n");
        desk.see("Password for");
        desk.type_keys("hunter2\n");
        if saved {
            desk.see("files.test: the credentials are saved in");
        } else {
            desk.see("User name [anna]");
            desk.type_keys("\u{4}");
        }
        desk.exit_code();
        let listed = crate::bits::ended(service.command(&["credentials", "list", "--json"]));
        assert_eq!(listed.stdout.contains("files.test"), saved, "{listed:?}");
    }
}
