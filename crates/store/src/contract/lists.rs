//! The clauses about many jobs: lists, counts, and what is unfinished.

use bits_core::access::{Audience, Caller};
use bits_core::conditions::{CostFlags, Way};
use bits_core::http_options::ProxyUse;
use bits_core::job::{Job, Owner, Priority, Revision, State};
use bits_core::notify::Outbox;
use bits_core::ports::{Batch, Cursor, Filter, JobChange, Page, QueuedJob, Store, list_of_everybody};
use bits_core::remote_name::HostTag;
use bits_core::time::Timestamp;

use super::samples::{self, ALICE, ALL_STATES, BOB, full_error, id, job};
use super::{add, change, ids, list, live, unfinished};

pub(super) fn a_list_is_paged_oldest_first(store: &mut dyn Store) {
    // Three made in the same moment, in the order of their ids; ids are no clock.
    let created = |number: u8, at| {
        let mut job = job(number);
        job.times.created = Timestamp(at);
        job
    };
    let jobs =
        [created(5, 0), created(1, 3), created(2, 3), created(7, 3), created(4, 8), created(3, 1 << 50)];
    for at in [3, 0, 5, 2, 4, 1] {
        add(store, &jobs[at]);
    }
    let expected: Vec<_> = jobs.iter().map(|job| job.id).collect();
    for limit in 1..=7 {
        let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = list(store, &live(), after, limit);
            assert!(page.jobs.len() <= limit, "{limit}");
            seen.extend(ids(&page));
            pages += 1;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!((&seen, pages), (&expected, 6_usize.div_ceil(limit)), "{limit} at a time");
    }
}

pub(super) fn a_list_goes_on_after_a_job_that_is_gone(store: &mut dyn Store) {
    for number in 1..=4 {
        add(store, &job(number));
    }
    let next = list(store, &live(), None, 2).next;
    change(store, Revision(1), &Job { revision: Revision(2), state: State::Cancelled, ..job(2) });
    assert_eq!(store.forget_final(Timestamp(100)), Ok(1));
    assert_eq!(ids(&list(store, &live(), next, 9)), [id(3), id(4)]);
}

pub(super) fn a_list_has_only_what_its_filter_wants(store: &mut dyn Store) {
    for (number, state) in (1..).zip(ALL_STATES) {
        add(store, &Job { state, ..job(number) });
        add(store, &Job { state, owner: BOB, ..job(number + 100) });
    }
    for (number, state) in (1..).zip(ALL_STATES) {
        let filter = Filter { state: Some(state.name()), ..live() };
        assert_eq!(ids(&list(store, &filter, None, 9)), [id(number)], "{state:?}");
        assert_eq!(ids(&list(store, &Filter { owner: BOB, ..filter }, None, 9)), [id(number + 100)]);
    }
    assert_eq!(
        ids(&list(store, &live(), None, 9)),
        (1..=7).map(id).collect::<Vec<_>>(),
        "final ones are not"
    );
    let asks = Filter { state: Some("error"), challenged: true, ..live() };
    assert_eq!(list(store, &asks, None, 9), Page::default(), "no error is about credentials");
    let challenged = |number| Job { state: State::Error, error: Some(full_error()), ..job(number) };
    add(store, &challenged(50));
    add(store, &challenged(51));
    let first = list(store, &asks, None, 1);
    assert_eq!(ids(&first), [id(50)]);
    assert_eq!(ids(&list(store, &asks, first.next, 1)), [id(51)]);
    for filter in [Filter { state: Some("none"), ..live() }, Filter { owner: Owner(7), ..live() }] {
        assert_eq!(list(store, &filter, None, 9), Page::default(), "{filter:?}");
    }
}

pub(super) fn an_administrators_list_has_everybodys_jobs_by_their_time(store: &mut dyn Store) {
    for number in 1..=6 {
        let owner = if number % 2 == 0 { BOB } else { ALICE };
        add(store, &Job { owner, ..job(number) });
    }
    add(store, &Job { owner: Owner(7), state: State::Cancelled, ..job(7) });
    assert_eq!(store.everybody(), Ok(vec![Owner(7), ALICE, BOB]));
    let everybodys = |store: &mut dyn Store, filter: &Filter, after, limit| {
        let root = Caller { uid: 0 };
        let allowed = Audience::Machine.may_list_everybodys(root).expect("an administrator");
        list_of_everybody(store, allowed, filter, after, limit).expect("a list")
    };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = everybodys(store, &live(), after, 2);
        found.extend(ids(&page));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, (1..=6).map(id).collect::<Vec<_>>());
    let cancelled = Filter { state: Some("cancelled"), ..live() };
    assert_eq!(ids(&everybodys(store, &cancelled, None, 9)), [id(7)]);
}

