//! `bits service export`: the caller's jobs as a document.
//!
//! A document that could not be written to its end is not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bits_client::api::job::ListQuery;
use bits_client::{Client, Error};
use bits_core::error::Code;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::json;

use super::super::Context;
use super::queue_document::{TAIL, entry, head};
use crate::exit::Failure;
use crate::output::units::counted;
use crate::session::id_of;

pub(super) async fn run(path: &Path, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    let session = context.session().await?;
    if path == Path::new("-") {
        let (jobs, with_secrets) =
            export(&session.client, &mut |text| output.result_bytes(text.as_bytes())).await?;
        return say(jobs, with_secrets, context);
    }
    let failed = |error: io::Error| Failure::System(format!("{} cannot be written: {error}", path.display()));
    let unusable =
        |error: io::Error| Failure::Usage(format!("{} cannot be written: {error}", path.display()));
    let mut draft = Draft::begin(path).map_err(unusable)?;
    let written = export(&session.client, &mut |text| draft.write(text).map_err(failed)).await?;
    draft.finish().map_err(failed)?;
    if output.is_json() {
        let (jobs, with_secrets) = written;
        output.result_json(&json!({ "file": path, "jobs": jobs, "jobs_with_secrets": with_secrets }))?;
    }
    say(written.0, written.1, context)
}

/// Hands the document to `write`, part by part; returns how many jobs it has, and how many of them
/// have secrets.
async fn export(
    client: &Client,
    write: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(u64, u64), Failure> {
    write(&head(&Timestamp::now().to_string()))?;
    let (mut count, mut with_secrets) = (0, 0);
    let mut jobs = std::pin::pin!(client.jobs(ListQuery::default()));
    while let Some(job) = jobs.try_next().await? {
        let job = match client.export_job(id_of(&job)?).await {
            Ok(job) => job,
            // It has been forgotten since it was listed.
            Err(Error::Refused(problem)) if problem.code == Code::NOT_FOUND.to_string() => continue,
            Err(error) => return Err(error.into()),
        };
        write(&entry(&job, count == 0))?;
        count += 1;
        with_secrets += u64::from(!job.left_out.is_empty());
    }
    write(TAIL)?;
    Ok((count, with_secrets))
}

fn say(jobs: u64, with_secrets: u64, context: &Context<'_>) -> Result<(), Failure> {
    let secrets = match with_secrets {
        0 => String::new(),
        1 => "; the passwords or other secrets of one are not in it".to_owned(),
        count => format!("; the passwords or other secrets of {count} are not in it"),
    };
    context.output.say(&format!("exported {}{secrets}", counted(jobs, "job")));
    Ok(())
}

/// A file that takes its name when it is whole. The addresses in it may let others in: it is the
/// owner's alone.
struct Draft {
    file: File,
    draft: PathBuf,
    path: PathBuf,
    is_whole: bool,
}

impl Draft {
    fn begin(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::other("it is no name of a file"))?;
        let draft =
            path.with_file_name(format!(".{}.{}.bits-part", name.to_string_lossy(), std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        Ok(Self { file, draft, path: path.to_owned(), is_whole: false })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.draft, &self.path)?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_whole {
            // Nobody is waiting for half a document.
            let _ = fs::remove_file(&self.draft);
        }
    }
}
