//! Many programs at once, and others that mean ill: everybody is answered as it is documented, nobody
//! waits for a program that does not read or write, and the service does not grow.
//!
//! It prints how long answers took and judges only that they came: how fast a machine is, is not ours.

mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bits_e2e::{Api, Random, Run, Service, Unanswered, until};
use bits_testkit::UnkindOrigin;
use serde_json::{Value, json};

use crate::storm::{number, report};

const CLIENTS: usize = 200;
/// Seconds under load, if nobody asks for more (`OPENBITS_LOAD_SECONDS`).
const SECONDS: u64 = 10;
/// How much of that the clients are alone, and how much passes before memory is looked at first: both
/// looks are under attack, as what a connection has not sent or read is held in memory.
const ALONE: f64 = 0.25;
const WARM: f64 = 0.5;
/// Answers each client has had, on average, before the time begins to run.
const FIRST_ANSWERS: u64 = 5;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a service may have grown by after that: a part of what it had, and pages of the database that
/// it keeps in memory.
const GROWTH_MAX: f64 = 0.25;
const CACHE_BYTES: u64 = 16 << 20;
/// Jobs each client leaves as they are at a time.
const JOBS_KEPT: usize = 2;
/// The niceness of whoever steps back for all others.
const LAST: i32 = 19;
/// What is documented, as it is checked in.
const DOCUMENT: &str = include_str!("../../../crates/api/openapi.json");

#[test]
fn two_hundred_clients_are_served_beside_a_hostile_one_and_the_service_does_not_grow() {
    let seconds = number("OPENBITS_LOAD_SECONDS").unwrap_or(SECONDS);
    let seed = number("OPENBITS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}, {CLIENTS} clients, {seconds} s");
    // What is measured is no race with the tests beside it: threads and programs of this one come last.
    rustix::process::nice(LAST).expect("everybody may step back");
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let running = service.start();
    let pid = running.pid().as_raw_nonzero().get();
    let load = Load {
        documented: documented(),
        origin: &origin,
        service: &service,
        is_under_attack: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        stopping: AtomicBool::new(false),
        faults: Mutex::default(),
    };
    let (mut warm, mut end, mut attack) = (0, 0, String::new());
    let records: Vec<Vec<Record>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn({
                    let load = &load;
                    move || Client::new(load, number, seed).work()
                })
            })
            .collect();
        let is_faulty = || !load.faults.lock().expect("nobody panics with it").is_empty();
        until(PATIENCE, "every client is served", || {
            let answered = load.answered.load(Ordering::Relaxed);
            (answered >= FIRST_ANSWERS * CLIENTS as u64 || is_faulty()).then_some(())
        });
        let total = Duration::from_secs(seconds);
        // What is measured here is a time under load.
        std::thread::sleep(total.mul_f64(ALONE));
        load.is_under_attack.store(true, Ordering::Relaxed);
        let socket = service.socket();
        let attacking = scope.spawn(move || hostile::attack(&socket, total.mul_f64(1.0 - ALONE)));
        std::thread::sleep(total.mul_f64(WARM - ALONE));
        warm = resident(pid);
        std::thread::sleep(total.mul_f64(1.0 - WARM).mul_f64(0.9));
        end = resident(pid);
        attack = attacking.join().expect("it does not panic");
        load.is_under_attack.store(false, Ordering::Relaxed);
        load.stopping.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    });
    let records: Vec<Record> = records.into_iter().flatten().collect();
    let faults = load.faults.into_inner().expect("nobody panics with it");
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let (attacked, alone): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.under_attack);
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    for record in &records {
        *answers.entry(format!("{} {}", record.operation, record.status)).or_default() += 1;
    }
    let told = json!({
        "seed": seed,
        "clients": CLIENTS,
        "seconds": seconds,
        "answers": records.len(),
        "by_operation_and_status": answers,
        "milliseconds_alone": percentiles(&alone),
        "milliseconds_beside_the_hostile_program": percentiles(&attacked),
        "hostile": serde_json::from_str::<Value>(&attack).unwrap_or_else(|_| panic!("a line of JSON: {attack}")),
        "resident_mib_warm": warm >> 20,
        "resident_mib_end": end >> 20,
    });
    report("load", &told);
    assert!(!alone.is_empty() && !attacked.is_empty());
    let bound = warm + (warm as f64 * GROWTH_MAX) as u64 + CACHE_BYTES;
    assert!(end <= bound, "{} MiB when it was warm, {} MiB at the end", warm >> 20, end >> 20);
    for kind in ["refused_as_too_many", "cut_for_a_long_head"] {
        assert!(
            told["hostile"][kind].as_u64().is_some_and(|count| count > 0),
            "{kind} was not met: {told:#}"
        );
    }
    // Codes that nobody can look up are no answer.
    let codes: BTreeSet<_> = records.iter().filter_map(|record| record.code.clone()).collect();
    for code in codes.iter().map(String::as_str).chain(["0x800706BB"]) {
        service.bits(["error", code]).finish().expect_code(0);
    }
}

