//! A store, its key files, and services that start, die and start again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::job::{Job, JobId, Owner, Properties, Revision};
use bits_core::ports::{Batch, JobChange, KeySource, SealError, SealedSecret, SealingKey, SecretChange};
use bits_core::time::Timestamp;
use bits_platform::seal::CREDENTIAL_NAME;
use bits_store::SqliteStore;

use super::*;

const JOB: JobId = JobId([1; 16]);

struct World {
    folder: tempfile::TempDir,
    has_credential: bool,
}

/// A service as far as keys go.
struct Started {
    store: SqliteStore,
    seal: Arc<dyn Seal>,
    notices: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), has_credential: false }
    }

    fn places(&self) -> KeyPlaces {
        let credentials_folder = self.has_credential.then(|| self.folder.path().to_owned());
        KeyPlaces { key_file: self.key_file(), credentials_folder }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("seal.key")
    }

    /// systemd gives a credential.
    fn give_credential(&mut self, byte: u8) {
        let path = self.folder.path().join(CREDENTIAL_NAME);
        let _ = fs::remove_file(&path);
        fs::write(&path, [byte; 32]).expect("a credential");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("our own file");
        self.has_credential = true;
    }

    fn start(&self) -> Started {
        let mut store = SqliteStore::open(&self.folder.path().join("queue.db")).expect("a store").store;
        let mut notices = Vec::new();
        let seal = open(&mut store, &self.places(), &mut notices).expect("it starts");
        Started { store, seal, notices }
    }

    fn key_files(&self) -> usize {
        let names = fs::read_dir(self.folder.path()).expect("the folder");
        names
            .filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().contains("key"))
            .count()
    }
}

impl Started {
    fn add_secret(&mut self, secret: &[u8]) {
        let properties = Properties::named("a job".to_owned()).expect("a name");
        let job = Job { revision: Revision(1), ..Job::new(JOB, Owner(1), properties, Timestamp(0)) };
        let record = self.seal.seal(secret, b"here").expect("sealed");
        let sealed = SealedSecret {
            slot: SecretSlot::Credential { target: AuthTarget::Server, scheme: AuthScheme::Basic },
            record,
        };
        let batch = Batch {
            jobs: vec![JobChange { job, was: None }],
            secrets: vec![(JOB, SecretChange::Set(sealed))],
            ..Batch::default()
        };
        self.store.commit(&batch).expect("written");
    }

    fn secret(&mut self) -> Result<Vec<u8>, SealError> {
        let record = self.store.secrets(JOB).expect("readable").remove(0).record;
        self.seal.open(&record, b"here").map(|plain| plain.to_vec())
    }

    fn key(&mut self) -> SealingKey {
        self.store.sealing_key().expect("readable").expect("it is on record")
    }
}

const SECRET: &[u8] = b"hunter2";

#[test]
fn the_key_is_chosen_once_when_the_store_is_made() {
    let mut world = World::new();
    let first = world.start().key();
    assert_eq!(first.source, KeySource::KeyFile);
    world.give_credential(7);
    assert_eq!(world.start().key(), first, "a credential that comes later changes nothing");

    let mut world = World::new();
    world.give_credential(7);
    let first = world.start().key();
    assert_eq!(first.source, KeySource::SystemdCredential);
    assert!(!world.key_file().exists());
    assert_eq!(world.start().key(), first);
}

