//! `cargo xtask night`: what is worth running every night, and too long for every change.
//!
//! It only starts what exists elsewhere: the simulation, tests of `e2e`, longer than a change waits for them, the fuzz
//! targets, a comparison with other tools, and the benchmarks.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::root;

/// One part of a night.
struct Part {
    name: &'static str,
    /// On two cores that do nothing else, without building.
    takes: &'static str,
    does: &'static str,
    run: fn(&Night) -> Result<Counts, String>,
}

/// What a part has counted, a line each.
type Counts = Vec<String>;

const PARTS: [Part; 10] = [
    Part {
        name: "sim",
        takes: "1 h",
        does: "simulated worlds of fresh seeds, optimised: what docs/reliability.md says of them",
        run: Night::sim,
    },
    Part {
        name: "storm",
        takes: "10 min",
        does: "a service under load from several clients that is killed 500 times at random moments;\n\
               afterwards everything acknowledged is there. Ten minutes at most, in which a busy machine\n\
               kills less often, and says so. It needs the servers to test against",
        run: |night| night.long(&STORM),
    },
    Part {
        name: "power",
        takes: "15 min",
        does: "500 power cuts of a machine with a disk that forgets what was not synced, and its controls:\n\
               disks that lie. It needs root and FUSE",
        run: |night| night.long(&POWER),
    },
    Part {
        name: "load",
        takes: "6 min",
        does: "200 clients for five minutes, and a hostile program beside them",
        run: |night| night.long(&LOAD),
    },
    Part {
        name: "ask",
        takes: "30 min",
        does: "the API is asked for anything that its description allows and much that it forbids",
        run: |night| night.long(&ASK),
    },
    Part {
        name: "kills",
        takes: "15 min",
        does: "ten times the end-to-end test that kills the service at random moments of a download,\n\
               each time with other moments: 500 kills in all. It needs the servers to test against",
        run: Night::kills,
    },
    Part {
        name: "lives",
        takes: "10 min",
        does: "500 downloads from an origin that cuts and changes them, each in a service that is killed\n\
               and stopped on the way; a life that ends wrongly tells its seed",
        run: Night::lives,
    },
    Part {
        name: "fuzz",
        takes: "20 min",
        does: "every fuzz target for a minute. It needs a nightly Rust by rustup, and cargo-fuzz; to build\n\
               them takes as long again",
        run: Night::fuzz,
    },
    Part {
        name: "tools",
        takes: "5 min",
        does: "what curl, wget, wget2 and aria2 make of the faults that `bits get` survives; it prints\n\
               a table and judges nothing",
        run: Night::tools,
    },
    Part {
        name: "benches",
        takes: "20 min",
        does: "the benchmarks, with optimised programs; they print numbers and judge nothing",
        run: Night::benches,
    },
];

/// What is said before the parts.
const BEFORE: &str = "\
Runs what takes longer than a change should wait for: the parts that are named, or without a name all of
them, one after another. At the end it says of each whether it passed, how long it took and what was counted.
The times are rough, for two cores that do nothing else, and without building:
";

const AFTER: &str = "\
storm, power and load print the seed they were drawn from; OPENBITS_SEED=N draws it again. With --json
standard output has a line of JSON for each test that was run, with seed and counts, and nothing else.
OPENBITS_KILLS, OPENBITS_CUTS, OPENBITS_LOAD_SECONDS, OPENBITS_ASK_SECONDS, OPENBITS_LIVES,
OPENBITS_FUZZ_SECONDS and OPENBITS_SIM_SECONDS change how much it is; OPENBITS_STORM_SECONDS how long the
storm may take.
Exit code 0: all of it ran and passed; 1: something failed, and the rest was run; 2: usage.
";

fn usage() -> String {
    let names: Vec<_> = PARTS.iter().map(|part| format!("[{}]", part.name)).collect();
    let mut text = format!("usage: cargo xtask night [--json] {}\n\n{BEFORE}\n", names.join(" "));
    for Part { name, takes, does, .. } in &PARTS {
        let mut lines = does.lines();
        let first = lines.next().unwrap_or_default();
        text += &format!("  {name:<8} {takes:>6}  {first}\n");
        lines.for_each(|line| text += &format!("{:19}{}\n", "", line.trim_start()));
    }
    text + "\n" + AFTER
}

