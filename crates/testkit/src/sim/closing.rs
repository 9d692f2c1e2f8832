//! The end of files in a simulated world, in the steps in which the worker takes it.

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::{ClosingFile, FileIndex, Stage};
use bits_core::job::JobId;
use bits_core::queue::Report;
use bits_worker::link::temporary_name;

use super::mutations::Mutation;
use super::scenario::Trap;
use super::shared::Shared;

/// What went wrong with a local file.
pub(super) fn local_error(code: Code, transient: bool, message: &str, file: FileIndex) -> JobError {
    JobError {
        code,
        context: ErrorContext::LocalFile,
        transient,
        message: message.to_owned(),
        file: Some(file),
        challenge: None,
        retry_after_seconds: None,
    }
}

pub(super) fn disk_full(file: FileIndex) -> JobError {
    local_error(Code::DISK_FULL, true, "the disk is full", file)
}

pub(super) fn exists(file: FileIndex) -> JobError {
    local_error(Code::FILE_EXISTS, false, "the file exists and is not to be replaced", file)
}

impl Shared {
    /// Puts whole files under their names. None when the service died over it.
    pub(super) fn finalize(&mut self, job: JobId, files: &[ClosingFile]) -> Option<Report> {
        self.passes(Trap::Finalize);
        let (mut ready, mut placed, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        let mut removed = Vec::new();
        let mut error = None;
        for file in files {
            let partial = temporary_name(job, file.index, &file.local_name);
            let stage = match file.stage {
                Stage::Waiting
                    if self.mutation == Some(Mutation::RenameBeforeWhole)
                        && self.disk.find(&partial).is_some() =>
                {
                    Stage::Transferred
                }
                stage => stage,
            };
            match stage {
                Stage::Completed => {}
                Stage::Waiting => {
                    if self.step() {
                        return None;
                    }
                    self.disk.remove(&partial);
                    removed.push(partial);
                }
                Stage::Transferred => match self.prepare(file, &partial) {
                    Ok(true) => ready.push((file, partial)),
                    Ok(false) => placed.push(file),
                    Err((wrong, is_lost)) => {
                        lost.extend(is_lost.then_some(file.index));
                        error.get_or_insert(wrong);
                    }
                },
            }
            if self.is_dead {
                return None;
            }
        }
        for (file, partial) in ready {
            if self.step() {
                return None;
            }
            let name = file.local_name.as_str();
            if file.no_clobber && self.disk.find(name).is_some() {
                error.get_or_insert(exists(file.index));
                continue;
            }
            self.disk.rename(&partial, name);
            let content = self.disk.find(name).map(|found| self.disk.content(found).clone());
            let now = self.now;
            self.judge.name(name, &content.unwrap_or_default(), &self.resources, now);
            placed.push(file);
        }
        let mut last: Vec<FileIndex> = Vec::new();
        for file in placed {
            if self.step() {
                return None;
            }
            if self.mutation != Some(Mutation::NameNotSynced) {
                self.disk.sync_folder_of(file.local_name.as_str());
            }
            last.push(file.index);
        }
        for partial in removed {
            if self.step() {
                return None;
            }
            self.disk.sync_folder_of(&partial);
        }
        last.sort_unstable();
        Some(Report::Finalized { files: last, lost, error })
    }

    /// Makes one file ready for its name; false when it has it. An error says whether it is lost.
    fn prepare(&mut self, file: &ClosingFile, partial: &str) -> Result<bool, (JobError, bool)> {
        if self.step() {
            return Ok(false);
        }
        let name = file.local_name.as_str();
        let Some(found) = self.disk.find(partial) else {
            let is_there = self.disk.find(name).map(|found| self.disk.content(found).len());
            return match is_there {
                Some(len) if Some(len) == file.size.map(|size| size.0) => Ok(false),
                _ => Err((
                    local_error(Code::FILE_NOT_FOUND, false, "the partial file is gone", file.index),
                    true,
                )),
            };
        };
        let len = self.disk.content(found).len();
        if file.size.map(|size| size.0) != Some(len) && self.mutation != Some(Mutation::RenameBeforeWhole) {
            return Err((local_error(Code::UNEXPECTED, false, "it is not as it was left", file.index), true));
        }
        if file.no_clobber && self.disk.find(name).is_some() {
            return Err((exists(file.index), false));
        }
        if self.step() {
            return Ok(false);
        }
        if self.syncs_to_fail > 0 {
            self.syncs_to_fail -= 1;
            self.faults_met += 1;
            return Err((local_error(Code::IO_DEVICE, false, "the disk does not answer", file.index), false));
        }
        let mark = self.disk.mark(found);
        self.disk.sync(found, mark);
        Ok(true)
    }

    /// Deletes all partial files. None when the service died over it.
    pub(super) fn discard(&mut self, job: JobId, files: &[ClosingFile]) -> Option<Report> {
        self.passes(Trap::Discard);
        if self.mutation != Some(Mutation::PartsForgotten) {
            for file in files {
                if self.step() {
                    return None;
                }
                let partial = temporary_name(job, file.index, &file.local_name);
                self.disk.remove(&partial);
            }
            // What is not gone for good is not gone.
            for file in files {
                if self.step() {
                    return None;
                }
                self.disk.sync_folder_of(file.local_name.as_str());
            }
        }
        if self.step() { None } else { Some(Report::Discarded { leftover: None }) }
    }
}
