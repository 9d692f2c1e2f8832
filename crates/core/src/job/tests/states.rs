//! The tables of the state machine (`bits.md` §3), one line a cell: the state, what is done or has
//! happened, and what follows. A point means that the state stays.

use super::*;

/// A job that has come to the state called `name`, in its first attempt where it had one.
fn reached(name: &str) -> Job {
    const QUEUED: &str = "owner resumes -> queued\n";
    const CONNECTING: &str = "owner resumes -> queued\nqueue grants -> connecting; begin 1\n";
    let transferring = [CONNECTING, "worker connected 1 -> transferring\n"].concat();
    let transferred = [&transferring, "worker file 1 -> .\nworker done 1 -> transferred\n"].concat();
    let script = match name {
        "suspended" => String::new(),
        "queued" => QUEUED.to_string(),
        "connecting" => CONNECTING.to_string(),
        "transferring" => transferring,
        "transient_error" => [CONNECTING, "worker lost 1 -> transient_error\n"].concat(),
        "error" => [CONNECTING, "worker fails 1 -> error\n"].concat(),
        "transferred" => transferred,
        "acknowledged" => [
            &transferred,
            "owner completes -> .; finalize\nworker finalized -> acknowledged; forget secrets\n",
        ]
        .concat(),
        "cancelled" => "owner cancels -> cancelled; forget secrets; discard\n".to_string(),
        other => panic!("no state `{other}`"),
    };
    let job = check_scenario(a_job(), &script);
    assert_eq!(job.state.name(), name);
    job
}

/// Each line of `table` is `state: who does what -> what follows`, and a cell of its own.
#[track_caller]
fn check_cells(table: &str) {
    let mut cells = 0;
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (state, step) = line.split_once(':').expect("a line is `state: step`");
        check_scenario(reached(state), step);
        cells += 1;
    }
    assert!(cells >= 9, "only {cells} cells");
}

/// §3.1: what an owner commands. `0x80200002` is INV.
#[test]
fn every_command_has_its_answer_in_every_state() {
    check_cells(
        "
        suspended:       owner resumes   -> queued
        queued:          owner resumes   -> .
        connecting:      owner resumes   -> .
        transferring:    owner resumes   -> .
        transient_error: owner resumes   -> queued
        error:           owner resumes   -> queued
        transferred:     owner resumes   -> .
        acknowledged:    owner resumes   -> refused 0x80200002
        cancelled:       owner resumes   -> refused 0x80200002

        suspended:       owner suspends  -> .
        queued:          owner suspends  -> suspended
        connecting:      owner suspends  -> suspended; stop 1
        transferring:    owner suspends  -> suspended; stop 1
        transient_error: owner suspends  -> suspended
        error:           owner suspends  -> .
        transferred:     owner suspends  -> .
        acknowledged:    owner suspends  -> refused 0x80200002
        cancelled:       owner suspends  -> refused 0x80200002

        suspended:       owner completes -> .; finalize
        queued:          owner completes -> suspended; finalize
        connecting:      owner completes -> suspended; stop 1; finalize
        transferring:    owner completes -> suspended; stop 1; finalize
        transient_error: owner completes -> suspended; finalize
        error:           owner completes -> .; finalize
        transferred:     owner completes -> .; finalize
        acknowledged:    owner completes -> refused 0x80200002
        cancelled:       owner completes -> refused 0x80200002

        suspended:       owner cancels   -> cancelled; forget secrets; discard
        queued:          owner cancels   -> cancelled; forget secrets; discard
        connecting:      owner cancels   -> cancelled; stop 1; forget secrets; discard
        transferring:    owner cancels   -> cancelled; stop 1; forget secrets; discard
        transient_error: owner cancels   -> cancelled; forget secrets; discard
        error:           owner cancels   -> cancelled; forget secrets; discard
        transferred:     owner cancels   -> cancelled; forget secrets; discard
        acknowledged:    owner cancels   -> refused 0x80200002
        cancelled:       owner cancels   -> refused 0x80200002
        ",
    );
}

/// §3.1, Resume of a job without files: EMPTY, and the job stays where it is.
#[test]
fn without_files_resume_is_refused_and_the_job_stays_suspended() {
    let mut job = a_job();
    job.files_total = 0;
    let job = check_scenario(job, "owner resumes -> refused 0x80200003");
    assert_eq!((job.state, job.resumed), (State::Suspended, false));
}

/// §3.1: the ways to ACKNOWLEDGED; whatever the state, what is whole is kept and the job is over.
#[test]
fn a_job_is_complete_from_every_state_once_its_files_are_in_place() {
    for state in
        ["suspended", "queued", "connecting", "transferring", "transient_error", "error", "transferred"]
    {
        let mut job = reached(state);
        job.apply(Command::Complete, Timestamp(0)).expect("it is not over");
        let job = check_scenario(job, "worker finalized -> acknowledged; forget secrets");
        assert_eq!(job.error, None, "{state}");
    }
}

