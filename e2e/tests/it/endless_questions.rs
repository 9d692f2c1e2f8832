//! A server, or a proxy, that asks who it is speaking to and is never content is left alone after a
//! number of requests, and the job says who it was.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use bits_e2e::{Finished, Service};
use bits_testkit::UnkindOrigin;

/// What a row must end in.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The job waits for its owner, after this many requests.
    Refused(usize),
    /// The job tries again by itself with this code.
    Waits(&'static str),
}
use End::{Refused, Waits};

/// The connection broke.
const ABORTED: &str = "0x80072EFE";
/// The answer is not HTTP as it may be accepted.
const NO_HTTP: &str = "0x80072F78";

/// Path and query at the unkind origin, the scheme, and the end.
const ROWS: &[(&str, &str, End)] = &[
    ("sign-in-stale", "digest", Refused(5)),
    ("sign-in-token?scheme=NTLM", "ntlm", Refused(3)),
    ("sign-in-token?scheme=Negotiate", "negotiate", Refused(3)),
    ("sign-in-token?scheme=NTLM&bytes=40000", "ntlm", Refused(2)),
    ("sign-in-token?scheme=NTLM&bytes=200000", "ntlm", Waits(NO_HTTP)),
    ("sign-in-broken?scheme=NTLM", "ntlm", Waits(ABORTED)),
    // Digest is beyond what is looked at, so that nothing is proved.
    ("sign-in-many?count=100", "digest", Refused(1)),
    ("sign-in-many?count=10000", "digest", Waits(NO_HTTP)),
    ("sign-in-long?bytes=30000", "digest", Refused(2)),
    ("sign-in-long?bytes=200000", "digest", Waits(NO_HTTP)),
];

fn get(service: &Service, words: &[&str]) -> Finished {
    let run = service.bits(["get", "--json", "--max-time", "2"]).args(words);
    // No realm is known here.
    run.env("KRB5_CONFIG", service.file("none.conf")).finish()
}

#[test]
fn who_asks_for_ever_is_left_alone_after_a_number_of_requests() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let password = service.file("password");
    fs::write(&password, "secret").expect("a file of this world");
    fs::set_permissions(&password, Permissions::from_mode(0o600)).expect("our own file");
    let proxy = origin.url("");
    for (number, (path, scheme, end)) in ROWS.iter().enumerate() {
        let between = if path.contains('?') { '&' } else { '?' };
        let at_server = format!("/{path}{between}id={number}");
        let at_proxy = format!("http://files.test/{path}{between}id=p{number}");
        let user = [r"DOM\alice", "password", scheme];
        let [name, file, auth] = user;
        let url = origin.url(&at_server);
        let server = ["--user", name, "--password-file", file, "--auth", auth, &url, "file"];
        let [p1, p2, p3] = ["--proxy-user", "--proxy-password-file", "--proxy-auth"];
        let by_proxy =
            ["--proxy", proxy.trim_end_matches('/'), p1, name, p2, file, p3, auth, &at_proxy, "file"];
        for (words, target, refused) in
            [(&server[..], &at_server, "0x80190191"), (&by_proxy[..], &at_proxy, "0x80190197")]
        {
            let finished = get(&service, words);
            let job = finished.json();
            let code = job["error"]["code"].as_str();
            let requests = origin.requests(target).len();
            match *end {
                Refused(expected) => {
                    assert_eq!((code, finished.code), (Some(refused), Some(1)), "{target}: {finished}");
                    assert_eq!(requests, expected, "{target}: {finished}");
                }
                Waits(expected) => {
                    assert_eq!((code, finished.code), (Some(expected), Some(6)), "{target}: {finished}");
                    service.bits(["cancel", job["id"].as_str().expect("an id")]).finish().expect_code(0);
                }
            }
            println!("{target}: {code:?}, {requests} requests; {}", job["error"]["message"]);
            assert!(!service.file("file").exists(), "{target}");
        }
    }
}
