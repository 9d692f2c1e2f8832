//! The machine loses power at any moment, and the disk forgets what was not synced: what was
//! acknowledged is there, no offset was ahead of the bytes, and files are whole.
//!
//! Store, log, key and downloads are on one disk of the test kit, and the machine gets another boot
//! id with each start. What it finds is worth as much as what its controls find: disks that say that
//! they have synced, and have not.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bits_e2e::{Api, Random, Run, Running, Service, program, until, with_own_mounts};
use bits_testkit::UnkindOrigin;
use bits_testkit::power::{Disk, Lies, Mounted};
use serde_json::{Value, json};

use crate::storm::client::{Client, Crowd};
use crate::storm::remains::{self, Folder};
use crate::storm::sources::Sources;
use crate::storm::{self, SETTINGS, number, settle, summary};

/// Cuts, if nobody asks for more (`OPENBITS_CUTS`).
const CUTS: u64 = 25;
/// Cuts after which a disk that lies must have been found out.
const CUTS_WITH_LIES: u64 = 25;
const CLIENTS: usize = 3;
/// How often it is said how far it has come, in cuts.
const TOLD_EVERY: u64 = 25;
/// The greatest file, in bytes.
const SIZE_MAX: u64 = 120_000;
/// Changes and syncs of the disk until the cut, at most: a start takes some, a request few.
const OPERATIONS_MAX: u64 = 700;
/// How long is waited for that many.
const POWER_MAX: Duration = Duration::from_millis(1500);
/// How long anything of the machine may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of the log that are told of a service that does not come up.
const LOG_LINES_MAX: usize = 20;

