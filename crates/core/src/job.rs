//! The life cycle of one job.
//!
//! A job starts suspended, works its way through the active states, comes to rest in
//! [`State::Transferred`] or [`State::Error`], and leaves by [`State::Acknowledged`] or
//! [`State::Cancelled`]. Two tables define it: [`Job::apply`] answers what its owner commands,
//! [`Job::observe`] takes in what has happened.
//!
//! Nothing here reads a clock, opens a file or speaks to a worker. A table changes the job in
//! memory and names the [`Effect`]s to run *after* the change is committed.

mod id;
mod properties;
#[cfg(test)]
mod tests;
mod timing;

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{Code, JobError};
use crate::file::{File, Stage, Validator};
use crate::notify::Outbox;
use crate::refusal::Refusal;
use crate::remote_name::HostTag;
use crate::time::Timestamp;
use crate::transfer;
use crate::units::Bytes;

pub use id::{IdError, JobId};
pub use properties::{
    DESCRIPTION_UNITS_MAX, DISPLAY_NAME_UNITS_MAX, Environment, MINIMUM_RETRY_DELAY_FLOOR, Priority,
    Properties, PropertyChange,
};
pub use timing::ClockChange;

/// Who a job belongs to: the user id the kernel named when it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u32);

/// Counts the committed changes of a job. One number is the store's optimistic lock, the API's
/// `ETag`, and the fence against a holder that thought it still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// The same answer, which no server should give, so many times in a row is the one it will always
/// give. With delays that back off that is after some four minutes.
const SAME_ANSWERS_MAX: u32 = 10;
/// Beginnings of a file that cannot be resumed, before it is given up.
const BEGINNINGS_MAX: u32 = 25;
/// What a job waits for without having failed, so that it does not count as an error (`bits.md` §1.3,
/// `GetErrorCount`).
const UNCOUNTED: [Code; 4] =
    [Code::NETWORK_DISCONNECTED, Code::DESTINATION_LOCKED, Code::VOLUME_CHANGED, Code::BLOCKED_BY_POLICY];
/// Into how many parts the time is cut by which retries are spread.
const SPREAD_PARTS: u32 = 1000;

/// Whether `code` says that a server answers what makes no sense: something that is no HTTP, or
/// success where there is no file. That a host is not there says nothing: the network may be gone.
fn is_wrong_answer(code: Code) -> bool {
    code == Code::INVALID_ANSWER || (Code::http(100)..Code::http(300)).contains(&code)
}

/// Counts the activations of a job, so that a late report of an earlier one harms nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attempt(pub u32);

/// `BG_JOB_STATE`, `bits.md` §2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued,
    Connecting,
    Transferring,
    Suspended,
    Error,
    TransientError {
        /// When it is tried again.
        retry_at: Timestamp,
    },
    Transferred,
    Acknowledged,
    Cancelled,
}

impl State {
    /// The words for all states.
    pub const NAMES: [&'static str; 9] = [
        "queued",
        "connecting",
        "transferring",
        "suspended",
        "error",
        "transient_error",
        "transferred",
        "acknowledged",
        "cancelled",
    ];

    /// The word for programs; one of [`State::NAMES`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Connecting => "connecting",
            Self::Transferring => "transferring",
            Self::Suspended => "suspended",
            Self::Error => "error",
            Self::TransientError { .. } => "transient_error",
            Self::Transferred => "transferred",
            Self::Acknowledged => "acknowledged",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can change the job any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Cancelled)
    }

    /// Whether the job works, or will by itself.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Connecting | Self::Transferring | Self::TransientError { .. })
    }

    /// Whether a worker has it.
    pub fn is_running(self) -> bool {
        matches!(self, Self::Connecting | Self::Transferring)
    }
}

/// `BG_JOB_TIMES`, `bits.md` §2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    pub created: Timestamp,
    pub modified: Timestamp,
    /// When the job came to `Transferred`.
    pub transfer_completed: Option<Timestamp>,
}

/// `BG_JOB_PROGRESS`, `bits.md` §2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The sum of all sizes; unknown until every file's is known.
    pub bytes_total: Option<Bytes>,
    pub bytes_transferred: Bytes,
    pub files_total: u32,
    pub files_transferred: u32,
}

