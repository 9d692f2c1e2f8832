//! `cargo xtask night`: what is worth running every night, and too long for every change.
//!
//! It only starts what exists elsewhere: the simulation, tests of `e2e`, longer than a change waits for them, the fuzz
//! targets, a comparison with other tools, and the benchmarks.

use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::root;

const USAGE: &str = "\
usage: cargo xtask night [--json] [sim] [storm] [power] [load] [ask] [kills] [lives] [fuzz] [tools] [benches]

Runs what takes longer than a change should wait for; without a name, all of it:

  sim       simulated worlds of fresh seeds for an hour, optimised: what docs/reliability.md says of them
  storm     a service under load from several clients that is killed 500 times at random moments;
            afterwards everything acknowledged is there. Ten minutes at most, in which a busy machine may
            kill less often. It needs the servers to test against
  power     500 power cuts of a machine with a disk that forgets what was not synced, and its controls:
            disks that lie. It needs root and FUSE
  load      200 clients for five minutes, and a hostile program beside them
  ask       the API, for half an hour, for anything that its description allows and much that it forbids
  kills     ten times the end-to-end test that kills the service at random moments of a download,
            each time with other moments: 500 kills in all. It needs the servers to test against
  lives     500 downloads from an origin that cuts and changes them, each in a service that is killed
            and stopped on the way; a life that ends wrongly tells its seed
  fuzz      every fuzz target for a minute. It needs a nightly Rust by rustup, and cargo-fuzz
  tools     what curl, wget, wget2 and aria2 make of the faults that `bits get` survives; it prints
            a table and judges nothing
  benches   the benchmarks, with optimised programs; they print numbers and judge nothing

Each of the first three prints the seed it was drawn from; OPENBITS_SEED=N draws it again. With --json
standard output has a line of JSON for each that was run, with seed and counts, and nothing else.
OPENBITS_KILLS, OPENBITS_CUTS, OPENBITS_LOAD_SECONDS, OPENBITS_ASK_SECONDS and OPENBITS_FUZZ_SECONDS
change how much it is.
Exit code 0: all of it ran and passed; 1: something failed, and the rest was run; 2: usage.
";

/// What the four tests are found by, the variable that says how much of each there is, and how much
/// that is at night.
const STORM: Long = Long { tests: "storm::", variable: "OPENBITS_KILLS", much: 500 };
const POWER: Long = Long { tests: "power::", variable: "OPENBITS_CUTS", much: 500 };
const LOAD: Long = Long { tests: "load::", variable: "OPENBITS_LOAD_SECONDS", much: 300 };
const ASK: Long = Long { tests: "anything::", variable: "OPENBITS_ASK_SECONDS", much: 1800 };
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
const FUZZ_SECONDS: u64 = 60;

/// A test of `e2e` that takes as long as it is told to.
struct Long {
    tests: &'static str,
    variable: &'static str,
    much: u64,
}

/// What all parts are run with.
struct Night {
    /// Where tests add a line of JSON each; then nothing of theirs goes to standard output.
    report: Option<PathBuf>,
}

