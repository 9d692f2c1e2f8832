//! What can be typed, word by word. What it means is in `commands`.

mod requests;

use std::ffi::OsString;
use std::path::PathBuf;

use bits_core::checksum::Checksum;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::file::ResumeBy;
use bits_core::job::Priority;
use bits_core::ranges::ByteRange;
use bits_core::refusal::Refusal;
use bits_core::remote_name::{RemoteName, RemoteNameError};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use requests::{ProxySecret, Requests};

/// Transfers files in the background, and signs in where a server asks for it.
#[derive(Debug, Parser)]
#[command(name = "bits", version, max_term_width = 100)]
#[command(after_help = "JOB is a job's id, the beginning of one (four characters or more), or its name.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Everywhere {
    /// Print results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Never start the service
    #[arg(long, global = true)]
    pub(crate) no_start: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
    /// Show no progress
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Download, from start to finish: create, add, resume, show progress, complete
    Get(Box<Get>),
    /// Create a job, suspended and empty; prints its id
    Create(Create),
    /// Add a file to a job, or those of a list
    Add(Add),
    /// Set or remove the credentials of a job, or save some for later; nothing shows them
    #[command(subcommand)]
    Credentials(Credentials),
    /// Stay, and ask for the credentials that background jobs need
    Agent(Agent),
    /// Let jobs run
    Resume(Jobs),
    /// Stop jobs; what has come is kept
    Suspend(Jobs),
    /// Put the files of jobs in their places and end the jobs
    Complete(Jobs),
    /// End jobs and delete what has come
    Cancel(Jobs),
    /// Make jobs of other users yours, as an administrator
    ///
    /// The credentials, headers and client certificate of the old owner go; files, progress and all else
    /// stay. A service of your own has no jobs but yours, and no administrator.
    TakeOwnership(Jobs),
    /// List jobs
    List(List),
    /// Show everything about a job: its files, its last error, and why it does not move
    Show(Show),
    /// Show progress until the jobs rest; without JOB, all jobs
    Watch(Watch),
    /// Change properties of a job
    Set(Set),
    /// Have the files of a job come from another place; what has come stays when they are the same
    ReplaceRemotePrefix(ReplacePrefix),
    /// Fetch files of a job on demand by parts: what is there, what is to come first
    #[command(subcommand)]
    Ranges(Ranges),
    /// Explain a code such as 0x80190194 or BG_E_EMPTY
    Error(ErrorCode),
    /// The settings of the service
    #[command(subcommand)]
    Config(Config),
    /// The service itself
    #[command(subcommand)]
    Service(Service),
    /// Speak as `bitsadmin`, for scripts written for that tool; `bits admin /help` lists its switches.
    /// Called under that name, by a link, this program does so by itself
    Admin(Admin),
    /// Print what a shell needs to complete these commands
    Completions(Completions),
    /// Write pages for `man` into a folder, one for each command
    Man(Manual),
}

#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// A switch of that tool, such as /transfer, and what it takes
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "bits get [OPTIONS] URL… [DEST]\n       bits get [OPTIONS] --input FILE [DEST]\n       bits get [OPTIONS] --metalink FILE [DEST]"
)]
pub(crate) struct Get {
    /// What to download, and at the end where to: a file or an existing folder; without DEST, here.
    /// Several URLs need a folder
    #[arg(value_name = "URL", required_unless_present_any = ["input", "metalink"])]
    pub(crate) operands: Vec<OsString>,
    /// Read lines `URL [PATH]` from FILE, or from standard input with `-`
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Fetch the files of a Metalink file (version 4), with its checksums and mirrors; `-` is standard
    /// input. A first operand that ends in .meta4 is one too
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    pub(crate) metalink: Option<PathBuf>,
    /// What to call the job
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A description of the job
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// How urgent it is: foreground, high, normal or low
    #[arg(long, default_value = "foreground", value_parser = priority, allow_negative_numbers = true)]
    pub(crate) priority: Priority,
    /// Sign in with this scheme: basic, digest, ntlm or negotiate; basic also over plain http
    #[arg(long, value_name = "SCHEME", value_parser = scheme)]
    pub(crate) auth: Option<AuthScheme>,
    /// Stop waiting after so many seconds; the job goes on
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) max_time: Option<u64>,
    /// Cancel the job when it ends in an error
    #[arg(long)]
    pub(crate) rm_on_error: bool,
    /// Refuse to replace a file
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// Make missing folders
    #[arg(long)]
    pub(crate) create_dirs: bool,
    /// Go on with the other files when one fails
    #[arg(long)]
    pub(crate) keep_going: bool,
    #[command(flatten)]
    pub(crate) content: Content,
    /// Print the job's id and return at once
    #[arg(long, conflicts_with_all = ["max_time", "rm_on_error"])]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) netrc: Netrc,
    #[command(flatten)]
    pub(crate) saved: Saved,
    // The last: their headings would be those of what follows.
    #[command(flatten)]
    pub(crate) secret: Secret,
    #[command(flatten)]
    pub(crate) proxy_secret: ProxySecret,
    #[command(flatten)]
    pub(crate) requests: Requests,
}