struct Load<'a> {
    documented: BTreeMap<(String, String), BTreeSet<u16>>,
    origin: &'a UnkindOrigin,
    service: &'a Service,
    is_under_attack: AtomicBool,
    answered: AtomicU64,
    stopping: AtomicBool,
    faults: Mutex<Vec<String>>,
}

/// One answer.
struct Record {
    operation: String,
    status: u16,
    code: Option<String>,
    took: Duration,
    under_attack: bool,
}

struct Client<'a> {
    load: &'a Load<'a>,
    number: usize,
    random: Random,
    api: Api,
    jobs: Vec<String>,
    made: u64,
    records: Vec<Record>,
}

impl<'a> Client<'a> {
    fn new(load: &'a Load<'a>, number: usize, seed: u64) -> Self {
        let random = Random::new(seed.wrapping_mul(1000).wrapping_add(number as u64));
        let api = Api::at(load.service.socket());
        Self { load, number, random, api, jobs: Vec::new(), made: 0, records: Vec::new() }
    }

    fn work(mut self) -> Vec<Record> {
        while !self.load.stopping.load(Ordering::Relaxed) {
            if self.step().is_none() {
                break;
            }
        }
        self.records
    }

    /// One request; none when something was wrong.
    fn step(&mut self) -> Option<()> {
        if self.jobs.is_empty() {
            return self.make();
        }
        let id = self.random.of(&self.jobs).clone();
        let job = format!("/v1/jobs/{id}");
        const JOB: &str = "/v1/jobs/{job}";
        let of = |rest: &str| (format!("{JOB}{rest}"), format!("{job}{rest}"));
        let (method, (template, path), body) = match self.random.below(20) {
            0 => return self.make(),
            1..3 => return self.cancel(),
            3 => ("GET", ("/v1/about".to_owned(), "/v1/about".to_owned()), None),
            4 => ("GET", ("/v1/settings".to_owned(), "/v1/settings".to_owned()), None),
            5 => ("GET", ("/v1/jobs".to_owned(), "/v1/jobs?limit=20".to_owned()), None),
            6..9 => ("GET", of(""), None),
            9 => ("GET", (format!("{JOB}/files"), format!("{job}/files?limit=10")), None),
            10..13 => {
                let text = format!("said {}", self.random.below(1 << 30));
                ("PATCH", of(""), Some(json!({ "description": text })))
            }
            13..15 => {
                let size = 1 + self.random.below(20_000);
                let name = format!("l{}-{}-{}", self.number, self.made, self.random.below(1 << 40));
                let file = json!({
                    "remote_name": self.load.origin.url(&format!("/kind?size={size}&id={name}")),
                    "local_name": self.load.service.file(&name),
                });
                ("POST", of("/files"), Some(json!({ "files": [file] })))
            }
            15..17 => ("POST", of("/resume"), None),
            17 => ("POST", of("/suspend"), None),
            18 => ("POST", of("/complete"), None),
            // A job that nobody has made, and a body that is none.
            19 if self.random.below(2) == 0 => {
                let path = "/v1/jobs/00000000-0000-4000-8000-000000000000".to_owned();
                ("GET", (JOB.to_owned(), path), None)
            }
            _ => ("PATCH", of(""), Some(json!({ "description": 5 }))),
        };
        self.ask(method, &template, &path, body.as_ref()).map(|answer| {
            let ended = path.ends_with("/complete") && answer.0 == 200;
            if ended || answer.1["code"] == "0x8020000B" {
                self.jobs.retain(|known| *known != id);
            }
        })
    }

