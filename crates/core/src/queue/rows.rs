//! The jobs that are queued, in rows: half a hundred bytes each, however many there are.
//!
//! Those of a row wait in the same line and need the same of the conditions, so that a row as a whole is
//! held back or not: when the conditions change, no job is touched. Within a row those that have begun and
//! those that have not stand apart, each in the order in which they were queued. A job is found by its id,
//! taken out and put back to where it was without looking at others.
//!
//! Whose turn it is among the rows is not decided here, and jobs that run or wait for a time are not here.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::conditions::{Hold, Needs};
use crate::job::{JobId, Priority};

use super::turns::{Line, Order, Place, Terms};

/// A number of an entry or a row, of which there are fewer than four thousand million.
pub(super) type Number = u32;
/// Of nothing.
const NONE: Number = Number::MAX;

/// One job. There can be a million of these.
#[derive(Debug, Clone, Copy)]
struct Entry {
    job: JobId,
    order: Order,
    row: Number,
    /// Those beside it among the ones of its row that have begun, or have not; of an entry that is not in
    /// use `next` is another such.
    previous: Number,
    next: Number,
    has_begun: bool,
}

/// Jobs in the order in which they were queued.
#[derive(Debug, Clone, Copy)]
struct List {
    first: Number,
    last: Number,
    count: u32,
    /// Whoever was adopted last, or when that one has left, the one that was before it: the next one that is
    /// adopted is likely to belong right behind it, while others join at the end.
    adopted: Number,
}

const EMPTY: List = List { first: NONE, last: NONE, count: 0, adopted: NONE };

#[derive(Debug)]
struct Row {
    line: Line,
    terms: Terms,
    /// What holds all of it back.
    hold: Option<Hold>,
    /// Those that have not begun, and those that have.
    lists: [List; 2],
}

impl Row {
    fn needs(&self) -> Needs {
        self.terms.needs(self.line)
    }

    fn count(&self) -> u32 {
        self.lists.iter().map(|list| list.count).sum()
    }
}

/// Where in its row a job joins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Joins {
    /// Behind all others.
    AtTheEnd,
    /// Where it belongs by its order.
    ByOrder,
    /// The same, and behind those of the same millisecond that were adopted before.
    Adopted,
    /// Behind this job if that is still right by its order, at the front where it is none.
    Behind(Option<JobId>),
}

/// A row whose hold is another than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) line: Line,
    pub(super) count: u32,
    pub(super) was_held: bool,
    pub(super) is_held: bool,
    pub(super) row: Number,
}

/// All jobs that are queued.
#[derive(Default)]
pub(super) struct Rows {
    entries: Vec<Entry>,
    /// The first entry that is not in use.
    free: Option<Number>,
    /// Where the entry of a job is. Its order is never looked at: it is another one each time.
    by_id: HashTable<Number>,
    hasher: DefaultHashBuilder,
    rows: Vec<Row>,
    free_rows: Vec<Number>,
    by_line: BTreeMap<(Line, Terms), Number>,
    /// Of whoever joined last at an end.
    newest: Order,
    /// Entries that were looked at to find a place by order; for tests.
    #[cfg(test)]
    pub(super) looked_at: usize,
}

impl fmt::Debug for Rows {
    /// Who waits where, and nothing of how that is kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.by_line.iter().map(|(line, number)| {
            let row = self.row(*number);
            let jobs = row.lists.map(|list| {
                let entries = self.walk(list.first, |entry| entry.next);
                entries.map(|entry| (entry.job, entry.order)).collect::<Vec<_>>()
            });
            (line, (row.hold, jobs))
        });
        f.debug_map().entries(rows).finish()
    }
}

impl Rows {
    /// What each job takes, beside its place in the table.
    #[cfg(test)]
    pub(super) const ENTRY_BYTES: usize = size_of::<Entry>();

    /// Where `job` stands, if it is queued, and what holds it back.
    pub(super) fn get(&self, job: JobId) -> Option<(Place, Option<Hold>)> {
        let entry = self.entry(self.find(job)?);
        let row = self.row(entry.row);
        let Row { line, terms, .. } = *row;
        Some((Place { line, has_begun: entry.has_begun, order: entry.order, terms }, row.hold))
    }

    /// The job before this one among those of its row that have begun, or have not.
    pub(super) fn before(&self, job: JobId) -> Option<JobId> {
        let previous = self.entry(self.find(job)?).previous;
        (previous != NONE).then(|| self.entry(previous).job)
    }

