//! The queue as a whole: several jobs, several callers, and decisions that cannot be written.

mod asking;
mod conditions;
mod destinations;
mod limits;
mod ownership;
mod rows;
mod states;
mod telling;
mod turns;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::vec;
use core::time::Duration;

use super::*;
use crate::credentials::{AuthScheme, AuthTarget};
use crate::demand::{Filled, Span};
use crate::error::{Challenge, Code, ErrorContext};
use crate::file::{BootId, File, LocalName, PartialId, Served, Stage, Validator};
use crate::job::{Priority, Properties, PropertyChange, Revision};
use crate::ports::{Batch, JobChange, SealedSecret};
use crate::ranges::{ByteRange, Ranges};
use crate::remote_name::RemoteName;
use crate::sources::Sources;

const ANNA: Caller = Caller { uid: 1000 };
const BEN: Caller = Caller { uid: 1001 };

/// A queue and what an engine would have around it: the jobs that are written.
struct World {
    queue: Queue,
    written: BTreeMap<JobId, Job>,
    now: Timestamp,
    tickets: u64,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self { queue: Queue::new(limits), written: BTreeMap::new(), now: Timestamp(1000), tickets: 0 }
    }

    fn take_in(&mut self, input: Input, decision: &mut Decision) {
        let id = input.job();
        let job = decision.job(id).or_else(|| self.written.get(&id)).cloned();
        self.queue.handle(input, job, self.now, decision);
    }

    /// One turn with one input, written; what it answers and does.
    fn turn(&mut self, input: Input) -> Vec<Effect> {
        let mut decision = Decision::default();
        self.take_in(input, &mut decision);
        self.write(decision)
    }

    fn write(&mut self, mut decision: Decision) -> Vec<Effect> {
        let batch = decision.take_batch();
        self.write_batch(batch, decision)
    }

    /// Writes what was taken out of `decision`.
    fn write_batch(&mut self, batch: Batch, decision: Decision) -> Vec<Effect> {
        for JobChange { job, was } in batch.jobs {
            assert_eq!(self.written.get(&job.id).map(|job| job.revision), was, "decided on what is written");
            self.written.insert(job.id, job);
        }
        let (mut effects, again) = decision.into_effects();
        for input in again {
            effects.extend(self.turn(input));
        }
        effects
    }

    fn request(&mut self, caller: Caller, request: Request) -> Input {
        self.tickets += 1;
        Input::Request { ticket: Ticket(self.tickets), caller, request }
    }

    fn ask(&mut self, caller: Caller, request: Request) -> Result<Answer, Refusal> {
        let input = self.request(caller, request);
        let ticket = Ticket(self.tickets);
        answer_to(ticket, self.turn(input)).expect("an answer")
    }

    fn add_job(&mut self, number: u8, priority: Priority) -> JobId {
        let id = JobId([number; 16]);
        let mut properties = Properties::named("a job".to_owned()).expect("a name");
        properties.priority = priority;
        self.ask(
            ANNA,
            Request::Create {
                id,
                properties: Box::new(properties),
                secrets: Vec::new(),
                files: Vec::new(),
                resume: false,
            },
        )
        .expect("created");
        let files = vec![a_file()];
        self.ask(ANNA, Request::AddFiles { job: id, files, credentials: Vec::new() }).expect("added");
        id
    }

    fn command(&mut self, job: JobId, command: Command) -> Result<Answer, Refusal> {
        self.ask(ANNA, Request::Command { job, command })
    }

    /// Lets every job run that may.
    fn grant(&mut self) -> Vec<JobId> {
        let mut granted = Vec::new();
        while let Some(job) = self.queue.next_runnable() {
            self.turn(Input::Grant { job });
            granted.push(job);
        }
        granted
    }

    fn state(&self, job: JobId) -> &'static str {
        self.written[&job].state.name()
    }

    fn report(&mut self, job: JobId, report: Report) -> Vec<Effect> {
        self.turn(Input::Report { job, report })
    }

    fn transferred(&mut self, number: u8) -> JobId {
        let job = self.add_job(number, Priority::Normal);
        self.command(job, Command::Resume).expect("resumed");
        self.grant();
        let attempt = self.written[&job].attempt;
        self.report(job, Report::Connected { attempt });
        self.report(job, Report::FileTransferred { attempt, file: FileIndex(0), size: Bytes(3) });
        self.report(job, Report::FilesTransferred { attempt });
        assert_eq!(self.state(job), "transferred");
        job
    }
}

fn a_file() -> NewFile {
    a_file_at("/tmp/f")
}

fn a_file_at(path: &str) -> NewFile {
    NewFile::new(
        RemoteName::parse("http://h.test/f").expect("a name").0,
        LocalName::parse(path).expect("a name"),
    )
}

/// So many files, each at a place of its own.
fn some_files(count: usize) -> Vec<NewFile> {
    (0..count).map(|number| a_file_at(&format!("/tmp/f{number}"))).collect()
}

