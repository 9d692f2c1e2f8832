//! The service starts by itself, once, and what is wrong with a start is said.

use std::fs;
use std::time::Duration;

use bits_e2e::{Api, Service, until};

/// Longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn callers_that_come_at_once_start_one_service() {
    let service = Service::new();
    let callers: Vec<_> =
        (0..6).map(|number| service.bits(["create", &format!("job {number}")]).spawn()).collect();
    for caller in callers {
        caller.finish().expect_code(0);
    }
    let status = service.status().expect("a service runs");
    assert_eq!(status["jobs"]["suspended"], 6, "all spoke to the same one: {status}");
    let starts = service.log().lines().filter(|line| line.contains("the service is ready")).count();
    assert_eq!(starts, 1, "{}", service.log());
}

#[test]
fn a_second_service_over_one_state_folder_says_so_and_leaves() {
    let service = Service::new();
    let running = service.start();
    let second = service.bitsd().within(PATIENCE).finish();
    assert_eq!(second.code, Some(75), "{second}");
    assert!(second.stderr.contains(&format!("process {}", running.pid().as_raw_nonzero())), "{second}");
    assert!(service.status().is_some(), "the first is unharmed");
}

#[test]
fn status_never_starts_a_service_and_names_where_things_are() {
    let service = Service::new();
    let status = service.bits(["service", "status", "--json"]).finish().expect_code(3);
    assert_eq!(status.json()["running"], false);
    let refused = service.bits(["--no-start", "list"]).finish().expect_code(3);
    assert_eq!(refused.stdout, "");
    let running = service.start();
    let status = service.status().expect("it runs");
    assert_eq!(status["state_folder"], service.state_folder().to_str().expect("UTF-8"));
    assert!(status["socket"].as_str().expect("a path").ends_with("bitsd.sock"));
    assert!(status["key_source"].as_str().expect("a text").contains("key file"));
    let plain = service.bits(["service", "status"]).finish().expect_code(0);
    assert!(plain.stdout.contains("bitsd.log"), "{plain}");
    drop(running);
}

#[test]
fn a_settings_file_that_is_wrong_stops_the_start_and_is_named_with_its_line() {
    let service = Service::new();
    for (text, expected) in [
        ("connect_timeout = 5\nconnect_timout = 5\n", "did you mean `connect_timeout`"),
        ("\nlog_level = loud\n", "line 2"),
        ("idle_timeout = 0\n", "from 1 to 604800"),
    ] {
        service.configure(text);
        let refused = service.bits(["list"]).finish().expect_code(3);
        assert!(refused.stderr.contains(expected), "{refused}");
        assert!(refused.stderr.contains("config.toml"), "{refused}");
    }
    service.configure("connect_timeout = 7\n");
    let explained = service.bits(["config", "explain", "connect_timeout"]).finish().expect_code(0);
    for expected in ["7", "config.toml", "built in", "30"] {
        assert!(explained.stdout.contains(expected), "{expected}: {explained}");
    }
    let unknown = service.bits(["config", "explain", "connect_timout"]).finish();
    assert!(matches!(unknown.code, Some(2 | 4)), "{unknown}");
    assert!(unknown.stderr.contains("connect_timeout"), "{unknown}");
}

