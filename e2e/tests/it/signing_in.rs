//! Every scheme against real servers: each row names the outcome and the number of attempts, counted
//! in the servers' own logs.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use bits_e2e::{Kdc, Peers, Run, Service, peers, sha256};

/// Where the file is, and who serves it.
#[derive(Clone, Copy)]
enum Place {
    Apache(&'static str),
    /// Over TLS, with the peers' own authority.
    ApacheTls(&'static str),
    Lighttpd(&'static str),
}

/// One line of the table.
struct Row {
    what: &'static str,
    place: Place,
    /// `--auth`, if it is named.
    auth: Option<&'static str>,
    user: &'static str,
    password: &'static str,
    /// The exit code, and the error's code.
    exit: i32,
    code: Option<&'static str>,
    /// Requests with an `Authorization` header that the server has seen: one for each proof, and
    /// two for one of NTLM.
    headers: usize,
}

const RIGHT: &str = "secret";
const WRONG: &str = "wrong";
const REFUSED: Option<&str> = Some("0x80190191");

const fn right(what: &'static str, place: Place, auth: Option<&'static str>, user: &'static str) -> Row {
    Row { what, place, auth, user, password: RIGHT, exit: 0, code: None, headers: 1 }
}

const fn wrong(what: &'static str, place: Place, auth: Option<&'static str>, user: &'static str) -> Row {
    Row { what, place, auth, user, password: WRONG, exit: 1, code: REFUSED, headers: 1 }
}

const ROWS: &[Row] = &[
    right("Basic, named, on plain http", Place::Apache("basic"), Some("basic"), "alice"),
    wrong("Basic, wrong password", Place::Apache("basic"), Some("basic"), "alice"),
    right("Basic over TLS, not named", Place::ApacheTls("basic"), None, "alice"),
    Row { headers: 0, ..wrong("Basic on plain http, not named", Place::Apache("basic"), None, "alice") },
    right("Digest MD5", Place::Apache("digest"), None, "alice"),
    wrong("Digest MD5, wrong password", Place::Apache("digest"), None, "alice"),
    wrong("Digest MD5, unknown user", Place::Apache("digest"), Some("digest"), "nobody"),
    right("Digest SHA-256", Place::Lighttpd("sha256"), None, "alice"),
    wrong("Digest SHA-256, wrong password", Place::Lighttpd("sha256"), None, "alice"),
    Row { headers: 2, ..right("NTLM, named", Place::Apache("ntlm"), Some("ntlm"), r"TESTDOM\alice") },
    Row { headers: 2, ..right("NTLM within Negotiate", Place::Apache("ntlm"), None, r"TESTDOM\alice") },
    Row {
        headers: 2,
        ..wrong("NTLM, wrong password", Place::Apache("ntlm"), Some("ntlm"), r"TESTDOM\alice")
    },
    Row { headers: 2, ..wrong("NTLM, unknown user", Place::Apache("ntlm"), Some("ntlm"), r"TESTDOM\nobody") },
    right("Negotiate, user@REALM", Place::Apache("negotiate"), None, "alice@EXAMPLE.TEST"),
    right(r"Negotiate, REALM\user", Place::Apache("negotiate"), Some("negotiate"), r"EXAMPLE.TEST\alice"),
    right("Negotiate over TLS", Place::ApacheTls("negotiate"), None, "alice@EXAMPLE.TEST"),
    right("several schemes at one place", Place::Apache("any"), None, "alice@EXAMPLE.TEST"),
    // The KDC refuses: nothing reaches the server.
    Row {
        headers: 0,
        ..wrong("Negotiate, wrong password", Place::Apache("negotiate"), None, "alice@EXAMPLE.TEST")
    },
    Row { headers: 0, ..wrong("any, wrong password", Place::Apache("any"), None, "alice@EXAMPLE.TEST") },
    Row {
        headers: 0,
        ..wrong("Negotiate, unknown user", Place::Apache("negotiate"), None, "nobody@EXAMPLE.TEST")
    },
];

impl Place {
    fn server<'p>(&self, peers: &'p Peers) -> &'p bits_e2e::Server {
        match self {
            Self::Apache(_) | Self::ApacheTls(_) => &peers.apache,
            Self::Lighttpd(_) => &peers.lighttpd,
        }
    }

    fn location(&self) -> &'static str {
        match self {
            Self::Apache(location) | Self::ApacheTls(location) | Self::Lighttpd(location) => location,
        }
    }

    fn url(&self, peers: &Peers, target: &str) -> String {
        match self {
            Self::ApacheTls(_) => format!("{}{target}", peers.line("APACHE_TLS_URL")),
            Self::Apache(_) | Self::Lighttpd(_) => self.server(peers).url(target),
        }
    }
}

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

/// Requests in which somebody tried to sign in.
fn headers(peers: &Peers, place: Place, target: &str) -> usize {
    place.server(peers).requests(target).iter().filter(|request| request.scheme.is_some()).count()
}

#[test]
fn every_scheme_signs_in_once_and_a_wrong_password_is_tried_once() {
    let Some(peers) = peers() else { return };
    let mut table = Vec::new();
    for row in ROWS {
        let service = world(peers, row.password);
        let server = row.place.server(peers);
        let name = "hello.txt";
        let target = server.unique(&format!("/{}/{name}", row.place.location()));
        let mut run = get(&service, &row.place.url(peers, &target), row.user, &peers.kdc);
        if let Some(auth) = row.auth {
            run = run.args(["--auth", auth]);
        }
        let finished = run.finish();
        assert_eq!(finished.code, Some(row.exit), "{}: {finished}", row.what);
        let job = finished.json();
        let code = job["error"]["code"].as_str();
        assert_eq!(code, row.code, "{}: {finished}", row.what);
        assert_eq!(
            headers(peers, row.place, &target),
            row.headers,
            "{}: {:?}",
            row.what,
            server.requests(&target)
        );
        match row.exit {
            0 => assert_eq!(sha256(service.file("file")), sha256(server.file(name)), "{}", row.what),
            _ => {
                assert_eq!(job["state"], "error", "{}", row.what);
                assert!(!service.file("file").exists(), "{}", row.what);
            }
        }
        let message = job["error"]["message"].as_str().unwrap_or("-");
        table.push(format!("{:<34} exit {} {:<12} {message}", row.what, row.exit, code.unwrap_or("-")));
    }
    println!("{}", table.join("\n"));
}

#[test]
fn a_wrong_password_is_one_failed_logon_at_the_kdc_and_never_falls_to_another_scheme() {
    let Some(peers) = peers() else { return };
    let name = peers.kdc.add_user("right");
    let service = world(peers, WRONG);
    let user = format!("{name}@{}", peers.kdc.realm());
    let finished =
        get(&service, &peers.apache.url("/any/hello.txt"), &user, &peers.kdc).finish().expect_code(1);
    let job = finished.json();
    assert_eq!(job["error"]["code"], "0x80190191", "{finished}");
    assert_eq!(job["error"]["challenge"]["refused"], true, "{finished}");
    let refused: Vec<String> =
        peers.kdc.log_lines(&name).into_iter().filter(|line| line.contains("PREAUTH_FAILED")).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
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
