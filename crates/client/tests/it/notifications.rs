//! Callbacks: in which order, and what becomes of what was heard and what was not.

use std::sync::{Arc, Mutex};

use bits_client::api::file::File;
use bits_client::api::job::Job;
use bits_client::{Callback, Notification, Notifications};
use bits_core::error::Code;
use bits_core::job::JobId;
use serde_json::{Value, json};

use crate::service::{Act, ID, Service, job};

/// `text` for as long as the tests run.
fn kept(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

const READY: &str = "event: ready\n\n";

/// An event of a job with these flags, at this revision, with so many files whole.
fn event(state: &str, flags: u32, revision: u32, files: u32) -> &'static str {
    let mut job = job(state);
    let fields = job.as_object_mut().expect("an object");
    fields.insert("revision".to_owned(), json!(revision));
    fields.insert("notify_flags".to_owned(), json!(flags));
    fields.insert("minimum_notification_interval_ms".to_owned(), json!(500));
    fields["progress"]["files_transferred"] = json!(files);
    fields["error_count"] = json!(u32::from(state == "error"));
    kept(format!("event: job\ndata: {job}\n\n"))
}

/// A list of files of which the first `whole` are.
fn files(whole: u32) -> Act {
    let file = |index: u32| {
        json!({ "index": index, "remote_name": "http://h/f", "local_name": "/tmp/f", "bytes_total": 7,
            "bytes_transferred": if index < whole { 7 } else { 3 }, "completed": false })
    };
    Act::Answer(200, json!({ "files": [file(0), file(1), file(2)], "next": null }))
}

const NOTED: Act = Act::Answer(204, Value::Null);

fn name(notification: &Notification) -> String {
    match notification {
        Notification::JobTransferred(_) => "transferred".to_owned(),
        Notification::JobError(_) => "error".to_owned(),
        Notification::JobModification(job) => format!("modification {}", job.revision),
        Notification::FileTransferred { file, .. } => format!("file {}", file.index),
        Notification::FileRangesTransferred { file, ranges, .. } => {
            format!("{} ranges of {file}", ranges.len())
        }
    }
}

fn id() -> JobId {
    JobId::parse(ID).expect("an id")
}

async fn names(notifications: &mut Notifications, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        let next = notifications.next().await.expect("the service answers").expect("the job goes on");
        names.push(name(&next));
    }
    names
}

/// What the service was told of what was heard.
fn heard(service: &Service) -> Vec<Value> {
    let path = format!("POST /v1/jobs/{ID}/notifications");
    let told = service.asked().into_iter().filter(|asked| asked.line == path);
    told.map(|asked| serde_json::from_str(&asked.body).expect("JSON")).collect()
}

#[tokio::test]
async fn files_come_in_order_before_the_end_also_when_the_service_was_started_again() {
    let service = Service::acting(vec![
        Act::CutStream(vec![event("transferring", 0x13, 1, 0), READY, event("transferring", 0x13, 2, 1)]),
        files(0),
        files(1),
        Act::KeepStream(vec![event("transferred", 0x13, 9, 3), READY]),
        files(3),
        NOTED,
    ]);
    let mut notifications = service.client().await.notifications(id()).await.expect("registered");
    assert_eq!(names(&mut notifications, 4).await, ["file 0", "file 1", "file 2", "transferred"]);
    assert_eq!(service.lines()[0], format!("GET /v1/events?callback=true&job={ID}"));
    assert_eq!(heard(&service), [] as [Value; 0], "nobody has said so");
    tokio::select! {
        biased;
        next = notifications.next() => panic!("nothing more happens: {next:?}"),
        () = async { while heard(&service).is_empty() { tokio::task::yield_now().await } } => {}
    }
    assert_eq!(heard(&service), [json!({ "event": "transferred", "heard": true })]);
}

#[tokio::test]
async fn a_job_that_was_there_before_is_told_at_once_and_its_files_are_not() {
    let service =
        Service::acting(vec![Act::KeepStream(vec![event("error", 0x13, 9, 2), READY]), files(2), NOTED]);
    let mut notifications = service.client().await.notifications(id()).await.expect("registered");
    assert_eq!(names(&mut notifications, 1).await, ["error"]);
}

#[tokio::test]
async fn changes_come_together_and_ranges_too() {
    let ranges = |offset: u64| {
        let body = json!({ "job": ID, "file": 1, "ranges": [{ "offset": offset, "length": 5 }] });
        kept(format!("event: ranges\ndata: {body}\n\n"))
    };
    let service = Service::acting(vec![Act::KeepStream(vec![
        event("transferring", 0x28, 1, 0),
        READY,
        event("transferring", 0x28, 2, 0),
        event("transferring", 0x28, 3, 0),
        event("transferring", 0x28, 4, 0),
        ranges(0),
    ])]);
    let mut notifications = service.client().await.notifications(id()).await.expect("registered");
    let told = names(&mut notifications, 2).await;
    assert!(told.contains(&"1 ranges of 1".to_owned()), "{told:?}");
    assert!(told.iter().any(|name| name.starts_with("modification")), "{told:?}");
}

#[tokio::test]
async fn a_job_that_is_over_ends_its_notifications() {
    let service = Service::acting(vec![Act::KeepStream(vec![event("cancelled", 0x3, 9, 0), READY])]);
    let mut notifications = service.client().await.notifications(id()).await.expect("registered");
    assert_eq!(notifications.next().await.expect("the service answers"), None);
}

/// Refuses once, then hears.
#[derive(Default)]
struct Program {
    calls: Mutex<Vec<String>>,
}

impl Program {
    fn note(&self, text: &str) -> usize {
        let mut calls = self.calls.lock().expect("no test panics in there");
        calls.push(text.to_owned());
        calls.len()
    }
}

impl Callback for Program {
    fn job_error(&self, _: &Job) -> Result<(), Code> {
        if self.note("error") < 2 { Err(Code::UNEXPECTED) } else { Ok(()) }
    }
    fn file_transferred(&self, _: JobId, file: &File) {
        self.note(&format!("file {}", file.index));
    }
}

#[tokio::test]
async fn a_callback_that_fails_is_called_again_and_the_service_knows() {
    let service = Service::acting(vec![Act::KeepStream(vec![event("error", 0x3, 9, 0), READY]), NOTED]);
    let program = Arc::new(Program::default());
    let handle = service.client().await.job_handle(id());
    let registration = handle.set_notify_interface(program.clone()).await.expect("registered");
    while heard(&service).len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(registration.is_in_force());
    let said = |heard: bool| json!({ "event": "error", "heard": heard });
    assert_eq!(heard(&service), [said(false), said(true)]);
    assert_eq!(*program.calls.lock().expect("no test panics in there"), ["error", "error"]);
}
