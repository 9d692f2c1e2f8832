//! What is on the disk, twice: as it is seen, and as it would be after a cut.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::SystemTime;

/// The number of the top folder.
pub(super) const TOP: u64 = 1;
/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// What can have a name.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    File(Content),
    /// The names in it, as they are seen, and as they are on the disk.
    Folder {
        seen: BTreeMap<OsString, u64>,
        durable: BTreeMap<OsString, u64>,
    },
    /// A socket, or something else that holds nothing.
    Special {
        mode: u32,
    },
}

/// What is known of it beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) modified: SystemTime,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) about: About,
    pub(super) durable_about: About,
    /// How many names it has, as seen.
    pub(super) names: u32,
}

/// The bytes of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) seen: Vec<u8>,
    durable: Vec<u8>,
    /// What has happened since the last sync, in its order.
    pending: Vec<Pending>,
}

#[derive(Debug, Clone)]
enum Pending {
    Bytes { place: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Content {
    pub(super) fn write(&mut self, place: usize, bytes: &[u8]) {
        put(&mut self.seen, place, bytes);
        self.pending.push(Pending::Bytes { place, bytes: bytes.to_vec() });
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.seen.resize(length, 0);
        self.pending.push(Pending::Length(length));
    }

    pub(super) fn sync(&mut self) {
        if !self.pending.is_empty() {
            self.durable.clone_from(&self.seen);
            self.pending.clear();
        }
    }

    /// What is left after a cut, in which `reaches` draws what had come to the disk by itself.
    pub(super) fn cut(&mut self, reaches: &mut Reaches<'_>) {
        let pending = std::mem::take(&mut self.pending);
        let chance = reaches.chance();
        for change in pending {
            if !reaches.one(chance) {
                continue;
            }
            match change {
                Pending::Length(length) => self.durable.resize(length, 0),
                Pending::Bytes { place, bytes } if reaches.is_torn() => {
                    let mut at = 0;
                    while at < bytes.len() {
                        let end = bytes.len().min(at + SECTOR - (place + at) % SECTOR);
                        if reaches.one(Chance::Half) {
                            put(&mut self.durable, place + at, &bytes[at..end]);
                        }
                        at = end;
                    }
                }
                Pending::Bytes { place, bytes } => put(&mut self.durable, place, &bytes),
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

fn put(content: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    let end = place + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[place..end].copy_from_slice(bytes);
}

/// How much of what was not synced has come to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chance {
    None,
    Half,
    All,
}

/// Draws what of the unsynced has reached the disk.
pub(super) struct Reaches<'a> {
    pub(super) draw: &'a mut dyn FnMut(u64) -> u64,
    /// The same chance for all, in a third of the cuts.
    pub(super) for_all: Option<Chance>,
}

impl Reaches<'_> {
    /// For one file, or for all names.
    pub(super) fn chance(&mut self) -> Chance {
        match (self.for_all, (self.draw)(3)) {
            (Some(chance), _) => chance,
            (None, 0) => Chance::None,
            (None, 1) => Chance::All,
            (None, _) => Chance::Half,
        }
    }

    pub(super) fn one(&mut self, chance: Chance) -> bool {
        match chance {
            Chance::None => false,
            Chance::All => true,
            Chance::Half => (self.draw)(2) == 0,
        }
    }

    fn is_torn(&mut self) -> bool {
        (self.draw)(4) == 0
    }
}
