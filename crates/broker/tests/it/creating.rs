//! Jobs are made with their files in one call, one or many, and each is made whole or not at all.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

fn job(name: &str, local_name: &str) -> Value {
    let file = json!({ "remote_name": "http://h.test/f", "local_name": local_name });
    json!({ "display_name": name, "files": [file], "resume": true })
}

#[tokio::test]
async fn one_call_makes_a_job_that_runs() {
    let world = World::new();
    let answer = world.post("/v1/jobs", job("a job", "/tmp/f")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let begun = world.begun().await;
    assert_eq!((begun.job.to_string(), begun.files.len()), (id, 1));
}

#[tokio::test]
async fn a_job_of_which_a_file_cannot_be_is_not_made() {
    let world = World::new();
    for (body, code) in [
        (job("a job", "/missing/f"), "0x80070003"),
        (job("a job", "f"), "0x80070057"),
        (json!({ "display_name": "a job", "resume": true }), "0x80200003"),
    ] {
        let answer = world.post("/v1/jobs", body).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
    }
    assert_eq!(world.get("/v1/jobs").await.json()["jobs"], json!([]));
}

#[tokio::test]
async fn of_many_new_jobs_each_is_made_or_refused_for_itself() {
    let world = World::new();
    let mut named = job("named", "/tmp/c");
    named["id"] = "8e2d0a1b-0203-4405-8607-08090a0b0c0d".into();
    let secret = json!({ "display_name": "signs in", "files": [
        { "remote_name": "http://anna:hunter2@h.test/f", "local_name": "/tmp/d" },
    ] });
    let jobs = [job("a", "/tmp/a"), job("b", "/missing/b"), job("", "/tmp/b"), named, secret];
    for _ in 0..2 {
        let answer = world.post("/v1/jobs/create_many", json!({ "jobs": jobs })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let created = answer.json()["jobs"].as_array().expect("a list").clone();
        let codes: Vec<&Value> = created.iter().map(|job| &job["problem"]["code"]).collect();
        let (path, argument) = (json!("0x80070003"), json!("0x80070057"));
        assert_eq!(codes, [&Value::Null, &path, &argument, &Value::Null, &Value::Null]);
        assert_eq!(created[3]["id"], "8e2d0a1b-0203-4405-8607-08090a0b0c0d");
        assert_eq!((&created[1]["id"], created[0]["id"].is_string()), (&Value::Null, true));
        let signs_in = format!("/v1/jobs/{}", created[4]["id"].as_str().expect("an id"));
        assert_eq!(world.get(&signs_in).await.json()["credentials"].as_array().map(Vec::len), Some(4));
    }
    let listed = world.get("/v1/jobs").await;
    assert!(!listed.text.contains("hunter2"));
    let listed = listed.json()["jobs"].as_array().expect("a list").len();
    assert_eq!(listed, 2 + 1 + 2, "the one with an id was made once");
}

#[tokio::test]
async fn too_many_new_jobs_or_none_are_refused_as_one() {
    let world = World::new();
    for count in [0, 1001] {
        let jobs = vec![json!({ "display_name": "a job" }); count];
        let answer = world.post("/v1/jobs/create_many", json!({ "jobs": jobs })).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "0x80070057"));
        assert!(answer.text.contains(&count.to_string()), "{}", answer.text);
    }
    assert_eq!(world.get("/v1/jobs").await.json()["jobs"], json!([]));
}
