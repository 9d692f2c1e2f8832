//! The rows of the state machine that are more than a command (`bits.md` §3.1, §3.3, §3.4): files added,
//! properties, getters, and what Complete and Cancel answer.

use super::*;
use crate::file::{File, Stage};

const STATES: [&str; 9] = [
    "suspended",
    "queued",
    "connecting",
    "transferring",
    "transient_error",
    "error",
    "transferred",
    "acknowledged",
    "cancelled",
];

impl World {
    /// A job that has come to the state called `name`.
    fn job_in(&mut self, name: &str) -> JobId {
        let number = self.written.len() as u8 + 1;
        if ["transferred", "acknowledged"].contains(&name) {
            let job = self.transferred(number);
            if name == "acknowledged" {
                self.start(job, Command::Complete);
                self.report(job, finalized(&[0]));
            }
            return job;
        }
        let job = self.add_job(number, Priority::Normal);
        match name {
            "suspended" => return job,
            "cancelled" => {
                self.start(job, Command::Cancel);
                return job;
            }
            _ => self.command(job, Command::Resume).expect("it has a file"),
        };
        if name == "queued" {
            return job;
        }
        self.turn(Input::Grant { job });
        let attempt = self.written[&job].attempt;
        let failed = |transient| Report::Failed { attempt, error: JobError { transient, ..an_error() } };
        match name {
            "connecting" => {}
            "transferring" => drop(self.report(job, Report::Connected { attempt })),
            "transient_error" => drop(self.report(job, failed(true))),
            "error" => drop(self.report(job, failed(false))),
            other => panic!("no state `{other}`"),
        }
        job
    }

    /// Begins what is answered later.
    fn start(&mut self, job: JobId, command: Command) -> Ticket {
        let input = self.request(ANNA, Request::Command { job, command });
        self.turn(input);
        Ticket(self.tickets)
    }
}

fn finalized(files: &[u32]) -> Report {
    Report::Finalized { files: files.iter().copied().map(FileIndex).collect(), lost: Vec::new(), error: None }
}

fn code(answer: Result<Answer, Refusal>) -> Option<u32> {
    answer.err().map(|refusal| refusal.code().0)
}

/// §3.1, AddFile: the state stays; what was TRANSFERRED or in ERROR sends the new file after Resume.
#[test]
fn a_file_can_be_added_until_the_job_is_over_and_comes_after_resume() {
    const INVALID: Option<u32> = Some(0x8020_0002);
    for (state, refused, when_resumed) in [
        ("suspended", None, "queued"),
        ("queued", None, "queued"),
        ("connecting", None, "connecting"),
        ("transferring", None, "transferring"),
        ("transient_error", None, "queued"),
        ("error", None, "queued"),
        ("transferred", None, "queued"),
        ("acknowledged", INVALID, "acknowledged"),
        ("cancelled", INVALID, "cancelled"),
    ] {
        let mut world = World::new(Limits::default());
        let job = world.job_in(state);
        assert_eq!(world.state(job), state);
        let add = Request::AddFiles { job, files: vec![a_file()], credentials: Vec::new() };
        assert_eq!(code(world.ask(ANNA, add)), refused, "{state}");
        let files = 1 + u32::from(refused.is_none());
        assert_eq!((world.state(job), world.written[&job].files_total), (state, files));
        assert_eq!(code(world.command(job, Command::Resume)), refused, "{state}");
        assert_eq!(world.state(job), when_resumed, "{state}, resumed");
    }
}

/// §3.1, Setters and TakeOwnership: any state but the final ones, and the state stays.
#[test]
fn properties_can_be_set_until_the_job_is_over() {
    for state in STATES {
        let mut world = World::new(Limits::default());
        let job = world.job_in(state);
        let changes = || {
            vec![
                PropertyChange::DisplayName("another".to_owned()),
                PropertyChange::Description("words".to_owned()),
                PropertyChange::MinimumRetryDelay(Some(Duration::from_secs(9))),
                PropertyChange::NoProgressTimeout(Duration::from_secs(9)),
                PropertyChange::MaximumDownloadTime(Some(Duration::from_secs(9))),
                PropertyChange::PeerCachingFlags(1),
                PropertyChange::HelperTokenFlags(1),
            ]
        };
        let is_over = ["acknowledged", "cancelled"].contains(&state);
        let refused = is_over.then_some(0x8020_0002);
        let set = |changes| Request::SetProperties { job, expected: None, changes, secrets: Vec::new() };
        assert_eq!(code(world.ask(ANNA, set(changes()))), refused, "{state}");
        let credentials = Request::SetCredentials { job, credentials: Vec::new() };
        assert_eq!(code(world.ask(ANNA, credentials)), refused, "{state}");
        assert_eq!(code(world.ask(ANNA, Request::TakeOwnership { job })), refused, "{state}");
        assert_eq!(world.state(job), state);
        let name = &world.written[&job].properties.display_name;
        assert_eq!(name == "another", !is_over, "{state}");
    }
}

