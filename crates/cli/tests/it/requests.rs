//! What a person says of the requests of a job, and what of it reaches the service and the screen.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::bits::{Outcome, ended};
use crate::service::{Service, acknowledged, unauthorized};

const URL: &str = "https://files.test/report.pdf";
const ID: &str = "8e2d0a1b-0203-4405-8607-08090a0b0c0d";

fn bits(service: &Service, words: &[&str]) -> Outcome {
    ended(service.command(words))
}

fn get(service: &Service, words: &[&str]) -> Outcome {
    bits(service, &[&["get", "--no-progress", URL], words].concat())
}

/// A file in the place of `service`; its path.
fn file(service: &Service, name: &str, text: &str, mode: u32) -> String {
    let path = service.place.path().join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("our own file");
    path.to_str().expect("text").to_owned()
}

#[test]
fn flags_of_get_and_create_become_properties_of_the_job() {
    let service = Service::with_courses([vec![acknowledged()]]);
    let secrets =
        ["@", &file(&service, "headers", "Authorization: Bearer hunter2\r\n\nX-B: 2\n", 0o600)].concat();
    let passphrase = file(&service, "passphrase", "hunter2\n", 0o600);
    let certificate =
        file(&service, "me.pem", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", 0o644);
    let key = file(
        &service,
        "key.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
        0o600,
    );
    let both = format!("{certificate},{key}");
    let words = [
        "--proxy",
        "http://p.test:3128",
        "--no-proxy",
        "localhost,*.test",
        "--header",
        "X-A:  1",
        "--header",
        &secrets,
        "--client-cert",
        &both,
        "--client-cert-password-file",
        &passphrase,
        "--insecure",
        "--no-ntlm",
        "--service-name",
        "HTTP/other.test",
    ];
    let expected = json!({
        "custom_headers": [
            { "name": "X-A", "value": "1" },
            { "name": "Authorization", "value": "Bearer hunter2" },
            { "name": "X-B", "value": "2" },
        ],
        "security_flags": 0x1e,
        "client_certificate": { "file": { "path": certificate, "key": key } },
        "client_certificate_passphrase": "hunter2",
        "proxy": { "usage": "override", "list": "http://p.test:3128", "bypass": "localhost *.test" },
        "no_ntlm": true,
        "service_name": "HTTP/other.test",
    });
    for command in [&["get", "--no-progress", URL][..], &["create", "n"]] {
        let service = Service::with_courses([vec![acknowledged()]]);
        let outcome = bits(&service, &[command, &words].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stderr.contains("warning: with --insecure nobody knows"), "{outcome:?}");
        assert!(!outcome.stderr.contains("hunter2") && !outcome.stderr.contains("others"), "{outcome:?}");
        let sent = &service.body("POST /v1/jobs")["properties"];
        for (name, value) in expected.as_object().expect("properties") {
            assert_eq!(&sent[name], value, "{name}");
        }
    }
}

#[test]
fn a_secret_that_others_can_read_is_sent_with_a_warning() {
    for (words, mode, expected) in [
        (&["--header", "authorization: hunter2"][..], 0o600, "can read a secret on the command line"),
        (&["--header", "@headers"], 0o644, "can read the secret in headers (mode 0644)"),
        (&["--header", "@headers"], 0o600, ""),
        (&["--header", "X-A: 1"], 0o600, ""),
        (&["--proxy", "http://anna:hunter2@p"], 0o600, "can read a password in a proxy's URL"),
    ] {
        let service = Service::with_courses([vec![acknowledged()]]);
        file(&service, "headers", "Cookie: hunter2\n", mode);
        let outcome = get(&service, words);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.stderr.contains("warning"), !expected.is_empty(), "{outcome:?}");
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
    }
}

