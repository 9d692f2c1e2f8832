//! The file that is coming in a simulated world: its body, its partial file, and what is under way
//! between them.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use bits_core::error::{Code, JobError};
use bits_core::file::{File, PartialId};
use bits_core::time::Timestamp;
use bits_core::transfer::{DemandPlan, DownloadPlan, Found, Plan};
use bits_core::units::Bytes;
use bits_worker::link::temporary_name;

use super::closing::{disk_full, exists, local_error};
use super::disk::{InodeId, Mark};
use super::extents::Extents;
use super::lanes::{Lanes, News};
use super::mutations::Mutation;
use super::scenario::{Millis, SECOND, Trap};
use super::stream::Stream;
use super::worker::{Floor, Moved};

/// As the worker's settings have it: how long nothing may come.
pub(super) const IDLE_TIMEOUT: Millis = 60 * SECOND;
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
    pub(super) stream: Stream,
    /// What comes beside that.
    pub(super) lanes: Lanes,
    /// Whether the partial file was looked for.
    pub(super) is_open: bool,
    is_named: bool,
    /// Of a small file, which is kept until all of it is there.
    pub(super) content: Extents,
    pub(super) syncing: Option<(u64, Mark)>,
    pub(super) timer: Option<Timestamp>,
}

impl Current {
    pub(super) fn new(file: File, plan: CurrentPlan, stream: Stream) -> Self {
        Self {
            file,
            plan,
            stream,
            lanes: Lanes::default(),
            is_open: false,
            is_named: false,
            content: Extents::default(),
            syncing: None,
            timer: None,
        }
    }

    /// Looks for the partial file.
    pub(super) fn open(&mut self, floor: &mut Floor<'_>) -> Result<Option<Found>, JobError> {
        let disk = &floor.shared.disk;
        if self.file.no_clobber && disk.find(self.file.local_name.as_str()).is_some() {
            return Err(exists(self.file.index));
        }
        self.stream.partial = disk.find(&self.name());
        Ok(self.stream.partial.map(|partial| Found {
            length: Bytes(disk.content(partial).len()),
            partial: partial_id(partial),
        }))
    }

    /// What the partial file is called.
    fn name(&self) -> String {
        temporary_name(self.stream.job, self.file.index, &self.file.local_name)
    }

    pub(super) fn cut(&mut self, to: Bytes, size: Option<Bytes>, sum: bool, floor: &mut Floor<'_>) {
        let shared = &mut *floor.shared;
        if shared.step() {
            return;
        }
        let found = self.stream.partial;
        if shared.disk.is_full && (found.is_none() || size > Some(to)) {
            shared.faults_met += 1;
            return self.plan.refused(disk_full(self.file.index));
        }
        let partial = found.unwrap_or_else(|| shared.disk.create(&self.name()));
        self.stream.partial = Some(partial);
        if shared.mutation != Some(Mutation::OldBytesKept) {
            shared.disk.truncate(partial, to.0);
        }
        self.stream.place = to.0;
        if sum {
            self.stream.tally = Some(Extents::default());
        }
        self.plan.cut(partial_id(partial));
    }

    /// What comes next belongs elsewhere.
    pub(super) fn seek(&mut self, to: Bytes, floor: &Floor<'_>) {
        let Stream { writing, buffered, place, .. } = &mut self.stream;
        assert!(writing.is_none() && buffered.len() == 0, "what was to be written is");
        if floor.shared.mutation != Some(Mutation::RangeMisplaced) {
            *place = to.0;
        }
    }

    /// Takes what has come; false when something must be waited for.
    pub(super) fn receive(
        &mut self,
        max: Option<Bytes>,
        wake: Option<Timestamp>,
        floor: &mut Floor<'_>,
    ) -> bool {
        let gathered = self.plan.is_gathering().then_some(&mut self.content);
        let goes_on = self.stream.receive(&mut *self.plan, max, gathered, floor);
        if !goes_on {
            self.wake(wake, floor);
        }
        goes_on
    }

    pub(super) fn wake(&mut self, wake: Option<Timestamp>, floor: &mut Floor<'_>) {
        // An earlier one that is under way will look again.
        let soonest = floor.time() + Duration::from_millis(1);
        let wake = wake.map(|wake| wake.max(soonest));
        let is_sooner = |wake: &Timestamp| self.timer.is_none_or(|timer| *wake < timer);
        let Some(wake) = wake.filter(is_sooner) else { return };
        self.timer = Some(wake);
        let after = wake.0 - floor.time().0;
        floor.later(after, self.stream.job, self.stream.stamp, Moved::Time);
    }

    /// Tells the plan one thing that a part has said, if there is one.
    pub(super) fn hears_of_parts(&mut self) -> bool {
        match self.lanes.news() {
            Some(News::Written(id, upto)) => self.plan.part_written(id, upto),
            Some(News::Ended(id, ended)) => self.plan.part_ended(id, ended.0, ended.1),
            Some(News::Note) => {}
            None => return false,
        }
        true
    }

    pub(super) fn synced(&mut self, now: Timestamp, floor: &mut Floor<'_>) {
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
            Some(Mutation::PartBeforeSync) => self.lanes.any,
            _ => false,
        };
        if !is_mistaken {
            shared.disk.sync(self.stream.partial.expect("what is synced is there"), mark);
        }
        shared.passes(Trap::Sync);
        if shared.step() {
            return;
        }
        if !std::mem::replace(&mut self.is_named, true) {
            shared.disk.sync_folder_of(&self.name());
        }
        self.plan.synced(Bytes(upto), now);
    }
}

fn partial_id(partial: InodeId) -> PartialId {
    PartialId { device: 1, inode: partial.number() }
}