pub(super) fn a_job_is_called_by_the_start_of_its_id_or_by_its_name(store: &mut dyn Store) {
    let named = |number: u8, name: &str| {
        let mut job = job(number);
        job.properties.display_name = name.into();
        job
    };
    let (whole, start) = (id(2).to_string(), "8e2d0a1b-0203-4405-8607-08090a0b0c1");
    add(store, &named(1, "alpha"));
    add(store, &named(2, "Alpha"));
    add(store, &named(0x10, "alpha"));
    add(store, &named(0x11, &whole));
    add(store, &Job { state: State::Error, ..named(0x12, start) });
    add(store, &Job { state: State::Cancelled, ..named(0x13, "alpha") });
    add(store, &Job { owner: BOB, ..named(0x14, "alpha") });
    let upper = whole.to_ascii_uppercase();
    let braces = format!("{{{upper}}}");
    for (called, expected) in [
        ("alpha", vec![1, 0x10]),
        ("Alpha", vec![2]),
        ("ALPHA", vec![]),
        ("alph", vec![]),
        (&*whole, vec![2, 0x11]),
        (&upper, vec![2]),
        (&braces, vec![2]),
        (start, vec![0x10, 0x11, 0x12]),
        ("8E2D", vec![1, 2, 0x10, 0x11, 0x12]),
        ("8e2d0a1b-", vec![1, 2, 0x10, 0x11, 0x12]),
        ("8e2d0a1b0", vec![]),
        ("8e2", vec![]),
        ("8f00", vec![]),
        ("{8e2d", vec![]),
        ("%", vec![]),
    ] {
        let filter = Filter { called: Some(called.into()), ..live() };
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        assert_eq!(ids(&list(store, &filter, None, 9)), expected, "{called}");
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = list(store, &filter, after, 1);
            seen.extend(ids(&page));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "{called}, one at a time");
    }
    for (state, expected) in [("error", vec![id(0x12)]), ("cancelled", vec![])] {
        let filter = Filter { called: Some(start.into()), state: Some(state), ..live() };
        assert_eq!(ids(&list(store, &filter, None, 9)), expected, "{state}");
    }
}

pub(super) fn many_jobs_that_begin_alike_are_paged_too(store: &mut dyn Store) {
    const MANY: u16 = 5000;
    let number_of = |number: u16| {
        let mut job = job(0);
        job.id.0[14..].copy_from_slice(&number.to_be_bytes());
        job.times.created = Timestamp((MANY - number).into());
        job
    };
    let jobs = (0..MANY).map(|number| JobChange { job: number_of(number), was: None }).collect();
    assert_eq!(store.commit(&Batch { jobs, ..Batch::default() }), Ok(()));
    let filter = Filter { called: Some("8e2d".into()), ..live() };
    let first = list(store, &filter, None, 2);
    assert_eq!(ids(&first), [MANY - 1, MANY - 2].map(|number| number_of(number).id));
    let second = list(store, &filter, first.next, usize::from(MANY) - 2);
    assert_eq!((second.jobs.len(), second.next), (usize::from(MANY) - 2, None));
    assert_eq!(second.jobs.last().map(|(job, _)| job.id), Some(number_of(0).id));
    let jobs = (0..MANY).map(|number| {
        let was = number_of(number);
        let job = Job { state: State::Cancelled, revision: Revision(was.revision.0 + 1), ..was.clone() };
        JobChange { job, was: Some(was.revision) }
    });
    let over = Batch { jobs: jobs.collect(), ..Batch::default() };
    assert_eq!(store.commit(&over), Ok(()));
    let filter = Filter { state: Some("cancelled"), ..filter };
    assert_eq!(ids(&list(store, &filter, None, 2)), [], "by the start of an id only what is live is found");
}

pub(super) fn jobs_are_counted_by_state(store: &mut dyn Store) {
    assert_eq!(store.counts(ALICE), Ok(vec![]));
    for (number, state) in (1..).zip(ALL_STATES) {
        add(store, &Job { state, ..job(number) });
    }
    add(store, &job(20));
    add(store, &Job { owner: BOB, ..job(21) });
    let counts = |store: &mut dyn Store, owner| {
        let mut counts = store.counts(owner).expect("counts");
        counts.sort_unstable();
        counts
    };
    let expected =
        ["connecting", "error", "queued", "suspended", "transferred", "transferring", "transient_error"]
            .map(|state| (state, if state == "suspended" { 2 } else { 1 }));
    assert_eq!(counts(store, ALICE), expected);
    change(store, Revision(1), &Job { revision: Revision(2), state: State::Error, ..job(20) });
    change(store, Revision(1), &Job { revision: Revision(2), state: State::Cancelled, ..job(1) });
    let mut expected = expected.to_vec();
    (expected[1].1, expected[3].1) = (2, 1);
    expected.remove(2);
    assert_eq!(counts(store, ALICE), expected);
    assert_eq!(counts(store, BOB), [("suspended", 1)]);
}