#[test]
fn a_queue_of_a_newer_version_is_refused_and_nothing_is_touched() {
    let service = Service::new();
    service.bits(["create", "kept"]).finish().expect_code(0);
    service.bits(["service", "stop"]).finish().expect_code(0);
    let database = service.state_folder().join("queue.db");
    // The version stands in the header of the file, 4 bytes at offset 60 (SQLite's file format).
    let mut bytes = fs::read(&database).expect("the database");
    bytes[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    fs::write(&database, &bytes).expect("the database");
    let refused = service.bits(["list"]).finish().expect_code(3);
    assert!(refused.stderr.contains("newer"), "{refused}");
    assert_eq!(fs::read(&database).expect("the database"), bytes);
}

#[test]
fn a_damaged_queue_is_set_aside_and_never_silently_dropped() {
    let service = Service::new();
    service.bits(["create", "lost"]).finish().expect_code(0);
    service.bits(["service", "stop"]).finish().expect_code(0);
    let database = service.state_folder().join("queue.db");
    fs::write(&database, b"this is no database at all, whatever it was before").expect("the database");
    assert_eq!(service.bits(["list", "--json"]).finish().expect_code(0).json(), serde_json::json!([]));
    let status = service.bits(["service", "status"]).finish().expect_code(0);
    assert!(status.stdout.contains("damaged") || status.stderr.contains("damaged"), "{status}");
    let aside = fs::read_dir(service.state_folder())
        .expect("the state folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.to_string_lossy().contains("queue.db.damaged"))
        .expect("it is kept");
    assert!(fs::read(aside).expect("a file").starts_with(b"this is no database"));
}

#[test]
fn a_socket_path_that_is_too_long_is_refused_by_name() {
    let service = Service::new();
    let folder = service.folder().join("x".repeat(100));
    let refused = service.bits(["list"]).env("XDG_STATE_HOME", &folder).finish().expect_code(3);
    assert!(refused.stderr.contains("107"), "{refused}");
    assert!(refused.stderr.contains(folder.to_str().expect("UTF-8")), "{refused}");
}

#[test]
fn restart_keeps_the_jobs_and_stop_waits_until_the_service_is_gone() {
    let service = Service::new();
    let id = service.bits(["create", "kept"]).finish().expect_code(0).stdout;
    let before = service.pid().expect("it runs");
    service.bits(["service", "restart"]).finish().expect_code(0);
    let after = service.pid().expect("it runs again");
    assert_ne!(before, after);
    let shown = service.bits(["show", id.trim(), "--json"]).finish().expect_code(0).json();
    assert_eq!(shown["display_name"], "kept");
    service.configure("connect_timout = 1\n");
    let refused = service.bits(["service", "restart"]).finish();
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("connect_timeout"), "{refused}");
    assert_eq!(service.pid(), Some(after), "it is not stopped for one that could not start");
    service.bits(["service", "stop"]).finish().expect_code(0);
    assert!(service.status().is_none());
    assert!(!service.socket().exists());
}

/// As a program does with the API itself, which does not wait until the service is gone.
#[test]
fn a_service_that_was_told_to_stop_is_never_taken_for_one_that_runs() {
    let service = Service::new();
    for _ in 0..5 {
        service.bits(["service", "start"]).finish().expect_code(0);
        let before = service.pid().expect("it runs");
        let told = Api::at(service.socket()).ask("POST", "/v1/stop", None).map(|answer| answer.status);
        assert!(matches!(told, Ok(202)), "{told:?}");
        let started = service.bits(["service", "start"]).finish().expect_code(0);
        assert!(service.pid().is_some_and(|after| after != before), "{started}");
    }
}

#[test]
fn a_service_installed_for_the_next_logon_passes_systemds_own_check_and_names_lingering() {
    let service = Service::new();
    let installed = service.bits(["service", "install"]).finish().expect_code(0);
    let unit = service.folder().join("config/systemd/user/bitsd.service");
    let autostart = service.folder().join("config/autostart");
    assert!(unit.exists() || autostart.exists(), "{installed}");
    if unit.exists() {
        let said = installed.stdout.clone() + &installed.stderr;
        assert!(said.contains("linger"), "{installed}");
        let verified = service.run("systemd-analyze").args(["--user", "verify"]).arg(&unit).finish();
        assert_eq!((verified.code, verified.stdout.as_str(), verified.stderr.as_str()), (Some(0), "", ""));
    }
    service.bits(["service", "uninstall"]).finish().expect_code(0);
    assert!(!unit.exists());
}

#[test]
fn a_service_without_jobs_leaves_when_it_is_idle() {
    let service = Service::new();
    service.configure("idle_exit = 1\n");
    service.bits(["list"]).finish().expect_code(0);
    until(PATIENCE * 2, "the service leaves", || (!service.socket().exists()).then_some(()));
    assert!(service.log().contains("it leaves"), "{}", service.log());
}
