//! Bodies and paths on their way in: read with a limit, parsed at the door.
//!
//! An error about a body says where it is wrong and never repeats what is there: it may be a
//! password.

mod objects;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bits_api::REQUEST_BODY_BYTES_MAX;
use bits_core::file::FileIndex;
use bits_core::job::JobId;
use bits_core::refusal::Refusal;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::answer::{Refused, refused_as};
use objects::Objects;

/// A JSON body of the type `T`, of so many bytes at most.
#[derive(Debug)]
pub(super) struct Json<T, const BYTES_MAX: usize = REQUEST_BODY_BYTES_MAX>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync, const BYTES_MAX: usize> FromRequest<S> for Json<T, BYTES_MAX> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            let refusal = Refusal::invalid("the body", "must be application/json");
            return Err(refused_as(StatusCode::UNSUPPORTED_MEDIA_TYPE, &refusal));
        }
        let bytes = read(request.into_body(), BYTES_MAX).await?;
        parse(&bytes)
            .map(Self)
            .map_err(|error| Refused(Refusal::invalid("the body", describe(&error))).into_response())
    }
}

/// What is wrong with a body, and of which of its fields.
type Wrong = serde_path_to_error::Error<serde_json::Error>;

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Wrong> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let body = T::deserialize(Objects(&mut deserializer));
    let whole = body.and_then(|body| deserializer.end().map(|()| body));
    whole.map_err(|error| Wrong::new(wrong_at::<T>(bytes), error))
}

/// At which of its fields `bytes` is no `T`. It is read once more for that: who keeps in mind where he is makes
/// a text of every key.
fn wrong_at<T: DeserializeOwned>(bytes: &[u8]) -> serde_path_to_error::Path {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let fields = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    // What is wrong there is known.
    let _ = T::deserialize(Objects(fields));
    track.path()
}

/// How long a body may take to come: it is small, and comes from this machine.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

async fn read(body: Body, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Response> {
    match timeout(BODY_TIMEOUT, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(Zeroizing::new(bytes.to_vec())),
        Err(_) => {
            let wrong = format!("did not come within {} s", BODY_TIMEOUT.as_secs());
            Err(refused_as(StatusCode::REQUEST_TIMEOUT, &Refusal::invalid("the body", wrong)))
        }
        Ok(Err(_)) => {
            let wrong = format!("is longer than {bytes_max} bytes, or broke off");
            Err(refused_as(StatusCode::PAYLOAD_TOO_LARGE, &Refusal::invalid("the body", wrong)))
        }
    }
}

/// What is wrong, without what is there. Names of fields may be told, values may not.
fn describe(wrong: &Wrong) -> String {
    let error = wrong.inner();
    let place = format!("at line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let names_a_field = text.starts_with("unknown field") || text.starts_with("missing field");
    match error.classify() {
        serde_json::error::Category::Data if names_a_field => format!("is wrong: {text}"),
        serde_json::error::Category::Data => {
            let field = wrong.path().to_string();
            let whose = if field == "." { String::new() } else { format!(" for `{field}`") };
            let wanted = wanted(&text).map(|wanted| format!(", where {wanted} belongs"));
            format!("has a value of the wrong kind{whose} {place}{}", wanted.unwrap_or_default())
        }
        _ => format!("is not JSON: it is wrong {place}"),
    }
}

/// What belongs where serde found something else. Of its sentence this end alone is not the caller's.
fn wanted(text: &str) -> Option<&'static str> {
    let (_, wanted) = text.rsplit_once(", expected ")?;
    let (wanted, _) = wanted.rsplit_once(" at line ")?;
    Some(match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number from 0 to 18446744073709551615",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        _ if wanted.starts_with("struct ") => "an object",
        _ => return None,
    })
}

/// The job a path names.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobPath(pub(super) JobId);

impl<S: Send + Sync> FromRequestParts<S> for JobPath {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path(parameters) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::invalid("the path", "is not readable"))?;
        let text = parameters.iter().find(|(name, _)| name == "job").map_or("", |(_, text)| text);
        job_id(text).map(Self).map_err(Refused)
    }
}

/// The file of a job that a path names.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilePath {
    pub(super) job: JobId,
    pub(super) index: FileIndex,
}

impl<S: Send + Sync> FromRequestParts<S> for FilePath {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path((job, index)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::invalid("the path", "is not readable"))?;
        let index = index
            .parse()
            .map_err(|_| Refusal::invalid(format!("`{index}`"), "is no index of a file; the first is 0"))?;
        Ok(Self { job: job_id(&job)?, index: FileIndex(index) })
    }
}

/// The id that `text` is.
pub(super) fn job_id(text: &str) -> Result<JobId, Refusal> {
    JobId::parse(text)
        .map_err(|error| Refusal::invalid(format!("`{text}`"), format!("is no job id: {error}")))
}

/// The query string as the type `T`.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => {
                Err(Refused(Refusal::invalid("the query", format!("is wrong: {}", error.body_text()))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use bits_api::export::LeftOut;
    use bits_api::file::{AddFiles, ChangeFile};
    use bits_api::job::CreateJob;
    use futures_util::stream;

    /// What is wrong with `body` as a `T`.
    fn wrong<T: DeserializeOwned>(body: &str) -> Option<String> {
        parse::<T>(body.as_bytes()).err().map(|wrong| wrong.inner().to_string())
    }

    #[test]
    fn a_list_is_no_object_at_whatever_depth() {
        for refused in [
            wrong::<ChangeFile>("[null, null]"),
            wrong::<CreateJob>(r#"[null, "name", null, {}, {}]"#),
            wrong::<CreateJob>(r#"{"display_name": "name", "environment": []}"#),
            wrong::<CreateJob>(r#"{"display_name": "name", "properties": {"proxy": ["no_proxy"]}}"#),
            wrong::<AddFiles>(r#"{"files": [["http://h/f", "/f"]]}"#),
            wrong::<LeftOut>(r#"{"credential": ["server", "basic"]}"#),
        ] {
            let refused = refused.expect("it is refused");
            assert!(refused.starts_with("invalid type: sequence, expected "), "{refused}");
        }
        for (body, refused) in [
            (r#"{"display_name": "name"}"#, None),
            (r#"{"display_name": "name"} {}"#, Some("trailing characters at line 1 column 26")),
            (
                r#"{"display_name": "name", "properties": {"custom_headers": [{"name": "A", "value": "b"}], "priority": null}}"#,
                None,
            ),
            (r#"{"display_name": "name", "properties": {"client_certificate": "none"}}"#, None),
            (
                r#"{"display_name": "name", "properties": {"client_certificate": {"file": {"path": "/p"}}}}"#,
                None,
            ),
        ] {
            assert_eq!(wrong::<CreateJob>(body).as_deref(), refused, "{body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let refused = read(body, REQUEST_BODY_BYTES_MAX).await.expect_err("it does not come");
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
    }
}
