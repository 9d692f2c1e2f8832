//! A file system of its own for many files, where one can be made.
//!
//! ext4 looks long for inodes that were not deleted a minute ago, and on a disk that others share somebody
//! deletes something: what many files cost there is what others did before. Only the system's
//! administrator can make one; for everybody else the contest is held where the others are.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::service::quiet;

/// As large as it may become; it takes only what is written.
const BYTES: u64 = 3 << 30;
/// All contestants' files of all rounds, as none is deleted before the end.
const INODES: u32 = 600_000;

/// A fresh ext4 in a file, mounted.
#[derive(Debug)]
pub(crate) struct Disk {
    mounted: PathBuf,
}

impl Disk {
    /// Makes one in `home`; the sentence says why there is none.
    pub(crate) fn make(home: &Path) -> Result<Self, String> {
        let (image, mounted) = (home.join("disk"), home.join("many"));
        let made = File::create(&image).and_then(|file| file.set_len(BYTES));
        made.and_then(|()| std::fs::create_dir(&mounted)).map_err(|error| error.to_string())?;
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F", "-O", "^metadata_csum", "-N", &INODES.to_string()]);
        quiet(make.arg(&image))?;
        quiet(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mounted))?;
        Ok(Self { mounted })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mounted
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = quiet(Command::new("umount").arg(&self.mounted)) {
            eprintln!("bits-benches: {error}");
        }
    }
}
