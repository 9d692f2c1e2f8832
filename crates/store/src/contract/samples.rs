//! Jobs and files for the contract: plain ones, and ones in which everything is set.

use std::time::Duration;

use bits_core::checksum::Checksum;
use bits_core::conditions::CostFlags;
use bits_core::credentials::{AuthScheme, AuthTarget, SecretSlot};
use bits_core::demand::{Demand, Filled, Span};
use bits_core::error::{Challenge, Code, ErrorContext, JobError};
use bits_core::file::{
    BootId, DestinationTag, File, FileError, FileIndex, LocalName, PartialId, ResumeBy, Served, Stage,
    Validator,
};
use bits_core::http_options::{
    ClientCertificate, Header, HeaderName, HttpOptions, Method, ProxyEnvironment, ProxyUse, SecurityFlags,
};
use bits_core::job::{Attempt, Environment, Job, JobId, Owner, Priority, Properties, Revision, State, Times};
use bits_core::notify::{Channel, Happened, Notice, NotifyCommand, NotifyFlags, NotifyOptions, Outbox};
use bits_core::pacing::rate::Rate;
use bits_core::ports::SealedSecret;
use bits_core::ranges::{ByteRange, Ranges};
use bits_core::remote_name::{HostTag, RemoteName};
use bits_core::sources::{DropReason, Dropped, Mirror, MirrorOrigin, SourceIndex, Sources};
use bits_core::time::Timestamp;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;
use bits_core::windows_options::{ClassId, WindowsOptions};

pub(super) const ALICE: Owner = Owner(1000);
pub(super) const BOB: Owner = Owner(u32::MAX);

pub(super) const ALL_STATES: [State; 9] = [
    State::Queued,
    State::Connecting,
    State::Transferring,
    State::Suspended,
    State::Error,
    State::TransientError { retry_at: Timestamp(1_800_000_000_001) },
    State::Transferred,
    State::Acknowledged,
    State::Cancelled,
];

/// An id that ends in `number`.
pub(super) fn id(number: u8) -> JobId {
    JobId::parse(&format!("8e2d0a1b-0203-4405-8607-08090a0b0c{number:02x}")).expect("an id")
}

/// A job as it was made, by Alice, at the time `number`.
pub(super) fn job(number: u8) -> Job {
    let properties = Properties::named(format!("job {number}")).expect("a name");
    let mut job = Job::new(id(number), ALICE, properties, Timestamp(number.into()));
    job.revision = Revision(1);
    job
}

/// A job in which nothing is as it was made.
pub(super) fn full_job(number: u8) -> Job {
    Job {
        id: id(number),
        revision: Revision(1 << 40),
        owner: BOB,
        state: State::TransientError { retry_at: Timestamp(1_800_000_000_001) },
        properties: Properties {
            display_name: "grüße 🦀 'quoted' \0 end".into(),
            description: "two\nlines".into(),
            priority: Priority::Foreground,
            minimum_retry_delay: Some(Duration::from_millis(5_001)),
            no_progress_timeout: Duration::from_millis(3),
            maximum_download_time: Some(Duration::from_millis(9)),
            complete_when_done: true,
            windows: WindowsOptions {
                file_acl_flags: 15,
                peer_caching_flags: 7,
                helper_token_flags: 3,
                notification_class: ClassId([7; 16]),
            },
            http: full_options(),
            transfer: TransferOptions {
                keep_going: true,
                dynamic_content: true,
                high_performance: true,
                on_demand: true,
                max_download_size: Some(Bytes(7)),
                cost_flags: CostFlags::new(0x8000_0067).ok(),
                rate_limit: Rate::new(Rate::MOST),
            },
            notify: full_notify(),
            environment: Environment {
                krb5_config: Some("/etc/krb5 b.conf".into()),
                krb5_ccname: Some("FILE:/tmp/krb5cc_7".into()),
                proxies: ProxyEnvironment {
                    http: Some("http://p.test:1".into()),
                    https: Some("http://p.test:2".into()),
                    all: Some("http://p.test:3".into()),
                    none_for: Some("localhost,.test".into()),
                },
                umask: Some(0o077),
            },
        },
        host: HostTag::MAX,
        files_total: u32::MAX,
        files_transferred: u32::MAX - 1,
        files_passed_over: u32::MAX - 2,
        error: Some(full_error()),
        error_count: 7,
        failures_in_a_row: 6,
        same_failures: 5,
        beginnings: 4,
        demands: 9,
        demands_met: 8,
        stalled_since: Some(Timestamp(1_700_000_000_000)),
        ran_for: Duration::from_millis(77),
        running_since: Some(Timestamp(1_700_000_000_005)),
        active_at: Timestamp(1_700_000_000_006),
        attempt: Attempt(u32::MAX),
        times: Times {
            created: Timestamp(1_700_000_000_002),
            modified: Timestamp(1_700_000_000_003),
            transfer_completed: Some(Timestamp(1_700_000_000_004)),
        },
        resumed: true,
        discard_pending: true,
        outbox: full_outbox(),
    }
}

