//! A program that is asked about a real server's certificate, by the service's socket: curl is its
//! hands.

use std::fs;
use std::time::Duration;

use bits_e2e::{Run, Running, Service, peers, sha256, until};
use serde_json::{Value, json};

/// Longer than any job here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn curl(service: &Service, job: &str, rest: &str) -> Run {
    let url = format!("http://localhost/v1/jobs/{job}/certificates{rest}");
    let socket = service.socket();
    let words = ["--silent", "--show-error", "--fail-with-body", "--no-buffer", "--unix-socket"];
    service.run("curl").args(words).arg(socket).arg(url).within(PATIENCE)
}

/// Registers, and waits until that is done.
fn register(service: &Service, job: &str) -> Running {
    let program = curl(service, job, "/events").spawn();
    program.wait_for_stdout("event: registered");
    program
}

/// What `program` is asked for the time number `count`.
fn question(program: &Running, count: usize) -> Value {
    until(PATIENCE, "the program is asked", || {
        let told = program.stdout();
        let whole = told.rfind("\n\n").map_or("", |end| &told[..end]);
        let asked = whole.split("\n\n").filter_map(|event| event.strip_prefix("event: certificate\ndata: "));
        let asked: Vec<&str> = asked.collect();
        (asked.len() >= count).then(|| serde_json::from_str(asked[count - 1]).expect("JSON"))
    })
}

fn answer(service: &Service, question: &Value, body: &Value) {
    let text = |name: &str| question[name].as_str().expect("a text").to_owned();
    let post = curl(service, &text("job"), &format!("/{}", text("id")));
    let post = post.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
    post.finish().expect_code(0);
}

/// Waits until the job is as `state` says; returns it.
fn job_in(service: &Service, job: &str, state: &str) -> Value {
    until(PATIENCE, format!("the job is {state}"), || {
        let shown = service.bits(["show", job, "--json"]).finish().expect_code(0).json();
        (shown["state"] == state).then_some(shown)
    })
}

#[test]
fn a_program_rejects_accepts_and_is_gone() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    service.configure(&format!("extra_ca = \"{}\"\n", peers.ca().display()));
    let _running = service.start();
    let target = peers.nginx.unique("/files/1m.bin");
    let url = format!("{}{target}", peers.line("NGINX_TLS_URL"));
    let create = |name: &str| {
        let id = service.bits(["create", name]).finish().expect_code(0).stdout.trim().to_owned();
        let file = service.file(format!("{name}.bin"));
        service.bits(["add", &id, &url]).arg(file).finish().expect_code(0);
        id
    };
    let resume = |job: &str| {
        service.bits(["resume", job]).finish().expect_code(0);
    };
    let was_asked_for = || {
        let log = fs::read_to_string(peers.line("NGINX_LOG")).expect("nginx has a log");
        log.lines().any(|line| line.contains(&format!("{target} ")))
    };

    let job = create("asked");
    let program = register(&service, &job);
    resume(&job);
    let asked = question(&program, 1);
    assert!(url.contains(asked["host"].as_str().expect("a host")), "{asked}");
    let other = curl(&service, &job, "/events").finish();
    assert!(other.stdout.contains("0x80200075"), "a job that works takes no other: {other}");
    answer(&service, &asked, &json!({ "accepted": false, "code": "0x800B010F" }));
    let error = job_in(&service, &job, "transient_error")["error"].clone();
    assert_eq!(
        (&error["code"], &error["context"]),
        (&json!("0x800B010F"), &json!("server_certificate_callback"))
    );
    assert!(!was_asked_for(), "no request is sent");

    resume(&job);
    answer(&service, &question(&program, 2), &json!({ "accepted": true }));
    job_in(&service, &job, "transferred");
    assert!(was_asked_for());
    service.bits(["complete", &job]).finish().expect_code(0);
    program.finish().expect_code(0);
    assert_eq!(sha256(service.file("asked.bin")), sha256(peers.nginx.file("1m.bin")));

    let job = create("alone");
    register(&service, &job).kill();
    resume(&job);
    let error = job_in(&service, &job, "transient_error")["error"].clone();
    assert_eq!(error["code"], "0x80200074", "{error}");
    service.bits(["suspend", &job]).finish().expect_code(0);
    curl(&service, &job, "").args(["--request", "DELETE"]).finish().expect_code(0);
    resume(&job);
    job_in(&service, &job, "transferred");
}
