//! Notifications as scenarios: what happens to a job, and what is told of it.

use alloc::borrow::ToOwned;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::error::{Code, ErrorContext, JobError};
use crate::job::{Job, JobId, Owner, Properties, PropertyChange, Revision, State};
use crate::remote_name::RemoteName;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

fn command() -> NotifyCommand {
    NotifyCommand { program: "/bin/true".to_owned(), arguments: Vec::new() }
}

fn url() -> RemoteName {
    RemoteName::parse("https://h.test/hook").expect("a URL").0
}

/// A job that has both ways of being told of.
fn a_job() -> Job {
    let mut properties = Properties::named("n".to_owned()).expect("a name");
    properties.notify.command = Some(command());
    properties.notify.webhook = Some(url());
    let mut job = Job::new(JobId([1; 16]), Owner(1), properties, NOW);
    job.state = State::Transferring;
    job.files_total = 1;
    job
}

/// `job` after `change`, and which ways tell what of it from then on.
fn after(job: &Job, change: impl FnOnce(&mut Job)) -> (Job, Vec<(Channel, Happened)>) {
    let mut changed = job.clone();
    change(&mut changed);
    follow(Some(job), &mut changed, NOW);
    let pending = changed.outbox.pending.iter().map(|notice| (notice.channel, notice.happened)).collect();
    (changed, pending)
}

fn enter(state: State) -> impl FnOnce(&mut Job) {
    move |job| {
        job.state = state;
        if state == State::Transferred {
            job.files_transferred = 1;
        }
    }
}

const COMMAND_T: (Channel, Happened) = (Channel::Command, Happened::Transferred);
const WEBHOOK_T: (Channel, Happened) = (Channel::Webhook, Happened::Transferred);
const COMMAND_E: (Channel, Happened) = (Channel::Command, Happened::Error);
const WEBHOOK_E: (Channel, Happened) = (Channel::Webhook, Happened::Error);

#[test]
fn the_end_of_a_job_is_told_by_each_way_that_it_has_and_nothing_else_is() {
    for (state, expected) in [
        (State::Transferred, vec![COMMAND_T, WEBHOOK_T]),
        (State::Error, vec![COMMAND_E, WEBHOOK_E]),
        (State::TransientError { retry_at: NOW }, vec![]),
        (State::Queued, vec![]),
        (State::Suspended, vec![]),
        (State::Cancelled, vec![]),
    ] {
        assert_eq!(after(&a_job(), enter(state)).1, expected, "{state:?}");
    }
}

#[test]
fn flags_say_what_is_told_and_disable_is_above_them_all() {
    for (mask, state, expected) in [
        (0x1, State::Transferred, vec![COMMAND_T, WEBHOOK_T]),
        (0x1, State::Error, vec![]),
        (0x2, State::Transferred, vec![]),
        (0x2, State::Error, vec![COMMAND_E, WEBHOOK_E]),
        (0x7, State::Error, vec![]),
        (0x3c, State::Transferred, vec![]),
        (0x0, State::Transferred, vec![]),
    ] {
        let mut job = a_job();
        job.properties.notify.flags = NotifyFlags::from_mask(mask).expect("a mask");
        assert_eq!(after(&job, enter(state)).1, expected, "{mask:#x} {state:?}");
    }
    assert!(NotifyFlags::from_mask(0x40).is_err());
}

#[test]
fn who_has_acted_needs_no_command_but_the_report_of_what_happened_still_goes_out() {
    let (failed, _) = after(&a_job(), enter(State::Error));
    let (transferred, _) = after(&a_job(), enter(State::Transferred));
    for (job, state, expected) in [
        (&failed, State::Queued, vec![WEBHOOK_E]),
        (&failed, State::Acknowledged, vec![WEBHOOK_E]),
        (&failed, State::Cancelled, vec![]),
        (&transferred, State::Acknowledged, vec![WEBHOOK_T]),
        (&transferred, State::Cancelled, vec![]),
        (&transferred, State::Transferred, vec![COMMAND_T, WEBHOOK_T]),
    ] {
        assert_eq!(after(job, |job| job.state = state).1, expected, "{state:?}");
    }
    let (resumed, _) = after(&failed, enter(State::Queued));
    let expected = vec![WEBHOOK_E, COMMAND_T, WEBHOOK_T];
    assert_eq!(after(&resumed, enter(State::Transferred)).1, expected);
}

