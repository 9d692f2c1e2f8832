//! The files of a job.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bits_api::file::{AddFile, AddFiles, ChangeFile, FileList, FileQuery, ReplaceRemotePrefix};
use bits_api::job::CommandAnswer;
use bits_api::{PAGE_MAX, convert};
use bits_core::access::Caller;
use bits_core::checksum::Checksum;
use bits_core::credentials::AuthTarget;
use bits_core::error::Code;
use bits_core::file::{FileIndex, LocalName, ResumeBy, Stage};
use bits_core::job::{JobId, Owner};
use bits_core::ports::SealedSecret;
use bits_core::queue::{FileView, NewFile, Request};
use bits_core::ranges::{ByteRange, Ranges};
use bits_core::refusal::Refusal;
use bits_core::remote_name::{RemoteName, UserInfo};
use bits_core::sources::Sources;
use bits_core::units::Bytes;
use bits_worker::link::{CheckOptions, temporary_name};

use crate::engine::{self, Query};
use crate::vault::{NewCredential, Vault};

use super::answer::{Refused, json};
use super::body::{Asked, FilePath, JobPath, Json};
use super::jobs::{changed, page_limit, request_with_secrets, sentence};
use super::{Api, answer_to};

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    Asked(asked): Asked<FileQuery>,
) -> Result<Response, Refused> {
    let limit = page_limit(asked.limit)?;
    let from = FileIndex(asked.from.unwrap_or(0));
    let answer = api.engine.query(caller, Query::Files { job, from, limit }).await?;
    let engine::Response::Files { files, next } = answer else {
        unreachable!("files are answered with files")
    };
    let files = files.iter().map(convert::file).collect();
    Ok(json(StatusCode::OK, &FileList { files, next: next.map(|index| index.0) }))
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    Json(body): Json<AddFiles>,
) -> Result<Response, Refused> {
    // Whose job it is and what it is for is known before anything is looked at.
    let answer = api.engine.query(caller, Query::Job(job)).await?;
    let engine::Response::JobWithSecrets { view, .. } = answer else {
        unreachable!("a job is answered with a job")
    };
    if body.files.is_empty() {
        return Err(Refusal::invalid("the list of files", "is empty").into());
    }
    let mut given = parse_all(&body.files)?;
    let umask = view.job.properties.environment.umask;
    let same_key = api.vault.same_key().await;
    let credentials = given.seal(&api.vault, job, Owner(caller.uid))?;
    let destinations = Destinations { create_folders: body.create_folders, umask, dry_run: false };
    check(&api, &mut given.files, destinations).await?;
    let brought_secret = given.brought_secret();
    let files = given.files;
    let request = Request::AddFiles { job, files, credentials };
    let (view, _) = request_with_secrets(&api, caller, request, same_key).await?;
    Ok(answer_to(brought_secret, api.job(StatusCode::OK, &view)))
}

/// Files that can be meant, and who signs in at their server where a URL said so.
pub(super) struct Given {
    pub(super) files: Vec<NewFile>,
    signed_in: Option<UserInfo>,
}

impl Given {
    /// Whether there was a secret in one of the URLs.
    pub(super) fn brought_secret(&self) -> bool {
        self.signed_in.is_some()
    }

    /// Seals the credentials, for `job` of `owner`.
    pub(super) fn seal(&self, vault: &Vault, job: JobId, owner: Owner) -> Result<Vec<SealedSecret>, Refusal> {
        let Some(UserInfo { user, password }) = &self.signed_in else { return Ok(Vec::new()) };
        vault.seal(job, owner, &NewCredential { target: AuthTarget::Server, scheme: None, user, password })
    }
}

