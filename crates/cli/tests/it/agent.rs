//! An agent at work: what it asks, what it answers, and what it keeps.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bits::install_script;
use crate::service::{Service, challenge};

/// A program of the askpass convention that knows these answers; `exit 1` cancels.
pub(crate) fn askpass(service: &Service, user: &str, password: &str) -> std::path::PathBuf {
    let path = service.place.path().join("askpass");
    let script = format!(
        "#!/bin/sh\necho \"$1\" >>{}\ncase \"$1\" in\n*'User name'*) {user} ;;\n*) {password} ;;\nesac\n",
        service.place.path().join("asked").display()
    );
    install_script(&script, &path);
    path
}

/// An agent that tells programs what it does. Dropped it is interrupted, and has to end well.
struct Agent {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Agent {
    fn start(service: &Service, words: &[&str]) -> Self {
        let words = [&["agent", "--json"], words].concat();
        let mut command = service.command(&words);
        let askpass = service.place.path().join("askpass");
        command.env("BITS_ASKPASS", askpass).env("BITS_CREDENTIAL_STORE", "file");
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it runs");
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for the event; its body.
    fn see(&self, event: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no {event}"));
            assert!(line.starts_with("{\"event\":\""), "the event comes first: {line}");
            let body: Value = serde_json::from_str(&line).expect("JSON");
            if body["event"] == event {
                return body;
            }
        }
    }

    fn interrupt(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("/bin/kill").args(["-INT", &pid]).status().expect("kill runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ANSWER: &str = "POST /v1/challenges/a.1";

#[test]
fn an_agent_asks_answers_and_ends_by_ctrl_c() {
    let service = Service::with_courses([]).asking([challenge("a.1", false), challenge("a.2", true)]);
    askpass(&service, r"printf '%s\n' 'CORP\anna'", "echo hunter2");
    let agent = Agent::start(&service, &[]);
    assert_eq!(agent.see("challenge")["challenge"]["error"]["challenge"]["host"], "files.test");
    agent.see("connected");
    assert_eq!(agent.see("answered")["jobs"], 2);
    let body = json!({ "credentials": { "user": r"CORP\anna", "password": "hunter2" } });
    assert_eq!(service.body(ANSWER), body);
    agent.see("challenge");
    agent.see("answered");
    assert_eq!(agent.interrupt(), Some(0));
    let asked = std::fs::read_to_string(service.place.path().join("asked")).expect("what was asked");
    assert!(asked.contains("server https://files.test") && asked.contains("the office"), "{asked}");
    assert!(!asked.contains("hunter2"));
}

#[test]
fn who_cancels_declines() {
    let service = Service::with_courses([]).asking([challenge("a.1", false)]);
    askpass(&service, "exit 1", "exit 1");
    let agent = Agent::start(&service, &[]);
    assert_eq!(agent.see("declined")["why"], "cancelled");
    assert_eq!(service.body(ANSWER), json!({ "declined": "cancelled" }));
}

#[test]
fn saved_credentials_answer_first_and_are_forgotten_when_they_are_refused() {
    let service = Service::with_courses([]).asking([challenge("a.1", false), challenge("a.2", true)]);
    askpass(&service, "echo anna", "echo typed");
    save(&service, &[]);
    save(&service, &["--scheme", "digest"]);

    let agent = Agent::start(&service, &[]);
    assert_eq!(agent.see("answered")["from"], "saved");
    assert_eq!(service.body(ANSWER)["credentials"]["password"], "saved");
    assert_eq!(agent.see("answered")["from"], "prompt");
    assert_eq!(service.body("POST /v1/challenges/a.2")["credentials"]["password"], "typed");
    drop(agent);
    let mut list = service.command(&["credentials", "list", "--json"]);
    list.env("BITS_CREDENTIAL_STORE", "file");
    // What is for another scheme was not refused.
    let left = json!([{ "name": "files.test", "scheme": "digest", "user": "anna" }]);
    let listed: Value = serde_json::from_str(&crate::bits::ended(list).stdout).expect("JSON");
    assert_eq!(listed, left);
}

/// Saves the password `saved` of anna for `files.test`.
fn save(service: &Service, words: &[&str]) {
    let mut save = service.command(&["credentials", "save", "files.test", "--user", "anna"]);
    save.env("BITS_CREDENTIAL_STORE", "file").args(["--password-file", "/dev/stdin"]).args(words);
    save.stdin(Stdio::piped());
    let mut saving = save.spawn().expect("it runs");
    std::io::Write::write_all(&mut saving.stdin.take().expect("a pipe"), b"saved\n").expect("typed");
    assert_eq!(saving.wait().expect("it ends").code(), Some(0));
}

#[test]
fn basic_alone_over_plain_http_is_not_answered_without_leave() {
    for (words, expected) in [(&[][..], "declined"), (&["--auth", "basic"], "answered")] {
        let mut asked = challenge("a.1", false);
        asked["error"]["challenge"]["schemes"] = json!(["basic"]);
        // Not the server that the file is from: whether it has TLS is not known.
        asked["error"]["challenge"]["host"] = json!("elsewhere.test");
        let service = Service::with_courses([]).asking([asked]);
        askpass(&service, "echo anna", "echo hunter2");
        service.serve_plain();
        let agent = Agent::start(&service, words);
        agent.see(expected);
        let body = service.body(ANSWER);
        assert_eq!(body["declined"], if expected == "declined" { json!("unable") } else { Value::Null });
        assert_eq!(body["scheme"], if expected == "answered" { json!("basic") } else { Value::Null });
    }
}

#[test]
fn what_is_saved_for_any_scheme_is_no_leave_for_basic_over_plain_http() {
    for (words, expected) in [(&[][..], "declined"), (&["--scheme", "basic"], "answered")] {
        let mut asked = challenge("a.1", false);
        asked["error"]["challenge"]["schemes"] = json!(["basic"]);
        let service = Service::with_courses([]).asking([asked]);
        askpass(&service, "exit 1", "exit 1");
        save(&service, words);
        service.serve_plain();
        let agent = Agent::start(&service, &[]);
        agent.see(expected);
        assert_eq!(service.body(ANSWER)["declined"].is_null(), expected == "answered");
    }
}

#[test]
fn a_proxy_is_not_taken_for_safe_because_the_server_is() {
    let mut asked = challenge("a.1", false);
    asked["error"]["challenge"]["schemes"] = json!(["basic"]);
    asked["error"]["challenge"]["target"] = json!("proxy");
    let service = Service::with_courses([]).asking([asked]);
    askpass(&service, "echo anna", "echo hunter2");
    let agent = Agent::start(&service, &[]);
    agent.see("declined");
    assert_eq!(service.body(ANSWER), json!({ "declined": "unable" }));
}

#[test]
fn without_anybody_to_ask_there_is_no_agent() {
    let service = Service::with_courses([]);
    let bits = service.command(&["agent"]);
    // Without a terminal, and with no folder in which a program to ask with could be.
    let mut command = Command::new("/usr/bin/setsid");
    command.arg("--wait").arg(bits.get_program()).args(bits.get_args());
    command.env_clear().envs(bits.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let outcome = crate::bits::ended(command);
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    assert!(outcome.stderr.contains("(1312)"), "{outcome:?}");
    assert_eq!(service.asked(), Vec::<String>::new());
}
