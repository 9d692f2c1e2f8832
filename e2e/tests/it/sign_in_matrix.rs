//! Who may have a file, by every scheme, at servers and proxies this project did not write: what
//! becomes of the job, with which code, and how often somebody's secret was put to the test, counted
//! in the peers' own logs.
//!
//! One row is one job. All run at once in one service; the table of what came of them, with what each
//! peer said, is printed. What takes several jobs, or a service of its own, is in `signing_in`.

mod outcome;
mod peer;
mod rows;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use bits_e2e::{Peers, Run, Service, peers};
use serde_json::Value;

use outcome::{Outcome, table};
use peer::{Asked, Authority};
use rows::{Certificate, Login, Row};

/// Room for all rows at once, and patience for servers that are all asked at once.
const SETTINGS: &str = "\
foreground_jobs_max = 300
response_timeout = 30
";
/// How long all rows may take together.
const DEADLINE: Duration = Duration::from_secs(90);
/// How long between two looks at all jobs; a look costs a process.
const PAUSE: Duration = Duration::from_millis(200);
/// Jobs made at a time.
const HANDS: usize = 4;

#[test]
fn every_scheme_at_server_and_proxy_ends_as_it_must_and_tests_a_secret_once() {
    let Some(peers) = peers() else { return };
    let has_proxies = peers.proxies().is_some();
    let has_domain = peers.domain().is_some();
    let rows: Vec<&Row> = rows::all()
        .filter(|row| (has_proxies || !row.needs_proxies()) && (has_domain || !row.needs_domain()))
        .collect();
    let outcomes = run(peers, &rows);
    println!("{}", table(&outcomes));
    let wrong: Vec<_> = outcomes
        .iter()
        .filter(|(row, outcome)| !outcome.is_as_expected(row))
        .map(|(row, outcome)| format!("{row}\n    expected {:?}\n    got {outcome:?}", row.expected))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row that has become a job.
struct Started<'r> {
    row: &'r Row,
    number: usize,
    job: String,
    asked: Asked,
    /// Whose secret it is that a domain or realm judges.
    account: Option<(Authority, String)>,
}

/// Runs all `rows` at once.
fn run<'r>(peers: &Peers, rows: &[&'r Row]) -> Vec<(&'r Row, Outcome)> {
    let service = Service::new();
    service.configure(&format!("{SETTINGS}extra_ca = \"{}\"\n", peers.ca().display()));
    fs::write(service.file("down.conf"), peers.kdc.config_with(peer::NOBODY)).expect("a file of this world");
    fs::create_dir(service.file("got")).expect("a world can be written to");
    let _bitsd = service.start();
    let started = start_all(peers, &service, rows);
    let jobs = watch(&service, &started);
    for started in &started {
        // Those that are over cannot be cancelled, and need not.
        service.bits(["cancel", &started.job]).finish();
    }
    let outcome = |started: &Started<'_>, job: &Value| {
        let file = service.file(format!("got/{}", started.number));
        let account = started.account.as_ref().map(|(authority, name)| (*authority, name.as_str()));
        Outcome::of(peers, job, &file, &started.asked, account)
    };
    started.iter().zip(&jobs).map(|(started, job)| (started.row, outcome(started, job))).collect()
}

fn start_all<'r>(peers: &Peers, service: &Service, rows: &[&'r Row]) -> Vec<Started<'r>> {
    let numbered: Vec<_> = rows.iter().copied().enumerate().collect();
    let share = numbered.len().div_ceil(HANDS);
    thread::scope(|scope| {
        let hands: Vec<_> = numbered
            .chunks(share)
            .map(|part| {
                let start = |(number, row): &(usize, &'r Row)| start(peers, service, *number, row);
                scope.spawn(move || part.iter().map(start).collect::<Vec<_>>())
            })
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("every job can be made")).collect()
    })
}

fn start<'r>(peers: &Peers, service: &Service, number: usize, row: &'r Row) -> Started<'r> {
    let asked = Asked::by(peers, row);
    let mut get = service.bits(["get", &asked.url, &format!("got/{number}"), "--detach"]).args(row.words);
    let mut account = None;
    for (is_proxy, login) in [(false, row.login), (true, row.proxy_login)] {
        let Some(login) = login else { continue };
        let user = login.user_at(peers);
        if let Some(authority) = login.authority {
            account = Some((authority, peer::account_name(&user)));
        }
        get = with_login(service, get, number, is_proxy, login, &user);
    }
    if let Some(proxy) = row.proxy {
        get = get.args(["--proxy", &proxy.url(peers)]);
    }
    if let Some(certificate) = row.certificate {
        get = with_certificate(peers, service, get, number, certificate);
    }
    let config = match row.kdc_is_down {
        true => service.file("down.conf"),
        false => peer::kerberos_config(peers, row),
    };
    let finished = get.env("KRB5_CONFIG", config).finish().expect_code(0);
    Started { row, number, job: finished.stdout.trim().to_owned(), asked, account }
}

fn with_login(service: &Service, get: Run, number: usize, is_proxy: bool, login: Login, user: &str) -> Run {
    let [name, password, auth] = match is_proxy {
        false => ["--user", "--password-file", "--auth"],
        true => ["--proxy-user", "--proxy-password-file", "--proxy-auth"],
    };
    let path = secret_file(service, &format!("{number}{password}"), login.password);
    let get = get.args([name, user, password]).arg(path);
    match login.auth {
        Some(scheme) => get.args([auth, scheme]),
        None => get,
    }
}

fn with_certificate(
    peers: &Peers,
    service: &Service,
    get: Run,
    number: usize,
    certificate: Certificate,
) -> Run {
    let file = |name: &str| peers.client_file(name).display().to_string();
    let key = certificate.key.map(|key| format!(",{}", file(key))).unwrap_or_default();
    let get = get.args(["--client-cert", &format!("{}{key}", file(certificate.file))]);
    match certificate.passphrase {
        Some(passphrase) => {
            let path = secret_file(service, &format!("{number}-passphrase"), passphrase);
            get.arg("--client-cert-password-file").arg(path)
        }
        None => get,
    }
}

/// A file for the owner's eyes only.
fn secret_file(service: &Service, name: &str, secret: &str) -> PathBuf {
    let path = service.file(name);
    fs::write(&path, secret).expect("a file of this world");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
    path
}

/// Waits until every job rests; each as it was seen then.
fn watch(service: &Service, started: &[Started<'_>]) -> Vec<Value> {
    let end = Instant::now() + DEADLINE;
    // One that is tried again rests for a moment only.
    let mut rested = BTreeMap::new();
    loop {
        let listed = service.bits(["list", "--json"]).finish().expect_code(0).json();
        let active: BTreeMap<_, _> = listed
            .as_array()
            .expect("a list")
            .iter()
            .map(|job| (job["id"].as_str().expect("an id"), job))
            .collect();
        let waiting = started.iter().map(|started| started.job.as_str()).filter(|id| match active.get(id) {
            Some(job) if job["state"] == "error" || job["state"] == "transient_error" => {
                rested.entry(*id).or_insert_with(|| (*job).clone());
                false
            }
            active => active.is_some() && !rested.contains_key(id),
        });
        if waiting.count() == 0 || Instant::now() > end {
            break;
        }
        thread::sleep(PAUSE);
    }
    let show = |id: &str| service.bits(["show", id, "--json"]).finish().expect_code(0).json();
    let as_seen = |id: &str| rested.get(id).cloned().unwrap_or_else(|| show(id));
    started.iter().map(|started| as_seen(&started.job)).collect()
}
