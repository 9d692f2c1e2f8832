//! A job in words: everything about it, and what would make it move.
//!
//! Pure: the time and the zone are arguments.

mod notifications;
mod requests;

use bits_client::api::file::{File, FilledRanges, Range, Source};
use bits_client::api::job::{Challenge, Job, JobError, Progress};
use bits_core::conditions::CostFlags;
use bits_core::credentials::AuthScheme;
use bits_core::error::Code;
use bits_core::error::codes;
use bits_core::file::ResumeBy;
use jiff::{Timestamp, tz::TimeZone};

use super::units::{bytes, counted, duration, local_time, seconds_until};
use crate::standing::{Standing, lacks_files};

/// Files that `show` names when it is not asked for all.
pub(crate) const FILES_SHOWN: usize = 20;

/// Everything about `job`, line by line. `files` are its first ones.
pub(crate) fn describe(job: &Job, files: &[File], now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let mut lines = vec![job.display_name.clone()];
    let mut field = |name: &str, value: String| lines.push(format!("  {:<13} {value}", format!("{name}:")));
    field("id", job.id.clone());
    if !job.description.is_empty() {
        field("description", job.description.clone());
    }
    field("state", job.state.replace('_', " "));
    field("priority", job.priority.clone());
    field("owner", job.owner.name.clone().unwrap_or_else(|| job.owner.id.clone()));
    field("progress", progress(&job.progress));
    field("created", local_time(&job.times.created, zone));
    field("modified", local_time(&job.times.modified, zone));
    if let Some(time) = &job.times.transfer_completed {
        field("transferred", local_time(time, zone));
    }
    field("completes", completes(job).to_owned());
    field("retries", retries(job));
    let options = options(job);
    if !options.is_empty() {
        field("options", options.join(", "));
    }
    for (name, value) in requests::fields(job).into_iter().chain(notifications::fields(job)) {
        field(name, value);
    }
    if let Some(credentials) = &job.credentials {
        let set: Vec<String> =
            credentials.iter().map(|one| format!("{} ({})", one.scheme, one.target)).collect();
        field("credentials", if set.is_empty() { "none".to_owned() } else { set.join(", ") });
    }
    if let Some(error) = &job.error {
        field("last error", error_in_words(error));
        if job.error_count > 1 {
            field("errors", format!("{} so far", job.error_count));
        }
    }
    lines.push(String::new());
    lines.extend(what_now(job, now).into_iter().map(|line| format!("  {line}")));
    if !files.is_empty() {
        lines.push(String::new());
        lines.extend(files.iter().flat_map(file_in_words));
        let more = u64::from(job.progress.files_total).saturating_sub(files.len() as u64);
        if more > 0 {
            lines.push(format!("  … and {} (all of them: --verbose)", counted(more, "more file")));
        }
    }
    lines
}

/// Why the job does not move, and what would make it; what it does, when it moves.
pub(crate) fn what_now(job: &Job, now: Timestamp) -> Vec<String> {
    let id = short_id(job);
    match Standing::of(job) {
        Standing::Suspended if job.progress.files_total == 0 => {
            vec!["It has no files yet.".to_owned(), format!("Add one: bits add {id} URL PATH")]
        }
        Standing::Suspended if is_satisfied(job) => vec![
            "All that was asked for of its files is here.".to_owned(),
            format!("Ask for more: bits ranges request {id} OFFSET:LENGTH, then bits resume {id}"),
            format!("bits complete {id} would keep whole files alone, and delete what came of the others."),
        ],
        Standing::Suspended => vec!["It is suspended.".to_owned(), format!("Let it run: bits resume {id}")],
        Standing::Failed => {
            let mut lines = vec!["It has met an error that waiting does not cure.".to_owned()];
            lines.extend(advice(job));
            lines.push(format!("Try again: bits resume {id} · end it: bits cancel {id}"));
            lines
        }
        Standing::Transferred if lacks_files(job) => {
            vec!["Files were added that have not come.".to_owned(), format!("Fetch them: bits resume {id}")]
        }
        Standing::Transferred => vec![
            "All files are here, under temporary names.".to_owned(),
            format!("Put them in their places: bits complete {id}"),
        ],
        Standing::Acknowledged if job.progress.files_passed_over > 0 => {
            vec!["It is done in part; the files that came are in their places.".to_owned()]
        }
        Standing::Acknowledged => vec!["It is done; its files are in their places.".to_owned()],
        Standing::Cancelled => vec!["It was cancelled.".to_owned()],
        Standing::Moving => moving(job, now, id),
    }
}

