//! What the policy allows (`bits.md` §4), and the times after which the queue acts by itself.

use super::*;
use crate::access::Audience;
use crate::job::ClockChange;
use crate::policy::Policy;

const ROOT: Caller = Caller { uid: 0 };
const DAY: Duration = Duration::from_secs(86_400);

fn world(policy: Policy) -> World {
    World::new(Limits { policy, ..Limits::default() })
}

fn create(number: u8) -> Request {
    let properties = Box::new(Properties::named("a job".to_owned()).expect("a name"));
    Request::Create {
        id: JobId([number; 16]),
        properties,
        secrets: Vec::new(),
        files: Vec::new(),
        resume: false,
    }
}

fn add(job: JobId, count: usize) -> Request {
    Request::AddFiles { job, files: some_files(count), credentials: Vec::new() }
}

fn code(answer: Result<Answer, Refusal>) -> Option<Code> {
    answer.err().map(|refusal| refusal.code())
}

#[test]
fn one_job_more_than_a_user_or_the_machine_may_have_is_refused_and_nothing_is_made() {
    let mut world = world(Policy { jobs_per_user_max: 2, jobs_per_machine_max: 3, ..Policy::BUILT_IN });
    for number in [1, 2] {
        assert_eq!(code(world.ask(ANNA, create(number))), None);
    }
    assert_eq!(code(world.ask(ANNA, create(3))), Some(Code::TOO_MANY_JOBS_PER_USER));
    assert_eq!(code(world.ask(ANNA, create(1))), None, "asking again for one that is there");
    assert_eq!(code(world.ask(BEN, create(4))), None);
    assert_eq!(code(world.ask(BEN, create(5))), Some(Code::TOO_MANY_JOBS_PER_MACHINE));
    assert_eq!(world.written.len(), 3);
    // A job that is over makes room, for its owner and for all.
    let cancel = world.request(ANNA, Request::Command { job: JobId([1; 16]), command: Command::Cancel });
    world.turn(cancel);
    assert_eq!(code(world.ask(BEN, create(5))), None);
    assert_eq!(code(world.ask(ANNA, create(6))), Some(Code::TOO_MANY_JOBS_PER_MACHINE));
}

#[test]
fn jobs_that_are_there_when_a_service_starts_count() {
    let mut world = world(Policy { jobs_per_user_max: 2, ..Policy::BUILT_IN });
    for owner in [ANNA, ANNA, BEN] {
        world.queue.counts(Owner(owner.uid), 1);
    }
    assert_eq!(code(world.ask(ANNA, create(1))), Some(Code::TOO_MANY_JOBS_PER_USER));
    assert_eq!(code(world.ask(BEN, create(1))), None);
}

#[test]
fn a_job_that_could_not_be_written_takes_no_room() {
    let mut world = world(Policy { jobs_per_user_max: 1, ..Policy::BUILT_IN });
    let input = world.request(ANNA, create(1));
    let mut decision = Decision::default();
    world.take_in(input, &mut decision);
    world.queue.revert(decision);
    assert_eq!(code(world.ask(ANNA, create(1))), None);
    assert_eq!(code(world.ask(ANNA, create(2))), Some(Code::TOO_MANY_JOBS_PER_USER));
}

#[test]
fn files_beyond_the_limit_are_refused_all_together() {
    let mut world = world(Policy { files_per_job_max: 3, ..Policy::BUILT_IN });
    let job = JobId([1; 16]);
    world.ask(ANNA, create(1)).expect("made");
    assert_eq!(code(world.ask(ANNA, add(job, 2))), None);
    assert_eq!(code(world.ask(ANNA, add(job, 2))), Some(Code::TOO_MANY_FILES_IN_JOB));
    assert_eq!(world.written[&job].files_total, 2);
    assert_eq!(code(world.ask(ANNA, add(job, 1))), None);
    let import = |number| Request::Create {
        id: JobId([number; 16]),
        properties: Box::new(Properties::named("a job".to_owned()).expect("a name")),
        files: some_files(4),
        secrets: Vec::new(),
        resume: false,
    };
    assert_eq!(code(world.ask(ANNA, import(2))), Some(Code::TOO_MANY_FILES_IN_JOB));
    assert_eq!(world.written.len(), 1);
}

