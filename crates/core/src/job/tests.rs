//! The life of a job as scenarios: who does what, and what follows.

mod states;
mod times;

use alloc::format;
use alloc::string::{String, ToString};

use super::*;
use crate::error::{Code, ErrorContext};
use crate::http_options::Method;
use core::time::Duration;

fn a_job() -> Job {
    let properties = Properties::named("a job".to_string()).expect("a name");
    let mut job = Job::new(JobId([1; 16]), Owner(1000), properties, Timestamp(0));
    job.files_total = 1;
    job
}

/// Performs the left half of each line of `script` and expects the right half.
#[track_caller]
fn check_scenario(mut job: Job, script: &str) -> Job {
    let mut now = Timestamp(0);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (action, expected) = line.split_once("->").expect("a line is `who what -> what follows`");
        let before = job.state;
        let answer = perform(&mut job, action.trim(), &mut now);
        let actual = match answer {
            Err(refusal) => format!("refused {}", refusal.code()),
            Ok(effects) => {
                let state = if job.state == before { "." } else { job.state.name() };
                let effects: String = effects.iter().map(|effect| format!("; {}", word(*effect))).collect();
                format!("{state}{effects}")
            }
        };
        assert_eq!(actual, expected.trim(), "after `{}`", action.trim());
    }
    job
}

fn perform(job: &mut Job, action: &str, now: &mut Timestamp) -> Result<Vec<Effect>, Refusal> {
    let words: Vec<&str> = action.split_whitespace().collect();
    let event = match words.as_slice() {
        ["content", "wrong"] => Event::FileRejected(error(false)),
        ["owner", command] => {
            let command = match *command {
                "resumes" => Command::Resume,
                "suspends" => Command::Suspend,
                "completes" => Command::Complete,
                "cancels" => Command::Cancel,
                other => panic!("no command `{other}`"),
            };
            return job.apply(command, *now);
        }
        ["queue", "grants"] => Event::Granted,
        ["worker", "connected", n] => Event::Connected(attempt(n)),
        ["worker", "advanced", n] => Event::Advanced(attempt(n)),
        ["worker", "file", n] => Event::FileTransferred(attempt(n)),
        ["worker", "begins", n] => Event::FileBegun(attempt(n)),
        ["worker", "passes-over", n] => Event::FilePassedOver(attempt(n), error(false)),
        ["worker", "nonsense", n] => {
            Event::Failed(attempt(n), JobError { code: Code::INVALID_ANSWER, ..error(true) })
        }
        ["worker", "done", n] => Event::FilesTransferred(attempt(n)),
        ["worker", "satisfied", n, heard_of] => {
            Event::Satisfied(attempt(n), heard_of.parse().expect("a number"))
        }
        ["owner", "asks", "for", "more"] => {
            job.demands += 1;
            return Ok(Vec::new());
        }
        ["worker", "lost", n] => Event::Failed(attempt(n), error(true)),
        ["worker", "fails", n] => Event::Failed(attempt(n), error(false)),
        ["queue", "yields"] => Event::Yielded,
        ["worker", "locked", n] => waits(n, Code::DESTINATION_LOCKED),
        ["worker", "offline", n] => waits(n, Code::NETWORK_DISCONNECTED),
        ["worker", "forbidden", n] => waits(n, Code::BLOCKED_BY_POLICY),
        ["worker", "lacks-volume", n] => {
            Event::VolumeMissing(attempt(n), JobError { code: Code::VOLUME_CHANGED, ..error(true) })
        }
        ["time", "over"] => job.out_of_time(Duration::from_secs(90)),
        ["nobody", "cares"] => Event::Abandoned,
        ["worker", "finalized"] => Event::FilesFinalized,
        ["worker", "cannot-finalize"] => Event::NotFinalized(error(false)),
        ["worker", "discarded"] => Event::FilesDiscarded,
        ["clock", seconds] => {
            *now = *now + Duration::from_secs_f64(seconds.parse().expect("seconds"));
            Event::TimePassed
        }
        other => panic!("nobody does {other:?}"),
    };
    Ok(job.observe(event, *now))
}

/// What a job waits for without having failed.
fn waits(n: &str, code: Code) -> Event {
    Event::Failed(attempt(n), JobError { code, ..error(true) })
}

fn attempt(text: &str) -> Attempt {
    Attempt(text.parse().expect("an attempt's number"))
}

fn error(transient: bool) -> JobError {
    JobError {
        code: Code::CONNECTION_ABORTED,
        context: ErrorContext::GeneralTransport,
        transient,
        message: "the connection to h.test broke".to_string(),
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }
}

