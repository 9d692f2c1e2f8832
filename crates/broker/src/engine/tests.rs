//! The engine with a store in memory, hands that only remember, and no worker but the test.

mod adds;
mod clock;
mod loading;
mod settling;
mod timetable;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bits_core::access::Audience;
use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::error::Code;
use bits_core::file::{BootId, ClosingFile, DestinationTag, LocalName, PartialId};
use bits_core::job::{Command, Priority, Progress, Properties, PropertyChange, Revision, State};
use bits_core::ports::{Batch, Cursor, Filter, Page, QueuedJob, QueuedPlace, Rewrap, SealingKey, StateName};
use bits_core::queue::{NewFile, Request};
use bits_core::ranges::{ByteRange, Ranges};
use bits_core::remote_name::RemoteName;
use bits_core::units::Bytes;
use bits_store::memory::MemoryStore;

use super::*;

const ANNA: Caller = Caller { uid: 1000 };
const JOB: JobId = JobId([1; 16]);

/// What the engine did, in the order it did it.
#[derive(Debug)]
enum Done {
    Answered(Ticket, Result<Response, Refusal>),
    Began(Attempt, Vec<FileIndex>),
    Stopped(Attempt),
    Recorded(FileIndex),
    Asked(Attempt, u32),
    Finalized,
    Told,
    Discarded,
    Limited(RateLimits),
    Committed,
    Settled,
}

/// A store in memory that can be told to fail, and tells of each commit.
struct Disk {
    store: Arc<Mutex<MemoryStore>>,
    is_full: Arc<Mutex<bool>>,
    done: Sender<Done>,
    /// Whether a commit leaves work, and whether one has.
    leaves_work: bool,
    is_settled: bool,
}

thread_local! {
    /// How often this thread has read or written a store.
    static ACCESSES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Disk {
    fn new(store: Arc<Mutex<MemoryStore>>, is_full: Arc<Mutex<bool>>, done: Sender<Done>) -> Self {
        Self { store, is_full, done, leaves_work: false, is_settled: true }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, MemoryStore> {
        ACCESSES.set(ACCESSES.get() + 1);
        self.store.lock().expect("no test panics while it holds the store")
    }
}

impl Store for Disk {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if *self.is_full.lock().expect("the flag") && !batch.is_empty() {
            return Err(StoreError::Full);
        }
        self.locked().commit(batch)?;
        if !batch.is_empty() {
            self.done.send(Done::Committed).expect("the test listens");
            self.is_settled = !self.leaves_work;
        }
        Ok(())
    }
    fn is_settled(&self) -> bool {
        self.is_settled
    }
    fn settle(&mut self) -> Result<(), StoreError> {
        if *self.is_full.lock().expect("the flag") {
            return Err(StoreError::Full);
        }
        self.is_settled = true;
        self.done.send(Done::Settled).expect("the test listens");
        Ok(())
    }
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.locked().job(id)
    }
    fn progress(&mut self, id: JobId) -> Result<Progress, StoreError> {
        self.locked().progress(id)
    }
    fn files(&mut self, id: JobId, from: FileIndex, limit: usize) -> Result<Vec<File>, StoreError> {
        self.locked().files(id, from, limit)
    }
    fn destinations_taken(
        &mut self,
        id: JobId,
        wanted: &[DestinationTag],
    ) -> Result<Vec<DestinationTag>, StoreError> {
        self.locked().destinations_taken(id, wanted)
    }
    fn secrets(&mut self, id: JobId) -> Result<Vec<SealedSecret>, StoreError> {
        self.locked().secrets(id)
    }
    fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.locked().list(filter, after, limit)
    }
    fn everybody(&mut self) -> Result<Vec<Owner>, StoreError> {
        self.locked().everybody()
    }
    fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError> {
        self.locked().counts(owner)
    }
    fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError> {
        self.locked().unfinished(each)
    }
    fn queued(&mut self, after: Option<QueuedPlace>, limit: usize) -> Result<Vec<QueuedJob>, StoreError> {
        self.locked().queued(after, limit)
    }
    fn retrying(&mut self, after: Option<Cursor>, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.locked().retrying(after, limit)
    }
    fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.locked().forget_final(before)
    }
    fn owners(&mut self, each: &mut dyn FnMut(Owner, u32)) -> Result<(), StoreError> {
        self.locked().owners(each)
    }
    fn live(&mut self, after: Option<JobId>, limit: usize) -> Result<Vec<JobId>, StoreError> {
        self.locked().live(after, limit)
    }
    fn inactive(
        &mut self,
        until: Timestamp,
        after: Option<(Timestamp, JobId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        self.locked().inactive(until, after, limit)
    }
    fn sealing_key(&mut self) -> Result<Option<SealingKey>, StoreError> {
        self.locked().sealing_key()
    }
    fn has_secrets(&mut self) -> Result<bool, StoreError> {
        self.locked().has_secrets()
    }
    fn rekey(&mut self, key: SealingKey, rewrap: &mut Rewrap<'_>) -> Result<(), RekeyError> {
        self.locked().rekey(key, rewrap)
    }
}

