//! What the machine runs out of, or loses, one thing at a time: what happens has the right code, heals
//! by itself or says what to do, loses nothing, and afterwards the service serves as before.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use bits_e2e::{Answer, Api, Run, Running, Service, program, until, with_own_mounts};
use bits_testkit::UnkindOrigin;
use bits_testkit::power::{Disk, Mounted};
use rustix::io::Errno;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A service, in whose world things run out.
struct World {
    service: Service,
    origin: UnkindOrigin,
    /// Set where store and downloads are on a disk of their own.
    disks: Option<[(Disk, Mounted); 2]>,
}

impl World {
    fn new() -> Self {
        Self { service: Service::new(), origin: UnkindOrigin::start(), disks: None }
    }

    /// With a disk for the store and one for downloads, which fail when they are told to.
    fn with_disks() -> Self {
        let mut world = Self::new();
        let [store, downloads] = ["store", "downloads"].map(|name| {
            let place = world.service.folder().join(name);
            fs::create_dir(&place).expect("a world can be written to");
            let disk = Disk::new(1);
            let mounted = disk.mount(&place).expect("root can mount");
            (disk, mounted)
        });
        world.disks = Some([store, downloads]);
        world
    }

    fn disk(&self, is_store: bool) -> &Disk {
        &self.disks.as_ref().expect("it has disks")[usize::from(!is_store)].0
    }

    fn start(&self) -> Running {
        let mut bitsd = self.service.run(program("bitsd")).within(PATIENCE * 10);
        if self.disks.is_some() {
            bitsd = bitsd.env("XDG_STATE_HOME", self.service.folder().join("store"));
        }
        let running = bitsd.spawn();
        until(PATIENCE, "the service listens", || UnixStream::connect(self.socket()).ok());
        running
    }

    fn socket(&self) -> PathBuf {
        self.service.runtime_folder().join("bits/bitsd.sock")
    }

    fn api(&self) -> Api {
        Api::at(self.socket())
    }

    fn download(&self, name: &str) -> PathBuf {
        match self.disks {
            Some(_) => self.service.folder().join("downloads").join(name),
            None => self.service.file(name),
        }
    }

    /// A job for one file of `target`, which has an id, suspended.
    fn make(&self, api: &mut Api, target: &str) -> String {
        let id = done(ask(api, "POST", "/v1/jobs", Some(json!({ "display_name": "a job" }))))["id"].clone();
        let id = id.as_str().expect("an id").to_owned();
        let file =
            json!({ "remote_name": self.origin.url(target), "local_name": self.download(name_in(target)) });
        done(ask(api, "POST", &format!("/v1/jobs/{id}/files"), Some(json!({ "files": [file] }))));
        id
    }

    /// Sees that the job comes to its end, with the right bytes.
    fn comes_well(&self, api: &mut Api, id: &str, target: &str) {
        until(PATIENCE, format_args!("{id} has come"), || {
            let job = show(api, id);
            match job["state"].as_str()? {
                "transferred" => Some(()),
                "error" => panic!("{job:#}"),
                "transient_error" => {
                    ask(api, "POST", &format!("/v1/jobs/{id}/resume"), None);
                    None
                }
                _ => None,
            }
        });
        done(ask(api, "POST", &format!("/v1/jobs/{id}/complete"), None));
        let there = fs::read(self.download(name_in(target))).expect("its job is complete");
        assert!(self.origin.first(target).is(&there), "{target}: the right bytes");
    }
}

fn name_in(target: &str) -> &str {
    let (_, id) = target.split_once("id=").expect("it has an id");
    id.split('&').next().expect("a name")
}

fn ask(api: &mut Api, method: &str, path: &str, body: Option<Value>) -> Answer {
    api.ask(method, path, body.as_ref()).unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
}

#[track_caller]
fn done(answer: Answer) -> Value {
    assert!(answer.status < 300, "{}: {:#}", answer.status, answer.json());
    answer.json()
}

fn show(api: &mut Api, id: &str) -> Value {
    done(ask(api, "GET", &format!("/v1/jobs/{id}"), None))
}

