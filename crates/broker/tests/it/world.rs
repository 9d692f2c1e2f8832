//! A service without a socket: requests go to its desk, with the caller the kernel would name.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use bits_broker::effects::{Effects, EngineHandle};
use bits_broker::engine::{self, Clock};
use bits_broker::http::{Api, Connections, Desk, Identity, Socket};
use bits_broker::names::Names;
use bits_broker::vault::Vault;
use bits_broker::workers::Workers;
use bits_core::access::{Audience, Caller};
use bits_core::certificates::Verdict;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::{Challenge, Code, ErrorContext, JobError};
use bits_core::file::{FileIndex, LocalName};
use bits_core::job::Owner;
use bits_core::ports::{KeyChange, KeySource, KeyStanding, Seal, SealError};
use bits_core::queue::{Limits, Report};
use bits_core::time::Timestamp;
use bits_store::memory::MemoryStore;
use bits_worker::link::{self, Assignment, CheckTicket, DestinationRefusal, FromWorker, Telling, ToWorker};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Whom the service serves.
pub(crate) const ANNA: u32 = 1000;

/// Seals by turning every bit around; good enough to see whether something is sealed.
struct Turned;

impl Seal for Turned {
    fn seal(&self, plain: &[u8], _: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(plain.iter().map(|byte| !byte).collect())
    }

    fn open(&self, sealed: &[u8], _: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
        Ok(zeroize::Zeroizing::new(sealed.iter().map(|byte| !byte).collect()))
    }

    fn standing(&self) -> KeyStanding {
        let place = "a test".to_owned();
        KeyStanding { place, id: None, source: KeySource::KeyFile, missing: None }
    }

    fn change_key(&self) -> Result<Box<dyn KeyChange>, SealError> {
        Err(SealError::KeyNotChanged { reason: "this is a test".to_owned() })
    }
}

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000)
    }
}

pub(crate) struct World {
    desk: Desk,
    begun: tokio::sync::Mutex<UnboundedReceiver<Box<Assignment>>>,
    from_worker: UnboundedSender<FromWorker>,
    verdicts: tokio::sync::Mutex<UnboundedReceiver<Verdict>>,
    told: tokio::sync::Mutex<UnboundedReceiver<Box<Telling>>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().expect("a problem has a code").to_owned()
    }
}

impl World {
    /// To be made within a runtime.
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// The same, where so much is allowed.
    pub(crate) fn with_limits(limits: Limits) -> Self {
        let (inputs, mut received) = tokio::sync::mpsc::unbounded_channel();
        let (broker_end, worker_end) = link::local();
        let (begins, begun) = tokio::sync::mpsc::unbounded_channel();
        let (says, verdicts) = tokio::sync::mpsc::unbounded_channel();
        let (tells, told) = tokio::sync::mpsc::unbounded_channel();
        let from_worker = worker_end.to_broker.clone();
        tokio::spawn(play_the_worker(worker_end, begins, says, tells));
        let handle = EngineHandle::new(inputs.clone());
        let workers = Workers::new(broker_end, inputs);
        let vault = Vault::new(Arc::new(Turned));
        let mut effects = Effects::new(&handle, workers.clone(), vault.clone());
        std::thread::spawn(move || {
            let mut store = MemoryStore::new();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let engine = engine::run(&mut received, &mut store, &StandingClock, &mut effects, limits);
            runtime.expect("a runtime").block_on(engine)
        });
        let names = Names::new(|uid| (uid == ANNA).then(|| "anna".to_owned()));
        names.learn(ANNA, std::time::Duration::from_secs(60));
        let api = Api {
            engine: handle,
            connections: Arc::new(Connections::new(1, 1)),
            workers,
            vault,
            audience: Audience::User(Owner(ANNA)),
            identity: Identity {
                version: "0.0.0".to_owned(),
                pid: 1,
                started: String::new(),
                state_folder: String::new(),
                log: String::new(),
                notices: Vec::new(),
            },
            settings: Box::new(NoSettings),
            names,
            stop: Arc::default(),
        };
        Self {
            desk: Desk::new(Arc::new(api), Socket("/run/test.sock".to_owned())),
            begun: tokio::sync::Mutex::new(begun),
            from_worker,
            verdicts: tokio::sync::Mutex::new(verdicts),
            told: tokio::sync::Mutex::new(told),
        }
    }

    /// The next that an owner is told.
    pub(crate) async fn told(&self) -> Box<Telling> {
        self.told.lock().await.recv().await.expect("the worker is there")
    }

    /// Has the worker say something by itself.
    pub(crate) fn worker_says(&self, message: FromWorker) {
        self.from_worker.send(message).expect("the broker listens");
    }

    /// What the worker hears next of a certificate it has asked about.
    pub(crate) async fn verdict(&self) -> Verdict {
        self.verdicts.lock().await.recv().await.expect("the worker is there")
    }

    /// What the worker is told to transfer next.
    pub(crate) async fn begun(&self) -> Box<Assignment> {
        self.begun.lock().await.recv().await.expect("the worker is there")
    }

