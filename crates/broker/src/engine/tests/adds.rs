//! New jobs cost one commit a turn, and nothing is read for them.

use super::*;

/// An engine in this thread.
fn with_engine(
    is_full: &Arc<Mutex<bool>>,
    test: impl FnOnce(&mut Engine<'_>, &mut dyn FnMut() -> Vec<Done>),
) {
    let (did, done) = channel();
    let mut disk = Disk::new(Arc::default(), Arc::clone(is_full), did.clone());
    let clock = Steps(Mutex::new(0));
    let mut hands = Hands { done: did, has_key: true };
    let mut engine = Engine::start(&mut disk, &clock, &mut hands, Limits::default()).expect("it starts");
    // What is due at the start is done.
    engine.turn(Vec::new());
    test(&mut engine, &mut || done.try_iter().collect());
}

fn new_job(number: u32, has_new_id: bool) -> NewJob {
    let mut id = [7; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let name = RemoteName::parse("http://h.test/f").expect("a name").0;
    let mut file = NewFile::new(name, LocalName::parse("/tmp/f").expect("a name"));
    file.ranges = Ranges::new(vec![ByteRange { offset: Bytes(0), length: Some(Bytes(9)) }]).expect("ranges");
    let request = Request::Create {
        id: JobId(id),
        properties: Box::new(Properties::named(format!("job {number}")).expect("a name")),
        files: vec![file],
        secrets: Vec::new(),
        resume: false,
    };
    NewJob { ticket: Ticket(number.into()), request, has_new_id }
}

pub(super) fn call(numbers: std::ops::Range<u32>, has_new_id: bool, are_shown: bool) -> Input {
    let jobs = numbers.map(|number| new_job(number, has_new_id)).collect();
    Input::Create(NewJobs { caller: ANNA, jobs, are_shown })
}

#[test]
fn the_new_jobs_of_a_call_are_written_by_one_commit_and_nothing_is_read_for_them() {
    with_engine(&Arc::default(), |engine, done| {
        for (numbers, has_new_id, are_shown, reads) in [
            (0..1, true, true, 0),
            (1..1001, true, false, 0),
            // Somebody may have made such a job before.
            (1001..1004, false, true, 3),
        ] {
            let (count, before) = (numbers.len(), ACCESSES.get());
            engine.turn(vec![call(numbers.clone(), has_new_id, are_shown)]);
            assert_eq!(ACCESSES.get() - before, reads + 1, "{numbers:?}: but for the commit");
            let mut done = done().into_iter();
            assert!(matches!(done.next(), Some(Done::Committed)), "nothing is answered before");
            let mut answered = 0;
            for (done, number) in done.zip(numbers) {
                match done {
                    Done::Answered(ticket, Ok(Response::Job { view, .. })) if are_shown => {
                        assert_eq!((ticket, view.progress.files_total), (Ticket(number.into()), 1));
                        assert_eq!(view.progress.bytes_total, Some(Bytes(9)));
                    }
                    Done::Answered(ticket, Ok(Response::Done)) if !are_shown => {
                        assert_eq!(ticket, Ticket(number.into()));
                    }
                    other => panic!("{other:?}"),
                }
                answered += 1;
            }
            assert_eq!(answered, count);
        }
    });
}

#[test]
fn a_job_that_is_there_is_not_made_again() {
    with_engine(&Arc::default(), |engine, done| {
        engine.turn(vec![call(0..1, false, true), call(0..1, false, true)]);
        engine.turn(vec![call(0..1, false, true)]);
        let done = done();
        let commits = done.iter().filter(|done| matches!(done, Done::Committed)).count();
        let revisions: Vec<_> = done
            .iter()
            .filter_map(|done| match done {
                Done::Answered(_, Ok(Response::Job { view, .. })) => Some(view.job.revision.0),
                _ => None,
            })
            .collect();
        assert_eq!((commits, revisions), (1, vec![1, 1, 1]));
    });
}

#[test]
fn when_the_jobs_of_a_call_cannot_be_written_each_is_refused() {
    let is_full = Arc::new(Mutex::new(true));
    with_engine(&is_full, |engine, done| {
        engine.turn(vec![call(0..3, true, false)]);
        let refused = done().into_iter().filter(|done| matches!(done, Done::Answered(_, Err(_)))).count();
        assert_eq!(refused, 3);
        *is_full.lock().expect("the flag") = false;
        engine.turn(vec![call(0..3, true, true)]);
        let made = done().into_iter().filter(|done| matches!(done, Done::Answered(_, Ok(_)))).count();
        assert_eq!(made, 3, "and can be made when there is room");
    });
}
