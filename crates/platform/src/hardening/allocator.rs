//! An allocator that wipes what it is given back.
//!
//! Secret types wipe themselves. This is for the copies they do not know of: a buffer that grew, a
//! string that a library made and dropped. It does nothing for memory that is never freed, for
//! stacks, or for memory that C libraries take from `malloc`.

use std::alloc::{GlobalAlloc, Layout, System};

/// An allocator over `A` that hands no freed byte on, and leaves none lying.
///
/// ```
/// use bits_platform::hardening::ZeroingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: ZeroingAllocator = ZeroingAllocator::new();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ZeroingAllocator<A = System>(A);

impl ZeroingAllocator {
    /// Over the system's allocator.
    pub const fn new() -> Self {
        Self(System)
    }
}

impl<A> ZeroingAllocator<A> {
    /// Over another allocator.
    pub const fn over(inner: A) -> Self {
        Self(inner)
    }
}

// SAFETY: memory comes from `A` and goes back to `A`, with the layouts it came with; in between it
// is only written to where it no longer belongs to anybody else.
unsafe impl<A: GlobalAlloc> GlobalAlloc for ZeroingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are A's.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are A's.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is of this layout and the caller has given it up.
        unsafe { wipe(block, layout.size()) };
        // SAFETY: the caller's promises are A's.
        unsafe { self.0.dealloc(block, layout) }
    }

    /// Always moves: in place, `A` could move by itself and leave the old bytes behind.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size, rounded up to this alignment, is no overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller promises that the new size is not zero.
        let new_block = unsafe { self.0.alloc(new_layout) };
        if !new_block.is_null() {
            let kept = layout.size().min(new_size);
            // SAFETY: both blocks are at least that long, and a new block overlaps no live one.
            unsafe { std::ptr::copy_nonoverlapping(block, new_block, kept) };
            // SAFETY: the old block is of this layout; the caller has given it up, as there is a
            // new one.
            unsafe { self.dealloc(block, layout) };
        }
        new_block
    }
}

/// Writes zeros that no optimisation removes.
///
/// # Safety
/// `block` is valid for writing `size` bytes, and nobody reads them as anything but bytes any more.
unsafe fn wipe(block: *mut u8, size: usize) {
    // SAFETY: the caller's promise. All at once: byte by byte, large buffers would take their time.
    unsafe { block.write_bytes(0, size) };
    // SAFETY: the bytes have just been written and nobody else writes them.
    let wiped = unsafe { std::slice::from_raw_parts(block, size) };
    // From here the compiler must assume that somebody reads the zeros.
    zeroize::optimization_barrier(wiped);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const ARENA_BYTES: usize = 1 << 16;
    const ALIGN: usize = 16;

    /// Hands out its memory piece by piece and takes nothing back, so that the test may read what
    /// was freed.
    struct Arena {
        memory: *mut [u128],
        used: Cell<usize>,
    }

    impl Arena {
        fn new() -> Self {
            let memory = vec![u128::MAX; ARENA_BYTES / ALIGN].into_boxed_slice();
            Self { memory: Box::into_raw(memory), used: Cell::new(0) }
        }
    }

    impl Drop for Arena {
        fn drop(&mut self) {
            // SAFETY: from `into_raw` in `new`; nobody keeps pieces longer than the arena.
            drop(unsafe { Box::from_raw(self.memory) });
        }
    }

    // SAFETY: pieces do not overlap, are aligned to 16, and live as long as the arena.
    unsafe impl GlobalAlloc for Arena {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let place = self.used.get();
            let end = place + layout.size().next_multiple_of(ALIGN);
            if layout.align() > ALIGN || end > ARENA_BYTES {
                return std::ptr::null_mut();
            }
            self.used.set(end);
            self.memory.cast::<u8>().wrapping_add(place)
        }

        unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    /// What the `size` bytes at `block`, an arena's, hold now.
    fn bytes_at(block: *const u8, size: usize) -> Vec<u8> {
        // SAFETY: the callers pass pieces of an arena that lives, freed or not.
        unsafe { std::slice::from_raw_parts(block, size) }.to_vec()
    }

    fn a_filled_block(allocator: &ZeroingAllocator<Arena>, size: usize) -> *mut u8 {
        // SAFETY: the size is not zero.
        let block = unsafe { allocator.alloc(layout(size)) };
        assert!(!block.is_null());
        // SAFETY: the block has just been allocated with this size.
        unsafe { block.write_bytes(b's', size) };
        block
    }

    #[test]
    fn a_freed_block_is_zeros_whatever_its_size() {
        for size in [1, 7, 16, 4096, 40_000] {
            let allocator = ZeroingAllocator::over(Arena::new());
            let block = a_filled_block(&allocator, size);
            let neighbour = a_filled_block(&allocator, 16);
            // SAFETY: allocated above with this layout.
            unsafe { allocator.dealloc(block, layout(size)) };
            assert_eq!(bytes_at(block, size), vec![0; size]);
            assert_eq!(bytes_at(neighbour, 16), [b's'; 16]);
        }
    }

    #[test]
    fn a_block_that_grows_or_shrinks_leaves_zeros_behind() {
        for (old, new) in [(16, 64), (64, 16), (5, 6), (4096, 1)] {
            let allocator = ZeroingAllocator::over(Arena::new());
            let block = a_filled_block(&allocator, old);
            // SAFETY: allocated above with this layout; the new size is not zero.
            let moved = unsafe { allocator.realloc(block, layout(old), new) };
            assert_eq!(bytes_at(block, old), vec![0; old]);
            let kept = old.min(new);
            assert_eq!(bytes_at(moved, kept), vec![b's'; kept]);
        }
    }

    #[test]
    fn a_block_that_cannot_grow_stays_as_it_was() {
        let allocator = ZeroingAllocator::over(Arena::new());
        let block = a_filled_block(&allocator, 16);
        // SAFETY: allocated above with this layout; the new size is not zero.
        let moved = unsafe { allocator.realloc(block, layout(16), ARENA_BYTES) };
        assert!(moved.is_null());
        assert_eq!(bytes_at(block, 16), [b's'; 16]);
    }
}
