//! What is to be told of jobs: when, how many at a time, and who hears first.

use super::*;
use crate::notify::{Channel, Happened, NotifyCommand, NotifyLimits};

const CALLBACK: PresenceId = PresenceId(7);

impl World {
    /// A TRANSFERRED job with a command.
    fn add_told_job(&mut self, number: u8) -> JobId {
        let job = self.add_job(number, Priority::Normal);
        self.set(job, PropertyChange::NotifyCommand(Some(command())));
        self.finish(job);
        job
    }

    fn set(&mut self, job: JobId, change: PropertyChange) {
        let request =
            Request::SetProperties { job, expected: None, changes: vec![change], secrets: Vec::new() };
        self.ask(ANNA, request).expect("set");
    }

    fn finish(&mut self, job: JobId) {
        self.command(job, Command::Resume).expect("resumed");
        self.grant();
        let attempt = self.written[&job].attempt;
        self.report(job, Report::Connected { attempt });
        self.report(job, Report::FileTransferred { attempt, file: FileIndex(0), size: Bytes(3) });
        self.report(job, Report::FilesTransferred { attempt });
    }

    /// Tells all that is due; which jobs that were.
    fn tell(&mut self) -> Vec<(JobId, u32)> {
        let mut told = Vec::new();
        while let Some((job, number)) = self.queue.next_notice(self.now) {
            let effects = self.turn(Input::Tell { job, number });
            if effects.contains(&Effect::Tell { job, number }) {
                told.push((job, number));
            }
        }
        told
    }

    fn told(&mut self, job: JobId, number: u32, outcome: Result<(), &str>) -> Vec<Effect> {
        self.report(job, Report::Told { number, outcome: outcome.map_err(str::to_owned) })
    }

    fn pending(&self, job: JobId) -> usize {
        self.written[&job].outbox.pending.len()
    }
}

fn command() -> NotifyCommand {
    NotifyCommand { program: "/bin/true".to_owned(), arguments: Vec::new() }
}

