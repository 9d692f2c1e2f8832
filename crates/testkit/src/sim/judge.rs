//! The promises, each held to the whole history of a world.
//!
//! The judge sees every commit, every effect, every answer and every name that a file gets, and
//! keeps what was promised by them. It decides nothing; the first promise that it finds broken ends
//! the world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bits_broker::engine::Response;
use bits_core::checksum::Checksum;
use bits_core::file::FileIndex;
use bits_core::job::{Job, JobId, Owner, Revision, State};
use bits_core::ports::{Batch, FileChange};
use bits_core::queue::JobView;
use bits_core::ranges::Ranges;
use bits_core::refusal::Refusal;
use bits_core::remote_name::RemoteName;
use bits_core::sources::{DropReason, Mirror, Sources};

use super::extents::{Extents, Source};
use super::log::Search;
use super::scenario::{Millis, SECRET_MARK};
use super::servers::Resource;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Nothing is answered or acted on before it is written; what was accepted is never lost.
    P1,
    /// An offset in the store is never ahead of the bytes on the disk.
    P2,
    /// A file appears under its name whole or not at all.
    P3,
    /// The halves of two different files are never joined.
    P4,
    /// A job that does not move can say why.
    P5,
    /// A secret is never in a log, a row in the clear, or an answer.
    P6,
    /// One owner's jobs are out of another owner's sight and reach.
    P7,
    /// After a kill the service goes on from a state it had really been in.
    P8,
    /// No partial file outlives its job.
    Parts,
    /// A secret that was refused is not tried again unasked.
    TriedOnce,
    /// A place that has sent a wrong file is not asked for it again while there is another, and nobody is
    /// said to have sent one who has not.
    Sources,
    /// No job runs against the conditions, or after it was stopped; and what it says it waits for is what
    /// holds it back.
    Conditions,
    /// What an owner is to be told is told at least once, or for as long as it is of any use.
    Notices,
    /// When nothing goes wrong any more, every job comes to rest, with the right bytes or an honest
    /// error, in a bounded time.
    Rest,
    /// What only we can do wrong is not done wrong: no assertion fails.
    Sound,
}

impl Promise {
    pub const ALL: [Self; 15] = [
        Self::P1,
        Self::P2,
        Self::P3,
        Self::P4,
        Self::P5,
        Self::P6,
        Self::P7,
        Self::P8,
        Self::Parts,
        Self::TriedOnce,
        Self::Sources,
        Self::Conditions,
        Self::Notices,
        Self::Rest,
        Self::Sound,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
            Self::P6 => "P6",
            Self::P7 => "P7",
            Self::P8 => "P8",
            Self::Parts => "parts",
            Self::TriedOnce => "tried-once",
            Self::Sources => "sources",
            Self::Conditions => "conditions",
            Self::Notices => "notices",
            Self::Rest => "rest",
            Self::Sound => "sound",
        }
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub promise: Promise,
    /// What was seen.
    pub what: String,
    /// Milliseconds since the world began.
    pub at: u64,
}

/// What is to be under one name.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) resource: usize,
    /// Other places where it is said to be.
    pub(super) mirrors: Vec<usize>,
    /// Whether it comes by ranges, of which no server's checksum tells.
    pub(super) is_on_demand: bool,
    pub(super) ranges: Ranges,
    pub(super) checksum: Option<Checksum>,
    pub(super) before: Option<Extents>,
}

/// What an owner has asked of a job, so that nobody else has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    pub(super) cancel: bool,
    pub(super) complete: bool,
    /// How often the owner did something about the job.
    pub(super) acts: u32,
}

#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) violation: Option<Violation>,
    /// What was answered of each job.
    answered: BTreeMap<JobId, (Revision, u32)>,
    finals: BTreeSet<JobId>,
    pub(super) owners: BTreeMap<JobId, Owner>,
    pub(super) asked: BTreeMap<JobId, Asked>,
    pub(super) wanted: BTreeMap<String, Wanted>,
    /// Partial files that somebody has meddled with, and files that may have a hole for that.
    pub(super) harmed: BTreeSet<String>,
    tries: BTreeMap<(JobId, String), u32>,
    /// Places that are on record as having sent a wrong file.
    liars: BTreeMap<(JobId, FileIndex), Vec<RemoteName>>,
    /// Whether everything is searched for secrets, and not only what foreign text comes into.
    pub(super) is_thorough: bool,
}

impl Judge {
    /// Notes that `promise` is broken, unless another was before.
    pub(super) fn broken(&mut self, promise: Promise, at: Millis, what: impl FnOnce() -> String) {
        self.violation.get_or_insert_with(|| Violation { promise, what: what(), at });
    }