/// Parses all files of a body.
pub(super) fn parse_all(given: &[AddFile]) -> Result<Given, Refusal> {
    let mut files = Vec::with_capacity(given.len());
    let mut signed_in: Option<(RemoteName, UserInfo)> = None;
    for (file, number) in given.iter().zip(1..) {
        let (file, user_info) = parse(file).map_err(|refusal| match refusal {
            // With more than one it matters which.
            Refusal::InvalidArgument { what, wrong } if given.len() > 1 => {
                Refusal::invalid(format!("file {number}: {what}"), wrong)
            }
            refusal => refusal,
        })?;
        match (user_info, &signed_in) {
            (None, _) => {}
            (Some(user_info), None) => signed_in = Some((file.remote_name.clone(), user_info)),
            (Some(user_info), Some((name, known))) if is_same(name, known, &file.remote_name, &user_info) => {
            }
            (Some(_), Some(_)) => {
                let wrong = "belong to different users or servers; one job signs in as one user";
                return Err(Refusal::invalid("the user names in the URLs", wrong));
            }
        }
        files.push(file);
    }
    if let Some((name, _)) = &signed_in
        && let Some(other) = files.iter().find(|file| !file.remote_name.same_origin(name))
    {
        let wrong = format!(
            "is for {}, and would be shown to {} too; make a job for each server",
            name.authority(),
            other.remote_name.authority()
        );
        return Err(Refusal::invalid("the user name in a URL", wrong));
    }
    Ok(Given { files, signed_in: signed_in.map(|(_, user_info)| user_info) })
}

/// How destinations are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Destinations {
    /// Whether missing folders are made.
    pub(super) create_folders: bool,
    pub(super) umask: Option<u32>,
    /// Whether nothing may be made yet.
    pub(super) dry_run: bool,
}

/// Has a worker look whether the files can be put where they are to be, and which places these are.
pub(super) async fn check(
    api: &Api,
    files: impl IntoIterator<Item = &mut NewFile>,
    how: Destinations,
) -> Result<(), Refusal> {
    if how.create_folders && how.dry_run {
        return Ok(());
    }
    let (keeping, replacing): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.no_clobber);
    for (no_clobber, files) in [(false, replacing), (true, keeping)] {
        if files.is_empty() {
            continue;
        }
        let names: Vec<LocalName> = files.iter().map(|file| file.local_name.clone()).collect();
        let options = CheckOptions { no_clobber, create_folders: how.create_folders, umask: how.umask };
        let tags = api
            .workers
            .check(names, options)
            .await
            .map_err(|refusal| Refusal::Destination { code: refusal.code, message: refusal.message })?;
        files.into_iter().zip(tags).for_each(|(file, tag)| file.destination = tag);
    }
    Ok(())
}

/// Everything about one file.
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: FilePath,
) -> Result<Response, Refused> {
    let view = api.file(caller, &path).await?;
    let mut body = convert::file(&view);
    body.http_response_headers = Some(view.file.served.headers.clone());
    if view.file.stage != Stage::Completed {
        body.temporary_name = Some(temporary_name(path.job, view.file.index, &view.file.local_name));
    }
    Ok(json(StatusCode::OK, &body))
}

/// `SetRemoteName` and `SetValidationState` (`bits.md` §1.9).
pub(super) async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: FilePath,
    Json(body): Json<ChangeFile>,
) -> Result<Response, Refused> {
    let view = api.file(caller, &path).await?;
    let FilePath { job, index } = path;
    let mut requests = Vec::new();
    if let Some(valid) = body.valid {
        match view.file.stage {
            Stage::Waiting => return Err(Refusal::FilePending { id: job, index: index.0 }.into()),
            Stage::Transferred => requests.push(Request::SetValidation { job, file: index, valid }),
            Stage::Completed => {}
        }
    }
    if let Some(text) = &body.remote_name {
        let remote_name = without_user_info(text)?;
        if view.file.stage == Stage::Waiting {
            requests.push(Request::SetRemoteNames { job, names: vec![(index, remote_name)] });
        }
    }
    if requests.is_empty() {
        requests.push(Request::SetRemoteNames { job, names: Vec::new() });
    }
    let mut answer = None;
    for request in requests {
        answer = Some(api.engine.request(caller, request).await?);
    }
    let (view, _) = changed(answer.expect("something was asked"));
    Ok(api.job(StatusCode::OK, &view))
}

/// `ReplaceRemotePrefix` (`bits.md` §1.5).
pub(super) async fn replace_remote_prefix(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    Json(body): Json<ReplaceRemotePrefix>,
) -> Result<Response, Refused> {
    if body.old.is_empty() || body.new.is_empty() {
        return Err(Refusal::invalid("the prefix", "is empty").into());
    }
    let mut names = Vec::new();
    let mut from = Some(FileIndex(0));
    while let Some(first) = from {
        let query = Query::Files { job, from: first, limit: PAGE_MAX };
        let engine::Response::Files { files, next } = api.engine.query(caller, query).await? else {
            unreachable!("files are answered with files")
        };
        for file in files.into_iter().map(|view| view.file).filter(|file| file.stage == Stage::Waiting) {
            if let Some(rest) = file.remote_name.as_str().strip_prefix(&body.old) {
                names.push((file.index, without_user_info(&[&body.new, rest].concat())?));
            }
        }
        from = next;
    }
    let outcome = names.is_empty().then_some(Code::NOTHING_TO_DO);
    let answer = api.engine.request(caller, Request::SetRemoteNames { job, names }).await?;
    let (view, _) = changed(answer);
    let outcome = outcome.map(|code| convert::outcome(code, sentence(code)));
    Ok(json(StatusCode::OK, &CommandAnswer { job: api.wire(&view), outcome }))
}

