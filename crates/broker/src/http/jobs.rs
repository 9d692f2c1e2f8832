//! Jobs: list, show, change, command; credentials in, never out.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bits_api::credentials::{ANY_SCHEME, Removed, SetCredentials};
use bits_api::job::{ChangeJob, CommandAnswer, Heard, JobList, ListQuery};
use bits_api::{PAGE_MAX, convert};
use bits_core::access::Caller;
use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot, is_passport};
use bits_core::error::Code;
use bits_core::job::{self, Command, JobId, Owner, Revision};
use bits_core::notify::Happened;
use bits_core::ports::{Cursor, Filter, SealedSecret, SecretChange};
use bits_core::queue::{JobView, Request};
use bits_core::refusal::Refusal;
use bits_core::time::Timestamp;

use crate::engine::{self, Query};
use crate::vault::{NewCredential, SameKey};

use super::answer::{Refused, json};
use super::body::{self, JobPath, Json, job_id};
use super::properties::Asked;
use super::{Api, answer_to, finished};

/// Jobs in a page when nobody says how many.
pub(super) const PAGE_DEFAULT: usize = 100;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    body::Asked(asked): body::Asked<ListQuery>,
) -> Result<Response, Refused> {
    let state = match asked.state {
        None => None,
        Some(text) => Some(*job::State::NAMES.iter().find(|state| **state == text).ok_or_else(|| {
            Refusal::invalid(
                format!("the state `{text}`"),
                format!("is none; there are {}", job::State::NAMES.join(", ")),
            )
        })?),
    };
    let limit = page_limit(asked.limit)?;
    let after = asked.cursor.as_deref().map(parse_cursor).transpose()?;
    if let Some(text) = asked.called.as_deref().filter(|text| text.is_empty()) {
        return Err(Refusal::invalid(format!("the name `{text}`"), "is empty").into());
    }
    let filter = Filter { owner: Owner(caller.uid), state, called: asked.called, challenged: false };
    let query = match asked.all_users {
        Some(true) => Query::ListOfEverybody { filter, after, limit },
        _ => Query::List { filter, after, limit },
    };
    let answer = api.engine.query(caller, query).await?;
    let engine::Response::List { jobs, next } = answer else {
        unreachable!("a list is answered with a list")
    };
    let jobs = jobs.iter().map(|view| api.wire(view)).collect();
    Ok(json(StatusCode::OK, &JobList { jobs, next: next.map(write_cursor) }))
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(id): JobPath,
) -> Result<Response, Refused> {
    let answer = api.engine.query(caller, Query::Job(id)).await?;
    let engine::Response::JobWithSecrets { view, secrets } = answer else {
        unreachable!("a job is answered with a job")
    };
    let body = convert::whole_job(&view, api.names.of(view.job.owner.0), &secrets);
    let mut response = json(StatusCode::OK, &body);
    set_etag(&mut response, &view);
    Ok(response)
}

pub(super) async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    headers: HeaderMap,
    Json(body): Json<ChangeJob>,
) -> Result<Response, Refused> {
    let expected = headers.get(header::IF_MATCH).map(parse_etag).transpose()?;
    let concerns_webhook = body.notify_webhook.is_some() || body.notify_webhook_secret.is_some();
    let mut asked = Asked::of(body)?;
    let brought_secret = asked.brought_secret();
    let changes = std::mem::take(&mut asked.changes);
    let same_key = api.vault.same_key().await;
    let secrets = asked.seal(&api.vault, job, Owner(caller.uid))?;
    let signs = signs_after(&secrets);
    let request = Request::SetProperties { job, expected, changes, secrets };
    let (view, _) = request_with_secrets(&api, caller, request, same_key).await?;
    let has_webhook = view.job.properties.notify.webhook.is_some();
    let signs = match signs {
        _ if !(concerns_webhook && has_webhook) => None,
        // Another server for it takes the secret away: whether there is one is in the answer.
        None => Some(has_webhook_secret(&secrets_of(&api, caller, job).await?)),
        said => said,
    };
    let body = bits_api::job::Job { notify_webhook_signed: signs, ..api.wire(&view) };
    let mut answer = json(StatusCode::OK, &body);
    set_etag(&mut answer, &view);
    Ok(answer_to(brought_secret, answer))
}