    /// Lets `job` wait at `place`; `hold` says what holds a row back. Whether it is held back is the answer.
    pub(super) fn insert(
        &mut self,
        job: JobId,
        place: Place,
        joins: Joins,
        hold: impl FnOnce(Needs) -> Option<Hold>,
    ) -> bool {
        debug_assert!(self.find(job).is_none(), "a job waits once");
        let number = self.row_of(place, hold);
        let list = self.row(number).lists[usize::from(place.has_begun)];
        let mut order = place.order;
        if let Joins::AtTheEnd = joins {
            // By a clock that was set back it would come before others.
            order = order.max(self.newest.next());
            self.newest = order;
        }
        let neighbour = match joins {
            Joins::AtTheEnd | Joins::ByOrder => None,
            Joins::Behind(None) => Some(NONE),
            Joins::Behind(Some(before)) => self.find(before).filter(|at| {
                let entry = self.entry(*at);
                entry.row == number && entry.has_begun == place.has_begun
            }),
            Joins::Adopted => Some(list.adopted).filter(|at| *at != NONE),
        };
        if let (Joins::Adopted, Some(at)) = (joins, neighbour)
            && order.is_as_old_as(self.entry(at).order)
        {
            order = order.max(self.entry(at).order.next());
        }
        let comes_after = |at: &Number| *at == NONE || self.entry(*at).order <= order;
        let previous = match neighbour.filter(comes_after) {
            Some(neighbour) => self.behind(neighbour, list, order),
            None => self.by_order(list, order),
        };
        if previous != NONE && self.entry(previous).order == order {
            // From now on those that were made at the same time keep this order.
            order = order.next();
        }
        let next = if previous == NONE { list.first } else { self.entry(previous).next };
        let entry = Entry { job, order, row: number, previous, next, has_begun: place.has_begun };
        let at = self.take_entry(entry);
        self.link(at, entry);
        if let Joins::Adopted = joins {
            self.rows[number as usize].lists[usize::from(place.has_begun)].adopted = at;
        }
        let hasher = &self.hasher;
        let entries = &self.entries;
        self.by_id
            .insert_unique(hasher.hash_one(job.0), at, |at| hasher.hash_one(entries[*at as usize].job.0));
        self.row(number).hold.is_some()
    }

    /// Takes out a job; says where it waited, and whether it was held back.
    pub(super) fn remove(&mut self, job: JobId) -> Option<(Place, bool)> {
        let (place, hold) = self.get(job)?;
        let hash = self.hasher.hash_one(job.0);
        let entries = &self.entries;
        let found = self.by_id.find_entry(hash, |at| entries[*at as usize].job == job).ok()?;
        let (at, _) = found.remove();
        let entry = *self.entry(at);
        self.unlink(at, entry);
        self.entries[at as usize].next = self.free.unwrap_or(NONE);
        self.free = Some(at);
        if self.row(entry.row).count() == 0 {
            self.by_line.remove(&(place.line, place.terms));
            self.free_rows.push(entry.row);
        }
        if self.by_id.is_empty() {
            // What a long queue took is given back.
            *self = Self { hasher: self.hasher.clone(), newest: self.newest, ..Self::default() };
        }
        Some((place, hold.is_some()))
    }

    /// The job that waits longest in `line` of those that have begun, or have not, and are not held back.
    pub(super) fn first(&self, line: Line, has_begun: bool) -> Option<JobId> {
        let firsts = self.rows_of(line).map(|row| row.lists[usize::from(has_begun)].first);
        let firsts = firsts.filter(|first| *first != NONE).map(|first| self.entry(first));
        firsts.min_by_key(|entry| entry.order).map(|entry| entry.job)
    }

    /// How many jobs of its line wait before `job`, counted no further than `most`.
    pub(super) fn ahead_of(&self, job: JobId, most: usize) -> usize {
        let Some(at) = self.find(job) else { return 0 };
        let entry = self.entry(at);
        let line = self.row(entry.row).line;
        let own = self.walk(entry.previous, |entry| entry.previous).take(most).count();
        let others = self.rows_of(line).map(|row| row.lists[usize::from(entry.has_begun)].first);
        let others = others.filter(|first| *first != NONE && self.entry(*first).row != entry.row);
        others.fold(own, |ahead, first| {
            let earlier = self.walk(first, |entry| entry.next).take_while(|other| other.order < entry.order);
            ahead + earlier.take(most.saturating_sub(ahead)).count()
        })
    }

    /// All jobs that wait on `level` and are not held back.
    pub(super) fn waiting_on(&self, level: Priority) -> impl Iterator<Item = JobId> {
        let rows = self.by_line.range((Line::first_of(level), Terms::FIRST)..);
        let rows = rows.take_while(move |((line, _), _)| line.priority == level).map(|(_, row)| *row);
        rows.filter(|row| self.row(*row).hold.is_none()).flat_map(|row| self.jobs_of(row))
    }

    /// Takes note that the conditions are others; the rows for which that makes a difference.
    pub(super) fn change_holds(&mut self, hold: impl Fn(Needs) -> Option<Hold>) -> Vec<Changed> {
        let mut changed = Vec::new();
        for number in self.by_line.values() {
            let row = &mut self.rows[*number as usize];
            let (was, is) = (row.hold, hold(row.needs()));
            if was != is {
                row.hold = is;
                let (was_held, is_held) = (was.is_some(), is.is_some());
                let (line, count) = (row.line, row.count());
                changed.push(Changed { line, count, was_held, is_held, row: *number });
            }
        }
        changed
    }

