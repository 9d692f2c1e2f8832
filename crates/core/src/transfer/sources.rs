//! Which source of a file is asked next, and which one not any more.
//!
//! What has come from one source is gone on with at another only where both are known to have the same
//! bytes: by a checksum of the whole file, which is looked at in the end, or by one strong entity tag
//! and one length (RFC 6249). Between all others the file begins anew. A source is dropped once for
//! each attempt, so each attempt comes to an end.
//!
//! Nothing is known here of answers, ranges and files: that is the plan's.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use crate::error::JobError;
use crate::file::File;
use crate::remote_name::RemoteName;
use crate::sources::{
    DropReason, Dropped, LINKED_MIRRORS_MAX, Mirror, MirrorOrigin, SourceIndex, Sources, ties,
};
use crate::time::Timestamp;
use crate::units::Bytes;

/// Time over which it is seen how fast a source is.
const WATCHED: Duration = Duration::from_secs(10);
/// Bytes a second below which another source is tried, whatever is known of it.
pub(super) const SLOW_RATE: Bytes = Bytes(16 * 1024);
/// How many times as fast another source must have been for this one to be slow.
const MUCH_FASTER: u64 = 4;

/// By what another source may go on with what has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// By the checksum of the whole file.
    Checksum,
    /// By a strong entity tag, which the other must have too.
    EntityTag,
}

/// What of the file is here when a source is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Here {
    /// Whether there are bytes worth keeping.
    pub(super) any: bool,
    /// By what others may go on with them, or may be begun with.
    pub(super) tie: Option<Tie>,
    /// Whether the source they are of has brought some in this attempt, and may go on when it is asked
    /// later.
    pub(super) worth_waiting_for: bool,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// With the rest, from this source.
    GoOn(SourceIndex),
    /// From the beginning, from this source.
    Anew(SourceIndex),
    /// Not at all in this attempt.
    GiveUp,
}

/// The sources of one download.
#[derive(Debug)]
pub(super) struct Choice {
    original: RemoteName,
    /// Whether the owner gave a checksum that tells whatever anybody sends.
    is_checked: bool,
    sources: Sources,
    current: SourceIndex,
    /// From which the bytes came that are here; none when they are of several, or nobody knows.
    bytes_of: Option<SourceIndex>,
    /// Whether the bytes must be of one source, since those of several were wrong together.
    alone: bool,
    /// What each source failed with, as long as it is dropped.
    errors: Vec<Option<JobError>>,
    pace: Vec<Pace>,
    watched_since: Timestamp,
    watched_from: Bytes,
    changed: bool,
}

/// How fast a source was.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// Bytes a second, once it was watched.
    rate: Option<Bytes>,
    /// Whether it was dropped for being slow before; it is so once.
    was_slow: bool,
}

impl Choice {
    /// The choice for `file`; `recorded` is the source of the version of which a part is here.
    pub(super) fn new(file: &File, recorded: Option<SourceIndex>, is_wanted: bool) -> Self {
        let mut sources = if is_wanted { file.sources.clone() } else { Sources::default() };
        let count = sources.mirrors.len() + 1;
        let mut choice = Self {
            original: file.remote_name.clone(),
            is_checked: file.checksum.as_ref().is_some_and(ties),
            changed: false,
            current: SourceIndex::ORIGINAL,
            bytes_of: None,
            alone: false,
            errors: vec![None; count],
            pace: vec![Pace::default(); count],
            watched_since: Timestamp(0),
            watched_from: Bytes::ZERO,
            sources: Sources::default(),
        };
        let places: Vec<_> = sources.places().collect();
        // Under another remote name the original is another one.
        let has_lied = |place: &SourceIndex| {
            let is_new = file.moved && *place == SourceIndex::ORIGINAL;
            !is_new && sources.dropped(*place).is_some_and(|dropped| dropped.reason == DropReason::Lied)
        };
        // Time does not make a liar honest, but when all lied something else may be wrong.
        let all_lied = places.iter().all(has_lied);
        let forgiven: Vec<_> = places.iter().copied().filter(|place| all_lied || !has_lied(place)).collect();
        for place in &forgiven {
            choice.changed |= sources.dropped(*place).is_some();
            sources.set_dropped(*place, None);
        }
        choice.changed |= !sources.beside.is_empty();
        sources.beside.clear();
        choice.sources = sources;
        let recorded = recorded.filter(|place| forgiven.contains(place));
        choice.current = recorded.or(forgiven.first().copied()).unwrap_or_default();
        choice
    }

    pub(super) fn is_single(&self) -> bool {
        self.sources.is_single()
    }

    pub(super) fn current(&self) -> SourceIndex {
        self.current
    }

    pub(super) fn is_original(&self) -> bool {
        self.current == SourceIndex::ORIGINAL
    }

    /// The size that the file must have, if its owner said so.
    pub(super) fn size(&self) -> Option<Bytes> {
        self.sources.size
    }

