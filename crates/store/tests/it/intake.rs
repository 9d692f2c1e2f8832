//! New jobs that are on the disk and not in the database yet: whatever happens then, each is there once, as it
//! was made.

use std::fs;
use std::path::{Path, PathBuf};

use bits_core::file::FileIndex;
use bits_core::job::{Job, JobId, Revision, State};
use bits_core::ports::{Batch, Filter, JobChange, Store, StoreError};
use bits_core::time::Timestamp;
use bits_store::SqliteStore;
use tempfile::TempDir;

use crate::sample::{OWNER, a_file, a_job, commit_new, killed};

/// As many as wait for one commit at most, and some more.
const MANY: u32 = 600;

fn open(folder: &TempDir) -> SqliteStore {
    let opened = SqliteStore::open(&path(folder)).expect("a store");
    assert_eq!(opened.set_aside, None);
    opened.store
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("jobs.db")
}

/// A store with a job that is not new any more.
fn a_store(folder: &TempDir) -> SqliteStore {
    let mut store = open(folder);
    commit_new(&mut store, &a_job(0));
    assert!(store.is_settled(), "the first has nothing yet in which it could wait");
    store
}

/// That the jobs with these numbers are there, each once, and no others.
#[track_caller]
fn has_just(store: &mut SqliteStore, numbers: impl Iterator<Item = u32> + Clone) {
    for number in numbers.clone() {
        let job = a_job(number);
        assert_eq!(store.job(job.id), Ok(Some(job.clone())), "{number}");
        assert_eq!(store.files(job.id, FileIndex(0), 9), Ok(vec![a_file(0)]), "{number}");
        assert_eq!(store.progress(job.id).map(|progress| progress.files_total), Ok(1), "{number}");
    }
    let expected: Vec<JobId> = numbers.map(|number| a_job(number).id).collect();
    let filter = Filter { owner: OWNER, state: None, called: None, challenged: false };
    let page = store.list(&filter, None, 10_000).expect("a list");
    assert_eq!(page.jobs.iter().map(|(job, _)| job.id).collect::<Vec<_>>(), expected);
    let counted: u64 = store.counts(OWNER).expect("counts").into_iter().map(|(_, jobs)| jobs).sum();
    assert_eq!(counted, expected.len() as u64);
}

#[test]
fn jobs_that_wait_are_read_like_all_others_and_found_after_a_kill_each_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = a_store(&folder);
    let mut waited = 0;
    for number in 1..MANY {
        commit_new(&mut store, &a_job(number));
        waited += u32::from(!store.is_settled());
        // Few enough that the test ends soon: where a commit is due, and before and after it.
        if number < 5 || number % 50 == 0 || store.is_settled() {
            has_just(&mut store, 0..=number);
            let copy = killed(&folder);
            has_just(&mut open(&copy), 0..=number);
            has_just(&mut open(&copy), 0..=number);
        }
    }
    assert!(
        (MANY - 9..MANY - 1).contains(&waited),
        "{waited} have waited, and some were committed for want of room"
    );
    store.settle().expect("settled");
    has_just(&mut open(&killed(&folder)), 0..MANY);
    drop(store);
    assert!(!folder.path().join("jobs.db-intake").exists(), "nothing of it is left on closing");
    has_just(&mut open(&folder), 0..MANY);
}

#[test]
fn what_became_of_a_job_since_is_not_undone_by_its_record() {
    for is_killed_in_between in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = a_store(&folder);
        for number in 1..4 {
            commit_new(&mut store, &a_job(number));
        }
        if is_killed_in_between {
            let copy = killed(&folder);
            // With its file closed nothing but the copy is as it was.
            drop(store);
            store = a_store_again(&copy);
            cancel_and_forget(&mut store, 2);
            has_just(&mut open(&killed(&copy)), [0, 1, 3].into_iter());
        } else {
            cancel_and_forget(&mut store, 2);
            has_just(&mut open(&killed(&folder)), [0, 1, 3].into_iter());
            // One more record, over what is left of the others.
            commit_new(&mut store, &a_job(4));
            assert!(!store.is_settled());
            has_just(&mut open(&killed(&folder)), [0, 1, 3, 4].into_iter());
        }
    }
}

