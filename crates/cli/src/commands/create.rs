//! `bits create`: a new job, suspended; its id and nothing else is printed.

use bits_client::api::job::{ChangeJob, CreateJob};
use bits_client::new_job;

use super::Context;
use crate::arguments::{Create, JobType};
use crate::exit::Failure;
use crate::requests;

pub(super) async fn run(create: Create, context: &Context<'_>) -> Result<(), Failure> {
    let kind = match create.kind {
        JobType::Download => "download",
    };
    let mut order = CreateJob {
        kind: Some(kind.to_owned()),
        properties: ChangeJob {
            description: create.description,
            priority: Some(create.priority.name().to_owned()),
            complete_when_done: Some(false),
            ..ChangeJob::default()
        },
        ..new_job(create.name)
    };
    requests::put_into(&mut order, &create.requests, context.output)?;
    let job = context.session().await?.client.create_job(order).await?;
    if context.output.is_json() { context.output.result_json(&job) } else { context.output.result(&job.id) }
}
