//! Tests of the whole crate from outside, in one program.
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap is its failure")]

mod third_party;
