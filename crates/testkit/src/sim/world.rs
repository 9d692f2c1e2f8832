//! One world: the service lives, dies and lives again in it, until every job has come to rest.
//!
//! The engine is the real one, run turn by turn; its thread and its clock are the world's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bits_broker::engine::{Engine, Input};
use bits_broker::vault::Vault;
use bits_core::checksum::Checksum;
use bits_core::conditions::{Attendance, Conditions, Network, NetworkCost, Power};
use bits_core::file::BootId;
use bits_core::job::Owner;
use bits_core::queue::{Limits, Ticket};

use super::conditions::{Change, Outside};
use super::disk::Disk;
use super::events::{Event, Events};
use super::extents::{Extents, Source};
use super::judge::{Asked, Judge, Promise, Violation, Wanted};
use super::log::Log;
use super::mutations::Mutation;
use super::notices::{Notices, Sink};
use super::people::{Connected, Errand, Person};
use super::random::Random;
use super::scenario::{Act, HOUR, Kept, MINUTE, Millis, SECOND, Scenario, Trap, WorldFault};
use super::servers::Version;
use super::shared::{Hands, PlainSeal, Shared, Surroundings};
use super::store::{Rows, SimStore};
use super::worker::{Desk, Floor};

/// Within what every job must have come to rest once nothing goes wrong any more: the longest
/// transfers of a world one after the other, and far less than a clock may be set by.
const REST_WITHIN: Millis = 48 * HOUR;
/// More happens in no world that comes to rest, turns of the engine among it.
const EVENTS_MAX: u64 = 400_000;
/// Inputs of one turn, as the engine's own thread takes them.
const INPUTS_PER_TURN: usize = 256;
/// Longer than this no kill is put off by a service that does nothing of what it waits for.
const KILL_WITHIN: Millis = 10 * MINUTE;

/// What became of a world.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub violation: Option<Violation>,
    /// Jobs that were lived to their end.
    pub lives: u64,
    /// Files of those.
    pub files: u64,
    /// What went wrong on the way.
    pub faults: u64,
    /// How often the service was killed, or lost its power.
    pub deaths: u64,
    pub turns: u64,
    /// Simulated milliseconds.
    pub millis: u64,
    /// How many things can be left out of it.
    pub elements: u32,
    /// What happened, when that was wanted.
    pub story: Vec<String>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) around: Surroundings,
    pub(super) people: Vec<Person>,
    pub(super) acts: Vec<(Millis, Act)>,
    faults: Vec<(Millis, WorldFault)>,
    calm_at: Millis,
    limits: Limits,
    later: Vec<(Millis, Change, Millis)>,
    pub(super) random: Random,
    pub(super) events: Events,
    pub(super) inbox: Vec<Input>,
    pub(super) errands: BTreeMap<Ticket, Errand>,
    pub(super) tickets: u64,
    pub(super) agents: BTreeMap<u32, Connected>,
    pub(super) owners_with_agents: BTreeSet<u32>,
    pub(super) vault: Vault,
    pub(super) mutation: Option<Mutation>,
    desk: Desk,
    pub(super) is_up: bool,
    pub(super) is_calm: bool,
    epoch: u32,
    /// When the engine has written what it decides on now.
    turn_at: Option<Millis>,
    commit_takes: Option<Millis>,
    pub(super) network_gone: u32,
    key_away: bool,
    next_version: u32,
    /// How the kill that is under way ends, and for how long.
    dying: Dying,
    outcome: Outcome,
    story: Option<Vec<String>>,
    log: Log,
}

#[derive(Debug, Clone, Copy, Default)]
struct Dying {
    by_power_cut: bool,
    down: Millis,
}

/// How a service ended.
enum Ended {
    Dead,
    /// There is no more to be seen in this world.
    Over,
}

