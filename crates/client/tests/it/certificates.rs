//! A callback for certificates: what it is shown, what is answered for it, and how it ends.

use std::time::Duration;

use bits_client::api::certificate::{Der, ServerCertificate};
use bits_core::error::Code;
use bits_core::job::JobId;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::service::{Act, ID, Service, problem};

const REGISTERED: &str = "event: registered\ndata: {\"registration\":\"r1\"}\n\n";

fn id() -> JobId {
    JobId::parse(ID).expect("an id")
}

fn asked() -> &'static str {
    let body = json!({
        "id": "q1", "job": ID, "file": 3, "host": "h.test:443", "certificate": "AQ==", "chain": ["/w=="]
    });
    Box::leak(format!("event: certificate\ndata: {body}\n\n").into_boxed_str())
}

/// Waits until `is_so`.
async fn until(is_so: impl Fn() -> bool) {
    let seen = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), seen).await.expect("it comes to that");
}

#[tokio::test]
async fn what_the_callback_says_is_answered_and_dropping_it_removes_it() {
    type Callback = fn(&ServerCertificate) -> Result<(), Code>;
    let cases: [(Callback, Value); 4] = [
        (|_| Ok(()), json!({ "accepted": true })),
        (|_| Err(Code(0x800B_010F)), json!({ "accepted": false, "code": "0x800B010F" })),
        (|_| Err(Code(1)), json!({ "accepted": false, "code": "0x80004005" })),
        (|_| panic!("a callback that fails"), json!({ "accepted": false, "code": "0x8000FFFF" })),
    ];
    for (callback, expected) in cases {
        let acts = vec![Act::KeepStream(vec![REGISTERED, asked()]), Act::Answer(204, Value::Null)];
        let service = Service::acting(acts);
        let handle = service.client().await.job_handle(id());
        let registration = handle.validate_server_certificates(callback).await.expect("registered");
        until(|| service.asked().len() == 2).await;
        let answer = &service.asked()[1];
        assert_eq!(answer.line, format!("POST /v1/jobs/{ID}/certificates/q1"));
        assert_eq!(serde_json::from_str::<Value>(&answer.body).expect("JSON"), expected);
        assert!(registration.is_in_force());
        drop(registration);
        until(|| service.asked().len() == 3).await;
        assert_eq!(service.lines()[0], format!("GET /v1/jobs/{ID}/certificates/events"));
        assert_eq!(service.lines()[2], format!("DELETE /v1/jobs/{ID}/certificates?registration=r1"));
    }
}

#[tokio::test]
async fn the_callback_is_shown_what_the_server_has_shown() {
    let acts = vec![Act::KeepStream(vec![REGISTERED, asked()]), Act::Answer(204, Value::Null)];
    let service = Service::acting(acts);
    let (shows, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let handle = service.client().await.job_handle(id());
    let callback = move |certificate: &ServerCertificate| {
        shows.send(certificate.clone()).expect("the test listens");
        Ok(())
    };
    let _registration = handle.validate_server_certificates(callback).await.expect("registered");
    let certificate = shown.recv().await.expect("the callback is called");
    assert_eq!((certificate.job.as_str(), certificate.file), (ID, 3));
    assert_eq!((certificate.host.as_str(), certificate.certificate), ("h.test:443", Der(vec![1])));
    assert_eq!(certificate.chain, [Der(vec![255])]);
}

#[tokio::test]
async fn a_job_that_works_takes_no_other_callback() {
    let service = Service::acting(vec![Act::Answer(409, problem("0x80200075"))]);
    let handle = service.client().await.job_handle(id());
    let refused = handle.validate_server_certificates(|_| Ok(())).await.expect_err("it works");
    assert_eq!(refused.code(), Some(Code::READ_ONLY_WHEN_JOB_ACTIVE));
}

#[tokio::test]
async fn a_registration_that_the_service_has_ended_is_not_made_again() {
    for end in [Act::Stream(vec![REGISTERED]), Act::CutStream(vec![REGISTERED])] {
        let service = Service::acting(vec![end, Act::Answer(204, Value::Null)]);
        let handle = service.client().await.job_handle(id());
        let registration = handle.validate_server_certificates(|_| Ok(())).await.expect("registered");
        until(|| !registration.is_in_force()).await;
        registration.remove().await.expect("there is nothing to remove");
        let delete = format!("DELETE /v1/jobs/{ID}/certificates?registration=r1");
        assert_eq!(service.lines()[1..], [delete]);
    }
}
