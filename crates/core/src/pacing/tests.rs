//! Stories of politeness, at a bottleneck of numbers: who is there, who comes, who keeps what.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::bottleneck::{Flow, Link, SEGMENT, World};
use super::{
    ConnectionId, Controller, MinimumShare, PathId, Sample, Standing, TICK, TargetDelay, Tick, Weight,
};
use crate::job::Priority;
use crate::units::Bytes;

/// The part of its solo throughput that `foreground` keeps beside us, from 5 s after it came until
/// it goes 15 s later.
fn kept(link: Link, foreground: &Flow, has_counters: bool) -> (f64, World) {
    let foreground = foreground.clone().seconds(10.0, 30.0);
    let mut solo = World::new(link, vec![foreground.clone()]);
    solo.run_until(30.0);
    let mut world = World::new(link, vec![Flow::polite(), foreground]);
    world.has_counters = has_counters;
    world.run_until(42.0);
    (world.megabits(1, 15.0, 30.0) / solo.megabits(0, 15.0, 30.0), world)
}

fn fill(world: &World, from: f64, until: f64) -> f64 {
    world.megabits(0, from, until) / world.link.payload()
}

#[test]
fn alone_we_fill_the_link_and_hardly_a_queue() {
    for megabits in [5.0, 20.0, 50.0, 100.0] {
        for base in [10, 20, 60, 150] {
            let link = Link { megabits, ..Link::USUAL };
            let mut world = World::new(link, vec![Flow::polite().with_base(base)]);
            world.run_until(30.0);
            let (median, high) = (world.queue_millis(0.5, 5.0, 30.0), world.queue_millis(0.95, 5.0, 30.0));
            let case = format!("{megabits} Mbit/s, {base} ms: {median:.1}, {high:.1} ms of queue");
            // A slow link has to have some segments in its queue.
            let segments = 3.0 * 12.0 / megabits;
            let filled = fill(&world, 5.0, 30.0);
            assert!(filled >= 0.94, "{case}: {filled:.3}");
            assert!(median <= 6.0 + segments && high <= 12.0 + segments, "{case}");
        }
    }
}

#[test]
fn who_fills_the_queue_keeps_the_link_and_we_come_back_when_it_goes() {
    for buffer_millis in [20.0, 100.0, 200.0] {
        let link = Link { buffer_millis, ..Link::USUAL };
        for (name, foreground) in [("cubic", Flow::cubic()), ("bbr", Flow::bbr())] {
            let ours = foreground.clone().on_our_machine();
            for (where_, foreground, has_counters) in
                [("here", &ours, true), ("elsewhere", &foreground, true), ("uncounted", &ours, false)]
            {
                let case = format!("{name} {where_}, {buffer_millis} ms of buffer");
                let (kept, world) = kept(link, foreground, has_counters);
                assert!(kept >= 0.96, "{case}: keeps {kept:.3}");
                let left = world.until_rate(0, 10.0, |rate| rate < link.payload() / 10.0);
                assert!(
                    left.is_some_and(|seconds| seconds <= if buffer_millis < 50.0 { 2.5 } else { 1.0 }),
                    "{case}: gone after {left:?}"
                );
                let back = world.until_rate(0, 30.0, |rate| rate > 0.9 * link.payload());
                assert!(back.is_some_and(|seconds| seconds <= 5.5), "{case}: back after {back:?}");
            }
        }
    }
}

#[test]
fn several_connections_are_one_to_everybody_else() {
    let foreground = Flow::cubic().seconds(10.0, 30.0);
    let mut flows: Vec<_> = (0..6).map(|_| Flow::polite()).collect();
    flows.push(foreground);
    let mut world = World::new(Link::USUAL, flows);
    world.run_until(30.0);
    let ours = |from, until| (0..6).map(|flow| world.megabits(flow, from, until)).sum::<f64>();
    assert!(ours(3.0, 10.0) / world.link.payload() >= 0.94);
    assert!(world.megabits(6, 15.0, 30.0) / world.link.payload() >= 0.95);
}

