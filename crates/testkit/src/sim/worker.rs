//! The worker of a simulated world: it takes the messages of the link, carries out the real plans on
//! the simulated disk and network, and reports as the real one does.

use std::collections::{BTreeMap, VecDeque};

use bits_broker::engine::Input;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::{Challenge, Code, ErrorContext, JobError};
use bits_core::file::{File, FileIndex, PartialId, Stage};
use bits_core::job::{Attempt, JobId};
use bits_core::queue::{self, Report, WholeFile};
use bits_core::time::Timestamp;
use bits_core::transfer::{
    BodyEnd, DownloadPlan, Fetch, Found, Next, Outcome, Rules, TransportError, TransportFault,
};
use bits_core::units::Bytes;
use bits_worker::link::{Assignment, ToWorker, temporary_name};
use bits_worker::{Passing, PassingOver};

use super::closing::{disk_full, exists, local_error};
use super::disk::{InodeId, Mark};
use super::events::{Event, Events};
use super::extents::Extents;
use super::mutations::Mutation;
use super::scenario::SECOND;
use super::servers::{Body, Ending, Reply, ServerFault};
use super::shared::{EPOCH, Shared};

/// As the worker's settings have it: what is gathered, and how long nothing may come.
const GATHERED_BYTES_MAX: Bytes = Bytes(64 * 1024);
const IDLE_TIMEOUT: u64 = 60 * SECOND;
/// Small files that are written together.
const GATHERED_FILES_MAX: usize = 3;
/// Bytes that may wait to be written.
const BUFFER_BYTES: u64 = 256 * 1024;

/// What has happened to something that was under way.
#[derive(Debug)]
pub(super) enum Moved {
    /// The next order of the job is to be carried out.
    Order,
    Answer,
    Failed(TransportError),
    Chunk(u64),
    Written,
    Synced,
    Time,
}

/// Names what is under way, so that what is late concerns nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64);

/// What the world lends the worker.
pub(super) struct Floor<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) events: &'a mut Events,
    pub(super) reports: &'a mut Vec<Input>,
    /// Which service this is.
    pub(super) epoch: u32,
    pub(super) next_version: &'a mut u32,
    pub(super) network_gone: bool,
}

impl Floor<'_> {
    fn later(&mut self, after: u64, job: JobId, stamp: Stamp, moved: Moved) {
        let at = self.shared.now + after;
        self.events.put(at, Event::Worker { epoch: self.epoch, job, stamp, moved });
    }

    fn report(&mut self, job: JobId, report: Report) {
        self.reports.push(Input::Queue(queue::Input::Report { job, report }));
    }

    /// The worker's clock, which never jumps.
    fn time(&self) -> Timestamp {
        Timestamp(EPOCH + self.shared.now)
    }

    fn between(&mut self, first: u64, last: u64) -> u64 {
        self.shared.random.between(first, last)
    }
}

/// All jobs the worker has something to do for.
#[derive(Debug, Default)]
pub(super) struct Desk {
    jobs: BTreeMap<JobId, JobDesk>,
    stamps: u64,
}

#[derive(Debug, Default)]
struct JobDesk {
    waiting: VecDeque<Order>,
    work: Option<Work>,
    /// Of the order that is about to be carried out.
    due: Option<Stamp>,
}

#[derive(Debug)]
enum Order {
    Begin(Box<Assignment>),
    Finalize(Vec<File>),
    Discard(Vec<File>),
}

/// One attempt.
#[derive(Debug)]
struct Work {
    job: JobId,
    attempt: Attempt,
    files: VecDeque<File>,
    rules: Rules,
    passing: PassingOver,
    password: Option<String>,
    max_download_size: Option<Bytes>,
    downloaded: Bytes,
    transferred: Bytes,
    failed_file: Option<FileIndex>,
    is_connected: bool,
    is_stopped: bool,
    current: Option<Current>,
    gathered: Vec<Gathered>,
}

#[derive(Debug)]
struct Gathered {
    file: File,
    whole: WholeFile,
    content: Extents,
}