fn full_notify() -> NotifyOptions {
    NotifyOptions {
        flags: NotifyFlags::from_mask(0x3f).expect("flags"),
        command: Some(NotifyCommand {
            program: "/opt/my app/run".into(),
            arguments: vec!["".into(), "$(a) 'b'\n".into(), "".into()],
        }),
        webhook: Some(RemoteName::parse("https://h.test/hook?a=b%20c").expect("a URL").0),
        minimum_interval: Duration::from_millis(7),
    }
}

pub(super) fn full_outbox() -> Outbox {
    let notice = Notice {
        number: u32::MAX,
        channel: Channel::Command,
        happened: Happened::Error,
        at: Timestamp(1_700_000_000_005),
        code: Some(Code(u32::MAX)),
        tries: 3,
        due: Timestamp(1_700_000_000_006),
        offered: true,
        past_callback: false,
    };
    let other = Notice {
        number: 1,
        channel: Channel::Webhook,
        happened: Happened::Transferred,
        code: None,
        offered: false,
        past_callback: true,
        ..notice.clone()
    };
    Outbox { pending: vec![other, notice], made: 9, failure: Some("exit code 3\nand more".into()) }
}

/// Options none of which is as it was made.
fn full_options() -> HttpOptions {
    let header = |name: &str, value: &str| {
        Header::new(HeaderName::parse(name).expect("a name"), value).expect("a value")
    };
    HttpOptions {
        method: Method::parse("REPORT").expect("a method"),
        headers: vec![header("X-A", "grüße: \t1"), header("x-empty", ""), header("X-A", "2")],
        headers_write_only: true,
        security: SecurityFlags::from_mask(0x091f).expect("flags"),
        client_certificate: Some(ClientCertificate::File {
            path: "/home/bob/me.pem".into(),
            key: Some("/home/bob/my key.pem".into()),
        }),
        proxy: ProxyUse::Override {
            list: "http://p.test:3128 q.test".into(),
            bypass: "<local> *.test".into(),
        },
        stored_proxy_credentials: true,
        no_ntlm: true,
        service_name: Some("HTTP/other.test@REALM".into()),
    }
}

/// Each form of what has several.
pub(super) fn other_options() -> [HttpOptions; 6] {
    let certificate =
        |certificate| HttpOptions { client_certificate: Some(certificate), ..HttpOptions::default() };
    let proxy = |proxy| HttpOptions { proxy, ..HttpOptions::default() };
    let (folder, path) = ("/home/bob/certs".to_owned(), "/home/bob/me.p12".into());
    [
        certificate(ClientCertificate::File { path, key: None }),
        certificate(ClientCertificate::ById { folder: folder.clone(), fingerprint: vec![0xfe; 20] }),
        certificate(ClientCertificate::ByName { folder, subject: "Bob, grüße".into() }),
        proxy(ProxyUse::Direct),
        proxy(ProxyUse::Autodetect),
        proxy(ProxyUse::Override { list: "p".into(), bypass: String::new() }),
    ]
}

