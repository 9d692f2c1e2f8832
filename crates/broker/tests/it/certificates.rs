//! Programs that are asked about certificates: how they register, what is remembered of their answers,
//! and what is said when they are gone.

use axum::http::{Method, StatusCode};
use bits_core::certificates::Rejection;
use bits_core::error::Code;
use bits_core::file::FileIndex;
use bits_core::job::{Attempt, JobId};
use bits_worker::link::{CertificateQuestion, CertificateTicket, FromWorker};
use serde_json::{Value, json};

use crate::stream::Stream;
use crate::world::{ANNA, World, request};

const GONE: Result<(), Rejection> = Err(Rejection::Gone);

fn path(job: &str, rest: &str) -> String {
    format!("/v1/jobs/{job}/certificates{rest}")
}

/// A program that is registered, and the name of its registration.
async fn program(world: &World, job: &str) -> (Stream, String) {
    let mut stream = Stream::open(world, &path(job, "/events")).await;
    let (name, body) = stream.next().await;
    assert_eq!(name, "registered");
    (stream, body["registration"].as_str().expect("a name").to_owned())
}

/// A job with a file, so that it can be resumed.
async fn job(world: &World) -> String {
    let job = world.create().await;
    let file = json!({ "remote_name": "https://h.test/f", "local_name": format!("/tmp/{job}") });
    world.post(&format!("/v1/jobs/{job}/files"), json!({ "files": [file] })).await;
    job
}

/// The worker has met the certificate `number` of `authority`.
fn meet(world: &World, job: &str, authority: &str, number: u8) {
    world.worker_says(FromWorker::Certificate(Box::new(CertificateQuestion {
        ticket: CertificateTicket(number.into()),
        job: JobId::parse(job).expect("an id"),
        attempt: Attempt(1),
        file: FileIndex(0),
        authority: authority.to_owned(),
        fingerprint: [number; 32],
        shown: vec![vec![number], vec![255]],
    })));
}

async fn answer(world: &World, question: &Value, body: Value) -> crate::world::Answer {
    let (job, id) = (question["job"].as_str().expect("a job"), question["id"].as_str().expect("an id"));
    world.post(&path(job, &format!("/{id}")), body).await
}

fn accept() -> Value {
    json!({ "accepted": true })
}

fn reject() -> Value {
    json!({ "accepted": false, "code": "0x800B010F" })
}

