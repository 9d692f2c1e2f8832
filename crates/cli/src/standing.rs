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

/// The states there are, by the API's words.
pub(crate) const STATES: [&str; 9] = [
    "queued",
    "connecting",
    "transferring",
    "suspended",
    "error",
    "transient_error",
    "transferred",
    "acknowledged",
    "cancelled",
];

impl Standing {
    /// Where `job` stands. A state of a later version counts as moving: whoever waits goes on.
    pub(crate) fn of(job: &Job) -> Self {
        match job.state.as_str() {
            // The service is about to complete it.
            "transferred" if job.complete_when_done => Self::Moving,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::a_job;

    #[test]
    fn every_state_says_whether_to_go_on_waiting() {
        let standings = STATES.map(|state| Standing::of(&a_job(state)));
        use Standing::*;
        assert_eq!(
            standings,
            [Moving, Moving, Moving, Suspended, Failed, Moving, Transferred, Acknowledged, Cancelled]
        );
        let completed_by_itself = Job { complete_when_done: true, ..a_job("transferred") };
        assert_eq!(Standing::of(&completed_by_itself), Moving);
        assert_eq!(Standing::of(&a_job("frozen")), Moving);
    }
}
