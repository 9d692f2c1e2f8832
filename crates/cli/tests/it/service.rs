//! A service that has one job and does with it what a script says.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bits::Place;

/// What happens to the job after it is resumed: fields that change, one event after the other.
pub(crate) type Course = Vec<Value>;

/// The service, its job, and what it was asked.
pub(crate) struct Service {
    pub(crate) place: Place,
    state: Arc<Mutex<State>>,
}

struct State {
    version: &'static str,
    job: Value,
    files: Vec<Value>,
    courses: VecDeque<Course>,
    watchers: Vec<Sender<String>>,
    asked: Vec<(String, String)>,
    /// What an agent is asked, one after the other.
    challenges: VecDeque<Value>,
    /// Refuses the operation whose path ends so, after it was carried out so many times.
    refuses: Option<(&'static str, usize)>,
}

impl Service {
    /// A service whose job takes these courses, one after each `resume`.
    pub(crate) fn with_courses(courses: impl IntoIterator<Item = Course>) -> Self {
        let place = Place::new();
        let state = Arc::new(Mutex::new(State {
            version: env!("CARGO_PKG_VERSION"),
            job: a_job(),
            files: Vec::new(),
            courses: courses.into_iter().collect(),
            watchers: Vec::new(),
            asked: Vec::new(),
            challenges: VecDeque::new(),
            refuses: None,
        }));
        let listener = UnixListener::bind(place.path().join("s")).expect("a socket");
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { place, state }
    }

    pub(crate) fn of_version(self, version: &'static str) -> Self {
        self.state.lock().expect("no thread panics").version = version;
        self
    }

    /// Asks agents these, each when the one before it was answered.
    pub(crate) fn asking(self, challenges: impl IntoIterator<Item = Value>) -> Self {
        let mut state = self.state.lock().expect("no thread panics");
        state.challenges = challenges.into_iter().collect();
        state.files.push(json!({ "index": 0, "remote_name": "https://files.test/report.pdf",
            "local_name": "/tmp/f", "bytes_total": null, "bytes_transferred": 0, "completed": false }));
        drop(state);
        self
    }

    /// The job's file comes by plain http.
    pub(crate) fn serve_plain(&self) {
        let mut state = self.state.lock().expect("no thread panics");
        state.files[0]["remote_name"] = json!("http://files.test/report.pdf");
    }

    pub(crate) fn refusing(self, path_end: &'static str) -> Self {
        self.refusing_after(path_end, 0)
    }

    pub(crate) fn refusing_after(self, path_end: &'static str, times: usize) -> Self {
        self.state.lock().expect("no thread panics").refuses = Some((path_end, times));
        self
    }

    /// `bits` with these words, talking to this service.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.place.command(words);
        command.env("BITS_SOCKET", self.place.path().join("s"));
        command
    }

    /// What was asked, without the looks at the service itself.
    pub(crate) fn asked(&self) -> Vec<String> {
        let state = self.state.lock().expect("no thread panics");
        let id = state.job["id"].as_str().expect("an id").to_owned();
        let lines = state.asked.iter().map(|(line, _)| line.replace(&id, "ID"));
        lines.filter(|line| line != "GET /v1/about").collect()
    }

    /// The body of the first request for `line`, in which the job is called `ID`.
    pub(crate) fn body(&self, line: &str) -> Value {
        let state = self.state.lock().expect("no thread panics");
        let id = state.job["id"].as_str().expect("an id").to_owned();
        let asked = state.asked.iter().find(|(asked, _)| asked.replace(&id, "ID") == line);
        serde_json::from_str(&asked.expect("it was asked").1).expect("JSON")
    }

    /// Waits until `line` has been asked.
    pub(crate) fn wait_for(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.asked().iter().any(|asked| asked == line) {
            assert!(Instant::now() < deadline, "{line} was never asked: {:?}", self.asked());
            std::thread::yield_now();
        }
    }
}

fn a_job() -> Value {
    json!({
        "id": "8e2d0a1b-0203-4405-8607-08090a0b0c0d", "revision": 1, "display_name": "report.pdf",
        "description": "", "type": "download", "state": "suspended", "priority": "foreground",
        "owner": { "id": "1000", "name": "anna" },
        "progress": {
            "bytes_total": 2048, "bytes_transferred": 0, "files_total": 1, "files_transferred": 0
        },
        "times": { "created": "2026-11-23T06:00:00.000Z", "modified": "2026-11-23T06:00:00.000Z",
            "transfer_completed": null },
        "error": null, "error_count": 0, "wait": null, "minimum_retry_delay": null,
        "no_progress_timeout": 1_209_600, "complete_when_done": true
    })
}