#[test]
fn a_notice_is_told_once_and_again_only_when_it_was_not_heard() {
    let mut world = World::new(Limits::default());
    let job = world.add_told_job(1);
    assert_eq!(world.tell(), [(job, 1)]);
    assert_eq!(world.tell(), [], "it is under way");
    let effects = world.told(job, 1, Err("exit code 1"));
    let Some(Effect::Note { text, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(text, "the notification command for transferred: exit code 1; it is tried again in 1 s");
    assert_eq!(world.tell(), []);
    world.now = world.queue.next_wake().expect("it is tried again");
    assert_eq!(world.tell(), [(job, 1)]);
    world.told(job, 1, Ok(()));
    assert_eq!((world.pending(job), world.queue.next_wake(), world.tell()), (0, None, vec![]));
    assert!(!world.queue.has_notices());
    world.told(job, 1, Err("late"));
    assert_eq!(world.written[&job].outbox.failure, None, "it was heard already");
}

#[test]
fn so_many_of_one_owner_are_under_way_at_a_time() {
    let notify = NotifyLimits { at_once_max: 2, ..NotifyLimits::default() };
    let mut world = World::new(Limits { notify, ..Limits::default() });
    let jobs: Vec<JobId> = (1..=4).map(|number| world.add_told_job(number)).collect();
    assert_eq!(world.tell(), [(jobs[0], 1), (jobs[1], 1)]);
    assert_eq!(world.queue.next_wake(), None, "nothing to wake for until one ends");
    world.told(jobs[1], 1, Ok(()));
    assert_eq!(world.tell(), [(jobs[2], 1)]);
    world.told(jobs[0], 1, Ok(()));
    assert_eq!(world.tell(), [(jobs[3], 1)]);
}

#[test]
fn what_could_not_be_written_is_told_later_and_not_lost() {
    let mut world = World::new(Limits::default());
    let job = world.add_told_job(1);
    let (id, number) = world.queue.next_notice(world.now).expect("it is due");
    let mut decision = Decision::default();
    world.take_in(Input::Tell { job: id, number }, &mut decision);
    assert_eq!(world.queue.next_notice(world.now), None);
    world.queue.revert(decision);
    assert_eq!(world.tell(), [(job, 1)]);
    let mut decision = Decision::default();
    world.take_in(Input::Report { job, report: Report::Told { number, outcome: Ok(()) } }, &mut decision);
    world.queue.revert(decision);
    assert_eq!(world.tell(), [], "it is still under way, and the report is taken in again");
    world.told(job, 1, Ok(()));
    assert_eq!(world.pending(job), 0);
}

#[test]
fn a_service_that_is_started_again_tells_what_was_not_heard() {
    let mut world = World::new(Limits::default());
    let job = world.add_told_job(1);
    assert_eq!(world.tell(), [(job, 1)]);
    let mut decision = Decision::default();
    world.queue = Queue::new(Limits::default());
    world.queue.adopt(world.written[&job].clone(), world.now, &mut decision);
    world.write(decision);
    assert_eq!(world.tell(), [(job, 1)]);
}

#[test]
fn a_callback_hears_first_and_a_command_runs_when_it_does_not() {
    for (is_heard, is_run) in [(Some(true), false), (Some(false), true), (None, true)] {
        let mut world = World::new(Limits::default());
        let job = world.add_job(1, Priority::Normal);
        world.set(job, PropertyChange::NotifyCommand(Some(command())));
        world.queue.came(CALLBACK, Presence::Callback(job));
        world.finish(job);
        assert!(world.written[&job].outbox.pending[0].offered);
        assert_eq!((world.tell(), world.queue.next_wake()), (vec![], None), "the callback hears of it");
        match is_heard {
            Some(is_heard) => {
                let happened = Happened::Transferred;
                world.ask(ANNA, Request::Heard { job, happened, is_heard }).expect("taken note of");
            }
            None => {
                world.queue.left(CALLBACK, world.now);
                assert_eq!(world.tell(), [], "it may return");
                world.now = world.queue.next_wake().expect("not for long");
            }
        }
        let expected = if is_run { vec![(job, 1)] } else { vec![] };
        assert_eq!(world.tell(), expected, "{is_heard:?}");
    }
}

#[test]
fn a_callback_may_return_after_a_start_before_the_command_runs() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.set(job, PropertyChange::NotifyCommand(Some(command())));
    world.queue.came(CALLBACK, Presence::Callback(job));
    world.finish(job);
    let mut decision = Decision::default();
    world.queue = Queue::new(Limits::default());
    world.queue.adopt(world.written[&job].clone(), world.now, &mut decision);
    world.write(decision);
    assert_eq!(world.tell(), []);
    world.now = world.queue.next_wake().expect("it is not waited for long");
    assert_eq!(world.tell(), [(job, 1)]);
}

#[test]
fn a_webhook_asks_no_callback_and_outlives_the_job_with_its_secret() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let url = RemoteName::parse("https://h.test/").expect("a URL").0;
    world.set(job, PropertyChange::Webhook(Some(url)));
    world.queue.came(CALLBACK, Presence::Callback(job));
    world.finish(job);
    assert_eq!(world.written[&job].outbox.pending[0].channel, Channel::Webhook);
    assert_eq!(world.tell(), [(job, 1)]);
    let complete = world.request(ANNA, Request::Command { job, command: Command::Complete });
    world.turn(complete);
    let mut decision = Decision::default();
    let files = vec![FileIndex(0)];
    let report = Report::Finalized { files, lost: Vec::new(), error: None };
    world.take_in(Input::Report { job, report }, &mut decision);
    let batch = decision.take_batch();
    assert_eq!(batch.secrets, [(job, SecretChange::RemoveAllButWebhook)]);
    for change in batch.jobs {
        world.written.insert(job, change.job);
    }
    let mut decision = Decision::default();
    let report = Report::Told { number: 1, outcome: Ok(()) };
    world.take_in(Input::Report { job, report }, &mut decision);
    assert_eq!(decision.take_batch().secrets, [(job, SecretChange::Remove(SecretSlot::Webhook))]);
}

