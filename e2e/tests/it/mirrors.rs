//! Files with several sources, of which some fail, change, are slow or lie: the right bytes come from
//! another one, or an honest error; no liar spoils what others sent, and none sees a credential.

use std::fs;
use std::time::Duration;

use bits_e2e::{Service, until};
use bits_testkit::UnkindOrigin;
use serde_json::Value;

use Expected::{Fatal, Right, Transient};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What must become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The original's first content, under its name.
    Right,
    Transient(u32),
    Fatal(u32),
}

/// One job: an original, its mirrors, and what must become of it.
#[derive(Debug)]
struct Row {
    original: &'static str,
    mirrors: &'static [&'static str],
    /// Whether the checksum of what [`Right`] means is given.
    is_given: bool,
    expected: Expected,
    /// The states of the sources in the end; `?` for one that does not matter.
    states: &'static [&'static str],
}

const fn row(
    original: &'static str,
    mirrors: &'static [&'static str],
    expected: Expected,
    states: &'static [&'static str],
) -> Row {
    Row { original, mirrors, is_given: false, expected, states }
}

const fn given(
    original: &'static str,
    mirrors: &'static [&'static str],
    expected: Expected,
    states: &'static [&'static str],
) -> Row {
    Row { original, mirrors, is_given: true, expected, states }
}

const CUT: &str = "cut?at=100000";
/// BG_E_VALIDATION_FAILED.
const VALIDATION: u32 = 0x8020_0053;