fn word(effect: Effect) -> String {
    match effect {
        Effect::Begin(n) => format!("begin {}", n.0),
        Effect::Stop(n) => format!("stop {}", n.0),
        Effect::FinalizeFiles => "finalize".to_string(),
        Effect::DiscardFiles => "discard".to_string(),
        Effect::ForgetSecrets => "forget secrets".to_string(),
    }
}

#[test]
fn a_job_on_demand_rests_when_all_is_here_that_was_asked_for_and_not_before() {
    let mut job = a_job();
    job.set(PropertyChange::OnDemand(true)).expect("before it is resumed");
    let mut job = check_scenario(
        job,
        "
        owner resumes            -> queued
        queue grants             -> connecting; begin 1
        worker satisfied 1 0     -> suspended
        owner asks for more      -> .
        owner resumes            -> queued
        queue grants             -> connecting; begin 2
        worker connected 2       -> transferring
        owner asks for more      -> .
        worker satisfied 1 2     -> .
        worker satisfied 2 1     -> queued
        queue grants             -> connecting; begin 3
        worker satisfied 3 2     -> suspended
        ",
    );
    assert!(job.is_satisfied());
    job.demands += 1;
    assert!(!job.is_satisfied(), "now it waits to be resumed");
    let refused = job.set(PropertyChange::OnDemand(false)).expect_err("it was resumed");
    assert_eq!(refused.code(), Code::READ_ONLY_PROPERTY_AFTER_RESUME);
    assert_eq!(job.set(PropertyChange::OnDemand(true)), Ok(()), "no change");
    let whole = "owner resumes -> queued\nqueue grants -> connecting; begin 4\nworker file 4 -> .\nworker done 4 -> transferred";
    check_scenario(job, whole);
}

