//! Where the domain and the wire meet.

use std::time::Duration;

use bits_core::conditions::{self, CostFlags, Hold};
use bits_core::credentials::{AuthTarget, SecretSlot};
use bits_core::demand::{Filled, Span};
use bits_core::error::{self, Code};
use bits_core::file::{self, ResumeBy, Stage};
use bits_core::http_options::{self, ProxyUse};
use bits_core::job;
use bits_core::notify::{self, NotifyOptions};
use bits_core::pacing::rate::Rate;
use bits_core::ports::{KeyStanding, SealedSecret};
use bits_core::queue::{ConnectionLimit, CredentialWait, FileView, JobView, Question, WaitReason};
use bits_core::ranges::ByteRange;
use bits_core::refusal::Refusal;
use bits_core::secret::Secret;
use bits_core::sources::MirrorOrigin;
use bits_core::time::Timestamp;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;
use bits_core::windows_options::{ClassId, WindowsOptions};

use crate::about::{Conditions, Key};
use crate::challenge::PendingChallenge;
use crate::credentials::Password;
use crate::export::{ExportedJob, LeftOut};
use crate::file::{AddFile, File, FileError, FilledRanges, Range, Source};
use crate::http_options::{
    AUTODETECT, ClientCertificate, Header, NO_PROXY, OVERRIDE, PRECONFIG, Proxy, SetHeader,
};
use crate::job::{
    Challenge, ChangeJob, CredentialPresent, Environment, Job, JobError, NotifyCommand, Outcome, Owner,
    Progress, Times, Wait,
};
use crate::problem::Problem;

/// The job as programs see it.
pub fn job(view: &JobView, owner_name: Option<String>) -> Job {
    let job = &view.job;
    let (http, notify) = (&job.properties.http, &job.properties.notify);
    Job {
        id: job.id.to_string(),
        revision: job.revision.0,
        display_name: job.properties.display_name.clone(),
        description: job.properties.description.clone(),
        kind: "download".to_owned(),
        state: job.state.name().to_owned(),
        priority: job.properties.priority.name().to_owned(),
        owner: owner(job.owner, owner_name),
        progress: Progress {
            bytes_total: view.progress.bytes_total.map(|bytes| bytes.0),
            bytes_transferred: view.progress.bytes_transferred.0,
            files_total: view.progress.files_total,
            files_transferred: view.progress.files_transferred,
            files_passed_over: job.files_passed_over,
        },
        times: Times {
            created: rfc3339(job.times.created),
            modified: rfc3339(job.times.modified),
            transfer_completed: job.times.transfer_completed.map(rfc3339),
        },
        error: job.error.as_ref().map(job_error),
        error_count: job.error_count,
        wait: view.wait.map(wait),
        minimum_retry_delay: job.properties.minimum_retry_delay.map(|delay| delay.as_secs()),
        no_progress_timeout: job.properties.no_progress_timeout.as_secs(),
        maximum_download_time: job.properties.maximum_download_time.map(|most| most.as_secs()),
        complete_when_done: job.properties.complete_when_done,
        file_acl_flags: job.properties.windows.file_acl_flags,
        peer_caching_flags: job.properties.windows.peer_caching_flags,
        helper_token_flags: job.properties.windows.helper_token_flags,
        notification_clsid: class_id(job.properties.windows.notification_class),
        keep_going: job.properties.transfer.keep_going,
        dynamic_content: job.properties.transfer.dynamic_content,
        high_performance: job.properties.transfer.high_performance,
        on_demand: job.properties.transfer.on_demand,
        max_download_size: job.properties.transfer.max_download_size.map(|size| size.0),
        cost_flags: job.properties.transfer.cost_flags.map(CostFlags::bits),
        rate_limit: job.properties.transfer.rate_limit.map(Rate::bytes_per_second),
        http_method: http.method.as_str().to_owned(),
        custom_headers: (!http.headers_write_only).then(|| http.headers.iter().map(header).collect()),
        custom_headers_write_only: http.headers_write_only,
        security_flags: http.security.mask(),
        client_certificate: http.client_certificate.as_ref().map_or(ClientCertificate::None, certificate),
        proxy: proxy(&http.proxy),
        use_stored_credentials: http.stored_proxy_credentials.then(|| AuthTarget::Proxy.name().to_owned()),
        no_ntlm: http.no_ntlm,
        service_name: http.service_name.clone(),
        notify_flags: notify.flags.mask(),
        notify_command: notify.command.as_ref().map(command),
        notify_webhook: notify.webhook.as_ref().map(|url| url.as_str().to_owned()),
        notify_webhook_signed: None,
        minimum_notification_interval_ms: milliseconds(notify.minimum_interval),
        notifications_pending: u32::try_from(job.outbox.pending.len()).unwrap_or(u32::MAX),
        notification_failure: job.outbox.failure.clone(),
        environment: None,
        secret_headers: None,
        credentials: None,
        files: None,
    }
}

