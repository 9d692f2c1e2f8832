//! What the log is told of jobs: one line for each change of state, with the attempt and the cause,
//! once it is committed.

use bits_core::job::{Attempt, Command, Job, JobId, State};
use bits_core::queue::{Input, Report, Request};

/// A change of a job's state that a turn has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    job: JobId,
    attempt: u32,
    /// None for a new job.
    from: Option<&'static str>,
    to: &'static str,
    cause: &'static str,
    /// What the job has met, when it is that which changed it.
    error: Option<(String, String)>,
    /// Whether its owner must act.
    is_fatal: bool,
}

/// As much of a job as tells whether it has changed since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    state: &'static str,
    attempt: Attempt,
}

impl Before {
    pub(super) fn of(job: &Job) -> Self {
        Self { state: job.state.name(), attempt: job.attempt }
    }
}

impl Change {
    /// The change from `before` to `after`, if the state is another.
    pub(super) fn between(before: Option<Before>, after: &Job, cause: &'static str) -> Option<Self> {
        let from = before.map(|job| job.state);
        let to = after.state.name();
        let is_again = before.is_some_and(|job| job.attempt != after.attempt);
        if from == Some(to) && !is_again {
            return None;
        }
        // The error stays with the job when it is tried again; it is no news then.
        let is_met = matches!(after.state, State::Error | State::TransientError { .. });
        let error = after.error.as_ref().filter(|_| is_met);
        Some(Self {
            job: after.id,
            attempt: after.attempt.0,
            from,
            to,
            cause,
            error: error.map(|error| (error.code.to_string(), error.message.clone())),
            is_fatal: after.state == State::Error,
        })
    }

    /// Tells the log.
    pub(super) fn tell(&self) {
        let Self { job, attempt, from, to, cause, error, is_fatal } = self;
        let from = from.unwrap_or("none");
        match error {
            Some((code, message)) if *is_fatal => {
                tracing::warn!(%job, attempt, from, to, cause, code, "{message}");
            }
            Some((code, message)) => tracing::info!(%job, attempt, from, to, cause, code, "{message}"),
            None => tracing::info!(%job, attempt, from, to, cause, "{to}"),
        }
    }
}

/// Why an input changes a job, in a word that can be searched for.
pub(super) fn cause(input: &Input) -> &'static str {
    match input {
        Input::Request { request, .. } => match request {
            Request::Create { .. } => "created",
            Request::Command { command: Command::Resume, .. } => "resume",
            Request::Command { command: Command::Suspend, .. } => "suspend",
            Request::Command { command: Command::Complete, .. } => "complete",
            Request::Command { command: Command::Cancel, .. } => "cancel",
            Request::TakeOwnership { .. } => "take_ownership",
            Request::SetCredentials { .. } | Request::Answer { .. } => "credentials",
            _ => "request",
        },
        Input::Report { report, .. } => match report {
            Report::Connected { .. } => "content",
            Report::FilesTransferred { .. } => "all_files_came",
            Report::Failed { .. } | Report::FilePassedOver { .. } => "failed",
            Report::Finalized { .. } => "files_in_place",
            Report::Discarded { .. } => "files_discarded",
            _ => "report",
        },
        Input::Grant { .. } => "turn",
        Input::Yield { .. } => "turn_over",
        Input::Halt { .. } => "conditions",
        Input::Hold { .. } => "key_missing",
        Input::Due { .. } => "time",
        Input::ClockSet { .. } => "clock_set",
        Input::Abandoned { .. } => "inactive",
        Input::Tell { .. } => "notice",
        Input::Attend { .. } | Input::Offer { .. } => "agent",
    }
}

/// The cause of what a start changes.
pub(super) const START: &str = "service_started";

#[cfg(test)]
mod tests {
    use super::*;
    use bits_core::job::{Owner, Properties};
    use bits_core::time::Timestamp;

    #[test]
    fn a_change_of_state_is_one_line_and_anything_else_is_none() {
        let properties = Properties::named("n".to_owned()).expect("a name");
        let before = Job::new(JobId([1; 16]), Owner(1), properties, Timestamp(0));
        let mut after = before.clone();
        after.properties.description = "another".to_owned();
        let before = Before::of(&before);
        assert_eq!(Change::between(Some(before), &after, "request"), None);
        let made = Change::between(None, &after, "created").expect("it is new");
        assert_eq!((made.from, made.to, made.cause), (None, "suspended", "created"));
        after.state = State::Queued;
        after.attempt = Attempt(3);
        let changed = Change::between(Some(before), &after, "resume").expect("another state");
        assert_eq!((changed.from, changed.to, changed.attempt), (Some("suspended"), "queued", 3));
    }
}