/// The file that is coming.
#[derive(Debug)]
struct Current {
    file: File,
    plan: DownloadPlan,
    stamp: Stamp,
    /// Whether the partial file was looked for.
    is_open: bool,
    partial: Option<InodeId>,
    is_named: bool,
    tally: Option<Extents>,
    place: u64,
    fetch: Option<Fetch>,
    body: Option<Body>,
    body_stamp: Stamp,
    /// Bytes that have come and were not taken.
    ready: u64,
    is_coming: bool,
    /// Whether bytes are written as they are received.
    pours: bool,
    content: Extents,
    buffered: Extents,
    writing: Option<Extents>,
    syncing: Option<(u64, Mark)>,
    timer: Option<Timestamp>,
}

impl Desk {
    fn stamp(&mut self) -> Stamp {
        self.stamps += 1;
        Stamp(self.stamps)
    }

    /// Whether something is being done, or about to be, for `job`.
    pub(super) fn has(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// Takes a message of the broker.
    pub(super) fn take(&mut self, message: ToWorker, floor: &mut Floor<'_>) {
        match message {
            ToWorker::Begin(assignment) => self.put(assignment.job, Order::Begin(assignment), floor),
            ToWorker::Finalize { job, files, .. } => self.put(job, Order::Finalize(files), floor),
            ToWorker::Discard { job, files } => self.put(job, Order::Discard(files), floor),
            ToWorker::Stop { job, attempt } => {
                let Some(desk) = self.jobs.get_mut(&job) else { return };
                desk.waiting
                    .retain(|order| !matches!(order, Order::Begin(waiting) if waiting.attempt == attempt));
                match desk.work.take() {
                    Some(mut work) if work.attempt == attempt => {
                        work.stop();
                        self.go_on(work, floor);
                    }
                    work => desk.work = work,
                }
            }
            ToWorker::Recorded { job, attempt, file } => {
                let Some(desk) = self.jobs.get_mut(&job) else { return };
                match desk.work.take() {
                    Some(mut work) if work.attempt == attempt => {
                        if let Some(current) = work.current.as_mut().filter(|it| it.file.index == file) {
                            current.plan.recorded();
                        }
                        self.go_on(work, floor);
                    }
                    work => desk.work = work,
                }
            }
            ToWorker::Check { .. } | ToWorker::CertificateAnswer { .. } => {}
        }
    }

    fn put(&mut self, job: JobId, order: Order, floor: &mut Floor<'_>) {
        self.jobs.entry(job).or_default().waiting.push_back(order);
        self.start_next(job, floor);
    }

    fn start_next(&mut self, job: JobId, floor: &mut Floor<'_>) {
        let stamp = self.stamp();
        let desk = self.jobs.get_mut(&job).expect("there is a desk");
        if desk.work.is_some() || desk.due.is_some() {
            return;
        }
        if desk.waiting.is_empty() {
            self.jobs.remove(&job);
            return;
        }
        desk.due = Some(stamp);
        let after = floor.between(1, 20);
        floor.later(after, job, stamp, Moved::Order);
    }

    /// Something that was under way has ended.
    pub(super) fn moved(&mut self, job: JobId, stamp: Stamp, moved: Moved, floor: &mut Floor<'_>) {
        let Some(desk) = self.jobs.get_mut(&job) else { return };
        if let Moved::Order = moved {
            if desk.due == Some(stamp) {
                self.carry_out(job, floor);
            }
            return;
        }
        let Some(mut work) = desk.work.take() else { return };
        work.moved(stamp, moved, floor);
        self.go_on(work, floor);
    }

    fn carry_out(&mut self, job: JobId, floor: &mut Floor<'_>) {
        let desk = self.jobs.get_mut(&job).expect("there is a desk");
        desk.due = None;
        // A stop may have taken it back.
        let Some(order) = desk.waiting.pop_front() else { return self.start_next(job, floor) };
        match order {
            Order::Begin(assignment) => return self.go_on(Work::new(*assignment), floor),
            Order::Finalize(files) => {
                let report = floor.shared.finalize(job, &files);
                report.into_iter().for_each(|report| floor.report(job, report));
            }
            Order::Discard(files) => {
                let report = floor.shared.discard(job, &files);
                report.into_iter().for_each(|report| floor.report(job, report));
            }
        }
        self.start_next(job, floor);
    }

    fn go_on(&mut self, mut work: Work, floor: &mut Floor<'_>) {
        let job = work.job;
        let is_over = work.drive(&mut || self.stamp(), floor);
        if !is_over {
            self.jobs.get_mut(&job).expect("there is a desk").work = Some(work);
        } else if !floor.shared.is_dead {
            self.start_next(job, floor);
        }
    }

    /// The process ends: a write that is under way may be done, or a part of it.
    pub(super) fn die(&mut self, shared: &mut Shared) {
        for (_, desk) in std::mem::take(&mut self.jobs) {
            let Some(current) = desk.work.and_then(|work| work.current) else { continue };
            if let (Some(partial), Some(bytes)) = (current.partial, &current.writing) {
                let done = shared.random.below(bytes.len() + 1);
                shared.disk.write(partial, current.place, &bytes.slice(0, done));
            }
        }
    }
}

impl Work {
    fn new(assignment: Assignment) -> Self {
        let Assignment { job, attempt, files, credentials, failed_file, http, transfer, downloaded, .. } =
            assignment;
        let is_usual = http.method.is_default();
        let rules = Rules {
            redirects: http.security,
            from_the_beginning: transfer.dynamic_content || !is_usual,
            every_error_is_fatal: !is_usual,
            syncs_at_the_end: transfer.high_performance,
            bytes_max: None,
        };
        let password = credentials.iter().find(|credential| credential.target == AuthTarget::Server);
        let is_to_come = |file: &File| file.stage == Stage::Waiting && file.error.is_none();
        Self {
            job,
            attempt,
            files: files.into_iter().filter(is_to_come).collect(),
            rules,
            passing: PassingOver::new(transfer.keep_going),
            password: password.map(|credential| credential.password.expose().to_owned()),
            max_download_size: transfer.max_download_size,
            downloaded,
            transferred: Bytes::ZERO,
            failed_file,
            is_connected: false,
            is_stopped: false,
            current: None,
            gathered: Vec::new(),
        }
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        if let Some(current) = &mut self.current {
            current.plan.stop();
            current.fetch = None;
        }
    }