    /// Looks at what is about to be committed.
    pub(super) fn batch(&mut self, batch: &Batch, at: Millis) {
        for change in &batch.jobs {
            let job = &change.job;
            if self.owners.get(&job.id).is_none_or(|owner| *owner != job.owner) {
                self.broken(Promise::P7, at, || {
                    format!("{} came to {:?}, who did not make it", job.id, job.owner)
                });
            }
            let asked = self.asked.get(&job.id).copied().unwrap_or_default();
            let is_unasked = match job.state {
                State::Cancelled => !asked.cancel,
                State::Acknowledged => !asked.complete && !job.properties.complete_when_done,
                _ => false,
            };
            if is_unasked {
                self.broken(Promise::P7, at, || {
                    format!("{} is {}, which its owner did not ask for", job.id, job.state.name())
                });
            }
            if job.state.is_final() {
                self.finals.insert(job.id);
            }
            self.text(job.error.as_ref().map_or("", |error| &error.message), at, "a stored error");
        }
        for (job, change) in &batch.secrets {
            if let bits_core::ports::SecretChange::Set(sealed) = change
                && sealed.record.windows(SECRET_MARK.len()).any(|part| part == SECRET_MARK.as_bytes())
            {
                self.broken(Promise::P6, at, || format!("a secret of {job} is stored in the clear"));
            }
        }
        for (_, change) in &batch.files {
            match change {
                FileChange::Version { served, .. } | FileChange::Whole { served, .. } => {
                    self.text(&served.headers, at, "a stored field");
                }
                FileChange::PassedOver { error, .. } => self.text(&error.message, at, "a stored error"),
                _ => {}
            }
        }
        for (job, change) in &batch.files {
            if let FileChange::Sources { index, sources } = change {
                self.sources(*job, *index, sources, true);
            }
        }
        if self.is_thorough {
            self.written(format_args!("{:?} {:?}", batch.jobs, batch.files), at, "a row");
        }
    }

    /// Looks at `text`, which others can read.
    pub(super) fn text(&mut self, text: &str, at: Millis, what: &str) {
        if text.contains(SECRET_MARK) {
            self.broken(Promise::P6, at, || format!("{what} has a secret in it: {text:.300}"));
        }
    }

    /// The same, of what is only written down to be searched.
    fn written(&mut self, text: fmt::Arguments<'_>, at: Millis, what: &str) {
        if Search::finds_in(text) {
            self.text(&text.to_string(), at, what);
        }
    }

    /// Looks at what `caller` is told.
    pub(super) fn answer(&mut self, caller: u32, answer: &Result<Response, Refusal>, at: Millis) {
        if self.is_thorough {
            self.written(format_args!("{answer:?}"), at, "an answer");
        }
        match answer {
            Ok(
                Response::Job { view, .. }
                | Response::JobWithSecrets { view, .. }
                | Response::WholeJob { view, .. },
            ) => {
                self.view(caller, view, at);
                let known = self.answered.entry(view.job.id).or_default();
                *known = (known.0.max(view.job.revision), known.1.max(view.job.files_total));
            }
            Ok(Response::List { jobs, .. }) => jobs.iter().for_each(|view| self.view(caller, view, at)),
            Ok(Response::Questions(questions)) => {
                for question in questions.iter().filter(|question| question.owner != Owner(caller)) {
                    self.broken(Promise::P7, at, || format!("{caller} is shown {question:?}"));
                }
            }
            Ok(
                Response::Done
                | Response::Files { .. }
                | Response::Counts(_)
                | Response::Turns(_)
                | Response::Notices(_)
                | Response::Conditions(_),
            ) => {}
            Err(refusal) => {
                if self.is_thorough {
                    self.text(&refusal.to_string(), at, "a refusal");
                }
            }
        }
    }

    /// Looks at a job as `caller` is shown it.
    pub(super) fn view(&mut self, caller: u32, view: &JobView, at: Millis) {
        let job = &view.job;
        if job.owner != Owner(caller) {
            self.broken(Promise::P7, at, || format!("{caller} is shown {} of {:?}", job.id, job.owner));
        }
        if let Some(why) = cannot_say_why(view) {
            self.broken(Promise::P5, at, || format!("{} is {} and {why}", job.id, job.state.name()));
        }
        if let Some(error) = &job.error {
            self.text(&error.message, at, "an error that is shown");
        }
    }

