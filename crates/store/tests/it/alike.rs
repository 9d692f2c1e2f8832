//! Whatever is done to them, both stores answer alike.
//!
//! The batches come from a seed, which is named when something differs.

use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::demand::{Beyond, Filled, Span};
use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::{BootId, File, FileError, FileIndex, PartialId, Served, Stage, Validator};
use bits_core::http_options::HeaderName;
use bits_core::job::{Job, JobId, Owner, Priority, Revision, State};
use bits_core::notify::{Channel, Happened, Notice};
use bits_core::ports::{Batch, FileChange, Filter, JobChange, SealedSecret, SecretChange, Store, StoreError};
use bits_core::ranges::ByteRange;
use bits_core::sources::{SourceIndex, Sources};
use bits_core::time::Timestamp;
use bits_core::units::Bytes;
use bits_store::{MemoryStore, SqliteStore};
use tempfile::TempDir;

use crate::sample::{a_file, a_job, killed};

const SEEDS: u64 = 5;
const BATCHES: u32 = 120;
/// Lists are many; they are compared after so many batches.
const LISTED_EVERY: u32 = 6;
/// Few, so that they meet often.
const JOBS: u32 = 12;
/// Further ones that are made, and change no more.
const NEW_JOBS: u32 = 30;

#[test]
fn both_stores_answer_alike_whatever_is_done_to_them() {
    for seed in 0..SEEDS {
        let folder = tempfile::tempdir().expect("a folder");
        let open =
            |folder: &TempDir| SqliteStore::open(&folder.path().join("jobs.db")).expect("a store").store;
        let mut sqlite = open(&folder);
        let mut memory = MemoryStore::new();
        let mut chance = Chance(seed);
        let (mut accepted, mut waited) = (0, 0);
        for step in 0..BATCHES {
            let batch = a_batch(&mut chance, &mut memory);
            let expected = outcome(memory.commit(&batch));
            assert_eq!(outcome(sqlite.commit(&batch)), expected, "seed {seed}, step {step}: {batch:?}");
            accepted += u32::from(expected.is_ok());
            if chance.one_in(10) {
                let before = Timestamp(chance.up_to(60));
                assert_eq!(
                    sqlite.forget_final(before),
                    memory.forget_final(before),
                    "seed {seed}, step {step}"
                );
            }
            assert_eq!(jobs(&mut sqlite), jobs(&mut memory), "seed {seed}, step {step}");
            if chance.one_in(6) {
                assert_eq!(sqlite.settle(), memory.settle(), "seed {seed}, step {step}");
            }
            if chance.one_in(6) {
                // As a kill leaves it now.
                let mut again = open(&killed(&folder));
                assert_eq!(jobs(&mut again), jobs(&mut memory), "seed {seed}, step {step}");
                assert_eq!(lists(&mut again, 4), lists(&mut memory, 4), "seed {seed}, step {step}");
            }
            waited += u32::from(!sqlite.is_settled());
            if step % LISTED_EVERY == 0 {
                let limit = 1 + chance.index(6);
                assert_eq!(lists(&mut sqlite, limit), lists(&mut memory, limit), "seed {seed}, step {step}");
            }
        }
        assert!((BATCHES / 4..BATCHES * 9 / 10).contains(&accepted), "{accepted} of {BATCHES} were accepted");
        assert!(waited > 3, "seed {seed}: {waited} times jobs waited");
    }
}

/// What is damaged may be said in other words.
fn outcome(result: Result<(), StoreError>) -> Result<(), (Code, Option<JobId>)> {
    result.map_err(|error| match error {
        StoreError::Stale(id) => (error.code(), Some(id)),
        _ => (error.code(), None),
    })
}

/// All that `store` says of single jobs.
fn jobs(store: &mut dyn Store) -> Vec<String> {
    let mut answers = Vec::new();
    for number in 0..JOBS + NEW_JOBS {
        let id = a_job(number).id;
        answers.push(format!("{:?} {:?}", store.job(id), store.progress(id)));
        answers.push(format!("{:?} {:?}", store.files(id, FileIndex(1), 2), store.secrets(id)));
    }
    store.unfinished(&mut |job| answers.push(format!("{job:?}"))).expect("unfinished jobs");
    answers
}

