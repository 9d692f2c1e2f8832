//! Signing in where it takes more than one job at one place, or a service of its own; each scheme by
//! itself is in `sign_in_matrix`.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bits_e2e::{Kdc, Peers, Run, Service, peers};

const RIGHT: &str = "secret";

/// A world that trusts the peers' authority, with a password in a file.
fn world(peers: &Peers, password: &str) -> Service {
    let service = Service::new();
    service.configure(&format!("extra_ca = \"{}\"\n", peers.ca().display()));
    set_password(&service, password);
    service
}

fn set_password(service: &Service, password: &str) {
    let path = service.file("password");
    fs::write(&path, password).expect("a file of this world");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
}

fn get(service: &Service, url: &str, user: &str, kdc: &Kdc) -> Run {
    let run = service.bits(["get", url, "file", "--json", "--user", user]);
    run.arg("--password-file").arg(service.file("password")).env("KRB5_CONFIG", kdc.config())
}

#[test]
fn a_kdc_that_is_down_is_a_transient_error_that_names_it() {
    let Some(peers) = peers() else { return };
    let service = world(peers, RIGHT);
    let config = service.file("krb5.conf");
    // Nobody listens at the discard port.
    fs::write(&config, peers.kdc.config_with("127.0.0.1:9")).expect("a file of this world");
    // Where NTLM is offered too, the password is tested once by that, and by no retry again.
    for (location, tests_of_the_password) in [("negotiate", 0), ("any", 1)] {
        let target = peers.apache.unique(&format!("/{location}/hello.txt"));
        let url = peers.apache.url(&target);
        let run = service
            .bits(["get", &url, location, "--json", "--max-time", "3", "--user", "alice@EXAMPLE.TEST"])
            .arg("--password-file")
            .arg(service.file("password"))
            .env("KRB5_CONFIG", &config);
        let finished = run.finish().expect_code(6);
        let job = finished.json();
        let message = job["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("EXAMPLE.TEST") && message.contains("127.0.0.1:9"), "{finished}");
        assert!(!message.contains("wrong password"), "{finished}");
        assert_eq!(job["error"]["transient"], true, "{finished}");
        assert!(job["error_count"].as_u64().expect("a count") >= 2, "it was tried again: {finished}");
        service.bits(["cancel", job["id"].as_str().expect("an id")]).finish().expect_code(0);
        // NTLM asks for a challenge first: only a second header on one connection shows a proof.
        let requests = peers.apache.requests(&target);
        let mut headers: BTreeMap<&str, usize> = BTreeMap::new();
        for request in requests.iter().filter(|request| request.scheme.is_some()) {
            *headers.entry(&request.connection).or_default() += 1;
        }
        let proofs = headers.values().filter(|count| **count > 1).count();
        assert_eq!(proofs, tests_of_the_password, "{requests:?}");
    }
}

#[test]
fn an_unknown_realm_is_named() {
    let Some(peers) = peers() else { return };
    let service = world(peers, RIGHT);
    let url = peers.apache.url("/negotiate/hello.txt");
    let run = get(&service, &url, "alice@NOWHERE.TEST", &peers.kdc).args(["--max-time", "3"]);
    let finished = run.finish();
    assert!(matches!(finished.code, Some(1 | 6)), "{finished}");
    let message = finished.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("NOWHERE.TEST"), "{finished}");
}

#[test]
fn a_clock_that_is_twenty_minutes_off_is_corrected_and_said() {
    let Some(peers) = peers() else { return };
    let service = world(peers, RIGHT);
    let running = service.start_as(service.bitsd().through(["faketime", "-f", "+20m"]));
    let url = peers.apache.url("/negotiate/hello.txt");
    let finished = get(&service, &url, "alice@EXAMPLE.TEST", &peers.kdc).arg("-v").finish().expect_code(0);
    assert!(finished.stderr.contains("20 min"), "{finished}");
    drop(running);
}

#[test]
fn one_connection_is_authenticated_and_kept_for_the_files_of_a_job() {
    let Some(peers) = peers() else { return };
    let service = world(peers, RIGHT);
    let targets = ["hello.txt", "1k.bin", "1m.bin"].map(|name| peers.apache.unique(&format!("/ntlm/{name}")));
    let list: String = targets
        .iter()
        .enumerate()
        .map(|(number, target)| format!("{} {number}\n", peers.apache.url(target)))
        .collect();
    fs::write(service.file("list"), list).expect("a file of this world");
    let words = ["get", "-i", "list", "--user", r"TESTDOM\alice", "--password-file", "password"];
    service.bits(words).finish().expect_code(0);
    let requests: Vec<_> = targets.iter().flat_map(|target| peers.apache.requests(target)).collect();
    let signed = requests.iter().filter(|request| request.scheme.is_some()).count();
    assert_eq!(signed, 2, "two steps of NTLM, once: {requests:?}");
}

#[test]
fn passport_is_a_known_scheme_and_refused_with_its_code_wherever_it_is_named() {
    const CODE: &str = "0x80090305";
    let service = Service::new();
    let id = service.bits(["create", "passport"]).finish().expect_code(0).stdout.trim().to_owned();
    for words in [
        &["get", "http://files.test/f", "--auth", "passport"][..],
        &["get", "http://files.test/f", "--proxy-auth", "Passport"],
        &["credentials", "set", &id, "--scheme", "PASSPORT", "--user", "anna", "--password-stdin"],
        &["credentials", "remove", &id, "--scheme", "passport"],
    ] {
        let finished = service.bits(words).stdin("secret\n").finish().expect_code(2);
        assert!(finished.stderr.contains(CODE) && finished.stderr.contains("Passport"), "{finished}");
    }
    let body = r#"{"user":"anna","password":"secret"}"#;
    for (method, body, says) in [("PUT", body, CODE), ("DELETE", "", r#""removed":false"#)] {
        let mut stream = UnixStream::connect(service.socket()).expect("the service listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        let (path, length) = (format!("/v1/jobs/{id}/credentials/server/passport"), body.len());
        let kind = "Content-Type: application/json";
        let head = format!("{method} {path} HTTP/1.1\r\nHost: bits\r\nConnection: close\r\n{kind}");
        write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(says), "{method}: {answer}");
    }
    let job = service.bits(["show", &id, "--json"]).finish().expect_code(0).json();
    assert_eq!(job["credentials"], serde_json::json!([]), "nothing is stored for it");
}
