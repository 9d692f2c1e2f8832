//! How a command ends: the one place where an outcome becomes a sentence, a hint and an exit code.

use std::io;
use std::process::ExitCode;

use bits_client::api::job::Job;
use bits_client::netrc::NetrcError;
use bits_client::prompt::PromptError;
use bits_client::prompt::password_sources::PasswordSourceError;
use bits_client::saved::SavedError;
use bits_client::{Error, Unreachable};
use bits_core::credentials::AuthScheme;
use bits_core::error::Code;

use crate::destination::DestinationError;
use crate::output::Output;
use crate::output::units::counted;
use crate::output::words::{advice, error_in_words, short_id, shortened};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was typed cannot be meant.
    Usage(String),
    /// The same, and there is a word that may have been meant.
    UsageNear {
        sentence: String,
        nearest: Option<String>,
    },
    Destination(DestinationError),
    PasswordSource(PasswordSourceError),
    Netrc(NetrcError),
    Saved(SavedError),
    /// Nothing is saved under this name, for this scheme if one was given.
    NothingSaved {
        name: String,
        scheme: Option<AuthScheme>,
    },
    Client(Error),
    /// The service went away while a job was watched.
    LostSight {
        error: Error,
        id: String,
    },
    NoSuchJob(String),
    AmbiguousJob {
        text: String,
        jobs: Vec<Job>,
    },
    /// A job is in ERROR. `hint` is better than what is known of the code alone.
    JobFailed {
        job: Box<Job>,
        hint: Option<String>,
        cancelled: bool,
    },
    /// A job that kept going has not brought all files.
    DoneInPart(Box<Job>),
    /// Somebody else suspended or cancelled a job.
    ByOthers(Box<Job>),
    /// A person was asked for credentials and gave none: 1223, 1460 or 1312.
    /// The agent has nowhere to ask.
    NobodyForAgent {
        why: &'static str,
    },
    NoCredentials {
        code: Code,
        sentence: String,
    },
    Prompt(PromptError),
    /// `--max-time` is over.
    OutOfTime {
        id: String,
        seconds: u64,
    },
    /// Ctrl-C while jobs were watched, which go on.
    StoppedWatching {
        jobs: Vec<String>,
    },
    /// Ctrl-C before the job was complete enough to go on.
    StoppedMaking,
    /// `service status`, which has already said so.
    NotRunning,
    /// All was said when it happened; this is the code of the first.
    Told(u8),
    /// Whoever read the output has gone.
    OutputClosed,
    Output(io::Error),
    /// The system does not let us.
    System(String),
}

/// Ended well.
const DONE: u8 = 0;
pub(crate) const JOB_FAILED: u8 = 1;
/// The doctor has found something bad.
pub(crate) const UNWELL: u8 = JOB_FAILED;
pub(crate) const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;
pub(crate) const REFUSED: u8 = 4;
const NO_CREDENTIALS: u8 = 5;
const OUT_OF_TIME: u8 = 6;
pub(crate) const BY_OTHERS: u8 = 7;
/// 128 and the number of SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// How a command ended, for somebody who says it in other words.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) exit: u8,
    pub(crate) sentence: Option<String>,
}

/// What a person and a script are told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Telling {
    code: u8,
    /// None when it has been said already, or nobody listens.
    error: Option<String>,
    /// Not an error, but how things stand.
    notice: Option<String>,
    hint: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<DestinationError> for Failure {
    fn from(error: DestinationError) -> Self {
        Self::Destination(error)
    }
}

impl From<PasswordSourceError> for Failure {
    fn from(error: PasswordSourceError) -> Self {
        Self::PasswordSource(error)
    }
}

impl From<NetrcError> for Failure {
    fn from(error: NetrcError) -> Self {
        Self::Netrc(error)
    }
}

impl From<SavedError> for Failure {
    fn from(error: SavedError) -> Self {
        Self::Saved(error)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        Self::Prompt(error)
    }
}