/// Whose job it is, as programs see it.
fn owner(owner: job::Owner, name: Option<String>) -> Owner {
    const ROOT: job::Owner = job::Owner(0);
    /// The levels of a process with and without the rights of an administrator (`bits.md` §1.5).
    const HIGH: u32 = 0x3000;
    const MEDIUM: u32 = 0x2000;
    let elevated = owner == ROOT;
    let integrity_level = if elevated { HIGH } else { MEDIUM };
    Owner { id: owner.0.to_string(), name, integrity_level, elevated }
}

fn class_id(class: ClassId) -> Option<String> {
    (!class.is_null()).then(|| class.to_string())
}

/// The file as programs see it.
pub fn file(view: &FileView) -> File {
    File {
        index: view.file.index.0,
        remote_name: view.file.remote_name.as_str().to_owned(),
        local_name: view.file.local_name.as_str().to_owned(),
        bytes_total: view.file.size.map(|bytes| bytes.0),
        bytes_transferred: view.transferred.0,
        completed: view.file.stage == Stage::Completed,
        valid: view.file.validation(),
        ranges: view.file.ranges.as_slice().iter().map(range).collect(),
        checksum: view.file.checksum.as_ref().map(ToString::to_string),
        checksum_served: view.file.served.checksum.as_ref().map(ToString::to_string),
        resume_by: view.file.resume_by.name().to_owned(),
        expected_size: view.file.sources.size.map(|size| size.0),
        sources: sources(&view.file),
        temporary_name: None,
        http_response_headers: None,
        error: view.file.error.as_ref().map(|error| FileError {
            code: error.code.to_string(),
            name: name(error.code),
            message: error.message.clone(),
        }),
    }
}

fn sources(file: &file::File) -> Vec<Source> {
    let known = &file.sources;
    let source = |place| {
        let (remote_name, origin) = match known.mirror(place) {
            None => (&file.remote_name, "original"),
            Some(mirror) => match mirror.origin {
                MirrorOrigin::Given => (&mirror.remote_name, "given"),
                MirrorOrigin::Link => (&mirror.remote_name, "link"),
            },
        };
        let dropped = known.dropped(place);
        Source {
            remote_name: remote_name.as_str().to_owned(),
            origin: origin.to_owned(),
            in_use: known.is_in_use(place),
            state: dropped.map_or("ready", |dropped| dropped.reason.name()).to_owned(),
            why: dropped.map(|dropped| dropped.why.clone()),
        }
    };
    if known.is_single() { Vec::new() } else { known.places().map(source).collect() }
}

fn range(range: &ByteRange) -> Range {
    Range { offset: range.offset.0, length: range.length.map(|length| length.0) }
}

/// What of a file is there and what is asked for, as programs see it.
pub fn filled_ranges(file: &file::File) -> FilledRanges {
    let whole = file.size.map(|end| Span { from: Bytes::ZERO, end });
    let filled = match file.stage {
        Stage::Waiting => file.demand.filled.clone(),
        Stage::Transferred | Stage::Completed => Filled::of(whole),
    };
    FilledRanges {
        filled: filled.spans().iter().copied().map(span).collect(),
        requested: file.demand.requested.iter().map(range).collect(),
        position: file.demand.position.map(|position| position.0),
    }
}

/// Bytes of a file as programs see them.
pub fn span(span: Span) -> Range {
    Range { offset: span.from.0, length: Some(span.length().0) }
}

