//! The service in numbers, and the count of what it is asked.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use bits_api::operations::{OPENMETRICS_TYPE, OPERATIONS};
use bits_core::access::Caller;

use crate::engine::{self, Query};
use crate::metrics::Now;

use super::Api;
use super::answer::Refused;

/// What is asked and is no operation.
const NONE: &str = "none";

/// `GET /v1/metrics`.
pub(super) async fn metrics(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refused> {
    let engine::Response::Counts(jobs) = api.engine.query(caller, Query::Counts).await? else {
        unreachable!("counts are answered with counts")
    };
    let engine::Response::Turns(turns) = api.engine.query(caller, Query::Turns).await? else {
        unreachable!("turns are answered with turns")
    };
    let now = Now {
        version: &api.identity.version,
        jobs,
        turns,
        waiting: api.engine.waiting(),
        connections: api.connections.open(),
    };
    let text = api.workers.metrics().text(&now);
    Ok(Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, OPENMETRICS_TYPE)
        .body(Body::from(text))
        .expect("a status and one header make a response"))
}

/// Counts each answer by its operation.
pub(super) async fn count(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let operation = operation(&request);
    let response = next.run(request).await;
    api.workers.metrics().answered(operation, response.status().as_u16());
    response
}

/// The operation that is asked for. Names are of the table: a path of somebody's is not repeated.
fn operation(request: &Request) -> &'static str {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let method = request.method().as_str();
    let found = OPERATIONS.iter().find(|known| Some(known.path) == path && known.method == method);
    found.map_or(NONE, |operation| operation.name)
}
