//! The thin side of politeness: asks the system about the connections of background jobs every ten
//! milliseconds, has `core::pacing` decide, and sets what was decided.
//!
//! A connection takes part from [`Pacing::join`] on and as long as its [`Paced`] lives. Those of
//! foreground jobs never do, nor what does not leave this machine. The work is done by a thread of
//! its own, because a tick that comes late looks like a queue; it ends when there is nothing to do,
//! so that nothing wakes up while nothing moves. No decision is taken here, and no byte is moved.

mod group;
mod meter;
mod rates;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use bits_core::job::{Attempt, JobId, Priority};
use bits_core::pacing::{ConnectionId, LinkKind, PathId, Politeness, Standing, TICK, Weight};
use bits_core::queue::{ConnectionLimit, Report};
use bits_core::units::Bytes;
use bits_platform::pacing::{Interfaces, Way, kind_of, unacknowledged};
use tokio::sync::mpsc::UnboundedSender;

use crate::http::{Slot, Slots};
use crate::link::FromWorker;
use group::{Connection, Group};
use meter::Meter;
pub(crate) use rates::{Allowed, JobRate, LimitedWindow, Rates};

/// How long the thread stays after the last connection: files of one job follow each other.
const LINGER: Duration = Duration::from_secs(1);

/// Which way the bytes of a connection go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Download,
    Upload,
}

/// Keeps the background connections of a worker polite.
#[derive(Debug, Clone)]
pub struct Pacing(Option<Arc<Shared>>);

/// What keeps the connections of one job polite, or knows that they need not be.
#[derive(Debug, Clone)]
pub(crate) struct JobPacing {
    pacing: Pacing,
    priority: Priority,
    rate: Arc<JobRate>,
    slots: Slots,
    /// Who hears when the job waits for a connection.
    waits: Option<Arc<Waits>>,
}

/// How often a job waits for a connection, and who hears when it begins and ends to.
#[derive(Debug)]
pub(crate) struct Waits {
    count: Mutex<usize>,
    job: JobId,
    attempt: Attempt,
    to_broker: UnboundedSender<FromWorker>,
}

impl Waits {
    pub(crate) fn new(job: JobId, attempt: Attempt, to_broker: UnboundedSender<FromWorker>) -> Self {
        Self { count: Mutex::new(0), job, attempt, to_broker }
    }

    fn begin(self: &Arc<Self>, limit: ConnectionLimit) -> Awaiting {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        if *count == 1 {
            self.tell(Some(limit));
        }
        Awaiting(Arc::clone(self))
    }

    fn tell(&self, limit: Option<ConnectionLimit>) {
        let report = Report::AwaitsConnection { attempt: self.attempt, limit };
        // Without a broker nobody wants to know.
        let _ = self.to_broker.send(FromWorker::Report { job: self.job, report });
    }
}

/// A connection that is waited for; not any more when dropped.
#[derive(Debug)]
struct Awaiting(Arc<Waits>);

impl Drop for Awaiting {
    fn drop(&mut self) {
        let mut count = self.0.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.0.tell(None);
        }
    }
}

impl JobPacing {
    /// Has `waits` hear when the job waits for a connection.
    pub(crate) fn told_by(self, waits: Option<Waits>) -> Self {
        Self { waits: waits.map(Arc::new), ..self }
    }

    /// A slot for a connection to `server`; waits until there is one.
    pub(crate) async fn slot(&self, server: &str) -> Slot {
        let mut awaiting = None;
        let waits = |limit| awaiting = self.waits.as_ref().map(|waits| waits.begin(limit));
        self.slots.take(server, waits).await
    }

    /// How many connections there may be.
    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The same for a connection that does not count among those there may be.
    pub(crate) fn of_no_transfer(&self) -> Self {
        Self { slots: Slots::of_no_transfer(), ..self.clone() }
    }

    /// How fast the job may be.
    pub(crate) fn rate(&self) -> &Arc<JobRate> {
        &self.rate
    }

    pub(crate) fn priority(&self) -> Priority {
        self.priority
    }

    /// Lets a connection take part that receives, as [`Pacing::join`] does.
    pub(crate) fn join(&self, socket: impl AsFd) -> Option<Paced> {
        self.pacing.join(socket, Direction::Download, self.priority)
    }
}

