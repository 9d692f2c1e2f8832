//! What a long queue costs: adds that last, memory, the start, a page of the list, and rest.
//!
//! The service is asked over its socket, as any program would, for jobs of one file whose server takes
//! connections and says nothing. aria2 is asked for the same over its own interface, with ten thousand
//! downloads at most: beyond that it takes hours. What jobs cost that move is not measured here.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection as Database;

use crate::aria2::Aria2;
use crate::contest::Setup;
use crate::http::Connection;
use crate::measure::{self, Woken, median};
use crate::service::Service;

/// Adds in lock-step to a new service, and transactions of the loop that they are compared with.
const LOCK_STEP: usize = 2000;
/// How often both are measured, one after the other: a disk that others share has good and bad seconds.
const ROUNDS: usize = 7;
/// Programs that add at the same time, and adds of each.
const IN_FLIGHT: usize = 64;
const ADDS_OF_EACH: usize = 100;
/// Jobs in one call.
const PER_CALL: usize = 1000;
/// Pages of the list.
const PAGES: usize = 100;
/// Jobs that rest while the service is watched, and for how long.
const RESTING: usize = 10_000;
const REST: Duration = Duration::from_secs(30);
/// Longer than the service keeps threads that have nothing to do.
const IDLE_THREADS_KEPT: Duration = Duration::from_secs(15);
/// Crashes between which jobs are added, and adds before each.
const CRASHES: usize = 5;
const ADDS_BEFORE_CRASH: usize = 300;
/// Downloads that aria2 gets.
const ARIA2_MAX: usize = 10_000;

/// Measures queues of up to `jobs_max` jobs.
pub(crate) fn measure(setup: &Setup<'_>, jobs_max: usize) -> Result<(), String> {
    println!("\na queue of up to {jobs_max} jobs");
    let (empty, wall) = adds_to_an_empty_queue(setup)?;
    let mut queue = Filled::new(setup)?;
    for count in [jobs_max / 10, jobs_max] {
        queue.fill(count)?;
        queue.look(count)?;
    }
    let full = queue.cost_of_an_add()?;
    say("an add to the full queue, CPU, x of one to an empty queue", full.cpu / empty.cpu, Some((2.0, 1.0)));
    say("the same by the clock", full.wall / wall, None);
    drop(queue);
    rest(setup)?;
    crashes(setup)?;
    aria2(setup)
}

/// A line of the table, with the most that must be and what is aimed at.
fn say(what: &str, value: f64, most: Option<(f64, f64)>) {
    let verdict = most.map(|(must, aim)| {
        let outcome = if value <= must { "met" } else { "NOT MET" };
        format!("at most {must}, aim {aim}: {outcome}")
    });
    println!("{what:<64}{value:>12.3}  {}", verdict.unwrap_or_default());
}

/// The same where more is better.
fn say_at_least(what: &str, value: f64, must: f64, aim: f64) {
    let outcome = if value >= must { "met" } else { "NOT MET" };
    println!("{what:<64}{value:>12.3}  at least {must}, aim {aim}: {outcome}");
}

/// Transactions a second of a loop that does nothing else, with rows as large as a job's and its file's.
fn floor(folder: &Path) -> Result<f64, String> {
    let failed = |error: rusqlite::Error| format!("SQLite: {error}");
    let database = Database::open(folder.join("floor.db")).map_err(failed)?;
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE jobs (id BLOB PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
             CREATE TABLE files (job BLOB, file INTEGER, row TEXT NOT NULL, PRIMARY KEY (job, file)) WITHOUT ROWID;",
        )
        .map_err(failed)?;
    let row = "x".repeat(200);
    let began = Instant::now();
    for number in 0..LOCK_STEP {
        // Spread like the ids of jobs.
        let id = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        let transaction = database.unchecked_transaction().map_err(failed)?;
        let rows = database
            .prepare_cached("INSERT INTO jobs VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute((id, &row)))
            .and_then(|_| database.prepare_cached("INSERT INTO files VALUES (?1, 0, ?2)"))
            .and_then(|mut insert| insert.execute((id, &row)));
        rows.and_then(|_| transaction.commit()).map_err(failed)?;
    }
    Ok(LOCK_STEP as f64 / began.elapsed().as_secs_f64())
}

/// What an add costs, in seconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

/// A service whose jobs never get an answer.
struct Queue<'a> {
    service: Service<'a>,
    socket: PathBuf,
    server: Silent,
    folder: PathBuf,
    added: usize,
}

impl<'a> Queue<'a> {
    fn start(setup: &'a Setup<'_>, home: &Path) -> Result<Self, String> {
        let service = setup.service(home)?;
        let folder = home.join("files");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let socket = home.join("state/bits/bitsd.sock");
        Ok(Self { service, socket, server: Silent::start()?, folder, added: 0 })
    }

