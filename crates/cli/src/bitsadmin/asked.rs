//! What that tool can be asked, as values. Who carries it out is in `calls`.

use bits_client::Scheme;
use bits_client::api::job::ChangeJob;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::job::Priority;
use bits_core::ranges::ByteRange;
use bits_core::secret::Secret;

use super::absent::Absent;

/// How it is to be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// No banner; of what has one value, that alone, without an end of line.
    pub(super) is_raw: bool,
    /// Whether lines are broken at the width of the console; without it they are where there is one.
    pub(super) wraps: Option<bool>,
}

/// Something asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Help,
    Version {
        is_verbose: bool,
    },
    Create {
        name: String,
    },
    Transfer(Transfer),
    AddFile {
        job: String,
        url: String,
        path: String,
        ranges: Vec<ByteRange>,
    },
    AddFileSet {
        job: String,
        list: String,
    },
    ReplaceRemotePrefix {
        job: String,
        old: String,
        new: String,
    },
    List {
        all_users: bool,
        is_verbose: bool,
    },
    ListFiles {
        job: String,
    },
    Monitor {
        all_users: bool,
        refresh_seconds: u64,
    },
    Info {
        job: String,
        is_verbose: bool,
    },
    Command {
        command: Command,
        job: String,
    },
    Reset {
        all_users: bool,
    },
    Get {
        property: Property,
        job: String,
    },
    GetError {
        job: String,
    },
    GetOfFile {
        property: FileProperty,
        job: String,
        index: u32,
    },
    Set {
        job: String,
        change: Box<ChangeJob>,
        what: &'static str,
        value: String,
    },
    SetHeaders {
        job: String,
        headers: Vec<String>,
    },
    SetCredentials {
        job: String,
        target: AuthTarget,
        scheme: AuthScheme,
        secret: Given,
    },
    RemoveCredentials {
        job: String,
        target: AuthTarget,
        scheme: Scheme,
    },
    SetValidation {
        job: String,
        index: u32,
        is_valid: bool,
    },
    /// What a download job has none of, whichever it is (`bits.md` §1.4).
    OfReplies {
        what: &'static str,
        job: String,
    },
    /// Of the machine's peer cache, which there is none of.
    PeerCachingFlags,
    Absent(&'static Absent),
}

/// The one-liner.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) name: String,
    pub(super) priority: Priority,
    pub(super) is_dynamic: bool,
    /// Flags of access control lists, which mean nothing over http.
    pub(super) acl_flags: Option<u32>,
    /// URL and local file of each.
    pub(super) files: Vec<(String, String)>,
}

/// The letters for what of access control lists is copied (`bits.md` §2.8): owner, group and the two lists.
pub(super) const ACL_FLAGS: [(char, u32); 4] = [('O', 1), ('G', 2), ('D', 4), ('S', 8)];

/// A word for a whole job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Suspend,
    Resume,
    Cancel,
    Complete,
    TakeOwnership,
}

/// Where user and password come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// NULL and NULL: the owner's Kerberos ticket.
    Implicit,
    /// `*`: the person is asked.
    ToAsk { user: Option<String> },
    /// For everybody to read.
    Literal { user: String, password: Secret },
}

/// What can be read of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    Type,
    State,
    Owner,
    BytesTotal,
    BytesTransferred,
    FilesTotal,
    FilesTransferred,
    CreationTime,
    ModificationTime,
    CompletionTime,
    ErrorCount,
    DisplayName,
    Description,
    Priority,
    NotifyFlags,
    NotifyInterface,
    NotifyCommandLine,
    MinRetryDelay,
    NoProgressTimeout,
    MaxDownloadTime,
    ProxyUsage,
    ProxyList,
    ProxyBypassList,
    AclFlags,
    CustomHeaders,
    HttpMethod,
    SecurityFlags,
    ClientCertificate,
    PeerCachingFlags,
    HelperTokenFlags,
}

/// What can be read of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileProperty {
    ValidationState,
    TemporaryName,
    PeerStats,
}
