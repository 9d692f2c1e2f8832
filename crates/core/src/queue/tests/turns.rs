//! Whose turn it is, and for how long: scenarios, and a day of thousands of jobs in a second.

use alloc::collections::BTreeMap;
use alloc::vec;
use core::time::Duration;

use super::*;
use crate::job::Progress;
use crate::pacing::rate::Rate;
use crate::policy::Policy;

const CARLA: Caller = Caller { uid: 1002 };
const SLICE: Duration = Duration::from_secs(60);

fn one_at_a_time() -> Limits {
    Limits { foreground_jobs_max: 1, background_jobs_max: 1, time_slice: SLICE, ..Limits::default() }
}

impl World {
    /// A job of `caller` that is resumed, with a file of `host`.
    fn queued(&mut self, caller: Caller, number: u8, priority: Priority, host: &str) -> JobId {
        self.queued_with_mirrors(caller, number, priority, host, &[])
    }

    /// The same with a file that `mirrors` have too.
    fn queued_with_mirrors(
        &mut self,
        caller: Caller,
        number: u8,
        priority: Priority,
        host: &str,
        mirrors: &[&str],
    ) -> JobId {
        let id = JobId([number; 16]);
        let mut properties = Properties::named("a job".to_owned()).expect("a name");
        properties.priority = priority;
        let create = Request::Create {
            id,
            properties: Box::new(properties),
            secrets: Vec::new(),
            files: Vec::new(),
            resume: false,
        };
        self.ask(caller, create).expect("created");
        let at = |host: &str| RemoteName::parse(&format!("http://{host}/f")).expect("a name").0;
        let mirrors = mirrors.iter().map(|mirror| at(mirror)).collect();
        let sources = Sources::given(&at(host), None, mirrors, None).expect("they are mirrors");
        let files = vec![NewFile { remote_name: at(host), sources, ..a_file() }];
        self.ask(caller, Request::AddFiles { job: id, files, credentials: Vec::new() }).expect("added");
        self.now.0 += 1;
        self.ask(caller, Request::Command { job: id, command: Command::Resume }).expect("resumed");
        id
    }

    /// Lets jobs give up their turns and others have them, as an engine does; who has had one.
    fn rotate(&mut self) -> Vec<JobId> {
        let mut granted = Vec::new();
        loop {
            if let Some(job) = self.queue.next_runnable() {
                self.turn(Input::Grant { job });
                granted.push(job);
            } else if let Some(job) = self.queue.next_yield(self.now) {
                let attempt = self.written[&job].attempt;
                let effects = self.turn(Input::Yield { job });
                assert!(effects.contains(&Effect::Job { job, effect: job::Effect::Stop(attempt) }));
            } else {
                return granted;
            }
        }
    }

    /// The server has answered; a version that can be resumed, or one that cannot.
    fn begins(&mut self, job: JobId, is_resumable: bool) {
        let attempt = self.written[&job].attempt;
        self.report(job, Report::Connected { attempt });
        self.report(
            job,
            Report::Version {
                attempt,
                file: FileIndex(0),
                size: None,
                validator: Validator { etag: is_resumable.then(|| "\"v\"".to_owned()), last_modified: None },
                served: Served::default(),
                boot: BootId([0; 16]),
                partial: PartialId { device: 1, inode: 1 },
            },
        );
    }

    fn ends(&mut self, job: JobId) {
        let attempt = self.written[&job].attempt;
        self.report(job, Report::Connected { attempt });
        self.report(job, Report::FileTransferred { attempt, file: FileIndex(0), size: Bytes(1) });
        self.report(job, Report::FilesTransferred { attempt });
    }
}

#[test]
fn a_job_that_has_had_its_time_lets_another_of_its_priority_have_its_turn() {
    let mut world = World::new(one_at_a_time());
    let first = world.queued(ANNA, 1, Priority::Normal, "h.test");
    assert_eq!(world.rotate(), [first]);
    world.begins(first, true);
    let second = world.queued(ANNA, 2, Priority::Normal, "h.test");
    assert_eq!(world.rotate(), [], "its time is not over");
    let slice_ends = world.queue.next_wake().expect("a time to wake");

    world.now = Timestamp(slice_ends.0 - 1);
    assert_eq!(world.rotate(), []);
    world.now = slice_ends;
    assert_eq!(world.rotate(), [second]);
    assert_eq!((world.state(first), world.state(second)), ("queued", "connecting"));

    world.now = world.queue.next_wake().expect("a time to wake");
    assert_eq!(world.rotate(), [first], "and back");
}

