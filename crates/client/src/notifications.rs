//! What happens to a job, as BITS's programs are called for it (`IBackgroundCopyCallback`,
//! `SetNotifyInterface`).
//!
//! When something is told is decided in `bits_core::notify`; here it is found out what there is to
//! tell, over the stream of events, which goes on when the service is started again.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bits_api::event::{Event, EventQuery};
use bits_api::file::{File, Range};
use bits_api::job::{Heard, Job};
use bits_core::error::Code;
use bits_core::job::{JobId, Revision};
use bits_core::notify::{Call, Callbacks, Happened, NotifyFlags, Seen};
use bits_core::time::Timestamp;
use futures_util::TryStreamExt;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::client::{Again, Client, job_request};
use crate::error::Error;
use crate::events::EventStream;
use crate::handle::JobHandle;

/// One notification of a job. Which there are is said by its `notify_flags`.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// All files are there. Of a job that the service completes by itself: under their names.
    JobTransferred(Box<Job>),
    /// The job is in ERROR.
    JobError(Box<Job>),
    /// Something about the job is otherwise than it was; at most once in
    /// `minimum_notification_interval_ms`.
    JobModification(Box<Job>),
    /// One more file is whole. All files come before the end of the job.
    FileTransferred { job: JobId, file: Box<File> },
    /// These bytes of a file of a job on demand have come since the last time.
    FileRangesTransferred { job: JobId, file: u32, ranges: Vec<Range> },
}

/// Notifications of one job, one after the other.
///
/// While this is kept, no notification command is run for what it has heard. What stands is told
/// however late somebody asks; each is told at least once, and again only to another one who asks.
/// When the service is started again it goes on, and finds what was missed; what came of files on
/// demand may then be told twice.
#[derive(Debug)]
pub struct Notifications {
    client: Client,
    job: JobId,
    stream: EventStream,
    callbacks: Callbacks,
    now: Option<Job>,
    files: Files,
    ranges: Vec<(u32, Vec<Range>)>,
    is_ready: bool,
    coming: Option<Event>,
    due: VecDeque<Notification>,
    /// What was told last, and whether it was heard, until the service knows.
    told: Option<(Happened, bool)>,
}

/// Which files were told.
#[derive(Debug, Default)]
struct Files {
    told: BTreeSet<u32>,
    /// Whether those are known that were whole at first.
    is_begun: bool,
    /// Whether there are others now.
    is_due: bool,
}

/// A program that is called. Each method may block, and may call the service.
///
/// `Err` says that it was not heard: the job's notification command is run then, if it has one, and
/// the method is called again after a while.
pub trait Callback: Send + Sync + 'static {
    /// # Errors
    /// When it is not dealt with; so for the next one.
    fn job_transferred(&self, _job: &Job) -> Result<(), Code> {
        Ok(())
    }
    /// # Errors
    /// See above.
    fn job_error(&self, _job: &Job) -> Result<(), Code> {
        Ok(())
    }
    fn job_modification(&self, _job: &Job) {}
    fn file_transferred(&self, _job: JobId, _file: &File) {}
    fn file_ranges_transferred(&self, _job: JobId, _file: u32, _ranges: &[Range]) {}
}

/// Calls the method of `callback` that `notification` is for.
///
/// # Errors
/// What the method says.
pub fn call(callback: &dyn Callback, notification: &Notification) -> Result<(), Code> {
    match notification {
        Notification::JobTransferred(job) => return callback.job_transferred(job),
        Notification::JobError(job) => return callback.job_error(job),
        Notification::JobModification(job) => callback.job_modification(job),
        Notification::FileTransferred { job, file } => callback.file_transferred(*job, file),
        Notification::FileRangesTransferred { job, file, ranges } => {
            callback.file_ranges_transferred(*job, *file, ranges);
        }
    }
    Ok(())
}

/// A callback that is registered (`SetNotifyInterface`). Dropped, it is called no more.
#[derive(Debug)]
#[must_use = "the callback is called while the registration is kept"]
pub struct NotifyRegistration(JoinHandle<()>);

