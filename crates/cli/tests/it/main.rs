//! What a person types, and exactly what comes back.
//!
//! Where a service is needed it is one of the tests' own making, which does what its script says.
//! That the real one does the same is tested where both are run.

mod agent;
mod asking;
mod bits;
mod getting;
mod jobs;
mod requests;
mod saved;
mod service;
mod unreachable;
mod usage;
mod words;