fn moving(job: &Job, now: Timestamp, id: &str) -> Vec<String> {
    let reason = job.wait.as_ref().map_or("", |wait| wait.reason.as_str());
    let needs = job.wait.as_ref().and_then(|wait| wait.needs.as_deref()).unwrap_or_default();
    match (reason, job.state.as_str()) {
        ("turn", _) => {
            let ahead = job.wait.as_ref().and_then(|wait| wait.ahead).unwrap_or(0);
            vec![match ahead {
                0 => "It waits for its turn.".to_owned(),
                1 => "It waits for its turn; at least 1 job comes first.".to_owned(),
                _ => format!("It waits for its turn; at least {} come first.", counted(ahead, "job")),
            }]
        }
        ("policy", _) => {
            let until = job.wait.as_ref().and_then(|wait| wait.until.as_deref());
            vec![match until.and_then(|until| seconds_until(until, now)) {
                Some(left) => {
                    let left = duration(left);
                    format!("The timetable (rate_schedule) does not let it run for another {left}.")
                }
                None => "The timetable (rate_schedule) never lets it run.".to_owned(),
            }]
        }
        ("connections", _) if needs == "host" => {
            let sentence =
                "It waits for a connection: as many lead to its host as may (host_connections_max).";
            vec![sentence.to_owned()]
        }
        ("connections", _) => {
            vec!["It waits for a connection: there are as many as may be (connections_max).".to_owned()]
        }
        ("retry", _) => {
            let mut lines = vec![retry(job, now)];
            lines.push(format!("Try now: bits resume {id}"));
            lines
        }
        ("credential", _) if needs == "answer" => {
            let challenge = job.error.as_ref().and_then(|error| error.challenge.as_ref());
            let whom = challenge.map_or_else(String::new, |challenge| {
                format!(" for {} {}", challenge.target, challenge.host)
            });
            vec![
                format!("It waits for credentials{whom}; you are asked where `bits agent` runs."),
                format!("Give them here: bits credentials set {id} --prompt"),
            ]
        }
        ("credential", _) => vec![
            "It waits for the key that its credentials are sealed with.".to_owned(),
            "See which key that is: bits service status".to_owned(),
        ],
        ("network", _) => {
            let missing = match needs {
                "link" => "no link is up",
                "address" => "the machine has no address",
                _ => "there is no route",
            };
            vec![
                format!("It waits for the network: {missing}."),
                "It goes on by itself when there is one.".to_owned(),
            ]
        }
        ("cost", _) => {
            let wait = job.wait.as_ref();
            let has = wait.and_then(|wait| wait.has.as_deref()).unwrap_or("another one");
            let is_own = wait.and_then(|wait| wait.asked_by.as_deref()) == Some("job");
            let whose = if is_own {
                "its transfer policy".to_owned()
            } else {
                format!("the transfer policy for {} priority", job.priority)
            };
            vec![
                format!("It waits for another network: this one is {has}, and {whose} is {needs}."),
                format!("Let it transfer all the same: bits set {id} transfer-policy=always"),
            ]
        }
        ("power", _) => vec![
            "It waits for mains power: the machine runs on its battery.".to_owned(),
            "Jobs that run on battery: the setting on_battery".to_owned(),
        ],
        ("owner_away", _) => vec![
            "It waits until its owner logs on.".to_owned(),
            "Jobs that go on without: the setting owner_away".to_owned(),
        ],
        ("volume", _) => {
            let missing = job.error.as_ref().map(|error| format!(": {}", error.message));
            vec![
                format!("It waits for the volume that its files go to{}.", missing.unwrap_or_default()),
                "It goes on by itself when that is mounted.".to_owned(),
            ]
        }
        (_, "connecting") => vec!["It is connecting to the server.".to_owned()],
        (_, "transferring") => vec!["It is transferring.".to_owned()],
        (_, "transferred") => vec!["All files are here and are being put in their places.".to_owned()],
        ("", _) => vec!["It is about to begin.".to_owned()],
        // A reason of a later version, by its own word.
        (reason, _) => vec![format!("It waits ({reason}).")],
    }
}

