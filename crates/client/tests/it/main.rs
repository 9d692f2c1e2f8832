//! The client as its users meet it: a program before the service, a person at a terminal, a script
//! at a pipe.
//!
//! The service here is of the tests' own making and says exactly what it is told to. That the real
//! one means the same is tested where both are run.
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap is its failure")]

mod certificates;
mod challenges;
mod client;
mod connecting;
#[cfg(feature = "secret-service")]
mod desktop;
mod events;
mod notifications;
mod password_stdin;
mod prompt;
mod saved;
mod service;
