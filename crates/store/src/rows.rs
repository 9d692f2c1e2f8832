//! Rows and the domain, in both directions: the only place that knows what is written how.
//!
//! The words and numbers here are a promise to every database there is. They are spelled out,
//! however the domain may spell or count its own, and none is ever used again for something else.
//! A row that means nothing in the domain is damage, never a panic.
//!
//! SQLite's integers end at 2^63 - 1. A greater size or time is kept as that: no file on Linux is
//! longer, and no clock goes further. Durations are kept in whole milliseconds, rounded up, so
//! that none becomes zero, which means something else.

pub(crate) mod demand;
mod http_options;
mod notify;
mod sources;

use std::fmt::Display;
use std::time::Duration;

use bits_core::checksum::Checksum;
use bits_core::conditions::{CostFlags, Way};
use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::error::{Challenge, Code, ErrorContext, JobError};
use bits_core::file::{
    BootId, ClosingFile, DestinationTag, File, FileError, FileIndex, LocalName, PartialId, ResumeBy, Served,
    Stage, Validator,
};
use bits_core::http_options::HeaderName;
use bits_core::job::{Attempt, Job, JobId, Owner, Priority, Progress, Properties, Revision, State, Times};
use bits_core::notify::{NotifyOptions, Outbox};
use bits_core::pacing::rate::Rate;
use bits_core::ports::{KeySource, QueuedJob, SealedSecret, StateName, StoreError};
use bits_core::proxy::ProxyRules;
use bits_core::ranges::{ByteRange, Ranges};
use bits_core::remote_name::{HostTag, RemoteName};
use bits_core::sources::SourceIndex;
use bits_core::time::Timestamp;
use bits_core::transfer::last_modified;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;
use bits_core::windows_options::{ClassId, WindowsOptions};
use rusqlite::Row;
use rusqlite::types::{FromSql, Null, ToSqlOutput, Value, ValueRef};

pub(crate) use sources::{SOURCE_COLUMNS, values as source_values};

/// The columns of a job, in the order [`job_values`] writes and [`job`] reads them.
pub(crate) const JOB_COLUMNS: &str = "id, revision, owner, state, retry_at, \
     display_name, description, priority, minimum_retry_delay, no_progress_timeout, complete_when_done, \
     http_method, headers, headers_write_only, security_flags, \
     certificate_path, certificate_key, certificate_fingerprint, certificate_subject, \
     proxy_usage, proxy_list, proxy_bypass, stored_proxy_credentials, no_ntlm, service_name, \
     krb5_config, umask, krb5_ccname, env_http_proxy, env_https_proxy, env_all_proxy, env_no_proxy, \
     resumed, files_total, files_transferred, \
     error_code, error_context, error_transient, error_message, error_file, error_retry_after, \
     challenge_target, challenge_host, challenge_realm, challenge_schemes, challenge_refused, \
     error_count, failures_in_a_row, stalled_since, attempt, created, modified, transfer_completed, \
     discard_pending, keep_going, dynamic_content, high_performance, max_download_size, \
     files_passed_over, same_failures, beginnings, host, on_demand, demands, \
     demands_met, maximum_download_time, ran_for, running_since, active_at, \
     file_acl_flags, peer_caching_flags, helper_token_flags, notification_class, cost_flags, rate_limit, \
     notify_flags, notify_program, notify_arguments, notify_webhook, notify_interval, \
     notices, notices_made, notice_failure, way";

/// The columns [`queued`] reads, in the order of the index that has them.
pub(crate) const QUEUED_COLUMNS: &str = "priority, created, id, owner, host, cost_flags, way";

/// The columns [`progress`] reads.
pub(crate) const PROGRESS_COLUMNS: &str = "sum_files, sum_whole, sum_unsized, \
     sum_size_high, sum_size_low, sum_durable_high, sum_durable_low";

/// The columns of a file after its job, in the order [`file_values`] writes and [`file`] reads.
pub(crate) const FILE_COLUMNS: &str = "place, remote_name, local_name, no_clobber, \
     ranges, checksum, resume_by, moved, size, etag, last_modified, served_checksum, headers, served_source, \
     in_parts, boot, partial_device, partial_inode, durable, stage, valid, error_code, error_message, \
     sources, source_in_use, sources_beside, expected_size, \
     requested, download_position, filled, destination";

/// Those of them that [`closing_file`] reads.
pub(crate) const CLOSING_COLUMNS: &str = "place, local_name, no_clobber, size, headers, durable, stage";

