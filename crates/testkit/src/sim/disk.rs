//! A disk that keeps what POSIX promises and nothing beyond: what was written survives the end of a
//! process, and only what was synced survives a power cut. Of the rest each write and each name may
//! survive, be torn, or be forgotten, in any order.

use std::collections::BTreeMap;

use super::extents::Extents;
use super::random::Random;

/// A file, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InodeId(usize);

impl InodeId {
    pub(super) fn number(self) -> u64 {
        self.0 as u64 + 1
    }
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, InodeId>,
    /// The names as they are on the platter.
    lasting_names: BTreeMap<String, InodeId>,
    unsynced_names: Vec<NameChange>,
    /// Whether there is no room.
    pub(super) is_full: bool,
}

#[derive(Debug, Default)]
struct Inode {
    content: Extents,
    /// What is on the platter.
    lasting: Extents,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Extents),
    Truncate(u64),
}

#[derive(Debug, Clone)]
enum NameChange {
    Create(String, InodeId),
    Rename(String, String, InodeId),
    Remove(String),
}

/// How much of a file a sync that begins now will cover.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize);

impl Disk {
    pub(super) fn find(&self, name: &str) -> Option<InodeId> {
        self.names.get(name).copied()
    }

    pub(super) fn content(&self, file: InodeId) -> &Extents {
        &self.inodes[file.0].content
    }

    /// What is under `name` after a power cut.
    pub(super) fn lasting(&self, name: &str) -> Option<&Extents> {
        self.lasting_names.get(name).map(|file| &self.inodes[file.0].lasting)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&String, &Extents)> {
        self.names.iter().map(|(name, file)| (name, self.content(*file)))
    }

    /// A file that has lain there for long.
    pub(super) fn put_lasting(&mut self, name: &str, content: Extents) {
        let file = InodeId(self.inodes.len());
        self.inodes.push(Inode { content: content.clone(), lasting: content, unsynced: Vec::new() });
        self.names.insert(name.to_owned(), file);
        self.lasting_names.insert(name.to_owned(), file);
    }

    pub(super) fn create(&mut self, name: &str) -> InodeId {
        let file = InodeId(self.inodes.len());
        self.inodes.push(Inode::default());
        self.names.insert(name.to_owned(), file);
        self.unsynced_names.push(NameChange::Create(name.to_owned(), file));
        file
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(file) = self.names.remove(from) else { return };
        self.names.insert(to.to_owned(), file);
        self.unsynced_names.push(NameChange::Rename(from.to_owned(), to.to_owned(), file));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if self.names.remove(name).is_some() {
            self.unsynced_names.push(NameChange::Remove(name.to_owned()));
        }
    }

    pub(super) fn write(&mut self, file: InodeId, at: u64, what: &Extents) {
        self.inodes[file.0].change(Change::Write(at, what.clone()));
    }

    pub(super) fn truncate(&mut self, file: InodeId, to: u64) {
        if self.content(file).len() != to {
            self.inodes[file.0].change(Change::Truncate(to));
        }
    }

    pub(super) fn mark(&self, file: InodeId) -> Mark {
        Mark(self.inodes[file.0].unsynced.len())
    }

    /// All that was changed before `mark` lasts.
    pub(super) fn sync(&mut self, file: InodeId, mark: Mark) {
        let inode = &mut self.inodes[file.0];
        if mark.0 >= inode.unsynced.len() {
            inode.unsynced.clear();
            inode.lasting.clone_from(&inode.content);
            return;
        }
        for change in inode.unsynced.drain(..mark.0) {
            change.apply(&mut inode.lasting);
        }
    }

    /// The names in the folder of `name` last.
    pub(super) fn sync_folder_of(&mut self, name: &str) {
        let folder = parent(name);
        for change in std::mem::take(&mut self.unsynced_names) {
            if change.folder() == folder {
                change.apply(&mut self.lasting_names);
            } else {
                self.unsynced_names.push(change);
            }
        }
    }

