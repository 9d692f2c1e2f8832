//! The file that is coming in a simulated world: its body, its partial file, and what is under way
//! between them.

use std::ops::{Deref, DerefMut};

use bits_core::error::{Code, JobError};
use bits_core::file::{File, PartialId};
use bits_core::job::JobId;
use bits_core::time::Timestamp;
use bits_core::transfer::{
    BodyEnd, DemandPlan, DownloadPlan, Fetch, Found, Plan, TransportError, TransportFault,
};
use bits_core::units::Bytes;
use bits_worker::link::temporary_name;

use super::closing::{disk_full, exists, local_error};
use super::disk::{InodeId, Mark};
use super::extents::Extents;
use super::mutations::Mutation;
use super::scenario::{Millis, SECOND, Trap};
use super::servers::{Body, Ending};
use super::worker::{Floor, Moved, Stamp};

/// As the worker's settings have it: how long nothing may come.
pub(super) const IDLE_TIMEOUT: Millis = 60 * SECOND;
/// Bytes that may wait to be written.
const BUFFER_BYTES: u64 = 256 * 1024;

/// Whoever decides how a file comes.
#[derive(Debug)]
pub(super) enum CurrentPlan {
    Whole(Box<DownloadPlan>),
    /// By ranges, as they are asked for.
    Parts(Box<DemandPlan>),
}

impl CurrentPlan {
    pub(super) fn is_gathering(&self) -> bool {
        matches!(self, Self::Whole(plan) if plan.is_gathering())
    }
}

impl Deref for CurrentPlan {
    type Target = dyn Plan;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Whole(plan) => &**plan,
            Self::Parts(plan) => &**plan,
        }
    }
}

impl DerefMut for CurrentPlan {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Whole(plan) => &mut **plan,
            Self::Parts(plan) => &mut **plan,
        }
    }
}

/// The file that is coming.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) file: File,
    pub(super) plan: CurrentPlan,
    pub(super) stamp: Stamp,
    /// Whether the partial file was looked for.
    pub(super) is_open: bool,
    pub(super) partial: Option<InodeId>,
    pub(super) is_named: bool,
    pub(super) tally: Option<Extents>,
    pub(super) place: u64,
    pub(super) fetch: Option<Fetch>,
    pub(super) body: Option<Body>,
    pub(super) body_stamp: Stamp,
    /// Bytes that have come and were not taken.
    pub(super) ready: u64,
    pub(super) is_coming: bool,
    /// Whether bytes are written as they are received.
    pub(super) pours: bool,
    pub(super) content: Extents,
    pub(super) buffered: Extents,
    pub(super) writing: Option<Extents>,
    pub(super) syncing: Option<(u64, Mark)>,
    pub(super) timer: Option<Timestamp>,
}

impl Current {
    pub(super) fn new(file: File, plan: CurrentPlan, (stamp, body_stamp): (Stamp, Stamp)) -> Self {
        Self {
            file,
            plan,
            stamp,
            is_open: false,
            partial: None,
            is_named: false,
            tally: None,
            place: 0,
            fetch: None,
            body: None,
            body_stamp,
            ready: 0,
            is_coming: false,
            pours: false,
            content: Extents::default(),
            buffered: Extents::default(),
            writing: None,
            syncing: None,
            timer: None,
        }
    }

    /// Looks for the partial file.
    pub(super) fn open(&mut self, job: JobId, floor: &mut Floor<'_>) -> Result<Option<Found>, JobError> {
        let disk = &floor.shared.disk;
        if self.file.no_clobber && disk.find(self.file.local_name.as_str()).is_some() {
            return Err(exists(self.file.index));
        }
        self.partial = disk.find(&temporary_name(job, self.file.index, &self.file.local_name));
        Ok(self.partial.map(|partial| Found {
            length: Bytes(disk.content(partial).len()),
            partial: partial_id(partial),
        }))
    }

    pub(super) fn cut(
        &mut self,
        job: JobId,
        to: Bytes,
        size: Option<Bytes>,
        sum: bool,
        floor: &mut Floor<'_>,
    ) {
        let shared = &mut *floor.shared;
        if shared.step() {
            return;
        }
        if shared.disk.is_full && (self.partial.is_none() || size > Some(to)) {
            shared.faults_met += 1;
            return self.plan.refused(disk_full(self.file.index));
        }
        let name = || temporary_name(job, self.file.index, &self.file.local_name);
        let partial = *self.partial.get_or_insert_with(|| shared.disk.create(&name()));
        if shared.mutation != Some(Mutation::OldBytesKept) {
            shared.disk.truncate(partial, to.0);
        }
        self.place = to.0;
        if sum {
            self.tally = Some(Extents::default());
        }
        self.plan.cut(partial_id(partial));
    }

    /// The body is given up; `stamp` is of what comes next.
    pub(super) fn leave(&mut self, stamp: Stamp) {
        self.body = None;
        self.ready = 0;
        self.is_coming = false;
        self.body_stamp = stamp;
    }

    /// What comes next belongs elsewhere.
    pub(super) fn seek(&mut self, to: Bytes, floor: &Floor<'_>) {
        assert!(self.writing.is_none() && self.buffered.len() == 0, "what was to be written is");
        if floor.shared.mutation != Some(Mutation::RangeMisplaced) {
            self.place = to.0;
        }
    }