struct Hands {
    done: Sender<Done>,
    has_key: bool,
}

impl Hands {
    fn did(&self, done: Done) {
        self.done.send(done).expect("the test listens");
    }
}

impl EffectRunner for Hands {
    fn answer(&mut self, ticket: Ticket, answer: Result<Response, Refusal>) {
        self.did(Done::Answered(ticket, answer));
    }
    fn begin(&mut self, assignment: SealedAssignment) -> Result<(), JobError> {
        let files = assignment.files.iter().map(|file| file.index).collect();
        self.did(Done::Began(assignment.attempt, files));
        Ok(())
    }
    fn has_key(&self) -> bool {
        self.has_key
    }
    fn stop(&mut self, _: JobId, attempt: Attempt) {
        self.did(Done::Stopped(attempt));
    }
    fn recorded(&mut self, _: JobId, _: Attempt, file: FileIndex) {
        self.did(Done::Recorded(file));
    }
    fn asked(&mut self, _: JobId, attempt: Attempt, demands: u32, _: Asked) {
        self.did(Done::Asked(attempt, demands));
    }
    fn tell_owner(&mut self, _: SealedTelling) -> Result<(), String> {
        self.did(Done::Told);
        Ok(())
    }
    fn finalize(&mut self, _: JobId, _: Vec<ClosingFile>, _: Environment) {
        self.did(Done::Finalized);
    }
    fn discard(&mut self, _: JobId, _: Vec<ClosingFile>) {
        self.did(Done::Discarded);
    }
    fn rate_limits(&mut self, limits: RateLimits) {
        self.did(Done::Limited(limits));
    }
    fn change_certificates(&mut self, _: JobId, _: Change) {}
    fn watch(&mut self, _: Owner, _: Option<JobId>, _: Watcher) {}
    fn is_watched(&self, _: Owner, _: JobId) -> bool {
        false
    }
    fn notify(&mut self, _: Owner, _: JobId, _: Notification) {}
}

/// A clock that goes on by a second each time somebody looks.
struct Steps(Mutex<u64>);

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        let mut now = self.0.lock().expect("the clock");
        *now += 1000;
        Timestamp(*now)
    }
}

/// An engine in a thread of its own, over a store that outlives it.
struct World {
    store: Arc<Mutex<MemoryStore>>,
    is_full: Arc<Mutex<bool>>,
    inputs: Inputs,
    done: std::sync::mpsc::Receiver<Done>,
    engine: Option<JoinHandle<()>>,
    tickets: u64,
}

impl World {
    fn new() -> Self {
        Self::over(Arc::new(Mutex::new(MemoryStore::new())))
    }

    fn over(store: Arc<Mutex<MemoryStore>>) -> Self {
        Self::with_or_without_key(store, true)
    }

    fn with_or_without_key(store: Arc<Mutex<MemoryStore>>, has_key: bool) -> Self {
        let (inputs, mut received) = tokio::sync::mpsc::unbounded_channel();
        let (did, done) = channel();
        let is_full = Arc::new(Mutex::new(false));
        let mut disk = Disk::new(Arc::clone(&store), Arc::clone(&is_full), did.clone());
        let engine = std::thread::spawn(move || {
            let clock = Steps(Mutex::new(0));
            let mut hands = Hands { done: did, has_key };
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime")
                .block_on(run(&mut received, &mut disk, &clock, &mut hands, Limits::default()))
                .expect("the store is there");
        });
        Self { store, is_full, inputs, done, engine: Some(engine), tickets: 0 }
    }

