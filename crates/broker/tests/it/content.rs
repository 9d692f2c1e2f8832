//! What can be said of the content of files, and changed of files that are there.

use axum::http::{Method, StatusCode};
use bits_core::file::FileIndex;
use bits_core::queue::Report;
use bits_core::units::Bytes;
use bits_worker::link::FromWorker;
use serde_json::{Value, json};

use crate::world::World;

const MD5: &str = "md5:5d41402abc4b2a76b9719d911017c592";

async fn add(world: &World, job: &str, file: Value) -> crate::world::Answer {
    let mut whole = json!({ "remote_name": "http://h.test/a/f", "local_name": "/tmp/f" });
    whole.as_object_mut().expect("an object").extend(file.as_object().expect("an object").clone());
    world.post(&format!("/v1/jobs/{job}/files"), json!({ "files": [whole] })).await
}

#[tokio::test]
async fn what_is_said_of_a_file_is_kept_and_shown() {
    let world = World::new();
    let job = world.create().await;
    let ranges = json!([{ "offset": 5, "length": 10 }, { "offset": 900, "length": null }]);
    let file = json!({ "ranges": ranges, "checksum": MD5.to_uppercase().replace("MD5", "md5"), "resume_by": "size_and_time" });
    assert_eq!(add(&world, &job, file).await.status, StatusCode::OK);
    let shown = world.get(&format!("/v1/jobs/{job}/files/0")).await.json();
    assert_eq!((&shown["ranges"], &shown["checksum"]), (&ranges, &json!(MD5)));
    assert_eq!(shown["resume_by"], "size_and_time");
    assert_eq!((&shown["http_response_headers"], &shown["bytes_total"]), (&json!(""), &Value::Null));
    let temporary = shown["temporary_name"].as_str().expect("a path");
    assert!(temporary.starts_with("/tmp/.f.") && temporary.ends_with("-0.bits-part"), "{temporary}");
    let listed = world.get(&format!("/v1/jobs/{job}/files")).await.json();
    assert!(listed["files"][0].get("http_response_headers").is_none(), "only where one is asked for");
    let missing = world.get(&format!("/v1/jobs/{job}/files/1")).await;
    assert_eq!((missing.status, missing.code().as_str()), (StatusCode::NOT_FOUND, "0x80200029"));
}

#[tokio::test]
async fn the_mirrors_of_a_file_are_kept_and_shown() {
    let world = World::new();
    let job = world.create().await;
    let mirrors = ["http://m.test/f", "https://n.test/f", "http://m.test/f", "http://h.test/a/f"];
    let file = json!({ "mirrors": mirrors, "expected_size": 9 });
    assert_eq!(add(&world, &job, file).await.status, StatusCode::OK);
    let shown = world.get(&format!("/v1/jobs/{job}/files/0")).await.json();
    let source = |name: &str, origin: &str, in_use: bool| json!({ "remote_name": name, "origin": origin, "in_use": in_use, "state": "ready" });
    let expected = json!([
        source("http://h.test/a/f", "original", true),
        source("http://m.test/f", "given", false),
        source("https://n.test/f", "given", false)
    ]);
    assert_eq!((&shown["sources"], &shown["expected_size"]), (&expected, &json!(9)));

    assert_eq!(add(&world, &job, json!({ "local_name": "/tmp/g" })).await.status, StatusCode::OK);
    let without = world.get(&format!("/v1/jobs/{job}/files/1")).await.json();
    assert!(without.get("sources").is_none() && without.get("expected_size").is_none(), "{without}");
}

