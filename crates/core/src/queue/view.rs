//! What is shown of a job: what is written, and what is known beyond that just now.

use crate::conditions::Hold;
use crate::file::{File, Stage};
use crate::job::{Job, Progress, State};
use crate::time::Timestamp;
use crate::units::Bytes;

use super::{ConnectionLimit, Queue};

/// Why a job does not move, and until when (promise P5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Other jobs have their turn first; at least so many.
    Queued { ahead: usize },
    /// It is tried again later.
    Retry { until: Timestamp },
    /// It cannot sign in.
    Credential(CredentialWait),
    /// The conditions are not what it needs.
    Conditions(Hold),
    /// The timetable does not let jobs of its priority run now.
    Policy { until: Option<Timestamp> },
    /// There are as many connections as there may be.
    Connections(ConnectionLimit),
    /// All is here that was asked for of its files, which come on demand.
    Demand,
}

/// What a job waits for that cannot sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialWait {
    /// The key to its credentials is not there.
    Key,
    /// A person was asked for credentials and has not answered.
    Answer,
}

/// A job as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    pub job: Job,
    pub progress: Progress,
    pub wait: Option<WaitReason>,
}

/// A file as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileView {
    pub file: File,
    pub transferred: Bytes,
}

/// Jobs ahead in the queue are counted no further than this.
const AHEAD_MAX: usize = 10_000;

impl Queue {
    /// How `job`, of which the store has `written`, is shown just now.
    pub fn view(&self, job: Job, written: Progress) -> JobView {
        let mut progress = written;
        if let Some(live) = self.live.get(&job.id) {
            let beyond = live.transferred.beyond(live.written);
            progress.bytes_transferred = progress.bytes_transferred.saturating_add(beyond);
        }
        let wait = match job.state {
            State::Queued if self.asking.concerns(job.id) => {
                Some(WaitReason::Credential(CredentialWait::Answer))
            }
            State::Queued if self.schedule.is_held(job.id) => {
                Some(WaitReason::Credential(CredentialWait::Key))
            }
            State::Queued if let Some(hold) = self.schedule.hold_of(job.id) => {
                Some(WaitReason::Conditions(hold))
            }
            State::Queued if let Some(stop) = self.schedule.stopped(job.properties.priority) => {
                Some(WaitReason::Policy { until: stop.until })
            }
            State::Queued if let Some(limit) = self.schedule.waits_for_connection(job.id) => {
                Some(WaitReason::Connections(limit))
            }
            State::Queued => Some(WaitReason::Queued { ahead: self.schedule.ahead_of(job.id, AHEAD_MAX) }),
            State::Connecting | State::Transferring => {
                self.awaiting.get(&job.id).map(|limit| WaitReason::Connections(*limit))
            }
            State::Suspended if job.is_satisfied() => Some(WaitReason::Demand),
            State::TransientError { retry_at } => Some(WaitReason::Retry { until: retry_at }),
            _ => None,
        };
        JobView { job, progress, wait }
    }

    /// How `file` of `job` is shown just now.
    pub fn view_file(&self, job: &Job, file: File) -> FileView {
        let live = self.live.get(&job.id).filter(|live| live.file == file.index);
        let transferred = match file.stage {
            Stage::Waiting => live.map_or(file.durable, |live| live.transferred.max(file.durable)),
            Stage::Transferred | Stage::Completed => file.durable,
        };
        FileView { file, transferred }
    }
}
