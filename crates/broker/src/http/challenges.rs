//! What a person is asked for background jobs: a list, a stream, and the answers on their way in.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bits_api::challenge::{self, AnswerChallenge, Answered, ChallengeList, Withdrawn};
use bits_api::convert;
use bits_api::credentials::SetCredentials;
use bits_core::access::Caller;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::job::{JobId, Owner};
use bits_core::queue::{Declined, QUESTIONS_MAX, Question, QuestionId, Reply, Request};
use bits_core::refusal::Refusal;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::engine::{self, AgentNotice, Query};
use crate::vault::NewCredential;

use super::answer::{Refused, json};
use super::body::Json;
use super::events::{event_stream, frame};
use super::{Api, finished};

/// Notices that may wait for one agent: all questions there can be, withdrawn and asked anew.
const AGENT_BACKLOG_MAX: usize = 4 * QUESTIONS_MAX;
/// How often an answer is looked after, for jobs that came to the question while it was given.
const ROUNDS_MAX: usize = 8;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refused> {
    let questions = questions(&api, caller, Query::Questions).await?;
    let challenges = questions.iter().map(|question| api.challenge(question)).collect();
    Ok(json(StatusCode::OK, &ChallengeList { challenges }))
}

pub(super) async fn stream(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refused> {
    let (watcher, notices) = mpsc::channel(AGENT_BACKLOG_MAX);
    let connected = api.engine.answer_for(caller, watcher).await?;
    let events = stream::unfold((notices, connected), |(mut notices, connected)| async move {
        let notice = notices.recv().await?;
        Some((notice, (notices, connected)))
    });
    let events = events.map(move |notice| match notice {
        AgentNotice::Asked(question) => frame(challenge::CHALLENGE, &api.challenge(&question)),
        AgentNotice::Withdrawn(question) => {
            frame(challenge::WITHDRAWN, &Withdrawn { id: api.engine.name_of(question) })
        }
        AgentNotice::Ready => frame(challenge::READY, &serde_json::json!({})),
    });
    Ok(event_stream(events.map(Ok::<Bytes, Infallible>)))
}

/// What came as an answer.
enum Given {
    Credentials { scheme: Option<AuthScheme>, credentials: SetCredentials },
    Declined(Declined),
}

pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(body): Json<AnswerChallenge>,
) -> Result<Response, Refused> {
    let question = api.engine.question_named(&name)?;
    let given = given(body)?;
    let same_key = api.vault.same_key().await;
    // To its end: an answer is for all jobs or, when they are gone, for none.
    let jobs = finished(async move {
        let answered = answer_all(&api, caller, question, &given).await;
        drop(same_key);
        answered
    })
    .await?;
    Ok(json(StatusCode::OK, &Answered { jobs }))
}

/// Hands the answer to each job of the question; says to how many.
async fn answer_all(api: &Api, caller: Caller, question: QuestionId, given: &Given) -> Result<u64, Refusal> {
    let mut answered = 0;
    for _ in 0..ROUNDS_MAX {
        let asked = match questions(api, caller, Query::Question(question)).await {
            Err(Refusal::NoSuchQuestion) if answered > 0 => return Ok(answered),
            asked => asked?,
        };
        let target = asked[0].challenge().target;
        let requests = asked[0].asked().map(|job| {
            let reply = reply(api, caller, job, target, given)?;
            Ok(api.engine.request(caller, Request::Answer { job, question, reply }))
        });
        let requests = requests.collect::<Result<Vec<_>, Refusal>>()?;
        for outcome in join_all(requests).await {
            match outcome {
                Ok(_) => answered += 1,
                // Its owner was quicker.
                Err(Refusal::NoSuchQuestion | Refusal::NotFound { .. } | Refusal::InvalidState { .. }) => {}
                Err(refusal) => return Err(refusal),
            }
        }
    }
    Ok(answered)
}

fn reply(api: &Api, caller: Caller, job: JobId, target: AuthTarget, given: &Given) -> Result<Reply, Refusal> {
    Ok(match given {
        Given::Declined(declined) => Reply::Declined(*declined),
        Given::Credentials { scheme, credentials } => {
            let SetCredentials { user, password } = credentials;
            let new = NewCredential { target, scheme: *scheme, user, password: &password.0 };
            Reply::Credentials(api.vault.seal(job, Owner(caller.uid), &new)?)
        }
    })
}

fn given(body: AnswerChallenge) -> Result<Given, Refusal> {
    match body {
        AnswerChallenge { credentials: Some(credentials), scheme, declined: None } => {
            Ok(Given::Credentials {
                scheme: scheme.as_deref().map(AuthScheme::to_set).transpose()?,
                credentials,
            })
        }
        AnswerChallenge { credentials: None, scheme: None, declined: Some(why) } => {
            Ok(Given::Declined(match why.as_str() {
                "cancelled" => Declined::Cancelled,
                "timed_out" => Declined::TimedOut,
                "unable" => Declined::Unable,
                _ => {
                    let wrong = "is no reason; there are cancelled, timed_out and unable";
                    return Err(Refusal::invalid(format!("`{why}`"), wrong));
                }
            }))
        }
        _ => Err(Refusal::invalid("the answer", "has to be either credentials or declined")),
    }
}

async fn questions(api: &Api, caller: Caller, query: Query) -> Result<Vec<Question>, Refusal> {
    match api.engine.query(caller, query).await? {
        engine::Response::Questions(questions) => Ok(questions),
        _ => unreachable!("questions are answered with questions"),
    }
}

impl Api {
    /// The question as programs see it.
    fn challenge(&self, question: &Question) -> challenge::PendingChallenge {
        convert::challenge_of(question, self.engine.name_of(question.id))
    }
}
