//! How a download from an unkind or a real server ended, and the table of all of them.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What must become of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// All of the newest version that was served, under its name.
    Right,
    /// All of one version, whichever: the newest is out of reach.
    Whole,
    /// Nothing under the name, and the job is tried again: time may cure it.
    Transient(u32),
    /// Nothing under the name, and the job waits for its owner.
    Fatal(u32),
    /// The server says that all is well, and nothing in what it says tells otherwise. No client
    /// could know; with a digest one could, and that is another row.
    Unknowable,
}

/// What is under the name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrived {
    Nothing,
    /// All of the version that was served last.
    Right,
    /// All of an earlier version.
    Outdated,
    /// No version that was ever served.
    Wrong,
}

/// How a download ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) state: String,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    /// Errors the job has met.
    pub(crate) errors: u64,
    /// Requests the server has got for it, where that is known.
    pub(crate) requests: Option<usize>,
    pub(crate) arrived: Arrived,
}

impl Arrived {
    /// What is under the name `file`, of which the newest version and earlier ones are told by these.
    pub(crate) fn of(
        file: &Path,
        is_newest: impl Fn(&[u8]) -> bool,
        is_earlier: impl Fn(&[u8]) -> bool,
    ) -> Self {
        match fs::read(file) {
            Err(_) => Self::Nothing,
            Ok(bytes) if is_newest(&bytes) => Self::Right,
            Ok(bytes) if is_earlier(&bytes) => Self::Outdated,
            Ok(_) => Self::Wrong,
        }
    }
}

impl Outcome {
    pub(crate) fn of(job: &Value, arrived: Arrived, requests: Option<usize>) -> Self {
        Self {
            state: job["state"].as_str().expect("a state").to_owned(),
            code: job["error"]["code"].as_str().map(str::to_owned),
            message: job["error"]["message"].as_str().unwrap_or_default().to_owned(),
            errors: job["error_count"].as_u64().expect("a count"),
            requests,
            arrived,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_deref().unwrap_or("-");
        write!(f, "{} {code} {} errors, {:?}; {}", self.state, self.errors, self.arrived, self.message)
    }
}

/// Whether `outcome` is the one that is expected.
pub(crate) fn matches(expected: Expected, outcome: &Outcome) -> bool {
    let code = outcome.code.as_deref();
    let stopped = |state: &str, expected: u32| {
        outcome.state == state
            && code == Some(format!("0x{expected:08X}").as_str())
            && outcome.arrived == Arrived::Nothing
    };
    match expected {
        Expected::Right => outcome.state == "acknowledged" && outcome.arrived == Arrived::Right,
        Expected::Whole => {
            let is_one = matches!(outcome.arrived, Arrived::Right | Arrived::Outdated);
            outcome.state == "acknowledged" && is_one
        }
        Expected::Transient(code) => stopped("transient_error", code),
        Expected::Fatal(code) => stopped("error", code),
        Expected::Unknowable => outcome.state == "acknowledged" && outcome.arrived != Arrived::Nothing,
    }
}

/// The outcomes, for a person: what happened, what was expected, and what came of it.
pub(crate) fn table(outcomes: &[(String, Expected, Outcome)]) -> String {
    let mut lines = vec![line(["fault", "state", "code", "errors", "requests", "bytes", ""])];
    for (what, expected, outcome) in outcomes {
        let bytes = match outcome.arrived {
            Arrived::Nothing => "none",
            Arrived::Right => "right",
            Arrived::Outdated => "of an earlier version",
            Arrived::Wrong => "wrong",
        };
        let remark = match (matches(*expected, outcome), expected) {
            (false, _) => "NOT AS EXPECTED",
            (true, Expected::Unknowable) => "no client could know",
            (true, _) => "",
        };
        let requests = outcome.requests.map_or("-".to_owned(), |requests| requests.to_string());
        lines.push(line([
            what,
            &outcome.state,
            outcome.code.as_deref().unwrap_or("-"),
            &outcome.errors.to_string(),
            &requests,
            bytes,
            remark,
        ]));
    }
    lines.join("\n")
}

/// Prints the table, and fails unless each outcome is the one that is expected.
#[track_caller]
pub(crate) fn check(outcomes: &[(String, Expected, Outcome)]) {
    println!("{}", table(outcomes));
    let wrong: Vec<_> = outcomes
        .iter()
        .filter(|(_, expected, outcome)| !matches(*expected, outcome))
        .map(|(what, expected, outcome)| format!("{what}: {expected:?} was expected: {outcome}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn line(cells: [&str; 7]) -> String {
    let [fault, state, code, errors, requests, bytes, remark] = cells;
    let line = format!("{fault:<72} {state:<16} {code:<10} {errors:>6} {requests:>8}  {bytes:<22} {remark}");
    line.trim_end().to_owned()
}
