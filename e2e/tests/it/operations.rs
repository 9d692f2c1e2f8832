//! What whoever runs a service does with it: moves its queue, reads its numbers and its log, looks
//! for what is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bits_e2e::{Service, peers, until};
use bits_testkit::UnkindOrigin;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A job of one file, from `url`; its id.
fn create(service: &Service, name: &str, url: &str, file: &str) -> String {
    let id = service.bits(["create", name]).finish().expect_code(0).stdout.trim().to_owned();
    service.bits(["add", &id, url, file]).finish().expect_code(0);
    id
}

fn state(service: &Service, id: &str) -> String {
    let shown = service.bits(["show", id, "--json"]).finish().expect_code(0).json();
    shown["state"].as_str().expect("a state").to_owned()
}

#[test]
fn a_queue_moves_to_another_service_and_its_files_come_there() {
    let origin = UnkindOrigin::start();
    let (here, there) = (Service::new(), Service::new());
    // Their folder, which the other service can write to.
    let file = |name: &str| here.file(name).display().to_string();
    let running = create(&here, "running", &origin.url("/kind/moved"), &file("moved"));
    let locked = create(&here, "locked", &origin.url("/kind/locked"), &file("locked"));
    let password = here.file("password");
    fs::write(&password, "hunter2\n").expect("written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("private");
    let password = password.display().to_string();
    let set = ["credentials", "set", &locked, "--user", "anna", "--password-file", &password];
    here.bits(set).finish().expect_code(0);

    let document = here.file("queue.json").display().to_string();
    here.bits(["service", "export", &document]).finish().expect_code(0);
    let text = fs::read_to_string(&document).expect("a document");
    assert!(!text.contains("hunter2") && !text.contains("anna"), "{text}");
    // As they would be if the first service had been at work.
    let text = text.replace("\"state\":\"suspended\"", "\"state\":\"transferring\"");
    fs::write(&document, &text).expect("written");

    let dry = there.bits(["service", "import", "--dry-run", &document]).finish().expect_code(0);
    assert!(dry.stderr.contains("2 jobs would be imported"), "{}", dry.stderr);
    let rows =
        there.bits(["service", "import", "--resume", "--json", &document]).finish().expect_code(0).json();
    let outcomes: Vec<_> =
        rows.as_array().expect("rows").iter().map(|row| (&row["outcome"], &row["resumed"])).collect();
    assert_eq!(outcomes, [(&"imported".into(), &true.into()), (&"imported".into(), &false.into())]);
    assert!(rows[1]["needs"][0].as_str().expect("a need").contains("bits credentials set"), "{rows}");
    until(PATIENCE, "the file has come", || (state(&there, &running) == "transferred").then_some(()));
    there.bits(["complete", &running]).finish().expect_code(0);
    let content = origin.first("/kind/moved");
    assert!(content.is(&fs::read(here.file("moved")).expect("a file")));
    assert_eq!(state(&there, &locked), "suspended");

    let again = there.bits(["service", "import", &document]).finish().expect_code(0);
    assert!(again.stderr.contains("0 jobs imported, 2 there already"), "{}", again.stderr);
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    let refused = there.bits(["service", "import", "-"]).stdin(&newer).finish().expect_code(2);
    assert!(refused.stderr.contains("written by a newer OpenBITS"), "{}", refused.stderr);
    let one_wrong = text.replacen("http://", "gopher://", 1);
    let refused =
        there.bits(["service", "import", "--new-ids", "-"]).stdin(&one_wrong).finish().expect_code(4);
    assert!(
        refused.stderr.contains("line 2, running") && refused.stderr.contains("1 job imported, 1 refused")
    );
}

#[test]
fn the_log_has_a_line_for_each_change_of_state_and_no_secret() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    service.configure("log_format = \"json\"\n");
    service.bits(["get", &origin.url("/kind/logged?token=hunter2"), "file"]).finish().expect_code(0);
    let lines: Vec<Value> =
        service.log().lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let changes: Vec<_> = lines
        .iter()
        .filter(|line| line["from"].is_string())
        .map(|line| (text(&line["from"]), text(&line["to"]), text(&line["cause"]), line["attempt"].as_u64()))
        .collect();
    let expected = [
        ("none", "suspended", "created", 0),
        ("suspended", "queued", "resume", 0),
        ("queued", "connecting", "turn", 1),
        ("connecting", "transferring", "content", 1),
        ("transferring", "transferred", "all_files_came", 1),
        ("transferred", "acknowledged", "files_in_place", 1),
    ];
    let expected = expected
        .map(|(from, to, cause, attempt)| (from.to_owned(), to.to_owned(), cause.to_owned(), Some(attempt)));
    assert_eq!(changes, expected);
    assert!(!service.log().contains("hunter2"), "an address may be a secret");
}