/// Those of them that [`version_values`] writes.
pub(crate) const VERSION_COLUMNS: &str = "size, etag, last_modified, served_checksum, headers, served_source, \
     in_parts, boot, partial_device, partial_inode";

/// The columns [`secret`] reads.
pub(crate) const SECRET_COLUMNS: &str = "slot, record";

/// Reads a job, and how far its files have come, from [`JOB_COLUMNS`] and [`PROGRESS_COLUMNS`].
pub(crate) fn job_and_progress(row: &Row<'_>) -> Result<(Job, Progress), StoreError> {
    let mut columns = Columns::of(row);
    Ok((job(&mut columns)?, progress(&mut columns)?))
}

/// Reads the owner of jobs.
pub(crate) fn owner(row: &Row<'_>) -> Result<Owner, StoreError> {
    Ok(Owner(Columns::of(row).next()?))
}

pub(crate) fn job(columns: &mut Columns<'_>) -> Result<Job, StoreError> {
    let mut job = Job {
        id: JobId(columns.next()?),
        revision: Revision(columns.amount()?),
        owner: Owner(columns.next()?),
        state: {
            let word: String = columns.next()?;
            let retry_at = columns.time_if_any()?;
            state(&word, retry_at).ok_or_else(|| meaningless("state", word))?
        },
        properties: Properties {
            display_name: columns.next()?,
            description: columns.next()?,
            priority: columns.known("priority", priority)?,
            minimum_retry_delay: columns.amount_if_any()?.map(Duration::from_millis),
            no_progress_timeout: Duration::from_millis(columns.amount()?),
            maximum_download_time: None,
            complete_when_done: columns.next()?,
            windows: WindowsOptions::default(),
            http: http_options::options(columns)?,
            transfer: TransferOptions::default(),
            notify: NotifyOptions::default(),
            environment: http_options::environment(columns)?,
        },
        host: HostTag::NONE,
        resumed: columns.next()?,
        files_total: columns.next()?,
        files_transferred: columns.next()?,
        files_passed_over: 0,
        error: error(columns)?,
        error_count: columns.next()?,
        failures_in_a_row: columns.next()?,
        same_failures: 0,
        beginnings: 0,
        demands: 0,
        demands_met: 0,
        stalled_since: columns.time_if_any()?,
        ran_for: Duration::ZERO,
        running_since: None,
        active_at: Timestamp(0),
        attempt: Attempt(columns.next()?),
        times: Times {
            created: Timestamp(columns.amount()?),
            modified: Timestamp(columns.amount()?),
            transfer_completed: columns.time_if_any()?,
        },
        discard_pending: columns.next()?,
        outbox: Outbox::default(),
    };
    job.properties.transfer = TransferOptions {
        keep_going: columns.next()?,
        dynamic_content: columns.next()?,
        high_performance: columns.next()?,
        on_demand: false,
        max_download_size: columns.amount_if_any()?.map(Bytes),
        cost_flags: None,
        rate_limit: None,
    };
    job.files_passed_over = columns.next()?;
    job.same_failures = columns.next()?;
    job.beginnings = columns.next()?;
    job.host = HostTag(columns.amount()?);
    job.properties.transfer.on_demand = columns.next()?;
    job.demands = columns.next()?;
    job.demands_met = columns.next()?;
    job.properties.maximum_download_time = columns.amount_if_any()?.map(Duration::from_millis);
    job.ran_for = Duration::from_millis(columns.amount()?);
    job.running_since = columns.time_if_any()?;
    job.active_at = Timestamp(columns.amount()?);
    job.properties.windows = WindowsOptions {
        file_acl_flags: columns.next()?,
        peer_caching_flags: columns.next()?,
        helper_token_flags: columns.next()?,
        notification_class: columns.next::<Option<[u8; 16]>>()?.map_or(ClassId::NULL, ClassId),
    };
    job.properties.transfer.cost_flags = cost_flags(columns)?;
    job.properties.transfer.rate_limit = columns
        .amount_if_any()?
        .map(|rate| Rate::new(rate).ok_or_else(|| meaningless("rate limit", rate)))
        .transpose()?;
    (job.properties.notify, job.outbox) = notify::read(columns)?;
    // It follows from the proxies, and is kept for [`queued`].
    columns.known("way", way)?;
    Ok(job)
}

