//! A look at where files are to go, on the thread of whoever asks, without a message to the worker and back:
//! in folders on a disk of this machine where the worker has looked just before.
//!
//! Anywhere else a look can take as long as somebody's server is away, and is the worker's.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bits_core::file::{DestinationTag, LocalName};
use bits_platform::files::Folder;

use crate::closing;
use crate::link::{CheckOptions, DestinationRefusal};
use crate::volumes::Volumes;

/// How long a folder is taken to be where it was.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// Folders that are kept in mind.
const KNOWN_MAX: usize = 16;

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

    /// Looks whether files can be put under `names`, and which places these are, in their order; `None` when
    /// that is for the worker to do.
    pub fn check(
        &self,
        names: &[LocalName],
        options: CheckOptions,
    ) -> Option<Result<Vec<DestinationTag>, DestinationRefusal>> {
        let folder = Path::new(names.first()?.as_str()).parent()?;
        let all_are_there = names.iter().all(|name| Path::new(name.as_str()).parent() == Some(folder));
        (all_are_there && self.is_known(folder, Instant::now()))
            .then(|| closing::check(names, options, &self.volumes, None))
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

    fn nearby() -> Nearby {
        Nearby::new(Volumes::default())
    }

    fn names(folders: &[&Path]) -> Vec<LocalName> {
        let name = |folder: &Path| LocalName::parse(folder.join("f").to_str().expect("a path"));
        folders.iter().map(|folder| name(folder).expect("a name")).collect()
    }

    const OPTIONS: CheckOptions = CheckOptions { no_clobber: false, create_folders: false, umask: None };

    #[test]
    fn whoever_asks_looks_itself_only_where_the_worker_has_looked_just_before() {
        let (folder, other) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let nearby = nearby();
        let here = names(&[folder.path()]);
        assert_eq!(nearby.check(&here, OPTIONS), None, "nobody has looked there");
        let seen =
            closing::check(&here, OPTIONS, &Volumes::default(), Some(&nearby)).expect("it is in order");
        assert_eq!(nearby.check(&here, OPTIONS), Some(Ok(seen)));
        assert_eq!(nearby.check(&names(&[folder.path(), other.path()]), OPTIONS), None, "not all are there");
        assert_eq!(nearby.check(&[], OPTIONS), None);
        std::fs::remove_dir(folder.path()).expect("removed");
        let refused = nearby.check(&here, OPTIONS).expect("it was known").expect_err("it is gone");
        assert!(refused.message.contains(folder.path().to_str().expect("a path")), "{refused:?}");
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