impl Failure {
    /// Why standard output could not be written to.
    pub(crate) fn from_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Output(error),
        }
    }

    /// Says it now; the command goes on with something else. Returns the exit code.
    pub(crate) fn tell(&self, output: &Output) -> u8 {
        let Telling { code, error, notice, hint } = self.telling();
        // A hint beside a notice that is not said would hang in the air.
        let hint = hint.filter(|_| error.is_some() || !output.is_quiet());
        if let Some(sentence) = error {
            output.error(&sentence);
        }
        if let Some(sentence) = notice {
            output.say(&sentence);
        }
        if let Some(sentence) = hint {
            output.hint(&sentence);
        }
        code
    }

    /// The exit code, and the sentence without what to do: that would be of other commands.
    pub(crate) fn told(&self) -> Told {
        let Telling { code, error, notice, hint: _ } = self.telling();
        Told { exit: code, sentence: error.or(notice) }
    }

    fn telling(&self) -> Telling {
        let told = |code, error: String| Telling { code, error: Some(error), ..Telling::default() };
        let hinted = |code, error: String, hint: String| Telling { hint: Some(hint), ..told(code, error) };
        match self {
            Self::Usage(sentence) => told(USAGE, sentence.clone()),
            Self::UsageNear { sentence, nearest } => Telling {
                hint: nearest.as_ref().map(|word| format!("did you mean `{word}`?")),
                ..told(USAGE, coded(sentence, Code::INVALID_ARGUMENT))
            },
            Self::Destination(error) => told(USAGE, coded(&error.to_string(), error.code())),
            Self::PasswordSource(error) => told(USAGE, coded(&error.to_string(), error.code())),
            Self::Netrc(error) => told(USAGE, coded(&error.to_string(), error.code())),
            Self::Saved(error) => {
                let code = match error {
                    SavedError::NoSuchStore { .. } | SavedError::Name(_) => USAGE,
                    SavedError::Cancelled => NO_CREDENTIALS,
                    _ => REFUSED,
                };
                told(code, coded(&error.to_string(), error.code()))
            }
            Self::NothingSaved { name, scheme } => {
                let scheme = scheme.map(|scheme| format!(" for {}", scheme.name())).unwrap_or_default();
                hinted(
                    REFUSED,
                    coded(&format!("no credentials{scheme} are saved under `{name}`"), Code::NOT_FOUND),
                    "`bits credentials list` shows the names and schemes that there are".to_owned(),
                )
            }
            Self::Client(error) => client(error),
            Self::LostSight { error, id } => Telling {
                hint: Some(format!("the job goes on when the service runs again: bits watch {id}")),
                ..client(error)
            },
            Self::NoSuchJob(text) => hinted(
                REFUSED,
                coded(&format!("there is no job `{text}`"), Code::NOT_FOUND),
                "`bits list` shows your jobs; one that is over is found by its whole id".to_owned(),
            ),
            Self::AmbiguousJob { text, jobs } => {
                let candidates: Vec<String> =
                    jobs.iter().map(|job| format!("{} ({})", job.id, job.display_name)).collect();
                hinted(
                    REFUSED,
                    coded(&format!("`{text}` fits more than one job"), Code::INVALID_ARGUMENT),
                    format!("give more of the id of one of them: {}", candidates.join(", ")),
                )
            }
            Self::JobFailed { job, hint, cancelled } => job_failed(job, hint.as_deref(), *cancelled),
            Self::DoneInPart(job) => {
                let left = job.progress.files_total - job.progress.files_transferred;
                let files = counted(left.into(), "file");
                let why = job.error.as_ref().map(|error| format!("; the first: {}", error_in_words(error)));
                let sentence = format!("{}: {files} failed{}", job.display_name, why.unwrap_or_default());
                hinted(JOB_FAILED, sentence, format!("see which: bits show {}", job.id))
            }
            Self::ByOthers(job) => {
                let sentence = format!("{}: the job is {}", job.display_name, job.state);
                match job.state.as_str() {
                    "suspended" => {
                        hinted(BY_OTHERS, sentence, format!("let it run: bits resume {}", short_id(job)))
                    }
                    _ => told(BY_OTHERS, sentence),
                }
            }
            Self::NoCredentials { code, sentence } => Telling {
                code: NO_CREDENTIALS,
                notice: Some(coded(sentence, *code)),
                hint: (*code == Code::NO_SUCH_LOGON_SESSION).then(|| WITHOUT_TERMINAL.to_owned()),
                error: None,
            },
            Self::NobodyForAgent { why } => hinted(
                NO_CREDENTIALS,
                coded(&format!("there is nobody to ask for credentials: {why}"), Code::NO_SUCH_LOGON_SESSION),
                "start the agent at a terminal or in a desktop session, or name a program that asks in BITS_ASKPASS"
                    .to_owned(),
            ),
            Self::Prompt(error) => told(NO_CREDENTIALS, coded(&error.to_string(), error.code())),
            Self::OutOfTime { id, seconds } => Telling {
                code: OUT_OF_TIME,
                notice: Some(format!("not done after {seconds} s; the job goes on")),
                hint: Some(come_back(std::slice::from_ref(id))),
                error: None,
            },
            Self::StoppedWatching { jobs } => Telling {
                code: INTERRUPTED,
                notice: Some(match jobs.len() {
                    1 => "stopped watching; the job goes on".to_owned(),
                    _ => "stopped watching; the jobs go on".to_owned(),
                }),
                hint: Some(come_back(jobs)),
                error: None,
            },
            Self::StoppedMaking => Telling {
                code: INTERRUPTED,
                notice: Some("stopped; the job was not complete yet and is cancelled".to_owned()),
                ..Telling::default()
            },
            Self::NotRunning => Telling { code: UNREACHABLE, ..Telling::default() },
            Self::Told(code) => Telling { code: *code, ..Telling::default() },
            Self::OutputClosed => Telling { code: DONE, ..Telling::default() },
            Self::Output(error) => told(JOB_FAILED, format!("the result cannot be written: {error}")),
            Self::System(sentence) => told(JOB_FAILED, sentence.clone()),
        }
    }
}

