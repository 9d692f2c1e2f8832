//! What a job's state means for somebody who waits for it.

use bits_client::api::job::Job;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It works, or will by itself.
    Moving,
    /// Everything is here; its owner completes it.
    Transferred,
    /// The files are in place.
    Acknowledged,
    Failed,
    Suspended,
    Cancelled,
}

impl Standing {
    /// Where `job` stands. A state of a later version counts as moving: whoever waits goes on.
    pub(crate) fn of(job: &Job) -> Self {
        match job.state.as_str() {
            // The service is about to complete it, unless files were added that have not come.
            "transferred" if job.complete_when_done && !lacks_files(job) => Self::Moving,
            "transferred" => Self::Transferred,
            "acknowledged" => Self::Acknowledged,
            "error" => Self::Failed,
            "suspended" => Self::Suspended,
            "cancelled" => Self::Cancelled,
            _ => Self::Moving,
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Cancelled)
    }
}

/// Whether files were added to a job that had transferred all it had.
pub(crate) fn lacks_files(job: &Job) -> bool {
    let passed_over = job.progress.files_passed_over;
    job.progress.files_transferred.saturating_add(passed_over) < job.progress.files_total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::a_job;
    use bits_core::job::State;

    #[test]
    fn every_state_says_whether_to_go_on_waiting() {
        let standings = State::NAMES.map(|state| Standing::of(&a_job(state)));
        use Standing::*;
        assert_eq!(
            standings,
            [Moving, Moving, Moving, Suspended, Failed, Moving, Transferred, Acknowledged, Cancelled]
        );
        let mut completed_by_itself = Job { complete_when_done: true, ..a_job("transferred") };
        assert_eq!(Standing::of(&completed_by_itself), Transferred, "a file has not come");
        completed_by_itself.progress.files_transferred = 1;
        assert_eq!(Standing::of(&completed_by_itself), Moving);
        assert_eq!(Standing::of(&a_job("frozen")), Moving);
    }
}
