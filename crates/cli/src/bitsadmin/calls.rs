//! What was asked, carried out: one call of the client library each, or a few.

use std::path::Path;
use std::pin::pin;

use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::file::{AddFile, AddFiles, ChangeFile, File, ReplaceRemotePrefix};
use bits_client::api::http_options::ClientCertificate;
use bits_client::api::job::{ChangeJob, CommandAnswer, CreateJob, Job, ListQuery};
use bits_client::new_job;
use bits_client::{Error, Scheme};
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;
use bits_core::job::{JobId, Priority};
use bits_core::ranges::ByteRange;
use futures_util::TryStreamExt;
use jiff::tz::TimeZone;

use crate::commands::Context;
use crate::commands::credentials::question;
use crate::commands::get::parts;
use crate::commands::on_jobs::{self, Verb};
use crate::commands::ranges::wire_range;
use crate::destination::{self, DestinationError, Here, Order};
use crate::exit::Failure;
use crate::requests;
use crate::requests::certificate::{Wrong, look_at};
use crate::session::{Session, id_of};
use crate::sign_in;
use crate::url_list;

use super::asked::{Asked, Command, FileProperty, Given, Property};
use super::paper::Paper;
use super::trouble::{Trouble, Unable};
use super::{help, layout, monitor, transfer};

/// Seconds between two tries of a job that is made here (`bits.md` §1.3).
const MINIMUM_RETRY_DELAY_SECONDS: u64 = 600;

/// Does what was asked and prints what comes of it.
pub(super) async fn carry_out(asked: Asked, paper: &Paper<'_>, context: &Context<'_>) -> Result<(), Trouble> {
    match asked {
        Asked::Help => Ok(paper.lines(&help::lines())?),
        Asked::Absent(absent) => Err(Trouble::of_absent(absent)),
        Asked::PeerCachingFlags => Ok(paper.value("0")?),
        asked => {
            let session = context.session().await.unable("connect to BITS")?;
            Calls { session: &session, paper }.carry_out(asked).await
        }
    }
}

/// A job as the order for it begins: BITS's defaults, whatever those of `bits` are.
pub(super) fn new_order(name: String, priority: Priority) -> CreateJob {
    let properties = ChangeJob {
        priority: Some(priority.name().to_owned()),
        minimum_retry_delay: Some(MINIMUM_RETRY_DELAY_SECONDS),
        complete_when_done: Some(false),
        ..ChangeJob::default()
    };
    CreateJob { properties, ..new_job(name) }
}

/// A file to add, and where it goes, as it may be said.
pub(super) fn order(url: &str, path: &str) -> Result<Order, DestinationError> {
    let folder = std::env::current_dir().ok();
    let here = Here { folder: folder.as_deref(), is_folder: &Path::is_dir, creates_folders: false };
    destination::to_file(url.as_ref(), Path::new(path), &here)
}

/// Warns where a password was typed for everybody to see.
pub(super) fn warn_of_user_info(orders: &[Order], paper: &Paper<'_>) {
    if orders.iter().any(|order| order.has_user_info) {
        paper.output.warn(
            "others on this machine can read a password in a URL; /setcredentials with '*' in its place asks for it",
        );
    }
}

/// `orders` for the service.
pub(super) fn add_files(orders: &[Order], ranges: &[ByteRange]) -> AddFiles {
    let files = orders.iter().map(|order| AddFile {
        ranges: ranges.iter().map(wire_range).collect(),
        ..AddFile::new(order.url.clone(), order.path.clone())
    });
    AddFiles { files: files.collect(), create_folders: false }
}

/// Those that are not over: of all users, where that is asked for and the caller may see them.
pub(super) async fn jobs_of(
    all_users: bool,
    session: &Session,
    paper: &Paper<'_>,
) -> Result<Vec<Job>, Failure> {
    let query = |all_users| ListQuery { all_users, ..ListQuery::default() };
    if all_users {
        match session.client.jobs(query(Some(true))).try_collect().await {
            Err(Error::Refused(problem)) if problem.code == Code::ACCESS_DENIED.to_string() => {
                let sentence = "/allusers: you administer no service of a whole machine; these are your jobs";
                paper.output.warn(sentence);
            }
            answer => return Ok(answer?),
        }
    }
    Ok(session.client.jobs(query(None)).try_collect().await?)
}

