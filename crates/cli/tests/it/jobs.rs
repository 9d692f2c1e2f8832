//! The commands for jobs that are there.

use serde_json::Value;

use crate::bits::{Outcome, ended};
use crate::service::{Service, acknowledged, transferring};

const ID: &str = "8e2d0a1b-0203-4405-8607-08090a0b0c0d";

fn bits(service: &Service, words: &[&str]) -> Outcome {
    ended(service.command(words))
}

#[test]
fn a_created_job_prints_its_id_and_nothing_else() {
    let service = Service::with_courses([]);
    let outcome = bits(&service, &["create", "EncodeSample"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout.len(), 37);
    let body = service.body("POST /v1/jobs");
    assert_eq!(body["properties"]["complete_when_done"], false);
    assert_eq!(body["properties"]["priority"], "normal");
}

#[test]
fn jobs_are_listed_as_a_table_and_as_an_array() {
    let service = Service::with_courses([]);
    assert_eq!(
        bits(&service, &["list"]).stdout,
        "\
ID        STATE      PRIORITY    PROGRESS                         NAME
8e2d0a1b  suspended  foreground  0 bytes of 2.0 KiB, 0 of 1 file  report.pdf
"
    );
    let outcome = bits(&service, &["list", "--json", "--state", "Suspended"]);
    let jobs: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(jobs[0]["id"], ID);
    assert_eq!(service.asked(), ["GET /v1/jobs", "GET /v1/jobs?state=suspended"]);
}

#[test]
fn a_job_is_shown_with_what_would_make_it_move() {
    let service = Service::with_courses([]);
    let outcome = bits(&service, &["show", "8e2d"]);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.contains("  Let it run: bits resume 8e2d0a1b\n"), "{outcome:?}");
    assert_eq!(service.asked()[0], "GET /v1/jobs?called=8e2d&limit=10");
    let job: Value = serde_json::from_str(&bits(&service, &["show", ID, "--json"]).stdout).expect("JSON");
    assert!(job["files"].is_array());
}

#[test]
fn a_refusal_is_told_and_the_other_jobs_have_their_turn() {
    let service = Service::with_courses([]).refusing("/suspend");
    let outcome = bits(&service, &["suspend", ID, "8e2d"]);
    assert_eq!(outcome.code, Some(4));
    assert_eq!(outcome.stderr, "error: no (E_ACCESSDENIED, 0x80070005)\n".repeat(2));
}

#[test]
fn a_watched_job_is_told_of_until_it_rests() {
    let service = Service::with_courses([vec![transferring(), acknowledged()]]);
    assert_eq!(bits(&service, &["resume", ID]).code, Some(0));
    let outcome = bits(&service, &["watch", ID, "--json"]);
    assert_eq!(outcome.code, Some(0));
    let events: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events[0]["event"], "job");
    assert_eq!(events[0]["data"]["state"], "acknowledged");
    assert_eq!(events.last().expect("an event")["event"], "ready");
}

#[test]
fn watching_a_job_that_nobody_resumed_ends_at_once() {
    let service = Service::with_courses([]);
    let outcome = bits(&service, &["watch", "8e2d"]);
    assert_eq!(outcome.code, Some(7));
    assert_eq!(
        outcome.stderr,
        "error: report.pdf: the job is suspended\nhint: let it run: bits resume 8e2d0a1b\n"
    );
    let outcome = bits(&service, &["watch"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), "there are no jobs that move\n"));
}

#[test]
fn an_older_service_is_named() {
    let service = Service::with_courses([]).of_version("0.0.9");
    let outcome = bits(&service, &["list"]);
    assert_eq!(outcome.code, Some(0));
    assert_eq!(outcome.stderr.matches("bits service restart").count(), 1);
    assert!(outcome.stderr.starts_with("warning: the running service is of version 0.0.9, "), "{outcome:?}");
}

#[test]
fn status_says_that_the_service_runs() {
    let service = Service::with_courses([]);
    let status: Value =
        serde_json::from_str(&bits(&service, &["service", "status", "--json"]).stdout).expect("JSON");
    assert_eq!((&status["running"], &status["pid"]), (&Value::Bool(true), &Value::from(1)));
}
