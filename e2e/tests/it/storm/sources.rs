//! Where the files of a storm come from, and which bytes are the right ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bits_e2e::{Peers, Random};
use bits_testkit::UnkindOrigin;

/// What the unkind origin does to these files: all of it is over after some requests, so that every
/// download can come to a good end. What is cut is reset: the end of a body without a length is its end.
const FAULTS: &[&str] = &[
    "kind",
    "kind",
    "kind",
    "cut",
    "chunked",
    "no-length",
    "date-only",
    "weak-tag",
    "no-validators",
    "reset",
    "closed-idle",
    "long-length",
    "rotating-tag",
    "changed",
    "changed-weak",
];
/// Files of the plain server, by how likely each is.
const PLAIN: &[&str] = &["hello.txt", "hello.txt", "hello.txt", "1m.bin"];

/// A file that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) url: String,
    /// Its name in the folder of all downloads.
    pub(crate) name: String,
    source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A target of the unkind origin.
    Unkind(String),
    /// A file of the plain server.
    Plain(&'static str),
}

/// Both servers, and every file that was ever asked for.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    origin: &'a UnkindOrigin,
    plain: Option<&'a Peers>,
    /// The greatest size of a file of the unkind origin, in bytes.
    size_max: u64,
    wanted: Mutex<BTreeMap<String, Wanted>>,
    drawn: AtomicU64,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(origin: &'a UnkindOrigin, plain: Option<&'a Peers>, size_max: u64) -> Self {
        Self { origin, plain, size_max, wanted: Mutex::default(), drawn: AtomicU64::new(0) }
    }

    /// One more file, with a name of its own that begins with `prefix`.
    pub(crate) fn draw(&self, random: &mut Random, prefix: &str) -> Wanted {
        let name = format!("{prefix}-{}.bin", self.drawn.fetch_add(1, Ordering::Relaxed));
        let plain = self.plain.filter(|_| random.below(4) == 0);
        let (url, source) = match plain {
            Some(peers) => {
                let file = *random.of(PLAIN);
                (peers.nginx.url(&format!("/files/{file}")), Source::Plain(file))
            }
            None => {
                let bound = *random.of(&[2_000, 60_000, 60_000, self.size_max]);
                let size = 1 + random.below(bound);
                let fault = *random.of(FAULTS);
                // What has changed stays so.
                let first = if fault.starts_with("changed") { u64::MAX } else { 1 + random.below(2) };
                let target = format!(
                    "/{fault}?id={name}&seed={}&size={size}&first={first}&pace={}&at={}&cut={}&how=rst&times=1",
                    random.below(1 << 30),
                    random.of(&[5, 40, 100]),
                    random.below(size),
                    random.below(size),
                );
                (self.origin.url(&target), Source::Unkind(target))
            }
        };
        let wanted = Wanted { url, name, source };
        let mut all = self.wanted.lock().expect("nobody panics with it");
        all.insert(wanted.name.clone(), wanted.clone());
        wanted
    }

    /// How many files were asked for.
    pub(crate) fn count(&self) -> usize {
        self.wanted.lock().expect("nobody panics with it").len()
    }

    /// What is wrong with the file `name` that lies in `folder`.
    pub(crate) fn fault_of(&self, folder: &Path, name: &str) -> Option<String> {
        let wanted = self.wanted.lock().expect("nobody panics with it").get(name).cloned();
        let Some(wanted) = wanted else { return Some(format!("{name}: nobody has asked for it")) };
        let bytes = match fs::read(folder.join(name)) {
            Ok(bytes) => bytes,
            Err(error) => return Some(format!("{name} of {}: {error}", wanted.url)),
        };
        let is_right = match &wanted.source {
            Source::Unkind(target) => {
                let served = self.origin.served(target);
                served.last().is_some_and(|newest| newest.is(&bytes))
            }
            Source::Plain(file) => {
                let peers = self.plain.expect("there is one, as a file of it is wanted");
                fs::read(peers.nginx.file(file)).is_ok_and(|right| right == bytes)
            }
        };
        (!is_right).then(|| format!("{name}: {} bytes, and not those of {}", bytes.len(), wanted.url))
    }
}
