//! Processes by a handle that never means another process, unlike a number.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

/// A process, ours or not.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    handle: OwnedFd,
}

impl Process {
    /// The process `pid`, if there is one.
    pub(crate) fn open(pid: Pid) -> Option<Self> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Some(Self { pid, handle }),
            Err(Errno::SRCH) => None,
            Err(error) => panic!("process {pid:?}: {error}"),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends `signal`; one that has ended does not mind.
    pub(crate) fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => panic!("{signal:?} to process {:?}: {error}", self.pid),
        }
    }

    /// Kills it, and all of the session it leads.
    ///
    /// Only for a child of ours that is not waited for yet: its number is not free for others.
    pub(crate) fn kill_session(&self) {
        // It fails when the child has not come to lead one, and the next line does it.
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.signal(Signal::KILL);
    }

    /// Waits until it has ended; whether it did before `end`.
    pub(crate) fn wait_end(&self, end: Instant) -> bool {
        wait_readable([self.handle.as_fd()], end)[0]
    }
}

impl AsFd for Process {
    /// Readable when the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Waits until one of `handles` can be read, or is at its end; none of them can at `end`.
pub(crate) fn wait_readable<const N: usize>(handles: [BorrowedFd<'_>; N], end: Instant) -> [bool; N] {
    let mut polled = handles.map(|handle| PollFd::from_borrowed_fd(handle, PollFlags::IN));
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("deadlines of tests are short");
        match poll(&mut polled, Some(&left)) {
            Ok(_) => return polled.map(|handle| !handle.revents().is_empty()),
            Err(Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}
