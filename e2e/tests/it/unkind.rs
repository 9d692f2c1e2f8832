//! What becomes of a download when the origin misbehaves: right bytes or an honest error, never
//! wrong bytes with success, and never a part of a file under its name.
//!
//! One row is one fault of the unkind origin, and one job. All run at once in one service, and the
//! table of their outcomes is printed.

mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bits_e2e::Service;
use bits_testkit::{Certificate, UnkindOrigin};
use serde_json::Value;

use crate::outcome::{Arrived, Expected, Outcome, check};
use rows::{Row, Way};

/// Time-outs so short that silence is noticed soon, and so long that a busy machine is not taken for
/// a silent one; and room for all rows at once.
const SETTINGS: &str = "\
connect_timeout = 5
response_timeout = 8
idle_timeout = 8
foreground_jobs_max = 200
";
/// How long all rows may take together.
const DEADLINE: Duration = Duration::from_secs(90);
/// How long between two looks at all jobs; a look costs a process.
const PAUSE: Duration = Duration::from_millis(200);
/// Jobs made at a time.
const HANDS: usize = 4;

/// Two tables at once would be more than a machine answers in time.
static ONE_TABLE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn every_fault_ends_in_right_bytes_or_an_honest_error() {
    check(&run(rows::ROWS.to_vec(), ""));
}

#[test]
fn the_same_holds_over_http_2_and_every_fault_in_its_frames_ends_as_honestly() {
    let rows: Vec<_> = rows::ROWS.iter().filter_map(Row::over_http2).chain(rows::FRAMES.to_vec()).collect();
    check(&run(rows, "http2 = \"on\"\n"));
}

#[test]
fn a_server_that_wants_http_1_is_asked_by_it() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let ca = service.file("ca.pem");
    fs::write(&ca, origin.ca_pem()).expect("a world can be written to");
    service.configure(&format!("http2 = \"on\"\nextra_ca = \"{}\"\n", ca.display()));
    let _bitsd = service.start();
    let target = "/h2-http-1.1-required/file";
    let get = |name: &str| service.bits(["get", &origin.http2_url(target), name]).finish().expect_code(0);
    get("one");
    get("two");
    for name in ["one", "two"] {
        assert!(origin.first(target).is(&fs::read(service.file(name)).expect("it has arrived")));
    }
    let versions: Vec<_> = origin.requests(target).into_iter().map(|request| request.version).collect();
    assert_eq!(versions, ["HTTP/2", "HTTP/1.1", "HTTP/1.1"], "it is asked once in vain");

    // Where nothing but HTTP/2 is spoken, there is no way.
    let get = service.bits(["get", &origin.http2_only_url(target), "three", "--max-time=3"]).finish();
    assert_ne!(get.code, Some(0), "{get:?}");
    assert!(!service.file("three").exists());
}

#[test]
fn what_a_server_does_between_two_files_of_a_job_spoils_neither() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let ca = service.file("ca.pem");
    fs::write(&ca, origin.ca_pem()).expect("a world can be written to");
    service.configure(&format!("extra_ca = \"{}\"\n", ca.display()));
    for fault in
        ["garbage-after", "closed-idle", "kind", "chunked", "http-1.0", "bare-lf", "length-and-chunks"]
    {
        let targets = ["one", "two", "three"].map(|name| format!("/{fault}/{name}?seed={}", name.len()));
        for (folder, base) in [("plain", origin.url("")), ("tls", origin.tls_url(Certificate::Good, ""))] {
            let folder = format!("{folder}-{fault}");
            fs::create_dir(service.file(&folder)).expect("a world can be written to");
            let urls = targets.iter().map(|target| format!("{base}{target}"));
            service.bits(["get"]).args(urls).arg(&folder).finish().expect_code(0);
            for (name, target) in ["one", "two", "three"].iter().zip(&targets) {
                let bytes = fs::read(service.file(&folder).join(name)).expect("it has arrived");
                assert!(origin.served(target)[0].is(&bytes), "{folder}/{name}");
            }
        }
    }
}

