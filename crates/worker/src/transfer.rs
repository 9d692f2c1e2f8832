//! Carries out one download plan: what it wants is done, and what became of it is told.
//!
//! Nothing is decided here but the order in which bytes are moved: a buffer is filled from the
//! socket while another is written, and a write waits until its buffer is full or the socket has
//! nothing more.

use std::future::pending;

use bits_core::file::FileIndex;
use bits_core::transfer::{DownloadPlan, Fetch, Next, Outcome};
use bits_core::units::Bytes;
use tokio::time::{Instant, sleep_until};

use crate::attempt::Line;
use crate::http::{Body, Client, FetchError, Received, Response};
use crate::sink::{Buffer, Finished, Sink};

/// Carries out `plan` for the file number `file` to its end.
pub(crate) async fn download(
    mut plan: DownloadPlan,
    file: FileIndex,
    client: &mut Client,
    sink: Sink,
    line: &mut Line,
) -> Outcome {
    let mut pipe = Pipe { sink, filling: Buffer::new(), spare: Some(Buffer::new()), body: None };
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
                if let (Outcome::Transferred, Some(body)) = (&outcome, pipe.body) {
                    client.keep(body).await;
                }
                return outcome;
            }
            Next::Cut { to, size } => {
                match pipe.sink.cut(to, size).await {
                    Ok(()) => plan.cut(),
                    Err(error) => plan.refused(error),
                }
                continue;
            }
            Next::Sync { upto } => {
                pipe.sink.start_sync(upto);
                continue;
            }
            Next::Fetch(fetch) => tokio::select! {
                biased;
                () = stop.cancelled(), if !stopped => Moved::Stopped,
                answer = ask(&mut pipe, client, &fetch) => Moved::Answered(answer),
            },
            Next::Receive { max, wake } => {
                let wake = wake.map(|at| line.instant(at));
                tokio::select! {
                    biased;
                    () = stop.cancelled(), if !stopped => Moved::Stopped,
                    moved = pipe.receive(max, wake) => moved,
                }
            }
            Next::Wait => tokio::select! {
                biased;
                () = stop.cancelled(), if !stopped => Moved::Stopped,
                finished = pipe.bring_home() => Moved::Finished(finished),
                recorded = line.recorded() => Moved::Recorded(recorded),
            },
        };
        match moved {
            Moved::Nothing => {}
            Moved::Stopped => {
                stopped = true;
                plan.stop();
            }
            Moved::Recorded(index) => {
                if index == file {
                    plan.recorded();
                }
            }
            Moved::Answered(Ok(Response { head, body })) => {
                pipe.body = Some(body);
                plan.answered(&head, line.now());
            }
            Moved::Answered(Err(FetchError::Transport(error))) => plan.failed(error),
            Moved::Answered(Err(FetchError::NotAuthenticated(error))) => plan.refused(*error),
            Moved::Received(Ok(Received::Bytes(count))) => plan.received(Bytes(count as u64)),
            Moved::Received(Ok(Received::Ended(end))) => plan.ended(end),
            Moved::Received(Err(error)) => plan.failed(error),
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
                Ok(()) => plan.synced(upto, line.now()),
                Err(error) => plan.not_synced(error),
            },
        }
        for note in client.notes() {
            line.note(note);
        }
    }
}

/// What has happened.
enum Moved {
    /// Only time has passed, or a write has begun.
    Nothing,
    Stopped,
    Recorded(FileIndex),
    Answered(Result<Response, FetchError>),
    Received(Result<Received, bits_core::transfer::TransportError>),
    Finished(Finished),
}

/// The way of the bytes.
struct Pipe {
    sink: Sink,
    filling: Buffer,
    /// The other buffer, while it is not being written.
    spare: Option<Buffer>,
    body: Option<Body>,
}

impl Pipe {
    /// Waits for bytes, for a write to end, or for `wake`, whatever is first.
    async fn receive(&mut self, max: Option<Bytes>, wake: Option<Instant>) -> Moved {
        if self.filling.is_full() && self.start_write() {
            return Moved::Nothing;
        }
        let body = self.body.as_mut().expect("an answer has a body");
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

    /// Writes what has come and waits until something under way has ended.
    async fn bring_home(&mut self) -> Finished {
        if !self.filling.is_empty() {
            self.start_write();
        }
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

async fn ask(pipe: &mut Pipe, client: &mut Client, fetch: &Fetch) -> Result<Response, FetchError> {
    if let Some(body) = pipe.body.take() {
        client.keep(body).await;
    }
    client.fetch(fetch).await
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
