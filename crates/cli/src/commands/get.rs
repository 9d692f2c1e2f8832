//! `bits get`: the whole life of a download in one command.
//!
//! The service completes the job by itself, so whoever looks on may leave at any time. Until the
//! job is complete enough to go on alone, a failed step or Ctrl-C cancels it.

mod looking_on;
mod making;
mod signing_in;

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;

use bits_client::api::job::Job;
use bits_client::metalink::{self, MetalinkFile};
use bits_core::error::Code;
use bits_core::job::JobId;

use super::Context;
use crate::arguments::Get;
use crate::destination::{self, Here, Order};
use crate::exit::Failure;
use crate::following::interrupts;
use crate::output::Output;
use crate::output::units::{bytes, counted};
use crate::session::{Session, id_of};
use crate::standing::Standing;
use crate::url_list;
use looking_on::{LookingOn, Outcome};
use making::Making;
pub(crate) use making::parts;
use signing_in::SigningIn;

pub(super) async fn run(get: Get, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    let mut orders = orders(&get)?;
    put_content_into(&mut orders, &get)?;
    let from_urls = signing_in::take_user_info(&get, &mut orders, output)?;
    let mut order = making::order(&get, &orders, output)?;
    let proxy = &mut order.properties.proxy;
    let mut signing_in = SigningIn::prepare(&get, &orders, from_urls, proxy, output).await?;
    let session = context.session().await?;
    let mut interrupts = interrupts()?;

    let making = Making::new(&get, &orders, &session, order);
    let id = making.id();
    let first = signing_in.take_first();
    let attends = !get.detach && signing_in.deals_with_challenges();
    let made = tokio::select! {
        made = making.make(first, attends) => made,
        _ = interrupts.recv() => Err(Failure::StoppedMaking),
    };
    let (events, job) = match made {
        Ok(made) => made,
        Err(failure) => {
            cancel(id, &session, output).await;
            return Err(failure);
        }
    };
    if get.detach {
        return if output.is_json() { output.result_json(&job) } else { output.result(&job.id) };
    }
    let mut looking_on = LookingOn::new(&session, output, events, interrupts, job.revision, id);
    let outcome = looking_on.until_over(&mut signing_in, get.max_time).await;
    drop(looking_on);
    match outcome {
        Ok(outcome) => conclude(outcome, &session, &get, output).await,
        Err(failure @ (Failure::NoCredentials { .. } | Failure::Prompt(_))) => {
            cancel(id, &session, output).await;
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

/// What is to be fetched, and where to.
fn orders(get: &Get) -> Result<Vec<Order>, Failure> {
    let folder = std::env::current_dir().ok();
    let here = Here { folder: folder.as_deref(), is_folder: &Path::is_dir, creates_folders: get.create_dirs };
    if let Some((file, operands)) = metalink_of(get) {
        let files = read_metalink(file)?;
        return Ok(destination::from_metalink(files, operands, &here)?);
    }
    let Some(list) = &get.input else { return Ok(destination::from_operands(&get.operands, &here)?) };
    if list.as_os_str() == "-" && get.secret.password_stdin {
        let sentence = "the list and the password cannot both be read from standard input";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    Ok(destination::from_list(&url_list::read(list)?, &get.operands, &here)?)
}

/// The Metalink file that is meant, and what else was given.
fn metalink_of(get: &Get) -> Option<(&Path, &[OsString])> {
    if let Some(file) = &get.metalink {
        return Some((file, &get.operands));
    }
    let (first, others) = get.operands.split_first()?;
    let path = Path::new(first);
    let is_file = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("meta4"))
        && !first.to_string_lossy().contains("://");
    (is_file && get.input.is_none()).then_some((path, others))
}

fn read_metalink(path: &Path) -> Result<Vec<MetalinkFile>, Failure> {
    let wrong = |what: String| Failure::Usage(format!("the Metalink file {}: {what}", path.display()));
    if path.to_string_lossy().contains("://") {
        return Err(wrong("it is an address; fetch it first, then give the file".to_owned()));
    }
    let mut text = Vec::new();
    let most = metalink::METALINK_BYTES_MAX as u64 + 1;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut text))
    };
    read.map_err(|error| wrong(error.to_string()))?;
    metalink::parse(&text).map_err(|fault| wrong(fault.to_string()))
}