#[test]
fn ranges_beyond_the_limit_are_refused_with_all_files_of_the_call() {
    let mut world = world(Policy { ranges_per_file_max: 2, ..Policy::BUILT_IN });
    let job = JobId([1; 16]);
    world.ask(ANNA, create(1)).expect("made");
    let with = |count: u64| {
        let ranges = (0..count).map(|n| ByteRange { offset: Bytes(2 * n), length: Some(Bytes(1)) });
        NewFile { ranges: Ranges::new(ranges.collect()).expect("ranges"), ..a_file() }
    };
    let add = |files| Request::AddFiles { job, files, credentials: Vec::new() };
    let refused = world.ask(ANNA, add(vec![with(2), with(3)]));
    assert_eq!(code(refused), Some(Code::TOO_MANY_RANGES_IN_FILE));
    assert_eq!(world.written[&job].files_total, 0);
    assert_eq!(code(world.ask(ANNA, add(vec![with(2)]))), None);
}

#[test]
fn no_limit_binds_an_administrator() {
    let none =
        Policy { jobs_per_user_max: 0, jobs_per_machine_max: 0, files_per_job_max: 0, ..Policy::BUILT_IN };
    let mut world = world(none);
    world.queue = Queue::new(Limits { policy: none, ..Limits::default() }).serving(Audience::Machine);
    assert_eq!(code(world.ask(ROOT, create(1))), None);
    assert_eq!(code(world.ask(ROOT, add(JobId([1; 16]), 3))), None);
    assert_eq!(code(world.ask(ANNA, create(2))), Some(Code::TOO_MANY_JOBS_PER_USER));
}

#[test]
fn limits_as_in_bits_are_one_name() {
    let mut world = world(Policy::OF_BITS);
    for number in 0..60 {
        assert_eq!(code(world.ask(ANNA, create(number))), None, "{number}");
    }
    assert_eq!(code(world.ask(ANNA, create(60))), Some(Code::TOO_MANY_JOBS_PER_USER));
    assert_eq!(code(world.ask(ANNA, add(JobId([0; 16]), 201))), Some(Code::TOO_MANY_FILES_IN_JOB));
    assert_eq!(code(world.ask(ANNA, add(JobId([0; 16]), 200))), None);
}

#[test]
fn a_job_is_woken_for_when_its_time_to_download_is_over() {
    let mut world = world(Policy { maximum_download_time: DAY, ..Policy::BUILT_IN });
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    assert_eq!(world.queue.next_wake(), None, "it does not run");
    world.grant();
    assert_eq!(world.queue.next_wake(), Some(world.now + DAY));
    assert_eq!(world.queue.next_due(world.now), None);

    // Two days are given while it runs; one of them is taken by sleep, which counts.
    let changes = vec![PropertyChange::MaximumDownloadTime(Some(2 * DAY))];
    let change = Request::SetProperties { job, expected: None, changes, secrets: Vec::new() };
    world.ask(ANNA, change).expect("changed");
    world.now = world.now + DAY;
    assert_eq!(world.queue.next_due(world.now), None);
    world.now = world.now + DAY;
    let due = world.queue.next_due(world.now).expect("its time is over");
    world.turn(Input::Due { job: due });
    assert_eq!(world.state(job), "error");
    assert_eq!(world.written[&job].error.as_ref().expect("an error").code, Code::MAXIMUM_DOWNLOAD_TIME);
    assert_eq!((world.queue.next_due(world.now), world.queue.next_wake()), (None, None));
}

#[test]
fn another_time_to_download_holds_for_jobs_that_run_but_not_for_those_that_say_it_themselves() {
    let with = |maximum_download_time| Limits {
        policy: Policy { maximum_download_time, ..Policy::BUILT_IN },
        ..Limits::default()
    };
    let mut world = world(with(DAY).policy);
    let [plain, own] = [1, 2].map(|number| world.add_job(number, Priority::Normal));
    let changes = vec![PropertyChange::MaximumDownloadTime(Some(3 * DAY))];
    let change = Request::SetProperties { job: own, expected: None, changes, secrets: Vec::new() };
    world.ask(ANNA, change).expect("changed");
    for job in [plain, own] {
        world.command(job, Command::Resume).expect("resumed");
        world.grant();
    }
    let begun = world.now;
    let look = |world: &mut World| {
        while let Some(job) = world.queue.next_due(world.now) {
            world.turn(Input::Due { job });
        }
        (world.state(plain), world.state(own), world.queue.next_wake())
    };
    // More than there was, the same, and less; those that run are looked at without a word of theirs.
    for (most, ends) in [(2 * DAY, 2 * DAY), (2 * DAY, 2 * DAY), (4 * DAY, 3 * DAY), (DAY / 2, DAY / 2)] {
        world.queue.set_limits(with(most), usize::MAX);
        assert_eq!(look(&mut world), ("connecting", "connecting", Some(begun + ends)), "{most:?}");
    }
    // It has run for longer already.
    world.now = begun + DAY / 4;
    world.queue.set_limits(with(DAY / 8), usize::MAX);
    assert_eq!(look(&mut world), ("error", "connecting", Some(begun + 3 * DAY)));
    assert_eq!(world.written[&plain].error.as_ref().expect("an error").code, Code::MAXIMUM_DOWNLOAD_TIME);
}

