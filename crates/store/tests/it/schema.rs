//! A database of every version there ever was opens, with all that is in it.
//!
//! `fixtures/schema-N.sql` is what a service of version N has written. None of them ever changes.

use std::path::Path;
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
use bits_core::job::{
    Attempt, Environment, Job, JobId, Owner, Priority, Progress, Properties, Revision, State, Times,
};
use bits_core::notify::{Channel, Happened, Notice, NotifyCommand, NotifyFlags, NotifyOptions, Outbox};
use bits_core::pacing::rate::Rate;
use bits_core::ports::{Batch, FileChange, KeyId, KeySource, SealedSecret, SealingKey, Store};
use bits_core::ranges::{ByteRange, Ranges};
use bits_core::remote_name::{HostTag, RemoteName};
use bits_core::sources::{DropReason, Dropped, Mirror, MirrorOrigin, SourceIndex, Sources};
use bits_core::time::Timestamp;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;
use bits_core::windows_options::{ClassId, WindowsOptions};
use bits_store::SqliteStore;
use rusqlite::Connection;

/// A database of each version, from the first on.
const FIXTURES: [&str; 10] = [
    include_str!("../fixtures/schema-1.sql"),
    include_str!("../fixtures/schema-2.sql"),
    include_str!("../fixtures/schema-3.sql"),
    include_str!("../fixtures/schema-4.sql"),
    include_str!("../fixtures/schema-5.sql"),
    include_str!("../fixtures/schema-6.sql"),
    include_str!("../fixtures/schema-7.sql"),
    include_str!("../fixtures/schema-8.sql"),
    include_str!("../fixtures/schema-9.sql"),
    include_str!("../fixtures/schema-10.sql"),
];

#[test]
fn a_database_of_any_version_opens_with_all_that_is_in_it() {
    for (fixture, version) in FIXTURES.into_iter().zip(1..) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        Connection::open(&path).expect("a connection").execute_batch(fixture).expect("a database");
        let opened = SqliteStore::open(&path).expect("a store");
        assert_eq!(opened.set_aside, None, "version {version}");
        let mut store = opened.store;
        for mut job in [waiting_to_be_tried_again(version), suspended()] {
            let found = store.job(job.id).expect("it can be read").expect("it is there");
            if version < 7 {
                // When something last happened to it was not known before; its time began just now.
                assert!(found.active_at > job.times.modified, "version {version}");
                job.active_at = found.active_at;
            }
            assert_eq!(found, job, "version {version}");
        }
        let id = waiting_to_be_tried_again(version).id;
        assert_eq!(store.files(id, FileIndex(0), 9), Ok(vec![half_of_a_file(version), whole_file(version)]));
        // Where they go was not on record before version 8: it is told by their names.
        let known = [half_of_a_file(version), whole_file(version)].map(|file| file.destination);
        let wanted = [known[0], DestinationTag(7), known[1]];
        assert_eq!(store.destinations_taken(id, &wanted).map(sorted), Ok(sorted(known.to_vec())));
        assert_eq!(store.secrets(id), Ok(secrets(version)), "version {version}");
        let progress = Progress {
            bytes_total: Some(Bytes(6_442_450_951)),
            bytes_transferred: Bytes(4_294_967_303),
            files_total: 2,
            files_transferred: 1,
        };
        assert_eq!(store.progress(id), Ok(progress));
        assert_eq!(store.counts(Owner(1000)), Ok(vec![("suspended", 1), ("transient_error", 1)]));
        // Version 1 kept no record of the key.
        let key = SealingKey { id: KeyId([1, 2, 3, 4, 5, 6, 7, 8]), source: KeySource::KeyFile };
        assert_eq!(store.sealing_key(), Ok((version > 1).then_some(key)));
    }
}

fn sorted(mut tags: Vec<DestinationTag>) -> Vec<DestinationTag> {
    tags.sort();
    tags
}

#[test]
fn files_added_to_a_job_of_before_go_to_places_of_their_own_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs.db");
    Connection::open(&path).expect("a connection").execute_batch(FIXTURES[6]).expect("a database");
    let mut store = SqliteStore::open(&path).expect("a store").store;
    let job = waiting_to_be_tried_again(7);
    for (place, tag) in [(2, 1 << 63), (3, 5)] {
        let added = File { destination: DestinationTag(tag), index: FileIndex(place), ..whole_file(7) };
        let files = vec![(job.id, FileChange::Add(added))];
        assert_eq!(store.commit(&Batch { files, ..Batch::default() }), Ok(()));
    }
    let taken = vec![
        half_of_a_file(7).destination,
        whole_file(7).destination,
        DestinationTag(1 << 63),
        DestinationTag(5),
    ];
    let mut wanted = taken.clone();
    wanted.push(DestinationTag(6));
    let mut found = sorted(store.destinations_taken(job.id, &wanted).expect("an answer"));
    found.dedup();
    assert_eq!(found, sorted(taken));
}

