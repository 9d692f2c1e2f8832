//! How a download ended, and the table of all of them.

use std::fmt;
use std::fs;
use std::path::Path;

use bits_testkit::UnkindOrigin;
use serde_json::Value;

use super::rows::{Expected, Row, Way};

/// What is under the name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrived {
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
pub(super) struct Outcome {
    pub(super) state: String,
    pub(super) code: Option<String>,
    pub(super) message: String,
    /// Errors the job has met.
    pub(super) errors: u64,
    /// Requests the origin has got for it.
    pub(super) requests: usize,
    pub(super) arrived: Arrived,
}

impl Outcome {
    pub(super) fn of(job: &Value, file: &Path, origin: &UnkindOrigin, target: &str) -> Self {
        let served = origin.served(target);
        let arrived = match fs::read(file) {
            Err(_) => Arrived::Nothing,
            Ok(bytes) if served.last().is_some_and(|content| content.is(&bytes)) => Arrived::Right,
            Ok(bytes) if served.iter().any(|content| content.is(&bytes)) => Arrived::Outdated,
            Ok(_) => Arrived::Wrong,
        };
        Self {
            state: job["state"].as_str().expect("a state").to_owned(),
            code: job["error"]["code"].as_str().map(str::to_owned),
            message: job["error"]["message"].as_str().unwrap_or_default().to_owned(),
            errors: job["error_count"].as_u64().expect("a count"),
            requests: origin.requests(target).len(),
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

/// Whether `outcome` is the one that `row` expects.
pub(super) fn matches(row: &Row, outcome: &Outcome) -> bool {
    let code = outcome.code.as_deref();
    let stopped = |state: &str, expected: u32| {
        outcome.state == state
            && code == Some(format!("0x{expected:08X}").as_str())
            && outcome.arrived == Arrived::Nothing
    };
    match row.expected {
        Expected::Right => outcome.state == "acknowledged" && outcome.arrived == Arrived::Right,
        Expected::Transient(code) => stopped("transient_error", code),
        Expected::Fatal(code) => stopped("error", code),
        Expected::Unknowable => outcome.state == "acknowledged" && outcome.arrived != Arrived::Nothing,
    }
}

/// The outcomes, for a person.
pub(super) fn table(outcomes: &[(Row, Outcome)]) -> String {
    let mut lines = vec![line(["fault", "state", "code", "errors", "requests", "bytes", ""])];
    for (row, outcome) in outcomes {
        let way = match row.way {
            Way::Plain => String::new(),
            Way::Tls(certificate) => format!(" (TLS, certificate {})", certificate.name()),
            Way::Http2 => " (HTTP/2)".to_owned(),
            Way::Http2Only => " (HTTP/2 alone)".to_owned(),
        };
        let given = if row.is_given { " (with a checksum)" } else { "" };
        let bytes = match outcome.arrived {
            Arrived::Nothing => "none",
            Arrived::Right => "right",
            Arrived::Outdated => "of an earlier version",
            Arrived::Wrong => "wrong",
        };
        let remark = match (matches(row, outcome), row.expected) {
            (false, _) => "NOT AS EXPECTED",
            (true, Expected::Unknowable) => "no client could know",
            (true, _) => "",
        };
        lines.push(line([
            &format!("{}{given}{way}", row.target),
            &outcome.state,
            outcome.code.as_deref().unwrap_or("-"),
            &outcome.errors.to_string(),
            &outcome.requests.to_string(),
            bytes,
            remark,
        ]));
    }
    lines.join("\n")
}

fn line(cells: [&str; 7]) -> String {
    let [fault, state, code, errors, requests, bytes, remark] = cells;
    let line = format!("{fault:<72} {state:<16} {code:<10} {errors:>6} {requests:>8}  {bytes:<22} {remark}");
    line.trim_end().to_owned()
}
