//! Carries out one download plan: what it wants is done, and what became of it is told.
//!
//! Nothing is decided here but the way on which bytes are moved. A plain body of known length is
//! poured into the file by one thread; for all others a buffer is filled while another is written,
//! and a write waits until its buffer is full or the connection has nothing more.

use std::future::pending;
use std::time::Duration;

use bits_core::file::FileIndex;
use bits_core::time::Timestamp;
use bits_core::transfer::{BodyEnd, Fetch, Next, Outcome, PartEnd, Plan, ResponseHead, TransportError};
use bits_core::units::Bytes;
use bits_platform::files::FileError;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::attempt::Line;
use crate::http::{Body, Client, Direct, FetchError, Interrupt, Poured, Received, Response};
use crate::local_source::{self, LocalBody};
use crate::pacing::Allowed;
use crate::parts::{Lanes, News};
use crate::sink::{Buffer, Finished, Sink, blocking, returned};
use crate::tally::add;

/// Carries out `plan` for the file number `file` to its end. A body may be coming already.
pub(crate) async fn download(
    plan: &mut impl Plan,
    file: FileIndex,
    client: &mut Client,
    (sink, body): (Sink, Option<Body>),
    line: &mut Line,
) -> Outcome {
    let mut pipe = Pipe::new(sink);
    let mut lanes = Lanes::new();
    if let Some(body) = body {
        pipe.source = Source::Body(Box::new(body));
    }
    let stop = line.stop().clone();
    let mut stopped = false;
    loop {
        let next = plan.next(line.now());
        let moved = match next {
            Next::Report(report) => {
                line.report(report);
                continue;
            }
            Next::Done(outcome) => {
                // After anything else no other file follows.
                let goes_on = matches!(outcome, Outcome::Transferred | Outcome::Satisfied(_));
                if let (true, Some(body)) = (goes_on, pipe.unwanted_body()) {
                    client.keep(body).await;
                }
                return outcome;
            }
            Next::ReadBack { upto, algorithm } => {
                match pipe.sink.read_back(upto, algorithm).await {
                    Ok(()) => plan.read_back(),
                    Err(error) => plan.refused(error),
                }
                continue;
            }
            Next::Cut { to, size, sum } => {
                match pipe.sink.cut(to, size, sum).await {
                    Ok(partial) => plan.cut(partial),
                    Err(error) => plan.refused(error),
                }
                continue;
            }
            Next::Seek { to } => {
                pipe.sink.seek(to);
                continue;
            }
            Next::Sum => {
                plan.summed(&pipe.sink.sum());
                continue;
            }
            Next::Leave => {
                end_pouring(plan, &mut pipe).await;
                pipe.source = Source::None;
                plan.left();
                continue;
            }
            Next::Part(asked) if !lanes.has_room(client, asked.remote_name()) => {
                plan.part_ended(asked.id, PartEnd::NoRoom, None);
                continue;
            }
            Next::Part(asked) => {
                let sink = pipe.sink.beside(asked.from());
                lanes.begin(*asked, file, client, sink, line);
                continue;
            }
            Next::LeavePart(id) => {
                lanes.leave(id);
                continue;
            }
            Next::Sync { upto } => {
                pipe.sink.start_sync(upto);
                continue;
            }
            Next::Fetch(fetch) => tokio::select! {
                biased;
                () = stop.cancelled(), if !stopped => Moved::Stopped,
                answer = ask(&mut pipe, client, &fetch, line.now(), file) => Moved::Answered(answer),
            },
            Next::Receive { max, wake } => {
                let wake = wake.map(|at| line.instant(at));
                tokio::select! {
                    biased;
                    () = stop.cancelled(), if !stopped => Moved::Stopped,
                    () = line.asked() => Moved::Asked,
                    news = lanes.news() => Moved::News(news),
                    moved = pipe.receive(max, wake) => moved,
                }
            }
            Next::Wait => tokio::select! {
                biased;
                () = stop.cancelled(), if !stopped => Moved::Stopped,
                finished = pipe.bring_home() => Moved::Finished(finished),
                news = lanes.news() => Moved::News(news),
                recorded = line.recorded() => Moved::Recorded(recorded),
            },
            Next::Rest { wake } => tokio::select! {
                biased;
                () = stop.cancelled(), if !stopped => Moved::Stopped,
                finished = pipe.bring_home() => Moved::Finished(finished),
                news = lanes.news() => Moved::News(news),
                () = sleep_until(line.instant(wake)) => Moved::Nothing,
            },
        };
        stopped |= matches!(moved, Moved::Stopped);
        let moved = match moved {
            Moved::News(News::Written(id, upto)) => {
                lanes.make_room(client);
                plan.part_written(id, upto);
                continue;
            }
            Moved::News(News::Ended(id, ended)) => {
                let (end, validator) = lanes.ended(id, *ended);
                plan.part_ended(id, end, validator);
                continue;
            }
            Moved::News(News::Note(text)) => {
                line.note(text);
                continue;
            }
            moved => moved,
        };
        if pipe.was_held() {
            plan.was_held(line.now());
        }
        tell(plan, file, &mut pipe, moved, line.now()).await;
        for note in client.notes() {
            line.note(note);
        }
    }
}

