//! Many small files: fetched over several connections, stored together.
//!
//! A file that is small and of which nothing is recorded comes into memory as a whole; a batch of
//! such files is written and synced by one thread while the next ones come, and reported by one
//! message. What turns out not to be small is handed back, with the answer that has begun to come.
//! More than one connection is used only after some small files have come over one, so that a few
//! large files do not share the line, and a password that is wrong is not tried several times. Some
//! servers serve one at a time, or forbid more: what fails over a further connection, or is not
//! answered, is asked for over the first one.
//!
//! The longer nothing but small files come, the more of them one connection is given at a time, and a
//! thread that waits for them in the system: to be woken by the runtime for each costs more than it
//! takes to receive it.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::pin::pin;

use bits_core::error::JobError;
use bits_core::file::{BootId, File, FileIndex};
use bits_core::job::{Attempt, JobId};
use bits_core::queue::{Report, WholeFile};
use bits_core::transfer::{DownloadPlan, Next, Outcome, Rules};
use bits_core::units::Bytes;
use bits_platform::files::Umask;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::attempt::{Clock, Line};
use crate::batch::{Batch, Gathered};
use crate::http::{Body, Client, FetchError, Received, Response};
use crate::sink::returned;
use crate::transfer::at;
use crate::volumes::Volumes;

/// Connections of one job to its servers at a time; what browsers allow themselves to one host is
/// six, and several jobs may run.
const CONNECTIONS_MAX: usize = 4;
/// Requests at a time where a server takes several over one connection.
const REQUESTS_MAX: usize = 16;
/// How long a small file takes, asked for by itself, where the way is long enough for that to pay.
const LONG_ANSWER: Duration = Duration::from_millis(5);
/// Small files that must have come in a row before more than one connection is used.
const SMALL_FILES_BEFORE_MORE: usize = 8;
/// Files that one connection is given at a time at most, and small files that must have come for each of
/// them, so that little is asked for in vain when a large one comes.
const FILES_PER_LANE_MAX: usize = 64;
const SMALL_FILES_PER_LANE_FILE: usize = 8;
/// Bytes after which a thread brings what it has, so that little is in memory.
const LANE_BYTES: usize = 512 * 1024;
/// How long a thread goes on with what it was given; the rest is given out anew.
const LANE_TIME: Duration = Duration::from_millis(200);
/// How long a further connection may go without an answer when the others have nothing left to do.
const PATIENCE_WITH_FURTHER: Duration = Duration::from_secs(2);
/// Files, or bytes, that are handed to the writing thread at once.
const FILES_PER_WRITE: usize = 128;
const BYTES_PER_WRITE: usize = 2 * 1024 * 1024;
/// Files that are asked for or in memory, while that thread writes, at most; and the bytes in memory from
/// which on no more are asked for.
const GATHERED_FILES_MAX: usize = 4 * FILES_PER_WRITE;
const GATHERED_BYTES_MAX: usize = 2 * BYTES_PER_WRITE;
/// Files, and time, after which what was written is synced and reported: what a kill costs at most.
const FILES_PER_SYNC: usize = 1024;
const SYNC_INTERVAL: Duration = Duration::from_secs(2);

/// Why no more is gathered.
pub(crate) enum Ended {
    /// The files that were there are all whole, or the next one is not for gathering.
    Enough,
    /// A file is not small: here is what has come of it.
    Large(Box<Begun>),
    Failed(JobError),
    Stopped,
}

/// A file that is not gathered, and how far it is.
pub(crate) struct Begun {
    pub(crate) client: Client,
    pub(crate) file: File,
    pub(crate) plan: Option<DownloadPlan>,
    pub(crate) body: Option<Body>,
}

/// For what is gathered.
#[derive(Debug, Clone)]
pub(crate) struct Gatherer {
    pub(crate) job: JobId,
    pub(crate) attempt: Attempt,
    pub(crate) boot: BootId,
    pub(crate) rules: Rules,
    pub(crate) umask: Umask,
    pub(crate) volumes: Volumes,
    /// The largest file that is.
    pub(crate) bytes_max: Bytes,
}