/// §3.1, last row: whether GetError has something.
#[test]
fn an_error_is_there_until_the_job_transfers_again() {
    for (state, is_there) in [
        ("suspended", false),
        ("queued", false),
        ("connecting", false),
        ("transferring", false),
        ("transient_error", true),
        ("error", true),
        ("transferred", false),
        ("acknowledged", false),
        ("cancelled", false),
    ] {
        assert_eq!(reached(state).error.is_some(), is_there, "{state}");
    }
    // After an error: in each state on the way until it is superseded.
    let mut job = reached("transient_error");
    for (step, is_there) in [
        ("owner suspends -> suspended", true),
        ("owner resumes -> queued", true),
        ("queue grants -> connecting; begin 2", true),
        ("worker connected 2 -> transferring", false),
        ("worker fails 2 -> error", true),
        ("owner suspends -> .", true),
    ] {
        job = check_scenario(job, step);
        assert_eq!(job.error.is_some(), is_there, "{step}");
    }
    let cancelled = check_scenario(job.clone(), "owner cancels -> cancelled; forget secrets; discard");
    assert!(cancelled.error.is_some(), "it may still be asked what was wrong");
    let acknowledged = "owner completes -> .; finalize\nworker finalized -> acknowledged; forget secrets";
    assert_eq!(check_scenario(job, acknowledged).error, None);
}

/// §3.1, second table: setters with a narrower window.
#[test]
fn some_setters_have_a_narrower_window() {
    let method = || PropertyChange::HttpMethod(Method::parse("REPORT").expect("a method"));
    let dynamic = || PropertyChange::DynamicContent(true);
    let size = || PropertyChange::MaxDownloadSize(Bytes(7));
    let fast = || PropertyChange::HighPerformance(true);
    let acl = || PropertyChange::FileAclFlags(4);
    const RESUMED: Option<u32> = Some(0x8020_0062);
    const HAS_FILES: Option<u32> = Some(0x8020_0061);
    const INVALID: Option<u32> = Some(0x8020_0002);
    for (state, [by_resume, by_file, by_transferred]) in [
        ("suspended", [None, HAS_FILES, None]),
        ("queued", [RESUMED, HAS_FILES, None]),
        ("connecting", [RESUMED, HAS_FILES, None]),
        ("transferring", [RESUMED, HAS_FILES, None]),
        ("transient_error", [RESUMED, HAS_FILES, None]),
        ("error", [RESUMED, HAS_FILES, None]),
        ("transferred", [RESUMED, HAS_FILES, INVALID]),
    ] {
        for (change, expected) in [
            (dynamic(), by_resume),
            (size(), by_resume),
            (method(), by_resume),
            (fast(), by_file),
            (acl(), by_transferred),
        ] {
            let mut job = reached(state);
            let before = job.clone();
            let refused = job.set(change.clone()).err().map(|refusal| refusal.code().0);
            assert_eq!(refused, expected, "{state}: {change:?}");
            assert!(refused.is_none() || job == before, "a refused change changes nothing");
        }
    }
    let mut empty = a_job();
    empty.files_total = 0;
    assert_eq!(empty.set(fast()), Ok(()), "before the first file");
    // The priority of a job with a method of its own is never set.
    let mut job = a_job();
    job.set(method()).expect("before it is resumed");
    let refused = job.set(PropertyChange::Priority(Priority::Low)).expect_err("it is fixed");
    assert_eq!(refused.code().0, 0x8020_0071);
}

