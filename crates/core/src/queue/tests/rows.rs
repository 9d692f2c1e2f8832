//! The rows in which queued jobs wait: what they keep, and that nobody is looked at who needs not be.

use super::*;
use crate::conditions::{Hold, Needs};
use crate::queue::rows::{Joins, Rows};
use crate::queue::turns::{Line, Order, Place, Terms};
use crate::remote_name::HostTag;

const MANY: u32 = 10_000;

fn id(number: u32) -> JobId {
    let mut id = [0; 16];
    // Spread, as ids are.
    id[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B9).to_be_bytes());
    JobId(id)
}

fn place(host: u64, has_begun: bool, at: u64) -> Place {
    let line = Line { priority: Priority::Normal, owner: Owner(1000), host: HostTag(host << 20) };
    Place { line, has_begun, order: Order::at(Timestamp(at)), terms: Terms::default() }
}

fn open(_: Needs) -> Option<Hold> {
    None
}

fn closed(_: Needs) -> Option<Hold> {
    Some(Hold::Power)
}

fn many() -> Rows {
    let mut rows = Rows::default();
    for number in 0..MANY {
        rows.insert(id(number), place(1, false, u64::from(number / 100)), Joins::AtTheEnd, open);
    }
    rows
}

fn waiting(rows: &Rows) -> Vec<JobId> {
    rows.waiting_on(Priority::Normal).collect()
}

#[test]
fn a_job_joins_leaves_and_is_put_back_without_a_look_at_the_others() {
    let mut rows = many();
    let expected: Vec<JobId> = (0..MANY).map(id).collect();
    assert_eq!(waiting(&rows), expected);
    assert!(rows.looked_at <= MANY as usize, "one look for each: {}", rows.looked_at);
    rows.looked_at = 0;
    // Out of the middle, one after the other, and back in the opposite order, as a turn is undone.
    let taken: Vec<u32> = (MANY / 2 - 50..MANY / 2 + 50).rev().step_by(3).chain([0, MANY - 1]).collect();
    let mut undo = Vec::new();
    for number in &taken {
        let (at, _) = rows.get(id(*number)).expect("it waits");
        undo.push((*number, at, rows.before(id(*number))));
        rows.remove(id(*number));
    }
    assert_eq!(waiting(&rows).len(), expected.len() - taken.len());
    for (number, at, before) in undo.into_iter().rev() {
        rows.insert(id(number), at, Joins::Behind(before), open);
    }
    assert_eq!(waiting(&rows), expected);
    assert_eq!(rows.looked_at, 0);
    // Behind somebody who has gone meanwhile it is put where it belongs all the same.
    let (at, _) = rows.get(id(5)).expect("it waits");
    let before = rows.before(id(5));
    rows.remove(id(5));
    rows.remove(before.expect("there is one"));
    rows.insert(id(5), at, Joins::Behind(before), open);
    let expected: Vec<JobId> = (0..MANY).filter(|number| *number != 4).map(id).collect();
    assert_eq!(waiting(&rows), expected);
}

#[test]
fn who_is_queued_at_the_same_time_or_while_the_clock_goes_back_comes_after_who_was_there() {
    let mut rows = Rows::default();
    for (number, at) in [(1, 50), (2, 50), (3, 10), (4, 50), (5, 60)] {
        rows.insert(id(number), place(1, false, at), Joins::AtTheEnd, open);
    }
    assert_eq!(waiting(&rows), [1, 2, 3, 4, 5].map(id));
    // One that waited since before then and is taken over only now comes first.
    rows.insert(id(6), place(1, false, 40), Joins::ByOrder, open);
    rows.insert(id(7), place(1, false, 40), Joins::ByOrder, open);
    assert_eq!(waiting(&rows), [6, 7, 1, 2, 3, 4, 5].map(id));
    assert_eq!((rows.ahead_of(id(3), 100), rows.ahead_of(id(3), 2)), (4, 2));
}