pub(super) fn full_error() -> JobError {
    JobError {
        code: Code(u32::MAX),
        context: ErrorContext::RemoteFile,
        transient: true,
        message: "h.test asks for a password".into(),
        file: Some(FileIndex(u32::MAX)),
        challenge: Some(Challenge {
            target: AuthTarget::Proxy,
            host: "h.test:8080".into(),
            realm: Some("the \"realm\"".into()),
            schemes: vec![AuthScheme::Negotiate, AuthScheme::Basic],
            refused: true,
        }),
        retry_after_seconds: Some(u32::MAX),
    }
}

/// A file nothing is known of yet.
pub(super) fn file(index: u32) -> File {
    let remote_name = RemoteName::stored(&format!("http://h.test/f{index}?a=b%20c")).expect("a remote name");
    let local_name = LocalName::parse(&format!("/tmp/f {index}")).expect("a local name");
    File::new(FileIndex(index), remote_name, local_name)
}

/// A file in which nothing is as it was made.
pub(super) fn full_file(index: u32) -> File {
    File {
        destination: DestinationTag(u64::MAX),
        no_clobber: true,
        size: Some(Bytes(i64::MAX.unsigned_abs())),
        validator: Some(Validator {
            etag: Some("W/\"x\"".into()),
            last_modified: Some("Tue, 01 Jan 2030 00:00:00 GMT".into()),
        }),
        ranges: ranges("5:10,900:eof,0:5"),
        checksum: Some(checksum("sha512:", 128)),
        resume_by: ResumeBy::Checksum,
        moved: true,
        served: Served {
            checksum: Some(checksum("md5:", 32)),
            headers: "A: b\nC: grüße\n".into(),
            source: SourceIndex(2),
            in_parts: true,
        },
        sources: sources(),
        durable: Bytes(i64::MAX.unsigned_abs() - 1),
        demand: Demand {
            requested: ["7:3", "0:eof", "7:3"].map(|text| ByteRange::parse(text).expect("a range")).to_vec(),
            position: Some(Bytes(i64::MAX.unsigned_abs())),
            filled: filled(&[(0, 5), (7, i64::MAX.unsigned_abs())]),
        },
        boot: Some(BootId([255; 16])),
        partial: Some(PartialId { device: u64::MAX, inode: 1 << 63 }),
        stage: Stage::Completed,
        valid: true,
        error: Some(FileError { code: Code(u32::MAX), message: "it failed".into() }),
        ..file(index)
    }
}

pub(super) fn filled(spans: &[(u64, u64)]) -> Filled {
    Filled::of(spans.iter().map(|(from, end)| Span { from: Bytes(*from), end: Bytes(*end) }))
}

/// Sources of which all is known.
pub(super) fn sources() -> Sources {
    let dropped = |reason| Some(Dropped { reason, why: "h.test is of no use".into() });
    let mirror = |url: &str, origin, dropped| Mirror {
        remote_name: RemoteName::stored(url).expect("a remote name"),
        origin,
        dropped,
    };
    let reasons = DropReason::ALL.into_iter().zip(0..);
    let mut mirrors: Vec<_> = reasons
        .map(|(reason, at)| mirror(&format!("http://m{at}.test/f"), MirrorOrigin::Given, dropped(reason)))
        .collect();
    mirrors.push(mirror("https://l.test/f?a=b", MirrorOrigin::Link, None));
    Sources {
        size: Some(Bytes(i64::MAX.unsigned_abs())),
        mirrors,
        dropped: dropped(DropReason::Lied),
        in_use: SourceIndex(6),
        beside: vec![SourceIndex(0), SourceIndex(4)],
    }
}

pub(super) fn ranges(text: &str) -> Ranges {
    let ranges = text.split(',').map(|range| ByteRange::parse(range).expect("a range")).collect();
    Ranges::new(ranges).expect("ranges")
}

pub(super) fn checksum(name: &str, digits: usize) -> Checksum {
    Checksum::parse(&[name, &"c".repeat(digits)].concat()).expect("a checksum")
}

pub(super) fn sealed(target: AuthTarget, scheme: AuthScheme, record: &[u8]) -> SealedSecret {
    SealedSecret { slot: SecretSlot::Credential { target, scheme }, record: record.to_vec() }
}