const ROWS: &[Row] = &[
    // Gone, or never there.
    row("status?code=404", &["kind"], Right, &["refused", "ready"]),
    row("status?code=404", &["status?code=410", "kind"], Right, &["refused", "refused", "ready"]),
    row("status?code=404", &["status?code=503"], Transient(0x8019_01F7), &["refused", "refused"]),
    row("status?code=404", &["status?code=403"], Fatal(0x8019_0194), &["refused", "refused"]),
    row("gzip", &["kind"], Right, &["refused", "ready"]),
    row("chunked-bad-size", &["kind"], Right, &["broken", "ready"]),
    // Broken off, and another one has the same entity tag.
    row(CUT, &["kind"], Right, &["broken", "ready"]),
    row("cut?at=100000&how=rst", &["kind"], Right, &["broken", "ready"]),
    row("long-length", &["kind"], Right, &["broken", "ready"]),
    row("kind?cut=100000&link=/kind/mirror", &[], Right, &["broken", "ready"]),
    row("kind?cut=100000&link=/kind/m&digest=repr-digest", &[], Right, &["broken", "ready"]),
    // Too slow.
    row("stall?at=100000", &["kind"], Right, &["slow", "ready"]),
    row("drip?bytes=64&every=50", &["kind"], Right, &["slow", "ready"]),
    // The mirror has something else, or does not say what: the original is asked again, and not mixed.
    row(CUT, &["kind?seed=2"], Right, &["?", "?"]),
    row(CUT, &["kind?size=300000"], Right, &["?", "?"]),
    row(CUT, &["no-validators"], Right, &["?", "?"]),
    row(CUT, &["weak-tag"], Right, &["?", "?"]),
    row(CUT, &["date-only"], Right, &["?", "?"]),
    row(CUT, &["no-ranges", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["wrong-range", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["early-range", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["no-content-range", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["bad-content-range", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["other-total", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["unknown-total", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["multipart", "kind"], Right, &["broken", "other", "ready"]),
    row(CUT, &["range-not-satisfiable", "kind"], Right, &["broken", "other", "ready"]),
    // With a checksum whatever fits is taken, and all of it is looked at.
    given(CUT, &["no-validators"], Right, &["broken", "ready"]),
    given(CUT, &["weak-tag"], Right, &["broken", "ready"]),
    given("kind?seed=2", &["kind"], Right, &["lied", "ready"]),
    given("kind?size=300000", &["kind"], Right, &["lied", "ready"]),
    given("corrupt", &["corrupt?at=9", "kind"], Right, &["lied", "lied", "ready"]),
    given("corrupt", &["corrupt?at=9"], Fatal(VALIDATION), &["lied", "lied"]),
    given("corrupt", &["status?code=404"], Fatal(VALIDATION), &["lied", "refused"]),
    given(CUT, &["kind?seed=2", "kind"], Right, &["broken", "lied", "ready"]),
    given(CUT, &["corrupt?at=200000", "kind"], Right, &["broken", "lied", "ready"]),
    given(CUT, &["lying-range", "kind"], Right, &["broken", "ready", "ready"]),
    given("kind?cut=100000&link=/lying-range/m,/kind/m", &[], Right, &["?", "?", "?"]),
];

#[test]
fn whatever_the_sources_do_the_right_bytes_come_or_an_honest_error() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    service.configure("idle_timeout = 30\nforeground_jobs_max = 200\n");
    let _bitsd = service.start();
    fs::create_dir(service.file("got")).expect("a world can be written to");
    let right = origin.first("/kind");
    let ids: Vec<_> = ROWS
        .iter()
        .enumerate()
        .map(|(number, row)| {
            let url = |place: usize, target: &str| {
                let between = if target.contains('?') { '&' } else { '?' };
                origin.url(&format!("/{target}{between}id={number}-{place}"))
            };
            let mut get = service.bits(["get", &url(0, row.original), &format!("got/{number}"), "--detach"]);
            for (place, mirror) in row.mirrors.iter().enumerate() {
                get = get.args(["--mirror", &url(place + 1, mirror)]);
            }
            if row.is_given {
                get = get.arg(format!("--checksum=sha256:{}", right.sha256_hex()));
            }
            get.finish().expect_code(0).stdout.trim().to_owned()
        })
        .collect();
    let mut wrong = Vec::new();
    for ((number, row), id) in ROWS.iter().enumerate().zip(&ids) {
        let show = || service.bits(["show", id, "--json"]).finish().expect_code(0).json();
        let is_over = |state: &str| ["acknowledged", "error"].contains(&state);
        let may_wait = |state: &str| state == "transient_error" && matches!(row.expected, Transient(_));
        let rests =
            |job: &Value| job["state"].as_str().is_some_and(|state| is_over(state) || may_wait(state));
        let job = until(PATIENCE, format!("{row:?} rests"), || Some(show()).filter(rests));
        let states = states(&job);
        let file = fs::read(service.file(format!("got/{number}")));
        let fits = |code| {
            job["error"]["code"] == format!("0x{code:08X}") && job["state"] != "acknowledged" && file.is_err()
        };
        let is_as_expected = match row.expected {
            Right => job["state"] == "acknowledged" && file.as_ref().is_ok_and(|bytes| right.is(bytes)),
            Transient(code) => job["error"]["transient"] == true && fits(code),
            Fatal(code) => job["error"]["transient"] == false && fits(code),
        };
        let state = job["state"].as_str().unwrap_or_default();
        let line =
            format!("{:<52} {:<34} {state:<16} {}", row.original, row.mirrors.join(", "), states.join(" "));
        println!("{line}");
        let same =
            row.states.iter().zip(&states).all(|(expected, state)| *expected == "?" || expected == state);
        if !is_as_expected || !same || states.len() != row.states.len() {
            wrong.push(format!("{line}\n  expected {:?} {:?}: {}", row.expected, row.states, job["error"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_service_killed_while_a_mirror_sends_goes_on_with_what_is_here() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let original = "/cut?at=100000&size=4000000&id=original";
    let mirror = "/kind?size=4000000&pace=30&id=mirror";
    let get = ["get", &origin.url(original), "got", "--mirror", &origin.url(mirror), "--detach"];
    let id = service.bits(get).finish().expect_code(0).stdout.trim().to_owned();
    let show = || service.bits(["show", &id, "--json"]).finish();
    until(PATIENCE, "the mirror sends", || {
        let shown = show();
        let job = (shown.code == Some(0)).then(|| shown.json())?;
        let come = job["progress"]["bytes_transferred"].as_u64()?;
        (job["files"][0]["sources"][1]["in_use"] == true && come > 500_000).then_some(())
    });
    service.kill();
    service.bits(["watch", &id]).within(PATIENCE).finish().expect_code(0);
    let bytes = fs::read(service.file("got")).expect("it has arrived");
    assert!(origin.first(original).is(&bytes), "the right bytes");
    let began: Vec<u64> = origin
        .requests(mirror)
        .iter()
        .map(|request| {
            assert_eq!(request.field("if-range"), Some("\"v1-4000000\""), "{request:?}");
            let range = request.field("range").expect("only the rest is asked for");
            range.trim_start_matches("bytes=").trim_end_matches('-').parse().expect("a number")
        })
        .collect();
    assert_eq!(began.first(), Some(&100_000), "what the original has sent is kept: {began:?}");
    assert!(began.len() > 1 && began[1] > 100_000, "and what the mirror has sent: {began:?}");
}

/// Large enough to go from the socket past the cache.
#[test]
fn a_large_file_goes_on_at_a_mirror_when_its_server_stalls_and_then_breaks_off() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let original = "/stall?at=9000000&size=40000000&id=original";
    let mirrors = ["/cut?at=7000000&size=40000000&id=first", "/kind?size=40000000&id=second"];
    let checksum = format!("--checksum=sha256:{}", origin.first(original).sha256_hex());
    for (name, more) in [("by-tag", None), ("by-checksum", Some(checksum.as_str()))] {
        let mut get = service.bits(["get", &origin.url(original), name]).args(more);
        for mirror in mirrors {
            get = get.args(["--mirror", &origin.url(mirror)]);
        }
        get.within(PATIENCE).finish().expect_code(0);
        let bytes = fs::read(service.file(name)).expect("it has arrived");
        assert!(origin.first(original).is(&bytes), "the right bytes, {name}");
    }
    let from = |target: &str| -> Vec<_> {
        let requests = origin.requests(target);
        requests.iter().map(|request| request.field("range").unwrap_or("all").to_owned()).collect()
    };
    assert_eq!(from(original), ["all", "all"]);
    assert_eq!(from(mirrors[0]), ["bytes=9000000-", "bytes=9000000-"]);
    assert_eq!(from(mirrors[1]), ["bytes=16000000-", "bytes=16000000-"]);
}

#[test]
fn no_mirror_learns_who_asks() {
    let (origin, other) = (UnkindOrigin::start(), UnkindOrigin::start());
    let service = Service::new();
    fs::write(service.file("password"), "hunter2\n").expect("a world can be written to");
    let mirrors = [other.url("/sign-in?scheme=Basic&id=mirror"), other.url("/kind?id=mirror")];
    let run = service
        .bits(["get", &origin.url("/status?code=404"), "got", "--auth", "basic", "--user", "anna"])
        .args(["--password-file", "password", "--header", "Authorization: Bearer hunter2"])
        .args(["--header", "Cookie: a=hunter2", "--mirror", &mirrors[0], "--mirror", &mirrors[1]]);
    run.finish().expect_code(0);
    let requests = other.requests("/kind?id=mirror");
    assert_eq!(requests.len(), 2, "{requests:?}");
    for request in requests {
        assert!(!format!("{request:?}").contains("hunter2"), "{request:?}");
        assert_eq!((request.field("authorization"), request.field("cookie")), (None, None));
    }
    assert!(origin.first("/kind").is(&fs::read(service.file("got")).expect("it has arrived")));
}

#[test]
fn the_files_of_a_metalink_file_come_with_their_checksums_from_where_they_are() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let (first, second) = (origin.first("/kind"), origin.first("/kind?seed=2"));
    let metalink = format!(
        "<?xml version=\"1.0\"?><metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">
        <file name=\"one.bin\"><size>{}</size><hash type=\"sha-256\">{}</hash>
          <url priority=\"2\">{}</url><url priority=\"1\">{}</url></file>
        <file name=\"sub/two.bin\"><hash type=\"sha-256\">{}</hash><url>{}</url><url>{}</url></file>
        </metalink>",
        first.size,
        first.sha256_hex(),
        origin.url("/kind?id=a"),
        origin.url("/corrupt?id=b"),
        second.sha256_hex(),
        origin.url("/status?code=404&amp;id=c"),
        origin.url("/kind?seed=2&amp;id=d"),
    );
    fs::write(service.file("list.meta4"), &metalink).expect("a world can be written to");
    fs::create_dir(service.file("to")).expect("a world can be written to");
    let job =
        service.bits(["get", "list.meta4", "to", "--create-dirs", "--json"]).finish().expect_code(0).json();
    assert!(first.is(&fs::read(service.file("to/one.bin")).expect("it has arrived")));
    assert!(second.is(&fs::read(service.file("to/sub/two.bin")).expect("it has arrived")));
    assert_eq!(job["files"][0]["expected_size"], first.size);
    assert_eq!(states(&job), ["lied", "ready"]);

    for (text, said) in [
        (metalink.replace("one.bin", "../one.bin"), "`../one.bin` in it is no path below a folder"),
        (metalink.replace("<?xml version=\"1.0\"?>", "<!DOCTYPE m [<!ENTITY a \"b\">]>"), "document type"),
        ("GIF89a".to_owned(), "Metalink"),
    ] {
        fs::write(service.file("bad.meta4"), text).expect("a world can be written to");
        let refused = service.bits(["get", "--metalink", "bad.meta4", "to"]).finish().expect_code(2);
        assert!(refused.stderr.contains(said), "{refused}");
    }
    let signing_in = ["get", "list.meta4", "to", "--create-dirs", "--user", "anna", "--prompt"];
    let refused = service.bits(signing_in).finish().expect_code(2);
    assert!(refused.stderr.contains("no credentials go along"), "{refused}");
}

/// The states of the sources of the first file.
fn states(job: &Value) -> Vec<String> {
    let sources = job["files"][0]["sources"].as_array().cloned().unwrap_or_default();
    sources.iter().map(|source| source["state"].as_str().expect("a state").to_owned()).collect()
}