/// Whoever asks for files in one attempt, each over a connection of its own.
pub(crate) struct Clients {
    /// By which each knows what to say.
    template: Client,
    /// Those that are not in use.
    idle: Vec<Client>,
}

impl Clients {
    pub(crate) fn new(template: Client) -> Self {
        Self { template, idle: Vec::new() }
    }

    /// One with a connection, if there is any.
    pub(crate) fn take(&mut self) -> Client {
        self.take_proven().unwrap_or_else(|| self.template.another())
    }

    /// One over which something has come.
    fn take_proven(&mut self) -> Option<Client> {
        self.idle.pop()
    }

    /// Closes connections that are not in use and that others wait for.
    pub(crate) fn make_room(&mut self) {
        self.idle.iter_mut().for_each(Client::make_room);
    }

    pub(crate) fn give_back(&mut self, client: Client) {
        self.idle.push(client);
    }
}

/// Fetches the files at the beginning of `files` while `may_gather` allows.
pub(crate) async fn gather(
    files: &mut VecDeque<File>,
    clients: &mut Clients,
    may_gather: impl Fn(&File) -> bool,
    of: Gatherer,
    line: &mut Line,
) -> Ended {
    let mut gathering = Gathering::new(clients, of, line);
    let stop = line.stop().clone();
    loop {
        while gathering.wants_more()
            && files.front().is_some_and(|file| may_gather(file) && gathering.has_connection_for(file))
        {
            gathering.begin(files, &may_gather);
        }
        gathering.store_what_is_due();
        if gathering.is_at_rest() {
            break;
        }
        let patience = gathering.patience_with_further(files);
        tokio::select! {
            biased;
            () = stop.cancelled(), if gathering.ended.is_none() => gathering.end(Ended::Stopped, files),
            () = at(patience) => gathering.give_up_further(files),
            (batch, stored) = gathering.storing.ended() => {
                gathering.batch = Some(batch);
                gathering.take_in_stored(stored, files, line);
            }
            Some(fetched) = gathering.lanes.next(), if !gathering.lanes.is_empty() => {
                gathering.take_in(fetched, files, line);
            }
        }
    }
    gathering.ended.unwrap_or(Ended::Enough)
}

struct Gathering<'a> {
    of: Gatherer,
    clock: Clock,
    clients: &'a mut Clients,
    lanes: FuturesUnordered<BoxFuture<'static, Fetched>>,
    /// Tells the threads among them that nobody waits any more.
    lanes_stop: CancellationToken,
    /// The files that are coming over them.
    coming: BTreeMap<FileIndex, Coming>,
    lanes_max: usize,
    /// Small files that came so far.
    came: usize,
    began: Instant,
    /// When the last of them came.
    last_came: Instant,
    /// Whether the first of them came so slowly that it pays to ask for many at a time.
    waits_for_answers: bool,
    gathered: Vec<Gathered>,
    gathered_bytes: usize,
    /// At rest, or with the thread that stores.
    batch: Option<Batch>,
    storing: Storing,
    last_sync: Instant,
    ended: Option<Ended>,
}

/// A file that is asked for.
struct Coming {
    file: File,
    /// Over a connection over which others have come.
    is_proven: bool,
}

/// What came over one connection.
struct Fetched {
    client: Client,
    /// Only the last of them may be something else than a small file.
    found: Vec<Found>,
    unreached: Vec<FileIndex>,
}

/// What came of one file.
struct Found {
    file: FileIndex,
    reports: Vec<Report>,
    notes: Vec<String>,
    what: What,
}

enum What {
    Small(WholeFile, Vec<u8>),
    Large(Box<DownloadPlan>, Option<Box<Body>>),
    Failed(JobError),
}

/// The thread that stores, while there is one.
struct Storing(Option<JoinHandle<(Batch, Stored)>>);

/// What lasts now, and what went wrong.
type Stored = (Vec<WholeFile>, Option<JobError>);

impl Storing {
    /// Waits for it to end, for ever when there is none. May be given up and begun again.
    async fn ended(&mut self) -> (Batch, Stored) {
        let Some(storing) = &mut self.0 else { return pending().await };
        let ended = returned(storing.await);
        self.0 = None;
        ended
    }
}