#[test]
fn a_video_keeps_its_rate_and_we_use_the_rest() {
    let video = Flow::steady(5.0).on_our_machine().seconds(5.0, 60.0);
    let mut world = World::new(Link::USUAL, vec![Flow::polite(), video]);
    world.run_until(40.0);
    assert!(world.megabits(1, 10.0, 40.0) >= 4.95);
    let ours = world.megabits(0, 10.0, 40.0);
    assert!(ours >= 30.0, "{ours:.1}");
    assert!(world.queue_millis(0.95, 10.0, 40.0) <= 8.0);
}

#[test]
fn small_things_that_others_fetch_are_hardly_later() {
    for (where_, least_beside) in [("here", 0.45), ("elsewhere", 0.15)] {
        let fetching = |flow: Flow| if where_ == "here" { flow.on_our_machine() } else { flow };
        let fetches = fetching(Flow::fetches(200 * 1024, 400)).seconds(5.0, 60.0);
        let mut solo = World::new(Link::USUAL, vec![fetches.clone()]);
        solo.run_until(60.0);
        let mut world = World::new(Link::USUAL, vec![Flow::polite(), fetches]);
        world.run_until(60.0);
        let median = |flow: &Flow| {
            let mut millis = flow.fetch_millis.clone();
            millis.sort_unstable();
            millis[millis.len() / 2]
        };
        let later = median(&world.flows[1]).saturating_sub(median(&solo.flows[0]));
        assert!(later <= 30, "{where_}: {later} ms later");
        let left = world.link.payload() - world.megabits(1, 10.0, 60.0);
        let beside = world.megabits(0, 10.0, 60.0) / left;
        assert!(beside >= least_beside, "{where_}: {beside:.2} of the rest");
    }
}

#[test]
fn machines_that_are_all_polite_share_and_the_last_one_does_not_take_all() {
    let flows = [0.0, 10.0, 20.0].into_iter().enumerate();
    let flows = flows.map(|(index, from)| Flow::of_controller(index).seconds(from, 999.0)).collect();
    let mut world = World::new(Link::USUAL, flows);
    world.run_until(120.0);
    let rates: Vec<_> = (0..3).map(|flow| world.megabits(flow, 60.0, 120.0)).collect();
    let sum: f64 = rates.iter().sum();
    assert!(sum / world.link.payload() >= 0.9, "{rates:.1?}");
    assert!(rates.iter().all(|rate| *rate >= 0.1 * sum), "{rates:.1?}");
    assert!(world.queue_millis(0.5, 60.0, 120.0) <= 10.0);
}

#[test]
fn noise_of_the_path_below_the_target_and_late_ticks_cost_little() {
    for (jitter, target, late_ticks, least) in [
        (2_000, TargetDelay::QUIET, None, 0.85),
        (10_000, TargetDelay::WIRELESS, None, 0.85),
        (0, TargetDelay::QUIET, Some((10, 15_000)), 0.9),
        (0, TargetDelay::QUIET, Some((50, 150_000)), 0.9),
    ] {
        let mut world = World::new(Link::USUAL, vec![Flow::polite()]);
        world.controllers = vec![Controller::new(target, MinimumShare::NOTHING)];
        (world.jitter, world.late_ticks) = (jitter, late_ticks);
        world.run_until(60.0);
        let filled = fill(&world, 5.0, 60.0);
        assert!(filled >= least, "{jitter} µs, {late_ticks:?}: {filled:.2}");
    }
}