/// `retrying in 4 s: …`.
pub(crate) fn retry(job: &Job, now: Timestamp) -> String {
    let until = job.wait.as_ref().and_then(|wait| wait.until.as_deref());
    let when = match until.and_then(|until| seconds_until(until, now)) {
        Some(seconds) => format!("retrying in {}", duration(seconds)),
        None => "retrying later".to_owned(),
    };
    match &job.error {
        Some(error) => format!("{when}: {}", error.message),
        None => when,
    }
}

/// Code, what and where, in one line.
pub(crate) fn error_in_words(error: &JobError) -> String {
    let context = error.context.replace('_', " ");
    format!("{} ({}, {}, {context})", error.message, error.name, error.code)
}

/// What is known to help against the error of `job`.
pub(crate) fn advice(job: &Job) -> Option<String> {
    let error = job.error.as_ref()?;
    let code = Code(u32::from_str_radix(error.code.strip_prefix("0x")?, 16).ok()?);
    let basic_alone = |challenge: &Challenge| {
        !challenge.refused && challenge.schemes.iter().map(String::as_str).eq([AuthScheme::Basic.name()])
    };
    let has_own = job.secret_headers.iter().flatten().any(|name| name.eq_ignore_ascii_case("authorization"));
    let known = match &error.challenge {
        Some(challenge) if basic_alone(challenge) => BASIC_ALONE.replace("TARGET", &challenge.target).into(),
        None if code == Code::HTTP_UNAUTHORIZED && has_own => OWN_AUTHORIZATION.into(),
        None if code == Code::HTTP_UNAUTHORIZED => NOT_THE_SECRET.into(),
        _ => codes::describe(code)?.advice,
    };
    Some(known.replace("JOB", short_id(job)))
}

/// Nobody asks for other credentials: an account is locked, or a server set up in another way.
const NOT_THE_SECRET: &str =
    "Other credentials would not help; have that put right, then run `bits resume JOB`.";
/// The job says itself who asks, and no credentials are used.
const OWN_AUTHORIZATION: &str =
    "Put the right header into a file, run `bits set JOB custom-header=@FILE`, then `bits resume JOB`.";
/// Where nothing but Basic is offered, naming it is the leave to use it without TLS.
const BASIC_ALONE: &str = "Run `bits credentials set JOB --target TARGET --scheme basic --prompt`, then `bits resume JOB`; \
     without https everybody on the way can read the password.";

/// `4.0 KiB of 1.0 MiB, 0 of 1 file`.
pub(crate) fn progress(progress: &Progress) -> String {
    let Progress { bytes_total, bytes_transferred, files_total, files_transferred, files_passed_over } =
        *progress;
    if files_total == 0 {
        return "no files".to_owned();
    }
    let size = match bytes_total {
        Some(total) => format!("{} of {}", bytes(bytes_transferred), bytes(total)),
        None => format!("{} so far", bytes(bytes_transferred)),
    };
    let failed = if files_passed_over == 0 { String::new() } else { format!(", {files_passed_over} failed") };
    format!("{size}, {files_transferred} of {}{failed}", counted(files_total.into(), "file"))
}

/// Enough of a job's id to type.
pub(crate) fn short_id(job: &Job) -> &str {
    shortened(&job.id)
}

/// Enough of an id to type.
pub(crate) fn shortened(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn completes(job: &Job) -> &'static str {
    if job.complete_when_done { "by itself" } else { "when you say so" }
}

/// What of its transfers is not as usual.
fn options(job: &Job) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(job.keep_going.then(|| "keeps going past failed files".to_owned()));
    words.extend(job.dynamic_content.then(|| "dynamic content".to_owned()));
    words.extend(job.high_performance.then(|| "high performance".to_owned()));
    words.extend(job.on_demand.then(|| "on demand".to_owned()));
    let seconds = job.maximum_download_time;
    words.extend(seconds.map(|seconds| format!("downloads for {} at most", duration(seconds))));
    words.extend(job.max_download_size.map(|size| format!("downloads {} at most", bytes(size))));
    words.extend(job.cost_flags.map(|mask| match CostFlags::new(mask) {
        Ok(flags) => format!("transfer policy {flags}"),
        Err(_) => format!("cost flags {mask:#x}"),
    }));
    words.extend(job.rate_limit.map(|rate| format!("{} per second at most", bytes(rate))));
    words
}

