//! What every store must do, said once: a store that passes [`check`] can stand in for another.
//!
//! That what was written survives a crash is not here; it takes a process that dies.
//!
//! Beyond the words of the port: a change to a job or file that is not there is refused, a final
//! job has no secrets whatever a batch says, a validator with nothing in it is none, a job
//! that is not there has no files, secrets come in the order of their slots, and unfinished
//! jobs oldest first.

mod keys;
mod lists;
mod samples;
mod together;

use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::demand::{Beyond, Demand, Filled};
use bits_core::error::{Code, ErrorContext};
use bits_core::file::{
    BootId, ClosingFile, DestinationTag, File, FileError, FileIndex, PartialId, Served, Stage, Validator,
};
use bits_core::http_options::HeaderName;
use bits_core::job::{Job, JobId, Priority, Progress, Revision, State};
use bits_core::ports::{
    Batch, Cursor, FileChange, Filter, JobChange, Page, SealedSecret, SecretChange, Store, StoreError,
};
use bits_core::ranges::ByteRange;
use bits_core::sources::{SourceIndex, Sources};
use bits_core::time::Timestamp;
use bits_core::units::Bytes;

use samples::{
    ALICE, ALL_STATES, file, filled, full_error, full_file, full_job, id, job, other_options, sealed,
};

/// Checks each clause of the contract on an empty store from `make`.
///
/// # Panics
/// When a clause is broken; the message says which.
pub fn check(make: &mut dyn FnMut() -> Box<dyn Store>) {
    for clause in CLAUSES {
        clause(&mut *make());
    }
}

const CLAUSES: [fn(&mut dyn Store); 38] = [
    a_job_reads_back_as_it_was_written,
    every_word_and_number_reads_back,
    a_change_decided_on_another_revision_is_stale,
    a_refused_batch_leaves_no_trace,
    an_empty_batch_is_nothing,
    files_read_back_in_their_order,
    it_is_known_where_the_files_of_a_job_go,
    a_file_changes_as_it_comes,
    files_get_their_names_together_or_not_at_all,
    what_is_durable_never_shrinks,
    what_is_asked_for_of_a_file_is_kept_until_it_is_there,
    a_change_to_what_is_not_there_is_refused,
    credentials_are_one_for_each_target_and_scheme,
    a_secret_header_has_one_value_whatever_the_letter_case_of_its_name,
    a_final_job_has_no_secrets,
    a_final_job_keeps_what_its_last_notices_are_signed_with_as_long_as_there_are_any,
    progress_adds_up_the_files,
    progress_adds_up_many_changes_made_at_once,
    lists::a_list_is_paged_oldest_first,
    lists::a_list_goes_on_after_a_job_that_is_gone,
    lists::a_list_has_only_what_its_filter_wants,
    lists::an_administrators_list_has_everybodys_jobs_by_their_time,
    lists::a_job_is_called_by_the_start_of_its_id_or_by_its_name,
    lists::many_jobs_that_begin_alike_are_paged_too,
    lists::jobs_are_counted_by_state,
    lists::unfinished_jobs_are_those_that_something_is_to_be_done_for,
    lists::queued_jobs_come_in_parts_in_the_order_of_their_priorities,
    lists::jobs_that_wait_for_their_retry_come_in_parts_oldest_first,
    final_jobs_are_forgotten_when_they_are_old,
    jobs_that_are_not_over_come_in_parts_and_by_when_they_were_last_cared_for,
    many_final_jobs_are_forgotten_at_once,
    an_id_that_was_forgotten_begins_anew,
    together::jobs_of_one_batch_have_what_is_their_own,
    together::jobs_of_one_group_are_found_by_the_start_of_their_ids_and_gone_through,
    together::what_comes_after_forgotten_jobs_has_nothing_of_theirs,
    keys::a_key_is_on_record_once_it_is_chosen,
    keys::another_key_comes_with_a_new_record_for_each_credential,
    keys::a_record_that_cannot_be_made_anew_leaves_all_as_it_was,
];

fn a_job_reads_back_as_it_was_written(store: &mut dyn Store) {
    assert_eq!(store.job(id(1)), Ok(None));
    for job in [job(1), full_job(2)] {
        add(store, &job);
        assert_eq!(store.job(job.id), Ok(Some(job)));
    }
    let changed = Job { id: id(1), revision: Revision(2), owner: ALICE, ..full_job(3) };
    change(store, Revision(1), &changed);
    assert_eq!(store.job(id(1)), Ok(Some(changed)));
    let bare = Job { revision: Revision(3), ..job(1) };
    change(store, Revision(2), &bare);
    assert_eq!(store.job(id(1)), Ok(Some(bare)), "what was set is unset again");
}