impl World {
    pub(super) fn new(seed: u64, kept: &Kept, mutation: Option<Mutation>, is_told: bool) -> Self {
        let mut scenario = Scenario::draw(seed, kept);
        let is_thorough = seed.is_multiple_of(8) || mutation.is_some();
        let mut judge = Judge::default();
        judge.is_thorough = is_thorough;
        let mut disk = Disk::default();
        let mut notices = Notices::default();
        for plan in &mut scenario.jobs {
            notices.sinks.extend(plan.sink.as_mut().map(|sink| {
                let (program, url, secret) = (sink.program.clone(), sink.url.clone(), sink.secret.clone());
                (plan.id, Sink { program, url, secret, faults: std::mem::take(&mut sink.faults) })
            }));
            judge.owners.insert(plan.id, Owner(plan.owner));
            judge.asked.insert(plan.id, Asked::default());
            let is_on_demand = plan.demands.is_some();
            for file in &plan.files {
                let version = &scenario.resources[file.resource].versions[0];
                let checksum = file.checksum.map(|is_right| checksum(version, is_right));
                let before = file.replaces.then(|| Extents::of(Source::Before, 0, 100));
                if let Some(before) = &before {
                    disk.put_lasting(&file.local, before.clone());
                }
                let (resource, ranges, mirrors) = (file.resource, file.ranges.clone(), file.mirrors.clone());
                let wanted = Wanted { resource, mirrors, is_on_demand, ranges, checksum, before };
                judge.wanted.insert(file.local.clone(), wanted);
            }
            let first = &plan.files[0];
            let checksum = judge.wanted[&first.local].checksum.clone();
            let (resource, ranges, mirrors) = (first.resource, first.ranges.clone(), first.mirrors.clone());
            let more = Wanted { resource, mirrors, is_on_demand, ranges, checksum, before: None };
            judge.wanted.insert(format!("{}-more", first.local), more);
        }
        let shared = Shared {
            now: 0,
            clock_off: 0,
            random: Random::new(seed, "world"),
            disk,
            rows: Rows::default(),
            resources: scenario.resources,
            judge,
            outside: Outside::new(scenario.rules),
            notices,
            parts: scenario.parts,
            mutation,
            owners: scenario.owners,
            boot: BootId([0; 16]),
            is_dead: false,
            steps_left: None,
            trap: None,
            calm_since: None,
            syncs_to_fail: 0,
            faults_met: 0,
            orders: Vec::new(),
            answers: Vec::new(),
        };
        let mut events = Events::default();
        for (at, plan) in scenario.jobs.iter().enumerate() {
            events.put(plan.begin_at, Event::Look(at));
        }
        for (number, (at, _)) in scenario.faults.iter().enumerate() {
            events.put(*at, Event::Fault(number));
        }
        for (number, (at, _)) in scenario.acts.iter().enumerate() {
            events.put(*at, Event::Act(number));
        }
        events.put(scenario.calm_at, Event::Calm);
        Self {
            around: Surroundings(Arc::new(Mutex::new(shared))),
            people: scenario.jobs.into_iter().map(Person::new).collect(),
            acts: scenario.acts,
            faults: scenario.faults,
            calm_at: scenario.calm_at,
            limits: Limits { rules: scenario.rules, ..Limits::default() },
            later: scenario.later,
            random: Random::new(seed, "people"),
            events,
            inbox: Vec::new(),
            errands: BTreeMap::new(),
            tickets: 0,
            agents: BTreeMap::new(),
            owners_with_agents: BTreeSet::new(),
            vault: vault(true, mutation),
            mutation,
            desk: Desk::default(),
            is_up: false,
            is_calm: false,
            epoch: 0,
            turn_at: None,
            commit_takes: None,
            network_gone: 0,
            key_away: false,
            next_version: scenario.next_version,
            dying: Dying::default(),
            outcome: Outcome { elements: scenario.elements, ..Outcome::default() },
            story: is_told.then(Vec::new),
            log: Log::default(),
        }
    }

    /// Lets it run to its end.
    pub(super) fn run(mut self) -> Outcome {
        let log = self.log.clone();
        if self.around.lock().judge.is_thorough {
            tracing::subscriber::with_default(log, || self.live());
        } else {
            self.live();
        }
        if self.around.lock().judge.violation.is_none() {
            self.look_back();
        }
        let shared = self.around.lock();
        self.outcome.violation.clone_from(&shared.judge.violation);
        self.outcome.millis = shared.now;
        self.outcome.faults += shared.faults_met;
        let lived = self.people.iter().filter(|person| person.is_done);
        self.outcome.files = lived.clone().map(|person| person.plan.files.len() as u64).sum();
        self.outcome.lives = lived.count() as u64;
        drop(shared);
        self.outcome.story = self.story.take().unwrap_or_default();
        self.outcome
    }