#[test]
fn whatever_was_acknowledged_survives_power_cuts_at_any_moment() {
    if !with_own_mounts() {
        return;
    }
    let seed = number("OPENBITS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let cuts = number("OPENBITS_CUTS").unwrap_or(CUTS);
    println!("seed {seed}, {cuts} cuts, {CLIENTS} clients");
    let ended = Machine::storm(seed, cuts, Lies::None);
    storm::report("power", &ended.told);
    assert!(ended.faults.is_empty(), "OPENBITS_SEED={seed}:\n{}", ended.faults.join("\n"));
    let cut_off =
        ended.told["in_doubt"].as_u64().unwrap_or(0) + ended.told["refused_in_trouble"].as_u64().unwrap_or(0);
    assert!(cut_off > 0, "no cut hit a request: {}", ended.told);
}

#[test]
fn a_disk_that_lies_about_the_store_costs_a_job_and_is_found_out() {
    is_found_out(Lies::All, "lost");
    is_found_out(Lies::Content("-wal"), ":");
}

#[test]
fn a_disk_that_lies_about_files_spoils_one_and_is_found_out() {
    is_found_out(Lies::Content(".bin."), "not those of");
    is_found_out(Lies::Names, ":");
}

#[test]
fn what_is_said_to_be_done_lasts_when_nothing_unsynced_has_reached_the_disk() {
    if !with_own_mounts() {
        return;
    }
    let origin = UnkindOrigin::start();
    let mut machine = Machine::new(1);
    let socket = machine.service.runtime_folder().join("bits/bitsd.sock");
    let mut api = Api::at(&socket);
    let downloads = machine.downloads();
    let cut = |machine: &mut Machine, running: Running| {
        machine.disk.cut_hard();
        machine.lose_power(running);
        let running = machine.boot();
        until(PATIENCE, "the service answers", || UnixStream::connect(&socket).ok());
        running
    };
    let ask = |api: &mut Api, method: &str, path: &str, body: Value| {
        let body = (!body.is_null()).then_some(body);
        let answer = api.ask(method, path, body.as_ref()).expect("the service answers");
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.json());
        answer.json()
    };
    let make = |api: &mut Api, target: &str, local_name: PathBuf| {
        let id = ask(api, "POST", "/v1/jobs", json!({ "display_name": "a job" }))["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let file = json!({ "remote_name": origin.url(target), "local_name": local_name });
        ask(api, "POST", &format!("/v1/jobs/{id}/files"), json!({ "files": [file], "create_folders": true }));
        id
    };
    let wait_for = |api: &mut Api, id: &str, state: &str| {
        until(PATIENCE, format_args!("{id} is {state}"), || {
            (ask(api, "GET", &format!("/v1/jobs/{id}"), Value::Null)["state"] == state).then_some(())
        });
    };
    let running = machine.boot();
    until(PATIENCE, "the service answers", || UnixStream::connect(&socket).ok());

    // The first job of all, in folders that were made for it.
    let first = make(&mut api, "/kind?size=300000&id=first", downloads.join("new/folder/first"));
    let running = cut(&mut machine, running);
    ask(&mut api, "GET", &format!("/v1/jobs/{first}"), Value::Null);

    // Whole files, in folders that were made for them.
    ask(&mut api, "POST", &format!("/v1/jobs/{first}/resume"), Value::Null);
    wait_for(&mut api, &first, "transferred");
    let running = cut(&mut machine, running);
    ask(&mut api, "POST", &format!("/v1/jobs/{first}/complete"), Value::Null);
    let mut running = cut(&mut machine, running);
    let there = fs::read(downloads.join("new/folder/first")).expect("its job is complete");
    assert!(origin.first("/kind?size=300000&id=first").is(&there), "and it is whole");

    // Parts that were deleted: of a job that is cancelled, and of one that is completed before its
    // end.
    for (end, name) in [("cancel", "cancelled"), ("complete", "cut-short")] {
        let id = make(&mut api, &format!("/stall?at=200000&size=300000&id={name}"), downloads.join(name));
        ask(&mut api, "POST", &format!("/v1/jobs/{id}/resume"), Value::Null);
        until(PATIENCE, "a part has come", || (!remains::partial_files(&downloads).is_empty()).then_some(()));
        // So that its name is on the disk.
        File::open(&downloads).and_then(|folder| folder.sync_all()).expect("synced");
        ask(&mut api, "POST", &format!("/v1/jobs/{id}/{end}"), Value::Null);
        running = cut(&mut machine, running);
        let parts = remains::partial_files(&downloads);
        assert!(parts.is_empty(), "{end}: {parts:?} is back");
    }
    drop(running.kill());
}

#[test]
fn jobs_that_were_added_one_after_the_other_are_there_after_a_cut() {
    if !with_own_mounts() {
        return;
    }
    assert_eq!(lost_by_a_cut_after_many_adds(Lies::None), 0);
    // Those that were not committed yet. By chance that is none, just then.
    let lost = (0..5).map(|_| lost_by_a_cut_after_many_adds(Lies::Content("-intake"))).find(|lost| *lost > 0);
    assert!(
        lost.is_some_and(|lost| lost < ADDS),
        "{lost:?} of {ADDS} were lost by a disk that lies about them"
    );
}

/// Jobs of one program, each of which is acknowledged before the next.
const ADDS: usize = 40;

/// How many jobs are gone when the power goes right after the last of many was acknowledged, and nothing
/// unsynced has reached the disk.
fn lost_by_a_cut_after_many_adds(lies: Lies) -> usize {
    let mut machine = Machine::new(3);
    machine.disk.lie(lies);
    let socket = machine.service.runtime_folder().join("bits/bitsd.sock");
    let mut api = Api::at(&socket);
    let running = machine.boot();
    until(PATIENCE, "the service answers", || UnixStream::connect(&socket).ok());
    let ids: Vec<String> = (0..ADDS)
        .map(|number| {
            let local_name = machine.downloads().join(number.to_string());
            let file = json!({ "remote_name": "http://127.0.0.1:9/file", "local_name": local_name });
            let job = json!({ "display_name": format!("job {number}"), "files": [file] });
            let answer = api.ask("POST", "/v1/jobs", Some(&job)).expect("the service answers");
            assert_eq!(answer.status, 201, "{}", answer.json());
            answer.json()["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    machine.disk.cut_hard();
    machine.lose_power(running);
    let running = machine.boot();
    until(PATIENCE, "the service answers", || UnixStream::connect(&socket).ok());
    let is_lost = |id: &&String| {
        let answer = api.ask("GET", &format!("/v1/jobs/{id}/files"), None).expect("the service answers");
        answer.status == 404 || answer.json()["files"].as_array().is_none_or(|files| files.len() != 1)
    };
    let lost = ids.iter().filter(is_lost).count();
    println!("{lies:?}: {lost} of {ADDS} are lost");
    drop(running.kill());
    lost
}

/// With a disk that lies so, the storm must find something wrong, and say it with `word`.
fn is_found_out(lies: Lies, word: &str) {
    if !with_own_mounts() {
        return;
    }
    let mut found = Vec::new();
    for seed in 0..6 {
        let ended = Machine::storm(seed, CUTS_WITH_LIES, lies);
        println!(
            "{lies:?}, seed {seed}: after {} cuts: {:?}",
            ended.told["power"]["cuts"],
            ended.faults.first()
        );
        found.extend(ended.faults);
        if found.iter().any(|fault| fault.contains(word)) {
            return;
        }
    }
    panic!("{lies:?} was not found out: {found:?}");
}

/// What a storm has come to.
struct Ended {
    faults: Vec<String>,
    told: Value,
}

/// A machine with one disk, and a service on it.
struct Machine {
    service: Service,
    disk: Disk,
    mounted: Option<Mounted>,
    boot_id: PathBuf,
    boots: u64,
}

impl Machine {
    fn storm(seed: u64, cuts: u64, lies: Lies) -> Ended {
        let mut machine = Self::new(seed);
        machine.disk.lie(lies);
        let mut random = Random::new(seed);
        let origin = UnkindOrigin::start();
        let sources = Sources::new(&origin, None, SIZE_MAX);
        let crowd = Crowd {
            sources: &sources,
            socket: machine.service.runtime_folder().join("bits/bitsd.sock"),
            folder: machine.downloads(),
            mark: format!("Zx9-power-{seed}-unlikely!"),
            stopping: AtomicBool::new(false),
            placed: Mutex::default(),
            faults: Mutex::default(),
        };
        let has_faults = || !crowd.faults.lock().expect("nobody panics with it").is_empty();
        let (mut done, mut with_parts) = (0, 0);
        let mut folder = Folder::default();
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
            while done < cuts && !has_faults() {
                machine.disk.cut_after(random.below(OPERATIONS_MAX));
                let running = machine.boot();
                let end = Instant::now() + POWER_MAX;
                while machine.disk.has_power() && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(5));
                }
                machine.lose_power(running);
                done += 1;
                with_parts += u64::from(!remains::partial_files(&crowd.folder).is_empty());
                // What is there after a cut is on the disk for sure: it is read once, and once more at
                // the end.
                storm::look(&crowd, &mut folder);
                if done % TOLD_EVERY == 0 && cuts > TOLD_EVERY {
                    println!("power: {done} of {cuts} cuts in {} s", began.elapsed().as_secs());
                }
            }
            crowd.stopping.store(true, Ordering::Relaxed);
            working.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
        });
        if !has_faults() {
            crowd.stopping.store(false, Ordering::Relaxed);
            machine.settle(&crowd, &mut clients);
        }
        let mut told = summary(&clients);
        told["power"] = json!({
            "seed": seed,
            "cuts": done,
            "cuts_with_partial_files": with_parts,
            "seconds": began.elapsed().as_secs(),
            "changes_and_syncs": machine.disk.operations(),
            "syncs": machine.disk.syncs(),
            "files_asked_for": sources.count(),
            "files_complete": crowd.placed.lock().expect("nobody panics with it").len(),
        });
        let faults = crowd.faults.into_inner().expect("nobody panics with it");
        if !faults.is_empty() && lies == Lies::None {
            println!(
                "{}",
                fs::read_to_string(machine.place().join("state/bits/bitsd.log")).unwrap_or_default()
            );
        }
        Ended { faults, told }
    }

    /// Everything comes to its end, and stays so over one cut more.
    fn settle(&mut self, crowd: &Crowd, clients: &mut [Client]) {
        let Some(running) = self.boot_for(crowd) else { return };
        settle(crowd, clients);
        self.lose_power(running);
        storm::look(crowd, &mut Folder::default());
        let Some(running) = self.boot_for(crowd) else { return };
        settle(crowd, clients);
        drop(running.kill());
        for name in remains::partial_files(&crowd.folder) {
            crowd.blame(format!("{name}: it is left, and no job is"));
        }
    }

    fn new(seed: u64) -> Self {
        let service = Service::new();
        service.configure(SETTINGS);
        let boot_id = service.folder().join("boot_id");
        fs::write(&boot_id, "").expect("a world can be written to");
        let bind = ["--bind", boot_id.to_str().expect("UTF-8"), "/proc/sys/kernel/random/boot_id"];
        Run::new("mount").args(bind).finish().expect_code(0);
        let place = service.folder().join("disk");
        fs::create_dir(&place).expect("a world can be written to");
        let disk = Disk::new(seed);
        let mounted = Some(disk.mount(&place).expect("root can mount"));
        let machine = Self { service, disk, mounted, boot_id, boots: 0 };
        fs::create_dir(machine.downloads()).expect("a disk can be written to");
        File::open(&place).and_then(|folder| folder.sync_all()).expect("synced");
        machine
    }

    fn place(&self) -> PathBuf {
        self.service.folder().join("disk")
    }

    fn downloads(&self) -> PathBuf {
        self.place().join("files")
    }

    /// Starts the machine, and the service on it.
    fn boot(&mut self) -> Running {
        self.boots += 1;
        fs::write(&self.boot_id, format!("00000000-0000-4000-8000-{:012x}\n", self.boots))
            .expect("our own file");
        let bitsd = self.service.run(program("bitsd")).env("XDG_STATE_HOME", self.place().join("state"));
        bitsd.folder(self.service.folder()).within(PATIENCE * 10).spawn()
    }

    /// The same with a service that answers; one that does not is blamed, with the last that it said.
    fn boot_for(&mut self, crowd: &Crowd) -> Option<Running> {
        let running = self.boot();
        let end = Instant::now() + PATIENCE;
        while UnixStream::connect(&crowd.socket).is_err() {
            if running.has_ended() || Instant::now() >= end {
                let ended = running.kill();
                crowd.blame(format!(
                    "the service does not come up again: {ended}; the last of its log:\n{}",
                    self.end_of_log()
                ));
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(running)
    }

    fn end_of_log(&self) -> String {
        match fs::read(self.place().join("state/bits/bitsd.log")) {
            Ok(log) => {
                let log = String::from_utf8_lossy(&log);
                // What a disk makes up where nothing was synced is left out.
                let lines: Vec<_> = log.lines().map(|line| line.trim_start_matches('\0')).collect();
                lines[lines.len().saturating_sub(LOG_LINES_MAX)..].join("\n")
            }
            Err(error) => format!("it cannot be read: {error}"),
        }
    }

    /// Takes the power away, if it is still there, and gives the disk back as it is then.
    fn lose_power(&mut self, running: Running) {
        self.disk.cut();
        drop(running.kill());
        let mounted = self.mounted.take().expect("it is mounted while the machine runs");
        mounted.unmount().expect("nobody has anything open");
        self.disk.give_power();
        self.mounted = Some(self.disk.mount(&self.place()).expect("it could be mounted before"));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.mounted = None;
        let _ = Run::new("umount").arg("/proc/sys/kernel/random/boot_id").finish();
    }
}
