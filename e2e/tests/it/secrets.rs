//! Where secrets are and are not: at rest under a key that can be lost, found again and changed, and
//! in the service's memory while an attempt needs them, not longer.

mod memory;
mod requests;
mod stalling;

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bits_e2e::{Finished, Peers, Service, peers, sha256, until};
use serde_json::{Value, json};

pub(crate) use memory::Forms;
use memory::Memory;
use stalling::{Scheme, StallingServer};

const PATIENCE: Duration = Duration::from_secs(120);

fn password_file(service: &Service, password: &str) -> std::path::PathBuf {
    secret_file(service, "password", password)
}

/// A file for the owner's eyes only.
fn secret_file(service: &Service, name: &str, secret: &str) -> std::path::PathBuf {
    let path = service.file(name);
    fs::write(&path, secret).expect("a file of this world");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
    path
}

/// A suspended job for a file behind Basic, with its credentials set.
fn job_with_credentials(service: &Service, peers: &Peers) -> String {
    let id = service.bits(["create", "sealed"]).finish().expect_code(0).stdout.trim().to_owned();
    service.bits(["add", &id, &peers.apache.url("/basic/hello.txt"), "hello.txt"]).finish().expect_code(0);
    set_credentials(service, &id).expect_code(0);
    id
}

fn set_credentials(service: &Service, id: &str) -> Finished {
    let password = password_file(service, "secret");
    let words = ["credentials", "set", id, "--target", "server", "--scheme", "basic", "--user", "alice"];
    service.bits(words).arg("--password-file").arg(password).finish()
}

fn show(service: &Service, id: &str) -> Value {
    service.bits(["show", id, "--json"]).finish().expect_code(0).json()
}

fn wait_for_state(service: &Service, id: &str, state: &str) {
    until(PATIENCE, format_args!("the job is {state}"), || {
        let job = show(service, id);
        assert!(job["state"] != "error", "{job:#}");
        (job["state"] == state).then_some(())
    });
}

/// Lets the job run, and sees that its credentials are good.
fn runs(service: &Service, peers: &Peers, id: &str) {
    service.bits(["resume", id]).finish().expect_code(0);
    wait_for_state(service, id, "transferred");
    service.bits(["complete", id]).finish().expect_code(0);
    assert_eq!(sha256(service.file("hello.txt")), sha256(peers.apache.file("hello.txt")));
}

fn key_of(service: &Service) -> Value {
    service.status().expect("the service runs")["key"].clone()
}

#[test]
fn a_job_whose_key_is_missing_waits_says_so_and_goes_on_when_the_key_is_back() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let id = job_with_credentials(&service, peers);
    let id = id.as_str();
    let good = key_of(&service);
    assert_eq!((good["present"].as_bool(), good["source"].as_str()), (Some(true), Some("key_file")));
    let (key, aside) = (service.state_folder().join("seal.key"), service.file("aside"));
    service.bits(["service", "stop"]).finish().expect_code(0);
    fs::rename(&key, &aside).expect("the key is there");

    service.bits(["resume", id]).finish().expect_code(0);
    let job = until(PATIENCE, "the job waits for the key", || {
        let job = show(&service, id);
        (job["wait"]["reason"] == "credential").then_some(job)
    });
    assert_eq!(
        (&job["state"], &job["error"], &job["error_count"]),
        (&json!("queued"), &Value::Null, &json!(0))
    );
    let shown = service.bits(["show", id]).finish().expect_code(0);
    assert!(shown.stdout.contains("waits for the key"), "{shown}");
    let status = service.bits(["service", "status"]).finish().expect_code(0);
    assert!(status.stdout.contains("MISSING") && status.stdout.contains("seal.key"), "{status}");
    assert_eq!(key_of(&service)["id"], good["id"], "it is known which one is missing");
    assert_eq!(key_of(&service)["present"], false);

    // Nothing is sealed with another key, and other jobs are not held up.
    let refused = set_credentials(&service, id).expect_code(4);
    assert!(refused.stderr.contains("0x8009000D") && refused.stderr.contains("seal.key"), "{refused}");
    service.bits(["get", &peers.nginx.url("/files/hello.txt"), "other.txt"]).finish().expect_code(0);
    assert!(!key.exists(), "no second key is made");
    let refused = service.bits(["service", "rotate-key"]).finish().expect_code(4);
    assert!(refused.stderr.contains(id), "{refused}");

    fs::rename(&aside, &key).expect("it is put back");
    service.bits(["service", "restart"]).finish().expect_code(0);
    wait_for_state(&service, id, "transferred");
    assert_eq!(key_of(&service), good);
}

