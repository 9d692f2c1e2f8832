//! One command's dealings with the service.

use bits_client::api::about::About;
use bits_client::api::file::File;
use bits_client::api::job::Job;
use bits_client::{Client, ConnectOptions, Error, Found};
use bits_core::job::JobId;
use futures_util::TryStreamExt;

use crate::exit::Failure;
use crate::output::Output;

/// The service, found or started.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) about: About,
}

impl Session {
    /// Finds the service, starting it unless told not to, and says so when it is an older one.
    pub(crate) async fn open(never_start: bool, output: &Output) -> Result<Self, Failure> {
        let options = ConnectOptions::new();
        let options = if never_start { options.never_start() } else { options };
        let client = Client::connect(options).await?;
        let about = client.about().await?;
        if is_older(&about.version, env!("CARGO_PKG_VERSION")) {
            output.warn(&format!(
                "the running service is of version {}, this command of {}; `bits service restart` brings it up to date",
                about.version,
                env!("CARGO_PKG_VERSION")
            ));
        }
        for notice in &about.notices {
            output.warn(notice);
        }
        Ok(Self { client, about })
    }

    /// The one job that `text` names.
    pub(crate) async fn find(&self, text: &str) -> Result<Box<Job>, Failure> {
        match self.client.find_job(text).await? {
            Found::One(job) => Ok(job),
            Found::Nothing => Err(Failure::NoSuchJob(text.to_owned())),
            Found::Ambiguous(jobs) => Err(Failure::AmbiguousJob { text: text.to_owned(), jobs }),
        }
    }

    /// The id of the one job that `text` names. A whole id is taken at its word.
    pub(crate) async fn find_id(&self, text: &str) -> Result<JobId, Failure> {
        match JobId::parse(text) {
            Ok(id) => Ok(id),
            Err(_) => id_of(&*self.find(text).await?),
        }
    }

    /// `job` with all its files, as programs get it.
    pub(crate) async fn with_files(&self, job: Job) -> Result<Job, Failure> {
        let files: Vec<File> = self.client.files(id_of(&job)?).try_collect().await?;
        Ok(Job { files: Some(files), ..job })
    }
}

/// The id of a job that the service has told.
pub(crate) fn id_of(job: &Job) -> Result<JobId, Failure> {
    JobId::parse(&job.id)
        .map_err(|error| Error::Protocol { operation: "job", reason: error.to_string() }.into())
}

/// Whether version `a` is below version `b`; versions that are none are equal.
fn is_older(a: &str, b: &str) -> bool {
    matches!((numbers(a), numbers(b)), (Some(a), Some(b)) if a < b)
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let release = version.split(['-', '+']).next()?;
    let mut numbers = release.split('.').map(|number| number.parse().ok());
    let found = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (a, b, expected) in [
            ("0.1.0", "0.1.0", false),
            ("0.9.0", "0.10.0", true),
            ("1.0.0", "0.10.0", false),
            ("0.1.0-rc.1", "0.1.1", true),
            ("unknown", "0.1.0", false),
        ] {
            assert_eq!(is_older(a, b), expected, "{a} {b}");
        }
    }
}
