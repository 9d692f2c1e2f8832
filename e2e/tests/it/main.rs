//! End-to-end tests: the programs as they are built, against servers this project did not write.
//!
//! `harness` checks what the other modules stand on.

mod harness;