    pub(crate) async fn send(&self, caller: Option<u32>, request: Request<Body>) -> Answer {
        let response = self.send_raw(caller, request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer { status: parts.status, text: String::from_utf8(bytes.to_vec()).expect("text") }
    }

    pub(crate) async fn send_raw(
        &self,
        caller: Option<u32>,
        mut request: Request<Body>,
    ) -> axum::response::Response {
        if let Some(uid) = caller {
            request.extensions_mut().insert(Caller { uid });
        }
        self.desk.clone().answer(request).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(Some(ANNA), request(method, path, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Creates a job; its id.
    pub(crate) async fn create(&self) -> String {
        let answer = self.post("/v1/jobs", serde_json::json!({ "display_name": "a job" })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }
}

pub(crate) fn request(method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    match body {
        Some(body) => builder
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request"),
        None => builder.body(Body::empty()).expect("a request"),
    }
}

/// A worker that lets every destination pass but those in `/missing`, tells what it is to begin, closes
/// what it is told to, and knows one server that asks for a password.
async fn play_the_worker(
    mut end: link::WorkerEnd,
    begins: UnboundedSender<Box<Assignment>>,
    verdicts: UnboundedSender<Verdict>,
    told: UnboundedSender<Box<Telling>>,
) {
    while let Some(message) = end.from_broker.recv().await {
        let answer = match message {
            ToWorker::Check { ticket, names, .. } => {
                let places = names.iter().map(LocalName::destination).collect();
                FromWorker::Checked { ticket, outcome: check(ticket, &names).map(|()| places) }
            }
            ToWorker::Finalize { job, files, .. } => {
                let files = files.iter().map(|file| file.index).collect();
                FromWorker::Report { job, report: Report::Finalized { files, lost: Vec::new(), error: None } }
            }
            ToWorker::Discard { job, .. } => {
                FromWorker::Report { job, report: Report::Discarded { leftover: None } }
            }
            ToWorker::Begin(assignment) => {
                let (job, report) = (assignment.job, begin(&assignment));
                // Most tests do not ask.
                let _ = begins.send(assignment);
                match report {
                    Some(report) => FromWorker::Report { job, report },
                    None => continue,
                }
            }
            ToWorker::CertificateAnswer { verdict, .. } => {
                let _ = verdicts.send(verdict);
                continue;
            }
            ToWorker::Tell(telling) => {
                // Most tests do not ask.
                let _ = told.send(telling);
                continue;
            }
            ToWorker::Stop { .. }
            | ToWorker::Recorded { .. }
            | ToWorker::Asked { .. }
            | ToWorker::Rate { .. }
            | ToWorker::RateLimits(_)
            | ToWorker::ConnectionLimits { .. } => continue,
        };
        if end.to_broker.send(answer).is_err() {
            return;
        }
    }
}

/// `locked.test` lets in whoever has the password `right`, and `none.test` has no file; no other server
/// says anything.
fn begin(assignment: &Assignment) -> Option<Report> {
    let attempt = assignment.attempt;
    if assignment.files.iter().any(|file| file.remote_name.authority() == "none.test") {
        let error = JobError {
            code: Code::http(404),
            context: ErrorContext::RemoteFile,
            transient: false,
            message: "none.test answered 404".to_owned(),
            file: Some(FileIndex(0)),
            challenge: None,
            retry_after_seconds: None,
        };
        return Some(Report::Failed { attempt, error });
    }
    assignment.files.iter().find(|file| file.remote_name.authority() == "locked.test")?;
    if assignment.credentials.iter().any(|credential| credential.password.expose() == "right") {
        return Some(Report::Connected { attempt });
    }
    let challenge = Challenge {
        target: AuthTarget::Server,
        host: "locked.test".to_owned(),
        realm: Some("the office".to_owned()),
        schemes: vec![AuthScheme::Digest],
        refused: !assignment.credentials.is_empty(),
    };
    let error = JobError {
        code: Code::HTTP_UNAUTHORIZED,
        context: ErrorContext::RemoteFile,
        transient: false,
        message: "locked.test asks for credentials".to_owned(),
        file: Some(FileIndex(0)),
        challenge: Some(challenge),
        retry_after_seconds: None,
    };
    Some(Report::Failed { attempt, error })
}

fn check(_: CheckTicket, names: &[bits_core::file::LocalName]) -> Result<(), DestinationRefusal> {
    match names.iter().find(|name| name.as_str().starts_with("/missing/")) {
        None => Ok(()),
        Some(name) => Err(DestinationRefusal {
            code: bits_core::error::Code::PATH_NOT_FOUND,
            message: format!("the folder of {} is not there", name.as_str()),
        }),
    }
}

/// Of a world in which nothing can be set.
#[derive(Debug)]
struct NoSettings;

impl bits_broker::http::SettingsDesk for NoSettings {
    fn listed(&self) -> bits_api::settings::SettingList {
        bits_api::settings::SettingList { settings: Vec::new() }
    }

    fn reload(&self) -> Result<bits_api::settings::Reloaded, String> {
        Err("there is no file".to_owned())
    }
}
