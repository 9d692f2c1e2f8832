//! The same for programs without async. Each method is the one of [`crate::Client`] by that name,
//! and fails as it does.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use bits_api::about::{About, Key};
use bits_api::certificate::{AnswerCertificate, ServerCertificate};
use bits_api::challenge::{AnswerChallenge, Answered, ChallengeEvent, ChallengeList};
use bits_api::credentials::SetCredentials;
use bits_api::event::Event;
use bits_api::export::{ExportedJob, ImportQuery, Imported};
use bits_api::file::{
    AddFiles, ChangeFile, File, FileList, FileQuery, FilledRanges, ReplaceRemotePrefix, RequestRanges,
};
use bits_api::job::{
    ChangeJob, CommandAnswer, CreateJob, CreateJobs, CreatedJobs, Heard, Job, JobList, ListQuery,
};
use bits_api::settings::{Reloaded, SettingList};
use bits_core::credentials::AuthTarget;
use bits_core::error::Code;
use bits_core::job::JobId;
use futures_util::stream::TryStreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::challenges::ChallengeStream;
use crate::client::Scheme;
use crate::connect::ConnectOptions;
use crate::error::Error;
use crate::events::EventStream;
use crate::failure::JobFailure;
use crate::find::Found;
use crate::handle::JobHandle;
use crate::notifications::{Callback, Notification, call};
use crate::snapshot::Snapshot;

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

/// Notifications of one job, of [`crate::Notifications`]; ends when the job is over, and after an error.
#[derive(Debug)]
pub struct Notifications<'a> {
    client: &'a Client,
    stream: Option<crate::Notifications>,
}

/// Challenges, one after the other, of [`crate::ChallengeStream`]; ends after an error.
#[derive(Debug)]
pub struct Challenges<'a> {
    client: &'a Client,
    stream: Option<ChallengeStream>,
}

/// A callback that is registered with the service, and called on a thread of its own while this is
/// kept, as with [`crate::Registration`]. Dropped, it is removed, and that is waited for.
#[derive(Debug)]
#[must_use = "the callback is removed when the registration is dropped"]
pub struct Registration {
    /// Dropped before the thread is waited for: it ends then.
    kept: Option<oneshot::Sender<()>>,
    listening: Option<JoinHandle<Result<(), Error>>>,
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
    /// Has the service read its settings again; says which have changed.
    reload_settings() -> Reloaded;
    /// Creates a job: with its first files, if any are given, and suspended unless it is to be resumed.
    create_job(job: CreateJob) -> Job;
    /// Creates up to 1000 jobs in one call, each for itself.
    create_jobs(jobs: CreateJobs) -> CreatedJobs;
    /// The job and its files as another service can take them over.
    export_job(id: JobId) -> ExportedJob;
    /// Makes a job that was exported.
    import_job(job: &ExportedJob, how: ImportQuery) -> Imported;
    /// The service in numbers, as OpenMetrics text.
    metrics() -> String;
    /// A part of the caller's jobs, oldest first.
    list_jobs(query: &ListQuery) -> JobList;
    /// The caller's jobs that are not over, as they are now.
    enum_jobs() -> Snapshot<JobHandle>;
    /// The same of all users (`BG_JOB_ENUM_ALL_USERS`), for an administrator of a service of the whole
    /// machine.
    enum_jobs_of_all_users() -> Snapshot<JobHandle>;
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
    /// Makes the caller the owner, who must be an administrator unless the job is theirs.
    take_ownership(id: JobId) -> CommandAnswer;
    /// Adds files: all of them, or none.
    add_files(id: JobId, files: &AddFiles) -> Job;
    /// A part of the files of a job, in their order.
    list_files(id: JobId, query: &FileQuery) -> FileList;
    /// Everything about one file, with what the server said of it.
    file(id: JobId, index: u32) -> File;
    /// Changes where a file comes from, or says whether its content is right.
    change_file(id: JobId, index: u32, change: &ChangeFile) -> Job;
    /// What of a file of a job on demand is there, and what is asked for (`GetFilledFileRanges`).
    filled_ranges(id: JobId, index: u32) -> FilledRanges;
    /// Has parts of a file of a job on demand come before all else, while the job runs
    /// (`RequestFileRanges`).
    request_ranges(id: JobId, index: u32, ranges: &RequestRanges) -> Job;
    /// Has all that is missing of a file of a job on demand come, from byte `offset` on first
    /// (`UpdateDownloadPosition`).
    set_download_position(id: JobId, index: u32, offset: u64) -> Job;
    /// Changes the start of every remote name that begins so, of files that have not come.
    replace_remote_prefix(id: JobId, prefix: &ReplaceRemotePrefix) -> CommandAnswer;
    /// Says whether a callback has heard that a job is TRANSFERRED or in ERROR.
    notification_heard(id: JobId, heard: &Heard) -> ();
    /// Sets an explicit credential.
    set_credentials(id: JobId, target: AuthTarget, scheme: Scheme, credentials: &SetCredentials) -> ();
    /// Removes a credential; says whether there was one.
    remove_credentials(id: JobId, target: AuthTarget, scheme: Scheme) -> bool;
    /// The challenges that wait for an answer.
    list_challenges() -> ChallengeList;
    /// Answers a challenge, for all jobs that wait for it.
    answer_challenge(id: &str, answer: &AnswerChallenge) -> Answered;
    /// Removes the callback about certificates that is registered for the job.
    remove_certificate_callback(job: JobId, registration: Option<&str>) -> ();
    /// Answers a question about a certificate.
    answer_certificate(job: JobId, question: &str, answer: &AnswerCertificate) -> ();
    /// Has the service make a new key to seal credentials with.
    rotate_key() -> Key;
    /// Stops the service.
    stop() -> ();
}

