//! `bits add`: one more file for a job.

use std::path::Path;

use bits_client::api::file::{AddFile, AddFiles, Range};
use bits_core::credentials::AuthTarget;
use bits_core::ranges::ByteRange;
use bits_core::remote_name::RemoteName;

use super::Context;
use crate::arguments::Add;
use crate::destination::{DestinationError, Here, absolute};
use crate::exit::Failure;
use crate::kept::Kept;

pub(super) async fn run(add: Add, context: &Context<'_>) -> Result<(), Failure> {
    // Looked at here for the sake of a quick answer; the service looks again.
    let (remote, _) = RemoteName::parse(&add.url).map_err(DestinationError::from)?;
    let folder = std::env::current_dir().ok();
    let here = Here { folder: folder.as_deref(), is_folder: &Path::is_dir, creates_folders: add.create_dirs };
    let local_name = absolute(&add.path, &here)?;

    let found = match &add.credential {
        Some(name) => Some(Kept::open().await?.named(name, None).await?),
        None => None,
    };
    let session = context.session().await?;
    let id = session.find_id(&add.job).await?;
    let file = AddFile {
        no_clobber: add.no_clobber,
        ranges: add.range.iter().map(wire_range).collect(),
        checksum: add.content.checksum.map(|checksum| checksum.to_string()),
        resume_by: add.content.resume_by.map(|by| by.name().to_owned()),
        mirrors: add.content.mirror.iter().map(|mirror| mirror.as_str().to_owned()).collect(),
        ..AddFile::new(add.url, local_name)
    };
    let files = AddFiles { files: vec![file], create_folders: add.create_dirs };
    let job = session.client.add_files(id, &files).await?;
    if let Some(found) = found {
        let scheme = found.scheme_or(None);
        session.client.set_credentials(id, AuthTarget::Server, scheme, &found.credentials).await?;
    }
    if context.output.is_json() {
        return context.output.result_json(&job);
    }
    context.output.detail(&format!("added {remote} to {}", job.display_name));
    Ok(())
}

fn wire_range(range: &ByteRange) -> Range {
    Range { offset: range.offset.0, length: range.length.map(|length| length.0) }
}
