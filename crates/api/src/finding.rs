//! What was found by somebody who looked for what is wrong with a service: `bits service doctor`.

use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at, in a word: `folder`, `key`, `clock` …
    pub check: String,
    pub verdict: Verdict,
    /// What was found, and what it means; a sentence fragment.
    pub finding: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// The service works, but not all that is expected of it will.
    Warning,
    /// The service does not work so.
    Bad,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(check: &str, finding: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict: Verdict::Ok, finding: finding.into(), advice: None }
    }

    /// It is not, and the service works all the same.
    pub fn warning(check: &str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, advice: Some(advice.into()), ..Self::ok(check, finding) }
    }

    /// It is in the way of the service.
    pub fn bad(check: &str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, ..Self::warning(check, finding, advice) }
    }
}
