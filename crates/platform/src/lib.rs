//! What differs by operating system: who calls, where things are, how files are finished and
//! secrets sealed, how the service is started and a person asked.
//!
//! Nothing here decides about jobs. This is the only crate that looks at `target_os`, and the
//! only one with `unsafe`: what the C library alone can do (the name service, signal handlers, some options of sockets),
//! memory that is locked, and memory that is wiped.

#[cfg(not(target_os = "linux"))]
compile_error!("only Linux is built so far; each file here is where another system's half belongs");

pub mod boot;
pub mod caller;
pub mod clock;
pub mod endpoint;
pub mod files;
pub mod hardening;
pub mod mounts;
pub mod network;
pub mod pacing;
pub mod paths;
pub mod power;
pub mod process;
pub mod program;
pub mod seal;
pub mod service;
pub mod shown;
pub mod socket;
pub mod space;
pub mod terminal;

#[cfg(test)]
mod somebody;
