//! The store of a simulated world: the one in memory, over a journal of which a kill leaves what was
//! written and a power cut what was synced.

use std::time::Duration;

use bits_core::file::{DestinationTag, File, FileIndex, ResumeBy};
use bits_core::job::{Job, JobId, Owner, Progress, State};
use bits_core::notify::Outbox;
use bits_core::ports::{
    Batch, Cursor, FileChange, Filter, Page, QueuedJob, QueuedPlace, RekeyError, Rewrap, SealedSecret,
    SealingKey, StateName, Store, StoreError,
};
use bits_core::remote_name::RemoteName;
use bits_core::sources::{DropReason, Mirror};
use bits_core::time::Timestamp;
use bits_store::memory::MemoryStore;
use bits_worker::link::temporary_name;

use super::extents::{Extents, Source};
use super::judge::Promise;
use super::mutations::Mutation;
use super::scenario::Millis;
use super::servers::{Resource, Version};
use super::shared::{Shared, Surroundings};

/// So much later a job goes on that waited; turns take a few milliseconds.
const WAKE_WITHIN: Duration = Duration::from_secs(1);

/// What is written.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// As the service has it.
    pub(super) live: MemoryStore,
    /// As the next service will find it.
    pub(super) lasting: MemoryStore,
    /// Acted on, and not written yet; a mistake that can be switched on.
    late: Option<MemoryStore>,
    pub(super) is_full: bool,
    /// Whether a commit takes seconds.
    pub(super) is_slow: bool,
    pub(super) commits_to_fail: u32,
    /// When a commit failed last.
    pub(super) failed_at: Millis,
    /// Whether a service is just starting.
    pub(super) is_starting: bool,
}

impl Rows {
    /// What is left when a service has ended; says where that is no state it was in.
    pub(super) fn recover(&mut self) -> Result<(), String> {
        self.late = None;
        let difference = self.live.difference(&self.lasting).map(|id| {
            let (had, has) = (state(&mut self.live, id), state(&mut self.lasting, id));
            format!("{id} was {had:?} and is {has:?}")
        });
        self.live = self.lasting.clone();
        difference.map_or(Ok(()), Err)
    }

    /// All files of all jobs.
    pub(super) fn each_file(&self) -> impl Iterator<Item = (JobId, &File)> {
        self.live.each().flat_map(|job| self.live.each_file(job.id).map(|file| (job.id, file)))
    }

    pub(super) fn job(&self, id: JobId) -> Option<&Job> {
        self.live.peek(id)
    }

    pub(super) fn files(&mut self, id: JobId) -> Vec<File> {
        self.live.files(id, FileIndex(0), usize::MAX).expect("memory is read")
    }
}

type JobState = (Option<Job>, Vec<File>, Vec<SealedSecret>);

fn state(store: &mut MemoryStore, id: JobId) -> JobState {
    const READABLE: &str = "memory is read";
    (
        store.job(id).expect(READABLE),
        store.files(id, FileIndex(0), usize::MAX).expect(READABLE),
        store.secrets(id).expect(READABLE),
    )
}