impl<'a> Gathering<'a> {
    fn new(clients: &'a mut Clients, of: Gatherer, line: &Line) -> Self {
        Self {
            clock: line.clock(),
            clients,
            lanes: FuturesUnordered::new(),
            lanes_stop: CancellationToken::new(),
            coming: BTreeMap::new(),
            lanes_max: CONNECTIONS_MAX,
            came: 0,
            began: Instant::now(),
            last_came: Instant::now(),
            waits_for_answers: false,
            gathered: Vec::new(),
            gathered_bytes: 0,
            batch: Some(Batch::new(of.job, of.umask, of.volumes.clone())),
            storing: Storing(None),
            last_sync: Instant::now(),
            ended: None,
            of,
        }
    }

    fn wants_more(&self) -> bool {
        let lanes_max = if self.came < SMALL_FILES_BEFORE_MORE { 1 } else { self.lanes_max };
        self.ended.is_none()
            && self.lanes.len() < lanes_max
            && self.gathered.len() + self.coming.len() < GATHERED_FILES_MAX
            && self.gathered_bytes < GATHERED_BYTES_MAX
    }

    /// Whether there is a connection for `file`, or one more is nobody else's turn.
    fn has_connection_for(&self, file: &File) -> bool {
        self.lanes.is_empty()
            || !self.clients.idle.is_empty()
            || self.lanes_max == REQUESTS_MAX
            || self.clients.template.may_open_further(&file.remote_name)
    }

    /// Gives the first of `files` to one connection.
    fn begin(&mut self, files: &mut VecDeque<File>, may_gather: impl Fn(&File) -> bool) {
        let proven = self.clients.take_proven();
        let is_proven = proven.is_some();
        let mut client = proven.unwrap_or_else(|| self.clients.take());
        client.among_many(self.waits_for_answers);
        let on_a_thread = is_proven && client.may_block();
        let count_max = match on_a_thread {
            true => (self.came / SMALL_FILES_PER_LANE_FILE).clamp(1, FILES_PER_LANE_MAX),
            false => 1,
        };
        let count_max = count_max.min(GATHERED_FILES_MAX - self.gathered.len() - self.coming.len());
        let Gatherer { attempt, boot, rules, bytes_max, .. } = self.of;
        let now = self.clock.now();
        let mut plans = VecDeque::with_capacity(count_max);
        while plans.len() < count_max
            && let Some(file) = files.pop_front_if(|file| may_gather(file))
        {
            let plan = DownloadPlan::new(attempt, &file, rules, None, boot, now).gathering_up_to(bytes_max);
            plans.push_back((file.index, plan));
            self.coming.insert(file.index, Coming { file, is_proven });
        }
        let clock = self.clock;
        self.lanes.push(if on_a_thread && plans.len() > 1 {
            let stop = self.lanes_stop.clone();
            let runtime = Handle::current();
            let thread = spawn_blocking(move || {
                client.for_thread();
                runtime.block_on(fetch_in_turn(client, plans, clock, &stop))
            });
            Box::pin(async move { returned(thread.await) })
        } else {
            Box::pin(async move {
                let (file, plan) = plans.pop_front().expect("there is a file");
                let found = fetch(&mut client, file, plan, clock).await;
                let unreached = plans.into_iter().map(|(file, _)| file).collect();
                Fetched { client, found: vec![found], unreached }
            })
        });
    }

    /// Takes in what came over one connection.
    fn take_in(&mut self, fetched: Fetched, files: &mut VecDeque<File>, line: &mut Line) {
        let Fetched { client, mut found, unreached } = fetched;
        for file in unreached.into_iter().rev() {
            files.push_front(self.coming.remove(&file).expect("the file was coming").file);
        }
        let last = found.pop().expect("one is fetched at least");
        for found in found {
            self.take_in_one(found, None, files, line);
        }
        self.take_in_one(last, Some(client), files, line);
    }

