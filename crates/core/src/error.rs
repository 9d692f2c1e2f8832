//! What can be wrong, in three words.
//!
//! A [`Refusal`](crate::refusal::Refusal) is an answer: the caller asked for something this job
//! cannot do now, and nothing has changed. A [`JobError`] is a state: a job has met an error, and
//! keeps it until its owner deals with it. Everything else — a full disk, a lost database — is an
//! ordinary error of the code that met it, and becomes one of these two at the edge where a person
//! will read it.

pub mod codes;
mod language;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::credentials::{AuthScheme, AuthTarget};
use crate::file::FileIndex;

pub use language::Language;

/// An outcome by the number that 25 years of tools already know it by.
///
/// The space is the one BITS uses: its own codes in `0x8020_xxxx`, HTTP status lines in
/// `0x8019_xxxx`, the system's errors in `0x8007_xxxx` and the security packages' in
/// `0x8009_xxxx`. Numbers arrive from all four; only the ones we raise ourselves have names here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

impl Code {
    /// `S_FALSE`: it was done, and nothing came of it.
    pub const NOTHING_TO_DO: Self = Self(1);
    pub const PARTIAL_COMPLETE: Self = Self(0x0020_0017);
    pub const UNABLE_TO_DELETE_FILES: Self = Self(0x0020_001A);
    pub const NOT_FOUND: Self = Self(0x8020_0001);
    pub const INVALID_STATE: Self = Self(0x8020_0002);
    pub const EMPTY: Self = Self(0x8020_0003);
    pub const FILE_NOT_AVAILABLE: Self = Self(0x8020_0004);
    pub const PROTOCOL_NOT_AVAILABLE: Self = Self(0x8020_0005);
    pub const DESTINATION_LOCKED: Self = Self(0x8020_000D);
    pub const NETWORK_DISCONNECTED: Self = Self(0x8020_0010);
    pub const TOO_MANY_JOBS_PER_USER: Self = Self(0x8020_0049);
    pub const TOO_MANY_JOBS_PER_MACHINE: Self = Self(0x8020_0050);
    pub const TOO_MANY_FILES_IN_JOB: Self = Self(0x8020_0051);
    /// `BG_E_MAXDOWNLOAD_TIMEOUT`.
    pub const MAXIMUM_DOWNLOAD_TIME: Self = Self(0x8020_0054);
    /// `ERROR_RESOURCE_LANG_NOT_FOUND`: no words in the language that is asked for.
    pub const LANGUAGE_NOT_FOUND: Self = Self(0x8007_0717);
    pub const VOLUME_CHANGED: Self = Self(0x8020_000E);
    pub const INSUFFICIENT_RANGE_SUPPORT: Self = Self(0x8020_0013);
    pub const PROXY_LIST_TOO_LARGE: Self = Self(0x8020_0018);
    pub const PROXY_BYPASS_LIST_TOO_LARGE: Self = Self(0x8020_0019);
    pub const INVALID_SERVER_RESPONSE: Self = Self(0x8020_001B);
    pub const NO_PROGRESS: Self = Self(0x8020_0024);
    pub const FILE_NOT_IN_JOB: Self = Self(0x8020_0029);
    pub const INVALID_RANGE: Self = Self(0x8020_002B);
    pub const BLOCKED_BY_POLICY: Self = Self(0x8020_003E);
    pub const OVERLAPPING_RANGES: Self = Self(0x8020_002C);
    pub const TOO_MANY_RANGES_IN_FILE: Self = Self(0x8020_0052);
    pub const VALIDATION_FAILED: Self = Self(0x8020_0053);
    pub const READ_ONLY_PROPERTY_AFTER_ADDFILE: Self = Self(0x8020_0061);
    pub const READ_ONLY_PROPERTY_AFTER_RESUME: Self = Self(0x8020_0062);
    pub const MAX_DOWNLOAD_SIZE_INVALID_VALUE: Self = Self(0x8020_0063);
    pub const MAX_DOWNLOAD_SIZE_LIMIT_REACHED: Self = Self(0x8020_0064);
    pub const STRING_TOO_LONG: Self = Self(0x8020_0021);
    pub const USER_NAME_TOO_LARGE: Self = Self(0x8020_0025);
    pub const PASSWORD_TOO_LARGE: Self = Self(0x8020_0026);
    pub const INVALID_AUTH_TARGET: Self = Self(0x8020_0027);
    pub const INVALID_AUTH_SCHEME: Self = Self(0x8020_0028);
    /// `BG_E_INVALID_PROXY_INFO`.
    pub const INVALID_PROXY_INFO: Self = Self(0x8020_003F);
    pub const INVALID_CREDENTIALS: Self = Self(0x8020_0040);
    pub const USE_STORED_CREDENTIALS_NOT_SUPPORTED: Self = Self(0x8020_0066);
    pub const DATABASE_CORRUPT: Self = Self(0x8020_006C);
    pub const RANDOM_ACCESS_NOT_SUPPORTED: Self = Self(0x8020_006D);
    pub const BLOCKED_BY_COST_TRANSFER_POLICY: Self = Self(0x8020_0059);
    pub const BLOCKED_BY_BATTERY_POLICY: Self = Self(0x8020_0067);
    /// `ERROR_NOT_LOGGED_ON`.
    pub const NOT_LOGGED_ON: Self = Self(0x8007_04DD);
    pub const NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD: Self = Self(0x8020_0071);
    pub const UNSUPPORTED_JOB_CONFIGURATION: Self = Self(0x8020_0072);
    /// `BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED`.
    pub const CERTIFICATE_CALLBACK_GONE: Self = Self(0x8020_0074);
    pub const READ_ONLY_WHEN_JOB_ACTIVE: Self = Self(0x8020_0075);
    pub const ACCESS_DENIED: Self = Self(0x8007_0005);
    pub const FILE_NOT_FOUND: Self = Self(0x8007_0002);
    pub const PATH_NOT_FOUND: Self = Self(0x8007_0003);
    /// `ERROR_INVALID_PASSWORD`: the passphrase of a client certificate's key.
    pub const WRONG_PASSPHRASE: Self = Self(0x8007_0056);
    pub const INVALID_ARGUMENT: Self = Self(0x8007_0057);
    pub const DISK_FULL: Self = Self(0x8007_0070);
    /// `ERROR_WRITE_PROTECT`: the file system is read-only.
    pub const WRITE_PROTECT: Self = Self(0x8007_0013);
    /// `ERROR_DISK_QUOTA_EXCEEDED`
    pub const QUOTA_EXCEEDED: Self = Self(0x8007_050F);
    /// `ERROR_IO_DEVICE`: the disk fails.
    pub const IO_DEVICE: Self = Self(0x8007_045D);
    /// `E_OUTOFMEMORY`
    pub const OUT_OF_MEMORY: Self = Self(0x8007_000E);
    /// `ERROR_TOO_MANY_OPEN_FILES`
    pub const TOO_MANY_OPEN_FILES: Self = Self(0x8007_0004);
    pub const FILE_EXISTS: Self = Self(0x8007_0050);
    /// `ERROR_REVISION_MISMATCH`: the job has changed since it was read.
    pub const REVISION_MISMATCH: Self = Self(0x8007_051A);
    /// `RPC_S_SERVER_TOO_BUSY`: no place for another connection.
    pub const SERVER_TOO_BUSY: Self = Self(0x8007_06BB);
    pub const NOT_IMPLEMENTED: Self = Self(0x8000_4001);
    pub const UNSPECIFIED: Self = Self(0x8000_4005);
    pub const UNEXPECTED: Self = Self(0x8000_FFFF);
    /// `E_PENDING`: what is asked for is not there yet.
    pub const PENDING: Self = Self(0x8000_000A);
    pub const INVALID_ANSWER: Self = Self(0x8007_2F78);
    pub const TIMEOUT: Self = Self(0x8007_2EE2);
    pub const NAME_NOT_RESOLVED: Self = Self(0x8007_2EE7);
    pub const CANNOT_CONNECT: Self = Self(0x8007_2EFD);
    pub const CONNECTION_ABORTED: Self = Self(0x8007_2EFE);
    pub const CLIENT_CERTIFICATE_NEEDED: Self = Self(0x8007_2F0C);
    /// Whether a certificate was revoked could not be found out.
    pub const REVOCATION_UNKNOWN: Self = Self(0x8007_2F19);
    pub const PROXY_AUTODETECT_FAILED: Self = Self(0x8007_2F94);
    /// The client certificate's key cannot be read or used.
    pub const CLIENT_KEY_UNUSABLE: Self = Self(0x8007_2F9A);
    pub const HTTP_UNAUTHORIZED: Self = Self(0x8019_0191);
    /// The key that seals credentials is not there, or is not the one on record (`NTE_NO_KEY`).
    pub const NO_KEY: Self = Self(0x8009_000D);
    /// `CRYPT_E_NOT_FOUND`: no client certificate as it was asked for.
    pub const CERTIFICATE_NOT_FOUND: Self = Self(0x8009_2004);
    pub const NOT_SUPPORTED: Self = Self(0x8007_0032);
    pub const MUTUAL_AUTH_FAILED: Self = Self(0x8009_0363);
    /// `SEC_E_INVALID_TOKEN`: an identity was made of nothing.
    pub const INVALID_TOKEN: Self = Self(0x8009_0308);
    /// `SEC_E_UNKNOWN_CREDENTIALS`: credentials of a form that is of no use here.
    pub const UNKNOWN_CREDENTIALS: Self = Self(0x8009_030D);
    /// `SEC_E_UNSUPPORTED_FUNCTION`: credentials that are not a password.
    pub const UNSUPPORTED_FUNCTION: Self = Self(0x8009_0302);
    pub const SECPKG_NOT_FOUND: Self = Self(0x8009_0305);
    /// `SEC_E_INVALID_PARAMETER`.
    pub const SECURITY_INVALID_PARAMETER: Self = Self(0x8009_035D);
    /// `STATUS_INVALID_PARAMETER`: what asking an encrypted identity for its strings ends in.
    pub const STATUS_INVALID_PARAMETER: Self = Self(0xC000_000D);

