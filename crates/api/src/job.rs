//! A job as programs see it, and what they can ask of one.

use serde::{Deserialize, Serialize};

use crate::credentials::Password;
use crate::file::{AddFile, File};
use crate::http_options::{ClientCertificate, Header, Proxy, SetHeader};
use crate::problem::Problem;

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Job {
    /// 32 hexadecimal digits in groups, lower case.
    pub id: String,
    /// Goes up with each change; the `ETag` of the job.
    pub revision: u64,
    pub display_name: String,
    pub description: String,
    /// `download`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `queued`, `connecting`, `transferring`, `suspended`, `error`, `transient_error`,
    /// `transferred`, `acknowledged` or `cancelled`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::states())))]
    pub state: String,
    /// `foreground`, `high`, `normal` or `low`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::priorities())))]
    pub priority: String,
    pub owner: Owner,
    pub progress: Progress,
    pub times: Times,
    /// The last error; it stays until the job transfers again.
    pub error: Option<JobError>,
    pub error_count: u32,
    /// Why the job does not move, when it waits.
    pub wait: Option<Wait>,
    /// Seconds before each retry; null: after 1, 2, 4 … 60 seconds.
    pub minimum_retry_delay: Option<u64>,
    /// Seconds of errors without progress before the job is given up.
    pub no_progress_timeout: u64,
    /// Seconds that the job may be connecting and transferring since it was last resumed; null: as
    /// many as the setting `max_download_time` says.
    #[serde(default)]
    pub maximum_download_time: Option<u64>,
    /// Whether the service completes the job by itself.
    pub complete_when_done: bool,
    /// `BG_COPY_FILE`, one mask; without effect here, like the next three.
    #[serde(default)]
    pub file_acl_flags: u32,
    /// `BG_JOB_ENABLE_PEERCACHING_CLIENT` and its like, one mask.
    #[serde(default)]
    pub peer_caching_flags: u32,
    /// `BG_TOKEN`, one mask.
    #[serde(default)]
    pub helper_token_flags: u32,
    /// `NOTIFICATION_CLSID`; null: none.
    #[serde(default)]
    pub notification_clsid: Option<String>,
    /// Whether a file that fails is passed over, so that the others come.
    #[serde(default)]
    pub keep_going: bool,
    /// Whether what the server sends is made for each request, so that nothing can be resumed.
    #[serde(default)]
    pub dynamic_content: bool,
    /// Whether safety after a power cut is given up for speed.
    #[serde(default)]
    pub high_performance: bool,
    /// Whether nothing of its files comes but the ranges that are asked for.
    #[serde(default)]
    pub on_demand: bool,
    /// Bytes that the job may download altogether; null: no limit.
    #[serde(default)]
    pub max_download_size: Option<u64>,
    /// In which states of the network's cost the job may transfer, a mask (`COST_FLAGS`); null: as the
    /// settings say for its priority.
    #[serde(default)]
    pub cost_flags: Option<u32>,
    /// Bytes per second at most; null: no limit of its own.
    #[serde(default)]
    pub rate_limit: Option<u64>,
    /// `GET` unless another one was set.
    #[serde(default = "default_method")]
    pub http_method: String,
    /// The headers that are no secrets; null when they can only be replaced.
    #[serde(default)]
    pub custom_headers: Option<Vec<Header>>,
    /// Whether the headers can be replaced and no longer read.
    #[serde(default)]
    pub custom_headers_write_only: bool,
    /// `BG_HTTP_SECURITY` and the redirect policy, one mask.
    #[serde(default)]
    pub security_flags: u32,
    #[serde(default)]
    pub client_certificate: ClientCertificate,
    #[serde(default)]
    pub proxy: Proxy,
    /// `proxy` when the owner's stored credentials may answer one.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::stored_credentials_for()))))]
    pub use_stored_credentials: Option<String>,
    /// Whether NTLM is never used.
    #[serde(default)]
    pub no_ntlm: bool,
    /// The Kerberos name of the service; null: `HTTP/` and the host of the URL.
    #[serde(default)]
    pub service_name: Option<String>,
    /// Which notifications are wanted, one mask (`SetNotifyFlags`).
    #[serde(default)]
    pub notify_flags: u32,
    /// What is run when the job is TRANSFERRED or in ERROR (`SetNotifyCmdLine`).
    #[serde(default)]
    pub notify_command: Option<NotifyCommand>,
    /// To where a webhook is sent then.
    #[serde(default)]
    pub notify_webhook: Option<String>,
    /// Whether the webhook is signed with a secret. Only when one job is asked for, or when a change of it
    /// concerns the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_webhook_signed: Option<bool>,
    /// Milliseconds between two notifications of changes, at least.
    #[serde(default)]
    pub minimum_notification_interval_ms: u64,
    /// How many commands and webhooks have not been heard yet.
    #[serde(default)]
    pub notifications_pending: u32,
    /// Why the last command or webhook was not heard, when it was not.
    #[serde(default)]
    pub notification_failure: Option<String>,
    /// Of the owner's environment what transfers need. Only when one job is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The names of the headers that are secrets. Only when one job is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_headers: Option<Vec<String>>,
    /// Which credentials are set; what they are cannot be read. Only when one job is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<CredentialPresent>>,
    /// The files; only where the command line puts them in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<File>>,
}

