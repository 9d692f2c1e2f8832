//! The harness itself: what it promises the tests, shown with programs that are always there.

mod cleared;
mod dialogue;
mod locations;
mod programs;
mod skipped;
