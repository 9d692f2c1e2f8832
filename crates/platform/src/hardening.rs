//! What a program that holds secrets does first: no core dumps, no files for others, memory that is
//! wiped when it is freed, and a stack that is wiped when it was used for a secret.
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

/// Bytes of the stack that [`wipe_stack`] wipes; what computes with secrets goes no deeper.
const WIPED_STACK_BYTES: usize = 128 << 10;

/// Overwrites what functions that have returned left on this thread's stack: block ciphers, hashes
/// and libraries keep parts of secrets in their frames. To be called where they were called from,
/// once they are done; it takes some microseconds.
#[inline(never)]
pub fn wipe_stack() {
    let below = [0u8; WIPED_STACK_BYTES];
    // From here the compiler must assume that somebody reads the zeros.
    zeroize::optimization_barrier(&below);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    const SECRET: u8 = 0xA7;

    #[inline(never)]
    fn leave_a_secret() {
        let secret = [SECRET; 16 << 10];
        std::hint::black_box(&secret);
    }

    /// Whether a run of the secret's bytes lies below `place` on the stack.
    fn is_left_below(place: usize) -> bool {
        let mut below = vec![0; 64 << 10];
        let start = (place - below.len()) as u64;
        File::open("/proc/self/mem").unwrap().read_exact_at(&mut below, start).unwrap();
        below.windows(64).any(|window| window.iter().all(|byte| *byte == SECRET))
    }

    #[test]
    fn what_was_left_on_the_stack_is_wiped() {
        let here = 0u8;
        let place = std::ptr::from_ref(&here).addr();
        leave_a_secret();
        assert!(is_left_below(place), "else this shows nothing");
        wipe_stack();
        assert!(!is_left_below(place));
    }
}
