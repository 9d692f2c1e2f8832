//! The worker of a simulated world: it takes the messages of the link and does what they say, one after
//! the other for each job, as the real one does.

use std::collections::{BTreeMap, VecDeque};

use bits_broker::engine::Input;
use bits_core::file::ClosingFile;
use bits_core::job::JobId;
use bits_core::queue::{self, Report};
use bits_core::time::Timestamp;
use bits_core::transfer::TransportError;
use bits_worker::link::{Assignment, ToWorker};

use super::attempt::Work;
use super::events::{Event, Events};
use super::mutations::Mutation;
use super::scenario::Millis;
use super::shared::{EPOCH, Shared};

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
    pub(super) fn later(&mut self, after: Millis, job: JobId, stamp: Stamp, moved: Moved) {
        let at = self.shared.now + after;
        self.events.put(at, Event::Worker { epoch: self.epoch, job, stamp, moved });
    }

    pub(super) fn report(&mut self, job: JobId, report: Report) {
        self.reports.push(Input::Queue(queue::Input::Report { job, report }));
    }

    /// The worker's clock, which never jumps.
    pub(super) fn time(&self) -> Timestamp {
        Timestamp(EPOCH + self.shared.now)
    }

    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
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
    work: Option<Box<Work>>,
    /// Of the order that is about to be carried out.
    due: Option<Stamp>,
}

#[derive(Debug)]
enum Order {
    Begin(Box<Assignment>),
    Finalize(Vec<ClosingFile>),
    Discard(Vec<ClosingFile>),
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
            ToWorker::Stop { .. } if floor.shared.mutation == Some(Mutation::StopUnheard) => {}
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
            // In this world bytes take no time.
            ToWorker::Rate { .. } | ToWorker::RateLimits(_) | ToWorker::ConnectionLimits { .. } => {}
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
            ToWorker::Asked { job, attempt, demands, asked } => {
                let Some(desk) = self.jobs.get_mut(&job) else { return };
                // One that only waits says in the end of how much it has heard.
                match desk.work.take() {
                    Some(mut work) if work.attempt == attempt => {
                        work.demand.iter_mut().for_each(|demand| demand.is_asked(demands, asked.clone()));
                        self.go_on(work, floor);
                    }
                    work => desk.work = work,
                }
            }
            ToWorker::Tell(telling) => floor.tell(telling),
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
            Order::Begin(assignment) => {
                return self.go_on(Box::new(Work::new(*assignment, floor.shared.parts)), floor);
            }
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

    fn go_on(&mut self, mut work: Box<Work>, floor: &mut Floor<'_>) {
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
            current.stream.die(shared);
            current.lanes.die(shared);
        }
    }
}
