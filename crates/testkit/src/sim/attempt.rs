//! One attempt in a simulated world: the real plans, carried out on the simulated disk and network.

use std::collections::VecDeque;

use bits_core::credentials::AuthTarget;
use bits_core::error::JobError;
use bits_core::file::{File, FileIndex, Stage};
use bits_core::job::{Attempt, JobId};
use bits_core::queue::{Report, WholeFile};
use bits_core::sources::Sources;
use bits_core::transfer::{DemandPlan, DownloadPlan, Fetch, Next, Outcome, PartEnd, PartsRules, Rules};
use bits_core::units::Bytes;
use bits_worker::link::{Assignment, temporary_name};
use bits_worker::{Passing, PassingOver};

use super::answers::{Answered, Asker};
use super::closing::{disk_full, exists};
use super::coming::{Current, CurrentPlan, IDLE_TIMEOUT};
use super::demand::OnDemand;
use super::extents::Extents;
use super::judge::Promise;
use super::mutations::Mutation;
use super::scenario::Trap;
use super::stream::Stream;
use super::worker::{Floor, Moved, Stamp};

/// As the worker's settings have it.
const GATHERED_BYTES_MAX: Bytes = Bytes(64 * 1024);
/// Steps that an attempt takes one after the other, at most, without anything to wait for.
const STEPS_AT_ONCE_MAX: u32 = 20_000;
/// In so many of a thousand cases there is no connection for a part.
const NO_ROOM: u64 = 100;
/// Small files that are written together.
const GATHERED_FILES_MAX: usize = 3;

/// One attempt.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) job: JobId,
    pub(super) attempt: Attempt,
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
    pub(super) current: Option<Current>,
    gathered: Vec<Gathered>,
    /// Of a job on demand.
    pub(super) demand: Option<OnDemand>,
}

/// A small file that has come.
#[derive(Debug)]
struct Gathered {
    file: File,
    whole: WholeFile,
    content: Extents,
}

