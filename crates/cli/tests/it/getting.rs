//! The life of `bits get`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bits::{Outcome, ended};
use crate::service::{Service, acknowledged, transferring, unauthorized};

const URL: &str = "https://files.test/report.pdf";

fn get(service: &Service, words: &[&str]) -> Outcome {
    ended(service.command(&[&["get", "--no-progress"], words].concat()))
}

#[test]
fn a_download_is_made_watched_and_done() {
    let service = Service::with_courses([vec![transferring(), acknowledged()]]);
    let outcome = get(&service, &[URL]);
    assert_eq!(
        outcome,
        Outcome { code: Some(0), stdout: String::new(), stderr: "report.pdf: done, 2.0 KiB\n".to_owned() }
    );
    assert_eq!(
        service.asked(),
        ["POST /v1/jobs", "POST /v1/jobs/ID/files", "GET /v1/events?job=ID", "POST /v1/jobs/ID/resume"]
    );
    let made = service.body("POST /v1/jobs");
    assert_eq!(made["properties"], json!({ "priority": "foreground", "complete_when_done": true }));
    let files = service.body("POST /v1/jobs/ID/files");
    let here = fs::canonicalize(service.place.path()).expect("a folder");
    let expected = json!({ "create_folders": false, "files": [{ "remote_name": URL,
        "local_name": here.join("report.pdf"), "no_clobber": false }] });
    assert_eq!(files, expected);
}

#[test]
fn programs_get_the_final_job_with_its_files() {
    let service = Service::with_courses([vec![acknowledged()]]);
    let outcome = get(&service, &[URL, "--json", "--name", "n", "--no-clobber", "--create-dirs"]);
    let job: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!((job["state"].as_str(), job["display_name"].as_str()), (Some("acknowledged"), Some("n")));
    assert_eq!(job["files"][0]["remote_name"], URL);
}

#[test]
fn without_a_terminal_progress_is_a_line_now_and_then() {
    let service = Service::with_courses([vec![transferring(), acknowledged()]]);
    let outcome = ended(service.command(&["get", URL]));
    assert_eq!(
        outcome.stderr,
        "report.pdf: queued, 0 bytes of 2.0 KiB, 0 of 1 file\nreport.pdf: done, 2.0 KiB\n"
    );
    let service = Service::with_courses([vec![transferring(), acknowledged()]]);
    assert_eq!(ended(service.command(&["get", "-q", URL])).stderr, "");
}

#[test]
fn retries_are_told_once_each() {
    let failed = json!({ "state": "transient_error", "error_count": 1,
        "wait": { "reason": "retry", "until": "2020-01-01T00:00:00Z" },
        "error": { "code": "0x801901F7", "name": "BG_E_HTTP_ERROR_503", "context": "remote_file",
            "message": "files.test answered 503", "transient": true, "file": 0 } });
    let service = Service::with_courses([vec![failed.clone(), failed, transferring(), acknowledged()]]);
    let outcome = get(&service, &[URL]);
    assert_eq!(
        outcome.stderr,
        "report.pdf: retrying in 0 s: files.test answered 503\nreport.pdf: done, 2.0 KiB\n"
    );
}

#[test]
fn an_error_ends_it_with_what_where_and_what_to_do() {
    let failed = json!({ "state": "error", "error_count": 1,
        "error": { "code": "0x80190194", "name": "BG_E_HTTP_ERROR_404", "context": "remote_file",
            "message": "files.test has no /report.pdf", "transient": false, "file": 0 } });
    let service = Service::with_courses([vec![failed.clone()]]);
    let outcome = get(&service, &[URL]);
    assert_eq!(outcome.code, Some(1));
    let first = outcome.stderr.lines().next().expect("a line");
    assert_eq!(
        first,
        "error: report.pdf: files.test has no /report.pdf (BG_E_HTTP_ERROR_404, 0x80190194, remote file)"
    );
    assert!(outcome.stderr.contains("bits resume "), "{outcome:?}");
    assert!(!service.asked().contains(&"POST /v1/jobs/ID/cancel".to_owned()), "it stays");

    let service = Service::with_courses([vec![failed]]);
    let outcome = get(&service, &[URL, "--rm-on-error", "--json"]);
    assert_eq!(outcome.code, Some(1));
    assert!(service.asked().contains(&"POST /v1/jobs/ID/cancel".to_owned()));
    let job: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(job["error"]["code"], "0x80190194");
}

#[test]
fn somebody_else_can_end_it() {
    for state in ["suspended", "cancelled"] {
        let service = Service::with_courses([vec![transferring(), json!({ "state": state })]]);
        let outcome = get(&service, &[URL]);
        assert_eq!(outcome.code, Some(7), "{state}");
        let expected = format!("error: report.pdf: the job is {state}\n");
        assert!(outcome.stderr.starts_with(&expected), "{outcome:?}");
    }
}

#[test]
fn a_job_that_only_waits_for_its_owner_is_completed() {
    let left = json!({ "state": "transferred", "complete_when_done": false });
    let service = Service::with_courses([vec![left]]);
    assert_eq!(get(&service, &[URL]).code, Some(0));
    service.wait_for("POST /v1/jobs/ID/complete");
}