#[test]
fn what_cannot_be_is_a_usage_error_that_repeats_no_secret() {
    let service = Service::with_courses([]);
    file(&service, "long", &"X: hunter2\n".repeat(4000), 0o600);
    file(&service, "bad", "X-A: 1\nBearer hunter2\n", 0o600);
    file(&service, "bare.pem", "-----BEGIN CERTIFICATE-----\n", 0o600);
    file(&service, "locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 0o600);
    for (words, expected) in [
        (&["--header", "Bearer hunter2"][..], "header 1 is none; write 'Name: value'"),
        (&["--header", "Bearer hunter2: x"], "the name of header 1 is no name of a header"),
        (&["--header", "X: 1", "--header", "Range: 1"], "the name of header 2 is set by the service itself"),
        (&["--header", "@nowhere"], "the file of headers nowhere"),
        (&["--header", "@long"], "longer than the headers of a job can be"),
        (&["--header", "@bad"], "line 2 of bad is none"),
        (&["--proxy", ""], "the proxy is empty"),
        (&["--proxy", "none", "--no-proxy", "a"], "leave one out"),
        (&["--proxy", "http://a:hunter2@p http://b:x@q"], "different users"),
        (
            &["--proxy", "http://a:hunter2@p", "--proxy-user", "b"],
            "there is a user in the proxy's URL, and another one is given",
        ),
        (&["--proxy-password-file", "f"], "--proxy-user"),
        (&["--client-cert-password-file", "f"], "--client-cert"),
        (&["--client-cert", "nowhere.pem"], "nowhere.pem cannot be read: No such file"),
        (&["--client-cert", "bad"], "bad cannot be used: no certificate is in it"),
        (&["--client-cert", "bare.pem"], "bare.pem cannot be used: no key is with it"),
        (
            &["--client-cert", "bare.pem,locked.key"],
            "locked.key wants a passphrase; give --client-cert-password-file",
        ),
    ] {
        let outcome = get(&service, words);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
    }
    assert!(service.asked().is_empty(), "{:?}", service.asked());
}

#[test]
fn proxies_of_the_environment_are_sent_but_for_the_one_a_request_can_set() {
    let service = Service::with_courses([vec![acknowledged()]]);
    let mut command = service.command(&["get", "--no-progress", URL, "--no-proxy", "a.test"]);
    command.env("HTTP_PROXY", "http://evil").env("HTTPS_PROXY", "http://p").env("KRB5CCNAME", "FILE:/tmp/cc");
    assert_eq!(ended(command).code, Some(0));
    let sent = &service.body("POST /v1/jobs")["environment"];
    assert_eq!(
        [&sent["http_proxy"], &sent["https_proxy"], &sent["no_proxy"], &sent["krb5_ccname"]],
        [&Value::Null, &json!("http://p"), &json!("a.test"), &json!("FILE:/tmp/cc")]
    );
}

#[test]
fn credentials_for_the_proxy_are_set_before_the_job_begins_and_are_final() {
    let mut asks = unauthorized(true);
    asks["error"]["challenge"]["target"] = json!("proxy");
    let service = Service::with_courses([vec![asks]]);
    let password = file(&service, "p", "hunter2\n", 0o600);
    let words = ["--proxy-user", "CORP\\anna", "--proxy-password-file", &password, "--proxy-auth", "ntlm"];
    let outcome = get(&service, &words);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("hint: check user name and password"), "{outcome:?}");
    let set = "PUT /v1/jobs/ID/credentials/proxy/ntlm";
    assert_eq!(service.body(set), json!({ "user": "CORP\\anna", "password": "hunter2" }));

    // A user in the URL is for the scheme that is named.
    let service = Service::with_courses([vec![acknowledged()]]);
    let outcome = get(&service, &["--proxy", "http://anna:hunter2@p:1", "--proxy-auth", "basic"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("with basic and no https to the proxy"), "{outcome:?}");
    assert_eq!(service.body("POST /v1/jobs")["properties"]["proxy"]["list"], "http://p:1");
    let set = "PUT /v1/jobs/ID/credentials/proxy/basic";
    assert_eq!(service.body(set), json!({ "user": "anna", "password": "hunter2" }));
}

#[test]
fn where_nobody_can_be_asked_for_the_proxy_the_hint_names_its_flags() {
    let mut asks = unauthorized(false);
    asks["error"]["challenge"]["target"] = json!("proxy");
    let service = Service::with_courses([vec![asks]]);
    let bits = service.command(&["get", "--no-progress", URL]);
    let mut command = std::process::Command::new("setsid");
    command.arg("-w").arg(bits.get_program()).args(bits.get_args());
    command.env_clear().envs(bits.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").expect("a path")).current_dir(service.place.path());
    let outcome = ended(command);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("give --proxy-user with --proxy-password-file"), "{outcome:?}");
}

#[test]
fn properties_are_set_by_their_names() {
    let service = Service::with_courses([]);
    let outcome = bits(&service, &["set", ID, "proxy=none", "custom-header=", "no-ntlm=true"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(
        service.body("PATCH /v1/jobs/ID"),
        json!({ "custom_headers": [], "proxy": { "usage": "no_proxy" }, "no_ntlm": true })
    );
}
