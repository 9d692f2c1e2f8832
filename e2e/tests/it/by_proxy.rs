//! Files by way of real proxies: each row names the way to sign in there, the outcome and the number
//! of attempts, counted in the proxy's own log.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bits_e2e::{Peers, Proxies, Proxy, Service, peers, sha256, until};
use serde_json::Value;

/// Longer than any job here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One line of the table.
struct Row {
    what: &'static str,
    proxy: fn(&Proxies) -> &Proxy,
    /// `--scheme`, user and password for the proxy; none are set without a scheme.
    scheme: &'static str,
    user: &'static str,
    password: &'static str,
    code: Option<&'static str>,
    /// Requests in which somebody tried to sign in.
    headers: usize,
}

const REFUSED: Option<&str> = Some("0x80190197");
const KERBEROS_USER: &str = "alice@EXAMPLE.TEST";

const ROWS: &[Row] = &[
    Row {
        what: "no questions",
        proxy: |all| &all.none,
        scheme: "",
        user: "",
        password: "",
        code: None,
        headers: 0,
    },
    right("Basic", |all| &all.basic, "basic", "alice"),
    right("Digest", |all| &all.digest, "digest", "alice"),
    right("Negotiate", |all| &all.negotiate, "negotiate", KERBEROS_USER),
    right("several, Digest", |all| &all.multi, "digest", "alice"),
    right("several, Negotiate", |all| &all.multi, "negotiate", KERBEROS_USER),
    wrong("Basic, wrong password", |all| &all.basic, "basic", "alice", 1),
    wrong("Digest, wrong password", |all| &all.digest, "digest", "alice", 1),
    // The KDC refuses: nothing reaches the proxy.
    wrong("Negotiate, wrong password", |all| &all.negotiate, "negotiate", KERBEROS_USER, 0),
    Row {
        what: "nobody to ask",
        proxy: |all| &all.basic,
        scheme: "",
        user: "",
        password: "",
        code: REFUSED,
        headers: 0,
    },
];

const fn right(
    what: &'static str,
    proxy: fn(&Proxies) -> &Proxy,
    scheme: &'static str,
    user: &'static str,
) -> Row {
    Row { what, proxy, scheme, user, password: "secret", code: None, headers: 1 }
}

const fn wrong(
    what: &'static str,
    proxy: fn(&Proxies) -> &Proxy,
    scheme: &'static str,
    user: &'static str,
    headers: usize,
) -> Row {
    Row { what, proxy, scheme, user, password: "wrong", code: REFUSED, headers }
}

/// Carries out a job for `url` by the proxy of the settings, and says how it ended.
fn carried_out(service: &Service, peers: &Peers, url: &str, row: &Row) -> Value {
    let krb5_config = peers.kdc.config();
    let create = service.bits(["create", "by proxy"]).env("KRB5_CONFIG", krb5_config);
    let id = create.finish().expect_code(0).stdout;
    let id = id.trim();
    service.bits(["add", id, url]).arg(service.file("file")).finish().expect_code(0);
    if !row.scheme.is_empty() {
        let password = service.file("password");
        fs::write(&password, row.password).expect("a file of this world");
        fs::set_permissions(&password, Permissions::from_mode(0o600)).expect("our own file");
        let set = ["credentials", "set", id, "--target", "proxy", "--scheme", row.scheme, "--user", row.user];
        service.bits(set).arg("--password-file").arg(&password).finish().expect_code(0);
    }
    service.bits(["resume", id]).finish().expect_code(0);
    let ended = until(PATIENCE, "the job ends", || {
        let job = service.bits(["show", id, "--json"]).finish().expect_code(0).json();
        matches!(job["state"].as_str(), Some("transferred" | "error")).then_some(job)
    });
    if ended["state"] == "transferred" {
        service.bits(["complete", id]).finish().expect_code(0);
    }
    ended
}

#[test]
fn each_way_of_a_proxy_carries_http_and_https_and_a_wrong_password_is_tried_once() {
    let Some(peers) = peers() else { return };
    let Some(proxies) = peers.proxies() else { return };
    for row in ROWS {
        let proxy = (row.proxy)(proxies);
        let plain = peers.nginx.url(&peers.nginx.unique("/files/hello.txt"));
        let (secure, tunnel) = peers.tunnelled("/files/hello.txt");
        for (url, in_log) in [(&plain, &plain), (&secure, &tunnel)] {
            let service = Service::new();
            let ca = peers.ca().display();
            service.configure(&format!("extra_ca = \"{ca}\"\nproxy = \"{}\"\n", proxy.url()));
            let job = carried_out(&service, peers, url, row);
            assert_eq!(job["error"]["code"].as_str(), row.code, "{} {url}: {job}", row.what);
            // A tunnel waits for the owner's next job, and the proxy logs it when it is over.
            service.kill();
            let requests = proxy.requests(in_log);
            let headers = requests.iter().filter(|request| request.scheme.is_some()).count();
            assert_eq!(headers, row.headers, "{} {url}: {requests:?}", row.what);
            assert!(!requests.is_empty(), "{} {url}: it went by the proxy", row.what);
            match row.code {
                None => assert_eq!(
                    sha256(service.file("file")),
                    sha256(peers.nginx.file("hello.txt")),
                    "{}",
                    row.what
                ),
                Some(_) => {
                    assert_eq!(job["error"]["context"], "general_transport", "{}: {job}", row.what);
                    let address = proxy.url().trim_start_matches("http://");
                    let message = job["error"]["message"].as_str().unwrap_or_default();
                    assert!(message.contains(address), "{}: {job}", row.what);
                    if row.headers > 0 || row.scheme.is_empty() {
                        assert_eq!(job["error"]["challenge"]["target"], "proxy", "{}: {job}", row.what);
                    }
                }
            }
        }
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named_and_hosts_of_no_proxy_are_reached_without_it() {
    let Some(peers) = peers() else { return };
    let row = &ROWS[0];
    let url = peers.nginx.url("/files/hello.txt");
    let service = Service::new();
    // Nobody listens at the discard port.
    service.configure("proxy = \"http://127.0.0.1:9\"\nno_proxy = \"127.0.0.1\"\n");
    assert_eq!(carried_out(&service, peers, &url, row)["state"], "transferred");

    let service = Service::new();
    service.configure("proxy = \"http://127.0.0.1:9\"\n");
    let finished = service.bits(["get", &url, "file", "--json", "--max-time", "3"]).finish().expect_code(6);
    let job = finished.json();
    assert_eq!(job["error"]["code"], "0x80072EFD", "{finished}");
    let message = job["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("the proxy 127.0.0.1:9"), "{finished}");
}
