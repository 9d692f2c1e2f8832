//! New jobs: one, with its files if it brings any, or many in one call.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bits_api::job::{
    ChangeJob, CreateJob, CreateJobs, CreatedJob, CreatedJobs, Environment, JOBS_PER_CALL_MAX,
};
use bits_core::access::Caller;
use bits_core::http_options::ProxyUse;
use bits_core::job::{JobId, Owner, Properties};
use bits_core::ports::SecretChange;
use bits_core::queue::Request;
use bits_core::refusal::Refusal;

use super::answer::{Refused, json, problem};
use super::body::{Json, job_id};
use super::files::{self, Destinations, Given};
use super::jobs::changed;
use super::properties::Asked;
use super::{Api, answer_to, finished};

/// The type of a job that is served.
const DOWNLOAD: &str = "download";

/// A new job that can be meant.
struct New {
    id: JobId,
    /// Whether it was made here just now.
    has_new_id: bool,
    /// Whether a secret was in what asks for it, also one that is not needed.
    brings_secret: bool,
    properties: Properties,
    /// What is secret of the properties.
    asked: Asked,
    given: Given,
    create_folders: bool,
    resume: bool,
}

/// `POST`: one job.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<CreateJob>,
) -> Result<Response, Refused> {
    let mut new = New::parse(body, JobId(uuid::Uuid::new_v4().into_bytes()))?;
    new.check(&api).await?;
    let same_key = api.vault.same_key().await;
    let (brings_secret, has_new_id) = (new.brings_secret, new.has_new_id);
    let request = new.into_request(&api, caller)?;
    let creating = Arc::clone(&api);
    let answer = finished(async move {
        let answer = creating.engine.create(caller, request, has_new_id).await;
        drop(same_key);
        answer
    });
    let (view, _) = changed(answer.await?);
    Ok(answer_to(brings_secret, api.job(StatusCode::CREATED, &view)))
}

/// `POST`: many jobs, each for itself.
pub(super) async fn create_many(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<CreateJobs>,
) -> Result<Response, Refused> {
    let count = body.jobs.len();
    if !(1..=JOBS_PER_CALL_MAX).contains(&count) {
        let wrong = format!("has {count} jobs; one call makes between 1 and {JOBS_PER_CALL_MAX}");
        return Err(Refusal::invalid("the list", wrong).into());
    }
    // What is made together lies together in the store.
    let ids = new_ids_of_one_call(count);
    let mut news: Vec<Result<New, Refusal>> =
        body.jobs.into_iter().zip(ids).map(|(job, id)| New::parse(job, id)).collect();
    check_all(&api, &mut news).await;
    // What could not be read may have had one.
    let brings_secret = news.iter().any(|new| new.as_ref().map_or(true, |new| new.brings_secret));
    let same_key = api.vault.same_key().await;
    let mut outcomes: Vec<Result<JobId, Refusal>> = Vec::with_capacity(count);
    let mut requests = Vec::with_capacity(count);
    for new in news {
        let asked = new.and_then(|new| {
            let (id, has_new_id) = (new.id, new.has_new_id);
            requests.push((new.into_request(&api, caller)?, has_new_id));
            Ok(id)
        });
        outcomes.push(asked);
    }
    let creating = Arc::clone(&api);
    let made = finished(async move {
        let made = creating.engine.create_many(caller, requests).await;
        drop(same_key);
        Ok(made)
    });
    let mut made = made.await?.into_iter();
    let jobs = outcomes
        .into_iter()
        .map(|asked| created(asked.and_then(|id| made.next().expect("each has an outcome").map(|()| id))));
    let jobs = jobs.collect();
    Ok(answer_to(brings_secret, json(StatusCode::OK, &CreatedJobs { jobs })))
}

/// Ids of one group. The system is asked for what is random in them once.
fn new_ids_of_one_call(count: usize) -> impl Iterator<Item = JobId> {
    let mut random = vec![[0; 16]; count];
    getrandom::fill(random.as_flattened_mut()).expect("the system gives out random numbers");
    let mut ids = random
        .into_iter()
        .map(|random| JobId(uuid::Builder::from_random_bytes(random).into_uuid().into_bytes()));
    let first = ids.next();
    let group = first.map_or(0, JobId::group);
    first.into_iter().chain(ids.map(move |id| id.in_group(group)))
}