#[test]
fn a_path_that_becomes_longer_or_shorter_or_the_link_another_one_is_found_again() {
    let change = |world: &mut World, base: u64, megabits: f64| {
        world.flows[0].base = base * 1000;
        world.link.megabits = megabits;
    };
    for (base, megabits) in [(45, 50.0), (28, 50.0), (8, 50.0), (20, 10.0), (20, 200.0), (60, 10.0)] {
        let mut world = World::new(Link::USUAL, vec![Flow::polite()]);
        world.run_until(15.0);
        change(&mut world, base, megabits);
        world.run_until(110.0);
        let (filled, high) = (fill(&world, 80.0, 110.0), world.queue_millis(0.95, 80.0, 110.0));
        assert!(filled >= 0.9, "{base} ms, {megabits} Mbit/s: {filled:.2}");
        assert!(high <= 13.0 + 36.0 / megabits, "{base} ms, {megabits} Mbit/s: {high:.1} ms");
    }
}

#[test]
fn a_competitor_is_not_taken_for_a_longer_path_however_long_it_stays() {
    let foreground = Flow::cubic().seconds(5.0, 200.0);
    let mut world = World::new(Link::USUAL, vec![Flow::polite(), foreground]);
    world.run_until(200.0);
    assert!(world.megabits(1, 20.0, 200.0) / world.link.payload() >= 0.96);
}

#[test]
fn a_machine_that_slept_goes_on_and_a_clock_that_stepped_does_no_harm() {
    // Microseconds without a tick, and by which the clock is ahead afterwards.
    for (asleep, ahead) in [(400_000, 0), (30_000_000, 0), (0, 3_600_000_000), (0, 86_400_000_000)] {
        let mut world = World::new(Link::USUAL, vec![Flow::polite()]);
        world.run_until(15.0);
        world.late_ticks = Some((1, asleep + 1));
        world.run_until(15.02);
        (world.late_ticks, world.clock_ahead) = (None, ahead);
        world.run_until(50.0);
        let filled = fill(&world, 48.0, 50.0);
        assert!(filled >= 0.9, "asleep {asleep} µs, {ahead} µs ahead: {filled:.2}");
    }
    // And back again, which a steady clock never does.
    let mut world = World::new(Link::USUAL, vec![Flow::polite()]);
    world.clock_ahead = 1_000_000_000;
    world.run_until(15.0);
    world.clock_ahead = 0;
    world.run_until(25.0);
    assert!(fill(&world, 20.0, 25.0) >= 0.9);
}

#[test]
fn a_job_of_higher_priority_gets_more_and_none_gets_nothing() {
    let mut flows = vec![Flow::polite(), Flow::polite(), Flow::polite()];
    for (flow, priority) in flows.iter_mut().zip([Priority::High, Priority::Normal, Priority::Low]) {
        flow.priority = priority;
    }
    let mut world = World::new(Link::USUAL, flows);
    world.run_until(30.0);
    let rates: Vec<_> = (0..3).map(|flow| world.megabits(flow, 10.0, 30.0)).collect();
    assert!(rates[0] > 1.5 * rates[1] && rates[1] > 1.5 * rates[2], "{rates:.1?}");
    assert!(rates[2] > 3.0, "{rates:.1?}");
}

#[test]
fn what_a_slow_server_does_not_use_is_for_the_others() {
    let mut flows = vec![Flow::polite(), Flow::polite().with_base(80), Flow::polite()];
    flows[0].server_limit = 125_000.0;
    let mut world = World::new(Link::USUAL, flows);
    world.run_until(40.0);
    let rates: Vec<_> = (0..3).map(|flow| world.megabits(flow, 15.0, 40.0)).collect();
    let sum: f64 = rates.iter().sum();
    assert!(rates[0] >= 0.8, "{rates:.1?}");
    assert!(sum / world.link.payload() >= 0.94, "{rates:.1?}");
}

#[test]
fn a_server_that_is_slower_than_the_link_gets_no_window_that_runs_away() {
    let mut flow = Flow::polite();
    flow.server_limit = 500_000.0;
    let mut world = World::new(Link::USUAL, vec![flow]);
    world.run_until(20.0);
    assert!(world.megabits(0, 5.0, 20.0) >= 3.8);
    // A foreground that comes now finds nothing of ours in its way.
    let window = world.controllers[0].window();
    assert!(window <= Bytes(60_000), "{window}");
}

