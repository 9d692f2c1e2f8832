//! What an answer means for a download: which file it begins, which part it goes on with, where it
//! leads, or what is wrong with it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::{After, DownloadPlan, Fetch, RESTARTS_MAX, RangeAsked, Step};
use crate::error::{Code, JobError};
use crate::file::ResumeBy;
use crate::http_options::SecurityFlags;
use crate::queue::Report;
use crate::sources::{DropReason, ties};
use crate::time::Timestamp;
use crate::transfer::content_range::ContentRange;
use crate::transfer::error::{
    captive_error, invalid_answer, packed, redirect_error, shown, status_error, too_large_error,
};
use crate::transfer::head::{BodyLength, ResponseHead};
use crate::transfer::redirect;
use crate::transfer::sources::Tie;
use crate::transfer::version::{self, Rest, Version};
use crate::units::Bytes;

/// The least size of a file for which it is worth saying that it cannot be resumed.
const NOTED_BYTES: Bytes = Bytes(16 * 1024 * 1024);

impl DownloadPlan {
    /// The final answer to [`Next::Fetch`](super::Next::Fetch) has come.
    pub fn answered(&mut self, head: &ResponseHead, now: Timestamp) {
        assert_eq!(self.step, Step::Asked, "an answer follows a question");
        let asked = self.fetch().range;
        match (head.status, asked) {
            (200 | 206, _) if head.content_coding().is_some() => {
                self.fail_as_invalid(packed(head));
            }
            (200, _) if !self.ranges.is_all() => self.fail_as(
                Code::INSUFFICIENT_RANGE_SUPPORT,
                "sends all of the file where parts of it were asked for, so it does not serve parts",
            ),
            (200, _) if self.is_page_in_its_place(head) => self.fail_as_captive(),
            (200, None) => self.begin_whole(head, now),
            (200, Some(_)) if !self.is_home() && self.received > Bytes::ZERO => self.fail_as_another(
                "does not serve the rest of the file of which a part is here: it has another version, or serves no parts",
            ),
            (200, Some(_)) => {
                self.note_restart(head);
                // Whoever serves no parts would be asked for some again and again.
                self.in_order = true;
                self.begin_whole(head, now);
            }
            (206, Some(asked)) if self.received == Bytes::ZERO => self.begin_part(&asked, head, now),
            (206, Some(asked)) => self.go_on(&asked, head, now),
            (206, None) => {
                self.fail_as_invalid(
                    "answered with a part of the file although all was asked for".to_owned(),
                );
            }
            (416, Some(asked)) if self.received == Bytes::ZERO => {
                self.fail_as(Code::INVALID_RANGE, &format!("has nothing from byte {} on", asked.from.0))
            }
            (416, Some(asked)) if !self.is_home() => {
                self.fail_as_another(&format!("has nothing from byte {} on", asked.from.0));
            }
            (416, Some(asked)) => {
                let why = format!("has nothing from byte {} on any more", asked.from.0);
                self.start_over(&why);
            }
            (status, _) if redirect::is_redirect(status) => self.follow(head),
            _ => {
                let error = status_error(&self.target, head, Some(self.file));
                self.source_failed(DropReason::Refused, error);
            }
        }
        if matches!(head.status, 200 | 206) {
            self.take_links(head);
            self.plan_parts(now);
        }
    }

    /// What is asked of the server now.
    pub(super) fn fetch(&self) -> Fetch {
        let total = self.version.as_ref().and_then(|version| version.total);
        let (from, end) = self.ranges.locate(self.received, total);
        let range = if self.received > Bytes::ZERO {
            self.rest().map(|rest| RangeAsked {
                from,
                end: end.filter(|_| !self.ranges.is_all()).or(self.front_end()),
                if_range: match rest {
                    Rest::If(validator) => Some(validator),
                    Rest::Compared => None,
                },
            })
        } else {
            (!self.ranges.is_all()).then_some(RangeAsked { from, end, if_range: None })
        };
        Fetch {
            remote_name: self.target.clone(),
            range,
            with_credentials: self.target.same_origin(&self.remote_name),
            as_get: self.sees_other,
        }
    }

    /// All of a file is coming: another version than before, or the first one known.
    fn begin_whole(&mut self, head: &ResponseHead, now: Timestamp) {
        self.begin(Version::of_whole(head), head, now);
        self.body_end = self.size();
        // The first answer decides: what comes after it is of a file that is on record.
        let may_gather = self.size().zip(self.gather_max.take()).is_some_and(|(size, max)| size <= max);
        let begins = matches!(self.step, Step::Cut(_)) && self.ending.is_none();
        if may_gather && begins && self.checksum().is_none() {
            self.step = Step::Gathering;
        }
    }