    pub(super) fn now(&self) -> Millis {
        self.around.lock().now
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.story.is_some() {
            let now = self.now();
            let line = format!("{:>10}.{:03} s  {}", now / 1000, now % 1000, what());
            self.story.iter_mut().for_each(|story| story.push(line.clone()));
        }
    }

    pub(super) fn checksum(&self, version: &Version, is_right: bool) -> Checksum {
        checksum(version, is_right)
    }

    /// One service after the other.
    fn live(&mut self) {
        loop {
            match self.serve() {
                Ended::Over => return,
                Ended::Dead => {
                    let Dying { by_power_cut, down } = std::mem::take(&mut self.dying);
                    self.bury(by_power_cut);
                    let until = self.now() + down;
                    while self.events.next_at().is_some_and(|at| at <= until) {
                        let (at, event) = self.events.pop().expect("there is one");
                        self.around.lock().now = at;
                        self.happen(event);
                    }
                    self.around.lock().now = until;
                    if self.is_over() {
                        return;
                    }
                }
            }
        }
    }

    /// One service, from its start to its end.
    fn serve(&mut self) -> Ended {
        let around = self.around.clone();
        let has_key = !std::mem::take(&mut self.key_away);
        self.vault = vault(has_key, self.mutation);
        let mut store = SimStore(around.clone());
        let mut hands = Hands { around: around.clone(), vault: self.vault.clone() };
        self.tell(|| format!("a service starts, with its key: {has_key}"));
        {
            let mut shared = around.lock();
            let now = shared.now;
            shared.outside.is_forgotten(now);
            shared.rows.is_starting = true;
        }
        let started = Engine::start(&mut store, &around, &mut hands, self.limits);
        around.lock().rows.is_starting = false;
        let Ok(mut engine) = started else {
            // It is started again in a while, as a supervisor does.
            self.dying.down = self.dying.down.max(5 * SECOND);
            return Ended::Dead;
        };
        self.is_up = true;
        if self.is_calm {
            let mut shared = around.lock();
            shared.calm_since = Some(shared.wall());
        }
        self.tell_conditions();
        for owner in self.owners_with_agents.clone() {
            let after = self.random.between(100, 15 * SECOND);
            let now = self.now();
            self.events.put(now + after, Event::AgentReturns { owner });
        }
        let mut wake_at = self.now();
        loop {
            self.act_on_what_was_done();
            if self.around.lock().is_dead {
                return Ended::Dead;
            }
            if self.is_over() {
                return Ended::Over;
            }
            // Writing takes its time, and what comes meanwhile goes into the same turn or the next.
            if self.turn_at.is_none() && !self.inbox.is_empty() {
                let takes = self.random.between(1, 15);
                self.turn_at = Some(self.now() + self.commit_takes.unwrap_or(takes));
            }
            let turn_at = match self.turn_at {
                Some(at) => at,
                None if self.mutation == Some(Mutation::WakeForgotten) => Millis::MAX,
                None => wake_at,
            };
            let next = self.events.next_at().unwrap_or(Millis::MAX);
            if turn_at <= next {
                {
                    let mut shared = around.lock();
                    shared.now = shared.now.max(turn_at);
                }
                let count = self.inbox.len().min(INPUTS_PER_TURN);
                let batch: Vec<Input> = self.inbox.drain(..count).collect();
                engine.turn(self.heard(batch));
                around.lock().look_at_who_runs();
                self.outcome.turns += 1;
                self.turn_at = None;
                // No turn is without its time, or a mistake would have the world stand still.
                let now = self.now() + 1;
                let wake = engine.until_next_wake();
                wake_at = now.saturating_add(u64::try_from(wake.as_millis()).unwrap_or(Millis::MAX));
            } else {
                let (at, event) = self.events.pop().expect("there is one");
                {
                    let mut shared = around.lock();
                    shared.now = shared.now.max(at);
                }
                self.happen(event);
            }
        }
    }