impl Client {
    /// The files of a job as they are now, in the order added.
    ///
    /// # Errors
    /// [`Error`].
    pub fn enum_files(&self, id: JobId) -> Result<Snapshot<File>, Error> {
        self.runtime.block_on(self.client.job_handle(id).enum_files())
    }

    /// The last error of a job, until it transfers again.
    ///
    /// # Errors
    /// [`Error`].
    pub fn failure(&self, id: JobId) -> Result<Option<JobFailure>, Error> {
        self.runtime.block_on(self.client.job_handle(id).failure())
    }

    /// Finds the service, or starts it.
    ///
    /// # Errors
    /// [`Error`].
    ///
    /// # Panics
    /// When the system lets no event loop be made: it is out of file descriptors.
    pub fn connect(options: ConnectOptions) -> Result<Self, Error> {
        let runtime = event_loop();
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

impl Client {
    /// Notifications of one job, from now on, and what stands.
    ///
    /// # Errors
    /// [`Error`].
    pub fn notifications(&self, job: JobId) -> Result<Notifications<'_>, Error> {
        let stream = self.runtime.block_on(self.client.notifications(job))?;
        Ok(Notifications { client: self, stream: Some(stream) })
    }

    /// Calls `callback` on this thread until the job is over.
    ///
    /// # Errors
    /// [`Error`].
    pub fn call_back(&self, job: JobId, callback: &dyn Callback) -> Result<(), Error> {
        let mut notifications = self.notifications(job)?;
        while let Some(notification) = notifications.next().transpose()? {
            if call(callback, &notification).is_err() {
                notifications.not_heard();
            }
        }
        Ok(())
    }

    /// Becomes an agent: jobs of this user that need credentials wait, and say so here.
    ///
    /// # Errors
    /// [`Error`].
    pub fn challenges(&self) -> Result<Challenges<'_>, Error> {
        let stream = self.runtime.block_on(self.client.challenges())?;
        Ok(Challenges { client: self, stream: Some(stream) })
    }

    /// Has `callback` asked about the certificates of the job's servers, as
    /// [`crate::JobHandle::validate_server_certificates`] does.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// When the system lets no event loop be made: it is out of file descriptors.
    pub fn validate_server_certificates(
        &self,
        job: JobId,
        callback: impl Fn(&ServerCertificate) -> Result<(), Code> + Send + Sync + 'static,
    ) -> Result<Registration, Error> {
        let handle = self.client.job_handle(job);
        let (said, outcome) = mpsc::channel();
        let (kept, dropped) = oneshot::channel::<()>();
        let listening = thread::spawn(move || {
            event_loop().block_on(async {
                match handle.validate_server_certificates(callback).await {
                    Ok(registration) => {
                        let _ = said.send(Ok(()));
                        let _ = dropped.await;
                        registration.remove().await
                    }
                    Err(error) => {
                        let _ = said.send(Err(error));
                        Ok(())
                    }
                }
            })
        });
        outcome.recv().expect("the thread says how it went")?;
        Ok(Registration { kept: Some(kept), listening: Some(listening) })
    }
}

impl Registration {
    /// Removes the callback, if it is the one in force.
    ///
    /// # Errors
    /// [`Error::Refused`] with `0x80200075` while the job works: it fails then, and is tried again.
    pub fn remove(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        self.kept = None;
        match self.listening.take() {
            // A callback that panics has said so itself.
            Some(listening) => listening.join().unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Closing the stream says that nobody is there, whatever became of this.
        let _ = self.end();
    }
}

impl Iterator for Challenges<'_> {
    type Item = Result<ChallengeEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = self.stream.as_mut()?;
        let event = self.client.runtime.block_on(stream.next());
        if event.is_err() {
            self.stream = None;
        }
        Some(event)
    }
}

fn event_loop() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("the system has a file descriptor for an event loop")
}

impl Notifications<'_> {
    /// The last one was not dealt with, as with [`crate::Notifications::not_heard`].
    pub fn not_heard(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.not_heard();
        }
    }
}

impl Iterator for Notifications<'_> {
    type Item = Result<Notification, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = self.stream.as_mut()?;
        let next = self.client.runtime.block_on(stream.next()).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.stream = None;
        }
        next
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