/// Who signs in, and where the password comes from. Never from an argument or the environment:
/// others can read those.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing in")]
pub(crate) struct Secret {
    /// The user: DOMAIN\user, user@realm, or the bare name
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Read the password from the first line of FILE
    #[arg(long, value_name = "FILE", requires = "user", group = "source")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from the first line of standard input
    #[arg(long, requires = "user", group = "source")]
    pub(crate) password_stdin: bool,
    /// Ask for them: at the terminal, or by a window
    #[arg(long, group = "source")]
    pub(crate) prompt: bool,
    /// Use your Kerberos ticket, and wait for one where there is none
    #[arg(long, group = "source", conflicts_with = "user")]
    pub(crate) implicit: bool,
}

/// Credentials that are in a netrc file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing in")]
pub(crate) struct Netrc {
    /// Take user and password for the host from $NETRC, or from .netrc in the home folder
    #[arg(long, group = "source")]
    pub(crate) netrc: bool,
    /// The same from FILE
    #[arg(long, value_name = "FILE", group = "source")]
    pub(crate) netrc_file: Option<PathBuf>,
}

/// Credentials that were saved.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing in")]
pub(crate) struct Saved {
    /// Save what is typed at the prompt, for its host
    #[arg(long)]
    pub(crate) save: bool,
    /// Use the credentials saved under NAME, which can be a host; see `bits credentials save`
    #[arg(long, value_name = "NAME", group = "source", conflicts_with = "user")]
    pub(crate) credential: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What to call it
    pub(crate) name: String,
    /// The kind of job
    #[arg(long = "type", value_name = "TYPE", default_value = "download")]
    pub(crate) kind: JobType,
    /// How urgent it is: foreground, high, normal or low
    #[arg(long, default_value = "normal", value_parser = priority, allow_negative_numbers = true)]
    pub(crate) priority: Priority,
    /// A description of the job
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    // The last: its heading would be that of what follows.
    #[command(flatten)]
    pub(crate) requests: Requests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JobType {
    Download,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "bits add [OPTIONS] JOB URL PATH\n       bits add [OPTIONS] --input FILE JOB [FOLDER]"
)]
pub(crate) struct Add {
    /// Its id, the beginning of one, or its name
    pub(crate) job: String,
    /// Where the file comes from, by http or https, or a file of this machine; with --input the
    /// folder that the files of the list go to, without it here
    #[arg(required_unless_present = "input")]
    pub(crate) url: Option<OsString>,
    /// The file it becomes
    #[arg(required_unless_present = "input")]
    pub(crate) path: Option<OsString>,
    /// Read lines `URL [PATH]` from FILE, or from standard input with `-`, and add all of them
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Refuse to replace a file
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// Make missing folders
    #[arg(long)]
    pub(crate) create_dirs: bool,
    /// Fetch only this part, written OFFSET:LENGTH or OFFSET:eof; several are put one after another
    #[arg(long, value_name = "RANGE", value_parser = range, conflicts_with = "input", allow_hyphen_values = true)]
    pub(crate) range: Vec<ByteRange>,
    /// Set the credentials saved under NAME, which can be a host, for the servers of the job
    #[arg(long, value_name = "NAME")]
    pub(crate) credential: Option<String>,
    #[command(flatten)]
    pub(crate) content: Content,
}

/// How it is known that a file is the right one.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// What the file must sum up to, as sha256:HEX; also sha512, blake3 and md5
    #[arg(long, value_name = "CHECKSUM", value_parser = checksum)]
    pub(crate) checksum: Option<Checksum>,
    /// How the rest of a file is known to be of the same one after an interruption: validator,
    /// size-and-time or checksum
    #[arg(long, value_name = "WAY", value_parser = resume_by)]
    pub(crate) resume_by: Option<ResumeBy>,
    /// Another http or https URL of the same file; may be given again. Mirrors are asked in this order
    /// when the server of the file itself fails or has it no more, and are never sent credentials
    #[arg(long, value_name = "URL", value_parser = mirror)]
    pub(crate) mirror: Vec<RemoteName>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Credentials {
    /// Set credentials of a job
    Set(SetCredentials),
    /// Take credentials away from a job
    Remove(RemoveCredentials),
    /// Save credentials under a name, or for a host
    Save(SaveCredentials),
    /// List the names that credentials are saved under
    List,
    /// Forget saved credentials
    Forget(ForgetCredentials),
}