    /// The jobs that have found their volume not to be there.
    pub(super) fn lacking(&self) -> Vec<JobId> {
        let rows = self.by_line.iter().filter(|((_, terms), _)| terms.lacks_volume).map(|(_, row)| *row);
        rows.flat_map(|row| self.jobs_of(row)).collect()
    }

    /// The jobs of a row.
    pub(super) fn jobs_of(&self, row: Number) -> impl Iterator<Item = JobId> {
        let lists = self.row(row).lists;
        lists.into_iter().flat_map(|list| self.walk(list.first, |entry| entry.next)).map(|entry| entry.job)
    }

    /// The rows of `line` that are not held back; there are as many as jobs of one line have different terms.
    fn rows_of(&self, line: Line) -> impl Iterator<Item = &Row> {
        let rows = self.by_line.range((line, Terms::FIRST)..).take_while(move |((of, _), _)| *of == line);
        rows.map(|(_, row)| self.row(*row)).filter(|row| row.hold.is_none())
    }

    fn walk(&self, from: Number, on: impl Fn(&Entry) -> Number) -> impl Iterator<Item = &Entry> {
        let mut at = from;
        core::iter::from_fn(move || {
            let entry = (at != NONE).then(|| self.entry(at))?;
            at = on(entry);
            Some(entry)
        })
    }

    fn find(&self, job: JobId) -> Option<Number> {
        let hash = self.hasher.hash_one(job.0);
        self.by_id.find(hash, |at| self.entry(*at).job == job).copied()
    }

    fn entry(&self, at: Number) -> &Entry {
        &self.entries[at as usize]
    }

    fn row(&self, number: Number) -> &Row {
        &self.rows[number as usize]
    }

    /// The row of those that wait at `place`.
    fn row_of(&mut self, place: Place, hold: impl FnOnce(Needs) -> Option<Hold>) -> Number {
        let (rows, free) = (&mut self.rows, &mut self.free_rows);
        *self.by_line.entry((place.line, place.terms)).or_insert_with(|| {
            let hold = hold(place.needs());
            let row = Row { line: place.line, terms: place.terms, hold, lists: [EMPTY; 2] };
            match free.pop() {
                Some(number) => {
                    rows[number as usize] = row;
                    number
                }
                None => {
                    rows.push(row);
                    Number::try_from(rows.len() - 1).expect("no memory has room for more")
                }
            }
        })
    }

    fn take_entry(&mut self, entry: Entry) -> Number {
        match self.free {
            Some(at) => {
                let next = self.entry(at).next;
                self.free = (next != NONE).then_some(next);
                self.entries[at as usize] = entry;
                at
            }
            None => {
                self.entries.push(entry);
                let at = Number::try_from(self.entries.len() - 1).expect("no memory has room for more");
                assert!(at != NONE, "no memory has room for more");
                at
            }
        }
    }

    /// The last of `list` that comes no later than `order`. Whoever is put in so is nearly always at one of
    /// the ends, so both are looked at.
    fn by_order(&mut self, list: List, order: Order) -> Number {
        let (mut front, mut back) = (list.first, list.last);
        while front != NONE && back != NONE {
            #[cfg(test)]
            {
                self.looked_at += 1;
            }
            if self.entry(back).order <= order {
                return back;
            }
            if self.entry(front).order > order {
                return self.entry(front).previous;
            }
            (front, back) = (self.entry(front).next, self.entry(back).previous);
        }
        NONE
    }

    /// The same where `neighbour`, or nobody, comes no later than `order`: right behind it, if that is where
    /// the order is, and of those before it nobody is looked at.
    fn behind(&mut self, neighbour: Number, list: List, order: Order) -> Number {
        let first = if neighbour == NONE { list.first } else { self.entry(neighbour).next };
        if first == NONE || order <= self.entry(first).order {
            return neighbour;
        }
        self.by_order(List { first, ..list }, order)
    }

    fn link(&mut self, at: Number, entry: Entry) {
        let list = &mut self.rows[entry.row as usize].lists[usize::from(entry.has_begun)];
        list.count += 1;
        match entry.previous {
            NONE => list.first = at,
            previous => self.entries[previous as usize].next = at,
        }
        match entry.next {
            NONE => list.last = at,
            next => self.entries[next as usize].previous = at,
        }
    }

    fn unlink(&mut self, at: Number, entry: Entry) {
        let list = &mut self.rows[entry.row as usize].lists[usize::from(entry.has_begun)];
        list.count -= 1;
        if list.adopted == at {
            // Its entry may soon be that of another job.
            list.adopted = entry.previous;
        }
        match entry.previous {
            NONE => list.first = entry.next,
            previous => self.entries[previous as usize].next = entry.next,
        }
        match entry.next {
            NONE => list.last = entry.previous,
            next => self.entries[next as usize].previous = entry.previous,
        }
    }
}