fn every_word_and_number_reads_back(store: &mut dyn Store) {
    let mut jobs = Vec::new();
    jobs.extend(ALL_STATES.map(|state| Job { state, ..full_job(0) }));
    jobs.extend(Priority::ALL.map(|priority| {
        let mut job = job(0);
        job.properties.priority = priority;
        job
    }));
    jobs.extend(other_options().map(|http| {
        let mut job = job(0);
        job.properties.http = http;
        job
    }));
    for context in [
        ErrorContext::None,
        ErrorContext::Unknown,
        ErrorContext::GeneralQueueManager,
        ErrorContext::QueueManagerNotification,
        ErrorContext::LocalFile,
        ErrorContext::RemoteFile,
        ErrorContext::GeneralTransport,
        ErrorContext::RemoteApplication,
        ErrorContext::ServerCertificateCallback,
    ] {
        let error = bits_core::error::JobError { context, code: Code::EMPTY, ..full_error() };
        jobs.push(Job { error: Some(error), ..job(0) });
    }
    let bare = bits_core::error::JobError {
        transient: false,
        message: String::new(),
        file: None,
        challenge: None,
        retry_after_seconds: None,
        ..full_error()
    };
    jobs.push(Job { error: Some(bare), ..job(0) });
    for target in AuthTarget::ALL {
        for schemes in [Vec::new(), vec![AuthScheme::Digest], AuthScheme::BY_PREFERENCE.to_vec()] {
            let mut error = full_error();
            let challenge = error.challenge.as_mut().expect("a full error has one");
            (challenge.target, challenge.schemes) = (target, schemes);
            (challenge.realm, challenge.refused) = (None, false);
            jobs.push(Job { error: Some(error), ..job(0) });
        }
    }
    for (number, sample) in (0..).zip(jobs) {
        let job = Job { id: id(number), ..sample };
        add(store, &job);
        assert_eq!(store.job(job.id), Ok(Some(job)));
    }
}

fn a_change_decided_on_another_revision_is_stale(store: &mut dyn Store) {
    add(store, &job(1));
    for (number, was) in [(1, None), (1, Some(Revision(0))), (1, Some(Revision(2))), (9, Some(Revision(1)))] {
        let changed = Job { revision: Revision(5), files_total: 9, ..job(number) };
        let batch = Batch { jobs: vec![JobChange { job: changed, was }], ..Batch::default() };
        assert_eq!(store.commit(&batch), Err(StoreError::Stale(id(number))), "{number} {was:?}");
    }
    assert_eq!((store.job(id(1)), store.job(id(9))), (Ok(Some(job(1))), Ok(None)));
    change(store, Revision(1), &Job { revision: Revision(5), ..job(1) });
    change(store, Revision(5), &Job { revision: Revision(6), ..job(1) });
}

fn a_refused_batch_leaves_no_trace(store: &mut dyn Store) {
    add_with_files(store, &job(1), [file(0)]);
    let good = Batch {
        jobs: vec![
            JobChange {
                job: Job { revision: Revision(2), files_total: 7, ..job(1) },
                was: Some(Revision(1)),
            },
            JobChange { job: job(2), was: None },
        ],
        files: vec![
            (id(1), FileChange::Transferred { index: FileIndex(0), size: Bytes(9) }),
            (id(1), FileChange::Add(file(1))),
            (id(2), FileChange::Add(file(0))),
        ],
        secrets: vec![(id(2), set(AuthTarget::Server, AuthScheme::Basic, b"b"))],
    };
    let mut stale = good.clone();
    stale.jobs.push(JobChange { job: job(3), was: Some(Revision(1)) });
    let mut twice = good.clone();
    twice.files.push((id(1), FileChange::Add(file(1))));
    let mut orphan = good.clone();
    orphan.secrets.push((id(3), set(AuthTarget::Server, AuthScheme::Basic, b"b")));
    let before = everything(store);
    for (batch, expected) in
        [(stale, Code::REVISION_MISMATCH), (twice, Code::DATABASE_CORRUPT), (orphan, Code::DATABASE_CORRUPT)]
    {
        assert_eq!(store.commit(&batch).map_err(|error| error.code()), Err(expected));
        assert_eq!(everything(store), before, "nothing of it is there after {expected}");
    }
    assert_eq!(store.commit(&good), Ok(()), "and the store goes on");
    assert_eq!(store.files(id(2), FileIndex(0), 9), Ok(vec![file(0)]));
}

fn an_empty_batch_is_nothing(store: &mut dyn Store) {
    let before = everything(store);
    assert_eq!(store.commit(&Batch::default()), Ok(()));
    assert_eq!(everything(store), before);
}

fn files_read_back_in_their_order(store: &mut dyn Store) {
    add_with_files(store, &job(1), [full_file(2), file(0), full_file(u32::MAX), file(1)]);
    add_with_files(store, &job(2), [file(3)]);
    let read = |store: &mut dyn Store, from, limit| store.files(id(1), FileIndex(from), limit);
    assert_eq!(read(store, 0, 9), Ok(vec![file(0), file(1), full_file(2), full_file(u32::MAX)]));
    assert_eq!(read(store, 1, 2), Ok(vec![file(1), full_file(2)]));
    assert_eq!(read(store, 3, usize::MAX), Ok(vec![full_file(u32::MAX)]));
    assert_eq!(read(store, 0, 0), Ok(vec![]));
    assert_eq!(store.files(id(9), FileIndex(0), 9), Ok(vec![]));
}