impl Work {
    pub(super) fn new(assignment: Assignment, parts: Option<PartsRules>) -> Self {
        let Assignment {
            job,
            attempt,
            files,
            credentials,
            failed_file,
            http,
            transfer,
            downloaded,
            demands,
            ..
        } = assignment;
        let is_usual = http.method.is_default();
        let rules = Rules {
            redirects: http.security,
            from_the_beginning: transfer.dynamic_content || !is_usual,
            every_error_is_fatal: !is_usual,
            syncs_at_the_end: transfer.high_performance,
            bytes_max: None,
            parts: parts.filter(|_| !transfer.high_performance),
        };
        let password = credentials.iter().find(|credential| credential.target == AuthTarget::Server);
        let is_to_come = |file: &File| file.stage == Stage::Waiting && file.error.is_none();
        let demand = transfer.on_demand.then(|| OnDemand::new(files.clone(), demands));
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
            demand,
        }
    }

    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        if let Some(current) = &mut self.current {
            current.plan.stop();
            current.stream.fetch = None;
        }
    }

    /// Does what is to be done until something must be waited for; says whether the attempt is over.
    pub(super) fn drive(&mut self, stamp: &mut dyn FnMut() -> Stamp, floor: &mut Floor<'_>) -> bool {
        for _ in 0..STEPS_AT_ONCE_MAX {
            if floor.shared.is_dead {
                return true;
            }
            let Some(current) = &mut self.current else {
                let is_begun = match self.demand.is_some() {
                    true => self.begin_demanded(stamp, floor),
                    false => self.begin_next(stamp, floor),
                };
                if !is_begun {
                    return true;
                }
                continue;
            };
            current.lanes.drive(stamp, floor);
            if current.stream.fetch.is_some() {
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
                    current.stream.ask(fetch, stamp(), floor);
                    return false;
                }
                Next::Receive { max, .. } if current.plan.is_gathering() => {
                    if !current.receive(max, None, floor) {
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
                    if let Err(error) = current.open(floor) {
                        current.plan.refused(error);
                    }
                }
                // What is asked for meanwhile may be more urgent.
                Next::Receive { .. } if self.demand.as_mut().is_some_and(OnDemand::hears) => {
                    if current.plan.interrupt() {
                        current.stream.leave(stamp());
                    }
                }
                Next::Receive { .. } | Next::Wait | Next::Rest { .. } if current.hears_of_parts() => {}
                Next::Receive { max, wake } => {
                    if !current.receive(max, wake, floor) {
                        return false;
                    }
                }
                Next::Rest { wake } => {
                    current.wake(Some(wake), floor);
                    return false;
                }
                Next::Wait => {
                    current.stream.start_write(floor);
                    if floor.shared.mutation != Some(Mutation::BusyWait) {
                        return false;
                    }
                }
                Next::ReadBack { upto, .. } => {
                    let partial = current.stream.partial.expect("something is there to be read");
                    current.stream.tally = Some(floor.shared.disk.content(partial).slice(0, upto.0));
                    current.plan.read_back();
                }
                Next::Cut { to, size, sum } => current.cut(to, size, sum.is_some(), floor),
                Next::Sum => {
                    let sum = current.stream.tally.as_ref().expect("it was summed up").checksum();
                    current.plan.summed(&sum);
                }
                Next::Seek { to } => current.seek(to, floor),
                Next::Leave => {
                    current.stream.leave(stamp());
                    current.plan.left();
                }
                Next::Part(asked) if floor.shared.random.chance(NO_ROOM) => {
                    current.plan.part_ended(asked.id, PartEnd::NoRoom, None);
                }
                Next::Part(asked) => {
                    let pours = floor.shared.random.chance(500);
                    let stream = Stream::new(self.job, current.file.index, (stamp(), stamp()), pours);
                    current.lanes.begin(*asked, stream, (current.stream.partial, current.stream.place));
                }
                Next::LeavePart(id) => current.lanes.leave(id),
                Next::Sync { upto } => {
                    let partial = current.stream.partial.expect("what is synced is there");
                    current.syncing = Some((upto.0, floor.shared.disk.mark(partial)));
                    let after = floor.between(1, 100);
                    floor.later(after, self.job, current.stream.stamp, Moved::Synced);
                }
            }
        }
        // The real one would keep a processor busy for ever, and this world would stand still.
        let (job, now) = (self.job, floor.shared.now);
        floor.shared.judge.broken(Promise::Rest, now, || {
            format!(
                "an attempt of {job} makes no progress: {STEPS_AT_ONCE_MAX} steps, and nothing to wait for"
            )
        });
        floor.shared.is_dead = true;
        true
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
        let mut plan = DownloadPlan::new(self.attempt, &file, rules, None, boot, now);
        if gathers {
            plan = plan.gathering_up_to(GATHERED_BYTES_MAX);
        }
        let pours = floor.shared.random.chance(500);
        let stream = Stream::new(self.job, file.index, (stamp(), stamp()), pours);
        let mut current = Current::new(file, CurrentPlan::Whole(Box::new(plan)), stream);
        if gathers {
            self.current = Some(current);
            return true;
        }
        if let Err(error) = self.store_gathered(floor) {
            floor.report(self.job, Report::Failed { attempt: self.attempt, error });
            return false;
        }
        current.is_open = true;
        match current.open(floor) {
            Ok(found) => {
                let plan = DownloadPlan::new(self.attempt, &current.file, rules, found, boot, now);
                current.plan = CurrentPlan::Whole(Box::new(plan));
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
            && file.sources == Sources::default()
    }

    /// Begins with the file of which something is wanted next; false when the attempt is over.
    fn begin_demanded(&mut self, stamp: &mut dyn FnMut() -> Stamp, floor: &mut Floor<'_>) -> bool {
        let (attempt, now, boot) = (self.attempt, floor.time(), floor.shared.boot);
        let demand = self.demand.as_mut().expect("it is a job on demand");
        demand.take_in();
        if self.is_stopped {
            return false;
        }
        let Some(file) = demand.next(&self.passing) else {
            let demand = self.demand.take().expect("it was there");
            let report = match std::mem::take(&mut self.passing).postponed() {
                Some(error) => Report::Failed { attempt, error },
                None if demand.is_whole() => Report::FilesTransferred { attempt },
                None => Report::Satisfied { attempt, demands: demand.demands },
            };
            floor.shared.passes(Trap::Whole);
            floor.report(self.job, report);
            return false;
        };
        let here = demand.bytes_here(self.downloaded);
        let bytes_max = self.max_download_size.map(|most| most.beyond(here));
        let rules = Rules { bytes_max, ..self.rules };
        let plan = |found, file: &File| {
            CurrentPlan::Parts(Box::new(DemandPlan::new(attempt, file, rules, found, boot, now)))
        };
        let pours = floor.shared.random.chance(500);
        let stream = Stream::new(self.job, file.index, (stamp(), stamp()), pours);
        let mut current = Current::new(file.clone(), plan(None, &file), stream);
        current.is_open = true;
        match current.open(floor) {
            Ok(found) => current.plan = plan(found, &file),
            Err(error) => current.plan.refused(error),
        }
        self.current = Some(current);
        true
    }

    fn finish(&mut self, floor: &mut Floor<'_>) {
        let attempt = self.attempt;
        let stored = self.store_gathered(floor);
        let report = match (stored, std::mem::take(&mut self.passing).postponed()) {
            (Err(error), _) | (Ok(()), Some(error)) => Report::Failed { attempt, error },
            (Ok(()), None) => Report::FilesTransferred { attempt },
        };
        floor.shared.passes(Trap::Whole);
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
        match &report {
            Report::Version { .. } => {
                floor.shared.passes(Trap::Version);
                let current = self.current.as_ref().expect("it reports");
                if current.file.durable > Bytes::ZERO {
                    floor.shared.passes(Trap::OtherVersion);
                }
            }
            Report::FileTransferred { .. } => floor.shared.passes(Trap::Whole),
            Report::Sources { file, sources, .. } => {
                floor.shared.judge.sources(self.job, *file, sources, false);
            }
            _ => {}
        }
        floor.report(self.job, report);
        if is_version && floor.shared.mutation == Some(Mutation::BytesBeforeVersion) {
            self.current.as_mut().expect("it reports").plan.recorded();
        }
    }

    /// Takes in how a file ended; says whether the attempt is over.
    fn done(&mut self, current: Current, outcome: Outcome, floor: &mut Floor<'_>) -> bool {
        let attempt = self.attempt;
        match outcome {
            Outcome::Transferred => {
                self.demand.iter_mut().for_each(|demand| demand.has_come(current.file.index));
                false
            }
            Outcome::Satisfied(known) => {
                let demand = self.demand.as_mut().expect("only what comes by ranges is satisfied");
                demand.is_known(*known);
                false
            }
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
                    self.demand.iter_mut().for_each(|demand| demand.leaves_out(file));
                    floor.report(self.job, Report::FilePassedOver { attempt, file, error });
                    false
                }
                Passing::Later => {
                    self.demand.iter_mut().for_each(|demand| demand.leaves_out(current.file.index));
                    false
                }
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
            let name = temporary_name(self.job, file.index, &file.local_name);
            let partial = match shared.disk.find(&name) {
                Some(partial) => {
                    shared.disk.truncate(partial, 0);
                    partial
                }
                None => shared.disk.create(&name),
            };
            shared.disk.write(partial, 0, &content);
            shared.passes(Trap::Write);
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
    pub(super) fn moved(&mut self, stamp: Stamp, moved: Moved, floor: &mut Floor<'_>) {
        let Some(mut current) = self.current.take() else { return };
        let now = floor.time();
        let (of_file, of_body) = (current.stream.stamp == stamp, current.stream.body_stamp == stamp);
        match moved {
            Moved::Answer if of_body => {
                if let Some(fetch) = current.stream.fetch.take() {
                    self.answered(&mut current, fetch, floor);
                }
            }
            Moved::Failed(error) if of_body => {
                current.stream.fetch = None;
                current.plan.failed(error);
            }
            Moved::Chunk(count) if of_body => {
                current.stream.ready += count;
                current.stream.is_coming = false;
            }
            Moved::Written if of_file => current.stream.written(&mut *current.plan, floor),
            Moved::Synced if of_file => current.synced(now, floor),
            Moved::Time if of_file => current.timer = current.timer.filter(|timer| *timer > now),
            moved => {
                let asker = self.asker(&current.file);
                current.lanes.moved(stamp, moved, &asker, floor);
            }
        }
        self.current = Some(current);
    }

    /// In whose name a server is asked.
    fn asker<'a>(&'a self, file: &'a File) -> Asker<'a> {
        let (job, attempt, password) = (self.job, self.attempt, self.password.as_deref());
        Asker { job, attempt, file: file.index, remote_name: &file.remote_name, password }
    }

    fn answered(&mut self, current: &mut Current, fetch: Fetch, floor: &mut Floor<'_>) {
        let now = floor.time();
        match floor.answer(&fetch, &self.asker(&current.file), false) {
            Answered::Head(head, body) => {
                current.stream.body = Some(body);
                current.plan.answered(&head, now);
            }
            Answered::Late(error) => {
                current.stream.fetch = Some(fetch);
                floor.later(IDLE_TIMEOUT, self.job, current.stream.body_stamp, Moved::Failed(error));
            }
            Answered::Failed(error) => current.plan.failed(error),
            Answered::Refused(error) => current.plan.refused(*error),
        }
    }
}