/// What a job that is queued waits with, from [`QUEUED_COLUMNS`].
pub(crate) fn queued(row: &Row<'_>) -> Result<QueuedJob, StoreError> {
    let mut columns = Columns::of(row);
    Ok(QueuedJob {
        priority: columns.known("priority", priority)?,
        created: Timestamp(columns.amount()?),
        id: JobId(columns.next()?),
        owner: Owner(columns.next()?),
        host: HostTag(columns.amount()?),
        cost: cost_flags(&mut columns)?,
        way: columns.known("way", way)?,
    })
}

/// The id of a job.
pub(crate) fn id(row: &Row<'_>) -> Result<JobId, StoreError> {
    Ok(JobId(Columns::of(row).next()?))
}

/// When something last happened to a job, and its id.
pub(crate) fn activity(row: &Row<'_>) -> Result<(Timestamp, JobId), StoreError> {
    let mut columns = Columns::of(row);
    Ok((Timestamp(columns.amount()?), JobId(columns.next()?)))
}

/// An owner, and how many jobs.
pub(crate) fn owner_and_count(row: &Row<'_>) -> Result<(Owner, u32), StoreError> {
    let mut columns = Columns::of(row);
    Ok((Owner(columns.next()?), columns.next()?))
}

fn cost_flags(columns: &mut Columns<'_>) -> Result<Option<CostFlags>, StoreError> {
    let flags: Option<u32> = columns.next()?;
    flags.map(|flags| CostFlags::new(flags).map_err(|_| meaningless("cost_flags", flags))).transpose()
}

/// Values of a job, with what is written beside them.
const JOB_VALUES_MAX: usize = 104;

/// The values of [`JOB_COLUMNS`].
pub(crate) fn job_values(job: &Job) -> Vec<ToSqlOutput<'_>> {
    // Taken apart whole, so that no field can be added and not kept.
    let Job {
        id,
        revision,
        owner,
        state,
        properties,
        host,
        files_total,
        files_transferred,
        files_passed_over,
        error,
        error_count,
        failures_in_a_row,
        same_failures,
        beginnings,
        demands,
        demands_met,
        stalled_since,
        ran_for,
        running_since,
        active_at,
        attempt,
        times,
        resumed,
        discard_pending,
        outbox,
    } = job;
    let Properties {
        display_name,
        description,
        priority,
        minimum_retry_delay,
        no_progress_timeout,
        maximum_download_time,
        complete_when_done,
        windows: WindowsOptions { file_acl_flags, peer_caching_flags, helper_token_flags, notification_class },
        http,
        transfer:
            TransferOptions {
                keep_going,
                dynamic_content,
                high_performance,
                on_demand,
                max_download_size,
                cost_flags,
                rate_limit,
            },
        notify,
        environment,
    } = properties;
    let Times { created, modified, transfer_completed } = times;
    let retry_at = match state {
        State::TransientError { retry_at } => Some(*retry_at),
        _ => None,
    };
    let mut values: Vec<ToSqlOutput<'_>> = Vec::with_capacity(JOB_VALUES_MAX);
    values.extend([
        (&id.0[..]).into(),
        integer(revision.0).into(),
        owner.0.into(),
        text(state_word(*state)),
        time_value(retry_at),
        text(display_name),
        text(description),
        priority_number(*priority).into(),
        owned(minimum_retry_delay.map(milliseconds)),
        milliseconds(*no_progress_timeout).into(),
        (*complete_when_done).into(),
    ]);
    values.extend(http_options::option_values(http).into_iter().map(owned));
    values.extend(http_options::environment_values(environment).map(owned));
    values.extend([(*resumed).into(), (*files_total).into(), (*files_transferred).into()]);
    values.extend(error_values(error.as_ref()).map(owned));
    values.extend([
        (*error_count).into(),
        (*failures_in_a_row).into(),
        time_value(*stalled_since),
        attempt.0.into(),
        time_value(Some(*created)),
        time_value(Some(*modified)),
        time_value(*transfer_completed),
        (*discard_pending).into(),
        (*keep_going).into(),
        (*dynamic_content).into(),
        (*high_performance).into(),
        owned(max_download_size.map(bytes)),
        (*files_passed_over).into(),
        (*same_failures).into(),
        (*beginnings).into(),
        integer(host.0).into(),
        (*on_demand).into(),
        (*demands).into(),
        (*demands_met).into(),
        owned(maximum_download_time.map(milliseconds)),
        milliseconds(*ran_for).into(),
        time_value(*running_since),
        time_value(Some(*active_at)),
        (*file_acl_flags).into(),
        (*peer_caching_flags).into(),
        (*helper_token_flags).into(),
        owned((!notification_class.is_null()).then(|| notification_class.0.to_vec())),
        owned(cost_flags.map(CostFlags::bits)),
        owned(rate_limit.map(|rate| integer(rate.bytes_per_second()))),
    ]);
    values.extend(notify::values(notify, outbox).map(owned));
    values.push(way_number(ProxyRules::way(&http.proxy, &environment.proxies)).into());
    values
}

