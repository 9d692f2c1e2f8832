//! A file of a job as programs see it.

use serde::{Deserialize, Serialize};

/// A file of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct File {
    /// Its place in the job, from 0.
    pub index: u32,
    /// The URL, without user info.
    pub remote_name: String,
    /// The absolute path it will have.
    pub local_name: String,
    /// Null until the server has told it.
    pub bytes_total: Option<u64>,
    pub bytes_transferred: u64,
    /// Whether it is under its local name.
    pub completed: bool,
}

/// A part of a job's files, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileList {
    pub files: Vec<File>,
    /// The index to go on from; null at the end.
    pub next: Option<u32>,
}

/// Which files a list is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileQuery {
    /// The index of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// 1 to 1000; 100 when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Files to add: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddFiles {
    pub files: Vec<AddFile>,
    /// Whether missing folders are made.
    #[serde(default)]
    pub create_folders: bool,
}

/// A file to add.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddFile {
    /// An `http` or `https` URL; user info in it becomes credentials of the job.
    pub remote_name: String,
    /// An absolute path.
    pub local_name: String,
    /// Whether a file that is there already stays.
    #[serde(default)]
    pub no_clobber: bool,
}

impl std::fmt::Debug for AddFile {
    /// Without the remote name: there may be a password in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddFile").field("local_name", &self.local_name).finish_non_exhaustive()
    }
}