    /// The body of one more job.
    fn job(&mut self, resume: bool) -> String {
        self.added += 1;
        job(self.added, self.server.port, &self.folder, resume)
    }

    fn lock_step(&mut self, count: usize, resume: bool) -> Result<Cost, String> {
        let mut connection = Connection::to_socket(&self.socket)?;
        let jobs: Vec<String> = (0..count).map(|_| self.job(resume)).collect();
        let (cpu, began) = (self.service.cpu()?, Instant::now());
        for job in &jobs {
            connection.ask("POST", "/v1/jobs", job)?;
        }
        let wall = began.elapsed().as_secs_f64() / count as f64;
        Ok(Cost { cpu: (self.service.cpu()? - cpu) / count as f64, wall })
    }

    /// Adds `count` jobs in large calls; how long that took, in seconds.
    fn in_calls(&mut self, count: usize, resume: bool) -> Result<f64, String> {
        let mut connection = Connection::to_socket(&self.socket)?;
        let mut took = 0.0;
        let mut left = count;
        while left > 0 {
            let now = left.min(PER_CALL);
            let jobs: Vec<String> = (0..now).map(|_| self.job(resume)).collect();
            let body = format!("{{\"jobs\":[{}]}}", jobs.join(","));
            let began = Instant::now();
            let answer = connection.ask("POST", "/v1/jobs/create_many", &body)?;
            took += began.elapsed().as_secs_f64();
            if answer.contains("problem") {
                return Err(format!("a job was refused: {}", answer.chars().take(400).collect::<String>()));
            }
            left -= now;
        }
        Ok(took)
    }
}

fn job(number: usize, port: u16, folder: &Path, resume: bool) -> String {
    format!(
        r#"{{"display_name":"job {number}","files":[{{"remote_name":"http://127.0.0.1:{port}/{number}","local_name":"{}/{number}"}}],"resume":{resume}}}"#,
        folder.display()
    )
}

/// Says what adds come to; what one costs in lock-step.
fn adds_to_an_empty_queue(setup: &Setup<'_>) -> Result<(Cost, f64), String> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let floor = floor(setup.folder()?.path())?;
        let home = setup.folder()?;
        rounds.push((floor, Queue::start(setup, home.path())?.lock_step(LOCK_STEP, false)?));
    }
    let of_all = |value: fn(&(f64, Cost)) -> f64| median(rounds.iter().map(value));
    say("a bare SQLite commit loop, transactions/s", of_all(|(floor, _)| *floor), None);
    let cost = Cost { cpu: of_all(|(_, cost)| cost.cpu), wall: of_all(|(_, cost)| cost.wall) };
    say("an add in lock-step, ms", cost.wall * 1e3, None);
    say("an add in lock-step, CPU ms", cost.cpu * 1e3, None);
    let ratio = |(floor, cost): &(f64, Cost)| 1.0 / cost.wall / floor;
    say_at_least("adds in lock-step, x of the commit loop", of_all(ratio), 0.6, 0.9);
    let ratios: Vec<String> = rounds.iter().map(|round| format!("{:.2}", ratio(round))).collect();
    println!("  in each round: {}", ratios.join(" "));

    let home = setup.folder()?;
    let mut queue = Queue::start(setup, home.path())?;
    let (socket, port, folder) = (queue.socket.clone(), queue.server.port, queue.folder.clone());
    let began = Instant::now();
    let outcomes: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let adding: Vec<_> = (0..IN_FLIGHT)
            .map(|program| {
                let (socket, folder) = (&socket, &folder);
                scope.spawn(move || {
                    let mut connection = Connection::to_socket(socket)?;
                    for number in 0..ADDS_OF_EACH {
                        let number = 1_000_000 + program * ADDS_OF_EACH + number;
                        connection.ask("POST", "/v1/jobs", &job(number, port, folder, false))?;
                    }
                    Ok(())
                })
            })
            .collect();
        adding.into_iter().map(|adding| adding.join().expect("it does not panic")).collect()
    });
    outcomes.into_iter().collect::<Result<(), String>>()?;
    let count = (IN_FLIGHT * ADDS_OF_EACH) as f64;
    say_at_least("adds with 64 in flight, /s", count / began.elapsed().as_secs_f64(), 2000.0, 10_000.0);
    let count = 100 * PER_CALL;
    say_at_least(
        "adds in calls of 1,000, /s",
        count as f64 / queue.in_calls(count, false)?,
        50_000.0,
        200_000.0,
    );
    Ok((cost, cost.wall))
}

/// A queue that becomes longer.
struct Filled<'a> {
    setup: &'a Setup<'a>,
    // Before the folder it is in.
    queue: Option<Queue<'a>>,
    home: tempfile::TempDir,
}