    /// The engine ends, as if the service had been stopped, and another one takes over.
    fn start_again(mut self) -> Self {
        self.end();
        Self::over(Arc::clone(&self.store))
    }

    fn end(&mut self) {
        self.inputs.send(Input::Shutdown).expect("the engine listens");
        self.engine.take().expect("it runs").join().expect("it ends well");
    }

    fn send(&mut self, request: Request) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let input = queue::Input::Request { ticket, caller: ANNA, request };
        self.inputs.send(Input::Queue(input)).expect("the engine listens");
        ticket
    }

    /// What the engine does until it has answered `ticket`, and the answer.
    fn until_answered(&mut self, ticket: Ticket) -> (Vec<Done>, Result<Response, Refusal>) {
        let mut before = Vec::new();
        loop {
            match self.done.recv().expect("an answer comes") {
                Done::Answered(answered, answer) if answered == ticket => return (before, answer),
                done => before.push(done),
            }
        }
    }

    fn ask(&mut self, request: Request) -> Result<Response, Refusal> {
        let ticket = self.send(request);
        self.until_answered(ticket).1
    }

    fn report(&self, report: Report) {
        self.inputs
            .send(Input::Queue(queue::Input::Report { job: JOB, report }))
            .expect("the engine listens");
    }

    /// What the engine does up to and with what `wanted` accepts.
    fn until(&mut self, wanted: impl Fn(&Done) -> bool) -> Vec<Done> {
        let mut all = Vec::new();
        loop {
            let done = self.done.recv().expect("it comes");
            let is_it = wanted(&done);
            all.push(done);
            if is_it {
                return all;
            }
        }
    }

    fn with_a_job(mut self, changes: Vec<PropertyChange>) -> Self {
        let mut properties = Properties::named("a job".to_owned()).expect("a name");
        for change in changes {
            properties.set(change).expect("a property");
        }
        self.ask(Request::Create {
            id: JOB,
            properties: Box::new(properties),
            secrets: Vec::new(),
            files: Vec::new(),
            resume: false,
        })
        .expect("created");
        let file = NewFile::new(
            RemoteName::parse("http://h.test/f").expect("a name").0,
            LocalName::parse("/tmp/f").expect("a name"),
        );
        let files = vec![file];
        self.ask(Request::AddFiles { job: JOB, files, credentials: Vec::new() }).expect("added");
        self
    }

    fn command(&mut self, command: Command) -> Result<Response, Refusal> {
        self.ask(Request::Command { job: JOB, command })
    }

    fn job(&self) -> Job {
        self.store.lock().expect("the store").job(JOB).expect("readable").expect("there")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.engine.is_some() && !std::thread::panicking() {
            self.end();
        }
    }
}

#[test]
fn nothing_is_answered_or_done_before_it_is_written() {
    let mut world = World::new().with_a_job(Vec::new());
    let ticket = world.send(Request::Command { job: JOB, command: Command::Resume });
    let (before, answer) = world.until_answered(ticket);
    assert!(matches!(before.first(), Some(Done::Committed)), "{before:?}");
    let Ok(Response::Job { view, .. }) = answer else { panic!("a job is the answer") };
    assert_eq!(view.job.revision, world.job().revision);
    let attempt = Attempt(1);
    world.until(|done| matches!(done, Done::Began(begun, _) if *begun == attempt));
    assert_eq!(world.job().state, State::Connecting, "the grant was written before the worker began");
}

#[test]
fn a_request_that_cannot_be_written_is_refused_and_leaves_no_trace() {
    let mut world = World::new().with_a_job(Vec::new());
    let before = world.job();
    *world.is_full.lock().expect("the flag") = true;
    let refusal = world.command(Command::Resume).expect_err("the disk is full");
    assert_eq!(refusal.code(), Code::DISK_FULL);
    assert_eq!(world.job(), before);
    *world.is_full.lock().expect("the flag") = false;
    assert!(world.command(Command::Resume).is_ok());
    world.until(|done| matches!(done, Done::Began(Attempt(1), _)));
}

