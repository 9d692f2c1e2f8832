//! Long queues: what a start takes over at once, what it takes over while others have their turn already,
//! and a clock that is set meanwhile.

use bits_core::error::{ErrorContext, JobError};
use bits_core::ports::JobChange;

use super::clock::{NOW, Wall, request};
use super::*;
use crate::engine::clock::MOVED_AT_ONCE_MAX;
use crate::engine::loading::{QUEUED_AT_ONCE_MAX, RETRYING_AT_ONCE_MAX};

const YEAR: u64 = 365 * 86_400_000;

/// A job of Anna's. Ids are spread as those of real jobs are, and in no order.
fn job(number: u32, state: State) -> Job {
    let mut id = [7; 16];
    id[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B9).to_be_bytes());
    let properties = Properties::named(format!("job {number}")).expect("a name");
    let mut job = Job::new(JobId(id), Owner(ANNA.uid), properties, Timestamp(NOW + u64::from(number)));
    job.state = state;
    job.active_at = Timestamp(NOW);
    job
}

fn store_of(jobs: &[Job]) -> Arc<Mutex<MemoryStore>> {
    let mut store = MemoryStore::new();
    let jobs = jobs.iter().map(|job| JobChange { job: job.clone(), was: None }).collect();
    store.commit(&Batch { jobs, ..Batch::default() }).expect("memory has room");
    Arc::new(Mutex::new(store))
}

fn stored(store: &Arc<Mutex<MemoryStore>>, job: JobId) -> Job {
    store.lock().expect("the store").job(job).expect("readable").expect("there")
}

fn with_engine(store: &Arc<Mutex<MemoryStore>>, clock: &Wall, life: impl FnOnce(&mut Engine<'_>)) {
    let (did, _done) = channel();
    let mut disk = Disk::new(Arc::clone(store), Arc::default(), did.clone());
    let mut hands = Hands { done: did, has_key: true };
    let mut engine = Engine::start(&mut disk, clock, &mut hands, Limits::default()).expect("it starts");
    life(&mut engine);
}

/// How many jobs of normal priority wait for their turn and have it.
fn known(engine: &Engine<'_>) -> usize {
    engine.queue.turns().iter().map(|turns| turns.runnable + turns.running).sum()
}

#[test]
fn whoever_comes_first_runs_before_all_that_wait_are_taken_over() {
    let count = 2 * QUEUED_AT_ONCE_MAX as u32 + 500;
    let mut jobs: Vec<Job> = (0..count).map(|number| job(number, State::Queued)).collect();
    let urgent = jobs.len() - 1;
    jobs[urgent].properties.priority = Priority::High;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let store = store_of(&jobs);
    with_engine(&store, &Wall::at(NOW + YEAR), |engine| {
        let at_once = known(engine);
        assert!((4..QUEUED_AT_ONCE_MAX).contains(&at_once), "{at_once}");
        engine.turn(Vec::new());
        assert_eq!(known(engine), at_once + QUEUED_AT_ONCE_MAX, "no turn takes over more");
        assert_eq!(stored(&store, ids[urgent]).state, State::Connecting, "though it is the last one made");
        for (number, id) in ids[..3].iter().enumerate() {
            assert_eq!(stored(&store, *id).state, State::Connecting, "{number} is among the oldest");
        }
        assert_eq!(engine.until_next_wake(), Duration::ZERO, "it goes on without being asked");
        for _ in 0..2 {
            engine.turn(Vec::new());
        }
        assert_eq!(known(engine), jobs.len());
    });
}

#[test]
fn what_changes_before_it_is_taken_over_is_taken_over_as_it_is_then() {
    let jobs: Vec<Job> =
        (0..QUEUED_AT_ONCE_MAX as u32 + 500).map(|number| job(number, State::Queued)).collect();
    let [.., asked, suspended, cancelled] = &jobs[..] else { panic!("there are so many") };
    let store = store_of(&jobs);
    with_engine(&store, &Wall::at(NOW + YEAR), |engine| {
        let change = |job: &Job, command| request(Request::Command { job: job.id, command });
        let changes = vec![PropertyChange::Description("mine".to_owned())];
        let describe = Request::SetProperties { job: asked.id, expected: None, changes, secrets: Vec::new() };
        engine.turn(vec![
            change(suspended, Command::Suspend),
            change(cancelled, Command::Cancel),
            request(describe),
        ]);
        while !engine.loading.is_done() {
            engine.turn(Vec::new());
        }
        assert_eq!(known(engine), jobs.len() - 2);
        assert_eq!(stored(&store, suspended.id).state, State::Suspended);
        assert_eq!(stored(&store, cancelled.id).state, State::Cancelled);
        assert_eq!(stored(&store, asked.id).properties.description, "mine");
    });
}

#[test]
fn jobs_that_wait_for_their_retry_are_taken_over_in_parts_too() {
    let late = State::TransientError { retry_at: Timestamp(NOW + YEAR + 1) };
    let over = State::TransientError { retry_at: Timestamp(NOW) };
    let count = 3 * RETRYING_AT_ONCE_MAX as u32;
    // One that has not failed waits for nothing.
    let busy = JobError {
        code: Code::http(503),
        context: ErrorContext::RemoteFile,
        transient: true,
        message: "the server is busy".to_owned(),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    };
    let mut jobs: Vec<Job> =
        (0..count).map(|number| Job { error: Some(busy.clone()), ..job(number, late) }).collect();
    jobs.push(job(count, over));
    let store = store_of(&jobs);
    let clock = Wall::at(NOW + YEAR);
    with_engine(&store, &clock, |engine| {
        for _ in 0..6 {
            engine.turn(Vec::new());
        }
        assert_eq!(known(engine), 1);
        assert_eq!(stored(&store, jobs[count as usize].id).state, State::Connecting);
        let wait = engine.until_next_wake();
        assert!(wait > Duration::ZERO, "all are there");
    });
}

/// A store that fails in the second part of those that wait for their turn.
struct Failing<'s>(&'s mut Disk, StoreError);