/// The job as somebody sees it who asks for this one: with what of the owner's environment it has, and
/// which secrets are set.
pub fn whole_job(view: &JobView, owner_name: Option<String>, secrets: &[SealedSecret]) -> Job {
    let mut credentials = Vec::new();
    let mut secret_headers = Vec::new();
    for SealedSecret { slot, .. } in secrets {
        match slot {
            SecretSlot::Credential { target, scheme } => credentials.push(CredentialPresent {
                target: target.name().to_owned(),
                scheme: scheme.name().to_owned(),
            }),
            SecretSlot::Header(name) => secret_headers.push(name.as_str().to_owned()),
            SecretSlot::CertificatePassphrase | SecretSlot::Webhook => {}
        }
    }
    let signs = secrets.iter().any(|secret| secret.slot == SecretSlot::Webhook);
    Job {
        notify_webhook_signed: view.job.properties.notify.webhook.is_some().then_some(signs),
        environment: Some(environment(&view.job.properties.environment)),
        secret_headers: Some(secret_headers),
        credentials: Some(credentials),
        ..job(view, owner_name)
    }
}

/// The job as another service can take it over: all that its owner has said, and no secret.
///
/// Everything the domain has is taken apart here by name, so that nothing new is forgotten.
pub fn exported_job(
    view: &JobView,
    secrets: &[SealedSecret],
    files: &[bits_core::file::File],
) -> ExportedJob {
    let job::Properties {
        display_name,
        description,
        priority,
        minimum_retry_delay,
        no_progress_timeout,
        maximum_download_time,
        complete_when_done,
        windows: WindowsOptions { file_acl_flags, peer_caching_flags, helper_token_flags, notification_class },
        http,
        transfer,
        notify: NotifyOptions { flags, command: program, webhook, minimum_interval },
        environment: owners,
    } = &view.job.properties;
    let http_options::HttpOptions {
        method,
        headers,
        headers_write_only,
        security,
        client_certificate,
        proxy: proxy_use,
        stored_proxy_credentials,
        no_ntlm,
        service_name,
    } = http;
    let TransferOptions {
        keep_going,
        dynamic_content,
        high_performance,
        on_demand,
        max_download_size,
        cost_flags,
        rate_limit,
    } = *transfer;
    let mut left_out: Vec<LeftOut> = secrets.iter().map(|secret| left_out(&secret.slot)).collect();
    if *headers_write_only && !headers.is_empty() {
        left_out.push(LeftOut::WriteOnlyHeaders);
    }
    let headers = (!headers_write_only && !headers.is_empty()).then(|| headers.iter().map(set_header));
    let usual = NotifyOptions::default();
    let properties = ChangeJob {
        display_name: None,
        description: (!description.is_empty()).then(|| description.clone()),
        priority: Some(priority.name().to_owned()),
        minimum_retry_delay: minimum_retry_delay.map(|delay| delay.as_secs()),
        no_progress_timeout: Some(no_progress_timeout.as_secs()),
        maximum_download_time: maximum_download_time.map(|most| most.as_secs()),
        complete_when_done: Some(*complete_when_done),
        file_acl_flags: (*file_acl_flags != 0).then_some(*file_acl_flags),
        peer_caching_flags: (*peer_caching_flags != 0).then_some(*peer_caching_flags),
        helper_token_flags: (*helper_token_flags != 0).then_some(*helper_token_flags),
        notification_clsid: class_id(*notification_class),
        keep_going: keep_going.then_some(true),
        dynamic_content: dynamic_content.then_some(true),
        high_performance: high_performance.then_some(true),
        on_demand: on_demand.then_some(true),
        max_download_size: max_download_size.map(|size| size.0),
        cost_flags: cost_flags.map(CostFlags::bits),
        rate_limit: rate_limit.map(Rate::bytes_per_second),
        http_method: (!method.is_default()).then(|| method.as_str().to_owned()),
        custom_headers: headers.map(Iterator::collect),
        make_custom_headers_write_only: headers_write_only.then_some(true),
        security_flags: (security.mask() != 0).then(|| security.mask()),
        client_certificate: client_certificate.as_ref().map(certificate),
        client_certificate_passphrase: None,
        proxy: (*proxy_use != ProxyUse::Preconfigured).then(|| proxy(proxy_use)),
        use_stored_credentials: stored_proxy_credentials.then(|| AuthTarget::Proxy.name().to_owned()),
        no_ntlm: no_ntlm.then_some(true),
        service_name: service_name.clone(),
        notify_flags: (*flags != usual.flags).then(|| flags.mask()),
        notify_command: program.as_ref().map(command),
        notify_webhook: webhook.as_ref().map(|url| url.as_str().to_owned()),
        notify_webhook_secret: None,
        minimum_notification_interval_ms: (*minimum_interval != usual.minimum_interval)
            .then(|| u32::try_from(minimum_interval.as_millis()).unwrap_or(u32::MAX)),
    };
    let (in_place, wanted): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.stage == Stage::Completed);
    ExportedJob {
        id: view.job.id.to_string(),
        display_name: display_name.clone(),
        kind: "download".to_owned(),
        state: view.job.state.name().to_owned(),
        properties,
        environment: environment(owners),
        files: wanted.into_iter().map(exported_file).collect(),
        files_in_place: u32::try_from(in_place.len()).unwrap_or(u32::MAX),
        left_out,
    }
}

