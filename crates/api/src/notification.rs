//! What a webhook is sent: the body of a `POST`, signed as the Standard Webhooks specification has it.

use serde::{Deserialize, Serialize};

/// Something that has happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// `job.transferred` or `job.error`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::message_types())))]
    pub kind: String,
    /// When it happened: RFC 3339 in UTC.
    pub timestamp: String,
    pub data: MessageData,
}

/// The job, as it is when this is sent: it may have gone on since it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageData {
    /// The id of the job.
    pub job: String,
    pub display_name: String,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::states())))]
    pub state: String,
    pub files_total: u32,
    pub files_transferred: u32,
    pub bytes_total: Option<u64>,
    pub bytes_transferred: u64,
    /// What the job has met, with `job.error`.
    pub error: Option<MessageError>,
}

/// An error that a job has met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageError {
    /// `0x` and eight hexadecimal digits.
    pub code: String,
    pub name: String,
    /// One sentence for a person.
    pub message: String,
}