#[derive(Debug, Args)]
pub(crate) struct SaveCredentials {
    /// A name of your choice, or the host they are for, with its port if it has an unusual one
    pub(crate) name: String,
    /// The scheme: basic, digest, ntlm or negotiate; without it all that suit
    #[arg(long, value_parser = scheme)]
    pub(crate) scheme: Option<AuthScheme>,
    // The last: its heading would be that of what follows.
    #[command(flatten)]
    pub(crate) secret: Secret,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetCredentials {
    /// The name or host
    pub(crate) name: String,
    /// The scheme: basic, digest, ntlm or negotiate; without it all
    #[arg(long, value_parser = scheme)]
    pub(crate) scheme: Option<AuthScheme>,
}

#[derive(Debug, Args)]
pub(crate) struct Agent {
    /// Answer with this scheme alone: basic, digest, ntlm or negotiate; basic also over plain http
    #[arg(long, value_name = "SCHEME", value_parser = scheme)]
    pub(crate) auth: Option<AuthScheme>,
    /// Save what is typed, for its host
    #[arg(long)]
    pub(crate) save: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetCredentials {
    /// Its id, the beginning of one, or its name
    pub(crate) job: String,
    /// Who may ask for them: server or proxy
    #[arg(long, default_value = "server", value_parser = target)]
    pub(crate) target: AuthTarget,
    /// The scheme: basic, digest, ntlm or negotiate; without it all that suit
    #[arg(long, value_parser = scheme)]
    pub(crate) scheme: Option<AuthScheme>,
    /// The title of the question
    #[arg(long, value_name = "TEXT")]
    pub(crate) caption: Option<String>,
    /// A text below the title
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    #[command(flatten)]
    pub(crate) saved: Saved,
    // The last: its heading would be that of what follows.
    #[command(flatten)]
    pub(crate) secret: Secret,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveCredentials {
    /// Its id, the beginning of one, or its name
    pub(crate) job: String,
    /// Whose they are: server or proxy
    #[arg(long, default_value = "server", value_parser = target)]
    pub(crate) target: AuthTarget,
    /// The scheme: basic, digest, ntlm or negotiate; without it all
    #[arg(long, value_parser = scheme)]
    pub(crate) scheme: Option<AuthScheme>,
}

#[derive(Debug, Args)]
pub(crate) struct Jobs {
    /// Their ids, the beginnings of them, or their names
    #[arg(value_name = "JOB", required = true)]
    pub(crate) jobs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only jobs in this state; without it all but those that are over
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// The jobs of all users, for an administrator of a service of the whole machine
    #[arg(long)]
    pub(crate) all_users: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id, the beginning of one, or its name
    pub(crate) job: String,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Their ids, the beginnings of them, or their names
    #[arg(value_name = "JOB")]
    pub(crate) jobs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its id, the beginning of one, or its name
    pub(crate) job: String,
    /// Such as priority=low. The keys are priority, description, display-name,
    /// minimum-retry-delay, no-progress-timeout, maximum-download-time, complete-when-done,
    /// keep-going, dynamic-content, high-performance, on-demand, max-download-size, rate-limit,
    /// transfer-policy, cost-flags, file-acl-flags, peer-caching-flags, helper-token-flags,
    /// notification-clsid, http-method, custom-header, custom-headers-write-only, security-flags,
    /// client-certificate, client-certificate-by-id,
    /// client-certificate-by-name, client-certificate-password-file, proxy, proxy-bypass,
    /// use-stored-credentials, no-ntlm, service-name, notify-flags, notify-command, notify-webhook,
    /// notify-webhook-secret-file and minimum-notification-interval. custom-header takes 'Name: value',
    /// or @FILE with one in each line, and may be given again
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub(crate) changes: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplacePrefix {
    /// Its id, the beginning of one, or its name
    pub(crate) job: String,
    /// How the remote names begin, in the same letter case
    pub(crate) old: String,
    /// How they are to begin
    pub(crate) new: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ranges {
    /// List the ranges of a file that are there, one a line, written OFFSET:LENGTH
    List(OfFile),
    /// Have ranges come before all else, in this order, while the job runs
    Request {
        #[command(flatten)]
        of: OfFile,
        /// Written OFFSET:LENGTH or OFFSET:eof
        #[arg(value_name = "RANGE", required = true, value_parser = range)]
        ranges: Vec<ByteRange>,
    },
    /// Have all that is missing come, from OFFSET to the end first
    Position {
        #[command(flatten)]
        of: OfFile,
        /// The byte to begin with, from 0
        #[arg(value_parser = offset, allow_negative_numbers = true)]
        offset: u64,
    },
}

/// A file of a job.
#[derive(Debug, Args)]
pub(crate) struct OfFile {
    /// Its id, the beginning of one, or its name
    pub(crate) job: String,
    /// The number of the file in the job, as `bits show` has it
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = file_number, allow_negative_numbers = true)]
    pub(crate) file: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ErrorCode {
    /// The number in any form, or the name
    #[arg(allow_negative_numbers = true)]
    pub(crate) code: String,
    /// In which language, as a locale (en_GB) or a language identifier (0x409); else in that of
    /// LC_MESSAGES, or in English
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) language: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show every setting in force, where it came from, and what it overruled
    Explain {
        /// Only this one
        key: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Run the service here, until Ctrl-C
    Run,
    /// Start the service
    Start,
    /// Stop the service; transfers go on when it is started again
    Stop,
    /// Stop the service and start it again
    Restart,
    /// Have the service read its settings again; limits hold at once
    Reload,
    /// Show whether the service runs, and where its things are
    Status,
    /// Make a new key for stored credentials, in place of the one that seals them now
    RotateKey,
    /// Write your jobs and their files as a document, without passwords and other secrets
    Export {
        /// Where to; `-` is standard output
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Take over the jobs of such a document, suspended
    Import(Import),
    /// Look for what is wrong with the service, also when it does not run, and say what to do
    Doctor {
        /// Read every page of the queue, while no service has it
        #[arg(long)]
        deep: bool,
    },
    /// Print the service in numbers, as OpenMetrics text
    Metrics,
    /// Have the service started after a reboot
    Install(Install),
    /// Undo `install`
    Uninstall,
}

/// What is to be started.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Also have `bits agent` started in each graphical session, to ask by a window
    #[arg(long)]
    pub(crate) agent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The document; `-` is standard input
    pub(crate) file: PathBuf,
    /// Let those jobs run that were not suspended or in error, and need nothing that is secret
    #[arg(long)]
    pub(crate) resume: bool,
    /// Make folders that are missing
    #[arg(long)]
    pub(crate) create_dirs: bool,
    /// Give the jobs other ids: also those come in that are there already
    #[arg(long)]
    pub(crate) new_ids: bool,
    /// Only say what would be done
    #[arg(long, conflicts_with = "resume")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// Where to; made when it is not there
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: Shell,
}

fn seconds(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| "it is a whole number of seconds, at least 1".to_owned())
}

fn file_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "it is the number of a file of the job, from 0".to_owned())
}

fn offset(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "it is a whole number of bytes, from 0".to_owned())
}