impl Progress {
    /// How far a job of these files has come.
    pub fn of<'f>(files: impl IntoIterator<Item = &'f File>) -> Self {
        let all_known = Self { bytes_total: Some(Bytes::ZERO), ..Self::default() };
        files.into_iter().fold(all_known, |sum, file| Self {
            bytes_total: sum.bytes_total.and_then(|total| file.size.map(|size| total.saturating_add(size))),
            bytes_transferred: sum.bytes_transferred.saturating_add(file.durable),
            files_total: sum.files_total + 1,
            files_transferred: sum.files_transferred + u32::from(file.stage != Stage::Waiting),
        })
    }
}

/// A job, without its files and without its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub revision: Revision,
    pub owner: Owner,
    pub state: State,
    pub properties: Properties,
    /// The host of the files that come next, as far as it is known.
    pub host: HostTag,
    pub files_total: u32,
    /// How many files are whole on the disk.
    pub files_transferred: u32,
    /// How many have failed while the job kept going.
    pub files_passed_over: u32,
    /// The last error; kept until the job transfers again (`bits.md` §1.3, `GetError`).
    pub error: Option<JobError>,
    /// How often the job has met an error; never reset (`bits.md` §1.3).
    pub error_count: u32,
    /// Transient errors since bytes last moved; sets the next retry delay.
    pub failures_in_a_row: u32,
    /// How many of them, up to the last one, had the same code.
    pub same_failures: u32,
    /// How often a file was begun since one was whole.
    pub beginnings: u32,
    /// The first transient error since bytes last moved; starts the no-progress timeout.
    pub stalled_since: Option<Timestamp>,
    /// How long it was CONNECTING or TRANSFERRING since it was last resumed, but for the time since
    /// it last came there; what the maximum download time is about (`bits.md` §5.1).
    pub ran_for: Duration,
    /// Since when it is CONNECTING or TRANSFERRING; none while it waits there for a connection.
    pub running_since: Option<Timestamp>,
    /// When it last got further, or its owner last did something to it; what the inactivity time-out
    /// is about (`bits.md` §3.2).
    pub active_at: Timestamp,
    /// The activation that is going on, or the last one.
    pub attempt: Attempt,
    pub times: Times,
    /// How often something was asked for of the files of a job on demand, so that an attempt that has
    /// not heard of all of it is not the last.
    pub demands: u32,
    /// How many of them an attempt had heard of that found nothing left to fetch.
    pub demands_met: u32,
    /// Whether it was ever resumed; some properties are fixed from then on.
    pub resumed: bool,
    /// Whether partial files of this cancelled job may still lie about.
    pub discard_pending: bool,
    /// What its owner is still to be told of it.
    pub outbox: Outbox,
}

/// What an owner can ask of a job. A command can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Cancel,
    Complete,
    Resume,
    Suspend,
}

/// What can have happened to a job. An event cannot be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The queue lets the job run.
    Granted,
    /// The queue lets another job run in its place.
    Yielded,
    Connected(Attempt),
    /// The attempt waits until there may be one more connection.
    AwaitsConnection(Attempt),
    /// It waits no more.
    HasConnection(Attempt),
    /// Bytes have moved.
    Advanced(Attempt),
    /// A file is fetched from its beginning.
    FileBegun(Attempt),
    /// One more file is whole.
    FileTransferred(Attempt),
    /// One more file has failed, and the attempt goes on with the next.
    FilePassedOver(Attempt, JobError),
    /// The owner has found a whole file to be wrong; it is to be fetched again.
    FileRejected(JobError),
    /// What was whole is not there any more, of so many files.
    FilesLost(u32),
    Failed(Attempt, JobError),
    /// Credentials are missing or were refused, and a person is asked for others.
    Challenged(Attempt, JobError),
    /// The volume that a file goes to is not there.
    VolumeMissing(Attempt, JobError),
    /// Nobody has given the credentials that a person was asked for.
    Unanswered,
    FilesTransferred(Attempt),
    /// All is here that was asked for of the files of a job on demand, which are not whole. The
    /// attempt has heard of so many [demands](Job::demands).
    Satisfied(Attempt, u32),
    /// All files that were whole are under their final names.
    FilesFinalized,
    /// A whole file could not be put under its final name.
    NotFinalized(JobError),
    /// No partial file of this cancelled job is left.
    FilesDiscarded,
    TimePassed,
    /// The time that the job may download is over.
    OutOfTime(JobError),
    /// Nobody has done anything to the job for so long that nobody will.
    Abandoned,
    /// There is another network than the one on which the job has failed.
    NetworkChanged,
}