/// Runs the parts that `names` names, or all.
pub(crate) fn run(names: &[&str]) -> ExitCode {
    type Part = (&'static str, fn(&Night) -> Result<(), String>);
    const PARTS: [Part; 10] = [
        ("sim", Night::sim),
        ("storm", |night| night.long(&STORM)),
        ("power", |night| night.long(&POWER)),
        ("load", |night| night.long(&LOAD)),
        ("ask", |night| night.long(&ASK)),
        ("kills", Night::kills),
        ("lives", Night::lives),
        ("fuzz", Night::fuzz),
        ("tools", Night::tools),
        ("benches", Night::benches),
    ];
    if names.iter().any(|name| matches!(*name, "--help" | "-h")) {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let (flags, names): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.starts_with('-'));
    if names.iter().any(|name| PARTS.iter().all(|(known, _)| name != known))
        || flags.iter().any(|flag| *flag != "--json")
    {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    }
    let report = std::env::temp_dir().join(format!("openbits-night-{}.jsonl", std::process::id()));
    let night = Night { report: (!flags.is_empty()).then_some(report) };
    let mut failures = Vec::new();
    for (name, part) in PARTS {
        if names.is_empty() || names.contains(&name) {
            eprintln!("night: {name}");
            if let Err(why) = part(&night) {
                eprintln!("night: {name}: {why}");
                failures.push(name);
            }
        }
    }
    if let Some(report) = &night.report {
        print_report(report);
    }
    if failures.is_empty() {
        eprintln!("night: all passed");
        ExitCode::SUCCESS
    } else {
        eprintln!("night: failed: {}", failures.join(", "));
        ExitCode::FAILURE
    }
}

/// Prints the lines of JSON, and removes the file.
fn print_report(report: &Path) {
    match std::fs::read_to_string(report) {
        Ok(lines) => print!("{lines}"),
        // Of the parts that were run none reports.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => eprintln!("night: {}: {error}", report.display()),
    }
    if let Err(error) = std::fs::remove_file(report) {
        eprintln!("night: {}: {error}", report.display());
    }
}

impl Night {
    /// A test of some minutes, with its controls.
    fn long(&self, long: &Long) -> Result<(), String> {
        self.cargo(["build", "--workspace", "--bins"])?;
        is_there(long.tests)?;
        let mut test = command(["test", "-p", "bits-e2e", "--test", "it", long.tests, "--", "--nocapture"]);
        test.env("OPENBITS_REQUIRE_PEERS", "1").env("OPENBITS_REQUIRE_MOUNTS", "1");
        if std::env::var_os(long.variable).is_none() {
            test.env(long.variable, long.much.to_string());
        }
        self.succeed(test)
    }

    fn sim(&self) -> Result<(), String> {
        self.cargo(["run", "--release", "-p", "bits-testkit", "--bin", "sim", "--", "--hours", SIM_HOURS])
    }

    fn kills(&self) -> Result<(), String> {
        self.cargo(["build", "--workspace", "--bins"])?;
        is_there(KILL_TESTS)?;
        for round in 1..=KILL_ROUNDS {
            eprintln!("night: kills, round {round} of {KILL_ROUNDS}");
            let mut test =
                command(["test", "-p", "bits-e2e", "--test", "it", KILL_TESTS, "--", "--nocapture"]);
            test.env("OPENBITS_REQUIRE_PEERS", "1");
            self.succeed(test)?;
        }
        Ok(())
    }

    fn lives(&self) -> Result<(), String> {
        self.cargo(["build", "--workspace", "--bins"])?;
        let mut test = command(["test", "-p", "bits-e2e", "--test", "it", LIFE_TESTS, "--", "--nocapture"]);
        test.env("OPENBITS_LIVES", LIVES.to_string());
        self.succeed(test)
    }

    fn fuzz(&self) -> Result<(), String> {
        let seconds = std::env::var("OPENBITS_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
        let seconds: u64 = seconds.unwrap_or(FUZZ_SECONDS);
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
                .arg(format!("-max_total_time={seconds}"));
            failures.extend(self.succeed(run).err());
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }

    fn tools(&self) -> Result<(), String> {
        self.cargo(["build", "--workspace", "--bins"])?;
        self.cargo(["run", "-p", "bits-e2e", "--example", "other_tools"])
    }

    fn benches(&self) -> Result<(), String> {
        self.cargo(["build", "--release", "--bins"])?;
        self.cargo(["run", "--release", "-p", "bits-benches"])
    }

    fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Result<(), String> {
        self.succeed(command(arguments))
    }

    fn succeed(&self, mut command: Command) -> Result<(), String> {
        let shown: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let shown = format!("{} {}", command.get_program().to_string_lossy(), shown.join(" "));
        if let Some(report) = &self.report {
            command.env("OPENBITS_REPORT", report);
            let complaints = std::io::stderr().as_fd().try_clone_to_owned();
            command.stdout(complaints.map_or_else(|_| Stdio::null(), Stdio::from));
        }
        let status = command.status().map_err(|error| format!("`{shown}` does not start: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
    }
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
