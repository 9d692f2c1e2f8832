//! Answers as JSON, refusals as problems. The one place where a refusal gets its HTTP status.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bits_api::convert;
use bits_api::problem::Problem;
use bits_core::refusal::Refusal;
use serde::Serialize;

/// A refusal on its way out.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refused_as(status(&self.0), &self.0)
    }
}

/// Has the connection end with `answer`, which says so.
pub(super) fn end_connection(answer: &mut Response) {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotFound { .. } | Refusal::NoSuchFile { .. } | Refusal::NoSuchQuestion => {
            StatusCode::NOT_FOUND
        }
        Refusal::AccessDenied { .. }
        | Refusal::OtherUser { .. }
        | Refusal::IdTaken { .. }
        | Refusal::OwnerOnly { .. }
        | Refusal::EverybodysJobs
        | Refusal::NotAnAdministrator { .. }
        | Refusal::CommandsForbidden => StatusCode::FORBIDDEN,
        Refusal::Empty { .. }
        | Refusal::TooManyJobsOfUser { .. }
        | Refusal::TooManyJobs { .. }
        | Refusal::TooManyFiles { .. }
        | Refusal::TooManyRanges { .. }
        | Refusal::InvalidState { .. }
        | Refusal::NotFinalized { .. }
        | Refusal::NoKey { .. }
        | Refusal::KeyNotChanged { .. }
        | Refusal::ReadOnlyAfterResume { .. }
        | Refusal::ReadOnlyAfterAddFile { .. }
        | Refusal::ReadOnlyWhenActive { .. }
        | Refusal::FilePending { .. }
        | Refusal::RandomAccessNotSupported { .. }
        | Refusal::OnDemandAndDynamic
        | Refusal::OnDemandWithMethod { .. }
        | Refusal::NotWithCustomMethod { .. } => StatusCode::CONFLICT,
        Refusal::RevisionMismatch { .. } => StatusCode::PRECONDITION_FAILED,
        Refusal::InvalidArgument { .. }
        | Refusal::DestinationTaken { .. }
        | Refusal::Ambiguous { .. }
        | Refusal::StringTooLong { .. }
        | Refusal::ProxyListTooLarge { .. }
        | Refusal::ProxyBypassListTooLarge { .. }
        | Refusal::NotImplemented { .. }
        | Refusal::StoredServerCredentials
        | Refusal::UserNameTooLarge { .. }
        | Refusal::PasswordTooLarge
        | Refusal::MarshalledReference
        | Refusal::InvalidAuthTarget { .. }
        | Refusal::InvalidAuthScheme { .. }
        | Refusal::PassportNotSpoken
        | Refusal::MaxDownloadSizeZero
        | Refusal::Ranges(_)
        | Refusal::Destination { .. } => StatusCode::BAD_REQUEST,
        Refusal::NotWritten { .. } => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::TooManyConnections { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The refusal as a problem with the status `status`.
pub(super) fn refused_as(status: StatusCode, refusal: &Refusal) -> Response {
    json(status, &problem(Some(status), refusal))
}

/// The refusal as a problem; the log and the caller get the same id. One of many in an answer has no status.
pub(super) fn problem(status: Option<StatusCode>, refusal: &Refusal) -> Problem {
    let request = uuid::Uuid::new_v4().to_string();
    let status = status.map(|status| status.as_u16());
    tracing::info!(request, code = %refusal.code(), status, "refused: {refusal}");
    convert::problem(refusal, request)
}

/// What most answers do not exceed: one job is some 1000 bytes.
const ANSWER_BYTES: usize = 2048;

/// `body` as JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let mut text = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut text, body).expect("the wire types are written as JSON");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
