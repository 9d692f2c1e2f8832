//! `bits resume`, `suspend`, `complete`, `cancel`, `take-ownership`: one word for each of the jobs.

use bits_client::api::job::{CommandAnswer, Job};
use bits_core::credentials::AuthTarget;
use bits_core::error::Code;
use bits_core::job::JobId;

use super::Context;
use crate::arguments::Jobs;
use crate::exit::{Failure, number};
use crate::kept::Kept;
use crate::output::Output;
use crate::session::{Session, id_of};
use crate::sign_in;

/// What is asked of the jobs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verb {
    Resume,
    Suspend,
    Complete,
    Cancel,
    TakeOwnership,
}

/// Does all it can: a job that refuses does not keep the others from their turn.
pub(super) async fn run(verb: Verb, jobs: Jobs, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    let session = context.session().await?;
    let mut first_failure = None;
    for text in &jobs.jobs {
        let answer = match session.find_id(text).await {
            Ok(id) => carry_out(verb, id, &session, output).await,
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => {
                if output.is_json() {
                    output.result_json(&answer.job)?;
                }
                if let Some(outcome) = &answer.outcome {
                    output.say(&format!(
                        "{}: {} ({}, {})",
                        answer.job.display_name, outcome.message, outcome.name, outcome.code
                    ));
                    if answer.job.on_demand && number(&outcome.code) == Some(Code::PARTIAL_COMPLETE) {
                        output.say(
                            "of a file that comes by ranges nothing is kept unless all of it is here; \
                             `bits ranges position JOB 0` has all of it come",
                        );
                    }
                }
                output.detail(&format!(
                    "{}: {}",
                    answer.job.display_name,
                    answer.job.state.replace('_', " ")
                ));
            }
            // Nobody is there to do the rest either.
            Err(failure @ Failure::Client(bits_client::Error::Unreachable(_))) => return Err(failure),
            Err(failure) => {
                let code = failure.tell(output);
                first_failure.get_or_insert(code);
            }
        }
    }
    first_failure.map_or(Ok(()), |code| Err(Failure::Told(code)))
}

/// Asks it of the job `id`.
pub(crate) async fn carry_out(
    verb: Verb,
    id: JobId,
    session: &Session,
    output: &Output,
) -> Result<CommandAnswer, Failure> {
    let client = &session.client;
    Ok(match verb {
        Verb::Resume => {
            give_stored(&client.job(id).await?, session, output).await?;
            client.resume_job(id).await?
        }
        Verb::Suspend => client.suspend_job(id).await?,
        Verb::Complete => client.complete_job(id).await?,
        Verb::Cancel => client.cancel_job(id).await?,
        Verb::TakeOwnership => client.take_ownership(id).await?,
    })
}

/// Gives `job` what its owner has stored for the proxy that has stopped it, where it says that it may
/// have that: the service cannot look into the store.
async fn give_stored(job: &Job, session: &Session, output: &Output) -> Result<(), Failure> {
    let challenge = job.error.as_ref().and_then(|error| error.challenge.as_ref());
    let Some(challenge) = challenge.filter(|challenge| sign_in::may_use_stored(job, challenge)) else {
        return Ok(());
    };
    let Some(found) = Kept::open().await?.for_challenge(challenge).await? else { return Ok(()) };
    let (id, scheme) = (id_of(job)?, found.scheme_or(None));
    session.client.set_credentials(id, AuthTarget::Proxy, scheme, &found.credentials).await?;
    output.detail(&format!("{}: the proxy gets what is saved as {}", job.display_name, found.name));
    Ok(())
}