    /// What lasts of each job that was answered, after the service has ended.
    pub(super) fn recovered<'j>(&mut self, job: impl Fn(JobId) -> Option<&'j Job>, at: Millis) {
        for (id, (revision, files)) in std::mem::take(&mut self.answered) {
            match job(id) {
                Some(job) if job.revision >= revision && job.files_total >= files => {
                    self.answered.insert(id, (revision, files));
                }
                // It was over, and is forgotten; its id may be used again.
                _ if self.finals.contains(&id) => {}
                found => {
                    let found = found.map(|job| (job.revision, job.files_total));
                    self.broken(Promise::P1, at, || {
                        format!("{id} was answered at {revision:?} with {files} files, and is {found:?}")
                    });
                }
            }
        }
    }

    /// Looks at what is under `name`.
    pub(super) fn name(&mut self, name: &str, content: &Extents, resources: &[Resource], at: Millis) {
        let Some(wanted) = self.wanted.get(name).filter(|_| !self.harmed.contains(name)) else { return };
        if wanted.before.as_ref() == Some(content) || wanted.is(content, resources) {
            return;
        }
        let is_torn = content.iter().any(|part| matches!(part.source, Source::Hole | Source::Before));
        let mut sources: Vec<_> = content.iter().map(|part| part.source).collect();
        sources.dedup();
        let promise = if is_torn || sources.len() < 2 { Promise::P3 } else { Promise::P4 };
        let about = format!("of {:?}", &resources[wanted.resource].versions);
        self.broken(promise, at, || format!("{name} is {content:?} {about}"));
    }

    /// Takes in what is known of the mirrors of a file, once it is written; what is only reported can
    /// clear a name, and not charge anybody.
    pub(super) fn sources(&mut self, job: JobId, file: FileIndex, sources: &Sources, is_written: bool) {
        let has_lied = |mirror: &&Mirror| {
            mirror.dropped.as_ref().is_some_and(|dropped| dropped.reason == DropReason::Lied)
        };
        let mut liars: Vec<_> =
            sources.mirrors.iter().filter(has_lied).map(|mirror| mirror.remote_name.clone()).collect();
        let known = self.liars.entry((job, file)).or_default();
        if !is_written {
            liars.retain(|name| known.contains(name));
        }
        *known = liars;
    }

    /// A place is about to be asked for a file.
    pub(super) fn asked_at(&mut self, job: JobId, file: FileIndex, name: &RemoteName, at: Millis) {
        if self.liars.get(&(job, file)).is_some_and(|liars| liars.contains(name)) {
            self.broken(Promise::Sources, at, || {
                format!(
                    "{} is asked for file {} of {job}, of which it has sent a wrong one",
                    name.as_str(),
                    file.0
                )
            });
        }
    }

    /// A wrong secret was sent for `job`. `deaths` of the service excuse as many.
    pub(super) fn tried(&mut self, job: JobId, secret: &str, deaths: u32, at: Millis) {
        let tries = self.tries.entry((job, secret.to_owned())).or_default();
        *tries += 1;
        let (tries, acts) = (*tries, self.asked.get(&job).map_or(0, |asked| asked.acts));
        if tries > 1 + acts + deaths {
            self.broken(Promise::TriedOnce, at, || {
                format!("{job} was refused {tries} times with one password; its owner acted {acts} times")
            });
        }
    }
}

impl Wanted {
    /// Whether `content` is what can rightly be under this name.
    fn is(&self, content: &Extents, resources: &[Resource]) -> bool {
        if let Some(checksum) = &self.checksum {
            return content.checksum() == *checksum;
        }
        let first = &resources[self.resource];
        let mirrors = self.mirrors.iter().map(|mirror| &resources[*mirror]);
        let places: Vec<_> = [Some(first), first.twin.map(|twin| &resources[twin])]
            .into_iter()
            .flatten()
            .chain(mirrors)
            .collect();
        let is_page = *content == Extents::of(Source::Corrupt, 0, content.len());
        let has_lied = |place: &&Resource| {
            // Where a checksum was served it tells, but for a page that has none, and for parts. Of a file
            // that a mirror without one has begun it does not.
            let is_looked_at = self.ranges.is_all() && !self.is_on_demand;
            let begins_with_one = self.mirrors.is_empty() || places.iter().all(|place| place.gives_digest);
            let is_told = place.gives_digest && begins_with_one && is_looked_at && !is_page;
            place.has_lied && !is_told
        };
        places.iter().any(|place| place.has_served(content, &self.ranges))
            || places.iter().copied().any(|place| has_lied(&place))
                && content.iter().all(|part| places.iter().any(|place| place.may_have_sent(part)))
    }
}

fn cannot_say_why(view: &JobView) -> Option<&'static str> {
    let job = &view.job;
    let error = job.error.as_ref();
    match job.state {
        State::Error if error.is_none() => Some("has no error"),
        State::Error | State::TransientError { .. }
            if error.is_some_and(|error| error.message.is_empty() || !error.code.is_failure()) =>
        {
            Some("its error says nothing")
        }
        State::TransientError { .. } if error.is_none() => Some("has no error"),
        State::TransientError { .. } | State::Queued if view.wait.is_none() => Some("waits for nothing"),
        _ => None,
    }
}
