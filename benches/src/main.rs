//! How much a download costs, beside the tools people use and the physical floor.
//!
//! `cargo run --release -p bits-benches` fetches one large file over loopback by turns: a floor
//! that does nothing but receive and write, `bits get` with its service, curl and wget2. It prints
//! CPU seconds per GiB and ratios of medians from one run, since machines are noisy and only what
//! ran side by side compares. Then it prints how long small things take. Nothing is asserted.

mod measure;
mod origin;
mod world;

use std::process::ExitCode;

use measure::{Sample, median, spread};
use origin::Origin;
use world::{Tool, World};

/// Bytes of the large file, if nobody says otherwise.
const SIZE: u64 = 2 << 30;
/// Rounds, if nobody says otherwise; each tool runs once a round.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((address, path)) = world::floor_arguments(&arguments) {
        return match world::floor(address, path) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("the floor: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let Some((size, rounds)) = parse(&arguments) else {
        eprintln!("usage: bits-benches [--gib N] [--rounds N]");
        return ExitCode::from(2);
    };
    match run(size, rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bits-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(u64, usize)> {
    let (mut size, mut rounds) = (SIZE, ROUNDS);
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next()?;
        match name.as_str() {
            "--gib" => size = value.parse::<u64>().ok().filter(|gib| *gib > 0)? << 30,
            "--rounds" => rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            _ => return None,
        }
    }
    Some((size, rounds))
}

fn run(size: u64, rounds: usize) -> Result<(), String> {
    let origin = Origin::start(size).map_err(|error| format!("the origin cannot be started: {error}"))?;
    let world = World::new(&origin)?;
    let tools = world.tools();
    let gib = size as f64 / f64::from(1 << 30);
    println!(
        "one file of {gib} GiB over http on loopback, {rounds} rounds by turns, load {}",
        measure::load()
    );
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); tools.len()];
    for _ in 0..rounds {
        for (tool, samples) in tools.iter().zip(&mut samples) {
            samples.push(world.fetch(*tool, size)?);
        }
    }
    println!("{:<22}{:>14}{:>18}{:>10}{:>10}", "", "CPU s/GiB", "min to max", "x curl", "wall s");
    let cpu = |samples: &[Sample]| median(samples.iter().map(|sample| sample.cpu / gib));
    let curl = tools.iter().position(|tool| *tool == Tool::Curl).map(|at| cpu(&samples[at]));
    for (tool, samples) in tools.iter().zip(&samples) {
        let (least, most) = spread(samples.iter().map(|sample| sample.cpu / gib));
        let ratio = curl.map_or("-".to_owned(), |curl| format!("{:.2}", cpu(samples) / curl));
        let wall = median(samples.iter().map(|sample| sample.wall));
        let range = format!("{least:.3} to {most:.3}");
        println!("{:<22}{:>14.3}{range:>18}{ratio:>10}{wall:>10.2}", tool.name(), cpu(samples));
    }
    world.small_things(rounds.max(SMALL_ROUNDS))
}

/// Small things are measured more often: they are over at once and vary more.
const SMALL_ROUNDS: usize = 20;
