//! The rules of the house, as tests: which crate may import which, what must never be reached from
//! where, how files are named and begin, and that what is written about the code is still so.
//!
//! A rule that only a reader can judge is not here but in `CONTRIBUTING.md`.

mod bans;
mod commands;
mod compatibility;
mod documents;
mod floors;
mod fuzzing;
mod openapi;
mod rust;
mod sources;
mod tree;