#[test]
fn a_service_whose_standard_error_is_the_journal_writes_there_with_priorities() {
    let service = Service::new();
    let journal = service.file("journal");
    let script = "exec 2>\"$JOURNAL\"; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"";
    let bitsd = service.bitsd().through(["sh", "-c", script, "sh"]).env("JOURNAL", &journal);
    let running = service.start_as(bitsd);
    service.bits(["service", "stop"]).finish().expect_code(0);
    running.finish().expect_code(0);
    let text = fs::read_to_string(&journal).expect("a journal");
    assert!(text.lines().count() >= 2 && text.lines().all(|line| line.starts_with("<6>")), "{text}");
    assert!(service.log().contains("the service is ready"), "the file is written as well");

    // The variable of somebody else's standard error changes nothing.
    let bitsd = service.bitsd().env("JOURNAL_STREAM", "1:1");
    let running = service.start_as(bitsd);
    service.bits(["service", "stop"]).finish().expect_code(0);
    let said = running.finish().expect_code(0).stderr;
    assert!(!said.contains("<6>"), "{said}");
}

#[test]
fn the_numbers_of_a_service_are_those_of_what_it_did() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let absent = service.bits(["service", "metrics"]).finish().expect_code(3);
    assert!(absent.stdout.is_empty(), "no service is started for its numbers");
    let _running = service.start();
    service.bits(["get", &origin.url("/kind/counted"), "file"]).finish().expect_code(0);
    let bytes = fs::metadata(service.file("file")).expect("a file").len();
    let text = service.bits(["service", "metrics"]).finish().expect_code(0).stdout;
    assert!(text.ends_with("# EOF\n"));
    for line in [
        format!("openbits_received_bytes_total {bytes}"),
        "openbits_files_transferred_total 1".to_owned(),
        "openbits_attempts_total 1".to_owned(),
        "openbits_connections 1".to_owned(),
        "openbits_requests_total{operation=\"create_job\",status=\"201\"} 1".to_owned(),
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    let size = text.lines().find_map(|line| line.strip_prefix("openbits_store_bytes ")).expect("a size");
    assert!(size.parse::<u64>().expect("a number") > 10_000, "{size}");
}

/// What the doctor finds, without Kerberos: `check verdict` each.
fn found(service: &Service, krb5_conf: &Path, code: i32) -> Vec<String> {
    let run = service.bits(["service", "doctor", "--deep", "--json"]).env("KRB5_CONFIG", krb5_conf);
    let findings = run.finish().expect_code(code).json();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let findings = findings.as_array().expect("findings");
    findings
        .iter()
        .map(|finding| format!("{} {}", text(&finding["check"]), text(&finding["verdict"])))
        .collect()
}

#[test]
fn the_doctor_tells_what_is_wrong_whether_or_not_the_service_runs() {
    let service = Service::new();
    let nowhere = service.file("no-krb5.conf");
    let well = |findings: &[String]| findings.iter().all(|finding| finding.ends_with(" ok"));
    let findings = found(&service, &nowhere, 0);
    assert!(well(&findings) && findings.contains(&"program ok".to_owned()), "{findings:?}");
    assert!(!service.state_folder().exists(), "nothing is made");

    let running = service.start();
    let findings = found(&service, &nowhere, 0);
    assert!(well(&findings), "{findings:?}");
    for check in ["service", "lock", "socket", "key", "queue", "clock", "unit", "proxy"] {
        assert!(findings.contains(&format!("{check} ok")), "{check}: {findings:?}");
    }
    service.bits(["service", "stop"]).finish().expect_code(0);
    running.finish().expect_code(0);

    fs::remove_file(service.state_folder().join("seal.key")).expect("removed");
    service.configure("log_lewel = \"info\"\n");
    let findings = found(&service, &nowhere, 1);
    assert!(findings.contains(&"key bad".to_owned()), "{findings:?}");
    assert!(findings.contains(&"settings bad".to_owned()), "{findings:?}");
    let words = service.bits(["service", "doctor"]).env("KRB5_CONFIG", &nowhere).finish().expect_code(1);
    assert!(words.stdout.contains("did you mean `log_level`?"), "{}", words.stdout);
    assert!(words.stdout.contains("to do: put it back"), "{}", words.stdout);
}

#[test]
fn the_doctor_asks_a_real_kdc_and_compares_the_clocks() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let doctor = |run: bits_e2e::Run| {
        let findings = run.env("KRB5_CONFIG", peers.kdc.config()).finish().expect_code(0).json();
        findings.as_array().expect("findings").clone()
    };
    let of = |findings: &[Value], check: &str, part: &str| {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let found = findings
            .iter()
            .find(|finding| finding["check"] == check && text(&finding["finding"]).contains(part));
        text(&found.unwrap_or_else(|| panic!("no {check} {part}: {findings:#?}"))["verdict"])
    };
    let findings = doctor(service.bits(["service", "doctor", "--json"]));
    assert_eq!(of(&findings, "kerberos", "answers over"), "ok");
    assert_eq!(of(&findings, "clock", "agrees with that of the KDC"), "ok");
    let late = service.bits(["service", "doctor", "--json"]).through(["faketime", "-f", "+20m"]);
    assert_eq!(of(&doctor(late), "clock", "differs from ours by"), "warning");
}
