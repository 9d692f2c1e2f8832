//! How many connections there may be, in all and to one server, across jobs and owners: whoever opens
//! one takes a slot first, and waits for it where there is none.
//!
//! A slot lives as long as its connection: in use, kept by an attempt, or waiting in a pool. One that
//! waits there is given up for somebody who needs one. Who holds a connection waits for no second one but
//! for more at a time, which nobody waits for ([`Slots::has_room`]); so nobody waits for each other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bits_core::queue::ConnectionLimit;
use tokio::sync::Notify;

use super::pool::{IdleConnections, Pool};

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    pub(crate) total: usize,
    pub(crate) host: usize,
}

/// All slots of a worker. All clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    taken: Mutex<Taken>,
    /// Rung when a slot is free, or there may be more, or a connection can be given up.
    bell: Arc<Notify>,
    pools: Mutex<Vec<IdleConnections>>,
}

#[derive(Debug)]
struct Taken {
    limits: ConnectionLimits,
    total: usize,
    /// By `host:port`.
    at: BTreeMap<String, usize>,
    /// Who waits, and where to, in the order they came.
    waiting: VecDeque<(u64, String)>,
    next: u64,
}

/// The right to one connection.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    authority: String,
}

impl Taken {
    fn fits(&self, authority: &str, more: usize, more_there: usize) -> bool {
        let there = self.at.get(authority).copied().unwrap_or(0);
        self.total + more < self.limits.total && there + more_there < self.limits.host
    }

    /// Whether it is the turn of whoever waits as `me`: those before it go first, where they can.
    fn is_next(&self, me: u64) -> bool {
        let mut ahead: Vec<&str> = Vec::new();
        for (who, authority) in &self.waiting {
            let there = ahead.iter().filter(|other| *other == authority).count();
            let fits = self.fits(authority, ahead.len(), there);
            if *who == me {
                return fits;
            }
            if fits {
                ahead.push(authority);
            }
        }
        false
    }
}

impl Slots {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        let (at, waiting) = (BTreeMap::new(), VecDeque::new());
        let taken = Mutex::new(Taken { limits, total: 0, at, waiting, next: 0 });
        Self(Arc::new(Inner { taken, bell: Arc::default(), pools: Mutex::default() }))
    }

    /// For what is no transfer, short and seldom: nobody waits for it, and it waits for nobody.
    pub(crate) fn of_no_transfer() -> Self {
        Self::new(ConnectionLimits { total: usize::MAX, host: usize::MAX })
    }

    /// A pool where connections wait that can be given up.
    pub(crate) fn pool(&self) -> Pool {
        let pool = Pool::default().ringing(Arc::clone(&self.0.bell));
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pool.idle());
        pool
    }

    pub(crate) fn set_limits(&self, limits: ConnectionLimits) {
        self.taken().limits = limits;
        self.0.bell.notify_waiters();
    }

    /// A slot for a connection to `authority`; waits until there is one, and says first which limit it
    /// waits for, if it has to.
    pub(crate) async fn take(&self, authority: &str, mut waits: impl FnMut(ConnectionLimit)) -> Slot {
        let me = {
            let mut taken = self.taken();
            taken.next += 1;
            let me = taken.next;
            taken.waiting.push_back((me, authority.to_owned()));
            me
        };
        let waiting = Waiting { slots: self, me };
        let mut has_told = false;
        loop {
            let mut rung = std::pin::pin!(self.0.bell.notified());
            rung.as_mut().enable();
            {
                let mut taken = self.taken();
                if taken.is_next(me) {
                    taken.waiting.retain(|(who, _)| *who != me);
                    taken.total += 1;
                    *taken.at.entry(authority.to_owned()).or_default() += 1;
                    drop(taken);
                    // There may be one for the next, too.
                    self.0.bell.notify_waiters();
                    drop(waiting);
                    return Slot { slots: self.clone(), authority: authority.to_owned() };
                }
            }
            if self.give_up_idle(authority) {
                continue;
            }
            if !std::mem::replace(&mut has_told, true) {
                waits(self.reached(authority));
            }
            rung.await;
        }
    }

    /// The limit that keeps one more from being opened.
    fn reached(&self, authority: &str) -> ConnectionLimit {
        let taken = self.taken();
        let there = taken.at.get(authority).copied().unwrap_or(0);
        if there >= taken.limits.host { ConnectionLimit::Host } else { ConnectionLimit::Total }
    }

    /// Whether one could be opened that nobody waits for.
    pub(crate) fn has_room(&self, authority: &str) -> bool {
        let taken = self.taken();
        taken.waiting.is_empty() && taken.fits(authority, 0, 0)
    }

    /// Whether somebody waits for what a connection to `authority` takes.
    pub(crate) fn is_waited_for(&self, authority: &str) -> bool {
        let taken = self.taken();
        let is_full = taken.total >= taken.limits.total;
        taken.waiting.iter().any(|(_, other)| is_full || other == authority)
    }

    /// Closes a connection that nobody uses, so that there is a slot for one to `authority`.
    fn give_up_idle(&self, authority: &str) -> bool {
        let is_there = {
            let taken = self.taken();
            taken.at.get(authority).copied().unwrap_or(0) >= taken.limits.host
        };
        let pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pools.iter().any(|pool| pool.give_up(is_there.then_some(authority)))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Whoever panicked with it held only counts.
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        taken.total -= 1;
        if let Some(count) = taken.at.get_mut(&self.authority) {
            *count -= 1;
            if *count == 0 {
                taken.at.remove(&self.authority);
            }
        }
        drop(taken);
        self.slots.0.bell.notify_waiters();
    }
}