#[test]
fn what_a_worker_reported_is_kept_until_it_can_be_written() {
    let mut world = World::new().with_a_job(Vec::new());
    world.command(Command::Resume).expect("resumed");
    world.until(|done| matches!(done, Done::Began(..)));
    *world.is_full.lock().expect("the flag") = true;
    let (attempt, file) = (Attempt(1), FileIndex(0));
    let (size, boot) = (Some(Bytes(9)), BootId([0; 16]));
    let (validator, served) = Default::default();
    let partial = PartialId { device: 1, inode: 2 };
    world.report(Report::Version { attempt, file, size, validator, served, boot, partial });
    // A refused request proves that the engine has tried to write.
    let change = vec![PropertyChange::Priority(Priority::High)];
    let change = Request::SetProperties { job: JOB, expected: None, changes: change, secrets: Vec::new() };
    assert!(world.ask(change).is_err());
    *world.is_full.lock().expect("the flag") = false;
    let done = world.until(|done| matches!(done, Done::Recorded(FileIndex(0))));
    assert!(done.iter().any(|done| matches!(done, Done::Committed)), "{done:?}");
}

#[test]
fn a_service_that_starts_again_goes_on_with_what_was_running() {
    let mut world = World::new().with_a_job(Vec::new());
    world.command(Command::Resume).expect("resumed");
    world.until(|done| matches!(done, Done::Began(Attempt(1), _)));
    let mut world = world.start_again();
    let done = world.until(|done| matches!(done, Done::Began(..)));
    assert!(matches!(done.last(), Some(Done::Began(Attempt(2), files)) if files == &[FileIndex(0)]));
}

#[test]
fn without_a_network_no_job_begins_what_runs_stops_and_nothing_of_it_is_written_but_that() {
    use bits_core::conditions::{Conditions, Hold, Missing, Network};

    let mut world = World::new().with_a_job(Vec::new());
    let say = |world: &World, network: Network| {
        let conditions = Conditions { network, ..Conditions::default() };
        world.inputs.send(Input::Conditions(conditions)).expect("the engine listens");
    };
    say(&world, Network::Down(Missing::Link));
    let Ok(Response::Job { view, .. }) = world.command(Command::Resume) else { panic!("it is resumed") };
    let wait = Some(queue::WaitReason::Conditions(Hold::Network(Missing::Link)));
    assert_eq!((view.job.state, view.wait), (State::Queued, wait));

    say(&world, Network::Up { interface: None, attachment: 1 });
    let done = world.until(|done| matches!(done, Done::Began(Attempt(1), _)));
    assert!(matches!(done.first(), Some(Done::Committed)), "the grant, and nothing before it: {done:?}");
    say(&world, Network::Down(Missing::Address));
    let done = world.until(|done| matches!(done, Done::Stopped(Attempt(1))));
    assert!(matches!(done.first(), Some(Done::Committed)), "{done:?}");
    assert_eq!((world.job().state, world.job().error_count), (State::Queued, 0));
    say(&world, Network::default());
    world.until(|done| matches!(done, Done::Began(Attempt(2), _)));
}

#[test]
fn without_the_key_a_job_with_credentials_waits_says_so_and_begins_after_a_start_with_the_key() {
    let mut world = World::new().with_a_job(Vec::new());
    let credential = SealedSecret {
        slot: SecretSlot::Credential { target: AuthTarget::Server, scheme: AuthScheme::Basic },
        record: vec![1],
    };
    world.ask(Request::SetCredentials { job: JOB, credentials: vec![credential] }).expect("set");
    world.end();
    let mut world = World::with_or_without_key(Arc::clone(&world.store), false);
    world.command(Command::Resume).expect("resumed");
    world.tickets += 1;
    let ticket = Ticket(world.tickets);
    world
        .inputs
        .send(Input::Query { ticket, caller: ANNA, query: Query::Job(JOB) })
        .expect("the engine listens");
    let (before, answer) = world.until_answered(ticket);
    let Ok(Response::JobWithSecrets { view, .. }) = answer else { panic!("a job is the answer") };
    assert_eq!(
        (view.job.state, view.wait),
        (State::Queued, Some(queue::WaitReason::Credential(queue::CredentialWait::Key)))
    );
    assert!(!before.iter().any(|done| matches!(done, Done::Began(..))), "{before:?}");
    let mut world = world.start_again();
    world.until(|done| matches!(done, Done::Began(Attempt(1), _)));

    world.end();
    let mut world = World::with_or_without_key(Arc::clone(&world.store), false);
    let remove =
        Request::RemoveCredentials { job: JOB, target: AuthTarget::Server, schemes: vec![AuthScheme::Basic] };
    world.ask(remove).expect("removed");
    world.until(|done| matches!(done, Done::Began(Attempt(2), _)));
}

