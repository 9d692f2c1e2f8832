//! Bytes on their way in a simulated world: what comes of an answer, and goes into the partial file.

use bits_core::error::JobError;
use bits_core::file::FileIndex;
use bits_core::job::JobId;
use bits_core::transfer::{BodyEnd, Fetch, Plan, TransportError, TransportFault};
use bits_core::units::Bytes;

use super::closing::disk_full;
use super::coming::IDLE_TIMEOUT;
use super::disk::InodeId;
use super::extents::Extents;
use super::scenario::Trap;
use super::servers::{Body, Ending};
use super::worker::{Floor, Moved, Stamp};

/// Bytes that may wait to be written.
const BUFFER_BYTES: u64 = 256 * 1024;

/// One connection, and where in the file it writes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) job: JobId,
    file: FileIndex,
    pub(super) stamp: Stamp,
    pub(super) partial: Option<InodeId>,
    pub(super) tally: Option<Extents>,
    pub(super) place: u64,
    pub(super) fetch: Option<Fetch>,
    pub(super) body: Option<Body>,
    pub(super) body_stamp: Stamp,
    /// Bytes that have come and were not taken.
    pub(super) ready: u64,
    pub(super) is_coming: bool,
    /// Whether bytes are written as they are received.
    pours: bool,
    pub(super) buffered: Extents,
    pub(super) writing: Option<Extents>,
}

impl Stream {
    pub(super) fn new(job: JobId, file: FileIndex, (stamp, body_stamp): (Stamp, Stamp), pours: bool) -> Self {
        Self {
            job,
            file,
            stamp,
            partial: None,
            tally: None,
            place: 0,
            fetch: None,
            body: None,
            body_stamp,
            ready: 0,
            is_coming: false,
            pours,
            buffered: Extents::default(),
            writing: None,
        }
    }

    /// Asks for something; `stamp` is of what comes of it.
    pub(super) fn ask(&mut self, fetch: Fetch, stamp: Stamp, floor: &mut Floor<'_>) {
        self.leave(stamp);
        self.fetch = Some(fetch);
        let after = floor.between(5, 300);
        floor.later(after, self.job, self.body_stamp, Moved::Answer);
    }

    /// The body is given up; `stamp` is of what comes next.
    pub(super) fn leave(&mut self, stamp: Stamp) {
        self.body = None;
        self.ready = 0;
        self.is_coming = false;
        self.body_stamp = stamp;
    }

    /// Takes what has come, into `gathered` where there is one and else into the file; false when something
    /// must be waited for.
    pub(super) fn receive(
        &mut self,
        plan: &mut dyn Plan,
        max: Option<Bytes>,
        gathered: Option<&mut Extents>,
        floor: &mut Floor<'_>,
    ) -> bool {
        let body = self.body.as_mut().expect("an answer has a body");
        let count = max.map_or(self.ready, |max| self.ready.min(max.0));
        let is_full = self.buffered.len() >= BUFFER_BYTES && self.writing.is_some();
        if count > 0 && !is_full {
            self.ready -= count;
            let bytes = body.take(count);
            match gathered {
                Some(gathered) => {
                    gathered.append(&bytes);
                    plan.received(Bytes(bytes.len()));
                }
                None => self.take_in(plan, &bytes, floor),
            }
            return true;
        }
        if is_full {
            return false;
        }
        if body.left() == 0 {
            let broken = |fault| TransportError { fault, message: "the connection broke".to_owned() };
            match body.ending {
                Ending::Complete => plan.ended(BodyEnd::Complete),
                Ending::Closed => plan.ended(BodyEnd::Closed),
                Ending::Broken => plan.failed(broken(TransportFault::Aborted)),
                Ending::Silence => {
                    if !std::mem::replace(&mut self.is_coming, true) {
                        let error = Moved::Failed(broken(TransportFault::TimedOut));
                        floor.later(IDLE_TIMEOUT, self.job, self.body_stamp, error);
                    }
                    return false;
                }
            }
            return true;
        }
        if !std::mem::replace(&mut self.is_coming, true) {
            let (count, after) = body.next_chunk(&mut floor.shared.random);
            floor.later(after, self.job, self.body_stamp, Moved::Chunk(count));
        }
        false
    }

    fn take_in(&mut self, plan: &mut dyn Plan, bytes: &Extents, floor: &mut Floor<'_>) {
        let count = Bytes(bytes.len());
        if self.pours {
            if floor.shared.step() {
                return;
            }
            match self.put(bytes, floor) {
                Ok(()) => {
                    plan.received(count);
                    plan.written(count);
                }
                Err(error) => plan.refused(error),
            }
        } else {
            self.buffered.append(bytes);
            plan.received(count);
            self.start_write(floor);
        }
    }

    /// Writes `bytes` behind what was written before.
    fn put(&mut self, bytes: &Extents, floor: &mut Floor<'_>) -> Result<(), JobError> {
        if floor.shared.disk.is_full {
            floor.shared.faults_met += 1;
            return Err(disk_full(self.file));
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

    pub(super) fn start_write(&mut self, floor: &mut Floor<'_>) {
        if self.writing.is_none() && self.buffered.len() > 0 {
            self.writing = Some(std::mem::take(&mut self.buffered));
            let after = floor.between(1, 30);
            floor.later(after, self.job, self.stamp, Moved::Written);
        }
    }

    pub(super) fn written(&mut self, plan: &mut dyn Plan, floor: &mut Floor<'_>) {
        let Some(bytes) = self.writing.take() else { return };
        if floor.shared.step() {
            self.writing = Some(bytes);
            return;
        }
        match self.put(&bytes, floor) {
            Ok(()) => plan.written(Bytes(bytes.len())),
            Err(error) => {
                self.buffered = Extents::default();
                plan.not_written(error);
            }
        }
    }

    /// The process has ended: a write that is under way may be done, or a part of it.
    pub(super) fn die(&self, shared: &mut super::shared::Shared) {
        if let (Some(partial), Some(bytes)) = (self.partial, &self.writing) {
            let done = shared.random.below(bytes.len() + 1);
            shared.disk.write(partial, self.place, &bytes.slice(0, done));
        }
    }
}