fn resume(api: &mut Api, id: &str) {
    done(ask(api, "POST", &format!("/v1/jobs/{id}/resume"), None));
}

/// The job's error, once it has one.
fn error_of(api: &mut Api, id: &str) -> Value {
    until(PATIENCE, format_args!("{id} meets an error"), || {
        let error = show(api, id)["error"].clone();
        (!error.is_null()).then_some(error)
    })
}

/// Sets a limit of a process: `prlimit`'s word, and the number.
fn limit(running: &Running, what: &str, number: u64) {
    let pid = running.pid().as_raw_nonzero().to_string();
    let limit = format!("--{what}={number}:");
    Run::new("prlimit").args(["--pid", &pid, &limit]).finish().expect_code(0);
}

fn handles_of(running: &Running) -> u64 {
    let folder = format!("/proc/{}/fd", running.pid().as_raw_nonzero());
    fs::read_dir(folder).expect("the service runs, and root looks").count() as u64
}

#[test]
fn without_file_handles_transfers_wait_and_callers_are_served_when_there_are_some() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root changes the limits of a service that hides from others");
        return;
    }
    let world = World::new();
    let running = world.start();
    let mut api = world.api();
    let target = "/kind?size=3000000&id=handles";
    let id = world.make(&mut api, target);
    // This connection is there, and nothing else gets a handle.
    done(ask(&mut api, "GET", "/v1/about", None));
    limit(&running, "nofile", handles_of(&running));
    resume(&mut api, &id);
    let error = error_of(&mut api, &id);
    println!("no file handles: {error}");
    assert_eq!(error["transient"], true, "handles come back: {error}");
    // Somebody who comes now waits at the door, and is let in later.
    let late = world.socket();
    let late =
        std::thread::spawn(move || Api::at(late).ask("GET", "/v1/about", None).map(|answer| answer.status));
    assert_eq!(show(&mut api, &id)["id"], id.as_str(), "who is there is served");
    limit(&running, "nofile", 1024);
    assert_eq!(late.join().expect("it does not panic").ok(), Some(200));
    world.comes_well(&mut api, &id, target);
}

#[test]
fn without_memory_a_transfer_waits_or_the_service_ends_and_nothing_is_lost() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root changes the limits of a service that hides from others");
        return;
    }
    let world = World::new();
    let running = world.start();
    let mut api = world.api();
    let target = "/kind?size=30000000&pace=1&id=memory";
    let id = world.make(&mut api, target);
    let pid = running.pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the service runs");
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("it has a size");
    let size: u64 = size.trim().trim_end_matches(" kB").parse().expect("a number");
    // Room for small things, none for a block that a file is written from.
    limit(&running, "as", (size << 10) + (3 << 20));
    // Either the job says it, or the service ends in the attempt to say it.
    let resumed = api.ask("POST", &format!("/v1/jobs/{id}/resume"), None);
    let error = resumed.is_ok().then(|| {
        until(PATIENCE, "memory is missing", || match api.ask("GET", &format!("/v1/jobs/{id}"), None) {
            Ok(answer) => {
                let job = answer.json();
                (!job["error"].is_null() || job["state"] == "transferred").then_some(job["error"].clone())
            }
            Err(_) => Some(Value::Null),
        })
    });
    println!("no memory: {error:?}");
    if let Some(error) = error.filter(|error| !error.is_null()) {
        let code = error["code"].as_str().unwrap_or_default();
        assert!(code == "0x8007000E" && error["transient"] == true, "{error}");
    }
    let is_there = api.ask("GET", "/v1/about", None).is_ok();
    println!("the service is there: {is_there}");
    let running = if is_there {
        limit(&running, "as", u64::MAX);
        running
    } else {
        running.finish();
        world.start()
    };
    let mut api = world.api();
    assert_eq!(show(&mut api, &id)["id"], id.as_str(), "the job is there");
    resume(&mut api, &id);
    world.comes_well(&mut api, &id, target);
    drop(running);
}

