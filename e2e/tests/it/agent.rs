//! Background jobs that need credentials, an agent that asks a person for them, and what a person
//! keeps: against real servers.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bits_e2e::{Peers, Running, Service, peers, sha256, until};

const PATIENCE: Duration = Duration::from_secs(120);
const RIGHT: &str = "secret";
/// A password that is nobody's, to be searched for.
const SENTINEL: &str = "sentinel-7731-plain";

/// A world that trusts the peers' authority, and keeps what is saved in the sealed file.
fn world(peers: &Peers) -> Service {
    let service = Service::new();
    service.configure(&format!("extra_ca = \"{}\"\n", peers.ca().display()));
    service
}

/// Writes the program that the agent asks with: it answers with `user` and what `password` prints,
/// or refuses to.
fn set_askpass(service: &Service, user: &str, password: &str) {
    let script = format!(
        "#!/bin/sh\necho \"$1\" >>'{}'\ncase \"$1\" in\n*'User name'*) echo {user} ;;\n*) {password} ;;\nesac\n",
        service.file("asked").display()
    );
    // Put in its place whole: the agent may run it at any moment.
    fs::write(service.file("askpass.new"), script).expect("a file of this world");
    fs::set_permissions(service.file("askpass.new"), Permissions::from_mode(0o755)).expect("our own file");
    fs::rename(service.file("askpass.new"), service.file("askpass")).expect("our own file");
}

/// How often a password was asked for.
fn passwords_asked(service: &Service) -> usize {
    let asked = fs::read_to_string(service.file("asked")).unwrap_or_default();
    asked.lines().filter(|line| line.contains("Password for")).count()
}

fn agent(service: &Service, words: &[&str]) -> Running {
    let run = service.bits([&["agent", "--json"], words].concat());
    let run = run.env("BITS_ASKPASS", service.file("askpass")).env("BITS_CREDENTIAL_STORE", "file");
    let running = run.within(Duration::from_secs(300)).spawn();
    running.wait_for_stdout("\"connected\"");
    running
}

/// A background job for `url`, which is let run.
fn background_job(service: &Service, url: &str, name: &str) -> String {
    let made = service.bits(["create", name]).finish().expect_code(0);
    let id = made.stdout.trim().to_owned();
    service.bits(["add", &id, url, name]).finish().expect_code(0);
    service.bits(["resume", &id]).finish().expect_code(0);
    id
}

/// Waits until the job is in `state`, with this wait reason if one is given.
fn job_until(service: &Service, id: &str, state: &str, needs: Option<&str>) -> serde_json::Value {
    until(PATIENCE, format!("{id} is {state} {needs:?}"), || {
        let job = service.bits(["show", id, "--json"]).finish().expect_code(0).json();
        (job["state"] == state && job["wait"]["needs"].as_str() == needs).then_some(job)
    })
}

#[test]
fn a_background_job_goes_on_with_what_the_agent_was_told() {
    let Some(peers) = peers() else { return };
    let tls = |target: &str| format!("{}{target}", peers.line("APACHE_TLS_URL"));
    for (what, url) in [("digest", peers.apache.url("/digest/hello.txt")), ("basic", tls("/basic/hello.txt"))]
    {
        let service = world(peers);
        set_askpass(&service, "alice", &format!("echo {RIGHT}"));
        let agent = agent(&service, &[]);
        let id = background_job(&service, &url, what);
        job_until(&service, &id, "transferred", None);
        agent.wait_for_stdout("\"answered\"");
        service.bits(["complete", &id]).finish().expect_code(0);
        assert_eq!(sha256(service.file(what)), sha256(peers.apache.file("hello.txt")), "{what}");
        let asked = fs::read_to_string(service.file("asked")).expect("it was asked");
        assert!(!asked.contains(RIGHT), "{asked}");
    }
}

#[test]
fn without_an_agent_it_is_in_error_and_an_agent_that_comes_later_is_asked() {
    let Some(peers) = peers() else { return };
    let service = world(peers);
    let id = background_job(&service, &peers.apache.url("/digest/hello.txt"), "file");
    let job = job_until(&service, &id, "error", None);
    assert_eq!(job["error"]["code"], "0x80190191");
    set_askpass(&service, "alice", &format!("echo {RIGHT}"));
    let _agent = agent(&service, &[]);
    job_until(&service, &id, "transferred", None);
}