    // What asking a person can end in: plain numbers of the system, as the prompt returns them.
    pub const INVALID_PARAMETER: Self = Self(87);
    pub const INSUFFICIENT_BUFFER: Self = Self(122);
    pub const CANCELLED: Self = Self(1223);
    pub const NO_SUCH_LOGON_SESSION: Self = Self(1312);
    pub const INVALID_ACCOUNT_NAME: Self = Self(1315);
    pub const NO_SUCH_PACKAGE: Self = Self(1364);
    pub const PROMPT_TIMED_OUT: Self = Self(1460);

    /// The code of an HTTP status (`bits.md` §12.2).
    pub const fn http(status: u16) -> Self {
        Self(0x8019_0000 + status as u32)
    }

    /// Whether the number says that something failed: its highest bit is set.
    pub const fn is_failure(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

/// What the service was dealing with when an error occurred. `BG_ERROR_CONTEXT`, `bits.md` §2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorContext {
    None = 0,
    Unknown = 1,
    GeneralQueueManager = 2,
    QueueManagerNotification = 3,
    LocalFile = 4,
    RemoteFile = 5,
    GeneralTransport = 6,
    RemoteApplication = 7,
    ServerCertificateCallback = 8,
}

impl ErrorContext {
    const ALL: [(Self, &'static str); 9] = [
        (Self::None, "none"),
        (Self::Unknown, "unknown"),
        (Self::GeneralQueueManager, "general_queue_manager"),
        (Self::QueueManagerNotification, "queue_manager_notification"),
        (Self::LocalFile, "local_file"),
        (Self::RemoteFile, "remote_file"),
        (Self::GeneralTransport, "general_transport"),
        (Self::RemoteApplication, "remote_application"),
        (Self::ServerCertificateCallback, "server_certificate_callback"),
    ];

    /// All the words.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(_, name)| name)
    }

