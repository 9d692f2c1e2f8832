//! What was acknowledged is there after the process was killed.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use bits_core::file::{FileIndex, Stage};
use bits_core::job::{Job, Revision};
use bits_core::ports::{Batch, FileChange, JobChange, Store};
use bits_core::units::Bytes;
use bits_store::SqliteStore;

use crate::sample::{OWNER, a_file, a_job, commit_new};

const TEST: &str = "crash::every_acknowledged_commit_survives_a_kill";

/// Where the killed process finds the database; it is this same test, started once more.
const PLACE: &str = "BITS_STORE_CRASH_TEST";

#[test]
fn every_acknowledged_commit_survives_a_kill() {
    if let Some(path) = env::var_os(PLACE) {
        write_until_killed(Path::new(&path));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs.db");
    let mut next = 0;
    // After so many acknowledgements it is killed: at once, and with a log that was written back.
    for kill_after in [1, 2, 7, 40, 333] {
        let acknowledged = kill_a_writer(&path, next, kill_after);
        let opened = SqliteStore::open(&path).expect("a store");
        assert_eq!(opened.set_aside, None);
        let mut store = opened.store;
        while next <= acknowledged {
            assert_whole(&mut store, next);
            next += 1;
        }
        // The one that was being written is there whole or not at all.
        if store.job(a_job(next).id).expect("a job").is_some() {
            assert_at_least_made(&mut store, next);
            next += 1;
        }
        assert_eq!(store.job(a_job(next).id), Ok(None));
        let counted: u64 = store.counts(OWNER).expect("counts").into_iter().map(|(_, jobs)| jobs).sum();
        assert_eq!(counted, next.into());
    }
}

/// Says the number of the last job that the writer said it had written.
fn kill_a_writer(path: &Path, from: u32, kill_after: u32) -> u32 {
    let mut writer = Command::new(env::current_exe().expect("this test"))
        .args([TEST, "--exact", "--nocapture"])
        .env(PLACE, path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a writer");
    let lines = BufReader::new(writer.stdout.take().expect("its output")).lines();
    let mut last = None;
    for line in lines.map_while(Result::ok) {
        // The rest of what it says is the test harness's.
        let Some(number) = line.strip_prefix("written ") else { continue };
        last = Some(number.parse::<u32>().expect("a number"));
        if last == Some(from + kill_after - 1) {
            writer.kill().expect("SIGKILL");
        }
    }
    let status = writer.wait().expect("an end");
    assert_eq!(status.code(), None, "it was killed and did not end by itself");
    last.expect("it has written something")
}

fn write_until_killed(path: &Path) -> ! {
    let mut store = SqliteStore::open(path).expect("a store").store;
    let mut number = 0;
    while store.job(a_job(number).id).expect("a job").is_some() {
        number += 1;
    }
    loop {
        let job = a_job(number);
        commit_new(&mut store, &job);
        if !is_finished(number) {
            writeln!(std::io::stdout().lock(), "written {number}").expect("somebody reads it");
            number += 1;
            continue;
        }
        let batch = Batch {
            jobs: vec![JobChange { job: finished(&job), was: Some(job.revision) }],
            files: vec![(
                job.id,
                FileChange::Transferred { index: FileIndex(0), size: Bytes(number.into()) },
            )],
            secrets: Vec::new(),
        };
        store.commit(&batch).expect("a commit");
        writeln!(std::io::stdout().lock(), "written {number}").expect("somebody reads it");
        number += 1;
    }
}

/// Whether a job is changed after it was made. The others wait for that with what they are.
fn is_finished(number: u32) -> bool {
    number.is_multiple_of(5)
}

fn finished(job: &Job) -> Job {
    Job { revision: Revision(2), files_total: 1, files_transferred: 1, ..job.clone() }
}

#[track_caller]
fn assert_whole(store: &mut dyn Store, number: u32) {
    let job = a_job(number);
    if !is_finished(number) {
        assert_eq!(store.job(job.id), Ok(Some(job.clone())));
        assert_eq!(store.files(job.id, FileIndex(0), 9), Ok(vec![a_file(0)]));
        return;
    }
    assert_eq!(store.job(job.id), Ok(Some(finished(&job))));
    let file = &store.files(job.id, FileIndex(0), 9).expect("files")[0];
    assert_eq!((file.stage, file.durable), (Stage::Transferred, Bytes(number.into())));
    assert_eq!(store.progress(job.id).expect("progress").bytes_transferred, Bytes(number.into()));
}

#[track_caller]
fn assert_at_least_made(store: &mut dyn Store, number: u32) {
    let job = a_job(number);
    match store.job(job.id).expect("a job").expect("it is there").revision {
        Revision(1) => {
            assert_eq!(store.files(job.id, FileIndex(0), 9).expect("files")[0].stage, Stage::Waiting)
        }
        _ => assert_whole(store, number),
    }
}