    /// The first part of several is coming, or the only one.
    fn begin_part(&mut self, asked: &RangeAsked, head: &ResponseHead, now: Timestamp) {
        let range = match ContentRange::of_answer(asked, head) {
            Ok(range) => range,
            Err(said) => {
                let wrong =
                    format!("was not served from byte {} on as asked (Content-Range: {said})", asked.from.0);
                return self.fail_as(Code::INVALID_SERVER_RESPONSE, &wrong);
            }
        };
        let Some(total) = range.total else {
            let wrong = "does not say how long the file is of which it serves a part";
            return self.fail_as(Code::INSUFFICIENT_RANGE_SUPPORT, wrong);
        };
        let size = match self.ranges.size_of(total) {
            Ok(size) => size,
            Err(beyond) => {
                let wrong = format!("is {total} long, so it does not have the range {beyond}");
                return self.fail_as(Code::INVALID_RANGE, &wrong);
            }
        };
        let version = Version::of_part(head, size, total);
        let several = self.ranges.as_slice().len() > 1;
        if several && version.rest(self.resume_by, self.given.as_ref()).is_none() {
            let wrong = "gives nothing by which parts of one version of the file could be told from those of \
                         another; resuming by size and time or by a checksum would do without";
            return self.fail_as(Code::INSUFFICIENT_RANGE_SUPPORT, wrong);
        }
        self.begin(version, head, now);
        self.body_end = Some(range.end.beyond(range.first));
    }

    fn begin(&mut self, mut version: Version, head: &ResponseHead, now: Timestamp) {
        if self.may_not_be_so_large(&version) {
            return self.fail_as_too_large();
        }
        if let Some((size, expected)) = version.size.zip(self.choice.size())
            && size != expected
        {
            let wrong = format!("has {} bytes, not {}", size.0, expected.0);
            return self.fail_as_other(DropReason::Lied, Code::VALIDATION_FAILED, &wrong);
        }
        version.served.source = self.choice.current();
        if self.choice.is_original() {
            self.promised = version.served.checksum.clone().filter(ties);
        } else {
            match self.promise(version.served.checksum.as_ref()) {
                Ok(checksum) => version.served.checksum = checksum,
                Err(wrong) => {
                    return self.fail_as_other(DropReason::Lied, Code::VALIDATION_FAILED, &wrong);
                }
            }
        }
        let worth_saying = version.size.is_none_or(|size| size >= NOTED_BYTES);
        if version.rest(self.resume_by, self.given.as_ref()).is_none() && worth_saying {
            let why = self.why_not_resumable(head, &version);
            self.note(format!(
                "if the transfer of {} breaks off, it begins anew: {why}",
                shown(&self.target)
            ));
        }
        self.version = Some(version);
        self.parts = None;
        self.is_read = false;
        self.goes_on_at(Bytes::ZERO, Bytes::ZERO);
        self.choice.begins();
        self.connected(now);
        self.step = Step::Cut(After::ReportVersion);
    }

    fn may_not_be_so_large(&self, version: &Version) -> bool {
        version.size.zip(self.rules.bytes_max).is_some_and(|(size, most)| size > most)
    }

    /// A part is coming, perhaps the one that was asked for.
    fn go_on(&mut self, asked: &RangeAsked, head: &ResponseHead, now: Timestamp) {
        let version = self.version.as_ref().expect("a range is asked of a known version");
        let range = head.field("content-range").and_then(ContentRange::parse);
        let by = match self.tie() {
            _ if self.is_home() => self.resume_by,
            Some(Tie::EntityTag) => ResumeBy::Validator,
            Some(Tie::Checksum) | None => ResumeBy::Checksum,
        };
        // Of a mirror it must be known that it has the same length.
        let is_unsure = !self.is_home() && range.is_none_or(|range| range.total.is_none());
        if is_unsure || version.differs(by, head, range) {
            return match self.is_home() {
                true => self.start_over("has changed"),
                false => self.fail_as_another("has another version of the file"),
            };
        }
        // Other files may have come since this one was begun.
        if self.may_not_be_so_large(version) {
            return self.fail_as_too_large();
        }
        match ContentRange::of_answer(asked, head) {
            Ok(range) => {
                self.body_end = Some(self.received.saturating_add(range.end.beyond(range.first)));
                self.connected(now);
                let was_trimmed = self.trimmed;
                if was_trimmed {
                    self.step = if self.parts.is_some() { Step::Placing } else { Step::Receiving };
                } else {
                    self.step = Step::Cut(After::Receive);
                }
                if !was_trimmed && self.is_home() {
                    self.reports.push_back(Report::Headers {
                        attempt: self.attempt,
                        file: self.file,
                        headers: version::headers(head),
                    });
                }
            }
            Err(said) => {
                let why =
                    format!("was not served from byte {} on as asked (Content-Range: {said})", asked.from.0);
                match self.is_home() {
                    true => self.start_over(&why),
                    false => self.fail_as_another(&why),
                }
            }
        }
    }

