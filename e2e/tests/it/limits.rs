//! Limits people set: how fast jobs are, when they run, and over how many connections, as a server sees it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bits_e2e::{Service, until};
use bits_testkit::UnkindOrigin;
use rustix::net::sockopt::set_socket_send_buffer_size;
use serde_json::Value;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);
const MIB: u64 = 1 << 20;

/// A server that sends as fast as it is let, and notes when it has sent what. `/NAME/SIZE` has SIZE bytes.
#[derive(Debug, Clone)]
struct Origin {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When, for which path, and how many bytes.
    sent: Vec<(Instant, String, u64)>,
    open: usize,
    open_most: usize,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let origin = Self { address, seen: Arc::default() };
        let serving = origin.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(stream));
            }
        });
        origin
    }

    fn url(&self, name: &str, size: u64) -> String {
        format!("http://{}/{name}/{size}", self.address)
    }

    fn serve(&self, stream: TcpStream) {
        // What waits in the system has been sent to nobody yet.
        set_socket_send_buffer_size(&stream, 64 * 1024).expect("a socket of our own");
        {
            let mut seen = self.seen();
            seen.open += 1;
            seen.open_most = seen.open_most.max(seen.open);
        }
        // Whoever has had enough hangs up.
        let _ = self.answer(&stream);
        self.seen().open -= 1;
    }

    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        loop {
            let Some(request) = lines.next() else { return Ok(()) };
            let request = request?;
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let size: u64 = path.rsplit('/').next().and_then(|size| size.parse().ok()).unwrap_or(0);
            write!(stream, "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: {size}\r\n\r\n")?;
            let mut left = size;
            while left > 0 {
                let count = left.min(16 * 1024);
                stream.write_all(&vec![7; count as usize])?;
                left -= count;
                self.seen().sent.push((Instant::now(), path.clone(), count));
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was sent in all of what begins with `path`.
    fn sent(&self, path: &str) -> u64 {
        self.seen().sent.iter().filter(|(_, of, _)| of.starts_with(path)).map(|(.., count)| count).sum()
    }

    /// Bytes per second of what begins with `path`, from `from` on and for as long as `time`.
    fn rate(&self, path: &str, from: Instant, time: Duration) -> f64 {
        until(PATIENCE, "the time to be measured is over", || (Instant::now() > from + time).then_some(()));
        let seen = self.seen();
        let within =
            seen.sent.iter().filter(|(at, of, _)| of.starts_with(path) && *at >= from && *at < from + time);
        within.map(|(.., count)| *count as f64).sum::<f64>() / time.as_secs_f64()
    }

    /// When so much of `path` had been sent.
    fn when_sent(&self, path: &str, count: u64) -> Instant {
        until(PATIENCE, format!("{count} bytes of {path} were sent"), || {
            (self.sent(path) >= count).then(Instant::now)
        })
    }
}

fn get(service: &Service, url: &str, name: &str, more: &[&str]) -> String {
    let words = ["get", url, name, "--detach"];
    service.bits(words).args(more).finish().expect_code(0).stdout.trim().to_owned()
}

fn show(service: &Service, id: &str) -> Value {
    service.bits(["show", id, "--json"]).finish().expect_code(0).json()
}

fn wait_until_done(service: &Service, id: &str) {
    until(PATIENCE, "the job is done", || (show(service, id)["state"] == "acknowledged").then_some(()));
}

/// How often a rate is measured: a busy machine may keep it down for a while.
const MEASURED_MAX: u32 = 4;

/// Waits until what comes from `from` on is as fast as it may be, for as long as `time`: of each path so many
/// bytes per second, within so many per cent. Of the first one there is never more.
#[track_caller]
fn comes_at(origin: &Origin, from: Instant, time: Duration, rates: &[(&str, u64, f64)]) {
    for round in 0..MEASURED_MAX {
        let mut is_near = true;
        for (number, (path, allowed, per_cent)) in rates.iter().enumerate() {
            let rate = origin.rate(path, from + time * round, time);
            let off = (rate / *allowed as f64 - 1.0) * 100.0;
            println!("{path}: {rate:.0} bytes per second where {allowed} are allowed: {off:+.1} %");
            assert!(number > 0 || off <= *per_cent, "{rate:.0} is more than {allowed}: {off:+.1} %");
            is_near &= off.abs() <= *per_cent;
        }
        if is_near {
            return;
        }
    }
    panic!("never as fast as {rates:?}");
}

#[test]
fn two_jobs_of_one_owner_share_what_all_may_have_and_no_more_comes() {
    let origin = Origin::start();
    let service = Service::new();
    service.configure("rate_limit = '2M'\n");
    let _bitsd = service.start();
    let ids = ["a", "b"].map(|name| get(&service, &origin.url(name, 48 * MIB), name, &[]));
    let from = origin.when_sent("/b", 512 * 1024).max(origin.when_sent("/a", 512 * 1024));
    let rates = [("/", 2 * MIB, 10.0), ("/a", MIB, 20.0), ("/b", MIB, 20.0)];
    comes_at(&origin, from, Duration::from_secs(8), &rates);
    // What is not limited any more is soon done.
    service.configure("");
    service.bits(["service", "reload"]).finish().expect_code(0);
    ids.iter().for_each(|id| wait_until_done(&service, id));
    assert_eq!(fs::read(service.file("b")).expect("it is there").len() as u64, 48 * MIB);
}

#[test]
fn a_limit_that_is_changed_in_the_middle_holds_for_what_still_comes() {
    let origin = Origin::start();
    let service = Service::new();
    let _bitsd = service.start();
    let id = get(&service, &origin.url("f", 160 * MIB), "f", &["--limit-rate", "1M"]);
    assert_eq!(show(&service, &id)["rate_limit"], MIB);
    let time = Duration::from_secs(4);
    let from = origin.when_sent("/f", MIB);
    comes_at(&origin, from, time, &[("/f", MIB, 15.0)]);
    service.bits(["set", &id, "rate-limit=6M"]).finish().expect_code(0);
    let from = origin.when_sent("/f", origin.sent("/f") + 3 * MIB);
    comes_at(&origin, from, time, &[("/f", 6 * MIB, 15.0)]);
    service.bits(["set", &id, "rate-limit=none"]).finish().expect_code(0);
    wait_until_done(&service, &id);
}

#[test]
fn many_small_files_and_a_file_of_this_machine_keep_to_the_limit_of_their_job() {
    let origin = Origin::start();
    let service = Service::new();
    let _bitsd = service.start();
    let list: String =
        (0..300).map(|n| format!("{} small/{n}\n", origin.url(&format!("s{n}"), 20_000))).collect();
    fs::create_dir(service.file("small")).expect("a folder");
    let words = ["get", "--input", "-", "--limit-rate", "200k", "--detach"];
    let id = service.bits(words).stdin(list).finish().expect_code(0).stdout.trim().to_owned();
    let from = origin.when_sent("/s", 200 * 1024);
    comes_at(&origin, from, Duration::from_secs(5), &[("/s", 200 * 1024, 25.0)]);
    service.bits(["set", &id, "rate-limit=none"]).finish().expect_code(0);
    wait_until_done(&service, &id);

    fs::write(service.file("here"), vec![3; 4 * MIB as usize]).expect("written");
    let url = format!("file://{}", service.file("here").display());
    let id = get(&service, &url, "copy", &["--limit-rate", "400k"]);
    let came = || show(&service, &id)["progress"]["bytes_transferred"].as_u64().unwrap_or(0);
    until(PATIENCE, "some of it has come", || (came() > 0).then_some(()));
    assert!(came() < 4 * MIB, "it takes its time");
    service.bits(["set", &id, "rate-limit=none"]).finish().expect_code(0);
    wait_until_done(&service, &id);
}

#[test]
fn a_job_that_may_not_run_now_says_so_and_goes_on_when_it_may() {
    let origin = Origin::start();
    let service = Service::new();
    // Half a day away there is a minute in which it may.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let open = (now / 3600 + 12) % 24;
    let stop = format!("daily {open:02}:01-{open:02}:00 stop");
    service.configure(&format!("rate_schedule = '{stop}'\n"));
    let _bitsd = service.start();
    let id = get(&service, &origin.url("f", 1000), "f", &["--priority", "normal"]);
    let job = until(PATIENCE, "it says why it waits", || {
        Some(show(&service, &id)).filter(|job| job["wait"]["reason"] == "policy")
    });
    assert_eq!(job["state"], "queued");
    assert!(job["wait"]["until"].is_string(), "{job}");
    let words = service.bits(["show", &id]).finish().expect_code(0).stdout;
    assert!(words.contains("The timetable (rate_schedule) does not let it run for another"), "{words}");
    // What a person waits for is nobody's background.
    let other = get(&service, &origin.url("g", 1000), "g", &[]);
    wait_until_done(&service, &other);
    assert_eq!(origin.sent("/f"), 0);

    // A timetable that is wrong changes nothing and is named.
    service.configure("rate_schedule = '''\nmon-fri 08:00-18:00 1M\nmon 09:00-10:00 stop\n'''\n");
    let refused = service.bits(["service", "reload"]).finish().expect_code(4);
    assert!(
        refused.stderr.contains("line 2: it is for a time and for jobs that line 1"),
        "{}",
        refused.stderr
    );
    assert_eq!(show(&service, &id)["wait"]["reason"], "policy");

    service.configure("log_level = 'debug'\n");
    let reloaded = service.bits(["service", "reload"]).finish().expect_code(0);
    assert!(
        reloaded.stderr.contains("in force only after `bits service restart`: log_level"),
        "{}",
        reloaded.stderr
    );
    wait_until_done(&service, &id);
}

#[test]
fn there_are_no_more_connections_to_one_server_than_may_be_and_who_waits_says_so() {
    let origin = Origin::start();
    let service = Service::new();
    service.configure("host_connections_max = 1\nrate_limit = '4M'\n");
    let _bitsd = service.start();
    let ids = ["a", "b", "c"].map(|name| get(&service, &origin.url(name, 6 * MIB), name, &[]));
    let waits = |id: &String| show(&service, id)["wait"]["reason"] == "connections";
    let job = until(PATIENCE, "one waits for a connection", || ids.iter().find(|id| waits(id)));
    let words = service.bits(["show", job]).finish().expect_code(0).stdout;
    assert!(words.contains("(host_connections_max)"), "{words}");
    // A second connection to a server of many small files is one too many, too.
    let list: String =
        (0..40).map(|n| format!("{} small/{n}\n", origin.url(&format!("s{n}"), 1000))).collect();
    fs::create_dir(service.file("small")).expect("a folder");
    let words = ["get", "--input", "-", "--detach"];
    let small = service.bits(words).stdin(list).finish().expect_code(0).stdout.trim().to_owned();
    ids.iter().chain([&small]).for_each(|id| wait_until_done(&service, id));
    assert_eq!(origin.seen().open_most, 1);
}

#[test]
fn jobs_that_are_led_to_each_others_servers_do_not_wait_for_connections_that_nobody_uses() {
    /// Less than a connection rests before it is closed.
    const SOON: Duration = Duration::from_secs(29);
    let origin = UnkindOrigin::start();
    let service = Service::new();
    service.configure("host_connections_max = 1\n");
    let mut ids = Vec::new();
    for (name, host) in [("one", "127.0.0.1"), ("two", "localhost"), ("three", "127.0.0.1")] {
        let url = origin.url(&format!("/redirect-cross-host/{name}?size=2000000&pace=5"));
        let url = url.replace("127.0.0.1", host);
        ids.push(get(&service, &url, name, &[]));
    }
    let began = Instant::now();
    for id in ids {
        service.bits(["watch", &id]).within(SOON.saturating_sub(began.elapsed())).finish().expect_code(0);
    }
}

/// So slow that nothing here would ever be done.
const CRAWL: &str = "2kbit";
const CRAWLS_FOR_EVER: u64 = 400_000;

/// Waits until some of the job has come, and says whether it is not all.
fn crawls(service: &Service, id: &str) -> bool {
    let job = until(PATIENCE, "some of it has come", || {
        Some(show(service, id)).filter(|job| job["progress"]["bytes_transferred"].as_u64() > Some(0))
    });
    job["state"] == "transferring" && job["progress"]["bytes_transferred"].as_u64() < Some(CRAWLS_FOR_EVER)
}

#[test]
fn each_limit_of_the_settings_holds_for_whom_it_is_for_and_lifted_lets_go_what_runs() {
    let origin = Origin::start();
    for (setting, limited, free) in [
        ("owner_rate_limit", "low", None),
        ("foreground_rate_limit", "foreground", Some("normal")),
        ("background_rate_limit", "high", Some("foreground")),
    ] {
        let service = Service::new();
        service.configure(&format!("{setting} = '{CRAWL}'\n"));
        let _bitsd = service.start();
        let slow = get(&service, &origin.url(setting, CRAWLS_FOR_EVER), "slow", &["--priority", limited]);
        assert!(crawls(&service, &slow), "{setting}");
        if let Some(free) = free {
            let other = get(&service, &origin.url("other", CRAWLS_FOR_EVER), "other", &["--priority", free]);
            wait_until_done(&service, &other);
            assert_eq!(show(&service, &slow)["state"], "transferring", "{setting}");
        }
        service.configure("");
        service.bits(["service", "reload"]).finish().expect_code(0);
        wait_until_done(&service, &slow);
    }
}

#[test]
fn a_shorter_time_to_download_ends_a_job_that_has_had_it_when_the_settings_are_read_again() {
    let origin = Origin::start();
    let service = Service::new();
    let crawling = format!("background_rate_limit = '{CRAWL}'\n");
    service.configure(&crawling);
    let _bitsd = service.start();
    let url = origin.url("f", CRAWLS_FOR_EVER);
    let [plain, own] = ["plain", "own"].map(|name| get(&service, &url, name, &["--priority", "normal"]));
    service.bits(["set", &own, "maximum-download-time=3600"]).finish().expect_code(0);
    assert!(crawls(&service, &plain) && crawls(&service, &own));
    service.configure(&(crawling + "max_download_time = 1\n"));
    let reloaded = service.bits(["service", "reload"]).finish().expect_code(0);
    assert!(!reloaded.stderr.contains("restart"), "{}", reloaded.stderr);
    let job = until(PATIENCE, "its time is over", || {
        Some(show(&service, &plain)).filter(|job| job["state"] == "error")
    });
    assert_eq!(job["error"]["code"], "0x80200054", "{job}");
    assert_eq!(show(&service, &own)["state"], "transferring", "its owner has said how long it may take");
    service.configure("");
    service.bits(["service", "reload"]).finish().expect_code(0);
    wait_until_done(&service, &own);
}

/// A minute of the day as a timetable has it.
fn clock(minute: u64) -> String {
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs()
}

#[test]
fn a_line_of_the_timetable_that_begins_holds_for_what_runs() {
    let origin = Origin::start();
    let service = Service::new();
    let crawl = format!("daily 00:00-24:00 normal,low {CRAWL}\n");
    service.configure(&format!("rate_schedule = '{}'\n", crawl.trim()));
    let bitsd = service.bitsd().env("TZ", "UTC0");
    let _bitsd = service.start_as(bitsd);
    let put_in_force = |lines: &str| {
        service.configure(&format!("rate_schedule = '''\n{lines}'''\n"));
        service.bits(["service", "reload"]).finish().expect_code(0);
    };
    // The lines that begin are put in force when the jobs crawl, and it is sure that they began by themselves
    // when the jobs were seen to crawl under them and before them: however long all that takes here, some
    // time ahead is long enough.
    let mut ahead = 10;
    let [free, stopped] = loop {
        let ids = ["normal", "low"].map(|priority| {
            let name = format!("{priority}-{ahead}");
            get(&service, &origin.url(&name, CRAWLS_FOR_EVER), &name, &["--priority", priority])
        });
        assert!(ids.iter().all(|id| crawls(&service, id)));
        let begins = (seconds_now() + ahead).div_ceil(60);
        let (begin, end) = (clock(begins), clock(begins + 12 * 60));
        put_in_force(&format!("daily {end}-{begin} normal,low {CRAWL}\ndaily {begin}-{end} low stop\n"));
        let crawl_still = ids.iter().all(|id| show(&service, id)["state"] == "transferring");
        if crawl_still && seconds_now() < begins * 60 {
            break ids;
        }
        put_in_force(&crawl);
        ids.iter().for_each(|id| drop(service.bits(["cancel", id]).finish()));
        ahead *= 2;
    };
    let is_over = Duration::from_secs(ahead + 60) + PATIENCE;
    until(is_over, "what has no limit any more is done", || {
        (show(&service, &free)["state"] == "acknowledged").then_some(())
    });
    let job = until(is_over, "what may not run any more has stopped", || {
        Some(show(&service, &stopped)).filter(|job| job["state"] == "queued")
    });
    assert_eq!(job["wait"]["reason"], "policy", "{job}");
    assert_ne!(job["progress"]["bytes_transferred"], 0, "what has come is kept: {job}");
}
