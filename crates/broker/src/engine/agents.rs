//! The agents that are connected, and what each has been told of the questions.
//!
//! What is asked, and of whom, is the queue's business.

use std::collections::BTreeMap;

use bits_core::access::Caller;
use bits_core::job::Owner;
use bits_core::ports::Filter;
use bits_core::queue::{self, Presence, PresenceId, QUESTIONS_MAX, Question, QuestionId};
use bits_core::time::Timestamp;

use super::{Engine, Turn};

/// Where an agent's notices go.
pub type AgentWatcher = tokio::sync::mpsc::Sender<AgentNotice>;

/// What an agent is told.
#[derive(Debug, Clone)]
pub enum AgentNotice {
    /// A question that is new, or has more jobs.
    Asked(Box<Question>),
    /// A question that needs no answer any more.
    Withdrawn(QuestionId),
    /// All that was open when the agent came has been told.
    Ready,
}

/// Jobs in ERROR that are read at a time when an agent comes.
const PAGE_JOBS: usize = QUESTIONS_MAX;
/// How often so many are read: all else waits meanwhile. Jobs beyond that are offered to the next agent.
const PAGES_MAX: usize = 10;

#[derive(Debug)]
struct Agent {
    owner: Owner,
    watcher: AgentWatcher,
    /// The questions it knows of, and for how many jobs.
    told: BTreeMap<QuestionId, usize>,
}

/// All agents.
#[derive(Debug, Default)]
pub(super) struct Agents(BTreeMap<PresenceId, Agent>);

impl Agent {
    /// Tells what has changed; says whether the agent keeps up.
    fn tell<'q>(&mut self, questions: impl Iterator<Item = &'q Question>) -> bool {
        let mut gone = std::mem::take(&mut self.told);
        let mut notices = Vec::new();
        for question in questions {
            let jobs = question.asked().count();
            if gone.remove(&question.id).is_none_or(|told| told < jobs) {
                notices.push(AgentNotice::Asked(Box::new(question.clone())));
            }
            self.told.insert(question.id, jobs);
        }
        let withdrawn = gone.into_keys().map(AgentNotice::Withdrawn);
        withdrawn.chain(notices).all(|notice| self.watcher.try_send(notice).is_ok())
    }
}

impl Engine<'_> {
    /// An agent has come: jobs may wait for it, and those that had nobody to ask are offered to it.
    pub(super) fn agent_came(&mut self, caller: Caller, who: PresenceId, now: Timestamp, turn: &mut Turn) {
        let owner = Owner(caller.uid);
        self.queue.came(who, Presence::Agent(owner));
        if self.paused_until.is_some() {
            return;
        }
        let filter = Filter { owner, state: Some("error"), called: None, challenged: true };
        let mut after = None;
        for _ in 0..PAGES_MAX {
            match self.store.list(&filter, after, PAGE_JOBS) {
                Ok(page) => {
                    for (job, _) in &page.jobs {
                        self.take_in(queue::Input::Offer { job: job.id }, now, turn);
                    }
                    after = page.next;
                }
                Err(error) => {
                    tracing::warn!(%error, "jobs that need credentials could not be looked for");
                    after = None;
                }
            }
            if after.is_none() {
                return;
            }
        }
    }

    pub(super) fn agent_left(&mut self, who: PresenceId) {
        self.agents.0.remove(&who);
        self.queue.left(who, self.clock.now());
    }

    /// Tells a new agent what is open, and from now on what changes.
    pub(super) fn start_asking(&mut self, caller: Caller, who: PresenceId, watcher: AgentWatcher) {
        let owner = Owner(caller.uid);
        let mut agent = Agent { owner, watcher, told: BTreeMap::new() };
        if agent.tell(self.queue.questions(owner)) && agent.watcher.try_send(AgentNotice::Ready).is_ok() {
            self.agents.0.insert(who, agent);
        } else {
            self.queue.left(who, self.clock.now());
        }
    }

    pub(super) fn tell_agents(&mut self) {
        let queue = &self.queue;
        // One that does not keep up hears no more: its stream ends, and it begins anew.
        let behind = self.agents.0.extract_if(.., |_, agent| !agent.tell(queue.questions(agent.owner)));
        let behind: Vec<PresenceId> = behind.map(|(who, _)| who).collect();
        behind.into_iter().for_each(|who| self.queue.left(who, self.clock.now()));
    }
}