    /// The word for programs.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The code by which BITS finds the words for it (`bits.md` §2.3).
    pub fn code(self) -> Code {
        Code(match self {
            Self::None => 0x0020_0006,
            Self::Unknown => 0x8020_0007,
            Self::GeneralQueueManager => 0x8020_0008,
            Self::QueueManagerNotification => 0x8020_000C,
            Self::LocalFile => 0x8020_0009,
            Self::RemoteFile => 0x8020_000A,
            Self::GeneralTransport => 0x8020_000B,
            Self::RemoteApplication => 0x8020_001E,
            Self::ServerCertificateCallback => 0x8020_0076,
        })
    }

    /// The context called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(context, _)| context)
    }
}

/// An error a job has met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub code: Code,
    /// What the service was dealing with when the error occurred.
    pub context: ErrorContext,
    /// Whether time may cure it. The owner must act on an error that time cannot.
    pub transient: bool,
    /// One sentence for a person, naming the file or host it concerns.
    pub message: String,
    /// The file it concerns, if it is one file's.
    pub file: Option<FileIndex>,
    /// Who asked for credentials, when credentials are what is missing or was refused.
    pub challenge: Option<Challenge>,
    /// The least time to wait that the server asked for (`Retry-After`), in seconds.
    pub retry_after_seconds: Option<u32>,
}

impl JobError {
    /// Whether the volume that a file goes to is not there, or another one is in its place.
    pub fn is_missing_volume(&self) -> bool {
        self.transient && [Code::DESTINATION_LOCKED, Code::VOLUME_CHANGED].contains(&self.code)
    }
}

/// What somebody must be told to find the right credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub target: AuthTarget,
    /// `host` or `host:port`.
    pub host: String,
    /// The realm as the server sent it: foreign text, to be shown as data.
    pub realm: Option<String>,
    /// The schemes offered that we speak.
    pub schemes: Vec<AuthScheme>,
    /// Whether credentials were sent and refused.
    pub refused: bool,
}
