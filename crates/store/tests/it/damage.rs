//! A row that means nothing is damage, on opening or on reading, and nothing worse.

use bits_core::error::Code;
use bits_core::file::FileIndex;
use bits_core::ports::{Batch, SealedSecret, SecretChange, Store, StoreError};
use bits_core::{credentials, job::JobId};
use bits_store::SqliteStore;

use crate::sample::{OWNER, a_job, commit_new};

#[test]
fn a_row_that_means_nothing_is_damage() {
    for change in [
        "UPDATE jobs SET state = 'asleep'",
        "UPDATE jobs SET state = 'transient_error'",
        "UPDATE jobs SET retry_at = 1",
        "UPDATE jobs SET priority = 4",
        "UPDATE jobs SET owner = -1",
        "UPDATE jobs SET owner = 1 << 32",
        "UPDATE jobs SET revision = -1",
        "UPDATE jobs SET created = -1",
        "UPDATE jobs SET complete_when_done = 'x'",
        "UPDATE jobs SET display_name = CAST(x'FF' AS TEXT)",
        "UPDATE jobs SET error_code = 1",
        "UPDATE jobs SET error_code = 1, error_context = 9, error_transient = 0, error_message = ''",
        "UPDATE jobs SET error_code = 1, error_context = 1, error_transient = 0, error_message = '', \
             challenge_target = 1, challenge_host = 'h', challenge_schemes = '4,5', challenge_refused = 0",
        "UPDATE jobs SET error_code = 1, error_context = 1, error_transient = 0, error_message = '', \
             challenge_target = 3, challenge_host = 'h', challenge_schemes = '', challenge_refused = 0",
        "UPDATE jobs SET sum_size_low = -1",
        "UPDATE files SET remote_name = 'ftp://h.test/'",
        "UPDATE files SET remote_name = 'http://user:pw@h.test/'",
        "UPDATE files SET local_name = 'relative'",
        "UPDATE files SET stage = 'somewhere'",
        "UPDATE files SET size = -1",
        "UPDATE files SET boot = x'00'",
        "UPDATE files SET place = 1 << 32",
        "UPDATE jobs SET http_method = 'A B'",
        "UPDATE jobs SET headers = 'Range: bytes=0-'",
        "UPDATE jobs SET headers = ''",
        "UPDATE jobs SET security_flags = 768",
        "UPDATE jobs SET certificate_path = 'relative.pem'",
        "UPDATE jobs SET certificate_path = '/c', certificate_fingerprint = x'00'",
        "UPDATE jobs SET proxy_usage = 4",
        "UPDATE jobs SET proxy_usage = 2",
        "UPDATE secrets SET slot = 'credential:0:1'",
        "UPDATE secrets SET slot = 'credential:1:5'",
        "UPDATE secrets SET slot = 'credential:1'",
        "UPDATE secrets SET slot = 'header:Range'",
        "UPDATE secrets SET slot = 'words'",
        "UPDATE job_counts SET state = 'asleep'",
        "UPDATE job_counts SET jobs = 1.5",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        let mut store = SqliteStore::open(&path).expect("a store").store;
        commit_new(&mut store, &a_job(1));
        let sealed = SealedSecret {
            slot: credentials::SecretSlot::Credential {
                target: credentials::AuthTarget::Server,
                scheme: credentials::AuthScheme::Basic,
            },
            record: vec![1],
        };
        let set = (a_job(1).id, SecretChange::Set(sealed));
        store.commit(&Batch { secrets: vec![set], ..Batch::default() }).expect("a commit");
        assert_eq!(read_all(&mut store, a_job(1).id), Ok(()), "it is whole before");
        drop(store);

        // Types are kept even so; what they do not allow cannot be there.
        let connection = rusqlite::Connection::open(&path).expect("a connection");
        connection.pragma_update(None, "ignore_check_constraints", true).expect("a setting");
        if connection.execute(change, []).is_err() {
            assert!(change.contains("'x'") || change.contains("1.5"), "{change}");
            continue;
        }
        drop(connection);
        let mut opened = SqliteStore::open(&path).expect("a store");
        match opened.set_aside {
            // What the schema itself forbids is found on opening.
            Some(set_aside) => assert!(set_aside.reason.contains("constraint"), "{change}: {set_aside:?}"),
            None => {
                let refused = read_all(&mut opened.store, a_job(1).id).map_err(|error| error.code());
                assert_eq!(refused, Err(Code::DATABASE_CORRUPT), "{change}");
            }
        }
    }
}

fn read_all(store: &mut dyn Store, id: JobId) -> Result<(), StoreError> {
    store.job(id)?;
    store.progress(id)?;
    store.files(id, FileIndex(0), 9)?;
    store.secrets(id)?;
    store.counts(OWNER)?;
    Ok(())
}
