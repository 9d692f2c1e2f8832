//! A program that means ill: it sends heads a byte at a time, halves of requests, heads without end
//! and bytes that mean nothing, reads no answers, and holds as many connections as it gets.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bits_e2e::Random;
use serde_json::json;

use super::another;

/// Set for the process that is hostile: the socket, and for how many milliseconds.
const SOCKET: &str = "BITS_E2E_HOSTILE_SOCKET";
const LASTS: &str = "BITS_E2E_HOSTILE_MILLISECONDS";
/// Longer than it may take to end.
const LONGER: Duration = Duration::from_secs(60);
/// Connections of each bad habit at a time.
const EACH: usize = 30;
/// More than one process may have.
const HOARDED: usize = 300;
/// What a byte of a slow head is followed by.
const SLOWLY: Duration = Duration::from_millis(100);
/// How long an answer to a bad request is waited for, and one to a good one that is too many.
const SOON: Duration = Duration::from_millis(500);
const LATER: Duration = Duration::from_secs(5);

/// Attacks the service at `socket` for as long as `lasts`, from a process of its own; what that has
/// met, as a line of JSON.
pub(super) fn attack(socket: &Path, lasts: Duration) -> String {
    let variables = [(SOCKET, socket.display().to_string()), (LASTS, lasts.as_millis().to_string())];
    let ended =
        another("load::hostile::a_hostile_program_lives_as_long_as_it_is_told", &variables, lasts + LONGER);
    let ended = ended.finish().expect_code(0);
    let line = ended.stdout.lines().find_map(|line| line.strip_prefix("met "));
    line.unwrap_or_else(|| panic!("{ended}")).to_owned()
}

/// The process that is hostile; on its own it has nothing to do.
#[test]
fn a_hostile_program_lives_as_long_as_it_is_told() {
    let (Some(socket), Some(lasts)) = (std::env::var_os(SOCKET), crate::storm::number(LASTS)) else { return };
    let ill = Ill { socket: socket.into(), stopping: AtomicBool::new(false), met: Mutex::default() };
    thread::scope(|scope| {
        for number in 0..EACH as u64 {
            let ill = &ill;
            let habits: [fn(&Ill, u64); 5] =
                [Ill::send_slowly, Ill::send_half, Ill::read_nothing, Ill::send_too_much, Ill::send_noise];
            for habit in habits {
                scope.spawn(move || {
                    while !ill.is_over() {
                        habit(ill, number);
                    }
                });
            }
        }
        scope.spawn(|| ill.hoard());
        thread::sleep(Duration::from_millis(lasts));
        // Where the machine has other work, it takes longer until there are too many.
        let end = Instant::now() + LONGER / 2;
        while !ill.has_met("refused_as_too_many") && Instant::now() < end {
            thread::sleep(SLOWLY);
        }
        ill.stopping.store(true, Ordering::Relaxed);
    });
    let met = ill.met.into_inner().expect("nobody panics with it");
    println!("met {}", json!(met));
}

struct Ill {
    socket: PathBuf,
    stopping: AtomicBool,
    met: Mutex<BTreeMap<&'static str, u64>>,
}

impl Ill {
    fn is_over(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn count(&self, what: &'static str) {
        *self.met.lock().expect("nobody panics with it").entry(what).or_default() += 1;
    }

    fn has_met(&self, what: &str) -> bool {
        self.met.lock().expect("nobody panics with it").contains_key(what)
    }

    fn connect(&self) -> Option<UnixStream> {
        let stream = UnixStream::connect(&self.socket).ok();
        self.count(if stream.is_some() { "connected" } else { "not_connected" });
        let stream = stream?;
        stream.set_read_timeout(Some(SOON)).ok()?;
        stream.set_write_timeout(Some(SOON)).ok()?;
        Some(stream)
    }

    /// Reads what is said, if anything, and counts it.
    fn hear(&self, stream: &mut UnixStream) {
        let mut head = [0; 12];
        let what = match stream.read_exact(&mut head) {
            Err(_) => "no_answer",
            Ok(()) => match &head[9..] {
                b"429" => "refused_as_too_many",
                b"431" => "cut_for_a_long_head",
                b"408" => "cut_for_a_late_body",
                b"400" => "answered_400",
                _ => "answered_otherwise",
            },
        };
        self.count(what);
    }

    /// As long as `time`, or until it is over.
    fn rest(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_over() && Instant::now() < end {
            thread::sleep(SLOWLY.min(time));
        }
    }

    fn send_slowly(&self, _: u64) {
        let Some(mut stream) = self.connect() else { return self.rest(SOON) };
        for byte in b"GET /v1/about HTTP/1.1\r\nHost: bits\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'))
        {
            if self.is_over() || stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(SLOWLY);
        }
    }

    fn send_half(&self, _: u64) {
        let Some(mut stream) = self.connect() else { return self.rest(SOON) };
        let head = "POST /v1/jobs HTTP/1.1\r\nHost: bits\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"disp";
        let _ = stream.write_all(head.as_bytes());
        self.rest(Duration::from_secs(40));
        self.hear(&mut stream);
    }

    fn read_nothing(&self, _: u64) {
        let Some(mut stream) = self.connect() else { return self.rest(SOON) };
        for _ in 0..100 {
            let ask = b"GET /v1/jobs?limit=1000 HTTP/1.1\r\nHost: bits\r\n\r\n";
            if self.is_over() || stream.write_all(ask).is_err() {
                break;
            }
        }
        self.rest(Duration::from_secs(90));
    }

    fn send_too_much(&self, _: u64) {
        let Some(mut stream) = self.connect() else { return self.rest(SOON) };
        let _ = stream.write_all(b"GET /v1/about HTTP/1.1\r\nHost: bits\r\n");
        let _ = stream.write_all(format!("X-Much: {}\r\n\r\n", "y".repeat(300_000)).as_bytes());
        self.hear(&mut stream);
        self.rest(SLOWLY);
    }

    fn send_noise(&self, number: u64) {
        let Some(mut stream) = self.connect() else { return self.rest(SOON) };
        let mut random = Random::new(number);
        let noise: Vec<u8> = (0..1000).map(|_| random.below(256) as u8).collect();
        let _ = stream.write_all(&noise);
        let _ = stream.write_all(b"\r\n\r\n");
        self.hear(&mut stream);
        self.rest(SLOWLY);
    }

    /// Holds more connections than it can have.
    fn hoard(&self) {
        let mut held = Vec::new();
        while !self.is_over() {
            let Some(mut stream) = self.connect() else {
                self.rest(SOON);
                continue;
            };
            if held.len() < HOARDED {
                held.push(stream);
                continue;
            }
            // To be refused takes its turn, too.
            let _ = stream.set_read_timeout(Some(LATER));
            let _ = stream.write_all(b"GET /v1/about HTTP/1.1\r\nHost: bits\r\n\r\n");
            self.hear(&mut stream);
            // Those that were cut make place for others.
            held.remove(0);
            self.rest(SLOWLY);
        }
    }
}