/// Somebody who waits; out of the row when dropped.
struct Waiting<'a> {
    slots: &'a Slots,
    me: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        let before = taken.waiting.len();
        taken.waiting.retain(|(who, _)| *who != self.me);
        let has_left = taken.waiting.len() < before;
        drop(taken);
        if has_left {
            self.slots.0.bell.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    fn taken<'a>(slots: &'a Slots, authority: &'a str) -> impl Future<Output = Slot> + use<'a> {
        slots.take(authority, |_| {})
    }

    const SOON: Duration = Duration::from_millis(1);

    fn slots(total: usize, host: usize) -> Slots {
        Slots::new(ConnectionLimits { total, host })
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_more_than_may_be_in_all_and_to_one_server() {
        let slots = slots(3, 2);
        let first = taken(&slots, "a:1").await;
        let _second = taken(&slots, "a:1").await;
        assert!(!slots.has_room("a:1") && slots.has_room("b:1"));
        assert!(timeout(SOON, taken(&slots, "a:1")).await.is_err());
        let _third = taken(&slots, "b:1").await;
        assert!(!slots.has_room("c:1"));
        assert!(timeout(SOON, taken(&slots, "c:1")).await.is_err());
        drop(first);
        timeout(SOON, taken(&slots, "a:1")).await.expect("there is one again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_full_server_keeps_nobody_from_another_and_goes_before_who_came_later() {
        let slots = slots(3, 1);
        let held = taken(&slots, "a:1").await;
        let waits = tokio::spawn({
            let slots = slots.clone();
            async move { taken(&slots, "a:1").await }
        });
        tokio::task::yield_now().await;
        assert!(slots.is_waited_for("a:1") && !slots.is_waited_for("b:1"));
        let _other = timeout(SOON, taken(&slots, "b:1")).await.expect("another server");
        assert!(!slots.has_room("c:1"), "more at a time is for nobody while somebody waits");
        let mut late = Box::pin(taken(&slots, "a:1"));
        assert!(timeout(SOON, &mut late).await.is_err());
        drop(held);
        let taken = timeout(SOON, waits).await.expect("it is its turn").expect("it ends well");
        assert!(timeout(SOON, &mut late).await.is_err());
        drop(taken);
        timeout(SOON, late).await.expect("and then the next");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_to_wait_says_for_which_limit_once_and_who_has_not_says_nothing() {
        let slots = slots(2, 1);
        let mut told = Vec::new();
        let first = slots.take("a:1", |limit| told.push(limit)).await;
        assert_eq!(told, []);
        let bell = slots.clone();
        assert!(
            timeout(SOON, async {
                let rings = async {
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                        bell.0.bell.notify_waiters();
                    }
                    std::future::pending::<()>().await;
                };
                tokio::join!(slots.take("a:1", |limit| told.push(limit)), rings)
            })
            .await
            .is_err()
        );
        assert_eq!(told, [ConnectionLimit::Host]);
        let _second = taken(&slots, "b:1").await;
        assert!(timeout(SOON, slots.take("c:1", |limit| told.push(limit))).await.is_err());
        assert_eq!(told, [ConnectionLimit::Host, ConnectionLimit::Total]);
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn more_may_be_allowed_while_somebody_waits() {
        let slots = slots(1, 1);
        let _held = taken(&slots, "a:1").await;
        let mut waits = Box::pin(taken(&slots, "a:1"));
        assert!(timeout(SOON, &mut waits).await.is_err());
        slots.set_limits(ConnectionLimits { total: 2, host: 2 });
        timeout(SOON, waits).await.expect("there is room now");
    }
}