impl<'a> Filled<'a> {
    fn new(setup: &'a Setup<'a>) -> Result<Self, String> {
        let home = setup.folder()?;
        let queue = Some(Queue::start(setup, home.path())?);
        Ok(Self { setup, queue, home })
    }

    fn queue(&mut self) -> &mut Queue<'a> {
        self.queue.as_mut().expect("it is there but while it starts")
    }

    /// Adds jobs that wait for their turn until there are `count`.
    fn fill(&mut self, count: usize) -> Result<(), String> {
        let queue = self.queue();
        queue.in_calls(count - queue.added, true).map(drop)
    }

    fn look(&mut self, count: usize) -> Result<(), String> {
        let (is_full, queue) = (count >= 1_000_000, self.queue());
        let named = |what: &str| format!("{what}, {count} jobs queued");
        let pages = pages(&queue.socket)?;
        say(&named("a page of 100, ms"), pages * 1e3, is_full.then_some((5.0, 1.0)));
        let most = if is_full { (150.0, 40.0) } else { (60.0, 20.0) };
        say(&named("RSS of the service that added them, MiB"), queue.service.resident_mib()?, Some(most));
        let start = self.start_again()?;
        let most = if is_full { (2.0, 0.5) } else { (0.2, 0.05) };
        say(&named("start until a job asks its server, s"), start, Some(most));
        let mut connection = Connection::to_socket(&self.queue().socket)?;
        connection.ask("GET", "/v1/jobs?limit=1", "")?;
        let settled = settled(&self.queue().service)?;
        say(&named("CPU s until all are taken over and gone through"), settled, None);
        let most = if is_full { (150.0, 40.0) } else { (60.0, 20.0) };
        say(&named("RSS of one that found them, MiB"), self.queue().service.resident_mib()?, Some(most));
        Ok(())
    }

    /// Kills the service and starts it; seconds until a job's server hears of it.
    fn start_again(&mut self) -> Result<f64, String> {
        let Queue { service, socket, server, folder, added } = self.queue.take().expect("it is there");
        service.kill();
        server.heard.try_iter().for_each(drop);
        let began = Instant::now();
        let service = self.setup.service(self.home.path())?;
        let heard = server.heard.recv_timeout(Duration::from_secs(60));
        let took = heard.map_err(|_| "no job runs after the start".to_owned())?.duration_since(began);
        self.queue = Some(Queue { service, socket, server, folder, added });
        Ok(took.as_secs_f64())
    }

    fn cost_of_an_add(&mut self) -> Result<Cost, String> {
        self.queue().lock_step(LOCK_STEP, false)
    }
}

/// Waits until a service that has just started has done what it does besides; its CPU seconds until then.
fn settled(service: &Service) -> Result<f64, String> {
    // It goes through a queue it has found some seconds after the start.
    std::thread::sleep(Duration::from_secs(8));
    let mut before = service.cpu()?;
    loop {
        std::thread::sleep(Duration::from_secs(2));
        let now = service.cpu()?;
        if now - before < 0.02 {
            return Ok(now);
        }
        before = now;
    }
}

