//! What users are called, as far as it is known here.
//!
//! The name service can be a directory on the network. Whoever makes an answer does not wait for it: a name
//! is asked for beside, and is in later answers.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a name is taken to be what it was.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// Users that are kept in mind.
const KNOWN_MAX: usize = 1024;

/// Asks the system what a user is called; `None` where it knows no such user. May wait.
pub type LookUp = fn(u32) -> Option<String>;

/// The names of users.
#[derive(Debug, Clone)]
pub struct Names {
    look_up: LookUp,
    known: Arc<Mutex<BTreeMap<u32, Known>>>,
}

#[derive(Debug)]
struct Known {
    name: Option<String>,
    /// When it was asked for; it may not be there yet.
    asked: Instant,
}

impl Names {
    pub fn new(look_up: LookUp) -> Self {
        Self { look_up, known: Arc::default() }
    }

    /// Waits for the name of user `uid`, no longer than `patience`, so that it is there from the first answer
    /// on.
    pub fn learn(&self, uid: u32, patience: Duration) {
        // Without it the name is in later answers, or in none.
        let _ = self.ask(uid, Instant::now()).recv_timeout(patience);
    }

    /// The name of user `uid`, where it is known.
    pub(crate) fn of(&self, uid: u32) -> Option<String> {
        let now = Instant::now();
        let known = self.known();
        let found = known.get(&uid);
        let name = found.and_then(|found| found.name.clone());
        if found.is_none_or(|found| now.duration_since(found.asked) >= KNOWN_FOR) {
            drop(known);
            drop(self.ask(uid, now));
        }
        name
    }

    /// Asks for a name beside; what it is told by ends with that.
    fn ask(&self, uid: u32, now: Instant) -> Receiver<()> {
        self.note(uid, now);
        let names = self.clone();
        let (ends, ended) = channel();
        let asking = move || {
            names.keep(uid, (names.look_up)(uid));
            drop(ends);
        };
        if let Err(error) = thread::Builder::new().name("names".to_owned()).spawn(asking) {
            tracing::debug!(%error, uid, "nobody asks what a user is called");
        }
        ended
    }

    /// Takes note that it is asked for, so that nobody else does.
    fn note(&self, uid: u32, now: Instant) {
        let mut known = self.known();
        if known.len() >= KNOWN_MAX && !known.contains_key(&uid) {
            known.clear();
        }
        known.entry(uid).or_insert(Known { name: None, asked: now }).asked = now;
    }

    fn keep(&self, uid: u32, name: Option<String>) {
        if let Some(known) = self.known().get_mut(&uid) {
            known.name = name;
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u32, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_name_that_was_learned_is_there_and_another_one_when_the_system_has_told_it() {
        let names = Names::new(|uid| (uid < 2).then(|| format!("user {uid}")));
        names.learn(0, PATIENCE);
        assert_eq!(names.of(0).as_deref(), Some("user 0"));
        assert_eq!(names.of(1), None, "nobody waits for it");
        while names.of(1).is_none() {
            thread::yield_now();
        }
        assert_eq!(names.of(1).as_deref(), Some("user 1"));
        names.learn(2, PATIENCE);
        assert_eq!(names.of(2), None, "there is no such user");
    }

    #[test]
    fn no_more_users_are_kept_in_mind_than_may_be() {
        let names = Names::new(|_| None);
        (0..=KNOWN_MAX as u32).for_each(|uid| names.learn(uid, PATIENCE));
        assert_eq!(names.known().len(), 1);
    }
}
