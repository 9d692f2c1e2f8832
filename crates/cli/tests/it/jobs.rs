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
fn a_list_is_added_in_one_request() {
    let service = Service::with_courses([]);
    let folder = service.place.path().canonicalize().expect("a folder");
    std::fs::create_dir(folder.join("in")).expect("a folder");
    std::fs::write(folder.join("list"), "# two\nhttp://h/a\n\nhttp://h/b c d\n").expect("a file");
    let outcome = bits(&service, &["add", ID, "-i", "list", "in", "--no-clobber", "-v"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("added 2 files to report.pdf"), "{outcome:?}");
    let files = service.body("POST /v1/jobs/ID/files")["files"].clone();
    let sent: Vec<_> = files.as_array().expect("files").iter().collect();
    assert_eq!(sent.len(), 2);
    for (file, (remote, local)) in sent.iter().zip([("http://h/a", "in/a"), ("http://h/b", "in/c d")]) {
        assert_eq!(file["remote_name"], remote);
        assert_eq!(file["local_name"].as_str(), folder.join(local).to_str());
        assert_eq!(file["no_clobber"], true);
    }
    assert_eq!(service.asked().iter().filter(|line| line.ends_with("/files")).count(), 1);
}

#[test]
fn one_checksum_is_not_for_a_list_of_several_files() {
    let service = Service::with_courses([]);
    let checksum = format!("sha256:{}", "0".repeat(64));
    for (list, code) in [("http://h/a\nhttp://h/b\n", Some(2)), ("http://h/a\n", Some(0))] {
        std::fs::write(service.place.path().join("list"), list).expect("a file");
        let outcome = bits(&service, &["add", ID, "-i", "list", "--checksum", &checksum]);
        assert_eq!(outcome.code, code, "{outcome:?}");
    }
    assert_eq!(service.body("POST /v1/jobs/ID/files")["files"][0]["checksum"], checksum.as_str());
}

#[test]
fn of_a_list_that_is_refused_on_the_way_it_is_told_what_was_added() {
    let service = Service::with_courses([]).refusing("/files");
    let list: String = (0..1001).map(|n| format!("http://h/{n}\n")).collect();
    std::fs::write(service.place.path().join("list"), list).expect("a file");
    let outcome = bits(&service, &["add", ID, "-i", "list"]);
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (Some(4), "error: no (E_ACCESSDENIED, 0x80070005)\n")
    );
    let service = service.refusing_after("/files", 1);
    let outcome = bits(&service, &["add", ID, "-i", "list"]);
    assert_eq!(outcome.code, Some(4));
    assert!(outcome.stderr.contains("warning: the first 1000 files of the list were added"), "{outcome:?}");
}

#[test]
fn files_on_demand_are_asked_for_by_ranges() {
    let service = Service::with_courses([]);
    let listed = bits(&service, &["ranges", "list", ID]);
    assert_eq!((listed.code, listed.stdout.as_str()), (Some(0), "0:5\n9:1\n"));
    let asked = bits(&service, &["ranges", "request", ID, "--file", "2", "100:50", "0:eof"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert_eq!(asked.stderr, "it comes when the job runs: bits resume 8e2d0a1b\n");
    let body = service.body("POST /v1/jobs/ID/files/2/ranges");
    let ranges = serde_json::json!([{ "offset": 100, "length": 50 }, { "offset": 0, "length": null }]);
    assert_eq!(body["ranges"], ranges);
    assert_eq!(bits(&service, &["ranges", "position", ID, "4096", "-q"]).code, Some(0));
    let body = service.body("PUT /v1/jobs/ID/files/0/position");
    assert_eq!(body, serde_json::json!({ "offset": 4096 }));
    for words in
        [&["ranges", "request", ID][..], &["ranges", "request", ID, "7"], &["ranges", "position", ID]]
    {
        assert_eq!(bits(&service, words).code, Some(2), "{words:?}");
    }
}

#[test]
fn completing_a_job_on_demand_says_what_is_not_kept() {
    let on_demand = serde_json::json!({ "on_demand": true, "state": "suspended",
        "wait": { "reason": "demand", "needs": null, "until": null } });
    let service = Service::with_courses([vec![on_demand]]);
    assert_eq!(bits(&service, &["resume", ID]).code, Some(0));
    let shown = bits(&service, &["show", ID]).stdout;
    assert!(shown.contains("bits complete 8e2d0a1b would keep whole files alone"), "{shown}");
    let outcome = bits(&service, &["complete", ID]);
    assert_eq!(outcome.code, Some(0));
    assert_eq!(
        outcome.stderr,
        "report.pdf: the files that were whole are in place; the others are gone (BG_S_PARTIAL_COMPLETE, \
         0x00200017)\n\
         of a file that comes by ranges nothing is kept unless all of it is here; `bits ranges position JOB 0` \
         has all of it come\n"
    );
}

#[test]
fn a_password_in_the_url_of_a_file_is_warned_about_where_others_can_read_it() {
    let service = Service::with_courses([]);
    let url = "http://anna:hunter2@h/f";
    let outcome = bits(&service, &["add", ID, url, "f"]);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.starts_with("warning: others on this machine can read a password"), "{outcome:?}");
    std::fs::write(service.place.path().join("list"), url).expect("a file");
    let outcome = bits(&service, &["add", ID, "-i", "list"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "a list is in a file of its own");
}

#[test]
fn a_document_that_cannot_be_written_is_refused_like_one_that_cannot_be_read() {
    let service = Service::with_courses([]);
    for words in [["service", "export", "/nowhere/queue"], ["service", "import", "/nowhere/queue"]] {
        let outcome = bits(&service, &words);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with("error: /nowhere/queue cannot be "), "{outcome:?}");
    }
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