fn created(outcome: Result<JobId, Refusal>) -> CreatedJob {
    match outcome {
        Ok(id) => CreatedJob { id: Some(id.to_string()), problem: None },
        Err(refusal) => CreatedJob { id: None, problem: Some(problem(None, &refusal)) },
    }
}

/// What is asked for of a new job; what is secret of it is still to be sealed.
pub(super) fn new_properties(
    display_name: String,
    kind: &str,
    properties: ChangeJob,
    environment: Environment,
) -> Result<(Properties, Asked), Refusal> {
    if kind != DOWNLOAD {
        return Err(Refusal::invalid(format!("the type `{kind}`"), "is not served; `download` is"));
    }
    let mut asked = Asked::of(properties)?;
    let mut properties = Properties::named(display_name)?;
    for change in asked.changes.drain(..) {
        properties.set(change)?;
    }
    let uses_environment = properties.http.proxy == ProxyUse::Preconfigured;
    properties.environment = asked.take_environment(environment, uses_environment)?;
    Ok((properties, asked))
}

impl New {
    /// A job that is called `new_id`, unless its caller has chosen another id.
    fn parse(body: CreateJob, new_id: JobId) -> Result<Self, Refusal> {
        let id = match &body.id {
            Some(text) => job_id(text)?,
            None => new_id,
        };
        let kind = body.kind.as_deref().unwrap_or(DOWNLOAD);
        let (properties, asked) = new_properties(body.display_name, kind, body.properties, body.environment)?;
        let given = files::parse_all(&body.files)?;
        let brings_secret = asked.brought_secret() || given.brought_secret();
        let has_new_id = body.id.is_none();
        let (create_folders, resume) = (body.create_folders, body.resume);
        Ok(Self { id, has_new_id, brings_secret, properties, asked, given, create_folders, resume })
    }

    fn destinations(&self) -> Destinations {
        let umask = self.properties.environment.umask;
        Destinations { create_folders: self.create_folders, umask, dry_run: false }
    }

    async fn check(&mut self, api: &Api) -> Result<(), Refusal> {
        let how = self.destinations();
        files::check(api, &mut self.given.files, how).await
    }

    fn into_request(self, api: &Api, caller: Caller) -> Result<Request, Refusal> {
        let owner = Owner(caller.uid);
        let mut secrets = self.asked.seal(&api.vault, self.id, owner)?;
        secrets.extend(self.given.seal(&api.vault, self.id, owner)?.into_iter().map(SecretChange::Set));
        Ok(Request::Create {
            id: self.id,
            properties: Box::new(self.properties),
            files: self.given.files,
            secrets,
            resume: self.resume,
        })
    }
}

/// Looks at the destinations of all at once, and at those of each where one is not in order.
async fn check_all(api: &Api, news: &mut [Result<New, Refusal>]) {
    let Some(how) = news.iter().flatten().next().map(New::destinations) else { return };
    if news.iter().flatten().all(|new| new.destinations() == how) {
        let files = news.iter_mut().flatten().flat_map(|new| new.given.files.iter_mut());
        if files::check(api, files, how).await.is_ok() {
            return;
        }
    }
    for new in news {
        let outcome = match new {
            Ok(new) => new.check(api).await,
            Err(_) => Ok(()),
        };
        if let Err(refusal) = outcome {
            *new = Err(refusal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_of_one_call_end_alike_and_differ_otherwise() {
        let calls = [1000, 1, 7].map(|count| new_ids_of_one_call(count).collect::<Vec<_>>());
        assert_eq!(calls.each_ref().map(Vec::len), [1000, 1, 7]);
        for ids in &calls {
            assert!(ids.iter().all(|id| id.group() == ids[0].group()), "{ids:?}");
        }
        let all: Vec<JobId> = calls.concat();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        // By four characters most of a thousand are told apart.
        let starts: BTreeSet<String> = all.iter().map(|id| id.to_string()[..4].to_owned()).collect();
        assert!(starts.len() > 900, "{} beginnings", starts.len());
        assert!(all.iter().all(|id| uuid::Uuid::from_bytes(id.0).get_version_num() == 4));
        assert_eq!(new_ids_of_one_call(0).count(), 0);
    }
}