#[test]
fn a_minimum_share_is_kept_beside_others_and_no_more() {
    let foreground = Flow::cubic().seconds(10.0, 99.0);
    let mut world = World::new(Link::USUAL, vec![Flow::polite(), foreground]);
    let share = MinimumShare::new(20).expect("a share");
    world.controllers = vec![Controller::new(TargetDelay::QUIET, share)];
    world.run_until(40.0);
    let part = world.megabits(0, 20.0, 40.0) / world.link.payload();
    assert!((0.12..0.3).contains(&part), "{part:.2}");
}

#[test]
fn without_time_stamps_we_are_still_polite() {
    let mut ours = Flow::polite();
    ours.has_timestamps = false;
    let mut world = World::new(Link::USUAL, vec![ours, Flow::cubic().seconds(20.0, 40.0)]);
    world.run_until(40.0);
    let filled = fill(&world, 10.0, 20.0);
    assert!(filled >= 0.7, "{filled:.2}");
    assert!(world.queue_millis(0.5, 10.0, 20.0) <= 20.0);
    assert!(world.megabits(1, 25.0, 40.0) / world.link.payload() >= 0.9);
}

#[test]
fn at_least_two_segments_are_left_to_one_connection_whatever_is_measured() {
    let mut controller = Controller::new(TargetDelay::QUIET, MinimumShare::NOTHING);
    let sample = |round_trip, carried| Sample {
        id: ConnectionId(1),
        path: PathId(1),
        weight: Weight::of(Priority::Low),
        round_trip,
        carried: Bytes(carried),
        on_wire: Bytes(u64::MAX - carried),
        losses: carried,
        segment: Bytes(SEGMENT),
    };
    let oddities = [
        (None, 0, None),
        (Some(Duration::ZERO), 1, Some(0)),
        (Some(Duration::MAX), u64::MAX, Some(u64::MAX)),
        (Some(Duration::from_nanos(1)), 0, None),
        (Some(Duration::from_secs(1)), 10_000, Some(5)),
    ];
    for round in 0..2000_u32 {
        let (round_trip, carried, interface) = oddities[(round as usize * 7 / 3) % oddities.len()];
        let connections = if round % 17 == 0 { vec![] } else { vec![sample(round_trip, carried)] };
        let decision = controller.tick(Tick {
            now: TICK * (round ^ (round / 64)),
            connections: &connections,
            departed: Bytes(u64::from(round)),
            interface: interface.map(Bytes),
            neighbours: Bytes(u64::from(round) * 1000),
        });
        assert!(decision.window >= Bytes(2 * SEGMENT - 1), "{decision:?}");
        assert!(decision.window <= Bytes(64 << 20), "{decision:?}");
        assert_eq!(decision.shares.len(), connections.len());
        assert!(decision.shares.iter().all(|share| share.window.is_some()));
    }
}

#[test]
fn a_competitor_elsewhere_sends_us_away_and_its_end_brings_us_back() {
    let foreground = Flow::cubic().seconds(10.0, 20.0);
    let mut world = World::new(Link::USUAL, vec![Flow::polite(), foreground]);
    let mut standings = Vec::new();
    for step in 0..250 {
        world.run_until(f64::from(step) * 0.1);
        let standing = world.controllers[0].standing();
        if standings.last() != Some(&standing) {
            standings.push(standing);
        }
    }
    standings.retain(|standing| *standing != Standing::Drain);
    standings.dedup();
    assert_eq!(standings.first(), Some(&Standing::Start));
    assert_eq!(standings.last(), Some(&Standing::Cruise));
    assert!(standings.contains(&Standing::Yield), "{standings:?}");
}