    /// Where the current source has the file.
    pub(super) fn name(&self) -> &RemoteName {
        self.name_of(self.current)
    }

    /// Whether parts of the file may come from `place` beside others.
    pub(super) fn may_help(&self, place: SourceIndex) -> bool {
        !self.alone && self.may_be_asked(place) && self.is_ready(place)
    }

    /// Where the source at `place` has the file.
    pub(super) fn name_of(&self, place: SourceIndex) -> &RemoteName {
        self.sources.mirror(place).map_or(&self.original, |mirror| &mirror.remote_name)
    }

    /// Whether one server has both.
    pub(super) fn is_same_server(&self, one: SourceIndex, other: SourceIndex) -> bool {
        one == other || self.name_of(one).same_origin(self.name_of(other))
    }

    pub(super) fn places(&self) -> impl Iterator<Item = SourceIndex> + use<> {
        self.sources.places()
    }

    /// Content comes from the source at `place`, too.
    pub(super) fn helps(&mut self, place: SourceIndex) {
        if self.bytes_of != Some(place) {
            self.bytes_of = None;
        }
        if place != self.sources.in_use && !self.sources.beside.contains(&place) {
            self.sources.beside.push(place);
            self.sources.beside.sort_unstable();
            self.changed = true;
        }
    }

    /// Drops the source at `place`, which is not the current one.
    pub(super) fn drop_beside(&mut self, place: SourceIndex, reason: DropReason, error: &JobError) {
        assert_ne!(place, self.current, "the current one is dropped with what follows it");
        let why = error.message.clone();
        self.sources.set_dropped(place, Some(Dropped { reason, why }));
        self.sources.beside.retain(|beside| *beside != place);
        self.errors[usize::from(place.0)] = Some(error.clone());
        self.changed = true;
    }

    /// The sources as they are to be reported, if something has changed.
    pub(super) fn take_change(&mut self) -> Option<Sources> {
        core::mem::take(&mut self.changed).then(|| self.sources.clone())
    }

    /// The current source begins the file.
    pub(super) fn begins(&mut self) {
        self.bytes_of = Some(self.current);
        self.changed |= !self.sources.beside.is_empty();
        self.sources.beside.clear();
    }

    /// Content comes from the current source.
    pub(super) fn delivers(&mut self, received: Bytes, now: Timestamp) {
        if self.sources.in_use != self.current {
            self.sources.in_use = self.current;
            self.changed = true;
        }
        if self.bytes_of != Some(self.current) {
            self.bytes_of = None;
        }
        self.watch_from(received, now);
    }

    /// Takes in mirrors that the server of the original tells of, those it prefers first.
    pub(super) fn add(&mut self, links: Vec<RemoteName>) {
        let linked = |mirror: &&Mirror| mirror.origin == MirrorOrigin::Link;
        for remote_name in links {
            let known = self.sources.mirrors.iter().filter(linked).count();
            let is_new = remote_name != self.original && !self.sources.knows(&remote_name);
            if is_new && known < LINKED_MIRRORS_MAX {
                self.sources.mirrors.push(Mirror { remote_name, origin: MirrorOrigin::Link, dropped: None });
                self.errors.push(None);
                self.pace.push(Pace::default());
                self.changed = true;
            }
        }
    }

    /// Drops the current source, which failed with `error`, and says how it goes on.
    pub(super) fn drop_current(&mut self, reason: DropReason, error: &JobError, here: Here) -> Then {
        let place = usize::from(self.current.0);
        let why = error.message.clone();
        self.sources.set_dropped(self.current, Some(Dropped { reason, why }));
        self.errors[place] = Some(error.clone());
        self.pace[place].was_slow |= reason == DropReason::Slow;
        self.changed = true;
        let then = self.after(here);
        if let Then::GoOn(place) | Then::Anew(place) = then {
            self.current = place;
            self.sources.set_dropped(place, None);
        }
        then
    }

    fn after(&self, here: Here) -> Then {
        // What others may have is of no use where all must come from one.
        let tie = here.tie.filter(|_| !self.alone);
        if here.any && tie.is_some() {
            let ready = self.first(|place| self.is_ready(place));
            if let Some(place) = ready.or_else(|| self.fastest_of_the_slow()) {
                return Then::GoOn(place);
            }
        }
        // While the liar is looked for, each has its turn; what comes later would be mixed again.
        if here.any && here.worth_waiting_for && !self.alone {
            return Then::GiveUp;
        }
        let may_begin = |place| here.tie == Some(Tie::Checksum) || self.is_given(place);
        let ready = self.first(|place| self.is_ready(place) && may_begin(place));
        // The current one too: it has another version, of which all can be had there.
        let is_other = |place: &SourceIndex| {
            self.may_be_asked(*place) && self.is_dropped_as(*place, DropReason::Other) && may_begin(*place)
        };
        let others = || self.sources.places().find(is_other);
        let slow = || self.fastest_of_the_slow().filter(|place| may_begin(*place));
        ready.or_else(others).or_else(slow).map_or(Then::GiveUp, Then::Anew)
    }

