//! Signing in by the Kerberos ticket that a person has already: no user name, no password, no
//! question.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bits_e2e::{Kdc, Peers, Request, Run, Service, peers, sha256, tickets_are_built_in, until};
use serde_json::Value;

/// How long a job may take to get somewhere that it gets to at once on a machine with nothing to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A world that trusts the peers' authority.
fn world(peers: &Peers) -> Service {
    let service = Service::new();
    service.configure(&format!("extra_ca = \"{}\"\n", peers.ca().display()));
    service
}

/// Puts a ticket of `user`, whose password is `secret`, into `cache`.
fn kinit(service: &Service, kdc: &Kdc, user: &str, cache: &Path, more: &[&str]) {
    let run = service.run("kinit").args(more).arg("-c").arg(cache).arg(user).stdin("secret\n");
    run.env("KRB5_CONFIG", kdc.config()).finish().expect_code(0);
}

fn get(service: &Service, kdc: &Kdc, url: &str, words: &[&str]) -> Run {
    service.bits(["get", url, "file", "--json"]).args(words).env("KRB5_CONFIG", kdc.config())
}

/// Who has signed in with a request for `target` that was served, by Apache's log.
fn users(peers: &Peers, target: &str) -> Vec<String> {
    let served = peers.apache.requests(target).into_iter().filter(|request| request.status == 200);
    served.filter_map(|request| request.user).collect()
}

fn proofs(requests: &[Request]) -> usize {
    requests.iter().filter(|request| request.scheme.is_some()).count()
}

#[test]
fn a_get_signs_in_by_the_ticket_that_is_there_and_asks_nobody() {
    let Some(peers) = peers() else { return };
    if !tickets_are_built_in() {
        return;
    }
    let service = world(peers);
    kinit(&service, &peers.kdc, "alice", &service.ticket_cache(), &[]);
    let apache = |target: &str| peers.apache.url(target);
    let over_tls = |target: &str| format!("{}{target}", peers.line("APACHE_TLS_URL"));
    for (location, url, words) in [
        ("negotiate", &apache as &dyn Fn(&str) -> String, &[][..]),
        // What it is for, said outright.
        ("negotiate", &apache, &["--implicit"]),
        // Beside NTLM and Basic, which have no part in it; bound to the TLS session.
        ("any", &apache, &[]),
        ("any", &over_tls, &[]),
    ] {
        let target = peers.apache.unique(&format!("/{location}/hello.txt"));
        get(&service, &peers.kdc, &url(&target), words).finish().expect_code(0);
        assert_eq!(sha256(service.file("file")), sha256(peers.apache.file("hello.txt")), "{target}");
        assert_eq!(users(peers, &target), ["alice@EXAMPLE.TEST"], "{target}");
        assert_eq!(proofs(&peers.apache.requests(&target)), 1, "{target}");
    }
    // Somebody who asks for nothing is not signed in, by BITS's rule.
    let id = service.bits(["create", "plain"]).finish().expect_code(0).stdout.trim().to_owned();
    let url = apache("/negotiate/hello.txt");
    service.bits(["add", &id, &url]).arg(service.file("plain")).finish().expect_code(0);
    let job = resumed(&service, &id, "error");
    assert_eq!(job["error"]["code"], "0x80190191", "{job}");
    // Until it is asked for.
    service.bits(["credentials", "set", &id, "--implicit"]).finish().expect_code(0);
    resumed(&service, &id, "transferred");
}

#[test]
fn a_proxy_that_wants_kerberos_is_shown_the_ticket_too() {
    let Some(peers) = peers() else { return };
    let Some(proxies) = peers.proxies() else { return };
    if !tickets_are_built_in() {
        return;
    }
    let service = world(peers);
    kinit(&service, &peers.kdc, "alice", &service.ticket_cache(), &[]);
    let proxy = proxies.negotiate.url();
    // CONNECT for https, the absolute form for http; and where the server wants to know, too.
    for (path, user) in [("/open/hello.txt", "-"), ("/negotiate/hello.txt", "alice@EXAMPLE.TEST")] {
        for base in ["APACHE_URL", "APACHE_TLS_URL"] {
            let target = peers.apache.unique(path);
            let url = format!("{}{target}", peers.line(base));
            get(&service, &peers.kdc, &url, &["--proxy", proxy]).finish().expect_code(0);
            assert_eq!(sha256(service.file("file")), sha256(peers.apache.file("hello.txt")), "{url}");
            let users = users(peers, &target);
            assert!(user == "-" || users == [user], "{url}: {users:?}");
        }
    }
    // Without one there is nobody to ask.
    let url = peers.apache.url("/open/hello.txt");
    let run = get(&service, &peers.kdc, &url, &["--proxy", proxy]).env("KRB5CCNAME", service.file("none"));
    assert_eq!(run.finish().expect_code(1).json()["error"]["code"], "0x80190197");
}