fn it_is_known_where_the_files_of_a_job_go(store: &mut dyn Store) {
    let tags = [u64::MAX, 0, 1 << 63, 7].map(DestinationTag);
    let at = |index: u32, tag: DestinationTag| File { destination: tag, ..file(index) };
    add_with_files(store, &job(1), [at(0, tags[0]), at(1, tags[1]), at(2, tags[2])]);
    add_with_files(store, &job(2), [at(0, tags[3])]);
    add(store, &job(3));
    let taken = |store: &mut dyn Store, number, wanted: &[DestinationTag]| {
        let mut taken = store.destinations_taken(id(number), wanted).expect("an answer");
        taken.sort();
        taken.dedup();
        taken
    };
    let sorted = |tags: &[DestinationTag]| {
        let mut tags = tags.to_vec();
        tags.sort();
        tags
    };
    assert_eq!(taken(store, 1, &tags), sorted(&tags[..3]), "the first file, and all others");
    assert_eq!(taken(store, 1, &tags[2..]), [tags[2]], "of those that are asked for");
    assert_eq!(taken(store, 2, &tags), [tags[3]], "no file of another job");
    assert_eq!(taken(store, 3, &tags), []);
    assert_eq!(taken(store, 9, &tags), [], "a job that is not there has no files");
    assert_eq!(taken(store, 1, &[]), []);
    change_file(store, id(1), FileChange::Add(at(3, tags[3])));
    change_file(store, id(1), FileChange::Lost { index: FileIndex(3) });
    assert_eq!(taken(store, 1, &tags), sorted(&tags), "whatever has become of it");
}

fn a_file_changes_as_it_comes(store: &mut dyn Store) {
    let index = FileIndex(1);
    add_with_files(store, &job(1), [file(0), file(1)]);
    let etag = Validator { etag: Some("\"1\"".into()), last_modified: None };
    let date = Validator { etag: None, last_modified: Some("today".into()) };
    let (boot, other_boot) = (BootId([1; 16]), BootId([2; 16]));
    let partial = PartialId { device: 1, inode: u64::MAX };
    let served = Served {
        source: SourceIndex(1),
        in_parts: true,
        checksum: Some(samples::checksum("sha256:", 64)),
        headers: "A: b\n".into(),
    };
    let version = |size: Option<u64>, validator: &Validator, boot| FileChange::Version {
        index,
        size: size.map(Bytes),
        validator: validator.clone(),
        served: served.clone(),
        boot,
        partial,
    };
    let begun = File { served: served.clone(), partial: Some(partial), ..file(1) };
    let first =
        File { size: Some(Bytes(10)), validator: Some(etag.clone()), boot: Some(boot), ..begun.clone() };
    let second = File { size: None, validator: Some(date.clone()), boot: Some(other_boot), ..begun.clone() };
    let elsewhere = File { remote_name: file(7).remote_name, moved: true, ..first.clone() };
    let later = Served { headers: "E: f\n".into(), ..served.clone() };
    let failed = FileError { code: Code::EMPTY, message: "it failed".into() };
    let whole = File {
        size: Some(Bytes(8)),
        validator: None,
        durable: Bytes(8),
        boot: Some(boot),
        stage: Stage::Transferred,
        ..File { remote_name: file(7).remote_name, ..begun }
    };
    for (change, expected) in [
        (version(Some(10), &etag, boot), first.clone()),
        (FileChange::Durable { index, upto: Bytes(4) }, File { durable: Bytes(4), ..first.clone() }),
        (
            FileChange::Headers { index, headers: later.headers.clone() },
            File { durable: Bytes(4), served: later.clone(), ..first },
        ),
        (
            FileChange::RemoteName { index, remote_name: file(7).remote_name, moved: true },
            File { durable: Bytes(4), served: later.clone(), ..elsewhere.clone() },
        ),
        (
            FileChange::RemoteName { index, remote_name: file(7).remote_name, moved: false },
            File { durable: Bytes(4), served: later, ..elsewhere },
        ),
        (version(None, &date, other_boot), File { remote_name: file(7).remote_name, ..second.clone() }),
        (
            FileChange::Durable { index, upto: Bytes(3) },
            File { durable: Bytes(3), remote_name: file(7).remote_name, ..second },
        ),
        (
            version(Some(9), &Validator::default(), boot),
            File { size: Some(Bytes(9)), durable: Bytes::ZERO, stage: Stage::Waiting, ..whole.clone() },
        ),
        (
            FileChange::Valid { index },
            File { size: Some(Bytes(9)), durable: Bytes::ZERO, stage: Stage::Waiting, ..whole.clone() },
        ),
        (FileChange::Transferred { index, size: Bytes(8) }, whole.clone()),
        (
            FileChange::PassedOver { index, error: failed.clone() },
            File { error: Some(failed), ..whole.clone() },
        ),
        (FileChange::TryAgain, whole.clone()),
        (FileChange::Valid { index }, File { valid: true, ..whole.clone() }),
        (FileChange::Completed { index }, File { stage: Stage::Completed, valid: true, ..whole.clone() }),
        (
            FileChange::Whole {
                index,
                size: Bytes(7),
                validator: etag.clone(),
                served: served.clone(),
                boot: other_boot,
            },
            File {
                size: Some(Bytes(7)),
                validator: Some(etag.clone()),
                durable: Bytes(7),
                boot: Some(other_boot),
                served: served.clone(),
                partial: None,
                valid: true,
                ..whole
            },
        ),
        (FileChange::Lost { index }, File { remote_name: file(7).remote_name, ..file(1) }),
        (
            FileChange::Sources { index, sources: samples::sources() },
            File { remote_name: file(7).remote_name, sources: samples::sources(), ..file(1) },
        ),
        (
            FileChange::Sources { index, sources: Sources::default() },
            File { remote_name: file(7).remote_name, ..file(1) },
        ),
    ] {
        change_file(store, id(1), change.clone());
        let files = vec![file(0), expected];
        let closing = files.iter().cloned().map(ClosingFile::from).collect();
        assert_eq!(store.closing_files(id(1), FileIndex(0), 9), Ok(closing), "after {change:?}");
        assert_eq!(store.files(id(1), FileIndex(0), 9), Ok(files), "after {change:?}");
    }
}

