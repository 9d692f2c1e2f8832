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
use bits_platform::files::{Destination, Folder, StraightWay};

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
    /// The last that was looked at comes last.
    known: Arc<Mutex<VecDeque<Known>>>,
    volumes: Volumes,
}

/// A folder that the worker has looked at.
#[derive(Debug)]
struct Known {
    /// That it was opened by.
    path: PathBuf,
    way: Way,
    seen: Instant,
}

/// How a folder is found again.
#[derive(Debug, Clone)]
enum Way {
    /// As long as it is the same folder.
    Straight(Arc<StraightWay>),
    /// Wherever the links on the way lead by then.
    Any,
}

impl Nearby {
    pub(crate) fn new(volumes: Volumes) -> Self {
        Self { known: Arc::default(), volumes }
    }

    /// Which places `names` are, in their order, where files can be put under them; `None` when it is for the
    /// worker to find out.
    pub fn check(&self, names: &[LocalName]) -> Option<Vec<DestinationTag>> {
        let folder = Path::new(names.first()?.as_str()).parent()?;
        if names.len() > NAMES_MAX {
            return None;
        }
        let checked = match self.way_to(folder, Instant::now())? {
            Way::Straight(way) => Checked::at(Some(way.path().into()), way.open()?.into(), names.len()),
            Way::Any => Checked::of(Folder::open(folder).ok()?.into(), names.len()),
        };
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
            let way = StraightWay::to(folder).map_or(Way::Any, |way| Way::Straight(way.into()));
            self.note(folder.path().to_owned(), way, Instant::now());
        }
    }

    fn note(&self, path: PathBuf, way: Way, seen: Instant) {
        let mut known = self.known();
        known.retain(|other| other.path != path);
        if known.len() == KNOWN_MAX {
            known.pop_front();
        }
        known.push_back(Known { path, way, seen });
    }

    /// How `folder` is found, if it is known.
    fn way_to(&self, folder: &Path, now: Instant) -> Option<Way> {
        let is_it = |known: &&Known| known.path == folder && now.duration_since(known.seen) < KNOWN_FOR;
        self.known().iter().find(is_it).map(|known| known.way.clone())
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<Known>> {
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
    fn a_way_that_leads_elsewhere_by_now_is_for_the_worker_to_look_at() {
        use std::fs;
        use std::os::unix::fs::symlink;

        let top = tempfile::tempdir().expect("a folder");
        let top = fs::canonicalize(top.path()).expect("it is there");
        let at = |path: &str| top.join(path);
        fs::create_dir_all(at("a/b")).expect("made");
        fs::create_dir_all(at("other/b")).expect("made");
        symlink("a", at("link")).expect("a link");
        let (nearby, volumes) = (nearby(), Volumes::default());
        let options = CheckOptions { no_clobber: false, create_folders: false, umask: None };
        let seen_by_worker =
            |names: &[LocalName]| closing::check(names, options, &volumes, &nearby).expect("it is in order");
        let (straight, linked) = (names(&[&at("a/b")]), names(&[&at("link/b")]));
        let seen = seen_by_worker(&straight);
        assert_eq!(seen_by_worker(&linked), seen, "they are one place");
        assert_eq!(nearby.check(&straight).as_ref(), Some(&seen));
        assert_eq!(nearby.check(&linked).as_ref(), Some(&seen));

        fs::rename(at("a"), at("away")).expect("moved");
        symlink("other", at("a")).expect("a link");
        assert_eq!(nearby.check(&straight), None, "there is a link on the way");
        let elsewhere = seen_by_worker(&straight);
        assert_ne!(elsewhere, seen);
        assert_eq!(elsewhere, seen_by_worker(&names(&[&at("other/b")])));
        assert_eq!(nearby.check(&straight).as_ref(), Some(&elsewhere));
        assert_eq!(nearby.check(&linked).as_ref(), Some(&elsewhere), "where links lead is found out anew");

        fs::rename(at("other/b"), at("other/c")).expect("moved");
        fs::create_dir(at("other/b")).expect("made");
        let other = names(&[&at("other/b")]);
        assert_eq!(nearby.check(&other), None, "it is another folder");
        let seen = seen_by_worker(&other);
        assert_eq!(nearby.check(&other), Some(seen));
    }

    #[test]
    fn a_folder_is_forgotten_after_a_while_and_when_there_are_many_others() {
        let nearby = nearby();
        let now = Instant::now();
        let is_known = |at| nearby.way_to(Path::new("/a"), at).is_some();
        nearby.note("/a".into(), Way::Any, now);
        assert!(is_known(now + KNOWN_FOR / 2));
        assert!(!is_known(now + KNOWN_FOR));
        nearby.note("/a".into(), Way::Any, now + KNOWN_FOR);
        assert!(is_known(now + KNOWN_FOR), "it was looked at again");
        for number in 0..KNOWN_MAX {
            nearby.note(format!("/{number}").into(), Way::Any, now + KNOWN_FOR);
        }
        assert!(!is_known(now + KNOWN_FOR));
        assert_eq!(nearby.known().len(), KNOWN_MAX);
    }
}