#[test]
fn a_job_for_whose_turn_nobody_waits_goes_on_and_nothing_wakes_for_it() {
    let mut world = World::new(one_at_a_time());
    let job = world.queued(ANNA, 1, Priority::Normal, "h.test");
    let end = world.now + Policy::BUILT_IN.maximum_download_time;
    world.rotate();
    world.begins(job, true);
    world.queued(ANNA, 2, Priority::Low, "h.test");
    assert_eq!(world.queue.next_wake(), Some(end), "a lower priority has no turn before it is done");
    world.now = world.now + 10 * SLICE;
    assert_eq!(world.rotate(), []);
}

#[test]
fn a_job_that_would_lose_what_has_come_is_not_stopped_for_one_of_its_own_priority() {
    let mut world = World::new(one_at_a_time());
    let job = world.queued(ANNA, 1, Priority::Normal, "h.test");
    world.rotate();
    world.begins(job, false);
    let other = world.queued(ANNA, 2, Priority::Normal, "h.test");
    world.now = world.now + 10 * SLICE;
    assert_eq!(world.rotate(), []);

    let attempt = world.written[&job].attempt;
    world.report(job, Report::FileTransferred { attempt, file: FileIndex(0), size: Bytes(1) });
    assert_eq!(world.rotate(), [other], "between two files nothing is lost");
}

#[test]
fn a_higher_priority_takes_a_turn_at_once_from_who_loses_least() {
    let mut world = World::new(Limits { background_jobs_max: 3, ..one_at_a_time() });
    let loses = world.queued(ANNA, 1, Priority::Low, "h.test");
    let keeps = world.queued(ANNA, 2, Priority::Low, "h.test");
    let normal = world.queued(ANNA, 3, Priority::Normal, "h.test");
    world.rotate();
    world.begins(loses, false);
    world.begins(keeps, true);
    world.begins(normal, true);

    let high = world.queued(ANNA, 4, Priority::High, "h.test");
    assert_eq!(world.rotate(), [high]);
    assert_eq!(world.state(keeps), "queued");
    let another = world.queued(ANNA, 5, Priority::High, "h.test");
    assert_eq!(world.rotate(), [another]);
    assert_eq!((world.state(loses), world.state(normal)), ("queued", "transferring"));
    let view = world.queue.view(world.written[&keeps].clone(), job::Progress::default());
    assert_eq!(view.wait, Some(WaitReason::Queued { ahead: 1 }), "the other one was queued before it");
}

#[test]
fn a_priority_that_is_lowered_or_raised_acts_at_once() {
    let mut world = World::new(one_at_a_time());
    let running = world.queued(ANNA, 1, Priority::Normal, "h.test");
    world.rotate();
    world.begins(running, true);
    let waits = world.queued(ANNA, 2, Priority::Normal, "h.test");
    let set = |job, priority| Request::SetProperties {
        job,
        expected: None,
        changes: vec![PropertyChange::Priority(priority)],
        secrets: Vec::new(),
    };
    world.ask(ANNA, set(running, Priority::Low)).expect("set");
    assert_eq!(world.rotate(), [waits]);
    world.ask(ANNA, set(running, Priority::High)).expect("set");
    assert_eq!(world.rotate(), [running]);
}

#[test]
fn owners_have_their_turns_one_after_another_however_many_jobs_they_have() {
    let mut world = World::new(one_at_a_time());
    for number in 1..=6 {
        world.queued(ANNA, number, Priority::Normal, "h.test");
    }
    let bens = [10, 11].map(|number| world.queued(BEN, number, Priority::Normal, "h.test"));
    let carlas = world.queued(CARLA, 20, Priority::Normal, "h.test");
    let mut order = Vec::new();
    while let [job] = world.rotate()[..] {
        order.push(job);
        world.ends(job);
    }
    let place = |job| order.iter().position(|done| *done == job).expect("it had a turn");
    assert_eq!(order.len(), 9);
    assert!(place(bens[0]) <= 2 && place(carlas) <= 3 && place(bens[1]) <= 5, "{order:?}");
}

#[test]
fn hosts_of_an_owner_have_their_turns_one_after_another() {
    let mut world = World::new(Limits { background_jobs_max: 2, ..one_at_a_time() });
    let slow = [1, 2, 3].map(|number| world.queued(ANNA, number, Priority::Normal, "slow.test"));
    let other = world.queued(ANNA, 4, Priority::Normal, "other.test");
    assert_eq!(world.rotate(), [slow[0], other], "the last one that came does not wait for the slow host");
}