/// The job once it is in `state`, after it was resumed.
fn resumed(service: &Service, id: &str, state: &str) -> Value {
    service.bits(["resume", id]).finish().expect_code(0);
    until(PATIENCE, format_args!("{id} is {state}"), || {
        let job = service.bits(["show", id, "--json"]).finish().expect_code(0).json();
        (job["state"] == state).then_some(job)
    })
}

/// A way in which there is no ticket for the server, and what comes of it.
struct Row {
    what: &'static str,
    cache: PathBuf,
    config: PathBuf,
    url: String,
    /// What becomes of a job that is to wait for a ticket, and the code.
    state: &'static str,
    code: &'static str,
    says: &'static str,
}

#[test]
fn where_no_ticket_serves_a_job_says_why_and_waits_only_if_it_was_told_to() {
    let Some(peers) = peers() else { return };
    if !tickets_are_built_in() {
        return;
    }
    let service = world(peers);
    let cache = |name: &str| service.file(name);
    kinit(&service, &peers.kdc, "alice", &cache("good"), &[]);
    kinit(&service, &peers.kdc, "alice", &cache("short"), &["-l", "1s"]);
    fs::write(cache("garbage"), "no tickets").expect("a file of this world");
    fs::write(cache("nowhere.conf"), peers.kdc.config_with("127.0.0.1:9")).expect("a file of this world");
    fs::write(cache("broken.conf"), "[libdefaults\n x").expect("a file of this world");
    until(PATIENCE, "the short ticket has expired", || {
        let klist = service.run("klist").args(["-s", "-c"]).arg(cache("short")).finish();
        (klist.code == Some(1)).then_some(())
    });
    let config = peers.kdc.config().to_owned();
    let url = peers.apache.url("/negotiate/hello.txt");
    // As if the server were in a realm that the KDC does not know.
    let text = fs::read_to_string(&config).expect("the KDC's script wrote it");
    let text = text.replace("localhost = EXAMPLE.TEST", "localhost = OTHER.TEST");
    fs::write(cache("elsewhere.conf"), text).expect("a file of this world");
    let no_credentials = |what, name: &str, says| Row {
        what,
        cache: cache(name),
        config: config.clone(),
        url: url.clone(),
        state: "transient_error",
        code: "0x8009030E",
        says,
    };
    let rows = [
        no_credentials("no cache", "none", "there is no Kerberos ticket in"),
        no_credentials("an expired ticket", "short", "the Kerberos ticket in"),
        // MIT's library may say so, or break down over it.
        no_credentials("a damaged cache", "garbage", "run k"),
        Row {
            config: cache("nowhere.conf"),
            code: "0x80090311",
            ..no_credentials("no KDC that answers", "good", "no KDC answers that could give a ticket")
        },
        Row {
            config: cache("elsewhere.conf"),
            state: "error",
            code: "0x80190191",
            ..no_credentials("an unknown service", "good", "the KDC does not know the service HTTP/localhost")
        },
        Row {
            url: url.replace("//localhost", "//127.0.0.1"),
            state: "error",
            code: "0x80190191",
            ..no_credentials("an address", "good", "127.0.0.1 is an address")
        },
        Row {
            config: cache("broken.conf"),
            state: "error",
            code: "0x80190191",
            ..no_credentials("a krb5.conf that is none", "good", "the configuration of Kerberos")
        },
    ];
    for (number, row) in rows.iter().enumerate() {
        let run = |words: &[&str]| {
            let run = service.bits(["get", &row.url, &format!("file{number}"), "--json"]).args(words);
            run.env("KRB5CCNAME", &row.cache).env("KRB5_CONFIG", &row.config)
        };
        // Told to use a ticket: it waits where time or kinit can help.
        let started = run(&["--implicit", "--detach"]).finish().expect_code(0).json();
        let id = started["id"].as_str().expect("an id");
        let job = until(PATIENCE, format_args!("{}: {}", row.what, row.state), || {
            let job = service.bits(["show", id, "--json"]).finish().expect_code(0).json();
            (job["state"] == row.state).then_some(job)
        });
        assert_eq!(job["error"]["code"], row.code, "{}: {job}", row.what);
        let message = job["error"]["message"].as_str().expect("a sentence");
        assert!(message.contains(row.says), "{}: {message}", row.what);
        service.bits(["cancel", id]).finish().expect_code(0);

        // Used because it was there: as if it had not been, but for the reason.
        if row.cache.exists() {
            let finished = run(&[]).finish().expect_code(1);
            let job = finished.json();
            assert_eq!(job["state"], "error", "{}: {finished}", row.what);
            assert_eq!(job["error"]["code"], "0x80190191", "{}: {finished}", row.what);
            let message = job["error"]["message"].as_str().expect("a sentence");
            assert!(message.contains(row.says), "{}: {message}", row.what);
            service.bits(["cancel", job["id"].as_str().expect("an id")]).finish().expect_code(0);
        }
        println!("{:<26} {:<16} {} {message}", row.what, row.state, row.code);
    }
}

