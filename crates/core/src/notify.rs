//! How an owner hears of a job without asking: what is worth telling, by which way, and how often it
//! is tried (`bits.md` §8).
//!
//! What is to be told of a job is part of the job: its [`Outbox`] is written together with the change
//! that made it, and what is taken out of it was heard or is given up. Nothing is sent here.

mod callbacks;
mod options;
mod outbox;
#[cfg(test)]
mod tests;

use core::time::Duration;

pub use callbacks::{Call, Callbacks, Seen};
pub use options::{
    ARGUMENTS_BYTES_MAX, ARGUMENTS_MAX, NotifyCommand, NotifyFlags, NotifyOptions, PROGRAM_BYTES_MAX,
};
pub(crate) use outbox::follow;
pub use outbox::{Channel, Happened, Notice, Outbox};

/// What a service allows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifyLimits {
    /// Commands and webhooks of one owner that are under way together (`bits.md` §4).
    pub at_once_max: usize,
    /// How long after what has happened it is still tried to tell of it.
    pub expiry: Duration,
    /// Whether commands are run at all (`bits.md` §13, 30).
    pub commands: bool,
}

impl Default for NotifyLimits {
    fn default() -> Self {
        Self { at_once_max: 4, expiry: Duration::from_secs(24 * 3600), commands: true }
    }
}

/// How long after a callback has gone, or the service has started, the callback may return before the
/// command is run in its place.
pub const CALLBACK_RETURN_PATIENCE: Duration = Duration::from_secs(5);

/// The longest time between two tries, unless the owner has set another retry delay.
pub(crate) const RETRY_DELAY_MAX: Duration = Duration::from_secs(600);

/// How long to wait after the `tries`-th try (1 is the first) has failed: what the owner has set for
/// retries of the job (`bits.md` §8.2), else after 1, 2, 4 … 600 s.
pub(crate) fn retry_delay(tries: u32, owners: Option<Duration>) -> Duration {
    owners.unwrap_or_else(|| Duration::from_secs(1 << tries.saturating_sub(1).min(10)).min(RETRY_DELAY_MAX))
}