fn serve(stream: UnixStream, state: &Mutex<State>) {
    let Some((line, body)) = read(&stream) else { return };
    let mut stream = stream;
    let mut locked = state.lock().expect("no thread panics");
    locked.asked.push((line.clone(), body.clone()));
    let is_refused = match &mut locked.refuses {
        Some((end, 0)) => line.ends_with(*end),
        Some((end, times)) if line.ends_with(*end) => {
            *times -= 1;
            false
        }
        _ => false,
    };
    if is_refused {
        let problem =
            json!({ "code": "0x80070005", "name": "E_ACCESSDENIED", "message": "no", "request": "r" });
        return answer(&mut stream, 403, &problem);
    }
    let path = line.split('?').next().expect("a path");
    let (method, path) = path.split_once(' ').expect("a method");
    match (method, path.rsplit('/').next().expect("a segment")) {
        ("GET", "events") if path.ends_with("/challenges/events") => {
            let (sender, events) = channel();
            let first = locked.challenges.pop_front();
            for event in first.iter().map(challenge_event).chain(["event: ready\ndata: {}\n\n".to_owned()]) {
                sender.send(event).expect("it is listened to");
            }
            locked.watchers.push(sender);
            drop(locked);
            send_events(&mut stream, events.iter());
        }
        ("POST", _) if path.starts_with("/v1/challenges/") => {
            answer(&mut stream, 200, &json!({ "jobs": 2 }));
            if let Some(next) = locked.challenges.pop_front() {
                locked.watchers.retain(|watcher| watcher.send(challenge_event(&next)).is_ok());
            }
        }
        (_, "about") => {
            let about = json!({ "version": locked.version, "api": 1, "pid": 1, "started": "", "socket": "",
                "state_folder": "", "log": "", "key_source": "", "jobs": {}, "notices": [] });
            answer(&mut stream, 200, &about);
        }
        ("POST", "jobs") => {
            let body: Value = serde_json::from_str(&body).expect("JSON");
            locked.job["id"] = body["id"].clone();
            locked.job["display_name"] = body["display_name"].clone();
            answer(&mut stream, 201, &locked.job);
        }
        ("POST", "files") => {
            let body: Value = serde_json::from_str(&body).expect("JSON");
            for file in body["files"].as_array().expect("files") {
                let index = locked.files.len();
                let remote = file["remote_name"].as_str().expect("a name").replace("anna:hunter2@", "");
                locked.files.push(json!({ "index": index, "remote_name": remote,
                    "local_name": file["local_name"], "bytes_total": 2048, "bytes_transferred": 2048,
                    "completed": true }));
            }
            answer(&mut stream, 200, &locked.job);
        }
        ("GET", "ranges") => {
            let filled = json!([{ "offset": 0, "length": 5 }, { "offset": 9, "length": 1 }]);
            answer(&mut stream, 200, &json!({ "filled": filled, "requested": [], "position": null }));
        }
        ("POST", "ranges") => answer(&mut stream, 200, &locked.job),
        ("PUT", "position") => answer(&mut stream, 200, &locked.job),
        ("GET", "files") => answer(&mut stream, 200, &json!({ "files": locked.files, "next": null })),
        ("PUT", _) => answer(&mut stream, 204, &Value::Null),
        ("GET", "events") => {
            let (sender, events) = channel();
            sender.send(event(&locked.job)).expect("it is listened to");
            sender.send("event: ready\ndata: {}\n\n".to_owned()).expect("it is listened to");
            locked.watchers.push(sender);
            drop(locked);
            send_events(&mut stream, events.iter());
        }
        ("POST", command @ ("resume" | "cancel" | "suspend" | "complete")) => {
            let state = match command {
                "resume" => "queued",
                "cancel" => "cancelled",
                "suspend" => "suspended",
                _ => "acknowledged",
            };
            change(&mut locked, &json!({ "state": state }));
            let is_partial = command == "complete" && locked.job["on_demand"] == true;
            let partial = json!({ "code": "0x00200017", "name": "BG_S_PARTIAL_COMPLETE",
                "message": "the files that were whole are in place; the others are gone" });
            let outcome = if is_partial { partial } else { Value::Null };
            answer(&mut stream, 200, &json!({ "job": locked.job, "outcome": outcome }));
            if command == "resume" {
                for step in locked.courses.pop_front().unwrap_or_default() {
                    change(&mut locked, &step);
                }
            }
        }
        ("GET", "jobs") => answer(&mut stream, 200, &json!({ "jobs": [locked.job], "next": null })),
        ("GET" | "PATCH", _) => answer(&mut stream, 200, &locked.job),
        _ => answer(&mut stream, 405, &Value::Null),
    }
}

fn send_events(stream: &mut UnixStream, events: impl Iterator<Item = String>) {
    let _ = stream.write_all(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n");
    for event in events {
        let _ = stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
    }
}

fn challenge_event(challenge: &Value) -> String {
    format!("event: challenge\ndata: {challenge}\n\n")
}

/// A challenge called `id` by `files.test`, with two jobs.
pub(crate) fn challenge(id: &str, refused: bool) -> Value {
    let job = a_job()["id"].clone();
    json!({ "id": id, "jobs": [job, job], "met_by": job, "error": unauthorized(refused)["error"] })
}

/// Changes fields of the job and tells who listens.
fn change(state: &mut State, fields: &Value) {
    for (name, value) in fields.as_object().expect("fields") {
        state.job[name] = value.clone();
    }
    state.job["revision"] = (state.job["revision"].as_u64().expect("a number") + 1).into();
    let event = event(&state.job);
    state.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
}

fn event(job: &Value) -> String {
    format!("event: job\ndata: {job}\n\n")
}

fn read(stream: &UnixStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let line = line.strip_suffix(" HTTP/1.1\r\n")?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.to_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((line, String::from_utf8(body).ok()?))
}

fn answer(stream: &mut UnixStream, status: u16, body: &Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes());
}

/// The job works.
pub(crate) fn transferring() -> Value {
    json!({ "state": "transferring" })
}

/// All is in place.
pub(crate) fn acknowledged() -> Value {
    json!({ "state": "acknowledged", "progress": {
        "bytes_total": 2048, "bytes_transferred": 2048, "files_total": 1, "files_transferred": 1 } })
}

/// The server wants to know who asks.
pub(crate) fn unauthorized(refused: bool) -> Value {
    json!({ "state": "error", "error_count": 1, "error": {
        "code": "0x80190191", "name": "BG_E_HTTP_ERROR_401", "context": "remote_file",
        "message": "files.test asks for credentials", "transient": false, "file": 0,
        "challenge": { "target": "server", "host": "files.test", "realm": "the office",
            "schemes": ["negotiate"], "refused": refused } } })
}
