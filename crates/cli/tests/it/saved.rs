//! Credentials that are kept: saved under a name, or in a netrc file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::bits::{Outcome, Place, ended};
use crate::service::{Service, acknowledged, unauthorized};

const SET: &str = "PUT /v1/jobs/ID/credentials/server/any";

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("a mode");
}

/// `bits` with the sealed file as its store.
fn with_file(place: &Place, words: &[&str]) -> Outcome {
    let mut command = place.command(words);
    command.env("BITS_CREDENTIAL_STORE", "file").env("BITS_SOCKET", place.path().join("s"));
    ended(command)
}

fn save(place: &Place, words: &[&str]) -> Outcome {
    private(&place.path().join("password"), "hunter2\n");
    let words = [&["credentials", "save"], words, &["--password-file", "password"]].concat();
    with_file(place, &words)
}

#[test]
fn a_ticket_is_nothing_to_save() {
    let place = Place::new();
    let refused = with_file(&place, &["credentials", "save", "work", "--implicit"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("a Kerberos ticket is kept by Kerberos"), "{refused:?}");
    assert!(with_file(&place, &["credentials", "list", "--json"]).stdout.contains("[]"));
}

#[test]
fn credentials_are_saved_listed_and_forgotten_and_shown_by_nothing() {
    let place = Place::new();
    let saved = save(&place, &["Work", "--user", r"CORP\anna"]);
    assert_eq!(saved.code, Some(0), "{saved:?}");
    assert!(saved.stderr.contains("Work: saved in the sealed file"), "{saved:?}");
    save(&place, &["files.test", "--user", "anna", "--scheme", "digest"]);

    let listed = with_file(&place, &["credentials", "list", "--json"]);
    let expected = json!([
        { "name": "files.test", "scheme": "digest", "user": "anna" },
        { "name": "work", "scheme": null, "user": r"CORP\anna" },
    ]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&listed.stdout).expect("JSON"), expected);
    let table = with_file(&place, &["credentials", "list"]);
    assert!(table.stdout.contains("work        any     CORP\\anna"), "{table:?}");

    let another = with_file(&place, &["credentials", "forget", "work", "--scheme", "basic"]);
    assert!(another.stderr.contains("no credentials for basic are saved under `work`"), "{another:?}");
    assert_eq!(with_file(&place, &["credentials", "forget", "WORK"]).code, Some(0));
    let again = with_file(&place, &["credentials", "forget", "work"]);
    assert_eq!(again.code, Some(4), "{again:?}");
    assert!(again.stderr.contains("no credentials are saved under `work`"), "{again:?}");

    std::fs::remove_file(place.path().join("password")).expect("it was there");
    let folder = place.path().join(".local/state/bits");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"));
    }
    for outcome in [saved, listed, table] {
        assert!(!(outcome.stdout + &outcome.stderr).contains("hunter2"));
    }
}

#[test]
fn a_store_that_is_none_is_named() {
    let place = Place::new();
    let mut command = place.command(["credentials", "list"]);
    command.env("BITS_CREDENTIAL_STORE", "keychain");
    let outcome = ended(command);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("keychain"), "{outcome:?}");
}

#[test]
fn a_command_uses_what_is_saved_under_the_name_it_gives() {
    let body = json!({ "user": r"CORP\anna", "password": "hunter2" });
    for words in [
        &["get", "https://files.test/f"][..],
        &["add", "8e2d0a1b", "https://files.test/f", "f"],
        &["credentials", "set", "8e2d0a1b"],
    ] {
        let service = Service::with_courses([vec![acknowledged()]]);
        save(&service.place, &["work", "--user", r"CORP\anna"]);
        let words = [words, &["--credential", "Work"]].concat();
        let outcome = with_file(&service.place, &words);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(service.body(SET), body, "{words:?}");
        let words = [&words[..words.len() - 1], &["home"]].concat();
        let outcome = with_file(&service.place, &words);
        assert_eq!(outcome.code, Some(4), "{outcome:?}");
        assert!(outcome.stderr.contains("`home`"), "{outcome:?}");
    }
}

