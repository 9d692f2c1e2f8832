//! Which parts of one file come at the same time, and from which source each.
//!
//! The plan of the download fetches the file from its front. Beside it, parts further behind may come over
//! connections of their own, where several sources are known to have the same bytes. Each part is
//! the whole rest of what another one was to fetch, or so much of it that both would be ready at the same
//! time; so a slow source is left with little, and one that has stopped with nothing. What a part has
//! brought stays, whatever becomes of its source; what it has not brought is another's.
//!
//! What is wanted of a server for a part, and what its answer means, is in `part`. Which sources are
//! any good is known to `sources`.

mod part;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

pub use part::{PartAsked, PartEnd, PartPlan};

use super::sources::{Choice, SLOW_RATE};
use crate::demand::{Filled, Span};
use crate::file::Validator;
use crate::sources::SourceIndex;
use crate::time::Timestamp;
use crate::units::Bytes;

/// Time over which it is seen how fast a part comes.
const WINDOW: Duration = Duration::from_millis(500);
/// How long nothing may come at first.
const PATIENCE: Duration = Duration::from_secs(10);
/// What comes sooner is not worth another connection.
const WORTHWHILE: Duration = Duration::from_secs(2);
/// How long no part is begun after there was no connection for one.
const FULL: Duration = Duration::from_secs(2);
/// How many times as fast a source must be to be given what another has begun and cannot share.
const FASTER: u64 = 2;
/// How many times as fast another source must be for one to be asked no more.
const MUCH_FASTER: u64 = 4;
/// A file that may just come in parts could be cut into so many.
const PIECES: u64 = 32;

/// Where parts begin, if that is possible.
const PAGE: u64 = 4096;

/// Whether, and how far, files come in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartsRules {
    /// Connections for one file at a time, at most; with one none comes in parts.
    pub most: u8,
    /// Those of them that go to one server, at most.
    pub of_one_server: u8,
    /// The least size of a file that does.
    pub bytes_min: Bytes,
}

impl PartsRules {
    /// For what is not fetched in parts any more, and was.
    pub(super) const NONE: Self = Self { most: 1, of_one_server: 1, bytes_min: Bytes::ZERO };
}

/// The number of a part, among those of one plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub u32);

/// The parts of one version of a file.
#[derive(Debug)]
pub(super) struct Parts {
    rules: PartsRules,
    size: Bytes,
    /// What is written.
    here: Filled,
    /// What of it is on the disk for sure.
    surely: Filled,
    syncing: Option<Filled>,
    coming: Vec<Part>,
    next_id: u32,
    front: Pace,
    known: BTreeMap<SourceIndex, Known>,
    room: Room,
}

/// Whether there may be another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    /// There was none just now.
    None,
    NotBefore(Timestamp),
}

/// Where the plan itself fetches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Front {
    pub(super) at: Bytes,
    /// What came before `at` and is not yet written begins here.
    pub(super) written: Bytes,
    pub(super) source: SourceIndex,
    /// Whether bytes come there.
    pub(super) comes: bool,
}

/// What is to be done about the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Begin {
        id: PartId,
        source: SourceIndex,
        from: Bytes,
        end: Bytes,
    },
    Leave(PartId),
    /// The same, and its source is so slow that nothing more is to come from there.
    LeaveSlow(PartId, SourceIndex),
    /// The front is so slow that another source is to have what is left for it.
    LeaveFront,
}

#[derive(Debug)]
struct Part {
    id: PartId,
    source: SourceIndex,
    began: Bytes,
    at: Bytes,
    /// One beyond the last byte that is still wanted of it.
    end: Bytes,
    is_left: bool,
    pace: Pace,
}

/// What is known of a source by the parts that have come from it.
#[derive(Debug, Default)]
struct Known {
    /// Bytes a second.
    rate: Option<u64>,
    /// Whether no part is to come from it any more.
    is_unfit: bool,
    /// Whether the front was left since it came from here too slowly; that happens once.
    was_left: bool,
    validator: Option<Validator>,
}