/// What a disk fails with; what a request says that would write to the store then; what a job says
/// whose file is on it, and whether time cures that.
const FAILING_DISKS: [(Errno, &str, &str, bool); 4] = [
    (Errno::NOSPC, "0x80070070", "0x80070070", true),
    (Errno::DQUOT, "0x8007050F", "0x8007050F", true),
    (Errno::ROFS, "0x80070013", "0x80070013", false),
    (Errno::IO, "0x8007045D", "0x8007045D", false),
];

#[test]
fn a_store_that_cannot_be_written_refuses_changes_answers_questions_and_goes_on_when_it_can() {
    if !with_own_mounts() {
        return;
    }
    for (errno, code, ..) in FAILING_DISKS {
        let world = World::with_disks();
        let running = world.start();
        let mut api = world.api();
        let (before, coming) = ("/kind?size=100&id=before", "/kind?size=600000&pace=50&id=coming");
        let [kept, moving] = [before, coming].map(|target| world.make(&mut api, target));
        resume(&mut api, &moving);
        until(PATIENCE, "bytes come", || (show(&mut api, &moving)["state"] == "transferring").then_some(()));
        world.disk(true).refuse_changes(Some(errno));
        let refused = ask(&mut api, "POST", "/v1/jobs", Some(json!({ "display_name": "one more" })));
        println!("store, {errno:?}: {} {}", refused.status, refused.json());
        assert_eq!((refused.status, refused.code().as_deref()), (507, Some(code)), "{errno:?}");
        let refused =
            ask(&mut api, "PATCH", &format!("/v1/jobs/{kept}"), Some(json!({ "description": "x" })));
        assert_eq!(refused.status, 507, "{errno:?}");
        assert_eq!(show(&mut api, &kept)["description"], "", "{errno:?}: nothing was changed");
        world.disk(true).refuse_changes(None);
        until(PATIENCE, "the store is written again", || {
            let answer =
                ask(&mut api, "PATCH", &format!("/v1/jobs/{kept}"), Some(json!({ "description": "again" })));
            (answer.status == 200).then_some(())
        });
        world.comes_well(&mut api, &moving, coming);
        // What was said is there for the next service, too.
        drop(running.kill());
        let running = world.start();
        let mut api = world.api();
        assert_eq!(show(&mut api, &kept)["description"], "again", "{errno:?}");
        resume(&mut api, &kept);
        world.comes_well(&mut api, &kept, before);
        let all = done(ask(&mut api, "GET", "/v1/jobs", None))["jobs"].as_array().map_or(0, Vec::len);
        assert_eq!(all, 0, "{errno:?}: what was refused was not made");
        drop(running.kill());
    }
}

#[test]
fn a_disk_that_downloads_cannot_go_to_says_so_and_they_go_on_when_it_is_well() {
    if !with_own_mounts() {
        return;
    }
    for (errno, _, code, transient) in FAILING_DISKS {
        let world = World::with_disks();
        let running = world.start();
        let mut api = world.api();
        let target = "/kind?size=900000&pace=30&id=coming";
        let id = world.make(&mut api, target);
        resume(&mut api, &id);
        until(PATIENCE, "bytes come", || (show(&mut api, &id)["state"] == "transferring").then_some(()));
        world.disk(false).refuse_changes(Some(errno));
        let error = error_of(&mut api, &id);
        println!("downloads, {errno:?}: {error}");
        assert_eq!(
            (&error["code"], &error["transient"]),
            (&json!(code), &json!(transient)),
            "{errno:?}: {error}"
        );
        assert_eq!(error["context"], "local_file", "{error}");
        world.service.bits(["error", code]).finish().expect_code(0);
        world.disk(false).refuse_changes(None);
        resume(&mut api, &id);
        world.comes_well(&mut api, &id, target);
        drop(running.kill());
    }
}

