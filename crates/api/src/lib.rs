//! What goes over the local socket: operations, bodies, events, problems.
//!
//! These shapes are a promise to programs: fields may be added, never renamed. The domain behind
//! them (`bits-core`) is free to change; the two meet only in [`convert`]. HTTP itself is spoken
//! by the service and the client library, not here.

pub mod about;
pub mod certificate;
pub mod challenge;
pub mod convert;
pub mod credentials;
pub mod event;
pub mod export;
pub mod file;
pub mod finding;
pub mod http_options;
pub mod job;
pub mod notification;
#[cfg(feature = "schema")]
pub mod openapi;
pub mod operations;
pub mod problem;
pub mod settings;
#[cfg(feature = "schema")]
mod words;

/// Bytes the body of one request may have: room for ten thousand files in one call.
pub const REQUEST_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Jobs or files in one page of a list, at most.
pub const PAGE_MAX: usize = 1000;