/// §3.1, Getters: in every state, also the final ones.
#[test]
fn a_job_can_be_read_in_every_state() {
    for state in STATES {
        let mut world = World::new(Limits::default());
        let job = world.job_in(state);
        let view = world.queue.view(world.written[&job].clone(), job::Progress::default());
        assert_eq!(view.job.state.name(), state);
        let file = File::new(FileIndex(0), a_file().remote_name, a_file().local_name);
        assert_eq!(world.queue.view_file(&view.job, file).file.stage, Stage::Waiting);
    }
}

/// §3.3: which answer Complete has.
#[test]
fn complete_says_whether_all_files_are_there() {
    for (whole, added, partial) in [(true, 0, false), (true, 1, true), (false, 0, true)] {
        let mut world = World::new(Limits::default());
        let job = world.job_in(if whole { "transferred" } else { "transferring" });
        for _ in 0..added {
            let add = Request::AddFiles { job, files: vec![a_file()], credentials: Vec::new() };
            world.ask(ANNA, add).expect("added");
        }
        let ticket = world.start(job, Command::Complete);
        let effects = world.report(job, finalized(if whole { &[0] } else { &[] }));
        assert_eq!(answer_to(ticket, effects), Some(Ok(Answer::Completed { job, partial })));
        assert_eq!(world.state(job), "acknowledged");
    }
}

/// §3.3: a rename that fails leaves the job TRANSFERRED, with its code as the answer; what was renamed
/// stays so, and the next call has the rest.
#[test]
fn a_failed_rename_is_the_answer_and_the_job_stays_to_be_completed_again() {
    let mut world = World::new(Limits::default());
    let job = world.job_in("transferred");
    let ticket = world.start(job, Command::Complete);
    let failed = Report::Finalized { files: Vec::new(), lost: Vec::new(), error: Some(an_error()) };
    let answer = answer_to(ticket, world.report(job, failed)).expect("an answer");
    assert_eq!(code(answer), Some(Code::DISK_FULL.0));
    assert_eq!((world.state(job), world.written[&job].files_transferred), ("transferred", 1));
    let ticket = world.start(job, Command::Complete);
    let answer = answer_to(ticket, world.report(job, finalized(&[0])));
    assert_eq!(answer, Some(Ok(Answer::Completed { job, partial: false })));
}

/// §3.4: the job is cancelled in any case; what could not be deleted is said, and tried again by the
/// next service.
#[test]
fn cancel_says_what_could_not_be_deleted_and_cancels_all_the_same() {
    for state in ["suspended", "transferring", "error", "transferred"] {
        for leftover in [None, Some("a part of /tmp/f is left".to_owned())] {
            let mut world = World::new(Limits::default());
            let job = world.job_in(state);
            let ticket = world.start(job, Command::Cancel);
            assert_eq!(world.state(job), "cancelled");
            let is_left = leftover.is_some();
            let answer = answer_to(ticket, world.report(job, Report::Discarded { leftover }));
            assert_eq!(answer, Some(Ok(Answer::Cancelled { job, leftover: is_left })), "{state}");
            assert_eq!(world.written[&job].discard_pending, is_left, "{state}");
        }
    }
}

#[test]
fn what_has_come_is_not_shown_to_be_less_while_a_stopped_attempt_makes_sure_of_it() {
    let mut world = World::new(Limits::default());
    let job = world.add_job(1, Priority::Normal);
    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    let file = FileIndex(0);
    // The store counts what is durable.
    let shown = |world: &World, durable: u64| {
        let written = job::Progress { bytes_transferred: Bytes(durable), ..job::Progress::default() };
        world.queue.view(world.written[&job].clone(), written).progress.bytes_transferred
    };
    world.report(job, Report::Connected { attempt });
    world.report(job, Report::Durable { attempt, file, upto: Bytes(100) });
    assert!(world.queue.progressed(job, attempt, file, Bytes(150)));
    assert_eq!(shown(&world, 100), Bytes(150));
    world.command(job, Command::Suspend).expect("suspended");
    assert_eq!(shown(&world, 100), Bytes(150), "the stop is on its way");
    world.report(job, Report::Durable { attempt, file, upto: Bytes(150) });
    assert_eq!(shown(&world, 150), Bytes(150));
    assert!(world.queue.live.is_empty(), "nothing is kept of a job at rest");

    world.command(job, Command::Resume).expect("resumed");
    world.grant();
    let attempt = world.written[&job].attempt;
    assert!(world.queue.progressed(job, attempt, file, Bytes(170)));
    let cancel = world.request(ANNA, Request::Command { job, command: Command::Cancel });
    world.turn(cancel);
    assert!(world.queue.live.is_empty());
}
