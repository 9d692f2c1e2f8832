//! Being an agent: what is told, also when the service is started again, and the answers.

use bits_client::api::challenge::{AnswerChallenge, Answered, ChallengeEvent};
use bits_client::api::credentials::{Password, SetCredentials};
use bits_core::secret::Secret;
use serde_json::{Value, json};

use crate::service::{Act, ID, Service, problem};

fn challenge(id: &str) -> &'static str {
    let body = json!({ "id": id, "jobs": [ID], "met_by": ID, "error": {
        "code": "0x80190191", "name": "BG_E_HTTP_ERROR_401", "context": "remote_file", "message": "m",
        "transient": false, "file": 0,
        "challenge": { "target": "server", "host": "h", "realm": null, "schemes": ["digest"], "refused": false }
    } });
    Box::leak(format!("event: challenge\ndata: {body}\n\n").into_boxed_str())
}

fn name(event: &ChallengeEvent) -> String {
    match event {
        ChallengeEvent::Challenge(challenge) => format!("asked {}", challenge.id),
        ChallengeEvent::Withdrawn(withdrawn) => format!("withdrawn {}", withdrawn.id),
        ChallengeEvent::Ready => "ready".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_told_is_withdrawn_when_the_service_was_started_again() {
    let service = Service::acting(vec![
        Act::Stream(vec![
            challenge("a.1"),
            "event: ready\ndata: {}\n\n",
            challenge("a.2"),
            "event: withdrawn\ndata: {\"id\":\"a.1\"}\n\n",
        ]),
        Act::BreakOff,
        Act::CutStream(vec!["event: later\ndata: ?\n\n", challenge("b.1"), "event: ready\ndata: {}\n\n"]),
    ]);
    let mut events = service.client().await.challenges().await.expect("a stream");
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(name(&events.next().await.expect("an event")));
    }
    let expected =
        ["asked a.1", "ready", "asked a.2", "withdrawn a.1", "withdrawn a.2", "asked b.1", "ready"];
    assert_eq!(seen, expected);
    assert_eq!(service.lines()[0], "GET /v1/challenges/events");
}

#[tokio::test]
async fn an_answer_is_given_once_and_says_for_how_many_jobs_it_was() {
    let service = Service::acting(vec![
        Act::Answer(200, json!({ "jobs": 2 })),
        Act::Answer(404, problem("0x80200001")),
        Act::BreakOff,
    ]);
    let client = service.client().await;
    let password = Password(Secret::new("hunter2".to_owned()));
    let credentials = Some(SetCredentials { user: "anna".to_owned(), password });
    let answer = AnswerChallenge { credentials, ..AnswerChallenge::default() };
    assert_eq!(client.answer_challenge("a.1", &answer).await.expect("answered"), Answered { jobs: 2 });
    client.answer_challenge("a.1", &answer).await.expect_err("it is gone");
    client.answer_challenge("a.1", &answer).await.expect_err("nobody knows");
    let asked = service.asked();
    assert_eq!(asked.len(), 3, "none was asked again");
    assert_eq!(asked[0].line, "POST /v1/challenges/a.1");
    let body: Value = serde_json::from_str(&asked[0].body).expect("JSON");
    assert_eq!(body, json!({ "credentials": { "user": "anna", "password": "hunter2" } }));
}

#[tokio::test]
async fn whoever_attends_a_job_says_so() {
    let service = Service::acting(vec![Act::Stream(vec!["event: ready\n\n"])]);
    let id = bits_core::job::JobId::parse(ID).expect("an id");
    service.client().await.attend(id).await.expect("a stream");
    let line = &service.lines()[0];
    assert!(line.contains("attended=true") && line.contains(ID), "{line}");
}