/// The lines of a list.
pub(super) fn listed(jobs: &[Job]) -> Vec<String> {
    let mut lines: Vec<String> = jobs.iter().map(layout::short).collect();
    lines.push(format!("Listed {} job(s).", jobs.len()));
    lines
}

struct Calls<'a> {
    session: &'a Session,
    paper: &'a Paper<'a>,
}

impl Calls<'_> {
    async fn carry_out(&self, asked: Asked) -> Result<(), Trouble> {
        let paper = self.paper;
        match asked {
            Asked::Help | Asked::Absent(_) | Asked::PeerCachingFlags => {
                unreachable!("what needs no service was said before")
            }
            Asked::Version { is_verbose } => self.version(is_verbose),
            Asked::Create { name } => self.create(name).await,
            Asked::Transfer(what) => transfer::run(what, self.session, paper).await,
            Asked::AddFile { job, url, path, ranges } => self.add_file(&job, &url, &path, &ranges).await,
            Asked::AddFileSet { job, list } => self.add_file_set(&job, &list).await,
            Asked::ReplaceRemotePrefix { job, old, new } => self.replace_prefix(&job, old, new).await,
            Asked::List { all_users, is_verbose } => self.list(all_users, is_verbose).await,
            Asked::ListFiles { job } => {
                let files = self.files(&self.find(&job).await?).await?;
                Ok(paper.lines(&files.iter().map(layout::file).collect::<Vec<_>>())?)
            }
            Asked::Monitor { all_users, refresh_seconds } => {
                monitor::run(all_users, refresh_seconds, self.session, paper).await
            }
            Asked::Info { job, is_verbose } => self.info(&self.find(&job).await?, is_verbose).await,
            Asked::Command { command, job } => self.command(command, &job).await,
            Asked::Reset { all_users } => self.reset(all_users).await,
            Asked::Get { property, job } => self.get(property, &job).await,
            Asked::GetError { job } => self.get_error(&job).await,
            Asked::GetOfFile { property, job, index } => self.get_of_file(property, &job, index).await,
            Asked::Set { job, change, what, value } => self.set(&job, &change, what, &value).await,
            Asked::SetHeaders { job, headers } => {
                let headers = requests::headers(&headers, paper.output).unable("set custom headers")?;
                let value = format!("{} header(s)", headers.len());
                let change = ChangeJob { custom_headers: Some(headers), ..ChangeJob::default() };
                self.set(&job, &change, "custom headers", &value).await
            }
            Asked::SetCredentials { job, target, scheme, secret } => {
                self.set_credentials(&job, target, scheme, secret).await
            }
            Asked::RemoveCredentials { job, target, scheme } => {
                self.remove_credentials(&job, target, scheme).await
            }
            Asked::SetValidation { job, index, is_valid } => self.set_validation(&job, index, is_valid).await,
            Asked::OfReplies { what, job } => {
                self.find(&job).await?;
                let why = "only upload-reply jobs have a reply, and this is a download job";
                Err(Trouble::refused(what, Code::NOT_IMPLEMENTED, why))
            }
        }
    }

    /// The one job that is called `text`: by its GUID, or by a name that no other one has.
    async fn find(&self, text: &str) -> Result<Job, Trouble> {
        let found = self.look_for(text).await;
        found.unable(&format!("find job '{text}'"))
    }

    async fn look_for(&self, text: &str) -> Result<Job, Failure> {
        let client = &self.session.client;
        if let Ok(id) = JobId::parse(text) {
            return match client.job(id).await {
                Err(error) if error.code() == Some(Code::NOT_FOUND) => {
                    Err(Failure::NoSuchJob(text.to_owned()))
                }
                answer => Ok(answer?),
            };
        }
        if text.is_empty() {
            return Err(Failure::NoSuchJob(text.to_owned()));
        }
        // Also those whose id begins so, which are not meant here.
        let query = ListQuery { called: Some(text.to_owned()), ..ListQuery::default() };
        let mut candidates = pin!(client.jobs(query));
        let mut jobs = Vec::new();
        while let Some(job) = candidates.try_next().await? {
            if job.display_name == text {
                jobs.push(job);
            }
        }
        match jobs.len() {
            0 => Err(Failure::NoSuchJob(text.to_owned())),
            // As it is told to whoever asks for it alone.
            1 => Ok(client.job(id_of(&jobs[0])?).await?),
            _ => Err(Failure::AmbiguousJob { text: text.to_owned(), jobs }),
        }
    }

    async fn find_id(&self, text: &str) -> Result<JobId, Trouble> {
        id_of(&self.find(text).await?).unable("find job")
    }

    async fn files(&self, job: &Job) -> Result<Vec<File>, Trouble> {
        let id = id_of(job).unable("list files")?;
        self.session.client.files(id).try_collect().await.unable("list files")
    }

    /// Says that it is done, where more than values is wanted.
    fn done(&self, sentence: &str) -> Result<(), Trouble> {
        Ok(self.paper.line(sentence)?)
    }

    fn version(&self, is_verbose: bool) -> Result<(), Trouble> {
        let about = &self.session.about;
        self.done(&format!("bitsadmin: {}", env!("CARGO_PKG_VERSION")))?;
        self.done(&format!("bitsd: {}", about.version))?;
        if is_verbose {
            self.done(&format!("API: {}", about.api))?;
            self.done(&format!("state folder: {}", about.state_folder))?;
        }
        Ok(())
    }

    async fn create(&self, name: String) -> Result<(), Trouble> {
        let job = self.session.client.create_job(new_order(name, Priority::Normal)).await;
        let guid = layout::guid(&job.unable("create job")?.id);
        Ok(self.paper.told(&guid, &format!("Created job {guid}."))?)
    }

    async fn add_file(&self, job: &str, url: &str, path: &str, ranges: &[ByteRange]) -> Result<(), Trouble> {
        let id = self.find_id(job).await?;
        let order = order(url, path).unable("add file")?;
        warn_of_user_info(std::slice::from_ref(&order), self.paper);
        self.add(id, &[order], ranges, "add file").await
    }

    async fn add_file_set(&self, job: &str, list: &str) -> Result<(), Trouble> {
        let what = "add files";
        let text = url_list::read(Path::new(list)).unable(what)?;
        let mut orders = Vec::new();
        for line in url_list::lines(&text) {
            let wrong = |why: String| Failure::Usage(format!("line {} of {list}: {why}", line.number));
            let Some(path) = line.path else {
                return Err(wrong("the local file is missing".to_owned())).unable(what);
            };
            let order = order(line.url, path);
            orders.push(order.map_err(|error| wrong(error.to_string())).unable(what)?);
        }
        if orders.is_empty() {
            return Err(Failure::Usage(format!("{list} names no file"))).unable(what);
        }
        let id = self.find_id(job).await?;
        self.add(id, &orders, &[], what).await
    }

    async fn add(
        &self,
        id: JobId,
        orders: &[Order],
        ranges: &[ByteRange],
        what: &str,
    ) -> Result<(), Trouble> {
        for part in parts(orders) {
            self.session.client.add_files(id, &add_files(part, ranges)).await.unable(what)?;
        }
        for order in orders {
            self.done(&format!("Added {} -> {}", order.remote, order.path))?;
        }
        Ok(())
    }

    async fn replace_prefix(&self, job: &str, old: String, new: String) -> Result<(), Trouble> {
        let id = self.find_id(job).await?;
        let answer = self.session.client.replace_remote_prefix(id, &ReplaceRemotePrefix { old, new }).await;
        match answer.unable("replace remote prefix")?.outcome {
            // No name begins so.
            Some(outcome) => self.done(&outcome.message),
            None => self.done("Replaced remote prefix."),
        }
    }

    async fn list(&self, all_users: bool, is_verbose: bool) -> Result<(), Trouble> {
        let jobs = jobs_of(all_users, self.session, self.paper).await.unable("list jobs")?;
        if !is_verbose {
            return Ok(self.paper.lines(&listed(&jobs))?);
        }
        for job in &jobs {
            self.info(job, true).await?;
            self.done("")?;
        }
        self.done(&format!("Listed {} job(s).", jobs.len()))
    }

    async fn info(&self, job: &Job, is_verbose: bool) -> Result<(), Trouble> {
        if !is_verbose {
            return self.done(&layout::short(job));
        }
        let files = self.files(job).await?;
        Ok(self.paper.lines(&layout::verbose(job, &files, &TimeZone::system()))?)
    }

    async fn command(&self, command: Command, job: &str) -> Result<(), Trouble> {
        let (verb, what, done) = match command {
            Command::Suspend => (Verb::Suspend, "suspend job", "Job suspended."),
            Command::Resume => (Verb::Resume, "resume job", "Job resumed."),
            Command::Cancel => (Verb::Cancel, "cancel job", "Job canceled."),
            Command::Complete => (Verb::Complete, "complete job", "Job completed."),
            Command::TakeOwnership => (Verb::TakeOwnership, "take ownership of job", "Job is yours."),
        };
        let id = self.find_id(job).await?;
        let answer = on_jobs::carry_out(verb, id, self.session, self.paper.output).await;
        self.note_outcome(&answer.unable(what)?);
        self.done(done)
    }

    /// What a command did beyond what was asked, such as leaving files out.
    fn note_outcome(&self, answer: &CommandAnswer) {
        if let Some(outcome) = &answer.outcome {
            let name = &answer.job.display_name;
            let sentence = format!("{name}: {} ({}, {})", outcome.message, outcome.name, outcome.code);
            self.paper.output.warn(&sentence);
        }
    }

    async fn reset(&self, all_users: bool) -> Result<(), Trouble> {
        let jobs = jobs_of(all_users, self.session, self.paper).await.unable("list jobs")?;
        let mut cancelled = 0;
        let mut first_failure = None;
        for job in &jobs {
            let guid = layout::guid(&job.id);
            let id = id_of(job).unable("cancel job")?;
            match self.session.client.cancel_job(id).await {
                Ok(answer) => {
                    cancelled += 1;
                    self.note_outcome(&answer);
                    self.done(&format!("{guid} canceled."))?;
                }
                Err(error) => {
                    let exit = Trouble::of(&format!("cancel {guid}"), &error.into()).end(self.paper);
                    let Err(Failure::Told(exit)) = exit else { continue };
                    first_failure.get_or_insert(exit);
                }
            }
        }
        self.done(&format!("{cancelled} out of {} jobs canceled.", jobs.len()))?;
        first_failure.map_or(Ok(()), |exit| Err(Trouble::told(exit)))
    }

    async fn get(&self, property: Property, job: &str) -> Result<(), Trouble> {
        let job = self.find(job).await?;
        match property {
            Property::CustomHeaders if job.custom_headers_write_only => Err(Trouble::refused(
                "get custom headers",
                Code::ACCESS_DENIED,
                "the headers can be replaced and no longer read",
            )),
            Property::ClientCertificate if job.client_certificate == ClientCertificate::None => {
                Err(Trouble::refused(
                    "get client certificate",
                    NO_CERTIFICATE,
                    "the job has no client certificate",
                ))
            }
            Property::MaxDownloadTime if job.maximum_download_time.is_none() => {
                Ok(self.paper.value(&self.usual_download_time().await?)?)
            }
            _ => Ok(self.paper.value(&layout::value(property, &job, &TimeZone::system()))?),
        }
    }

    /// The seconds of a job that says nothing of it: what is in force, as `GetMaximumDownloadTime` answers.
    async fn usual_download_time(&self) -> Result<String, Trouble> {
        let list = self.session.client.settings().await.unable("get maximum download time")?;
        let setting = list.settings.into_iter().find(|setting| setting.key == "max_download_time");
        Ok(setting.map_or_else(|| layout::UNKNOWN.to_owned(), |setting| setting.value))
    }

    async fn get_error(&self, job: &str) -> Result<(), Trouble> {
        let job = self.find(job).await?;
        let Some(error) = layout::error_in_force(&job).or(job.error.as_ref()) else {
            let why = "the job has met no error, or has transferred since";
            return Err(Trouble::refused("get error information", NO_ERROR, why));
        };
        let files = self.files(&job).await?;
        Ok(self.paper.lines(&layout::error(error, layout::file_of(error, &files)))?)
    }

    async fn get_of_file(&self, property: FileProperty, job: &str, index: u32) -> Result<(), Trouble> {
        let (what, id) = ("get file", self.find_id(job).await?);
        let file = self.session.client.file(id, index).await.unable(what)?;
        match property {
            FileProperty::TemporaryName => match &file.temporary_name {
                Some(name) => Ok(self.paper.value(name)?),
                None => Err(Trouble::refused(
                    "get temporary name",
                    Code::PENDING,
                    "the file has no temporary name now",
                )),
            },
            FileProperty::PeerStats => {
                let sentence = format!("{} bytes from the servers, 0 from peers", file.bytes_transferred);
                Ok(self.paper.told(&format!("{} 0", file.bytes_transferred), &sentence)?)
            }
            FileProperty::ValidationState => match file.valid {
                Some(is_valid) => Ok(self.paper.value(layout::truth(is_valid))?),
                None => {
                    let why = "the file has not come yet";
                    Err(Trouble::refused("get validation state", Code::PENDING, why))
                }
            },
        }
    }

    async fn set(&self, job: &str, change: &ChangeJob, what: &str, value: &str) -> Result<(), Trouble> {
        let unable = format!("set {what}");
        if let Some(Err(Wrong::Unusable(why))) = change.client_certificate.as_ref().map(look_at) {
            return Err(Trouble::refused(&unable, Code::FILE_NOT_FOUND, &why));
        }
        if let Some(list) = change.proxy.as_ref().and_then(|proxy| proxy.list.as_deref()) {
            requests::warn_of_user_info(list, self.paper.output);
        }
        let id = self.find_id(job).await?;
        self.session.client.change_job(id, change, None).await.unable(&unable)?;
        if let Some(sentence) = change.notify_command.as_ref().and_then(requests::cannot_be_run) {
            self.paper.output.warn(&sentence);
        }
        let mut letters = what.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        self.done(&format!("{}{} set to {value}.", first.unwrap_or_default(), letters.as_str()))
    }

    async fn set_credentials(
        &self,
        job: &str,
        target: AuthTarget,
        scheme: AuthScheme,
        secret: Given,
    ) -> Result<(), Trouble> {
        let what = "set credentials";
        let job = self.find(job).await?;
        let credentials = match secret {
            Given::Implicit => SetCredentials::implicit(),
            Given::Literal { user, password } => {
                self.paper.output.warn(
                    "others on this machine can read a password on the command line; '*' in its place asks for it",
                );
                SetCredentials { user, password: Password(password) }
            }
            Given::ToAsk { user } => {
                let asked = question(self.session, &job, target, Some(scheme)).await;
                let (mut request, _) = asked.unable(what)?;
                request.user_name = user;
                sign_in::ask_or_fail(request).await.unable(what)?.credentials
            }
        };
        let id = id_of(&job).unable(what)?;
        let set = self.session.client.set_credentials(id, target, Scheme::One(scheme), &credentials).await;
        set.unable(what)?;
        self.done("Credentials set.")
    }

    async fn remove_credentials(&self, job: &str, target: AuthTarget, scheme: Scheme) -> Result<(), Trouble> {
        let id = self.find_id(job).await?;
        let removed = self.session.client.remove_credentials(id, target, scheme).await;
        match removed.unable("remove credentials")? {
            true => self.done("Credentials removed."),
            false => self.done("There were no such credentials."),
        }
    }

    async fn set_validation(&self, job: &str, index: u32, is_valid: bool) -> Result<(), Trouble> {
        let id = self.find_id(job).await?;
        let change = ChangeFile { valid: Some(is_valid), ..ChangeFile::default() };
        self.session.client.change_file(id, index, &change).await.unable("set validation state")?;
        self.done(&format!("Validation state set to {}.", layout::truth(is_valid)))
    }
}

/// `BG_E_ERROR_INFORMATION_UNAVAILABLE`.
const NO_ERROR: Code = Code(0x8020_000F);
/// `RPC_X_BAD_STUB_DATA`: what asking for a certificate that is not set ends in (`bits.md` §1.7).
const NO_CERTIFICATE: Code = Code(0x8007_06F7);