fn answer_to(wanted: Ticket, effects: Vec<Effect>) -> Option<Result<Answer, Refusal>> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Answer { ticket, answer } if ticket == wanted => Some(answer),
        _ => None,
    })
}

fn an_error() -> JobError {
    JobError {
        code: Code::DISK_FULL,
        context: ErrorContext::LocalFile,
        transient: false,
        message: "the disk is full".to_owned(),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_job_wait_longer_than_its_retry_takes() {
    const DAY: Duration = Duration::from_secs(86_400);
    let mut world = World::new(Limits::default());
    world.now = Timestamp(10 * 86_400_000);
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    let fail = |world: &mut World| {
        world.grant();
        let attempt = world.written[&job].attempt;
        let error = JobError { transient: true, ..an_error() };
        world.report(job, Report::Failed { attempt, error });
        assert_eq!(world.state(job), "transient_error");
    };
    fail(&mut world);
    let wait = world.queue.next_wake().expect("it waits").since(world.now);
    world.now = Timestamp(world.now.0 - 86_400_000);
    world.queue.clock_was_set(job::ClockChange::Back(DAY));
    assert_eq!(world.queue.next_wake().expect("it waits").since(world.now), wait);
    world.now = world.now + wait;
    let due = world.queue.next_due(world.now).expect("its time has come");
    world.turn(Input::Due { job: due });
    assert_eq!(world.state(job), "queued");

    // The same when a service starts and finds the clock set back.
    fail(&mut world);
    world.now = Timestamp(world.now.0 - 86_400_000);
    let mut queue = Queue::new(Limits::default());
    queue.adopt(world.written[&job].clone(), world.now, &mut Decision::default());
    world.queue = queue;
    let due = world.queue.next_due(world.now).expect("its time has come");
    world.turn(Input::Due { job: due });
    assert_eq!(world.state(job), "queued");
}

#[test]
fn the_higher_priority_runs_first_and_then_who_came_first() {
    let mut world =
        World::new(Limits { foreground_jobs_max: 1, background_jobs_max: 2, ..Limits::default() });
    let jobs: Vec<JobId> = [
        (1, Priority::Low),
        (2, Priority::Normal),
        (3, Priority::Foreground),
        (4, Priority::Normal),
        (5, Priority::Foreground),
        (6, Priority::High),
    ]
    .into_iter()
    .map(|(number, priority)| world.add_job(number, priority))
    .collect();
    for job in &jobs {
        world.now.0 += 1;
        world.command(*job, Command::Resume).expect("resumed");
    }
    assert_eq!(world.grant(), [jobs[2], jobs[5], jobs[1]]);
    let view = world.queue.view(world.written[&jobs[3]].clone(), job::Progress::default());
    assert_eq!(view.wait, Some(WaitReason::Queued { ahead: 1 }), "the other foreground job");
    world.command(jobs[2], Command::Suspend).expect("suspended");
    assert_eq!(world.grant(), [jobs[4]]);
}

#[test]
fn asking_twice_for_a_job_with_one_id_makes_one_job() {
    let mut world = World::new(Limits::default());
    let id = JobId([1; 16]);
    let properties = Properties::named("a job".to_owned()).expect("a name");
    let create = Request::Create {
        id,
        properties: Box::new(properties),
        secrets: Vec::new(),
        files: Vec::new(),
        resume: false,
    };
    for _ in 0..2 {
        assert_eq!(world.ask(ANNA, create.clone()), Ok(Answer::Job(id)));
    }
    assert_eq!(world.written[&id].revision, Revision(1));
    assert_eq!(world.ask(BEN, create), Err(Refusal::IdTaken { id }));
}

#[test]
fn a_job_is_created_with_all_its_files_once_or_not_at_all() {
    let mut world = World::new(Limits::default());
    let create = |number: u8, is_dynamic: bool| {
        let mut properties = Properties::named("a job".to_owned()).expect("a name");
        properties.transfer.dynamic_content = is_dynamic;
        let mut part = a_file_at("/tmp/part");
        part.ranges = Ranges::new(vec![ByteRange::parse("0:9").expect("a range")]).expect("ranges");
        let (properties, files) = (Box::new(properties), vec![a_file(), part]);
        Request::Create { id: JobId([number; 16]), properties, files, secrets: Vec::new(), resume: false }
    };
    let id = JobId([1; 16]);
    for _ in 0..2 {
        assert_eq!(world.ask(ANNA, create(1, false)), Ok(Answer::Job(id)));
    }
    assert_eq!((world.written[&id].files_total, world.state(id)), (2, "suspended"));
    assert_eq!(world.written[&id].revision, Revision(1));
    assert_eq!(world.ask(BEN, create(1, false)), Err(Refusal::IdTaken { id }));
    // A part of what is made anew for each request cannot be meant.
    assert!(matches!(world.ask(ANNA, create(2, true)), Err(Refusal::InvalidArgument { .. })));
    assert!(!world.written.contains_key(&JobId([2; 16])));
}

#[test]
fn what_is_said_of_a_file_that_a_job_does_not_have_is_refused_and_fails_no_turn() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let before = world.written[&job].clone();
    let file = FileIndex(before.files_total);
    let names = vec![(FileIndex(0), a_file().remote_name), (file, a_file().remote_name)];
    for request in [
        Request::SetRemoteNames { job, names },
        Request::RequestRanges { job, file, ranges: Vec::new() },
        Request::SetPosition { job, file, position: Bytes::ZERO },
        Request::SetValidation { job, file, valid: false },
    ] {
        assert_eq!(world.ask(ANNA, request), Err(Refusal::NoSuchFile { id: job, index: file.0 }));
    }
    assert_eq!(world.written[&job], before);
}

#[test]
fn a_new_job_that_is_to_run_at_once_waits_for_its_turn_in_the_same_commit() {
    let mut world = World::new(Limits::default());
    let create = |number: u8, files: Vec<NewFile>| {
        let properties = Box::new(Properties::named("a job".to_owned()).expect("a name"));
        let id = JobId([number; 16]);
        Request::Create { id, properties, files, secrets: Vec::new(), resume: true }
    };
    let id = JobId([1; 16]);
    for _ in 0..2 {
        assert_eq!(world.ask(ANNA, create(1, vec![a_file()])), Ok(Answer::Job(id)));
        assert_eq!((world.state(id), world.written[&id].revision), ("queued", Revision(1)));
    }
    assert_eq!(world.grant(), [id]);
    let empty = JobId([2; 16]);
    assert_eq!(world.ask(ANNA, create(2, Vec::new())), Err(Refusal::Empty { id: empty }));
    assert!(!world.written.contains_key(&empty));
}

#[test]
fn the_turns_of_jobs_are_counted_by_priority() {
    let mut world =
        World::new(Limits { foreground_jobs_max: 1, background_jobs_max: 1, ..Limits::default() });
    for (number, priority) in
        [(1, Priority::Foreground), (2, Priority::High), (3, Priority::Low), (4, Priority::Low)]
    {
        let job = world.add_job(number, priority);
        world.command(job, Command::Resume).expect("resumed");
    }
    world.add_job(5, Priority::Normal);
    world.grant();
    let turns = world.queue.turns().map(|turns| (turns.priority, turns.running, turns.runnable));
    assert_eq!(
        turns,
        [
            (Priority::Foreground, 1, 0),
            (Priority::High, 1, 0),
            (Priority::Normal, 0, 0),
            (Priority::Low, 0, 2)
        ]
    );
}

#[test]
fn nobody_changes_the_job_of_somebody_else() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let before = world.written[&job].clone();
    for request in [
        Request::Command { job, command: Command::Cancel },
        Request::SetProperties {
            job,
            expected: None,
            changes: vec![PropertyChange::Priority(Priority::Low)],
            secrets: Vec::new(),
        },
        Request::AddFiles { job, files: vec![a_file()], credentials: Vec::new() },
        Request::SetCredentials { job, credentials: Vec::new() },
    ] {
        let refusal = world.ask(BEN, request).expect_err("refused");
        assert_eq!(refusal.code(), Code::ACCESS_DENIED);
    }
    assert_eq!(world.written[&job], before);
}

