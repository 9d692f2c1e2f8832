//! What is going to happen in a simulated world, and when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use bits_core::job::JobId;
use bits_worker::link::ToWorker;

use super::conditions::Change;
use super::scenario::Millis;
use super::worker::{Moved, Stamp};

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Event {
    /// For the worker of one service; the next one has another number.
    Worker {
        epoch: u32,
        job: JobId,
        stamp: Stamp,
        moved: Moved,
    },
    Orders {
        epoch: u32,
        orders: Vec<ToWorker>,
    },
    /// The owner of a job looks how it is.
    Look(usize),
    Act(usize),
    /// A person answers what an agent has asked.
    Reply {
        owner: u32,
    },
    AgentReturns {
        owner: u32,
    },
    Fault(usize),
    /// The conditions of the world are others.
    Condition(Change),
    ConditionOver(Change),
    /// A try to tell an owner something has come to its end.
    Told {
        epoch: u32,
        job: JobId,
        number: u32,
        is_heard: bool,
        outcome: Result<(), String>,
    },
    NetworkBack,
    DiskFree,
    StoreFree,
    StoreQuick,
    /// Whatever it was doing, the service is dead now.
    Dead {
        epoch: u32,
    },
    /// Nothing goes wrong any more.
    Calm,
}

/// All of it, in order.
#[derive(Debug, Default)]
pub(super) struct Events {
    heap: BinaryHeap<Entry>,
    count: u64,
}

#[derive(Debug)]
struct Entry {
    at: Millis,
    /// What was put first comes first.
    number: u64,
    event: Event,
}

impl Events {
    pub(super) fn put(&mut self, at: Millis, event: Event) {
        self.count += 1;
        self.heap.push(Entry { at, number: self.count, event });
    }

    pub(super) fn next_at(&self) -> Option<Millis> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Millis, Event)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    /// How many there have been.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, as the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