#[test]
fn a_credential_of_systemd_is_the_key_when_the_queue_is_made_and_is_not_changed_here() {
    let service = Service::new();
    let folder = service.file("credentials");
    fs::create_dir(&folder).expect("a folder of this world");
    fs::write(folder.join("bits-key"), [7; 32]).expect("a file of this world");
    fs::set_permissions(folder.join("bits-key"), Permissions::from_mode(0o400)).expect("our own file");
    let running = service.start_as(service.bitsd().env("CREDENTIALS_DIRECTORY", &folder));
    let key = key_of(&service);
    assert_eq!((key["source"].as_str(), key["present"].as_bool()), (Some("systemd_credential"), Some(true)));
    assert!(!service.state_folder().join("seal.key").exists());
    let refused = service.bits(["service", "rotate-key"]).finish().expect_code(4);
    assert!(refused.stderr.contains("systemd"), "{refused}");
    service.bits(["service", "stop"]).finish().expect_code(0);
    running.finish();

    let _running = service.start();
    let lost = key_of(&service);
    assert_eq!((lost["present"].as_bool(), &lost["id"]), (Some(false), &key["id"]));
    assert!(!service.state_folder().join("seal.key").exists(), "no key file is made for it");
}

#[test]
fn a_changed_key_leaves_the_credentials_good_before_and_after_a_restart() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let (one, two) = (job_with_credentials(&service, peers), job_with_credentials(&service, peers));
    let before = (key_of(&service), fs::read(service.state_folder().join("seal.key")).expect("a key"));
    service.bits(["service", "rotate-key"]).finish().expect_code(0);
    let after = (key_of(&service), fs::read(service.state_folder().join("seal.key")).expect("a key"));
    assert_ne!((&before.0["id"], &before.1), (&after.0["id"], &after.1));
    for entry in fs::read_dir(service.state_folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        let old = before.1.as_slice();
        let bytes = fs::read(&path).unwrap_or_default();
        assert!(
            !bytes.windows(old.len()).any(|window| window == old),
            "the old key is in {}",
            path.display()
        );
    }
    runs(&service, peers, &one);
    service.bits(["service", "restart"]).finish().expect_code(0);
    assert_eq!(key_of(&service), after.0);
    runs(&service, peers, &two);
}

#[test]
fn a_change_of_the_key_that_is_killed_at_any_moment_leaves_the_credentials_good() {
    const KILLS: u64 = 30;
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let id = job_with_credentials(&service, peers);
    let mut changed = 0;
    for round in 0..KILLS {
        let (before, pid) = (key_of(&service), service.pid().expect("it runs"));
        let rotating = service.bits(["service", "rotate-key"]).spawn();
        // Nothing is waited for here: the moments of the kills are spread over what a change takes.
        std::thread::sleep(Duration::from_micros(700 * round));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
        rotating.finish();
        service.bits(["service", "start"]).finish().expect_code(0);
        let after = key_of(&service);
        assert_eq!(after["present"], true, "round {round}: {after}");
        changed += u64::from(after["id"] != before["id"]);
        set_and_check(&service, &id, round);
    }
    println!("{changed} of {KILLS} changes had come to be before the kill");
    runs(&service, peers, &id);
}

/// The credential set before the kill is still read, which a change of the key that is not killed
/// proves: it has to open all.
fn set_and_check(service: &Service, id: &str, round: u64) {
    let rotated = service.bits(["service", "rotate-key"]).finish();
    assert_eq!(rotated.code, Some(0), "round {round}: {rotated}");
    let credentials = show(service, id)["credentials"].clone();
    assert_eq!(credentials, json!([{ "target": "server", "scheme": "basic" }]), "round {round}");
}

