//! `bits ranges`: files of a job on demand, part by part.

use bits_client::api::file::{Range, RequestRanges};
use bits_core::ranges::ByteRange;

use super::Context;
use crate::arguments::{OfFile, Ranges};
use crate::exit::Failure;
use crate::output::words::{range_in_words, short_id};
use crate::standing::Standing;

pub(super) async fn run(what: Ranges, context: &Context<'_>) -> Result<(), Failure> {
    let (Ranges::List(of) | Ranges::Request { of, .. } | Ranges::Position { of, .. }) = &what;
    let OfFile { job, file } = of;
    let (output, file) = (context.output, *file);
    let session = context.session().await?;
    let id = session.find_id(job).await?;
    let job = match &what {
        Ranges::List(_) => {
            let ranges = session.client.filled_ranges(id, file).await?;
            if output.is_json() {
                return output.result_json(&ranges);
            }
            return ranges.filled.iter().try_for_each(|range| output.result(&range_in_words(range)));
        }
        Ranges::Request { ranges, .. } => {
            let ranges = RequestRanges { ranges: ranges.iter().map(wire_range).collect() };
            session.client.request_ranges(id, file, &ranges).await?
        }
        Ranges::Position { offset, .. } => session.client.set_download_position(id, file, *offset).await?,
    };
    if output.is_json() {
        return output.result_json(&job);
    }
    if Standing::of(&job) == Standing::Suspended {
        output.say(&format!("it comes when the job runs: bits resume {}", short_id(&job)));
    }
    Ok(())
}

pub(crate) fn wire_range(range: &ByteRange) -> Range {
    Range { offset: range.offset.0, length: range.length.map(|length| length.0) }
}