    /// The power goes and comes.
    pub(super) fn power_cut(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.unsynced_names) {
            if random.chance(500) {
                change.apply(&mut self.lasting_names);
            }
        }
        self.names = self.lasting_names.clone();
        for inode in &mut self.inodes {
            let mut changes = std::mem::take(&mut inode.unsynced);
            // What is to survive reaches the platter in any order. Only what a file was cut to is not
            // followed by what was written before: the pages that a cut drops are written by no system.
            let cut = changes.iter().rposition(|change| matches!(change, Change::Truncate(_)));
            let behind = &mut changes[cut.map_or(0, |cut| cut + 1)..];
            if behind.len() > 1 && random.chance(500) {
                let place = random.below(behind.len() as u64) as usize;
                behind.rotate_left(place);
            }
            for change in changes {
                match change {
                    _ if random.chance(400) => {}
                    Change::Write(at, what) if random.chance(300) => {
                        let (from, to) = (random.below(what.len() + 1), random.below(what.len() + 1));
                        let torn = what.slice(from.min(to), from.max(to));
                        Change::Write(at + from.min(to), torn).apply(&mut inode.lasting);
                    }
                    change => change.apply(&mut inode.lasting),
                }
            }
            inode.content.clone_from(&inode.lasting);
        }
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.content);
        self.unsynced.push(change);
    }
}

impl Change {
    fn apply(&self, content: &mut Extents) {
        match self {
            Self::Write(at, what) => content.write(*at, what),
            Self::Truncate(to) => content.truncate(*to),
        }
    }
}

impl NameChange {
    fn folder(&self) -> &str {
        match self {
            Self::Create(name, _) | Self::Rename(name, ..) | Self::Remove(name) => parent(name),
        }
    }

    fn apply(self, names: &mut BTreeMap<String, InodeId>) {
        match self {
            Self::Create(name, file) => {
                names.insert(name, file);
            }
            Self::Rename(from, to, file) => {
                if names.get(&from) == Some(&file) {
                    names.remove(&from);
                }
                names.insert(to, file);
            }
            Self::Remove(name) => {
                names.remove(&name);
            }
        }
    }
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sim::extents::Source;

    fn bytes(at: u64, len: u64) -> Extents {
        Extents::of(Source::Version(1), at, len)
    }

    #[test]
    fn a_power_cut_takes_what_was_not_synced_and_leaves_what_was() {
        let (mut whole, mut holes, mut nameless) = (0, 0, 0);
        for seed in 0..200 {
            let mut random = Random::new(seed, "test");
            let mut disk = Disk::default();
            let file = disk.create("/f/a");
            disk.write(file, 0, &bytes(0, 10));
            disk.sync(file, disk.mark(file));
            disk.sync_folder_of("/f/a");
            let mark = disk.mark(file);
            disk.write(file, 10, &bytes(10, 10));
            disk.sync(file, mark);
            disk.write(file, 20, &bytes(20, 10));
            disk.create("/f/b");
            assert_eq!(disk.content(file), &bytes(0, 30), "before it all is there");
            disk.power_cut(&mut random);
            let left = disk.content(disk.find("/f/a").expect("a synced name lasts")).clone();
            assert_eq!(left.slice(0, 10), bytes(0, 10), "synced bytes last");
            whole += u32::from(left == bytes(0, 30));
            holes += u32::from(left.iter().any(|extent| extent.source == Source::Hole));
            nameless += u32::from(disk.find("/f/b").is_none());
        }
        assert!(whole > 0 && holes > 0 && nameless > 0 && nameless < 200, "{whole} {holes} {nameless}");
    }

    #[test]
    fn what_was_written_before_a_file_was_cut_does_not_come_back_without_what_was_before_it() {
        let mut lengths = BTreeSet::new();
        for seed in 0..200 {
            let mut random = Random::new(seed, "test");
            let mut disk = Disk::default();
            let file = disk.create("/f/a");
            disk.write(file, 0, &bytes(0, 10));
            disk.sync(file, disk.mark(file));
            disk.sync_folder_of("/f/a");
            disk.write(file, 10, &bytes(10, 10));
            disk.truncate(file, 0);
            disk.power_cut(&mut random);
            let left = disk.content(disk.find("/f/a").expect("a synced name lasts")).clone();
            assert!(left.len() == 0 || left.slice(0, 10) == bytes(0, 10), "{left:?}");
            lengths.insert(left.len().min(11));
        }
        assert_eq!(lengths.len(), 3, "{lengths:?}");
    }

    #[test]
    fn a_renaming_that_was_not_synced_leaves_one_name_or_the_other() {
        let mut seen = [false; 2];
        for seed in 0..100 {
            let mut random = Random::new(seed, "test");
            let mut disk = Disk::default();
            disk.put_lasting("/f/part", bytes(0, 5));
            disk.rename("/f/part", "/f/whole");
            disk.power_cut(&mut random);
            let names: Vec<_> = disk.names().map(|(name, _)| name.as_str()).collect();
            match names.as_slice() {
                ["/f/part"] => seen[0] = true,
                ["/f/whole"] => seen[1] = true,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, [true; 2]);
    }
}
