//! Why a request was not carried out. Nothing has changed then.

use alloc::string::String;

use crate::error::Code;
use crate::http_options::PROXY_LIST_UNITS_MAX;
use crate::job::{JobId, Revision, State};
use crate::ranges::RangesError;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the job {id} has no files; add one before resuming it")]
    Empty { id: JobId },
    #[error("the job {id} is {}; it can no longer change", state.name())]
    InvalidState { id: JobId, state: State },
    #[error("there is no job `{what}`")]
    NotFound { what: String },
    #[error("`{what}` fits more than one job; use a longer part of the id")]
    Ambiguous { what: String },
    #[error("the job {what} belongs to somebody else")]
    AccessDenied { what: String },
    /// What belongs to the owner alone, asked for by an administrator.
    #[error(
        "credentials, headers and notifications of the job {what} are for its owner alone; take ownership of it first"
    )]
    OwnerOnly { what: String },
    #[error(
        "only an administrator of a service for the whole machine sees the jobs of all users; ask for your own"
    )]
    EverybodysJobs,
    #[error("only an administrator can become the owner of the job {what}")]
    NotAnAdministrator { what: String },
    #[error("you have {max} jobs, which is the most; complete or cancel some first")]
    TooManyJobsOfUser { max: u32 },
    #[error("there are {max} jobs on this machine, which is the most; complete or cancel some first")]
    TooManyJobs { max: u32 },
    #[error("the job {id} would have {files} files; {max} are the most, so none was added")]
    TooManyFiles { id: JobId, files: u64, max: u32 },
    #[error("the file {what} has {ranges} ranges; {max} are the most, so none was added")]
    TooManyRanges { what: String, ranges: usize, max: u32 },
    #[error("this service runs no notification commands (its setting notify_commands is off)")]
    CommandsForbidden,
    #[error("the question is not open any more: it was answered, or nobody needs the answer")]
    NoSuchQuestion,
    /// The service serves one user, and this was another.
    #[error("this service belongs to the user with id {owner}; you are the user with id {caller}")]
    OtherUser { owner: u32, caller: u32 },
    #[error("{what} {wrong}")]
    InvalidArgument { what: String, wrong: String },
    #[error("the {what} is {units} characters long; {units_max} are the most")]
    StringTooLong { what: &'static str, units: usize, units_max: usize },
    #[error("the list of proxies is {units} characters long; {PROXY_LIST_UNITS_MAX} are the most")]
    ProxyListTooLarge { units: usize },
    #[error(
        "the list of hosts that need no proxy is {units} characters long; {PROXY_LIST_UNITS_MAX} are the most"
    )]
    ProxyBypassListTooLarge { units: usize },
    /// `E_NOTIMPL`: a value that means nothing here.
    #[error("{what} {wrong}")]
    NotImplemented { what: String, wrong: &'static str },
    #[error("the {what} cannot be changed: the job has a method of its own, {method}")]
    NotWithCustomMethod { what: &'static str, method: String },
    #[error("stored credentials can be used for a proxy only; set those for the server on the job itself")]
    StoredServerCredentials,
    #[error("the user name is {units} characters long; 300 are the most")]
    UserNameTooLarge { units: usize },
    #[error("the password is longer than 65,536 characters")]
    PasswordTooLarge,
    /// A name or password that only Windows could resolve must not go to a server as if it were one.
    #[error("this is a reference to credentials that Windows keeps; give user name and password themselves")]
    MarshalledReference,
    #[error("`{text}` is no authentication target; there are server and proxy")]
    InvalidAuthTarget { text: String },
    #[error("`{text}` is no authentication scheme; there are basic, digest, ntlm and negotiate")]
    InvalidAuthScheme { text: String },
    /// A scheme of BITS that is known and not spoken.
    #[error(
        "Passport is not spoken here, and no server asks for it any more; use basic, digest, ntlm or negotiate"
    )]
    PassportNotSpoken,
    #[error("the job {id} has changed since you read it (revision {}, not {}); read it again", is.0, expected.0)]
    RevisionMismatch { id: JobId, is: Revision, expected: Revision },
    #[error("a job {id} exists already and belongs to somebody else")]
    IdTaken { id: JobId },
    #[error("the {what} of the job {id} can be set only before it is resumed for the first time")]
    ReadOnlyAfterResume { id: JobId, what: &'static str },
    #[error("the {what} of the job {id} can be set only before files are added")]
    ReadOnlyAfterAddFile { id: JobId, what: &'static str },
    #[error("the {what} of the job {id} can be set only while it does not work; suspend it first")]
    ReadOnlyWhenActive { id: JobId, what: &'static str },
    #[error("a job that may download nothing does nothing; max-download-size is at least 1")]
    MaxDownloadSizeZero,
    #[error("{0}")]
    Ranges(RangesError),
    #[error("{what} cannot be fetched by ranges: {why}")]
    RandomAccessNotSupported { what: String, why: &'static str },
    #[error("a job cannot be on demand and for dynamic content at once: such content has no parts")]
    OnDemandAndDynamic,
    #[error("a job on demand asks for parts of files by GET, not by {method}")]
    OnDemandWithMethod { method: String },
    #[error("the job {id} has no file {index}")]
    NoSuchFile { id: JobId, index: u32 },
    #[error("the file {index} of the job {id} has not come yet, so nothing can be said of its content")]
    FilePending { id: JobId, index: u32 },
    /// One of the two would be lost when both get their names.
    #[error(
        "{what} is where another file of the job goes already; give each file of a job a path of its own (none was added)"
    )]
    DestinationTaken { what: String },
    /// The destination of a file cannot be used; said by who looked at it.
    #[error("{message}")]
    Destination { code: Code, message: String },
    /// A whole file could not be put under its final name.
    #[error("{message}")]
    NotFinalized { code: Code, message: String },
    #[error("the change could not be written, so it was not made: {reason}")]
    NotWritten { code: Code, reason: String },
    /// The key that seals credentials is not there.
    #[error("{reason}")]
    NoKey { reason: String },
    /// The key that seals credentials was not changed.
    #[error("the key was not changed: {reason}")]
    KeyNotChanged { reason: String },
    /// There is no place for another connection.
    #[error(
        "{who} {connections} connections to this service, which is the most; close one, or try again soon"
    )]
    TooManyConnections { who: &'static str, connections: usize },
    #[error("the service is stopping")]
    Stopping,
}

