//! Moves the bytes of OpenBITS: HTTP, authentication, and the files of the owner.
//!
//! A worker runs as the owner of the jobs it serves. It decides nothing about jobs and never sees
//! the queue: what it is to do and what has come of it goes over the [`link`].

mod attempt;
pub mod auth;
mod batch;
mod certificates;
mod closing;
mod demand;
mod folders;
mod gathering;
mod http;
pub mod link;
mod local_file;
mod local_source;
mod nearby;
mod notify;
pub mod pacing;
mod parts;
pub mod run;
mod sink;
mod tally;
mod transfer;
mod volumes;

pub use attempt::{Passing, PassingOver};
pub use http::{Http2, UserAgentError, fuzzing};
pub use nearby::Nearby;
pub use notify::{CommandSettings, signing_key};
