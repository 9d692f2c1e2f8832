//! What whoever runs the service allows: how much of everything there may be, and for how long.
//!
//! Values alone; who is bound by them and what comes of a breach is decided where it is met.

use core::time::Duration;

/// What is allowed. The limits bind everybody but administrators (`bits.md` §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Jobs of one user that are not over (`MaxJobsPerUser`).
    pub jobs_per_user_max: u32,
    /// Jobs of all users that are not over (`MaxJobsPerMachine`).
    pub jobs_per_machine_max: u32,
    /// Files of one job (`MaxFilesPerJob`).
    pub files_per_job_max: u32,
    /// Ranges of one file (`MaxRangesPerFile`).
    pub ranges_per_file_max: u32,
    /// How long a job may be CONNECTING and TRANSFERRING that says nothing of it (`MaxDownloadTime`).
    pub maximum_download_time: Duration,
    /// After how long a job is cancelled to which nothing has happened (`JobInactivityTimeout`);
    /// never, when there is none.
    pub job_inactivity_timeout: Option<Duration>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Policy {
    /// What is built in. More than BITS allows: the limits there are for a time when a list of jobs
    /// was slow (`bits.md` §13, complaint 9).
    pub const BUILT_IN: Self = Self {
        jobs_per_user_max: 2_000_000,
        jobs_per_machine_max: 5_000_000,
        files_per_job_max: 1_000_000,
        ranges_per_file_max: 10_000,
        maximum_download_time: DAY.saturating_mul(90),
        job_inactivity_timeout: Some(DAY.saturating_mul(90)),
    };

    /// What BITS has built in (`bits.md` §4, §10.2).
    pub const OF_BITS: Self = Self {
        jobs_per_user_max: 60,
        jobs_per_machine_max: 300,
        files_per_job_max: 200,
        ranges_per_file_max: 500,
        ..Self::BUILT_IN
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::BUILT_IN
    }
}