    /// Asks for all of the file, without a range. What is in the partial file stays until the
    /// answer is there.
    pub(super) fn start_over(&mut self, why: &str) {
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            let wrong = format!("{why}, for the {}th time in a row", self.restarts);
            return self.fail_as(Code::NO_PROGRESS, &wrong);
        }
        self.note(format!("{} {why}; it is fetched from the beginning", shown(&self.target)));
        self.parts = None;
        self.goes_on_at(Bytes::ZERO, Bytes::ZERO);
        self.body_end = None;
        self.target = self.choice.name().clone();
        self.redirects = 0;
        self.sees_other = false;
        self.step = Step::Ask;
    }

    fn follow(&mut self, head: &ResponseHead) {
        let to = redirect::target(&self.target, head, self.redirects, self.rules.redirects);
        match to {
            Ok(target) if self.rules.redirects.has(SecurityFlags::REDIRECT_DISALLOW) => {
                let message = redirect::not_followed(&self.target, &target);
                if self.choice.is_original() {
                    self.report_remote_name(&target);
                }
                self.fail_redirect(head.status, message);
            }
            Ok(target) => {
                self.redirects += 1;
                self.sees_other |= head.status == 303;
                self.target = target;
                self.step = Step::Ask;
            }
            Err(message) => self.fail_redirect(head.status, message),
        }
    }

    fn fail_redirect(&mut self, status: u16, message: String) {
        self.source_failed(DropReason::Refused, redirect_error(status, message, self.file));
    }

    fn connected(&mut self, now: Timestamp) {
        if !self.unsynced {
            self.last_sync = now;
        }
        self.last_shown = now;
        self.choice.delivers(self.received, now);
        if let Some(parts) = &mut self.parts {
            parts.front_begins(now);
        }
        self.report_sources();
        self.reports.push_back(Report::Connected { attempt: self.attempt });
        if self.choice.is_original()
            && self.rules.redirects.has(SecurityFlags::REDIRECT_REPORT)
            && self.target != self.remote_name
        {
            let target = self.target.clone();
            self.report_remote_name(&target);
        }
    }

    fn report_remote_name(&mut self, target: &crate::remote_name::RemoteName) {
        self.reports.push_back(Report::RemoteName {
            attempt: self.attempt,
            file: self.file,
            remote_name: target.clone(),
        });
    }

    fn note_restart(&mut self, head: &ResponseHead) {
        let known = self.version.as_ref().map(|version| &version.validator);
        let why = match known {
            Some(known) if !crate::transfer::validators::contradicts(known, head) => "is not served in parts",
            _ => "has changed",
        };
        self.note(format!("{} {why}; it is fetched from the beginning", shown(&self.target)));
    }

    fn is_page_in_its_place(&self, head: &ResponseHead) -> bool {
        self.version.as_ref().is_some_and(|version| version.is_page_in_its_place(head))
    }

    fn fail_as_captive(&mut self) {
        self.source_failed(DropReason::Refused, captive_error(&self.target, self.file));
    }

    fn fail_as_invalid(&mut self, wrong: String) {
        let error = invalid_answer(format!("{} {wrong}", shown(&self.target)), self.file);
        self.source_failed(DropReason::Refused, error);
    }

    pub(super) fn fail_as(&mut self, code: Code, wrong: &str) {
        self.fail_as_other(DropReason::Refused, code, wrong);
    }

    /// What a mirror has is not what is here a part of.
    fn fail_as_another(&mut self, wrong: &str) {
        self.fail_as_other(DropReason::Other, Code::INVALID_SERVER_RESPONSE, wrong);
    }

    fn fail_as_other(&mut self, reason: DropReason, code: Code, wrong: &str) {
        let invalid = invalid_answer(format!("{} {wrong}", shown(&self.target)), self.file);
        self.source_failed(reason, JobError { code, ..invalid });
    }

    pub(super) fn fail_as_too_large(&mut self) {
        let most = self.rules.bytes_max.unwrap_or_default();
        self.fail(too_large_error(&self.target, most, self.file));
    }

    fn why_not_resumable(&self, head: &ResponseHead, version: &Version) -> &'static str {
        match (head.body, self.resume_by, &version.validator.etag) {
            (BodyLength::UntilClose | BodyLength::Chunked, ..) => {
                "the server does not say how long the file is"
            }
            (_, ResumeBy::SizeAndTime, _) => "the server does not say when the file was last changed",
            (_, ResumeBy::Checksum, _) => "no checksum of it was given",
            (_, ResumeBy::Validator, Some(_)) => "the server gives only a weak entity tag",
            (_, ResumeBy::Validator, None) => {
                "the server gives nothing by which this version of the file could be told from another"
            }
        }
    }
}
