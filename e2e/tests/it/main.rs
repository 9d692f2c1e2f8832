//! End-to-end tests: the programs as they are built, against servers this project did not write.
//!
//! `harness` checks what the other modules stand on.

mod access;
mod agent;
mod bad_input;
mod by_proxy;
mod certificate_callback;
mod harness;
mod kills;
mod life_of_get;
mod lives;
mod main_job;
mod secrets;
mod signing_in;
mod starting;
mod tickets;
mod unkind;