fn exported_file(file: &bits_core::file::File) -> AddFile {
    // What comes after `resume_by` is how far it has come.
    let bits_core::file::File {
        index: _,
        remote_name,
        local_name,
        no_clobber,
        ranges,
        checksum,
        resume_by,
        sources,
        moved: _,
        size: _,
        validator: _,
        served: _,
        durable: _,
        boot: _,
        partial: _,
        stage: _,
        valid: _,
        error: _,
        destination: _,
        demand: _,
    } = file;
    // Those that a server has named can be had from it again.
    let given = sources.mirrors.iter().filter(|mirror| mirror.origin == MirrorOrigin::Given);
    AddFile {
        remote_name: remote_name.as_str().to_owned(),
        local_name: local_name.as_str().to_owned(),
        no_clobber: *no_clobber,
        ranges: ranges.as_slice().iter().map(range).collect(),
        checksum: checksum.as_ref().map(ToString::to_string),
        resume_by: (*resume_by != ResumeBy::default()).then(|| resume_by.name().to_owned()),
        mirrors: given.map(|mirror| mirror.remote_name.as_str().to_owned()).collect(),
        expected_size: sources.size.map(|size| size.0),
    }
}

fn set_header(header: &http_options::Header) -> SetHeader {
    let value = Password(Secret::new(header.value().to_owned()));
    SetHeader { name: header.name().as_str().to_owned(), value }
}

fn left_out(slot: &SecretSlot) -> LeftOut {
    match slot {
        SecretSlot::Credential { target, scheme } => {
            LeftOut::Credential { target: target.name().to_owned(), scheme: scheme.name().to_owned() }
        }
        SecretSlot::Header(name) => LeftOut::Header { name: name.as_str().to_owned() },
        SecretSlot::CertificatePassphrase => LeftOut::CertificatePassphrase,
        SecretSlot::Webhook => LeftOut::WebhookSecret,
    }
}

