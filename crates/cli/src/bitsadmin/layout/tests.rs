//! What is printed, letter by letter.

use bits_client::api::file::File;
use bits_client::api::http_options::{ClientCertificate, Header, Proxy};
use bits_client::api::job::Job;
use bits_core::error::Code;
use bits_core::job::State;
use jiff::tz::TimeZone;

use super::*;
use crate::output::words::tests::{a_job, an_error};

fn a_file() -> File {
    serde_json::from_value(serde_json::json!({
        "index": 0, "remote_name": "https://h.test/f", "local_name": "/d/f", "bytes_total": 1_048_576,
        "bytes_transferred": 4096, "completed": false
    }))
    .expect("a file")
}

fn zone() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(1))
}

#[test]
fn a_job_is_a_line_or_a_block() {
    let mut job = a_job("suspended");
    assert_eq!(
        short(&job),
        "{8E2D0A1B-0203-4405-8607-08090A0B0C0D} 'EncodeSample' SUSPENDED 0 / 1 4096 / 1048576"
    );
    job.progress.bytes_total = None;
    job.minimum_retry_delay = Some(600);
    job.times.transfer_completed = Some("2026-11-23T06:00:02.000Z".to_owned());
    assert_eq!(
        verbose(&job, &[a_file()], &zone()).join("\n"),
        "GUID: {8E2D0A1B-0203-4405-8607-08090A0B0C0D} DISPLAY: 'EncodeSample'\n\
         TYPE: DOWNLOAD STATE: SUSPENDED OWNER: anna\n\
         PRIORITY: NORMAL FILES: 0 / 1 BYTES: 4096 / UNKNOWN\n\
         CREATION TIME: 2026-11-23 07:00:00 MODIFICATION TIME: 2026-11-23 07:00:01\n\
         COMPLETION TIME: 2026-11-23 07:00:02 ACL FLAGS: NULL\n\
         NOTIFY INTERFACE: UNREGISTERED NOTIFICATION FLAGS: 3\n\
         RETRY DELAY: 600 NO PROGRESS TIMEOUT: 1209600 ERROR COUNT: 0\n\
         PROXY USAGE: PRECONFIG PROXY LIST: NULL PROXY BYPASS LIST: NULL\n\
         DESCRIPTION:\n\
         JOB FILES:\n\
         \t4096 / 1048576 WORKING https://h.test/f -> /d/f\n\
         NOTIFICATION COMMAND LINE: none\n\
         OWNER INTEGRITY LEVEL: MEDIUM OWNER ELEVATED: FALSE\n\
         PEER CACHING FLAGS: 0\n\
         CUSTOM HEADERS: NULL"
    );
}

#[test]
fn an_error_is_told_with_its_file_its_code_and_its_context() {
    let job = Job { error: Some(an_error("0x801901F7", true)), ..a_job("transient_error") };
    let block = "ERROR CODE:    0x801901f7 - files.example.test answered 503\n\
                 ERROR CONTEXT: 0x00000005 - The error happened at the remote file.";
    let told = error(job.error.as_ref().expect("an error"), Some(&a_file())).join("\n");
    assert!(told.starts_with(&format!("ERROR FILE:    https://h.test/f -> /d/f\n{block}")), "{told}");
    assert!(verbose(&job, &[a_file()], &zone()).join("\n").contains(&told));
    assert!(progress(&job).join("\n").contains(block));
    // It is kept until the job transfers again, and is no error of now.
    let suspended = Job { state: "suspended".to_owned(), ..job };
    assert_eq!(error_in_force(&suspended), None);
}

#[test]
fn a_context_of_a_later_version_is_an_unknown_one() {
    for (name, expected) in [
        ("local_file", "ERROR CONTEXT: 0x00000004 - The error happened at the local file."),
        ("of a later version", "ERROR CONTEXT: 0x00000001 - It is not known where the error happened."),
    ] {
        let known = JobError { context: name.to_owned(), ..an_error("0x80070005", false) };
        assert_eq!(error(&known, None)[1], expected);
    }
}