fn files_get_their_names_together_or_not_at_all(store: &mut dyn Store) {
    add_with_files(store, &job(1), [file(0), file(1), file(2), file(4)]);
    add_with_files(store, &job(2), [file(0), file(1), file(2)]);
    let before = everything(store);
    let completed = |index| (id(1), FileChange::Completed { index: FileIndex(index) });
    let of_another = (id(2), FileChange::Completed { index: FileIndex(2) });
    // The file in the middle, and the one after the last, are not there.
    for missing in [vec![2, 3, 4], vec![3, 4], vec![4, 5]] {
        let batch = Batch { files: missing.into_iter().map(completed).collect(), ..Batch::default() };
        assert!(store.commit(&batch).is_err(), "{batch:?}");
        assert_eq!(everything(store), before, "{batch:?}");
    }
    let files = vec![completed(0), completed(1), of_another, completed(4)];
    assert_eq!(store.commit(&Batch { files, ..Batch::default() }), Ok(()));
    for (job, expected) in [(id(1), vec![0, 1, 4]), (id(2), vec![2])] {
        let files = store.files(job, FileIndex(0), 9).expect("files");
        let named = files.iter().filter(|file| file.stage == Stage::Completed).map(|file| file.index.0);
        assert_eq!(named.collect::<Vec<_>>(), expected);
    }
}

fn what_is_durable_never_shrinks(store: &mut dyn Store) {
    add_with_files(store, &job(1), [file(0)]);
    for (upto, expected) in [(5, 5), (4, 5), (5, 5), (6, 6), (0, 6)] {
        change_file(store, id(1), FileChange::Durable { index: FileIndex(0), upto: Bytes(upto) });
        let durable = store.files(id(1), FileIndex(0), 1).expect("files")[0].durable;
        assert_eq!(durable, Bytes(expected), "after {upto}");
    }
}

fn what_is_asked_for_of_a_file_is_kept_until_it_is_there(store: &mut dyn Store) {
    let range = |text| ByteRange::parse(text).expect("a range");
    let index = FileIndex(0);
    let known = File {
        size: Some(Bytes(100)),
        validator: Some(Validator { etag: Some("\"a\"".into()), last_modified: None }),
        boot: Some(BootId([1; 16])),
        ..file(0)
    };
    add_with_files(store, &job(1), [known.clone()]);
    let partial = PartialId { device: 1, inode: 2 };
    let version = FileChange::Version {
        index,
        size: Some(Bytes(90)),
        validator: known.validator.clone().expect("it has one"),
        served: Served::default(),
        boot: BootId([1; 16]),
        partial,
    };
    let pieces = |spans: &[(u64, u64)]| FileChange::Filled { index, filled: filled(spans) };
    for (change, requested, position, spans, durable) in [
        (
            FileChange::Requested { index, ranges: vec![range("0:10"), range("50:eof")] },
            &["0:10", "50:eof"][..],
            None,
            &[][..],
            0,
        ),
        (
            FileChange::Requested { index, ranges: vec![range("0:10")] },
            &["0:10", "50:eof", "0:10"],
            None,
            &[],
            0,
        ),
        (FileChange::Position { index, position: Bytes(7) }, &["0:10", "50:eof", "0:10"], Some(7), &[], 0),
        (pieces(&[(0, 12), (60, 70)]), &["50:eof"], Some(7), &[(0, 12), (60, 70)], 22),
        (
            FileChange::Requested { index, ranges: vec![range("20:5"), range("200:1")] },
            &["50:eof", "20:5", "200:1"],
            Some(7),
            &[(0, 12), (60, 70)],
            22,
        ),
        (
            FileChange::Withdrawn { index, beyond: Beyond::Range(range("200:1")) },
            &["50:eof", "20:5"],
            Some(7),
            &[(0, 12), (60, 70)],
            22,
        ),
        (
            FileChange::Withdrawn { index, beyond: Beyond::Position(Bytes(8)) },
            &["50:eof", "20:5"],
            Some(7),
            &[(0, 12), (60, 70)],
            22,
        ),
        (
            FileChange::Withdrawn { index, beyond: Beyond::Position(Bytes(7)) },
            &["50:eof", "20:5"],
            None,
            &[(0, 12), (60, 70)],
            22,
        ),
        (pieces(&[(0, 12), (50, 100)]), &["20:5"], None, &[(0, 12), (50, 100)], 62),
        // Another version, or what was there is gone: the set shrinks.
        (version, &["20:5"], None, &[], 0),
        (pieces(&[(20, 24)]), &["20:5"], None, &[(20, 24)], 4),
        (pieces(&[]), &["20:5"], None, &[], 0),
        (pieces(&[(1, 2)]), &["20:5"], None, &[(1, 2)], 1),
        (FileChange::Lost { index }, &["20:5"], None, &[], 0),
    ] {
        change_file(store, id(1), change.clone());
        let file = store.files(id(1), index, 1).expect("files").remove(0);
        let expected = Demand {
            requested: requested.iter().map(|text| range(text)).collect(),
            position: position.map(Bytes),
            filled: filled(spans),
        };
        assert_eq!((&file.demand, file.durable), (&expected, Bytes(durable)), "after {change:?}");
        assert_eq!(store.progress(id(1)), Ok(added_up(&[file])), "after {change:?}");
    }
}