/// Runs all `rows` at once, in a service with these settings.
fn run(rows: Vec<Row>, settings: &str) -> Vec<(String, Expected, Outcome)> {
    let _turn = ONE_TABLE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let ca = service.file("ca.pem");
    fs::write(&ca, origin.ca_pem()).expect("a world can be written to");
    service.configure(&format!("{SETTINGS}{settings}extra_ca = \"{}\"\n", ca.display()));
    let _bitsd = service.start();
    fs::create_dir(service.file("got")).expect("a world can be written to");

    let ids = make_jobs(&service, &origin, &rows);
    let jobs = watch(&service, &ids, &rows);
    let outcomes: Vec<_> = rows
        .into_iter()
        .enumerate()
        .zip(jobs)
        .map(|((number, row), job)| {
            let target = target(number, &row);
            let (file, served) = (service.file(format!("got/{number}")), origin.served(&target));
            let is_newest = |bytes: &[u8]| served.last().is_some_and(|content| content.is(bytes));
            let is_earlier = |bytes: &[u8]| served.iter().any(|content| content.is(bytes));
            let arrived = Arrived::of(&file, is_newest, is_earlier);
            (told(&row), row.expected, Outcome::of(&job, arrived, Some(origin.requests(&target).len())))
        })
        .collect();

    for id in &ids {
        // Those that are over cannot be cancelled, and need not.
        service.bits(["cancel", id]).finish();
    }
    let left: Vec<_> = fs::read_dir(service.file("got"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a number"))
        .filter(|name| name.parse::<usize>().is_err())
        .collect();
    assert_eq!(left, Vec::<String>::new(), "no partial file is left behind");
    outcomes
}

/// The row, for a person.
fn told(row: &Row) -> String {
    let way = match row.way {
        Way::Plain => String::new(),
        Way::Tls(certificate) => format!(" (TLS, certificate {})", certificate.name()),
        Way::Http2 => " (HTTP/2)".to_owned(),
        Way::Http2Only => " (HTTP/2 alone)".to_owned(),
    };
    let given = if row.is_given { " (with a checksum)" } else { "" };
    format!("{}{given}{way}", row.target)
}

/// Makes a job for each row; their ids.
fn make_jobs(service: &Service, origin: &UnkindOrigin, rows: &[Row]) -> Vec<String> {
    let numbered: Vec<_> = rows.iter().enumerate().collect();
    let share = rows.len().div_ceil(HANDS);
    std::thread::scope(|scope| {
        let hands: Vec<_> = numbered
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    part.iter()
                        .map(|(number, row)| make_job(service, origin, *number, row))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("every job can be made")).collect()
    })
}

fn make_job(service: &Service, origin: &UnkindOrigin, number: usize, row: &Row) -> String {
    let target = target(number, row);
    let url = match row.way {
        Way::Plain => origin.url(&target),
        Way::Tls(certificate) => origin.tls_url(certificate, &target),
        Way::Http2 => origin.http2_url(&target),
        Way::Http2Only => origin.http2_only_url(&target),
    };
    let get = service.bits(["get", &url, &format!("got/{number}"), "--detach"]);
    let checksum = format!("--checksum=sha256:{}", origin.first(&target).sha256_hex());
    let get = if row.is_given { get.arg(checksum) } else { get };
    // What carries a secret shares its connection with no other row.
    let get =
        if matches!(row.way, Way::Http2 | Way::Http2Only) { get.arg("--header=Cookie: a=b") } else { get };
    get.finish().expect_code(0).stdout.trim().to_owned()
}

/// The target of a row, with an id of its own.
fn target(number: usize, row: &Row) -> String {
    let between = if row.target.contains('?') { '&' } else { '?' };
    format!("/{}{between}id={number}", row.target)
}

/// Waits until every job rests as its row expects, or will not; each as it was seen then.
fn watch(service: &Service, ids: &[String], rows: &[Row]) -> Vec<Value> {
    let end = Instant::now() + DEADLINE;
    // One that is tried again rests for a moment only.
    let mut rested = BTreeMap::new();
    loop {
        let listed = service.bits(["list", "--json"]).finish().expect_code(0).json();
        let active: BTreeMap<_, _> = listed
            .as_array()
            .expect("a list")
            .iter()
            .map(|job| (job["id"].as_str().expect("an id"), job))
            .collect();
        let waiting = ids.iter().zip(rows).filter(|(id, row)| match active.get(id.as_str()) {
            Some(job) if row.rests(job) => {
                rested.entry(id.as_str()).or_insert_with(|| (*job).clone());
                false
            }
            active => active.is_some() && !rested.contains_key(id.as_str()),
        });
        if waiting.count() == 0 || Instant::now() > end {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    let show = |id| service.bits(["show", id, "--json"]).finish().expect_code(0).json();
    ids.iter().map(|id| rested.get(id.as_str()).cloned().unwrap_or_else(|| show(id))).collect()
}
