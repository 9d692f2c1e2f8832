//! Jobs that wait for a person: with agents that come and go, answers that are good or not, several
//! jobs that are asked the same, and a service that starts again.

use super::*;

/// Who is asked in these scenarios, unless another is named.
const AGENT: PresenceId = PresenceId(1);
const HOST: &str = "h.test";

fn challenge(host: &str, refused: bool) -> JobError {
    let challenge = Challenge {
        target: AuthTarget::Server,
        host: host.to_owned(),
        realm: Some("the office".to_owned()),
        schemes: vec![AuthScheme::Digest],
        refused,
    };
    JobError { code: Code::HTTP_UNAUTHORIZED, challenge: Some(challenge), transient: false, ..an_error() }
}

impl World {
    fn with_agent() -> Self {
        let mut world = Self::new(Limits { background_jobs_max: 100, ..Limits::default() });
        world.queue.came(AGENT, Presence::Agent(Owner(ANNA.uid)));
        world
    }

    /// Lets all jobs go on that may, and settles what has changed.
    fn go_on(&mut self) -> Vec<JobId> {
        while let Some(job) = self.queue.next_attention() {
            self.turn(Input::Attend { job });
        }
        self.grant()
    }

    fn running(&mut self, number: u8) -> JobId {
        let job = self.add_job(number, Priority::Normal);
        self.command(job, Command::Resume).expect("resumed");
        assert!(self.go_on().contains(&job));
        job
    }

    fn fails(&mut self, job: JobId, error: JobError) {
        let attempt = self.written[&job].attempt;
        self.report(job, Report::Failed { attempt, error });
        self.go_on();
    }

    fn connects(&mut self, job: JobId) {
        let attempt = self.written[&job].attempt;
        self.report(job, Report::Connected { attempt });
    }

    /// A job that waits for an answer.
    fn waiting(&mut self, number: u8) -> JobId {
        let job = self.running(number);
        self.fails(job, challenge(HOST, false));
        assert_eq!(self.shown(job), "queued, asks");
        job
    }

    fn shown(&self, job: JobId) -> String {
        let view = self.queue.view(self.written[&job].clone(), crate::job::Progress::default());
        let wait = match view.wait {
            Some(WaitReason::Credential(CredentialWait::Answer)) => ", asks",
            Some(WaitReason::Credential(CredentialWait::Key)) => ", lacks the key",
            _ => "",
        };
        alloc::format!("{}{wait}", self.state(job))
    }

    fn code(&self, job: JobId) -> Code {
        self.written[&job].error.as_ref().expect("an error").code
    }

    /// The one question there is, and its jobs.
    fn question(&self) -> (QuestionId, Vec<JobId>) {
        let mut questions = self.queue.questions(Owner(ANNA.uid));
        let question = questions.next().expect("a question");
        assert_eq!(questions.next(), None, "one question");
        (question.id, question.asked().collect())
    }

    fn has_question(&self) -> bool {
        self.queue.questions(Owner(ANNA.uid)).next().is_some()
    }

    /// Answers the one question there is for all its jobs; returns which jobs then run.
    fn answered(&mut self, reply: Reply) -> Vec<JobId> {
        let (question, jobs) = self.question();
        for job in jobs {
            self.ask(ANNA, Request::Answer { job, question, reply: reply.clone() }).expect("answered");
        }
        self.go_on()
    }
}

fn a_secret() -> Reply {
    let (target, scheme) = (AuthTarget::Server, AuthScheme::Digest);
    let slot = SecretSlot::Credential { target, scheme };
    Reply::Credentials(vec![SealedSecret { slot, record: vec![1] }])
}

#[test]
fn with_nobody_to_ask_a_job_that_needs_credentials_is_in_error() {
    let mut world = World::new(Limits::default());
    let job = world.running(1);
    world.fails(job, challenge(HOST, false));
    assert_eq!((world.shown(job).as_str(), world.code(job)), ("error", Code::HTTP_UNAUTHORIZED));
    assert!(!world.has_question());
}