#[test]
fn a_wrong_answer_for_many_jobs_is_one_failed_logon() {
    let Some(peers) = peers() else { return };
    let service = world(peers);
    let first = format!(
        "if [ -e '{0}' ]; then echo {RIGHT}; else touch '{0}'; echo wrong; fi",
        service.file("once").display()
    );
    // The person takes the time that the jobs need to come together.
    let gate = service.file("gate");
    let waits = format!("until [ -e '{}' ]; do sleep 0.05; done; {first}", gate.display());
    set_askpass(&service, "alice", &waits);
    let _agent = agent(&service, &[]);
    let targets = [1, 2, 3].map(|number| (number, peers.apache.unique("/digest/hello.txt")));
    let jobs = targets.clone().map(|(number, target)| {
        let id = background_job(&service, &peers.apache.url(&target), &format!("file{number}"));
        job_until(&service, &id, "queued", Some("answer"));
        id
    });
    fs::write(gate, "").expect("a file of this world");
    for id in &jobs {
        job_until(&service, id, "transferred", None);
    }
    assert_eq!(passwords_asked(&service), 2, "once, and once again");
    let refused: usize = targets
        .iter()
        .map(|(_, target)| {
            let requests = peers.apache.requests(target);
            requests.iter().filter(|request| request.scheme.is_some() && request.status == 401).count()
        })
        .sum();
    assert_eq!(refused, 1, "the wrong password was tested once");
}

#[test]
fn who_cancels_leaves_the_job_in_error() {
    let Some(peers) = peers() else { return };
    let service = world(peers);
    set_askpass(&service, "alice", "exit 1");
    let _agent = agent(&service, &[]);
    let id = background_job(&service, &peers.apache.url("/digest/hello.txt"), "file");
    let job = job_until(&service, &id, "error", None);
    assert_eq!(job["error"]["code"], "0x800704C7", "{job}");
}

#[test]
fn a_job_that_waits_survives_a_service_that_is_killed() {
    let Some(peers) = peers() else { return };
    let service = world(peers);
    let gate = service.file("gate");
    let waits = format!("until [ -e '{}' ]; do sleep 0.05; done; echo {RIGHT}", gate.display());
    set_askpass(&service, "alice", &waits);
    let _running = service.start();
    let agent = agent(&service, &[]);
    let id = background_job(&service, &peers.apache.url("/digest/hello.txt"), "file");
    job_until(&service, &id, "queued", Some("answer"));
    service.kill();
    let _again = service.start();
    job_until(&service, &id, "queued", Some("answer"));
    fs::write(gate, "").expect("a file of this world");
    job_until(&service, &id, "transferred", None);
    drop(agent);
}

#[test]
fn what_is_saved_or_in_a_netrc_file_is_used_and_lies_nowhere_in_plain() {
    let Some(peers) = peers() else { return };
    let service = world(peers);
    let private = |name: &str, text: &str| {
        fs::write(service.file(name), text).expect("a file of this world");
        fs::set_permissions(service.file(name), Permissions::from_mode(0o600)).expect("our own file");
    };
    private("password", RIGHT);
    let url = peers.apache.url("/digest/hello.txt");
    let bits = |words: &[&str]| service.bits(words).env("BITS_CREDENTIAL_STORE", "file");
    bits(&["credentials", "save", "work", "--user", "alice", "--password-file", "password"])
        .finish()
        .expect_code(0);
    fs::remove_file(service.file("password")).expect("it was there");
    bits(&["get", &url, "saved", "--credential", "work"]).finish().expect_code(0);
    // Saved, given to a job, refused, and still with the job: it lies about as long as it can.
    private("password", SENTINEL);
    bits(&["credentials", "save", "other", "--user", "alice", "--password-file", "password"])
        .finish()
        .expect_code(0);
    fs::remove_file(service.file("password")).expect("it was there");
    bits(&["get", &url, "refused", "--credential", "other"]).finish().expect_code(1);
    assert_holds_no(service.folder(), SENTINEL.as_bytes());

    let host = url.trim_start_matches("http://").split([':', '/']).next().expect("a URL has a host");
    private("netrc", &format!("machine {host} login alice password {RIGHT}\n"));
    bits(&["get", &url, "netrc-got", "--netrc-file", "netrc"]).finish().expect_code(0);
    for name in ["saved", "netrc-got"] {
        assert_eq!(sha256(service.file(name)), sha256(peers.apache.file("hello.txt")), "{name}");
    }
}

/// That no file in `folder` has `secret` in it.
fn assert_holds_no(folder: &Path, secret: &[u8]) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_holds_no(&path, secret);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            let found = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!found, "{} has the password", path.display());
        }
    }
}
