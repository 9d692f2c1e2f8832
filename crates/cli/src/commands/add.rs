//! `bits add`: one more file for a job, or those of a list.

use std::ffi::OsString;
use std::path::Path;

use bits_client::api::file::{AddFile, AddFiles};
use bits_core::credentials::AuthTarget;

use super::ranges::wire_range;
use super::{Context, get};
use crate::arguments::Add;
use crate::destination::{self, Here, Order};
use crate::exit::Failure;
use crate::kept::Kept;
use crate::output::units::counted;
use crate::url_list;

pub(super) async fn run(add: Add, context: &Context<'_>) -> Result<(), Failure> {
    let orders = orders(&add)?;
    if add.content.checksum.is_some() && orders.len() > 1 {
        let sentence = "one checksum is not that of several files; add each by a command of its own";
        return Err(Failure::Usage(sentence.to_owned()));
    }

    if add.input.is_none() && orders.iter().any(|order| order.has_user_info) {
        context.output.warn(
            "others on this machine can read a password in a URL; `bits credentials set` with --password-file \
             keeps it to you",
        );
    }
    let found = match &add.credential {
        Some(name) => Some(Kept::open().await?.named(name, None).await?),
        None => None,
    };
    let session = context.session().await?;
    let id = session.find_id(&add.job).await?;
    let (mut job, mut added) = (None, 0);
    for part in get::parts(&orders) {
        let files = part.iter().map(|order| AddFile {
            no_clobber: add.no_clobber,
            ranges: add.range.iter().map(wire_range).collect(),
            checksum: add.content.checksum.as_ref().map(ToString::to_string),
            mirrors: add.content.mirror.iter().map(|mirror| mirror.as_str().to_owned()).collect(),
            resume_by: add.content.resume_by.map(|by| by.name().to_owned()),
            ..AddFile::new(order.url.clone(), order.path.clone())
        });
        let files = AddFiles { files: files.collect(), create_folders: add.create_dirs };
        match session.client.add_files(id, &files).await {
            Ok(shown) => job = Some(shown),
            Err(error) => {
                if added > 0 {
                    let files = counted(added, "file");
                    context.output.warn(&format!("the first {files} of the list were added before this"));
                }
                return Err(error.into());
            }
        }
        added += part.len() as u64;
    }
    let job = job.expect("there is something to add");
    if let Some(found) = found {
        let scheme = found.scheme_or(None);
        session.client.set_credentials(id, AuthTarget::Server, scheme, &found.credentials).await?;
    }
    if context.output.is_json() {
        return context.output.result_json(&job);
    }
    let what = match &orders[..] {
        [only] => only.remote.to_string(),
        several => counted(several.len() as u64, "file"),
    };
    context.output.detail(&format!("added {what} to {}", job.display_name));
    Ok(())
}

/// What is to be added, and where it goes. Looked at here for the sake of a quick answer; the service
/// looks again.
fn orders(add: &Add) -> Result<Vec<Order>, Failure> {
    let folder = std::env::current_dir().ok();
    let here = Here { folder: folder.as_deref(), is_folder: &Path::is_dir, creates_folders: add.create_dirs };
    let operands: Vec<&OsString> = add.url.iter().chain(&add.path).collect();
    match (&add.input, &operands[..]) {
        (Some(list), folder) => Ok(destination::from_list(&url_list::read(list)?, folder, &here)?),
        (None, [url, path]) => Ok(vec![destination::to_file(url, Path::new(path), &here)?]),
        (None, _) => unreachable!("without a list, URL and PATH are asked for"),
    }
}
