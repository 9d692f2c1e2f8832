//! From one source of a file to another.
//!
//! What has come is kept only where both have the same bytes for sure; what is under way into the
//! partial file is brought home first, so that nothing of one is written behind the start of another.

use alloc::format;
use alloc::string::String;

use super::{DownloadPlan, Next, Step};
use crate::checksum::Checksum;
use crate::error::{Code, ErrorContext, JobError};
use crate::queue::Report;
use crate::sources::{DropReason, ties};
use crate::time::Timestamp;
use crate::transfer::error::{TransportError, TransportFault, shown};
use crate::transfer::head::ResponseHead;
use crate::transfer::sources::{Here, Then, Tie};
use crate::transfer::version::Rest;
use crate::transfer::{links, validators};
use crate::units::Bytes;

impl DownloadPlan {
    /// What came of the body that was to be left has been told.
    pub fn left(&mut self) {
        let Step::Leaving { slow } = self.step else { return };
        if self.ending.is_some() {
            return;
        }
        if !slow {
            self.step = Step::Beside;
            return;
        }
        let error = TransportError {
            fault: TransportFault::TimedOut,
            message: format!("{} sends too slowly", self.target.authority()),
        };
        self.source_failed(DropReason::Slow, error.into());
    }

    /// How the rest of the version that is coming may be asked for.
    pub(super) fn rest(&self) -> Option<Rest> {
        let version = self.version.as_ref()?;
        if self.is_home() {
            return version.rest(self.resume_by, self.given.as_ref());
        }
        version.size?;
        match self.tie()? {
            Tie::Checksum => Some(Rest::Compared),
            Tie::EntityTag => version.validator.etag.clone().map(Rest::If),
        }
    }

    /// Whether the version that is here is one of the current source.
    pub(super) fn is_home(&self) -> bool {
        self.version.as_ref().is_none_or(|version| version.served.source == self.choice.current())
    }

    /// By what another source may go on with what is here, or begin it.
    pub(super) fn tie(&self) -> Option<Tie> {
        let version = self.version.as_ref();
        let served = version.and_then(|version| version.served.checksum.as_ref());
        if self.given.is_some() || served.or(self.promised.as_ref()).is_some_and(ties) {
            return Some(Tie::Checksum);
        }
        let tag = version.and_then(|version| validators::if_range(&version.validator));
        let is_tag = |tag: &&str| tag.starts_with('"');
        tag.filter(is_tag).map(|_| Tie::EntityTag)
    }

    /// The current source is of no use: goes on at another one, or ends.
    pub(super) fn source_failed(&mut self, reason: DropReason, mut error: JobError) {
        if self.ending.is_some() {
            return;
        }
        if self.choice.is_single() {
            return self.fail(error);
        }
        error.file.get_or_insert(self.file);
        let here = self.here(error.transient);
        let then = self.choice.drop_current(reason, &error, here);
        self.switch(then, error);
    }

    /// What has come as a whole is not the file; `wrong` says what it is instead.
    pub(super) fn is_wrong(&mut self, wrong: &str) {
        let error = JobError {
            code: Code::VALIDATION_FAILED,
            context: ErrorContext::RemoteFile,
            transient: false,
            message: format!("{} {wrong}", shown(&self.target)),
            file: Some(self.file),
            challenge: None,
            retry_after_seconds: None,
        };
        let here = self.here(false);
        let then = self.choice.is_wrong(&error, here);
        self.switch(then, error);
    }

    fn switch(&mut self, then: Then, error: JobError) {
        match then {
            Then::GiveUp => {
                self.report_sources();
                let failed = self.choice.failed();
                let mut error = self.choice.error().unwrap_or(error);
                if failed > 1 {
                    error.message = format!("{}; {failed} sources of the file have failed", error.message);
                }
                self.fail(error);
            }
            Then::GoOn(_) => {
                self.note(format!("{}; {} goes on", error.message, shown(self.choice.name())));
                self.report_sources();
                self.step = Step::Switch { anew: false };
            }
            Then::Anew(_) => {
                let source = shown(self.choice.name());
                self.note(format!("{}; {source} is asked from the beginning", error.message));
                self.report_sources();
                self.step = Step::Switch { anew: true };
            }
        }
    }

    /// Asks the source that was chosen, when nothing is under way any more.
    pub(super) fn ask_another(&mut self, anew: bool) -> Next {
        if anew {
            self.parts = None;
            self.goes_on_at(Bytes::ZERO, Bytes::ZERO);
        }
        self.body_end = None;
        self.target = self.choice.name().clone();
        self.sees_other = false;
        self.redirects = 0;
        self.step = Step::Asked;
        Next::Fetch(self.fetch())
    }

    /// Whether the current source is to be left for being too slow.
    pub(super) fn is_to_be_left(&mut self, now: Timestamp) -> bool {
        if self.choice.is_single() || self.has_parts_coming() {
            return false;
        }
        let tie = self.tie().filter(|_| self.size().is_some());
        self.choice.is_slow(tie, self.received, now)
    }

    /// Does not count the time until `now` against the source: it was we who held it back.
    pub fn was_held(&mut self, now: Timestamp) {
        self.choice.was_held(self.received, now);
        if let Some(parts) = &mut self.parts {
            parts.was_held(now);
        }
    }

    /// When that is to be looked at again.
    pub(super) fn look_at(&self) -> Option<Timestamp> {
        // While parts come nobody is left for being slow, and whoever looks at it then would do so for ever.
        if self.choice.is_single() || self.has_parts_coming() {
            return None;
        }
        self.choice.look_at(self.tie().filter(|_| self.size().is_some()))
    }

    /// Takes in where else the server says the same file is, if there is something by which that
    /// could be told.
    pub(super) fn take_links(&mut self, head: &ResponseHead) {
        let comes =
            matches!(self.step, Step::Cut(_) | Step::Placing | Step::Receiving) && self.ending.is_none();
        let sound = self.choice.is_original() && !self.rules.from_the_beginning;
        if !comes || !sound || head.field("link").is_none() {
            return;
        }
        let is_tied = match self.tie() {
            Some(Tie::Checksum) => self.checksum().is_some_and(ties),
            Some(Tie::EntityTag) => true,
            None => false,
        };
        if is_tied {
            self.choice.add(links::duplicates(&self.target, head));
            self.report_sources();
        }
    }

    pub(super) fn report_sources(&mut self) {
        if let Some(sources) = self.choice.take_change() {
            self.reports.push_back(Report::Sources { attempt: self.attempt, file: self.file, sources });
        }
    }

    /// What the original has promised the file to sum up to, before a mirror's own word.
    pub(super) fn promise(&self, said: Option<&Checksum>) -> Result<Option<Checksum>, String> {
        // What the owner says counts before it, and is looked at in the end.
        let promised = self.promised.as_ref().filter(|_| self.given.is_none());
        let Some(promised) = promised else { return Ok(said.cloned()) };
        match said {
            Some(said) if said.algorithm() == promised.algorithm() && said != promised => {
                Err(format!("has the checksum {said}, not {promised}"))
            }
            _ => Ok(Some(promised.clone())),
        }
    }

    fn here(&mut self, transient: bool) -> Here {
        let any = self.received > Bytes::ZERO && self.size().is_some();
        if self.is_home() {
            // What had to be begun anew once would have to be so again.
            let resumes = self.rest().is_some() && self.restarts == 0;
            self.home_may_go_on = transient && self.delivered && resumes;
        }
        Here { any, tie: self.tie(), worth_waiting_for: self.home_may_go_on }
    }
}