/// Whether the webhook is signed after `changes`, where they say so.
fn signs_after(changes: &[SecretChange]) -> Option<bool> {
    changes.iter().find_map(|change| match change {
        SecretChange::Set(secret) => (secret.slot == SecretSlot::Webhook).then_some(true),
        SecretChange::Remove(slot) => (*slot == SecretSlot::Webhook).then_some(false),
        SecretChange::RemoveHeaders | SecretChange::RemoveAllButWebhook => None,
        SecretChange::RemoveAll => Some(false),
    })
}

fn has_webhook_secret(secrets: &[SealedSecret]) -> bool {
    secrets.iter().any(|secret| secret.slot == SecretSlot::Webhook)
}

/// The secrets that are kept for a job.
async fn secrets_of(api: &Api, caller: Caller, id: JobId) -> Result<Vec<SealedSecret>, Refusal> {
    let answer = api.engine.query(caller, Query::Job(id)).await?;
    let engine::Response::JobWithSecrets { secrets, .. } = answer else {
        unreachable!("a job is answered with a job")
    };
    Ok(secrets)
}

/// Asks for a change that may bring secrets; the key stays the same until they are stored.
pub(super) async fn request_with_secrets(
    api: &Arc<Api>,
    caller: Caller,
    request: Request,
    same_key: SameKey,
) -> Result<(JobView, Option<Code>), Refusal> {
    let api = Arc::clone(api);
    let answer = finished(async move {
        let answer = api.engine.request(caller, request).await;
        drop(same_key);
        answer
    });
    Ok(changed(answer.await?))
}

pub(super) async fn resume(
    state: State<Arc<Api>>,
    caller: Extension<Caller>,
    job: JobPath,
) -> Result<Response, Refused> {
    command(state, caller, job, Command::Resume).await
}

pub(super) async fn suspend(
    state: State<Arc<Api>>,
    caller: Extension<Caller>,
    job: JobPath,
) -> Result<Response, Refused> {
    command(state, caller, job, Command::Suspend).await
}

pub(super) async fn complete(
    state: State<Arc<Api>>,
    caller: Extension<Caller>,
    job: JobPath,
) -> Result<Response, Refused> {
    command(state, caller, job, Command::Complete).await
}

pub(super) async fn cancel(
    state: State<Arc<Api>>,
    caller: Extension<Caller>,
    job: JobPath,
) -> Result<Response, Refused> {
    command(state, caller, job, Command::Cancel).await
}

pub(super) async fn take_ownership(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
) -> Result<Response, Refused> {
    let (view, outcome) = changed(api.engine.request(caller, Request::TakeOwnership { job }).await?);
    let outcome = outcome.map(|code| convert::outcome(code, "the job is yours already; nothing was changed"));
    Ok(json(StatusCode::OK, &CommandAnswer { job: api.wire(&view), outcome }))
}

pub(super) async fn notification_heard(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    Json(body): Json<Heard>,
) -> Result<Response, Refused> {
    let happened = Happened::named(&body.event).ok_or_else(|| {
        Refusal::invalid(format!("the event `{}`", body.event), "is none; there are transferred and error")
    })?;
    let request = Request::Heard { job, happened, is_heard: body.heard };
    api.engine.request(caller, request).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn command(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    command: Command,
) -> Result<Response, Refused> {
    let answer = api.engine.request(caller, Request::Command { job, command }).await?;
    let (view, outcome) = changed(answer);
    let outcome = outcome.map(|code| convert::outcome(code, sentence(code)));
    Ok(json(StatusCode::OK, &CommandAnswer { job: api.wire(&view), outcome }))
}

pub(super) fn sentence(code: Code) -> &'static str {
    match code {
        Code::PARTIAL_COMPLETE => "the files that were whole are in place; the others are gone",
        Code::UNABLE_TO_DELETE_FILES => {
            "the job is cancelled, but partial files of it could not be deleted; the log names them"
        }
        Code::NOTHING_TO_DO => "no remote name begins so; nothing was changed",
        _ => "done",
    }
}

