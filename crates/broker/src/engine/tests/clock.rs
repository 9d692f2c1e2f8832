//! Jobs that nobody cares for, and clocks that are set: by hand, by the network, and before the service
//! starts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

const DAY: u64 = 86_400_000;
/// A time in the life of the machine, in milliseconds.
pub(super) const NOW: u64 = 1_760_000_000_000;

/// A clock that can be set, and a machine that runs all the same.
pub(super) struct Wall {
    now: AtomicU64,
    running: AtomicU64,
}

impl Wall {
    pub(super) fn at(now: u64) -> Self {
        Self { now: AtomicU64::new(now), running: AtomicU64::new(0) }
    }

    pub(super) fn passes(&self, time: u64) {
        self.now.fetch_add(time, Ordering::Relaxed);
        self.running.fetch_add(time, Ordering::Relaxed);
    }

    pub(super) fn is_set_to(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn running(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.running.load(Ordering::Relaxed)))
    }
}

/// One service over `store`, from its start to its end.
fn live(store: &Arc<Mutex<MemoryStore>>, clock: &Wall, life: impl FnOnce(&mut Engine<'_>)) {
    let (did, done) = channel();
    let mut disk = Disk::new(Arc::clone(store), Arc::default(), did.clone());
    let mut hands = Hands { done: did, has_key: true };
    let mut engine = Engine::start(&mut disk, clock, &mut hands, Limits::default()).expect("it starts");
    life(&mut engine);
    drop(engine);
    drop(done);
}

pub(super) fn request(request: Request) -> Input {
    Input::Queue(queue::Input::Request { ticket: Ticket(1), caller: ANNA, request })
}

/// Makes a job and leaves it suspended.
fn make(engine: &mut Engine<'_>) {
    let properties = Box::new(Properties::named("a job".to_owned()).expect("a name"));
    engine.turn(vec![request(Request::Create {
        id: JOB,
        properties,
        secrets: Vec::new(),
        files: Vec::new(),
        resume: false,
    })]);
}

fn state(store: &Arc<Mutex<MemoryStore>>) -> &'static str {
    let job = store.lock().expect("the store").job(JOB).expect("readable").expect("there");
    job.state.name()
}

#[test]
fn a_job_that_nobody_has_cared_for_in_ninety_days_is_cancelled() {
    let (store, clock) = (Arc::default(), Wall::at(NOW));
    live(&store, &clock, |engine| {
        make(engine);
        clock.passes(89 * DAY);
        engine.turn(Vec::new());
        assert_eq!(state(&store), "suspended");
        // What its owner does gives it another ninety days; a look at it does not.
        let changes = vec![PropertyChange::Description("mine".to_owned())];
        let change = Request::SetProperties { job: JOB, expected: None, changes, secrets: Vec::new() };
        engine.turn(vec![request(change)]);
        clock.passes(89 * DAY);
        engine.turn(vec![Input::Query { ticket: Ticket(2), caller: ANNA, query: Query::Job(JOB) }]);
        assert_eq!(state(&store), "suspended");
        clock.passes(2 * DAY);
        engine.turn(Vec::new());
        assert_eq!(state(&store), "cancelled");
    });
}

#[test]
fn a_service_that_starts_leaves_such_jobs_alone_until_its_clock_may_have_been_set() {
    let (store, clock) = (Arc::default(), Wall::at(NOW));
    live(&store, &clock, make);
    // A machine whose clock is years ahead until the network sets it.
    clock.is_set_to(NOW + 5000 * DAY);
    live(&store, &clock, |engine| {
        engine.turn(Vec::new());
        clock.passes(100_000);
        engine.turn(Vec::new());
        assert_eq!(state(&store), "suspended");
        clock.is_set_to(NOW + DAY);
        engine.turn(Vec::new());
        clock.passes(2 * 3_600_000);
        engine.turn(Vec::new());
        assert_eq!(state(&store), "suspended");
    });
    // One that has really lain there for so long.
    clock.passes(5000 * DAY);
    live(&store, &clock, |engine| {
        engine.turn(Vec::new());
        assert_eq!(state(&store), "suspended");
        clock.passes(120_000);
        engine.turn(Vec::new());
        assert_eq!(state(&store), "cancelled");
    });
}

#[test]
fn a_clock_that_is_set_while_the_service_runs_cancels_nothing_then_or_later() {
    for to in [NOW + 400 * DAY, NOW - 400 * DAY] {
        let (store, clock) = (Arc::default(), Wall::at(NOW));
        live(&store, &clock, |engine| {
            make(engine);
            clock.is_set_to(to);
            for _ in 0..4 {
                engine.turn(Vec::new());
                clock.passes(3_600_000);
            }
            assert_eq!(state(&store), "suspended");
        });
        // The next service finds the job as old as it is.
        live(&store, &clock, |engine| {
            clock.passes(88 * DAY);
            engine.turn(Vec::new());
            assert_eq!(state(&store), "suspended", "{to}");
            clock.passes(3 * DAY);
            engine.turn(Vec::new());
            assert_eq!(state(&store), "cancelled", "{to}");
        });
    }
}