fn retries(job: &Job) -> String {
    let when = match job.minimum_retry_delay {
        Some(seconds) => format!("every {}", duration(seconds)),
        None => "after 1, 2, 4 … 60 s".to_owned(),
    };
    match job.no_progress_timeout {
        0 => "none: every error is final".to_owned(),
        timeout => format!("{when}, for up to {} without progress", duration(timeout)),
    }
}

/// What holds `job` back, if it is neither its turn nor time: somebody has to do something, or wait.
pub(crate) fn held_back_by(job: &Job) -> Option<&str> {
    let reason = job.wait.as_ref().map(|wait| wait.reason.as_str());
    reason.filter(|reason| !["turn", "retry", "demand"].contains(reason))
}

/// Whether `job`, whose files come on demand, rests since nothing more is asked for.
pub(crate) fn is_satisfied(job: &Job) -> bool {
    job.wait.as_ref().is_some_and(|wait| wait.reason == "demand")
}

/// `OFFSET:LENGTH` or `OFFSET:eof`.
pub(crate) fn range_in_words(range: &Range) -> String {
    match range.length {
        Some(length) => format!("{}:{length}", range.offset),
        None => format!("{}:eof", range.offset),
    }
}

fn ranges_in_words(ranges: &[Range]) -> String {
    ranges.iter().map(range_in_words).collect::<Vec<_>>().join(", ")
}

/// What of a file of a job on demand is there, and what is asked for.
pub(crate) fn demand_in_words(index: u32, ranges: &FilledRanges) -> Vec<String> {
    let FilledRanges { filled, requested, position } = ranges;
    let shown = |ranges: &[Range]| match ranges.len() {
        0 => "nothing".to_owned(),
        1..=RANGES_SHOWN => ranges_in_words(ranges),
        all => {
            let more = counted((all - RANGES_SHOWN) as u64, "more");
            format!("{} and {more}", ranges_in_words(&ranges[..RANGES_SHOWN]))
        }
    };
    let mut lines = vec![format!("  {index}  here: {}", shown(filled))];
    if !requested.is_empty() {
        lines.push(format!("     requested: {}", shown(requested)));
    }
    lines.extend(position.map(|position| format!("     all that is missing comes, from {position} on")));
    lines
}

/// Ranges that `show` names.
const RANGES_SHOWN: usize = 8;

fn file_in_words(file: &File) -> Vec<String> {
    let size = match (file.completed, file.bytes_total) {
        (true, _) => format!("done, {}", bytes(file.bytes_transferred)),
        (false, Some(total)) => format!("{} of {}", bytes(file.bytes_transferred), bytes(total)),
        (false, None) => bytes(file.bytes_transferred),
    };
    let mut lines = vec![
        format!("  {}  {}", file.index, file.remote_name),
        format!("     → {} ({size})", file.local_name),
    ];
    let mut more = |text: String| lines.push(format!("     {text}"));
    if !file.ranges.is_empty() {
        more(format!("ranges: {}", ranges_in_words(&file.ranges)));
    }
    match (&file.checksum, &file.checksum_served) {
        (Some(given), _) => more(format!("checksum: {given}")),
        (None, Some(served)) => more(format!("checksum: {served} (from the server)")),
        (None, None) => {}
    }
    if file.resume_by != ResumeBy::default().name() {
        more(format!("resumes by {}", file.resume_by.replace('_', " ")));
    }
    if !file.completed && file.valid == Some(true) {
        more("its content was found to be right".to_owned());
    }
    if let Some(size) = file.expected_size {
        more(format!("must have {size} bytes"));
    }
    for source in &file.sources {
        more(source_in_words(source));
    }
    if let Some(error) = &file.error {
        more(format!("failed: {} ({}, {})", error.message, error.name, error.code));
    }
    lines
}

