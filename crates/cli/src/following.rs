//! Telling a person what happens to jobs while they look on.

use std::collections::HashMap;
use std::time::Instant;

use bits_client::api::event::Note;
use bits_client::api::job::Job;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;
use crate::output::Output;
use crate::output::progress::Progress;
use crate::output::words;
use crate::standing::Standing;

/// What has been told about the jobs that are watched.
pub(crate) struct Teller<'a> {
    progress: Progress<'a>,
    /// How many errors of each job have been told.
    errors: HashMap<String, u32>,
    /// What holds jobs back, as it has been told.
    held_back: HashMap<String, String>,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { progress: Progress::new(output), errors: HashMap::new(), held_back: HashMap::new() }
    }

    /// Tells how `job` is now.
    pub(crate) fn job(&mut self, job: &Job) {
        if Standing::of(job) != Standing::Moving {
            self.progress.forget(job);
            return;
        }
        let told = self.errors.entry(job.id.clone()).or_insert(0);
        if job.state == "transient_error" && *told < job.error_count {
            *told = job.error_count;
            let line = format!("{}: {}", job.display_name, words::retry(job, Timestamp::now()));
            self.progress.aside(|output| output.say(&line));
        }
        let reason = words::held_back_by(job);
        if self.held_back.get(&job.id).map(String::as_str) != reason {
            match reason {
                Some(reason) => self.held_back.insert(job.id.clone(), reason.to_owned()),
                None => self.held_back.remove(&job.id),
            };
            let lines = reason.is_some().then(|| words::what_now(job, Timestamp::now()));
            for line in lines.into_iter().flatten() {
                let line = format!("{}: {line}", job.display_name);
                self.progress.aside(|output| output.say(&line));
            }
        }
        self.progress.show(job, Instant::now());
    }

    /// Tells a curious person.
    pub(crate) fn note(&mut self, note: &Note) {
        self.progress.aside(|output| output.detail(&note.text));
    }

    /// Says a line beside the progress.
    pub(crate) fn say(&mut self, line: &str) {
        self.progress.aside(|output| output.say(line));
    }

    /// Leaves the terminal to somebody else.
    pub(crate) fn step_aside(&mut self) {
        self.progress.clear();
    }
}

/// Ctrl-C, which from here on no longer ends the process.
pub(crate) fn interrupts() -> Result<Signal, Failure> {
    signal(SignalKind::interrupt())
        .map_err(|error| Failure::System(format!("Ctrl-C cannot be listened for: {error}")))
}