/// Reads how far the files of a job have come from [`PROGRESS_COLUMNS`].
pub(crate) fn progress(columns: &mut Columns<'_>) -> Result<Progress, StoreError> {
    let files_total = columns.next()?;
    let files_transferred = columns.next()?;
    let unsized_files: u32 = columns.next()?;
    let size = columns.sum()?;
    Ok(Progress {
        bytes_total: (unsized_files == 0).then_some(size),
        bytes_transferred: columns.sum()?,
        files_total,
        files_transferred,
    })
}

/// Reads a file from [`FILE_COLUMNS`].
pub(crate) fn file(row: &Row<'_>) -> Result<File, StoreError> {
    let mut columns = Columns::of(row);
    let mut file = File {
        index: FileIndex(columns.next()?),
        remote_name: {
            let text: String = columns.next()?;
            RemoteName::stored(&text).map_err(|error| meaningless("remote name", error))?
        },
        local_name: {
            let text: String = columns.next()?;
            LocalName::parse(&text).map_err(|wrong| meaningless("local name", wrong))?
        },
        destination: DestinationTag(0),
        no_clobber: columns.next()?,
        ranges: {
            let text: Option<String> = columns.next()?;
            let text = text.unwrap_or_default();
            ranges(&text).ok_or_else(|| meaningless("list of ranges", text))?
        },
        checksum: checksum(columns.next()?)?,
        resume_by: columns.known("way of resuming", resume_by)?,
        moved: columns.next()?,
        size: columns.amount_if_any()?.map(Bytes),
        validator: some_validator(Validator { etag: columns.next()?, last_modified: columns.next()? }),
        served: Served {
            checksum: checksum(columns.next()?)?,
            headers: columns.next::<Option<String>>()?.unwrap_or_default(),
            source: SourceIndex(columns.next()?),
            in_parts: columns.next()?,
        },
        boot: columns.next::<Option<[u8; 16]>>()?.map(BootId),
        partial: {
            let device: Option<i64> = columns.next()?;
            let inode: Option<i64> = columns.next()?;
            device.zip(inode).map(|(device, inode)| PartialId {
                device: device.cast_unsigned(),
                inode: inode.cast_unsigned(),
            })
        },
        durable: Bytes(columns.amount()?),
        stage: {
            let word: String = columns.next()?;
            stage(&word).ok_or_else(|| meaningless("stage", word))?
        },
        valid: columns.next()?,
        error: {
            let code: Option<u32> = columns.next()?;
            let message: Option<String> = columns.next()?;
            code.map(|code| FileError { code: Code(code), message: message.unwrap_or_default() })
        },
        sources: sources::sources(&mut columns)?,
        demand: demand::read(&mut columns)?,
    };
    let on_record = columns.next::<Option<i64>>()?.map(|tag| DestinationTag(tag.cast_unsigned()));
    // Files of before version 8 have none.
    file.destination = on_record.unwrap_or_else(|| file.local_name.destination());
    Ok(file)
}

/// Reads from `local_name, destination` where a file goes, and whether that is on record: for files of
/// before version 8 it is told by their names.
pub(crate) fn destination(row: &Row<'_>) -> Result<(DestinationTag, bool), StoreError> {
    let mut columns = Columns::of(row);
    let text: String = columns.next()?;
    match columns.next::<Option<i64>>()? {
        Some(tag) => Ok((DestinationTag(tag.cast_unsigned()), true)),
        None => {
            let name = LocalName::parse(&text).map_err(|wrong| meaningless("local name", wrong))?;
            Ok((name.destination(), false))
        }
    }
}

/// As it is written.
pub(crate) fn tag(destination: DestinationTag) -> i64 {
    destination.0.cast_signed()
}

