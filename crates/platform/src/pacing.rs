//! What Linux tells of connections and interfaces, and what it lets an ordinary program set, so that
//! background transfers can be polite.
//!
//! What is to be set, and when, is decided in `core::pacing`. Everything here works without
//! privileges; with them a socket's buffer may be larger than the administrator lets others have.

mod counters;
mod interfaces;
mod neighbours;
mod socket;
mod tcp_info;

pub use counters::Counters;
pub(crate) use interfaces::{Entry, entries};
pub use interfaces::{Interfaces, Way, kind_of};
pub use neighbours::Neighbours;
pub use socket::{prepare_download, prepare_upload, set_window, smooth, unacknowledged};
pub use tcp_info::{TcpInfo, tcp_info};

use std::io;

/// Lets this thread run before others when both want to: it measures time. Says whether the system
/// allowed it.
pub fn hurry() -> bool {
    /// Before ordinary programs, behind what the system itself is in a hurry for.
    const NICE: i32 = -10;
    // For Linux a thread is what the call names a process.
    rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE).is_ok()
}

/// The outcome of a call that says -1 when it failed.
fn outcome(status: libc::c_int) -> io::Result<()> {
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