fn a_change_to_what_is_not_there_is_refused(store: &mut dyn Store) {
    add_with_files(store, &job(1), [file(0)]);
    let before = everything(store);
    let index = FileIndex(1);
    let version = FileChange::Version {
        index,
        size: None,
        validator: Validator::default(),
        served: Served::default(),
        boot: BootId([0; 16]),
        partial: PartialId { device: 0, inode: 0 },
    };
    let failed = FileError { code: Code::EMPTY, message: String::new() };
    for (job, change) in [
        (id(1), FileChange::Add(file(0))),
        (id(2), FileChange::Add(file(0))),
        (id(1), version),
        (id(1), FileChange::Durable { index, upto: Bytes(1) }),
        (id(1), FileChange::Transferred { index, size: Bytes(1) }),
        (id(1), FileChange::Completed { index }),
        (id(1), FileChange::Headers { index, headers: String::new() }),
        (id(1), FileChange::RemoteName { index, remote_name: file(1).remote_name, moved: true }),
        (id(1), FileChange::PassedOver { index, error: failed }),
        (id(1), FileChange::Lost { index }),
        (id(1), FileChange::Requested { index, ranges: Vec::new() }),
        (id(1), FileChange::Position { index, position: Bytes::ZERO }),
        (id(1), FileChange::Withdrawn { index, beyond: Beyond::Position(Bytes::ZERO) }),
        (id(1), FileChange::Filled { index, filled: Filled::NOTHING }),
        (id(2), FileChange::Completed { index: FileIndex(0) }),
    ] {
        let batch = Batch { files: vec![(job, change.clone())], ..Batch::default() };
        let refused = store.commit(&batch).map_err(|error| error.code());
        assert_eq!(refused, Err(Code::DATABASE_CORRUPT), "{change:?}");
    }
    assert_eq!(everything(store), before);
}

fn credentials_are_one_for_each_target_and_scheme(store: &mut dyn Store) {
    use AuthScheme::{Basic, Negotiate, Ntlm};
    use AuthTarget::{Proxy, Server};
    add(store, &job(1));
    add(store, &job(2));
    change_secret(store, id(2), set(Server, Basic, b"other job"));
    for (change, expected) in [
        (set(Proxy, Basic, b"1"), vec![sealed(Proxy, Basic, b"1")]),
        (set(Server, Negotiate, b"2"), vec![sealed(Server, Negotiate, b"2"), sealed(Proxy, Basic, b"1")]),
        (set(Server, Negotiate, b""), vec![sealed(Server, Negotiate, b""), sealed(Proxy, Basic, b"1")]),
        (
            SecretChange::Remove(SecretSlot::Credential { target: Server, scheme: Ntlm }),
            vec![sealed(Server, Negotiate, b""), sealed(Proxy, Basic, b"1")],
        ),
        (
            SecretChange::Remove(SecretSlot::Credential { target: Server, scheme: Negotiate }),
            vec![sealed(Proxy, Basic, b"1")],
        ),
        (set(Server, Basic, b"3"), vec![sealed(Server, Basic, b"3"), sealed(Proxy, Basic, b"1")]),
        (SecretChange::RemoveAll, vec![]),
        (SecretChange::RemoveAll, vec![]),
    ] {
        change_secret(store, id(1), change.clone());
        assert_eq!(store.secrets(id(1)), Ok(expected), "after {change:?}");
    }
    assert_eq!(store.secrets(id(2)), Ok(vec![sealed(Server, Basic, b"other job")]));
    change_secret(store, id(9), SecretChange::RemoveAll);
    assert_eq!(store.secrets(id(9)), Ok(vec![]), "what is not there is removed already");
}

fn a_secret_header_has_one_value_whatever_the_letter_case_of_its_name(store: &mut dyn Store) {
    let header = |name: &str| SecretSlot::Header(HeaderName::parse(name).expect("a name"));
    let secret = |slot, record: &[u8]| SealedSecret { slot, record: record.to_vec() };
    let credential = || sealed(AuthTarget::Server, AuthScheme::Basic, b"1");
    let passphrase = || secret(SecretSlot::CertificatePassphrase, b"5");
    add(store, &job(1));
    for given in [
        passphrase(),
        secret(header("Cookie"), b"4"),
        secret(header("AUTHORIZATION"), b"2"),
        credential(),
        secret(header("Authorization"), b"3"),
    ] {
        change_secret(store, id(1), SecretChange::Set(given));
    }
    let kept = store.secrets(id(1)).expect("secrets");
    let cookie = || secret(header("cookie"), b"4");
    assert_eq!(kept, [credential(), secret(header("Authorization"), b"3"), cookie(), passphrase()]);
    let SecretSlot::Header(name) = &kept[1].slot else { panic!("a header") };
    assert_eq!(name.as_str(), "Authorization", "as it was written last");
    change_secret(store, id(1), SecretChange::Remove(header("authorization")));
    assert_eq!(store.secrets(id(1)), Ok(vec![credential(), cookie(), passphrase()]));
    change_secret(store, id(1), SecretChange::RemoveHeaders);
    assert_eq!(store.secrets(id(1)), Ok(vec![credential(), passphrase()]));
    change_secret(store, id(9), SecretChange::RemoveHeaders);
}

