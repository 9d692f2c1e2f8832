//! The word that the service stops. From then on nothing is done any more for whoever asks, though answers
//! are still sent: who was told that it stops, and asks again at once, must not find one that is there for
//! another moment.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Said once, by whoever comes first; never taken back.
#[derive(Debug, Default)]
pub struct Stop {
    is_said: AtomicBool,
    rung: Notify,
}

impl Stop {
    /// Has the service stop.
    pub fn say(&self) {
        self.is_said.store(true, Ordering::SeqCst);
        self.rung.notify_one();
    }

    /// Whether it was said.
    pub fn is_said(&self) -> bool {
        self.is_said.load(Ordering::SeqCst)
    }

    /// Waits until it is said. There is one who waits.
    pub async fn said(&self) {
        self.rung.notified().await;
    }
}