#[test]
fn with_an_agent_it_waits_and_goes_on_with_the_answer_at_once() {
    let mut world = World::with_agent();
    let job = world.waiting(1);
    assert_eq!(world.written[&job].error_count, 1);
    assert_eq!(world.queue.next_runnable(), None);
    let (question, _) = world.question();
    assert_eq!(world.queue.question(question).expect("open").challenge().host, HOST);
    assert_eq!(world.answered(a_secret()), [job]);
    assert!(!world.has_question());
    world.connects(job);
    assert_eq!(world.shown(job), "transferring");
}

#[test]
fn only_what_credentials_can_cure_is_asked() {
    let mut locked = challenge(HOST, true);
    locked.challenge = None;
    let mut transient = challenge(HOST, false);
    transient.transient = true;
    let mut unspoken = challenge(HOST, false);
    unspoken.challenge.as_mut().expect("it has one").schemes.clear();
    for (error, expected) in [(locked, "error"), (transient, "transient_error"), (unspoken, "error")] {
        let mut world = World::with_agent();
        let job = world.running(1);
        world.fails(job, error);
        assert_eq!(world.shown(job), expected);
        assert!(!world.has_question());
    }
}

#[test]
fn the_agent_of_somebody_else_is_not_asked() {
    let mut world = World::new(Limits::default());
    world.queue.came(AGENT, Presence::Agent(Owner(BEN.uid)));
    let job = world.running(1);
    world.fails(job, challenge(HOST, false));
    assert_eq!(world.shown(job), "error");
    world.queue.came(PresenceId(2), Presence::Agent(Owner(ANNA.uid)));
    world.turn(Input::Offer { job });
    let (question, _) = world.question();
    assert_eq!(world.queue.questions(Owner(BEN.uid)).count(), 0);
    let refusal = world.ask(BEN, Request::Answer { job, question, reply: a_secret() });
    assert_eq!(refusal.expect_err("refused").code(), Code::ACCESS_DENIED);
}

#[test]
fn who_declines_or_does_not_answer_leaves_the_job_in_error_for_good() {
    for (declined, code) in [
        (Declined::Cancelled, Code(0x8007_04C7)),
        (Declined::TimedOut, Code(0x8007_05B4)),
        (Declined::Unable, Code::HTTP_UNAUTHORIZED),
    ] {
        let mut world = World::with_agent();
        let job = world.waiting(1);
        assert_eq!(world.answered(Reply::Declined(declined)), []);
        assert_eq!((world.shown(job).as_str(), world.code(job)), ("error", code));
        world.turn(Input::Offer { job });
        assert_eq!(world.has_question(), declined == Declined::Unable, "{declined:?}");
        assert_eq!(world.written[&job].error_count, 1);
    }
}

#[test]
fn an_agent_that_leaves_puts_its_jobs_in_error_and_one_that_comes_is_offered_them() {
    let mut world = World::with_agent();
    let job = world.waiting(1);
    let (late, _) = world.question();
    world.queue.came(PresenceId(2), Presence::Agent(Owner(ANNA.uid)));
    world.queue.left(AGENT, world.now);
    world.go_on();
    assert_eq!(world.shown(job), "queued, asks", "another one is there");
    world.queue.left(PresenceId(2), world.now);
    world.go_on();
    assert_eq!((world.shown(job).as_str(), world.code(job)), ("error", Code::HTTP_UNAUTHORIZED));
    let refusal = world.ask(ANNA, Request::Answer { job, question: late, reply: a_secret() });
    assert_eq!(refusal.expect_err("too late"), Refusal::NoSuchQuestion);

    world.queue.came(AGENT, Presence::Agent(Owner(ANNA.uid)));
    world.turn(Input::Offer { job });
    assert_eq!(world.shown(job), "error", "it rests until there is an answer");
    assert_eq!(world.answered(a_secret()), [job]);
    assert_eq!(world.shown(job), "connecting");
}

#[test]
fn a_job_that_rests_in_error_stays_there_when_its_agent_leaves_again() {
    let mut world = World::new(Limits::default());
    let job = world.running(1);
    world.fails(job, challenge(HOST, false));
    let before = world.written[&job].clone();
    world.queue.came(AGENT, Presence::Agent(Owner(ANNA.uid)));
    world.turn(Input::Offer { job });
    world.queue.left(AGENT, world.now);
    world.go_on();
    assert_eq!(world.written[&job], before);
    assert!(!world.has_question());
}

