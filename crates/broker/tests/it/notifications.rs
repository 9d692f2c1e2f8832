//! What is said of notifications over the API, and what the worker is told.

use axum::http::{Method, StatusCode};
use bits_core::queue::Report;
use bits_worker::link::{Errand, FromWorker};
use serde_json::{Value, json};

use crate::world::World;

/// A job that fails at once when it is resumed, with these properties; its path and id.
async fn a_failing_job(world: &World, properties: Value) -> (String, String) {
    let body = json!({ "display_name": "a \"name\"", "properties": properties });
    let made = world.post("/v1/jobs", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/jobs/{id}");
    let files = json!({ "files": [{ "remote_name": "http://none.test/f", "local_name": "/tmp/f" }] });
    let added = world.post(&format!("{path}/files"), files).await;
    assert!(added.status.is_success(), "{}", added.text);
    (path, id)
}

#[tokio::test]
async fn what_is_set_is_shown_and_told_and_the_secret_is_not_shown() {
    let world = World::new();
    let properties = json!({
        "notify_flags": 0x12,
        "notify_command": { "program": "/bin/run it", "arguments": ["$(a)", ""] },
        "notify_webhook": "https://h.test/hook",
        "notify_webhook_secret": "hunter2",
        "minimum_notification_interval_ms": 7,
    });
    let (path, id) = a_failing_job(&world, properties).await;
    let shown = world.get(&path).await;
    let job = shown.json();
    for (field, expected) in [
        ("notify_flags", json!(0x12)),
        ("notify_command", json!({ "program": "/bin/run it", "arguments": ["$(a)", ""] })),
        ("notify_webhook", json!("https://h.test/hook")),
        ("minimum_notification_interval_ms", json!(7)),
        ("notifications_pending", json!(0)),
        ("notification_failure", Value::Null),
    ] {
        assert_eq!(job[field], expected, "{field}");
    }
    let resumed = world.ask(Method::POST, &format!("{path}/resume"), None).await;
    let (first, second) = (world.told().await, world.told().await);
    let Errand::Command { command, about } = &first.errand else { panic!("{first:?}") };
    assert_eq!((command.program.as_str(), command.arguments.len()), ("/bin/run it", 2));
    let about: Vec<(&str, &str)> = about.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        about,
        [
            ("BITS_EVENT", "error"),
            ("BITS_JOB_ID", &id),
            ("BITS_JOB_NAME", "a \"name\""),
            ("BITS_JOB_STATE", "error"),
            ("BITS_ERROR_CODE", "0x80190194"),
            ("BITS_ERROR_MESSAGE", "none.test answered 404"),
        ]
    );
    let Errand::Webhook(letter) = &second.errand else { panic!("{second:?}") };
    assert_eq!(letter.id, format!("{id}-2"));
    assert_eq!(letter.secret.as_ref().map(|secret| secret.expose()), Some("hunter2"));
    let body: Value = serde_json::from_str(&letter.body).expect("it is JSON");
    assert_eq!((&body["type"], &body["data"]["state"]), (&json!("job.error"), &json!("error")));
    assert_eq!(body["data"]["error"]["message"], "none.test answered 404");
    assert_eq!(world.get(&path).await.json()["notifications_pending"], 2);

    let exported = world.get(&format!("{path}/export")).await;
    assert_eq!(exported.json()["left_out"], json!(["webhook_secret"]));
    for text in [&shown.text, &resumed.text, &exported.text, &format!("{first:?} {second:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let job = bits_core::job::JobId::parse(&id).expect("an id");
    for (number, outcome) in [(1, Ok(())), (2, Err("h.test answered 500".to_owned()))] {
        world.worker_says(FromWorker::Report { job, report: Report::Told { number, outcome } });
    }
    let job = loop {
        let job = world.get(&path).await.json();
        if job["notifications_pending"] == 1 && job["notification_failure"] != Value::Null {
            break job;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(job["notification_failure"], "the webhook for error: h.test answered 500");
}

#[tokio::test]
async fn what_is_exported_is_imported_with_all_that_is_no_secret() {
    let world = World::new();
    let properties = json!({ "notify_flags": 0x3f, "notify_webhook": "http://h.test/",
        "notify_command": { "program": "/bin/a", "arguments": ["b"] }, "minimum_notification_interval_ms": 9 });
    let (path, _) = a_failing_job(&world, properties.clone()).await;
    let mut exported = world.get(&format!("{path}/export")).await.json();
    let other = "8e2d0a1b-0203-4405-8607-08090a0b0c0d";
    exported["id"] = json!(other);
    let imported = world.ask(Method::PUT, &format!("/v1/jobs/{other}/export"), Some(exported)).await;
    assert!(imported.status.is_success(), "{}", imported.text);
    let job = world.get(&format!("/v1/jobs/{other}")).await.json();
    for (field, expected) in properties.as_object().expect("an object") {
        assert_eq!(&job[field], expected, "{field}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name_and_nothing_changes() {
    let world = World::new();
    let path = format!("/v1/jobs/{}", world.create().await);
    let before = world.get(&path).await.text;
    let program = |text: &str| json!({ "notify_command": { "program": text } });
    for (body, code, text) in [
        (json!({ "notify_flags": 0x40 }), "0x80004001", "0x40"),
        (json!({ "notify_flags": -1 }), "0x80070057", "wrong kind"),
        (program("run"), "0x80070057", "`run` is no absolute path"),
        (program("/a\0"), "0x80070057", "zero byte"),
        (program(&"/a".repeat(3000)), "0x80200021", "notification program"),
        (json!({ "notify_command": { "program": "", "arguments": ["a"] } }), "0x80070057", "no program"),
        (json!({ "notify_command": { "program": "/a", "shell": true } }), "0x80070057", "shell"),
        (
            json!({ "notify_webhook": "ftp://h.test/" }),
            "0x80070057",
            "webhook begins with `ftp:`; write http://",
        ),
        (json!({ "notify_webhook": "file:///etc/passwd" }), "0x80070057", "webhook"),
        (json!({ "notify_webhook": "http://anna:hunter2@h.test/" }), "0x80070057", "names a user"),
        (json!({ "notify_webhook": "h.test" }), "0x80070057", "webhook"),
        (json!({ "notify_webhook_secret": "hunter2" }), "0x80070057", "the job has no webhook"),
        (json!({ "notify_webhook": "", "notify_webhook_secret": "hunter2" }), "0x80070057", "no webhook"),
        (
            json!({ "notify_webhook": "http://h.test/", "notify_webhook_secret": "whsec_hunter2!" }),
            "0x80070057",
            "base64",
        ),
    ] {
        let refused = world.ask(Method::PATCH, &path, Some(body.clone())).await;
        assert!(refused.status.is_client_error(), "{body}: {}", refused.text);
        assert_eq!(refused.code(), code, "{body}: {}", refused.text);
        assert!(refused.text.contains(text), "{body}: {}", refused.text);
        assert!(!refused.text.contains("hunter2"), "{body}: {}", refused.text);
    }
    assert_eq!(world.get(&path).await.text, before);
}

/// What one server knows is not told to another, and nothing is lost that nobody has asked to lose.
#[tokio::test]
async fn a_secret_stays_with_its_webhook_until_it_is_taken_away_or_the_webhook_goes_elsewhere() {
    let world = World::new();
    let hook = |url: &str| json!({ "notify_webhook": url });
    let secret = |secret: &str| json!({ "notify_webhook_secret": secret });
    let both = |url: &str, secret: &str| json!({ "notify_webhook": url, "notify_webhook_secret": secret });
    let path = format!("/v1/jobs/{}", world.create().await);
    let shown = async || world.get(&path).await.json()["notify_webhook_signed"].clone();
    assert_eq!(shown().await, Value::Null, "there is no webhook");
    for (change, is_signed) in [
        (hook("http://h.test/a"), json!(false)),
        (secret("hunter2"), json!(true)),
        (hook("http://h.test/b"), json!(true)),
        (json!({ "description": "d" }), json!(true)),
        (hook("https://h.test/b"), json!(false)),
        (both("https://h.test/b", "hunter2"), json!(true)),
        (hook("https://h.test:8443/b"), json!(false)),
        (both("https://other.test/", "hunter2"), json!(true)),
        (hook("https://h.test/"), json!(false)),
        (secret("hunter2"), json!(true)),
        (secret(""), json!(false)),
        (both("https://h.test/c", "hunter2"), json!(true)),
        (both("https://h.test/c", ""), json!(false)),
        (secret("hunter2"), json!(true)),
        (hook(""), Value::Null),
        // It went with the webhook.
        (hook("https://h.test/"), json!(false)),
    ] {
        let concerns_webhook = change["description"].is_null();
        let answer = world.ask(Method::PATCH, &path, Some(change.clone())).await;
        assert!(answer.status.is_success(), "{change}: {}", answer.text);
        assert_eq!(shown().await, is_signed, "{change}");
        if concerns_webhook {
            assert_eq!(answer.json()["notify_webhook_signed"], is_signed, "{change}: the answer says so");
            let mut shown = world.get(&path).await.json();
            for of_a_whole_job in ["environment", "secret_headers", "credentials"] {
                shown.as_object_mut().expect("a job").remove(of_a_whole_job).expect("asked for alone");
            }
            assert_eq!(answer.json(), shown, "{change}: nothing else is looked up");
        }
    }
    let made = json!({ "display_name": "a job", "properties": secret("hunter2") });
    let refused = world.post("/v1/jobs", made).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "0x80070057"));
    assert!(refused.text.contains("no webhook"), "{}", refused.text);
}

#[tokio::test]
async fn a_callback_that_has_heard_spares_the_command() {
    let world = World::new();
    let command = json!({ "notify_command": { "program": "/bin/a" } });
    let (path, id) = a_failing_job(&world, command).await;
    let stream = crate::world::request(Method::GET, &format!("/v1/events?job={id}&callback=true"), None);
    let stream = world.send_raw(Some(crate::world::ANNA), stream).await;
    assert_eq!(stream.status(), StatusCode::OK);
    world.ask(Method::POST, &format!("{path}/resume"), None).await;
    let pending = async || world.get(&path).await.json()["notifications_pending"].clone();
    while pending().await != 1 {
        tokio::task::yield_now().await;
    }
    let said = |event: &str| json!({ "event": event, "heard": true });
    let path = format!("{path}/notifications");
    let refused = world.post(&path, said("done")).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "0x80070057"));
    assert_eq!(world.post(&path, said("transferred")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(pending().await, 1, "that is not what has happened");
    assert_eq!(world.post(&path, said("error")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(pending().await, 0);
    drop(stream);
    let refused = world.get("/v1/events?callback=true").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "0x80070057"));
}
