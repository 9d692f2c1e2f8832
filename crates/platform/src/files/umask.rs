//! The permissions a user takes away from new files.

use std::io;

/// A file mode creation mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Umask(u32);

impl Umask {
    /// What most systems begin with.
    pub const USUAL: Self = Self(0o022);

    /// The mask `bits`; what is no permission bit is dropped, as the system does.
    pub const fn new(bits: u32) -> Self {
        Self(bits & 0o777)
    }

    /// The mask of this process, without changing it, which `umask(2)` cannot do.
    pub fn of_this_process() -> io::Result<Self> {
        // Not `/proc/self`: a thread can have a mask of its own.
        let status = std::fs::read_to_string("/proc/thread-self/status")?;
        parse_status(&status)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the system does not tell the umask"))
    }

    /// The permission bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The mode of a new file.
    pub(crate) const fn file_mode(self) -> u32 {
        0o666 & !self.0
    }

    /// The mode of a new folder.
    pub(crate) const fn folder_mode(self) -> u32 {
        0o777 & !self.0
    }
}

fn parse_status(status: &str) -> Option<Umask> {
    let value = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(value.trim(), 8).ok().map(Umask::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_this_process_is_the_one_new_files_get() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        std::fs::write(&path, "").unwrap();
        let mode = std::fs::metadata(&path).unwrap().mode() & 0o777;
        assert_eq!(Umask::of_this_process().unwrap().file_mode(), mode);
    }

    #[test]
    fn the_mask_is_read_from_the_kernels_words() {
        assert_eq!(parse_status("Name:\tx\nUmask:\t0027\nState:\tR\n"), Some(Umask::new(0o027)));
        assert_eq!(parse_status("Name:\tx\n"), None);
    }
}
