//! Jobs wait for the right conditions, and go on when they are there.

use core::time::Duration;

use super::*;
use crate::conditions::{
    Attendance, Conditions, CostFlags, Hold, Missing, Network, NetworkCost, OnBattery, OwnerAway, Power,
    Rules, TransferPolicy,
};

fn up(attachment: u64) -> Conditions {
    Conditions { network: Network::Up { interface: None, attachment }, ..Conditions::default() }
}

fn down() -> Conditions {
    Conditions { network: Network::Down(Missing::Route), ..Conditions::default() }
}

impl World {
    /// Tells the queue of new conditions, and has it do what follows; which jobs wait for something else.
    fn become_so(&mut self, conditions: Conditions) -> Vec<JobId> {
        let changed = self.queue.change_conditions(conditions, self.now, usize::MAX);
        while let Some(job) = self.queue.next_halt() {
            let attempt = self.written[&job].attempt;
            let effects = self.turn(Input::Halt { job });
            assert_eq!(effects, [Effect::Job { job, effect: job::Effect::Stop(attempt) }]);
        }
        changed
    }

    fn wait_of(&self, job: JobId) -> Option<WaitReason> {
        self.queue.view(self.written[&job].clone(), job::Progress::default()).wait
    }

    fn local_job(&mut self, number: u8) -> JobId {
        let id = JobId([number; 16]);
        let properties = Properties::named("a job".to_owned()).expect("a name");
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
        let remote_name = RemoteName::parse("http://127.0.0.1:8080/f").expect("a name").0;
        let files = vec![NewFile { remote_name, ..a_file() }];
        self.ask(ANNA, Request::AddFiles { job: id, files, credentials: Vec::new() }).expect("added");
        self.command(id, Command::Resume).expect("resumed");
        id
    }

    fn fails_on_the_way(&mut self, job: JobId, context: ErrorContext, retry_after_seconds: Option<u32>) {
        let attempt = self.written[&job].attempt;
        let error = JobError {
            code: Code::CANNOT_CONNECT,
            context,
            transient: true,
            message: "cannot connect".to_owned(),
            file: None,
            challenge: None,
            retry_after_seconds,
        };
        self.report(job, Report::Failed { attempt, error });
        assert_eq!(self.state(job), "transient_error");
    }

    /// Lets the time pass up to `now`; who is queued again.
    fn due(&mut self) -> Vec<JobId> {
        let mut due = Vec::new();
        while let Some(job) = self.queue.next_due(self.now) {
            self.turn(Input::Due { job });
            due.push(job);
        }
        due
    }
}

#[test]
fn without_a_network_jobs_wait_and_say_so_and_with_one_they_go_on_at_once() {
    let mut world = World::new(Limits::default());
    let runs = world.add_job(1, Priority::Foreground);
    world.command(runs, Command::Resume).expect("resumed");
    assert_eq!(world.grant(), [runs]);
    let queued = world.add_job(2, Priority::Low);
    world.command(queued, Command::Resume).expect("resumed");

    assert_eq!(world.become_so(down()), [queued], "and the other is stopped");
    assert_eq!((world.state(runs), world.written[&runs].error_count), ("queued", 0));
    assert_eq!(world.grant(), [], "neither");
    let no_route = Some(WaitReason::Conditions(Hold::Network(Missing::Route)));
    assert_eq!((world.wait_of(runs), world.wait_of(queued)), (no_route, no_route));
    assert_eq!(world.queue.next_wake(), None, "nothing wakes the service but the network");
    let late = world.add_job(3, Priority::High);
    world.command(late, Command::Resume).expect("resumed");
    assert_eq!(world.wait_of(late), no_route, "whoever comes later");
    let local = world.local_job(4);
    assert_eq!(world.grant(), [local], "this machine is there without a network");

    let no_link = Conditions { network: Network::Down(Missing::Link), ..Conditions::default() };
    assert_eq!(world.become_so(no_link).len(), 3, "they wait for something else");
    assert_eq!(world.become_so(up(1)).len(), 3);
    assert_eq!(world.grant(), [runs, late, queued], "by priority");
}

