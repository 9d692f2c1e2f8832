//! Signals that would end or stop the process while the terminal is not as it was, held back until
//! it is.
//!
//! Signals belong to the whole process, so only one question can be open at a time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::pipe::PipeFlags;

/// A time in which signals are noted instead of acted on.
pub(super) struct HeldBack {
    /// The former actions, in the order of [`SIGNALS`]; `None` where a signal is ignored anyway.
    former: [Option<libc::sigaction>; SIGNALS.len()],
    pipe: &'static WakePipe,
    _turn: MutexGuard<'static, ()>,
}

/// Signals that came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signals(u32);

impl HeldBack {
    pub(super) fn begin() -> io::Result<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = WakePipe::of_this_process()?;
        pipe.drain();
        NOTED.store(0, Ordering::SeqCst);
        Ok(Self { former: SIGNALS.map(take_over), pipe, _turn: turn })
    }

    /// Whether one has come.
    pub(super) fn has_any(&self) -> bool {
        NOTED.load(Ordering::SeqCst) != 0
    }

    /// Lets signals act again and returns those that came, to be delivered.
    pub(super) fn end(self) -> Signals {
        take_what_is_on_its_way();
        drop(self);
        Signals(NOTED.swap(0, Ordering::SeqCst))
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        for (signal, former) in SIGNALS.into_iter().zip(&self.former) {
            if let Some(action) = former {
                // SAFETY: the action is one that the system gave out for this signal.
                unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
            }
        }
    }
}

impl AsFd for HeldBack {
    /// Readable when a signal has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.read_end.as_fd()
    }
}

impl Signals {
    /// Sends them to this process again, now that it can act on them. A stop signal returns when
    /// the process goes on.
    pub(super) fn deliver(self) {
        self.deliver_all_but(NO_SIGNAL);
    }

    /// The same, but for one of them.
    pub(super) fn deliver_all_but(self, kept: libc::c_int) {
        for signal in SIGNALS.into_iter().filter(|signal| self.has(*signal) && *signal != kept) {
            // SAFETY: a call with a number; what a handler does then is its own affair, as ever.
            unsafe { libc::raise(signal) };
        }
    }

    /// Whether one of them asks the process to end. It may have its own way of ending, and be here
    /// still.
    pub(super) fn ask_to_end(self) -> bool {
        [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT].into_iter().any(|signal| self.has(signal))
    }

    fn has(self, signal: libc::c_int) -> bool {
        self.0 & bit(signal) != 0
    }
}

/// What ends or stops a process from outside. After SIGCONT the terminal may have other settings: a
/// process that was stopped by SIGSTOP had no say.
const SIGNALS: [libc::c_int; 8] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGCONT,
];

/// The number that no signal has.
const NO_SIGNAL: libc::c_int = 0;

/// Who may hold signals back.
static TURN: Mutex<()> = Mutex::new(());
/// Signals that have come, a bit each.
static NOTED: AtomicU32 = AtomicU32::new(0);
static PIPE: OnceLock<WakePipe> = OnceLock::new();

/// How the handler wakes the one who waits for keys. It is made once and never closed: a handler
/// may still run on another thread when signals act again.
struct WakePipe {
    read_end: OwnedFd,
    write_end: OwnedFd,
}

impl WakePipe {
    fn of_this_process() -> io::Result<&'static Self> {
        if let Some(pipe) = PIPE.get() {
            return Ok(pipe);
        }
        let (read_end, write_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(PIPE.get_or_init(|| Self { read_end, write_end }))
    }

    fn drain(&self) {
        let mut bytes = [0; 64];
        while rustix::io::read(&self.read_end, &mut bytes).is_ok_and(|length| length > 0) {}
    }
}

/// Notes what was sent to the process and is for another thread to take that has not come to it: it
/// would act otherwise, once it may again, with nobody told that it came. A thread that lets signals
/// through again takes those that wait for any.
fn take_what_is_on_its_way() {
    // SAFETY: all-zero bytes are a valid set.
    let mut held: libc::sigset_t = unsafe { std::mem::zeroed() };
    let mut former = held;
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut held) };
    for signal in SIGNALS {
        // SAFETY: the set is ours, and has been made empty.
        unsafe { libc::sigaddset(&raw mut held, signal) };
    }
    // SAFETY: both sets are ours; only this thread's mask is changed.
    let status = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const held, &raw mut former) };
    if status == 0 {
        // SAFETY: the mask is the one that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const former, std::ptr::null_mut()) };
    }
}

const fn bit(signal: libc::c_int) -> u32 {
    1 << signal
}

/// Makes `signal` be noted. A signal that is ignored (`nohup`) stays so.
fn take_over(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: all-zero bytes are a valid `sigaction`: no handler, an empty mask, no flags.
    let mut former: libc::sigaction = unsafe { std::mem::zeroed() };
    let mut action = former;
    action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: only asks; the pointer is to a live variable.
    let status = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut former) };
    if status != 0 || former.sa_sigaction == libc::SIG_IGN {
        return None;
    }
    // SAFETY: `note` does only what a signal handler may.
    let status = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    (status == 0).then_some(former)
}

/// The handler: an atomic and a system call. rustix makes the call itself, so the `errno` of the
/// interrupted code stays as it is.
extern "C" fn note(signal: libc::c_int) {
    NOTED.fetch_or(bit(signal), Ordering::SeqCst);
    if let Some(pipe) = PIPE.get() {
        // A full pipe has woken already.
        let _ = rustix::io::write(&pipe.write_end, &[0]);
    }
}
