//! `bits show`: everything about one job.

use bits_client::api::file::{File, FileQuery};
use futures_util::TryStreamExt;
use jiff::{Timestamp, tz::TimeZone};

use super::Context;
use crate::arguments::Show;
use crate::exit::Failure;
use crate::output::words::{FILES_SHOWN, demand_in_words, describe};

pub(super) async fn run(show: Show, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    let session = context.session().await?;
    let id = session.find_id(&show.job).await?;
    let job = session.client.job(id).await?;
    if output.is_json() {
        return output.result_json(&session.with_files(job).await?);
    }
    let files: Vec<File> = if output.is_verbose() {
        session.client.files(id).try_collect().await?
    } else {
        let query = FileQuery { limit: Some(FILES_SHOWN), ..FileQuery::default() };
        session.client.list_files(id, &query).await?.files
    };
    for line in describe(&job, &files, Timestamp::now(), &TimeZone::system()) {
        output.result(&line)?;
    }
    // Such jobs have few files, and what of them is there is why one looks.
    for file in files.iter().filter(|file| job.on_demand && file.ranges.is_empty()) {
        let ranges = session.client.filled_ranges(id, file.index).await?;
        demand_in_words(file.index, &ranges).iter().try_for_each(|line| output.result(line))?;
    }
    Ok(())
}
