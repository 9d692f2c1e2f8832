//! One stream of server-sent events of the service, opened again when it breaks off.
//!
//! What the events mean is for whoever reads them.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::sleep;

use super::parser::{Frame, Parser};
use crate::client::{Client, PAUSE};
use crate::connect::IfAbsent;
use crate::error::Error;
use crate::transport::{Request, trouble};

/// A stream that survives a service that is started again, unless it is to be opened once.
pub(crate) struct Feed {
    client: Client,
    request: Request,
    source: Option<Source>,
    /// What to do when the next source is opened and nobody answers.
    if_absent: IfAbsent,
    /// Sources that ended without an event, in a row.
    barren: u32,
    openings: u32,
    is_opened_once: bool,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("of", &self.operation()).finish_non_exhaustive()
    }
}

struct Source {
    body: Incoming,
    parser: Parser,
}

/// Sources in a row that may end without an event before the stream is given up.
const BARREN_MAX: u32 = 5;

impl Feed {
    /// Opens the stream that `request` asks for.
    pub(crate) async fn open(client: Client, request: Request) -> Result<Self, Error> {
        Self::open_as(client, request, false).await
    }

    /// The same, and when it breaks off it has ended.
    pub(crate) async fn open_once(client: Client, request: Request) -> Result<Self, Error> {
        Self::open_as(client, request, true).await
    }

    async fn open_as(client: Client, request: Request, is_opened_once: bool) -> Result<Self, Error> {
        let mut feed = Self {
            client,
            request,
            source: None,
            if_absent: IfAbsent::Start,
            barren: 0,
            openings: 0,
            is_opened_once,
        };
        feed.source().await?;
        Ok(feed)
    }

    /// The next event; waits for it as long as it takes. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Frame, Error> {
        let operation = self.operation();
        loop {
            let source = self.source().await?;
            if let Some(frame) = source.parser.next() {
                self.barren = 0;
                return Ok(frame);
            }
            match source.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        source.parser.push(&piece).map_err(|error| self.protocol(error))?;
                    }
                }
                // The service ended the stream, as one that stops does.
                None => self.give_up_source(IfAbsent::Wait, "the stream ended".to_owned())?,
                Some(Err(error)) => match trouble(operation, &error) {
                    Error::BrokenOff { reason, .. } => {
                        self.give_up_source(IfAbsent::WaitThenStart, reason)?;
                    }
                    error => return Err(error),
                },
            }
        }
    }

    /// Goes up each time the stream begins anew.
    pub(crate) fn openings(&self) -> u32 {
        self.openings
    }

    /// That what came is none of the stream's.
    pub(crate) fn protocol(&self, error: impl std::error::Error) -> Error {
        Error::Protocol { operation: self.operation(), reason: error.to_string() }
    }

    fn operation(&self) -> &'static str {
        self.request.operation().name
    }

    async fn source(&mut self) -> Result<&mut Source, Error> {
        while self.source.is_none() {
            let answer = match self.client.open_stream(&self.request, self.if_absent).await {
                // It was asked to stop a moment ago, and is gone in another.
                Ok(answer) if answer.is_stopping() && self.barren < BARREN_MAX => {
                    self.barren += 1;
                    self.if_absent = IfAbsent::WaitThenStart;
                    sleep(PAUSE * self.barren).await;
                    continue;
                }
                Ok(answer) => answer.stream().await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(body) => {
                    self.openings += 1;
                    self.source = Some(Source { body, parser: Parser::default() });
                }
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
        if self.is_opened_once || self.barren > BARREN_MAX {
            return Err(Error::BrokenOff { operation: self.operation(), reason });
        }
        Ok(())
    }
}
