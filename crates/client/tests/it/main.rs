//! The client against a service of the tests' own making, which says exactly what it is told to.
//!
//! That the real service means the same is tested where both are run.

mod client;
mod connecting;
mod events;
mod service;