/// What the four tests are found by, the variable that says how much of each there is, and how much
/// that is at night.
const STORM: Long = Long { tests: "storm::", variable: "OPENBITS_KILLS", much: 500 };
const POWER: Long = Long { tests: "power::", variable: "OPENBITS_CUTS", much: 500 };
const LOAD: Long = Long { tests: "load::", variable: "OPENBITS_LOAD_SECONDS", much: 300 };
const ASK: Long = Long { tests: "anything::", variable: "OPENBITS_ASK_SECONDS", much: 1800 };
/// How long the simulation runs.
const SIM_SECONDS: u64 = 3600;
/// How often the test with the kills is run. It draws its moments by its process id.
const KILL_ROUNDS: u32 = 10;
/// What that test is found by, in the one test program of `e2e`.
const KILL_TESTS: &str = "kills::";
/// What the test of lives is found by, and how many lives are lived.
const LIFE: Long = Long { tests: "lives::", variable: "OPENBITS_LIVES", much: 500 };
/// How long each fuzz target runs.
const FUZZ_SECONDS: u64 = 60;

/// A test of `e2e` that takes as long as it is told to.
struct Long {
    tests: &'static str,
    variable: &'static str,
    much: u64,
}

/// What all parts are run with.
struct Night {
    /// Where tests add a line of JSON each.
    report: PathBuf,
    /// Whether nothing but these lines is to be on standard output.
    as_json: bool,
}

/// What became of one part.
struct Outcome {
    name: &'static str,
    took: Duration,
    counts: Result<Counts, String>,
}

/// Runs the parts that `names` names, or all.
pub(crate) fn run(names: &[&str]) -> ExitCode {
    if names.iter().any(|name| matches!(*name, "--help" | "-h")) {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let (flags, names): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.starts_with('-'));
    if names.iter().any(|name| PARTS.iter().all(|part| part.name != *name))
        || flags.iter().any(|flag| *flag != "--json")
    {
        eprint!("{}", usage());
        return ExitCode::from(2);
    }
    let report = std::env::temp_dir().join(format!("openbits-night-{}.jsonl", std::process::id()));
    let night = Night { report, as_json: !flags.is_empty() };
    let wanted: Vec<_> = PARTS.iter().filter(|part| names.is_empty() || names.contains(&part.name)).collect();
    let mut outcomes = Vec::new();
    for (part, number) in wanted.iter().zip(1..) {
        eprintln!(
            "night: {} ({number} of {}), about {} and what it takes to build",
            part.name,
            wanted.len(),
            part.takes
        );
        let began = Instant::now();
        let counts = (part.run)(&night);
        if let Err(why) = &counts {
            eprintln!("night: {}: {why}", part.name);
        }
        outcomes.push(Outcome { name: part.name, took: began.elapsed(), counts });
    }
    if night.as_json {
        print!("{}", night.reported());
    }
    // It was made by the tests, and there is none where none of them reports.
    let _ = std::fs::remove_file(&night.report);
    eprint!("{}", summary(&outcomes));
    let all_passed = outcomes.iter().all(|outcome| outcome.counts.is_ok());
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn summary(outcomes: &[Outcome]) -> String {
    let mut text = String::from("night: what became of it\n");
    for Outcome { name, took, counts } in outcomes {
        let word = if counts.is_ok() { "passed" } else { "FAILED" };
        let (minutes, seconds) = (took.as_secs() / 60, took.as_secs() % 60);
        text += &format!("  {word}  {name:<8} {minutes:>3} min {seconds:>2} s\n");
        match counts {
            Ok(counts) => counts.iter().for_each(|line| text += &format!("            {line}\n")),
            Err(why) => text += &format!("            {why}\n"),
        }
    }
    text
}

/// A line of a report in words: the name of the test, and its numbers.
fn counted(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let mut numbers = Vec::new();
    add_numbers("", &line["counts"], &mut numbers);
    Some(format!("{}: {}", line["test"].as_str()?, numbers.join(", ")))
}

fn add_numbers(name: &str, value: &Value, numbers: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(field, value)| {
            let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
            add_numbers(&name, value, numbers);
        }),
        Value::Number(number) => numbers.push(format!("{name} {number}")),
        Value::Bool(true) => numbers.push(name.to_owned()),
        Value::String(text) => numbers.push(format!("{name} {text}")),
        Value::Bool(false) | Value::Null | Value::Array(_) => {}
    }
}