fn priority(text: &str) -> Result<Priority, String> {
    Priority::named(text).ok_or_else(|| one_of(Priority::ALL.map(Priority::name)))
}

fn range(text: &str) -> Result<ByteRange, String> {
    ByteRange::parse(text).map_err(|error| error.to_string())
}

fn checksum(text: &str) -> Result<Checksum, String> {
    Checksum::parse(text).map_err(|error| format!("it {error}"))
}

fn mirror(text: &str) -> Result<RemoteName, String> {
    let elsewhere = |scheme: &str| format!("a mirror begins with http:// or https://, not with {scheme}:");
    match RemoteName::parse(text) {
        Ok((name, None)) if name.local_path().is_some() => Err(elsewhere("file")),
        Ok((name, None)) => Ok(name),
        Err(RemoteNameError::Scheme { scheme }) => Err(elsewhere(&scheme)),
        Ok((_, Some(_))) => Err("it has a user name in it, and mirrors see no credentials".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn resume_by(text: &str) -> Result<ResumeBy, String> {
    ResumeBy::named(text).ok_or_else(|| one_of(["validator", "size-and-time", "checksum"]))
}

fn scheme(text: &str) -> Result<AuthScheme, String> {
    AuthScheme::to_set(text).map_err(|refusal| match refusal {
        Refusal::PassportNotSpoken => format!("{refusal} ({})", refusal.code()),
        _ => one_of(AuthScheme::BY_PREFERENCE.map(AuthScheme::name)),
    })
}

fn target(text: &str) -> Result<AuthTarget, String> {
    AuthTarget::named(text).ok_or_else(|| one_of(AuthTarget::ALL.map(AuthTarget::name)))
}

fn one_of<const N: usize>(words: [&str; N]) -> String {
    format!("it is one of {}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
