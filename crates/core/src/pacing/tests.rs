//! Stories of politeness, at a bottleneck of numbers: who is there, who comes, who keeps what.

use alloc::vec;

use super::bottleneck::{Flow, Link, SEGMENT, Sender, World};
use super::*;
use crate::job::Priority;

/// What a foreground flow gets alone.
fn solo(link: Link, foreground: Flow, from: f64, until: f64) -> f64 {
    let mut world = World::new(link, vec![foreground]);
    world.run_until(until);
    world.megabits(0, from, until)
}

/// The part of its solo throughput that `foreground` keeps beside us, from 5 s after it came.
fn kept(link: Link, foreground: Flow, has_counters: bool) -> (f64, World) {
    let foreground = foreground.seconds(10.0, 30.0);
    let alone = solo(link, foreground.clone(), 15.0, 30.0);
    let mut world = World::new(link, vec![Flow::polite(), foreground]);
    world.has_counters = has_counters;
    world.run_until(40.0);
    (world.megabits(1, 15.0, 30.0) / alone, world)
}

#[test]
fn alone_we_fill_the_link_and_hardly_a_queue() {
    for megabits in [5.0, 20.0, 50.0, 100.0] {
        for base in [10, 20, 60, 150] {
            let link = Link { megabits, ..Link::USUAL };
            let mut world = World::new(link, vec![Flow::polite().with_base(base)]);
            world.run_until(30.0);
            let fill = world.megabits(0, 5.0, 30.0) / link.payload();
            let (median, high) = (world.queue_millis(0.5, 5.0, 30.0), world.queue_millis(0.95, 5.0, 30.0));
            let case =
                alloc::format!("{megabits} Mbit/s, {base} ms: {fill:.3}, {median:.1} ms, {high:.1} ms");
            #[cfg(not(miri))]
            std::println!("{case}");
            assert!(fill >= 0.94, "{case}");
            let packets = 3.0 * 12.0 / megabits;
            assert!(median <= 6.0 + packets && high <= 12.0 + packets, "{case}");
        }
    }
}

#[test]
fn who_fills_the_queue_keeps_the_link() {
    for buffer_millis in [20.0, 100.0, 200.0] {
        let link = Link { buffer_millis, ..Link::USUAL };
        for (name, foreground) in [("cubic", Flow::cubic()), ("bbr", Flow::bbr())] {
            for is_ours in [true, false] {
                let foreground =
                    if is_ours { foreground.clone().on_our_machine() } else { foreground.clone() };
                let (kept, world) = kept(link, foreground, true);
                let left = world.until_rate(0, 10.0, |rate| rate < 5.0).unwrap_or(99.0);
                let back = world.until_rate(0, 30.0, |rate| rate > 0.9 * link.payload()).unwrap_or(99.0);
                let case =
                    alloc::format!("{name}, {buffer_millis} ms, ours {is_ours}: {kept:.3} {left} {back}");
                std::println!("{case}");
            }
        }
    }
    let _ = (SEGMENT, Priority::Normal, Sender::Steady { bytes_per_second: 0.0 }, Flow::fetches(1, 1));
}
