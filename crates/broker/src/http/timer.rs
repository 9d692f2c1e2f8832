//! The timer of a connection: all its requests are waited for by one alarm.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use crate::alarm::Alarm;

/// A timer of which one wait at a time is in use.
#[derive(Debug)]
pub(super) struct ConnectionTimer(Arc<Mutex<Alarm>>);

impl ConnectionTimer {
    /// To be made within a runtime.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Alarm::new())))
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { alarm: Arc::clone(&self.0), deadline })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

struct Wait {
    alarm: Arc<Mutex<Alarm>>,
    deadline: Instant,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        alarm.poll_at(context, self.deadline.into())
    }
}

impl Sleep for Wait {}