#[test]
fn when_time_is_over_the_job_goes_on() {
    let service = Service::with_courses([vec![transferring()]]);
    let outcome = get(&service, &[URL, "--max-time", "1"]);
    assert_eq!(outcome.code, Some(6));
    assert!(
        outcome.stderr.starts_with("not done after 1 s; the job goes on\nhint: come back: bits watch "),
        "{outcome:?}"
    );
    assert!(!service.asked().contains(&"POST /v1/jobs/ID/cancel".to_owned()));
}

#[test]
fn ctrl_c_stops_watching_and_not_the_job() {
    let service = Service::with_courses([vec![transferring()]]);
    let mut command = service.command(&["get", URL]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("text");
    assert!(line.starts_with("report.pdf: queued"), "somebody looks on: {line}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{rest}");
    assert!(rest.starts_with("stopped watching; the job goes on\nhint: come back: bits watch "), "{rest}");
    assert!(rest.contains("· end it: bits cancel "), "{rest}");
    assert!(!service.asked().contains(&"POST /v1/jobs/ID/cancel".to_owned()));
}

#[test]
fn a_detached_job_is_only_named() {
    let service = Service::with_courses([vec![transferring()]]);
    let outcome = get(&service, &[URL, "--detach"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout.trim_end().len(), 36);
    service.wait_for("POST /v1/jobs/ID/resume");
}

#[test]
fn a_failed_step_cancels_the_half_made_job() {
    for step in ["/files", "/any", "/resume"] {
        let service = Service::with_courses([]).refusing(step);
        let password = service.place.path().join("p");
        fs::write(&password, "hunter2\n").expect("a file");
        let password = password.to_str().expect("text");
        let outcome = get(&service, &[URL, "--user", "anna", "--password-file", password]);
        assert_eq!(outcome.code, Some(4), "{step}");
        assert!(outcome.stderr.contains("error: no (E_ACCESSDENIED, 0x80070005)\n"), "{outcome:?}");
        assert_eq!(service.asked().last().map(String::as_str), Some("POST /v1/jobs/ID/cancel"), "{step}");
    }
}

#[test]
fn credentials_from_flags_are_set_before_it_begins_and_are_final() {
    let service = Service::with_courses([vec![unauthorized(true)]]);
    let password = service.place.path().join("p");
    fs::write(&password, "hunter2\n").expect("a file");
    let words = [URL, "--user", "CORP\\anna", "--password-file", password.to_str().expect("text")];
    let outcome = get(&service, &[&words[..], &["--auth", "ntlm"]].concat());
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("hint: check user name and password"), "{outcome:?}");
    assert!(!outcome.stderr.contains("hunter2"));
    let set = "PUT /v1/jobs/ID/credentials/server/ntlm";
    assert_eq!(service.body(set), json!({ "user": "CORP\\anna", "password": "hunter2" }));
    assert_eq!(service.asked().iter().filter(|line| line.ends_with("/resume")).count(), 1);
}

#[test]
fn where_nobody_can_be_asked_the_servers_error_stands_with_a_hint() {
    let service = Service::with_courses([vec![unauthorized(false)]]);
    let mut command = std::process::Command::new("setsid");
    let bits = service.command(&["get", "--no-progress", URL]);
    command.arg("-w").arg(bits.get_program()).args(bits.get_args());
    command.env_clear().envs(bits.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").expect("a path")).stdin(Stdio::null());
    let outcome = ended(command);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("0x80190191"), "{outcome:?}");
    assert!(outcome.stderr.contains("give --user with --password-file"), "{outcome:?}");
}

#[test]
fn a_user_in_a_url_goes_to_the_service_and_nowhere_else() {
    let service = Service::with_courses([vec![unauthorized(true)]]);
    let outcome = get(&service, &["https://anna:hunter2@files.test/report.pdf", "--json", "-v"]);
    assert_eq!(outcome.code, Some(1));
    assert!(!(outcome.stdout + &outcome.stderr).contains("hunter2"));
    let sent = service.body("POST /v1/jobs/ID/files");
    assert_eq!(sent["files"][0]["remote_name"], "https://anna:hunter2@files.test/report.pdf");
}

#[test]
fn a_user_in_a_url_is_set_for_the_scheme_that_is_named() {
    let service = Service::with_courses([vec![acknowledged()]]);
    let outcome = get(&service, &["--auth", "basic", "http://anna:hunter2@files.test/report.pdf"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let set = "PUT /v1/jobs/ID/credentials/server/basic";
    assert_eq!(service.body(set), json!({ "user": "anna", "password": "hunter2" }));
    let sent = service.body("POST /v1/jobs/ID/files");
    assert_eq!(sent["files"][0]["remote_name"], "http://files.test/report.pdf");

    let two = ["--auth", "basic", "http://anna:hunter2@h/f", "http://ben:hunter2@h/g"];
    let outcome = get(&service, &two);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn basic_over_plain_http_works_with_a_warning() {
    let service = Service::with_courses([vec![acknowledged()]]);
    let password = service.place.path().join("p");
    fs::write(&password, "hunter2\n").expect("a file");
    let words = ["--user", "anna", "--password-file", password.to_str().expect("text"), "--auth", "basic"];
    let outcome = get(&service, &[&["http://files.test/f"], &words[..]].concat());
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("warning: with basic over plain http everybody"), "{outcome:?}");
    service.wait_for("PUT /v1/jobs/ID/credentials/server/basic");
}
