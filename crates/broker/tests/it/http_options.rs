//! How the requests of a job are made: set, shown, refused, and handed to the worker; and secrets
//! among it, which come out nowhere.

use axum::http::{Method, StatusCode};
use bits_core::credentials::AuthTarget;
use bits_core::http_options::{ClientCertificate, ProxyUse};
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// A job with a file; its path.
async fn a_job(world: &World, body: Value) -> String {
    let answer = world.post("/v1/jobs", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let path = format!("/v1/jobs/{}", answer.json()["id"].as_str().expect("an id"));
    let files = json!({ "files": [{ "remote_name": "http://h.test/f", "local_name": "/tmp/f" }] });
    assert_eq!(world.post(&format!("{path}/files"), files).await.status, StatusCode::OK);
    path
}

async fn change(world: &World, path: &str, body: Value) -> Answer {
    world.ask(Method::PATCH, path, Some(body)).await
}

#[tokio::test]
async fn what_nobody_has_said_is_what_bits_does() {
    let world = World::new();
    let path = a_job(&world, json!({ "display_name": "n" })).await;
    let job = world.get(&path).await.json();
    for (field, expected) in [
        ("http_method", json!("GET")),
        ("custom_headers", json!([])),
        ("secret_headers", json!([])),
        ("custom_headers_write_only", json!(false)),
        ("security_flags", json!(0)),
        ("client_certificate", json!("none")),
        ("proxy", json!({ "usage": "preconfig" })),
        ("use_stored_credentials", Value::Null),
        ("no_ntlm", json!(false)),
        ("service_name", Value::Null),
        ("environment", json!({})),
    ] {
        assert_eq!(job[field], expected, "{field}");
    }
}

#[tokio::test]
async fn what_is_set_is_shown_and_handed_to_the_worker_and_no_secret_is_shown() {
    let world = World::new();
    let body = json!({ "display_name": "n",
        "properties": {
            "custom_headers": [
                { "name": "X-A", "value": "1" },
                { "name": "Authorization", "value": "Bearer hunter2" },
            ],
            "security_flags": 0x0801,
            "client_certificate": { "file": { "path": "/c/me.p12" } },
            "client_certificate_passphrase": "hunter2 too",
            "proxy": { "usage": "override", "list": "http://anna:hunter2@p.test:3128", "bypass": "<local>" },
            "use_stored_credentials": "proxy",
            "no_ntlm": true,
            "service_name": "HTTP/other.test",
        },
        "environment": { "krb5_ccname": "FILE:/tmp/cc", "http_proxy": "http://ben:hunter2@q.test",
            "no_proxy": "localhost" } });
    let path = a_job(&world, body).await;
    let shown = world.get(&path).await;
    let job = shown.json();
    for (field, expected) in [
        ("custom_headers", json!([{ "name": "X-A", "value": "1" }])),
        ("secret_headers", json!(["Authorization"])),
        ("security_flags", json!(0x0801)),
        ("client_certificate", json!({ "file": { "path": "/c/me.p12" } })),
        ("proxy", json!({ "usage": "override", "list": "http://p.test:3128", "bypass": "<local>" })),
        ("use_stored_credentials", json!("proxy")),
        ("no_ntlm", json!(true)),
        ("service_name", json!("HTTP/other.test")),
        (
            "environment",
            json!({ "krb5_ccname": "FILE:/tmp/cc", "http_proxy": "http://q.test", "no_proxy": "localhost" }),
        ),
    ] {
        assert_eq!(job[field], expected, "{field}");
    }
    let listed = world.get("/v1/jobs").await;
    let resumed = world.ask(Method::POST, &format!("{path}/resume"), None).await;
    for answer in [&shown, &listed, &resumed] {
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }

    let assignment = world.begun().await;
    assert!(!format!("{assignment:?}").contains("hunter2"));
    let header = &assignment.secret_headers[0];
    assert_eq!((header.name.as_str(), header.value.expose()), ("Authorization", "Bearer hunter2"));
    let passphrase = assignment.certificate_passphrase.as_ref().map(|passphrase| passphrase.expose());
    assert_eq!(passphrase, Some("hunter2 too"));
    let signs_in = assignment.credentials.iter().map(|one| (one.target, &*one.user, one.password.expose()));
    // The job does not use the proxy of the environment.
    assert_eq!(signs_in.collect::<Vec<_>>(), [(AuthTarget::Proxy, "anna", "hunter2"); 4]);
    assert_eq!(assignment.http.headers.len(), 1);
    let expected = ProxyUse::Override { list: "http://p.test:3128".into(), bypass: "<local>".into() };
    assert_eq!(assignment.http.proxy, expected);
    let expected = ClientCertificate::File { path: "/c/me.p12".into(), key: None };
    assert_eq!(assignment.http.client_certificate, Some(expected));
    assert_eq!(assignment.environment.proxies.http.as_deref(), Some("http://q.test"));
}

#[tokio::test]
async fn headers_are_replaced_all_together_and_can_be_hidden_for_good() {
    let world = World::new();
    let path = a_job(&world, json!({ "display_name": "n" })).await;
    let headers = |list: &[(&str, &str)]| {
        let list: Vec<_> = list.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!({ "custom_headers": list })
    };
    for (set, plain, secret) in [
        (&[("X-A", "1"), ("cookie", "a")][..], json!([{ "name": "X-A", "value": "1" }]), json!(["cookie"])),
        (&[("Authorization", "a")], json!([]), json!(["Authorization"])),
        (&[("X-B", "2")], json!([{ "name": "X-B", "value": "2" }]), json!([])),
        (&[], json!([]), json!([])),
    ] {
        assert_eq!(change(&world, &path, headers(set)).await.status, StatusCode::OK);
        let job = world.get(&path).await.json();
        assert_eq!((&job["custom_headers"], &job["secret_headers"]), (&plain, &secret));
    }
    let hide = json!({ "make_custom_headers_write_only": true });
    let answer = change(&world, &path, hide).await.json();
    assert_eq!(
        (&answer["custom_headers"], &answer["custom_headers_write_only"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(change(&world, &path, headers(&[("X-C", "hunter2")])).await.status, StatusCode::OK);
    for path in [path.as_str(), "/v1/jobs"] {
        assert!(!world.get(path).await.text.contains("hunter2"));
    }
    world.ask(Method::POST, &format!("{path}/resume"), None).await;
    assert_eq!(world.begun().await.http.headers[0].value(), "hunter2", "it is sent all the same");
}

#[tokio::test]
async fn another_certificate_takes_the_passphrase_of_the_one_before_away() {
    let world = World::new();
    let path = a_job(&world, json!({ "display_name": "n" })).await;
    let certificate = json!({ "client_certificate": { "file": { "path": "/c/me.pem", "key": "/c/key.pem" } },
        "client_certificate_passphrase": "hunter2" });
    assert_eq!(change(&world, &path, certificate).await.status, StatusCode::OK);
    let folder = json!({ "client_certificate": {
        "by_id": { "folder": "/c", "fingerprint": "AB:".repeat(19) + "AB" } } });
    let shown = change(&world, &path, folder).await.json();
    assert_eq!(shown["client_certificate"]["by_id"]["fingerprint"], "ab".repeat(20));
    world.ask(Method::POST, &format!("{path}/resume"), None).await;
    assert!(world.begun().await.certificate_passphrase.is_none());
}

#[tokio::test]
async fn who_signs_in_at_a_proxy_of_the_environment_becomes_a_credential() {
    let world = World::new();
    let environment = |http: &str, https: &str| json!({ "display_name": "n", "environment": { "http_proxy": http, "https_proxy": https } });
    let path = a_job(&world, environment("http://anna:hunter2@p", "http://anna:hunter2@p:1")).await;
    let shown = world.get(&path).await;
    assert!(!shown.text.contains("hunter2"));
    let job = shown.json();
    assert_eq!(job["environment"], json!({ "http_proxy": "http://p", "https_proxy": "http://p:1" }));
    assert_eq!(job["credentials"][0]["target"], "proxy");
    let two = world.post("/v1/jobs", environment("http://anna:hunter2@p", "http://ben:hunter2@q")).await;
    assert_eq!((two.status, two.code().as_str()), (StatusCode::BAD_REQUEST, "0x80070057"));
    assert!(!two.text.contains("hunter2"), "{}", two.text);
}

#[tokio::test]
async fn a_method_is_set_before_the_first_resume_and_makes_the_job_foreground_for_good() {
    let world = World::new();
    let path = a_job(&world, json!({ "display_name": "n", "properties": { "priority": "low" } })).await;
    let method = |name: &str| json!({ "http_method": name });
    let shown = change(&world, &path, method("REPORT")).await.json();
    assert_eq!((&shown["http_method"], &shown["priority"]), (&json!("REPORT"), &json!("foreground")));
    let refused = change(&world, &path, json!({ "priority": "low" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "0x80200071"));
    world.ask(Method::POST, &format!("{path}/resume"), None).await;
    let refused = change(&world, &path, method("GET")).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "0x80200062"));
    assert_eq!(change(&world, &path, method("REPORT")).await.status, StatusCode::OK, "that is no change");
    assert_eq!(world.begun().await.http.method.as_str(), "REPORT");
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_its_code_and_no_secret_repeated() {
    let world = World::new();
    let path = a_job(&world, json!({ "display_name": "n" })).await;
    let before = world.get(&path).await.text;
    let header = |name: &str, value: &str| json!({ "custom_headers": [{ "name": name, "value": value }] });
    let proxy = |list: &str, bypass: &str| json!({ "proxy": { "usage": "override", "list": list, "bypass": bypass } });
    let certificate = |value: Value| json!({ "client_certificate": value });
    let (long, longer) = ("p".repeat(4001), "x".repeat(16_384));
    for (body, code, named) in [
        (header("Range", "hunter2"), "0x80070057", "is set by the service itself"),
        (header("Bearer hunter2", ""), "0x80070057", "the name of header 1"),
        (header("Authorization", "hunter2\n"), "0x80070057", "Authorization has a control character"),
        (header("Cookie", &longer), "0x80200021", "16383"),
        (json!({ "custom_headers": "hunter2" }), "0x80070057", "wrong kind"),
        (json!({ "custom_headers": [{ "name": "A", "value": 7 }] }), "0x80070057", "wrong kind"),
        (json!({ "custom_headers": [{ "name": "A", "value": "", "x": 1 }] }), "0x80070057", "unknown field"),
        (json!({ "make_custom_headers_write_only": false }), "0x80070057", "readable again"),
        (json!({ "security_flags": 0x1000 }), "0x80004001", "0x1000"),
        (json!({ "security_flags": 0x0300 }), "0x80004001", "two redirect policies"),
        (json!({ "http_method": "GET /" }), "0x80070057", "GET /"),
        (json!({ "http_method": "" }), "0x80070057", "empty"),
        (proxy(&long, ""), "0x80200018", "4001"),
        (proxy("p", &long), "0x80200019", "4001"),
        (proxy("", ""), "0x80070057", "empty"),
        (proxy("http://a:hunter2@p http://b:hunter2@q", ""), "0x80070057", "different users"),
        (json!({ "proxy": { "usage": "preconfig", "list": "p" } }), "0x80070057", "takes no lists"),
        (json!({ "proxy": { "usage": "maybe" } }), "0x80070057", "maybe"),
        (json!({ "use_stored_credentials": "server" }), "0x80200066", "proxy only"),
        (json!({ "use_stored_credentials": "both" }), "0x80200027", "both"),
        (certificate(json!({ "file": { "path": "me.pem" } })), "0x80070057", "absolute"),
        (certificate(json!({ "file": { "path": "/c", "x": 1 } })), "0x80070057", "unknown field"),
        (certificate(json!({ "by_id": { "folder": "/c", "fingerprint": "xy" } })), "0x80070057", "xy"),
        (certificate(json!({ "by_id": { "folder": "/c", "fingerprint": "abc" } })), "0x80070057", "abc"),
        (certificate(json!({ "by_id": { "folder": "/c", "fingerprint": "ab" } })), "0x80070057", "SHA-1"),
        (certificate(json!({ "by_name": { "folder": "/c", "subject": "" } })), "0x80070057", "subject"),
        (json!({ "service_name": "HTTP/a b" }), "0x80070057", "service name"),
        (json!({ "client_certificate_passphrase": 31337 }), "0x80070057", "wrong kind"),
        (json!({ "client_certificate_passphrase": "x".repeat(65_537) }), "0x80200026", "password"),
    ] {
        let answer = change(&world, &path, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.code(), code, "{}", answer.text);
        let message = answer.json()["message"].as_str().expect("a sentence").to_owned();
        assert!(message.contains(named), "{message}");
        assert!(!answer.text.contains("hunter2") && !answer.text.contains("31337"), "{}", answer.text);
    }
    assert_eq!(world.get(&path).await.text, before, "nothing has changed");
    for environment in [json!({ "http_proxy": "a\nb" }), json!({ "krb5_ccname": "a\u{0}" })] {
        let body = json!({ "display_name": "n", "environment": environment });
        assert_eq!(world.post("/v1/jobs", body).await.status, StatusCode::BAD_REQUEST);
    }
}
