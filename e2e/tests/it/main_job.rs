//! The main job, end to end: credentials for a person, a file behind Kerberos, whole or not at all.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use bits_e2e::{Peers, Run, Service, peers, program, sha256};

/// The user of the KDC, with the realm: a plain principal there, no enterprise name.
const ALICE: &str = "alice@EXAMPLE.TEST";

fn in_realm(run: Run, peers: &Peers) -> Run {
    run.env("KRB5_CONFIG", peers.kdc.config())
}

fn password_file(service: &Service, password: &str) -> PathBuf {
    let path = service.file("password");
    fs::write(&path, format!("{password}\n")).expect("a file of this world");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
    path
}

#[test]
fn one_command_asks_for_name_and_password_and_the_file_arrives() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.apache.url("/negotiate/1m.bin");
    let mut terminal = in_realm(service.bits(["get", &url]), peers).terminal();
    terminal.wait_for("User").types(&format!("{ALICE}\n"));
    terminal.wait_for("Password").types_secret("secret\n");
    let finished = terminal.finish().expect_code(0);
    assert!(!finished.stdout.contains("secret"), "{finished}");
    assert_eq!(sha256(service.file("1m.bin")), sha256(peers.apache.file("1m.bin")));
}

#[test]
fn cancel_at_the_prompt_ends_quietly_and_leaves_no_job() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.apache.url("/negotiate/1m.bin");
    for keys in ["\u{3}", "\u{4}"] {
        let mut terminal = in_realm(service.bits(["get", &url]), peers).terminal();
        terminal.wait_for("User").types(keys);
        terminal.finish().expect_code(5);
    }
    assert_eq!(service.bits(["list", "--json"]).finish().expect_code(0).json(), serde_json::json!([]));
    assert!(!service.file("1m.bin").exists());
}

#[test]
fn the_first_job_by_hand_works_as_it_is_written() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let password = password_file(&service, "secret");
    let url = peers.apache.url("/negotiate/1m.bin");
    let file = service.file("report.bin");
    let create = in_realm(service.bits(["create", "EncodeSample"]), peers);
    let id = create.finish().expect_code(0).stdout;
    let id = id.trim();
    assert_eq!(id.len(), 36, "the id and nothing else: {id:?}");
    let set = ["credentials", "set", id, "--target", "server", "--scheme", "negotiate", "--user", ALICE];
    service.bits(set).arg("--password-file").arg(&password).finish().expect_code(0);
    service.bits(["add", id, &url]).arg(&file).finish().expect_code(0);
    let set = ["set", id, "priority=high", "description=by hand", "minimum-retry-delay=5"];
    service.bits(set).arg("no-progress-timeout=60").arg("display-name=Encode").finish().expect_code(0);
    service.bits(["resume", id]).finish().expect_code(0);
    service.bits(["watch", id]).finish().expect_code(0);
    assert!(!file.exists(), "nothing is visible before it is complete");
    service.bits(["complete", id]).finish().expect_code(0);
    assert_eq!(sha256(&file), sha256(peers.apache.file("1m.bin")));
    let twice = service.bits(["complete", id]).finish().expect_code(4);
    assert!(twice.stderr.contains("0x80200002"), "{twice}");
    let shown = service.bits(["show", id, "--json"]).finish().expect_code(0).json();
    assert_eq!(shown["state"], "acknowledged");
    assert_eq!(shown["display_name"], "Encode");
    assert_eq!(shown["credentials"], serde_json::json!([]), "gone with the job");
}

