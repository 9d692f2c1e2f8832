//! `bits watch`: progress until the jobs rest.

use std::collections::HashMap;

use bits_client::EventStream;
use bits_client::api::event::{Event, JOB, NOTE, RANGES, READY};
use bits_client::api::job::Job;
use bits_core::job::JobId;
use serde_json::json;

use super::Context;
use crate::arguments::Watch;
use crate::exit::Failure;
use crate::following::{Teller, interrupts};
use crate::output::Output;
use crate::output::words::{is_satisfied, short_id};
use crate::session::id_of;
use crate::standing::Standing;

pub(super) async fn run(watch: Watch, context: &Context<'_>) -> Result<(), Failure> {
    let session = context.session().await?;
    let mut jobs = Vec::with_capacity(watch.jobs.len());
    for text in &watch.jobs {
        jobs.push(id_of(&*session.find(text).await?)?);
    }
    let mut watched = Watched::new(&jobs);
    let mut interrupts = interrupts()?;
    let one = if let [one] = jobs[..] { Some(one) } else { None };
    let mut events = session.client.events(one).await?;
    let mut teller = Teller::new(context.output);
    let outcome = tokio::select! {
        outcome = follow(&mut events, &mut watched, &mut teller, context.output) => outcome,
        _ = interrupts.recv() => return Err(Failure::StoppedWatching { jobs: watched.moving() }),
    };
    drop(teller);
    match outcome {
        Ok(()) => watched.verdict(context.output),
        Err(Failure::Client(error)) if !watched.moving().is_empty() => {
            Err(Failure::LostSight { error, id: watched.moving().join(" ") })
        }
        Err(failure) => Err(failure),
    }
}

/// Takes events in until all jobs that are watched rest.
async fn follow(
    events: &mut EventStream,
    watched: &mut Watched,
    teller: &mut Teller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let mut is_ready = false;
    while !(is_ready && watched.all_rest()) {
        let event = events.next().await?;
        if output.is_json() && watched.concerns(&event) {
            print(&event, output)?;
        }
        match event {
            Event::Job(job) if watched.is_meant(&job.id) => {
                teller.job(&job);
                if let Some(sentence) = watched.take_in(*job)
                    && !output.is_json()
                {
                    teller.say(&sentence);
                }
            }
            Event::Job(_) => {}
            Event::Note(note) if watched.is_meant(&note.job) => teller.note(&note),
            Event::Note(_) | Event::Ranges(_) => {}
            Event::Ready => is_ready = true,
        }
    }
    Ok(())
}

fn print(event: &Event, output: &Output) -> Result<(), Failure> {
    output.result_json(&match event {
        Event::Job(job) => json!({ "event": JOB, "data": job }),
        Event::Note(note) => json!({ "event": NOTE, "data": note }),
        Event::Ranges(ranges) => json!({ "event": RANGES, "data": ranges }),
        Event::Ready => json!({ "event": READY, "data": {} }),
    })
}

/// The jobs that are watched, as they were told last.
struct Watched {
    /// The ones named; empty when all are watched.
    named: Vec<String>,
    jobs: HashMap<String, Job>,
    /// The ids in `jobs`, in the order they were told first.
    order: Vec<String>,
}

impl Watched {
    fn new(named: &[JobId]) -> Self {
        let named = named.iter().map(JobId::to_string).collect();
        Self { named, jobs: HashMap::new(), order: Vec::new() }
    }

    fn is_meant(&self, id: &str) -> bool {
        self.named.is_empty() || self.named.iter().any(|named| named == id)
    }

    fn concerns(&self, event: &Event) -> bool {
        match event {
            Event::Job(job) => self.is_meant(&job.id),
            Event::Note(note) => self.is_meant(&note.job),
            Event::Ranges(ranges) => self.is_meant(&ranges.job),
            Event::Ready => true,
        }
    }

