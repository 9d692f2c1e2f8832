//! What is known of the files of a job on demand while an attempt of it goes on in a simulated world, as
//! the worker knows it.

use bits_core::demand::next_file;
use bits_core::file::{File, FileIndex, Stage};
use bits_core::queue::Asked;
use bits_core::units::Bytes;
use bits_worker::PassingOver;

/// The files of one attempt.
#[derive(Debug)]
pub(super) struct OnDemand {
    /// All that are not whole, as they are known by now.
    files: Vec<File>,
    /// How many demands are known of.
    pub(super) demands: u32,
    /// What was asked for since the attempt began, and not taken in.
    asked: Vec<(u32, Asked)>,
    /// How many of those were heard of while something came.
    heard: usize,
}

impl OnDemand {
    pub(super) fn new(files: Vec<File>, demands: u32) -> Self {
        Self { files, demands, asked: Vec::new(), heard: 0 }
    }

    pub(super) fn is_asked(&mut self, demands: u32, asked: Asked) {
        self.asked.push((demands, asked));
    }

    /// Whether something was asked for that nobody has heard of yet.
    pub(super) fn hears(&mut self) -> bool {
        let is_new = self.heard < self.asked.len();
        self.heard = self.asked.len();
        is_new
    }

    pub(super) fn take_in(&mut self) {
        self.heard = 0;
        for (demands, Asked { file, ranges, position }) in std::mem::take(&mut self.asked) {
            if demands <= self.demands {
                continue;
            }
            self.demands = demands;
            if let Some(known) = self.files.iter_mut().find(|known| known.index == file) {
                known.demand.requested.extend(ranges);
                known.demand.position = position.or(known.demand.position);
            }
        }
    }

    /// The file of which something is wanted next.
    pub(super) fn next(&self, passing: &PassingOver) -> Option<File> {
        let tried: Vec<File> = self.files.iter().filter(|file| !passing.skips(file)).cloned().collect();
        next_file(&tried).map(|at| tried[at].clone())
    }

    pub(super) fn has_come(&mut self, file: FileIndex) {
        for known in self.files.iter_mut().filter(|known| known.index == file) {
            known.stage = Stage::Transferred;
            known.durable = known.size.unwrap_or(known.durable);
        }
    }

    pub(super) fn is_known(&mut self, file: File) {
        let known = self.files.iter_mut().find(|known| known.index == file.index);
        *known.expect("it is one of them") = file;
    }

    pub(super) fn leaves_out(&mut self, file: FileIndex) {
        self.files.retain(|known| known.index != file);
    }

    pub(super) fn is_whole(&self) -> bool {
        self.files.iter().all(|file| file.stage != Stage::Waiting || file.error.is_some())
    }

    /// What is there of all files, with the `downloaded` bytes of those that were whole before.
    pub(super) fn bytes_here(&self, downloaded: Bytes) -> Bytes {
        let here = self.files.iter().map(|file| match file.stage {
            Stage::Waiting => file.demand.filled.total(),
            Stage::Transferred | Stage::Completed => file.durable,
        });
        here.fold(downloaded, Bytes::saturating_add)
    }
}
