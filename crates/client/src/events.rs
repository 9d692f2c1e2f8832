//! What happens to jobs, as a stream that survives a service that is started again.

mod parser;

use bits_api::event::{Event, EventQuery};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::client::Client;
use crate::connect::IfAbsent;
use crate::error::Error;
use crate::transport::trouble;
use parser::Parser;

/// Events of the service: first how things are, then [`Event::Ready`], then what changes.
///
/// When the service is started again in the middle, the stream goes on by itself and begins anew
/// with how things are; a reader that takes each job for what it says needs to do nothing. A
/// service that was stopped in good order is waited for, not started.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    query: EventQuery,
    source: Option<Source>,
    /// What to do when the next source is opened and nobody answers.
    if_absent: IfAbsent,
    /// Sources that ended without an event, in a row.
    barren: u32,
}

#[derive(Debug)]
struct Source {
    body: Incoming,
    parser: Parser,
}

/// Sources in a row that may end without an event before the stream is given up.
const BARREN_MAX: u32 = 5;

const OPERATION: &str = "events";

impl EventStream {
    pub(crate) async fn open(client: Client, query: EventQuery) -> Result<Self, Error> {
        let mut stream = Self { client, query, source: None, if_absent: IfAbsent::Start, barren: 0 };
        stream.source().await?;
        Ok(stream)
    }

    /// The next event; waits for it as long as it takes. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the service went away and did not return,
    /// [`Error::Refused`] when the job is gone, [`Error::Protocol`].
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            let source = self.source().await?;
            if let Some(frame) = source.parser.next() {
                let event = Event::parse(&frame.name, &frame.data).map_err(protocol)?;
                self.barren = 0;
                match event {
                    Some(event) => return Ok(event),
                    None => continue,
                }
            }
            match source.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        source.parser.push(&piece).map_err(protocol)?;
                    }
                }
                // The service ended the stream, as one that stops does.
                None => self.give_up_source(IfAbsent::Wait, "the stream ended".to_owned())?,
                Some(Err(error)) => match trouble(OPERATION, &error) {
                    Error::BrokenOff { reason, .. } => {
                        self.give_up_source(IfAbsent::WaitThenStart, reason)?;
                    }
                    error => return Err(error),
                },
            }
        }
    }

    async fn source(&mut self) -> Result<&mut Source, Error> {
        while self.source.is_none() {
            let answer = match self.client.open_events(&self.query, self.if_absent).await {
                Ok(answer) => answer.stream().await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(body) => self.source = Some(Source { body, parser: Parser::default() }),
                Err(Error::BrokenOff { reason, .. }) => {
                    self.give_up_source(IfAbsent::WaitThenStart, reason)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.source.as_mut().expect("it has just been opened"))
    }

    fn give_up_source(&mut self, if_absent: IfAbsent, reason: String) -> Result<(), Error> {
        self.source = None;
        self.if_absent = if_absent;
        self.barren += 1;
        if self.barren > BARREN_MAX {
            return Err(Error::BrokenOff { operation: OPERATION, reason });
        }
        Ok(())
    }
}

fn protocol(error: impl std::error::Error) -> Error {
    Error::Protocol { operation: OPERATION, reason: error.to_string() }
}