#[tokio::test]
async fn what_cannot_be_meant_of_a_file_is_refused_at_the_door() {
    let world = World::new();
    let job = world.create().await;
    let range = |offset: u64, length: Option<u64>| json!({ "offset": offset, "length": length });
    for (file, code) in [
        (json!({ "checksum": "5d41402abc4b2a76b9719d911017c592" }), "0x80070057"),
        (json!({ "checksum": "sha256:5d41402abc4b2a76b9719d911017c592" }), "0x80070057"),
        (json!({ "resume_by": "luck" }), "0x80070057"),
        (json!({ "resume_by": "checksum" }), "0x80070057"),
        (json!({ "mirrors": ["ftp://m.test/f"] }), "0x80070057"),
        (json!({ "mirrors": ["file:///etc/passwd"] }), "0x80070057"),
        (json!({ "mirrors": ["/etc/passwd"] }), "0x80070057"),
        (json!({ "mirrors": ["http://u:p@m.test/f"] }), "0x80070057"),
        (
            json!({ "mirrors": (0..33).map(|n| format!("http://m{n}.test/f")).collect::<Vec<_>>() }),
            "0x80070057",
        ),
        (json!({ "remote_name": "https://h.test/f", "mirrors": ["http://m.test/f"] }), "0x80070057"),
        (
            json!({ "remote_name": "https://h.test/f", "mirrors": ["http://m.test/f"], "checksum": MD5 }),
            "0x80070057",
        ),
        (json!({ "ranges": [range(0, Some(0))] }), "0x8020002B"),
        (json!({ "ranges": [range(u64::MAX, None)] }), "0x8020002B"),
        (json!({ "ranges": [range(0, None), range(9, Some(1))] }), "0x8020002C"),
        (json!({ "ranges": (0..10_001).map(|n| range(n, Some(1))).collect::<Vec<_>>() }), "0x80200052"),
    ] {
        let answer = add(&world, &job, file).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, code));
    }
    let job_now = world.get(&format!("/v1/jobs/{job}")).await.json();
    assert_eq!(job_now["progress"]["files_total"], 0, "nothing was added");
}

