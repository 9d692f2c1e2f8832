//! The service in numbers, and the count of what it is asked.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
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

/// The operation that is asked for, by which its answer is counted. Names are of the table: a path of
/// somebody's is not repeated.
pub(super) fn operation(method: &Method, path: &str) -> &'static str {
    let known = OPERATIONS.iter().map(|known| known.path).filter(|known| is_at(known, path));
    // As the router has it: what is written out goes before what may be anything.
    let Some(nearest) = known.min_by_key(|known| known.matches('{').count()) else { return NONE };
    let found = OPERATIONS.iter().find(|known| known.path == nearest && known.method == method.as_str());
    found.map_or(NONE, |operation| operation.name)
}

/// Whether `path` is one that `known` stands for, in which a parameter is any text without a slash.
fn is_at(known: &str, path: &str) -> bool {
    let Some((before, parameter)) = known.split_once('{') else { return known == path };
    let Some(given) = path.strip_prefix(before) else { return false };
    let (_, after) = parameter.split_once('}').expect("a parameter of the table ends");
    let (value, rest) = given.split_at(given.find('/').unwrap_or(given.len()));
    !value.is_empty() && is_at(after, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_known_by_its_method_and_path_whatever_its_parameters_are() {
        for known in OPERATIONS {
            let method: Method = known.method.parse().expect("a method");
            let path = known.path.replace('{', "").replace('}', "%7B.");
            assert_eq!(operation(&method, &path), known.name, "{path}");
            for (method, path) in [
                (&Method::OPTIONS, path.clone()),
                (&method, format!("{path}/")),
                (&method, format!("{path}/x/y/z")),
                (&method, format!("/{path}")),
                (&method, path.replacen("/v1", "/v2", 1)),
            ] {
                assert_eq!(operation(method, &path), NONE, "{method} {path}");
            }
        }
    }

    #[test]
    fn a_word_of_the_table_is_no_parameter() {
        for (method, path, expected) in [
            (Method::POST, "/v1/jobs/create_many", "create_jobs"),
            (Method::GET, "/v1/jobs/create_many", NONE),
            (Method::GET, "/v1/jobs/create_man", "job"),
            (Method::GET, "/v1/challenges/events", "challenges"),
            (Method::POST, "/v1/challenges/events", NONE),
            (Method::GET, "/v1/jobs//files", NONE),
            (Method::GET, "/v1/jobs/", NONE),
            (Method::GET, "", NONE),
        ] {
            assert_eq!(operation(&method, path), expected, "{method} {path}");
        }
    }
}
