//! Agents: what they are told, what they answer, and what jobs do when they come and go.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stream::Stream;
use crate::world::{World, request};

const AGENT: &str = "/v1/challenges/events";

/// An agent that has heard all there was.
async fn agent(world: &World) -> Stream {
    let mut agent = Stream::open(world, AGENT).await;
    agent.wait_for("ready").await;
    agent
}

/// A job that is let run and meets a request for credentials.
async fn locked_job(world: &World) -> String {
    job_of(world, "http://locked.test/f").await
}

/// A job that is let run, with one file.
async fn job_of(world: &World, remote_name: &str) -> String {
    let job = world.create().await;
    let file = json!({ "remote_name": remote_name, "local_name": format!("/tmp/{job}") });
    let path = format!("/v1/jobs/{job}");
    world.post(&format!("{path}/files"), json!({ "files": [file] })).await;
    world.ask(Method::POST, &format!("{path}/resume"), None).await;
    job
}

/// Waits until the job is as `wanted` says of state and wait reason; returns it.
async fn job_until(world: &World, job: &str, wanted: &str) -> Value {
    let mut events = Stream::open(world, &format!("/v1/events?job={job}")).await;
    loop {
        let shown = events.wait_for("job").await;
        let state = shown["state"].as_str().expect("a state").to_owned();
        let needs = shown["wait"]["needs"].as_str().map(|needs| format!(", needs {needs}"));
        if state + &needs.unwrap_or_default() == wanted {
            return shown;
        }
    }
}

async fn answer(world: &World, challenge: &Value, body: Value) -> crate::world::Answer {
    let id = challenge["id"].as_str().expect("an id");
    world.post(&format!("/v1/challenges/{id}"), body).await
}

fn secret(password: &str) -> Value {
    json!({ "credentials": { "user": "anna", "password": password } })
}

#[tokio::test]
async fn a_job_that_asks_is_found_behind_any_number_of_jobs_with_other_errors() {
    let world = World::new();
    for _ in 0..bits_core::queue::QUESTIONS_MAX {
        job_of(&world, "http://none.test/f").await;
    }
    let job = locked_job(&world).await;
    job_until(&world, &job, "error").await;
    let mut agent = Stream::open(&world, AGENT).await;
    let asked = agent.wait_for("challenge").await;
    assert_eq!(asked["jobs"], json!([job]));
}

#[tokio::test]
async fn an_agent_is_asked_once_for_all_jobs_and_its_answer_lets_them_go_on() {
    let world = World::new();
    let mut agent = agent(&world).await;
    let jobs = [locked_job(&world).await, locked_job(&world).await];
    for job in &jobs {
        let waiting = job_until(&world, job, "queued, needs answer").await;
        assert_eq!(waiting["wait"]["reason"], "credential");
        assert_eq!(waiting["error"]["code"], "0x80190191");
    }
    let mut asked = agent.wait_for("challenge").await;
    while asked["jobs"].as_array().map(Vec::len) != Some(2) {
        asked = agent.wait_for("challenge").await;
    }
    assert_eq!(asked["error"]["challenge"]["host"], "locked.test");
    assert!(jobs.iter().any(|job| asked["met_by"] == **job));
    let listed = world.get("/v1/challenges").await.json();
    assert_eq!(listed["challenges"], json!([asked]));

    let answered = answer(&world, &asked, secret("right")).await;
    assert_eq!((answered.status, answered.json()), (StatusCode::OK, json!({ "jobs": 2 })));
    assert_eq!(agent.wait_for("withdrawn").await["id"], asked["id"]);
    for job in &jobs {
        job_until(&world, job, "transferring").await;
    }
    let late = answer(&world, &asked, secret("right")).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::NOT_FOUND, "0x80200001"));
}

#[tokio::test]
async fn a_refused_answer_is_asked_for_again_until_it_has_been_refused_three_times() {
    let world = World::new();
    let mut agent = agent(&world).await;
    let job = locked_job(&world).await;
    let mut ids = Vec::new();
    for round in 0..3 {
        let asked = agent.wait_for("challenge").await;
        assert_eq!(asked["error"]["challenge"]["refused"], round > 0);
        ids.push(asked["id"].clone());
        assert_eq!(answer(&world, &asked, secret("wrong")).await.status, StatusCode::OK);
    }
    let failed = job_until(&world, &job, "error").await;
    assert_eq!(failed["error"]["challenge"]["refused"], true);
    ids.dedup();
    assert_eq!(ids.len(), 3, "an answer to one is none to the next");
}

#[tokio::test]
async fn jobs_wait_for_as_long_as_an_agent_is_there_and_are_offered_to_the_next() {
    let world = World::new();
    let job = locked_job(&world).await;
    job_until(&world, &job, "error").await;
    let mut late = Stream::open(&world, AGENT).await;
    let asked = late.wait_for("challenge").await;
    assert_eq!(asked["jobs"], json!([job]));
    assert_eq!(answer(&world, &asked, secret("wrong")).await.status, StatusCode::OK);
    late.wait_for("challenge").await;
    job_until(&world, &job, "queued, needs answer").await;
    drop(late);
    assert_eq!(job_until(&world, &job, "error").await["error"]["code"], "0x80190191");
    assert_eq!(world.get("/v1/challenges").await.json(), json!({ "challenges": [] }));
}

#[tokio::test]
async fn who_declines_says_why_and_the_job_says_it_too() {
    for (why, code) in [("cancelled", "0x800704C7"), ("timed_out", "0x800705B4"), ("unable", "0x80190191")] {
        let world = World::new();
        let mut agent = agent(&world).await;
        let job = locked_job(&world).await;
        let asked = agent.wait_for("challenge").await;
        assert_eq!(answer(&world, &asked, json!({ "declined": why })).await.status, StatusCode::OK);
        assert_eq!(job_until(&world, &job, "error").await["error"]["code"], code);
    }
}

#[tokio::test]
async fn whoever_attends_a_job_sees_it_in_error_though_an_agent_is_there() {
    let world = World::new();
    let _agent = agent(&world).await;
    let job = world.create().await;
    let mut attendant = Stream::open(&world, &format!("/v1/events?job={job}&attended=true")).await;
    attendant.wait_for("ready").await;
    let file = json!({ "remote_name": "http://locked.test/f", "local_name": "/tmp/f" });
    world.post(&format!("/v1/jobs/{job}/files"), json!({ "files": [file] })).await;
    world.ask(Method::POST, &format!("/v1/jobs/{job}/resume"), None).await;
    job_until(&world, &job, "error").await;
    let nobody = world.get("/v1/events?attended=true").await;
    assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused_and_leaves_the_question_open() {
    let world = World::new();
    let mut agent = agent(&world).await;
    let job = locked_job(&world).await;
    let asked = agent.wait_for("challenge").await;
    for body in [
        json!({}),
        json!({ "declined": "later" }),
        json!({ "declined": "cancelled", "credentials": { "user": "a", "password": "p" } }),
        json!({ "credentials": { "user": "", "password": "p" } }),
        json!({ "credentials": { "user": "a", "password": "p" }, "scheme": "passport" }),
        json!({ "credentials": { "user": "a", "password": 31337 } }),
    ] {
        let refused = answer(&world, &asked, body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(!refused.text.contains("31337"));
    }
    for id in ["1", "x.1", "00000000000000000000000000000000.1"] {
        let refused = world.post(&format!("/v1/challenges/{id}"), secret("right")).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{id}");
    }
    job_until(&world, &job, "queued, needs answer").await;
    for path in ["/v1/challenges", AGENT] {
        let answer = world.send(Some(1001), request(Method::GET, path, None)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}
