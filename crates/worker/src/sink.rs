//! The partial file of one download, written beside the runtime.
//!
//! At most one write and one sync are under way, each on a thread where it may block, so that the
//! socket is read meanwhile. A buffer is handed over and comes back; no byte is copied here.

use std::ffi::{OsStr, OsString};
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bits_core::checksum::{Checksum, ChecksumAlgorithm};
use bits_core::error::{Code, JobError};
use bits_core::file::{File, FileIndex, PartialId};
use bits_core::job::JobId;
use bits_core::transfer::Found;
use bits_core::units::Bytes;
use bits_platform::files::{
    Destination, DestinationError, FileError, FileErrorKind, Folder, MissingFolders, Partial, PartialError,
    device_towards, partial_name,
};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, JoinHandle, block_in_place, spawn_blocking};

use crate::attempt::Surroundings;
use crate::local_file::LocalFault;
use crate::tally::{Tallies, Tally, add};
use crate::volumes::Volumes;

/// Bytes of one buffer. Two of them carry a transfer: one is filled while the other is written.
/// Large enough that calls do not count, small enough to stay in a processor's cache.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes on their way into the file.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES].into_boxed_slice(), filled: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// Where up to `max` more bytes can go.
    pub(crate) fn room(&mut self, max: Option<Bytes>) -> &mut [u8] {
        let free = self.bytes.len() - self.filled;
        let wanted = max.map_or(free, |max| usize::try_from(max.0).unwrap_or(usize::MAX).min(free));
        &mut self.bytes[self.filled..self.filled + wanted]
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.filled += count;
        assert!(self.filled <= self.bytes.len(), "no more is filled than fits");
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }
}

/// The partial file of one download.
#[derive(Debug)]
pub(crate) struct Sink {
    file: FileIndex,
    destination: Arc<Destination>,
    partial_name: OsString,
    partial: Option<Arc<Partial>>,
    /// Whether the partial file would have its name after a power cut.
    is_named: bool,
    /// Where the next write begins.
    place: Bytes,
    writing: Option<JoinHandle<(Buffer, Result<(), FileError>)>>,
    syncing: Option<(Bytes, JoinHandle<Result<(), FileError>>)>,
    /// What the bytes sum up to, when that is wanted.
    tally: Option<Arc<Mutex<Tally>>>,
    tallies: Tallies,
}

/// Something that was under way and has ended.
#[derive(Debug)]
pub(crate) enum Finished {
    Write { buffer: Buffer, outcome: Result<Bytes, JobError> },
    Sync { upto: Bytes, outcome: Result<(), JobError> },
}

impl Sink {
    /// Looks for the partial file of `file`, and how long it is. None is made yet.
    pub(crate) async fn open(
        job: JobId,
        file: &File,
        around: &Surroundings,
    ) -> Result<(Self, Option<Found>), JobError> {
        let index = file.index;
        let path = file.local_name.as_str().to_owned();
        let no_clobber = file.no_clobber;
        // Numbers of devices hold for one boot.
        let made = file.partial.filter(|_| file.boot == Some(around.boot));
        let volumes = around.volumes.clone();
        let found = blocking(move || open(job, index, Path::new(&path), no_clobber, made, &volumes)).await;
        let (destination, partial, found) = found.map_err(|fault| fault.into_job_error(index))?;
        let sink = Self {
            file: index,
            partial_name: partial_name(&destination.name, &job.to_string(), index.0),
            destination: Arc::new(destination),
            partial: partial.map(Arc::new),
            is_named: false,
            place: Bytes::ZERO,
            writing: None,
            syncing: None,
            tally: None,
            tallies: around.tallies.clone(),
        };
        Ok((sink, found))
    }

    /// One that writes into the same partial file, from `place` on.
    pub(crate) fn beside(&self, place: Bytes) -> Self {
        Self {
            file: self.file,
            destination: self.destination.clone(),
            partial_name: self.partial_name.clone(),
            partial: self.partial.clone(),
            is_named: false,
            place,
            writing: None,
            syncing: None,
            tally: None,
            tallies: self.tallies.clone(),
        }
    }

    /// Makes the partial file exactly `to` bytes long, and takes hold of the space up to `size`.
    /// With `sum`, the bytes that come from now on are summed up. Says which file it is.
    pub(crate) async fn cut(
        &mut self,
        to: Bytes,
        size: Option<Bytes>,
        sum: Option<ChecksumAlgorithm>,
    ) -> Result<PartialId, JobError> {
        let known = self.partial.clone();
        let destination = self.destination.clone();
        let name = self.partial_name.clone();
        let cut = blocking(move || {
            let partial = match known {
                Some(partial) => partial,
                None => Arc::new(Partial::create(destination.folder.clone(), name)?),
            };
            partial.truncate(to)?;
            partial.preallocate(size.unwrap_or_default())?;
            let id = partial_id(&partial)?;
            Ok::<_, PartialError>((partial, id))
        });
        let (partial, id) = cut.await.map_err(|error| self.failed(error))?;
        self.partial = Some(partial);
        self.place = to;
        if let Some(algorithm) = sum {
            self.tally = Some(Arc::new(Mutex::new(Tally::new(algorithm))));
        }
        Ok(id)
    }

