//! The way back to a folder that was looked at, in as few calls as there can be: one opens it, one says whether
//! it is the same.
//!
//! Only for a folder that lies where its path says, with no symbolic link on the way: then a later link is met
//! as an error, and nobody has to ask part by part where the path leads. What is not as it was is not looked at
//! further here.

use std::path::{Component, Path, PathBuf};

use super::{FileIdentity, Folder};

/// A way on which there was no symbolic link, and the folder at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StraightWay {
    /// Without dots, too: where the folder really is.
    path: PathBuf,
    leads_to: FileIdentity,
    crossing: Crossing,
}

/// Whether the folder is on another mount than the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crossing {
    /// No. What is mounted on the way is noticed before it is asked for anything: its server may be away.
    Refused,
    Allowed,
}

impl StraightWay {
    /// The way to `folder`; none when there is a link or a way back (`..`) in the path it was opened by, when that
    /// leads elsewhere by now, or the system cannot be asked so.
    pub fn to(folder: &Folder) -> Option<Self> {
        // What goes back over a part that is no link leads where it is written, too; but few paths do.
        let goes_back = folder.path().components().any(|part| part == Component::ParentDir);
        if goes_back || !folder.path().is_absolute() {
            return None;
        }
        let path: PathBuf = folder.path().components().collect();
        let leads_to = folder.identity().ok()?;
        let ways = [Crossing::Refused, Crossing::Allowed].map(|crossing| Self {
            path: path.clone(),
            leads_to,
            crossing,
        });
        ways.into_iter().find(|way| way.open().is_some())
    }

    /// The folder, if it is still the same, and there is still no link on the way.
    pub fn open(&self) -> Option<Folder> {
        let folder = self.open_whatever_it_is()?;
        (folder.identity().ok()? == self.leads_to).then(|| folder.known_to_be_on(self.leads_to.device))
    }

    /// Where the folder is: without symbolic links and without dots.
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(target_os = "linux")]
    fn open_whatever_it_is(&self) -> Option<Folder> {
        use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let resolve = match self.crossing {
            // The path begins at the root, so this is about the root's mount.
            Crossing::Refused => ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
            Crossing::Allowed => ResolveFlags::NO_SYMLINKS,
        };
        let fd = rustix::fs::openat2(CWD, &self.path, flags, Mode::empty(), resolve).ok()?;
        Some(Folder::of_open(fd, self.path.clone()))
    }

    /// Nowhere else can the system be asked so.
    #[cfg(not(target_os = "linux"))]
    fn open_whatever_it_is(&self) -> Option<Folder> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use crate::somebody::as_an_ordinary_user;

    fn way_to(path: &Path) -> Option<StraightWay> {
        StraightWay::to(&Folder::open(path).expect("a folder"))
    }

    /// A folder `a/b` in a place that is no link itself, and the way there.
    fn place() -> (tempfile::TempDir, PathBuf, StraightWay) {
        let top = tempfile::tempdir().expect("a folder");
        let real = fs::canonicalize(top.path()).expect("it is there");
        fs::create_dir_all(real.join("a/b")).expect("made");
        let way = way_to(&real.join("a/b")).expect("it is straight");
        (top, real, way)
    }

    #[test]
    fn a_straight_way_leads_back_to_the_same_folder_however_often() {
        let (_top, real, way) = place();
        let seen = Folder::open(&real.join("a/b")).expect("a folder");
        for _ in 0..2 {
            let again = way.open().expect("nothing has changed");
            assert_eq!(again.identity().expect("it says"), seen.identity().expect("it says"));
            assert_eq!((again.path(), again.disk()), (seen.path(), seen.disk()));
        }
        let (slashes, dots) = (real.join("a//b"), real.join("a/./b"));
        for written in [slashes, dots] {
            let way = way_to(&written).expect("it is as straight");
            assert_eq!(Some(way.path()), seen.real_path().as_deref());
        }
        assert_eq!(way_to(Path::new("/")).expect("straight").path(), Path::new("/"));
    }

    #[test]
    fn there_is_none_over_links_and_back() {
        let (_top, real, _) = place();
        symlink("a", real.join("link")).expect("a link");
        symlink("a/b", real.join("last")).expect("a link");
        for written in ["link/b", "last", "a/../a/b", "a/b/.."] {
            assert_eq!(way_to(&real.join(written)), None, "{written}");
        }
    }

    #[test]
    fn what_has_changed_on_the_way_is_noticed() {
        type Change = fn(&Path) -> std::io::Result<()>;
        fn moved_away(real: &Path) -> std::io::Result<()> {
            fs::rename(real.join("a"), real.join("away"))
        }
        let changes: [(&str, Change); 7] = [
            ("moved away", moved_away),
            ("a link to the same folder in place of a parent", |real| {
                moved_away(real).and_then(|()| symlink("away", real.join("a")))
            }),
            ("a link to another one in place of a parent", |real| {
                fs::create_dir_all(real.join("other/b"))?;
                moved_away(real).and_then(|()| symlink("other", real.join("a")))
            }),
            ("a link to it in its place", |real| {
                fs::rename(real.join("a/b"), real.join("b"))?;
                symlink(real.join("b"), real.join("a/b"))
            }),
            ("another folder of that name", |real| {
                moved_away(real).and_then(|()| fs::create_dir_all(real.join("a/b")))
            }),
            ("removed", |real| fs::remove_dir(real.join("a/b"))),
            ("a file in its place", |real| {
                fs::remove_dir(real.join("a/b"))?;
                fs::write(real.join("a/b"), "")
            }),
        ];
        for (change, make) in changes {
            let (_top, real, way) = place();
            assert!(way.open().is_some());
            make(&real).expect("changed");
            assert!(way.open().is_none(), "{change}");
        }
    }

    #[test]
    fn a_mount_is_crossed_only_where_there_was_one() {
        let on_a_mount = way_to(Path::new("/proc/sys")).expect("it is straight");
        assert_eq!(on_a_mount.crossing, Crossing::Allowed);
        assert!(on_a_mount.open().is_some());
        // As if it had been mounted after the look.
        let mounted_since = StraightWay { crossing: Crossing::Refused, ..on_a_mount };
        assert!(mounted_since.open().is_none());
        assert_eq!(way_to(Path::new("/")).expect("straight").crossing, Crossing::Refused);
    }

    #[test]
    fn a_folder_that_may_not_be_opened_any_more_is_not_opened() {
        let (_top, real, way) = place();
        let set = |part: &str, mode| fs::set_permissions(real.join(part), PermissionsExt::from_mode(mode));
        for part in ["", "a"] {
            set(part, 0o755).expect("set");
        }
        // Neither whoever runs the tests nor anybody else may do what is taken away.
        for (part, mode, may) in [("a/b", 0o755, true), ("a/b", 0o311, false), ("a", 0o600, false)] {
            set("a/b", 0o755).and_then(|()| set(part, mode)).expect("set");
            assert_eq!(as_an_ordinary_user(|| way.open().is_some()), may, "{part} {mode:o}");
        }
        set("a", 0o755).expect("set");
    }
}