#[test]
fn a_service_that_is_started_again_on_a_full_disk_has_lost_nothing_when_there_is_room() {
    if !with_own_mounts() {
        return;
    }
    let world = World::new();
    let state = world.service.folder().join("state");
    fs::create_dir(&state).expect("a world can be written to");
    let mount = ["-t", "tmpfs", "-o", "size=2m", "tmpfs", state.to_str().expect("UTF-8")];
    Run::new("mount").args(mount).finish().expect_code(0);
    let running = world.start();
    let mut api = world.api();
    let target = "/kind?size=1000&id=kept";
    let id = world.make(&mut api, target);
    let ballast = state.join("ballast");
    let fill = || {
        let mut file = fs::File::create(&ballast).expect("a file");
        let zeros = [0; 4096];
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
    };
    fill();
    let body = json!({ "description": "x".repeat(1000) });
    let refused = until(PATIENCE, "the disk is full", || {
        let answer = ask(&mut api, "PATCH", &format!("/v1/jobs/{id}"), Some(body.clone()));
        fill();
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(
        (refused.status, refused.code().as_deref()),
        (507, Some("0x80070070")),
        "{:#}",
        refused.json()
    );
    drop(running.kill());
    fill();
    // It starts, or says why not; either way everything is there when there is room.
    let started = world.service.run(program("bitsd")).spawn();
    let listens = || UnixStream::connect(world.socket()).is_ok();
    until(PATIENCE, "it has started or ended", || (listens() || !started.stderr().is_empty()).then_some(()));
    println!("started on a full disk: {}, {:?}", listens(), started.stderr());
    drop(started.kill());
    fs::remove_file(&ballast).expect("our own file");
    let running = world.start();
    let mut api = world.api();
    assert_eq!(show(&mut api, &id)["id"], id.as_str());
    resume(&mut api, &id);
    world.comes_well(&mut api, &id, target);
    drop(running.kill());
}

#[test]
fn a_store_that_is_taken_away_is_written_to_no_more_and_the_service_makes_way_for_another() {
    let world = World::new();
    let running = world.start();
    let mut api = world.api();
    world.make(&mut api, "/kind?size=1000&id=gone");
    let (state, aside) = (world.service.state_folder(), world.service.file("aside"));
    fs::rename(&state, &aside).expect("a world can be changed");
    let refused = ask(&mut api, "POST", "/v1/jobs", Some(json!({ "display_name": "for nobody" })));
    println!("store taken away: {} {}", refused.status, refused.json());
    assert_eq!(refused.status, 507);
    assert!(
        refused.json()["message"].as_str().is_some_and(|told| told.contains("was taken away")),
        "{refused:?}"
    );
    let ended = running.finish();
    assert_eq!(ended.code, Some(1), "it leaves by itself: {ended}");
    // Another one is started by whoever asks next, over the folder as it is.
    world.service.bits(["create", "anew"]).finish().expect_code(0);
    let listed = world.service.bits(["list", "--json"]).finish().expect_code(0).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    world.service.bits(["service", "stop"]).finish().expect_code(0);
    fs::remove_dir_all(&state).expect("a world can be changed");
    fs::rename(&aside, &state).expect("it is put back");
    let listed = world.service.bits(["list", "--json"]).finish().expect_code(0).json();
    assert_eq!(listed[0]["progress"]["files_total"], 1, "what was acknowledged is where it was: {listed}");
}

#[test]
fn a_second_service_leaves_by_whatever_way_it_comes_and_however_busy_the_first_is() {
    let world = World::new();
    let running = world.start();
    let mut api = world.api();
    let target = "/kind?size=1000&id=two";
    let id = world.make(&mut api, target);
    // The same folder by another name, and a socket of its own.
    let (link, run) = (world.service.file("link"), world.service.file("run"));
    std::os::unix::fs::symlink(world.service.folder().join("state"), &link).expect("a link");
    fs::create_dir(&run).expect("a world can be written to");
    let second = |state: &PathBuf| {
        let bitsd =
            world.service.run(program("bitsd")).env("XDG_STATE_HOME", state).env("XDG_RUNTIME_DIR", &run);
        bitsd.within(PATIENCE).finish()
    };
    running.signal(bits_e2e::Signal::STOP);
    for state in [&link, &world.service.folder().join("state")] {
        let ended = second(state);
        assert_eq!(ended.code, Some(75), "{ended}");
        assert!(ended.stderr.contains(&format!("process {}", running.pid().as_raw_nonzero())), "{ended}");
    }
    running.signal(bits_e2e::Signal::CONT);
    resume(&mut api, &id);
    world.comes_well(&mut api, &id, target);
}