/// Ends the command: says what is to be said and returns the exit code.
pub(crate) fn end(outcome: Result<(), Failure>, output: &Output) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::from(DONE),
        Err(failure) => ExitCode::from(failure.tell(output)),
    }
}

/// What to give where nobody can be asked.
pub(crate) const WITHOUT_TERMINAL: &str =
    "give --user with --password-file or --password-stdin where nobody can be asked";

fn client(error: &Error) -> Telling {
    let told = |code, hint: Option<String>| Telling {
        code,
        error: Some(error.to_string()),
        hint,
        ..Telling::default()
    };
    match error {
        Error::Unreachable(reason) => told(UNREACHABLE, hint_to_reach(reason)),
        Error::BrokenOff { .. } => told(UNREACHABLE, Some("look how things stand: bits list".to_owned())),
        Error::Protocol { .. } => {
            told(UNREACHABLE, Some("is the service of another version? bits service restart".to_owned()))
        }
        Error::Refused(problem) => Telling {
            error: Some(format!("{} ({}, {})", problem.message, problem.name, problem.code)),
            hint: error.code().and_then(hint_to_refusal),
            code: REFUSED,
            notice: None,
        },
        Error::Misuse { .. } => told(USAGE, None),
    }
}

/// Whether the person has named a socket instead of letting it be found.
fn socket_is_named() -> bool {
    std::env::var_os("BITS_SOCKET").is_some_and(|named| !named.is_empty())
}

fn hint_to_reach(reason: &Unreachable) -> Option<String> {
    match reason {
        Unreachable::NotRunning { .. } if socket_is_named() => Some(
            "BITS_SOCKET names the socket, and then nothing is started: start what listens there, or unset it"
                .to_owned(),
        ),
        Unreachable::NotRunning { .. } => Some("start it: bits service start".to_owned()),
        Unreachable::NoProgram => Some("install `bitsd` beside `bits`, or build it: cargo build".to_owned()),
        Unreachable::StartFailed { .. } | Unreachable::Start(_) => {
            Some("see what it says: bits service run".to_owned())
        }
        Unreachable::Silent { .. } => Some("it may be starting, or hang: try again, or end it".to_owned()),
        Unreachable::Places(_) | Unreachable::Socket { .. } => None,
    }
}

