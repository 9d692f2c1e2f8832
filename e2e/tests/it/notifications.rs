//! Owners are told of their jobs: by commands and by webhooks, however often the service ends.

pub(crate) mod receiver;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bits_e2e::{Service, until};
use serde_json::{Value, json};

use receiver::Receiver;

const PATIENCE: Duration = Duration::from_secs(120);

/// A program of this world, which is a script.
fn script(service: &Service, name: &str, text: &str) -> PathBuf {
    let path = service.file(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file of this world");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("our own file");
    path
}

/// A suspended job for a file of this machine.
fn a_job(service: &Service, name: &str) -> String {
    let id = service.bits(["create", name]).finish().expect_code(0).stdout.trim().to_owned();
    let source = service.file("source");
    fs::write(&source, "content").expect("a file of this world");
    let url = format!("file://{}", source.display());
    let file = format!("came-{id}");
    service.bits(["add", &id, &url, &file]).finish().expect_code(0);
    id
}

fn set(service: &Service, id: &str, changes: &[String]) {
    let words = ["set", id].into_iter().chain(changes.iter().map(String::as_str));
    service.bits(words).finish().expect_code(0);
}

fn command(program: &Path, arguments: &[&str]) -> String {
    let words: Vec<&str> =
        [program.to_str().expect("UTF-8")].into_iter().chain(arguments.iter().copied()).collect();
    format!("notify-command={}", json!(words))
}

fn show(service: &Service, id: &str) -> Value {
    service.bits(["show", id, "--json"]).finish().expect_code(0).json()
}

fn resume(service: &Service, id: &str) {
    service.bits(["resume", id]).finish().expect_code(0);
}

fn wait_until_told(service: &Service, id: &str) {
    until(PATIENCE, "nothing is left to be told", || {
        (show(service, id)["notifications_pending"] == 0).then_some(())
    });
}

/// All that is written under the state folder.
fn all_state(service: &Service) -> Vec<u8> {
    let entries =
        fs::read_dir(service.state_folder()).expect("the folder").map(|entry| entry.expect("an entry"));
    entries.flat_map(|entry| fs::read(entry.path()).unwrap_or_default()).collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_command_is_given_just_its_arguments_whatever_they_look_like() {
    let service = Service::new();
    let seen = service.file("seen");
    let text =
        format!("printf '%s\\0' \"$@\" > '{0}.new'; env -0 >> '{0}.new'; mv '{0}.new' '{0}'", seen.display());
    let program = script(&service, "my $(touch made) 'program'", &text);
    let _running = service.start_as(service.bitsd().env("A_SECRET", "hunter2"));
    let name = "a \"name\" $(touch made) `touch made`; touch made";
    let id = a_job(&service, name);
    let hostile = ["a b", "", "$(touch made)", "`touch made`", "'; touch made; '", "two\nlines", "*", "-n"];
    set(&service, &id, &[command(&program, &hostile)]);
    resume(&service, &id);
    let seen = until(PATIENCE, "the command has run", || fs::read_to_string(&seen).ok());
    let parts: Vec<&str> = seen.split_terminator('\0').collect();
    assert_eq!(parts[..hostile.len()], hostile);
    let environment = &parts[hostile.len()..];
    for (name, value) in [
        ("BITS_JOB_ID", id.as_str()),
        ("BITS_JOB_NAME", name),
        ("BITS_JOB_STATE", "transferred"),
        ("BITS_EVENT", "transferred"),
    ] {
        assert!(environment.contains(&&*format!("{name}={value}")), "{name}: {environment:?}");
    }
    assert!(environment.iter().any(|one| one.starts_with("HOME=")), "{environment:?}");
    assert!(
        !environment.iter().any(|one| one.contains("hunter2") || one.starts_with("KRB5")),
        "{environment:?}"
    );
    wait_until_told(&service, &id);
    for place in [service.file("made"), service.folder().join("made"), PathBuf::from("/made")] {
        assert!(!place.exists(), "a shell has read something: {}", place.display());
    }
    let shown = service.bits(["show", &id]).finish().expect_code(0);
    assert!(shown.stdout.contains("\"two\\nlines\""), "{shown}");
}

#[test]
fn a_command_that_fails_is_run_again_and_how_it_fails_can_be_seen() {
    let service = Service::new();
    let runs = service.file("runs");
    let text = format!(
        "echo \"$BITS_EVENT $BITS_ERROR_CODE\" >> '{0}'; echo this is the output; [ $(wc -l < '{0}') -ge 3 ] || exit 7",
        runs.display()
    );
    let program = script(&service, "program", &text);
    let id = a_job(&service, "one that fails");
    fs::remove_file(service.file("source")).expect("it was there");
    set(&service, &id, &[command(&program, &[])]);
    resume(&service, &id);
    let failure = until(PATIENCE, "it is said how the command fails", || {
        show(&service, &id)["notification_failure"].as_str().map(str::to_owned)
    });
    assert_eq!(failure, "the notification command for error: it ended with exit code 7");
    wait_until_told(&service, &id);
    let job = show(&service, &id);
    assert_eq!((&job["state"], &job["notification_failure"]), (&json!("error"), &Value::Null));
    let code = job["error"]["code"].as_str().expect("a code");
    let runs = fs::read_to_string(&runs).expect("it has run");
    assert_eq!(runs, format!("error {code}\n").repeat(3));
    let log = fs::read_to_string(service.state_folder().join("bitsd.log")).expect("a log");
    assert!(log.contains("this is the output") && log.contains("exit code 7"), "{log}");

    // One that is not there is said to be so, and is run when it is.
    let marker = service.file("marker");
    let missing = service.file("missing");
    set(&service, &id, &[command(&missing, &[])]);
    let failure = until(PATIENCE, "it is said that the program is missing", || {
        show(&service, &id)["notification_failure"].as_str().map(str::to_owned)
    });
    assert!(failure.contains("cannot be started: No such file"), "{failure}");
    script(&service, "missing", &format!("touch '{}'", marker.display()));
    until(PATIENCE, "it has run", || marker.exists().then_some(()));
}

#[test]
fn no_kill_of_the_service_loses_a_command() {
    const KILLS: u64 = 12;
    let service = Service::new();
    let text = format!("touch \"{}/ran-$BITS_JOB_ID\"", service.file("").display());
    let program = script(&service, "program", &text);
    for round in 0..KILLS {
        service.bits(["service", "start"]).finish().expect_code(0);
        let id = a_job(&service, "killed");
        set(&service, &id, &[command(&program, &[])]);
        let pid = service.pid().expect("it runs");
        resume(&service, &id);
        // Nothing is waited for here: the moments of the kills are spread over what all this takes.
        std::thread::sleep(Duration::from_millis(4 * round));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
        service.bits(["service", "start"]).finish().expect_code(0);
        until(PATIENCE, format_args!("round {round}: the command has run"), || {
            service.file(format!("ran-{id}")).exists().then_some(())
        });
        wait_until_told(&service, &id);
    }
}

#[test]
fn a_command_that_runs_when_the_service_is_killed_is_run_again() {
    let service = Service::new();
    let (begun, go) = (service.file("begun"), service.file("go"));
    let text =
        format!("echo >> '{}'; while [ ! -e '{}' ]; do sleep 0.05; done", begun.display(), go.display());
    let program = script(&service, "program", &text);
    let id = a_job(&service, "killed");
    set(&service, &id, &[command(&program, &[])]);
    resume(&service, &id);
    let times = || fs::read_to_string(&begun).map_or(0, |text| text.lines().count());
    until(PATIENCE, "the command runs", || (times() == 1).then_some(()));
    let pid = service.pid().expect("it runs");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    service.bits(["service", "start"]).finish().expect_code(0);
    until(PATIENCE, "the command runs again", || (times() == 2).then_some(()));
    fs::write(&go, "").expect("a file of this world");
    wait_until_told(&service, &id);
    assert_eq!(times(), 2);
}

#[test]
fn a_service_that_stops_ends_a_command_and_what_it_has_started() {
    let service = Service::new();
    let pid_file = service.file("pid");
    let text = format!("sleep 300 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait", pid_file.display());
    let program = script(&service, "slow", &text);
    let id = a_job(&service, "slow");
    set(&service, &id, &[command(&program, &[])]);
    resume(&service, &id);
    let pid = until(PATIENCE, "the command runs", || fs::read_to_string(&pid_file).ok());
    service.bits(["service", "stop"]).finish().expect_code(0);
    let stat = format!("/proc/{}/stat", pid.trim());
    until(PATIENCE, "what the command has started is gone", || {
        // One that nobody has fetched yet is over, too.
        let is_over = |stat: String| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
        fs::read_to_string(&stat).map_or(true, is_over).then_some(())
    });
}

#[test]
fn a_completed_job_needs_no_command_and_a_forbidden_command_is_refused() {
    let service = Service::new();
    let marker = service.file("marker");
    let failing = script(&service, "failing", &format!("echo >> '{}'; exit 1", marker.display()));
    let id = a_job(&service, "completed");
    set(&service, &id, &[command(&failing, &[]), "minimum-retry-delay=600".to_owned()]);
    resume(&service, &id);
    until(PATIENCE, "the command has failed", || {
        show(&service, &id)["notification_failure"].as_str().map(drop)
    });
    assert_eq!(show(&service, &id)["notifications_pending"], 1);
    service.bits(["complete", &id]).finish().expect_code(0);
    assert_eq!(show(&service, &id)["notifications_pending"], 0);

    service.bits(["service", "stop"]).finish().expect_code(0);
    service.configure("notify_commands = \"off\"\n");
    let id = a_job(&service, "forbidden");
    let refused = service.bits(["set", &id, &command(&failing, &[])]).finish().expect_code(4);
    assert!(refused.stderr.contains("notify_commands is off"), "{refused}");
    assert_eq!(show(&service, &id)["notify_command"], Value::Null);
}

#[test]
fn a_webhook_is_signed_sent_until_it_is_taken_and_survives_the_service() {
    const SECRET: &str = "Zx9-webhook-ünlikely!";
    let service = Service::new();
    let receiver = Receiver::start();
    let secret = service.file("secret");
    fs::write(&secret, SECRET).expect("a file of this world");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("our own file");
    let id = a_job(&service, "told");
    let changes = [
        format!("notify-webhook={}", receiver.url()),
        format!("notify-webhook-secret-file={}", secret.display()),
    ];
    set(&service, &id, &changes);
    receiver.answer(500);
    resume(&service, &id);
    let first = receiver.next();
    let failure = until(PATIENCE, "it is said how the webhook fails", || {
        show(&service, &id)["notification_failure"].as_str().map(str::to_owned)
    });
    assert_eq!(failure, format!("the webhook for transferred: {} answered 500", receiver.authority()));

    // A redirect is not followed, and what is answered beside the status is of no matter.
    receiver.answer(307);
    service.bits(["service", "stop"]).finish().expect_code(0);
    while receiver.try_next().is_some() {}
    service.bits(["service", "start"]).finish().expect_code(0);
    let second = receiver.next();
    receiver.answer(200);
    wait_until_told(&service, &id);
    assert_eq!(show(&service, &id)["notification_failure"], Value::Null);
    for request in [&first, &second] {
        assert_eq!(request.line, "POST /hook?a=b HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("webhook-id"), first.header("webhook-id"), "the same for each try");
        assert!(request.is_signed_by(SECRET), "{request:?}");
        assert!(!request.is_signed_by("another"), "{request:?}");
        assert!(!request.with_body(&format!("{} ", request.body)).is_signed_by(SECRET), "{request:?}");
        let body: Value = serde_json::from_str(&request.body).expect("it is JSON");
        assert_eq!((&body["type"], &body["data"]["job"]), (&json!("job.transferred"), &json!(id)));
        assert_eq!((&body["data"]["files_transferred"], &body["data"]["error"]), (&json!(1), &Value::Null));
    }
    while receiver.try_next().is_some() {}

    assert!(!has(&all_state(&service), SECRET), "the secret is in no file of the service");
    let shown = service.bits(["show", &id, "--json"]).finish().expect_code(0);
    let exported = service.bits(["service", "export"]).finish().expect_code(0);
    for text in [&shown.stdout, &exported.stdout] {
        assert!(!text.contains("Zx9"), "{text}");
    }
    assert!(exported.stdout.contains("webhook_secret"), "it is named as left out: {exported}");

    // The same server by another path is told by the same secret, and another server by none.
    let told_with = |url: &str| {
        let set = service.bits(["set", &id, &format!("notify-webhook={url}")]).finish().expect_code(0);
        let shown = service.bits(["show", &id]).finish().expect_code(0).stdout;
        (receiver.next(), set.stderr, shown)
    };
    let (request, said, shown) = told_with(&receiver.url().replace("hook", "other"));
    assert!(request.line.starts_with("POST /other") && request.is_signed_by(SECRET), "{request:?}");
    assert!(said.is_empty() && shown.contains("(signed)"), "{said} {shown}");
    let (request, said, shown) = told_with(&receiver.url().replace("127.0.0.1", "localhost"));
    assert_eq!(request.header("webhook-signature"), None, "{request:?}");
    assert!(said.contains("secret") && said.contains("not signed"), "{said}");
    assert!(shown.contains("not signed"), "{shown}");
}

#[test]
fn a_webhook_of_a_job_that_is_completed_by_itself_is_signed_though_its_secrets_are_gone() {
    let service = Service::new();
    let receiver = Receiver::start();
    let secret = service.file("secret");
    fs::write(&secret, "whsec_c2VjcmV0").expect("a file of this world");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("our own file");
    let id = a_job(&service, "told");
    set(
        &service,
        &id,
        &[
            "complete-when-done=true".to_owned(),
            format!("notify-webhook={}", receiver.url()),
            format!("notify-webhook-secret-file={}", secret.display()),
        ],
    );
    receiver.answer(503);
    resume(&service, &id);
    receiver.next();
    receiver.answer(204);
    let request = receiver.next();
    assert!(request.is_signed_by("secret"), "{request:?}");
    let body: Value = serde_json::from_str(&request.body).expect("it is JSON");
    assert_eq!(body["data"]["state"], "acknowledged", "its file has its name: {body}");
    assert!(service.file(format!("came-{id}")).exists());
    wait_until_told(&service, &id);
}