/// All that `store` says of many, `limit` at a time.
fn lists(store: &mut dyn Store, limit: usize) -> Vec<String> {
    let mut answers = Vec::new();
    let mut called: Vec<_> = ["a", "b", "5a5a", "5a5a5a5a-5a5a-5a5a-5a5a-5a5a000000", "x"].map(Some).into();
    called.push(None);
    for owner in OWNERS {
        let mut counts = store.counts(owner).expect("counts");
        counts.sort_unstable();
        answers.push(format!("{counts:?}"));
        for called in &called {
            for state in [None, Some("queued"), Some("transient_error"), Some("cancelled")] {
                let challenged = state.is_none() && limit == 2;
                let filter = Filter { owner, state, called: called.map(String::from), challenged };
                let mut after = None;
                loop {
                    let page = store.list(&filter, after, limit).expect("a list");
                    answers.push(format!("{filter:?} {page:?}"));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
    }
    answers
}

const OWNERS: [Owner; 2] = [Owner(1), Owner(2)];

/// A batch that is mostly decided on how things are in `store`.
fn a_batch(chance: &mut Chance, store: &mut MemoryStore) -> Batch {
    let mut batch = Batch::default();
    if chance.one_in(3) {
        // Nothing but a new job, if it is not there already.
        let number = JOBS + chance.index(NEW_JOBS as usize) as u32;
        let id = a_job(number).id;
        if store.job(id) == Ok(None) {
            batch.jobs.push(JobChange { job: some_job(chance, number), was: None });
            batch.files.extend((0..chance.up_to(3) as u32).map(|index| (id, FileChange::Add(a_file(index)))));
        }
        return batch;
    }
    for _ in 0..chance.index(4) {
        let number = chance.index(JOBS as usize) as u32;
        let is = store.job(a_job(number).id).expect("a job").map(|job| job.revision);
        let was = if chance.one_in(25) { Some(Revision(chance.up_to(3))) } else { is };
        let revision = Revision(is.map_or(1, |is| is.0 + 1));
        let job = Job { revision, ..some_job(chance, number) };
        batch.jobs.push(JobChange { job, was });
    }
    for _ in 0..chance.index(4) {
        let id = a_job(chance.index(JOBS as usize) as u32).id;
        let has = store.files(id, FileIndex(0), 99).expect("files").len();
        // Rarely one that is not there, or one that is there already.
        let there = if chance.one_in(12) { has } else { chance.index(has.max(1)) };
        let next = if chance.one_in(12) { there } else { has };
        let is_known = store.job(id).expect("a job").is_some();
        if is_known || chance.one_in(12) {
            batch.files.push((id, some_file_change(chance, there as u32, next as u32)));
        }
    }
    for _ in 0..chance.index(3) {
        let id = a_job(chance.index(JOBS as usize) as u32).id;
        let is_known = store.job(id).expect("a job").is_some();
        if is_known || chance.one_in(12) {
            batch.secrets.push((id, some_secret_change(chance)));
        }
    }
    batch
}

fn some_job(chance: &mut Chance, number: u32) -> Job {
    let mut job = a_job(number);
    job.owner = chance.pick(&OWNERS);
    job.state = chance.pick(&[
        State::Queued,
        State::Connecting,
        State::Transferring,
        State::Suspended,
        State::Error,
        State::TransientError { retry_at: Timestamp(7) },
        State::Transferred,
        State::Acknowledged,
        State::Cancelled,
    ]);
    job.properties.display_name = chance.pick(&["a", "b", "5a5a"]).into();
    job.properties.priority = chance.pick(&Priority::ALL);
    job.properties.complete_when_done = chance.one_in(2);
    job.discard_pending = chance.one_in(4);
    if chance.one_in(4) {
        job.outbox.pending.push(Notice {
            number: 1,
            channel: chance.pick(&Channel::ALL),
            happened: chance.pick(&Happened::ALL),
            at: Timestamp(5),
            code: None,
            tries: 0,
            due: Timestamp(5),
            offered: chance.one_in(2),
            past_callback: chance.one_in(2),
        });
    }
    job.times.created = Timestamp(chance.up_to(5));
    job.times.modified = Timestamp(chance.up_to(60));
    job.error_count = chance.up_to(1000) as u32;
    job.error = chance.one_in(3).then(|| JobError {
        code: Code::TIMEOUT,
        context: chance.pick(&[ErrorContext::None, ErrorContext::LocalFile, ErrorContext::RemoteFile]),
        transient: chance.one_in(2),
        message: "it took too long".into(),
        file: chance.one_in(2).then_some(FileIndex(3)),
        challenge: None,
        retry_after_seconds: chance.one_in(2).then_some(5),
    });
    job
}

/// A change to the file `there`, or a new one called `next`.
fn some_file_change(chance: &mut Chance, there: u32, next: u32) -> FileChange {
    let index = FileIndex(there);
    let size = Bytes(chance.pick(&[0, 1, 1 << 31, u64::from(u32::MAX), 1 << 40, i64::MAX.unsigned_abs()]));
    let validator = Validator {
        etag: chance.one_in(2).then(|| "\"e\"".into()),
        last_modified: chance.one_in(2).then(|| "today".into()),
    };
    match chance.index(18) {
        0 | 1 => FileChange::Add(File {
            size: chance.one_in(2).then_some(size),
            validator: chance.one_in(2).then_some(validator),
            durable: Bytes(chance.up_to(9)),
            stage: chance.pick(&[Stage::Waiting, Stage::Waiting, Stage::Transferred, Stage::Completed]),
            ..a_file(next)
        }),
        2 => {
            let size = chance.one_in(2).then_some(size);
            let headers = "A: b\n".repeat(chance.index(2));
            let served = Served {
                source: SourceIndex(chance.index(3) as u8),
                in_parts: chance.one_in(2),
                checksum: None,
                headers,
            };
            let boot = BootId([there as u8; 16]);
            let partial = PartialId { device: u64::MAX, inode: there.into() };
            FileChange::Version { index, size, validator, served, boot, partial }
        }
        3 => FileChange::Durable { index, upto: size },
        4 => FileChange::Transferred { index, size },
        5 => FileChange::Headers { index, headers: "C: d\n".into() },
        6 => FileChange::RemoteName { index, remote_name: a_file(next).remote_name, moved: chance.one_in(2) },
        7 => {
            FileChange::PassedOver { index, error: FileError { code: Code::EMPTY, message: "failed".into() } }
        }
        8 => FileChange::TryAgain,
        9 => FileChange::Lost { index },
        17 => FileChange::Valid { index },
        15 => {
            let mirrors = vec![a_file(next).remote_name; chance.index(2)];
            let sources = Sources::given(&a_file(there).remote_name, None, mirrors, None).expect("sources");
            FileChange::Sources { index, sources }
        }
        10 => FileChange::Whole {
            index,
            size,
            validator,
            served: Served::default(),
            boot: BootId([there as u8; 16]),
        },
        11 => FileChange::Requested { index, ranges: vec![some_range(chance); chance.index(3)] },
        12 => FileChange::Position { index, position: size },
        13 if chance.one_in(2) => FileChange::Withdrawn { index, beyond: Beyond::Range(some_range(chance)) },
        13 => FileChange::Withdrawn { index, beyond: Beyond::Position(size) },
        14 => {
            let from = Bytes(chance.up_to(3));
            let spans = [0, 10].map(|at| Span { from: Bytes(at), end: from.saturating_add(Bytes(at + 1)) });
            FileChange::Filled { index, filled: Filled::of(spans.into_iter().take(chance.index(3))) }
        }
        _ => FileChange::Completed { index },
    }
}

fn some_range(chance: &mut Chance) -> ByteRange {
    let length = chance.one_in(2).then_some(Bytes(2));
    ByteRange { offset: Bytes(chance.up_to(3)), length }
}

fn some_secret_change(chance: &mut Chance) -> SecretChange {
    let header = |name| SecretSlot::Header(HeaderName::parse(name).expect("a name"));
    let slot = match chance.index(6) {
        2 => SecretSlot::Webhook,
        0 => header(chance.pick(&["Cookie", "cookie", "Authorization"])),
        1 => SecretSlot::CertificatePassphrase,
        _ => SecretSlot::Credential {
            target: chance.pick(&AuthTarget::ALL),
            scheme: chance.pick(&AuthScheme::BY_PREFERENCE),
        },
    };
    match chance.index(5) {
        0 => SecretChange::Remove(slot),
        1 if chance.one_in(3) => SecretChange::RemoveAll,
        1 if chance.one_in(2) => SecretChange::RemoveAllButWebhook,
        2 => SecretChange::RemoveHeaders,
        _ => {
            let record = vec![chance.up_to(255) as u8; chance.index(40)];
            SecretChange::Set(SealedSecret { slot, record })
        }
    }
}

/// Numbers that look like chance and are the same for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `most`.
    fn up_to(&mut self, most: u64) -> u64 {
        self.next() % (most + 1)
    }

    /// A number below `end`.
    fn index(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())].clone()
    }
}
