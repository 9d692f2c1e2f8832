//! What is asked, how often, and what becomes of the answers.

use std::collections::BTreeSet;

use bits_client::api::certificate::AnswerCertificate;
use bits_client::api::challenge::AnswerChallenge;
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::export::{ExportedJob, ImportQuery};
use bits_client::api::file::{AddFile, AddFiles, ChangeFile, FileQuery, ReplaceRemotePrefix, RequestRanges};
use bits_client::api::http_options::{ClientCertificate, Proxy};
use bits_client::api::job::{ChangeJob, CreateJobs, Heard, ListQuery};
use bits_client::api::operations::{OPERATIONS, Operation};
use bits_client::{AuthCredentials, Error, Found, Scheme, new_job};
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;
use bits_core::http_options::SecurityFlags;
use bits_core::job::JobId;
use bits_core::secret::Secret;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::service::{Act, ID, Service, answered, job, problem};

fn id() -> JobId {
    JobId::parse(ID).expect("an id")
}

fn credentials() -> SetCredentials {
    SetCredentials { user: "D\\anna".to_owned(), password: Password(Secret::new("p".to_owned())) }
}

fn one_file() -> AddFiles {
    let file = AddFile { no_clobber: true, ..AddFile::new("http://h/f".to_owned(), "/tmp/f".to_owned()) };
    AddFiles { files: vec![file], create_folders: true }
}

fn an_exported_job() -> ExportedJob {
    let job = json!({ "id": ID, "display_name": "n", "type": "download", "state": "queued", "files": [] });
    serde_json::from_value(job).expect("a job")
}

/// The operation that a request asks for.
fn operation(line: &str) -> &'static Operation {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    let path: Vec<&str> = target.split('?').next().expect("a path").split('/').collect();
    OPERATIONS
        .iter()
        .find(|operation| {
            let segments: Vec<&str> = operation.path.split('/').collect();
            operation.method == method
                && segments.len() == path.len()
                && segments
                    .iter()
                    .zip(&path)
                    .all(|(segment, part)| segment.starts_with('{') || segment == part)
        })
        .unwrap_or_else(|| panic!("`{line}` is no operation"))
}

#[tokio::test]
async fn every_operation_of_the_table_has_a_method() {
    let service = Service::acting(vec![Act::Answer(500, problem("0x8000FFFF"))]);
    let client = service.client().await;
    let _ = client.about().await;
    let _ = client.settings().await;
    let _ = client.reload_settings().await;
    let _ = client.create_job(new_job("n")).await;
    let _ = client.create_jobs(CreateJobs { jobs: vec![new_job("n")] }).await;
    let _ = client.list_jobs(&ListQuery::default()).await;
    let _ = client.job(id()).await;
    let _ = client.change_job(id(), &ChangeJob::default(), None).await;
    let _ = client.resume_job(id()).await;
    let _ = client.suspend_job(id()).await;
    let _ = client.complete_job(id()).await;
    let _ = client.cancel_job(id()).await;
    let _ = client.take_ownership(id()).await;
    let _ = client.add_files(id(), &one_file()).await;
    let _ = client.list_files(id(), &FileQuery::default()).await;
    let _ = client.file(id(), 0).await;
    let _ = client.change_file(id(), 0, &ChangeFile::default()).await;
    let prefix = ReplaceRemotePrefix { old: "http://a/".to_owned(), new: "http://b/".to_owned() };
    let _ = client.replace_remote_prefix(id(), &prefix).await;
    let _ = client.set_credentials(id(), AuthTarget::Proxy, Scheme::Any, &credentials()).await;
    let _ = client.remove_credentials(id(), AuthTarget::Server, Scheme::Any).await;
    let _ = client.events(Some(id())).await;
    let _ = client.challenges().await;
    let _ = client.list_challenges().await;
    let _ = client.answer_challenge("c", &AnswerChallenge::default()).await;
    let _ = client.remove_certificate_callback(id(), None).await;
    let _ = client.job_handle(id()).validate_server_certificates(|_| Ok(())).await;
    let _ = client.answer_certificate(id(), "q", &AnswerCertificate { accepted: true, code: None }).await;
    let _ = client.export_job(id()).await;
    let _ = client.import_job(&an_exported_job(), ImportQuery::default()).await;
    let _ = client.filled_ranges(id(), 0).await;
    let _ = client.request_ranges(id(), 0, &RequestRanges { ranges: Vec::new() }).await;
    let _ = client.set_download_position(id(), 0, 7).await;
    let _ = client.metrics().await;
    let _ = client.rotate_key().await;
    let heard = Heard { event: "error".to_owned(), heard: true };
    let _ = client.notification_heard(id(), &heard).await;
    let _ = client.stop().await;

    let asked: BTreeSet<&str> = service.lines().iter().map(|line| operation(line).name).collect();
    let table: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    assert_eq!(asked, table);
    for asked in service.asked() {
        let operation = operation(&asked.line);
        assert_eq!(!asked.body.is_empty(), operation.body.is_some(), "{}", asked.line);
        let is_json = asked.headers.contains(&("content-type".to_owned(), "application/json".to_owned()));
        assert_eq!(is_json, operation.body.is_some(), "{}", asked.line);
    }
}

