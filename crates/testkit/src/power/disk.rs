//! The disk: nodes, names, what is pending of both, and the cut.
//!
//! How the kernel asks is in `mount`; nothing here knows FUSE.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::io::Errno;

use super::files::{About, Chance, Content, Kind, Node, Reaches, TOP};
use super::mount::Mounted;

/// A disk. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

/// What the disk says it has synced, and has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    /// It is honest.
    None,
    /// Every sync is a lie.
    All,
    /// The content of files with this in their name.
    Content(&'static str),
    /// The names in folders.
    Names,
}

#[derive(Debug)]
pub(super) struct State {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    /// Changes of names that are not synced, in their order; each is whole or not at all.
    pending_names: Vec<Vec<NameChange>>,
    lies: Lies,
    random: u64,
    /// Changes and syncs since the power came.
    operations: u64,
    syncs: u64,
    cut_at: Option<u64>,
    has_power: bool,
    /// What every change fails with.
    trouble: Option<Errno>,
}

/// A name gets another meaning, or none.
#[derive(Debug, Clone)]
struct NameChange {
    folder: u64,
    name: OsString,
    node: Option<u64>,
}

impl Disk {
    /// An empty one; what a cut leaves is drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let about = About { mode: 0o755, uid: 0, gid: 0, modified: SystemTime::UNIX_EPOCH };
        let kind = Kind::Folder { seen: BTreeMap::new(), durable: BTreeMap::new() };
        let top = Node { kind, about, durable_about: about, names: 2 };
        Self(Arc::new(Mutex::new(State {
            nodes: BTreeMap::from([(TOP, top)]),
            next: TOP + 1,
            pending_names: Vec::new(),
            lies: Lies::None,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            operations: 0,
            syncs: 0,
            cut_at: None,
            has_power: true,
            trouble: None,
        })))
    }

    /// Makes it the folder `place`, until the return value is dropped.
    ///
    /// # Errors
    /// When this process may not mount, or there is no FUSE.
    pub fn mount(&self, place: &Path) -> std::io::Result<Mounted> {
        Mounted::new(self.clone(), place)
    }

    /// From now on it lies about syncs.
    pub fn lie(&self, lies: Lies) {
        self.state().lies = lies;
    }

    /// Cuts the power at the change or sync that comes after `operations` others. Until
    /// [`Disk::give_power`], everything fails with an I/O error.
    pub fn cut_after(&self, operations: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.operations + operations);
    }

    /// Cuts the power now, if it is there.
    pub fn cut(&self) {
        self.state().cut(None);
    }

    /// The same, and nothing that was not synced has come to the disk.
    pub fn cut_hard(&self) {
        self.state().cut(Some(Chance::None));
    }

    /// From now on every change and sync fails: read-only with `ROFS`, full with `NOSPC`, broken with
    /// `IO`; with none, all is well again.
    pub fn refuse_changes(&self, with: Option<Errno>) {
        self.state().trouble = with;
    }

    /// Whether there is power.
    pub fn has_power(&self) -> bool {
        self.state().has_power
    }

    /// The power is back; what was cut off stays lost.
    pub fn give_power(&self) {
        let mut state = self.state();
        (state.has_power, state.cut_at) = (true, None);
    }

    /// Changes and syncs so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Syncs so far, of files and folders.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// To be called before each change and sync.
    pub(super) fn operate(&mut self) -> Result<(), Errno> {
        if self.has_power && self.cut_at.is_some_and(|at| self.operations >= at) {
            self.cut(None);
        }
        self.operations += 1;
        self.see()?;
        self.trouble.map_or(Ok(()), Err)
    }

    /// To be called before whatever only looks.
    pub(super) fn see(&self) -> Result<(), Errno> {
        if self.has_power { Ok(()) } else { Err(Errno::IO) }
    }

    pub(super) fn node(&self, number: u64) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::NOENT)
    }

    pub(super) fn content(&mut self, number: u64) -> Result<&mut Content, Errno> {
        match &mut self.nodes.get_mut(&number).ok_or(Errno::NOENT)?.kind {
            Kind::File(content) => Ok(content),
            Kind::Folder { .. } => Err(Errno::ISDIR),
            Kind::Special { .. } => Err(Errno::INVAL),
        }
    }

    pub(super) fn names(&self, folder: u64) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.node(folder)?.kind {
            Kind::Folder { seen, .. } => Ok(seen),
            _ => Err(Errno::NOTDIR),
        }
    }

    pub(super) fn find(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(folder)?.get(name).copied().ok_or(Errno::NOENT)
    }

    pub(super) fn touch(&mut self, number: u64) {
        if let Some(node) = self.nodes.get_mut(&number) {
            node.about.modified = SystemTime::now();
        }
    }

    /// Changes what is known of a node.
    pub(super) fn set_about(&mut self, number: u64, change: impl FnOnce(&mut About)) -> Result<(), Errno> {
        change(&mut self.nodes.get_mut(&number).ok_or(Errno::NOENT)?.about);
        Ok(())
    }

    /// Something new gets a name.
    pub(super) fn make(&mut self, folder: u64, name: &OsStr, kind: Kind, about: About) -> Result<u64, Errno> {
        if self.names(folder)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        let number = self.next;
        self.next += 1;
        let names = if matches!(kind, Kind::Folder { .. }) { 1 } else { 0 };
        self.nodes.insert(number, Node { kind, about, durable_about: about, names });
        self.rename_all(vec![NameChange { folder, name: name.into(), node: Some(number) }]);
        Ok(number)
    }

    pub(super) fn remove(&mut self, folder: u64, name: &OsStr, is_folder: bool) -> Result<(), Errno> {
        let number = self.find(folder, name)?;
        match (&self.node(number)?.kind, is_folder) {
            (Kind::Folder { seen, .. }, true) if !seen.is_empty() => return Err(Errno::NOTEMPTY),
            (Kind::Folder { .. }, false) => return Err(Errno::ISDIR),
            (Kind::Folder { .. }, true) | (_, false) => {}
            (_, true) => return Err(Errno::NOTDIR),
        }
        self.rename_all(vec![NameChange { folder, name: name.into(), node: None }]);
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
        is_to_replace: bool,
    ) -> Result<(), Errno> {
        let number = self.find(from.0, from.1)?;
        if let Some(there) = self.names(to.0)?.get(to.1) {
            if !is_to_replace {
                return Err(Errno::EXIST);
            }
            if *there == number {
                return Ok(());
            }
            if matches!(self.node(*there)?.kind, Kind::Folder { .. }) {
                return Err(Errno::ISDIR);
            }
        }
        self.rename_all(vec![
            NameChange { folder: from.0, name: from.1.into(), node: None },
            NameChange { folder: to.0, name: to.1.into(), node: Some(number) },
        ]);
        Ok(())
    }

    /// One change of names, seen at once and pending.
    fn rename_all(&mut self, changes: Vec<NameChange>) {
        for change in &changes {
            let before = match &mut self.nodes.get_mut(&change.folder).expect("it was looked at").kind {
                Kind::Folder { seen, .. } => match change.node {
                    Some(node) => seen.insert(change.name.clone(), node),
                    None => seen.remove(&change.name),
                },
                _ => unreachable!("names are in folders"),
            };
            for (node, more) in [(before, false), (change.node, true)] {
                if let Some(node) = node.and_then(|node| self.nodes.get_mut(&node)) {
                    node.names = if more { node.names + 1 } else { node.names.saturating_sub(1) };
                }
            }
            self.touch(change.folder);
        }
        self.pending_names.push(changes);
    }

    pub(super) fn sync_file(&mut self, number: u64, with_about: bool) -> Result<(), Errno> {
        self.syncs += 1;
        let is_lie = match self.lies {
            Lies::All => true,
            Lies::Content(part) => self.has_name_with(number, part),
            Lies::None | Lies::Names => false,
        };
        if is_lie {
            return Ok(());
        }
        let node = self.nodes.get_mut(&number).ok_or(Errno::NOENT)?;
        if let Kind::File(content) = &mut node.kind {
            content.sync();
        }
        if with_about {
            node.durable_about = node.about;
        }
        Ok(())
    }

    fn has_name_with(&self, number: u64, part: &str) -> bool {
        let folders = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::Folder { seen, .. } => Some(seen),
            _ => None,
        });
        let mut names = folders.flatten();
        names.any(|(name, node)| *node == number && name.to_string_lossy().contains(part))
    }

    pub(super) fn sync_folder(&mut self, folder: u64) -> Result<(), Errno> {
        self.syncs += 1;
        if matches!(self.lies, Lies::All | Lies::Names) {
            return Ok(());
        }
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending_names)
            .into_iter()
            .partition(|changes| changes.iter().any(|change| change.folder == folder));
        self.pending_names = later;
        now.into_iter().for_each(|changes| self.make_durable(changes));
        let node = self.nodes.get_mut(&folder).ok_or(Errno::NOENT)?;
        node.durable_about = node.about;
        Ok(())
    }

    fn make_durable(&mut self, changes: Vec<NameChange>) {
        for NameChange { folder, name, node } in changes {
            if let Some(Node { kind: Kind::Folder { durable, .. }, .. }) = self.nodes.get_mut(&folder) {
                match node {
                    Some(node) => durable.insert(name, node),
                    None => durable.remove(&name),
                };
            }
        }
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    /// Forgets what was not synced, or some of it.
    fn cut(&mut self, for_all: Option<Chance>) {
        if !self.has_power {
            return;
        }
        self.has_power = false;
        let for_all = for_all.or_else(|| match self.draw(6) {
            0 => Some(Chance::None),
            1 => Some(Chance::All),
            _ => None,
        });
        let mut random = Self { nodes: BTreeMap::new(), pending_names: Vec::new(), ..*self };
        let mut draw = |bound| random.draw(bound);
        let mut reaches = Reaches { draw: &mut draw, for_all };
        let chance = reaches.chance();
        for changes in std::mem::take(&mut self.pending_names) {
            if reaches.one(chance) {
                self.make_durable(changes);
            }
        }
        for node in self.nodes.values_mut() {
            match &mut node.kind {
                Kind::File(content) => content.cut(&mut reaches),
                Kind::Folder { seen, durable } => seen.clone_from(durable),
                Kind::Special { .. } => {}
            }
            if !reaches.one(Chance::Half) {
                node.about = node.durable_about;
            }
            node.durable_about = node.about;
            node.names = 0;
        }
        self.random = random.random | 1;
        self.forget_nameless();
    }

    /// Counts the names, and drops what has none.
    fn forget_nameless(&mut self) {
        let mut kept = BTreeMap::new();
        let mut folders = vec![TOP];
        while let Some(folder) = folders.pop() {
            let Some(node) = self.nodes.remove(&folder) else { continue };
            if let Kind::Folder { seen, .. } = &node.kind {
                for number in seen.values() {
                    let is_folder = |node: &Node| matches!(node.kind, Kind::Folder { .. });
                    if self.nodes.get(number).is_some_and(is_folder) {
                        folders.push(*number);
                    } else if let Some(file) = self.nodes.remove(number).or_else(|| kept.remove(number)) {
                        let names = file.names + 1;
                        kept.insert(*number, Node { names, ..file });
                    }
                }
            }
            kept.insert(folder, Node { names: 2, ..node });
        }
        self.nodes = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About = About { mode: 0o600, uid: 0, gid: 0, modified: SystemTime::UNIX_EPOCH };

    fn a_file(state: &mut State, name: &str) -> u64 {
        state.make(TOP, OsStr::new(name), Kind::File(Content::default()), ABOUT).unwrap()
    }

    fn read(state: &mut State, name: &str) -> Option<Vec<u8>> {
        let number = state.find(TOP, OsStr::new(name)).ok()?;
        Some(state.content(number).unwrap().seen.clone())
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        for seed in 0..200 {
            let disk = Disk::new(seed);
            let mut state = disk.state();
            let file = a_file(&mut state, "a");
            state.content(file).unwrap().write(0, b"synced");
            state.sync_file(file, true).unwrap();
            state.sync_folder(TOP).unwrap();
            state.content(file).unwrap().write(6, &[1; 2000]);
            state.cut(None);
            let left = read(&mut state, "a").expect("its name was synced");
            assert_eq!(&left[..6], b"synced", "seed {seed}");
            assert_eq!(state.see(), Err(Errno::IO), "nothing is answered without power");
        }
    }

    #[test]
    fn what_was_not_synced_is_lost_or_torn_in_some_cuts_and_there_in_others() {
        let mut outcomes = [0; 4];
        for seed in 0..200 {
            let disk = Disk::new(seed);
            let mut state = disk.state();
            let file = a_file(&mut state, "a");
            state.sync_folder(TOP).unwrap();
            state.content(file).unwrap().write(0, &[7; 2000]);
            a_file(&mut state, "b");
            state.cut(None);
            let left = read(&mut state, "a").expect("its name was synced");
            let there = left.iter().filter(|byte| **byte == 7).count();
            let place = usize::from(there > 0) + usize::from(there == 2000);
            outcomes[place] += 1;
            outcomes[3] += usize::from(read(&mut state, "b").is_some());
        }
        assert!(outcomes.iter().all(|count| *count > 10), "lost, torn, there, named: {outcomes:?}");
    }

    #[test]
    fn a_renaming_that_was_not_synced_is_whole_or_has_not_been() {
        let mut renamed = 0;
        for seed in 0..100 {
            let disk = Disk::new(seed);
            let mut state = disk.state();
            let (old, new) = (a_file(&mut state, "name"), a_file(&mut state, "part"));
            for (file, bytes) in [(old, b"old"), (new, b"new")] {
                state.content(file).unwrap().write(0, bytes);
                state.sync_file(file, true).unwrap();
            }
            state.sync_folder(TOP).unwrap();
            state.rename((TOP, OsStr::new("part")), (TOP, OsStr::new("name")), true).unwrap();
            state.cut(None);
            let is_there = read(&mut state, "part").is_some();
            let left = read(&mut state, "name").expect("one of them has the name");
            assert_eq!(left, if is_there { b"old" } else { b"new" }, "seed {seed}");
            renamed += usize::from(!is_there);
        }
        assert!((10..90).contains(&renamed), "{renamed} of 100");
    }

    #[test]
    fn a_disk_that_lies_loses_what_it_said_was_synced() {
        let mut lost = 0;
        for seed in 0..100 {
            let disk = Disk::new(seed);
            disk.lie(Lies::Content(".db"));
            let mut state = disk.state();
            let file = a_file(&mut state, "jobs.db");
            state.content(file).unwrap().write(0, b"a job");
            state.sync_file(file, true).unwrap();
            state.sync_folder(TOP).unwrap();
            state.cut(None);
            lost += usize::from(read(&mut state, "jobs.db").expect("its name is no lie") != b"a job");
        }
        assert!(lost > 10, "{lost} of 100");
    }
}