/// Takes what the flags say of one file, which is of no use for several.
fn put_content_into(orders: &mut [Order], get: &Get) -> Result<(), Failure> {
    let usage = |sentence: &str| Err(Failure::Usage(sentence.to_owned()));
    let is_metalink = metalink_of(get).is_some();
    if is_metalink && (get.secret.user.is_some() || get.secret.prompt || get.saved.credential.is_some()) {
        return usage(
            "a Metalink file chooses the servers, so no credentials go along with it; add its files to a job \
             with `bits add` to sign in",
        );
    }
    let given = get.content.checksum.is_some() || !get.content.mirror.is_empty();
    match orders {
        _ if !given => Ok(()),
        [order] => {
            if let Some(checksum) = &get.content.checksum {
                order.told.checksum = Some(checksum.clone());
            }
            order.told.mirrors.extend(get.content.mirror.iter().cloned());
            Ok(())
        }
        _ if get.content.mirror.is_empty() => {
            usage("one checksum is not that of several files; add them to a job with `bits add`")
        }
        _ => usage("one mirror is not that of several files; add them to a job with `bits add`"),
    }
}

/// Says how it ended, and hands the final job to programs.
async fn conclude(outcome: Outcome, session: &Session, get: &Get, output: &Output) -> Result<(), Failure> {
    let (mut job, hint) = match outcome {
        Outcome::Rests { job, hint } => (job, hint),
        Outcome::OutOfTime { id, seconds } => {
            if output.is_json() {
                let job = session.client.job(id).await?;
                output.result_json(&session.with_files(job).await?)?;
            }
            return Err(Failure::OutOfTime { id: id.to_string(), seconds });
        }
        Outcome::Interrupted { id } => return Err(Failure::StoppedWatching { jobs: vec![id.to_string()] }),
    };
    // Somebody took away that the service completes it; here that is still what is wanted.
    if Standing::of(&job) == Standing::Transferred {
        *job = session.client.complete_job(id_of(&job)?).await?.job;
    }
    if output.is_json() {
        let whole = with_files_if_kept(session, (*job).clone()).await?;
        output.result_json(&whole)?;
    }
    match Standing::of(&job) {
        Standing::Acknowledged if job.progress.files_passed_over > 0 => {
            output.say(&done(&job));
            Err(Failure::DoneInPart(job))
        }
        Standing::Acknowledged => {
            output.say(&done(&job));
            Ok(())
        }
        Standing::Failed => {
            if get.rm_on_error {
                cancel(id_of(&job)?, session, output).await;
            }
            Err(Failure::JobFailed { job, hint, cancelled: get.rm_on_error })
        }
        Standing::Suspended | Standing::Cancelled | Standing::Transferred | Standing::Moving => {
            Err(Failure::ByOthers(job))
        }
    }
}

fn done(job: &Job) -> String {
    let size = bytes(job.progress.bytes_transferred);
    match job.progress.files_total {
        1 => format!("{}: done, {size}", job.display_name),
        files if job.progress.files_passed_over > 0 => {
            let whole = job.progress.files_transferred;
            format!(
                "{}: done in part, {whole} of {}, {size}",
                job.display_name,
                counted(files.into(), "file")
            )
        }
        files => format!("{}: done, {}, {size}", job.display_name, counted(files.into(), "file")),
    }
}

/// A job that is over may have been dropped by the service meanwhile; what was told of it stays.
async fn with_files_if_kept(session: &Session, job: Job) -> Result<Job, Failure> {
    match session.with_files(job.clone()).await {
        Err(Failure::Client(error)) if error.code() == Some(Code::NOT_FOUND) => Ok(job),
        outcome => outcome,
    }
}

/// Cancels a job that is of no use. The failure before that is what the person hears of.
async fn cancel(id: JobId, session: &Session, output: &Output) {
    match session.client.cancel_job(id).await {
        Ok(_) => {}
        // It was never made.
        Err(error) if error.code() == Some(Code::NOT_FOUND) => {}
        Err(error) => output.warn(&format!("the job {id} could not be cancelled: {error}")),
    }
}

/// What to call a job that was given no name: after its first file.
fn name_of(orders: &[Order]) -> String {
    let first = Path::new(&orders[0].path).file_name().map(|name| name.to_string_lossy().into_owned());
    let first = first.unwrap_or_else(|| orders[0].remote.authority());
    match orders.len() {
        1 => first,
        files => format!("{first} and {}", counted(files as u64 - 1, "more file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_a_name_is_called_after_its_first_file() {
        let here = Here { folder: Some(Path::new("/h")), is_folder: &|_| true, creates_folders: false };
        for (urls, expected) in [
            (&["http://h/a.pdf"][..], "a.pdf"),
            (&["http://h/a.pdf", "http://h/b"], "a.pdf and 1 more file"),
            (&["http://h/a.pdf", "http://h/b", "http://h/c"], "a.pdf and 2 more files"),
        ] {
            let orders = destination::from_operands(urls, &here).expect("orders");
            assert_eq!(name_of(&orders), expected);
        }
    }
}