#[test]
fn a_job_that_the_service_completes_is_told_of_when_its_files_have_their_names() {
    let mut job = a_job();
    job.properties.complete_when_done = true;
    let (transferred, pending) = after(&job, enter(State::Transferred));
    assert_eq!(pending, []);
    let (_, pending) = after(&transferred, |job| job.state = State::Acknowledged);
    assert_eq!(pending, [COMMAND_T, WEBHOOK_T]);
    let (_, pending) = after(&job, |job| job.state = State::Acknowledged);
    assert_eq!(pending, [], "completed by its owner, without its file");
}

#[test]
fn who_is_named_after_it_has_happened_is_told_at_once() {
    let mut job = a_job();
    job.properties.notify = NotifyOptions::default();
    let (transferred, pending) = after(&job, enter(State::Transferred));
    assert_eq!(pending, []);
    let set = |change| move |job: &mut Job| job.set(change).expect("it can be set");
    let (with_command, pending) = after(&transferred, set(PropertyChange::NotifyCommand(Some(command()))));
    assert_eq!(pending, [COMMAND_T]);
    let (_, pending) = after(&with_command, set(PropertyChange::Description("other".to_owned())));
    assert_eq!(pending, [COMMAND_T], "once");
    let (_, pending) = after(&with_command, set(PropertyChange::Webhook(Some(url()))));
    assert_eq!(pending, [COMMAND_T, WEBHOOK_T]);
    let (_, pending) = after(&with_command, set(PropertyChange::NotifyCommand(None)));
    assert_eq!(pending, []);
    let off = NotifyFlags::from_mask(NotifyFlags::DISABLE).expect("a mask");
    let (_, pending) = after(&with_command, set(PropertyChange::NotifyFlags(off)));
    assert_eq!(pending, []);
}

#[test]
fn webhooks_that_nobody_takes_do_not_gather_without_end() {
    let mut job = a_job();
    for _ in 0..40 {
        job = after(&job, enter(State::Error)).0;
        job = after(&job, enter(State::Queued)).0;
    }
    let numbers: Vec<u32> = job.outbox.pending.iter().map(|notice| notice.number).collect();
    assert_eq!(numbers.len(), 16);
    assert_eq!(numbers.last(), Some(&80), "the newest is there: {numbers:?}");
}

