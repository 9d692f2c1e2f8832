//! Server-sent events: first how things are, then what changes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use bits_api::convert;
use bits_api::event::{self, EventQuery, Note, RangesTransferred};
use bits_core::access::Caller;
use bits_core::job::{JobId, Owner};
use bits_core::ports::Filter;
use bits_core::refusal::Refusal;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::coop::unconstrained;

use crate::engine::{Notification, Query, Response as Answer};
use crate::subscriptions::WATCHER_BACKLOG_MAX;

use super::Api;
use super::answer::Refused;
use super::body::{Asked, job_id};
use super::jobs::PAGE_DEFAULT;

pub(super) async fn stream(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<EventQuery>,
) -> Result<Response, Refused> {
    let job = asked.job.as_deref().map(job_id).transpose()?;
    let attending = match (job, asked.attended) {
        (Some(job), Some(true)) => Some(api.engine.attend(caller, job).await?),
        (None, Some(true)) => return Err(Refusal::invalid("the query", "attends no job").into()),
        _ => None,
    };
    let hearing = match (job, asked.callback) {
        (Some(job), Some(true)) => Some(api.engine.hear(caller, job).await?),
        (None, Some(true)) => return Err(Refusal::invalid("the query", "hears no job").into()),
        _ => None,
    };
    let (watcher, changes) = mpsc::channel(WATCHER_BACKLOG_MAX);
    // Changes gather from here on, so that none falls between how things are and what changes.
    api.engine.watch(caller, job, watcher).await?;
    let first = how_things_are(Arc::clone(&api), caller, job);
    let ready = stream::once(async { frame(event::READY, &serde_json::json!({})) });
    let changes = stream::unfold((changes, (attending, hearing)), |(mut changes, present)| async move {
        // As many as there are: this thread decides, too, and what it has not taken until it decides again is
        // in the way of what is told next.
        let notification = unconstrained(changes.recv()).await?;
        Some((notification, (changes, present)))
    })
    .map(move |notification| match notification {
        Notification::Job(view) => frame(event::JOB, &api.wire(&view)),
        Notification::Note { job, text } => frame(event::NOTE, &Note { job: job.to_string(), text }),
        Notification::Ranges { job, file, ranges } => {
            let ranges = ranges.into_iter().map(convert::span).collect();
            frame(event::RANGES, &RangesTransferred { job: job.to_string(), file: file.0, ranges })
        }
    });
    let events = first.chain(ready).chain(changes).map(Ok::<Bytes, Infallible>);
    Ok(event_stream(events))
}

/// The answer that goes on for as long as `events` do.
pub(super) fn event_stream(
    events: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Body::from_stream(events))
        .expect("a status and two headers make a response")
}

/// The jobs as they are, read a page at a time while the watcher takes them.
fn how_things_are(
    api: Arc<Api>,
    caller: Caller,
    job: Option<JobId>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    enum Place {
        One(JobId),
        All(Option<bits_core::ports::Cursor>),
        End,
    }
    let start = job.map_or(Place::All(None), Place::One);
    stream::unfold((api, start), move |(api, place)| async move {
        let query = match place {
            Place::End => return None,
            Place::One(id) => Query::Job(id),
            Place::All(after) => {
                let filter =
                    Filter { owner: Owner(caller.uid), state: None, called: None, challenged: false };
                Query::List { filter, after, limit: PAGE_DEFAULT }
            }
        };
        let (views, place) = match api.engine.query(caller, query).await {
            Ok(Answer::JobWithSecrets { view, .. }) => (vec![*view], Place::End),
            Ok(Answer::List { jobs, next }) => (jobs, next.map_or(Place::End, |next| Place::All(Some(next)))),
            // The job has been forgotten, or the service stops: there is nothing to tell.
            Ok(_) | Err(_) => (Vec::new(), Place::End),
        };
        let frames: Vec<u8> = views.iter().flat_map(|view| frame(event::JOB, &api.wire(view))).collect();
        Some((Bytes::from(frames), (api, place)))
    })
}

/// One event as it goes over the wire. JSON has no line breaks of its own.
pub(super) fn frame<T: Serialize>(name: &str, body: &T) -> Bytes {
    let body = serde_json::to_string(body).expect("the wire types are written as JSON");
    Bytes::from(format!("event: {name}\ndata: {body}\n\n"))
}