/// How fast something comes.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Bytes a second, once it was watched.
    rate: Option<u64>,
    /// Whether anything has come: until then it is the answer that is waited for.
    has_begun: bool,
    since: Timestamp,
    bytes: u64,
}

impl Parts {
    /// The parts of a version of `size` bytes, of which these are here and on the disk for sure.
    pub(super) fn new(rules: PartsRules, size: Bytes, here: Filled, now: Timestamp) -> Self {
        Self {
            rules,
            size,
            surely: here.clone(),
            here,
            syncing: None,
            coming: Vec::new(),
            next_id: 0,
            front: Pace::from(now),
            known: BTreeMap::new(),
            room: Room::Free,
        }
    }

    /// For the part that was begun last there is no connection now.
    pub(super) fn has_no_room(&mut self) {
        self.room = Room::None;
    }

    /// Whether any part is coming.
    pub(super) fn any(&self) -> bool {
        !self.coming.is_empty()
    }

    pub(super) fn here(&self) -> &Filled {
        &self.here
    }

    pub(super) fn surely(&self) -> &Filled {
        &self.surely
    }

    /// Up to where the file is here without a gap, from `at` on.
    pub(super) fn reaches(&self, at: Bytes) -> Bytes {
        self.here.gap(at, self.size).map_or(self.size, |gap| gap.from)
    }

    /// Up to where the front is to fetch from `at` on: what lies behind is here, or comes as a part.
    pub(super) fn front_end(&self, at: Bytes) -> Bytes {
        if self.reaches(at) > at {
            return at;
        }
        let taken = self.here.spans().iter().map(|span| span.from).filter(|from| *from > at);
        let coming = self.coming.iter().filter(|part| !part.is_left && part.at < part.end);
        let coming = coming.map(|part| part.at).filter(|from| *from >= at);
        taken.chain(coming).min().unwrap_or(self.size)
    }

    /// The validator with which a source has answered for a part before.
    pub(super) fn validator(&self, source: SourceIndex) -> Option<&Validator> {
        self.known.get(&source).and_then(|known| known.validator.as_ref())
    }

    /// The front begins to receive.
    pub(super) fn front_begins(&mut self, now: Timestamp) {
        self.front = Pace::from(now);
    }

    /// Does not count the time until `now` against anybody: what holds back the front holds back the parts.
    pub(super) fn was_held(&mut self, now: Timestamp) {
        let paces = self.coming.iter_mut().map(|part| &mut part.pace).chain([&mut self.front]);
        for pace in paces {
            *pace = Pace { since: now, bytes: 0, ..*pace };
        }
    }

    pub(super) fn front_received(&mut self, count: Bytes) {
        self.front.bytes = self.front.bytes.saturating_add(count.0);
    }

    /// Takes note that this is written.
    pub(super) fn wrote(&mut self, span: Span) {
        self.here.insert(span);
    }

    /// Part `id` is written up to `upto`. Says from which source it is.
    pub(super) fn written(&mut self, id: PartId, upto: Bytes) -> SourceIndex {
        let part = self.coming.iter_mut().find(|part| part.id == id).expect("the part is coming");
        part.pace.bytes = part.pace.bytes.saturating_add(upto.beyond(part.at).0);
        part.at = part.at.max(upto);
        let span = Span { from: part.began, end: part.at };
        let source = part.source;
        self.here.insert(span);
        source
    }

    /// Part `id` has ended, and how its source names its version. Says which source it was.
    pub(super) fn ended(&mut self, id: PartId, validator: Option<Validator>) -> SourceIndex {
        let at = self.coming.iter().position(|part| part.id == id).expect("the part is coming");
        let part = self.coming.remove(at);
        let known = self.known.entry(part.source).or_default();
        known.validator = validator.or(known.validator.take());
        part.source
    }

