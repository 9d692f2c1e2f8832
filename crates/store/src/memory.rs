//! A store that forgets everything when it goes: for tests of what stands on a store.
//!
//! It says what is right as plainly as it can, so that others can be compared with it. It is not
//! quick: a list looks at every job.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bits_core::credentials::SecretSlot;
use bits_core::demand::Filled;
use bits_core::file::{DestinationTag, File, FileIndex, Served, Stage};
use bits_core::job::{Job, JobId, Owner, Progress, State};
use bits_core::ports::{
    Batch, Cursor, FileChange, Filter, ID_START_MIN, JobChange, Page, QueuedJob, QueuedPlace, RekeyError,
    Rewrap, SealedSecret, SealingKey, SecretChange, StateName, Store, StoreError,
};
use bits_core::time::Timestamp;
use bits_core::units::Bytes;

use crate::rows::some_validator;

/// A store in memory.
#[derive(Debug, Default, Clone)]
pub struct MemoryStore {
    /// Shared with copies of the store, but for what either has changed since.
    jobs: BTreeMap<JobId, Arc<Entry>>,
    key: Option<SealingKey>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    job: Job,
    /// Both are shared with the entry that a batch has changed, but for what it has changed itself.
    files: Arc<BTreeMap<FileIndex, Arc<File>>>,
    secrets: Arc<BTreeMap<SecretSlot, Vec<u8>>>,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// A job, without a copy of it.
    pub fn peek(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|entry| &entry.job)
    }

    /// A file, without a copy of it.
    pub fn peek_file(&self, id: JobId, index: FileIndex) -> Option<&File> {
        self.jobs.get(&id).and_then(|entry| entry.files.get(&index)).map(Arc::as_ref)
    }

    /// All jobs, the final ones too, in the order of their ids.
    pub fn each(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().map(|entry| &entry.job)
    }

    /// All files of a job, in their order.
    pub fn each_file(&self, id: JobId) -> impl Iterator<Item = &File> {
        self.jobs.get(&id).into_iter().flat_map(|entry| entry.files.values().map(Arc::as_ref))
    }

    /// A job that is not the same, with all of its files and secrets, in `other`.
    pub fn difference(&self, other: &Self) -> Option<JobId> {
        let is_same = |id: &JobId| match (self.jobs.get(id), other.jobs.get(id)) {
            (Some(this), Some(that)) => Arc::ptr_eq(this, that) || this == that,
            _ => false,
        };
        self.jobs.keys().chain(other.jobs.keys()).find(|id| !is_same(id)).copied()
    }

    fn live_jobs(&self) -> impl Iterator<Item = &Entry> {
        self.jobs.values().map(Arc::as_ref).filter(|entry| !entry.job.state.is_final())
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut draft = Draft { store: self, changed: BTreeMap::new() };
        for change in &batch.jobs {
            draft.put(change)?;
        }
        for (job, change) in &batch.files {
            draft.entry(*job)?.change_file(change)?;
        }
        for (job, change) in &batch.secrets {
            draft.change_secret(*job, change)?;
        }
        for mut entry in draft.changed.into_values() {
            if entry.job.state.is_final() {
                let keeps = !entry.job.outbox.pending.is_empty();
                if !entry.secrets.is_empty() {
                    Arc::make_mut(&mut entry.secrets).retain(|slot, _| keeps && *slot == SecretSlot::Webhook);
                }
            }
            self.jobs.insert(entry.job.id, Arc::new(entry));
        }
        Ok(())
    }

    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.jobs.get(&id).map(|entry| entry.job.clone()))
    }

    fn progress(&mut self, id: JobId) -> Result<Progress, StoreError> {
        Ok(self.jobs.get(&id).map_or(Progress::of([]), |entry| entry.progress()))
    }

    fn files(&mut self, id: JobId, from: FileIndex, limit: usize) -> Result<Vec<File>, StoreError> {
        let Some(entry) = self.jobs.get(&id) else { return Ok(Vec::new()) };
        Ok(entry.files.range(from..).take(limit).map(|(_, file)| File::clone(file)).collect())
    }

    fn destinations_taken(
        &mut self,
        id: JobId,
        wanted: &[DestinationTag],
    ) -> Result<Vec<DestinationTag>, StoreError> {
        let Some(entry) = self.jobs.get(&id) else { return Ok(Vec::new()) };
        let taken: BTreeSet<_> = entry.files.values().map(|file| file.destination).collect();
        Ok(wanted.iter().copied().filter(|tag| taken.contains(tag)).collect())
    }

    fn secrets(&mut self, id: JobId) -> Result<Vec<SealedSecret>, StoreError> {
        Ok(self.jobs.get(&id).map_or_else(Vec::new, |entry| entry.sealed()))
    }

    fn list(&mut self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        let place = |job: &Job| (job.times.created, job.id);
        let after = after.map(|cursor| (cursor.created, cursor.id));
        let mut fitting: Vec<_> = self
            .jobs
            .values()
            .filter(|entry| fits(&entry.job, filter) && after.is_none_or(|after| place(&entry.job) > after))
            .collect();
        fitting.sort_by_key(|entry| place(&entry.job));
        let jobs: Vec<_> =
            fitting.iter().take(limit).map(|entry| (entry.job.clone(), entry.progress())).collect();
        let next = match jobs.last() {
            Some((last, _)) if fitting.len() > limit => {
                Some(Cursor { created: last.times.created, id: last.id })
            }
            _ => None,
        };
        Ok(Page { jobs, next })
    }

    fn everybody(&mut self) -> Result<Vec<Owner>, StoreError> {
        let owners: BTreeSet<u32> = self.jobs.values().map(|entry| entry.job.owner.0).collect();
        Ok(owners.into_iter().map(Owner).collect())
    }

    fn counts(&mut self, owner: Owner) -> Result<Vec<(StateName, u64)>, StoreError> {
        let mut counts: BTreeMap<StateName, u64> = BTreeMap::new();
        for entry in self.live_jobs().filter(|entry| entry.job.owner == owner) {
            *counts.entry(entry.job.state.name()).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn unfinished(&mut self, each: &mut dyn FnMut(Job)) -> Result<(), StoreError> {
        let mut unfinished: Vec<_> =
            self.jobs.values().map(|entry| &entry.job).filter(is_unfinished).collect();
        unfinished.sort_by_key(|job| (job.times.created, job.id));
        unfinished.into_iter().for_each(|job| each(job.clone()));
        Ok(())
    }

    fn queued(&mut self, after: Option<QueuedPlace>, limit: usize) -> Result<Vec<QueuedJob>, StoreError> {
        let queued = self.jobs.values().filter(|entry| entry.job.state == State::Queued);
        let mut queued: Vec<_> = queued.map(|entry| QueuedJob::from(&entry.job)).collect();
        queued.retain(|job| after.is_none_or(|after| job.place() > after));
        queued.sort_unstable_by_key(QueuedJob::place);
        queued.truncate(limit);
        Ok(queued)
    }

    fn retrying(&mut self, after: Option<Cursor>, limit: usize) -> Result<Vec<Job>, StoreError> {
        let after = after.map(|cursor| (cursor.created, cursor.id));
        let jobs = self.jobs.values().map(|entry| &entry.job);
        let waits = |job: &&Job| matches!(job.state, State::TransientError { .. });
        let place = |job: &Job| (job.times.created, job.id);
        let mut retrying: Vec<_> =
            jobs.filter(waits).filter(|job| after.is_none_or(|after| place(job) > after)).collect();
        retrying.sort_unstable_by_key(|job| place(job));
        Ok(retrying.into_iter().take(limit).cloned().collect())
    }

    fn forget_final(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let had = self.jobs.len();
        self.jobs.retain(|_, entry| {
            let job = &entry.job;
            let keeps = job.discard_pending || !job.outbox.pending.is_empty();
            !job.state.is_final() || keeps || job.times.modified >= before
        });
        Ok((had - self.jobs.len()) as u64)
    }

    fn owners(&mut self, each: &mut dyn FnMut(Owner, u32)) -> Result<(), StoreError> {
        let mut owners: BTreeMap<Owner, u32> = BTreeMap::new();
        self.live_jobs().for_each(|entry| *owners.entry(entry.job.owner).or_default() += 1);
        owners.into_iter().for_each(|(owner, jobs)| each(owner, jobs));
        Ok(())
    }

    fn live(&mut self, after: Option<JobId>, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let has_stamps =
            |entry: &&Arc<Entry>| !entry.job.state.is_final() || !entry.job.outbox.pending.is_empty();
        let ids = self.jobs.values().filter(has_stamps).map(|entry| entry.job.id);
        let mut ids: Vec<_> = ids.filter(|id| after.is_none_or(|after| id.place() > after.place())).collect();
        ids.sort_unstable_by_key(|id| id.place());
        ids.truncate(limit);
        Ok(ids)
    }

    fn inactive(
        &mut self,
        until: Timestamp,
        after: Option<(Timestamp, JobId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        let places = self.live_jobs().map(|entry| (entry.job.active_at, entry.job.id));
        let fits = |place: &(Timestamp, JobId)| place.0 <= until && after.is_none_or(|after| *place > after);
        let mut inactive: Vec<_> = places.filter(fits).collect();
        inactive.sort_unstable();
        inactive.truncate(limit);
        Ok(inactive)
    }

    fn sealing_key(&mut self) -> Result<Option<SealingKey>, StoreError> {
        Ok(self.key)
    }

    fn has_secrets(&mut self) -> Result<bool, StoreError> {
        Ok(self.jobs.values().any(|entry| !entry.secrets.is_empty()))
    }

    fn rekey(&mut self, key: SealingKey, rewrap: &mut Rewrap<'_>) -> Result<(), RekeyError> {
        let mut rewrapped = Vec::new();
        for (id, entry) in &self.jobs {
            for sealed in entry.sealed() {
                let record = rewrap(*id, entry.job.owner, &sealed)
                    .map_err(|error| RekeyError::Seal { job: *id, error })?;
                rewrapped.push((*id, sealed.slot, record));
            }
        }
        for (id, place, record) in rewrapped {
            let entry = Arc::make_mut(self.jobs.get_mut(&id).expect("it was just there"));
            Arc::make_mut(&mut entry.secrets).insert(place, record);
        }
        self.key = Some(key);
        Ok(())
    }
}

fn is_unfinished(job: &&Job) -> bool {
    let was_asked = job.error.as_ref().is_some_and(|error| error.challenge.is_some());
    job.state.is_running()
        || job.discard_pending
        || !job.outbox.pending.is_empty()
        || (job.state == State::Queued && was_asked)
        || (job.state == State::Transferred && job.properties.complete_when_done)
}

fn fits(job: &Job, filter: &Filter) -> bool {
    let Filter { owner, state, called, challenged } = filter;
    let called_so = |called: &String| {
        let start = JobId::parse(called).map_or_else(|_| called.to_ascii_lowercase(), |id| id.to_string());
        let begins_so = called.len() >= ID_START_MIN && job.id.to_string().starts_with(&start);
        !job.state.is_final() && (job.properties.display_name == *called || begins_so)
    };
    job.owner == *owner
        && state.map_or(!job.state.is_final(), |state| job.state.name() == state)
        && called.as_ref().is_none_or(called_so)
        && (!challenged || job.error.as_ref().is_some_and(|error| error.challenge.is_some()))
}

/// What a batch has changed so far; dropped when it cannot go on.
struct Draft<'s> {
    store: &'s MemoryStore,
    changed: BTreeMap<JobId, Entry>,
}

impl Draft<'_> {
    fn put(&mut self, JobChange { job, was }: &JobChange) -> Result<(), StoreError> {
        let is = self.get(job.id).map(|entry| entry.job.revision);
        if is != *was {
            return Err(StoreError::Stale(job.id));
        }
        match was {
            Some(_) => {
                let Entry { files, secrets, .. } = self.get(job.id).expect("it has a revision");
                let (files, secrets) = (Arc::clone(files), Arc::clone(secrets));
                self.changed.insert(job.id, Entry { job: job.clone(), files, secrets });
            }
            None => {
                let (files, secrets) = (Arc::default(), Arc::default());
                self.changed.insert(job.id, Entry { job: job.clone(), files, secrets });
            }
        }
        Ok(())
    }

    fn change_secret(&mut self, id: JobId, change: &SecretChange) -> Result<(), StoreError> {
        match change {
            SecretChange::Set(SealedSecret { slot, record }) => {
                let secrets = Arc::make_mut(&mut self.entry(id)?.secrets);
                // The name of a header is kept as it was given last.
                secrets.remove(slot);
                secrets.insert(slot.clone(), record.clone());
            }
            // What is not there is removed already.
            SecretChange::Remove(_)
            | SecretChange::RemoveHeaders
            | SecretChange::RemoveAllButWebhook
            | SecretChange::RemoveAll
                if self.get(id).is_none() => {}
            SecretChange::Remove(slot) => {
                Arc::make_mut(&mut self.entry(id)?.secrets).remove(slot);
            }
            SecretChange::RemoveHeaders => {
                let secrets = Arc::make_mut(&mut self.entry(id)?.secrets);
                secrets.retain(|slot, _| !matches!(slot, SecretSlot::Header(_)));
            }
            SecretChange::RemoveAllButWebhook => {
                let secrets = Arc::make_mut(&mut self.entry(id)?.secrets);
                secrets.retain(|slot, _| *slot == SecretSlot::Webhook);
            }
            SecretChange::RemoveAll => self.entry(id)?.secrets = Arc::default(),
        }
        Ok(())
    }

    fn get(&self, id: JobId) -> Option<&Entry> {
        self.changed.get(&id).or_else(|| self.store.jobs.get(&id).map(Arc::as_ref))
    }

    fn entry(&mut self, id: JobId) -> Result<&mut Entry, StoreError> {
        match self.changed.entry(id) {
            btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            btree_map::Entry::Vacant(place) => {
                let entry =
                    self.store.jobs.get(&id).ok_or_else(|| StoreError::Corrupt {
                        reason: format!("the job {id} is not there"),
                    })?;
                Ok(place.insert(Entry::clone(entry)))
            }
        }
    }
}

