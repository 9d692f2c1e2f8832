//! Events, also when the service is started again in between.

use bits_client::Error;
use bits_client::api::event::Event;

use crate::service::{Act, ID, Service, job, problem};

fn name(event: &Event) -> String {
    match event {
        Event::Job(job) => job.state.clone(),
        Event::Ready => "ready".to_owned(),
        Event::Note(note) => note.text.clone(),
        Event::Ranges(ranges) => format!("{} ranges", ranges.ranges.len()),
    }
}

/// `text` for as long as the tests run.
fn kept(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn job_event(state: &str) -> &'static str {
    kept(format!("event: job\ndata: {}\n\n", job(state)))
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_when_the_service_was_started_again() {
    let note = kept(format!("event: note\ndata: {{\"job\":\"{ID}\",\"text\":\"hear\"}}\n\n"));
    let service = Service::acting(vec![
        Act::Stream(vec![job_event("queued"), "event: ready\n\n: still here\n\n", note]),
        Act::BreakOff,
        Act::CutStream(vec![job_event("transferring"), "event: later\ndata: ?\n\nevent: rea"]),
        Act::CutStream(vec![job_event("transferred"), "event: ready\n\n"]),
    ]);
    let mut events = service.client().await.events(None).await.expect("a stream");
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(name(&events.next().await.expect("an event")));
    }
    assert_eq!(seen, ["queued", "ready", "hear", "transferring", "transferred", "ready"]);
    assert_eq!(service.lines()[0], "GET /v1/events");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_leaving_is_asked_for_its_stream_again() {
    let leaving = Act::Answer(503, problem("0x80004005"));
    let ready = Act::KeepStream(vec!["event: ready\ndata: {}\n\n"]);
    let service = Service::acting(vec![leaving.clone(), leaving.clone(), ready]);
    service.client().await.events(None).await.expect("a stream");
    assert_eq!(service.asked().len(), 3);
    let service = Service::acting(vec![leaving]);
    assert!(matches!(service.client().await.events(None).await, Err(Error::Refused(_))), "one that stays so");
}

#[tokio::test(start_paused = true)]
async fn streams_that_say_nothing_are_given_up() {
    let service = Service::acting(vec![Act::Stream(vec![])]);
    let mut events = service.client().await.events(None).await.expect("a stream");
    let outcome = events.next().await;
    assert!(matches!(outcome, Err(Error::BrokenOff { .. })), "{outcome:?}");
    assert_eq!(service.asked().len(), 6);
}

#[tokio::test]
async fn a_service_that_was_stopped_is_not_started_for_a_watcher() {
    let service = Service::acting(vec![Act::Stream(vec!["event: ready\n\n"])]);
    let client = service.client().await;
    let mut events = client.events(None).await.expect("a stream");
    assert_eq!(events.next().await.expect("an event"), Event::Ready);
    std::fs::remove_file(service.socket()).expect("the socket");
    tokio::time::pause();
    let outcome = events.next().await;
    assert!(matches!(outcome, Err(Error::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_job_that_is_not_there_cannot_be_watched() {
    let service = Service::acting(vec![Act::Answer(404, problem("0x80200001"))]);
    let outcome = service.client().await.events(None).await;
    assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_handle_waits_until_its_job_rests() {
    let service = Service::acting(vec![Act::Stream(vec![
        job_event("queued"),
        "event: ready\n\n",
        job_event("transferring"),
        job_event("transferred"),
    ])]);
    let id = bits_core::job::JobId::parse(ID).expect("an id");
    let job = service.client().await.job_handle(id).wait_until_it_rests().await.expect("it rests");
    assert_eq!(job.state, "transferred");
    assert_eq!(service.lines(), [format!("GET /v1/events?job={ID}")]);
}