    fn make(&mut self) -> Option<()> {
        if self.jobs.len() >= JOBS_KEPT {
            self.cancel()?;
        }
        self.made += 1;
        let body = json!({ "display_name": format!("load {} {}", self.number, self.made) });
        let (_, job) = self.ask("POST", "/v1/jobs", "/v1/jobs", Some(&body))?;
        self.jobs.push(job["id"].as_str()?.to_owned());
        Some(())
    }

    fn cancel(&mut self) -> Option<()> {
        let id = self.jobs.swap_remove(0);
        self.ask("POST", "/v1/jobs/{job}/cancel", &format!("/v1/jobs/{id}/cancel"), None).map(drop)
    }

    fn ask(
        &mut self,
        method: &str,
        template: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let under_attack = self.load.is_under_attack.load(Ordering::Relaxed);
        let began = Instant::now();
        let answer = self.api.ask(method, path, body);
        let took = began.elapsed();
        let fault = match &answer {
            Ok(answer) => {
                let documented = &self.load.documented[&(method.to_owned(), template.to_owned())];
                let is_ours_to_mend = [429, 503, 507].contains(&answer.status);
                (!documented.contains(&answer.status) || is_ours_to_mend)
                    .then(|| format!("{method} {path}: {} {}", answer.status, answer.json()))
            }
            Err(Unanswered::NotHeard(error) | Unanswered::Unknown(error)) => {
                Some(format!("{method} {path}: not answered: {error} after {took:?}"))
            }
        };
        if let Some(fault) = fault {
            self.load.faults.lock().expect("nobody panics with it").push(fault);
            return None;
        }
        let answer = answer.ok()?;
        let (status, code) = (answer.status, answer.code());
        self.load.answered.fetch_add(1, Ordering::Relaxed);
        self.records.push(Record {
            operation: format!("{method} {template}"),
            status,
            code,
            took,
            under_attack,
        });
        Some((status, answer.json()))
    }
}

/// The statuses that each operation can have.
fn documented() -> BTreeMap<(String, String), BTreeSet<u16>> {
    let document: Value = serde_json::from_str(DOCUMENT).expect("it is JSON");
    let mut documented = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let statuses = operation["responses"].as_object().expect("responses");
            let statuses = statuses.keys().map(|status| status.parse().expect("a number")).collect();
            documented.insert((method.to_uppercase(), path.clone()), statuses);
        }
    }
    documented
}

/// Bytes of memory that the process has.
fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the service runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    kilobytes << 10
}

fn percentiles(records: &[&Record]) -> Value {
    let mut took: Vec<_> = records.iter().map(|record| record.took).collect();
    took.sort_unstable();
    let at = |share: f64| {
        let place = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
        took.get(place).map(|took| (took.as_secs_f64() * 10_000.0).round() / 10.0)
    };
    json!({ "answers": took.len(), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "most": at(1.0) })
}

/// Another process of this test program, which runs `test` with `variables`.
fn another(test: &str, variables: &[(&str, String)], within: Duration) -> Run {
    let run =
        Run::new(std::env::current_exe().expect("a test has a path")).args(["--exact", test, "--nocapture"]);
    variables.iter().fold(run.within(within), |run, (name, value)| run.env(name, value))
}
