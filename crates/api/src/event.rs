//! What watchers are told: first how things are, then what changes.
//!
//! The stream is server-sent events. Each has a name and a JSON body: `job` with a [`Job`] that is
//! new or has changed, `ready` with nothing when all jobs have been told once, `note` with a
//! [`Note`], `ranges` with [`RangesTransferred`].

use serde::{Deserialize, Serialize};

use crate::file::Range;
use crate::job::Job;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Job(Box<Job>),
    /// From here on it is changes.
    Ready,
    Note(Note),
    Ranges(RangesTransferred),
}

/// The name of [`Event::Job`] on the wire.
pub const JOB: &str = "job";
/// The name of [`Event::Ready`] on the wire.
pub const READY: &str = "ready";
/// The name of [`Event::Note`] on the wire.
pub const NOTE: &str = "note";

/// The name of [`Event::Ranges`] on the wire.
pub const RANGES: &str = "ranges";

/// Bytes of a file of a job on demand that are on the disk for sure and were not when this was told last
/// (`FileRangesTransferred`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RangesTransferred {
    /// The id of the job.
    pub job: String,
    /// The index of the file.
    pub file: u32,
    pub ranges: Vec<Range>,
}

/// Something a curious person may want to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// The id of the job it is about.
    pub job: String,
    pub text: String,
}

/// Which jobs to watch: one, or all of the caller's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Whether the one who watches that job deals with its requests for credentials: no agent is
    /// asked then, and the job is in ERROR when it meets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attended: Option<bool>,
    /// Whether the one who watches that job hears its notifications (`SetNotifyInterface`): no command is
    /// run for what it says it has heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<bool>,
}

impl Event {
    /// Reads an event of the stream; none when it has a name of a later version.
    ///
    /// # Errors
    /// When the body is not what the name says.
    pub fn parse(name: &str, body: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(match name {
            JOB => Some(Self::Job(serde_json::from_str(body)?)),
            NOTE => Some(Self::Note(serde_json::from_str(body)?)),
            RANGES => Some(Self::Ranges(serde_json::from_str(body)?)),
            READY => Some(Self::Ready),
            _ => None,
        })
    }
}
