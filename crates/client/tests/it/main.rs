//! The client as its users meet it: a person at a terminal, a script at a pipe.
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap is its failure")]

mod password_stdin;
mod prompt;
mod saved;