#[tokio::test]
async fn a_new_job_has_an_id_of_its_own_and_the_callers_umask() {
    let service = Service::acting(vec![Act::Answer(201, job("suspended"))]);
    let handle = service.client().await.create(new_job("n")).await.expect("a job");
    assert_eq!(handle.id(), id(), "the service's word counts");
    let body: Value = serde_json::from_str(&service.asked()[0].body).expect("a body");
    assert!(JobId::parse(body["id"].as_str().expect("an id")).is_ok());
    assert!(body["environment"]["umask"].is_u64(), "{body}");
}

#[tokio::test]
async fn credentials_go_where_they_are_meant_for() {
    let service = Service::acting(vec![Act::Answer(204, Value::Null)]);
    let handle = service.client().await.job_handle(id());
    let credentials = AuthCredentials {
        target: AuthTarget::Server,
        scheme: Scheme::One(AuthScheme::Negotiate),
        user: "D\\anna".to_owned(),
        password: Secret::new("pä\"ss".to_owned()),
    };
    handle.credentials().set(credentials).await.expect("they are set");
    let asked = &service.asked()[0];
    assert_eq!(asked.line, format!("PUT /v1/jobs/{ID}/credentials/server/negotiate"));
    let body: Value = serde_json::from_str(&asked.body).expect("a body");
    assert_eq!(body, json!({ "user": "D\\anna", "password": "pä\"ss" }));
}

#[tokio::test]
async fn http_options_are_changes_of_the_job_by_their_names() {
    let service = Service::acting((0..9).map(|_| Act::Answer(200, job("suspended"))).collect());
    let handle = service.client().await.job_handle(id());
    let options = handle.http_options();
    let secret = |text: &str| Secret::new(text.to_owned());
    options.set_custom_headers([("Cookie".to_owned(), secret("c"))]).await.expect("set");
    options.make_custom_headers_write_only().await.expect("set");
    options.set_http_method("REPORT").await.expect("set");
    options.set_security_flags(SecurityFlags::from_mask(2).expect("flags")).await.expect("set");
    options.set_client_certificate(ClientCertificate::None, Some(secret("p"))).await.expect("set");
    options.set_proxy_settings(Proxy::default()).await.expect("set");
    options.use_stored_credentials(Some(AuthTarget::Proxy)).await.expect("set");
    options.forbid_ntlm(true).await.expect("set");
    options.set_service_name(None).await.expect("set");
    let asked = service.asked();
    let bodies: Vec<Value> =
        asked.iter().map(|asked| serde_json::from_str(&asked.body).expect("a body")).collect();
    assert!(asked.iter().all(|asked| asked.line == format!("PATCH /v1/jobs/{ID}")));
    assert_eq!(
        bodies,
        [
            json!({ "custom_headers": [{ "name": "Cookie", "value": "c" }] }),
            json!({ "make_custom_headers_write_only": true }),
            json!({ "http_method": "REPORT" }),
            json!({ "security_flags": 2 }),
            json!({ "client_certificate": "none", "client_certificate_passphrase": "p" }),
            json!({ "proxy": { "usage": "preconfig" } }),
            json!({ "use_stored_credentials": "proxy" }),
            json!({ "no_ntlm": true }),
            json!({ "service_name": "" }),
        ]
    );
}