pub(super) fn unfinished_jobs_are_those_that_something_is_to_be_done_for(store: &mut dyn Store) {
    let mut expected = Vec::new();
    let mut number = 0;
    for state in ALL_STATES {
        for (complete_when_done, discard_pending) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            for outbox in [Outbox::default(), samples::full_outbox()] {
                for error in [None, Some(full_error())] {
                    number += 1;
                    let has_notices = !outbox.pending.is_empty();
                    let was_asked = state == State::Queued && error.is_some();
                    let mut job =
                        Job { state, discard_pending, outbox: outbox.clone(), error, ..job(number) };
                    job.properties.complete_when_done = complete_when_done;
                    add(store, &job);
                    let to_be_completed = state == State::Transferred && complete_when_done;
                    if state.is_running() || discard_pending || to_be_completed || has_notices || was_asked {
                        expected.push(job);
                    }
                }
            }
        }
    }
    assert_eq!(unfinished(store), expected);
    let gone = Job { revision: Revision(2), state: State::Suspended, ..expected[0].clone() };
    change(store, Revision(1), &gone);
    assert_eq!(unfinished(store), expected[1..]);
}

pub(super) fn queued_jobs_come_in_parts_in_the_order_of_their_priorities(store: &mut dyn Store) {
    let mut expected = Vec::new();
    let mut number = 0;
    for state in ALL_STATES {
        for priority in Priority::ALL {
            for created in [7, 3, 3] {
                number += 1;
                let owner = if number % 2 == 0 { BOB } else { ALICE };
                let mut job = Job { state, owner, host: HostTag(u64::from(number) << 48), ..job(number) };
                job.times.created = Timestamp(created);
                job.properties.priority = priority;
                let flags = CostFlags::new(u32::from(number) + 1).expect("flags");
                job.properties.transfer.cost_flags = (created == 3).then_some(flags);
                job.properties.http.proxy = match number % 3 {
                    0 => ProxyUse::Preconfigured,
                    1 => ProxyUse::Direct,
                    _ => {
                        ProxyUse::Override { list: "http://127.0.0.1:3128".to_owned(), bypass: String::new() }
                    }
                };
                // That it was asked for credentials before does not keep a job from its place.
                job.error = (created == 7).then(full_error);
                add(store, &job);
                if state == State::Queued {
                    expected.push(QueuedJob::from(&job));
                }
            }
        }
    }
    expected.sort_unstable_by_key(|job| (job.priority as u8, job.created, job.id));
    for limit in [1, 2, 5, 12, 13, 100] {
        let mut queued: Vec<QueuedJob> = Vec::new();
        while let page = store.queued(queued.last().map(QueuedJob::place), limit).expect("read")
            && !page.is_empty()
        {
            assert!(page.len() <= limit);
            queued.extend(page);
        }
        assert_eq!(queued, expected, "{limit} at a time");
    }
    assert_eq!(expected.len(), 12);
    for way in [Way::Network, Way::LocalProxy, Way::OfSettings] {
        assert!(expected.iter().any(|job| job.way == way), "{way:?}");
    }
}

pub(super) fn jobs_that_wait_for_their_retry_come_in_parts_oldest_first(store: &mut dyn Store) {
    let mut expected = Vec::new();
    for (number, state) in (1..).zip(ALL_STATES.iter().cycle().take(40)) {
        let mut job = Job { state: *state, ..job(number) };
        job.times.created = Timestamp(50 - u64::from(number) / 20);
        add(store, &job);
        if matches!(state, State::TransientError { .. }) {
            expected.push(job);
        }
    }
    expected.sort_by_key(|job| (job.times.created, job.id));
    for limit in [1, 2, 4, 5, 100] {
        let mut retrying: Vec<Job> = Vec::new();
        let place = |job: &Job| Cursor { created: job.times.created, id: job.id };
        while let page = store.retrying(retrying.last().map(place), limit).expect("read")
            && !page.is_empty()
        {
            assert!(page.len() <= limit);
            retrying.extend(page);
        }
        assert_eq!(retrying, expected, "{limit} at a time");
    }
    assert_eq!(expected.len(), 4);
}
