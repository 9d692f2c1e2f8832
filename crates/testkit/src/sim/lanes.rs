//! The parts of a file that come beside the rest in a simulated world, each over a connection of its own
//! into the same partial file. What they bring is told to the plan of the file when it listens, as the
//! real worker does.

use std::collections::VecDeque;

use bits_core::file::Validator;
use bits_core::queue::Report;
use bits_core::transfer::{Next, PartAsked, PartEnd, PartId, PartPlan, Plan};

use super::answers::{Answered, Asker};
use super::disk::InodeId;
use super::mutations::Mutation;
use super::stream::Stream;
use super::worker::{Floor, Moved, Stamp};
use bits_core::units::Bytes;

/// What is told of a part.
#[derive(Debug)]
pub(super) enum News {
    Written(PartId, Bytes),
    /// Something for the log.
    Note,
    Ended(PartId, Box<(PartEnd, Option<Validator>)>),
}

/// The parts of one file.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    news: VecDeque<News>,
    /// Whether there ever was one.
    pub(super) any: bool,
}

#[derive(Debug)]
struct Lane {
    plan: PartPlan,
    stream: Stream,
    /// Whether it has something to do.
    is_due: bool,
}

impl Lanes {
    pub(super) fn begin(&mut self, asked: PartAsked, mut stream: Stream, front: (Option<InodeId>, u64)) {
        self.any = true;
        (stream.partial, stream.place) = front;
        self.lanes.push(Lane { plan: PartPlan::new(asked), stream, is_due: true });
    }

    /// Lets a part end, if it has not.
    pub(super) fn leave(&mut self, id: PartId) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.plan.id() == id) {
            lane.plan.stop();
            lane.stream.fetch = None;
            lane.is_due = true;
        }
    }

    /// What was told next.
    pub(super) fn news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Takes in what has happened to what is under way, if it is one of these.
    pub(super) fn moved(&mut self, stamp: Stamp, moved: Moved, asker: &Asker<'_>, floor: &mut Floor<'_>) {
        let is_it = |lane: &&mut Lane| lane.stream.stamp == stamp || lane.stream.body_stamp == stamp;
        let Some(lane) = self.lanes.iter_mut().find(is_it) else { return };
        lane.is_due = true;
        let (plan, stream) = (&mut lane.plan, &mut lane.stream);
        match moved {
            Moved::Answer => {
                let Some(fetch) = stream.fetch.take() else { return };
                let now = floor.time();
                match floor.answer(&fetch, asker, true) {
                    Answered::Head(head, body) => {
                        stream.body = Some(body);
                        plan.answered(&head, now);
                    }
                    Answered::Late(error) => {
                        stream.fetch = Some(fetch);
                        floor.later(
                            super::coming::IDLE_TIMEOUT,
                            stream.job,
                            stream.body_stamp,
                            Moved::Failed(error),
                        );
                        lane.is_due = false;
                    }
                    Answered::Failed(error) => plan.failed(error),
                    Answered::Refused(error) => plan.refused(*error),
                }
            }
            Moved::Failed(error) => {
                stream.fetch = None;
                plan.failed(error);
            }
            Moved::Chunk(count) => {
                stream.ready += count;
                stream.is_coming = false;
            }
            Moved::Written => stream.written(plan, floor),
            Moved::Order | Moved::Synced | Moved::Time => unreachable!("no part is about that"),
        }
    }

    /// Lets every part do what it can.
    pub(super) fn drive(&mut self, stamp: &mut dyn FnMut() -> Stamp, floor: &mut Floor<'_>) {
        let mut at = 0;
        while let Some(lane) = self.lanes.get_mut(at) {
            if !std::mem::take(&mut lane.is_due) || lane.drive(&mut self.news, stamp, floor) {
                at += 1;
                continue;
            }
            let Lane { plan, .. } = self.lanes.remove(at);
            self.news.push_back(News::Ended(plan.id(), Box::new(plan.into_end())));
        }
    }

    /// The process has ended.
    pub(super) fn die(&self, shared: &mut super::shared::Shared) {
        self.lanes.iter().for_each(|lane| lane.stream.die(shared));
    }
}

impl Lane {
    /// Does what is to be done until something must be waited for; false when the part is over.
    fn drive(
        &mut self,
        news: &mut VecDeque<News>,
        stamp: &mut dyn FnMut() -> Stamp,
        floor: &mut Floor<'_>,
    ) -> bool {
        loop {
            if floor.shared.is_dead {
                return true;
            }
            match self.plan.next(floor.time()) {
                Next::Report(Report::Progress { transferred, .. }) => {
                    news.push_back(News::Written(self.plan.id(), transferred));
                }
                Next::Report(Report::Note { .. }) => news.push_back(News::Note),
                Next::Done(_) => return false,
                Next::Fetch(fetch) => {
                    self.stream.ask(fetch, stamp(), floor);
                    return true;
                }
                Next::Seek { to } => {
                    if floor.shared.mutation != Some(Mutation::PartMisplaced) {
                        self.stream.place = to.0;
                    }
                }
                Next::Receive { max, .. } => {
                    if !self.stream.receive(&mut self.plan, max, None, floor) {
                        return true;
                    }
                }
                Next::Wait => {
                    self.stream.start_write(floor);
                    return true;
                }
                next => unreachable!("a part wants no {next:?}"),
            }
        }
    }
}
