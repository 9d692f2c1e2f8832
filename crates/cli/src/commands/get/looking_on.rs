//! Somebody looks on while the job of a `get` works, and is asked for credentials when the server
//! asks for them.

use std::time::Duration;

use bits_client::api::credentials::SetCredentials;
use bits_client::api::event::Event;
use bits_client::api::job::{Challenge, Job};
use bits_client::{EventStream, Scheme};
use bits_core::credentials::AuthTarget;
use bits_core::job::JobId;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, sleep_until};

use super::signing_in::{Next, SigningIn};
use crate::exit::Failure;
use crate::following::Teller;
use crate::output::Output;
use crate::output::words::shortened;
use crate::session::Session;
use crate::standing::Standing;

/// Why nobody looks on any more.
pub(super) enum Outcome {
    /// It has come to rest. `hint` is what is known to help against its error beyond the code.
    Rests {
        job: Box<Job>,
        hint: Option<String>,
    },
    OutOfTime {
        id: JobId,
        seconds: u64,
    },
    Interrupted {
        id: JobId,
    },
}

/// Somebody who looks on.
pub(super) struct LookingOn<'a> {
    session: &'a Session,
    events: EventStream,
    interrupts: Signal,
    teller: Teller<'a>,
    /// What was told of the job before this is over.
    from_revision: u64,
    id: JobId,
}

impl<'a> LookingOn<'a> {
    pub(super) fn new(
        session: &'a Session,
        output: &'a Output,
        events: EventStream,
        interrupts: Signal,
        from_revision: u64,
        id: JobId,
    ) -> Self {
        Self { session, events, interrupts, teller: Teller::new(output), from_revision, id }
    }

    /// Looks on, and asks the person when the server asks, until the job rests for good or it is
    /// time to go.
    ///
    /// # Errors
    /// [`Failure::NoCredentials`] when the person cancels, and whatever keeps one from looking.
    pub(super) async fn until_over(
        &mut self,
        signing_in: &mut SigningIn<'_>,
        max_time: Option<u64>,
    ) -> Result<Outcome, Failure> {
        let seconds = max_time.unwrap_or(u32::MAX.into()).min(u32::MAX.into());
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let mut has_moved = false;
            let ended = tokio::select! {
                job = until_rest(
                    &mut self.events, &mut self.teller, self.id, self.from_revision, &mut has_moved
                ) => Ok(job?),
                _ = self.interrupts.recv() => Err(Outcome::Interrupted { id: self.id }),
                () = sleep_until(deadline) => Err(Outcome::OutOfTime { id: self.id, seconds }),
            };
            if has_moved {
                signing_in.is_accepted().await;
            }
            let job = match ended {
                Ok(job) => job,
                Err(outcome) => return Ok(outcome),
            };
            let challenge = job.error.as_ref().and_then(|error| error.challenge.clone());
            let Some(challenge) = challenge.filter(|_| Standing::of(&job) == Standing::Failed) else {
                return Ok(Outcome::Rests { job, hint: None });
            };
            self.teller.step_aside();
            match signing_in.again(&challenge, &job).await? {
                Next::Try { credentials, scheme } => self.try_with(&challenge, &credentials, scheme).await?,
                Next::GiveUp(hint) => return Ok(Outcome::Rests { job, hint: Some(hint) }),
            }
        }
    }

    async fn try_with(
        &mut self,
        challenge: &Challenge,
        credentials: &SetCredentials,
        scheme: Scheme,
    ) -> Result<(), Failure> {
        let target = AuthTarget::named(&challenge.target).unwrap_or(AuthTarget::Server);
        let client = &self.session.client;
        client.set_credentials(self.id, target, scheme, credentials).await?;
        self.from_revision = client.resume_job(self.id).await?.job.revision;
        Ok(())
    }
}

/// Tells what happens to the job until it rests; notes whether content has come.
async fn until_rest(
    events: &mut EventStream,
    teller: &mut Teller<'_>,
    id: JobId,
    from_revision: u64,
    has_moved: &mut bool,
) -> Result<Box<Job>, Failure> {
    let id = id.to_string();
    loop {
        let event = events.next().await;
        match event.map_err(|error| Failure::LostSight { error, id: shortened(&id).to_owned() })? {
            Event::Job(job) if job.id == id && job.revision >= from_revision => {
                teller.job(&job);
                *has_moved |= matches!(job.state.as_str(), "transferring" | "transferred" | "acknowledged");
                if Standing::of(&job) != Standing::Moving {
                    return Ok(job);
                }
            }
            Event::Note(note) if note.job == id => teller.note(&note),
            Event::Job(_) | Event::Note(_) | Event::Ranges(_) | Event::Ready => {}
        }
    }
}