#[test]
fn a_file_that_becomes_whole_is_an_advance() {
    let job = check_scenario(
        a_job(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker lost 1       -> transient_error
        owner resumes       -> queued
        queue grants        -> connecting; begin 2
        worker file 2       -> .
        ",
    );
    assert_eq!((job.failures_in_a_row, job.same_failures, job.stalled_since), (0, 0, None));
}

#[test]
fn a_broken_connection_costs_a_retry_and_nothing_else() {
    let job = check_scenario(
        a_job(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker connected 1  -> transferring
        worker lost 1       -> transient_error
        clock 0             -> .
        clock 1.25          -> queued
        queue grants        -> connecting; begin 2
        worker lost 1       -> .
        worker connected 2  -> transferring
        worker file 2       -> .
        worker done 2       -> transferred
        owner completes     -> .; finalize
        worker finalized    -> acknowledged; forget secrets
        ",
    );
    assert_eq!((job.error_count, job.files_left()), (1, 0));
    assert_eq!(job.error, None, "the last error is gone once the job transfers again");
}

#[test]
fn retries_back_off_until_bytes_move_again() {
    check_scenario(
        a_job(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker lost 1       -> transient_error
        clock 1.25          -> queued
        queue grants        -> connecting; begin 2
        worker lost 2       -> transient_error
        clock 1             -> .
        clock 1.5           -> queued
        queue grants        -> connecting; begin 3
        worker connected 3  -> transferring
        worker advanced 3   -> .
        worker lost 3       -> transient_error
        clock 1.25          -> queued
        ",
    );
}

#[test]
fn a_fatal_error_stays_until_its_owner_deals_with_it() {
    let job = check_scenario(
        a_job(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker fails 1      -> error
        clock 86400         -> .
        owner suspends      -> .
        owner resumes       -> queued
        queue grants        -> connecting; begin 2
        ",
    );
    assert!(job.error.is_some(), "the last error stays until the job transfers again");
}

#[test]
fn a_job_that_finds_no_progress_for_too_long_is_given_up() {
    let mut job = a_job();
    job.properties.no_progress_timeout = Duration::from_secs(3);
    check_scenario(
        job.clone(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker lost 1       -> transient_error
        clock 1.25          -> queued
        queue grants        -> connecting; begin 2
        worker lost 2       -> transient_error
        clock 1             -> .
        clock 1             -> error
        ",
    );
    job.properties.no_progress_timeout = Duration::ZERO;
    check_scenario(
        job,
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker lost 1       -> error
        ",
    );
}

#[test]
fn a_job_that_was_given_up_has_all_its_patience_again_when_resumed() {
    let mut job = a_job();
    job.properties.no_progress_timeout = Duration::from_secs(3);
    check_scenario(
        job,
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker lost 1       -> transient_error
        clock 1.25          -> queued
        queue grants        -> connecting; begin 2
        worker lost 2       -> transient_error
        clock 2             -> error
        owner resumes       -> queued
        queue grants        -> connecting; begin 3
        worker lost 3       -> transient_error
        clock 1.25          -> queued
        ",
    );
}

#[test]
fn a_retry_delay_beyond_the_no_progress_timeout_makes_the_first_error_fatal() {
    let mut job = a_job();
    job.properties.minimum_retry_delay = Some(Duration::from_secs(600));
    job.properties.no_progress_timeout = Duration::from_secs(599);
    check_scenario(
        job,
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker lost 1       -> error
        ",
    );
}

#[test]
fn a_job_that_completes_by_itself_needs_no_owner_at_the_end() {
    let mut job = a_job();
    job.properties.complete_when_done = true;
    check_scenario(
        job.clone(),
        "
        owner resumes           -> queued
        queue grants            -> connecting; begin 1
        worker connected 1      -> transferring
        worker file 1           -> .
        worker done 1           -> transferred; finalize
        worker finalized        -> acknowledged; forget secrets
        ",
    );
    check_scenario(
        job,
        "
        owner resumes           -> queued
        queue grants            -> connecting; begin 1
        worker connected 1      -> transferring
        worker file 1           -> .
        worker done 1           -> transferred; finalize
        worker cannot-finalize  -> error
        owner resumes           -> queued
        queue grants            -> connecting; begin 2
        worker done 2           -> transferred; finalize
        worker finalized        -> acknowledged; forget secrets
        ",
    );
}

#[test]
fn a_file_that_cannot_be_put_in_place_leaves_the_job_where_it_is() {
    check_scenario(
        a_job(),
        "
        owner resumes           -> queued
        queue grants            -> connecting; begin 1
        worker connected 1      -> transferring
        worker file 1           -> .
        worker done 1           -> transferred
        owner completes         -> .; finalize
        worker cannot-finalize  -> .
        owner completes         -> .; finalize
        worker finalized        -> acknowledged; forget secrets
        ",
    );
}

#[test]
fn a_cancelled_job_forgets_its_secrets_and_remembers_what_lies_about() {
    let job = check_scenario(
        a_job(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker connected 1  -> transferring
        owner cancels       -> cancelled; stop 1; forget secrets; discard
        worker advanced 1   -> .
        worker done 1       -> .
        ",
    );
    assert!(job.discard_pending);
    let job = check_scenario(job, "worker discarded -> .");
    assert!(!job.discard_pending);
}

#[test]
fn a_transferred_job_to_which_files_are_added_goes_on_when_resumed() {
    let mut job = check_scenario(
        a_job(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker connected 1  -> transferring
        worker file 1       -> .
        worker done 1       -> transferred
        ",
    );
    job.files_total += 1;
    check_scenario(job, "owner resumes -> queued");
}

#[test]
fn a_job_to_which_files_are_added_while_it_transfers_goes_on_with_them() {
    let mut job = check_scenario(
        a_job(),
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker connected 1  -> transferring
        ",
    );
    job.files_total += 1;
    check_scenario(
        job,
        "
        worker file 1       -> .
        worker done 1       -> queued
        queue grants        -> connecting; begin 2
        worker connected 2  -> transferring
        worker file 2       -> .
        worker done 2       -> transferred
        ",
    );
}

#[test]
fn retries_of_jobs_that_failed_together_are_spread_and_one_the_owner_has_set_is_not() {
    let mut times = Vec::new();
    for id in 0..100 {
        let mut job = Job { id: JobId([id; 16]), ..a_job() };
        job.apply(Command::Resume, Timestamp(0)).expect("resumed");
        job.observe(Event::Granted, Timestamp(0));
        job.observe(Event::Failed(Attempt(1), error(true)), Timestamp(0));
        let State::TransientError { retry_at } = job.state else { panic!("it waits") };
        assert!((1000..=1250).contains(&retry_at.0), "{retry_at:?}");
        times.push(retry_at);
    }
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 50, "{times:?}");
    let mut job = a_job();
    job.properties.minimum_retry_delay = Some(Duration::from_secs(600));
    job.apply(Command::Resume, Timestamp(0)).expect("resumed");
    job.observe(Event::Granted, Timestamp(0));
    job.observe(Event::Failed(Attempt(1), error(true)), Timestamp(0));
    assert_eq!(job.state, State::TransientError { retry_at: Timestamp(600_000) });
}

#[test]
fn nonsense_that_comes_ten_times_in_a_row_is_not_waited_out() {
    let again = |n: u32, what: &str, state: &str| {
        format!("queue grants -> connecting; begin {n}\nworker {what} {n} -> {state}\n")
    };
    let mut script = "owner resumes -> queued\n".to_string();
    for n in 1..=9 {
        script += &again(n, "nonsense", "transient_error");
        script += "clock 75 -> queued\n";
    }
    let nearly = script.clone();
    let job = check_scenario(a_job(), &(nearly + &again(10, "nonsense", "error")));
    let error = job.error.expect("an error");
    assert!(!error.transient && error.message.ends_with("(10 times in a row)"), "{}", error.message);

    script += &again(10, "lost", "transient_error");
    script += "clock 75 -> queued\n";
    script += &again(11, "nonsense", "transient_error");
    check_scenario(a_job(), &script);
}

#[test]
fn a_file_that_is_begun_again_and_again_is_given_up() {
    let mut script = "owner resumes -> queued\n".to_string();
    for n in 1..=25 {
        let ends = if n < 25 { "transient_error\nclock 75 -> queued" } else { "error" };
        script += &format!(
            "queue grants -> connecting; begin {n}
             worker begins {n} -> .
             worker connected {n} -> transferring
             worker advanced {n} -> .
             worker lost {n} -> {ends}\n"
        );
    }
    let job = check_scenario(a_job(), &script);
    assert_eq!(job.error.map(|error| error.code), Some(Code::NO_PROGRESS));
    script +=
        "owner resumes -> queued\nqueue grants -> connecting; begin 26\nworker lost 26 -> transient_error";
    check_scenario(a_job(), &script);
}

#[test]
fn a_job_that_keeps_going_ends_in_part_and_says_why() {
    let job = check_scenario(
        Job { files_total: 3, ..a_job() },
        "
        owner resumes         -> queued
        queue grants          -> connecting; begin 1
        worker passes-over 1  -> .
        worker connected 1    -> transferring
        worker file 1         -> .
        worker passes-over 1  -> .
        worker done 1         -> transferred
        ",
    );
    assert_eq!((job.files_left(), job.files_to_come(), job.error_count), (2, 0, 2));
    assert!(job.error.is_some(), "it says why");
    check_scenario(
        Job { files_total: 2, ..a_job() },
        "
        owner resumes         -> queued
        queue grants          -> connecting; begin 1
        worker passes-over 1  -> .
        worker passes-over 1  -> .
        worker done 1         -> error
        ",
    );
}

#[test]
fn every_error_of_a_job_with_a_method_of_its_own_is_final() {
    let mut job = a_job();
    job.set(PropertyChange::HttpMethod(method("REPORT"))).expect("not resumed yet");
    check_scenario(
        job,
        "
        owner resumes       -> queued
        queue grants        -> connecting; begin 1
        worker lost 1       -> error
        owner resumes       -> queued
        ",
    );
}

#[test]
fn a_method_is_fixed_by_the_first_resume_and_a_method_of_its_own_fixes_the_priority() {
    let mut job = a_job();
    let set = |job: &mut Job, change| job.set(change).map_err(|refusal| refusal.code());
    let priority = PropertyChange::Priority;
    for (change, expected) in [
        (priority(Priority::Low), Ok(())),
        (PropertyChange::HttpMethod(method("REPORT")), Ok(())),
        (priority(Priority::Low), Err(Code::NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD)),
        (priority(Priority::Foreground), Ok(())),
        (PropertyChange::HttpMethod(method("GET")), Ok(())),
        (priority(Priority::Low), Ok(())),
        (PropertyChange::HttpMethod(method("REPORT")), Ok(())),
    ] {
        assert_eq!(set(&mut job, change.clone()), expected, "{change:?}");
    }
    assert_eq!(job.properties.priority, Priority::Foreground);
    job.apply(Command::Resume, Timestamp(0)).expect("resumed");
    job.apply(Command::Suspend, Timestamp(0)).expect("suspended");
    let refused = Err(Code::READ_ONLY_PROPERTY_AFTER_RESUME);
    assert_eq!(set(&mut job, PropertyChange::HttpMethod(method("GET"))), refused);
    assert_eq!(set(&mut job, PropertyChange::HttpMethod(method("REPORT"))), Ok(()), "that is no change");
}

fn method(name: &str) -> Method {
    Method::parse(name).expect("a method")
}