#[test]
fn a_database_of_any_version_comes_to_the_same_schema_as_a_new_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let new = folder.path().join("new.db");
    drop(SqliteStore::open(&new).expect("a store"));
    for (fixture, version) in FIXTURES.into_iter().zip(1..) {
        let old = folder.path().join(format!("{version}.db"));
        Connection::open(&old).expect("a connection").execute_batch(fixture).expect("a database");
        drop(SqliteStore::open(&old).expect("a store"));
        assert_eq!(schema(&old), schema(&new), "version {version}");
    }
}

#[test]
fn every_version_there_ever_was_has_its_fixture() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs.db");
    drop(SqliteStore::open(&path).expect("a store"));
    let version = |path: &Path| -> u32 {
        let connection = Connection::open(path).expect("a connection");
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version")
    };
    assert_eq!(version(&path) as usize, FIXTURES.len(), "the newest schema is kept as a fixture, too");
    for (fixture, number) in FIXTURES.into_iter().zip(1..) {
        let path = folder.path().join(number.to_string());
        Connection::open(&path).expect("a connection").execute_batch(fixture).expect("a database");
        assert_eq!(version(&path), number);
    }
}

#[test]
fn a_database_of_the_next_version_is_refused_byte_for_byte_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs.db");
    let next = FIXTURES.len() + 1;
    let newer = Connection::open(&path).expect("a connection");
    newer.execute_batch(FIXTURES[FIXTURES.len() - 1]).expect("a database");
    // As a later migration may leave it: what is known here is not there any more.
    let change = "ALTER TABLE jobs RENAME TO tasks; CREATE TABLE more (x) STRICT, WITHOUT ROWID;";
    let change = change.replace("(x) STRICT", "(x TEXT PRIMARY KEY) STRICT");
    newer.execute_batch(&change).expect("a change");
    newer.pragma_update(None, "user_version", next as u32).expect("a version");
    drop(newer);
    let before = std::fs::read(&path).expect("a file");
    let error = SqliteStore::open(&path).expect_err("it is newer").to_string();
    assert!(
        error.contains(&format!("its schema is {next}")) && error.contains("start that version"),
        "{error}"
    );
    assert!(std::fs::read(&path).expect("a file") == before, "something was changed");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing was made beside it");
}

/// What makes up the schema, without the spaces and remarks a person reads.
fn schema(path: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(path).expect("a connection");
    let mut statement = connection
        .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")
        .expect("a statement");
    let things =
        statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).expect("a schema");
    let plain = |sql: String| {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    };
    things.map(|thing| thing.map(|(name, sql)| (name, plain(sql))).expect("a row")).collect()
}

