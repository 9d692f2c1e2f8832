//! End-to-end tests: the programs as they are built, against servers this project did not write.
//!
//! `harness` checks what the other modules stand on.

mod access;
mod agent;
mod anything;
mod bad_input;
mod bitsadmin;
mod by_proxy;
mod certificate_callback;
mod conditions;
mod endless_questions;
mod exhaustion;
mod harness;
mod http2;
mod kills;
mod life_of_get;
mod limits;
mod lives;
mod load;
mod main_job;
mod mirrors;
mod notifications;
mod on_demand;
mod operations;
mod outcome;
mod parts;
mod power;
mod real_servers;
mod refusals;
mod secrets;
mod sign_in_matrix;
mod signing_in;
mod starting;
mod storm;
mod tickets;
mod unkind;
