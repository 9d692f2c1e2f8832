//! Finding a job by what a person calls it: its id, the beginning of its id, or its name.

use bits_api::job::{Job, ListQuery};
use bits_core::error::Code;
use bits_core::job::{DISPLAY_NAME_UNITS_MAX, JobId};

use crate::client::Client;
use crate::error::Error;

/// What a text names.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    One(Box<Job>),
    Nothing,
    /// More than one live job is called so; some of them.
    Ambiguous(Vec<Job>),
}

/// Jobs looked at to show what a text could mean.
const CANDIDATES_MAX: usize = 10;

impl Client {
    /// The job that `text` names: an id (then also one that is over), the beginning of one with
    /// four characters or more, or the display name of one live job.
    ///
    /// # Errors
    /// [`Error`]; a job of somebody else is [`Error::Refused`] with `E_ACCESSDENIED`.
    pub async fn find_job(&self, text: &str) -> Result<Found, Error> {
        if let Ok(id) = JobId::parse(text) {
            return match self.job(id).await {
                Ok(job) => Ok(Found::One(Box::new(job))),
                Err(error) if error.code() == Some(Code::NOT_FOUND) => Ok(Found::Nothing),
                Err(error) => Err(error),
            };
        }
        // Nothing is called by a text longer than a name can be, or by none.
        if text.is_empty() || text.encode_utf16().count() > DISPLAY_NAME_UNITS_MAX {
            return Ok(Found::Nothing);
        }
        let query =
            ListQuery { called: Some(text.to_owned()), limit: Some(CANDIDATES_MAX), ..ListQuery::default() };
        let mut jobs = self.list_jobs(&query).await?.jobs;
        Ok(match jobs.len() {
            0 => Found::Nothing,
            1 => Found::One(Box::new(jobs.remove(0))),
            _ => Found::Ambiguous(jobs),
        })
    }
}