#[test]
fn a_final_job_refuses_every_change() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let input = world.request(ANNA, Request::Command { job, command: Command::Cancel });
    world.turn(input);
    for request in [
        Request::Command { job, command: Command::Complete },
        Request::SetProperties { job, expected: None, changes: Vec::new(), secrets: Vec::new() },
        Request::AddFiles { job, files: vec![a_file()], credentials: Vec::new() },
        Request::SetCredentials { job, credentials: Vec::new() },
        Request::RemoveCredentials { job, target: AuthTarget::Server, schemes: vec![AuthScheme::Basic] },
    ] {
        let refusal = world.ask(ANNA, request).expect_err("refused");
        assert_eq!(refusal.code(), Code::INVALID_STATE);
    }
}

#[test]
fn a_change_that_was_decided_on_an_older_revision_is_refused() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let change = |expected| Request::SetProperties {
        job,
        expected: Some(Revision(expected)),
        changes: vec![PropertyChange::Priority(Priority::High)],
        secrets: Vec::new(),
    };
    let refusal = world.ask(ANNA, change(1)).expect_err("refused");
    assert_eq!(refusal.code(), Code::REVISION_MISMATCH);
    assert!(world.ask(ANNA, change(2)).is_ok());
}

#[test]
fn a_refused_change_leaves_none_of_its_parts() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let before = world.written[&job].clone();
    let changes =
        vec![PropertyChange::Priority(Priority::High), PropertyChange::DisplayName("x".repeat(257))];
    let refusal =
        world.ask(ANNA, Request::SetProperties { job, expected: None, changes, secrets: Vec::new() });
    assert_eq!(refusal.expect_err("refused").code(), Code::STRING_TOO_LONG);
    assert_eq!(world.written[&job], before);
}

