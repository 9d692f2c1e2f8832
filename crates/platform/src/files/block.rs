//! Memory from which a disk can be written without a copy in between.
//!
//! It is taken from the system and given back to it, so that a service at rest keeps none of it.
//! How it is written is not known here.

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// Bytes of a block. Measured: a quarter of it costs twice as much to write, and twice of it saves
/// nothing.
pub const BLOCK_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a large page where there are any; a block begins with one, and so becomes few pieces.
const LARGE_PAGE_BYTES: usize = 2 * 1024 * 1024;
const MAPPED_BYTES: usize = BLOCK_BYTES + LARGE_PAGE_BYTES;

/// [`BLOCK_BYTES`] bytes, aligned for direct writes, zero at first.
pub struct Block {
    mapped: NonNull<c_void>,
    start: NonNull<u8>,
}

// SAFETY: the memory is this block's alone, and is reached through it only.
unsafe impl Send for Block {}
// SAFETY: through a shared block it can only be read.
unsafe impl Sync for Block {}

impl Block {
    /// Takes a block from the system.
    ///
    /// # Errors
    /// When it has none.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new private mapping, wherever the system puts it, touches nothing that exists.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                MAPPED_BYTES,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        let mapped = NonNull::new(mapped).ok_or(io::ErrorKind::OutOfMemory)?;
        let offset = mapped.cast::<u8>().align_offset(LARGE_PAGE_BYTES);
        // SAFETY: the offset is less than a large page, by which the mapping is longer than a block.
        let start = unsafe { mapped.cast::<u8>().add(offset) };
        // SAFETY: the advice covers this mapping alone and changes nothing of what it holds. Where
        // there are no large pages it is refused, and small ones do.
        let _ = unsafe { rustix::mm::madvise(start.cast().as_ptr(), BLOCK_BYTES, Advice::LinuxHugepage) };
        Ok(Self { mapped, start })
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping holds that many bytes from there on, initialised to zero by the
        // system, and lives as long as this block, which alone gives them out.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), BLOCK_BYTES) }
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and the block is borrowed for this alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), BLOCK_BYTES) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing of it is borrowed any more.
        let unmapped = unsafe { rustix::mm::munmap(self.mapped.as_ptr(), MAPPED_BYTES) };
        debug_assert!(unmapped.is_ok(), "a mapping of ours can be given back");
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_aligned_empty_and_all_of_it_can_be_filled() {
        let mut block = Block::new().unwrap();
        assert_eq!(block.len(), BLOCK_BYTES);
        assert_eq!(block.as_ptr().addr() % LARGE_PAGE_BYTES, 0);
        assert!(block.iter().all(|byte| *byte == 0));
        block.fill(7);
        assert!(block.iter().all(|byte| *byte == 7));
    }
}