pub(super) async fn set_credentials(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path((job, target, scheme)): Path<(String, String, String)>,
    Json(body): Json<SetCredentials>,
) -> Result<Response, Refused> {
    let job = job_id(&job)?;
    let new = NewCredential {
        target: auth_target(&target)?,
        scheme: if scheme == ANY_SCHEME { None } else { Some(AuthScheme::to_set(&scheme)?) },
        user: &body.user,
        password: &body.password.0,
    };
    let same_key = api.vault.same_key().await;
    let credentials = api.vault.seal(job, Owner(caller.uid), &new)?;
    request_with_secrets(&api, caller, Request::SetCredentials { job, credentials }, same_key).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn remove_credentials(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path((job, target, scheme)): Path<(String, String, String)>,
) -> Result<Response, Refused> {
    let job = job_id(&job)?;
    let target = auth_target(&target)?;
    let schemes: Vec<AuthScheme> = match scheme.as_str() {
        ANY_SCHEME => AuthScheme::BY_PREFERENCE.to_vec(),
        // A value like the others; nothing can be there for it.
        word if is_passport(word) => Vec::new(),
        word => vec![AuthScheme::to_set(word)?],
    };
    let secrets = secrets_of(&api, caller, job).await?;
    let removed = schemes.iter().any(|scheme| {
        let slot = SecretSlot::Credential { target, scheme: *scheme };
        secrets.iter().any(|there| there.slot == slot)
    });
    api.engine.request(caller, Request::RemoveCredentials { job, target, schemes }).await?;
    Ok(json(StatusCode::OK, &Removed { removed }))
}

fn auth_target(text: &str) -> Result<AuthTarget, Refusal> {
    AuthTarget::named(text).ok_or_else(|| Refusal::InvalidAuthTarget { text: text.to_owned() })
}

/// How many of a list are wanted.
pub(super) fn page_limit(asked: Option<usize>) -> Result<usize, Refusal> {
    match asked {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(limit) => Err(Refusal::invalid(format!("the limit {limit}"), "is not between 1 and 1000")),
    }
}

fn write_cursor(cursor: Cursor) -> String {
    format!("{}.{}", cursor.created.0, cursor.id)
}

fn parse_cursor(text: &str) -> Result<Cursor, Refusal> {
    let parsed = text.split_once('.').and_then(|(created, id)| {
        Some(Cursor { created: Timestamp(created.parse().ok()?), id: JobId::parse(id).ok()? })
    });
    parsed.ok_or_else(|| Refusal::invalid(format!("the cursor `{text}`"), "did not come from a list"))
}

fn parse_etag(value: &HeaderValue) -> Result<Revision, Refusal> {
    let text = value.to_str().unwrap_or("");
    let digits = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    digits
        .and_then(|digits| digits.parse().ok())
        .map(Revision)
        .ok_or_else(|| Refusal::invalid("If-Match", "is no revision in quotes"))
}

/// The job in an answer to a change.
pub(super) fn changed(answer: engine::Response) -> (JobView, Option<Code>) {
    match answer {
        engine::Response::Job { view, outcome } => (*view, outcome),
        other => unreachable!("a change is answered with the job, not {other:?}"),
    }
}

fn set_etag(response: &mut Response, view: &JobView) {
    let etag = format!("\"{}\"", view.job.revision.0);
    let value = HeaderValue::from_str(&etag).expect("digits and quotes make a header");
    response.headers_mut().insert(header::ETAG, value);
}

impl Api {
    /// The job as programs see it.
    pub(super) fn wire(&self, view: &JobView) -> bits_api::job::Job {
        convert::job(view, self.names.of(view.job.owner.0))
    }

    pub(super) fn job(&self, status: StatusCode, view: &JobView) -> Response {
        let mut response = json(status, &self.wire(view));
        set_etag(&mut response, view);
        response
    }
}