#[test]
fn the_service_can_be_neither_dumped_nor_traced_by_its_own_user() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can let somebody else run the service");
        return;
    }
    let service = Service::new();
    for name in ["home", "run", "files", "tmp", "state", "config"] {
        let folder = service.folder().join(name);
        fs::create_dir_all(&folder).expect("a folder of this world");
        std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root gives it away");
    }
    let as_nobody = ["setpriv", "--clear-groups", "--regid=65534", "--reuid=65534"];
    let _running = service.bitsd().through(as_nobody).spawn();
    let status = until(PATIENCE, "the service answers", || {
        let status = service.bits(["service", "status", "--json"]).through(as_nobody).finish();
        (status.code == Some(0)).then(|| status.json())
    });
    let process = format!("/proc/{}", status["pid"]);
    let limits = fs::read_to_string(format!("{process}/limits")).expect("the service runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    for file in ["mem", "environ", "maps"] {
        let read =
            service.run("head").arg("-c1").arg(format!("{process}/{file}")).through(as_nobody).finish();
        assert!(read.code != Some(0) && read.stderr.contains("Permission denied"), "{file}: {read}");
    }
    let maps = fs::read_to_string(format!("{process}/smaps")).expect("root reads it");
    let has = |line: &str, flag: &str| line.split_whitespace().any(|word| word == flag);
    let flags = maps.lines().filter(|line| line.starts_with("VmFlags:"));
    assert!(
        flags.clone().any(|line| has(line, "lo") && has(line, "dd") && has(line, "dc")),
        "the key is in a page that is locked, and neither dumped nor inherited"
    );
}

#[test]
fn a_password_is_in_memory_while_an_attempt_needs_it_and_nowhere_once_its_job_is_final() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root reads the memory of the service");
        return;
    }
    let service = Service::new();
    service.configure("log_level = \"debug\"\n");
    let pid = {
        service.bits(["service", "start"]).finish().expect_code(0);
        service.pid().expect("it runs").as_raw_nonzero().get()
    };
    for (scheme, end) in [
        (Scheme::Basic, "cancel"),
        (Scheme::Basic, "complete"),
        (Scheme::Digest, "complete"),
        (Scheme::Ntlm, "cancel"),
        (Scheme::Ntlm, "complete"),
        (Scheme::Negotiate, "complete"),
    ] {
        let what = format!("{scheme:?}, {end}");
        let user = "sentinel-user";
        let password = format!("Zx9-{}-{end}-ünlikely!", scheme.name());
        let forms = Forms::of(user, &password);
        let server = StallingServer::start(scheme);
        let file = service.file(format!("{}-{end}", scheme.name()));
        let path = password_file(&service, &password);
        let words = ["get", server.url(), file.to_str().expect("UTF-8"), "--detach", "--user", user];
        let id = service
            .bits(words)
            .args(["--auth", scheme.name(), "--password-file"])
            .arg(&path)
            .finish()
            .expect_code(0);
        let id = id.stdout.trim();
        fs::remove_file(&path).expect("our own file");
        server.wait_until_proved();
        let found = Memory::of(pid).find(&forms);
        assert!(!found.is_empty(), "{what}: the password is in use, and not found: the search is no good");
        let names: Vec<_> =
            forms.names().filter(|name| found.iter().any(|line| line.starts_with(name))).collect();
        is_in_no_file_or_answer(&service, &forms, id, &what);

        if end == "complete" {
            server.go_on();
            wait_for_state(&service, id, "acknowledged");
        } else {
            service.bits(["cancel", id]).finish().expect_code(0);
            server.go_on();
        }
        let found = Memory::of(pid).find(&forms);
        assert!(found.is_empty(), "{what}: {found:#?}");
        is_in_no_file_or_answer(&service, &forms, id, &what);
        println!("{what}: in memory while it was needed ({}), and gone", names.join(", "));
    }
}