#[test]
fn a_job_that_would_lose_what_has_come_is_not_stopped_when_the_network_is_gone_for_a_moment() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    world.queue.schedule.set_keeps(job, false);
    world.become_so(down());
    assert_eq!(world.state(job), "connecting");
    let metered = Conditions { cost: NetworkCost::Metered, ..up(1) };
    world.become_so(metered);
    assert_eq!(world.state(job), "queued", "what costs money ends at once");
}

#[test]
fn a_new_network_ends_the_delay_of_retries_that_the_old_one_caused_and_of_no_others() {
    let mut world = World::new(Limits::default());
    world.become_so(up(1));
    let [way, answer, asked, owner_set] = [1, 2, 3, 4].map(|number| {
        let job = world.add_job(number, Priority::Normal);
        world.command(job, Command::Resume).expect("resumed");
        job
    });
    world.grant();
    let long = PropertyChange::MinimumRetryDelay(Some(Duration::from_secs(600)));
    for job in [way, answer, asked, owner_set] {
        let changes = vec![long.clone()];
        let set = Request::SetProperties { job, expected: None, changes, secrets: Vec::new() };
        world.ask(ANNA, set).expect("set");
    }
    world.fails_on_the_way(way, ErrorContext::GeneralTransport, None);
    world.fails_on_the_way(answer, ErrorContext::RemoteFile, None);
    world.fails_on_the_way(asked, ErrorContext::GeneralTransport, Some(600));
    world.fails_on_the_way(owner_set, ErrorContext::GeneralTransport, None);

    assert_eq!(world.become_so(up(1)), [], "the same network is no news");
    world.become_so(up(2));
    assert_eq!(world.due(), [], "it settles first");
    world.now = world.now + Duration::from_secs(2);
    let mut due = world.due();
    due.sort();
    assert_eq!(due, [way, owner_set]);
    assert_eq!((world.state(way), world.written[&way].failures_in_a_row), ("queued", 0));
    assert_eq!([world.state(answer), world.state(asked)], ["transient_error"; 2]);

    world.grant();
    world.fails_on_the_way(way, ErrorContext::GeneralTransport, None);
    world.become_so(down());
    world.now = world.now + Duration::from_secs(601);
    assert!(world.due().contains(&way), "its delay is over");
    let no_route = Some(WaitReason::Conditions(Hold::Network(Missing::Route)));
    assert_eq!(world.wait_of(way), no_route, "and now it waits for the network, and does not fail again");
}

#[test]
fn a_metered_network_holds_back_background_jobs_until_it_or_the_job_changes() {
    let mut world = World::new(Limits::default());
    let background = world.add_job(1, Priority::Normal);
    let foreground = world.add_job(2, Priority::Foreground);
    for job in [background, foreground] {
        world.command(job, Command::Resume).expect("resumed");
    }
    assert_eq!(world.grant(), [foreground, background]);
    let metered = Conditions { cost: NetworkCost::Metered, ..up(1) };
    world.become_so(metered.clone());
    assert_eq!((world.state(background), world.state(foreground)), ("queued", "connecting"));
    let allowed = TransferPolicy::Unrestricted.flags();
    let hold = Hold::Cost { is: NetworkCost::Metered, allowed, is_own: false };
    assert_eq!(world.wait_of(background), Some(WaitReason::Conditions(hold)));
    world.become_so(up(1));
    assert_eq!(world.grant(), [background]);

    world.become_so(metered);
    let mut set = |flags: Option<CostFlags>| {
        let changes = vec![PropertyChange::CostFlags(flags)];
        let set = Request::SetProperties { job: background, expected: None, changes, secrets: Vec::new() };
        world.ask(ANNA, set).expect("set");
        while let Some(job) = world.queue.next_halt() {
            world.turn(Input::Halt { job });
        }
        world.grant()
    };
    assert_eq!(set(Some(TransferPolicy::Standard.flags())), [background], "its owner lets it");
    assert_eq!(set(None), [], "and no more: it takes effect on a job that runs");
    assert_eq!(world.state(background), "queued");
    let changes = vec![PropertyChange::Priority(Priority::Foreground)];
    let set = Request::SetProperties { job: background, expected: None, changes, secrets: Vec::new() };
    world.ask(ANNA, set).expect("set");
    assert_eq!(world.grant(), [background], "the policy follows the priority");
}