fn waiting_to_be_tried_again(version: u32) -> Job {
    Job {
        id: JobId::parse("01998a5c-7d00-7123-8abc-0123456789ab").expect("an id"),
        revision: Revision(12),
        owner: Owner(1000),
        state: State::TransientError { retry_at: Timestamp(1_760_000_100_000) },
        properties: Properties {
            display_name: "grüße 'quoted'".into(),
            description: "with everything".into(),
            priority: Priority::High,
            minimum_retry_delay: Some(Duration::from_secs(600)),
            no_progress_timeout: Duration::from_secs(1_209_600),
            maximum_download_time: (version >= 7).then_some(Duration::from_secs(7)),
            complete_when_done: true,
            windows: if version < 7 { WindowsOptions::default() } else { windows_options() },
            http: if version < 3 { HttpOptions::default() } else { options() },
            transfer: if version < 4 { TransferOptions::default() } else { transfer_options(version) },
            notify: if version < 7 { NotifyOptions::default() } else { notify_options() },
            environment: if version < 3 { first_environment() } else { environment() },
        },
        host: if version < 6 { HostTag::NONE } else { HostTag::MAX },
        files_total: 2,
        files_transferred: 1,
        files_passed_over: u32::from(version >= 4),
        error: Some(JobError {
            code: Code::HTTP_UNAUTHORIZED,
            context: ErrorContext::RemoteFile,
            transient: true,
            message: "h.test asks for credentials".into(),
            file: Some(FileIndex(1)),
            challenge: Some(Challenge {
                target: AuthTarget::Server,
                host: "h.test".into(),
                realm: Some("REALM".into()),
                schemes: vec![AuthScheme::Negotiate, AuthScheme::Basic],
                refused: true,
            }),
            retry_after_seconds: Some(90),
        }),
        error_count: 3,
        failures_in_a_row: 2,
        same_failures: if version < 4 { 0 } else { 2 },
        beginnings: if version < 4 { 0 } else { 3 },
        demands: if version < 6 { 0 } else { 3 },
        demands_met: if version < 6 { 0 } else { 2 },
        stalled_since: Some(Timestamp(1_760_000_050_000)),
        ran_for: Duration::from_secs(if version < 7 { 0 } else { 5 }),
        running_since: None,
        active_at: Timestamp(1_760_000_061_000),
        attempt: Attempt(4),
        times: Times {
            created: Timestamp(1_760_000_000_000),
            modified: Timestamp(1_760_000_060_000),
            transfer_completed: Some(Timestamp(1_760_000_040_000)),
        },
        resumed: true,
        discard_pending: false,
        outbox: if version < 7 { Outbox::default() } else { outbox() },
    }
}

fn windows_options() -> WindowsOptions {
    WindowsOptions {
        file_acl_flags: 15,
        peer_caching_flags: 3,
        helper_token_flags: 1,
        notification_class: ClassId([0x11; 16]),
    }
}

fn notify_options() -> NotifyOptions {
    NotifyOptions {
        flags: NotifyFlags::from_mask(11).expect("a mask"),
        command: Some(NotifyCommand {
            program: "/usr/bin/tell me".into(),
            arguments: vec!["a b".into(), "$(x)".into()],
        }),
        webhook: Some(RemoteName::stored("https://h.test/hook").expect("a URL")),
        minimum_interval: Duration::from_millis(250),
    }
}

fn outbox() -> Outbox {
    let notice = Notice {
        number: 3,
        channel: Channel::Webhook,
        happened: Happened::Error,
        at: Timestamp(1_760_000_060_000),
        code: Some(Code::HTTP_UNAUTHORIZED),
        tries: 2,
        due: Timestamp(1_760_000_090_000),
        offered: false,
        past_callback: false,
    };
    Outbox { pending: vec![notice], made: 4, failure: Some("exit code 1".into()) }
}

/// All that was sent along with a job before version 3.
fn first_environment() -> Environment {
    Environment { krb5_config: Some("/etc/krb5.conf".into()), umask: Some(0o027), ..Environment::default() }
}

fn environment() -> Environment {
    Environment {
        krb5_ccname: Some("FILE:/tmp/krb5cc_1000".into()),
        proxies: ProxyEnvironment {
            http: Some("http://p.test:1".into()),
            https: Some("http://p.test:2".into()),
            all: Some("http://p.test:3".into()),
            none_for: Some("localhost".into()),
        },
        ..first_environment()
    }
}

fn options() -> HttpOptions {
    let header = |name: &str, value: &str| {
        Header::new(HeaderName::parse(name).expect("a name"), value).expect("a value")
    };
    HttpOptions {
        method: Method::parse("REPORT").expect("a method"),
        headers: vec![header("X-A", "grüße: 1"), header("X-B", "")],
        headers_write_only: true,
        security: SecurityFlags::from_mask(0x0811).expect("flags"),
        client_certificate: Some(ClientCertificate::ById {
            folder: "/home/alice/certs".into(),
            fingerprint: vec![0xfe; 20],
        }),
        proxy: ProxyUse::Override { list: "http://p.test:3128".into(), bypass: "<local>".into() },
        stored_proxy_credentials: true,
        no_ntlm: true,
        service_name: Some("HTTP/other.test".into()),
    }
}

fn suspended() -> Job {
    let id = JobId::parse("01998a5c-7d00-7123-8abc-0123456789ac").expect("an id");
    let properties = Properties::named("bare".into()).expect("a name");
    Job { revision: Revision(1), ..Job::new(id, Owner(1000), properties, Timestamp(1_760_000_000_001)) }
}

