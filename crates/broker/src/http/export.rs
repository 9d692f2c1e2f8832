//! Jobs on their way to another service, and from one.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bits_api::convert;
use bits_api::export::{
    ALREADY_THERE, ExportedJob, IMPORTED, ImportQuery, Imported, JOB_BYTES_MAX, WOULD_IMPORT,
};
use bits_core::access::Caller;
use bits_core::job::{JobId, Owner};
use bits_core::ports::SecretChange;
use bits_core::queue::{JobView, Request, check_destinations};
use bits_core::refusal::Refusal;

use crate::engine::{self, Query};

use super::Api;
use super::answer::{Refused, json};
use super::body::{Asked, JobPath, Json, job_id};
use super::creating::new_properties;
use super::files::{self, Destinations};
use super::jobs::request_with_secrets;

/// `GET`: the job as it is written.
pub(super) async fn export(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
) -> Result<Response, Refused> {
    let answer = api.engine.query(caller, Query::WholeJob(job)).await?;
    let engine::Response::WholeJob { view, secrets, files } = answer else {
        unreachable!("a whole job is answered with one")
    };
    Ok(json(StatusCode::OK, &convert::exported_job(&view, &secrets, &files)))
}

/// `PUT`: a job that was exported.
pub(super) async fn import(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    Asked(how): Asked<ImportQuery>,
    Json(body): Json<ExportedJob, JOB_BYTES_MAX>,
) -> Result<Response, Refused> {
    if job_id(&body.id)? != job {
        return Err(Refusal::invalid("the id in the body", "is not the one in the path").into());
    }
    if let Some(view) = api.known(caller, job).await? {
        let job = Some(api.wire(&view));
        return Ok(json(StatusCode::OK, &Imported { outcome: ALREADY_THERE.to_owned(), job }));
    }
    let (properties, asked) =
        new_properties(body.display_name, &body.kind, body.properties, body.environment)?;
    let mut given = files::parse_all(&body.files)?;
    let destinations = Destinations {
        create_folders: how.create_folders,
        umask: properties.environment.umask,
        dry_run: how.dry_run,
    };
    files::check(&api, &mut given.files, destinations).await?;
    if how.dry_run {
        check_destinations(&given.files, |_| false)?;
        return Ok(json(StatusCode::OK, &Imported { outcome: WOULD_IMPORT.to_owned(), job: None }));
    }
    let same_key = api.vault.same_key().await;
    let owner = Owner(caller.uid);
    let mut secrets = asked.seal(&api.vault, job, owner)?;
    secrets.extend(given.seal(&api.vault, job, owner)?.into_iter().map(SecretChange::Set));
    let request = Request::Create {
        id: job,
        properties: Box::new(properties),
        files: given.files,
        secrets,
        resume: false,
    };
    let (view, _) = request_with_secrets(&api, caller, request, same_key).await?;
    let job = Some(api.wire(&view));
    Ok(json(StatusCode::OK, &Imported { outcome: IMPORTED.to_owned(), job }))
}

impl Api {
    /// The caller's job with this id, if there is one.
    async fn known(&self, caller: Caller, id: JobId) -> Result<Option<JobView>, Refusal> {
        match self.engine.query(caller, Query::Job(id)).await {
            Ok(engine::Response::JobWithSecrets { view, .. }) => Ok(Some(*view)),
            Ok(other) => unreachable!("a job is answered with a job, not {other:?}"),
            Err(Refusal::NotFound { .. }) => Ok(None),
            Err(Refusal::AccessDenied { .. }) => Err(Refusal::IdTaken { id }),
            Err(refusal) => Err(refusal),
        }
    }
}
