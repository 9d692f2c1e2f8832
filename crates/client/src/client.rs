//! The service as a value with a method for each of its operations.
//!
//! What may be asked twice is asked again when the service breaks off: everything that reads, and
//! changes that are the same whether made once or twice. The others fail with
//! [`Error::BrokenOff`], as nobody can tell whether they were done.
//!
//! One connection is kept for the requests that may be asked twice: it may end at any moment, and then they
//! are. The others, and those with a secret in them, have a new one each.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bits_api::about::{About, Key};
use bits_api::credentials::{ANY_SCHEME, Removed, SetCredentials};
use bits_api::event::EventQuery;
use bits_api::export::{ExportedJob, ImportQuery, Imported, JOB_BYTES_MAX};
use bits_api::file::{
    AddFiles, ChangeFile, DownloadPosition, File, FileList, FileQuery, FilledRanges, ReplaceRemotePrefix,
    RequestRanges,
};
use bits_api::job::{ChangeJob, CommandAnswer, CreateJob, CreateJobs, CreatedJobs, Job, JobList, ListQuery};
use bits_api::operations::{self, Operation};
use bits_api::settings::{Reloaded, SettingList};
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::job::{IdError, JobId};
use futures_util::stream::{self, Stream, TryStreamExt};
use tokio::time::{sleep, timeout};

use crate::connect::{ConnectOptions, Door, IfAbsent};
use crate::connection::{Connection, Kept};
use crate::environment::environment_of_this_process;
use crate::error::Error;
use crate::events::{EventStream, Feed};
use crate::handle::JobHandle;
use crate::snapshot::Snapshot;
use crate::transport::{Answer, Request, WholeAnswer, trouble};

/// The service of this user. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Client {
    door: Arc<Door>,
    kept: Arc<Kept>,
}

/// Which scheme a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    One(AuthScheme),
    /// All that suit: Negotiate, NTLM, Digest and, on https, Basic.
    Any,
}

impl Scheme {
    /// The word for people and programs, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(scheme) => scheme.name(),
            Self::Any => ANY_SCHEME,
        }
    }
}

/// A new download job called `display_name`, with an id of its own and what transfers need of this
/// process's environment; to be handed to [`Client::create_job`].
pub fn new_job(display_name: impl Into<String>) -> CreateJob {
    CreateJob {
        id: Some(new_id().to_string()),
        display_name: display_name.into(),
        environment: environment_of_this_process(),
        ..CreateJob::default()
    }
}

/// Times an operation is asked when the service breaks off.
const TRIES: u32 = 4;
/// The pause after the first of them; each further one is as much longer.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
/// How long an answer may take. Completing a job of many files waits for the disk at each.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Whether an operation may be asked again when nobody knows if it was done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Yes,
    No,
}