#[test]
fn complete_is_answered_when_the_files_are_in_place() {
    let mut world = World::new(Limits::default());
    let job = world.transferred(1);
    let input = world.request(ANNA, Request::Command { job, command: Command::Complete });
    let ticket = Ticket(world.tickets);
    let effects = world.turn(input);
    assert_eq!(answer_to(ticket, effects), None, "nothing is in place yet");
    let effects =
        world.report(job, Report::Finalized { files: vec![FileIndex(0)], lost: Vec::new(), error: None });
    assert_eq!(answer_to(ticket, effects), Some(Ok(Answer::Completed { job, partial: false })));
    assert_eq!(world.state(job), "acknowledged");
}

#[test]
fn a_file_that_becomes_whole_while_files_are_put_in_place_does_not_count() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    world.report(job, Report::Connected { attempt });
    let complete = world.request(ANNA, Request::Command { job, command: Command::Complete });
    let completing = Ticket(world.tickets);
    world.turn(complete);
    // The attempt has not heard of its end yet, and the worker was told to delete this file's part.
    let mut decision = Decision::default();
    let file = FileIndex(0);
    let span = Span { from: Bytes(0), end: Bytes(2) };
    for report in [
        Report::Durable { attempt, file, upto: Bytes(2) },
        Report::Filled { attempt, file, filled: Filled::of([span]), new: vec![span] },
        Report::FileTransferred { attempt, file, size: Bytes(3) },
    ] {
        world.take_in(Input::Report { job, report }, &mut decision);
    }
    assert_eq!(decision.take_batch().files, []);
    world.write(decision);
    let effects = world.report(job, Report::Finalized { files: Vec::new(), lost: Vec::new(), error: None });
    assert_eq!(answer_to(completing, effects), Some(Ok(Answer::Completed { job, partial: true })));
    assert_eq!(world.written[&job].files_transferred, 0);
}

#[test]
fn a_file_that_goes_on_in_another_attempt_is_not_counted_twice() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    let file = FileIndex(0);
    world.queue.goes_on_with(job, [(file, Bytes(5))].into_iter());
    world.report(job, Report::Connected { attempt });
    let shown = |world: &World, written: u64| {
        let written = job::Progress { bytes_transferred: Bytes(written), ..job::Progress::default() };
        world.queue.view(world.written[&job].clone(), written).progress.bytes_transferred.0
    };
    // Five bytes are on record, seven are there.
    world.report(job, Report::Progress { attempt, file, transferred: Bytes(7) });
    assert_eq!(shown(&world, 5), 7);
    world.report(job, Report::Progress { attempt, file, transferred: Bytes(9) });
    assert_eq!(shown(&world, 5), 9);
    world.report(job, Report::Durable { attempt, file, upto: Bytes(9) });
    assert_eq!(shown(&world, 9), 9);
}

#[test]
fn a_job_does_not_complete_by_itself_while_files_that_were_added_have_not_come() {
    let mut world = World::new(Limits::default());
    let job = world.transferred(1);
    let files = vec![a_file()];
    world.ask(ANNA, Request::AddFiles { job, files, credentials: Vec::new() }).expect("added");
    let changes = vec![PropertyChange::CompleteWhenDone(true)];
    world
        .ask(ANNA, Request::SetProperties { job, expected: None, changes, secrets: Vec::new() })
        .expect("set");
    let mut decision = Decision::default();
    let adopted = world.written[&job].clone();
    Queue::new(Limits::default()).adopt(adopted, world.now, &mut decision);
    assert_eq!(decision.into_effects().0, []);
    assert_eq!(world.state(job), "transferred");
    world.command(job, Command::Resume).expect("resumed");
    assert_eq!(world.grant(), [job]);
}

#[test]
fn what_is_asked_while_files_are_put_in_place_waits_for_the_outcome() {
    let mut world = World::new(Limits::default());
    let job = world.transferred(1);
    let complete = world.request(ANNA, Request::Command { job, command: Command::Complete });
    world.turn(complete);
    let cancel = world.request(ANNA, Request::Command { job, command: Command::Cancel });
    let cancelling = Ticket(world.tickets);
    assert_eq!(answer_to(cancelling, world.turn(cancel)), None);
    assert_eq!(world.state(job), "transferred");
    let effects =
        world.report(job, Report::Finalized { files: Vec::new(), lost: Vec::new(), error: Some(an_error()) });
    assert!(effects.iter().any(|effect| {
        matches!(effect, Effect::Answer { answer: Err(Refusal::NotFinalized { .. }), .. })
    }));
    assert_eq!(world.state(job), "cancelled", "the cancel came after the completion had failed");
    let effects = world.report(job, Report::Discarded { leftover: None });
    assert_eq!(answer_to(cancelling, effects), Some(Ok(Answer::Cancelled { job, leftover: false })));
    assert!(!world.written[&job].discard_pending);
}