fn a_final_job_has_no_secrets(store: &mut dyn Store) {
    let secret = || set(AuthTarget::Server, AuthScheme::Basic, b"secret");
    for (number, state) in (1..).zip(ALL_STATES) {
        add(store, &job(number));
        change_secret(store, id(number), secret());
        let batch = Batch {
            jobs: vec![JobChange {
                job: Job { revision: Revision(2), state, ..job(number) },
                was: Some(Revision(1)),
            }],
            secrets: vec![(id(number), set(AuthTarget::Proxy, AuthScheme::Ntlm, b"late"))],
            ..Batch::default()
        };
        assert_eq!(store.commit(&batch), Ok(()));
        change_secret(store, id(number), set(AuthTarget::Server, AuthScheme::Digest, b"later"));
        let kept = store.secrets(id(number)).expect("credentials").len();
        assert_eq!(kept, if state.is_final() { 0 } else { 3 }, "{state:?}");
    }
}

fn a_final_job_keeps_what_its_last_notices_are_signed_with_as_long_as_there_are_any(store: &mut dyn Store) {
    let webhook = || SealedSecret { slot: SecretSlot::Webhook, record: b"key".to_vec() };
    for (number, state) in [(1, State::Acknowledged), (2, State::Cancelled)] {
        let id = id(number);
        add(store, &job(number));
        change_secret(store, id, SecretChange::Set(webhook()));
        change_secret(store, id, set(AuthTarget::Server, AuthScheme::Basic, b"secret"));
        let ended = Job { revision: Revision(2), state, outbox: samples::full_outbox(), ..job(number) };
        change(store, Revision(1), &ended);
        assert_eq!(store.secrets(id), Ok(vec![webhook()]));
        change_secret(store, id, SecretChange::RemoveAllButWebhook);
        assert_eq!(store.secrets(id), Ok(vec![webhook()]));
        assert_eq!(store.forget_final(Timestamp(u64::MAX)), Ok(0), "it has something to tell");
        assert_eq!(unfinished(store), std::slice::from_ref(&ended));
        let told = Job { revision: Revision(3), state, ..job(number) };
        change(store, Revision(2), &told);
        assert_eq!(store.secrets(id), Ok(vec![]));
        assert_eq!(store.forget_final(Timestamp(u64::MAX)), Ok(1));
    }
}

fn progress_adds_up_the_files(store: &mut dyn Store) {
    const MOST: Bytes = Bytes(i64::MAX.unsigned_abs());
    let nothing = Progress { bytes_total: Some(Bytes::ZERO), ..Progress::default() };
    assert_eq!(store.progress(id(9)), Ok(nothing), "a job that is not there has no files");
    add(store, &job(1));
    assert_eq!(store.progress(id(1)), Ok(nothing));
    let half = File { size: Some(Bytes(0x1_0000_0003)), durable: Bytes(0xFFFF_FFFF), ..file(1) };
    let whole = File { stage: Stage::Transferred, size: Some(Bytes(5)), durable: Bytes(5), ..file(2) };
    for added in [file(0), half, whole] {
        change_file(store, id(1), FileChange::Add(added));
    }
    let (index, validator, boot) = (FileIndex(0), Validator::default(), BootId([0; 16]));
    let partial = PartialId { device: 1, inode: 2 };
    let version = |size| FileChange::Version {
        index,
        size,
        validator: validator.clone(),
        served: Served::default(),
        boot,
        partial,
    };
    for (change, total, transferred, files_transferred) in [
        (version(None), None, 0x1_0000_0004, 1),
        (version(Some(MOST)), Some(0x8000_0001_0000_0007), 0x1_0000_0004, 1),
        (FileChange::Durable { index, upto: MOST }, Some(0x8000_0001_0000_0007), 0x8000_0001_0000_0003, 1),
        (FileChange::Add(full_file(3)), Some(u64::MAX), u64::MAX, 2),
        (version(Some(Bytes(7))), Some(0x8000_0001_0000_000E), 0x8000_0001_0000_0002, 2),
        (
            FileChange::Transferred { index, size: Bytes(6) },
            Some(0x8000_0001_0000_000D),
            0x8000_0001_0000_0008,
            3,
        ),
        (FileChange::Completed { index }, Some(0x8000_0001_0000_000D), 0x8000_0001_0000_0008, 3),
    ] {
        change_file(store, id(1), change.clone());
        let progress = store.progress(id(1)).expect("progress");
        let expected = Progress {
            bytes_total: total.map(Bytes),
            bytes_transferred: Bytes(transferred),
            files_total: progress.files_total,
            files_transferred,
        };
        assert_eq!(progress, expected, "after {change:?}");
        let files = store.files(id(1), FileIndex(0), 9).expect("files");
        assert_eq!(progress, added_up(&files), "after {change:?}");
    }
    change(store, Revision(1), &Job { revision: Revision(2), files_total: 4, ..job(1) });
    let page = list(store, &live(), None, 9);
    assert_eq!(page.jobs[0].1, store.progress(id(1)).expect("progress"), "a list says the same");
}