#[test]
fn a_password_for_kerberos_is_gone_from_memory_once_its_job_is_cancelled() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root reads the memory of the service");
        return;
    }
    let Some(peers) = peers() else { return };
    let password = "Zx9-kerberos-unlikely!";
    let user = format!("{}@{}", peers.kdc.add_user(password), peers.kdc.realm());
    let forms = Forms::of(&user, password);
    let slow = peers.faulty(&peers.apache, &["--rate", "65536"]);
    let service = Service::new();
    service.bits(["service", "start"]).finish().expect_code(0);
    let pid = service.pid().expect("it runs").as_raw_nonzero().get();
    let path = password_file(&service, password);
    // The KDC knows the server by this name.
    let url = slow.url("/negotiate/1m.bin").replace("127.0.0.1", "localhost");
    let get = service.bits(["get", &url, "1m.bin", "--detach", "--user", &user]);
    let get = get.arg("--password-file").arg(&path).env("KRB5_CONFIG", peers.kdc.config());
    let id = get.finish().expect_code(0).stdout;
    let id = id.trim();
    wait_for_state(&service, id, "transferring");
    assert!(!Memory::of(pid).find(&forms).is_empty(), "the attempt has it, and it is not found");
    service.bits(["cancel", id]).finish().expect_code(0);
    let found = Memory::of(pid).find(&forms);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_program_that_keeps_its_connection_keeps_no_password_in_the_service() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root reads the memory of the service");
        return;
    }
    let service = Service::new();
    service.bits(["service", "start"]).finish().expect_code(0);
    let pid = service.pid().expect("it runs").as_raw_nonzero().get();
    let id = service.bits(["create", "kept"]).finish().expect_code(0).stdout;
    let id = id.trim();
    let password = "Zx9-kept-unlikely";
    let forms = Forms::of("anna", password);
    // One with an escape in it is put together anew by whoever reads JSON.
    for text in [password.to_owned(), password.replace('-', r"\u002d")] {
        let credentials = format!("{{\"user\":\"anna\",\"password\":\"{text}\"}}");
        let with_user_info = format!(
            "{{\"files\":[{{\"remote_name\":\"http://anna:{text}@localhost:9/f\",\"local_name\":\"/tmp/never\"}}]}}"
        );
        for (line, body) in [
            (format!("PUT /v1/jobs/{id}/credentials/server/ntlm"), &credentials),
            (format!("POST /v1/jobs/{id}/files"), &with_user_info),
            (format!("PUT /v1/jobs/{id}/credentials/server/none"), &credentials),
        ] {
            let mut stream = UnixStream::connect(service.socket()).expect("the service listens");
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
            let length = body.len();
            write!(
                stream,
                "{line} HTTP/1.1\r\nHost: bits\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .expect("sent");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("it hangs up");
            assert!(answer.starts_with(b"HTTP/1.1 "), "{line}");
            // The end of the connection is seen before its buffers are gone.
            until(PATIENCE, format_args!("{line}: the password is gone"), || {
                Memory::of(pid).find(&forms).is_empty().then_some(())
            });
        }
    }
}

/// Neither the files of the service, its log among them, nor any answer has the password.
fn is_in_no_file_or_answer(service: &Service, forms: &Forms, id: &str, what: &str) {
    for entry in fs::read_dir(service.state_folder()).expect("the state folder") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).unwrap_or_default();
        assert_eq!(forms.in_bytes(&bytes), None, "{what}: {}", path.display());
    }
    for path in [
        "/v1/about".to_owned(),
        "/v1/settings".to_owned(),
        "/v1/jobs".to_owned(),
        format!("/v1/jobs/{id}"),
        format!("/v1/jobs/{id}/files"),
        "/v1/jobs/no-id".to_owned(),
    ] {
        let answer = get(&service.socket(), &path);
        assert!(answer.starts_with(b"HTTP/1.1 "), "{path}");
        assert_eq!(forms.in_bytes(&answer), None, "{what}: {path}");
    }
    let watched = service.bits(["show", id, "-v"]).finish().expect_code(0);
    assert_eq!(forms.in_bytes(watched.stdout.as_bytes()), None, "{what}: {watched}");
}

/// The whole answer to a GET.
fn get(socket: &Path, path: &str) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket).expect("the service listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bits\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}