#[test]
fn progress_has_a_percentage_where_the_size_is_known() {
    let mut job = a_job("transferring");
    job.progress.bytes_transferred = 524_288;
    assert_eq!(
        progress(&job),
        [
            "DISPLAY: 'EncodeSample' TYPE: DOWNLOAD STATE: TRANSFERRING",
            "PRIORITY: NORMAL FILES: 0 / 1 BYTES: 524288 / 1048576 (50%)"
        ]
    );
    job.progress.bytes_total = None;
    assert_eq!(progress(&job)[1], "PRIORITY: NORMAL FILES: 0 / 1 BYTES: 524288 / UNKNOWN");
}

#[test]
fn states_have_that_tools_words() {
    let words = State::NAMES.map(|name| state(&a_job(name)));
    let expected = [
        "QUEUED",
        "CONNECTING",
        "TRANSFERRING",
        "SUSPENDED",
        "ERROR",
        "TRANSIENT_ERROR",
        "TRANSFERRED",
        "ACKNOWLEDGED",
        "CANCELED",
    ];
    assert_eq!(words, expected);
    assert_eq!(coded(Code::EMPTY), "0x80200003");
    assert_eq!(coded(Code(0x8007_04DD)), "0x800704dd");
}

#[test]
fn what_an_owner_may_is_told_in_words() {
    for (level, elevated, expected) in [
        (0x1000, false, "LEVEL: LOW OWNER ELEVATED: FALSE"),
        (0x3000, true, "LEVEL: HIGH OWNER ELEVATED: TRUE"),
        (0x4000, true, "LEVEL: SYSTEM OWNER ELEVATED: TRUE"),
        (0x2100, false, "LEVEL: 0x2100 OWNER ELEVATED: FALSE"),
    ] {
        let mut job = a_job("queued");
        (job.owner.integrity_level, job.owner.elevated) = (level, elevated);
        let block = verbose(&job, &[], &zone());
        assert!(block.iter().any(|line| line.ends_with(expected)), "{expected}: {block:?}");
    }
}

#[test]
fn properties_are_values() {
    let header = Header { name: "X-A".to_owned(), value: "1".to_owned() };
    let proxy = Proxy {
        usage: "override".to_owned(),
        list: Some("http://p:1".to_owned()),
        bypass: Some("a b".to_owned()),
    };
    let certificate = ClientCertificate::ByName { folder: "/c".to_owned(), subject: "anna".to_owned() };
    let job = Job {
        custom_headers: Some(vec![header]),
        secret_headers: Some(vec!["Cookie".to_owned()]),
        proxy,
        client_certificate: certificate,
        security_flags: 0x1e,
        file_acl_flags: 0b1101,
        peer_caching_flags: 4,
        helper_token_flags: 3,
        maximum_download_time: Some(60),
        ..a_job("queued")
    };
    for (property, expected) in [
        (Property::Type, "DOWNLOAD"),
        (Property::BytesTotal, "1048576"),
        (Property::CompletionTime, "UNKNOWN"),
        (Property::MinRetryDelay, "0"),
        (Property::ProxyUsage, "OVERRIDE"),
        (Property::ProxyList, "http://p:1"),
        (Property::ProxyBypassList, "a b"),
        (Property::CustomHeaders, "X-A: 1; Cookie: (secret)"),
        (Property::SecurityFlags, "0x1e"),
        (Property::ClientCertificate, "STORE: /c SUBJECT: anna"),
        (Property::AclFlags, "ODS"),
        (Property::PeerCachingFlags, "4"),
        (Property::HelperTokenFlags, "3"),
        (Property::MaxDownloadTime, "60"),
        (Property::NotifyInterface, "UNREGISTERED"),
    ] {
        assert_eq!(value(property, &job, &zone()), expected, "{property:?}");
    }
}