/// §3.2: what happens to a job, from the states that the table names, and what comes of it where it
/// comes too late. Holds by network, cost and power are the schedule's business.
#[test]
fn what_happens_moves_a_job() {
    check_cells(
        "
        suspended:       queue grants      -> .
        queued:          queue grants      -> connecting; begin 1
        connecting:      queue grants      -> .
        transferring:    queue grants      -> .
        transient_error: queue grants      -> .
        error:           queue grants      -> .
        transferred:     queue grants      -> .
        acknowledged:    queue grants      -> .
        cancelled:       queue grants      -> .

        connecting:      worker connected 1 -> transferring
        transferring:    worker connected 1 -> .
        suspended:       worker connected 1 -> .
        cancelled:       worker connected 1 -> .

        connecting:      worker lost 1     -> transient_error
        transferring:    worker lost 1     -> transient_error
        transient_error: worker lost 1     -> .
        suspended:       worker lost 1     -> .

        connecting:      queue yields      -> queued; stop 1
        transferring:    queue yields      -> queued; stop 1
        queued:          queue yields      -> .
        suspended:       queue yields      -> .

        connecting:      worker fails 1    -> error
        transferring:    worker fails 1    -> error
        error:           worker fails 1    -> .
        acknowledged:    worker fails 1    -> .

        connecting:      worker offline 1  -> transient_error
        transferring:    worker offline 1  -> transient_error
        transferring:    worker locked 1   -> transient_error
        transferring:    worker forbidden 1 -> transient_error

        connecting:      worker lacks-volume 1 -> queued
        transferring:    worker lacks-volume 1 -> queued
        queued:          worker lacks-volume 1 -> .
        suspended:       worker lacks-volume 1 -> .

        transient_error: clock 2           -> queued
        transient_error: clock 0.5         -> .
        error:           clock 9999999     -> .
        suspended:       clock 9999999     -> .

        connecting:      time over         -> error; stop 1
        transferring:    time over         -> error; stop 1
        queued:          time over         -> .
        transient_error: time over         -> .
        suspended:       time over         -> .
        transferred:     time over         -> .

        suspended:       nobody cares      -> cancelled; forget secrets; discard
        queued:          nobody cares      -> cancelled; forget secrets; discard
        connecting:      nobody cares      -> cancelled; stop 1; forget secrets; discard
        transferring:    nobody cares      -> cancelled; stop 1; forget secrets; discard
        transient_error: nobody cares      -> cancelled; forget secrets; discard
        error:           nobody cares      -> cancelled; forget secrets; discard
        transferred:     nobody cares      -> cancelled; forget secrets; discard
        acknowledged:    nobody cares      -> .
        cancelled:       nobody cares      -> .

        suspended:       content wrong     -> error
        queued:          content wrong     -> error
        connecting:      content wrong     -> error; stop 1
        transferring:    content wrong     -> error; stop 1
        transient_error: content wrong     -> error
        error:           content wrong     -> .
        transferred:     content wrong     -> error
        acknowledged:    content wrong     -> .
        cancelled:       content wrong     -> .
        ",
    );
}

/// §3.2, last file done: the completion time is set.
#[test]
fn the_last_file_ends_the_transfer_and_sets_its_time() {
    let script = "clock 7 -> .\nworker file 1 -> .\nworker done 1 -> transferred";
    for state in ["connecting", "transferring"] {
        let job = check_scenario(reached(state), script);
        assert_eq!(job.times.transfer_completed, Some(Timestamp(7_000)), "{state}");
    }
    assert_eq!(reached("transferring").times.transfer_completed, None);
}

/// §3.2, last row: a service that starts again queues what was running.
#[test]
fn after_a_start_what_ran_is_queued_and_goes_on() {
    for state in ["connecting", "transferring"] {
        let mut job = reached(state);
        job.adopt();
        check_scenario(job, "queue grants -> connecting; begin 2");
    }
}

/// §1.3, GetErrorCount: what counts as an error and what is only waited for.
#[test]
fn an_error_counts_once_and_waiting_does_not() {
    for (script, count) in [
        ("worker lost 1 -> transient_error", 1),
        ("worker fails 1 -> error", 1),
        ("time over -> error; stop 1", 1),
        ("worker offline 1 -> transient_error", 0),
        ("worker locked 1 -> transient_error", 0),
        ("worker lacks-volume 1 -> queued", 0),
        ("worker forbidden 1 -> transient_error", 0),
        // Each failed retry counts, and nothing makes it less.
        (
            "
            worker lost 1      -> transient_error
            clock 2            -> queued
            queue grants       -> connecting; begin 2
            worker lost 2      -> transient_error
            owner resumes      -> queued
            queue grants       -> connecting; begin 3
            worker connected 3 -> transferring
            worker advanced 3  -> .
            owner suspends     -> suspended; stop 3
            owner resumes      -> queued
            ",
            2,
        ),
    ] {
        assert_eq!(check_scenario(reached("transferring"), script).error_count, count, "{script}");
    }
}

/// §3.3, a rename that fails: the job stays, and can be completed again or cancelled.
#[test]
fn a_job_whose_files_could_not_be_renamed_stays_transferred() {
    let stuck = "owner completes -> .; finalize\nworker cannot-finalize -> .\n";
    for end in [
        "owner completes -> .; finalize\nworker finalized -> acknowledged; forget secrets",
        "owner cancels -> cancelled; forget secrets; discard",
    ] {
        let job = check_scenario(reached("transferred"), stuck);
        assert_eq!((job.state, job.error.is_none()), (State::Transferred, true));
        check_scenario(job, end);
    }
}