fn a_store_again(folder: &TempDir) -> SqliteStore {
    let mut store = open(folder);
    assert!(store.is_settled());
    has_just(&mut store, 0..4);
    store
}

fn cancel_and_forget(store: &mut SqliteStore, number: u32) {
    let mut ended = Job { revision: Revision(2), state: State::Cancelled, ..a_job(number) };
    ended.times.modified = Timestamp(1);
    let batch = Batch { jobs: vec![JobChange { job: ended, was: Some(Revision(1)) }], ..Batch::default() };
    assert_eq!(store.commit(&batch), Ok(()));
    assert!(store.is_settled(), "any other change is committed with all that waits");
    assert_eq!(store.forget_final(Timestamp(2)), Ok(1));
}

#[test]
fn a_change_that_is_refused_costs_none_of_the_jobs_that_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = a_store(&folder);
    for number in 1..4 {
        commit_new(&mut store, &a_job(number));
    }
    let stale = JobChange { job: Job { revision: Revision(9), ..a_job(1) }, was: Some(Revision(8)) };
    let known = JobChange { job: a_job(2), was: None };
    for change in [stale, known] {
        let id = change.job.id;
        let batch = Batch { jobs: vec![change], ..Batch::default() };
        assert_eq!(store.commit(&batch), Err(StoreError::Stale(id)));
        has_just(&mut store, 0..4);
        has_just(&mut open(&killed(&folder)), 0..4);
        assert!(!store.is_settled(), "they wait as before");
    }
    commit_new(&mut store, &a_job(4));
    has_just(&mut open(&killed(&folder)), 0..5);
    assert_eq!(store.settle(), Ok(()));
    has_just(&mut open(&killed(&folder)), 0..5);
}

#[test]
fn a_record_that_is_only_half_on_the_disk_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = a_store(&folder);
    for number in 1..4 {
        commit_new(&mut store, &a_job(number));
    }
    let whole = fs::read(folder.path().join("jobs.db-intake")).expect("an intake");
    // Each record is one block.
    for at in (2 * 4096..2 * 4096 + 700).step_by(11) {
        let copy = killed(&folder);
        let mut torn = whole.clone();
        torn[at] ^= 0x10;
        fs::write(copy.path().join("jobs.db-intake"), torn).expect("written");
        let mut found = open(&copy);
        let last = if found.job(a_job(3).id) == Ok(None) { 3 } else { 4 };
        has_just(&mut found, 0..last);
        // What comes after the end of a record is nothing.
        assert!(last == 3 || at > 2 * 4096 + 300, "{at}");
    }
    for length in [0, 1, 4096, 4096 + 100, 2 * 4096 + 40] {
        let copy = killed(&folder);
        fs::write(copy.path().join("jobs.db-intake"), &whole[..length]).expect("written");
        has_just(&mut open(&copy), 0..1 + u32::try_from(length / 4096).expect("it is small"));
    }
}

#[test]
fn an_intake_of_another_database_says_nothing() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let mut stores = [&one, &other].map(a_store);
    for store in &mut stores {
        commit_new(store, &a_job(1));
    }
    let copy = killed(&one);
    fs::copy(other.path().join("jobs.db-intake"), copy.path().join("jobs.db-intake")).expect("a copy");
    has_just(&mut open(&copy), 0..1);
    // Nor does one that was left without its own.
    fs::remove_file(copy.path().join("jobs.db")).expect("removed");
    has_just(&mut open(&copy), 0..0);
}

#[test]
fn where_no_intake_can_be_kept_all_is_committed_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(&folder);
    fs::create_dir(folder.path().join("jobs.db-intake")).expect("a folder");
    for number in 0..4 {
        commit_new(&mut store, &a_job(number));
        assert!(store.is_settled());
    }
    fs::remove_dir(folder.path().join("jobs.db-intake")).expect("removed");
    has_just(&mut open(&killed(&folder)), 0..4);
}

#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = a_store(&folder);
    commit_new(&mut store, &a_job(1));
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
    assert_eq!(mode(&folder.path().join("jobs.db-intake")), 0o600);
}