#[test]
fn jobs_of_one_millisecond_are_taken_over_in_their_order_without_a_look_at_those_that_came_before_or_after() {
    const TAKEN_OVER: u32 = 1000;
    let mut rows = Rows::default();
    let adopt = |rows: &mut Rows, number: u32, at: u64| {
        rows.insert(id(number), place(1, false, at), Joins::Adopted, open);
    };
    let new = |number: u32| id(2 * TAKEN_OVER + number);
    for number in 0..TAKEN_OVER {
        // One joins for each that is taken over, as the service works already.
        rows.insert(new(number), place(1, false, 9000), Joins::AtTheEnd, open);
        adopt(&mut rows, number, 50);
    }
    let looked_at = rows.looked_at;
    assert!(looked_at <= 2 * TAKEN_OVER as usize, "one look for each: {looked_at}");
    let mut expected: Vec<JobId> = (0..TAKEN_OVER).chain(2 * TAKEN_OVER..3 * TAKEN_OVER).map(id).collect();
    assert_eq!(waiting(&rows), expected);

    // Whoever was taken over last may have its turn meanwhile, and its entry be used again.
    rows.remove(id(TAKEN_OVER - 1));
    rows.insert(new(TAKEN_OVER), place(1, false, 9000), Joins::AtTheEnd, open);
    adopt(&mut rows, TAKEN_OVER, 50);
    adopt(&mut rows, TAKEN_OVER + 1, 51);
    expected.splice(TAKEN_OVER as usize - 1..TAKEN_OVER as usize, [TAKEN_OVER, TAKEN_OVER + 1].map(id));
    expected.push(new(TAKEN_OVER));
    assert_eq!(waiting(&rows), expected);
    assert!(rows.looked_at <= looked_at + 3, "one look for each: {}", rows.looked_at - looked_at);
    // One that is older than those comes before them all the same.
    adopt(&mut rows, TAKEN_OVER + 2, 40);
    adopt(&mut rows, TAKEN_OVER + 3, 40);
    adopt(&mut rows, TAKEN_OVER + 4, 52);
    expected.splice(..0, [TAKEN_OVER + 2, TAKEN_OVER + 3].map(id));
    expected.insert(TAKEN_OVER as usize + 3, id(TAKEN_OVER + 4));
    assert_eq!(waiting(&rows), expected);
    for job in &expected {
        rows.remove(*job);
    }
    adopt(&mut rows, 1, 50);
    assert_eq!(waiting(&rows), [id(1)], "of those that have left nothing is left");
}

#[test]
fn conditions_hold_back_rows_and_not_jobs() {
    let mut rows = many();
    rows.insert(id(MANY), place(2, true, 0), Joins::AtTheEnd, open);
    rows.looked_at = 0;
    let changed = rows.change_holds(closed);
    assert_eq!(changed.iter().map(|row| row.count).collect::<Vec<_>>(), [MANY, 1]);
    assert!(rows.change_holds(closed).is_empty(), "they are held already");
    assert_eq!(rows.looked_at, 0);
    assert_eq!(rows.get(id(7)).and_then(|(_, hold)| hold), Some(Hold::Power));
    assert_eq!((waiting(&rows), rows.first(place(1, false, 0).line, false)), (Vec::new(), None));
    // Whoever joins is held back too, and a row that comes anew by what holds then.
    assert!(rows.insert(id(MANY + 1), place(1, false, 0), Joins::AtTheEnd, open));
    assert!(!rows.insert(id(MANY + 2), place(3, false, 0), Joins::AtTheEnd, open));
    assert_eq!(waiting(&rows), [id(MANY + 2)]);
}

#[test]
fn all_are_gone_when_all_have_left_and_places_are_used_again() {
    let mut rows = many();
    for round in 0..3 {
        for number in 0..MANY {
            assert!(rows.remove(id(number)).is_some(), "{round} {number}");
            assert!(rows.get(id(number)).is_none());
            rows.insert(id(number), place(1, false, 0), Joins::AtTheEnd, open);
        }
        assert_eq!(waiting(&rows), (0..MANY).map(id).collect::<Vec<_>>(), "{round}");
    }
    for number in 0..MANY {
        rows.remove(id(number));
    }
    assert_eq!((waiting(&rows), rows.remove(id(1))), (Vec::new(), None));
    rows.insert(id(1), place(1, false, 0), Joins::AtTheEnd, open);
    assert_eq!(waiting(&rows), [id(1)]);
}

#[test]
fn a_queued_job_takes_no_more_than_forty_bytes_and_a_place_in_a_table() {
    const { assert!(Rows::ENTRY_BYTES <= 40) };
}