fn default_method() -> String {
    "GET".to_owned()
}

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Owner {
    /// The user id, as text.
    pub id: String,
    /// The user's name, where the system knows one.
    pub name: Option<String>,
    /// `0x3000` (12288) of root's jobs, `0x2000` (8192) of all others: the nearest there is to what
    /// `GetOwnerIntegrityLevel` tells.
    #[serde(default)]
    pub integrity_level: u32,
    /// Whether it is root's job.
    #[serde(default)]
    pub elevated: bool,
}

/// `BG_JOB_PROGRESS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Progress {
    /// Null until the size of every file is known.
    pub bytes_total: Option<u64>,
    pub bytes_transferred: u64,
    pub files_total: u32,
    pub files_transferred: u32,
    /// How many have failed while the job kept going.
    #[serde(default)]
    pub files_passed_over: u32,
}

/// `BG_JOB_TIMES`, each RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Times {
    pub created: String,
    pub modified: String,
    pub transfer_completed: Option<String>,
}

/// An error a job has met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobError {
    /// `0x` and eight hexadecimal digits.
    pub code: String,
    pub name: String,
    /// What the service was dealing with, such as `remote_file` or `local_file`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::contexts())))]
    pub context: String,
    /// One sentence for a person.
    pub message: String,
    /// Whether time may cure it.
    pub transient: bool,
    /// The index of the file it concerns.
    pub file: Option<u32>,
    /// Who asked for credentials, when they are missing or were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
}

/// What somebody must be told to find the right credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Challenge {
    /// `server` or `proxy`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::targets())))]
    pub target: String,
    pub host: String,
    /// As the server sent it: foreign text.
    pub realm: Option<String>,
    /// The schemes offered: `basic`, `digest`, `ntlm`, `negotiate`.
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::words::list_of_schemes"))]
    pub schemes: Vec<String>,
    /// Whether credentials were sent and refused.
    pub refused: bool,
}

/// Why a job waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wait {
    /// `turn`, `retry`, `credential`: it cannot sign in, `policy`: the timetable does not let it run now,
    /// `connections`: there are as many as there may be, `demand`: all is here that was asked for of its
    /// files, `network`: there is none, `cost`: the network costs more than the job may spend, `power`:
    /// the machine runs on its battery, `owner_away`: its owner is logged off, or `volume`: the volume that
    /// its files go to is not mounted.
    pub reason: String,
    /// What that takes, with `credential`: the `key` to its credentials, or an `answer` of a person
    /// who was asked for them; with `connections`: one to its `host`, or `any`; with `network`: a `link`,
    /// an `address` or a `route`; with `cost`: the transfer policy, or the mask of cost flags, that must be
    /// met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// What is there instead: with `cost` what the network is, such as `metered` or `roaming`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has: Option<String>,
    /// Who asks for that: with `cost` the `job`, or the `settings` for its priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// The code that BITS has for it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Until when, where that is known.
    pub until: Option<String>,
    /// How many jobs have their turn first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u64>,
}

/// That a credential is set, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialPresent {
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::targets())))]
    pub target: String,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::schemes())))]
    pub scheme: String,
}

/// A part of a list of jobs, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobList {
    pub jobs: Vec<Job>,
    /// What to ask for to get the next part; null at the end.
    pub next: Option<String>,
}

/// Which jobs a list is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListQuery {
    /// Only jobs in this state; without it all but the final ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::states()))))]
    pub state: Option<String>,
    /// Only live jobs whose id begins so (four characters or more) or whose name is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Whether the jobs of all users are meant (`BG_JOB_ENUM_ALL_USERS`), as an administrator may ask; others
    /// are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_users: Option<bool>,
    /// Where to go on: the `next` of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// 1 to 1000; 100 when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub limit: Option<usize>,
}

/// A new job.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateJob {
    /// The caller may choose the id; asking twice with one id makes one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub display_name: String,
    /// `download`, which is also meant when it is not given.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::types()))))]
    pub kind: Option<String>,
    #[serde(default)]
    pub properties: ChangeJob,
    /// What of the caller's environment transfers need.
    #[serde(default)]
    pub environment: Environment,
    /// Its first files; the job is made with all of them or not at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<AddFile>,
    /// Whether missing folders are made.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_folders: bool,
    /// Whether the job may run at once; it has files then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resume: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Jobs that can be created in one call.