    /// No more parts are to come from `source`.
    pub(super) fn is_unfit(&mut self, source: SourceIndex) {
        self.known.entry(source).or_default().is_unfit = true;
    }

    /// A sync begins.
    pub(super) fn syncs(&mut self) {
        self.syncing = Some(self.here.clone());
    }

    /// The sync that was begun has ended well.
    pub(super) fn synced(&mut self) {
        self.surely = self.syncing.take().expect("a sync was begun");
    }

    /// One that is to be left since nothing of it is wanted any more.
    pub(super) fn leave_one(&mut self) -> Option<PartId> {
        let part = self.coming.iter_mut().find(|part| !part.is_left)?;
        part.is_left = true;
        Some(part.id)
    }

    /// What is to be done now, if anything.
    pub(super) fn next(&mut self, front: Front, choice: &Choice, now: Timestamp) -> Option<Act> {
        if front.comes {
            self.front.look(now);
            self.is_as_fast_as(front.source, self.front.rate);
        }
        for at in 0..self.coming.len() {
            let part = &mut self.coming[at];
            part.pace.look(now);
            let (source, rate) = (part.source, part.pace.rate);
            self.is_as_fast_as(source, rate);
        }
        // One that has come to the end of what was asked for ends by itself, and leaving it does no harm.
        if let Some(part) = self.coming.iter_mut().find(|part| !part.is_left && part.at >= part.end) {
            part.is_left = true;
            return Some(Act::Leave(part.id));
        }
        self.room = match self.room {
            Room::None => Room::NotBefore(now + FULL),
            Room::NotBefore(end) if end <= now => Room::Free,
            room => room,
        };
        if self.room != Room::Free {
            return None;
        }
        let connections = self.coming.len() + usize::from(front.comes);
        if connections == 0 || connections >= usize::from(self.rules.most) {
            return None;
        }
        let source = self.idle(front, choice)?;
        match self.free(front) {
            Some(gap) => Some(self.begin(source, gap, now)),
            None => self.take_over(source, front, now),
        }
    }

    /// When that is to be looked at again, if it is.
    pub(super) fn look_at(&self, front: Front, choice: &Choice, now: Timestamp) -> Option<Timestamp> {
        let may_more = self.coming.len() + usize::from(front.comes) < usize::from(self.rules.most);
        (may_more && self.idle(front, choice).is_some()).then(|| now + WINDOW)
    }

    fn is_as_fast_as(&mut self, source: SourceIndex, rate: Option<u64>) {
        if rate.is_some() {
            self.known.entry(source).or_default().rate = rate;
        }
    }

    /// A source from which a part may come beside those that do; the fastest, as far as that is known.
    fn idle(&self, front: Front, choice: &Choice) -> Option<SourceIndex> {
        let is_fit = |place: &SourceIndex| !self.known.get(place).is_some_and(|known| known.is_unfit);
        // Two names may be of one server, which is not to be asked twice for that.
        let connections = |place: SourceIndex| {
            let at_front = front.comes.then_some(front.source);
            let all = self.coming.iter().map(|part| part.source).chain(at_front);
            all.filter(|other| choice.is_same_server(place, *other)).count()
        };
        let rate = |place: SourceIndex| self.known.get(&place).and_then(|known| known.rate).unwrap_or(0);
        let fits = |place: &SourceIndex| {
            choice.may_help(*place)
                && is_fit(place)
                && connections(*place) < usize::from(self.rules.of_one_server)
        };
        let order = |place: &SourceIndex| (connections(*place), u64::MAX - rate(*place), *place);
        choice.places().filter(fits).min_by_key(order)
    }

    /// The first bytes that are not here and that nobody fetches.
    fn free(&self, front: Front) -> Option<Span> {
        let mut taken = self.here.clone();
        for part in self.coming.iter().filter(|part| !part.is_left) {
            taken.insert(Span { from: part.at, end: part.end });
        }
        if front.comes {
            taken.insert(Span { from: front.written, end: self.front_end(front.at) });
        }
        taken.gap(Bytes::ZERO, self.size)
    }