#[test]
fn what_was_decided_but_not_done_is_done_by_the_next_service() {
    let mut world = World::new().with_a_job(vec![PropertyChange::CompleteWhenDone(true)]);
    world.command(Command::Resume).expect("resumed");
    world.until(|done| matches!(done, Done::Began(..)));
    let (attempt, file) = (Attempt(1), FileIndex(0));
    world.report(Report::Connected { attempt });
    world.report(Report::FileTransferred { attempt, file, size: Bytes(9) });
    world.report(Report::FilesTransferred { attempt });
    world.until(|done| matches!(done, Done::Finalized));
    let mut world = world.start_again();
    world.until(|done| matches!(done, Done::Finalized));
    world.report(Report::Finalized { files: vec![file], lost: Vec::new(), error: None });
    world.until(|done| matches!(done, Done::Committed));
    assert_eq!(world.job().state, State::Acknowledged);

    let mut world = World::new().with_a_job(Vec::new());
    let cancel = Request::Command { job: JOB, command: Command::Cancel };
    world.send(cancel);
    world.until(|done| matches!(done, Done::Discarded));
    let mut world = world.start_again();
    world.until(|done| matches!(done, Done::Discarded));
    world.report(Report::Discarded { leftover: None });
    world.until(|done| matches!(done, Done::Committed));
    assert!(!world.job().discard_pending);
}

#[test]
fn a_suspended_job_stops_at_once_and_a_completed_one_refuses() {
    let mut world = World::new().with_a_job(Vec::new());
    world.command(Command::Resume).expect("resumed");
    world.until(|done| matches!(done, Done::Began(..)));
    let ticket = world.send(Request::Command { job: JOB, command: Command::Suspend });
    let (before, _) = world.until_answered(ticket);
    assert!(before.iter().any(|done| matches!(done, Done::Stopped(Attempt(1)))), "{before:?}");
    let ticket = world.send(Request::Command { job: JOB, command: Command::Complete });
    world.until(|done| matches!(done, Done::Finalized));
    world.report(Report::Finalized { files: Vec::new(), lost: Vec::new(), error: None });
    let (_, answer) = world.until_answered(ticket);
    let Ok(Response::Job { outcome, .. }) = answer else { panic!("a job is the answer") };
    assert_eq!(outcome, Some(Code::PARTIAL_COMPLETE));
    let refusal = world.command(Command::Complete).expect_err("it is over");
    assert_eq!(refusal.code(), Code::INVALID_STATE);
    assert!(world.job().revision > Revision(1));
}

#[test]
fn of_two_who_find_a_file_wrong_at_once_only_the_first_counts() {
    let mut world = World::new().with_a_job(Vec::new());
    let command = |command| Request::Command { job: JOB, command };
    world.ask(command(Command::Resume)).expect("resumed");
    world.until(|done| matches!(done, Done::Began(..)));
    let (attempt, file) = (Attempt(1), FileIndex(0));
    world.report(Report::FileTransferred { attempt, file, size: Bytes(9) });
    world.report(Report::FilesTransferred { attempt });
    // An answer shows that what was reported before is written.
    world.command(Command::Resume).expect("it changes nothing");
    let wrong = |file| Request::SetValidation { job: JOB, file, valid: false };
    let tickets = [world.send(wrong(file)), world.send(wrong(file)), world.send(wrong(FileIndex(9)))];
    // A refusal waits for no commit, so they come in any order.
    let mut codes = [None; 3];
    let mut left = tickets.len();
    while left > 0 {
        if let Done::Answered(ticket, answer) = world.done.recv().expect("an answer comes")
            && let Some(at) = tickets.iter().position(|asked| *asked == ticket)
        {
            codes[at] = answer.err().map(|refusal| refusal.code());
            left -= 1;
        }
    }
    assert_eq!(codes, [None, Some(Code::PENDING), Some(Code::FILE_NOT_IN_JOB)]);
    assert_eq!((world.job().files_transferred, world.job().error_count), (0, 1));
}

