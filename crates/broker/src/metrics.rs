//! What the service counts of itself, for `GET /v1/metrics`.
//!
//! Sums over all jobs alone: no label names a job, an address or a user. Counts begin with the
//! service and are kept nowhere; nothing is decided by them.

mod open_metrics;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bits_core::error::{Code, JobError};
use bits_core::file::{File, FileIndex};
use bits_core::job::JobId;
use bits_core::pacing::Standing;
use bits_core::ports::StateName;
use bits_core::queue::{Report, Turns};
use bits_core::units::Bytes;
use bits_worker::pacing::{Direction, Pacing};

use open_metrics::{Kind, Text};

/// Bounds of the time that a commit takes, in microseconds: from a fast disk to one that is in trouble.
const COMMIT_BOUNDS: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// The counts of one service. Clones are the same counts.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    attempts: AtomicU64,
    durable_bytes: AtomicU64,
    files_transferred: AtomicU64,
    commit_failures: AtomicU64,
    commit_micros: AtomicU64,
    /// One for each bound, and one for all beyond.
    commits: [AtomicU64; COMMIT_BOUNDS.len() + 1],
    errors: Mutex<BTreeMap<(&'static str, bool), u64>>,
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// How far the files of running jobs are counted.
    counted: Mutex<HashMap<JobId, HashMap<FileIndex, Bytes>>>,
    store_files: OnceLock<Vec<PathBuf>>,
    pacing: OnceLock<Pacing>,
}

/// What is not counted but looked at when somebody asks.
#[derive(Debug)]
pub(crate) struct Now<'a> {
    pub(crate) version: &'a str,
    pub(crate) jobs: Vec<(StateName, u64)>,
    pub(crate) turns: Vec<Turns>,
    /// Requests that the engine has not answered.
    pub(crate) waiting: usize,
    pub(crate) connections: usize,
}

impl Metrics {
    /// Says which files hold the queue.
    pub fn watch_store(&self, files: Vec<PathBuf>) {
        // There is one store.
        let _ = self.0.store_files.set(files);
    }

    /// Says who keeps transfers polite.
    pub fn watch_pacing(&self, pacing: Pacing) {
        // There is one worker.
        let _ = self.0.pacing.set(pacing);
    }

    /// An attempt begins with these files, of which so much is here already.
    pub(crate) fn begun(&self, job: JobId, files: &[File]) {
        add(&self.0.attempts, 1);
        let known = files.iter().filter(|file| file.durable > Bytes::ZERO);
        lock(&self.0.counted).insert(job, known.map(|file| (file.index, file.durable)).collect());
    }

    /// What a worker has reported.
    pub(crate) fn reported(&self, job: JobId, report: &Report) {
        match report {
            Report::Version { file, .. } => self.count_to(job, *file, Bytes::ZERO),
            Report::Durable { file, upto, .. } => self.count_to(job, *file, *upto),
            Report::Filled { file, filled, .. } => self.count_to(job, *file, filled.total()),
            Report::FileTransferred { file, size, .. } => {
                self.count_to(job, *file, *size);
                add(&self.0.files_transferred, 1);
            }
            Report::SmallFiles { files, .. } => {
                add(&self.0.files_transferred, files.len() as u64);
                add(&self.0.durable_bytes, files.iter().map(|file| file.size.0).sum());
            }
            Report::FilePassedOver { error, .. } => self.failed(error),
            Report::Failed { error, .. } => {
                self.failed(error);
                lock(&self.0.counted).remove(&job);
            }
            Report::FilesTransferred { .. } | Report::Satisfied { .. } => {
                lock(&self.0.counted).remove(&job);
            }
            Report::Finalized { error, .. } => {
                if let Some(error) = error {
                    self.failed(error);
                }
            }
            Report::Connected { .. }
            | Report::AwaitsConnection { .. }
            | Report::Headers { .. }
            | Report::RemoteName { .. }
            | Report::Sources { .. }
            | Report::Beyond { .. }
            | Report::Progress { .. }
            | Report::Note { .. }
            | Report::Told { .. }
            | Report::Discarded { .. } => {}
        }
    }

    /// An attempt was stopped.
    pub(crate) fn stopped(&self, job: JobId) {
        lock(&self.0.counted).remove(&job);
    }

    /// A job has met an error.
    pub(crate) fn failed(&self, error: &JobError) {
        *lock(&self.0.errors).entry((class(error.code), error.transient)).or_default() += 1;
    }