#[test]
fn a_decision_that_cannot_be_written_leaves_no_trace() {
    let mut world =
        World::new(Limits { foreground_jobs_max: 1, background_jobs_max: 1, ..Limits::default() });
    let running = world.add_job(1, Priority::Normal);
    let resting = world.add_job(2, Priority::Normal);
    let done = world.transferred(3);
    world.command(running, Command::Resume).expect("resumed");
    assert_eq!(world.grant(), [running]);
    let before = alloc::format!("{:?}", world.queue);

    let mut decision = Decision::default();
    for (job, command) in [
        (resting, Command::Resume),
        (running, Command::Suspend),
        (done, Command::Complete),
        (done, Command::Cancel),
    ] {
        let input = world.request(ANNA, Request::Command { job, command });
        world.take_in(input, &mut decision);
    }
    while let Some(job) = world.queue.next_runnable() {
        world.take_in(Input::Grant { job }, &mut decision);
    }
    assert_ne!(alloc::format!("{:?}", world.queue), before);
    world.queue.revert(decision);
    assert_eq!(alloc::format!("{:?}", world.queue), before);
}

#[test]
fn a_report_of_an_earlier_attempt_changes_nothing() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    world.command(job, Command::Suspend).expect("suspended");
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let before = world.written[&job].clone();
    let late = Attempt(1);
    for report in [
        Report::Connected { attempt: late },
        Report::Durable { attempt: late, file: FileIndex(0), upto: Bytes(9) },
        Report::FileTransferred { attempt: late, file: FileIndex(0), size: Bytes(9) },
        Report::FilesTransferred { attempt: late },
        Report::Failed { attempt: late, error: an_error() },
    ] {
        assert_eq!(world.report(job, report), []);
        assert_eq!(world.written[&job], before);
    }
    assert!(!world.queue.progressed(job, late, FileIndex(0), Bytes(9)));
}

#[test]
fn a_version_is_acknowledged_to_the_worker_only_with_its_commit() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let (attempt, file) = (Attempt(1), FileIndex(0));
    let (boot, validator) = (BootId([0; 16]), Validator::default());
    let partial = PartialId { device: 1, inode: 2 };
    let served = Served::default();
    let report = Report::Version { attempt, file, size: Some(Bytes(9)), validator, served, boot, partial };
    let mut decision = Decision::default();
    world.take_in(Input::Report { job, report }, &mut decision);
    assert!(matches!(decision.take_batch().files[..], [(_, FileChange::Version { .. })]));
    assert_eq!(world.write(decision), [Effect::Recorded { job, attempt, file }]);
}

#[test]
fn bytes_that_have_come_are_shown_before_they_are_written() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let (attempt, file) = (Attempt(1), FileIndex(0));
    assert!(world.queue.progressed(job, attempt, file, Bytes(70)));
    let shown = |world: &World, written: u64| {
        let progress = job::Progress { bytes_transferred: Bytes(written), ..job::Progress::default() };
        world.queue.view(world.written[&job].clone(), progress).progress.bytes_transferred
    };
    assert_eq!(shown(&world, 0), Bytes(70));
    world.report(job, Report::Durable { attempt, file, upto: Bytes(64) });
    assert_eq!(shown(&world, 64), Bytes(70));
}

#[test]
fn a_queue_that_is_taken_over_goes_on_where_it_was() {
    let mut world = World::new(Limits::default());
    let running = world.add_job(1, Priority::Normal);
    world.command(running, Command::Resume).expect("resumed");
    world.grant();
    let cancelled = world.add_job(2, Priority::Normal);
    let input = world.request(ANNA, Request::Command { job: cancelled, command: Command::Cancel });
    world.turn(input);
    let done = world.transferred(3);
    let complete = vec![PropertyChange::CompleteWhenDone(true)];
    world
        .ask(
            ANNA,
            Request::SetProperties { job: done, expected: None, changes: complete, secrets: Vec::new() },
        )
        .expect("set");

    world.queue = Queue::new(Limits::default());
    let mut decision = Decision::default();
    for job in world.written.values().cloned().collect::<Vec<_>>() {
        world.queue.adopt(job, world.now, &mut decision);
    }
    let effects = world.write(decision);
    let expected = [(cancelled, job::Effect::DiscardFiles), (done, job::Effect::FinalizeFiles)];
    assert_eq!(effects, expected.map(|(job, effect)| Effect::Job { job, effect }));
    assert_eq!(world.state(running), "queued");
    assert_eq!(world.grant(), [running]);
}

