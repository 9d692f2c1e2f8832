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
    /// Whether its content is known to be right: its owner has said so, or it is under its local name
    /// (`GetValidationState`). Null until all of it has come.
    #[serde(default)]
    pub valid: Option<bool>,
    /// The parts of the remote file that are wanted; not there when it is all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// `ALGORITHM:HEX`, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// `ALGORITHM:HEX`, as the server gave it with the version that is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_served: Option<String>,
    /// By what it is known that the rest is of the same file: `validator`, `size_and_time` or
    /// `checksum`.
    #[serde(default = "default_resume_by")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::ways_to_resume())))]
    pub resume_by: String,
    /// The size that was given with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_size: Option<u64>,
    /// From where it may come, the remote name first; not there when there are no mirrors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Where it is until it is under its local name. Only when one file is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_name: Option<String>,
    /// The fields of the server's last answer, a line each (`HTTP_RESPONSE_HEADERS`). Only when one
    /// file is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_response_headers: Option<String>,
    /// Why the file was passed over, in a job that keeps going.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FileError>,
}

fn default_resume_by() -> String {
    "validator".to_owned()
}

/// A place from where a file may come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Source {
    /// The URL, without user info.
    pub remote_name: String,
    /// Who says that it has the file: `original` is the remote name itself, `given` is a mirror given
    /// with it, `link` one that the server told of.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::source_origins())))]
    pub origin: String,
    /// Whether the last bytes came from here, or are to come.
    pub in_use: bool,
    /// `ready`, or why it is not asked any more: `refused`, `broken`, `slow`, `other` (it has another
    /// version) or `lied` (what it sent has the wrong checksum or size).
    pub state: String,
    /// One sentence for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A part of a remote file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Range {
    pub offset: u64,
    /// Null: to the end of the file.
    #[serde(default)]
    pub length: Option<u64>,
}

/// What of a file of a job on demand is there, and what is asked for (`GetFilledFileRanges`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FilledRanges {
    /// On the disk for sure: apart from each other, in ascending order, each with a length.
    pub filled: Vec<Range>,
    /// What was requested and has not come, in the order it is fetched.
    pub requested: Vec<Range>,
    /// From where all that is missing is fetched when nothing is requested; null: it is not.
    pub position: Option<u64>,
}

/// Parts of a file that are to come before all else, in this order (`RequestFileRanges`). They may
/// overlap each other and what was requested before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestRanges {
    pub ranges: Vec<Range>,
}

/// From where all that is missing of a file is to come, around its end to what is missing before
/// (`UpdateDownloadPosition`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DownloadPosition {
    pub offset: u64,
}

/// Why a file was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileError {
    /// `0x` and eight hexadecimal digits.
    pub code: String,
    pub name: String,
    /// One sentence for a person.
    pub message: String,
}

/// Changes to a file of a job; what is not given stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeFile {
    /// Where it comes from now on. What has come stays when size and time are equal there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_name: Option<String>,
    /// What the owner says of the content of a file that has come; `false` has it fetched again when
    /// the job is resumed (`SetValidationState`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
}

impl std::fmt::Debug for ChangeFile {
    /// Without the remote name: there may be a password in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeFile").field("valid", &self.valid).finish_non_exhaustive()
    }
}

/// Another start for the remote names of a job (`ReplaceRemotePrefix`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplaceRemotePrefix {
    /// As the remote names begin, in the same letter case.
    pub old: String,
    pub new: String,
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
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
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
    /// An `http`, `https` or `file` URL, or the absolute path of a file of the service's machine; user
    /// info in it becomes credentials of the job.
    pub remote_name: String,
    /// An absolute path, to a place where no other file of the job goes: however the paths are written,
    /// two files for one place are refused.
    pub local_name: String,
    /// Whether a file that is there already stays.
    #[serde(default)]
    pub no_clobber: bool,
    /// The parts that are wanted, one after another; all of it when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// `sha256:HEX`, or `sha512`, `blake3`, `md5`: what the local file must sum up to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// By what it is known that the rest is of the same file: `validator`, which is meant when it is
    /// not given, `size_and_time`, or `checksum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::ways_to_resume()))))]
    pub resume_by: Option<String>,
    /// `http` or `https` URLs from where the same file may come, in the order in which they are to be
    /// asked; without user info, as credentials are for the server of the remote name alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// The size that the local file must have, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_size: Option<u64>,
}

impl AddFile {
    /// All of the file at `remote_name`, as `local_name`; nothing else said of it.
    pub fn new(remote_name: String, local_name: String) -> Self {
        Self {
            remote_name,
            local_name,
            no_clobber: false,
            ranges: Vec::new(),
            checksum: None,
            resume_by: None,
            mirrors: Vec::new(),
            expected_size: None,
        }
    }
}

impl std::fmt::Debug for AddFile {
    /// Without the remote name: there may be a password in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddFile").field("local_name", &self.local_name).finish_non_exhaustive()
    }
}