    /// Orders are on their way to the worker, answers to people.
    fn act_on_what_was_done(&mut self) {
        let (orders, answers) = {
            let mut shared = self.around.lock();
            if let Some(line) = self.log.leaked() {
                let now = shared.now;
                shared.judge.text(&line, now, "the log");
            }
            (std::mem::take(&mut shared.orders), std::mem::take(&mut shared.answers))
        };
        if !orders.is_empty() {
            self.tell(|| format!("the worker is told {orders:?}"));
            let now = self.now();
            self.events.put(now, Event::Orders { epoch: self.epoch, orders });
        }
        for (ticket, answer) in answers {
            self.answered(ticket, answer);
        }
        if !self.agents.is_empty() {
            self.agents_read();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Worker { epoch, job, stamp, moved } if epoch == self.epoch && self.is_up => {
                self.tell(|| format!("worker: {moved:?} for {job}"));
                self.work(|desk, floor| desk.moved(job, stamp, moved, floor));
            }
            Event::Orders { epoch, orders } if epoch == self.epoch && self.is_up => {
                self.work(|desk, floor| orders.into_iter().for_each(|order| desk.take(order, floor)));
            }
            Event::Worker { .. } | Event::Orders { .. } => {}
            Event::Look(at) => self.look(at),
            Event::Act(at) => self.act(at),
            Event::Reply { owner } => self.reply(owner),
            Event::AgentReturns { owner } => {
                if self.owners_with_agents.contains(&owner) {
                    self.agent_comes(owner);
                }
            }
            Event::Fault(at) => self.strike(self.faults[at].1),
            Event::Condition(change) => self.condition(change),
            Event::ConditionOver(change) => self.condition_over(change),
            Event::Told { epoch, job, number, is_heard, outcome } if epoch == self.epoch && self.is_up => {
                self.work(|_, floor| floor.told(job, number, is_heard, outcome));
            }
            Event::Told { .. } => {}
            Event::NetworkBack => self.network_gone = self.network_gone.saturating_sub(1),
            Event::DiskFree => self.around.lock().disk.is_full = false,
            Event::StoreFree => {
                let mut shared = self.around.lock();
                shared.rows.is_full = false;
                shared.rows.failed_at = shared.now;
            }
            Event::StoreQuick => {
                // One commit may be under way that takes as long as it did.
                let last = self.commit_takes.take().unwrap_or_default();
                let mut shared = self.around.lock();
                shared.rows.is_slow = false;
                shared.rows.failed_at = shared.now + last;
            }
            Event::Dead { epoch } => {
                if epoch == self.epoch && self.is_up {
                    self.around.lock().is_dead = true;
                }
            }
            Event::Calm => self.calm(),
        }
    }