    /// Takes in what came of one file; with the connection, if no other came over it afterwards.
    fn take_in_one(
        &mut self,
        found: Found,
        client: Option<Client>,
        files: &mut VecDeque<File>,
        line: &mut Line,
    ) {
        let Coming { file, is_proven } = self.coming.remove(&found.file).expect("the file was coming");
        found.reports.into_iter().for_each(|report| line.report(report));
        found.notes.into_iter().for_each(|note| line.note(note));
        match found.what {
            What::Small(whole, content) => {
                self.came += 1;
                self.last_came = Instant::now();
                if self.came == SMALL_FILES_BEFORE_MORE {
                    let each = self.began.elapsed() / SMALL_FILES_BEFORE_MORE as u32;
                    self.waits_for_answers = each >= LONG_ANSWER;
                }
                if let Some(mut client) = client {
                    if !self.lanes.is_empty() {
                        client.make_room();
                    }
                    if client.is_shared() && self.lanes_max == CONNECTIONS_MAX {
                        self.lanes_max = REQUESTS_MAX;
                    }
                    self.clients.give_back(client);
                }
                self.gathered_bytes += content.len();
                self.gathered.push(Gathered { file, whole, content });
            }
            What::Large(plan, body) => {
                let client = client.expect("nothing is fetched after a large file");
                self.end(
                    Ended::Large(Box::new(Begun {
                        client,
                        file,
                        plan: Some(*plan),
                        body: body.map(|body| *body),
                    })),
                    files,
                );
            }
            What::Failed(error) if error.transient && !is_proven && self.came > 0 => {
                files.push_front(file);
                self.lanes_max = 1;
            }
            What::Failed(error) => {
                files.push_front(file);
                self.end(Ended::Failed(error), files);
            }
        }
    }

    fn take_in_stored(&mut self, (whole, error): Stored, files: &mut VecDeque<File>, line: &mut Line) {
        if !whole.is_empty() {
            line.report(Report::SmallFiles { attempt: self.of.attempt, boot: self.of.boot, files: whole });
        }
        if let Some(error) = error {
            // What could not be stored is not tried again in this attempt.
            self.gathered.clear();
            self.gathered_bytes = 0;
            self.batch = Some(Batch::new(self.of.job, self.of.umask, self.of.volumes.clone()));
            self.ended = None;
            self.end(Ended::Failed(error), files);
        }
    }

    /// Begins nothing more, and gives back what is only coming: it is asked for again.
    fn end(&mut self, ended: Ended, files: &mut VecDeque<File>) {
        self.take_back(files);
        self.ended.get_or_insert(ended);
    }

    fn take_back(&mut self, files: &mut VecDeque<File>) {
        std::mem::take(&mut self.lanes_stop).cancel();
        self.lanes = FuturesUnordered::new();
        for (_, coming) in std::mem::take(&mut self.coming).into_iter().rev() {
            files.push_front(coming.file);
        }
    }

    /// When the files that are still coming over further connections are to be asked for over the
    /// first one; never while that is busy.
    fn patience_with_further(&self, files: &VecDeque<File>) -> Option<Instant> {
        // Who is kept waiting by a limit of ours has not been let down by a server.
        let waits = files.is_empty()
            && !self.clients.template.rate().is_limited()
            && !self.clients.idle.is_empty()
            && !self.coming.is_empty()
            && self.coming.values().all(|coming| !coming.is_proven);
        waits.then(|| self.last_came + PATIENCE_WITH_FURTHER)
    }

    fn give_up_further(&mut self, files: &mut VecDeque<File>) {
        self.take_back(files);
        self.lanes_max = 1;
    }

    fn store_what_is_due(&mut self) {
        let is_last = self.lanes.is_empty();
        let Some(batch) = &self.batch else { return };
        let unsynced = batch.unsynced() + self.gathered.len();
        let sync_is_due = is_last
            || unsynced >= FILES_PER_SYNC
            || (unsynced > 0 && self.last_sync.elapsed() >= SYNC_INTERVAL);
        let are_many = self.gathered.len() >= FILES_PER_WRITE || self.gathered_bytes >= BYTES_PER_WRITE;
        let is_due = are_many || (unsynced > 0 && sync_is_due);
        if !is_due {
            return;
        }
        let mut batch = self.batch.take().expect("it is at rest");
        let files = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        if sync_is_due {
            self.last_sync = Instant::now();
        }
        self.storing = Storing(Some(spawn_blocking(move || {
            let written = batch.write(files, sync_is_due);
            // What was written before something went wrong is not to be fetched again.
            let synced = if sync_is_due || written.is_err() { batch.sync() } else { Ok(Vec::new()) };
            let stored = match (written, synced) {
                (Ok(()), Ok(whole)) => (whole, None),
                (Err(error), Ok(whole)) => (whole, Some(error)),
                (_, Err(error)) => (Vec::new(), Some(error)),
            };
            (batch, stored)
        })));
    }