impl Shared {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        // What the turn before has left to write.
        if let Some(late) = self.rows.late.take() {
            self.rows.lasting = late;
        }
        if batch.is_empty() {
            return Ok(());
        }
        let gone = || StoreError::Io { doing: "written", reason: "the service was killed".to_owned() };
        if self.step() {
            if self.mutation == Some(Mutation::HalfACommit) {
                let half = Batch { files: Vec::new(), ..batch.clone() };
                _ = self.rows.lasting.commit(&half);
                _ = self.rows.live.commit(batch);
            }
            return Err(gone());
        }
        if self.rows.is_full {
            self.faults_met += 1;
            self.rows.failed_at = self.now;
            return Err(StoreError::Full);
        }
        if self.rows.commits_to_fail > 0 {
            self.rows.commits_to_fail -= 1;
            self.rows.failed_at = self.now;
            self.faults_met += 1;
            return Err(StoreError::Io { doing: "written", reason: "the disk does not answer".to_owned() });
        }
        self.look_at(batch);
        let forgiving;
        let batch = match self.mutation {
            Some(Mutation::LiarForgiven) => {
                forgiving = forgiven(batch.clone());
                &forgiving
            }
            _ => batch,
        };
        self.rows.live.commit(batch)?;
        if self.mutation == Some(Mutation::CommitAfterAct) {
            self.rows.late = Some(self.rows.live.clone());
        } else {
            self.rows.lasting = self.rows.live.clone();
        }
        self.look_at_names(batch);
        if self.step() { Err(gone()) } else { Ok(()) }
    }

    fn look_at(&mut self, batch: &Batch) {
        let now = self.now;
        self.judge.batch(batch, now);
        if self.rows.is_starting {
            for change in &batch.jobs {
                let was = self.rows.live.job(change.job.id).expect("memory is read");
                let goes_on = was.is_some_and(|was| {
                    let (state, revision) = (change.job.state, change.job.revision);
                    // How long it ran is counted when it runs no more.
                    let (running_since, ran_for) = (None, change.job.ran_for);
                    let expected = Job { state, revision, running_since, ran_for, ..was.clone() };
                    was.state.is_running() && change.job == expected
                });
                if !goes_on {
                    self.judge.broken(Promise::P8, now, || {
                        format!("{} was changed by the start of a service", change.job.id)
                    });
                }
            }
        }
        self.look_at_waits(batch);
        self.look_at_notices(batch);
        self.look_at_filled(batch);
        self.look_at_liars(batch);
        for (job, change) in &batch.files {
            let (index, upto) = match change {
                FileChange::Durable { index, upto } => (*index, *upto),
                FileChange::Transferred { index, size } | FileChange::Whole { index, size, .. } => {
                    (*index, *size)
                }
                _ => continue,
            };
            let file = self.rows.live.peek_file(*job, index);
            let name =
                file.map(|file| temporary_name(*job, file.index, &file.local_name)).unwrap_or_default();
            let lasts = self.disk.lasting(&name).map(|content| content.len());
            let is_there = lasts.is_some_and(|lasts| lasts >= upto.0);
            if !is_there && !self.judge.harmed.contains(&name) {
                self.judge.broken(Promise::P2, now, || {
                    format!("{upto} of {name} are recorded, and {lasts:?} are on the disk")
                });
            }
        }
    }

    /// What is said to be there of a file on demand would survive a power cut, in its place, and is of
    /// one version.
    fn look_at_filled(&mut self, batch: &Batch) {
        let now = self.now;
        for (job, change) in &batch.files {
            let FileChange::Filled { index, filled } = change else { continue };
            let Some(file) = self.rows.live.peek_file(*job, *index) else { continue };
            let name = temporary_name(*job, file.index, &file.local_name);
            if filled.spans().is_empty() || self.judge.harmed.contains(&name) {
                continue;
            }
            let nothing = Extents::default();
            let lasts = self.disk.lasting(&name).unwrap_or(&nothing);
            let is_source = |name: &RemoteName| {
                *name == file.remote_name
                    || file.sources.mirrors.iter().any(|mirror| mirror.remote_name == *name)
            };
            // And where the same is under another name, by which the owner may have called it before.
            let is_twin_of_one = |at: usize| {
                let twins = self.resources.iter().filter(|place| is_source(&place.name));
                twins.map(|place| place.twin).any(|twin| twin == Some(at))
            };
            let leads_to_one =
                |twin: Option<usize>| twin.is_some_and(|twin| is_source(&self.resources[twin].name));
            let has_lied = self.resources.iter().enumerate().any(|(at, place)| {
                let is_one = is_source(&place.name) || leads_to_one(place.twin) || is_twin_of_one(at);
                place.has_lied && is_one
            });
            // By a checksum it shows in the end; what several places send at a time may be tied together by that
            // of the server, too.
            let is_compared = match file.served.in_parts {
                true => file.checksum.is_some() || file.served.checksum.is_some(),
                false => file.resume_by == ResumeBy::Checksum && file.checksum.is_some(),
            };
            let mut version = None;
            for span in filled.spans() {
                let mut place = span.from.0;
                for part in lasts.slice(span.from.0, span.end.0).iter() {
                    let is_right = match part.source {
                        Source::Hole | Source::Before => break,
                        Source::Corrupt => has_lied,
                        Source::Version(_) => {
                            let is_one = *version.get_or_insert(part.source) == part.source;
                            part.at == place && (is_one || has_lied || is_compared)
                        }
                    };
                    if !is_right {
                        self.judge.broken(Promise::P4, now, || {
                            format!("{span:?} of {name} is recorded, and byte {place} is of {part:?}")
                        });
                    }
                    place += part.len;
                }
                if place < span.end.0 {
                    self.judge.broken(Promise::P2, now, || {
                        format!("{span:?} of {name} is recorded, and byte {place} is not on the disk")
                    });
                }
            }
        }
    }

    /// Nobody is said to have sent a wrong file who has, and had, the right one and nothing else.
    fn look_at_liars(&mut self, batch: &Batch) {
        let now = self.now;
        for (job, change) in &batch.files {
            let FileChange::Sources { index, sources } = change else { continue };
            let file = self.rows.live.peek_file(*job, *index);
            let Some(file) = file.filter(|file| !file.moved) else { continue };
            let place = |name: &RemoteName| self.resources.iter().find(|place| place.name == *name);
            let Some(original) = place(&file.remote_name) else { continue };
            let has_lied = |mirror: &&Mirror| {
                mirror.dropped.as_ref().is_some_and(|dropped| dropped.reason == DropReason::Lied)
            };
            let mut accused = sources.mirrors.iter().filter(has_lied);
            let is_right = |version: &Version| match &file.checksum {
                Some(given) => version.content().checksum() == *given,
                // What the original says of another version is no lie, and is not what this place has.
                None => original.versions.iter().all(|it| it.number == version.number),
            };
            let has_size = |version: &Version| file.sources.size.is_none_or(|size| size.0 == version.size);
            let is_honest = |place: &Resource| {
                !place.has_lied
                    && !place.has_misspoken
                    && !original.has_lied
                    && place.versions.iter().all(|version| is_right(version) && has_size(version))
            };
            if let Some(mirror) = accused.find(|mirror| place(&mirror.remote_name).is_some_and(is_honest)) {
                let name = mirror.remote_name.as_str().to_owned();
                self.judge.broken(Promise::Sources, now, || {
                    format!("{name} is said to have sent a wrong file {} of {job}, and has not", file.index.0)
                });
            }
        }
    }

    /// After the end of a service: what the next one would take for bytes of the version on record is of
    /// that version. Where the owner's checksum ties the bytes of several together, it shows in the end.
    pub(super) fn look_at_parts(&mut self) {
        let now = self.now;
        let Self { rows, judge, disk, resources, .. } = self;
        for (job, file) in rows.each_file() {
            let Some(validator) = &file.validator else { continue };
            // What another method than GET answers is forgotten when the next attempt begins.
            if rows.job(job).is_some_and(|job| !job.properties.http.method.is_default()) {
                continue;
            }
            let Some(wanted) = judge.wanted.get(file.local_name.as_str()) else { continue };
            let first = &resources[wanted.resource];
            let places = || [Some(first), first.twin.map(|twin| &resources[twin])].into_iter().flatten();
            let is_tied = !wanted.mirrors.is_empty() || file.resume_by == ResumeBy::Checksum;
            if is_tied || places().any(|place| place.has_lied) {
                continue;
            }
            let name = temporary_name(job, file.index, &file.local_name);
            let Some(found) = disk.find(&name).filter(|_| !judge.harmed.contains(&name)) else { continue };
            let is_same_boot = file.boot == Some(self.boot);
            let is_ours = !is_same_boot || file.partial.is_none_or(|made| made.inode == found.number());
            let content = disk.content(found);
            let parts = match wanted.is_on_demand {
                false if file.served.in_parts => spans(file),
                false if is_same_boot => vec![(0, content.len())],
                false => vec![(0, file.durable.0)],
                true => spans(file),
            };
            let counts = is_ours && content.len() >= file.durable.0.max(file.demand.filled.end().0);
            if !counts {
                continue;
            }
            let version = places().flat_map(|place| &place.versions).find(|it| it.is_told_by(validator));
            let Some(version) = version.map(|version| version.number) else { continue };
            let is_of_it = |(from, end): &(u64, u64)| {
                content.slice(*from, *end).iter().all(|part| part.source == Source::Version(version))
            };
            if !parts.iter().all(is_of_it) {
                judge.broken(Promise::P4, now, || {
                    format!("{name} is {content:?}, and {parts:?} of version {version} are on record")
                });
            }
        }
    }

    /// When nothing goes wrong, what has waited goes on when its time has come.
    fn look_at_waits(&mut self, batch: &Batch) {
        let Some(calm_since) = self.calm_since else { return };
        let (now, wall) = (self.now, self.wall());
        for change in &batch.jobs {
            let was = self.rows.live.peek(change.job.id).map(|was| was.state);
            let Some(State::TransientError { retry_at }) = was else { continue };
            let late = wall.since(retry_at.max(calm_since));
            if late > WAKE_WITHIN && change.job.state.is_active() {
                self.judge.broken(Promise::Rest, now, || {
                    format!("{} went on {late:?} after its time had come", change.job.id)
                });
            }
        }
    }

    /// Files that are recorded as being under their names are there, for good.
    fn look_at_names(&mut self, batch: &Batch) {
        for (job, change) in &batch.files {
            let FileChange::Completed { index } = change else { continue };
            let Some(file) = self.rows.live.peek_file(*job, *index) else { continue };
            let name = file.local_name.as_str();
            let now = self.now;
            match self.disk.lasting(name) {
                Some(content) => self.judge.name(name, content, &self.resources, now),
                None => self.judge.broken(Promise::P1, now, || {
                    format!("{name} is recorded as complete, and its name does not last")
                }),
            }
        }
    }
}

