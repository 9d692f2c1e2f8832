//! The door for the fuzz target of the queue: any sequence of requests, reports, passing time, failed
//! commits and restarts, told by bytes, and what must hold after each of them. Nobody else uses this;
//! the corpus is replayed by the test below.
//!
//! Around the queue is what an engine has: a store, one turn for each input, and a worker that does
//! what it is told, as far as the bytes let it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bits_core::access::Caller;
use bits_core::conditions::CostFlags;
use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::{BootId, FileIndex, LocalName, PartialId, Served, Stage, Validator};
use bits_core::job::{self, Attempt, Command, Job, JobId, Priority, Properties, PropertyChange, State};
use bits_core::ports::{SealedSecret, Store};
use bits_core::queue::{Decision, Effect, Input, Limits, NewFile, Queue, Report, Request, Ticket};
use bits_core::remote_name::RemoteName;
use bits_core::time::Timestamp;
use bits_core::units::Bytes;

use crate::MemoryStore;

/// Jobs there can be, and files of one.
const JOBS: u8 = 5;
const FILES_MAX: u32 = 4;
/// The size of every file.
const SIZE: Bytes = Bytes(1000);
const ANNA: u32 = 1;
const BEN: u32 = 2;

fn limits() -> Limits {
    Limits { foreground_jobs_max: 2, background_jobs_max: 2, ..Limits::default() }
}

/// Lives what `bytes` tell, and asserts what must hold.
pub fn queue(bytes: &[u8]) {
    live(bytes, None);
}

fn live(bytes: &[u8], mistake: Option<Mistake>) {
    let mut world = World { mistake, ..World::new(bytes) };
    while let Some(step) = world.told.next() {
        world.step(step);
    }
    world.settle();
}

/// A mistake that is made on purpose, around the queue: what the assertions are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// An answer is not given.
    AnswerForgotten,
    /// What was decided and not written is acted on.
    ActedUnwritten,
    /// What was decided and not written is believed.
    NotReverted,
    /// Whoever names a job may change it.
    AccessUnchecked,
    /// A worker is not told to stop.
    StopForgotten,
    /// The jobs of a commit are written, and not its files.
    HalfACommit,
    /// Why a job has failed is not written.
    ErrorForgotten,
    /// What is reported too late counts.
    LateCounts,
    /// A service that starts leaves as running what ran.
    StartForgets,
    /// A job that has ended can be begun anew.
    EndForgotten,
    /// It is not looked where the files of a job go already.
    PlacesForgotten,
}

/// The bytes that tell what happens.
struct Told<'a>(&'a [u8]);

impl Told<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number below `bound`; 0 when nothing more is told.
    fn below(&mut self, bound: u8) -> u8 {
        self.next().unwrap_or(0) % bound
    }
}

/// What the worker has of one job.
struct Work {
    attempt: Attempt,
    left: Vec<FileIndex>,
    /// How much of the first of them has come, if its version is recorded.
    come: Option<u64>,
    is_stopped: bool,
}

struct World<'a> {
    told: Told<'a>,
    queue: Queue,
    store: MemoryStore,
    now: Timestamp,
    tickets: u64,
    /// Who has asked and was not answered.
    waiting: BTreeSet<Ticket>,
    work: BTreeMap<JobId, Work>,
    finalizing: BTreeSet<JobId>,
    discarding: BTreeSet<JobId>,
    fails_next: bool,
    mistake: Option<Mistake>,
}