/// Reads [`CLOSING_COLUMNS`].
pub(crate) fn closing_file(row: &Row<'_>) -> Result<ClosingFile, StoreError> {
    let columns = &mut Columns::of(row);
    Ok(ClosingFile {
        index: FileIndex(columns.next()?),
        local_name: {
            let text: String = columns.next()?;
            LocalName::parse(&text).map_err(|wrong| meaningless("local name", wrong))?
        },
        no_clobber: columns.next()?,
        size: columns.amount_if_any()?.map(Bytes),
        modified: {
            let headers = columns.next::<Option<String>>()?.unwrap_or_default();
            last_modified(&Served { headers, ..Served::default() })
        },
        durable: Bytes(columns.amount()?),
        stage: {
            let word: String = columns.next()?;
            stage(&word).ok_or_else(|| meaningless("stage", word))?
        },
    })
}

/// The values of [`FILE_COLUMNS`].
pub(crate) fn file_values(file: &File) -> Vec<ToSqlOutput<'_>> {
    let File {
        index,
        remote_name,
        local_name,
        destination,
        no_clobber,
        ranges,
        checksum,
        resume_by,
        sources,
        moved,
        size,
        validator,
        served,
        durable,
        demand,
        boot,
        partial,
        stage,
        valid,
        error,
    } = file;
    let mut values = Vec::with_capacity(FILE_VALUES);
    values.extend([
        index.0.into(),
        text(remote_name.as_str()),
        text(local_name.as_str()),
        (*no_clobber).into(),
        owned(ranges_text(ranges)),
        owned(checksum.as_ref().map(ToString::to_string)),
        resume_by_number(*resume_by).into(),
        (*moved).into(),
    ]);
    values.extend(version_values(*size, validator.as_ref(), served, *boot, *partial));
    values.extend([
        bytes(*durable).into(),
        text(stage_word(*stage)),
        (*valid).into(),
        owned(error.as_ref().map(|error| error.code.0)),
        text_if_any(error.as_ref().map(|error| error.message.as_str())),
    ]);
    values.extend(source_values(sources).map(owned));
    values.extend(demand::values(demand).map(owned));
    values.push(tag(*destination).into());
    values
}

/// The values of [`VERSION_COLUMNS`].
pub(crate) fn version_values<'a>(
    size: Option<Bytes>,
    validator: Option<&'a Validator>,
    served: &'a Served,
    boot: Option<BootId>,
    partial: Option<PartialId>,
) -> [ToSqlOutput<'a>; 10] {
    let Served { source, in_parts, checksum, headers } = served;
    [
        owned(size.map(bytes)),
        text_if_any(validator.and_then(|validator| validator.etag.as_deref())),
        text_if_any(validator.and_then(|validator| validator.last_modified.as_deref())),
        owned(checksum.as_ref().map(ToString::to_string)),
        text_if_any(Some(headers.as_str()).filter(|headers| !headers.is_empty())),
        source.0.into(),
        (*in_parts).into(),
        owned(boot.map(|boot| boot.0.to_vec())),
        // All 64 bits of both are used by somebody.
        owned(partial.map(|partial| partial.device.cast_signed())),
        owned(partial.map(|partial| partial.inode.cast_signed())),
    ]
}

/// How many values a row of a file has, with its job.
const FILE_VALUES: usize = 32;

/// A text as it lies there: of many files, no copies.
pub(crate) fn text(text: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
}

fn text_if_any(found: Option<&str>) -> ToSqlOutput<'_> {
    found.map_or(Null.into(), text)
}

fn owned<'a>(value: impl Into<Value>) -> ToSqlOutput<'a> {
    ToSqlOutput::Owned(value.into())
}

/// Ranges as they are kept: `OFFSET:LENGTH` or `OFFSET:eof`, with commas between.
fn ranges_text(ranges: &Ranges) -> Option<String> {
    let words: Vec<_> = ranges.as_slice().iter().map(ToString::to_string).collect();
    (!words.is_empty()).then(|| words.join(","))
}

fn ranges(text: &str) -> Option<Ranges> {
    if text.is_empty() {
        return Some(Ranges::ALL);
    }
    let ranges: Result<Vec<_>, _> = text.split(',').map(ByteRange::parse).collect();
    Ranges::new(ranges.ok()?).ok()
}

fn checksum(text: Option<String>) -> Result<Option<Checksum>, StoreError> {
    let parsed = text.map(|text| Checksum::parse(&text).map_err(|error| meaningless("checksum", error)));
    parsed.transpose()
}

fn resume_by_number(by: ResumeBy) -> u32 {
    match by {
        ResumeBy::Validator => 0,
        ResumeBy::SizeAndTime => 1,
        ResumeBy::Checksum => 2,
    }
}

