//! What a person is asked for background jobs, and the answers: credentials go in, none come out.
//!
//! Whoever reads the stream is an agent: jobs of its owner that need credentials wait for it. Each
//! event has a name and a JSON body: `challenge` with a [`PendingChallenge`] that is new or has more
//! jobs, `withdrawn` with a [`Withdrawn`], `ready` with nothing when all that wait have been told
//! once.

use serde::{Deserialize, Serialize};

use crate::credentials::SetCredentials;
use crate::job::JobError;

/// A server or proxy that wants credentials, and the jobs that wait for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PendingChallenge {
    /// Names it in the answer; never used again.
    pub id: String,
    /// The ids of the jobs.
    pub jobs: Vec<String>,
    /// What one of them has met; its `challenge` says who wants what.
    pub error: JobError,
    /// The id of that one.
    pub met_by: String,
}

/// A challenge that needs no answer any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Withdrawn {
    pub id: String,
}

/// The challenges that wait for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChallengeList {
    pub challenges: Vec<PendingChallenge>,
}

/// What a person answered: either of the two.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnswerChallenge {
    /// For all the jobs. They go on at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SetCredentials>,
    /// The scheme they are for; without one all that suit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::schemes()))))]
    pub scheme: Option<String>,
    /// Why there are none: `cancelled`, `timed_out`, or `unable` when it could not be asked. The
    /// jobs are in ERROR then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::reasons_to_decline()))))]
    pub declined: Option<String>,
}

/// How many jobs the answer was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answered {
    pub jobs: u64,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChallengeEvent {
    Challenge(Box<PendingChallenge>),
    Withdrawn(Withdrawn),
    /// From here on it is changes.
    Ready,
}

/// The name of [`ChallengeEvent::Challenge`] on the wire.
pub const CHALLENGE: &str = "challenge";
/// The name of [`ChallengeEvent::Withdrawn`] on the wire.
pub const WITHDRAWN: &str = "withdrawn";
/// The name of [`ChallengeEvent::Ready`] on the wire.
pub const READY: &str = "ready";

impl ChallengeEvent {
    /// Reads an event of the stream; none when it has a name of a later version.
    ///
    /// # Errors
    /// When the body is not what the name says.
    pub fn parse(name: &str, body: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(match name {
            CHALLENGE => Some(Self::Challenge(serde_json::from_str(body)?)),
            WITHDRAWN => Some(Self::Withdrawn(serde_json::from_str(body)?)),
            READY => Some(Self::Ready),
            _ => None,
        })
    }
}