impl<'a> World<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            told: Told(bytes),
            queue: Queue::new(limits()),
            store: MemoryStore::new(),
            now: Timestamp(1_000_000),
            tickets: 0,
            waiting: BTreeSet::new(),
            work: BTreeMap::new(),
            finalizing: BTreeSet::new(),
            discarding: BTreeSet::new(),
            fails_next: false,
            mistake: None,
        }
    }

    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    fn step(&mut self, step: u8) {
        let job = JobId([1 + self.told.below(JOBS); 16]);
        match step % 16 {
            0..2 => self.create(job),
            2 => self.add_files(job),
            3..5 => self.command(job),
            5 => self.set(job),
            6 => {
                let target = AuthTarget::Server;
                let slot = SecretSlot::Credential { target, scheme: AuthScheme::Basic };
                let credentials = vec![SealedSecret { slot, record: vec![1] }];
                self.ask(Request::SetCredentials { job, credentials });
            }
            7..11 => self.work(job),
            11 => self.finish(job),
            12 => {
                let seconds = u64::from(self.told.below(200));
                self.now = Timestamp(self.now.0 + seconds * 1000);
            }
            13 => self.fails_next = true,
            14 => self.restart(),
            _ => self.late_report(job),
        }
        self.let_time_pass();
        self.check_all();
    }

    fn create(&mut self, id: JobId) {
        let mut properties = Properties::named("a job".to_owned()).expect("a name");
        let place = self.told.below(4);
        properties.priority =
            [Priority::Foreground, Priority::High, Priority::Normal, Priority::Low][usize::from(place)];
        properties.complete_when_done = self.told.below(4) == 0;
        properties.transfer.keep_going = self.told.below(4) == 0;
        properties.transfer.cost_flags = CostFlags::new(self.told.below(4).into()).ok();
        self.ask(Request::Create {
            id,
            properties: Box::new(properties),
            secrets: Vec::new(),
            files: Vec::new(),
            resume: false,
        });
    }

    fn add_files(&mut self, job: JobId) {
        let count = 1 + self.told.below(2);
        let has = self.job(job).map_or(0, |job| job.files_total);
        if has + u32::from(count) > FILES_MAX {
            return;
        }
        let remote_name = RemoteName::stored("http://h.test/f").expect("a remote name");
        // Where another one goes already, now and then.
        let first = u32::from(self.told.below(8) != 0) * has;
        let files = (first..).take(usize::from(count)).map(|number| {
            let local_name = LocalName::parse(&format!("/tmp/f{number}")).expect("a local name");
            NewFile::new(remote_name.clone(), local_name)
        });
        let files = files.collect();
        self.ask(Request::AddFiles { job, files, credentials: Vec::new() });
    }

    fn command(&mut self, job: JobId) {
        const COMMANDS: [Command; 6] = [
            Command::Resume,
            Command::Resume,
            Command::Resume,
            Command::Suspend,
            Command::Complete,
            Command::Cancel,
        ];
        let command = COMMANDS[usize::from(self.told.below(6))];
        self.ask(Request::Command { job, command });
    }

    fn set(&mut self, job: JobId) {
        let change = match self.told.below(4) {
            0 => PropertyChange::Description("said".to_owned()),
            1 => PropertyChange::Priority(Priority::Foreground),
            2 => PropertyChange::Priority(Priority::Low),
            _ => PropertyChange::CompleteWhenDone(true),
        };
        let expected = (self.told.below(8) == 0).then(|| job::Revision(self.told.below(4).into()));
        let changes = vec![change];
        self.ask(Request::SetProperties { job, expected, changes, secrets: Vec::new() });
    }

    /// Anna asks, or now and then Ben, who has no jobs but those he makes.
    fn ask(&mut self, request: Request) {
        let uid = if self.told.below(8) == 0 { BEN } else { ANNA };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket);
        self.take_in(Input::Request { ticket, caller: Caller { uid }, request });
    }

    /// The worker goes on with what it has of `job`.
    fn work(&mut self, job: JobId) {
        let Some(work) = self.work.get_mut(&job) else { return };
        let attempt = work.attempt;
        let file = work.left.first().copied();
        let report = match (self.told.below(8), file, work.come) {
            (0, ..) => Report::Connected { attempt },
            (1, ..) => {
                let transient = self.told.below(3) != 0;
                Report::Failed { attempt, error: an_error(transient) }
            }
            (2, Some(file), _) if self.told.below(4) == 0 => {
                work.left.remove(0);
                work.come = None;
                Report::FilePassedOver { attempt, file, error: an_error(false) }
            }
            (_, None, _) => Report::FilesTransferred { attempt },
            (_, Some(file), None) => {
                work.come = Some(0);
                Report::Version {
                    attempt,
                    file,
                    size: Some(SIZE),
                    validator: Validator { etag: Some("\"v\"".to_owned()), last_modified: None },
                    served: Served::default(),
                    boot: BootId([1; 16]),
                    partial: PartialId { device: 1, inode: 1 },
                }
            }
            (3..6, Some(file), Some(come)) if come < SIZE.0 => {
                let upto = (come + 300).min(SIZE.0);
                work.come = Some(upto);
                Report::Durable { attempt, file, upto: Bytes(upto) }
            }
            (_, Some(file), Some(_)) => {
                work.left.remove(0);
                work.come = None;
                Report::FileTransferred { attempt, file, size: SIZE }
            }
        };
        let ends = matches!(report, Report::Failed { .. } | Report::FilesTransferred { .. });
        // One that was told to stop has at most one more thing to say.
        if ends || self.work[&job].is_stopped {
            self.work.remove(&job);
        }
        self.take_in(Input::Report { job, report });
    }

    /// Files are put in place, or deleted; or they are not.
    fn finish(&mut self, job: JobId) {
        let how = self.told.below(6);
        if self.finalizing.remove(&job) {
            let files = self.store.files(job, FileIndex(0), 100).expect("memory can be read");
            let whole: Vec<_> =
                files.iter().filter(|file| file.stage == Stage::Transferred).map(|file| file.index).collect();
            let report = match how {
                0 => Report::Finalized { files: Vec::new(), lost: whole, error: Some(an_error(false)) },
                1 => Report::Finalized { files: Vec::new(), lost: Vec::new(), error: Some(an_error(false)) },
                _ => Report::Finalized { files: whole, lost: Vec::new(), error: None },
            };
            self.take_in(Input::Report { job, report });
        } else if self.discarding.remove(&job) {
            let leftover = (how == 0).then(|| "one is left".to_owned());
            self.take_in(Input::Report { job, report: Report::Discarded { leftover } });
        }
    }

    /// A report of an attempt that is over changes nothing.
    fn late_report(&mut self, id: JobId) {
        let Some(job) = self.job(id) else { return };
        let late_by = 1 + u32::from(self.told.below(3));
        let late_by = if self.makes(Mistake::LateCounts) { 0 } else { late_by };
        let attempt = Attempt(job.attempt.0.wrapping_add(late_by));
        let file = FileIndex(0);
        let report = match self.told.below(5) {
            0 => Report::Connected { attempt },
            1 => Report::Durable { attempt, file, upto: SIZE },
            2 => Report::FileTransferred { attempt, file, size: SIZE },
            3 => Report::FilesTransferred { attempt },
            _ => Report::Failed { attempt, error: an_error(true) },
        };
        self.take_in(Input::Report { job: id, report: report.clone() });
        assert_eq!(self.job(id), Some(job), "{report:?}");
    }

    fn let_time_pass(&mut self) {
        while let Some(job) = self.queue.next_due(self.now) {
            self.take_in(Input::Due { job });
        }
        while let Some(job) = self.queue.next_attention() {
            self.take_in(Input::Attend { job });
        }
        loop {
            let Some(job) = self.queue.next_runnable() else {
                let Some(job) = self.queue.next_yield(self.now) else { return };
                let before = self.job(job).expect("what runs is there");
                assert!(before.state.is_running(), "what has a turn runs");
                self.take_in(Input::Yield { job });
                continue;
            };
            let before = self.job(job).expect("what may run is there");
            assert_eq!(before.state, State::Queued, "what may run is queued");
            self.take_in(Input::Grant { job });
            let after = self.job(job).expect("it is there");
            let granted = after.state == State::Connecting && after.attempt.0 == before.attempt.0 + 1;
            assert!(granted || after == before, "{before:?} {after:?}");
        }
    }

    /// One turn with one input.
    fn take_in(&mut self, input: Input) {
        let id = input.job();
        let before = self.job(id);
        let report = matches!(input, Input::Report { .. }).then(|| input.clone());
        let ticket = match &input {
            Input::Request { ticket, caller, .. } => Some((*ticket, *caller)),
            _ => None,
        };
        let mut decision = Decision::default();
        let mut known = before.clone();
        let input = match input {
            Input::Request { ticket, request, .. }
                if self.makes(Mistake::AccessUnchecked) && before.is_some() =>
            {
                let uid = before.as_ref().map_or(ANNA, |job| job.owner.0);
                Input::Request { ticket, caller: Caller { uid }, request }
            }
            input => input,
        };
        if self.makes(Mistake::EndForgotten) {
            for job in known.iter_mut().filter(|job| job.state.is_final()) {
                job.state = State::Suspended;
            }
        }
        if let Input::Request { request: Request::AddFiles { files, .. }, .. } = &input
            && !self.makes(Mistake::PlacesForgotten)
        {
            let wanted: Vec<_> = files.iter().map(|file| file.destination).collect();
            let taken = self.store.destinations_taken(id, &wanted).expect("memory can be read");
            decision.bring_destinations(id, taken);
        }
        self.queue.handle(input, known, self.now, &mut decision);
        let mut batch = decision.take_batch();
        if self.makes(Mistake::HalfACommit) {
            batch.files.clear();
        }
        if self.makes(Mistake::ErrorForgotten) {
            batch.jobs.iter_mut().for_each(|change| change.job.error = None);
        }
        if let (Some((_, caller)), Some(job)) = (ticket, &before) {
            let is_foreign = job.owner.0 != caller.uid;
            assert!(!is_foreign || batch.is_empty(), "nobody changes the jobs of others: {batch:?}");
        }
        if !batch.is_empty() && std::mem::take(&mut self.fails_next) {
            match self.mistake {
                Some(Mistake::ActedUnwritten) => self.run(decision),
                Some(Mistake::NotReverted) => {}
                _ => self.queue.revert(decision),
            }
            assert_eq!(self.job(id), before);
            match (ticket, report) {
                (Some((ticket, _)), _) => drop(self.waiting.remove(&ticket)),
                // A report keeps, and is taken in again.
                (None, Some(report)) => self.take_in(report),
                (None, None) => {}
            }
            return;
        }
        self.store.commit(&batch).expect("it was decided on what is written");
        if let (Some(before), Some(after)) = (&before, self.job(id)) {
            assert_follows(before, &after);
        }
        self.run(decision);
    }

    fn run(&mut self, decision: Decision) {
        let (effects, again) = decision.into_effects();
        for effect in effects {
            match effect {
                Effect::Answer { .. } if self.makes(Mistake::AnswerForgotten) => {}
                Effect::Answer { ticket, .. } => {
                    assert!(self.waiting.remove(&ticket), "answered once: {ticket:?}")
                }
                Effect::Job { job, effect } => self.run_job(job, effect),
                Effect::Recorded { .. } | Effect::Note { .. } | Effect::Rate { .. } => {}
                Effect::Tell { .. } => unreachable!("nobody is to be told here"),
                Effect::Asked { .. } | Effect::RangesTransferred { .. } => {
                    unreachable!("nobody makes a job on demand here")
                }
            }
        }
        for input in again {
            self.take_in(input);
        }
    }

    fn run_job(&mut self, id: JobId, effect: job::Effect) {
        let stored = self.job(id).expect("it is there");
        match effect {
            job::Effect::Begin(attempt) => {
                assert_eq!(
                    (stored.state, stored.attempt),
                    (State::Connecting, attempt),
                    "written before it is told"
                );
                let files = self.store.files(id, FileIndex(0), 100).expect("memory can be read");
                let left =
                    files.iter().filter(|file| file.stage == Stage::Waiting).map(|file| file.index).collect();
                let is_stopped = false;
                self.work.insert(id, Work { attempt, left, come: None, is_stopped });
            }
            job::Effect::Stop(_) if self.makes(Mistake::StopForgotten) => {}
            job::Effect::Stop(attempt) => {
                if let Some(work) = self.work.get_mut(&id).filter(|work| work.attempt == attempt) {
                    work.is_stopped = true;
                }
            }
            job::Effect::FinalizeFiles => drop(self.finalizing.insert(id)),
            job::Effect::DiscardFiles => {
                assert_eq!(stored.state, State::Cancelled, "parts are deleted when that is written");
                self.discarding.insert(id);
            }
            job::Effect::ForgetSecrets => unreachable!("the queue makes it a change"),
        }
    }

    /// The service is killed and started again.
    fn restart(&mut self) {
        let before = self.all();
        self.queue = Queue::new(limits());
        self.waiting.clear();
        self.work.clear();
        self.finalizing.clear();
        self.discarding.clear();
        self.fails_next = false;
        let mut decision = Decision::default();
        let (queue, now) = (&mut self.queue, self.now);
        self.store.unfinished(&mut |job| queue.adopt(job, now, &mut decision)).expect("memory can be read");
        let queued = self.store.queued(None, usize::MAX).expect("memory can be read");
        queued.iter().for_each(|job| queue.adopt_queued(job));
        let retrying = self.store.retrying(None, usize::MAX).expect("memory can be read");
        retrying.into_iter().for_each(|job| queue.adopt_retrying(job, now, &mut decision));
        let batch = decision.take_batch();
        if !self.makes(Mistake::StartForgets) {
            self.store.commit(&batch).expect("it was decided on what is written");
        }
        for (before, after) in before.iter().zip(self.all()) {
            let was_running = before.state.is_running();
            let state = if was_running { State::Queued } else { before.state };
            // What it ran until it last wrote is counted; how long nobody ran it is not.
            let ran = before.running_since.map_or(Duration::ZERO, |since| before.times.modified.since(since));
            let ran_for = before.ran_for + ran;
            let expected =
                Job { state, running_since: None, ran_for, revision: after.revision, ..before.clone() };
            assert_eq!(after, expected, "a start changes nothing but what was running");
        }
        self.run(decision);
    }

    /// All that was begun is brought to its end: then everybody was answered.
    fn settle(&mut self) {
        self.fails_next = false;
        // Each round ends what the one before has begun.
        for _ in 0..100 {
            for job in self.finalizing.clone().into_iter().chain(self.discarding.clone()) {
                self.finish(job);
            }
            self.let_time_pass();
            self.check_all();
        }
        assert!(self.waiting.is_empty(), "not answered: {:?}", self.waiting);
    }

    fn job(&mut self, id: JobId) -> Option<Job> {
        self.store.job(id).expect("memory can be read")
    }

    fn all(&mut self) -> Vec<Job> {
        (1..=JOBS).filter_map(|number| self.job(JobId([number; 16]))).collect()
    }

    fn check_all(&mut self) {
        let all = self.all();
        let running = |foreground: bool| {
            all.iter()
                .filter(|job| job.state.is_running())
                .filter(|job| (job.properties.priority == Priority::Foreground) == foreground)
                .count()
        };
        // A job whose priority is changed while it runs goes on.
        assert!(
            running(true) + running(false) <= limits().foreground_jobs_max + limits().background_jobs_max + 2
        );
        for job in &all {
            let files = self.store.files(job.id, FileIndex(0), 100).expect("memory can be read");
            let count = |stages: &[Stage]| files.iter().filter(|file| stages.contains(&file.stage)).count();
            assert_eq!(job.files_total as usize, files.len(), "{job:?}");
            assert_eq!(
                job.files_transferred as usize,
                count(&[Stage::Transferred, Stage::Completed]),
                "{job:?} {files:?}"
            );
            let places: BTreeSet<_> = files.iter().map(|file| file.destination).collect();
            assert_eq!(places.len(), files.len(), "no two files go to one place: {files:?}");
            for file in &files {
                assert!(file.size.is_none_or(|size| file.durable <= size), "{file:?}");
            }
            if job.state.is_final() {
                assert!(self.store.secrets(job.id).expect("memory can be read").is_empty(), "{job:?}");
                assert!(self.work.get(&job.id).is_none_or(|work| work.is_stopped), "{job:?}");
            }
            if matches!(job.state, State::Error | State::TransientError { .. }) {
                assert!(job.error.is_some(), "it can say why: {job:?}");
            }
            if job.state.is_running() {
                let has_it = self.work.get(&job.id).is_some_and(|work| work.attempt == job.attempt);
                assert!(has_it, "a worker has what runs: {job:?}");
            }
        }
    }
}

