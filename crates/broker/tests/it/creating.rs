//! Jobs are made with their files in one call, one or many, and each is made whole or not at all.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::world::{ANNA, World, request};

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

#[tokio::test]
async fn a_connection_ends_with_the_answer_unless_it_is_sure_that_no_secret_came_over_it() {
    let world = World::new();
    let id = world.create().await;
    let with = |name: &str, value: Value| {
        let mut job = job("a job", "/tmp/f");
        job["properties"] = json!({ name: value });
        job
    };
    let in_environment = |usage: &str| {
        let mut job = with("proxy", json!({ "usage": usage }));
        job["environment"] = json!({ "http_proxy": "http://anna:hunter2@p.test:1" });
        job
    };
    let from = |url: &str| {
        let mut job = job("a job", "/tmp/f");
        job["files"][0]["remote_name"] = url.into();
        job
    };
    let many = |jobs: &[Value]| json!({ "jobs": jobs });
    let signs_in = "http://anna:hunter2@h.test/f";
    let (create, many_path) = ("/v1/jobs", "/v1/jobs/create_many");
    let (change, files) = (format!("/v1/jobs/{id}"), format!("/v1/jobs/{id}/files"));
    for (method, path, body, stays) in [
        (Method::POST, create, job("a job", "/tmp/f"), true),
        (Method::POST, create, with("description", json!("d")), true),
        (Method::POST, create, from(signs_in), false),
        (Method::POST, create, with("custom_headers", json!([{ "name": "A", "value": "b" }])), false),
        (Method::POST, create, with("client_certificate_passphrase", json!("hunter2")), false),
        (Method::POST, create, with("notify_webhook_secret", json!("hunter2")), false),
        (
            Method::POST,
            create,
            with("proxy", json!({ "usage": "override", "list": "http://anna:hunter2@p.test:1" })),
            false,
        ),
        (Method::POST, create, in_environment("preconfig"), false),
        // It is not needed, and came all the same.
        (Method::POST, create, in_environment("no_proxy"), false),
        // What was not understood may be one.
        (Method::POST, create, json!({ "display_name": 1 }), false),
        (Method::POST, create, from("hunter2"), false),
        (Method::POST, many_path, many(&[job("a", "/tmp/a"), job("b", "/tmp/b")]), true),
        (Method::POST, many_path, many(&[job("a", "/tmp/a"), from(signs_in)]), false),
        (Method::POST, many_path, many(&[job("a", "/tmp/a"), from("hunter2")]), false),
        (Method::PATCH, &change, json!({ "description": "d" }), true),
        (Method::PATCH, &change, json!({ "client_certificate_passphrase": "hunter2" }), false),
        (
            Method::POST,
            &files,
            json!({ "files": [{ "remote_name": "http://h.test/g", "local_name": "/tmp/g" }] }),
            true,
        ),
        (
            Method::POST,
            &files,
            json!({ "files": [{ "remote_name": signs_in, "local_name": "/tmp/h" }] }),
            false,
        ),
    ] {
        let what = format!("{method} {path} {body}");
        let response = world.send_raw(Some(ANNA), request(method, path, Some(body))).await;
        let ends = response.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
        assert_eq!(!ends, stays, "{}: {what}", response.status());
    }
}
