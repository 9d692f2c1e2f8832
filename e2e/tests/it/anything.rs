//! The API is asked for anything that its description allows, and for much of what it forbids, by
//! Schemathesis (`tests/api`): nothing is answered that is not described, and every operation succeeds.

use std::path::Path;
use std::time::Duration;

use bits_e2e::{Service, asker, program};
use serde_json::json;

use crate::storm;

/// How long it is asked, unless `OPENBITS_ASK_SECONDS` says so.
const SECONDS: u64 = 100;

/// How much longer bringing Schemathesis, and a last slow answer, may take.
const BEYOND: u64 = 500;

#[test]
fn nothing_is_answered_that_is_not_described_and_every_operation_succeeds() {
    if !asker() {
        return;
    }
    let seconds =
        std::env::var("OPENBITS_ASK_SECONDS").ok().map_or(SECONDS, |text| text.parse().expect("a number"));
    let world = Service::new();
    let programs = program("bits").parent().map(Path::to_owned).expect("a program is in a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/api/ask");
    let mut ask = world.run(script);
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        ask = ask.env("CARGO_TARGET_DIR", folder);
    }
    let asked = ask
        .arg(seconds.to_string())
        .env("PROGRAMS", programs)
        .within(Duration::from_secs(seconds + BEYOND))
        .finish()
        .expect_code(0);
    let counts = asked.stdout.rsplit_once("operation  ").map_or("", |(_, counts)| counts);
    println!("operation  {counts}");
    let all = counts.lines().last().is_some_and(|line| line.ends_with(" operations have succeeded"));
    // A line for each operation: its name, how often it succeeded, how often it was refused.
    let column = |at: usize| -> u64 {
        counts.lines().filter_map(|line| line.split_whitespace().nth(at)?.parse::<u64>().ok()).sum()
    };
    let last = counts.lines().last().unwrap_or_default();
    storm::report(
        "ask",
        &json!({ "seconds": seconds, "succeeded": column(1), "refused": column(2), "told": last }),
    );
    assert!(all && counts.contains("create_job"), "{asked}");
    assert!(asked.stdout.contains("9 kinds of events are as they are described"), "{asked}");
}