fn resume_by(number: u32) -> Option<ResumeBy> {
    ResumeBy::ALL.into_iter().find(|by| resume_by_number(*by) == number)
}

/// A validator, if the server gave anything to know the version by.
pub(crate) fn some_validator(validator: Validator) -> Option<Validator> {
    (!validator.is_empty()).then_some(validator)
}

/// Reads a secret from [`SECRET_COLUMNS`].
pub(crate) fn secret(row: &Row<'_>) -> Result<SealedSecret, StoreError> {
    let mut columns = Columns::of(row);
    Ok(SealedSecret {
        slot: {
            let word: String = columns.next()?;
            slot(&word).ok_or_else(|| meaningless("kind of secret", word))?
        },
        record: columns.next()?,
    })
}

/// A slot as it is kept.
pub(crate) fn slot_word(slot: &SecretSlot) -> String {
    match slot {
        SecretSlot::Credential { target, scheme } => {
            format!("{CREDENTIAL}{}:{}", target_number(*target), scheme_number(*scheme))
        }
        SecretSlot::Header(name) => format!("{HEADER}{}", name.as_str()),
        SecretSlot::CertificatePassphrase => PASSPHRASE.to_owned(),
        SecretSlot::Webhook => WEBHOOK.to_owned(),
    }
}

/// What the slots of all headers begin with; the next slot there could be begins with
/// [`AFTER_HEADERS`].
pub(crate) const HEADER: &str = "header:";
pub(crate) const AFTER_HEADERS: &str = "header;";
const CREDENTIAL: &str = "credential:";
const PASSPHRASE: &str = "passphrase";
pub(crate) const WEBHOOK: &str = "webhook";

fn slot(word: &str) -> Option<SecretSlot> {
    if word == PASSPHRASE {
        return Some(SecretSlot::CertificatePassphrase);
    }
    if word == WEBHOOK {
        return Some(SecretSlot::Webhook);
    }
    if let Some(name) = word.strip_prefix(HEADER) {
        return HeaderName::parse(name).ok().map(SecretSlot::Header);
    }
    let (target_word, scheme_word) = word.strip_prefix(CREDENTIAL)?.split_once(':')?;
    let target = target(target_word.parse().ok()?)?;
    Some(SecretSlot::Credential { target, scheme: scheme(scheme_word.parse().ok()?)? })
}

/// Reads a state and a count.
pub(crate) fn state_and_count(row: &Row<'_>) -> Result<(StateName, u64), StoreError> {
    let mut columns = Columns::of(row);
    let word: String = columns.next()?;
    // Any time will do: only the name of the state is wanted.
    let retry_at = (word == TRANSIENT_ERROR).then_some(Timestamp(0));
    let name = state(&word, retry_at).ok_or_else(|| meaningless("state", word))?.name();
    Ok((name, columns.amount()?))
}

/// How the state that the domain calls `name` is written; none when it knows no such state.
pub(crate) fn word_of_state(name: &str) -> Option<&'static str> {
    STATES.into_iter().find(|state| state.name() == name).map(state_word)
}

/// How each state is written in which a job can still change.
pub(crate) fn live_state_words() -> impl Iterator<Item = &'static str> {
    STATES.into_iter().filter(|state| !state.is_final()).map(state_word)
}

/// A size as it is kept.
pub(crate) fn bytes(bytes: Bytes) -> i64 {
    integer(bytes.0)
}

/// A time as it is kept.
pub(crate) fn time(time: Timestamp) -> i64 {
    integer(time.0)
}

/// A revision as it is kept.
pub(crate) fn revision(revision: Revision) -> i64 {
    integer(revision.0)
}

pub(crate) fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Transferred => "transferred",
        Stage::Completed => "completed",
    }
}

pub(crate) fn key_source_word(source: KeySource) -> &'static str {
    match source {
        KeySource::KeyFile => "key_file",
        KeySource::SystemdCredential => "systemd_credential",
    }
}

pub(crate) fn key_source(word: &str) -> Option<KeySource> {
    KeySource::ALL.into_iter().find(|source| key_source_word(*source) == word)
}

/// The number BITS gives it (`bits.md` §2.4).
fn target_number(target: AuthTarget) -> u32 {
    match target {
        AuthTarget::Server => 1,
        AuthTarget::Proxy => 2,
    }
}

/// The number BITS gives it (`bits.md` §2.4).
fn scheme_number(scheme: AuthScheme) -> u32 {
    match scheme {
        AuthScheme::Basic => 1,
        AuthScheme::Digest => 2,
        AuthScheme::Ntlm => 3,
        AuthScheme::Negotiate => 4,
    }
}