#[test]
fn a_refused_secret_is_asked_for_again_three_times_at_most() {
    let mut world = World::with_agent();
    let job = world.waiting(1);
    let mut questions = Vec::new();
    for _ in 0..ANSWERS_MAX {
        questions.push(world.question().0);
        assert_eq!(world.answered(a_secret()), [job]);
        world.fails(job, challenge(HOST, true));
    }
    assert_eq!(world.shown(job), "error");
    assert!(!world.has_question() && world.written[&job].secret_refused());
    questions.dedup();
    assert_eq!(questions.len(), 3, "each is another question");
}

#[test]
fn an_answer_that_nothing_could_be_done_with_is_not_asked_for_again() {
    let mut world = World::with_agent();
    let jobs = [1, 2].map(|number| world.running(number));
    for job in jobs {
        world.fails(job, challenge(HOST, false));
    }
    assert_eq!(world.answered(a_secret()), [jobs[0]]);
    // It was never sent: as with one without a scheme, where Basic over plain http is all there is.
    world.fails(jobs[0], challenge(HOST, false));
    for job in jobs {
        assert_eq!(world.shown(job), "error");
        assert!(!world.written[&job].secret_refused(), "nothing was refused");
    }
    assert!(!world.has_question());

    world.command(jobs[0], Command::Resume).expect("resumed");
    assert_eq!(world.go_on(), [jobs[0]]);
    world.fails(jobs[0], challenge(HOST, false));
    assert!(world.has_question(), "its owner has let it ask anew");
    world.answered(a_secret());
    world.fails(jobs[0], JobError { code: Code::UNKNOWN_CREDENTIALS, ..challenge(HOST, false) });
    assert!(world.has_question(), "what is of no form that could be used may be typed better");
}

#[test]
fn jobs_that_are_asked_the_same_are_one_question_and_its_answer_serves_them_all() {
    let mut world = World::with_agent();
    let jobs = [1, 2, 3].map(|number| world.running(number));
    for job in jobs {
        world.fails(job, challenge(HOST, false));
    }
    assert_eq!(world.question().1, jobs);
    assert_eq!(world.answered(a_secret()), [jobs[0]], "one tries it");
    assert_eq!(world.shown(jobs[1]), "queued, asks");
    world.connects(jobs[0]);
    assert_eq!(world.go_on(), [jobs[1], jobs[2]]);
    assert!(!world.has_question());
}

#[test]
fn a_wrong_answer_is_tested_once_and_all_are_asked_again_together() {
    let mut world = World::with_agent();
    let jobs = [1, 2].map(|number| world.running(number));
    for job in jobs {
        world.fails(job, challenge(HOST, false));
    }
    assert_eq!(world.answered(a_secret()), [jobs[0]]);
    world.fails(jobs[0], challenge(HOST, true));
    assert_eq!(world.question().1, jobs);
    world.queue.left(AGENT, world.now);
    world.go_on();
    for job in jobs {
        assert_eq!(world.shown(job), "error");
        assert!(world.written[&job].secret_refused(), "what one has tried holds for all");
    }
}

#[test]
fn the_next_job_tries_an_answer_that_the_first_could_not() {
    for how in ["suspended", "another error", "nobody is left to ask"] {
        let mut world = World::with_agent();
        let jobs = [1, 2].map(|number| world.running(number));
        for job in jobs {
            world.fails(job, challenge(HOST, false));
        }
        world.answered(a_secret());
        match how {
            "suspended" => _ = world.command(jobs[0], Command::Suspend).expect("suspended"),
            "another error" => {
                let attempt = world.written[&jobs[0]].attempt;
                world.report(jobs[0], Report::Failed { attempt, error: an_error() });
            }
            _ => {
                world.queue.left(AGENT, world.now);
                world.fails(jobs[0], challenge(HOST, true));
                assert_eq!(world.shown(jobs[1]), "error", "{how}");
                continue;
            }
        }
        assert_eq!(world.go_on(), [jobs[1]], "{how}");
    }
}