    fn is_at_rest(&self) -> bool {
        self.lanes.is_empty() && self.storing.0.is_none()
    }
}

/// Fetches one file after the other while all are small and the time lasts; on a thread that may block.
async fn fetch_in_turn(
    mut client: Client,
    mut plans: VecDeque<(FileIndex, DownloadPlan)>,
    clock: Clock,
    stop: &CancellationToken,
) -> Fetched {
    let until = Instant::now() + LANE_TIME;
    let mut stopped = pin!(stop.cancelled());
    let mut found: Vec<Found> = Vec::with_capacity(plans.len());
    let mut bytes = 0;
    while found.is_empty() || (bytes < LANE_BYTES && Instant::now() < until) {
        let Some((file, plan)) = plans.pop_front() else { break };
        tokio::select! {
            biased;
            // Nobody waits for what has come.
            () = &mut stopped => break,
            one = fetch(&mut client, file, plan, clock) => found.push(one),
        }
        match found.last() {
            Some(Found { what: What::Small(_, content), .. }) => bytes += content.len(),
            _ => break,
        }
    }
    client.for_runtime();
    if let Some(Found { what, .. }) = found.last_mut()
        && let What::Large(plan, body) = what
    {
        match body.take().map(|body| body.for_runtime().map(Box::new)).transpose() {
            Ok(taken_back) => *body = taken_back,
            Err(error) => plan.failed(error),
        }
    }
    let unreached = plans.into_iter().map(|(file, _)| file).collect();
    Fetched { client, found, unreached }
}

/// Fetches one file until it is in memory, or turns out not to be small.
async fn fetch(client: &mut Client, file: FileIndex, mut plan: DownloadPlan, clock: Clock) -> Found {
    let mut reports = Vec::new();
    let mut content = Vec::new();
    let mut filled = 0;
    let mut body = None;
    let what = loop {
        match plan.next(clock.now()) {
            Next::Report(report) => reports.push(report),
            Next::Fetch(fetch) => {
                if let Some(body) = body.take() {
                    client.keep(body).await;
                }
                match client.fetch(&fetch, file).await {
                    Ok(Response { head, body: coming }) => {
                        body = Some(coming);
                        plan.answered(&head, clock.now());
                    }
                    Err(FetchError::Transport(error)) => plan.failed(error),
                    Err(FetchError::Refused(error)) => plan.refused(*error),
                }
            }
            Next::Receive { max: Some(max), .. } if plan.is_gathering() => {
                content.resize(filled + max.0 as usize, 0);
                let coming = body.as_mut().expect("an answer has a body");
                match coming.fill(&mut content[filled..]).await {
                    Ok(Received::Bytes(count)) => {
                        filled += count;
                        plan.received(Bytes(count as u64));
                    }
                    Ok(Received::Ended(end)) => plan.ended(end),
                    Err(error) => plan.failed(error),
                }
            }
            Next::Done(Outcome::Gathered(whole)) => {
                if let Some(body) = body.take() {
                    client.keep(body).await;
                }
                break What::Small(whole, content);
            }
            Next::Done(Outcome::Failed(error)) => break What::Failed(error),
            Next::Done(Outcome::Transferred | Outcome::Satisfied(_) | Outcome::Stopped)
            | Next::Cut { .. }
            | Next::Seek { .. }
            | Next::ReadBack { .. }
            | Next::Sum
            | Next::Receive { .. }
            | Next::Sync { .. }
            | Next::Leave
            | Next::Part(_)
            | Next::LeavePart(_)
            | Next::Rest { .. }
            | Next::Wait => break What::Large(Box::new(plan), body.take().map(Box::new)),
        }
    };
    Found { file, reports, notes: client.notes(), what }
}