/// What follows from a change, to be run after it is committed. Every effect can be derived again
/// from what is stored, so each is written to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Let a worker start this attempt.
    Begin(Attempt),
    /// Let the worker stop this attempt.
    Stop(Attempt),
    /// Put the whole files under their final names, delete the parts of others.
    FinalizeFiles,
    /// Delete all partial files.
    DiscardFiles,
    /// Wipe the job's secrets: it is over.
    ForgetSecrets,
}

impl Job {
    /// A new job: suspended, without files.
    pub fn new(id: JobId, owner: Owner, properties: Properties, now: Timestamp) -> Self {
        Self {
            id,
            revision: Revision(0),
            owner,
            state: State::Suspended,
            properties,
            host: HostTag::NONE,
            files_total: 0,
            files_transferred: 0,
            files_passed_over: 0,
            error: None,
            error_count: 0,
            failures_in_a_row: 0,
            same_failures: 0,
            beginnings: 0,
            stalled_since: None,
            ran_for: Duration::ZERO,
            running_since: None,
            active_at: now,
            attempt: Attempt(0),
            times: Times { created: now, modified: now, transfer_completed: None },
            demands: 0,
            demands_met: 0,
            resumed: false,
            discard_pending: false,
            outbox: Outbox::default(),
        }
    }

    /// Makes one change to the properties.
    ///
    /// # Errors
    /// Those of [`Properties::set`], [`Refusal::ReadOnlyAfterResume`],
    /// [`Refusal::ReadOnlyAfterAddFile`]; nothing has changed then.
    pub fn set(&mut self, change: PropertyChange) -> Result<(), Refusal> {
        match change {
            PropertyChange::FileAclFlags(_) if self.state == State::Transferred => {
                Err(Refusal::InvalidState { id: self.id, state: self.state })
            }
            // To set again what is set is no change.
            PropertyChange::HttpMethod(method) if method == self.properties.http.method => Ok(()),
            PropertyChange::HttpMethod(_) if self.resumed => {
                Err(Refusal::ReadOnlyAfterResume { id: self.id, what: "HTTP method" })
            }
            change => {
                self.may_change(&change)?;
                self.properties.set(change)
            }
        }
    }

    /// Carries out the owner's `command` (`bits.md` §3.1).
    ///
    /// # Errors
    /// [`Refusal::InvalidState`] when the job is final, [`Refusal::Empty`] when there is nothing
    /// to resume.
    pub fn apply(&mut self, command: Command, now: Timestamp) -> Result<Vec<Effect>, Refusal> {
        use Command::*;
        use State::*;

        let mut effects = Vec::new();
        let was_running = self.state.is_running();
        match (self.state, command) {
            (Acknowledged | Cancelled, _) => {
                return Err(Refusal::InvalidState { id: self.id, state: self.state });
            }

            (_, Resume) if self.files_total == 0 => return Err(Refusal::Empty { id: self.id }),
            // The owner has acted: what was in vain before is no reason to give up at once.
            (Suspended | Error, Resume) => {
                self.failures_in_a_row = 0;
                self.same_failures = 0;
                self.beginnings = 0;
                self.stalled_since = None;
                self.enter(Queued);
            }
            (TransientError { .. }, Resume) => self.enter(Queued),
            (Transferred, Resume) if self.files_left() > 0 => self.enter(Queued),
            (Queued | Connecting | Transferring | Transferred, Resume) => {}

            (_, Suspend) => self.deactivate(&mut effects),
            (_, Cancel) => {
                self.deactivate(&mut effects);
                self.cancel(&mut effects);
            }
            // Not final yet: a file that cannot be put in its place leaves the job where it is,
            // for the owner to complete again.
            (_, Complete) => {
                self.deactivate(&mut effects);
                effects.push(Effect::FinalizeFiles);
            }
        }
        self.count_time(was_running, now);
        if command == Resume {
            self.resumed = true;
            self.count_anew(now);
        }
        self.touch(now);
        Ok(effects)
    }