fn progress_adds_up_many_changes_made_at_once(store: &mut dyn Store) {
    let whole = |number, index, size| {
        let (index, size) = (FileIndex(index), Bytes(size));
        let (validator, served) = (full_file(1).validator.expect("it has one"), Served::default());
        (id(number), FileChange::Whole { index, size, validator, served, boot: BootId([0; 16]) })
    };
    let added = |number, index| (id(number), FileChange::Add(file(index)));
    let durable = |index, upto| (id(1), FileChange::Durable { index: FileIndex(index), upto: Bytes(upto) });
    let completed = |number, index| (id(number), FileChange::Completed { index: FileIndex(index) });
    let lost = |index| (id(1), FileChange::Lost { index: FileIndex(index) });
    let headers = (id(1), FileChange::Headers { index: FileIndex(30), headers: "A: b\n".to_owned() });
    add(store, &job(1));
    add(store, &job(2));
    let batches = [
        (0..40).map(|index| added(1, index)).collect(),
        vec![added(2, 0), whole(2, 0, 5), added(2, 1), durable(39, 7), headers, durable(0, 3), added(1, 40)],
        (0..40).step_by(3).flat_map(|index| [whole(1, index, 9), whole(1, index + 1, 8)]).take(26).collect(),
        vec![completed(1, 0), completed(1, 1), lost(3), whole(2, 1, 6), completed(1, 4), whole(1, 40, 0)],
        // Whoever says so is wrong, and the sums are right nevertheless.
        vec![completed(1, 1), completed(1, 2), completed(1, 3), completed(2, 1)],
        vec![lost(40), added(1, 41), whole(1, 3, 2), durable(39, 8)],
    ];
    for files in batches {
        let batch = Batch { files, ..Batch::default() };
        assert_eq!(store.commit(&batch), Ok(()), "{batch:?}");
        for number in [1, 2] {
            let files = store.files(id(number), FileIndex(0), 99).expect("files");
            assert_eq!(store.progress(id(number)), Ok(added_up(&files)), "job {number} after {batch:?}");
        }
    }
    // New jobs come with files, beside each other or apart, or with none; one that was there changes with them.
    let new = |number| JobChange { job: job(number), was: None };
    let there = JobChange { job: Job { revision: Revision(2), ..job(1) }, was: Some(Revision(1)) };
    let files =
        vec![added(3, 0), added(3, 1), added(4, 0), whole(4, 0, 5), added(3, 2), added(1, 42), added(5, 0)];
    let jobs = vec![there, new(3), new(4), new(5), new(6)];
    assert_eq!(store.commit(&Batch { jobs, files, ..Batch::default() }), Ok(()));
    for (number, count) in [(3, 3), (4, 1), (5, 1), (6, 0)] {
        let files = store.files(id(number), FileIndex(0), 99).expect("files");
        assert_eq!((files.len(), store.progress(id(number))), (count, Ok(added_up(&files))), "job {number}");
    }
    let progress = store.progress(id(1)).expect("progress");
    assert_eq!(progress, added_up(&store.files(id(1), FileIndex(0), 99).expect("files")));
    assert_eq!(store.counts(ALICE), Ok(vec![("suspended", 6)]));
}

fn jobs_that_are_not_over_come_in_parts_and_by_when_they_were_last_cared_for(store: &mut dyn Store) {
    let mut expected = Vec::new();
    for (number, state) in (1..).zip(ALL_STATES) {
        // Not in the order of their ids, and some at the same time.
        let cared_for = Timestamp(1000 - u64::from(number) / 2);
        let owner = if number % 3 == 0 { samples::BOB } else { ALICE };
        let job = Job { state, active_at: cared_for, owner, ..job(number) };
        add(store, &job);
        if !state.is_final() {
            expected.push((cared_for, job.id, owner));
        }
    }
    assert!(expected.len() > 5, "only {expected:?}");
    let mut owners = Vec::new();
    store.owners(&mut |owner, jobs| owners.push((owner, jobs))).expect("read");
    owners.sort_unstable();
    let of = |owner| (owner, expected.iter().filter(|(.., whose)| *whose == owner).count() as u32);
    let mut all = [of(ALICE), of(samples::BOB)];
    all.sort_unstable();
    assert_eq!(owners, all);

    let mut ids: Vec<JobId> = expected.iter().map(|(_, id, _)| *id).collect();
    // What is still to be told has a time, also of a job that is over.
    let told = Job { state: State::Acknowledged, outbox: samples::full_outbox(), ..job(200) };
    add(store, &told);
    ids.push(told.id);
    ids.sort_unstable_by_key(|id| id.place());
    expected.sort_unstable();
    for limit in [1, 2, 3, 100] {
        let mut live: Vec<JobId> = Vec::new();
        while let page = store.live(live.last().copied(), limit).expect("read")
            && !page.is_empty()
        {
            assert!(page.len() <= limit);
            live.extend(page);
        }
        assert_eq!(live, ids, "{limit} at a time");
        // All of them, those until a time at which there are some, and none.
        for until in [2000, 997, 10] {
            let places = expected.iter().map(|(at, id, _)| (*at, *id));
            let expected: Vec<_> = places.filter(|(at, _)| at.0 <= until).collect();
            let mut inactive: Vec<(Timestamp, JobId)> = Vec::new();
            while let page = store.inactive(Timestamp(until), inactive.last().copied(), limit).expect("read")
                && !page.is_empty()
            {
                assert!(page.len() <= limit);
                inactive.extend(page);
            }
            assert_eq!(inactive, expected, "until {until}, {limit} at a time");
        }
    }
}

