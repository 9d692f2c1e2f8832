//! Memory for a key: a page of its own that is not swapped out, not dumped and not inherited.

use std::io;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags};
use zeroize::Zeroize;

/// `N` bytes in locked memory, wiped when dropped.
pub(super) struct LockedBytes<const N: usize> {
    bytes: NonNull<[u8; N]>,
    is_locked: bool,
}

// SAFETY: the page belongs to this value alone, and is written through `&mut` only.
unsafe impl<const N: usize> Send for LockedBytes<N> {}
// SAFETY: as above; `&` gives read access only.
unsafe impl<const N: usize> Sync for LockedBytes<N> {}

impl<const N: usize> LockedBytes<N> {
    /// Zeros. Fails only without memory; what else cannot be had (a lock, as the limit is low) is
    /// done without.
    pub(super) fn new() -> io::Result<Self> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping where the system likes it touches no memory in use.
        let page = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), N, protection, flags) }?;
        // SAFETY: the range is the mapping just made.
        let is_locked = unsafe { rustix::mm::mlock(page, N) }.is_ok();
        for advice in [Advice::LinuxDontDump, Advice::LinuxDontFork] {
            // SAFETY: the range is the mapping just made; neither advice changes what this process
            // sees in it.
            let _ = unsafe { rustix::mm::madvise(page, N, advice) };
        }
        let bytes = NonNull::new(page.cast()).expect("a mapping is not at address zero");
        Ok(Self { bytes, is_locked })
    }

    pub(super) fn is_locked(&self) -> bool {
        self.is_locked
    }

    pub(super) fn bytes(&self) -> &[u8; N] {
        // SAFETY: the mapping is N bytes or more, aligned to a page, zeros from the start, and
        // lives as long as `self`; `&self` keeps writers out.
        unsafe { self.bytes.as_ref() }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8; N] {
        // SAFETY: as in `bytes`; `&mut self` keeps everybody else out.
        unsafe { self.bytes.as_mut() }
    }
}

impl<const N: usize> Drop for LockedBytes<N> {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        // SAFETY: the mapping of `new`, which nothing can refer to any more. It is unlocked with it.
        let _ = unsafe { rustix::mm::munmap(self.bytes.as_ptr().cast(), N) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_bytes_begin_as_zeros_and_keep_what_is_written() {
        let mut bytes = LockedBytes::<32>::new().unwrap();
        assert_eq!(bytes.bytes(), &[0; 32]);
        bytes.bytes_mut()[31] = 7;
        assert_eq!(bytes.bytes()[31], 7);
    }

    #[test]
    fn locked_bytes_stay_out_of_core_dumps() {
        let bytes = LockedBytes::<32>::new().unwrap();
        let flags = flags_of_mapping(bytes.bytes().as_ptr().addr());
        for flag in ["dd", "dc"] {
            assert!(flags.split_whitespace().any(|word| word == flag), "{flags}");
        }
        assert_eq!(flags.split_whitespace().any(|word| word == "lo"), bytes.is_locked());
    }

    /// The kernel's words for the mapping that begins at `address`: `dd` not dumped, `dc` not
    /// copied on fork, `lo` locked.
    fn flags_of_mapping(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let start = maps.find(&format!("{address:x}-")).expect("the mapping has been made");
        let flags = maps[start..].lines().find_map(|line| line.strip_prefix("VmFlags:"));
        flags.unwrap().to_owned()
    }
}