impl Client {
    /// Finds the service, or starts it.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn connect(options: ConnectOptions) -> Result<Self, Error> {
        let door = Door::new(options)?;
        let client = Self { door: Arc::new(door), kept: Arc::default() };
        let connection = client.enter(IfAbsent::Start, "connect").await?;
        client.kept.leave(connection);
        Ok(client)
    }

    /// The folder where the service keeps its things.
    pub fn state_folder(&self) -> &Path {
        &self.door.paths().state_folder
    }

    /// The job called `id`, as BITS's programs handle one. Nothing is asked yet.
    pub fn job_handle(&self, id: JobId) -> JobHandle {
        JobHandle::new(self.clone(), id)
    }

    /// Creates a job and returns its handle.
    ///
    /// # Errors
    /// As [`Client::create_job`].
    pub async fn create(&self, job: CreateJob) -> Result<JobHandle, Error> {
        let job = self.create_job(job).await?;
        Ok(self.job_handle(id_of(&job)?))
    }

    /// The service: version, places, how many jobs.
    ///
    /// # Errors
    /// [`Error`]; so for all operations below.
    pub async fn about(&self) -> Result<About, Error> {
        self.ask(request("about", &[]), Again::Yes).await?.read()
    }

    /// The same, of a service that runs: none is started for it.
    pub async fn about_if_running(&self) -> Result<About, Error> {
        self.ask_running(&request("about", &[])).await?.read()
    }

    /// The settings in force, and where each came from.
    pub async fn settings(&self) -> Result<SettingList, Error> {
        self.ask(request("settings", &[]), Again::Yes).await?.read()
    }

    /// Has the service read its settings again; says which have changed.
    pub async fn reload_settings(&self) -> Result<Reloaded, Error> {
        self.ask(request("reload_settings", &[]), Again::Yes).await?.read()
    }

    /// Creates a job: with its first files, if any are given, and suspended unless it is to be resumed.
    /// Without an id it is given one here, so that asking twice makes one job.
    pub async fn create_job(&self, mut job: CreateJob) -> Result<Job, Error> {
        job.id.get_or_insert_with(|| new_id().to_string());
        self.ask(request("create_job", &[]).body(&job)?, Again::Yes).await?.read()
    }

    /// Creates up to 1000 jobs in one call, each for itself: what became of each is in the answer. Those
    /// without ids are given some here, as by [`Client::create_job`].
    pub async fn create_jobs(&self, mut jobs: CreateJobs) -> Result<CreatedJobs, Error> {
        let group = new_id().group();
        for job in &mut jobs.jobs {
            job.id.get_or_insert_with(|| new_id().in_group(group).to_string());
        }
        self.ask(request("create_jobs", &[]).body(&jobs)?, Again::Yes).await?.read()
    }

    /// A part of the caller's jobs, oldest first.
    pub async fn list_jobs(&self, query: &ListQuery) -> Result<JobList, Error> {
        self.ask(request("list_jobs", &[]).query(query), Again::Yes).await?.read()
    }

    /// All jobs that fit `query`, asked for part by part.
    pub fn jobs(&self, query: ListQuery) -> impl Stream<Item = Result<Job, Error>> + Send + use<> {
        let client = self.clone();
        let parts = stream::try_unfold(Some(query), move |query| {
            let client = client.clone();
            async move {
                let Some(mut query) = query else { return Ok(None) };
                let part = client.list_jobs(&query).await?;
                let rest = part.next.map(|next| {
                    query.cursor = Some(next);
                    query
                });
                Ok::<_, Error>(Some((stream::iter(part.jobs.into_iter().map(Ok)), rest)))
            }
        });
        parts.try_flatten()
    }

    /// The caller's jobs that are not over, as they are now (`EnumJobs`).
    ///
    /// # Errors
    /// As [`Client::list_jobs`].
    pub async fn enum_jobs(&self) -> Result<Snapshot<JobHandle>, Error> {
        self.enum_jobs_of(ListQuery::default()).await
    }

    /// The same of all users (`BG_JOB_ENUM_ALL_USERS`), for an administrator of a service of the whole
    /// machine.
    ///
    /// # Errors
    /// [`Error::Refused`] with `E_ACCESSDENIED` for everybody else.
    pub async fn enum_jobs_of_all_users(&self) -> Result<Snapshot<JobHandle>, Error> {
        self.enum_jobs_of(ListQuery { all_users: Some(true), ..ListQuery::default() }).await
    }

    async fn enum_jobs_of(&self, query: ListQuery) -> Result<Snapshot<JobHandle>, Error> {
        let jobs: Vec<Job> = self.jobs(query).try_collect().await?;
        let handles = jobs.iter().map(|job| Ok(self.job_handle(id_of(job)?)));
        handles.collect::<Result<Vec<_>, Error>>().map(Snapshot::of)
    }

    /// One job, with its wait reason, its last error and which credentials are set.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        self.ask(job_request("job", id), Again::Yes).await?.read()
    }

    /// Changes properties: all of them, or none. With `only_at`, only when the job is still at
    /// that revision.
    pub async fn change_job(
        &self,
        id: JobId,
        change: &ChangeJob,
        only_at: Option<u64>,
    ) -> Result<Job, Error> {
        let request = job_request("change_job", id).only_at(only_at).body(change)?;
        // A change that was made has moved the revision on: asked again it would be refused.
        let again = if only_at.is_some() { Again::No } else { Again::Yes };
        self.ask(request, again).await?.read()
    }

    /// Lets the job run.
    pub async fn resume_job(&self, id: JobId) -> Result<CommandAnswer, Error> {
        self.ask(job_request("resume_job", id), Again::Yes).await?.read()
    }

    /// Stops the job; what has come is kept.
    pub async fn suspend_job(&self, id: JobId) -> Result<CommandAnswer, Error> {
        self.ask(job_request("suspend_job", id), Again::Yes).await?.read()
    }

    /// Puts whole files in place and ends the job.
    pub async fn complete_job(&self, id: JobId) -> Result<CommandAnswer, Error> {
        self.ask(job_request("complete_job", id), Again::No).await?.read()
    }

    /// Ends the job and deletes what has come.
    pub async fn cancel_job(&self, id: JobId) -> Result<CommandAnswer, Error> {
        self.ask(job_request("cancel_job", id), Again::No).await?.read()
    }

    /// Makes the caller the owner, who must be an administrator unless the job is theirs
    /// (`TakeOwnership`). The old owner's secrets go.
    pub async fn take_ownership(&self, id: JobId) -> Result<CommandAnswer, Error> {
        self.ask(job_request("take_ownership", id), Again::Yes).await?.read()
    }

    /// Adds files: all of them, or none.
    pub async fn add_files(&self, id: JobId, files: &AddFiles) -> Result<Job, Error> {
        self.ask(job_request("add_files", id).body(files)?, Again::No).await?.read()
    }

    /// The job and its files as another service can take them over; no secret is in it.
    pub async fn export_job(&self, id: JobId) -> Result<ExportedJob, Error> {
        self.ask(job_request("export_job", id), Again::Yes).await?.read()
    }

    /// Makes the job that was exported so, suspended and with its files, unless it is there.
    ///
    /// # Errors
    /// [`Error::Misuse`] when its id is none.
    pub async fn import_job(&self, job: &ExportedJob, how: ImportQuery) -> Result<Imported, Error> {
        let wrong = |error: IdError| Error::Misuse { operation: "import_job", reason: error.to_string() };
        let id = JobId::parse(&job.id).map_err(wrong)?;
        let request = job_request("import_job", id).query(&how).body_of_at_most(JOB_BYTES_MAX, job)?;
        self.ask(request, Again::Yes).await?.read()
    }

    /// The service in numbers, as OpenMetrics text.
    pub async fn metrics(&self) -> Result<String, Error> {
        self.ask(request("metrics", &[]), Again::Yes).await?.text()
    }

    /// A part of the files of a job, in their order.
    pub async fn list_files(&self, id: JobId, query: &FileQuery) -> Result<FileList, Error> {
        self.ask(job_request("list_files", id).query(query), Again::Yes).await?.read()
    }

    /// Everything about one file, with what the server said of it.
    pub async fn file(&self, id: JobId, index: u32) -> Result<File, Error> {
        self.ask(file_request("show_file", id, index), Again::Yes).await?.read()
    }

    /// Changes where a file comes from, or says whether its content is right.
    pub async fn change_file(&self, id: JobId, index: u32, change: &ChangeFile) -> Result<Job, Error> {
        self.ask(file_request("change_file", id, index).body(change)?, Again::No).await?.read()
    }

    /// What of a file of a job on demand is there, and what is asked for (`GetFilledFileRanges`).
    pub async fn filled_ranges(&self, id: JobId, index: u32) -> Result<FilledRanges, Error> {
        self.ask(file_request("filled_ranges", id, index), Again::Yes).await?.read()
    }

    /// Has parts of a file of a job on demand come before all else, while the job runs
    /// (`RequestFileRanges`).
    pub async fn request_ranges(&self, id: JobId, index: u32, ranges: &RequestRanges) -> Result<Job, Error> {
        self.ask(file_request("request_ranges", id, index).body(ranges)?, Again::No).await?.read()
    }

    /// Has all that is missing of a file of a job on demand come, from byte `offset` on first
    /// (`UpdateDownloadPosition`).
    pub async fn set_download_position(&self, id: JobId, index: u32, offset: u64) -> Result<Job, Error> {
        let body = DownloadPosition { offset };
        self.ask(file_request("set_download_position", id, index).body(&body)?, Again::Yes).await?.read()
    }

    /// Changes the start of every remote name that begins so, of files that have not come.
    pub async fn replace_remote_prefix(
        &self,
        id: JobId,
        prefix: &ReplaceRemotePrefix,
    ) -> Result<CommandAnswer, Error> {
        self.ask(job_request("replace_remote_prefix", id).body(prefix)?, Again::No).await?.read()
    }

    /// All files of a job in their order, asked for part by part.
    pub fn files(&self, id: JobId) -> impl Stream<Item = Result<File, Error>> + Send + use<> {
        let client = self.clone();
        let parts = stream::try_unfold(Some(FileQuery::default()), move |query| {
            let client = client.clone();
            async move {
                let Some(query) = query else { return Ok(None) };
                let part = client.list_files(id, &query).await?;
                let rest = part.next.map(|next| FileQuery { from: Some(next), ..query });
                Ok::<_, Error>(Some((stream::iter(part.files.into_iter().map(Ok)), rest)))
            }
        });
        parts.try_flatten()
    }

    /// Sets an explicit credential. The body is wiped when it has been sent.
    pub async fn set_credentials(
        &self,
        id: JobId,
        target: AuthTarget,
        scheme: Scheme,
        credentials: &SetCredentials,
    ) -> Result<(), Error> {
        let request =
            credentials_request("set_credentials", id, target, scheme).body(credentials)?.with_secret();
        self.ask(request, Again::Yes).await?.succeeded()
    }

    /// Removes a credential; says whether there was one.
    pub async fn remove_credentials(
        &self,
        id: JobId,
        target: AuthTarget,
        scheme: Scheme,
    ) -> Result<bool, Error> {
        let request = credentials_request("remove_credentials", id, target, scheme);
        let removed: Removed = self.ask(request, Again::No).await?.read()?;
        Ok(removed.removed)
    }

    /// What happens to one job, or to all of the caller's: first how things are, then changes.
    pub async fn events(&self, job: Option<JobId>) -> Result<EventStream, Error> {
        self.watch(EventQuery { job: job.map(|id| id.to_string()), ..EventQuery::default() }).await
    }

    /// What happens to one job, for a program that deals with its requests for credentials itself:
    /// while this is open no agent is asked, and the job is in ERROR when it meets one.
    pub async fn attend(&self, job: JobId) -> Result<EventStream, Error> {
        self.watch(EventQuery { job: Some(job.to_string()), attended: Some(true), ..EventQuery::default() })
            .await
    }

    pub(crate) async fn watch(&self, query: EventQuery) -> Result<EventStream, Error> {
        Ok(EventStream::of(Feed::open(self.clone(), request("events", &[]).query(&query)).await?))
    }

    /// Has the service make a new key to seal credentials with; the one it now has.
    pub async fn rotate_key(&self) -> Result<Key, Error> {
        self.ask(request("rotate_key", &[]), Again::No).await?.read()
    }

    /// Stops the service; transfers go on when it is started again. A service that does not run is
    /// not started for it.
    pub async fn stop(&self) -> Result<(), Error> {
        self.ask_running(&request("stop", &[])).await?.succeeded()
    }

    /// Asks for a stream of events, once.
    pub(crate) async fn open_stream(&self, request: &Request, if_absent: IfAbsent) -> Result<Answer, Error> {
        let mut connection = self.enter(if_absent, request.operation().name).await?;
        within_patience(request.operation().name, request.send(&mut connection)).await
    }

    /// Asks a service that runs, once.
    async fn ask_running(&self, request: &Request) -> Result<WholeAnswer, Error> {
        let mut connection = self.enter(IfAbsent::Fail, request.operation().name).await?;
        whole(request, &mut connection).await
    }

    async fn enter(&self, if_absent: IfAbsent, operation: &'static str) -> Result<Connection, Error> {
        let stream = self.door.enter(if_absent).await?;
        Connection::over(stream).await.map_err(|error| trouble(operation, &error))
    }

    /// Asks, and asks again where that does no harm.
    pub(crate) async fn ask(&self, request: Request, again: Again) -> Result<WholeAnswer, Error> {
        let mut if_absent = IfAbsent::Start;
        let mut tries = 0;
        loop {
            let may_be_kept = again == Again::Yes && !request.is_last();
            let kept = if may_be_kept { self.kept.take() } else { None };
            let was_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.enter(if_absent, request.operation().name).await?,
            };
            let answer = whole(&request, &mut connection).await;
            tries += 1;
            match answer {
                // It may have ended meanwhile, which says nothing of the service.
                Err(Error::BrokenOff { .. }) if was_kept && tries < TRIES => {
                    // Nor is one started beside one that is leaving.
                    if_absent = IfAbsent::WaitThenStart;
                    continue;
                }
                // Nothing was done, so anything may be asked again.
                Ok(answer) if answer.is_stopping() && tries < TRIES => {}
                Err(Error::BrokenOff { .. }) if again == Again::Yes && tries < TRIES => {}
                Ok(answer) => {
                    if !request.is_last() {
                        self.kept.leave(connection);
                    }
                    return Ok(answer);
                }
                Err(error) => return Err(error),
            }
            if_absent = IfAbsent::WaitThenStart;
            sleep(PAUSE * tries).await;
        }
    }
}