impl NotifyRegistration {
    /// Whether the callback may still be called. It is not when the job is over or the service has
    /// gone for good.
    pub fn is_in_force(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for NotifyRegistration {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl JobHandle {
    /// `SetNotifyInterface`: has `callback` called, one method after the other, on a thread that may
    /// block. To be called within a tokio runtime that goes on running.
    ///
    /// # Errors
    /// As for all methods of the handle.
    pub async fn set_notify_interface(
        &self,
        callback: Arc<dyn Callback>,
    ) -> Result<NotifyRegistration, Error> {
        let mut notifications = self.notifications().await?;
        Ok(NotifyRegistration(tokio::spawn(async move {
            while let Ok(Some(notification)) = notifications.next().await {
                let callback = Arc::clone(&callback);
                let heard = spawn_blocking(move || call(&*callback, &notification)).await;
                // One that panics has not heard it.
                if !matches!(heard, Ok(Ok(()))) {
                    notifications.not_heard();
                }
            }
        })))
    }

    /// The same as a stream.
    ///
    /// # Errors
    /// As for all methods of the handle.
    pub async fn notifications(&self) -> Result<Notifications, Error> {
        self.client().notifications(self.id()).await
    }
}

impl Client {
    /// Notifications of one job, from now on, and what stands.
    pub async fn notifications(&self, job: JobId) -> Result<Notifications, Error> {
        let query = EventQuery { job: Some(job.to_string()), callback: Some(true), ..EventQuery::default() };
        Ok(Notifications {
            client: self.clone(),
            job,
            stream: self.watch(query).await?,
            callbacks: Callbacks::default(),
            now: None,
            files: Files::default(),
            ranges: Vec::new(),
            is_ready: false,
            coming: None,
            due: VecDeque::new(),
            told: None,
        })
    }

    /// Says whether a callback has heard that a job is TRANSFERRED or in ERROR: for a program that
    /// reads the stream of events itself.
    pub async fn notification_heard(&self, job: JobId, heard: &Heard) -> Result<(), Error> {
        self.ask(job_request("notification_heard", job).body(heard)?, Again::Yes).await?.succeeded()
    }
}

impl Notifications {
    /// The next notification; waits for it as long as it takes. None when the job is over and all is
    /// told. To ask for the next one says that the last one was heard, unless
    /// [`not_heard`](Self::not_heard) has said otherwise. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of [`EventStream::next`].
    pub async fn next(&mut self) -> Result<Option<Notification>, Error> {
        loop {
            self.say_what_was_heard().await?;
            // Kept until it is dealt with, as this future may be dropped meanwhile.
            if let Some(event) = self.coming.clone() {
                self.take(event).await?;
                self.coming = None;
            }
            if let Some(notification) = self.due.pop_front() {
                return Ok(Some(notification));
            }
            if self.files.is_due {
                self.look_for_files().await?;
                continue;
            }
            let now = now();
            match (self.callbacks.next(now), &self.now) {
                (Some(Call::Files), _) => {
                    self.files.is_due = true;
                    continue;
                }
                (Some(Call::Ranges), _) => {
                    let job = self.job;
                    let came = self.ranges.drain(..);
                    self.due.extend(came.map(|(file, ranges)| Notification::FileRangesTransferred {
                        job,
                        file,
                        ranges,
                    }));
                    continue;
                }
                (Some(Call::Happened(happened)), Some(job)) => {
                    self.told = Some((happened, true));
                    let job = Box::new(job.clone());
                    return Ok(Some(match happened {
                        Happened::Transferred => Notification::JobTransferred(job),
                        Happened::Error => Notification::JobError(job),
                    }));
                }
                (Some(Call::Modification), Some(job)) => {
                    return Ok(Some(Notification::JobModification(Box::new(job.clone()))));
                }
                (Some(_), None) => unreachable!("nothing is told before the job is seen"),
                (None, job) => {
                    let is_over = |job: &Job| ["acknowledged", "cancelled"].contains(&job.state.as_str());
                    if job.as_ref().is_some_and(is_over) && self.callbacks.next_wake().is_none() {
                        return Ok(None);
                    }
                }
            }
            let wait = self.callbacks.next_wake().map(|wake| wake.since(now).max(Duration::from_millis(1)));
            tokio::select! {
                event = self.stream.next() => self.coming = Some(event?),
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
    }

    /// What was told last was not dealt with: the job's command is run for it, and it is told again.
    pub fn not_heard(&mut self) {
        if let Some((_, is_heard)) = &mut self.told {
            *is_heard = false;
        }
    }

    async fn say_what_was_heard(&mut self) -> Result<(), Error> {
        let Some((happened, is_heard)) = self.told else { return Ok(()) };
        let heard = Heard { event: happened.name().to_owned(), heard: is_heard };
        match self.client.notification_heard(self.job, &heard).await {
            // A job that is gone has no command to be run.
            Ok(()) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        self.told = None;
        self.callbacks.heard(is_heard, now());
        Ok(())
    }

    async fn take(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Job(job) => {
                let seen = seen(&job);
                if !self.files.is_begun && seen.flags.wants(NotifyFlags::FILE_TRANSFERRED) {
                    let whole: Vec<File> = self.whole_files().await?;
                    self.files.told = whole.iter().map(|file| file.index).collect();
                    self.files.is_begun = true;
                }
                self.callbacks.see(seen);
                self.now = Some(*job);
            }
            Event::Ranges(came) => {
                self.ranges.push((came.file, came.ranges));
                self.callbacks.ranges_came();
            }
            Event::Ready => {
                // What has come while nobody could look is among all that is here.
                if std::mem::replace(&mut self.is_ready, true) && self.is_on_demand() {
                    self.look_for_ranges().await?;
                }
            }
            Event::Note(_) => {}
        }
        Ok(())
    }

    fn is_on_demand(&self) -> bool {
        self.now
            .as_ref()
            .is_some_and(|job| job.on_demand && seen(job).flags.wants(NotifyFlags::FILE_RANGES_TRANSFERRED))
    }

    async fn look_for_ranges(&mut self) -> Result<(), Error> {
        let files: Vec<File> = self.client.files(self.job).try_collect().await?;
        for file in files {
            let filled = self.client.filled_ranges(self.job, file.index).await?.filled;
            if !filled.is_empty() {
                self.ranges.push((file.index, filled));
                self.callbacks.ranges_came();
            }
        }
        Ok(())
    }

    async fn look_for_files(&mut self) -> Result<(), Error> {
        let whole = self.whole_files().await?;
        self.files.is_due = false;
        self.files.is_begun = true;
        for file in whole {
            if self.files.told.insert(file.index) {
                let file = Box::new(file);
                self.due.push_back(Notification::FileTransferred { job: self.job, file });
            }
        }
        Ok(())
    }

    async fn whole_files(&self) -> Result<Vec<File>, Error> {
        let is_whole = |file: &File| file.completed || file.bytes_total == Some(file.bytes_transferred);
        let whole = self.client.files(self.job).try_filter(move |file| {
            let is_whole = is_whole(file);
            async move { is_whole }
        });
        whole.try_collect().await
    }
}

/// As much of `job` as decides what is told.
pub(crate) fn seen(job: &Job) -> Seen {
    let happened = match (job.state.as_str(), job.complete_when_done) {
        ("error", _) => Some((Happened::Error, u64::from(job.error_count))),
        ("transferred", false) | ("acknowledged", true)
            if job.state == "transferred" || job.progress.files_transferred == job.progress.files_total =>
        {
            let mut hasher = DefaultHasher::new();
            job.times.transfer_completed.hash(&mut hasher);
            Some((Happened::Transferred, hasher.finish()))
        }
        _ => None,
    };
    Seen {
        revision: Revision(job.revision),
        // A bit of a later version is for nobody here.
        flags: NotifyFlags::from_mask(job.notify_flags & 0x3F).unwrap_or_default(),
        minimum_interval: Duration::from_millis(job.minimum_notification_interval_ms),
        happened,
        files_transferred: job.progress.files_transferred,
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default() + since
}