    /// Does what is to be done until something must be waited for; says whether the attempt is over.
    fn drive(&mut self, stamp: &mut dyn FnMut() -> Stamp, floor: &mut Floor<'_>) -> bool {
        loop {
            if floor.shared.is_dead {
                return true;
            }
            let Some(current) = &mut self.current else {
                if !self.begin_next(stamp, floor) {
                    return true;
                }
                continue;
            };
            if current.fetch.is_some() {
                return false;
            }
            match current.plan.next(floor.time()) {
                Next::Done(outcome) => {
                    let current = self.current.take().expect("it was there");
                    if self.done(current, outcome, floor) {
                        return true;
                    }
                }
                Next::Report(report) => self.report(report, floor),
                Next::Fetch(fetch) => {
                    current.body = None;
                    current.ready = 0;
                    current.is_coming = false;
                    current.body_stamp = stamp();
                    current.fetch = Some(fetch);
                    let after = floor.between(5, 300);
                    floor.later(after, self.job, current.body_stamp, Moved::Answer);
                    return false;
                }
                Next::Receive { max, .. } if current.plan.is_gathering() => {
                    if !current.receive(self.job, max, None, floor) {
                        return false;
                    }
                }
                _ if !current.is_open => {
                    // It is no small file, or has something of an earlier attempt.
                    if let Err(error) = self.store_gathered(floor) {
                        self.current.as_mut().expect("it was there").plan.refused(error);
                    }
                    let current = self.current.as_mut().expect("it was there");
                    current.is_open = true;
                    if let Err(error) = current.open(self.job, floor) {
                        current.plan.refused(error);
                    }
                }
                Next::Receive { max, wake } => {
                    if !current.receive(self.job, max, wake, floor) {
                        return false;
                    }
                }
                Next::Wait => {
                    current.start_write(self.job, floor);
                    return false;
                }
                Next::ReadBack { upto, .. } => {
                    let partial = current.partial.expect("something is there to be read");
                    current.tally = Some(floor.shared.disk.content(partial).slice(0, upto.0));
                    current.plan.read_back();
                }
                Next::Cut { to, size, sum } => current.cut(self.job, to, size, sum.is_some(), floor),
                Next::Sum => {
                    let sum = current.tally.as_ref().expect("it was summed up").checksum();
                    current.plan.summed(&sum);
                }
                Next::Sync { upto } => {
                    let partial = current.partial.expect("what is synced is there");
                    current.syncing = Some((upto.0, floor.shared.disk.mark(partial)));
                    let after = floor.between(1, 100);
                    floor.later(after, self.job, current.stamp, Moved::Synced);
                }
            }
        }
    }

