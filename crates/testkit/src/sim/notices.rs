//! What owners are told of their jobs in a simulated world: the programs and servers that hear it, which
//! fail, hang and die over it, and what becomes of each notice, from the change that made it on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bits_core::job::{Job, JobId, Owner, State};
use bits_core::notify::{Channel, Happened, NotifyFlags};
use bits_core::ports::Batch;
use bits_core::queue::Report;
use bits_worker::link::{Errand, Telling};

use super::events::Event;
use super::judge::Promise;
use super::mutations::Mutation;
use super::scenario::{HOUR, MINUTE, Millis, SECOND, SECRET_MARK, Trap};
use super::shared::Shared;
use super::worker::Floor;

/// How long it is tried to tell of something, less the longest time between two tries.
const TRIED_FOR: Millis = 24 * HOUR - 15 * MINUTE;
/// Of one owner, at a time.
const AT_ONCE_MAX: usize = 4;
/// Webhooks of one job that wait.
const WEBHOOKS_MAX: usize = 16;
/// As long as the worker lets a program run.
const HANGS_FOR: Millis = 10 * MINUTE;

/// What goes wrong when somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SinkFault {
    None,
    /// It hears nothing, and says so.
    Fails,
    /// It hears nothing, and is given up in the end.
    Hangs,
    /// It has heard, and dies before it can say so.
    Dies,
}

/// Who is to be told of a job, and how they take it.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) program: Option<String>,
    pub(super) url: Option<String>,
    pub(super) secret: Option<String>,
    /// For the next tries, with the numbers by which each can be left out.
    pub(super) faults: VecDeque<(u32, SinkFault)>,
}

/// What was to be told, of all jobs.
#[derive(Debug, Default)]
pub(super) struct Notices {
    pub(super) sinks: BTreeMap<JobId, Sink>,
    /// When each was made, and how far the clock was set forward by then.
    made: BTreeMap<(JobId, u32), (Millis, Millis)>,
    heard: BTreeSet<(JobId, u32)>,
    /// What this service is telling.
    under_way: BTreeMap<(JobId, u32), Owner>,
    /// How far the clock was set forward in all: what is not heard within a day may be less than one old.
    pub(super) forward: Millis,
}

impl Notices {
    /// The service has ended, and with it what it was telling.
    pub(super) fn die(&mut self) {
        self.under_way.clear();
    }

    /// Whoever is told takes it well from now on.
    pub(super) fn calm(&mut self) {
        self.sinks.values_mut().for_each(|sink| sink.faults.clear());
    }
}

/// What is to be told of `job`, as it stands.
fn happened(job: &Job) -> Option<Happened> {
    let by_itself = job.properties.complete_when_done;
    match job.state {
        State::Error => Some(Happened::Error),
        State::Transferred => (!by_itself).then_some(Happened::Transferred),
        State::Acknowledged => (by_itself && job.files_left() == 0).then_some(Happened::Transferred),
        _ => None,
    }
}

fn is_wanted(job: &Job, channel: Channel, happened: Happened) -> bool {
    let options = &job.properties.notify;
    let flag = match happened {
        Happened::Transferred => NotifyFlags::JOB_TRANSFERRED,
        Happened::Error => NotifyFlags::JOB_ERROR,
    };
    let has_target = match channel {
        Channel::Command => options.command.is_some(),
        Channel::Webhook => options.webhook.is_some(),
    };
    has_target && options.flags.mask() & NotifyFlags::DISABLE == 0 && options.flags.mask() & flag != 0
}

impl Shared {
    /// What is to be told is written with the change that makes it, and stays until it was heard, or there
    /// is a reason not to tell it any more.
    pub(super) fn look_at_notices(&mut self, batch: &Batch) {
        for change in &batch.jobs {
            let Some(before) = self.rows.live.peek(change.job.id) else { continue };
            let after = &change.job;
            let id = after.id;
            let (was, is) = (happened(before), happened(after));
            let made = |notice: &bits_core::notify::Notice| notice.number > before.outbox.made;
            for notice in after.outbox.pending.iter().filter(|notice| made(notice)) {
                self.notices.made.insert((id, notice.number), (self.now, self.notices.forward));
            }
            if let Some(is) = is.filter(|is| was != Some(*is)) {
                for channel in Channel::ALL.into_iter().filter(|channel| is_wanted(after, *channel, is)) {
                    let mut new = after.outbox.pending.iter().filter(|notice| made(notice));
                    if !new.any(|notice| notice.channel == channel && notice.happened == is) {
                        self.judge.broken(Promise::Notices, self.now, || {
                            format!("{id} is {}, of which its {channel:?} is not told", after.state.name())
                        });
                    }
                }
            }
            for gone in before.outbox.pending.iter().filter(|it| after.outbox.notice(it.number).is_none()) {
                let (at, forward) = self.notices.made.get(&(id, gone.number)).copied().unwrap_or_default();
                let age = self.now - at + (self.notices.forward - forward);
                let pending = after.outbox.pending.iter();
                let is_over = match gone.channel {
                    Channel::Command => {
                        was != is || pending.clone().any(|it| it.channel == Channel::Command && made(it))
                    }
                    Channel::Webhook => {
                        pending.filter(|it| it.channel == Channel::Webhook).count() >= WEBHOOKS_MAX
                    }
                };
                let may_go = self.notices.heard.contains(&(id, gone.number))
                    || is_over
                    || after.state == State::Cancelled
                    || !is_wanted(after, gone.channel, gone.happened)
                    || age >= TRIED_FOR;
                if !may_go {
                    self.judge.broken(Promise::Notices, self.now, || {
                        format!("{gone:?} of {id} is dropped after {age} ms, and nobody has heard it")
                    });
                }
            }
        }
    }