/// What to do about a refusal, where the sentence does not say it.
fn hint_to_refusal(code: Code) -> Option<String> {
    let hint = match code {
        Code::EMPTY => "add one: bits add JOB URL PATH",
        Code::NOT_FOUND => "`bits list` shows your jobs",
        Code::PATH_NOT_FOUND => "make the folder, or add --create-dirs",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn job_failed(job: &Job, hint: Option<&str>, cancelled: bool) -> Telling {
    let sentence = job.error.as_ref().map_or("the job has met an error".to_owned(), error_in_words);
    // What is advised for a job that stays is of no use for one that is gone.
    let known = hint
        .map(str::to_owned)
        .or_else(|| advice(job).filter(|known| !cancelled || !known.contains(short_id(job))));
    let then = match cancelled {
        true => "the job is cancelled".to_owned(),
        false => format!(
            "the job stays: bits resume {id} tries again, bits cancel {id} ends it",
            id = short_id(job)
        ),
    };
    Telling {
        code: JOB_FAILED,
        error: Some(format!("{}: {sentence}", job.display_name)),
        notice: None,
        hint: Some(match known {
            Some(known) => format!("{known} ({then})"),
            None => then,
        }),
    }
}

/// Reads a code as the service writes it.
pub(crate) fn number(code: &str) -> Option<Code> {
    u32::from_str_radix(code.strip_prefix("0x")?, 16).ok().map(Code)
}

fn come_back(jobs: &[String]) -> String {
    let jobs = jobs.iter().map(|id| shortened(id)).collect::<Vec<_>>().join(" ");
    format!("come back: bits watch {jobs} · end it: bits cancel {jobs}")
}

fn coded(sentence: &str, code: Code) -> String {
    match code.0 {
        // Numbers of the system are known by themselves.
        number @ 0..=0xFFFF => format!("{sentence} ({number})"),
        _ => format!("{sentence} ({}, {code})", code.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::{a_job, an_error};
    use bits_client::api::problem::Problem;

    fn refused(code: &str) -> Failure {
        Failure::Client(Error::Refused(Problem {
            code: code.to_owned(),
            name: "BG_E_EMPTY".to_owned(),
            message: "the job has no files".to_owned(),
            request: String::new(),
        }))
    }

    fn failed() -> Job {
        Job { error: Some(an_error("0x80190194", false)), ..a_job("error") }
    }

    #[test]
    fn every_outcome_has_its_exit_code() {
        for (failure, code) in [
            (Failure::JobFailed { job: Box::new(failed()), hint: None, cancelled: false }, 1),
            (Failure::Usage("no".to_owned()), 2),
            (Failure::Destination(DestinationError::NoUrl), 2),
            (Failure::Client(Unreachable::NotRunning { sockets: Vec::new() }.into()), 3),
            (Failure::Client(Error::BrokenOff { operation: "job", reason: "cut".to_owned() }), 3),
            (Failure::NotRunning, 3),
            (refused("0x80200003"), 4),
            (Failure::NoSuchJob("x".to_owned()), 4),
            (Failure::NoCredentials { code: Code::CANCELLED, sentence: "no".to_owned() }, 5),
            (Failure::OutOfTime { id: "8e2d".to_owned(), seconds: 3 }, 6),
            (Failure::ByOthers(Box::new(a_job("cancelled"))), 7),
            (Failure::StoppedWatching { jobs: vec!["8e2d".to_owned()] }, 130),
            (Failure::StoppedMaking, 130),
            (Failure::from_output(io::ErrorKind::BrokenPipe.into()), 0),
            (Failure::from_output(io::ErrorKind::StorageFull.into()), 1),
        ] {
            assert_eq!(failure.telling().code, code, "{failure:?}");
        }
    }

    #[test]
    fn a_refusal_comes_with_its_code_and_what_to_do() {
        let telling = refused("0x80200003").telling();
        assert_eq!(telling.error.as_deref(), Some("the job has no files (BG_E_EMPTY, 0x80200003)"));
        assert_eq!(telling.hint.as_deref(), Some("add one: bits add JOB URL PATH"));
    }

    #[test]
    fn a_cancelled_prompt_is_an_outcome_and_not_an_error() {
        let cancelled = Failure::NoCredentials { code: Code::CANCELLED, sentence: "cancelled".to_owned() };
        let expected = Telling { code: 5, notice: Some("cancelled (1223)".to_owned()), ..Telling::default() };
        assert_eq!(cancelled.telling(), expected);
    }

    #[test]
    fn a_failed_job_says_what_where_and_what_to_do() {
        let failure = |hint: Option<&str>, cancelled| {
            let job = Box::new(failed());
            Failure::JobFailed { job, hint: hint.map(str::to_owned), cancelled }.telling()
        };
        let telling = failure(None, false);
        let error = telling.error.expect("a sentence");
        assert!(error.contains("EncodeSample") && error.contains("0x80190194"), "{error}");
        assert!(telling.hint.expect("a hint").contains("bits resume 8e2d0a1b"));
        assert_eq!(failure(Some("do this"), true).hint.as_deref(), Some("do this (the job is cancelled)"));
        let refused = Job { error: Some(an_error("0x8019019C", false)), ..a_job("error") };
        assert!(advice(&refused).is_some_and(|known| known.contains("bits resume 8e2d0a1b")));
        let telling = Failure::JobFailed { job: Box::new(refused), hint: None, cancelled: true }.telling();
        assert_eq!(telling.hint.as_deref(), Some("the job is cancelled"));
    }
}
