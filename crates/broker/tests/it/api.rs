//! Every operation, who may use it, and what is wrong with what.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use bits_api::operations::OPERATIONS;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::world::{ANNA, World, request};

#[tokio::test]
async fn every_operation_of_the_table_has_its_route() {
    let world = World::new();
    let job = world.create().await;
    for operation in OPERATIONS.iter().filter(|operation| operation.name != "stop") {
        let path =
            operation.path.replace("{job}", &job).replace("{target}", "server").replace("{scheme}", "basic");
        let method: Method = operation.method.parse().expect("a method");
        let answer = world.send_raw(Some(ANNA), request(method, &path, None)).await;
        let status = answer.status().as_u16();
        assert!(
            status == operation.answer.0 || operation.problems.contains(&status),
            "{} answers {status}",
            operation.name
        );
        assert_ne!(status, 404, "{}", operation.name);
    }
    for path in ["/", "/v1", "/v1/nothing", "/v2/jobs"] {
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = world.ask(Method::DELETE, "/v1/jobs", None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_service_that_was_asked_to_stop_does_nothing_more_for_anybody() {
    let world = World::new();
    let job = world.create().await;
    assert_eq!(world.post("/v1/stop", json!({})).await.status, StatusCode::ACCEPTED);
    for (method, path) in [
        (Method::GET, "/v1/about".to_owned()),
        (Method::GET, format!("/v1/jobs/{job}")),
        (Method::POST, format!("/v1/jobs/{job}/resume")),
        (Method::GET, "/v1/events".to_owned()),
    ] {
        let answer = world.ask(method, &path, None).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    assert_eq!(world.post("/v1/stop", json!({})).await.status, StatusCode::ACCEPTED, "it may be asked again");
}

#[tokio::test]
async fn nobody_but_the_services_own_user_is_answered() {
    let world = World::new();
    let job = world.create().await;
    for caller in [Some(0), Some(1001), None] {
        for path in ["/v1/about", "/v1/jobs", &format!("/v1/jobs/{job}"), "/v1/events", "/v1/nothing"] {
            let answer = world.send(caller, request(Method::GET, path, None)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{caller:?} {path}");
        }
        let stop = world.send(caller, request(Method::POST, "/v1/stop", None)).await;
        assert_eq!(stop.status, StatusCode::FORBIDDEN);
    }
    let answer = world.send(Some(1001), request(Method::GET, "/v1/jobs", None)).await;
    assert_eq!(answer.code(), "0x80070005");
}

#[tokio::test]
async fn a_web_page_is_turned_away() {
    let world = World::new();
    for name in [header::ORIGIN, header::REFERER] {
        let request = Request::get("/v1/about").header(&name, "http://h.test").body(Body::empty());
        let answer = world.send(Some(ANNA), request.expect("a request")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn a_job_is_made_changed_and_completed() {
    let world = World::new();
    let body = json!({
        "id": "8E2D0A1B-0203-4405-8607-08090A0B0C0D", "display_name": "EncodeSample", "type": "download",
        "properties": { "priority": "low", "description": "d", "minimum_retry_delay": 1 },
        "environment": { "krb5_config": "/etc/krb5.conf", "umask": 18 }
    });
    let created = world.post("/v1/jobs", body.clone()).await.json();
    assert_eq!(created["id"], "8e2d0a1b-0203-4405-8607-08090a0b0c0d");
    let owner = json!({ "id": "1000", "name": "anna", "integrity_level": 0x2000, "elevated": false });
    assert_eq!(created["owner"], owner);
    assert_eq!((&created["state"], &created["priority"]), (&json!("suspended"), &json!("low")));
    assert_eq!(created["minimum_retry_delay"], 5, "raised to the floor");
    let again = world.post("/v1/jobs", body).await.json();
    assert_eq!(again["revision"], created["revision"], "asking twice makes one job");

    let path = "/v1/jobs/8e2d0a1b-0203-4405-8607-08090a0b0c0d";
    let files = json!({ "files": [{ "remote_name": "http://h.test/f", "local_name": "/tmp/f" }] });
    assert_eq!(world.post(&format!("{path}/files"), files).await.status, StatusCode::OK);
    let changed = world.ask(Method::PATCH, path, Some(json!({ "priority": "high" }))).await.json();
    assert_eq!(changed["priority"], "high");
    let stale = Request::patch(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::IF_MATCH, "\"1\"")
        .body(Body::from(r#"{"priority":"low"}"#))
        .expect("a request");
    assert_eq!(world.send(Some(ANNA), stale).await.status, StatusCode::PRECONDITION_FAILED);

    let resumed = world.ask(Method::POST, &format!("{path}/resume"), None).await.json();
    assert_eq!(resumed["outcome"], Value::Null);
    let completed = world.ask(Method::POST, &format!("{path}/complete"), None).await.json();
    assert_eq!(completed["job"]["state"], "acknowledged");
    assert_eq!(completed["outcome"]["name"], "BG_S_PARTIAL_COMPLETE");
    let twice = world.ask(Method::POST, &format!("{path}/complete"), None).await;
    assert_eq!((twice.status, twice.code().as_str()), (StatusCode::CONFLICT, "0x80200002"));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let world = World::new();
    let job = world.create().await;
    let path = format!("/v1/jobs/{job}");
    let before = world.get(&path).await.text;
    let file =
        |remote: &str, local: &str| json!({ "files": [{ "remote_name": remote, "local_name": local }] });
    for (method, path, body, status, code, named) in [
        (Method::POST, "/v1/jobs", json!({}), 400, "0x80070057", "display_name"),
        (Method::POST, "/v1/jobs", json!({ "display_name": "" }), 400, "0x80070057", "display name"),
        (Method::POST, "/v1/jobs", json!({ "display_name": "x".repeat(257) }), 400, "0x80200021", "256"),
        (
            Method::POST,
            "/v1/jobs",
            json!({ "display_name": "x", "type": "upload" }),
            400,
            "0x80070057",
            "upload",
        ),
        (Method::POST, "/v1/jobs", json!({ "display_name": "x", "id": "7" }), 400, "0x80070057", "`7`"),
        (Method::POST, "/v1/jobs", json!({ "display_name": "x", "colour": 1 }), 400, "0x80070057", "colour"),
        (Method::PATCH, &path, json!({ "priority": "urgent" }), 400, "0x80070057", "urgent"),
        (Method::POST, &format!("{path}/files"), json!({ "files": [] }), 400, "0x80070057", "empty"),
        (Method::POST, &format!("{path}/files"), file("ftp://h/f", "/tmp/f"), 400, "0x80070057", "ftp"),
        (Method::POST, &format!("{path}/files"), file("http://h/f", "f"), 400, "0x80070057", "absolute"),
        (
            Method::POST,
            &format!("{path}/files"),
            file("http://h/f", "/missing/f"),
            400,
            "0x80070003",
            "/missing/f",
        ),
        (Method::POST, &format!("{path}/resume"), json!({}), 409, "0x80200003", &job),
        (Method::GET, "/v1/jobs?state=lost", json!({}), 400, "0x80070057", "lost"),
        (Method::GET, "/v1/jobs?limit=0", json!({}), 400, "0x80070057", "limit"),
        (Method::GET, "/v1/jobs?colour=red", json!({}), 400, "0x80070057", "colour"),
        (Method::GET, "/v1/jobs?cursor=x", json!({}), 400, "0x80070057", "cursor"),
        (
            Method::GET,
            "/v1/jobs/8e2d0a1b-0203-4405-8607-08090a0b0c0d",
            json!({}),
            404,
            "0x80200001",
            "8e2d0a1b",
        ),
        (Method::GET, "/v1/jobs/x", json!({}), 400, "0x80070057", "`x`"),
        (Method::GET, "/v1/nothing", json!({}), 404, "0x80070057", "`/v1/nothing` is no address"),
        (
            Method::POST,
            &format!("{path}/files"),
            json!({ "files": [
                { "remote_name": "http://anna:hunter2@one.test/f", "local_name": "/tmp/f" },
                { "remote_name": "http://two.test/g", "local_name": "/tmp/g" },
            ] }),
            400,
            "0x80070057",
            "is for one.test, and would be shown to two.test too",
        ),
    ] {
        let answer = world.ask(method.clone(), path, Some(body)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{path}: {}",
            answer.text
        );
        let problem = answer.json();
        assert!(problem["message"].as_str().expect("a sentence").contains(named), "{}", answer.text);
        assert!(problem["name"].is_string() && problem["request"].is_string(), "{}", answer.text);
    }
    assert_eq!(world.get(&path).await.text, before);
}

#[tokio::test]
async fn several_files_are_added_together_or_not_at_all() {
    let world = World::new();
    let path = format!("/v1/jobs/{}", world.create().await);
    let files = json!({ "files": [
        { "remote_name": "http://h.test/a", "local_name": "/tmp/a" },
        { "remote_name": "http://h.test/b", "local_name": "/missing/b" },
    ] });
    assert_eq!(world.post(&format!("{path}/files"), files).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.get(&format!("{path}/files")).await.json(), json!({ "files": [], "next": null }));
}

#[tokio::test]
async fn two_files_of_a_job_go_to_two_places_in_whatever_calls_they_come() {
    let world = World::new();
    let path = format!("/v1/jobs/{}/files", world.create().await);
    let files = |paths: &[&str]| {
        let file = |path: &&str| json!({ "remote_name": "http://h.test/f", "local_name": path });
        json!({ "files": paths.iter().map(file).collect::<Vec<_>>() })
    };
    let count = async || world.get(&path).await.json()["files"].as_array().map(Vec::len);
    for paths in [&["/tmp/a"][..], &["/tmp/b", "/tmp/c"]] {
        assert_eq!(world.post(&path, files(paths)).await.status, StatusCode::OK);
    }
    for paths in [&["/tmp/a"][..], &["/tmp/./b"], &["/tmp/d", "/tmp/x/../c"], &["/tmp/d", "/tmp/e", "/tmp/d"]]
    {
        let refused = world.post(&path, files(paths)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        let problem = refused.json();
        assert_eq!(problem["code"], "0x80070057", "{problem}");
        let last = paths.last().expect("a path");
        assert!(problem["message"].as_str().is_some_and(|message| message.starts_with(last)), "{problem}");
        assert_eq!(count().await, Some(3), "{paths:?}");
    }
    // With a job it is as with one that is there; of many jobs each is by itself.
    let create = |paths: &[&str]| json!({ "display_name": "n", "files": files(paths)["files"] });
    let refused = world.post("/v1/jobs", create(&["/tmp/a", "/tmp/a"])).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert_eq!(world.post("/v1/jobs", create(&["/tmp/a"])).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn credentials_go_in_and_never_come_out() {
    const PASSWORD: &str = "correct horse";
    let world = World::new();
    let path = format!("/v1/jobs/{}", world.create().await);
    let credentials = json!({ "user": r"DOM\anna", "password": PASSWORD });
    let set = |scheme: &str| format!("{path}/credentials/server/{scheme}");
    let answer = world.ask(Method::PUT, &set("negotiate"), Some(credentials.clone())).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    let shown = world.get(&path).await;
    assert_eq!(shown.json()["credentials"], json!([{ "target": "server", "scheme": "negotiate" }]));
    assert!(!shown.text.contains(PASSWORD) && !shown.text.contains("anna\\"), "{}", shown.text);

    for (scheme, body, code) in [
        ("kerberos", credentials.clone(), "0x80200028"),
        ("passport", credentials.clone(), "0x80090305"),
        ("PASSPORT", credentials.clone(), "0x80090305"),
        ("basic", json!({ "user": "", "password": PASSWORD }), "0x80070057"),
        ("basic", json!({ "user": "u".repeat(301), "password": PASSWORD }), "0x80200025"),
        ("basic", json!({ "user": "u", "password": "p".repeat(65_537) }), "0x80200026"),
        ("basic", json!({ "user": "u", "password": [PASSWORD] }), "0x80070057"),
        ("basic", json!({ "user": { PASSWORD: PASSWORD }, "password": PASSWORD }), "0x80070057"),
    ] {
        let answer = world.ask(Method::PUT, &set(scheme), Some(body)).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
        assert!(!answer.text.contains(PASSWORD), "{}", answer.text);
    }
    let other = format!("{path}/credentials/someone/basic");
    assert_eq!(world.ask(Method::PUT, &other, Some(credentials)).await.code(), "0x80200027");

    for (scheme, removed) in [("basic", false), ("negotiate", true), ("negotiate", false)] {
        let answer = world.ask(Method::DELETE, &set(scheme), None).await;
        assert_eq!(answer.json(), json!({ "removed": removed }), "{scheme}");
    }
    assert_eq!(world.get(&path).await.json()["credentials"], json!([]));
}

#[tokio::test]
async fn a_connection_that_may_have_brought_a_secret_is_closed_with_the_answer() {
    let world = World::new();
    let id = world.create().await;
    let body = json!({ "user": "anna", "password": "p" });
    for (method, path, body) in [
        (Method::PUT, format!("/v1/jobs/{id}/credentials/server/basic"), &body),
        (Method::PUT, format!("/v1/jobs/{id}/credentials/server/none"), &body),
        (Method::POST, format!("/v1/jobs/{id}/files"), &json!({ "files": [] })),
    ] {
        let answer = world.send_raw(Some(ANNA), request(method, &path, Some(body.clone()))).await;
        assert_eq!(
            answer.headers().get("connection").map(|value| value.as_bytes()),
            Some(&b"close"[..]),
            "{path}"
        );
    }
    let answer = world.send_raw(Some(ANNA), request(Method::GET, "/v1/jobs", None)).await;
    assert_eq!(answer.headers().get("connection"), None);
}

/// What is not read would be taken for the next request, so that it ends there; who is not told asks in vain.
#[tokio::test]
async fn a_connection_is_said_to_end_where_a_body_was_not_read() {
    let world = World::new();
    let job = format!("/v1/jobs/{}", world.create().await);
    for (method, path) in [
        (Method::GET, "/v1/jobs".to_owned()),
        (Method::OPTIONS, format!("{job}/files/0/ranges")),
        (Method::POST, format!("{job}/resume")),
        (Method::POST, "/v1/nothing".to_owned()),
        (Method::POST, "/v1/stop".to_owned()),
        (Method::GET, "/v1/about".to_owned()),
    ] {
        for body in [None, Some(json!({ "ranges": [] }))] {
            let has_body = body.is_some();
            let answer = world.send_raw(Some(ANNA), request(method.clone(), &path, body)).await;
            let ends = answer.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
            assert_eq!(ends, has_body, "{method} {path}: {}", answer.status());
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_ours_to_change_is_not_changed() {
    let world = World::new();
    let answer = world.post("/v1/rotate_key", json!({})).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::CONFLICT, "0x80070032"));
    assert!(answer.text.contains("the key was not changed: this is a test"), "{}", answer.text);
    let about = world.get("/v1/about").await.json();
    assert_eq!(about["key"], json!({ "id": null, "source": "key_file", "present": true, "problem": null }));
}

#[tokio::test]
async fn user_info_in_a_url_becomes_credentials_and_is_shown_nowhere() {
    let world = World::new();
    let path = format!("/v1/jobs/{}", world.create().await);
    let file = |remote: &str| json!({ "files": [{ "remote_name": remote, "local_name": "/tmp/f" }] });
    let answer = world.post(&format!("{path}/files"), file("http://anna:hunter2@h.test/f")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let files = world.get(&format!("{path}/files")).await;
    assert_eq!(files.json()["files"][0]["remote_name"], "http://h.test/f");
    let shown = world.get(&path).await;
    assert_eq!(shown.json()["credentials"].as_array().map(Vec::len), Some(4));
    assert!(!(shown.text + &files.text).contains("hunter2"));
    let two = json!({ "files": [
        { "remote_name": "http://anna:a@h.test/1", "local_name": "/tmp/1" },
        { "remote_name": "http://ben:b@h.test/2", "local_name": "/tmp/2" },
    ] });
    assert_eq!(world.post(&format!("{path}/files"), two).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_list_comes_a_page_at_a_time() {
    let world = World::new();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.create().await);
    }
    let mut seen: Vec<String> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("/v1/jobs?limit=2{cursor}")).await.json();
        let jobs = page["jobs"].as_array().expect("jobs");
        assert!(jobs.len() <= 2);
        seen.extend(jobs.iter().map(|job| job["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
    let named = world.get("/v1/jobs?called=a%20job").await.json();
    assert_eq!(named["jobs"].as_array().map(Vec::len), Some(5));
}

#[tokio::test]
async fn a_watcher_hears_how_things_are_and_then_what_changes() {
    let world = World::new();
    let job = world.create().await;
    let watch = request(Method::GET, &format!("/v1/events?job={job}"), None);
    let mut events = world.send_raw(Some(ANNA), watch).await.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("event: ready") {
        text += std::str::from_utf8(&events.next().await.expect("more").expect("a frame")).expect("text");
    }
    assert!(text.starts_with("event: job\ndata: {"), "{text}");
    world.ask(Method::PATCH, &format!("/v1/jobs/{job}"), Some(json!({ "description": "new" }))).await;
    let change = events.next().await.expect("more").expect("a frame");
    let change = std::str::from_utf8(&change).expect("text");
    assert!(change.contains(r#""description":"new""#), "{change}");
}
