//! `bits service import`: the jobs of a document become jobs of this service.
//!
//! The whole document is read before anything is changed. Then each job comes in with all its files
//! or not at all, and one that is refused keeps none of the others out.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bits_client::api::export::{ALREADY_THERE, ExportedJob, ImportQuery, Imported, LeftOut};
use bits_client::{Error, new_job};
use bits_core::job::JobId;
use serde_json::{Value, json};

use super::super::Context;
use super::queue_document::{DOCUMENT_BYTES_MAX, Entry, read};
use crate::arguments::Import;
use crate::exit::Failure;
use crate::output::units::counted;
use crate::output::words::shortened;
use crate::session::Session;

pub(super) async fn run(import: Import, context: &Context<'_>) -> Result<(), Failure> {
    let name = match import.file.to_str() {
        Some("-") => "the document".to_owned(),
        _ => import.file.display().to_string(),
    };
    let text = take(&import.file).map_err(|wrong| Failure::Usage(format!("{name} {wrong}")))?;
    let entries = read(&text).map_err(|wrong| Failure::Usage(format!("{name} {wrong}")))?;
    drop(text);
    let session = context.session().await?;
    let mut tally = Tally::default();
    for Entry { line, mut job } in entries {
        if import.new_ids {
            job.id = new_job("").id.expect("a new job has an id");
        }
        match take_over(&session, &job, &import).await {
            Ok(outcome) => tally.done(&job, line, &outcome, context)?,
            Err(failure) => tally.refused(&job, line, &failure, context),
        }
    }
    tally.end(&import, context)
}

/// What becomes of one job.
struct Outcome {
    imported: Imported,
    resumed: bool,
}

async fn take_over(session: &Session, job: &ExportedJob, import: &Import) -> Result<Outcome, Failure> {
    let id = JobId::parse(&job.id)
        .map_err(|error| Failure::Usage(format!("`{}` is no job id: {error}", job.id)))?;
    let how = ImportQuery { create_folders: import.create_dirs, dry_run: import.dry_run };
    let imported = session.client.import_job(job, how).await?;
    let has_moved = !matches!(job.state.as_str(), "suspended" | "error");
    let resumes = import.resume && has_moved && needs(job).is_empty() && !job.files.is_empty();
    let resumed = resumes && imported.outcome != ALREADY_THERE;
    if resumed {
        session.client.resume_job(id).await?;
    }
    Ok(Outcome { imported, resumed })
}

/// What was done, job by job.
#[derive(Default)]
struct Tally {
    rows: Vec<Value>,
    taken: u64,
    there: u64,
    refused: u64,
    first_failure: Option<u8>,
}

impl Tally {
    fn done(
        &mut self,
        job: &ExportedJob,
        line: usize,
        outcome: &Outcome,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        let Outcome { imported, resumed } = outcome;
        let word = &imported.outcome;
        self.rows.push(json!({
            "line": line, "id": job.id, "display_name": job.display_name, "outcome": word,
            "resumed": resumed, "needs": needs(job),
        }));
        let id = shortened(&job.id);
        if word == ALREADY_THERE {
            self.there += 1;
            let state = imported.job.as_ref().map_or("", |job| &job.state).replace('_', " ");
            context
                .output
                .say(&format!("{id} {}: skipped, as it is there already ({state})", job.display_name));
            return Ok(());
        }
        self.taken += 1;
        let files = counted(job.files.len() as u64, "file");
        let state = if *resumed { "resumed" } else { "suspended" };
        let state = if imported.job.is_some() { state } else { "would be imported" };
        context.output.say(&format!("{id} {}: {state}, {files}", job.display_name));
        for need in needs(job) {
            context.output.say(&format!("    needs {need}"));
        }
        Ok(())
    }

    fn refused(&mut self, job: &ExportedJob, line: usize, failure: &Failure, context: &Context<'_>) {
        self.refused += 1;
        context.output.error(&format!(
            "line {line}, {} ({}) was not imported:",
            job.display_name,
            shortened(&job.id)
        ));
        let code = failure.tell(context.output);
        self.first_failure.get_or_insert(code);
        let mut row = json!({
            "line": line, "id": job.id, "display_name": job.display_name, "outcome": "refused",
            "resumed": false, "needs": needs(job),
        });
        if let Failure::Client(Error::Refused(problem)) = failure {
            row["error"] = json!(problem);
        }
        self.rows.push(row);
    }

    fn end(self, import: &Import, context: &Context<'_>) -> Result<(), Failure> {
        if context.output.is_json() {
            context.output.result_json(&self.rows)?;
        }
        let verb = if import.dry_run { "would be imported" } else { "imported" };
        let mut parts = vec![format!("{} {verb}", counted(self.taken, "job"))];
        for (count, word) in [(self.there, "there already"), (self.refused, "refused")] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        context.output.say(&parts.join(", "));
        self.first_failure.map_or(Ok(()), |code| Err(Failure::Told(code)))
    }
}

/// What has to be given to the job before it is as it was, and by which command.
fn needs(job: &ExportedJob) -> Vec<String> {
    let id = shortened(&job.id);
    let need = |left_out: &LeftOut| match left_out {
        LeftOut::Credential { target, scheme } => format!(
            "credentials for the {target} ({scheme}): bits credentials set {id} --target {target} --scheme {scheme}"
        ),
        LeftOut::Header { name } => {
            format!(
                "its secret header {name}: bits set {id} custom-header='{name}: …', with all other headers"
            )
        }
        LeftOut::WriteOnlyHeaders => {
            format!("its write-only headers: bits set {id} custom-header='NAME: …', with all of them")
        }
        LeftOut::WebhookSecret => format!(
            "the secret of its webhook: bits set {id} notify-webhook=URL notify-webhook-secret-file=FILE"
        ),
        LeftOut::CertificatePassphrase => {
            format!(
                "the passphrase of its client certificate: bits set {id} client-certificate=FILE client-certificate-password-file=FILE"
            )
        }
    };
    job.left_out.iter().map(need).collect()
}

/// Reads the document.
fn take(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let taken = if path == Path::new("-") {
        io::stdin().lock().take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text))
    };
    match taken {
        Ok(bytes) if bytes as u64 > DOCUMENT_BYTES_MAX => {
            Err(format!("is larger than {DOCUMENT_BYTES_MAX} bytes"))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err("is not JSON: it is no UTF-8 text".to_owned())
        }
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
