//! `bits replace-remote-prefix`: the files of a job come from another place.

use bits_client::api::file::ReplaceRemotePrefix;

use super::Context;
use crate::arguments::ReplacePrefix;
use crate::exit::Failure;

pub(super) async fn run(replace: ReplacePrefix, context: &Context<'_>) -> Result<(), Failure> {
    let session = context.session().await?;
    let id = session.find_id(&replace.job).await?;
    let prefix = ReplaceRemotePrefix { old: replace.old, new: replace.new };
    let answer = session.client.replace_remote_prefix(id, &prefix).await?;
    if context.output.is_json() {
        return context.output.result_json(&answer);
    }
    match answer.outcome {
        Some(outcome) => context.output.warn(&format!("{}: {}", answer.job.display_name, outcome.message)),
        None => context.output.detail(&format!("{}: changed", answer.job.display_name)),
    }
    Ok(())
}