    /// Begins the next file; false when there is none, and the attempt is over.
    fn begin_next(&mut self, stamp: &mut dyn FnMut() -> Stamp, floor: &mut Floor<'_>) -> bool {
        if self.is_stopped {
            _ = self.store_gathered(floor);
            return false;
        }
        let file = loop {
            match self.files.pop_front() {
                Some(file) if self.passing.skips(&file) => {}
                Some(file) => break file,
                None => {
                    self.finish(floor);
                    return false;
                }
            }
        };
        let gathers = self.may_gather(&file);
        let left = self.max_download_size.map(|most| most.beyond(self.downloaded).beyond(self.transferred));
        let rules = Rules { bytes_max: left, ..self.rules };
        let now = floor.time();
        let boot = floor.shared.boot;
        let mut current = Current::new(file, rules, self.attempt, boot, now, (stamp(), stamp()));
        current.pours = floor.shared.random.chance(500);
        if gathers {
            current.plan = current.plan.gathering_up_to(GATHERED_BYTES_MAX);
            self.current = Some(current);
            return true;
        }
        if let Err(error) = self.store_gathered(floor) {
            floor.report(self.job, Report::Failed { attempt: self.attempt, error });
            return false;
        }
        current.is_open = true;
        match current.open(self.job, floor) {
            Ok(found) => {
                let file = &current.file;
                current.plan = DownloadPlan::new(self.attempt, file, rules, found, boot, now);
            }
            Err(error) => current.plan.refused(error),
        }
        self.current = Some(current);
        true
    }

    fn may_gather(&self, file: &File) -> bool {
        self.max_download_size.is_none()
            && file.validator.is_none()
            && Some(file.index) != self.failed_file
            && file.ranges.is_all()
            && file.checksum.is_none()
    }

    fn finish(&mut self, floor: &mut Floor<'_>) {
        let attempt = self.attempt;
        let stored = self.store_gathered(floor);
        let report = match (stored, std::mem::take(&mut self.passing).postponed()) {
            (Err(error), _) | (Ok(()), Some(error)) => Report::Failed { attempt, error },
            (Ok(()), None) => Report::FilesTransferred { attempt },
        };
        floor.report(self.job, report);
    }

    fn report(&mut self, report: Report, floor: &mut Floor<'_>) {
        if matches!(report, Report::Connected { .. }) && std::mem::replace(&mut self.is_connected, true) {
            return;
        }
        if let Report::FileTransferred { size, .. } = &report {
            self.transferred = self.transferred.saturating_add(*size);
        }
        let is_version = matches!(report, Report::Version { .. });
        floor.report(self.job, report);
        if is_version && floor.shared.mutation == Some(Mutation::BytesBeforeVersion) {
            self.current.as_mut().expect("it reports").plan.recorded();
        }
    }

    /// Takes in how a file ended; says whether the attempt is over.
    fn done(&mut self, current: Current, outcome: Outcome, floor: &mut Floor<'_>) -> bool {
        let attempt = self.attempt;
        match outcome {
            Outcome::Transferred => false,
            Outcome::Gathered(whole) => {
                self.gathered.push(Gathered { file: current.file, whole, content: current.content });
                if self.gathered.len() < GATHERED_FILES_MAX {
                    return false;
                }
                match self.store_gathered(floor) {
                    Ok(()) => false,
                    Err(error) => {
                        floor.report(self.job, Report::Failed { attempt, error });
                        true
                    }
                }
            }
            Outcome::Stopped => {
                _ = self.store_gathered(floor);
                true
            }
            Outcome::Failed(error) => match self.passing.over(&current.file, error) {
                Passing::Over(error) => {
                    let file = current.file.index;
                    floor.report(self.job, Report::FilePassedOver { attempt, file, error });
                    false
                }
                Passing::Later => false,
                Passing::Not(mut error) => {
                    _ = self.store_gathered(floor);
                    match floor.shared.mutation {
                        Some(Mutation::ErrorWithoutReason) => error.message.clear(),
                        Some(Mutation::ReportForgotten) => return true,
                        _ => {}
                    }
                    floor.report(self.job, Report::Failed { attempt, error });
                    true
                }
            },
        }
    }

