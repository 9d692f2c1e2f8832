//! What a program is asked about the certificates of its job's servers: a stream, which registers its
//! reader, and the answers on their way in.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bits_api::certificate::{
    self, AnswerCertificate, Der, Registered, RemoveRegistration, ServerCertificate,
};
use bits_core::access::Caller;
use bits_core::certificates::{Rejection, Verdict};
use bits_core::error::{Code, codes};
use bits_core::refusal::Refusal;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use crate::certificates::{Change, Program, RegistrationId};

use super::Api;
use super::answer::Refused;
use super::body::{Asked, JobPath, Json, job_id};
use super::events::{event_stream, frame};

pub(super) async fn stream(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
) -> Result<Response, Refused> {
    let (program, asked) = Program::new(caller);
    let registration = program.registration;
    api.engine.change_certificates(caller, job, Change::Set(program)).await?;
    let listening = api.workers.certificates().listening(registration, asked);
    let registered = Registered { registration: registration.0.to_string() };
    let first = stream::once(async move { frame(certificate::REGISTERED, &registered) });
    let questions = stream::unfold(listening, |mut listening| async move {
        let asked = listening.next().await?;
        let mut shown = asked.shown.into_iter().map(Der);
        let body = ServerCertificate {
            id: asked.id.to_string(),
            job: asked.job.to_string(),
            file: asked.file.0,
            host: asked.authority,
            certificate: shown.next().unwrap_or(Der(Vec::new())),
            chain: shown.collect(),
        };
        Some((frame(certificate::CERTIFICATE, &body), listening))
    });
    Ok(event_stream(first.chain(questions).map(Ok::<Bytes, Infallible>)))
}

pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path((job, question)): Path<(String, String)>,
    Json(body): Json<AnswerCertificate>,
) -> Result<StatusCode, Refused> {
    let job = job_id(&job)?;
    let verdict = verdict(&body)?;
    let question = Uuid::parse_str(&question).map_err(|_| Refusal::NoSuchQuestion)?;
    api.workers.certificates().answer(caller, job, question, verdict)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JobPath(job): JobPath,
    Asked(which): Asked<RemoveRegistration>,
) -> Result<StatusCode, Refused> {
    let named = which.registration.map(|name| {
        Uuid::parse_str(&name)
            .map(RegistrationId)
            .map_err(|_| Refusal::invalid(format!("`{name}`"), "is no registration"))
    });
    api.engine.change_certificates(caller, job, Change::Remove(named.transpose()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn verdict(body: &AnswerCertificate) -> Result<Verdict, Refusal> {
    match (body.accepted, &body.code) {
        (true, None) => Ok(Ok(())),
        (true, Some(_)) => Err(Refusal::invalid("the answer", "accepts and says why not")),
        (false, code) => {
            let code = code.as_deref().and_then(code_of).filter(|code| code.is_failure());
            let code = code.ok_or_else(|| {
                Refusal::invalid("the answer", "rejects, and `code` is not the number of a failure")
            })?;
            Ok(Err(Rejection::Refused(code)))
        }
    }
}

/// A code as the API writes it.
fn code_of(text: &str) -> Option<Code> {
    text.starts_with("0x").then(|| codes::parse(text)).flatten()
}