/// Seconds that a page of the list takes, as a program goes through it.
fn pages(socket: &Path) -> Result<f64, String> {
    let mut connection = Connection::to_socket(socket)?;
    let mut cursor = String::new();
    let mut took = Vec::new();
    for _ in 0..PAGES {
        let began = Instant::now();
        let page = connection.ask("GET", &format!("/v1/jobs?limit=100{cursor}"), "")?;
        took.push(began.elapsed().as_secs_f64());
        // The last page has none, and the first one is next.
        let next = page.rsplit_once("\"next\":\"").and_then(|(_, rest)| rest.split('"').next());
        cursor = next.map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    Ok(median(took.into_iter()))
}

/// What the service does while all its jobs rest.
fn rest(setup: &Setup<'_>) -> Result<(), String> {
    let home = setup.folder()?;
    let mut queue = Queue::start(setup, home.path())?;
    queue.in_calls(RESTING, false)?;
    wait_for_threads_to_end(&queue.service)?;
    let (cpu, before) = (queue.service.cpu()?, queue.service.sleeps()?);
    std::thread::sleep(REST);
    say("CPU s in 30 s with 10,000 jobs suspended", queue.service.cpu()? - cpu, Some((0.03, 0.0)));
    let Woken { times, ended } = queue.service.sleeps()?.since(&before);
    let what = match ended {
        0 => "times any of its threads woke meanwhile".to_owned(),
        ended => format!("the same of all but {ended} threads that ended, at least"),
    };
    say(&what, times as f64, None);
    Ok(())
}

/// Waits until the threads have ended that were there for what the service did before.
fn wait_for_threads_to_end(service: &Service) -> Result<(), String> {
    let deadline = Instant::now() + 5 * IDLE_THREADS_KEPT;
    let mut before = service.sleeps()?;
    while Instant::now() < deadline {
        std::thread::sleep(IDLE_THREADS_KEPT);
        let now = service.sleeps()?;
        if now.has_threads_of(&before) {
            return Ok(());
        }
        before = now;
    }
    // Whoever measures sees which end later.
    Ok(())
}

/// Whether a crash loses what was acknowledged.
fn crashes(setup: &Setup<'_>) -> Result<(), String> {
    let home = setup.folder()?;
    let mut acknowledged = Vec::new();
    let mut number = 0;
    for crash in 0..CRASHES {
        let queue = Queue::start(setup, home.path())?;
        let mut connection = Connection::to_socket(&queue.socket)?;
        // Another program adds until it is cut off, so that there is always something under way.
        let (socket, port, folder) = (queue.socket.clone(), queue.server.port, queue.folder.clone());
        let other = std::thread::spawn(move || {
            let Ok(mut connection) = Connection::to_socket(&socket) else { return };
            while connection.ask("POST", "/v1/jobs", &job(0, port, &folder, true)).is_ok() {}
        });
        for _ in 0..ADDS_BEFORE_CRASH + 37 * crash {
            number += 1;
            let answer =
                connection.ask("POST", "/v1/jobs", &job(number, queue.server.port, &queue.folder, true))?;
            let id = answer.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next());
            acknowledged.push(id.ok_or("an answer without an id")?.to_owned());
        }
        queue.service.kill();
        other.join().expect("it does not panic");
    }
    let queue = Queue::start(setup, home.path())?;
    let mut connection = Connection::to_socket(&queue.socket)?;
    let lost = acknowledged.iter().filter(|id| connection.ask("GET", &format!("/v1/jobs/{id}"), "").is_err());
    say(
        &format!("of {} acknowledged jobs, lost by {CRASHES} kills", acknowledged.len()),
        lost.count() as f64,
        Some((0.0, 0.0)),
    );
    Ok(())
}

/// The same for aria2, as far as it goes.
fn aria2(setup: &Setup<'_>) -> Result<(), String> {
    let home = setup.folder()?;
    let Some(aria2) = Aria2::start(home.path())? else {
        println!("aria2 is not installed");
        return Ok(());
    };
    let server = Silent::start()?;
    let mut connection = aria2.connect()?;
    let mut acknowledged = Vec::new();
    let add = |connection: &mut Connection, acknowledged: &mut Vec<String>, count: usize| {
        let (cpu, began) = (measure::cpu_of(aria2.pid())?, Instant::now());
        for _ in 0..count {
            let url = format!("http://127.0.0.1:{}/{}", server.port, acknowledged.len());
            acknowledged.push(aria2.add(connection, &url)?);
        }
        let wall = began.elapsed().as_secs_f64() / count as f64;
        Ok::<_, String>(Cost { cpu: (measure::cpu_of(aria2.pid())? - cpu) / count as f64, wall })
    };
    const SAMPLE: usize = 500;
    let first = add(&mut connection, &mut acknowledged, SAMPLE)?;
    say("aria2: an add to an empty queue, not durable, CPU ms", first.cpu * 1e3, None);
    say("aria2: adds in lock-step, /s", 1.0 / first.wall, None);
    add(&mut connection, &mut acknowledged, ARIA2_MAX - 2 * SAMPLE)?;
    let last = add(&mut connection, &mut acknowledged, SAMPLE)?;
    say("aria2: an add with 10,000 queued, CPU ms", last.cpu * 1e3, None);
    say("aria2: adds in lock-step then, /s", 1.0 / last.wall, None);
    say("aria2: RSS with 10,000 queued, MiB", measure::resident_mib(aria2.pid())?, None);
    let has = aria2.downloads()?;
    if let Some(gone) = acknowledged.iter().find(|id| !has.contains(*id)) {
        println!("aria2: download {gone} is gone without a kill: what one loses cannot be measured");
        return Ok(());
    }
    // As for the service, the kill comes right behind an answer.
    add(&mut connection, &mut acknowledged, ADDS_BEFORE_CRASH)?;
    let has = aria2.crash()?.downloads()?;
    let lost = acknowledged.iter().filter(|id| !has.contains(*id)).count();
    let what = format!("aria2: of {} acknowledged downloads, lost by one kill", acknowledged.len());
    say(&what, lost as f64, None);
    Ok(())
}

/// A server that takes connections and never answers; it says when each came.
struct Silent {
    port: u16,
    heard: Receiver<Instant>,
}

impl Silent {
    fn start() -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let (say, heard) = channel();
        std::thread::spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            for connection in listener.incoming().flatten() {
                held.push(connection);
                if say.send(Instant::now()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { port, heard })
    }
}
