//! The start: taking over the jobs that an earlier service has left, those first whose turn comes first.
//!
//! What runs before all are there takes turns with those that are, and whoever is asked about is read anew;
//! so nothing waits for the end of this, and nobody but a watcher of the order could tell.

use bits_core::ports::{Cursor, QueuedPlace, Store, StoreError};
use bits_core::queue::Queue;
use bits_core::time::Timestamp;

use super::{Engine, PAUSE_AFTER_FAILED_COMMIT, Turn};

/// Jobs that wait for their turn which are taken over before the first turn: enough that every turn is
/// taken.
const FIRST: usize = 256;
/// And in one turn, of those that wait for their turn and of those that wait for their retry. The latter
/// are read whole.
pub(super) const QUEUED_AT_ONCE_MAX: usize = 4096;
pub(super) const RETRYING_AT_ONCE_MAX: usize = 256;

/// How far the jobs are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loading {
    /// Those that wait for their turn are, up to this place.
    Queued(Option<QueuedPlace>),
    /// And those that wait for their retry.
    Retrying(Option<Cursor>),
    Done,
}

impl Loading {
    /// Takes over the first of those that wait for their turn.
    pub(super) fn begin(store: &mut dyn Store, queue: &mut Queue) -> Result<Self, StoreError> {
        queued(store, queue, None, FIRST)
    }

    pub(super) fn is_done(self) -> bool {
        self == Self::Done
    }
}

/// Takes over those after a place; says how far that is.
fn queued(
    store: &mut dyn Store,
    queue: &mut Queue,
    after: Option<QueuedPlace>,
    limit: usize,
) -> Result<Loading, StoreError> {
    let jobs = store.queued(after, limit)?;
    jobs.iter().for_each(|job| queue.adopt_queued(job));
    Ok(match jobs.last() {
        Some(last) if jobs.len() == limit => Loading::Queued(Some(last.place())),
        _ => Loading::Retrying(None),
    })
}

impl Engine<'_> {
    /// Takes over the next jobs that an earlier service has left.
    pub(super) fn load(&mut self, now: Timestamp, turn: &mut Turn) {
        let read = match self.loading {
            Loading::Done => return,
            Loading::Queued(after) => queued(self.store, &mut self.queue, after, QUEUED_AT_ONCE_MAX),
            Loading::Retrying(after) => self.retrying(after, now, turn),
        };
        match read {
            Ok(loading) => self.loading = loading,
            // Jobs that nobody could read would wait for ever: a start with them would have failed.
            Err(error @ StoreError::Corrupt { .. }) => self.failure = Some(error),
            Err(error) => {
                tracing::error!(%error, "the queue could not be read");
                self.paused_until = Some(now + PAUSE_AFTER_FAILED_COMMIT);
            }
        }
    }

    fn retrying(
        &mut self,
        after: Option<Cursor>,
        now: Timestamp,
        turn: &mut Turn,
    ) -> Result<Loading, StoreError> {
        let jobs = self.store.retrying(after, RETRYING_AT_ONCE_MAX)?;
        let last = jobs.last().filter(|_| jobs.len() == RETRYING_AT_ONCE_MAX);
        let last = last.map(|job| Cursor { created: job.times.created, id: job.id });
        for job in jobs {
            self.queue.adopt_retrying(job, now, &mut turn.decision);
        }
        Ok(last.map_or(Loading::Done, |last| Loading::Retrying(Some(last))))
    }
}