#[tokio::test]
async fn a_pass_is_remembered_for_the_server_and_its_certificate_and_a_rejection_is_not() {
    let world = World::new();
    let job = job(&world).await;
    let (mut program, _) = program(&world, &job).await;
    meet(&world, &job, "h.test:443", 1);
    let asked = program.wait_for("certificate").await;
    assert_eq!(
        (&asked["job"], &asked["file"], &asked["host"]),
        (&json!(job), &json!(0), &json!("h.test:443"))
    );
    assert_eq!((&asked["certificate"], &asked["chain"]), (&json!("AQ=="), &json!(["/w=="])));
    assert_eq!(answer(&world, &asked, reject()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.verdict().await, Err(Rejection::Refused(Code(0x800B_010F))));

    meet(&world, &job, "h.test:443", 1);
    let asked = program.wait_for("certificate").await;
    assert_eq!(answer(&world, &asked, accept()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.verdict().await, Ok(()));
    assert_eq!(answer(&world, &asked, accept()).await.status, StatusCode::NOT_FOUND, "it was answered");

    meet(&world, &job, "h.test:443", 1);
    assert_eq!(world.verdict().await, Ok(()), "nobody was asked");
    for (authority, number) in [("h.test:443", 2), ("h.test:8443", 1)] {
        meet(&world, &job, authority, number);
        assert_eq!(program.wait_for("certificate").await["host"], authority);
    }
}

#[tokio::test]
async fn the_last_registration_wins_and_knows_nothing_of_what_was_passed_before() {
    let world = World::new();
    let job = job(&world).await;
    let (mut first, old) = program(&world, &job).await;
    meet(&world, &job, "h.test:443", 1);
    let asked = first.wait_for("certificate").await;
    answer(&world, &asked, accept()).await;
    assert_eq!(world.verdict().await, Ok(()));

    let (mut second, _) = program(&world, &job).await;
    first.ended().await;
    let stale = world.ask(Method::DELETE, &path(&job, &format!("?registration={old}")), None).await;
    assert_eq!(stale.status, StatusCode::NO_CONTENT, "it removes nothing");
    meet(&world, &job, "h.test:443", 1);
    second.wait_for("certificate").await;
}

#[tokio::test]
async fn nothing_passes_when_the_program_is_gone_but_what_it_has_passed_before() {
    let world = World::new();
    let job = job(&world).await;
    let (mut program, _) = program(&world, &job).await;
    meet(&world, &job, "h.test:443", 1);
    let asked = program.wait_for("certificate").await;
    answer(&world, &asked, accept()).await;
    assert_eq!(world.verdict().await, Ok(()));
    meet(&world, &job, "h.test:443", 2);
    let open = program.wait_for("certificate").await;
    drop(program);
    assert_eq!(world.verdict().await, GONE, "what was open is given up");
    assert_eq!(answer(&world, &open, accept()).await.status, StatusCode::NOT_FOUND);
    meet(&world, &job, "h.test:443", 2);
    assert_eq!(world.verdict().await, GONE);
    meet(&world, &job, "h.test:443", 1);
    assert_eq!(world.verdict().await, Ok(()));
}

#[tokio::test]
async fn it_can_be_changed_only_while_the_job_does_not_work() {
    let world = World::new();
    let job = job(&world).await;
    let (program, _) = program(&world, &job).await;
    world.ask(Method::POST, &format!("/v1/jobs/{job}/resume"), None).await;
    assert!(world.begun().await.asks_about_certificates);
    for (method, rest) in [(Method::GET, "/events"), (Method::DELETE, "")] {
        let refused = world.ask(method, &path(&job, rest), None).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "0x80200075"));
    }
    world.ask(Method::POST, &format!("/v1/jobs/{job}/suspend"), None).await;
    let removed = world.ask(Method::DELETE, &path(&job, ""), None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    program.ended().await;
    world.ask(Method::POST, &format!("/v1/jobs/{job}/resume"), None).await;
    assert!(!world.begun().await.asks_about_certificates);
}

#[tokio::test]
async fn a_registration_ends_with_its_job() {
    let world = World::new();
    let job = job(&world).await;
    let (program, _) = program(&world, &job).await;
    world.ask(Method::POST, &format!("/v1/jobs/{job}/cancel"), None).await;
    program.ended().await;
    let refused = world.get(&path(&job, "/events")).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "0x80200002"));
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused_and_leaves_the_question_open() {
    let world = World::new();
    let job = job(&world).await;
    let (mut program, _) = program(&world, &job).await;
    meet(&world, &job, "h.test:443", 1);
    let asked = program.wait_for("certificate").await;
    for body in [
        json!({}),
        json!({ "accepted": false }),
        json!({ "accepted": false, "code": "0x00000000" }),
        json!({ "accepted": false, "code": "no" }),
        json!({ "accepted": true, "code": "0x800B010F" }),
        json!({ "accepted": true, "more": 1 }),
    ] {
        let refused = answer(&world, &asked, body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let id = asked["id"].as_str().expect("an id");
    let other = world.create().await;
    for wrong in [path(&job, "/1"), path(&other, &format!("/{id}"))] {
        assert_eq!(world.post(&wrong, accept()).await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    let somebody_else = request(Method::POST, &path(&job, &format!("/{id}")), Some(accept()));
    assert_eq!(world.send(Some(ANNA + 1), somebody_else).await.status, StatusCode::FORBIDDEN);
    assert_eq!(answer(&world, &asked, accept()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.verdict().await, Ok(()));
}
