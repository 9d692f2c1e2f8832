//! What was removed is in no file any more.

use std::fs;
use std::path::Path;

use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::job::{Job, Revision, State};
use bits_core::ports::{Batch, JobChange, KeyId, KeySource, SealedSecret, SealingKey, SecretChange, Store};
use bits_store::SqliteStore;

use crate::sample::{a_job, commit_new};

const RECORD: &[u8] = b"the sealed record that is looked for in every file";

#[test]
fn a_removed_credential_is_in_no_file_any_more() {
    let remove = SecretChange::Remove(SecretSlot::Credential {
        target: AuthTarget::Server,
        scheme: AuthScheme::Basic,
    });
    let ended = |state| Batch {
        jobs: vec![JobChange {
            job: Job { revision: Revision(2), state, ..a_job(1) },
            was: Some(Revision(1)),
        }],
        ..Batch::default()
    };
    let credentials = |change| Batch { secrets: vec![(a_job(1).id, change)], ..Batch::default() };
    for last in [
        credentials(remove),
        credentials(SecretChange::RemoveAll),
        credentials(set(b"another")),
        ended(State::Cancelled),
        ended(State::Acknowledged),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        let mut store = SqliteStore::open(&path).expect("a store").store;
        commit_new(&mut store, &a_job(1));
        store.commit(&credentials(set(RECORD))).expect("a commit");
        assert!(is_in_a_file(folder.path()), "it is found while it is there");
        store.commit(&last).expect("a commit");
        assert!(!is_in_a_file(folder.path()), "after {last:?}");
    }
}

#[test]
fn what_the_old_key_has_sealed_is_in_no_file_after_a_change_of_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(&folder.path().join("jobs.db")).expect("a store").store;
    commit_new(&mut store, &a_job(1));
    let batch = Batch { secrets: vec![(a_job(1).id, set(RECORD))], ..Batch::default() };
    store.commit(&batch).expect("a commit");
    assert!(is_in_a_file(folder.path()));
    let key = SealingKey { id: KeyId([1; 8]), source: KeySource::KeyFile };
    store.rekey(key, &mut |_, _, _| Ok(b"sealed anew".to_vec())).expect("changed");
    assert!(!is_in_a_file(folder.path()));
}

#[test]
fn a_credential_that_was_removed_before_a_crash_is_gone_once_the_database_is_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, copy) = (folder.path().join("jobs.db"), folder.path().join("copy"));
    fs::create_dir(&copy).expect("a folder");
    let mut store = SqliteStore::open(&path).expect("a store").store;
    commit_new(&mut store, &a_job(1));
    drop(store);
    // As if the process had ended between the commit and the emptying of the log.
    let connection = rusqlite::Connection::open(&path).expect("a connection");
    connection.pragma_update(None, "secure_delete", "ON").expect("a setting");
    let set = "INSERT INTO secrets (job, slot, record) SELECT number, 'header:Cookie', ?1 FROM jobs";
    connection.execute(set, [RECORD]).expect("a change");
    connection.execute("DELETE FROM secrets", []).expect("a change");
    for name in ["jobs.db", "jobs.db-wal"] {
        fs::copy(folder.path().join(name), copy.join(name)).expect("a copy");
    }
    assert!(is_in_a_file(&copy));
    let opened = SqliteStore::open(&copy.join("jobs.db")).expect("a store");
    assert_eq!(opened.set_aside, None);
    assert!(!is_in_a_file(&copy));
}

fn set(record: &[u8]) -> SecretChange {
    SecretChange::Set(SealedSecret {
        slot: SecretSlot::Credential { target: AuthTarget::Server, scheme: AuthScheme::Basic },
        record: record.to_vec(),
    })
}

fn is_in_a_file(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let bytes = fs::read(entry.expect("an entry").path()).unwrap_or_default();
        bytes.windows(RECORD.len()).any(|window| window == RECORD)
    })
}