    /// Somebody is about to be told.
    pub(super) fn look_at_telling(&mut self, telling: &Telling) {
        let (job, number) = (telling.job, telling.number);
        let lasts = self.rows.lasting.peek(job);
        let owner = lasts.map(|job| job.owner);
        let Some(notice) = lasts.and_then(|job| job.outbox.notice(number)).cloned() else {
            let promise =
                if self.notices.heard.contains(&(job, number)) { Promise::Notices } else { Promise::P1 };
            return self.broken(promise, || format!("{number} of {job} is told, and not on record"));
        };
        let owner = owner.expect("it has a notice");
        if self.notices.under_way.insert((job, number), owner).is_some() {
            self.broken(Promise::Notices, || format!("{notice:?} of {job} is told twice at a time"));
        }
        if self.notices.under_way.values().filter(|other| **other == owner).count() > AT_ONCE_MAX {
            self.broken(Promise::Notices, || {
                format!("{owner:?} is told more than {AT_ONCE_MAX} things at once")
            });
        }
        let named = match &telling.errand {
            Errand::Command { command, about } => {
                let is_about =
                    |name: &str, is: &str| about.iter().any(|(known, text)| *known == name && text == is);
                let said = about.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ");
                self.judge.text(&said, self.now, "what a command is told");
                is_about("BITS_JOB_ID", &job.to_string())
                    && is_about("BITS_EVENT", notice.happened.name())
                    && command.arguments == [job.to_string()]
            }
            Errand::Webhook(letter) => {
                self.judge.text(&letter.body, self.now, "a letter");
                letter.id == format!("{job}-{number}")
                    && letter.body.contains(&job.to_string())
                    && letter.body.contains(notice.happened.name())
            }
        };
        if !named {
            self.broken(Promise::Notices, || format!("{notice:?} of {job} says something else: {telling:?}"));
        }
    }

    /// What becomes of one try, which lasts so long: whether it is heard, and what is said of it.
    fn sink(&mut self, telling: &Telling) -> (Millis, bool, Result<(), String>) {
        let job = telling.job;
        let lasts = self.random.between(1, 2 * SECOND);
        let (is_theirs, fault) = match self.notices.sinks.get_mut(&job) {
            Some(sink) => {
                let is_theirs = match &telling.errand {
                    Errand::Command { command, .. } => sink.program.as_ref() == Some(&command.program),
                    Errand::Webhook(letter) => {
                        let secret = letter.secret.as_ref().map(|secret| secret.expose());
                        sink.url.as_deref() == Some(letter.url.as_str()) && sink.secret.as_deref() == secret
                    }
                };
                (is_theirs, sink.faults.pop_front().map_or(SinkFault::None, |(_, fault)| fault))
            }
            None => (false, SinkFault::None),
        };
        if !is_theirs {
            self.broken(Promise::P7, || {
                format!("{job} is told of to somebody who does not own it: {telling:?}")
            });
        }
        self.faults_met += u64::from(fault != SinkFault::None);
        match fault {
            SinkFault::None => (lasts, true, Ok(())),
            SinkFault::Fails => (lasts, false, Err("it failed".to_owned())),
            SinkFault::Hangs => (HANGS_FOR, false, Err("it took too long".to_owned())),
            SinkFault::Dies => (lasts, true, Err("it ended before it had answered".to_owned())),
        }
    }

    /// What is still to be told at the end of a world.
    pub(super) fn is_all_told(&self) -> bool {
        self.rows.lasting.each().all(|job| job.outbox.pending.is_empty())
    }
}

impl Floor<'_> {
    /// Begins to tell.
    pub(super) fn tell(&mut self, mut telling: Box<Telling>) {
        if self.shared.mutation == Some(Mutation::NoticeAstray) {
            let mut others = self.shared.notices.sinks.values().filter_map(|sink| sink.program.clone());
            if let (Errand::Command { command, .. }, Some(other)) = (&mut telling.errand, others.next_back())
            {
                command.program = other;
            }
        }
        let (lasts, is_heard, outcome) = self.shared.sink(&telling);
        let (job, number, epoch) = (telling.job, telling.number, self.epoch);
        if self.shared.mutation == Some(Mutation::NoticeUnheard) {
            self.report(job, Report::Told { number, outcome: Ok(()) });
        }
        self.events.put(self.shared.now + lasts, Event::Told { epoch, job, number, is_heard, outcome });
    }

    /// A try to tell has come to its end.
    pub(super) fn told(&mut self, job: JobId, number: u32, is_heard: bool, outcome: Result<(), String>) {
        if self.shared.step() {
            return;
        }
        if is_heard {
            self.shared.notices.heard.insert((job, number));
        }
        self.shared.passes(Trap::Told);
        if self.shared.step() {
            return;
        }
        self.shared.notices.under_way.remove(&(job, number));
        self.report(job, Report::Told { number, outcome });
    }
}

/// Where what happens to job `number` of `owner` is told.
pub(super) fn sink(owner: u32, number: usize) -> Sink {
    Sink {
        program: Some(format!("/home/{owner}/bin/told-{number}")),
        url: Some(format!("http://hook{owner}.test/{number}")),
        secret: Some(format!("hook-{number}-{SECRET_MARK}")),
        faults: VecDeque::new(),
    }
}