    /// Takes in how `job` is now. Returns what is to be said when it has come to rest.
    fn take_in(&mut self, job: Job) -> Option<String> {
        let standing = Standing::of(&job);
        let before = self.jobs.get(&job.id).map(Standing::of);
        if before.is_none() {
            // Among all jobs, one that rests already is nothing to wait for.
            if self.named.is_empty() && standing != Standing::Moving {
                return None;
            }
            self.order.push(job.id.clone());
        }
        let sentence = (before != Some(standing)).then(|| resting(&job, standing)).flatten();
        self.jobs.insert(job.id.clone(), job);
        sentence
    }

    fn all_rest(&self) -> bool {
        let told = self.named.iter().all(|id| self.jobs.contains_key(id));
        told && self.jobs.values().all(|job| Standing::of(job) != Standing::Moving)
    }

    /// The beginnings of the ids of the jobs that still move, or all that were named.
    fn moving(&self) -> Vec<String> {
        self.order
            .iter()
            .map(|id| &self.jobs[id])
            .filter(|job| Standing::of(job) == Standing::Moving)
            .map(|job| short_id(job).to_owned())
            .collect()
    }

    /// How the command ends: with the worst of how the jobs did.
    fn verdict(mut self, output: &Output) -> Result<(), Failure> {
        if self.jobs.is_empty() {
            output.say("there are no jobs that move");
        }
        let mut failures: Vec<Failure> = Vec::new();
        for id in &self.order {
            let Some(job) = self.jobs.remove(id) else { continue };
            match Standing::of(&job) {
                Standing::Failed => {
                    failures.push(Failure::JobFailed { job: Box::new(job), hint: None, cancelled: false });
                }
                Standing::Suspended if is_satisfied(&job) => {}
                Standing::Suspended | Standing::Cancelled => failures.push(Failure::ByOthers(Box::new(job))),
                Standing::Transferred | Standing::Acknowledged | Standing::Moving => {}
            }
        }
        // An error counts for more than a job that somebody stopped: 1 comes before 7.
        match failures.iter().map(|failure| failure.tell(output)).min() {
            None => Ok(()),
            Some(code) => Err(Failure::Told(code)),
        }
    }
}

/// What is to be said of a job that has come to rest well; the others are told at the end.
fn resting(job: &Job, standing: Standing) -> Option<String> {
    match standing {
        Standing::Acknowledged => Some(format!("{}: done", job.display_name)),
        Standing::Transferred => Some(format!(
            "{}: all files are here; put them in their places: bits complete {}",
            job.display_name,
            short_id(job)
        )),
        Standing::Suspended if is_satisfied(job) => {
            Some(format!("{}: all that was asked for of its files is here", job.display_name))
        }
        Standing::Moving | Standing::Failed | Standing::Suspended | Standing::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::a_job;

    const ID: &str = "8e2d0a1b-0203-4405-8607-08090a0b0c0d";

    fn named() -> Watched {
        Watched::new(&[JobId::parse(ID).expect("an id")])
    }

    #[test]
    fn a_named_job_is_waited_for_until_it_rests() {
        let mut watched = named();
        assert!(!watched.all_rest(), "nothing is known of it yet");
        watched.take_in(a_job("transferring"));
        assert!(!watched.all_rest());
        assert_eq!(watched.moving(), ["8e2d0a1b"]);
        assert!(
            watched.take_in(a_job("transferred")).expect("a sentence").contains("bits complete 8e2d0a1b")
        );
        assert_eq!(watched.take_in(a_job("transferred")), None, "said once");
        assert!(watched.all_rest());
        assert!(!watched.is_meant("another"));
    }

    #[test]
    fn among_all_jobs_those_that_rest_already_do_not_count() {
        let mut watched = Watched::new(&[]);
        watched.take_in(a_job("error"));
        assert!(watched.all_rest() && watched.jobs.is_empty());
        watched.take_in(a_job("queued"));
        assert!(!watched.all_rest());
        watched.take_in(a_job("error"));
        assert!(watched.all_rest());
        assert_eq!(watched.jobs.len(), 1);
    }
}