impl Api {
    pub(super) async fn file(&self, caller: Caller, path: &FilePath) -> Result<FileView, Refusal> {
        let query = Query::Files { job: path.job, from: path.index, limit: 1 };
        let engine::Response::Files { files, .. } = self.engine.query(caller, query).await? else {
            unreachable!("files are answered with files")
        };
        let found = files.into_iter().find(|view| view.file.index == path.index);
        found.ok_or(Refusal::NoSuchFile { id: path.job, index: path.index.0 })
    }
}

/// A remote name for a file that is there; credentials are set on the job.
fn without_user_info(text: &str) -> Result<RemoteName, Refusal> {
    match RemoteName::parse(text) {
        Ok((name, None)) => Ok(name),
        Ok((_, Some(_))) => Err(Refusal::invalid(
            "the remote name",
            "has a user name in it; set the credentials of the job instead",
        )),
        Err(error) => Err(Refusal::invalid("the remote name", format!("is wrong: {error}"))),
    }
}

fn parse(file: &AddFile) -> Result<(NewFile, Option<UserInfo>), Refusal> {
    let (remote_name, user_info) = RemoteName::parse(&file.remote_name)
        .map_err(|error| Refusal::invalid("the remote name", format!("is wrong: {error}")))?;
    let local_name = LocalName::parse(&file.local_name)
        .map_err(|wrong| Refusal::invalid(format!("`{}`", file.local_name), wrong))?;
    let ranges = file
        .ranges
        .iter()
        .map(|range| ByteRange { offset: Bytes(range.offset), length: range.length.map(Bytes) });
    let ranges = Ranges::new(ranges.collect()).map_err(Refusal::Ranges)?;
    let checksum = file.checksum.as_deref().map(|text| {
        Checksum::parse(text)
            .map_err(|error| Refusal::invalid(format!("the checksum `{text}`"), error.to_string()))
    });
    let checksum = checksum.transpose()?;
    let resume_by = match file.resume_by.as_deref() {
        None => ResumeBy::default(),
        Some(text) => ResumeBy::named(text).ok_or_else(|| {
            let words = ResumeBy::ALL.map(ResumeBy::name).join(", ");
            Refusal::invalid(format!("resuming by `{text}`"), format!("is not known; there are {words}"))
        })?,
    };
    if resume_by == ResumeBy::Checksum && checksum.is_none() {
        let wrong = "needs a checksum, and none is given";
        return Err(Refusal::invalid("resuming by checksum", wrong));
    }
    let mirrors: Result<Vec<_>, _> = file.mirrors.iter().map(|text| mirror(text)).collect();
    let size = file.expected_size.map(Bytes);
    let sources = Sources::given(&remote_name, size, mirrors?, checksum.as_ref())
        .map_err(|(name, error)| Refusal::invalid(format!("the mirror {name}"), error.to_string()))?;
    let no_clobber = file.no_clobber;
    let new = NewFile::new(remote_name, local_name);
    Ok((NewFile { no_clobber, ranges, checksum, resume_by, sources, ..new }, user_info))
}

/// A mirror; it is shown no credentials but those of the file's own server.
fn mirror(text: &str) -> Result<RemoteName, Refusal> {
    match RemoteName::parse(text) {
        Ok((name, None)) => Ok(name),
        Ok((name, Some(_))) => Err(Refusal::invalid(
            format!("the mirror {name}"),
            "has a user name in it; credentials are for the server of the file's own URL alone",
        )),
        Err(error) => Err(Refusal::invalid("a mirror", format!("is wrong: {error}"))),
    }
}

/// A credential belongs to a job, not to a server: two servers would both be shown it.
fn is_same(a: &RemoteName, known: &UserInfo, b: &RemoteName, other: &UserInfo) -> bool {
    a.same_origin(b) && known.user == other.user && known.password == other.password
}
