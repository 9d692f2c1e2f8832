//! A scripted person at a pseudo terminal, and a child that asks this person.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pty::OpenptFlags;
use rustix::termios::LocalModes;

use super::child::{outcome_of, start};

/// The person's side of a pseudo terminal, and the child on the other.
pub(crate) struct Desk {
    person: File,
    child: Child,
    seen: Vec<u8>,
    /// Where what is not yet recognised begins.
    unread_from: usize,
}

impl Desk {
    /// Starts `test` as a child at this terminal.
    pub(crate) fn with_child(test: &str, variables: &[(&str, &str)]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&person).unwrap();
        let tty = rustix::pty::ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let child = start(test, &tty, variables);
        Self { person: person.into(), child, seen: Vec::new(), unread_from: 0 }
    }

    /// Waits until the terminal has shown `text` once more.
    pub(crate) fn see(&mut self, text: &str) {
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

    pub(crate) fn type_keys(&self, keys: &str) {
        (&self.person).write_all(keys.as_bytes()).unwrap();
    }

    /// Whether the terminal is as a shell leaves it: keys are seen, and come line by line.
    pub(crate) fn echoes(&self) -> bool {
        rustix::termios::tcgetattr(&self.person)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    pub(crate) fn outcome(&mut self) -> String {
        outcome_of(&mut self.child)
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Everything the terminal has shown, now that the child has ended or waits for an answer.
    pub(crate) fn seen_in_all(&mut self) -> String {
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