    /// Sums up the first `upto` bytes of the partial file, as if they came just now. Those that an
    /// earlier attempt of this worker has summed up are not read again.
    pub(crate) async fn read_back(
        &mut self,
        upto: Bytes,
        algorithm: ChecksumAlgorithm,
    ) -> Result<(), JobError> {
        let partial = self.made();
        let tallies = self.tallies.clone();
        let read = blocking(move || tallies.of_partial(algorithm, &partial, upto));
        let tally = read.await.map_err(|error| self.failed(error))?;
        self.tally = Some(Arc::new(Mutex::new(tally)));
        Ok(())
    }

    /// Says where the next byte belongs.
    pub(crate) fn seek(&mut self, to: Bytes) {
        assert!(self.writing.is_none(), "what was to be written is");
        self.place = to;
    }

    /// What all bytes of the partial file sum up to. Nothing is written after that unless it is
    /// [cut](Sink::cut) first.
    pub(crate) fn sum(&mut self) -> Checksum {
        let tally = self.tally.take().expect("what is to be compared was summed up");
        tally.lock().expect("no tally is left half done").sum()
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Begins to write `buffer` behind what was written before.
    pub(crate) fn start_write(&mut self, buffer: Buffer) {
        assert!(self.writing.is_none(), "one write at a time");
        let partial = self.made();
        let place = self.place;
        let tally = self.tally.clone();
        self.place = place.saturating_add(Bytes(buffer.filled as u64));
        self.writing = Some(spawn_blocking(move || {
            let bytes = &buffer.bytes[..buffer.filled];
            let outcome = partial.write_at(bytes, place);
            if outcome.is_ok() {
                add(tally.as_deref(), bytes);
            }
            (buffer, outcome)
        }));
    }

    /// The partial file, and where the next byte belongs, for somebody who writes in its place.
    /// [`Sink::poured`] says how much that was.
    pub(crate) fn to_pour_into(&self) -> (Arc<Partial>, Bytes, Option<Arc<Mutex<Tally>>>) {
        assert!(self.writing.is_none(), "one write at a time");
        (self.made(), self.place, self.tally.clone())
    }

    /// Takes in what another has written.
    pub(crate) fn poured(&mut self, count: Bytes) {
        self.place = self.place.saturating_add(count);
    }

    /// Begins to sync, of which `upto` bytes are known to be written.
    pub(crate) fn start_sync(&mut self, upto: Bytes) {
        assert!(self.syncing.is_none(), "one sync at a time");
        let partial = self.made();
        // Bytes that are sure are of no use under a name that is not. Who made the file may have
        // been killed before this, so the first sync of each sink includes it.
        let is_named = std::mem::replace(&mut self.is_named, true);
        let sync = move || {
            partial.sync_data()?;
            if is_named { Ok(()) } else { partial.folder().sync() }
        };
        self.syncing = Some((upto, spawn_blocking(sync)));
    }

    /// Waits for what is under way to end, for ever when nothing is. May be given up and begun again.
    pub(crate) async fn finished(&mut self) -> Finished {
        tokio::select! {
            written = ended(self.writing.as_mut()) => {
                self.writing = None;
                let (mut buffer, outcome) = written;
                let count = Bytes(buffer.filled as u64);
                buffer.clear();
                Finished::Write { buffer, outcome: outcome.map(|()| count).map_err(|error| self.failed(error)) }
            }
            outcome = ended(self.syncing.as_mut().map(|(_, syncing)| syncing)) => {
                let (upto, _) = self.syncing.take().expect("a sync has ended");
                Finished::Sync { upto, outcome: outcome.map_err(|error| self.failed(error)) }
            }
        }
    }

    fn made(&self) -> Arc<Partial> {
        self.partial.clone().expect("the partial file is made before it is written")
    }

    pub(crate) fn failed(&self, error: impl Into<LocalFault>) -> JobError {
        let fault: LocalFault = error.into();
        let folder = &self.destination.folder;
        // A disk that was pulled out fails before anything else of it is seen.
        let fault = match fault.is_of_device() && folder.disk() != device_towards(folder.path()) {
            true => LocalFault::volume_missing(folder.path()),
            false => fault,
        };
        fault.into_job_error(self.file)
    }
}

impl Drop for Sink {
    /// Keeps the sum of what has come for the next attempt. One that is still being added to by a write
    /// under way is not kept.
    fn drop(&mut self) {
        let (Some(partial), Some(tally)) = (&self.partial, self.tally.take().and_then(Arc::into_inner))
        else {
            return;
        };
        self.tallies.keep(partial, tally.into_inner().expect("no tally is left half done"));
    }
}

fn open(
    job: JobId,
    index: FileIndex,
    path: &Path,
    no_clobber: bool,
    made: Option<PartialId>,
    volumes: &Volumes,
) -> Result<(Destination, Option<Partial>, Option<Found>), LocalFault> {
    let destination = match Destination::check(path, MissingFolders::Refuse) {
        Err(DestinationError::FolderMissing(folder) | DestinationError::NotAFolder(folder))
            if volumes.is_missing(&folder, made.map(|made| made.device)) =>
        {
            return Err(LocalFault::volume_missing(&folder));
        }
        checked => checked?,
    };
    let is = destination.folder.identity()?.device;
    let name = partial_name(&destination.name, &job.to_string(), index.0);
    let partial = match Partial::reopen(destination.folder.clone(), name) {
        Err(PartialError::File(error)) if error.kind == FileErrorKind::NotFound => None,
        partial => Some(partial?),
    };
    let found = match &partial {
        Some(partial) => Some(Found { length: partial.len()?, partial: partial_id(partial)? }),
        None => None,
    };
    let is_another = match (made, found) {
        // A volume that was away may come back under another number; what we left on it is what it was.
        (Some(made), Some(found)) => made.device != is && made.inode != found.partial.inode,
        (Some(made), None) => made.device != is,
        // Begun in another run of the machine, or by a worker that was killed before it could tell of it.
        (None, Some(_)) => false,
        // Where nothing has come there is nothing but the memory of the folder.
        (None, None) => volumes.has_another(&destination.folder),
    };
    if is_another {
        return Err(LocalFault::volume_changed(destination.folder.path()));
    }
    volumes.saw(&destination.folder);
    if no_clobber {
        refuse_existing(&destination.folder, &destination.name)?;
    }
    Ok((destination, partial, found))
}

/// Which file it is, and what its folder is on.
fn partial_id(partial: &Partial) -> Result<PartialId, FileError> {
    let device = partial.folder().identity()?.device;
    Ok(PartialId { device, inode: partial.identity().inode })
}

/// Fails when something in `folder` is called `name` already.
pub(crate) fn refuse_existing(folder: &Folder, name: &OsStr) -> Result<(), LocalFault> {
    match folder.identity_of(name)? {
        None => Ok(()),
        Some(_) => {
            let path = folder.path().join(name);
            let message = format!("{} exists and is not to be replaced", path.display());
            Err(LocalFault::new(Code::FILE_EXISTS, message))
        }
    }
}

/// Runs `work` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    returned(spawn_blocking(work).await)
}

