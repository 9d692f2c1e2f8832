//! One job, its credential interface and its HTTP options, as BITS's programs handle them
//! (`IBackgroundCopyJob`, `IBackgroundCopyJob2::SetCredentials`).

mod http_options;

use std::path::Path;

use bits_api::credentials::{Password, SetCredentials};
use bits_api::event::Event;
use bits_api::file::{AddFile, AddFiles, File};
use bits_api::job::{ChangeJob, CommandAnswer, Job};
use bits_core::credentials::AuthTarget;
use bits_core::job::JobId;
use bits_core::secret::Secret;
use futures_util::stream::{Stream, TryStreamExt};

use crate::client::{Client, Scheme};
use crate::error::Error;
use crate::failure::JobFailure;
use crate::snapshot::Snapshot;

pub use http_options::JobHttpOptions;

/// One job of the service. Dropping the handle does nothing to the job.
#[derive(Debug, Clone)]
pub struct JobHandle {
    client: Client,
    id: JobId,
}

/// The credential interface of a job: they can be set and removed, never read.
#[derive(Debug, Clone, Copy)]
pub struct JobCredentials<'a> {
    job: &'a JobHandle,
}

/// `BG_AUTH_CREDENTIALS`: whom a secret is for, and the secret. Wiped when dropped. With neither user
/// nor password (BITS's NULL) it is implicit, see [`SetCredentials`].
#[derive(Debug)]
pub struct AuthCredentials {
    pub target: AuthTarget,
    pub scheme: Scheme,
    /// `DOMAIN\user`, `user@realm` or bare.
    pub user: String,
    pub password: Secret,
}

impl JobHandle {
    pub(crate) fn new(client: Client, id: JobId) -> Self {
        Self { client, id }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub fn id(&self) -> JobId {
        self.id
    }

    /// The job as it is now.
    ///
    /// # Errors
    /// [`Error`]; so for all methods below.
    pub async fn read(&self) -> Result<Job, Error> {
        self.client.job(self.id).await
    }

    /// The credential interface.
    pub fn credentials(&self) -> JobCredentials<'_> {
        JobCredentials { job: self }
    }

    /// How its requests are made.
    pub fn http_options(&self) -> JobHttpOptions<'_> {
        JobHttpOptions { job: self }
    }

    /// Adds the file at `remote_name`, to be put at the absolute path `local_name`.
    pub async fn add_file(&self, remote_name: &str, local_name: &Path) -> Result<Job, Error> {
        let local_name = local_name.to_str().ok_or_else(|| Error::Misuse {
            operation: "add_files",
            reason: format!("the path {} is not text", local_name.display()),
        })?;
        let file = AddFile::new(remote_name.to_owned(), local_name.to_owned());
        self.client.add_files(self.id, &AddFiles { files: vec![file], create_folders: false }).await
    }

    /// Adds files: all of them, or none.
    pub async fn add_files(&self, files: &AddFiles) -> Result<Job, Error> {
        self.client.add_files(self.id, files).await
    }

    /// The files in their order.
    pub fn files(&self) -> impl Stream<Item = Result<File, Error>> + Send + use<> {
        self.client.files(self.id)
    }

    /// The files as they are now, in the order added (`EnumFiles`). How a file is later is asked by
    /// [`Client::file`].
    ///
    /// # Errors
    /// As [`Client::list_files`].
    pub async fn enum_files(&self) -> Result<Snapshot<File>, Error> {
        self.files().try_collect().await.map(Snapshot::of)
    }

    /// The last error, until the job transfers again (`GetError`); `None` is BITS's
    /// `BG_E_ERROR_INFORMATION_UNAVAILABLE`.
    ///
    /// # Errors
    /// As [`Client::job`].
    pub async fn failure(&self) -> Result<Option<JobFailure>, Error> {
        let Some(error) = self.read().await?.error else { return Ok(None) };
        let file = match error.file {
            Some(index) => Some(self.client.file(self.id, index).await?),
            None => None,
        };
        Ok(Some(JobFailure::new(error, file)))
    }

    /// Changes properties: all of them, or none.
    pub async fn change(&self, change: &ChangeJob) -> Result<Job, Error> {
        self.client.change_job(self.id, change, None).await
    }

    /// Lets the job run.
    pub async fn resume(&self) -> Result<CommandAnswer, Error> {
        self.client.resume_job(self.id).await
    }

    /// Stops the job; what has come is kept.
    pub async fn suspend(&self) -> Result<CommandAnswer, Error> {
        self.client.suspend_job(self.id).await
    }

    /// Puts whole files in place and ends the job.
    pub async fn complete(&self) -> Result<CommandAnswer, Error> {
        self.client.complete_job(self.id).await
    }

    /// Ends the job and deletes what has come.
    pub async fn cancel(&self) -> Result<CommandAnswer, Error> {
        self.client.cancel_job(self.id).await
    }

    /// Makes the caller the owner (`TakeOwnership`).
    pub async fn take_ownership(&self) -> Result<CommandAnswer, Error> {
        self.client.take_ownership(self.id).await
    }

    /// Waits until the job rests: transferred, in error, suspended, or over.
    pub async fn wait_until_it_rests(&self) -> Result<Job, Error> {
        let mut events = self.client.events(Some(self.id)).await?;
        loop {
            if let Event::Job(job) = events.next().await?
                && !is_active(&job)
            {
                return Ok(*job);
            }
        }
    }
}

impl JobCredentials<'_> {
    /// Sets a credential and wipes it here, also when that fails.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set(&self, credentials: AuthCredentials) -> Result<(), Error> {
        let AuthCredentials { target, scheme, user, password } = credentials;
        let body = SetCredentials { user, password: Password(password) };
        self.job.client.set_credentials(self.job.id, target, scheme, &body).await
    }

    /// Removes a credential; says whether there was one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove(&self, target: AuthTarget, scheme: Scheme) -> Result<bool, Error> {
        self.job.client.remove_credentials(self.job.id, target, scheme).await
    }
}

/// Whether the job works, or will by itself. A state of a later version is taken for one of work:
/// whoever waits goes on waiting.
fn is_active(job: &Job) -> bool {
    let is_rest =
        matches!(job.state.as_str(), "suspended" | "error" | "transferred" | "acknowledged" | "cancelled");
    // The service is about to complete it.
    let is_on_the_way = job.state == "transferred" && job.complete_when_done;
    !is_rest || is_on_the_way
}