#[test]
fn tickets_and_configuration_are_those_of_the_caller_while_the_service_runs() {
    let Some(peers) = peers() else { return };
    if !tickets_are_built_in() {
        return;
    }
    let service = world(peers);
    let caches = ["alice", "bob"].map(|user| (user, service.file(user)));
    for (user, cache) in &caches {
        kinit(&service, &peers.kdc, user, cache, &[]);
    }
    let nowhere = service.file("nowhere.conf");
    fs::write(&nowhere, peers.kdc.config_with("127.0.0.1:9")).expect("a file of this world");
    // The service's own are of no use to anybody.
    let bitsd = service.bitsd().env("KRB5CCNAME", "/nonexistent").env("KRB5_CONFIG", "/nonexistent");
    let running = service.start_as(bitsd);
    for (user, cache) in caches.iter().chain(&caches) {
        let target = peers.apache.unique("/negotiate/hello.txt");
        let url = peers.apache.url(&target);
        let run = || get(&service, &peers.kdc, &url, &["--implicit"]).env("KRB5CCNAME", cache);
        run().finish().expect_code(0);
        assert_eq!(users(peers, &target), [format!("{user}@EXAMPLE.TEST")]);
    }
    // A ticket for the server is in bob's cache by now, and none in this one.
    let fresh = service.file("fresh");
    kinit(&service, &peers.kdc, "alice", &fresh, &[]);
    let url = peers.apache.url("/negotiate/hello.txt");
    let run = get(&service, &peers.kdc, &url, &["--implicit", "--max-time", "2"]);
    let finished = run.env("KRB5CCNAME", &fresh).env("KRB5_CONFIG", &nowhere).finish().expect_code(6);
    assert_eq!(finished.json()["error"]["code"], "0x80090311", "{finished}");
    drop(running);
}

#[test]
fn a_job_that_waits_for_a_ticket_goes_on_after_kinit() {
    let Some(peers) = peers() else { return };
    if !tickets_are_built_in() {
        return;
    }
    let service = world(peers);
    let target = peers.apache.unique("/negotiate/hello.txt");
    let url = peers.apache.url(&target);
    let waiting = get(&service, &peers.kdc, &url, &["--implicit"]).spawn();
    until(PATIENCE, "it says that there is no ticket", || {
        waiting.stderr().contains("there is no Kerberos ticket").then_some(())
    });
    kinit(&service, &peers.kdc, "bob", &service.ticket_cache(), &[]);
    waiting.finish().expect_code(0);
    assert_eq!(users(peers, &target), ["bob@EXAMPLE.TEST"]);
}

#[test]
fn only_negotiate_can_do_without_a_password() {
    let service = Service::new();
    let id = service.bits(["create", "a job"]).finish().expect_code(0).stdout.trim().to_owned();
    for scheme in ["basic", "digest", "ntlm"] {
        let finished = service.bits(["credentials", "set", &id, "--implicit", "--scheme", scheme]).finish();
        assert_eq!(finished.code, Some(4), "{finished}");
        assert!(finished.stderr.contains("0x80070057"), "{finished}");
    }
    service.bits(["credentials", "set", &id, "--implicit"]).finish().expect_code(0);
}