/// Runs `work`, which may block and seldom does, here: to have another thread begin takes longer than
/// most of it. That thread takes over from this one if it does.
pub(crate) async fn briefly_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(work),
        // Nobody is there to take over.
        _ => blocking(work).await,
    }
}

async fn ended<T>(task: Option<&mut JoinHandle<T>>) -> T {
    match task {
        Some(task) => returned(task.await),
        None => pending().await,
    }
}

/// What a task returned; it panics on where the task did.
pub(crate) fn returned<T>(outcome: Result<T, JoinError>) -> T {
    match outcome {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_file_not_begun_goes_to_no_other_volume_than_its_folder_was_seen_on() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("f");
        let (job, index) = (JobId([1; 16]), FileIndex(0));
        let volumes = Volumes::default();
        let begun = |made, volumes: &Volumes| open(job, index, &path, false, made, volumes);
        let (destination, ..) = begun(None, &volumes).expect("nobody has seen the folder");
        let device = destination.folder.disk().expect("it is on one");

        volumes.saw_on(root.path(), device + 1);
        for time in ["first", "second"] {
            let fault = begun(None, &volumes).expect_err("it is another volume");
            assert_eq!((fault.code, fault.transient), (Code::VOLUME_CHANGED, true), "{time}");
        }
        assert_eq!(std::fs::read_dir(root.path()).expect("readable").count(), 0, "nothing is written to it");

        // One that was begun is known by what is left of it, and shows that the volume is the same.
        let name: OsString = partial_name(&destination.name, &job.to_string(), index.0);
        let partial = Partial::create(destination.folder.clone(), name).expect("made");
        let made = PartialId { device: device + 1, ..partial_id(&partial).expect("known") };
        begun(Some(made), &volumes).expect("it came back under another number");
        assert!(!volumes.has_another(&destination.folder));
    }
}