pub const JOBS_PER_CALL_MAX: usize = 1000;

/// New jobs, up to 1000.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateJobs {
    pub jobs: Vec<CreateJob>,
}

/// What became of new jobs, in their order: each is made or refused for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedJobs {
    pub jobs: Vec<CreatedJob>,
}

/// What became of a new job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedJob {
    /// Null where the job was refused and had none.
    pub id: Option<String>,
    /// Why the job was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Changes to the properties of a job; what is not given stays.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeJob {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::priorities()))))]
    pub priority: Option<String>,
    /// Seconds; `0` goes back to retries after 1, 2, 4 … 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_retry_delay: Option<u64>,
    /// Seconds; `0` makes every error fatal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_progress_timeout: Option<u64>,
    /// Seconds; `0` goes back to what the setting `max_download_time` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_download_time: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_when_done: Option<bool>,
    /// Owner 1, group 2, DACL 4, SACL 8; not once the job is transferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_acl_flags: Option<u32>,
    /// Client 1, server 2, no branch cache 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_caching_flags: Option<u32>,
    /// Local file 1, network 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper_token_flags: Option<u32>,
    /// 32 hexadecimal digits, with or without hyphens and braces; zeros clear it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_clsid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_going: Option<bool>,
    /// Only before the job is resumed for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_content: Option<bool>,
    /// Only before files are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_performance: Option<bool>,
    /// Only before the job is resumed for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<bool>,
    /// Bytes, at least 1; only before the job is resumed for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_download_size: Option<u64>,
    /// A mask, as `0x80000067` for the policy STANDARD; `0` goes back to what the settings say for the
    /// priority. Takes effect at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_flags: Option<u32>,
    /// Bytes per second, 250 to 1 TiB; `0` takes the limit away. It holds at once, also while the job
    /// transfers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u64>,
    /// Only before the job is resumed for the first time. Another one than `GET` makes the job
    /// foreground for good, and every error of it fatal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_method: Option<String>,
    /// Replaces all headers; an empty list takes them away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_headers: Option<Vec<SetHeader>>,
    /// `true` alone: there is no way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub make_custom_headers_write_only: Option<bool>,
    /// `BG_HTTP_SECURITY` and the redirect policy, one mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_flags: Option<u32>,
    /// Takes the passphrase of the one before away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
    /// What opens the key of the client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_passphrase: Option<Password>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// `proxy` lets the owner's stored credentials answer one; `none` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::or_null(crate::words::stored_credentials_to_be_for()))))]
    pub use_stored_credentials: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_ntlm: Option<bool>,
    /// An empty text goes back to `HTTP/` and the host of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Which notifications are wanted: the sum of 1 JOB_TRANSFERRED, 2 JOB_ERROR, 4 DISABLE, 8
    /// JOB_MODIFICATION, 16 FILE_TRANSFERRED and 32 FILE_RANGES_TRANSFERRED; 3 unless it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_flags: Option<u32>,
    /// An empty program takes the command away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_command: Option<NotifyCommand>,
    /// An http or https URL; an empty text takes the webhook away, and its secret. The secret stays with
    /// another URL of the same scheme, host and port; with any other it goes, unless it is given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_webhook: Option<String>,
    /// By what the webhook is signed; one that begins with `whsec_` is base64 after that. An empty text takes
    /// it away. It is refused where the job has no webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_webhook_secret: Option<Password>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_notification_interval_ms: Option<u32>,
}

/// A program and just what it is given. No shell reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotifyCommand {
    /// An absolute path.
    pub program: String,
    /// What comes after the name of the program.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// What a callback says of what has happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heard {
    /// `transferred` or `error`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::words::happenings())))]
    pub event: String,
    /// Without having heard it, the job's command is run.
    pub heard: bool,
}

/// What of the caller's environment transfers need: the service was started from another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Environment {
    /// The caller's `KRB5_CONFIG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub krb5_config: Option<String>,
    /// The caller's `KRB5CCNAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub krb5_ccname: Option<String>,
    /// The caller's `http_proxy`, in lower case alone: a web server sets `HTTP_PROXY` from a header
    /// of a request. A user and password in it become credentials of the job; so for the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_proxy: Option<String>,
    /// The caller's `https_proxy` or `HTTPS_PROXY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https_proxy: Option<String>,
    /// The caller's `all_proxy` or `ALL_PROXY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_proxy: Option<String>,
    /// The caller's `no_proxy` or `NO_PROXY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_proxy: Option<String>,
    /// The caller's umask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
}

/// How a command ended well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandAnswer {
    pub job: Job,
    /// What is to be said beyond that, such as `BG_S_PARTIAL_COMPLETE`.
    pub outcome: Option<Outcome>,
}

/// A code that is no failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    pub code: String,
    pub name: String,
    pub message: String,
}