#[test]
fn what_is_still_to_be_told_of_a_job_that_is_over_moves_along_with_the_clock() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.set(job, PropertyChange::Webhook(Some(RemoteName::parse("https://h.test/").expect("a URL").0)));
    world.finish(job);
    let complete = world.request(ANNA, Request::Command { job, command: Command::Complete });
    world.turn(complete);
    world.report(job, Report::Finalized { files: vec![FileIndex(0)], lost: Vec::new(), error: None });
    assert!(world.written[&job].state.is_final());
    let due = world.written[&job].outbox.pending[0].due;
    let hour = Duration::from_secs(3600);
    world.turn(Input::ClockSet { job, change: ClockChange::Forward(hour) });
    assert_eq!(world.written[&job].outbox.pending[0].due, due + hour);
}

#[test]
fn a_change_of_the_job_makes_nobody_wait_for_a_clock_that_was_set_back_while_no_service_ran() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.set(job, PropertyChange::Webhook(Some(RemoteName::parse("https://h.test/").expect("a URL").0)));
    world.finish(job);
    // Another service finds it, by a clock that is a year behind.
    let (written, year) = (world.written[&job].clone(), Duration::from_secs(365 * 86_400));
    let now = Timestamp(world.now.0.saturating_add(1));
    let mut later = World::new(Limits::default());
    let mut ahead = written;
    ahead.outbox.pending[0].due = now + year;
    later.now = now;
    let mut decision = Decision::default();
    later.queue.adopt(ahead.clone(), now, &mut decision);
    later.written.insert(job, ahead);
    later.set(job, PropertyChange::Description("another".to_owned()));
    assert!(later.queue.next_notice_due().is_some_and(|due| due <= now + crate::notify::RETRY_DELAY_MAX));
}

#[test]
fn a_service_that_forbids_commands_takes_none_and_runs_none() {
    let mut world = World::new(Limits::default());
    let job = world.add_told_job(1);
    let notify = NotifyLimits { commands: false, ..NotifyLimits::default() };
    world.queue = Queue::new(Limits { notify, ..Limits::default() });
    let mut decision = Decision::default();
    world.queue.adopt(world.written[&job].clone(), world.now, &mut decision);
    world.write(decision);
    assert_eq!(world.tell(), []);
    let failure = world.written[&job].outbox.failure.clone().expect("it is said why");
    assert!(failure.contains("notify_commands"), "{failure}");
    let change = PropertyChange::NotifyCommand(Some(command()));
    let request = Request::SetProperties { job, expected: None, changes: vec![change], secrets: Vec::new() };
    assert_eq!(world.ask(ANNA, request), Err(Refusal::CommandsForbidden));
    let mut properties = Properties::named("n".to_owned()).expect("a name");
    properties.notify.command = Some(command());
    let id = JobId([9; 16]);
    let request = Request::Create {
        id,
        properties: Box::new(properties),
        secrets: Vec::new(),
        files: Vec::new(),
        resume: false,
    };
    assert_eq!(world.ask(ANNA, request), Err(Refusal::CommandsForbidden));
}

#[test]
fn who_sets_a_command_is_in_the_log_once() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    let mut notes = |change| {
        let request =
            Request::SetProperties { job, expected: None, changes: vec![change], secrets: Vec::new() };
        let input = world.request(ANNA, request);
        let note = |effect| if let Effect::Note { text, .. } = effect { Some(text) } else { None };
        world.turn(input).into_iter().filter_map(note).collect::<Vec<_>>()
    };
    let set = PropertyChange::NotifyCommand(Some(command()));
    assert_eq!(notes(set.clone()), [r#"the notification command is "/bin/true" with []"#]);
    assert_eq!(notes(set), [] as [&str; 0]);
    assert_eq!(notes(PropertyChange::NotifyCommand(None)), ["the notification command was taken away"]);
}

#[test]
fn nobody_says_of_a_job_of_somebody_else_what_was_heard() {
    let mut world = World::new(Limits::default());
    let job = world.add_told_job(1);
    let request = Request::Heard { job, happened: Happened::Transferred, is_heard: true };
    assert!(matches!(world.ask(BEN, request), Err(Refusal::AccessDenied { .. } | Refusal::NotFound { .. })));
    assert_eq!(world.pending(job), 1);
}