#[test]
fn other_hosts_realms_and_targets_are_other_questions() {
    let mut world = World::with_agent();
    let proxy = |error: &mut JobError| {
        error.challenge.as_mut().expect("it has one").target = AuthTarget::Proxy;
    };
    let realm = |error: &mut JobError| error.challenge.as_mut().expect("it has one").realm = None;
    let mut errors = [(); 5].map(|()| challenge(HOST, false));
    proxy(&mut errors[1]);
    realm(&mut errors[2]);
    errors[3] = challenge("other.test", false);
    errors[4] = challenge(HOST, true);
    for (number, error) in (1..).zip(errors) {
        let job = world.running(number);
        world.fails(job, error);
    }
    assert_eq!(world.queue.questions(Owner(ANNA.uid)).count(), 5);
}

#[test]
fn an_answer_to_the_proxy_is_good_when_the_server_asks_next() {
    let mut world = World::with_agent();
    let jobs = [1, 2].map(|number| world.running(number));
    for job in jobs {
        world.fails(job, challenge("proxy.test", false));
    }
    world.answered(a_secret());
    world.fails(jobs[0], challenge(HOST, false));
    assert_eq!(world.question().1, [jobs[0]]);
    assert_eq!(world.shown(jobs[1]), "connecting");
}

#[test]
fn what_the_owner_does_to_a_job_ends_its_question() {
    for request in [
        |job| Request::Command { job, command: Command::Suspend },
        |job| Request::Command { job, command: Command::Cancel },
        |job| Request::SetCredentials { job, credentials: Vec::new() },
        |job| Request::Command { job, command: Command::Resume },
    ] {
        let mut world = World::with_agent();
        let job = world.waiting(1);
        let input = world.request(ANNA, request(job));
        world.turn(input);
        assert!(!world.has_question());
        let runs = world.go_on() == [job];
        assert_eq!(runs, world.state(job) == "connecting");
        assert_ne!(world.shown(job), "queued, asks");
    }
}

#[test]
fn whoever_sits_before_a_job_is_left_to_ask_for_it() {
    let mut world = World::with_agent();
    let job = world.running(1);
    world.queue.came(PresenceId(2), Presence::Attendant(job));
    world.fails(job, challenge(HOST, false));
    assert_eq!(world.shown(job), "error");
    let other = world.waiting(2);
    world.queue.came(PresenceId(3), Presence::Attendant(other));
    world.go_on();
    assert_eq!(world.shown(other), "error", "somebody has sat down before it");
}

#[test]
fn after_a_start_jobs_wait_a_moment_for_the_agent_to_return() {
    for (comes, expected) in [(true, "queued, asks"), (false, "connecting")] {
        let mut world = World::with_agent();
        let job = world.waiting(1);
        let restored = world.written[&job].clone();
        world.queue = Queue::new(Limits::default());
        let mut decision = Decision::default();
        world.queue.adopt(restored, world.now, &mut decision);
        world.write(decision);
        assert_eq!(world.shown(job), "queued, asks");
        world.queue.came(PresenceId(2), Presence::Attendant(JobId([9; 16])));
        assert_eq!(world.go_on(), [], "it is no reason to give up");
        if comes {
            world.queue.came(AGENT, Presence::Agent(Owner(ANNA.uid)));
        }
        world.now = world.now + AGENT_RETURN_PATIENCE;
        assert_eq!(world.queue.next_due(world.now), Some(job));
        world.turn(Input::Due { job });
        world.go_on();
        assert_eq!(world.shown(job), expected);
        assert_eq!(world.has_question(), comes);
        let end = world.now + Limits::default().policy.maximum_download_time;
        assert_eq!(world.queue.next_wake(), (!comes).then_some(end), "it waits for no time but its own");
    }
}

#[test]
fn a_question_or_an_answer_that_could_not_be_written_leaves_no_trace() {
    let mut world = World::with_agent();
    let job = world.running(1);
    let before = alloc::format!("{:?}", world.queue);
    let attempt = world.written[&job].attempt;
    let report = Report::Failed { attempt, error: challenge(HOST, false) };
    let mut decision = Decision::default();
    world.take_in(Input::Report { job, report: report.clone() }, &mut decision);
    world.queue.revert(decision);
    assert_eq!(alloc::format!("{:?}", world.queue), before);

    world.report(job, report);
    let before = alloc::format!("{:?}", world.queue);
    let (question, _) = world.question();
    for reply in [a_secret(), Reply::Declined(Declined::Cancelled)] {
        let mut decision = Decision::default();
        let input = world.request(ANNA, Request::Answer { job, question, reply });
        world.take_in(input, &mut decision);
        world.queue.revert(decision);
        assert_eq!(alloc::format!("{:?}", world.queue), before);
    }
    world.queue.left(AGENT, world.now);
    let mut decision = Decision::default();
    world.take_in(Input::Attend { job }, &mut decision);
    world.queue.revert(decision);
    world.go_on();
    assert_eq!(world.shown(job), "error", "who has left stays away");
}