#[test]
fn a_queued_job_that_has_something_to_tell_keeps_its_place_when_the_service_starts_again() {
    let mut world = World::new(Limits { background_jobs_max: 1, ..Limits::default() });
    let jobs = [1, 2, 3].map(|number| {
        world.now.0 += 1;
        let job = world.add_job(number, Priority::Normal);
        world.command(job, Command::Resume).expect("resumed");
        job
    });
    world.now.0 += 1000;
    world.queue = Queue::new(Limits::default());
    // As an engine does: first the one that is more than queued, then the others.
    let mut decision = Decision::default();
    world.queue.adopt(world.written[&jobs[1]].clone(), world.now, &mut decision);
    world.write(decision);
    for job in jobs {
        world.queue.adopt_queued(&QueuedJob::from(&world.written[&job]));
    }
    assert_eq!(world.grant(), jobs);
}

#[test]
fn a_secret_that_was_refused_stays_refused_until_a_new_one_is_set() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    let challenge = Challenge {
        target: AuthTarget::Server,
        host: "h.test".to_owned(),
        realm: None,
        schemes: Vec::new(),
        refused: true,
    };
    for challenge in [Some(challenge), None] {
        world.grant();
        let attempt = world.written[&job].attempt;
        let error = JobError { transient: true, challenge, ..an_error() };
        world.report(job, Report::Failed { attempt, error });
        assert!(world.written[&job].secret_refused(), "another error does not make it good again");
        world.command(job, Command::Resume).expect("resumed");
    }
    world.ask(ANNA, Request::SetCredentials { job, credentials: Vec::new() }).expect("set");
    assert!(!world.written[&job].secret_refused());
}

#[test]
fn secrets_come_with_a_new_job_or_a_change_and_go_with_the_job() {
    let mut world = World::new(Limits::default());
    let id = JobId([1; 16]);
    let slot = SecretSlot::CertificatePassphrase;
    let set = SecretChange::Set(SealedSecret { slot, record: vec![1] });
    let properties = Box::new(Properties::named("n".to_owned()).expect("a name"));
    let create =
        Request::Create { id, properties, secrets: vec![set.clone()], files: Vec::new(), resume: false };
    let change = |changes, secrets| Request::SetProperties { job: id, expected: None, changes, secrets };
    let too_long = vec![PropertyChange::DisplayName("x".repeat(257))];
    for (request, expected) in [
        (create.clone(), vec![set.clone()]),
        (create, vec![]),
        (
            change(Vec::new(), vec![SecretChange::RemoveHeaders, set.clone()]),
            vec![SecretChange::RemoveHeaders, set.clone()],
        ),
        (change(too_long, vec![set]), vec![]),
        (Request::Command { job: id, command: Command::Cancel }, vec![SecretChange::RemoveAll]),
    ] {
        let input = world.request(ANNA, request);
        let mut decision = Decision::default();
        world.take_in(input, &mut decision);
        let batch = decision.take_batch();
        let secrets: Vec<_> = batch.secrets.iter().map(|(_, change)| change.clone()).collect();
        assert_eq!(secrets, expected);
        world.write_batch(batch, decision);
    }
}

#[test]
fn a_job_that_is_held_is_passed_over_and_says_why_until_somebody_does_something_about_it() {
    let mut world = World::new(Limits { background_jobs_max: 1, ..Limits::default() });
    let (first, second) = (world.add_job(1, Priority::Normal), world.add_job(2, Priority::Normal));
    for job in [first, second] {
        world.command(job, Command::Resume).expect("resumed");
    }
    world.turn(Input::Hold { job: first });
    let wait = |world: &World, job: JobId| {
        world.queue.view(world.written[&job].clone(), crate::job::Progress::default()).wait
    };
    assert_eq!(
        (world.state(first), wait(&world, first)),
        ("queued", Some(WaitReason::Credential(CredentialWait::Key)))
    );
    assert_eq!(world.grant(), [second], "it is in nobody's way");
    let changes = vec![PropertyChange::Priority(Priority::High)];
    world
        .ask(ANNA, Request::SetProperties { job: first, expected: None, changes, secrets: Vec::new() })
        .expect("changed");
    assert_eq!(
        wait(&world, first),
        Some(WaitReason::Credential(CredentialWait::Key)),
        "a change of something else does not help"
    );
    world.command(second, Command::Suspend).expect("suspended");
    for request in [
        Request::Command { job: first, command: Command::Resume },
        Request::SetCredentials { job: first, credentials: Vec::new() },
        Request::SetProperties {
            job: first,
            expected: None,
            changes: Vec::new(),
            secrets: vec![SecretChange::RemoveHeaders],
        },
        Request::RemoveCredentials {
            job: first,
            target: AuthTarget::Server,
            schemes: vec![AuthScheme::Basic],
        },
    ] {
        world.turn(Input::Hold { job: first });
        assert_eq!(world.queue.next_runnable(), None);
        world.ask(ANNA, request).expect("done");
        assert_eq!(world.queue.next_runnable(), Some(first));
    }
    world.turn(Input::Hold { job: first });
    world.command(first, Command::Suspend).expect("suspended");
    world.command(first, Command::Resume).expect("resumed");
    assert_eq!(world.grant(), [first]);
}