#[test]
fn on_battery_and_without_their_owner_jobs_do_as_the_settings_say() {
    let rules =
        Rules { on_battery: OnBattery::ForegroundOnly, owner_away: OwnerAway::Wait, ..Rules::default() };
    let mut world = World::new(Limits { rules, ..Limits::default() });
    let [low, foreground] = [(1, Priority::Low), (2, Priority::Foreground)].map(|(number, priority)| {
        let job = world.add_job(number, priority);
        world.command(job, Command::Resume).expect("resumed");
        job
    });
    world.grant();
    world.become_so(Conditions { power: Power::Battery, ..up(1) });
    assert_eq!((world.state(low), world.state(foreground)), ("queued", "connecting"));
    assert_eq!(world.wait_of(low), Some(WaitReason::Conditions(Hold::Power)));
    world.become_so(Conditions { owner: Attendance::Away, ..up(1) });
    assert_eq!(world.state(foreground), "queued");
    assert_eq!(world.wait_of(low), Some(WaitReason::Conditions(Hold::OwnerAway)));
    world.become_so(up(1));
    assert_eq!(world.grant(), [foreground, low]);
}

#[test]
fn what_cannot_be_written_leaves_nobody_waiting_for_what_is_there_already() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    let mut decision = Decision::default();
    world.take_in(Input::Grant { job }, &mut decision);
    world.queue.change_conditions(down(), world.now, usize::MAX);
    world.queue.revert(decision);
    assert_eq!((world.queue.next_runnable(), world.queue.next_halt()), (None, None));
    world.become_so(up(1));
    assert_eq!(world.grant(), [job]);
}

#[test]
fn a_job_that_is_suspended_or_cancelled_while_it_waits_is_forgotten() {
    let mut world = World::new(Limits::default());
    world.become_so(down());
    for (number, command) in [(1, Command::Suspend), (2, Command::Cancel)] {
        let job = world.add_job(number, Priority::Normal);
        world.command(job, Command::Resume).expect("resumed");
        assert_eq!(world.grant(), []);
        let request = world.request(ANNA, Request::Command { job, command });
        world.turn(request);
    }
    world.become_so(up(1));
    assert_eq!(world.grant(), []);
}

#[test]
fn a_network_that_comes_and_goes_costs_little_with_a_hundred_thousand_jobs() {
    let mut schedule = Schedule::new(Limits::default());
    let host = RemoteName::parse("http://h.test/f").expect("a name").0.host_tag();
    for number in 0..100_000_u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let properties = Properties::named("a job".to_owned()).expect("a name");
        let mut job = Job::new(JobId(id), Owner(1000), properties, Timestamp(0));
        job.state = State::Queued;
        job.host = host;
        schedule.set(job.id, Slot::of(&job, Timestamp(u64::from(number))));
    }
    let first = schedule.next_runnable();
    for _ in 0..3 {
        assert_eq!(schedule.change_conditions(down(), Timestamp(1), 1000).len(), 1000);
        assert_eq!((schedule.next_runnable(), schedule.next_wake()), (None, None));
        assert_eq!(schedule.change_conditions(up(1), Timestamp(1), 200_000).len(), 100_000);
        assert_eq!(schedule.next_runnable(), first, "in the order in which they came");
    }
}

