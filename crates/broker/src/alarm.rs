//! An alarm for whoever waits for the next of many things, each time no longer than so long: it is put off each
//! time, and rings rarely.
//!
//! A timer of the runtime that is made and dropped each time is a call of the system each time, by which the
//! runtime wakes itself.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Longer than any service runs.
const FAR_OFF: Duration = Duration::from_hours(24 * 365 * 30);

/// Rings at the time it is asked for. It is set anew when that is earlier than before; when it is later, not
/// before it would have rung.
#[derive(Debug)]
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// To be made within a runtime. Whenever it is asked for first is earlier than what it is set to here.
    pub(crate) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now() + FAR_OFF)))
    }

    /// Waits until `time`.
    pub(crate) async fn rings_at(&mut self, time: Instant) {
        poll_fn(|context| self.poll_at(context, time)).await;
    }

    /// The same, for a future by hand: whoever has polled last is woken.
    pub(crate) fn poll_at(&mut self, context: &mut Context<'_>, time: Instant) -> Poll<()> {
        if self.0.deadline() > time {
            self.0.as_mut().reset(time);
        }
        loop {
            ready!(self.0.as_mut().poll(context));
            if self.0.deadline() == time {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_the_time_it_was_asked_for_last() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut alarm = Alarm::new();
        // Earlier, later, and later again; the last is waited for.
        for seconds in [20, 10, 15, 30] {
            assert!(alarm.rings_at(at(seconds)).now_or_never().is_none());
        }
        alarm.rings_at(at(40)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(40));
        alarm.rings_at(at(5)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(40), "what has been is not waited for");
        alarm.rings_at(at(45)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(45));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_off_is_not_set_again() {
        let start = Instant::now();
        let mut alarm = Alarm::new();
        let first = start + Duration::from_secs(10);
        for more in 0..5 {
            assert!(alarm.rings_at(first + Duration::from_secs(more)).now_or_never().is_none());
            assert_eq!(alarm.0.deadline(), first);
        }
    }
}