    /// Takes in `event`, which the job learns of at `now` (`bits.md` §3.2).
    pub fn observe(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        use Event::*;
        use State::*;

        let mut effects = Vec::new();
        let was_running = self.state.is_running();
        match (self.state, event) {
            (Queued, Granted) => {
                self.attempt = Attempt(self.attempt.0 + 1);
                self.enter(Connecting);
                effects.push(Effect::Begin(self.attempt));
            }
            (Connecting | Transferring, Yielded) => {
                effects.push(Effect::Stop(self.attempt));
                self.enter(Queued);
            }
            (Connecting, Connected(attempt)) if attempt == self.attempt => {
                self.enter(Transferring);
                self.forget_error();
            }
            // Its time to download is not for waiting until others have done theirs.
            (Connecting | Transferring, AwaitsConnection(attempt))
                if attempt == self.attempt && self.is_counting() =>
            {
                self.stop_counting(now);
            }
            (Connecting | Transferring, HasConnection(attempt))
                if attempt == self.attempt && !self.is_counting() =>
            {
                self.go_on_counting(now);
            }
            (_, Advanced(attempt)) if attempt == self.attempt && !self.state.is_final() => {
                self.has_advanced(now);
            }
            (_, FileBegun(attempt)) if attempt == self.attempt && !self.state.is_final() => {
                self.beginnings = self.beginnings.saturating_add(1);
            }
            (_, FileTransferred(attempt)) if attempt == self.attempt && !self.state.is_final() => {
                self.files_transferred += 1;
                self.beginnings = 0;
                self.has_advanced(now);
            }
            (_, FilePassedOver(attempt, error)) if attempt == self.attempt && !self.state.is_final() => {
                self.error_count += 1;
                self.beginnings = 0;
                if self.files_passed_over == 0 {
                    self.error = Some(error);
                }
                self.files_passed_over += 1;
            }
            // Files were added meanwhile, of which this attempt knew nothing.
            (Connecting | Transferring, FilesTransferred(attempt))
                if attempt == self.attempt && self.files_to_come() > 0 =>
            {
                self.enter(Queued);
                self.forget_error();
            }
            // Not one file has come: that is no part of the job done.
            (Connecting | Transferring, FilesTransferred(attempt))
                if attempt == self.attempt && self.files_transferred == 0 && self.files_passed_over > 0 =>
            {
                self.enter(Error);
            }
            (Connecting | Transferring, FilesTransferred(attempt)) if attempt == self.attempt => {
                self.enter(Transferred);
                self.forget_error();
                self.times.transfer_completed = Some(now);
                if self.properties.complete_when_done {
                    effects.push(Effect::FinalizeFiles);
                }
            }
            // Unlike a job that has come to its end it rests until more is asked for (`bits.md` §1.9).
            (Connecting | Transferring, Satisfied(attempt, heard_of)) if attempt == self.attempt => {
                self.enter(if heard_of < self.demands { Queued } else { Suspended });
                self.demands_met = heard_of;
                self.forget_error();
            }
            (Connecting | Transferring, Failed(attempt, error)) if attempt == self.attempt => {
                self.fail(error, now);
            }
            (Connecting | Transferring, Challenged(attempt, error)) if attempt == self.attempt => {
                self.error_count += 1;
                self.error = Some(error);
                self.enter(Queued);
            }
            // Nothing has failed that another try would cure, and what has come is where it was.
            (Connecting | Transferring, VolumeMissing(attempt, error)) if attempt == self.attempt => {
                self.error = Some(error);
                self.enter(Queued);
            }
            (Queued, Unanswered) => self.enter(Error),

            // One more try comes before giving up when both are due: a machine that has slept, or was
            // off, has not tried in vain for all that time.
            (TransientError { retry_at }, TimePassed)
                if self.is_out_of_patience(now) && self.gives_up_before(retry_at) =>
            {
                self.enter(Error);
            }
            // A clock that was set back must not make a job wait for as long as it was.
            (TransientError { retry_at }, TimePassed)
                if retry_at <= now || retry_at.since(now) > self.delay_of_retry() =>
            {
                self.enter(Queued);
            }
            (Connecting | Transferring, OutOfTime(error)) => {
                effects.push(Effect::Stop(self.attempt));
                self.error_count += 1;
                self.error = Some(error);
                self.enter(Error);
            }
            (state, Abandoned) if !state.is_final() => {
                self.deactivate(&mut effects);
                self.cancel(&mut effects);
            }

            // What the other network was good for says nothing of this one.
            (TransientError { .. }, NetworkChanged) => {
                self.failures_in_a_row = 0;
                self.enter(Queued);
            }

            (Suspended | Error | Transferred, FilesFinalized) => {
                self.enter(Acknowledged);
                self.forget_error();
                effects.push(Effect::ForgetSecrets);
            }
            // Nobody waits for the answer of a completion that the service does by itself; the
            // error is where its owner will look.
            (Transferred, NotFinalized(error)) if self.properties.complete_when_done => {
                self.error_count += 1;
                self.error = Some(JobError { transient: false, ..error });
                self.enter(Error);
            }
            (state, FilesLost(files)) if !state.is_final() => {
                self.files_transferred = self.files_transferred.saturating_sub(files);
            }
            (state, FileRejected(error)) if !state.is_final() => {
                self.files_transferred = self.files_transferred.saturating_sub(1);
                self.error_count += 1;
                self.deactivate(&mut effects);
                self.error = Some(error);
                self.enter(Error);
            }
            (Cancelled, FilesDiscarded) => self.discard_pending = false,

            // An event of an attempt that is over, or of no use in this state.
            (
                _,
                Granted | Yielded | Connected(_) | AwaitsConnection(_) | HasConnection(_) | Advanced(_)
                | FileBegun(_) | FileTransferred(_) | FilePassedOver(..) | FilesLost(_) | FileRejected(_)
                | Failed(..) | Challenged(..) | VolumeMissing(..) | Unanswered | FilesTransferred(_)
                | Satisfied(..) | FilesFinalized | NotFinalized(_) | FilesDiscarded | TimePassed
                | NetworkChanged | OutOfTime(_) | Abandoned,
            ) => return effects,
        }
        self.count_time(was_running, now);
        self.times.modified = now;
        effects
    }