/// A connection that is kept polite as long as this lives.
#[derive(Debug)]
pub struct Paced {
    shared: Arc<Shared>,
    id: ConnectionId,
    way: GroupKey,
}

/// What the connections of one controller have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey {
    interface: String,
    direction: Direction,
    /// Hosts on the link are reached by another bottleneck than the rest.
    on_link: bool,
}

#[derive(Debug)]
struct Shared {
    politeness: Politeness,
    began: Instant,
    rooms: Mutex<Rooms>,
    /// Rung when there is a connection again.
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Rooms {
    next_connection: u64,
    groups: BTreeMap<GroupKey, Group>,
    has_thread: bool,
}

impl Pacing {
    /// As polite as `politeness` says; `None`: not at all.
    pub fn new(politeness: Option<Politeness>) -> Self {
        let shared = |politeness| {
            let (began, rooms, bell) = (Instant::now(), Mutex::default(), Condvar::new());
            Arc::new(Shared { politeness, began, rooms, bell })
        };
        Self(politeness.map(shared))
    }

    /// For a job of this priority.
    pub(crate) fn of_job(&self, priority: Priority, rate: Arc<JobRate>, slots: Slots) -> JobPacing {
        JobPacing { pacing: self.clone(), priority, rate, slots, waits: None }
    }

    /// Lets `socket` take part. It has just been connected, and nothing was asked over it yet.
    ///
    /// `None`: it is left as it is, because its job is a foreground one, because its other end is in
    /// this machine or, where settings say so, on the same link, or because the system does not let
    /// it be paced; that is in the log.
    pub fn join(&self, socket: impl AsFd, direction: Direction, priority: Priority) -> Option<Paced> {
        let shared = self.0.as_ref().filter(|_| priority != Priority::Foreground)?;
        match shared.join(socket, direction, Weight::of(priority)) {
            Ok(paced) => paced,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be paced");
                None
            }
        }
    }

    /// Where the controllers stand, for tests and measurements.
    pub fn standings(&self) -> Vec<(Direction, Standing)> {
        let Some(shared) = &self.0 else { return Vec::new() };
        shared.rooms().groups.iter().map(|(key, group)| (key.direction, group.standing())).collect()
    }
}

impl Paced {
    /// Whether it is kept back for the sake of others, so that how fast it is says nothing of the server.
    pub(crate) fn is_kept_back(&self) -> bool {
        let rooms = self.shared.rooms();
        let Some(group) = rooms.groups.get(&self.way) else { return false };
        let is_parked = group.connection(self.id).is_some_and(|connection| connection.window.is_none());
        is_parked || matches!(group.standing(), Standing::Yield | Standing::Recover)
    }

    /// How many bytes may be written to this connection now, which sends: none, or at least a segment.
    /// More would wait in the kernel, where they could not be held back.
    pub fn may_send(&self) -> Bytes {
        let rooms = self.shared.rooms();
        let connection = rooms.groups.get(&self.way).and_then(|group| group.connection(self.id));
        let Some(connection) = connection else { return Bytes::ZERO };
        let waiting = unacknowledged(&connection.socket).unwrap_or(Bytes::ZERO);
        let room = connection.window.map_or(Bytes::ZERO, |window| window.beyond(waiting));
        if room < connection.segment() { Bytes::ZERO } else { room }
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        let mut rooms = self.shared.rooms();
        if let Some(group) = rooms.groups.get_mut(&self.way) {
            group.leave(self.id);
        }
    }
}