#[test]
fn a_job_whose_proxy_is_on_this_machine_waits_for_no_network() {
    use crate::http_options::ProxyUse;

    let over = |list: &str| {
        PropertyChange::Proxy(ProxyUse::Override { list: list.to_owned(), bypass: String::new() })
    };
    for (proxy, waits) in [
        (over("127.0.0.1:3128"), false),
        (over("http=localhost:1 https=[::1]:2"), false),
        (over("127.0.0.1:3128 proxy.test:3128"), true),
        (PropertyChange::Proxy(ProxyUse::Direct), true),
        (PropertyChange::Proxy(ProxyUse::Preconfigured), true),
    ] {
        let mut world = World::new(Limits::default());
        world.become_so(down());
        let job = world.add_job(1, Priority::Normal);
        let text = alloc::format!("{proxy:?}");
        let set = Request::SetProperties { job, expected: None, changes: vec![proxy], secrets: Vec::new() };
        world.ask(ANNA, set).expect("set");
        world.command(job, Command::Resume).expect("resumed");
        assert_eq!(
            world.wait_of(job).is_some_and(|wait| matches!(wait, WaitReason::Conditions(_))),
            waits,
            "{text}"
        );
    }
}

/// The conditions with the volumes that there are at a moment.
fn mounted(volumes: u64) -> Conditions {
    Conditions { volumes: Some(volumes), ..Conditions::default() }
}

impl World {
    /// The attempt of `job` that goes on does not find the volume its file goes to.
    fn misses_its_volume(&mut self, job: JobId) {
        let attempt = self.written[&job].attempt;
        let error = JobError {
            code: Code::DESTINATION_LOCKED,
            context: ErrorContext::LocalFile,
            transient: true,
            message: "the volume is not mounted".to_owned(),
            file: Some(FileIndex(0)),
            challenge: None,
            retry_after_seconds: None,
        };
        self.report(job, Report::Failed { attempt, error });
    }

    fn passes(&mut self) {
        self.now = self.now + Duration::from_secs(1);
    }
}

#[test]
fn a_job_whose_volume_is_not_there_waits_until_volumes_come_or_go_and_for_nothing_else() {
    let mut world = World::new(Limits::default());
    world.become_so(mounted(1));
    world.passes();
    let [job, other] = [1, 2].map(|number| {
        let job = world.add_job(number, Priority::Normal);
        world.command(job, Command::Resume).expect("resumed");
        job
    });
    assert_eq!(world.grant(), [job, other]);
    world.misses_its_volume(job);
    assert_eq!((world.state(job), world.written[&job].error_count), ("queued", 0), "it has not failed");
    assert_eq!(world.wait_of(job), Some(WaitReason::Conditions(Hold::Volume)));
    assert_eq!((world.grant(), world.queue.schedule.next_wake()), (vec![], None), "it wakes nobody");
    assert_eq!(world.state(other), "connecting", "and is in nobody's way");

    let rename = vec![PropertyChange::DisplayName("another name".to_owned())];
    let set = Request::SetProperties { job, expected: None, changes: rename, secrets: Vec::new() };
    world.ask(ANNA, set).expect("set");
    assert_eq!(world.become_so(Conditions { power: Power::Battery, ..mounted(1) }), []);
    assert_eq!(world.grant(), [], "these are no volumes");

    world.passes();
    assert_eq!(world.become_so(mounted(2)), [job]);
    world.passes();
    assert_eq!(world.grant(), [job], "it looks once more");
    world.misses_its_volume(job);
    assert_eq!(world.grant(), [], "it was another one");
    world.command(job, Command::Resume).expect("resumed");
    assert_eq!(world.grant(), [job], "its owner knows better");
}

#[test]
fn a_volume_that_comes_while_a_job_looks_for_it_is_not_missed() {
    let mut world = World::new(Limits::default());
    world.become_so(mounted(1));
    world.passes();
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    world.passes();
    world.become_so(mounted(2));
    world.misses_its_volume(job);
    assert_eq!(world.grant(), [job], "what it says may be of before");
}

