//! What happens to jobs, as a stream that survives a service that is started again.

mod feed;
mod parser;

use bits_api::event::Event;

use crate::error::Error;
pub(crate) use feed::Feed;

/// Events of the service: first how things are, then [`Event::Ready`], then what changes.
///
/// When the service is started again in the middle, the stream goes on by itself and begins anew
/// with how things are; a reader that takes each job for what it says needs to do nothing. A
/// service that was stopped in good order is waited for, not started.
#[derive(Debug)]
pub struct EventStream {
    feed: Feed,
}

impl EventStream {
    pub(crate) fn of(feed: Feed) -> Self {
        Self { feed }
    }

    /// The next event; waits for it as long as it takes. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the service went away and did not return,
    /// [`Error::Refused`] when the job is gone, [`Error::Protocol`].
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            let frame = self.feed.next().await?;
            let event = Event::parse(&frame.name, &frame.data).map_err(|error| self.feed.protocol(error))?;
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }
}