#[tokio::test]
async fn a_change_decided_on_a_revision_names_it_and_is_asked_once() {
    let service = Service::acting(vec![Act::BreakOff]);
    let client = service.client().await;
    let outcome = client.change_job(id(), &ChangeJob::default(), Some(7)).await;
    assert!(matches!(outcome, Err(Error::BrokenOff { .. })), "{outcome:?}");
    assert_eq!(service.asked().len(), 1);
    assert!(service.asked()[0].headers.contains(&("if-match".to_owned(), "\"7\"".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn what_may_be_asked_twice_is_asked_again_when_the_service_breaks_off() {
    let service = Service::acting(vec![Act::BreakOff, Act::BreakOff, Act::Answer(200, answered("queued"))]);
    let answer = service.client().await.resume_job(id()).await.expect("the third time");
    assert_eq!(answer.job.state, "queued");
    assert_eq!(service.asked().len(), 3);

    let service = Service::acting(vec![Act::BreakOff, Act::Answer(201, job("suspended"))]);
    service.client().await.create_job(new_job("n")).await.expect("the second time");
    let bodies: BTreeSet<String> = service.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies.len(), 1, "with one id, so that it is one job");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_asked_twice_is_asked_once() {
    let service = Service::acting(vec![Act::BreakOff]);
    let client = service.client().await;
    assert!(matches!(client.add_files(id(), &one_file()).await, Err(Error::BrokenOff { .. })));
    assert!(matches!(client.complete_job(id()).await, Err(Error::BrokenOff { .. })));
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_stopping_has_done_nothing_and_is_asked_again() {
    let acts = vec![Act::Answer(503, problem("0x80004005")), Act::Answer(200, answered("acknowledged"))];
    let service = Service::acting(acts);
    service.client().await.complete_job(id()).await.expect("the second time");
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn asking_again_ends() {
    for act in [Act::BreakOff, Act::Answer(503, problem("0x80004005"))] {
        let service = Service::acting(vec![act]);
        assert!(service.client().await.job(id()).await.is_err());
        assert_eq!(service.asked().len(), 4);
    }
}

#[tokio::test]
async fn a_refusal_keeps_code_and_sentence() {
    let service = Service::acting(vec![Act::Answer(404, problem("0x80200001"))]);
    let error = service.client().await.job(id()).await.expect_err("a refusal");
    assert_eq!(error.code(), Some(Code::NOT_FOUND));
    assert_eq!(error.to_string(), "said no");
}

#[tokio::test]
async fn an_answer_of_something_else_is_no_answer() {
    for act in [Act::Answer(200, json!({ "id": 1 })), Act::Answer(404, json!("no problem"))] {
        let service = Service::acting(vec![act]);
        let outcome = service.client().await.job(id()).await;
        assert!(matches!(outcome, Err(Error::Protocol { operation: "job", .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn lists_are_asked_for_part_by_part() {
    let part = |next: Option<&str>| Act::Answer(200, json!({ "jobs": [job("queued")], "next": next }));
    let service = Service::acting(vec![part(Some("c+1")), part(None)]);
    let query = ListQuery { state: Some("queued".to_owned()), ..ListQuery::default() };
    let jobs: Vec<_> = service.client().await.jobs(query).try_collect().await.expect("jobs");
    assert_eq!(jobs.len(), 2);
    assert_eq!(service.lines(), ["GET /v1/jobs?state=queued", "GET /v1/jobs?cursor=c%2B1&state=queued"]);

    let part = |next: Option<u32>| Act::Answer(200, json!({ "files": [], "next": next }));
    let service = Service::acting(vec![part(Some(100)), part(None)]);
    let files: Vec<_> = service.client().await.files(id()).try_collect().await.expect("files");
    assert!(files.is_empty());
    assert_eq!(
        service.lines(),
        [format!("GET /v1/jobs/{ID}/files"), format!("GET /v1/jobs/{ID}/files?from=100")]
    );
}

#[tokio::test]
async fn jobs_and_files_are_gone_through_as_they_were_at_one_moment() {
    let jobs = Act::Answer(200, json!({ "jobs": [job("queued"), job("suspended")], "next": null }));
    let later = Act::Answer(200, job("transferred"));
    let service = Service::acting(vec![jobs, later]);
    let client = service.client().await;
    let mut snapshot = client.enum_jobs().await.expect("jobs");
    assert_eq!(snapshot.count_elements(), 2);
    let handle = snapshot.next().expect("the first");
    assert_eq!(handle.read().await.expect("it is there").state, "transferred", "it tells how it is now");
    assert_eq!(snapshot.next_elements(5).len(), 1);
    snapshot.reset();
    assert_eq!(snapshot.count(), 2);
    assert_eq!(service.lines()[0], "GET /v1/jobs");
    let service = Service::acting(vec![Act::Answer(200, json!({ "jobs": [job("queued")], "next": null }))]);
    let snapshot = service.client().await.enum_jobs_of_all_users().await.expect("jobs");
    assert_eq!((snapshot.count_elements(), &*service.lines()[0]), (1, "GET /v1/jobs?all_users=true"));

    let file = |index: u32| {
        json!({ "index": index, "remote_name": "http://h/f", "local_name": "/tmp/f", "bytes_total": null,
            "bytes_transferred": 0, "completed": false })
    };
    let part =
        |files: Vec<Value>, next: Option<u32>| Act::Answer(200, json!({ "files": files, "next": next }));
    let service = Service::acting(vec![part(vec![file(0), file(1)], Some(2)), part(vec![file(2)], None)]);
    let files = service.client().await.job_handle(id()).enum_files().await.expect("files");
    assert_eq!(files.map(|file| file.index).collect::<Vec<_>>(), [0, 1, 2], "in the order added");
}

#[tokio::test]
async fn the_error_of_a_job_comes_with_its_file_and_none_is_none() {
    let mut failed = job("error");
    failed["error"] = json!({ "code": "0x80190194", "name": "N", "context": "remote_file", "message": "m",
        "transient": false, "file": 0 });
    let file = json!({ "index": 0, "remote_name": "https://h/f", "local_name": "/tmp/f", "bytes_total": null,
        "bytes_transferred": 0, "completed": false });
    let service = Service::acting(vec![Act::Answer(200, failed), Act::Answer(200, file)]);
    let handle = service.client().await.job_handle(id());
    let failure = handle.failure().await.expect("answered").expect("an error");
    assert_eq!((failure.error().1, failure.protocol()), (Code(0x8019_0194), Ok("http")));
    assert_eq!(failure.file().expect("a file").local_name, "/tmp/f");
    let service = Service::acting(vec![Act::Answer(200, job("transferring"))]);
    let handle = service.client().await.job_handle(id());
    assert!(handle.failure().await.expect("answered").is_none());
}

#[tokio::test]
async fn a_job_is_found_by_id_by_the_beginning_of_it_or_by_name() {
    let list = |jobs: Vec<Value>| Act::Answer(200, json!({ "jobs": jobs, "next": null }));
    let service = Service::acting(vec![
        Act::Answer(200, job("acknowledged")),
        Act::Answer(404, problem("0x80200001")),
        list(vec![job("queued")]),
        list(vec![]),
        list(vec![job("queued"), job("error")]),
    ]);
    let client = service.client().await;
    let braced = format!("{{{}}}", ID.to_uppercase());
    let mut found = Vec::new();
    for text in [&braced, ID, "8e2d", "no such", "two of them"] {
        found.push(match client.find_job(text).await.expect("an answer") {
            Found::One(job) => job.state,
            Found::Nothing => "nothing".to_owned(),
            Found::Ambiguous(jobs) => jobs.len().to_string(),
        });
    }
    assert_eq!(found, ["acknowledged", "nothing", "queued", "nothing", "2"]);
    assert_eq!(service.lines()[0], format!("GET /v1/jobs/{ID}"));
    assert_eq!(service.lines()[2], "GET /v1/jobs?called=8e2d&limit=10");

    // Nothing is asked for what nothing can be called.
    let asked = service.lines().len();
    for text in ["", &"x".repeat(100_000)] {
        assert_eq!(client.find_job(text).await.expect("an answer"), Found::Nothing);
    }
    assert_eq!(service.lines().len(), asked);
}

#[test]
fn programs_without_async_have_the_same_service() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime for the service");
    let acts = vec![
        Act::Answer(200, json!({ "jobs": [job("queued")], "next": null })),
        Act::Stream(vec!["event: ready\n\n"]),
        Act::Stream(vec!["event: ready\ndata: {}\n\n"]),
        Act::Answer(200, json!({ "challenges": [] })),
        Act::Answer(200, json!({ "jobs": 2 })),
        Act::KeepStream(vec!["event: registered\ndata: {\"registration\":\"r1\"}\n\n"]),
        Act::Answer(204, serde_json::Value::Null),
    ];
    let service = runtime.block_on(async { Service::acting(acts) });
    let options = crate::service::at(&service.socket());
    let client = bits_client::blocking::Client::connect(options).expect("the service answers");
    assert_eq!(client.jobs(ListQuery::default()).expect("jobs").len(), 1);
    let mut events = client.events(None).expect("events");
    assert!(matches!(events.next(), Some(Ok(bits_client::api::event::Event::Ready))));

    let mut challenges = client.challenges().expect("an agent");
    let ready = challenges.next().expect("an event").expect("an event that is understood");
    assert_eq!(ready, bits_client::api::challenge::ChallengeEvent::Ready);
    assert!(client.list_challenges().expect("a list").challenges.is_empty());
    let declined = AnswerChallenge { declined: Some("cancelled".to_owned()), ..AnswerChallenge::default() };
    assert_eq!(client.answer_challenge("a.1", &declined).expect("answered").jobs, 2);
    let registration = client.validate_server_certificates(id(), |_| Ok(())).expect("registered");
    drop(registration);
    let lines = service.lines();
    assert_eq!(lines[5], format!("GET /v1/jobs/{ID}/certificates/events"));
    assert_eq!(lines[6], format!("DELETE /v1/jobs/{ID}/certificates?registration=r1"));
}

/// Over which connections requests came, and what each was.
fn over(service: &Service) -> Vec<(usize, &'static str)> {
    service.asked().iter().map(|asked| (asked.connection, operation(&asked.line).name)).collect()
}

#[tokio::test]
async fn a_connection_is_kept_for_what_may_be_asked_twice_as_long_as_the_service_keeps_it() {
    let stay = Act::AnswerAndStay(200, job("queued"));
    let acts = vec![stay.clone(), stay.clone(), stay.clone(), Act::Answer(200, job("queued")), stay];
    let service = Service::acting(acts);
    let client = service.client().await;
    for _ in 0..5 {
        client.clone().job(id()).await.expect("a job");
    }
    // The fourth answer ended the connection of the first.
    let connections: Vec<usize> = service.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, [0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn a_kept_connection_that_ends_under_a_request_is_replaced_without_a_word() {
    let answer = |state| Act::AnswerAndStay(200, job(state));
    let acts = vec![Act::AnswerAndLeave(200, job("queued")), answer("suspended"), answer("error")];
    let service = Service::acting(acts);
    let client = service.client().await;
    assert_eq!(client.job(id()).await.expect("a job").state, "queued");
    // It is read by the service, which leaves without an answer.
    assert_eq!(client.job(id()).await.expect("a job").state, "suspended");
    assert_eq!(client.job(id()).await.expect("a job").state, "error");
    assert_eq!(over(&service), [(0, "job"), (1, "job"), (1, "job")], "what was not answered is not listed");
}

#[tokio::test]
async fn what_may_not_be_asked_twice_is_never_sent_over_a_kept_connection() {
    let leave = Act::AnswerAndLeave(200, job("queued"));
    let done = Act::Answer(200, answered("acknowledged"));
    let service = Service::acting(vec![leave, done, Act::BreakOff]);
    let client = service.client().await;
    client.job(id()).await.expect("a job");
    client.complete_job(id()).await.expect("done");
    assert_eq!(over(&service), [(0, "job"), (1, "complete_job")]);
    // And when its own ends, it is not sent again.
    let error = client.complete_job(id()).await.expect_err("nobody knows");
    assert!(matches!(error, Error::BrokenOff { .. }), "{error}");
    assert_eq!(over(&service), [(0, "job"), (1, "complete_job"), (2, "complete_job")]);
}

#[tokio::test]
async fn a_secret_goes_over_a_connection_that_ends_with_it_even_if_the_service_would_keep_that() {
    let stay = |status, body| Act::AnswerAndStay(status, body);
    let job_stays = stay(200, job("queued"));
    let service = Service::acting(vec![job_stays.clone(), stay(204, Value::Null), job_stays]);
    let client = service.client().await;
    client.job(id()).await.expect("a job");
    client.set_credentials(id(), AuthTarget::Server, Scheme::Any, &credentials()).await.expect("set");
    client.job(id()).await.expect("a job");
    assert_eq!(over(&service), [(0, "job"), (1, "set_credentials"), (0, "job")]);
    let asks_for_its_end = |asked: &crate::service::Asked| {
        asked.headers.contains(&("connection".to_owned(), "close".to_owned()))
    };
    let asked: Vec<bool> = service.asked().iter().map(asks_for_its_end).collect();
    assert_eq!(asked, [false, true, false]);
}

#[test]
fn a_connection_of_a_runtime_that_rests_is_left_alone() {
    let [first, second] = [(); 2]
        .map(|()| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
    // It has a runtime that always moves on.
    let of_service = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let entered = of_service.enter();
    let service = Service::acting(vec![Act::AnswerAndStay(200, job("queued"))]);
    drop(entered);
    let client = first.block_on(service.client());
    for runtime in [&first, &second, &first] {
        runtime.block_on(client.job(id())).expect("a job");
    }
    let connections: Vec<usize> = service.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, [0, 1, 2]);
}
