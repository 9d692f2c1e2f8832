//! What the service would ask a person, for background jobs, and the answers.

use std::collections::{BTreeSet, VecDeque};

use bits_api::challenge::{AnswerChallenge, Answered, ChallengeEvent, ChallengeList, Withdrawn};

use crate::client::{Again, Client, request};
use crate::error::Error;
use crate::events::Feed;

/// Challenges of the service: first those that wait, then [`ChallengeEvent::Ready`], then what is
/// new or withdrawn.
///
/// As long as there is a stream, its reader is an agent: jobs of this user that need credentials
/// wait for an answer instead of being in ERROR. When the service is started again the stream goes
/// on by itself and begins anew, after it has withdrawn what it had told.
#[derive(Debug)]
pub struct ChallengeStream {
    feed: Feed,
    openings: u32,
    /// The challenges that were told and not withdrawn.
    told: BTreeSet<String>,
    /// What was read and not handed out.
    unread: VecDeque<ChallengeEvent>,
}

impl ChallengeStream {
    /// The next event; waits for it as long as it takes. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the service went away and did not return, [`Error::Protocol`].
    pub async fn next(&mut self) -> Result<ChallengeEvent, Error> {
        loop {
            if let Some(event) = self.unread.pop_front() {
                return Ok(event);
            }
            let frame = self.feed.next().await?;
            let event = ChallengeEvent::parse(&frame.name, &frame.data);
            let event = event.map_err(|error| self.feed.protocol(error))?;
            if self.openings != self.feed.openings() {
                self.openings = self.feed.openings();
                let gone = std::mem::take(&mut self.told).into_iter();
                self.unread.extend(gone.map(|id| ChallengeEvent::Withdrawn(Withdrawn { id })));
            }
            match &event {
                Some(ChallengeEvent::Challenge(challenge)) => _ = self.told.insert(challenge.id.clone()),
                Some(ChallengeEvent::Withdrawn(withdrawn)) => _ = self.told.remove(&withdrawn.id),
                Some(ChallengeEvent::Ready) | None => {}
            }
            self.unread.extend(event);
        }
    }
}

impl Client {
    /// Becomes an agent: jobs of this user that need credentials wait, and say so here.
    ///
    /// # Errors
    /// [`Error`]; so for the other operations.
    pub async fn challenges(&self) -> Result<ChallengeStream, Error> {
        let feed = Feed::open(self.clone(), request("challenges", &[])).await?;
        let openings = feed.openings();
        Ok(ChallengeStream { feed, openings, told: BTreeSet::new(), unread: VecDeque::new() })
    }

    /// The challenges that wait for an answer.
    pub async fn list_challenges(&self) -> Result<ChallengeList, Error> {
        self.ask(request("list_challenges", &[]), Again::Yes).await?.read()
    }

    /// Answers the challenge called `id`, for all jobs that wait for it. The body is wiped when it
    /// has been sent.
    pub async fn answer_challenge(&self, id: &str, answer: &AnswerChallenge) -> Result<Answered, Error> {
        // Asked again it would be refused: the challenge is gone when it has been answered.
        self.ask(request("answer_challenge", &[id]).body(answer)?.with_secret(), Again::No).await?.read()
    }
}