#[test]
fn an_end_of_time_that_could_not_be_written_comes_again() {
    let mut world = world(Policy { maximum_download_time: DAY, ..Policy::BUILT_IN });
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    world.now = world.now + DAY;
    let mut decision = Decision::default();
    world.take_in(Input::Due { job }, &mut decision);
    world.queue.revert(decision);
    assert_eq!(world.queue.next_due(world.now), Some(job));
    world.turn(Input::Due { job });
    assert_eq!(world.state(job), "error");
}

#[test]
fn a_clock_that_is_set_ends_no_jobs_time() {
    for change in [ClockChange::Forward(400 * DAY), ClockChange::Back(10 * DAY)] {
        let mut world = world(Policy { maximum_download_time: DAY, ..Policy::BUILT_IN });
        world.now = Timestamp(1_760_000_000_000);
        let job = world.add_job(1, Priority::Normal);
        world.command(job, Command::Resume).expect("resumed");
        world.grant();
        world.now = change.moved(world.now);
        world.queue.clock_was_set(change);
        world.turn(Input::ClockSet { job, change });
        assert_eq!(world.queue.next_due(world.now), None, "{change:?}");
        assert_eq!(world.queue.next_wake(), Some(world.now + DAY), "{change:?}");
        assert!(!world.queue.is_abandoned(world.written[&job].active_at, world.now), "{change:?}");
        world.turn(Input::Abandoned { job });
        assert_eq!(world.state(job), "connecting", "{change:?}");
    }
}

#[test]
fn a_job_that_nobody_has_cared_for_is_cancelled_and_leaves_nothing() {
    let mut world = world(Policy { job_inactivity_timeout: Some(90 * DAY), ..Policy::BUILT_IN });
    let job = world.add_job(1, Priority::Normal);
    let begun = world.now;
    world.now = begun + 89 * DAY;
    world.turn(Input::Abandoned { job });
    assert_eq!(world.state(job), "suspended", "too early");
    // What its owner does begins the time anew.
    let changes = vec![PropertyChange::Description("mine".to_owned())];
    let change = Request::SetProperties { job, expected: None, changes, secrets: Vec::new() };
    world.ask(ANNA, change).expect("changed");
    world.now = begun + 91 * DAY;
    world.turn(Input::Abandoned { job });
    assert_eq!(world.state(job), "suspended");
    world.now = begun + 179 * DAY;
    assert!(world.queue.is_abandoned(world.written[&job].active_at, world.now));
    let effects = world.turn(Input::Abandoned { job });
    assert_eq!(world.state(job), "cancelled");
    assert!(effects.contains(&Effect::Job { job, effect: job::Effect::DiscardFiles }), "{effects:?}");
    let told = "cancelled: nothing has happened to it for 90 days".to_owned();
    assert!(effects.contains(&Effect::Note { job, text: told }), "{effects:?}");
    world.report(job, Report::Discarded { leftover: None });
    assert!(!world.written[&job].discard_pending);

    let mut patient = self::world(Policy { job_inactivity_timeout: None, ..Policy::BUILT_IN });
    let job = patient.add_job(1, Priority::Normal);
    patient.now = patient.now + 10_000 * DAY;
    patient.turn(Input::Abandoned { job });
    assert_eq!(patient.state(job), "suspended", "where there is no such time-out");
}

#[test]
fn other_limits_hold_at_once_for_who_waits_and_for_what_comes() {
    use crate::conditions::{Conditions, Hold, OnBattery, Power, Rules};

    let mut world = World::new(Limits::default());
    let on_battery = Conditions { power: Power::Battery, ..Conditions::default() };
    world.queue.change_conditions(on_battery, world.now, usize::MAX);
    let [runs, waits] = [1, 2].map(|number| {
        let job = world.add_job(number, Priority::Normal);
        world.command(job, Command::Resume).expect("resumed");
        job
    });
    let one = Limits { background_jobs_max: 1, ..Limits::default() };
    assert_eq!(world.queue.set_limits(one, usize::MAX), []);
    assert_eq!(world.grant(), [runs]);

    let policy = Policy { jobs_per_user_max: 2, ..Policy::BUILT_IN };
    let notify = crate::notify::NotifyLimits { commands: false, ..Default::default() };
    let rules = Rules { on_battery: OnBattery::Wait, ..Rules::default() };
    let changed = world.queue.set_limits(Limits { policy, notify, rules, ..one }, usize::MAX);
    assert_eq!(changed, [waits]);
    let view = world.queue.view(world.written[&waits].clone(), job::Progress::default());
    assert_eq!(view.wait, Some(WaitReason::Conditions(Hold::Power)));
    assert_eq!(world.queue.next_halt(), Some(runs), "and who runs is to stop");

    let refused = world.ask(ANNA, create(3)).expect_err("there may be two");
    assert_eq!(refused.code(), Code::TOO_MANY_JOBS_PER_USER);
    assert_eq!(world.queue.set_limits(one, usize::MAX), [waits], "and back");
}

