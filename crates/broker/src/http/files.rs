//! The files of a job.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bits_api::convert;
use bits_api::file::{AddFile, AddFiles, FileList, FileQuery};
use bits_core::access::Caller;
use bits_core::credentials::AuthTarget;
use bits_core::file::{FileIndex, LocalName};
use bits_core::job::Owner;
use bits_core::queue::{NewFile, Request};
use bits_core::refusal::Refusal;
use bits_core::remote_name::{RemoteName, UserInfo};
use bits_worker::link::CheckOptions;

use crate::engine::{self, Query};
use crate::vault::NewCredential;

use super::answer::{Refused, json};
use super::body::{Asked, JobPath, Json};
use super::jobs::{changed, page_limit};
use super::{Api, finished};

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
    let mut files = Vec::with_capacity(body.files.len());
    let mut signed_in: Option<(RemoteName, UserInfo)> = None;
    for file in &body.files {
        let (file, user_info) = parse(file)?;
        match (user_info, &signed_in) {
            (None, _) => {}
            (Some(user_info), None) => signed_in = Some((file.remote_name.clone(), user_info)),
            (Some(user_info), Some((name, known))) if is_same(name, known, &file.remote_name, &user_info) => {
            }
            (Some(_), Some(_)) => {
                let wrong = "belong to different users or servers; one job signs in as one user";
                return Err(Refusal::invalid("the user names in the URLs", wrong).into());
            }
        }
        files.push(file);
    }
    let mut credentials = Vec::new();
    let same_key = api.vault.same_key().await;
    if let Some((name, UserInfo { user, password })) = &signed_in {
        if let Some(other) = files.iter().find(|file| !file.remote_name.same_origin(name)) {
            let wrong = format!(
                "is for {}, and would be shown to {} too; make a job for each server",
                name.authority(),
                other.remote_name.authority()
            );
            return Err(Refusal::invalid("the user name in a URL", wrong).into());
        }
        let new = NewCredential { target: AuthTarget::Server, scheme: None, user, password };
        credentials = api.vault.seal(job, Owner(caller.uid), &new)?;
    }
    let umask = view.job.properties.environment.umask;
    for no_clobber in [false, true] {
        let names: Vec<LocalName> = files
            .iter()
            .filter(|file| file.no_clobber == no_clobber)
            .map(|file| file.local_name.clone())
            .collect();
        if names.is_empty() {
            continue;
        }
        let options = CheckOptions { no_clobber, create_folders: body.create_folders, umask };
        api.workers
            .check(names, options)
            .await
            .map_err(|refusal| Refusal::Destination { code: refusal.code, message: refusal.message })?;
    }
    let adding = Arc::clone(&api);
    let answer = finished(async move {
        let answer = adding.engine.request(caller, Request::AddFiles { job, files, credentials }).await;
        drop(same_key);
        answer
    });
    let (view, _) = changed(answer.await?);
    Ok(api.job(StatusCode::OK, &view))
}

fn parse(file: &AddFile) -> Result<(NewFile, Option<UserInfo>), Refusal> {
    let (remote_name, user_info) = RemoteName::parse(&file.remote_name)
        .map_err(|error| Refusal::invalid("the remote name", format!("is wrong: {error}")))?;
    let local_name = LocalName::parse(&file.local_name)
        .map_err(|wrong| Refusal::invalid(format!("`{}`", file.local_name), wrong))?;
    Ok((NewFile { remote_name, local_name, no_clobber: file.no_clobber }, user_info))
}

/// A credential belongs to a job, not to a server: two servers would both be shown it.
fn is_same(a: &RemoteName, known: &UserInfo, b: &RemoteName, other: &UserInfo) -> bool {
    a.same_origin(b) && known.user == other.user && known.password == other.password
}