/// Tells the plan what has happened.
async fn tell(plan: &mut impl Plan, file: FileIndex, pipe: &mut Pipe, moved: Moved, now: Timestamp) {
    match moved {
        Moved::Nothing | Moved::News(_) => {}
        Moved::Stopped => {
            plan.stop();
            end_pouring(plan, pipe).await;
        }
        Moved::Asked => {
            if plan.interrupt() {
                end_pouring(plan, pipe).await;
            }
        }
        Moved::Recorded(index) => {
            if index == file {
                plan.recorded();
            }
        }
        Moved::Answered(Ok((head, source))) => {
            pipe.source = source;
            plan.answered(&head, now);
        }
        Moved::Answered(Err(FetchError::Transport(error))) => plan.failed(error),
        Moved::Answered(Err(FetchError::Refused(error))) => plan.refused(*error),
        Moved::Received(Ok(Received::Bytes(count))) => plan.received(Bytes(count as u64)),
        Moved::Received(Ok(Received::Ended(end))) => plan.ended(end),
        Moved::Received(Err(error)) => plan.failed(error),
        Moved::Poured(poured) => take_in(plan, pipe, poured),
        Moved::Finished(Finished::Write { buffer, outcome }) => {
            pipe.spare = Some(buffer);
            match outcome {
                Ok(count) => plan.written(count),
                Err(error) => {
                    pipe.filling.clear();
                    plan.not_written(error);
                }
            }
        }
        Moved::Finished(Finished::Sync { upto, outcome }) => match outcome {
            Ok(()) => plan.synced(upto, now),
            Err(error) => {
                plan.not_synced(error);
                end_pouring(plan, pipe).await;
            }
        },
    }
}

/// What has happened.
enum Moved {
    /// Only time has passed, or a write has begun.
    Nothing,
    Stopped,
    /// Something else is asked for of the job.
    Asked,
    Recorded(FileIndex),
    News(News),
    Answered(Result<(ResponseHead, Source), FetchError>),
    Received(Result<Received, TransportError>),
    Finished(Finished),
    Poured(PourEnd),
}

/// How many bytes were poured, and why no more.
type PourEnd = (Bytes, Poured<FileError>);

/// Ends the pouring of a plan that has ended, which is not blamed on the connection.
async fn end_pouring(plan: &mut impl Plan, pipe: &mut Pipe) {
    if let Some(poured) = pipe.interrupted().await {
        take_in(plan, pipe, poured);
    }
}

/// Tells the plan what was poured.
fn take_in(plan: &mut impl Plan, pipe: &mut Pipe, (count, why): PourEnd) {
    pipe.sink.poured(count);
    plan.received(count);
    plan.written(count);
    match why {
        Poured::Enough => {}
        Poured::Closed => plan.ended(BodyEnd::Closed),
        Poured::Broken(error) => plan.failed(error),
        Poured::NotWritten(error) => plan.refused(pipe.sink.failed(error)),
    }
}

/// The way of the bytes.
struct Pipe {
    sink: Sink,
    filling: Buffer,
    /// The other buffer, while it is not being written.
    spare: Option<Buffer>,
    source: Source,
}

