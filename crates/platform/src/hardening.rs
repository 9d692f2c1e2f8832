//! What a program that holds secrets does first: no core dumps, no files for others, and memory
//! that is wiped when it is freed.
//!
//! Sandboxing (giving up files, calls and networks) is another matter and not here.

mod allocator;

use std::io;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::files::Umask;

pub use allocator::ZeroingAllocator;

/// Lets no memory of this process be written to disk by a crash, or be read by other processes of
/// its user. To be called first of all; programs started later are not bound by the second half.
///
/// Debuggers cannot attach afterwards, and `/proc/PID` of the process belongs to root.
pub fn forbid_core_dumps() -> io::Result<()> {
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Makes every file this process creates from now on one for its user alone (umask 077), and
/// returns the mask that was in force, which is the caller's.
pub fn make_files_private() -> Umask {
    Umask::new(rustix::process::umask(Mode::RWXG | Mode::RWXO).bits())
}
