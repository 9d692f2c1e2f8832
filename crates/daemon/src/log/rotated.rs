//! A file that is begun anew when it is full; the ones before are kept for a while.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Bytes after which a new file is begun.
const LOG_BYTES_MAX: u64 = 4 << 20;
/// Files kept beside the one that is written.
const OLD_LOGS: u32 = 3;

/// The file that is written, and how long it is.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl RotatedFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            // The log goes into no file that a link points to.
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.into(), file, length })
    }

    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.length > 0 && self.length + line.len() as u64 > LOG_BYTES_MAX {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..OLD_LOGS).rev() {
            // The first times there are not so many yet.
            let _ = std::fs::rename(self.old(number), self.old(number + 1));
        }
        std::fs::rename(&self.path, self.old(1))?;
        *self = Self::open(&self.path)?;
        Ok(())
    }

    fn old(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_kept_beside_the_new_one_and_the_oldest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bitsd.log");
        let mut log = RotatedFile::open(&path).expect("a log");
        let line = vec![b'x'; LOG_BYTES_MAX as usize];
        for _ in 0..6 {
            log.write_line(&line).expect("written");
        }
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        assert_eq!(names, ["bitsd.log", "bitsd.log.1", "bitsd.log.2", "bitsd.log.3"]);
    }
}