/// Where bytes come from.
enum Source {
    None,
    Body(Box<Body>),
    Direct(Box<Direct>),
    /// With a thread; what ends it early is kept here.
    Pouring(JoinHandle<(Pourer, PourEnd)>, Option<Interrupt>),
    /// A file of this machine.
    Local(Box<LocalBody>),
}

/// What a thread pours from.
enum Pourer {
    Direct(Box<Direct>),
    Local(Box<LocalBody>),
}

impl Pourer {
    fn pour(
        &mut self,
        max: u64,
        place: u64,
        until: std::time::Instant,
        mut write: impl FnMut(&[u8], u64) -> Result<(), FileError>,
    ) -> (u64, Poured<FileError>) {
        match self {
            Self::Direct(direct) => direct.pour(max, place, until, write),
            Self::Local(local) => {
                let mut place = place;
                local.pour(max, until, |bytes| {
                    write(bytes, place)?;
                    place += bytes.len() as u64;
                    Ok(())
                })
            }
        }
    }
}

impl Source {
    /// Waits for the thread that pours, if there is one. May be given up and begun again.
    async fn poured(&mut self) -> Option<PourEnd> {
        let Self::Pouring(pouring, _) = self else { return None };
        let (pourer, end) = returned(pouring.await);
        *self = match pourer {
            Pourer::Direct(direct) => Self::Direct(direct),
            Pourer::Local(local) => Self::Local(local),
        };
        Some(end)
    }
}

/// Bytes poured before the plan is asked again what is due.
const POUR_BYTES: Bytes = Bytes(16 * 1024 * 1024);
/// Time after which it is asked again, in case little comes.
const POUR_TIME: Duration = Duration::from_millis(200);

impl Pipe {
    fn new(sink: Sink) -> Self {
        Self { sink, filling: Buffer::new(), spare: Some(Buffer::new()), source: Source::None }
    }

    /// Waits for bytes, for a write to end, or for `wake`, whatever is first.
    async fn receive(&mut self, max: Option<Bytes>, wake: Option<Instant>) -> Moved {
        match &self.source {
            Source::Body(body) if body.is_direct() => {
                if self.start_writing_all() {
                    return Moved::Finished(self.sink.finished().await);
                }
                let Source::Body(body) = std::mem::replace(&mut self.source, Source::None) else {
                    unreachable!("it was a body just now")
                };
                match body.into_direct() {
                    Ok(direct) => self.source = Source::Direct(Box::new(direct)),
                    Err(error) => return Moved::Received(Err(error)),
                }
                Moved::Nothing
            }
            Source::Body(_) => self.fill(max, wake).await,
            Source::Direct(_) | Source::Local(_) | Source::Pouring(..) => self.pour(max, wake).await,
            Source::None => unreachable!("an answer has a body"),
        }
    }

    /// Lets a thread pour for a while, or goes on waiting for it.
    async fn pour(&mut self, max: Option<Bytes>, wake: Option<Instant>) -> Moved {
        match std::mem::replace(&mut self.source, Source::None) {
            Source::Direct(direct) => {
                let interrupt = match direct.interrupt() {
                    Ok(interrupt) => interrupt,
                    Err(error) => return Moved::Received(Err(error)),
                };
                let pouring = self.start_pouring(Pourer::Direct(direct), max, wake);
                self.source = Source::Pouring(pouring, Some(interrupt));
            }
            // A disk does not keep one waiting; what was begun is soon done.
            Source::Local(local) => {
                let pouring = self.start_pouring(Pourer::Local(local), max, wake);
                self.source = Source::Pouring(pouring, None);
            }
            other => self.source = other,
        }
        tokio::select! {
            biased;
            finished = self.sink.finished() => Moved::Finished(finished),
            Some(poured) = self.source.poured() => Moved::Poured(poured),
        }
    }

    fn start_pouring(
        &self,
        mut pourer: Pourer,
        max: Option<Bytes>,
        wake: Option<Instant>,
    ) -> JoinHandle<(Pourer, PourEnd)> {
        let (partial, place, tally) = self.sink.to_pour_into();
        let max = max.unwrap_or(POUR_BYTES).min(POUR_BYTES);
        let soon = Instant::now() + POUR_TIME;
        let until = wake.map_or(soon, |wake| wake.min(soon)).into_std();
        spawn_blocking(move || {
            let (count, why) = pourer.pour(max.0, place.0, until, |bytes, place| {
                partial.write_block(bytes, Bytes(place))?;
                add(tally.as_deref(), bytes);
                Ok(())
            });
            (pourer, (Bytes(count), why))
        })
    }