impl Entry {
    fn sealed(&self) -> Vec<SealedSecret> {
        let sealed = |(slot, record): (&SecretSlot, &Vec<u8>)| SealedSecret {
            slot: slot.clone(),
            record: record.clone(),
        };
        self.secrets.iter().map(sealed).collect()
    }

    fn progress(&self) -> Progress {
        Progress::of(self.files.values().map(Arc::as_ref))
    }

    fn change_file(&mut self, change: &FileChange) -> Result<(), StoreError> {
        let index = match change {
            FileChange::Add(file) if self.files.contains_key(&file.index) => {
                return Err(self.wrong(file.index, "is there already"));
            }
            FileChange::Add(file) => {
                let validator = file.validator.clone().and_then(some_validator);
                Arc::make_mut(&mut self.files)
                    .insert(file.index, Arc::new(File { validator, ..file.clone() }));
                return Ok(());
            }
            FileChange::TryAgain => {
                for file in Arc::make_mut(&mut self.files).values_mut() {
                    Arc::make_mut(file).error = None;
                }
                return Ok(());
            }
            FileChange::Version { index, .. }
            | FileChange::Headers { index, .. }
            | FileChange::Sources { index, .. }
            | FileChange::RemoteName { index, .. }
            | FileChange::PassedOver { index, .. }
            | FileChange::Valid { index }
            | FileChange::Lost { index }
            | FileChange::Durable { index, .. }
            | FileChange::Requested { index, .. }
            | FileChange::Position { index, .. }
            | FileChange::Withdrawn { index, .. }
            | FileChange::Filled { index, .. }
            | FileChange::Transferred { index, .. }
            | FileChange::Whole { index, .. }
            | FileChange::Completed { index } => *index,
        };
        if !self.files.contains_key(&index) {
            return Err(self.wrong(index, "is not there"));
        }
        let file = Arc::make_mut(&mut self.files).get_mut(&index).expect("it was just there");
        let file = Arc::make_mut(file);
        match change.clone() {
            FileChange::Add(_) | FileChange::TryAgain => unreachable!("dealt with above"),
            FileChange::Version { size, validator, served, boot, partial, .. } => {
                file.size = size;
                file.validator = some_validator(validator);
                file.served = served;
                file.boot = Some(boot);
                file.partial = Some(partial);
                file.moved = false;
                file.durable = Bytes::ZERO;
                file.demand.filled = Filled::NOTHING;
            }
            FileChange::Headers { headers, .. } => file.served.headers = headers,
            FileChange::Sources { sources, .. } => file.sources = sources,
            FileChange::RemoteName { remote_name, moved, .. } => {
                file.remote_name = remote_name;
                file.moved |= moved;
            }
            FileChange::PassedOver { error, .. } => file.error = Some(error),
            FileChange::Lost { .. } => {
                file.size = None;
                file.validator = None;
                file.served = Served::default();
                file.boot = None;
                file.partial = None;
                file.durable = Bytes::ZERO;
                file.moved = false;
                file.demand.filled = Filled::NOTHING;
                file.stage = Stage::Waiting;
                file.valid = false;
            }
            FileChange::Durable { upto, .. } => file.durable = file.durable.max(upto),
            FileChange::Requested { ranges, .. } => file.demand.requested.extend(ranges),
            FileChange::Position { position, .. } => file.demand.position = Some(position),
            FileChange::Withdrawn { beyond, .. } => file.demand.withdraw(beyond),
            FileChange::Filled { filled, .. } => {
                file.durable = filled.total();
                file.demand.has(filled, file.size);
            }
            FileChange::Transferred { size, .. } => {
                file.size = Some(size);
                file.durable = size;
                file.stage = Stage::Transferred;
            }
            FileChange::Whole { size, validator, served, boot, .. } => {
                file.size = Some(size);
                file.validator = some_validator(validator);
                file.served = served;
                file.partial = None;
                file.moved = false;
                file.boot = Some(boot);
                file.durable = size;
                file.stage = Stage::Transferred;
            }
            FileChange::Completed { .. } => file.stage = Stage::Completed,
            FileChange::Valid { .. } => file.valid = file.stage != Stage::Waiting,
        }
        Ok(())
    }

    fn wrong(&self, index: FileIndex, what: &str) -> StoreError {
        StoreError::Corrupt { reason: format!("file {} of the job {} {what}", index.0, self.job.id) }
    }
}
