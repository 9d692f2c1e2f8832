//! A queue on its way to another service, or back to the same one: all that is said of its jobs, and
//! no secret.
//!
//! How far files have come is not in it: a partial file is on one disk, and an offset without its
//! bytes would be a promise that nobody can keep.

use serde::{Deserialize, Serialize};

use crate::file::AddFile;
use crate::job::{ChangeJob, Environment, Job};

/// By what the document is known.
pub const FORMAT: &str = "openbits-queue";
/// The version of the document that is written, and the newest that is read.
pub const VERSION: u32 = 1;
/// Bytes that one job of it may have on its way in: some hundred thousand files.
pub const JOB_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A job without what belongs to this machine's run of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExportedJob {
    /// Importing twice makes one job.
    pub id: String,
    pub display_name: String,
    /// `download`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::types())))]
    pub kind: String,
    /// Its state when it was exported. It comes in suspended all the same.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::states())))]
    pub state: String,
    #[serde(default)]
    pub properties: ChangeJob,
    /// What transfers need of the environment of whoever made the job.
    #[serde(default)]
    pub environment: Environment,
    /// In their order; without those that were under their local names already.
    pub files: Vec<AddFile>,
    /// How many files were left out for that reason.
    #[serde(default)]
    pub files_in_place: u32,
    /// What the job has and this document has not, since it is secret.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// Something secret, by name alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LeftOut {
    /// Credentials, for `server` or `proxy` and one scheme.
    Credential {
        #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::targets())))]
        target: String,
        #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::schemes())))]
        scheme: String,
    },
    /// A header whose value is a secret.
    Header { name: String },
    /// All other headers, of a job whose owner has made them write-only.
    WriteOnlyHeaders,
    /// What opens the key of the client certificate.
    CertificatePassphrase,
    /// By what webhooks are signed.
    WebhookSecret,
}

/// How a job is to be imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportQuery {
    /// Whether missing folders are made.
    #[serde(default)]
    pub create_folders: bool,
    /// Only says whether it could be imported. Folders that are missing are not made, and with
    /// `create_folders` not missed.
    #[serde(default)]
    pub dry_run: bool,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Imported {
    /// `imported`, `already_there`, or `would_import` when it was only asked.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::outcomes_of_import())))]
    pub outcome: String,
    /// The job as it is now, when it is there.
    pub job: Option<Job>,
}

/// The words for what came of an import.
pub const IMPORTED: &str = "imported";
pub const ALREADY_THERE: &str = "already_there";
pub const WOULD_IMPORT: &str = "would_import";
