//! A look at where files are to go, on the thread of whoever asks, without a message to the worker and back:
//! whether the names are free, in folders on a disk of this machine where the worker has looked just before.
//!
//! Anything else is the worker's to look at: it can take as long as somebody's server is away, and there is
//! more to say of it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bits_core::file::{DestinationTag, LocalName};
use bits_platform::files::{Destination, Folder};

use crate::closing::Checked;
use crate::volumes::Volumes;

/// How long a folder is taken to be where it was.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// Folders that are kept in mind.
const KNOWN_MAX: usize = 16;
/// Names that are looked at at a time: of more the worker has something to do.
const NAMES_MAX: usize = 1024;

/// The folders in which whoever asks may look itself.
#[derive(Debug, Clone)]
pub struct Nearby {
    /// By the paths they were opened by; the last that was looked at comes last.
    known: Arc<Mutex<VecDeque<(PathBuf, Instant)>>>,
    volumes: Volumes,
}

impl Nearby {
    pub(crate) fn new(volumes: Volumes) -> Self {
        Self { known: Arc::default(), volumes }
    }

    /// Which places `names` are, in their order, where files can be put under them; `None` when it is for the
    /// worker to find out.
    pub fn check(&self, names: &[LocalName]) -> Option<Vec<DestinationTag>> {
        let folder = Path::new(names.first()?.as_str()).parent()?;
        if names.len() > NAMES_MAX || !self.is_known(folder, Instant::now()) {
            return None;
        }
        let checked = Checked::of(Folder::open(folder).ok()?.into(), names.len());
        if !checked.folder.may_be_written_to() {
            return None;
        }
        let tags = names.iter().map(|name| {
            let path = Path::new(name.as_str());
            let is_free = path.parent() == Some(folder)
                && (Destination::is_free_within(&checked.found, path).ok()?
                    || Destination::is_free_in(&checked.folder, path).ok()?);
            is_free.then(|| checked.place_of(name))
        });
        let tags = tags.collect::<Option<_>>()?;
        self.volumes.saw(&checked.folder);
        Some(tags)
    }

    /// Takes note that the worker has looked in `folder`.
    pub(crate) fn saw(&self, folder: &Folder) {
        if folder.is_on_local_disk() {
            self.note(folder.path().to_owned(), Instant::now());
        }
    }

    fn note(&self, folder: PathBuf, now: Instant) {
        let mut known = self.known();
        known.retain(|(other, _)| *other != folder);
        if known.len() == KNOWN_MAX {
            known.pop_front();
        }
        known.push_back((folder, now));
    }

    fn is_known(&self, folder: &Path, now: Instant) -> bool {
        let is_it =
            |(known, seen): &(PathBuf, Instant)| known == folder && now.duration_since(*seen) < KNOWN_FOR;
        self.known().iter().any(is_it)
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<(PathBuf, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closing;
    use crate::link::CheckOptions;

    fn nearby() -> Nearby {
        Nearby::new(Volumes::default())
    }

    fn names(folders: &[&Path]) -> Vec<LocalName> {
        let name = |folder: &Path| LocalName::parse(folder.join("f").to_str().expect("a path"));
        folders.iter().map(|folder| name(folder).expect("a name")).collect()
    }

    #[test]
    fn whoever_asks_looks_itself_at_free_names_where_the_worker_has_looked_just_before() {
        let (folder, other) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let nearby = nearby();
        let here = names(&[folder.path()]);
        assert_eq!(nearby.check(&here), None, "nobody has looked there");
        let options = CheckOptions { no_clobber: false, create_folders: false, umask: None };
        let seen = closing::check(&here, options, &Volumes::default(), &nearby).expect("it is in order");
        assert_eq!(nearby.check(&here), Some(seen));
        assert_eq!(nearby.check(&names(&[folder.path(), other.path()])), None, "not all are there");
        assert_eq!(nearby.check(&vec![here[0].clone(); NAMES_MAX + 1]), None, "they are many");
        assert_eq!(nearby.check(&[]), None);
        std::os::unix::fs::symlink("nowhere", folder.path().join("f")).expect("a link");
        assert_eq!(nearby.check(&here), None, "what has the name is for the worker to look at");
        std::fs::remove_file(folder.path().join("f")).expect("removed");
        assert!(nearby.check(&here).is_some());
        std::fs::remove_dir(folder.path()).expect("removed");
        assert_eq!(nearby.check(&here), None, "the worker says what is wrong");
    }

    #[test]
    fn a_folder_is_forgotten_after_a_while_and_when_there_are_many_others() {
        let nearby = nearby();
        let now = Instant::now();
        nearby.note("/a".into(), now);
        assert!(nearby.is_known(Path::new("/a"), now + KNOWN_FOR / 2));
        assert!(!nearby.is_known(Path::new("/a"), now + KNOWN_FOR));
        nearby.note("/a".into(), now + KNOWN_FOR);
        assert!(nearby.is_known(Path::new("/a"), now + KNOWN_FOR), "it was looked at again");
        for number in 0..KNOWN_MAX {
            nearby.note(format!("/{number}").into(), now + KNOWN_FOR);
        }
        assert!(!nearby.is_known(Path::new("/a"), now + KNOWN_FOR));
        assert_eq!(nearby.known().len(), KNOWN_MAX);
    }
}