fn final_jobs_are_forgotten_when_they_are_old(store: &mut dyn Store) {
    let last_changed = |number, at, state| {
        let mut job = Job { state, ..job(number) };
        job.times.modified = Timestamp(at);
        job
    };
    add(store, &last_changed(1, 9, State::Acknowledged));
    add_with_files(store, &last_changed(2, 9, State::Cancelled), [file(0), file(1)]);
    add(store, &last_changed(3, 10, State::Acknowledged));
    add(store, &Job { discard_pending: true, ..last_changed(4, 9, State::Cancelled) });
    for (number, state) in (5..).zip(ALL_STATES).filter(|(_, state)| !state.is_final()) {
        add(store, &last_changed(number, 9, state));
    }
    assert_eq!(store.forget_final(Timestamp(9)), Ok(0));
    assert_eq!(store.forget_final(Timestamp(10)), Ok(2));
    for number in 1..=11 {
        let kept = store.job(id(number)).expect("a job").is_some();
        assert_eq!(kept, number > 2, "{number}");
    }
    assert_eq!(store.files(id(2), FileIndex(0), 9), Ok(vec![]));
    assert_eq!(store.forget_final(Timestamp(11)), Ok(1));
}

fn many_final_jobs_are_forgotten_at_once(store: &mut dyn Store) {
    let final_job = |number: u16| {
        let mut job = Job { state: State::Cancelled, ..job(0) };
        job.id.0[14..].copy_from_slice(&number.to_be_bytes());
        JobChange { job, was: None }
    };
    let batch = Batch { jobs: (0..1000).map(final_job).collect(), ..Batch::default() };
    assert_eq!(store.commit(&batch), Ok(()));
    assert_eq!(store.forget_final(Timestamp(1)), Ok(1000));
    assert_eq!(store.forget_final(Timestamp(1)), Ok(0));
}

fn an_id_that_was_forgotten_begins_anew(store: &mut dyn Store) {
    add_with_files(store, &Job { state: State::Cancelled, ..job(1) }, [full_file(0)]);
    assert_eq!(store.forget_final(Timestamp(100)), Ok(1));
    add(store, &job(1));
    assert_eq!(store.files(id(1), FileIndex(0), 9), Ok(vec![]));
    assert_eq!(store.progress(id(1)).expect("progress").files_total, 0);
    assert_eq!(store.counts(ALICE), Ok(vec![("suspended", 1)]));
}

/// What `files` come to, counted anew.
fn added_up(files: &[File]) -> Progress {
    let sum =
        |numbers: Vec<u128>| Bytes(u64::try_from(numbers.into_iter().sum::<u128>()).unwrap_or(u64::MAX));
    let sizes: Option<Vec<_>> = files.iter().map(|file| file.size.map(|size| size.0.into())).collect();
    let whole = files.iter().filter(|file| file.stage != Stage::Waiting).count();
    let count = |count| u32::try_from(count).expect("a few files");
    Progress {
        bytes_total: sizes.map(sum),
        bytes_transferred: sum(files.iter().map(|file| file.durable.0.into()).collect()),
        files_total: count(files.len()),
        files_transferred: count(whole),
    }
}

/// Alice's live jobs.
fn live() -> Filter {
    Filter { owner: ALICE, state: None, called: None, challenged: false }
}

fn set(target: AuthTarget, scheme: AuthScheme, record: &[u8]) -> SecretChange {
    SecretChange::Set(sealed(target, scheme, record))
}

#[track_caller]
fn add(store: &mut dyn Store, job: &Job) {
    add_with_files(store, job, []);
}

#[track_caller]
fn add_with_files<const N: usize>(store: &mut dyn Store, job: &Job, files: [File; N]) {
    let batch = Batch {
        jobs: vec![JobChange { job: job.clone(), was: None }],
        files: files.into_iter().map(|file| (job.id, FileChange::Add(file))).collect(),
        ..Batch::default()
    };
    assert_eq!(store.commit(&batch), Ok(()), "{job:?}");
}

#[track_caller]
fn change(store: &mut dyn Store, was: Revision, job: &Job) {
    let jobs = vec![JobChange { job: job.clone(), was: Some(was) }];
    assert_eq!(store.commit(&Batch { jobs, ..Batch::default() }), Ok(()), "{job:?}");
}

#[track_caller]
fn change_file(store: &mut dyn Store, job: JobId, change: FileChange) {
    let batch = Batch { files: vec![(job, change)], ..Batch::default() };
    assert_eq!(store.commit(&batch), Ok(()), "{batch:?}");
}

#[track_caller]
fn change_secret(store: &mut dyn Store, job: JobId, change: SecretChange) {
    let batch = Batch { secrets: vec![(job, change)], ..Batch::default() };
    assert_eq!(store.commit(&batch), Ok(()), "{batch:?}");
}

#[track_caller]
fn list(store: &mut dyn Store, filter: &Filter, after: Option<Cursor>, limit: usize) -> Page {
    store.list(filter, after, limit).expect("a list")
}

fn ids(page: &Page) -> Vec<JobId> {
    page.jobs.iter().map(|(job, _)| job.id).collect()
}

fn unfinished(store: &mut dyn Store) -> Vec<Job> {
    let mut jobs = Vec::new();
    store.unfinished(&mut |job| jobs.push(job)).expect("unfinished jobs");
    jobs
}

/// All that a store says of the first jobs.
fn everything(store: &mut dyn Store) -> String {
    let mut said =
        format!("{:?} {:?} {:?}", store.counts(ALICE), list(store, &live(), None, 99), unfinished(store));
    for job in (0..10).map(id) {
        let files = store.files(job, FileIndex(0), 99);
        said +=
            &format!("\n{:?} {files:?} {:?} {:?}", store.job(job), store.progress(job), store.secrets(job));
    }
    said
}
