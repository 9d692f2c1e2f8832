//! A service under load from several clients, killed again and again: what was acknowledged is there,
//! files are whole or not there, no part of one is left behind, and no secret.

pub(crate) mod client;
pub(crate) mod ledger;
pub(crate) mod remains;
pub(crate) mod sources;

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bits_e2e::{Random, Running, Service, peers, program, until};
use bits_testkit::UnkindOrigin;
use serde_json::{Value, json};

use crate::secrets::Forms;
use client::{Client, Counts, Crowd};
use ledger::End;
use remains::{Folder, Searched};
use sources::Sources;

/// Kills, if nobody asks for more (`OPENBITS_KILLS`).
const KILLS: u64 = 60;
/// How long that may go on, in seconds, if nobody says otherwise (`OPENBITS_STORM_SECONDS`): a machine
/// that is busy with other things kills less often.
const SECONDS: u64 = 590;
/// Programs that ask at the same time.
const CLIENTS: usize = 4;
/// The longest life of a service, in milliseconds; some end while they start.
const LIFE_MAX: u64 = 700;
const SHORT_LIFE_MAX: u64 = 60;
/// How often all files of the service are searched for secrets, in kills.
const SEARCHED_EVERY: u64 = 10;
/// How often it is said how far it has come, in kills.
const TOLD_EVERY: u64 = 25;
/// The greatest file, in bytes: some of it come, some are cut by a kill.
const SIZE_MAX: u64 = 500_000;
/// How long all jobs may take to come to an end once nobody is killed any more.
const SETTLING: Duration = Duration::from_secs(180);

/// More than the built-in limits, so that every job moves, and no patience with a silent server.
pub(crate) const SETTINGS: &str = "\
connect_timeout = 5
response_timeout = 5
idle_timeout = 5
background_jobs_max = 8
";

#[test]
fn a_service_under_load_that_is_killed_again_and_again_loses_nothing() {
    let Some(peers) = peers() else { return };
    let kills = number("OPENBITS_KILLS").unwrap_or(KILLS);
    let seed = number("OPENBITS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}, {kills} kills, {CLIENTS} clients");
    let mut random = Random::new(seed);
    let origin = UnkindOrigin::start();
    let service = Service::new();
    service.configure(SETTINGS);
    let sources = Sources::new(&origin, Some(peers), SIZE_MAX);
    let crowd = Crowd {
        sources: &sources,
        socket: service.socket(),
        folder: service.file(""),
        mark: format!("Zx9-storm-{seed}-unlikely!"),
        stopping: AtomicBool::new(false),
        placed: Mutex::default(),
        faults: Mutex::default(),
    };
    let forms = Forms::of("anna", &crowd.mark);
    let (mut folder, mut searched) = (Folder::default(), Searched::default());
    let (mut done, mut with_parts, mut while_starting) = (0, 0, 0);
    let seconds = number("OPENBITS_STORM_SECONDS").unwrap_or(SECONDS);
    let began = Instant::now();

    let mut clients: Vec<Client> = std::thread::scope(|scope| {
        let working: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn({
                    let crowd = &crowd;
                    move || Client::new(crowd, number, seed).storm()
                })
            })
            .collect();
        for kill in 1..=kills {
            if began.elapsed().as_secs() >= seconds {
                break;
            }
            done = kill;
            let running = service.run(program("bitsd")).within(SETTLING).spawn();
            let is_short = random.below(6) == 0;
            let life = random.below(if is_short { SHORT_LIFE_MAX } else { LIFE_MAX });
            // Nothing is waited for here: the moment of the kill is what is random.
            std::thread::sleep(Duration::from_millis(life));
            while_starting += u64::from(UnixStream::connect(service.socket()).is_err());
            end(&crowd, running, kill);
            with_parts += u64::from(!remains::partial_files(&crowd.folder).is_empty());
            look(&crowd, &mut folder);
            if kill % SEARCHED_EVERY == 0 {
                search(&crowd, service.folder(), &forms, &mut searched);
            }
            if kill % TOLD_EVERY == 0 {
                println!("storm: {kill} of {kills} kills in {} s", began.elapsed().as_secs());
            }
            if !crowd.faults.lock().expect("nobody panics with it").is_empty() {
                break;
            }
        }
        crowd.stopping.store(true, Ordering::Relaxed);
        working.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    });
    let stormed = began.elapsed();
    assert_no_faults(&crowd, seed);
    crowd.stopping.store(false, Ordering::Relaxed);

    // The last service is not killed: everything comes to an end, and nothing is left.
    let running = service.run(program("bitsd")).within(SETTLING * 2).spawn();
    until(SETTLING, "the service answers", || service.status());
    settle(&crowd, &mut clients);
    assert_no_faults(&crowd, seed);
    assert_none_invented(&crowd, &clients);
    search(&crowd, service.folder(), &forms, &mut searched);
    drop(running.kill());
    folder.forget();
    searched.forget();
    look(&crowd, &mut folder);
    for name in remains::partial_files(&crowd.folder) {
        crowd.blame(format!("{name}: it is left, and no job is"));
    }
    search(&crowd, service.folder(), &forms, &mut searched);
    assert_no_faults(&crowd, seed);

    let mut told = summary(&clients);
    told["storm"] = json!({
        "seed": seed,
        "kills": done,
        "kills_wanted": kills,
        "kills_with_partial_files": with_parts,
        "kills_while_starting": while_starting,
        "kills_each_minute": done * 60 / stormed.as_secs().max(1),
        "is_cut_short_by_time": done < kills,
        "seconds": stormed.as_secs(),
        "seconds_in_all": began.elapsed().as_secs(),
        "files_asked_for": sources.count(),
        "files_complete": crowd.placed.lock().expect("nobody panics with it").len(),
        "bytes_compared": folder.bytes_read,
        "searched_for_secrets": { "files": searched.files, "bytes": searched.bytes, "forms": forms.count() },
    });
    report("storm", &told);
    if done < kills {
        println!(
            "storm: the time was over after {done} of {kills} kills, {} a minute: the machine was busy",
            told["storm"]["kills_each_minute"]
        );
    }
    // What was not met was not tried.
    let count = |told: &Value| told.as_u64().unwrap_or(0);
    let acknowledged = told["acknowledged"].as_object().expect("counts by name");
    assert!(acknowledged.values().map(count).sum::<u64>() > 0 && count(&told["looks"]) > 0, "{told}");
    for (what, least) in [("jobs", 1), ("jobs_completed", 1), ("jobs_cancelled", 1)] {
        assert!(count(&told[what]) >= least, "{what}: {told}");
    }
    assert!(
        count(&told["storm"]["files_complete"]) > 0 && folder.bytes_read > 0,
        "no file was compared: {told}"
    );
    assert!(acknowledged.get("credentials").map_or(0, count) > 0, "no secret was set: {told}");
    assert!(searched.files > 0 && searched.bytes > 0, "nothing was searched for secrets: {told}");
    assert!(done > 0 && with_parts * 4 >= done, "only {with_parts} of {done} kills hit a transfer");
    assert!(told["in_doubt"].as_u64().is_some_and(|count| count > 0), "no kill cut off an answer: {told}");
}

