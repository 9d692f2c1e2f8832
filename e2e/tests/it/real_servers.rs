//! What becomes of a download when a server that others wrote is cut off, changes the file under it, or
//! is set up as many are: right bytes or an honest error, never wrong bytes with success.
//!
//! One row is one server, one way of being set up, one thing that happens. The table of the outcomes is
//! printed.

mod rows;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use bits_e2e::{FaultProxy, Peers, Random, Service, Wild, peers, sha256, until};
use serde_json::Value;

use crate::outcome::{Arrived, Expected, Outcome, check};
use rows::{At, Happens, ROWS, Row};

/// How long one row may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows at a time.
const HANDS: usize = 4;
/// Bytes of a file, and after how many a connection is cut.
const SIZE: usize = 1 << 20;
const CUT_AFTER: &str = "400000";
/// How old a file is: so old that a date is a strong validator.
const AGE: Duration = Duration::from_secs(1000);

#[test]
fn real_servers_end_in_right_bytes_or_an_honest_error() {
    let Some(peers) = peers() else { return };
    let Some(wild) = peers.wild() else { return };
    let service = Service::new();
    // None of them is to come before the change that its row makes.
    service.configure("foreground_jobs_max = 100\nbackground_jobs_max = 100\n");
    let _bitsd = service.start();
    fs::create_dir(service.file("got")).expect("a world can be written to");
    let numbered: Vec<_> = ROWS.iter().enumerate().collect();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let hands: Vec<_> = numbered
            .chunks(numbered.len().div_ceil(HANDS))
            .map(|part| {
                let service = &service;
                scope.spawn(move || {
                    part.iter()
                        .map(|(number, row)| run(service, peers, wild, *number, row))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("every row comes to an end")).collect()
    });
    let left: Vec<_> = fs::read_dir(service.file("got"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a number"))
        .filter(|name| name.parse::<usize>().is_err())
        .collect();
    check(&outcomes);
    assert_eq!(left, Vec::<String>::new(), "no partial file is left behind");
}

/// One row, from the file that the server has to the file that has come.
fn run(
    service: &Service,
    peers: &Peers,
    wild: &Wild,
    number: usize,
    row: &Row,
) -> (String, Expected, Outcome) {
    let name = format!("{number}.bin");
    let served = wild.file(&name);
    let versions = [content(number, 0, row), content(number, 1, row)];
    publish(&served, &versions[0], AGE);
    let faulty = cut(peers, wild, row);
    let server = faulty.as_ref().map_or(address(wild, row.at), FaultProxy::address);
    let url = format!("http://{server}/{}/{name}", row.way);
    let got = format!("got/{number}");
    if row.at == At::Squid {
        // The proxy is to have the first version.
        let proxy = format!("http://{}", wild.squid);
        let warm = format!("{got}.warm");
        let url = format!("http://{}/{}/{name}", wild.nginx, row.way);
        service.bits(["get", &url, &warm, "--proxy", &proxy]).finish().expect_code(0);
        fs::remove_file(service.file(&warm)).expect("it was fetched");
    }
    let mut newest = 0;
    if row.happens == Happens::GoesStale {
        publish(&served, &versions[1], AGE / 2);
        newest = 1;
    }
    let job = make(service, wild, &url, &got, &versions[1], row);

    if row.happens != Happens::Nothing {
        let cut = until(PATIENCE, "the connection is cut", || {
            let job = show(service, &job);
            (job["state"] != "connecting" && job["state"] != "transferring" && job["state"] != "queued")
                .then_some(job)
        });
        assert_eq!(cut["state"], "transient_error", "{}: {cut}", told(row));
        if let Some(age) = age_of_change(row) {
            publish(&served, &versions[1], age);
            newest = 1;
        }
        if row.happens == Happens::GoesStale {
            service.bits(["set", &job, "proxy=none"]).finish().expect_code(0);
        }
        service.bits(["resume", &job]).finish().expect_code(0);
    }
    let errors = if row.happens == Happens::Nothing { 1 } else { 2 };
    let shown = until(PATIENCE, "it comes to rest", || {
        let job = show(service, &job);
        let is_over = matches!(job["state"].as_str(), Some("acknowledged" | "error"));
        let is_waiting = job["state"] == "transient_error" && job["error_count"].as_u64() >= Some(errors);
        (is_over || is_waiting).then_some(job)
    });
    let is_newest = |bytes: &[u8]| is_of(bytes, &versions[newest], row);
    let is_earlier = |bytes: &[u8]| is_of(bytes, &versions[0], row);
    let arrived = Arrived::of(&service.file(&got), is_newest, is_earlier);
    // Those that are over cannot be cancelled, and need not.
    service.bits(["cancel", &job]).finish();
    (told(row), row.expected, Outcome::of(&shown, arrived, None))
}

/// A job for the row, which waits long before it tries again by itself.
fn make(service: &Service, wild: &Wild, url: &str, got: &str, newest: &[u8], row: &Row) -> String {
    let id = service.bits(["create", got]).finish().expect_code(0).stdout.trim().to_owned();
    let properties = ["complete-when-done=true", "minimum-retry-delay=600"];
    service.bits(["set", &id]).args(properties).finish().expect_code(0);
    let url = match row.at {
        At::Squid => {
            let proxy = url.split('/').nth(2).expect("a URL has an authority");
            service.bits(["set", &id, &format!("proxy=http://{proxy}")]).finish().expect_code(0);
            url.replace(proxy, &wild.nginx)
        }
        At::Nginx | At::Apache => url.to_owned(),
    };
    let add = service.bits(["add", &id, &url, got]);
    let add = match row.is_given {
        true => {
            let known = service.file(format!("{}.known", got.replace('/', "-")));
            fs::write(&known, newest).expect("a world can be written to");
            add.arg(format!("--checksum=sha256:{}", sha256(known)))
        }
        false => add,
    };
    add.finish().expect_code(0);
    service.bits(["resume", &id]).finish().expect_code(0);
    id
}

/// What cuts the first connection of the row, if something does.
fn cut(peers: &Peers, wild: &Wild, row: &Row) -> Option<FaultProxy> {
    let how = if row.happens == Happens::Reset { "rst" } else { "fin" };
    let faults = ["--first", "1", "--drop-after", CUT_AFTER, "--how", how];
    (row.happens != Happens::Nothing).then(|| peers.faulty_address(address(wild, row.at), &faults))
}

fn address(wild: &Wild, at: At) -> &str {
    match at {
        At::Nginx => &wild.nginx,
        At::Apache => &wild.apache,
        At::Squid => &wild.squid,
    }
}

/// How old the other version is that appears after the cut, if one does.
fn age_of_change(row: &Row) -> Option<Duration> {
    match row.happens {
        Happens::Nothing | Happens::Cut | Happens::Reset | Happens::GoesStale => None,
        Happens::Changes | Happens::IsReplaced => Some(AGE / 2),
        Happens::IsDisguised => Some(AGE),
    }
}

/// A version of the file of a row; the same for the same numbers.
fn content(number: usize, version: u64, row: &Row) -> Vec<u8> {
    let mut random = Random::new(number as u64 * 2 + version + 1);
    let grows = if row.happens == Happens::Changes { version as usize * 77 } else { 0 };
    if row.way == "dynamic" {
        // The server puts another text at both ends with each answer.
        let stamp = if row.at == At::Apache { "UNIQUE_ID" } else { "connection" };
        let stamp = format!("<!--#echo var=\"{stamp}\" -->\n");
        return [stamp.as_bytes(), &vec![b'x'; SIZE], b"\n", stamp.as_bytes()].concat();
    }
    (0..SIZE + grows).map(|_| random.below(256) as u8).collect()
}

/// Whether `bytes` are what a server makes of `version`.
fn is_of(bytes: &[u8], version: &[u8], row: &Row) -> bool {
    if row.way != "dynamic" {
        return bytes == version;
    }
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    let &[first, middle, last] = lines.as_slice() else { return false };
    !first.is_empty() && first == last && middle.len() == SIZE && middle.bytes().all(|byte| byte == b'x')
}

/// Puts `content` under the name `path` at once, as a file that was changed so long ago; and packed
/// beside it.
fn publish(path: &Path, content: &[u8], age: Duration) {
    let put = |path: &Path, content: &[u8]| {
        let new = path.with_extension("new");
        fs::write(&new, content).expect("a file of the servers");
        let file = fs::File::options().write(true).open(&new).expect("it was just written");
        // Whole seconds, so that two files of one age have the same date.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(START.with(|start| *start));
        file.set_modified(now - age).expect("our own file");
        fs::rename(&new, path).expect("our own folder");
    };
    put(path, content);
    // It need only say that it is packed.
    put(&path.with_extension("bin.gz"), b"\x1f\x8b packed");
}

thread_local! {
    /// The same second for all that one hand publishes.
    static START: u64 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
}

fn show(service: &Service, id: &str) -> Value {
    service.bits(["show", id, "--json"]).finish().expect_code(0).json()
}

/// The row, for a person.
fn told(row: &Row) -> String {
    let given = if row.is_given { " (with a checksum)" } else { "" };
    format!("{} /{}/, {}{given}", row.at.name(), row.way, row.happens.name())
}
