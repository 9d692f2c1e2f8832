//! A job and a file to be stored.

use std::fs;

use bits_core::file::{File, FileIndex, LocalName};
use bits_core::job::{Job, JobId, Owner, Properties, Revision};
use bits_core::ports::{Batch, FileChange, JobChange, Store};
use bits_core::remote_name::RemoteName;
use bits_core::time::Timestamp;
use tempfile::TempDir;

pub(crate) const OWNER: Owner = Owner(1000);

pub(crate) fn a_job(number: u32) -> Job {
    let mut id = [0x5A; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    let properties = Properties::named(format!("job {number}")).expect("a name");
    let mut job = Job::new(JobId(id), OWNER, properties, Timestamp(number.into()));
    job.revision = Revision(1);
    job
}

pub(crate) fn a_file(index: u32) -> File {
    let remote_name = RemoteName::stored("http://h.test/file").expect("a remote name");
    let local_name = LocalName::parse("/tmp/file").expect("a local name");
    File::new(FileIndex(index), remote_name, local_name)
}

/// Writes `job` with one file.
#[track_caller]
pub(crate) fn commit_new(store: &mut dyn Store, job: &Job) {
    let batch = Batch {
        jobs: vec![JobChange { job: job.clone(), was: None }],
        files: vec![(job.id, FileChange::Add(a_file(0)))],
        secrets: Vec::new(),
    };
    assert_eq!(store.commit(&batch), Ok(()));
}

/// The files of a store as a kill leaves them now.
pub(crate) fn killed(folder: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for name in ["jobs.db", "jobs.db-wal", "jobs.db-intake"] {
        if folder.path().join(name).exists() {
            fs::copy(folder.path().join(name), copy.path().join(name)).expect("a copy");
        }
    }
    copy
}