#[test]
fn nobody_reads_the_job_of_somebody_else() {
    let mut world = World::new().with_a_job(Vec::new());
    for query in [Query::Job(JOB), Query::Files { job: JOB, from: FileIndex(0), limit: 10 }] {
        world.tickets += 1;
        let ticket = Ticket(world.tickets);
        let ben = Caller { uid: 1001 };
        world.inputs.send(Input::Query { ticket, caller: ben, query }).expect("the engine listens");
        let (_, answer) = world.until_answered(ticket);
        assert_eq!(answer.expect_err("refused").code(), Code::ACCESS_DENIED);
    }
}

#[test]
fn an_administrator_has_everybodys_jobs_in_one_list_and_nobody_else_has() {
    let mut store = MemoryStore::new();
    let mut jobs = Vec::new();
    for (number, owner) in [(1, 1000), (2, 1001), (3, 1000)] {
        let properties = Properties::named("a job".to_owned()).expect("a name");
        let job = Job::new(JobId([number; 16]), Owner(owner), properties, Timestamp(u64::from(number)));
        jobs.push(bits_core::ports::JobChange { job, was: None });
    }
    store.commit(&Batch { jobs, ..Batch::default() }).expect("written");
    let (did, _done) = channel();
    let (clock, mut hands) = (Steps(Mutex::new(0)), Hands { done: did, has_key: true });
    let mut engine =
        Engine::start(&mut store, &clock, &mut hands, Limits::default()).expect("the store is there");
    engine.queue = Queue::new(Limits::default()).serving(Audience::Machine);
    let filter = Filter { owner: Owner(1000), state: None, called: None, challenged: false };
    let mut list = |uid, filter: &Filter| {
        let query = Query::ListOfEverybody { filter: filter.clone(), after: None, limit: 10 };
        match engine.read(Caller { uid }, query) {
            Ok(Response::List { jobs, .. }) => Ok(jobs.iter().map(|view| view.job.id.0[0]).collect()),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code()),
        }
    };
    assert_eq!(list(0, &filter), Ok(vec![1, 2, 3]));
    assert_eq!(list(1000, &filter), Err(Code::ACCESS_DENIED));
    engine.queue = Queue::new(Limits::default()).serving(Audience::User(Owner(0)));
    let query = Query::ListOfEverybody { filter, after: None, limit: 10 };
    let refused = engine.read(Caller { uid: 0 }, query).expect_err("nobody administers a user's service");
    assert_eq!(refused.code(), Code::ACCESS_DENIED);
}

#[test]
fn a_worker_hears_what_more_is_asked_for_when_that_is_written() {
    let mut world = World::new().with_a_job(vec![PropertyChange::OnDemand(true)]);
    world.command(Command::Resume).expect("resumed");
    let attempt = match world.until(|done| matches!(done, Done::Began(..))).pop() {
        Some(Done::Began(attempt, _)) => attempt,
        other => panic!("{other:?}"),
    };
    let ticket = world.send(Request::SetPosition { job: JOB, file: FileIndex(0), position: Bytes(7) });
    let (before, answer) = world.until_answered(ticket);
    answer.expect("asked for");
    let order: Vec<_> =
        before.into_iter().filter(|done| matches!(done, Done::Committed | Done::Asked(..))).collect();
    match order.as_slice() {
        [Done::Committed, Done::Asked(of, demands)] => assert_eq!((*of, *demands), (attempt, 1)),
        other => panic!("{other:?}"),
    }
}
