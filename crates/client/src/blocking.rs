//! The same for programs without async. Each method is the one of [`crate::Client`] by that name,
//! and fails as it does.

use bits_api::about::{About, Key};
use bits_api::credentials::SetCredentials;
use bits_api::event::Event;
use bits_api::export::{ExportedJob, ImportQuery, Imported};
use bits_api::file::{AddFiles, ChangeFile, File, FileList, FileQuery, ReplaceRemotePrefix};
use bits_api::job::{ChangeJob, CommandAnswer, CreateJob, Job, JobList, ListQuery};
use bits_api::settings::SettingList;
use bits_core::credentials::AuthTarget;
use bits_core::job::JobId;
use futures_util::stream::TryStreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::client::Scheme;
use crate::connect::ConnectOptions;
use crate::error::Error;
use crate::events::EventStream;
use crate::find::Found;

/// The service of this user. Not to be used from within an async runtime, which it would block.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    client: crate::Client,
}

/// Events, one after the other; ends after an error.
#[derive(Debug)]
pub struct Events<'a> {
    client: &'a Client,
    stream: Option<EventStream>,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`Error`].
                pub fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error> {
                    self.runtime.block_on(self.client.$name($($argument),*))
                }
            )*
        }
    };
}

operations! {
    /// The service: version, places, how many jobs.
    about() -> About;
    /// The settings in force, and where each came from.
    settings() -> SettingList;
    /// Creates a job, suspended and without files.
    create_job(job: CreateJob) -> Job;
    /// The job and its files as another service can take them over.
    export_job(id: JobId) -> ExportedJob;
    /// Makes a job that was exported.
    import_job(job: &ExportedJob, how: ImportQuery) -> Imported;
    /// The service in numbers, as OpenMetrics text.
    metrics() -> String;
    /// A part of the caller's jobs, oldest first.
    list_jobs(query: &ListQuery) -> JobList;
    /// One job.
    job(id: JobId) -> Job;
    /// The job that a text names.
    find_job(text: &str) -> Found;
    /// Changes properties: all of them, or none.
    change_job(id: JobId, change: &ChangeJob, only_at: Option<u64>) -> Job;
    /// Lets the job run.
    resume_job(id: JobId) -> CommandAnswer;
    /// Stops the job; what has come is kept.
    suspend_job(id: JobId) -> CommandAnswer;
    /// Puts whole files in place and ends the job.
    complete_job(id: JobId) -> CommandAnswer;
    /// Ends the job and deletes what has come.
    cancel_job(id: JobId) -> CommandAnswer;
    /// Adds files: all of them, or none.
    add_files(id: JobId, files: &AddFiles) -> Job;
    /// A part of the files of a job, in their order.
    list_files(id: JobId, query: &FileQuery) -> FileList;
    /// Everything about one file, with what the server said of it.
    file(id: JobId, index: u32) -> File;
    /// Changes where a file comes from, or says whether its content is right.
    change_file(id: JobId, index: u32, change: &ChangeFile) -> Job;
    /// Changes the start of every remote name that begins so, of files that have not come.
    replace_remote_prefix(id: JobId, prefix: &ReplaceRemotePrefix) -> CommandAnswer;
    /// Sets an explicit credential.
    set_credentials(id: JobId, target: AuthTarget, scheme: Scheme, credentials: &SetCredentials) -> ();
    /// Removes a credential; says whether there was one.
    remove_credentials(id: JobId, target: AuthTarget, scheme: Scheme) -> bool;
    /// Has the service make a new key to seal credentials with.
    rotate_key() -> Key;
    /// Stops the service.
    stop() -> ();
}

impl Client {
    /// Finds the service, or starts it.
    ///
    /// # Errors
    /// [`Error`].
    ///
    /// # Panics
    /// When the system lets no event loop be made: it is out of file descriptors.
    pub fn connect(options: ConnectOptions) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the system has a file descriptor for an event loop");
        let client = runtime.block_on(crate::Client::connect(options))?;
        Ok(Self { runtime, client })
    }

    /// All jobs that fit `query`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn jobs(&self, query: ListQuery) -> Result<Vec<Job>, Error> {
        self.runtime.block_on(self.client.jobs(query).try_collect())
    }

    /// All files of a job in their order.
    ///
    /// # Errors
    /// [`Error`].
    pub fn files(&self, id: JobId) -> Result<Vec<File>, Error> {
        self.runtime.block_on(self.client.files(id).try_collect())
    }

    /// What happens to one job, or to all of the caller's: first how things are, then changes.
    ///
    /// # Errors
    /// [`Error`].
    pub fn events(&self, job: Option<JobId>) -> Result<Events<'_>, Error> {
        let stream = self.runtime.block_on(self.client.events(job))?;
        Ok(Events { client: self, stream: Some(stream) })
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = self.stream.as_mut()?;
        let event = self.client.runtime.block_on(stream.next());
        if event.is_err() {
            self.stream = None;
        }
        Some(event)
    }
}