/// What is on record of a file that has not come in order.
fn spans(file: &File) -> Vec<(u64, u64)> {
    file.demand.filled.spans().iter().map(|span| (span.from.0, span.end.0)).collect()
}

/// Without the names of those who have sent wrong files; a mistake that can be switched on.
fn forgiven(mut batch: Batch) -> Batch {
    for (_, change) in &mut batch.files {
        if let FileChange::Sources { sources, .. } = change {
            sources.mirrors.iter_mut().for_each(|mirror| mirror.dropped = None);
        }
    }
    batch
}

/// The store as a service has it.
#[derive(Debug)]
pub(super) struct SimStore(pub(super) Surroundings);

impl Store for SimStore {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.lock().commit(batch)
    }
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.0.lock().rows.live.job(id)
    }
    fn progress(&mut self, id: JobId) -> Result<Progress, StoreError> {
        self.0.lock().rows.live.progress(id)
    }
    fn files(&mut self, id: JobId, from: FileIndex, limit: usize) -> Result<Vec<File>, StoreError> {
        self.0.lock().rows.live.files(id, from, limit)
    }
    fn destinations_taken(
        &mut self,
        id: JobId,
        wanted: &[DestinationTag],
    ) -> Result<Vec<DestinationTag>, StoreError> {
        self.0.lock().rows.live.destinations_taken(id, wanted)
    }
    fn secrets(&mut self, id: JobId) -> Result<Vec<SealedSecret>, StoreError> {
        self.0.lock().rows.live.secrets(id)
    }
    fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        let mut shared = self.0.lock();
        if shared.mutation == Some(Mutation::ListOfEverybody) {
            let mut all = Page::default();
            for owner in 0..shared.owners {
                let filter = Filter { owner: Owner(owner), ..filter.clone() };
                all.jobs.extend(shared.rows.live.list(&filter, after, limit)?.jobs);
            }
            return Ok(all);
        }
        shared.rows.live.list(filter, after, limit)
    }
    fn everybody(&mut self) -> Result<Vec<Owner>, StoreError> {
        self.0.lock().rows.live.everybody()
    }
    fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError> {
        self.0.lock().rows.live.counts(owner)
    }
    fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError> {
        let mut shared = self.0.lock();
        if shared.mutation == Some(Mutation::NoticeDropped) {
            return shared.rows.live.unfinished(&mut |mut job| {
                if !job.state.is_running() {
                    job.outbox = Outbox::default();
                }
                each(job);
            });
        }
        shared.rows.live.unfinished(each)
    }
    fn queued(&mut self, after: Option<QueuedPlace>, limit: usize) -> Result<Vec<QueuedJob>, StoreError> {
        self.0.lock().rows.live.queued(after, limit)
    }
    fn retrying(&mut self, after: Option<Cursor>, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.0.lock().rows.live.retrying(after, limit)
    }
    fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let mut shared = self.0.lock();
        if shared.step() {
            return Ok(0);
        }
        let forgotten = shared.rows.live.forget_final(before)?;
        shared.rows.lasting.forget_final(before)?;
        Ok(forgotten)
    }
    fn owners(&mut self, each: &mut dyn FnMut(Owner, u32)) -> Result<(), StoreError> {
        self.0.lock().rows.live.owners(each)
    }
    fn live(&mut self, after: Option<JobId>, limit: usize) -> Result<Vec<JobId>, StoreError> {
        self.0.lock().rows.live.live(after, limit)
    }
    fn inactive(
        &mut self,
        until: Timestamp,
        after: Option<(Timestamp, JobId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        self.0.lock().rows.live.inactive(until, after, limit)
    }
    fn sealing_key(&mut self) -> Result<Option<SealingKey>, StoreError> {
        self.0.lock().rows.live.sealing_key()
    }
    fn has_secrets(&mut self) -> Result<bool, StoreError> {
        self.0.lock().rows.live.has_secrets()
    }
    fn rekey(&mut self, key: SealingKey, rewrap: &mut Rewrap<'_>) -> Result<(), RekeyError> {
        self.0.lock().rows.live.rekey(key, rewrap)
    }
}