fn transfer_options(version: u32) -> TransferOptions {
    TransferOptions {
        keep_going: true,
        on_demand: version >= 6,
        dynamic_content: true,
        high_performance: true,
        max_download_size: Some(Bytes(7)),
        cost_flags: if version < 7 { None } else { CostFlags::new(0x8000_0067).ok() },
        rate_limit: (version >= 7).then(|| Rate::new(1 << 20)).flatten(),
    }
}

fn half_of_a_file(version: u32) -> File {
    let file = half_of_an_old_file();
    if version < 4 {
        return file;
    }
    let checksum = |text: &str| Some(Checksum::parse(text).expect("a checksum"));
    let ranges = ["5:10", "900:eof"].map(|range| ByteRange::parse(range).expect("a range"));
    File {
        ranges: Ranges::new(ranges.to_vec()).expect("ranges"),
        checksum: checksum(&["sha256:", &"c".repeat(64)].concat()),
        resume_by: ResumeBy::SizeAndTime,
        moved: true,
        served: Served {
            checksum: checksum("md5:cccccccccccccccccccccccccccccccc"),
            headers: "A: b\n".into(),
            source: SourceIndex(u8::from(version >= 6)),
            in_parts: version >= 7,
        },
        sources: if version < 6 { Sources::default() } else { sources(version) },
        demand: if version < 6 { Demand::default() } else { demand() },
        partial: Some(PartialId { device: u64::MAX, inode: 7 }),
        error: Some(FileError { code: Code::http(404), message: "it is not there".into() }),
        // A number of which all bits are used.
        destination: if version < 8 { file.destination } else { DestinationTag(9_u64.wrapping_neg()) },
        ..file
    }
}

fn demand() -> Demand {
    let requested = ["5:10", "900:eof"].map(|range| ByteRange::parse(range).expect("a range"));
    let filled = Filled::of([Span { from: Bytes(0), end: Bytes(4_294_967_296) }]);
    Demand { requested: requested.to_vec(), position: Some(Bytes(7)), filled }
}

fn sources(version: u32) -> Sources {
    let mirror = |url, origin, dropped| Mirror {
        remote_name: RemoteName::stored(url).expect("a remote name"),
        origin,
        dropped,
    };
    let dropped = |reason, why: &str| Some(Dropped { reason, why: why.into() });
    Sources {
        size: Some(Bytes(8)),
        mirrors: vec![
            mirror("https://m.test/half", MirrorOrigin::Given, None),
            mirror("https://l.test/half?a=b", MirrorOrigin::Link, dropped(DropReason::Lied, "it lied")),
        ],
        dropped: dropped(DropReason::Refused, "h.test answered 404"),
        in_use: SourceIndex(1),
        beside: if version < 7 { Vec::new() } else { vec![SourceIndex(0), SourceIndex(2)] },
    }
}

fn half_of_an_old_file() -> File {
    File {
        size: Some(Bytes(6_442_450_944)),
        validator: Some(Validator { etag: Some("\"v1\"".into()), last_modified: None }),
        durable: Bytes(4_294_967_296),
        boot: Some(BootId([0xB0; 16])),
        ..a_file(0, "half")
    }
}

fn whole_file(version: u32) -> File {
    let file = a_file(1, "whole");
    File {
        no_clobber: true,
        size: Some(Bytes(7)),
        validator: Some(Validator {
            etag: None,
            last_modified: Some("Thu, 09 Oct 2025 08:53:20 GMT".into()),
        }),
        durable: Bytes(7),
        stage: Stage::Transferred,
        valid: version >= 8,
        destination: if version < 8 { file.destination } else { DestinationTag(11) },
        ..file
    }
}

fn a_file(index: u32, name: &str) -> File {
    let remote_name = RemoteName::stored(&format!("https://h.test/{name}?a=b")).expect("a remote name");
    let local_name = LocalName::parse(&format!("/home/alice/{name}")).expect("a local name");
    File::new(FileIndex(index), remote_name, local_name)
}

fn secrets(version: u32) -> Vec<SealedSecret> {
    let credential = SecretSlot::Credential { target: AuthTarget::Proxy, scheme: AuthScheme::Digest };
    let header = SecretSlot::Header(HeaderName::parse("Authorization").expect("a name"));
    let secret = |slot, record: &[u8]| SealedSecret { slot, record: record.to_vec() };
    let mut secrets = vec![secret(credential, &[0, 1, 254, 255])];
    if version >= 3 {
        secrets.extend([secret(header, &[2, 255]), secret(SecretSlot::CertificatePassphrase, &[3])]);
    }
    secrets
}
