//! Simulated worlds, one seed after the other: `cargo run -p bits-testkit --bin sim`.
//!
//! A world in which a promise is broken is made as small as it gets, told, and named by the command
//! that brings it back.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bits_testkit::sim::{Mutation, Outcome, Promise, Run, shrink};

const USAGE: &str = "\
usage: sim [--seed N [--kept N,N,…] [--story]] [--from N] [--seeds N | --seconds N | --hours N]
           [--mutation NAME] [--no-shrinking] [--json]

Lets the service live, with jobs, servers, people and faults that all follow from one number, and
holds it to its promises. Without arguments: fresh seeds for ten seconds.

  --seed N         this one world
  --kept N,N,…     with no more of it than these elements, as a failure names them
  --story          tells what happens in it
  --from N         the first seed; without it seeds are fresh
  --seeds N        so many worlds
  --seconds N      as many as fit into this time; also --hours
  --mutation NAME  with a deliberate mistake, which must be found; --mutation list names them
  --no-shrinking   tells a failure as it is found
  --json           prints one JSON object a line: progress, failures, and the sum

Exit code 0: all promises were kept; 1: one was broken; 2: usage.
";

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// Within what a world is over and, when it fails, made small: milliseconds as a rule. What counts steps in
/// it cannot see one that never ends.
const WORLD_WITHIN: Duration = Duration::from_secs(300);
/// How often it is looked whether one lasts longer.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);
/// Lines of a story that are told with a failure.
const STORY_LINES_MAX: usize = 400;
/// Characters of a line of it.
const LINE_CHARS_MAX: usize = 300;

/// What was asked for.
#[derive(Debug, Default)]
struct Arguments {
    seed: Option<u64>,
    kept: Option<BTreeSet<u32>>,
    story: bool,
    from: Option<u64>,
    seeds: Option<u64>,
    time: Option<Duration>,
    mutation: Option<Mutation>,
    no_shrinking: bool,
    json: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if words == ["--mutation", "list"] {
        Mutation::ALL.iter().for_each(|mutation| println!("{:24} {}", mutation.name(), mutation.meaning()));
        return ExitCode::SUCCESS;
    }
    match parse(&words) {
        Ok(arguments) => run(&arguments),
        Err(wrong) => {
            eprintln!("sim: {wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(words: &[String]) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: &String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
        match word.as_str() {
            "--seed" => arguments.seed = Some(number(value()?)?),
            "--from" => arguments.from = Some(number(value()?)?),
            "--seeds" => arguments.seeds = Some(number(value()?)?),
            "--seconds" => arguments.time = Some(Duration::from_secs(number(value()?)?)),
            "--hours" => arguments.time = Some(Duration::from_secs(number(value()?)?.saturating_mul(3600))),
            "--story" => arguments.story = true,
            "--json" => arguments.json = true,
            "--no-shrinking" => arguments.no_shrinking = true,
            "--kept" => {
                let kept = value()?.split(',').filter(|text| !text.is_empty());
                let kept = kept.map(|text| text.parse().map_err(|_| format!("`{text}` is no number")));
                arguments.kept = Some(kept.collect::<Result<_, _>>()?);
            }
            "--mutation" => {
                let name = value()?;
                let mutation = Mutation::named(name);
                let unknown = || format!("there is no mutation `{name}`; --mutation list names them");
                arguments.mutation = Some(mutation.ok_or_else(unknown)?);
            }
            _ => return Err(format!("`{word}` is not known")),
        }
    }
    Ok(arguments)
}

/// What all worlds had together.
#[derive(Debug, Default)]
struct Sum {
    worlds: u64,
    outcome: Outcome,
    broken: u64,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        let sum = &mut self.outcome;
        self.worlds += 1;
        sum.lives += outcome.lives;
        sum.files += outcome.files;
        sum.faults += outcome.faults;
        sum.deaths += outcome.deaths;
        sum.turns += outcome.turns;
        sum.millis += outcome.millis;
    }

    fn tell(&self, kind: &str, seconds: f64, as_json: bool) {
        let Outcome { lives, files, faults, deaths, turns, millis, .. } = self.outcome;
        let each = |count: u64| count as f64 / lives.max(1) as f64;
        let hours = millis as f64 / 3_600_000.0;
        if as_json {
            let object = serde_json::json!({
                "kind": kind, "worlds": self.worlds, "lives": lives, "files_each": each(files),
                "faults_each": each(faults), "deaths": deaths, "turns": turns, "simulated_hours": hours,
                "seconds": seconds, "lives_each_second": lives as f64 / seconds, "broken": self.broken,
            });
            println!("{object}");
        } else {
            println!(
                "{} worlds, {lives} lives of {:.1} files and {:.1} faults each, {deaths} deaths of the service, \
                 {hours:.0} simulated hours, in {seconds:.1} s: {:.0} lives/s; {} promises broken",
                self.worlds,
                each(files),
                each(faults),
                lives as f64 / seconds,
                self.broken
            );
        }
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64 / 1000;
    let first = arguments.seed.or(arguments.from).unwrap_or_else(fresh);
    let seeds = match arguments.seed {
        Some(_) => Some(1),
        None => arguments.seeds,
    };
    let time = match (seeds, arguments.time) {
        (None, None) => Some(Duration::from_secs(10)),
        (_, time) => time,
    };
    let began = Instant::now();
    let mut told = began;
    let watch = Watch::start(arguments);
    let mut sum = Sum::default();
    while seeds.is_none_or(|seeds| sum.worlds < seeds) && time.is_none_or(|time| began.elapsed() < time) {
        let run = Run {
            seed: first.wrapping_add(sum.worlds),
            kept: arguments.kept.clone(),
            mutation: arguments.mutation,
            is_told: arguments.story,
        };
        watch.begins(run.seed);
        let outcome = run.run();
        outcome.story.iter().for_each(|line| println!("{line}"));
        sum.add(&outcome);
        if outcome.violation.is_some() {
            sum.broken += 1;
            tell_failure(&run, outcome, arguments);
            if arguments.mutation.is_some() {
                break;
            }
        }
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            let seconds = began.elapsed().as_secs_f64();
            if arguments.json {
                sum.tell("progress", seconds, true);
            } else if std::io::stderr().is_terminal() {
                eprint!("\r{} worlds, {} lives, {seconds:.0} s ", sum.worlds, sum.outcome.lives);
                // A terminal that is gone needs no progress.
                _ = std::io::stderr().flush();
            }
        }
    }
    if std::io::stderr().is_terminal() && !arguments.json {
        eprint!("\r");
    }
    sum.tell("sum", began.elapsed().as_secs_f64(), arguments.json);
    ExitCode::from(u8::from(sum.broken > 0))
}

/// Ends the program when one world does not end, so that it is known which.
struct Watch(Arc<Mutex<(u64, Instant)>>);

impl Watch {
    fn start(arguments: &Arguments) -> Self {
        let current = Arc::new(Mutex::new((0, Instant::now())));
        let (watched, mutation, as_json) = (Arc::clone(&current), arguments.mutation, arguments.json);
        thread::spawn(move || {
            loop {
                thread::sleep(WATCH_INTERVAL);
                let (seed, since) = *watched.lock().unwrap_or_else(PoisonError::into_inner);
                if since.elapsed() > WORLD_WITHIN {
                    tell_endless(seed, mutation, as_json);
                    std::process::exit(1);
                }
            }
        });
        Self(current)
    }

