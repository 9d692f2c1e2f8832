//! The local clock, and when it was set.

use std::io;
use std::mem::MaybeUninit;

use bits_core::time::Timestamp;

/// How far the local clock is ahead of UTC at a moment, in seconds; none where the system does not know.
pub fn local_offset(at: Timestamp) -> i32 {
    let seconds = libc::time_t::try_from(at.0 / 1000).unwrap_or(libc::time_t::MAX);
    let mut local = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: it reads the zone, of which nothing in this process changes the variables.
    unsafe { tzset() };
    // SAFETY: both places are there for as long as the call lasts, and it writes the second alone.
    let known = unsafe { libc::localtime_r(&raw const seconds, local.as_mut_ptr()) };
    if known.is_null() {
        return 0;
    }
    // SAFETY: the system has filled it in; before that all of it was zero, which is a time, too.
    let local = unsafe { local.assume_init() };
    i32::try_from(local.tm_gmtoff).unwrap_or(0)
}

unsafe extern "C" {
    fn tzset();
}

/// Hears when the system's clock is set, or the machine has slept.
#[derive(Debug)]
pub struct ClockWatch(std::os::fd::OwnedFd);

impl ClockWatch {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system has no such timer.
    pub fn new() -> io::Result<Self> {
        // SAFETY: it takes two numbers and gives a descriptor of its own, or less than zero.
        let made = unsafe { libc::timerfd_create(libc::CLOCK_REALTIME, libc::TFD_CLOEXEC) };
        if made < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and is nobody else's.
        let watch = Self(unsafe { std::os::fd::FromRawFd::from_raw_fd(made) });
        watch.arm()?;
        Ok(watch)
    }

    /// Has the timer tell when the clock is set, from now on and for good: once it has told that, it
    /// stays armed, so that a clock that is set again before anybody waits again is not missed.
    fn arm(&self) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        // A time that does not come: only that the clock was set ends the waiting.
        let never = libc::timespec { tv_sec: libc::time_t::MAX, tv_nsec: 0 };
        let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let timer = libc::itimerspec { it_interval: none, it_value: never };
        let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
        // SAFETY: the descriptor is open as long as we are, and the kernel reads the one structure.
        let set = unsafe {
            libc::timerfd_settime(self.0.as_raw_fd(), flags, &raw const timer, std::ptr::null_mut())
        };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Waits until the clock was set since the last time this returned. Blocks.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub fn wait(&self) -> io::Result<()> {
        loop {
            match rustix::io::read(&self.0, &mut [0u8; 8]) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CANCELED) | Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_clock_is_within_a_day_of_utc_whatever_the_time() {
        for at in [0, 1_772_409_600_000, u64::MAX] {
            assert!(local_offset(Timestamp(at)).abs() <= 86_400, "{at}");
        }
    }

    #[test]
    fn the_clock_can_be_watched() {
        ClockWatch::new().expect("a timer");
    }
}