/// What one input can make of a job.
fn assert_follows(before: &Job, after: &Job) {
    assert!(after.revision >= before.revision && after.attempt >= before.attempt);
    assert_eq!((before.id, before.owner), (after.id, after.owner));
    if before != after {
        assert!(after.revision > before.revision, "what changes is counted: {before:?} {after:?}");
    }
    if before.state.is_final() {
        // But that no parts are left.
        let Job { discard_pending, revision, times, .. } = *after;
        let expected = Job { discard_pending, revision, times, ..before.clone() };
        assert_eq!(*after, expected, "the end is the end");
        assert!(before.discard_pending || !after.discard_pending);
    }
}

fn an_error(transient: bool) -> JobError {
    JobError {
        code: if transient { Code::http(503) } else { Code::http(404) },
        context: ErrorContext::RemoteFile,
        transient,
        message: "it did not come".to_owned(),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_corpus_does_no_harm() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/queue");
        let mut seen = 0;
        for entry in std::fs::read_dir(&folder).expect("a corpus") {
            queue(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
            seen += 1;
        }
        assert!(seen > 0, "there is something to replay");
    }

    /// Lives of which nobody has decided anything.
    fn lives() -> impl Iterator<Item = Vec<u8>> {
        let mut random = 88_172_645_463_325_252_u64;
        std::iter::repeat_with(move || {
            let byte = std::iter::repeat_with(|| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random >> 32) as u8
            });
            byte.take(2000).collect()
        })
    }

    #[test]
    fn long_lives_drawn_at_random_keep_all_promises() {
        lives().take(40).for_each(|life| queue(&life));
    }

    #[test]
    fn every_mistake_made_on_purpose_is_found_within_a_few_lives() {
        const MISTAKES: [Mistake; 11] = [
            Mistake::AnswerForgotten,
            Mistake::ActedUnwritten,
            Mistake::NotReverted,
            Mistake::AccessUnchecked,
            Mistake::StopForgotten,
            Mistake::HalfACommit,
            Mistake::ErrorForgotten,
            Mistake::LateCounts,
            Mistake::StartForgets,
            Mistake::EndForgotten,
            Mistake::PlacesForgotten,
        ];
        let is_found = |mistake: &Mistake| {
            let fails = |life: Vec<u8>| std::panic::catch_unwind(|| live(&life, Some(*mistake))).is_err();
            lives().take(10).any(fails)
        };
        let missed: Vec<_> = MISTAKES.into_iter().filter(|mistake| !is_found(mistake)).collect();
        assert!(missed.is_empty(), "not found: {missed:?}");
    }
}
