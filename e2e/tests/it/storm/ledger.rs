//! What the service has acknowledged to one client, and whether it still holds.
//!
//! A request whose answer was cut off is in doubt: it was carried out whole, or not at all. Which of
//! the two is found by looking, before anything else is asked of that job.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sources::Wanted;

/// A job as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) description: String,
    pub(crate) files: Vec<Wanted>,
    /// Whether a credential was set.
    pub(crate) has_password: bool,
    /// Whether it was resumed and not suspended since; not known where that was in doubt.
    pub(crate) is_active: Option<bool>,
    pub(crate) end: End,
}

/// Whether, and how, a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Live,
    Cancelled,
    Completed,
}

/// What can be asked of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Create,
    Describe(String),
    Add(Vec<Wanted>),
    SetPassword,
    Resume,
    Suspend,
    Complete,
    Cancel,
}

impl Change {
    /// What is counted.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Describe(_) => "set",
            Self::Add(_) => "add",
            Self::SetPassword => "credentials",
            Self::Resume => "resume",
            Self::Suspend => "suspend",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
        }
    }
}

/// The jobs of one client.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) jobs: BTreeMap<String, Job>,
    /// What was asked and not answered.
    pub(crate) doubt: Option<(String, Change)>,
}

/// How a job was found, where it had to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// What was in doubt was carried out.
    Done,
    /// It was not.
    NotDone,
}

impl Ledger {
    /// Takes in that the service has said yes.
    pub(crate) fn acknowledge(&mut self, id: &str, change: &Change) {
        let job = self.jobs.remove(id);
        self.jobs.insert(id.to_owned(), after(job, change));
    }

    /// Clears the doubt by what the service says of that job: `found` is the job and its files, or
    /// none where it knows no such job.
    ///
    /// # Errors
    /// A sentence, when it is neither as it was before nor as it would be after.
    pub(crate) fn resolve(&mut self, found: Option<(&Value, &[Value])>) -> Result<Resolved, String> {
        let (id, change) = self.doubt.take().expect("something is in doubt");
        let before = self.jobs.get(&id).cloned();
        let with = after(before.clone(), &change);
        let is_after = fault(&with, found);
        let Some(why_not_after) = is_after else {
            self.jobs.insert(id, with);
            return Ok(Resolved::Done);
        };
        let Some(mut before) = before else {
            return match found {
                None => Ok(Resolved::NotDone),
                Some(_) => Err(format!("{id}: made by a request in doubt, and wrong: {why_not_after}")),
            };
        };
        if matches!(change, Change::Complete | Change::Suspend | Change::Resume) {
            before.is_active = None;
        }
        if let Some(why_not_before) = fault(&before, found) {
            let named = change.name();
            return Err(format!("{id}: {named} in doubt: before: {why_not_before}; after: {why_not_after}"));
        }
        self.jobs.insert(id, before);
        Ok(Resolved::NotDone)
    }

    /// What is not as it was acknowledged of the job `id`.
    pub(crate) fn fault(&self, id: &str, found: Option<(&Value, &[Value])>) -> Option<String> {
        fault(&self.jobs[id], found).map(|why| format!("{id}: {why}"))
    }
}

fn after(job: Option<Job>, change: &Change) -> Job {
    let new = || Job {
        description: String::new(),
        files: Vec::new(),
        has_password: false,
        is_active: Some(false),
        end: End::Live,
    };
    let mut job = job.unwrap_or_else(new);
    match change {
        Change::Create => {}
        Change::Describe(text) => job.description.clone_from(text),
        Change::Add(files) => job.files.extend(files.iter().cloned()),
        Change::SetPassword => job.has_password = true,
        Change::Resume => job.is_active = Some(true),
        Change::Suspend => job.is_active = Some(false),
        Change::Complete => job.end = End::Completed,
        Change::Cancel => job.end = End::Cancelled,
    }
    job
}

/// What of `found` is not as it must be.
fn fault(job: &Job, found: Option<(&Value, &[Value])>) -> Option<String> {
    let Some((shown, files)) = found else { return Some("it is lost".to_owned()) };
    let state = shown["state"].as_str().unwrap_or_default();
    let is_state_right = match (job.end, job.is_active) {
        (End::Cancelled, _) => state == "cancelled",
        (End::Completed, _) => state == "acknowledged",
        (End::Live, Some(false)) => ["suspended", "transferred", "error"].contains(&state),
        (End::Live, Some(true)) => !["suspended", "acknowledged", "cancelled"].contains(&state),
        (End::Live, None) => !["acknowledged", "cancelled"].contains(&state),
    };
    if !is_state_right {
        return Some(format!(
            "its state is {state}, and it must be {:?}, active {:?}",
            job.end, job.is_active
        ));
    }
    if shown["description"] != job.description.as_str() {
        return Some(format!(
            "its description is {} and must be {:?}",
            shown["description"], job.description
        ));
    }
    let names: Vec<_> =
        files.iter().map(|file| (&file["remote_name"], file["local_name"].as_str())).collect();
    let is_same = |(wanted, (remote, local)): (&Wanted, &(&Value, Option<&str>))| {
        *remote == wanted.url.as_str()
            && local.is_some_and(|local| local.rsplit('/').next() == Some(wanted.name.as_str()))
    };
    if names.len() != job.files.len() || !job.files.iter().zip(&names).all(is_same) {
        return Some(format!("its files are {names:?} and must be {:?}", job.files));
    }
    let has_password = shown["credentials"].as_array().is_some_and(|set| !set.is_empty());
    let must_have = job.has_password && job.end == End::Live;
    if has_password != must_have {
        return Some(format!("its credentials are {}, and must be set: {must_have}", shown["credentials"]));
    }
    None
}
