//! What a person types, and exactly what comes back: all that needs no service.
//!
//! What needs one is tested where both are run.

mod bits;
mod unreachable;
mod usage;
mod words;