/// What SQLite failed at, in the words of the port. `doing` completes "could not be …".
pub(crate) fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match &error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            rusqlite::ErrorCode::DiskFull => StoreError::Full,
            rusqlite::ErrorCode::ReadOnly => StoreError::ReadOnly,
            rusqlite::ErrorCode::SystemIoFailure => StoreError::Device { doing, reason: error.to_string() },
            rusqlite::ErrorCode::DatabaseCorrupt
            | rusqlite::ErrorCode::NotADatabase
            | rusqlite::ErrorCode::ConstraintViolation => StoreError::Corrupt { reason: error.to_string() },
            _ => StoreError::Io { doing, reason: error.to_string() },
        },
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => StoreError::Corrupt { reason: error.to_string() },
        _ => StoreError::Io { doing, reason: error.to_string() },
    }
}

const TRANSIENT_ERROR: &str = "transient_error";

/// Every state; the time in one of them stands for any.
const STATES: [State; 9] = [
    State::Queued,
    State::Connecting,
    State::Transferring,
    State::Suspended,
    State::Error,
    State::TransientError { retry_at: Timestamp(0) },
    State::Transferred,
    State::Acknowledged,
    State::Cancelled,
];

pub(crate) fn state_word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Connecting => "connecting",
        State::Transferring => "transferring",
        State::Suspended => "suspended",
        State::Error => "error",
        State::TransientError { .. } => TRANSIENT_ERROR,
        State::Transferred => "transferred",
        State::Acknowledged => "acknowledged",
        State::Cancelled => "cancelled",
    }
}

fn state(word: &str, retry_at: Option<Timestamp>) -> Option<State> {
    match (word, retry_at) {
        (TRANSIENT_ERROR, Some(retry_at)) => Some(State::TransientError { retry_at }),
        (TRANSIENT_ERROR, None) | (_, Some(_)) => None,
        (word, None) => STATES.into_iter().find(|state| state_word(*state) == word),
    }
}

fn stage(word: &str) -> Option<Stage> {
    [Stage::Waiting, Stage::Transferred, Stage::Completed]
        .into_iter()
        .find(|stage| stage_word(*stage) == word)
}

/// A priority as it is kept: whose turn is first has the smallest.
pub(crate) fn priority_number(priority: Priority) -> u32 {
    match priority {
        Priority::Foreground => 0,
        Priority::High => 1,
        Priority::Normal => 2,
        Priority::Low => 3,
    }
}

fn way_number(way: Way) -> u32 {
    match way {
        Way::Network => 0,
        Way::LocalProxy => 1,
        Way::OfSettings => 2,
    }
}

fn way(number: u32) -> Option<Way> {
    [Way::Network, Way::LocalProxy, Way::OfSettings].into_iter().find(|way| way_number(*way) == number)
}

fn priority(number: u32) -> Option<Priority> {
    Priority::ALL.into_iter().find(|priority| priority_number(*priority) == number)
}

fn target(number: u32) -> Option<AuthTarget> {
    AuthTarget::ALL.into_iter().find(|target| target_number(*target) == number)
}

fn scheme(number: u32) -> Option<AuthScheme> {
    AuthScheme::BY_PREFERENCE.into_iter().find(|scheme| scheme_number(*scheme) == number)
}

/// The number BITS gives it (`bits.md` §2.3).
fn context_number(context: ErrorContext) -> u32 {
    match context {
        ErrorContext::None => 0,
        ErrorContext::Unknown => 1,
        ErrorContext::GeneralQueueManager => 2,
        ErrorContext::QueueManagerNotification => 3,
        ErrorContext::LocalFile => 4,
        ErrorContext::RemoteFile => 5,
        ErrorContext::GeneralTransport => 6,
        ErrorContext::RemoteApplication => 7,
        ErrorContext::ServerCertificateCallback => 8,
    }
}

fn context(number: u32) -> Option<ErrorContext> {
    const CONTEXTS: [ErrorContext; 9] = [
        ErrorContext::None,
        ErrorContext::Unknown,
        ErrorContext::GeneralQueueManager,
        ErrorContext::QueueManagerNotification,
        ErrorContext::LocalFile,
        ErrorContext::RemoteFile,
        ErrorContext::GeneralTransport,
        ErrorContext::RemoteApplication,
        ErrorContext::ServerCertificateCallback,
    ];
    CONTEXTS.into_iter().find(|context| context_number(*context) == number)
}