    /// Writes the small files that have come, makes them last, and reports them.
    fn store_gathered(&mut self, floor: &mut Floor<'_>) -> Result<(), JobError> {
        let (mut written, mut outcome) = (Vec::new(), Ok(()));
        for Gathered { file, whole, content } in std::mem::take(&mut self.gathered) {
            let shared = &mut *floor.shared;
            if shared.step() {
                return Ok(());
            }
            if file.no_clobber && shared.disk.find(file.local_name.as_str()).is_some() {
                outcome = Err(exists(file.index));
                break;
            }
            if shared.disk.is_full {
                shared.faults_met += 1;
                outcome = Err(disk_full(file.index));
                break;
            }
            let name = temporary_name(self.job, &file);
            let partial = match shared.disk.find(&name) {
                Some(partial) => {
                    shared.disk.truncate(partial, 0);
                    partial
                }
                None => shared.disk.create(&name),
            };
            shared.disk.write(partial, 0, &content);
            written.push((name, partial, whole));
        }
        let mut whole = Vec::new();
        for (name, partial, one) in written {
            let shared = &mut *floor.shared;
            if shared.step() {
                return Ok(());
            }
            if shared.mutation != Some(Mutation::OffsetBeforeSync) {
                let mark = shared.disk.mark(partial);
                shared.disk.sync(partial, mark);
                shared.disk.sync_folder_of(&name);
            }
            whole.push(one);
        }
        if !whole.is_empty() {
            let (attempt, boot) = (self.attempt, floor.shared.boot);
            floor.report(self.job, Report::SmallFiles { attempt, boot, files: whole });
        }
        outcome
    }

    /// Takes in what has happened to what is under way.
    fn moved(&mut self, stamp: Stamp, moved: Moved, floor: &mut Floor<'_>) {
        let Some(current) = &mut self.current else { return };
        let now = floor.time();
        match moved {
            Moved::Answer if current.body_stamp == stamp => {
                if let Some(fetch) = current.fetch.take() {
                    self.answered(&fetch, floor);
                }
            }
            Moved::Failed(error) if current.body_stamp == stamp => {
                current.fetch = None;
                current.plan.failed(error);
            }
            Moved::Chunk(count) if current.body_stamp == stamp => {
                current.ready += count;
                current.is_coming = false;
            }
            Moved::Written if current.stamp == stamp => current.written(floor),
            Moved::Synced if current.stamp == stamp => current.synced(self.job, now, floor),
            Moved::Time if current.stamp == stamp => current.timer = None,
            _ => {}
        }
    }