impl Night {
    /// A test of some minutes, with its controls.
    fn long(&self, long: &Long) -> Result<Counts, String> {
        self.cargo(["build", "--workspace", "--bins"])?;
        is_there(long.tests)?;
        let mut test = command(["test", "-p", "bits-e2e", "--test", "it", long.tests, "--", "--nocapture"]);
        test.env("OPENBITS_REQUIRE_PEERS", "1").env("OPENBITS_REQUIRE_MOUNTS", "1");
        if std::env::var_os(long.variable).is_none() {
            test.env(long.variable, long.much.to_string());
        }
        self.reporting(|| self.succeed(test))
    }

    fn sim(&self) -> Result<Counts, String> {
        let seconds = number("OPENBITS_SIM_SECONDS").unwrap_or(SIM_SECONDS).to_string();
        let sim = ["run", "--release", "-p", "bits-testkit", "--bin", "sim", "--", "--seconds", &seconds];
        let mut last = String::new();
        self.listened(command(sim), Output::Results, |line| {
            if line.ends_with("promises broken") {
                line.clone_into(&mut last);
            }
        })?;
        Ok(vec![last])
    }

    fn kills(&self) -> Result<Counts, String> {
        self.cargo(["build", "--workspace", "--bins"])?;
        is_there(KILL_TESTS)?;
        self.reporting(|| {
            for round in 1..=KILL_ROUNDS {
                eprintln!("night: kills, round {round} of {KILL_ROUNDS}");
                let mut test =
                    command(["test", "-p", "bits-e2e", "--test", "it", KILL_TESTS, "--", "--nocapture"]);
                test.env("OPENBITS_REQUIRE_PEERS", "1");
                self.succeed(test)?;
            }
            Ok(())
        })
    }

    fn lives(&self) -> Result<Counts, String> {
        self.long(&LIFE)
    }

    fn fuzz(&self) -> Result<Counts, String> {
        let seconds = number("OPENBITS_FUZZ_SECONDS").unwrap_or(FUZZ_SECONDS);
        let folder = root().join("fuzz/fuzz_targets");
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut targets: Vec<_> =
            entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
        targets.sort();
        self.succeed(fuzz(["build"]))?;
        // All are run, as one that fails says nothing of the others.
        let (mut counts, mut failures) = (Vec::new(), Vec::new());
        for (target, number) in targets.iter().zip(1..) {
            eprintln!("night: fuzz, {target} ({number} of {})", targets.len());
            let mut run = fuzz(["run", target]);
            // What is found new is not for the corpus that is checked in; it is read from there.
            let found = std::env::temp_dir().join(format!("openbits-fuzz-{}-{target}", std::process::id()));
            std::fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
            run.args([&found, &root().join("fuzz/corpus").join(target)]);
            run.args(["--".to_owned(), format!("-max_total_time={seconds}")]);
            let mut done = String::from("it did not say how many runs it made");
            let outcome = self.listened(run, Output::Complaints, |line| {
                // `Done 1234 runs in 21 second(s)`
                if let Some(told) = line.strip_prefix("Done ") {
                    told.clone_into(&mut done);
                }
            });
            // Nobody looks there again.
            let _ = std::fs::remove_dir_all(&found);
            match outcome {
                Ok(()) => counts.push(format!("{target}: {done}")),
                Err(why) => failures.push(why),
            }
        }
        if failures.is_empty() { Ok(counts) } else { Err(failures.join("; ")) }
    }

    fn tools(&self) -> Result<Counts, String> {
        self.cargo(["build", "--workspace", "--bins"])?;
        self.cargo(["run", "-p", "bits-e2e", "--example", "other_tools"])?;
        Ok(Vec::new())
    }

