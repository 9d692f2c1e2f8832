//! What can be wrong, in three words.
//!
//! A [`Refusal`](crate::refusal) is an answer; a [`JobError`] is a state.

use alloc::string::String;
use core::fmt;

/// An outcome by the number that 25 years of tools already know it by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

/// What the service was dealing with when an error occurred. `BG_ERROR_CONTEXT`, `bits.md` §2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorContext {
    None = 0,
    Unknown = 1,
    GeneralQueueManager = 2,
    QueueManagerNotification = 3,
    LocalFile = 4,
    RemoteFile = 5,
    GeneralTransport = 6,
    RemoteApplication = 7,
    ServerCertificateCallback = 8,
}

/// An error a job has met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub code: Code,
    pub context: ErrorContext,
    /// Whether time may cure it. The owner must act on an error that time cannot.
    pub transient: bool,
    /// One sentence for a person, naming the file or host it concerns.
    pub message: String,
}