    /// Takes what has come; false when something must be waited for.
    pub(super) fn receive(
        &mut self,
        job: JobId,
        max: Option<Bytes>,
        wake: Option<Timestamp>,
        floor: &mut Floor<'_>,
    ) -> bool {
        let body = self.body.as_mut().expect("an answer has a body");
        let count = max.map_or(self.ready, |max| self.ready.min(max.0));
        let is_full = self.buffered.len() >= BUFFER_BYTES && self.writing.is_some();
        if count > 0 && !is_full {
            self.ready -= count;
            let bytes = body.take(count);
            self.take_in(job, &bytes, floor);
            return true;
        }
        if is_full {
            return false;
        }
        if body.left() == 0 {
            let broken = |fault| TransportError { fault, message: "the connection broke".to_owned() };
            match body.ending {
                Ending::Complete => self.plan.ended(BodyEnd::Complete),
                Ending::Closed => self.plan.ended(BodyEnd::Closed),
                Ending::Broken => self.plan.failed(broken(TransportFault::Aborted)),
                Ending::Silence => {
                    if !std::mem::replace(&mut self.is_coming, true) {
                        let error = Moved::Failed(broken(TransportFault::TimedOut));
                        floor.later(IDLE_TIMEOUT, job, self.body_stamp, error);
                    }
                    self.wake(job, wake, floor);
                    return false;
                }
            }
            return true;
        }
        if !std::mem::replace(&mut self.is_coming, true) {
            let (count, after) = body.next_chunk(&mut floor.shared.random);
            floor.later(after, job, self.body_stamp, Moved::Chunk(count));
        }
        self.wake(job, wake, floor);
        false
    }

    fn wake(&mut self, job: JobId, wake: Option<Timestamp>, floor: &mut Floor<'_>) {
        let Some(wake) = wake.filter(|wake| self.timer != Some(*wake)) else { return };
        self.timer = Some(wake);
        let after = wake.0.saturating_sub(floor.time().0);
        floor.later(after.max(1), job, self.stamp, Moved::Time);
    }

    fn take_in(&mut self, job: JobId, bytes: &Extents, floor: &mut Floor<'_>) {
        let count = Bytes(bytes.len());
        if self.plan.is_gathering() {
            self.content.append(bytes);
            self.plan.received(count);
        } else if self.pours {
            if floor.shared.step() {
                return;
            }
            match self.put(bytes, floor) {
                Ok(()) => {
                    self.plan.received(count);
                    self.plan.written(count);
                }
                Err(error) => self.plan.refused(error),
            }
        } else {
            self.buffered.append(bytes);
            self.plan.received(count);
            self.start_write(job, floor);
        }
    }

    /// Writes `bytes` behind what was written before.
    fn put(&mut self, bytes: &Extents, floor: &mut Floor<'_>) -> Result<(), JobError> {
        if floor.shared.disk.is_full {
            floor.shared.faults_met += 1;
            return Err(disk_full(self.file.index));
        }
        let partial = self.partial.expect("the partial file is made before it is written");
        floor.shared.disk.write(partial, self.place, bytes);
        floor.shared.passes(Trap::Write);
        self.place += bytes.len();
        if let Some(tally) = &mut self.tally {
            tally.append(bytes);
        }
        Ok(())
    }

    pub(super) fn start_write(&mut self, job: JobId, floor: &mut Floor<'_>) {
        if self.writing.is_none() && self.buffered.len() > 0 {
            self.writing = Some(std::mem::take(&mut self.buffered));
            let after = floor.between(1, 30);
            floor.later(after, job, self.stamp, Moved::Written);
        }
    }

    pub(super) fn written(&mut self, floor: &mut Floor<'_>) {
        let Some(bytes) = self.writing.take() else { return };
        if floor.shared.step() {
            self.writing = Some(bytes);
            return;
        }
        match self.put(&bytes, floor) {
            Ok(()) => self.plan.written(Bytes(bytes.len())),
            Err(error) => {
                self.buffered = Extents::default();
                self.plan.not_written(error);
            }
        }
    }

    pub(super) fn synced(&mut self, job: JobId, now: Timestamp, floor: &mut Floor<'_>) {
        let Some((upto, mark)) = self.syncing.take() else { return };
        let shared = &mut *floor.shared;
        if shared.step() {
            return;
        }
        if shared.syncs_to_fail > 0 {
            shared.syncs_to_fail -= 1;
            shared.faults_met += 1;
            let error = local_error(Code::IO_DEVICE, false, "the disk does not answer", self.file.index);
            return self.plan.not_synced(error);
        }
        let is_mistaken = match shared.mutation {
            Some(Mutation::OffsetBeforeSync) => true,
            Some(Mutation::FilledBeforeSync) => matches!(self.plan, CurrentPlan::Parts(_)),
            _ => false,
        };
        if !is_mistaken {
            shared.disk.sync(self.partial.expect("what is synced is there"), mark);
        }
        shared.passes(Trap::Sync);
        if shared.step() {
            return;
        }
        if !std::mem::replace(&mut self.is_named, true) {
            shared.disk.sync_folder_of(&temporary_name(job, self.file.index, &self.file.local_name));
        }
        self.plan.synced(Bytes(upto), now);
    }
}

fn partial_id(partial: InodeId) -> PartialId {
    PartialId { device: 1, inode: partial.number() }
}