#[test]
fn a_turn_that_was_given_up_and_cannot_be_written_is_still_held() {
    let mut world = World::new(one_at_a_time());
    let first = world.queued(ANNA, 1, Priority::Normal, "h.test");
    world.rotate();
    world.begins(first, true);
    world.queued(ANNA, 2, Priority::Normal, "h.test");
    world.now = world.queue.next_wake().expect("a time to wake");
    let mut decision = Decision::default();
    world.take_in(Input::Yield { job: first }, &mut decision);
    assert_ne!(world.queue.next_runnable(), None);
    world.queue.revert(decision);
    assert_eq!(world.queue.next_runnable(), None);
    assert_eq!(world.queue.next_yield(world.now), Some(first));
}

#[test]
fn what_a_report_said_of_what_would_be_kept_is_forgotten_when_it_cannot_be_written() {
    let mut world = World::new(one_at_a_time());
    let job = world.queued(ANNA, 1, Priority::Normal, "h.test");
    world.rotate();
    let attempt = world.written[&job].attempt;
    let version = |etag: Option<&str>| Report::Version {
        attempt,
        file: FileIndex(0),
        size: None,
        validator: Validator { etag: etag.map(str::to_owned), last_modified: None },
        served: Served::default(),
        boot: BootId([0; 16]),
        partial: PartialId { device: 1, inode: 1 },
    };
    let passed_over = Report::FilePassedOver { attempt, file: FileIndex(0), error: an_error() };
    let whole = Report::FileTransferred { attempt, file: FileIndex(0), size: Bytes(1) };
    for (keeps, report) in
        [(true, version(None)), (false, version(Some("\"v\""))), (false, whole), (false, passed_over)]
    {
        world.begins(job, keeps);
        assert_eq!(world.queue.schedule.keeps(job), keeps);
        let mut decision = Decision::default();
        world.take_in(Input::Report { job, report: report.clone() }, &mut decision);
        assert_eq!(world.queue.schedule.keeps(job), !keeps, "{report:?}");
        world.queue.revert(decision);
        assert_eq!(world.queue.schedule.keeps(job), keeps, "{report:?}");
    }
}

/// One who takes part in [`a_day_of_thousands_of_jobs_starves_nobody`].
struct Share {
    owner: u32,
    jobs: u32,
    /// How long each of its jobs needs, alone.
    needs: Duration,
    ran: Duration,
    longest_wait: Duration,
    done: u32,
}

/// The jobs of a crowd at the schedule alone, so that thousands of them take a moment.
#[test]
fn a_day_of_thousands_of_jobs_starves_nobody() {
    use super::super::schedule::{Schedule, Slot};
    use super::super::turns::{Line, Order, Place, Terms};
    use crate::job::Attempt;
    use crate::remote_name::HostTag;

    let limits = Limits { background_jobs_max: 4, ..one_at_a_time() };
    let share = |owner, jobs, needs| Share {
        owner,
        jobs,
        needs: Duration::from_secs(needs),
        ran: Duration::ZERO,
        longest_wait: Duration::ZERO,
        done: 0,
    };
    // Small jobs, large ones, and one owner with most of all jobs.
    let mut shares = [share(1, 20, 7_200), share(2, 200, 30), share(3, 5_000, 600), share(4, 1, 36_000)];
    let mut schedule = Schedule::new(limits);
    let mut jobs: BTreeMap<JobId, (usize, Duration, Timestamp)> = BTreeMap::new();
    let mut now = Timestamp(0);
    for (place, share) in shares.iter().enumerate() {
        for number in 0..share.jobs {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&share.owner.to_be_bytes());
            id[4..8].copy_from_slice(&number.to_be_bytes());
            let line = Line {
                priority: Priority::Normal,
                owner: Owner(share.owner),
                host: HostTag(u64::from(number % 7)),
            };
            schedule.set(
                JobId(id),
                Some(Slot::Runnable(Place {
                    line,
                    has_begun: false,
                    order: Order::at(now),
                    terms: Terms::default(),
                })),
            );
            jobs.insert(JobId(id), (place, share.needs, now));
        }
    }

    const STEP: Duration = Duration::from_secs(10);
    let mut running: Vec<(JobId, Place)> = Vec::new();
    while now < Timestamp(24 * 3_600_000) {
        loop {
            if let Some(job) = schedule.next_runnable() {
                let Some(Slot::Runnable(place)) = schedule.get(job) else { panic!("it waits") };
                let slot = Slot::Running { place, since: now, attempt: Attempt(1), keeps: true };
                schedule.set(job, Some(slot));
                running.push((job, place));
                let (place, _, since) = jobs[&job];
                let share = &mut shares[place];
                share.longest_wait = share.longest_wait.max(now.since(since));
            } else if let Some(job) = schedule.next_yield(now) {
                let place = running.iter().position(|(is, _)| *is == job).expect("it runs");
                let (_, place) = running.remove(place);
                schedule.set(job, Some(Slot::Runnable(Place { order: Order::at(now), ..place })));
                jobs.get_mut(&job).expect("known").2 = now;
            } else {
                break;
            }
        }
        now = now + STEP;
        running.retain(|(job, _)| {
            let (place, left, _) = jobs.get_mut(job).expect("known");
            shares[*place].ran += STEP;
            *left = left.saturating_sub(STEP);
            if left.is_zero() {
                shares[*place].done += 1;
                schedule.set(*job, None);
            }
            !left.is_zero()
        });
    }

    std::println!("owner  jobs  done  hours run  longest wait for a turn, s");
    for share in &shares {
        let hours = share.ran.as_secs_f64() / 3600.0;
        let waited = share.longest_wait.as_secs();
        std::println!("{:5} {:5} {:5} {hours:10.2} {waited:27}", share.owner, share.jobs, share.done);
    }
    let [large, small, crowd, single] = &shares;
    assert!(crowd.done >= 100, "of many large jobs some are done before all have begun");
    assert_eq!(small.done, small.jobs, "small jobs come to their end beside large ones");
    assert_eq!(single.done, 1, "one job of an owner has a turn of four all the time it needs");
    // Each of three owners that never run out of work has at least a third of what is left.
    let fair = (4.0 * 24.0 - 10.0 - 200.0 * 30.0 / 3600.0) / 2.0;
    for share in [large, crowd] {
        let hours = share.ran.as_secs_f64() / 3600.0;
        assert!(hours > 0.9 * fair || share.done == share.jobs, "{hours} of {fair}");
    }
}