#[test]
fn what_is_saved_for_a_scheme_is_set_for_that() {
    let service = Service::with_courses([vec![unauthorized(true)]]);
    save(&service.place, &["work", "--user", "anna", "--scheme", "basic"]);
    let outcome = with_file(&service.place, &["get", "https://files.test/f", "--credential", "work"]);
    assert_eq!(outcome.code, Some(1), "a refusal is final: {outcome:?}");
    let line = "PUT /v1/jobs/ID/credentials/server/basic";
    assert_eq!(service.asked().iter().filter(|asked| *asked == line).count(), 1);
}

#[test]
fn a_netrc_file_gives_user_and_password_for_the_host() {
    let netrc = "machine other.test login x password y\n\
                 machine files.test login anna password hunter2\n\
                 machine files.test login ben password of-ben\n";
    for (words, user, password) in [
        (&["--netrc"][..], "anna", "hunter2"),
        (&["--netrc-file", ".netrc"], "anna", "hunter2"),
        (&["--netrc", "--user", "ben"], "ben", "of-ben"),
    ] {
        let service = Service::with_courses([vec![acknowledged()]]);
        private(&service.place.path().join(".netrc"), netrc);
        let words = [&["get", "https://files.test:8443/f"], words].concat();
        let outcome = with_file(&service.place, &words);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(service.body(SET), json!({ "user": user, "password": password }), "{words:?}");
    }
}

#[test]
fn a_netrc_file_that_is_of_no_use_is_said() {
    let service = Service::with_courses([vec![acknowledged()], vec![acknowledged()]]);
    let missing = with_file(&service.place, &["get", "https://files.test/f", "--netrc"]);
    assert_eq!(missing.code, Some(0), "as with curl: {missing:?}");
    assert!(missing.stderr.contains("there is no netrc file"), "{missing:?}");
    let named = with_file(&service.place, &["get", "https://files.test/f", "--netrc-file", "none"]);
    assert_eq!(named.code, Some(2), "{named:?}");

    let netrc = "machine a.test login anna password a machine b.test login anna password b";
    private(&service.place.path().join(".netrc"), netrc);
    let other = with_file(&service.place, &["get", "https://files.test/f", "--netrc"]);
    assert!(other.stderr.contains(".netrc has nothing for this host"), "{other:?}");
    let two = with_file(&service.place, &["get", "http://a.test/f", "http://b.test/g", ".", "--netrc"]);
    assert_eq!(two.code, Some(2), "{two:?}");
    assert!(two.stderr.contains("one job signs in as one user"), "{two:?}");
    let both = ["get", "http://a.test/f", "--netrc", "--user", "anna", "--password-stdin"];
    assert_eq!(with_file(&service.place, &both).code, Some(2));
}

#[test]
fn a_job_that_may_have_what_is_stored_for_the_proxy_gets_it_when_the_proxy_asks() {
    const PROXY: &str = "PUT /v1/jobs/ID/credentials/proxy/any";
    let asks = |may: bool, refused: bool| {
        let mut stopped = unauthorized(refused);
        stopped["error"]["challenge"]["target"] = json!("proxy");
        stopped["error"]["challenge"]["host"] = json!("proxy.test:3128");
        stopped["use_stored_credentials"] = if may { json!("proxy") } else { json!(null) };
        stopped
    };
    for (may, expected) in [(true, 0), (false, 1)] {
        let service = Service::with_courses([vec![asks(may, false)], vec![acknowledged()]]);
        save(&service.place, &["proxy.test", "--user", "anna"]);
        let outcome = with_file(&service.place, &["get", "https://files.test/f"]);
        assert_eq!(outcome.code, Some(expected), "{outcome:?}");
        assert_eq!(service.asked().contains(&PROXY.to_owned()), may);
    }
    // A background job is given it when it is resumed, but not once it was refused.
    for (refused, expected) in [(false, true), (true, false)] {
        let service = Service::with_courses([vec![asks(true, refused)]]);
        save(&service.place, &["proxy.test:3128", "--user", "anna"]);
        with_file(&service.place, &["resume", "8e2d0a1b"]);
        let resumed = with_file(&service.place, &["resume", "8e2d0a1b"]);
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        assert_eq!(service.asked().contains(&PROXY.to_owned()), expected, "{refused}");
    }
}