macro_rules! as_the_disk_does {
    ($(fn $name:ident(&mut self $(, $arg:ident: $type:ty)*) -> $out:ty;)*) => {
        $(fn $name(&mut self $(, $arg: $type)*) -> $out { self.0.$name($($arg),*) })*
    };
}

impl Store for Failing<'_> {
    fn queued(&mut self, after: Option<QueuedPlace>, limit: usize) -> Result<Vec<QueuedJob>, StoreError> {
        if after.is_some() { Err(self.1.clone()) } else { self.0.queued(after, limit) }
    }
    as_the_disk_does! {
        fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;
        fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError>;
        fn progress(&mut self, id: JobId) -> Result<Progress, StoreError>;
        fn files(&mut self, id: JobId, from: FileIndex, limit: usize) -> Result<Vec<File>, StoreError>;
        fn destinations_taken(
            &mut self, id: JobId, wanted: &[DestinationTag]
        ) -> Result<Vec<DestinationTag>, StoreError>;
        fn everybody(&mut self) -> Result<Vec<Owner>, StoreError>;
        fn secrets(&mut self, id: JobId) -> Result<Vec<SealedSecret>, StoreError>;
        fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError>;
        fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError>;
        fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError>;
        fn retrying(&mut self, after: Option<Cursor>, limit: usize) -> Result<Vec<Job>, StoreError>;
        fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError>;
        fn owners(&mut self, each: &mut dyn FnMut(Owner, u32)) -> Result<(), StoreError>;
        fn live(&mut self, after: Option<JobId>, limit: usize) -> Result<Vec<JobId>, StoreError>;
        fn inactive(
            &mut self, until: Timestamp, after: Option<(Timestamp, JobId)>, limit: usize
        ) -> Result<Vec<(Timestamp, JobId)>, StoreError>;
        fn sealing_key(&mut self) -> Result<Option<SealingKey>, StoreError>;
        fn has_secrets(&mut self) -> Result<bool, StoreError>;
        fn rekey(&mut self, key: SealingKey, rewrap: &mut Rewrap<'_>) -> Result<(), RekeyError>;
    }
}