/// The id of a job that the service has told.
///
/// # Errors
/// [`Error::Protocol`] when it is none.
pub(crate) fn id_of(job: &Job) -> Result<JobId, Error> {
    JobId::parse(&job.id).map_err(|error| Error::Protocol { operation: "job", reason: error.to_string() })
}

/// An id without a clue to when it was made: ids that began with the time would need most of their
/// digits to be told apart, and people type the beginning.
fn new_id() -> JobId {
    JobId(uuid::Uuid::new_v4().into_bytes())
}

pub(crate) fn request(name: &'static str, segments: &[&str]) -> Request {
    let operation: &'static Operation = operations::named(name).expect("the operation is in the table");
    Request::new(operation, segments)
}

pub(crate) fn job_request(name: &'static str, id: JobId) -> Request {
    request(name, &[&id.to_string()])
}

fn file_request(name: &'static str, id: JobId, index: u32) -> Request {
    request(name, &[&id.to_string(), &index.to_string()])
}

fn credentials_request(name: &'static str, id: JobId, target: AuthTarget, scheme: Scheme) -> Request {
    request(name, &[&id.to_string(), target.name(), scheme.name()])
}

async fn whole(request: &Request, connection: &mut Connection) -> Result<WholeAnswer, Error> {
    within_patience(request.operation().name, async { request.send(connection).await?.whole().await }).await
}

async fn within_patience<T>(
    operation: &'static str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(ANSWER_PATIENCE, answer).await.unwrap_or_else(|_| {
        let reason = format!("no answer within {} s", ANSWER_PATIENCE.as_secs());
        Err(Error::BrokenOff { operation, reason })
    })
}