    fn answered(&mut self, fetch: &Fetch, floor: &mut Floor<'_>) {
        let current = self.current.as_mut().expect("an answer is for a file");
        let now = floor.time();
        if floor.network_gone {
            floor.shared.faults_met += 1;
            let message = format!("{} is not reached", fetch.remote_name.authority());
            return current.plan.failed(TransportError { fault: TransportFault::NameNotResolved, message });
        }
        let shared = &mut *floor.shared;
        let password = self.password.as_deref().filter(|_| fetch.with_credentials);
        let mut fetch = fetch.clone();
        if shared.mutation == Some(Mutation::RangeWithoutValidator)
            && let Some(range) = &mut fetch.range
        {
            range.if_range = None;
        }
        let found = shared.resources.iter().position(|resource| resource.name == fetch.remote_name);
        let resource = &mut shared.resources[found.expect("every name is somewhere")];
        let (reply, fault) = resource.answer(&fetch, password, now, floor.next_version, &mut shared.random);
        shared.faults_met += u64::from(fault != ServerFault::None);
        if shared.mutation == Some(Mutation::SecretInTheLog)
            && let Some(password) = password
        {
            tracing::debug!("asked with {password}");
        }
        match reply {
            Reply::Answer(head, body) => {
                current.body = Some(body);
                current.plan.answered(&head, now);
            }
            Reply::Broken(error) if error.fault == TransportFault::TimedOut => {
                current.fetch = Some(fetch);
                floor.later(IDLE_TIMEOUT, self.job, current.body_stamp, Moved::Failed(error));
            }
            Reply::Broken(error) => current.plan.failed(error),
            Reply::Challenge { refused } => {
                let said = match password {
                    Some(password) if shared.mutation == Some(Mutation::SecretInAnError) => password,
                    _ => "the password",
                };
                let message = match refused {
                    true => format!("{} refuses {said}", fetch.remote_name.authority()),
                    false => format!("{} wants somebody to sign in", fetch.remote_name.authority()),
                };
                let error = JobError {
                    code: Code::HTTP_UNAUTHORIZED,
                    context: ErrorContext::RemoteFile,
                    transient: refused && shared.mutation == Some(Mutation::RetryAfterRefusal),
                    message,
                    file: Some(current.file.index),
                    challenge: Some(Challenge {
                        target: AuthTarget::Server,
                        host: fetch.remote_name.authority(),
                        realm: None,
                        schemes: vec![AuthScheme::Basic],
                        refused,
                    }),
                    retry_after_seconds: None,
                };
                if let Some(password) = password {
                    shared.judge.tried(self.job, password, floor.epoch, shared.now);
                }
                current.plan.refused(error);
            }
        }
    }
}

impl Current {
    fn new(
        file: File,
        rules: Rules,
        attempt: Attempt,
        boot: bits_core::file::BootId,
        now: Timestamp,
        (stamp, body_stamp): (Stamp, Stamp),
    ) -> Self {
        let plan = DownloadPlan::new(attempt, &file, rules, None, boot, now);
        Self {
            file,
            plan,
            stamp,
            is_open: false,
            partial: None,
            is_named: false,
            tally: None,
            place: 0,
            fetch: None,
            body: None,
            body_stamp,
            ready: 0,
            is_coming: false,
            pours: false,
            content: Extents::default(),
            buffered: Extents::default(),
            writing: None,
            syncing: None,
            timer: None,
        }
    }

    /// Looks for the partial file.
    fn open(&mut self, job: JobId, floor: &mut Floor<'_>) -> Result<Option<Found>, JobError> {
        let disk = &floor.shared.disk;
        if self.file.no_clobber && disk.find(self.file.local_name.as_str()).is_some() {
            return Err(exists(self.file.index));
        }
        self.partial = disk.find(&temporary_name(job, &self.file));
        Ok(self.partial.map(|partial| Found {
            length: Bytes(disk.content(partial).len()),
            partial: partial_id(partial),
        }))
    }

    fn cut(&mut self, job: JobId, to: Bytes, size: Option<Bytes>, sum: bool, floor: &mut Floor<'_>) {
        let shared = &mut *floor.shared;
        if shared.step() {
            return;
        }
        if shared.disk.is_full && (self.partial.is_none() || size > Some(to)) {
            shared.faults_met += 1;
            return self.plan.refused(disk_full(self.file.index));
        }
        let name = || temporary_name(job, &self.file);
        let partial = *self.partial.get_or_insert_with(|| shared.disk.create(&name()));
        if shared.mutation != Some(Mutation::OldBytesKept) {
            shared.disk.truncate(partial, to.0);
        }
        self.place = to.0;
        if sum {
            self.tally = Some(Extents::default());
        }
        self.plan.cut(partial_id(partial));
    }