    fn begins(&self, seed: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (seed, Instant::now());
    }
}

/// A world that does not end can neither be made small nor be told.
fn tell_endless(seed: u64, mutation: Option<Mutation>, as_json: bool) {
    let (promise, command) = (Promise::Rest.name(), command(seed, mutation));
    let what = format!("the world makes no progress: it is not over after {} s", WORLD_WITHIN.as_secs());
    if as_json {
        let object = serde_json::json!({
            "kind": "failure", "seed": seed, "promise": promise, "what": what, "command": command,
        });
        println!("{object}");
    } else {
        println!("seed {seed}: {promise} is broken: {what}\n  replay:  {command}");
    }
}

/// What brings a world back.
fn command(seed: u64, mutation: Option<Mutation>) -> String {
    let mut command = format!("cargo run -p bits-testkit --bin sim -- --seed {seed}");
    if let Some(mutation) = mutation {
        command += &format!(" --mutation {}", mutation.name());
    }
    command
}

fn tell_failure(run: &Run, found: Outcome, arguments: &Arguments) {
    let (run, outcome) =
        if arguments.no_shrinking || run.kept.is_some() { (run.clone(), found) } else { shrink(run) };
    let Some(violation) = &outcome.violation else { return };
    let (promise, what) = (violation.promise.name(), &violation.what);
    let command = command(run.seed, run.mutation);
    let kept = run.kept.as_ref().map(|kept| kept.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    let smaller = kept.as_ref().map(|kept| format!("{command} --kept {kept}"));
    let smaller = smaller.unwrap_or_else(|| command.clone());
    if arguments.json {
        let object = serde_json::json!({
            "kind": "failure", "seed": run.seed, "promise": promise, "what": what,
            "at_millis": violation.at, "command": command, "smaller": smaller,
        });
        println!("{object}");
        return;
    }
    println!("seed {}: {promise} is broken after {} ms: {what}", run.seed, violation.at);
    println!("  replay:  {command}");
    println!("  smaller: {smaller}");
    if !arguments.story && violation.promise != Promise::Sound {
        let story = Run { is_told: true, ..run }.run().story;
        let left_out = story.len().saturating_sub(STORY_LINES_MAX);
        if left_out > 0 {
            println!("  ({left_out} lines before these are told with --story)");
        }
        for line in &story[left_out..] {
            println!("  {}", line.chars().take(LINE_CHARS_MAX).collect::<String>());
        }
    }
}
