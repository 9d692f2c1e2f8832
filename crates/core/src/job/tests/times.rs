//! How long a job may download, wait and be left alone, with clocks that jump and machines that sleep.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// A time in the life of the machine.
const NOW: Timestamp = Timestamp(1_760_000_000_000);

fn running_since(now: Timestamp) -> Job {
    let mut job = a_job();
    job.apply(Command::Resume, now).expect("it has a file");
    job.observe(Event::Granted, now);
    job
}

fn ends(job: &Job) -> Option<Duration> {
    job.download_time_ends(10 * HOUR).map(|end| end.since(NOW))
}

/// `bits.md` §1.5: CONNECTING and TRANSFERRING count, QUEUED, SUSPENDED and TRANSIENT_ERROR do not.
#[test]
fn only_time_on_the_way_counts_and_resume_gives_all_of_it_again() {
    let mut job = running_since(NOW);
    assert_eq!(ends(&job), Some(10 * HOUR));
    job.observe(Event::Connected(Attempt(1)), NOW + HOUR);
    assert_eq!(ends(&job), Some(10 * HOUR), "connecting counts");
    job.observe(Event::Failed(Attempt(1), error(true)), NOW + 2 * HOUR);
    assert_eq!(ends(&job), None, "waiting does not count");
    job.observe(Event::TimePassed, NOW + 3 * HOUR);
    job.observe(Event::Granted, NOW + 5 * HOUR);
    assert_eq!(ends(&job), Some(13 * HOUR), "two hours are used up");
    job.observe(Event::Yielded, NOW + 6 * HOUR);
    job.observe(Event::Granted, NOW + 9 * HOUR);
    assert_eq!(ends(&job), Some(16 * HOUR), "three are");
    job.apply(Command::Resume, NOW + 10 * HOUR).expect("it runs");
    assert_eq!(ends(&job), Some(20 * HOUR), "all of it again");
    job.apply(Command::Suspend, NOW + 11 * HOUR).expect("it runs");
    job.apply(Command::Resume, NOW + 11 * HOUR).expect("it rests");
    job.observe(Event::Granted, NOW + 12 * HOUR);
    assert_eq!(ends(&job), Some(22 * HOUR));
}

#[test]
fn a_job_may_have_a_time_of_its_own_and_is_in_error_when_it_is_over() {
    let mut job = running_since(NOW);
    job.set(PropertyChange::MaximumDownloadTime(Some(HOUR))).expect("a time");
    assert_eq!(ends(&job), Some(HOUR));
    let over = job.out_of_time(10 * HOUR);
    assert_eq!(job.observe(over, NOW + HOUR), [Effect::Stop(Attempt(1))]);
    let error = job.error.clone().expect("it is in error");
    assert_eq!((job.state, error.code.0, error.transient), (State::Error, 0x8020_0054, false));
    assert_eq!((error.context, error.file), (ErrorContext::GeneralQueueManager, None));
    assert!(error.message.contains("3600 seconds"), "{}", error.message);
    job.apply(Command::Resume, NOW + 2 * HOUR).expect("it goes on");
    job.observe(Event::Granted, NOW + 2 * HOUR);
    assert_eq!(ends(&job), Some(3 * HOUR));
}

/// A service that ended while the job ran: how long it lay there is not the job's time.
#[test]
fn time_in_which_no_service_ran_does_not_count() {
    let mut job = running_since(NOW);
    job.observe(Event::Connected(Attempt(1)), NOW + HOUR);
    job.adopt();
    job.observe(Event::Granted, NOW + 20 * DAY);
    assert_eq!(ends(&job), Some(20 * DAY + 9 * HOUR));
}

/// The times of all decisions move along with the clock, forward and back.
#[test]
fn a_clock_that_is_set_changes_no_time_that_a_job_has() {
    for (change, new) in [
        (ClockChange::Forward(365 * DAY), NOW + 365 * DAY),
        (ClockChange::Back(365 * DAY), Timestamp(NOW.0 - 365 * 86_400_000)),
        (ClockChange::Back(Duration::MAX), Timestamp(0)),
    ] {
        let mut job = running_since(NOW);
        job.clock_was_set(change, new);
        let end = job.download_time_ends(10 * HOUR).expect("it runs");
        assert_eq!(end.since(new), 10 * HOUR, "{change:?}");
        assert_eq!(job.active_at, new, "{change:?}");

        let mut job = running_since(NOW);
        job.observe(Event::Failed(Attempt(1), error(true)), NOW);
        let wait = job.next_wake(NOW).expect("it waits").since(NOW);
        job.clock_was_set(change, new);
        let waits = job.next_wake(new).expect("it waits").since(new);
        assert!(waits <= wait, "{change:?}: {waits:?}");
        job.observe(Event::TimePassed, new + wait);
        assert_eq!(job.state, State::Queued, "{change:?}: it is tried again and not given up");
    }
}

/// A clock that was ahead when the service started, and is set right: what was written before is no
/// older for that.
#[test]
fn a_clock_that_was_wrong_for_a_while_makes_no_job_older() {
    let mut job = running_since(NOW);
    job.observe(Event::Failed(Attempt(1), error(true)), NOW);
    job.clock_was_set(ClockChange::Back(365 * DAY), NOW + HOUR);
    assert_eq!((job.active_at, job.stalled_since), (NOW, Some(NOW)));
}

/// A machine that sleeps for weeks while a job waits: it has not tried in vain for all that time.
#[test]
fn after_a_long_sleep_a_job_is_tried_once_more_before_it_is_given_up() {
    let mut job = running_since(NOW);
    job.observe(Event::Failed(Attempt(1), error(true)), NOW);
    let awake = NOW + 30 * DAY;
    job.observe(Event::TimePassed, awake);
    assert_eq!(job.state, State::Queued);
    job.observe(Event::Granted, awake);
    let mut lucky = job.clone();
    lucky.observe(Event::Advanced(Attempt(2)), awake);
    lucky.observe(Event::Failed(Attempt(2), error(true)), awake);
    assert!(matches!(lucky.state, State::TransientError { .. }), "bytes have moved: all patience again");
    job.observe(Event::Failed(Attempt(2), error(true)), awake);
    assert_eq!(job.state, State::Error, "fourteen days are over");
}

/// `bits.md` §3.2: the purge timer is reset by progress and by what the owner does, by nothing else.
#[test]
fn a_job_is_cared_for_by_progress_and_by_its_owner_and_not_by_retries() {
    let mut job = running_since(NOW);
    let later = NOW + DAY;
    job.observe(Event::Connected(Attempt(1)), later);
    job.observe(Event::Failed(Attempt(1), error(true)), later);
    job.observe(Event::TimePassed, later + HOUR);
    assert_eq!((job.state, job.active_at), (State::Queued, NOW), "a retry is no progress");
    job.observe(Event::Granted, later + HOUR);
    job.observe(Event::Advanced(Attempt(2)), later + HOUR);
    assert_eq!(job.active_at, later + HOUR);
    job.apply(Command::Suspend, later + DAY).expect("it runs");
    assert_eq!(job.active_at, later + DAY);
}