#[test]
fn the_prompt_of_credentials_set_shows_what_it_was_told_and_cancelling_is_exit_5() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let id = in_realm(service.bits(["create", "EncodeSample"]), peers).finish().expect_code(0).stdout;
    let id = id.trim();
    let words = ["credentials", "set", id, "--target", "server", "--scheme", "negotiate", "--prompt"];
    let words = [&words[..], &["--caption", "Sign in", "--message", "Target\u{1b}[2J"]].concat();
    let mut terminal = service.bits(&words).terminal();
    terminal.wait_for("Sign in").wait_for("Target").wait_for("User").types(&format!("{ALICE}\n"));
    terminal.wait_for("Password").types_secret("secret\n");
    let finished = terminal.finish().expect_code(0);
    assert!(!finished.stdout.contains('\u{1b}'), "what is foreign cannot steer the terminal: {finished}");
    let mut terminal = service.bits(&words).terminal();
    terminal.wait_for("User").types("\u{4}");
    terminal.finish().expect_code(5);
    // No terminal and no other place to ask.
    let finished = service.bits(&words).finish();
    assert_eq!(finished.code, Some(5), "{finished}");
    assert!(finished.stderr.contains("1312"), "{finished}");
}

#[test]
fn the_sample_program_does_the_same_as_a_library() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let password = password_file(&service, "secret");
    let url = peers.apache.url("/negotiate/1m.bin");
    let file = service.file("sample.bin");
    let sample = || {
        let run = service.run(program("examples/encode_sample"));
        // A program of somebody else's has no bitsd beside it: it finds it on the path.
        let folder = program("bitsd").parent().expect("a folder").to_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        in_realm(run, peers).env("PATH", format!("{}:{path}", folder.display()))
    };
    let words = [url.as_str(), file.to_str().expect("UTF-8"), "--user", ALICE, "--password-file"];
    let finished = sample().args(words).arg(&password).finish().expect_code(0);
    assert!(finished.stdout.contains(ALICE), "user and domain are shown: {finished}");
    assert!(!finished.stdout.contains("secret"), "{finished}");
    assert_eq!(sha256(&file), sha256(peers.apache.file("1m.bin")));

    fs::write(&password, "wrong\n").expect("our own file");
    let other = service.file("never.bin");
    let words = [url.as_str(), other.to_str().expect("UTF-8"), "--user", ALICE, "--password-file"];
    let finished = sample().args(words).arg(&password).finish();
    assert_ne!(finished.code, Some(0), "{finished}");
    assert!(!other.exists());
    let jobs = service.bits(["list", "--json"]).finish().expect_code(0).json();
    assert_eq!(jobs, serde_json::json!([]), "a failed step cancels the half-made job");
}

#[test]
fn no_secret_is_in_any_file_log_or_answer_of_the_service() {
    const PASSWORD: &str = "Tr0ub4dor-and-3";
    let Some(peers) = peers() else { return };
    let service = Service::new();
    service.configure("log_level = \"debug\"\n");
    let password = password_file(&service, PASSWORD);
    let user = peers.kdc.add_user(PASSWORD);
    let url = peers.apache.url("/negotiate/1m.bin");
    let user = format!("{user}@{}", peers.kdc.realm());
    let words = ["get", &url, "-v", "--json", "--user", &user, "--password-file"];
    let finished = in_realm(service.bits(words), peers).arg(&password).finish().expect_code(0);
    fs::remove_file(&password).expect("our own file");
    let with_user_info =
        peers.apache.url("/basic/1m.bin").replacen("http://", &format!("http://alice:{PASSWORD}@"), 1);
    let refused = service.bits(["get", &with_user_info, "other.bin", "-v", "--json"]).finish().expect_code(1);
    let shown = service.bits(["list", "--json"]).finish().expect_code(0);
    for text in [&finished.stdout, &finished.stderr, &refused.stdout, &refused.stderr, &shown.stdout] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    for entry in fs::read_dir(service.state_folder()).expect("the state folder") {
        let path = entry.expect("an entry").path();
        let Ok(bytes) = fs::read(&path) else { continue };
        let wide: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for form in [PASSWORD.as_bytes(), &wide] {
            assert!(!bytes.windows(form.len()).any(|window| window == form), "{}", path.display());
        }
    }
}