    /// The whole file has the wrong checksum. Drops who is to blame, where that can be told, and says
    /// from whom all of it is fetched now.
    pub(super) fn is_wrong(&mut self, error: &JobError, here: Here) -> Then {
        let here = Here { any: false, worth_waiting_for: false, ..here };
        if let Some(liar) = self.bytes_of {
            self.current = liar;
            return self.drop_current(DropReason::Lied, error, here);
        }
        self.alone = true;
        for place in self.sources.places() {
            if !self.is_dropped_as(place, DropReason::Lied) {
                self.changed |= self.sources.dropped(place).is_some();
                self.sources.set_dropped(place, None);
            }
        }
        let may_begin = |place| here.tie == Some(Tie::Checksum) || self.is_given(place);
        let fits =
            |place: &SourceIndex| self.may_be_asked(*place) && self.is_ready(*place) && may_begin(*place);
        let Some(place) = self.sources.places().find(fits) else {
            return Then::GiveUp;
        };
        self.current = place;
        Then::Anew(place)
    }

    /// The error with which all have failed: one that time may cure, if there is such a one.
    pub(super) fn error(&self) -> Option<JobError> {
        let errors = || self.errors.iter().flatten();
        errors().find(|error| error.transient).or_else(|| errors().next()).cloned()
    }

    /// Sources that have failed in this attempt.
    pub(super) fn failed(&self) -> usize {
        self.errors.iter().flatten().count()
    }

    /// When it must be looked again whether the current source is too slow, if it can be left for that.
    pub(super) fn look_at(&self, tie: Option<Tie>) -> Option<Timestamp> {
        self.may_leave(tie).then(|| self.watched_since + WATCHED)
    }

    /// Whether the current source is so slow, after `received` bytes, that another is to go on.
    pub(super) fn is_slow(&mut self, tie: Option<Tie>, received: Bytes, now: Timestamp) -> bool {
        if now < self.watched_since + WATCHED {
            return false;
        }
        let millis = (now.since(self.watched_since).as_millis() as u64).max(1);
        let rate = Bytes(received.beyond(self.watched_from).0.saturating_mul(1000) / millis);
        self.pace[usize::from(self.current.0)].rate = Some(rate);
        self.watch_from(received, now);
        if !self.may_leave(tie) {
            return false;
        }
        let another_is_there = self.first(|place| self.is_ready(place)).is_some();
        let faster = self.fastest_of_the_slow().and_then(|place| self.pace[usize::from(place.0)].rate);
        another_is_there && rate < SLOW_RATE || faster.is_some_and(|faster| faster.0 / MUCH_FASTER > rate.0)
    }

    /// How fast the current source would be cannot be seen yet: until `now` it was held back.
    pub(super) fn was_held(&mut self, received: Bytes, now: Timestamp) {
        self.watch_from(received, now);
    }

    fn may_leave(&self, tie: Option<Tie>) -> bool {
        let other = || self.first(|place| self.is_ready(place)).or_else(|| self.fastest_of_the_slow());
        let was_slow = self.pace[usize::from(self.current.0)].was_slow;
        tie.is_some() && !self.alone && !was_slow && other().is_some()
    }

    fn watch_from(&mut self, received: Bytes, now: Timestamp) {
        self.watched_since = now;
        self.watched_from = received;
    }

    fn first(&self, fits: impl Fn(SourceIndex) -> bool) -> Option<SourceIndex> {
        self.sources
            .places()
            .find(|place| *place != self.current && self.may_be_asked(*place) && fits(*place))
    }

    /// A file that comes over TLS is not taken from a place where anybody on the way can change it,
    /// unless a checksum tells. Looked at when mirrors are given; the name may have changed since.
    fn may_be_asked(&self, place: SourceIndex) -> bool {
        let Some(mirror) = self.sources.mirror(place) else { return true };
        mirror.remote_name.is_tls() || !self.original.is_tls() || self.is_checked
    }

    fn is_ready(&self, place: SourceIndex) -> bool {
        self.sources.dropped(place).is_none()
    }

    fn is_given(&self, place: SourceIndex) -> bool {
        self.sources.mirror(place).is_none_or(|mirror| mirror.origin == MirrorOrigin::Given)
    }

    fn is_dropped_as(&self, place: SourceIndex, reason: DropReason) -> bool {
        self.sources.dropped(place).is_some_and(|dropped| dropped.reason == reason)
    }

    fn fastest_of_the_slow(&self) -> Option<SourceIndex> {
        let slow =
            |place: &SourceIndex| *place != self.current && self.is_dropped_as(*place, DropReason::Slow);
        let rate = |place: &SourceIndex| self.pace[usize::from(place.0)].rate;
        self.sources.places().filter(slow).max_by_key(|place| (rate(place), Reverse(*place)))
    }
}