    /// When [`Event::TimePassed`] will have an effect, if ever; it is `now`.
    pub fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let State::TransientError { retry_at } = self.state else { return None };
        let retry_at = if retry_at.since(now) > self.delay_of_retry() { now } else { retry_at };
        Some(self.patience_ends().map_or(retry_at, |end| end.min(retry_at)))
    }

    /// Files that are not whole yet.
    pub fn files_left(&self) -> u32 {
        self.files_total - self.files_transferred
    }

    /// Files that are not whole and still to be tried.
    pub fn files_to_come(&self) -> u32 {
        self.files_left().saturating_sub(self.files_passed_over)
    }

    /// Whether what has come of a file with this validator is kept when an attempt is stopped.
    pub(crate) fn keeps_what_came_of(&self, validator: &Validator) -> bool {
        self.properties.http.method.is_default()
            && !self.properties.transfer.dynamic_content
            && transfer::is_resumable(validator)
    }

    /// Whether it rests because nothing more is asked for of its files.
    pub fn is_satisfied(&self) -> bool {
        let is_on_demand = self.properties.transfer.on_demand && self.attempt > Attempt(0);
        is_on_demand && self.state == State::Suspended && self.demands_met == self.demands
    }

    /// Has every file tried again that was passed over.
    pub(crate) fn try_again(&mut self) {
        self.files_passed_over = 0;
    }

    /// Stops what is going on, so that it begins again with what has changed; a job that does not
    /// run stays where it is.
    pub(crate) fn restart(&mut self, now: Timestamp) -> Vec<Effect> {
        self.touch(now);
        if !self.state.is_running() {
            return Vec::new();
        }
        self.enter(State::Queued);
        self.stop_counting(now);
        Vec::from([Effect::Stop(self.attempt)])
    }

    /// Whether the change may still be made (`bits.md` §1.6).
    ///
    /// # Errors
    /// [`Refusal::ReadOnlyAfterResume`], [`Refusal::ReadOnlyAfterAddFile`].
    fn may_change(&self, change: &PropertyChange) -> Result<(), Refusal> {
        let id = self.id;
        match change {
            PropertyChange::DynamicContent(yes)
                if self.resumed && *yes != self.properties.transfer.dynamic_content =>
            {
                Err(Refusal::ReadOnlyAfterResume { id, what: "dynamic-content" })
            }
            PropertyChange::OnDemand(yes) if self.resumed && *yes != self.properties.transfer.on_demand => {
                Err(Refusal::ReadOnlyAfterResume { id, what: "on-demand" })
            }
            PropertyChange::MaxDownloadSize(_) if self.resumed => {
                Err(Refusal::ReadOnlyAfterResume { id, what: "max-download-size" })
            }
            PropertyChange::HighPerformance(yes)
                if self.files_total > 0 && *yes != self.properties.transfer.high_performance =>
            {
                Err(Refusal::ReadOnlyAfterAddFile { id, what: "high-performance" })
            }
            _ => Ok(()),
        }
    }

    /// Whether a secret of this job was refused, and no new one has been set since.
    pub fn secret_refused(&self) -> bool {
        let challenge = self.error.as_ref().and_then(|error| error.challenge.as_ref());
        challenge.is_some_and(|challenge| challenge.refused)
    }

    /// Takes note that credentials were set: what was refused is no longer what will be sent.
    pub(crate) fn has_new_credentials(&mut self) {
        if let Some(challenge) = self.error.as_mut().and_then(|error| error.challenge.as_mut()) {
            challenge.refused = false;
        }
    }

    /// An error of a file that was passed over stays: it is why the job ends in part.
    fn forget_error(&mut self) {
        if self.files_passed_over == 0 {
            self.error = None;
        }
    }

    /// What went wrong before is over.
    fn has_advanced(&mut self, now: Timestamp) {
        self.active_at = now;
        self.failures_in_a_row = 0;
        self.same_failures = 0;
        self.stalled_since = None;
    }

    fn enter(&mut self, state: State) {
        self.state = state;
    }

    /// Stops what is going on; a job at rest stays where it is.
    fn deactivate(&mut self, effects: &mut Vec<Effect>) {
        if self.state.is_running() {
            effects.push(Effect::Stop(self.attempt));
        }
        if self.state.is_active() {
            self.enter(State::Suspended);
        }
    }

    /// The last step of a job that its owner, or the service for want of one, gives up.
    fn cancel(&mut self, effects: &mut Vec<Effect>) {
        self.enter(State::Cancelled);
        self.discard_pending = true;
        effects.extend([Effect::ForgetSecrets, Effect::DiscardFiles]);
    }

    fn fail(&mut self, mut error: JobError, now: Timestamp) {
        // An error that follows by itself does not make a refused secret good again.
        if error.challenge.is_none() && self.secret_refused() {
            error.challenge = self.error.as_mut().and_then(|last| last.challenge.take());
        }
        self.error_count += u32::from(!UNCOUNTED.contains(&error.code));
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let is_another = self.error.as_ref().is_some_and(|last| last.code != error.code);
        self.same_failures = if is_another { 1 } else { self.same_failures.saturating_add(1) };
        self.classify_by_repetition(&mut error);
        let delay = self.delay_after(&error);
        if error.transient {
            self.stalled_since.get_or_insert(now);
        }
        let hopeless = !error.transient
            || !self.properties.http.method.is_default()
            || self.properties.no_progress_timeout.is_zero()
            || delay > self.properties.no_progress_timeout
            || self.is_out_of_patience(now);
        self.error = Some(error);
        self.enter(if hopeless { State::Error } else { State::TransientError { retry_at: now + delay } });
    }

    /// How long the job waits in all until it is tried again, after the error it has met.
    fn delay_of_retry(&self) -> Duration {
        self.error.as_ref().map_or(Duration::ZERO, |error| self.delay_after(error))
    }

    fn delay_after(&self, error: &JobError) -> Duration {
        let delay = self.properties.retry_delay(self.failures_in_a_row, error.retry_after_seconds);
        delay + self.spread(delay)
    }

    /// What time does not cure although it could shows when it comes again and again (`bits.md`
    /// §13, 32).
    fn classify_by_repetition(&self, error: &mut JobError) {
        if !error.transient {
            return;
        }
        if self.beginnings >= BEGINNINGS_MAX {
            error.transient = false;
            error.code = Code::NO_PROGRESS;
            error.message = format!(
                "a file was begun {} times and never came to its end; the last time: {}",
                self.beginnings, error.message
            );
        } else if self.same_failures >= SAME_ANSWERS_MAX && is_wrong_answer(error.code) {
            error.transient = false;
            error.message = format!("{} ({} times in a row)", error.message, self.same_failures);
        }
    }

    /// What is added to a delay so that not all who failed together come back together: up to a
    /// quarter of it. Ids are random, and that is all the randomness there is here. A delay that the
    /// owner has set stays as it is.
    fn spread(&self, delay: Duration) -> Duration {
        if self.properties.minimum_retry_delay.is_some() {
            return Duration::ZERO;
        }
        // SplitMix64 over the id and the number of the attempt.
        let words = self.id.0.chunks(8).map(|word| word.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
        let mixed = words.chain([u64::from(self.attempt.0)]).fold(0_u64, |state, word| {
            let state = (state ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
            let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            state ^ (state >> 31)
        });
        let parts = (mixed % u64::from(SPREAD_PARTS)) as u32;
        delay * parts / (4 * SPREAD_PARTS)
    }

    fn patience_ends(&self) -> Option<Timestamp> {
        self.stalled_since.map(|since| since + self.properties.no_progress_timeout)
    }

    fn gives_up_before(&self, retry_at: Timestamp) -> bool {
        self.patience_ends().is_some_and(|end| end < retry_at)
    }

    fn is_out_of_patience(&self, now: Timestamp) -> bool {
        self.patience_ends().is_some_and(|end| end <= now)
    }
}