#[test]
fn a_clock_that_is_set_back_makes_no_job_look_for_its_volume_again_and_again() {
    const HOUR: Duration = Duration::from_secs(3600);
    let mut world = World::new(Limits::default());
    world.now = Timestamp(10 * 86_400_000);
    world.become_so(mounted(1));
    world.passes();
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.now = Timestamp(world.now.0 - 3_600_000);
    world.queue.clock_was_set(ClockChange::Back(HOUR));
    world.passes();
    assert_eq!(world.grant(), [job]);
    world.misses_its_volume(job);
    assert_eq!(world.wait_of(job), Some(WaitReason::Conditions(Hold::Volume)));
    assert_eq!(world.grant(), []);
    world.passes();
    world.become_so(mounted(2));
    assert_eq!(world.grant(), [job]);
}

#[test]
fn a_job_that_waits_goes_on_waiting_and_is_not_forgotten_when_a_request_of_its_owner_is_refused() {
    let mut world = World::new(Limits::default());
    world.become_so(mounted(1));
    world.passes();
    let [held, lacking] = [1, 2].map(|number| {
        let job = world.add_job(number, Priority::Normal);
        world.command(job, Command::Resume).expect("resumed");
        job
    });
    world.turn(Input::Hold { job: held });
    assert_eq!(world.grant(), [lacking]);
    world.misses_its_volume(lacking);
    let waits = [held, lacking].map(|job| world.wait_of(job));
    let secret = |slot: SecretSlot| SecretChange::Set(SealedSecret { slot, record: vec![1] });
    for job in [held, lacking] {
        let set = |expected: Option<Revision>, changes: Vec<PropertyChange>, slot: SecretSlot| {
            Request::SetProperties { job, expected, changes, secrets: vec![secret(slot)] }
        };
        let too_long = vec![PropertyChange::DisplayName("x".repeat(257))];
        for request in [
            // There is no webhook.
            set(None, Vec::new(), SecretSlot::Webhook),
            set(Some(Revision(0)), Vec::new(), SecretSlot::CertificatePassphrase),
            set(None, too_long, SecretSlot::CertificatePassphrase),
            Request::SetRemoteNames { job, names: vec![(FileIndex(7), a_file().remote_name)] },
        ] {
            let text = format!("{request:?}");
            assert!(world.ask(ANNA, request).is_err(), "{text}");
            assert_eq!([held, lacking].map(|job| world.wait_of(job)), waits, "{text}");
            assert_eq!(world.grant(), [], "{text}");
        }
    }
    world.passes();
    assert_eq!(world.become_so(mounted(2)), [lacking]);
    assert_eq!(world.grant(), [lacking], "its volume may be there");
    world.command(held, Command::Resume).expect("resumed");
    assert_eq!(world.grant(), [held]);
}

#[test]
fn where_nobody_tells_of_volumes_a_job_is_tried_again_after_a_while() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    world.misses_its_volume(job);
    assert_eq!((world.state(job), world.written[&job].error_count), ("transient_error", 0));
}

#[test]
fn what_cannot_be_written_of_a_missing_volume_leaves_the_job_where_it_was() {
    let mut world = World::new(Limits::default());
    world.become_so(mounted(1));
    world.passes();
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let before = world.queue.schedule.get(job);
    let error = JobError {
        code: Code::VOLUME_CHANGED,
        context: ErrorContext::LocalFile,
        transient: true,
        message: "another volume".to_owned(),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    };
    let attempt = world.written[&job].attempt;
    let mut decision = Decision::default();
    let report = Report::Failed { attempt, error };
    world.take_in(Input::Report { job, report: report.clone() }, &mut decision);
    world.queue.revert(decision);
    assert_eq!(world.queue.schedule.get(job), before);
    world.report(job, report);
    assert_eq!(world.wait_of(job), Some(WaitReason::Conditions(Hold::Volume)));
}