#[test]
fn what_is_asked_and_answered_can_be_taken_back_at_every_step() {
    let mut world = World::with_agent();
    let jobs = [1, 2, 3].map(|number| world.running(number));
    let failed = |world: &mut World, job: JobId, error: JobError| {
        let attempt = world.written[&job].attempt;
        Input::Report { job, report: Report::Failed { attempt, error } }
    };
    let answer = |world: &mut World, job| {
        let (question, _) = world.question();
        world.request(ANNA, Request::Answer { job, question, reply: a_secret() })
    };
    let connected = |world: &mut World, job: JobId| {
        let attempt = world.written[&job].attempt;
        Input::Report { job, report: Report::Connected { attempt } }
    };
    let attend = |world: &mut World, _| Input::Attend { job: world.queue.next_attention().expect("one") };
    type Next<'a> = &'a dyn Fn(&mut World, JobId) -> Input;
    let steps: [(Next<'_>, usize); 14] = [
        (&|world, job| failed(world, job, challenge(HOST, false)), 0),
        (&|world, job| failed(world, job, challenge(HOST, false)), 1),
        (&answer, 0),
        (&answer, 1),
        (&attend, 0),
        (&|world, job| failed(world, job, challenge(HOST, true)), 0),
        (&|world, job| failed(world, job, challenge(HOST, true)), 2),
        (&|world, job| world.request(ANNA, Request::Command { job, command: Command::Suspend }), 2),
        (&answer, 0),
        (&answer, 1),
        (&attend, 0),
        (&connected, 0),
        (&attend, 1),
        (&connected, 1),
    ];
    for (number, (next, of)) in steps.into_iter().enumerate() {
        let before = alloc::format!("{:?}", world.queue);
        let mut decision = Decision::default();
        let input = next(&mut world, jobs[of]);
        world.take_in(input, &mut decision);
        assert_ne!(alloc::format!("{:?}", world.queue), before, "step {number} changes something");
        world.queue.revert(decision);
        assert_eq!(alloc::format!("{:?}", world.queue), before, "step {number}");
        let input = next(&mut world, jobs[of]);
        world.turn(input);
        world.grant();
    }
    assert!(!world.has_question());
    assert_eq!(jobs.map(|job| world.state(job)), ["transferring", "transferring", "suspended"]);
}

#[test]
fn what_one_job_does_is_noted_for_that_job_however_many_wait_with_it() {
    let mut noted = Vec::new();
    for waiting in [2, 40] {
        let mut world = World::with_agent();
        for number in 0..waiting {
            let job = world.running(number);
            world.fails(job, challenge(HOST, false));
        }
        let mut decision = Decision::default();
        let (question, jobs) = world.question();
        let input = world.request(ANNA, Request::Answer { job: jobs[0], question, reply: a_secret() });
        world.take_in(input, &mut decision);
        // How many digits a count has says nothing.
        let undo = alloc::format!("{:?}", decision.into_undo());
        noted.push(undo.chars().filter(|c| !c.is_ascii_digit()).count());
    }
    assert_eq!(noted[0], noted[1]);
}

#[test]
fn beyond_the_limit_nobody_is_asked() {
    let mut world = World::with_agent();
    for number in 0..QUESTIONS_MAX {
        let job = world.written.len();
        let id = JobId((job as u128 + 1).to_be_bytes());
        let properties = Properties::named("a job".to_owned()).expect("a name");
        world
            .ask(
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
        world.ask(ANNA, Request::AddFiles { job: id, files, credentials: Vec::new() }).expect("added");
        world.command(id, Command::Resume).expect("resumed");
        world.go_on();
        world.fails(id, challenge(&alloc::format!("h{number}.test"), false));
    }
    let job = world.running(255);
    world.fails(job, challenge("one.more.test", false));
    assert_eq!(world.shown(job), "error");
}
