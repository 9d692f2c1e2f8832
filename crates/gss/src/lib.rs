//! What a worker and the program `bits-gss` say to each other: over the program's standard input and
//! output, one after the other, each in a frame of its own.
//!
//! The program makes one security context for one connection, by the system's GSSAPI library, from
//! the Kerberos tickets that its user has already. It is a program because that library reads paths
//! from the environment of its process, and the service has many callers at once. Here are only the
//! words, for both sides; the library is behind the feature `gssapi` and in the program alone. What
//! the numbers of a failure mean is for the worker.

mod fields;
mod message;

pub use message::{Answer, Malformed, Request};

/// Bytes of a frame's head: the length of what follows, the most significant byte first.
pub const HEAD_BYTES: usize = 4;
/// The longest token: those of a directory with many groups have up to 48,000 bytes.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;
/// The longest name of a service: a kind, the longest host name there is, and a realm.
pub const SERVICE_BYTES_MAX: usize = 600;
/// The longest channel binding: a prefix, and a hash of at most 64 bytes.
pub const BINDING_BYTES_MAX: usize = 128;
/// The longest sentence of the library that is passed on.
pub const TEXT_BYTES_MAX: usize = 1000;
/// The longest frame, without its head: the longest of its fields, and what is around them.
pub const FRAME_BYTES_MAX: usize = TOKEN_BYTES_MAX + 64;

/// How many bytes follow a frame's head.
///
/// # Errors
/// [`Malformed`] when that is more than any message has.
pub fn frame_length(head: [u8; HEAD_BYTES]) -> Result<usize, Malformed> {
    usize::try_from(u32::from_be_bytes(head))
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX)
        .ok_or(Malformed)
}