    /// Changes were committed, or could not be.
    pub(crate) fn committed(&self, took: Duration, is_written: bool) {
        if !is_written {
            add(&self.0.commit_failures, 1);
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = COMMIT_BOUNDS.partition_point(|bound| *bound < micros);
        add(&self.0.commits[bucket], 1);
        add(&self.0.commit_micros, micros);
    }

    /// A request for `operation` was answered with `status`.
    pub(crate) fn answered(&self, operation: &'static str, status: u16) {
        *lock(&self.0.requests).entry((operation, status)).or_default() += 1;
    }

    /// Counts what is durable of `file` beyond what was counted; less means that it begins anew.
    fn count_to(&self, job: JobId, file: FileIndex, upto: Bytes) {
        let mut counted = lock(&self.0.counted);
        // What is late is counted with the next attempt, which begins where the store is.
        let Some(files) = counted.get_mut(&job) else { return };
        let known = files.insert(file, upto).unwrap_or(Bytes::ZERO);
        add(&self.0.durable_bytes, upto.0.saturating_sub(known.0));
    }

    /// All of it, as OpenMetrics text.
    pub(crate) fn text(&self, now: &Now<'_>) -> String {
        let counts = &*self.0;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut text = Text::default();
        text.family("openbits_build", Kind::Info, None, "The service.")
            .sample(&[("version", now.version)], 1);
        let mut jobs = text.family("openbits_jobs", Kind::Gauge, None, "Jobs that are not final, by state.");
        for (state, count) in &now.jobs {
            jobs.sample(&[("state", state)], count);
        }
        let help = "Jobs that have their turn (running) or wait for it (runnable), by priority.";
        let mut turns = text.family("openbits_scheduled_jobs", Kind::Gauge, None, help);
        for Turns { priority, running, runnable } in &now.turns {
            for (turn, count) in [("running", running), ("runnable", runnable)] {
                turns.sample(&[("priority", priority.name()), ("turn", turn)], count);
            }
        }
        text.family("openbits_attempts", Kind::Counter, None, "Attempts that were begun.")
            .sample(&[], read(&counts.attempts));
        let help = "Bytes of files that were received and are on the disk for sure.";
        text.family("openbits_received_bytes", Kind::Counter, Some("bytes"), help)
            .sample(&[], read(&counts.durable_bytes));
        text.family("openbits_files_transferred", Kind::Counter, None, "Files that have come whole.")
            .sample(&[], read(&counts.files_transferred));
        let help = "Errors that jobs have met, by the kind of their code.";
        let mut errors = text.family("openbits_errors", Kind::Counter, None, help);
        for ((class, transient), count) in &*lock(&counts.errors) {
            let transient = if *transient { "true" } else { "false" };
            errors.sample(&[("class", class), ("transient", transient)], count);
        }
        let mut up_to = 0;
        let buckets = COMMIT_BOUNDS.iter().zip(&counts.commits).map(|(bound, count)| {
            up_to += read(count);
            (seconds(*bound), up_to)
        });
        let buckets: Vec<_> = buckets.collect();
        let commits = up_to + read(&counts.commits[COMMIT_BOUNDS.len()]);
        let help = "How long the commits of the queue took.";
        text.family("openbits_commit_duration_seconds", Kind::Histogram, Some("seconds"), help).histogram(
            &buckets,
            commits,
            seconds(read(&counts.commit_micros)),
        );
        text.family("openbits_commit_failures", Kind::Counter, None, "Commits that could not be written.")
            .sample(&[], read(&counts.commit_failures));
        let help = "Requests that the engine has not answered yet.";
        text.family("openbits_waiting_requests", Kind::Gauge, None, help).sample(&[], now.waiting);
        text.family("openbits_connections", Kind::Gauge, None, "Programs that are connected.")
            .sample(&[], now.connections);
        let help = "Answers of the local API, by operation and HTTP status.";
        let mut requests = text.family("openbits_requests", Kind::Counter, None, help);
        for ((operation, status), count) in &*lock(&counts.requests) {
            requests.sample(&[("operation", operation), ("status", &status.to_string())], count);
        }
        if let Some(files) = counts.store_files.get() {
            let bytes: u64 =
                files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum();
            text.family(
                "openbits_store_bytes",
                Kind::Gauge,
                Some("bytes"),
                "What the queue takes on the disk.",
            )
            .sample(&[], bytes);
        }
        if let Some(pacing) = counts.pacing.get() {
            let help = "Bottlenecks at which background transfers are kept polite, by where that stands.";
            let mut paced = text.family("openbits_paced_links", Kind::Gauge, None, help);
            for ((direction, standing), count) in tally(pacing.standings()) {
                paced.sample(&[("direction", direction), ("standing", standing)], count);
            }
        }
        text.finish()
    }
}

fn tally(standings: Vec<(Direction, Standing)>) -> BTreeMap<(&'static str, &'static str), u64> {
    let mut tally = BTreeMap::new();
    for (direction, standing) in standings {
        let direction = match direction {
            Direction::Download => "download",
            Direction::Upload => "upload",
        };
        let standing = match standing {
            Standing::Start => "start",
            Standing::Cruise => "cruise",
            Standing::Drain => "drain",
            Standing::Yield => "yield",
            Standing::Recover => "recover",
        };
        *tally.entry((direction, standing)).or_default() += 1;
    }
    tally
}

/// From which of the spaces of codes one is (`bits.md` §12).
fn class(code: Code) -> &'static str {
    match code.0 >> 16 {
        0x8020 | 0x0020 => "bits",
        0x8019 => "http",
        0x8007 if code.0 & 0xFFFF >= 12_000 => "network",
        0x8007 => "system",
        0x8009 => "security",
        _ => "other",
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// Whoever panicked with it held only counts.
fn lock<T>(counts: &Mutex<T>) -> MutexGuard<'_, T> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_core::file::LocalName;
    use bits_core::job::Attempt;
    use bits_core::remote_name::RemoteName;

    const JOB: JobId = JobId([1; 16]);
    const ATTEMPT: Attempt = Attempt(1);
    const FILE: FileIndex = FileIndex(0);

    fn a_file(durable: u64) -> File {
        let remote_name = RemoteName::parse("http://h.test/f").expect("a name").0;
        let file = File::new(FILE, remote_name, LocalName::parse("/tmp/f").expect("a name"));
        File { durable: Bytes(durable), ..file }
    }

    fn received(metrics: &Metrics) -> u64 {
        metrics.0.durable_bytes.load(Ordering::Relaxed)
    }

    #[test]
    fn each_byte_is_counted_once_also_when_a_file_is_gone_on_with() {
        let metrics = Metrics::default();
        let upto = |upto| Report::Durable { attempt: ATTEMPT, file: FILE, upto: Bytes(upto) };
        metrics.begun(JOB, &[a_file(0)]);
        metrics.reported(JOB, &upto(10));
        metrics.reported(JOB, &upto(30));
        metrics.stopped(JOB);
        assert_eq!(received(&metrics), 30);
        metrics.begun(JOB, &[a_file(30)]);
        metrics.reported(JOB, &upto(50));
        let whole = Report::FileTransferred { attempt: ATTEMPT, file: FILE, size: Bytes(60) };
        metrics.reported(JOB, &whole);
        metrics.reported(JOB, &Report::FilesTransferred { attempt: ATTEMPT });
        assert_eq!(received(&metrics), 60);
        assert!(lock(&metrics.0.counted).is_empty(), "of jobs that do not run nothing is kept");
    }

    #[test]
    fn a_file_that_begins_anew_is_received_again() {
        let metrics = Metrics::default();
        metrics.begun(JOB, &[a_file(30)]);
        metrics.count_to(JOB, FILE, Bytes::ZERO);
        metrics.count_to(JOB, FILE, Bytes(30));
        assert_eq!(received(&metrics), 30);
    }

    #[test]
    fn a_commit_falls_below_the_first_bound_that_it_does_not_exceed() {
        let metrics = Metrics::default();
        for micros in [1, 250, 251, 5_000_000, 5_000_001] {
            metrics.committed(Duration::from_micros(micros), true);
        }
        metrics.committed(Duration::ZERO, false);
        let counts: Vec<u64> = metrics.0.commits.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(metrics.0.commit_failures.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn codes_are_told_apart_by_their_space() {
        for (code, expected) in [
            (Code::VALIDATION_FAILED, "bits"),
            (Code::http(404), "http"),
            (Code::NAME_NOT_RESOLVED, "network"),
            (Code::DISK_FULL, "system"),
            (Code::NO_KEY, "security"),
            (Code::UNSPECIFIED, "other"),
        ] {
            assert_eq!(class(code), expected, "{code}");
        }
    }
}