#[test]
fn a_hold_or_its_end_that_could_not_be_written_leaves_no_trace() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    let mut decision = Decision::default();
    world.take_in(Input::Hold { job }, &mut decision);
    world.queue.revert(decision);
    assert_eq!(world.queue.next_runnable(), Some(job));
    world.turn(Input::Hold { job });
    let mut decision = Decision::default();
    let input = world.request(ANNA, Request::Command { job, command: Command::Resume });
    world.take_in(input, &mut decision);
    world.queue.revert(decision);
    assert_eq!(world.queue.next_runnable(), None);
}

#[test]
fn files_that_were_passed_over_are_tried_again_when_the_owner_resumes() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world
        .ask(ANNA, Request::AddFiles { job, files: vec![a_file()], credentials: Vec::new() })
        .expect("added");
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    world.report(job, Report::FilePassedOver { attempt, file: FileIndex(0), error: an_error() });
    world.report(job, Report::FileTransferred { attempt, file: FileIndex(1), size: Bytes(3) });
    world.report(job, Report::FilesTransferred { attempt });
    assert_eq!(world.state(job), "transferred");
    let mut decision = Decision::default();
    let input = world.request(ANNA, Request::Command { job, command: Command::Resume });
    world.take_in(input, &mut decision);
    let batch = decision.take_batch();
    assert_eq!(batch.files, [(job, FileChange::TryAgain)]);
    world.write_batch(batch, decision);
    assert_eq!((world.state(job), world.written[&job].files_passed_over), ("queued", 0));
}

#[test]
fn what_becomes_known_of_sources_is_written_unless_it_comes_too_late() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    let sources = Sources { size: Some(Bytes(3)), ..Sources::default() };
    for (of, expected) in [(attempt, 1), (Attempt(attempt.0 + 1), 0)] {
        let report = Report::Sources { attempt: of, file: FileIndex(0), sources: sources.clone() };
        let mut decision = Decision::default();
        world.take_in(Input::Report { job, report }, &mut decision);
        let change = FileChange::Sources { index: FileIndex(0), sources: sources.clone() };
        assert_eq!(decision.take_batch().files, vec![(job, change); expected]);
    }
}

#[test]
fn another_remote_name_stops_what_goes_on_and_begins_it_again() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let remote_name = RemoteName::stored("http://o.test/f").expect("a name");
    let names = vec![(FileIndex(0), remote_name.clone())];
    let mut decision = Decision::default();
    let input = world.request(ANNA, Request::SetRemoteNames { job, names });
    world.take_in(input, &mut decision);
    let change = FileChange::RemoteName { index: FileIndex(0), remote_name, moved: true };
    let batch = decision.take_batch();
    assert_eq!(batch.files, [(job, change)]);
    let effects = world.write_batch(batch, decision);
    assert!(effects.contains(&Effect::Job { job, effect: job::Effect::Stop(Attempt(1)) }), "{effects:?}");
    assert_eq!(world.state(job), "queued");
    assert_eq!(world.grant(), [job]);
}

#[test]
fn a_whole_file_that_is_gone_or_rejected_is_fetched_again_when_the_owner_resumes() {
    for rejected in [false, true] {
        let mut world = World::new(Limits::default());
        let job = world.transferred(1);
        if rejected {
            let request = Request::SetValidation { job, file: FileIndex(0), valid: false };
            world.ask(ANNA, request).expect("said");
            assert_eq!(world.state(job), "error");
        } else {
            let input = world.request(ANNA, Request::Command { job, command: Command::Complete });
            world.turn(input);
            let lost = vec![FileIndex(0)];
            world.report(job, Report::Finalized { files: Vec::new(), lost, error: Some(an_error()) });
        }
        assert_eq!(world.written[&job].files_transferred, 0);
        world.command(job, Command::Resume).expect("resumed");
        assert_eq!(world.state(job), "queued");
    }
}

#[test]
fn a_file_that_its_owner_has_found_right_stays_as_it_is_and_is_known_to_be() {
    let mut world = World::new(Limits::default());
    let job = world.transferred(1);
    let before = world.written[&job].revision;
    let index = FileIndex(0);
    let input = world.request(ANNA, Request::SetValidation { job, file: index, valid: true });
    let mut decision = Decision::default();
    world.take_in(input, &mut decision);
    let batch = decision.take_batch();
    assert_eq!(batch.files, [(job, FileChange::Valid { index })]);
    let [JobChange { job: after, .. }] = batch.jobs.as_slice() else { panic!("one job has changed") };
    assert_eq!(after.state, State::Transferred);
    assert!(after.revision > before, "whoever watches the job sees that it has changed");

    for (stage, valid, expected) in [
        (Stage::Waiting, false, None),
        (Stage::Transferred, false, Some(false)),
        (Stage::Transferred, true, Some(true)),
        (Stage::Completed, false, Some(true)),
    ] {
        let NewFile { remote_name, local_name, .. } = a_file();
        let file = File { stage, valid, ..File::new(index, remote_name, local_name) };
        assert_eq!(file.validation(), expected, "{stage:?} {valid}");
    }
}