fn command(command: &notify::NotifyCommand) -> NotifyCommand {
    NotifyCommand { program: command.program.clone(), arguments: command.arguments.clone() }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn environment(environment: &job::Environment) -> Environment {
    let job::Environment { krb5_config, krb5_ccname, proxies, umask } = environment.clone();
    Environment {
        krb5_config,
        krb5_ccname,
        http_proxy: proxies.http,
        https_proxy: proxies.https,
        all_proxy: proxies.all,
        no_proxy: proxies.none_for,
        umask,
    }
}

fn header(header: &http_options::Header) -> Header {
    Header { name: header.name().as_str().to_owned(), value: header.value().to_owned() }
}

fn certificate(certificate: &http_options::ClientCertificate) -> ClientCertificate {
    use http_options::ClientCertificate as Known;
    match certificate.clone() {
        Known::File { path, key } => ClientCertificate::File { path, key },
        Known::ById { folder, fingerprint } => {
            let fingerprint = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
            ClientCertificate::ById { folder, fingerprint }
        }
        Known::ByName { folder, subject } => ClientCertificate::ByName { folder, subject },
    }
}

fn proxy(proxy: &ProxyUse) -> Proxy {
    let plain = |usage: &str| Proxy { usage: usage.to_owned(), list: None, bypass: None };
    match proxy {
        ProxyUse::Preconfigured => plain(PRECONFIG),
        ProxyUse::Direct => plain(NO_PROXY),
        ProxyUse::Override { list, bypass } => Proxy {
            list: Some(list.clone()),
            bypass: (!bypass.is_empty()).then(|| bypass.clone()),
            ..plain(OVERRIDE)
        },
        ProxyUse::Autodetect => plain(AUTODETECT),
    }
}

/// The key as programs see it.
pub fn key(standing: &KeyStanding) -> Key {
    Key {
        id: standing.id.map(|id| id.to_string()),
        source: standing.source.name().to_owned(),
        present: standing.missing.is_none(),
        problem: standing.missing.clone(),
    }
}

/// The refusal as programs see it.
pub fn problem(refusal: &Refusal, request: String) -> Problem {
    let code = refusal.code();
    Problem { code: code.to_string(), name: name(code), message: refusal.to_string(), request }
}

/// The question as agents see it; `id` names it in the answer.
pub fn challenge_of(question: &Question, id: String) -> PendingChallenge {
    let jobs = question.asked().map(|job| job.to_string()).collect();
    let met_by = question.met_by.to_string();
    PendingChallenge { id, jobs, error: job_error(&question.error), met_by }
}

/// A code that is no failure, with its sentence.
pub fn outcome(code: Code, message: &str) -> Outcome {
    Outcome { code: code.to_string(), name: name(code), message: message.to_owned() }
}

/// The time as programs see it: RFC 3339, UTC, to the millisecond.
pub fn rfc3339(time: Timestamp) -> String {
    let millis = i64::try_from(time.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => format!("{:.3}", jiff::Timestamp::MAX),
    }
}

fn job_error(error: &error::JobError) -> JobError {
    JobError {
        code: error.code.to_string(),
        name: name(error.code),
        context: error.context.name().to_owned(),
        message: error.message.clone(),
        transient: error.transient,
        file: error.file.map(|index| index.0),
        challenge: error.challenge.as_ref().map(challenge),
    }
}

fn challenge(challenge: &error::Challenge) -> Challenge {
    Challenge {
        target: challenge.target.name().to_owned(),
        host: challenge.host.clone(),
        realm: challenge.realm.clone(),
        schemes: challenge.schemes.iter().map(|scheme| scheme.name().to_owned()).collect(),
        refused: challenge.refused,
    }
}

fn wait(wait: WaitReason) -> Wait {
    let because = |reason: &str| Wait { reason: reason.to_owned(), ..Wait::default() };
    match wait {
        WaitReason::Queued { ahead } => Wait { ahead: Some(ahead as u64), ..because("turn") },
        WaitReason::Demand => because("demand"),
        WaitReason::Retry { until } => Wait { until: Some(rfc3339(until)), ..because("retry") },
        WaitReason::Policy { until } => Wait { until: until.map(rfc3339), ..because("policy") },
        WaitReason::Connections(limit) => {
            let needs = match limit {
                ConnectionLimit::Host => "host",
                ConnectionLimit::Total => "any",
            };
            Wait { needs: Some(needs.to_owned()), ..because("connections") }
        }
        WaitReason::Credential(wait) => {
            let needs = match wait {
                CredentialWait::Key => "key",
                CredentialWait::Answer => "answer",
            };
            Wait { needs: Some(needs.to_owned()), ..because("credential") }
        }
        WaitReason::Conditions(hold) => {
            let wait = match hold {
                Hold::Network(missing) => {
                    Wait { needs: Some(missing.name().to_owned()), ..because("network") }
                }
                Hold::Cost { is, allowed, is_own } => Wait {
                    needs: Some(allowed.to_string()),
                    has: Some(is.name().to_owned()),
                    asked_by: Some(if is_own { "job" } else { "settings" }.to_owned()),
                    ..because("cost")
                },
                Hold::Power => because("power"),
                Hold::OwnerAway => because("owner_away"),
                Hold::Volume => because("volume"),
            };
            Wait { code: Some(hold.code().to_string()), ..wait }
        }
    }
}

/// What the service sees of the conditions under which jobs run.
pub fn conditions(seen: &conditions::Conditions) -> Conditions {
    use conditions::{Attendance, Network, Power};

    let (network, interface) = match &seen.network {
        Network::Up { interface, .. } => ("up", interface.clone()),
        Network::Down(missing) => (missing.name(), None),
    };
    Conditions {
        network: if network == "up" { network.to_owned() } else { format!("no_{network}") },
        interface,
        cost: seen.cost.name().to_owned(),
        power: match seen.power {
            Power::Unknown => None,
            Power::Mains => Some("mains".to_owned()),
            Power::Battery => Some("battery".to_owned()),
        },
        owner: match seen.owner {
            Attendance::Unknown => None,
            Attendance::Present => Some("present".to_owned()),
            Attendance::Away => Some("away".to_owned()),
        },
    }
}

fn name(code: Code) -> String {
    code.name().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp(1_764_064_339_120)), "2025-11-25T09:52:19.120Z");
        assert_eq!(rfc3339(Timestamp(u64::MAX)).len(), "9999-12-30T22:00:00.000Z".len());
    }
}