    fn begin(&mut self, source: SourceIndex, Span { from, end }: Span, now: Timestamp) -> Act {
        let id = PartId(self.next_id);
        self.next_id += 1;
        let pace = Pace::from(now);
        self.coming.push(Part { id, source, began: from, at: from, end, is_left: false, pace });
        Act::Begin { id, source, from, end }
    }

    /// Gives `source` so much of what would come last that both are ready at the same time, or all of it.
    fn take_over(&mut self, source: SourceIndex, front: Front, now: Timestamp) -> Option<Act> {
        let at_front = Some((None, front.at, self.front_end(front.at), self.front.rate));
        let parts = self.coming.iter().filter(|part| !part.is_left);
        let parts = parts.map(|part| (Some(part.id), part.at, part.end, part.pace.rate));
        let watched = at_front
            .filter(|_| front.comes)
            .into_iter()
            .chain(parts)
            .filter_map(|(who, at, end, rate)| Some((who, Span { from: at, end }, rate?)));
        let (who, left, rate) = watched.max_by_key(|(_, left, rate)| lasts(left.length(), *rate))?;
        let lasts_yet = lasts(left.length(), rate);
        if lasts_yet < WORTHWHILE.as_millis() {
            return None;
        }
        let known = self.known.get(&source).and_then(|known| known.rate);
        let faster = known.unwrap_or(rate);
        let bytes = left.length().0;
        let share = u128::from(bytes) * u128::from(faster) / u128::from((faster.saturating_add(rate)).max(1));
        let share = u64::try_from(share).expect("a share is less than all");
        let least = (self.rules.bytes_min.0 / PIECES).max(1);
        if share >= least && bytes - share >= least {
            let from = left.end.0 - share;
            // What begins on a page is written at less cost.
            let page = from - from % PAGE;
            let from = Bytes(if page >= left.from.0 + least { page } else { from });
            if let Some(part) = self.coming.iter_mut().find(|part| Some(part.id) == who) {
                part.end = from;
            }
            return Some(self.begin(source, Span { from, end: left.end }, now));
        }
        // It is not to be divided: whoever is much sooner ready with all of it has it.
        let is_sooner =
            known.is_some_and(|known| lasts(left.length(), known) * u128::from(FASTER) < lasts_yet);
        if !is_sooner && (known.is_some() || rate >= SLOW_RATE.0) {
            return None;
        }
        let is_slow = rate < SLOW_RATE.0 || known.is_some_and(|known| known / MUCH_FASTER > rate);
        let Some(part) = self.coming.iter_mut().find(|part| Some(part.id) == who) else {
            let known = self.known.entry(front.source).or_default();
            return (!core::mem::replace(&mut known.was_left, true)).then_some(Act::LeaveFront);
        };
        part.is_left = true;
        let (id, slow) = (part.id, part.source);
        if is_slow {
            self.is_unfit(slow);
            return Some(Act::LeaveSlow(id, slow));
        }
        Some(Act::Leave(id))
    }
}

/// Milliseconds in which so many bytes come.
fn lasts(bytes: Bytes, rate: u64) -> u128 {
    u128::from(bytes.0) * 1000 / u128::from(rate.max(1))
}

impl Pace {
    fn from(now: Timestamp) -> Self {
        Self { rate: None, has_begun: false, since: now, bytes: 0 }
    }

    fn look(&mut self, now: Timestamp) {
        let time = now.since(self.since);
        if !self.has_begun && self.bytes > 0 {
            *self = Self { has_begun: true, ..Self::from(now) };
            return;
        }
        if time < if self.has_begun { WINDOW } else { PATIENCE } {
            return;
        }
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = self.bytes.saturating_mul(1000) / millis;
        // What is seen last counts most.
        let rate = self.rate.map_or(rate, |known| known / 2 + rate / 2);
        *self = Self { rate: Some(rate), since: now, bytes: 0, ..*self };
    }
}