    /// Whether we have held the source back since this was asked last.
    fn was_held(&mut self) -> bool {
        match &mut self.source {
            Source::Body(body) => body.was_held(),
            Source::Direct(direct) => direct.was_held(),
            Source::None | Source::Pouring(..) | Source::Local(_) => false,
        }
    }

    /// Ends the pouring, if there is any, so that no byte is written behind our back.
    async fn interrupted(&mut self) -> Option<PourEnd> {
        if let Source::Pouring(_, interrupt) = &mut self.source
            && let Some(interrupt) = interrupt.take()
        {
            interrupt.interrupt();
        }
        self.source.poured().await
    }

    /// What is left of the answer, so that its connection may be kept.
    fn unwanted_body(&mut self) -> Option<Body> {
        match std::mem::replace(&mut self.source, Source::None) {
            Source::Body(body) => Some(*body),
            Source::Direct(direct) => direct.into_body(),
            Source::Local(_) | Source::None => None,
            Source::Pouring(..) => unreachable!("the pouring has ended"),
        }
    }

    /// Fills a buffer while the other one is written.
    async fn fill(&mut self, max: Option<Bytes>, wake: Option<Instant>) -> Moved {
        if self.filling.is_full() && self.start_write() {
            return Moved::Nothing;
        }
        let Source::Body(body) = &mut self.source else { unreachable!("a body fills") };
        if self.filling.is_full() {
            // The disk is slower than the network; the server must not be blamed for the silence.
            body.pause();
            return Moved::Finished(self.sink.finished().await);
        }
        let may_write = !self.filling.is_empty() && !self.sink.is_writing();
        let moved = tokio::select! {
            biased;
            received = body.fill(self.filling.room(max)) => Moved::Received(received),
            finished = self.sink.finished() => Moved::Finished(finished),
            // The socket has nothing just now: a good time to write.
            () = std::future::ready(()), if may_write => Moved::Nothing,
            () = at(wake) => Moved::Nothing,
        };
        match moved {
            Moved::Received(Ok(Received::Bytes(count))) => self.filling.filled(count),
            Moved::Nothing if may_write => {
                self.start_write();
            }
            _ => {}
        }
        moved
    }

    /// Begins to write what has come; says whether a write is under way.
    fn start_writing_all(&mut self) -> bool {
        if !self.filling.is_empty() {
            self.start_write();
        }
        self.sink.is_writing()
    }

    /// Writes what has come and waits until something under way has ended.
    async fn bring_home(&mut self) -> Finished {
        self.start_writing_all();
        self.sink.finished().await
    }

    /// Hands the buffer that was filled to the sink, unless that has one already.
    fn start_write(&mut self) -> bool {
        if self.sink.is_writing() {
            return false;
        }
        let spare = self.spare.take().expect("the other buffer is not being written");
        self.sink.start_write(std::mem::replace(&mut self.filling, spare));
        true
    }
}

async fn ask(
    pipe: &mut Pipe,
    client: &mut Client,
    fetch: &Fetch,
    now: Timestamp,
    file: FileIndex,
) -> Result<(ResponseHead, Source), FetchError> {
    if let Some(body) = pipe.unwanted_body() {
        client.keep(body).await;
    }
    if let Some(path) = fetch.remote_name.local_path() {
        let range = fetch.range.clone();
        let allowed = Allowed::of_machine(client.rate());
        let answer = blocking(move || local_source::answer(&path, range.as_ref(), now, file, allowed));
        let (head, body) = answer.await.map_err(|error| FetchError::Refused(Box::new(error)))?;
        return Ok((head, Source::Local(Box::new(body))));
    }
    let Response { head, body } = client.fetch(fetch, file).await?;
    Ok((head, Source::Body(Box::new(body))))
}

/// Waits until then, for ever without a time.
pub(crate) async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