#[test]
fn a_try_that_fails_is_made_again_after_longer_and_longer_until_it_is_too_late() {
    let (mut job, _) = after(&a_job(), enter(State::Error));
    let limits = NotifyLimits::default();
    let mut now = NOW;
    let mut delays = Vec::new();
    while let Some(due) = job.outbox.failed(1, "exit code 1", None, &limits, now) {
        delays.push(due.since(now).as_secs());
        now = due;
    }
    assert_eq!(delays[..12], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    let all: u64 = delays.iter().sum();
    assert!((85_000..86_400).contains(&all), "a day: {all}");
    assert!(job.outbox.notice(1).is_none() && job.outbox.notice(2).is_some());
    assert_eq!(job.outbox.failure.as_deref(), Some("the notification command for error: exit code 1"));

    let (mut job, _) = after(&a_job(), enter(State::Error));
    let due = job.outbox.failed(1, "", Some(Duration::from_secs(600)), &limits, NOW);
    assert_eq!(due, Some(NOW + Duration::from_secs(600)), "as the owner has said");
    job.outbox.heard(1);
    assert_eq!((job.outbox.notice(1), job.outbox.failure.as_ref()), (None, None));
}

#[test]
fn of_two_that_wait_it_is_said_which_was_not_heard_until_that_one_is() {
    let (mut job, _) = after(&a_job(), enter(State::Error));
    let limits = NotifyLimits::default();
    let fail = |job: &mut Job, number, reason| job.outbox.failed(number, reason, None, &limits, NOW);
    let failure = |job: &Job| job.outbox.failure.clone().unwrap_or_default();
    fail(&mut job, 1, "exit code 1");
    assert_eq!(failure(&job), "the notification command for error: exit code 1");
    fail(&mut job, 2, "h.test answered 500");
    assert_eq!(failure(&job), "the webhook for error: h.test answered 500");
    job.outbox.heard(1);
    assert_eq!(failure(&job), "the webhook for error: h.test answered 500", "that one waits still");
    job.outbox.heard(2);
    assert_eq!(failure(&job), "");
}

#[test]
fn what_a_callback_has_heard_needs_no_command_and_what_it_has_not_needs_one_now() {
    let (mut job, _) = after(&a_job(), enter(State::Error));
    job.outbox.pending[0].due = NOW + Duration::from_secs(5);
    let mut failed = job.clone();
    failed.outbox.heard_by_callback(Happened::Error, false, NOW);
    assert!(failed.outbox.pending[0].past_callback);
    assert_eq!(failed.outbox.pending[0].due, NOW);
    job.outbox.heard_by_callback(Happened::Transferred, true, NOW);
    assert_eq!(job.outbox.pending.len(), 2, "that was something else");
    job.outbox.heard_by_callback(Happened::Error, true, NOW);
    assert_eq!(
        job.outbox.pending.iter().map(|notice| notice.channel).collect::<Vec<_>>(),
        [Channel::Webhook]
    );
}

#[test]
fn an_error_is_told_with_its_code() {
    let (job, _) = after(&a_job(), |job| {
        job.state = State::Error;
        job.error = Some(JobError {
            code: Code::DISK_FULL,
            context: ErrorContext::LocalFile,
            transient: false,
            message: "full".to_owned(),
            file: None,
            challenge: None,
            retry_after_seconds: None,
        });
    });
    assert_eq!(job.outbox.pending[1].code, Some(Code::DISK_FULL));
}

#[test]
fn a_command_line_of_bits_is_taken_apart_as_windows_does_it() {
    for (text, expected) in [
        ("", vec![]),
        ("prog", vec![]),
        ("prog a  b\tc", vec!["a", "b", "c"]),
        (r#""my prog" "a b" "" c"#, vec!["a b", "", "c"]),
        (r#"p a\b "c\\" \"d\\\"e $(x) `y`"#, vec![r"a\b", r"c\", r#""d\"e"#, "$(x)", "`y`"]),
        ("p {GUID} 'a b'", vec!["{GUID}", "'a", "b'"]),
    ] {
        let parsed = NotifyCommand::of_command_line("/p", text);
        assert_eq!(
            (parsed.program.as_str(), parsed.arguments),
            ("/p", expected.into_iter().map(str::to_owned).collect()),
            "{text}"
        );
    }
}

#[test]
fn a_program_is_named_by_an_absolute_path_within_limits() {
    let with = |program: &str, arguments: Vec<alloc::string::String>| NotifyCommand {
        program: program.to_owned(),
        arguments,
    };
    for (command, code) in [
        (with("true", vec![]), Code::INVALID_ARGUMENT),
        (with("", vec![]), Code::INVALID_ARGUMENT),
        (with("~/run", vec![]), Code::INVALID_ARGUMENT),
        (with("/a\0b", vec![]), Code::INVALID_ARGUMENT),
        (with("/a", vec!["b\0".to_owned()]), Code::INVALID_ARGUMENT),
        (with(&"/a".repeat(2048), vec![]), Code::STRING_TOO_LONG),
        (with("/a", vec!["b".repeat(ARGUMENTS_BYTES_MAX)]), Code::STRING_TOO_LONG),
        (with("/a", vec!["".to_owned(); ARGUMENTS_MAX + 1]), Code::STRING_TOO_LONG),
    ] {
        assert_eq!(command.check().expect_err("it cannot be run").code(), code);
    }
    assert_eq!(with("/a b", vec!["$(x) \n'\"".to_owned()]).check(), Ok(()));
}

/// What is seen of a job at one moment.
fn seen(revision: u64, happened: Option<(Happened, u64)>, files: u32) -> Seen {
    Seen {
        revision: Revision(revision),
        flags: NotifyFlags::from_mask(0x3b).expect("a mask"),
        minimum_interval: Duration::from_millis(500),
        happened,
        files_transferred: files,
    }
}

const T: Call = Call::Happened(Happened::Transferred);
const E: Call = Call::Happened(Happened::Error);

#[test]
fn callbacks_come_in_order_files_first_then_the_end_and_changes_last() {
    let mut callbacks = Callbacks::default();
    let transferred = Some((Happened::Transferred, 7));
    let mut told = Vec::new();
    for (at, what) in [
        (0, seen(1, None, 0)),
        (10, seen(2, None, 0)),
        (20, seen(3, None, 1)),
        (600, seen(4, None, 1)),
        (700, seen(5, transferred, 3)),
        (1200, seen(6, transferred, 3)),
    ] {
        callbacks.see(what);
        told.push((at, callbacks.all(Timestamp(at))));
    }
    assert_eq!(
        told,
        [
            (0, vec![]),
            (10, vec![Call::Modification]),
            (20, vec![Call::Files]),
            (600, vec![Call::Modification]),
            (700, vec![Call::Files, T]),
            (1200, vec![Call::Modification]),
        ]
    );
}

#[test]
fn changes_are_told_at_most_once_in_an_interval_and_the_last_one_is_told() {
    let mut callbacks = Callbacks::default();
    let mut calls = 0;
    for step in 0..1000_u64 {
        callbacks.see(seen(step, None, 0));
        calls += callbacks.all(Timestamp(step * 10)).len();
    }
    assert_eq!(calls, 20, "ten seconds of changes, one each half second");
    let wake = callbacks.next_wake().expect("one is still to be told");
    assert_eq!(callbacks.all(wake), [Call::Modification]);
    assert_eq!((callbacks.next_wake(), callbacks.all(wake)), (None, vec![]));
}

#[test]
fn what_stands_is_told_however_late_somebody_registers_and_once() {
    let mut callbacks = Callbacks::default();
    let error = |count| Some((Happened::Error, count));
    callbacks.see(seen(9, error(1), 5));
    assert_eq!(callbacks.all(NOW), [E], "no file: those were whole before");
    callbacks.see(seen(9, error(1), 5));
    assert_eq!(callbacks.all(NOW), [], "the service was started again");
    callbacks.see(seen(15, error(2), 6));
    assert_eq!(callbacks.all(NOW), [Call::Files, E], "resumed and failed again while nobody looked");
}

#[test]
fn a_callback_that_fails_is_called_again_later() {
    let mut callbacks = Callbacks::default();
    callbacks.see(seen(1, Some((Happened::Error, 1)), 0));
    assert_eq!(callbacks.next(NOW), Some(E));
    callbacks.heard(false, NOW);
    assert_eq!(callbacks.next(NOW), None);
    let again = callbacks.next_wake().expect("it is called again");
    assert_eq!(again, NOW + Duration::from_secs(1));
    assert_eq!(callbacks.next(again), Some(E));
    callbacks.heard(true, again);
    assert_eq!((callbacks.next(again), callbacks.next_wake()), (None, None));
}

#[test]
fn a_callback_hears_nothing_that_its_flags_leave_out() {
    for (mask, expected) in [
        (0x01, vec![T]),
        (0x02, vec![]),
        (0x04 | 0x3b, vec![]),
        (0x08, vec![]),
        (0x10, vec![Call::Files]),
        (0x20, vec![Call::Ranges]),
    ] {
        let flags = NotifyFlags::from_mask(mask).expect("a mask");
        let mut callbacks = Callbacks::default();
        callbacks.see(Seen { flags, ..seen(1, None, 0) });
        callbacks.ranges_came();
        callbacks.see(Seen { flags, ..seen(2, Some((Happened::Transferred, 3)), 1) });
        assert_eq!(callbacks.all(NOW), expected, "{mask:#x}");
    }
}
