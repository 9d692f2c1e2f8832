//! Services with something wrong, and what is said of it.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use bits_api::finding::Verdict;
use bits_platform::endpoint::ServiceLock;
use bits_platform::seal::KeyPlaces;
use bits_store::SqliteStore;

use super::*;
use crate::sealing;

struct World(tempfile::TempDir);

impl World {
    /// A user whose service has run and has ended.
    fn new() -> Self {
        let world = Self(tempfile::tempdir().expect("a folder"));
        let state = world.state();
        fs::create_dir(&state).expect("a folder");
        world.chmod("", 0o700);
        let mut store = SqliteStore::open(&state.join("queue.db")).expect("a store").store;
        let places = KeyPlaces { key_file: state.join("seal.key"), credentials_folder: None };
        sealing::open(&mut store, &places, &mut Vec::new()).expect("a key");
        world
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("bits")
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.state().join(name), Permissions::from_mode(mode)).expect("changed");
    }

    fn examine(&self, deep: bool) -> Vec<Finding> {
        let environment = |name: &str| match name {
            "XDG_STATE_HOME" | "XDG_CONFIG_HOME" | "HOME" => Some(OsString::from(self.0.path())),
            // Nobody else's realm is asked.
            "KRB5_CONFIG" => Some(OsString::from(self.0.path().join("krb5.conf"))),
            _ => None,
        };
        examine(&environment, deep)
    }

    /// What is not as it should be.
    fn troubles(&self, deep: bool) -> Vec<(String, Verdict)> {
        let findings = self.examine(deep);
        for finding in &findings {
            assert_eq!(finding.verdict == Verdict::Ok, finding.advice.is_none(), "{finding:?}");
        }
        let troubles = findings.into_iter().filter(|finding| finding.verdict != Verdict::Ok);
        troubles.map(|finding| (finding.check, finding.verdict)).collect()
    }
}

#[test]
fn a_service_that_is_well_has_no_troubles_and_is_left_as_it_was() {
    let world = World::new();
    let list = |world: &World| {
        let mut files: Vec<_> = fs::read_dir(world.state())
            .expect("a folder")
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let content = fs::read(&path).expect("a file");
                (path, content)
            })
            .collect();
        files.sort();
        files
    };
    let before = list(&world);
    assert_eq!(world.troubles(true), []);
    let names = |list: &[(PathBuf, Vec<u8>)]| -> Vec<_> {
        list.iter().map(|(path, bytes)| (path.clone(), bytes.len())).collect()
    };
    assert_eq!(names(&list(&world)), names(&before));
    assert!(list(&world) == before, "something was touched");
    let checks: Vec<String> = world.examine(false).into_iter().map(|finding| finding.check).collect();
    for check in
        ["settings", "folder", "files", "space", "socket", "lock", "queue", "key", "clock", "kerberos"]
    {
        assert!(checks.iter().any(|known| known == check), "{check}: {checks:?}");
    }
    fs::remove_dir_all(world.state()).expect("removed");
    assert_eq!(world.troubles(true), [], "nothing is wrong with a service that never was");
    assert!(!world.state().exists());
}

#[test]
fn each_trouble_is_found_and_has_its_advice() {
    type Spoil = fn(&World);
    let one = |check: &str, verdict| vec![(check.to_owned(), verdict)];
    let spoilt: [(Spoil, Vec<(String, Verdict)>); 10] = [
        (|world| world.chmod("", 0o770), one("folder", Verdict::Bad)),
        (|world| world.chmod("", 0o755), one("folder", Verdict::Warning)),
        (
            |world| world.chmod("seal.key", 0o640),
            [one("files", Verdict::Bad), one("key", Verdict::Bad)].concat(),
        ),
        (|world| world.chmod("queue.db", 0o644), one("files", Verdict::Warning)),
        (|world| fs::remove_file(world.state().join("seal.key")).expect("removed"), one("key", Verdict::Bad)),
        (
            |world| {
                let path = world.state().join("seal.key");
                let mut key = fs::read(&path).expect("a key");
                key[8] ^= 1;
                fs::write(path, key).expect("another key");
            },
            one("key", Verdict::Bad),
        ),
        (
            |world| {
                let path = world.state().join("queue.db");
                let bytes = fs::read(&path).expect("a file");
                fs::write(path, &bytes[..bytes.len() / 2]).expect("half a file");
            },
            one("queue", Verdict::Bad),
        ),
        (
            |world| {
                let newer = rusqlite::Connection::open(world.state().join("queue.db")).expect("opened");
                newer.pragma_update(None, "user_version", 99).expect("newer");
            },
            one("queue", Verdict::Bad),
        ),
        (
            |world| fs::write(world.state().join("config.toml"), "log_lewel = 7").expect("settings"),
            one("settings", Verdict::Bad),
        ),
        (
            |world| fs::write(world.state().join("bitsd.sock"), "").expect("a file"),
            one("socket", Verdict::Bad),
        ),
    ];
    for (spoil, expected) in spoilt {
        let world = World::new();
        spoil(&world);
        let troubles = world.troubles(true);
        let is_cut_database = expected == one("queue", Verdict::Bad);
        // Of a queue that cannot be read the key is not known either.
        let troubles: Vec<_> =
            troubles.into_iter().filter(|(check, _)| !(is_cut_database && check == "key")).collect();
        assert_eq!(troubles, expected);
    }
}

#[test]
fn a_service_that_runs_is_named_and_its_queue_is_left_alone() {
    let world = World::new();
    let _lock = ServiceLock::take(&world.state()).expect("the lock");
    let _listener = UnixListener::bind(world.state().join("bitsd.sock")).expect("a socket");
    let _store = SqliteStore::open(&world.state().join("queue.db")).expect("a store");
    assert_eq!(world.troubles(true), []);
    let findings = world.examine(true);
    let says = |text: &str| findings.iter().any(|finding| finding.finding.contains(text));
    assert!(says(&format!("process {} holds", std::process::id())), "{findings:?}");
    assert!(says("a service answers at") && says("stop the service first"), "{findings:?}");
}