    /// Takes what has come; false when something must be waited for.
    fn receive(
        &mut self,
        job: JobId,
        max: Option<Bytes>,
        wake: Option<Timestamp>,
        floor: &mut Floor<'_>,
    ) -> bool {
        let body = self.body.as_mut().expect("an answer has a body");
        let count = max.map_or(self.ready, |max| self.ready.min(max.0));
        let is_full = self.buffered.len() >= BUFFER_BYTES && self.writing.is_some();
        if count > 0 && !is_full {
            self.ready -= count;
            let bytes = body.take(count);
            self.take_in(job, &bytes, floor);
            return true;
        }
        if is_full {
            return false;
        }
        if body.left() == 0 {
            let broken = |fault| TransportError { fault, message: "the connection broke".to_owned() };
            match body.ending {
                Ending::Complete => self.plan.ended(BodyEnd::Complete),
                Ending::Closed => self.plan.ended(BodyEnd::Closed),
                Ending::Broken => self.plan.failed(broken(TransportFault::Aborted)),
                Ending::Silence => {
                    if !std::mem::replace(&mut self.is_coming, true) {
                        let error = Moved::Failed(broken(TransportFault::TimedOut));
                        floor.later(IDLE_TIMEOUT, job, self.body_stamp, error);
                    }
                    self.wake(job, wake, floor);
                    return false;
                }
            }
            return true;
        }
        if !std::mem::replace(&mut self.is_coming, true) {
            let (count, after) = body.next_chunk(&mut floor.shared.random);
            floor.later(after, job, self.body_stamp, Moved::Chunk(count));
        }
        self.wake(job, wake, floor);
        false
    }

    fn wake(&mut self, job: JobId, wake: Option<Timestamp>, floor: &mut Floor<'_>) {
        let Some(wake) = wake.filter(|wake| self.timer != Some(*wake)) else { return };
        self.timer = Some(wake);
        let after = wake.0.saturating_sub(floor.time().0);
        floor.later(after.max(1), job, self.stamp, Moved::Time);
    }

    fn take_in(&mut self, job: JobId, bytes: &Extents, floor: &mut Floor<'_>) {
        let count = Bytes(bytes.len());
        if self.plan.is_gathering() {
            self.content.append(bytes);
            self.plan.received(count);
        } else if self.pours {
            if floor.shared.step() {
                return;
            }
            match self.put(bytes, floor) {
                Ok(()) => {
                    self.plan.received(count);
                    self.plan.written(count);
                }
                Err(error) => self.plan.refused(error),
            }
        } else {
            self.buffered.append(bytes);
            self.plan.received(count);
            self.start_write(job, floor);
        }
    }

    /// Writes `bytes` behind what was written before.
    fn put(&mut self, bytes: &Extents, floor: &mut Floor<'_>) -> Result<(), JobError> {
        if floor.shared.disk.is_full {
            floor.shared.faults_met += 1;
            return Err(disk_full(self.file.index));
        }
        let partial = self.partial.expect("the partial file is made before it is written");
        floor.shared.disk.write(partial, self.place, bytes);
        self.place += bytes.len();
        if let Some(tally) = &mut self.tally {
            tally.append(bytes);
        }
        Ok(())
    }

    fn start_write(&mut self, job: JobId, floor: &mut Floor<'_>) {
        if self.writing.is_none() && self.buffered.len() > 0 {
            self.writing = Some(std::mem::take(&mut self.buffered));
            let after = floor.between(1, 30);
            floor.later(after, job, self.stamp, Moved::Written);
        }
    }

    fn written(&mut self, floor: &mut Floor<'_>) {
        let Some(bytes) = self.writing.take() else { return };
        if floor.shared.step() {
            self.writing = Some(bytes);
            return;
        }
        match self.put(&bytes, floor) {
            Ok(()) => self.plan.written(Bytes(bytes.len())),
            Err(error) => {
                self.buffered = Extents::default();
                self.plan.not_written(error);
            }
        }
    }

    fn synced(&mut self, job: JobId, now: Timestamp, floor: &mut Floor<'_>) {
        let Some((upto, mark)) = self.syncing.take() else { return };
        let shared = &mut *floor.shared;
        if shared.step() {
            return;
        }
        if shared.syncs_to_fail > 0 {
            shared.syncs_to_fail -= 1;
            shared.faults_met += 1;
            let error = local_error(Code(0x8007_045D), false, "the disk does not answer", self.file.index);
            return self.plan.not_synced(error);
        }
        if shared.mutation != Some(Mutation::OffsetBeforeSync) {
            shared.disk.sync(self.partial.expect("what is synced is there"), mark);
        }
        if shared.step() {
            return;
        }
        if !std::mem::replace(&mut self.is_named, true) {
            shared.disk.sync_folder_of(&temporary_name(job, &self.file));
        }
        self.plan.synced(Bytes(upto), now);
    }
}

fn partial_id(partial: InodeId) -> PartialId {
    PartialId { device: 1, inode: partial.number() }
}