/// Kills `running`, which must not have ended by itself.
fn end(crowd: &Crowd, running: Running, kill: u64) {
    let ended = running.kill();
    if ended.signal != Some(9) {
        crowd.blame(format!("service {kill} was not killed but ended by itself: {ended}"));
    }
}

/// Compares what lies in the folder of downloads.
pub(crate) fn look(crowd: &Crowd, folder: &mut Folder) {
    folder.faults(&crowd.folder, crowd.sources).into_iter().for_each(|fault| crowd.blame(fault));
    let placed = crowd.placed.lock().expect("nobody panics with it").clone();
    folder.missing(&crowd.folder, &placed).into_iter().for_each(|fault| crowd.blame(fault));
}

fn search(crowd: &Crowd, folder: &Path, forms: &Forms, searched: &mut Searched) {
    for found in searched.marked(folder, &|bytes| forms.in_bytes(bytes)) {
        crowd.blame(format!("a secret is in {found}"));
    }
}

/// Lets all clients bring their jobs to an end.
pub(crate) fn settle(crowd: &Crowd, clients: &mut [Client]) {
    let deadline = Instant::now() + SETTLING;
    std::thread::scope(|scope| {
        for client in clients.iter_mut() {
            scope.spawn(move || client.settle(deadline));
        }
    });
    let doubts = clients.iter().filter(|client| client.ledger.doubt.is_some());
    doubts.for_each(|client| crowd.blame(format!("still in doubt: {:?}", client.ledger.doubt)));
}

/// No job is listed that nobody made.
fn assert_none_invented(crowd: &Crowd, clients: &[Client]) {
    let mut api = bits_e2e::Api::at(&crowd.socket);
    let mut listed = Vec::new();
    for state in ["", "acknowledged", "cancelled"] {
        let mut cursor = String::new();
        loop {
            let mut path = "/v1/jobs?limit=1000".to_owned();
            for (name, value) in [("state", state), ("cursor", &cursor)] {
                if !value.is_empty() {
                    path += &format!("&{name}={value}");
                }
            }
            let page = api.ask("GET", &path, None).expect("the service answers").json();
            listed.extend(page["jobs"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
    }
    let known = clients.iter().map(|client| client.ledger.jobs.len()).sum::<usize>();
    for job in &listed {
        let id = job["id"].as_str().unwrap_or_default();
        if !clients.iter().any(|client| client.ledger.jobs.contains_key(id)) {
            crowd.blame(format!("{id}: it is there, and nobody has made it"));
        }
    }
    if listed.len() != known {
        crowd.blame(format!("{} jobs are listed, and {known} were made", listed.len()));
    }
}

pub(crate) fn assert_no_faults(crowd: &Crowd, seed: u64) {
    let faults = crowd.faults.lock().expect("nobody panics with it");
    assert!(faults.is_empty(), "OPENBITS_SEED={seed}:\n{}", faults.join("\n"));
}

/// What the clients have counted, together.
pub(crate) fn summary(clients: &[Client]) -> Value {
    let mut counts = Counts::default();
    clients.iter().for_each(|client| counts.add(&client.counts));
    let jobs = clients.iter().flat_map(|client| client.ledger.jobs.values());
    let ended = |end: End| jobs.clone().filter(|job| job.end == end).count();
    json!({
        "acknowledged": counts.acknowledged,
        "in_doubt": counts.in_doubt,
        "in_doubt_and_done": counts.done_in_doubt,
        "refused_in_trouble": counts.refused,
        "looks": counts.looks,
        "errors_met": counts.errors_met,
        "jobs": jobs.clone().count(),
        "jobs_completed": ended(End::Completed),
        "jobs_cancelled": ended(End::Cancelled),
    })
}

/// Prints `told`, and adds it as a line to the file that `OPENBITS_REPORT` names.
pub(crate) fn report(name: &str, told: &Value) {
    println!("{name}: {told:#}");
    if let Some(path) = std::env::var_os("OPENBITS_REPORT") {
        let mut file =
            std::fs::File::options().create(true).append(true).open(&path).expect("a file for reports");
        writeln!(file, "{}", json!({ "test": name, "counts": told })).expect("written");
    }
}

/// The number in the variable `name`.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