fn source_in_words(source: &Source) -> String {
    let kind = match source.origin.as_str() {
        "original" => "original",
        "link" => "mirror, named by the server",
        _ => "mirror",
    };
    let state = match (source.state.as_str(), source.in_use) {
        ("ready", true) => "in use".to_owned(),
        ("ready", false) => "not in use".to_owned(),
        (reason, _) => {
            let reason = match reason {
                "refused" => "it does not serve the file",
                "broken" => "it could not be reached or broke off in the middle",
                "slow" => "it was too slow",
                "other" => "it has another version",
                "lied" => "it sent something else",
                other => other,
            };
            match &source.why {
                Some(why) => format!("given up, {reason}: {why}"),
                None => format!("given up, {reason}"),
            }
        }
    };
    format!("{kind}: {} ({state})", source.remote_name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bits_client::api::file::FileError;
    use bits_client::api::http_options::{ClientCertificate, Proxy};
    use bits_client::api::job::{CredentialPresent, Owner, Times, Wait};

    pub(crate) fn a_job(state: &str) -> Job {
        Job {
            id: "8e2d0a1b-0203-4405-8607-08090a0b0c0d".to_owned(),
            revision: 3,
            display_name: "EncodeSample".to_owned(),
            description: String::new(),
            kind: "download".to_owned(),
            state: state.to_owned(),
            priority: "normal".to_owned(),
            owner: Owner {
                id: "1000".to_owned(),
                name: Some("anna".to_owned()),
                integrity_level: 0x2000,
                elevated: false,
            },
            progress: Progress {
                bytes_total: Some(1_048_576),
                bytes_transferred: 4096,
                files_total: 1,
                files_transferred: 0,
                files_passed_over: 0,
            },
            times: Times {
                created: "2026-11-23T06:00:00.000Z".to_owned(),
                modified: "2026-11-23T06:00:01.000Z".to_owned(),
                transfer_completed: None,
            },
            error: None,
            error_count: 0,
            wait: None,
            minimum_retry_delay: None,
            no_progress_timeout: 1_209_600,
            maximum_download_time: None,
            complete_when_done: false,
            file_acl_flags: 0,
            peer_caching_flags: 0,
            helper_token_flags: 0,
            notification_clsid: None,
            keep_going: false,
            dynamic_content: false,
            high_performance: false,
            on_demand: false,
            max_download_size: None,
            cost_flags: None,
            rate_limit: None,
            http_method: "GET".to_owned(),
            custom_headers: Some(Vec::new()),
            custom_headers_write_only: false,
            security_flags: 0,
            client_certificate: ClientCertificate::None,
            proxy: Proxy::default(),
            use_stored_credentials: None,
            no_ntlm: false,
            service_name: None,
            notify_flags: 3,
            notify_command: None,
            notify_webhook: None,
            notify_webhook_signed: None,
            minimum_notification_interval_ms: 500,
            notifications_pending: 0,
            notification_failure: None,
            environment: None,
            secret_headers: None,
            credentials: None,
            files: None,
        }
    }

    pub(crate) fn an_error(code: &str, transient: bool) -> JobError {
        JobError {
            code: code.to_owned(),
            name: "BG_E_HTTP_ERROR_503".to_owned(),
            context: "remote_file".to_owned(),
            message: "files.example.test answered 503".to_owned(),
            transient,
            file: Some(0),
            challenge: None,
        }
    }

    fn now() -> Timestamp {
        "2026-11-23T06:00:00Z".parse().expect("a time")
    }

    #[test]
    fn everything_about_a_job_is_told() {
        let job = Job {
            error: Some(an_error("0x801901F7", true)),
            error_count: 2,
            wait: Some(Wait {
                reason: "retry".to_owned(),
                until: Some("2026-11-23T06:00:04Z".to_owned()),
                ..Wait::default()
            }),
            credentials: Some(vec![CredentialPresent {
                target: "server".to_owned(),
                scheme: "negotiate".to_owned(),
            }]),
            progress: Progress { files_total: 3, ..a_job("").progress },
            ..a_job("transient_error")
        };
        let file = File {
            index: 0,
            remote_name: "https://files.example.test/report.pdf".to_owned(),
            local_name: "/home/anna/report.pdf".to_owned(),
            bytes_total: None,
            bytes_transferred: 4096,
            completed: false,
            valid: None,
            ranges: vec![Range { offset: 0, length: Some(5) }, Range { offset: 9, length: None }],
            checksum: Some("md5:00".to_owned()),
            checksum_served: None,
            resume_by: "size_and_time".to_owned(),
            expected_size: Some(9),
            sources: [
                ("original", "https://files.example.test/report.pdf", "refused", false),
                ("given", "https://mirror.example.test/report.pdf", "ready", true),
                ("link", "https://other.example.test/report.pdf", "ready", false),
            ]
            .map(|(origin, name, state, in_use)| Source {
                remote_name: name.to_owned(),
                origin: origin.to_owned(),
                in_use,
                state: state.to_owned(),
                why: (state != "ready").then(|| "it answered 404".to_owned()),
            })
            .to_vec(),
            temporary_name: None,
            http_response_headers: None,
            error: Some(FileError {
                code: "0x80190194".to_owned(),
                name: "BG_E_HTTP_ERROR_404".to_owned(),
                message: "it is not there".to_owned(),
            }),
        };
        let text = describe(&job, &[file], now(), &TimeZone::UTC).join("\n");
        assert_eq!(
            text,
            "\
EncodeSample
  id:           8e2d0a1b-0203-4405-8607-08090a0b0c0d
  state:        transient error
  priority:     normal
  owner:        anna
  progress:     4.0 KiB of 1.0 MiB, 0 of 3 files
  created:      2026-11-23 06:00:00
  modified:     2026-11-23 06:00:01
  completes:    when you say so
  retries:      after 1, 2, 4 … 60 s, for up to 14 days without progress
  credentials:  negotiate (server)
  last error:   files.example.test answered 503 (BG_E_HTTP_ERROR_503, 0x801901F7, remote file)
  errors:       2 so far

  retrying in 4 s: files.example.test answered 503
  Try now: bits resume 8e2d0a1b

  0  https://files.example.test/report.pdf
     → /home/anna/report.pdf (4.0 KiB)
     ranges: 0:5, 9:eof
     checksum: md5:00
     resumes by size and time
     must have 9 bytes
     original: https://files.example.test/report.pdf (given up, it does not serve the file: it answered 404)
     mirror: https://mirror.example.test/report.pdf (in use)
     mirror, named by the server: https://other.example.test/report.pdf (not in use)
     failed: it is not there (BG_E_HTTP_ERROR_404, 0x80190194)
  … and 2 more files (all of them: --verbose)"
        );
    }

    #[test]
    fn a_job_that_the_conditions_hold_back_says_what_they_are_and_what_it_asks_for() {
        let wait = |reason: &str, needs: &str, asked_by: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let wait = Wait { reason: reason.to_owned(), needs: some(needs), ..Wait::default() };
            let wait = Wait { has: Some("metered".to_owned()), asked_by: some(asked_by), ..wait };
            Job { wait: Some(wait), ..a_job("queued") }
        };
        for (job, expected) in [
            (wait("network", "link", ""), "It waits for the network: no link is up."),
            (wait("network", "address", ""), "It waits for the network: the machine has no address."),
            (wait("network", "route", ""), "It waits for the network: there is no route."),
            (
                wait("cost", "unrestricted", "settings"),
                "It waits for another network: this one is metered, and the transfer policy for normal priority is unrestricted.",
            ),
            (
                wait("cost", "0x3", "job"),
                "It waits for another network: this one is metered, and its transfer policy is 0x3.",
            ),
            (wait("power", "", ""), "It waits for mains power: the machine runs on its battery."),
            (wait("owner_away", "", ""), "It waits until its owner logs on."),
            (wait("volume", "", ""), "It waits for the volume that its files go to."),
        ] {
            assert_eq!(what_now(&job, now()).first().map(String::as_str), Some(expected));
        }
    }

    #[test]
    fn a_job_that_does_not_move_says_what_would_make_it() {
        let empty = Progress { files_total: 0, ..a_job("").progress };
        let whole = Progress { files_transferred: 1, ..a_job("").progress };
        let waits = |reason: &str, until: Option<&str>| Wait {
            reason: reason.to_owned(),
            until: until.map(str::to_owned),
            ..Wait::default()
        };
        let turn = |ahead| Wait { reason: "turn".to_owned(), ahead, ..Wait::default() };
        for (job, expected) in [
            (Job { progress: empty, ..a_job("suspended") }, "Add one: bits add 8e2d0a1b URL PATH"),
            (a_job("suspended"), "Let it run: bits resume 8e2d0a1b"),
            (a_job("transferred"), "Fetch them: bits resume 8e2d0a1b"),
            (
                Job { progress: whole, ..a_job("transferred") },
                "Put them in their places: bits complete 8e2d0a1b",
            ),
            (
                Job { error: Some(an_error("0x80190194", false)), ..a_job("error") },
                "Try again: bits resume 8e2d0a1b · end it: bits cancel 8e2d0a1b",
            ),
            (
                Job { wait: Some(waits("policy", Some("2026-11-23T08:00:00Z"))), ..a_job("queued") },
                "The timetable (rate_schedule) does not let it run for another 2 h 0 min.",
            ),
            (
                Job { wait: Some(waits("policy", None)), ..a_job("queued") },
                "The timetable (rate_schedule) never lets it run.",
            ),
            (
                Job { wait: Some(waits("connections", None)), ..a_job("queued") },
                "It waits for a connection: there are as many as may be (connections_max).",
            ),
            (
                Job { wait: Some(turn(Some(2))), ..a_job("queued") },
                "It waits for its turn; at least 2 jobs come first.",
            ),
            (Job { wait: Some(turn(None)), ..a_job("queued") }, "It waits for its turn."),
            (
                Job { wait: Some(Wait { reason: "credential".to_owned(), ..turn(None) }), ..a_job("queued") },
                "See which key that is: bits service status",
            ),
            (
                Job {
                    wait: Some(Wait {
                        reason: "credential".to_owned(),
                        needs: Some("answer".to_owned()),
                        ..turn(None)
                    }),
                    ..a_job("queued")
                },
                "Give them here: bits credentials set 8e2d0a1b --prompt",
            ),
            (
                Job { wait: Some(Wait { reason: "power".to_owned(), ..turn(None) }), ..a_job("queued") },
                "Jobs that run on battery: the setting on_battery",
            ),
            (
                Job { wait: Some(Wait { reason: "tides".to_owned(), ..turn(None) }), ..a_job("queued") },
                "It waits (tides).",
            ),
        ] {
            assert_eq!(what_now(&job, now()).last().map(String::as_str), Some(expected));
        }
    }

    #[test]
    fn an_error_comes_with_what_is_known_to_help() {
        let failed = |error| Job { error: Some(error), ..a_job("error") };
        let not_found = failed(an_error("0x80190194", false));
        let known = advice(&not_found).expect("404 is known");
        assert!(what_now(&not_found, now()).contains(&known));
        assert_eq!(advice(&failed(an_error("a later form", false))), None);

        let mut unknown = an_error("0x80190191", false);
        for (challenge, expected) in [
            (None, "Other credentials would not help"),
            (Some(("server", "negotiate", true)), "Run `bits credentials set 8e2d0a1b --prompt`"),
            (Some(("server", "basic", true)), "Run `bits credentials set 8e2d0a1b --prompt`"),
            (
                Some(("server", "basic", false)),
                "Run `bits credentials set 8e2d0a1b --target server --scheme basic --prompt`",
            ),
            (
                Some(("proxy", "basic", false)),
                "Run `bits credentials set 8e2d0a1b --target proxy --scheme basic --prompt`",
            ),
        ] {
            unknown.challenge = challenge.map(|(target, scheme, refused)| Challenge {
                target: target.to_owned(),
                host: "h".to_owned(),
                realm: None,
                schemes: vec![scheme.to_owned()],
                refused,
            });
            let known = advice(&failed(unknown.clone())).expect("401 is known");
            assert!(known.starts_with(expected), "{known}");
        }

        unknown.challenge = None;
        let own = Job { secret_headers: Some(vec!["Authorization".to_owned()]), ..failed(unknown) };
        let known = advice(&own).expect("401 is known");
        assert!(known.contains("`bits set 8e2d0a1b custom-header=@FILE`"), "{known}");
    }
}
