//! Where the jobs of OpenBITS live on disk: [`bits_core::ports::Store`] made real.
//!
//! [`SqliteStore`] is what a service uses, [`MemoryStore`] what a test of something else uses, and
//! [`contract`] says what either must do. Nothing here decides about a job or opens a sealed
//! credential; that two services do not share a folder is seen to by whoever owns the folder.

pub mod contract;
#[cfg(any(test, fuzzing))]
#[allow(missing_debug_implementations, reason = "nobody but a fuzz target uses it")]
pub mod fuzzing;
pub mod memory;
mod rows;
pub mod sqlite;

pub use memory::MemoryStore;
pub use sqlite::{Check, Examination, OpenError, Opened, SetAside, SqliteStore};