    fn benches(&self) -> Result<Counts, String> {
        self.cargo(["build", "--release", "--bins"])?;
        self.cargo(["run", "--release", "-p", "bits-benches"])?;
        Ok(Vec::new())
    }

    fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Result<(), String> {
        self.succeed(command(arguments))
    }

    /// Runs tests that report what they have counted; one that reports nothing has not run.
    fn reporting(&self, run: impl FnOnce() -> Result<(), String>) -> Result<Counts, String> {
        let before = self.reported().lines().count();
        run()?;
        let counts: Counts = self.reported().lines().skip(before).filter_map(counted).collect();
        if counts.is_empty() {
            Err("it passed, and counted nothing: was it skipped?".to_owned())
        } else {
            Ok(counts)
        }
    }

    fn reported(&self) -> String {
        std::fs::read_to_string(&self.report).unwrap_or_default()
    }

    fn succeed(&self, command: Command) -> Result<(), String> {
        self.listened(command, Output::Results, |_| {})
    }

    /// Runs `command`, passes on what it says, and shows `each` line of one of its outputs.
    fn listened(
        &self,
        mut command: Command,
        output: Output,
        mut each: impl FnMut(&str),
    ) -> Result<(), String> {
        let shown: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let shown = format!("{} {}", command.get_program().to_string_lossy(), shown.join(" "));
        command.env("OPENBITS_REPORT", &self.report);
        match output {
            Output::Results => command.stdout(Stdio::piped()),
            Output::Complaints => command.stderr(Stdio::piped()),
        };
        let mut child = command.spawn().map_err(|error| format!("`{shown}` does not start: {error}"))?;
        let said: Box<dyn Read> = match output {
            Output::Results => Box::new(child.stdout.take().expect("it is piped")),
            Output::Complaints => Box::new(child.stderr.take().expect("it is piped")),
        };
        for line in BufReader::new(said).split(b'\n') {
            let line = line.map_err(|error| format!("`{shown}` cannot be heard: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            each(&line);
            match output {
                Output::Results if !self.as_json => println!("{line}"),
                _ => eprintln!("{line}"),
            }
        }
        let status = child.wait().map_err(|error| format!("`{shown}` is lost: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
    }
}

/// What of a program is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Results,
    Complaints,
}

/// The number in the variable `name`.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn fuzz<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(root()).args(["run", "nightly", "cargo", "fuzz"]).args(arguments);
    command
}

/// A filter that fits no test passes; that must not be taken for a night without failures.
fn is_there(tests: &str) -> Result<(), String> {
    let list = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["test", "-p", "bits-e2e", "--test", "it", tests, "--", "--list"])
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if String::from_utf8_lossy(&list.stdout).contains(": test") {
        Ok(())
    } else {
        Err(format!("e2e has no test called {tests}…"))
    }
}

fn command<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_says_of_each_part_how_long_it_takes() {
        let text = usage();
        for Part { name, takes, .. } in &PARTS {
            assert!(
                text.lines().any(|line| line.trim_start().starts_with(name) && line.contains(takes)),
                "{name}"
            );
        }
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    }

    #[test]
    fn the_end_says_what_passed_and_what_was_counted() {
        let line = r#"{"test":"storm","counts":{"jobs":7,"storm":{"kills":5,"is_cut_short_by_time":true},"x":null}}"#;
        let storm = counted(line).expect("a line of a report");
        assert_eq!(storm, "storm: jobs 7, storm.is_cut_short_by_time, storm.kills 5");
        let outcomes = [
            Outcome { name: "storm", took: Duration::from_secs(61), counts: Ok(vec![storm]) },
            Outcome { name: "fuzz", took: Duration::from_secs(2), counts: Err("it broke".to_owned()) },
        ];
        assert_eq!(
            summary(&outcomes),
            "night: what became of it\n  passed  storm      1 min  1 s\n            \
             storm: jobs 7, storm.is_cut_short_by_time, storm.kills 5\n  FAILED  fuzz       0 min  2 s\n            \
             it broke\n"
        );
    }
}