impl Refusal {
    /// An invalid argument: what it is, and what is wrong with it.
    pub fn invalid(what: impl Into<String>, wrong: impl Into<String>) -> Self {
        Self::InvalidArgument { what: what.into(), wrong: wrong.into() }
    }

    /// The number by which programs know it (`bits.md` §12).
    pub fn code(&self) -> Code {
        match self {
            Self::Empty { .. } => Code::EMPTY,
            Self::InvalidState { .. } => Code::INVALID_STATE,
            Self::NotFound { .. } | Self::NoSuchQuestion => Code::NOT_FOUND,
            Self::AccessDenied { .. }
            | Self::OtherUser { .. }
            | Self::IdTaken { .. }
            | Self::OwnerOnly { .. }
            | Self::EverybodysJobs
            | Self::NotAnAdministrator { .. } => Code::ACCESS_DENIED,
            Self::TooManyJobsOfUser { .. } => Code::TOO_MANY_JOBS_PER_USER,
            Self::TooManyJobs { .. } => Code::TOO_MANY_JOBS_PER_MACHINE,
            Self::TooManyFiles { .. } => Code::TOO_MANY_FILES_IN_JOB,
            Self::TooManyRanges { .. } => Code::TOO_MANY_RANGES_IN_FILE,
            Self::Ambiguous { .. } | Self::InvalidArgument { .. } | Self::DestinationTaken { .. } => {
                Code::INVALID_ARGUMENT
            }
            Self::StringTooLong { .. } => Code::STRING_TOO_LONG,
            Self::ProxyListTooLarge { .. } => Code::PROXY_LIST_TOO_LARGE,
            Self::ProxyBypassListTooLarge { .. } => Code::PROXY_BYPASS_LIST_TOO_LARGE,
            Self::CommandsForbidden => Code::BLOCKED_BY_POLICY,
            Self::NotImplemented { .. } => Code::NOT_IMPLEMENTED,
            Self::NotWithCustomMethod { .. } | Self::OnDemandWithMethod { .. } => {
                Code::NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD
            }
            Self::StoredServerCredentials => Code::USE_STORED_CREDENTIALS_NOT_SUPPORTED,
            Self::UserNameTooLarge { .. } => Code::USER_NAME_TOO_LARGE,
            Self::PasswordTooLarge => Code::PASSWORD_TOO_LARGE,
            Self::MarshalledReference => Code::UNKNOWN_CREDENTIALS,
            Self::InvalidAuthTarget { .. } => Code::INVALID_AUTH_TARGET,
            Self::InvalidAuthScheme { .. } => Code::INVALID_AUTH_SCHEME,
            Self::PassportNotSpoken => Code::SECPKG_NOT_FOUND,
            Self::RevisionMismatch { .. } => Code::REVISION_MISMATCH,
            Self::ReadOnlyAfterResume { .. } => Code::READ_ONLY_PROPERTY_AFTER_RESUME,
            Self::ReadOnlyAfterAddFile { .. } => Code::READ_ONLY_PROPERTY_AFTER_ADDFILE,
            Self::ReadOnlyWhenActive { .. } => Code::READ_ONLY_WHEN_JOB_ACTIVE,
            Self::MaxDownloadSizeZero => Code::MAX_DOWNLOAD_SIZE_INVALID_VALUE,
            Self::Ranges(RangesError::Overlapping(..)) => Code::OVERLAPPING_RANGES,
            Self::RandomAccessNotSupported { .. } => Code::RANDOM_ACCESS_NOT_SUPPORTED,
            Self::OnDemandAndDynamic => Code::UNSUPPORTED_JOB_CONFIGURATION,
            Self::Ranges(RangesError::TooMany { .. } | RangesError::TooManyPieces) => {
                Code::TOO_MANY_RANGES_IN_FILE
            }
            Self::Ranges(RangesError::NotARange(_)) => Code::INVALID_ARGUMENT,
            Self::Ranges(RangesError::Empty(_) | RangesError::TooFar(_) | RangesError::BeyondEnd { .. }) => {
                Code::INVALID_RANGE
            }
            Self::NoSuchFile { .. } => Code::FILE_NOT_IN_JOB,
            Self::FilePending { .. } => Code::PENDING,
            Self::Destination { code, .. }
            | Self::NotFinalized { code, .. }
            | Self::NotWritten { code, .. } => *code,
            Self::NoKey { .. } => Code::NO_KEY,
            Self::KeyNotChanged { .. } => Code::NOT_SUPPORTED,
            Self::TooManyConnections { .. } => Code::SERVER_TOO_BUSY,
            Self::Stopping => Code::UNSPECIFIED,
        }
    }
}