/// Reads the eleven columns of an error. Without a code there is none.
fn error(columns: &mut Columns<'_>) -> Result<Option<JobError>, StoreError> {
    let Some(code) = columns.next()? else {
        columns.skip(10);
        return Ok(None);
    };
    let context = columns.known("error context", context)?;
    let transient = columns.next()?;
    let message = columns.next()?;
    let file = columns.next::<Option<u32>>()?.map(FileIndex);
    let retry_after_seconds = columns.next()?;
    let challenge = challenge(columns)?;
    Ok(Some(JobError { code: Code(code), context, transient, message, file, challenge, retry_after_seconds }))
}

fn challenge(columns: &mut Columns<'_>) -> Result<Option<Challenge>, StoreError> {
    let Some(number) = columns.next::<Option<u32>>()? else {
        columns.skip(4);
        return Ok(None);
    };
    Ok(Some(Challenge {
        target: target(number).ok_or_else(|| meaningless("authentication target", number))?,
        host: columns.next()?,
        realm: columns.next()?,
        schemes: {
            let numbers: String = columns.next()?;
            schemes(&numbers).ok_or_else(|| meaningless("list of authentication schemes", numbers))?
        },
        refused: columns.next()?,
    }))
}

fn error_values(error: Option<&JobError>) -> [Value; 11] {
    let Some(error) = error else { return [const { Value::Null }; 11] };
    let JobError { code, context, transient, message, file, challenge, retry_after_seconds } = error;
    let [target, host, realm, schemes, refused] = challenge_values(challenge.as_ref());
    [
        code.0.into(),
        context_number(*context).into(),
        (*transient).into(),
        message.clone().into(),
        file.map(|file| file.0).into(),
        (*retry_after_seconds).into(),
        target,
        host,
        realm,
        schemes,
        refused,
    ]
}

fn challenge_values(challenge: Option<&Challenge>) -> [Value; 5] {
    let Some(challenge) = challenge else { return [const { Value::Null }; 5] };
    let Challenge { target, host, realm, schemes, refused } = challenge;
    let numbers: Vec<_> = schemes.iter().map(|scheme| scheme_number(*scheme).to_string()).collect();
    [
        target_number(*target).into(),
        host.clone().into(),
        realm.clone().into(),
        numbers.join(",").into(),
        (*refused).into(),
    ]
}

fn schemes(numbers: &str) -> Option<Vec<AuthScheme>> {
    if numbers.is_empty() {
        return Some(Vec::new());
    }
    numbers.split(',').map(|number| number.parse().ok().and_then(scheme)).collect()
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

fn time_value<'a>(at: Option<Timestamp>) -> ToSqlOutput<'a> {
    owned(at.map(time))
}

fn meaningless(what: &str, value: impl Display) -> StoreError {
    StoreError::Corrupt { reason: format!("there is a {what} that means nothing: {value}") }
}

/// The columns of a row, one after the other.
#[derive(Debug)]
pub(crate) struct Columns<'r> {
    row: &'r Row<'r>,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r Row<'r>) -> Self {
        Self { row, at: 0 }
    }

    fn next<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let at = self.at;
        self.at += 1;
        self.row.get(at).map_err(failed("read"))
    }

    fn skip(&mut self, columns: usize) {
        self.at += columns;
    }

    /// A number that stands for something, by what `meaning` says.
    fn known<T>(&mut self, what: &str, meaning: impl Fn(u32) -> Option<T>) -> Result<T, StoreError> {
        let number: u32 = self.next()?;
        meaning(number).ok_or_else(|| meaningless(what, number))
    }

    fn amount(&mut self) -> Result<u64, StoreError> {
        let number: i64 = self.next()?;
        u64::try_from(number).map_err(|_| meaningless("negative amount", number))
    }

    fn amount_if_any(&mut self) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.next()?;
        number
            .map(|number| u64::try_from(number).map_err(|_| meaningless("negative amount", number)))
            .transpose()
    }

    fn time_if_any(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.amount_if_any()?.map(Timestamp))
    }

    /// A sum that is kept in halves, or the largest number there is.
    fn sum(&mut self) -> Result<Bytes, StoreError> {
        let high = u128::from(self.amount()?);
        let low = u128::from(self.amount()?);
        Ok(Bytes(u64::try_from((high << 32) + low).unwrap_or(u64::MAX)))
    }
}