    fn work(&mut self, what: impl FnOnce(&mut Desk, &mut Floor<'_>)) {
        let mut shared = self.around.lock();
        let before = self.inbox.len();
        let mut floor = Floor {
            shared: &mut shared,
            events: &mut self.events,
            reports: &mut self.inbox,
            epoch: self.epoch,
            next_version: &mut self.next_version,
            network_gone: self.network_gone > 0,
        };
        what(&mut self.desk, &mut floor);
        drop(shared);
        for at in before..self.inbox.len() {
            let input = &self.inbox[at];
            if self.story.is_some() {
                let line = format!("the worker reports {input:?}");
                self.tell(|| line);
            }
        }
    }

    fn condition(&mut self, change: Change) {
        self.tell(|| format!("{change:?}"));
        self.network_gone += u32::from(matches!(change, Change::Network(_)));
        self.around.lock().outside.becomes(change);
        self.tell_conditions();
    }

    fn condition_over(&mut self, change: Change) {
        self.tell(|| format!("{change:?} is over"));
        self.network_gone -= u32::from(matches!(change, Change::Network(_))).min(self.network_gone);
        self.around.lock().outside.is_over(change);
        self.tell_conditions();
    }

    /// The service is told of the conditions, as whoever watches them does.
    fn tell_conditions(&mut self) {
        if self.is_up {
            let are = self.around.lock().outside.are.clone();
            self.inbox.push(Input::Conditions(are));
        }
    }

    /// What a turn is about to take in of `batch`.
    fn heard(&mut self, mut batch: Vec<Input>) -> Vec<Input> {
        let mut shared = self.around.lock();
        let now = shared.now;
        batch.retain(|input| {
            let Input::Conditions(conditions) = input else { return true };
            shared.outside.is_told(conditions, now);
            match self.mutation {
                Some(Mutation::ConditionsIgnored) => is_free(conditions),
                Some(Mutation::ConditionsStuck) => !is_free(conditions),
                _ => true,
            }
        });
        batch
    }

    /// Something goes wrong with the machine.
    fn strike(&mut self, fault: WorldFault) {
        if self.is_calm {
            return;
        }
        self.tell(|| format!("{fault:?}"));
        let now = self.now();
        self.outcome.faults += 1;
        match fault {
            WorldFault::Kill { trap, steps, down } => self.kill((trap, steps), down, false),
            WorldFault::PowerCut { trap, steps, down } => self.kill((trap, steps), down, true),
            WorldFault::ClockSet(by) => {
                let mut shared = self.around.lock();
                shared.clock_off = shared.clock_off.saturating_add(by);
                shared.notices.forward += by.max(0).unsigned_abs();
            }
            WorldFault::NetworkGone(lasts) => {
                self.network_gone += 1;
                self.events.put(now + lasts, Event::NetworkBack);
            }
            WorldFault::Conditions(change, lasts) => {
                self.condition(change);
                self.events.put(now + lasts, Event::ConditionOver(change));
            }
            WorldFault::DiskFull(lasts) => {
                self.around.lock().disk.is_full = true;
                self.events.put(now + lasts, Event::DiskFree);
            }
            WorldFault::StoreFull(lasts) => {
                self.around.lock().rows.is_full = true;
                self.events.put(now + lasts, Event::StoreFree);
            }
            WorldFault::StoreSlow { each, lasts } => {
                self.commit_takes = Some(each);
                self.around.lock().rows.is_slow = true;
                self.events.put(now + lasts, Event::StoreQuick);
            }
            WorldFault::CommitsFail(count) => self.around.lock().rows.commits_to_fail = count,
            WorldFault::SyncsFail(count) => self.around.lock().syncs_to_fail = count,
            WorldFault::KeyAway => self.key_away = true,
        }
    }

    fn kill(&mut self, trap: (Trap, u32), down: Millis, by_power_cut: bool) {
        if !self.is_up {
            return;
        }
        let now = self.now();
        self.dying = Dying { by_power_cut: by_power_cut || self.dying.by_power_cut, down };
        {
            let mut shared = self.around.lock();
            shared.trap = Some(trap);
            shared.passes(Trap::Now);
        }
        self.events.put(now + KILL_WITHIN, Event::Dead { epoch: self.epoch });
    }

    /// The service is dead; what it had in memory is gone.
    fn bury(&mut self, by_power_cut: bool) {
        self.tell(|| format!("the service is dead; power cut: {by_power_cut}"));
        self.is_up = false;
        self.outcome.deaths += 1;
        self.epoch += 1;
        self.inbox.clear();
        self.turn_at = None;
        self.errands.clear();
        self.agents.clear();
        self.people.iter_mut().for_each(Person::hangs_up);
        let mut shared = self.around.lock();
        let shared = &mut *shared;
        self.desk.die(shared);
        shared.notices.die();
        shared.is_dead = false;
        shared.steps_left = None;
        shared.trap = None;
        shared.orders.clear();
        shared.answers.clear();
        let now = shared.now;
        if let Err(difference) = shared.rows.recover() {
            shared.judge.broken(Promise::P8, now, || difference);
        }
        let Shared { rows, judge, disk, resources, .. } = shared;
        judge.recovered(|id| rows.job(id), now);
        if by_power_cut {
            disk.power_cut(&mut shared.random);
            if shared.mutation != Some(Mutation::BootNotNoticed) {
                shared.boot = BootId(u128::from(self.epoch).to_be_bytes());
            }
            for (name, content) in disk.names() {
                judge.name(name, content, resources, now);
            }
        }
        shared.look_at_parts();
    }

    /// From here on nothing goes wrong. The service starts once more, with its key.
    fn calm(&mut self) {
        self.tell(|| "nothing goes wrong any more".to_owned());
        self.is_calm = true;
        self.network_gone = 0;
        for (begins, change, lasts) in std::mem::take(&mut self.later) {
            let begins = self.now() + begins;
            self.events.put(begins, Event::Condition(change));
            self.events.put(begins + lasts, Event::ConditionOver(change));
        }
        self.commit_takes = None;
        self.key_away = false;
        {
            let mut shared = self.around.lock();
            shared.disk.is_full = false;
            shared.rows.is_full = false;
            shared.rows.is_slow = false;
            shared.rows.commits_to_fail = 0;
            shared.syncs_to_fail = 0;
            shared.outside.are = Conditions::default();
            shared.notices.calm();
            shared.resources.iter_mut().for_each(|resource| resource.faults.clear());
            shared.is_dead = self.is_up;
        }
        self.dying.down = 100;
    }

    fn is_over(&mut self) -> bool {
        let are_done = self.is_calm && self.people.iter().all(|person| person.is_done);
        let is_done = are_done && self.around.lock().is_all_told();
        let now = self.now();
        let events = self.events.count() + self.outcome.turns;
        if !is_done && (now > self.calm_at + REST_WITHIN || events > EVENTS_MAX) {
            let late: Vec<_> = self.people.iter().filter(|person| !person.is_done).collect();
            let mut shared = self.around.lock();
            let shared = &mut *shared;
            let states: Vec<_> = late
                .iter()
                .map(|person| {
                    let id = person.plan.id;
                    let has_worker = self.desk.has(id);
                    (id, shared.rows.job(id).map(|job| (job.state, job.error.clone())), has_worker)
                })
                .collect();
            let promise = if are_done { Promise::Notices } else { Promise::Rest };
            let untold: Vec<_> =
                shared.rows.lasting.each().filter(|job| !job.outbox.pending.is_empty()).collect();
            shared.judge.broken(promise, now, || {
                let hours = now / HOUR;
                format!("after {hours} h and {events} events not at rest: {states:?}, not told: {untold:?}")
            });
        }
        is_done || self.around.lock().judge.violation.is_some()
    }

    /// At the end the power is cut once more: what was complete is there, and nothing else is.
    fn look_back(&mut self) {
        // What was begun for a job that is over is done by then, or by the next service.
        self.dying = Dying { by_power_cut: true, down: MINUTE };
        for _ in 0..2 {
            let Dying { by_power_cut, .. } = std::mem::take(&mut self.dying);
            self.bury(by_power_cut);
            self.serve_for(MINUTE);
        }
        let mut shared = self.around.lock();
        let shared = &mut *shared;
        let now = shared.now;
        if !shared.is_all_told() {
            shared.judge.broken(Promise::Notices, now, || "something was told again".to_owned());
        }
        for (name, _) in shared.disk.names().filter(|(name, _)| name.ends_with(".bits-part")) {
            shared.judge.broken(Promise::Parts, now, || format!("{name} outlives its job"));
        }
        for (_, file) in shared.rows.each_file() {
            let name = file.local_name.as_str();
            let is_complete = file.stage == bits_core::file::Stage::Completed;
            if is_complete && shared.disk.find(name).is_none() {
                shared.judge.broken(Promise::P1, now, || format!("{name} was complete, and is gone"));
            }
        }
    }

    /// One more service, for a while.
    fn serve_for(&mut self, millis: Millis) {
        let until = self.now() + millis;
        let around = self.around.clone();
        let mut store = SimStore(around.clone());
        let mut hands = Hands { around: around.clone(), vault: self.vault.clone() };
        let now = self.now();
        around.lock().outside.is_forgotten(now);
        let Ok(mut engine) = Engine::start(&mut store, &around, &mut hands, self.limits) else {
            return;
        };
        self.is_up = true;
        loop {
            self.act_on_what_was_done();
            let inputs: Vec<Input> = self.inbox.drain(..).collect();
            if !inputs.is_empty() {
                engine.turn(inputs);
                continue;
            }
            match self.events.next_at() {
                Some(at) if at <= until => {
                    let (at, event) = self.events.pop().expect("there is one");
                    let now = self.now();
                    self.around.lock().now = now.max(at);
                    self.happen(event);
                }
                _ => break,
            }
        }
        self.around.lock().now = until;
    }
}

/// How many things can be left out of the world of `seed`.
pub(super) fn elements(seed: u64) -> u32 {
    Scenario::draw(seed, &None).elements
}

/// The checksum of a version, or one that no file has.
fn checksum(version: &Version, is_right: bool) -> Checksum {
    match is_right {
        true => version.content().checksum(),
        false => Extents::of(Source::Before, 5, 5).checksum(),
    }
}

/// Whether nothing can hold anybody back.
fn is_free(conditions: &Conditions) -> bool {
    let Conditions { network, cost, power, owner, volumes: _ } = conditions;
    let has_network = matches!(network, Network::Up { .. });
    has_network
        && *cost == NetworkCost::Unrestricted
        && *power != Power::Battery
        && *owner != Attendance::Away
}

fn vault(has_key: bool, mutation: Option<Mutation>) -> Vault {
    let hides = mutation != Some(Mutation::SecretInTheClear);
    Vault::new(Arc::new(PlainSeal { has_key, hides }))
}