#[test]
fn a_queue_that_turns_out_to_be_damaged_ends_the_engine_and_one_that_is_busy_is_read_again() {
    let jobs: Vec<Job> = (0..300).map(|number| job(number, State::Queued)).collect();
    let damaged = StoreError::Corrupt { reason: "a page is torn".to_owned() };
    let busy = StoreError::Io { doing: "read", reason: "the disk does not answer".to_owned() };
    for error in [damaged.clone(), busy] {
        let store = store_of(&jobs);
        let clock = Wall::at(NOW + YEAR);
        let (did, _done) = channel();
        let mut disk = Disk::new(Arc::clone(&store), Arc::default(), did.clone());
        let mut failing = Failing(&mut disk, error.clone());
        let mut hands = Hands { done: did, has_key: true };
        let mut engine = Engine::start(&mut failing, &clock, &mut hands, Limits::default()).expect("starts");
        engine.turn(Vec::new());
        assert_eq!(engine.failure.clone(), (error == damaged).then_some(damaged.clone()));
        assert!(!engine.loading.is_done());
    }
}

#[test]
fn a_clock_that_is_set_moves_the_jobs_along_in_parts_and_each_of_them_once() {
    let count = 2 * MOVED_AT_ONCE_MAX as u32 + 100;
    let mut jobs: Vec<Job> = (0..count).map(|number| job(number, State::Suspended)).collect();
    jobs.sort_unstable_by_key(|job| job.id);
    let store = store_of(&jobs);
    let clock = Wall::at(NOW + 1000);
    let stamp = |job: &Job| stored(&store, job.id).active_at.0;
    let moved = |by: u64| jobs.iter().filter(|job| stamp(job) == NOW + by).count();
    with_engine(&store, &clock, |engine| {
        engine.turn(Vec::new());
        engine.turn(Vec::new());
        clock.is_set_to(NOW + YEAR);
        let last = &jobs[jobs.len() - 1];
        // In the turn of the step its owner does something to a job that would come last.
        let changes = vec![PropertyChange::Description("mine".to_owned())];
        let describe = Request::SetProperties { job: last.id, expected: None, changes, secrets: Vec::new() };
        let made = JobId([0xFF; 16]);
        let properties = Box::new(Properties::named("new".to_owned()).expect("a name"));
        let create =
            Request::Create { id: made, properties, secrets: Vec::new(), files: Vec::new(), resume: false };
        engine.turn(vec![request(describe), request(create)]);
        let by = YEAR - 1000;
        assert_eq!(moved(by), MOVED_AT_ONCE_MAX, "no turn moves more");
        assert_eq!(stamp(last), NOW + YEAR, "it is as old as its owner's last word");
        // It is set again before all are moved.
        clock.is_set_to(NOW + 3 * YEAR);
        for _ in 0..6 {
            engine.turn(Vec::new());
        }
        assert_eq!(moved(by + 2 * YEAR), jobs.len() - 1, "each by both");
        assert_eq!(stamp(last), NOW + 3 * YEAR);
        assert_eq!(stored(&store, made).active_at.0, NOW + 3 * YEAR, "it is as old as it was");
        assert!(engine.moves.is_empty());
    });
}

#[test]
fn more_jobs_than_fit_into_a_turn_are_given_up_in_several_and_none_is_left_out() {
    let jobs: Vec<Job> = (0..600).map(|number| job(number, State::Suspended)).collect();
    let store = store_of(&jobs);
    let clock = Wall::at(NOW + YEAR);
    with_engine(&store, &clock, |engine| {
        engine.turn(Vec::new());
        clock.passes(120_000);
        let cancelled = || jobs.iter().filter(|job| stored(&store, job.id).state == State::Cancelled).count();
        let mut turns = Vec::new();
        for _ in 0..3 {
            engine.turn(Vec::new());
            turns.push(cancelled());
        }
        assert_eq!(turns, [256, 512, 600]);
    });
}