#[test]
fn a_clock_that_is_set_while_nothing_can_be_written_counts_once_it_can() {
    let (store, clock) = (Arc::<Mutex<MemoryStore>>::default(), Wall::at(NOW));
    live(&store, &clock, make);
    let (did, _done) = channel();
    let is_full = Arc::new(Mutex::new(false));
    let mut disk = Disk::new(Arc::clone(&store), Arc::clone(&is_full), did.clone());
    let mut hands = Hands { done: did, has_key: true };
    let mut engine = Engine::start(&mut disk, &clock, &mut hands, Limits::default()).expect("it starts");
    clock.is_set_to(NOW + 400 * DAY);
    for full in [true, true, false, false] {
        *is_full.lock().expect("the flag") = full;
        engine.turn(Vec::new());
        clock.passes(3_600_000);
    }
    assert_eq!(state(&store), "suspended");
    let job = store.lock().expect("the store").job(JOB).expect("readable").expect("there");
    assert_eq!(job.active_at, Timestamp(NOW + 400 * DAY), "moved along once");
}

#[test]
fn jobs_whose_end_could_not_be_written_are_cancelled_as_soon_as_it_can() {
    // Of more than are looked at in one turn, and of a few.
    for count in [INPUTS_PER_BATCH + 20, 3] {
        let (store, clock) = (Arc::<Mutex<MemoryStore>>::default(), Wall::at(NOW));
        let jobs = (0..count).map(|number| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&(number as u16).to_be_bytes());
            let properties = Properties::named("a job".to_owned()).expect("a name");
            let job = Job::new(JobId(id), Owner(ANNA.uid), properties, Timestamp(NOW));
            JobChange { job, was: None }
        });
        let jobs = Batch { jobs: jobs.collect(), ..Batch::default() };
        store.lock().expect("the store").commit(&jobs).expect("written");
        let (did, _done) = channel();
        let is_full = Arc::new(Mutex::new(false));
        let mut disk = Disk::new(Arc::clone(&store), Arc::clone(&is_full), did.clone());
        let mut hands = Hands { done: did, has_key: true };
        let mut engine = Engine::start(&mut disk, &clock, &mut hands, Limits::default()).expect("it starts");
        engine.turn(Vec::new());
        clock.passes(91 * DAY);
        *is_full.lock().expect("the flag") = true;
        engine.turn(Vec::new());
        let left = || store.lock().expect("the store").live(None, count).expect("readable").len();
        assert_eq!(left(), count);
        *is_full.lock().expect("the flag") = false;
        clock.passes(2_000);
        engine.turn(Vec::new());
        engine.turn(Vec::new());
        assert_eq!(left(), 0, "of {count}");
    }
}

#[test]
fn the_jobs_of_a_start_count_for_the_limit_of_their_owner() {
    let (store, clock) = (Arc::default(), Wall::at(NOW));
    live(&store, &clock, make);
    let (did, done) = channel();
    let mut disk = Disk::new(Arc::clone(&store), Arc::default(), did.clone());
    let mut hands = Hands { done: did, has_key: true };
    let mut limits = Limits::default();
    limits.policy.jobs_per_user_max = 1;
    let mut engine = Engine::start(&mut disk, &clock, &mut hands, limits).expect("it starts");
    let properties = Box::new(Properties::named("another".to_owned()).expect("a name"));
    engine.turn(vec![request(Request::Create {
        id: JobId([2; 16]),
        properties,
        secrets: Vec::new(),
        files: Vec::new(),
        resume: false,
    })]);
    let Ok(Done::Answered(_, Err(refusal))) = done.recv() else { panic!("it is refused") };
    assert_eq!(refusal.code(), Code::TOO_MANY_JOBS_PER_USER);
}

#[test]
fn a_job_begins_when_it_may_though_the_clock_was_set_and_nothing_could_be_written_just_then() {
    use bits_core::conditions::{Missing, Network};

    let (did, done) = channel();
    let (store, is_full): (Arc<Mutex<MemoryStore>>, Arc<Mutex<bool>>) = (Arc::default(), Arc::default());
    let mut disk = Disk::new(Arc::clone(&store), Arc::clone(&is_full), did.clone());
    let (mut hands, clock) = (Hands { done: did, has_key: true }, Wall::at(NOW));
    let mut engine = Engine::start(&mut disk, &clock, &mut hands, Limits::default()).expect("it starts");
    let conditions = |network| Input::Conditions(Conditions { network, ..Conditions::default() });
    let remote = RemoteName::parse("http://h.test/f").expect("a remote name").0;
    let file = NewFile::new(remote, LocalName::parse("/f").expect("a path"));
    engine.turn(vec![
        conditions(Network::Down(Missing::Link)),
        request(Request::Create {
            id: JOB,
            properties: Box::new(Properties::named("a job".to_owned()).expect("a name")),
            secrets: Vec::new(),
            files: vec![file],
            resume: true,
        }),
    ]);
    engine.turn(Vec::new());
    assert_eq!(state(&store), "queued");

    clock.is_set_to(NOW + DAY);
    *is_full.lock().expect("the flag") = true;
    engine.turn(vec![conditions(Network::default())]);
    assert_eq!(state(&store), "queued");
    *is_full.lock().expect("the flag") = false;
    clock.passes(2_000);
    engine.turn(Vec::new());
    assert_eq!(state(&store), "connecting");
    drop(engine);
    drop(done);
}