#[test]
fn some_properties_are_fixed_once_the_job_has_begun() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let set = |world: &mut World, change: PropertyChange| {
        let request =
            Request::SetProperties { job, expected: None, changes: vec![change], secrets: Vec::new() };
        world.ask(ANNA, request).map(|_| ()).map_err(|refusal| refusal.code().0)
    };
    assert_eq!(set(&mut world, PropertyChange::HighPerformance(true)), Err(0x8020_0061));
    assert_eq!(set(&mut world, PropertyChange::MaxDownloadSize(Bytes(0))), Err(0x8020_0063));
    assert_eq!(set(&mut world, PropertyChange::MaxDownloadSize(Bytes(7))), Ok(()));
    assert_eq!(set(&mut world, PropertyChange::DynamicContent(true)), Ok(()));
    world.command(job, Command::Resume).expect("resumed");
    assert_eq!(set(&mut world, PropertyChange::MaxDownloadSize(Bytes(8))), Err(0x8020_0062));
    assert_eq!(set(&mut world, PropertyChange::DynamicContent(false)), Err(0x8020_0062));
    assert_eq!(set(&mut world, PropertyChange::DynamicContent(true)), Ok(()));
}

#[test]
fn what_is_asked_for_of_a_job_on_demand_is_written_before_its_worker_hears_of_it() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let range = ByteRange { offset: Bytes(5), length: Some(Bytes(3)) };
    let file = FileIndex(0);
    let request = || Request::RequestRanges { job, file, ranges: vec![range] };
    let refused = world.ask(ANNA, request()).expect_err("it is not on demand");
    assert_eq!(refused.code(), Code::RANDOM_ACCESS_NOT_SUPPORTED);
    let changes = vec![PropertyChange::OnDemand(true)];
    world
        .ask(ANNA, Request::SetProperties { job, expected: None, changes, secrets: Vec::new() })
        .expect("set");
    let parts = NewFile { ranges: Ranges::new(vec![range]).expect("ranges"), ..a_file() };
    let refused = world.ask(ANNA, Request::AddFiles { job, files: vec![parts], credentials: Vec::new() });
    assert_eq!(refused.expect_err("parts of parts").code(), Code::RANDOM_ACCESS_NOT_SUPPORTED);

    // At rest it is only written.
    let input = world.request(ANNA, request());
    let mut decision = Decision::default();
    world.take_in(input, &mut decision);
    let batch = decision.take_batch();
    let change = FileChange::Requested { index: file, ranges: vec![range] };
    assert_eq!((batch.files, batch.jobs[0].job.demands), (vec![(job, change)], 1));
    world.ask(BEN, request()).expect_err("it is Anna's");

    // At work its worker is told, and how many demands there are with it.
    world.ask(ANNA, request()).expect("asked for");
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    let input = world.request(ANNA, Request::SetPosition { job, file, position: Bytes(7) });
    let told = world.turn(input).into_iter().find_map(|effect| match effect {
        Effect::Asked { attempt, demands, asked, .. } => Some((attempt, demands, asked)),
        _ => None,
    });
    let asked = Asked { file, ranges: Vec::new(), position: Some(Bytes(7)) };
    assert_eq!(told, Some((attempt, 2, asked)));

    // What has come is told to whoever watches; what an earlier attempt says is not taken in.
    let span = Span { from: Bytes(5), end: Bytes(8) };
    let filled = |attempt| Report::Filled { attempt, file, filled: Filled::of([span]), new: vec![span] };
    let tells = |effects: Vec<Effect>| {
        effects
            .into_iter()
            .any(|effect| matches!(effect, Effect::RangesTransferred { ranges, .. } if ranges == [span]))
    };
    assert!(!tells(world.report(job, filled(Attempt(attempt.0 - 1)))));
    world.report(job, Report::Connected { attempt });
    assert!(tells(world.report(job, filled(attempt))));
    world.report(job, Report::Satisfied { attempt, demands: 1 });
    assert_eq!(world.state(job), "queued", "more was asked for meanwhile");
    world.grant();
    world.report(job, Report::Satisfied { attempt: world.written[&job].attempt, demands: 2 });
    let view = world.queue.view(world.written[&job].clone(), crate::job::Progress::default());
    assert_eq!((world.state(job), view.wait), ("suspended", Some(WaitReason::Demand)));
}