fn stop_of(priorities: &[Priority], until: Option<Timestamp>) -> [Option<Stop>; 4] {
    let mut stopped = [None; 4];
    priorities.iter().for_each(|priority| stopped[*priority as usize] = Some(Stop { until }));
    stopped
}

#[test]
fn a_job_that_may_not_run_now_gives_up_its_turn_says_until_when_and_is_in_nobodys_way() {
    let mut world = World::new(one_at_a_time());
    let normal = world.queued(ANNA, 1, Priority::Normal, "a.test");
    assert_eq!(world.rotate(), [normal]);
    let until = Some(world.now + SLICE * 60);
    world.queue.set_stopped(stop_of(&[Priority::High, Priority::Normal], until));
    let low = world.queued(ANNA, 2, Priority::Low, "a.test");
    let high = world.queued(ANNA, 3, Priority::High, "a.test");
    assert_eq!(world.rotate(), [low], "nobody of a higher priority may");
    for job in [normal, high] {
        let view = world.queue.view(world.written[&job].clone(), Progress::default());
        assert_eq!((world.state(job), view.wait), ("queued", Some(WaitReason::Policy { until })));
    }
    assert_eq!(world.queue.waiting_of(|priority| priority == Priority::High, 9), [high]);
    // What its owner says of it still holds.
    world.ask(ANNA, Request::Command { job: high, command: Command::Suspend }).expect("suspended");
    world.ask(ANNA, Request::Command { job: high, command: Command::Resume }).expect("resumed");
    assert_eq!(world.rotate(), []);
    world.queue.set_stopped([None; 4]);
    assert_eq!(world.rotate(), [high], "at once, before a lower priority");
}

#[test]
fn a_job_waits_for_the_host_of_its_file_also_where_a_mirror_has_it() {
    let limits = Limits { background_jobs_max: 10, host_connections_max: 1, ..one_at_a_time() };
    let mut world = World::new(limits);
    let first = world.queued(ANNA, 1, Priority::Normal, "a.test");
    assert_eq!(world.rotate(), [first]);
    let waits = world.queued_with_mirrors(ANNA, 2, Priority::Normal, "a.test", &["b.test"]);
    let other = world.queued(ANNA, 3, Priority::Normal, "b.test");
    assert_eq!(world.rotate(), [other]);
    let view = world.queue.view(world.written[&waits].clone(), Progress::default());
    assert_eq!(view.wait, Some(WaitReason::Connections(ConnectionLimit::Host)));
    world.ask(ANNA, Request::Command { job: other, command: Command::Suspend }).expect("suspended");
    assert_eq!(world.rotate(), [], "that the mirror is free does not help");
    world.ask(ANNA, Request::Command { job: first, command: Command::Suspend }).expect("suspended");
    assert_eq!(world.rotate(), [waits]);
}

