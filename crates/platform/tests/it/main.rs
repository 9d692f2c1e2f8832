//! What needs a process or a terminal of its own, seen through the public face of the crate.
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap is its failure")]

use bits_platform::hardening::ZeroingAllocator;

/// As in the programs: everything below also runs on the wiping allocator.
#[global_allocator]
static ALLOCATOR: ZeroingAllocator = ZeroingAllocator::new();

mod hardening;
mod process;
mod terminal;