impl Shared {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        // Whoever panicked with it held only counts and windows.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(
        self: &Arc<Self>,
        socket: impl AsFd,
        direction: Direction,
        weight: Weight,
    ) -> io::Result<Option<Paced>> {
        // One of our own, which can be asked as long as we like.
        let socket: OwnedFd = socket.as_fd().try_clone_to_owned()?;
        let (local, peer) = ends(&socket)?;
        let (interface, on_link) = match Interfaces::now()?.way(local.ip(), peer.ip()) {
            Way::Loopback => return Ok(None),
            Way::OnLink { .. } if !self.politeness.on_link => return Ok(None),
            Way::OnLink { interface } => (interface, true),
            Way::Routed { interface } => (interface, false),
            Way::Unknown => (String::new(), false),
        };
        let way = GroupKey { interface, direction, on_link };
        let mut rooms = self.rooms();
        let id = ConnectionId(rooms.next_connection);
        rooms.next_connection += 1;
        let path = path_to(peer.ip());
        let group = rooms.groups.entry(way.clone()).or_insert_with(|| {
            let kind = kind_of(&way.interface);
            let target = self.politeness.target_on(kind);
            tracing::debug!(way.interface, ?direction, air = kind == LinkKind::Wireless, ?target, "pacing");
            Group::new(direction, target, self.politeness.minimum_share)
        });
        group.join(Connection::new(id, path, weight, socket))?;
        if !rooms.has_thread {
            self.start()?;
            rooms.has_thread = true;
        }
        self.bell.notify_one();
        drop(rooms);
        Ok(Some(Paced { shared: Arc::clone(self), id, way }))
    }

    fn start(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::downgrade(self);
        thread::Builder::new().name("pacing".to_owned()).spawn(move || run(&shared)).map(drop)
    }

    /// One tick. Says whether there was anything to do.
    fn tick(&self, meter: &mut Meter) -> bool {
        let mut rooms = self.rooms();
        rooms.groups.values_mut().for_each(Group::measure);
        // Right after the connections, so that all counts are of one moment.
        meter.read(rooms.groups.iter().any(|(key, group)| !key.on_link && group.sees_others()));
        let now = self.began.elapsed();
        let mut is_busy = false;
        for (key, group) in &mut rooms.groups {
            is_busy |= group.tick(now, meter.crossed(key));
        }
        is_busy
    }

    /// Waits for a connection; `false` when none came and the thread may go.
    fn is_needed_again(&self) -> bool {
        let rooms = self.rooms();
        let is_idle = |rooms: &mut Rooms| rooms.groups.values().all(Group::is_empty);
        let waited = self.bell.wait_timeout_while(rooms, LINGER, is_idle);
        let (mut rooms, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            // What was learnt of the network may be of another one the next time.
            rooms.groups.clear();
            rooms.has_thread = false;
        }
        !timeout.timed_out()
    }
}

/// Ticks while there are connections.
fn run(shared: &Weak<Shared>) {
    bits_platform::pacing::hurry();
    let mut meter = Meter::open();
    let mut next = Instant::now();
    while let Some(shared) = shared.upgrade() {
        if !shared.tick(&mut meter) && !shared.is_needed_again() {
            return;
        }
        drop(shared);
        let now = Instant::now();
        // What was missed is not made up for.
        next = if next + TICK > now { next + TICK } else { now + TICK };
        thread::sleep(next - now);
    }
}

/// The path to a host. Two hosts that come out alike would only be measured as one.
fn path_to(host: IpAddr) -> PathId {
    let mut hasher = DefaultHasher::new();
    host.to_canonical().hash(&mut hasher);
    PathId(hasher.finish())
}

/// The addresses of both ends of a connection.
fn ends(socket: &OwnedFd) -> io::Result<(SocketAddr, SocketAddr)> {
    let socket = TcpStream::from(socket.try_clone()?);
    Ok((socket.local_addr()?, socket.peer_addr()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let ours = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        (ours, listener.accept().expect("a connection").0)
    }

    #[test]
    fn what_does_not_leave_the_machine_is_not_paced_and_starts_no_thread() {
        let (ours, _theirs) = connection();
        let pacing = Pacing::new(Some(Politeness { on_link: true, ..Politeness::default() }));
        for priority in Priority::ALL {
            assert!(pacing.join(&ours, Direction::Download, priority).is_none(), "{priority:?}");
        }
        assert!(pacing.0.as_ref().is_some_and(|shared| !shared.rooms().has_thread));
        assert_eq!(pacing.standings(), []);
        assert!(Pacing::new(None).join(&ours, Direction::Download, Priority::Low).is_none());
    }

    #[test]
    fn what_is_no_connection_is_left_alone() {
        let file = tempfile::tempfile().expect("a file");
        let pacing = Pacing::new(Some(Politeness::default()));
        assert!(pacing.join(&file, Direction::Download, Priority::Normal).is_none());
    }
}
