//! The local API over HTTP/1.1: who calls is asked of the kernel, what is asked goes to the
//! engine, what it answers becomes JSON.
//!
//! Nothing is decided here but what is malformed.

mod answer;
mod body;
mod certificates;
mod challenges;
mod creating;
mod events;
mod export;
mod files;
mod finished;
mod jobs;
mod listener;
mod metrics;
mod patience;
mod properties;
mod ranges;
mod timer;

use std::sync::Arc;

use axum::body::{Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{BoxError, Extension, Router};
use bits_api::about::{API_VERSION, About};
use bits_api::convert;
use bits_api::settings::{Reloaded, SettingList};
use bits_core::access::{Audience, Caller};
use bits_core::error::Code;
use bits_core::refusal::Refusal;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::effects::EngineHandle;
use crate::engine::{self, Query};
use crate::names::Names;
use crate::stop::Stop;
use crate::vault::Vault;
use crate::workers::Workers;

use answer::{Refused, end_connection, json, refused_as};
use finished::finished;

pub use listener::{Connections, Identify, Peer, serve};

/// What the service says of itself, apart from its jobs.
#[derive(Debug, Clone)]
pub struct Identity {
    pub version: String,
    pub pid: u32,
    /// RFC 3339, UTC.
    pub started: String,
    pub state_folder: String,
    pub log: String,
    pub notices: Vec<String>,
}

/// Where the settings are kept.
pub trait SettingsDesk: std::fmt::Debug + Send + Sync {
    /// Those in force, and where each came from.
    fn listed(&self) -> SettingList;

    /// Reads them again, and has those taken over that can be without a restart.
    ///
    /// # Errors
    /// One sentence that names what is wrong; nothing has changed.
    fn reload(&self) -> Result<Reloaded, String>;
}

/// All that the handlers need.
#[derive(Debug)]
pub struct Api {
    pub engine: EngineHandle,
    pub connections: Arc<Connections>,
    pub workers: Workers,
    pub vault: Vault,
    pub audience: Audience,
    pub identity: Identity,
    pub settings: Box<dyn SettingsDesk>,
    pub names: Names,
    pub stop: Arc<Stop>,
}

/// The socket a request came in by.
#[derive(Debug, Clone)]
pub struct Socket(pub String);

/// Where one asks to stop; one may also when it was asked before.
const STOP: &str = "/v1/stop";

/// Answers whatever has come in by one socket.
#[derive(Debug, Clone)]
pub struct Desk {
    api: Arc<Api>,
    routes: TowerToHyperService<Router>,
}

impl Desk {
    pub fn new(api: Arc<Api>, socket: Socket) -> Self {
        let routes = TowerToHyperService::new(routes(socket).with_state(Arc::clone(&api)));
        Self { api, routes }
    }

    /// The answer to `request`, which brings the [`Caller`] along in its extensions. What holds for every request
    /// is said here and not in layers of the router, each of which makes its routes anew with every request.
    pub async fn answer<B>(self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let operation = metrics::operation(request.method(), request.uri().path());
        let has_body = !request.body().is_end_stream();
        let admitted = self
            .api
            .admit(request.headers(), request.extensions().get().copied())
            .and_then(|()| self.api.stay(request.uri().path()));
        let mut answer = match admitted {
            Ok(()) => {
                let Ok(answer) = self.routes.call(request).await;
                answer
            }
            Err(refused) => refused,
        };
        hang_up(has_body, &mut answer);
        self.api.workers.metrics().answered(operation, answer.status().as_u16());
        answer
    }
}

impl Api {
    /// Turns away browsers, and users this service does not serve.
    fn admit(&self, headers: &HeaderMap, caller: Option<Caller>) -> Result<(), Response> {
        for name in [header::ORIGIN, header::REFERER] {
            if headers.contains_key(&name) {
                let wrong = format!("has the header `{name}`: this socket is not for web pages");
                return Err(refused_as(StatusCode::FORBIDDEN, &Refusal::invalid("the request", wrong)));
            }
        }
        let Some(caller) = caller else {
            let refusal = Refusal::invalid("the connection", "has no identity");
            return Err(refused_as(StatusCode::FORBIDDEN, &refusal));
        };
        self.audience.admit(caller).map(|_| ()).map_err(|refusal| {
            tracing::warn!(uid = caller.uid, "a caller was turned away");
            Refused(refusal).into_response()
        })
    }

    /// Does nothing more once it was said that the service stops.
    fn stay(&self, path: &str) -> Result<(), Response> {
        let is_over = path != STOP && self.stop.is_said();
        if is_over { Err(Refused(Refusal::Stopping).into_response()) } else { Ok(()) }
    }
}

/// Ends the connection with the answer, and says so, unless the request had no body or it is known that the body
/// brought no secret: what a connection has read stays in its buffer for as long as it is open. Nor does a
/// connection go on behind a body that nobody has read.
fn hang_up(has_body: bool, answer: &mut Response) {
    let is_harmless = answer.extensions_mut().remove::<BroughtNoSecret>().is_some();
    if has_body && !is_harmless {
        end_connection(answer);
    }
}

/// Said of the answer to a request that was read to its end and understood, and in which no secret was.
#[derive(Debug, Clone, Copy)]
struct BroughtNoSecret;

/// `response`, to a request of which it is known whether it `brought_secret`.
fn answer_to(brought_secret: bool, mut response: Response) -> Response {
    if !brought_secret {
        response.extensions_mut().insert(BroughtNoSecret);
    }
    response
}

/// The routes of `bits_api::operations`.
fn routes(socket: Socket) -> Router<Arc<Api>> {
    Router::new()
        .route("/v1/about", get(about).layer(Extension(socket)))
        .route("/v1/settings", get(settings))
        .route("/v1/settings/reload", post(reload_settings))
        .route("/v1/jobs", get(jobs::list))
        .route("/v1/jobs/{job}", get(jobs::one))
        .route("/v1/jobs/{job}/export", get(export::export))
        .route("/v1/jobs/{job}/resume", post(jobs::resume))
        .route("/v1/jobs/{job}/suspend", post(jobs::suspend))
        .route("/v1/jobs/{job}/complete", post(jobs::complete))
        .route("/v1/jobs/{job}/cancel", post(jobs::cancel))
        .route("/v1/jobs/{job}/take_ownership", post(jobs::take_ownership))
        .route("/v1/jobs", post(creating::create))
        .route("/v1/jobs/create_many", post(creating::create_many))
        .route("/v1/jobs/{job}", patch(jobs::change))
        .route("/v1/jobs/{job}/files", get(files::list).post(files::add))
        .route("/v1/jobs/{job}/files/{index}", get(files::one).patch(files::change))
        .route("/v1/jobs/{job}/files/{index}/ranges", get(ranges::filled).post(ranges::request))
        .route("/v1/jobs/{job}/files/{index}/position", put(ranges::set_position))
        .route("/v1/jobs/{job}/export", put(export::import))
        .route("/v1/jobs/{job}/replace_remote_prefix", post(files::replace_remote_prefix))
        .route(
            "/v1/jobs/{job}/credentials/{target}/{scheme}",
            put(jobs::set_credentials).delete(jobs::remove_credentials),
        )
        .route("/v1/jobs/{job}/notifications", post(jobs::notification_heard))
        .route("/v1/challenges/{challenge}", post(challenges::answer))
        .route("/v1/events", get(events::stream))
        .route("/v1/jobs/{job}/certificates", delete(certificates::remove))
        .route("/v1/jobs/{job}/certificates/events", get(certificates::stream))
        .route("/v1/jobs/{job}/certificates/{question}", post(certificates::answer))
        .route("/v1/challenges", get(challenges::list))
        .route("/v1/challenges/events", get(challenges::stream))
        .route("/v1/metrics", get(metrics::metrics))
        .route("/v1/rotate_key", post(rotate_key))
        .route(STOP, post(stop))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
}

async fn about(
    State(api): State<Arc<Api>>,
    caller: Extension<Caller>,
    socket: Extension<Socket>,
) -> Result<Response, Refused> {
    let engine::Response::Counts(counts) = api.engine.query(caller.0, Query::Counts).await? else {
        unreachable!("counts are answered with counts")
    };
    let engine::Response::Conditions(conditions) = api.engine.query(caller.0, Query::Conditions).await?
    else {
        unreachable!("conditions are answered with conditions")
    };
    let identity = api.identity.clone();
    let key = api.vault.key_standing();
    Ok(json(
        StatusCode::OK,
        &About {
            version: identity.version,
            api: API_VERSION,
            pid: identity.pid,
            started: identity.started,
            socket: socket.0.0,
            state_folder: identity.state_folder,
            log: identity.log,
            key_source: key.place.clone(),
            key: Some(convert::key(&key)),
            jobs: counts.into_iter().map(|(state, count)| (state.to_owned(), count)).collect(),
            conditions: Some(convert::conditions(&conditions)),
            notices: identity.notices,
        },
    ))
}

async fn settings(State(api): State<Arc<Api>>) -> Response {
    json(StatusCode::OK, &api.settings.listed())
}

async fn reload_settings(State(api): State<Arc<Api>>) -> Result<Response, Refused> {
    let reloading = tokio::task::spawn_blocking(move || api.settings.reload());
    let reloaded = reloading.await.map_err(|_| Refusal::Stopping)?;
    let wrong = |reason: String| Refusal::invalid("the settings", format!("stay as they were: {reason}"));
    Ok(json(StatusCode::OK, &reloaded.map_err(wrong)?))
}

async fn rotate_key(State(api): State<Arc<Api>>) -> Result<Response, Refused> {
    // What has begun ends whether or not somebody waits for the answer.
    let changing = Arc::clone(&api);
    finished(async move {
        let rotation = changing.vault.change_key().await?;
        changing.engine.rotate(rotation).await
    })
    .await?;
    Ok(json(StatusCode::OK, &convert::key(&api.vault.key_standing())))
}

async fn stop(State(api): State<Arc<Api>>) -> StatusCode {
    tracing::info!("asked to stop");
    api.stop.say();
    StatusCode::ACCEPTED
}

async fn nothing_here(request: axum::extract::Request) -> Response {
    let refusal = Refusal::invalid(format!("`{}`", request.uri().path()), "is no address of this API");
    refused_as(StatusCode::NOT_FOUND, &refusal)
}

async fn not_so(request: axum::extract::Request) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let refusal = Refusal::invalid(what, "is not an operation");
    debug_assert_eq!(refusal.code(), Code::INVALID_ARGUMENT);
    refused_as(StatusCode::METHOD_NOT_ALLOWED, &refusal)
}
