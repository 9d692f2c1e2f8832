//! Files of which parts come at the same time, from several sources that are of different worth: the right
//! bytes come, from all that are any good, and after a kill only what is missing.

use std::fs;
use std::time::Duration;

use bits_e2e::{Service, until};
use bits_testkit::UnkindOrigin;
use serde_json::Value;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Each source sends about three megabytes a second.
const KIND: &str = "/kind?size=16000000&pace=20";

/// One job: its original, its mirror, whether the checksum is given, and the states of both in the end.
type Row = (&'static str, &'static str, bool, [&'static str; 2]);

const ROWS: &[Row] = &[
    (KIND, KIND, true, ["ready", "ready"]),
    (KIND, KIND, false, ["ready", "ready"]),
    // It dies in the middle.
    (KIND, "/cut?at=1000000&size=16000000&pace=20", true, ["ready", "broken"]),
    ("/cut?at=5000000&size=16000000&pace=20", KIND, true, ["broken", "ready"]),
    // It lies about its bytes, which shows when all are there: they come from one alone.
    (KIND, "/lying-range?size=16000000&pace=20", true, ["ready", "ready"]),
    // It has another version, or says nothing of it.
    (KIND, "/kind?seed=2&size=16000000&pace=20", false, ["ready", "other"]),
    (KIND, "/other-total?size=16000000&pace=20", true, ["ready", "other"]),
    (KIND, "/no-validators?size=16000000&pace=20", false, ["ready", "other"]),
    // It serves no ranges.
    (KIND, "/no-ranges?size=16000000&pace=20", true, ["ready", "other"]),
    // It is slow, or stops.
    (KIND, "/kind?size=16000000&pace=4000", true, ["ready", "?"]),
    (KIND, "/stall?at=500000&size=16000000&pace=20", true, ["ready", "slow"]),
];

fn configured() -> Service {
    let service = Service::new();
    service.configure("parts_file_min = 1\nforeground_jobs_max = 100\n");
    service
}

#[test]
fn whatever_one_source_does_the_right_bytes_come_in_parts() {
    let service = configured();
    let _bitsd = service.start();
    let mut wrong = Vec::new();
    for (number, (first, second, is_given, expected)) in ROWS.iter().enumerate() {
        let (original, mirror) = (UnkindOrigin::start(), UnkindOrigin::start());
        let right = original.first(KIND);
        let name = format!("got-{number}");
        let mut get = service
            .bits(["get", &original.url(first), &name, "--mirror", &mirror.url(second), "--json"])
            .within(PATIENCE);
        if *is_given {
            get = get.arg(format!("--checksum=sha256:{}", right.sha256_hex()));
        }
        let job = get.finish().expect_code(0).json();
        let is_right = right.is(&fs::read(service.file(&name)).expect("it has arrived"));
        let sources = job["files"][0]["sources"].as_array().expect("two sources").clone();
        let states: Vec<_> =
            sources.iter().map(|source| source["state"].as_str().unwrap_or("none")).collect();
        let asked_of_mirror =
            mirror.requests(second).iter().filter(|asked| asked.field("range").is_some()).count();
        let line = format!("{first} {second} {states:?} asked {asked_of_mirror}");
        println!("{line}");
        let fits =
            expected.iter().zip(&states).all(|(expected, state)| *expected == "?" || expected == state);
        let all_in_use = sources.iter().all(|source| source["in_use"] == true);
        if !is_right || !fits || asked_of_mirror == 0 || number < 2 && !all_in_use {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn after_a_kill_what_is_on_record_of_all_parts_is_kept() {
    let (original, mirror) = (UnkindOrigin::start(), UnkindOrigin::start());
    let service = configured();
    let target = "/kind?size=60000000&pace=20";
    let right = original.first(target);
    let checksum = format!("--checksum=sha256:{}", right.sha256_hex());
    let get = ["get", &original.url(target), "got", "--mirror", &mirror.url(target), &checksum, "--detach"];
    let id = service.bits(get).finish().expect_code(0).stdout.trim().to_owned();
    let show = || service.bits(["show", &id, "--json"]).finish().expect_code(0).json();
    let job = until(PATIENCE, "both send", || {
        let job: Value = show();
        let come = job["progress"]["bytes_transferred"].as_u64()?;
        (come > 30_000_000).then_some(job)
    });
    let sources = &job["files"][0]["sources"];
    assert_eq!((&sources[0]["in_use"], &sources[1]["in_use"]), (&true.into(), &true.into()), "{sources}");
    let before = [original.requests(target).len(), mirror.requests(target).len()];
    service.kill();
    service.bits(["watch", &id]).within(PATIENCE).finish().expect_code(0);
    assert!(right.is(&fs::read(service.file("got")).expect("it has arrived")), "the right bytes");
    let mut asked: Vec<(u64, u64)> = [&original, &mirror]
        .into_iter()
        .zip(before)
        .flat_map(|(origin, before)| origin.requests(target).split_off(before))
        .map(|request| {
            let range = request.field("range").expect("only what is missing is asked for").to_owned();
            let (first, last) = range.trim_start_matches("bytes=").split_once('-').expect("a range");
            (first.parse().expect("a number"), last.parse::<u64>().expect("a number") + 1)
        })
        .collect();
    // Of what two were asked for, one was told to leave it.
    asked.sort_unstable();
    let mut reached = 0;
    let mut missing = 0;
    for (first, end) in &asked {
        missing += end.saturating_sub(reached.max(*first));
        reached = reached.max(*end);
    }
    println!("{missing} bytes were asked for after the kill: {asked:?}");
    assert!(missing < 52_000_000, "what is on record is not asked for again: {asked:?}");
    assert!(asked.len() > 1 && asked[0].0 > 0, "{asked:?}");
}

#[test]
fn one_server_is_asked_for_several_parts_when_settings_say_so() {
    let origin = UnkindOrigin::start();
    let service = configured();
    service.configure("parts_file_min = 1\nparts_per_server = 3\n");
    let right = origin.first(KIND);
    service.bits(["get", &origin.url(KIND), "got"]).within(PATIENCE).finish().expect_code(0);
    assert!(right.is(&fs::read(service.file("got")).expect("it has arrived")), "the right bytes");
    let requests = origin.requests(KIND);
    assert!(requests.len() > 2, "{requests:?}");
    for request in &requests[1..] {
        assert_eq!(request.field("if-range"), Some("\"v1-16000000\""), "{request:?}");
    }
}
