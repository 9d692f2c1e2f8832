//! Nothing is left behind: not by a world, not by a test process that was killed.

use std::path::Path;
use std::time::Duration;

use bits_e2e::{Run, Service, peers, until};

/// Long enough for servers to stop on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// Set for a test process that another one has started, to be killed.
const VICTIM: &str = "BITS_E2E_VICTIM";

/// Whether a process runs that began with its home below `folder`.
fn lives_in(folder: &Path) -> bool {
    let home = format!("HOME={}/", folder.display());
    let processes = std::fs::read_dir("/proc").expect("this is Linux").flatten();
    processes.into_iter().any(|entry| {
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(home.as_bytes()))
    })
}

#[test]
fn whatever_runs_in_a_world_ends_with_it() {
    let world = Service::new();
    let folder = world.folder().to_owned();
    // One that hides in a session of its own, and one that does not go when it is asked to.
    let script = "setsid sleep 1000 >/dev/null 2>&1 &
        setsid sh -c 'trap : TERM; echo >stubborn; while :; do sleep 1000; done' >/dev/null 2>&1 &";
    world.run("sh").args(["-c", script]).finish().expect_code(0);
    until(SOON, "both run", || world.file("stubborn").exists().then_some(()));
    assert!(lives_in(&folder));
    drop(world);
    assert!(!lives_in(&folder));
    assert!(!folder.exists());
}

/// The test process that is killed by the next test; on its own it has nothing to do.
#[test]
fn a_victim_prints_where_it_lives_and_waits_for_its_end() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let world = Service::new();
    world.run("sh").args(["-c", "setsid sleep 1000 >/dev/null 2>&1 &"]).finish().expect_code(0);
    println!("world {}", world.folder().display());
    if let Some(peers) = peers() {
        println!("nginx {}", peers.nginx.address());
    }
    println!("ready");
    until(Duration::from_secs(600), "somebody kills this process", || None)
}

#[test]
fn a_test_process_that_is_killed_leaves_no_world_and_no_peers() {
    let test = "harness::cleared::a_victim_prints_where_it_lives_and_waits_for_its_end";
    let victim = Run::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(VICTIM, "1")
        .within(Duration::from_secs(120))
        .spawn();
    victim.wait_for_stdout("ready");
    let said = victim.stdout();
    let find = |word: &str| said.lines().find_map(|line| line.strip_prefix(word)).map(str::to_owned);
    let world = find("world ").unwrap();
    let ground = Path::new(&world).parent().unwrap().to_owned();
    assert!(lives_in(&ground));

    victim.signal(bits_e2e::Signal::KILL);
    until(SOON, "its folder is removed", || (!ground.exists()).then_some(()));
    assert!(!lives_in(&ground));
    if let Some(nginx) = find("nginx ") {
        assert!(std::net::TcpStream::connect(&nginx).is_err(), "its nginx still answers at {nginx}");
    }
}