#[test]
fn a_job_that_waits_for_a_connection_says_so_and_its_time_to_download_does_not_pass() {
    let hour = Duration::from_secs(3600);
    let mut world = world(Policy { maximum_download_time: hour, ..Policy::BUILT_IN });
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    let view = |world: &World| world.queue.view(world.written[&job].clone(), job::Progress::default()).wait;
    let awaits = |limit| Report::AwaitsConnection { attempt, limit };

    world.now = world.now + hour / 2;
    world.report(job, awaits(Some(ConnectionLimit::Host)));
    assert_eq!(world.state(job), "connecting");
    assert_eq!(view(&world), Some(WaitReason::Connections(ConnectionLimit::Host)));
    assert_eq!(world.queue.next_wake(), None, "nothing ends it");
    world.now = world.now + 10 * hour;
    assert_eq!(world.queue.next_due(world.now), None);
    world.command(job, Command::Resume).expect("it runs");
    assert_eq!(world.queue.next_wake(), None, "it waits all the same");

    world.report(job, awaits(None));
    assert_eq!(view(&world), None);
    assert_eq!(world.queue.next_wake(), Some(world.now + hour), "its owner has begun the time anew");

    world.report(job, awaits(Some(ConnectionLimit::Total)));
    world.command(job, Command::Suspend).expect("suspended");
    world.report(job, awaits(None));
    assert_eq!((world.state(job), view(&world)), ("suspended", None));
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    world.report(job, awaits(Some(ConnectionLimit::Total)));
    assert_eq!(view(&world), None, "that was the attempt before");
}

#[test]
fn a_worker_that_says_again_that_it_waits_for_a_connection_has_nothing_written() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    // Whether it is written, and then taken back and said once more where nothing could be.
    let mut says = |limit, is_full: bool| {
        world.now = world.now + Duration::from_secs(1);
        let report = Input::Report { job, report: Report::AwaitsConnection { attempt, limit } };
        let mut decision = Decision::default();
        if is_full {
            world.take_in(report.clone(), &mut decision);
            world.queue.revert(core::mem::take(&mut decision));
        }
        world.take_in(report, &mut decision);
        let batch = decision.take_batch();
        let is_written = !batch.is_empty();
        world.write_batch(batch, decision);
        is_written
    };
    let (host, total) = (Some(ConnectionLimit::Host), Some(ConnectionLimit::Total));
    for (limit, is_full, is_written) in [
        (None, false, false),
        (host, true, true),
        (host, false, false),
        (host, true, false),
        // Whoever watches the job is to hear of that.
        (total, false, true),
        (total, false, false),
        (None, true, true),
        (None, false, false),
    ] {
        assert_eq!(says(limit, is_full), is_written, "{limit:?} {is_full}");
    }
}

#[test]
fn what_a_turn_decides_of_files_is_in_the_order_of_their_jobs_and_of_each_as_it_was_decided() {
    let mut world = World::new(Limits::default());
    let [first, second] = [1, 2].map(|number| world.add_job(number, Priority::Normal));
    let mut decision = Decision::default();
    for (number, job) in [second, first, second, first, first].into_iter().enumerate() {
        let files = vec![a_file_at(&format!("/tmp/{number}"))];
        let add = world.request(ANNA, Request::AddFiles { job, files, credentials: Vec::new() });
        world.take_in(add, &mut decision);
    }
    let batch = decision.take_batch();
    let added = |job| -> Vec<String> {
        let of_job = batch.files_of(job).map(|change| match change {
            FileChange::Add(file) => file.local_name.as_str().to_owned(),
            other => panic!("{other:?}"),
        });
        of_job.collect()
    };
    assert_eq!(added(first), ["/tmp/1", "/tmp/3", "/tmp/4"]);
    assert_eq!(added(second), ["/tmp/0", "/tmp/2"]);
    assert_eq!(batch.files.len(), 5);
    assert_eq!(batch.job(second).map(|change| change.job.files_total), Some(3));
    assert!(batch.job(JobId([3; 16])).is_none() && batch.files_of(JobId([3; 16])).next().is_none());
}
