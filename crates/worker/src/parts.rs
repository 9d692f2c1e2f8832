//! The parts of a file that come beside the rest, each over a connection of its own and by a task of its
//! own, into the same partial file.
//!
//! Which parts there are is decided by the plan of the file. What they bring is told to it by whoever
//! carries that plan out, in the order in which it happened.

use std::collections::BTreeMap;
use std::panic::resume_unwind;

use bits_core::file::{FileIndex, Validator};
use bits_core::queue::Report;
use bits_core::remote_name::RemoteName;
use bits_core::transfer::{PartAsked, PartEnd, PartId, PartPlan};
use bits_core::units::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt::Line;
use crate::http::Client;
use crate::sink::Sink;
use crate::transfer::download;

/// What is told of a part.
#[derive(Debug)]
pub(crate) enum News {
    /// It is written up to there.
    Written(PartId, Bytes),
    Note(String),
    Ended(PartId, Box<Ended>),
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: PartEnd,
    pub(crate) validator: Option<Validator>,
    client: Client,
}

/// Where a part says what it has done.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    id: PartId,
    news: UnboundedSender<News>,
}

impl Teller {
    /// Tells what a plan of a part reports.
    pub(crate) fn report(&self, report: Report) {
        // Who does not listen any more has stopped the part.
        let _ = self.news.send(match report {
            Report::Progress { transferred, .. } => News::Written(self.id, transferred),
            Report::Note { text, .. } => News::Note(text),
            _ => unreachable!("a part reports nothing else"),
        });
    }
}

/// The parts of one file.
#[derive(Debug)]
pub(crate) struct Lanes {
    tasks: JoinSet<()>,
    /// How each is ended, and where to its connection leads.
    stops: BTreeMap<PartId, (CancellationToken, RemoteName)>,
    to_us: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    /// Those over whose connections parts have come.
    idle: Vec<Client>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        let (to_us, news) = unbounded_channel();
        Self { tasks: JoinSet::new(), stops: BTreeMap::new(), to_us, news, idle: Vec::new() }
    }

    /// Whether a part can begin without waiting for a connection that others have: they may wait for ours.
    pub(crate) fn has_room(&self, client: &Client, name: &RemoteName) -> bool {
        self.idle.iter().any(|idle| idle.keeps(name)) || client.may_open_further(name)
    }

    /// Gives up a connection for somebody who waits for one, if anybody does: one that rests, else that of
    /// the part that was begun last.
    pub(crate) fn make_room(&mut self, client: &Client) {
        self.idle.iter_mut().for_each(Client::make_room);
        let last = self.stops.iter().rev().find(|(_, (_, name))| client.is_waited_for(name));
        if let Some((_, (stop, _))) = last {
            stop.cancel();
        }
    }

    /// Begins to fetch a part, for the one that `client` asks for.
    pub(crate) fn begin(
        &mut self,
        asked: PartAsked,
        file: FileIndex,
        client: &Client,
        sink: Sink,
        line: &Line,
    ) {
        let (id, stop) = (asked.id, CancellationToken::new());
        self.stops.insert(id, (stop.clone(), asked.remote_name().clone()));
        let teller = Teller { id, news: self.to_us.clone() };
        let idle = self.idle.iter().position(|idle| idle.keeps(asked.remote_name()));
        let client = idle.map_or_else(|| client.another(), |at| self.idle.swap_remove(at));
        let line = line.of_part(teller, stop);
        self.tasks.spawn(fetch(PartPlan::new(asked), file, client, sink, line, self.to_us.clone()));
    }

    /// Lets a part end, if it has not.
    pub(crate) fn leave(&self, id: PartId) {
        if let Some((stop, _)) = self.stops.get(&id) {
            stop.cancel();
        }
    }

    /// Waits until something is told, for ever when there are no parts. May be given up and begun again.
    pub(crate) async fn news(&mut self) -> News {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Err(error) = ended {
                        resume_unwind(error.into_panic());
                    }
                }
                Some(news) = self.news.recv() => return news,
            }
        }
    }

    /// Takes note that a part has ended.
    pub(crate) fn ended(&mut self, id: PartId, ended: Ended) -> (PartEnd, Option<Validator>) {
        self.stops.remove(&id);
        let Ended { end, validator, client } = ended;
        if end == PartEnd::Whole {
            self.idle.push(client);
        }
        (end, validator)
    }
}

async fn fetch(
    mut plan: PartPlan,
    file: FileIndex,
    mut client: Client,
    sink: Sink,
    mut line: Line,
    news: UnboundedSender<News>,
) {
    let id = plan.id();
    let _ = download(&mut plan, file, &mut client, (sink, None), &mut line).await;
    let (end, validator) = plan.into_end();
    let _ = news.send(News::Ended(id, Box::new(Ended { end, validator, client })));
}
