//! How much downloads cost, beside the tools people use and floors that do the least there is.
//!
//! `cargo run --release -p bits-benches` runs contests over loopback. In each round of a contest each
//! contestant runs once, in a fresh folder; OpenBITS with a service of its own whose start, syncs and
//! end are counted. It prints CPU seconds and ratios of medians from one run, since machines are noisy
//! and only what ran side by side compares. Nothing is asserted.

mod aria2;
mod contest;
mod disk;
mod floor;
mod http;
mod measure;
mod must;
mod origin;
mod queue;
mod service;
mod small_things;

use std::process::{Command, ExitCode};

use contest::{Contest, Setup};
use origin::Origin;

/// Bytes of the large file, if nobody says otherwise.
const SIZE: u64 = 2 << 30;
/// Jobs of the longest queue, if nobody says otherwise.
const JOBS: usize = 1_000_000;
/// Rounds, if nobody says otherwise.
const ROUNDS: usize = 5;

const USAGE: &str =
    "usage: bits-benches [--gib N] [--rounds N] [--jobs N] [--only http|checksum|tls|many|small|queue]";

/// What was asked for.
struct Wanted {
    size: u64,
    rounds: usize,
    jobs: usize,
    only: Option<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(outcome) = floor::run(&arguments) {
        return match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("the floor: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(wanted) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bits-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<Wanted> {
    let mut wanted = Wanted { size: SIZE, rounds: ROUNDS, jobs: JOBS, only: None };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next()?;
        match name.as_str() {
            "--gib" => wanted.size = value.parse::<u64>().ok().filter(|gib| *gib > 0)? << 30,
            "--rounds" => wanted.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--jobs" => wanted.jobs = value.parse().ok().filter(|jobs| *jobs >= 1000)?,
            "--only" => wanted.only = Some(value.clone()),
            _ => return None,
        }
    }
    Some(wanted)
}

fn run(wanted: &Wanted) -> Result<(), String> {
    // A queue is measured without a file of it, and making a large one takes a while.
    let size = if wanted.only.as_deref() == Some("queue") { 1 << 20 } else { wanted.size };
    let origin = Origin::start(size).map_err(|error| format!("the origin cannot be started: {error}"))?;
    let setup = Setup::new(&origin, size)?;
    println!("commit {}, load {}, {} rounds", commit(), measure::load(), wanted.rounds);
    let is_wanted = |name: &str| wanted.only.as_deref().is_none_or(|only| only == name);
    for contest in Contest::ALL.into_iter().filter(|contest| is_wanted(contest.name())) {
        setup.hold(contest, wanted.rounds)?;
    }
    if is_wanted("small") {
        small_things::measure(&setup, wanted.rounds.max(SMALL_ROUNDS))?;
    }
    if is_wanted("queue") {
        queue::measure(&setup, wanted.jobs)?;
    }
    println!("load at the end {}", measure::load());
    Ok(())
}

/// What is measured, as far as git knows.
fn commit() -> String {
    let described = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
        .output();
    let described = described.ok().filter(|output| output.status.success());
    described.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Small things are measured more often: they are over at once and vary more.
const SMALL_ROUNDS: usize = 20;