#[test]
fn a_key_that_is_missing_or_another_one_is_made_up_for_by_none_and_is_in_force_when_it_is_back() {
    for with_credential in [false, true] {
        let mut world = World::new();
        if with_credential {
            world.give_credential(7);
        }
        let mut started = world.start();
        started.add_secret(SECRET);
        let (key, aside) = (started.key(), world.folder.path().join("aside"));
        drop(started);
        let path =
            world.places().credentials_folder.map_or(world.key_file(), |folder| folder.join(CREDENTIAL_NAME));
        fs::rename(&path, &aside).expect("it is there");
        for another in [false, true] {
            if another {
                // Of another store.
                let other = World::new();
                drop(other.start());
                fs::copy(other.key_file(), world.key_file()).expect("a copy");
                if with_credential {
                    world.give_credential(8);
                }
            }
            let mut started = world.start();
            assert_eq!(started.notices.len(), 1, "{:?}", started.notices);
            assert!(started.seal.standing().missing.is_some());
            assert!(matches!(started.secret(), Err(SealError::NoKey { .. })));
            assert!(matches!(started.seal.seal(SECRET, b"here"), Err(SealError::NoKey { .. })));
            assert_eq!(started.key(), key, "the record stays");
            assert_eq!(world.key_file().exists(), another, "none is made");
        }
        fs::rename(&aside, &path).expect("it is put back");
        let mut started = world.start();
        assert_eq!((started.secret(), started.notices), (Ok(SECRET.to_vec()), Vec::new()));
    }
}

#[test]
fn the_key_file_of_a_store_from_before_keys_were_on_record_is_taken_and_none_is_made_for_it() {
    for is_there in [true, false] {
        let mut world = World::new();
        let mut started = world.start();
        started.add_secret(SECRET);
        drop(started);
        let forget = "DELETE FROM meta";
        rusqlite::Connection::open(world.folder.path().join("queue.db"))
            .expect("a database")
            .execute(forget, [])
            .expect("as it was");
        world.give_credential(7);
        if is_there {
            let mut started = world.start();
            assert_eq!(started.key().source, KeySource::KeyFile);
            assert_eq!(started.secret(), Ok(SECRET.to_vec()));
        } else {
            fs::remove_file(world.key_file()).expect("it is there");
            let mut started = world.start();
            assert!(matches!(started.secret(), Err(SealError::NoKey { .. })));
            assert_eq!(started.store.sealing_key(), Ok(None));
            assert!(!world.key_file().exists());
        }
    }
}

/// The steps of a change of keys; the service dies after so many of them.
#[test]
fn a_change_of_the_key_that_is_cut_short_after_any_step_loses_nothing() {
    for steps in 0..=3 {
        let world = World::new();
        let mut started = world.start();
        started.add_secret(SECRET);
        let old = started.key();
        let mut new = old;
        if steps > 0 {
            let change = started.seal.change_key().expect("begun");
            new = change.key();
            if steps > 1 {
                let mut rewrap = |_, _, sealed: &SealedSecret| change.rewrap(&sealed.record, b"here");
                started.store.rekey(new, &mut rewrap).expect("written");
            }
            if steps > 2 {
                let (seal, notice) = change.finish();
                assert_eq!(notice, None);
                started.seal = seal;
                assert_eq!(started.secret(), Ok(SECRET.to_vec()));
            }
        }
        drop(started);
        for _ in 0..2 {
            let mut again = world.start();
            assert_eq!(again.secret(), Ok(SECRET.to_vec()), "after {steps} steps");
            assert_eq!(again.key(), if steps > 1 { new } else { old }, "after {steps} steps");
            assert_eq!(again.notices, Vec::<String>::new());
            assert_eq!(world.key_files(), 1, "after {steps} steps");
        }
    }
}

#[test]
fn a_lost_key_is_followed_by_a_new_one_only_when_a_person_asks_and_nothing_is_sealed_with_it() {
    let world = World::new();
    let mut started = world.start();
    started.add_secret(SECRET);
    fs::remove_file(world.key_file()).expect("it is there");
    drop(started);
    let mut started = world.start();
    let change = started.seal.change_key().expect("begun");
    let mut rewrap = |_, _, sealed: &SealedSecret| change.rewrap(&sealed.record, b"here");
    started.store.rekey(change.key(), &mut rewrap).expect_err("something is sealed");
    change.abandon();
    let batch = Batch { secrets: vec![(JOB, SecretChange::RemoveAll)], ..Batch::default() };
    started.store.commit(&batch).expect("removed");
    let change = started.seal.change_key().expect("begun");
    started.store.rekey(change.key(), &mut |_, _, _| panic!("nothing is sealed")).expect("written");
    assert!(change.finish().0.seal(SECRET, b"here").is_ok());
    drop(started);
    assert_eq!(world.start().notices, Vec::<String>::new());
}