#[tokio::test]
async fn remote_names_change_one_by_one_or_all_that_begin_alike() {
    let world = World::new();
    let job = world.create().await;
    for path in ["/tmp/f", "/tmp/g"] {
        assert_eq!(add(&world, &job, json!({ "local_name": path })).await.status, StatusCode::OK);
    }
    let name = async |index: u32| {
        world.get(&format!("/v1/jobs/{job}/files/{index}")).await.json()["remote_name"].clone()
    };
    let path = format!("/v1/jobs/{job}/files/1");
    let change = json!({ "remote_name": "https://o.test/g" });
    assert_eq!(world.ask(Method::PATCH, &path, Some(change)).await.status, StatusCode::OK);
    assert_eq!((name(0).await, name(1).await), (json!("http://h.test/a/f"), json!("https://o.test/g")));
    for (change, code) in [
        (json!({ "remote_name": "https://u:p@o.test/g" }), "0x80070057"),
        (json!({ "remote_name": "gopher://o.test/g" }), "0x80070057"),
        (json!({ "valid": false }), "0x8000000A"),
    ] {
        assert_eq!(world.ask(Method::PATCH, &path, Some(change)).await.code(), code);
    }

    let prefix = format!("/v1/jobs/{job}/replace_remote_prefix");
    let body = |old: &str| json!({ "old": old, "new": "http://mirror.test/b/" });
    let answer = world.post(&prefix, body("http://h.test/a/")).await.json();
    assert_eq!(answer["outcome"], Value::Null);
    assert_eq!((name(0).await, name(1).await), (json!("http://mirror.test/b/f"), json!("https://o.test/g")));
    let answer = world.post(&prefix, body("HTTP://h.test/a/")).await.json();
    assert_eq!(answer["outcome"]["name"], "S_FALSE", "letter case counts");
    assert_eq!(world.post(&prefix, body("")).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_an_owner_says_of_a_file_that_has_come_is_kept_and_shown() {
    let world = World::new();
    let job = world.create().await;
    assert_eq!(add(&world, &job, json!({})).await.status, StatusCode::OK);
    let path = format!("/v1/jobs/{job}/files/0");
    let valid = async || world.get(&path).await.json()["valid"].clone();
    let say = async |valid: bool| world.ask(Method::PATCH, &path, Some(json!({ "valid": valid }))).await;
    assert_eq!(valid().await, Value::Null, "it has not come");
    assert_eq!(say(true).await.code(), "0x8000000A");
    world.post(&format!("/v1/jobs/{job}/resume"), json!({})).await;
    let assignment = world.begun().await;
    let (id, attempt, file) = (assignment.job, assignment.attempt, FileIndex(0));
    for report in [
        Report::Connected { attempt },
        Report::FileTransferred { attempt, file, size: Bytes(3) },
        Report::FilesTransferred { attempt },
    ] {
        world.worker_says(FromWorker::Report { job: id, report });
    }
    let state = async || world.get(&format!("/v1/jobs/{job}")).await.json()["state"].clone();
    while state().await != "transferred" {
        tokio::task::yield_now().await;
    }
    assert_eq!(valid().await, json!(false), "nobody has said anything of it");
    assert_eq!(say(true).await.status, StatusCode::OK);
    assert_eq!((valid().await, state().await), (json!(true), json!("transferred")));
    assert_eq!(say(false).await.status, StatusCode::OK);
    assert_eq!((valid().await, state().await), (Value::Null, json!("error")), "it is to come again");
}

#[tokio::test]
async fn what_holds_for_all_transfers_of_a_job_is_set_and_shown() {
    let world = World::new();
    let job = world.create().await;
    let path = format!("/v1/jobs/{job}");
    let change = json!({
        "keep_going": true, "dynamic_content": true, "high_performance": true, "max_download_size": 7
    });
    let shown = world.ask(Method::PATCH, &path, Some(change.clone())).await.json();
    for (key, value) in change.as_object().expect("an object") {
        assert_eq!(&shown[key], value, "{key}");
    }
    let none = world.ask(Method::PATCH, &path, Some(json!({ "max_download_size": 0 }))).await;
    assert_eq!(none.code(), "0x80200063");
    let parts = add(&world, &job, json!({ "ranges": [{ "offset": 0, "length": 1 }] })).await;
    assert_eq!(parts.code(), "0x80070057", "what is made for each request has no parts");
}

#[tokio::test]
async fn what_a_network_may_cost_is_set_shown_and_taken_back() {
    let world = World::new();
    let job = world.create().await;
    let path = format!("/v1/jobs/{job}");
    assert_eq!(world.get(&path).await.json()["cost_flags"], Value::Null);
    for (mask, expected) in [
        (json!(0x8000_0067_u32), json!(0x8000_0067_u32)),
        (json!(0x21), json!(0x21)),
        (json!(0), Value::Null),
    ] {
        let shown = world.ask(Method::PATCH, &path, Some(json!({ "cost_flags": mask }))).await.json();
        assert_eq!(shown["cost_flags"], expected);
    }
    for wrong in [0x8000_0000_u32, 0x100, 0x4000_0001] {
        let refused = world.ask(Method::PATCH, &path, Some(json!({ "cost_flags": wrong }))).await;
        assert_eq!(refused.code(), "0x80070057", "{wrong:#x}");
    }
    let seen = world.get("/v1/about").await.json()["conditions"].clone();
    assert_eq!((&seen["network"], &seen["cost"]), (&json!("up"), &json!("unrestricted")));
}

#[tokio::test]
async fn files_of_a_job_on_demand_are_asked_for_by_ranges_and_no_others_are() {
    let world = World::new();
    let job = world.create().await;
    let (path, file) = (format!("/v1/jobs/{job}"), format!("/v1/jobs/{job}/files/0"));
    let (ranges, position) = (format!("{file}/ranges"), format!("{file}/position"));
    assert_eq!(add(&world, &job, json!({})).await.status, StatusCode::OK);
    let some = || json!({ "ranges": [{ "offset": 5, "length": 10 }, { "offset": 0, "length": null }] });
    for refused in [
        world.post(&ranges, some()).await,
        world.get(&ranges).await,
        world.ask(Method::PUT, &position, Some(json!({ "offset": 1 }))).await,
    ] {
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "0x8020006D"));
    }

    let shown = world.ask(Method::PATCH, &path, Some(json!({ "on_demand": true }))).await.json();
    assert_eq!(shown["on_demand"], true);
    for (change, code) in [("dynamic_content", "0x80200072"), ("http_method", "0x80200071")] {
        let value = if change == "http_method" { json!("REPORT") } else { json!(true) };
        assert_eq!(world.ask(Method::PATCH, &path, Some(json!({ change: value }))).await.code(), code);
    }
    let parts = add(&world, &job, json!({ "ranges": [{ "offset": 0, "length": 1 }] })).await;
    assert_eq!(parts.code(), "0x8020006D", "parts of parts");

    assert_eq!(world.post(&ranges, some()).await.status, StatusCode::OK);
    assert_eq!(world.ask(Method::PUT, &position, Some(json!({ "offset": 7 }))).await.status, StatusCode::OK);
    let known = world.get(&ranges).await.json();
    assert_eq!(known, json!({ "filled": [], "requested": some()["ranges"], "position": 7 }));
    for (body, code) in [
        (json!({ "ranges": [] }), "0x80070057"),
        (json!({ "ranges": [{ "offset": 3, "length": 0 }] }), "0x8020002B"),
        (json!({ "ranges": [{ "offset": u64::MAX, "length": 1 }] }), "0x8020002B"),
        (json!({ "ranges": vec![json!({ "offset": 3, "length": 1 }); 499] }), "0x80200052"),
    ] {
        let refused = world.post(&ranges, body.clone()).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, code), "{body}");
    }
    let none = world.post(&format!("{path}/files/9/ranges"), some()).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&ranges).await.json(), known, "what was refused has changed nothing");
}