#[test]
fn no_more_jobs_run_at_one_host_than_there_may_be_connections_and_others_go_by() {
    let limits = Limits { background_jobs_max: 10, host_connections_max: 2, ..one_at_a_time() };
    let mut world = World::new(limits);
    let jobs: Vec<_> = (1..=3).map(|n| world.queued(ANNA, n, Priority::Normal, "a.test")).collect();
    let of_carla = world.queued(CARLA, 4, Priority::Normal, "a.test");
    let elsewhere = world.queued(ANNA, 5, Priority::Low, "b.test");
    let granted = world.rotate();
    assert_eq!(granted.len(), 3);
    assert!(granted.contains(&elsewhere) && granted.contains(&of_carla) && granted.contains(&jobs[0]));
    let wait =
        |world: &World, job: JobId| world.queue.view(world.written[&job].clone(), Progress::default()).wait;
    assert_eq!(wait(&world, jobs[1]), Some(WaitReason::Connections(ConnectionLimit::Host)));
    // Whoever is more urgent has one at once.
    for job in [jobs[0], of_carla] {
        world.begins(job, true);
    }
    let urgent = world.queued(ANNA, 6, Priority::Foreground, "a.test");
    assert_eq!(world.rotate(), [urgent]);
    // A job that is sent to another host does not wait for the one of before.
    let names = vec![(FileIndex(0), RemoteName::parse("http://c.test/f").expect("a name").0)];
    let waiting = *jobs.iter().find(|job| world.state(**job) == "queued").expect("somebody waits");
    world.ask(ANNA, Request::SetRemoteNames { job: waiting, names }).expect("renamed");
    assert!(world.rotate().contains(&waiting));
}

#[test]
fn who_has_had_its_time_at_a_full_host_lets_the_next_one_have_its_connection() {
    let limits = Limits { background_jobs_max: 10, host_connections_max: 1, ..one_at_a_time() };
    let mut world = World::new(limits);
    let jobs = [1, 2].map(|n| world.queued(ANNA, n, Priority::Normal, "a.test"));
    assert_eq!(world.rotate(), jobs[..1]);
    world.begins(jobs[0], true);
    assert_eq!(world.rotate(), []);
    world.now = world.now + SLICE;
    assert_eq!(world.rotate(), jobs[1..]);
}

#[test]
fn no_more_jobs_run_than_there_may_be_connections_in_all() {
    let limits =
        Limits { foreground_jobs_max: 9, background_jobs_max: 9, connections_max: 2, ..Limits::default() };
    let mut world = World::new(limits);
    let jobs: Vec<_> = (1..=3).map(|n| world.queued(ANNA, n, Priority::Normal, "a.test")).collect();
    assert_eq!(world.rotate(), jobs[..2]);
    let view = world.queue.view(world.written[&jobs[2]].clone(), Progress::default());
    assert_eq!(view.wait, Some(WaitReason::Connections(ConnectionLimit::Total)));
    let urgent = world.queued(ANNA, 4, Priority::Foreground, "b.test");
    assert_eq!(world.rotate(), [urgent]);
    world.queue.set_limits(Limits { connections_max: 9, ..Limits::default() }, usize::MAX);
    assert_eq!(world.rotate().len(), 2);
}

#[test]
fn a_running_job_hears_of_another_limit_at_once_and_one_that_waits_when_it_begins() {
    let mut world = World::new(one_at_a_time());
    let running = world.queued(ANNA, 1, Priority::Normal, "a.test");
    world.rotate();
    let waiting = world.queued(ANNA, 2, Priority::Normal, "a.test");
    let limit = Rate::new(1000);
    for (job, is_told) in [(running, true), (waiting, false)] {
        let changes = vec![PropertyChange::RateLimit(limit)];
        let request = Request::SetProperties { job, expected: None, changes, secrets: Vec::new() };
        let ticket = Ticket(900);
        let effects = world.turn(Input::Request { ticket, caller: ANNA, request });
        let attempt = world.written[&job].attempt;
        let told = Effect::Rate { job, attempt, priority: Priority::Normal, limit };
        assert_eq!(effects.contains(&told), is_told, "{effects:?}");
        assert_eq!(world.written[&job].properties.transfer.rate_limit, limit);
    }
}
