//! Connections that wait for their next request, whichever job of the owner makes it.
//!
//! Only those are lent over which nobody has proved or shown who asks, neither to the server nor to a
//! proxy, and which were made as every job makes them: a connection that carries one job's identity
//! ends with that job. A worker serves one owner, so the pool does. What is shared is found by
//! `sharing`, and waits here only to stay open for a while.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bits_core::remote_name::RemoteName;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use super::protocols::Protocols;
use super::route::Route;
use super::sharing::Sharing;

/// Connections that wait at a time; each is a file of the system's, here and at a server.
const WAITING_MAX: usize = 32;
/// Of those to one server: more would take part of what it has for others.
const WAITING_AT_ONE_MAX: usize = 4;
/// How long one waits. Many servers close theirs after a minute, some after five seconds; a
/// connection that was closed is seen when it is taken.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// Connections that wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    waiting: Arc<Mutex<Waiting>>,
    sharing: Sharing,
    protocols: Arc<Protocols>,
    /// Rung when a connection begins to wait.
    bell: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// In the order they came.
    connections: Vec<(Connection, Instant)>,
    /// Whether somebody looks after the time.
    is_watched: bool,
}

/// The connections of a pool that wait, without keeping the pool.
#[derive(Debug, Clone)]
pub(crate) struct IdleConnections(Weak<Mutex<Waiting>>);

impl IdleConnections {
    /// Closes the one that has waited longest, of those to `authority` or of all; says whether there was
    /// one. What others share is not idle because it is here.
    pub(super) fn give_up(&self, authority: Option<&str>) -> bool {
        let Some(waiting) = self.0.upgrade() else { return false };
        let given_up = {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let is_it = |(other, _): &(Connection, Instant)| {
                authority.is_none_or(|authority| other.origin.authority() == authority)
            };
            waiting.connections.iter().position(is_it).map(|at| waiting.connections.remove(at))
        };
        given_up.is_some()
    }
}

impl Pool {
    /// Those of its connections that wait.
    pub(crate) fn idle(&self) -> IdleConnections {
        IdleConnections(Arc::downgrade(&self.waiting))
    }

    /// The same with another bell, which is rung when a connection begins to wait.
    pub(crate) fn ringing(self, bell: Arc<Notify>) -> Self {
        Self { bell, ..self }
    }

    /// The connections that are in use and may be shared.
    pub(super) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// What is known of servers.
    pub(super) fn protocols(&self) -> &Protocols {
        &self.protocols
    }

    /// Lets `connection` wait, if it may be lent.
    pub(super) fn put(&self, connection: Connection) {
        // What is kept polite has the weight of its job, and is looked at every few milliseconds.
        let may_be_lent = |connection: &Connection| connection.is_anonymous && !connection.is_paced();
        // Whoever left it with a thread has met a mistake of ours there.
        let Some(connection) = connection.for_runtime().filter(may_be_lent) else {
            return;
        };
        let mut waiting = self.lock();
        if let Some(shared) = connection.shared() {
            // It waits once, from the last time it was put by.
            let is_it = |other: &Connection| other.shared().is_some_and(|other| other.is(shared));
            waiting.connections.retain(|(other, _)| !is_it(other));
        }
        let is_like = |other: &Connection| other.leads_as(&connection.origin, connection.route());
        let alike = waiting.connections.iter().filter(|(other, _)| is_like(other)).count();
        let oldest = match alike >= WAITING_AT_ONE_MAX {
            true => waiting.connections.iter().position(|(other, _)| is_like(other)),
            false => (waiting.connections.len() >= WAITING_MAX).then_some(0),
        };
        if let Some(oldest) = oldest {
            waiting.connections.remove(oldest);
        }
        waiting.connections.push((connection, Instant::now() + IDLE_TIME));
        // Who waits for the right to a connection can have this one's.
        self.bell.notify_waiters();
        if !waiting.is_watched {
            waiting.is_watched = true;
            let pool = self.clone();
            tokio::spawn(async move { pool.watch().await });
        }
    }

    /// A connection to the server of `name` by `route` over which nothing has come meanwhile, and which
    /// nobody shares; the youngest, which is the likeliest to be open.
    pub(super) fn take(&self, name: &RemoteName, route: &Route) -> Option<Connection> {
        loop {
            let taken = {
                let mut waiting = self.lock();
                let is_it = |other: &Connection| other.leads_as(name, route) && other.shared().is_none();
                let at = waiting.connections.iter().rposition(|(other, _)| is_it(other))?;
                waiting.connections.remove(at).0
            };
            if let Some(quiet) = taken.if_quiet() {
                return Some(quiet);
            }
        }
    }

    /// Closes what has waited for too long, until nothing waits.
    async fn watch(&self) {
        loop {
            let next = {
                let mut waiting = self.lock();
                let now = Instant::now();
                waiting.connections.retain(|(_, until)| *until > now);
                match waiting.connections.first() {
                    Some((_, until)) => *until,
                    None => {
                        waiting.is_watched = false;
                        return;
                    }
                }
            };
            sleep_until(next).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
