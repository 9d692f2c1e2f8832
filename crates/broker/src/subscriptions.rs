//! Who is watching what.

use bits_core::job::{JobId, Owner};
use tokio::sync::mpsc::error::TrySendError;

use crate::engine::{Notification, Watcher};

/// Notifications that may wait for one watcher; one that falls further behind is dropped, and
/// begins again with how things are.
pub(crate) const WATCHER_BACKLOG_MAX: usize = 4096;

#[derive(Debug)]
struct Subscription {
    owner: Owner,
    /// All of the owner's jobs without it.
    job: Option<JobId>,
    watcher: Watcher,
}

impl Subscription {
    fn covers(&self, owner: Owner, job: JobId) -> bool {
        self.owner == owner && self.job.is_none_or(|watched| watched == job)
    }
}

/// All watchers.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    pub(crate) fn add(&mut self, owner: Owner, job: Option<JobId>, watcher: Watcher) {
        self.0.retain(|subscription| !subscription.watcher.is_closed());
        self.0.push(Subscription { owner, job, watcher });
    }

    pub(crate) fn covers(&self, owner: Owner, job: JobId) -> bool {
        self.0.iter().any(|subscription| subscription.covers(owner, job))
    }

    pub(crate) fn notify(&mut self, owner: Owner, job: JobId, notification: &Notification) {
        self.0.retain(|subscription| {
            if !subscription.covers(owner, job) {
                return true;
            }
            match subscription.watcher.try_send(notification.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Closed(_)) => false,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(job: JobId) -> Notification {
        Notification::Note { job, text: String::new() }
    }

    #[test]
    fn a_watcher_hears_of_its_owners_jobs_and_of_no_other() {
        let (anna, ben) = (Owner(1), Owner(2));
        let (one, two) = (JobId([1; 16]), JobId([2; 16]));
        let mut subscriptions = Subscriptions::default();
        let (watcher, mut heard) = tokio::sync::mpsc::channel(8);
        subscriptions.add(anna, Some(one), watcher);
        for (owner, job) in [(anna, two), (ben, one), (anna, one)] {
            subscriptions.notify(owner, job, &note(job));
        }
        assert!(matches!(heard.try_recv(), Ok(Notification::Note { job, .. }) if job == one));
        assert!(heard.try_recv().is_err(), "only the one");
        assert!(!subscriptions.covers(ben, one));
    }

    #[test]
    fn a_watcher_that_does_not_keep_up_is_dropped() {
        let (owner, job) = (Owner(1), JobId([1; 16]));
        let mut subscriptions = Subscriptions::default();
        let (watcher, _heard) = tokio::sync::mpsc::channel(1);
        subscriptions.add(owner, None, watcher);
        subscriptions.notify(owner, job, &note(job));
        assert!(subscriptions.covers(owner, job));
        subscriptions.notify(owner, job, &note(job));
        assert!(!subscriptions.covers(owner, job));
    }
}
