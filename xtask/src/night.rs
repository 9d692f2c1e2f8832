//! `cargo xtask night`: what is worth running every night, and too long for every change.
//!
//! It only starts what exists elsewhere: the simulation, a test of `e2e`, again and again, the fuzz
//! targets, a comparison with other tools, and the benchmarks.

use std::ffi::OsStr;
use std::process::{Command, ExitCode};

use crate::root;

const USAGE: &str = "\
usage: cargo xtask night [sim] [kills] [lives] [fuzz] [tools] [benches]

Runs what takes longer than a change should wait for; without a name, all of it:

  sim       simulated worlds of fresh seeds for an hour, optimised: what docs/reliability.md says of them
  kills     ten times the end-to-end test that kills the service at random moments of a download,
            each time with other moments: 500 kills in all. It needs the servers to test against
  lives     500 downloads from an origin that cuts and changes them, each in a service that is killed
            and stopped on the way; a life that ends wrongly tells its seed
  fuzz      every fuzz target for five minutes. It needs a nightly Rust by rustup, and cargo-fuzz
  tools     what curl, wget, wget2 and aria2 make of the faults that `bits get` survives; it prints
            a table and judges nothing
  benches   the benchmarks, with optimised programs; they print numbers and judge nothing

Load tests do not exist yet, so they are not run.
Exit code 0: all of it ran and passed; 1: something failed, and the rest was run; 2: usage.
";

/// How long the simulation runs.
const SIM_HOURS: &str = "1";
/// How often the test with the kills is run. It draws its moments by its process id.
const KILL_ROUNDS: u32 = 10;
/// What that test is found by, in the one test program of `e2e`.
const KILL_TESTS: &str = "kills::";
/// What the test of lives is found by.
const LIFE_TESTS: &str = "lives::";
/// How many lives are lived.
const LIVES: u32 = 500;
/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 300;

/// Runs the parts that `names` names, or all.
pub(crate) fn run(names: &[&str]) -> ExitCode {
    type Part = (&'static str, fn() -> Result<(), String>);
    const PARTS: [Part; 6] = [
        ("sim", sim),
        ("kills", kills),
        ("lives", lives),
        ("fuzz", fuzz),
        ("tools", tools),
        ("benches", benches),
    ];
    if names.iter().any(|name| matches!(*name, "--help" | "-h")) {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if names.iter().any(|name| PARTS.iter().all(|(known, _)| name != known)) {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    }
    let mut failures = Vec::new();
    for (name, part) in PARTS {
        if names.is_empty() || names.contains(&name) {
            println!("night: {name}");
            if let Err(why) = part() {
                eprintln!("night: {name}: {why}");
                failures.push(name);
            }
        }
    }
    if failures.is_empty() {
        println!("night: all passed");
        ExitCode::SUCCESS
    } else {
        eprintln!("night: failed: {}", failures.join(", "));
        ExitCode::FAILURE
    }
}

fn sim() -> Result<(), String> {
    cargo(["run", "--release", "-p", "bits-testkit", "--bin", "sim", "--", "--hours", SIM_HOURS])
}

fn kills() -> Result<(), String> {
    cargo(["build", "--workspace", "--bins"])?;
    // A filter that fits no test passes; that must not be taken for a night without failures.
    let list = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["test", "-p", "bits-e2e", "--test", "it", KILL_TESTS, "--", "--list"])
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !String::from_utf8_lossy(&list.stdout).contains(": test") {
        return Err(format!("e2e has no test called {KILL_TESTS}…"));
    }
    for round in 1..=KILL_ROUNDS {
        println!("night: kills, round {round} of {KILL_ROUNDS}");
        let mut test = command(["test", "-p", "bits-e2e", "--test", "it", KILL_TESTS, "--", "--nocapture"]);
        test.env("OPENBITS_REQUIRE_PEERS", "1");
        succeed(test)?;
    }
    Ok(())
}

fn lives() -> Result<(), String> {
    cargo(["build", "--workspace", "--bins"])?;
    let mut test = command(["test", "-p", "bits-e2e", "--test", "it", LIFE_TESTS, "--", "--nocapture"]);
    test.env("OPENBITS_LIVES", LIVES.to_string());
    succeed(test)
}

fn fuzz() -> Result<(), String> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut targets: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    targets.sort();
    // All are run, as one that fails says nothing of the others.
    let mut failures = Vec::new();
    for target in targets {
        let mut run = Command::new("rustup");
        run.current_dir(root())
            .args(["run", "nightly", "cargo", "fuzz", "run", &target, "--"])
            .arg(format!("-max_total_time={FUZZ_SECONDS}"));
        failures.extend(succeed(run).err());
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

fn tools() -> Result<(), String> {
    cargo(["build", "--workspace", "--bins"])?;
    cargo(["run", "-p", "bits-e2e", "--example", "other_tools"])
}

fn benches() -> Result<(), String> {
    cargo(["build", "--release", "--bins"])?;
    cargo(["run", "--release", "-p", "bits-benches"])
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Result<(), String> {
    succeed(command(arguments))
}

fn command<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(arguments);
    command
}

fn succeed(mut command: Command) -> Result<(), String> {
    let shown: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let shown = format!("{} {}", command.get_program().to_string_lossy(), shown.join(" "));
    let status = command.status().map_err(|error| format!("`{shown}` does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}
