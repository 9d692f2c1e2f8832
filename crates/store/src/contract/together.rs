//! Jobs that are made in one batch, as those of one call are: each has what is its own.

use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::file::{File, FileIndex};
use bits_core::job::{Job, JobId, Revision, State};
use bits_core::ports::{Batch, FileChange, Filter, JobChange, SecretChange, Store};
use bits_core::time::Timestamp;

use super::{added_up, change, file, full_file, full_job, ids, job, list, live, sealed};

const JOBS: u8 = 60;

/// The job `number` of those that share a group; most say nothing of themselves but their names.
fn grouped(number: u8) -> Job {
    let plain = if number.is_multiple_of(7) { full_job(number) } else { job(number) };
    let mut id = plain.id.in_group(7);
    // Not in the order of the numbers.
    id.0[0] = number.wrapping_mul(37);
    Job { id, ..plain }
}

/// What the job `number` comes with.
fn files_of(number: u8) -> Vec<File> {
    let is_full = number.is_multiple_of(5);
    let files = 0..u32::from(number % 4);
    files.map(|index| if is_full { full_file(index) } else { file(index) }).collect()
}

fn batch(numbers: impl IntoIterator<Item = u8>) -> Batch {
    let numbers: Vec<u8> = numbers.into_iter().collect();
    let mut batch = Batch::default();
    for number in &numbers {
        let job = grouped(*number);
        if has_secret(*number) {
            let secret = sealed(AuthTarget::Server, AuthScheme::Basic, &[*number]);
            batch.secrets.push((job.id, SecretChange::Set(secret)));
        }
        batch.jobs.push(JobChange { job, was: None });
    }
    batch.jobs.sort_by_key(|change| change.job.id);
    // In another order than the jobs.
    for number in numbers.iter().rev() {
        let id = grouped(*number).id;
        batch.files.extend(files_of(*number).into_iter().map(|file| (id, FileChange::Add(file))));
    }
    batch
}

fn has_secret(number: u8) -> bool {
    number.is_multiple_of(3)
}

#[track_caller]
fn has_its_own(store: &mut dyn Store, number: u8) {
    let job = grouped(number);
    let (id, files) = (job.id, files_of(number));
    assert_eq!(store.job(id), Ok(Some(job)));
    assert_eq!(store.progress(id), Ok(added_up(&files)), "{number}");
    assert_eq!(store.files(id, FileIndex(0), 9), Ok(files), "{number}");
    let secrets = has_secret(number).then(|| sealed(AuthTarget::Server, AuthScheme::Basic, &[number]));
    assert_eq!(store.secrets(id), Ok(secrets.into_iter().collect()), "{number}");
}

pub(super) fn jobs_of_one_batch_have_what_is_their_own(store: &mut dyn Store) {
    assert_eq!(store.commit(&batch(1..=JOBS)), Ok(()));
    (1..=JOBS).for_each(|number| has_its_own(store, number));
    // One that is there keeps all of them out.
    let mut again = batch(JOBS + 1..=JOBS + 3);
    again.jobs.push(JobChange { job: grouped(5), was: None });
    assert!(store.commit(&again).is_err());
    assert_eq!(store.job(grouped(JOBS + 1).id), Ok(None));
    has_its_own(store, 5);
}

pub(super) fn jobs_of_one_group_are_found_by_the_start_of_their_ids_and_gone_through(store: &mut dyn Store) {
    assert_eq!(store.commit(&batch(1..=JOBS)), Ok(()));
    // And one whose id begins like that of another, in another group.
    let other = Job { id: grouped(4).id.in_group(200), ..job(5) };
    super::add(store, &other);
    let start = grouped(4).id.to_string().chars().take(8).collect();
    let filter = Filter { called: Some(start), ..live() };
    assert_eq!(ids(&list(store, &filter, None, 9)), [grouped(4).id, other.id]);
    let mut expected: Vec<JobId> = (1..=JOBS).map(|number| grouped(number).id).collect();
    expected.push(other.id);
    expected.sort_unstable_by_key(|id| id.place());
    for limit in [1, 7, 100] {
        let mut found: Vec<JobId> = Vec::new();
        while let page = store.live(found.last().copied(), limit).expect("read")
            && !page.is_empty()
        {
            assert!(page.len() <= limit);
            found.extend(page);
        }
        assert_eq!(found, expected, "{limit} at a time");
    }
}

pub(super) fn what_comes_after_forgotten_jobs_has_nothing_of_theirs(store: &mut dyn Store) {
    assert_eq!(store.commit(&batch(1..=JOBS)), Ok(()));
    // The last ones that were added: the next may take their places in the store.
    let mut last: Vec<u8> = (1..=JOBS).filter(|number| !number.is_multiple_of(7)).collect();
    last.sort_by_key(|number| grouped(*number).id);
    let last = last.split_off(last.len() - 10);
    for number in &last {
        let mut ended = Job { revision: Revision(2), state: State::Cancelled, ..grouped(*number) };
        ended.times.modified = Timestamp(1);
        change(store, Revision(1), &ended);
    }
    assert_eq!(store.forget_final(Timestamp(2)), Ok(10));
    assert_eq!(store.commit(&batch(JOBS + 1..=JOBS + 20)), Ok(()));
    for number in &last {
        let gone = grouped(*number).id;
        assert_eq!((store.job(gone), store.files(gone, FileIndex(0), 9)), (Ok(None), Ok(vec![])));
        assert_eq!(store.secrets(gone), Ok(vec![]));
    }
    (1..=JOBS + 20).filter(|number| !last.contains(number)).for_each(|number| has_its_own(store, number));
    // They begin anew, too.
    assert_eq!(store.commit(&batch(last.iter().copied())), Ok(()));
    last.into_iter().for_each(|number| has_its_own(store, number));
}
